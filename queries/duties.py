"""The duties of a case with their notices, one by one and counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, case
from sqlalchemy import select as select_columns
from sqlmodel import Session, SQLModel, col, func, select

from agreements.due_dates import read_due_date, read_due_dates
from cases.overdue import is_overdue
from config.database import Database
from config.seals import rows_that_open
from ledger.artifacts import text_of
from mail.delivery_states import ARRIVED
from models.enums import BY_OTHER_MEANS, TOO_LATE, BatchStatus, DutyStatus, NoticeKind
from models.grouping import grouped
from models.tables import (
    Agreement,
    AgreementContact,
    Batch,
    Delivery,
    DeliveryReport,
    DueDate,
    Duty,
    Letter,
    Notice,
    PostalLetter,
)
from queries.proposals import other_means_of
from queries.views import (
    CohortView,
    DeliveryView,
    DutyView,
    LetterView,
    NoticeView,
    OtherMeansView,
    OverdueLetterView,
    ReportView,
)
from records.notices import NOT_BEGUN
from records.performing import performed_duties
from terms.catalogue import Catalogue, load_catalogue


@dataclass(frozen=True)
class DutyFilter:
    """Which duties of a case to read; each condition that is None leaves it open.

    ``duty`` is the one duty of this id. ``cohort`` is a clause with a due instant, or with None for those that are not
    dated.
    """

    cohort: tuple[str, datetime | None] | None = None
    state: str | None = None
    status: DutyStatus | None = None
    duty: UUID | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The conditions as SQL, on duties joined with their agreements."""
        conditions: list[ColumnElement[bool]] = []
        if self.cohort:
            clause, due_at = self.cohort
            conditions += [col(Duty.clause) == clause, col(Duty.due_at) == due_at]
        if self.state:
            conditions.append(col(Agreement.state) == self.state)
        if self.duty:
            conditions.append(col(Duty.id) == self.duty)
        if self.status:
            conditions.append(col(Duty.status) == self.status)
        return conditions


EVERY_DUTY = DutyFilter()


def read_duties(
    database: Database, case_id: UUID, now: datetime, which: DutyFilter, *, offset: int, limit: int
) -> tuple[tuple[DutyView, ...], int]:
    """Some of the duties of a case with their notices, overdue ones first, and how many there are."""
    with database.reading() as session:
        matching = select(func.count()).select_from(Duty).where(Duty.case_id == case_id, *which.conditions())
        if which.state:
            matching = matching.join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        return duties_of(session, case_id, which, now, offset=offset, limit=limit), session.exec(matching).one()


def read_cohorts(database: Database, case_id: UUID, now: datetime) -> tuple[CohortView, ...]:
    """The duties of a case, counted by clause and due instant: overdue ones first, those not dated yet last."""
    with database.reading() as session:
        return _cohorts(session, case_id, now)


def duties_of(
    session: Session,
    case_id: UUID,
    which: DutyFilter,
    now: datetime,
    *,
    offset: int = 0,
    limit: int | None = None,
) -> tuple[DutyView, ...]:
    overdue = (col(Duty.status) == DutyStatus.RUNNING) & (col(Duty.due_at) < now)
    order = (
        case((overdue, 0), else_=1),
        col(Duty.target_at).is_(None),
        col(Duty.target_at),
        col(Agreement.lea_name),
        col(Duty.clause),
        col(Duty.id),
    )
    # Which ones first: sorting them with their reasons takes ten times as long.
    wanted = (
        select(Duty.id)
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .where(Duty.case_id == case_id, *which.conditions())
        .order_by(*order)
        .offset(offset)
        .limit(limit)
    )
    rows = session.exec(
        select(Duty, Agreement, DueDate)
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .join(DueDate, col(DueDate.id) == col(Duty.due_date_id))
        .where(col(Duty.id).in_(wanted))
        .order_by(*order)
    ).all()
    labels = _labels(load_catalogue())
    of_these = col(Notice.case_id) == case_id
    if limit is not None:
        agreements = {agreement.id for _, agreement, _ in rows}
        of_these = col(Notice.duty_id).in_(
            select(Duty.id).where(Duty.case_id == case_id, col(Duty.agreement_id).in_(agreements))
        )
    notices = _notices(session, of_these, labels)
    letters = _overdue_letters(session, case_id)
    other = other_means_of(session, {duty.performed_under for duty, _, _ in rows if duty.performed_under})
    return tuple(
        _duty_view(
            duty,
            agreement,
            due_date,
            notices[duty.id],
            letters[duty.id],
            other[duty.performed_under] if duty.performed_under else None,
            labels,
            now,
        )
        for duty, agreement, due_date in rows
    )


