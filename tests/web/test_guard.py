"""The guard: nothing but the sign-in page is open, links work once, and no other site can act for an officer."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.exc import DataError, IntegrityError
from starlette.routing import Route
from structlog.testing import capture_logs
from temporalio.client import Client

from cases.kinds import KINDS
from config.keyring import Keyring
from config.logging import FLOODED, configure_logging
from models.errors import NotAllowed
from people.sign_in import TOKEN_LIFETIME, issue_token, redeem_token
from starter.resources import utc_now
from tests.support.accounts import have_account
from tests.support.installation import ORIGIN, PLACES, Installation, Visitor, form_token, open_installation
from web.api import openings
from web.app import PARTS
from web.guard import MAX_ANSWER_BYTES, MAX_BODY_BYTES, OPEN_FOLDERS
from web.rights import OPEN_TO_ALL


async def test_every_route_but_the_open_ones_asks_for_a_session(fresh: Installation) -> None:
    visitor = fresh.visitor()
    routers = [*(part.router for part in PARTS), openings(KINDS.values())]
    routes = [*(route for router in routers for route in router.routes), *fresh.app.routes]
    asked = [
        (method, route.path.format_map(PLACES))
        for route in routes
        if isinstance(route, Route) and route.path not in OPEN_TO_ALL and not route.path.startswith(OPEN_FOLDERS)
        for method in route.methods or ()
    ]
    assert {("GET", "/"), ("POST", "/api/cases/new/breach"), ("GET", "/api/openapi.json")} <= set(asked)
    for method, path in asked:
        answer = await visitor.http.request(method, path)
        if path.startswith("/api/") or method == "POST":
            assert answer.status_code == 401, path
        else:
            assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/sign-in"), path


async def test_an_address_that_does_not_exist_tells_a_stranger_nothing(fresh: Installation) -> None:
    assert (await fresh.visitor().get("/nothing-here")).status_code == 303


async def test_health_needs_no_session_and_says_no_more_than_ok(fresh: Installation) -> None:
    assert (await fresh.visitor().get("/livez")).text == "ok\n"


class TestSigningIn:
    async def test_looking_at_the_link_does_not_use_it_up(self, fresh: Installation) -> None:
        visitor, token = fresh.visitor(), fresh.link_token()
        for _ in range(3):
            assert "Sign in</button>" in (await visitor.get(f"/sign-in?token={token}")).text
        answer = await visitor.http.post("/sign-in", data={"token": token})
        assert answer.headers["location"] == "/"
        assert (await visitor.get("/")).status_code == 200

    async def test_a_link_works_once(self, fresh: Installation) -> None:
        token = fresh.link_token()
        assert (await fresh.visitor().http.post("/sign-in", data={"token": token})).status_code == 303
        again = await fresh.visitor().http.post("/sign-in", data={"token": token})
        assert again.status_code == 403
        assert "Run `duenotice sign-in` for a fresh link." in again.text

    @pytest.mark.parametrize(("age", "works"), [(timedelta(seconds=-1), True), (timedelta(), False)])
    def test_a_link_works_for_a_day(self, fresh: Installation, age: timedelta, works: bool) -> None:
        now, database, rules = utc_now(), fresh.resources.database, fresh.app.state.site.sessions.rules
        have_account(database, "officer")
        token = issue_token(database, "officer", now, issued_by="cli:somebody")
        if works:
            assert redeem_token(database, token, rules, "", now + TOKEN_LIFETIME + age).actor == "officer"
        else:
            with pytest.raises(NotAllowed):
                redeem_token(database, token, rules, "", now + TOKEN_LIFETIME + age)

    async def test_it_leads_back_to_the_page_that_was_asked_for(self, fresh: Installation) -> None:
        visitor = fresh.visitor()
        turned_away = await visitor.get("/agreements")
        assert turned_away.headers["location"] == "/sign-in?next=/agreements"
        page = await visitor.get(f"/sign-in?next=/agreements&token={fresh.link_token()}")
        assert 'name="next" value="/agreements"' in page.text

    @pytest.mark.parametrize("elsewhere", ["//evil.test", "https://evil.test", "/\\evil.test", "javascript:alert(1)"])
    async def test_it_never_leads_to_another_site(self, fresh: Installation, elsewhere: str) -> None:
        signed_in = await fresh.visitor().http.post("/sign-in", data={"token": fresh.link_token(), "next": elsewhere})
        assert signed_in.headers["location"] == "/"

    async def test_signing_out_ends_it_wherever_its_cookie_was_copied_to(self, fresh: Installation) -> None:
        officer = await fresh.officer()
        copied = officer.http.cookies["duenotice"]
        assert (await officer.send("/agreements", "/sign-out", {})).status_code == 303
        assert (await officer.get("/")).status_code == 303
        officer.http.cookies.set("duenotice", copied)
        assert (await officer.get("/")).status_code == 303


async def test_what_is_refused_at_the_door_is_logged_and_so_is_what_strangers_run_into(
    fresh: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = fresh.visitor()

    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr("web.access.show_sign_in", crash)
    with capture_logs() as lines:
        await stranger.http.post("/api/vendors", headers={"Origin": "https://elsewhere.test"})
        await stranger.http.get("/api/vendors", headers={"Host": "elsewhere.test"})
        assert (await stranger.get("/sign-in")).status_code == 500
    assert [(line["event"], line.get("status")) for line in lines if line["log_level"] != "debug"] == [
        ("request refused", 403),
        ("request refused", 421),
        ("request crashed", None),
    ]
    assert {"web.strangers", "web.strangers.failures"} <= FLOODED


class TestTheCookie:
    async def test_scripts_and_other_sites_do_not_get_it(self, fresh: Installation) -> None:
        answer = await fresh.visitor().http.post("/sign-in", data={"token": fresh.link_token()})
        assert re.search(r"HttpOnly; Max-Age=43200; Path=/; SameSite=strict$", answer.headers["set-cookie"])

    async def test_over_https_it_is_bound_to_this_host_and_to_https(
        self, temporal: Client, keyring: Keyring, tmp_path: Path
    ) -> None:
        resources = open_installation(tmp_path, keyring, temporal, public_url="https://notices.example.org")
        installation = Installation(resources)
        visitor = installation.visitor("https://notices.example.org")
        answer = await visitor.http.post("/sign-in", data={"token": installation.link_token()})
        assert answer.headers["set-cookie"].startswith("__Host-duenotice=")
        assert "; Secure" in answer.headers["set-cookie"]
        page = await visitor.get("/")
        assert page.status_code == 200
        for answer in (page, await visitor.get("/static/duenotice.css"), await visitor.get("/nothing-here")):
            assert answer.headers["strict-transport-security"] == "max-age=63072000"

    async def test_over_http_no_browser_is_told_to_come_by_https(self, fresh: Installation) -> None:
        assert "strict-transport-security" not in (await fresh.visitor().get("/sign-in")).headers


class TestOtherSites:
    @pytest.mark.parametrize(
        "headers", [{"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
    )
    async def test_what_another_site_sends_is_refused(self, officer: Visitor, headers: dict[str, str]) -> None:
        answer = await officer.http.post("/api/cases/new/breach", json={}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")

    async def test_what_our_own_pages_send_is_not(self, officer: Visitor) -> None:
        answer = await officer.http.post("/api/cases/new/breach", json={}, headers={"Origin": ORIGIN})
        assert answer.status_code == 422

    async def test_a_form_without_a_token_does_nothing(self, officer: Visitor) -> None:
        for token in ("", "0" * 64):
            answer = await officer.http.post("/cases/new/breach", data={"form_token": token, "act": "open"})
            assert answer.status_code == 403

    async def test_a_form_of_somebody_else_does_nothing(self, installation: Installation) -> None:
        token = form_token(await (await installation.officer("one")).get("/cases/new/breach"))
        other = await installation.officer("another")
        assert (await other.http.post("/cases/new/breach", data={"form_token": token})).status_code == 403

    async def test_a_form_that_outlived_its_session_can_be_sent_again(self, fresh: Installation) -> None:
        officer = await fresh.officer()
        typed = {
            "form_token": form_token(await officer.get("/cases/new/breach")),
            "title": "An hour's work",
            "act": "open",
        }
        officer.http.cookies.clear()
        turned_away = await officer.http.post("/cases/new/breach", data=typed)
        assert turned_away.status_code == 401
        assert "then reload this page" in turned_away.text
        await officer.http.post("/sign-in", data={"token": fresh.link_token()})
        assert "An hour&#39;s work" in (await officer.http.post("/cases/new/breach", data=typed)).text

    async def test_another_name_for_this_host_is_refused(self, officer: Visitor) -> None:
        answer = await officer.http.get("/", headers={"Host": "rebound.evil.test"})
        assert answer.status_code == 421


class TestPages:
    async def test_they_run_and_embed_nothing_of_others_and_are_not_kept(self, officer: Visitor) -> None:
        headers = (await officer.get("/")).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"

    async def test_what_is_not_there_is_said_in_a_sentence(self, officer: Visitor) -> None:
        for path in ("/nothing-here", "/cases/not-a-case", f"/cases/{uuid4()}"):
            answer = await officer.get(path)
            assert answer.status_code == 404
            assert re.search(r"<p>There is (nothing|no case) .+\.", answer.text), path

    async def test_a_method_that_makes_no_sense_is_said_so(self, officer: Visitor) -> None:
        answer = await officer.http.put("/agreements")
        assert answer.status_code == 405
        assert "does not take PUT" in answer.text

    async def test_a_failure_of_ours_shows_a_reference_and_no_more(self, fresh: Installation) -> None:
        officer = await fresh.officer()
        with fresh.resources.database.writing() as session:
            session.connection().exec_driver_sql("ALTER TABLE agreement RENAME COLUMN lea_name TO gone")
        answer = await officer.get("/agreements")
        assert answer.status_code in (500, 503)
        assert re.search(r"<code>[0-9a-f]{8}</code>", answer.text)
        assert "Traceback" not in answer.text

    async def test_more_than_anybody_needs_to_send_is_refused(self, officer: Visitor) -> None:
        answer = await officer.http.post("/api/cases/new/breach", content=b"x" * (MAX_BODY_BYTES + 1))
        assert (answer.status_code, answer.json()["code"]) == (413, "invalid-input")

    async def test_without_an_account_little_is_taken(self, fresh: Installation) -> None:
        answer = await fresh.visitor().http.post("/sign-in", data={"name": "x" * MAX_ANSWER_BYTES})
        assert answer.status_code == 413

    async def test_a_crash_shows_a_reference_that_the_log_has_with_the_place(
        self, fresh: Installation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        officer, log = await fresh.officer(), io.StringIO()
        configure_logging(fresh.resources.settings, log)
        monkeypatch.setattr("web.agreements.AGREEMENTS_SHOWN", 0)  # divides by it
        answer = await officer.get("/agreements")
        assert answer.status_code == 500
        reference = re.search(r"look for ([0-9a-f]{8}) in the log", answer.text)
        assert reference
        assert "division" not in answer.text
        [crash] = [line for line in log.getvalue().splitlines() if reference[1] in line]
        assert "ZeroDivisionError" in crash

    @pytest.mark.parametrize(
        ("error", "status", "says"),
        [
            (IntegrityError("INSERT", None, Exception("s3cret")), 409, "Somebody else did the same at the same moment"),
            (DataError("INSERT", None, Exception("s3cret")), 422, "a number or a date is out of reach"),
            (OverflowError("s3cret"), 422, "a number or a date is out of reach"),
            (UnicodeEncodeError("utf-8", "s3cret", 0, 1, "s3cret"), 422, "a text holds no characters"),
            (RuntimeError("s3cret"), 500, "Something failed here that should not have."),
        ],
    )
    async def test_what_no_check_foresaw_is_a_sentence_too(
        self, fresh: Installation, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, says: str
    ) -> None:
        def fails(*_: object) -> None:
            raise error

        officer = await fresh.officer()
        monkeypatch.setattr("web.agreements.agreement_kinds", fails)
        answer = await officer.get("/agreements")
        assert answer.status_code == status
        assert says in answer.text
        assert "s3cret" not in answer.text
