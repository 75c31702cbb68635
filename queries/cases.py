"""Reading cases, agreements and evidence from SQL for pages and commands; nothing here changes anything."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Text, case, cast, true
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, select

from cases.acts import COMMON_ACTS, Release, SendAgain, Vouch, Withhold
from cases.kind import Kind
from cases.kinds import kind_named
from cases.state import CaseState
from config.database import Database
from ledger.artifacts import fetch
from mail.contents import KnownFact
from mail.transport import DeliveryDeferred, MailServerUnavailable, OutcomeUnknown
from models.enums import (
    OPEN_STATUSES,
    BatchStatus,
    CaseStatus,
    DeliveryStatus,
    DutyStatus,
    NoticeKind,
    Verdict,
)
from models.errors import NotFound
from models.grouping import grouped
from models.tables import (
    Agreement,
    AgreementContact,
    Batch,
    Case,
    CaseAct,
    CaseAgreement,
    CaseFact,
    Delivery,
    DueDate,
    Duty,
    EvidenceEntry,
    LawEnforcementHold,
    Notice,
    Proposal,
)
from queries.views import (
    CaseHead,
    CaseRow,
    CaseView,
    CohortView,
    DeliveryView,
    DutyView,
    EvidenceView,
    FactView,
    HoldView,
    NoticeView,
    ProgressView,
    ProposalView,
    QuestionView,
    TroubleView,
    WithholdingEnd,
    WithholdingView,
)
from records.anchors import current_anchors
from records.due_dates import StoredDueDate, read_due_date, read_due_dates
from records.duties import asked_dates
from records.notices import NOT_BEGUN, NOT_SENT
from records.outbox import current_facts
from records.performing import performed_duties
from records.restore import not_yet_decisions
from records.scope import require_case
from records.summary import summarise
from records.terms import pinned_terms
from records.troubles import trouble_sentence
from records.undecided import UndecidedMessages, undecided_by_clause
from terms.catalogue import Catalogue, load_catalogue
from terms.duties import HOLD_LIFTED
from terms.effective import EffectiveTerms

TROUBLES = {
    MailServerUnavailable.code: "The mail server does not take mail, so these notices have not left; they are tried "
    "again every minute until it does.",
    DeliveryDeferred.code: "The mail server put some notices off. Each is tried again, every time a little later; once "
    "it was put off a few times, the LEA's next contact is told, if there is one. No other notice waits for them.",
    OutcomeUnknown.code: "The connection was lost while notices were being handed over; they are sent again a few "
    "times under the same Message-ID, and every send is recorded.",
}
"""What holds notices back, and what that means to the people of the case."""

NAMED = 20
"""How many agreements a sentence names; the duties below it show all."""

NOT_STARTED = "The clock engine (Temporal) did not answer, so this case's clocks do not run yet; they start with it."


@dataclass(frozen=True)
class DutyFilter:
    """Which duties of a case to read; each condition that is None leaves it open.

    ``cohort`` is a clause with a due instant, or with None for those that are not dated.
    """

    cohort: tuple[str, datetime | None] | None = None
    state: str | None = None
    status: DutyStatus | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The conditions as SQL, on duties joined with their agreements."""
        conditions: list[ColumnElement[bool]] = []
        if self.cohort:
            clause, due_at = self.cohort
            conditions += [col(Duty.clause) == clause, col(Duty.due_at) == due_at]
        if self.state:
            conditions.append(col(Agreement.state) == self.state)
        if self.status:
            conditions.append(col(Duty.status) == self.status)
        return conditions


EVERY_DUTY = DutyFilter()


