"""Effective terms: the clauses in force for one agreement, after its supplement and its own agreed changes.

Terms are content-addressed: their hash is the SHA-256 of their canonical JSON (RFC 8785), and a snapshot of those
bytes is enough to compute every duty later, whatever has happened to the files since.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from functools import cached_property, lru_cache
from typing import Any, Self

import rfc8785
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from models.enums import AnswerKind, Party, PerformedBy
from terms.catalogue import Catalogue, Form, order_problem, text_problems
from terms.clauses import (
    DONE_ELSEWHERE,
    STUDENT_DATA,
    Addressees,
    ByPost,
    Change,
    Clause,
    ClauseId,
    Floor,
    Frequency,
    Holidays,
    Incomplete,
    Kind,
    LimitText,
    Operation,
    OtherLimit,
    Pause,
    Protected,
    Step,
    check_addressed,
    check_answers,
    check_dated,
    check_each_time,
    check_effective,
    check_other_means,
    check_performance,
    check_protects,
    check_recurring,
    check_sanitization,
    in_force,
    is_addressed,
    is_dated,
)
from terms.contents import ContentElement
from terms.errors import AmendmentError, UnknownClause

CORRECT_THE_CHANGE = "Correct the change, or the clause that it changes."


class Frozen(BaseModel):
    """Base of what a snapshot holds; a field added later gets a default, so that old snapshots keep their hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TrailStep(Frozen):
    """One step by which a clause came to say what it says: which document, where, what it did, in our words."""

    document: str
    clause: str
    operation: Operation
    says: str


class EffectiveClause(Frozen):
    """One clause as it stands for one agreement; the fields are those of ``terms.clauses.Clause``.

    ``contacts`` are those of the form where the clause names no others; None where nobody is told whose contacts the
    agreement names: for what is no duty, and for duties owed to others than its two sides.
    """

    id: str
    title: str
    kind: Kind
    owed_by: Party
    owed_to: Party
    performed_by: PerformedBy | None = None
    incomplete: Incomplete | None = None
    other_means: bool | None = None
    contacts: Addressees | None = None
    anchors: tuple[str, ...] = ()
    anchor_from: str | None = None
    limit: LimitText | None = None
    or_sooner: tuple[OtherLimit, ...] = ()
    after_hold: LimitText | None = None
    pauses: Pause | None = None
    last_moment: bool = False
    asks: str | None = None
    not_before: Floor | None = None
    planned_on: str | None = None
    unless: tuple[str, ...] = ()
    due_on: str | None = None
    dates: str | None = None
    may_say: str | None = None
    holidays: Holidays = "federal"
    only_if: str | None = None
    reading: str | None = None
    recurs: bool = False
    each_time: bool = False
    once_in: Frequency | None = None
    holds: str | None = None
    along: tuple[str, ...] = ()
    effective_when_sent: bool = False
    by_post: ByPost | None = None
    protects: Protected | None = None
    sanitization: str | None = None
    contents: tuple[ContentElement, ...] = ()
    tells: tuple[ContentElement, ...] = ()
    grounds: tuple[str, ...] = ()
    offers: str | None = None
    answer: AnswerKind | None = None
    reasons: Mapping[str, str] = {}
    trail: tuple[TrailStep, ...]

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        check_dated(self)
        check_recurring(self.recurs, self.limit, self.or_sooner)
        check_each_time(self)
        check_addressed(self.kind, self.owed_to, self.contacts)
        check_performance(
            self.kind, self.performed_by, self.incomplete, (element.required for element in self.contents)
        )
        check_other_means(self.performed_by, self.other_means)
        check_answers(self.kind, self.performed_by, self.offers, self.answer, self.reasons)
        check_effective(self.kind, self.effective_when_sent, self.by_post)
        check_protects(self.kind, self.protects)
        check_sanitization(self.kind, self.sanitization)
        return self

    @property
    def event(self) -> str:
        """The event the clause is about: the part of its id before the dot."""
        return self.id.partition(".")[0]

    @property
    def may_be_done_elsewhere(self) -> bool:
        """Whether two people may record that it was performed by other means than the engine's."""
        return self.performed_by in DONE_ELSEWHERE and self.other_means is not False

    @property
    def notice_contents(self) -> tuple[ContentElement, ...]:
        """What its notice says: what the clause demands, and what it tells although the clause is silent about it.

        A duty for which there is neither is not performed by a notice.
        """
        return (*self.contents, *self.tells)

    @property
    def at_once(self) -> tuple[str, ...]:
        """The elements that must be in the first thing given, by id."""
        return tuple(element.id for element in self.contents if element.required == "at_once")

    @property
    def dated(self) -> bool:
        """Whether the clause sets a duty with a clock."""
        return is_dated(self)


