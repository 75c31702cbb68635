"""What pages and commands show: read-only pictures of cases, duties, notices and evidence, read from SQL."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from agreements.legal_holds import LegalHoldView
from cases.values import AnchorValue
from models.enums import (
    OPEN_STATUSES,
    SETTLED,
    SIDES,
    AgreementChangeKind,
    BatchStatus,
    CaseStatus,
    ContactRole,
    DeliveryStatus,
    DutyStatus,
    EndedBy,
    FactStatus,
    HolderAnswerKind,
    HolderMail,
    HolderStatus,
    LifeAct,
    NoticeKind,
    Party,
    PerformedBy,
    ProposalKind,
    ReportKind,
    Verdict,
)
from models.view import View
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
    terminated_on: date | None
    exhibit_h_note: str | None
    contacts: int
    failing: int


class AgreementChangeView(View):
    """What somebody recorded of an agreement's life, and whether it was taken back."""

    kind: AgreementChangeKind
    day: date
    ended_by: EndedBy | None
    reason: str | None
    recorded_by: str
    recorded_at: datetime
    taken_back_by: str | None
    taken_back_at: datetime | None
    taken_back_because: str | None


class AgreementContactView(View):
    """A contact of the other side; ``failing_since`` is since when mail does not reach it."""

    role: ContactRole
    name: str
    email: str
    postal_address: str | None
    failing_since: datetime | None


class AgreementLifeView(View):
    """One agreement: whether it is in force, what follows from its end, and what was recorded of it, the last first.

    ``follows`` says what follows, in a sentence; ``case_id`` is the open case about its end. ``to_open`` is whether an
    officer is to open one; ``survives`` whether it has ended and data of it is left, as far as is known, so that what
    protects that lasts until it is disposed of.
    """

    id: UUID
    reference: str
    form: str
    state: str
    lea_name: str
    time_zone: str
    executed_on: date
    expires_on: date | None
    terminated_on: date | None
    renewal_expected_on: date | None
    ended_on: date | None
    ended_by: EndedBy | None
    follows: str | None
    case_id: UUID | None
    to_open: bool
    survives: bool
    contacts: tuple[AgreementContactView, ...]
    changes: tuple[AgreementChangeView, ...]

    @property
    def acts(self) -> tuple[LifeAct, ...]:
        """What may be recorded of it as things stand."""
        renewal = LifeAct.RENEWAL_FAILED if self.renewal_expected_on else LifeAct.EXPECT_RENEWAL
        lasting = (LifeAct.TERMINATE, LifeAct.RENEW, renewal)
        stands = any(change.taken_back_at is None for change in self.changes)
        return (*(() if self.terminated_on else lasting), *((LifeAct.TAKE_BACK,) if stands else ()))


class AgreementKinds(View):
    """How many agreements there are, and the states, forms and time zones that occur in them."""

    total: int
    states: tuple[str, ...]
    forms: tuple[str, ...]
    zones: tuple[str, ...]


class CaseRow(View):
    """One case in the list of cases; ``troubled`` is whether the watchdog found that it does not go on.

    ``by_other_means`` counts what two people recorded as done by other means than the engine's, and did not take back.
    ``next_internal_at`` is the first internal date, where one comes before ``next_due_at``; ``past_internal`` counts
    duties that are past theirs and not overdue.
    """

    id: UUID
    kind: str
    title: str
    status: CaseStatus
    opened_at: datetime
    agreements: int
    open_duties: int
    overdue_duties: int
    past_internal: int
    next_due_at: datetime | None
    next_internal_at: datetime | None
    by_other_means: int
    troubled: bool


class ReportView(View):
    """What came back about one attempt to deliver: what it says became of the message, and in the server's words.

    ``of_contact`` is whether it is about this contact; one that is not changes nothing.
    """

    id: UUID
    kind: ReportKind
    of_contact: bool
    attempt: int
    status: str | None
    says: str | None
    via: str
    received_at: datetime
    report_sha256: str


