"""What each act of a person in a case attests, one class an act."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from ledger.entries import CaseEvent, DatedFact, IfAny, Kept, Subject
from models.enums import FactStatus, Verdict


class _Act(CaseEvent):
    """An act that is told from another of its kind by what it is about and by its instant."""

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.case_id}:{self.subject}:{self.at.isoformat()}"


class AnchorRecorded(_Act):
    """A dated fact was given.

    Attributes:
        anchor: the dated fact; its name is the subject.
        before: what it replaces.
        agreement: the agreement it holds for; left out where it is for the whole case.
        reason_sha256: why it was changed.
    """

    kind = "anchor_recorded"
    anchor: DatedFact
    before: tuple[DatedFact, ...]
    agreement: IfAny[UUID | None] = None
    reason_sha256: Kept[str | None] = None

    @property
    def subject(self) -> str:
        return self.anchor.name

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.case_id}:{self.subject}:{self.agreement}:{self.at.isoformat()}"


class AnchorCorrected(AnchorRecorded):
    """A dated fact was corrected."""

    kind = "anchor_corrected"


class FactRecorded(_Act):
    """What is known of a content element was recorded.

    Attributes:
        element: the content element; the subject too.
        status: known, or declared impossible to determine.
        value_sha256: what is known.
    """

    kind = "fact_recorded"
    element: str
    status: FactStatus
    value_sha256: Kept[str | None]

    @property
    def subject(self) -> str:
        return self.element


class NoticeWithheld(_Act):
    """Notices that wait were withheld.

    Attributes:
        clause: those under one clause, or None for all of the case.
        reason_sha256: why.
    """

    kind = "notice_withheld"
    clause: str | None
    reason_sha256: Kept[str]


class NotRequiredProposed(_Act):
    """It was proposed that a clause asks for no notice.

    Attributes:
        proposal_id: the proposal.
        clause: the clause.
        ground: the ground that the clause names.
        agreements: the agreements it is proposed for; empty for all.
        reason_sha256: why.
    """

    kind = "not_required_proposed"
    proposal_id: Subject[UUID]
    clause: str
    ground: str
    agreements: tuple[UUID, ...]
    reason_sha256: Kept[str]


class NotRequiredDecided(_Act):
    """A second person decided about such a proposal.

    Attributes:
        proposal_id: the proposal.
        approved: what was decided.
        proposed_by: who proposed it.
        clause: the clause.
        ground: the ground that the clause names.
        duties: the duties that are not required by this.
        reason_sha256: why it was proposed.
    """

    kind = "not_required_decided"
    proposal_id: Subject[UUID]
    approved: bool
    proposed_by: str
    clause: str
    ground: str
    duties: tuple[UUID, ...]
    reason_sha256: Kept[str]


class HoldPlaced(_Act):
    """A request of law enforcement to hold notices back was recorded.

    Attributes:
        hold_id: the hold.
        agreement: the agreement it is about, or None for the whole case.
        begins_at: from when it holds.
        until: until when, or None where it says none.
        shareable: whether LEAs may be told of it.
        particulars_sha256: who asked, and how.
    """

    kind = "hold_placed"
    hold_id: Subject[UUID]
    agreement: UUID | None
    begins_at: datetime
    until: datetime | None
    shareable: bool
    particulars_sha256: Kept[str]


class HoldLifted(_Act):
    """A hold was lifted.

    Attributes:
        hold_id: the hold.
    """

    kind = "hold_lifted"
    hold_id: Subject[UUID]


class DutyPerformed(_Act):
    """Duties were recorded as performed by other means than a notice of ours.

    Attributes:
        clause: the clause that sets them; the subject too.
        duties: each duty with how it was met.
        proof_sha256: the proof.
    """

    kind = "duty_performed"
    clause: str
    duties: dict[UUID, Verdict | None]
    proof_sha256: Kept[str]

    @property
    def subject(self) -> str:
        return self.clause


class TermsAdopted(_Act):
    """An open case took over the clauses as they are now.

    Attributes:
        reason_sha256: why.
    """

    kind = "terms_adopted"
    reason_sha256: Kept[str]


class CaseDismissed(_Act):
    """A suspicion was found to be none.

    Attributes:
        reason_sha256: why.
    """

    kind = "case_dismissed"
    reason_sha256: Kept[str]
