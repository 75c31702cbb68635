"""Whatever people decide in whatever order, no notice leaves that a standing decision keeps back, and nothing is
recorded as performed that was not.

Acts go through the rights of each role, the rules of cases and the records, as every face sends them; the clock lets
batches go by the state that the workflow keeps. What must hold is told by a model of its own, from the acts taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from agreements.terms import pinned_terms
from cases.acts import (
    Act,
    Approve,
    Decline,
    Propose,
    Release,
    SetDate,
    TakeAct,
    Undo,
    Withhold,
    WithholdPastDue,
)
from cases.breach import BREACH
from cases.rules import check, take
from cases.state import BatchPlan, CaseState
from cases.values import KeptText
from config.database import Database
from models.enums import BatchStatus, DeliveryStatus, DutyStatus, NoticeKind, ProposalKind, Role
from models.errors import DuenoticeError
from models.tables import Batch, Case, Delivery, Duty, Notice, Proposal
from people.accounts import add_account
from records.duties import vocabulary
from records.notices import waiting_batches
from records.restore import restore_state
from tests.support.accounts import have_account
from tests.support.case_in_sql import CaseInSql, Place, done, open_in_sql
from web.rights import RIGHTS, act_takes

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
A_MOMENT, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
NOTICE = "breach.notice"
PLACES = (Place("ndpa-v1", "IL"), Place("ndpa-v1", "ME"))
OFFICER, APPROVER, PUPPET, AUDITOR = "robin", "kim", "puppet of robin", "sam"
ROLES = {OFFICER: Role.OFFICER, APPROVER: Role.APPROVER, PUPPET: Role.OFFICER, AUDITOR: Role.AUDITOR}


def are_two(first: str, second: str) -> bool:
    """Whether one may approve what the other proposed: two people, the second with a word that counts."""
    return second in (OFFICER, APPROVER, PUPPET) and APPROVER in (first, second) and first != second


def people(database: Database) -> None:
    for name in (OFFICER, APPROVER, AUDITOR):
        have_account(database, name, ROLES[name])
    add_account(database, PUPPET, Role.OFFICER, made_by=OFFICER, now=NOW)


@dataclass(frozen=True)
class Step:
    """Time that passes, then an act; ``meanwhile`` is whether batches had been let go before it was recorded."""

    act: Act | type[Act]
    actor: str = OFFICER
    passes: timedelta = timedelta()
    meanwhile: bool = False
    which: int = 0


@dataclass
class Kept:
    """A decision to withhold: the duties whose notices it keeps back, and whether a second person agreed."""

    duties: set[UUID]
    by_two: bool = False


@dataclass
class Played:
    """A case, the state that its workflow would keep, and what the acts taken so far amount to."""

    case: CaseInSql
    state: CaseState
    withheld: dict[UUID, Kept] = field(default_factory=dict)
    settled: dict[UUID, set[UUID]] = field(default_factory=dict)
    sent: set[UUID] = field(default_factory=set)

    def play(self, step: Step) -> None:
        self.case.now += step.passes + A_MOMENT
        leaving = self._let_go()
        if not step.meanwhile:
            self._send(leaving)
        self._do(step)
        if step.meanwhile:
            self._send(leaving)
        self.compute()
        self._check_performed()

    def _let_go(self) -> list[BatchPlan]:
        ready = self.state.ready(self.case.now)
        for batch in ready:
            self.state.waiting.pop(batch.plan.batch_id, None)
            self.state.released.pop(batch.plan.batch_id, None)
        return [batch.plan.model_copy(update={"released_by": batch.released_by}) for batch in ready]

    def _send(self, leaving: list[BatchPlan]) -> None:
        """Send batches, and hold each notice that leaves against the decisions that stand."""
        due = {duty.id: duty.due_at for duty in self.case.duties}
        for plan in leaving:
            self.case.send(plan)
        with self.case.database.reading() as session:
            left = set(
                session.exec(
                    select(Notice.duty_id)
                    .join(Delivery, col(Delivery.notice_id) == col(Notice.id))
                    .where(Notice.case_id == self.case.id, Notice.kind == NoticeKind.NOTICE)
                    .where(Delivery.status == DeliveryStatus.ACCEPTED)
                )
            )
        for duty in left - self.sent:
            assert not any(duty in duties for duties in self.settled.values()), "two people had settled its duty"
            for kept in self.withheld.values():
                if duty in kept.duties:
                    assert not kept.by_two, "two people keep it back"
                    due_at = due[duty]
                    assert due_at
                    assert self.case.now >= due_at - HOUR, "one person keeps it back until its last safe moment"
        self.sent |= left

    def _do(self, step: Step) -> None:
        """Do an act as every face does; one that is refused changes nothing."""
        act = self._about_something(step)
        if RIGHTS[ROLES[step.actor]].isdisjoint(act_takes(type(act))):
            return
        message = TakeAct(act=act, actor=step.actor, act_id=uuid4())
        waiting = self._waiting(act)
        try:
            check(BREACH, message, self.state, self.case.now)
            made = self.case.act(act, step.actor, compute=False, act_id=message.act_id)
        except DuenoticeError:
            return
        take(BREACH, message, self.state)
        self._note(act, made or message.act_id, waiting)

    def _about_something(self, step: Step) -> Act:
        """The act, where it decides about a proposal one of those there are to decide about, if there are any."""
        if isinstance(step.act, Act):
            return step.act
        made = list(self.settled if step.act is Undo else self.state.proposals)
        proposal = made[step.which % len(made)] if made else UUID(int=0)
        given = {"act": step.act.act_name(), "proposal_id": proposal}
        return step.act.model_validate(given | ({"reason": REASON} if step.act is Undo else {}))

    def _waiting(self, act: Act) -> set[UUID]:
        """The duties whose notices an act to withhold or to release is about, as SQL has them before it."""
        match act:
            case Withhold():
                statuses: tuple[BatchStatus, ...] = (BatchStatus.WAITING,)
            case WithholdPastDue():
                statuses = (BatchStatus.WAITING, BatchStatus.WITHHELD)
            case _:
                return set()
        with self.case.database.reading() as session:
            return set(
                session.exec(
                    select(Notice.duty_id)
                    .join(Batch, col(Batch.id) == col(Notice.batch_id))
                    .where(Notice.case_id == self.case.id, Notice.kind == NoticeKind.NOTICE)
                    .where(col(Notice.dropped).is_(False), col(Batch.status).in_(statuses))
                    .where(col(Batch.released_by).is_(None), col(Batch.clause) == (act.clause or Batch.clause))
                )
            )

    def _note(self, act: Act, made: UUID, waiting: set[UUID]) -> None:
        """What an act that was taken means for what may leave, and for what may be called performed."""
        match act:
            case Withhold() | WithholdPastDue():
                by_two = set().union(*(kept.duties for kept in self.withheld.values() if kept.by_two))
                for kept in self.withheld.values():
                    kept.duties -= waiting - by_two
                self.withheld[made] = Kept(waiting - by_two)
            case Release(withheld=True, clause=clause):
                under = {duty.id for duty in self.case.duties if clause in (None, duty.clause)}
                for kept in self.withheld.values():
                    kept.duties -= under
            case Approve(proposal_id=proposal_id):
                self._note_approval(proposal_id)
            case Undo(proposal_id=proposal_id):
                del self.settled[proposal_id]
            case _:
                pass

    def _note_approval(self, proposal_id: UUID) -> None:
        with self.case.database.reading() as session:
            proposal = session.get_one(Proposal, proposal_id)
            decided_by = proposal.decided_by
            assert decided_by
            assert are_two(proposal.proposed_by, decided_by), "two people are two"
            if proposal.kind is ProposalKind.WITHHOLD:
                self.withheld[proposal_id].by_two = True
                return
            named = {UUID(key) for key in proposal.agreements}
            status = {ProposalKind.DONE: DutyStatus.PERFORMED, ProposalKind.NOT_REQUIRED: DutyStatus.NOT_REQUIRED}
            found = session.exec(
                select(Duty).where(Duty.case_id == self.case.id, Duty.status == status[proposal.kind])
            ).all()
            self.settled[proposal_id] = {
                duty.id
                for duty in found
                if duty.clause == proposal.clause
                and (not named or duty.agreement_id in named)
                and (proposal.kind is not ProposalKind.DONE or duty.performed_under == proposal_id)
            }

    def compute(self) -> None:
        """Compute as the case's loop does at its next turn."""
        self.case.compute()
        with self.case.database.reading() as session:
            self.state.waiting = {plan.batch_id: plan for plan in waiting_batches(session, self.case.id)}
        self.state.withheld = {key for key, plan in self.state.waiting.items() if plan.withheld}
        self.state.released = {key: who for key, who in self.state.released.items() if key in self.state.waiting}

    def _check_performed(self) -> None:
        """A duty is performed by a notice that arrived, or on the word of two people that stands; by nothing else."""
        settled = set().union(*self.settled.values())
        for duty in self.case.duties:
            if duty.status is DutyStatus.NOT_REQUIRED or duty.performed_under:
                assert duty.id in settled
            elif duty.status is DutyStatus.PERFORMED:
                assert duty.id in self.sent
            else:
                assert duty.verdict is None
                assert duty.performed_at is None


