"""One batch of notices, sent by the real activity to a mail server that does as it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import pytest
from sqlmodel import col, func, select
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.notices import NoticeActivities
from agreements.importing import import_agreements
from cases.messages import BatchOutcome, SendBatch
from ledger.artifacts import fetch
from mail.smtp_server import Security, SmtpServer
from mail.transport import SmtpTransport
from models.enums import DeliveryStatus
from models.tables import Artifact, Batch, EvidenceEntry, LedgerHead
from queries.views import CaseView, DeliveryView, DutyView
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from starter.writing import notice_writer, pause_rule
from tests.support.incidents import case, incident, only_notice, open_case
from tests.support.patience import PATIENCE
from tests.support.scripted_server import ScriptedServer, scripted_server


@dataclass
class Posting:
    """A batch that waits in an open case, the server that it will be given to, and when it was last sent."""

    engine: VirtualEngine
    case_id: UUID
    server: ScriptedServer
    notices: NoticeActivities
    began_at: datetime
    after: int
    letters_before: int

    async def send(self, *, at: datetime | None = None) -> BatchOutcome:
        """Run the activity once, as an attempt that starts at ``at``: now, or when what was put off is due."""
        with self.engine.resources.database.writing() as session:
            batch = session.exec(select(Batch).where(Batch.case_id == self.case_id)).one()
            batch.released_by = "officer"
        self.began_at = at or batch.again_at or utc_now()
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, started_time=self.began_at)
        return await environment.run(self.notices.send_batch, SendBatch(batch_id=batch.id, released_by="officer"))

    async def fails(self) -> str:
        """Run the activity once, and return the kind of trouble it ends in."""
        with pytest.raises(ApplicationError) as caught:
            await self.send()
        assert caught.value.type
        return caught.value.type

    async def puts_off(self) -> DeliveryStatus:
        """Run the activity once; it puts its one letter off. Return how that stands."""
        outcome = await self.send()
        assert outcome.put_off == 1
        assert outcome.again_at
        (status,) = self.statuses
        return status

    @property
    def case(self) -> CaseView:
        return case(self.engine, self.case_id)

    @property
    def duty(self) -> DutyView:
        """The one duty whose clock runs."""
        (duty,) = (duty for duty in self.case.duties if duty.due_at)
        return duty

    @property
    def deliveries(self) -> tuple[DeliveryView, ...]:
        return only_notice(self.duty).deliveries

    @property
    def statuses(self) -> list[DeliveryStatus]:
        return [delivery.status for delivery in self.deliveries]

    @property
    def evidence(self) -> list[EvidenceEntry]:
        """What happened to the notice, in order."""
        return [
            entry
            for entry in self.entries()
            if entry.kind.startswith(("notice_", "delivery_", "copy_")) and entry.kind != "notice_released"
        ]

    @property
    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.evidence]

    def entries(self) -> list[EvidenceEntry]:
        """Every entry of the case, in order."""
        with self.engine.resources.database.reading() as session:
            found = session.exec(select(EvidenceEntry).where(EvidenceEntry.case_id == self.case_id)).all()
        return sorted(found, key=lambda entry: entry.number)

    def of_mail(self) -> list[str]:
        """What happened to mail as a whole since the letter was posted, in order."""
        with self.engine.resources.database.reading() as session:
            found = session.exec(
                select(EvidenceEntry)
                .where(col(EvidenceEntry.kind).startswith("mail_"), col(EvidenceEntry.number) > self.after)
                .order_by(col(EvidenceEntry.number))
            )
            return [entry.kind for entry in found]

    def letters(self) -> int:
        """How many messages are kept of those written since the letter was posted."""
        return _letters(self.engine) - self.letters_before

    def artifact(self, sha256: str) -> bytes:
        with self.engine.resources.database.reading() as session:
            return fetch(session, sha256)


def _letters(engine: VirtualEngine) -> int:
    with engine.resources.database.reading() as session:
        kept = select(func.count()).select_from(Artifact).where(col(Artifact.media_type) == "message/rfc822")
        return session.exec(kept).one()


HEADER = (
    "reference,form,lea_name,state,time_zone,executed_on,general_name,general_email,copy_to_name,copy_to_email,"
    "general_address\n"
)


@asynccontextmanager
async def posting(
    engine: VirtualEngine, contacts: str, *, counsel: str = "", address: str = "", **script: list[str | None]
) -> AsyncIterator[Posting]:
    """Confirm a breach at a district that designates these contacts; the server answers by ``script``."""
    reference = f"ME-{utc_now():%H%M%S%f}"
    names = ";".join("Office" for _ in contacts.split(";"))
    row = f"{reference},ndpa-v1,Inkwell District,ME,America/New_York,2025-01-12,"
    row += f"{names},{contacts},{'Counsel' if counsel else ''},{counsel},{address}\n"
    resources = engine.resources
    import_agreements(
        resources.database, resources.catalogue, HEADER + row, file_name="one.csv", now=utc_now(), actor="officer"
    )
    case_id = await open_case(engine, incident(reference, confirmed=utc_now()))
    async with scripted_server(**script) as server:
        smtp = SmtpServer(host="127.0.0.1", port=server.port, security=Security.NONE, connections=1, timeout=PATIENCE)
        async with SmtpTransport(smtp) as transport:
            notices = NoticeActivities(
                resources.database,
                transport,
                notice_writer(resources.settings, resources.keyring),
                unknown_resends=resources.settings.unknown_resends,
                pause=pause_rule(resources.settings),
            )
            with resources.database.reading() as session:
                after = session.exec(select(LedgerHead.length)).one()
            yield Posting(engine, case_id, server, notices, utc_now(), after, _letters(engine))
