"""References in the files that people hand in."""

from __future__ import annotations

import pytest

from agreements.importing import read_agreements
from agreements.references import references_in_csv
from models.errors import InvalidInput
from terms.calendars import parse_calendar
from terms.catalogue import load_catalogue

TOO_LONG = "x" * 131_073


def test_a_field_that_the_reader_gives_up_on_is_refused_in_a_sentence() -> None:
    with pytest.raises(InvalidInput, match="cannot be read as CSV") as of_references:
        references_in_csv(f"reference\n{TOO_LONG}\n")
    assert of_references.value.where == "file"
    with pytest.raises(InvalidInput, match="cannot be read as CSV"):
        read_agreements(load_catalogue(), f"{TOO_LONG}\n", file_name="a.csv")
    with pytest.raises(InvalidInput, match="cannot be read as CSV"):
        parse_calendar(f"first,last,kind\n{TOO_LONG},,\n".encode(), "a.csv")
    assert references_in_csv("Reference\nVT-001\n") == ("VT-001",)
