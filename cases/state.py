"""What a case of any kind keeps in mind between two events; everything else is in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from cases.values import AnchorValue, Message
from models.enums import NoticeKind, ProposalKind


class NoticePolicy(Message):
    """How notices leave, pinned for a case when it is opened.

    ``release`` is ``officer`` (drafts wait for a person until the last safe moment) or ``immediate``;
    ``last_safe_minutes`` is how long before the due instant a draft goes out unreleased; ``reminder_fractions`` are
    the parts of its time after which an officer is reminded of it; ``supplement_minutes`` is how long a supplement
    gathers further facts before it leaves; ``chase_hours`` after a notice its LEA is asked to acknowledge it.

    Where a clause's limit is the last moment and not the plan, an officer is asked to release its notice at once and
    then every ``last_moment_reminder_minutes`` (0: as of any other), and one that lacks nothing required leaves by
    itself ``last_moment_hours`` after it was drafted (None: as any other).

    A draft whose last safe moment has passed when it is made, as where a date that was given lies far back, still waits
    ``overdue_grace_minutes`` for a person. An officer is told ``lapse_warning_minutes`` before what one person withheld
    leaves nevertheless.

    A holder of data that is to confirm its disposal is reminded at ``holder_fractions`` of the time that it was given,
    and ``holder_hours_before`` its due instant; its link lasts ``holder_link_days`` longer than that.

    Where a notice offers a right, its reader's silence is noted ``answer_days`` after it was given.
    """

    release: Literal["officer", "immediate"] = "officer"
    last_safe_minutes: int = 60
    reminder_fractions: tuple[float, ...] = ()
    supplement_minutes: int = 60
    chase_hours: tuple[int, ...] = ()
    last_moment_reminder_minutes: int = 0
    last_moment_hours: int | None = None
    overdue_grace_minutes: int = 30
    lapse_warning_minutes: int = 120
    holder_fractions: tuple[float, ...] = ()
    holder_hours_before: tuple[int, ...] = ()
    holder_link_days: int = 30
    answer_days: int = 30


class BatchPlan(Message):
    """One batch of at most 500 notices that share clause, due instant and the moment at which they leave.

    ``last_moment`` is whether the due instant is the last moment and not the plan. ``internal_due_at`` is the internal
    date, by which officers are reminded, where there is one. ``released_by`` is who released it,
    if somebody did before the case's workflow had to begin anew. ``lapses_at`` is when one that is ``withheld`` by one
    person leaves nevertheless; None where two people decided it, or nothing is due.
    """

    batch_id: UUID
    kind: NoticeKind
    clause: str
    starts_at: datetime
    due_at: datetime | None
    leaves_at: datetime
    size: int
    withheld: bool = False
    released_by: str | None = None
    last_moment: bool = False
    lapses_at: datetime | None = None
    internal_due_at: datetime | None = None

    @property
    def cohort(self) -> str:
        """What is reminded of together: the same clause, due instant and internal date."""
        internal = f" internal {self.internal_due_at}" if self.internal_due_at else ""
        return f"{self.clause} {self.due_at}{internal}"


class PutOff(Message):
    """A batch of which some messages were deferred, or may have been lost: it is taken up again at ``again_at``."""

    plan: BatchPlan
    released_by: str | None
    again_at: datetime


class CaseVocabulary(Message):
    """What the terms of a case's agreements know: dates, content elements, clauses, and grounds for no notice.

    ``clocks`` are the dates from which some clause counts, ``instants`` those of them for which a day is not enough.
    ``asked`` are the dates that people are asked for as a decision, since a clock has not started without them.
    ``by_notice`` are the clauses that a notice performs, ``by_confirmation`` those that each holder's word performs;
    ``by_other_means`` those of which two people may record that they were performed by other means than the engine's.
    ``offering`` are those whose notice offers its reader a right.
    ``ahead`` are the dates that may lie in the future, as some clause counts back from them.
    """

    anchors: tuple[str, ...] = ()
    clocks: tuple[str, ...] = ()
    instants: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()
    by_notice: tuple[str, ...] = ()
    by_confirmation: tuple[str, ...] = ()
    by_time: tuple[str, ...] = ()
    by_other_means: tuple[str, ...] = ()
    offering: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    grounds: tuple[str, ...] = ()


class CaseSummary(Message):
    """How a case stands in SQL.

    ``lacking_notices`` counts LEAs told without every element; ``unacknowledged`` those that have not answered;
    ``undecided`` messages of which nobody can say whether they arrived, and which wait for a person's decision;
    ``undelivered`` notices that their contacts did not take; ``due_instants`` are the distinct due instants of open
    duties, the earliest first, ``internal_instants`` those of their internal dates that nobody was told had passed;
    ``elapses_at`` is the first at
    which the passing of time itself ends a duty. ``unsettled_holders`` are those of the data from which something is
    awaited, and ``holders_at`` is when one of them is to be written to next. ``computing`` is whether something
    recorded is not yet in these figures.
    """

    open_duties: int = 0
    waiting_notices: int = 0
    next_due_at: datetime | None = None
    lacking_notices: int = 0
    unacknowledged: int = 0
    undecided: int = 0
    undelivered: int = 0
    due_instants: tuple[datetime, ...] = ()
    internal_instants: tuple[datetime, ...] = ()
    elapses_at: datetime | None = None
    unsettled_holders: int = 0
    holders_at: datetime | None = None
    computing: bool = False

    @property
    def to_raise(self) -> tuple[datetime, ...]:
        """When something is to be raised to people, unless it was: what is overdue, or past its internal date."""
        return (*self.due_instants, *self.internal_instants)


class OpenProposal(Message):
    """A proposal that waits for a second person; ``agreements`` is empty where it is for all.

    Only one that no notice is required has a ``ground``; one to withhold may be of every clause.
    """

    clause: str | None
    ground: str | None
    agreements: tuple[UUID, ...]
    proposed_by: str
    kind: ProposalKind = ProposalKind.NOT_REQUIRED


class LastingHold(Message):
    """A law-enforcement hold that lasts: what was said of it, for which agreement, and when it ends by itself."""

    particulars_sha256: str
    agreement_id: UUID | None
    until: datetime | None


class CaseState(BaseModel):
    """What a case keeps in mind: handed on when the workflow continues as new, restored from SQL if it was lost.

    Attributes:
        anchors: the dated facts of the case.
        waiting: batches that are planned and have not left, by id.
        leaving: batches that are being sent.
        put_off: batches of which some messages could not leave, which are tried again.
        released: who released a waiting batch.
        withheld: batches that an officer decided to keep back: those of one person up to ``BatchPlan.lapses_at``.
        proposals: those that wait for a second person.
        holds: law-enforcement holds that last.
        reminded: how many reminders there were for each clause and due instant.
        raised_until: up to which due instant or internal date duties were raised.
        asked_again: of what was decided not to have come about, when it is looked at again.
        asked: which questions officers were written to about, each with the moment from which it is open.
        chases: when LEAs that have not acknowledged are asked again.
        acts_taken: the acts that were taken, by id: none is taken twice, whoever sends it again.
        dismissed: whether the matter was found to be none.
        closing: whether the case takes no further acts; ``closed`` once it has its last evidence.
        overtaken: whether an act came while notices were leaving: what they say may no longer be all that is known.
        facts, computed: how many changes there were, and up to which of them duties are computed.
        outcomes, outcomes_seen: how many batches were sent, and how many are counted in ``summary``.
    """

    anchors: dict[str, AnchorValue]
    vocabulary: CaseVocabulary = CaseVocabulary()
    summary: CaseSummary = CaseSummary()
    waiting: dict[UUID, BatchPlan] = Field(default_factory=dict)
    leaving: dict[UUID, BatchPlan] = Field(default_factory=dict)
    put_off: dict[UUID, PutOff] = Field(default_factory=dict)
    released: dict[UUID, str] = Field(default_factory=dict)
    withheld: set[UUID] = Field(default_factory=set)
    proposals: dict[UUID, OpenProposal] = Field(default_factory=dict)
    holds: dict[UUID, LastingHold] = Field(default_factory=dict)
    reminded: dict[str, int] = Field(default_factory=dict)
    raised_until: datetime | None = None
    asked_again: dict[str, datetime] = Field(default_factory=dict)
    asked: set[str] = Field(default_factory=set)
    chases: list[datetime] = Field(default_factory=list)
    acts_taken: set[UUID] = Field(default_factory=set)
    opened: bool = False
    dismissed: bool = False
    closing: bool = False
    closed: bool = False
    overtaken: bool = False
    facts: int = 1
    computed: int = 0
    outcomes: int = 0
    outcomes_seen: int = 0

    def is_behind(self) -> bool:
        """Whether something happened that duties or summary do not show yet."""
        return self.computed < self.facts or self.outcomes_seen < self.outcomes

    def is_at_rest(self) -> bool:
        """Whether nothing is open: every duty met, every LEA told everything, every answer given or asked for.

        What nobody can say arrived is open until a person has decided.

        Whether the case is also over, its kind says.
        """
        busy = self.waiting or self.leaving or self.put_off or self.is_behind()
        chasing = bool(self.chases) and self.summary.unacknowledged > 0
        lacking = self.summary.lacking_notices > 0 and not self.dismissed
        left = self.summary.open_duties or lacking or self.summary.undecided or self.summary.unsettled_holders
        return not (busy or left or chasing)

    def waiting_of(self, clause: str | None) -> list[BatchPlan]:
        """The waiting batches of a clause, or all."""
        return [plan for plan in self.waiting.values() if clause in (None, plan.clause)]

    def releasable(self, clause: str | None, *, withheld: bool | None) -> list[BatchPlan]:
        """The batches that a release lets go: of those waiting under a clause, or all, the ones withheld or the others.

        With None, as in histories from before this was told apart, it is both.
        """
        waiting = self.waiting_of(clause)
        match withheld:
            case None:
                return waiting
            case True:
                return [plan for plan in waiting if plan.batch_id in self.withheld]
            case False:
                kept_or_gone = self.withheld | self.released.keys()
                return [plan for plan in waiting if plan.batch_id not in kept_or_gone]

    def ready(self, now: datetime) -> list[PutOff]:
        """The batches that may go: released, at their last safe moment, or put off till now.

        What is withheld is not among them, unless one person's decision about it has lapsed.
        """
        begin = [
            PutOff(
                plan=plan,
                released_by=self.released.get(key, plan.released_by),
                again_at=plan.due_at or plan.leaves_at,
            )
            for key, plan in self.waiting.items()
            if key in self.released or (now >= plan.leaves_at and key not in self.withheld) or self._lapsed(plan, now)
        ]
        return begin + [batch for batch in self.put_off.values() if batch.again_at <= now]

    def _lapsed(self, plan: BatchPlan, now: datetime) -> bool:
        return plan.batch_id in self.withheld and plan.lapses_at is not None and now >= plan.lapses_at

    def leaving_moments(self) -> Iterator[datetime]:
        """When the waiting batches leave by themselves, each that does."""
        for key, plan in self.waiting.items():
            moment = plan.lapses_at if key in self.withheld else plan.leaves_at
            if moment is not None:
                yield moment

    def reported(self) -> CaseSummary:
        """How the case stands, as far as it is computed."""
        return self.summary.model_copy(update={"computing": self.computed < self.facts})


class CaseInput(Message):
    """Start of a case's workflow: ``state`` is what SQL knows of it, or what an earlier run of it hands on."""

    case_id: UUID
    policy: NoticePolicy = NoticePolicy()
    state: CaseState
