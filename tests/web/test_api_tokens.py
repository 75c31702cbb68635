"""Programs: what a token lets one do by the JSON interface, for how long, and that people hear of what it reported."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import select, update

from agreements.importing import import_agreements
from models.enums import Authentication, Role
from models.errors import InvalidInput, NotAllowed, Refused
from models.tables import Account, ApiToken, Case, EvidenceEntry
from people.accounts import change_role, check_second_person, disable, enable
from people.api_tokens import LONGEST, PREFIX, end_token, list_tokens, make_token
from people.sign_in import issue_token
from records.unraised import new_cases
from starter.resources import utc_now
from tests.support.accounts import have_account
from tests.support.installation import PLACES, Installation, demo_agreements
from tests.support.local_engine import PROJECT
from tests.support.routes import ROUTES
from web.guard import OPEN_FOLDERS
from web.rights import BY_TOKEN, LOOKING, OPEN_TO_ALL, RIGHTS, takes
from web.site import REPORTS_AN_HOUR

DAY = timedelta(days=1)


def program(fresh: Installation, name: str = "siem", role: Role = Role.PROGRAM) -> httpx.AsyncClient:
    """A program that shows a token with each request."""
    have_account(fresh.resources.database, name, role)
    return showing(fresh, token_of(fresh, name))


def token_of(fresh: Installation, name: str, good_for: timedelta = DAY) -> str:
    resources = fresh.resources
    return make_token(resources.database, resources.keyring, name, made_by="dana", now=utc_now(), good_for=good_for)


def showing(fresh: Installation, token: str) -> httpx.AsyncClient:
    http = fresh.visitor().http
    http.headers["Authorization"] = f"Bearer {token}"
    return http


def report(title: str = "Unusual export") -> dict[str, object]:
    """What a program reports: a suspicion."""
    return {
        "title": title,
        "occurred": {"kind": "unknown"},
        "discovered_at": utc_now().isoformat(),
        "description": "An account exported records at night.",
        "data_types": ["Student names"],
        "agreements": ["TN-001"],
        "reporter": {"name": "Security Office", "email": "security@provider.example.org"},
    }


@pytest.fixture
def agreed(fresh: Installation) -> None:
    """The installation knows the demonstration's agreements."""
    database, catalogue = fresh.resources.database, fresh.resources.catalogue
    import_agreements(
        database, catalogue, demo_agreements(), file_name="agreements.csv", now=utc_now() - DAY, actor="robin"
    )


def evidence(fresh: Installation, kind: str) -> list[EvidenceEntry]:
    with fresh.resources.database.reading() as session:
        return list(session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == kind)))


@pytest.mark.usefixtures("agreed")
async def test_a_program_reports_a_case_once_and_people_are_to_be_told(fresh: Installation) -> None:
    siem, given = program(fresh), report()
    first = await siem.post("/api/cases/new/breach", json=given)
    again = await siem.post("/api/cases/new/breach", json=given)
    assert (first.status_code, again.status_code) == (201, 200), first.text
    assert again.json() == {"case_id": first.json()["case_id"], "existed": True}
    (opened,) = evidence(fresh, "case_opened")
    assert (opened.actor, opened.body["authenticated"]) == ("siem", "api_token")
    with fresh.resources.database.reading() as session:
        (case,) = new_cases(session, limit=10)
        assert (str(case.id), case.program) == (first.json()["case_id"], "siem")
        assert session.get_one(Case, case.id).responsible_id is None


@pytest.mark.parametrize("role", [Role.PROGRAM, Role.AUDITOR])
async def test_a_token_lets_a_program_do_what_it_may_and_nothing_else(fresh: Installation, role: Role) -> None:
    http = program(fresh, "reader", role)
    for method, path in ROUTES:
        answer = await http.request(method, path.format_map(PLACES))
        needed = takes(method, path)
        if not path.startswith("/api/"):
            assert answer.status_code in (200, 303, 400, 401, 403, 404, 405, 410, 422, 503), (method, path)
            if path not in OPEN_TO_ALL and not path.startswith(OPEN_FOLDERS):
                to = answer.headers.get("location", "").partition("?")[0]
                refused = (303, "/sign-in") if method in LOOKING else (401, "")
                assert (answer.status_code, to) == refused, (method, path)
            continue
        may = bool(needed & RIGHTS[role] & BY_TOKEN) or needed > BY_TOKEN
        told = "who may not do this" in html.unescape(answer.text)
        assert told is not may, (role, method, path, answer.status_code, answer.text)


async def test_a_token_counts_for_nothing_but_the_json_interface(fresh: Installation) -> None:
    http = program(fresh, "reader", Role.AUDITOR)
    assert (await http.get("/api/cases")).status_code == 200
    assert (await http.get("/agreements")).headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("token", ["", "nonsense", f"{PREFIX}made-up.0000000000000000", "a.b"])
