"""What SQL keeps: who and what. Tables hold no behaviour; personal data and free text sit in sealed columns."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, Column, Enum, ForeignKey, Index, UniqueConstraint, Uuid, text
from sqlmodel import Field, SQLModel

from models.columns import CASE_KEYS, CaseOfRow, SealedBytes, SealedText, UtcDateTime
from models.enums import (
    AgreementChangeKind,
    AnswerKind,
    Authentication,
    BatchStatus,
    CaseStatus,
    ChallengePurpose,
    ContactRole,
    DeliveryStatus,
    DutyStatus,
    EndedBy,
    FactStatus,
    HolderAnswerKind,
    HolderStatus,
    LedgerState,
    NoticeKind,
    Party,
    PerformedBy,
    PostalService,
    ProposalKind,
    ReportKind,
    Role,
    Told,
    Verdict,
    Way,
    WrittenAnew,
)
from models.hexadecimal import Hexadecimal
from models.written_json import WrittenJson


def _word(of: type[StrEnum], *, index: bool = False, primary_key: bool = False) -> Any:
    """A closed vocabulary, stored as its words so that a new one needs no migration."""
    kind = Enum(
        of,
        values_callable=lambda words: [w.value for w in words],
        native_enum=False,
        length=32,
        create_constraint=False,
    )
    return Field(sa_column=Column(kind, nullable=False, index=index, primary_key=primary_key))


def _word_or_none(of: type[StrEnum]) -> Any:
    kind = Enum(
        of,
        values_callable=lambda words: [w.value for w in words],
        native_enum=False,
        length=32,
        create_constraint=False,
    )
    return Field(default=None, sa_column=Column(kind, nullable=True))


def _instant(*, index: bool = False) -> Any:
    return Field(sa_column=Column(UtcDateTime, nullable=False, index=index))


def _instant_or_none(*, index: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcDateTime, nullable=True, index=index))


def _hexadecimal() -> Any:
    return Field(sa_column=Column(Hexadecimal, nullable=False))


OF_CASE = CaseOfRow("case_id")
"""What is sealed in these rows is sealed under the key of their case, where they are of one."""

OF_NOTICE = CaseOfRow("notice_id", (("notice", "case_id"),))
OF_DELIVERY = CaseOfRow("delivery_id", (("delivery", "notice_id"), ("notice", "case_id")))


def _sealed(context: str, case: CaseOfRow | None = None) -> Any:
    return Field(sa_column=Column(SealedText(context, case), nullable=False))


def _sealed_or_none(context: str, case: CaseOfRow | None = None) -> Any:
    return Field(default=None, sa_column=Column(SealedText(context, case), nullable=True))


class Agreement(SQLModel, table=True):
    """One signed data privacy agreement with one LEA.

    ``originally_signed_on`` is set for an LEA that accepted a general offer of terms: when the agreement that it joins
    was signed. ``choices`` are those of ``config/clauses/choices.yaml`` that its parties made. ``imported_at`` is when
    the installation first knew it.

    It ``expires_on`` the day that was agreed on; where none was, its ``term_ends_on`` the day that its clauses give, as
    derived from them. ``renewal_expected_on`` is when the LEA gave notice that it expects to renew. It was first
    ``entered_on`` a day; ``disposed_end_on`` is the day of the end after which all of its data was found disposed of,
    ``noted_end_on`` that of the end of which there is evidence.
    """

    __tablename__ = "agreement"

    id: UUID = Field(primary_key=True)
    reference: str = Field(unique=True, index=True)
    form: str
    state: str = Field(index=True)
    lea_name: str = Field(index=True)
    time_zone: str
    executed_on: date
    originally_signed_on: date | None = None
    expires_on: date | None = None
    term_ends_on: date | None = None
    terminated_on: date | None = None
    renewal_expected_on: date | None = None
    disposed_end_on: date | None = None
    noted_end_on: date | None = None
    entered_on: date | None = None
    exhibit_h_note: str | None = _sealed_or_none("agreement.exhibit_h_note")
    choices: list[str] = Field(default_factory=list, sa_type=JSON)
    imported_at: datetime = _instant()


class AgreementChange(SQLModel, table=True):
    """What somebody recorded of an agreement's life: that it was terminated or renewed, or is expected to be renewed.

    ``day`` is the day that it tells. ``before`` are the dates that stood before (ISO 8601), so that one that is wrong
    can be taken back; ``number`` counts those of one agreement.
    """

    __tablename__ = "agreement_change"

    id: UUID = Field(primary_key=True)
    agreement_id: UUID = Field(foreign_key="agreement.id", index=True)
    number: int
    kind: AgreementChangeKind = _word(AgreementChangeKind)
    day: date
    ended_by: EndedBy | None = _word_or_none(EndedBy)
    reason: str | None = _sealed_or_none("agreement_change.reason")
    before: dict[str, str | None] = Field(sa_type=JSON)
    recorded_by: str
    recorded_at: datetime = _instant()
    taken_back_by: str | None = None
    taken_back_at: datetime | None = _instant_or_none()
    taken_back_because: str | None = _sealed_or_none("agreement_change.taken_back_because")


class AgreementContact(SQLModel, table=True):
    """One person or office that a party names for notices; rank 0 is tried first within its role.

    Most are the other side's, named in the agreement. A case may add contacts of further parties under an agreement,
    such as the subprocessors that hold its data, or the parent who asks; those belong to that case alone. ``party`` is
    None for the other side of the agreement, whichever side this installation stands on. ``agreement_id`` is None for a
    party that a case writes to whatever its agreements are.

    ``email`` is empty for one that can only be written to by post; ``postal_address`` has its lines, without the name.
    """

    __tablename__ = "agreement_contact"

    id: UUID = Field(primary_key=True)
    agreement_id: UUID | None = Field(default=None, foreign_key="agreement.id", index=True)
    case_id: UUID | None = Field(default=None, foreign_key="duenotice_case.id", index=True)
    party: Party | None = _word_or_none(Party)
    role: ContactRole = _word(ContactRole)
    rank: int = 0
    name: str = _sealed("agreement_contact.name", OF_CASE)
    email: str = _sealed("agreement_contact.email", OF_CASE)
    postal_address: str | None = _sealed_or_none("agreement_contact.postal_address", OF_CASE)
    failing_since: datetime | None = _instant_or_none()


class ExhibitHChange(SQLModel, table=True):
    """One agreed change to one agreement, in the shape of a supplement's clause operation (JSON)."""

    __tablename__ = "exhibit_h_change"

    id: UUID = Field(primary_key=True)
    agreement_id: UUID = Field(foreign_key="agreement.id", index=True)
    effective_on: date
    entered_by: str
    entered_at: datetime = _instant()
    operation: dict[str, Any] = Field(sa_type=JSON)


class SchoolCalendar(SQLModel, table=True):
    """The days on which an LEA's schools are closed, between two dates that the calendar covers."""

    __tablename__ = "school_calendar"

    id: UUID = Field(primary_key=True)
    agreement_id: UUID = Field(foreign_key="agreement.id", index=True)
    first_day: date
    last_day: date
    closed_days: list[str] = Field(sa_type=JSON)
    source_sha256: str
    imported_at: datetime = _instant()


class TermsSnapshot(SQLModel, table=True):
    """Effective terms by content: the canonical JSON whose SHA-256 is ``hash``."""

    __tablename__ = "terms_snapshot"

    hash: str = Field(primary_key=True, max_length=64)
    form: str
    state: str
    body: bytes
    taken_at: datetime = _instant()


