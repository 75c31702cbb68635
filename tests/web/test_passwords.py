"""Signing in by a password on the pages, with and without codes, and what guessing comes to."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import httpx
import pyotp
from temporalio.testing import ActivityEnvironment

from activities.letters import LetterSender
from activities.reminders import ReminderActivities
from activities.watchdog import WatchdogActivities
from cases.messages import Sweep
from mail.transport import SmtpTransport
from people.passwords import MOST_FAILURES
from starter.resources import utc_now
from starter.start import end_rules
from starter.writing import notice_writer, smtp_server
from tests.support.installation import Installation, Visitor
from web.quotas import TRIES_A_MINUTE

PASSWORD = "seven green kettles"


async def with_password(fresh: Installation, name: str = "kim") -> Visitor:
    """Signed in by a link, with a password set on the page."""
    visitor = await fresh.officer(name)
    values = {"act": "password", "new": PASSWORD, "again": PASSWORD}
    answer = await visitor.send("/account", "/account", dict(values))
    assert answer.headers["location"] == "/account?done=password", answer.text
    assert "Your password is set" in (await visitor.get("/account?done=password")).text
    return visitor


async def sign_in(fresh: Installation, name: str = "kim", password: str = PASSWORD, code: str = "") -> httpx.Response:
    return await fresh.visitor().http.post("/sign-in", data={"name": name, "password": password, "code": code})


async def test_a_password_set_after_a_link_signs_in_from_then_on(fresh: Installation) -> None:
    await with_password(fresh)
    page = (await fresh.visitor().get("/sign-in")).text
    assert 'autocomplete="current-password"' in page
    visitor = fresh.visitor()
    answer = await visitor.http.post("/sign-in", data={"name": "Kim", "password": PASSWORD, "next": "/agreements"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/agreements")
    assert "you signed in by password." in (await visitor.get("/account")).text


async def test_two_that_differ_and_one_too_short_are_said_at_their_fields(fresh: Installation) -> None:
    visitor = await fresh.officer("kim")
    for new, again, says in ((PASSWORD, "another", "Once more:"), ("short", "short", "New password:")):
        values: dict[str, object] = {"act": "password", "new": new, "again": again}
        answer = await visitor.send("/account", "/account", values)
        assert answer.status_code == 422
        assert says in answer.text


async def test_a_code_is_asked_for_once_it_was_set_up(fresh: Installation) -> None:
    visitor = await with_password(fresh)
    await visitor.send("/account", "/account", {"act": "propose-codes"})
    page = (await visitor.get("/account")).text
    secret = re.search(r"<pre>([A-Z2-7]{32})</pre>", page)
    assert secret
    assert f"otpauth://totp/Duenotice:kim?secret={secret[1]}" in page
    codes, now = pyotp.TOTP(secret[1]), utc_now()
    confirmed = await visitor.send("/account", "/account", {"act": "confirm-codes", "code": codes.at(now)})
    assert confirmed.headers["location"] == "/account?done=confirm-codes"
    assert secret[1] not in (await visitor.get("/account")).text
    assert (await sign_in(fresh)).status_code == 403
    assert (await sign_in(fresh, code=codes.at(now + timedelta(seconds=30)))).status_code == 303


async def test_a_wrong_password_keeps_the_name_that_was_typed_and_nothing_else(fresh: Installation) -> None:
    await with_password(fresh)
    answer = await sign_in(fresh, password="seven red kettles")
    assert answer.status_code == 403
    assert 'value="kim"' in answer.text
    assert "seven red kettles" not in answer.text


async def test_an_address_that_tries_too_often_is_told_to_wait_while_links_work(fresh: Installation) -> None:
    for _ in range(TRIES_A_MINUTE):
        fresh.app.state.site.quotas.sign_ins.allow("127.0.0.1")
    answer = await sign_in(fresh)
    assert answer.status_code == 429
    assert "Too many tries came from your address." in answer.text
    await fresh.officer("kim")


async def test_who_runs_the_site_is_written_to_once_when_an_account_is_locked(installation: Installation) -> None:
    await with_password(installation, "guessed.at")
    for _ in range(MOST_FAILURES):
        assert (await sign_in(installation, "guessed.at", "seven red kettles")).status_code == 403
    resources = installation.resources
    settings, environment = resources.settings, ActivityEnvironment()
    environment.info = replace(environment.info, started_time=utc_now(), workflow_id=None)
    async with SmtpTransport(smtp_server(settings)) as transport:
        writer = notice_writer(settings, resources.keyring)
        reminders = ReminderActivities(resources.database, transport, writer)
        letters = LetterSender(resources.database, reminders.sender, writer)
        watchdog = WatchdogActivities(
            resources.client, resources.database, reminders, letters, _start_nothing, end_rules(resources)
        )
        for _ in range(2):
            await environment.run(watchdog.sweep, Sweep(grace_minutes=60))
    caught = [path.read_text() for path in (resources.settings.home / "mail").glob("*.eml")]
    (told,) = [mail for mail in caught if "Somebody tries passwords" in mail]
    assert "guessed.at, until" in told


async def _start_nothing(_: UUID, __: datetime, **___: bool) -> bool:
    return False
