"""Who is signed in waits for no stranger: for no thread of theirs, no connection to the database, and no cookie."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpx
import pytest
from anyio import to_thread
from temporalio.client import Client

from config.keyring import Keyring
from people import sessions
from starter.resources import settle
from tests.support.installation import ORIGIN, Installation, open_installation
from web.serving import have_threads

STRANGERS = 60
"""More than anyio has threads (40), asyncio on two cores (6), and SQLAlchemy connections (15)."""


@pytest.fixture
async def busy(
    temporal: Client, keyring: Keyring, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation that lets in many strangers at the same time, and has the threads that a served one has."""
    limits = {"requests_at_once": STRANGERS, "requests_per_minute": 100_000}
    fresh = Installation(open_installation(tmp_path_factory.mktemp("busy"), keyring, temporal, limits=limits))
    before = to_thread.current_default_thread_limiter().total_tokens
    have_threads(fresh.resources.settings.limits)
    yield fresh
    to_thread.current_default_thread_limiter().total_tokens = before
    fresh.resources.database.close()


async def test_strangers_who_are_all_kept_waiting_keep_nobody_waiting_who_is_signed_in(busy: Installation) -> None:
    """Each stranger asks for something that is written, while somebody else writes and does not come to an end."""
    officer, site = await busy.officer(), busy.app.state.site
    with busy.resources.database.writing():
        waiting = [asyncio.create_task(_begin_passkey(busy, number)) for number in range(STRANGERS)]
        async with asyncio.timeout(30):
            while to_thread.current_default_thread_limiter().borrowed_tokens < STRANGERS:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (await officer.get("/agreements")).status_code == 200, "it takes one of anyio's threads"
        assert await asyncio.to_thread(site.sessions.rules.key_id.strip), "and what takes one of asyncio's goes on"
        assert not any(task.done() for task in waiting)
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {403}


async def _begin_passkey(busy: Installation, number: int) -> httpx.Response:
    """Answer a challenge that was never given, from an address of one's own."""
    there = httpx.ASGITransport(busy.app, client=(f"192.0.2.{number}", 1))
    async with httpx.AsyncClient(transport=there, base_url=ORIGIN) as stranger:
        return await stranger.post("/sign-in/passkey", data={"credential": "{}"})


async def test_there_are_connections_to_the_database_beside_those_of_strangers(busy: Installation) -> None:
    database = busy.resources.database
    with _read_at_once(busy, STRANGERS), database.reading() as session:
        assert session.connection().get_transaction() is not None


@contextmanager
def _read_at_once(busy: Installation, count: int) -> Iterator[None]:
    """Hold so many connections, as strangers do whose requests are worked on at the same time."""
    held = [busy.resources.database.engine.connect() for _ in range(count)]
    yield
    for connection in held:
        connection.close()


@pytest.mark.parametrize("made_up", ["x", "x.y", "x." + "0" * 64, ".", "a.b.c"])
async def test_a_cookie_that_somebody_made_up_is_looked_up_nowhere(
    busy: Installation, monkeypatch: pytest.MonkeyPatch, made_up: str
) -> None:
    def look_up(*_: object) -> None:
        raise AssertionError("the database was asked")

    officer, stranger = await busy.officer(), busy.visitor()
    given = officer.http.cookies["duenotice"]
    monkeypatch.setattr("web.sessions.read_session", look_up)
    for cookie in (made_up, f"x{given}", f"{given}0"):
        stranger.http.cookies.set("duenotice", cookie)
        assert (await stranger.get("/agreements")).status_code == 303
    monkeypatch.setattr("web.sessions.read_session", sessions.read_session)
    assert (await officer.get("/agreements")).status_code == 200


def test_what_a_start_has_loaded_is_not_looked_through_again() -> None:
    """What was seen: a full collection took a third of a second, every three seconds while strangers came."""
    loaded = [[number] for number in range(50_000)]
    settle()
    assert gc.get_freeze_count() > len(loaded)
    assert len(gc.get_objects()) < len(loaded)
