"""Where an open case keeps the data whose disposal another case is about: as the pages of both show it."""

from __future__ import annotations

from collections.abc import Iterator

from sqlmodel import Session, col, select

from cases.kinds import kind_named
from ledger.artifacts import text_of
from models.identifiers import case_reference
from models.tables import Case, LiftedConflict
from queries.views import ConflictView
from records.keeping import agreements_of, disposals_kept_back, keeping_cases


def conflicts_of(session: Session, case: Case) -> tuple[ConflictView, ...]:
    """What keeps the data of a case, or what it keeps back itself; then what a person found to be no conflict."""
    return (*_lasting(session, case), *_lifted(session, case))


def _lasting(session: Session, case: Case) -> Iterator[ConflictView]:
    if kind_named(case.kind).holders_see:
        for other in keeping_cases(session, case.id, agreements_of(session, case.id)):
            yield _view(other, keeps=True)
    for other in disposals_kept_back(session, case):
        yield _view(other, keeps=False)


def _lifted(session: Session, case: Case) -> Iterator[ConflictView]:
    rows = session.exec(
        select(LiftedConflict)
        .where((col(LiftedConflict.case_id) == case.id) | (col(LiftedConflict.keeping_id) == case.id))
        .order_by(col(LiftedConflict.lifted_at))
    )
    for row in rows:
        keeps = row.case_id == case.id
        yield _view(session.get_one(Case, row.keeping_id if keeps else row.case_id), keeps=keeps).model_copy(
            update={
                "lifted_by": row.lifted_by,
                "lifted_at": row.lifted_at,
                "lifted_because": text_of(session, row.reason_sha256),
            }
        )


def _view(other: Case, *, keeps: bool) -> ConflictView:
    return ConflictView(
        id=other.id,
        reference=case_reference(other.id),
        title=other.title,
        kind=kind_named(other.kind).label,
        keeps=keeps,
    )
