"""Holds the history of a case's workflow against the ledger: what stands in both, or in one alone, or differs.

Temporal and the ledger are two stores, and what reaches both is sealed under different keys. Whoever adds an act to the
ledger, or answers a step in Temporal from outside, leaves it in one of them alone.

Acts are held against each other by their ids, batches by theirs and by how many notices they gave, what was done by
other means by its approval; all other entries by the step during which the engine writes such an entry. What the engine
also writes outside a case's workflow (an answer by a link, a report of what came back) is never missed in the history.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from ledger import entries as events
from models.phrases import counted
from queries.evidence import EntryBrief
from starter.history.moments import Claim, Moment, MomentKind, Outcome, Told

SLACK = timedelta(minutes=1)
"""How far an entry may lie outside the step that wrote it: an attempt that was given up may still end its work."""

JUST_NOW = timedelta(seconds=10)
"""What is newer than this when the history was read may not have been in it yet."""

_ANY_ACT, _APPROVAL = "act", "approve"

_OF_A_BATCH = frozenset({"send_batch"})
_COMPUTES = frozenset({"compute_duties"})
_RECORDS = frozenset({"record_act"})

WRITTEN_BY: Mapping[str, frozenset[str]] = {
    events.TermsPinned.kind: frozenset({"open_case"}) | _COMPUTES | _RECORDS,
    events.DutyComputed.kind: _COMPUTES,
    events.DutiesGivenUp.kind: _COMPUTES,
    events.HoldersConfirmed.kind: _COMPUTES,
    events.CaseClosed.kind: frozenset({"close_case"}),
    events.NoticeReleased.kind: _OF_A_BATCH,
    events.WithholdingLapsed.kind: _OF_A_BATCH,
    events.NoticeComposed.kind: _OF_A_BATCH,
    events.NoticeGiven.kind: _OF_A_BATCH,
    events.CopyGiven.kind: _OF_A_BATCH,
    events.DeliveryRejected.kind: _OF_A_BATCH,
    events.DeliveryDeferred.kind: _OF_A_BATCH,
    events.DeliveryUnknown.kind: _OF_A_BATCH,
    events.DeliveryPassedOver.kind: _OF_A_BATCH,
    events.DutyPerformedByOtherMeans.kind: _RECORDS,  # of its approval alone
    events.ReminderSent.kind: frozenset({"remind_officer"}),
    events.DecisionAsked.kind: frozenset({"ask_for_decision"}),
    events.AcknowledgementAsked.kind: frozenset({"chase_acknowledgements"}),
    events.SilenceNoted.kind: frozenset({"chase_acknowledgements"}),
}
"""By kind of entry: the activities in whose time alone the engine writes one. Without such a step something differs."""

ALSO_ELSEWHERE: Mapping[str, frozenset[str]] = {
    events.FurtherDutyPerformed.kind: _OF_A_BATCH | _COMPUTES | _RECORDS,
    events.LetterMade.kind: _OF_A_BATCH,
    events.LetterTookEffect.kind: _COMPUTES | _RECORDS | frozenset({"raise_overdue"}),
    events.PersonTold.kind: frozenset(
        {"remind_officer", "ask_for_decision", "raise_overdue", "chase_acknowledgements"}
    ),
    events.DutyEscalated.kind: frozenset({"raise_overdue"}),
    events.InternalDatePassed.kind: frozenset({"raise_overdue"}),
    events.ContactEscalated.kind: frozenset({"raise_overdue"}),
    events.UnknownEscalated.kind: frozenset({"raise_overdue"}),
    events.HolderWritten.kind: frozenset({"ask_holders"}),
    events.DocumentAdded.kind: _COMPUTES | _RECORDS,
    events.HolderRefused.kind: _RECORDS,
    events.SignaturesExamined.kind: _RECORDS,
    events.ContactAdopted.kind: _RECORDS,
    events.AnswerSettled.kind: _RECORDS,
}
"""The same for kinds that the engine also writes elsewhere: on a page, by a sweep, through a link."""


class Standing(StrEnum):
    """Where something stands, and whether it should."""

    BOTH = "in both"
    HISTORY = "in the history"
    """In the history alone, as it should be: a timer, a step that changed nothing."""
    LEDGER = "in the ledger"
    """In the ledger alone, as it should be: it did not come through the workflow."""
    BEFORE = "before the history"
    """From before what Temporal still keeps."""
    NEWER = "just now"
    """From after the history was read."""
    DIFFERS = "differs"


@dataclass(frozen=True)
class Group:
    """Entries of one kind that belong together: how many, and the numbers of the first and the last."""

    kind: str
    count: int
    first: int
    last: int
    actor: str


@dataclass(frozen=True)
class Row:
    """One line of the time line: what the history says, and what the ledger does.

    Attributes:
        at: when it happened.
        moment: what the history says; None where it says nothing of it.
        entries: the entries, by kind.
        standing: where it stands.
        says: what differs, in a sentence; blank where nothing does.
    """

    at: datetime
    moment: Moment | None
    entries: tuple[Group, ...]
    standing: Standing
    says: str = ""


@dataclass(frozen=True)
class Beside:
    """A case's history beside the ledger.

    Attributes:
        rows: in the order in which things happened.
        counts: how many rows stand where.
        begins: from when on Temporal keeps the history; None where it keeps none of it.
        whole: whether that is from the case's own beginning.
    """

    rows: tuple[Row, ...]
    counts: Mapping[Standing, int]
    begins: datetime | None
    whole: bool

    @property
    def differing(self) -> tuple[Row, ...]:
        """What does not agree, in order."""
        return tuple(row for row in self.rows if row.standing is Standing.DIFFERS)


def hold_against(
    told: Told,
    entries: Sequence[EntryBrief],
    *,
    in_sql_alone: frozenset[str],
    left_out: int,
    ends: datetime,
) -> Beside:
    """Hold a history against the entries of its case.

    Args:
        told: the history's moments.
        entries: the case's entries but for readings, in order.
        in_sql_alone: the acts of its kind that no workflow hears of.
        left_out: how many older runs were not read.
        ends: up to when the history was read; what is newer may not have been in it.
    """
    return _Comparison(told, entries, in_sql_alone, left_out, ends).made()


_BEGUN_AGAIN = frozenset({events.CaseRestarted.kind, events.CaseReopened.kind})


class _Comparison:
    def __init__(
        self,
        told: Told,
        entries: Sequence[EntryBrief],
        in_sql_alone: frozenset[str],
        left_out: int,
        ends: datetime,
    ) -> None:
        self._moments = told.moments
        self._entries = entries
        self._in_sql_alone = in_sql_alone
        self._ends = ends - JUST_NOW
        starts = [moment for moment in told.moments if moment.kind is MomentKind.STARTED]
        self._begins = starts[0].at if starts else None
        self._whole = bool(starts) and not (left_out or starts[0].claim.continues or self._was_begun_again())
        self._of_moment: dict[int, list[EntryBrief]] = defaultdict(list)
        self._problems: dict[int, str] = {}
        self._alone: list[Row] = []
        self._acts = {moment.claim.act_id: place for place, moment in self._places(MomentKind.ACT)}
        self._batches: dict[UUID, list[int]] = defaultdict(list)
        for place, moment in self._places(MomentKind.BATCH):
            if moment.claim.batch_id:
                self._batches[moment.claim.batch_id].append(place)
        self._steps: dict[str, list[int]] = defaultdict(list)
        for place, moment in self._places(MomentKind.STEP):
            self._steps[moment.claim.step].append(place)
        self._steps["record_act"] = list(self._acts.values())

    def _was_begun_again(self) -> bool:
        """Whether the ledger tells that the workflow which began first here was not the case's first."""
        assert self._begins
        return any(entry.kind in _BEGUN_AGAIN and entry.at <= self._begins + SLACK for entry in self._entries)

    def _places(self, kind: MomentKind) -> Iterable[tuple[int, Moment]]:
        return ((place, moment) for place, moment in enumerate(self._moments) if moment.kind is kind)

    def made(self) -> Beside:
        for entry in self._entries:
            self._take(entry)
        for place, moment in enumerate(self._moments):
            if problem := self._unconfirmed(moment, self._of_moment[place]):
                self._problems.setdefault(place, problem)
        rows = [self._row(place, moment) for place, moment in enumerate(self._moments)] + self._alone
        rows.sort(key=lambda row: (row.at, row.entries[0].first if row.entries else 0))
        counts = {standing: sum(row.standing is standing for row in rows) for standing in Standing}
        return Beside(tuple(rows), counts, self._begins, self._whole)

    def _take(self, entry: EntryBrief) -> None:
        """Find what the history says of an entry."""
        if entry.kind.startswith(f"{_ANY_ACT}."):
            self._take_act(entry)
        elif entry.kind == events.CaseOpened.kind:
            self._take_opening(entry)
        elif entry.kind in WRITTEN_BY or entry.kind in ALSO_ELSEWHERE:
            self._take_written(entry)
        else:
            self._stands_alone(entry, Standing.LEDGER)

    def _take_act(self, entry: EntryBrief) -> None:
        act = entry.kind.removeprefix(f"{_ANY_ACT}.")
        place = self._acts.get(_uuid(entry.subject))
        if place is None:
            if act in self._in_sql_alone:
                self._stands_alone(entry, Standing.LEDGER)
            else:
                self._missing(
                    entry, f"The ledger says that {entry.actor} did “{act}”, and the history knows no such act."
                )
            return
        self._of_moment[place].append(entry)
        if says := _other_act(self._moments[place], act, entry):
            self._problems[place] = says

    def _take_opening(self, entry: EntryBrief) -> None:
        """A case is recorded first, and its workflow started after it."""
        starts = [place for place, _ in self._places(MomentKind.STARTED)]
        if self._whole and starts:
            self._of_moment[starts[0]].append(entry)
        elif self._begins:
            self._stands_alone(entry, Standing.BEFORE)
        else:
            self._stands_alone(entry, Standing.LEDGER)

    def _take_written(self, entry: EntryBrief) -> None:
        steps = WRITTEN_BY.get(entry.kind, frozenset()) | ALSO_ELSEWHERE.get(entry.kind, frozenset())
        if "send_batch" in steps and entry.batch_id in self._batches:
            places = self._batches[entry.batch_id]
        else:
            places = [place for step in steps for place in self._steps[step] if self._in_time(place, entry)]
        if entry.kind == events.DutyPerformedByOtherMeans.kind:
            places = [place for place in places if _approves(self._moments[place].claim, entry)]
        if places:
            self._of_moment[self._nearest(places, entry)].append(entry)
        elif entry.kind in ALSO_ELSEWHERE:
            self._stands_alone(entry, Standing.LEDGER)
        else:
            what = entry.kind.replace("_", " ")
            self._missing(entry, f"The ledger says “{what}”, and no step of the history could have written that.")

    def _in_time(self, place: int, entry: EntryBrief) -> bool:
        moment = self._moments[place]
        begun = moment.at - SLACK <= entry.at
        return begun and (moment.outcome is Outcome.UNDER_WAY or entry.at <= (moment.ended_at or moment.at) + SLACK)

    def _nearest(self, places: Sequence[int], entry: EntryBrief) -> int:
        """Of several steps the one within which an entry lies, else the nearest."""

        def away(place: int) -> timedelta:
            moment = self._moments[place]
            ended = moment.ended_at or max(moment.at, entry.at)
            return max(moment.at - entry.at, entry.at - ended, timedelta())

        return min(places, key=away)

    def _stands_alone(self, entry: EntryBrief, standing: Standing, says: str = "") -> None:
        before = self._alone[-1] if self._alone else None
        group = Group(entry.kind, 1, entry.number, entry.number, entry.actor)
        # What happened at one instant alike, as when a file of agreements came in, is one line.
        if before and (before.at, before.standing, before.says) == (entry.at, standing, says):
            last = before.entries[-1]
            if (last.kind, last.actor) == (entry.kind, entry.actor):
                merged = Group(entry.kind, last.count + 1, last.first, entry.number, entry.actor)
                self._alone[-1] = Row(entry.at, None, (*before.entries[:-1], merged), standing, says)
                return
        self._alone.append(Row(entry.at, None, (group,), standing, says))

    def _missing(self, entry: EntryBrief, says: str) -> None:
        """What ought to be in the history, and is not: unless it is from before or after what was read."""
        if entry.at > self._ends:
            self._stands_alone(entry, Standing.NEWER)
        elif self._begins is None or (entry.at < self._begins and not self._whole):
            self._stands_alone(entry, Standing.BEFORE)
        else:
            self._stands_alone(entry, Standing.DIFFERS, says)

    def _unconfirmed(self, moment: Moment, entries: Sequence[EntryBrief]) -> str:
        """What the history says was done, and the ledger does not; blank where nothing is missed."""
        claim = moment.claim
        if (moment.ended_at or moment.at) > self._ends or moment.outcome is Outcome.UNDER_WAY:
            return ""
        match moment.kind:
            case MomentKind.ACT if moment.outcome is Outcome.DONE and not entries:
                return f"The history says that {claim.actor} did “{claim.act}”, and the ledger has no entry of it."
            case MomentKind.ACT if moment.outcome is Outcome.FAILED and entries:
                return f"The history says that “{claim.act}” was refused, and the ledger has an entry of it."
            case MomentKind.STEP if claim.step == "close_case" and moment.outcome is Outcome.DONE and not entries:
                return "The history says that the case was closed, and the ledger has no entry of it."
            case MomentKind.BATCH if claim.given > self._given_of(claim):
                recorded = counted(self._given_of(claim), "notice")
                return f"The history says that {claim.given:,} of the batch were given, and the ledger says {recorded}."
            case MomentKind.BATCH if self._is_last_of(moment) and self._mailed_of(claim) > self._most_given(claim):
                mailed = counted(self._mailed_of(claim), "notice")
                return f"The ledger says that {mailed} of the batch were given by mail, and the history says fewer."
            case MomentKind.STARTED if not claim.continues and self._whole and not self._has_opening():
                return (
                    "The history says that a workflow was started, and the ledger does not say that a case was opened."
                )
            case _:
                return ""

    def _has_opening(self) -> bool:
        return any(entry.kind == events.CaseOpened.kind for entry in self._entries)

    def _given_of(self, claim: Claim) -> int:
        """How many notices of a batch the ledger says were given; what people vouch for may be of any batch."""
        batch = claim.batch_id
        given = {entry.subject for entry in self._entries if entry.batch_id == batch and entry.gives}
        return len(given) + sum(entry.gives for entry in self._entries if entry.batch_id is None)

    def _is_last_of(self, moment: Moment) -> bool:
        """Whether a batch was not taken up again after this, and never broke off, so that all it gave was counted."""
        batch = moment.claim.batch_id
        sendings = [self._moments[place] for place in self._batches[batch]] if batch else []
        return bool(sendings) and sendings[-1] is moment and all(one.outcome is Outcome.DONE for one in sendings)

    def _most_given(self, claim: Claim) -> int:
        """How many notices of a batch the history says had been given; what kept it back later counted none."""
        assert claim.batch_id, "only of a batch"
        return max(self._moments[place].claim.given for place in self._batches[claim.batch_id])

    def _mailed_of(self, claim: Claim) -> int:
        """How many notices of a batch the ledger says a mail server took; none where one of them came back."""
        of_batch = [entry for entry in self._entries if entry.batch_id == claim.batch_id]
        if any(entry.kind == events.DeliveryBounced.kind for entry in of_batch):
            return 0
        return len({entry.subject for entry in of_batch if entry.kind == events.NoticeGiven.kind})

    def _row(self, place: int, moment: Moment) -> Row:
        problem = self._problems.get(place, "")
        found = self._of_moment[place]
        standing = Standing.DIFFERS if problem else Standing.BOTH if found else Standing.HISTORY
        return Row(moment.at, moment, _grouped(found), standing, problem)


