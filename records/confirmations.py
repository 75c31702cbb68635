"""Duties that only a holder's own word performs: who must confirm, who has, and when that performs the duty."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5

from sqlmodel import Session, col, select

from cases.acts import ConfirmDone
from ledger.entries import JsonObject
from models.enums import OPEN_STATUSES, DutyStatus, HolderAnswerKind, Party
from models.errors import InvalidInput, Refused
from models.tables import AgreementContact, Case, Confirmation, Duty, HolderAnswer, HolderTask
from records.duties import perform
from records.holders import confirm, others_come_first, subprocessors_of, tasks_of


def confirm_done(session: Session, case: Case, act: ConfirmDone, *, actor: str, at: datetime) -> JsonObject:
    """Keep a holder's confirmation under a clause; the last of all holders performs the duty.

    The party that owes the duty confirms after every subprocessor that holds the data has: its word includes theirs.

    Raises:
        Refused: no such duty is open, this holder has confirmed, or the others have not.
        InvalidInput: the case knows no such holder.
    """
    duty = _duty(session, case.id, act)
    holders = subprocessors_of(session, case.id, duty.agreement_id)
    contact_id = _holder(act.holder, holders)
    task = next((task for task in tasks_of(session, case.id) if _is_of(task, duty, contact_id)), None)
    if task:
        return _confirm_for(session, case, task, act, actor=actor, at=at)
    confirmed = set(session.exec(select(Confirmation.contact_id).where(Confirmation.duty_id == duty.id)))
    if contact_id in confirmed:
        raise Refused("This holder has confirmed already.", where="holder", next_step="There is nothing to do.")
    missing = [holder for holder in holders if holder.id not in confirmed]
    if contact_id is None and missing:
        raise others_come_first(len(missing))
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


def _is_of(task: HolderTask, duty: Duty, contact_id: UUID | None) -> bool:
    return (task.agreement_id, task.contact_id) == (duty.agreement_id, contact_id)


def _confirm_for(
    session: Session, case: Case, task: HolderTask, act: ConfirmDone, *, actor: str, at: datetime
) -> JsonObject:
    """Take the word of a holder that is asked by link, as an officer heard it: it settles what the link asks."""
    answer = HolderAnswer(
        id=uuid5(task.id, f"heard:{act.particulars.sha256}:{at.isoformat()}"),
        case_id=case.id,
        task_id=task.id,
        kind=HolderAnswerKind.CERTIFICATE,
        said_sha256=act.particulars.sha256,
        given_at=at,
        given_by=actor,
    )
    performed = confirm(session, case, task, answer, at)
    return {
        "holder": str(task.contact_id) if task.contact_id else Party.PROVIDER.value,
        "performed": [f"{duty.id} {duty.verdict}" for duty in performed],
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
