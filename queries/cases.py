"""One case: its head, and all of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, cast
from sqlmodel import Session, col, func, select

from agreements.due_dates import StoredDueDate, read_due_date
from agreements.terms import pinned_terms
from cases.acts import COMMON_ACTS, Add, SendAgain, Vouch, Withhold, WithholdPastDue
from cases.kind import Kind
from cases.kinds import kind_named
from cases.state import CaseState
from config.database import Database
from mail.contents import KnownFact
from models.enums import CaseStatus
from models.tables import Case, CaseAgreement, CaseFact, DueDate, Duty
from queries.conflicts import conflicts_of
from queries.decisions import holds_of, questions_of, withholdings_of
from queries.duties import EVERY_DUTY, duties_of
from queries.evidence import evidence_of
from queries.holders import holders_of, kept_by
from queries.mail import came_back_in
from queries.progress import notices_to_release, notices_withheld, progress_of
from queries.proposals import proposals_of
from queries.troubles import troubles_of
from queries.views import CaseHead, CaseView, FactView
from records.anchors import current_anchors
from records.case_context import current_facts
from records.offers import reasons_of
from records.responsible import assignable, assignments
from records.scope import require_case
from records.summary import summarise
from terms.catalogue import load_catalogue
from terms.duties import HOLD_LIFTED
from terms.effective import EffectiveTerms


def read_case(database: Database, case_id: UUID, now: datetime) -> CaseView:
    """One case with every duty, their notices and its evidence: for small cases; pages read it in parts.

    Raises:
        NotFound: there is no such case.
    """
    with database.reading() as session:
        head = case_head(session, require_case(session, case_id), now)
        return CaseView(
            **dict(head),
            duties=duties_of(session, case_id, EVERY_DUTY, now),
            evidence=evidence_of(session, case_id),
        )


def read_case_head(database: Database, case_id: UUID, now: datetime) -> CaseHead:
    """One case without its duties and evidence.

    Raises:
        NotFound: there is no such case.
    """
    with database.reading() as session:
        return case_head(session, require_case(session, case_id), now)


def kind_of_case(database: Database, case_id: UUID) -> Kind:
    """The kind of a case.

    Raises:
        NotFound: there is no such case.
    """
    with database.reading() as session:
        return kind_named(require_case(session, case_id).kind)


def case_head(session: Session, case: Case, now: datetime) -> CaseHead:
    anchors = current_anchors(session, case.id)
    facts = current_facts(session, case.id)
    summary = summarise(session, case.id)
    due_dates = _due_dates(session, case.id)
    kind = kind_named(case.kind)
    state = CaseState(anchors=anchors, dismissed=case.status is CaseStatus.DISMISSED)
    withheld, waiting = notices_withheld(session, case.id), notices_to_release(session, case.id)
    ended = case.status in (CaseStatus.CLOSED, CaseStatus.DISMISSED)
    terms = tuple(pinned_terms(session, case.id).values())
    clauses = {due_date.clause: due_date.title for due_date in due_dates}
    able = assignments(session, [case.id])[case.id].usable()
    return CaseHead(
        **case.model_dump(include={"id", "title", "status", "opened_at", "closed_at"}),
        anchors=tuple(anchors.values()),
        kind=kind.name,
        shown={label: _value(facts, element) for element, label in kind.shown.items()},
        agreements=session.exec(select(func.count()).where(CaseAgreement.case_id == case.id)).one(),
        zones=tuple(sorted({due_date.time_zone for due_date in due_dates})),
        clauses=dict(sorted(clauses.items())),
        grounds=_grounds(terms, clauses),
        dates=_dates(terms, case.event, kind),
        delayed_by_hold=_titles(one for one in due_dates if one.suspendable_by_law_enforcement),
        run_on_in_hold=_titles(one for one in due_dates if not one.suspendable_by_law_enforcement),
        questions=() if ended else questions_of(session, case, terms, now),
        facts=_facts(session, case.id, due_dates),
        holds=holds_of(session, case.id, now),
        holders=holders_of(session, case.id),
        came_back=came_back_in(session, case.id),
        kept_by=kept_by(session, case.id),
        conflicts=conflicts_of(session, case),
        proposals=proposals_of(session, case.id),
        withholdings=withholdings_of(session, case.id),
        progress=progress_of(session, case.id),
        troubles=troubles_of(session, case),
        open_duties=summary.open_duties,
        waiting_notices=waiting,
        withheld_notices=withheld,
        computing=case.computed_at is None or (case.changed_at or case.opened_at) > case.computed_at,
        offered=_offered(
            kind,
            ended=ended,
            waiting=waiting > 0,
            withheld=withheld > 0,
            undecided=summary.undecided > 0,
            undelivered=summary.undelivered > 0,
        ),
        awaits_answer=not ended and kind.awaits_answer(state),
        own_acts=tuple(act.act_name() for act in kind.own_acts(state) if not (ended and act.keeps_clocks)),
        responsible=able[0].name if able else None,
        deputy=able[1].name if len(able) > 1 else None,
        assignable=assignable(session),
        reasons=reasons_of(session, case),
        can_release=waiting + withheld > 0,
    )


def _offered(
    kind: Kind, *, ended: bool, waiting: bool, withheld: bool, undecided: bool, undelivered: bool
) -> tuple[str, ...]:
    """The common acts for which a case's page has forms.

    Nothing is withheld where no notice waits, and nothing added to what is about one agreement; what nobody knows, or
    took, is decided about wherever there is any.
    """
    decisions = (*((SendAgain,) if undecided or undelivered else ()), *((Vouch,) if undecided else ()))
    unfit = {*(() if waiting else (Withhold,)), *(() if waiting or withheld else (WithholdPastDue,))}
    unfit |= {Add} if kind.intake.one_agreement else set()
    alone = [act for act in COMMON_ACTS if act.stands_alone and act not in unfit]
    return tuple(act.act_name() for act in (*decisions, *(() if ended else alone)))


def _titles(due_dates: Iterable[StoredDueDate]) -> tuple[str, ...]:
    return tuple(sorted({due_date.title for due_date in due_dates}))


def _value(facts: dict[str, KnownFact], element: str) -> str:
    fact = facts.get(element)
    return fact.value or "" if fact else ""


def _due_dates(session: Session, case_id: UUID) -> list[StoredDueDate]:
    """The distinct reasons of a case's duties: a few for each clause and state, however many agreements there are."""
    used = select(Duty.due_date_id).where(Duty.case_id == case_id).distinct()
    return [read_due_date(row) for row in session.exec(select(DueDate).where(col(DueDate.id).in_(used)))]


