"""References of agreements in the files that people hand in."""

from __future__ import annotations

import csv
from io import StringIO


def references_in_csv(text: str) -> tuple[str, ...]:
    """The references of agreements in a CSV file: its column ``reference``, or else its first one, each once."""
    rows = [row for row in csv.reader(StringIO(text.removeprefix("\ufeff"))) if row]
    titles = [title.strip().casefold() for title in rows[0]] if rows else []
    column, rows = (titles.index("reference"), rows[1:]) if "reference" in titles else (0, rows)
    cells = (row[column].strip() for row in rows if len(row) > column)
    return tuple(dict.fromkeys(cell for cell in cells if cell))
