"""Many directives at once, and the lists of them: ``python -m bench.open_requests [--requests N] [--openings N]``.

First a CSV file of as many directives as ``--openings`` says is checked and opened, each with a real workflow and a
worker that takes it up; the figure beside it is a directive opened alone in the same run. Then as many requests as
``--requests`` says are kept in SQL as the engine leaves them, without workflows: lists read SQL alone. One in fifty is
overdue, and of one in fifty a vendor's answer waits for an officer. Each filter's list is read as JSON and as the first
page, which shows what needs people as well, and so is what needs people; the 95th percentile of each stands beside that
of the same with 50 requests.

Exits with 1 where opening 1,000 takes more than 60 s, or the 95th percentile of any list or page more than 100 ms.
``--database-url`` measures the lists on a PostgreSQL database, which must be empty. ``--json`` ends with one line of
all figures.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from urllib.parse import urlencode
from uuid import UUID, uuid4

import httpx
import rfc8785
from sqlmodel import col, func, select
from temporalio.client import Client

from agreements.subprocessors import import_subprocessors
from bench.fanout import catcher, installation
from bench.support import ACTOR, AT_ONCE, ORIGIN, Row, insert_rows, know_districts, officer, row_of, shown
from cases.disposition import DISPOSITION, REQUESTED
from config.database import Database
from config.keyring import Keyring
from config.logging import configure_logging
from config.settings import Settings
from models import identifiers
from models.enums import CaseStatus, ContactRole, DutyStatus, HolderStatus, Party, PerformedBy, Role
from models.tables import (
    Account,
    Agreement,
    AgreementContact,
    Case,
    CaseAgreement,
    CaseAnchor,
    DueDate,
    Duty,
    HolderTask,
)
from people.accounts import add_account
from queries.case_lists import CasePlace
from records.holders import holder_key
from records.intake_files import columns_of, read_intakes
from starter.case_service import CaseService
from starter.many_openings import ManyOpenings
from starter.resources import Resources, open_database, utc_now
from terms.catalogue import load_catalogue

REQUESTS, OPENINGS, FEW, ALONE = 50_000, 1_000, 50, 20
AGREEMENTS, OFFICERS, VENDORS = 1_000, 10, 40
LIMIT_SECONDS = 60.0
"""What opening ``OPENINGS`` directives may take."""
LIMIT_MILLISECONDS = 100.0
TIMES = 40
CLAUSE = "disposition.request"


def directives(references: Sequence[str]) -> bytes:
    """A file with one directive for each agreement, signed today by its designated contact."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [column.name for column in columns_of(DISPOSITION)])
    writer.writeheader()
    for reference in references:
        number = int(reference.rpartition("-")[2])
        writer.writerow(
            {
                "title": f"Directive under {reference}",
                "agreements": reference,
                "extent": "complete",
                "nature": "destruction",
                "schedule": "as-soon-as-practicable",
                "disposal_requested": utc_now().date() - timedelta(days=1),
                "representative_name": "Office",
                "representative_email": f"office@d{number}.example.org",
            }
        )
    return text.getvalue().encode()


