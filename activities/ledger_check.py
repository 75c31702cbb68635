"""The ledger, checked by a schedule: people are told at once where it, or what pages show, is not what it was."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from datetime import timedelta
from time import sleep
from typing import Any

from temporalio import activity

from activities.clock import activity_clock
from activities.contracts import LedgerContract
from activities.heartbeat import beating
from activities.telling import Message, Telling
from cases.messages import CheckLedger, LedgerChecked, TellOfLedger
from config.database import Database
from config.logging import get_logger
from ledger.checks import check_ledger, last_check
from mail.people_mails import LedgerAmiss
from models import identifiers
from models.enums import LedgerState
from models.tables import LedgerCheck
from records.needs import LEDGER_PAGE

_log = get_logger("ledger")

LONGEST_CHECK = timedelta(hours=12)
"""How long one check may take: a million entries take some minutes."""

PAUSE_EVERY = 200
"""After how many things a check lets others have the processor."""


class LedgerActivities(LedgerContract):
    """The activities behind the schedule."""

    def __init__(self, database: Database, telling: Telling) -> None:
        self._database = database
        self._telling = telling

    @activity.defn
    async def check_ledger(self, message: CheckLedger) -> LedgerChecked:
        """Check the ledger and hold the tables against it, in a thread of its own; keep what was found."""
        now = activity_clock()
        async with beating(LONGEST_CHECK):
            found = await asyncio.to_thread(check_ledger, self._database, now, _with_pauses)
        if found.state is not LedgerState.INTACT:
            _log.error("ledger check failed", state=found.state.value, step=found.step)
        return LedgerChecked(sound=found.state is LedgerState.INTACT)

    @activity.defn
    async def tell_of_ledger(self, message: TellOfLedger) -> None:
        """Tell the organisation's contact of what the last check found amiss, by mail and by every alert, once."""
        found = await asyncio.to_thread(self._last)
        if found is None or found.state is LedgerState.INTACT:
            return
        outcome = await self._telling.tell(_message(found), [self._telling.organisation], activity_clock()())
        outcome.raise_for_retry()

    def _last(self) -> LedgerCheck | None:
        with self._database.reading() as session:
            return last_check(session)


def _message(found: LedgerCheck) -> Message:
    since = found.failing_since.isoformat() if found.failing_since else ""
    return Message(
        key="ledger:" + identifiers.sha256_hex(f"{since} {found.says}".encode()),
        about="ledger",
        facts=LedgerAmiss(says=found.says, checked=found.state is not LedgerState.NOT_CHECKED),
        page=LEDGER_PAGE,
        alarm=True,
    )


def _with_pauses(things: Iterable[Any], _: str, __: int) -> Iterator[Any]:
    """Hand on what is given, and now and then let the process's other threads run: nobody waits for a check."""
    for count, thing in enumerate(things):
        if count % PAUSE_EVERY == 0:
            sleep(0.001)
        yield thing
