"""One running installation for the pages' tests: Temporal, worker, mail catcher and database are the real ones."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from agreements.importing import import_agreements
from config.keyring import Keyring
from mail.catcher import start_catcher
from models.columns import bind_sealer
from models.search_attributes import REGISTRY
from starter.resources import utc_now
from tests.support.browsing import serving, started_chromium
from tests.support.given_notices import Told, give_notices
from tests.support.installation import Installation, Visitor, demo_agreements, open_installation
from worker import build_worker


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[Client]:
    cli = shutil.which("temporal", path=Path(sys.executable).parent)
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=cli, search_attributes=REGISTRY, dev_server_log_level="error"
    ) as environment:
        yield environment.client


@pytest.fixture(scope="session")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    """One keyring for all: a process seals under one at a time, whichever database was opened last."""
    return Keyring.create(tmp_path_factory.mktemp("keys") / "keyring.json")


@pytest.fixture(autouse=True)
def _sealing(keyring: Keyring) -> None:
    """Seal under it again, after tests of other rooms have opened databases of their own."""
    bind_sealer(keyring)


@pytest.fixture(scope="session")
async def installation(
    temporal: Client, keyring: Keyring, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation that runs and knows the demo's agreements."""
    home = tmp_path_factory.mktemp("running")
    catcher = await start_catcher(home / "mail")
    smtp = {"host": catcher.host, "port": catcher.port, "security": "none"}
    resources = open_installation(home, keyring, temporal, smtp=smtp)
    import_agreements(
        resources.database,
        resources.catalogue,
        demo_agreements(),
        file_name="agreements.csv",
        now=utc_now() - timedelta(days=1),
        actor="officer",
    )
    async with build_worker(resources):
        yield Installation(resources)
    await catcher.stop()
    resources.database.close()


@pytest.fixture
async def site(installation: Installation) -> AsyncIterator[str]:
    """The address at which a browser finds the installation."""
    async with serving(installation) as origin:
        yield origin


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with started_chromium() as browser:
        yield browser


@pytest.fixture
def fresh(temporal: Client, keyring: Keyring, tmp_path: Path) -> Installation:
    """An installation in which nothing has happened yet."""
    return Installation(open_installation(tmp_path, keyring, temporal))


@pytest.fixture
async def officer(installation: Installation) -> Visitor:
    return await installation.officer()


@pytest.fixture
def told(fresh: Installation) -> Told:
    resources, now = fresh.resources, utc_now()
    import_agreements(
        resources.database,
        resources.catalogue,
        demo_agreements(),
        file_name="agreements.csv",
        now=now - timedelta(days=1),
        actor="officer",
    )
    return Told(fresh, give_notices(resources.database, resources.catalogue, now), fresh.visitor())
