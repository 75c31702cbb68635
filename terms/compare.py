"""What one set of terms changes against another: a state against the standard, or newer terms against pinned ones."""

from __future__ import annotations

from dataclasses import dataclass

from terms.clauses import ByPost
from terms.effective import EffectiveClause, EffectiveTerms, TrailStep
from terms.limits import parse_limit


@dataclass(frozen=True, slots=True)
class ClauseDifference:
    """How one clause differs; ``before`` or ``after`` is None where the clause is absent."""

    clause: str
    before: EffectiveClause | None
    after: EffectiveClause | None

    @property
    def says(self) -> tuple[str, ...]:
        """Sentences on what changed, each with where it is written."""
        if self.after is None:
            return ("No longer there.",)
        known = self.before.trail if self.before else ()
        steps = [step for step in self.after.trail if step not in known]
        return tuple(f"{step.document}, {step.clause} {step.operation}: {step.says}" for step in steps)


def differences(before: EffectiveTerms, after: EffectiveTerms) -> tuple[ClauseDifference, ...]:
    """Every clause that is not the same in both, in the order of clause ids."""
    ids = sorted(before.clauses.keys() | after.clauses.keys())
    pairs = ((clause_id, before.clauses.get(clause_id), after.clauses.get(clause_id)) for clause_id in ids)
    return tuple(ClauseDifference(clause_id, old, new) for clause_id, old, new in pairs if old != new)


def governing(clause: EffectiveClause) -> tuple[TrailStep, ...]:
    """The steps that still count: the last text that was put in place whole, and what amended it since."""
    whole = max(n for n, step in enumerate(clause.trail) if step.operation != "amends")
    return clause.trail[whole:]


def value_of(clause: EffectiveClause | None) -> str:
    """A clause's value in a few words: its limit with its anchors, or what kind of clause it is."""
    if clause is None:
        return "–"
    if not clause.dated:
        words = {"duty": "no time set", "absent": "taken away"}.get(clause.kind, clause.kind)
        sent = ["an e-mail once it is sent"] if clause.effective_when_sent else []
        named = [*([clause.protects.all] if clause.protects else []), *filter(None, [clause.sanitization])]
        return ", ".join([words, *sent, *([_by_post(clause.by_post)] if clause.by_post else []), *named])
    parts = [_limit_of(clause) if clause.limit else f"no deadline, once {' or '.join(clause.anchors)}"]
    if clause.or_sooner:
        parts.append("or sooner elsewhere")
    if clause.last_moment:
        parts.append("the last moment and not the plan")
    if clause.pauses:
        parts.append(f"pausing from {clause.pauses.since} to {clause.pauses.until}")
    if clause.due_on:
        parts.append(f"or on the day of {clause.due_on}")
    if floor := clause.not_before:
        parts.append(f"not before {parse_limit(floor.limit)} after {floor.after}")
    if clause.unless:
        parts.append(f"unless {' or '.join(clause.unless)}")
    if clause.each_time:
        parts.append("once more each time")
    if often := clause.once_in:
        parts.append(f"once in {parse_limit(often.limit)}{f' or after a {often.or_after}' if often.or_after else ''}")
    if clause.holds:
        parts.append(f"{clause.holds} on hold until it is done")
    if clause.only_if:
        parts.append(f"only if {clause.only_if}")
    return ", ".join(parts)


def _by_post(by_post: ByPost) -> str:
    after = f"{by_post.effective_after} after it was posted" if by_post.effective_after else "once it is posted"
    return f"a letter {after}"


def _limit_of(clause: EffectiveClause) -> str:
    assert clause.limit is not None, "asked of a clause that has a limit"
    limit = parse_limit(clause.limit)
    link = " of" if limit.amount == 0 and not limit.yearly else "" if limit.before else " after"
    return f"{limit}{link} {' or '.join(clause.anchors)}"


def contacts_of(clause: EffectiveClause) -> str:
    """Which contacts a clause has told, in a few words."""
    if clause.contacts is None:
        return "–"
    told = [", or else ".join(clause.contacts.first)]
    told += [f"also {role}" for role in clause.contacts.also]
    told += [f"copies to {role}" for role in clause.contacts.copies]
    return "; ".join(told)
