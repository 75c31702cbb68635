"""A file of directives, as somebody uploads it."""

from __future__ import annotations

import csv
import io

ROW = {
    "title": "Directive",
    "agreements": "IL-001",
    "extent": "complete",
    "nature": "destruction",
    "schedule": "as-soon-as-practicable",
    "disposal_requested": "2026-05-29",
    "representative_name": "Office",
    "representative_email": "office@example.org",
}


def csv_of(*rows: dict[str, str], header: list[str] | None = None) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, header or list(ROW))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
