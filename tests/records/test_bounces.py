"""What comes back about a notice: kept once, and a notice that reached nobody has performed nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from cases.breach import BREACH
from cases.state import NoticePolicy
from config.database import Database
from ledger.verify import verify_ledger
from mail.delivery_states import ARRIVED
from mail.handover import OutcomeUnknown, Rejected
from mail.reports import Report
from models.enums import (
    BatchStatus,
    BounceEffect,
    CaseStatus,
    ContactRole,
    DeliveryStatus,
    DutyStatus,
    ReportKind,
    Verdict,
)
from models.tables import (
    AgreementContact,
    Batch,
    Case,
    Delivery,
    DeliveryReport,
    Duty,
    EvidenceEntry,
    ExhibitHChange,
    Notice,
)
from records.bounces import MOST_REPORTS, CameBack, Fate, Recorded, StillUnderWay, record_report, unraised_bounces
from records.cases import close_case
from records.deliveries import Answer
from records.escalations import raise_contacts
from tests.support.case_in_sql import QUEUED, CaseInSql, Place, keep_agreement, open_in_sql

NOW = datetime(2026, 11, 2, 15, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOTICE = "breach.notice"
TENNESSEE, ILLINOIS, VERMONT = Place("ndpa-v1", "TN"), Place("ndpa-v1", "IL"), Place("ndpa-v1", "VT")
FIRST, SECOND, COPIED = "office@example.org", "deputy@example.org", "counsel@example.org"


def told(database: Database, place: Place = TENNESSEE, *more: tuple[str, ContactRole]) -> CaseInSql:
    """A confirmed breach whose notice leaves at once; besides its office, the LEA names ``more`` contacts."""
    case = open_in_sql(database, BREACH, [place], NOW, {"confirmed": NOW})
    case.policy = NoticePolicy(release="immediate")
    with database.writing() as session:
        known = {row.email: row for row in session.exec(select(AgreementContact))}
        for contact in known.values():
            contact.failing_since = None
        session.add_all(
            AgreementContact(id=uuid4(), agreement_id=place.agreement, role=role, rank=1, name="More", email=email)
            for email, role in more
            if email not in known
        )
    case.compute()
    return case


def deliver(case: CaseInSql, answer: Answer = QUEUED) -> None:
    """Send what leaves by now, each to the same answer of the mail server."""
    case.send_what_leaves(lambda _: answer)


def deliveries(case: CaseInSql) -> dict[str, Delivery]:
    """The deliveries of the case, by the contact's address."""
    with case.database.reading() as session:
        rows = session.exec(
            select(Delivery, AgreementContact)
            .join(AgreementContact, col(AgreementContact.id) == col(Delivery.contact_id))
            .join(Notice, col(Notice.id) == col(Delivery.notice_id))
            .where(Notice.case_id == case.id)
        )
        return {contact.email: row for row, contact in rows}


def delivery(case: CaseInSql, email: str = FIRST) -> Delivery:
    return deliveries(case)[email]


def back(
    case: CaseInSql,
    email: str = FIRST,
    kind: ReportKind = ReportKind.FAILED,
    *,
    source: str | None = None,
    attempt: int | None = None,
    about: str | None = None,
) -> Recorded:
    """A report about the delivery to a contact comes back, now."""
    report = Report(kind, frozenset({about or email}), "5.1.1", "550 5.1.1 No such mailbox")
    came = CameBack(source or uuid4().hex, delivery(case, email).id, attempt, report, "file", f"{source}".encode())
    with case.database.writing() as session:
        return record_report(session, came, case.now)


def acknowledge(case: CaseInSql) -> None:
    with case.database.writing() as session:
        for notice in session.exec(select(Notice).where(Notice.case_id == case.id)):
            if notice.given_at:
                notice.acknowledged_at = case.now
                session.add(notice)


def evidence(case: CaseInSql, kind: str) -> Sequence[EvidenceEntry]:
    with case.database.reading() as session:
        return session.exec(
            select(EvidenceEntry)
            .where(EvidenceEntry.case_id == case.id, EvidenceEntry.kind == kind)
            .order_by(col(EvidenceEntry.number))
        ).all()


def effect(case: CaseInSql) -> BounceEffect:
    return BounceEffect(evidence(case, "delivery_bounced")[-1].body["effect"])


def verdict(case: CaseInSql) -> tuple[DutyStatus, Verdict | None]:
    duty = case.duty(NOTICE)
    return duty.status, duty.verdict


RUNNING = (DutyStatus.RUNNING, None)
ON_TIME = (DutyStatus.PERFORMED, Verdict.ON_TIME)
LATE = (DutyStatus.PERFORMED, Verdict.LATE)


