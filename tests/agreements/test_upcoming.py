"""What is coming by the agreements' own dates: derived, kept up to date, and never claimed to be done or missed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import select

from agreements.importing import import_agreements
from agreements.life import record_life
from agreements.upcoming import Dated, Derivation, derive_upcoming, every_agreement, next_duties, terms_of
from agreements.upcoming_terms import ending_terms, note_reminded
from config.database import Database
from models.enums import EndedBy, LifeAct, Party
from models.errors import InvalidInput, NotFound
from models.identifiers import agreement_id
from models.tables import UpcomingDuty
from queries.agreement_clauses import ClauseView, read_clauses
from queries.upcoming import Coming, Looking, UpcomingView, read_upcoming
from terms.calendars import anniversary
from terms.catalogue import load_catalogue
from terms.internal import NO_LEAD_TIMES, LeadTimes
from terms.limits import STANDARD_DEFAULTS, parse_limit

CATALOGUE = load_catalogue()
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HEADER = (
    "reference,form,lea_name,state,time_zone,executed_on,originally_signed_on,expires_on,terminated_on,choices,"
    "general_name,general_email"
)
ZONES = {"IL": "America/Chicago", "OR": "America/Los_Angeles", "CA": "America/Los_Angeles"}
FORMS = {"OR": "ndpa-v2", "CA": "ca-profile"}


def row(
    state: str, executed: str, *, original: str = "", expires: str = "", terminated: str = "", choices: str = ""
) -> str:
    zone = ZONES.get(state, "America/New_York")
    dates = ",".join((executed, original, expires, terminated, choices))
    return f"{state}-1,{FORMS.get(state, 'ndpa-v1')},{state} District,{state},{zone},{dates},Office,{state}@example.org"


def load(database: Database, *rows: str, now: datetime = NOW) -> None:
    text = "\n".join((HEADER, *rows))
    import_agreements(database, CATALOGUE, text, file_name="districts.csv", now=now, actor="officer")


def kept(database: Database) -> dict[str, datetime]:
    """What is kept as coming, by clause."""
    with database.reading() as session:
        return {one.clause: one.due_at for one in session.exec(select(UpcomingDuty))}


def derive(database: Database, now: datetime, leads: LeadTimes = NO_LEAD_TIMES) -> int:
    with database.writing() as session:
        return derive_upcoming(session, Derivation(CATALOGUE, STANDARD_DEFAULTS, now, leads), every_agreement(session))


def looking(side: Party = Party.PROVIDER) -> Looking:
    return Looking(CATALOGUE, side, timedelta(days=30))


def coming(
    database: Database, now: datetime = NOW, *, side: Party = Party.PROVIDER, **which: object
) -> list[UpcomingView]:
    return list(read_upcoming(database, looking(side), Coming(**which), now, limit=100)[0])  # type: ignore[arg-type]


def clauses(database: Database, reference: str, now: datetime = NOW) -> dict[str, ClauseView]:
    found = read_clauses(database, CATALOGUE, STANDARD_DEFAULTS, Party.PROVIDER, reference, now)
    return {view.clause: view for view in found}


def end_of(day: str, state: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(23, 59, 59), ZoneInfo(ZONES.get(state, "America/New_York")))


def test_what_an_agreements_own_dates_start_is_listed_with_its_next_date(database: Database) -> None:
    load(database, row("IL", "2025-03-12"))
    assert kept(database) == {
        "disposition.annual-review": end_of("2027-03-12", "IL"),
        "offer.expiry": end_of("2028-03-12", "IL"),
        "subcontractors.list-update": end_of("2027-01-01", "IL"),
    }
    (first,) = coming(database)
    assert (first.clause, first.due_local) == ("subcontractors.list-update", "Fri 1 Jan 2027, 23:59:59 CST")
    assert first.citation == "Exhibit G (Illinois), item 6"
    assert first.says.startswith(
        "No case is open about it yet; one is opened by itself on Wed 2 Dec 2026. The one before was due before"
    )
    assert not first.overdue


def test_what_was_due_before_the_agreement_was_known_is_neither_done_nor_overdue(database: Database) -> None:
    load(database, row("IL", "2025-03-12"))
    says = clauses(database, "IL-1")["subcontractors.list"].says
    assert says.startswith("It was due Wed 19 Mar 2025")
    assert says.endswith("before this installation knew the agreement; whether it was done is not known here.")


def test_what_is_due_on_the_day_the_agreement_became_known_is_not_passed_over(database: Database) -> None:
    last = datetime(2026, 11, 30, 23, 59, 59, tzinfo=ZoneInfo("America/Chicago"))
    load(database, row("IL", "2026-11-20"), now=last)
    assert kept(database)["subcontractors.list"] == last, "five business days over Thanksgiving end on that day"
    assert clauses(database, "IL-1", last)["subcontractors.list"].due_at == last


def test_what_nobody_has_seen_to_stays_and_is_overdue(database: Database) -> None:
    load(database, row("OR", "2026-01-21"))
    due = end_of("2027-01-21", "OR")
    for now, late in ((due, False), (due + timedelta(seconds=1), True)):
        derive(database, now)
        (audit,) = coming(database, now, clause="audit.annual")
        assert (audit.due_at, audit.overdue) == (due, late)


def test_the_first_of_january_counts_whatever_day_it_is(database: Database) -> None:
    load(database, row("IL", "2025-03-12"), now=datetime(2027, 12, 1, tzinfo=UTC))
    assert kept(database)["subcontractors.list-update"] == end_of("2028-01-01", "IL"), "a Saturday"


def test_a_year_from_a_leap_day_ends_on_28_february(database: Database) -> None:
    load(database, row("OR", "2024-02-29"))
    assert kept(database) == {"audit.annual": end_of("2027-02-28", "OR")}


def test_what_was_terminated_by_its_leas_link_has_nothing_coming_before_anybody_has_derived_that(
    database: Database,
) -> None:
    load(database, row("IL", "2025-03-12"))
    before = kept(database)
    with database.writing() as session:
        record_life(
            session,
            agreement_id("IL-1"),
            LifeAct.TERMINATE,
            on=NOW.date(),
            by=EndedBy.LEA,
            reason="The LEA said so by its link.",
            actor="lea",
            now=NOW,
        )
    assert (kept(database), coming(database)) == (before, [])


def test_rows_follow_their_agreement_and_go_with_it(database: Database) -> None:
    load(database, row("VA", "2025-02-12"))
    assert kept(database)["term.expiry"] == end_of("2028-02-12", "VA")
    load(database, row("VA", "2025-02-12", expires="2029-06-30"))
    assert kept(database)["term.expiry"] == end_of("2029-06-30", "VA"), "a renewal has a day of its own"
    assert kept(database)["disposition.termination"] == end_of("2029-08-29", "VA"), "60 days after that day"
    load(database, row("VA", "2025-02-12", expires="2029-06-30", terminated="2026-11-30"))
    assert kept(database) == {}
    assert clauses(database, "VA-1")["term.expiry"].says.startswith("The agreement has ended")


@pytest.mark.parametrize(("seconds", "lives"), [(0, True), (1, False)])
def test_an_agreement_lives_until_its_last_day_is_over(database: Database, seconds: int, lives: bool) -> None:
    load(database, row("VA", "2025-02-12"))
    derive(database, end_of("2028-02-12", "VA") + timedelta(seconds=seconds))
    assert ("term.expiry" in kept(database)) is lives
    assert kept(database)["disposition.termination"] == end_of("2028-04-12", "VA"), "what follows is not lost"


def test_deriving_again_changes_nothing(database: Database) -> None:
    load(database, row("IL", "2025-03-12"), row("NH", "2025-05-12", choices="alternative_security_standard"))
    assert "certification.annual" in kept(database)
    assert derive(database, NOW + timedelta(hours=1)) == 0


def test_what_is_coming_is_listed_by_its_internal_date_and_shows_both(database: Database) -> None:
    load(database, row("IL", "2025-03-12"), row("OR", "2026-01-21"))
    assert [one.clause for one in coming(database)] == ["subcontractors.list-update", "audit.annual"]
    # Due on Thursday 21 January: 12 business days before, over Martin Luther King's birthday and New Year's Day.
    leads = LeadTimes({"audit.annual": parse_limit("14 business days before")})
    assert derive(database, NOW, leads) == 1
    first, second = coming(database)
    assert (first.clause, second.clause) == ("audit.annual", "subcontractors.list-update")
    assert first.due_at == kept(database)["audit.annual"] == end_of("2027-01-21", "OR")
    assert first.internal_due_at == end_of("2026-12-30", "OR")
    assert (first.due_local, first.internal_local) == ("Thu 21 Jan 2027, 23:59:59 PST", "Wed 30 Dec 2026, 23:59:59 PST")
    assert "no law" in first.why[-1]
    assert "Fri 1 Jan 2027 (New Year's Day)" in first.why[-1]
    assert "opened by itself on Mon 30 Nov 2026" in first.says, "30 days before the internal date"
    assert not first.past_internal
    assert [one.id for one in coming(database, days=31)] == [first.id], "within a month of the internal date"
    (late,) = coming(database, end_of("2026-12-31", "OR"), clause="audit.annual")
    assert (late.past_internal, late.overdue) == (True, False)
    assert derive(database, NOW, leads) == 0
    assert derive(database, NOW) == 1, "the setting was taken away"
    assert all(one.internal_due_at is None for one in coming(database))


def test_pages_follow_each_other_by_internal_dates_too(database: Database) -> None:
    load(database, row("IL", "2025-03-12"), row("OR", "2026-01-21"), row("CA", "2026-06-01"), row("VA", "2025-02-12"))
    days = {"audit.annual": 60, "training.annual": 5, "disposition.annual-review": 90}
    derive(database, NOW, LeadTimes({clause: parse_limit(f"{count} days before") for clause, count in days.items()}))
    whole = [one.id for one in coming(database, days=2000)]
    found, after = [], ""
    for _ in whole:
        (item,), following = read_upcoming(database, looking(), Coming(days=2000, after=after), NOW, limit=1)
        found.append(item.id)
        after = following or ""
    assert (found, after) == (whole, "")


def test_rows_that_were_lost_or_altered_are_healed(database: Database) -> None:
    load(database, row("IL", "2025-03-12"), row("OR", "2026-01-21"))
    before = kept(database)
    with database.writing() as session:
        for one in session.exec(select(UpcomingDuty).where(UpcomingDuty.clause == "audit.annual")):
            session.delete(one)
    derive(database, NOW)
    assert kept(database) == before


def test_each_side_sees_what_it_owes_and_what_runs_out(database: Database) -> None:
    load(database, row("NY", "2026-11-30", original="2025-06-12"))
    assert [one.clause for one in coming(database, days=1)] == []
    owed = [one.clause for one in coming(database, side=Party.LEA, days=1)]
    assert sorted(owed) == ["lea-documents.bill-of-rights", "lea-documents.links", "lea-documents.policy"]
    assert {one.clause for one in coming(database, side=Party.LEA, days=1000)} >= {"offer.expiry"}


def test_every_clause_says_when_it_is_due_or_why_it_is_not(database: Database) -> None:
    load(database, row("IL", "2025-03-12"), row("OR", "2026-01-21"), row("CA", "2026-06-01"))
    for reference in ("IL-1", "OR-1", "CA-1"):
        for view in clauses(database, reference).values():
            assert view.due_at or len(view.says) > 10, view.clause
    says = clauses(database, "OR-1")
    assert says["addendum.objection"].says == (
        "Owed by the LEA. The clock has not started: no date is given for received (received)."
    )
    assert says["audit.government"].says == "No date: the text sets no time."
    assert says["addendum.products"].says == "No date: it is a rule."
    with pytest.raises(NotFound):
        clauses(database, "XX-1")


def test_pages_follow_each_other_by_key_without_gap_or_repetition(database: Database) -> None:
    load(database, row("IL", "2025-03-12"), row("OR", "2026-01-21"), row("CA", "2026-06-01"), row("VA", "2025-02-12"))
    whole = [one.id for one in coming(database, days=2000)]
    found, after = [], ""
    while True:
        items, following = read_upcoming(database, looking(), Coming(days=2000, after=after), NOW, limit=2)
        found += [one.id for one in items]
        if following is None:
            break
        after = following
    assert found == whole
    assert len(whole) > 5
    for nonsense in ("yesterday", "2026-11-30T00:00:00~x", f"2026-11-30T00:00:00~{whole[0]}"):
        with pytest.raises(InvalidInput, match="no place in the list"):
            coming(database, after=nonsense)


def test_people_are_told_once_at_each_step_before_a_term_ends(database: Database) -> None:
    load(database, row("VA", "2025-02-12"))
    ends = end_of("2028-02-12", "VA")

    def told(before: timedelta) -> list[tuple[str, int]]:
        with database.writing() as session:
            ending = ending_terms(session, (90, 30, 7), ends - before)
            if ending:
                note_reminded(session, ending)
        return sorted({(one.reference, one.days) for one in ending})

    assert told(timedelta(days=90, seconds=1)) == []
    assert told(timedelta(days=90)) == [("VA-1", 90)]
    assert told(timedelta(days=89)) == []
    assert told(timedelta(days=30, seconds=1)) == []
    assert told(timedelta(days=30)) == [("VA-1", 30)]
    assert told(timedelta(days=5)) == [("VA-1", 7)]
    assert told(timedelta(days=1)) == []


DAYS = st.dates(date(2019, 1, 1), date(2027, 12, 31))


def naive(executed: date, known: datetime, zone: ZoneInfo) -> Iterator[tuple[str, datetime]]:
    """What is next under a form with one yearly duty and no term, counted year by year, each from the one before."""
    day = anniversary(executed, 1)
    while (due := datetime.combine(day, time(23, 59, 59), zone)) < known:
        day = anniversary(day, 1)
    yield "audit.annual", due


@settings(deadline=None)
@given(DAYS, DAYS, st.integers(0, 900))
def test_the_derived_rows_are_those_of_a_naive_count(executed: date, known_on: date, later: int) -> None:
    zone = ZoneInfo("America/Los_Angeles")
    known = datetime.combine(max(executed, known_on), time(9), UTC)
    now = known + timedelta(days=later)
    agreement = Dated(UUID(int=0), "ndpa-v2", "OR", (), zone.key, known, executed, *[None] * 4)
    derivation = Derivation(CATALOGUE, STANDARD_DEFAULTS, now)
    terms = terms_of(derivation, agreement, ())
    found = [(duty.clause, duty.due_at) for duty in next_duties(terms, agreement, {}, derivation)]
    assert found == list(naive(executed, known, zone))
