"""The shape of the clause files: what counsel may write, key by key.

A form's ``standard.yaml`` holds whole clauses; a state's file holds steps that add, replace or amend them by id.
Both are keyed by when they hold: ``as-signed``, the form's own text, or an ISO date from which a later text holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Literal, Protocol, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, model_validator

from models.enums import EXERCISES, SIDES, AnswerKind, ContactRole, Party, PerformedBy, PostalService
from terms.limits import LIMIT_PATTERN, parse_limit

AS_SIGNED = "as-signed"
T = TypeVar("T")

Kind = Literal["duty", "right", "rule", "definition", "cost", "absent"]
"""What a clause is. A ``duty`` with a limit is dated; ``absent`` is a standard clause that a supplement takes away."""

Required = Literal["at_once", "if_possible", "as_available"]
Incomplete = Literal["goes", "waits"]
"""What becomes of a duty at its due instant while something required at once is missing.

What performs it ``goes`` with what is known, or ``waits`` for the rest, and the duty becomes overdue meanwhile.
"""

Holidays = Literal["federal", "state"]
"""Which holidays business days leave out: the federal ones, or the state's as well."""

Operation = Literal["standard", "adds", "replaces", "amends"]
Layer = Literal["standard", "supplement", "amendment"]


def _limit(text: str) -> str:
    parse_limit(text)
    return text


LimitText = Annotated[
    str,
    BeforeValidator(lambda limit: str(limit) if isinstance(limit, int) else limit),
    AfterValidator(_limit),
    Field(json_schema_extra={"pattern": LIMIT_PATTERN}),
]
ClauseId = Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$")]
Name = Annotated[str, Field(pattern=r"^[a-z]+(_[a-z]+)*$")]
Sentence = Annotated[str, Field(min_length=8)]
Citation = Annotated[str, Field(min_length=3)]
Moment = Annotated[str, Field(pattern=rf"^({AS_SIGNED}|\d{{4}}-\d\d-\d\d)$")]


