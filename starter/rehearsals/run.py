"""Running a scenario: a whole case in virtual time against the mail catcher, and what became of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlmodel import col, func, select

from agreements.importing import import_agreements
from agreements.terms import store_calendar
from cases.acts import Act, Approve
from cases.kinds import kind_named
from cases.values import KeptReferences
from config.keyring import Keyring
from ledger.actors import LEA
from models.enums import Role
from models.errors import InvalidInput, NotFound, Refused
from models.grouping import parts
from models.tables import Agreement, Duty, Notice
from models.view import View
from people.accounts import add_account
from records.answers import MOST_AT_ONCE, GivenAnswer, record_answers
from records.ends import open_end, unseen_ends
from records.offers import unanswered
from starter.case_service import CaseService
from starter.rehearsals.districts import Counts, FictionalDistricts, make_districts, scaled
from starter.rehearsals.scenario import Scenario, Source, all_later, later, moved
from starter.rehearsals.timeline import ANSWER, WAIT, DistrictsAnswer, TimelineEntry
from starter.rehearsals.verdicts import ClauseTotal, Happening, clause_totals, happenings
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import utc_now
from starter.start import end_rules
from terms.calendars import parse_calendar
from terms.catalogue import load_catalogue

PRODUCER = "rehearsal"
"""Who imports the fictional agreements, as evidence names them."""

PROGRESS_INTERVAL = 0.5
"""How often, in seconds, whoever watches is told how far the rehearsal has come."""


class RehearsalResult(View):
    """What became of a scenario; every instant is one of the scenario's own time.

    ``years`` is by how much it was run later; ``districts`` counts those affected by state; ``messages`` counts
    what the mail catcher was given.
    """

    title: str
    about: str
    notes: tuple[str, ...]
    sources: tuple[Source, ...]
    zone: str
    begins: datetime
    until: datetime
    years: int
    districts: dict[str, int]
    happenings: tuple[Happening, ...]
    totals: tuple[ClauseTotal, ...]
    messages: int


@dataclass(frozen=True)
class RehearsalProgress:
    """How far a rehearsal has come: entries done, of how many, the moment, and how many notices were given so far."""

    done: int
    of: int
    at: datetime
    says: str
    given: int


async def run_scenario(
    scenario: Scenario,
    folder: Path,
    *,
    districts: int | None = None,
    cli: Path | None = None,
    keyring: Keyring | None = None,
    watch: Callable[[RehearsalProgress], None] | None = None,
) -> RehearsalResult:
    """Run a scenario on an engine of its own, with all its files in ``folder``.

    Args:
        scenario: what is run.
        folder: an empty folder.
        districts: how many districts are affected at first, if not as many as the scenario says.
        cli: Temporal's command line, if not the one that is found.
        keyring: the keys, else new ones.
        watch: is told now and then how far the rehearsal has come.

    Raises:
        InvalidInput: the scenario's districts cannot be made, or it cannot be dated.
        Refused: an act of its time line makes no sense when its turn comes.
        Unavailable: Temporal's command line is not to be had, or the case does not come to rest.
    """
    catalogue = load_catalogue()
    counts = scenario.districts.counts if districts is None else scaled(scenario.districts.counts, districts)
    groups = [counts, *(entry.counts for entry in scenario.timeline if entry.counts)]
    zones = {
        catalogue.state(form, state).zone for group in groups for form, states in group.items() for state in states
    }
    later_scenario, years = moved(scenario, zones, utc_now())
    fictional = make_districts(catalogue, groups, later_scenario.districts.signed)
    async with virtual_engine(folder, cli=cli, keyring=keyring, overrides=later_scenario.settings()) as engine:
        rehearsal = _Rehearsal(engine, later_scenario, fictional, years)
        async with rehearsal.watched(watch or _unseen):
            await rehearsal.run()
        return rehearsal.result(groups)


def _unseen(_: RehearsalProgress) -> None:
    """Nobody watches."""


class _Rehearsal:
    """The engine and the case, while the time line is carried out."""

    def __init__(self, engine: VirtualEngine, scenario: Scenario, districts: FictionalDistricts, years: int) -> None:
        self._engine = engine
        self._scenario = scenario
        self._districts = districts
        self._years = years
        self._now = scenario.begins
        self._service = CaseService(engine.resources, clock=lambda: self._now)
        self._case_id = UUID(int=0)
        self._done = 0
        self._made: dict[str, UUID] = {}
        self._still_to_add = iter(districts.groups[1:])
        self._acts: list[Happening] = []
        self._ends: list[UUID] = []

    async def run(self) -> None:
        resources = self._engine.resources
        await asyncio.to_thread(
            import_agreements,
            resources.database,
            resources.catalogue,
            self._districts.file,
            file_name="districts.csv",
            now=self._now,
            actor=PRODUCER,
        )
        if year := self._scenario.districts.school_year:
            await asyncio.to_thread(self._load_calendars, year.as_csv())
        for name in sorted({entry.by for entry in self._scenario.timeline if isinstance(entry.act, Approve)}):
            await asyncio.to_thread(
                add_account, resources.database, name, Role.OFFICER, made_by=PRODUCER, now=self._now
            )
        for entry in self._scenario.timeline:
            await self._carry_out(entry)
            await self._see_to_ends()
            self._done += 1
        until = self._scenario.until
        for case_id in self._ends:
            await self._engine.advance_to(case_id, until)
        self._now = await self._engine.advance_to(self._case_id, until)

    def _load_calendars(self, file: bytes) -> None:
        """Import the districts' school calendar for each of them."""
        calendar = parse_calendar(file, "school-year.csv")
        for reference in (reference for group in self._districts.groups for reference in group):
            store_calendar(self._engine.resources.database, reference, calendar, file, actor=PRODUCER, now=self._now)

    async def _carry_out(self, entry: TimelineEntry) -> None:
        if self._done:
            self._now = max(entry.at, await self._engine.advance_to(self._case_id, entry.at))
        by = None if entry.name in (WAIT, ANSWER) else entry.by
        self._acts.append(Happening(at=self._now, by=by, act=entry.name, says=entry.says))
        try:
            if not self._done:
                await self._open_case(entry)
            elif entry.act:
                await self._take(entry, entry.act)
            elif entry.answered:
                await asyncio.to_thread(self._answer, entry.answered)
        except (InvalidInput, NotFound, Refused) as error:
            at = later(entry.at, -self._years).isoformat()
            raise Refused(error.message, where=f"{entry.name} at {at}", next_step=error.next_step) from error
        await self._engine.settle(self._case_id)

    async def _open_case(self, entry: TimelineEntry) -> None:
        kind = kind_named(self._scenario.kind)
        intake = self._scenario.intake.model_copy(update={"agreements": self._districts.groups[0]})
        self._case_id = await self._engine.open_at(entry.at, kind, intake, actor=entry.by)

    def _answer(self, said: DistrictsAnswer) -> None:
        """Have districts answer through the links of their notices, in an order that is not that of their names."""
        with self._engine.resources.database.writing() as session:
            told = session.exec(
                select(Notice.id)
                .join(Duty, col(Duty.id) == col(Notice.duty_id))
                .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
                .where(Notice.case_id == self._case_id, col(Notice.given_at).is_not(None), unanswered())
                .where(Agreement.state == said.state if said.state else True)
                .order_by(col(Notice.id))
            ).all()
            if not told:
                raise Refused("No district that was told has not answered.", next_step="Let them answer later.")
            number = said.number or max(1, round(len(told) * (said.share or 0)))
            answers = [
                GivenAnswer(notice, said.answer, LEA, "Superintendent", None, said.question, ground=said.ground)
                for notice in told[:number]
            ]
            for some in parts(answers, MOST_AT_ONCE):
                record_answers(session, some, bytes(32), self._now)

    async def _see_to_ends(self) -> None:
        """Open the cases of agreements that ended, as the watchdog's sweep does."""
        rules, database = end_rules(self._engine.resources), self._engine.resources.database

        def open_all() -> list[tuple[UUID, str]]:
            with database.writing() as session:
                ended = unseen_ends(session, rules, self._now)
                made = [(open_end(session, rules, key, self._now), session.get_one(Agreement, key)) for key in ended]
                return [(case_id, agreement.lea_name) for case_id, agreement in made if case_id]

        for case_id, lea_name in await asyncio.to_thread(open_all):
            await self._engine.begin_at(self._now, case_id)
            self._ends.append(case_id)
            says = f"{lea_name} has terminated: a case about the disposal of its data is opened"
            self._acts.append(Happening(at=self._now, says=says))

    async def _take(self, entry: TimelineEntry, act: Act) -> None:
        known_now: dict[str, object] = {field: self._made[name] for field, name in entry.uses.items()}
        if entry.counts:
            known_now["agreements"] = KeptReferences.model_validate(next(self._still_to_add))
        taken = await self._service.take(
            self._case_id, act.model_copy(update=known_now), actor=entry.by, dates_confirmed=True
        )
        if entry.makes and taken.made_id:
            self._made[entry.makes] = taken.made_id

    @asynccontextmanager
    async def watched(self, watch: Callable[[RehearsalProgress], None]) -> AsyncIterator[None]:
        """Tell whoever watches how far it is, until the end of the block."""

        async def look() -> None:
            while True:
                watch(await asyncio.to_thread(self._progress))
                await asyncio.sleep(PROGRESS_INTERVAL)

        looking = asyncio.create_task(look())
        try:
            yield
        finally:
            looking.cancel()
        watch(await asyncio.to_thread(self._progress))

    def _progress(self) -> RehearsalProgress:
        timeline = self._scenario.timeline
        says = timeline[self._done].says if self._done < len(timeline) else "to the end"
        with self._engine.resources.database.reading() as session:
            given = session.exec(select(func.count(col(Notice.given_at)))).one()
        return RehearsalProgress(self._done, len(timeline), later(self._now, -self._years), says, given)

    def result(self, groups: Sequence[Counts]) -> RehearsalResult:
        """What became of the case, back in the scenario's own time."""
        scenario, end = self._scenario, max(self._scenario.until, self._now)
        with self._engine.resources.database.reading() as session:
            cases = (self._case_id, *self._ends)
            told = [*self._acts, *(line for case_id in cases for line in happenings(session, case_id))]
            totals = tuple(total for case_id in cases for total in clause_totals(session, case_id, end))
        districts: Counter[str] = Counter()
        for states in (states for counts in groups for states in counts.values()):
            districts.update(states)
        result = RehearsalResult(
            **scenario.model_dump(include={"title", "about", "notes", "sources", "zone", "until"}),
            begins=scenario.begins,
            years=self._years,
            districts=districts,
            happenings=tuple(sorted(told, key=lambda happening: (happening.at, happening.due_at or happening.at))),
            totals=totals,
            messages=len(list(self._engine.mail.glob("*.eml"))),
        )
        return all_later(result, -self._years)