@dataclass(frozen=True)
class CaseFilter:
    """Which cases to read; each condition that is None leaves it open. Titles are sealed, so nothing searches them."""

    status: CaseStatus | None = None
    kind: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The conditions as SQL."""
        conditions: list[ColumnElement[bool]] = []
        if self.status:
            conditions.append(col(Case.status) == self.status)
        if self.kind:
            conditions.append(col(Case.kind) == self.kind)
        return conditions


EVERY_CASE = CaseFilter()


def list_cases(
    database: Database, now: datetime, which: CaseFilter = EVERY_CASE, *, offset: int, limit: int
) -> tuple[tuple[CaseRow, ...], int]:
    """Some of the cases, and how many there are: what is due soonest first, which is overdue, if anything is.

    Those without a due date follow, the newest first.
    """
    wanted = which.conditions()
    with database.reading() as session:
        total = session.exec(select(func.count()).select_from(Case).where(*wanted)).one()
        dated = session.exec(
            select(func.count(col(Duty.case_id).distinct()))
            .join(Case, col(Case.id) == col(Duty.case_id))
            .where(*_DATED, *wanted)
        ).one()
        cases = _dated_cases(session, wanted, offset, limit) if offset < dated else []
        if len(cases) < limit:
            cases += _undated_cases(session, wanted, max(offset - dated, 0), limit - len(cases))
        return _case_rows(session, cases, now), total


def case_kinds(database: Database) -> tuple[str, ...]:
    """The kinds of case that there are."""
    with database.reading() as session:
        return tuple(sorted(f"{kind}" for kind in session.exec(select(Case.kind).distinct())))


def cases_between(database: Database, first: UUID, last: UUID, *, limit: int) -> tuple[UUID, ...]:
    """Some of the cases whose ids lie from ``first`` to ``last``, both included."""
    with database.reading() as session:
        found = select(Case.id).where(col(Case.id).between(first, last)).order_by(col(Case.id)).limit(limit)
        return tuple(session.exec(found))


def read_message(database: Database, case_id: UUID, sha256: str) -> bytes:
    """The message of one of the case's deliveries, as sent (RFC 5322).

    Raises:
        NotFound: no delivery of the case holds it.
    """
    with database.reading() as session:
        of_case = session.exec(
            select(Delivery.id)
            .join(Notice, col(Notice.id) == col(Delivery.notice_id))
            .where(Notice.case_id == case_id, Delivery.message_sha256 == sha256)
        ).first()
        if of_case is None:
            raise NotFound("No such message was sent in this case.", next_step="Open it from the case's page.")
        return fetch(session, sha256)


def read_case(database: Database, case_id: UUID, now: datetime) -> CaseView:
    """One case with every duty, their notices and its evidence: for small cases; pages read it in parts.

    Raises:
        NotFound: there is no such case.
    """
    with database.reading() as session:
        head = _head(session, require_case(session, case_id), now)
        return CaseView(
            **dict(head),
            duties=_duties(session, case_id, EVERY_DUTY, now),
            evidence=_evidence(session, case_id),
        )


def read_case_head(database: Database, case_id: UUID, now: datetime) -> CaseHead:
    """One case without its duties and evidence.

    Raises:
        NotFound: there is no such case.
    """
    with database.reading() as session:
        return _head(session, require_case(session, case_id), now)


def read_cohorts(database: Database, case_id: UUID, now: datetime) -> tuple[CohortView, ...]:
    """The duties of a case, counted by clause and due instant: overdue ones first, those not dated yet last."""
    with database.reading() as session:
        return _cohorts(session, case_id, now)


def read_duties(
    database: Database, case_id: UUID, now: datetime, which: DutyFilter, *, offset: int, limit: int
) -> tuple[tuple[DutyView, ...], int]:
    """Some of the duties of a case with their notices, overdue ones first, and how many there are."""
    with database.reading() as session:
        matching = select(func.count()).select_from(Duty).where(Duty.case_id == case_id, *which.conditions())
        if which.state:
            matching = matching.join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        return _duties(session, case_id, which, now, offset=offset, limit=limit), session.exec(matching).one()


def read_evidence(
    database: Database, case_id: UUID, *, offset: int, limit: int
) -> tuple[tuple[EvidenceView, ...], int]:
    """Some of the evidence of a case, in order, and how much there is."""
    with database.reading() as session:
        there = select(func.count()).select_from(EvidenceEntry).where(EvidenceEntry.case_id == case_id)
        return _evidence(session, case_id, offset=offset, limit=limit), session.exec(there).one()


def read_progress(database: Database, case_id: UUID) -> tuple[ProgressView, ...]:
    """How far the notices that are being sent have come.

    Raises:
        NotFound: there is no such case.
    """
    with database.reading() as session:
        return _progress(session, require_case(session, case_id).id)


def kind_of_case(database: Database, case_id: UUID) -> Kind:
    """The kind of a case.

    Raises:
        NotFound: there is no such case.
    """
    with database.reading() as session:
        return kind_named(require_case(session, case_id).kind)


def notices_left(database: Database, case_id: UUID, clause: str | None = None) -> int:
    """How many notices of a case are still to be given: of one clause, or all."""
    with database.reading() as session:
        return session.exec(
            select(func.count())
            .select_from(Notice)
            .join(Batch, col(Batch.id) == col(Notice.batch_id))
            .where(
                Notice.case_id == case_id,
                col(Notice.given_at).is_(None),
                col(Notice.dropped).is_(False),
                col(Batch.status).in_(NOT_SENT),
                true() if clause is None else col(Batch.clause) == clause,
            )
        ).one()


def _head(session: Session, case: Case, now: datetime) -> CaseHead:
    anchors = current_anchors(session, case.id)
    facts = current_facts(session, case.id)
    summary = summarise(session, case.id)
    due_dates = _due_dates(session, case.id)
    kind = kind_named(case.kind)
    state = CaseState(anchors=anchors, dismissed=case.status is CaseStatus.DISMISSED)
    withheld = _withheld(session, case.id)
    ended = case.status in (CaseStatus.CLOSED, CaseStatus.DISMISSED)
    terms = tuple(pinned_terms(session, case.id).values())
    clauses = {due_date.clause: due_date.title for due_date in due_dates}
    return CaseHead(
        **case.model_dump(include={"id", "title", "status", "opened_at", "closed_at"}),
        anchors=tuple(anchors.values()),
        kind=kind.name,
        shown={label: _value(facts, element) for element, label in kind.shown.items()},
        agreements=session.exec(select(func.count()).where(CaseAgreement.case_id == case.id)).one(),
        zones=tuple(sorted({due_date.time_zone for due_date in due_dates})),
        clauses=dict(sorted(clauses.items())),
        grounds=_grounds(terms, clauses),
        dates=_dates(terms, case.event),
        questions=() if ended else _questions(session, case, terms, now),
        facts=_facts(session, case.id, due_dates),
        holds=_holds(session, case.id, now),
        proposals=_proposals(session, case.id),
        withholdings=_withholdings(session, case.id),
        progress=_progress(session, case.id),
        troubles=_troubles(session, case),
        open_duties=summary.open_duties,
        waiting_notices=summary.waiting_notices,
        withheld_notices=withheld,
        computing=case.computed_at is None or (case.changed_at or case.opened_at) > case.computed_at,
        offered=_offered(ended=ended, waiting=summary.waiting_notices > 0, undecided=summary.undecided > 0),
        own_acts=() if ended else tuple(act.act_name() for act in kind.own_acts(state)),
        can_release=summary.waiting_notices + withheld > 0,
    )


def _questions(
    session: Session, case: Case, terms: Sequence[EffectiveTerms], now: datetime
) -> tuple[QuestionView, ...]:
    """What people are asked as a decision, since a clock has not started without it; those still open first."""
    decisions = {decision.name: decision for decision in not_yet_decisions(session, case.id)}
    found = []
    for name in asked_dates(session, case, terms):
        asking = {c.title for effective in terms for c in effective.clauses.values() if c.asks == name}
        decision = decisions.get(name)
        found.append(
            QuestionView(
                name=name,
                label=next(effective.anchors[name] for effective in terms if name in effective.anchors),
                duties=tuple(sorted(asking)),
                open=decision is None or decision.again_at <= now,
                decided=fetch(session, decision.decided_sha256).decode() if decision else None,
                decided_by=decision.recorded_by if decision else None,
                again_at=decision.again_at if decision else None,
            )
        )
    return tuple(sorted(found, key=lambda question: not question.open))


def _offered(*, ended: bool, waiting: bool, undecided: bool) -> tuple[str, ...]:
    """The common acts for which a case's page has forms.

    Nothing is withheld where no notice waits; what nobody knows is decided about wherever there is any.
    """
    decisions = (SendAgain, Vouch) if undecided else ()
    alone = [act for act in COMMON_ACTS if act.stands_alone and (waiting or act is not Withhold)]
    return tuple(act.act_name() for act in (*decisions, *(() if ended else alone)))


def _value(facts: dict[str, KnownFact], element: str) -> str:
    fact = facts.get(element)
    return fact.value or "" if fact else ""


_DATED = (col(Duty.status).in_(OPEN_STATUSES), col(Duty.due_at).is_not(None))
"""What makes an open duty one that a list of cases goes by."""


def _dated_cases(session: Session, wanted: list[ColumnElement[bool]], offset: int, limit: int) -> list[Case]:
    """Cases with a dated open duty, the one that is due soonest first."""
    due = select(Duty.case_id, func.min(Duty.due_at).label("due_at")).where(*_DATED).group_by(col(Duty.case_id))
    soonest = due.subquery()
    # Which ones first: sorting whole rows takes several times as long.
    keys = (
        select(Case.id)
        .join(soonest, soonest.c.case_id == Case.id)
        .where(*wanted)
        .order_by(soonest.c.due_at, col(Case.id))
        .offset(offset)
        .limit(limit)
    )
    return _in_order(session, session.exec(keys).all())


def _undated_cases(session: Session, wanted: list[ColumnElement[bool]], offset: int, limit: int) -> list[Case]:
    """Cases without a dated open duty, the newest first."""
    has_date = select(Duty.id).where(Duty.case_id == Case.id, *_DATED).exists()
    keys = (
        select(Case.id)
        .where(*wanted, ~has_date)
        .order_by(col(Case.opened_at).desc(), col(Case.id))
        .offset(offset)
        .limit(limit)
    )
    return _in_order(session, session.exec(keys).all())


def _in_order(session: Session, keys: Sequence[UUID]) -> list[Case]:
    rows = {row.id: row for row in session.exec(select(Case).where(col(Case.id).in_(keys)))}
    return [rows[key] for key in keys]


def _case_rows(session: Session, cases: Sequence[Case], now: datetime) -> tuple[CaseRow, ...]:
    keys = [case.id for case in cases]
    summaries = _summaries(session, keys, now)
    scope = dict(
        session.exec(
            select(CaseAgreement.case_id, func.count())
            .where(col(CaseAgreement.case_id).in_(keys))
            .group_by(col(CaseAgreement.case_id))
        ).all()
    )
    none = {"open_duties": 0, "overdue_duties": 0, "next_due_at": None}
    return tuple(
        CaseRow(
            **case.model_dump(include={"id", "kind", "title", "status", "opened_at"}),
            agreements=scope.get(case.id, 0),
            troubled=case.trouble is not None and case.closed_at is None,
            **summaries.get(case.id, none),
        )
        for case in cases
    )


def _summaries(session: Session, cases: Sequence[UUID], now: datetime) -> dict[UUID, dict[str, object]]:
    rows = session.exec(
        select(Duty.case_id, func.count(), func.count().filter(col(Duty.due_at) < now), func.min(Duty.due_at))
        .where(col(Duty.case_id).in_(cases), col(Duty.status).in_(OPEN_STATUSES))
        .group_by(col(Duty.case_id))
    )
    return {
        case_id: {"open_duties": count, "overdue_duties": overdue, "next_due_at": due}
        for case_id, count, overdue, due in rows
    }


def _duties(
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
        col(Duty.due_at).is_(None),
        col(Duty.due_at),
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
    return tuple(
        _duty_view(duty, agreement, due_date, notices[duty.id], labels, now) for duty, agreement, due_date in rows
    )


def _labels(catalogue: Catalogue) -> dict[str, str]:
    return {element: text.label for element, text in catalogue.words.contents.items()}


def _duty_view(
    duty: Duty,
    agreement: Agreement,
    due_date: DueDate,
    notices: list[NoticeView],
    labels: dict[str, str],
    now: datetime,
) -> DutyView:
    reasons = read_due_date(due_date)
    running = duty.status is DutyStatus.RUNNING
    shown = ("title", "anchor", "starts_at", "due_local", "limit", "why", "flags", "trail", "terms_hash")
    return DutyView(
        reference=agreement.reference,
        lea_name=agreement.lea_name,
        state=agreement.state,
        form=agreement.form,
        time_zone=agreement.time_zone,
        overdue=running and duty.due_at is not None and duty.due_at < now,
        suspendable=reasons.suspendable_by_law_enforcement,
        lacking=tuple(labels.get(element, element) for element in duty.lacking),
        notices=tuple(notices),
        waits_for=tuple(labels.get(element, element) for element in duty.waits_for),
        **{name: getattr(reasons, name) for name in shown},
        **duty.model_dump(exclude={"case_id", "due_date_id", "lacking", "waits_for"}),
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
    views: dict[UUID, list[NoticeView]] = defaultdict(list)
    for notice, batch in rows:
        view = NoticeView(
            id=notice.id,
            kind=notice.kind,
            batch_status=batch.status,
            given=tuple(labels.get(element, element) for element in notice.given),
            lacking=tuple(labels.get(element, element) for element in notice.lacking),
            given_at=notice.given_at,
            released_by=batch.released_by,
            waited=batch.leaves_at != batch.planned_at,
            vouched=_vouched(deliveries[notice.id]),
            deliveries=tuple(_delivery_view(*row) for row in deliveries[notice.id]),
        )
        for duty_id in performed_duties(notice):
            views[duty_id].append(view)
    return views


def _vouched(deliveries: Sequence[tuple[Delivery, AgreementContact]]) -> bool:
    """Whether a notice is known to have arrived by a person's word alone; copies show nothing of that."""
    told = {delivery.status for delivery, _ in deliveries if not delivery.is_copy}
    return DeliveryStatus.VOUCHED in told and DeliveryStatus.ACCEPTED not in told


