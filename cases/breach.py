"""A breach of student data: what is reported, confirming or dismissing it, and when such a case is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias, assert_never, cast

from pydantic import Field, model_validator

from cases.acts import Act, Add, Reason, SetDate, TakeAct
from cases.anchors import check_instant, earliest_of
from cases.intake import ApproximateTime, Intake, Person, Text, person_problems
from cases.kind import Kind
from cases.state import CaseState
from cases.values import AnchorValue, Instant
from models.errors import InvalidInput, Refused

OCCURRED = "occurred"
REASONABLY_EXPECTED = "reasonably_expected"
DISCOVERED = "discovered"
CONFIRMED = "confirmed"

REPORTER = "reporter"
"""The fact that names who reported; no clause asks for it."""


class IncidentReport(Intake):
    """The facts of a suspected breach as its reporter knows them.

    ``subprocessor`` names the one at whom it happened, if it was not at the provider itself; ``point_of_contact`` is
    whom districts may ask, else the reporter.
    """

    description: Text = Field(
        title="What happened?",
        description="A general description. Every notice quotes it, so name no student, parent or employee.",
    )
    subprocessor: str | None = Field(
        default=None,
        max_length=200,
        title="At which subprocessor?",
        description="Leave it empty if it happened at the provider itself. Every notice names it.",
    )
    data_types: tuple[str, ...] = Field(
        min_length=1,
        title="Types of data",
        description="Those that were, or are reasonably believed to have been, touched.",
        json_schema_extra={"offered": "data_types"},
    )
    occurred: ApproximateTime = Field(title="When did it occur?")
    discovered_at: Instant = Field(title="When was it discovered?", description="When somebody first noticed it.")
    reasonably_expected_at: Instant | None = Field(
        default=None,
        title="When was a breach reasonably expected?",
        description=(
            "If before confirmation: when there was good reason to expect a breach. Some agreements count from here."
        ),
    )
    confirmed_at: Instant | None = Field(
        default=None,
        title="When was it confirmed?",
        description="Leave it empty while it is a suspicion; it can be confirmed later.",
    )
    reporter: Person = Field(title="Who reports this?", description="Who says so; kept as evidence.")
    point_of_contact: Person = Field(
        title="Whom may districts ask?",
        description="Notices name this contact.",
        json_schema_extra={"prefilled": True},
    )

    @model_validator(mode="before")
    @classmethod
    def _districts_ask_the_reporter(cls, given: Any) -> Any:
        """Districts ask the reporter where nobody else is named."""
        if isinstance(given, dict) and given.get("point_of_contact") is None and "reporter" in given:
            return given | {"point_of_contact": given["reporter"]}
        return given

    def anchors(self) -> tuple[AnchorValue, ...]:
        """Every dated fact of the report; what is not yet known is left out, save the occurrence."""
        instants = {
            REASONABLY_EXPECTED: self.reasonably_expected_at,
            DISCOVERED: self.discovered_at,
            CONFIRMED: self.confirmed_at,
        }
        given = (AnchorValue(name=name, instant=instant) for name, instant in instants.items() if instant)
        return (self.occurred.anchor(OCCURRED), *given)

    def facts(self) -> Mapping[str, str]:
        """What the report makes known of each content element."""
        types = "\n".join(self.data_types)
        return {
            "description": self._whole_description(),
            "data_types": types,
            "data_description": types,
            "provider_point_of_contact": str(self.point_of_contact),
            REPORTER: str(self.reporter),
        }

    def _whole_description(self) -> str:
        if self.subprocessor is None:
            return self.description
        return f"{self.description}\n\nIt happened at a subprocessor: {self.subprocessor}."

    def problems(self, now: datetime) -> Iterator[InvalidInput]:
        """Everything that cannot be as it is said."""
        if problem := self.occurred.problem("occurred", now):
            yield problem
        yield from self._instant_problems(now)
        yield from super().problems(now)
        yield from person_problems(reporter=self.reporter, point_of_contact=self.point_of_contact)

    def _instant_problems(self, now: datetime) -> Iterator[InvalidInput]:
        named = {
            "reasonably_expected_at": self.reasonably_expected_at,
            "discovered_at": self.discovered_at,
            "confirmed_at": self.confirmed_at,
        }
        for where, instant in named.items():
            if instant and (problem := check_instant(where, instant, now)):
                yield problem


class Confirm(Act):
    """Confirm a suspected breach, which starts the clocks that run from confirmation."""

    label = "Confirm the breach"
    done_says = "The breach is confirmed; the clocks that count from confirmation run."
    starts_clocks = True
    act: Literal["confirm"] = "confirm"
    confirmed_at: Instant = Field(title="Confirmed at", description="When it was, not when it is recorded here.")

    def dates(self) -> dict[str, AnchorValue]:
        """When it was confirmed."""
        return {"confirmed_at": AnchorValue(name=CONFIRMED, instant=self.confirmed_at)}


class Dismiss(Act):
    """Find that there was no breach: what has not left is cancelled, LEAs already told are told so."""

    label = "Find that there was no breach"
    done_says = "The suspicion is dismissed. LEAs that were told of it are told so."
    act: Literal["dismiss"] = "dismiss"
    reason: Reason


BreachAct: TypeAlias = Confirm | Dismiss
"""What can be done in a breach case alone."""


def check(message: TakeAct, state: CaseState, now: datetime) -> None:
    """What makes an act senseless in a breach case."""
    match message.act:
        case Confirm(confirmed_at=confirmed_at):
            _check_confirmation(state, confirmed_at, now)
        case Dismiss() if CONFIRMED in state.anchors:
            raise Refused(
                "This breach is confirmed, so it cannot be dismissed.",
                next_step="Propose that no notice is required, on a ground of the clause.",
            )
        case Add(involved_at=involved_at) if involved_at:
            if CONFIRMED not in state.anchors:
                raise Refused(
                    "This breach is not confirmed yet.", next_step="Confirm it first, or leave out this date."
                )
            _check_after_occurrence(state, involved_at, "involved_at")
        case SetDate(anchor=anchor) if anchor.name in (CONFIRMED, OCCURRED):
            _check_order(anchor, state)
        case _:
            return


def _check_order(anchor: AnchorValue, state: CaseState) -> None:
    if anchor.name == CONFIRMED and CONFIRMED not in state.anchors:
        raise Refused("This breach is not confirmed yet.", next_step="Confirm it instead.")
    occurred = anchor if anchor.name == OCCURRED else state.anchors.get(OCCURRED)
    confirmed = anchor if anchor.name == CONFIRMED else state.anchors.get(CONFIRMED)
    began = earliest_of(occurred)
    if began and confirmed and confirmed.instant and confirmed.instant < began:
        raise InvalidInput("The confirmation would be before the breach occurred.", where=anchor.name)


def _check_confirmation(state: CaseState, confirmed_at: datetime, now: datetime) -> None:
    """Raise ``Refused`` or ``InvalidInput`` where a breach cannot be confirmed as of ``confirmed_at``."""
    if CONFIRMED in state.anchors:
        raise Refused(
            "This breach is already confirmed.",
            next_step="If the recorded time is wrong, correct it instead of confirming again.",
        )
    if problem := check_instant("confirmed_at", confirmed_at, now):
        raise problem
    _check_after_occurrence(state, confirmed_at, "confirmed_at")


def _check_after_occurrence(state: CaseState, confirmed_at: datetime, where: str) -> None:
    occurred = earliest_of(state.anchors.get(OCCURRED))
    if occurred and confirmed_at < occurred:
        raise InvalidInput(
            f"The confirmation ({confirmed_at.isoformat()}) is before the breach occurred ({occurred.isoformat()}).",
            where=where,
            next_step="Give the time of the confirmation, or correct when the breach occurred.",
        )


def take(message: TakeAct, state: CaseState) -> None:
    """Change the state as one of this kind's own acts does."""
    act = cast(BreachAct, message.act)
    match act:
        case Confirm(confirmed_at=confirmed_at):
            state.anchors[CONFIRMED] = AnchorValue(name=CONFIRMED, instant=confirmed_at)
        case Dismiss():
            state.dismissed = True
        case _:
            assert_never(act)


