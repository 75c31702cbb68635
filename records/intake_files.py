"""Intakes from a CSV file, one a row: read and checked by themselves, each problem named with its row and column."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import assert_never

from cases.fields import FormField, Shape, fields_of
from cases.intake import ApproximateTime, Intake, check_intake, parse_intake
from cases.kind import Kind
from models.errors import InvalidFields, InvalidInput
from records.references import decoded_csv, unreadable_csv

MOST_ROWS = 10_000
"""How many cases one file can open."""

LARGEST_BYTES = 16 * 2**20

MANY = ";"
"""What separates several lines in one cell, as references of agreements."""

PERSON_PARTS = ("name", "email", "phone")


@dataclass(frozen=True)
class Column:
    """One column of the file: a field of the intake, or one part of a person."""

    name: str
    label: str
    hint: str
    required: bool


@dataclass(frozen=True)
class IntakeRow:
    """One row that can be read: the line of the file on which it ends, and what it says."""

    line: int
    intake: Intake


@dataclass(frozen=True)
class IntakeFile:
    """What a file holds: the rows that are sound by themselves, and what is wrong with the others."""

    name: str
    rows: tuple[IntakeRow, ...]
    problems: tuple[InvalidInput, ...]

    @property
    def bad_rows(self) -> int:
        """How many rows something is wrong with."""
        return len({(problem.where or "").partition(",")[0] for problem in self.problems})


def takes_files(kind: Kind) -> bool:
    """Whether cases of a kind can be opened from a CSV file: a file that must be given has no place in one."""
    return not any(field.shape is Shape.FILE and field.required for field in fields_of(kind.intake))


def columns_of(kind: Kind) -> tuple[Column, ...]:
    """The columns of the file, by the names that the fields have in JSON and on the command line."""
    return tuple(column for field in fields_of(kind.intake) for column in _columns(field))


def template_of(kind: Kind) -> str:
    """An empty file: its header alone."""
    return ",".join(column.name for column in columns_of(kind)) + "\r\n"


def place(file_name: str, line: int, column: str = "") -> str:
    """Where something stands in a file."""
    return f"{file_name}:{line}" + (f", {column}" if column else "")


def read_intakes(kind: Kind, content: bytes, now: datetime, *, file_name: str) -> IntakeFile:
    """Read a CSV file of intakes of one kind.

    Args:
        kind: whose intakes they are.
        content: the bytes of the file: UTF-8, with a header line; a byte order mark does not count.
        now: when it is read; nothing that is said to have happened can lie ahead of it.
        file_name: what to call the file in problems.

    Raises:
        InvalidInput: it is too large, or cannot be read as CSV.
        InvalidFields: its header is not that of such a file, or it has too many rows or none.
    """
    if len(content) > LARGEST_BYTES:
        raise InvalidInput(
            f"The file is larger than {LARGEST_BYTES // 2**20} MiB.", where=file_name, next_step="Give it in parts."
        )
    try:
        reader = csv.DictReader(io.StringIO(decoded_csv(content, file_name), newline=""), restkey=_MORE)
        if problems := tuple(_header_problems(kind, reader.fieldnames or (), place(file_name, 1))):
            raise InvalidFields(problems)
        lines = [(reader.line_num, cells) for cells in reader if any(cells.values())]
    except csv.Error:
        raise unreadable_csv(file_name) from None
    if not 0 < len(lines) <= MOST_ROWS:
        holds = f"The file holds {len(lines):,} rows, and can have {MOST_ROWS:,}." if lines else "The file has no row."
        step = "Give it in parts; what is opened already is not opened again." if lines else "Add one for each case."
        raise InvalidFields((InvalidInput(holds, where=file_name, next_step=step),))
    rows: list[IntakeRow] = []
    bad: list[InvalidInput] = []
    for line, cells in lines:
        try:
            intake = _intake(kind, cells)
            check_intake(intake, now)
            rows.append(IntakeRow(line, intake))
        except InvalidFields as error:
            bad += in_row(kind, error, file_name, line)
    return IntakeFile(file_name, tuple(rows), tuple(bad))


def in_row(kind: Kind, error: InvalidFields, file_name: str, line: int) -> Iterator[InvalidInput]:
    """What is wrong with one row's intake, by row and column."""
    columns = {column.name for column in columns_of(kind)}
    for problem in error.problems:
        first, _, part = (problem.where or "").partition(".")
        named = (f"{first}_{part}", first, f"{first}_email")  # the last where an address is said to be wrong
        column = next((name for name in named if name in columns), first)
        yield InvalidInput(problem.message, where=place(file_name, line, column), next_step=problem.next_step)


