"""docs/delivery.md says what mail/delivery_states.py does: every state, and every transition with its sentence."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from mail.delivery_states import ARRIVED, FAILED, MAY_HAVE_LEFT, NOT_LEFT, UNSETTLED, Happening, moved, transitions
from models.enums import DeliveryStatus

PAGE = (Path(__file__).parents[2] / "docs" / "delivery.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The rows of the table under a heading, without its head."""
    table = re.search(rf"^## {heading}\n\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert table, heading
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()[2:]]


def test_every_state_has_its_sentence() -> None:
    told = {name.strip("`"): says for name, says in rows("States")}
    assert set(told) == {status.value for status in DeliveryStatus}
    assert all(says.endswith(".") for says in told.values())


def test_every_transition_has_its_sentence_and_there_are_no_others() -> None:
    told = {(came.strip("`"), what, went.strip("`")): says for came, what, went, says in rows("Transitions")}
    there_are = {
        (came.value, what.value, went.value) for came in DeliveryStatus for what, went in transitions(came).items()
    }
    assert set(told) == there_are
    assert all(says.endswith(".") for says in told.values())


@pytest.mark.parametrize(("status", "happening"), list(product(DeliveryStatus, Happening)), ids=str)
def test_what_cannot_happen_in_a_state_changes_nothing(status: DeliveryStatus, happening: Happening) -> None:
    if happening in transitions(status):
        assert moved(status, happening) is transitions(status)[happening]
    else:
        with pytest.raises(ValueError, match=status.value):
            moved(status, happening)


def test_a_delivery_has_settled_or_is_still_to_be_sent_or_waits_for_its_turn() -> None:
    groups = (UNSETTLED, ARRIVED, FAILED, (DeliveryStatus.PASSED_OVER, DeliveryStatus.DROPPED))
    assert sorted(status for group in groups for status in group) == sorted(DeliveryStatus)
    assert not set(NOT_LEFT) & set(MAY_HAVE_LEFT)


def test_nothing_is_taken_by_a_server_before_it_is_under_way() -> None:
    """So a worker that stops leaves unknown what was under way, and nothing else."""
    under_way = {DeliveryStatus.UNDER_WAY, DeliveryStatus.UNDER_WAY_AGAIN}
    taken = {came for came in DeliveryStatus if Happening.ACCEPTED in transitions(came)}
    lost = {came for came in DeliveryStatus if Happening.LOST in transitions(came)}
    assert taken == lost == under_way
