"""One message for the duties that fall together, so that an LEA is not told the same thing twice at one time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy import Select, case, func
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from agreements.due_dates import StoredDueDate, read_due_dates
from agreements.terms import pinned_terms
from models.bulk import among, tables_of
from models.enums import BatchStatus, DutyStatus, NoticeKind
from models.grouping import grouped
from models.tables import Batch, Duty, Notice
from terms.effective import EffectiveTerms

WAITS_OR_LEAVES = (BatchStatus.WAITING, BatchStatus.SENDING, BatchStatus.PUT_OFF)
"""How the batch of a notice stands that may be taken along; what an officer withheld stays behind."""

_NOTICE, _DUTY, _BATCH = tables_of(Notice, Duty, Batch)


@dataclass(frozen=True)
class _Unwritten:
    """A notice of which no message was written yet."""

    notice: Notice
    batch: Batch
    duty: Duty


@dataclass(frozen=True)
class TakenAlong:
    """What falls together among some notices and the others to their LEAs.

    Attributes:
        further: by notice, the ids of all duties that it performs besides its own, where it takes others along.
        given_up: the notices that others perform.
    """

    further: Mapping[UUID, list[str]] = field(default_factory=dict)
    given_up: frozenset[UUID] = frozenset()


def take_along(session: Session, case_id: UUID, notices: Sequence[UUID]) -> TakenAlong:
    """Let each of some notices, about to be written, perform what else its message will say.

    Another notice to the same LEA that has not been written is given up for that, if it would say nothing more.
    """
    found = list(_taken_along(session, case_id, notices))
    together = _together(found)
    for first, others in found:
        for other in others:
            _take(session, first, other)
    session.flush()
    return together


def falling_together(session: Session, case_id: UUID, notices: Sequence[UUID]) -> TakenAlong:
    """What some notices would take along if they were written now."""
    return _together(list(_taken_along(session, case_id, notices)))


def _together(found: Sequence[tuple[_Unwritten, list[_Unwritten]]]) -> TakenAlong:
    further = {
        first.notice.id: [*first.notice.also_performs, *(str(other.duty.id) for other in others)]
        for first, others in found
        if others
    }
    return TakenAlong(further, frozenset(other.notice.id for _, others in found for other in others))


def _taken_along(
    session: Session, case_id: UUID, notices: Sequence[UUID]
) -> Iterator[tuple[_Unwritten, list[_Unwritten]]]:
    """Each of some notices, with the others to its LEA whose duties its message performs as well, if there are any."""
    several = grouped(_unwritten(session, case_id, notices), lambda each: each.duty.agreement_id)
    if not several:
        return
    due_dates = read_due_dates(session, {each.duty.due_date_id for some in several.values() for each in some})
    together = Together(due_dates, pinned_terms(session, case_id))
    wanted = set(notices)
    for left in several.values():
        while first := next((each for each in left if each.notice.id in wanted), None):
            left.remove(first)
            others = [other for other in left if together.says_all_of(first, other)]
            for other in others:
                left.remove(other)
            yield first, others


def _take(session: Session, first: _Unwritten, other: _Unwritten) -> None:
    """Let one notice perform what another was planned for; nothing of that one was written, so nothing is kept."""
    first.notice.also_performs = [*first.notice.also_performs, str(other.duty.id)]
    other.batch.size -= 1
    if other.batch.size == 0 and other.batch.status is BatchStatus.WAITING:
        other.batch.status = BatchStatus.CANCELLED
    session.add_all((first.notice, other.batch))
    session.delete(other.notice)


def _unwritten(session: Session, case_id: UUID, notices: Sequence[UUID]) -> list[_Unwritten]:
    """The notices to the LEAs of some notices, these included, of which no message was written yet; if several are."""
    agreements = _with_several(session, case_id, notices)
    if not agreements:
        return []
    rows = session.exec(
        select(Notice, Batch, Duty)
        .join(Batch, col(Batch.id) == col(Notice.batch_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .where(col(Duty.agreement_id).in_(agreements))
        .where(col(Notice.composed_at).is_(None), col(Notice.dropped).is_(False))
        .order_by(col(Notice.id))
    )
    # Found by the agreement: by the case, or by how batches stand, all notices that wait would be read for these few.
    found = [_Unwritten(*row) for row in rows]
    return [each for each in found if each.duty.case_id == case_id and each.batch.status in WAITS_OR_LEAVES]


def _several() -> Select[Any]:
    """Found by the agreement likewise: how batches stand is only counted."""
    told = select_columns(_DUTY.c.agreement_id).join(_NOTICE, _NOTICE.c.duty_id == _DUTY.c.id)
    stands_so = func.sum(case((_BATCH.c.status.in_(WAITS_OR_LEAVES), 1), else_=0))
    return (
        select_columns(_DUTY.c.agreement_id, _DUTY.c.case_id)
        .join(_NOTICE, _NOTICE.c.duty_id == _DUTY.c.id)
        .join(_BATCH, _BATCH.c.id == _NOTICE.c.batch_id)
        .where(_DUTY.c.agreement_id.in_(told.where(among(_NOTICE.c.id, "notices"))))
        .where(_NOTICE.c.composed_at.is_(None), _NOTICE.c.dropped.is_(False))
        .group_by(_DUTY.c.agreement_id, _DUTY.c.case_id)
        .having(stands_so > 1)
    )


_SEVERAL = _several()


def _with_several(session: Session, case_id: UUID, notices: Sequence[UUID]) -> list[UUID]:
    """The agreements of some notices to whose LEAs a case has more than one that no message was written of yet."""
    session.flush()  # what was changed by objects is to be read too
    return [agreement for agreement, of in session.execute(_SEVERAL, {"notices": notices}) if of == case_id]


@dataclass(frozen=True)
class Together:
    """Tells which notices fall together, from their due dates and the terms that these were computed under, by hash."""

    due_dates: Mapping[str, StoredDueDate]
    terms: Mapping[str, EffectiveTerms]

    def says_all_of(self, first: _Unwritten, other: _Unwritten) -> bool:
        """Whether the message of one notice to an LEA says all that another one to it would."""
        if first.notice.kind is not other.notice.kind:
            return False
        match first.notice.kind:
            case NoticeKind.NOTICE:
                running = first.duty.status is other.duty.status is DutyStatus.RUNNING
                return running and self._covers(first.duty, other.duty)
            case NoticeKind.SUPPLEMENT:
                lacking = set(other.duty.lacking)  # where nothing lacks, it corrects what was told
                return bool(lacking) and lacking <= set(first.duty.lacking)
            case NoticeKind.DISMISSAL:
                return False
            case _:
                assert_never(first.notice.kind)

    def _covers(self, duty: Duty, other: Duty) -> bool:
        """Whether a notice under one duty gives all that another asks for.

        Both clocks began at one instant, the same contacts are told, and the other asks for nothing else.
        """
        mine, others = self.due_dates[duty.due_date_id], self.due_dates[other.due_date_id]
        contacts = {self.terms[due.terms_hash].clause(due.clause).contacts for due in (mine, others)}
        return (
            (duty.owed_to, mine.starts_at) == (other.owed_to, others.starts_at)
            and len(contacts) == 1
            and bool(others.contents)
            and set(others.contents) <= set(mine.contents)
        )
