"""What a notice would say under a clause, from made-up data: for ``duenotice notices preview`` and its tests."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, HttpUrl

from agreements.importing import DEMO_FILE
from cases.anchors import clock_anchors
from cases.values import AnchorValue
from mail.contents import KnownFact
from mail.default_texts import DefaultTexts, load_default_texts
from mail.drafting import PARTICULARS, ClauseAtHand, Draft, write_facts
from mail.facts import EarlierNotice, NoticeFacts, Sender, SignedAgreement
from models.enums import FactStatus, NoticeKind, Party, PerformedBy
from models.errors import InvalidInput
from terms.catalogue import Catalogue
from terms.clock import instant_of
from terms.duties import DueDuty, duties_for
from terms.effective import EffectiveClause, EffectiveTerms, effective_terms
from terms.trace import trail_sentences

DATA = DEMO_FILE.with_name("notice.yaml")
MESSAGE_ID = "<11111111-1111-5111-8111-111111111111@provider.example.org>"
"""The message that a previewed notice follows."""

HEAD = "provider.example.org/ledger 2012 q5bD0mVv0n6l3p2s9r8t7u6v5w4x3y2z1a0b9c8d7e6="
"""The head of a ledger that there is not."""


class _Date(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    instant: AwareDatetime | None = None
    first_day: date | None = None
    last_day: date | None = None


class Demonstration(BaseModel):
    """``config/demo/notice.yaml``: a matter in which every notice of the catalogue has something to say.

    Attributes:
        district: the LEA in a state for which there is no district to try things out with.
        parties: what those around the two sides are called.
        given_hours_before_due: how long before its due instant a notice is given.
        noticed_at: when one is given whose clause sets no time.
        anchors: the dated facts.
        facts: what is known when the first notice is written, by content element.
        learnt_later: what follows in a supplement, by content element.
        particulars: what happened, by clause, where the clause names no contents.
        dismissal: why a suspicion was dismissed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    district: str
    parties: Mapping[Party, str]
    signed: date
    case_reference: str
    given_hours_before_due: int
    noticed_at: AwareDatetime
    anchors: Mapping[str, _Date]
    facts: Mapping[str, str]
    learnt_later: Mapping[str, str]
    particulars: Mapping[str, str]
    dismissal: str


@cache
def load_demonstration(path: Path = DATA) -> Demonstration:
    """The demonstration data that ship."""
    return Demonstration.model_validate(yaml.safe_load(path.read_bytes()))


def demonstrate(
    catalogue: Catalogue,
    sender: Sender,
    form: str,
    state: str,
    clause_id: str,
    *,
    kind: NoticeKind = NoticeKind.NOTICE,
    also: str | None = None,
    texts: DefaultTexts | None = None,
) -> NoticeFacts:
    """What a notice under a clause says, with demonstration data: that of ``demonstrated_draft``, as it is written."""
    draft = demonstrated_draft(catalogue, sender, form, state, clause_id, kind=kind, also=also)
    return write_facts(draft, catalogue, texts or load_default_texts())


def demonstrated_notices(
    catalogue: Catalogue, sender: Sender, texts: DefaultTexts | None = None
) -> Iterator[NoticeFacts]:
    """Each notice of the catalogue, and for each clause of a form a supplement and a dismissal, where it has any.

    Each bears a head of the ledger.
    """
    for facts in _every_notice(catalogue, sender, texts):
        yield facts.model_copy(update={"ledger_head": HEAD})


def _every_notice(catalogue: Catalogue, sender: Sender, texts: DefaultTexts | None) -> Iterator[NoticeFacts]:
    for form in catalogue.forms:
        followed: set[str] = set()
        for state in catalogue.states(form):
            for clause in effective_terms(catalogue, form, state).clauses.values():
                if clause.performed_by is not PerformedBy.NOTICE:
                    continue
                yield demonstrate(catalogue, sender, form, state, clause.id, texts=texts)
                if clause.id not in followed:
                    followed.add(clause.id)
                    yield demonstrate(catalogue, sender, form, state, clause.id, kind=NoticeKind.DISMISSAL, texts=texts)
                    with suppress(InvalidInput):  # it lacks nothing that a supplement could add
                        yield demonstrate(
                            catalogue, sender, form, state, clause.id, kind=NoticeKind.SUPPLEMENT, texts=texts
                        )


