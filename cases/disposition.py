"""A directive for disposition of student data: what an LEA directs, who confirms it, and when such a case is over.

The directive is Exhibit D of the agreement. What its holders certify is in ``cases/certificate.py``. The acts about
holders are those of the end of an agreement as well (``cases/end_of_agreement.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias, assert_never, cast

from pydantic import Field

from cases.acts import Act, ConfirmDone, Made, Reason, TakeAct
from cases.anchors import check_days, check_instant
from cases.certificate import BACKUPS_EXPIRE
from cases.intake import Intake, OneAgreement, Person, Text, person_problems
from cases.kind import Kind
from cases.state import CaseState, OpenProposal
from cases.values import AnchorValue, Day, Instant, KeptFile, KeptText, Line
from models.enums import ProposalKind
from models.errors import InvalidInput, Refused
from models.phrases import day_words

REQUESTED = "disposal_requested"
DIRECTED = "directed"
RECEIVED = "received"
ACCEPTED = "directive_accepted"
RESTORED = "restored"

BY_THEIR_ACTS = {
    DIRECTED: "extend",
    ACCEPTED: "accept-directive",
    BACKUPS_EXPIRE: "a holder's certificate",
    RESTORED: "restored",
}
"""The dated facts that only an act of their own gives, since more belongs to them than a date."""

CONFIRMATION = "disposition_confirmation"
"""The content element that the case itself makes once every holder has confirmed."""

WRITTEN_BY_ITSELF = {
    CONFIRMATION: "The confirmation is written once every holder has confirmed or was waived, and by nobody before."
}
"""What nobody tells or adds, with what is said to whoever tries."""

EXTENT, CATEGORIES, NATURE, TRANSFER, SCHEDULE = "extent", "categories", "nature", "transfer", "schedule"
DE_IDENTIFIED, INSTRUCTIONS, REPRESENTATIVE = "de_identified", "instructions", "representative"


class Extent(StrEnum):
    """How much of the student data is to be disposed of."""

    COMPLETE = "complete"
    PARTIAL = "partial"


class Nature(StrEnum):
    """What is to be done with it."""

    DESTRUCTION = "destruction"
    TRANSFER = "transfer"


class Schedule(StrEnum):
    """By when, as the directive has it; ``STANDARD_SCHEDULE`` only where the form knows it."""

    AS_SOON_AS_PRACTICABLE = "as-soon-as-practicable"
    STANDARD_SCHEDULE = "standard-schedule"
    BY_DATE = "by-date"


def share_data(first: tuple[str | None, str | None], second: tuple[str | None, str | None]) -> bool:
    """Whether two extents, each with its categories one a line, have data in common."""
    if Extent.COMPLETE in (first[0], second[0]):
        return True
    of_first, of_second = (
        {" ".join(line.split()).casefold() for line in (categories or "").splitlines()} - {""}
        for _, categories in (first, second)
    )
    return bool(of_first & of_second)


class Directive(Intake):
    """A Directive for Disposition as an LEA signed it, on either form of Exhibit D."""

    one_agreement = OneAgreement("A directive is for one agreement.", "Open a case for each directive.")

    extent: Extent = Field(title="Extent", description="Whether all student data is disposed of, or some categories.")
    categories: Text | None = Field(
        default=None,
        title="Categories",
        description="Where it is partial: the categories of data, one a line.",
        json_schema_extra={"long": True},
    )
    nature: Nature = Field(title="Nature", description="Whether the data is destroyed, or transferred first.")
    transfer: Text | None = Field(
        default=None,
        title="Transfer to",
        description="Where it is a transfer: the site, and how.",
        json_schema_extra={"long": True},
    )
    schedule: Schedule = Field(title="Schedule", description="As the directive has it.")
    de_identified: bool = Field(
        default=False, title="The LEA asks for the certificate that what is kept was de-identified"
    )
    instructions: Text | None = Field(
        default=None,
        title="Special instructions",
        description="Every holder of the data reads them, so name no student.",
        json_schema_extra={"long": True},
    )
    signed_file: KeptFile | None = Field(
        default=None, title="The signed directive", description="Its file; it is kept as evidence."
    )
    disposal_requested: Day = Field(title="Date of the directive", description="The day on which it was signed.")
    directed: Day | None = Field(
        default=None, title="To be disposed of by", description="The day that the directive names, if it names one."
    )
    received: Day | None = Field(
        default=None,
        title="A parent's request, received on",
        description=(
            "Where the LEA forwards what a parent asked to have deleted: the day on which it reached you. Some "
            "agreements count from there as well."
        ),
    )
    representative: Person = Field(
        title="Who signed it for the LEA?",
        description="If this is none of the agreement's designated contacts, an officer accepts or refuses it first.",
    )

    def anchors(self) -> tuple[AnchorValue, ...]:
        """The directive's own date, the day that it names, and that on which a parent's request was received."""
        days = {REQUESTED: self.disposal_requested, DIRECTED: self.directed, RECEIVED: self.received}
        return tuple(AnchorValue(name=name, first_day=day) for name, day in days.items() if day)

    def facts(self) -> Mapping[str, str]:
        """What was directed, by the names under which the case keeps it."""
        told = {
            EXTENT: self.extent.value,
            CATEGORIES: self.categories,
            NATURE: self.nature.value,
            TRANSFER: self.transfer,
            SCHEDULE: self.schedule.value.replace("-", " "),
            DE_IDENTIFIED: "asked for" if self.de_identified else None,
            INSTRUCTIONS: self.instructions,
            REPRESENTATIVE: str(self.representative),
        }
        return {name: value for name, value in told.items() if value}

    def clashes(self, other: Intake) -> bool:
        """Two directives about the same data cannot both be carried out."""
        return isinstance(other, Directive) and share_data(
            (self.extent, self.categories), (other.extent, other.categories)
        )

    def problems(self, now: datetime) -> Iterator[InvalidInput]:
        """Everything that cannot be as it is said."""
        yield from self._extent_problems()
        yield from self._date_problems(now)
        yield from super().problems(now)
        yield from person_problems(representative=self.representative)

    def _extent_problems(self) -> Iterator[InvalidInput]:
        if self.extent is Extent.PARTIAL and not self.categories:
            yield InvalidInput(
                "The disposition is partial, and no category is given.",
                where="categories",
                next_step="List the categories of data, one a line.",
            )
        if self.extent is Extent.COMPLETE and self.categories:
            yield InvalidInput(
                "The disposition is complete, so it extends to every category.",
                where="categories",
                next_step="Leave them out, or choose a partial one.",
            )
        if self.nature is Nature.TRANSFER and not self.transfer:
            yield InvalidInput(
                "It is a transfer, and no site is given.",
                where="transfer",
                next_step="Say where the data goes, and how.",
            )
        if self.nature is Nature.DESTRUCTION and self.transfer:
            yield InvalidInput(
                "It is a destruction, so nothing is transferred.",
                where="transfer",
                next_step="Leave it out, or choose a transfer.",
            )

    def _date_problems(self, now: datetime) -> Iterator[InvalidInput]:
        requested = self.disposal_requested
        for where, day in (("disposal_requested", requested), (RECEIVED, self.received)):
            if problem := check_days(where, day, None, now):
                yield problem
        if self.received and self.received < requested:
            yield InvalidInput(
                f"This is before the date of the directive, {day_words(requested)}.",
                where=RECEIVED,
                next_step="Correct one of the two days.",
            )
        if self.schedule is Schedule.BY_DATE and self.directed is None:
            yield InvalidInput("No day is given.", where="directed", next_step="Give the day that the directive names.")
        if self.schedule is not Schedule.BY_DATE and self.directed:
            yield InvalidInput(
                "The directive's schedule names no day.",
                where="directed",
                next_step="Leave it out, or choose the schedule by date.",
            )
        if self.directed and self.directed < requested:
            yield InvalidInput(
                f"This is before the date of the directive, {day_words(requested)}.",
                where="directed",
                next_step="Correct one of the two days.",
            )
        elif self.directed and self.directed < now.date():
            yield InvalidInput(
                f"The day {day_words(self.directed)} has passed.",
                where="directed",
                next_step="Agree on a later day with the LEA, and give that one.",
            )


HolderName = Annotated[
    Line,
    Field(
        title="Holder",
        description="A subprocessor by its name, or “provider” for the provider itself.",
        json_schema_extra={"choice": "holders"},
    ),
]


class AcceptDirective(Act):
    """Accept a directive whose signatory is no designated contact: who at the LEA confirmed it, and when."""

    label = "Accept the directive"
    done_says = "The directive is accepted. Its holders are asked to confirm."
    starts_clocks = True
    act: Literal["accept-directive"] = "accept-directive"
    verified_at: Instant = Field(title="When the LEA confirmed it")
    reason: KeptText = Field(title="Who confirmed it, and how", description="It is kept as evidence.")

    def dates(self) -> dict[str, AnchorValue]:
        """When the LEA confirmed it."""
        return {"verified_at": AnchorValue(name=ACCEPTED, instant=self.verified_at)}


class RefuseDirective(Act):
    """Refuse a directive: whoever signed it may not direct this, and nothing is disposed of."""

    label = "Refuse the directive"
    done_says = "The directive is refused, and nothing is disposed of because of it."
    act: Literal["refuse-directive"] = "refuse-directive"
    reason: Reason


class Extend(Act):
    """Record that both parties agreed on another day for the disposal: who agreed for the LEA, and why."""

    label = "Agree on another day"
    done_says = "The agreed day is recorded; the holders are told."
    starts_clocks = True
    act: Literal["extend"] = "extend"
    directed: Day = Field(title="To be disposed of by")
    agreed_by: KeptText = Field(title="Who agreed for the LEA, when, and how", description="It is kept as evidence.")
    reason: Reason

    def dates(self) -> dict[str, AnchorValue]:
        """The agreed day."""
        return {"directed": AnchorValue(name=DIRECTED, first_day=self.directed)}


class AddHolder(Act):
    """Name a subprocessor that holds the data and is not listed: it is asked to confirm as well."""

    label = "Add a holder of the data"
    done_says = "The holder is asked to confirm."
    act: Literal["add-holder"] = "add-holder"
    contact: KeptText = Field(
        title="Name and address", description="To whom the link goes, as in: Example Hosting LLC <privacy@example.org>"
    )
    data: KeptText = Field(title="Which data it holds")


class AcceptAnswer(Act):
    """Accept what a holder answered instead of a certificate: that it holds nothing, or needs more time."""

    label = "Accept this answer"
    done_says = "The answer is accepted."
    stands_alone = False
    act: Literal["accept-answer"] = "accept-answer"
    holder: HolderName
    reason: Reason


class RefuseAnswer(Act):
    """Refuse what a holder answered instead of a certificate: it is asked again, and reads the reason."""

    label = "Refuse this answer"
    done_says = "The holder is asked again."
    stands_alone = False
    act: Literal["refuse-answer"] = "refuse-answer"
    holder: HolderName
    reason: KeptText = Field(title="Reason", description="The holder reads it; it is kept as evidence.")


class ProposeWaiver(Act):
    """Propose that nobody waits for a subprocessor's confirmation any more: a second person decides it."""

    label = "Propose that nobody waits for it"
    makes = Made("proposal", "Proposal {id}: a second person decides it.")
    done_says = "Proposed. A second person decides it."
    stands_alone = False
    act: Literal["propose-waiver"] = "propose-waiver"
    holder: HolderName
    reason: Reason


