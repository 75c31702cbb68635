"""One incident that touches every agreement: ``python -m bench.fanout [--agreements 18000] [--json]``.

A real Temporal server on a file, as many worker processes as cores, the SQLite database with its usual durability, and
mail given by SMTP to a sink in a process of its own. Every notice must have been given once, and the ledger must be
sound. Beside it in the same run, a bare script of one process that renders the same mails and sends them, copies too,
by aiosmtplib one after another, keeping nothing. Then a part of it to a sink that pushes back, until all but what it
deferred have left. Exits with 1 below the limits.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from multiprocessing import active_children, get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from uuid import UUID

import aiosmtplib
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import text
from sqlmodel import col, func, select
from temporalio.api.enums.v1 import EventType, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

from bench import with_dbos
from bench.mail import catch
from bench.sink import NAME as SINK
from bench.sink import Pushback, Sink, sink
from bench.support import ACTOR, free_port, know_districts
from cases.breach import BREACH, IncidentReport
from cases.intake import ApproximateTime, Person
from config.keyring import Keyring
from config.logging import configure_logging
from config.settings import Settings
from ledger.verify import verify_ledger
from mail.compose import compose
from mail.facts import Mailbox
from models import identifiers
from models.enums import BatchStatus, DeliveryStatus
from models.identifiers import TASK_QUEUE
from models.tables import Agreement, Batch, Delivery, Duty, Notice
from records.outbox import DraftedNotice
from starter.case_service import CaseService
from starter.local.temporal_server import find_cli, register_search_attributes, temporal_server
from starter.resources import Resources, connect, utc_now
from starter.writing import notice_writer
from worker import build_worker, further_processes

AGREEMENTS = 18_000
TO_THE_SLOW_SINK = 2_000
"""How many agreements are told by way of the sink that pushes back."""

BARE = 1_500
"""How many notices the bare script sends."""

PUSHBACK = Pushback()
CONNECTIONS = 64
"""How many connections each process keeps: what is answered at one time is recorded in one transaction."""

NO_DBOS = "DBOS is not measured: install it (pip install dbos), and name a database by --dbos-database-url"

MOST = 0.9
"""Of the notices: the sink that pushes back defers a twentieth, and those wait a minute for their next try."""

RATIO, RATIO_TO_DBOS, SECONDS, MEGABYTES, BYTES_A_NOTICE = 3.0, 6.0, 30.0, 500.0, 4_096.0
"""The limits: of the bare script's rate and of DBOS's, of the whole, of each process's memory, and of what is kept."""

EVENTS_LIMIT = 4_096
"""Where Temporal begins to suggest that a history is long."""

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
async def installation(
    home: Path, smtp_port: int, *, release: str = "immediate", processes: int = 0, connections: int = 8
) -> AsyncIterator[Resources]:
    """A new installation with a Temporal server and a worker: in this process, or in so many of their own."""
    settings = Settings.model_validate(
        {
            "home": home,
            "release": release,
            "log_level": "error",
            "smtp": {"host": "127.0.0.1", "port": smtp_port, "security": "none", "connections": connections},
        }
    )
    configure_logging(settings)
    Keyring.create(settings.keyring)
    port, ui_port = free_port(), free_port()
    async with temporal_server(await find_cli(None, home / "temporal-cli"), home, port, ui_port) as server:
        resources = await connect(settings, address=server.address)
        await register_search_attributes(resources.client)
        worker = (
            build_worker(resources)
            if processes == 0
            else further_processes(settings, processes, address=server.address)
        )
        async with worker:
            await until_polling(resources, max(processes, 1))
            yield resources
        resources.database.close()


