"""Checking the ledger by itself, again and again: what the last check found is kept, and shown with its time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.exc import DatabaseError
from sqlmodel import Session

from config.database import Database
from ledger.findings import what_holds, what_is_wrong
from ledger.verify import verify_all
from ledger.watching import Watch
from models.enums import LedgerState
from models.errors import DuenoticeError
from models.tables import LedgerCheck

_THE_ROW = 1


def check_ledger(database: Database, now: Callable[[], datetime], watch: Watch | None = None) -> LedgerCheck:
    """Check all of it, keep what was found, and return that; whatever is wrong is a finding and no error.

    It is kept beside what it is about: whoever can change the tables can change it too. The alert goes elsewhere.

    Raises:
        Unavailable: what was found could not be kept.
    """
    began = now()
    found = _found(database, watch)
    with database.writing() as session:
        before = last_check(session)
        failing = found.state is not LedgerState.INTACT
        known = before.failing_since if before and before.says == found.says else None
        found.began_at, found.ended_at = began, now()
        found.failing_since = (known or found.ended_at) if failing else None
        return session.merge(found)


def last_check(session: Session) -> LedgerCheck | None:
    """What the last check found; None where there was none yet."""
    return session.get(LedgerCheck, _THE_ROW)


def _found(database: Database, watch: Watch | None) -> LedgerCheck:
    try:
        with database.reading() as session:
            found = verify_all(session, watch)
    except DuenoticeError as error:
        return LedgerCheck(id=_THE_ROW, state=LedgerState.NOT_CHECKED, says=str(error))
    except DatabaseError as error:
        return LedgerCheck(
            id=_THE_ROW, state=LedgerState.NOT_CHECKED, says=f"The database cannot be read ({type(error).__name__})."
        )
    rows = sum(found.tables.rows.values()) if found.tables else 0
    return LedgerCheck(
        id=_THE_ROW,
        state=LedgerState.NOT_INTACT if found.flaw else LedgerState.INTACT,
        says=str(what_is_wrong(found.flaw)) if found.flaw else what_holds(found),
        length=found.length,
        head=found.head,
        artifacts=found.artifacts,
        rows=rows,
        step=found.flaw.step if found.flaw else None,
    )