class Restored(Act):
    """Record that a backup was restored that held the data: its holder has to dispose of it and confirm again."""

    label = "Record that a backup was restored"
    done_says = "The restore is recorded, and the holder is asked again."
    act: Literal["restored"] = "restored"
    holder: HolderName
    restored_at: Instant = Field(title="Restored at")
    particulars: KeptText = Field(title="What was restored, and why", description="It is kept as evidence.")


class RevokeLink(Act):
    """End a holder's link, as when its mail went astray: it gets a new one."""

    label = "End its link"
    done_says = "The link leads nowhere any more; the holder gets a new one."
    stands_alone = False
    act: Literal["revoke-link"] = "revoke-link"
    holder: HolderName
    reason: Reason


class LiftConflict(Act):
    """Find that another open case is about other data than this disposal, so that the disposal goes on."""

    label = "Find that the other case is about other data"
    done_says = "Recorded. The disposal goes on, and its holders are asked again."
    stands_alone = False
    act: Literal["lift-conflict"] = "lift-conflict"
    keeping: Line = Field(title="The other case", json_schema_extra={"choice": "keeping"})
    reason: Reason


HolderAct: TypeAlias = AddHolder | AcceptAnswer | RefuseAnswer | ProposeWaiver | Restored | RevokeLink | LiftConflict
"""What can be done about the holders of data, whatever it is for which they dispose of it."""

