"""When the LEA of a parent's request is found, and what the acts of a referral case change in SQL."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never, cast

from sqlmodel import Session, col, select

from cases.intake import Intake
from cases.referral import FOUND, CloseUnreferred, Refer, ReferralAct
from cases.values import AnchorValue
from ledger.entries import JsonObject
from models.enums import Party
from models.errors import InvalidFields, InvalidInput, Refused
from models.tables import Agreement, Notice
from records.acts import Recording, dismiss, set_anchor
from records.scope import extend_scope


def prepare_intake(_: Session, intake: Intake, now: datetime, side: Party) -> tuple[AnchorValue, ...]:
    """The LEA is found at once where whoever enters the request names its agreement.

    Raises:
        InvalidFields: our ``side`` is the LEA's, to which others refer.
    """
    if side is not Party.PROVIDER:
        own = InvalidInput(
            "A district refers nobody to a district.",
            where="district",
            next_step="Deal with the request under your own procedures.",
        )
        raise InvalidFields((own,))
    return (AnchorValue(name=FOUND, instant=now),) if intake.agreements else ()


def record_act(recording: Recording) -> JsonObject:
    """Store one of a referral's own acts."""
    act = cast(ReferralAct, recording.message.act)
    match act:
        case Refer():
            return _refer(recording, act)
        case CloseUnreferred(reason=reason):
            _refuse_sent(recording)
            return dismiss(recording, reason.sha256)
        case _:
            assert_never(act)


def _refer(recording: Recording, act: Refer) -> JsonObject:
    agreement = recording.session.get(Agreement, act.agreement.id)
    if agreement is None:
        raise InvalidInput("There is no such agreement.", where="agreement", next_step="Give another reference.")
    extend_scope(recording.session, recording.case.id, (agreement.reference,), recording.at)
    return set_anchor(recording, AnchorValue(name=FOUND, instant=recording.at))


def _refuse_sent(recording: Recording) -> None:
    """Whoever was written to knows of a referral, so nobody says any more that there was none."""
    written = Notice.case_id == recording.case.id, col(Notice.composed_at).is_not(None)
    if recording.session.exec(select(Notice.id).where(*written)).first():
        raise Refused(
            "A letter has left or is leaving, so the request is referred.",
            next_step="If it went to the wrong LEA, write to it; enter the request again for the right one.",
        )
