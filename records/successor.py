"""Which agreements a change of control touches, what is kept of its assurance, and what an LEA answered aloud."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import assert_never, cast
from uuid import UUID

import rfc8785
from sqlmodel import Session, col, select

from agreements.life import last_day
from cases.intake import Intake
from cases.plausibility import Dating, Doubt
from cases.successor import (
    ASSURANCE,
    CLOSING,
    LEFT_OUT,
    SIGNATURE,
    AddAssurance,
    CallOff,
    RecordDecision,
    SuccessorAct,
    SuccessorReport,
)
from cases.values import AnchorValue, KeptFile
from ledger.append import append
from ledger.artifacts import fetch, store
from ledger.entries import JsonObject, SignaturesExamined
from models.enums import AnswerKind, Party, SignatureIntegrity
from models.errors import InvalidFields, InvalidInput, Refused
from models.identifiers import agreement_id
from models.phrases import counted, day_words, instant_words
from models.tables import Agreement, Answer, Case, Duty, Notice
from records.acts import Recording, dismiss
from records.anchors import current_anchors
from records.answers import GivenAnswer, effect_day, record_answers
from records.documents import keep_for_all
from records.file_types import PDF
from records.intake import Touched, keep_found
from records.offers import offer_of
from records.scope import clauses_of_agreement
from records.signatures import Signatures, read_signatures
from records.uploads import kept_file
from terms.clock import day_of, zone_of

ASSURANCE_FIELD = "assurance"
"""The field of report and act that holds the assurance."""

NOT_IN_FORCE = (
    "Correct the day; or confirm that it is meant, and propose for them that no notice is required, since they were "
    "not in force."
)
ADD_THEM = "Correct the day; or confirm that it is meant, and add them to the case, so that their LEAs are told."

NAMED = 5
"""How many agreements a sentence names; the others are counted."""

_FOUND = {
    SignatureIntegrity.INTACT: "The signature is intact and covers the whole document.",
    SignatureIntegrity.NOT_WHOLE: (
        "The signature is intact, but does NOT cover the whole document: something was added after it was signed."
    ),
}
_TRUST = "That the certificate is the signer’s was not established: no authority that vouches for it is configured."


def touched_agreements(session: Session, intake: Intake, now: datetime) -> Touched:
    """The agreements that were in force at the closing: those named, or all; of all, the others are left out.

    Raises:
        InvalidFields: one that is named began after the closing, or had ended before it; or none is left.
    """
    report = cast(SuccessorReport, intake)
    closing, by = report.closing, min(report.closing, now.date())
    if report.agreements:
        _check_named(session, report.agreements, closing, by)
        return Touched(report.agreements)
    on_file = session.exec(select(Agreement).order_by(col(Agreement.reference))).all()
    later = [row.reference for row in on_file if row.executed_on > closing]
    over = [row.reference for row in on_file if _ended_before(row, by)]
    references = tuple(sorted({row.reference for row in on_file} - {*later, *over}))
    if not references:
        problem = InvalidInput(
            f"No agreement on file was in force at the closing, {day_words(closing)}.",
            where="closing",
            next_step="Correct the closing date, or import the agreements first.",
        )
        raise InvalidFields((problem,))
    return Touched(
        references,
        (
            *_left_out(over, "had ended before the closing"),
            *_left_out(later, "began after the closing"),
        ),
    )


def _ended_before(agreement: Agreement, day: date) -> bool:
    ended = min(filter(None, (agreement.terminated_on, last_day(agreement))), default=None)
    return ended is not None and ended < day


def _check_named(session: Session, references: Sequence[str], closing: date, by: date) -> None:
    named = session.exec(
        select(Agreement).where(col(Agreement.reference).in_(references)).order_by(col(Agreement.reference))
    ).all()
    problems = [
        InvalidInput(
            f"The closing, {day_words(closing)}, is before agreement {row.reference} began, on "
            f"{day_words(row.executed_on)}.",
            where="closing",
            next_step="Correct the closing date, or leave this agreement out.",
        )
        for row in named
        if row.executed_on > closing
    ]
    problems += [
        InvalidInput(
            f"Agreement {row.reference} had ended before the closing, so nothing is owed under it.",
            where="agreements",
            next_step="Leave it out.",
        )
        for row in named
        if _ended_before(row, by)
    ]
    if problems:
        raise InvalidFields(tuple(problems))


def doubts(session: Session, dating: Dating, now: datetime) -> Iterator[Doubt]:
    """Ask where the closing is corrected to a day on which other agreements were in force than those of its case.

    What an intake says of it is looked at where its agreements are found.
    """
    for where, anchor in dating.given.items():
        if dating.case_id and anchor.name == CLOSING and anchor.first_day:
            before = current_anchors(session, dating.case_id)[CLOSING].first_day
            yield from _doubts_of_closing(session, dating, where, anchor.first_day, before or anchor.first_day, now)


def _doubts_of_closing(
    session: Session, dating: Dating, where: str, closing: date, before: date, now: datetime
) -> Iterator[Doubt]:
    on_file = session.exec(select(Agreement).order_by(col(Agreement.reference))).all()
    here, today = set(dating.agreements), now.date()

    def in_force(row: Agreement, day: date) -> bool:
        return row.executed_on <= day and not _ended_before(row, min(day, today))

    strange = [row.reference for row in on_file if row.id in here and not in_force(row, closing)]
    if strange:
        says = f"Not in force on {day_words(closing)}, and in the case: {_named(strange)}"
        yield Doubt(where, f"{CLOSING} not-in-force", says, NOT_IN_FORCE)
    missing = [row.reference for row in on_file if in_force(row, closing) and not in_force(row, before)]
    if missing := [reference for reference in missing if agreement_id(reference) not in here]:
        says = f"In force on {day_words(closing)}, and not in the case: {_named(missing)}"
        yield Doubt(where, f"{CLOSING} not-in-the-case", says, ADD_THEM)


def _left_out(references: Sequence[str], why: str) -> Iterable[str]:
    if references:
        yield f"{counted(len(references), 'agreement that', 'agreements that')} {why}: {_named(references)}"


def _named(references: Sequence[str]) -> str:
    more = f" and {len(references) - NAMED:,} more" if len(references) > NAMED else ""
    return f"{', '.join(references[:NAMED])}{more}."


def prepare_intake(session: Session, intake: Intake, _now: datetime, _side: Party) -> tuple[AnchorValue, ...]:
    """Look at the assurance that came with a report; no dated fact follows.

    Raises:
        InvalidFields: it is no PDF, its signature is broken, or nobody is named who signed it.
    """
    report = cast(SuccessorReport, intake)
    if report.assurance:
        try:
            _examined(session, report.assurance, signed_by=report.signed_by)
        except InvalidInput as problem:
            raise InvalidFields((problem,)) from None
    return ()


def keep_opening(session: Session, case: Case, intake: Intake, actor: str, now: datetime) -> None:
    """Keep the assurance that came with a report, and which agreements it leaves out."""
    report = cast(SuccessorReport, intake)
    if left_out := touched_agreements(session, intake, now).left_out:
        keep_found(session, case.id, LEFT_OUT, "\n".join(left_out), actor, now)
    if report.assurance:
        _keep_assurance(session, case.id, report.assurance, report.signed_by, actor, now)


def _examined(session: Session, assurance: KeptFile, *, signed_by: str | None) -> tuple[bytes, Signatures]:
    """An assurance's bytes, and what was found of its signatures.

    Raises:
        InvalidInput: it is no PDF, its signature is broken, or nobody is named who signed it.
    """
    content = assurance.content if assurance.content is not None else fetch(session, assurance.sha256)
    found = read_signatures(content, ASSURANCE_FIELD)
    if found.integrity is SignatureIntegrity.NONE and not signed_by:
        raise InvalidInput(
            "The assurance carries no digital signature, and nobody is named who signed it.",
            where="signed_by",
            next_step="Give name and title of who signed it; by that you attest it.",
        )
    return content, found


def _keep_assurance(
    session: Session, case_id: UUID, assurance: KeptFile, signed_by: str | None, actor: str, now: datetime
) -> SignatureIntegrity:
    """Keep an assurance for every LEA of a case, with what was found of its signatures and who attests what."""
    content, found = _examined(session, assurance, signed_by=signed_by)
    file = kept_file("assurance", content, PDF.media_type)
    document = keep_for_all(session, case_id, ASSURANCE, file, actor=actor, now=now)
    said = {
        "integrity": found.integrity.value,
        "signatures": [
            {
                "signer": each.signer,
                "signed_at": each.signed_at.isoformat() if each.signed_at else None,
                "certificate_sha256": each.certificate_sha256,
            }
            for each in found.signatures
        ],
        "signed_by": signed_by,
        "salt": secrets.token_hex(16),
    }
    append(
        session,
        SignaturesExamined(
            case_id=case_id,
            actor=actor,
            at=now,
            document_id=document.id,
            signatures=len(found.signatures),
            integrity=found.integrity,
            attested=signed_by is not None,
            found_sha256=store(session, rfc8785.dumps(said), "application/json", now, case=case_id),
        ),
    )
    keep_found(session, case_id, SIGNATURE, _in_words(found, signed_by, actor), actor, now)
    return found.integrity


def _in_words(found: Signatures, signed_by: str | None, actor: str) -> str:
    attested = [f"{actor} attests who signed it: {signed_by}"] if signed_by else []
    if not found.signatures:
        return "\n".join(["It carries no digital signature.", *attested])
    signers = [
        f"Digitally signed by {each.signer}"
        + (f", {instant_words(each.signed_at)} by the signer’s own clock." if each.signed_at else ".")
        for each in found.signatures
    ]
    return "\n".join([*signers, _FOUND[found.integrity], _TRUST, *attested])


def record_act(recording: Recording) -> JsonObject:
    """Store one of a successor's own acts."""
    session, case = recording.session, recording.case
    act = cast(SuccessorAct, recording.message.act)
    match act:
        case AddAssurance(assurance=assurance, signed_by=signed_by):
            who = fetch(session, signed_by.sha256).decode() if signed_by else None
            integrity = _keep_assurance(session, case.id, assurance, who, recording.actor, recording.at)
            return {"integrity": integrity.value}
        case RecordDecision():
            return _record_answer(recording, act)
        case CallOff(reason=reason):
            return dismiss(recording, reason.sha256)
        case _:
            assert_never(act)