class Amendment(Frozen):
    """One change agreed for one agreement: a step of a supplement, from when it holds, and who entered it.

    ``document`` names the paper it stands in, by default what the form calls such changes.
    """

    clause: ClauseId
    step: Step
    effective: date
    entered_by: str
    document: str | None = None

    def __hash__(self) -> int:
        """Hash by content; the step's mappings are not hashable by themselves."""
        return hash(self.model_dump_json())


class EffectiveTerms(Frozen):
    """All clauses in force for one agreement, with the words needed to explain them.

    ``agreement_dates`` names the anchors that are dates of the agreement itself, so that nobody has to report them.
    """

    form: str
    state: str | None = None
    clauses: Mapping[str, EffectiveClause]
    anchors: Mapping[str, str]
    agreement_dates: tuple[str, ...] = ()
    events: Mapping[str, tuple[str, ...]]
    grounds: Mapping[str, str]

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the snapshot, 64 hexadecimal digits."""
        return hashlib.sha256(self.snapshot).hexdigest()

    @cached_property
    def snapshot(self) -> bytes:
        """The terms as canonical JSON (RFC 8785)."""
        return rfc8785.dumps(self.model_dump(mode="json", exclude_defaults=True))

    @classmethod
    def from_snapshot(cls, body: bytes) -> EffectiveTerms:
        """The terms of a snapshot; their hash is the snapshot's SHA-256."""
        terms = cls.model_validate_json(body)
        vars(terms)["snapshot"] = body  # not made anew, which costs more than reading it
        return terms

    @cached_property
    def dated(self) -> Mapping[str, tuple[EffectiveClause, ...]]:
        """By event, the clauses that set a duty with a clock, in the order of their ids."""
        found: dict[str, list[EffectiveClause]] = defaultdict(list)
        for clause in self.clauses.values():
            if clause.dated:
                found[clause.event].append(clause)
        return {event: tuple(clauses) for event, clauses in found.items()}

    @cached_property
    def effective_when_sent(self) -> bool:
        """Whether an e-mail takes effect when it is sent, whatever becomes of it; else one that comes back has none."""
        return any(clause.effective_when_sent for clause in self.clauses.values())

    @cached_property
    def by_post(self) -> ByPost | None:
        """How a letter gives a notice; None where nothing is said of post, so that it performs nothing by itself."""
        return next((clause.by_post for clause in self.clauses.values() if clause.by_post), None)

    @cached_property
    def protects(self) -> Protected:
        """What the agreement protects, as its letters call it."""
        return next((clause.protects for clause in self.clauses.values() if clause.protects), STUDENT_DATA)

    @property
    def sanitization(self) -> str | None:
        """The standard by which the agreement has media sanitized; None where it names none."""
        return next((clause.sanitization for clause in self.clauses.values() if clause.sanitization), None)

    def clause(self, clause_id: str) -> EffectiveClause:
        """The clause of this id.

        Raises:
            UnknownClause: if these terms have none.
        """
        found = self.clauses.get(clause_id)
        if found is None:
            raise UnknownClause(
                f"The terms have no clause {clause_id!r}.",
                where="clause",
                next_step=f"They have {', '.join(self.clauses)}.",
            )
        return found

    def __eq__(self, other: object) -> bool:
        """Equal terms have equal hashes."""
        return self is other or (isinstance(other, EffectiveTerms) and self.hash == other.hash)

    def __hash__(self) -> int:
        """Hash by content."""
        return hash(self.hash)


