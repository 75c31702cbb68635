"""Opening many cases of one kind from a file: every row is checked first, and what is open already stays as it is.

Nothing is kept of how far an opening has come: a case's id follows from its intake, so SQL itself says which rows are
open. The same file again opens what is missing, whatever interrupted the one before.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlmodel import Session, col, select

from cases.kind import Kind
from config.logging import get_logger
from models import identifiers
from models.enums import Authentication
from models.errors import DoubtfulDates, DuenoticeError, InvalidFields, InvalidInput, Unavailable
from models.grouping import KEYS_A_QUERY, parts
from models.tables import Case
from queries.consequences import Foresight, WouldBeAsked
from queries.doubts import doubts_of_intake
from records.intake import GivenIntake, keep_intakes, prepare
from records.intake_files import IntakeFile, IntakeRow, in_row, place
from starter.case_service import check_actor, digest_of, foresight
from starter.resources import Resources, utc_now
from starter.start import notice_policy, start_cases

_log = get_logger("many_openings")

AT_ONCE = 100
"""How many cases go into one transaction."""

A_START = timedelta(milliseconds=15)
"""About how long it takes to start one case. Those of a file begin their work once the others are started as well: a
worker that shares its process or machine with them would else slow down each start threefold."""

KEPT, STARTED = "kept", "clocks started"
"""The two steps of an opening, which follow each other: each row is kept, then each case's clocks are started."""


class Counted(BaseModel):
    """Part of what is counted; values are frozen."""

    model_config = ConfigDict(frozen=True)


class DueLine(Counted):
    """How many duties under one clause would be due at one instant, in one time zone."""

    clause: str
    title: str
    due_at: datetime | None
    time_zone: str
    duties: int
    overdue: bool


class Progress(Counted):
    """How far the opening of a file has come: of its sound rows, how many are open, and of how many the clocks run."""

    rows: int
    opened: int
    running: int

    @property
    def is_done(self) -> bool:
        """Whether every row is open and its clocks run."""
        return self.running == self.rows


class CheckedFile(NamedTuple):
    """What a person checks before a file's cases are opened.

    Attributes:
        rows: those that can be opened, each with the id of its case.
        open_already: how many of these are open.
        problems: what is wrong with the other rows, by row and column.
        bad_rows: how many these are.
        dues: what would be due, soonest first.
        doubts: dates that are hardly meant.
        asked: the holders of data that are mailed as soon as the cases are opened, by name.
    """

    rows: Mapping[UUID, IntakeRow]
    open_already: int
    problems: tuple[InvalidInput, ...]
    bad_rows: int
    dues: tuple[DueLine, ...]
    doubts: tuple[InvalidInput, ...]
    asked: tuple[WouldBeAsked, ...]

    @property
    def overdue(self) -> int:
        """How many duties would be overdue from the start."""
        return sum(line.duties for line in self.dues if line.overdue)


