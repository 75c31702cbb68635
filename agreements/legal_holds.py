"""Legal holds: decisions that data has to be kept, which stop its disposal until somebody lifts them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select, update

from agreements.reasons import checked_reason
from agreements.references import agreement_named
from config.database import Database
from ledger.append import append
from ledger.artifacts import store
from ledger.entries import LegalHoldLifted, LegalHoldPlaced
from models.errors import NotFound, Refused
from models.tables import Agreement, Case, CaseAgreement, LegalHold
from models.view import View


class LegalHoldView(View):
    """One legal hold; ``reference`` and ``lea_name`` are None where it keeps the data of every agreement."""

    id: UUID
    reference: str | None
    lea_name: str | None
    reason: str
    placed_by: str
    placed_at: datetime
    lifted_by: str | None
    lifted_at: datetime | None
    lifted_because: str | None


def place_legal_hold(
    database: Database, *, agreement: str | None, reason: str, actor: str, now: datetime
) -> tuple[UUID, tuple[UUID, ...]]:
    """Keep the data of one agreement, by its reference, or of all; return the hold and the open cases it touches.

    Raises:
        NotFound: there is no such agreement.
        InvalidInput: no reason is given.
    """
    reason = checked_reason(reason)
    with database.writing() as session:
        agreement_id = agreement_named(session, agreement).id if agreement else None
        hold = LegalHold(id=uuid4(), agreement_id=agreement_id, reason=reason, placed_by=actor, placed_at=now)
        session.add(hold)
        append(
            session,
            LegalHoldPlaced(
                actor=actor,
                at=now,
                hold=hold.id,
                agreement=agreement_id,
                reason_sha256=store(session, reason.encode(), "text/plain", now),
            ),
        )
        return hold.id, _touched(session, agreement_id, now)


def lift_legal_hold(database: Database, hold_id: UUID, *, reason: str, actor: str, now: datetime) -> tuple[UUID, ...]:
    """End a legal hold, with the reason; return the open cases that it touched.

    Raises:
        NotFound: there is no such hold.
        Refused: it is lifted already.
        InvalidInput: no reason is given.
    """
    reason = checked_reason(reason)
    with database.writing() as session:
        hold = session.get(LegalHold, hold_id, with_for_update=True)
        if hold is None:
            raise NotFound("There is no such legal hold.", next_step="`duenotice legal-holds list` lists them.")
        if hold.lifted_at:
            raise Refused("This legal hold is lifted already.", next_step="There is nothing to do.")
        hold.lifted_by, hold.lifted_at, hold.lifted_because = actor, now, reason
        append(
            session,
            LegalHoldLifted(
                actor=actor,
                at=now,
                hold=hold.id,
                agreement=hold.agreement_id,
                reason_sha256=store(session, reason.encode(), "text/plain", now),
            ),
        )
        return _touched(session, hold.agreement_id, now)


def read_legal_holds(database: Database, *, agreements: Sequence[UUID] | None = None) -> tuple[LegalHoldView, ...]:
    """The legal holds, those that last first: all of them, or those that last and keep the data of some agreements."""
    with database.reading() as session:
        return legal_holds(session, *(lasting(agreements) if agreements is not None else ()))


def legal_holds(session: Session, *which: ColumnElement[bool]) -> tuple[LegalHoldView, ...]:
    """The legal holds under some conditions, those that last first."""
    rows = session.exec(
        select(LegalHold, Agreement.reference, Agreement.lea_name)
        .outerjoin(Agreement, col(Agreement.id) == col(LegalHold.agreement_id))
        .where(*which)
        .order_by(col(LegalHold.lifted_at).is_not(None), col(LegalHold.placed_at).desc())
    )
    return tuple(
        LegalHoldView(reference=reference, lea_name=lea, **hold.model_dump(exclude={"agreement_id"}))
        for hold, reference, lea in rows
    )


def lasting(agreements: Sequence[UUID]) -> tuple[ColumnElement[bool], ...]:
    """The conditions for the holds that last and keep the data of some agreements."""
    of_them = col(LegalHold.agreement_id).is_(None) | col(LegalHold.agreement_id).in_(agreements)
    return col(LegalHold.lifted_at).is_(None), of_them


def is_held(session: Session, agreement_id: UUID) -> bool:
    """Whether a legal hold keeps the data of an agreement now."""
    return session.exec(select(LegalHold.id).where(*lasting([agreement_id])).limit(1)).first() is not None


def _touched(session: Session, agreement_id: UUID | None, now: datetime) -> tuple[UUID, ...]:
    """Note on each open case under the agreement, or under any, that its holders are to be told."""
    of_it = (CaseAgreement.agreement_id == agreement_id,) if agreement_id else ()
    cases = session.exec(
        select(Case.id)
        .join(CaseAgreement, col(CaseAgreement.case_id) == col(Case.id))
        .where(col(Case.closed_at).is_(None), *of_it)
        .distinct()
    ).all()
    session.execute(update(Case).where(col(Case.id).in_(cases)).values(changed_at=now))
    return tuple(cases)
