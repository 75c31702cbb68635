"""The signed heads of the ledger: signed over what is new in it."""

from __future__ import annotations

import asyncio
from math import ceil
from pathlib import Path

from temporalio import activity

from activities.clock import activity_clock
from activities.contracts import HeadsContract
from cases.messages import HeadsKept, KeepHeads
from config.database import Database
from ledger.checkpoints import Head, newest_head, sign_head, unsigned_entries
from ledger.log_keys import load_log_keys


class HeadsActivities(HeadsContract):
    """The activity behind the schedule.

    Args:
        database: where the ledger is.
        log_key: the file of what signs, read anew each time, so that a key that was added signs at once.
        at_most: how many entries one head adds to the one before.
    """

    def __init__(self, database: Database, log_key: Path, *, at_most: int) -> None:
        self._database = database
        self._log_key = log_key
        self._at_most = at_most

    @activity.defn
    async def keep_heads(self, message: KeepHeads) -> HeadsKept:
        """Sign heads until one covers what was there; each covers at most so many entries more than the one before."""
        now = activity_clock()
        keys = await asyncio.to_thread(load_log_keys, self._log_key)
        signed, newest = 0, await asyncio.to_thread(self._newest)
        for _ in range(ceil(await asyncio.to_thread(self._unsigned) / self._at_most)):
            newest = await asyncio.to_thread(sign_head, self._database, keys, now(), at_most=self._at_most)
            signed += 1
            activity.heartbeat()
        return HeadsKept(signed=signed, size=newest.size if newest else 0)

    def _newest(self) -> Head | None:
        with self._database.reading() as session:
            return newest_head(session)

    def _unsigned(self) -> int:
        with self._database.reading() as session:
            return unsigned_entries(session)
