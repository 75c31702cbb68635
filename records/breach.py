"""What confirming and dismissing a breach changes in SQL."""

from __future__ import annotations

from typing import assert_never, cast

from cases.breach import CONFIRMED, BreachAct, Confirm, Dismiss
from cases.values import AnchorValue
from ledger.entries import JsonObject
from records.acts import Recording, dismiss, set_anchor


def record_act(recording: Recording) -> JsonObject:
    """Store one of a breach's own acts."""
    act = cast(BreachAct, recording.message.act)
    match act:
        case Confirm(confirmed_at=confirmed_at):
            return set_anchor(recording, AnchorValue(name=CONFIRMED, instant=confirmed_at))
        case Dismiss(reason=reason):
            return dismiss(recording, reason.sha256)
        case _:
            assert_never(act)
