"""From effective terms and dated facts to duties: who owes what, to whom, by when, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from itertools import islice
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from models.defaults import Defaults
from models.enums import Party, PerformedBy
from models.errors import InvalidInput
from models.phrases import day_words
from terms.calendars import SchoolCalendar
from terms.clauses import Incomplete
from terms.clock import NO_SCHOOL_CALENDAR, Due, day_of, due, instant_of, zone_of
from terms.effective import EffectiveClause, EffectiveTerms, TrailStep
from terms.errors import InstantNeeded, UnknownAnchor
from terms.limits import ON_THE_DAY, STANDARD_DEFAULTS, Limit, parse_limit
from terms.trace import (
    arithmetic_sentence,
    cancelled_sentence,
    floor_sentence,
    hold_sentence,
    occurrence_sentence,
    paused_sentence,
    pending_sentence,
    too_late_sentence,
    trail_sentences,
)

OVERDUE = "overdue"
"""Flag: the duty was due before the given ``now``."""
SOONER_LIMIT_NOT_RECORDED = "sooner-limit-not-recorded"
"""Flag: a limit from elsewhere (state law) would win if it is sooner, and none is recorded for the agreement."""
DEFAULT_FLAG = "default:"
"""Flag prefix: no clause gives the number; the named default stands in."""
ON_HOLD_FLAG = "on-hold:"
"""What the flag begins with of a duty that keeps something back until it is done; the dated fact follows."""

DOUBTFUL_READING = "doubtful-reading"
"""Flag: the text leaves a doubt that decides the due date; how it was read stands in the reasons."""

OVERDUE_BEFORE_HOLD = "overdue-before-hold"
"""Flag: a law-enforcement hold began only after the duty was due, and so moves nothing."""

HOLD_RECORDED_LATE = "hold-recorded-late"
"""Flag: a law-enforcement hold that moves the due instant was recorded only after that."""

NO_DEADLINE = "no deadline"
"""The limit of a duty for which the clause gives only the day before which it may not be done."""

HOLD_LIFTED = "hold_lifted"
"""The anchor from which a duty that a law-enforcement request held back runs again."""

Anchors = Mapping[str, datetime | date]

ONCE: Mapping[str, int] = MappingProxyType({})
"""No clause is asked for more than its first occurrence."""

PREVIOUS_DUE_DATE = "due date before"
"""How a person calls what a later occurrence is counted from."""


DueStatus = Literal["pending", "running", "suspended", "cancelled"]


class DueDuty(BaseModel):
    """One dated duty under one clause.

    Attributes:
        clause: id of the clause.
        title: the duty in plain words.
        performed_by: what performs the duty.
        incomplete: whether what performs it goes at the due instant although something required at once is missing.
        at_once: ids of the elements that must be in the first thing given.
        anchor: the dated fact that started the clock, or None while the duty is pending.
        starts_at: that fact's instant (UTC); a date begins at local midnight. Of a later occurrence, the instant at
            which the one before it is due.
        due_at: the last instant at which the duty is performed on time (UTC).
        due_local: the same in the LEA's zone, ISO 8601 with offset.
        due_without_hold: when it would have been due had no law-enforcement hold moved it; None where none did.
        earliest_at: the first instant at which the duty may be performed (UTC), where a prior notice was given that
            must have run its time; it is no deadline.
        earliest_local: the same in the LEA's zone, ISO 8601 with offset.
        limit: the limit that won, in words.
        last_moment: whether the limit is the last moment and not the plan, so that the duty is to be done at once.
        status: ``pending`` until its clock starts; ``suspended`` while something awaited lets it stand still;
            ``cancelled`` where a dated fact leaves the clause without a date of
            its own.
        contents: ids of the elements that its notice must give.
        by_notice: whether its notice has anything to say; what performs the duty is ``performed_by``.
        trail: the documents' steps that made the clause.
        why: sentences that explain the due instant.
        flags: what a person should know: defaults used, calendars missing, overdue.
        suspendable_by_law_enforcement: whether a law-enforcement request may hold the notice back.
        recurs: whether it is owed again; the next one is counted from this one's due instant.
        occurrence: which one this is of a duty that recurs, counted from 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    clause: str
    title: str
    owed_by: Party
    owed_to: Party
    performed_by: PerformedBy
    incomplete: Incomplete = "waits"
    at_once: tuple[str, ...] = ()
    anchor: str | None = None
    starts_at: datetime | None = None
    due_at: datetime | None = None
    due_local: str | None = None
    due_without_hold: datetime | None = None
    earliest_at: datetime | None = None
    earliest_local: str | None = None
    limit: str
    last_moment: bool = False
    status: DueStatus
    contents: tuple[str, ...]
    trail: tuple[TrailStep, ...]
    why: tuple[str, ...]
    flags: tuple[str, ...] = ()
    by_notice: bool = False
    suspendable_by_law_enforcement: bool = False
    recurs: bool = False
    occurrence: int = 1


