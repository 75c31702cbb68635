"""Whom a notice must reach before it counts as given: those whom its clause tries first, and no copy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from cases.breach import BREACH
from config.database import Database
from mail.handover import Rejected, SendResult
from models.enums import ContactRole, DutyStatus, Verdict
from models.tables import AgreementContact
from records.outbox import OutgoingMessage
from tests.support.case_in_sql import QUEUED, CaseInSql, Place, open_in_sql

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
TENNESSEE = Place("ndpa-v1", "TN")
OREGON = Place("ndpa-v2", "OR")
REFUSED = Rejected(550, "5.1.1 No such user")


def confirmed_breach(database: Database, place: Place) -> CaseInSql:
    """A breach whose LEA has a security contact beside its general one, at its notice's last safe moment."""
    case = open_in_sql(database, BREACH, [place], NOW, {"occurred": NOW, "discovered": NOW, "confirmed": NOW})
    with database.writing() as session:
        session.add(
            AgreementContact(
                id=uuid4(),
                agreement_id=place.agreement,
                role=ContactRole.SECURITY,
                name="Security",
                email="security@example.org",
            )
        )
    case.compute()
    case.now += timedelta(hours=71)
    return case


def refusing(address: str, outgoing: OutgoingMessage) -> SendResult:
    return REFUSED if outgoing.email == address else QUEUED


def test_under_version_1_a_copy_to_the_security_contact_performs_nothing(database: Database) -> None:
    case = confirmed_breach(database, TENNESSEE)
    case.send_what_leaves(lambda outgoing: refusing("office@example.org", outgoing))
    case.compute()
    duty = case.duty("breach.notice")
    assert (duty.status, duty.performed_at) == (DutyStatus.RUNNING, None)


@pytest.mark.parametrize(
    ("place", "address"), [(TENNESSEE, "security@example.org"), (OREGON, "nobody@example.org")], ids=["v1", "v2"]
)
def test_what_reaches_those_tried_first_performs_the_duty(database: Database, place: Place, address: str) -> None:
    case = confirmed_breach(database, place)
    case.send_what_leaves(lambda outgoing: refusing(address, outgoing))
    case.compute()
    duty = case.duty("breach.notice")
    assert (duty.status, duty.verdict) == (DutyStatus.PERFORMED, Verdict.ON_TIME)
