"""A parent who asks the provider: referred to the LEA, which is told; nobody learns whether a student is known."""

from __future__ import annotations

import re
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from uuid import uuid4

import pytest
from sqlmodel import col, select

from cases.acts import Add, Release, SetDate, TakeAct
from cases.intake import check_intake
from cases.referral import REFERRAL, CloseUnreferred, Refer
from cases.rules import check
from cases.state import CaseState, CaseVocabulary, NoticePolicy
from cases.values import KeptReferences
from config.database import Database
from ledger.artifacts import fetch
from models.enums import CaseStatus, DutyStatus, Party
from models.errors import InvalidFields, InvalidInput, Refused
from models.tables import AgreementContact, Case, CaseDocument, Delivery, Notice
from queries.consequences import Foresight
from records.intake import prepare
from records.summary import summarise
from terms.limits import STANDARD_DEFAULTS
from tests.support.case_in_sql import CATALOGUE, CaseInSql
from tests.support.direct_requests import NOW, PARENT, PLACE, TO_LEA, TO_PARENT, WORDS, a_request, open_request


def refer(reference: str = PLACE.reference) -> Refer:
    return Refer.model_validate({"agreement": reference})


def letters(case: CaseInSql) -> dict[str, EmailMessage]:
    """What was sent, by its recipient's address."""
    with case.database.reading() as session:
        rows = session.exec(
            select(AgreementContact.email, Delivery.message_sha256).join(
                AgreementContact, col(AgreementContact.id) == col(Delivery.contact_id)
            )
        ).all()
        sent = {email: fetch(session, sha256) for email, sha256 in rows}
    return {email: BytesParser(EmailMessage, policy=policy.SMTP).parsebytes(raw) for email, raw in sent.items()}


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body
    content: str = body.get_content()
    return " ".join(content.split())


def sent(case: CaseInSql) -> dict[str, EmailMessage]:
    case.act(Release(unread=True))
    case.send_what_leaves()
    return letters(case)


def test_without_an_agreement_it_waits_for_a_person_and_nobody_is_written_to(database: Database) -> None:
    case = open_request(database)
    with database.reading() as session:
        assert session.get_one(Case, case.id).undecided
    assert case.duties == []
    assert case.noticed() == set()


def test_once_its_lea_is_chosen_the_parent_and_the_lea_are_written_to(database: Database) -> None:
    case = open_request(database)
    case.act(refer())
    assert {duty.clause: duty.owed_to for duty in case.duties} == {TO_PARENT: Party.PARENT, TO_LEA: Party.LEA}
    found = sent(case)
    to_parent, to_lea = text_of(found[PARENT["email"]]), text_of(found["office@example.org"])
    assert f"Please turn to District {PLACE.reference}" in to_parent
    assert "office@example.org" in to_parent
    assert "does not say whether we hold data about anybody" in to_parent
    assert set(case.statuses().values()) == {DutyStatus.PERFORMED}
    with database.reading() as session:
        assert not session.get_one(Case, case.id).undecided
    assert "It is among the documents behind the link in this notice." in to_lea


def test_no_letter_tells_the_other_what_is_not_for_it(database: Database) -> None:
    case = open_request(database, PLACE.reference)
    found = sent(case)
    to_parent, to_lea = found[PARENT["email"]], found["office@example.org"]
    for words in (*PARENT.values(), WORDS, "grade 4"):
        assert words not in text_of(to_lea), "who asks and for what is behind the link alone"
        assert words not in str(to_lea["Subject"])
    assert "/n/" not in text_of(to_parent), "a parent has nothing to acknowledge, and no way into the case"
    assert "how the time was counted" not in text_of(to_parent)
    assert to_lea["In-Reply-To"] is None, "the LEA's letter follows none that it never got"
    assert re.search(r"/n/\S{46}", text_of(to_lea))


def test_what_was_asked_lies_behind_the_link_of_its_lea_alone(database: Database) -> None:
    case = open_request(database, PLACE.reference)
    case.compute()
    with database.reading() as session:
        (document,) = session.exec(select(CaseDocument).where(CaseDocument.case_id == case.id))
        assert document.agreement_id == PLACE.agreement
        content = fetch(session, document.content_sha256).decode()
    for words in (*PARENT.values(), WORDS, "review", "Example Valley"):
        assert words in content