STUCK = text("trouble IS NOT NULL OR workflow_started_at IS NULL")
"""What a case is that does not go on; in these words, the index on it is used. A closed one has no trouble any more."""

NOT_DECIDED = text("undecided")

UNTOLD = text("untold")


class Case(SQLModel, table=True):
    """One matter of one kind, about one event, with one Temporal workflow.

    ``report_digest`` makes the same report the same case. Duties are computed up to what was recorded at ``changed_at``
    once ``computed_at`` is not earlier. ``trouble`` names what keeps it from going on, since ``trouble_since``, as the
    watchdog found it, and ``trouble_raised_at`` when an officer was told.

    It was ``opened_by`` whom evidence names so. ``responsible_id`` is whose the case is, ``deputy_id`` who stands in;
    where neither can, it is the organisation's contact's. ``undecided`` is whether its kind still waits for people to
    say what the matter is. ``untold`` is whether somebody outside opened it, of which nobody here was told yet.

    Where it is about one clause of the event alone, ``clause`` names it, and ``occurrence`` which one of a duty that
    recurs. One that had been closed was ``reopened_at`` the last time that a notice of it came back.

    ``workflow_run_id`` is the run of its workflow that the engine started last; others follow from it, or somebody else
    started them.
    """

    __tablename__ = "duenotice_case"
    # Few stand still or are undecided: they are found without reading all others.
    __table_args__ = (
        Index("duenotice_case_open", "closed_at", "kind", "id"),
        Index("duenotice_case_kind", "kind", "status"),
        Index("duenotice_case_status", "status", "opened_at"),
        Index("duenotice_case_responsible", "responsible_id", "deputy_id", "id"),
        Index("duenotice_case_deputy", "deputy_id", "responsible_id", "id"),
        Index("duenotice_case_stuck", "id", sqlite_where=STUCK, postgresql_where=STUCK),
        Index("duenotice_case_undecided", "id", sqlite_where=NOT_DECIDED, postgresql_where=NOT_DECIDED),
        Index("duenotice_case_untold", "id", sqlite_where=UNTOLD, postgresql_where=UNTOLD),
    )

    id: UUID = Field(primary_key=True)
    kind: str = Field(max_length=60)
    event: str = Field(max_length=60)
    clause: str | None = Field(default=None, max_length=120)
    occurrence: int | None = None
    status: CaseStatus = _word(CaseStatus)
    title: str = _sealed("case.title", CaseOfRow("id"))
    report_digest: str = Field(unique=True)
    opened_at: datetime = _instant(index=True)
    opened_by: str
    workflow_started_at: datetime | None = _instant_or_none()
    workflow_run_id: str | None = Field(default=None, max_length=64)
    trouble: str | None = None
    trouble_since: datetime | None = _instant_or_none()
    trouble_raised_at: datetime | None = _instant_or_none()
    closed_at: datetime | None = _instant_or_none()
    dismissal_reason_sha256: str | None = Field(default=None, foreign_key="artifact.sha256")
    changed_at: datetime | None = _instant_or_none(index=True)
    computed_at: datetime | None = _instant_or_none()
    responsible_id: UUID | None = Field(default=None, foreign_key="account.id")
    deputy_id: UUID | None = Field(default=None, foreign_key="account.id")
    undecided: bool = False
    untold: bool = False
    reopened_at: datetime | None = _instant_or_none()


class CaseKey(SQLModel, table=True):
    """The key under which the personal data of one case is sealed; the keyring seals it in its turn.

    It is made when something of the case is first sealed. Destroyed, at ``destroyed_at``, it leaves an empty ``key``:
    what was sealed under it is erased, wherever else it is kept.
    """

    __tablename__ = CASE_KEYS

    # What is first sealed of a case is its own row.
    case_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("duenotice_case.id", deferrable=True, initially="DEFERRED"), primary_key=True)
    )
    key: bytes | None = Field(default=None, sa_column=Column(SealedBytes("case_key.key"), nullable=True))
    destroyed_at: datetime | None = _instant_or_none()


OPEN_PROPOSAL = text("decided_at IS NULL")


