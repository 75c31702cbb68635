"""Erasing the personal data of a closed case: proposed by one person, decided by a second one, and evidence.

The key of the case is destroyed (``ledger.artifacts.erase_case``). What stays is what evidence holds: that something
happened, when, and the SHA-256 of what went.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlmodel import Session, col, func, or_, select

from agreements.legal_holds import lasting
from agreements.reasons import checked_reason
from cases.kinds import kind_named
from config.database import Database
from ledger.append import append
from ledger.artifacts import erase_case, store, text_of
from ledger.entries import CaseErased, ErasureDeclined, ErasureProposed
from mail.delivery_states import UNSETTLED
from models.defaults import Defaults
from models.enums import Authentication, DeliveryStatus
from models.errors import NotFound, Refused
from models.identifiers import case_reference
from models.phrases import instant_words
from models.tables import (
    Agreement,
    Case,
    CaseAgreement,
    CaseErasure,
    Delivery,
    LawEnforcementHold,
    LegalHold,
    Notice,
    SentMail,
)
from models.view import View
from people.accounts import check_second_person
from records.erased import erased_cases, is_erased
from records.keeping import agreements_of
from records.scope import require_case
from terms.retention import KeptFor, kept_for, years_after

CAN_COME_BACK = timedelta(days=30)
"""How long after a message was taken by a mail server it may still come back: servers give up within days."""

_OPEN = col(CaseErasure.decided_at).is_(None)


class Retention(NamedTuple):
    """Until when a closed case is kept, at the least, and by which rule; None while it is open."""

    until: datetime | None
    kept: KeptFor


class ErasureView(View):
    """One proposal to erase the personal data of a case, and what was decided of it."""

    id: UUID
    reason: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    approved: bool | None


class ErasureOfCase(View):
    """What is to be said about erasing a case.

    ``erased`` is the proposal by which it was erased; ``hindrances`` say, each in a sentence, why it cannot be erased
    now.
    """

    kept_until: datetime | None
    kept_by: str
    hindrances: tuple[str, ...]
    erased: ErasureView | None
    open: ErasureView | None
    declined: tuple[ErasureView, ...]


class ErasableCase(View):
    """A closed case whose time is over, or about which it is proposed already."""

    id: UUID
    reference: str
    kind: str
    closed_at: datetime
    kept_until: datetime
    proposed_by: str | None


def propose_erasure(
    database: Database,
    case_id: UUID,
    *,
    reason: str,
    actor: str,
    now: datetime,
    defaults: Defaults,
    authenticated: Authentication | None = None,
) -> UUID:
    """Propose that the personal data of a case be erased; return the proposal, which a second person decides.

    Raises:
        NotFound: there is no such case.
        InvalidInput: no reason is given.
        Refused: something keeps it.
    """
    reason = checked_reason(reason)
    with database.writing() as session:
        case = require_case(session, case_id)
        _refuse(session, case, now, defaults)
        if session.exec(select(CaseErasure.id).where(CaseErasure.case_id == case_id, _OPEN)).first():
            raise Refused("That is proposed already.", next_step="A second person decides it on the case's page.")
        # The reason outlives what it is about: it is kept apart from the case.
        sha256 = store(session, reason.encode(), "text/plain", now)
        erasure = CaseErasure(id=uuid4(), case_id=case_id, reason_sha256=sha256, proposed_by=actor, proposed_at=now)
        session.add(erasure)
        append(
            session,
            ErasureProposed(
                case_id=case_id,
                actor=actor,
                at=now,
                erasure=erasure.id,
                reason_sha256=sha256,
                authenticated=authenticated,
            ),
        )
        return erasure.id


def decline_erasure(
    database: Database,
    case_id: UUID,
    erasure_id: UUID,
    *,
    actor: str,
    now: datetime,
    authenticated: Authentication | None = None,
) -> None:
    """Decline a proposal to erase a case, or take back one's own.

    Raises:
        NotFound: there is no such proposal in the case.
        Refused: it is decided already.
    """
    with database.writing() as session:
        erasure = _open_one(session, case_id, erasure_id)
        erasure.decided_by, erasure.decided_at, erasure.approved = actor, now, False
        session.add(erasure)
        declined = ErasureDeclined(
            case_id=case_id, actor=actor, at=now, erasure=erasure.id, authenticated=authenticated
        )
        append(session, declined)


def approve_erasure(
    database: Database,
    case_id: UUID,
    erasure_id: UUID,
    *,
    actor: str,
    now: datetime,
    defaults: Defaults,
    authenticated: Authentication | None = None,
) -> int:
    """Erase the personal data of a case, as somebody else proposed; return how many artifacts went.

    Raises:
        NotFound: there is no such proposal in the case.
        NotAllowed: whoever approves is no second person.
        Refused: it is decided already, or something keeps the case.
    """
    with database.erasing() as session:
        erasure = _open_one(session, case_id, erasure_id)
        check_second_person(session, erasure.proposed_by, actor, authenticated)
        case = session.get_one(Case, case_id, with_for_update=True)
        retention = _refuse(session, case, now, defaults)
        assert retention.until, "an open case is refused"
        erasure.decided_by, erasure.decided_at, erasure.approved = actor, now, True
        session.add(erasure)
        session.flush()
        went = erase_case(session, case_id, now)
        append(
            session,
            CaseErased(
                case_id=case_id,
                actor=actor,
                at=now,
                erasure=erasure.id,
                authenticated=authenticated,
                proposed_by=erasure.proposed_by,
                kept_until=retention.until,
                kept_by=retention.kept.by,
                erased=len(went),
                erased_sha256=store(session, "".join(f"{sha256}\n" for sha256 in went).encode(), "text/plain", now),
                reason_sha256=erasure.reason_sha256,
            ),
        )
        return len(went)


def read_erasure(database: Database, case_id: UUID, now: datetime, defaults: Defaults) -> ErasureOfCase:
    """What is to be said about erasing a case.

    Raises:
        NotFound: there is no such case.
    """
    with database.reading() as session:
        case = require_case(session, case_id)
        retention = retention_of(session, case, defaults)
        rows = session.exec(
            select(CaseErasure).where(CaseErasure.case_id == case_id).order_by(col(CaseErasure.proposed_at).desc())
        ).all()
        views = [
            ErasureView(reason=text_of(session, row.reason_sha256), **row.model_dump(exclude={"case_id", "raised_at"}))
            for row in rows
        ]
        return ErasureOfCase(
            kept_until=retention.until,
            kept_by=retention.kept.by,
            hindrances=tuple(_hindrances(session, case, retention, now)),
            erased=next((view for view in views if view.approved), None),
            open=next((view for view in views if view.decided_at is None), None),
            declined=tuple(view for view in views if view.approved is False),
        )


def read_erasable(
    database: Database, now: datetime, defaults: Defaults, *, offset: int, limit: int
) -> tuple[tuple[ErasableCase, ...], int]:
    """The closed cases that the default lets go by now, those closed first before others, and how many there are.

    What a law keeps for longer, or a hold, stands on the page of each.
    """
    closed_before = years_after(now, -defaults.retention_years)
    over = (
        col(Case.closed_at) <= closed_before,
        col(Case.id).not_in(erased_cases()),
    )
    with database.reading() as session:
        total = session.exec(select(func.count()).select_from(Case).where(*over)).one()
        rows = session.exec(
            select(Case, CaseErasure.proposed_by)
            .outerjoin(CaseErasure, (col(CaseErasure.case_id) == col(Case.id)) & _OPEN)
            .where(*over)
            .order_by(col(CaseErasure.proposed_by).is_(None), col(Case.closed_at), col(Case.id))
            .offset(offset)
            .limit(limit)
        )
        return tuple(_erasable(session, case, by, defaults) for case, by in rows), total


def retention_of(session: Session, case: Case, defaults: Defaults) -> Retention:
    """Until when a case is kept, at the least, counted from when it was closed."""
    states = session.exec(
        select(Agreement.state)
        .join(CaseAgreement, col(CaseAgreement.agreement_id) == col(Agreement.id))
        .where(CaseAgreement.case_id == case.id)
        .distinct()
    ).all()
    kept = kept_for(case.kind, states, defaults)
    return Retention(years_after(case.closed_at, kept.years) if case.closed_at else None, kept)


def _erasable(session: Session, case: Case, proposed_by: str | None, defaults: Defaults) -> ErasableCase:
    retention = retention_of(session, case, defaults)
    assert case.closed_at, "it was asked for closed ones"
    assert retention.until, "a closed one has an end"
    return ErasableCase(
        id=case.id,
        reference=case_reference(case.id),
        kind=kind_named(case.kind).label,
        closed_at=case.closed_at,
        kept_until=retention.until,
        proposed_by=proposed_by,
    )


def _open_one(session: Session, case_id: UUID, erasure_id: UUID) -> CaseErasure:
    erasure = session.get(CaseErasure, erasure_id, with_for_update=True)
    if erasure is None or erasure.case_id != case_id:
        raise NotFound("There is no such proposal.", next_step="Open it from the case's page.")
    if erasure.decided_at is not None:
        raise Refused("This proposal is decided already.", next_step="The case's page says how.")
    return erasure


def _refuse(session: Session, case: Case, now: datetime, defaults: Defaults) -> Retention:
    """Return where nothing keeps a case.

    Raises:
        Refused: something does; it is the first that was found.
    """
    retention = retention_of(session, case, defaults)
    for hindrance in _hindrances(session, case, retention, now):
        raise Refused(hindrance, next_step="Nothing was erased. The case's page says what else keeps it.")
    return retention


def _hindrances(session: Session, case: Case, retention: Retention, now: datetime) -> Iterator[str]:
    """Why a case cannot be erased now, each in a sentence."""
    if is_erased(session, case.id):
        yield "Its personal data was erased already."
        return
    if retention.until is None:
        yield "The case is open."
    elif now < retention.until:
        yield f"The case has to be kept until {instant_words(retention.until)} ({retention.kept.by})."
    if session.exec(select(LegalHold.id).where(*lasting(agreements_of(session, case.id))).limit(1)).first():
        yield "A legal hold keeps the data of its agreements."
    until = col(LawEnforcementHold.until)
    lasts = (col(LawEnforcementHold.lifted_at).is_(None), or_(until.is_(None), until > now))
    if session.exec(select(LawEnforcementHold.id).where(LawEnforcementHold.case_id == case.id, *lasts)).first():
        yield "A law-enforcement hold lasts in it."
    if _can_come_back(session, case.id, now):
        yield f"A message of it can still come back, up to {CAN_COME_BACK.days} days after it was handed over."


def _can_come_back(session: Session, case_id: UUID, now: datetime) -> bool:
    recent = now - CAN_COME_BACK
    on_its_way = col(Delivery.status).in_((*UNSETTLED, DeliveryStatus.UNKNOWN)) & col(Delivery.again_at).is_not(None)
    notice = (
        select(Delivery.id)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .where(Notice.case_id == case_id, or_(on_its_way, col(Delivery.attempted_at) > recent))
    )
    mail = select(SentMail.id).where(SentMail.case_id == case_id, col(SentMail.attempted_at) > recent)
    return any(session.exec(query.limit(1)).first() for query in (notice, mail))
