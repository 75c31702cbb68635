"""The desk where notices become letters: what each is to say, to whom it goes, and its place in the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import HttpUrl
from sqlmodel import Session, col, select

from activities.terms import current_anchors, parsed_terms
from ledger.actors import ENGINE
from ledger.append import Entry, append
from ledger.artifacts import fetch, store
from ledger.kinds import EvidenceKind
from mail.compose import Addressing, compose
from mail.contacts import choose_recipients
from mail.contents import Delay, Knowledge, KnownFact, element_values
from mail.facts import Clause, EarlierNotice, ElementStatus, ElementValue, Mailbox, NoticeFacts, Sender
from mail.links import notice_link
from models import identifiers
from models.errors import InvalidInput
from models.grouping import grouped
from models.tables import (
    Agreement,
    AgreementContact,
    CaseAgreement,
    CaseFact,
    Delivery,
    Duty,
    EvidenceEntry,
    Hold,
    Notice,
    Reckoning,
    TermsSnapshot,
)
from models.words import ContactRole, DeliveryStatus, NoticeKind

FAILED = (DeliveryStatus.REJECTED, DeliveryStatus.BOUNCED)


@dataclass(frozen=True)
class Letter:
    """One message ready to be handed to the mail server for one contact."""

    notice_id: UUID
    delivery_id: UUID
    contact_id: UUID
    email: str
    copy: bool
    attempt: int
    sha256: str
    raw: bytes = field(repr=False)


@dataclass(frozen=True)
class Dossier:
    """Everything about one notice that its letter is written from."""

    notice: Notice
    duty: Duty
    agreement: Agreement
    reckoning: Reckoning
    terms_hash: str
    contacts: tuple[AgreementContact, ...]
    deliveries: list[Delivery]

    @property
    def interrupted(self) -> bool:
        """Whether a letter was under way when its sender stopped, so that nobody can say whether it arrived."""
        return any(delivery.attempted_at is not None for delivery in self.unsettled)

    @property
    def unsettled(self) -> tuple[Delivery, ...]:
        """Deliveries that the mail server has not answered for."""
        return tuple(
            delivery
            for delivery in self.deliveries
            if delivery.status in (DeliveryStatus.RESERVED, DeliveryStatus.UNKNOWN)
        )

    def next_contact(self) -> AgreementContact | None:
        """The first contact left to try; one known to fail comes after those that are not. None when none is left."""
        failed = {delivery.contact_id for delivery in self.deliveries if delivery.status in FAILED}
        left = [contact for contact in self._recipients()[0] if contact.id not in failed]
        return min(left, key=lambda contact: contact.failing_since is not None, default=None)

    def copies(self) -> tuple[AgreementContact, ...]:
        """The contacts that the agreement wants copied."""
        return self._recipients()[1]

    def reserve(self, session: Session, contact: AgreementContact, message_id: str, sha256: str, now: datetime) -> None:
        """Give one contact a place in the outbox for a message, once; a letter written anew takes the old one's."""
        taken = next((delivery for delivery in self.deliveries if delivery.contact_id == contact.id), None)
        if taken is None:
            taken = Delivery(
                id=identifiers.delivery_id(self.notice.id, contact.id),
                notice_id=self.notice.id,
                contact_id=contact.id,
                message_id=message_id,
                status=DeliveryStatus.RESERVED,
                message_sha256=sha256,
                reserved_at=now,
            )
            self.deliveries.append(taken)
        elif taken.status is DeliveryStatus.RESERVED:
            taken.message_id, taken.message_sha256 = message_id, sha256
        session.add(taken)

    def _recipients(self) -> tuple[tuple[AgreementContact, ...], tuple[AgreementContact, ...]]:
        try:
            chosen = choose_recipients((contact for contact in self.contacts if contact.rank >= 0), security=True)
        except InvalidInput:
            return (), ()
        return chosen.to, chosen.copies


