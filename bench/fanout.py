"""One incident that touches every agreement: ``python -m bench.fanout [--agreements 18000]``.

A real Temporal server on a file, a real worker, the SQLite database with its usual durability, and mail given by SMTP
to a catcher in a process of its own. The floor beside the figures is a plain loop in the same run: compose a notice,
hand it over by ``smtplib``, keep nothing. Every notice must have been given once, and the ledger must be sound; exits
with 1 below the limit.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from uuid import UUID

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlmodel import col, func, select
from temporalio.api.enums.v1 import EventType

from agreements.importing import import_agreements
from bench.mail import catch, plain_loop, rate
from bench.support import ACTOR, district_file
from cases.breach import BREACH, IncidentReport
from cases.intake import ApproximateTime, Person
from config.keyring import Keyring
from config.logging import configure_logging
from config.settings import Settings
from ledger.verify import verify_ledger
from models import identifiers
from models.enums import DeliveryStatus
from models.tables import Batch, Delivery, Notice
from starter.case_service import CaseService
from starter.local.temporal_server import find_cli, register_search_attributes, temporal_server
from starter.resources import Resources, connect, utc_now
from worker import build_worker

AGREEMENTS = 18_000
LIMIT_PER_SECOND = 150
EVENTS_LIMIT = 4_096
"""Where Temporal begins to suggest that a history is long."""

PLAIN = 1_000
"""How many notices the plain loop sends."""

PERSON = Person(name="Robin Example", email="robin@provider.example.org", phone="+1 555 0102")


def incident(references: tuple[str, ...]) -> IncidentReport:
    """A breach of everything, confirmed a moment ago."""
    now = utc_now()
    return IncidentReport(
        title="Everything was readable",
        occurred=ApproximateTime(kind="instant", at=now - timedelta(days=9)),
        discovered_at=now - timedelta(hours=2),
        confirmed_at=now - timedelta(minutes=1),
        description="Rosters of every district were copied by an account that should not have read them.",
        data_types=("Student name", "Course grades"),
        agreements=references,
        reporter=PERSON,
        point_of_contact=PERSON,
    )


@contextmanager
def catcher(folder: Path) -> Iterator[int]:
    """A mail catcher in a process of its own; gives its port."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=catch, args=(folder, theirs))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send(None)
        process.join()


@asynccontextmanager
async def installation(home: Path, smtp_port: int, *, release: str = "immediate") -> AsyncIterator[Resources]:
    """A new installation with a Temporal server and a worker of its own."""
    settings = Settings.model_validate(
        {
            "home": home,
            "release": release,
            "log_level": "error",
            "smtp": {"host": "127.0.0.1", "port": smtp_port, "security": "none"},
        }
    )
    configure_logging(settings)
    Keyring.create(settings.keyring)
    port, ui_port = free_port(), free_port()
    async with temporal_server(await find_cli(None, home / "temporal-cli"), home, port, ui_port) as server:
        resources = await connect(settings, address=server.address)
        await register_search_attributes(resources.client)
        async with build_worker(resources):
            yield resources
        resources.database.close()


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass(frozen=True)
class Phases:
    """How many seconds the case spent on each part of its work, and how many events its history holds."""

    pinning: float
    due_date: float
    sending: float
    events: int


async def until_given(resources: Resources) -> int:
    """Show the notices going until the last is given; return how many there are."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns) as progress:
        task = progress.add_task("notices given", total=None)
        while True:
            total, given = await asyncio.to_thread(_counts, resources)
            progress.update(task, total=total or None, completed=given)
            if total and given == total:
                return total
            await asyncio.sleep(1)


def _counts(resources: Resources) -> tuple[int, int]:
    with resources.database.reading() as session:
        return session.exec(select(func.count(), func.count(col(Notice.given_at))).select_from(Notice)).one()


async def phases(resources: Resources, case_id: UUID) -> Phases:
    """Read the case's own history."""
    handle = resources.client.get_workflow_handle(identifiers.workflow_id(BREACH.name, case_id))
    events = (await handle.fetch_history()).events
    at = {event.event_id: event.event_time.ToNanoseconds() / 1e9 for event in events}
    spent: dict[str, float] = {}
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            scheduled = event.activity_task_completed_event_attributes.scheduled_event_id
            name = events[scheduled - 1].activity_task_scheduled_event_attributes.activity_type.name
            spent.setdefault(name, at[event.event_id] - at[scheduled])
    children = [event for event in events if event.HasField("child_workflow_execution_completed_event_attributes")]
    asked = [event for event in events if event.HasField("start_child_workflow_execution_initiated_event_attributes")]
    sending = at[children[-1].event_id] - at[asked[0].event_id]
    return Phases(spent["open_case"], spent["compute_duties"], sending, len(events))


