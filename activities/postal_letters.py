"""Writing notices as letters to be posted: composed outside of any transaction, since each takes a while."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from config.database import Database
from models.grouping import parts
from records.outbox import NoticeWriter
from records.postal_letters import keep_letters, prepare_letters, without_letter

AT_ONCE = 20
"""How many letters are composed, at about 50 ms each, and then kept together."""


def write_letters(database: Database, writer: NoticeWriter, notices: Sequence[UUID], now: datetime) -> None:
    """Write those of some notices as letters that no mail can bring to anybody any more."""
    for some in parts(notices, AT_ONCE):
        with database.reading() as session:
            letters = prepare_letters(session, writer, some, now)
        if letters:
            with database.writing() as session:
                keep_letters(session, letters, now)


def write_letters_left(database: Database, writer: NoticeWriter, now: datetime) -> None:
    """Write those that are missing of all cases, as after a file with postal addresses was imported."""
    with database.reading() as session:
        notices = without_letter(session)
    write_letters(database, writer, notices, now)
