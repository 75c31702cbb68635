"""What is raised to people: each thing once for what it is, and again where it is worse, with an entry each time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import col, select, update

from cases.acts import Hold, Lift
from cases.breach import BREACH
from cases.state import NoticePolicy
from config.database import Database
from mail.handover import Rejected
from models.enums import DutyStatus
from models.tables import Delivery, EvidenceEntry
from records.escalations import raise_contacts
from records.overlooked import OVERDUE_AT_ONCE, _overdue
from tests.support.case_in_sql import CaseInSql, Place, open_in_sql

NOW = datetime(2026, 11, 2, 15, tzinfo=UTC)
NOTICE, TENNESSEE = "breach.notice", Place("ndpa-v1", "TN")
REFUSED = Rejected(550, "5.1.1 No such user")
HOUR = timedelta(hours=1)


@pytest.fixture
def case(database: Database) -> CaseInSql:
    """A breach whose notice the district's only contact refused."""
    case = open_in_sql(database, BREACH, [TENNESSEE], NOW, {"confirmed": NOW})
    case.policy = NoticePolicy(release="immediate")
    case.compute()
    case.send_what_leaves(lambda _: REFUSED)
    return case


def evidence(case: CaseInSql, kind: str) -> Sequence[EvidenceEntry]:
    with case.database.reading() as session:
        return session.exec(
            select(EvidenceEntry)
            .where(EvidenceEntry.case_id == case.id, EvidenceEntry.kind == kind)
            .order_by(col(EvidenceEntry.number))
        ).all()


def overdue_and_untold(case: CaseInSql) -> bool:
    with case.database.reading() as session:
        return case.id in _overdue(session, case.now)[:OVERDUE_AT_ONCE]


def test_a_duty_that_was_raised_since_nobody_took_its_notice_is_raised_again_once_it_is_overdue(
    case: CaseInSql,
) -> None:
    for _ in range(2):
        case.raise_overdue()
    assert [entry.body["overdue"] for entry in evidence(case, "escalated")] == [False]
    due_at = case.duty(NOTICE).due_at
    assert due_at
    case.now = due_at + HOUR
    assert overdue_and_untold(case), "the watchdog looks for it as well"
    for _ in range(2):
        case.raise_overdue()
        case.now += HOUR
    assert [entry.body["overdue"] for entry in evidence(case, "escalated")] == [False, True]
    assert case.duty(NOTICE).escalated_at == due_at + HOUR
    assert not overdue_and_untold(case)


def test_a_contact_that_fails_again_is_raised_again_with_an_entry_of_its_own(case: CaseInSql) -> None:
    for _ in range(2):
        with case.database.writing() as session:
            assert len(raise_contacts(session, case.id, case.now).lines) == 1
        with case.database.writing() as session:  # as sending it again, or its coming back, does
            session.execute(update(Delivery).values(raised_at=None))
    assert len(evidence(case, "contact_escalated")) == 2


def test_what_was_computed_thrice_at_one_instant_is_three_entries(case: CaseInSql) -> None:
    """Else the ledger would end with the second, and the table with the third."""
    before = len(evidence(case, "duty_computed"))
    held = case.act(Hold.model_validate({"particulars": "The sheriff asks for it.", "begins_at": case.now}))
    assert held
    case.act(Lift(hold_id=held))
    again = case.act(Hold.model_validate({"particulars": "The sheriff asks for it.", "begins_at": case.now}))
    assert again
    case.act(Lift(hold_id=again))
    of_notice = [entry for entry in evidence(case, "duty_computed")[before:] if entry.body["clause"] == NOTICE]
    assert [entry.body["status"] for entry in of_notice] == ["suspended", "running"] * 2
    assert case.duty(NOTICE).status is DutyStatus.RUNNING