def _labels(catalogue: Catalogue) -> dict[str, str]:
    return {element: text.label for element, text in catalogue.words.contents.items()}


def _duty_view(
    duty: Duty,
    agreement: Agreement,
    due_date: DueDate,
    notices: list[NoticeView],
    letters: list[OverdueLetterView],
    by_other_means: OtherMeansView | None,
    labels: dict[str, str],
    now: datetime,
) -> DutyView:
    reasons = read_due_date(due_date)
    running = duty.status is DutyStatus.RUNNING
    shown = ("title", "anchor", "starts_at", "due_local", "limit", "flags", "trail", "terms_hash")
    overdue = is_overdue(duty.status, duty.due_at, now)
    return DutyView(
        reference=agreement.reference,
        lea_name=agreement.lea_name,
        state=agreement.state,
        form=agreement.form,
        time_zone=agreement.time_zone,
        overdue=overdue,
        past_internal=running and not overdue and duty.internal_due_at is not None and duty.internal_due_at < now,
        why=(*reasons.why, duty.internal_why) if duty.internal_why else reasons.why,
        suspendable=reasons.suspendable_by_law_enforcement,
        lacking=tuple(labels.get(element, element) for element in duty.lacking),
        notices=tuple(notices),
        overdue_letters=tuple(letters),
        by_other_means=by_other_means,
        waits_for=tuple(labels.get(element, element) for element in duty.waits_for),
        **{name: getattr(reasons, name) for name in shown},
        **duty.model_dump(exclude={"case_id", "due_date_id", "performed_under", "lacking", "waits_for"}),
    )


def _notices(session: Session, of_these: ColumnElement[bool], labels: dict[str, str]) -> dict[UUID, list[NoticeView]]:
    rows = session.exec(
        select(Notice, Batch)
        .join(Batch, col(Batch.id) == col(Notice.batch_id))
        .where(of_these)
        .order_by(col(Notice.composed_at))
    ).all()
    deliveries = grouped(
        session.exec(
            select(Delivery, AgreementContact)
            .join(AgreementContact, col(AgreementContact.id) == col(Delivery.contact_id))
            .join(Notice, col(Notice.id) == col(Delivery.notice_id))
            .where(of_these)
            .order_by(col(Delivery.reserved_at), col(Delivery.id))
        ),
        lambda row: row[0].notice_id,
    )
    reports = _reports(session, of_these)
    letters = _letters(session, of_these)
    views: dict[UUID, list[NoticeView]] = defaultdict(list)
    for notice, batch in rows:
        view = NoticeView(
            id=notice.id,
            kind=notice.kind,
            batch_status=batch.status,
            given=tuple(labels.get(element, element) for element in notice.given),
            lacking=tuple(labels.get(element, element) for element in notice.lacking),
            given_at=notice.given_at,
            has_link=notice.has_link,
            released_by=batch.released_by,
            waited=batch.leaves_at != batch.planned_at,
            vouched=_vouched(deliveries[notice.id]),
            deliveries=tuple(_delivery_view(*row, reports[row[0].id]) for row in deliveries[notice.id]),
            letter=letters.get(notice.id),
        )
        for duty_id in performed_duties(notice):
            views[duty_id].append(view)
    return views


_OF_LETTER = [
    column
    for column in SQLModel.metadata.tables["postal_letter"].columns
    if column.key in {"notice_id", *LetterView.model_fields}
]
"""What is shown of a letter beside its duty; nothing of it is sealed."""


def _letters(session: Session, of_these: ColumnElement[bool]) -> dict[UUID, LetterView]:
    """By notice: the letter that it became, where no e-mail could bring it."""
    rows = session.execute(
        select_columns(*_OF_LETTER, col(PostalLetter.contact_id))
        .join(Notice, col(Notice.id) == col(PostalLetter.notice_id))
        .where(of_these, col(PostalLetter.replaced_at).is_(None))
    ).all()
    contacts = select(AgreementContact).where(col(AgreementContact.id).in_({row.contact_id for row in rows}))
    names = {one.id: one.name for one in rows_that_open(session, contacts, col(AgreementContact.id))}
    return {
        row.notice_id: LetterView(
            contact_name=names.get(row.contact_id, "somebody whose name does not open"),
            **{column.key: row._mapping[column.key] for column in _OF_LETTER if column.key != "notice_id"},
        )
        for row in rows
    }


