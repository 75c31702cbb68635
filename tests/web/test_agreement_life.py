"""An agreement's page: in force or ended, what follows, what is recorded of it; and what an LEA says by its link."""

from __future__ import annotations

import html

from sqlmodel import select

from cases.acts import Release
from mail.links import LINK_PURPOSE, notice_token
from models.identifiers import agreement_id
from models.tables import Agreement, AgreementContact, Answer, EvidenceEntry, Notice
from queries.agreements import read_agreement
from starter.resources import utc_now
from starter.start import end_rules
from tests.support.case_in_sql import Place
from tests.support.ends import DAY, signed, sweep, terminated
from tests.support.installation import Installation, Visitor, demo_agreements

OHIO = Place("ndpa-v1", "OH")


async def page_of(officer: Visitor, reference: str) -> str:
    return " ".join(html.unescape((await officer.get(f"/agreements/{agreement_id(reference)}")).text).split())


async def loaded(installation: Installation) -> Visitor:
    officer = await installation.officer()
    await officer.send("/agreements", "/agreements", {}, ("agreements.csv", demo_agreements().encode()))
    return officer


async def test_a_termination_is_recorded_and_what_follows_is_said_and_opened(fresh: Installation) -> None:
    officer = await loaded(fresh)
    page = f"/agreements/{agreement_id('RI-001')}"
    assert "In force until Sat 12 Aug 2028." in await page_of(officer, "RI-001")
    yesterday = (utc_now() - DAY).date().isoformat()
    given: dict[str, object] = {"act": "terminate", "on": yesterday, "by": "lea", "reason": "Another service."}
    for missing in ("on", "by", "reason"):
        refused = await officer.send(page, page, given | {missing: ""})
        assert refused.status_code == 422, missing
    assert (await officer.send(page, page, given | {"on": "soon"})).status_code == 422
    assert (await officer.send(page, page, given)).status_code == 303
    says = await page_of(officer, "RI-001")
    assert "by the LEA." in says
    assert "A case about the disposal of its data is open." in says
    assert "Another service." in says
    found = read_agreement(fresh.resources.database, agreement_id("RI-001"), end_rules(fresh.resources), utc_now())
    assert found.case_id
    assert (await officer.get(f"/cases/{found.case_id}")).status_code == 200
    again = await officer.send(page, page, given)
    assert again.status_code == 409
    assert "terminated already" in html.unescape(again.text)


async def test_its_page_names_whom_its_notices_go_to_and_whom_mail_does_not_reach(fresh: Installation) -> None:
    officer = await loaded(fresh)
    says = await page_of(officer, "MA-001")
    assert "Superintendent's Office <office@harborpoint.example.org>" in says
    assert "Information Security <security@harborpoint.example.org>" in says
    assert "mail does not reach it" not in says
    with fresh.resources.database.writing() as session:
        contacts = session.exec(select(AgreementContact).where(AgreementContact.agreement_id == agreement_id("MA-001")))
        for contact in contacts:
            contact.failing_since = utc_now()
            session.add(contact)
    assert "mail does not reach it since" in await page_of(officer, "MA-001")


async def test_the_same_is_recorded_and_read_as_json(fresh: Installation) -> None:
    officer = await loaded(fresh)
    address = f"/api/agreements/{agreement_id('OR-001')}"
    told = (await officer.http.get(address)).json()
    assert (told["ended_on"], told["follows"], told["changes"]) == (None, None, [])
    assert (await officer.http.post(address, json={"act": "sell", "reason": "Why?"})).status_code == 422
    yesterday = (utc_now() - DAY).date().isoformat()
    given = {"act": "terminate", "on": yesterday, "by": "both", "reason": "By consent."}
    recorded = (await officer.http.post(address, json=given)).json()
    assert recorded["opened"]
    told = (await officer.http.get(address)).json()
    assert (told["ended_on"], told["ended_by"], told["case_id"]) == (yesterday, "both", recorded["case_id"])


async def test_an_lea_says_by_its_link_that_it_expects_to_renew_as_its_own_word(fresh: Installation) -> None:
    database, now = fresh.resources.database, utc_now()
    signed(database, OHIO, now=now)
    terminated(database, OHIO, on=(now - DAY).date(), now=now)
    (case,) = sweep(database, now)
    case.act(Release(clause="disposition.end-notice", unread=True))
    case.send_what_leaves()
    with database.reading() as session:
        notice = session.exec(select(Notice.id).where(Notice.case_id == case.id)).one()
    link = f"/n/{notice_token(fresh.resources.keyring.derive(LINK_PURPOSE), notice, 1)}"
    stranger = fresh.visitor()
    assert "Do you expect to renew?" in (await stranger.get(link)).text
    nobody = await stranger.http.post(link, data={"kind": "fact", "name": ""})
    assert nobody.status_code == 422
    said = await stranger.http.post(link, data={"kind": "fact", "name": "Ana Example", "question": "In September."})
    assert said.status_code == 303
    shown = html.unescape((await stranger.get(link)).text)
    assert "You told us" in shown
    with database.reading() as session:
        assert session.get_one(Agreement, OHIO.agreement).renewal_expected_on
        assert session.exec(select(Answer.name)).one() == "Ana Example"
        kinds = {row.kind: row for row in session.exec(select(EvidenceEntry))}
        assert kinds["agreement_changed"].actor == "lea"
        assert "Ana" not in str(kinds["fact_said"].body)
    officer = await fresh.officer()
    assert "it reasonably anticipates to renew" in (await officer.get(f"/cases/{case.id}")).text
    assert "The LEA itself, by its link" in await page_of(officer, OHIO.reference)
