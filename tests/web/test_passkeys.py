"""Passkeys on the pages: by the forms and the JSON that the page's script uses, and in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from temporalio.client import Client

from config.keyring import Keyring
from tests.support.authenticator import Authenticator
from tests.support.browsers import CHROMIUM, NAMED, browsed
from tests.support.installation import ORIGIN, Installation, Visitor, form_token, open_installation


async def added(visitor: Visitor) -> Authenticator:
    """A device that holds a passkey of who is signed in, made as the page's script does it."""
    token, key = form_token(await visitor.get("/account")), Authenticator(NAMED, "localhost")
    options = await visitor.http.post("/api/account/passkeys", data={"form_token": token})
    assert options.status_code == 200
    made = {"form_token": token, "passkey_name": "Kim's laptop", "credential": key.make(options.json())}
    answer = await visitor.http.post("/account/passkeys", data=made)
    assert answer.headers["location"] == "/account?done=passkey", answer.text
    return key


async def signed(visitor: Visitor, key: Authenticator) -> dict[str, str]:
    """The form that the script sends in order to sign in."""
    options = await visitor.http.post("/api/sign-in/passkey")
    return {"credential": key.sign(options.json()), "next": "/agreements"}


async def test_one_is_added_signs_in_is_seen_and_removed(fresh: Installation) -> None:
    officer, visitor = await fresh.officer("kim"), fresh.visitor()
    key = await added(officer)
    answer = await visitor.http.post("/sign-in/passkey", data=await signed(visitor, key))
    assert (answer.status_code, answer.headers["location"]) == (303, "/agreements")
    shown = (await visitor.get("/account")).text
    assert "you signed in by passkey." in shown
    assert "Kim&#39;s laptop" in shown
    remove = shown[shown.index("/account/passkeys/") :].split('"')[0]
    assert (await officer.send("/account", remove, {})).headers["location"] == "/account?done=no-passkey"
    assert (await visitor.get("/account")).status_code == 303
    assert "Kim&#39;s laptop" not in (await officer.get("/account")).text
    refused = await visitor.http.post("/sign-in/passkey", data=await signed(visitor, key))
    assert (refused.status_code, "This passkey does not sign you in" in refused.text) == (403, True)


async def test_an_answer_counts_once_and_in_the_browser_that_asked(fresh: Installation) -> None:
    key = await added(await fresh.officer("kim"))
    visitor, stranger = fresh.visitor(), fresh.visitor()
    form = await signed(visitor, key)
    assert (await stranger.http.post("/sign-in/passkey", data=form)).status_code == 403
    assert (await visitor.http.post("/sign-in/passkey", data=form)).status_code == 303
    assert (await visitor.http.post("/sign-in/passkey", data=form)).status_code == 403


async def test_a_challenge_of_one_person_adds_no_passkey_to_another(fresh: Installation) -> None:
    kim, robin = await fresh.officer("kim"), await fresh.officer("robin")
    token, key = form_token(await kim.get("/account")), Authenticator(NAMED, "localhost")
    options = await kim.http.post("/api/account/passkeys", data={"form_token": token})
    robin.http.cookies.set("duenotice-challenge", kim.http.cookies["duenotice-challenge"])
    made = {"passkey_name": "Kim's laptop", "credential": key.make(options.json())}
    assert (await robin.send("/account", "/account/passkeys", dict(made))).status_code == 403


async def test_challenges_are_given_so_often_a_minute_and_no_more(fresh: Installation) -> None:
    answers = [await fresh.visitor().http.post("/api/sign-in/passkey") for _ in range(31)]
    assert [answer.status_code for answer in answers] == [200] * 30 + [429]
    assert answers[-1].json()["message"] == "Too many tries came from your address."


async def test_where_browsers_take_none_it_is_said_and_not_offered(
    temporal: Client, keyring: Keyring, tmp_path: Path
) -> None:
    site = "http://notices.example.org"
    installation = Installation(open_installation(tmp_path, keyring, temporal, public_url=site))
    visitor = installation.visitor(site)
    assert "passkey" not in (await visitor.get("/sign-in")).text
    await visitor.http.post("/sign-in", data={"token": installation.link_token()})
    assert "No passkey works at the address of this site" in (await visitor.get("/account")).text
    assert (await visitor.http.post("/api/sign-in/passkey")).status_code == 404


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
async def test_somebody_adds_a_passkey_in_a_browser_and_signs_in_with_it(
    temporal: Client, keyring: Keyring, tmp_path: Path
) -> None:
    async with browsed(tmp_path, keyring, temporal) as seen:
        page, address = seen.page, seen.address
        await _put_in_an_authenticator(page)

        await page.goto(f"{address}/sign-in?token={seen.installation.link_token('kim')}")
        await page.get_by_role("button", name="Sign in").click()
        await page.goto(f"{address}/account")
        for name, says in (("This laptop", "The passkey is added"), ("Again", "the device has one already")):
            await page.get_by_label("Its name").fill(name)
            await page.get_by_role("button", name="Add a passkey").click()
            await expect(page.get_by_text(says)).to_be_visible()

        await page.get_by_role("button", name="Sign out").click()
        await page.goto(f"{address}/agreements")
        await page.get_by_role("button", name="Sign in with a passkey").click()
        await expect(page.get_by_role("heading", name="Agreements")).to_be_visible()
        await page.goto(f"{address}/account")
        await expect(page.get_by_text("you signed in by passkey.")).to_be_visible()

        await page.get_by_role("button", name="Remove the passkey This laptop").click()
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("button", name="Sign in with a passkey").click()
        await expect(page.get_by_role("alert")).to_contain_text("This passkey does not sign you in")

        await page.goto(f"{address.replace(NAMED, ORIGIN)}/sign-in")
        await expect(page.get_by_text(f"Passkeys work at {address}")).to_be_visible()
        assert seen.complaints == []

        without = await seen.browser.new_page(java_script_enabled=False)
        await without.goto(f"{address}/sign-in")
        await expect(without.get_by_text("Signing in with a passkey takes JavaScript")).to_be_visible()
        await expect(without.get_by_role("button", name="Sign in with a passkey")).to_have_count(0)
        await expect(without.get_by_label("Password")).to_be_visible()


async def _put_in_an_authenticator(page: Page) -> None:
    """Give the browser an authenticator that holds passkeys and verifies its user (Web Authentication, 11)."""
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
