"""What each stage of a large breach costs the processor: ``python -m bench.stages [--agreements 1500]``.

The engine's own activities run in this process, one stage after another, and every message is taken at once: without
SMTP, without Temporal, and without what several processes cost each other. So two states of the code can be compared on
a machine that does something else too. Beside it stands what a fixed piece of work costs at the same time, by which
figures of different hours can be set against each other, and where the room goes in the database.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any, cast
from uuid import UUID

from sqlmodel import col, select, text
from temporalio.testing import ActivityEnvironment

from activities.cases import CaseActivities
from activities.duties import DutyActivities
from activities.notices import NoticeActivities
from bench.fanout import incident
from bench.support import ACTOR, know_districts
from cases.breach import BREACH
from cases.messages import BatchOutcome, ComputeDuties, OpenCase, SendBatch
from config.database import Database
from config.keyring import Keyring
from config.logging import configure_logging
from config.settings import Settings
from ledger.verify import verify_ledger
from mail.handover import Accepted, Envelope
from mail.smtp_connection import Begun
from mail.transport import SmtpTransport
from models.tables import Batch
from records.intake import intake_digest, keep_intake
from starter.resources import open_database, utc_now
from starter.start import notice_policy
from starter.writing import notice_writer, pause_rule
from terms.catalogue import load_catalogue

AT_ONCE = 12
"""How many batches leave at one time."""

_TAKEN = Accepted(250, "2.0.0 Ok: queued as 4TkPx21Vz9z")


class _TakesEverything:
    """A transport that hands nothing over: every message is marked as under way, and taken a moment later."""

    connections, most_under_way = 32, 40

    async def send(self, raw: bytes, envelope: Envelope, *, begun: Begun) -> Accepted:
        """Take a message."""
        await begun()
        await asyncio.sleep(0.001)
        return _TAKEN


@contextmanager
def stage(name: str, notices: int) -> Iterator[None]:
    """Print what the body cost the processor for each notice, and beside it what a fixed piece of work costs now."""
    begun = process_time()
    yield
    spent = process_time() - begun
    print(f"{name:34}{1000 * spent / notices:8.3f} ms for each notice{1000 * fixed_work():10.0f} ms for what is fixed")


def fixed_work() -> float:
    """How many seconds of a core a piece of work takes that is always the same."""
    begun = process_time()
    for _ in range(3):
        made = {str(number): (number, str(number * 7)) for number in range(60_000)}
        sum(len(written) for _, written in made.values())
    return process_time() - begun


async def measure(home: Path, notices: int) -> None:
    """Tell so many districts of one breach."""
    settings = Settings.model_validate({"home": home, "release": "immediate", "log_level": "error"})
    configure_logging(settings)
    keyring, catalogue = Keyring.create(settings.keyring), load_catalogue()
    database = open_database(settings, keyring)
    report = incident(know_districts(database, catalogue, notices))
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, started_time=utc_now())
    with stage("keep the report", notices), database.writing() as session:
        digest = intake_digest(report, bytes(32))
        case_id, _ = keep_intake(session, BREACH, report, digest, actor=ACTOR, now=utc_now())
    with stage("pin their terms", notices):
        environment.run(CaseActivities(database, catalogue).open_case, OpenCase(case_id=case_id))
    duties = DutyActivities(
        database, catalogue, settings.defaults, settings.side, organisation=settings.organisation.name
    )
    with stage("compute every duty, plan notices", notices):
        environment.run(duties.compute_duties, ComputeDuties(case_id=case_id, policy=notice_policy(settings)))
    giving = NoticeActivities(
        database,
        cast("SmtpTransport", _TakesEverything()),
        notice_writer(settings, keyring),
        unknown_resends=settings.unknown_resends,
        pause=pause_rule(settings),
    )
    with stage("compose, reserve, hand over, record", notices):
        given = await _give(giving.send_batch, _batches(database, case_id))
    assert given == notices, f"{given} of {notices} notices were given"
    with database.reading() as session:
        assert verify_ledger(session).sound
    show_room(database, notices)


def _batches(database: Database, case_id: UUID) -> list[UUID]:
    with database.reading() as session:
        return list(session.exec(select(Batch.id).where(col(Batch.case_id) == case_id)))


async def _give(send: Callable[[SendBatch], Awaitable[BatchOutcome]], batches: list[UUID]) -> int:
    """Send batches, some at one time; return how many notices were given."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(batch: UUID) -> int:
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, started_time=utc_now())
        async with places:
            outcome: Any = await environment.run(send, SendBatch(batch_id=batch))
        return int(outcome.given)

    return sum(await asyncio.gather(*(one(batch) for batch in batches)))


def show_room(database: Database, notices: int) -> None:
    """Print where the room goes in a SQLite database, districts and what is upcoming for them included."""
    largest = text("SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC LIMIT 16")
    with database.reading() as session:
        for name, size in session.execute(largest):
            print(f"{name:45}{size / notices:8.0f} bytes for each notice")


def main() -> None:
    """Measure in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agreements", type=int, default=1_500)
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), given.agreements))


if __name__ == "__main__":
    main()