REASON = KeptText.model_validate("Counsel says so.")
NOT_REQUIRED = Propose.model_validate({"clause": NOTICE, "ground": "no_student_data", "reason": REASON})
DONE = [done(NOTICE, place, done_at=NOW + HOUR) for place in PLACES]
EARLIER, LONG_AGO = (SetDate(name="confirmed", instant=NOW - hours * HOUR, reason=REASON) for hours in (2, 100))
ALONE, FOR_LONGER = Withhold(reason=REASON), WithholdPastDue(reason=REASON)
LET_GO, END = Release(unread=True), Release(withheld=True, unread=True)

OFTEN: list[Act | type[Act]] = [Approve, Approve, Approve, Approve, Undo, FOR_LONGER, FOR_LONGER, *DONE]
SELDOM: list[Act | type[Act]] = [Decline, ALONE, LET_GO, END, NOT_REQUIRED, EARLIER, LONG_AGO]
STEPS = st.builds(
    Step,
    act=st.sampled_from([*OFTEN, *SELDOM]),
    actor=st.sampled_from([OFFICER, OFFICER, OFFICER, APPROVER, APPROVER, APPROVER, PUPPET, AUDITOR]),
    passes=st.sampled_from([timedelta(), timedelta(), timedelta(), 69 * HOUR, 5 * DAY]),
    meanwhile=st.booleans(),
    which=st.integers(0, 2),
)
LATER = 5 * DAY


