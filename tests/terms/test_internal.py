"""Internal due dates: counted back as clauses count back, never law, and refused in a sentence where they are wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.defaults import Defaults
from terms.calendars import SchoolCalendar
from terms.catalogue import load_catalogue
from terms.clock import zone_of
from terms.duties import DueDuty, duties_for
from terms.effective import EffectiveTerms, effective_terms
from terms.errors import InternalDatesError
from terms.internal import NO_LEAD_TIMES, UNITS, InternalDate, LeadTimes, internal_date, read_lead_times
from terms.limits import Limit, Unit, parse_limit

CATALOGUE = load_catalogue()
ON = date(2026, 11, 30)
CHICAGO = "America/Chicago"
BREACH = datetime(2026, 3, 6, 22, 15, tzinfo=UTC)


def terms_of(form: str, state: str | None) -> EffectiveTerms:
    return effective_terms(CATALOGUE, form, state, on=ON)


ILLINOIS = terms_of("ndpa-v1", "IL")
VERMONT = terms_of("ndpa-v1", "VT")


def ahead(clause: str, lead: str) -> LeadTimes:
    return LeadTimes({clause: parse_limit(f"{lead} before")})


def duty_under(
    terms: EffectiveTerms, clause: str, calendar: SchoolCalendar | None = None, **anchors: datetime | date
) -> DueDuty:
    event = clause.partition(".")[0]
    found = duties_for(terms, event, anchors, zone=CHICAGO, calendar=calendar)
    return next(duty for duty in found if duty.clause == clause)


def counted(
    terms: EffectiveTerms, clause: str, lead: str, calendar: SchoolCalendar | None = None, **anchors: datetime | date
) -> InternalDate:
    duty = duty_under(terms, clause, calendar, **anchors)
    found = internal_date(duty, ahead(clause, lead), terms, zone=CHICAGO, calendar=calendar)
    assert found
    assert duty.due_at
    assert found.due_at <= duty.due_at
    return found


def day(found: InternalDate) -> date:
    """The day in whose last second it lies, in the LEA's zone."""
    local = found.due_at.astimezone(zone_of(CHICAGO))
    assert (local.hour, local.minute, local.second) == (23, 59, 59)
    return local.date()


class TestCountingBack:
    def test_hours_are_elapsed_hours_also_over_a_change_of_clocks(self) -> None:
        found = counted(ILLINOIS, "breach.notice", "24 hours", confirmed=BREACH)
        assert found.due_at == BREACH + timedelta(hours=48), "clocks changed in the night to 8 March"

    def test_business_days_leave_out_weekends_and_holidays(self) -> None:
        # Executed on Tuesday 26 May 2026, so due five business days later, on Tuesday 2 June.
        found = counted(ILLINOIS, "subcontractors.list", "3 business days", executed=date(2026, 5, 26))
        assert day(found) == date(2026, 5, 28)
        # Executed on Wednesday 20 May, due on Thursday the 28th: the 25th is Memorial Day.
        found = counted(ILLINOIS, "subcontractors.list", "3 business days", executed=date(2026, 5, 20))
        assert day(found) == date(2026, 5, 22)
        assert "Mon 25 May 2026 (Memorial Day)" in found.why

    def test_days_count_the_29th_of_february(self) -> None:
        # Asked for on 1 January 2028: due on 1 March, and three days before that is 27 February.
        found = counted(terms_of("ndpa-v1", None), "disposition.request", "3 days", disposal_requested=date(2028, 1, 1))
        assert day(found) == date(2028, 2, 27)
        # The 29th itself, where the day before that of the due date is meant.
        found = counted(terms_of("ndpa-v1", None), "disposition.request", "1 day", disposal_requested=date(2028, 1, 1))
        assert day(found) == date(2028, 2, 29)

    def test_school_days_leave_out_a_break(self) -> None:
        closed = frozenset(date(2026, 3, 23) + timedelta(days=n) for n in range(5))
        calendar = SchoolCalendar(date(2025, 8, 20), date(2026, 6, 5), closed, "")
        # The disclosure is on Wednesday 8 April: notice is due on 1 April, and two school days before are in March.
        found = counted(ILLINOIS, "disclosure.notice", "3 school days", calendar, disclosure=date(2026, 4, 8))
        assert day(found) == date(2026, 3, 20)
        assert "Mon 23 Mar 2026 to Fri 27 Mar 2026 (no school)" in found.why

    def test_without_a_school_calendar_business_days_stand_in_and_it_says_so(self) -> None:
        found = counted(ILLINOIS, "disclosure.notice", "3 school days", disclosure=date(2026, 4, 8))
        assert day(found) == date(2026, 3, 27)
        assert "business days stand in" in found.why

    def test_a_calendar_that_does_not_reach_so_far_back_changes_nothing_of_the_law(self) -> None:
        calendar = SchoolCalendar(date(2026, 3, 31), date(2026, 6, 5), frozenset(), "")
        lawful = duty_under(ILLINOIS, "disclosure.notice", calendar, disclosure=date(2026, 4, 8))
        assert "no-school-calendar" not in lawful.flags
        found = counted(ILLINOIS, "disclosure.notice", "3 school days", calendar, disclosure=date(2026, 4, 8))
        assert day(found) == date(2026, 3, 27)
        assert "business days stand in" in found.why


