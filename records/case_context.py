"""What a case knows while its messages are written, read once for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from agreements.terms import terms_named
from cases.kinds import kind_named
from cases.values import AnchorValue
from ledger.artifacts import fetch
from mail.contents import Delay, KnownFact
from mail.facts import EarlierNotice
from models.enums import FactStatus, NoticeKind, Party
from models.tables import Batch, Case, CaseFact, LawEnforcementHold
from records.anchors import anchors_by_agreement
from records.corrections import told_otherwise
from records.documents_at_hand import DocumentsAtHand, documents_at_hand
from records.notice_context import NoticeContext
from records.notice_rows import given_before
from terms.effective import EffectiveTerms

BEHIND_THE_LINK = KnownFact(FactStatus.KNOWN, "It is among the documents behind the link in this notice.")
"""What a notice says of an element that is a document."""


@dataclass(frozen=True)
class CaseContext:
    """What a case knows while some of its messages are written, read once for all of them.

    Attributes:
        terms: the pinned terms, by hash.
        anchors: the dated facts by name, those of the case under None and those of single agreements.
        facts: what is known, by content element.
        at_hand: the content elements that there is a document for.
        holds: every law-enforcement hold there was.
        earlier: the notices given before.
        dismissal_reason: why the suspicion was dismissed.
        templates: the names of its kind's own templates, where it has any.
        heads: the heads of the ledger as batches were planned, by batch, as notices have them at their foot.
        otherwise: by duty, the elements that its notices gave and that are known otherwise by now; of duties alone of
            whose agreements a supplement is among the notices.
    """

    terms: Mapping[str, EffectiveTerms]
    anchors: Mapping[UUID | None, Mapping[str, AnchorValue]]
    facts: Mapping[str, KnownFact]
    at_hand: DocumentsAtHand
    holds: Sequence[LawEnforcementHold]
    earlier: EarlierNotices
    dismissal_reason: str | None
    templates: Mapping[NoticeKind, str]
    heads: Mapping[UUID, str | None]
    otherwise: Mapping[UUID, frozenset[str]]

    def documents(self, agreement_id: UUID) -> dict[str, KnownFact]:
        """The elements that a document gives: never by e-mail, only behind the notice's own link."""
        return dict.fromkeys(self.at_hand.of(agreement_id), BEHIND_THE_LINK)

    def anchors_of(self, agreement_id: UUID) -> dict[str, AnchorValue]:
        """The dated facts as they hold for one agreement."""
        return {**self.anchors[None], **self.anchors.get(agreement_id, {})}

    def follows(self, context: NoticeContext) -> EarlierNotice | None:
        """The notice that one adds to or takes back; of a first notice under a clause, what its LEA was told before."""
        own = self.earlier.under_duty.get(context.duty.id)
        if context.notice.kind is not NoticeKind.NOTICE:
            return own
        first = self.earlier.to_party.get((context.agreement.id, context.duty.owed_to))
        return first if first != own else None

    def delay(self, context: NoticeContext, now: datetime) -> Delay:
        """Whether a hold delayed a notice: whether it leaves later than its clause would otherwise require."""
        otherwise = [due.due_without_hold for due in (context.due_date, *context.also_due)]
        if not any(due_at and now > due_at for due_at in otherwise):
            return Delay.NONE
        holds = [hold for hold in self.holds if hold.agreement_id in (None, context.agreement.id)]
        return Delay.TOLD if all(hold.shareable for hold in holds) else Delay.SECRET


@dataclass(frozen=True)
class EarlierNotices:
    """The first notice given under each duty, and the first one given to each party under each agreement."""

    under_duty: Mapping[UUID, EarlierNotice]
    to_party: Mapping[tuple[UUID, Party], EarlierNotice]


def read_case_context(session: Session, case_id: UUID, contexts: Sequence[NoticeContext]) -> CaseContext:
    """What a case knows, as far as the messages of some of its notices need it."""
    supplemented = {context.agreement.id for context in contexts if context.notice.kind is NoticeKind.SUPPLEMENT}
    return CaseContext(
        terms=terms_named(session, {context.terms_hash for context in contexts}),
        anchors=anchors_by_agreement(session, case_id),
        facts=current_facts(session, case_id),
        at_hand=documents_at_hand(session, case_id),
        holds=session.exec(select(LawEnforcementHold).where(LawEnforcementHold.case_id == case_id)).all(),
        earlier=_earlier(session, case_id, {context.agreement.id for context in contexts}),
        dismissal_reason=_dismissal_reason(session, case_id),
        templates=kind_named(session.get_one(Case, case_id).kind).templates,
        heads=_heads(session, {context.notice.batch_id for context in contexts}),
        otherwise=told_otherwise(session, case_id, supplemented) if supplemented else {},
    )


def current_facts(session: Session, case_id: UUID) -> dict[str, KnownFact]:
    """What a case knows of each content element, leaving out what was superseded."""
    rows = session.exec(select(CaseFact).where(CaseFact.case_id == case_id, col(CaseFact.superseded_at).is_(None)))
    return {row.element: KnownFact(row.status, row.value) for row in rows}


def _earlier(session: Session, case_id: UUID, agreements: Set[UUID]) -> EarlierNotices:
    """The first notices that were given in a case under some agreements; one that went by post has no Message-ID."""
    under_duty: dict[UUID, EarlierNotice] = {}
    to_party: dict[tuple[UUID, Party], EarlierNotice] = {}
    for before in given_before(session, tuple(agreements)):
        if before.case_id == case_id:
            earlier = EarlierNotice(message_id=before.message_id, given_at=before.given_at)
            to_party[before.agreement_id, before.owed_to] = earlier
            under_duty |= dict.fromkeys((before.duty_id, *map(UUID, before.also_performs)), earlier)
    return EarlierNotices(under_duty, to_party)


def _heads(session: Session, batches: Set[UUID]) -> dict[UUID, str | None]:
    return dict(session.exec(select(Batch.id, Batch.ledger_head).where(col(Batch.id).in_(batches))).all())


def _dismissal_reason(session: Session, case_id: UUID) -> str | None:
    sha256 = session.get_one(Case, case_id).dismissal_reason_sha256
    return fetch(session, sha256).decode() if sha256 else None