async def longest_batch(resources: Resources) -> int:
    """How many events the longest history of a batch holds."""
    with resources.database.reading() as session:
        batches = session.exec(select(Batch.id)).all()
    handles = [resources.client.get_workflow_handle(identifiers.batch_workflow_id(batch)) for batch in batches]
    return max([(await handle.describe()).history_length for handle in handles])


def check(resources: Resources, mail: Path) -> int:
    """Hold that each notice was accepted once, its copies aside, and that the ledger is sound; return its length."""
    with resources.database.reading() as session:
        notices = session.exec(select(func.count()).select_from(Notice)).one()
        accepted = session.exec(
            select(func.count(), func.count(col(Delivery.notice_id).distinct()), func.max(Delivery.attempts)).where(
                Delivery.status == DeliveryStatus.ACCEPTED, col(Delivery.is_copy).is_(False)
            )
        ).one()
        copies = session.exec(
            select(func.count()).where(col(Delivery.is_copy), Delivery.status == DeliveryStatus.ACCEPTED)
        ).one()
        verified = verify_ledger(session)
    assert accepted == (notices, notices, 1), f"{notices} notices, but (accepted, notices, attempts) is {accepted}"
    assert sum(1 for _ in mail.iterdir()) >= notices + copies, "the catcher kept fewer messages than it accepted"
    assert verified.sound, verified.flaw
    return verified.length


def megabytes(*files: Path) -> float:
    """The size of some files."""
    return sum(file.stat().st_size for file in files if file.exists()) / 1e6


async def measure(home: Path, wanted: int) -> int:
    """Measure, print, and check that nothing was lost."""
    mail, temporal = home / "mail", home / "temporal.db"
    with catcher(home / "plain") as port:
        floor = rate(PLAIN, partial(plain_loop, port, PLAIN))
    with catcher(mail) as port:
        async with installation(home, port) as resources:
            begun = perf_counter()
            text = district_file(resources.catalogue, wanted)
            await asyncio.to_thread(
                import_agreements,
                resources.database,
                resources.catalogue,
                text,
                file_name="many.csv",
                now=utc_now(),
                actor=ACTOR,
            )
            imported = perf_counter()
            references = tuple(line.partition(",")[0] for line in text.splitlines()[1:])
            reported = await CaseService(resources).open_case(BREACH, incident(references), actor=ACTOR)
            kept = perf_counter()
            notices = await until_given(resources)
            end = perf_counter()
            await asyncio.sleep(2)  # until the case has heard of its last batch
            found, longest = await phases(resources, reported.case_id), await longest_batch(resources)
            length = check(resources, mail)
            sql = megabytes(home / "duenotice.sqlite3", home / "duenotice.sqlite3-wal")
    overall = notices / (end - imported)
    print(f"{wanted:,} agreements, {notices:,} notices, {length:,} entries of evidence, each given once")
    for name, seconds in (
        ("import the agreements", imported - begun),
        ("keep the report", kept - imported),
        ("pin their terms", found.pinning),
        ("compute every duty and plan the notices", found.due_date),
        ("compose, reserve, send and record", found.sending),
    ):
        print(f"{name:42}{seconds:8.1f} s {notices / seconds:10,.0f} notices/s")
    print(f"{'from report to the last notice':42}{end - imported:8.1f} s {overall:10,.0f} notices/s")
    print(f"{'plain loop: compose, smtplib, keep nothing':42}{'':10} {floor:10,.0f} notices/s   {overall / floor:.2f}")
    print(f"history events: {found.events:,} in the case, {longest} in the longest batch")
    print(f"databases: {sql:,.0f} MB SQL, {megabytes(temporal):,.0f} MB Temporal; mail {mail_size(mail):,.0f} MB")
    return int(overall < LIMIT_PER_SECOND or found.events > EVENTS_LIMIT)


def mail_size(folder: Path) -> float:
    """How large the messages are together."""
    return megabytes(*folder.iterdir())


def main() -> int:
    """Measure in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agreements", type=int, default=AGREEMENTS)
    wanted: int = parser.parse_args().agreements
    with TemporaryDirectory() as folder:
        return asyncio.run(measure(Path(folder), wanted))


if __name__ == "__main__":
    sys.exit(main())