def _delivery_view(delivery: Delivery, contact: AgreementContact) -> DeliveryView:
    return DeliveryView(
        contact_name=contact.name,
        contact_email=contact.email,
        **delivery.model_dump(include=set(DeliveryView.model_fields)),
    )


def _evidence(
    session: Session, case_id: UUID, *, offset: int = 0, limit: int | None = None
) -> tuple[EvidenceView, ...]:
    rows = session.exec(
        select(EvidenceEntry)
        .where(EvidenceEntry.case_id == case_id)
        .order_by(col(EvidenceEntry.number))
        .offset(offset)
        .limit(limit)
    )
    return tuple(EvidenceView(**row.model_dump(exclude={"case_id", "key"})) for row in rows)


def _troubles(session: Session, case: Case) -> tuple[TroubleView, ...]:
    troubles = [_undecided(messages) for messages in undecided_by_clause(session, case.id)]
    troubles += _held_back(session, case.id)
    if case.trouble and case.closed_at is None:
        since = case.trouble_since or case.opened_at
        troubles.insert(0, TroubleView(sentence=trouble_sentence(case.trouble), since=since, notices=0))
    if case.workflow_started_at is None:
        troubles.insert(0, TroubleView(sentence=NOT_STARTED, since=case.opened_at, notices=0))
    return tuple(troubles)


