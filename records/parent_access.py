"""What a request for access has to be by what SQL knows, and what the acts of such a case change in SQL."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never, cast
from uuid import uuid5

from sqlmodel import Session, col, select

from agreements.due_dates import read_due_dates
from cases.acts import Act
from cases.intake import Intake
from cases.parent_access import (
    ANSWER,
    CONFIRMATION,
    CORRECTION,
    CORRECTION_REQUESTED,
    GIVEN,
    PARENT_ACCESS,
    QUESTION,
    REFUSED,
    TO_CORRECT,
    AccessRequest,
    Correct,
    Give,
    NoteInaccuracy,
    ParentAccessAct,
    PutQuestion,
    RecordAnswer,
    RefuseRequest,
)
from cases.values import AnchorValue
from ledger.artifacts import fetch
from ledger.entries import JsonObject
from models import identifiers
from models.enums import Party
from models.errors import InvalidFields, InvalidInput, Refused
from models.tables import Agreement, CaseDocument, Duty
from records.acts import Recording, dismiss, keep_fact, set_anchor
from records.performed_acts import perform_by_act, running_acts
from records.scope import terms_in_force
from terms.catalogue import load_catalogue

TOLD_BY: dict[type[Act], str] = {NoteInaccuracy: TO_CORRECT, PutQuestion: QUESTION, RecordAnswer: ANSWER}
"""The fact that each act tells besides the date that it gives."""


def prepare_intake(session: Session, intake: Intake, now: datetime, side: Party) -> tuple[AnchorValue, ...]:
    """Check that the agreement sets our ``side`` a duty about what is asked; no dated facts follow.

    Raises:
        InvalidFields: it sets none.
    """
    request = cast(AccessRequest, intake)
    agreement = session.exec(select(Agreement).where(col(Agreement.reference).in_(request.agreements))).one_or_none()
    if agreement is None:
        return ()  # whoever keeps it says so
    terms = terms_in_force(session, load_catalogue(), [agreement], now.date())[agreement.id]
    ours = (clause for clause in terms.dated.get(PARENT_ACCESS.event, ()) if clause.owed_by is side)
    started = {name for clause in ours for name in clause.anchors}
    if started.isdisjoint(anchor.name for anchor in request.anchors()):
        raise InvalidFields(
            (
                InvalidInput(
                    "The terms of this agreement ask nothing of you about this.",
                    where="asks",
                    next_step="If the LEA wants the data itself, enter it as a copy.",
                ),
            )
        )
    return ()


def record_act(recording: Recording) -> JsonObject:
    """Store one of an access case's own acts."""
    act = cast(ParentAccessAct, recording.message.act)
    match act:
        case Give():
            return _give(recording, act)
        case NoteInaccuracy(to_correct=text) | PutQuestion(question=text) | RecordAnswer(answer=text):
            keep_fact(recording, TOLD_BY[type(act)], fetch(recording.session, text.sha256).decode())
            (anchor,) = act.dates().values()
            return set_anchor(recording, anchor)
        case Correct():
            return _correct(recording, act)
        case RefuseRequest(ground=ground, reason=reason):
            said = fetch(recording.session, reason.sha256).decode()
            keep_fact(recording, REFUSED, f"{ground.replace('-', ' ').capitalize()}. {said}")
            return dismiss(recording, reason.sha256)
        case _:
            assert_never(act)


def _give(recording: Recording, act: Give) -> JsonObject:
    """What was given performs the duty about it; what is to be corrected is not performed by giving anything."""
    duties = [duty for duty in running_acts(recording, act.clause) if _anchor(recording, duty) != CORRECTION_REQUESTED]
    if not duties:
        raise Refused("Nothing is open that is performed by giving something.", next_step="Look at the case's page.")
    if len({duty.clause for duty in duties}) > 1:
        raise InvalidInput(
            "Several things are asked for.",
            where="clause",
            next_step=f"Say which of them was given: {', '.join(sorted({duty.clause for duty in duties}))}.",
        )
    texts = (fetch(recording.session, text.sha256).decode() for text in (act.what, act.how, act.to_whom))
    keep_fact(recording, GIVEN, "\n".join(texts))
    return perform_by_act(recording, duties, act.given_at, where="given_at")


def _correct(recording: Recording, act: Correct) -> JsonObject:
    """Perform the correction, and keep what the LEA is told of it behind the link of its letter."""
    duties = [duty for duty in running_acts(recording) if _anchor(recording, duty) == CORRECTION_REQUESTED]
    if not duties:
        raise Refused("No correction is open.", next_step="Record the LEA's notice of the inaccuracy first.")
    (anchor,) = act.dates().values()
    keep_fact(recording, CORRECTION, fetch(recording.session, act.what.sha256).decode())
    recording.session.add(
        CaseDocument(
            id=uuid5(recording.message.act_id, CONFIRMATION),
            case_id=recording.case.id,
            agreement_id=duties[0].agreement_id,
            element=CONFIRMATION,
            file_name=f"correction-{identifiers.case_reference(recording.case.id)}.txt",
            content_sha256=act.what.sha256,
            added_by=recording.actor,
            added_at=recording.at,
        )
    )
    return set_anchor(recording, anchor) | perform_by_act(recording, duties, act.corrected_at, where="corrected_at")


def _anchor(recording: Recording, duty: Duty) -> str | None:
    return read_due_dates(recording.session, [duty.due_date_id])[duty.due_date_id].anchor
