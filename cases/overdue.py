"""Whether a duty is overdue, which is a fact about one that runs and no status; else how it stands, in a sentence."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from models.enums import DutyStatus
from models.phrases import instant_words


def is_overdue(status: DutyStatus, due_at: datetime | None, now: datetime) -> bool:
    """Whether a duty that stands so is overdue at ``now``."""
    return status is DutyStatus.RUNNING and due_at is not None and due_at < now


def why_not_overdue(status: DutyStatus, due_at: datetime | None) -> str:
    """Why a duty that stands so is not overdue."""
    match status:
        case DutyStatus.RUNNING:
            return (
                f"This duty is not due before {instant_words(due_at)}." if due_at else "This duty has no due instant."
            )
        case DutyStatus.PERFORMED:
            return "This duty has been performed."
        case DutyStatus.PENDING:
            return "The clock of this duty has not started."
        case DutyStatus.SUSPENDED:
            return "The clock of this duty stands still."
        case DutyStatus.ELAPSED:
            return "The time of this duty ran out, and nobody had to do anything."
        case DutyStatus.NOT_REQUIRED:
            return "Two people decided that this duty is not required."
        case DutyStatus.CANCELLED:
            return "This duty is not owed any more."
        case _:
            assert_never(status)