def effective_terms(
    catalogue: Catalogue,
    form: str,
    state: str | None,
    *,
    amendments: Iterable[Amendment] = (),
    choices: Iterable[str] = (),
    on: date | None = None,
) -> EffectiveTerms:
    """The terms in force for one agreement.

    Each form's order of precedence puts the state's supplement over the standard clauses and the agreement's own
    changes over both; each step is applied in that order and noted in the clause's trail.

    Args:
        catalogue: where the clauses are.
        form: id of the form, such as the name of its folder.
        state: postal abbreviation of the LEA's state; None for the standard clauses alone.
        amendments: the agreement's own changes; those not yet effective are left out, the others apply by date.
        choices: what its parties have chosen where a document leaves them a choice, as ``choices.yaml`` names it.
        on: the day for which texts and amendments are chosen, by default today in UTC. Give it wherever a result
            must be reproducible.

    Raises:
        UnknownForm, StateNotCovered: the catalogue does not have them.
        UnknownChoice: the catalogue knows no such choice.
        AmendmentError: a change does not fit the terms.
    """
    day = on or datetime.now(UTC).date()
    return _resolve(catalogue, form, state.upper() if state else None, tuple(amendments), frozenset(choices), day)


@lru_cache(maxsize=4096)
def _resolve(
    catalogue: Catalogue,
    form_id: str,
    state: str | None,
    amendments: tuple[Amendment, ...],
    choices: frozenset[str],
    on: date,
) -> EffectiveTerms:
    form = catalogue.form(form_id)
    catalogue.check_choices(choices)
    resolution = _Resolution(catalogue, form)
    for layer in form.standard.form.precedence:
        match layer:
            case "standard":
                resolution.take_standard(form, on)
            case "supplement" if state is not None:
                resolution.take_supplement(form, state, on)
            case "amendment":
                effective = (amendment for amendment in amendments if amendment.effective <= on)
                for amendment in sorted(effective, key=lambda amendment: amendment.effective):
                    resolution.take_amendment(form, amendment)
    return resolution.terms(form_id, state, choices)


