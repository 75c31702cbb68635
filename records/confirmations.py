"""Duties that only a holder's own word performs: who must confirm, who has, and when that performs the duty."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5

from sqlmodel import Session, col, select

from cases.acts import ConfirmDone
from ledger.entries import JsonObject
from models.enums import OPEN_STATUSES, DutyStatus, Party
from models.errors import InvalidInput, Refused
from models.tables import AgreementContact, Case, Confirmation, Duty
from records.duties import perform


def confirm_done(session: Session, case: Case, act: ConfirmDone, *, actor: str, at: datetime) -> JsonObject:
    """Keep a holder's confirmation under a clause; the last of all holders performs the duty.

    The party that owes the duty confirms after every subprocessor that holds the data has: its word includes theirs.

    Raises:
        Refused: no such duty is open, this holder has confirmed, or the others have not.
        InvalidInput: the case knows no such holder.
    """
    duty = _duty(session, case.id, act)
    holders = _subprocessors(session, case.id, duty.agreement_id)
    confirmed = set(session.exec(select(Confirmation.contact_id).where(Confirmation.duty_id == duty.id)))
    contact_id = _holder(act.holder, holders)
    if contact_id in confirmed:
        raise Refused("This holder has confirmed already.", where="holder", next_step="There is nothing to do.")
    missing = [holder for holder in holders if holder.id not in confirmed]
    if contact_id is None and missing:
        raise Refused(
            f"{len(missing)} subprocessors that hold the data have not confirmed.",
            where="holder",
            next_step="Record their confirmations first.",
        )
    session.add(
        Confirmation(
            id=uuid5(duty.id, f"confirmed:{contact_id}"),
            case_id=case.id,
            duty_id=duty.id,
            contact_id=contact_id,
            particulars_sha256=act.particulars.sha256,
            given_at=at,
            recorded_by=actor,
        )
    )
    if contact_id is None:
        perform(duty, at)
    return {
        "duty": str(duty.id),
        "holder": str(contact_id) if contact_id else duty.owed_by.value,
        "verdict": duty.verdict,
    }


def _duty(session: Session, case_id: UUID, act: ConfirmDone) -> Duty:
    found = session.exec(
        select(Duty)
        .where(Duty.case_id == case_id, Duty.agreement_id == act.agreement.id, Duty.clause == act.clause)
        .where(col(Duty.status).in_(OPEN_STATUSES), Duty.status != DutyStatus.PENDING)
        .order_by(col(Duty.occurrence))
    ).first()
    if found is None:
        raise Refused(
            f"No duty under {act.clause} has begun and is open towards this agreement.",
            where="agreement",
            next_step="Look at the case's page.",
        )
    return found


def _subprocessors(session: Session, case_id: UUID, agreement_id: UUID) -> list[AgreementContact]:
    """The subprocessors that hold an agreement's data: those known for it, and those named in the case."""
    return list(
        session.exec(
            select(AgreementContact)
            .where(AgreementContact.agreement_id == agreement_id, AgreementContact.party == Party.SUBPROCESSOR)
            .where(col(AgreementContact.case_id).is_(None) | (col(AgreementContact.case_id) == case_id))
            .where(AgreementContact.rank >= 0)
        )
    )


def _holder(name: str | None, holders: list[AgreementContact]) -> UUID | None:
    """The contact of a subprocessor by its name; None for the party that owes the duty itself."""
    if name is None:
        return None
    for holder in holders:
        if holder.name.casefold() == name.casefold():
            return holder.id
    known = ", ".join(sorted(holder.name for holder in holders)) or "none"
    raise InvalidInput(
        f"No subprocessor of this agreement is called {name}.",
        where="holder",
        next_step=f"There are: {known}; leave it out for the party that owes the duty itself.",
    )
