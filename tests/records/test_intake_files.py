"""A CSV file of intakes: every problem is named by row and column, and what is sound reads like any other intake."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest

from cases.breach import BREACH, IncidentReport
from cases.disposition import DISPOSITION, Directive
from cases.intake import ApproximateTime
from models.errors import InvalidFields, InvalidInput
from records.intake_files import MOST_ROWS, IntakeFile, columns_of, read_intakes, template_of
from tests.support.directives import NOW

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


def read(content: bytes) -> IntakeFile:
    return read_intakes(DISPOSITION, content, NOW, file_name="many.csv")


def said(file: IntakeFile) -> list[str]:
    return [f"{problem.where} {problem.message}" for problem in file.problems]


def refused(content: bytes) -> list[str]:
    with pytest.raises(InvalidInput) as found:
        read(content)
    problems = found.value.problems if isinstance(found.value, InvalidFields) else (found.value,)
    return [f"{problem.where}: {problem.message} {problem.next_step}" for problem in problems]


def test_a_row_is_an_intake() -> None:
    (row,) = read(csv_of(ROW)).rows
    assert row.line == 2
    assert isinstance(row.intake, Directive)
    assert (row.intake.agreements, row.intake.disposal_requested) == (("IL-001",), date(2026, 5, 29))
    assert row.intake.representative.phone is None


def test_a_byte_order_mark_and_blank_rows_do_not_count() -> None:
    file = read(b"\xef\xbb\xbf" + csv_of(ROW) + b",,,,,,,\r\n" + csv_of(ROW).split(b"\r\n", 1)[1])
    assert [row.line for row in file.rows] == [2, 4]


def test_the_template_has_every_column_and_reads_back() -> None:
    header = template_of(DISPOSITION).strip().split(",")
    assert header == [column.name for column in columns_of(DISPOSITION)]
    assert "signed_file" not in header, "a file has no place in a cell"
    assert len(read(csv_of(ROW, header=header)).rows) == 1
    assert refused(template_of(DISPOSITION).encode()) == ["many.csv: The file has no row. Add one for each case."]


def test_every_problem_is_named_by_row_and_column() -> None:
    bad = ROW | {"extent": "partial", "disposal_requested": "29.5.2026", "representative_email": ""}
    worse = ROW | {"extent": "partial", "title": "", "representative_email": "nobody"}
    file = read(csv_of(ROW, bad, worse | {"title": "x"}, worse))
    assert [row.line for row in file.rows] == [2]
    assert file.bad_rows == 3
    assert said(file) == [
        "many.csv:3, disposal_requested This is not a date.",
        "many.csv:3, representative_email It is empty.",
        "many.csv:4, categories The disposition is partial, and no category is given.",
        "many.csv:4, representative_email The e-mail address has no @.",
        "many.csv:5, title It is empty.",
    ]


def test_a_column_that_there_is_not_is_named_with_the_nearest_known_one() -> None:
    header = [name.replace("extent", "extend") for name in ROW]
    row = {name.replace("extent", "extend"): value for name, value in ROW.items()}
    unknown, missing = refused(csv_of(row, header=header))
    assert unknown == "many.csv:1: There is no column 'extend'. Is extent meant?"
    assert missing.startswith("many.csv:1: The header lacks extent.")
    assert "There is no column ''" in refused(csv_of(ROW, header=[*ROW, ""]))[0]
    assert refused(csv_of(ROW, header=[*ROW, "title"])) == [
        "many.csv:1: The column 'title' stands there twice. Leave one."
    ]


def test_a_row_with_more_cells_than_the_header_is_refused() -> None:
    (problem,) = said(read(csv_of(ROW).rstrip() + b",more\r\n"))
    assert "more cells than the header" in problem


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (csv_of(ROW).replace(b"Directive", b"\xff"), "The file is not text in UTF-8"),
        (b"", "The header lacks"),
        (b'"title', "The header lacks"),
        (csv_of(ROW | {"title": "x" * 200_000}), "cannot be read as CSV"),
        (b"x" * (16 * 2**20 + 1), "larger than 16 MiB"),
        (csv_of(*[ROW] * (MOST_ROWS + 1)), "holds 10,001 rows, and can have 10,000"),
    ],
    ids=["not UTF-8", "empty", "unclosed", "a long field", "large", "too many rows"],
)
def test_what_is_no_such_file_is_refused_in_a_sentence(content: bytes, says: str) -> None:
    assert says in " ".join(refused(content))


def test_an_incident_report_fits_into_a_row_as_well() -> None:
    row = {
        "title": "Rosters were readable",
        "agreements": "IL-001; VA-001",
        "occurred": "2026-05-01..2026-05-03",
        "discovered_at": "2026-05-20T09:00-05:00",
        "description": "Rosters were readable.",
        "data_types": "Student names;Dates of birth",
        "reporter_name": "Robin",
        "reporter_email": "robin@example.org",
        "point_of_contact_name": "Robin",
        "point_of_contact_email": "robin@example.org",
    }
    file = read_intakes(BREACH, csv_of(row, header=list(row)), NOW, file_name="many.csv")
    assert not file.problems
    intake = file.rows[0].intake
    assert isinstance(intake, IncidentReport)
    assert intake.agreements == ("IL-001", "VA-001")
    assert intake.data_types == ("Student names", "Dates of birth")
    days = {"first_day": date(2026, 5, 1), "last_day": date(2026, 5, 3)}
    assert intake.occurred == ApproximateTime(kind="range", **days)
