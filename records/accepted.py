"""What mail servers have taken, written in bulk: few columns read, and one statement for each table.

A large case settles tens of thousands of messages, nearly all of them so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy import select, update
from sqlmodel import Session

from agreements.due_dates import StoredDueDate, read_due_dates
from ledger.actors import ENGINE
from ledger.entries import Attempt, CaseEvent, CopyGiven, NoticeGiven
from mail.delivery_states import Happening, moved
from mail.handover import Accepted
from models.bulk import among, columns_of, tables_of, update_rows
from models.enums import DeliveryStatus, DutyStatus, NoticeKind, PerformedBy, Verdict
from models.tables import Batch, Delivery, Duty, Notice
from records.performing import further_duty_event, perform_by_notice, perform_these


class Taken(NamedTuple):
    """A message that a mail server has taken: its place in the outbox, what the server said, and when."""

    delivery_id: UUID
    answer: Accepted
    at: datetime


class _Place(NamedTuple):
    """A delivery with what an acceptance changes, and what evidence says of it."""

    id: UUID
    notice_id: UUID
    contact_id: UUID
    status: DeliveryStatus
    is_copy: bool
    attempts: int
    message_sha256: str
    case_id: UUID
    kind: NoticeKind
    given: list[str]
    lacking: list[str]
    also_performs: list[str]
    duty_id: UUID
    batch_id: UUID
    trouble: str | None


_DELIVERY, _NOTICE, _DUTY, _BATCH = tables_of(Delivery, Notice, Duty, Batch)

_PLACES = (
    select(
        *columns_of(Delivery, *_Place._fields[:7]),
        *columns_of(Notice, *_Place._fields[7:14]),
        *columns_of(Batch, "trouble"),
    )
    .join(_NOTICE, _NOTICE.c.id == _DELIVERY.c.notice_id)
    .join(_BATCH, _BATCH.c.id == _NOTICE.c.batch_id)
    .where(among(_DELIVERY.c.id, "deliveries"))
)


@dataclass(slots=True)
class _Duty:
    """A duty as far as a notice that was given reads and changes it."""

    id: UUID
    case_id: UUID
    clause: str
    due_date_id: str
    performed_by: PerformedBy
    due_at: datetime | None
    status: DutyStatus
    performed_at: datetime | None
    performed_under: UUID | None
    verdict: Verdict | None
    lacking: list[str]
    lacking_count: int


# What an act decides of a duty meanwhile is waited for, and counts: its status is written from what is read here.
_DUTIES = (
    select(*columns_of(Duty, *_Duty.__slots__))
    .where(among(_DUTY.c.id, "duties"))
    .order_by(_DUTY.c.id)
    .with_for_update()
)
_CHANGED = ("id", "status", "performed_at", "performed_under", "verdict", "lacking", "lacking_count")

_Row: TypeAlias = dict[str, Any]


def accept(session: Session, taken: Sequence[Taken]) -> list[CaseEvent]:
    """Note of some messages that mail servers took them, and what that performs; return the evidence of it, in order.

    The first acceptance by a contact performs the duty, and whatever else the notice performs.
    """
    if not taken:
        return []
    places = _places(session, [item.delivery_id for item in taken])
    duties = _duties(session, places)
    due_dates = read_due_dates(session, {duty.due_date_id for duty in duties.values()})
    events: list[CaseEvent] = []
    given: dict[UUID, datetime] = {}
    settled: list[_Row] = []
    for item in taken:
        place, said = places[item.delivery_id], _said(item.answer)
        if not place.is_copy:
            given[place.notice_id] = item.at
        settled.append(_settled(place, item) | said)
        events += _accepted(place, duties, due_dates, item, said)
    update_rows(session, Delivery, settled)
    update_rows(session, Notice, [{"id": notice, "given_at": at} for notice, at in given.items()])
    update_rows(session, Duty, [{name: getattr(duty, name) for name in _CHANGED} for duty in duties.values()])
    troubled = {place.batch_id for place in places.values() if place.trouble}
    if troubled:  # the server answers
        mended = {"trouble": None, "trouble_since": None}
        session.execute(update(_BATCH).where(_BATCH.c.id.in_(troubled)).values(mended))
    return events


def _places(session: Session, deliveries: Sequence[UUID]) -> dict[UUID, _Place]:
    rows = session.execute(_PLACES, {"deliveries": deliveries})
    return {place.id: place for place in map(_Place._make, rows)}


def _duties(session: Session, places: Mapping[UUID, _Place]) -> dict[UUID, _Duty]:
    """The duties of the notices that were given by this, with those that these perform besides."""
    given = [place for place in places.values() if not place.is_copy]
    wanted = {place.duty_id for place in given} | {UUID(duty) for place in given for duty in place.also_performs}
    rows = session.execute(_DUTIES, {"duties": wanted}) if wanted else ()
    return {duty.id: duty for duty in (_Duty(*row) for row in rows)}


def _settled(place: _Place, taken: Taken) -> _Row:
    """What is kept of an answer in the outbox."""
    answer = taken.answer
    return {
        "id": place.id,
        "status": moved(place.status, Happening.ACCEPTED),
        "settled_at": taken.at,
        "again_at": None,
        "answer": f"{answer.code} {answer.text}",
        "reply_code": answer.code,
        "reply_status": answer.status,
    }


def _said(answer: Accepted) -> _Row:
    """What is kept in the outbox and in evidence alike."""
    return {
        "queue_id": answer.queue_id,
        "tls_version": answer.tls.version if answer.tls else None,
        "tls_certificate": answer.tls.certificate if answer.tls else None,
    }


def _accepted(
    place: _Place, duties: Mapping[UUID, _Duty], due_dates: Mapping[str, StoredDueDate], taken: Taken, kept: _Row
) -> list[CaseEvent]:
    """The evidence of one acceptance, by which its duties are performed."""
    answer, at = taken.answer, taken.at
    attempt = Attempt(
        notice_id=place.notice_id,
        delivery=place.id,
        contact=place.contact_id,
        attempt=place.attempts,
        message_sha256=place.message_sha256,
    )
    said: dict[str, Any] = {
        "case_id": place.case_id,
        "actor": ENGINE,
        "at": at,
        "attempt": attempt,
        "code": answer.code,
        "status": answer.status,
        **kept,
    }
    if place.is_copy:
        return [CopyGiven(**said)]
    duty = duties[place.duty_id]
    perform_by_notice(duty, place.kind, place.lacking, due_dates[duty.due_date_id], at)
    also = [duties[UUID(further)] for further in place.also_performs]
    event = NoticeGiven(
        **said,
        duty=duty.id,
        clause=duty.clause,
        due_at=duty.due_at,
        notice_kind=place.kind,
        verdict=duty.verdict,
        given=tuple(place.given),
        lacking=tuple(place.lacking),
    )
    performed = perform_these(also, due_dates, place.lacking, at)
    return [event, *(further_duty_event(further, attempt, at) for further in performed)]
