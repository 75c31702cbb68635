"""The end of an agreement: when it opens a case, which duties follow, and what stops or takes the place of them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from threading import Barrier, Thread

import pytest
from sqlmodel import col, select

from agreements.life import record_life
from agreements.upcoming import Derivation, derive_upcoming
from cases.acts import ConfirmDone, Learn, Release, SetDate
from cases.disposition import RefuseDirective, Restored
from cases.end_of_agreement import EndedAgreement, GoesOn
from cases.values import AgreementName, KeptText
from config.database import Database
from models.enums import (
    CaseStatus,
    DutyStatus,
    EndedBy,
    HolderMail,
    HolderStatus,
    LifeAct,
    NoticeKind,
    Party,
    Verdict,
)
from models.errors import InvalidFields, Refused
from models.tables import Agreement, Batch, Case, EvidenceEntry, Notice
from queries.agreements import read_agreement
from queries.doubts import doubts_of_act
from records.cases import close_case
from records.deliveries import Answer
from records.end_of_agreement import prepare_intake
from records.ends import ALL_OF_IT, note_ends, open_end
from records.outbox import OutgoingMessage
from terms.limits import STANDARD_DEFAULTS
from tests.support.case_in_sql import CATALOGUE, QUEUED, Place, record_done
from tests.support.directives import HOSTING, OFFICE, DirectiveInSql, certificate, directive, open_again
from tests.support.ends import DAY, JULY_1, JUNE_30, RULES, ended, ends_opened, signed, sweep, terminated
from tests.support.handed_over import text_of

OHIO, NEW_YORK, ILLINOIS = Place("ndpa-v1", "OH"), Place("ndpa-v1", "NY"), Place("ndpa-v1", "IL")
RHODE_ISLAND, OREGON = Place("ndpa-v1", "RI"), Place("ndpa-v2", "OR")
TERMINATION, PRIOR_NOTICE = "disposition.termination", "disposition.prior-notice"
CERTIFICATION, END_NOTICE = "disposition.certification", "disposition.end-notice"
REVIEW, RESTORED_AGAIN = "disposition.final-review", "disposition.restored"
UNNEEDED = "disposition.unneeded-notice"
WHY = KeptText.model_validate("The board decided so.")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def record(database: Database, place: Place, act: LifeAct, on: date | None = None, now: datetime = JULY_1) -> None:
    with database.writing() as session:
        record_life(session, place.agreement, act, on=on, by=EndedBy.LEA, reason="As agreed.", actor="officer", now=now)


def derive(database: Database, place: Place) -> None:
    with database.writing() as session:
        derive_upcoming(session, Derivation(CATALOGUE, STANDARD_DEFAULTS, JULY_1), [place.agreement])


def close(case: DirectiveInSql) -> None:
    with case.database.writing() as session:
        close_case(session, case.id, case.now)


def give_notice(case: DirectiveInSql, clause: str) -> str:
    """Release what waits under a clause, and compute with it; return what was sent, in one line."""
    sent: list[str] = []

    def take(message: OutgoingMessage) -> Answer:
        sent.append(text_of(message.raw))
        return QUEUED

    case.act(Release(clause=clause, unread=True))
    case.send_what_leaves(take)
    case.compute()
    return " ".join(" ".join(sent).split())


def plan(case: DirectiveInSql, day: date) -> None:
    case.act(SetDate(name="disposal", first_day=day))


# When a case is opened


@pytest.mark.parametrize(
    ("now", "opened"),
    [("2026-07-01T03:59:59+00:00", 0), ("2026-07-01T04:00:00+00:00", 1)],
)
def test_an_agreement_that_runs_out_has_ended_once_its_last_day_is_over_there(
    database: Database, now: str, opened: int
) -> None:
    signed(database, RHODE_ISLAND, expires=JUNE_30)
    assert len(sweep(database, at(now))) == opened


@pytest.mark.parametrize(
    ("now", "renewed", "opened"),
    [
        ("2027-07-02T03:59:59+00:00", None, 0),
        ("2027-07-02T04:00:00+00:00", None, 1),
        ("2027-07-02T04:00:00+00:00", date(2028, 6, 30), 0),
    ],
)
def test_the_term_that_its_clauses_give_is_an_end_where_no_day_was_agreed_on(
    database: Database, now: str, renewed: date | None, opened: int
) -> None:
    """Three years from the day of signature (version 1, item 4), and no day more."""
    signed(database, RHODE_ISLAND)
    derive(database, RHODE_ISLAND)
    if renewed:
        record(database, RHODE_ISLAND, LifeAct.RENEW, renewed)
        derive(database, RHODE_ISLAND)
    assert len(sweep(database, at(now))) == opened


@pytest.mark.parametrize(
    ("now", "opened"),
    [("2026-06-30T03:59:59+00:00", 0), ("2026-06-30T04:00:00+00:00", 1)],
)
def test_a_termination_ends_an_agreement_on_its_day(database: Database, now: str, opened: int) -> None:
    signed(database, RHODE_ISLAND)
    terminated(database, RHODE_ISLAND, now=at("2026-06-01T12:00:00+00:00"))
    assert len(sweep(database, at(now))) == opened


def test_one_case_is_opened_for_an_end_however_often_it_is_looked_at(database: Database) -> None:
    case = ended(database, RHODE_ISLAND)
    with database.reading() as session:
        kept = session.get_one(Case, case.id)
        assert (kept.kind, kept.event, kept.title) == (
            "end-of-agreement",
            "disposition",
            "End of agreement ndpa-v1 RI 0 0 on Tue 30 Jun 2026",
        )
        opened = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "case_opened")).one()
        assert opened.actor == "duenotice"
    assert sweep(database, JULY_1 + DAY) == []
    assert ends_opened(database) == 1


def test_two_workers_that_look_at_the_same_end_open_one_case(database: Database) -> None:
    signed(database, RHODE_ISLAND)
    terminated(database, RHODE_ISLAND)
    together, opened = Barrier(2), []

    def look() -> None:
        together.wait()
        with database.writing() as session:
            opened.append(open_end(session, RULES, RHODE_ISLAND.agreement, JULY_1))

    workers = [Thread(target=look) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len([case for case in opened if case]) == 1
    assert ends_opened(database) == 1


def test_what_lapses_where_the_terms_ask_for_nothing_opens_nothing(database: Database) -> None:
    signed(database, OREGON, expires=JUNE_30)
    signed(database, ILLINOIS, expires=JUNE_30)
    assert sweep(database, JULY_1) == []
    terminated(database, OREGON)
    terminated(database, ILLINOIS)
    assert len(sweep(database, JULY_1)) == 2


def noted(database: Database, now: datetime) -> list[tuple[str, dict[str, str]]]:
    """What there is evidence of after a sweep."""
    with database.writing() as session:
        note_ends(session, now, limit=10)
        kinds = ("agreement_ended", "agreement_data_gone")
        entries = select(EvidenceEntry).where(col(EvidenceEntry.kind).in_(kinds)).order_by(col(EvidenceEntry.number))
        return [(entry.kind, entry.body) for entry in session.exec(entries)]


def test_an_end_by_the_passing_of_time_leaves_evidence_once_and_what_protects_its_data_survives(
    database: Database,
) -> None:
    signed(database, RHODE_ISLAND, expires=JUNE_30)
    over = at("2026-07-01T04:00:00+00:00")
    assert noted(database, over - timedelta(seconds=1)) == []
    ended_evidence = ("agreement_ended", {"day": "2026-06-30", "fact": "expires"})
    assert noted(database, over) == [ended_evidence]
    assert read_agreement(database, RHODE_ISLAND.agreement, RULES, over).survives
    assert noted(database, over + 400 * DAY) == [ended_evidence]
    record(database, RHODE_ISLAND, LifeAct.RENEW, date(2027, 6, 30))
    assert not read_agreement(database, RHODE_ISLAND.agreement, RULES, JULY_1).survives
    again = at("2027-07-01T04:00:00+00:00")
    assert noted(database, again)[1:] == [("agreement_ended", {"day": "2027-06-30", "fact": "expires"})]


def test_of_what_had_ended_before_it_was_entered_no_end_is_noted(database: Database) -> None:
    signed(database, RHODE_ISLAND, expires=date(2025, 6, 30))
    with database.writing() as session:
        session.get_one(Agreement, RHODE_ISLAND.agreement).entered_on = JULY_1.date()
    assert noted(database, JULY_1) == []


def test_what_had_ended_before_it_was_entered_waits_for_an_officer(database: Database) -> None:
    signed(database, RHODE_ISLAND, expires=date(2025, 6, 30))
    with database.writing() as session:
        session.get_one(Agreement, RHODE_ISLAND.agreement).entered_on = JULY_1.date()
    assert sweep(database, JULY_1) == []
    terminated(database, RHODE_ISLAND, on=date(2025, 6, 1))
    assert len(sweep(database, JULY_1)) == 1


def test_a_case_by_hand_needs_an_end_that_nobody_has_seen_to(database: Database) -> None:
    def problem(**given: object) -> str:
        intake = EndedAgreement.model_validate(
            {"title": "End", "agreements": (RHODE_ISLAND.reference,), "description": ALL_OF_IT} | given
        )
        with database.reading() as session:
            try:
                prepare_intake(session, intake, JULY_1, Party.PROVIDER)
            except InvalidFields as error:
                return error.problems[0].message
        return ""

    signed(database, RHODE_ISLAND)
    assert "has not ended" in problem()
    assert problem(service_ended=JUNE_30) == ""
    terminated(database, RHODE_ISLAND)
    assert problem() == ""
    sweep(database, JULY_1)
    assert "already" in problem()


# What follows, state by state


def test_reasonable_prior_notice_comes_first_and_its_time_is_a_floor(database: Database) -> None:
    case = ended(database, RHODE_ISLAND, HOSTING)
    assert case.statuses() == {TERMINATION: DutyStatus.RUNNING, PRIOR_NOTICE: DutyStatus.RUNNING}
    assert case.duty(TERMINATION).due_at == at("2026-08-29T23:59:59-04:00")
    assert case.written() == {}, "no holder is asked before the LEA had its notice"
    with pytest.raises(Refused, match="before the LEA was told"):
        case.act(confirmed(RHODE_ISLAND, HOSTING))
    case.now = at("2026-07-20T12:00:00-04:00")
    assert "not before Wednesday, August 19, 2026." in give_notice(case, PRIOR_NOTICE)
    assert case.due_date(TERMINATION).earliest_local == "2026-08-19T00:00:00-04:00"
    assert case.duty(TERMINATION).due_at == at("2026-08-29T23:59:59-04:00")
    assert case.written() == {HOSTING: HolderMail.ASKED}
    assert case.tasks()[HOSTING].not_before == at("2026-08-19T00:00:00-04:00")


def confirmed(place: Place, holder: str | None = None) -> ConfirmDone:
    return ConfirmDone(
        clause=TERMINATION,
        agreement=AgreementName.model_validate(place.reference),
        holder=holder,
        particulars=KeptText.model_validate("Purged, and read back."),
    )


def test_new_york_asks_when_and_a_notice_five_days_late_moves_the_floor(database: Database) -> None:
    case = ended(database, NEW_YORK, HOSTING)
    assert case.statuses() == {TERMINATION: DutyStatus.RUNNING, PRIOR_NOTICE: DutyStatus.PENDING}
    plan(case, date(2026, 10, 10))
    assert case.duty(PRIOR_NOTICE).due_at == at("2026-07-12T23:59:59-04:00")
    assert case.written() == {}
    case.now = at("2026-07-17T10:00:00-04:00")
    give_notice(case, PRIOR_NOTICE)
    assert case.duty(PRIOR_NOTICE).verdict is Verdict.LATE
    assert case.due_date(TERMINATION).earliest_local == "2026-10-15T00:00:00-04:00"
    assert case.duty(TERMINATION).due_at == at("2026-10-28T23:59:59-04:00"), "120 days: no text says how many"
    assert "default:disposal_after_notice_days" in case.due_date(TERMINATION).flags
    assert case.written() == {HOSTING: HolderMail.ASKED}
    case.now = at("2026-10-14T23:59:59-04:00")
    with pytest.raises(Refused, match="may not be disposed of before Thu 15 Oct 2026"):
        case.answer(HOSTING)
    case.now = at("2026-10-15T00:00:00-04:00")
    case.answer(HOSTING, certificate(date(2026, 10, 14)))
    assert case.early(HOSTING)
    case.write()
    case.answer("provider")
    assert not case.early("provider")
    assert case.statuses() == {
        TERMINATION: DutyStatus.PERFORMED,
        PRIOR_NOTICE: DutyStatus.PERFORMED,
        CERTIFICATION: DutyStatus.RUNNING,
    }
    assert case.duty(CERTIFICATION).due_at == at("2026-10-16T00:00:00-04:00")
    give_notice(case, CERTIFICATION)
    assert case.duty(CERTIFICATION).verdict is Verdict.ON_TIME


@pytest.mark.parametrize("state", ["NY", "RI"])
def test_a_later_day_that_the_lea_was_told_is_kept_to(database: Database, state: str) -> None:
    case = ended(database, {"NY": NEW_YORK, "RI": RHODE_ISLAND}[state], HOSTING)
    case.now += timedelta(hours=1)
    plan(case, date(2026, 12, 31))
    assert "not before Thursday, December 31, 2026." in give_notice(case, PRIOR_NOTICE)
    assert case.due_date(TERMINATION).earliest_local == "2026-12-31T00:00:00-05:00"
    case.write()
    plan(case, date(2027, 1, 31))
    assert case.written() == {HOSTING: HolderMail.MOVED}


def test_a_day_before_the_one_that_the_lea_was_told_is_asked_about(database: Database) -> None:
    case = ended(database, RHODE_ISLAND, HOSTING)

    def asked(day: date) -> list[str]:
        with database.reading() as session:
            act = SetDate(name="disposal", first_day=day)
            return [doubt.says for doubt in doubts_of_act(session, session.get_one(Case, case.id), act, case.now)]

    case.now += timedelta(hours=1)
    plan(case, date(2026, 12, 31))
    assert asked(date(2026, 11, 30)) == [], "the LEA was told nothing yet"
    give_notice(case, PRIOR_NOTICE)
    assert asked(date(2027, 1, 31)) == []
    (says,) = asked(date(2026, 11, 30))
    assert says == "After the notice that was given, nothing is disposed of before Thu 31 Dec 2026."


def test_illinois_reviews_within_sixty_days_and_tells_the_lea_what_is_no_longer_needed(database: Database) -> None:
    case = ended(database, ILLINOIS, HOSTING)
    assert case.statuses() == {TERMINATION: DutyStatus.RUNNING, REVIEW: DutyStatus.RUNNING}
    assert case.written() == {}, "it can direct only once it knows what is left"
    assert case.duty(REVIEW).due_at == at("2026-08-29T23:59:59-04:00")
    case.now = at("2026-08-29T12:00:00-04:00")
    record_done(case, REVIEW, ILLINOIS)
    assert case.duty(REVIEW).verdict is Verdict.ON_TIME_BY_OTHER_MEANS
    case.compute()
    assert (case.duty(UNNEEDED).status, case.duty(UNNEEDED).waits_for) == (DutyStatus.RUNNING, ["unneeded_data"])
    case.act(Learn.model_validate({"element": "unneeded_data", "value": "All student data of the quiz service"}))
    give_notice(case, UNNEEDED)
    assert case.duty(UNNEEDED).verdict is Verdict.ON_TIME
    assert case.written()[HOSTING] is HolderMail.ASKED
    assert case.tasks()[HOSTING].not_before == at("2026-09-28T00:00:00-04:00")
    assert case.duty(TERMINATION).due_at == at("2026-09-28T23:59:59-04:00")


def test_version_two_has_sixty_days_from_termination_and_asks_at_once(database: Database) -> None:
    case = ended(database, OREGON, HOSTING)
    assert case.duty(TERMINATION).due_at == at("2026-08-29T23:59:59-04:00")
    assert case.written() == {HOSTING: HolderMail.ASKED}


# Ohio's renewal


def test_ohio_has_ninety_days_unless_renewal_is_anticipated(database: Database) -> None:
    case = ended(database, OHIO, HOSTING)
    assert case.duty(TERMINATION).due_at == at("2026-09-28T23:59:59-04:00")
    assert case.written() == {HOSTING: HolderMail.ASKED}
    record(database, OHIO, LifeAct.EXPECT_RENEWAL, JULY_1.date())
    case.compute()
    assert case.statuses() == {TERMINATION: DutyStatus.CANCELLED, END_NOTICE: DutyStatus.CANCELLED}
    assert any("expected renewal received" in why for why in case.due_date(TERMINATION).why)
    assert case.written() == {HOSTING: HolderMail.WITHDRAWN}
    assert case.status(HOSTING) is HolderStatus.WITHDRAWN


def test_a_renewal_that_does_not_come_lets_the_clock_run_as_the_terms_say(database: Database) -> None:
    case = ended(database, OHIO, HOSTING)
    case.write()
    record(database, OHIO, LifeAct.EXPECT_RENEWAL, JULY_1.date())
    case.compute()
    case.write()
    case.now += 30 * DAY
    record(database, OHIO, LifeAct.RENEWAL_FAILED, now=case.now)
    case.compute()
    assert case.duty(TERMINATION).due_at == at("2026-09-28T23:59:59-04:00")
    assert case.written() == {HOSTING: HolderMail.ASKED}


def test_an_expected_renewal_opens_no_case_and_a_failed_one_does(database: Database) -> None:
    signed(database, OHIO, expires=JUNE_30)
    record(database, OHIO, LifeAct.EXPECT_RENEWAL, JUNE_30, now=at("2026-06-30T12:00:00-04:00"))
    assert sweep(database, JULY_1) == []
    record(database, OHIO, LifeAct.RENEWAL_FAILED, now=JULY_1 + 60 * DAY)
    (case,) = sweep(database, JULY_1 + 60 * DAY)
    assert case.duty(TERMINATION).due_at == at("2026-09-28T23:59:59-04:00")


def test_an_agreement_that_was_renewed_in_time_has_not_ended(database: Database) -> None:
    signed(database, OHIO, expires=JUNE_30)
    record(database, OHIO, LifeAct.EXPECT_RENEWAL, JUNE_30, now=at("2026-06-30T12:00:00-04:00"))
    record(database, OHIO, LifeAct.RENEW, date(2028, 6, 30))
    assert sweep(database, JULY_1) == []
    assert len(sweep(database, at("2028-07-01T12:00:00-04:00"))) == 1


# What was wrong, and what takes the place of an end


def test_a_termination_that_was_none_ends_its_case_and_tells_whoever_was_told(database: Database) -> None:
    case = ended(database, RHODE_ISLAND, HOSTING)
    give_notice(case, PRIOR_NOTICE)
    case.write()
    with pytest.raises(Refused, match="says that it ended on Tue 30 Jun 2026"):
        case.act(GoesOn(reason=WHY))
    record(database, RHODE_ISLAND, LifeAct.TAKE_BACK)
    case.act(GoesOn(reason=WHY))
    assert case.written() == {HOSTING: HolderMail.WITHDRAWN}
    with database.reading() as session:
        assert session.get_one(Case, case.id).status is CaseStatus.DISMISSED
        told = session.exec(select(Batch.kind).where(Batch.case_id == case.id).order_by(col(Batch.planned_at))).all()
    assert told == [NoticeKind.NOTICE, NoticeKind.DISMISSAL]
    assert sweep(database, JULY_1 + DAY) == []
    terminated(database, RHODE_ISLAND)
    assert len(sweep(database, JULY_1 + DAY)) == 1, "the same day, recorded anew, is an end again"


def test_a_record_taken_back_leaves_nothing_owed_even_where_the_case_is_not_told(database: Database) -> None:
    case = ended(database, RHODE_ISLAND, HOSTING)
    record(database, RHODE_ISLAND, LifeAct.TAKE_BACK)
    case.compute()
    assert set(case.statuses().values()) == {DutyStatus.CANCELLED}


def directed(database: Database, place: Place, now: datetime, **changed: object) -> DirectiveInSql:
    given = {"disposal_requested": now.date(), "representative": OFFICE} | changed
    case = DirectiveInSql(database, open_again(database, directive(place.reference, **given), now), now)
    case.compute()
    return case


@pytest.mark.parametrize("place", [RHODE_ISLAND, NEW_YORK, ILLINOIS, OREGON, OHIO], ids=lambda place: place.reference)
def test_a_directive_for_all_of_the_data_takes_the_place_of_the_end(database: Database, place: Place) -> None:
    case = ended(database, place, HOSTING)
    case.write()
    later = directed(database, place, JULY_1 + DAY)
    with database.reading() as session:
        told = session.get_one(Case, case.id)
        assert told.changed_at == JULY_1 + DAY, "the watchdog lets the case about the end hear of it"
    case.compute()
    assert case.duty(TERMINATION).status is DutyStatus.CANCELLED
    assert any("requested" in why and "1 Jul" not in why for why in case.due_date(TERMINATION).why[-1:])
    if place is not ILLINOIS:
        close(case)
        assert sweep(database, JULY_1 + 2 * DAY) == [], "the directive is in hand"
    assert later.duty("disposition.request").status is DutyStatus.RUNNING


def test_a_directive_for_some_of_the_data_leaves_the_end_as_it_is(database: Database) -> None:
    case = ended(database, RHODE_ISLAND)
    directed(database, RHODE_ISLAND, JULY_1 + DAY, extent="partial", categories="Rosters")
    case.compute()
    assert case.duty(TERMINATION).status is DutyStatus.RUNNING


def test_a_directive_that_is_refused_gives_its_place_back(database: Database) -> None:
    case = ended(database, RHODE_ISLAND)
    stranger = {"name": "Pat Example", "email": "pat@example.org"}
    later = directed(database, RHODE_ISLAND, JULY_1 + DAY, representative=stranger)
    case.compute()
    assert case.duty(TERMINATION).status is DutyStatus.RUNNING, "nobody has accepted it"
    later.act(RefuseDirective(reason=WHY))
    case.compute()
    assert case.duty(TERMINATION).status is DutyStatus.RUNNING


def test_data_that_is_gone_on_a_directive_is_not_asked_for_at_the_end(database: Database) -> None:
    signed(database, OREGON)
    case = directed(database, OREGON, JULY_1 - 2 * DAY)
    terminated(database, OREGON)
    assert sweep(database, JULY_1) == []
    case.now = JULY_1
    case.write()
    case.answer("provider")
    close(case)
    assert sweep(database, JULY_1 + DAY) == []
    with database.reading() as session:
        assert session.get_one(Agreement, OREGON.agreement).disposed_end_on == JUNE_30
    gone = ("agreement_data_gone", {"day": "2026-06-30"})
    assert [entry for entry in noted(database, JULY_1 + DAY) if entry[0] == gone[0]] == [gone]
    assert sweep(database, JULY_1 + 2 * DAY) == []
    assert noted(database, JULY_1 + 2 * DAY).count(gone) == 1, "it is noted once"


# After a restore


def restore(case: DirectiveInSql, moment: datetime) -> None:
    case.now = moment
    case.act(Restored(holder="provider", restored_at=moment, particulars=WHY))


def test_each_restore_is_owed_once_more_and_confirmed_to_the_lea_once_more(database: Database) -> None:
    again = "disposition.restored-verification"
    case = ended(database, OREGON)
    case.write()
    case.answer("provider")
    give_notice(case, CERTIFICATION)
    for times in (1, 2):
        restored_at = JULY_1 + 10 * times * DAY
        restore(case, restored_at)
        duty = case.duty(RESTORED_AGAIN, times)
        assert (duty.status, duty.due_at) == (DutyStatus.RUNNING, restored_at + timedelta(hours=24))
        case.now = restored_at + timedelta(hours=2)
        case.write()
        case.answer("provider")
        assert case.duty(RESTORED_AGAIN, times).verdict is Verdict.ON_TIME
        assert case.duty(again, times).due_at == case.now + timedelta(hours=24)
        give_notice(case, again)
        assert case.duty(again, times).verdict is Verdict.ON_TIME
    with database.reading() as session:
        given = select(Notice.id).where(Notice.case_id == case.id, col(Notice.given_at).is_not(None))
        assert len(session.exec(given).all()) == 3


def test_a_second_restore_before_the_first_is_confirmed_moves_no_date(database: Database) -> None:
    case = ended(database, OREGON, HOSTING)
    case.write()
    case.answer(HOSTING)
    case.write()
    case.answer("provider")
    restore(case, JULY_1 + DAY)
    case.write()
    case.answer("provider")
    first = case.duty(RESTORED_AGAIN).due_at
    case.act(Restored(holder=HOSTING, restored_at=JULY_1 + DAY, particulars=WHY))
    assert case.duty(RESTORED_AGAIN).due_at == first
    assert case.duty(RESTORED_AGAIN, 2).status is DutyStatus.RUNNING
