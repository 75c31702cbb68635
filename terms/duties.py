"""From effective terms and dated facts to duties: who owes what, to whom, by when, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from models.defaults import Defaults
from models.errors import InvalidInput
from terms.calendars import SchoolCalendar
from terms.clauses import Debtor
from terms.clock import NO_SCHOOL_CALENDAR, Due, day_of, due, instant_of, zone_of
from terms.effective import EffectiveClause, EffectiveTerms, TrailStep
from terms.errors import InstantNeeded, UnknownAnchor
from terms.limits import STANDARD_DEFAULTS, Limit, parse_limit
from terms.trace import arithmetic_sentence, pending_sentence, trail_sentences

OVERDUE = "overdue"
"""Flag: the duty was due before the given ``now``."""
SOONER_LIMIT_NOT_RECORDED = "sooner-limit-not-recorded"
"""Flag: a limit from elsewhere (state law) would win if it is sooner, and none is recorded for the agreement."""
DEFAULT_FLAG = "default:"
"""Flag prefix: no clause gives the number; the named default stands in."""

HOLD_LIFTED = "hold_lifted"
"""The anchor from which a duty that a law-enforcement request held back runs again."""

Anchors = Mapping[str, datetime | date]


class DueDuty(BaseModel):
    """One dated duty under one clause.

    Attributes:
        clause: id of the clause.
        title: the duty in plain words.
        anchor: the dated fact that started the clock, or None while the duty is pending.
        starts_at: that fact's instant (UTC); a date begins at local midnight.
        due_at: the last instant at which the duty is performed on time (UTC).
        due_local: the same in the LEA's zone, ISO 8601 with offset.
        limit: the limit that won, in words.
        contents: ids of the elements that its notice must give.
        by_notice: whether a notice performs the duty.
        trail: the documents' steps that made the clause.
        why: sentences that explain the due instant.
        flags: what a person should know: defaults used, calendars missing, overdue.
        suspendable_by_law_enforcement: whether a law-enforcement request may hold the notice back.
        recurs: whether it is owed again; the next one is counted from this one's due instant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    clause: str
    title: str
    owed_by: Debtor
    owed_to: Debtor
    anchor: str | None = None
    starts_at: datetime | None = None
    due_at: datetime | None = None
    due_local: str | None = None
    limit: str
    status: Literal["pending", "running"]
    contents: tuple[str, ...]
    trail: tuple[TrailStep, ...]
    why: tuple[str, ...]
    flags: tuple[str, ...] = ()
    by_notice: bool = False
    suspendable_by_law_enforcement: bool = False
    recurs: bool = False


