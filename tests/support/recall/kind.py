"""A recall of devices that were lent to students: what is asked, its own act, and when it is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Literal, cast

from pydantic import Field

from cases.acts import Act, TakeAct
from cases.anchors import check_instant
from cases.intake import ApproximateTime, Intake, Person, Text, person_problems
from cases.kind import Kind
from cases.state import CaseState
from cases.values import AnchorValue, Instant, KeptText
from models.enums import NoticeKind
from models.errors import InvalidInput, Refused

ORDERED = "ordered"
REQUESTED = "requested"
COLLECTED = "collected"


class Extent(StrEnum):
    """Which of the devices are recalled."""

    EVERY_DEVICE = "every-device"
    SOME_MODELS = "some-models"


class RecallOrder(Intake):
    """What the one who orders a recall knows of it."""

    devices: Text = Field(title="Which devices?", description="Every notice says so.")
    extent: Extent = Field(title="How many of them?")
    ordered: ApproximateTime = Field(title="When was the recall ordered?")
    requested_at: Instant = Field(title="When did the LEA ask for it?")
    coordinator: Person = Field(title="Who coordinates it?", json_schema_extra={"prefilled": True})

    def anchors(self) -> tuple[AnchorValue, ...]:
        """When it was ordered, and when it was asked for."""
        return self.ordered.anchor(ORDERED), AnchorValue(name=REQUESTED, instant=self.requested_at)

    def facts(self) -> Mapping[str, str]:
        """The devices and the contact."""
        return {"description": self.devices, "provider_point_of_contact": str(self.coordinator)}

    def problems(self, now: datetime) -> Iterator[InvalidInput]:
        """Everything that cannot be as it is said."""
        if problem := self.ordered.problem(ORDERED, now) or check_instant("requested_at", self.requested_at, now):
            yield problem
        yield from super().problems(now)
        yield from person_problems(coordinator=self.coordinator)


class Collect(Act):
    """Record that the devices were collected, with a report."""

    done_says = "The devices are back."
    starts_clocks = True
    act: Literal["collect"] = "collect"
    collected_at: Instant = Field(title="Collected at")
    report: KeptText = Field(title="Report", description="How many came back.")

    def dates(self) -> dict[str, AnchorValue]:
        """From when the devices are back."""
        return {"collected_at": AnchorValue(name=COLLECTED, instant=self.collected_at)}


def check(message: TakeAct, state: CaseState, now: datetime) -> None:
    """Devices are collected once, and not in the future."""
    match message.act:
        case Collect() if COLLECTED in state.anchors:
            raise Refused("The devices are collected already.", next_step="Correct the date instead.")
        case Collect(collected_at=collected_at) if problem := check_instant("collected_at", collected_at, now):
            raise problem
        case _:
            return


def take(message: TakeAct, state: CaseState) -> None:
    """Know from when the devices are back."""
    act = cast(Collect, message.act)
    state.anchors[COLLECTED] = AnchorValue(name=COLLECTED, instant=act.collected_at)


RECALL = Kind(
    name="recall",
    label="device recall",
    event="recall",
    intake=RecallOrder,
    opening="order",
    opening_title="Order a recall",
    opening_says="When devices lent to students have to come back.",
    acts=(Collect,),
    check=check,
    take=take,
    is_decided=lambda state: COLLECTED in state.anchors,
    order=((ORDERED, COLLECTED), (REQUESTED, COLLECTED)),
    shown={"description": "Which devices"},
    templates={
        NoticeKind.NOTICE: "tests.support.recall:recall_notice",
    },
    workflow="tests.support.recall.workflow:RecallWorkflow",
    records="tests.support.recall.records",
)