def is_decided(state: CaseState) -> bool:
    """A suspicion stays open until somebody confirms or dismisses it."""
    return state.dismissed or CONFIRMED in state.anchors


def offers(state: CaseState) -> tuple[type[Act], ...]:
    """Once a suspicion is decided, nobody confirms or dismisses it."""
    return () if is_decided(state) else (Confirm, Dismiss)


def awaits(state: CaseState) -> frozenset[str]:
    """A suspected breach awaits its confirmation; an expectation may still be dated."""
    return frozenset() if is_decided(state) else frozenset({REASONABLY_EXPECTED, CONFIRMED})


BREACH = Kind(
    name="breach",
    label="breach",
    event="breach",
    intake=IncidentReport,
    opening="report",
    opening_title="Report an incident",
    opening_says=(
        "When student data may have been released, seen or taken by somebody who should not have it, report it at "
        "once, even before it is confirmed: some agreements count from the suspicion. Say what is known now; what is "
        "not known yet can follow."
    ),
    acts=(Confirm, Dismiss),
    check=check,
    take=take,
    offers=offers,
    is_decided=is_decided,
    awaits=awaits,
    involvement=CONFIRMED,
    order=(
        (OCCURRED, DISCOVERED),
        (OCCURRED, REASONABLY_EXPECTED),
        (OCCURRED, CONFIRMED),
    ),
    usual_order=(
        (DISCOVERED, REASONABLY_EXPECTED),
        (DISCOVERED, CONFIRMED),
        (REASONABLY_EXPECTED, CONFIRMED),
    ),
    shown={
        "description": "What happened",
        "data_types": "Types of data",
        REPORTER: "Reported by",
        "provider_point_of_contact": "Whom districts may ask",
    },
    for_families=True,
    workflow="workflows.breach:BreachWorkflow",
    records="records.breach",
)