class TestWhatItNeverDoes:
    def test_it_is_never_before_the_clock_starts(self) -> None:
        # A hold was lifted late, so that 24 hours are left: a lead of 48 hours is more than there is.
        lifted = BREACH + timedelta(days=10)
        found = counted(ILLINOIS, "breach.notice", "48 hours", confirmed=BREACH, hold_lifted=lifted)
        assert found.due_at == lifted
        assert "it is to be done at once" in found.why

    def test_it_is_never_before_the_day_from_which_on_a_duty_may_be_performed(self) -> None:
        # Terminated on 1 June, so due on 31 July; the prior notice was given on 25 June, and has run on 25 July.
        terms = terms_of("ndpa-v1", None)
        facts: dict[str, Any] = {"terminated": date(2026, 6, 1), "notice_given": datetime(2026, 6, 25, 15, tzinfo=UTC)}
        duty = duty_under(terms, "disposition.termination", **facts)
        assert duty.earliest_at == datetime(2026, 7, 25, 5, tzinfo=UTC)
        found = internal_date(duty, ahead("disposition.termination", "10 days"), terms, zone=CHICAGO)
        assert found
        assert found.due_at == duty.earliest_at

    def test_a_clause_that_counts_back_from_what_lies_ahead_has_no_start_to_stop_at(self) -> None:
        found = counted(ILLINOIS, "disclosure.notice", "10 days", disclosure=date(2026, 4, 8))
        assert day(found) == date(2026, 3, 22)

    def test_it_is_said_to_be_a_setting_and_no_law(self) -> None:
        found = counted(ILLINOIS, "breach.notice", "24 hours", confirmed=BREACH)
        assert found.why == (
            "Internal due date, a setting of this installation and no law: 24 hours counted back; "
            "Sun 8 Mar 2026, 17:15 CDT."
        )

    def test_without_a_lead_time_a_clock_or_anything_to_do_there_is_none(self) -> None:
        duty = duty_under(ILLINOIS, "breach.notice", confirmed=BREACH)
        assert internal_date(duty, NO_LEAD_TIMES, ILLINOIS, zone=CHICAGO) is None
        assert internal_date(duty, ahead("breach.family-notice", "3 hours"), ILLINOIS, zone=CHICAGO) is None
        pending = duty_under(ILLINOIS, "breach.notice")
        assert internal_date(pending, ahead("breach.notice", "3 hours"), ILLINOIS, zone=CHICAGO) is None
        by_time = duty_under(VERMONT, "term.expiry", executed=date(2026, 1, 5))
        assert by_time.due_at
        assert internal_date(by_time, ahead("term.expiry", "3 days"), VERMONT, zone=CHICAGO) is None

    @settings(deadline=None)
    @given(amount=st.integers(1, 400), unit=st.sampled_from(UNITS), on=st.dates(date(2020, 1, 1), date(2035, 1, 1)))
    def test_whatever_the_lead_time_it_lies_between_start_and_due_instant(
        self, amount: int, unit: Unit, on: date
    ) -> None:
        duty = duty_under(ILLINOIS, "disposition.request", disposal_requested=on)
        leads = LeadTimes({duty.clause: Limit(amount, unit, before=True)})
        found = internal_date(duty, leads, ILLINOIS, zone=CHICAGO)
        assert found
        assert duty.starts_at
        assert duty.due_at
        assert duty.starts_at <= found.due_at <= duty.due_at

    def test_in_the_first_year_that_can_be_counted_there_is_none_and_the_law_is_counted_all_the_same(self) -> None:
        duty = duty_under(ILLINOIS, "disclosure.notice", disclosure=date(1, 1, 20))
        assert duty.due_at
        assert internal_date(duty, ahead(duty.clause, "300 days"), ILLINOIS, zone=CHICAGO) is None