class DeliveryView(View):
    """One notice to one contact, with the server's answer, the message as sent, and what came back about it.

    ``again_at`` is when it is tried again; ``vouched_by`` who said that it arrived, where the server did not.
    ``reply_status`` is the enhanced status code of the answer, ``queue_id`` the server's own name for the message, and
    ``tls_version`` and ``tls_certificate`` how the connection was protected, and whom the server's certificate named.
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
    reply_status: str | None
    queue_id: str | None
    tls_version: str | None
    tls_certificate: str | None
    message_sha256: str
    reports: tuple[ReportView, ...] = ()


class OverdueLetterView(View):
    """One letter that tells a contact that a duty is overdue; ``status`` is what became of it.

    ``text`` are the officer's words; ``again_at`` is when it is tried again; ``message_sha256`` is the letter as sent.
    """

    contact_name: str
    contact_email: str
    is_copy: bool
    text: str
    written_by: str
    written_at: datetime
    status: DeliveryStatus
    settled_at: datetime | None
    again_at: datetime | None
    message_sha256: str | None


class LetterView(View):
    """A notice as a letter to be posted, and what somebody says of that: the engine sees nothing of the post.

    ``mailed_at`` is when ``mailed_by`` says that it was handed to the post; it gives the notice at ``effective_at``, on
    that word, or not at all. ``took_effect_at`` is when that was written down.
    """

    id: UUID
    contact_name: str
    made_at: datetime
    mailed_at: datetime | None
    mailed_by: str | None
    effective_at: datetime | None
    took_effect_at: datetime | None

    @property
    def gave_notice(self) -> bool:
        """Whether it took effect, on a person's word."""
        return self.took_effect_at is not None


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
    has_link: bool
    released_by: str | None
    waited: bool
    vouched: bool
    deliveries: tuple[DeliveryView, ...]
    letter: LetterView | None = None

    @property
    def stands(self) -> str:
        """How it stands, in a word: as its batch does, but that what left and reached nobody is not called sent."""
        if self.given_at:
            return str(BatchStatus.SENT)
        if self.letter:
            return "letter_posted" if self.letter.mailed_at else "letter_to_post"
        if self.batch_status is not BatchStatus.SENT:
            return str(self.batch_status)
        unknown = any(delivery.status is DeliveryStatus.UNKNOWN for delivery in self.deliveries)
        return str(DeliveryStatus.UNKNOWN) if unknown else "not_delivered"


class OtherMeansView(View):
    """By what other means than the engine's a duty was performed, on whose word, and who approved that.

    ``how`` and ``to_whom`` are what the first of the two wrote; ``proof_sha256`` names the file that proves it.
    """

    proposal_id: UUID
    on_the_word_of: str
    approved_by: str
    approved_at: datetime
    how: str
    to_whom: str | None
    proof_sha256: str