@example([Step(FOR_LONGER), Step(Approve, APPROVER), Step(LONG_AGO), Step(Decline, passes=LATER)])
@example([Step(FOR_LONGER), Step(Approve, APPROVER, passes=69 * HOUR, meanwhile=True), Step(Decline, passes=LATER)])
@example([Step(ALONE, passes=69 * HOUR, meanwhile=True), Step(Decline, passes=HOUR)])
@example(
    [Step(DONE[0]), Step(Approve, APPROVER, passes=69 * HOUR, meanwhile=True), Step(Undo), Step(Undo, passes=LATER)]
)
@pytest.mark.long
@example([Step(FOR_LONGER), Step(Approve, APPROVER), Step(DONE[0]), Step(Approve, APPROVER), Step(Undo, passes=LATER)])
@example([Step(DONE[0]), Step(Approve, PUPPET), Step(NOT_REQUIRED), Step(Approve, OFFICER), Step(Approve, AUDITOR)])
@example([Step(FOR_LONGER), Step(Approve, PUPPET, passes=HOUR), Step(END, AUDITOR), Step(Decline, passes=LATER)])
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=st.lists(STEPS, min_size=4, max_size=12))
def test_no_notice_leaves_that_a_decision_keeps_back_and_nothing_is_performed_that_was_not(
    database: Database, steps: list[Step]
) -> None:
    with database.reading() as session:
        known = session.exec(select(Case.id)).first()
    if known is None:
        people(database)
    case = open_in_sql(database, BREACH, PLACES, NOW, {"occurred": NOW - 5 * DAY, "confirmed": NOW})
    case.compute()
    case.now += 2 * HOUR
    with database.reading() as session:
        state = restore_state(session, case.id, case.policy)
        state.vocabulary = vocabulary(session, session.get_one(Case, case.id), pinned_terms(session, case.id))
    state.opened, state.computed = True, state.facts
    played = Played(case, state)
    played.compute()
    assert len(state.waiting) == 2, "there is something to decide about"
    for step in steps:
        played.play(step)
