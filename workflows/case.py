"""The one clock of any case, whatever its kind: a kind's own workflow is a subclass that adds nothing to when.

It asks for its duties to be computed whenever a fact arrives, lets each batch of notices
go when an officer releases it or at the last safe moment before it is due, and ends when nothing is open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError

with workflow.unsafe.imports_passed_through():
    from activities.contracts import (
        CHASE_ACKNOWLEDGEMENTS,
        CLOSE_CASE,
        COMPUTE_DUTIES,
        OPEN_CASE,
        RAISE_OVERDUE,
        RECORD_ACT,
        REMIND_OFFICER,
        SUMMARISE_CASE,
    )
    from cases.messages import (
        BatchPlan,
        CaseAct,
        CaseSummary,
        ChaseAcknowledgements,
        CloseCase,
        ComputeDuties,
        DocumentsChanged,
        ExtendScope,
        OpenCase,
        RaiseOverdue,
        RecordAct,
        ReleaseNotices,
        RemindOfficer,
        SendBatch,
        SummariseCase,
    )
    from cases.state import BreachInput, check, take_act
    from models import identifiers
    from models.enums import CaseStatus
    from models.errors import DuenoticeError
    from models.search_attributes import CASE_STATUS, NEXT_DUE, OPEN_DUTIES
    from workflows.notice_batch import NoticeBatchWorkflow

WINDOW = 20
"""How many batches leave at once; the others wait, and so can begin a new history in between."""

AFTER_A_LOST_BATCH = timedelta(minutes=1)
"""How long to wait before a batch whose workflow was ended from outside is sent again."""

KEPT_ELSEWHERE = (ReleaseNotices, ExtendScope, DocumentsChanged)
"""Acts whose evidence is written with the notices released, the agreements added, the documents kept."""


class CaseWorkflow:
    """One case, across every agreement it touches.

    A subclass is decorated with ``workflow.defn`` and has ``workflow.init`` and ``workflow.run`` of its own, which must
    stand on each class; updates, validators and queries are inherited.
    """

    def __init__(self, message: BreachInput) -> None:
        """Start from what is remembered of the case."""
        self._case_id = message.case_id
        self._policy = message.policy
        self._state = message.state
        self._background: set[asyncio.Task[None]] = set()

    async def keep_clocks(self, message: BreachInput) -> CaseSummary:
        """Keep the case's clocks until nothing is open; answer how it stood at its end."""
        if not self._state.opened:
            await OPEN_CASE(OpenCase(case_id=self._case_id), summary="pin the terms of the affected agreements")
            self._state.opened = True
        while not self._is_done():
            await self._catch_up()
            self._let_go()
            self._remind()
            self._raise_overdue()
            self._chase()
            await self._wait_for_the_next_event()
            self._continue_as_new_if_long(message)
        self._state.closing = True
        self._state.summary = await CLOSE_CASE(CloseCase(case_id=self._case_id), summary="close the case")
        self._state.closed = True
        self._show_summary(CaseStatus.DISMISSED if self._state.dismissed else CaseStatus.CLOSED)
        return self._state.summary

    @workflow.update
    async def act(self, message: CaseAct) -> CaseSummary:
        """Do what a person decided, keep the evidence, and answer once the case has computed with it."""
        take_act(message, self._state)
        self._state.overtaken |= bool(self._state.leaving)
        if not isinstance(message, KEPT_ELSEWHERE):
            taken = RecordAct(case_id=self._case_id, act=message, at=workflow.now())
            await RECORD_ACT(taken, summary=f"record the act: {message.act}")
        self._state.facts += 1
        wanted = self._state.facts
        await workflow.wait_condition(lambda: self._state.computed >= wanted)
        return self._state.summary

    @act.validator
    def _makes_sense(self, message: CaseAct) -> None:
        try:
            check(message, self._state, workflow.now())
        except DuenoticeError as error:
            raise ApplicationError(str(error), type=error.code, non_retryable=True) from error

    @workflow.query
    def standing(self) -> CaseSummary:
        """How the case stood at its last due_date."""
        return self._state.summary

    @workflow.query
    def is_busy(self) -> bool:
        """Whether the case is at work rather than waiting for a fact, an act or a due instant."""
        state = self._state
        under_way = bool(state.leaving or self._background or self._ready()) or state.is_behind()
        return not state.closed and (not state.opened or under_way or state.is_over())

    def _is_done(self) -> bool:
        """Whether nothing is open, and every act that was taken has been answered; later ones are refused."""
        return self._state.is_over() and workflow.all_handlers_finished()

    async def _catch_up(self) -> None:
        state = self._state
        if state.computed < state.facts:
            facts = state.facts
            found = await COMPUTE_DUTIES(
                ComputeDuties(case_id=self._case_id, policy=self._policy), summary="compute every duty"
            )
            state.waiting = {plan.batch_id: plan for plan in found.batches if plan.batch_id not in state.leaving}
            state.withheld = {key for key, plan in state.waiting.items() if plan.withheld}
            state.raised_until = None
            state.summary, state.vocabulary, state.computed = found.summary, found.vocabulary, facts
        elif state.is_behind():
            outcomes = state.outcomes
            state.summary = await SUMMARISE_CASE(
                SummariseCase(case_id=self._case_id), summary="read how the case stands"
            )
            state.outcomes_seen = outcomes
        else:
            return
        self._show_summary(CaseStatus.OPEN)

    def _ready(self) -> list[BatchPlan]:
        """The waiting batches that may go now: released, or at their last safe moment and not withheld."""
        state, now = self._state, workflow.now()
        return [
            plan
            for key, plan in state.waiting.items()
            if key in state.released or (now >= plan.leaves_at and key not in state.withheld)
        ]

    def _next_to_leave(self) -> list[BatchPlan]:
        """Those of the ready batches that find a place in the window, the first due before the others."""
        places = 0 if self._is_long() else WINDOW - len(self._state.leaving)
        ready = sorted(self._ready(), key=lambda plan: (plan.due_at or plan.leaves_at, plan.batch_id))
        return ready[:places]

    def _let_go(self) -> None:
        state = self._state
        for plan in self._next_to_leave():
            state.leaving[plan.batch_id] = state.waiting.pop(plan.batch_id)
            self._in_background(self._send(plan, state.released.pop(plan.batch_id, None)))

    async def _send(self, plan: BatchPlan, released_by: str | None) -> None:
        await self._send_until_done(plan, released_by)
        state = self._state
        del state.leaving[plan.batch_id]
        state.outcomes += 1
        if state.overtaken and not state.leaving:
            state.overtaken, state.facts = False, state.facts + 1
        # Whole minutes, so that the batches of one wave are chased together.
        sent = workflow.now().replace(second=0, microsecond=0) + timedelta(minutes=1)
        chases = {sent + timedelta(hours=hours) for hours in self._policy.chase_hours}
        state.chases = sorted(chases.union(state.chases))

    async def _send_until_done(self, plan: BatchPlan, released_by: str | None) -> None:
        while True:
            try:
                outcome = await workflow.execute_child_workflow(
                    NoticeBatchWorkflow.run,
                    SendBatch(batch_id=plan.batch_id, released_by=released_by),
                    id=identifiers.batch_workflow_id(plan.batch_id),
                    static_summary=f"{plan.size} notices under {plan.clause}",
                )
            except ChildWorkflowError:
                workflow.logger.warning("a batch ended without an outcome; it is sent again")
                await workflow.sleep(AFTER_A_LOST_BATCH)
            else:
                if outcome.undelivered or outcome.late or outcome.refused:
                    await self._raise()
                return

    def _reminders(self) -> Iterator[tuple[datetime, BatchPlan, str, int]]:
        """The next reminder of each cohort that waits for an officer: when, of what, its key and its place.

        Of several whose time has passed, only the last is given.
        """
        state = self._state
        waiting = (plan for batch_id, plan in state.waiting.items() if batch_id not in state.withheld)
        cohorts = {f"{plan.clause} {plan.due_at}": plan for plan in waiting if plan.due_at}
        for key, plan in cohorts.items():
            assert plan.due_at is not None, "only dated cohorts are reminded of"
            length = plan.due_at - plan.starts_at
            moments = [plan.starts_at + length * fraction for fraction in self._policy.reminder_fractions]
            passed = sum(moment <= workflow.now() for moment in moments)
            place = max(state.reminded.get(key, 0), passed - 1)
            if place < len(moments):
                yield moments[place], plan, key, place

    def _remind(self) -> None:
        due = [reminder for reminder in self._reminders() if reminder[0] <= workflow.now()]
        for _, plan, key, place in due:
            self._state.reminded[key] = place + 1
            assert plan.due_at is not None, "only dated cohorts are reminded of"
            message = RemindOfficer(
                case_id=self._case_id,
                clause=plan.clause,
                due_at=plan.due_at,
                fraction=self._policy.reminder_fractions[place],
            )
            self._in_background(self._forgiving(REMIND_OFFICER(message, summary="remind the officer")))

    def _next_overdue(self) -> datetime | None:
        until = self._state.raised_until
        return min((due for due in self._state.summary.due_instants if until is None or due > until), default=None)

    def _raise_overdue(self) -> None:
        due, now = self._next_overdue(), workflow.now()
        if due is not None and due < now:
            self._state.raised_until = max(instant for instant in self._state.summary.due_instants if instant < now)
            self._in_background(self._raise())

    async def _raise(self) -> None:
        await self._forgiving(RAISE_OVERDUE(RaiseOverdue(case_id=self._case_id), summary="raise what is overdue"))

    def _chase(self) -> None:
        state = self._state
        if state.chases and state.chases[0] <= workflow.now():
            state.chases = [instant for instant in state.chases if instant > workflow.now()]
            self._in_background(self._ask_for_acknowledgements())

    async def _ask_for_acknowledgements(self) -> None:
        message = ChaseAcknowledgements(case_id=self._case_id, chase_hours=self._policy.chase_hours)
        await self._forgiving(CHASE_ACKNOWLEDGEMENTS(message, summary="ask for acknowledgements"))
        self._state.outcomes += 1

    async def _forgiving(self, work: Awaitable[object]) -> None:
        """Wait for work that the case can do without: the next reminder, or the watchdog, makes up for it."""
        try:
            await work
        except ActivityError:
            workflow.logger.warning("a reminder could not be given")

    def _in_background(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _wait_for_the_next_event(self) -> None:
        state = self._state
        if self._is_done():
            return
        now = workflow.now()
        leaving = (plan.leaves_at for key, plan in state.waiting.items() if key not in state.withheld)
        moments = [instant for instant in leaving if instant > now]
        moments += [reminder[0] for reminder in self._reminders()]
        moments += [until for until in state.holds.values() if until]
        moments += state.chases[:1]
        if overdue := self._next_overdue():
            moments.append(overdue + timedelta(milliseconds=1))
        timeout = max(min(moments) - now, timedelta()) if moments else None
        with suppress(asyncio.TimeoutError):
            await workflow.wait_condition(
                self._has_something_to_do,
                timeout=timeout,
                timeout_summary="the next moment at which something is to be done",
            )
        self._end_expired_holds()

    def _has_something_to_do(self) -> bool:
        return self._state.is_behind() or self._is_done() or bool(self._next_to_leave()) or self._may_begin_anew()

    def _end_expired_holds(self) -> None:
        ended = [key for key, until in self._state.holds.items() if until and until <= workflow.now()]
        for key in ended:
            del self._state.holds[key]
            self._state.facts += 1

    def _is_long(self) -> bool:
        """Whether the history is long enough to begin a new one; until it does, no further batch leaves."""
        return workflow.info().is_continue_as_new_suggested()

    def _continue_as_new_if_long(self, message: BreachInput) -> None:
        if self._may_begin_anew():
            workflow.continue_as_new(message.model_copy(update={"state": self._state}))

    def _may_begin_anew(self) -> bool:
        """Whether the history is long and the case has come to rest, so that its state is all there is to hand on."""
        state = self._state
        at_rest = not (state.leaving or self._background or state.is_behind() or state.is_over())
        return self._is_long() and at_rest and workflow.all_handlers_finished()

    def _show_summary(self, status: CaseStatus) -> None:
        summary = self._state.summary
        workflow.upsert_search_attributes(
            [
                CASE_STATUS.value_set(status.value),
                OPEN_DUTIES.value_set(summary.open_duties),
                NEXT_DUE.value_set(summary.next_due_at) if summary.next_due_at else NEXT_DUE.value_unset(),
            ]
        )
        due = summary.next_due_at.isoformat() if summary.next_due_at else "nothing dated"
        workflow.set_current_details(f"{summary.open_duties} duties open; next due: {due}.")
