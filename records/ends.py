"""Agreements that have ended: for each end that asks for a disposal of data, one case is opened by the engine itself.

What an end asks for, the agreement's terms say: where none of their clauses counts from it, as where an agreement of a
form without a term merely lapses, nothing is opened. Nor is it for what had ended before it was entered here, unless an
officer recorded its termination: a file of old agreements must not set anything going.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum, auto
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_
from sqlmodel import Session, col, func, select

from agreements.life import End, end_of
from cases.end_of_agreement import ALL_REQUESTED, END_OF_AGREEMENT, EndedAgreement
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import AgreementDataGone, AgreementEnded
from models import identifiers
from models.defaults import Defaults
from models.enums import AgreementChangeKind, CaseStatus, DutyStatus, Party, PerformedBy
from models.phrases import day_words
from models.tables import Agreement, AgreementChange, Case, CaseAgreement, Duty
from records.disposition import disposal_since
from records.end_of_agreement import case_of_end, count_of_ends, dates_known
from records.intake import keep_intake
from records.scope import terms_in_force
from terms.catalogue import Catalogue
from terms.duties import duties_for
from terms.effective import EffectiveTerms

ALL_OF_IT = "All student data that we hold for you under this agreement, copies and backups included."
"""What is disposed of at an end that the engine itself notices."""


class Follows(Enum):
    """What follows from the end of an agreement, as things stand."""

    CASE = auto()
    """A disposal of its data, which nobody has seen to: a case is opened."""
    IN_HAND = auto()
    """A case about its data is open."""
    DONE = auto()
    """All of its data is disposed of, or two people decided that it need not be."""
    NOTHING = auto()
    """Nothing by its terms: none of their clauses counts from this end, or the LEA expects to renew."""
    BY_HAND = auto()
    """It had ended before it was entered here: an officer decides."""


@dataclass(frozen=True)
class Rules:
    """By what an end is judged: the clauses, and the installation's defaults and side."""

    catalogue: Catalogue
    defaults: Defaults
    side: Party


def unseen_ends(session: Session, rules: Rules, now: datetime) -> list[UUID]:
    """The agreements whose end asks for a case that is not opened, or is done without anybody having noted that."""
    ended = [
        (agreement, end)
        for agreement in session.exec(select(Agreement).where(*_perhaps_ended(now)).order_by(col(Agreement.id)))
        if (end := end_of(agreement, now))
    ]
    seen_to = (Follows.CASE, Follows.DONE)
    return [agreement.id for agreement, end in ended if follows_from(session, rules, agreement, end, now) in seen_to]


def open_end(session: Session, rules: Rules, agreement_id: UUID, now: datetime) -> UUID | None:
    """Open the case that an agreement's end asks for, unless somebody was faster; return it.

    Of two processes that open it at once, the second finds the first's case.
    """
    agreement = session.get_one(Agreement, agreement_id, with_for_update=True, populate_existing=True)
    end = end_of(agreement, now)
    if end is None:
        return None
    match follows_from(session, rules, agreement, end, now):
        case Follows.CASE:
            return _open(session, rules, agreement, end, now)
        case Follows.DONE:
            agreement.disposed_end_on = end.day
            append(session, AgreementDataGone(actor=ENGINE, at=now, agreement_id=agreement.id, day=end.day))
        case Follows.IN_HAND | Follows.NOTHING | Follows.BY_HAND:
            pass
    return None


def note_ends(session: Session, now: datetime, *, limit: int) -> int:
    """Leave evidence, once, of each agreement that has ended, at most ``limit``; return of how many.

    What had ended before it was entered here is none of our time, and nothing is said of it.
    """
    noted, today = col(Agreement.noted_end_on), now.date() + timedelta(days=1)
    last = func.coalesce(col(Agreement.expires_on), col(Agreement.term_ends_on))
    unlike = and_(noted.is_distinct_from(col(Agreement.terminated_on)), noted.is_distinct_from(last))
    rows = session.exec(
        select(Agreement)
        .where(or_(col(Agreement.terminated_on) <= today, last < today), or_(noted.is_(None), unlike))
        .order_by(col(Agreement.id))
        .limit(limit)
    ).all()
    ended = [(agreement, end) for agreement in rows if (end := end_of(agreement, now))]
    for agreement, end in ended:
        agreement.noted_end_on = end.day
    news = [(agreement, end) for agreement, end in ended if _is_news(session, agreement, end)]
    append(
        session,
        *(
            AgreementEnded(actor=ENGINE, at=now, agreement_id=agreement.id, day=end.day, fact=end.fact)
            for agreement, end in news
        ),
    )
    return len(news)