def _held_back(session: Session, case_id: UUID) -> Iterator[TroubleView]:
    """Notices that the mail server has not taken: whole batches while it takes none, else those that it put off."""
    none_taken = session.exec(
        select(func.min(Batch.trouble_since), func.sum(Batch.size)).where(
            Batch.case_id == case_id, Batch.trouble == MailServerUnavailable.code
        )
    ).one()
    # By status first: few are, and there is an index on it.
    deferred = col(Delivery.status).in_((DeliveryStatus.RESERVED, DeliveryStatus.PASSED_OVER)) & (
        (col(Delivery.status) == DeliveryStatus.RESERVED) | col(Notice.given_at).is_(None)
    )
    for code, (since, notices) in (
        (MailServerUnavailable.code, none_taken),
        (DeliveryDeferred.code, _put_off(session, case_id, deferred)),
        (OutcomeUnknown.code, _put_off(session, case_id, col(Delivery.status) == DeliveryStatus.UNKNOWN)),
    ):
        if since:
            yield TroubleView(sentence=TROUBLES[code], since=since, notices=notices)


def _put_off(session: Session, case_id: UUID, which: ColumnElement[bool]) -> tuple[datetime | None, int]:
    """How many notices of a case have messages that are tried again at a moment of their own, and since when."""
    return session.exec(
        select(func.min(Delivery.reserved_at), func.count(col(Delivery.notice_id).distinct()))
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .where(Notice.case_id == case_id, col(Notice.dropped).is_(False), col(Delivery.again_at).is_not(None), which)
    ).one()


