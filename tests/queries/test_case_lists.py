"""The filters of the list of cases agree with what one would pick by hand, in the order in which one would put it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlmodel import Session, delete

from config.database import Database
from config.keyring import Keyring
from models.enums import (
    OPEN_STATUSES,
    CaseStatus,
    ContactRole,
    DutyStatus,
    HolderStatus,
    Party,
    PerformedBy,
    Role,
)
from models.tables import (
    OPEN_AND_DATED,
    Agreement,
    AgreementContact,
    Case,
    CaseAgreement,
    CaseKey,
    DueDate,
    Duty,
    HolderTask,
)
from people.accounts import add_account
from queries import case_lists
from queries.case_lists import NOBODY, CaseFilter, CasePlace, case_kinds, list_cases
from queries.holders import vendor_names
from records.holders import holder_key

NOW = datetime(2026, 6, 1, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
STATES = ("IL", "VT")
VENDORS = ("Example Hosting LLC", "Example Backup LLC")
OFFICERS = ("kim", "robin")


@dataclass(frozen=True)
class Kept:
    """What is known of one case of the list."""

    status: CaseStatus
    kind: str
    states: frozenset[str]
    assignee: str | None
    awaited: frozenset[str]
    answered: frozenset[str]
    dues: tuple[tuple[DutyStatus, int | None], ...]
    opened: int
    ahead: int | None = None
    """How many hours ahead of its due instant the internal date of its first duty lies."""

    @property
    def open_dues(self) -> list[datetime]:
        """When what is open in it is due."""
        return [NOW + hours * HOUR for status, hours in self.dues if status in OPEN_STATUSES and hours is not None]

    @property
    def open_targets(self) -> list[datetime]:
        """When what is open in it is wanted done: by the internal date where there is one."""
        return [
            NOW + (hours - (self.ahead or 0 if number == 0 else 0)) * HOUR
            for number, (status, hours) in enumerate(self.dues)
            if status in OPEN_STATUSES and hours is not None
        ]

    def is_such(self, which: CaseFilter) -> bool:
        """Whether a person would pick it."""
        return (
            which.status in (None, self.status)
            and which.kind in (None, self.kind)
            and self._touches(which)
            and which.assignee in (None, self.assignee or NOBODY)
            and (which.vendor is None or self._awaits(which.vendor))
            and (not which.overdue or any(due < NOW for due in self.open_dues))
        )

    def _touches(self, which: CaseFilter) -> bool:
        """Whether one of its agreements is of the state and of the district that are asked for, if any is."""
        nothing_asked = which.state is None and which.district is None
        return nothing_asked or any(
            which.state in (None, state) and which.district in (None, f"District {state}") for state in self.states
        )

    def _awaits(self, vendor: str) -> bool:
        return self.status is not CaseStatus.CLOSED and vendor in {holder_key(name) for name in self.awaited}


CASES = st.builds(
    Kept,
    status=st.sampled_from(CaseStatus),
    kind=st.sampled_from(("breach", "disposition")),
    states=st.frozensets(st.sampled_from(STATES)),
    assignee=st.sampled_from((None, *OFFICERS)),
    awaited=st.frozensets(st.sampled_from(VENDORS)),
    answered=st.frozensets(st.sampled_from(VENDORS)),
    dues=st.lists(st.tuples(st.sampled_from(DutyStatus), st.none() | st.integers(-3, 3)), max_size=4).map(tuple),
    opened=st.integers(0, 2),
    ahead=st.none() | st.integers(1, 4),
)
WHICH = st.builds(
    CaseFilter,
    status=st.none() | st.sampled_from(CaseStatus),
    kind=st.none() | st.sampled_from(("breach", "disposition", "another")),
    state=st.none() | st.sampled_from((*STATES, "ZZ")),
    district=st.none() | st.sampled_from(("District IL", "District")),
    vendor=st.none() | st.sampled_from((*VENDORS, "Nobody Inc.")).map(str.upper),
    assignee=st.none() | st.sampled_from((*OFFICERS, NOBODY, "sam")),
    overdue=st.booleans(),
)


@dataclass
class World:
    """A database with two districts and two officers."""

    database: Database
    agreements: dict[str, UUID]
    officers: dict[str, UUID]

    @classmethod
    def of(cls, database: Database) -> World:
        """Keep what all cases have in common."""
        agreements, officers = {state: uuid4() for state in STATES}, {}
        with database.writing() as session:
            session.add(DueDate(id="0" * 64, body={}))
            for state, key in agreements.items():
                session.add(
                    Agreement(
                        id=key,
                        reference=state,
                        form="ndpa-v1",
                        state=state,
                        lea_name=f"District {state}",
                        time_zone="America/Chicago",
                        executed_on=NOW.date(),
                        imported_at=NOW,
                    )
                )
        for name in OFFICERS:
            officers[name] = add_account(database, name, Role.OFFICER, made_by="test", now=NOW).id
        return cls(database, agreements, officers)

    def keep(self, cases: list[Kept]) -> dict[UUID, Kept]:
        """Keep these cases, and no others."""
        kept = {uuid4(): case for case in cases}
        with self.database.writing() as session:
            for table in (HolderTask, AgreementContact, Duty, CaseAgreement, CaseKey, Case):
                session.execute(delete(table))
            for case_id, case in kept.items():
                self._keep(session, case_id, case)
        return kept

    def _keep(self, session: Session, case_id: UUID, case: Kept) -> None:
        rows: list[object] = []
        for number, (status, hours) in enumerate(case.dues):
            due_at = None if hours is None else NOW + hours * HOUR
            internal = due_at - case.ahead * HOUR if due_at and case.ahead and number == 0 else None
            rows.append(
                Duty(
                    id=uuid4(),
                    case_id=case_id,
                    agreement_id=self.agreements["IL"],
                    clause=f"clause-{number}",
                    owed_by=Party.PROVIDER,
                    owed_to=Party.LEA,
                    performed_by=PerformedBy.NOTICE,
                    status=status,
                    due_date_id="0" * 64,
                    due_at=due_at,
                    internal_due_at=internal,
                    target_at=internal or due_at,
                )
            )
        for name in VENDORS:
            if name in case.awaited | case.answered:
                rows.append(
                    HolderTask(
                        id=uuid4(),
                        case_id=case_id,
                        agreement_id=self.agreements["IL"],
                        holder=holder_key(name),
                        status=HolderStatus.OPEN if name in case.awaited else HolderStatus.CONFIRMED,
                        awaited_since=NOW,
                    )
                )
        rows += [CaseAgreement(case_id=case_id, agreement_id=self.agreements[one], added_at=NOW) for one in case.states]
        session.add(
            Case(
                id=case_id,
                kind=case.kind,
                event=case.kind,
                status=case.status,
                title="A case",
                report_digest=str(case_id),
                opened_by="robin",
                opened_at=NOW - case.opened * HOUR,
                closed_at=NOW if case.status is CaseStatus.CLOSED else None,
                responsible_id=self.officers[case.assignee] if case.assignee else None,
            )
        )
        session.flush()
        session.add_all(rows)

    def listed(self, which: CaseFilter, limit: int) -> list[UUID]:
        """The list, read in parts of so many."""
        part = list_cases(self.database, NOW, which, limit=limit)
        found = [row.id for row in part.items]
        while part.next:
            assert len(part.items) == limit
            part = list_cases(self.database, NOW, which, after=CasePlace.read(str(part.next)), limit=limit)
            found += [row.id for row in part.items]
        assert part.total == (len(found) if len(found) <= case_lists.MOST_COUNTED else None)
        return found


def by_hand(kept: dict[UUID, Kept], which: CaseFilter) -> list[UUID]:
    """Those that a person would pick: what is due soonest first, then what is undated, the newest first."""
    such = [(case_id, case) for case_id, case in kept.items() if case.is_such(which)]
    dated = sorted((min(case.open_targets), case_id) for case_id, case in such if case.open_dues)
    undated = sorted((case.opened, case_id) for case_id, case in such if not case.open_dues)
    return [case_id for _, case_id in (*dated, *undated)]


@pytest.fixture
def world(database: Database) -> World:
    return World.of(database)


@pytest.fixture
def on_postgresql(keyring: Keyring, postgresql_url: str) -> Iterator[World]:
    database = Database(postgresql_url, keyring)
    database.migrate()
    yield World.of(database)
    database.close()


def agree(world: World, cases: list[Kept], which: CaseFilter, limit: int, bounds: tuple[int, int]) -> None:
    """Hold that the list is what a person would pick."""
    if which.vendor:
        which = CaseFilter(**{**vars(which), "vendor": holder_key(which.vendor)})
    kept = world.keep(cases)
    with pytest.MonkeyPatch.context() as patch:
        for name, bound in zip(("FEW", "MOST_COUNTED"), bounds, strict=True):
            patch.setattr(case_lists, name, bound)
        assert world.listed(which, limit) == by_hand(kept, which)


LISTS = {
    "cases": st.lists(CASES, max_size=8),
    "which": WHICH,
    "limit": st.sampled_from((1, 3, 50)),
    "bounds": st.sampled_from(((0, 1), (0, 5_000), (1_000, 5_000))),
}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(**LISTS)
def test_the_list_is_what_a_person_would_pick(
    world: World, cases: list[Kept], which: CaseFilter, limit: int, bounds: tuple[int, int]
) -> None:
    agree(world, cases, which, limit, bounds)


@pytest.mark.long
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(**LISTS)
def test_so_it_is_on_postgresql(
    on_postgresql: World, cases: list[Kept], which: CaseFilter, limit: int, bounds: tuple[int, int]
) -> None:
    agree(on_postgresql, cases, which, limit, bounds)


def test_one_statement_serves_every_database_and_every_filter_of_its_shape(
    world: World, on_postgresql: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Kept(CaseStatus.OPEN, "breach", frozenset({"IL"}), OFFICERS[0], frozenset(), frozenset(), (), 0)
    late = Kept(
        CaseStatus.OPEN, "disposition", frozenset(), None, frozenset(), frozenset(), ((DutyStatus.RUNNING, -1),), 1
    )
    here, there = world.keep([mine, late]), on_postgresql.keep([late, mine, mine])
    asked = [CaseFilter(assignee=who) for who in (*OFFICERS, NOBODY, "sam")]
    asked += [CaseFilter(), CaseFilter(overdue=True), *(CaseFilter(kind=kind) for kind in ("breach", "disposition"))]
    for few in (0, 1_000):
        monkeypatch.setattr(case_lists, "FEW", few)
        for which in (*asked, *reversed(asked)):
            assert world.listed(which, 1) == by_hand(here, which)
            assert on_postgresql.listed(which, 1) == by_hand(there, which)
    assert {which.shape for which in asked[:2]} == {asked[0].shape}, "of one shape, so of one statement"
    assert case_kinds(world.database) == case_kinds(on_postgresql.database) == ("breach", "disposition")


def test_what_is_overdue_is_so_at_the_moment_at_which_it_is_asked(world: World) -> None:
    soon = Kept(CaseStatus.OPEN, "breach", frozenset(), None, frozenset(), frozenset(), ((DutyStatus.RUNNING, 1),), 0)
    world.keep([soon])
    late = [list_cases(world.database, NOW + hours * HOUR, CaseFilter(overdue=True), limit=1) for hours in (0, 2, 0)]
    assert [part.total for part in late] == [0, 1, 0]


def test_the_indices_hold_what_is_open() -> None:
    closed = {status for status in DutyStatus if f"'{status.value}'" in OPEN_AND_DATED.text}
    assert closed == set(DutyStatus) - OPEN_STATUSES


def test_many_cases_are_found_by_the_order_in_which_they_fall_due(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("queries.case_lists.FEW", 0)
    late = ((DutyStatus.RUNNING, -1),)
    case = Kept(CaseStatus.OPEN, "breach", frozenset(STATES), None, frozenset(VENDORS), frozenset(), late, 0)
    world.keep([case])
    asked: list[tuple[str, Any]] = []
    engine = world.database.engine
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    which = CaseFilter(CaseStatus.OPEN, "breach", "IL", None, holder_key(VENDORS[0]), NOBODY, overdue=True)
    for one in (CaseFilter(), which):
        list_cases(world.database, NOW, one, limit=50)
    ordered = [(words, given) for words, given in asked if "ORDER BY duty.target_at" in words]
    assert len(ordered) >= 2
    with engine.connect() as connection:
        for words, given in ordered:
            plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}", given)]
            assert plan[0].startswith("SEARCH duty USING COVERING INDEX duty_open_due"), plan
            assert not any("TEMP B-TREE" in step for step in plan), plan
            assert {step for step in plan if step.startswith("SCAN")} <= {"SCAN account"}, plan


def test_a_case_shows_both_dates_and_counts_what_is_past_the_internal_one_alone(world: World) -> None:
    def row(ahead: int | None, *hours: int) -> tuple[datetime | None, datetime | None, int, int]:
        dues = tuple((DutyStatus.RUNNING, at) for at in hours)
        world.keep([Kept(CaseStatus.OPEN, "breach", frozenset(), None, frozenset(), frozenset(), dues, 0, ahead)])
        (shown,) = list_cases(world.database, NOW, limit=1).items
        return shown.next_due_at, shown.next_internal_at, shown.past_internal, shown.overdue_duties

    assert row(None, 3) == (NOW + 3 * HOUR, None, 0, 0)
    assert row(2, 3) == (NOW + 3 * HOUR, NOW + HOUR, 0, 0)
    assert row(5, 3) == (NOW + 3 * HOUR, NOW - 2 * HOUR, 1, 0), "past the internal date is not overdue"
    assert row(5, -1) == (NOW - HOUR, NOW - 6 * HOUR, 0, 1), "overdue is overdue, and counted as that alone"
    assert row(1, 9, 3) == (NOW + 3 * HOUR, None, 0, 0), "another duty is due before that internal date"


def test_a_holder_is_found_by_its_name_however_it_is_written(world: World) -> None:
    assert holder_key(" example   HOSTING llc") == holder_key(VENDORS[0]) != holder_key(VENDORS[1])
    case = Kept(CaseStatus.OPEN, "disposition", frozenset(), None, frozenset(), frozenset(), (), 0)
    (case_id,) = world.keep([case])
    key, contact_id = holder_key(VENDORS[0]), uuid4()
    with world.database.writing() as session:
        session.add(
            AgreementContact(
                id=contact_id,
                agreement_id=world.agreements["IL"],
                case_id=case_id,
                party=Party.SUBPROCESSOR,
                role=ContactRole.GENERAL,
                name=VENDORS[0],
                email="privacy@example.org",
            )
        )
        session.flush()
        session.add(
            HolderTask(
                id=uuid4(),
                case_id=case_id,
                agreement_id=world.agreements["IL"],
                contact_id=contact_id,
                holder=key,
                status=HolderStatus.OPEN,
                awaited_since=NOW,
            )
        )
    assert vendor_names(world.database)[holder_key("provider")] == "provider"
    assert key not in vendor_names(world.database), "it is on no list"
    assert vendor_names(world.database, key)[key] == VENDORS[0]
    assert vendor_names(world.database, "0" * 64)["0" * 64] == "a holder that is not known"
