"""Every notice that the catalogue knows, written from demonstration data and read: one for each form, state and sort.

``UPDATE_GOLDEN=1 pytest tests/mail`` writes the golden notices anew; read the difference before committing it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cases.values import AnchorValue
from mail.compose import ComposedNotice, compose
from mail.contents import Delay
from mail.default_texts import load_default_texts
from mail.drafting import write_facts
from mail.facts import Clause, ElementStatus, NoticeFacts
from mail.templates import TEMPLATES
from models.defaults import Defaults
from models.enums import NoticeKind, Party
from models.errors import InvalidInput
from starter.demonstration import demonstrate, demonstrated_draft
from terms.effective import effective_terms
from tests.support.catalogue_letters import BREACH, CATALOGUE, INITIAL, LETTERS, SENDER, Letter, by_name
from tests.support.letter_reader import own_words, problems
from tests.support.sample_notices import ADDRESSING, CONFIRMED_NOTICE

GOLDEN = Path(__file__).parent / "golden"


def _is_kept(letter: Letter) -> bool:
    """Whether people read it: all of a breach; of others, each that a state changes, and one for each form."""
    if letter.clause in (BREACH, INITIAL):
        return True
    here, standard = (effective_terms(CATALOGUE, letter.form, state).clauses for state in (letter.state, None))
    first = letter.state == CATALOGUE.states(letter.form)[0]
    return first or letter.clause not in standard or here[letter.clause] != standard[letter.clause]


KEPT = tuple(letter for letter in LETTERS if _is_kept(letter))


@cache
def written(letter: Letter) -> ComposedNotice:
    return compose(letter.facts, ADDRESSING)


@pytest.mark.parametrize("letter", KEPT, ids=by_name)
def test_the_words_of_each_notice_are_those_that_were_read_and_approved(letter: Letter) -> None:
    composed = written(letter)
    bodies = {"txt": composed.text} | ({"html": composed.html} if letter.clause in (BREACH, INITIAL) else {})
    for suffix, body in bodies.items():
        file = GOLDEN / f"{letter.name}.{suffix}"
        if os.environ.get("UPDATE_GOLDEN"):
            file.write_text(body, encoding="utf-8")
        assert body == file.read_text(encoding="utf-8")


def test_every_golden_notice_is_one_of_the_catalogues() -> None:
    names = {letter.name for letter in KEPT}
    assert {file.stem for file in GOLDEN.iterdir()} == names


@pytest.mark.parametrize("letter", LETTERS, ids=by_name)
def test_counsel_finds_nothing_wrong_with_a_notice(letter: Letter) -> None:
    terms = effective_terms(CATALOGUE, letter.form, letter.state)
    found = problems(written(letter).text, letter.facts, terms, letter.state, CATALOGUE, load_default_texts())
    assert list(found) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"particulars": "reasonably_expected since Monday"}, "It names 'reasonably_expected' as only we do."),
        ({"particulars": "as breach.notice has it"}, "It names the clause 'breach.notice' as only we do."),
        ({"particulars": "We notify the LEA."}, "It calls somebody LEA."),
        ({"particulars": "No officer has reviewed it."}, "It says 'reviewed'."),
        ({"elements": ()}, "It leaves out reporting_lea."),
    ],
)
def test_counsel_would_find_what_is_wrong(change: dict[str, object], problem: str) -> None:
    facts = NoticeFacts.model_validate(dict(Letter("ndpa-v1", "RI", BREACH).facts) | change)
    terms = effective_terms(CATALOGUE, "ndpa-v1", "RI")
    text = compose(facts, ADDRESSING).text
    assert problem in list(problems(text, facts, terms, "RI", CATALOGUE, load_default_texts()))


def test_counsel_would_miss_what_a_letter_does_not_say() -> None:
    letter = Letter("ndpa-v1", "RI", BREACH)
    terms = effective_terms(CATALOGUE, "ndpa-v1", "RI")
    text = written(letter).text.replace(SENDER.signatory.title, "").replace(letter.facts.elements[0].label, "")
    found = list(problems(text, letter.facts, terms, "RI", CATALOGUE, load_default_texts()))
    assert len(found) == 2
    assert found[0].startswith("It does not say who signed")
    assert found[1].startswith("It does not say an element")


@pytest.mark.parametrize("letter", LETTERS, ids=by_name)
def test_no_notice_falls_back_on_the_words_for_other_clauses(letter: Letter) -> None:
    # A clause that a notice performs has words of its own: config/notices/clauses/<its id>.j2, with the macros matter,
    # happened and asked.
    assert (TEMPLATES / "clauses" / f"{letter.clause}.j2").is_file()


def test_a_clause_that_an_agreement_adds_by_itself_has_plain_words() -> None:
    own = Clause(id="breach.drill", provision=("Exhibit H, item 2: the provider tells of each drill.",))
    text = compose(CONFIRMED_NOTICE.model_copy(update={"clauses": (own,)}), ADDRESSING).text
    assert text.startswith("NOTICE OF A MATTER UNDER OUR AGREEMENT\n")
    assert "Exhibit H, item 2: the provider tells of each drill." in text


def test_rhode_island_tells_at_once_how_to_file_a_police_report() -> None:
    text = written(Letter("ndpa-v1", "RI", BREACH)).text
    assert "Police report: an affected parent, legal guardian, staff member or" in text
    assert "Rhode Island Attorney General, consumer protection:" in text
    assert "Equifax: 1-888-298-0045" in text
    follow = text.partition("What will follow")[2].partition("The provision")[0]
    assert follow.count("  - ") == 1, "what was done is not known yet"


@pytest.mark.parametrize("letter", LETTERS, ids=by_name)
def test_where_the_terms_want_a_person_named_one_is(letter: Letter) -> None:
    named = {"parent_contact": SENDER.parents_contact.name, "provider_point_of_contact": "Robin Example, robin@"}
    for element in letter.facts.elements:
        if element.id in named:
            assert (element.status, named[element.id] in (element.value or "")) == (ElementStatus.KNOWN, True)


def test_an_initial_notice_says_that_nothing_is_confirmed_and_the_next_refers_to_it() -> None:
    initial, following = (written(Letter("ndpa-v1", "VA", clause)).text for clause in (INITIAL, BREACH))
    assert "the breach is suspected, and not" in initial
    assert "confirmed a data" not in initial
    assert "gave you initial notice of it, when it" in following
    assert "this notice follows that one" in following


def test_one_message_for_two_clauses_cites_both() -> None:
    text = written(Letter("ndpa-v1", "VA", BREACH, also=INITIAL)).text
    assert "this notice follows" not in text
    assert "[NDPA v1, Article V, Section 4(1)(i); Exhibit G (Virginia), item 4]" in text
    assert "under these provisions of the agreement" in text


@pytest.mark.parametrize(
    ("state", "cited", "not_cited"),
    [
        ("IL", ("Article V, Section 4", "item 13"), ()),
        ("NY", ("item 14",), ("item 6:", "item 7:")),
        ("NH", ("Article V, Section 4", "item 8"), ("item 1:",)),
        ("RI", ("Article V, Section 4", "item 6"), ()),
        ("MO", ("item 4(a)",), ("Article V, Section 4:",)),
    ],
)
def test_the_provision_is_what_set_the_duty_and_what_bears_on_the_case(
    state: str, cited: tuple[str, ...], not_cited: tuple[str, ...]
) -> None:
    (clause,) = Letter("ndpa-v1", state, BREACH).facts.clauses
    assert len(clause.provision) == len(cited)
    for sentence, where in zip(clause.provision, cited, strict=True):
        assert f", {where}: " in sentence
        assert not any(f", {where}" in sentence for where in not_cited)


@pytest.mark.parametrize(("state", "says"), [("IL", "under these provisions of"), ("TN", "under this provision of")])
def test_provisions_are_as_many_as_are_cited(state: str, says: str) -> None:
    assert says in " ".join(written(Letter("ndpa-v1", state, BREACH)).text.split())


def test_the_parts_that_restate_the_terms_are_told_from_the_senders_own_words() -> None:
    text = written(Letter("ndpa-v1", "RI", BREACH)).text
    assert "the provider notifies the LEA" in " ".join(text.split())
    assert "the provider notifies the LEA" not in " ".join(own_words(text).split())


def test_nothing_is_previewed_under_a_clause_that_no_notice_performs() -> None:
    with pytest.raises(InvalidInput, match=r"No notice performs disposition\.request"):
        demonstrate(CATALOGUE, SENDER, "ndpa-v1", "VA", "disposition.request")
    with pytest.raises(InvalidInput, match="lacks nothing"):
        demonstrate(CATALOGUE, SENDER, "ndpa-v2", "OR", "framework.change", kind=NoticeKind.SUPPLEMENT)


def test_a_districts_own_notice_speaks_as_the_district() -> None:
    facts = demonstrate(CATALOGUE, SENDER, "ndpa-v1", "IL", "breach.lea-notice")
    assert effective_terms(CATALOGUE, "ndpa-v1", "IL").clause("breach.lea-notice").owed_by is Party.LEA
    assert (facts.sender.organisation, facts.reader) == (facts.agreement.lea, SENDER.organisation)


def told(clause: str, state: str, **changed: Any) -> str:
    """What a notice of Version 1 says, in one line, where the draft of the demonstration is changed."""
    draft = replace(demonstrated_draft(CATALOGUE, SENDER, "ndpa-v1", state, clause), **changed)
    return " ".join(compose(write_facts(draft, CATALOGUE, load_default_texts()), ADDRESSING).text.split())


def days(**days: date) -> dict[str, AnchorValue]:
    return {name: AnchorValue(name=name, first_day=day) for name, day in days.items()}


JULY_20 = datetime(2026, 7, 20, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("planned", "says"),
    [
        ({}, "plan to dispose of it, and not before Wednesday, August 19, 2026."),
        ({"disposal": date(2026, 10, 10)}, "plan to dispose of it, and not before Saturday, October 10, 2026."),
        ({"disposal": date(2026, 8, 1)}, "plan to dispose of it, and not before Wednesday, August 19, 2026."),
    ],
    ids=["nobody planned a day", "a later day", "a day that the notice comes too late for"],
)
def test_a_prior_notice_names_the_first_day_that_it_leaves(planned: dict[str, date], says: str) -> None:
    assert says in told("disposition.prior-notice", "RI", anchors=days(**planned), noticed_at=JULY_20)


def test_how_long_a_prior_notice_leaves_where_no_clause_says_so_is_the_installations() -> None:
    own = Defaults(prior_notice_days=45)
    assert "not before Thursday, September 3, 2026." in told(
        "disposition.prior-notice", "RI", anchors={}, noticed_at=JULY_20, defaults=own
    )


def test_a_disclosure_that_was_to_be_made_before_the_notice_is_not_told_as_one_to_come() -> None:
    earlier, later = days(disclosure=date(2026, 7, 1)), days(disclosure=date(2026, 7, 21))
    past = told("disclosure.notice", "NY", anchors=earlier, noticed_at=JULY_20, delay=Delay.TOLD)
    assert "The disclosure was to be made on Wednesday, July 1, 2026. We were directed not to tell you" in past
    assert "before then" not in past
    ahead = told("disclosure.notice", "NY", anchors=later, noticed_at=JULY_20)
    assert "The disclosure is to be made on Tuesday, July 21, 2026. Please tell us before then" in ahead


def test_a_change_of_control_lies_ahead_until_its_day_begins_at_the_district() -> None:
    at_night = datetime(2026, 10, 1, 3, tzinfo=UTC)  # still 30 September in Virginia
    assert "is planned to pass to a successor on Thursday, October 1, 2026" in told(
        "successor.notice", "VA", anchors=days(closing=date(2026, 10, 1)), noticed_at=at_night
    )


@pytest.mark.parametrize(
    ("state", "yours"),
    [
        ("NH", "your students' or teachers' data"),
        ("NY", "your students' data or APPR data"),
        ("MA", "your students' data"),
    ],
)
def test_a_notice_claims_no_more_of_whose_data_it_is_than_the_terms_protect(state: str, yours: str) -> None:
    assert Letter("ndpa-v1", state, BREACH).facts.data.yours == yours
    assert written(Letter("ndpa-v1", state, BREACH)).subject.startswith(f"Notice of a data breach affecting {yours}: ")


def test_what_follows_an_initial_notice_calls_the_breach_suspected_as_that_did() -> None:
    suspected = Letter("ndpa-v1", "VA", INITIAL, NoticeKind.SUPPLEMENT).facts
    assert suspected.follows
    confirmed = AnchorValue(name="confirmed", instant=suspected.follows.given_at + timedelta(hours=2))
    since = suspected.model_copy(update={"anchors": (*suspected.anchors, confirmed)})
    assert "we gave you notice of a suspected data breach" in " ".join(compose(since, ADDRESSING).text.split())


def test_an_end_of_the_service_agreement_is_not_told_as_that_of_the_agreement() -> None:
    assert "The service agreement between us has ended. The student data" in told(
        "disposition.certification", "RI", anchors=days(service_ended=date(2026, 6, 30))
    )


def test_a_certificate_after_a_directive_speaks_of_no_end_and_claims_no_more_than_was_directed() -> None:
    text = told("disposition.certification", "NY", anchors=days(disposal_requested=date(2026, 6, 30)))
    assert "THE END" not in text
    assert "to dispose of student data or APPR data that we held for you. That is disposed of as" in text


def test_who_asks_for_social_security_numbers_says_that_nobody_has_to_give_one() -> None:
    assert "A parent or student may elect not to give one" in told("data.social-security-numbers", "ME")


def test_what_is_known_in_part_is_not_said_to_be_unknown() -> None:
    assert "We cannot give you the following in full yet." in " ".join(
        written(Letter("ndpa-v1", "RI", BREACH)).text.split()
    )


def test_a_date_that_is_not_known_is_not_said() -> None:
    undated = CONFIRMED_NOTICE.model_copy(update={"anchors": (AnchorValue(name="confirmed"),)})
    text = " ".join(compose(undated, ADDRESSING).text.split())
    assert "We tell you of a data breach that affects student data" in text