async def open_from_file(home: Path, wanted: int) -> tuple[float, float]:
    """The seconds that opening a directive alone takes, and that a file of so many takes, with its check."""
    with catcher(home / "mail") as port:
        async with installation(home, port, release="officer") as resources:
            database, catalogue = resources.database, resources.catalogue
            references = await asyncio.to_thread(know_districts, database, catalogue, wanted + ALONE, CLAUSE)
            vendors = "agreement,name,email,data\n,Example Hosting LLC,privacy@hosting.example.org,Rosters\n"
            import_subprocessors(database, vendors, file_name="vendors.csv", now=utc_now(), actor=ACTOR)
            alone = await _alone(resources, references[:ALONE]) / ALONE
            content, openings = directives(references[ALONE:]), ManyOpenings(resources)
            begun = perf_counter()
            file = read_intakes(DISPOSITION, content, utc_now(), file_name="directives.csv")
            checked = await asyncio.to_thread(openings.check, DISPOSITION, file)
            checked_after = perf_counter() - begun
            assert not checked.problems, checked.problems[:3]
            with shown("directives kept, then started", 2 * wanted) as advance:
                progress = await openings.open(DISPOSITION, file, actor=ACTOR, advance=lambda _, count: advance(count))
            seconds = perf_counter() - begun
            assert progress.is_done, progress
            again = await openings.open(DISPOSITION, file, actor=ACTOR)
            with database.reading() as session:
                count = session.exec(select(func.count()).select_from(Case)).one()
            assert (again, count) == (progress, wanted + ALONE), "the same file again opened something"
    print(f"{wanted:,} directives from a CSV file, {wanted:,} real workflows, a worker in the same process")
    print(f"{'check what would follow':36}{checked_after:9.2f} s")
    print(f"{'check and open':36}{seconds:9.2f} s {wanted / seconds:8.0f} a second")
    return alone, seconds


async def _alone(resources: Resources, references: Sequence[str]) -> float:
    service = CaseService(resources)
    file = read_intakes(DISPOSITION, directives(references), utc_now(), file_name="alone.csv")
    begun = perf_counter()
    for row in file.rows:
        await service.check_opening(DISPOSITION, row.intake, actor=ACTOR)
        await service.open_case(DISPOSITION, row.intake, actor=ACTOR)
    return perf_counter() - begun


def vendor(number: int) -> str:
    """The name of a subprocessor: of the first two, each holds data of every second request."""
    return f"Vendor {number} LLC"


@dataclass(frozen=True)
class RequestKeeper:
    """Keeps open directives in SQL as the engine leaves them once each holder was asked, many at a time."""

    database: Database
    agreements: Sequence[UUID]
    officers: Sequence[UUID]
    keys: Mapping[str, str]
    now: datetime

    @classmethod
    def of(cls, database: Database) -> RequestKeeper:
        """For the agreements and accounts that a database knows."""
        with database.reading() as session:
            agreements = session.exec(select(Agreement.id).order_by(col(Agreement.reference))).all()
            officers = session.exec(select(Account.id).where(col(Account.name) != ACTOR)).all()
        names = (*map(vendor, range(VENDORS)), Party.PROVIDER.value)
        return cls(database, agreements, officers, {name: holder_key(name) for name in names}, utc_now())

    def keep(self, numbers: range) -> None:
        """Keep a request for each number, due over 80 days; one in fifty is overdue."""
        with shown("requests kept", len(numbers)) as advance:
            for start in range(numbers.start, numbers.stop, AT_ONCE):
                some = range(start, min(start + AT_ONCE, numbers.stop))
                with self.database.writing() as session:
                    insert_rows(session, [row for number in some for row in self._request(number)])
                advance(len(some))

    def _request(self, number: int) -> Iterator[Row]:
        case_id, agreement_id = uuid4(), self.agreements[number * 7919 % len(self.agreements)]
        opened_at = self.now - timedelta(days=30) + timedelta(seconds=number)
        due_at = self.now + timedelta(minutes=number * 104_729 % 120_000 - 2_400)
        body = {"due_at": due_at.isoformat()}
        due_date = identifiers.sha256_hex(rfc8785.dumps(body))
        yield row_of(
            Case,
            id=case_id,
            kind=DISPOSITION.name,
            event=DISPOSITION.event,
            status=CaseStatus.OPEN,
            title=f"Directive {number}",
            report_digest=str(case_id),
            opened_at=opened_at,
            workflow_started_at=opened_at,
            changed_at=opened_at,
            computed_at=opened_at,
            responsible_id=self.officers[number % len(self.officers)],
        )
        yield row_of(
            CaseAnchor,
            id=uuid4(),
            case_id=case_id,
            name=REQUESTED,
            first_day=opened_at.date(),
            recorded_at=opened_at,
            recorded_by=ACTOR,
        )
        yield row_of(CaseAgreement, case_id=case_id, agreement_id=agreement_id, added_at=opened_at)
        yield row_of(DueDate, id=due_date, body=body)
        performed = {CLAUSE: PerformedBy.CONFIRMATION, "disposition.verification": PerformedBy.NOTICE}
        for clause, by in performed.items():
            yield row_of(
                Duty,
                id=identifiers.duty_id(case_id, agreement_id, clause),
                case_id=case_id,
                agreement_id=agreement_id,
                clause=clause,
                owed_by=Party.PROVIDER,
                owed_to=Party.LEA,
                performed_by=by,
                status=DutyStatus.RUNNING,
                due_date_id=due_date,
                due_at=due_at,
                target_at=due_at,
                escalated_at=self.now if due_at < self.now else None,
            )
        for name in (vendor(number % 2), vendor(2 + number % (VENDORS - 2)), None):
            contact_id = uuid4() if name else None
            if name:
                yield row_of(
                    AgreementContact,
                    id=contact_id,
                    agreement_id=agreement_id,
                    case_id=case_id,
                    party=Party.SUBPROCESSOR,
                    role=ContactRole.GENERAL,
                    name=name,
                    email="privacy@vendor.test",
                )
            yield row_of(
                HolderTask,
                id=uuid4(),
                case_id=case_id,
                agreement_id=agreement_id,
                contact_id=contact_id,
                holder=self.keys[name or Party.PROVIDER.value],
                status=HolderStatus.ANSWERED if name and number % 50 == 7 else HolderStatus.OPEN,
                due_at=due_at,
                awaited_since=opened_at,
            )


