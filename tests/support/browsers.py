"""An installation in a real browser, served under ``localhost``: the one name that browsers trust without TLS."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright
from temporalio.client import Client

from config.keyring import Keyring
from tests.support.installation import Installation, open_installation
from web.serving import listening, web_server

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
NAMED = "http://localhost"


@dataclass(frozen=True)
class Browsed:
    """An installation, where it is served, and a browser with one page; ``complaints`` is what that page failed at."""

    installation: Installation
    address: str
    browser: Browser
    page: Page
    complaints: list[str]


@asynccontextmanager
async def browsed(home: Path, keyring: Keyring, temporal: Client, **settings: object) -> AsyncIterator[Browsed]:
    """Serve an installation of its own, and open a browser."""
    listener = listening("127.0.0.1", 0)
    address = f"{NAMED}:{listener.getsockname()[1]}"
    installation = Installation(open_installation(home, keyring, temporal, public_url=address, **settings))
    server = web_server(installation.app, installation.resources.settings)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page, complaints = await chromium.new_page(), list[str]()
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield Browsed(installation, address, chromium, page, complaints)
        await chromium.close()
    server.should_exit = True
    await running