HOLDER_ACTS = (AddHolder, AcceptAnswer, RefuseAnswer, ProposeWaiver, Restored, RevokeLink, LiftConflict)

DispositionAct: TypeAlias = AcceptDirective | RefuseDirective | Extend | HolderAct
"""What can be done in a disposition case alone."""


def check(message: TakeAct, state: CaseState, now: datetime) -> None:
    """What makes an act senseless in a disposition case."""
    match message.act:
        case AcceptDirective() if is_decided(state):
            raise Refused("This directive is accepted already.", next_step="There is nothing to do.")
        case AcceptDirective(verified_at=verified_at):
            if problem := check_instant("verified_at", verified_at, now):
                raise problem
        case RefuseDirective() if is_decided(state):
            raise Refused(
                "This directive is accepted, so it cannot be refused.",
                next_step="If the LEA takes it back, propose that no disposal is required.",
            )
        case Extend(directed=directed):
            _check_extension(state, directed, now)
        case ConfirmDone() if not is_decided(state):
            raise Refused(
                "This directive is not accepted yet, so nobody has been asked to dispose of anything.",
                next_step="Accept or refuse the directive first.",
            )
        case _:
            check_restored(message, now)


def check_restored(message: TakeAct, now: datetime) -> None:
    """What makes an act senseless in any case whose holders dispose of data: nothing is restored in the future."""
    if isinstance(message.act, Restored) and (problem := check_instant("restored_at", message.act.restored_at, now)):
        raise problem


