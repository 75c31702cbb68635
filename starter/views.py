"""What pages and commands show: read-only pictures of cases, duties, notices and evidence, read from SQL."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from models.messages import AnchorValue
from models.words import BatchStatus, CaseStatus, DeliveryStatus, DutyStatus, NoticeKind, Party, Verdict


class View(BaseModel):
    """Base of all views."""

    model_config = ConfigDict(frozen=True)


class AgreementView(View):
    """One agreement in a list; ``contacts`` counts those that can be written to, ``failing`` those known to fail."""

    id: UUID
    reference: str
    form: str
    state: str
    lea_name: str
    time_zone: str
    executed_on: date
    expires_on: date | None
    contacts: int
    failing: int


class CaseRow(View):
    """One case in the list of cases."""

    id: UUID
    title: str
    status: CaseStatus
    opened_at: datetime
    agreements: int
    open_duties: int
    overdue_duties: int
    next_due_at: datetime | None


class DeliveryView(View):
    """One notice to one contact, with the server's answer and the message as sent."""

    contact_name: str
    contact_email: str
    status: DeliveryStatus
    attempts: int
    attempted_at: datetime | None
    settled_at: datetime | None
    answer: str | None
    message_sha256: str


class NoticeView(View):
    """One notice of a duty; ``given`` and ``lacking`` are labels of content elements."""

    id: UUID
    kind: NoticeKind
    batch_status: BatchStatus
    given: tuple[str, ...]
    lacking: tuple[str, ...]
    given_at: datetime | None
    released_by: str | None
    deliveries: tuple[DeliveryView, ...]


class DutyView(View):
    """One duty with its due instant and why it is due then.

    ``trail`` items have the keys ``document``, ``clause``, ``operation`` and ``says``; ``due_local`` is the due
    instant in the LEA's zone; ``overdue`` is reckoned at the moment of reading.
    """

    id: UUID
    agreement_id: UUID
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
    trail: tuple[dict[str, Any], ...]
    terms_hash: str
    discharged_at: datetime | None
    verdict: Verdict | None
    overdue: bool
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


class CaseView(View):
    """One case, whole."""

    id: UUID
    title: str
    status: CaseStatus
    opened_at: datetime
    closed_at: datetime | None
    anchors: tuple[AnchorValue, ...]
    description: str
    data_types: str
    reporter: str
    point_of_contact: str
    duties: tuple[DutyView, ...]
    evidence: tuple[EvidenceView, ...]
    troubles: tuple[TroubleView, ...]
    waiting_notices: int
    can_confirm: bool
    can_release: bool
