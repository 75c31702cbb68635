"""What SQL makes suspicious: cases, batches and duties that the clocks should have seen to.

Every list here has a bound. Where there is more, each sweep begins at another place of the ids, so that nothing is
passed over for ever.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, TypeAlias, TypeVar, assert_never
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import Session, col, func, select, update

from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import CaseRestarted, TroubleRaised, WatchdogRaised
from models.enums import BatchStatus, CaseStatus, DutyStatus
from models.grouping import KEYS_A_QUERY, parts
from models.phrases import counted, instant_words
from models.tables import Batch, Case, Duty
from records.escalations import NOT_RAISED_AS_LATE
from records.troubles import trouble_sentence
from records.withholding import alone

Row = TypeVar("Row", Batch, Case)

OVERDUE_AT_ONCE = 100
"""How many cases with overdue duties a sweep raises, the longest overdue first; the next sweep goes on."""

_IDS = 1 << 128
"""How many ids there are."""

_GOLDEN = int(_IDS * 0.6180339887498949)
"""Steps of this size through the ids visit them evenly, whatever the interval between two sweeps."""


@dataclass(frozen=True)
class IdRange:
    """The ids from ``first`` to ``last``, both included, as numbers: ids are spread evenly over all of them."""

    first: int = 0
    last: int = _IDS - 1

    def split(self, parts: int) -> Iterator[IdRange]:
        """So many ranges of equal length that together are this one."""
        length = self.last - self.first + 1
        bounds = [self.first + length * part // parts for part in range(parts + 1)]
        for first, after in pairwise(bounds):
            yield IdRange(first, after - 1)

    def ends(self) -> tuple[UUID, UUID]:
        """The first and the last id."""
        return UUID(int=self.first), UUID(int=self.last)


ALL_IDS = IdRange()


def place_of(now: datetime) -> UUID:
    """The id at which the sweep of this minute begins."""
    minutes = (now - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(minutes=1)
    return UUID(int=minutes * _GOLDEN % _IDS)


Finding: TypeAlias = CaseRestarted | WatchdogRaised | TroubleRaised
"""One thing that was overlooked, as the officer is told of it and as the ledger attests it."""


@dataclass(frozen=True)
class OpenCase:
    """A case that is not closed, as far as the watchdog looks at it.

    ``is_behind`` is whether something was recorded a while ago that its duties were not computed with; ``run_id`` names
    the run of its workflow that the engine started.
    """

    id: UUID
    kind: str
    trouble: str | None
    is_behind: bool
    run_id: str | None = None


@dataclass(frozen=True)
class Suspects:
    """What SQL makes suspicious, before Temporal is asked.

    Attributes:
        cases: those that have not begun, are behind or have a trouble, and some that are merely their turn.
        sending: batches that began to be sent a while ago and are not through.
        stayed: batches that should have left and were not withheld, or by one person for as long as that holds.
        overdue: cases with overdue duties that nobody was told of, the longest overdue first.
    """

    cases: Sequence[OpenCase]
    sending: Sequence[Batch]
    stayed: Sequence[Batch]
    overdue: Sequence[UUID]


def look(session: Session, before: datetime, place: UUID, *, suspicious: int, in_turn: int) -> Suspects:
    """What makes SQL suspicious of the time before an instant.

    Args:
        session: where to read.
        before: what happened later may still be on its way.
        place: the id to begin at.
        suspicious: how many cases, and how many batches of each sort, are read at most.
        in_turn: how many cases of each kind are read that nothing makes suspicious.
    """
    # A batch that was raised while it waited is raised once more if its sending stops.
    unraised = col(Batch.raised_at).is_(None) | (col(Batch.raised_at) < col(Batch.began_at))
    sending = (Batch.status == BatchStatus.SENDING, col(Batch.began_at) < before, unraised)
    waits = (col(Batch.status) == BatchStatus.WAITING) & (col(Batch.leaves_at) < before)
    lapsed = (col(Batch.status) == BatchStatus.WITHHELD) & (col(Batch.last_safe_at) < before) & alone()
    waiting = (waits | lapsed, col(Batch.raised_at).is_(None))
    stay = _from(session, Batch, place, suspicious, *waiting)
    return Suspects(
        cases=_cases(session, before, place, suspicious, in_turn, {batch.case_id for batch in stay}),
        sending=_from(session, Batch, place, suspicious, *sending),
        stayed=stay,
        overdue=_overdue(session, before),
    )


def open_counts(session: Session) -> dict[str, int]:
    """How many cases of each kind are not closed."""
    rows = session.exec(select(Case.kind, func.count()).where(_unclosed()).group_by(col(Case.kind)))
    return {f"{kind}": count for kind, count in rows}


def count_open(session: Session, kind: str, ids: IdRange) -> int:
    """How many cases of a kind and of a range of ids are not closed."""
    return session.exec(select(func.count()).select_from(Case).where(_unclosed(), *_of(kind, ids))).one()


def open_cases(session: Session, kind: str, ids: IdRange, before: datetime) -> list[UUID]:
    """The cases of a kind and of a range of ids that were opened before an instant and are not closed."""
    return list(session.exec(select(Case.id).where(_unclosed(), *_of(kind, ids), col(Case.opened_at) < before)))


def run_ids(session: Session, cases: Sequence[UUID]) -> dict[UUID, str | None]:
    """The runs by which the engine last started the workflows of some cases, of those that are not closed."""
    rows = session.exec(select(Case.id, Case.workflow_run_id).where(_unclosed(), col(Case.id).in_(cases)))
    return dict(rows.all())


def known_cases(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Those of some ids that are of a case, whether open or closed."""
    found: set[UUID] = set()
    for some in parts(sorted(ids), KEYS_A_QUERY):
        found |= set(session.exec(select(Case.id).where(col(Case.id).in_(some))))
    return found


