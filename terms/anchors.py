"""What kind of dated fact each anchor is: an instant or a day, found by somebody or written in the agreement."""

from __future__ import annotations

from collections.abc import Iterator

from terms.duties import HOLD_LIFTED
from terms.effective import EffectiveClause, EffectiveTerms
from terms.limits import parse_limit


def needs_instant(terms: EffectiveTerms, event: str) -> frozenset[str]:
    """The anchors of an event from which one of its clauses counts hours, so that a day is not enough.

    Any other anchor of the event may be given as an instant or as a day.
    """
    return frozenset(anchor for clause in terms.dated.get(event, ()) for anchor in _counted_in_hours(clause))


def _counted_in_hours(clause: EffectiveClause) -> Iterator[str]:
    """The anchors of a clause that one of its limits counts hours from, also where another limit may be sooner."""
    limits = (clause.limit, *(other.limit for other in clause.or_sooner))
    if any(_is_in_hours(limit) for limit in limits):
        yield from clause.anchors
    if _is_in_hours(clause.after_hold):
        yield HOLD_LIFTED
    if clause.pauses and _is_in_hours(clause.pauses.then):
        yield clause.pauses.until


def _is_in_hours(text: str | None) -> bool:
    if text is None:
        return False
    limit = parse_limit(text)
    return limit.unit == "hours" and not limit.in_advance


def dates_of_agreement(terms: EffectiveTerms, event: str) -> frozenset[str]:
    """The anchors of an event that are dates of the agreement itself, so that a case finds them there."""
    return frozenset(terms.events.get(event, ())) & frozenset(terms.agreement_dates)


def may_lie_ahead(clause: EffectiveClause, anchor: str) -> bool:
    """Whether a fact may lie in the future: a clause counts back from it, or names it as the day itself."""
    if anchor == clause.due_on:
        return True
    limits = (clause.limit, *(other.limit for other in clause.or_sooner))
    return anchor in clause.anchors and any(parse_limit(limit).before for limit in limits if limit)


def facts_of(clause: EffectiveClause) -> frozenset[str]:
    """Every dated fact on which a clause's own clock depends, and the one that it brings about."""
    others = (clause.due_on, clause.dates, clause.not_before.after if clause.not_before else None)
    return frozenset((*clause.anchors, *clause.unless, *(name for name in others if name)))


def counts_school_days(terms: EffectiveTerms, event: str) -> bool:
    """Whether some clause of an event counts school days, so that the LEA's calendar matters."""
    limits = (clause.limit for clause in terms.dated.get(event, ()))
    return any(limit is not None and parse_limit(limit).unit == "school days" for limit in limits)
