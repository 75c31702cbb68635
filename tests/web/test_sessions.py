"""Sessions: what they are, when they end by themselves, and who ends them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlmodel import select
from temporalio.client import Client

from config.keyring import Keyring
from ledger.actors import ENGINE
from models.tables import EvidenceEntry, WebSession
from people.sessions import MOST_SESSIONS
from starter.resources import utc_now
from tests.support.incident_form import opened
from tests.support.installation import ORIGIN, Installation, Visitor, open_installation
from web.app import create_app

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Watch:
    """A clock that a test sets forward."""

    def __init__(self) -> None:
        self.now = utc_now()

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


async def signed_in(fresh: Installation, watch: Watch) -> Visitor:
    app = create_app(fresh.resources, watch)
    visitor = Visitor(httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN))
    assert (await visitor.http.post("/sign-in", data={"token": fresh.link_token()})).status_code == 303
    return visitor


async def test_it_ends_after_an_hour_without_a_click(fresh: Installation, watch: Watch) -> None:
    officer = await signed_in(fresh, watch)
    for _ in range(3):
        watch.now += HOUR - MINUTE
        assert (await officer.get("/")).status_code == 200
    watch.now += HOUR
    assert (await officer.get("/")).status_code == 303


async def test_it_ends_after_twelve_hours_however_busy_it_is(fresh: Installation, watch: Watch) -> None:
    officer, began = await signed_in(fresh, watch), watch.now
    while watch.now < began + 12 * HOUR - 30 * MINUTE:
        watch.now += 30 * MINUTE
        assert (await officer.get("/account")).status_code == (200 if watch.now < began + 12 * HOUR else 303)
    watch.now = began + 12 * HOUR
    assert (await officer.get("/account")).status_code == 303


async def test_a_rotated_key_ends_it_at_once(temporal: Client, tmp_path: Path, watch: Watch) -> None:
    file = tmp_path / "own-keyring.json"
    keyring = Keyring.create(file)
    installation = Installation(open_installation(tmp_path, keyring, temporal))
    officer = await signed_in(installation, watch)
    assert (await officer.get("/")).status_code == 200
    Keyring.rotate(file)
    assert (await officer.get("/")).status_code == 303
    assert (await (await signed_in(installation, watch)).get("/")).status_code == 200


async def test_what_is_kept_of_it_signs_nobody_in(fresh: Installation, watch: Watch) -> None:
    officer = await signed_in(fresh, watch)
    with fresh.resources.database.reading() as session:
        kept = session.exec(select(WebSession)).one()
    cookie = officer.http.cookies["duenotice"]
    assert cookie not in (kept.digest, str(kept.id))
    for forged in (kept.digest, str(kept.id), cookie[:-1], f"{cookie}x", ""):
        stranger = fresh.visitor()
        stranger.http.cookies.set("duenotice", forged)
        assert (await stranger.get("/")).status_code == 303


async def test_one_s_own_are_seen_and_ended_and_nobody_else_s(fresh: Installation) -> None:
    here, there, other = await fresh.officer("robin"), await fresh.officer("robin"), await fresh.officer("kim")
    page = (await here.get("/account")).text
    ends = re.findall(r'action="(/account/sessions/[\w-]+/end)"', page)
    assert len(ends) == 2
    (own,) = re.findall(
        r'\(this one\).*?action="(/account/sessions/[\w-]+/end)"', (await here.get("/account")).text, re.S
    )
    assert (await other.send("/account", own, {})).status_code == 404
    (elsewhere,) = set(ends) - {own}
    assert (await here.send("/account", elsewhere, {})).status_code == 303
    assert (await there.get("/account")).status_code == 303
    assert (await here.get("/account")).status_code == 200


async def test_signing_in_anew_ends_the_session_that_the_browser_had(fresh: Installation) -> None:
    browser = await fresh.officer("robin")
    former = httpx.Cookies(browser.http.cookies)
    assert (await browser.http.post("/sign-in", data={"token": fresh.link_token("kim")})).status_code == 303
    assert "kim" in (await browser.get("/account")).text
    left = fresh.visitor()
    left.http.cookies = former
    assert (await left.get("/account")).status_code == 303
    with fresh.resources.database.reading() as session:
        ended = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "session_ended")).one()
    assert ended.actor == "robin"


async def test_an_eleventh_ends_the_one_that_was_used_least_lately(fresh: Installation, watch: Watch) -> None:
    other = await fresh.officer("kim")
    browsers = [await signed_in(fresh, watch) for _ in range(MOST_SESSIONS)]
    watch.now += 2 * MINUTE
    unused = browsers.pop()
    for browser in browsers:
        assert (await browser.get("/account")).status_code == 200
    newest = await signed_in(fresh, watch)
    assert (await unused.get("/account")).status_code == 303
    for browser in (*browsers, newest, other):
        assert (await browser.get("/account")).status_code == 200
    with fresh.resources.database.reading() as session:
        ended = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "session_ended")).one()
    assert ended.actor == ENGINE


async def test_signing_out_leaves_nothing_in_the_browser(fresh: Installation) -> None:
    officer = await fresh.officer()
    answer = await officer.send("/account", "/sign-out", {})
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert 'duenotice=""; ' in answer.headers["set-cookie"]


async def test_signing_in_being_refused_and_signing_out_are_evidence(fresh: Installation) -> None:
    token = fresh.link_token("robin")
    robin = fresh.visitor()
    await robin.http.post("/sign-in", data={"token": token})
    await fresh.visitor().http.post("/sign-in", data={"token": token})
    await robin.send("/account", "/sign-out", {})
    with fresh.resources.database.reading() as session:
        entries = session.exec(select(EvidenceEntry).where(EvidenceEntry.actor == "robin")).all()
    kinds = [entry.kind for entry in sorted(entries, key=lambda entry: entry.number)]
    assert kinds == ["signed_in", "sign_in_refused", "session_ended"]
    began = next(entry for entry in entries if entry.kind == "signed_in")
    assert began.body["authenticated"] == "one_time_link"
    assert began.body["link_made_by"] == "cli:for-robin"


async def test_evidence_of_an_act_says_how_its_actor_was_authenticated(officer: Visitor) -> None:
    case = await opened(officer, "Authenticated", chosen="TN-001")
    evidence = (await officer.get(f"/api{case}/evidence")).json()["items"]
    (reported,) = (entry for entry in evidence if entry["kind"] == "case_opened")
    assert reported["body"]["authenticated"] == "one_time_link"