def _other_act(moment: Moment, act: str, entry: EntryBrief) -> str:
    """What the history and the ledger say differently of one act; blank where they say the same."""
    claim = moment.claim
    if act != claim.act:
        return f"The history has “{claim.act}” for what the ledger calls “{act}”."
    if entry.actor != claim.actor:
        return f"The history says that {claim.actor} did “{act}”, and the ledger that {entry.actor} did."
    if claim.acted_at is not None and claim.acted_at != entry.at:
        acted, recorded = claim.acted_at.isoformat(), entry.at.isoformat()
        return f"The history took “{act}” at {acted}, and the ledger has it at {recorded}."
    return ""


def _approves(claim: Claim, entry: EntryBrief) -> bool:
    """Whether an act is the approval by which something was recorded as done by other means."""
    return (claim.act, claim.actor) == (_APPROVAL, entry.actor) and claim.acted_at in (None, entry.at)


def _grouped(entries: Iterable[EntryBrief]) -> tuple[Group, ...]:
    groups: dict[tuple[str, str], Group] = {}
    for entry in entries:
        key = (entry.kind, entry.actor)
        known = groups.get(key)
        count, first = (known.count + 1, known.first) if known else (1, entry.number)
        groups[key] = Group(entry.kind, count, first, entry.number, entry.actor)
    return tuple(groups.values())


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None
