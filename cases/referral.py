"""A parent, guardian or student who wrote to the provider: whom they are referred to, and when such a case is over.

What they ask is never done here: the LEA is told, and asks for it if it is to be done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, TypeAlias, assert_never, cast

from pydantic import Field, StringConstraints

from cases.acts import Act, Reason, SetDate, TakeAct
from cases.anchors import check_days
from cases.intake import Intake, OneAgreement, Person
from cases.kind import Kind
from cases.state import CaseState
from cases.values import AgreementName, AnchorValue, Day, Line
from models.enums import Party
from models.errors import InvalidInput, Refused

ASKED = "asked_directly"
FOUND = "lea_found"

DOCUMENT = "direct_request"
"""The content element that the LEA reads behind its link: who asks, and for what."""

ASKER, ASKS_AS, ASKED_FOR, DISTRICT, REQUEST = "asker", "asks_as", "asked_for", "district", "request"

LONGEST_REQUEST = 5_000


class AsksAs(StrEnum):
    """As whom somebody says that they ask."""

    PARENT = "parent"
    GUARDIAN = "guardian"
    STUDENT = "student"
    SOMEBODY_ELSE = "somebody-else"


class AskedFor(StrEnum):
    """What somebody asks to be done with student data."""

    REVIEW = "review"
    CORRECT = "correct"
    COPY = "copy"
    DELETE = "delete"
    TRANSFER = "transfer"
    SOMETHING_ELSE = "something-else"


class DirectRequest(Intake):
    """What a parent, guardian or student asked the provider, as they wrote it."""

    one_agreement = OneAgreement(
        "A request is referred to one LEA.",
        "Choose its agreement alone, or none yet: the LEA can be chosen later, on the case's page.",
    )

    writes_to: ClassVar[Mapping[Party, str]] = {Party.PARENT: "asker"}

    agreements: tuple[str, ...] = Field(
        default=(),
        title="Agreement of the LEA",
        description="Its reference. Leave it out where the district is not known yet: you choose it later.",
    )
    asks_as: AsksAs = Field(title="Who they are", description="As they say; nobody has checked it.")
    asked_for: AskedFor = Field(title="What is asked for")
    district: Line = Field(title="School or district", description="As they name it.")
    request: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_REQUEST)] = Field(
        title="The request", description="As it was written. The LEA gets it.", json_schema_extra={"long": True}
    )
    asked_directly: Day = Field(title="Asked on", description="The day on which it reached you.")
    asker: Person = Field(title="Who asks?", description="To whom the letter with the LEA's address goes.")

    def anchors(self) -> tuple[AnchorValue, ...]:
        """The day on which it was asked."""
        return (AnchorValue(name=ASKED, first_day=self.asked_directly),)

    def facts(self) -> Mapping[str, str]:
        """What was asked, by the names under which the case keeps it."""
        return {
            ASKER: str(self.asker),
            ASKS_AS: self.asks_as.value.replace("-", " "),
            ASKED_FOR: self.asked_for.value.replace("-", " "),
            DISTRICT: self.district,
            REQUEST: self.request,
        }

    def problems(self, now: datetime) -> Iterator[InvalidInput]:
        """Everything that cannot be as it is said."""
        if problem := check_days("asked_directly", self.asked_directly, None, now):
            yield problem
        yield from super().problems(now)


class Refer(Act):
    """Choose the LEA that the request concerns: whoever asks is named its address, and the LEA is told."""

    label = "Choose the LEA"
    done_says = "The LEA is chosen. Its letter, and that to whoever asks, are drafted."
    starts_clocks = True
    act: Literal["refer"] = "refer"
    agreement: AgreementName = Field(
        description="Its reference; the list of agreements finds it by the district's name."
    )

    def brings_in(self) -> tuple[str, ...]:
        """The agreement of the LEA."""
        return (self.agreement.reference,) if self.agreement.reference else ()


class CloseUnreferred(Act):
    """Close the request without a referral, as where it is none, or no agreement concerns it; no letter goes."""

    label = "Close it without a referral"
    done_says = "The request is closed without a referral."
    act: Literal["close-unreferred"] = "close-unreferred"
    reason: Reason


ReferralAct: TypeAlias = Refer | CloseUnreferred
"""What can be done in a referral case alone."""


def check(message: TakeAct, state: CaseState, _: datetime) -> None:
    """What makes an act senseless in a referral case."""
    match message.act:
        case Refer() if is_decided(state):
            raise Refused(
                "This request is referred already.",
                next_step="If it was to the wrong LEA, close this case while nothing was sent, and enter it again.",
            )
        case SetDate(name=name) if name == FOUND:
            raise Refused(
                "Nobody gives this date.", where="name", next_step="Choose the LEA by the form of its own (refer)."
            )
        case _:
            return


def take(message: TakeAct, state: CaseState) -> None:
    """Change the state as one of this kind's own acts does."""
    act = cast(ReferralAct, message.act)
    match act:
        case Refer():
            state.anchors[FOUND] = AnchorValue(name=FOUND)  # when it was found, SQL alone needs to know
        case CloseUnreferred():
            state.dismissed = True
        case _:
            assert_never(act)


def is_decided(state: CaseState) -> bool:
    """A request waits for a person until its LEA is found, or it is closed."""
    return state.dismissed or FOUND in state.anchors


def offers(state: CaseState) -> tuple[type[Act], ...]:
    """The LEA is chosen once."""
    if state.dismissed:
        return ()
    return (CloseUnreferred,) if is_decided(state) else (Refer, CloseUnreferred)


REFERRAL = Kind(
    name="referral",
    label="referral",
    event="referral",
    intake=DirectRequest,
    opening="request",
    opening_title="Enter a parent's request",
    opening_says=(
        "When a parent, guardian or student writes to you instead of their school district, enter what they wrote. You "
        "do nothing of what they ask: they get the district's address, and the district is told."
    ),
    acts=(Refer, CloseUnreferred),
    check=check,
    take=take,
    offers=offers,
    is_decided=is_decided,
    order=((ASKED, FOUND),),
    shown={
        ASKER: "Who asks",
        ASKS_AS: "Who they say they are",
        ASKED_FOR: "What is asked for",
        DISTRICT: "School or district, as they name it",
        REQUEST: "The request",
    },
    passes_on=DOCUMENT,
    workflow="workflows.referral:ReferralWorkflow",
    records="records.referral",
    prepares="records.referral:prepare_intake",
)
