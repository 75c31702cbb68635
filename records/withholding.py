"""Keeping notices back: by one person up to the last safe moment, past the due instant by two.

A batch that is withheld names the decision under which it is, so that one planned anew stays under the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select, update
from sqlmodel.sql.expression import SelectOfScalar

from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import WithholdingLapsed
from models.enums import BatchStatus
from models.tables import Batch, Proposal, Withholding


def withheld_by_two() -> ColumnElement[bool]:
    """The condition for the batches that two people decided to keep back past their due instant."""
    return col(Batch.withheld_under).in_(
        select(Withholding.id)
        .join(Proposal, col(Proposal.id) == col(Withholding.proposal_id))
        .where(col(Proposal.approved).is_(True))
    )


def alone() -> ColumnElement[bool]:
    """The condition for the batches that no second person decided to keep back."""
    return col(Batch.withheld_under).is_(None) | ~withheld_by_two()


def kept_by_two(session: Session, case_id: UUID) -> set[UUID]:
    """The batches of a case that two people keep back past their due instant."""
    return set(session.exec(select(Batch.id).where(Batch.case_id == case_id, withheld_by_two())))


def lapse_of(batch: Batch, by_two: Collection[UUID]) -> datetime | None:
    """When a batch that one person withheld leaves nevertheless; None where nobody did, or two people."""
    alone = batch.status is BatchStatus.WITHHELD and batch.id not in by_two
    return batch.last_safe_at if alone else None


def withhold(session: Session, decision: Withholding, waiting: Sequence[ColumnElement[bool] | Any]) -> int:
    """Keep back the batches that match some conditions, but for those that two people keep back; return how many."""
    session.add(decision)
    session.flush()
    batches = session.exec(select(Batch.id).where(*waiting, alone())).all()
    session.execute(
        update(Batch)
        .where(col(Batch.id).in_(batches))
        .values(status=BatchStatus.WITHHELD, withheld_under=decision.id)
        .execution_options(synchronize_session=False)
    )
    return len(batches)


def end_withholding(session: Session, case_id: UUID, clause: str | None) -> list[UUID]:
    """End what keeps back the notices of a clause, or all; return which decisions it were.

    A notice that was given up meanwhile, and is planned anew, is not withheld any more either.
    """
    wanted = [col(Batch.case_id) == case_id, col(Batch.withheld_under).is_not(None)]
    if clause:
        wanted.append(col(Batch.clause) == clause)
    ended = session.exec(select(Batch.withheld_under).where(*wanted).distinct()).all()
    session.execute(update(Batch).where(*wanted).values(withheld_under=None))
    return sorted(decision for decision in ended if decision)


def batches_under(proposal: Proposal) -> SelectOfScalar[UUID]:
    """The batches that are withheld by the decision that a proposal is about, as a query for their ids."""
    decisions = select(Withholding.id).where(Withholding.proposal_id == proposal.id)
    of_case = (Batch.case_id == proposal.case_id, Batch.status == BatchStatus.WITHHELD)
    return select(Batch.id).where(*of_case, col(Batch.withheld_under).in_(decisions))


def keeps_back(session: Session, batch: Batch, *, lapsed: bool) -> bool:
    """Whether a batch that is about to leave without a release is withheld, by two people or since it was let go.

    ``lapsed`` is whether it is let go because one person's decision has lapsed.
    """
    if batch.status is not BatchStatus.WITHHELD:
        return False
    by_two = session.exec(select(Batch.id).where(Batch.id == batch.id, withheld_by_two())).first() is not None
    return by_two or not lapsed


def lapse(session: Session, batch: Batch, now: datetime) -> None:
    """Note that one person's decision to withhold a batch has lapsed, so that it leaves."""
    assert batch.withheld_under, "a batch that is withheld says under which decision"
    append(
        session,
        WithholdingLapsed(
            case_id=batch.case_id,
            actor=ENGINE,
            at=now,
            withholding_id=batch.withheld_under,
            batch_id=batch.id,
            clause=batch.clause,
            notices=batch.size,
        ),
    )
    batch.withheld_under = None
