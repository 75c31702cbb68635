"""Every clause of every form and state, with nothing supplied: what the engine records as performed, and what not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest

from config.database import Database
from models.enums import DutyStatus, Party, PerformedBy
from models.tables import Duty
from terms.effective import EffectiveClause, EffectiveTerms, effective_terms
from tests.support.case_in_sql import CATALOGUE, CaseInSql, Place, open_in_sql, standing_kind

START = datetime(2026, 3, 2, 15, tzinfo=UTC)
AFTER_ALL = timedelta(days=1)
CHOICES = tuple(CATALOGUE.words.choices)
PLACES = [Place(form, state, choices=CHOICES) for form in CATALOGUE.forms for state in CATALOGUE.states(form)]
SIDES = (Party.PROVIDER, Party.LEA)


def terms_of(place: Place) -> EffectiveTerms:
    return effective_terms(CATALOGUE, place.form, place.state, choices=place.choices, on=date(2026, 3, 2))


TERMS = {place.agreement: terms_of(place) for place in PLACES}
EVENTS = sorted({event for terms in TERMS.values() for event in terms.dated})


@dataclass(frozen=True)
class Ended:
    """A duty after its last instant has passed with nothing supplied, with its clause."""

    duty: Duty
    clause: EffectiveClause

    @property
    def waits_for_something(self) -> bool:
        """Whether something is required at once that nothing in the case can give."""
        return self.clause.incomplete == "waits" and bool(self.duty.waits_for)


def all_dates(event: str) -> dict[str, datetime]:
    """Every dated fact that an event knows and that stops no clock, save what the agreement or only a hold brings."""
    names = {name for terms in TERMS.values() for name in terms.events.get(event, ())}
    stops = {name for terms in TERMS.values() for clause in terms.dated.get(event, ()) for name in clause.unless}
    return dict.fromkeys(sorted(names - {*CATALOGUE.agreement_dates, *stops, "hold_lifted"}), START)


def run_out(database: Database, event: str, side: Party) -> CaseInSql:
    """A case about an event at every agreement, whose every due instant has passed and nobody did anything."""
    case = open_in_sql(database, standing_kind(event), PLACES, START, all_dates(event), side=side, ends=True)
    case.name_party(Party.PARENT)
    case.compute()
    for moment in sorted({duty.due_at for duty in case.duties if duty.due_at}):
        # A notice leaves at its last safe moment, as the case's clock lets it.
        case.now = max(START, moment - timedelta(minutes=case.policy.last_safe_minutes))
        case.send_what_leaves()
        case.now = max(START, moment) + timedelta(milliseconds=1)
        case.compute()
        case.send_what_leaves()
    case.now += AFTER_ALL
    case.compute()
    case.send_what_leaves()
    case.raise_overdue()
    return case


def ended(case: CaseInSql) -> Iterator[Ended]:
    for duty in case.duties:
        yield Ended(duty, TERMS[duty.agreement_id].clause(duty.clause))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("event", EVENTS)
def test_with_nothing_supplied_only_notices_that_their_clause_lets_go_are_performed(
    database: Database, event: str, side: Party
) -> None:
    """A breach notice goes with what is known, and a plain notice that requires nothing at once is its own content."""
    case = run_out(database, event, side)
    found = list(ended(case))
    assert case.noticed() <= {item.duty.id for item in found if item.duty.performed_by is PerformedBy.NOTICE}
    for item in found:
        clause, duty = item.clause, item.duty
        where = f"{duty.clause} {duty.agreement_id}"
        match duty.performed_by:
            case PerformedBy.TIME:
                assert duty.status is DutyStatus.ELAPSED, where
                assert (duty.performed_at, duty.verdict) == (None, None), where
            case PerformedBy.NOTICE if clause.incomplete == "goes":
                assert (event, duty.status) == ("breach", DutyStatus.PERFORMED), where
            case PerformedBy.NOTICE if not item.waits_for_something:
                assert not set(clause.at_once) - _dated(clause), where
                assert duty.status is DutyStatus.PERFORMED, where
            case PerformedBy.NOTICE | PerformedBy.CONFIRMATION | PerformedBy.DOCUMENT | PerformedBy.ACT:
                assert duty.status is DutyStatus.RUNNING, where
                assert (duty.performed_at, duty.verdict) == (None, None), where
                told = duty.escalated_at is not None
                assert told == (duty.due_at is not None), f"{where} is overdue, and nobody was told"


def _dated(clause: EffectiveClause) -> set[str]:
    """The elements that the engine itself can say: the date of the notice, the parties, and dated facts."""
    said = ("anchor:", "agreement:", "provider:", "notice:", "hold:")
    return {element.id for element in clause.contents if element.source.startswith(said)}
