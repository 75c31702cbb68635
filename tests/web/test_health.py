"""What monitors ask: a word for strangers, each part and the figures for an administrator or with the token."""

from __future__ import annotations

import httpx
import pytest
from temporalio.client import Client

from config.keyring import Keyring
from models.enums import Role
from models.errors import Unavailable
from people.sessions import SessionRules
from tests.support.accounts import PEOPLE
from tests.support.installation import Installation, Visitor, open_installation
from web.sessions import Sessions

pytestmark = pytest.mark.usefixtures("patient_health")

TOKEN = "0123456789-of-a-monitor"
SECRETS = (TOKEN, "sqlite", "postgresql", "duenotice.sqlite3", "Traceback", "127.0.0.1:")


@pytest.fixture
def watched(temporal: Client, keyring: Keyring, tmp_path: pytest.TempPathFactory) -> Installation:
    """An installation with a monitor's token; no worker runs, and nothing was swept."""
    resources = open_installation(tmp_path, keyring, temporal, metrics={"token": TOKEN})  # type: ignore[arg-type]
    return Installation(resources)


async def ask(at: Visitor, path: str, token: str | None = None) -> httpx.Response:
    return await at.http.get(path, headers={"authorization": f"Bearer {token}"} if token else {})


async def test_a_stranger_learns_in_a_word_whether_it_is_in_order(watched: Installation) -> None:
    visitor = watched.visitor()
    assert (await ask(visitor, "/livez")).text == "ok\n"
    answer = await ask(visitor, "/readyz")
    assert (answer.status_code, answer.text) == (503, "not ready\n")
    answer = await ask(visitor, "/readyz?exclude=worker&exclude=sweep")
    assert (answer.status_code, answer.text) == (200, "ready\n")
    assert answer.headers["cache-control"] == "no-store"


async def test_with_the_token_each_part_is_named_with_what_to_do(watched: Installation) -> None:
    answer = await ask(watched.visitor(), "/readyz?exclude=mail", TOKEN)
    lines = answer.text.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "[+] database",
        "[+] temporal",
        "[-] worker" if "[-] worker" in answer.text else "[+] worker",
        "[-] sweep",
        "[+] checkpoint",
        "[+] mail (excluded)",
        "[+] artifacts",
        "[+] clock",
    ]
    assert not any(secret in answer.text for secret in SECRETS)


async def test_a_part_that_there_is_not_is_refused_with_those_there_are(watched: Installation) -> None:
    answer = await ask(watched.visitor(), "/readyz?exclude=weather")
    assert answer.status_code == 422
    assert "There are database, temporal, worker, sweep, checkpoint, mail, artifacts, clock." in answer.text


@pytest.mark.parametrize("token", [None, "another-token-of-that-length", TOKEN[:-1], "", "\N{SNOWMAN}"])
async def test_figures_are_not_for_strangers(watched: Installation, token: str | None) -> None:
    headers = {b"authorization": f"Bearer {token}".encode()} if token is not None else {}
    answer = await watched.visitor().http.get("/metrics", headers=headers)
    assert answer.status_code == 403
    assert "duenotice_ready" not in answer.text


async def test_figures_are_for_a_monitor_with_the_token_and_it_opens_nothing_else(watched: Installation) -> None:
    answer = await ask(watched.visitor(), "/metrics", TOKEN)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "duenotice_ready 0.0" in answer.text
    for path in ("/", "/api/cases", "/accounts"):
        assert (await ask(watched.visitor(), path, TOKEN)).status_code in (303, 401)


@pytest.mark.parametrize(("role", "sees"), [(role, role is Role.ADMINISTRATOR) for role in PEOPLE])
async def test_of_those_who_sign_in_an_administrator_sees_them(watched: Installation, role: Role, sees: bool) -> None:
    visitor = await watched.officer(role.value, role)
    assert ((await visitor.get("/metrics")).status_code == 200) is sees
    assert ("database: It answers." in (await visitor.get("/readyz")).text) is sees


async def test_without_a_token_in_the_settings_an_empty_one_opens_nothing(fresh: Installation) -> None:
    assert (await ask(fresh.visitor(), "/metrics", " ")).status_code == 403


async def test_while_the_database_is_away_monitors_are_answered_and_people_are_told(
    watched: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = await watched.officer("dana", Role.ADMINISTRATOR)

    def away(*_: object) -> SessionRules:
        raise Unavailable("The database does not answer: connection refused.", next_step="Try again later.")

    monkeypatch.setattr(Sessions, "read", away)
    assert (await visitor.get("/livez")).status_code == 200
    assert (await visitor.get("/readyz")).text in ("ready\n", "not ready\n"), "nobody can say who asks"
    assert (await visitor.get("/metrics")).status_code == 403
    answer = await visitor.get("/")
    assert answer.status_code == 503
    assert "The database does not answer" in answer.text
    assert "Traceback" not in answer.text
