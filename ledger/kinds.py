"""What an entry of the ledger can attest. A word, once used, keeps its meaning; new ones are added freely."""

from __future__ import annotations

from enum import StrEnum


class EvidenceKind(StrEnum):
    """The kinds of evidence; each says what happened, in the past tense."""

    AGREEMENT_IMPORTED = "agreement_imported"
    AGREEMENT_AMENDED = "agreement_amended"
    CALENDAR_IMPORTED = "calendar_imported"

    CASE_OPENED = "case_opened"
    CASE_DISMISSED = "case_dismissed"
    CASE_CLOSED = "case_closed"
    SCOPE_ADDED = "scope_added"
    TERMS_PINNED = "terms_pinned"
    ANCHOR_RECORDED = "anchor_recorded"
    ANCHOR_CORRECTED = "anchor_corrected"
    FACT_RECORDED = "fact_recorded"
    HOLD_PLACED = "hold_placed"
    HOLD_LIFTED = "hold_lifted"
    NOT_REQUIRED_PROPOSED = "not_required_proposed"
    NOT_REQUIRED_DECIDED = "not_required_decided"
    TERMS_ADOPTED = "terms_adopted"

    DUTY_COMPUTED = "duty_computed"
    DUTY_PERFORMED = "duty_performed"

    NOTICE_COMPOSED = "notice_composed"
    NOTICE_RELEASED = "notice_released"
    NOTICE_WITHHELD = "notice_withheld"
    NOTICE_GIVEN = "notice_given"
    REMINDER_SENT = "reminder_sent"
    ESCALATED = "escalated"
    CASE_RESTARTED = "case_restarted"
    WATCHDOG_RAISED = "watchdog_raised"

    COPY_GIVEN = "copy_given"
    DELIVERY_REJECTED = "delivery_rejected"
    DELIVERY_UNKNOWN = "delivery_unknown"
    DELIVERY_TROUBLED = "delivery_troubled"
    DELIVERY_BOUNCED = "delivery_bounced"
    NOTICE_ACKNOWLEDGED = "notice_acknowledged"

    QUESTION_ASKED = "question_asked"
    CONTACT_NAMED = "contact_named"
    CONTACT_ADOPTED = "contact_adopted"
    ANSWER_SETTLED = "answer_settled"
    DOCUMENT_ADDED = "document_added"
    DOCUMENT_WITHDRAWN = "document_withdrawn"
    DOCUMENT_FETCHED = "document_fetched"
    COST_RECORDED = "cost_recorded"