def filters(keeper: RequestKeeper) -> dict[str, dict[str, str]]:
    """The lists that are measured, each by what its address asks for."""
    common, rare = keeper.keys[vendor(0)], keeper.keys[vendor(17)]
    together = {"state": "IL", "vendor": common, "assignee": "officer3", "status": "open"}
    return {
        "all of them": {},
        "of one status": {"status": "open"},
        "of a status that none has": {"status": "closed"},
        "of one kind": {"kind": DISPOSITION.name},
        "of one state": {"state": "IL"},
        "of one district": {"district": "District 17"},
        "awaiting a vendor of every second": {"vendor": common},
        "awaiting a vendor of few": {"vendor": rare},
        "awaiting the provider": {"vendor": keeper.keys[Party.PROVIDER.value]},
        "of one assignee": {"assignee": "officer3"},
        "overdue": {"overdue": "yes"},
        "all of these together": together,
    }


def asked_for(keeper: RequestKeeper) -> list[tuple[str, str, dict[str, str]]]:
    """What is measured: how it is called, its path, and what its address asks for."""
    return [
        *(
            (f"{said}, {what}", path, asked)
            for said, path in (("JSON", "/api/cases"), ("page", "/"))
            for what, asked in filters(keeper).items()
        ),
        ("page, what needs one officer", "/", {"whose": "mine"}),
        ("JSON, what needs people", "/api/needs-you", {}),
        ("JSON, what needs one officer", "/api/needs-you", {"own": "true"}),
    ]


async def p95(http: httpx.AsyncClient, path: str, asked: Mapping[str, str], keeper: RequestKeeper) -> float:
    """The 95th percentile in milliseconds of a list's parts: its first ones, one half way, and one near its end."""
    far = [str(CasePlace(True, keeper.now + timedelta(days=days), UUID(int=0))) for days in (40, 81)]
    taken, after, page = [], "", 0
    for number in range(TIMES + 1):
        asks = {**asked, "limit": "50", **({"after": after} if after else {})}
        begun = perf_counter()
        answer = await http.get(f"{path}?{urlencode(asks)}")
        taken.append((perf_counter() - begun) * 1000)
        assert answer.status_code == 200, answer.text
        if number % 10 in (4, 9):
            after = far[page := 1 - page]
        elif path == "/api/cases":
            after = answer.json()["next"] or ""
    return quantiles(taken[1:], n=20)[-1]