class ManyOpenings:
    """Where the cases of a file are checked and opened, for every face.

    Args:
        resources: the installation.
        clock: gives the present instant.
    """

    def __init__(self, resources: Resources, clock: Callable[[], datetime] = utc_now) -> None:
        self._resources = resources
        self._database = resources.database
        self._clock = clock
        self._under_way: dict[str, asyncio.Task[Progress]] = {}
        self._ended: dict[str, DuenoticeError] = {}

    def check(self, kind: Kind, file: IntakeFile) -> CheckedFile:
        """What would follow if the cases of a file were opened now; nothing is written."""
        now = self._clock()
        checker = _Checker(kind, file, foresight(self._resources, now), now)
        ids = {self._case_id(kind, row): row for row in reversed(file.rows)}
        with self._database.reading() as session:
            known = _known(session, list(ids))
            for row in file.rows:
                case_id = self._case_id(kind, row)
                checker.look(session, row, first=ids[case_id], is_open=case_id in known)
        rows = {case_id: row for case_id, row in ids.items() if row.line in checker.sound}
        return checker.checked(dict(sorted(rows.items(), key=lambda item: item[1].line)), len(known))

    def progress(self, kind: Kind, file: IntakeFile) -> Progress:
        """How far the opening of a file has come."""
        return self._progress(list({self._case_id(kind, row) for row in file.rows}))

    async def open(
        self,
        kind: Kind,
        file: IntakeFile,
        *,
        actor: str,
        authenticated: Authentication | None = None,
        good_rows: bool = False,
        dates_confirmed: bool = False,
        advance: Callable[[str, int], None] = lambda _, __: None,
    ) -> Progress:
        """Open a case for every row that has none; ``advance`` is told how many more are ``KEPT``, then ``STARTED``.

        Raises:
            InvalidFields: something is wrong with a row, and the good ones alone were not asked for: nothing is opened.
                Or a row turned out wrong after it was checked: the others are open.
            DoubtfulDates: dates are hardly meant, and nobody has confirmed them: nothing is opened.
            InvalidInput: the actor's name cannot be kept in evidence.
        """
        check_actor(actor)
        checked = await asyncio.to_thread(self.check, kind, file)
        require_sound(checked, good_rows=good_rows, dates_confirmed=dates_confirmed)
        refused: list[InvalidInput] = []
        for some in parts(list(checked.rows.items()), AT_ONCE):
            refused += await asyncio.to_thread(self._keep, kind, file, some, actor, authenticated, dates_confirmed)
            advance(KEPT, len(some))
        # Afterwards, so that what the cases' own work writes does not hold up what is still to be kept.
        left = len(checked.rows)
        for cases in parts(list(checked.rows), AT_ONCE):
            left -= len(cases)
            await self._start(cases, left * A_START)
            advance(STARTED, len(cases))
        if refused:
            raise InvalidFields(tuple(refused))
        return await asyncio.to_thread(self._progress, list(checked.rows))

    def begin(self, name: str, opening: Coroutine[Any, Any, Progress]) -> None:
        """Let an opening run while nobody waits for it, under a name; one of this name that runs goes on alone."""
        if name in self._under_way:
            opening.close()
            return
        self._ended.pop(name, None)
        self._under_way[name] = task = asyncio.create_task(opening)
        task.add_done_callback(lambda done: self._note_end(name, done))

    def is_under_way(self, name: str) -> bool:
        """Whether an opening of this name runs in this process."""
        return name in self._under_way

    def why_ended(self, name: str) -> DuenoticeError | None:
        """Why the last opening of this name in this process did not come to its end."""
        return self._ended.get(name)

    async def stop(self) -> None:
        """Stop every opening between two parts; the same file again goes on where it stopped."""
        tasks = [*self._under_way.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _note_end(self, name: str, task: asyncio.Task[Progress]) -> None:
        del self._under_way[name]
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, DuenoticeError):
            self._ended[name] = error
        elif error:
            _log.error("opening of a file failed", error=type(error).__name__)
            self._ended[name] = Unavailable(
                "Opening them stopped for a reason that nobody foresaw.",
                next_step="Go on; what is open stays as it is.",
            )

    def _case_id(self, kind: Kind, row: IntakeRow) -> UUID:
        return identifiers.case_id(kind.name, digest_of(self._resources, row.intake))

    def _progress(self, cases: Sequence[UUID]) -> Progress:
        with self._database.reading() as session:
            known = _known(session, cases)
        return Progress(rows=len(cases), opened=len(known), running=sum(known.values()))

    def _keep(
        self,
        kind: Kind,
        file: IntakeFile,
        some: Sequence[tuple[UUID, IntakeRow]],
        actor: str,
        authenticated: Authentication | None,
        dates_confirmed: bool,
    ) -> list[InvalidInput]:
        """Keep some intakes in one transaction; one that is refused leaves nothing, since it is checked before that."""
        now, refused = self._clock(), list[InvalidInput]()
        lines: dict[str, int] = {}

        def given(session: Session) -> Iterator[GivenIntake]:
            for _, row in some:
                doubtful = doubts_of_intake(session, kind, row.intake, now) if dates_confirmed else ()
                digest = digest_of(self._resources, row.intake)
                lines[digest] = row.line
                yield GivenIntake(row.intake, digest, tuple(doubt.name for doubt in doubtful))

        def refuse(one: GivenIntake, error: InvalidFields) -> None:
            refused.extend(in_row(kind, error, file.name, lines[one.digest]))

        with self._database.writing() as session:
            keep_intakes(
                session,
                kind,
                given(session),
                actor=actor,
                now=now,
                authenticated=authenticated,
                side=self._resources.settings.side,
                refuse=refuse,
            )
        return refused

    async def _start(self, cases: Sequence[UUID], delay: timedelta) -> None:
        """Start the clocks of those that do not run; where Temporal does not answer, the watchdog starts them."""

        def unstarted() -> list[UUID]:
            with self._database.reading() as session:
                return [case_id for case_id, running in _known(session, cases).items() if not running]

        policy = notice_policy(self._resources.settings)
        waiting = await asyncio.to_thread(unstarted)
        await start_cases(self._resources.client, self._database, waiting, policy, self._clock(), delay=delay)


