"""What collecting the devices changes in SQL."""

from __future__ import annotations

from typing import cast

from cases.values import AnchorValue
from ledger.entries import JsonObject
from records.acts import Recording, set_anchor
from tests.support.recall.kind import COLLECTED, Collect


def record_act(recording: Recording) -> JsonObject:
    """Store when the devices were collected."""
    act = cast(Collect, recording.message.act)
    return set_anchor(recording, AnchorValue(name=COLLECTED, instant=act.collected_at))
