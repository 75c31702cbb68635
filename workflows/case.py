"""The one clock of any case, whatever its kind.

It asks for duties to be computed whenever a fact arrives, lets each batch of notices go when an officer releases it or
at the last safe moment before it is due, and ends when its kind says that the matter is decided and nothing is open.

What keeps it sound, at each hazard once more:

- *Recorded, then believed.* An act is validated, recorded in SQL and in the ledger, and only then taken into the state.
- *Moments are compared, never counted.* Whatever was missed while no worker ran is caught up at the next turn.
- *An act's commands depend on no batch or reminder under way.* A worker without the case in memory runs an update's
  handler before what the task ahead of it brought, a later replay after it, and at another time
  (``sdk-python#1591``; ``tests/workflows/test_races.py``).
- *One order of commands.* Each turn of the loop gives its commands in the order of ``keep_clocks``; another order is a
  change to running workflows (see CONTRIBUTING).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError

with workflow.unsafe.imports_passed_through():
    from activities.contracts import (
        MAIL_TO_PEOPLE,
        ONE_TRANSACTION,
        WHOLE_CASE,
        CaseContract,
        DutyContract,
        HolderContract,
        ReminderContract,
        refusal,
    )
    from cases.acts import TakeAct
    from cases.kind import Kind
    from cases.messages import (
        AskForDecision,
        AskHolders,
        BatchOutcome,
        ChaseAcknowledgements,
        CloseCase,
        ComputeDuties,
        OpenCase,
        RaiseOverdue,
        RecordAct,
        RemindOfficer,
        SendBatch,
        SummariseCase,
    )
    from cases.rules import check, take
    from cases.state import BatchPlan, CaseInput, CaseSummary, PutOff
    from models import identifiers
    from models.enums import CaseStatus
    from models.errors import DuenoticeError, Refused
    from models.search_attributes import CASE_STATUS, NEXT_DUE, OPEN_DUTIES
    from workflows.notice_batch import NoticeBatchWorkflow

WINDOW = 20
"""How many batches leave at once; the others wait, and so can begin a new history in between."""

AFTER_A_LOST_BATCH = timedelta(minutes=1)
"""How long to wait before a batch whose workflow was ended from outside is sent again."""


RECORD_NAMES_THE_ACT = "record-names-the-act"
"""The change by which the record of an act answers with its id."""

HOLDERS_ARE_ASKED_ONCE = "holders-are-asked-once"
"""The change by which holders are not written to while they are being written to."""


class CaseWorkflow:
    """One case, across every agreement it touches.

    A subclass names its kind, is decorated with ``workflow.defn``, and has ``workflow.init`` and ``workflow.run`` of
    its own, which must stand on each class; signals and queries are inherited, and updates are made from the kind's
    acts.
    """

    kind: ClassVar[Kind]

    def __init__(self, message: CaseInput) -> None:
        """Start from what is known of the case, and offer one update for each act of its kind."""
        self._case_id = message.case_id
        self._policy = message.policy
        self._state = message.state
        self._background: set[asyncio.Task[None]] = set()
        self._recording = asyncio.Lock()
        self._is_asking_holders = False
        for act in (act for act in self.kind.all_acts if act.keeps_clocks):
            workflow.set_update_handler(act.act_name(), self._take, validator=self._check_update)

    async def keep_clocks(self, message: CaseInput) -> CaseSummary:
        """Keep the case's clocks until it is over; answer how it stood at its end."""
        if not self._state.opened:
            await workflow.execute_activity_method(
                CaseContract.open_case,
                OpenCase(case_id=self._case_id),
                **WHOLE_CASE,
                summary="pin the terms of the affected agreements",
            )
            self._state.opened = True
        while not self._is_done():
            await self._catch_up()
            self._let_go()
            self._remind()
            self._ask_for_decisions()
            self._raise_overdue()
            self._chase()
            self._ask_holders()
            await self._wait_for_the_next_event()
            self._continue_as_new_if_long(message)
        # From here on the validators refuse every act: nothing can be recorded that no loop would see.
        self._state.closing = True
        self._state.summary = await workflow.execute_activity_method(
            CaseContract.close_case, CloseCase(case_id=self._case_id), **ONE_TRANSACTION, summary="close the case"
        )
        self._state.closed = True
        self._show_summary(CaseStatus.DISMISSED if self._state.dismissed else CaseStatus.CLOSED)
        return self._state.summary

    @workflow.signal
    def look_again(self) -> None:
        """SQL holds something that this case has not heard of: compute its duties once more."""
        self._state.facts += 1

    @workflow.query
    def summary(self) -> CaseSummary:
        """How the case stands, as far as it is computed."""
        return self._state.reported()

    @workflow.query
    def is_busy(self) -> bool:
        """Whether the case is at work rather than waiting for a fact, an act or a due instant."""
        state = self._state
        under_way = bool(state.leaving or self._background or self._ready()) or state.is_behind()
        return not state.closed and (not state.opened or under_way or self.kind.is_over(state))

    def _check_update(self, message: TakeAct) -> None:
        """Refuse an act that makes no sense, or that another act's update brings; it leaves nothing in the history."""
        update = workflow.current_update_info()
        if update is None or update.name != message.act.act:
            raise refusal(Refused(f"The act {message.act.act!r} is not taken by another act's update."))
        if update.id != str(message.act_id):
            raise refusal(Refused("An act is taken under its own id alone.", next_step="Do it on the case's page."))
        self._check(message)

    def _check(self, message: TakeAct) -> None:
        """Raise the refusal of an act that makes no sense."""
        try:
            check(self.kind, message, self._state, workflow.now())
        except DuenoticeError as error:
            raise refusal(error) from error

    async def _take(self, message: TakeAct) -> CaseSummary:
        """Record what a person did, then believe it; answer at once, since duties may take long to compute.

        One act at a time: between a validator and here, another act may have been taken that makes this one senseless.
        What can never be recorded fails the update with its sentence, and the state is as it was.
        """
        async with self._recording:
            self._check(message)
            await self._record(message)
            take(self.kind, message, self._state)
            # Notices that are leaving now may have been written before this was known.
            self._state.overtaken |= bool(self._state.leaving or self._state.put_off)
            self._state.facts += 1
        return self._state.reported()

    async def _record(self, message: TakeAct) -> None:
        recorded = RecordAct(
            case_id=self._case_id,
            act=message.act,
            actor=message.actor,
            act_id=message.act_id,
            dates_confirmed=message.dates_confirmed,
            authenticated=message.authenticated,
            at=workflow.now(),
        )
        try:
            # Its answer names the act: anybody who reaches Temporal can end an activity, with an answer or without one.
            while await self._recorded(recorded) != message.act_id and workflow.patched(RECORD_NAMES_THE_ACT):
                workflow.logger.warning("the record of an act was answered from outside; it is asked for again")
        except ActivityError as error:
            cause = error.cause
            if not isinstance(cause, ApplicationError):
                raise
            raise ApplicationError(cause.message, *cause.details, type=cause.type, non_retryable=True) from error

    async def _recorded(self, message: RecordAct) -> UUID | None:
        """The id of the act that was recorded; None in histories from before the answer named it."""
        return await workflow.execute_activity_method(
            CaseContract.record_act, message, **ONE_TRANSACTION, summary=f"record the act: {message.act.act}"
        )

    def _is_done(self) -> bool:
        """Whether the case is over, every act that was taken has been answered, and everybody told who is to be.

        The server cancels what still runs when a workflow ends: a mail on its way to an officer would be lost.
        """
        return self.kind.is_over(self._state) and not self._background and workflow.all_handlers_finished()

    async def _catch_up(self) -> None:
        """Bring duties and summary up to what happened; what happens meanwhile is caught up at the next turn."""
        state = self._state
        if state.computed < state.facts:
            facts = state.facts
            found = await workflow.execute_activity_method(
                DutyContract.compute_duties,
                ComputeDuties(case_id=self._case_id, policy=self._policy),
                **WHOLE_CASE,
                summary="compute every duty",
            )
            here = state.leaving.keys() | state.put_off.keys()
            state.waiting = {plan.batch_id: plan for plan in found.batches if plan.batch_id not in here}
            self._hasten(found.batches)
            state.withheld = {key for key, plan in state.waiting.items() if plan.withheld}
            state.raised_until = None
            state.summary, state.vocabulary, state.computed = found.summary, found.vocabulary, facts
        elif state.is_behind():
            outcomes = state.outcomes
            state.summary = await workflow.execute_activity_method(
                CaseContract.summarise_case,
                SummariseCase(case_id=self._case_id),
                **ONE_TRANSACTION,
                summary="read how the case stands",
            )
            state.outcomes_seen = outcomes
        else:
            return
        self._show_summary(CaseStatus.OPEN)

    def _hasten(self, plans: Iterable[BatchPlan]) -> None:
        """Take up sooner what SQL says is to be tried sooner, as where a notice came back and another contact waits."""
        for plan in plans:
            put_off = self._state.put_off.get(plan.batch_id)
            if put_off and plan.leaves_at < put_off.again_at:
                self._state.put_off[plan.batch_id] = put_off.model_copy(update={"again_at": plan.leaves_at})

    def _ready(self) -> list[PutOff]:
        """The batches that may go now."""
        return self._state.ready(workflow.now())

    def _next_to_leave(self) -> list[PutOff]:
        """Those of the ready batches that find a place in the window, the first due before the others."""
        places = 0 if self._is_long() else WINDOW - len(self._state.leaving)
        ready = sorted(self._ready(), key=lambda batch: (batch.again_at, batch.plan.batch_id))
        return ready[:places]

    def _let_go(self) -> None:
        state = self._state
        for batch in self._next_to_leave():
            key = batch.plan.batch_id
            state.waiting.pop(key, None)
            state.put_off.pop(key, None)
            state.released.pop(key, None)
            state.leaving[key] = batch.plan
            self._in_background(self._send(batch))

    async def _send(self, batch: PutOff) -> None:
        """Send a batch and give its place in the window back, even if some of its messages could not leave yet.

        One recipient's full mailbox must not keep the next batch waiting: what is put off has a moment of its own.
        """
        outcome = await self._send_until_answered(batch)
        state = self._state
        del state.leaving[batch.plan.batch_id]
        if outcome.again_at:
            put_off = batch.model_copy(update={"again_at": outcome.again_at})
            state.put_off[batch.plan.batch_id] = put_off
        state.outcomes += 1
        if outcome.kept_back or outcome.dates:
            state.facts += 1
        if state.overtaken and not state.leaving:
            state.overtaken, state.facts = bool(state.put_off), state.facts + 1
        if outcome.given:
            # Not when the case hears of it: that may be another time in a replay (sdk-python#1591).
            ended = outcome.ended_at or workflow.now()
            # Whole minutes, so that the batches of one wave are chased together.
            sent = ended.replace(second=0, microsecond=0) + timedelta(minutes=1)
            chases = {sent + timedelta(hours=hours) for hours in self._policy.chase_hours}
            if batch.plan.clause in state.vocabulary.offering:
                chases.add(sent + timedelta(days=self._policy.answer_days))
            state.chases = sorted(chases.union(state.chases))
        if outcome.undelivered or outcome.late or outcome.refused or outcome.undecided:
            await self._raise()

    async def _send_until_answered(self, batch: PutOff) -> BatchOutcome:
        plan = batch.plan
        while True:
            try:
                return await workflow.execute_child_workflow(
                    NoticeBatchWorkflow.run,
                    SendBatch(
                        batch_id=plan.batch_id,
                        released_by=batch.released_by,
                        lapsed=plan.withheld and batch.released_by is None,
                    ),
                    id=identifiers.batch_workflow_id(plan.batch_id),
                    static_summary=f"{plan.size} notices under {plan.clause}",
                )
            except ChildWorkflowError:
                workflow.logger.warning("a batch ended without an outcome; it is sent again")
                await workflow.sleep(AFTER_A_LOST_BATCH)

    def _reminders(self) -> Iterator[tuple[datetime, BatchPlan, str, int]]:
        """The next reminder of each cohort that waits for an officer: when, of what, its key and its place.

        Of several whose time has passed, only the last is given.
        """
        state = self._state
        dated = [plan for plan in state.waiting.values() if plan.due_at]
        cohorts = {plan.cohort: plan for plan in dated if plan.batch_id not in state.withheld}
        lapsing = (plan for plan in dated if plan.batch_id in state.withheld and plan.lapses_at)
        cohorts |= {f"{plan.cohort} withheld until {plan.lapses_at}": plan for plan in lapsing}
        for key, plan in cohorts.items():
            moments = self._reminder_moments(plan)
            passed = sum(moment <= workflow.now() for moment in moments)
            place = max(state.reminded.get(key, 0), passed - 1)
            if place < len(moments):
                yield moments[place], plan, key, place

    def _reminder_moments(self, plan: BatchPlan) -> list[datetime]:
        """When an officer is reminded of a draft: at parts of its time, or at once and again and again.

        Where it has an internal date, its time is that up to then; from then on, it is that up to its due instant.
        """
        assert plan.due_at is not None, "only dated cohorts are reminded of"
        if plan.lapses_at:
            return [plan.lapses_at - timedelta(minutes=self._policy.lapse_warning_minutes)]
        length = plan.due_at - plan.starts_at
        if plan.last_moment and self._policy.last_moment_reminder_minutes:
            every = timedelta(minutes=self._policy.last_moment_reminder_minutes)
            return [plan.starts_at + every * place for place in range(-(-length // every))]
        moments = [plan.starts_at + length * fraction for fraction in self._policy.reminder_fractions]
        internal = plan.internal_due_at
        if internal is None:
            return moments
        ahead = max(internal - plan.starts_at, timedelta())
        first = [plan.starts_at + ahead * fraction for fraction in self._policy.reminder_fractions if ahead]
        return [*first, *(moment for moment in moments if moment >= internal)]

    def _remind(self) -> None:
        due = [reminder for reminder in self._reminders() if reminder[0] <= workflow.now()]
        for moment, plan, key, place in due:
            self._state.reminded[key] = place + 1
            assert plan.due_at is not None, "only dated cohorts are reminded of"
            internal = plan.internal_due_at
            ahead = internal is not None and plan.starts_at < internal and moment < internal
            ends = internal if internal is not None and ahead else plan.due_at
            message = RemindOfficer(
                case_id=self._case_id,
                clause=plan.clause,
                due_at=plan.due_at,
                fraction=round((moment - plan.starts_at) / (ends - plan.starts_at), 4),
                last_moment=plan.last_moment,
                last=place + 1 == len(self._reminder_moments(plan)),
                lapses_at=plan.lapses_at,
                internal_due_at=internal,
                internal_passed=internal is not None and not ahead,
            )
            self._in_background(
                self._forgiving(
                    workflow.execute_activity_method(
                        ReminderContract.remind_officer, message, **MAIL_TO_PEOPLE, summary="remind the officer"
                    )
                )
            )

    def _questions(self) -> Iterator[tuple[str, str, datetime | None]]:
        """What officers have not been written to about: the dated fact, the question's key, and when it opens."""
        if not self._policy.last_moment_reminder_minutes:
            return
        for name in self._state.vocabulary.asked:
            opens = self._state.asked_again.get(name)
            key = f"{name} {opens}"
            if key not in self._state.asked:
                yield name, key, opens

    def _ask_for_decisions(self) -> None:
        now = workflow.now()
        for name, key, opens in list(self._questions()):
            if opens is not None and opens > now:
                continue
            self._state.asked.add(key)
            self._in_background(
                self._forgiving(
                    workflow.execute_activity_method(
                        ReminderContract.ask_for_decision,
                        AskForDecision(case_id=self._case_id, name=name, opens=opens),
                        **MAIL_TO_PEOPLE,
                        summary="ask for a decision",
                    )
                )
            )

    def _next_overdue(self) -> datetime | None:
        until = self._state.raised_until
        return min((due for due in self._state.summary.to_raise if until is None or due > until), default=None)

    def _raise_overdue(self) -> None:
        due, now = self._next_overdue(), workflow.now()
        if due is not None and due < now:
            self._state.raised_until = max(instant for instant in self._state.summary.to_raise if instant < now)
            self._in_background(self._raise())

    async def _raise(self) -> None:
        await self._forgiving(
            workflow.execute_activity_method(
                ReminderContract.raise_overdue,
                RaiseOverdue(case_id=self._case_id),
                **MAIL_TO_PEOPLE,
                summary="raise what is overdue",
            )
        )

    def _chase(self) -> None:
        state = self._state
        if state.chases and state.chases[0] <= workflow.now():
            state.chases = [instant for instant in state.chases if instant > workflow.now()]
            self._in_background(self._ask_for_acknowledgements())

    async def _ask_for_acknowledgements(self) -> None:
        message = ChaseAcknowledgements(
            case_id=self._case_id, chase_hours=self._policy.chase_hours, answer_days=self._policy.answer_days
        )
        with suppress(ActivityError):  # the next chase makes up for it
            chased = await workflow.execute_activity_method(
                ReminderContract.chase_acknowledgements, message, **MAIL_TO_PEOPLE, summary="ask for acknowledgements"
            )
            if chased.again_at:
                self._state.chases = sorted({*self._state.chases, chased.again_at})
        self._state.outcomes += 1

    def _ask_holders(self) -> None:
        state = self._state
        if state.summary.holders_at is not None and state.summary.holders_at <= workflow.now():
            state.summary = state.summary.model_copy(update={"holders_at": None})
            # SQL does not know yet to whom a mail is on its way: each of them would get a second one.
            if self._is_asking_holders and workflow.patched(HOLDERS_ARE_ASKED_ONCE):
                return
            self._is_asking_holders = True
            self._in_background(self._write_to_holders())

    async def _write_to_holders(self) -> None:
        try:
            await self._forgiving(
                workflow.execute_activity_method(
                    HolderContract.ask_holders,
                    AskHolders(case_id=self._case_id, policy=self._policy),
                    **MAIL_TO_PEOPLE,
                    summary="write to the holders of the data",
                )
            )
        finally:
            self._is_asking_holders = False
        self._state.outcomes += 1  # SQL says when they are written to next

    async def _forgiving(self, work: Awaitable[object]) -> None:
        """Wait for work that the case can do without: the next reminder, or the watchdog, makes up for it."""
        try:
            await work
        except ActivityError:
            workflow.logger.warning("a reminder could not be given")

    def _in_background(self, work: Awaitable[None]) -> None:
        # The set keeps the task alive: the event loop itself holds tasks only weakly.
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _wait_for_the_next_event(self) -> None:
        if self._is_done():
            return
        # What passed while duties were computed is in no moment to come.
        self._note_what_ended()
        now = workflow.now()
        moments = [moment for moment in self._moments() if moment > now]
        timeout = max(min(moments) - now, timedelta()) if moments else None
        with suppress(asyncio.TimeoutError):
            await workflow.wait_condition(
                self._has_something_to_do,
                timeout=timeout,
                timeout_summary="the next moment at which something is to be done",
            )
        self._note_what_ended()

    def _moments(self) -> Iterator[datetime]:
        """Every instant at which this clock has something to do."""
        state, now = self._state, workflow.now()
        yield from state.leaving_moments()
        yield from (batch.again_at for batch in state.put_off.values())
        # A reminder whose time has passed is given at once.
        yield from (max(reminder[0], now + timedelta(milliseconds=1)) for reminder in self._reminders())
        yield from (opens for _, _, opens in self._questions() if opens)
        yield from (hold.until for hold in state.holds.values() if hold.until)
        yield from state.chases[:1]
        if overdue := self._next_overdue():
            yield overdue + timedelta(milliseconds=1)
        if state.summary.elapses_at:
            yield state.summary.elapses_at
        if state.summary.holders_at:
            yield max(state.summary.holders_at, now + timedelta(milliseconds=1))

    def _has_something_to_do(self) -> bool:
        return self._state.is_behind() or self._is_done() or bool(self._next_to_leave()) or self._may_begin_anew()

    def _note_what_ended(self) -> None:
        """Holds that are over, and the time that a clause lets run out, change what is due."""
        state, now = self._state, workflow.now()
        for key in [key for key, hold in state.holds.items() if hold.until and hold.until <= now]:
            del state.holds[key]
            state.facts += 1
        if state.summary.elapses_at and state.summary.elapses_at <= now:
            state.summary = state.summary.model_copy(update={"elapses_at": None})
            state.facts += 1

    def _is_long(self) -> bool:
        """Whether the history is long enough to begin a new one; until it does, no further batch leaves."""
        return workflow.info().is_continue_as_new_suggested()

    def _continue_as_new_if_long(self, message: CaseInput) -> None:
        if self._may_begin_anew():
            workflow.continue_as_new(message.model_copy(update={"state": self._state}))

    def _may_begin_anew(self) -> bool:
        """Whether the history is long and the case has come to rest, so that its state is all there is to hand on."""
        state = self._state
        at_rest = not (state.leaving or self._background or state.is_behind() or self.kind.is_over(state))
        # A handler that has not answered would be lost with the run.
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
