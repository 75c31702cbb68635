"""What confirming and dismissing a breach changes in SQL."""

from __future__ import annotations

from typing import assert_never, cast

from sqlmodel import col, update

from cases.breach import CONFIRMED, BreachAct, Confirm, Dismiss
from cases.values import AnchorValue
from ledger.entries import JsonObject
from models.enums import OPEN_STATUSES, CaseStatus, DutyStatus
from models.tables import Duty
from records.acts import Recording, set_anchor


def record_act(recording: Recording) -> JsonObject:
    """Store one of a breach's own acts."""
    act = cast(BreachAct, recording.message.act)
    match act:
        case Confirm(confirmed_at=confirmed_at):
            return set_anchor(recording, AnchorValue(name=CONFIRMED, instant=confirmed_at))
        case Dismiss(reason=reason):
            return _dismiss(recording, reason.sha256)
        case _:
            assert_never(act)


def _dismiss(recording: Recording, reason_sha256: str) -> JsonObject:
    """Cancel what is open; nothing lacks any more in what LEAs were told, since they are told of the dismissal."""
    session, case = recording.session, recording.case
    case.status = CaseStatus.DISMISSED
    case.dismissal_reason_sha256 = reason_sha256
    in_case = col(Duty.case_id) == case.id
    session.execute(
        update(Duty).where(in_case, col(Duty.status).in_(OPEN_STATUSES)).values(status=DutyStatus.CANCELLED)
    )
    session.execute(update(Duty).where(in_case).values(lacking=[], lacking_count=0))
    return {}
