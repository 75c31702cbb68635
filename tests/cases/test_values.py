"""What acts are made of: what people gave, dates that can be meant, names, and how each act is read and written."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from cases.acts import COMMON_ACTS, Act, AnyAct, Hold, Learn, Propose, SetDate, TakeAct, parse_act
from cases.breach import BREACH
from cases.fields import Shape, fields_of
from cases.values import (
    FIRST_YEAR,
    LARGEST_FILE,
    LAST_YEAR,
    LONGEST_TEXT,
    MOST_LINES,
    AgreementName,
    Kept,
    KeptFile,
    KeptReferences,
    KeptText,
    Message,
)
from models.errors import InvalidFields, InvalidInput
from models.identifiers import agreement_id, sha256_hex

SOME_ID = "8c1d2f0e-5f5d-4c35-9a58-0f4f6f8f2b11"
NOON = "2026-03-02T12:00:00-06:00"
GIVEN: dict[Shape, object] = {
    Shape.LINE: "breach.notice",
    Shape.TEXT: "Because counsel says so.",
    Shape.CHOICE: "breach.notice",
    Shape.INSTANT: NOON,
    Shape.DAY: "2026-03-02",
    Shape.TICK: False,
    Shape.FILE: "a report",
    Shape.AGREEMENT: "IL-1",
    Shape.AGREEMENTS: ["IL-1", "IL-2"],
    Shape.REFERENCES: ["IL-2", "IL-1"],
    Shape.MADE: SOME_ID,
}
"""Something that can be given for each shape of field."""

PATTERNED: dict[str, object] = {"state": "IL", "form": "ndpa-v1", "service": "first_class", "tracking_number": "9400 1"}
ACTS = [*COMMON_ACTS, *BREACH.acts]


def filled(act: type[Act]) -> dict[str, object]:
    """An act with every field given, as a form or JSON gives it."""
    fields = {field.name: PATTERNED.get(field.name, GIVEN[field.shape]) for field in fields_of(act)}
    return {"act": act.act_name(), **fields}


def text(given: str) -> KeptText:
    return KeptText.model_validate(given)


def complaint(of: type[Message], given: object) -> str:
    with pytest.raises(ValidationError) as caught:
        of.model_validate(given)
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("x" * (LONGEST_TEXT + 1), "longer than"),
        ("a\x00b", "control character"),
        ("a\x1b[31mb", "control character"),
        ("a\u2028b", "control character"),
        ("a\x85b", "control character"),
    ],
)
def test_a_text_that_cannot_be_kept_is_refused(given: str, says: str) -> None:
    assert says in complaint(KeptText, given)


def test_a_text_of_the_greatest_length_is_kept_as_it_was_written() -> None:
    assert text("x" * LONGEST_TEXT).content == b"x" * LONGEST_TEXT
    assert text("  two\r\nlines\tand a tab \n").content == b"two\nlines\tand a tab"


@pytest.mark.parametrize("given", [b"", b"x" * (LARGEST_FILE + 1)], ids=["empty", "too large"])
def test_a_file_that_is_empty_or_too_large_is_refused(given: bytes) -> None:
    assert "the file is" in complaint(KeptFile, given)


def test_references_are_kept_each_once_in_order() -> None:
    kept = KeptReferences.model_validate([" B ", "A", "", "B"])
    assert kept.references == ("A", "B")
    assert kept == KeptReferences.model_validate(("A", "B"))


@pytest.mark.parametrize("given", [["A\x00"], ["A\nB"], [str(n) for n in range(MOST_LINES + 1)]])
def test_what_is_no_list_of_references_is_refused(given: list[str]) -> None:
    assert "no references" in complaint(KeptReferences, given)


@pytest.mark.parametrize("given", ["", " ", "A\nB", "A\x00"])
def test_an_agreement_is_named_in_one_line(given: str) -> None:
    assert "no reference" in complaint(AgreementName, given)


SECRET = "The reporter is Jane Roe of 12 Elm Street."


@pytest.mark.parametrize("kept", [text(SECRET), KeptFile.model_validate(SECRET.encode())])
def test_what_was_given_travels_by_its_sha256_alone(kept: Kept) -> None:
    assert json.loads(kept.model_dump_json()) == {"sha256": sha256_hex(SECRET.encode())}
    assert kept.model_dump() == {"sha256": sha256_hex(SECRET.encode())}
    assert SECRET not in repr(kept)
    assert SECRET not in str(kept)


def test_an_act_on_its_way_to_its_case_holds_nothing_that_was_written() -> None:
    act = Hold.model_validate({"particulars": SECRET, "begins_at": NOON, "agreement": "Jane Roe School"})
    message = TakeAct(act=act, actor="officer", act_id=UUID(SOME_ID))
    assert "Jane" not in message.model_dump_json()
    assert str(agreement_id("Jane Roe School")) in message.model_dump_json()


def test_what_was_given_is_the_same_if_its_bytes_are() -> None:
    travelled = KeptText.model_validate_json(text(SECRET).model_dump_json())
    assert travelled == text(f"  {SECRET}\n")
    assert hash(travelled) == hash(text(SECRET))
    assert travelled.content is None
    assert text(SECRET) != text("Another sentence.")
    assert text(SECRET) != KeptFile.model_validate(SECRET), "a text is no file"


@pytest.mark.parametrize("year", [FIRST_YEAR - 1, LAST_YEAR + 1, 1, 9999])
def test_a_year_that_cannot_be_meant_is_refused_at_its_field(year: int) -> None:
    for field, value in (("instant", f"{year:04}-03-02T12:00:00Z"), ("first_day", f"{year:04}-03-02")):
        problem = only_problem({"act": "date", "name": "discovered", field: value})
        assert problem.where == field
        assert "cannot be meant" in problem.message


@pytest.mark.parametrize("year", [FIRST_YEAR, LAST_YEAR])
def test_the_first_and_the_last_year_that_can_be_meant_are_taken(year: int) -> None:
    act = parse_act({"act": "date", "name": "discovered", "first_day": f"{year}-12-31"})
    assert isinstance(act, SetDate)
    assert act.anchor.first_day == date(year, 12, 31)


@pytest.mark.parametrize("actor", ["jane@example.org", "", "two\nlines", "x" * 121, "a<b"])
def test_who_acts_is_never_an_address(actor: str) -> None:
    with pytest.raises(ValidationError):
        TakeAct(act=Learn(element="e", value=text("v")), actor=actor, act_id=UUID(SOME_ID))


@pytest.mark.parametrize("actor", ["officer", "role:privacy", "Zoë.O-1 2"])
def test_who_acts_is_an_account_or_a_role(actor: str) -> None:
    assert TakeAct(act=Learn(element="e", value=text("v")), actor=actor, act_id=UUID(SOME_ID)).actor == actor


def test_an_agreement_is_named_by_its_reference_and_travels_by_its_id() -> None:
    name = AgreementName.model_validate(" IL-1 ")
    assert (name.id, name.reference) == (agreement_id("IL-1"), "IL-1")
    assert name.model_dump(mode="json") == {"id": str(agreement_id("IL-1"))}
    for none in ("", "  ", "IL\x00"):
        with pytest.raises(ValidationError):
            AgreementName.model_validate(none)


@pytest.mark.parametrize("act", ACTS, ids=[act.act_name() for act in ACTS])
def test_every_act_comes_back_from_json_by_its_name(act: type[Act]) -> None:
    given = parse_act(filled(act))
    assert type(given) is act
    again = TypeAdapter(AnyAct).validate_json(given.model_dump_json())
    assert type(again) is act
    assert again.model_dump_json() == given.model_dump_json()
    message = TakeAct(act=given, actor="officer", act_id=UUID(SOME_ID))
    read = TakeAct.model_validate_json(message.model_dump_json())
    assert type(read.act) is act
    assert read.model_dump_json() == message.model_dump_json()


@pytest.mark.parametrize("act", ACTS, ids=[act.act_name() for act in ACTS])
def test_every_act_says_what_it_does_and_every_field_has_a_shape(act: type[Act]) -> None:
    assert Act.known[act.act_name()] is act
    assert act.says().strip(), "commands and pages show it"
    assert {field.shape for field in fields_of(act)} <= set(GIVEN), "an act's fields are given one by one"


def test_no_act_has_the_name_of_another() -> None:
    assert len({act.act_name() for act in ACTS}) == len(ACTS)
    with pytest.raises(TypeError, match="have an act called 'learn' each"):
        type("Other", (Act,), {"__annotations__": {"act": str}, "act": "learn", "__module__": __name__})
    assert Act.known["learn"] is Learn


def only_problem(given: object) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        parse_act(given)
    return caught.value


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"act": "learn", "value": "v"}, "element"),
        ({"act": "learn", "element": "", "value": "v"}, "element"),
        ({"act": "learn", "element": "e", "value": ""}, "value"),
        ({"act": "learn", "element": "e", "value": "v", "why": "x"}, "why"),
        ({"act": "lift", "hold_id": "no id"}, "hold_id"),
        ({"act": "hold", "particulars": "p", "begins_at": "2026-03-02T12:00"}, "begins_at"),
        ({"act": "add", "state": "Illinois"}, "state"),
        ({"act": "propose", "clause": "c", "ground": "g", "reason": "r", "agreements": ["A", ""]}, "agreements.1"),
        ({"act": "confirm"}, "confirmed_at"),
    ],
)
def test_what_is_wrong_with_an_act_is_said_at_its_field(given: dict[str, object], where: str) -> None:
    problem = only_problem(given)
    assert problem.where == where
    assert problem.next_step


def test_no_problem_repeats_what_was_given() -> None:
    with pytest.raises(InvalidFields) as caught:
        parse_act({"act": "learn", "element": "e", "value": "v", "lift": SECRET, "state": SECRET})
    assert len(caught.value.problems) == 2
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("given", [None, "learn", {}, {"act": "sing"}, {"act": ["learn"]}])
def test_an_act_that_nobody_knows_is_told_by_those_there_are(given: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_act(given)
    assert caught.value.where == "act"
    assert caught.value.next_step
    assert "learn" in caught.value.next_step


def test_what_an_act_makes_is_named_by_the_act() -> None:
    act = Propose.model_validate({"clause": "c", "ground": "g", "reason": "r"})
    holding = parse_act({"act": "hold", "particulars": "p", "begins_at": NOON})
    one, same, other = (TakeAct(act=made, actor="officer", act_id=UUID(SOME_ID)) for made in (act, act, holding))
    assert one.made_id == same.made_id != other.made_id


def test_an_instant_keeps_its_zone() -> None:
    act = parse_act({"act": "hold", "particulars": "p", "begins_at": NOON})
    assert isinstance(act, Hold)
    assert act.begins_at == datetime(2026, 3, 2, 18, tzinfo=UTC)


def test_a_file_is_kept_byte_for_byte() -> None:
    """What it holds is checked where it is kept (``tests/records/test_file_types.py``)."""
    proof = bytes(range(256))
    assert KeptFile.model_validate(proof).content == proof
