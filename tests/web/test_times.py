"""Times as officers write them: a local time names an instant only with its zone, and only where there is just one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from models.errors import InvalidInput
from web.times import distance, local, read_date, read_instant


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2026-03-07T22:15", "America/New_York", "2026-03-08T03:15+00:00"),
        ("2026-07-07 22:15", "America/New_York", "2026-07-08T02:15+00:00"),
        ("2026-07-07T22:15:30", "America/Phoenix", "2026-07-08T05:15:30+00:00"),
        ("2026-03-07T22:15-05:00", "", "2026-03-08T03:15+00:00"),
        ("2026-11-01T05:30Z", "America/New_York", "2026-11-01T05:30+00:00"),
        ("2026-03-08T01:59", "America/New_York", "2026-03-08T06:59+00:00"),
        ("2026-03-08T03:00", "America/New_York", "2026-03-08T07:00+00:00"),
    ],
)
def test_a_time_and_its_zone_name_an_instant(text: str, zone: str, instant: str) -> None:
    assert read_instant(text, zone, "discovered_at") == datetime.fromisoformat(instant)


@pytest.mark.parametrize("text", ["", "   "])
def test_nothing_names_none(text: str) -> None:
    assert read_instant(text, "", "confirmed_at") is None
    assert read_date(text, "occurred") is None


@pytest.mark.parametrize(
    ("text", "zone", "where", "says"),
    [
        ("2026-03-07T22:15", "", "zone", "The times have no time zone, so they name no instants."),
        ("2026-03-07T22:15", "Mars/Olympus", "zone", "There is no such time zone."),
        ("2026-03-07", "UTC", "discovered_at", "This is not a date with a time of day."),
        ("yesterday", "UTC", "discovered_at", "This is not a date with a time of day."),
        ("2026-03-08T02:30", "America/New_York", "discovered_at", "the clocks went forward over it"),
        ("2026-11-01T01:30", "America/New_York", "discovered_at", "two moments at 01:30 on Sun 1 Nov 2026"),
    ],
)
def test_what_names_no_single_instant_is_refused_at_its_field(text: str, zone: str, where: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as refused:
        read_instant(text, zone, "discovered_at")
    assert refused.value.where == where
    assert refused.value.next_step


def test_instants_on_both_sides_of_a_change_of_clocks_keep_their_order() -> None:
    before = read_instant("2026-11-01T00:59", "America/New_York", "occurred")
    after = read_instant("2026-11-01T02:00", "America/New_York", "discovered_at")
    assert before is not None
    assert after is not None
    assert after - before == timedelta(hours=2, minutes=1)


def test_an_instant_is_shown_by_the_clock_on_the_wall_with_its_zone() -> None:
    instant = datetime(2026, 3, 8, 7, 15, tzinfo=UTC)
    assert local(instant, "America/New_York") == "Sun 8 Mar 2026, 03:15 EDT"
    assert local(instant + timedelta(seconds=1), "UTC") == "Sun 8 Mar 2026, 07:15:01 UTC"


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (timedelta(days=2, hours=5, minutes=59), "2 d 5 h left"),
        (timedelta(hours=23, minutes=59), "23 h 59 min left"),
        (timedelta(seconds=59), "less than 1 min left"),
        (timedelta(minutes=-40), "overdue by 40 min"),
        (timedelta(hours=-72), "overdue by 3 d 0 h"),
    ],
)
def test_how_far_it_is_until_then(left: timedelta, says: str) -> None:
    now = datetime(2026, 3, 8, tzinfo=UTC)
    assert distance(now + left, now) == says