def require_sound(checked: CheckedFile, *, good_rows: bool, dates_confirmed: bool) -> None:
    """Return where the cases of a checked file may be opened.

    Raises:
        InvalidFields: something is wrong with a row, and the good ones alone were not asked for.
        DoubtfulDates: dates are hardly meant, and nobody has confirmed them.
    """
    if checked.problems and not (good_rows and checked.rows):
        raise InvalidFields(checked.problems)
    if checked.doubts and not dates_confirmed:
        raise DoubtfulDates(checked.doubts)


class _Checker:
    """Looks at rows one after another, and keeps what is wrong and what would follow."""

    def __init__(self, kind: Kind, file: IntakeFile, foresight: Foresight, now: datetime) -> None:
        self._kind = kind
        self._file = file
        self._foresight = foresight
        self._now = now
        self._problems = list(file.problems)
        self._doubts: list[InvalidInput] = []
        self._dues: Counter[DueLine] = Counter()
        self._asked: set[WouldBeAsked] = set()
        self._by_agreement: dict[str, list[IntakeRow]] = defaultdict(list)
        self.sound: set[int] = set()

    def look(self, session: Session, row: IntakeRow, *, first: IntakeRow, is_open: bool) -> None:
        """Look at one row; ``first`` is the first one that says the same."""
        try:
            self._check_beside_others(row, first)
            if not is_open:
                self._foresee(session, row)
            self.sound.add(row.line)
        except InvalidFields as error:
            self._problems += in_row(self._kind, error, self._file.name, row.line)

    def checked(self, rows: Mapping[UUID, IntakeRow], open_already: int) -> CheckedFile:
        """What was found."""
        lines = [line.model_copy(update={"duties": count}) for line, count in self._dues.items()]
        problems = tuple(sorted(self._problems, key=lambda problem: _line_of(problem.where)))
        bad = len({_line_of(problem.where) for problem in problems})
        dues, asked = tuple(sorted(lines, key=_soonest)), tuple(sorted(self._asked, key=lambda one: one.name))
        return CheckedFile(rows, open_already, problems, bad, dues, tuple(self._doubts), asked)

    def _check_beside_others(self, row: IntakeRow, first: IntakeRow) -> None:
        if first is not row:
            raise InvalidFields((self._twice(f"This is the same as line {first.line}.", "Leave one of the two."),))
        for reference in row.intake.agreements:
            for other in self._by_agreement[reference]:
                if row.intake.clashes(other.intake):
                    says = f"Line {other.line} is about the same already."
                    raise InvalidFields((self._twice(says, "Leave the one that holds."),))
        for reference in row.intake.agreements:
            self._by_agreement[reference].append(row)

    @staticmethod
    def _twice(says: str, step: str) -> InvalidInput:
        return InvalidInput(says, where="agreements", next_step=step)

    def _foresee(self, session: Session, row: IntakeRow) -> None:
        doubtful = doubts_of_intake(session, self._kind, row.intake, self._now)
        further = prepare(session, self._kind, row.intake, self._now, self._foresight.side)
        foreseen = self._foresight.of_intake(session, self._kind, row.intake, further)
        for doubt in doubtful:
            where = place(self._file.name, row.line, doubt.problem.where or "")
            self._doubts.append(InvalidInput(doubt.problem.message, where=where, next_step=doubt.problem.next_step))
        self._asked |= set(foreseen.asked)
        for line in foreseen.duties:
            due = DueLine(duties=0, **line.model_dump(include=DueLine.model_fields.keys() - {"duties"}))
            self._dues[due] += line.duties


def _known(session: Session, cases: Sequence[UUID]) -> dict[UUID, bool]:
    """Those of some cases that are open already, and whether their clocks were started."""
    return {
        case_id: started_at is not None
        for some in parts(cases, KEYS_A_QUERY)
        for case_id, started_at in session.exec(select(Case.id, Case.workflow_started_at).where(col(Case.id).in_(some)))
    }


def _line_of(where: str | None) -> int:
    number = (where or "").rpartition(":")[2].partition(",")[0]
    return int(number) if number.isdecimal() else 0


def _soonest(line: DueLine) -> tuple[bool, float, str, str]:
    return line.due_at is None, line.due_at.timestamp() if line.due_at else 0.0, line.clause, line.time_zone
