"""What the messages of notices are written from, as SQL holds it: few columns of few tables, read for many at once.

It is read once in plain, outside of any transaction that others wait for, and beside it as it stands in the database,
unopened. In the transaction that keeps the messages it is enough to see that the same stands there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import Select, and_, select, type_coerce
from sqlalchemy.types import NullType
from sqlmodel import Session, SQLModel

from config.seals import tuples_that_open
from mail.delivery_states import ARRIVED
from models.bulk import columns_of, table_of, tables_of
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
    """A notice with its duty and the agreement under which that is owed."""

    notice: NoticeRow
    duty: DutyRow
    agreement: AgreementRow


class Asked(NamedTuple):
    """Which rows were read: about which notices, and what belongs to these."""

    notices: tuple[UUID, ...]
    agreements: tuple[UUID, ...]
    cases: tuple[UUID, ...]
    further: tuple[UUID, ...]


@dataclass(frozen=True)
class NoticeRows:
    """Everything in SQL about some notices.

    Attributes:
        told: the notices, by id.
        terms: the hash of the terms that a case has pinned for an agreement, by both.
        contacts: those of each agreement.
        others: the contacts that a case has whatever its agreements are, by case.
        deliveries: by notice.
        further: the duties that notices perform besides their own, by id.
    """

    told: tuple[Told, ...]
    terms: Mapping[tuple[UUID, UUID], str]
    contacts: Mapping[UUID | None, Sequence[ContactRow]]
    others: Mapping[UUID | None, Sequence[ContactRow]]
    deliveries: Mapping[UUID, Sequence[DeliveryRow]]
    further: Mapping[UUID, DutyRow]


Unopened: TypeAlias = tuple[Any, ...]
"""Rows as the database holds them, to be compared with what stands there later."""

_Row = TypeVar("_Row", NoticeRow, DutyRow, AgreementRow, ContactRow, DeliveryRow)

_NOTICE, _DUTY, _AGREEMENT, _CONTACT, _DELIVERY = tables_of(Notice, Duty, Agreement, AgreementContact, Delivery)
_CASE, _SCOPE, _BATCH = tables_of(Case, CaseAgreement, Batch)

_SELECT_CONTACT, _SELECT_DELIVERY, _SELECT_DUTY = (
    select(*columns_of(model, *row._fields))
    for model, row in ((AgreementContact, ContactRow), (Delivery, DeliveryRow), (Duty, DutyRow))
)
_TOLD = (
    select(
        *columns_of(Notice, *NoticeRow._fields),
        *columns_of(Duty, *DutyRow._fields),
        *columns_of(Agreement, *AgreementRow._fields),
    )
    .join(_DUTY, _DUTY.c.id == _NOTICE.c.duty_id)
    .join(_AGREEMENT, _AGREEMENT.c.id == _DUTY.c.agreement_id)
    .order_by(_NOTICE.c.id)
)
_TERMS = select(*columns_of(CaseAgreement, "case_id", "agreement_id", "terms_hash"))


def row_of(kind: type[_Row], model: SQLModel) -> _Row:
    """A row as if it had been read, of an object that perhaps is kept nowhere."""
    return kind(*(getattr(model, name) for name in kind._fields))


def read_rows(session: Session, notices: Collection[UUID]) -> NoticeRows:
    """Everything about some notices."""
    if not notices:
        return NoticeRows((), {}, {}, {}, {}, {})
    session.flush()  # what was changed by objects is to be read too
    return rows_of(session, [_told(row) for row in session.execute(_told_of(notices))])


def _told(row: Sequence[Any]) -> Told:
    duty, agreement = len(NoticeRow._fields), len(NoticeRow._fields) + len(DutyRow._fields)
    return Told(NoticeRow(*row[:duty]), DutyRow(*row[duty:agreement]), AgreementRow(*row[agreement:]))


def rows_of(session: Session, told: Sequence[Told]) -> NoticeRows:
    """Everything else about some notices that were read, or that are kept nowhere."""
    asked = asked_of(told)
    # A contact whose address does not open where it stands is written to by nobody; the next one's turn comes.
    contacts = [ContactRow(*row) for row in tuples_that_open(session, _contacts(asked), _CONTACT.c.id)]
    deliveries = (DeliveryRow(*row) for row in session.execute(_deliveries(asked)))
    further = (DutyRow(*row) for row in session.execute(_further(asked))) if asked.further else ()
    return NoticeRows(
        told=tuple(told),
        terms={(case, agreement): name or "" for case, agreement, name in session.execute(_pinned(asked))},
        contacts=grouped((one for one in contacts if one.agreement_id), lambda contact: contact.agreement_id),
        others=contacts_of_cases(session, asked.cases),
        deliveries=grouped(deliveries, lambda delivery: delivery.notice_id),
        further={duty.id: duty for duty in further},
    )


def asked_of(told: Sequence[Told]) -> Asked:
    """Which rows some notices' messages are written from."""
    return Asked(
        notices=tuple(each.notice.id for each in told),
        agreements=tuple(dict.fromkeys(each.agreement.id for each in told)),
        cases=tuple(dict.fromkeys(each.notice.case_id for each in told)),
        further=tuple(UUID(duty) for each in told for duty in each.notice.also_performs),
    )


