"""After the database or Temporal was restored from a copy: every open case begins anew from what the database knows.

Both remember each case. Where one of them remembers less than the other, a case's workflow refuses an act that nobody
has recorded, or takes a notice for given that the database has yet to send, and nothing of it looks amiss.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from temporalio import activity

from activities.at_once import each
from activities.heartbeat import beating
from activities.running_workflows import RunningWorkflows
from activities.telling import Message, Telling
from cases.kinds import KINDS
from cases.messages import Sweep
from config.database import Database
from config.logging import get_logger
from ledger.actors import ENGINE
from ledger.append import append, is_recorded, ledger_length
from ledger.entries import CasesBegunAnew
from mail.people_mails import Restored
from models.enums import SetBack
from models.tables import LastSweep
from records.overlooked import ALL_IDS, Finding, known_cases, open_cases

_log = get_logger("restored")

LONGEST = timedelta(minutes=25)
"""How long it may take to end and start all workflows: some ten thousand cases take minutes."""

SURELY_KEPT = timedelta(days=1)
"""For how long Temporal keeps what has ended, at the least."""

AT_ONCE = 20
"""How many workflows are ended or started at a time."""

StartAnew: TypeAlias = Callable[[UUID], Awaitable[Sequence[Finding]]]


@dataclass(frozen=True)
class Found:
    """That cases have to begin anew: why, who said so, and what names this finding, so that it is seen to once."""

    why: SetBack
    key: str
    actor: str
    entries_before: int | None
    entries: int

    def event(self, now: datetime, cases: int = 0, unknown: int = 0) -> CasesBegunAnew:
        """What the ledger is told of it; its key is the same whatever the counts are."""
        return CasesBegunAnew(
            actor=self.actor,
            at=now,
            name=self.key,
            why=self.why,
            entries_before=self.entries_before,
            cases=cases,
            unknown=unknown,
        )


class Restoring:
    """Finds that the database or Temporal was set back, and has every case begin anew.

    Args:
        temporal: what is asked of Temporal.
        database: what cases begin anew from.
        telling: tells the organisation's contact.
        start: starts the workflow of a case that is open, though one came to its end, and gives what is told of it.
    """

    def __init__(self, temporal: RunningWorkflows, database: Database, telling: Telling, start: StartAnew) -> None:
        self._temporal = temporal
        self._database = database
        self._telling = telling
        self._start = start

    async def see_to(self, message: Sweep, now: datetime) -> Sequence[Finding]:
        """Have every case begin anew where one of both was set back, and tell people; return what was found of each.

        What was seen to is not seen to again, unless it was not seen to wholly.
        """
        found = await self._found(message, now)
        if found is None:
            return ()
        _log.warning("begun anew", why=found.why.value, entries=found.entries, before=found.entries_before)
        async with beating(LONGEST):
            running = {kind: await self._temporal.ids(kind, ALL_IDS) for kind in KINDS}
            unknown = await asyncio.to_thread(self._unknown, running.values())
            await each(
                [(kind, case_id) for kind, ids in running.items() for case_id in ids],
                lambda case: self._temporal.end_case(*case, "the database or Temporal was restored from a copy"),
                AT_ONCE,
            )
            begun = await each(await asyncio.to_thread(self._open, now), self._start, AT_ONCE)
            findings = [finding for _, found_of_one in begun for finding in found_of_one]
        event = found.event(now, cases=len(findings), unknown=len(unknown))
        await self._telling.tell(_message(found, event), [self._telling.organisation], now)
        await asyncio.to_thread(self._keep, event)
        return findings

    async def _found(self, message: Sweep, now: datetime) -> Found | None:
        entries, last = await asyncio.to_thread(self._read)
        found = await self._judge(message, entries, last, now)
        return None if found is None or await asyncio.to_thread(self._seen_to, found, now) else found

    async def _judge(self, message: Sweep, entries: int, last: LastSweep | None, now: datetime) -> Found | None:
        """Nothing is ever removed from the ledger, and nothing of the last day from Temporal."""
        before = message.last
        if message.restored_by is not None:
            return Found(SetBack.SAID, f"{activity.info().workflow_id}", message.restored_by, None, entries)
        if before is not None and before.entries > entries:
            key = f"{before.entries}:{before.ended_at}"
            return Found(SetBack.DATABASE, key, ENGINE, before.entries, entries)
        if last is None or last.workflow_id is None or now - last.ended_at > SURELY_KEPT:
            return None
        if await self._temporal.keeps(last.workflow_id):
            return None
        return Found(SetBack.TEMPORAL, last.workflow_id, ENGINE, None, entries)

    def _read(self) -> tuple[int, LastSweep | None]:
        with self._database.reading() as session:
            return ledger_length(session), session.get(LastSweep, 1)

    def _seen_to(self, found: Found, now: datetime) -> bool:
        with self._database.reading() as session:
            return is_recorded(session, found.event(now))

    def _unknown(self, running: Iterable[Collection[UUID]]) -> set[UUID]:
        ids = {case_id for some in running for case_id in some}
        with self._database.reading() as session:
            return ids - known_cases(session, ids)

    def _open(self, now: datetime) -> list[UUID]:
        with self._database.reading() as session:
            return [case_id for kind in KINDS for case_id in open_cases(session, kind, ALL_IDS, now)]

    def _keep(self, event: CasesBegunAnew) -> None:
        with self._database.writing() as session:
            append(session, event)


def _message(found: Found, event: CasesBegunAnew) -> Message:
    return Message(
        key=event.key,
        about="restored",
        facts=Restored(
            why=found.why,
            entries=found.entries,
            entries_before=found.entries_before,
            cases=event.cases,
            unknown=event.unknown,
        ),
        page="/",
        alarm=True,
    )
