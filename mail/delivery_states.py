"""The states of one notice to one contact: what may happen in each, and where that leads. docs/delivery.md tells it.

Nothing else decides that: whoever writes a delivery's status takes it from ``moved``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import assert_never

from models.enums import DeliveryStatus as Status


class Happening(StrEnum):
    """What can happen to a delivery."""

    HANDED_OVER = "handed over"
    """Its content begins to leave (after the server's 354 to DATA; RFC 5321, 4.1.1.4)."""
    NOT_TAKEN = "not taken"
    """The mail server took no mail at all; nothing of this attempt left."""
    DEFERRED = "deferred"
    """The mail server does not take this message now (4yz)."""
    PASSED_OVER = "passed over"
    """It was deferred so often, or for so long, that the next contact is told instead."""
    TURN_CAME = "turn came"
    """A contact that was passed over is the next one to try again."""
    ACCEPTED = "accepted"
    """The mail server took it (2yz)."""
    REJECTED = "rejected"
    """The mail server refused it for good (5yz)."""
    DISREGARDED = "disregarded"
    """Its refusal was one of many alike: the installation's trouble, and none of its contact's."""
    LOST = "lost"
    """The connection was lost, or the worker stopped, before the answer."""
    SENT_AGAIN = "sent again"
    """A person has it sent once more."""
    VOUCHED = "vouched"
    """A person vouches that it arrived."""
    DELIVERED = "delivered"
    """A report says that it reached the mailbox (RFC 3464, 2.3.3)."""
    BOUNCED = "bounced"
    """A report says that it did not, or it came back."""
    ACKNOWLEDGED = "acknowledged"
    """Its reader confirmed by its link that it arrived."""


WAITING = (Status.RESERVED, Status.DEFERRED, Status.UNKNOWN)
"""What is handed over once its moment has come, unless a person has to decide first."""

UNDER_WAY = (Status.UNDER_WAY, Status.UNDER_WAY_AGAIN)
"""Of which nobody could say whether it arrived, if the worker stopped now."""

UNSETTLED = (*WAITING, *UNDER_WAY)
NOT_LEFT = (Status.RESERVED, Status.DEFERRED, Status.PASSED_OVER)
"""Of which it is known that nothing left."""

MAY_HAVE_LEFT = (*UNDER_WAY, Status.UNKNOWN)
ARRIVED = (Status.ACCEPTED, Status.DELIVERED, Status.ACKNOWLEDGED, Status.VOUCHED)
TO_ACKNOWLEDGE = (Status.ACCEPTED, Status.DELIVERED, Status.VOUCHED)
"""What its reader's word by its link settles for good; of what nobody knows, a person decides on that word."""

FAILED = (Status.REJECTED, Status.BOUNCED)


def transitions(status: Status) -> Mapping[Happening, Status]:
    """What may happen in a state, and the state that it leads to."""
    happens = Happening
    match status:
        case Status.RESERVED | Status.DEFERRED:
            return {
                happens.HANDED_OVER: Status.UNDER_WAY,
                happens.NOT_TAKEN: status,
                happens.DEFERRED: Status.DEFERRED,
                happens.PASSED_OVER: Status.PASSED_OVER,
                happens.REJECTED: Status.REJECTED,
            }
        case Status.PASSED_OVER:
            return {happens.TURN_CAME: Status.RESERVED}
        case Status.UNDER_WAY:
            return {
                happens.ACCEPTED: Status.ACCEPTED,
                happens.NOT_TAKEN: Status.RESERVED,
                happens.DEFERRED: Status.DEFERRED,
                happens.REJECTED: Status.REJECTED,
                happens.LOST: Status.UNKNOWN,
            }
        case Status.UNDER_WAY_AGAIN:
            return {
                happens.ACCEPTED: Status.ACCEPTED,
                happens.NOT_TAKEN: Status.UNKNOWN,
                happens.DEFERRED: Status.UNKNOWN,
                happens.REJECTED: Status.REJECTED,
                happens.LOST: Status.UNKNOWN,
            }
        case Status.UNKNOWN:
            return {
                happens.HANDED_OVER: Status.UNDER_WAY_AGAIN,
                happens.NOT_TAKEN: Status.UNKNOWN,
                happens.DEFERRED: Status.UNKNOWN,
                happens.REJECTED: Status.REJECTED,
                happens.SENT_AGAIN: Status.UNKNOWN,
                happens.VOUCHED: Status.VOUCHED,
                happens.BOUNCED: Status.BOUNCED,
            }
        case Status.ACCEPTED:
            return {
                happens.DELIVERED: Status.DELIVERED,
                happens.BOUNCED: Status.BOUNCED,
                happens.ACKNOWLEDGED: Status.ACKNOWLEDGED,
            }
        case Status.DELIVERED:
            return {happens.BOUNCED: Status.BOUNCED, happens.ACKNOWLEDGED: Status.ACKNOWLEDGED}
        case Status.REJECTED:
            return {happens.SENT_AGAIN: Status.PASSED_OVER, happens.DISREGARDED: Status.PASSED_OVER}
        case Status.BOUNCED:
            return {happens.SENT_AGAIN: Status.PASSED_OVER}
        case Status.VOUCHED:
            return {happens.ACKNOWLEDGED: Status.ACKNOWLEDGED}
        case Status.ACKNOWLEDGED | Status.DROPPED:
            return {}
        case _:
            assert_never(status)


def moved(status: Status, happening: Happening) -> Status:
    """The state that a happening leads to.

    Raises:
        ValueError: it cannot happen in this state.
    """
    try:
        return transitions(status)[happening]
    except KeyError:
        raise ValueError(f"what is {status} cannot be {happening}") from None