async def until_polling(resources: Resources, workers: int) -> None:
    """Wait until so many workers ask for work: what is measured is an installation that runs, not how one starts."""
    asked = DescribeTaskQueueRequest(
        namespace=resources.client.namespace,
        task_queue=TaskQueue(name=TASK_QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )
    while True:
        answer = await resources.client.workflow_service.describe_task_queue(asked)
        if len({poller.identity for poller in answer.pollers}) >= workers:
            return
        await asyncio.sleep(0.1)


@dataclass(frozen=True)
class Phases:
    """How many seconds the case spent on each part of its work, and how many events its history holds."""

    pinning: float
    due_date: float
    sending: float
    events: int


async def until_given(resources: Resources) -> tuple[int, float]:
    """Show the notices going until the last is given; return how many there are, and when all but a tenth had left."""
    begun, most = perf_counter(), 0.0
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    # Drawn when it is counted: ten times a second would cost more than the counting.
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False) as progress:
        task = progress.add_task("notices given", total=None)
        while True:
            total, given = await asyncio.to_thread(_counts, resources)
            progress.update(task, total=total or None, completed=given, refresh=True)
            if total and not most and given >= MOST * total:
                most = perf_counter() - begun
            if total and given == total:
                return total, most
            await asyncio.sleep(0.5)


async def until_through(resources: Resources) -> None:
    """Wait until every batch was gone through, its copies too."""
    while await asyncio.to_thread(_batches_left, resources):  # noqa: ASYNC110 (SQL tells nobody)
        await asyncio.sleep(0.5)
    await asyncio.sleep(2)  # until the case has heard of its last batch


def _batches_left(resources: Resources) -> int:
    left = select(func.count()).select_from(Batch).where(col(Batch.status) != BatchStatus.SENT)
    with resources.database.reading() as session:
        return session.exec(left).one()


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


def check(resources: Resources) -> tuple[list[str], int]:
    """Hold that each notice was accepted once, its copies aside, and that the ledger is sound.

    Returns the Message-ID of each message that was accepted, and the ledger's length.
    """
    with resources.database.reading() as session:
        notices = session.exec(select(func.count()).select_from(Notice)).one()
        accepted = session.exec(
            select(func.count(), func.count(col(Delivery.notice_id).distinct())).where(
                Delivery.status == DeliveryStatus.ACCEPTED, col(Delivery.is_copy).is_(False)
            )
        ).one()
        sent = session.exec(select(Delivery.message_id).where(Delivery.status == DeliveryStatus.ACCEPTED)).all()
        verified = verify_ledger(session)
    assert accepted == (notices, notices), f"{notices} notices, but (accepted, notices) is {accepted}"
    assert verified.sound, verified.flaw
    return list(sent), verified.length


@dataclass(frozen=True)
class Usage:
    """What this process and those below it used: the seconds of a core of each, and the most memory that it held."""

    processes: Mapping[str, tuple[float, float]]

    @classmethod
    def now(cls) -> Usage:
        """As the kernel counts it (Linux)."""
        found = {f"bench {os.getpid()}": _used(os.getpid())}
        sinks = {child.pid for child in active_children() if child.name == SINK}
        for pid in _below(os.getpid()):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            is_sink = pid in sinks or b"smtp-sink" in words[0]
            name = "temporal" if b"start-dev" in words else SINK if is_sink else "python"
            found[f"{name} {pid}"] = _used(pid)
        return cls(found)

    def since(self, before: Usage) -> Usage:
        """What was used since then."""
        none = (0.0, 0.0)
        return Usage(
            {name: (used[0] - before.processes.get(name, none)[0], used[1]) for name, used in self.processes.items()}
        )


def _below(pid: int) -> Iterator[int]:
    for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        yield child
        yield from _below(child)


def _used(pid: int) -> tuple[float, float]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(status["VmHWM"].split()[0]) / 1000


@dataclass(frozen=True)
class Measured:
    """What one breach came to; ``most`` is after how many seconds all but a tenth had left."""

    notices: int
    seconds: float
    most: float
    found: Phases
    longest: int
    evidence: int
    kept: float
    temporal: float
    usage: Usage

    @property
    def rate(self) -> float:
        """Notices a second, from the report to the last."""
        return self.notices / self.seconds

    @property
    def cpu(self) -> float:
        """How many milliseconds of a core all processes but the sink spent on each notice."""
        spent = sum(seconds for name, (seconds, _) in self.usage.processes.items() if not name.startswith(SINK))
        return 1000 * spent / self.notices

    @property
    def peak(self) -> float:
        """The most memory that one process held, in megabytes."""
        return max(memory for _, memory in self.usage.processes.values())


