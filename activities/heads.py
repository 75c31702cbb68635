"""The signed heads of the ledger: signed over what is new in it."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from math import ceil
from os import SEEK_END
from pathlib import Path

import httpx
from temporalio import activity

from activities.clock import activity_clock
from activities.contracts import HeadsContract
from activities.telling import Message, Recipient, Telling
from cases.messages import HeadsKept, KeepHeads
from config.database import Database
from config.logging import get_logger
from ledger.checkpoints import Head, newest_head, sign_head, unsigned_entries
from ledger.log_keys import load_log_keys
from ledger.timestamps import ANSWER_TYPE, REQUEST_TYPE, Stamping, keep_stamp, to_be_stamped
from mail.facts import Mailbox
from models.errors import IntegrityError, Unavailable

ANSWER_SECONDS = 10
"""How long the time-stamping authority may take."""

HEAD_KEEPER = "keeper of heads"
"""Who is mailed heads, as evidence names them; no account is called so."""

_TAIL = 4_096
"""How much of the end of the file of heads is looked at for the newest one."""

_log = get_logger("heads")


def add_to_file(file: Path, head: Head) -> None:
    """Add a head to the end of a file of heads, unless it stands there already.

    Raises:
        Unavailable: the file cannot be written. The next head is tried again, and covers what this one did.
    """
    note = head.note.encode()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab+") as heads:
            heads.seek(max(0, heads.seek(0, SEEK_END) - _TAIL))
            if note not in heads.read():
                heads.write(note)
                heads.flush()
                os.fsync(heads.fileno())
    except OSError as error:
        raise Unavailable(
            f"The head of the ledger cannot be added to the file of heads: {error.strerror}.",
            where=str(file),
            next_step="See that it can be written, or name another in DUENOTICE_HEADS_FILE.",
        ) from error


class HeadsActivities(HeadsContract):
    """The activity behind the schedule.

    Args:
        database: where the ledger is.
        log_key: the file of what signs, read anew each time, so that a key that was added signs at once.
        at_most: how many entries one head adds to the one before.
        file: where heads are added to as well, if anywhere.
        keeper: who is mailed the newest head once a day, if anybody, and what mails it.
        stamping: gets time stamps, where an authority is asked for them.
        timestamp_url: where the authority is.
    """

    def __init__(
        self,
        database: Database,
        log_key: Path,
        *,
        at_most: int,
        file: Path | None = None,
        keeper: tuple[Telling, Mailbox] | None = None,
        stamping: Stamping | None = None,
        timestamp_url: str = "",
    ) -> None:
        self._database = database
        self._log_key = log_key
        self._at_most = at_most
        self._file = file
        self._keeper = keeper
        self._stamping = stamping
        self._timestamp_url = timestamp_url

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
        if newest and self._file:
            await asyncio.to_thread(add_to_file, self._file, newest)
        if newest and self._keeper:
            await self._mail(*self._keeper, newest, now())
        if self._stamping:
            await asyncio.to_thread(self._stamp, self._stamping, now())
        return HeadsKept(signed=signed, size=newest.size if newest else 0)

    async def _mail(self, telling: Telling, keeper: Mailbox, head: Head, now: datetime) -> None:
        """Mail the newest head, once a day; what could not be mailed is tried again the next time."""
        day = f"{now.astimezone(UTC):%Y-%m-%d}"
        message = Message(
            key=f"ledger-head:{day}",
            about="ledger head",
            subject="The head of our record, to keep",
            paragraphs=(
                "Please keep this message. By the line below, anybody can later show whether anything that was in our "
                "record before was changed or removed. Nothing else is asked of you.",
                head.line,
            ),
            alert="The head of the ledger could not be mailed to whoever keeps it.",
            page="/",
        )
        await telling.tell(message, [Recipient(HEAD_KEEPER, keeper)], now)

    def _stamp(self, stamping: Stamping, now: datetime) -> None:
        """Get a time stamp once a day. An authority that is away is asked again the next time; no head waits for it."""
        with self._database.reading() as session:
            head = to_be_stamped(session, now)
        if head is None:
            return
        try:
            token = stamping.stamp(head.note.encode(), self._ask)
        except (httpx.HTTPError, IntegrityError) as error:
            _log.warning("no time stamp", size=head.size, error=str(error))
            return
        with self._database.writing() as session:
            keep_stamp(session, head.size, token)

    def _ask(self, request: bytes) -> bytes:
        headers = {"Content-Type": REQUEST_TYPE, "Accept": ANSWER_TYPE}
        answer = httpx.post(self._timestamp_url, content=request, headers=headers, timeout=ANSWER_SECONDS)
        return answer.raise_for_status().content

    def _newest(self) -> Head | None:
        with self._database.reading() as session:
            return newest_head(session)

    def _unsigned(self) -> int:
        with self._database.reading() as session:
            return unsigned_entries(session)
