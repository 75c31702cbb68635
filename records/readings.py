"""Who read what of a case: evidence like any other, once for each person and thing in a while."""

from __future__ import annotations

from config.database import Database
from ledger.append import append, is_recorded
from ledger.entries import CaseRead
from records.scope import require_case


def note_reading(database: Database, reading: CaseRead) -> None:
    """Leave evidence of a reading, unless it is there already; whoever reads again costs no writing.

    It is to be noted before what was read is handed out: where it cannot be, nothing is.

    Raises:
        NotFound: there is no such case.
        Unavailable: the database does not answer.
    """
    with database.reading() as session:
        require_case(session, reading.case_id)
        if is_recorded(session, reading):
            return
    with database.writing() as session:
        append(session, reading)
