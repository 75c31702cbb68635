"""What pages and commands show: read-only pictures of cases, duties, notices and evidence, read from SQL."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from cases.values import AnchorValue
from models.enums import (
    OPEN_STATUSES,
    SETTLED,
    BatchStatus,
    CaseStatus,
    DeliveryStatus,
    DutyStatus,
    FactStatus,
    HolderAnswerKind,
    HolderMail,
    HolderStatus,
    NoticeKind,
    Party,
    PerformedBy,
    Verdict,
)
from records.legal_holds import LegalHoldView
from records.view import View
from terms.effective import TrailStep


class AgreementView(View):
    """One agreement in a list; ``contacts`` counts those that can be written to, ``failing`` those known to fail.

    ``exhibit_h_note`` is what was noted of its Exhibit H when it was imported.
    """

    id: UUID
    reference: str
    form: str
    state: str
    lea_name: str
    time_zone: str
    executed_on: date
    expires_on: date | None
    exhibit_h_note: str | None
    contacts: int
    failing: int


class AgreementKinds(View):
    """How many agreements there are, and the states, forms and time zones that occur in them."""

    total: int
    states: tuple[str, ...]
    forms: tuple[str, ...]
    zones: tuple[str, ...]


class CaseRow(View):
    """One case in the list of cases; ``troubled`` is whether the watchdog found that it does not go on."""

    id: UUID
    kind: str
    title: str
    status: CaseStatus
    opened_at: datetime
    agreements: int
    open_duties: int
    overdue_duties: int
    next_due_at: datetime | None
    troubled: bool


class DeliveryView(View):
    """One notice to one contact, with the server's answer and the message as sent.

    ``again_at`` is when it is tried again; ``vouched_by`` who said that it arrived, where the server did not.
    """

    contact_name: str
    contact_email: str
    status: DeliveryStatus
    attempts: int
    attempted_at: datetime | None
    again_at: datetime | None
    vouched_by: str | None
    settled_at: datetime | None
    answer: str | None
    message_sha256: str


class NoticeView(View):
    """One notice of a duty; ``given`` and ``lacking`` are labels of content elements.

    ``waited`` is whether it was drafted to wait for a release, rather than to leave at once. ``vouched`` is whether
    ``given_at`` is a person's word, and no answer of the mail server's.
    """

    id: UUID
    kind: NoticeKind
    batch_status: BatchStatus
    given: tuple[str, ...]
    lacking: tuple[str, ...]
    given_at: datetime | None
    released_by: str | None
    waited: bool
    vouched: bool
    deliveries: tuple[DeliveryView, ...]


class DutyView(View):
    """One duty with its due instant and why it is due then.

    ``due_local`` is the due
    instant in the LEA's zone; ``overdue`` is computed at the moment of reading; ``suspendable`` is whether a
    law-enforcement hold stops its clock; ``lacking`` holds the labels of what the LEA is still to be told,
    ``waits_for`` those of what is required at once and missing, so that it cannot be performed yet.
    """

    id: UUID
    agreement_id: UUID
    reference: str
    lea_name: str
    state: str
    form: str
    time_zone: str
    clause: str
    title: str
    owed_by: Party
    owed_to: Party
    status: DutyStatus
    anchor: str | None
    starts_at: datetime | None
    due_at: datetime | None
    due_local: str | None
    limit: str
    why: tuple[str, ...]
    flags: tuple[str, ...]
    trail: tuple[TrailStep, ...]
    terms_hash: str
    occurrence: int
    performed_by: PerformedBy
    waits_for: tuple[str, ...]
    performed_at: datetime | None
    verdict: Verdict | None
    overdue: bool
    suspendable: bool
    lacking: tuple[str, ...]
    notices: tuple[NoticeView, ...]


class EvidenceView(View):
    """One entry of the ledger, in order."""

    number: int
    at: datetime
    kind: str
    subject: str | None
    actor: str
    body: dict[str, Any]
    artifacts: tuple[str, ...]
    hash: str
    previous_hash: str


class TroubleView(View):
    """Something that keeps notices from leaving, and since when (for example the mail server is down)."""

    sentence: str
    since: datetime
    notices: int


class HoldView(View):
    """A law-enforcement hold, for one agreement or, without ``reference``, for the whole case.

    ``particulars`` is what the officer wrote: the agency, its reference, who asked. ``ended_at`` is when it was
    lifted or ended by itself.
    """

    id: UUID
    reference: str | None
    lea_name: str | None
    particulars: str
    shareable: bool
    begins_at: datetime
    until: datetime | None
    placed_by: str
    placed_at: datetime
    lifted_by: str | None
    ended_at: datetime | None

    def binds(self, reference: str) -> bool:
        """Whether it lasts and reaches the agreement of this reference."""
        return self.ended_at is None and self.reference in (None, reference)


class ProposalView(View):
    """A proposal that a clause asks for no notice; ``references`` is empty where it is for every agreement.

    Where ``holder`` is named, it is that nobody waits for that holder of data any more.
    """

    id: UUID
    holder: str | None = None
    clause: str
    ground: str
    references: tuple[str, ...]
    reason: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    approved: bool | None

    def settles(self, duty: DutyView) -> bool:
        """Whether it is why a duty is not required."""
        return (
            bool(self.approved)
            and self.holder is None
            and duty.clause == self.clause
            and duty.reference in (self.references or (duty.reference,))
        )


class WithholdingEnd(View):
    """Who released what was withheld, and when: of one clause, or all of it."""

    clause: str | None
    by: str
    at: datetime


class WithholdingView(View):
    """A decision to keep waiting notices back: of one clause, or of all.

    ``lasts`` is whether it keeps any back now; ``ended`` are the releases that ended it, in whole or in part.
    """

    clause: str | None
    reason: str
    decided_by: str
    decided_at: datetime
    lasts: bool
    ended: tuple[WithholdingEnd, ...]


class FactView(View):
    """One content element that the case's terms ask for, and what is known of it.

    ``source`` says where its value comes from (``fact:…`` and ``artifact:…`` are what an officer tells; the others
    follow from the case); ``lacking`` counts the LEAs that were told without it and still wait for it.
    """

    element: str
    label: str
    source: str
    status: FactStatus | None
    value: str | None
    recorded_by: str | None
    recorded_at: datetime | None
    lacking: int

    @property
    def told_by_officer(self) -> bool:
        """Whether an officer says what it is."""
        return self.source.partition(":")[0] in ("fact", "artifact")


class ProgressView(View):
    """How far the notices of one kind under one clause have come, while some of them are being sent."""

    clause: str
    kind: NoticeKind
    given: int
    total: int


class CohortView(View):
    """The duties of a case under one clause that are due at the same instant; ``late`` counts overdue ones too.

    ``waiting`` and ``withheld`` count its notices that have not left; ``leaves_at`` is when the next of those that
    wait goes by itself.
    """

    clause: str
    title: str
    due_at: datetime | None
    statuses: dict[DutyStatus, int]
    late: int
    overdue: int
    suspendable: bool
    waiting: int
    withheld: int
    leaves_at: datetime | None

    @property
    def total(self) -> int:
        """How many duties it has."""
        return sum(self.statuses.values())

    @property
    def open(self) -> int:
        """How many of them are open."""
        return sum(count for status, count in self.statuses.items() if status in OPEN_STATUSES)


class QuestionView(View):
    """A dated fact that people are asked for as a decision, and what was decided of it, if anything was.

    ``duties`` are the titles of what waits for it. It is ``open`` until it was decided, and again from ``again_at`` on.
    """

    name: str
    label: str
    duties: tuple[str, ...]
    open: bool
    decided: str | None = None
    decided_by: str | None = None
    again_at: datetime | None = None


class HolderAnswerView(View):
    """What a holder of data said: ``lines`` are what people call each part, and what was given."""

    kind: HolderAnswerKind
    given_at: datetime
    given_by: str
    lines: tuple[tuple[str, str], ...]
    decided_by: str | None
    decided_at: datetime | None
    accepted: bool | None
    superseded_at: datetime | None


class HolderLetterView(View):
    """A message that a holder was sent, without its link."""

    why: HolderMail
    at: datetime
    message_sha256: str
    rejected: bool
    unknown: bool


class HolderView(View):
    """One holder of a case's data: what is awaited from it, what it said and what it was written.

    ``name`` is that by which acts call it, ``provider`` for the party that owes the disposal.
    """

    name: str
    email: str | None
    data: str | None
    time_zone: str
    status: HolderStatus
    due_at: datetime | None
    asked_at: datetime | None
    again_at: datetime | None
    link_expires_at: datetime | None
    answers: tuple[HolderAnswerView, ...]
    letters: tuple[HolderLetterView, ...]

    @property
    def is_settled(self) -> bool:
        """Whether nothing is awaited from it any more."""
        return self.status in SETTLED

    @property
    def acts(self) -> tuple[str, ...]:
        """The names of the acts that make sense about it now, of those that its kind knows."""
        if self.status is HolderStatus.ANSWERED:
            return ("accept-answer", "refuse-answer", *self._waiving)
        return () if self.is_settled else (*self._waiving, *(("revoke-link",) if self.link_expires_at else ()))

    @property
    def _waiving(self) -> tuple[str, ...]:
        return () if self.email is None else ("propose-waiver",)


class CaseHead(View):
    """One case without its duties and its evidence: what is known, decided and under way.

    ``shown`` are the facts that its kind shows first, by what people call them. ``clauses`` and ``grounds`` are what
    its terms know, each with its text; ``dates`` are the names of the dated facts that its clocks and notices can use.
    ``questions`` are what is asked as a decision, those still open first. ``computing`` is whether something recorded
    is not yet in its duties; ``kept_by`` are the legal holds that keep its data. ``own_acts`` are the acts of its kind
    alone that make sense now, ``offered`` the others that its page offers as forms.
    """

    id: UUID
    title: str
    status: CaseStatus
    opened_at: datetime
    closed_at: datetime | None
    kind: str
    anchors: tuple[AnchorValue, ...]
    shown: dict[str, str]
    agreements: int
    zones: tuple[str, ...]
    clauses: dict[str, str]
    grounds: dict[str, str]
    dates: dict[str, str]
    questions: tuple[QuestionView, ...]
    facts: tuple[FactView, ...]
    holds: tuple[HoldView, ...]
    holders: tuple[HolderView, ...] = ()
    kept_by: tuple[LegalHoldView, ...] = ()
    proposals: tuple[ProposalView, ...]
    withholdings: tuple[WithholdingView, ...]
    progress: tuple[ProgressView, ...]
    troubles: tuple[TroubleView, ...]
    open_duties: int
    waiting_notices: int
    withheld_notices: int
    computing: bool
    own_acts: tuple[str, ...]
    offered: tuple[str, ...]
    can_release: bool

    @property
    def choices(self) -> dict[str, dict[str, str]]:
        """What an act's fields are chosen from, by the name of the choice: each word with its text."""
        elements = {fact.element: fact.label for fact in self.facts if fact.told_by_officer}
        asked = {question.name: question.label for question in self.questions}
        return {
            "clauses": self.clauses,
            "grounds": self.grounds,
            "dates": self.dates,
            "elements": elements,
            "asked": asked,
            "holders": {holder.name: holder.name for holder in self.holders},
        }

    @property
    def is_over(self) -> bool:
        """Whether nothing can be done in it any more."""
        return self.status in (CaseStatus.CLOSED, CaseStatus.DISMISSED)

    def runs_on(self, duty: DutyView) -> bool:
        """Whether a duty's clock runs although a hold binds its agreement."""
        held = any(hold.binds(duty.reference) for hold in self.holds)
        return held and duty.status is DutyStatus.RUNNING and not duty.suspendable


class CaseView(CaseHead):
    """One case, whole."""

    duties: tuple[DutyView, ...]
    evidence: tuple[EvidenceView, ...]
