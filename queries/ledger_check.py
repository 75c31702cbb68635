"""What the last check of the ledger found, for people."""

from __future__ import annotations

from datetime import datetime

from config.database import Database
from ledger.checks import last_check
from models.enums import LedgerState
from models.view import View


class LedgerCheckView(View):
    """What the last check found, and when: ``says`` is that in words.

    ``length`` and ``head`` are those of the sound entries; ``artifacts`` and ``rows`` are how many agree with them.
    ``step`` is the step of the check that found a flaw, ``failing_since`` since when the same is found.
    """

    state: LedgerState
    says: str
    length: int | None
    head: str | None
    artifacts: int | None
    rows: int | None
    step: int | None
    began_at: datetime
    ended_at: datetime
    failing_since: datetime | None


def read_ledger_check(database: Database) -> LedgerCheckView | None:
    """What the last check found; None where there was none yet."""
    with database.reading() as session:
        found = last_check(session)
        return LedgerCheckView.model_validate(found, from_attributes=True) if found else None
