"""What keeps cases from going on: what the watchdog found, kept on the case until it heals, and mail that fails."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, func, select

from mail.handover import MailServerUnavailable
from models.enums import BatchStatus
from models.tables import Batch, Case

WORKFLOW_STUCK = "workflow-stuck"
ACTIVITY_FAILS = "activity-fails"

_MEANINGS = {
    WORKFLOW_STUCK: "The clocks of this case stand still: the worker fails at its next step again and again, so "
    "nothing leaves in time and what you decide waits. Most likely the worker that runs does not fit what this case "
    "has been through, or has a fault. Start the worker in the version that ran before, or in a repaired one; its log "
    "says why it fails. The case then goes on by itself. If it says that a step was answered as no worker answers, "
    "somebody reached Temporal from outside: keep them out, and end this workflow there. The next sweep starts it "
    "again from the database.",
    ACTIVITY_FAILS: "One step of this case{step} fails again and again. It is tried again about every minute, and what "
    "comes after it waits. The worker's log says why it fails: often a disk is full, or a server that it needs does "
    "not answer. Once that is mended, the case goes on by itself.",
}


NO_MAIL = (
    col(Batch.status).in_((BatchStatus.SENDING, BatchStatus.PUT_OFF)),
    col(Batch.trouble) == MailServerUnavailable.code,
)
"""What a batch is that the mail server keeps from leaving, as it takes no mail at all."""


@dataclass(frozen=True)
class MailTrouble:
    """That the mail server takes no mail: since when, and how many notices of how many cases wait for it."""

    since: datetime
    notices: int
    cases: int


def mail_trouble(session: Session, before: datetime) -> MailTrouble | None:
    """What the mail server keeps from leaving, if it has done so since before an instant."""
    since, notices, cases = session.exec(
        select(func.min(Batch.trouble_since), func.sum(Batch.size), func.count(col(Batch.case_id).distinct())).where(
            *NO_MAIL
        )
    ).one()
    return MailTrouble(since, notices, cases) if since and since < before else None


def failing_activity(name: str) -> str:
    """The trouble that an activity of this name fails again and again."""
    return f"{ACTIVITY_FAILS}:{name}"


def trouble_sentence(trouble: str) -> str:
    """What a trouble of a case means to people, and what they can do."""
    code, _, step = trouble.partition(":")
    meaning = _MEANINGS.get(code, f"This case is held up: {trouble}.")
    return meaning.replace("{step}", f" ({step.replace('_', ' ')})" if step else "")


def keep_troubles(session: Session, found: Mapping[UUID, str], healthy: Collection[UUID], now: datetime) -> None:
    """Note what was found of open cases, each with when it began, and clear what has healed.

    A trouble that lasts keeps its beginning; another one in its place begins now.
    """
    for case in session.exec(select(Case).where(col(Case.id).in_(found), col(Case.closed_at).is_(None))):
        if case.trouble != found[case.id]:
            case.trouble, case.trouble_since = found[case.id], now
            session.add(case)
    healed = col(Case.id).in_(set(healthy).difference(found))
    for case in session.exec(select(Case).where(healed, col(Case.trouble).is_not(None))):
        case.trouble = case.trouble_since = None
        session.add(case)