class Frozen(BaseModel):
    """Base of everything read from a clause file: an unknown key is an error, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Addressees(Frozen):
    """Which contacts of the party that is owed the duty are told, by what the agreement names them for.

    Attributes:
        first: tried in order: the first role that names a contact is told, and a later one where none before it can be
            reached.
        also: told besides, where the agreement names them.
        copies: sent a copy, where the agreement names them.
    """

    first: Annotated[tuple[ContactRole, ...], Field(min_length=1)]
    also: tuple[ContactRole, ...] = ()
    copies: tuple[ContactRole, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        roles = (*self.first, *self.also, *self.copies)
        if twice := next((role for role in roles if roles.count(role) > 1), None):
            raise ValueError(f"the contacts named {twice} are told twice: name them once.")
        return self


class ByPost(Frozen):
    """How an agreement lets a notice be given by post.

    Attributes:
        services: the sorts of mail that it names; a letter that goes any other way performs nothing by itself.
        effective_after: how long after the mailing it takes effect, in days; without it, the mailing gives the notice.
    """

    services: Annotated[tuple[PostalService, ...], Field(min_length=1)]
    effective_after: LimitText | None = None

    @model_validator(mode="after")
    def _days_forward(self) -> Self:
        limit = parse_limit(self.effective_after) if self.effective_after else None
        if limit and (limit.before or limit.unit != "days" or limit.yearly):
            raise ValueError("when a letter takes effect is counted in days after its mailing, such as 4 days.")
        return self


class Content(Frozen):
    """One content element that a notice must give, as one clause demands it.

    ``item`` is the place below the clause's own citation; ``condition`` a condition in words.
    """

    required: Required
    item: str | None = None
    condition: str | None = None


class Floor(Frozen):
    """A prior notice: what follows it may not happen before ``limit`` has passed since the dated fact ``after``.

    It is no deadline: it says when something may happen at the earliest, never when it must have happened.
    """

    after: Name
    limit: LimitText

    @model_validator(mode="after")
    def _days_forward(self) -> Self:
        limit = parse_limit(self.limit)
        if limit.before or limit.unit != "days" or limit.yearly:
            raise ValueError("a floor is counted in days after a dated fact, such as 90 days.")
        return self


class OtherLimit(Frozen):
    """A limit from elsewhere that wins if it is sooner.

    Attributes:
        source: where it is from.
        limit: the limit, where it is recorded.
        day: the dated fact that is itself the last day under it, where a case knows it.
    """

    source: str
    limit: LimitText | None = None
    day: Name | None = None


class Pause(Frozen):
    """While something is awaited the clock stands still: from ``since`` to ``until``, which may come more than once.

    Then the clause is due ``then`` after ``until``, or when it was due before, whichever is later.
    """

    since: Name
    until: Name
    then: LimitText

    @model_validator(mode="after")
    def _forward(self) -> Self:
        limit = parse_limit(self.then)
        if limit.before or limit.yearly:
            raise ValueError("after a pause the time is counted forward, such as 30 days.")
        return self


class Frequency(Frozen):
    """How often the other side may ask: once in ``limit``, or after an event named ``or_after``, such as a breach."""

    limit: LimitText
    or_after: Name | None = None

    @model_validator(mode="after")
    def _forward(self) -> Self:
        limit = parse_limit(self.limit)
        if limit.before or limit.yearly or limit.unit not in ("days", "years"):
            raise ValueError("how often is said in days or years, such as 1 year.")
        return self


class Change(Frozen):
    """An amendment: only what it names changes; contents and grounds are added to those there."""

    citation: Citation
    says: Sentence
    title: str | None = None
    kind: Kind | None = None
    owed_by: Party | None = None
    owed_to: Party | None = None
    performed_by: PerformedBy | None = None
    incomplete: Incomplete | None = None
    other_means: bool | None = None
    contacts: Addressees | None = None
    anchors: tuple[Name, ...] | None = None
    anchor_from: ClauseId | None = None
    limit: LimitText | None = None
    or_sooner: tuple[OtherLimit, ...] | None = None
    after_hold: LimitText | None = None
    pauses: Pause | None = None
    last_moment: bool | None = None
    asks: Name | None = None
    not_before: Floor | None = None
    planned_on: Name | None = None
    unless: tuple[Name, ...] | None = None
    due_on: Name | None = None
    dates: Name | None = None
    may_say: Name | None = None
    holidays: Holidays | None = None
    only_if: Name | None = None
    reading: Sentence | None = None
    recurs: bool | None = None
    each_time: bool | None = None
    once_in: Frequency | None = None
    holds: Name | None = None
    along: tuple[ClauseId, ...] | None = None
    effective_when_sent: bool | None = None
    by_post: ByPost | None = None
    protects: Protected | None = None
    sanitization: str | None = None
    contents: dict[Name, Content] = Field(default_factory=dict)
    grounds: tuple[Name, ...] = ()


class Protected(Frozen):
    """What an agreement protects, as its letters call it.

    Attributes:
        any: any of it, such as ``student data or teacher data``.
        all: all of it, such as ``student data and teacher data``.
        yours: any of it, to the LEA whose it is, such as ``your students' or teachers' data``.
    """

    any: str
    all: str
    yours: str


STUDENT_DATA = Protected(any="student data", all="student data", yours="your students' data")
"""What an agreement protects that names nothing besides."""


class Dated(Protocol):
    """What says when a duty is due: a clause as it is written, or as it stands for one agreement."""

    @property
    def kind(self) -> Kind:
        """What the clause is."""

    @property
    def anchors(self) -> tuple[str, ...]:
        """The dated facts that start its clock."""

    @property
    def limit(self) -> str | None:
        """The time allowed."""

    @property
    def performed_by(self) -> PerformedBy | None:
        """What performs it."""

    @property
    def not_before(self) -> Floor | None:
        """From when on it may be done at the earliest."""

    @property
    def planned_on(self) -> str | None:
        """The dated fact that names a later day for that."""

    @property
    def unless(self) -> tuple[str, ...]:
        """The dated facts that leave it without a date of its own."""

    @property
    def due_on(self) -> str | None:
        """The dated fact that is its due date."""

    @property
    def pauses(self) -> Pause | None:
        """What lets its clock stand still."""

    @property
    def last_moment(self) -> bool:
        """Whether its limit is the last moment and not the plan."""

    @property
    def asks(self) -> str | None:
        """The dated fact that people are asked for."""


def is_dated(clause: Dated) -> bool:
    """Whether a clause sets a duty with a clock: a limit, or a day before which it may not be done."""
    return clause.limit is not None or clause.not_before is not None


def check_dated(clause: Dated) -> None:
    """Raise ``ValueError`` unless a clause is either a duty with anchors and a clock, or has nothing of these."""
    dated = is_dated(clause)
    if dated and clause.kind != "duty":
        raise ValueError(f"only a duty has a limit, and this is a {clause.kind}.")
    if dated and not clause.anchors:
        raise ValueError("a limit needs an anchor to be counted from: name one under anchors.")
    if clause.anchors and not dated:
        raise ValueError("an anchor without a limit starts no clock: give a limit, or remove the anchors.")
    if clause.not_before and clause.limit is None and clause.performed_by is PerformedBy.NOTICE:
        raise ValueError("a notice leaves by a due instant, and a floor alone gives none: give a limit.")
    if not dated and (clause.unless or clause.due_on or clause.pauses):
        raise ValueError("there is no clock that unless, due_on or pauses could change: give a limit, or remove them.")
    if clause.planned_on and clause.not_before is None:
        raise ValueError("planned_on is about a clause with a floor: remove it.")
    if clause.asks and clause.asks not in clause.anchors:
        raise ValueError("asks names a dated fact that starts the clock: name one of its anchors.")
    if clause.last_moment and (clause.limit is None or parse_limit(clause.limit).before):
        raise ValueError("last_moment is about a limit after an anchor, and there is none: remove it.")


def check_recurring(recurs: bool, limit: str | None, or_sooner: Iterable[OtherLimit]) -> None:
    """Raise ``ValueError`` unless a clause that recurs has limits that lead on from each due date to the next."""
    if not recurs:
        return
    if limit is None:
        raise ValueError("a duty that recurs needs a limit, so that the next one has a date.")
    if any(parse_limit(text).before for text in (limit, *(other.limit for other in or_sooner)) if text):
        raise ValueError("a duty that recurs is counted from each due date to the next, so its limit is not before.")


class Repeated(Dated, Protocol):
    """What says whether a duty is owed more than once, and what its notice's reader may say."""

    @property
    def recurs(self) -> bool:
        """Whether it comes round again."""

    @property
    def each_time(self) -> bool:
        """Whether it is owed once more each time that its fact comes about."""

    @property
    def once_in(self) -> Frequency | None:
        """How often the other side may ask for it."""

    @property
    def may_say(self) -> str | None:
        """The dated fact that its notice's reader may say."""