def demonstrated_draft(
    catalogue: Catalogue,
    sender: Sender,
    form: str,
    state: str,
    clause_id: str,
    *,
    kind: NoticeKind = NoticeKind.NOTICE,
    also: str | None = None,
) -> Draft:
    """What a notice under a clause is written from, with demonstration data.

    Args:
        catalogue: where the clause is.
        sender: who gives it, where the provider owes it.
        form: id of the form of agreement.
        state: of the LEA, by postal abbreviation.
        clause_id: the clause.
        kind: a notice, a supplement to it, or the dismissal that ends it.
        also: a further clause that the same message performs, since both clocks began together.

    Raises:
        UnknownForm, StateNotCovered, UnknownClause: the catalogue does not have them.
        InvalidInput: nothing is sent under the clause.
    """
    data = load_demonstration()
    terms = effective_terms(catalogue, form, state)
    clause = _sent_under(terms, clause_id)
    further = (_sent_under(terms, also),) if also else ()
    zone = catalogue.state(form, state).zone
    anchors = _anchors(data, terms, (clause, *further))
    due = _due(terms, (clause, *further), anchors, zone)
    noticed_at = _noticed_at(data, due)
    district = _district(data, form, state)
    named = {**data.parties, Party.PROVIDER: sender.organisation, Party.LEA: district}
    draft = Draft(
        kind=kind,
        template=kind.value,
        reader=named[clause.owed_to],
        agreement=SignedAgreement(
            title=catalogue.form(form).standard.document.title,
            reference=f"{state}-001",
            provider=sender.organisation,
            lea=district,
            signed_on=data.signed,
        ),
        state=state,
        zone=zone,
        terms=terms,
        clauses=tuple(ClauseAtHand(each.id, _why(each, due)) for each in (clause, *further)),
        lea=f"{district}\nSuperintendent's Office\noffice@district.example.org",
        noticed_at=noticed_at,
        sender=sender.model_copy(update={"organisation": named[clause.owed_by]}),
        case_reference=data.case_reference,
        anchors=_known_by(noticed_at, anchors, due, zone),
        facts=_facts(_told(data, clause)),
        follows=_earlier(terms, clause, anchors, zone, data) if not further else None,
        acknowledge_url=HttpUrl("https://notices.provider.example.org/n/0123456789"),
    )
    return _of_kind(draft, data, clause)


def _of_kind(draft: Draft, data: Demonstration, clause: EffectiveClause) -> Draft:
    """The draft of a notice, or of what follows that notice a day later."""
    if draft.kind is NoticeKind.NOTICE:
        return draft
    later = replace(
        draft,
        noticed_at=draft.noticed_at + timedelta(days=1),
        follows=EarlierNotice(message_id=MESSAGE_ID, given_at=draft.noticed_at),
    )
    if draft.kind is NoticeKind.DISMISSAL:
        return replace(later, reason=data.dismissal)
    found_out = [element.id for element in clause.notice_contents if element.is_found_out]
    lacking = frozenset(data.learnt_later).intersection(found_out) or frozenset(found_out[-1:])
    if not lacking:
        raise InvalidInput(
            f"A notice under {clause.id} lacks nothing that a supplement could add.",
            where="kind",
            next_step="Preview the notice itself.",
        )
    return replace(later, lacking=lacking, facts=_facts({**data.facts, **data.learnt_later}))


def _told(data: Demonstration, clause: EffectiveClause) -> Mapping[str, str]:
    """What is known: of the matter that contents are told of, or what happened under a clause that names none."""
    if clause.notice_contents:
        return data.facts
    return {PARTICULARS: data.particulars[clause.id]} if clause.id in data.particulars else {}