@dataclass(frozen=True)
class Told:
    """One breach as it was told: what it came to, what the sink has to have taken, and some of the mails."""

    measured: Measured
    sent: list[str]
    mails: list[DraftedNotice]


async def breach(home: Path, wanted: int, processes: int, port: int, connections: int) -> Told:
    """Report a breach of so many agreements, wait for its last notice, and check that each was given once."""
    async with installation(home, port, processes=processes, connections=connections) as resources:
        references = await asyncio.to_thread(know_districts, resources.database, resources.catalogue, wanted)
        before, used = stored(resources), Usage.now()
        begun = perf_counter()
        reported = await CaseService(resources).open_case(BREACH, incident(references), actor=ACTOR)
        notices, most = await until_given(resources)
        seconds = perf_counter() - begun
        await until_through(resources)
        usage = Usage.now().since(used)
        sent, evidence = check(resources)
        measured = Measured(
            notices=notices,
            seconds=seconds,
            most=most,
            found=await phases(resources, reported.case_id),
            longest=await longest_batch(resources),
            evidence=evidence,
            kept=(stored(resources) - before) / notices,
            temporal=(home / "temporal.db").stat().st_size / notices,
            usage=usage,
        )
        return Told(measured, sent, drafts(resources))


def stored(resources: Resources) -> int:
    """How many bytes the SQLite database holds."""
    with resources.database.reading() as session:
        pages, size = (session.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("page_count", "page_size"))
    return int(pages) * int(size)


def drafts(resources: Resources) -> list[DraftedNotice]:
    """Some of the mails, from every state in turn, as they are before they are rendered."""
    with resources.database.reading() as session:
        rows = session.exec(
            select(Notice, Duty, Agreement)
            .join(Duty, col(Duty.id) == col(Notice.duty_id))
            .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
            .order_by(col(Agreement.reference))
            .limit(BARE)
        ).all()
        return list(notice_writer(resources.settings, resources.keyring).drafts(session, rows, utc_now()))


def addressees(mail: DraftedNotice) -> tuple[Mailbox, ...]:
    """Whom a mail goes to, each by itself."""
    return (*mail.addressing.to, *mail.addressing.copies)


@dataclass(frozen=True)
class Bare:
    """What the bare script came to: its notices a second, and how many milliseconds of a core it spent on each."""

    rate: float
    cpu: float


async def bare(port: int, mails: Sequence[DraftedNotice]) -> Bare:
    """Render and send mails by aiosmtplib, one after another, and keep nothing."""
    sender = mails[0].addressing.sender.email
    begun, used = perf_counter(), process_time()
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
        for mail in mails:
            raw = compose(mail.facts, mail.addressing).raw
            for mailbox in addressees(mail):
                await client.sendmail(sender, [mailbox.email], raw)
    return Bare(len(mails) / (perf_counter() - begun), 1000 * (process_time() - used) / len(mails))


@dataclass(frozen=True)
class Result:
    """What the line of JSON holds; ``slow_notices_per_s`` is the rate of the first nine tenths to the slow sink."""

    notices_per_s: float
    bare_per_s: float
    ratio_to_bare: float
    dbos_per_s: float | None
    peak_rss_mb: float
    bytes_per_notice: int
    agreements: int
    seconds: float
    cpu_ms_per_notice: float
    bare_cpu_ms_per_notice: float
    slow_notices_per_s: float | None
    events: int

    @property
    def within_limits(self) -> bool:
        """Whether all that is to be reached is reached."""
        return (
            self.ratio_to_bare >= RATIO
            and (self.dbos_per_s is None or self.notices_per_s >= RATIO_TO_DBOS * self.dbos_per_s)
            and self.seconds <= SECONDS
            and self.peak_rss_mb < MEGABYTES
            and self.bytes_per_notice <= BYTES_A_NOTICE
            and self.events <= EVENTS_LIMIT
        )