def check_each_time(clause: Repeated) -> None:
    """Raise ``ValueError`` unless what is owed each time counts from one fact, and a notice is what is answered."""
    if clause.once_in and (clause.kind != "duty" or len(clause.anchors) != 1):
        raise ValueError("once_in is about a duty that counts from one anchor: that it was asked for.")
    if clause.each_time and (clause.recurs or len(clause.anchors) != 1 or clause.limit is None):
        raise ValueError("each_time is about one anchor with a limit, of a duty that does not recur by itself.")
    if clause.may_say and clause.performed_by is not PerformedBy.NOTICE:
        raise ValueError("may_say is about the link in a notice, and this is performed by none: remove it.")


MAY_LACK_CONTENTS = (PerformedBy.NOTICE, PerformedBy.CONFIRMATION, PerformedBy.DOCUMENT)
"""What performs a duty by giving contents, so that some of them can be missing at the due instant."""


def check_performance(
    kind: Kind, performed_by: PerformedBy | None, incomplete: Incomplete | None, required: Iterable[Required]
) -> None:
    """Raise ``ValueError`` unless a duty, and nothing else, says how it is performed and what happens if that lacks.

    Args:
        kind: what the clause is.
        performed_by: what performs it.
        incomplete: what happens at the due instant while something required at once is missing.
        required: how firmly each of its content elements is required.
    """
    if kind != "duty":
        if performed_by or incomplete:
            raise ValueError(f"only a duty is performed, and this is a {kind}: leave out performed_by and incomplete.")
        return
    if performed_by is None:
        raise ValueError(f"a duty says how it is performed: give performed_by, one of {', '.join(PerformedBy)}.")
    firmness = tuple(required)
    if incomplete and (performed_by not in MAY_LACK_CONTENTS or not firmness):
        raise ValueError("incomplete is about contents that are missing, and nothing here gives any: it must be null.")
    if incomplete == "goes" and performed_by is not PerformedBy.NOTICE:
        raise ValueError(f"only a notice goes with something missing; a duty performed by {performed_by} waits.")
    if incomplete is None and performed_by in MAY_LACK_CONTENTS and "at_once" in firmness:
        raise ValueError(
            f"something is required at once, so say what happens when it is missing at the due instant: incomplete: "
            f"{'goes or waits' if performed_by is PerformedBy.NOTICE else 'waits'}."
        )


