"""The watchdog: finds in SQL and in Temporal what the clocks should have seen to and have not, and raises each once.

A sweep costs about the same however many cases are open: it compares counts, and looks closely only at what is
suspicious and at a few cases that are merely their turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import time
from typing import Protocol
from uuid import UUID

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.artifacts import LONGEST_MOVE, ArtifactMover
from activities.at_once import Answer, Asked, each
from activities.clock import activity_clock
from activities.contracts import WatchdogContract
from activities.heartbeat import beating
from activities.letters import LONGEST_HANDOVER, LetterSender
from activities.news import News
from activities.reminders import ReminderActivities
from activities.restored import Restoring
from activities.running_workflows import BATCH, Health, RunningWorkflows
from activities.telling import Message, Recipient
from cases.messages import RaiseOverdue, Sweep, Swept
from config.database import Database
from config.logging import get_logger
from ledger.append import ledger_length
from ledger.artifacts import drop_unclaimed
from mail.handover import MailServerUnavailable
from mail.people_mails import Found, Stuck
from models import identifiers
from models.errors import IntegrityError, InvalidInput, Unavailable
from models.tables import Batch, LastSweep
from records.bounces import unraised_bounces
from records.ends import Rules, note_ends, open_end, unseen_ends
from records.handed_over import erase_due
from records.overlooked import (
    ALL_IDS,
    FOREIGN,
    GONE,
    RESTORED,
    Finding,
    IdRange,
    OpenCase,
    Suspects,
    cases_of_batches,
    count_open,
    keep_findings,
    look,
    open_cases,
    open_counts,
    place_of,
    restarted,
    run_ids,
    stayed,
    stopped,
    take_up_stopped,
    troubles,
)
from records.responsible import Assignment, Step, assignments
from records.troubles import WORKFLOW_STUCK, keep_troubles

_log = get_logger("watchdog")

LOOK_AGAIN = "look_again"
"""The signal that makes a case compute with what SQL holds by now."""

LATELY = timedelta(hours=1)
"""How far back it is looked for workflows that somebody else started; others are looked at as their turn comes."""

UNCLAIMED = timedelta(days=1)
"""How long what came with an act is kept where Temporal did not say whether the act arrived."""

LISTED = 20
"""How many findings a message to the officer tells; each case's page tells its own."""


@dataclass(frozen=True)
class SweepBounds:
    """How much one sweep looks at.

    Attributes:
        suspicious: cases that SQL, or the server, makes suspicious; batches of each sort.
        in_turn: cases of each kind that nothing makes suspicious: in time it is every case's turn.
        restarts: lost cases that are started again.
        ends: agreements that have ended, and whose cases are opened.
        part: a range of ids with fewer cases than this is compared id by id.
        parts: how many ranges one is cut into where SQL and Temporal do not agree.
        attempts: a step that was begun so often without success is a trouble: half a minute to three minutes.
        at_once: how many questions Temporal is asked at a time.
    """

    suspicious: int = 200
    in_turn: int = 50
    restarts: int = 5_000
    ends: int = 1_000
    part: int = 100
    parts: int = 16
    attempts: int = 6
    at_once: int = 20


def _is_foreign(case: OpenCase, health: Health) -> bool:
    """Whether the workflow of a case goes on from what somebody else gave it, as far as that is known.

    Somebody started it, or set it back: what it has in mind may be old, and lack what is to be done.
    """
    began_elsewhere = bool(case.run_id and health.first_run_id) and case.run_id != health.first_run_id
    return health.runs and (began_elsewhere or health.set_back)


class Start(Protocol):
    """What starts the workflow of a case."""

    def __call__(self, case_id: UUID, now: datetime, /, *, anew: bool = False) -> Awaitable[bool]:
        """Start it, unless it runs, or came to its end and is not to begin ``anew``; return whether it was started."""


