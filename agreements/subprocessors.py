"""The subprocessors that hold data, under one agreement or under all, with whom to ask and which data they hold."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlmodel import Session, col, select

from agreements.importing import ImportResult
from agreements.references import unreadable_csv
from config.database import Database
from ledger.append import append
from ledger.artifacts import store
from ledger.entries import SubprocessorRemoved, SubprocessorsImported
from mail.facts import checked_address, clean_block, clean_line
from models.errors import InvalidFields, InvalidInput, NotFound
from models.tables import Agreement, Subprocessor
from models.view import View

COLUMNS = ("agreement", "name", "email", "data")
"""The columns of the file; an empty ``agreement`` stands for all."""

LONGEST = {"name": 200, "email": 320, "data": 2_000}


class SubprocessorView(View):
    """One subprocessor; ``reference`` is None where it holds data under every agreement."""

    id: UUID
    reference: str | None
    name: str
    email: str
    data: str
    recorded_at: datetime


class _Row(NamedTuple):
    """One sound row of the file."""

    agreement_id: UUID | None
    name: str
    email: str
    data: str


def import_subprocessors(database: Database, text: str, *, file_name: str, now: datetime, actor: str) -> ImportResult:
    """Load the subprocessors of a CSV file; one that is known by agreement and name is changed.

    Raises:
        InvalidFields: with every bad row, its line and its reason; nothing was loaded.
        InvalidInput: it cannot be read as CSV.
    """
    with database.writing() as session:
        agreements = dict(session.exec(select(Agreement.reference, Agreement.id)).all())
        rows = _read(text, agreements, file_name)
        known = {(row.agreement_id, row.name.casefold()): row for row in _current(session)}
        added = changed = 0
        for row in rows:
            kept = known.get((row.agreement_id, row.name.casefold()))
            if kept is None:
                session.add(Subprocessor(id=uuid4(), **row._asdict(), recorded_at=now))
                added += 1
            elif (kept.name, kept.email, kept.data) != (row.name, row.email, row.data):
                kept.name, kept.email, kept.data, kept.recorded_at = row.name, row.email, row.data, now
                session.add(kept)
                changed += 1
        sha256 = store(session, text.encode(), "text/csv", now)
        append(session, SubprocessorsImported(actor=actor, at=now, added=added, changed=changed, file_sha256=sha256))
    return ImportResult(added, changed, len(rows) - added - changed)


def remove_subprocessor(database: Database, subprocessor_id: UUID, *, now: datetime, actor: str) -> None:
    """Take a subprocessor off the list: cases that begin later do not ask it.

    Raises:
        NotFound: there is no such subprocessor on it.
    """
    with database.writing() as session:
        row = session.get(Subprocessor, subprocessor_id)
        if row is None or row.removed_at:
            raise NotFound("There is no such subprocessor on the list.", next_step="Reload the page.")
        row.removed_at = now
        session.add(row)
        append(session, SubprocessorRemoved(actor=actor, at=now, subprocessor=row.id))


def read_subprocessors(database: Database) -> tuple[SubprocessorView, ...]:
    """The subprocessors on the list: those of every agreement first, then by agreement and name."""
    with database.reading() as session:
        references = dict(session.exec(select(Agreement.id, Agreement.reference)).all())
        views = [
            SubprocessorView(
                reference=references[row.agreement_id] if row.agreement_id else None,
                **row.model_dump(exclude={"agreement_id", "removed_at"}),
            )
            for row in _current(session)
        ]
    return tuple(sorted(views, key=lambda view: (view.reference or "", view.name.casefold())))


def subprocessors_under(session: Session, agreement_id: UUID) -> list[Subprocessor]:
    """Those that hold data under an agreement; where one is listed for it and for all, the former stands."""
    rows = session.exec(
        select(Subprocessor).where(
            col(Subprocessor.removed_at).is_(None),
            col(Subprocessor.agreement_id).is_(None) | (col(Subprocessor.agreement_id) == agreement_id),
        )
    ).all()
    by_name = {row.name.casefold(): row for row in sorted(rows, key=lambda row: row.agreement_id is not None)}
    return sorted(by_name.values(), key=lambda row: row.name.casefold())


def _current(session: Session) -> Sequence[Subprocessor]:
    return session.exec(select(Subprocessor).where(col(Subprocessor.removed_at).is_(None))).all()


def _read(text: str, agreements: dict[str, UUID], file_name: str) -> list[_Row]:
    try:
        reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff"), newline=""), restkey="more")
        if sorted(reader.fieldnames or ()) != sorted(COLUMNS):
            raise InvalidInput(
                "The header is not that of a list of subprocessors.",
                where=f"{file_name}:1",
                next_step=f"The columns are {', '.join(COLUMNS)}; an empty agreement stands for all.",
            )
        rows: dict[tuple[UUID | None, str], _Row] = {}
        problems: list[InvalidInput] = []
        for cells in reader:
            where = f"{file_name}:{reader.line_num}"
            try:
                row = _row(cells, agreements, where)
                if (key := (row.agreement_id, row.name.casefold())) in rows:
                    raise InvalidInput(f"{row.name} stands in it twice.", where=where, next_step="Leave one row.")
                rows[key] = row
            except InvalidInput as problem:
                problems.append(problem)
    except csv.Error:
        raise unreadable_csv(file_name) from None
    if not rows and not problems:
        problems.append(
            InvalidInput("The file holds no subprocessor.", where=file_name, next_step="Add a row for each.")
        )
    if problems:
        raise InvalidFields(tuple(problems))
    return list(rows.values())


def _row(cells: dict[str, str], agreements: dict[str, UUID], where: str) -> _Row:
    if "more" in cells or None in cells.values():
        raise InvalidInput(
            "The row has not as many cells as the header.", where=where, next_step="Quote cells that hold commas."
        )
    reference, name, email = (clean_line(cells[column]) for column in ("agreement", "name", "email"))
    data = clean_block(cells["data"]).strip()
    for column, value in {"name": name, "email": email, "data": data}.items():
        if not value:
            raise InvalidInput(f"{column} is empty.", where=where, next_step="Fill it in.")
        if len(value) > LONGEST[column]:
            raise InvalidInput(
                f"{column} is longer than {LONGEST[column]:,} characters.", where=where, next_step="Shorten it."
            )
    if reference and reference not in agreements:
        raise InvalidInput(f"There is no agreement {reference}.", where=where, next_step="Import it first.")
    return _Row(agreements.get(reference), name, checked_address(email, where=where), data)
