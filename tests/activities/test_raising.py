"""Raising what is overdue: the officer is told of it even if the mail server was down when it was raised."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlmodel import col, select, update
from temporalio.testing import ActivityEnvironment

from activities.reminders import ReminderActivities
from cases.messages import RaiseOverdue
from mail.handover import MailServerUnavailable
from mail.smtp_server import Security, SmtpServer
from mail.transport import SmtpTransport
from models import identifiers
from models.enums import DeliveryStatus
from models.tables import Delivery, Duty
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from starter.writing import notice_writer
from tests.support.incidents import NOTICE, case, duties, incident, only_notice, open_case
from tests.support.patience import PATIENCE
from tests.support.scripted_server import scripted_server


async def attempt(engine: VirtualEngine, case_id: UUID, port: int, number: int) -> None:
    """Run the activity's attempt of this number, with the mail server at ``port``."""
    resources = engine.resources
    environment = ActivityEnvironment()
    started = utc_now()
    environment.info = replace(
        environment.info, attempt=number, started_time=started, scheduled_time=started - timedelta(minutes=1)
    )
    smtp = SmtpServer(host="127.0.0.1", port=port, security=Security.NONE, connections=1, timeout=PATIENCE)
    async with SmtpTransport(smtp) as transport:
        reminders = ReminderActivities(
            resources.database, transport, notice_writer(resources.settings, resources.keyring)
        )
        await environment.run(reminders.raise_overdue, RaiseOverdue(case_id=case_id))


async def test_what_was_raised_while_the_mail_server_was_down_is_told_when_it_is_back(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    with engine.resources.database.writing() as session:
        yesterday = utc_now() - timedelta(days=1)
        overdue = update(Duty).where(col(Duty.case_id) == case_id).values(due_at=yesterday, target_at=yesterday)
        session.execute(overdue)
    with pytest.raises(MailServerUnavailable):
        await attempt(engine, case_id, port=1, number=1)
    async with scripted_server() as server:
        await attempt(engine, case_id, server.port, number=2)
    assert identifiers.case_reference(case_id) in str(server.messages)
    assert len(server.messages) == 1
    assert sum(entry.kind == "escalated" for entry in case(engine, case_id).evidence) == 1


async def test_a_contact_raised_while_the_mail_server_was_down_is_told_of_when_it_is_back_and_once(
    engine: VirtualEngine,
) -> None:
    case_id = await open_case(engine, incident("ME-001", confirmed=utc_now()), release="immediate")
    notice = only_notice(duties(engine, case_id, "ME")[NOTICE])
    with engine.resources.database.writing() as session:
        delivery = session.exec(select(Delivery).where(Delivery.notice_id == notice.id)).one()
        delivery.status = DeliveryStatus.REJECTED
        session.add(delivery)
    with pytest.raises(MailServerUnavailable):
        await attempt(engine, case_id, port=1, number=1)
    async with scripted_server() as server:
        await attempt(engine, case_id, server.port, number=2)
        assert "1 contact refused a notice" in str(server.messages)
        await attempt(engine, case_id, server.port, number=1)
    assert len(server.messages) == 1
    raised = [entry for entry in case(engine, case_id).evidence if entry.kind == "contact_escalated"]
    assert [entry.subject for entry in raised] == [str(delivery.id)]