def flag_words(flag: str) -> str:
    """What a flag means, in a sentence for people."""
    if flag.startswith(DEFAULT_FLAG):
        return f"The clause gives no number: the default {flag.removeprefix(DEFAULT_FLAG).replace('_', ' ')} stands in."
    if flag.startswith(ON_HOLD_FLAG):
        fact = flag.removeprefix(ON_HOLD_FLAG).replace("_", " ")
        return f"It keeps something back until it is done: {fact}."
    return {
        OVERDUE: "It was due before now.",
        SOONER_LIMIT_NOT_RECORDED: (
            "A sooner limit from elsewhere, as state law, would win, and none is recorded for the agreement."
        ),
        OVERDUE_BEFORE_HOLD: (
            "A law-enforcement hold began only after this was due: it keeps the notice back; what was late stays late."
        ),
        HOLD_RECORDED_LATE: (
            "A law-enforcement hold moves the due instant that was recorded only after it, as of an earlier time."
        ),
        DOUBTFUL_READING: "The text leaves a doubt that decides the date; how it was read stands in the reasons.",
        NO_SCHOOL_CALENDAR: "School days were counted as business days, since the LEA’s calendar is not loaded.",
    }.get(flag, flag)


def duties_for(
    terms: EffectiveTerms,
    event: str,
    anchors: Anchors,
    *,
    zone: str,
    calendar: SchoolCalendar | None = None,
    now: datetime | None = None,
    defaults: Defaults = STANDARD_DEFAULTS,
    occurrences: Mapping[str, int] = ONCE,
) -> tuple[DueDuty, ...]:
    """Every dated duty that an event sets under one agreement, in the order of clause ids.

    An event about which the terms say nothing sets none. The result is computed once for equal terms, anchors
    and zone, so that many agreements with the same terms cost little more than one.

    Args:
        terms: the agreement's effective terms.
        event: the part of the clause ids before the dot, such as ``breach``.
        anchors: dated facts by name: aware instants, or dates where the rule counts days.
        zone: IANA name of the LEA's time zone.
        calendar: the LEA's school calendar, if it is loaded.
        now: the instant against which a duty is overdue; None leaves that open.
        defaults: the limits that no clause gives.
        occurrences: by clause id, how many occurrences of a duty that recurs are wanted, the first of which is counted
            from its anchor and each other from the due instant before it. By default one; a duty that does not recur
            has one whatever is asked.

    Raises:
        UnknownAnchor: the event does not know an anchor.
        InstantNeeded: a date where hours are counted, or an instant without an offset.
        UnknownZone, CalendarTooShort: as their names say.
        InvalidInput: fewer than one occurrence is asked for, or the count leaves the calendar.
    """
    _check_occurrences(occurrences)
    given = tuple(sorted(anchors.items(), key=_name))
    duties = _duties(terms, event, given, zone, calendar, defaults, tuple(sorted(occurrences.items())))
    if now is None:
        return duties
    return tuple(_with_overdue(duty, now) for duty in duties)


def _name(item: tuple[str, datetime | date]) -> str:
    return item[0]


def _with_overdue(duty: DueDuty, now: datetime) -> DueDuty:
    if duty.due_at is None or now <= duty.due_at:
        return duty
    return duty.model_copy(update={"flags": (*duty.flags, OVERDUE)})


@lru_cache(maxsize=4096)
def _duties(
    terms: EffectiveTerms,
    event: str,
    anchors: tuple[tuple[str, datetime | date], ...],
    zone: str,
    calendar: SchoolCalendar | None,
    defaults: Defaults,
    occurrences: tuple[tuple[str, int], ...],
) -> tuple[DueDuty, ...]:
    if event not in terms.events:
        return ()
    given = dict(anchors)
    _check_anchors(terms, event, given)
    count = _Count(terms, given, zone_of(zone), calendar, defaults)
    wanted = dict(occurrences)
    try:
        return tuple(
            duty for clause in terms.dated.get(event, ()) for duty in count.duties(clause, wanted.get(clause.id, 1))
        )
    except OverflowError:
        raise InvalidInput(
            "An anchor is too near the first or the last year that can be counted.",
            where="at",
            next_step="Give the date of the fact itself.",
        ) from None


