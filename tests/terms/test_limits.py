"""Limits as counsel writes them."""

from __future__ import annotations

import pytest

from models.defaults import Defaults
from terms.limits import parse_limit


@pytest.mark.parametrize(
    "text",
    [
        "72 hours",
        "1 hour",
        "60 days",
        "10 business days",
        "5 school days before",
        "1 year",
        "3 years",
        "in advance",
        "1 July and 1 January",
        "90 days before",
    ],
)
def test_a_limit_reads_back_as_it_was_written(text: str) -> None:
    assert str(parse_limit(text)) == text


def test_calendar_days_are_days() -> None:
    assert parse_limit("30 calendar days") == parse_limit("30 days")


def test_a_default_takes_its_amount_from_the_settings_and_says_so() -> None:
    limit = parse_limit("default disposition_days", Defaults(disposition_days=21))
    assert str(limit) == "21 days (default)"
    assert str(parse_limit("default prior_notice_days before")) == "30 days (default) before"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("72", "has no unit"),
        ("soon", "cannot be read"),
        ("0 days", "no limit"),
        ("3 calendar hours", "make no sense"),
        ("default patience_days", "no default is named patience_days"),
    ],
)
def test_what_is_no_limit_is_told(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_limit(text)