DONE_ELSEWHERE = frozenset({PerformedBy.NOTICE, PerformedBy.DOCUMENT, PerformedBy.ACT})
"""What performs a duty that may be done outside this engine, unless its clause forbids that.

A holder's confirmation is that holder's own word, and time passes by itself.
"""


def check_other_means(performed_by: PerformedBy | None, other_means: bool | None) -> None:
    """Raise ``ValueError`` where a clause says of other means what cannot be, or what goes without saying."""
    if other_means is None:
        return
    if performed_by not in DONE_ELSEWHERE:
        raise ValueError(
            "other_means is about what somebody may do instead of this engine: a notice, a document or an act. "
            "Leave it out."
        )
    if other_means:
        raise ValueError("other means are allowed unless a clause forbids them: leave other_means out, or give false.")


def is_addressed(kind: Kind, owed_to: Party) -> bool:
    """Whether a clause has contacts to tell: it is a duty, owed to a side whose contacts the agreement names."""
    return kind == "duty" and owed_to in SIDES


def check_addressed(kind: Kind, owed_to: Party, contacts: Addressees | None) -> None:
    """Raise ``ValueError`` if a clause names contacts and there can be none."""
    if contacts is None or is_addressed(kind, owed_to):
        return
    if kind != "duty":
        raise ValueError(f"only a duty is addressed to contacts, and this is a {kind}: leave out contacts.")
    raise ValueError(f"an agreement names the contacts of its two sides, and none of {owed_to}: leave out contacts.")


def check_answers(
    kind: Kind, performed_by: PerformedBy | None, offers: str | None, answer: AnswerKind | None, reasons: Iterable[str]
) -> None:
    """Raise ``ValueError`` unless a notice offers the right that its reader answers it with, and a right has its words.

    Args:
        kind: what the clause is.
        performed_by: what performs it.
        offers: the right that its notice's reader may exercise.
        answer: what a party answers to exercise it.
        reasons: the grounds on which it may be exercised.
    """
    if offers and performed_by is not PerformedBy.NOTICE:
        raise ValueError("only a notice has a link by which its reader may exercise a right: leave out offers.")
    if (answer or tuple(reasons)) and kind != "right":
        raise ValueError(f"a party answers to exercise a right, and this is a {kind}: leave out answer and reasons.")
    if answer and answer not in EXERCISES:
        raise ValueError(f"a right is exercised by one of these answers: {', '.join(sorted(EXERCISES))}.")
    if bool(answer) != bool(tuple(reasons)):
        raise ValueError("a right that is exercised by an answer has answer and reasons, both or neither.")


def check_effective(kind: Kind, effective_when_sent: bool, by_post: ByPost | None) -> None:
    """Raise ``ValueError`` where something else than a rule says when an e-mail or a letter takes effect."""
    if effective_when_sent and kind != "rule":
        raise ValueError(f"when an e-mail takes effect is a rule, and this is a {kind}: leave out effective_when_sent.")
    if by_post and kind != "rule":
        raise ValueError(f"how a notice is given by post is a rule, and this is a {kind}: leave out by_post.")


def check_protects(kind: Kind, protects: Protected | None) -> None:
    """Raise ``ValueError`` where something else than a definition says what the agreement protects."""
    if protects and kind != "definition":
        raise ValueError(f"what an agreement protects is a definition, and this is a {kind}: leave out protects.")


def check_sanitization(kind: Kind, sanitization: str | None) -> None:
    """Raise ``ValueError`` where something else than a rule names a standard of sanitization."""
    if sanitization and kind != "rule":
        raise ValueError(f"how media are sanitized is a rule, and this is a {kind}: leave out sanitization.")