def measure(wanted: int, slow: int, processes: int, dbos: str | None) -> Result:
    """Measure everything and print it."""
    pushed: Told | None = None
    with TemporaryDirectory() as folder, sink() as to:
        told = asyncio.run(breach(Path(folder), wanted, processes, to.port, CONNECTIONS))
        floor = asyncio.run(bare(to.port, told.mails))
        by_dbos = with_dbos.notices_a_second(dbos, to.port, told.mails) if dbos and with_dbos.is_installed() else None
    others = [mail.addressing.message_id for mail in told.mails for _ in addressees(mail)]
    hold_taken(to, told, others * (2 if by_dbos else 1))
    show(f"{wanted:,} agreements, to {to.name}", told.measured)
    print(f"{'bare script: render, aiosmtplib, keep nothing':46}{'':8}{floor.rate:10,.0f} notices/s")
    print(f"processor: {floor.cpu:.3f} ms for each of its notices")
    print(
        f"{'DBOS: one durable step a recipient, PostgreSQL':46}{'':8}{by_dbos:10,.0f} notices/s" if by_dbos else NO_DBOS
    )
    if slow:
        with TemporaryDirectory() as folder, sink(PUSHBACK) as to:
            pushed = asyncio.run(breach(Path(folder), slow, processes, to.port, CONNECTIONS))
        hold_taken(to, pushed)
        show(f"{slow:,} agreements, to a sink that takes {PUSHBACK.seconds * 1000:.0f} ms an answer", pushed.measured)
        print(f"nine tenths had left after {pushed.measured.most:.1f} s")
        print(f"{to.deferred} recipients were deferred once; none was lost")
    found = told.measured
    return Result(
        notices_per_s=round(found.rate, 1),
        bare_per_s=round(floor.rate, 1),
        ratio_to_bare=round(found.rate / floor.rate, 2),
        dbos_per_s=round(by_dbos, 1) if by_dbos else None,
        peak_rss_mb=round(found.peak, 1),
        bytes_per_notice=round(found.kept),
        agreements=wanted,
        seconds=round(found.seconds, 1),
        cpu_ms_per_notice=round(found.cpu, 3),
        bare_cpu_ms_per_notice=round(floor.cpu, 3),
        slow_notices_per_s=round(MOST * slow / pushed.measured.most, 1) if pushed else None,
        events=found.found.events,
    )


def hold_taken(to: Sink, told: Told, bare_sent: Sequence[str] = ()) -> None:
    """Hold that a sink that tells took what was recorded, and what the bare script sent, and nothing else."""
    if to.taken is not None:
        taken, recorded = Counter(to.taken), Counter([*told.sent, *bare_sent])
        assert taken == recorded, f"taken and not recorded: {taken - recorded}; recorded, not taken: {recorded - taken}"


def show(name: str, found: Measured) -> None:
    """Print what one breach came to."""
    print(f"{name}: {found.notices:,} notices, {found.evidence:,} entries of evidence, each given once")
    for part, seconds in (
        ("pin their terms", found.found.pinning),
        ("compute every duty and plan the notices", found.found.due_date),
        ("compose, reserve, send and record", found.found.sending),
        ("from report to the last notice", found.seconds),
    ):
        print(f"{part:46}{seconds:6.1f} s{found.notices / seconds:10,.0f} notices/s")
    print(f"history events: {found.found.events:,} in the case, {found.longest} in the longest batch")
    print(f"kept for each notice: {found.kept:,.0f} bytes in SQL, {found.temporal:,.0f} in Temporal's file")
    for process, (seconds, memory) in found.usage.processes.items():
        print(f"  {process:18}{seconds:8.1f} s of a core, {memory:6.0f} MB at most")
    print(f"processor: {found.cpu:.3f} ms for each notice")


def main() -> int:
    """Measure in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agreements", type=int, default=AGREEMENTS)
    parser.add_argument("--slow", type=int, default=TO_THE_SLOW_SINK, help="how many agreements by the slow sink")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--dbos-database-url", help="an empty PostgreSQL database for DBOS, where that is installed")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    given = parser.parse_args()
    result = measure(given.agreements, given.slow, given.processes, given.dbos_database_url)
    if given.json:
        print(json.dumps(asdict(result)))
    return int(not result.within_limits)


if __name__ == "__main__":
    sys.exit(main())
