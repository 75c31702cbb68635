"""Many notices of one case, given by the real activity to a mail server that does as it is told; no Temporal is needed.

The clock is the test's: each run of the activity begins at the moment that it says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlmodel import col, func, select
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.notices import NoticeActivities
from agreements.importing import import_agreements
from cases.breach import BREACH
from cases.messages import SendBatch
from config.database import Database
from mail.smtp_server import Security, SmtpServer
from mail.transport import SmtpTransport
from models import identifiers
from models.enums import BatchStatus, DeliveryStatus
from models.tables import AgreementContact, Batch, CaseAgreement, Delivery, EvidenceEntry, Notice
from records.batches import take_up_undelivered
from tests.support.case_in_sql import CATALOGUE, PAUSE, WRITER, CaseInSql, open_in_sql
from tests.support.patience import PATIENCE
from tests.support.posting import HEADER
from tests.support.scripted_server import ScriptedServer, scripted_server

NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)
RESENDS = 3


@dataclass
class Mailing:
    """A case whose notices may leave, the server that they are given to, and what gives them."""

    case: CaseInSql
    server: ScriptedServer
    notices: NoticeActivities

    async def send_due(self) -> list[str]:
        """Run the activity for every batch that is due, one by one; return what kept any from being gone through."""
        moment = func.coalesce(Batch.again_at, Batch.leaves_at)
        goes = (col(Batch.status).in_((BatchStatus.WAITING, BatchStatus.PUT_OFF)) & (moment <= self.case.now)) | (
            col(Batch.status) == BatchStatus.SENDING
        )
        with self.case.database.reading() as session:
            due = session.exec(
                select(Batch.id).where(Batch.case_id == self.case.id, goes).order_by(col(Batch.id))
            ).all()
        return [trouble for batch_id in due if (trouble := await self.send(batch_id))]

    def is_through(self) -> bool:
        """Whether every batch was gone through."""
        left = (BatchStatus.WAITING, BatchStatus.SENDING, BatchStatus.PUT_OFF)
        with self.case.database.reading() as session:
            return (
                session.exec(select(Batch).where(Batch.case_id == self.case.id, col(Batch.status).in_(left))).first()
                is None
            )

    async def send(self, batch_id: UUID) -> str | None:
        """Run the activity once; return the kind of trouble that it ends in."""
        with self.case.database.writing() as session:
            session.get_one(Batch, batch_id).released_by = "officer"
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, started_time=self.case.now)
        try:
            await environment.run(self.notices.send_batch, SendBatch(batch_id=batch_id, released_by="officer"))
        except ApplicationError as error:
            return error.type
        return None

    def pass_time(self, by: timedelta) -> None:
        """Let time pass."""
        self.case.now += by

    def compute(self) -> None:
        """What the case does once it hears of something: compute, and take up what can be given after all."""
        self.case.compute()
        with self.case.database.writing() as session:
            take_up_undelivered(session, self.case.id, self.case.now)

    def name_contacts(self, contacts: dict[str, str]) -> None:
        """Import agreements by reference, each with its contacts, separated by semicolons."""
        _know(self.case.database, contacts, self.case.now)

    def deliveries(self) -> list[tuple[str, Delivery]]:
        """Every delivery of the case, with the address that it is for."""
        with self.case.database.reading() as session:
            rows = session.exec(
                select(AgreementContact.email, Delivery)
                .join(Delivery, col(Delivery.contact_id) == col(AgreementContact.id))
                .join(Notice, col(Notice.id) == col(Delivery.notice_id))
                .where(Notice.case_id == self.case.id)
                .order_by(col(Delivery.id))
            )
            return [(email, delivery) for email, delivery in rows]

    def statuses(self) -> dict[str, DeliveryStatus]:
        """How the delivery to each address stands."""
        return {email: delivery.status for email, delivery in self.deliveries()}

    def given(self) -> int:
        """How many notices are given."""
        return sum(notice.given_at is not None for notice in self.all_notices())

    def all_notices(self) -> Sequence[Notice]:
        with self.case.database.reading() as session:
            return session.exec(
                select(Notice).where(Notice.case_id == self.case.id, col(Notice.dropped).is_(False))
            ).all()

    def evidence(self, *kinds: str) -> list[EvidenceEntry]:
        """The entries of some kinds, in order."""
        with self.case.database.reading() as session:
            found = select(EvidenceEntry).where(col(EvidenceEntry.kind).in_(kinds)).order_by(col(EvidenceEntry.number))
            return list(session.exec(found))


@asynccontextmanager
async def mailing(
    database: Database, contacts: dict[str, str], *, connections: int = 4, **script: Sequence[str | None]
) -> AsyncIterator[Mailing]:
    """Confirm a breach at districts, by reference, with these contacts; its notices leave at once."""
    _know(database, contacts, NOON)
    case = open_in_sql(database, BREACH, [], NOON, dict.fromkeys(("occurred", "discovered", "confirmed"), NOON))
    with database.writing() as session:
        session.add_all(
            CaseAgreement(case_id=case.id, agreement_id=identifiers.agreement_id(reference), added_at=NOON)
            for reference in contacts
        )
    case.policy = case.policy.model_copy(update={"release": "immediate"})
    case.compute()
    async with scripted_server(**script) as server:
        smtp = SmtpServer(
            host="127.0.0.1", port=server.port, security=Security.NONE, connections=connections, timeout=PATIENCE
        )
        async with SmtpTransport(smtp) as transport:
            notices = NoticeActivities(database, transport, WRITER, unknown_resends=RESENDS, pause=PAUSE)
            yield Mailing(case, server, notices)


def _know(database: Database, contacts: dict[str, str], now: datetime) -> None:
    rows = [
        f"{reference},ndpa-v1,District {reference},ME,America/New_York,2025-01-12,"
        f"{';'.join('Office' for _ in addresses.split(';'))},{addresses},,\n"
        for reference, addresses in contacts.items()
    ]
    import_agreements(database, CATALOGUE, HEADER + "".join(rows), file_name="some.csv", now=now, actor="officer")


def districts(count: int, contacts: int = 1) -> dict[str, str]:
    """So many districts by reference, each with so many contacts at a domain of its own."""
    return {
        f"ME-{number:03}": ";".join(f"office{place}@d{number}.example.org" for place in range(contacts))
        for number in range(count)
    }
