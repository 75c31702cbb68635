"""The ledger: ``python -m bench.ledger [--entries 1000000] [--exported 50000] [--url postgresql://…] [--json]``.

How many entries are appended a second in batches of 200 (SQLite: WAL, synchronous=FULL), by the clock and of the
processor's time, which a busy machine does not change; what one head costs once the
ledger is long; how fast all entries are verified, beside a bare loop that canonicalises and hashes the same
records, and in how much memory; and how long a bundle of the whole ledger takes, of so many entries. Exits with 1 where
a limit of the issue is missed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any, cast
from uuid import UUID

import rfc8785
from sqlmodel import select

from config.database import Database
from config.keyring import Keyring
from config.settings import Settings
from ledger.append import append
from ledger.bundle import Scope
from ledger.chain import entry_bytes, written_instant
from ledger.checkpoints import sign_head
from ledger.entries import WatchdogRaised
from ledger.log_keys import create_log_key
from ledger.verify import fields_of, stream, verify_all
from ledger.verify_bundle import INTACT, check
from models.enums import BatchStatus
from models.tables import LedgerTree
from starter.evidence import export_bundle, sign_all
from starter.resources import utc_now

BATCH = 200
APPENDED_A_SECOND = 8_000
SHARE_OF_BARE = 0.6
EXPORT_SECONDS = 30.0


def batches(first: int, last: int) -> Iterator[list[WatchdogRaised]]:
    """Events of many cases, 200 together."""
    now = utc_now()
    for start in range(first, last + 1, BATCH):
        yield [
            WatchdogRaised(
                case_id=UUID(int=number % 500 + 1),
                actor="duenotice",
                at=now + timedelta(microseconds=number),
                batch_id=UUID(int=number),
                status=BatchStatus.WAITING,
                finding="The batch did not leave although its last safe moment is over.",
            )
            for number in range(start, min(start + BATCH, last + 1))
        ]


def fill(database: Database, first: int, last: int) -> tuple[float, float]:
    """Append, and return how many entries a second: by the clock, and of the processor's time."""
    seconds = of_processor = 0.0
    for events in batches(first, last):
        begun, processor_begun = perf_counter(), process_time()
        with database.writing() as session:
            append(session, *events)
        seconds, of_processor = seconds + perf_counter() - begun, of_processor + process_time() - processor_begun
    return (last - first + 1) / seconds, (last - first + 1) / of_processor


def rows(database: Database) -> list[dict[str, Any]]:
    """What the hashes of entries cover, at most 50,000 of them."""
    found: list[dict[str, Any]] = []
    with database.reading() as session:
        for entry in stream(session):
            found.append(dict(fields_of(entry)))
            if len(found) == 50_000:
                break
    return found


def canonicalised(record: dict[str, Any]) -> bytes:
    """A record as the library for RFC 8785 writes it."""
    case_id = record["case_id"]
    texts = {name: written_instant(record[name]) for name in ("at", "recorded_at")}
    return rfc8785.dumps({**record, **texts, "case_id": None if case_id is None else str(case_id)})


def bare(records: list[dict[str, Any]], write: Callable[[dict[str, Any]], bytes]) -> float:
    """Canonicalise and hash records that are in memory already; return how many a second of the processor's time."""
    begun = process_time()
    for record in records:
        hashlib.sha256(write(record)).digest()
    return len(records) / (process_time() - begun)


def unwatched(things: Iterable[Any], _: str, __: int) -> Iterable[Any]:
    """Count nothing."""
    return things


def peak_mib() -> float:
    """The most memory that this process had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(folder: Path, entries: int, exported: int, url: str | None) -> dict[str, float]:
    """Measure all of it, in a folder."""
    chosen = {"home": folder / "home", "log_key": folder / "log.json"} | ({"database_url": url} if url else {})
    settings = Settings.model_validate(chosen)
    keys = create_log_key(settings.log_key, "bench.test", utc_now() - timedelta(minutes=1))
    database = Database(settings.database_url.get_secret_value(), Keyring.create(folder / "keyring.json"))
    database.migrate()
    appended, of_processor = fill(database, 1, exported)
    found = {"appended_a_second": appended, "appended_a_second_of_processor": of_processor}
    sign_all(database, keys, utc_now, at_most=10_000)
    begun = perf_counter()
    made = export_bundle(
        database, settings, Scope(), folder / "whole.zip", actor="bench", now=utc_now(), as_sent=True, watch=unwatched
    )
    found["export_seconds"], found["export_mib"] = perf_counter() - begun, made.size / 2**20
    begun = perf_counter()
    assert check(made.path, trusted=keys.keys).state == INTACT
    found["check_seconds"] = perf_counter() - begun
    found["appended_a_second_later"], _ = fill(database, exported + 1, entries)
    begun = perf_counter()
    sign_all(database, keys, utc_now, at_most=10_000)
    found["heads_over_the_rest_seconds"] = perf_counter() - begun
    fill(database, entries + 1, entries + 1)
    begun = perf_counter()
    sign_head(database, keys, utc_now(), at_most=10_000)
    found["one_more_head_ms"] = 1_000 * (perf_counter() - begun)
    with database.reading() as session:
        length = session.exec(select(LedgerTree.size)).one()
    records = rows(database)
    found["bare_a_second"] = bare(records, canonicalised)
    found["bare_by_the_ledger_s_writer_a_second"] = bare(
        records, cast("Callable[[dict[str, Any]], bytes]", entry_bytes)
    )
    records.clear()
    before, begun = peak_mib(), process_time()
    with database.reading() as session:
        assert verify_all(session).sound
    found["verified_a_second"] = length / (process_time() - begun)
    found["verified_share_of_bare"] = found["verified_a_second"] / found["bare_a_second"]
    found["memory_grown_mib"] = peak_mib() - before
    database.close()
    return found


def main() -> int:
    """Measure, print, and say whether the limits were kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--exported", type=int, default=50_000)
    parser.add_argument("--url", help="a PostgreSQL database, empty")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        found = measure(Path(folder), given.entries, given.exported, given.url)
    if given.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:<30} {value:>12,.2f}")
    kept = (
        found["appended_a_second"] >= APPENDED_A_SECOND,
        found["verified_share_of_bare"] >= SHARE_OF_BARE,
        found["export_seconds"] <= EXPORT_SECONDS,
    )
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
