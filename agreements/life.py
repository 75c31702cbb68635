"""The life of an agreement after it was signed: terminated, renewed, about to be renewed, and what of it was wrong.

Each record keeps the dates that stood before it, so that a wrong one is taken back and nothing is lost. Open cases that
count from an agreement's own dates compute with the new ones; what an end asks for, ``records/ends.py`` opens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple, TypeVar, assert_never
from uuid import UUID, uuid4

from sqlmodel import Session, col, func, select, update

from agreements.reasons import checked_reason
from cases.end_of_agreement import EXPIRES, TERMINATED
from cases.kinds import KINDS
from ledger.append import append
from ledger.artifacts import store
from ledger.entries import AgreementChanged, AgreementChangeTakenBack
from models.enums import AgreementChangeKind, EndedBy, LifeAct
from models.errors import InvalidInput, Refused
from models.phrases import day_words
from models.tables import Agreement, AgreementChange, Case, CaseAgreement
from terms.clock import day_of, zone_of

OWN_DATES = ("terminated_on", "expires_on", "renewal_expected_on")
"""The dates of an agreement that what is recorded of its life changes."""


class End(NamedTuple):
    """How an agreement has ended: the dated fact of its terms, and the day."""

    fact: str
    day: date


def last_day(agreement: Agreement) -> date | None:
    """The last day until which an agreement lasts: the one agreed on, else the one that its clauses give its term."""
    return agreement.expires_on or agreement.term_ends_on


def end_of(agreement: Agreement, now: datetime) -> End | None:
    """How an agreement has ended by now, in its LEA's time zone; of two ends the first counts, as in its terms.

    It is in force on the last day until which it lasts, and no more on the day on which it is terminated.
    """
    today = day_of(now, zone_of(agreement.time_zone))
    ends = []
    if agreement.terminated_on and agreement.terminated_on <= today:
        ends.append(End(TERMINATED, agreement.terminated_on))
    if (last := last_day(agreement)) and last < today:
        ends.append(End(EXPIRES, last))
    return min(ends, key=lambda end: end.day, default=None)


def record_termination(
    session: Session, agreement_id: UUID, *, on: date, by: EndedBy, reason: str, actor: str, now: datetime
) -> UUID:
    """Record that an agreement was terminated: on which day, by whom and why; return the record's id.

    From that day on the disposal of its data follows by itself, as its terms have it.

    Raises:
        Refused: its termination is recorded already.
        InvalidInput: it was signed later, or no reason is given.
    """
    agreement = _held(session, agreement_id)
    if agreement.terminated_on:
        raise Refused(
            f"This agreement is terminated already, on {day_words(agreement.terminated_on)}.",
            where="agreement",
            next_step="If that is wrong, take that record back first.",
        )
    if on < agreement.executed_on:
        raise InvalidInput(
            f"The agreement was signed later, on {day_words(agreement.executed_on)}.",
            where="on",
            next_step="Correct the day.",
        )
    kind = AgreementChangeKind.TERMINATED
    return _record(session, agreement, kind, on, reason=reason, actor=actor, now=now, ended_by=by, terminated_on=on)


def record_renewal(
    session: Session, agreement_id: UUID, *, expires_on: date, reason: str, actor: str, now: datetime
) -> UUID:
    """Record that an agreement was renewed or extended, and its new last day; return the record's id.

    Raises:
        Refused: it was terminated.
        InvalidInput: the day is none after the last one, or no reason is given.
    """
    agreement = _held(session, agreement_id)
    if agreement.terminated_on:
        raise Refused(
            f"This agreement was terminated on {day_words(agreement.terminated_on)}, so it cannot be renewed.",
            where="agreement",
            next_step="If that is wrong, take that record back first; a new agreement is imported as one.",
        )
    last = last_day(agreement) or agreement.executed_on
    if expires_on <= last:
        raise InvalidInput(
            f"This is not after {day_words(last)}, until which it lasts or on which it was signed.",
            where="on",
            next_step="Give the new last day.",
        )
    return _record(
        session,
        agreement,
        AgreementChangeKind.RENEWED,
        expires_on,
        reason=reason,
        actor=actor,
        now=now,
        expires_on=expires_on,
        renewal_expected_on=None,
    )


def record_expected_renewal(
    session: Session, agreement_id: UUID, *, on: date, reason: str | None, actor: str, now: datetime
) -> UUID:
    """Record that the LEA gave notice of a renewal that it reasonably anticipates; return the record's id.

    ``reason`` is who said so and how; None where the LEA says it itself by its link.

    Raises:
        Refused: it is expected already, or the agreement was terminated.
        InvalidInput: the reason is empty.
    """
    agreement = _held(session, agreement_id)
    if agreement.renewal_expected_on:
        raise Refused(
            f"Its renewal is expected already, since {day_words(agreement.renewal_expected_on)}.",
            where="agreement",
            next_step="There is nothing to do.",
        )
    kind = AgreementChangeKind.RENEWAL_EXPECTED
    return _record(session, agreement, kind, on, reason=reason, actor=actor, now=now, renewal_expected_on=on)


def record_failed_renewal(
    session: Session, agreement_id: UUID, *, on: date, reason: str, actor: str, now: datetime
) -> UUID:
    """Record that the renewal which was expected does not come; return the record's id.

    Raises:
        Refused: none is expected.
        InvalidInput: no reason is given.
    """
    agreement = _held(session, agreement_id)
    if agreement.renewal_expected_on is None:
        raise Refused("No renewal is expected.", where="agreement", next_step="There is nothing to do.")
    kind = AgreementChangeKind.RENEWAL_FAILED
    return _record(session, agreement, kind, on, reason=reason, actor=actor, now=now, renewal_expected_on=None)


def take_back_last(
    session: Session, agreement_id: UUID, *, reason: str, actor: str, now: datetime
) -> AgreementChangeKind:
    """Take back what was recorded last of an agreement's life, since it is wrong; return what that was.

    Raises:
        Refused: nothing is recorded that stands.
        InvalidInput: no reason is given.
    """
    agreement = _held(session, agreement_id)
    change = next(iter(standing_changes(session, [agreement_id])), None)
    if change is None:
        raise Refused(
            "Nothing is recorded of this agreement that could be taken back.",
            where="agreement",
            next_step="Dates that an import gave are corrected by another import.",
        )
    reason = checked_reason(reason)
    for name, day in change.before.items():
        setattr(agreement, name, date.fromisoformat(day) if day else None)
    change.taken_back_by, change.taken_back_at, change.taken_back_because = actor, now, reason
    session.add_all([agreement, change])
    append(
        session,
        AgreementChangeTakenBack(
            actor=actor,
            at=now,
            agreement_id=agreement_id,
            change=change.id,
            what=change.kind,
            day=change.day,
            reason_sha256=store(session, reason.encode(), "text/plain", now),
        ),
    )
    note_dated_cases(session, [agreement_id], now)
    return change.kind


def record_life(
    session: Session,
    agreement_id: UUID,
    act: LifeAct,
    *,
    on: date | None,
    by: EndedBy | None,
    reason: str,
    actor: str,
    now: datetime,
) -> None:
    """Record what somebody says of an agreement's life, whatever it is.

    ``on`` is the day of the termination, the new last day, or the day of the LEA's notice; a renewal that fails and
    what is taken back need none.

    Raises:
        InvalidInput: a day, who terminated it, or the reason is missing or cannot be.
        Refused: it makes no sense as things stand.
    """
    match act:
        case LifeAct.TERMINATE:
            who = _given(by, "by", "Say who terminated it: the LEA, the provider, or both.")
            record_termination(session, agreement_id, on=_day(on), by=who, reason=reason, actor=actor, now=now)
        case LifeAct.RENEW:
            record_renewal(session, agreement_id, expires_on=_day(on), reason=reason, actor=actor, now=now)
        case LifeAct.EXPECT_RENEWAL:
            record_expected_renewal(session, agreement_id, on=_day(on), reason=reason, actor=actor, now=now)
        case LifeAct.RENEWAL_FAILED:
            day = on or now.date()
            record_failed_renewal(session, agreement_id, on=day, reason=reason, actor=actor, now=now)
        case LifeAct.TAKE_BACK:
            take_back_last(session, agreement_id, reason=reason, actor=actor, now=now)
        case _:
            assert_never(act)


def _day(on: date | None) -> date:
    return _given(on, "on", "Give the day.")


Given = TypeVar("Given")


def _given(value: Given | None, where: str, next_step: str) -> Given:
    if value is None:
        raise InvalidInput("Nothing is given here.", where=where, next_step=next_step)
    return value


def standing_changes(session: Session, agreements: Iterable[UUID]) -> list[AgreementChange]:
    """What is recorded of the lives of some agreements and was not taken back, the last first."""
    return list(
        session.exec(
            select(AgreementChange)
            .where(col(AgreementChange.agreement_id).in_(agreements), col(AgreementChange.taken_back_at).is_(None))
            .order_by(col(AgreementChange.number).desc())
        )
    )


def _held(session: Session, agreement_id: UUID) -> Agreement:
    """The agreement, held until the transaction ends: of two that change its life, one sees the other."""
    return session.get_one(Agreement, agreement_id, with_for_update=True, populate_existing=True)


def _record(
    session: Session,
    agreement: Agreement,
    kind: AgreementChangeKind,
    day: date,
    *,
    reason: str | None,
    actor: str,
    now: datetime,
    ended_by: EndedBy | None = None,
    **dates: date | None,
) -> UUID:
    reason = None if reason is None else checked_reason(reason)
    before = {name: value.isoformat() if (value := getattr(agreement, name)) else None for name in OWN_DATES}
    made = select(func.count()).where(AgreementChange.agreement_id == agreement.id)
    change = AgreementChange(
        id=uuid4(),
        agreement_id=agreement.id,
        number=session.exec(made).one() + 1,
        kind=kind,
        day=day,
        ended_by=ended_by,
        reason=reason,
        before=before,
        recorded_by=actor,
        recorded_at=now,
    )
    for name, value in dates.items():
        setattr(agreement, name, value)
    session.add_all([agreement, change])
    append(
        session,
        AgreementChanged(
            actor=actor,
            at=now,
            agreement_id=agreement.id,
            change=change.id,
            what=kind,
            day=day,
            reason_sha256=store(session, reason.encode(), "text/plain", now) if reason else None,
            ended_by=ended_by,
            before=before,
        ),
    )
    note_dated_cases(session, [agreement.id], now)
    return change.id


def note_dated_cases(session: Session, agreements: Sequence[UUID], now: datetime) -> None:
    """Note on each open case that goes by what SQL knows of some agreements that this has changed.

    The watchdog hands it on to those whose workflow nobody tells.
    """
    kinds = [kind.name for kind in KINDS.values() if kind.uses_agreement_dates or kind.dated_by]
    of_it = select(CaseAgreement.case_id).where(col(CaseAgreement.agreement_id).in_(agreements))
    session.execute(
        update(Case)
        .where(col(Case.id).in_(of_it), col(Case.kind).in_(kinds), col(Case.closed_at).is_(None))
        .values(changed_at=now)
    )
