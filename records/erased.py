"""Whether the personal data of a case was erased: nothing more is kept of one that was."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from models.errors import Refused
from models.tables import CaseKey


def erased_cases() -> SelectOfScalar[UUID]:
    """The cases whose personal data was erased."""
    return select(CaseKey.case_id).where(col(CaseKey.destroyed_at).is_not(None))


def is_erased(session: Session, case_id: UUID) -> bool:
    """Whether the personal data of a case was erased."""
    return session.exec(erased_cases().where(CaseKey.case_id == case_id)).first() is not None


def refuse_erased(session: Session, case_id: UUID) -> None:
    """Return where a case can be acted in.

    Raises:
        Refused: its personal data was erased.
    """
    if is_erased(session, case_id):
        raise Refused(
            "The personal data of this case was erased: nothing more of it is kept.",
            next_step="Open a new case for what is new.",
        )
