"""What keeps the data of an agreement, so that it is not disposed of: legal holds, and open cases about that data.

Which cases do so their kind says (``Kind.keeps_data``). A person may find that one of them is about other data than a
disposal; from then on it keeps nothing back there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select, update
from sqlmodel.sql.expression import SelectOfScalar

from agreements.legal_holds import is_held
from cases.kinds import KINDS, kind_named
from ledger.entries import JsonObject
from models.enums import CaseStatus
from models.errors import InvalidInput, Refused
from models.identifiers import case_reference
from models.tables import Case, CaseAgreement, LiftedConflict

LEGAL_HOLD = "a legal hold"


def what_keeps(session: Session, case_id: UUID, agreement_id: UUID) -> str | None:
    """What keeps the data of an agreement now, which a case is to dispose of, in words; None where nothing does."""
    if is_held(session, agreement_id):
        return LEGAL_HOLD
    keeping = keeping_cases(session, case_id, [agreement_id])
    return f"an open {kind_named(keeping[0].kind).label}" if keeping else None


def check_not_kept(session: Session, case_id: UUID, agreement_id: UUID) -> None:
    """Raise ``Refused`` where something keeps the data, so that nobody may say that it was disposed of."""
    if why := what_keeps(session, case_id, agreement_id):
        raise kept_by(why)


def kept_by(why: str) -> Refused:
    """Why nobody's word is taken that data was disposed of which has to be kept."""
    return Refused(
        f"{why[0].upper()}{why[1:]} keeps this data: it may not be disposed of.",
        next_step="Do not dispose of anything. If that happened already, write to whoever asked you at once.",
    )


def keeping_cases(session: Session, case_id: UUID, agreements: Sequence[UUID]) -> Sequence[Case]:
    """The open cases that keep data of some agreements which a case is to dispose of, the first opened first."""
    lifted = select(LiftedConflict.keeping_id).where(LiftedConflict.case_id == case_id)
    return session.exec(
        _open_cases(_kinds(keeping=True), agreements).where(col(Case.id).not_in(lifted), Case.id != case_id)
    ).all()


def disposals_kept_back(session: Session, case: Case) -> Sequence[Case]:
    """The open cases whose disposal of data does not go on while a case is open, the first opened first."""
    if case.kind not in _kinds(keeping=True) or case.closed_at or case.status is CaseStatus.DISMISSED:
        return ()
    lifted = set(session.exec(select(LiftedConflict.case_id).where(LiftedConflict.keeping_id == case.id)))
    return [row for row in _disposals(session, case.id) if row.id not in lifted]


def note_keeping(session: Session, case: Case, now: datetime) -> None:
    """Note on the disposals of a case's agreements that it keeps their data, or no longer does.

    The watchdog hands it on to those whose workflow nobody tells.
    """
    if case.kind in _kinds(keeping=True):
        disposals = [row.id for row in _disposals(session, case.id)]
        session.execute(update(Case).where(col(Case.id).in_(disposals)).values(changed_at=now))


def lift_conflict(
    session: Session, case: Case, reference: str, *, lifted_id: UUID, reason_sha256: str, by: str, at: datetime
) -> JsonObject:
    """Let a disposal go on although another case is open: a person found that it is about other data.

    Raises:
        InvalidInput: no open case of this reference keeps the data.
    """
    agreements = agreements_of(session, case.id)
    keeping = {case_reference(row.id): row for row in keeping_cases(session, case.id, agreements)}
    if reference not in keeping:
        raise InvalidInput(
            f"No open case {reference} keeps this data.",
            where="keeping",
            next_step=f"There are: {', '.join(sorted(keeping)) or 'none'}.",
        )
    session.add(
        LiftedConflict(
            id=lifted_id,
            case_id=case.id,
            keeping_id=keeping[reference].id,
            reason_sha256=reason_sha256,
            lifted_by=by,
            lifted_at=at,
        )
    )
    return {"keeping": str(keeping[reference].id)}


def agreements_of(session: Session, case_id: UUID) -> Sequence[UUID]:
    """The agreements that a case touches."""
    return session.exec(select(CaseAgreement.agreement_id).where(CaseAgreement.case_id == case_id)).all()


def _disposals(session: Session, case_id: UUID) -> Sequence[Case]:
    """The open cases with holders of data that share an agreement with a case."""
    return open_disposals(session, agreements_of(session, case_id))


def open_disposals(session: Session, agreements: Sequence[UUID]) -> Sequence[Case]:
    """The open cases that ask the holders of data of some agreements to dispose of it, the first opened first."""
    return session.exec(_open_cases(_kinds(keeping=False), agreements)).all()


def _kinds(*, keeping: bool) -> list[str]:
    """The kinds whose cases keep data, or those whose cases ask the holders of data to dispose of it."""
    return [kind.name for kind in KINDS.values() if (kind.keeps_data if keeping else kind.holders_see)]


def _open_cases(kinds: Sequence[str], agreements: Sequence[UUID]) -> SelectOfScalar[Case]:
    touching = select(CaseAgreement.case_id).where(col(CaseAgreement.agreement_id).in_(agreements))
    return (
        select(Case)
        .where(col(Case.kind).in_(kinds), col(Case.id).in_(touching))
        .where(col(Case.closed_at).is_(None), col(Case.status) != CaseStatus.DISMISSED)
        .order_by(col(Case.opened_at))
    )