def follows_from(session: Session, rules: Rules, agreement: Agreement, end: End, now: datetime) -> Follows:
    """What follows from an agreement's end, as things stand."""
    known = dates_known(session, [agreement.id], now)[agreement.id]
    if case_of_end(session, agreement.id):
        return Follows.IN_HAND
    if disposal_since(session, agreement, end.day) or _not_required(session, agreement.id, end.day):
        return Follows.DONE
    if ALL_REQUESTED in known:
        return Follows.IN_HAND
    if not _asks_for_disposal(session, rules, agreement, known, now):
        return Follows.NOTHING
    return Follows.CASE if _is_news(session, agreement, end) else Follows.BY_HAND


def _perhaps_ended(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """The conditions for agreements that may have ended and that no case is open about, in the zone furthest ahead."""
    day = now.date() + timedelta(days=1)
    in_hand = (
        select(Case.id)
        .join(CaseAgreement, col(CaseAgreement.case_id) == col(Case.id))
        .where(CaseAgreement.agreement_id == Agreement.id, Case.kind == END_OF_AGREEMENT.name)
        .where(col(Case.closed_at).is_(None), Case.status != CaseStatus.DISMISSED)
    )
    disposed = col(Agreement.disposed_end_on)
    last = func.coalesce(col(Agreement.expires_on), col(Agreement.term_ends_on))
    unlike = and_(disposed.is_distinct_from(col(Agreement.terminated_on)), disposed.is_distinct_from(last))
    return (
        or_(col(Agreement.terminated_on) <= day, last < day),
        or_(disposed.is_(None), unlike),
        ~exists(in_hand),
    )


def _not_required(session: Session, agreement_id: UUID, day: date) -> bool:
    """Whether two people decided, in a case that is over, that nothing need be disposed of at this end."""
    decided = session.exec(
        select(Case.opened_at)
        .join(Duty, col(Duty.case_id) == col(Case.id))
        .where(Duty.agreement_id == agreement_id, Case.kind == END_OF_AGREEMENT.name)
        .where(Duty.performed_by == PerformedBy.CONFIRMATION, Duty.status == DutyStatus.NOT_REQUIRED)
        .where(Case.status != CaseStatus.DISMISSED)
    )
    return any(opened_at.date() >= day for opened_at in decided)


def _asks_for_disposal(
    session: Session, rules: Rules, agreement: Agreement, known: Mapping[str, date], now: datetime
) -> bool:
    """Whether a clause of the terms in force starts a clock from the end for a disposal that our side owes."""
    terms: EffectiveTerms = terms_in_force(session, rules.catalogue, [agreement], now.date())[agreement.id]
    duties = duties_for(terms, END_OF_AGREEMENT.event, known, zone=agreement.time_zone, defaults=rules.defaults)
    return any(
        duty.status == "running"
        and duty.owed_by is rules.side
        and duty.performed_by is PerformedBy.CONFIRMATION
        and duty.anchor is not None
        and END_OF_AGREEMENT.counts_from(duty.anchor, known)
        for duty in duties
    )


def _is_news(session: Session, agreement: Agreement, end: End) -> bool:
    """Whether an end came about after its agreement was entered here, or an officer recorded it."""
    if agreement.entered_on is None or end.day >= agreement.entered_on:
        return True
    recorded = select(AgreementChange.id).where(
        AgreementChange.agreement_id == agreement.id,
        AgreementChange.kind == AgreementChangeKind.TERMINATED,
        col(AgreementChange.taken_back_at).is_(None),
    )
    return session.exec(recorded).first() is not None


def _open(session: Session, rules: Rules, agreement: Agreement, end: End, now: datetime) -> UUID:
    intake = EndedAgreement(
        title=f"End of agreement {agreement.reference} on {day_words(end.day)}",
        agreements=(agreement.reference,),
        description=ALL_OF_IT,
    )
    number = count_of_ends(session, agreement.id) + 1
    digest = identifiers.sha256_hex(f"{agreement.id}:{end.fact}:{end.day.isoformat()}:{number}".encode())
    case_id, _ = keep_intake(session, END_OF_AGREEMENT, intake, digest, actor=ENGINE, now=now, side=rules.side)
    return case_id
