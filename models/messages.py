"""What crosses the border between workflows and the rest: one frozen model per message, in and out.

Messages carry ids, instants and counts, never what a person wrote. A field added later gets a default, since
histories written before it are replayed.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from models.words import NoticeKind


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
    ``last_safe_minutes`` is how long before the due instant a draft goes out unreleased.
    """

    release: Literal["officer", "immediate"] = "officer"
    last_safe_minutes: int = 60


class BreachInput(Message):
    """Start of a breach case."""

    case_id: UUID
    policy: NoticePolicy = NoticePolicy()
    anchors: tuple[AnchorValue, ...] = ()


class ConfirmBreach(Message):
    """An officer confirms that the suspected breach happened, as of ``confirmed_at``."""

    confirmed_at: datetime
    actor: str


class ReleaseNotices(Message):
    """An officer releases every notice of the case that waits for release."""

    actor: str


class CaseStanding(Message):
    """What an act on a case answers: how many duties are open, and when the next is due."""

    open_duties: int = 0
    waiting_notices: int = 0
    next_due_at: datetime | None = None


class OpenCase(Message):
    """Pin the terms of a case's agreements and write its first evidence."""

    case_id: UUID


class RecordAnchor(Message):
    """Store one dated fact of a case, with evidence."""

    case_id: UUID
    anchor: AnchorValue
    actor: str


class ReckonDuties(Message):
    """Compute every duty of a case from its anchors, and plan the notices that are not yet planned."""

    case_id: UUID


class BatchPlan(Message):
    """One batch of at most 200 notices that share clause and due instant."""

    batch_id: UUID
    kind: NoticeKind
    clause: str
    due_at: datetime
    size: int


class Reckoned(Message):
    """What a reckoning found: all batches not yet sent, and how the case stands."""

    batches: tuple[BatchPlan, ...] = ()
    standing: CaseStanding = CaseStanding()


class SendBatch(Message):
    """Send one batch of notices; ``released_by`` is None when nobody released it in time."""

    batch_id: UUID
    released_by: str | None = None


class BatchOutcome(Message):
    """What became of a batch: notices given, those given late, and those no contact could be reached for."""

    given: int = 0
    late: int = 0
    undelivered: int = 0


class ReadStanding(Message):
    """Ask how a case stands in SQL."""

    case_id: UUID


class CloseCase(Message):
    """Close a case in which no duty is open."""

    case_id: UUID
