"""The shape of the clause files: what counsel may write, key by key.

A form's ``standard.yaml`` holds whole clauses; a state's file holds steps that add, replace or amend them by id.
Both are keyed by when they hold: ``as-signed``, the form's own text, or an ISO date from which a later text holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from models.enums import SIDES, ContactRole, Party, PerformedBy
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


class Content(Frozen):
    """One content element that a notice must give, as one clause demands it.

    ``item`` is the place below the clause's own citation; ``condition`` a condition in words.
    """

    required: Required
    item: str | None = None
    condition: str | None = None


class OtherLimit(Frozen):
    """A limit from elsewhere that wins if it is sooner; ``limit`` is None where it is not recorded."""

    limit: LimitText | None = None
    source: str


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
    contacts: Addressees | None = None
    anchors: tuple[Name, ...] | None = None
    anchor_from: ClauseId | None = None
    limit: LimitText | None = None
    or_sooner: tuple[OtherLimit, ...] | None = None
    after_hold: LimitText | None = None
    recurs: bool | None = None
    contents: dict[Name, Content] = Field(default_factory=dict)
    grounds: tuple[Name, ...] = ()


def check_dated(kind: Kind, limit: str | None, anchors: tuple[str, ...]) -> None:
    """Raise ``ValueError`` unless a clause is either a duty with anchors and a limit, or has neither of these."""
    if limit and kind != "duty":
        raise ValueError(f"only a duty has a limit, and this is a {kind}.")
    if limit and not anchors:
        raise ValueError("a limit needs an anchor to be counted from: name one under anchors.")
    if anchors and not limit:
        raise ValueError("an anchor without a limit starts no clock: give a limit, or remove the anchors.")


def check_recurring(recurs: bool, limit: str | None, or_sooner: Iterable[OtherLimit]) -> None:
    """Raise ``ValueError`` unless a clause that recurs has limits that lead on from each due date to the next."""
    if not recurs:
        return
    if limit is None:
        raise ValueError("a duty that recurs needs a limit, so that the next one has a date.")
    if any(parse_limit(text).before for text in (limit, *(other.limit for other in or_sooner)) if text):
        raise ValueError("a duty that recurs is counted from each due date to the next, so its limit is not before.")


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
        contacts: which contacts of the side that is owed the duty are told; None for those that the form names.
        anchors: dated facts that start its clock; the first to occur wins.
        anchor_from: the clause whose due date is the anchor while no anchor is given.
        limit: the time allowed, see ``terms.limits``.
        or_sooner: limits from elsewhere; the soonest wins.
        after_hold: the time allowed once a law-enforcement hold is lifted; None where no hold can delay the duty.
        recurs: whether it comes round again, each time counted from the due date before.
        contents: the elements that its notice must give.
        tells: the elements that its notice gives although the clause asks for none, so that it can be acted on.
        grounds: why a breach may need no notice under this clause.
    """

    title: str
    citation: Citation
    says: Sentence
    kind: Kind = "duty"
    owed_by: Party = Party.PROVIDER
    owed_to: Party = Party.LEA
    performed_by: PerformedBy | None = None
    incomplete: Incomplete | None = None
    contacts: Addressees | None = None
    anchors: tuple[Name, ...] = ()
    anchor_from: ClauseId | None = None
    limit: LimitText | None = None
    or_sooner: tuple[OtherLimit, ...] = ()
    after_hold: LimitText | None = None
    recurs: bool = False
    contents: dict[Name, Content] = Field(default_factory=dict)
    tells: tuple[Name, ...] = ()
    grounds: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        check_dated(self.kind, self.limit, self.anchors)
        check_recurring(self.recurs, self.limit, self.or_sooner)
        check_addressed(self.kind, self.owed_to, self.contacts)
        check_performance(
            self.kind, self.performed_by, self.incomplete, (content.required for content in self.contents.values())
        )
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
    """A document that clauses were read from: its name in trails, its title, and when it was last checked."""

    name: str
    title: str
    read_from: str
    checked: date


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
    """How a person calls a content element, and where its value comes from."""

    label: str
    source: Annotated[
        str,
        Field(
            pattern=r"^(agreement:lea|provider:contact|notice:date|anchor:(occurred|discovered)"
            r"|hold:law_enforcement|(fact|artifact):[a-z_]+)$"
        ),
    ]


class EventText(Frozen):
    """An event: what it is, and the dated facts that it knows."""

    label: str
    anchors: tuple[Name, ...]


class ContentsFile(Frozen):
    """``contents.yaml``."""

    contents: dict[Name, ElementText]


class AnchorsFile(Frozen):
    """``anchors.yaml``: each anchor's label, and the events with the anchors they know.

    ``agreement_dates`` are those anchors that are dates of the agreement itself: nobody reports them, the agreement
    has them.
    """

    anchors: dict[Name, str]
    agreement_dates: tuple[Name, ...]
    events: dict[Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$")], EventText]


class GroundsFile(Frozen):
    """``grounds.yaml``: why a breach may need no notice, in words."""

    grounds: dict[Name, str]


def in_force(texts: Mapping[str, T], on: date) -> T | None:
    """Of texts keyed by moment, the one that holds on a date; None if none does yet."""
    day = on.isoformat()
    since = [moment for moment in texts if moment != AS_SIGNED and moment <= day]
    return texts[max(since)] if since else texts.get(AS_SIGNED)
