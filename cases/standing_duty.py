"""A dated duty of one clause: what starts it, the proof that it was done, and when such a case is over.

It takes a clause and its dates and knows nothing of any agreement or law: which clauses there are, from which facts
they count, and which of these may lie ahead, is data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from cases.acts import Act, Clause, TakeAct
from cases.anchors import check_instant
from cases.intake import About, ApproximateTime, Intake, Text
from cases.kind import Kind
from cases.state import CaseState
from cases.values import AgreementName, AnchorValue, Instant, KeptFile, KeptText, Line
from models.errors import InvalidInput

DESCRIPTION = "description"
TOO_OFTEN = "too_often"

COUNTED_FROM = "@"
"""What stands between a clause and the fact from which it counts, in the words that name a matter."""


class DatedMatter(Intake):
    """Something that happened, or is planned, from which the time of one clause counts."""

    matter: Annotated[Line, Field(json_schema_extra={"choice": "matters"})] = Field(
        title="What is it about?", description="The duty that it starts, and the fact from which the time counts."
    )
    happened: ApproximateTime = Field(
        title="When?", description="A day, or a time where hours are counted. What is planned may lie ahead."
    )
    description: Text = Field(
        title="What happened, or is planned?",
        description="A notice under the clause quotes it, so name no student, parent or employee.",
    )
    paper: KeptFile | None = Field(
        default=None,
        title="The paper that it came with",
        description="Such as the order, the demand or the request; it is kept as evidence.",
    )

    @property
    def clause(self) -> str:
        """The id of the clause."""
        return self.matter.partition(COUNTED_FROM)[0]

    @property
    def fact(self) -> str:
        """The fact from which it counts."""
        return self.matter.partition(COUNTED_FROM)[2]

    def event(self) -> str:
        """The event that the clause is about."""
        return self.clause.partition(".")[0]

    def about(self) -> About:
        """The clause."""
        return About(self.clause)

    def anchors(self) -> tuple[AnchorValue, ...]:
        """When it happened, or is planned."""
        return (self.happened.anchor(self.fact),)

    def dates(self) -> Mapping[str, AnchorValue]:
        """The same, by its field."""
        return {"happened": self.happened.anchor(self.fact)}

    def facts(self) -> Mapping[str, str]:
        """What is said of it."""
        return {DESCRIPTION: self.description}

    def problems(self, now: datetime) -> Iterator[InvalidInput]:
        """Everything that cannot be as it is said; what only clauses and SQL can say comes later."""
        if self.happened.kind not in ("instant", "date"):
            yield InvalidInput(
                "The time of a clause counts from a day or an instant.",
                where="happened",
                next_step="Give the day, or the time; if it is not known yet, come back once it is.",
            )
        elif problem := self.happened.missing("happened"):
            yield problem
        yield from super().problems(now)


class NextOccurrence(Intake):
    """What an agreement's own dates start under one clause: the engine opens it in time, and nobody reports it."""

    clause: str
    occurrence: int

    def event(self) -> str:
        """The event that the clause is about."""
        return self.clause.partition(".")[0]

    def about(self) -> About:
        """The clause, and which occurrence."""
        return About(self.clause, self.occurrence)

    def identity(self) -> object:
        """The agreement, the clause and the occurrence, whatever it is called."""
        return {"agreements": list(self.agreements), "clause": self.clause, "occurrence": self.occurrence}


class CarriedOut(Act):
    """Record that what the clause asks for was done: what, when and by whom, with what proves it."""

    label = "Record that it was done"
    done_says = "It is recorded as done, with its proof."
    act: Literal["carried-out"] = "carried-out"
    clause: Clause | None = Field(default=None, description="Needed only where several things are to be done.")
    agreements: tuple[AgreementName, ...] = Field(
        default=(),
        max_length=1_000,
        title="References of the agreements",
        description="Those under which it was done; needed only where the case is about several.",
    )
    for_all: bool = Field(
        default=False,
        title="It was done under every agreement of the case",
        description="In place of their references; never where each LEA has to say something itself.",
    )
    done_at: Instant = Field(title="When it was done")
    what: KeptText = Field(title="What was done, and by whom", description="It is kept as evidence.")
    proof: KeptFile = Field(title="What proves it")


def check(message: TakeAct, _: CaseState, now: datetime) -> None:
    """What makes an act senseless in such a case."""
    if isinstance(message.act, CarriedOut) and (problem := check_instant("done_at", message.act.done_at, now)):
        raise problem


STANDING_DUTY = Kind(
    name="standing-duty",
    label="standing duty",
    event="standing-duty",
    intake=DatedMatter,
    opening="record",
    opening_title="Record a dated matter",
    opening_says=(
        "When something happens or is planned from which agreements count time, such as a demand for data, a request "
        "for an audit, or a change of policy or contacts, record it. What the agreements' own dates start needs no "
        "record: it is opened by itself before it is due."
    ),
    acts=(CarriedOut,),
    check=check,
    uses_agreement_dates=True,
    looks_ahead=True,
    shown={DESCRIPTION: "What happened, or is planned", TOO_OFTEN: "Asked for more often than the terms allow"},
    workflow="workflows.standing_duty:StandingDutyWorkflow",
    records="records.standing_duty",
    prepares="records.standing_duty:prepare_intake",
    doubts="records.standing_duty:doubts",
    keeps="records.standing_duty:keep_opening",
    chooses="records.standing_duty:choices",
)
