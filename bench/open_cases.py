"""Many open cases of one agreement each: ``python -m bench.open_cases [--cases 50000] [--workflows 15000]``.

Every page, and every sweep of the watchdog, stands beside the same with 50 cases in the same run: their ratio is what
many cases cost. The cases are kept in SQL as the engine leaves them. For the sweep, Temporal's development server runs
a workflow for each of as many cases as ``--workflows`` says, and the others are closed; 15,000 take about three
minutes to start, and ``--workflows 50000`` about ten. The workflows wait: they are started under the cases' own names,
and nobody works on them. Exits with 1 where a page or a sweep takes more than two seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from uuid import UUID

import httpx
from sqlmodel import col, select, update
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.letters import LetterSender
from activities.reminders import ReminderActivities
from activities.watchdog import WatchdogActivities
from bench.support import ORIGIN, CaseKeeper, free_port, know_districts, officer, shown
from cases.messages import Sweep, Swept
from config.keyring import Keyring
from config.logging import configure_logging
from config.settings import Settings
from mail.catcher import start_catcher
from models import identifiers
from models.tables import Case
from queries.case_lists import cases_between, list_cases
from starter.local.temporal_server import find_cli, register_search_attributes, temporal_server
from starter.resources import Resources, connect, utc_now
from starter.start import end_rules
from starter.writing import mail_transport, notice_writer

CASES, WORKFLOWS, FEW = 50_000, 15_000, 50
AGREEMENTS = 1_000
LIMIT_SECONDS = 2.0
TIMES = 5
STARTS_AT_ONCE = 50
NOBODY = "nobody"
"""The task queue of the workflows: no worker polls it."""

Figures = dict[str, float]
"""Seconds, by what took them."""


@asynccontextmanager
async def installation(home: Path) -> AsyncIterator[Resources]:
    """A new installation with a Temporal server and a mail catcher of its own, and no worker."""
    catcher = await start_catcher(home / "mail")
    smtp = {"host": catcher.host, "port": catcher.port, "security": "none"}
    settings = Settings.model_validate({"home": home, "public_url": ORIGIN, "log_level": "error", "smtp": smtp})
    configure_logging(settings)
    Keyring.create(settings.keyring)
    port, ui_port = free_port(), free_port()
    async with temporal_server(await find_cli(None, home / "temporal-cli"), home, port, ui_port) as server:
        resources = await connect(settings, address=server.address)
        await register_search_attributes(resources.client)
        yield resources
        resources.database.close()
    await catcher.stop()


async def run_all(client: Client, cases: Sequence[UUID]) -> None:
    """Start a workflow for each case, and wait until Temporal's lists say so."""
    kind, waiting = "breach", iter(cases)

    with shown("workflows started", len(cases)) as advance:

        async def start() -> None:
            for case_id in waiting:
                await client.start_workflow(kind, id=identifiers.workflow_id(kind, case_id), task_queue=NOBODY)
                advance(1)

        await asyncio.gather(*(start() for _ in range(min(STARTS_AT_ONCE, len(cases)))))


async def until_counted(client: Client, count: int) -> None:
    """Wait until Temporal's lists count so many running cases."""
    query = "ExecutionStatus = 'Running' AND WorkflowType = 'breach'"
    async with asyncio.timeout(60):
        while (await client.count_workflows(query)).count != count:  # noqa: ASYNC110 (the server tells nobody)
            await asyncio.sleep(0.2)


async def seconds(work: Callable[[], Awaitable[object]], times: int = TIMES) -> float:
    """What some work takes, once it has been done before."""
    taken = []
    for _ in range(times):
        start = perf_counter()
        await work()
        taken.append(perf_counter() - start)
    return median(taken[1:] or taken)