def test_nobody_waits_for_a_parent_to_acknowledge(database: Database) -> None:
    case = open_request(database, PLACE.reference)
    sent(case)
    with database.reading() as session:
        links = session.exec(select(Notice.has_link).where(Notice.case_id == case.id)).all()
        assert sorted(links) == [False, True]
        assert summarise(session, case.id).unacknowledged == 1


def test_an_unknown_or_second_lea_is_refused(database: Database) -> None:
    case = open_request(database)
    with pytest.raises(InvalidFields, match="There is no agreement NOWHERE"):
        case.act(refer("NOWHERE"))
    with pytest.raises(InvalidInput, match="referred to one LEA"):
        check_intake(a_request("A", "B"), NOW)


def test_a_district_refers_nobody(database: Database) -> None:
    with database.reading() as session, pytest.raises(InvalidFields, match="refers nobody"):
        prepare(session, REFERRAL, a_request(), NOW, Party.LEA)


def test_closed_without_a_referral_no_letter_goes(database: Database) -> None:
    case = open_request(database, PLACE.reference)
    case.act(CloseUnreferred.model_validate({"reason": "An advertisement."}))
    with database.reading() as session:
        assert session.get_one(Case, case.id).status is CaseStatus.DISMISSED
        kinds = session.exec(select(Notice.kind).where(Notice.case_id == case.id, col(Notice.dropped).is_(False))).all()
    assert kinds == [], "nobody was told of it, so nobody is told that there was nothing"


def test_once_a_letter_has_left_it_was_referred(database: Database) -> None:
    case = open_request(database, PLACE.reference)
    sent(case)
    with pytest.raises(Refused, match="A letter has left"):
        case.act(CloseUnreferred.model_validate({"reason": "It was a mistake."}))


def test_what_would_follow_names_both_who_are_written_to(database: Database) -> None:
    case = open_request(database)
    foresight = Foresight(CATALOGUE, STANDARD_DEFAULTS, Party.PROVIDER, NoticePolicy(), NOW)
    both = {TO_PARENT: (PARENT["email"],), TO_LEA: ("office@example.org",)}
    with database.reading() as session:
        of_act = foresight.of_act(session, session.get_one(Case, case.id), refer(), {})
        intake = a_request(PLACE.reference)
        of_intake = foresight.of_intake(session, REFERRAL, intake, prepare(session, REFERRAL, intake, NOW))
        waiting = foresight.of_intake(session, REFERRAL, a_request())
    for found in (of_act, of_intake):
        assert {line.clause: line.told[0].emails for line in found.duties} == both
    assert waiting.duties == ()


def test_an_address_that_cannot_be_written_to_is_refused_at_its_field(database: Database) -> None:
    intake = a_request(asker={"name": "Alex", "email": "alex@exa mple.org"})
    with database.reading() as session, pytest.raises(InvalidFields) as refused:
        prepare(session, REFERRAL, intake, NOW)
    assert [problem.where for problem in refused.value.problems] == ["asker.email"]


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (refer(), "referred already"),
        (Add(agreements=KeptReferences.model_validate(["B"])), "referred to one LEA"),
        (
            SetDate.model_validate({"name": "lea_found", "first_day": NOW.date(), "reason": "A slip."}),
            "Nobody gives this date",
        ),
    ],
)
def test_what_makes_no_sense_once_its_lea_is_found(act: Refer | Add | SetDate, says: str) -> None:
    state = CaseState(anchors={}, vocabulary=CaseVocabulary(anchors=("lea_found",)), computed=1)
    REFERRAL.take(TakeAct(act=refer(), actor="officer", act_id=uuid4()), state)
    assert REFERRAL.is_decided(state)
    with pytest.raises(Refused, match=says):
        check(REFERRAL, TakeAct(act=act, actor="officer", act_id=uuid4()), state, NOW)