class Clause(Frozen):
    """One whole clause.

    Attributes:
        title: the duty or rule in plain words.
        citation: where the document says it.
        says: what it says, in our own words.
        owed_by: the party that has to do what the clause says.
        owed_to: the party that it has to be done towards, and that is told.
        performed_by: what performs a duty; None for what is no duty.
        incomplete: what happens at the due instant while an element required at once is missing; None where nothing is
            required at once.
        other_means: whether two people may record that it was performed by other means than the engine's, such as a
            letter; None for what holds of everything that is performed so (``DONE_ELSEWHERE``).
        contacts: which contacts of the side that is owed the duty are told; None for those that the form names.
        anchors: dated facts that start its clock; the first to occur wins.
        anchor_from: the clause whose due date is the anchor while no anchor is given.
        limit: the time allowed, see ``terms.limits``.
        or_sooner: limits from elsewhere; the soonest wins.
        after_hold: the time allowed once a law-enforcement hold is lifted; None where no hold can delay the duty.
        pauses: what lets its clock stand still; None where nothing does.
        last_moment: whether the limit is the last moment and not the plan, so that the duty is to be done at once.
        asks: the anchor that people are asked for as a decision while the clock has not started: since when, or not.
        not_before: from when on it may be done at the earliest, whatever its limit.
        planned_on: the dated fact that names a later day for that.
        unless: the dated facts any of which leaves the clause without a date of its own: it holds only without them.
        due_on: the dated fact that, once the clock runs, is itself the due date, in place of the limit.
        dates: the dated fact that performing the duty brings about.
        may_say: the dated fact that whoever reads its notice may say has come about, by the notice's link.
        holidays: which holidays business days leave out.
        only_if: what an agreement must have chosen for the clause to be part of it.
        reading: how a doubtful text was read, for whoever relies on the due date.
        recurs: whether it comes round again, each time counted from the due date before.
        each_time: whether it is owed once more each time that its fact comes about, counted from that.
        once_in: how often the other side may ask for it; None where nothing is said.
        holds: the dated fact that may not come about under an agreement before this is done.
        along: the clauses that the same matter opens besides, since it starts their clocks as well.
        effective_when_sent: of the rule about how notices are given, whether an e-mail takes effect when it is sent,
            whatever becomes of it; else one that comes back was not given.
        by_post: of the same rule, how a letter gives a notice; None where the agreement names no post, so that a letter
            by itself performs nothing.
        protects: of the definition of what the agreement covers, what letters call it; None for student data alone.
        sanitization: of a rule on how media are sanitized, the standard that it names.
        contents: the elements that its notice must give.
        tells: the elements that it gives as a courtesy, although the clause does not ask for them.
        grounds: why a matter may need no notice under this clause.
        offers: the right that the reader of its notice may exercise by the notice's link, or say not to.
        answer: what a party answers in order to exercise a right.
        reasons: on what grounds it may be exercised, each as the party says it.
    """

    title: str
    citation: Citation
    says: Sentence
    kind: Kind = "duty"
    owed_by: Party = Party.PROVIDER
    owed_to: Party = Party.LEA
    performed_by: PerformedBy | None = None
    incomplete: Incomplete | None = None
    other_means: bool | None = None
    contacts: Addressees | None = None
    anchors: tuple[Name, ...] = ()
    anchor_from: ClauseId | None = None
    limit: LimitText | None = None
    or_sooner: tuple[OtherLimit, ...] = ()
    after_hold: LimitText | None = None
    pauses: Pause | None = None
    last_moment: bool = False
    asks: Name | None = None
    not_before: Floor | None = None
    planned_on: Name | None = None
    unless: tuple[Name, ...] = ()
    due_on: Name | None = None
    dates: Name | None = None
    may_say: Name | None = None
    holidays: Holidays = "federal"
    only_if: Name | None = None
    reading: Sentence | None = None
    recurs: bool = False
    each_time: bool = False
    once_in: Frequency | None = None
    holds: Name | None = None
    along: tuple[ClauseId, ...] = ()
    effective_when_sent: bool = False
    by_post: ByPost | None = None
    protects: Protected | None = None
    sanitization: str | None = None
    contents: dict[Name, Content] = Field(default_factory=dict)
    tells: tuple[Name, ...] = ()
    grounds: tuple[Name, ...] = ()
    offers: ClauseId | None = None
    answer: AnswerKind | None = None
    reasons: dict[Name, Sentence] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        check_dated(self)
        check_recurring(self.recurs, self.limit, self.or_sooner)
        check_each_time(self)
        check_addressed(self.kind, self.owed_to, self.contacts)
        check_performance(
            self.kind, self.performed_by, self.incomplete, (content.required for content in self.contents.values())
        )
        check_other_means(self.performed_by, self.other_means)
        check_answers(self.kind, self.performed_by, self.offers, self.answer, self.reasons)
        check_effective(self.kind, self.effective_when_sent, self.by_post)
        check_protects(self.kind, self.protects)
        check_sanitization(self.kind, self.sanitization)
        return self


