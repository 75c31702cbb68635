"""Dates that cannot all be true are refused, and those that hardly are, are asked about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from cases.acts import Add, SetDate
from cases.breach import BREACH, Confirm
from cases.kind import Kind
from cases.plausibility import check_order, dates_of_act, dates_of_intake, doubts, require_meant
from cases.values import AgreementName, AnchorValue
from models.errors import DoubtfulDates, InvalidInput
from tests.support.incidents import incident

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def at(name: str, instant: datetime) -> AnchorValue:
    return AnchorValue(name=name, instant=instant)


def known(*anchors: AnchorValue) -> dict[str, AnchorValue]:
    return {anchor.name: anchor for anchor in anchors}


@pytest.mark.parametrize("later", ["discovered", "reasonably_expected", "confirmed"])
def test_nothing_is_found_before_the_breach_occurred(later: str) -> None:
    given = {"field": at(later, NOW - 2 * DAY)}
    with pytest.raises(InvalidInput, match="before the breach occurred") as refused:
        check_order(BREACH, given, known(at("occurred", NOW - DAY)), NOW)
    assert refused.value.where == "field"


def test_the_occurrence_is_refused_where_what_is_known_came_before() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_order(BREACH, {"instant": at("occurred", NOW)}, known(at("discovered", NOW - DAY)), NOW)
    assert refused.value.where == "instant"


def test_a_day_is_before_an_instant_only_if_it_is_over_everywhere() -> None:
    occurred = AnchorValue(name="occurred", first_day=date(2026, 3, 7))
    check_order(BREACH, {"field": at("discovered", datetime(2026, 3, 6, 11, tzinfo=UTC))}, known(occurred), NOW)
    with pytest.raises(InvalidInput):
        check_order(BREACH, {"field": at("discovered", datetime(2026, 3, 6, 9, tzinfo=UTC))}, known(occurred), NOW)


def test_what_lies_in_the_future_is_refused_for_that_alone() -> None:
    check_order(BREACH, {"field": at("occurred", NOW + DAY)}, known(at("discovered", NOW)), NOW)


@pytest.mark.parametrize(
    ("name", "instant", "about"),
    [
        ("confirmed", NOW - 364 * DAY - timedelta(seconds=1), ["confirmed long-ago"]),
        ("confirmed", NOW - 364 * DAY, []),
        ("confirmed", NOW.replace(year=NOW.year - 1), ["confirmed long-ago"]),
        ("confirmed", NOW + 365 * DAY, []),
        ("planned", NOW + 365 * DAY, ["planned far-ahead"]),
        ("planned", NOW + 300 * DAY, []),
    ],
)
def test_a_year_mistyped_by_one_is_asked_about(name: str, instant: datetime, about: list[str]) -> None:
    kind = replace(BREACH, ahead=frozenset({"planned"}))
    assert [doubt.name for doubt in doubts(kind, {"field": at(name, instant)}, {}, NOW)] == about


def test_an_expectation_after_the_confirmation_or_before_the_discovery_is_asked_about() -> None:
    given = {"field": at("reasonably_expected", NOW - DAY)}
    assert [d.name for d in doubts(BREACH, given, known(at("confirmed", NOW - 2 * DAY)), NOW)] == [
        "confirmed before reasonably_expected"
    ]
    assert [d.name for d in doubts(BREACH, given, known(at("discovered", NOW)), NOW)] == [
        "reasonably_expected before discovered"
    ]
    usual = known(at("discovered", NOW - 2 * DAY), at("confirmed", NOW))
    assert doubts(BREACH, given, usual, NOW) == ()


def test_any_kind_says_what_comes_before_what() -> None:
    kind = Kind(name="x", label="disposal", event="x", intake=BREACH.intake, workflow="", order=(("asked", "done"),))
    with pytest.raises(InvalidInput, match="before the disposal asked"):
        check_order(kind, {"done_at": at("done", NOW - DAY)}, known(at("asked", NOW)), NOW)


def test_what_is_hardly_meant_has_to_be_confirmed_and_is_named() -> None:
    found = doubts(BREACH, {"confirmed_at": at("confirmed", NOW - 400 * DAY)}, {}, NOW)
    with pytest.raises(DoubtfulDates) as asked:
        require_meant(found, confirmed=False)
    assert [problem.where for problem in asked.value.problems] == ["confirmed_at"]
    assert require_meant(found, confirmed=True) == ("confirmed long-ago",)
    assert require_meant((), confirmed=False) == ()


def test_every_act_that_gives_a_date_names_it_and_its_field() -> None:
    instant = at("confirmed", NOW)
    assert dates_of_act(BREACH, Confirm(confirmed_at=NOW)) == {"confirmed_at": instant}
    assert dates_of_act(BREACH, SetDate(name="confirmed", instant=NOW)) == {"instant": instant}
    assert dates_of_act(BREACH, Add(involved_at=NOW)) == {"involved_at": instant}
    assert dates_of_act(BREACH, Add()) == {}
    one = AgreementName.model_validate("TN-001")
    day = SetDate(name="occurred", first_day=NOW.date(), agreement=one)
    assert list(dates_of_act(BREACH, day)) == ["first_day"]


def test_an_intake_names_its_dates_by_its_fields() -> None:
    given = dates_of_intake(incident("TN-001", expected=NOW, confirmed=NOW))
    assert list(given) == ["occurred", "reasonably_expected_at", "discovered_at", "confirmed_at"]
