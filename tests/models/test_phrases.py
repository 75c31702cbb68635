"""Counts and instants in words: one is one, and an instant names its zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from models.phrases import counted, day_words, instant_words


@pytest.mark.parametrize(
    ("number", "words", "says"),
    [
        (1, ("duty", "duties"), "1 duty"),
        (0, ("duty", "duties"), "0 duties"),
        (2_012, ("notice",), "2,012 notices"),
        (1, ("notice waits", "notices wait"), "1 notice waits"),
    ],
)
def test_one_is_one_and_all_else_are_several(number: int, words: tuple[str, ...], says: str) -> None:
    assert counted(number, *words) == says


def test_an_instant_reads_by_the_clock_of_its_reader_with_the_zone_named() -> None:
    instant = datetime(2026, 3, 8, 3, 15, tzinfo=UTC)
    assert instant_words(instant, "America/New_York") == "Sat 7 Mar 2026, 22:15 EST"
    assert instant_words(instant + timedelta(seconds=1)) == "Sun 8 Mar 2026, 03:15:01 UTC"
    assert instant_words(instant.astimezone(timezone(timedelta(hours=-5)))) == "Sat 7 Mar 2026, 22:15 UTC-05:00"
    assert day_words(date(2026, 10, 1)) == "Thu 1 Oct 2026"
