"""How many LEAs can acknowledge in a minute, through the pages: ``python -m bench.acknowledge [--agreements 2000]``.

The floor beside the figures is one bare INSERT and COMMIT an acknowledgement, into the same SQLite file with the same
durability. Every acknowledgement must be in SQL and in a sound ledger at the end. Exits with 1 below the limit.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from uuid import UUID

import httpx
from temporalio.client import Client

from bench.support import ORIGIN, CaseKeeper, know_districts
from config.database import Database
from config.keyring import Keyring
from config.logging import configure_logging
from config.settings import Settings
from ledger.actors import LEA
from ledger.verify import verify_ledger
from models.enums import AnswerKind
from records.answers import GivenAnswer, read_answers, record_answers
from starter.resources import Resources, open_database, utc_now
from terms.catalogue import load_catalogue
from web.app import create_app

IN_FLIGHT = 200
SAMPLE = 1_000
"""How many the slower figures are measured with."""

LIMIT_PER_SECOND = 300
"""18,000 in the same minute."""


async def many(count: int, visit: Callable[[int], Awaitable[None]]) -> float:
    """Make ``count`` visits, at most ``IN_FLIGHT`` at a time; return how many ended each second."""
    numbers = iter(range(count))

    async def visitor() -> None:
        for number in numbers:
            await visit(number)

    start = perf_counter()
    await asyncio.gather(*(visitor() for _ in range(IN_FLIGHT)))
    return count / (perf_counter() - start)


def bare_inserts(file: Path, count: int) -> float:
    """Rows a second, each in a transaction of its own that reaches the disk."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE bare (id TEXT PRIMARY KEY, at TEXT)")
    start = perf_counter()
    for number in range(count):
        connection.execute("INSERT INTO bare VALUES (?, ?)", (str(number), "2026-03-07T22:15:00Z"))
    rate = count / (perf_counter() - start)
    connection.close()
    return rate


def one_by_one(database: Database, notices: Sequence[UUID]) -> float:
    """Answers a second when each is a transaction of its own, without the web."""
    start = perf_counter()
    for notice_id in notices:
        with database.writing() as session:
            record_answers(session, [GivenAnswer(notice_id, AnswerKind.ACKNOWLEDGED, LEA)], b"k" * 32, utc_now())
    return len(notices) / (perf_counter() - start)


async def measure(home: Path, count: int) -> int:
    """Measure, print, and check that nothing was lost."""
    keyring = Keyring.create(home / "keyring.json")
    settings = Settings.model_validate({"home": home, "public_url": ORIGIN, "log_level": "error"})
    configure_logging(settings)
    database, catalogue = open_database(settings, keyring), load_catalogue()
    know_districts(database, catalogue, count)
    keeper = CaseKeeper(database, catalogue, given=True)
    first, second, apart = (keeper.one_of_all() for _ in range(3))
    sample = min(count, SAMPLE)
    client = await Client.connect("127.0.0.1:1", lazy=True)
    resources = Resources(settings, keyring, database, catalogue, client)
    links = [[given.link(resources, reference) for reference in given.notices] for given in (first, second)]

    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(resources)), base_url=ORIGIN) as http:

        async def acknowledge(number: int) -> None:
            answer = await http.post(links[0][number], data={"kind": "acknowledged", "name": "Robin Example"})
            assert answer.status_code == 303

        async def visit(number: int) -> None:
            assert (await http.get(links[1][number])).status_code == 200
            answer = await http.post(links[1][number], data={"kind": "acknowledged"})
            assert "Acknowledged" in (await http.get(answer.headers["location"])).text

        floor = bare_inserts(home / "bare.sqlite3", count)
        acknowledging = await many(count, acknowledge)
        visiting = await many(sample, visit)
    alone = one_by_one(database, list(apart.notices.values())[:sample])

    with database.reading() as session:
        verified = verify_ledger(session)
    assert verified.sound, verified.flaw
    for given, expected in ((first, count), (second, sample), (apart, sample)):
        assert read_answers(database, given.case_id, listed=0).acknowledged == expected
    database.close()

    for name, rate in (
        ("bare INSERT and COMMIT each", floor),
        ("an answer in a transaction of its own, no web", alone),
        ("acknowledging through the web", acknowledging),
        ("reading, acknowledging, reading again", visiting),
    ):
        print(f"{name:50}{rate:8.0f} /s   {rate / floor:.2f}")
    print(f"{count:,} LEAs in {count / acknowledging:.0f} s; the limit is {LIMIT_PER_SECOND} a second")
    return int(acknowledging < LIMIT_PER_SECOND)


def main() -> int:
    """Measure in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agreements", type=int, default=2_000)
    wanted: int = parser.parse_args().agreements
    with TemporaryDirectory() as folder:
        return asyncio.run(measure(Path(folder), wanted))


if __name__ == "__main__":
    sys.exit(main())
