"""Every role against every route: what each may do, and that nothing but that is let through."""

from __future__ import annotations

import html
import re
from uuid import uuid4

import pytest
from sqlmodel import select

from cases.acts import COMMON_ACTS, Act
from cases.kinds import KINDS
from models.enums import Role
from models.tables import EvidenceEntry
from people.accounts import change_role, disable
from starter.resources import utc_now
from tests.support.accounts import PEOPLE
from tests.support.installation import PLACES, Installation, form_token
from tests.support.routes import ROUTES
from web.rights import EVERYBODY, RIGHTS, Right, act_takes, takes

READ, OWN, DECIDE, EXPORT, REPORT, ACT, ADMINISTER = Right

TABLE: dict[str, frozenset[Right]] = {
    "GET /livez": EVERYBODY,
    "GET /readyz": EVERYBODY,
    "GET /metrics": EVERYBODY,
    "GET /sign-in": EVERYBODY,
    "POST /sign-in": EVERYBODY,
    "GET /n/{token}": EVERYBODY,
    "GET /h/{token}": EVERYBODY,
    "GET /f/{token}": EVERYBODY,
    "GET /n/{token}/facts": EVERYBODY,
    "POST /n/{token}": frozenset({ACT}),
    "POST /n/{token}/documents/{document_id}": frozenset({ACT}),
    "POST /sign-out": frozenset({OWN}),
    "GET /account": frozenset({OWN}),
    "POST /account": frozenset({OWN}),
    "POST /account/sessions/{session_id}/end": frozenset({OWN}),
    "POST /account/passkeys": frozenset({OWN}),
    "POST /account/passkeys/{passkey_id}/remove": frozenset({OWN}),
    "POST /api/account/passkeys": frozenset({OWN}),
    "POST /sign-in/passkey": EVERYBODY,
    "POST /api/sign-in/passkey": EVERYBODY,
    "GET /sign-in/openid": EVERYBODY,
    "GET /sign-in/openid/callback": EVERYBODY,
    "GET /student-data": EVERYBODY,
    "POST /student-data": EVERYBODY,
    "GET /cases/new/{kind}": frozenset({ACT}),
    "GET /cases/new/{kind}/many": frozenset({ACT}),
    "GET /accounts": frozenset({ADMINISTER}),
    "POST /accounts": frozenset({ADMINISTER}),
    "GET /h/{token}/receipts/{answer_id}": EVERYBODY,
    "GET /h/all/{token}": EVERYBODY,
    "POST /api/mail-events/sendgrid": EVERYBODY,
    "POST /api/mail-events/mailgun": EVERYBODY,
    "POST /api/mail-events/ses": EVERYBODY,
    "GET /h/all/{token}/tasks.csv": EVERYBODY,
    "POST /cases/{case_id}/evidence.zip": frozenset({EXPORT}),
    "GET /duties.csv": frozenset({EXPORT}),
    "POST /cases/{case_id}/erasure/{erasure_id}/approve": frozenset({DECIDE}),
    "POST /cases/{case_id}/erasure/{erasure_id}/decline": frozenset({ACT, DECIDE}),
    "POST /cases/{case_id}/acts/{act}": frozenset({ACT, DECIDE}),
    "POST /api/cases/{case_id}/acts": frozenset({ACT, DECIDE}),
    **{f"POST /api/cases/new/{kind}": frozenset({ACT, REPORT}) for kind in KINDS},
}
"""What is neither plain looking nor a plain act; a route that takes anything else is named here, or the test fails."""


def test_the_table_names_routes_that_exist() -> None:
    assert set(TABLE) <= {f"{method} {path}" for method, path in ROUTES}


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_each_route_takes_the_right_that_it_should(method: str, path: str) -> None:
    plain = frozenset({READ}) if method == "GET" else frozenset({ACT})
    assert takes(method, path) == TABLE.get(f"{method} {path}", plain)


@pytest.mark.parametrize("role", PEOPLE)
async def test_each_role_is_let_through_to_what_it_may_do_and_to_nothing_else(fresh: Installation, role: Role) -> None:
    visitor = await fresh.officer("somebody", role)
    for method, path in ROUTES:
        if path in ("/sign-out", "/account/sessions/{session_id}/end"):
            continue  # it would end the session; tests/web/test_sessions.py does that
        answer = await visitor.http.request(method, path.format_map(PLACES))
        may = bool(takes(method, path) & RIGHTS[role])
        told = "who may not do this" in html.unescape(answer.text)
        assert told is not may, (role, method, path, answer.status_code, answer.text)
        assert may or answer.status_code == 403


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("act", [*COMMON_ACTS, *KINDS["breach"].acts])
async def test_each_role_does_the_acts_that_it_may_on_the_page_and_as_json(
    fresh: Installation, role: Role, act: type[Act]
) -> None:
    may = bool(act_takes(act) & RIGHTS[role])
    assert (
        may
        is {
            Role.AUDITOR: False,
            Role.APPROVER: act.act_name() in ("approve", "decline"),
            Role.OFFICER: True,
            Role.ADMINISTRATOR: act.act_name() != "approve",
            Role.PROGRAM: False,
        }[role]
    )