def _record_answer(recording: Recording, act: RecordDecision) -> JsonObject:
    session, case = recording.session, recording.case
    found = session.exec(
        select(Notice, Duty.clause)
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .where(Notice.case_id == case.id, Duty.agreement_id == act.agreement.id, col(Notice.offers))
        .where(col(Notice.given_at).is_not(None))
        .order_by(col(Notice.given_at).desc())
    ).first()
    if found is None:
        raise Refused(
            "This LEA was not told in this case yet, so it has answered nothing.",
            where="agreement",
            next_step="Record it once its notice was given.",
        )
    notice, clause = found
    kind = AnswerKind(act.answer.value.replace("-", "_"))
    offer = offer_of(clauses_of_agreement(session, case.id, act.agreement.id), clause)
    if act.ground and (offer is None or act.ground not in offer.reasons):
        raise InvalidInput(
            f"The terms of this agreement know no ground {act.ground!r}.",
            where="ground",
            next_step=f"They know {', '.join(offer.reasons if offer else ())}.",
        )
    given = session.exec(select(Answer.kind).where(Answer.notice_id == notice.id)).all()
    if kind in given or AnswerKind.TERMINATES in given:
        raise Refused("This LEA has answered so already.", where="agreement", next_step="There is nothing to record.")
    zone = zone_of(session.get_one(Agreement, act.agreement.id).time_zone)
    on = effect_day(act.on, day_of(notice.given_at or recording.at, zone), day_of(recording.at, zone))
    heard = GivenAnswer(
        notice.id,
        kind,
        recording.actor,
        text=fetch(session, act.particulars.sha256).decode(),
        ground=act.ground,
        on=on,
    )
    record_answers(session, [heard], b"", recording.at)
    return {"notice": str(notice.id)}
