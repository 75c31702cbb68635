"""Every identifier the engine makes, built in this one place.

Ids are derived (UUID version 5, RFC 9562) from what they name, so that a retried activity, a re-posted form and
a replayed workflow all arrive at the same row. No identifier holds personal data.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from uuid import UUID, uuid5

from models.enums import NoticeKind

NAMESPACE = UUID("6f3f0a52-3c5c-5d0f-9a51-7f0b6d5d7e11")
"""Root of all derived ids; never changed, since stored ids depend on it."""

TASK_QUEUE = "duenotice"
"""The one Temporal task queue that workers poll."""


def _derived(*parts: object) -> UUID:
    return uuid5(NAMESPACE, "\x1f".join(str(part) for part in parts))


def case_id(kind: str, report_digest: str) -> UUID:
    """The case for one report: the same report always names the same case."""
    return _derived("case", kind, report_digest)


def case_reference(case: UUID) -> str:
    """The short name of a case that both sides can quote."""
    return str(case)[:8].upper()


def ids_of_case(name: str) -> tuple[UUID, UUID] | None:
    """The first and the last id of a case that is called so, by its id or its short name; None for another text."""
    try:
        if len(name) == len(case_reference(UUID(int=0))):
            return UUID(f"{name}{'0' * 24}"), UUID(f"{name}{'f' * 24}")
        return UUID(name), UUID(name)
    except ValueError:
        return None


def agreement_id(reference: str) -> UUID:
    """The agreement that the installation knows under ``reference``."""
    return _derived("agreement", reference)


def duty_id(case: UUID, agreement: UUID, clause: str, occurrence: int = 1) -> UUID:
    """The duty that one clause of one agreement sets in one case, each time it comes round."""
    return _derived("duty", case, agreement, clause, *((occurrence,) if occurrence > 1 else ()))


def upcoming_duty_id(agreement: UUID, clause: str) -> UUID:
    """What one clause of one agreement sets next by the agreement's own dates."""
    return _derived("upcoming-duty", agreement, clause)


def batch_id(case: UUID, kind: NoticeKind, clause: str, first_duty: UUID, planned_at: datetime) -> UUID:
    """One batch of notices, named by its first duty and by when it was planned."""
    return _derived("batch", case, kind.value, clause, first_duty, planned_at.isoformat())


def notice_id(batch: UUID, duty: UUID) -> UUID:
    """The notice that one batch sends for one duty."""
    return _derived("notice", batch, duty)


def delivery_id(notice: UUID, contact: UUID) -> UUID:
    """One notice to one contact."""
    return _derived("delivery", notice, contact)


def letter_id(act: UUID, contact: UUID | None = None) -> UUID:
    """The letter that one act writes: to a contact, or, with none, to who asked."""
    return _derived("letter", act, contact)


def postal_letter_id(notice: UUID, contact: UUID, letter_sha256: str) -> UUID:
    """The id of one letter to one contact by post: what is written anew, or for another address, is another letter."""
    return _derived("postal-letter", notice, contact, letter_sha256)


def report_id(source: str) -> UUID:
    """One report of what became of a message, by what its sender calls it."""
    return _derived("delivery-report", source)


def plain_mail_id(key: str) -> UUID:
    """One message that is no notice, named by what it is about."""
    return _derived("plain-mail", key)


def message_id(delivery: UUID, domain: str) -> str:
    """The Message-ID (RFC 5322, 3.6.4) of one delivery; the same for every attempt, so that resends can be told."""
    return f"<{delivery}@{domain}>"


def workflow_id(kind: str, case: UUID) -> str:
    """The Temporal workflow id of a case."""
    return f"{kind}:{case}"


def batch_workflow_id(batch: UUID) -> str:
    """The Temporal workflow id of one batch of notices."""
    return f"notice-batch:{batch}"


def sha256_hex(content: bytes) -> str:
    """SHA-256 (FIPS 180-4) of some bytes, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
