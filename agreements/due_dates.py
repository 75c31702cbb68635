"""Computed due dates as SQL keeps them: one row for each distinct set of reasons, named by its content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import rfc8785
from sqlmodel import Session, col, select

from agreements.remembered import Remembered
from models import identifiers
from models.tables import DueDate
from terms.duties import DueDuty


class StoredDueDate(DueDuty):
    """A due date with its reasons, and what it was computed under: the pinned terms and the zone."""

    terms_hash: str
    time_zone: str

    @property
    def id(self) -> str:
        """The SHA-256 of the canonical JSON (RFC 8785), which names the row."""
        return identifiers.sha256_hex(rfc8785.dumps(self.model_dump(mode="json")))


def stored_due_date(duty: DueDuty, terms_hash: str, time_zone: str) -> StoredDueDate:
    """The due date of one duty as it is kept."""
    return StoredDueDate(**dict(duty), terms_hash=terms_hash, time_zone=time_zone)


def keep_due_dates(session: Session, found: Mapping[str, StoredDueDate]) -> None:
    """Keep the due dates that are not kept yet."""
    known = set(session.exec(select(DueDate.id).where(col(DueDate.id).in_(found))))
    new = [DueDate(id=key, body=one.model_dump(mode="json")) for key, one in found.items() if key not in known]
    session.add_all(new)
    session.flush()


def read_due_dates(session: Session, ids: Iterable[str]) -> dict[str, StoredDueDate]:
    """The due dates of these ids."""
    return _REMEMBERED.of(session, ids)


def read_due_date(row: DueDate) -> StoredDueDate:
    """The due date that a row holds."""
    return StoredDueDate.model_validate(row.body)


def _read(session: Session, ids: set[str]) -> dict[str, StoredDueDate]:
    rows = session.exec(select(DueDate.id, DueDate.body).where(col(DueDate.id).in_(ids)))
    return {key: StoredDueDate.model_validate(body) for key, body in rows}


_REMEMBERED = Remembered(2_000, _read)