def cases_of_batches(session: Session, batches: Sequence[UUID]) -> set[UUID]:
    """The cases that some batches belong to."""
    return set(session.exec(select(Batch.case_id).where(col(Batch.id).in_(batches))))


def stayed(batch: Batch, now: datetime) -> Finding:
    """The finding that a batch should have left by now."""
    moment = batch.last_safe_at if batch.status is BatchStatus.WITHHELD and batch.last_safe_at else batch.leaves_at
    return _of_batch(batch, f"should have left at {instant_words(moment)}, and did not begin to", now)


def stopped(batch: Batch, now: datetime) -> Finding:
    """The finding that nobody sends a batch any more."""
    return _of_batch(batch, "began to leave, and nothing goes on; it is taken up again", now)


def take_up_stopped(session: Session, batches: Sequence[UUID], now: datetime) -> list[OpenCase]:
    """Let batches leave again of which sending stopped; give their cases, which have to hear of it."""
    stopped = col(Batch.id).in_(batches), col(Batch.status) == BatchStatus.SENDING
    cases = session.exec(select(Case).where(_unclosed(), col(Case.id).in_(select(Batch.case_id).where(*stopped)))).all()
    session.execute(update(Batch).where(*stopped).values(status=BatchStatus.PUT_OFF, again_at=now))
    return [
        OpenCase(case.id, f"{case.kind}", case.trouble, is_behind=False, run_id=case.workflow_run_id) for case in cases
    ]


GONE = "Its clocks had stopped, since its workflow was gone"
FOREIGN = "Somebody else had started its workflow, or had set it back"
RESTORED = "The database or Temporal was restored from a copy"
"""Why a case was started again."""


def restarted(case_id: UUID, now: datetime, why: str) -> Finding:
    """The finding that a case was started again."""
    return CaseRestarted(
        case_id=case_id, actor=ENGINE, at=now, finding=f"{why}. They run again, from what the database knows."
    )


def troubles(session: Session, cases: Sequence[UUID], now: datetime) -> list[Finding]:
    """The troubles of some open cases of which nobody was told yet."""
    unraised = col(Case.trouble_raised_at).is_(None) | (col(Case.trouble_raised_at) < col(Case.trouble_since))
    wanted = col(Case.id).in_(cases), _unclosed(), col(Case.trouble).is_not(None), unraised
    return [_of_case(case, now) for case in session.exec(select(Case).where(*wanted))]