class DutyView(View):
    """One duty with its due instant and why it is due then.

    ``by_other_means`` is set where people say that it was performed, and no notice of the engine did. It was
    ``reopened_at`` when the notice that had performed it came back. ``due_local`` is the due instant in the LEA's zone;
    ``overdue`` is computed at the moment of reading, as is whether it is ``past_internal``, its internal date, and not
    overdue; ``suspendable`` is whether a
    law-enforcement hold stops its clock; ``lacking`` holds the labels of what the LEA is still to be told,
    ``waits_for`` those of what is required at once and missing, so that it cannot be performed yet;
    ``overdue_letters`` tell the other side that it is overdue, the latest first, and perform nothing.
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
    internal_due_at: datetime | None
    limit: str
    why: tuple[str, ...]
    flags: tuple[str, ...]
    trail: tuple[TrailStep, ...]
    terms_hash: str
    occurrence: int
    performed_by: PerformedBy
    waits_for: tuple[str, ...]
    performed_at: datetime | None
    reopened_at: datetime | None
    verdict: Verdict | None
    by_other_means: OtherMeansView | None
    overdue: bool
    past_internal: bool
    suspendable: bool
    lacking: tuple[str, ...]
    notices: tuple[NoticeView, ...]
    overdue_letters: tuple[OverdueLetterView, ...] = ()

    def is_to_be_told_by(self, side: Party) -> bool:
        """Whether ``side`` may tell the other one that it is overdue."""
        return self.overdue and self.owed_by is side and self.owed_to in SIDES - {side}


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


ProposalOutcome = Literal["open", "approved", "declined", "withdrawn", "taken_back"]
"""What became of a proposal: ``withdrawn`` by whoever made it, ``taken_back`` by a correction after it was approved."""


class ProposalView(View):
    """What one person proposed about a clause and a second one decides; ``references`` is empty where it is for all.

    ``ground`` is why no notice is required; ``done_at``, ``how``, ``to_whom`` and ``proof_sha256`` are what is said of
    duties performed by other means; ``holder`` is the holder of data for whom nobody is to wait. Where nothing is left
    that an approval could change, nothing more follows from it.
    """

    id: UUID
    kind: ProposalKind
    holder: str | None
    clause: str | None
    ground: str | None
    references: tuple[str, ...]
    reason: str | None
    done_at: datetime | None
    how: str | None
    to_whom: str | None
    proof_sha256: str | None
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    approved: bool | None
    undone_by: str | None
    undone_at: datetime | None
    undone_reason: str | None

    @property
    def outcome(self) -> ProposalOutcome:
        """What became of it."""
        if self.decided_at is None:
            return "open"
        if self.approved:
            return "taken_back" if self.undone_at else "approved"
        return "withdrawn" if self.decided_by == self.proposed_by else "declined"

    def settles(self, duty: DutyView) -> bool:
        """Whether it is why a duty is not required."""
        return (
            self.kind is ProposalKind.NOT_REQUIRED
            and bool(self.approved)
            and duty.clause == self.clause
            and duty.reference in (self.references or (duty.reference,))
        )


class ProposedDuty(View):
    """One duty that an approval would change, or changed; ``verdict`` is how it would be met by the date given."""

    id: UUID
    reference: str
    lea_name: str
    title: str
    due_at: datetime | None
    time_zone: str
    status: DutyStatus
    asks_for: tuple[str, ...]
    verdict: Verdict | None


class ProposalDetail(View):
    """A proposal with all that a second person needs to decide it.

    ``duties`` are those that it is about, as many as a page shows of ``total``; ``notices`` counts the notices that an
    approval keeps from leaving.
    """

    proposal: ProposalView
    duties: tuple[ProposedDuty, ...]
    total: int
    notices: int


class WithholdingEnd(View):
    """How a decision to withhold ended for the notices of one clause, or all: somebody released them, or it lapsed.

    ``by`` is None where it lapsed: one person had taken it, and the last safe moment came.
    """

    clause: str | None
    by: str | None
    at: datetime


class WithholdingView(View):
    """A decision to keep waiting notices back: of one clause, or of all.

    ``lasts`` is whether it keeps any back now; ``lapses_at`` is when the first of them leave nevertheless, since one
    person alone decided it, and ``approved_by`` the second person, with whom it lasts until a release. ``ended`` says
    how it ended, in whole or in part.
    """

    clause: str | None
    reason: str
    decided_by: str
    decided_at: datetime
    proposal_id: UUID | None
    approved_by: str | None
    lapses_at: datetime | None
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

    @property
    def dated_by(self) -> str:
        """The dated fact that it is, blank where it is none."""
        origin, _, name = self.source.partition(":")
        return name if origin == "anchor" else ""


class ProgressView(View):
    """How far the notices of one kind under one clause have come, while some of them are being sent."""

    clause: str
    kind: NoticeKind
    given: int
    total: int


class CohortView(View):
    """The duties of a case under one clause that are due at the same instant; ``late`` counts overdue ones too.

    ``by_other_means`` counts those that people say were performed by other means than the engine's.

    ``waiting`` and ``withheld`` count its notices that have not left; ``leaves_at`` is when the next of those that
    wait goes by itself. ``internal_due_at`` is the first internal date of those that run, where there is one;
    ``past_internal`` counts those that are past theirs, and not overdue.
    """

    clause: str
    title: str
    due_at: datetime | None
    internal_due_at: datetime | None
    past_internal: int
    statuses: dict[DutyStatus, int]
    late: int
    by_other_means: int
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
    early: bool
    superseded_at: datetime | None


class HolderLetterView(View):
    """A message that a holder was sent, without its link."""

    why: HolderMail
    at: datetime
    message_sha256: str
    rejected: bool
    unknown: bool


class ReturnedMailView(View):
    """A mail that is no notice and came back, or was refused; ``sort`` is its template, ``to`` its reader's name."""

    sort: str
    to: str
    at: datetime
    status: str | None
    says: str | None
    message_sha256: str | None