@dataclass(frozen=True)
class Desk:
    """Writes letters in the name of one organisation.

    Attributes:
        sender: the mailbox in From, to which bounces return.
        organisation: whom a notice names as its sender.
        message_id_domain: the right-hand side of every Message-ID.
        public_url: what links in notices begin with.
        link_key: the key under which links to single notices are made.
    """

    sender: Mailbox
    organisation: Sender
    message_id_domain: str
    public_url: str
    link_key: bytes = field(repr=False)

    def pending(self, session: Session, batch_id: UUID) -> list[UUID]:
        """The notices of a batch for which something is still to be sent, in a fixed order."""
        notices = session.exec(
            select(Notice.id)
            .where(Notice.batch_id == batch_id, col(Notice.dropped).is_(False))
            .order_by(col(Notice.id))
        ).all()
        return [
            dossier.notice.id
            for dossier in _dossiers(session, notices)
            if dossier.unsettled or (dossier.notice.given_at is None and dossier.next_contact())
        ]

    def reserve(self, session: Session, notices: Sequence[UUID], *, released: bool, now: datetime) -> list[Letter]:
        """Write the letters of some notices and reserve their places in the outbox, marked as under way.

        A letter whose fate is unknown is taken up again as it is; one that is known not to have left is written anew,
        so that it bears the date on which it goes.
        """
        letters: list[Letter] = []
        entries: list[Entry] = []
        for dossier in _dossiers(session, notices):
            if dossier.notice.given_at is None and not dossier.interrupted:
                entries.append(self._write(session, dossier, released=released, now=now))
            letters += _take_up(session, dossier, now)
        append(session, *entries)
        return letters

    def _write(self, session: Session, dossier: Dossier, *, released: bool, now: datetime) -> Entry:
        primary = dossier.next_contact()
        if primary is None:
            raise ValueError("a notice without a contact left to try has no letter")
        message_id = identifiers.message_id(
            identifiers.delivery_id(dossier.notice.id, primary.id), self.message_id_domain
        )
        elements = self._elements(session, dossier, now)
        addressing = Addressing(
            message_id=message_id,
            sender=self.sender,
            to=(_mailbox(primary),),
            copies=tuple(_mailbox(contact) for contact in dossier.copies()),
        )
        facts = self._facts(session, dossier, elements, unreleased=not released, now=now)
        sha256 = store(session, compose(facts, addressing).raw, "message/rfc822", now)
        for contact in (primary, *dossier.copies()):
            dossier.reserve(session, contact, message_id, sha256, now)
        notice = dossier.notice
        notice.composed_at = now
        notice.lacking = [element.id for element in elements if element.status is ElementStatus.NOT_YET_KNOWN]
        notice.given = [element.id for element in elements if element.id not in notice.lacking]
        session.add(notice)
        return Entry(
            case_id=notice.case_id,
            kind=EvidenceKind.NOTICE_COMPOSED,
            subject=str(notice.id),
            actor=ENGINE,
            at=now,
            body={"given": notice.given, "lacking": notice.lacking},
            artifacts=(sha256,),
            key=f"notice-composed:{notice.id}:{sha256}",
        )

    def _elements(self, session: Session, dossier: Dossier, now: datetime) -> tuple[ElementValue, ...]:
        """What the notice says of each element: all of them in a notice; in a supplement, those once lacking."""
        if dossier.notice.kind is NoticeKind.DISMISSAL:
            return ()
        terms = parsed_terms(session.get_one(TermsSnapshot, dossier.terms_hash).body)
        case_id = dossier.notice.case_id
        knowledge = Knowledge(
            lea=_lea(dossier),
            provider=self.organisation,
            noticed_at=now,
            zone=ZoneInfo(dossier.agreement.time_zone),
            anchors=current_anchors(session, case_id),
            facts=current_facts(session, case_id),
            delay=_delay(session, case_id, dossier.agreement.id),
        )
        required = terms.clause(dossier.duty.clause).notice_contents
        if dossier.notice.kind is NoticeKind.SUPPLEMENT:
            required = tuple(element for element in required if element.id in dossier.duty.lacking)
        return element_values(required, knowledge)

    def _facts(
        self, session: Session, dossier: Dossier, elements: tuple[ElementValue, ...], *, unreleased: bool, now: datetime
    ) -> NoticeFacts:
        reasons = dossier.reckoning.body
        last_step = reasons["trail"][-1]
        kind = dossier.notice.kind
        settled = tuple(element.id for element in elements if element.status is not ElementStatus.NOT_YET_KNOWN)
        return NoticeFacts(
            kind=kind,
            lea_name=dossier.agreement.lea_name,
            time_zone=dossier.agreement.time_zone,
            agreement_reference=dossier.agreement.reference,
            form=dossier.agreement.form,
            clause=Clause(
                id=dossier.duty.clause,
                title=reasons["title"],
                citation=f"{last_step['document']}, {last_step['clause']}: {last_step['says']}",
            ),
            due_at=dossier.duty.due_at if kind is NoticeKind.NOTICE else None,
            noticed_at=now,
            sender=self.organisation,
            case_reference=identifiers.case_reference(dossier.notice.case_id),
            elements=elements,
            added=settled if kind is NoticeKind.SUPPLEMENT else (),
            why=tuple(reasons["why"]) if kind is NoticeKind.NOTICE else (),
            reason=_dismissal_reason(session, dossier.notice.case_id) if kind is NoticeKind.DISMISSAL else None,
            follows=None if kind is NoticeKind.NOTICE else _earlier(session, dossier.duty.id),
            acknowledge_url=HttpUrl(notice_link(self.public_url, self.link_key, dossier.notice.id)),
            unreleased=unreleased and kind is NoticeKind.NOTICE,
        )