@pytest.mark.parametrize("later", [HOUR, 30 * DAY], ids=["before it is due", "after it was due"])
def test_a_bounce_reopens_the_duty_and_the_next_contact_is_told(database: Database, later: timedelta) -> None:
    case = told(database, TENNESSEE, (SECOND, ContactRole.GENERAL))
    deliver(case)
    due_at = case.duty(NOTICE).due_at
    assert verdict(case) == ON_TIME
    case.now += later
    assert back(case) == Recorded(Fate.RECORDED, case.id)
    duty = case.duty(NOTICE)
    assert (duty.status, duty.performed_at, duty.due_at, duty.reopened_at) == (
        DutyStatus.RUNNING,
        None,
        due_at,
        case.now,
    )
    (entry,) = evidence(case, "duty_reopened")
    assert (entry.body["verdict"], entry.body["performed_at"]) == ("on_time", NOW.isoformat().replace("+00:00", "Z"))
    case.compute()
    deliver(case)
    assert verdict(case) == (ON_TIME if later == HOUR else LATE)
    assert delivery(case, SECOND).status is DeliveryStatus.ACCEPTED
    assert [entry.body["verdict"] for entry in evidence(case, "notice_given")] == ["on_time", verdict(case)[1]]
    with database.reading() as session:
        assert verify_ledger(session).sound


def test_once_every_contact_has_failed_nothing_more_is_sent_and_people_are_told(database: Database) -> None:
    case = told(database, TENNESSEE, (SECOND, ContactRole.GENERAL))
    deliver(case)
    back(case)
    case.compute()
    deliver(case, Rejected(550, "5.1.1 No"))
    case.compute()
    deliver(case)
    with database.reading() as session:
        (batch,) = session.exec(select(Batch).where(Batch.case_id == case.id))
        contacts = session.exec(select(AgreementContact.failing_since)).all()
    assert (batch.status, verdict(case)) == (BatchStatus.SENT, RUNNING)
    assert all(contacts)
    with database.writing() as session:
        raised = raise_contacts(session, case.id, case.now)
    assert raised.came_back
    assert sorted(raised.lines, key=len, reverse=True) == [
        "District ndpa-v1 TN 0 0: 550 5.1.1 No such mailbox",
        "District ndpa-v1 TN 0 0: 550 5.1.1 No",
    ]


def test_what_came_back_and_nobody_was_told_of_is_found_until_it_is_raised(database: Database) -> None:
    case = told(database)
    deliver(case)
    back(case)
    with database.writing() as session:
        assert unraised_bounces(session, case.now, 9) == []
        assert unraised_bounces(session, case.now + HOUR, 9) == [case.id]
        raise_contacts(session, case.id, case.now)
        assert unraised_bounces(session, case.now + HOUR, 9) == []


def test_an_answer_of_the_lea_stands_against_a_bounce(database: Database) -> None:
    case = told(database)
    deliver(case)
    acknowledge(case)
    assert back(case) == Recorded(Fate.RECORDED)
    assert (effect(case), verdict(case)) == (BounceEffect.ANSWERED, ON_TIME)
    assert delivery(case).status is DeliveryStatus.BOUNCED, "the contact fails all the same"


def test_an_e_mail_that_takes_effect_upon_receipt_was_not_given_once_it_came_back(database: Database) -> None:
    """Exhibit G (Illinois), item 2."""
    case = told(database, ILLINOIS)
    deliver(case)
    back(case)
    assert (effect(case), verdict(case)) == (BounceEffect.REOPENED, RUNNING)


def test_where_the_parties_agreed_that_an_e_mail_takes_effect_when_sent_the_duty_stays_performed(
    database: Database,
) -> None:
    with database.writing() as session:
        keep_agreement(session, VERMONT, NOW.date(), NOW)
        session.flush()
        session.add(agreed_when_sent(VERMONT))
    case = told(database, VERMONT)
    deliver(case)
    back(case)
    assert (effect(case), verdict(case)) == (BounceEffect.EFFECTIVE_WHEN_SENT, ON_TIME)
    with database.writing() as session:
        assert raise_contacts(session, case.id, case.now).came_back, "but people are told"


def agreed_when_sent(place: Place) -> ExhibitHChange:
    """A change of an agreement by which an e-mail is a notice whatever becomes of it."""
    amends = {
        "citation": "Signed amendment, item 1",
        "says": "an e-mail is a notice once it is sent.",
        "effective_when_sent": True,
    }
    operation = {
        "clause": "notices.effective",
        "effective": "2026-01-01",
        "entered_by": "counsel",
        "step": {"amends": amends},
    }
    return ExhibitHChange(
        id=uuid4(),
        agreement_id=place.agreement,
        effective_on=date(2026, 1, 1),
        entered_by="counsel",
        entered_at=NOW,
        operation=operation,
    )


