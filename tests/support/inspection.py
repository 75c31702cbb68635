"""A kind of case from outside the engine: an inspection, which begins and is signed."""

from __future__ import annotations

from typing import Literal

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cases.acts import Act, Reason, TakeAct
    from cases.intake import Intake, Person
    from cases.kind import Kind
    from cases.state import CaseInput, CaseState, CaseSummary
    from cases.values import AnchorValue, Instant
    from ledger.entries import JsonObject
    from models.enums import NoticeKind
    from records.acts import Recording, set_anchor
    from workflows.case import CaseWorkflow

BEGUN, SIGNED = "reasonably_expected", "confirmed"
"""The dated facts of the clauses' own event from which an inspection counts."""


class Inspection(Intake):
    """What is known when an inspection begins."""

    begun_at: Instant
    inspector: Person

    def anchors(self) -> tuple[AnchorValue, ...]:
        """When it began."""
        return (AnchorValue(name=BEGUN, instant=self.begun_at),)


class Sign(Act):
    """Sign what the inspection found."""

    act: Literal["sign"] = "sign"
    signed_at: Instant
    reason: Reason

    @property
    def anchor(self) -> AnchorValue:
        """When it was signed, as a dated fact."""
        return AnchorValue(name=SIGNED, instant=self.signed_at)


def take(message: TakeAct, state: CaseState) -> None:
    """An inspection is signed."""
    assert isinstance(message.act, Sign)
    state.anchors[SIGNED] = message.act.anchor


def record_act(recording: Recording) -> JsonObject:
    """Store when it was signed."""
    assert isinstance(recording.message.act, Sign)
    return set_anchor(recording, recording.message.act.anchor)


INSPECTION = Kind(
    name="inspection",
    label="inspection",
    event="breach",
    intake=Inspection,
    workflow=f"{__name__}:InspectionWorkflow",
    opening="begin",
    acts=(Sign,),
    take=take,
    is_decided=lambda state: SIGNED in state.anchors,
    awaits=lambda state: frozenset({BEGUN, SIGNED} - state.anchors.keys()),
    templates={NoticeKind.NOTICE: "breach_notice", NoticeKind.SUPPLEMENT: "supplement"},
    records=__name__,
)


@workflow.defn(name=INSPECTION.name)
class InspectionWorkflow(CaseWorkflow):
    """One inspection."""

    kind = INSPECTION

    @workflow.init
    def __init__(self, message: CaseInput) -> None:
        """Start from what is known of the case."""
        super().__init__(message)

    @workflow.run
    async def run(self, message: CaseInput) -> CaseSummary:
        """Keep the case's clocks until it is over."""
        return await self.keep_clocks(message)
