"""What recurs: each occurrence is counted from the due date before, and says so."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import InvalidInput
from terms.cases import case_files
from terms.catalogue import load_catalogue
from terms.clauses import Change, OtherLimit, Step
from terms.clock import zone_of
from terms.duties import OVERDUE, DueDuty, duties_for
from terms.effective import Amendment, EffectiveClause, EffectiveTerms, effective_terms
from terms.limits import MONTHS

CATALOGUE = load_catalogue()
ON = date(2026, 11, 21)
CHICAGO = "America/Chicago"
UPDATE = "subcontractors.list-update"
UNHURRIED = settings(deadline=None)
"""The first count of a year reads its holidays, which takes longer than all the others."""
COVERED = [(form, state) for form in CATALOGUE.forms for state in (None, *CATALOGUE.states(form))]


def terms_of(form: str, state: str | None, *amendments: Amendment) -> EffectiveTerms:
    return effective_terms(CATALOGUE, form, state, amendments=amendments, on=ON)


ILLINOIS = terms_of("ndpa-v1", "IL")
RECURRING = [
    (terms, clause)
    for form, state in COVERED
    for terms in [effective_terms(CATALOGUE, form, state, choices=CATALOGUE.words.choices, on=ON)]
    for clause in terms.clauses.values()
    if clause.recurs
]


def counted(terms: EffectiveTerms, clause: str, wanted: int, executed: datetime | date) -> list[DueDuty]:
    event = clause.partition(".")[0]
    duties = duties_for(terms, event, {"executed": executed}, zone=CHICAGO, occurrences={clause: wanted})
    return [duty for duty in duties if duty.clause == clause]


def with_limit(limit: str, *sooner: str) -> EffectiveTerms:
    """Illinois with another limit agreed for the update of the list."""
    change = Change(
        citation="Signed amendment",
        says="at other intervals.",
        limit=limit,
        or_sooner=tuple(OtherLimit(limit=other, source="state law") for other in sooner),
    )
    agreed = Amendment(clause=UPDATE, step=Step(amends=change), effective=date(2026, 1, 1), entered_by="counsel")
    return terms_of("ndpa-v1", "IL", agreed)


def test_days_of_the_year_come_round_in_turn() -> None:
    duties = counted(ILLINOIS, UPDATE, 4, date(2026, 2, 10))
    assert [duty.due_local for duty in duties] == [
        "2026-07-01T23:59:59-05:00",
        "2027-01-01T23:59:59-06:00",
        "2027-07-01T23:59:59-05:00",
        "2028-01-01T23:59:59-06:00",
    ]
    assert [duty.occurrence for duty in duties] == [1, 2, 3, 4]
    assert {duty.anchor for duty in duties} == {"executed"}
    assert all(later.starts_at == earlier.due_at for earlier, later in pairwise(duties))


def test_a_later_occurrence_explains_itself() -> None:
    first, second = counted(ILLINOIS, UPDATE, 2, date(2026, 2, 10))
    assert second.why[:-2] == first.why[:-1]
    assert second.why[-2:] == (
        "This is occurrence 2 of a duty that recurs, counted from the due date of the one before it.",
        "Due date before Wed 1 Jul 2026, 23:59:59 CDT; the next 1 July or 1 January; "
        "due Fri 1 Jan 2027, 23:59:59 CST (Sat 2 Jan 2027, 05:59:59 UTC).",
    )


def test_one_occurrence_is_given_unless_more_are_wanted() -> None:
    duties = duties_for(ILLINOIS, "subcontractors", {"executed": date(2026, 2, 10)}, zone=CHICAGO)
    assert [(duty.clause, duty.occurrence) for duty in duties] == [("subcontractors.list", 1), (UPDATE, 1)]


def test_what_does_not_recur_has_one_occurrence_whatever_is_wanted() -> None:
    [once] = counted(ILLINOIS, "subcontractors.list", 5, date(2026, 2, 10))
    assert once.occurrence == 1
    assert not once.recurs


def test_occurrences_of_other_terms_are_passed_over() -> None:
    asked = {"executed": date(2026, 2, 10)}
    wanted = {"audit.annual": 3}
    assert duties_for(ILLINOIS, "subcontractors", asked, zone=CHICAGO, occurrences=wanted) == duties_for(
        ILLINOIS, "subcontractors", asked, zone=CHICAGO
    )


def test_each_pending_occurrence_waits_for_the_same_date() -> None:
    duties = duties_for(ILLINOIS, "subcontractors", {}, zone=CHICAGO, occurrences={UPDATE: 2})
    pending = [duty for duty in duties if duty.clause == UPDATE]
    assert [(duty.status, duty.occurrence, duty.due_at) for duty in pending] == [
        ("pending", 1, None),
        ("pending", 2, None),
    ]
    assert all("no date is given for executed" in duty.why[-1] for duty in pending)


def test_each_occurrence_is_overdue_by_itself() -> None:
    now = datetime(2027, 3, 1, tzinfo=UTC)
    duties = duties_for(
        ILLINOIS, "subcontractors", {"executed": date(2026, 2, 10)}, zone=CHICAGO, now=now, occurrences={UPDATE: 3}
    )
    late = [OVERDUE in duty.flags for duty in duties if duty.clause == UPDATE]
    assert late == [True, True, False]


@pytest.mark.parametrize("wanted", [0, -1])
def test_fewer_than_one_occurrence_is_refused(wanted: int) -> None:
    with pytest.raises(InvalidInput, match="were asked for"):
        counted(ILLINOIS, UPDATE, wanted, date(2026, 2, 10))


@pytest.mark.parametrize("limit", ["1 year", "1 July and 1 January", "400 days", "400 hours"])
def test_occurrences_that_leave_the_calendar_are_refused(limit: str) -> None:
    with pytest.raises(InvalidInput, match="too near"):
        counted(with_limit(limit), UPDATE, 20_000, datetime(9990, 1, 1, tzinfo=UTC))


@UNHURRIED
@given(
    st.sampled_from(RECURRING),
    st.one_of(
        st.dates(date(2024, 1, 1), date(2031, 1, 1)),
        st.datetimes(datetime(2024, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC)),
    ),
    st.integers(1, 8),
)
def test_due_instants_of_every_recurring_clause_strictly_increase(
    recurring: tuple[EffectiveTerms, EffectiveClause], executed: datetime | date, wanted: int
) -> None:
    terms, clause = recurring
    duties = counted(terms, clause.id, wanted, executed)
    _check_in_order(duties, wanted)


YEARLY = st.lists(
    st.tuples(st.integers(1, 28), st.sampled_from(MONTHS)).map(lambda day: f"{day[0]} {day[1]}"),
    min_size=1,
    max_size=3,
).map(" and ".join)
AMOUNTS = st.tuples(
    st.integers(1, 40), st.sampled_from(["hours", "days", "business days", "school days", "years"])
).map(lambda amount: f"{amount[0]} {amount[1]}")


@UNHURRIED
@given(
    st.one_of(AMOUNTS, YEARLY),
    st.lists(AMOUNTS, max_size=1),
    st.datetimes(datetime(2024, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC)),
    st.integers(1, 6),
)
def test_due_instants_strictly_increase_whatever_the_limit(
    limit: str, sooner: list[str], executed: datetime, wanted: int
) -> None:
    _check_in_order(counted(with_limit(limit, *sooner), UPDATE, wanted, executed), wanted)


def _check_in_order(duties: list[DueDuty], wanted: int) -> None:
    assert [duty.occurrence for duty in duties] == list(range(1, wanted + 1))
    instants = [duty.due_at for duty in duties if duty.due_at]
    assert len(instants) == wanted
    assert all(earlier < later for earlier, later in pairwise(instants))
    assert all(
        duty.due_local == at.astimezone(zone_of(CHICAGO)).isoformat() for duty, at in zip(duties, instants, strict=True)
    )


def test_every_clause_that_recurs_has_a_case_of_its_later_occurrences() -> None:
    shown = {clause for _, file in case_files(CATALOGUE) for case in file.content.cases for clause in case.later}
    assert shown == {clause.id for _, clause in RECURRING}