def test_a_copy_that_came_back_changes_no_duty(database: Database) -> None:
    case = told(database, TENNESSEE, (COPIED, ContactRole.SECURITY))
    deliver(case)
    assert delivery(case, COPIED).is_copy
    back(case, COPIED)
    assert (effect(case), verdict(case)) == (BounceEffect.COPY, ON_TIME)


@pytest.mark.parametrize("kind", sorted(set(ReportKind) - {ReportKind.FAILED}), ids=lambda kind: kind.value)
def test_what_is_no_bounce_is_kept_and_takes_nothing_back(database: Database, kind: ReportKind) -> None:
    case = told(database)
    deliver(case)
    before = delivery(case)
    assert back(case, kind=kind) == Recorded(Fate.RECORDED)
    arrived = DeliveryStatus.DELIVERED if kind is ReportKind.DELIVERED else before.status
    assert delivery(case).model_dump() == before.model_dump() | {"status": arrived}
    assert verdict(case) == ON_TIME
    with database.reading() as session:
        notice = session.exec(select(Notice).where(Notice.case_id == case.id)).one()
        assert notice.acknowledged_at is None, "an automatic answer acknowledges nothing"
        assert session.exec(select(DeliveryReport.kind)).all() == [kind]
    (entry,) = evidence(case, "delivery_reported")
    assert (entry.body["report"], entry.body["of_contact"]) == (kind, True)
    assert len(entry.artifacts) == 2, "the message, and the report"


def test_a_report_about_somebody_else_changes_nothing_and_leaves_one_entry(database: Database) -> None:
    case = told(database)
    deliver(case)
    assert back(case, about="stranger@example.org").fate is Fate.RECORDED
    assert (verdict(case), delivery(case).status) == (ON_TIME, DeliveryStatus.ACCEPTED)
    assert [entry.body["of_contact"] for entry in evidence(case, "delivery_reported")] == [False]


def test_a_report_that_comes_again_is_known(database: Database) -> None:
    case = told(database)
    deliver(case)
    assert back(case, source="once").fate is Fate.RECORDED
    assert back(case, source="once") == Recorded(Fate.KNOWN)
    assert len(evidence(case, "delivery_bounced")) == len(evidence(case, "duty_reopened")) == 1


def test_a_delivery_or_an_attempt_that_never_was_is_foreign(database: Database) -> None:
    case = told(database)
    deliver(case)
    assert back(case, attempt=2) == Recorded(Fate.FOREIGN)
    came = CameBack("x", uuid4(), 1, Report(ReportKind.FAILED), "file", b"x")
    with database.writing() as session:
        assert record_report(session, came, NOW) == Recorded(Fate.FOREIGN)
    assert not evidence(case, "delivery_bounced")


def test_a_report_that_overtakes_the_servers_own_answer_is_to_come_again(database: Database) -> None:
    case = told(database)
    deliver(case, OutcomeUnknown("lost"))
    with database.writing() as session:
        row = session.get_one(Delivery, delivery(case).id)
        row.status, row.again_at = DeliveryStatus.UNDER_WAY, None
        session.add(row)
    with pytest.raises(StillUnderWay):
        back(case)
    with database.reading() as session:
        assert session.exec(select(DeliveryReport)).all() == []


def test_a_bounce_settles_what_nobody_knew_and_the_next_contact_is_told(database: Database) -> None:
    case = told(database, TENNESSEE, (SECOND, ContactRole.GENERAL))
    deliver(case, OutcomeUnknown("lost"))
    assert back(case).case_id == case.id
    assert effect(case) is BounceEffect.NOT_GIVEN
    case.compute()
    deliver(case)
    assert (verdict(case), delivery(case, SECOND).status) == (ON_TIME, DeliveryStatus.ACCEPTED)


def test_a_late_bounce_of_an_attempt_that_was_overtaken_by_one_that_arrived_changes_nothing(database: Database) -> None:
    case = told(database)
    deliver(case)
    with database.writing() as session:
        row = session.get_one(Delivery, delivery(case).id)
        row.attempts = 2
        session.add(row)
    back(case, kind=ReportKind.DELIVERED, attempt=2)
    back(case, attempt=1)
    assert (effect(case), verdict(case)) == (BounceEffect.SETTLED_BEFORE, ON_TIME)


def test_whoever_was_sent_a_notice_cannot_fill_the_database(database: Database) -> None:
    case = told(database)
    deliver(case)
    fates = [back(case, kind=ReportKind.AUTO_REPLY).fate for _ in range(MOST_REPORTS + 5)]
    assert fates.count(Fate.RECORDED) == MOST_REPORTS


