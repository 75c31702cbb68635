"""What a notice offers its reader: a right that the reader's answer exercises, or says not to; and that none came.

Which notices do, with which words, is data of the clauses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, not_, or_
from sqlmodel import Session, col, select

from agreements.life import record_termination
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import SilenceNoted
from models import identifiers
from models.enums import AnswerKind, EndedBy
from models.tables import Agreement, Case, Notice
from models.view import View
from records.scope import pinned_clauses
from terms.clock import day_of, zone_of
from terms.effective import EffectiveClause

DEFAULT = "answer_days"
"""The setting that says how long a decision is waited for, since no clause does."""


class Offer(View):
    """A right that a notice offers: the clause, what it says, what is answered to exercise it, and on what grounds."""

    clause: str
    says: str
    citation: str
    answer: AnswerKind
    reasons: dict[str, str]


def offer_of(clauses: Iterable[EffectiveClause], clause_id: str) -> Offer | None:
    """What a notice under one of some terms' clauses offers, if it does."""
    known = {clause.id: clause for clause in clauses}
    notice = known.get(clause_id)
    right = known.get(notice.offers) if notice and notice.offers else None
    if right is None or right.answer is None:
        return None
    last = right.trail[-1]
    return Offer(
        clause=right.id,
        says=last.says,
        citation=f"{last.document}, {last.clause}",
        answer=right.answer,
        reasons=dict(right.reasons),
    )


def reasons_of(session: Session, case: Case) -> dict[str, str]:
    """The grounds on which the LEAs of a case may exercise what its notices offer, with their words."""
    terms = pinned_clauses(session, case).values()
    return {name: words for clauses in terms for clause in clauses for name, words in clause.reasons.items()}


def offering_clauses(session: Session, case: Case) -> set[str]:
    """The clauses of a case whose notices offer a right."""
    terms = pinned_clauses(session, case).values()
    return {clause.id for clauses in terms for clause in clauses if clause.offers}


def unanswered() -> ColumnElement[bool]:
    """What a given notice is to which nothing came that it asks for: a decision, or that it arrived.

    Only one with a link asks for either.
    """
    offers = col(Notice.offers)
    undecided = and_(offers, col(Notice.decided_at).is_(None))
    unacknowledged = and_(not_(offers), col(Notice.acknowledged_at).is_(None))
    return and_(col(Notice.has_link), or_(undecided, unacknowledged))


def carry_out(
    session: Session,
    case_id: UUID,
    agreement: Agreement,
    kind: AnswerKind,
    words: str,
    *,
    on: date | None,
    actor: str,
    now: datetime,
) -> None:
    """Do what an LEA's decision brings about; one that did before, or brings about nothing, changes nothing.

    ``words`` are those of its ground, ``on`` the day that it named, if it did.
    """
    if kind is not AnswerKind.TERMINATES or agreement.terminated_on:
        return
    today = day_of(now, zone_of(agreement.time_zone))
    record_termination(
        session,
        agreement.id,
        on=max(on or today, agreement.executed_on),
        by=EndedBy.LEA,
        reason=f"Its answer to the notice of case {identifiers.case_reference(case_id)}: {words}",
        actor=actor,
        now=now,
    )


def note_silence(session: Session, case_id: UUID, days: int, now: datetime) -> int:
    """Note of each notice of a case that nobody decided about what it offers for some days; return of how many.

    It is noted once, and nobody's consent: who decides later is heard all the same.
    """
    silent: Sequence[Notice] = session.exec(
        select(Notice).where(
            Notice.case_id == case_id,
            col(Notice.offers),
            col(Notice.decided_at).is_(None),
            col(Notice.silent_at).is_(None),
            col(Notice.given_at) <= now - timedelta(days=days),
        )
    ).all()
    for notice in silent:
        notice.silent_at = now
    session.add_all(silent)
    append(
        session,
        *(
            SilenceNoted(case_id=case_id, actor=ENGINE, at=now, notice_id=notice.id, days=days, default=DEFAULT)
            for notice in silent
        ),
    )
    return len(silent)


def words_of(reasons: Mapping[str, str], ground: str | None) -> str:
    """A ground in the words of its clause."""
    return reasons.get(ground or "", ground or "")