def read(folder: Path, text: str) -> LeadTimes:
    path = folder / "internal.yaml"
    path.write_text(text, encoding="utf-8")
    return read_lead_times(path, CATALOGUE, Defaults(), ON)


def test_a_file_gives_one_lead_time_a_clause(tmp_path: Path) -> None:
    found = read(
        tmp_path, "breach.notice: 24 hours\nsubcontractors.list: 1 business day\ndisposition.request: 2 days\n"
    )
    assert found == LeadTimes(
        {
            "breach.notice": Limit(24, "hours", before=True),
            "subcontractors.list": Limit(1, "business days", before=True),
            "disposition.request": Limit(2, "days", before=True),
        }
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("breach.notise: 24 hours", "breach.notise: there is no such clause; did you mean breach.notice?"),
        ("nothing.like-it: 24 hours", "nothing.like-it: there is no such clause."),
        (
            "breach.notice: -24 hours",
            "breach.notice: an internal date lies ahead of the due date, so the lead time '-24 hours' makes no sense.",
        ),
        (
            "breach.notice: 0 days",
            "breach.notice: an internal date lies ahead of the due date, so the lead time '0 days' makes no sense.",
        ),
        (
            "breach.notice: 2 busness days",
            "breach.notice: 'busness days' is no unit of a lead time; did you mean business days?",
        ),
        (
            "breach.notice: 2 fortnights",
            "breach.notice: 'fortnights' is no unit of a lead time; the units are hours, days, business days, "
            "school days.",
        ),
        ("breach.notice: 24", "breach.notice: 24 has no unit; the units are hours, days, business days, school days."),
        (
            "breach.notice: soon",
            "breach.notice: the lead time 'soon' cannot be read: write, for example, 24 hours or 5 business days.",
        ),
        (
            "breach.notice: 72 hours",
            "breach.notice: 72 hours ahead leave nothing of the clause's own time, at most 72 hours.",
        ),
        (
            "audit.notice: 15 days",
            "audit.notice: 15 days ahead leave nothing of the clause's own time, at most 10 business days.",
        ),
        (
            "offer.withdrawal: 2 days",
            "offer.withdrawal: 2 days ahead leave nothing of the clause's own time, at most on the day.",
        ),
        (
            "breach.definition: 2 days",
            "breach.definition: the clause sets no due date that an internal one could lie ahead of.",
        ),
        ("term.expiry: 2 days", "term.expiry: the passing of time performs it, so nothing is to be done ahead."),
        ("breach.notice: [24]", "'breach.notice' has a wrong value: Input should be a valid string."),
        ("", "the file is empty."),
        ("breach.notice: 24 hours\nbreach.notice: 12 hours", "the key 'breach.notice' is given twice."),
        ("breach.notice: [24", "this is not YAML: did not find expected ',' or ']'."),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InternalDatesError) as refused:
        read(tmp_path, text)
    assert refused.value.message == says
    assert refused.value.where
    assert refused.value.where.startswith(str(tmp_path / "internal.yaml"))


def test_a_file_that_is_not_there_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(InternalDatesError, match="the file cannot be read"):
        read_lead_times(tmp_path / "none.yaml", CATALOGUE, Defaults(), ON)


def test_all_that_is_wrong_is_said_at_once_each_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InternalDatesError) as refused:
        read(tmp_path, "breach.notice: 24 hours\nterm.expiry: 2 days\nbreach.notise: 2 days\n")
    assert [problem.line for problem in refused.value.problems] == [2, 3]


def test_a_clause_that_counts_back_takes_any_lead_time(tmp_path: Path) -> None:
    assert read(tmp_path, "disclosure.notice: 30 days") == ahead("disclosure.notice", "30 days")