async def pages(resources: Resources, http: httpx.AsyncClient, count: int) -> Figures:
    """What each page and command takes that lists or finds cases."""
    database = resources.database
    (*_, row), half = (part := list_cases(database, utc_now(), limit=max(count // 2, 1))).items, part.next
    ids = identifiers.ids_of_case(identifiers.case_reference(row.id))
    assert ids
    addresses = {
        "what is due, first page": "/",
        "what is due, half way": f"/?after={half}",
        "what is due, closed cases": "/?status=closed",
        "what needs people, in JSON": "/api/needs-you?limit=20",
        "what needs one officer, in JSON": "/api/needs-you?limit=20&own=true",
        "cases in JSON, a thousand": f"/api/cases?limit=1000&after={half}",
        "a case": f"/cases/{row.id}",
        "agreements": "/agreements",
        "the incident form": "/cases/new/breach",
    }

    async def get(path: str) -> None:
        answer = await http.get(path)
        assert answer.status_code == 200, answer.text

    async def find() -> None:
        assert cases_between(database, *ids, limit=2) == (row.id,)

    figures = {name: await seconds(lambda path=path: get(path)) for name, path in addresses.items()}  # type: ignore[misc]
    return figures | {"a case by its short name": await seconds(find)}


@dataclass(frozen=True)
class Sweeper:
    """Sweeps an installation as its worker would."""

    resources: Resources

    async def sweep(self) -> Swept:
        """Sweep once, with the bounds of every installation."""
        resources, environment = self.resources, ActivityEnvironment()
        environment.info = replace(environment.info, started_time=utc_now(), workflow_id=None)

        async def start(case_id: UUID, _: datetime, **__: bool) -> bool:
            kind = "breach"
            await resources.client.start_workflow(kind, id=identifiers.workflow_id(kind, case_id), task_queue=NOBODY)
            return True

        async with mail_transport(resources.settings) as transport:
            writer = notice_writer(resources.settings, resources.keyring)
            reminders = ReminderActivities(resources.database, transport, writer)
            letters = LetterSender(resources.database, reminders.sender, writer)
            watchdog = WatchdogActivities(
                resources.client, resources.database, reminders, letters, start, end_rules(resources)
            )
            return await environment.run(watchdog.sweep, Sweep(grace_minutes=0))

    async def measure(self, cases: Sequence[UUID]) -> Figures:
        """A sweep that finds nothing, one that finds a lost case, and one with 500 cases that are behind."""
        idle = await seconds(self._idle)
        lost = identifiers.workflow_id("breach", cases[-1])
        await self.resources.client.get_workflow_handle(lost).terminate()
        await until_counted(self.resources.client, len(cases) - 1)
        finding = await seconds(self._one_lost, times=1)
        await until_counted(self.resources.client, len(cases))
        self._fall_behind(cases[:500])
        return {
            "a sweep: all is well": idle,
            "a sweep: one case is lost": finding,
            "a sweep: 500 cases are behind": await seconds(self._some_behind),
        }

    async def _idle(self) -> None:
        assert await self.sweep() == Swept()

    async def _one_lost(self) -> None:
        assert (await self.sweep()).restarted == 1

    async def _some_behind(self) -> None:
        assert (await self.sweep()).handed_on

    def _fall_behind(self, cases: Sequence[UUID]) -> None:
        with self.resources.database.writing() as session:
            session.execute(update(Case).where(col(Case.id).in_(cases)).values(computed_at=None))


def close_all_but(resources: Resources, cases: Sequence[UUID]) -> None:
    """Close the other cases in SQL, and let those catch up that were behind."""
    with resources.database.writing() as session:
        others = set(session.exec(select(Case.id).where(col(Case.closed_at).is_(None)))).difference(cases)
        rows = [{"id": case_id, "closed_at": utc_now()} for case_id in others]
        if rows:
            session.execute(update(Case), rows)
        session.execute(update(Case).values(computed_at=utc_now()))


async def measure(home: Path, wanted: int, workflows: int) -> int:
    """Measure with few cases and with many, and print them beside one another."""
    async with installation(home) as resources:
        references = know_districts(resources.database, resources.catalogue, AGREEMENTS)
        assert len(references) == AGREEMENTS
        keeper, http = CaseKeeper(resources.database, resources.catalogue, given=False), await officer(resources)
        sweeper = Sweeper(resources)
        cases = keeper.many_of_one(FEW)
        await run_all(resources.client, cases)
        await until_counted(resources.client, FEW)
        few = await pages(resources, http, FEW) | await sweeper.measure(cases)
        cases += keeper.many_of_one(wanted - FEW)
        many = await pages(resources, http, wanted)
        running = cases[: max(min(workflows, wanted), FEW)]
        await run_all(resources.client, running[FEW:])
        close_all_but(resources, running)
        await until_counted(resources.client, len(running))
        many |= await sweeper.measure(running)
    print(f"pages: {wanted:,} open cases; sweeps: {len(running):,} open cases with a workflow each")
    for name, taken in many.items():
        ratio, over = taken / few[name], "   over the limit" if taken > LIMIT_SECONDS else ""
        print(f"{name:36}{few[name] * 1000:9.1f} ms for {FEW}{taken * 1000:10.1f} ms   ratio {ratio:.1f}{over}")
    print(f"the limit is {LIMIT_SECONDS:.0f} s")
    return int(any(taken > LIMIT_SECONDS for taken in many.values()))


def main() -> int:
    """Measure in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--workflows", type=int, default=WORKFLOWS)
    asked = parser.parse_args()
    if asked.cases <= FEW:
        parser.error(f"--cases must be more than {FEW}")
    with TemporaryDirectory() as folder:
        return asyncio.run(measure(Path(folder), asked.cases, asked.workflows))


if __name__ == "__main__":
    sys.exit(main())