def _undecided(messages: UndecidedMessages) -> TroubleView:
    """What nobody can say, of whom, and what to do about it."""
    more = len(messages.references) - NAMED
    named = ", ".join((*messages.references[:NAMED], *((f"and {more} more",) if more > 0 else ())))
    return TroubleView(
        sentence=f"Nobody can say whether the notices under {messages.clause} arrived that went to {named}: the "
        "connection was lost each time after they had been handed over. They are not sent again by themselves. Ask "
        "these LEAs; then record that they arrived, with who says so, or have them sent once more.",
        since=messages.since,
        notices=len(messages.references),
    )


def _due_dates(session: Session, case_id: UUID) -> list[StoredDueDate]:
    """The distinct reasons of a case's duties: a few for each clause and state, however many agreements there are."""
    used = select(Duty.due_date_id).where(Duty.case_id == case_id).distinct()
    return [read_due_date(row) for row in session.exec(select(DueDate).where(col(DueDate.id).in_(used)))]


def _cohorts(session: Session, case_id: UUID, now: datetime) -> tuple[CohortView, ...]:
    cohort = (col(Duty.clause), col(Duty.due_at), col(Duty.status), col(Duty.verdict))
    rows = session.execute(
        select_columns(*cohort, func.count(), func.min(col(Duty.due_date_id)))
        .where(col(Duty.case_id) == case_id)
        .group_by(*cohort)
    ).all()
    reasons = {row[5] for row in rows}
    due_dates = read_due_dates(session, reasons)
    batches = _batches(session, case_id)
    found = []
    for (clause, due_at), members in grouped(rows, lambda row: (row[0], row[1])).items():
        statuses: Counter[DutyStatus] = Counter()
        for _, _, status, _, count, _ in members:
            statuses[status] += count
        overdue = statuses[DutyStatus.RUNNING] if due_at and due_at < now else 0
        due_date, here = due_dates[members[0][5]], batches[clause, due_at]
        waiting = [batch for batch in here if batch.status is BatchStatus.WAITING]
        found.append(
            CohortView(
                clause=clause,
                title=due_date.title,
                due_at=due_at,
                statuses=statuses,
                overdue=overdue,
                late=overdue + sum(row[4] for row in members if row[3] is Verdict.LATE),
                suspendable=due_date.suspendable_by_law_enforcement,
                waiting=sum(batch.size for batch in waiting),
                withheld=sum(batch.size for batch in here if batch.status is BatchStatus.WITHHELD),
                leaves_at=min((batch.leaves_at for batch in waiting), default=None),
            )
        )
    return tuple(
        sorted(found, key=lambda cohort: (not cohort.overdue, cohort.due_at is None, cohort.due_at, cohort.clause))
    )