class WatchdogActivities(WatchdogContract):
    """The activity behind the watchdog."""

    def __init__(
        self,
        client: Client,
        database: Database,
        reminders: ReminderActivities,
        letters: LetterSender,
        start: Start,
        rules: Rules,
        bounds: SweepBounds | None = None,
        reminder_fractions: Sequence[float] = (),
        at_least_bytes: int = 0,
    ) -> None:
        self._bounds = bounds or SweepBounds()
        self._client = client
        self._temporal = RunningWorkflows(client, self._bounds.attempts)
        self._database = database
        self._reminders = reminders
        self._telling = reminders.telling
        self._news = News(database, reminders.telling, reminder_fractions)
        self._letters = letters
        self._start = start
        self._rules = rules
        self._artifacts = ArtifactMover(database, at_least_bytes)
        self._restoring = Restoring(self._temporal, database, reminders.telling, self._restart_restored)

    @activity.defn
    async def sweep(self, message: Sweep) -> Swept:
        """Start lost cases again, hand on what a case has not heard of, and raise what is stuck or overdue, once.

        Where the database or Temporal was restored from a copy, all cases begin anew first. For each agreement that has
        ended, the case that its end asks for is opened. What came with an act that never arrived is dropped, since
        people wrote it and nothing holds it; and files that were handed over are erased once their time is over, which
        is often after their case and its workflow. Last, artifacts go to the store outside the database, where there is
        one.
        """
        now = activity_clock()
        began, clock_ahead = now(), time() - activity.info().started_time.timestamp()
        await asyncio.to_thread(self._drop_unclaimed, now() - UNCLAIMED)
        await asyncio.to_thread(self._erase_due, now())
        async with beating(LONGEST_HANDOVER):
            await asyncio.to_thread(self._letters.write_postal_letters, now())
        restored = await self._restoring.see_to(message, now())
        opened = await self._open_ends(now())
        before, place = now() - timedelta(minutes=message.grace_minutes), place_of(now())
        suspects = await asyncio.to_thread(self._look, before, place)
        looked_at = await self._each(suspects.cases, lambda case: self._temporal.case_health(case.kind, case.id))
        gone = {case.id for case, health in looked_at if not health.runs} | (await self._lost(before)).keys()
        begun = await self._each(
            await self._other_runs(now()), lambda case: self._temporal.case_health(case.kind, case.id)
        )
        foreign = await self._end_foreign([case for case, health in (*looked_at, *begun) if _is_foreign(case, health)])
        restarts = [*restored, *await self._restart_all(gone | foreign, foreign, now)]
        troubled = await self._keep_troubles(looked_at, await self._stuck(place), now())
        kept = {batch.case_id for batch in suspects.stayed}
        # One that is sending may have no place yet for what stayed; another does not know of it.
        unaware = {case.id for case, health in looked_at if case.id in kept and not health.children}
        behind = [case for case, health in looked_at if health.runs and (case.is_behind or case.id in unaware)]
        handed_on = await self._hand_on([case for case in behind if case.id not in foreign], troubled)
        halted = await self._stopped(suspects.sending)
        found = [stopped(batch, now()) for batch in halted] + [stayed(batch, now()) for batch in suspects.stayed]
        again = {finding.case_id for finding in restarts}
        raised = [item for item in found if item.case_id not in again]
        raised += await asyncio.to_thread(self._troubles, troubled, now())
        await self._tell([*restarts, *raised], now())
        taken_up = await asyncio.to_thread(self._take_up, [batch.id for batch in halted], now()) if halted else []
        handed_on += await self._hand_on([case for case in taken_up if case.id not in again], troubled)
        await self._news.tell(before, now())
        async with beating(LONGEST_HANDOVER):
            await self._letters.send_due(now)
        came_back = await asyncio.to_thread(self._came_back, before)
        await self._raise_overdue(tuple(dict.fromkeys((*suspects.overdue, *came_back))))
        ended = now()
        named = activity.info().workflow_id
        sweep = LastSweep(id=1, began_at=began, ended_at=ended, clock_ahead=clock_ahead, workflow_id=named)
        entries = await asyncio.to_thread(self._note_sweep, sweep)
        async with beating(LONGEST_MOVE):
            await asyncio.to_thread(self._artifacts.move, now())
        return Swept(
            restarted=len(restarts),
            stuck=len(raised),
            overdue=len(suspects.overdue),
            troubled=len(troubled),
            handed_on=handed_on,
            opened=opened,
            entries=entries,
            ended_at=ended,
        )

    def _note_sweep(self, sweep: LastSweep) -> int:
        """Note a sweep that ended; return how many entries the ledger has."""
        with self._database.writing() as session:
            session.merge(sweep)
            return ledger_length(session)

    def _came_back(self, before: datetime) -> Sequence[UUID]:
        with self._database.reading() as session:
            return unraised_bounces(session, before, self._bounds.suspicious)

    async def _open_ends(self, now: datetime) -> int:
        """Open the case of each agreement whose end nobody has seen to; return how many there are.

        One whose workflow cannot be started now is kept, and started by a later sweep.
        """
        await asyncio.to_thread(self._note_ends, now)
        opened = 0
        for agreement_id in await asyncio.to_thread(self._unseen_ends, now):
            activity.heartbeat()
            if case_id := await asyncio.to_thread(self._open_end, agreement_id, now):
                await self._start(case_id, now)
                opened += 1
        return opened

    def _note_ends(self, now: datetime) -> None:
        with self._database.writing() as session:
            note_ends(session, now, limit=self._bounds.ends)

    def _unseen_ends(self, now: datetime) -> list[UUID]:
        with self._database.reading() as session:
            return unseen_ends(session, self._rules, now)[: self._bounds.ends]

    def _open_end(self, agreement_id: UUID, now: datetime) -> UUID | None:
        try:
            with self._database.writing() as session:
                return open_end(session, self._rules, agreement_id, now)
        except InvalidInput as error:  # one agreement keeps no other from being looked at
            _log.warning("end of an agreement not opened", agreement=str(agreement_id), reason=str(error))
            return None

    def _drop_unclaimed(self, before: datetime) -> None:
        with self._database.writing() as session:
            drop_unclaimed(session, before)

    def _erase_due(self, now: datetime) -> None:
        try:
            with self._database.writing() as session:
                erase_due(session, now)
        except Unavailable as error:  # the store of artifacts is away: the next sweep erases them
            _log.error("files not erased", says=str(error), code=error.code)

    def _look(self, before: datetime, place: UUID) -> Suspects:
        bounds = self._bounds
        with self._database.reading() as session:
            return look(session, before, place, suspicious=bounds.suspicious, in_turn=bounds.in_turn)

    async def _each(
        self, asked: Iterable[Asked], ask: Callable[[Asked], Awaitable[Answer]]
    ) -> list[tuple[Asked, Answer]]:
        return await each(asked, ask, self._bounds.at_once)

    async def _lost(self, before: datetime) -> dict[UUID, str]:
        """The open cases of which Temporal runs no workflow, as far as counts tell, each with its kind."""
        counts = await asyncio.to_thread(self._open_counts)
        found: dict[UUID, str] = {}
        for kind, count in counts.items():
            await self._compare(kind, ALL_IDS, count, before, found)
        return found

    async def _compare(self, kind: str, ids: IdRange, count: int, before: datetime, found: dict[UUID, str]) -> None:
        """Add the lost cases of a range; a range in which Temporal runs as many as are open is passed over."""
        if count <= await self._temporal.count(kind, ids) or len(found) >= self._bounds.restarts:
            return
        if count > self._bounds.part:
            for part in ids.split(self._bounds.parts):
                await self._compare(kind, part, await asyncio.to_thread(self._count, kind, part), before, found)
            return
        running = await self._temporal.ids(kind, ids)
        for case_id in await asyncio.to_thread(self._open_cases, kind, ids, before):
            if case_id not in running and not (await self._temporal.case_health(kind, case_id)).runs:
                found[case_id] = kind

    def _open_counts(self) -> dict[str, int]:
        with self._database.reading() as session:
            return open_counts(session)

    def _count(self, kind: str, ids: IdRange) -> int:
        with self._database.reading() as session:
            return count_open(session, kind, ids)

    def _open_cases(self, kind: str, ids: IdRange, before: datetime) -> list[UUID]:
        with self._database.reading() as session:
            return open_cases(session, kind, ids, before)

    async def _other_runs(self, now: datetime) -> list[OpenCase]:
        """The cases of which a run began lately that the engine did not start: it may follow from one that it did."""
        begun: dict[UUID, tuple[str, str]] = {}
        for kind in await asyncio.to_thread(self._open_counts):
            found = await self._temporal.begun_since(kind, now - LATELY, self._bounds.suspicious)
            begun |= {case_id: (kind, run_id) for case_id, run_id in found.items()}
        known = await asyncio.to_thread(self._run_ids, list(begun)) if begun else {}
        return [
            OpenCase(case_id, begun[case_id][0], trouble=None, is_behind=False, run_id=run_id)
            for case_id, run_id in known.items()
            if run_id and run_id != begun[case_id][1]
        ]

    async def _end_foreign(self, cases: Sequence[OpenCase]) -> set[UUID]:
        """End the workflows that somebody else started; give their cases, which are to be started again.

        SQL is asked once more: it may have been the engine, just now.
        """
        runs = await asyncio.to_thread(self._run_ids, [case.id for case in cases]) if cases else {}
        foreign = [case for case in cases if runs.get(case.id) == case.run_id]
        for case in foreign:
            _log.warning("workflow started by somebody else", case_id=str(case.id))
            await self._temporal.end_case(case.kind, case.id, "somebody else than the engine started it")
        return {case.id for case in foreign}

    def _run_ids(self, cases: Sequence[UUID]) -> dict[UUID, str | None]:
        with self._database.reading() as session:
            return run_ids(session, cases)

    async def _restart_all(
        self, gone: Iterable[UUID], foreign: Container[UUID], now: Callable[[], datetime]
    ) -> list[Finding]:
        why = {case_id: FOREIGN if case_id in foreign else GONE for case_id in gone}
        answers = await self._each(why, lambda case_id: self._restart(case_id, now(), why[case_id]))
        return [finding for _, findings in answers for finding in findings]

    async def _restart_restored(self, case_id: UUID) -> list[Finding]:
        return await self._restart(case_id, activity_clock()(), RESTORED)

    async def _restart(self, case_id: UUID, now: datetime, why: str) -> list[Finding]:
        """Start a case again, with evidence at once: it cannot be found a second time.

        Its workflow may have come to its end, as far as Temporal knows; that the case is open is what SQL says.
        """
        if not await self._start(case_id, now, anew=True):
            return []
        finding = restarted(case_id, now, why)
        await asyncio.to_thread(self._keep, [finding])
        return [finding]

    async def _stuck(self, place: UUID) -> set[UUID]:
        """The cases that the server itself reports as stuck, or a batch of theirs."""
        limit = self._bounds.suspicious
        batches = await self._temporal.stuck(BATCH, place, limit)
        found = await asyncio.to_thread(self._cases_of, batches) if batches else set()
        for kind in await asyncio.to_thread(self._open_counts):
            found |= await self._temporal.stuck(kind, place, limit)
        return found

    def _cases_of(self, batches: set[UUID]) -> set[UUID]:
        with self._database.reading() as session:
            return cases_of_batches(session, list(batches))

    async def _keep_troubles(
        self, looked_at: Sequence[tuple[OpenCase, Health]], stuck: set[UUID], now: datetime
    ) -> list[UUID]:
        """Keep what was found on the cases, and clear what has healed; return the cases that do not go on.

        What a case's own description says is newer than what the server reports in bulk.
        """
        seen = {case.id: health.trouble for case, health in looked_at if health.runs}
        found = dict.fromkeys(stuck - seen.keys(), WORKFLOW_STUCK)
        found |= {case_id: trouble for case_id, trouble in seen.items() if trouble}
        before = {case.id: case.trouble for case, _ in looked_at}
        healthy = [case_id for case_id, trouble in seen.items() if not trouble and before[case_id]]
        if found or healthy:
            await asyncio.to_thread(self._note_troubles, found, healthy, now)
        return list(found)

    def _note_troubles(self, found: dict[UUID, str], healthy: Sequence[UUID], now: datetime) -> None:
        with self._database.writing() as session:
            keep_troubles(session, found, healthy, now)

    async def _hand_on(self, behind: Sequence[OpenCase], troubled: Sequence[UUID]) -> int:
        """Tell the cases that have not computed with what SQL holds; one that does not go on could not hear it."""
        told = [case for case in behind if case.id not in troubled]
        return sum([heard for _, heard in await self._each(told, self._signal)])

    async def _signal(self, case: OpenCase) -> bool:
        try:
            await self._client.get_workflow_handle(identifiers.workflow_id(case.kind, case.id)).signal(LOOK_AGAIN)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # what one that has just ended answers
                raise
            return False
        return True

    async def _stopped(self, sending: Sequence[Batch]) -> list[Batch]:
        """Those of some batches that nobody sends: their workflow was ended, or one of its steps was answered."""
        answers = await self._each(sending, lambda batch: self._temporal.batch_runs(batch.id))
        return [batch for batch, runs in answers if not runs]

    def _take_up(self, batches: Sequence[UUID], now: datetime) -> list[OpenCase]:
        with self._database.writing() as session:
            return take_up_stopped(session, batches, now)

    async def _raise_overdue(self, cases: Sequence[UUID]) -> None:
        """Raise what is overdue in some cases; that the mail server takes nothing keeps none of them from an alert.

        Nor does a case in which something sealed does not open keep the others from it.
        """
        away: MailServerUnavailable | None = None
        for case_id in cases:
            try:
                await self._reminders.raise_overdue(RaiseOverdue(case_id=case_id))
            except MailServerUnavailable as error:
                away = error
            except IntegrityError as error:
                _log.error("overdue not raised", case=str(case_id), where=error.where, code=error.code)
        if away is not None:
            raise away

    async def _tell(self, findings: Sequence[Finding], now: datetime) -> None:
        """Write to those whose cases they are, and of all to the organisation's contact.

        What could not be told, as the mail server took nothing, is found again by the next sweep.
        """
        if not findings:
            return
        telling = self._telling
        whose = await asyncio.to_thread(self._assignments, findings)
        told: dict[Recipient, list[Finding]] = {telling.organisation: []}
        for finding in findings:
            for recipient in telling.recipients(whose[finding.case_id], Step.LAST):
                told.setdefault(recipient, []).append(finding)
        outcomes = [
            await telling.tell(self._found(theirs, alarm=recipient == telling.organisation), [recipient], now)
            for recipient, theirs in told.items()
        ]
        if any(outcome.away for outcome in outcomes):
            _log.warning("findings not told", findings=len(findings))
            return
        await asyncio.to_thread(self._keep, findings)

    def _found(self, findings: Sequence[Finding], *, alarm: bool) -> Message:
        """What the watchdog found, for one person."""
        cases = list(dict.fromkeys(finding.case_id for finding in findings))
        pages = [f"/cases/{case_id}" for case_id in cases[:LISTED]]
        named = findings[:LISTED]
        return Message(
            key="\n".join(finding.key for finding in findings),
            about="stuck",
            facts=Stuck(
                cases=len(cases),
                case_reference=identifiers.case_reference(cases[0]) if len(cases) == 1 else None,
                found=tuple(
                    Found(case_reference=identifiers.case_reference(one.case_id), finding=one.finding) for one in named
                ),
                more=len(findings) - len(named),
                pages=tuple(map(self._telling.page, pages[1:])),
            ),
            page=pages[0],
            alarm=alarm,
        )

    def _assignments(self, findings: Sequence[Finding]) -> Mapping[UUID, Assignment]:
        with self._database.reading() as session:
            return assignments(session, (finding.case_id for finding in findings))

    def _troubles(self, troubled: Sequence[UUID], now: datetime) -> list[Finding]:
        with self._database.reading() as session:
            return troubles(session, troubled, now)

    def _keep(self, findings: Sequence[Finding]) -> None:
        with self._database.writing() as session:
            keep_findings(session, findings)
