"""Artifacts on their way from the database to the store outside it, a part of them with each sweep."""

from __future__ import annotations

from datetime import datetime, timedelta

from config.database import Database
from config.logging import get_logger
from ledger.moving import Moved, let_go, move_out
from models.errors import DuenoticeError

_log = get_logger("artifacts")

MOVED_AFTER = timedelta(hours=1)
"""How long an artifact stays in the database at least: what was just written is read soon."""

LONGEST_MOVE = timedelta(minutes=10)
"""How long one part may take: a minute, and what its last few artifacts take of a slow server."""


class ArtifactMover:
    """Moves artifacts where there is a store for them; in time it is each one's turn.

    Args:
        database: where they are, opened with the store, if there is one.
        at_least: those that take so many bytes, packed and sealed.
        rows: how many artifacts are looked at each time.
        seconds: how long they are moved each time.
    """

    def __init__(self, database: Database, at_least: int, rows: int = 20_000, seconds: float = 60) -> None:
        self._database = database
        self._at_least = at_least
        self._rows = rows
        self._seconds = seconds
        self._place = ""

    def move(self, now: datetime) -> Moved:
        """Move some; a store that is away keeps nothing else from being done, and the check of health tells of it."""
        if self._database.objects is None:
            return Moved()
        try:
            let_go(self._database, now)
            moved = move_out(
                self._database,
                self._at_least,
                before=now - MOVED_AFTER,
                place=self._place,
                rows=self._rows,
                seconds=self._seconds,
            )
        except DuenoticeError as error:
            _log.error("artifacts not moved", says=str(error), code=error.code)
            return Moved(place=self._place)
        self._place = moved.place
        return moved
