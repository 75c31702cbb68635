"""Playing a scenario: a whole case in virtual time against the mail catcher, and what became of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import assert_never
from uuid import UUID

from sqlmodel import col, func, select

from cases.acts import parse_act
from cases.breach import BREACH
from config.keyring import Keyring
from models.errors import InvalidInput, NotFound, Refused
from models.tables import Notice
from records.agreements import import_agreements
from records.queries.views import View
from starter.case_service import CaseService
from starter.rehearsals.districts import Counts, FictionalDistricts, make_districts, scaled
from starter.rehearsals.scenario import (
    Act,
    Add,
    Confirm,
    Date,
    Decide,
    Dismiss,
    Done,
    Hold,
    Learn,
    Lift,
    Propose,
    Release,
    Report,
    Scenario,
    Source,
    Wait,
    Withhold,
    all_later,
    later,
    moved,
)
from starter.rehearsals.verdicts import ClauseTotal, Happening, clause_totals, happenings
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import utc_now
from terms.catalogue import load_catalogue

PRODUCER = "rehearsal"
"""Who imports the fictional agreements, as evidence names them."""

GLANCE = 0.5
"""How often, in seconds, whoever watches is told how far the play has come."""


class Play(View):
    """What became of a scenario; every instant is one of the scenario's own time.

    ``years`` is by how much it was played later; ``districts`` counts those affected by state; ``messages`` counts
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
    """How far a play has come: the acts played, the moment played, and how many notices were given so far."""

    played: int
    of: int
    at: datetime
    says: str
    given: int


async def rehearse(
    scenario: Scenario,
    folder: Path,
    *,
    districts: int | None = None,
    cli: Path | None = None,
    keyring: Keyring | None = None,
    watch: Callable[[RehearsalProgress], None] | None = None,
) -> Play:
    """Play a scenario on an engine of its own, with all its files in ``folder``.

    Args:
        scenario: what is played.
        folder: an empty folder.
        districts: how many districts are affected at first, if not as many as the scenario says.
        cli: Temporal's command line, if not the one that is found.
        keyring: the keys, else new ones.
        watch: is told now and then how far the play has come.

    Raises:
        InvalidInput: the scenario's districts cannot be made, or it cannot be dated.
        Refused: an act of its time line makes no sense when its turn comes.
        Unavailable: Temporal's command line is not to be had, or the case does not come to rest.
    """
    catalogue = load_catalogue()
    counts = scenario.districts.counts if districts is None else scaled(scenario.districts.counts, districts)
    groups = [counts, *(act.counts for act in scenario.timeline if isinstance(act, Add))]
    zones = {
        catalogue.state(form, state).zone for group in groups for form, states in group.items() for state in states
    }
    played, years = moved(scenario, zones, utc_now())
    fictional = make_districts(catalogue, groups, played.districts.signed)
    async with virtual_engine(folder, cli=cli, keyring=keyring, overrides=played.settings()) as engine:
        rehearsal = _Rehearsal(engine, played, fictional, years)
        async with rehearsal.watched(watch or _unseen):
            await rehearsal.play()
        return rehearsal.outcome(groups)


def _unseen(_: RehearsalProgress) -> None:
    """Nobody watches."""


