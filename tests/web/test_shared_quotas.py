"""Quotas that several web processes share: each of them opens the one database by itself."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import func, select, update

from config.database import Database
from config.keyring import Keyring
from config.settings import Limits
from models.tables import QuotaCount
from web import shared_quotas
from web.quotas import HOUR, Quota
from web.shared_quotas import SharedCounts
from web.site import Quotas


@pytest.fixture(params=["sqlite", "postgresql"])
def webs(request: pytest.FixtureRequest, keyring: Keyring, tmp_path: Path) -> Iterator[tuple[Database, Database]]:
    """The databases of two processes."""
    on_sqlite = f"sqlite:///{tmp_path}/duenotice.sqlite3"
    url = on_sqlite if request.param == "sqlite" else request.getfixturevalue("postgresql_url")
    one, other = Database(url, keyring), Database(url, keyring)
    one.migrate()
    yield one, other
    one.close()
    other.close()


def quota(database: Database, most: int = 5, name: str = "tries") -> Quota:
    return Quota(most, HOUR, name=name, shared=SharedCounts(database))


def counts(database: Database) -> int:
    with database.reading() as session:
        return session.exec(select(func.count()).select_from(QuotaCount)).one()


def test_what_one_process_allowed_is_used_up_in_the_other(webs: tuple[Database, Database]) -> None:
    here, there = map(quota, webs)
    with ThreadPoolExecutor(8) as tries:
        allowed = list(tries.map(lambda number: (here, there)[number % 2].allow("192.0.2.1"), range(20)))
    assert allowed.count(True) == 5
    assert here.is_used_up("192.0.2.1")
    assert there.is_used_up("192.0.2.1")
    assert 0 < there.seconds_left("192.0.2.1") <= HOUR
    assert here.allow("192.0.2.2"), "others are not concerned"
    assert quota(webs[1], name="other tries").allow("192.0.2.1"), "nor are other quotas"


def test_it_begins_anew_once_its_time_is_over(webs: tuple[Database, Database]) -> None:
    here, there = (quota(database, most=1) for database in webs)
    assert [here.allow("one"), there.allow("one")] == [True, False]
    with webs[0].writing() as session:
        session.execute(update(QuotaCount).values(ends_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert not there.is_used_up("one")
    assert [there.allow("one"), here.allow("one")] == [True, False]


def test_what_is_over_is_cleared_away_and_no_more_is_remembered_than_there_is_room_for(
    webs: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_quotas, "TIDY_EVERY", 10)
    monkeypatch.setattr(shared_quotas, "MOST_COUNTS", 4)
    here = quota(webs[0])
    for number in range(5):
        here.allow(f"old {number}")
    with webs[0].writing() as session:
        session.execute(update(QuotaCount).values(ends_at=datetime.now(UTC) - timedelta(seconds=1)))
    for number in range(4):
        here.allow(f"new {number}")
    assert counts(webs[0]) == 9
    here.allow("the tenth try")
    assert counts(webs[0]) == 5, "the four that are left, and the one that was counted then"


def test_a_link_and_an_address_are_kept_as_digests(webs: tuple[Database, Database]) -> None:
    quota(webs[0]).allow("/n/a-link-that-opens-something")
    with webs[0].reading() as session:
        [key] = session.exec(select(QuotaCount.key)).all()
    assert "a-link" not in key


def test_what_could_be_guessed_is_counted_for_all_processes_together(
    webs: tuple[Database, Database],
) -> None:
    here, there = (Quotas.of(Limits(), database) for database in webs)
    for name in ("sign_ins", "refused_links", "refused_files", "direct_requests", "link_answers"):
        getattr(here, name).allow("192.0.2.1")
    assert counts(webs[0]) == 5
    for _ in range(4):
        there.direct_requests.allow("192.0.2.1")
    assert here.direct_requests.is_used_up("192.0.2.1")
