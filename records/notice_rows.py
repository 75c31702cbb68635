"""What the messages of notices are written from, as SQL holds it: few columns of few tables, read for many at once.

It is read once in plain, outside of any transaction that others wait for, and beside it as it stands in the database,
unopened. In the transaction that keeps the messages it is enough to see that the same stands there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import Select, and_, select, type_coerce
from sqlalchemy.types import NullType
from sqlmodel import Session, SQLModel

from config.seals import tuples_that_open
from mail.delivery_states import ARRIVED
from models.bulk import among, columns_of, table_of, tables_of
from models.enums import ContactRole, DeliveryStatus, DutyStatus, NoticeKind, Party
from models.grouping import grouped
from models.tables import (
    Agreement,
    AgreementContact,
    Batch,
    Case,
    CaseAgreement,
    CaseAnchor,
    CaseDocument,
    CaseFact,
    CaseKey,
    Delivery,
    Duty,
    LawEnforcementHold,
    Notice,
)


class NoticeRow(NamedTuple):
    """A row of ``models.tables.Notice``."""

    id: UUID
    batch_id: UUID
    duty_id: UUID
    case_id: UUID
    kind: NoticeKind
    also_performs: list[str]
    composed_at: datetime | None
    given_at: datetime | None
    dropped: bool
    link_generation: int


class DutyRow(NamedTuple):
    """A row of ``models.tables.Duty``."""

    id: UUID
    agreement_id: UUID
    clause: str
    owed_by: Party
    owed_to: Party
    status: DutyStatus
    due_date_id: str
    performed_under: UUID | None
    lacking: list[str]


class AgreementRow(NamedTuple):
    """A row of ``models.tables.Agreement``."""

    id: UUID
    reference: str
    form: str
    state: str
    lea_name: str
    time_zone: str
    executed_on: date


class ContactRow(NamedTuple):
    """A row of ``models.tables.AgreementContact``."""

    id: UUID
    agreement_id: UUID | None
    case_id: UUID | None
    party: Party | None
    role: ContactRole
    rank: int
    name: str
    email: str
    postal_address: str | None
    failing_since: datetime | None


class DeliveryRow(NamedTuple):
    """A row of ``models.tables.Delivery``."""

    id: UUID
    notice_id: UUID
    contact_id: UUID
    status: DeliveryStatus
    is_copy: bool
    attempts: int
    again_at: datetime | None
    message_sha256: str


class Told(NamedTuple):
    """A notice with its duty, the agreement under which that is owed, and the hash of the terms pinned for it."""

    notice: NoticeRow
    duty: DutyRow
    agreement: AgreementRow
    terms_hash: str


class Asked(NamedTuple):
    """Which rows were read: about which notices, and what belongs to these."""

    notices: tuple[UUID, ...]
    agreements: tuple[UUID, ...]
    cases: tuple[UUID, ...]
    batches: tuple[UUID, ...]
    further: tuple[UUID, ...]


@dataclass(frozen=True)
class NoticeRows:
    """Everything in SQL about some notices.

    Attributes:
        told: the notices, by id.
        contacts: those of each agreement.
        others: the contacts that a case has whatever its agreements are, by case.
        deliveries: by notice.
        further: the duties that notices perform besides their own, by id.
    """

    told: tuple[Told, ...]
    contacts: Mapping[UUID | None, Sequence[ContactRow]]
    others: Mapping[UUID | None, Sequence[ContactRow]]
    deliveries: Mapping[UUID, Sequence[DeliveryRow]]
    further: Mapping[UUID, DutyRow]


Unopened: TypeAlias = tuple[Any, ...]
"""Rows as the database holds them, to be compared with what stands there later."""

_Row = TypeVar("_Row", NoticeRow, DutyRow, AgreementRow, ContactRow, DeliveryRow)

_NOTICE, _DUTY, _AGREEMENT, _CONTACT, _DELIVERY = tables_of(Notice, Duty, Agreement, AgreementContact, Delivery)
_CASE, _SCOPE, _BATCH = tables_of(Case, CaseAgreement, Batch)


def _those_told() -> Select[Any]:
    return (
        select(
            *columns_of(Notice, *NoticeRow._fields),
            *columns_of(Duty, *DutyRow._fields),
            *columns_of(Agreement, *AgreementRow._fields),
            *columns_of(CaseAgreement, "terms_hash"),
        )
        .join(_DUTY, _DUTY.c.id == _NOTICE.c.duty_id)
        .join(_AGREEMENT, _AGREEMENT.c.id == _DUTY.c.agreement_id)
        .join(_SCOPE, and_(_SCOPE.c.case_id == _NOTICE.c.case_id, _SCOPE.c.agreement_id == _AGREEMENT.c.id))
        .where(among(_NOTICE.c.id, "notices"))
        .order_by(_NOTICE.c.id)
    )


def _those_given_before() -> Select[Any]:
    """Found by the agreement: by the case, all of its notices would be read for each few of them."""
    told_by_mail = _DELIVERY.c.status.in_(ARRIVED), _DELIVERY.c.is_copy.is_(False)
    return (
        select(
            *columns_of(Notice, "case_id", "duty_id", "also_performs", "given_at"),
            *columns_of(Duty, "agreement_id", "owed_to"),
            *columns_of(Delivery, "message_id"),
        )
        .select_from(_NOTICE)
        .join(_DUTY, _DUTY.c.id == _NOTICE.c.duty_id)
        .outerjoin(_DELIVERY, and_(_DELIVERY.c.notice_id == _NOTICE.c.id, *told_by_mail))
        .where(among(_DUTY.c.agreement_id, "agreements"), _NOTICE.c.given_at.is_not(None))
        .order_by(_NOTICE.c.given_at.desc(), _NOTICE.c.id)
    )


def _of_case(model: type[SQLModel]) -> Select[Any]:
    return select(table_of(model)).where(among(table_of(model).c.case_id, "cases"))


_TOLD, _GIVEN_BEFORE = _those_told(), _those_given_before()
_CONTACTS = select(*columns_of(AgreementContact, *ContactRow._fields)).where(
    among(_CONTACT.c.agreement_id, "agreements")
)
_OTHERS = select(*columns_of(AgreementContact, *ContactRow._fields)).where(
    among(_CONTACT.c.case_id, "cases"), _CONTACT.c.agreement_id.is_(None)
)
_DELIVERIES = (
    select(*columns_of(Delivery, *DeliveryRow._fields))
    .where(among(_DELIVERY.c.notice_id, "notices"))
    .order_by(_DELIVERY.c.id)
)
_FURTHER = select(*columns_of(Duty, *DutyRow._fields)).where(among(_DUTY.c.id, "further")).order_by(_DUTY.c.id)
_TERMS = select(*columns_of(CaseAgreement, "case_id", "agreement_id", "terms_hash")).where(
    among(_SCOPE.c.agreement_id, "agreements"), among(_SCOPE.c.case_id, "cases")
)
_ABOUT_CASE = (
    select(*columns_of(Case, "kind", "dismissal_reason_sha256")).where(among(_CASE.c.id, "cases")),
    *(_of_case(model) for model in (CaseAnchor, CaseFact, CaseDocument, LawEnforcementHold)),
    select(table_of(CaseKey)).where(among(table_of(CaseKey).c.case_id, "cases")),
    select(*columns_of(Batch, "id", "ledger_head")).where(among(_BATCH.c.id, "batches")),
)


def _plain(statement: Select[Any]) -> Select[Any]:
    """The same rows as the database holds them: no value is turned into another, and nothing sealed is opened."""
    columns: list[Any] = [type_coerce(column, NullType()) for column in statement.selected_columns]
    return statement.with_only_columns(*columns)


_ALL_PLAIN = tuple(map(_plain, (_TOLD, _CONTACTS, _OTHERS, _DELIVERIES, _FURTHER, *_ABOUT_CASE, _GIVEN_BEFORE)))


def _row_of(kind: type[_Row], model: SQLModel) -> _Row:
    """A row as if it had been read, of an object that perhaps is kept nowhere."""
    return kind(*(getattr(model, name) for name in kind._fields))


def read_rows(session: Session, notices: Sequence[UUID]) -> NoticeRows:
    """Everything about some notices."""
    if not notices:
        return NoticeRows((), {}, {}, {}, {})
    session.flush()  # what was changed by objects is to be read too
    return rows_of(session, [_told(row) for row in session.execute(_TOLD, {"notices": notices})])


def performing(told: Told, further: Mapping[UUID, list[str]]) -> Told:
    """A notice with the further duties that it performs, if it is among those that take some along."""
    also = further.get(told.notice.id, told.notice.also_performs)
    return told._replace(notice=told.notice._replace(also_performs=also))


def _told(row: Sequence[Any]) -> Told:
    duty, agreement = len(NoticeRow._fields), len(NoticeRow._fields) + len(DutyRow._fields)
    notice_row, duty_row = NoticeRow(*row[:duty]), DutyRow(*row[duty:agreement])
    return Told(notice_row, duty_row, AgreementRow(*row[agreement:-1]), row[-1] or "")


def told_of(session: Session, rows: Sequence[tuple[Notice, Duty, Agreement]]) -> list[Told]:
    """Some notices that are perhaps kept nowhere, with what they are about."""
    asked = {"cases": {notice.case_id for notice, _, _ in rows}, "agreements": {row.id for _, _, row in rows}}
    pinned = {(case, agreement): name or "" for case, agreement, name in session.execute(_TERMS, asked)}
    return [
        Told(
            _row_of(NoticeRow, notice),
            _row_of(DutyRow, duty),
            _row_of(AgreementRow, agreement),
            pinned[notice.case_id, agreement.id],
        )
        for notice, duty, agreement in rows
    ]


def rows_of(session: Session, told: Sequence[Told]) -> NoticeRows:
    """Everything else about some notices that were read, or that are kept nowhere."""
    asked = asked_of(told)._asdict()
    # A contact whose address does not open where it stands is written to by nobody; the next one's turn comes.
    contacts = map(ContactRow._make, tuples_that_open(session, _CONTACTS, _CONTACT.c.id, asked))
    deliveries = map(DeliveryRow._make, session.execute(_DELIVERIES, asked))
    further = map(DutyRow._make, session.execute(_FURTHER, asked)) if asked["further"] else ()
    return NoticeRows(
        told=tuple(told),
        contacts=grouped(contacts, lambda contact: contact.agreement_id),
        others=contacts_of_cases(session, asked["cases"]),
        deliveries=grouped(deliveries, lambda delivery: delivery.notice_id),
        further={duty.id: duty for duty in further},
    )


def asked_of(told: Sequence[Told]) -> Asked:
    """Which rows some notices' messages are written from."""
    return Asked(
        notices=tuple(each.notice.id for each in told),
        agreements=tuple(dict.fromkeys(each.agreement.id for each in told)),
        cases=tuple(dict.fromkeys(each.notice.case_id for each in told)),
        batches=tuple(dict.fromkeys(each.notice.batch_id for each in told)),
        further=tuple(UUID(duty) for each in told for duty in each.notice.also_performs),
    )


def contacts_of_cases(session: Session, cases: Sequence[UUID]) -> dict[UUID | None, list[ContactRow]]:
    """By case: the contacts that some cases have whatever their agreements are, such as a parent who asks."""
    rows = tuples_that_open(session, _OTHERS, _CONTACT.c.id, {"cases": cases})
    return grouped(map(ContactRow._make, rows), lambda contact: contact.case_id)


def unopened(session: Session, asked: Asked) -> Unopened:
    """All that the messages of some notices of a case are written from, as it stands in the database."""
    values = asked._asdict()
    return tuple(tuple(map(tuple, session.execute(statement, values))) for statement in _ALL_PLAIN)


class GivenBefore(NamedTuple):
    """A notice that was given, with whose its duty is, and the Message-ID if it went by mail."""

    case_id: UUID
    duty_id: UUID
    also_performs: list[str]
    given_at: datetime
    agreement_id: UUID
    owed_to: Party
    message_id: str | None


def given_before(session: Session, agreements: Sequence[UUID]) -> Iterator[GivenBefore]:
    """The notices that were given under some agreements, in whichever case, the last one first."""
    return map(GivenBefore._make, session.execute(_GIVEN_BEFORE, {"agreements": agreements}))
