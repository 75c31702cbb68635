"""Every clause of one agreement's terms: what it sets, and what is due next under it or why nothing is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import Session, col, select

from agreements.terms import exhibit_h_changes
from agreements.upcoming import Dated, Derivation, dated_agreements, has_ended, own_clauses, terms_of, whole_dates
from config.database import Database
from models.defaults import Defaults
from models.enums import DutyStatus, Party
from models.errors import NotFound
from models.phrases import instant_words
from models.tables import Agreement, Duty, UpcomingDuty
from models.view import View
from terms.catalogue import Catalogue
from terms.clock import day_of, zone_of
from terms.compare import governing, value_of
from terms.duties import duties_for, occurrences_of
from terms.effective import EffectiveClause, EffectiveTerms

_WHO: Mapping[Party, str] = {
    Party.PROVIDER: "the provider",
    Party.LEA: "the LEA",
    Party.SUBPROCESSOR: "the subprocessor",
    Party.PARENT: "the parent",
    Party.AGENCY: "the agency",
    Party.FAMILIES: "the families",
}


class ClauseView(View):
    """One clause: its value in a few words, and in a sentence what is due next under it or why nothing is.

    ``due_local`` is when, in the LEA's time zone, in words.
    """

    clause: str
    title: str
    citation: str
    value: str
    due_at: datetime | None
    due_local: str | None
    says: str


def read_clauses(
    database: Database, catalogue: Catalogue, defaults: Defaults, side: Party, reference: str, now: datetime
) -> tuple[ClauseView, ...]:
    """Every clause of one agreement's terms, in the order of their ids.

    Raises:
        NotFound: no agreement is imported under the reference.
    """
    derivation = Derivation(catalogue, defaults, now)
    with database.reading() as session:
        found = session.exec(select(Agreement.id).where(Agreement.reference == reference)).one_or_none()
        if found is None:
            raise NotFound(
                f"No agreement is imported under {reference!r}.",
                where="agreement",
                next_step="List them with: duenotice agreements list.",
            )
        (agreement,) = dated_agreements(session, [found])
        terms = terms_of(derivation, agreement, exhibit_h_changes(session, [found]).get(found, ()))
        dates = whole_dates(terms, agreement.dates, agreement.time_zone, defaults)
        reading = _Reading(
            agreement=agreement,
            terms=terms,
            defaults=defaults,
            own={one.clause.id: one.given for one in own_clauses(terms, dates)},
            derived=_derived(session, agreement),
            in_cases=_in_cases(session, agreement),
            ended=has_ended(dates, day_of(now, zone_of(agreement.time_zone))),
        )
    return tuple(reading.view(clause, side) for clause in terms.clauses.values())


def _derived(session: Session, agreement: Dated) -> dict[str, datetime]:
    rows = session.exec(
        select(UpcomingDuty.clause, UpcomingDuty.due_at).where(UpcomingDuty.agreement_id == agreement.id)
    )
    return dict(rows.all())


def _in_cases(session: Session, agreement: Dated) -> dict[str, datetime | None]:
    """The clauses about which a case runs, each with what is due soonest."""
    rows = session.exec(
        select(Duty.clause, Duty.due_at)
        .where(Duty.agreement_id == agreement.id, Duty.status == DutyStatus.RUNNING)
        .order_by(col(Duty.due_at).desc())
    )
    return dict(rows.all())


@dataclass(frozen=True)
class _Reading:
    """One agreement with all that says when something is due under it."""

    agreement: Dated
    terms: EffectiveTerms
    defaults: Defaults
    own: Mapping[str, Mapping[str, date]]
    derived: Mapping[str, datetime]
    in_cases: Mapping[str, datetime | None]
    ended: bool

    def view(self, clause: EffectiveClause, side: Party) -> ClauseView:
        due_at, says = self._says(clause)
        others = clause.dated and clause.owed_by is not side
        return ClauseView(
            clause=clause.id,
            title=clause.title,
            citation="; ".join(f"{step.document}, {step.clause}" for step in governing(clause)),
            value=value_of(clause),
            due_at=due_at,
            due_local=self._local(due_at) if due_at else None,
            says=f"Owed by {_WHO[clause.owed_by]}. {says}" if others else says,
        )

    def _says(self, clause: EffectiveClause) -> tuple[datetime | None, str]:
        if clause.id in self.in_cases:
            return self.in_cases[clause.id], "A case is about it."
        if clause.id in self.derived:
            return self.derived[clause.id], "It is due next by the agreement's own dates."
        if not clause.dated:
            return None, _without_date(clause)
        if clause.id not in self.own:
            return None, self._pending(clause)
        if self.ended:
            return None, "The agreement has ended, so nothing more is due by its own dates."
        return None, self._past(clause)

    def _pending(self, clause: EffectiveClause) -> str:
        """What would start its clock, or what leaves it without a date."""
        duties = duties_for(self.terms, clause.event, {}, zone=self.agreement.time_zone, defaults=self.defaults)
        return next(duty.why[-1] for duty in duties if duty.clause == clause.id)

    def _past(self, clause: EffectiveClause) -> str:
        """Why what the agreement's own dates start is not to come."""
        zone = self.agreement.time_zone
        first = next(occurrences_of(self.terms, clause.id, self.own[clause.id], zone=zone, defaults=self.defaults))
        if first.due_at is None:
            return first.why[-1]
        was = f"It was due {self._local(first.due_at)}"
        if first.due_at < self.agreement.known_since:
            return f"{was}, before this installation knew the agreement; whether it was done is not known here."
        return f"{was}, and nothing more is due."

    def _local(self, instant: datetime) -> str:
        return instant_words(instant, self.agreement.time_zone)


def _without_date(clause: EffectiveClause) -> str:
    match clause.kind:
        case "duty":
            return "No date: the text sets no time."
        case "absent":
            return "No date: the provision is taken away."
        case kind:
            return f"No date: it is a {kind}."