def _facts(session: Session, case_id: UUID, due_dates: list[StoredDueDate]) -> tuple[FactView, ...]:
    known = {
        row.element: row
        for row in session.exec(
            select(CaseFact).where(CaseFact.case_id == case_id, col(CaseFact.superseded_at).is_(None))
        )
    }
    asked = {element for due_date in due_dates for element in due_date.contents}
    lacking = _lacking(session, case_id)
    views = []
    for element, text in load_catalogue().words.contents.items():
        if element in asked:
            fact = known.get(element)
            views.append(
                FactView(
                    element=element,
                    label=text.label,
                    source=text.source,
                    status=fact.status if fact else None,
                    value=fact.value if fact else None,
                    recorded_by=fact.recorded_by if fact else None,
                    recorded_at=fact.recorded_at if fact else None,
                    lacking=lacking[element],
                )
            )
    return tuple(views)


def _lacking(session: Session, case_id: UUID) -> Counter[str]:
    """How many LEAs were told without each element and still wait for it."""
    lists = func.aggregate_strings(cast(col(Duty.lacking), Text), "|")
    of_lea = (
        select(lists.label("lists"))
        .where(Duty.case_id == case_id, Duty.lacking_count > 0)
        .group_by(col(Duty.agreement_id))
        .subquery()
    )
    found: Counter[str] = Counter()
    for lists_of_lea, leas in session.exec(select(of_lea.c.lists, func.count()).group_by(of_lea.c.lists)):
        for element in {element for part in lists_of_lea.split("|") for element in json.loads(part)}:
            found[element] += leas
    return found


def _grounds(terms: Iterable[EffectiveTerms], clauses: Iterable[str]) -> dict[str, str]:
    """On what grounds the clauses of the case's duties, or those beside them, ask for no notice."""
    events = {clause.partition(".")[0] for clause in clauses}
    return {
        ground: effective.grounds[ground]
        for effective in terms
        for clause in effective.clauses.values()
        if clause.event in events
        for ground in clause.grounds
    }


def _dates(terms: Iterable[EffectiveTerms], event: str, kind: Kind) -> dict[str, str]:
    """The dated facts that the terms know of an event and that a date alone gives."""
    return {
        name: effective.anchors[name]
        for effective in terms
        for name in effective.events.get(event, ())
        if name != HOLD_LIFTED and name not in kind.dates_by
    }
