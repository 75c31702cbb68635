"""Cases about what agreements' own dates start: one for each occurrence, opened in time before it is due."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from agreements.upcoming import Derivation, derive_upcoming
from cases.intake import Intake
from cases.standing_duty import STANDING_DUTY, NextOccurrence
from ledger.actors import ENGINE
from models.enums import Party, PerformedBy
from models.errors import InvalidFields
from models.tables import Agreement, UpcomingDuty
from records.intake import keep_intake
from records.standing_duty import served_clauses


@dataclass(frozen=True)
class Opening:
    """How occurrences are opened.

    Attributes:
        side: the installation's: what others owe is theirs to do.
        lead: how long before its due instant one is opened, or before its internal date where it has one.
        digest: names an intake by its content.
    """

    side: Party
    lead: timedelta
    digest: Callable[[Intake], str]


def open_occurrences(session: Session, derivation: Derivation, opening: Opening, *, limit: int) -> Sequence[UUID]:
    """Open a case about what is due within the lead time, the soonest first, at most ``limit``; return their ids.

    The same occurrence is the same case. What is opened is no more among what is coming without a case: its row moves
    on to the next.
    """
    found = []
    for row, agreement in _due_soon(session, derivation, opening, limit):
        intake = NextOccurrence(
            title=f"{row.clause.replace('.', ': ').replace('-', ' ')}, {agreement.lea_name}"[:200],
            agreements=(agreement.reference,),
            clause=row.clause,
            occurrence=row.occurrence,
        )
        with suppress(InvalidFields):  # nobody can be written to under it: it stays on the list, where people see it
            case_id, _ = keep_intake(
                session,
                STANDING_DUTY,
                intake,
                opening.digest(intake),
                actor=ENGINE,
                now=derivation.now,
                side=opening.side,
            )
            found.append((case_id, agreement.id))
    session.flush()
    derive_upcoming(session, derivation, sorted({agreement for _, agreement in found}))
    return [case_id for case_id, _ in found]


def _due_soon(
    session: Session, derivation: Derivation, opening: Opening, limit: int
) -> Iterator[tuple[UpcomingDuty, Agreement]]:
    yield from session.exec(
        select(UpcomingDuty, Agreement)
        .join(Agreement, col(Agreement.id) == col(UpcomingDuty.agreement_id))
        .where(
            col(UpcomingDuty.target_at) <= derivation.now + opening.lead,
            UpcomingDuty.owed_by == opening.side,
            UpcomingDuty.performed_by != PerformedBy.TIME,
            col(UpcomingDuty.clause).in_(served_clauses(derivation.catalogue)),
        )
        .order_by(col(UpcomingDuty.target_at), col(UpcomingDuty.id))
        .limit(limit)
    ).all()