async def test_an_approver_who_acts_is_refused_on_the_page_and_as_json(told_case: str, fresh: Installation) -> None:
    approver = await fresh.officer("sam", Role.APPROVER)
    page = await approver.get(f"/cases/{told_case}")
    token = form_token(page)
    said = await approver.http.post(f"/cases/{told_case}/acts/withhold", data={"form_token": token, "reason": "No."})
    assert said.status_code == 403
    act = {"act": "withhold", "reason": "No."}
    assert (await approver.http.post(f"/api/cases/{told_case}/acts", json=act)).status_code == 403
    approve = {"act": "approve", "proposal_id": str(uuid4())}
    assert (await approver.http.post(f"/api/cases/{told_case}/acts", json=approve)).status_code != 403


@pytest.fixture
def told_case(told: object, fresh: Installation) -> str:
    with fresh.resources.database.reading() as session:
        entry = session.exec(select(EvidenceEntry).where(EvidenceEntry.case_id.is_not(None))).first()  # type: ignore[union-attr]
        assert entry
        return str(entry.case_id)


async def test_a_refusal_is_evidence_once_a_session(fresh: Installation) -> None:
    auditor = await fresh.officer("ada", Role.AUDITOR)
    for _ in range(2):
        assert (await auditor.get("/accounts")).status_code == 403
    with fresh.resources.database.reading() as session:
        (entry,) = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "access_refused"))
        assert (entry.actor, entry.body["asked"], entry.body["role"]) == ("ada", "GET /accounts", "auditor")


async def test_an_auditor_is_offered_no_import_no_report_and_no_accounts(fresh: Installation) -> None:
    auditor, officer = await fresh.officer("ada", Role.AUDITOR), await fresh.officer("robin")
    for offered in ("/cases/new/breach", 'name="file"'):
        assert offered in (await officer.get("/agreements")).text
        assert offered not in (await auditor.get("/agreements")).text
    administrator = await fresh.officer("dana", Role.ADMINISTRATOR)
    assert 'href="/accounts"' in (await administrator.get("/agreements")).text
    assert 'href="/accounts"' not in (await officer.get("/agreements")).text


async def test_a_change_of_role_counts_from_the_next_click(fresh: Installation) -> None:
    officer = await fresh.officer("robin")
    assert (await officer.get("/cases/new/breach")).status_code == 200
    change_role(fresh.resources.database, "robin", Role.AUDITOR, actor="dana", now=utc_now())
    assert (await officer.http.post("/agreements", data={})).status_code == 403
    disable(fresh.resources.database, "robin", actor="dana", now=utc_now())
    assert (await officer.get("/")).status_code == 303


class TestThePageOfAccounts:
    async def test_somebody_is_added_signs_in_by_the_link_and_is_changed_and_disabled(
        self, fresh: Installation
    ) -> None:
        administrator = await fresh.officer("dana", Role.ADMINISTRATOR)

        async def do(act: str, **values: str) -> str:
            answer = await administrator.send("/accounts", "/accounts", {"act": act, **values})
            return html.unescape(answer.text)

        shown = await do("add", name="Kim Example", email="kim@example.org", role="approver")
        link = re.search(r"<pre>http://127\.0\.0\.1/sign-in\?token=([\w-]+)</pre>", shown)
        assert link
        kim = fresh.visitor()
        assert (await kim.http.post("/sign-in", data={"token": link[1]})).status_code == 303
        assert "Your role is approver; you signed in by one time link." in (await kim.get("/account")).text
        assert "is changed" in await do("role", name="Kim Example", role="auditor")
        assert "Your role is auditor" in (await kim.get("/account")).text
        assert "signed out everywhere" in await do("disable", name="Kim Example")
        assert (await kim.get("/account")).status_code == 303
        assert "can sign in again" in await do("enable", name="Kim Example")

    async def test_what_was_typed_stays_where_it_is_refused(self, fresh: Installation) -> None:
        administrator = await fresh.officer("dana", Role.ADMINISTRATOR)
        typed: dict[str, object] = {
            "act": "add",
            "name": "kim@example.org",
            "email": "kim@example.org",
            "role": "auditor",
        }
        answer = await administrator.send("/accounts", "/accounts", dict(typed))
        assert answer.status_code == 422
        assert 'value="kim@example.org"' in answer.text
        assert "<option selected>auditor</option>" in answer.text

    async def test_a_session_of_somebody_else_is_ended(self, fresh: Installation) -> None:
        administrator, kim = await fresh.officer("dana", Role.ADMINISTRATOR), await fresh.officer("kim")
        page = (await administrator.get("/accounts")).text
        row = re.search(r'<th scope="row">kim</th>(?:(?!</tr>).)*name="session_id" value="([\w-]+)"', page, re.S)
        assert row
        ended = await administrator.send("/accounts", "/accounts", {"act": "end", "session_id": row[1]})
        assert "The session is ended." in ended.text
        assert (await kim.get("/")).status_code == 303