class CaseErasure(SQLModel, table=True):
    """A proposal that the personal data of a closed case be erased, and what a second person decided of it.

    ``raised_at`` is when people were told of it.
    """

    __tablename__ = "case_erasure"
    __table_args__ = (
        Index("case_erasure_open", "case_id", sqlite_where=OPEN_PROPOSAL, postgresql_where=OPEN_PROPOSAL),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    reason_sha256: str = Field(foreign_key="artifact.sha256")
    proposed_by: str
    proposed_at: datetime = _instant()
    decided_by: str | None = None
    decided_at: datetime | None = _instant_or_none()
    approved: bool | None = None
    raised_at: datetime | None = _instant_or_none()


class CaseAct(SQLModel, table=True):
    """One act of a person in a case, once: its id makes a retry the same act."""

    __tablename__ = "case_act"

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    act: str = Field(max_length=60)
    clause: str | None = None
    reason_sha256: str | None = Field(default=None, foreign_key="artifact.sha256")
    actor: str
    at: datetime = _instant()


class CaseAnchor(SQLModel, table=True):
    """One dated fact of a case: an instant, a date, or a range of dates; a corrected one is kept, superseded."""

    __tablename__ = "case_anchor"

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    agreement_id: UUID | None = Field(default=None, foreign_key="agreement.id")
    name: str
    instant: datetime | None = _instant_or_none()
    first_day: date | None = None
    last_day: date | None = None
    recorded_at: datetime = _instant()
    recorded_by: str
    reason_sha256: str | None = Field(default=None, foreign_key="artifact.sha256")
    superseded_at: datetime | None = _instant_or_none()


class NotYetDecision(SQLModel, table=True):
    """The decision that a dated fact which a clause asks for has not come about; the latest of a name counts."""

    __tablename__ = "not_yet_decision"

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    name: str
    again_at: datetime = _instant()
    decided_sha256: str = Field(foreign_key="artifact.sha256")
    recorded_at: datetime = _instant()
    recorded_by: str


class CaseFact(SQLModel, table=True):
    """What is known of one content element, or the declaration that it cannot be determined."""

    __tablename__ = "case_fact"

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    element: str
    status: FactStatus = _word(FactStatus)
    value: str | None = _sealed_or_none("case_fact.value", OF_CASE)
    recorded_at: datetime = _instant()
    recorded_by: str
    superseded_at: datetime | None = _instant_or_none()


class CaseAgreement(SQLModel, table=True):
    """One agreement in a case's scope, with the terms the case pinned for it."""

    __tablename__ = "case_agreement"
    __table_args__ = (Index("case_agreement_agreement", "agreement_id", "case_id"),)

    case_id: UUID = Field(foreign_key="duenotice_case.id", primary_key=True)
    agreement_id: UUID = Field(foreign_key="agreement.id", primary_key=True)
    terms_hash: str | None = Field(default=None, foreign_key="terms_snapshot.hash")
    added_at: datetime = _instant()


class DueDate(SQLModel, table=True):
    """One computed due instant with its reasons, by content: agreements with equal terms and zone share it."""

    __tablename__ = "due_date"

    id: str = Field(primary_key=True, max_length=64)
    body: dict[str, Any] = Field(sa_type=JSON)


OPEN_AND_DATED = text("status NOT IN ('performed', 'not_required', 'cancelled', 'elapsed') AND target_at IS NOT NULL")
"""What an open duty is that a list of cases goes by; in these words, the indices on it are used, and no other one."""

TARGET = "target_at IS NOT DISTINCT FROM coalesce(internal_due_at, due_at)"
"""What lists go by: the internal date where there is one, else the due instant.

It is no generated column: SQLite reads no such one from an index alone.
"""

INTERNAL = text("status = 'running' AND internal_due_at IS NOT NULL")
"""What a duty is that has an internal date to be met; in these words, the index on it is used."""

REOPENED = text("status = 'running' AND reopened_at IS NOT NULL")
"""What a duty is that is owed again; in these words, the index on it is used."""

NEEDED = text("status = 'running' AND needed_count > 0")
WAITS_FOR_PEOPLE = text("duty.status = 'running' AND duty.needed_count > 0")
"""What a running duty is that cannot be performed, since people have not given what its clause requires at once."""


LACKING = text("status = 'performed' AND lacking_count > 0")
TO_FOLLOW = text("duty.status = 'performed' AND duty.lacking_count > 0")
"""What a duty is whose notice said that more would follow, which has not followed yet."""


class Duty(SQLModel, table=True):
    """One dated thing that one party owes another under one clause in one case, each time it comes round.

    ``lacking`` is what its notice said would follow; ``waits_for`` what is required at once and missing, so that it
    cannot be performed yet: ``needed_count`` of it is for people to give, who were told so ``needed_told`` times.
    ``performed_under`` is the approved proposal on whose word it was performed by other means;
    None where the engine performed it. It was last ``reopened_at`` an instant at which the notice that had performed it
    came back.

    ``internal_due_at`` is when the installation itself wants it done, ``internal_why`` how that was counted: it is no
    law, and only lists and reminders go by it. ``internal_raised_at`` is when people were last told that it had passed.
    ``target_at`` is the first of both instants, in whose order lists are read.
    """

    __tablename__ = "duty"
    __table_args__ = (
        CheckConstraint(TARGET, "duty_target"),
        Index("duty_case_status", "case_id", "status", "due_at", "target_at"),
        Index("duty_status_due", "status", "due_at", "case_id"),
        # What is searched for is read in the order in which it is due, whichever of these names it.
        Index("duty_due", "due_at", "id"),
        Index("duty_clause_due", "clause", "due_at", "id"),
        Index("duty_agreement_due", "agreement_id", "due_at", "id"),
        Index("duty_verdict_due", "verdict", "due_at", "id"),
        *(
            Index(name, *columns, sqlite_where=OPEN_AND_DATED, postgresql_where=OPEN_AND_DATED)
            for name, columns in (
                ("duty_open_due", ("target_at", "case_id", "status", "due_at")),
                ("duty_open_case_due", ("case_id", "target_at", "status", "due_at")),
            )
        ),
        # They begin with the status, though all of one index have the same: else SQLite, which cannot know how few they
        # hold, reads every running duty instead.
        *(
            Index(name, "status", *columns, sqlite_where=of, postgresql_where=of)
            for name, of, columns in (
                ("duty_internal", INTERNAL, ("internal_due_at", "due_at", "case_id")),
                ("duty_needed", NEEDED, ("case_id", "due_at")),
                ("duty_reopened", REOPENED, ("case_id", "due_at", "reopened_at")),
                ("duty_lacking", LACKING, ("case_id", "performed_at")),
            )
        ),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    agreement_id: UUID = Field(foreign_key="agreement.id")
    clause: str
    occurrence: int = 1
    owed_by: Party = _word(Party)
    owed_to: Party = _word(Party)
    performed_by: PerformedBy = _word(PerformedBy)
    status: DutyStatus = _word(DutyStatus)
    due_date_id: str = Field(foreign_key="due_date.id", index=True)
    due_at: datetime | None = _instant_or_none()
    internal_due_at: datetime | None = _instant_or_none()
    internal_why: str | None = None
    internal_raised_at: datetime | None = _instant_or_none()
    target_at: datetime | None = _instant_or_none()
    performed_at: datetime | None = _instant_or_none()
    verdict: Verdict | None = _word_or_none(Verdict)
    performed_under: UUID | None = Field(default=None, foreign_key="proposal.id")
    lacking: list[str] = Field(default_factory=list, sa_type=JSON)
    lacking_count: int = 0
    waits_for: list[str] = Field(default_factory=list, sa_type=JSON)
    needed_count: int = 0
    needed_told: int = 0
    escalated_at: datetime | None = _instant_or_none()
    reopened_at: datetime | None = _instant_or_none()


class UpcomingDuty(SQLModel, table=True):
    """The next due date of a duty that an agreement's own dates start and that no case is about yet.

    It is derived from agreements and terms, as often as one likes. ``reminded_days`` is how long before it people were
    last told of it, where the passing of time performs it. ``internal_due_at``, ``internal_why`` and ``target_at`` are
    those of a ``Duty``.
    """

    __tablename__ = "upcoming_duty"
    __table_args__ = (CheckConstraint(TARGET, "upcoming_duty_target"), Index("upcoming_duty_due", "target_at", "id"))

    id: UUID = Field(primary_key=True)
    agreement_id: UUID = Field(foreign_key="agreement.id", index=True)
    clause: str
    occurrence: int = 1
    owed_by: Party = _word(Party)
    performed_by: PerformedBy = _word(PerformedBy)
    due_date_id: str = Field(foreign_key="due_date.id")
    due_at: datetime = _instant()
    internal_due_at: datetime | None = _instant_or_none()
    internal_why: str | None = None
    target_at: datetime = _instant()
    reminded_days: int | None = None


class Batch(SQLModel, table=True):
    """At most 500 notices of one cohort (same clause, same due_date), sent by one child workflow.

    ``planned_at`` is when its notices were drafted; ``began_at`` when they first began to leave; ``raised_at`` when an
    officer was last told that it is stuck. ``due_at`` is the due instant of a cohort that performs its duties; None
    where they were performed before, as by what a supplement adds to; ``internal_due_at`` is the first internal date of
    those duties. ``ledger_head`` is the head of the ledger as it was planned, as it stands at the foot of its notices.
    ``last_safe_at`` is the last moment at which
    notices that are due leave and are on time: up to then one person may keep them back, ``withheld_under`` that
    decision.
    """

    __tablename__ = "batch"
    # Drafts that wait are read in bulk, and from this index alone.
    __table_args__ = (
        Index("batch_status_id", "status", "id"),
        Index("batch_drafts", "status", "released_by", "case_id", "due_at", "internal_due_at", "leaves_at", "size"),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    kind: NoticeKind = _word(NoticeKind)
    clause: str
    due_date_id: str = Field(foreign_key="due_date.id")
    status: BatchStatus = _word(BatchStatus)
    size: int
    planned_at: datetime = _instant()
    due_at: datetime | None = _instant_or_none()
    internal_due_at: datetime | None = _instant_or_none()
    leaves_at: datetime = _instant()
    last_safe_at: datetime | None = _instant_or_none()
    withheld_under: UUID | None = Field(default=None, foreign_key="withholding.id")
    began_at: datetime | None = _instant_or_none()
    raised_at: datetime | None = _instant_or_none()
    released_by: str | None = None
    again_at: datetime | None = _instant_or_none()
    trouble: str | None = None
    trouble_since: datetime | None = _instant_or_none()
    ledger_head: str | None = None


class Notice(SQLModel, table=True):
    """A message that performs a duty: which elements it gave, and which it said would follow.

    ``also_performs`` are the ids of further duties towards the same LEA that the same message performs. It ``has_link``
    where its reader is a side of the agreement: nobody else acknowledges it. It bears the instant ``composed_at``, and
    was ``written_at`` last, by what was known then. Its link is good in the generation ``link_generation`` alone, and
    not at all once it was taken back; ``link_refusals`` counts how often it was tried when it was good no more.

    One that ``offers`` its reader a right is answered by a decision about that, at ``decided_at``; that none came was
    noted at ``silent_at``.
    """

    __tablename__ = "notice"

    id: UUID = Field(primary_key=True)
    batch_id: UUID = Field(foreign_key="batch.id", index=True)
    duty_id: UUID = Field(foreign_key="duty.id", index=True)
    also_performs: list[str] = Field(default_factory=list, sa_type=JSON)
    case_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    kind: NoticeKind = _word(NoticeKind)
    given: list[str] = Field(default_factory=list, sa_type=JSON)
    lacking: list[str] = Field(default_factory=list, sa_type=JSON)
    composed_at: datetime | None = _instant_or_none()
    written_at: datetime | None = _instant_or_none()
    given_at: datetime | None = _instant_or_none(index=True)
    dropped: bool = False
    reminders: int = 0
    acknowledged_at: datetime | None = _instant_or_none()
    has_link: bool = True
    offers: bool = False
    decided_at: datetime | None = _instant_or_none()
    silent_at: datetime | None = _instant_or_none()
    link_generation: int = 1
    link_revoked_at: datetime | None = _instant_or_none()
    link_refusals: int = 0


class Delivery(SQLModel, table=True):
    """The outbox: one notice to one contact, reserved before the send, settled with the server's answer.

    Copies share the message, and so the Message-ID, of the contact they are copies for; one that arrived performs
    nothing. ``attempts`` counts how often a mail server was asked to take it, ``attempted_at`` is when last, and
    ``may_be_there_since`` when first of those times of which nobody knows that nothing arrived. ``tries`` counts how
    often it was put off, and since it is unknown, how often it stayed so; ``again_at`` is when it is tried again. One
    that is unknown without such a moment waits for a person's decision, and ``vouched_by`` is who said that it arrived.
    ``raised_at`` is when it was raised to an officer that the contact refused it, or that nobody knows.

    ``answer`` is what the server said that took it or refused it, which may name somebody; ``reply_code`` and
    ``reply_status`` are the numbers of that (RFC 5321, 4.2; RFC 3463), ``queue_id`` the server's own name for the
    message, and ``tls_version`` and ``tls_certificate`` how the connection was protected and whom the server's
    certificate named.
    """

    __tablename__ = "delivery"

    id: UUID = Field(primary_key=True)
    notice_id: UUID = Field(foreign_key="notice.id", index=True)
    contact_id: UUID = Field(foreign_key="agreement_contact.id")
    message_id: str = Field(index=True)
    status: DeliveryStatus = _word(DeliveryStatus, index=True)
    message_sha256: str = Field(foreign_key="artifact.sha256")
    is_copy: bool = False
    attempts: int = 0
    tries: int = 0
    again_at: datetime | None = _instant_or_none()
    vouched_by: str | None = None
    reserved_at: datetime = _instant()
    attempted_at: datetime | None = _instant_or_none()
    may_be_there_since: datetime | None = _instant_or_none()
    settled_at: datetime | None = _instant_or_none()
    raised_at: datetime | None = _instant_or_none()
    answer: str | None = _sealed_or_none("delivery.answer", OF_NOTICE)
    reply_code: int | None = None
    reply_status: str | None = None
    queue_id: str | None = None
    tls_version: str | None = None
    tls_certificate: str | None = None


class MailState(SQLModel, table=True):
    """How mail goes on the whole, in one row, which is there once anything was amiss.

    ``away_since`` is since when the mail server takes no mail at all. ``paused_at`` is when nothing more was handed
    over, since too many refusals were alike, ``refused_code`` and ``refused_status``; at ``probe_at`` one message is
    tried, unless a person resumes before.
    """

    __tablename__ = "mail_state"

    id: int = Field(primary_key=True)
    away_since: datetime | None = _instant_or_none()
    paused_at: datetime | None = _instant_or_none()
    probe_at: datetime | None = _instant_or_none()
    refused_code: int | None = None
    refused_status: str | None = None
    refusals: int = 0


class LastSweep(SQLModel, table=True):
    """The watchdog's last sweep that came to its end, in one row.

    ``clock_ahead`` is how far the worker's clock was ahead of the Temporal server's, in seconds. By its ``workflow_id``
    Temporal knows it, unless Temporal was set back.
    """

    __tablename__ = "last_sweep"

    id: int = Field(primary_key=True)
    began_at: datetime = _instant()
    ended_at: datetime = _instant()
    clock_ahead: float
    workflow_id: str | None = None


class DeliveryReport(SQLModel, table=True):
    """What came back about one attempt to deliver, once: its id names it, however often and by whatever way it came.

    ``of_contact`` is whether it is about the contact that the delivery was for; one that is not changes nothing.
    ``status`` is an enhanced status code (RFC 3463), ``says`` what the mail server said, ``via`` the way it came.
    """

    __tablename__ = "delivery_report"

    id: UUID = Field(primary_key=True)
    delivery_id: UUID = Field(foreign_key="delivery.id", index=True)
    attempt: int
    kind: ReportKind = _word(ReportKind)
    of_contact: bool
    status: str | None = Field(default=None, max_length=12)
    says: str | None = _sealed_or_none("delivery_report.says", OF_DELIVERY)
    via: str = Field(max_length=20)
    received_at: datetime = _instant()
    report_sha256: str = Field(foreign_key="artifact.sha256")


class LawEnforcementHold(SQLModel, table=True):
    """A law-enforcement request to hold notices back: for a case, or for one agreement in it."""

    __tablename__ = "hold"

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    agreement_id: UUID | None = Field(default=None, foreign_key="agreement.id")
    particulars_sha256: str = Field(foreign_key="artifact.sha256")
    shareable: bool
    begins_at: datetime = _instant()
    until: datetime | None = _instant_or_none()
    placed_by: str
    placed_at: datetime = _instant()
    lifted_by: str | None = None
    lifted_at: datetime | None = _instant_or_none()


class Proposal(SQLModel, table=True):
    """What one person proposes about a clause and a second one decides; ``agreements`` is empty where it is for all.

    ``ground`` is why no notice is required. ``proof_sha256``, ``how_sha256``, ``to_whom_sha256`` and ``done_at`` are
    what is said of duties that were performed by other means; ``undone_…`` is the correction that took that back.
    ``task_id`` is what a holder of data is asked whom nobody is to wait for. ``raised_at`` is when those were told who
    may decide it.
    """

    __tablename__ = "proposal"
    __table_args__ = (Index("proposal_open", "case_id", sqlite_where=OPEN_PROPOSAL, postgresql_where=OPEN_PROPOSAL),)

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    kind: ProposalKind = _word(ProposalKind)
    task_id: UUID | None = Field(default=None, foreign_key="holder_task.id")
    clause: str | None = None
    ground: str | None = None
    agreements: list[str] = Field(default_factory=list, sa_type=JSON)
    reason_sha256: str | None = Field(default=None, foreign_key="artifact.sha256")
    proof_sha256: str | None = Field(default=None, foreign_key="artifact.sha256")
    how_sha256: str | None = Field(default=None, foreign_key="artifact.sha256")
    to_whom_sha256: str | None = Field(default=None, foreign_key="artifact.sha256")
    done_at: datetime | None = _instant_or_none()
    proposed_by: str
    proposed_at: datetime = _instant()
    decided_by: str | None = None
    decided_at: datetime | None = _instant_or_none()
    approved: bool | None = None
    raised_at: datetime | None = _instant_or_none()
    undone_by: str | None = None
    undone_at: datetime | None = _instant_or_none()
    undone_reason_sha256: str | None = Field(default=None, foreign_key="artifact.sha256")


class Withholding(SQLModel, table=True):
    """A decision to keep waiting notices back: of one clause, or of all.

    Of one person it holds up to the last safe moment of each batch; with an approved proposal, until a release.
    """

    __tablename__ = "withholding"

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    clause: str | None = None
    reason_sha256: str = Field(foreign_key="artifact.sha256")
    decided_by: str
    decided_at: datetime = _instant()
    proposal_id: UUID | None = Field(default=None, foreign_key="proposal.id")


class Confirmation(SQLModel, table=True):
    """A party's own word that it did what a duty asks: who is to give it, and once given, what it said.

    ``contact_id`` is None for the party that owes the duty itself; one that was ``withdrawn_at`` stands no more, since
    its holder got the data back.
    """

    __tablename__ = "confirmation"

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    duty_id: UUID = Field(foreign_key="duty.id", index=True)
    contact_id: UUID | None = Field(default=None, foreign_key="agreement_contact.id")
    particulars_sha256: str = Field(foreign_key="artifact.sha256")
    given_at: datetime = _instant()
    recorded_by: str
    withdrawn_at: datetime | None = _instant_or_none()


class Subprocessor(SQLModel, table=True):
    """One subprocessor that holds data under one agreement, or under all where none is named.

    ``data`` is which data it holds. One that was ``removed_at`` is asked no more in cases that begin later.
    """

    __tablename__ = "subprocessor"

    id: UUID = Field(primary_key=True)
    agreement_id: UUID | None = Field(default=None, foreign_key="agreement.id", index=True)
    name: str = _sealed("subprocessor.name")
    email: str = _sealed("subprocessor.email")
    data: str = _sealed("subprocessor.data")
    recorded_at: datetime = _instant()
    removed_at: datetime | None = _instant_or_none()


class LegalHold(SQLModel, table=True):
    """A decision that data has to be kept, under one agreement, or under all where none is named."""

    __tablename__ = "legal_hold"

    id: UUID = Field(primary_key=True)
    agreement_id: UUID | None = Field(default=None, foreign_key="agreement.id", index=True)
    reason: str = _sealed("legal_hold.reason")
    placed_by: str
    placed_at: datetime = _instant()
    lifted_by: str | None = None
    lifted_at: datetime | None = _instant_or_none()
    lifted_because: str | None = _sealed_or_none("legal_hold.lifted_because")


class LiftedConflict(SQLModel, table=True):
    """What a person found: that an open case does not keep the data whose disposal another case is about."""

    __tablename__ = "lifted_conflict"
    __table_args__ = (UniqueConstraint("case_id", "keeping_id"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id")
    keeping_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    reason_sha256: str = Field(foreign_key="artifact.sha256")
    lifted_by: str
    lifted_at: datetime = _instant()


AWAITED = text("status IN ('open', 'answered')")
"""What a holder's task is whose holder's word is awaited; in these words, the index on it is used."""

ANSWERED = text("status = 'answered'")
"""What a holder's task is about whose answer an officer decides; in these words, the index on it is used."""


class Vendor(SQLModel, table=True):
    """Whoever is written to at one address about data that it holds, whatever the case: one link answers all of it.

    Its id is a keyed hash of the address, so that neither a table nor a guess tells it. The link lasts as long as one
    of what it answers; it is known by the SHA-256 of its token, and ``link_number`` makes each a link of its own.
    """

    __tablename__ = "vendor"

    id: UUID = Field(primary_key=True)
    link_number: int = 1
    link_digest: str | None = Field(default=None, unique=True, max_length=64)


class HolderTask(SQLModel, table=True):
    """What one holder of an agreement's data is asked in one case: to dispose of the data, and to certify that.

    ``contact_id`` is None for the party that owes the disposal itself, which confirms last; where that is the other
    side, which is chased, ``owing_contact_id`` is its contact, and ``directed_at`` when it was sent the directive.

    It is ``awaited_since`` an instant, until ``due_at``; its reminders go by ``internal_due_at``, where there is one,
    of which no holder outside is told. It was written to at the address of ``vendor_id``; ``steps``
    counts how far its ladder of reminders has come; ``told_due_at`` and ``stopped`` are what its holder was last told:
    by when, and whether something keeps the data. ``again_at`` is when it is written to next. Its link is known by
    the SHA-256 of its token; ``link_number`` makes each a link of its own. Its holder may not dispose of the data
    ``not_before`` an instant, nor while it ``waits`` for a prior notice; ``told_not_before`` is what it was last told.
    """

    __tablename__ = "holder_task"
    __table_args__ = (
        Index("holder_task_case_again", "case_id", "again_at"),
        Index("holder_task_awaited", "holder", "case_id", "status", sqlite_where=AWAITED, postgresql_where=AWAITED),
        Index("holder_task_answered", "case_id", "due_at", sqlite_where=ANSWERED, postgresql_where=ANSWERED),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id")
    agreement_id: UUID = Field(foreign_key="agreement.id")
    contact_id: UUID | None = Field(default=None, foreign_key="agreement_contact.id")
    holder: str = Field(max_length=64)
    owing_contact_id: UUID | None = Field(default=None, foreign_key="agreement_contact.id")
    directed_at: datetime | None = _instant_or_none()
    data: str | None = _sealed_or_none("holder_task.data", OF_CASE)
    status: HolderStatus = _word(HolderStatus)
    due_at: datetime | None = _instant_or_none()
    internal_due_at: datetime | None = _instant_or_none()
    awaited_since: datetime = _instant()
    asked_at: datetime | None = _instant_or_none()
    told_due_at: datetime | None = _instant_or_none()
    waits: bool = False
    not_before: datetime | None = _instant_or_none()
    told_not_before: datetime | None = _instant_or_none()
    stopped: bool = False
    refused_sha256: str | None = Field(default=None, foreign_key="artifact.sha256")
    steps: int = 0
    again_at: datetime | None = _instant_or_none()
    link_number: int = 1
    link_digest: str | None = Field(default=None, unique=True, max_length=64)
    link_expires_at: datetime | None = _instant_or_none()
    vendor_id: UUID | None = Field(default=None, foreign_key="vendor.id", index=True)
    settled_at: datetime | None = _instant_or_none()


class HolderAnswer(SQLModel, table=True):
    """What a holder said of what it was asked: a certificate, or that it holds nothing, needs time or declines.

    ``said_sha256`` is the artifact with all of it. A certificate needs no decision; a restore of the data makes it
    ``superseded_at``. ``receipt_sha256`` is the completion certificate of who signed it through a link, which its
    holder was sent at ``receipt_sent_at``. ``until`` is the day until which it asks for time, ``backups_expire_on`` the
    day on which the last backup expires that still holds the data. ``early`` is whether it says that the data went
    before it might.
    """

    __tablename__ = "holder_answer"

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    task_id: UUID = Field(foreign_key="holder_task.id", index=True)
    kind: HolderAnswerKind = _word(HolderAnswerKind)
    said_sha256: str = Field(foreign_key="artifact.sha256")
    receipt_sha256: str | None = Field(default=None, foreign_key="artifact.sha256")
    receipt_sent_at: datetime | None = _instant_or_none()
    until: date | None = None
    backups_expire_on: date | None = None
    given_at: datetime = _instant()
    given_by: str
    decided_by: str | None = None
    decided_at: datetime | None = _instant_or_none()
    accepted: bool | None = None
    early: bool = False
    superseded_at: datetime | None = _instant_or_none()


OPEN_ANSWER = text("seen_at IS NULL AND kind <> 'acknowledged'")
"""What an answer is that a person has to deal with; in these words, the index on it is used."""


class Answer(SQLModel, table=True):
    """What an LEA said to a notice through its link; nobody's account is needed, so nobody's is named.

    ``ground`` is that on which it exercises a right, as the clause calls it. ``recorded_by`` is the officer who heard
    it otherwise than by the link; then ``text`` is who said it, when and how. ``said_sha256`` is what was said, as
    evidence holds it. ``seen_at`` is when an officer was done with it, ``raised_at`` when those whose case it is were
    told of it.
    """

    __tablename__ = "answer"
    __table_args__ = (Index("answer_open", "case_id", "kind", sqlite_where=OPEN_ANSWER, postgresql_where=OPEN_ANSWER),)

    id: UUID = Field(primary_key=True)
    notice_id: UUID = Field(foreign_key="notice.id", index=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    kind: AnswerKind = _word(AnswerKind)
    name: str | None = _sealed_or_none("answer.name", OF_CASE)
    email: str | None = _sealed_or_none("answer.email", OF_CASE)
    text: str | None = _sealed_or_none("answer.text", OF_CASE)
    ground: str | None = None
    recorded_by: str | None = None
    said_sha256: str | None = Field(default=None, foreign_key="artifact.sha256")
    given_at: datetime = _instant()
    seen_at: datetime | None = _instant_or_none()
    raised_at: datetime | None = _instant_or_none()


class ToldOnce(SQLModel, table=True):
    """What became of telling a person of the installation something by one way, so that it is not told again.

    ``who`` is an account's name, or what evidence calls another recipient.
    """

    __tablename__ = "told_once"

    message_id: UUID = Field(primary_key=True)
    way: Way = _word(Way, primary_key=True)
    who: str = Field(primary_key=True)
    outcome: Told = _word(Told)
    at: datetime = _instant()


class Letter(SQLModel, table=True):
    """A letter of an officer's to one reader, with its place in the outbox; it performs no duty.

    It answers the question ``answer_id``, or tells the contact ``contact_id`` that the duty ``duty_id`` is overdue. One
    act (``act_id``) then writes one to each contact, and those in copy get the same message. It is written when it is
    first sent. Status, ``tries`` and ``again_at`` are as a delivery's; while it is being handed over, ``again_at`` is
    when another may take it up if nothing more is heard of it.
    """

    __tablename__ = "letter"
    __table_args__ = (Index("letter_status_again", "status", "again_at"),)

    id: UUID = Field(primary_key=True)
    act_id: UUID = Field(index=True)
    answer_id: UUID | None = Field(default=None, foreign_key="answer.id", index=True)
    duty_id: UUID | None = Field(default=None, foreign_key="duty.id", index=True)
    contact_id: UUID | None = Field(default=None, foreign_key="agreement_contact.id")
    is_copy: bool = False
    case_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    text_sha256: str = Field(foreign_key="artifact.sha256")
    message_sha256: str | None = Field(default=None, foreign_key="artifact.sha256")
    status: DeliveryStatus = _word(DeliveryStatus)
    attempts: int = 0
    tries: int = 0
    again_at: datetime | None = _instant_or_none()
    attempted_at: datetime | None = _instant_or_none()
    settled_at: datetime | None = _instant_or_none()
    written_by: str
    written_at: datetime = _instant()


FAILING = text("(bounced_at IS NOT NULL OR outcome = 'rejected')")
"""What a mail is that did not reach its address, as far as anybody said."""

UNTOLD_BOUNCE = text("bounced_at IS NOT NULL AND raised_at IS NULL")


class SentMail(SQLModel, table=True):
    """A mail that is no notice: kept as it was handed over, with what became of it, and what came back.

    ``id`` is what its Message-ID names it by, and ``sort`` is its template. It belongs to what a holder of data is
    asked, to a notice, a letter or a file (``belongs_to``), and went to ``contact_id``; or it went to ``who``, as
    evidence names the people of the installation. ``message_sha256`` is the message, without the links by which a
    holder answers. ``outcome`` is what became of the last of its ``attempts``; None while that one is under way.
    ``status`` and ``says`` are what the server said by which it came back; ``raised_at`` is when people were told.
    """

    __tablename__ = "sent_mail"
    __table_args__ = (
        Index("sent_mail_failing", "belongs_to", sqlite_where=FAILING, postgresql_where=FAILING),
        Index("sent_mail_untold", "bounced_at", sqlite_where=UNTOLD_BOUNCE, postgresql_where=UNTOLD_BOUNCE),
    )

    id: UUID = Field(primary_key=True)
    sort: str = Field(max_length=60)
    case_id: UUID | None = Field(default=None, foreign_key="duenotice_case.id", index=True)
    belongs_to: UUID | None = Field(default=None)
    contact_id: UUID | None = Field(default=None, foreign_key="agreement_contact.id")
    who: str | None = None
    email: str = _sealed("sent_mail.email", OF_CASE)
    attempts: int = 0
    attempted_at: datetime = _instant()
    outcome: Told | None = _word_or_none(Told)
    message_sha256: str | None = Field(default=None, foreign_key="artifact.sha256")
    bounced_at: datetime | None = _instant_or_none()
    status: str | None = Field(default=None, max_length=12)
    says: str | None = _sealed_or_none("sent_mail.says", OF_CASE)
    reports: int = 0
    raised_at: datetime | None = _instant_or_none()


NOT_POSTED = text("mailed_at IS NULL AND replaced_at IS NULL")
"""What a letter is that waits for a person to post it; in these words, the index on it is used."""


class PostalLetter(SQLModel, table=True):
    """A notice as a letter, for a contact whom no e-mail reaches: a PDF that a person prints and posts.

    ``address`` is as it stands in the envelope's window, ``words_sha256`` are the letter's words as the page behind its
    link shows them, ``enclosed`` the artifacts that belong into the envelope besides. ``given`` are the content
    elements that it gives, ``lacking`` those that it says will follow. ``printed_at`` is when it was last given out to
    be printed; ``checked_at`` until when it was known to say what its case knows. One that was made anew before it was
    posted was ``replaced_at``, for the reason in ``replaced_for``.

    ``mailed_at`` is when ``mailed_by`` says that it was handed to the post, recorded at ``recorded_at``; all of that is
    empty again once it was taken back. It gives the notice at ``effective_at``, which is None where the agreement lets
    a letter of that service give none; ``took_effect_at`` is when that was written down.
    """

    __tablename__ = "postal_letter"
    __table_args__ = (
        Index("postal_letter_waits", "notice_id", sqlite_where=NOT_POSTED, postgresql_where=NOT_POSTED),
        Index("postal_letter_effective", "took_effect_at", "effective_at"),
    )

    id: UUID = Field(primary_key=True)
    notice_id: UUID = Field(foreign_key="notice.id", index=True)
    contact_id: UUID = Field(foreign_key="agreement_contact.id", index=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    address: str = _sealed("postal_letter.address", OF_CASE)
    letter_sha256: str = Field(foreign_key="artifact.sha256")
    words_sha256: str = Field(foreign_key="artifact.sha256")
    enclosed: list[str] = Field(default_factory=list, sa_type=JSON)
    given: list[str] = Field(default_factory=list, sa_type=JSON)
    lacking: list[str] = Field(default_factory=list, sa_type=JSON)
    made_at: datetime = _instant()
    checked_at: datetime = _instant()
    printed_at: datetime | None = _instant_or_none()
    printed_by: str | None = None
    replaced_at: datetime | None = _instant_or_none()
    replaced_for: WrittenAnew | None = _word_or_none(WrittenAnew)
    mailed_at: datetime | None = _instant_or_none()
    mailed_by: str | None = None
    recorded_at: datetime | None = _instant_or_none()
    service: PostalService | None = _word_or_none(PostalService)
    tracking_number: str | None = _sealed_or_none("postal_letter.tracking_number", OF_CASE)
    receipt_sha256: str | None = Field(default=None, foreign_key="artifact.sha256")
    effective_at: datetime | None = _instant_or_none()
    took_effect_at: datetime | None = _instant_or_none()


class Cost(SQLModel, table=True):
    """One amount of a case that an agreement makes the provider bear, with its receipt."""

    __tablename__ = "cost"

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    agreement_id: UUID = Field(foreign_key="agreement.id")
    cents: int
    currency: str = Field(default="USD", max_length=3)
    note: str = _sealed("cost.note", OF_CASE)
    receipt_sha256: str | None = Field(default=None, foreign_key="artifact.sha256")
    recorded_by: str
    recorded_at: datetime = _instant()


class CaseFile(SQLModel, table=True):
    """A file that came with what opened a case, such as a signed directive; ``number`` counts them from 1."""

    __tablename__ = "case_file"

    case_id: UUID = Field(primary_key=True, foreign_key="duenotice_case.id")
    number: int = Field(primary_key=True)
    content_sha256: str = Field(foreign_key="artifact.sha256")


class CaseDocument(SQLModel, table=True):
    """A file for families, such as an LEA's list of students: for one agreement of the case, or for all of them."""

    __tablename__ = "case_document"
    __table_args__ = (Index("case_document_case_agreement", "case_id", "agreement_id"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id")
    agreement_id: UUID | None = Field(default=None, foreign_key="agreement.id")
    element: str
    file_name: str = _sealed("case_document.file_name", OF_CASE)
    content_sha256: str = Field(foreign_key="artifact.sha256")
    added_by: str
    added_at: datetime = _instant()


class HandedOver(SQLModel, table=True):
    """A file that was handed to an LEA by a protected link, and is erased at ``erase_at``; its SHA-256 stays.

    Its link is known by the SHA-256 of its token; ``link_number`` makes each a link of its own, and one that was
    ``revoked_at`` has none. ``fetches`` counts how often it was fetched.
    """

    __tablename__ = "handed_over"

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="duenotice_case.id", index=True)
    agreement_id: UUID = Field(foreign_key="agreement.id")
    contact_id: UUID = Field(foreign_key="agreement_contact.id")
    file_name: str = _sealed("handed_over.file_name", OF_CASE)
    content_sha256: str = Field(foreign_key="artifact.sha256", index=True)
    handed_by: str
    handed_at: datetime = _instant()
    erase_at: datetime = _instant(index=True)
    link_number: int = 1
    link_digest: str | None = Field(default=None, unique=True, max_length=64)
    revoked_at: datetime | None = _instant_or_none()
    fetches: int = 0
    fetched_at: datetime | None = _instant_or_none()


UNCLAIMED = text("NOT claimed")
"""What an artifact is to which nothing recorded points; in these words, the index on it is used."""


class ArtifactOutline(SQLModel, table=True):
    """What many artifacts have in common, packed and sealed: these were packed against it, and are read with it.

    It holds nothing that is one recipient's own. ``sha256`` is that of its case and its content: no two cases share it.
    """

    __tablename__ = "artifact_outline"

    sha256: str = Field(primary_key=True, max_length=64)
    case_id: UUID | None = Field(default=None, index=True)
    content: bytes = Field(sa_column=Column(SealedBytes("artifact_outline.content", OF_CASE), nullable=False))


class Artifact(SQLModel, table=True):
    """Bytes that evidence points to by the SHA-256 of their plain content; packed, and sealed at rest.

    ``claimed`` is False while nothing recorded points to them: they came with an act that is not recorded yet. Of those
    ``erased_at`` an instant no content is left. ``case_id`` is the one case whose they are, under whose key they are
    sealed and with which they are erased; None for what is the installation's, or of several cases. It is no foreign
    key, since cases point to artifacts in their turn.

    ``object_sha256`` names the object in the store of artifacts to which the sealed bytes were moved, and is their
    SHA-256. While the content is here as well, they are on their way.
    """

    __tablename__ = "artifact"
    # Few are unclaimed, and only for a moment: they are found without reading the contents of all others.
    __table_args__ = (Index("artifact_unclaimed", "stored_at", sqlite_where=UNCLAIMED, postgresql_where=UNCLAIMED),)

    sha256: str = Field(primary_key=True, max_length=64)
    case_id: UUID | None = Field(default=None, index=True)
    media_type: str
    size: int
    claimed: bool = True
    content: bytes | None = Field(sa_column=Column(SealedBytes("artifact.content", OF_CASE), nullable=True))
    outline_sha256: str | None = Field(default=None, foreign_key="artifact_outline.sha256")
    object_sha256: str | None = Field(default=None, max_length=64)
    stored_at: datetime = _instant()
    erased_at: datetime | None = _instant_or_none()


class ObjectToGo(SQLModel, table=True):
    """An object in the store of artifacts that no artifact names any more: it was erased, or is sealed anew.

    It is taken away with the next sweep, and once more until a day after ``since``: somebody may be putting it still.
    """

    __tablename__ = "object_to_go"

    sha256: str = Field(primary_key=True, max_length=64)
    since: datetime = _instant()


class EvidenceEntry(SQLModel, table=True):
    """One entry of the append-only ledger; ``hash`` covers what it holds and the entry before.

    ``at`` is when it happened, ``recorded_at`` when it was written; ``salt`` keeps its hash from being guessed. By
    ``key_digest`` an entry is found that has a ``key``, of which it is made: an index of the keys themselves takes four
    times the room.
    """

    __tablename__ = "evidence"

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = _instant()
    case_id: UUID | None = Field(default=None, index=True)
    kind: str
    subject: str | None = None
    actor: str
    body: dict[str, Any] = Field(sa_type=WrittenJson)
    artifacts: list[str] = Field(sa_type=WrittenJson)
    key: str
    key_digest: bytes = Field(unique=True)
    recorded_at: datetime = _instant()
    salt: str = _hexadecimal()
    previous_hash: str = _hexadecimal()
    hash: str = _hexadecimal()


class LedgerTree(SQLModel, table=True):
    """How many entries the Merkle tree holds: the one row that whoever grows it locks."""

    __tablename__ = "ledger_tree"

    id: int = Field(primary_key=True)
    size: int


class LedgerTile(SQLModel, table=True):
    """A tile of the Merkle tree (C2SP tlog-tiles): up to 256 hashes of its height ``8 * level``, one after another."""

    __tablename__ = "ledger_tile"

    level: int = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    hashes: bytes


class LedgerCheckpoint(SQLModel, table=True):
    """One signed head of the ledger: the note (C2SP tlog-checkpoint) says what ``size`` and ``root`` say.

    ``timestamp_token`` is an authority's word (RFC 3161) about when the note was there.
    """

    __tablename__ = "ledger_checkpoint"

    size: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    root: str = Field(max_length=64)
    note: str
    kept_at: datetime = _instant()
    timestamp_token: bytes | None = None


class LedgerHead(SQLModel, table=True):
    """The ledger's length and last hash: the one row that an append locks."""

    __tablename__ = "ledger_head"

    id: int = Field(primary_key=True)
    length: int
    hash: str = Field(max_length=64)


class LedgerCheck(SQLModel, table=True):
    """What the last check of the ledger found, in its only row.

    ``says`` is that in words. ``length`` and ``head`` are those of the entries that were found sound, ``artifacts`` and
    ``rows`` how many were held against them; ``step`` is the step of the check that found a flaw. The same was found
    without a break since ``failing_since``, where it is no good.
    """

    __tablename__ = "ledger_check"

    id: int = Field(primary_key=True)
    state: LedgerState = _word(LedgerState)
    says: str
    length: int | None = None
    head: str | None = Field(default=None, max_length=64)
    artifacts: int | None = None
    rows: int | None = None
    step: int | None = None
    began_at: datetime = _instant()
    ended_at: datetime = _instant()
    failing_since: datetime | None = _instant_or_none()


class KeyCheck(SQLModel, table=True):
    """A word sealed under the key that sealed last: the one row by which a start sees that it has the right keyring."""

    __tablename__ = "key_check"

    id: int = Field(primary_key=True)
    key_id: str = Field(max_length=64)
    word: str = _sealed("key_check.word")


class Account(SQLModel, table=True):
    """One person who signs in. It is never removed or renamed, since evidence names people by it.

    ``name_key`` is the name without regard to case, so that no two look alike; ``made_by`` is an account's name, or the
    user of the operating system who gave the command.

    ``totp_secret`` makes codes (RFC 6238), ``totp_pending`` will once its first code was typed, and ``totp_step`` is
    the step of time of the last code, which counts once. ``failures`` counts wrong tries in a row; ``lock_raised_at``
    is when somebody was told of the lock. ``time_zone`` is that in which its person reads times, where it was chosen.
    """

    __tablename__ = "account"

    id: UUID = Field(primary_key=True)
    name: str = Field(unique=True, max_length=64)
    name_key: str = Field(unique=True, max_length=200)
    email: str | None = _sealed_or_none("account.email")
    role: Role = _word(Role)
    made_by: str
    made_at: datetime = _instant()
    disabled_at: datetime | None = _instant_or_none()
    password_hash: str | None = _sealed_or_none("account.password_hash")
    totp_secret: str | None = _sealed_or_none("account.totp_secret")
    totp_pending: str | None = _sealed_or_none("account.totp_pending")
    totp_step: int | None = None
    failures: int = 0
    locked_until: datetime | None = _instant_or_none()
    lock_raised_at: datetime | None = _instant_or_none()
    time_zone: str | None = Field(default=None, max_length=64)


class SignInToken(SQLModel, table=True):
    """A one-time sign-in link, kept as the SHA-256 of its token; a used one stays and says who introduced whom."""

    __tablename__ = "sign_in_token"

    digest: str = Field(primary_key=True, max_length=64)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    issued_by: str
    issued_at: datetime = _instant()
    expires_at: datetime = _instant()
    used_at: datetime | None = _instant_or_none()


class WebSession(SQLModel, table=True):
    """One browser in which an account is signed in, known by the SHA-256 of its cookie.

    ``key_id`` is the key of the keyring that sealed when it began; ``browser`` what the browser says that it is.
    """

    __tablename__ = "web_session"

    id: UUID = Field(primary_key=True)
    digest: str = Field(unique=True, max_length=64)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    authenticated: Authentication = _word(Authentication)
    browser: str = _sealed("web_session.browser")
    key_id: str
    began_at: datetime = _instant()
    seen_at: datetime = _instant()
    ended_at: datetime | None = _instant_or_none(index=True)


class ApiToken(SQLModel, table=True):
    """What a program shows with each request instead of signing in, known by its SHA-256.

    It is good until it ``expires_at`` an instant, or ended before; ``used_at`` is about when it was shown last.
    """

    __tablename__ = "api_token"

    id: UUID = Field(primary_key=True)
    digest: str = Field(unique=True, max_length=64)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    made_by: str
    made_at: datetime = _instant()
    expires_at: datetime = _instant()
    used_at: datetime | None = _instant_or_none()
    ended_at: datetime | None = _instant_or_none()


class Passkey(SQLModel, table=True):
    """A passkey of an account (WebAuthn), by its public key.

    ``credential_id`` is the authenticator's name for it, in URL-safe base64; ``sign_count`` how often the authenticator
    says that it signed, or 0 where it does not count.
    """

    __tablename__ = "passkey"

    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    credential_id: str = Field(unique=True, max_length=1400)
    public_key: bytes = Field(sa_column=Column(SealedBytes("passkey.public_key"), nullable=False))
    sign_count: int
    name: str = _sealed("passkey.name")
    added_at: datetime = _instant()
    used_at: datetime | None = _instant_or_none()


class OpenIdIdentity(SQLModel, table=True):
    """The identity at an OpenID provider that signs an account in, kept as a keyed digest of issuer and subject."""

    __tablename__ = "openid_identity"
    __table_args__ = (UniqueConstraint("account_id", "issuer"),)

    digest: str = Field(primary_key=True, max_length=64)
    account_id: UUID = Field(foreign_key="account.id")
    issuer: str
    bound_at: datetime = _instant()


class QuotaCount(SQLModel, table=True):
    """How often somebody did what has a quota, until its time ends; ``key`` is a digest of the address or the link."""

    __tablename__ = "quota_count"

    key: str = Field(primary_key=True, max_length=128)
    count: int
    ends_at: datetime = _instant(index=True)


class SignInChallenge(SQLModel, table=True):
    """What a browser was given to answer once, kept as its SHA-256; ``back`` is the page to go on to.

    ``session_id`` is the session that the browser had then, if any: it ends once somebody is signed in by the answer.
    """

    __tablename__ = "sign_in_challenge"

    digest: str = Field(primary_key=True, max_length=64)
    purpose: ChallengePurpose = _word(ChallengePurpose)
    account_id: UUID | None = Field(default=None, foreign_key="account.id")
    back: str = "/"
    session_id: UUID | None = Field(default=None, foreign_key="web_session.id")
    expires_at: datetime = _instant(index=True)
