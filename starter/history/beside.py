"""The history of a case's workflow beside the ledger, for every face: a page, JSON, the command line."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from cases.kinds import kind_named
from models.identifiers import workflow_id
from models.phrases import counted
from models.tables import Case
from models.view import View
from queries.evidence import EntryBrief, read_briefs
from records.scope import require_case
from starter.history.comparing import Beside, Row, Standing, hold_against
from starter.history.moments import MomentKind, Outcome, tell
from starter.history.reading import MOST_EVENTS, History, read_history
from starter.resources import Resources

MOST_ENTRIES = 100_000
"""How many entries of a case are held against its history."""


class Agreement(StrEnum):
    """Whether the two say the same."""

    AGREE = "agree"
    DIFFER = "differ"
    ONE_ALONE = "one alone"
    """Temporal keeps no history any more, or none yet, so that there is nothing to hold against the ledger."""


@dataclass(frozen=True)
class CaseHistory:
    """What Temporal keeps of a case, held against the ledger.

    Attributes:
        agreement: whether they say the same.
        says: that in a sentence.
        notes: what a reader has to know of how far the two could be compared, in sentences.
        beside: line by line.
        runs: how many runs of the workflow were read, with how many ``events``; ``routine`` of them say nothing of the
            case, and are no line.
    """

    agreement: Agreement
    says: str
    notes: tuple[str, ...]
    beside: Beside
    runs: int
    events: int
    routine: int


async def read_beside(resources: Resources, case_id: UUID, now: datetime) -> CaseHistory:
    """Read a case's history from Temporal, and hold it against the ledger.

    The history is read first: what it tells of has then been recorded, if it ever was.

    Raises:
        NotFound: there is no such case.
        Unavailable: Temporal, or the database, does not answer.
    """
    case = await asyncio.to_thread(_case, resources, case_id)
    workflow = workflow_id(case.kind, case_id)
    history = await read_history(resources.client, workflow)
    return await asyncio.to_thread(_compared, resources, case, workflow, history, now)


class EntriesView(View):
    """Entries of one kind and actor that belong to one line: how many, with the first and the last number."""

    kind: str
    count: int
    first: int
    last: int
    actor: str


class MomentView(View):
    """What the history says of one line; ``details`` are decoded values, by what they are."""

    kind: MomentKind
    says: str
    outcome: Outcome
    ended_at: datetime | None
    until: datetime | None
    run: int
    event: int
    details: dict[str, str]


class LineView(View):
    """One line: when, what the history says, what the ledger does, where that stands, and what differs."""

    at: datetime
    standing: Standing
    differs: str
    history: MomentView | None
    ledger: tuple[EntriesView, ...]


class HistoryView(View):
    """A case's history beside the ledger: some of its lines, and how many there are in all."""

    agreement: Agreement
    says: str
    notes: tuple[str, ...]
    runs: int
    events: int
    routine: int
    counts: dict[Standing, int]
    items: tuple[LineView, ...]
    total: int


def view_of(found: CaseHistory, only: Standing | None, *, offset: int, limit: int) -> HistoryView:
    """Some lines of a history, for people and programs: those that stand somewhere, or all."""
    rows = [row for row in found.beside.rows if only in (None, row.standing)]
    return HistoryView(
        agreement=found.agreement,
        says=found.says,
        notes=found.notes,
        runs=found.runs,
        events=found.events,
        routine=found.routine,
        counts=dict(found.beside.counts),
        items=tuple(_line(row) for row in rows[offset : offset + limit]),
        total=len(rows),
    )


def _line(row: Row) -> LineView:
    moment = row.moment
    return LineView(
        at=row.at,
        standing=row.standing,
        differs=row.says,
        history=MomentView(
            details=dict(moment.details),
            **{name: getattr(moment, name) for name in MomentView.model_fields if name != "details"},
        )
        if moment
        else None,
        ledger=tuple(EntriesView.model_validate(group, from_attributes=True) for group in row.entries),
    )


def _case(resources: Resources, case_id: UUID) -> Case:
    with resources.database.reading() as session:
        return require_case(session, case_id)


def _compared(resources: Resources, case: Case, workflow: str, history: History, now: datetime) -> CaseHistory:
    told = tell(history.runs, workflow, resources.keyring)
    entries = read_briefs(resources.database, case.id, limit=MOST_ENTRIES)
    in_sql_alone = frozenset(act.act_name() for act in kind_named(case.kind).all_acts if not act.keeps_clocks)
    ends = min(now, told.moments[-1].at) if history.runs and history.runs[-1].cut else now
    beside = hold_against(told, entries, in_sql_alone=in_sql_alone, left_out=history.left_out, ends=ends)
    agreement, says = _agreement(case, history, beside, now)
    notes = tuple(_notes(history, beside, entries))
    return CaseHistory(agreement, says, notes, beside, len(history.runs), told.events, told.routine)


def _agreement(case: Case, history: History, beside: Beside, now: datetime) -> tuple[Agreement, str]:
    if not history.runs:
        return _no_history(case, history.retention, now)
    both, differing = beside.counts[Standing.BOTH], len(beside.differing)
    if differing:
        return Agreement.DIFFER, (
            f"They differ: {counted(differing, 'line says', 'lines say')} what the other does not. Until it is known "
            "who changed what, take neither for granted."
        )
    return Agreement.AGREE, (
        f"They agree: {counted(both, 'line of the history stands', 'lines of the history stand')} in the ledger too, "
        "and nothing stands in one alone that ought to stand in both."
    )


def _no_history(case: Case, retention: timedelta | None, now: datetime) -> tuple[Agreement, str]:
    if case.workflow_started_at is None:
        return Agreement.ONE_ALONE, (
            "Temporal has no workflow of this case yet; it is started once Temporal answers the engine. Until then the "
            "ledger alone tells of it."
        )
    if case.closed_at is not None and (retention is None or case.closed_at + retention <= now):
        kept = f"Temporal keeps a history for {_days(retention)} after its end" if retention else "Temporal forgets"
        return Agreement.ONE_ALONE, (
            f"{kept}, and this one’s time is over. That is no fault: the ledger stays, and alone tells of the case."
        )
    return Agreement.DIFFER, (
        "Temporal ought to keep a history of this case, and has none: it was lost, or this is another Temporal. The "
        "watchdog starts an open case again, from what SQL knows."
    )


def _notes(history: History, beside: Beside, entries: tuple[EntryBrief, ...]) -> list[str]:
    notes = []
    if beside.begins and not beside.whole and not history.left_out:
        kept = f", which is {_days(history.retention)} here" if history.retention else ""
        notes.append(
            "The history does not go back to the case’s beginning: what was before is past the time for which Temporal "
            f"keeps it{kept}, or was lost. The ledger alone tells of that, and it is not counted as differing."
        )
    if history.left_out:
        notes.append(
            f"{counted(history.left_out, 'older run')} of the workflow {'is' if history.left_out == 1 else 'are'} left "
            f"out, since {MOST_EVENTS:,} events are read at most. `temporal workflow show` prints them, sealed."
        )
    if history.runs and history.runs[-1].cut:
        notes.append(f"The history has more than {MOST_EVENTS:,} events; what comes after these was not read.")
    if len(entries) == MOST_ENTRIES:
        notes.append(f"The case has {MOST_ENTRIES:,} entries or more; these first ones were compared.")
    return notes


def _days(retention: timedelta | None) -> str:
    if retention is None:
        return "some time"
    return counted(retention.days, "day") if retention.days else counted(int(retention.total_seconds() // 3600), "hour")
