"""What crosses the border between workflows and the rest: one frozen model per message, in and out.

Messages carry ids, instants and counts, never what a person wrote. A field added later gets a default, since
histories written before it are replayed.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from models.enums import FactStatus, NoticeKind


class Message(BaseModel):
    """Base of all messages."""

    model_config = ConfigDict(frozen=True)


class AnchorValue(Message):
    """One dated fact: an instant, or a day, or a range of days; none of them when it is unknown."""

    name: str
    instant: datetime | None = None
    first_day: date | None = None
    last_day: date | None = None


class NoticePolicy(Message):
    """How notices leave, pinned for a case when it is opened.

    ``release`` is ``officer`` (drafts wait for a person until the last safe moment) or ``immediate``;
    ``last_safe_minutes`` is how long before the due instant a draft goes out unreleased; ``reminder_fractions`` are
    the parts of its time after which an officer is reminded of it; ``supplement_minutes`` is how long a supplement
    gathers further facts before it leaves; ``chase_hours`` after a notice its LEA is asked to acknowledge it.
    """

    release: Literal["officer", "immediate"] = "officer"
    last_safe_minutes: int = 60
    reminder_fractions: tuple[float, ...] = ()
    supplement_minutes: int = 60
    chase_hours: tuple[int, ...] = ()


class ConfirmBreach(Message):
    """An officer confirms that the suspected breach happened, as of ``confirmed_at``."""

    act: Literal["confirm"] = "confirm"
    confirmed_at: datetime
    actor: str


class DismissBreach(Message):
    """An officer finds that there was no breach; the reason is an artifact."""

    act: Literal["dismiss"] = "dismiss"
    reason_sha256: str
    actor: str


class SetAnchor(Message):
    """An officer gives a dated fact, or corrects one, which takes a reason; for one agreement only, if it is named."""

    act: Literal["set-anchor"] = "set-anchor"
    anchor: AnchorValue
    actor: str
    reason_sha256: str | None = None
    agreement_id: UUID | None = None


class LearnElement(Message):
    """A content element becomes known (its value is an artifact), or is declared impossible to determine."""

    act: Literal["learn"] = "learn"
    element: str
    status: FactStatus
    value_sha256: str | None = None
    actor: str


class ProposeNotRequired(Message):
    """An officer proposes that a clause asks for no notice, on a ground; for all agreements if none is named."""

    act: Literal["propose"] = "propose"
    proposal_id: UUID
    clause: str
    ground: str
    agreements: tuple[UUID, ...] = ()
    reason_sha256: str
    actor: str


class DecideProposal(Message):
    """A second person approves or declines a proposal."""

    act: Literal["decide"] = "decide"
    proposal_id: UUID
    approve: bool
    actor: str


class PlaceHold(Message):
    """Law enforcement asks that notices be held back; who asked, and how, is an artifact."""

    act: Literal["hold"] = "hold"
    hold_id: UUID
    agreement_id: UUID | None = None
    particulars_sha256: str
    shareable: bool = True
    begins_at: datetime
    until: datetime | None = None
    actor: str


class LiftHold(Message):
    """A law-enforcement hold ends."""

    act: Literal["lift"] = "lift"
    hold_id: UUID
    actor: str


class RecordPerformance(Message):
    """An officer records that duties under a clause that no notice performs were done; the proof is an artifact."""

    act: Literal["performance"] = "performance"
    clause: str
    proof_sha256: str
    actor: str


class AdoptTerms(Message):
    """An officer decides that the case shall follow the clauses as they are now; the reason is an artifact."""

    act: Literal["adopt-terms"] = "adopt-terms"
    reason_sha256: str
    actor: str


class WithholdNotices(Message):
    """An officer decides that waiting notices shall not go, even at the last safe moment; of one clause, or all."""

    act: Literal["withhold"] = "withhold"
    reason_sha256: str
    clause: str | None = None
    actor: str


class ExtendScope(Message):
    """Agreements were added to the case in SQL; compute their duties."""

    act: Literal["extend-scope"] = "extend-scope"
    added: int
    actor: str


class DocumentsChanged(Message):
    """Documents were added to the documents for families in SQL, or withdrawn; see whether LEAs lacked them."""

    act: Literal["documents-changed"] = "documents-changed"
    actor: str


class ReleaseNotices(Message):
    """An officer releases the waiting notices of a case; of one clause, or all."""

    act: Literal["release"] = "release"
    actor: str
    clause: str | None = None


CaseAct = Annotated[
    ConfirmBreach
    | DismissBreach
    | SetAnchor
    | LearnElement
    | ProposeNotRequired
    | DecideProposal
    | PlaceHold
    | LiftHold
    | RecordPerformance
    | AdoptTerms
    | WithholdNotices
    | ReleaseNotices
    | ExtendScope
    | DocumentsChanged,
    Field(discriminator="act"),
]
"""What a person can do in a breach case."""


class CaseSummary(Message):
    """How a case stands in SQL.

    ``lacking_notices`` counts LEAs told without every element; ``unacknowledged`` those that have not answered;
    ``due_instants`` are the distinct due instants of open duties, the earliest first.
    """

    open_duties: int = 0
    waiting_notices: int = 0
    next_due_at: datetime | None = None
    lacking_notices: int = 0
    unacknowledged: int = 0
    due_instants: tuple[datetime, ...] = ()


class OpenCase(Message):
    """Pin the terms of a case's agreements and write its first evidence."""

    case_id: UUID


