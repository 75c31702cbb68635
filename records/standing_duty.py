"""What SQL and the clauses say of a case about one clause: what it may be about, and what its act performs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from cases.anchors import check_past
from cases.intake import Intake
from cases.kinds import KINDS
from cases.plausibility import Dating, Doubt, said
from cases.standing_duty import COUNTED_FROM, STANDING_DUTY, TOO_OFTEN, CarriedOut, DatedMatter
from cases.values import AnchorValue
from ledger.entries import JsonObject
from models.enums import CaseStatus, DutyStatus, Party, PerformedBy
from models.errors import InvalidFields, InvalidInput, Refused
from models.identifiers import agreement_id, case_reference
from models.phrases import counted, day_words
from models.tables import Agreement, Case, CaseAgreement, Duty
from records.acts import Recording
from records.anchors import anchors_by_agreement
from records.intake import keep_found
from records.performed_acts import perform_by_act, running_acts
from records.scope import clauses_of_agreement, terms_in_force
from terms.anchors import may_lie_ahead, needs_instant
from terms.catalogue import Catalogue, load_catalogue
from terms.clock import day_of, due, instant_of, zone_of
from terms.effective import EffectiveClause, EffectiveTerms, effective_terms
from terms.limits import parse_limit

LISTED = 10
"""How many agreements a problem names; the others are counted."""

DECIDE = (
    "Confirm that it is meant to record it; then let it be done all the same, or propose that it is not required. "
    "If there is a cause that the clause names, record that first."
)
"""What an officer can do where more is asked for than the terms allow."""

SIDES = (Party.PROVIDER, Party.LEA)


def serves(clause: EffectiveClause) -> bool:
    """Whether a case of this kind is about a clause: a duty of an event that no other kind serves, or one that recurs.

    What comes round again by the agreement's own dates is no part of the matter that another kind takes up.
    """
    others = {kind.event for kind in KINDS.values() if kind is not STANDING_DUTY}
    mine = clause.recurs or clause.event not in others
    return mine and clause.performed_by is not PerformedBy.TIME and clause.owed_by in SIDES


@lru_cache
def served_clauses(catalogue: Catalogue) -> frozenset[str]:
    """The ids of the clauses, under any terms, that a case of this kind may be about."""
    every = (clause for terms in _all_terms(catalogue) for clauses in terms.dated.values() for clause in clauses)
    return frozenset(clause.id for clause in every if serves(clause))


def choices() -> Mapping[str, tuple[tuple[str, str], ...]]:
    """What a person may record, by field of the intake: each word, and what people call it."""
    return {"matter": _matters(load_catalogue())}


@lru_cache
def _matters(catalogue: Catalogue) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for terms in _all_terms(catalogue):
        for clauses in terms.dated.values():
            for clause in filter(serves, clauses):
                for fact in clause.anchors:
                    if fact not in terms.agreement_dates:
                        word = f"{clause.id}{COUNTED_FROM}{fact}"
                        found.setdefault(word, f"{clause.title} (counted from: {terms.anchors[fact]})")
    return tuple(sorted(found.items()))


def _all_terms(catalogue: Catalogue) -> Iterator[EffectiveTerms]:
    choices = tuple(catalogue.words.choices)
    for form_id, form in catalogue.forms.items():
        for state in (None, *form.supplements):
            yield effective_terms(catalogue, form_id, state, choices=choices)


def prepare_intake(session: Session, intake: Intake, now: datetime, side: Party) -> tuple[AnchorValue, ...]:
    """Check a matter against the terms of its agreements; no further fact follows from it.

    Raises:
        InvalidFields: no such matter is known, some agreement's terms do not hold it, or its date cannot be.
    """
    if not isinstance(intake, DatedMatter):
        return ()
    if intake.matter not in dict(_matters(load_catalogue())):
        raise InvalidFields(
            (InvalidInput("No clause counts time from this.", where="matter", next_step="Choose one of those listed."),)
        )
    rows = session.exec(select(Agreement).where(col(Agreement.reference).in_(set(intake.agreements)))).all()
    terms = terms_in_force(session, load_catalogue(), rows, now.date())
    holding = {row.reference: _clause(terms[row.id], intake) for row in rows}
    without = sorted(reference for reference, clause in holding.items() if clause is None)
    if without:
        more = f" and {counted(len(without) - LISTED, 'other')}" if len(without) > LISTED else ""
        problem = InvalidInput(
            f"The terms of {', '.join(without[:LISTED])}{more} have no such duty.",
            where="agreements",
            next_step="Leave them out: `duenotice duties upcoming --all --agreement` shows what terms hold.",
        )
        raise InvalidFields((problem,))
    if all(clause.owed_by is not side for clause in holding.values() if clause):
        others = InvalidInput(
            "This is owed by the other side, and its clock is theirs.",
            where="matter",
            next_step="Choose what is owed by your own side.",
        )
        raise InvalidFields((others,))
    if wrong := _date_problem(intake, terms.values(), [clause for clause in holding.values() if clause], now):
        raise InvalidFields((wrong,))
    return ()


def _clause(terms: EffectiveTerms, matter: DatedMatter) -> EffectiveClause | None:
    """The clause of a matter in some terms, where they hold it and it counts from that fact."""
    clause = terms.clauses.get(matter.clause)
    return clause if clause and clause.dated and matter.fact in clause.anchors else None


def _date_problem(
    matter: DatedMatter, terms: Iterable[EffectiveTerms], clauses: list[EffectiveClause], now: datetime
) -> InvalidInput | None:
    anchor = matter.happened.anchor(matter.fact)
    hours = any(matter.fact in needs_instant(effective, matter.event()) for effective in terms)
    if anchor.instant is None and hours:
        return InvalidInput(
            "Hours are counted from this, so a day is not enough.",
            where="happened",
            next_step="Give the time and its zone.",
        )
    if any(may_lie_ahead(clause, matter.fact) for clause in clauses):
        return None
    problem = check_past(anchor, now)
    return problem and InvalidInput(problem.message, where="happened", next_step=problem.next_step)


def doubts(session: Session, dating: Dating, now: datetime) -> Iterator[Doubt]:
    """Ask where the other side asks for more than its terms allow, or objects too late; an officer decides."""
    for where, anchor in dating.given.items():
        if dating.clause and (says := _too_often(session, dating, anchor, now)):
            yield Doubt(where, f"{anchor.name} too-often", says, DECIDE)
        if dating.case_id and (says := _too_late(session, dating, dating.case_id, anchor)):
            yield Doubt(where, f"{anchor.name} too-late", says)


def _too_late(session: Session, dating: Dating, case_id: UUID, fact: AnchorValue) -> str | None:
    """What to say of a fact that came about after the time for it was over, as an objection after silence."""
    value = fact.instant or fact.first_day
    rows = session.exec(
        select(Duty, Agreement)
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .where(Duty.case_id == case_id, col(Duty.agreement_id).in_(dating.agreements))
        .where(Duty.performed_by == PerformedBy.TIME, col(Duty.due_at).is_not(None))
        .order_by(col(Agreement.reference))
    )
    late = [
        agreement.reference
        for duty, agreement in rows
        for clause in clauses_of_agreement(session, case_id, agreement.id)
        if clause.id == duty.clause and fact.name in clause.unless
        if value and duty.due_at and instant_of(value, zone_of(agreement.time_zone)) > duty.due_at
    ]
    if not late:
        return None
    more = f" and {counted(len(late) - LISTED, 'other')}" if len(late) > LISTED else ""
    return f"By {said(fact)} the time for this was over under {', '.join(late[:LISTED])}{more}: it changes nothing."


def _too_often(session: Session, dating: Dating, fact: AnchorValue, now: datetime) -> str | None:
    """What to say of agreements under which this was asked for before, within the time in which it may be once."""
    rows = session.exec(select(Agreement).where(col(Agreement.id).in_(dating.agreements))).all()
    terms = terms_in_force(session, load_catalogue(), rows, now.date())
    found = []
    for row in sorted(rows, key=lambda row: row.reference):
        clause, zone = terms[row.id].clauses.get(dating.clause or ""), zone_of(row.time_zone)
        day = _day_of(fact, zone)
        if clause is None or clause.once_in is None or fact.name not in clause.anchors or day is None:
            continue
        for other, case_id in _asked_before(session, dating, fact.name, row.id, zone):
            limit, (first, second) = parse_limit(clause.once_in.limit), sorted((other, day))
            again = due(limit, first, zone).last_day
            if again and second < again and not _has_cause(session, row.id, clause.once_in.or_after, first):
                cause = f", or after a {clause.once_in.or_after}" if clause.once_in.or_after else ""
                citation = "; ".join(f"{step.document}, {step.clause}" for step in clause.trail[-1:])
                found.append(
                    f"{row.reference}: it was asked for on {day_words(other)} as well, in case "
                    f"{case_reference(case_id)}; its terms allow it once in {limit}{cause} ({citation})."
                )
    more = [f"And {len(found) - LISTED:,} more."] if len(found) > LISTED else []
    return " ".join((*found[:LISTED], *more)) or None


def _day_of(fact: AnchorValue, zone: ZoneInfo) -> date | None:
    return day_of(fact.instant, zone) if fact.instant else fact.first_day


def _asked_before(
    session: Session, dating: Dating, fact: str, agreement: UUID, zone: ZoneInfo
) -> Iterator[tuple[date, UUID]]:
    """On which days the same was asked for in other cases, where nobody decided that it is not required."""
    cases = session.exec(
        select(Case.id)
        .join(CaseAgreement, col(CaseAgreement.case_id) == col(Case.id))
        .where(CaseAgreement.agreement_id == agreement, Case.clause == dating.clause)
        .order_by(col(Case.opened_at))
    ).all()
    for case_id in cases:
        anchors = anchors_by_agreement(session, case_id)
        known = anchors.get(agreement, {}).get(fact) or anchors[None].get(fact)
        day = _day_of(known, zone) if known else None
        declined = select(Duty.id).where(
            Duty.case_id == case_id,
            Duty.agreement_id == agreement,
            Duty.clause == dating.clause,
            col(Duty.status).in_((DutyStatus.NOT_REQUIRED, DutyStatus.CANCELLED)),
        )
        if day and case_id != dating.case_id and session.exec(declined).first() is None:
            yield day, case_id


def _has_cause(session: Session, agreement: UUID, event: str | None, since: date) -> bool:
    """Whether a matter of an event came up under an agreement on a day or after it, and was not found to be none."""
    if event is None:
        return False
    cases = session.exec(
        select(Case.opened_at)
        .join(CaseAgreement, col(CaseAgreement.case_id) == col(Case.id))
        .where(CaseAgreement.agreement_id == agreement, Case.event == event)
        .where(Case.status != CaseStatus.DISMISSED, col(Case.undecided).is_(False))
    )
    return any(opened_at.date() >= since for opened_at in cases)


def keep_opening(session: Session, case: Case, intake: Intake, actor: str, now: datetime) -> None:
    """Keep with a case that more is asked for than the terms of its agreements allow, so that its page says so."""
    if isinstance(intake, DatedMatter):
        agreements = [agreement_id(reference) for reference in intake.agreements]
        dating = Dating(intake.dates(), agreements, intake.clause, case.id)
        if says := "\n".join(doubt.says for doubt in doubts(session, dating, now)):
            keep_found(session, case.id, TOO_OFTEN, says, actor, now)


def record_act(recording: Recording) -> JsonObject:
    """Store that what the clause asks for was done.

    Raises:
        Refused: nothing is open that an act performs, or it was due meanwhile.
        InvalidInput: several things are, and none is named.
    """
    act = recording.message.act
    assert isinstance(act, CarriedOut), "the kind has no other act of its own"
    duties = running_acts(recording, act.clause)
    if not duties:
        raise Refused(
            "Nothing is open here that is performed by doing something.",
            next_step="A notice is performed by being sent, and a document by being given: look at the case's page.",
        )
    if len(names := sorted({duty.clause for duty in duties})) > 1:
        raise InvalidInput(
            "Several things are to be done.", where="clause", next_step=f"Say which of them: {', '.join(names)}."
        )
    return perform_by_act(recording, _meant(recording, act, duties), act.done_at, where="done_at")


def _meant(recording: Recording, act: CarriedOut, duties: Sequence[Duty]) -> Sequence[Duty]:
    """Those of the open duties that an act says were done: of one agreement nothing is said by what is said of another.

    Raises:
        InvalidInput: there are several, and it does not say of which; or it names one that has none; or it speaks for
            all where each LEA's own word is needed.
    """
    named = {agreement.id for agreement in act.agreements}
    own_word = act.for_all and any(
        clause.holds and clause.id == duty.clause
        for duty in duties
        for clause in clauses_of_agreement(recording.session, recording.case.id, duty.agreement_id)
    )
    if own_word:
        raise InvalidInput(
            "Each LEA's own word is needed here, so nothing is said for all of them at once.",
            where="for_all",
            next_step="Name the agreements of those that gave it, with what proves it.",
        )
    if not named and not act.for_all and len(duties) > 1:
        raise InvalidInput(
            f"It is to be done under {len(duties):,} agreements, and nothing says under which it was.",
            where="agreements",
            next_step="Name them, or say that it was done under every one.",
        )
    if strange := named - {duty.agreement_id for duty in duties}:
        raise InvalidInput(
            f"Under {counted(len(strange), 'agreement', 'agreements')} of these nothing of the sort is open.",
            where="agreements",
            next_step="Leave out what is done already, or is not required.",
        )
    return [duty for duty in duties if not named or duty.agreement_id in named]