class HolderView(View):
    """One holder of a case's data: what is awaited from it, what it said and what it was written.

    ``name`` is that by which acts call it, ``provider`` for the party that is ``owing`` the disposal; people call it as
    ``called`` says, or our organisation where that is None. By ``key`` it is found in all cases. ``unreached_since`` is
    since when its address refuses our mail, or lets it come back; ``unreached_says`` is what the mail server said.
    """

    name: str
    owing: bool
    called: str | None
    email: str | None
    key: str
    data: str | None
    time_zone: str
    status: HolderStatus
    due_at: datetime | None
    internal_due_at: datetime | None
    not_before: datetime | None
    waits: bool
    asked_at: datetime | None
    again_at: datetime | None
    link_expires_at: datetime | None
    unreached_since: datetime | None
    unreached_says: str | None
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
        return () if self.owing else ("propose-waiver",)


class ConflictView(View):
    """Another case that ``keeps`` the data which this one is to dispose of, or whose disposal this one keeps back.

    ``lifted_because`` is why a person found that the two are about other data, where one did.
    """

    id: UUID
    reference: str
    title: str
    kind: str
    keeps: bool
    lifted_by: str | None = None
    lifted_at: datetime | None = None
    lifted_because: str | None = None


class CaseHead(View):
    """One case without its duties and its evidence: what is known, decided and under way.

    ``shown`` are the facts that its kind shows first, by what people call them. ``clauses`` and ``grounds`` are what
    its terms know, each with its text; ``dates`` are the names of the dated facts that its clocks and notices can use
    and that a date alone gives.
    ``delayed_by_hold`` are the titles of the clauses whose clocks a law-enforcement hold stops, ``run_on_in_hold``
    of those that it does not; one that differs between agreements is both. ``questions`` are what is asked as a
    decision, those still open first. ``computing`` is whether something recorded is not yet in its duties;
    ``kept_by`` are the legal holds that keep its data, ``conflicts`` the other cases with which it does not go
    together. ``awaits_answer`` is whether somebody outside was asked and has not answered. ``own_acts`` are the
    acts of its kind alone that make sense now, ``offered`` the others that its page offers as forms.
    ``responsible`` and ``deputy`` are whose it is, as far as their accounts are in use; ``assignable`` are the
    accounts whose it could be. ``reasons`` are the grounds on which its LEAs may exercise what its notices offer.
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
    delayed_by_hold: tuple[str, ...]
    run_on_in_hold: tuple[str, ...]
    questions: tuple[QuestionView, ...]
    facts: tuple[FactView, ...]
    holds: tuple[HoldView, ...]
    holders: tuple[HolderView, ...] = ()
    came_back: tuple[ReturnedMailView, ...] = ()
    kept_by: tuple[LegalHoldView, ...] = ()
    conflicts: tuple[ConflictView, ...] = ()
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
    awaits_answer: bool = False
    can_release: bool
    responsible: str | None
    deputy: str | None
    assignable: tuple[str, ...]
    reasons: dict[str, str]

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
            "reasons": self.reasons,
            "keeping": {row.reference: row.title for row in self.conflicts if row.keeps and not row.lifted_at},
            "accounts": {name: name for name in self.assignable},
        }

    @property
    def facts_to_tell(self) -> tuple[FactView, ...]:
        """The content elements that people tell or a district waits for, with those whose date is not known yet."""
        known = {anchor.name for anchor in self.anchors if anchor.is_known}
        return tuple(
            fact
            for fact in self.facts
            if fact.told_by_officer or fact.lacking or (fact.dated_by in self.dates and fact.dated_by not in known)
        )

    @property
    def done_by_other_means(self) -> tuple[ProposalView, ...]:
        """What is recorded as performed by other means than the engine's, and was not taken back."""
        return tuple(row for row in self.proposals if row.kind is ProposalKind.DONE and row.outcome == "approved")

    @property
    def is_over(self) -> bool:
        """Whether nothing can be done in it any more."""
        return self.status in (CaseStatus.CLOSED, CaseStatus.DISMISSED)

    def runs_on(self, duty: DutyView) -> bool:
        """Whether a duty's clock runs although a hold binds its agreement."""
        held = any(hold.binds(duty.reference) for hold in self.holds)
        return held and duty.status is DutyStatus.RUNNING and not duty.suspendable

    def waits_in_vain(self, duty: DutyView) -> bool:
        """Whether a duty's clock runs although an answer is awaited."""
        return self.awaits_answer and duty.status is DutyStatus.RUNNING


class CaseView(CaseHead):
    """One case, whole."""

    duties: tuple[DutyView, ...]
    evidence: tuple[EvidenceView, ...]
