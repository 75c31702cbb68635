"""Writing notices as letters to be posted: composed outside of any transaction, since each takes a while."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from config.database import Database
from models.grouping import parts
from records.outbox import NoticeWriter
from records.postal_letters import keep_letters, look_over, note_looked_over, prepare_letters, without_letter
from records.printing import waiting_letters

AT_ONCE = 20
"""How many letters are composed, at about 50 ms each, and then kept together."""


def write_letters(
    database: Database,
    writer: NoticeWriter,
    notices: Sequence[UUID],
    now: datetime,
    outdated: Mapping[UUID, UUID] = MappingProxyType({}),
) -> None:
    """Write those of some notices as letters that no mail can bring to anybody any more.

    ``outdated`` is by notice the letter that is to be written anew.
    """
    for some in parts([*notices, *outdated], AT_ONCE):
        anew = {notice: outdated[notice] for notice in some if notice in outdated}
        first = [notice for notice in some if notice not in outdated]
        with database.reading() as session:
            letters = prepare_letters(session, writer, first, now, anew)
        if letters:
            with database.writing() as session:
                keep_letters(session, letters, now)


def write_letters_left(database: Database, writer: NoticeWriter, now: datetime) -> None:
    """Write those that are missing of all cases, as after a file with postal addresses was imported.

    Those that wait to be posted are written anew where more is known of their cases than they say.
    """
    with database.reading() as session:
        notices = without_letter(session)
    write_letters(database, writer, notices, now)
    write_letters_anew(database, writer, now)


def write_letters_anew(
    database: Database, writer: NoticeWriter, now: datetime, letters: Collection[UUID] | None = None
) -> None:
    """Write those letters anew that wait to be posted and no longer say what is known: of some, as of those about to
    be printed, or of all whose cases have changed.
    """
    with database.reading() as session:
        looked = look_over(session, writer, now, letters)
    write_letters(database, writer, (), now, looked.outdated)
    if looked.current:
        with database.writing() as session:
            note_looked_over(session, looked.current, now)


def bring_up_to_date(database: Database, writer: NoticeWriter, letters: Sequence[UUID], now: datetime) -> None:
    """Write those of some letters anew, or of all where none is named, that are about to be printed and say too little.

    So nobody posts what is no longer what is known, whatever was learnt, or changed in templates, a moment ago.
    """
    with database.reading() as session:
        printed = letters or waiting_letters(session)
    write_letters_anew(database, writer, now, printed)
