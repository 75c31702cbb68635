"""Pages in a real browser: one Chromium for all tests of a process, and a person's own context in it for each."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Locator, Page, ViewportSize, async_playwright, expect

from models.enums import Role
from tests.support.installation import ORIGIN, Installation
from web.serving import listening, web_server

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
NO_CHROMIUM = "no Chromium on this machine"

DESK = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=844)

expect.set_options(
    timeout=60_000
)  # a page is right once the engine beside it has computed, however busy the machine is


@asynccontextmanager
async def serving(installation: Installation) -> AsyncIterator[str]:
    """The installation's pages on a port of their own."""
    listener = listening("127.0.0.1", 0)
    server = web_server(installation.app, installation.resources.settings)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    yield f"{ORIGIN}:{listener.getsockname()[1]}"
    server.should_exit = True
    await running


@asynccontextmanager
async def started_chromium() -> AsyncIterator[Browser]:
    """A browser without a window."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@asynccontextmanager
async def visiting(browser: Browser, *, scripts: bool = True, viewport: ViewportSize = DESK) -> AsyncIterator[Page]:
    """A person at a browser of their own, in New York; nothing on any page may break the site's rules for content."""
    context = await browser.new_context(
        java_script_enabled=scripts, timezone_id="America/New_York", viewport=viewport, has_touch=viewport is PHONE
    )
    context.set_default_timeout(60_000)
    complaints: list[str] = []
    page = await context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page
    finally:
        await context.close()
    assert complaints == []


async def sign_in(
    page: Page, site: str, installation: Installation, name: str = "officer", role: Role = Role.OFFICER
) -> None:
    """Sign in by a link, as an officer if no other role is named."""
    await page.goto(f"{site}/sign-in?token={installation.link_token(name, role)}")
    await page.get_by_role("button", name="Sign in").click()


async def tab_to(page: Page, place: Locator) -> None:
    """Press Tab until the place has the focus, as somebody without a mouse does."""
    for _ in range(400):
        await page.keyboard.press("Tab")
        if await place.evaluate("found => found === document.activeElement"):
            return
    raise AssertionError(f"no number of tabs leads to {place}")
