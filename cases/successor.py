"""A change of control at the provider: the successor, its signed assurance, and what each LEA answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias, assert_never, cast

from pydantic import Field

from cases.acts import Act, Reason, TakeAct
from cases.intake import Intake, Person, person_problems
from cases.kind import Kind
from cases.state import CaseState
from cases.values import AgreementName, AnchorValue, Day, KeptFile, KeptText, Line
from models.errors import InvalidInput

CLOSING = "closing"

CHANGE = "change_of_control"
NAME = "successor"
CONTACT = "successor_contact"
ASSURANCE = "successor_assurance"

SIGNATURE = "assurance_signature"
LEFT_OUT = "left_out"
"""Facts that no clause asks for: what was found of the assurance's signatures, and which agreements are left out."""


class ChangeOfControl(StrEnum):
    """What happens at the provider."""

    MERGER = "merger"
    ACQUISITION = "acquisition"
    CONSOLIDATION = "consolidation"
    SALE_OF_THE_BUSINESS = "sale-of-the-business"
    SALE_OF_THE_PART_THAT_PERFORMS_THE_SERVICES = "sale-of-the-part-that-performs-the-services"


class HeardAnswer(StrEnum):
    """What an LEA answered, as somebody heard it."""

    NO_OBJECTION = "no-objection"
    TERMINATES = "terminates"


class SuccessorReport(Intake):
    """A change of control, with the assurance that the successor signed, or without it yet."""

    change: ChangeOfControl = Field(title="What happens?")
    successor: Line = Field(title="The successor", description="Its full name. Every notice names it.")
    assurance: KeptFile | None = Field(
        default=None,
        title="The signed written assurance",
        description=(
            "That the successor assumes the obligations, as a PDF. No notice leaves without it; it can be added later."
        ),
    )
    signed_by: Line | None = Field(
        default=None,
        title="Who signed it",
        description="Name and title, where it carries no digital signature. You attest that they did.",
    )
    closing: Day = Field(title="Closing date", description="The day of the closing; it may be planned.")
    contact: Person = Field(title="Whom may districts ask at the successor?", description="Notices name this contact.")
    agreements: tuple[str, ...] = Field(
        default=(),
        title="Affected agreements",
        description="Left empty, every agreement that is in force; those that have ended are left out.",
    )

    def anchors(self) -> tuple[AnchorValue, ...]:
        """The closing date."""
        return (AnchorValue(name=CLOSING, first_day=self.closing),)

    def facts(self) -> Mapping[str, str]:
        """What happens, and who the successor is."""
        said = self.change.value.replace("-", " ").capitalize()
        return {CHANGE: said, NAME: self.successor, CONTACT: str(self.contact)}

    def documents(self) -> frozenset[str]:
        """The assurance, where it is there."""
        return frozenset({ASSURANCE} if self.assurance else ())

    def problems(self, now: datetime) -> Iterator[InvalidInput]:
        """Everything that cannot be as it is said."""
        yield from super().problems(now)
        yield from person_problems(contact=self.contact)
        if self.signed_by and not self.assurance:
            yield InvalidInput(
                "Somebody is said to have signed the assurance, and there is none.",
                where="signed_by",
                next_step="Give the assurance, or leave this out.",
            )


class AddAssurance(Act):
    """Add the successor's signed written assurance; the notices that wait for it are drafted.

    A digital signature in it is verified. Where there is none, whoever adds it attests who signed it.
    """

    label = "Add the successor's assurance"
    done_says = "The assurance is kept, and the notices that waited for it are drafted."
    act: Literal["add-assurance"] = "add-assurance"
    assurance: KeptFile = Field(title="The signed written assurance", description="As a PDF.")
    signed_by: KeptText | None = Field(
        default=None,
        title="Who signed it",
        description="Name and title, where it carries no digital signature. You attest that they did.",
    )


class RecordDecision(Act):
    """Record what an LEA decided otherwise than by its notice's link: by telephone, by letter, at a meeting."""

    label = "Record an LEA's decision"
    done_says = "The answer is recorded, with you as the one who heard it."
    keeps_clocks = False
    act: Literal["record-decision"] = "record-decision"
    agreement: AgreementName = Field(title="Reference of the agreement")
    answer: HeardAnswer = Field(title="What it answered")
    ground: Annotated[Line, Field(json_schema_extra={"choice": "reasons"})] | None = Field(
        default=None, title="Its ground", description="Where it terminates: as its agreement calls the ground."
    )
    on: Day | None = Field(
        default=None,
        title="From which day the termination has effect",
        description="As the LEA said; left out, it is today.",
    )
    particulars: KeptText = Field(title="Who said it for the LEA, when, and how")


class CallOff(Act):
    """Record that the change of control does not take place: nothing more is sent, LEAs already told are told so."""

    label = "Record that it does not take place"
    done_says = "It is called off. LEAs that were told of it are told so."
    act: Literal["call-off"] = "call-off"
    reason: Reason


SuccessorAct: TypeAlias = AddAssurance | RecordDecision | CallOff
"""What can be done in a successor case alone."""


def check(message: TakeAct, _state: CaseState, _now: datetime) -> None:
    """What makes an act senseless in a successor case."""
    match message.act:
        case RecordDecision(answer=HeardAnswer.TERMINATES, ground=None):
            raise InvalidInput("No ground is given.", where="ground", next_step="Choose the one that the LEA named.")
        case RecordDecision(answer=HeardAnswer.NO_OBJECTION, ground=ground) if ground:
            raise InvalidInput(
                "An LEA that does not object needs no ground.",
                where="ground",
                next_step="Leave it out, or choose that it terminates.",
            )
        case RecordDecision(answer=HeardAnswer.NO_OBJECTION, on=on) if on:
            raise InvalidInput(
                "An LEA that does not object ends nothing on any day.",
                where="on",
                next_step="Leave it out, or choose that it terminates.",
            )
        case _:
            return


def take(message: TakeAct, state: CaseState) -> None:
    """Change the state as one of this kind's own acts does."""
    act = cast(SuccessorAct, message.act)
    match act:
        case CallOff():
            state.dismissed = True
        case AddAssurance() | RecordDecision():
            return  # what they change is in SQL alone
        case _:
            assert_never(act)


SUCCESSOR = Kind(
    name="successor",
    label="successor",
    event="successor",
    intake=SuccessorReport,
    opening="report",
    opening_title="Report a change of control",
    opening_says=(
        "When the business, or the part of it that performs the services, passes to a successor by merger, "
        "acquisition, consolidation or sale, report it with its closing date. Every LEA is told within the time that "
        "its agreement gives, with the successor’s signed assurance, and answers by a link."
    ),
    acts=(AddAssurance, RecordDecision, CallOff),
    check=check,
    take=take,
    ahead=frozenset({CLOSING}),
    shown={
        CHANGE: "What happens",
        NAME: "Successor",
        CONTACT: "Whom districts may ask there",
        SIGNATURE: "Signature of the assurance",
        LEFT_OUT: "Left out",
    },
    only_by={ASSURANCE: "The assurance is added by an act of its own, which looks at its signature."},
    workflow="workflows.successor:SuccessorWorkflow",
    records="records.successor",
    touches="records.successor:touched_agreements",
    doubts="records.successor:doubts",
    keeps="records.successor:keep_opening",
    prepares="records.successor:prepare_intake",
)