async def test_a_token_that_was_never_given_is_refused_without_a_question_to_the_database(
    fresh: Installation, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("web.sessions.read_token", lambda *given: asked.append(given[1]))
    answer = await showing(fresh, token).get("/api/cases")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "This token is not good" in answer.json()["message"]
    assert asked == []


async def test_a_token_is_good_until_it_ends_by_itself_or_by_a_person(fresh: Installation) -> None:
    database = fresh.resources.database
    http = program(fresh, "reader", Role.AUDITOR)
    assert (await http.get("/api/cases")).status_code == 200
    (shown,) = list_tokens(database, utc_now())
    assert shown.used_at is not None
    assert list_tokens(database, utc_now() + DAY) == ()
    end_token(database, shown.id, actor="dana", now=utc_now())
    assert (await http.get("/api/cases")).status_code == 401
    assert [entry.actor for entry in evidence(fresh, "api_token_ended")] == ["dana"]

    expired = showing(fresh, token_of(fresh, "reader"))
    with database.writing() as session:
        session.execute(update(ApiToken).values(expires_at=utc_now()))
    assert (await expired.get("/api/cases")).status_code == 401


async def test_tokens_end_with_their_account_and_with_its_role(fresh: Installation) -> None:
    database, now = fresh.resources.database, utc_now()
    http = program(fresh, "reader", Role.AUDITOR)
    disable(database, "reader", actor="dana", now=now)
    enable(database, "reader", actor="dana", now=now)
    assert (await http.get("/api/cases")).status_code == 401
    other = showing(fresh, token_of(fresh, "reader"))
    change_role(database, "reader", Role.OFFICER, actor="dana", now=now)
    change_role(database, "reader", Role.AUDITOR, actor="dana", now=now)
    assert (await other.get("/api/cases")).status_code == 401
    assert len(evidence(fresh, "api_token_ended")) == 2


@pytest.mark.parametrize("role", [Role.OFFICER, Role.APPROVER, Role.ADMINISTRATOR])
def test_people_who_decide_have_no_tokens(fresh: Installation, role: Role) -> None:
    have_account(fresh.resources.database, "robin", role)
    with pytest.raises(Refused, match="Only auditors and programs have tokens"):
        token_of(fresh, "robin")


@pytest.mark.parametrize("good_for", [timedelta(), -DAY, LONGEST + DAY])
def test_a_token_is_good_for_a_day_at_least_and_two_years_at_most(fresh: Installation, good_for: timedelta) -> None:
    have_account(fresh.resources.database, "siem", Role.PROGRAM)
    with pytest.raises(InvalidInput, match="730 at most"):
        token_of(fresh, "siem", good_for)


def test_nobody_signs_in_as_a_program_and_it_is_no_second_person(fresh: Installation) -> None:
    database = fresh.resources.database
    have_account(database, "siem", Role.PROGRAM)
    with pytest.raises(Refused, match="nobody signs in as one"):
        issue_token(database, "siem", utc_now(), issued_by="dana")
    with database.reading() as session, pytest.raises(NotAllowed):
        check_second_person(session, "robin", "siem", Authentication.API_TOKEN)


def test_what_is_kept_of_a_token_opens_nothing(fresh: Installation) -> None:
    have_account(fresh.resources.database, "siem", Role.PROGRAM)
    token = token_of(fresh, "siem")
    with fresh.resources.database.reading() as session:
        kept = session.exec(select(ApiToken)).one()
        account = session.exec(select(Account).where(Account.name == "siem")).one()
    assert token not in f"{kept!r} {account!r}"
    assert (token.startswith(PREFIX), len(kept.digest)) == (True, 64)
    (made,) = evidence(fresh, "api_token_made")
    assert token not in f"{made!r}"


@pytest.mark.usefixtures("agreed")
async def test_a_program_that_reports_too_often_is_stopped_before_anything_is_kept(fresh: Installation) -> None:
    siem = program(fresh)
    for _ in range(REPORTS_AN_HOUR):
        fresh.app.state.site.quotas.reports.check(_account_id(fresh))
    answer = await siem.post("/api/cases/new/breach", json=report())
    assert answer.status_code == 429
    assert "Too many tries came from this program." in answer.json()["message"]
    assert evidence(fresh, "case_opened") == []


def _account_id(fresh: Installation) -> str:
    with fresh.resources.database.reading() as session:
        return str(session.exec(select(Account).where(Account.name == "siem")).one().id)


async def test_an_administrator_adds_a_program_and_ends_its_token_on_the_page(fresh: Installation) -> None:
    administrator = await fresh.officer("dana", Role.ADMINISTRATOR)

    async def do(act: str, **values: Any) -> str:
        return html.unescape((await administrator.send("/accounts", "/accounts", {"act": act, **values})).text)

    shown = await do("add", name="siem", role="program")
    first = re.search(rf"<pre>({PREFIX}[\w.-]+)</pre>", shown)
    second = re.search(rf"<pre>({PREFIX}[\w.-]+)</pre>", await do("token", name="siem"))
    assert first
    assert second
    assert "<h2>Tokens</h2>" in (await administrator.get("/accounts")).text
    for token in list_tokens(fresh.resources.database, utc_now()):
        assert "The token is good no more." in await do("end-token", token_id=str(token.id))
    answer = await showing(fresh, first[1]).post("/api/cases/new/breach", json={})
    assert answer.status_code == 401
    assert "<h2>Tokens</h2>" not in (await administrator.get("/accounts")).text


@pytest.mark.usefixtures("agreed")
async def test_the_report_that_the_document_shows_opens_a_case(fresh: Installation) -> None:
    document = (PROJECT / "docs" / "api.md").read_text("utf-8")
    (shown,) = re.findall(r"^```json\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    said = {"Content-Type": "application/json"}
    answer = await program(fresh).post("/api/cases/new/breach?dates_confirmed=true", content=shown, headers=said)
    assert answer.status_code == 201, answer.text
    assert f"at most {REPORTS_AN_HOUR} an hour" in document


async def test_a_report_that_is_not_called_json_is_told_what_to_call_it(fresh: Installation) -> None:
    answer = await program(fresh).post("/api/cases/new/breach", content=b"{}")
    assert (answer.status_code, answer.json()["where"]) == (415, "Content-Type")
    assert "Content-Type: application/json" in answer.json()["next_step"]