def occurrences_of(
    terms: EffectiveTerms, clause_id: str, anchors: Anchors, *, zone: str, defaults: Defaults = STANDARD_DEFAULTS
) -> Iterator[DueDuty]:
    """The duty under one clause, and where it recurs, each one after it, without end; all else is as in ``duties_for``.

    Raises: as ``duties_for``, and ``UnknownClause``.
    """
    clause = terms.clause(clause_id)
    _check_anchors(terms, clause.event, anchors)
    yield from _Count(terms, anchors, zone_of(zone), None, defaults).occurrences(clause)


def earliest_day(
    terms: EffectiveTerms, clause_id: str, anchors: Anchors, *, zone: str, defaults: Defaults = STANDARD_DEFAULTS
) -> date | None:
    """The first day on which the duty under one clause may be performed; None where no prior notice sets one."""
    count = _Count(terms, anchors, zone_of(zone), None, defaults)
    return count.earliest_day(terms.clause(clause_id))


def _check_occurrences(occurrences: Mapping[str, int]) -> None:
    for clause, wanted in occurrences.items():
        if wanted < 1:
            raise InvalidInput(
                f"{wanted} occurrences of {clause} were asked for.",
                where="occurrences",
                next_step="Ask for one or more: a duty is owed at least once.",
            )


def _check_anchors(terms: EffectiveTerms, event: str, anchors: Anchors) -> None:
    known = terms.events[event]
    for name, value in anchors.items():
        if name not in known:
            raise UnknownAnchor(
                f"The event {event} does not know the anchor {name!r}.",
                where="at",
                next_step=f"It knows {', '.join(known)}.",
            )
        if isinstance(value, datetime) and value.tzinfo is None:
            raise InstantNeeded(
                f"The time {value.isoformat()} of {name} has no zone, so it names no instant.",
                where=name,
                next_step="Add the offset, as in 2026-03-07T22:15-05:00.",
            )


@dataclass(frozen=True, slots=True)
class _Start:
    """What a clock is counted from: the fact's name, its date, how a person calls it, and why it is that one."""

    anchor: str
    value: datetime | date
    label: str
    why: tuple[str, ...] = ()


@dataclass(slots=True)
class _Said:
    """What is told of a duty as it is counted: its reasons and its flags."""

    why: list[str]
    flags: list[str]


_Sourced = tuple[Limit, str | None]
"""A limit, and where it is from if it is not the clause's own."""


