"""Why a duty is due when it is: sentences that counsel can check against the agreement and a calendar."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from terms.clock import NO_SCHOOL_CALENDAR, Due
from terms.effective import EffectiveClause, TrailStep

OPERATION_WORDS = {
    "standard": "says",
    "adds": "adds",
    "replaces": "replaces this with",
    "amends": "changes this to",
}


def trail_sentences(clause: EffectiveClause) -> tuple[str, ...]:
    """One sentence for each step of a clause's trail, in the order in which the documents take precedence."""
    return tuple(_step_sentence(step) for step in clause.trail)


def _step_sentence(step: TrailStep) -> str:
    return f"{step.document}, {step.clause}, {OPERATION_WORDS[step.operation]}: {step.says}"


def pending_sentence(clause: EffectiveClause, labels: Mapping[str, str]) -> str:
    """What a duty waits for."""
    facts = " or ".join(f"{labels[anchor]} ({anchor})" for anchor in clause.anchors)
    return f"The clock has not started: no date is given for {facts}."


def occurrence_sentence(occurrence: int) -> str:
    """From what a later occurrence of a duty that recurs is counted."""
    return f"This is occurrence {occurrence} of a duty that recurs, counted from the due date of the one before it."


def arithmetic_sentence(label: str, anchor: datetime | date, due: Due, zone: ZoneInfo) -> str:
    """The count from the anchor to the due instant, such as:

    ``Confirmed 2026-03-07 22:15 EST; 72 hours elapsed; due 2026-03-10 23:15 EDT (2026-03-11 03:15 UTC).``
    """
    start = local(anchor, zone) if isinstance(anchor, datetime) else anchor.isoformat()
    end = f"{local(due.due_at, zone)} ({due.due_at:%Y-%m-%d %H:%M} UTC)"
    return f"{label[0].upper()}{label[1:]} {start}; {_count(due)}; due {end}."


def local(instant: datetime, zone: ZoneInfo) -> str:
    """An instant as people in a zone read it; seconds only where there are any."""
    there = instant.astimezone(zone)
    return f"{there:%Y-%m-%d %H:%M:%S %Z}" if there.second else f"{there:%Y-%m-%d %H:%M %Z}"


def _count(due: Due) -> str:
    limit = due.limit
    if limit.in_advance:
        return "any time before it"
    if limit.yearly:
        return f"the next {' or '.join(str(limit).split(' and '))}"
    if limit.unit == "hours":
        return f"{limit.amount} hours {'counted back' if limit.before else 'elapsed'}"
    if limit.unit == "years":
        return f"{limit.amount} years to the anniversary" if limit.amount > 1 else "one year to the anniversary"
    direction = "counted back from" if limit.before else "counted from"
    if limit.unit == "days":
        return f"{limit.amount} calendar days {direction} {due.first_day}"
    unit = "business days" if NO_SCHOOL_CALENDAR in due.flags else limit.unit
    left_out = "".join(f", {day} ({reason})" for day, reason in due.left_out)
    return f"{limit.amount} {unit} {direction} {due.first_day}, leaving out weekends{left_out}"