def keep_findings(session: Session, findings: Sequence[Finding]) -> None:
    """Note what an officer was told of, with the evidence of it, so that it is raised once."""
    append(session, *findings)
    for finding in findings:
        match finding:
            case WatchdogRaised(batch_id=batch_id):
                session.execute(update(Batch).where(col(Batch.id) == batch_id).values(raised_at=finding.at))
            case TroubleRaised(case_id=case_id):
                session.execute(update(Case).where(col(Case.id) == case_id).values(trouble_raised_at=finding.at))
            case CaseRestarted():
                pass
            case _:
                assert_never(finding)


def _of_batch(batch: Batch, what: str, now: datetime) -> Finding:
    return WatchdogRaised(
        case_id=batch.case_id,
        actor=ENGINE,
        at=now,
        batch_id=batch.id,
        status=batch.status,
        finding=f"{counted(batch.size, 'notice')} under {batch.clause} {what}.",
    )


def _of_case(case: Case, now: datetime) -> Finding:
    assert case.trouble, "only a case with a trouble is raised"
    assert case.trouble_since, "a trouble has a beginning"
    return TroubleRaised(
        case_id=case.id,
        actor=ENGINE,
        at=now,
        trouble=case.trouble,
        since=case.trouble_since,
        finding=trouble_sentence(case.trouble),
    )


def _unclosed() -> ColumnElement[bool]:
    return col(Case.closed_at).is_(None)


def _is_behind(before: datetime) -> ColumnElement[bool]:
    not_computed = col(Case.computed_at).is_(None) | (col(Case.computed_at) < col(Case.changed_at))
    return and_(col(Case.changed_at) < before, not_computed)


def _of(kind: str, ids: IdRange) -> tuple[ColumnElement[bool], ...]:
    return (col(Case.kind) == kind, col(Case.id).between(*ids.ends()))


def _cases(
    session: Session, before: datetime, place: UUID, suspicious: int, in_turn: int, besides: Collection[UUID]
) -> list[OpenCase]:
    opened = col(Case.opened_at) < before
    not_begun = or_(col(Case.workflow_started_at).is_(None), col(Case.status) == CaseStatus.REPORTED)
    doubtful = or_(col(Case.trouble).is_not(None), and_(opened, not_begun), _is_behind(before))
    found = _from(session, Case, place, suspicious, _unclosed(), doubtful)
    found += session.exec(select(Case).where(_unclosed(), col(Case.id).in_(besides)))
    for kind in open_counts(session):
        found += _from(session, Case, place, in_turn, _unclosed(), col(Case.kind) == kind, opened)
    behind = set(session.exec(select(Case.id).where(col(Case.id).in_([case.id for case in found]), _is_behind(before))))
    return [
        OpenCase(case.id, f"{case.kind}", case.trouble, case.id in behind, case.workflow_run_id)
        for case in {case.id: case for case in found}.values()
    ]


def _from(session: Session, table: type[Row], place: UUID, limit: int, *wanted: Any) -> list[Row]:
    """The first rows from a place of the ids on, and from the beginning again where there are fewer."""
    query = select(table).where(*wanted).order_by(col(table.id)).limit(limit)
    found = list(session.exec(query.where(col(table.id) >= place)))
    if len(found) < limit:
        found += session.exec(query.where(col(table.id) < place).limit(limit - len(found)))
    return found


def _overdue(session: Session, before: datetime) -> list[UUID]:
    overdue = (
        select(Duty.case_id)
        .join(Case, col(Case.id) == col(Duty.case_id))
        .where(Duty.status == DutyStatus.RUNNING, col(Duty.due_at) < before, NOT_RAISED_AS_LATE)
        .where(_unclosed(), col(Case.opened_at) < before)
        .group_by(col(Duty.case_id))
        .order_by(func.min(Duty.due_at))
    )
    return list(session.exec(overdue.limit(OVERDUE_AT_ONCE)))
