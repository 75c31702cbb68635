"""Signing in at an OpenID provider: a real one on loopback, which may lie in one respect."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey
from playwright.async_api import expect
from sqlmodel import select
from temporalio.client import Client

from config.keyring import Keyring
from models.enums import Authentication, Role
from models.tables import EvidenceEntry, OpenIdIdentity
from people.accounts import add_account, check_second_person, disable, list_accounts
from people.challenges import CHALLENGE_LIFETIME
from people.passwords import forget_sign_in
from starter.resources import utc_now
from tests.support.browsers import CHROMIUM, browsed
from tests.support.installation import ORIGIN, Installation, Visitor, open_installation
from tests.support.openid_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Person,
    ProviderOnLoopback,
    provider_on_loopback,
)
from web.app import create_app

KIM = Person("subject-1", "kim@example.org")


@pytest.fixture
async def provider() -> AsyncIterator[ProviderOnLoopback]:
    async with provider_on_loopback(Person(KIM.subject, KIM.email)) as started:
        yield started


@pytest.fixture
def installation(temporal: Client, keyring: Keyring, tmp_path: Path, provider: ProviderOnLoopback) -> Installation:
    """One that knows the provider, and an account with the address of whom it signs in."""
    installation = Installation(open_installation(tmp_path, keyring, temporal, **known(provider)))
    add(installation, "kim", "Kim@Example.org")
    return installation


def known(provider: ProviderOnLoopback) -> dict[str, object]:
    """The settings that name the provider."""
    return {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET}


def add(installation: Installation, name: str, email: str) -> None:
    add_account(installation.resources.database, name, Role.OFFICER, email=email, made_by="cli:ops", now=utc_now())


async def answer_of(visitor: Visitor, back: str = "/") -> str:
    """Go to the provider, and return the address to which it sends the browser back."""
    sent = await visitor.get(f"/sign-in/openid?next={back}")
    assert sent.status_code == 303, sent.text
    async with httpx.AsyncClient(verify=False) as browser:  # it is on loopback, without TLS
        returned = await browser.get(sent.headers["location"])
    assert returned.headers["location"].startswith(f"{ORIGIN}/sign-in/openid/callback?")
    return returned.headers["location"]


async def sign_in(installation: Installation, back: str = "/") -> tuple[Visitor, httpx.Response]:
    visitor = installation.visitor()
    return visitor, await visitor.get(await answer_of(visitor, back))


def evidence(installation: Installation, *kinds: str) -> list[EvidenceEntry]:
    with installation.resources.database.reading() as session:
        entries = session.exec(select(EvidenceEntry).order_by(EvidenceEntry.number)).all()  # type: ignore[arg-type]
    return [entry for entry in entries if entry.kind in kinds]


async def test_an_identity_is_bound_by_its_verified_address_and_signs_in_by_its_subject_from_then_on(
    installation: Installation, provider: ProviderOnLoopback
) -> None:
    assert f"Sign in with {urlsplit(provider.issuer).netloc}" in (await installation.visitor().get("/sign-in")).text
    visitor, answer = await sign_in(installation, "/agreements")
    assert '<meta http-equiv="refresh" content="0; url=/agreements">' in answer.text
    shown = (await visitor.get("/account")).text
    assert "you signed in by openid connect" in shown
    assert provider.issuer in shown
    provider.person.email = "another@example.org"
    assert (await (await sign_in(installation))[0].get("/account")).status_code == 200
    (bound,) = evidence(installation, "openid_bound")
    began = evidence(installation, "signed_in")
    assert (bound.actor, bound.body) == ("kim", {"issuer": provider.issuer})
    assert [(entry.body["authenticated"], entry.body["issuer"]) for entry in began] == [
        ("openid_connect", provider.issuer)
    ] * 2
    (kim,) = list_accounts(installation.resources.database)
    assert kim.signs_in_by == "OpenID Connect"
    with installation.resources.database.reading() as session:
        kept = session.exec(select(OpenIdIdentity)).one()
        assert KIM.subject not in kept.model_dump_json()


async def test_the_session_that_the_browser_had_ends_once_the_provider_has_signed_somebody_in(
    installation: Installation, provider: ProviderOnLoopback
) -> None:
    """The cookie of that session does not come along with what leads back from the provider."""
    browser = await installation.officer("robin")
    former = browser.http.cookies["duenotice"]
    back = await answer_of(browser)
    del browser.http.cookies["duenotice"]
    assert (await browser.get(back)).status_code == 200
    browser.http.cookies.set("duenotice", former)
    assert (await browser.get("/account")).status_code == 303


@pytest.mark.parametrize(
    ("lies", "reason", "says"),
    [
        ({"nonce": "another"}, "wrong_nonce", "belongs to another sign-in"),
        ({"aud": ["another"]}, "wrong_audience", "meant for another site"),
        ({"aud": [CLIENT_ID, "another"], "azp": "another"}, "wrong_audience", "meant for another site"),
        ({"exp": int(utc_now().timestamp()) - 3600}, "expired", "has expired"),
        ({"iss": "https://another.example.org"}, "wrong_issuer", "another provider"),
        ({"email_verified": False}, "email_unverified", "is verified"),
        ({"email_verified": "true"}, "email_unverified", "is verified"),
        ({"email": None}, "email_unverified", "is verified"),
        ({"email": "nobody@example.org"}, "no_account", "No account here has your e-mail address"),
        ({"sub": None}, "wrong_sub", "lacks something"),
    ],
)
async def test_what_is_wrong_in_its_word_is_refused_with_a_sentence_and_evidence(
    installation: Installation, provider: ProviderOnLoopback, lies: dict[str, object], reason: str, says: str
) -> None:
    provider.lies = lies
    visitor, answer = await sign_in(installation)
    assert answer.status_code == 403
    assert says in answer.text
    assert (await visitor.get("/account")).status_code == 303
    (refused,) = evidence(installation, "openid_refused")
    assert refused.body == {"issuer": provider.issuer, "reason": reason}
    assert evidence(installation, "openid_bound", "signed_in") == []


async def test_a_token_that_another_key_signed_is_refused_and_a_new_key_of_its_own_is_looked_up(
    installation: Installation, provider: ProviderOnLoopback
) -> None:
    await sign_in(installation)
    provider.rotate()
    assert (await (await sign_in(installation))[0].get("/account")).status_code == 200
    named = provider.key.kid
    provider.rotate()
    provider.key = ECKey.import_key({**provider.key.as_dict(private=True), "kid": str(named)})
    _, answer = await sign_in(installation)
    assert "is not signed by it" in answer.text
    assert [entry.body["reason"] for entry in evidence(installation, "openid_refused")] == ["wrong_signature"]


class TestTheWayBack:
    async def test_an_answer_counts_once_and_in_the_browser_that_asked(self, installation: Installation) -> None:
        visitor, stranger = installation.visitor(), installation.visitor()
        address = await answer_of(visitor)
        assert "begun in another browser" in (await stranger.get(address)).text
        assert (await visitor.get(address)).status_code == 200
        again = await visitor.get(address)
        assert (again.status_code, "was finished before" in again.text) == (403, True)

    async def test_an_answer_to_another_sign_in_is_refused(self, installation: Installation) -> None:
        victim, attacker = installation.visitor(), installation.visitor()
        await answer_of(victim)
        answer = await victim.get(await answer_of(attacker))
        assert "belongs to another sign-in" in answer.text
        assert [entry.body["reason"] for entry in evidence(installation, "openid_refused")] == ["wrong_state"]

    async def test_a_code_put_into_another_sign_in_is_not_taken(self, installation: Installation) -> None:
        """What PKCE is for: the provider gives the code's token to whoever began, and nobody else."""
        visitor, other = installation.visitor(), installation.visitor()
        own, foreign = [parse_qs(urlsplit(await answer_of(each)).query) for each in (visitor, other)]
        answer = await visitor.get(
            f"/sign-in/openid/callback?state={own['state'][0]}&code={foreign['code'][0]}",
        )
        assert "did not take its own answer back" in answer.text

    async def test_it_is_open_for_five_minutes(self, installation: Installation, provider: ProviderOnLoopback) -> None:
        visitor = installation.visitor()
        address = await answer_of(visitor)
        late = create_app(installation.resources, lambda: utc_now() + CHALLENGE_LIFETIME)
        there = httpx.AsyncClient(transport=httpx.ASGITransport(late), base_url=ORIGIN, cookies=visitor.http.cookies)
        assert "begun too long ago" in (await there.get(address)).text

    async def test_a_refusal_of_the_provider_is_said(self, installation: Installation) -> None:
        visitor = installation.visitor()
        state = parse_qs(urlsplit(await answer_of(visitor)).query)["state"][0]
        answer = await visitor.get(f"/sign-in/openid/callback?state={state}&error=access_denied")
        assert "The provider did not sign you in." in answer.text

    async def test_the_word_of_another_issuer_is_refused(self, installation: Installation) -> None:
        visitor = installation.visitor()
        answer = await visitor.get(f"{await answer_of(visitor)}&iss=https%3A%2F%2Fanother.example.org")
        assert "another provider" in answer.text