class _Resolution:
    """Applies the steps of each document in order of precedence."""

    def __init__(self, catalogue: Catalogue, form: Form) -> None:
        self._words = catalogue.words
        self._contacts = form.standard.form.contacts
        self._clauses: dict[str, EffectiveClause] = {}

    def take_standard(self, form: Form, on: date) -> None:
        for clause_id, texts in form.standard.clauses.items():
            if clause := in_force(texts, on):
                self._put(clause_id, clause, form.standard.document.name, "standard")

    def take_supplement(self, form: Form, state: str, on: date) -> None:
        supplement = form.supplement(state)
        for clause_id, texts in supplement.clauses.items():
            for step in in_force(texts, on) or ():
                self._take(clause_id, step, supplement.document.name)

    def take_amendment(self, form: Form, amendment: Amendment) -> None:
        header, step = form.standard.form, amendment.step
        shape = r".+" if amendment.document else header.citations.amendment
        problems = [problem for _, problem in text_problems(amendment.clause, step.text, (), self._words, shape)]
        if problem := order_problem(amendment.clause, step.operation, amendment.clause in self._clauses):
            problems.append(problem)
        document = amendment.document or header.amendments
        if not problems:
            self._take(amendment.clause, step, document)
            return
        raise AmendmentError(
            " ".join(problem[0].upper() + problem[1:] for problem in problems),
            where=f"{document}, {amendment.clause}",
            next_step=CORRECT_THE_CHANGE,
        )

    def terms(self, form: str, state: str | None, choices: frozenset[str]) -> EffectiveTerms:
        clauses = {
            clause_id: clause
            for clause_id, clause in sorted(self._clauses.items())
            if clause.only_if is None or clause.only_if in choices
        }
        events = sorted({clause.event for clause in clauses.values()})
        known = {event: self._words.events[event].anchors for event in events}
        anchors = {anchor: self._words.anchors[anchor] for names in known.values() for anchor in names}
        grounds = {ground for clause in clauses.values() for ground in clause.grounds}
        return EffectiveTerms(
            form=form,
            state=state,
            clauses=clauses,
            anchors=anchors,
            agreement_dates=tuple(anchor for anchor in self._words.agreement_dates if anchor in anchors),
            events=known,
            grounds={ground: self._words.grounds[ground] for ground in sorted(grounds)},
        )

    def _take(self, clause_id: str, step: Step, document: str) -> None:
        text = step.text
        if isinstance(text, Clause):
            self._put(clause_id, text, document, step.operation)
        else:
            self._amend(clause_id, text, document)

    def _put(self, clause_id: str, clause: Clause, document: str, operation: Operation) -> None:
        before = self._clauses.get(clause_id)
        step = TrailStep(document=document, clause=clause.citation, operation=operation, says=clause.says)
        self._clauses[clause_id] = EffectiveClause(
            id=clause_id,
            contents=self._elements(clause, document),
            tells=self._unasked(clause),
            trail=(*before.trail, step) if before else (step,),
            **self._addressed(_fields(clause)),
        )

    def _amend(self, clause_id: str, change: Change, document: str) -> None:
        before = self._clauses[clause_id]
        contents = {element.id: element for element in (*before.contents, *self._elements(change, document))}
        step = TrailStep(document=document, clause=change.citation, operation="amends", says=change.says)
        fields = {
            **dict(before),
            **_fields(change),
            "contents": tuple(contents.values()),
            "grounds": tuple(dict.fromkeys((*before.grounds, *change.grounds))),
            "trail": (*before.trail, step),
        }
        try:
            self._clauses[clause_id] = EffectiveClause.model_validate(self._addressed(fields))
        except ValidationError as error:
            reason = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise AmendmentError(
                f"With this change the clause makes no sense: {reason}",
                where=f"{document}, {clause_id}",
                next_step=CORRECT_THE_CHANGE,
            ) from None

    def _addressed(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields of a clause, with the form's contacts where it is addressed to contacts and names none itself."""
        named = fields["contacts"] if fields["contacts"] != self._contacts else None
        usual = self._contacts if is_addressed(fields["kind"], fields["owed_to"]) else None
        return fields | {"contacts": named or usual}

    def _unasked(self, clause: Clause) -> tuple[ContentElement, ...]:
        return tuple(
            ContentElement(
                id=element,
                label=self._words.contents[element].label,
                required="as_available",
                source=self._words.contents[element].source,
                citation="not asked for; given as a courtesy",
            )
            for element in clause.tells
        )

    def _elements(self, text: Clause | Change, document: str) -> tuple[ContentElement, ...]:
        return tuple(
            ContentElement(
                id=element,
                label=self._words.contents[element].label,
                required=content.required,
                source=self._words.contents[element].source,
                citation=f"{document}, {text.citation}{content.item or ''}",
                condition=content.condition,
            )
            for element, content in text.contents.items()
        )


NOT_COPIED = {"citation", "says", "contents", "tells"}
"""What of a clause's text becomes its trail and its content elements instead."""


def _fields(text: Clause | Change) -> dict[str, Any]:
    """The fields of a text that an effective clause takes over as they are; of a change, only those it sets."""
    names = text.model_fields_set if isinstance(text, Change) else set(type(text).model_fields)
    return {name: getattr(text, name) for name in names - NOT_COPIED}
