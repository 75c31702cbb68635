"""Dated facts: when a new one makes no sense, whichever kind of case it is given in.

Which anchors start which clocks is data; how precisely one must be known follows from how its clauses count.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from cases.state import CaseVocabulary
from cases.values import AnchorValue
from models.errors import InvalidInput

CLOCK_SKEW = timedelta(minutes=5)
"""How far ahead of ours a reporter's clock may run before a time counts as being in the future."""

EARLIEST_OFFSET = timedelta(hours=14)
"""The zone furthest ahead of UTC: a calendar date has begun somewhere on earth this long before it begins in UTC."""

AnchorMap = Mapping[str, AnchorValue]


def clock_anchors(anchors: AnchorMap) -> dict[str, datetime | date]:
    """The anchors as clocks take them: an instant, or the first day."""
    return {
        name: value for name, anchor in anchors.items() if (value := anchor.instant or anchor.first_day) is not None
    }


def check_anchor(anchor: AnchorValue, known: CaseVocabulary, now: datetime, *, ahead: bool = False) -> None:
    """Raise ``InvalidInput`` where a dated fact is none of those known, or not as its clauses count.

    A clause that counts hours needs an instant, one that counts days an instant or a day; a fact that starts no clock
    may also be a range, or unknown. ``ahead`` is whether it may lie in the future, as a planned disposal does.
    """
    if anchor.name not in known.anchors:
        raise InvalidInput(
            f"The terms of this case's agreements know no date {anchor.name!r}.",
            where="name",
            next_step=f"They know {', '.join(known.anchors)}.",
        )
    _check_shape(anchor)
    if anchor.name in known.instants and anchor.instant is None:
        raise InvalidInput(
            f"A clock counts hours from {anchor.name!r}, so it needs an instant.",
            where="instant",
            next_step="Give the date, the time and its zone, as in 2026-03-07T22:15-05:00.",
        )
    if anchor.name in known.clocks and anchor.instant is None and (anchor.first_day is None or anchor.last_day):
        raise InvalidInput(
            f"A clock counts days from {anchor.name!r}, so it needs one day or an instant.",
            where="first_day",
            next_step="Give the day.",
        )
    if not ahead and (problem := check_past(anchor, now)):
        raise problem


def _check_shape(anchor: AnchorValue) -> None:
    first, last = anchor.first_day, anchor.last_day
    if first and last and last < first:
        raise InvalidInput(
            "The range ends before it begins.", where="last_day", next_step="Give the earlier date first."
        )
    if (anchor.instant and first) or (last and first is None):
        raise InvalidInput(
            "This is neither an instant, nor a day, nor a range of days.",
            where="last_day" if last else "instant",
            next_step="Give one of them.",
        )


def check_past(anchor: AnchorValue, now: datetime) -> InvalidInput | None:
    """Say why a dated fact cannot have happened by ``now``, or return None."""
    if anchor.instant:
        return check_instant(anchor.name, anchor.instant, now)
    return check_days(anchor.name, anchor.first_day, anchor.last_day, now)


def check_instant(where: str, instant: datetime, now: datetime) -> InvalidInput | None:
    """Say why ``instant`` cannot be a dated fact at ``now`` (no zone, or in the future), or return None."""
    if instant.tzinfo is None:
        return InvalidInput(
            "The time has no zone, so it names no instant.",
            where=where,
            next_step="Choose the time zone, or write the offset, as in 2026-03-07T22:15-05:00.",
        )
    if instant > now + CLOCK_SKEW:
        return InvalidInput(
            f"The time {instant.isoformat()} is in the future.",
            where=where,
            next_step="Give the time at which it happened.",
        )
    return None


def check_days(where: str, first_day: date | None, last_day: date | None, now: datetime) -> InvalidInput | None:
    """Say why a day, or a range of days, cannot be a dated fact at ``now``, or return None."""
    if first_day and last_day and last_day < first_day:
        return InvalidInput("The range ends before it begins.", where=where, next_step="Give the earlier date first.")
    last = last_day or first_day
    begins = earliest_instant(None, last)
    if begins and begins > now:
        return InvalidInput(f"The date {last} is in the future.", where=where, next_step="Give a past date.")
    return None


def earliest_instant(instant: datetime | None, first_day: date | None) -> datetime | None:
    """The earliest instant at which a dated fact can have happened, or None if nothing is known of it.

    A bare date begins first in the zone furthest ahead of UTC.
    """
    if instant is not None:
        return instant
    if first_day is not None:
        return datetime.combine(first_day, time.min, UTC) - EARLIEST_OFFSET
    return None


def earliest_of(anchor: AnchorValue | None) -> datetime | None:
    """The earliest instant at which a dated fact can have happened, or None."""
    return earliest_instant(anchor.instant, anchor.first_day) if anchor else None