def test_a_closed_case_goes_on_where_its_notice_came_back(database: Database) -> None:
    case = told(database, TENNESSEE, (SECOND, ContactRole.GENERAL))
    deliver(case)
    with database.writing() as session:
        close_case(session, case.id, case.now)
    case.now += DAY
    assert back(case).case_id == case.id
    with database.reading() as session:
        reopened = session.get_one(Case, case.id)
    assert (reopened.status, reopened.closed_at, reopened.reopened_at) == (CaseStatus.OPEN, None, case.now)
    case.compute()
    deliver(case)
    assert verdict(case)[0] is DutyStatus.PERFORMED
    with database.writing() as session:
        close_case(session, case.id, case.now)
    assert [entry.kind for kind in ("case_reopened", "case_closed") for entry in evidence(case, kind)] == [
        "case_reopened",
        "case_closed",
        "case_closed",
    ]


def test_in_a_dismissed_case_the_duty_is_not_owed_again(database: Database) -> None:
    case = told(database)
    deliver(case)
    with database.writing() as session:
        row = session.get_one(Case, case.id)
        row.status = CaseStatus.DISMISSED
        session.add(row)
        close_case(session, case.id, case.now)
    assert back(case).case_id is None
    assert case.duty(NOTICE).status is DutyStatus.CANCELLED
    with database.reading() as session:
        assert session.get_one(Case, case.id).closed_at is not None
        assert unraised_bounces(session, case.now + HOUR, 9) == [case.id], "a person hears of it"


def test_what_another_contact_got_later_performs_the_duty_when_it_did(database: Database) -> None:
    case = told(database, TENNESSEE, (SECOND, ContactRole.GENERAL))
    deliver(case)
    late = NOW + 60 * DAY
    with database.writing() as session:
        first = delivery(case)
        contact = next(row for row in session.exec(select(AgreementContact)) if row.email == SECOND)
        session.add(
            Delivery(
                **first.model_dump(exclude={"id", "contact_id", "settled_at"}),
                id=uuid4(),
                contact_id=contact.id,
                settled_at=late,
            )
        )
    case.now = late + HOUR
    assert back(case) == Recorded(Fate.RECORDED)
    assert (effect(case), verdict(case), case.duty(NOTICE).performed_at) == (BounceEffect.ANOTHER_STANDS, LATE, late)
    (entry,) = evidence(case, "duty_reopened")
    assert (entry.body["verdict"], entry.body["verdict_instead"]) == ("on_time", "late")


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["accept", "reject", "lose", "bounce", "again", "delivered", "acknowledge", "stranger"]),
        st.sampled_from([FIRST, SECOND, COPIED]),
    ),
    max_size=9,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTS)
def test_in_whatever_order_a_duty_is_performed_only_while_its_notice_stands_with_somebody(
    database: Database, acts: list[tuple[str, str]]
) -> None:
    """Performed by a notice, it has a delivery that stands, or the LEA answered the notice."""
    case = told(database, TENNESSEE, (SECOND, ContactRole.GENERAL), (COPIED, ContactRole.SECURITY))
    answers: dict[str, Answer] = {
        "accept": QUEUED,
        "reject": Rejected(550, "5.1.1 No"),
        "lose": OutcomeUnknown("lost"),
    }
    sources: dict[str, str] = {}
    for act, email in acts:
        case.now += 7 * HOUR
        if act in answers:
            case.compute()
            deliver(case, answers[act])
        elif act == "acknowledge":
            acknowledge(case)
        elif email in deliveries(case):
            source = sources.get(email, "") if act == "again" else uuid4().hex
            kind = ReportKind.DELIVERED if act == "delivered" else ReportKind.FAILED
            if source:
                back(case, email, kind, source=source, about="stranger@example.org" if act == "stranger" else None)
            sources |= {email: source} if act == "bounce" else {}
        check(case)


def check(case: CaseInSql) -> None:
    with case.database.reading() as session:
        duty = session.exec(select(Duty).where(Duty.case_id == case.id, Duty.clause == NOTICE)).one()
        notices = session.exec(select(Notice).where(Notice.duty_id == duty.id)).all()
        stands = {
            row.notice_id
            for row in session.exec(select(Delivery).where(col(Delivery.status).in_(ARRIVED)))
            if not row.is_copy
        }
        answered = {notice.id for notice in notices if notice.acknowledged_at}
        given = {notice.id for notice in notices if notice.given_at}
    assert given <= stands | answered
    assert (duty.status is DutyStatus.PERFORMED) == bool(given)
    assert (duty.performed_at is None) == (duty.verdict is None) == (not given)
