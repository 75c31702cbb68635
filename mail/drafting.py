"""From a matter under an agreement's terms to what its notice says: the same for a case and for a preview."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import HttpUrl

from cases.anchors import clock_anchors
from cases.values import AnchorValue
from mail.contents import Delay, Knowledge, KnownFact, element_values
from mail.default_texts import DefaultTexts
from mail.facts import TO_FOLLOW, Clause, EarlierNotice, ElementValue, NoticeFacts, Sender, SignedAgreement
from mail.provision import Place, annex_sentences, operative_steps, provision_sentences
from models.defaults import Defaults
from models.enums import SIDES, FactStatus, NoticeKind
from terms.catalogue import Catalogue
from terms.contents import ContentElement
from terms.duties import earliest_day
from terms.effective import EffectiveTerms
from terms.limits import STANDARD_DEFAULTS

PARTICULARS = "description"
"""The fact that tells what happened in the sender's words, where a clause names no contents of its own."""


UNASKED = "told so that you can act on it"
"""What stands where a provision would that asks for an element."""


@dataclass(frozen=True)
class ClauseAtHand:
    """A clause that a notice is given under, and why it is due when it is."""

    id: str
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class Draft:
    """What one notice is written from.

    Attributes:
        template: the name of its templates in ``config/notices/``.
        reader: whom it is for, by name.
        agreement: the agreement as it is cited.
        state: of the LEA, by postal abbreviation: its default texts are used.
        zone: the LEA's time zone.
        terms: the agreement's terms.
        clauses: what it is given under; the first is the one whose words it has.
        lea: the LEA with its contact, in lines.
        anchors: the dated facts, by name.
        facts: what is known, by content element.
        delay: whether law enforcement delayed the notice, and whether that may be shared.
        lacking: the elements that a supplement is about, since the notice before it lacked them.
        corrected: those that it is about since they are otherwise than that notice said.
        reason: why a suspicion was dismissed.
        follows: the notice that this one follows.
        ledger_head: the head of the ledger as it was planned, for its foot.
        defaults: the time limits that no clause gives.
    """

    kind: NoticeKind
    template: str
    reader: str
    agreement: SignedAgreement
    state: str
    zone: str
    terms: EffectiveTerms
    clauses: tuple[ClauseAtHand, ...]
    lea: str
    noticed_at: datetime
    sender: Sender
    case_reference: str
    anchors: Mapping[str, AnchorValue]
    facts: Mapping[str, KnownFact]
    delay: Delay = Delay.NONE
    lacking: Set[str] = field(default_factory=frozenset)
    corrected: Set[str] = field(default_factory=frozenset)
    reason: str | None = None
    follows: EarlierNotice | None = None
    acknowledge_url: HttpUrl | None = None
    for_counsel: bool = False
    ledger_head: str | None = None
    defaults: Defaults = STANDARD_DEFAULTS


def write_facts(draft: Draft, catalogue: Catalogue, texts: DefaultTexts) -> NoticeFacts:
    """Return what a notice says, element by element and provision by provision."""
    elements = _elements(draft, texts)
    supplement = draft.kind is NoticeKind.SUPPLEMENT
    return NoticeFacts(
        kind=draft.kind,
        template=draft.template,
        reader=draft.reader,
        time_zone=draft.zone,
        agreement=draft.agreement,
        clauses=tuple(_clauses(draft, catalogue, elements)),
        noticed_at=draft.noticed_at,
        sender=draft.sender,
        case_reference=draft.case_reference,
        data=draft.terms.protects,
        anchors=tuple(_dated(draft).values()),
        held_back=draft.delay is Delay.TOLD,
        particulars=_particulars(draft),
        elements=elements,
        added=tuple(element.id for element in elements if element.status not in TO_FOLLOW) if supplement else (),
        corrected=tuple(element.id for element in elements if element.id in draft.corrected) if supplement else (),
        reason=draft.reason,
        follows=draft.follows,
        acknowledge_url=draft.acknowledge_url if _is_to_a_side(draft) else None,
        for_counsel=draft.for_counsel,
        ledger_head=draft.ledger_head,
    )


def _dated(draft: Draft) -> Mapping[str, AnchorValue]:
    """The dated facts, with the first day that a prior notice leaves for what it must come before."""
    given = draft.terms.clause(draft.clauses[0].id).dates
    for clause in draft.terms.clauses.values() if given else ():
        if clause.planned_on and clause.not_before and clause.not_before.after == given:
            known = {**clock_anchors(draft.anchors), given: draft.noticed_at}
            day = earliest_day(draft.terms, clause.id, known, zone=draft.zone, defaults=draft.defaults)
            return {**draft.anchors, clause.planned_on: AnchorValue(name=clause.planned_on, first_day=day)}
    return draft.anchors


def _is_to_a_side(draft: Draft) -> bool:
    """Whether it is for a side of the agreement: only these answer by its link, and read how the time was counted."""
    return draft.terms.clause(draft.clauses[0].id).owed_to in SIDES


def _elements(draft: Draft, texts: DefaultTexts) -> tuple[ElementValue, ...]:
    """What is said of each element: of all of them in a notice; in a supplement, of those once lacking or wrong."""
    if draft.kind is NoticeKind.DISMISSAL:
        return ()
    supplement = draft.kind is NoticeKind.SUPPLEMENT
    about = draft.lacking | draft.corrected
    required = [element for element in _required(draft) if not supplement or element.id in about]
    knowledge = Knowledge(
        lea=draft.lea,
        provider=draft.sender,
        noticed_at=draft.noticed_at,
        zone=ZoneInfo(draft.zone),
        anchors=draft.anchors,
        facts=draft.facts,
        # The notice before it has said what needs no finding out.
        default_texts={} if supplement else texts.of(draft.state),
        delay=draft.delay,
    )
    return element_values(required, knowledge)


def _required(draft: Draft) -> Iterator[ContentElement]:
    """The elements that its clauses ask for, each once, with every provision that asks for it."""
    asked: dict[str, list[ContentElement]] = {}
    for at_hand in draft.clauses:
        clause = draft.terms.clause(at_hand.id)
        told = (element.model_copy(update={"citation": UNASKED}) for element in clause.tells)
        for element in (*clause.contents, *told):
            asked.setdefault(element.id, []).append(element)
    for same in asked.values():
        citations = dict.fromkeys(element.citation for element in same)
        yield same[0].model_copy(update={"citation": "; ".join(citations)})


def _clauses(draft: Draft, catalogue: Catalogue, elements: tuple[ElementValue, ...]) -> Iterator[Clause]:
    """What a notice is given under, and the right that it lets its reader exercise."""
    cited = [citation for element in elements for citation in element.citation.split("; ")]
    offered = (draft.terms.clause(clause.id).offers for clause in draft.clauses)
    for clause in (*draft.clauses, *(ClauseAtHand(right) for right in offered if right)):
        place = Place(draft.terms.form, draft.terms.state, clause.id)
        steps = operative_steps(catalogue, place, draft.terms.clause(clause.id).trail, cited)
        counted = draft.kind is NoticeKind.NOTICE and _is_to_a_side(draft)
        why = annex_sentences(clause.why, draft.terms) if counted else ()
        yield Clause(id=clause.id, provision=provision_sentences(steps), why=why)


def _particulars(draft: Draft) -> str | None:
    told = draft.facts.get(PARTICULARS)
    silent = not any(draft.terms.clause(clause.id).notice_contents for clause in draft.clauses)
    if draft.kind is not NoticeKind.NOTICE or not silent or told is None or told.status is not FactStatus.KNOWN:
        return None
    return told.value