def _batches(session: Session, case_id: UUID) -> dict[tuple[str, datetime | None], list[Batch]]:
    """The first notices that have not left, by clause and due instant."""
    rows = session.exec(
        select(Batch).where(Batch.case_id == case_id, Batch.kind == NoticeKind.NOTICE, col(Batch.status).in_(NOT_BEGUN))
    ).all()
    due_dates = read_due_dates(session, {batch.due_date_id for batch in rows})
    return defaultdict(list, grouped(rows, lambda batch: (batch.clause, due_dates[batch.due_date_id].due_at)))


def _facts(session: Session, case_id: UUID, due_dates: list[StoredDueDate]) -> tuple[FactView, ...]:
    known = {
        row.element: row
        for row in session.exec(
            select(CaseFact).where(CaseFact.case_id == case_id, col(CaseFact.superseded_at).is_(None))
        )
    }
    asked = {element for due_date in due_dates for element in due_date.contents}
    lacking = _lacking(session, case_id)
    views = []
    for element, text in load_catalogue().words.contents.items():
        if element in asked:
            fact = known.get(element)
            views.append(
                FactView(
                    element=element,
                    label=text.label,
                    source=text.source,
                    status=fact.status if fact else None,
                    value=fact.value if fact else None,
                    recorded_by=fact.recorded_by if fact else None,
                    recorded_at=fact.recorded_at if fact else None,
                    lacking=lacking[element],
                )
            )
    return tuple(views)


