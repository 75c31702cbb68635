"""References of agreements: in the files that people hand in, and what they name."""

from __future__ import annotations

import csv
from io import StringIO

from sqlmodel import Session, select

from models.errors import InvalidInput, NotFound
from models.tables import Agreement


def references_in_csv(text: str) -> tuple[str, ...]:
    """The references of agreements in a CSV file: its column ``reference``, or else its first one, each once.

    Raises:
        InvalidInput: it cannot be read as CSV.
    """
    try:
        rows = [row for row in csv.reader(StringIO(text.removeprefix("\ufeff"))) if row]
    except csv.Error:
        raise unreadable_csv("file") from None
    titles = [title.strip().casefold() for title in rows[0]] if rows else []
    column, rows = (titles.index("reference"), rows[1:]) if "reference" in titles else (0, rows)
    cells = (row[column].strip() for row in rows if len(row) > column)
    return tuple(dict.fromkeys(cell for cell in cells if cell))


def decoded_csv(content: bytes, where: str) -> str:
    """The text of a CSV file, without the byte order mark that some programs write before it.

    Raises:
        InvalidInput: it is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"The file is not text in UTF-8: byte {error.start + 1} cannot be read.",
            where=where,
            next_step="Save it as CSV in UTF-8.",
        ) from None


def unreadable_csv(where: str) -> InvalidInput:
    """Why a file that the CSV reader gave up on is refused, such as one with a field over 128 KiB."""
    return InvalidInput(
        "The file cannot be read as CSV: a field is far too long, or a quotation mark is never closed.",
        where=where,
        next_step="Save it as CSV once more.",
    )


def agreement_named(session: Session, reference: str) -> Agreement:
    """The agreement of this reference.

    Raises:
        NotFound: there is none.
    """
    found = session.exec(select(Agreement).where(Agreement.reference == reference.strip())).one_or_none()
    if found is None:
        raise NotFound(
            f"No agreement is imported under {reference!r}.",
            where="agreement",
            next_step="They are listed on the page of agreements, and by `duenotice agreements list`.",
        )
    return found
