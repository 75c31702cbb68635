"""Dated facts that cannot all be true, and those that can and hardly are, whichever kind of case they are given in.

What cannot be is refused. What hardly is, is asked about: a person says once more that it is meant, and evidence says
that they did. These rules stand outside ``cases/rules.py``, which a running case replays: what is asked of a person
before an act is sent may change while cases are open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from cases.acts import Act, Add
from cases.anchors import AnchorMap, check_past, earliest_of
from cases.intake import Intake
from cases.kind import Kind
from cases.values import AnchorValue
from models.errors import DoubtfulDates, InvalidFields, InvalidInput
from models.phrases import day_words, instant_words

HARDLY_MEANT = timedelta(days=364)
"""What lies further back, or further ahead, is asked about: a year that is mistyped by one does."""

LATEST_OFFSET = timedelta(hours=12)
"""The zone furthest behind UTC: a calendar date still lasts somewhere on earth this long after it ended in UTC."""

DatesGiven = Mapping[str, AnchorValue]
"""Dated facts by the field of the form that gives each."""


@dataclass(frozen=True)
class Dating:
    """Dated facts as somebody gives them.

    Attributes:
        given: the facts.
        agreements: the ids of those that they are given for.
        clause: the one clause that the case is about, if it is about one alone.
        case_id: the case; None where it is to be opened.
    """

    given: DatesGiven
    agreements: Sequence[UUID]
    clause: str | None
    case_id: UUID | None = None


@dataclass(frozen=True)
class Doubt:
    """Why a dated fact is hardly meant as it is given.

    Attributes:
        where: its field.
        name: the doubt as evidence names it, once a person has confirmed the date.
        says: the doubt as a sentence.
        next_step: what whoever gave it may do.
    """

    where: str
    name: str
    says: str
    next_step: str = "Correct it, or confirm that it is meant."

    @property
    def problem(self) -> InvalidInput:
        """The doubt as a sentence at its field."""
        return InvalidInput(self.says, where=self.where, next_step=self.next_step)


def dates_of_intake(intake: Intake) -> DatesGiven:
    """The dated facts of an intake by the fields that give them."""
    return intake.dates()


def dates_of_act(kind: Kind, act: Act) -> DatesGiven:
    """The dated facts that an act gives or corrects, by the fields that give them."""
    match act:
        case Add(involved_at=involved_at) if involved_at and kind.involvement:
            return {"involved_at": AnchorValue(name=kind.involvement, instant=involved_at)}
        case _:
            return act.dates()


def check_order(kind: Kind, given: DatesGiven, known: AnchorMap, now: datetime) -> None:
    """Refuse dated facts that cannot be true with each other or with those known.

    Raises:
        InvalidInput: one of them cannot; ``where`` names its field.
        InvalidFields: several cannot.
    """
    problems = tuple(order_problems(kind, given, known, now))
    if problems:
        raise problems[0] if len(problems) == 1 else InvalidFields(problems)


def order_problems(kind: Kind, given: DatesGiven, known: AnchorMap, now: datetime) -> Iterator[InvalidInput]:
    """Why dated facts that are given cannot be true with each other or with those known, once at each field.

    One that lies in the future is wrong by itself, and nothing is said of its order.
    """
    past = {where: anchor for where, anchor in given.items() if not check_past(anchor, now)}
    told: set[str] = set()
    for where, earlier, later in _reversed(kind.order, past, known):
        if where not in told:
            told.add(where)
            yield InvalidInput(
                f"{_words(later.name).capitalize()} is dated {said(later)}, before the {kind.label} "
                f"{_words(earlier.name)} ({said(earlier)}).",
                where=where,
                next_step="One of the two is mistyped: correct it.",
            )


def doubts(kind: Kind, given: DatesGiven, known: AnchorMap, now: datetime) -> tuple[Doubt, ...]:
    """Which of the dated facts that are given can be true and hardly are."""
    return (*_far_away(kind, given, now), *_unusual(kind, given, known))


def require_meant(found: Iterable[Doubt], *, confirmed: bool) -> tuple[str, ...]:
    """The names of the doubts that a person has confirmed.

    Raises:
        DoubtfulDates: there are some, and nobody has.
    """
    found = tuple(found)
    if found and not confirmed:
        raise DoubtfulDates(tuple(doubt.problem for doubt in found))
    return tuple(doubt.name for doubt in found)


def said(anchor: AnchorValue) -> str:
    """A dated fact as a sentence names it, in the zone in which it was given."""
    if anchor.instant:
        return instant_words(anchor.instant)
    if anchor.last_day and anchor.last_day != anchor.first_day:
        return f"{day_words(anchor.first_day)} to {day_words(anchor.last_day)}" if anchor.first_day else "not known yet"
    return day_words(anchor.first_day) if anchor.first_day else "not known yet"


def _far_away(kind: Kind, given: DatesGiven, now: datetime) -> Iterator[Doubt]:
    for where, anchor in given.items():
        begins, ends = earliest_of(anchor), _latest_of(anchor)
        if ends and ends < now - HARDLY_MEANT:
            yield Doubt(where, f"{anchor.name} long-ago", f"{_dated(anchor)}, a year ago or more.")
        if anchor.name in kind.ahead and begins and begins > now + HARDLY_MEANT:
            yield Doubt(where, f"{anchor.name} far-ahead", f"{_dated(anchor)}, a year ahead or more.")


def _unusual(kind: Kind, given: DatesGiven, known: AnchorMap) -> Iterator[Doubt]:
    for where, earlier, later in _reversed(kind.usual_order, given, known):
        says = f"{_dated(later)}, before it was {_words(earlier.name)}."
        yield Doubt(where, f"{later.name} before {earlier.name}", says)


def _dated(anchor: AnchorValue) -> str:
    return f"{_words(anchor.name).capitalize()} is dated {said(anchor)}"


def _reversed(
    order: Iterable[tuple[str, str]], given: DatesGiven, known: AnchorMap
) -> Iterator[tuple[str, AnchorValue, AnchorValue]]:
    """The pairs of facts that come in the other order, at least one of them given, with the field to correct."""
    fields = {anchor.name: where for where, anchor in given.items()}
    together = {**known, **{anchor.name: anchor for anchor in given.values()}}
    for first, second in order:
        where = fields.get(second) or fields.get(first)
        if where and first in together and second in together:
            begins, ends = earliest_of(together[first]), _latest_of(together[second])
            if begins and ends and begins > ends:
                yield where, together[first], together[second]


def _latest_of(anchor: AnchorValue) -> datetime | None:
    """The latest instant at which a dated fact can have happened, or None where nothing is known of it."""
    if anchor.instant:
        return anchor.instant
    last = anchor.last_day or anchor.first_day
    return datetime.combine(last, time.max, UTC) + LATEST_OFFSET if last else None


def _words(name: str) -> str:
    return name.replace("_", " ")
