"""Whatever the order of confirmations, other answers, waivers, restores and holds: a disposal is performed only when
each holder has confirmed or was excused, and the data is kept by nobody, for who owes it and for who chases it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from agreements.legal_holds import lift_legal_hold, place_legal_hold
from cases.acts import ConfirmDone
from cases.certificate import HoldsNothing
from cases.disposition import AcceptAnswer, ProposeWaiver, RefuseAnswer, Restored
from cases.values import AgreementName, KeptText
from config.database import Database
from models.enums import SETTLED, DutyStatus, HolderAnswerKind, HolderStatus, Party
from models.errors import DuenoticeError
from models.tables import CaseDocument, Duty
from records.holders import waive
from tests.support.directives import (
    BACKUP,
    HOSTING,
    ILLINOIS,
    REQUEST,
    SIGNED,
    DirectiveInSql,
    more_time,
    open_directive,
)

pytestmark = pytest.mark.long

PROVIDER = "provider"
HOLDERS = (HOSTING, BACKUP, PROVIDER)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("certify", "hear", "restore", "nothing", "accept")), st.sampled_from(HOLDERS)),
        st.tuples(st.sampled_from(("more", "refuse")), st.sampled_from(HOLDERS)),
        st.tuples(st.sampled_from(("propose", "waive")), st.sampled_from((HOSTING, BACKUP))),
        st.tuples(st.sampled_from(("keep", "lift", "write")), st.just("")),
    ),
    max_size=7,
)
WORDS = KeptText.model_validate("As it was said.")
NOTHING = HolderAnswerKind.HOLDS_NOTHING

TO_THE_END = (
    ("lift", ""),
    ("write", ""),
    ("certify", HOSTING),
    ("certify", BACKUP),
    ("write", ""),
    ("certify", PROVIDER),
)
"""What ends every order of steps: then it is performed, whatever came before."""


@dataclass
class World:
    """A case, and what has to be true of it whatever its tables say."""

    case: DirectiveInSql
    hold: UUID | None = None
    settled: set[str] = field(default_factory=set)
    proposed: set[str] = field(default_factory=set)
    said: dict[str, str] = field(default_factory=dict)

    def step(self, what: str, holder: str) -> None:
        """Try one thing; what is refused changes nothing."""
        self.case.now += timedelta(hours=1)
        try:
            self._do(what, holder)
        except DuenoticeError:
            return
        if what in ("certify", "hear", "waive") or (what, self.said.get(holder)) == ("accept", "nothing"):
            self.settled.add(holder)
        if what in ("nothing", "more"):
            self.said[holder] = what
        if what == "restore":
            self.settled -= {holder, PROVIDER}

    def _do(self, what: str, holder: str) -> None:
        case, database = self.case, self.case.database
        match what:
            case "certify":
                case.answer(holder)
            case "nothing":
                case.answer(holder, HoldsNothing.model_validate(SIGNED | {"why": "It is gone."}), NOTHING)
            case "more":
                case.answer(holder, more_time(case.now.date() + timedelta(days=90)), HolderAnswerKind.MORE_TIME)
            case "accept":
                case.act(AcceptAnswer(holder=holder, reason=WORDS))
            case "refuse":
                case.act(RefuseAnswer(holder=holder, reason=WORDS))
            case "hear":
                agreement = AgreementName.model_validate(ILLINOIS.reference)
                named = None if holder == PROVIDER else holder
                case.act(ConfirmDone(clause=REQUEST, agreement=agreement, holder=named, particulars=WORDS))
            case "restore":
                case.act(Restored(holder=holder, restored_at=case.now, particulars=WORDS))
            case "propose":
                case.act(ProposeWaiver(holder=holder, reason=WORDS))
                self.proposed.add(holder)
            case "waive":
                self._waive(holder)
            case "keep" if self.hold is None:
                self.hold, _ = place_legal_hold(
                    database, agreement=ILLINOIS.reference, reason="A suit.", actor="counsel", now=case.now
                )
                case.compute()
            case "lift" if self.hold:
                lift_legal_hold(database, self.hold, reason="Settled.", actor="counsel", now=case.now)
                self.hold = None
                case.compute()
            case _:
                case.write()

    def _waive(self, holder: str) -> None:
        """What approving does once the second person is known to be one."""
        if holder not in self.proposed:
            raise DuenoticeError("Nobody proposed that.")
        task = self.case.tasks()[holder]
        with self.case.database.writing() as session:
            waive(session, task.id, self.case.now)
        self.case.compute()

    def holds(self) -> None:
        """Say what must be true now."""
        status = {holder: task.status for holder, task in self.case.tasks().items()}
        assert {holder for holder, one in status.items() if one in SETTLED} == self.settled
        performed = self.case.duty(REQUEST).status is DutyStatus.PERFORMED
        documents = self._documents()
        ours = performed and self.case.side is Party.PROVIDER
        assert ours == bool(documents), "our written word follows our disposal, and nothing else"
        if status[PROVIDER] is HolderStatus.CONFIRMED:
            assert self.settled == set(HOLDERS), "the provider's word includes everybody's"
            assert performed
        assert self._owed_by() == {Party.PROVIDER}, "whoever keeps the clock, the provider owes it"

    def _owed_by(self) -> set[Party]:
        with self.case.database.reading() as session:
            return {duty.owed_by for duty in session.exec(select(Duty).where(Duty.case_id == self.case.id))}

    def _documents(self) -> list[UUID]:
        with self.case.database.reading() as session:
            return list(session.exec(select(CaseDocument.id).where(CaseDocument.case_id == self.case.id)))


@pytest.mark.parametrize("side", [Party.PROVIDER, Party.LEA])
@settings(
    max_examples=8, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=STEPS)
def test_it_is_performed_only_when_every_holder_has_confirmed_or_was_excused(
    database: Database, side: Party, steps: list[tuple[str, str]]
) -> None:
    # Each example is about data of its own, since the database is that of all.
    world = World(open_directive(database, HOSTING, BACKUP, side=side, extent="partial", categories=str(uuid4())))
    world.case.write()
    before = False
    for what, holder in (*steps, *TO_THE_END):
        held = world.hold is not None
        world.step(what, holder)
        world.holds()
        after = world.case.duty(REQUEST).status is DutyStatus.PERFORMED
        if after and not before:
            assert world.settled == set(HOLDERS), f"performed by {what} of {holder}"
            assert (what, holder) in {("certify", PROVIDER), ("hear", PROVIDER)}
            assert not held, "what is to be kept was disposed of"
        before = after
    assert before