def contacts_of_cases(session: Session, cases: Collection[UUID]) -> dict[UUID | None, list[ContactRow]]:
    """By case: the contacts that some cases have whatever their agreements are, such as a parent who asks."""
    rows = tuples_that_open(session, _others(cases), _CONTACT.c.id)
    return grouped((ContactRow(*row) for row in rows), lambda contact: contact.case_id)


def unopened(session: Session, asked: Asked, case_id: UUID, batches: Collection[UUID]) -> Unopened:
    """All that the messages of some notices of a case are written from, as it stands in the database."""
    statements = (*_about_notices(asked), *_about_case(case_id, asked.agreements, batches))
    return tuple(tuple(map(tuple, session.execute(_plain(statement)))) for statement in statements)


def _plain(statement: Select[Any]) -> Select[Any]:
    """The same rows as the database holds them: no value is turned into another, and nothing sealed is opened."""
    columns: list[Any] = [type_coerce(column, NullType()) for column in statement.selected_columns]
    return statement.with_only_columns(*columns)


def _about_notices(asked: Asked) -> Iterator[Select[Any]]:
    yield _told_of(asked.notices)
    yield _contacts(asked)
    yield _others(asked.cases)
    yield _deliveries(asked)
    yield _pinned(asked)
    if asked.further:
        yield _further(asked)


def _about_case(case_id: UUID, agreements: Collection[UUID], batches: Collection[UUID]) -> Iterator[Select[Any]]:
    yield select(*columns_of(Case, "kind", "dismissal_reason_sha256")).where(_CASE.c.id == case_id)
    for table in (CaseAnchor, CaseFact, CaseDocument, LawEnforcementHold):
        yield select(*columns_of(table, *table.model_fields)).where(table_of(table).c.case_id == case_id)
    yield select(*columns_of(Batch, "id", "ledger_head")).where(_BATCH.c.id.in_(batches))
    yield _given_before(agreements)


class GivenBefore(NamedTuple):
    """A notice that was given, with whose its duty is, and the Message-ID if it went by mail."""

    case_id: UUID
    duty_id: UUID
    also_performs: list[str]
    given_at: datetime
    agreement_id: UUID
    owed_to: Party
    message_id: str | None


def given_before(session: Session, agreements: Collection[UUID]) -> Iterator[GivenBefore]:
    """The notices that were given under some agreements, in whichever case, the last one first."""
    return map(GivenBefore._make, session.execute(_given_before(agreements)))


def _given_before(agreements: Collection[UUID]) -> Select[Any]:
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
        .where(_DUTY.c.agreement_id.in_(agreements), _NOTICE.c.given_at.is_not(None))
        .order_by(_NOTICE.c.given_at.desc(), _NOTICE.c.id)
    )


def _told_of(notices: Collection[UUID]) -> Select[Any]:
    return _TOLD.where(_NOTICE.c.id.in_(notices))


def _contacts(asked: Asked) -> Select[Any]:
    return _SELECT_CONTACT.where(_CONTACT.c.agreement_id.in_(asked.agreements))


def _others(cases: Collection[UUID]) -> Select[Any]:
    named = _CONTACT.c.case_id.in_(cases), _CONTACT.c.agreement_id.is_(None)
    return _SELECT_CONTACT.where(*named)


def _deliveries(asked: Asked) -> Select[Any]:
    return _SELECT_DELIVERY.where(_DELIVERY.c.notice_id.in_(asked.notices)).order_by(_DELIVERY.c.id)


def _further(asked: Asked) -> Select[Any]:
    return _SELECT_DUTY.where(_DUTY.c.id.in_(asked.further)).order_by(_DUTY.c.id)


def _pinned(asked: Asked) -> Select[Any]:
    key = and_(_SCOPE.c.agreement_id.in_(asked.agreements), _SCOPE.c.case_id.in_(asked.cases))
    return _TERMS.where(key).order_by(_SCOPE.c.case_id, _SCOPE.c.agreement_id)
