"""What workflows ask of activities, and what these answer: one frozen model per message, in and out.

Messages carry ids, instants and counts, never what a person wrote. A field added later gets a default, since
histories written before it are replayed.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from cases.acts import TakeAct
from cases.state import BatchPlan, CaseSummary, CaseVocabulary, NoticePolicy
from cases.values import Message


class OpenCase(Message):
    """Pin the terms of a case's agreements and mark it open."""

    case_id: UUID


class RecordAct(TakeAct):
    """Store what a person did in a case, with evidence; ``at`` is when the case took the act, at every attempt."""

    case_id: UUID
    at: datetime


class ComputeDuties(Message):
    """Compute every duty of a case from its anchors and holds, and plan the notices that are not yet planned."""

    case_id: UUID
    policy: NoticePolicy = NoticePolicy()


class ComputedDuties(Message):
    """What a computation found: all batches not yet sent, how the case stands, and the words its terms know."""

    batches: tuple[BatchPlan, ...] = ()
    summary: CaseSummary = CaseSummary()
    vocabulary: CaseVocabulary = CaseVocabulary()


class SummariseCase(Message):
    """Ask how a case stands in SQL."""

    case_id: UUID


class SendBatch(Message):
    """Send one batch of notices; ``released_by`` is None when nobody released it in time.

    ``lapsed`` is whether one person withheld it and nobody else approved that by its last safe moment.
    """

    batch_id: UUID
    released_by: str | None = None
    lapsed: bool = False


class BatchOutcome(Message):
    """What became of a batch.

    ``late`` counts the notices given late, ``undelivered`` those for which no contact is left, ``refused`` the contacts
    that refused, ``undecided`` the messages of which nobody can say whether they arrived and a person decides.
    ``again_at`` is when to take the batch up again for the ``put_off`` notices of which something is to be tried again;
    None when there are none. ``ended_at`` is when the batch was gone through; histories written before it was told have
    None. ``kept_back`` is whether nothing of it left, since a decision that was recorded meanwhile keeps it back.
    ``dates`` is whether what was given brings about a dated fact, from which other duties count.
    """

    given: int = 0
    late: int = 0
    undelivered: int = 0
    refused: int = 0
    undecided: int = 0
    put_off: int = 0
    again_at: datetime | None = None
    ended_at: datetime | None = None
    kept_back: bool = False
    dates: bool = False


class RemindOfficer(Message):
    """Tell the officer of notices under one clause that wait for release; ``due_at`` names the cohort.

    ``fraction`` of their time is over; ``last_moment`` is whether they are to leave as soon as they can. ``lapses_at``
    is when those that one person withheld leave nevertheless; None for those that nobody withheld. ``last`` is whether
    no reminder of them follows. Where they have an internal date, ``fraction`` is of the time up to that, until it
    ``internal_passed``, and of that up to the due instant from then on.
    """

    case_id: UUID
    clause: str
    due_at: datetime
    fraction: float
    last_moment: bool = False
    last: bool = False
    lapses_at: datetime | None = None
    internal_due_at: datetime | None = None
    internal_passed: bool = False


class AskForDecision(Message):
    """Ask the officer for a dated fact without which a clause's clock has not started: since when, or not yet.

    ``opens`` is from when on it is asked again, where it was decided before that it has not come about.
    """

    case_id: UUID
    name: str
    opens: datetime | None = None


class RaiseOverdue(Message):
    """Raise every duty of a case that is overdue, past its internal date, or that no contact can be told of, once."""

    case_id: UUID


class ChaseAcknowledgements(Message):
    """Ask the LEAs that have not answered a notice by now to do so; of a decision that does not come, note the silence.

    ``answer_days`` is how long after a notice a decision is waited for.
    """

    case_id: UUID
    chase_hours: tuple[int, ...]
    answer_days: int = 30


class Chased(Message):
    """Whom a chase could not ask: ``put_off`` mailboxes did not take it, and ``again_at`` is when to try them again."""

    put_off: int = 0
    again_at: datetime | None = None


class AskHolders(Message):
    """Write to the holders of a case's data what is to be said to them by now."""

    case_id: UUID
    policy: NoticePolicy = NoticePolicy()


class CloseCase(Message):
    """Close a case in which no duty is open."""

    case_id: UUID


class Swept(Message):
    """What a sweep found.

    ``restarted`` counts cases started again, ``stuck`` what was raised anew, ``overdue`` cases with overdue duties not
    yet raised, ``troubled`` cases seen that do not go on, ``handed_on`` cases told to look at what SQL holds,
    ``opened`` cases opened because an agreement had ended. It ended at ``ended_at``, and the ledger had so many
    ``entries`` then.
    """

    restarted: int = 0
    stuck: int = 0
    overdue: int = 0
    troubled: int = 0
    handed_on: int = 0
    opened: int = 0
    entries: int = 0
    ended_at: datetime | None = None


class Sweep(Message):
    """Look for what was overlooked; what happened less than ``grace_minutes`` ago may still be on its way.

    ``last`` is what Temporal knows of the sweep before. ``restored_by`` is who said that the database or Temporal was
    restored from a copy, if anybody did.
    """

    grace_minutes: int = 10
    last: Swept | None = None
    restored_by: str | None = None


class CheckLedger(Message):
    """Check the ledger, and hold the tables against it."""


class LedgerChecked(Message):
    """Whether all of it is what it was."""

    sound: bool


class TellOfLedger(Message):
    """Tell people of what the last check of the ledger found amiss."""


class KeepHeads(Message):
    """Sign a head of the ledger over what is new in it."""


class HeadsKept(Message):
    """What that came to: how many heads were signed, and how many entries the newest has."""

    signed: int = 0
    size: int = 0


class RenewUpcoming(Message):
    """Derive anew what is coming by the agreements' own dates."""


class Renewed(Message):
    """What that came to.

    ``changed`` counts next due dates that are others than before, ``opened`` cases opened about what is due soon,
    ``reminded`` ends of terms that people were told of.
    """

    changed: int = 0
    opened: int = 0
    reminded: int = 0
