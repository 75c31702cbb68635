"""One message for two clauses that fall together, and what each of several messages refers to."""

from __future__ import annotations

import email
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage

from sqlmodel import col, select

from cases.acts import Hold, Learn
from cases.values import KeptText
from config.database import Database
from ledger.artifacts import fetch
from models.enums import DutyStatus, NoticeKind, Verdict
from models.tables import Delivery, EvidenceEntry, Notice
from queries.cases import read_case
from records.performing import performed_duties
from tests.support.case_in_sql import CaseInSql, Place, open_in_sql, standing_kind
from tests.support.incidents import INITIAL, NOTICE

NOW = datetime(2026, 11, 2, 15, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
VIRGINIA = Place("ndpa-v1", "VA")
AWAITED = frozenset({"reasonably_expected", "confirmed"})


def breach(database: Database, dates: dict[str, datetime], *places: Place) -> CaseInSql:
    """A breach with some dates, computed."""
    case = open_in_sql(database, standing_kind("breach", awaits=AWAITED), places or (VIRGINIA,), NOW, dates)
    case.compute()
    return case


def notices(case: CaseInSql) -> list[Notice]:
    """The notices of a case that stand, in the order in which they were written."""
    with case.database.reading() as session:
        return list(
            session.exec(
                select(Notice)
                .where(Notice.case_id == case.id, col(Notice.dropped).is_(False))
                .order_by(col(Notice.composed_at), col(Notice.id))
            )
        )


def given(text: str) -> KeptText:
    return KeptText.model_validate(text)


def mail(case: CaseInSql, notice: Notice) -> EmailMessage:
    """The message of a notice."""
    with case.database.reading() as session:
        sha256 = session.exec(select(Delivery.message_sha256).where(Delivery.notice_id == notice.id)).one()
        message = email.message_from_bytes(fetch(session, sha256), policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message


def text(message: EmailMessage) -> str:
    """Its plain text, unwrapped."""
    body = message.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().split())


def test_confirmed_at_once_one_message_performs_both_clauses_in_time_for_the_first(database: Database) -> None:
    case = breach(database, {"confirmed": NOW})
    case.now = NOW + 23 * HOUR
    case.send_what_leaves()
    (given,) = notices(case)
    assert performed_duties(given) == (case.duty(INITIAL).id, case.duty(NOTICE).id)
    for clause in (INITIAL, NOTICE):
        duty = case.duty(clause)
        assert (duty.status, duty.verdict, duty.performed_at) == (DutyStatus.PERFORMED, Verdict.ON_TIME, case.now)
    case.compute()
    case.now = NOW + 72 * HOUR
    case.send_what_leaves()
    assert notices(case) == [given], "nothing more is sent"
    says = text(mail(case, given))
    assert says.startswith("NOTICE OF A DATA BREACH AFFECTING YOUR STUDENTS' DATA")
    assert "Exhibit G (Virginia), item 4: the provider gives initial notice" in says
    assert "NDPA v1, Article V, Section 4: the provider notifies" in says


def test_the_evidence_says_of_both_duties_that_one_message_performed_them(database: Database) -> None:
    case = breach(database, {"confirmed": NOW})
    case.now = NOW + 23 * HOUR
    case.send_what_leaves()
    with database.reading() as session:
        kinds = ("notice_given", "further_duty_performed")
        entries = session.exec(
            select(EvidenceEntry)
            .where(EvidenceEntry.case_id == case.id, col(EvidenceEntry.kind).in_(kinds))
            .order_by(col(EvidenceEntry.number))
        ).all()
    told = [(entry.kind, entry.body["clause"], entry.body["verdict"]) for entry in entries]
    assert told == [("notice_given", INITIAL, "on_time"), ("further_duty_performed", NOTICE, "on_time")]
    assert len({entry.subject for entry in entries}) == 1
    view = read_case(database, case.id, case.now)
    assert {duty.clause: len(duty.notices) for duty in view.duties if duty.notices} == {INITIAL: 1, NOTICE: 1}


def test_a_suspicion_is_told_of_first_and_the_notice_that_follows_refers_to_it(database: Database) -> None:
    case = breach(database, {"reasonably_expected": NOW})
    case.now = NOW + 23 * HOUR
    case.send_what_leaves()
    case.now = NOW + 30 * HOUR
    case.give_dates({"confirmed": case.now})
    case.compute()
    case.now = NOW + 101 * HOUR
    case.send_what_leaves()
    initial, following = (mail(case, notice) for notice in notices(case))
    assert "the breach is suspected, and not confirmed" in text(initial)
    assert initial["In-Reply-To"] is None
    assert following["In-Reply-To"] == initial["Message-ID"]
    assert "we gave you initial notice of it, when it was suspected and not confirmed" in text(following)


def test_clocks_that_began_apart_have_a_message_each(database: Database) -> None:
    case = breach(database, {"reasonably_expected": NOW - 2 * HOUR, "confirmed": NOW})
    assert sorted(len(notice.also_performs) for notice in notices(case)) == [0, 0]
    case.now = NOW + 21 * HOUR
    case.send_what_leaves()
    first = next(notice for notice in notices(case) if notice.given_at)
    assert "This is our initial notice of it; a further notice follows." in text(mail(case, first))
    assert "not confirmed" not in text(mail(case, first))


def test_a_hold_parts_what_fell_together(database: Database) -> None:
    case = breach(database, {"confirmed": NOW})
    case.now += HOUR
    case.act(Hold(particulars=given("Agency A, reference 1"), begins_at=case.now))
    (left,) = notices(case)
    assert (left.duty_id, left.also_performs) == (case.duty(INITIAL).id, [])
    assert case.duty(NOTICE).status is DutyStatus.SUSPENDED


def test_what_is_learnt_later_is_told_once_under_both_clauses(database: Database) -> None:
    case = breach(database, {"confirmed": NOW})
    case.now = NOW + 23 * HOUR
    case.send_what_leaves()
    assert {clause: set(case.duty(clause).lacking) for clause in (INITIAL, NOTICE)} == {
        clause: {"breach_date", "data_types", "description"} for clause in (INITIAL, NOTICE)
    }
    case.act(Learn(element="description", value=given("A copied key opened the roster service.")))
    case.now += 2 * HOUR
    case.send_what_leaves()
    (supplement,) = (notice for notice in notices(case) if notice.kind is NoticeKind.SUPPLEMENT)
    assert set(performed_duties(supplement)) == {case.duty(INITIAL).id, case.duty(NOTICE).id}
    for clause in (INITIAL, NOTICE):
        assert set(case.duty(clause).lacking) == {"breach_date", "data_types"}
