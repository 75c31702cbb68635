"""What a breach case keeps in mind between two events, and which acts make sense in it."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch
from uuid import UUID

from pydantic import BaseModel, Field

from cases.anchors import CONFIRMED, OCCURRED, check_anchor, check_confirmation, earliest_of
from cases.incident import check_instant
from cases.messages import (
    AnchorValue,
    BatchPlan,
    CaseAct,
    CaseSummary,
    ConfirmBreach,
    DecideProposal,
    DismissBreach,
    LearnElement,
    LiftHold,
    Message,
    NoticePolicy,
    PlaceHold,
    ProposeNotRequired,
    RecordPerformance,
    ReleaseNotices,
    SetAnchor,
    Vocabulary,
    WithholdNotices,
)
from models.enums import FactStatus
from models.errors import InvalidInput, Refused


class OpenProposal(BaseModel):
    """A proposal that waits for a second person."""

    clause: str
    proposed_by: str


class BreachState(BaseModel):
    """The case's memory; everything else is in SQL. It is carried over when the workflow continues as new.

    Attributes:
        anchors: the dated facts of the case.
        waiting: batches that are planned and have not left, by id.
        leaving: batches that are being sent.
        released: who released a waiting batch.
        withheld: batches that an officer decided to keep back.
        proposals: those that wait for a second person.
        holds: law-enforcement holds that last, each with when it ends by itself.
        reminded: how many reminders there were for each clause and due instant.
        raised_until: up to which due instant overdue duties were raised.
        chases: when LEAs that have not acknowledged are asked again.
        closing: whether the case takes no further acts; ``closed`` once it has its last evidence.
        overtaken: whether an act came while notices were leaving, which may not yet say what it says.
        facts, computed: how many changes there were, and how many are computed with.
        outcomes, outcomes_seen: how many batches were sent, and how many are counted in ``standing``.
    """

    anchors: dict[str, AnchorValue]
    vocabulary: Vocabulary = Vocabulary()
    summary: CaseSummary = CaseSummary()
    waiting: dict[UUID, BatchPlan] = Field(default_factory=dict)
    leaving: dict[UUID, BatchPlan] = Field(default_factory=dict)
    released: dict[UUID, str] = Field(default_factory=dict)
    withheld: set[UUID] = Field(default_factory=set)
    proposals: dict[UUID, OpenProposal] = Field(default_factory=dict)
    holds: dict[UUID, datetime | None] = Field(default_factory=dict)
    reminded: dict[str, int] = Field(default_factory=dict)
    raised_until: datetime | None = None
    chases: list[datetime] = Field(default_factory=list)
    opened: bool = False
    dismissed: bool = False
    closing: bool = False
    closed: bool = False
    overtaken: bool = False
    facts: int = 1
    computed: int = 0
    outcomes: int = 0
    outcomes_seen: int = 0

    def is_behind(self) -> bool:
        """Whether something happened that is not yet computed with."""
        return self.computed < self.facts or self.outcomes_seen < self.outcomes

    def is_over(self) -> bool:
        """Whether nothing is open: every duty met, every LEA told everything, every answer given or asked for."""
        decided = self.dismissed or CONFIRMED in self.anchors
        busy = self.waiting or self.leaving or self.is_behind()
        chasing = bool(self.chases) and self.summary.unacknowledged > 0
        lacking = self.summary.lacking_notices > 0 and not self.dismissed
        left = self.summary.open_duties or lacking
        return decided and not (busy or left or chasing)

    def waiting_of(self, clause: str | None) -> list[BatchPlan]:
        """The waiting batches of a clause, or all."""
        return [plan for plan in self.waiting.values() if clause in (None, plan.clause)]


class BreachInput(Message):
    """Start of a breach case; ``memory`` is what SQL remembers of it, or what an earlier run of it hands on."""

    case_id: UUID
    policy: NoticePolicy = NoticePolicy()
    state: BreachState


def check(act: CaseAct, state: BreachState, now: datetime) -> None:
    """Raise ``Refused`` or ``InvalidInput`` where an act makes no sense in the present state; change nothing."""
    if state.closing:
        raise Refused("This case is closed.", next_step="Report a new incident if there is one.")
    check_act(act, state, now)


@singledispatch
def check_act(act: Message, state: BreachState, now: datetime) -> None:
    """What makes one kind of act senseless."""
    _refuse_dismissed(state)


@check_act.register
def _(message: ConfirmBreach, state: BreachState, now: datetime) -> None:
    _refuse_dismissed(state)
    check_confirmation(state.anchors, message.confirmed_at, now)


@check_act.register
def _(message: DismissBreach, state: BreachState, now: datetime) -> None:
    _refuse_dismissed(state)
    if CONFIRMED in state.anchors:
        raise Refused(
            "This breach is confirmed, so it cannot be dismissed.",
            next_step="Propose that no notice is required, on a ground of the clause.",
        )


@check_act.register
def _(message: SetAnchor, state: BreachState, now: datetime) -> None:
    _refuse_dismissed(state)
    _refuse_unopened(state)
    anchor = message.anchor
    check_anchor(anchor, state.vocabulary.anchors, now)
    known = state.anchors.get(anchor.name)
    if known == anchor and message.agreement_id is None:
        raise Refused(f"{anchor.name} already has this value.", next_step="There is nothing to correct.")
    if (known or message.agreement_id) and message.reason_sha256 is None:
        raise InvalidInput("A correction needs a reason.", where="reason", next_step="Say why the date changes.")
    if anchor.name == CONFIRMED and known is None:
        raise Refused("This breach is not confirmed yet.", next_step="Confirm it instead.")
    occurred = anchor if anchor.name == OCCURRED else state.anchors.get(OCCURRED)
    confirmed = anchor if anchor.name == CONFIRMED else state.anchors.get(CONFIRMED)
    began = earliest_of(occurred)
    if began and confirmed and confirmed.instant and confirmed.instant < began:
        raise InvalidInput("The confirmation would be before the breach occurred.", where=anchor.name)


@check_act.register
def _(message: LearnElement, state: BreachState, now: datetime) -> None:
    _refuse_dismissed(state)
    _refuse_unopened(state)
    if message.element not in state.vocabulary.elements:
        raise InvalidInput(
            f"The terms of this case's agreements know no element {message.element!r}.",
            where="element",
            next_step=f"They know {', '.join(state.vocabulary.elements)}.",
        )
    if (message.status is FactStatus.KNOWN) != (message.value_sha256 is not None):
        raise InvalidInput("A known element has a value, one that is impossible to determine has none.", where="value")


@check_act.register
def _(message: ReleaseNotices, state: BreachState, now: datetime) -> None:
    if not state.waiting_of(message.clause):
        raise Refused("No such notice of this case waits for release.", next_step="There is nothing to do.")


@check_act.register
def _(message: WithholdNotices, state: BreachState, now: datetime) -> None:
    waiting = [plan for plan in state.waiting_of(message.clause) if plan.batch_id not in state.released]
    if not waiting:
        raise Refused(
            "No such notice of this case waits: what has been sent cannot be withheld.",
            next_step="Send a correction to the LEAs instead.",
        )
    if all(plan.batch_id in state.withheld for plan in waiting):
        raise Refused("These notices are withheld already.", next_step="There is nothing to do.")


@check_act.register
def _(message: ProposeNotRequired, state: BreachState, now: datetime) -> None:
    _refuse_dismissed(state)
    _refuse_unopened(state)
    _refuse_unknown_clause(state, message.clause)
    if message.ground not in state.vocabulary.grounds:
        raise InvalidInput(
            f"The terms know no ground {message.ground!r}.",
            where="ground",
            next_step=f"They know {', '.join(state.vocabulary.grounds)}.",
        )
    if message.proposal_id in state.proposals:
        raise Refused("This is proposed already.", next_step="A second person decides it.")


@check_act.register
def _(message: DecideProposal, state: BreachState, now: datetime) -> None:
    _refuse_dismissed(state)
    proposal = state.proposals.get(message.proposal_id)
    if proposal is None:
        raise Refused("No such proposal waits for a decision.", next_step="Look at the case's page.")
    if message.approve and proposal.proposed_by == message.actor:
        raise Refused("Nobody approves a proposal of their own.", next_step="Ask a second person to decide it.")


@check_act.register
def _(message: PlaceHold, state: BreachState, now: datetime) -> None:
    _refuse_dismissed(state)
    if message.hold_id in state.holds:
        raise Refused("This hold is in place already.", next_step="There is nothing to do.")
    if problem := check_instant("begins_at", message.begins_at, now):
        raise problem
    if message.until and (message.until.tzinfo is None or message.until <= max(now, message.begins_at)):
        raise InvalidInput(
            "The hold would end before it begins to count.", where="until", next_step="Give a later time."
        )


@check_act.register
def _(message: LiftHold, state: BreachState, now: datetime) -> None:
    if message.hold_id not in state.holds:
        raise Refused("No such law-enforcement hold is in place.", next_step="Look at the case's page.")


@check_act.register
def _(message: RecordPerformance, state: BreachState, now: datetime) -> None:
    _refuse_dismissed(state)
    _refuse_unopened(state)
    _refuse_unknown_clause(state, message.clause)


def _refuse_dismissed(state: BreachState) -> None:
    if state.dismissed:
        raise Refused("This suspicion was dismissed.", next_step="Report a new incident if there is one.")


def _refuse_unknown_clause(state: BreachState, clause: str) -> None:
    if clause not in state.vocabulary.clauses:
        raise InvalidInput(
            f"No duty of this case is under {clause!r}.",
            where="clause",
            next_step=f"There are {', '.join(state.vocabulary.clauses)}.",
        )


def _refuse_unopened(state: BreachState) -> None:
    if state.computed == 0:
        raise Refused("The case is still being opened.", next_step="Try again in a moment.")


@singledispatch
def take_act(act: Message, state: BreachState) -> None:
    """Change the state as an act that was found to make sense changes it."""


@take_act.register
def _(message: ConfirmBreach, state: BreachState) -> None:
    state.anchors[CONFIRMED] = AnchorValue(name=CONFIRMED, instant=message.confirmed_at)


@take_act.register
def _(message: DismissBreach, state: BreachState) -> None:
    state.dismissed = True


@take_act.register
def _(message: SetAnchor, state: BreachState) -> None:
    if message.agreement_id is None:
        state.anchors[message.anchor.name] = message.anchor


@take_act.register
def _(message: ReleaseNotices, state: BreachState) -> None:
    for plan in state.waiting_of(message.clause):
        state.released[plan.batch_id] = message.actor
        state.withheld.discard(plan.batch_id)


@take_act.register
def _(message: WithholdNotices, state: BreachState) -> None:
    state.withheld.update(
        plan.batch_id for plan in state.waiting_of(message.clause) if plan.batch_id not in state.released
    )


@take_act.register
def _(message: ProposeNotRequired, state: BreachState) -> None:
    state.proposals[message.proposal_id] = OpenProposal(clause=message.clause, proposed_by=message.actor)


@take_act.register
def _(message: DecideProposal, state: BreachState) -> None:
    del state.proposals[message.proposal_id]


@take_act.register
def _(message: PlaceHold, state: BreachState) -> None:
    state.holds[message.hold_id] = message.until


@take_act.register
def _(message: LiftHold, state: BreachState) -> None:
    del state.holds[message.hold_id]
