"""A vendor: whoever is asked about data at one address, in however many cases. One link answers all of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlmodel import Session, col, func, select

from mail.holder_links import digest_of, vendor_id, vendor_token
from models.enums import SETTLED
from models.tables import HolderTask, Vendor


def vendor_at(session: Session, key: bytes, email: str) -> Vendor:
    """The vendor that is written to at an address, with a link that leads somewhere; one not known yet is kept."""
    found = vendor_id(key, email)
    insert = insert_sqlite if session.get_bind().dialect.name == "sqlite" else insert_postgresql
    # Two cases may write to a new vendor at once.
    session.connection().execute(insert(Vendor).on_conflict_do_nothing(), [{"id": found, "link_number": 1}])
    vendor = session.get_one(Vendor, found)
    if vendor.link_digest is None:
        vendor.link_digest = digest_of(vendor_token(key, vendor.id, vendor.link_number))
        session.add(vendor)
        session.flush()
    return vendor


def pending_of(session: Session, vendor: Vendor) -> int:
    """From how many of its tasks something is awaited of a vendor."""
    return session.exec(
        select(func.count())
        .select_from(HolderTask)
        .where(HolderTask.vendor_id == vendor.id, col(HolderTask.status).not_in(SETTLED))
    ).one()


def end_vendor_link(session: Session, task: HolderTask) -> None:
    """Let the link to all that a task's vendor is asked lead nowhere any more; the next letter holds another."""
    if task.vendor_id:
        vendor = session.get_one(Vendor, task.vendor_id)
        vendor.link_number, vendor.link_digest = vendor.link_number + 1, None
        session.add(vendor)


def lasting_tasks(session: Session, vendor: Vendor, now: datetime) -> Sequence[HolderTask]:
    """The tasks of a vendor whose own links last, what is due soonest first."""
    return session.exec(
        select(HolderTask)
        .where(*_lasting(vendor, now))
        .order_by(col(HolderTask.due_at).is_(None), col(HolderTask.due_at), col(HolderTask.id))
    ).all()


def lasting_task(session: Session, vendor: Vendor, task_id: UUID, now: datetime) -> HolderTask | None:
    """One of them; None where a vendor is not asked that, or no more."""
    return session.exec(select(HolderTask).where(HolderTask.id == task_id, *_lasting(vendor, now))).one_or_none()


def _lasting(vendor: Vendor, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """What makes a task one that a vendor's link answers: it is the vendor's, and its own link lasts."""
    lasts = (col(HolderTask.link_digest).is_not(None), col(HolderTask.link_expires_at) > now)
    return (col(HolderTask.vendor_id) == vendor.id, *lasts)
