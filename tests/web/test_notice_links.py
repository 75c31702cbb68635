"""The links that a party holds: replaced, taken back, expired, and what they say then."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlmodel import col, select
from temporalio.client import Client

from agreements.importing import import_agreements
from config.keyring import Keyring
from ledger.artifacts import fetch
from mail.catcher import Catcher, start_catcher
from models.enums import Role
from models.tables import Agreement, AgreementContact, Case, Notice
from records.links import notice_under
from starter.resources import utc_now
from tests.support.given_notices import Told, give_notices
from tests.support.installation import ORIGIN, Installation, Visitor, demo_agreements, open_installation
from web.app import create_app

DAY = timedelta(days=1)
ACKNOWLEDGED = {"kind": "acknowledged"}


@pytest.fixture
async def mail(tmp_path: Path) -> AsyncIterator[Catcher]:
    catcher = await start_catcher(tmp_path / "mail")
    yield catcher
    await catcher.stop()


@pytest.fixture
def mailed(temporal: Client, keyring: Keyring, tmp_path: Path, mail: Catcher) -> Told:
    """As ``told``, with a mail server."""
    smtp = {"host": mail.host, "port": mail.port, "security": "none"}
    installation = Installation(open_installation(tmp_path / "home", keyring, temporal, smtp=smtp))
    resources, now = installation.resources, utc_now()
    import_agreements(
        resources.database, resources.catalogue, demo_agreements(), file_name="agreements.csv", now=now - DAY, actor="x"
    )
    return Told(installation, give_notices(resources.database, resources.catalogue, now), installation.visitor())


def page(told: Told, reference: str) -> str:
    return f"/cases/{told.given.case_id}/notices/{told.given.notices[reference]}/link"


async def change(told: Told, reference: str, act: str, **values: object) -> httpx.Response:
    officer = await told.installation.officer("robin")
    given = {"act": act, "reason": "It was forwarded to a list.", **values}
    return await officer.send(page(told, reference), page(told, reference), given)


def contact(told: Told, reference: str) -> UUID:
    with told.installation.resources.database.reading() as session:
        return session.exec(
            select(AgreementContact.id)
            .join(Agreement, col(Agreement.id) == col(AgreementContact.agreement_id))
            .where(Agreement.reference == reference)
        ).first()  # type: ignore[return-value]


async def says(told: Told, link: str) -> str:
    """What a link that opens nothing says; the same however one comes with it, and nothing of the case."""
    answers = [
        await told.visitor.get(link),
        await told.visitor.get(f"{link}/facts"),
        await told.visitor.http.post(link, data=ACKNOWLEDGED),
        await told.visitor.http.post(f"{link}/documents/{UUID(int=1)}"),
    ]
    said = {re.sub(r"<footer.*", "", answer.text, flags=re.S) for answer in answers}
    assert {answer.status_code for answer in answers} == {410}
    assert len(said) == 1
    (text,) = said
    for telling in ("Blue Ridge", "VA-001", "Rosters", "breach", str(told.given.case_id)[:8]):
        assert telling not in text
    return text


async def test_a_replaced_link_opens_nothing_and_the_new_one_is_mailed_and_opens_the_notice(
    mailed: Told, tmp_path: Path
) -> None:
    old = mailed.link("VA-001")
    assert (await change(mailed, "VA-001", "replace", contact=contact(mailed, "VA-001"))).status_code == 303
    assert "was replaced by a newer one" in await says(mailed, old)
    (caught,) = (tmp_path / "mail").glob("*.eml")
    words = message_from_bytes(caught.read_bytes(), policy=policy.default).get_content()
    new = re.search(rf"{re.escape(ORIGIN)}(/n/[\w-]{{46}})\s", words)
    assert new
    assert (await mailed.visitor.http.post(new[1], data=ACKNOWLEDGED)).status_code == 303
    assert len(mailed.answers()) == 1
    assert "Cascade Meadow" in await mailed.text(mailed.link("OR-001")), "the links of others stay"

    (replaced,), (sent,) = mailed.evidence("links_replaced"), mailed.evidence("links_mailed")
    assert (replaced.actor, replaced.body["notices"]) == ("robin", [str(mailed.given.notices["VA-001"])])
    assert (sent.body["rejected"], sent.body["unknown"]) == (False, False)
    with mailed.installation.resources.database.reading() as session:
        assert fetch(session, replaced.artifacts[0]) == b"It was forwarded to a list."
        assert fetch(session, sent.artifacts[0]) == caught.read_bytes()


async def test_no_officer_is_shown_a_link_that_works(mailed: Told) -> None:
    await change(mailed, "VA-001", "replace", contact=contact(mailed, "VA-001"))
    officer = await mailed.installation.officer("robin")
    for shown in (page(mailed, "VA-001"), f"/cases/{mailed.given.case_id}"):
        assert "/n/" not in (await officer.get(shown)).text


async def test_the_old_links_end_even_where_the_new_ones_cannot_be_mailed(told: Told) -> None:
    answer = await change(told, "VA-001", "replace", contact=contact(told, "VA-001"))
    assert answer.status_code == 503
    assert "the new ones were not mailed" in answer.text
    assert "It was forwarded to a list." in answer.text
    assert "was replaced" in await says(told, told.link("VA-001"))
    assert told.evidence("links_mailed") == []


async def test_links_that_were_taken_back_say_so_until_they_are_replaced(mailed: Told) -> None:
    assert (await change(mailed, "VA-001", "revoke")).status_code == 303
    assert "was taken back" in await says(mailed, mailed.link("VA-001"))
    assert (await change(mailed, "VA-001", "revoke")).status_code == 409
    assert (await change(mailed, "VA-001", "replace", contact=contact(mailed, "VA-001"))).status_code == 303
    assert "was replaced" in await says(mailed, mailed.link("VA-001"))
    assert [entry.kind for entry in mailed.evidence("links_revoked", "links_replaced")] == [
        "links_revoked",
        "links_replaced",
    ]


async def test_what_makes_no_sense_changes_nothing(told: Told) -> None:
    sound = {"act": "replace", "contact": contact(told, "VA-001")}
    for wrong in ({"reason": " "}, {"contact": UUID(int=1)}, {"contact": ""}, {"act": "burn"}):
        given: dict[str, object] = {**sound, **wrong}
        assert (await change(told, "VA-001", str(given.pop("act")), **given)).status_code == 422
    assert (await told.visitor.get(told.link("VA-001"))).status_code == 200
    assert told.evidence("links_replaced") == []


async def test_an_auditor_sees_what_became_of_them_and_changes_nothing(told: Told) -> None:
    auditor = await told.installation.officer("ada", Role.AUDITOR)
    shown = (await auditor.get(page(told, "VA-001"))).text
    assert "as sent" in shown
    assert "<button>Take the links back" not in shown
    assert (await auditor.http.post(page(told, "VA-001"), data={"act": "revoke"})).status_code == 403


async def test_they_expire_half_a_year_after_their_case_was_closed(told: Told) -> None:
    resources, now = told.installation.resources, utc_now()
    with resources.database.writing() as session:
        session.get_one(Case, told.given.case_id).closed_at = now
    for later, status in ((180 * DAY - timedelta(seconds=1), 200), (180 * DAY, 410)):
        app = create_app(resources, lambda later=later: now + later)  # type: ignore[misc]
        visitor = Visitor(httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN))
        answer = await visitor.get(told.link("VA-001"))
        assert (answer.status_code, "This link has expired." in answer.text) == (status, status == 410)


async def test_none_are_mailed_that_would_open_nothing(told: Told) -> None:
    with told.installation.resources.database.writing() as session:
        session.get_one(Case, told.given.case_id).closed_at = utc_now() - 180 * DAY
    answer = await change(told, "VA-001", "replace", contact=contact(told, "VA-001"))
    assert (answer.status_code, "would open nothing" in answer.text) == (409, True)
    assert told.evidence("links_replaced") == []


async def test_tries_in_vain_are_counted_for_the_officer_and_only_so_many_a_minute(told: Told) -> None:
    await change(told, "VA-001", "revoke")
    for _ in range(32):
        await told.visitor.get(told.link("VA-001"))
    await told.visitor.get(told.link("VA-001")[:-1] + "!")
    with told.installation.resources.database.reading() as session:
        assert session.get_one(Notice, told.given.notices["VA-001"]).link_refusals == 30
    officer = await told.installation.officer("robin")
    assert "were tried 30 times" in (await officer.get(f"/cases/{told.given.case_id}")).text


def test_the_notices_of_an_agreement_are_found_by_its_reference(told: Told) -> None:
    database = told.installation.resources.database
    assert notice_under(database, told.given.case_id, "VA-001") == told.given.notices["VA-001"]
