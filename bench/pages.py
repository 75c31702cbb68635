"""How long a case's pages take at the size of the largest breach on record: ``python -m bench.pages [COUNT]``.

Each figure stands beside that of the same page for a case of one agreement: their ratio is what size costs. Exits
with 1 where a page is over the limit.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from uuid import UUID

from temporalio.client import Client

from config.database import Database
from config.keyring import Keyring
from config.logging import configure_logging
from config.settings import Settings
from ledger.append import append
from ledger.entries import Attempt, NoticeGiven
from models.enums import NoticeKind, Verdict
from records.agreements import import_agreements
from starter.resources import Resources, open_database, utc_now
from terms.catalogue import load_catalogue
from tests.support.given_notices import GivenNotices, give_notices
from tests.support.installation import ORIGIN, Installation, Visitor, demo_agreements

LIMIT_MILLISECONDS = 200
TIMES = 9
ENTRIES_AT_ONCE = 2_000


def agreements(count: int) -> str:
    """A file of ``count`` fictional districts over all states."""
    header, *rows = (line for line in demo_agreements().splitlines() if line)
    rest = [row.split(",", 1)[1] for row in rows]
    return "\n".join([header, *(f"B-{number:05},{rest[number % len(rest)]}" for number in range(count))])


def leave_evidence(database: Database, given: GivenNotices) -> None:
    """As many entries as giving the notices would have left."""
    notices = list(given.notices.values())
    for start in range(0, len(notices), ENTRIES_AT_ONCE):
        with database.writing() as session:
            append(session, *(_given(given.case_id, notice) for notice in notices[start : start + ENTRIES_AT_ONCE]))


def _given(case_id: UUID, notice: UUID) -> NoticeGiven:
    return NoticeGiven(
        case_id=case_id,
        actor="bench",
        at=utc_now(),
        attempt=Attempt(notice_id=notice, delivery=notice, contact=notice, attempt=1, message_sha256="0" * 64),
        code=250,
        duty=notice,
        clause="breach.notice",
        due_at=None,
        notice_kind=NoticeKind.NOTICE,
        verdict=Verdict.ON_TIME,
        given=("description",),
        lacking=(),
    )


async def milliseconds(visitor: Visitor, path: str) -> float:
    """What a page takes, once it has been asked for before."""
    taken = []
    for _ in range(TIMES):
        start = perf_counter()
        answer = await visitor.get(path)
        taken.append((perf_counter() - start) * 1000)
        assert answer.status_code == 200, answer.text
    return median(taken[1:])


async def case_of(home: Path, keyring: Keyring, count: int) -> tuple[Visitor, Mapping[str, str], Database]:
    """A case that touches ``count`` agreements in an installation of its own, and the pages to ask for."""
    settings = Settings.model_validate({"home": home, "public_url": ORIGIN, "log_level": "error"})
    configure_logging(settings)
    database, catalogue = open_database(settings, keyring), load_catalogue()
    import_agreements(database, catalogue, agreements(count), file_name="many.csv", now=utc_now(), actor="bench")
    given = give_notices(database, catalogue, utc_now())
    leave_evidence(database, given)
    client = await Client.connect("127.0.0.1:1", lazy=True)
    visitor = await Installation(Resources(settings, keyring, database, catalogue, client)).officer()
    last = str(count // 50)
    case = f"/cases/{given.case_id}"
    pages = {
        "the case": case,
        "its last page of duties": f"{case}?page={last}",
        "its last page of evidence": f"{case}?evidence={last}",
        "its progress": f"/api{case}/progress",
        "what is due": "/",
        "agreements": "/agreements",
        "the incident form": "/incidents/new",
    }
    return visitor, pages, database


async def measure(folder: Path, count: int) -> int:
    """Print each page's time for one agreement and for ``count``."""
    keyring = Keyring.create(folder / "keyring.json")
    large, pages, large_database = await case_of(folder / "large", keyring, count)
    small, same, small_database = await case_of(folder / "small", keyring, 1)
    over = 0
    for name, path in pages.items():
        one, many = await milliseconds(small, same[name]), await milliseconds(large, path)
        over += many > LIMIT_MILLISECONDS
        print(f"{name:28}{one:8.1f} ms for one{many:9.1f} ms for {count:,}   ratio {many / one:.1f}")
    large_database.close()
    small_database.close()
    return int(over > 0)


def main(count: int) -> int:
    """Measure in a folder of its own."""
    with TemporaryDirectory() as folder:
        return asyncio.run(measure(Path(folder), count))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 18_000))
