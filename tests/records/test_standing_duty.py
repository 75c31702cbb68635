"""Cases about one clause: what a person may record, what is opened by itself, and what an act performs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from agreements.due_dates import read_due_dates
from agreements.terms import store_calendar
from agreements.upcoming import Derivation, derive_upcoming
from cases.acts import Approve, Learn, Propose, SetDate
from cases.breach import BREACH
from cases.intake import ApproximateTime, parse_intake
from cases.standing_duty import STANDING_DUTY, CarriedOut, DatedMatter
from config.database import Database
from models.enums import DutyStatus, Party, Verdict
from models.errors import InvalidFields, InvalidInput, Refused
from models.identifiers import case_reference
from models.tables import Case, UpcomingDuty
from queries.cases import read_case_head
from queries.doubts import doubts_of_act, doubts_of_intake
from queries.upcoming import Coming, Looking, read_upcoming
from records.choices import intake_fields
from records.intake import keep_intake
from records.occurrences import Opening, open_occurrences
from terms.calendars import SchoolCalendar
from terms.internal import NO_LEAD_TIMES, LeadTimes
from terms.limits import STANDARD_DEFAULTS, parse_limit
from tests.support.accounts import have_account
from tests.support.case_in_sql import CATALOGUE, SECOND_PERSON, CaseInSql, Place, keep_agreement, open_in_sql

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
ILLINOIS, OREGON, NEW_YORK = Place("ndpa-v1", "IL"), Place("ndpa-v2", "OR"), Place("ndpa-v1", "NY")
CALIFORNIA, OTHER_SCHOOL = Place("ca-profile", "CA"), Place("ca-profile", "CA", ("Host",))
OPENING = Opening(Party.PROVIDER, timedelta(days=30), lambda intake: str(intake.identity()))


def matter(what: str, when: datetime | date, *places: Place) -> DatedMatter:
    happened = {"kind": "instant", "at": when} if isinstance(when, datetime) else {"kind": "date", "first_day": when}
    given = {"title": "A matter", "matter": what, "happened": happened, "description": "What is planned."}
    return parse_intake(DatedMatter, given | {"agreements": [place.reference for place in places]})


def know(database: Database, *places: Place, executed: date = date(2025, 3, 2)) -> None:
    with database.writing() as session:
        for place in places:
            keep_agreement(session, place, executed, NOW)


def opened(database: Database, intake: DatedMatter, now: datetime = NOW) -> CaseInSql:
    with database.writing() as session:
        case_id, _ = keep_intake(session, STANDING_DUTY, intake, str(uuid4()), actor="officer", now=now)
        session.get_one(Case, case_id).workflow_started_at = now
    case = CaseInSql(database, case_id, now)
    case.compute()
    return case


def problem(database: Database, intake: DatedMatter) -> tuple[str | None, str]:
    with database.writing() as session, pytest.raises(InvalidFields) as caught:
        keep_intake(session, STANDING_DUTY, intake, str(uuid4()), actor="officer", now=NOW)
    return caught.value.problems[0].where, caught.value.problems[0].message


def carried_out(at: datetime, **named: object) -> CarriedOut:
    what = "Sam Lee led them through the controls."
    return CarriedOut.model_validate({"done_at": at, "what": what, "proof": b"minutes of the audit", **named})


def test_people_choose_among_the_duties_of_the_catalogue_that_no_other_kind_serves() -> None:
    (field,) = (field for field in intake_fields(STANDING_DUTY) if field.name == "matter")
    words = dict(field.named_options)
    assert words["disclosure.notice@disclosure"].endswith("(counted from: disclosure)")
    assert {"audit.notice@requested", "addendum.notice@schedule_changed", "policy.change@effective"} <= words.keys()
    assert not [word for word in words if word.startswith(("breach.", "disposition.")) or word.endswith("@executed")]
    assert "addendum.objection@received" not in words, "what time performs is brought about, and not recorded"


def test_a_case_opens_its_clause_and_nothing_else_of_the_event(database: Database) -> None:
    know(database, OREGON)
    case = opened(database, matter("audit.notice@requested", date(2026, 3, 2), OREGON))
    assert case.statuses() == {"audit.notice": DutyStatus.RUNNING}, "not the yearly audit"


def test_an_audit_that_is_asked_for_with_more_notice_is_due_on_its_day(database: Database) -> None:
    know(database, NEW_YORK)
    case = opened(database, matter("audit.notice@requested", date(2026, 3, 2), NEW_YORK))
    case.act(SetDate(name="audit_day", first_day=date(2026, 4, 20)))
    assert case.duty("audit.notice").due_at == datetime(2026, 4, 21, 4, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(("seconds", "verdict"), [(0, Verdict.ON_TIME), (1, Verdict.LATE)])
def test_an_audit_is_allowed_within_ten_business_days(database: Database, seconds: int, verdict: Verdict) -> None:
    know(database, NEW_YORK)
    case = opened(database, matter("audit.notice@requested", date(2026, 3, 2), NEW_YORK))
    due = case.duty("audit.notice").due_at
    assert due == datetime(2026, 3, 17, 4, 59, 59, tzinfo=UTC)
    case.now = due + timedelta(seconds=seconds)
    case.act(carried_out(case.now))
    assert (case.duty("audit.notice").status, case.duty("audit.notice").verdict) == (DutyStatus.PERFORMED, verdict)
    with pytest.raises(Refused, match="Nothing is open here"):
        case.act(carried_out(case.now))


def test_nobody_alone_says_of_what_is_overdue_that_it_was_in_time(database: Database) -> None:
    know(database, NEW_YORK)
    case = opened(database, matter("audit.notice@requested", date(2026, 3, 2), NEW_YORK))
    case.now = NOW + timedelta(days=20)
    with pytest.raises(Refused, match="is recorded only now"):
        case.act(carried_out(NOW + timedelta(days=1)))


def test_what_was_done_before_its_clock_began_performs_nothing(database: Database) -> None:
    know(database, NEW_YORK)
    case = opened(database, matter("audit.notice@requested", date(2026, 3, 2), NEW_YORK))
    with pytest.raises(InvalidInput, match="The clock of this duty began later") as caught:
        case.act(carried_out(datetime(2026, 3, 2, 5, 59, tzinfo=UTC)))
    assert caught.value.where == "done_at"
    case.act(carried_out(datetime(2026, 3, 2, 6, tzinfo=UTC)))
    assert case.duty("audit.notice").verdict is Verdict.ON_TIME


def test_what_is_planned_may_lie_ahead_only_where_a_clause_counts_back_from_it(database: Database) -> None:
    know(database, ILLINOIS, NEW_YORK)
    ahead = date(2026, 3, 31)
    assert opened(database, matter("disclosure.notice@disclosure", ahead, ILLINOIS)).statuses()
    assert problem(database, matter("audit.notice@requested", ahead, NEW_YORK)) == (
        "happened",
        "The date 2026-03-31 is in the future.",
    )


def test_what_cannot_be_is_said_at_its_field(database: Database) -> None:
    know(database, ILLINOIS, OREGON)
    day = date(2026, 3, 1)
    assert problem(database, matter("audit.notice", day, OREGON)) == ("matter", "No clause counts time from this.")
    assert problem(database, matter("addendum.notice@schedule_changed", NOW, OREGON, ILLINOIS)) == (
        "agreements",
        f"The terms of {ILLINOIS.reference} have no such duty.",
    )
    assert problem(database, matter("addendum.notice@schedule_changed", day, OREGON)) == (
        "happened",
        "Hours are counted from this, so a day is not enough.",
    )
    assert problem(database, matter("contacts.lea-change@lea_contact_changed", NOW, OREGON)) == (
        "matter",
        "This is owed by the other side, and its clock is theirs.",
    )
    unknown = matter("audit.notice@requested", day, OREGON).model_copy(
        update={"happened": ApproximateTime(kind="unknown")}
    )
    assert [found.where for found in unknown.problems(NOW)] == ["happened"]


def test_school_days_are_counted_back_over_a_break_by_the_districts_own_calendar(database: Database) -> None:
    know(database, ILLINOIS)
    closed = frozenset(date(2026, 3, day) for day in range(23, 28))
    calendar = SchoolCalendar(date(2025, 8, 18), date(2026, 5, 29), closed, "0" * 64)
    store_calendar(database, ILLINOIS.reference, calendar, b"a file", actor="officer", now=NOW)
    case = opened(database, matter("disclosure.notice@disclosure", date(2026, 3, 31), ILLINOIS))
    assert case.duty("disclosure.notice").due_at == datetime(2026, 3, 18, 4, 59, 59, tzinfo=UTC)
    later = opened(database, matter("disclosure.notice@disclosure", date(2026, 11, 3), ILLINOIS))
    assert "no-school-calendar" in later.due_date("disclosure.notice").flags, "it does not reach that far"


def test_a_disclosure_too_near_for_the_notice_is_overdue_from_the_first_moment(database: Database) -> None:
    know(database, ILLINOIS)
    case = opened(database, matter("disclosure.notice@disclosure", NOW.date() + timedelta(days=2), ILLINOIS))
    duty = case.duty("disclosure.notice")
    assert duty.status is DutyStatus.RUNNING
    assert duty.due_at
    assert duty.due_at < NOW
    items, _ = read_upcoming(database, Looking(CATALOGUE, Party.PROVIDER, OPENING.lead), Coming(), NOW, limit=10)
    assert [(one.clause, one.overdue, one.case_id) for one in items] == [("disclosure.notice", True, case.id)]


def renew(database: Database, now: datetime, leads: LeadTimes = NO_LEAD_TIMES) -> list[UUID]:
    derivation = Derivation(CATALOGUE, STANDARD_DEFAULTS, now, leads)
    with database.writing() as session:
        derive_upcoming(session, derivation, [OREGON.agreement])
        return list(open_occurrences(session, derivation, OPENING, limit=10))


def coming(database: Database) -> dict[str, tuple[int, datetime]]:
    with database.reading() as session:
        return {row.clause: (row.occurrence, row.due_at) for row in session.exec(select(UpcomingDuty))}


@pytest.mark.parametrize(("seconds", "cases"), [(1, 0), (0, 1)])
def test_what_recurs_is_opened_the_lead_time_before_it_is_due(database: Database, seconds: int, cases: int) -> None:
    know(database, OREGON, executed=date(2025, 4, 2))
    due = datetime(2026, 4, 3, 4, 59, 59, tzinfo=UTC)
    assert len(renew(database, due - OPENING.lead - timedelta(seconds=seconds))) == cases


def test_what_is_wanted_ahead_is_opened_the_lead_time_before_that(database: Database) -> None:
    know(database, OREGON, executed=date(2025, 4, 2))
    leads = LeadTimes({"audit.annual": parse_limit("10 days before")})
    wanted = datetime(2026, 3, 24, 4, 59, 59, tzinfo=UTC)
    assert renew(database, wanted - OPENING.lead - timedelta(seconds=1), leads) == []
    assert len(renew(database, wanted - OPENING.lead, leads)) == 1


def test_each_occurrence_is_one_case_and_the_list_moves_on(database: Database) -> None:
    know(database, OREGON, executed=date(2024, 3, 20))
    due = datetime(2026, 3, 21, 4, 59, 59, tzinfo=UTC)
    (case_id,) = renew(database, NOW)
    assert coming(database) == {"audit.annual": (3, due.replace(year=2027))}
    assert renew(database, NOW + timedelta(hours=6)) == []
    case = CaseInSql(database, case_id, NOW)
    case.compute()
    with database.reading() as session:
        kept = session.get_one(Case, case_id)
        assert (kept.clause, kept.occurrence, kept.event) == ("audit.annual", 2, "audit")
    assert [(duty.clause, duty.occurrence, duty.due_at) for duty in case.duties] == [("audit.annual", 2, due)]
    case.now = due
    case.act(carried_out(due))
    assert case.duty("audit.annual", 2).verdict is Verdict.ON_TIME
    assert renew(database, due) == []
    assert len(renew(database, due.replace(year=2027) - timedelta(days=1))) == 1


def test_a_sweep_that_was_away_opens_what_is_overdue_by_now(database: Database) -> None:
    know(database, OREGON, executed=date(2025, 4, 2))
    (case_id,) = renew(database, NOW + timedelta(days=60))
    case = CaseInSql(database, case_id, NOW + timedelta(days=60))
    case.compute()
    assert case.duty("audit.annual").due_at == datetime(2026, 4, 3, 4, 59, 59, tzinfo=UTC)


def told_of_an_addendum(database: Database) -> CaseInSql:
    """A case in which the LEA has just been told of an addendum to the schedule of data."""
    know(database, OREGON)
    case = opened(database, matter("addendum.notice@schedule_changed", NOW, OREGON))
    assert case.statuses() == {"addendum.notice": DutyStatus.RUNNING}
    case.now += timedelta(hours=23)
    case.send_what_leaves()
    case.compute()
    assert case.duty("addendum.objection").due_at == datetime(2026, 4, 3, 4, 59, 59, tzinfo=UTC)
    return case


@pytest.mark.parametrize(("seconds", "status"), [(-1, DutyStatus.RUNNING), (0, DutyStatus.ELAPSED)])
def test_silence_for_thirty_days_lets_an_addendum_in(database: Database, seconds: int, status: DutyStatus) -> None:
    case = told_of_an_addendum(database)
    due = case.duty("addendum.objection").due_at
    assert due
    case.now = due + timedelta(seconds=seconds)
    case.compute()
    assert case.statuses()["addendum.objection"] is status


def test_an_objection_keeps_an_addendum_out_for_that_district(database: Database) -> None:
    case = told_of_an_addendum(database)
    case.now += timedelta(days=29)
    named = {"agreement": OREGON.reference, "reason": "By e-mail of the district."}
    case.act(SetDate.model_validate({"name": "objected", "instant": case.now, **named}))
    assert case.statuses()["addendum.objection"] is DutyStatus.CANCELLED
    case.now += timedelta(days=29)
    case.compute()
    assert case.statuses()["addendum.objection"] is DutyStatus.CANCELLED


@pytest.mark.parametrize(
    ("came", "status", "asked"),
    [
        (datetime(2026, 4, 3, 4, 59, 59, tzinfo=UTC), DutyStatus.CANCELLED, []),
        (datetime(2026, 4, 3, 15, tzinfo=UTC), DutyStatus.ELAPSED, ["objected too-late"]),
    ],
)
def test_an_objection_counts_by_the_day_on_which_it_came_also_where_it_is_recorded_later(
    database: Database, came: datetime, status: DutyStatus, asked: list[str]
) -> None:
    case = told_of_an_addendum(database)
    case.now = datetime(2026, 4, 6, 15, tzinfo=UTC)
    case.compute()
    assert case.statuses()["addendum.objection"] is DutyStatus.ELAPSED
    named = {"agreement": OREGON.reference, "reason": "By letter of the district."}
    act = SetDate.model_validate({"name": "objected", "instant": came, **named})
    with database.reading() as session:
        found = doubts_of_act(session, session.get_one(Case, case.id), act, case.now)
    assert [doubt.name for doubt in found] == asked
    assert all("the time for this was over" in doubt.says for doubt in found)
    case.act(act)
    assert case.statuses()["addendum.objection"] is status


def audited(database: Database, day: date, *places: Place, now: datetime = NOW) -> CaseInSql:
    return opened(database, matter("audit.notice@requested", day, *places), now)


def asked_about(database: Database, intake: DatedMatter, now: datetime) -> list[tuple[str, str, str]]:
    with database.reading() as session:
        return [(one.where, one.name, one.says) for one in doubts_of_intake(session, STANDING_DUTY, intake, now)]


@pytest.mark.parametrize(("day", "asked"), [(date(2027, 2, 1), True), (date(2027, 2, 2), False)])
def test_a_second_audit_within_a_year_is_asked_about_and_not_refused(
    database: Database, day: date, asked: bool
) -> None:
    know(database, NEW_YORK, OREGON)
    first = audited(database, date(2026, 2, 2), NEW_YORK)
    now = datetime(2027, 2, 3, 15, tzinfo=UTC)
    again = matter("audit.notice@requested", day, NEW_YORK)
    found = asked_about(database, again, now)
    assert bool(found) is asked
    second = opened(database, again, now)
    assert second.statuses() == {"audit.notice": DutyStatus.RUNNING}, "its clock runs, whatever an officer decides"
    says = read_case_head(database, second.id, now).shown["Asked for more often than the terms allow"]
    if asked:
        ((where, name, words),) = found
        assert (where, name) == ("happened", "requested too-often")
        assert words == (
            f"{NEW_YORK.reference}: it was asked for on Mon 2 Feb 2026 as well, in case {case_reference(first.id)}; "
            "its terms allow it once in 1 year, or after a breach (Exhibit G (New York), item 13)."
        )
        assert says == words
    else:
        assert not says


def test_an_audit_after_a_breach_has_cause(database: Database) -> None:
    know(database, NEW_YORK)
    audited(database, date(2026, 2, 2), NEW_YORK)
    breach = open_in_sql(database, BREACH, [NEW_YORK], NOW, {"confirmed": NOW})
    again = matter("audit.notice@requested", date(2026, 3, 2), NEW_YORK)
    assert asked_about(database, again, NOW) == []
    with database.writing() as session:
        session.get_one(Case, breach.id).undecided = True
    assert asked_about(database, again, NOW), "a suspicion is none yet"


def test_an_audit_that_two_people_declined_counts_for_nothing(database: Database) -> None:
    know(database, NEW_YORK)
    have_account(database, SECOND_PERSON)
    case = audited(database, date(2026, 2, 2), NEW_YORK)
    given = {"clause": "audit.notice", "ground": "asked_too_soon", "reason": "They had one in January."}
    proposal = case.act(Propose.model_validate(given))
    assert proposal
    case.act(Approve(proposal_id=proposal), SECOND_PERSON)
    assert case.statuses() == {"audit.notice": DutyStatus.NOT_REQUIRED}
    assert asked_about(database, matter("audit.notice@requested", date(2026, 3, 2), NEW_YORK), NOW) == []


def test_a_copy_of_the_report_may_be_asked_for_at_any_time(database: Database) -> None:
    know(database, OREGON)
    audited(database, date(2026, 2, 2), OREGON)
    assert asked_about(database, matter("audit.notice@requested", date(2026, 3, 2), OREGON), NOW) == []


def test_a_request_that_is_corrected_into_the_same_year_is_asked_about(database: Database) -> None:
    know(database, NEW_YORK)
    audited(database, date(2025, 3, 1), NEW_YORK)
    case = audited(database, date(2026, 3, 2), NEW_YORK)
    corrected = SetDate.model_validate({"name": "requested", "first_day": date(2026, 2, 27), "reason": "By its stamp."})
    with database.reading() as session:
        found = doubts_of_act(session, session.get_one(Case, case.id), corrected, NOW)
    assert [doubt.name for doubt in found] == ["requested too-often"]


def test_a_change_of_how_data_is_used_is_told_and_on_hold_until_each_school_consents(database: Database) -> None:
    know(database, CALIFORNIA, OTHER_SCHOOL)
    case = opened(database, matter("policy.consent@effective", date(2026, 4, 1), CALIFORNIA, OTHER_SCHOOL))
    assert case.statuses() == {"policy.change": DutyStatus.RUNNING, "policy.consent": DutyStatus.RUNNING}
    for duty in case.duties:
        assert duty.due_at == datetime(2026, 4, 1, 4, 59, 59, tzinfo=UTC), "in advance: the day before ends"
    with database.reading() as session:
        consents = [duty.due_date_id for duty in case.duties if duty.clause == "policy.consent"]
        for due in read_due_dates(session, consents).values():
            assert "on-hold:effective" in due.flags
            assert any("On hold until this is done" in sentence for sentence in due.why)
    with pytest.raises(InvalidInput, match="nothing says under which it was"):
        case.act(carried_out(NOW))
    with pytest.raises(InvalidInput, match="own word is needed"):
        case.act(carried_out(NOW, for_all=True))
    case.act(carried_out(NOW, agreements=[CALIFORNIA.reference]))
    found = {duty.agreement_id: duty.status for duty in case.duties if duty.clause == "policy.consent"}
    assert found == {CALIFORNIA.agreement: DutyStatus.PERFORMED, OTHER_SCHOOL.agreement: DutyStatus.RUNNING}
    with pytest.raises(InvalidInput, match="nothing of the sort is open"):
        case.act(carried_out(NOW, agreements=[CALIFORNIA.reference]))


def test_a_change_that_leaves_the_use_of_data_alone_needs_a_notice_and_no_consent(database: Database) -> None:
    know(database, CALIFORNIA)
    case = opened(database, matter("policy.change@effective", date(2026, 4, 1), CALIFORNIA))
    assert case.statuses() == {"policy.change": DutyStatus.RUNNING}


def test_a_subprocessor_that_fails_is_told_of_and_cut_off(database: Database) -> None:
    know(database, NEW_YORK)
    case = opened(database, matter("subprocessor.failure@discovered", NOW, NEW_YORK))
    due = NOW + timedelta(hours=24)
    assert {duty.clause: duty.due_at for duty in case.duties} == {
        "subprocessor.failure": due,
        "subprocessor.removal": due,
    }
    assert "default:promptly_hours" in case.due_date("subprocessor.removal").flags
    case.act(carried_out(NOW))
    assert case.duty("subprocessor.removal").verdict is Verdict.ON_TIME
    assert case.duty("subprocessor.failure").status is DutyStatus.RUNNING, "that is told by a notice alone"


def test_what_a_yearly_review_finds_to_be_no_longer_needed_is_told_by_a_notice(database: Database) -> None:
    know(database, ILLINOIS, executed=date(2025, 3, 20))
    with database.writing() as session:
        derivation = Derivation(CATALOGUE, STANDARD_DEFAULTS, NOW)
        derive_upcoming(session, derivation, [ILLINOIS.agreement])
        found = open_occurrences(session, derivation, OPENING, limit=10)
        (case_id,) = [key for key in found if session.get_one(Case, key).clause == "disposition.annual-review"]
        session.get_one(Case, case_id).workflow_started_at = NOW
    case = CaseInSql(database, case_id, NOW)
    case.compute()
    assert case.statuses() == {"disposition.annual-review": DutyStatus.RUNNING}
    case.act(carried_out(case.now))
    notice = case.duty("disposition.unneeded-notice")
    assert (notice.due_at, notice.waits_for) == (case.now + timedelta(hours=24), ["unneeded_data"])
    case.act(Learn.model_validate({"element": "unneeded_data", "value": "Rosters of the school year 2023/24"}))
    case.now += timedelta(hours=23)
    case.send_what_leaves()
    assert case.duty("disposition.unneeded-notice").verdict is Verdict.ON_TIME