def duties_for(
    terms: EffectiveTerms,
    event: str,
    anchors: Anchors,
    *,
    zone: str,
    calendar: SchoolCalendar | None = None,
    now: datetime | None = None,
    defaults: Defaults = STANDARD_DEFAULTS,
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

    Raises:
        UnknownAnchor: the event does not know an anchor.
        InstantNeeded: a date where hours are counted, or an instant without an offset.
        UnknownZone, CalendarTooShort: as their names say.
    """
    duties = _duties(terms, event, tuple(sorted(anchors.items(), key=_name)), zone, calendar, defaults)
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
) -> tuple[DueDuty, ...]:
    if event not in terms.events:
        return ()
    given = dict(anchors)
    _check_anchors(terms, event, given)
    count = _Count(terms, given, zone_of(zone), calendar, defaults)
    dated = (clause for clause in terms.clauses.values() if clause.event == event and clause.dated)
    try:
        return tuple(count.duty(clause) for clause in dated)
    except OverflowError:
        raise InvalidInput(
            "An anchor is too near the first or the last year that can be counted.",
            where="at",
            next_step="Give the date of the fact itself.",
        ) from None


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

    def duty(self, clause: EffectiveClause) -> DueDuty:
        limits = self._limits(clause)
        flags = tuple(flag for limit, _ in limits for flag in _default_flags(limit))
        if len(limits) <= len(clause.or_sooner):
            flags = (*flags, SOONER_LIMIT_NOT_RECORDED)
        anchor = self._anchor(clause)
        why = trail_sentences(clause)
        if anchor is None:
            return _duty(
                clause,
                limit=" or ".join(str(limit) for limit, _ in limits),
                status="pending",
                why=(*why, pending_sentence(clause, self._terms.anchors)),
                flags=flags,
            )
        name, value = anchor
        counts = [(self._due(clause, limit, name, value), source) for limit, source in limits]
        soonest = min((count for count, _ in counts), key=lambda count: count.due_at)
        reasons = self._reasons(clause, name, value, counts, soonest)
        if (held := self._after_hold(clause)) and held.due_at > soonest.due_at:
            name, value, soonest = HOLD_LIFTED, self._anchors[HOLD_LIFTED], held
            reasons.append(self._arithmetic(name, value, held))
            reasons += _default_sentences(held)
            flags = (*flags, *_default_flags(held.limit))
        return _duty(
            clause,
            anchor=name,
            starts_at=instant_of(value, self._zone),
            due_at=soonest.due_at,
            due_local=soonest.due_at.astimezone(self._zone).isoformat(),
            limit=str(soonest.limit),
            status="running",
            why=(*why, *reasons),
            flags=tuple(dict.fromkeys((*flags, *(flag for count, _ in counts for flag in count.flags)))),
        )

    def _limits(self, clause: EffectiveClause) -> list[tuple[Limit, str | None]]:
        """The clause's own limit and those recorded from elsewhere, each with its source."""
        assert clause.limit is not None, "only dated clauses are counted"
        other = [(parse_limit(o.limit, self._defaults), o.source) for o in clause.or_sooner if o.limit]
        return [(parse_limit(clause.limit, self._defaults), None), *other]

    def _anchor(self, clause: EffectiveClause) -> tuple[str, datetime | date] | None:
        """The first of the clause's anchors to occur, or the due date of the clause that stands in for it."""
        given = [(name, self._anchors[name]) for name in clause.anchors if name in self._anchors]
        if given:
            return min(given, key=lambda item: instant_of(item[1], self._zone))
        if clause.anchor_from and (other := self._terms.clauses.get(clause.anchor_from)) and other.dated:
            ends = self.duty(other).due_at
            return (clause.anchors[0], day_of(ends, self._zone)) if ends else None
        return None

    def _after_hold(self, clause: EffectiveClause) -> Due | None:
        """When a duty is due that a lifted hold had suspended; None where no hold was lifted or none may delay it."""
        if clause.after_hold is None or HOLD_LIFTED not in self._anchors:
            return None
        return self._due(
            clause, parse_limit(clause.after_hold, self._defaults), HOLD_LIFTED, self._anchors[HOLD_LIFTED]
        )

    def _arithmetic(self, name: str, value: datetime | date, count: Due) -> str:
        return arithmetic_sentence(self._terms.anchors[name], value, count, self._zone)

    def _due(self, clause: EffectiveClause, limit: Limit, name: str, value: datetime | date) -> Due:
        try:
            return due(limit, value, self._zone, state=self._terms.state, calendar=self._calendar)
        except InstantNeeded as error:
            raise InstantNeeded(f"{clause.id}: {error.message}", where=name, next_step=error.next_step) from None

    def _reasons(
        self,
        clause: EffectiveClause,
        name: str,
        value: datetime | date,
        counts: list[tuple[Due, str | None]],
        soonest: Due,
    ) -> list[str]:
        said = []
        if name not in self._anchors:
            said.append(f"No {name} date is given, so the due date of {clause.anchor_from} stands in for it.")
        elif len(clause.anchors) > 1:
            said.append(f"It is counted from the first to occur of {', '.join(clause.anchors)}: {name}.")
        for count, source in counts:
            sentence = self._arithmetic(name, value, count)
            said.append(f"{source[0].upper()}{source[1:]}: {sentence}" if source else sentence)
            said += _default_sentences(count)
        if len(counts) > 1:
            said.append(f"The sooner limit counts: {soonest.limit}.")
        if len(counts) <= len(clause.or_sooner):
            sources = "; ".join(other.source for other in clause.or_sooner if other.limit is None)
            said.append(f"A sooner limit would win, and none is recorded for this agreement: {sources}.")
        if any(NO_SCHOOL_CALENDAR in count.flags for count, _ in counts):
            said.append("No school calendar is loaded, so business days stand in for school days.")
        return said


def _default_flags(limit: Limit) -> tuple[str, ...]:
    return (f"{DEFAULT_FLAG}{limit.default}",) if limit.default else ()


def _default_sentences(count: Due) -> tuple[str, ...]:
    if count.limit.default is None:
        return ()
    plain = replace(count.limit, default=None)
    return (f"The clause gives no number: {plain} is a default ({count.limit.default}).",)


def _duty(
    clause: EffectiveClause,
    *,
    limit: str,
    status: Literal["pending", "running"],
    why: tuple[str, ...],
    flags: tuple[str, ...],
    anchor: str | None = None,
    starts_at: datetime | None = None,
    due_at: datetime | None = None,
    due_local: str | None = None,
) -> DueDuty:
    return DueDuty(
        clause=clause.id,
        title=clause.title,
        owed_by=clause.owed_by,
        owed_to=clause.owed_to,
        anchor=anchor,
        starts_at=starts_at,
        due_at=due_at,
        due_local=due_local,
        limit=limit,
        status=status,
        contents=tuple(element.id for element in clause.contents),
        by_notice=bool(clause.notice_contents),
        trail=clause.trail,
        why=why,
        flags=flags,
        suspendable_by_law_enforcement=clause.after_hold is not None,
        recurs=clause.recurs,
    )
