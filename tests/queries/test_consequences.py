"""What is foreseen is what is then computed, and foreseeing writes nothing."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import col, select

from agreements.legal_holds import place_legal_hold
from agreements.subprocessors import import_subprocessors
from cases.acts import Act, Add, SetDate
from cases.breach import BREACH, Confirm
from cases.disposition import DISPOSITION, AcceptDirective
from cases.kind import Kind
from cases.kinds import kind_named
from cases.parent_access import PARENT_ACCESS
from cases.plausibility import dates_of_act
from cases.state import NoticePolicy
from cases.values import KeptReferences, KeptText
from config.database import Database
from models.enums import BatchStatus, DutyStatus, HolderMail, Party
from models.tables import Batch, Case, Notice
from queries.consequences import Change, Consequences, Foresight
from records.intake import prepare
from terms.limits import STANDARD_DEFAULTS
from tests.support.access_requests import access_request
from tests.support.case_in_sql import CATALOGUE, CaseInSql, Place, keep_agreement, open_in_sql, standing_kind
from tests.support.directives import (
    BACKUP,
    HOSTING,
    ILLINOIS,
    DirectiveInSql,
    address_of,
    directive,
    open_again,
    open_directive,
)
from tests.support.directives import NOW as OPENED
from tests.support.incidents import INITIAL, NOTICE, incident

NOW = datetime(2026, 11, 2, 15, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
VIRGINIA, TENNESSEE, OREGON = Place("ndpa-v1", "VA"), Place("ndpa-v1", "TN"), Place("ndpa-v2", "OR")
PLACES = (VIRGINIA, TENNESSEE, OREGON)
SOMEBODY = {"name": "Somebody", "email": "somebody@example.org"}
REASON = KeptText.model_validate("The log says so.")


def foresight(now: datetime, policy: NoticePolicy | None = None) -> Foresight:
    return Foresight(CATALOGUE, STANDARD_DEFAULTS, Party.PROVIDER, policy or NoticePolicy(), now)


def foreseen(case: CaseInSql, act: Act) -> Consequences:
    with case.database.reading() as session:
        row = session.get_one(Case, case.id)
        return foresight(case.now, case.policy).of_act(session, row, act, dates_of_act(kind_named(row.kind), act))


def suspicion(database: Database, **dates: datetime) -> CaseInSql:
    case = open_in_sql(database, BREACH, PLACES, NOW, {"occurred": NOW - 90 * HOUR, **dates})
    case.compute()
    return case


def running(case: CaseInSql) -> Counter[tuple[str, datetime]]:
    return Counter(
        (duty.clause, duty.due_at) for duty in case.duties if duty.status is DutyStatus.RUNNING and duty.due_at
    )


def drafts(case: CaseInSql) -> Counter[tuple[str, datetime]]:
    """The notices that wait, by clause and the moment at which they leave."""
    with case.database.reading() as session:
        rows = session.exec(
            select(Batch.clause, Batch.leaves_at)
            .join(Notice, col(Notice.batch_id) == col(Batch.id))
            .where(Batch.case_id == case.id, Batch.status == BatchStatus.WAITING, col(Notice.dropped).is_(False))
        )
        return Counter(rows.all())


def dated(found: Consequences) -> Counter[tuple[str, datetime]]:
    lines = Counter[tuple[str, datetime]]()
    for line in found.duties:
        if line.due_at and line.change in (Change.STARTS, Change.MOVES):
            lines[line.clause, line.due_at] += line.duties
    return lines


def mailed(found: Consequences) -> Counter[tuple[str, datetime]]:
    lines = Counter[tuple[str, datetime]]()
    for line in found.duties:
        if line.leaves_at:
            lines[line.clause, line.leaves_at] += line.mailed
    return lines


@pytest.mark.parametrize("ago", [1, 20, 71.5, 80, 5_000])
def test_a_confirmation_starts_what_it_was_shown_to_start(database: Database, ago: float) -> None:
    case = suspicion(database)
    act = Confirm(confirmed_at=NOW - ago * HOUR)
    found, before = foreseen(case, act), running(case)
    assert not before
    assert found.overdue == sum(line.duties for line in found.duties if line.due_at and line.due_at < NOW)
    case.act(act)
    assert dated(found) == running(case)
    assert mailed(found) == drafts(case)
    assert all(leaves_at > NOW for _, leaves_at in drafts(case)), "nothing leaves by itself at once"


@pytest.mark.parametrize("by", [-60, -1, 2])
def test_a_correction_moves_what_it_was_shown_to_move(database: Database, by: int) -> None:
    case = suspicion(database, confirmed=NOW - 20 * HOUR)
    case.now += HOUR
    act = SetDate(name="confirmed", instant=NOW - 20 * HOUR + by * HOUR, reason=REASON)
    found, before = foreseen(case, act), running(case)
    assert {line.change for line in found.duties} == {Change.MOVES}
    assert {line.due_before for line in found.duties if line.clause == NOTICE} == {NOW + 52 * HOUR}
    case.act(act)
    assert dated(found) == running(case) - before
    assert mailed(found) == drafts(case)


def test_a_date_for_one_agreement_changes_that_one(database: Database) -> None:
    case = suspicion(database, confirmed=NOW - 20 * HOUR)
    act = SetDate.model_validate(
        {
            "name": "confirmed",
            "instant": NOW - HOUR,
            "reason": "The log says so.",
            "agreement": TENNESSEE.reference,
        }
    )
    found = foreseen(case, act)
    assert [(line.clause, line.duties, line.told[0].reference) for line in found.duties] == [
        (NOTICE, 1, TENNESSEE.reference)
    ]


def test_agreements_that_are_added_start_theirs(database: Database) -> None:
    case = suspicion(database, confirmed=NOW - 80 * HOUR)
    other = Place("ndpa-v1", "MA")
    with database.writing() as session:
        keep_agreement(session, other, NOW.date(), NOW)
    act = Add(agreements=KeptReferences.model_validate([other.reference]))
    found = foreseen(case, act)
    assert found.agreements == len(PLACES) + 1
    (line,) = found.duties
    assert (line.clause, line.change, line.duties, line.overdue) == (NOTICE, Change.STARTS, 1, True)
    assert line.leaves_at == NOW + timedelta(minutes=30)


def test_what_is_not_awaited_any_more_is_said(database: Database) -> None:
    kind = standing_kind("breach", awaits=frozenset({"reasonably_expected", "confirmed"}))
    case = open_in_sql(database, kind, [TENNESSEE], NOW, {})
    case.compute()
    assert {duty.status for duty in case.duties} == {DutyStatus.PENDING}
    unawaited = Kind(**{**vars(kind), "awaits": lambda _: frozenset()})
    with pytest.MonkeyPatch.context() as patch, database.reading() as session:
        patch.setattr("queries.consequences.kind_named", lambda _: unawaited)
        act = SetDate(name="occurred", instant=NOW - HOUR)
        found = foresight(NOW).of_act(session, session.get_one(Case, case.id), act, dates_of_act(unawaited, act))
    assert [(given_up.clause, given_up.duties) for given_up in found.given_up] == [(NOTICE, 1)]


def test_a_report_is_foreseen_with_whom_it_would_tell(database: Database) -> None:
    with database.writing() as session:
        for place in PLACES:
            keep_agreement(session, place, NOW.date(), NOW)
    report = incident(*(place.reference for place in PLACES), expected=NOW - HOUR)
    with database.reading() as session:
        found = foresight(NOW).of_intake(session, BREACH, report)
    first, *others = found.duties
    assert (first.clause, first.due_at, first.mailed) == (INITIAL, NOW + 23 * HOUR, 1)
    assert [told.emails for told in first.told] == [("office@example.org",)]
    assert (first.time_zone, first.reasons) == ("America/Chicago", 1)
    assert {line.change for line in others} == {Change.WAITS}
    assert found.agreements == len(PLACES)


def test_where_notices_leave_without_release_they_leave_at_once(database: Database) -> None:
    case = suspicion(database)
    case.policy = NoticePolicy(release="immediate")
    found = foreseen(case, Confirm(confirmed_at=NOW - 100 * HOUR))
    assert found.at_once
    assert {leaves_at for _, leaves_at in mailed(found)} == {NOW}


def foreseen_of_directive(database: Database, **changed: object) -> Consequences:
    """What would follow from a directive for a district whose agreement lists two subprocessors."""
    with database.writing() as session:
        keep_agreement(session, ILLINOIS, OPENED.date() - timedelta(days=400), OPENED)
    rows = "".join(f"{ILLINOIS.reference},{name},{address_of(name)},Rosters\n" for name in (HOSTING, BACKUP))
    listed = f"agreement,name,email,data\n{rows}"
    import_subprocessors(database, listed, file_name="list.csv", now=OPENED, actor="officer")
    if changed.pop("kept", False):
        place_legal_hold(database, agreement=ILLINOIS.reference, reason="A lawsuit.", actor="officer", now=OPENED)
    intake = directive(ILLINOIS.reference, **changed)
    with database.reading() as session:
        further = prepare(session, DISPOSITION, intake, OPENED, Party.PROVIDER)
        return foresight(OPENED).of_intake(session, DISPOSITION, intake, further)


def opened(database: Database, **changed: object) -> DirectiveInSql:
    """The case of that directive, computed."""
    case_id = open_again(database, directive(ILLINOIS.reference, **changed), OPENED)
    case = DirectiveInSql(database, case_id, OPENED, Party.PROVIDER)
    case.compute()
    return case


class TestTheHoldersOfData:
    """What they are asked waits for no release, so who is mailed at once is foreseen, and is who is then mailed."""

    def test_of_a_directive_are_those_that_are_asked_once_it_is_recorded(self, database: Database) -> None:
        found = foreseen_of_directive(database)
        assert [(one.name, one.email) for one in found.asked] == [
            (BACKUP, address_of(BACKUP)),
            (HOSTING, address_of(HOSTING)),
        ]
        case = DirectiveInSql(
            database, open_again(database, directive(ILLINOIS.reference), OPENED), OPENED, Party.PROVIDER
        )
        case.compute()
        assert set(case.written()) == {one.name for one in found.asked}

    def test_are_not_asked_before_a_directive_is_accepted(self, database: Database) -> None:
        assert foreseen_of_directive(database, representative=SOMEBODY).asked == ()
        case = DirectiveInSql(
            database,
            open_again(database, directive(ILLINOIS.reference, representative=SOMEBODY), OPENED),
            OPENED,
            Party.PROVIDER,
        )
        case.compute()
        assert set(case.written().values()) == {HolderMail.UNDECIDED}, "our own office alone is told"
        accept = AcceptDirective(verified_at=OPENED, reason=KeptText.model_validate("Confirmed by telephone."))
        assert [one.name for one in foreseen(case, accept).asked] == [BACKUP, HOSTING]

    def test_are_told_of_a_date_that_moves_unless_they_have_answered(self, database: Database) -> None:
        case = open_directive(database, HOSTING, BACKUP)
        case.write()
        case.answer(BACKUP)
        corrected = SetDate(name="disposal_requested", first_day=OPENED.date() - timedelta(days=1), reason=REASON)
        assert [one.name for one in foreseen(case, corrected).asked] == [HOSTING]

    def test_are_told_to_stop_once_a_request_for_access_is_recorded(self, database: Database) -> None:
        case = open_directive(database, HOSTING)
        case.write()
        with database.reading() as session:
            found = foresight(OPENED).of_intake(session, PARENT_ACCESS, access_request(ILLINOIS.reference))
        assert found.stopped == ("Directive of the district",)
        assert found.asked == ()

    def test_are_not_asked_while_the_data_is_kept(self, database: Database) -> None:
        assert foreseen_of_directive(database, kept=True).asked == ()