def _overdue_letters(session: Session, case_id: UUID) -> dict[UUID, list[OverdueLetterView]]:
    """By duty: the letters of a case that tell that it is overdue, the latest first."""
    rows = session.exec(
        select(Letter, AgreementContact)
        .join(AgreementContact, col(AgreementContact.id) == col(Letter.contact_id))
        .where(Letter.case_id == case_id, col(Letter.duty_id).is_not(None))
        .order_by(col(Letter.written_at).desc(), col(Letter.act_id), col(Letter.is_copy), col(Letter.id))
    )
    views: dict[UUID, list[OverdueLetterView]] = defaultdict(list)
    for letter, contact in rows:
        assert letter.duty_id, "only these were asked for"
        view = OverdueLetterView(
            contact_name=contact.name,
            contact_email=contact.email,
            text=text_of(session, letter.text_sha256),
            **letter.model_dump(include=set(OverdueLetterView.model_fields) - {"text"}),
        )
        views[letter.duty_id].append(view)
    return views


def _vouched(deliveries: Sequence[tuple[Delivery, AgreementContact]]) -> bool:
    """Whether a notice is known to have arrived by a person's word alone; copies show nothing of that."""
    told = [delivery for delivery, _ in deliveries if not delivery.is_copy]
    taken = any(delivery.status in ARRIVED and not delivery.vouched_by for delivery in told)
    return any(delivery.vouched_by for delivery in told) and not taken


def _reports(session: Session, of_these: ColumnElement[bool]) -> dict[UUID, list[DeliveryReport]]:
    """What came back about the deliveries of some notices, in the order in which it came."""
    rows = session.exec(
        select(DeliveryReport)
        .join(Delivery, col(Delivery.id) == col(DeliveryReport.delivery_id))
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .where(of_these)
        .order_by(col(DeliveryReport.received_at), col(DeliveryReport.id))
    )
    return grouped(rows, lambda report: report.delivery_id)


def _delivery_view(delivery: Delivery, contact: AgreementContact, reports: Sequence[DeliveryReport]) -> DeliveryView:
    return DeliveryView(
        contact_name=contact.name,
        contact_email=contact.email,
        reports=tuple(ReportView(**report.model_dump(include=set(ReportView.model_fields))) for report in reports),
        **delivery.model_dump(include=set(DeliveryView.model_fields)),
    )


def _cohorts(session: Session, case_id: UUID, now: datetime) -> tuple[CohortView, ...]:
    cohort = (col(Duty.clause), col(Duty.due_at), col(Duty.status), col(Duty.verdict))
    internal = case((col(Duty.status) == DutyStatus.RUNNING, col(Duty.internal_due_at)))
    rows = session.execute(
        select_columns(
            *cohort,
            func.count(),
            func.min(col(Duty.due_date_id)),
            func.min(internal),
            func.count().filter(internal < now, col(Duty.due_at) >= now),
        )
        .where(col(Duty.case_id) == case_id)
        .group_by(*cohort)
    ).all()
    reasons = {row[5] for row in rows}
    due_dates = read_due_dates(session, reasons)
    batches = _batches(session, case_id)
    found = []
    for (clause, due_at), members in grouped(rows, lambda row: (row[0], row[1])).items():
        statuses: Counter[DutyStatus] = Counter()
        for _, _, status, _, count, *_ in members:
            statuses[status] += count
        overdue = statuses[DutyStatus.RUNNING] if due_at and due_at < now else 0
        due_date, here = due_dates[members[0][5]], batches[clause, due_at]
        waiting = [batch for batch in here if batch.status is BatchStatus.WAITING]
        found.append(
            CohortView(
                clause=clause,
                title=due_date.title,
                due_at=due_at,
                internal_due_at=min((row[6] for row in members if row[6]), default=None),
                past_internal=sum(row[7] for row in members),
                statuses=statuses,
                overdue=overdue,
                late=overdue + sum(row[4] for row in members if row[3] in TOO_LATE),
                by_other_means=sum(row[4] for row in members if row[3] in BY_OTHER_MEANS),
                suspendable=due_date.suspendable_by_law_enforcement,
                waiting=sum(batch.size for batch in waiting),
                withheld=sum(batch.size for batch in here if batch.status is BatchStatus.WITHHELD),
                leaves_at=min((batch.leaves_at for batch in waiting), default=None),
            )
        )
    return tuple(
        sorted(
            found,
            key=lambda cohort: (
                not cohort.overdue,
                cohort.due_at is None,
                cohort.internal_due_at or cohort.due_at,
                cohort.clause,
            ),
        )
    )


def _batches(session: Session, case_id: UUID) -> dict[tuple[str, datetime | None], list[Batch]]:
    """The first notices that have not left, by clause and due instant."""
    rows = session.exec(
        select(Batch).where(Batch.case_id == case_id, Batch.kind == NoticeKind.NOTICE, col(Batch.status).in_(NOT_BEGUN))
    ).all()
    due_dates = read_due_dates(session, {batch.due_date_id for batch in rows})
    return defaultdict(list, grouped(rows, lambda batch: (batch.clause, due_dates[batch.due_date_id].due_at)))
