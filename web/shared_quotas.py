"""Counts of quotas in SQL, so that several web processes share them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import ClassVar

from limits.storage import Storage
from sqlalchemy import case, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, delete, select, text

from config.database import Database
from models.errors import Unavailable
from models.tables import QuotaCount

TIDY_EVERY = 1_000
"""After how many counted tries of a process what is over is cleared away."""

MOST_COUNTS = 100_000
"""How many addresses and links are remembered; those whose time ends first are forgotten first."""


class SharedCounts(Storage):
    """Where ``limits`` counts what several processes allow together; what is over counts for nothing.

    What is counted may be lost with a crash of PostgreSQL: that is worth less than the wait for its disk.
    """

    STORAGE_SCHEME: ClassVar[list[str] | None] = None  # type: ignore[misc]
    base_exceptions = Unavailable

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database
        self._on_postgresql = database.engine.dialect.name == "postgresql"
        self._tries = count(1)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count for a key, whose time begins with its first try; return how many there are."""
        now = _now()
        insert = postgresql.insert if self._on_postgresql else sqlite.insert
        fresh = insert(QuotaCount).values(key=key, count=amount, ends_at=now + timedelta(seconds=expiry))
        is_over = col(QuotaCount.ends_at) <= now
        counted = fresh.on_conflict_do_update(
            index_elements=[col(QuotaCount.key)],
            set_={
                "count": case((is_over, amount), else_=col(QuotaCount.count) + amount),
                "ends_at": case((is_over, fresh.excluded.ends_at), else_=col(QuotaCount.ends_at)),
            },
        ).returning(col(QuotaCount.count))
        with self._writing() as session:
            if next(self._tries) % TIDY_EVERY == 0:
                self._tidy(session, now)
            number: int = session.execute(counted).scalar_one()
            return number

    def get(self, key: str) -> int:
        """How many were counted for a key whose time is not over."""
        with self._database.reading() as session:
            wanted = col(QuotaCount.key) == key, col(QuotaCount.ends_at) > _now()
            return session.exec(select(QuotaCount.count).where(*wanted)).one_or_none() or 0

    def get_expiry(self, key: str) -> float:
        """When the time of a key ends, in seconds since 1970."""
        with self._database.reading() as session:
            ends_at = session.exec(select(QuotaCount.ends_at).where(QuotaCount.key == key)).one_or_none()
        return (ends_at or _now()).timestamp()

    def check(self) -> bool:
        """Whether the database answers."""
        with self._database.reading() as session:
            return session.exec(select(func.count()).select_from(QuotaCount).limit(1)).one() >= 0

    def reset(self) -> int | None:
        """Forget all."""
        with self._writing() as session:
            session.exec(delete(QuotaCount))
        return None

    def clear(self, key: str) -> None:
        """Forget a key."""
        with self._writing() as session:
            session.exec(delete(QuotaCount).where(col(QuotaCount.key) == key))

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with self._database.writing() as session:
            if self._on_postgresql:
                session.execute(text("SET LOCAL synchronous_commit = off"))
            yield session

    def _tidy(self, session: Session, now: datetime) -> None:
        session.exec(delete(QuotaCount).where(col(QuotaCount.ends_at) <= now))
        newest = select(QuotaCount.key).order_by(col(QuotaCount.ends_at).desc()).offset(MOST_COUNTS)
        session.exec(delete(QuotaCount).where(col(QuotaCount.key).in_(newest)))


def _now() -> datetime:
    return datetime.now(UTC)
