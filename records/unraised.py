"""What others have to be told of, and were not yet: questions of LEAs, proposals, and cases from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case
from sqlmodel import Session, col, func, select, update

from models.enums import AnswerKind, Role
from models.grouping import grouped
from models.tables import OPEN_ANSWER, OPEN_PROPOSAL, UNTOLD, Account, Answer, Case, CaseErasure, Letter, Proposal


@dataclass(frozen=True)
class NewQuestions:
    """The open questions of a case that nobody was told of; ``replies`` counts the answers that did not arrive."""

    case_id: UUID
    ids: tuple[UUID, ...]
    replies: int


@dataclass(frozen=True)
class NewProposal:
    """A proposal that waits for a second person, of which nobody was told; it is decided on a ``page`` of its case."""

    of: type[Proposal] | type[CaseErasure]
    id: UUID
    case_id: UUID
    about: str
    proposed_by: str
    page: str


@dataclass(frozen=True)
class NewCase:
    """A case that somebody outside opened, of which nobody was told, and its kind; ``program`` is what opened it."""

    id: UUID
    kind: str
    program: str | None


ABOUT_ERASURE = "the erasure of personal data"
"""What a proposal to erase a closed case is about, in words."""


def about_proposal() -> ColumnElement[str]:
    """What a proposal is about, in words: its clause, every one, or a holder of data that nobody is to wait for."""
    of_holder = (col(Proposal.task_id).is_not(None), "a holder of data")
    return case(of_holder, else_=func.coalesce(Proposal.clause, "every clause"))


def new_questions(session: Session, limit: int) -> list[NewQuestions]:
    """The questions that nobody was told of, case by case, of so many at most the oldest first."""
    rows = session.exec(
        select(Answer.case_id, Answer.id)
        .where(OPEN_ANSWER, col(Answer.kind) == AnswerKind.QUESTION, col(Answer.raised_at).is_(None))
        .order_by(col(Answer.given_at), col(Answer.id))
        .limit(limit)
    ).all()
    found = []
    for case_id, members in grouped(rows, lambda row: row[0]).items():
        ids = tuple(key for _, key in members)
        replies = session.exec(select(func.count()).select_from(Letter).where(col(Letter.answer_id).in_(ids))).one()
        found.append(NewQuestions(case_id, ids, replies))
    return found


def new_proposals(session: Session, limit: int) -> list[NewProposal]:
    """The proposals that nobody was told of: in open cases, and to erase closed ones; of each the oldest first."""
    rows = session.exec(
        select(Proposal.id, Proposal.case_id, about_proposal(), Proposal.proposed_by)
        .join(Case, col(Case.id) == col(Proposal.case_id))
        .where(OPEN_PROPOSAL, col(Proposal.raised_at).is_(None), col(Case.closed_at).is_(None))
        .order_by(col(Proposal.proposed_at), col(Proposal.id))
        .limit(limit)
    )
    erasures = session.exec(
        select(CaseErasure.id, CaseErasure.case_id, CaseErasure.proposed_by)
        .where(OPEN_PROPOSAL, col(CaseErasure.raised_at).is_(None))
        .order_by(col(CaseErasure.proposed_at), col(CaseErasure.id))
        .limit(limit)
    )
    return [
        *(NewProposal(Proposal, key, of, about, by, f"/proposals/{key}") for key, of, about, by in rows),
        *(NewProposal(CaseErasure, key, of, ABOUT_ERASURE, by, "/erasure") for key, of, by in erasures),
    ]


def new_cases(session: Session, limit: int) -> list[NewCase]:
    """The cases that somebody outside opened and nobody was told of, the oldest first."""
    by_program = and_(col(Account.name) == col(Case.opened_by), col(Account.role) == Role.PROGRAM)
    rows = session.exec(
        select(Case.id, Case.kind, Account.name)
        .outerjoin(Account, by_program)
        .where(UNTOLD)
        .order_by(col(Case.opened_at), col(Case.id))
        .limit(limit)
    )
    return [NewCase(*row) for row in rows]


def note_told(session: Session, case_id: UUID) -> None:
    """Note that people were told of a case that somebody outside opened."""
    session.execute(update(Case).where(col(Case.id) == case_id).values(untold=False))


def note_raised(
    session: Session, of: type[Answer] | type[Proposal] | type[CaseErasure], ids: Sequence[UUID], now: datetime
) -> None:
    """Note that people were told of some questions, or proposals."""
    session.execute(update(of).where(col(of.id).in_(ids)).values(raised_at=now))
