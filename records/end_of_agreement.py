"""The case of an agreement that has ended: which dated facts it goes by, when it may be opened, and its acts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import cast
from uuid import UUID

from sqlmodel import Session, col, func, select

from agreements.due_dates import read_due_dates
from agreements.life import end_of
from cases.disposition import DIRECTED, REQUESTED
from cases.end_of_agreement import (
    ALL_REQUESTED,
    DISPOSAL,
    END_OF_AGREEMENT,
    RENEWAL_EXPECTED,
    EndAct,
    EndedAgreement,
    GoesOn,
)
from cases.intake import Intake
from cases.plausibility import Dating, Doubt
from cases.values import AnchorValue
from ledger.entries import JsonObject
from models import identifiers
from models.enums import CaseStatus, Party
from models.errors import InvalidFields, InvalidInput, Refused
from models.phrases import day_words
from models.tables import Agreement, Case, CaseAgreement, Duty
from records.acts import Recording, dismiss
from records.disposition import all_gone, directive_of_all, disposal_since, record_holder_act

AGREED_WITH_THE_LEA = "Plan that day or a later one, unless the LEA has agreed to an earlier one."
"""What follows from a plan that is earlier than what an LEA was told."""


def dates_known(session: Session, agreements: Sequence[UUID], now: datetime) -> Mapping[UUID, Mapping[str, date]]:
    """What ends and what stands against a disposal at the end, of each of some agreements.

    That is how it ended, whether the LEA expects to renew, and the directive for all of its data, which takes the place
    of what the end asks for where the terms say so.
    """
    rows = session.exec(select(Agreement).where(col(Agreement.id).in_(agreements)))
    return {row.id: dict(_dates_of(session, row, now)) for row in rows}


def _dates_of(session: Session, agreement: Agreement, now: datetime) -> Iterator[tuple[str, date]]:
    end = end_of(agreement, now)
    if end:
        yield end.fact, end.day
    if agreement.renewal_expected_on:
        yield RENEWAL_EXPECTED, agreement.renewal_expected_on
    directive = directive_of_all(session, agreement, end.day if end else None)
    if directive and (requested := directive[REQUESTED].first_day):
        yield REQUESTED, requested
        yield ALL_REQUESTED, requested
        if DIRECTED in directive and (day := directive[DIRECTED].first_day):
            yield DIRECTED, day


def prepare_intake(session: Session, intake: Intake, now: datetime, _: Party) -> tuple[AnchorValue, ...]:
    """Check that an agreement has ended and nobody has seen to its data; no further dated facts follow.

    Raises:
        InvalidFields: it has not, or somebody has; the problem says which.
    """
    ended = cast(EndedAgreement, intake)
    agreement = session.exec(select(Agreement).where(col(Agreement.reference).in_(ended.agreements))).one_or_none()
    if agreement and (problem := _problem(session, ended, agreement, now)):
        raise InvalidFields((problem,))
    return ()


def _problem(session: Session, intake: EndedAgreement, agreement: Agreement, now: datetime) -> InvalidInput | None:
    end = end_of(agreement, now)
    days = [day for day in (end.day if end else None, intake.service_ended) if day]
    if not days:
        return InvalidInput(
            "This agreement has not ended.",
            where="agreements",
            next_step="Record its termination first, on its page or by `duenotice agreements terminate`.",
        )
    if open_end := case_of_end(session, agreement.id):
        return InvalidInput(
            f"Case {identifiers.case_reference(open_end)} is about the end of this agreement already.",
            where="agreements",
            next_step="Look at that case.",
        )
    if disposal := disposal_since(session, agreement, min(days)):
        return all_gone(min(days), disposal)
    return None


def doubts(session: Session, dating: Dating, _: datetime) -> Iterator[Doubt]:
    """Ask where a disposal is planned for a day before the first one that its LEA was left by the prior notice."""
    rows = session.exec(select(Duty.due_date_id).where(Duty.case_id == dating.case_id)).all()
    floors = [known.earliest_local for known in read_due_dates(session, set(rows)).values() if known.earliest_local]
    first = max((datetime.fromisoformat(floor).date() for floor in floors), default=None)
    for where, anchor in dating.given.items():
        if anchor.name == DISPOSAL and first and anchor.first_day and anchor.first_day < first:
            says = f"After the notice that was given, nothing is disposed of before {day_words(first)}."
            yield Doubt(where, f"{DISPOSAL} before-told", says, AGREED_WITH_THE_LEA)


def case_of_end(session: Session, agreement_id: UUID) -> UUID | None:
    """The open case about the end of an agreement, if there is one."""
    return session.exec(
        select(Case.id)
        .join(CaseAgreement, col(CaseAgreement.case_id) == col(Case.id))
        .where(CaseAgreement.agreement_id == agreement_id, Case.kind == END_OF_AGREEMENT.name)
        .where(col(Case.closed_at).is_(None), Case.status != CaseStatus.DISMISSED)
    ).first()


def count_of_ends(session: Session, agreement_id: UUID) -> int:
    """How many cases there were about the end of an agreement, those of ends that were none included."""
    return session.exec(
        select(func.count())
        .select_from(Case)
        .join(CaseAgreement, col(CaseAgreement.case_id) == col(Case.id))
        .where(CaseAgreement.agreement_id == agreement_id, Case.kind == END_OF_AGREEMENT.name)
    ).one()


def record_act(recording: Recording) -> JsonObject:
    """Store one of the acts of such a case."""
    act = cast(EndAct, recording.message.act)
    match act:
        case GoesOn(reason=reason):
            _check_goes_on(recording)
            return dismiss(recording, reason.sha256)
        case _:
            return record_holder_act(recording, act)


def _check_goes_on(recording: Recording) -> None:
    """Raise ``Refused`` where what is recorded of the agreement says that it has ended."""
    agreement = recording.session.exec(
        select(Agreement)
        .join(CaseAgreement, col(CaseAgreement.agreement_id) == col(Agreement.id))
        .where(CaseAgreement.case_id == recording.case.id)
    ).one()
    if end := end_of(agreement, recording.at):
        raise Refused(
            f"What is recorded of this agreement says that it ended on {day_words(end.day)}.",
            next_step="Renew it, or take that record back, on its page or by `duenotice agreements`.",
        )