class _Rehearsal:
    """The engine and the case, while the time line is played."""

    def __init__(self, engine: VirtualEngine, scenario: Scenario, districts: FictionalDistricts, years: int) -> None:
        self._engine = engine
        self._scenario = scenario
        self._districts = districts
        self._years = years
        self._now = scenario.begins
        self._service = CaseService(engine.resources, clock=lambda: self._now)
        self._case_id = UUID(int=0)
        self._played = 0
        self._named: dict[str, UUID] = {}
        self._still_to_add = iter(districts.groups[1:])
        self._acts: list[Happening] = []

    async def play(self) -> None:
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
        for act in self._scenario.timeline:
            await self._play(act)
            self._played += 1
        self._now = await self._engine.advance_to(self._case_id, self._scenario.until)

    async def _play(self, act: Act) -> None:
        if not isinstance(act, Report):
            self._now = max(act.at, await self._engine.advance_to(self._case_id, act.at))
        by = None if isinstance(act, Wait) else act.by
        self._acts.append(Happening(at=self._now, by=by, act=act.act, says=act.says))
        try:
            await self._carry_out(act)
        except (InvalidInput, NotFound, Refused) as error:
            at = later(act.at, -self._years).isoformat()
            raise Refused(error.message, where=f"{act.act} at {at}", next_step=error.next_step) from error
        await self._engine.settle(self._case_id)

    async def _carry_out(self, step: Act) -> None:
        if isinstance(step, Report):
            report = self._scenario.incident.model_copy(update={"agreements": self._districts.groups[0]})
            self._case_id = await self._engine.open_at(step.at, BREACH, report, actor=step.by)
        elif not isinstance(step, Wait):
            done = await self._service.take(self._case_id, parse_act(self._act_of(step)), actor=step.by)
            if isinstance(step, Propose | Hold) and done.made_id:
                self._named[step.name] = done.made_id

    def _act_of(self, step: Act) -> dict[str, object]:
        """The act of the engine that a step of the time line is, as the engine reads it."""
        match step:
            case Confirm():
                return {"act": "confirm", "confirmed_at": step.as_of or step.at}
            case Dismiss():
                return {"act": "dismiss", "reason": step.says}
            case Date():
                return {"act": "date", **dict(step.fact), "reason": step.says, "agreement": step.district}
            case Learn(value=None):
                return {"act": "impossible", "element": step.element}
            case Learn():
                return {"act": "learn", "element": step.element, "value": step.value}
            case Release():
                return {"act": "release", "clause": step.clause}
            case Withhold():
                return {"act": "withhold", "reason": step.says, "clause": step.clause}
            case Propose():
                named = {"clause": step.clause, "ground": step.ground, "agreements": step.districts}
                return {"act": "propose", **named, "reason": step.says}
            case Decide():
                return {
                    "act": "approve" if step.approve else "decline",
                    "proposal_id": self._named[step.proposal],
                }
            case Hold():
                given = {"begins_at": step.at, "until": step.until, "shareable": step.shareable}
                return {"act": "hold", "particulars": step.says, "agreement": step.district, **given}
            case Lift():
                return {"act": "lift", "hold_id": self._named[step.hold]}
            case Add():
                return {"act": "add", "agreements": next(self._still_to_add)}
            case Done():
                return {"act": "done", "clause": step.clause, "proof": step.says}
            case Report() | Wait():
                return {}
            case _:
                assert_never(step)

    @asynccontextmanager
    async def watched(self, watch: Callable[[RehearsalProgress], None]) -> AsyncIterator[None]:
        """Tell whoever watches how far it is, until the end of the block."""

        async def look() -> None:
            while True:
                watch(await asyncio.to_thread(self._progress))
                await asyncio.sleep(GLANCE)

        looking = asyncio.create_task(look())
        try:
            yield
        finally:
            looking.cancel()
        watch(await asyncio.to_thread(self._progress))

    def _progress(self) -> RehearsalProgress:
        timeline = self._scenario.timeline
        says = timeline[self._played].says if self._played < len(timeline) else "to the end"
        with self._engine.resources.database.reading() as session:
            given = session.exec(select(func.count(col(Notice.given_at)))).one()
        return RehearsalProgress(self._played, len(timeline), later(self._now, -self._years), says, given)

    def outcome(self, groups: Sequence[Counts]) -> Play:
        """What became of the case, back in the scenario's own time."""
        scenario, end = self._scenario, max(self._scenario.until, self._now)
        with self._engine.resources.database.reading() as session:
            told = [*self._acts, *happenings(session, self._case_id)]
            totals = clause_totals(session, self._case_id, end)
        districts: Counter[str] = Counter()
        for states in (states for counts in groups for states in counts.values()):
            districts.update(states)
        play = Play(
            **scenario.model_dump(include={"title", "about", "notes", "sources", "zone", "until"}),
            begins=scenario.begins,
            years=self._years,
            districts=districts,
            happenings=tuple(sorted(told, key=lambda happening: (happening.at, happening.due_at or happening.at))),
            totals=totals,
            messages=len(list(self._engine.mail.glob("*.eml"))),
        )
        return Play.model_validate(all_later(play.model_dump(), -self._years))