def _delay(session: Session, case_id: UUID, agreement_id: UUID) -> Delay:
    """What may be said of law enforcement having delayed the notice of one agreement."""
    holds = session.exec(
        select(Hold).where(
            Hold.case_id == case_id, col(Hold.agreement_id).is_(None) | (col(Hold.agreement_id) == agreement_id)
        )
    ).all()
    if not holds:
        return Delay.NONE
    return Delay.TOLD if all(hold.shareable for hold in holds) else Delay.WITHHELD


def _dismissal_reason(session: Session, case_id: UUID) -> str:
    entry = session.exec(
        select(EvidenceEntry).where(
            EvidenceEntry.case_id == case_id, EvidenceEntry.kind == EvidenceKind.CASE_DISMISSED.value
        )
    ).one()
    return fetch(session, entry.artifacts[0]).decode()


def _earlier(session: Session, duty_id: UUID) -> EarlierNotice | None:
    """The first notice that was given under a duty."""
    found = session.exec(
        select(Delivery.message_id, Notice.given_at)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .where(Notice.duty_id == duty_id, Delivery.status == DeliveryStatus.ACCEPTED)
        .where(col(Notice.given_at).is_not(None))
        .order_by(col(Notice.given_at))
    ).first()
    return EarlierNotice(message_id=found[0], given_at=found[1]) if found and found[1] else None


def current_facts(session: Session, case_id: UUID) -> dict[str, KnownFact]:
    """What a case knows of each content element, leaving out what was superseded."""
    rows = session.exec(select(CaseFact).where(CaseFact.case_id == case_id, col(CaseFact.superseded_at).is_(None)))
    return {row.element: KnownFact(row.status, row.value) for row in rows}


def _take_up(session: Session, dossier: Dossier, now: datetime) -> list[Letter]:
    addresses = {contact.id: contact for contact in dossier.contacts}
    letters = []
    for delivery in dossier.unsettled:
        delivery.attempts += 1
        delivery.attempted_at = now
        session.add(delivery)
        contact = addresses[delivery.contact_id]
        letters.append(
            Letter(
                notice_id=delivery.notice_id,
                delivery_id=delivery.id,
                contact_id=contact.id,
                email=contact.email,
                copy=contact.role is ContactRole.COPY_TO,
                attempt=delivery.attempts,
                sha256=delivery.message_sha256,
                raw=fetch(session, delivery.message_sha256),
            )
        )
    return letters


def _dossiers(session: Session, notices: Sequence[UUID]) -> list[Dossier]:
    rows = session.exec(
        select(Notice, Duty, Agreement, Reckoning)
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .join(Reckoning, col(Reckoning.id) == col(Duty.reckoning_id))
        .where(col(Notice.id).in_(notices))
        .order_by(col(Notice.id))
    ).all()
    agreements = {agreement.id for _, _, agreement, _ in rows}
    pinned = session.exec(
        select(CaseAgreement).where(
            col(CaseAgreement.agreement_id).in_(agreements),
            col(CaseAgreement.case_id).in_({notice.case_id for notice, _, _, _ in rows}),
        )
    )
    terms_hashes = {(row.case_id, row.agreement_id): row.terms_hash or "" for row in pinned}
    contacts = grouped(
        session.exec(select(AgreementContact).where(col(AgreementContact.agreement_id).in_(agreements))),
        lambda contact: contact.agreement_id,
    )
    deliveries = grouped(
        session.exec(select(Delivery).where(col(Delivery.notice_id).in_(notices)).order_by(col(Delivery.id))),
        lambda delivery: delivery.notice_id,
    )
    return [
        Dossier(
            notice=notice,
            duty=duty,
            agreement=agreement,
            reckoning=reckoning,
            terms_hash=terms_hashes[notice.case_id, agreement.id],
            contacts=tuple(contacts[agreement.id]),
            deliveries=deliveries[notice.id],
        )
        for notice, duty, agreement, reckoning in rows
    ]


def _mailbox(contact: AgreementContact) -> Mailbox:
    return Mailbox(name=contact.name, email=contact.email)


def _lea(dossier: Dossier) -> str:
    """The LEA with its general contact, as a notice names it."""
    general = min(
        (contact for contact in dossier.contacts if contact.role is ContactRole.GENERAL),
        key=lambda contact: contact.rank,
        default=None,
    )
    lines = [dossier.agreement.lea_name]
    if general:
        lines += [general.name, general.email]
    return "\n".join(lines)