class _Count:
    """Counts the duties of one agreement from one set of anchors."""

    def __init__(
        self,
        terms: EffectiveTerms,
        anchors: Anchors,
        zone: ZoneInfo,
        calendar: SchoolCalendar | None,
        defaults: Defaults,
    ) -> None:
        self._terms = terms
        self._anchors = anchors
        self._zone = zone
        self._calendar = calendar
        self._defaults = defaults

    def duties(self, clause: EffectiveClause, wanted: int) -> Iterator[DueDuty]:
        """A clause's duty and, where it recurs, as many occurrences as are wanted."""
        return islice(self.occurrences(clause), wanted)

    def occurrences(self, clause: EffectiveClause) -> Iterator[DueDuty]:
        """A clause's duty and, where it recurs, each one after it, without end."""
        last = self.duty(clause)
        yield last
        while clause.recurs:
            last = self.duty(clause, last)
            yield last

    def earliest_day(self, clause: EffectiveClause) -> date | None:
        """The first day on which a clause's duty may be performed, if a prior notice says so."""
        earliest = self._earliest(clause, _Said([], []))
        return earliest.last_day if earliest else None

    def duty(self, clause: EffectiveClause, previous: DueDuty | None = None) -> DueDuty:
        """The duty that a clause sets, or the occurrence of it that follows ``previous``."""
        occurrence = previous.occurrence + 1 if previous else 1
        limits = self._limits(clause)
        said = _Said(list(trail_sentences(clause)), list(self._standing_flags(clause, limits)))
        if clause.holds:
            said.why.append(hold_sentence(self._terms.anchors[clause.holds]))
        if clause.reading:
            said.why.append(f"How the text was read: {clause.reading}")
        if previous:
            said.why.append(occurrence_sentence(occurrence))
        start = self._start(clause, previous)
        if ended := next((anchor for anchor in clause.unless if self._ends(clause, anchor, start, said)), None):
            said.why.append(cancelled_sentence(self._terms.anchors[ended], ended, self._anchors[ended], self._zone))
            return self._duty(clause, said, limits, status="cancelled", occurrence=occurrence)
        if start is None:
            said.why.append(pending_sentence(clause, self._terms.anchors))
            return self._duty(clause, said, limits, status="pending", occurrence=occurrence)
        if since := self._paused_since(clause):
            said.why.append(paused_sentence(since.label, since.value, self._zone))
            return self._duty(clause, said, limits, status="suspended", occurrence=occurrence, start=start)
        return self._running(clause, start, limits, said, occurrence)

    def _ends(self, clause: EffectiveClause, anchor: str, start: _Start | None, said: _Said) -> bool:
        """Whether a fact leaves a clause without a date: not once the time has run out in which it could come about."""
        if anchor not in self._anchors:
            return False
        if clause.performed_by is not PerformedBy.TIME or start is None or clause.limit is None:
            return True
        last = self._due(clause, parse_limit(clause.limit, self._defaults), start)
        if instant_of(self._anchors[anchor], self._zone) <= last.due_at:
            return True
        said.why.append(too_late_sentence(self._terms.anchors[anchor], self._anchors[anchor], last, self._zone))
        return False

    def _running(
        self, clause: EffectiveClause, start: _Start, limits: Sequence[_Sourced], said: _Said, occurrence: int
    ) -> DueDuty:
        said.why += start.why
        ends = self._soonest(clause, start, limits, said) if limits else None
        without_hold: datetime | None = None
        if ends and (lifted := self._hold_lifted(clause)):
            held = self._after_hold(clause, lifted)
            # a hold that ended before the due instant no longer stands in the way of the limit itself
            if instant_of(lifted.value, self._zone) > ends.due_at:
                without_hold = ends.due_at
                start, ends = lifted, held
                self._say(said, start, ends)
        if ends and clause.pauses and clause.pauses.until in self._anchors:
            resumed = self._at(clause.pauses.until, self._anchors[clause.pauses.until])
            again = self._due(clause, parse_limit(clause.pauses.then, self._defaults), resumed)
            self._say(said, resumed, again)
            ends = max(ends, again, key=lambda count: count.due_at)
        if ends and (day := self._day_named(clause)):
            ends = day
            said.why.append(f"That day counts in place of {' or '.join(str(limit) for limit, _ in limits)}.")
        earliest = self._earliest(clause, said)
        if ends and earliest and ends.due_at < earliest.due_at:
            ends = earliest
            said.why.append("Until then the duty cannot be performed, so it is due at the end of that day.")
        return self._duty(
            clause,
            said,
            limits,
            status="running",
            occurrence=occurrence,
            start=start,
            ends=ends,
            without_hold=without_hold,
            earliest=earliest,
        )

    def _soonest(self, clause: EffectiveClause, start: _Start, limits: Sequence[_Sourced], said: _Said) -> Due:
        """The soonest of several limits, each of which is said."""
        counts = [(self._due(clause, limit, start), source) for limit, source in limits]
        for count, source in counts:
            self._say(said, start, count, source)
        for name, source in self._other_days(clause):
            day = self._at(name, self._anchors[name])
            counts.append((due(parse_limit(ON_THE_DAY), day.value, self._zone), source))
            self._say(said, day, *counts[-1])
        soonest, source = min(counts, key=lambda count: count[0].due_at)
        if len(counts) > 1:
            said.why.append(f"The sooner limit counts: {_named(soonest, source)}.")
        if sources := self._not_recorded(clause):
            said.why.append(f"A sooner limit would win, and none is recorded for this agreement: {'; '.join(sources)}.")
        if NO_SCHOOL_CALENDAR in said.flags:
            said.why.append("No school calendar is loaded for these days, so business days stand in for school days.")
        if clause.last_moment:
            said.why.append("That is the last moment and not the plan: it is to be done as soon as it can be.")
        return soonest

    def _other_days(self, clause: EffectiveClause) -> list[tuple[str, str]]:
        """The dated facts that are known and the last day under a limit from elsewhere, each with its source."""
        named = [(other.day, other.source) for other in clause.or_sooner if other.day]
        return [(day, source) for day, source in named if day in self._anchors]

    def _not_recorded(self, clause: EffectiveClause) -> list[str]:
        """The sources of limits that would win if they are sooner, and of which neither limit nor day is known."""
        known = {source for _, source in self._other_days(clause)}
        return [other.source for other in clause.or_sooner if other.limit is None and other.source not in known]

    def _day_named(self, clause: EffectiveClause) -> Due | None:
        """The end of the day that a dated fact names as the due date, where one does."""
        if clause.due_on is None or clause.due_on not in self._anchors:
            return None
        return due(parse_limit(ON_THE_DAY), self._anchors[clause.due_on], self._zone)

    def _earliest(self, clause: EffectiveClause, said: _Said) -> Due | None:
        """The end of the first day on which a duty may be performed, if a prior notice says so."""
        if clause.not_before is None:
            return None
        floor, after = parse_limit(clause.not_before.limit, self._defaults), clause.not_before.after
        label = self._terms.anchors[after]
        if after not in self._anchors:
            said.why.append(
                f"Floor, and no deadline: not before {floor} after {label} ({after}), which has no date yet."
            )
            return None
        count = self._due(clause, floor, self._at(after, self._anchors[after]))
        said.why.append(floor_sentence(label, self._anchors[after], count, self._zone))
        said.why += _default_sentences(count)
        said.flags += _default_flags(floor)
        return self._planned(clause, count, said)

    def _planned(self, clause: EffectiveClause, floor: Due, said: _Said) -> Due:
        """The day for which a duty without a deadline is planned, where that is later than its floor."""
        if clause.planned_on is None or clause.planned_on not in self._anchors:
            return floor
        planned = due(parse_limit(ON_THE_DAY), self._anchors[clause.planned_on], self._zone)
        if planned.due_at <= floor.due_at:
            return floor
        label, day = self._terms.anchors[clause.planned_on], day_of(planned.due_at, self._zone)
        said.why.append(f"The other side was told a later day ({label}), so it is done not before {day_words(day)}.")
        return planned

    def _say(self, said: _Said, start: _Start, count: Due, source: str | None = None) -> None:
        sentence = arithmetic_sentence(start.label, start.value, count, self._zone)
        said.why.append(f"{source[0].upper()}{source[1:]}: {sentence}" if source else sentence)
        said.why += _default_sentences(count)
        said.flags += (*_default_flags(count.limit), *count.flags)

    def _duty(
        self,
        clause: EffectiveClause,
        said: _Said,
        limits: Sequence[_Sourced],
        *,
        status: DueStatus,
        occurrence: int,
        start: _Start | None = None,
        ends: Due | None = None,
        without_hold: datetime | None = None,
        earliest: Due | None = None,
    ) -> DueDuty:
        assert clause.performed_by is not None, "a dated clause is a duty, and a duty says how it is performed"
        opens = instant_of(earliest.last_day, self._zone) if earliest and earliest.last_day else None
        limit = str(ends.limit) if ends else " or ".join(str(limit) for limit, _ in limits) or NO_DEADLINE
        return DueDuty(
            clause=clause.id,
            title=clause.title,
            owed_by=clause.owed_by,
            owed_to=clause.owed_to,
            performed_by=clause.performed_by,
            incomplete=clause.incomplete or "waits",
            at_once=clause.at_once,
            anchor=start.anchor if start else None,
            starts_at=instant_of(start.value, self._zone) if start else None,
            due_at=ends.due_at if ends else None,
            due_local=self._local(ends.due_at) if ends else None,
            due_without_hold=without_hold,
            earliest_at=opens,
            earliest_local=self._local(opens) if opens else None,
            limit=limit,
            last_moment=clause.last_moment,
            status=status,
            contents=tuple(element.id for element in clause.contents),
            by_notice=bool(clause.notice_contents),
            trail=clause.trail,
            why=tuple(said.why),
            flags=tuple(dict.fromkeys(said.flags)),
            suspendable_by_law_enforcement=clause.after_hold is not None,
            recurs=clause.recurs,
            occurrence=occurrence,
        )

    def _local(self, instant: datetime) -> str:
        return instant.astimezone(self._zone).isoformat()

    def _standing_flags(self, clause: EffectiveClause, limits: Sequence[_Sourced]) -> Iterator[str]:
        """The flags of a clause that hold whether its clock runs or not."""
        for limit, _ in limits:
            yield from _default_flags(limit)
        if limits and self._not_recorded(clause):
            yield SOONER_LIMIT_NOT_RECORDED
        if clause.holds:
            yield f"{ON_HOLD_FLAG}{clause.holds}"
        if clause.reading:
            yield DOUBTFUL_READING

    def _limits(self, clause: EffectiveClause) -> list[_Sourced]:
        """The clause's own limit and those recorded from elsewhere, each with its source; none where it has none."""
        if clause.limit is None:
            return []
        other = [(parse_limit(o.limit, self._defaults), o.source) for o in clause.or_sooner if o.limit]
        return [(parse_limit(clause.limit, self._defaults), None), *other]

    def _start(self, clause: EffectiveClause, previous: DueDuty | None) -> _Start | None:
        """Where the clock of a clause starts: at the due date before, or at the first of its anchors to occur.

        While no anchor is given, the due date of the clause that stands in for it; None if there is none either.
        """
        if previous is not None:
            return self._after(previous)
        given = [(name, self._anchors[name]) for name in clause.anchors if name in self._anchors]
        if given:
            name, value = min(given, key=lambda item: instant_of(item[1], self._zone))
            first = f"It is counted from the first to occur of {', '.join(clause.anchors)}: {name}."
            return self._at(name, value, first if len(clause.anchors) > 1 else None)
        if clause.anchor_from and (other := self._terms.clauses.get(clause.anchor_from)) and other.dated:
            name, ends = clause.anchors[0], self.duty(other).due_at
            why = f"No {name} date is given, so the due date of {clause.anchor_from} stands in for it."
            return self._at(name, day_of(ends, self._zone), why) if ends else None
        return None

    def _at(self, name: str, value: datetime | date, why: str | None = None) -> _Start:
        return _Start(name, value, self._terms.anchors[name], (why,) if why else ())

    def _after(self, previous: DueDuty) -> _Start | None:
        if previous.anchor is None or previous.due_at is None:
            return None
        return _Start(previous.anchor, previous.due_at, PREVIOUS_DUE_DATE)

    def _paused_since(self, clause: EffectiveClause) -> _Start | None:
        """From when the clock of a clause stands still now; None where nothing lets it."""
        if clause.pauses is None or clause.pauses.since not in self._anchors:
            return None
        since = self._at(clause.pauses.since, self._anchors[clause.pauses.since])
        until = self._anchors.get(clause.pauses.until)
        over = until is not None and instant_of(until, self._zone) >= instant_of(since.value, self._zone)
        return None if over else since

    def _hold_lifted(self, clause: EffectiveClause) -> _Start | None:
        """When a hold was lifted that had suspended a clause's duty; None where none was or none may delay it."""
        if clause.after_hold is None or HOLD_LIFTED not in self._anchors:
            return None
        return self._at(HOLD_LIFTED, self._anchors[HOLD_LIFTED])

    def _after_hold(self, clause: EffectiveClause, lifted: _Start) -> Due:
        assert clause.after_hold is not None, "only a clause that a hold may delay is counted from its lifting"
        return self._due(clause, parse_limit(clause.after_hold, self._defaults), lifted)

    def _due(self, clause: EffectiveClause, limit: Limit, start: _Start) -> Due:
        try:
            state = self._terms.state if clause.holidays == "state" else None
            return due(limit, start.value, self._zone, state=state, calendar=self._calendar)
        except InstantNeeded as error:
            raise InstantNeeded(
                f"{clause.id}: {error.message}", where=start.anchor, next_step=error.next_step
            ) from None


def _named(soonest: Due, source: str | None) -> str:
    """The limit that won; one that is a day is named by where it is from."""
    return source if source and soonest.limit.amount == 0 else str(soonest.limit)


def _default_flags(limit: Limit) -> tuple[str, ...]:
    return (f"{DEFAULT_FLAG}{limit.default}",) if limit.default else ()


def _default_sentences(count: Due) -> tuple[str, ...]:
    if count.limit.default is None:
        return ()
    plain = replace(count.limit, default=None)
    return (f"The clause gives no number: {plain} is a default ({count.limit.default}).",)
