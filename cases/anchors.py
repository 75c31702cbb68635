"""The dated facts that the engine itself writes, and when a new one makes no sense beside those already known.

Which anchors start which clocks is data; these names are only those that an act of a person sets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime

from cases.incident import IncidentReport, Occurrence, check_days, check_instant, earliest_instant
from cases.messages import AnchorValue
from models.errors import InvalidInput, Refused

OCCURRED = "occurred"
REASONABLY_EXPECTED = "reasonably_expected"
DISCOVERED = "discovered"
CONFIRMED = "confirmed"


def occurrence_anchor(occurred: Occurrence) -> AnchorValue:
    """The occurrence as a dated fact."""
    return AnchorValue(name=OCCURRED, instant=occurred.at, first_day=occurred.first_day, last_day=occurred.last_day)


def report_anchors(report: IncidentReport) -> tuple[AnchorValue, ...]:
    """Every dated fact of a report; what is not yet known is left out, save the occurrence, which may be unknown."""
    instants = {
        REASONABLY_EXPECTED: report.reasonably_expected_at,
        DISCOVERED: report.discovered_at,
        CONFIRMED: report.confirmed_at,
    }
    given = (AnchorValue(name=name, instant=instant) for name, instant in instants.items() if instant)
    return (occurrence_anchor(report.occurred), *given)


def clock_anchors(anchors: Mapping[str, AnchorValue]) -> dict[str, datetime | date]:
    """The anchors as clocks take them: an instant, or the first day."""
    return {
        name: value for name, anchor in anchors.items() if (value := anchor.instant or anchor.first_day) is not None
    }


def check_anchor(anchor: AnchorValue, known: Collection[str], now: datetime) -> None:
    """Raise ``InvalidInput`` where a dated fact is none of those ``known``, or names no moment that has been.

    Only the occurrence may be a day, a range of days, or unknown: the other facts start clocks that count hours.
    """
    if anchor.name not in known:
        raise InvalidInput(
            f"The terms know no date {anchor.name!r}.", where="anchor", next_step=f"They know {', '.join(known)}."
        )
    if anchor.name != OCCURRED and anchor.instant is None:
        raise InvalidInput(
            "A clock counts from this moment, so the hour counts.",
            where=anchor.name,
            next_step="Give the time with its offset, as in 2026-03-07T22:15-05:00.",
        )
    if anchor.instant:
        problem = check_instant(anchor.name, anchor.instant, now)
    else:
        problem = check_days(anchor.name, anchor.first_day, anchor.last_day, now)
    if problem:
        raise problem


def check_confirmation(anchors: Mapping[str, AnchorValue], confirmed_at: datetime, now: datetime) -> None:
    """Raise ``Refused`` or ``InvalidInput`` where a breach cannot be confirmed as of ``confirmed_at``."""
    if CONFIRMED in anchors:
        raise Refused(
            "This breach is already confirmed.",
            next_step="If the recorded time is wrong, correct it instead of confirming again.",
        )
    _check_confirmed_at(anchors, confirmed_at, now)


def check_involvement(anchors: Mapping[str, AnchorValue], confirmed_at: datetime, now: datetime) -> None:
    """Raise ``Refused`` or ``InvalidInput`` where single LEAs cannot have been found involved at ``confirmed_at``."""
    if CONFIRMED not in anchors:
        raise Refused("This breach is not confirmed yet.", next_step="Confirm it first, or leave out this date.")
    _check_confirmed_at(anchors, confirmed_at, now)


def _check_confirmed_at(anchors: Mapping[str, AnchorValue], confirmed_at: datetime, now: datetime) -> None:
    if problem := check_instant("confirmed_at", confirmed_at, now):
        raise problem
    occurred = earliest_of(anchors.get(OCCURRED))
    if occurred and confirmed_at < occurred:
        raise InvalidInput(
            f"The confirmation ({confirmed_at.isoformat()}) is before the breach occurred ({occurred.isoformat()}).",
            where="confirmed_at",
            next_step="Give the time of the confirmation, or correct when the breach occurred.",
        )


def earliest_of(anchor: AnchorValue | None) -> datetime | None:
    """The earliest instant at which a dated fact can have happened, or None."""
    return earliest_instant(anchor.instant, anchor.first_day) if anchor else None