async def test_a_provider_that_calls_itself_otherwise_is_not_gone_to(
    installation: Installation, provider: ProviderOnLoopback
) -> None:
    provider.calls_itself = "https://another.example.org"
    answer = await installation.visitor().get("/sign-in/openid")
    assert (answer.status_code, "another provider" in answer.text) == (403, True)


async def test_what_it_tells_apart_of_the_token_is_asked_for(
    installation: Installation, provider: ProviderOnLoopback
) -> None:
    provider.tells_apart = True
    assert (await (await sign_in(installation))[0].get("/account")).status_code == 200


class TestWhoseAccount:
    async def test_a_disabled_account_stays_out(self, installation: Installation) -> None:
        database = installation.resources.database
        visitor, _ = await sign_in(installation)
        disable(database, "kim", actor="dana", now=utc_now())
        assert (await visitor.get("/account")).status_code == 303
        _, answer = await sign_in(installation)
        assert "This account is disabled." in answer.text
        (refused,) = evidence(installation, "sign_in_refused")
        assert (refused.actor, refused.body["reason"]) == ("kim", "openid_disabled")

    async def test_another_identity_with_the_address_takes_no_account_that_is_bound(
        self, installation: Installation, provider: ProviderOnLoopback
    ) -> None:
        await sign_in(installation)
        provider.person.subject = "subject-2"
        _, answer = await sign_in(installation)
        assert "Another identity at the provider" in answer.text
        forget_sign_in(installation.resources.database, "kim", actor="dana", now=utc_now())
        assert (await (await sign_in(installation))[0].get("/account")).status_code == 200

    async def test_an_address_of_two_accounts_is_nobody_s(self, installation: Installation) -> None:
        add(installation, "kim.two", "kim@example.org")
        _, answer = await sign_in(installation)
        assert "Several accounts here have your e-mail address." in answer.text

    async def test_two_identities_are_two_people(
        self, installation: Installation, provider: ProviderOnLoopback
    ) -> None:
        add(installation, "robin", "robin@example.org")
        await sign_in(installation)
        provider.person = Person("subject-2", "robin@example.org")
        await sign_in(installation)
        with installation.resources.database.reading() as session:
            check_second_person(session, "robin", "kim", Authentication.OPENID_CONNECT)


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
async def test_somebody_goes_there_and_comes_back_in_a_browser(
    temporal: Client, keyring: Keyring, tmp_path: Path, provider: ProviderOnLoopback
) -> None:
    """Browsers take the provider for another site, so they hold back cookies, and forms, as they do in earnest."""
    async with browsed(tmp_path, keyring, temporal, **known(provider)) as seen:
        add(seen.installation, "kim", "kim@example.org")
        await seen.page.goto(f"{seen.address}/agreements")
        await seen.page.get_by_role("link", name="Sign in with").click()
        await expect(seen.page.get_by_role("heading", name="Agreements")).to_be_visible()
        await expect(seen.page.get_by_role("link", name="kim")).to_be_visible()
        assert seen.complaints == []


async def test_without_a_provider_nothing_is_offered(fresh: Installation) -> None:
    assert "/sign-in/openid" not in (await fresh.visitor().get("/sign-in")).text
    for path in ("/sign-in/openid", "/sign-in/openid/callback"):
        assert "No OpenID provider is set up here." in (await fresh.visitor().get(path)).text


async def test_the_way_there_is_gone_so_often_a_minute_and_no_more(installation: Installation) -> None:
    for _ in range(30):
        installation.app.state.site.quotas.sign_ins.allow("127.0.0.1")
    assert (await installation.visitor().get("/sign-in/openid")).status_code == 429