def _lacking(session: Session, case_id: UUID) -> Counter[str]:
    """How many LEAs were told without each element and still wait for it."""
    lists = func.aggregate_strings(cast(col(Duty.lacking), Text), "|")
    of_lea = (
        select(lists.label("lists"))
        .where(Duty.case_id == case_id, Duty.lacking_count > 0)
        .group_by(col(Duty.agreement_id))
        .subquery()
    )
    found: Counter[str] = Counter()
    for lists_of_lea, leas in session.exec(select(of_lea.c.lists, func.count()).group_by(of_lea.c.lists)):
        for element in {element for part in lists_of_lea.split("|") for element in json.loads(part)}:
            found[element] += leas
    return found


def _holds(session: Session, case_id: UUID, now: datetime) -> tuple[HoldView, ...]:
    holds = session.exec(
        select(LawEnforcementHold)
        .where(LawEnforcementHold.case_id == case_id)
        .order_by(col(LawEnforcementHold.placed_at))
    ).all()
    bound = {
        row.id: row
        for row in session.exec(select(Agreement).where(col(Agreement.id).in_({hold.agreement_id for hold in holds})))
    }
    views = []
    for hold in holds:
        ends = min(filter(None, (hold.lifted_at, hold.until)), default=None)
        agreement = bound[hold.agreement_id] if hold.agreement_id else None
        views.append(
            HoldView(
                reference=agreement.reference if agreement is not None else None,
                lea_name=agreement.lea_name if agreement is not None else None,
                particulars=fetch(session, hold.particulars_sha256).decode(),
                ended_at=ends if ends and ends <= now else None,
                **hold.model_dump(exclude={"case_id", "agreement_id", "particulars_sha256", "lifted_at"}),
            )
        )
    return tuple(views)


def _proposals(session: Session, case_id: UUID) -> tuple[ProposalView, ...]:
    rows = session.exec(select(Proposal).where(Proposal.case_id == case_id).order_by(col(Proposal.proposed_at))).all()
    named = {UUID(key) for row in rows for key in row.agreements}
    references = dict(session.exec(select(Agreement.id, Agreement.reference).where(col(Agreement.id).in_(named))).all())
    return tuple(
        ProposalView(
            references=tuple(sorted(references[UUID(key)] for key in row.agreements)),
            reason=fetch(session, row.reason_sha256).decode(),
            **row.model_dump(exclude={"case_id", "agreements", "reason_sha256"}),
        )
        for row in rows
    )


