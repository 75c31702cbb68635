"""The search over duties finds what one would pick by hand, part after part, and reads indices in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlmodel import delete

from agreements.due_dates import stored_due_date
from config.database import Database
from config.keyring import Keyring
from models import identifiers
from models.enums import OPEN_STATUSES, CaseStatus, DutyStatus, Party, PerformedBy, Verdict
from models.errors import InvalidInput
from models.tables import Agreement, Case, DueDate, Duty
from queries import duty_search
from queries.agreement_figures import read_figures
from queries.duty_search import DutyPlace, DutySearch, FoundDuties, Met, find_duties, how_met
from terms.duties import DueDuty

NOW = datetime(2026, 6, 1, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
DISTRICTS = {"VT-001": "Maple Summit Supervisory Union", "IL-001": "Prairie Glen Schools"}
KINDS = ("breach", "disposition")
CLAUSES = ("breach.notice", "data.disposal")
BODY = DueDuty(
    clause=CLAUSES[0],
    title="Notify the LEA",
    owed_by=Party.PROVIDER,
    owed_to=Party.LEA,
    performed_by=PerformedBy.ACT,
    limit="72 hours",
    status="running",
    contents=(),
    trail=(),
    why=("Confirmed; 72 hours elapsed.",),
    flags=(),
    suspendable_by_law_enforcement=False,
)


@dataclass(frozen=True)
class Kept:
    """What is known of one duty."""

    reference: str
    clause: str
    kind: str
    status: DutyStatus
    verdict: Verdict | None
    due: int | None
    """How many hours after now it is due."""

    @property
    def due_at(self) -> datetime | None:
        return None if self.due is None else NOW + self.due * HOUR

    @property
    def met(self) -> Met:
        overdue = self.status is DutyStatus.RUNNING and self.due is not None and self.due < 0
        return how_met(self.status, self.verdict, overdue=overdue)

    def is_such(self, which: DutySearch) -> bool:
        """Whether a person would pick it."""
        district = which.district.lower()
        day = self.due_at.date() if self.due_at else None
        return (
            (not district or district in DISTRICTS[self.reference].lower() or district in self.reference.lower())
            and which.agreement in ("", self.reference)
            and which.state in ("", self.reference[:2])
            and which.clause in ("", self.clause)
            and which.kind in ("", self.kind)
            and which.met in (None, self.met)
            and (which.since is None or (day is not None and day >= which.since))
            and (which.until is None or (day is not None and day <= which.until))
        )


def _duty(reference: str, clause: str, kind: str, status: DutyStatus, verdict: Verdict, due: int | None) -> Kept:
    performed = status is DutyStatus.PERFORMED
    return Kept(reference, clause, kind, status, verdict if performed else None, due)


DUTIES = st.builds(
    _duty,
    st.sampled_from(sorted(DISTRICTS)),
    st.sampled_from(CLAUSES),
    st.sampled_from(KINDS),
    st.sampled_from(DutyStatus),
    st.sampled_from(Verdict),
    st.none() | st.sampled_from((-48, -1, 0, 1, 48)),
)
DAYS = st.none() | st.sampled_from((date(2026, 5, 30), date(2026, 6, 1), date(2026, 6, 3)))
WHICH = st.builds(
    DutySearch,
    district=st.sampled_from(("", "maple", "il-0", "001", "nowhere")),
    agreement=st.sampled_from(("", "VT-001")),
    state=st.sampled_from(("", "IL")),
    clause=st.sampled_from(("", *CLAUSES)),
    kind=st.sampled_from(("", *KINDS)),
    met=st.none() | st.sampled_from(Met),
    since=DAYS,
    until=DAYS,
)


@dataclass
class World:
    """A database with two districts and a case of each kind."""

    database: Database
    cases: dict[str, UUID]

    @classmethod
    def of(cls, database: Database) -> World:
        """Keep what all duties have in common."""
        cases = {kind: uuid4() for kind in KINDS}
        with database.writing() as session:
            stored = stored_due_date(BODY, "0" * 64, "America/Chicago")
            session.add(DueDate(id="0" * 64, body=stored.model_dump(mode="json")))
            for reference, name in DISTRICTS.items():
                session.add(
                    Agreement(
                        id=identifiers.agreement_id(reference),
                        reference=reference,
                        form="ndpa-v1",
                        state=reference[:2],
                        lea_name=name,
                        time_zone="America/Chicago",
                        executed_on=NOW.date(),
                        imported_at=NOW,
                    )
                )
            for kind, case_id in cases.items():
                session.add(
                    Case(
                        id=case_id,
                        kind=kind,
                        event=kind,
                        status=CaseStatus.OPEN,
                        title="A case",
                        report_digest=kind,
                        opened_by="robin",
                        opened_at=NOW,
                    )
                )
        return cls(database, cases)

    def keep(self, duties: list[Kept]) -> dict[UUID, Kept]:
        """Keep these duties, and no others."""
        kept = {uuid4(): duty for duty in duties}
        with self.database.writing() as session:
            session.execute(delete(Duty))
            session.add_all(
                Duty(
                    id=key,
                    case_id=self.cases[one.kind],
                    agreement_id=identifiers.agreement_id(one.reference),
                    clause=one.clause,
                    owed_by=Party.PROVIDER,
                    owed_to=Party.LEA,
                    performed_by=PerformedBy.ACT,
                    status=one.status,
                    verdict=one.verdict,
                    due_date_id="0" * 64,
                    due_at=one.due_at,
                    target_at=one.due_at,
                    performed_at=NOW if one.verdict else None,
                )
                for key, one in kept.items()
            )
        return kept

    def found(self, which: DutySearch, limit: int) -> list[UUID]:
        """What is found, in parts of so many."""
        part = self.part(which, limit)
        found = [duty.id for duty in part.items]
        while part.next:
            assert len(part.items) == limit
            part = self.part(which, limit, DutyPlace.read(part.next))
            found += [duty.id for duty in part.items]
        assert part.total == len(found)
        return found

    def part(self, which: DutySearch, limit: int, after: DutyPlace | None = None) -> FoundDuties:
        return find_duties(self.database, which, NOW, after=after, limit=limit)


def by_hand(kept: dict[UUID, Kept], which: DutySearch) -> list[UUID]:
    """Those that a person would pick: what is due last first, then what is undated."""
    such = [(key, one) for key, one in kept.items() if one.is_such(which)]
    dated = sorted(((one.due_at, key) for key, one in such if one.due_at), reverse=True)
    undated = sorted((key for key, one in such if one.due_at is None), reverse=True)
    return [key for _, key in dated] + undated


def agree(world: World, duties: list[Kept], which: DutySearch, limit: int) -> None:
    """Hold that the search finds what a person would pick, and that the figures count the same."""
    kept = world.keep(duties)
    assert world.found(which, limit) == by_hand(kept, which)
    for reference in DISTRICTS:
        figures = read_figures(world.database, identifiers.agreement_id(reference), NOW)
        for clause in figures.clauses:
            for met, count in clause.met.items():
                wanted = DutySearch(agreement=reference, clause=clause.clause, met=met)
                assert count == len(by_hand(kept, wanted))
        assert figures.total == len(by_hand(kept, DutySearch(agreement=reference)))


@pytest.fixture
def world(database: Database) -> World:
    return World.of(database)


@pytest.fixture
def on_postgresql(keyring: Keyring, postgresql_url: str) -> Iterator[World]:
    database = Database(postgresql_url, keyring)
    database.migrate()
    yield World.of(database)
    database.close()


SEARCHES = {"duties": st.lists(DUTIES, max_size=8), "which": WHICH, "limit": st.sampled_from((1, 3, 50))}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(**SEARCHES)
def test_the_search_finds_what_a_person_would_pick(
    world: World, duties: list[Kept], which: DutySearch, limit: int
) -> None:
    agree(world, duties, which, limit)


@pytest.mark.long
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(**SEARCHES)
def test_so_it_is_on_postgresql(on_postgresql: World, duties: list[Kept], which: DutySearch, limit: int) -> None:
    agree(on_postgresql, duties, which, limit)


@pytest.mark.parametrize(
    ("which", "index"),
    [
        (DutySearch(), "duty_due"),
        (DutySearch(since=date(2026, 5, 1), until=date(2026, 5, 31)), "duty_due"),
        (DutySearch(clause="breach.notice"), "duty_clause_due"),
        (DutySearch(agreement="VT-001"), "duty_agreement_due"),
        (DutySearch(met=Met.ON_TIME), "duty_verdict_due"),
        (DutySearch(met=Met.LATE), "duty_verdict_due"),
        (DutySearch(met=Met.OVERDUE), "duty_status_due"),
        (DutySearch(district="maple"), "duty_agreement_due"),
    ],
    ids=str,
)
def test_each_search_is_led_by_an_index(world: World, which: DutySearch, index: str) -> None:
    asked: list[tuple[str, Any]] = []
    event.listen(world.database.engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    find_duties(world.database, which, NOW, limit=50)
    words, given_values = next(one for one in asked if "ORDER BY duty.due_at DESC" in one[0])
    with world.database.engine.connect() as connection:
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}", given_values)]
    assert any(index in step for step in plan if " duty " in f" {step} "), plan


def test_more_than_are_counted_are_said_to_be_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duty_search, "MOST_COUNTED", 2)
    world.keep([Kept("VT-001", CLAUSES[0], "breach", DutyStatus.RUNNING, None, due) for due in (1, 2, 3)])
    part = world.part(DutySearch(), 50)
    assert (part.total, len(part.items), part.counted) == (None, 3, "more than 2 duties")


def test_how_late_it_was_is_said_in_words(world: World) -> None:
    late = Kept("VT-001", CLAUSES[0], "breach", DutyStatus.PERFORMED, Verdict.LATE, -49)
    overdue = Kept("VT-001", CLAUSES[0], "breach", DutyStatus.RUNNING, None, -1)
    world.keep([late, overdue])
    assert [(duty.stands, duty.late_by) for duty in world.part(DutySearch(), 50).items] == [
        ("overdue", "1 hour"),
        ("late", "2 days and 1 hour"),
    ]


@pytest.mark.parametrize("text", ["", "yesterday", "~", "2026-06-01T15:00:00~" + str(UUID(int=1)), "~not-an-id"])
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="no place in the list"):
        DutyPlace.read(text)


def test_every_status_and_verdict_is_met_somehow() -> None:
    assert {how_met(status, None, overdue=False) for status in OPEN_STATUSES} == {Met.OPEN}
    assert {how_met(DutyStatus.PERFORMED, verdict, overdue=False) for verdict in Verdict} == {
        Met.ON_TIME,
        Met.ON_A_WORD,
        Met.LATE,
    }