def _check_extension(state: CaseState, directed: date, now: datetime) -> None:
    if directed < now.date():
        raise InvalidInput("This day has passed.", where="directed", next_step="Give the day on which you agreed.")
    known = state.anchors.get(DIRECTED)
    if known and known.first_day and directed <= known.first_day:
        raise InvalidInput(
            f"The data is to be disposed of by {day_words(known.first_day)} already.",
            where="directed",
            next_step="Give a later day.",
        )


def take(message: TakeAct, state: CaseState) -> None:
    """Change the state as one of this kind's own acts does."""
    act = cast(DispositionAct, message.act)
    match act:
        case AcceptDirective() | Extend():
            state.anchors |= {anchor.name: anchor for anchor in act.dates().values()}
        case RefuseDirective():
            state.dismissed = True
        case _:
            take_holder_act(act, message, state)


def take_holder_act(act: HolderAct, message: TakeAct, state: CaseState) -> None:
    """Change the state as an act about the holders of data does."""
    match act:
        case ProposeWaiver():
            state.proposals[message.made_id] = OpenProposal(
                kind=ProposalKind.WAIVER, clause=None, ground=None, agreements=(), proposed_by=message.actor
            )
        case AddHolder() | AcceptAnswer() | RefuseAnswer() | Restored() | RevokeLink() | LiftConflict():
            return  # what they change is in SQL alone
        case _:
            assert_never(act)


def is_decided(state: CaseState) -> bool:
    """Nobody is asked for anything before a directive is accepted, or refused."""
    return state.dismissed or ACCEPTED in state.anchors


def offers(state: CaseState) -> tuple[type[Act], ...]:
    """A directive is accepted or refused first; what is offered beside a holder is not offered once more."""
    return (Extend, AddHolder, Restored) if is_decided(state) else (AcceptDirective, RefuseDirective)


DISPOSITION = Kind(
    name="disposition",
    label="disposition",
    event="disposition",
    intake=Directive,
    opening="directive",
    opening_title="Enter a directive",
    opening_says=(
        "When an LEA directs that its student data is disposed of (Exhibit D), enter the directive as it was signed. "
        "The time counts from its own date. Each subprocessor that holds the data confirms by a link, and last the "
        "provider."
    ),
    acts=(AcceptDirective, RefuseDirective, Extend, *HOLDER_ACTS),
    check=check,
    take=take,
    offers=offers,
    is_decided=is_decided,
    ahead=frozenset({DIRECTED, BACKUPS_EXPIRE}),
    order=((REQUESTED, ACCEPTED), (REQUESTED, RESTORED)),
    shown={
        EXTENT: "Extent",
        CATEGORIES: "Categories",
        NATURE: "Nature",
        TRANSFER: "Transfer to",
        SCHEDULE: "Schedule",
        DE_IDENTIFIED: "Certificate of de-identification",
        INSTRUCTIONS: "Special instructions",
        REPRESENTATIVE: "Signed for the LEA by",
    },
    holders_see=(EXTENT, CATEGORIES, NATURE, TRANSFER, INSTRUCTIONS),
    holders_because="{lea} has directed {whom} to dispose of student data under the agreement {agreement}.",
    holders_document=CONFIRMATION,
    only_by=WRITTEN_BY_ITSELF,
    dates_by=BY_THEIR_ACTS,
    workflow="workflows.disposition:DispositionWorkflow",
    records="records.disposition",
    prepares="records.disposition:prepare_intake",
    keeps="records.disposition:keep_opening",
)
