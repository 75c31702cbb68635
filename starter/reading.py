"""Reading cases, agreements and evidence from SQL for pages and commands; nothing here changes anything."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, func, select

from activities.cases import read_standing
from activities.letters import current_facts
from activities.terms import current_anchors
from config.database import Database
from ledger.artifacts import fetch
from mail.contents import KnownFact
from models.anchors import CONFIRMED
from models.errors import NotFound
from models.grouping import grouped
from models.tables import (
    Agreement,
    AgreementContact,
    Batch,
    Case,
    CaseAgreement,
    Delivery,
    Duty,
    EvidenceEntry,
    Notice,
    Reckoning,
)
from models.words import OPEN_STATUSES, CaseStatus, ContactRole, DutyStatus
from starter.office import REPORTER
from starter.views import (
    AgreementView,
    CaseRow,
    CaseView,
    DeliveryView,
    DutyView,
    EvidenceView,
    NoticeView,
    TroubleView,
)
from terms.catalogue import Catalogue, load_catalogue

TROUBLES = {
    "mail-server-unavailable": "The mail server does not take mail, so these notices have not left; they are tried "
    "again every minute until it does.",
    "mail-deferred": "The mail server put some notices off; they are tried again every minute.",
    "mail-outcome-unknown": "The connection was lost while notices were being handed over; they are sent again under "
    "the same Message-ID, and both sends are recorded.",
}
"""What each trouble of a batch means to the people of the case."""

NOT_STARTED = "The clock engine (Temporal) did not answer, so this case's clocks do not run yet; they start with it."


def list_cases(database: Database, now: datetime) -> tuple[CaseRow, ...]:
    """Every case, the one with the earliest open duty first, then the newest."""
    with database.reading() as session:
        duties = _standings(session, now)
        scope = dict(
            session.exec(select(CaseAgreement.case_id, func.count()).group_by(col(CaseAgreement.case_id))).all()
        )
        rows = [
            CaseRow(
                id=case.id,
                title=case.title,
                status=case.status,
                opened_at=case.opened_at,
                agreements=scope.get(case.id, 0),
                **duties.get(case.id, {"open_duties": 0, "overdue_duties": 0, "next_due_at": None}),
            )
            for case in session.exec(select(Case).order_by(col(Case.opened_at).desc()))
        ]
    dated = sorted((row for row in rows if row.next_due_at), key=lambda row: (row.next_due_at, row.id))
    return (*dated, *(row for row in rows if not row.next_due_at))


def list_agreements(database: Database) -> tuple[AgreementView, ...]:
    """Every agreement, by reference."""
    with database.reading() as session:
        contacts = {
            agreement_id: {"contacts": count, "failing": failing}
            for agreement_id, count, failing in session.exec(
                select(AgreementContact.agreement_id, func.count(), func.count(col(AgreementContact.failing_since)))
                .where(AgreementContact.role != ContactRole.COPY_TO, AgreementContact.rank >= 0)
                .group_by(col(AgreementContact.agreement_id))
            )
        }
        none = {"contacts": 0, "failing": 0}
        return tuple(
            AgreementView(**contacts.get(row.id, none), **row.model_dump(include=set(AgreementView.model_fields)))
            for row in session.exec(select(Agreement).order_by(col(Agreement.reference)))
        )


def read_message(database: Database, case_id: UUID, sha256: str) -> bytes:
    """The message of one of the case's deliveries, as sent (RFC 5322).

    Raises:
        NotFound: no delivery of the case holds it.
    """
    with database.reading() as session:
        of_case = session.exec(
            select(Delivery.id)
            .join(Notice, col(Notice.id) == col(Delivery.notice_id))
            .where(Notice.case_id == case_id, Delivery.message_sha256 == sha256)
        ).first()
        if of_case is None:
            raise NotFound("No such message was sent in this case.", next_step="Open it from the case's page.")
        return fetch(session, sha256)


def read_case(database: Database, case_id: UUID, now: datetime) -> CaseView:
    """One case with its duties, their notices and its evidence.

    Raises:
        NotFound: there is no such case.
    """
    with database.reading() as session:
        case = session.get(Case, case_id)
        if case is None:
            raise NotFound(f"There is no case {case_id}.", next_step="Choose one from the list of cases.")
        anchors = current_anchors(session, case_id)
        facts = current_facts(session, case_id)
        waiting = read_standing(session, case_id).waiting_notices
        ended = case.status in (CaseStatus.CLOSED, CaseStatus.DISMISSED)
        return CaseView(
            id=case.id,
            title=case.title,
            status=case.status,
            opened_at=case.opened_at,
            closed_at=case.closed_at,
            anchors=tuple(anchors.values()),
            description=_value(facts, "description"),
            data_types=_value(facts, "data_types"),
            reporter=_value(facts, REPORTER),
            point_of_contact=_value(facts, "provider_point_of_contact"),
            duties=_duties(session, case_id, now),
            evidence=_evidence(session, case_id),
            troubles=_troubles(session, case),
            waiting_notices=waiting,
            can_confirm=CONFIRMED not in anchors and not ended,
            can_release=waiting > 0,
        )


def _value(facts: dict[str, KnownFact], element: str) -> str:
    fact = facts.get(element)
    return fact.value or "" if fact else ""


def _standings(session: Session, now: datetime) -> dict[UUID, dict[str, object]]:
    open_duties = col(Duty.status).in_(OPEN_STATUSES)
    rows = session.exec(
        select(Duty.case_id, func.count(), func.count().filter(col(Duty.due_at) < now), func.min(Duty.due_at))
        .where(open_duties)
        .group_by(col(Duty.case_id))
    )
    return {
        case_id: {"open_duties": count, "overdue_duties": overdue, "next_due_at": due}
        for case_id, count, overdue, due in rows
    }


def _duties(session: Session, case_id: UUID, now: datetime) -> tuple[DutyView, ...]:
    rows = session.exec(
        select(Duty, Agreement, Reckoning)
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .join(Reckoning, col(Reckoning.id) == col(Duty.reckoning_id))
        .where(Duty.case_id == case_id)
        .order_by(col(Duty.due_at).is_(None), col(Duty.due_at), col(Agreement.lea_name), col(Duty.clause))
    ).all()
    labels = _labels(load_catalogue())
    notices = _notices(session, case_id, labels)
    return tuple(_duty_view(duty, agreement, reckoning, notices[duty.id], now) for duty, agreement, reckoning in rows)


def _labels(catalogue: Catalogue) -> dict[str, str]:
    return {element: text.label for element, text in catalogue.words.contents.items()}


def _duty_view(
    duty: Duty, agreement: Agreement, reckoning: Reckoning, notices: list[NoticeView], now: datetime
) -> DutyView:
    reasons = reckoning.body
    running = duty.status is DutyStatus.RUNNING
    shown = ("title", "anchor", "starts_at", "due_local", "limit", "why", "flags", "trail", "terms_hash")
    return DutyView(
        lea_name=agreement.lea_name,
        state=agreement.state,
        form=agreement.form,
        time_zone=agreement.time_zone,
        overdue=running and duty.due_at is not None and duty.due_at < now,
        notices=tuple(notices),
        **{name: reasons[name] for name in shown},
        **duty.model_dump(exclude={"case_id", "reckoning_id"}),
    )


def _notices(session: Session, case_id: UUID, labels: dict[str, str]) -> dict[UUID, list[NoticeView]]:
    rows = session.exec(
        select(Notice, Batch)
        .join(Batch, col(Batch.id) == col(Notice.batch_id))
        .where(Notice.case_id == case_id)
        .order_by(col(Notice.composed_at))
    ).all()
    deliveries = grouped(
        session.exec(
            select(Delivery, AgreementContact)
            .join(AgreementContact, col(AgreementContact.id) == col(Delivery.contact_id))
            .join(Notice, col(Notice.id) == col(Delivery.notice_id))
            .where(Notice.case_id == case_id)
            .order_by(col(Delivery.reserved_at), col(Delivery.id))
        ),
        lambda row: row[0].notice_id,
    )
    views: dict[UUID, list[NoticeView]] = defaultdict(list)
    for notice, batch in rows:
        views[notice.duty_id].append(
            NoticeView(
                id=notice.id,
                kind=notice.kind,
                batch_status=batch.status,
                given=tuple(labels.get(element, element) for element in notice.given),
                lacking=tuple(labels.get(element, element) for element in notice.lacking),
                given_at=notice.given_at,
                released_by=batch.released_by,
                deliveries=tuple(_delivery_view(*row) for row in deliveries[notice.id]),
            )
        )
    return views


def _delivery_view(delivery: Delivery, contact: AgreementContact) -> DeliveryView:
    return DeliveryView(
        contact_name=contact.name,
        contact_email=contact.email,
        **delivery.model_dump(include=set(DeliveryView.model_fields)),
    )


def _evidence(session: Session, case_id: UUID) -> tuple[EvidenceView, ...]:
    rows = session.exec(
        select(EvidenceEntry).where(EvidenceEntry.case_id == case_id).order_by(col(EvidenceEntry.number))
    )
    return tuple(EvidenceView(**row.model_dump(exclude={"case_id", "key"})) for row in rows)


def _troubles(session: Session, case: Case) -> tuple[TroubleView, ...]:
    found = session.exec(
        select(Batch.trouble, func.min(Batch.trouble_since), func.sum(Batch.size))
        .where(Batch.case_id == case.id, col(Batch.trouble).is_not(None))
        .group_by(col(Batch.trouble))
    )
    troubles = [
        TroubleView(sentence=TROUBLES.get(code or "", f"Notices are held up: {code}."), since=since, notices=size)
        for code, since, size in found
    ]
    if case.workflow_started_at is None:
        troubles.insert(0, TroubleView(sentence=NOT_STARTED, since=case.opened_at, notices=0))
    return tuple(troubles)