def _withheld(session: Session, case_id: UUID) -> int:
    sizes = select(func.coalesce(func.sum(Batch.size), 0)).where(
        Batch.case_id == case_id, Batch.status == BatchStatus.WITHHELD
    )
    return session.exec(sizes).one()


def _withholdings(session: Session, case_id: UUID) -> tuple[WithholdingView, ...]:
    """Every decision to withhold notices, with whoever ended it; evidence tells which release was of what was withheld.

    One that nobody ended and that keeps nothing back any more has ended by itself: its notices no longer stand.
    """
    rows = session.exec(
        select(CaseAct).where(CaseAct.case_id == case_id, CaseAct.act == Withhold.act_name()).order_by(col(CaseAct.at))
    ).all()
    kept_back = set(
        session.exec(
            select(Batch.clause).where(Batch.case_id == case_id, Batch.status == BatchStatus.WITHHELD).distinct()
        )
    )
    released = session.exec(
        select(EvidenceEntry)
        .where(EvidenceEntry.case_id == case_id, EvidenceEntry.kind == f"act.{Release.act_name()}")
        .order_by(col(EvidenceEntry.number))
    ).all()
    ends = [
        WithholdingEnd(clause=entry.body["particulars"].get("clause"), by=entry.actor, at=entry.at)
        for entry in released
        if entry.body["particulars"].get("withheld", True)
    ]
    return tuple(
        WithholdingView(
            clause=row.clause,
            reason=fetch(session, row.reason_sha256).decode() if row.reason_sha256 else "",
            decided_by=row.actor,
            decided_at=row.at,
            lasts=bool(kept_back if row.clause is None else kept_back & {row.clause}),
            ended=tuple(
                end for end in ends if end.at >= row.at and (row.clause is None or end.clause in (None, row.clause))
            ),
        )
        for row in rows
    )


def _progress(session: Session, case_id: UUID) -> tuple[ProgressView, ...]:
    moving = session.exec(
        select(Batch.clause, Batch.kind)
        .where(Batch.case_id == case_id, Batch.status == BatchStatus.SENDING)
        .distinct()
        .order_by(col(Batch.clause), col(Batch.kind))
    ).all()
    views = []
    for clause, kind in moving:
        alike = (Batch.case_id == case_id, Batch.clause == clause, Batch.kind == kind)
        counted = col(Batch.status).in_(
            (BatchStatus.WAITING, BatchStatus.SENDING, BatchStatus.PUT_OFF, BatchStatus.SENT)
        )
        given = session.exec(
            select(func.count(col(Notice.given_at))).join(Batch, col(Batch.id) == col(Notice.batch_id)).where(*alike)
        ).one()
        total = session.exec(select(func.sum(Batch.size)).where(*alike, counted)).one()
        views.append(ProgressView(clause=clause, kind=kind, given=given, total=total))
    return tuple(views)


def _grounds(terms: Iterable[EffectiveTerms], clauses: Iterable[str]) -> dict[str, str]:
    """On what grounds the clauses of the case's duties, or those beside them, ask for no notice."""
    events = {clause.partition(".")[0] for clause in clauses}
    return {
        ground: effective.grounds[ground]
        for effective in terms
        for clause in effective.clauses.values()
        if clause.event in events
        for ground in clause.grounds
    }


def _dates(terms: Iterable[EffectiveTerms], event: str) -> dict[str, str]:
    """The dated facts that the terms know of an event, save for the one that lifting a hold records."""
    return {
        name: effective.anchors[name]
        for effective in terms
        for name in effective.events.get(event, ())
        if name != HOLD_LIFTED
    }
