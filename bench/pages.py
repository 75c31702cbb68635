"""How long the pages of the largest breach on record take: ``python -m bench.pages [--agreements 18000]``.

Each figure stands beside that of the same page for a case of one agreement: their ratio is what size costs. Exits
with 1 where a page is over the limit.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import httpx
from temporalio.client import Client

from bench.support import ORIGIN, CaseKeeper, know_districts, officer
from config.database import Database
from config.keyring import Keyring
from config.logging import configure_logging
from config.settings import Settings
from starter.resources import Resources, open_database
from terms.catalogue import load_catalogue

LIMIT_MILLISECONDS = 200
TIMES = 9


async def milliseconds(http: httpx.AsyncClient, path: str) -> float:
    """What a page takes, once it has been asked for before."""
    taken = []
    for _ in range(TIMES):
        start = perf_counter()
        answer = await http.get(path)
        taken.append((perf_counter() - start) * 1000)
        assert answer.status_code == 200, answer.text
    return median(taken[1:])


async def case_of(home: Path, keyring: Keyring, count: int) -> tuple[httpx.AsyncClient, Mapping[str, str], Database]:
    """A case that touches ``count`` agreements in an installation of its own, and the pages to ask for."""
    settings = Settings.model_validate({"home": home, "public_url": ORIGIN, "log_level": "error"})
    configure_logging(settings)
    database, catalogue = open_database(settings, keyring), load_catalogue()
    know_districts(database, catalogue, count)
    given = CaseKeeper(database, catalogue, given=True).one_of_all()
    client = await Client.connect("127.0.0.1:1", lazy=True)
    http = await officer(Resources(settings, keyring, database, catalogue, client))
    last = str(count // 50)
    case = f"/cases/{given.case_id}"
    pages = {
        "the case": case,
        "its last page of duties": f"{case}?page={last}",
        "its last page of evidence": f"{case}?evidence={last}",
        "its progress": f"/api{case}/progress",
        "what is due": "/",
        "agreements": "/agreements",
        "the incident form": "/cases/new/breach",
    }
    return http, pages, database


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


def main() -> int:
    """Measure in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agreements", type=int, default=18_000)
    wanted: int = parser.parse_args().agreements
    with TemporaryDirectory() as folder:
        return asyncio.run(measure(Path(folder), wanted))


if __name__ == "__main__":
    sys.exit(main())