class RecordAct(Message):
    """Store what a person did in a case, with evidence; ``at`` is when the case took the act, at every attempt."""

    case_id: UUID
    act: CaseAct
    at: datetime


class ComputeDuties(Message):
    """Compute every duty of a case from its anchors and holds, and plan the notices that are not yet planned."""

    case_id: UUID
    policy: NoticePolicy = NoticePolicy()


class BatchPlan(Message):
    """One batch of at most 200 notices that share clause, due instant and the moment at which they leave."""

    batch_id: UUID
    kind: NoticeKind
    clause: str
    starts_at: datetime
    due_at: datetime | None
    leaves_at: datetime
    size: int
    withheld: bool = False


class Vocabulary(Message):
    """What the terms of a case's agreements know: dates, content elements, clauses, and grounds for no notice."""

    anchors: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()
    grounds: tuple[str, ...] = ()


class ComputedDuties(Message):
    """What a computation found: all batches not yet sent, how the case stands, and the words its terms know."""

    batches: tuple[BatchPlan, ...] = ()
    summary: CaseSummary = CaseSummary()
    vocabulary: Vocabulary = Vocabulary()


class SendBatch(Message):
    """Send one batch of notices; ``released_by`` is None when nobody released it in time."""

    batch_id: UUID
    released_by: str | None = None


class BatchOutcome(Message):
    """What became of a batch: notices given, those given late, those no contact could be reached for, and refusals."""

    given: int = 0
    late: int = 0
    undelivered: int = 0
    refused: int = 0


class SummariseCase(Message):
    """Ask how a case stands in SQL."""

    case_id: UUID


class RemindOfficer(Message):
    """Tell the officer of notices under one clause that wait for release; ``due_at`` names the cohort."""

    case_id: UUID
    clause: str
    due_at: datetime
    fraction: float


class RaiseOverdue(Message):
    """Raise every duty of a case that is overdue, or cannot be performed by any contact, each once."""

    case_id: UUID


class ChaseAcknowledgements(Message):
    """Ask the LEAs that have not acknowledged a notice by now to do so."""

    case_id: UUID
    chase_hours: tuple[int, ...]


class CloseCase(Message):
    """Close a case in which no duty is open."""

    case_id: UUID


class Sweep(Message):
    """Look for what was overlooked; what happened less than ``grace_minutes`` ago may still be on its way."""

    grace_minutes: int = 10


class Swept(Message):
    """What a sweep found.

    ``restarted`` counts cases started again, ``stuck`` what was raised anew, ``overdue`` cases with overdue duties not
    yet raised, ``troubled`` cases seen that do not go on, ``handed_on`` cases told to look at what SQL holds.
    """

    restarted: int = 0
    stuck: int = 0
    overdue: int = 0
    troubled: int = 0
    handed_on: int = 0
