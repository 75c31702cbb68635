"""Why a duty is due when it is: sentences that counsel can check against the agreement and a calendar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from models.phrases import day_words, instant_words
from terms.clock import NO_SCHOOL_CALENDAR, ONE_DAY, SATURDAY, Due
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


def paused_sentence(label: str, value: datetime | date, zone: ZoneInfo) -> str:
    """Why a clock stands still."""
    return f"{label[0].upper()}{label[1:]} {_moment(value, zone)}: since then the clock stands still."


def cancelled_sentence(label: str, name: str, value: datetime | date, zone: ZoneInfo) -> str:
    """Why a clause has no date of its own any more."""
    fact = f"{label[0].upper()}{label[1:]} {_moment(value, zone)} ({name})"
    return f"{fact}: with that the clause sets no date of its own."


def too_late_sentence(label: str, value: datetime | date, due: Due, zone: ZoneInfo) -> str:
    """Why a fact changes nothing: it came about after the time for it was over."""
    came = f"{label[0].upper()}{label[1:]} {_moment(value, zone)}"
    return f"{came}: the time for that was over {instant_words(due.due_at, zone)}, so it changes nothing."


def floor_sentence(label: str, anchor: datetime | date, due: Due, zone: ZoneInfo) -> str:
    """From when on a duty may be performed, such as:

    ``Floor, and no deadline: prior notice given Mon 20 Jul 2026; 90 calendar days counted from Tue 21 Jul 2026; not
    before Sun 18 Oct 2026.``
    """
    return f"Floor, and no deadline: {label} {_moment(anchor, zone)}; {_count(due)}; not before {_day(due.last_day)}."


def hold_sentence(label: str) -> str:
    """What is kept back until a duty is done."""
    return f"On hold until this is done: under this agreement, what is planned may not go ahead before ({label})."


def occurrence_sentence(occurrence: int) -> str:
    """From what a later occurrence of a duty that recurs is counted."""
    return f"This is occurrence {occurrence} of a duty that recurs, counted from the due date of the one before it."


def each_time_sentence(times: int) -> str:
    """From what a duty that is owed each time its fact comes about is counted."""
    return f"Its fact has come about {times} times, and each time it is owed once more, counted from that."


def arithmetic_sentence(label: str, anchor: datetime | date, due: Due, zone: ZoneInfo) -> str:
    """The count from the anchor to the due instant, such as:

    ``Confirmed Sat 7 Mar 2026, 22:15 EST; 72 hours elapsed; due Tue 10 Mar 2026, 23:15 EDT (Wed 11 Mar 2026, 03:15
    UTC).``
    """
    start = _moment(anchor, zone)
    end = f"{instant_words(due.due_at, zone)} ({instant_words(due.due_at, UTC)})"
    return f"{label[0].upper()}{label[1:]} {start}; {_count(due)}; due {end}."


def internal_sentence(count: Due, at: datetime, zone: ZoneInfo, *, at_once: bool) -> str:
    """The count from the due instant back to the internal date, such as:

    ``Internal due date, a setting of this installation and no law: 24 hours counted back; Mon 9 Mar 2026, 23:15 EDT.``
    """
    stands_in = " No school calendar is loaded for these days, so business days stand in for school days."
    what = f"Internal due date, a setting of this installation and no law: {_count(count)}"
    when = f"that is more than there is, so it is to be done at once, from {instant_words(at, zone)} on"
    ends = when if at_once else instant_words(at, zone)
    return f"{what}; {ends}.{stands_in if NO_SCHOOL_CALENDAR in count.flags else ''}"


def _moment(value: datetime | date, zone: ZoneInfo) -> str:
    return instant_words(value, zone) if isinstance(value, datetime) else day_words(value)


def _count(due: Due) -> str:
    limit = due.limit
    if limit.in_advance:
        return "any time before it"
    if limit.amount == 0 and not limit.yearly:
        return "that day"
    if limit.yearly:
        return f"the next {' or '.join(str(limit).split(' and '))}"
    if limit.unit == "hours":
        return f"{limit.amount} hours {'counted back' if limit.before else 'elapsed'}"
    if limit.unit == "years":
        return f"{limit.amount} years to the anniversary" if limit.amount > 1 else "one year to the anniversary"
    direction = "counted back from" if limit.before else "counted from"
    if limit.unit == "days":
        return f"{limit.amount} calendar days {direction} {_day(due.first_day)}"
    unit = "business days" if NO_SCHOOL_CALENDAR in due.flags else limit.unit
    left_out = "".join(f", {days} ({reason})" for days, reason in _runs(due.left_out))
    return f"{limit.amount} {unit} {direction} {_day(due.first_day)}, leaving out weekends{left_out}"


def _day(day: date | None) -> str:
    assert day is not None, "a limit in days has them"
    return day_words(day)


def _runs(left_out: tuple[tuple[date, str], ...]) -> Iterator[tuple[str, str]]:
    """Weekdays that were left out one after the other for one reason, as one, in the order of the calendar."""
    runs: list[tuple[date, date, str]] = []
    for day, reason in sorted(left_out):
        if runs and runs[-1][2] == reason and _next_weekday(runs[-1][1]) == day:
            runs[-1] = (runs[-1][0], day, reason)
        else:
            runs.append((day, day, reason))
    for first, last, reason in runs:
        yield day_words(first) if first == last else f"{day_words(first)} to {day_words(last)}", reason


def _next_weekday(day: date) -> date:
    following = day + ONE_DAY
    while following.weekday() >= SATURDAY:
        following += ONE_DAY
    return following