_MORE = "more cells than the header has"


def _columns(field: FormField) -> Iterable[Column]:
    match field.shape:
        case Shape.PERSON:
            for part in PERSON_PARTS:
                needed = field.required and part != "phone"
                yield Column(f"{field.name}_{part}", f"{field.label} ({part})", field.hint, needed)
        case Shape.FILE:
            return
        case Shape.LINES:
            hint = f"{field.hint} Several are separated by {MANY}".strip()
            yield Column(field.name, field.label, hint, field.required)
        case Shape.TICK:
            yield Column(field.name, field.label, f"{field.hint} yes or no.".strip(), field.required)
        case Shape.CHOICE:
            hint = f"{field.hint} One of {', '.join(field.options)}.".strip()
            yield Column(field.name, field.label, hint, field.required)
        case Shape.DAY:
            yield Column(field.name, field.label, f"{field.hint} As 2026-03-07.".strip(), field.required)
        case Shape.INSTANT:
            yield Column(field.name, field.label, f"{field.hint} As 2026-03-07T22:15-05:00.".strip(), field.required)
        case Shape.APPROXIMATE_TIME:
            hint = f"{field.hint} An instant, a day, FIRST..LAST, or unknown.".strip()
            yield Column(field.name, field.label, hint, field.required)
        case Shape.LINE | Shape.TEXT:
            yield Column(field.name, field.label, field.hint, field.required)
        case Shape.AGREEMENT | Shape.AGREEMENTS | Shape.REFERENCES | Shape.MADE:
            raise TypeError(f"An intake asks for no {field.shape}: {field.name}.")
        case _:
            assert_never(field.shape)


def _header_problems(kind: Kind, header: Iterable[str | None], where: str) -> Iterator[InvalidInput]:
    columns, given = columns_of(kind), [name or "" for name in header]
    known = [column.name for column in columns]
    for name in dict.fromkeys(given):
        if given.count(name) > 1:
            yield InvalidInput(f"The column {name!r} stands there twice.", where=where, next_step="Leave one.")
        if name not in known:
            near = get_close_matches(name, known, 1)
            step = f"Is {near[0]} meant?" if near else f"The columns are {', '.join(known)}."
            yield InvalidInput(f"There is no column {name!r}.", where=where, next_step=step)
    if missing := [column.name for column in columns if column.required and column.name not in given]:
        step = f"The columns are {', '.join(known)}."
        yield InvalidInput(f"The header lacks {', '.join(missing)}.", where=where, next_step=step)


def _intake(kind: Kind, cells: Mapping[str, str | list[str] | None]) -> Intake:
    if _MORE in cells:
        where = "agreements"
        problem = InvalidInput(
            "The row has more cells than the header.", where=where, next_step="Quote cells that hold commas."
        )
        raise InvalidFields((problem,))
    texts = {name: cell.strip() for name, cell in cells.items() if isinstance(cell, str)}
    given: dict[str, object] = {}
    unread: list[InvalidInput] = []
    for field in fields_of(kind.intake):
        try:
            if (value := _value(field, texts)) is not None:
                given[field.name] = value
        except InvalidInput as problem:
            unread.append(problem)
    try:
        intake = parse_intake(kind.intake, given)
    except InvalidFields as error:
        unread += [found for found in error.problems if found.where not in {problem.where for problem in unread}]
    if unread:
        raise InvalidFields(tuple(unread))
    return intake


def _value(field: FormField, texts: Mapping[str, str]) -> object:
    """What the cells of a row give for a field; None for nothing, which the intake then says."""
    text = texts.get(field.name, "")
    match field.shape:
        case Shape.PERSON:
            parts = {part: texts.get(f"{field.name}_{part}", "") for part in PERSON_PARTS}
            given = {part: said for part, said in parts.items() if said or part != "phone"}
            return given if field.required or any(parts.values()) else None
        case Shape.LINES:
            return tuple(part.strip() for part in text.split(MANY) if part.strip())
        case Shape.APPROXIMATE_TIME:
            return ApproximateTime.written(text or "unknown")
        case Shape.DAY if text:
            try:
                return date.fromisoformat(text)
            except ValueError:
                raise InvalidInput(
                    "This is not a date.", where=field.name, next_step="Write it as in 2026-03-07."
                ) from None
        case _:
            return text or ("" if field.required and field.shape in (Shape.LINE, Shape.TEXT) else None)