async def lists(folder: Path, wanted: int, url: str | None) -> list[tuple[str, float, float]]:
    """Each list's 95th percentile with few requests, and with so many."""
    keyring = Keyring.create(folder / "keyring.json")
    given = {"home": folder, "public_url": ORIGIN, "log_level": "error", **({"database_url": url} if url else {})}
    settings = Settings.model_validate(given)
    configure_logging(settings)
    database, catalogue = open_database(settings, keyring), load_catalogue()
    database.migrate()
    know_districts(database, catalogue, AGREEMENTS, CLAUSE)
    for number in range(OFFICERS):
        add_account(database, f"officer{number}", Role.OFFICER, made_by="bench", now=utc_now())
    client = await Client.connect("127.0.0.1:1", lazy=True)
    names = "\n".join(f",{vendor(number)},privacy@vendor.test,Rosters" for number in range(VENDORS))
    import_subprocessors(database, f"agreement,name,email,data\n{names}", file_name="v.csv", now=utc_now(), actor=ACTOR)
    http = await officer(Resources(settings, keyring, database, catalogue, client))
    keeper, found = RequestKeeper.of(database), []
    keeper.keep(range(FEW))
    measured = asked_for(keeper)
    few = [await p95(http, path, asked, keeper) for _, path, asked in measured]
    keeper.keep(range(FEW, wanted))
    if url:
        with database.engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
    for (name, path, asked), before in zip(measured, few, strict=True):
        found.append((name, before, await p95(http, path, asked, keeper)))
    await http.aclose()
    database.close()
    return found


async def measure(folder: Path, asked: argparse.Namespace) -> int:
    """Measure, print, and say whether a limit was passed."""
    over, figures = False, dict[str, object]()
    if asked.openings:
        (home := folder / "openings").mkdir()
        alone, seconds = await open_from_file(home, asked.openings)
        each = seconds / asked.openings
        beside = f"{each * 1000:9.1f} ms {alone * 1000:8.1f} ms   ratio {each / alone:.2f}"
        print(f"{'one of them, beside one opened alone':36}{beside}")
        figures |= {"openings": asked.openings, "opening_s": seconds, "one_alone_s": alone}
        over = seconds > LIMIT_SECONDS * max(asked.openings, OPENINGS) / OPENINGS
    if asked.requests:
        (home := folder / "lists").mkdir()
        where = "PostgreSQL" if asked.database_url else "SQLite"
        print(f"lists of {asked.requests:,} open requests on {where}: no workflow runs; 95th percentile of {TIMES}")
        found = await lists(home, asked.requests, asked.database_url)
        for name, few, many in found:
            passed = "   over the limit" if many > LIMIT_MILLISECONDS else ""
            print(f"{name:42}{few:8.1f} ms for {FEW}{many:9.1f} ms   ratio {many / few:.1f}{passed}")
            over |= many > LIMIT_MILLISECONDS
        figures |= {"requests": asked.requests, "database": where, "p95_ms": {name: many for name, _, many in found}}
    if asked.json:
        print(json.dumps(figures))
    return int(over)


def main() -> int:
    """Measure in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS, help=f"in SQL; 0, or more than {FEW}")
    parser.add_argument("--openings", type=int, default=OPENINGS, help="from a file, with a workflow each; may be 0")
    parser.add_argument("--database-url", help="an empty PostgreSQL database for the lists, on this machine")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    asked = parser.parse_args()
    if (asked.requests and asked.requests <= FEW) or asked.openings < 0:
        parser.error(f"--requests must be 0 or more than {FEW}, and --openings not negative")
    with TemporaryDirectory() as folder:
        return asyncio.run(measure(Path(folder), asked))


if __name__ == "__main__":
    sys.exit(main())