def _facts(told: Mapping[str, str]) -> dict[str, KnownFact]:
    return {element: KnownFact(FactStatus.KNOWN, value) for element, value in told.items()}


def _sent_under(terms: EffectiveTerms, clause_id: str) -> EffectiveClause:
    clause = terms.clause(clause_id)
    if clause.performed_by is not PerformedBy.NOTICE:
        sent = [each.id for each in terms.clauses.values() if each.performed_by is PerformedBy.NOTICE]
        raise InvalidInput(
            f"No notice performs {clause_id}.", where="clause", next_step=f"Notices perform {', '.join(sent)}."
        )
    return clause


def _anchors(
    data: Demonstration, terms: EffectiveTerms, clauses: tuple[EffectiveClause, ...]
) -> dict[str, AnchorValue]:
    """The dated facts of the clauses' event that stop none of them; of those that start clocks, what starts all."""
    starting = {name for clause in clauses for name in clause.anchors}
    shared = set.intersection(*(set(clause.anchors) for clause in clauses))
    stopping = {name for clause in clauses for name in clause.unless}
    return {
        name: AnchorValue(name=name, **data.anchors[name].model_dump())
        for name in terms.events[clauses[0].event]
        if name in data.anchors and name not in stopping and (name in shared or name not in starting)
    }


def _due(
    terms: EffectiveTerms, clauses: tuple[EffectiveClause, ...], anchors: Mapping[str, AnchorValue], zone: str
) -> dict[str, DueDuty]:
    """The duties of the clauses that set a time, by clause."""
    wanted = {clause.id for clause in clauses}
    given = {name: value for name, value in clock_anchors(anchors).items() if not anchors[name].last_day}
    return {
        duty.clause: duty
        for duty in duties_for(terms, clauses[0].event, given, zone=zone)
        if duty.clause in wanted and duty.due_at
    }


def _noticed_at(data: Demonstration, due: Mapping[str, DueDuty]) -> datetime:
    first = min((duty.due_at for duty in due.values() if duty.due_at), default=None)
    return first - timedelta(hours=data.given_hours_before_due) if first else data.noticed_at


def _known_by(
    instant: datetime, anchors: Mapping[str, AnchorValue], due: Mapping[str, DueDuty], zone: str
) -> dict[str, AnchorValue]:
    """What has happened by an instant, and what starts the clocks, which may lie ahead."""
    starting = {duty.anchor for duty in due.values()}
    begins = {name: instant_of(value, ZoneInfo(zone)) for name, value in clock_anchors(anchors).items()}
    return {name: anchors[name] for name, at in begins.items() if at <= instant or name in starting}


def _why(clause: EffectiveClause, due: Mapping[str, DueDuty]) -> tuple[str, ...]:
    return due[clause.id].why if clause.id in due else trail_sentences(clause)


def _earlier(
    terms: EffectiveTerms, clause: EffectiveClause, anchors: Mapping[str, AnchorValue], zone: str, data: Demonstration
) -> EarlierNotice | None:
    """The notice that was given before under a clause of the same event whose clock ends earlier."""
    others = tuple(
        other
        for other in terms.dated.get(clause.event, ())
        if (other.performed_by, other.owed_by, other.owed_to) == (clause.performed_by, clause.owed_by, clause.owed_to)
    )
    due = _due(terms, others, {**anchors, **_anchors(data, terms, others[:1])}, zone) if others else {}
    own = due.pop(clause.id, None)
    before = [duty.due_at for duty in due.values() if own and own.due_at and duty.due_at and duty.due_at < own.due_at]
    if not before:
        return None
    return EarlierNotice(message_id=MESSAGE_ID, given_at=min(before) - timedelta(hours=data.given_hours_before_due))


def _district(data: Demonstration, form: str, state: str) -> str:
    """The district of the demonstration agreements that has this form in this state."""
    with DEMO_FILE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return next((row["lea_name"] for row in rows if (row["form"], row["state"]) == (form, state)), data.district)