class Step(Frozen):
    """One step of a supplement: it adds, replaces or amends one clause."""

    adds: Clause | None = None
    replaces: Clause | None = None
    amends: Change | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(part is not None for part in (self.adds, self.replaces, self.amends)) != 1:
            raise ValueError("a step does exactly one of adds, replaces, amends.")
        return self

    @property
    def operation(self) -> Operation:
        """What the step does."""
        return "adds" if self.adds else "replaces" if self.replaces else "amends"

    @property
    def text(self) -> Clause | Change:
        """What it puts in place."""
        text = self.adds or self.replaces or self.amends
        assert text is not None, "a step holds exactly one text"
        return text


class Document(Frozen):
    """A document that clauses were read from.

    Attributes:
        name: how trails call it.
        title: its own title.
        read_from: which copy of it was read.
        checked: when the clauses were last compared with it.
        sha256: the digest of the text that was read.
        places: by citation, the line of that text on which the provision begins.
    """

    name: str
    title: str
    read_from: str
    checked: date
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    places: dict[Citation, PositiveInt] = Field(default_factory=dict)


class CitationShapes(Frozen):
    """Regular expressions that a citation must match in full, by the kind of document."""

    standard: str
    supplement: str
    amendment: str

    @model_validator(mode="after")
    def _compile(self) -> Self:
        for pattern in (self.standard, self.supplement, self.amendment):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"the pattern {pattern} is no regular expression: {error}.") from None
        return self


class FormHeader(Frozen):
    """What a form is called, what its agreements' own changes are called, and how it is cited.

    ``precedence`` is the order in which its documents apply: a later one controls over those before it.
    ``contacts`` are told of a duty where its clause names no others.
    """

    name: str
    amendments: str
    precedence: tuple[Layer, ...]
    precedence_citation: str
    contacts: Addressees
    citations: CitationShapes


class StateHeader(Frozen):
    """A state: postal abbreviation, name, and the zone taken for an LEA that names none."""

    abbreviation: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    name: str
    zone: str


class StandardFile(Frozen):
    """``<form>/standard.yaml``."""

    form: FormHeader
    document: Document
    clauses: dict[ClauseId, dict[Moment, Clause]]


class SupplementFile(Frozen):
    """``<form>/<state>.yaml``; with no clauses where the supplement changes none."""

    state: StateHeader
    document: Document
    clauses: dict[ClauseId, dict[Moment, tuple[Step, ...]]]


class ElementText(Frozen):
    """How a person calls a content element, and where its value comes from.

    ``like`` is another one that asks for the same in other words: what is learnt of that holds for this one too, until
    people have learnt something else of this one.
    """

    label: str
    source: Annotated[
        str,
        Field(
            pattern=r"^(agreement:lea|provider:contact|notice:date|anchor:(occurred|discovered|corrected)"
            r"|hold:law_enforcement|(fact|artifact):[a-z_]+)$"
        ),
    ]
    like: Name | None = None


class EventText(Frozen):
    """An event: what it is, and the dated facts that it knows."""

    label: str
    anchors: tuple[Name, ...]


class ContentsFile(Frozen):
    """``contents.yaml``."""

    contents: dict[Name, ElementText]

    @model_validator(mode="after")
    def _alike_are_known(self) -> Self:
        if unknown := {text.like for text in self.contents.values() if text.like} - self.contents.keys():
            raise ValueError(f"like names a content element, and there is none called {', '.join(sorted(unknown))}.")
        return self


class AnchorsFile(Frozen):
    """``anchors.yaml``: each anchor's label, and the events with the anchors they know.

    ``agreement_dates`` are those anchors that are dates of the agreement itself: nobody reports them, the agreement
    has them.
    """

    anchors: dict[Name, str]
    agreement_dates: tuple[Name, ...]
    events: dict[Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$")], EventText]


class ChoicesFile(Frozen):
    """``choices.yaml``: what the parties of an agreement may have chosen, in words."""

    choices: dict[Name, str]


class GroundsFile(Frozen):
    """``grounds.yaml``: why a matter may need no notice, in words."""

    grounds: dict[Name, str]


def in_force(texts: Mapping[str, T], on: date) -> T | None:
    """Of texts keyed by moment, the one that holds on a date; None if none does yet."""
    day = on.isoformat()
    since = [moment for moment in texts if moment != AS_SIGNED and moment <= day]
    return texts[max(since)] if since else texts.get(AS_SIGNED)
