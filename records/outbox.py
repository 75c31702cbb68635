"""Where notices become mail: what each is to say, to whom it goes, and its place in the outbox."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import HttpUrl
from sqlalchemy import and_
from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from agreements.due_dates import StoredDueDate, read_due_dates
from agreements.terms import pinned_terms
from cases.kinds import kind_named
from cases.values import AnchorValue
from config.seals import rows_that_open
from ledger.actors import ENGINE
from ledger.append import append
from ledger.artifacts import Content, Packed, fetch, pack, store_many
from ledger.entries import Attempt, NoticeComposed
from mail.cohorts import Cohorts, Written
from mail.compose import Addressing
from mail.contacts import choose_recipients
from mail.contents import Delay, KnownFact
from mail.delivery_states import ARRIVED, FAILED, NOT_LEFT, UNSETTLED, WAITING, Happening, moved
from mail.drafting import ClauseAtHand, Draft, write_facts
from mail.facts import EarlierNotice, Mailbox, NoticeFacts, Sender, SignedAgreement
from mail.links import notice_link, shown_link
from mail.templates import SHIPPED, Templates
from models import identifiers
from models.enums import ContactRole, DeliveryStatus, DutyStatus, FactStatus, NoticeKind, Party
from models.errors import InvalidInput
from models.grouping import grouped
from models.tables import (
    Agreement,
    AgreementContact,
    Batch,
    Case,
    CaseAgreement,
    CaseFact,
    Delivery,
    Duty,
    LawEnforcementHold,
    Notice,
)
from records.anchors import anchors_by_agreement
from records.documents_at_hand import DocumentsAtHand, documents_at_hand
from records.performing import performed_duties
from records.together import take_along
from terms.catalogue import load_catalogue
from terms.clauses import Addressees
from terms.effective import EffectiveTerms

AT_ONCE = datetime.min.replace(tzinfo=UTC)
"""When something is to be sent that waits for no moment of its own."""


ANSWER_UNREAD, NOTE_UNREAD = defer(cast("Any", Delivery.answer)), defer(cast("Any", Agreement.exhibit_h_note))
"""Leave unopened what no message needs, so that one that does not open stops no other."""


@dataclass(frozen=True)
class OutgoingMessage:
    """One message ready to be handed to the mail server for one contact.

    ``alternative`` is whether another contact is left that could be told in its place; ``attempt`` is which this is.
    """

    notice_id: UUID
    delivery_id: UUID
    contact_id: UUID
    email: str
    copy: bool
    alternative: bool
    attempt: int
    sha256: str
    raw: bytes = field(repr=False)


@dataclass(frozen=True)
class NoticeContext:
    """Everything about one notice that its message is written from.

    ``also`` are the further duties that it performs besides its own.
    """

    notice: Notice
    duty: Duty
    agreement: Agreement
    due_date: StoredDueDate
    terms_hash: str
    roles: Addressees
    contacts: tuple[AgreementContact, ...]
    deliveries: list[Delivery]
    also: tuple[Duty, ...] = ()
    also_due: tuple[StoredDueDate, ...] = ()

    @property
    def unsettled(self) -> tuple[Delivery, ...]:
        """Deliveries that the mail server has not answered for, and of which nobody has to decide.

        One to a contact whose address does not open where it stands is not sent.
        """
        known = {contact.id for contact in self.contacts}
        return tuple(
            delivery
            for delivery in self.deliveries
            if delivery.status in UNSETTLED and not undecided(delivery) and delivery.contact_id in known
        )

    def next_send(self) -> datetime | None:
        """When something of it is to be sent, for the first time or again; None where nothing is left to send."""
        moments = [delivery.again_at or AT_ONCE for delivery in self.unsettled]
        if self.notice.given_at is None and (addressees := self.next_addressees()):
            place = self._place_of(addressees[0])
            if place is None:
                moments.append(AT_ONCE)
            elif place.status is DeliveryStatus.PASSED_OVER:
                moments.append(place.again_at or AT_ONCE)
        return min(moments, default=None)

    @property
    def is_wanted(self) -> bool:
        """Whether it still has something to perform: people may have decided since it was planned that it has not.

        Once it was given, what is left of it are copies.
        """
        is_first = self.notice.kind is NoticeKind.NOTICE and self.notice.given_at is None
        return not is_first or not all(_is_settled(duty) for duty in (self.duty, *self.also))

    def due(self, now: datetime) -> tuple[Delivery, ...]:
        """The deliveries to hand over by now."""
        waiting = (delivery for delivery in self.unsettled if delivery.status in WAITING)
        return tuple(delivery for delivery in waiting if (delivery.again_at or AT_ONCE) <= now)

    def is_to_be_written(self, now: datetime) -> bool:
        """Whether its message is written now: for a contact to whom none can be on its way, and whose moment it is."""
        addressees = self.next_addressees()
        if self.notice.given_at is not None or not addressees:
            return False
        place = self._place_of(addressees[0])
        return place is None or (place.status in NOT_LEFT and (place.again_at or AT_ONCE) <= now)

    @property
    def is_open(self) -> bool:
        """Whether it is still to be given."""
        return self.notice.given_at is None and not self.notice.dropped and self.is_wanted

    @property
    def is_for_the_post(self) -> bool:
        """Whether it can only be given by a letter: no mail can bring it to anybody, and there is a postal address."""
        return self.is_open and self.next_addressees() == () and self.postal_contact() is not None

    def postal_contact(self) -> AgreementContact | None:
        """The contact whom a letter would be for: the first of those told by the clause that has a postal address."""
        return postal_contact(self.contacts, self.roles, self.duty.owed_to, self.notice.case_id)

    def next_contact(self) -> AgreementContact | None:
        """The contact whose turn it is, or None when none is left to try.

        That is the one that a message may have reached or is put off for; then the first of those never tried, one
        known to fail after the others; then the one that was passed over and is to be tried again first.
        """
        return min(self._left(), key=self._turn, default=None)

    def _left(self) -> list[AgreementContact]:
        """The contacts that did not refuse the notice."""
        failed = {delivery.contact_id for delivery in self.deliveries if delivery.status in FAILED}
        return [contact for contact in self._recipients[0] if contact.id not in failed]

    def _turn(self, contact: AgreementContact) -> tuple[bool, datetime, bool]:
        place = self._place_of(contact)
        passed_over = place is not None and place.status is DeliveryStatus.PASSED_OVER
        again_at = place.again_at if place and passed_over else None
        return place is None or passed_over, again_at or AT_ONCE, contact.failing_since is not None

    def has_alternative(self, delivery: Delivery) -> bool:
        """Whether another contact could be told in place of the one whose turn it is; nobody in that of a copy's."""
        left = {contact.id for contact in self._left()}
        return delivery.contact_id in left and len(left) > 1

    def _place_of(self, contact: AgreementContact) -> Delivery | None:
        return next((delivery for delivery in self.deliveries if delivery.contact_id == contact.id), None)

    def addressees(self) -> tuple[AgreementContact, ...]:
        """Whom the next message is for: the contact whose turn it is, then those that the agreement wants copied.

        Where no contact is left, it is for the counsel who have no copy yet.
        """
        found = self.next_addressees()
        if not found:
            raise ValueError("a notice without a contact left to try has no message")
        return found

    @property
    def goes_to_counsel(self) -> bool:
        """Whether its next message is a copy for counsel, since no contact is left; that gives no notice."""
        return self.next_contact() is None and bool(self._counsel())

    def next_addressees(self) -> tuple[AgreementContact, ...]:
        """The same; nobody where none is left."""
        primary = self.next_contact()
        return (primary, *self._recipients[1]) if primary else self._counsel()

    def _counsel(self) -> tuple[AgreementContact, ...]:
        """Whom the agreement names for copies and who was not written to about this notice yet."""
        written_to = {delivery.contact_id for delivery in self.deliveries}
        addresses = {contact.email.casefold() for contact in self.contacts if contact.id in written_to}
        named = [contact for contact in self._may_be_told() if contact.role is ContactRole.COPY_TO]
        firsts: dict[str, AgreementContact] = {}
        for contact in sorted(named, key=lambda contact: contact.rank):
            if contact.email.casefold() not in addresses:
                firsts.setdefault(contact.email.casefold(), contact)
        return tuple(firsts.values())

    def is_written_as(self, sha256: str) -> bool:
        """Whether its message for the contact whose turn it is was written before, with the same bytes."""
        place = self._place_of(self.addressees()[0])
        return place is not None and place.message_sha256 == sha256

    def reserve(self, message_id: str, sha256: str, now: datetime) -> None:
        """Give each addressee a place in the outbox for a message, once; one written anew takes the old one's."""
        for contact in self.addressees():
            place = self._place_of(contact)
            if place is None:
                self.deliveries.append(self._new_place(contact, message_id, sha256, now))
            elif place.status in NOT_LEFT:
                if place.status is DeliveryStatus.PASSED_OVER:
                    place.status = moved(place.status, Happening.TURN_CAME)
                place.message_id, place.message_sha256 = message_id, sha256

    def _new_place(self, contact: AgreementContact, message_id: str, sha256: str, now: datetime) -> Delivery:
        return Delivery(
            id=identifiers.delivery_id(self.notice.id, contact.id),
            notice_id=self.notice.id,
            contact_id=contact.id,
            message_id=message_id,
            status=DeliveryStatus.RESERVED,
            message_sha256=sha256,
            is_copy=contact.role not in self.roles.first,
            reserved_at=now,
        )

    @cached_property
    def _recipients(self) -> tuple[tuple[AgreementContact, ...], tuple[AgreementContact, ...]]:
        try:
            chosen = choose_recipients(self._may_be_told(), self.roles)
        except InvalidInput:
            return (), ()
        return chosen.to, chosen.copies

    def _may_be_told(self) -> list[AgreementContact]:
        told, case_id = self.duty.owed_to, self.notice.case_id
        return [contact for contact in self.contacts if may_be_told(contact, told, case_id)]


def may_be_told(contact: AgreementContact, owed_to: Party, case_id: UUID | None) -> bool:
    """Whether a contact is one of the party that a duty is owed to, and can be told by e-mail."""
    return bool(contact.email) and is_of_party(contact, owed_to, case_id)


def postal_contact(
    contacts: Iterable[AgreementContact], roles: Addressees, owed_to: Party, case_id: UUID | None
) -> AgreementContact | None:
    """The contact whom a letter would be for: the first of those told by a clause that has a postal address."""
    addressed = [one for one in contacts if one.postal_address and is_of_party(one, owed_to, case_id)]
    ranked = sorted(addressed, key=lambda contact: contact.rank)
    return next((contact for role in roles.first for contact in ranked if contact.role is role), None)


def is_of_party(contact: AgreementContact, owed_to: Party, case_id: UUID | None) -> bool:
    """Whether a contact is one of the party that a duty is owed to; a party's former contacts have no rank."""
    of_the_other_side = contact.party is None and owed_to in (Party.PROVIDER, Party.LEA)
    in_the_case = contact.case_id in (None, case_id)
    return contact.rank >= 0 and in_the_case and (of_the_other_side or contact.party is owed_to)


def contacts_to_tell(session: Session, agreement_id: UUID, owed_to: Party, case_id: UUID) -> list[AgreementContact]:
    """The contacts under an agreement that may be told what is owed to a party, by role and rank."""
    rows = session.exec(
        select(AgreementContact)
        .where(AgreementContact.agreement_id == agreement_id)
        .order_by(col(AgreementContact.role), col(AgreementContact.rank), col(AgreementContact.id))
    )
    return [contact for contact in rows if may_be_told(contact, owed_to, case_id)]


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


@dataclass(frozen=True)
class DraftedNotice:
    """A notice as it would be written: what it says, from whom and to whom.

    One that goes ``by_post`` has no reader by mail, so its message is addressed to its sender.
    """

    notice_id: UUID
    facts: NoticeFacts
    addressing: Addressing
    by_post: AgreementContact | None = None


class OnPaper(NamedTuple):
    """A notice that goes by post: whom the letter is for, and what it says."""

    notice_id: UUID
    contact: AgreementContact
    facts: NoticeFacts


class Letter(NamedTuple):
    """What a message is composed from; the same gives the same bytes."""

    draft: Draft
    addressing: Addressing


Prepared: TypeAlias = Mapping[UUID, tuple[Letter, Written, Packed]]
"""By notice: its message, composed and packed, with what it was composed from."""


@dataclass(frozen=True)
class NoticeWriter:
    """Writes notices in the name of one organisation.

    Attributes:
        sender: the mailbox in From, to which bounces return.
        organisation: whom a notice names as its sender.
        message_id_domain: the right-hand side of every Message-ID.
        public_url: what links in notices begin with.
        link_key: the key under which links to single notices are made.
        side: on which side of its agreements the organisation stands.
        templates: what its mails are written from.
    """

    sender: Mailbox
    organisation: Sender
    message_id_domain: str
    public_url: str
    link_key: bytes = field(repr=False)
    side: Party = Party.PROVIDER
    templates: Templates = field(default=SHIPPED, repr=False)

    def link(self, notice: Notice) -> str:
        """The link on which a notice is answered, in the generation that is good."""
        return notice_link(self.public_url, self.link_key, notice.id, notice.link_generation)

    def prepare(self, session: Session, case_id: UUID, notices: Sequence[UUID], now: datetime) -> Prepared:
        """Write the messages of some notices of a case as they would be reserved, before a transaction is begun for it.

        What cannot be written is left out: ``reserve`` says why.
        """
        contexts = [context for context in _contexts(session, notices) if context.is_to_be_written(now)]
        known = _case_context(session, case_id, contexts)
        letters = {}
        for context in contexts:
            with suppress(ValueError):
                letters[context.notice.id] = self._letter(context, known, now)
        return _written(letters, self.templates)

    def reserve(
        self,
        session: Session,
        case_id: UUID,
        notices: Sequence[UUID],
        now: datetime,
        prepared: Prepared = MappingProxyType({}),
    ) -> list[OutgoingMessage]:
        """Write the messages of some notices of a case and reserve their places in the outbox.

        Those that were ``prepared`` at the same instant are taken as they are, unless what they say has changed since.

        A message whose fate is unknown is taken up again as it is. One that is known not to have left says what is
        known by now: where that, and the day, are the same as when it was written, it is the same message, and nothing
        more is kept. What is put off to a later moment is left alone.
        """
        take_along(session, case_id, notices)
        found = _contexts(session, notices)
        contexts = [context for context in found if context.is_wanted and not context.notice.dropped]
        unwritten = [context for context in contexts if context.is_to_be_written(now)]
        known = _case_context(session, case_id, unwritten)
        letters = {context.notice.id: self._letter(context, known, now) for context in unwritten}
        ready = {
            key: prepared[key] for key, letter in letters.items() if key in prepared and prepared[key][0] == letter
        }
        ready |= _written({key: letter for key, letter in letters.items() if key not in ready}, self.templates)
        written = [_note_written(context.notice, ready[context.notice.id]) for context in unwritten]
        names = store_many(session, (ready[context.notice.id][2] for context in unwritten), now, case=case_id)
        named = list(zip(unwritten, names, strict=True))
        append(session, *(_composed(row, sha256, now) for row, sha256 in named if not row.is_written_as(sha256)))
        for context, sha256 in named:
            context.reserve(self._message_id(context), sha256, now)
        return _take_up(session, contexts, dict(zip(names, written, strict=True)), now)

    def on_paper(self, session: Session, notices: Sequence[UUID], now: datetime) -> Iterator[OnPaper]:
        """What those of some notices say that can only be given by a letter, and whom it is for.

        One that has nothing to say, as a supplement that would add nothing, is left out.
        """
        contexts = _contexts(session, notices)
        return self._papers(session, [context for context in contexts if context.is_for_the_post], {}, now)

    def on_paper_again(self, session: Session, written: Mapping[UUID, datetime], now: datetime) -> Iterator[OnPaper]:
        """What letters that wait to be posted would say by now, and whom they would be for; each dated as it was.

        ``written`` is by notice when its letter was. They wait also while a mail tries another contact.
        """
        contexts = _contexts(session, list(written))
        waiting = [context for context in contexts if context.is_open and context.postal_contact()]
        return self._papers(session, waiting, written, now)

    def _papers(
        self, session: Session, contexts: Iterable[NoticeContext], dated: Mapping[UUID, datetime], now: datetime
    ) -> Iterator[OnPaper]:
        for case_id, of_case in grouped(contexts, lambda context: context.notice.case_id).items():
            known = _case_context(session, case_id, of_case)
            for context in of_case:
                contact = context.postal_contact()
                assert contact is not None, "a letter is for somebody with an address"
                with suppress(ValueError):
                    facts = self._facts(context, known, contact, now, dated.get(context.notice.id))
                    # A letter is never counsel's, who get a copy by e-mail.
                    yield OnPaper(context.notice.id, contact, facts.model_copy(update={"for_counsel": False}))

    def preview(self, session: Session, row: tuple[Notice, Duty, Agreement], now: datetime) -> NoticeFacts:
        """What a notice that is kept nowhere would say if it were written now.

        Raises:
            ValueError: there is nothing to say, or nobody to say it to.
        """
        (context,) = contexts_of(session, [row])
        known = _case_context(session, context.notice.case_id, [context])
        return self._drafted(context, known, now).facts

    def drafts(
        self, session: Session, rows: Sequence[tuple[Notice, Duty, Agreement]], now: datetime
    ) -> Iterator[DraftedNotice]:
        """What those of some notices of a case that can be written would say if they were written now, and to whom.

        Nothing is kept, and the link of each leads nowhere, since it is its reader's alone.
        """
        contexts = contexts_of(session, rows)
        known = _case_context(session, contexts[0].notice.case_id, contexts) if contexts else None
        for context in contexts:
            assert known is not None, "there are contexts"
            with suppress(ValueError):  # nobody is left to be told, or a supplement would add nothing
                yield self._drafted(context, known, now)

    def _drafted(self, context: NoticeContext, known: CaseContext, now: datetime) -> DraftedNotice:
        by_post = context.postal_contact() if context.is_for_the_post else None
        facts = self._facts(context, known, by_post or context.addressees()[0], now)
        shown = facts.model_copy(update={"acknowledge_url": HttpUrl(shown_link(self.public_url))})
        return DraftedNotice(context.notice.id, shown, self._addressing(context), by_post)

    def _addressing(self, context: NoticeContext) -> Addressing:
        to = [_mailbox(contact) for contact in context.next_addressees()] or [self.sender]
        return Addressing(message_id=self._message_id(context), sender=self.sender, to=(to[0],), copies=tuple(to[1:]))

    def _message_id(self, context: NoticeContext) -> str:
        first = next(iter(context.next_addressees()), context.postal_contact())
        assert first is not None, "a message is for somebody"
        delivery = identifiers.delivery_id(context.notice.id, first.id)
        return identifiers.message_id(delivery, self.message_id_domain)

    def _facts(
        self,
        context: NoticeContext,
        known: CaseContext,
        addressee: AgreementContact,
        now: datetime,
        dated: datetime | None = None,
    ) -> NoticeFacts:
        draft = self._draft(context, known, addressee, now, dated)
        return write_facts(draft, load_catalogue(), self.templates.default_texts)

    def _letter(self, context: NoticeContext, known: CaseContext, now: datetime) -> Letter:
        draft = self._draft(context, known, context.addressees()[0], now, _dated(context, now))
        return Letter(draft, self._addressing(context))

    def _draft(
        self,
        context: NoticeContext,
        known: CaseContext,
        addressee: AgreementContact,
        now: datetime,
        dated: datetime | None = None,
    ) -> Draft:
        agreement, kind = context.agreement, context.notice.kind
        # What is due first announces what follows it; where both are one message, it reads as the latter.
        together = ((context.duty, context.due_date), *zip(context.also, context.also_due, strict=True))
        last_first = sorted(together, key=_due_at, reverse=True)
        return Draft(
            kind=kind,
            template=known.templates.get(kind, kind.value),
            reader=agreement.lea_name if context.duty.owed_to is Party.LEA else addressee.name,
            agreement=self._signed(context),
            state=agreement.state,
            zone=agreement.time_zone,
            terms=known.terms[context.terms_hash],
            clauses=tuple(ClauseAtHand(duty.clause, due_date.why) for duty, due_date in last_first),
            lea=_lea(context),
            noticed_at=dated or now,
            sender=self.organisation,
            case_reference=identifiers.case_reference(context.notice.case_id),
            anchors=known.anchors_of(agreement.id),
            facts={**known.facts, **known.documents(agreement.id)},
            delay=known.delay(context, now),
            lacking=frozenset(context.duty.lacking),
            reason=known.dismissal_reason if kind is NoticeKind.DISMISSAL else None,
            follows=known.follows(context),
            acknowledge_url=HttpUrl(self.link(context.notice)),
            for_counsel=context.goes_to_counsel,
            ledger_head=known.heads.get(context.notice.batch_id),
        )

    def _signed(self, context: NoticeContext) -> SignedAgreement:
        general = _general_contact(context)
        other = general.name if general else context.agreement.reference
        return self.signed(context.agreement, context.duty.owed_by, other)

    def signed(self, agreement: Agreement, owed_by: Party, other: str) -> SignedAgreement:
        """The agreement as a letter cites it; where this organisation is the LEA, ``other`` is its provider."""
        return SignedAgreement(
            title=load_catalogue().form(agreement.form).standard.document.title,
            reference=agreement.reference,
            provider=self.organisation.organisation if owed_by is Party.PROVIDER else other,
            lea=agreement.lea_name,
            signed_on=agreement.executed_on,
        )


def _written(letters: Mapping[UUID, Letter], templates: Templates) -> Prepared:
    """Compose some messages, those of one cohort from one skeleton, and pack them to be kept."""
    cohorts = Cohorts(load_catalogue(), templates.default_texts, templates)
    written = {key: cohorts.write(letter.draft, letter.addressing) for key, letter in letters.items()}
    return {
        key: (letters[key], one, pack(Content(one.raw, "message/rfc822"), one.outline)) for key, one in written.items()
    }


def _note_written(notice: Notice, ready: tuple[Letter, Written, Packed]) -> bytes:
    letter, written, _ = ready
    notice.composed_at = letter.draft.noticed_at
    notice.given, notice.lacking = list(written.given), list(written.lacking)
    return written.raw


def undecided(delivery: Delivery) -> bool:
    """Whether nobody can say if a message arrived, and it is not sent again before a person decides."""
    return delivery.status is DeliveryStatus.UNKNOWN and delivery.again_at is None


def still_to_send(session: Session, batch_id: UUID, *, besides: Collection[UUID] = ()) -> dict[UUID, datetime]:
    """The notices of a batch of which something is still to be sent, each with when, in a fixed order.

    ``besides`` are left out, unread.
    """
    unsettled = select(Delivery.notice_id).where(col(Delivery.status).in_(UNSETTLED))
    found = session.exec(
        select(Notice.id)
        .where(Notice.batch_id == batch_id, col(Notice.dropped).is_(False))
        .where(col(Notice.given_at).is_(None) | col(Notice.id).in_(unsettled))
        .order_by(col(Notice.id))
    )
    contexts = _contexts(session, [notice for notice in found if notice not in besides])
    moments = {context.notice.id: context.next_send() for context in contexts if context.is_wanted}
    return {notice: moment for notice, moment in moments.items() if moment is not None}


def drop_unwanted(session: Session, batch: Batch) -> None:
    """Drop what people decided since a batch was planned is not to be sent by it; what may be on its way stays."""
    unwanted = session.exec(
        select(Notice)
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .where(Notice.batch_id == batch.id, Notice.kind == NoticeKind.NOTICE, col(Notice.dropped).is_(False))
        .where(col(Notice.composed_at).is_(None), _SETTLED)
    )
    for notice in unwanted:
        notice.dropped = True
        batch.size -= 1


_SETTLED = col(Duty.performed_under).is_not(None) | (col(Duty.status) == DutyStatus.NOT_REQUIRED)
"""As ``_is_settled``, in SQL."""


def _is_settled(duty: Duty) -> bool:
    """Whether two people decided that a duty was performed by other means, or is not required."""
    return duty.performed_under is not None or duty.status is DutyStatus.NOT_REQUIRED


def _composed(context: NoticeContext, sha256: str, now: datetime) -> NoticeComposed:
    notice = context.notice
    return NoticeComposed(
        case_id=notice.case_id,
        actor=ENGINE,
        at=now,
        notice_id=notice.id,
        given=tuple(notice.given),
        lacking=tuple(notice.lacking),
        message_sha256=sha256,
    )


def _case_context(session: Session, case_id: UUID, contexts: Sequence[NoticeContext]) -> CaseContext:
    return CaseContext(
        terms=pinned_terms(session, case_id),
        anchors=anchors_by_agreement(session, case_id),
        facts=current_facts(session, case_id),
        at_hand=documents_at_hand(session, case_id),
        holds=session.exec(select(LawEnforcementHold).where(LawEnforcementHold.case_id == case_id)).all(),
        earlier=_earlier(session, case_id, {context.agreement.id for context in contexts}),
        dismissal_reason=_dismissal_reason(session, case_id),
        templates=kind_named(session.get_one(Case, case_id).kind).templates,
        heads=_heads(session, {context.notice.batch_id for context in contexts}),
    )


def _heads(session: Session, batches: Set[UUID]) -> dict[UUID, str | None]:
    return dict(session.exec(select(Batch.id, Batch.ledger_head).where(col(Batch.id).in_(batches))).all())


def _dismissal_reason(session: Session, case_id: UUID) -> str | None:
    sha256 = session.get_one(Case, case_id).dismissal_reason_sha256
    return fetch(session, sha256).decode() if sha256 else None


def _earlier(session: Session, case_id: UUID, agreements: Set[UUID]) -> EarlierNotices:
    """The first notices that were given in a case under some agreements; one that went by post has no Message-ID."""
    told_by_mail = col(Delivery.status).in_(ARRIVED), col(Delivery.is_copy).is_(False)
    rows = session.exec(
        select(Notice, Duty.agreement_id, Duty.owed_to, Delivery.message_id)
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .outerjoin(Delivery, and_(col(Delivery.notice_id) == col(Notice.id), *told_by_mail))
        .where(Notice.case_id == case_id, col(Duty.agreement_id).in_(agreements))
        .where(col(Notice.given_at).is_not(None))
        .order_by(col(Notice.given_at).desc())
    )
    under_duty: dict[UUID, EarlierNotice] = {}
    to_party: dict[tuple[UUID, Party], EarlierNotice] = {}
    for notice, agreement_id, owed_to, message_id in rows:
        if notice.given_at:
            earlier = EarlierNotice(message_id=message_id, given_at=notice.given_at)
            to_party[agreement_id, Party(owed_to)] = earlier
            under_duty |= dict.fromkeys(performed_duties(notice), earlier)
    return EarlierNotices(under_duty, to_party)


def current_facts(session: Session, case_id: UUID) -> dict[str, KnownFact]:
    """What a case knows of each content element, leaving out what was superseded."""
    rows = session.exec(select(CaseFact).where(CaseFact.case_id == case_id, col(CaseFact.superseded_at).is_(None)))
    return {row.element: KnownFact(row.status, row.value) for row in rows}


def attempt_of(delivery: Delivery) -> Attempt:
    """The latest attempt to deliver, as evidence names it."""
    return Attempt(
        notice_id=delivery.notice_id,
        delivery=delivery.id,
        contact=delivery.contact_id,
        attempt=delivery.attempts,
        message_sha256=delivery.message_sha256,
    )


def _take_up(
    session: Session, contexts: Sequence[NoticeContext], written: Mapping[str, bytes], now: datetime
) -> list[OutgoingMessage]:
    """The message of every delivery that is due; ``written`` are those just written."""
    due = {delivery.message_sha256 for context in contexts for delivery in context.due(now)}
    raw = dict(written) | {name: fetch(session, name) for name in due.difference(written)}
    messages = []
    for context in contexts:
        addresses = {contact.id: contact for contact in context.contacts}
        for delivery in context.due(now):
            session.add(delivery)
            contact = addresses[delivery.contact_id]
            messages.append(
                OutgoingMessage(
                    notice_id=delivery.notice_id,
                    delivery_id=delivery.id,
                    contact_id=contact.id,
                    email=contact.email,
                    copy=delivery.is_copy,
                    alternative=context.has_alternative(delivery),
                    attempt=delivery.attempts + 1,
                    sha256=delivery.message_sha256,
                    raw=raw[delivery.message_sha256],
                )
            )
    return messages


def _contexts(session: Session, notices: Sequence[UUID]) -> list[NoticeContext]:
    rows = session.exec(
        select(Notice, Duty, Agreement)
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .where(col(Notice.id).in_(notices))
        .order_by(col(Notice.id))
        .options(NOTE_UNREAD)
    ).all()
    return contexts_of(session, rows)


def contexts_of(session: Session, rows: Sequence[tuple[Notice, Duty, Agreement]]) -> list[NoticeContext]:
    """Everything about some notices, each given with its duty and agreement, that their messages are written from."""
    notices = [notice.id for notice, _, _ in rows]
    agreements = {agreement.id for _, _, agreement in rows}
    pinned = session.exec(
        select(CaseAgreement).where(
            col(CaseAgreement.agreement_id).in_(agreements),
            col(CaseAgreement.case_id).in_({notice.case_id for notice, _, _ in rows}),
        )
    )
    terms_hashes = {(row.case_id, row.agreement_id): row.terms_hash or "" for row in pinned}
    # A contact whose address does not open where it stands is written to by nobody; the next one's turn comes.
    named = select(AgreementContact).where(col(AgreementContact.agreement_id).in_(agreements))
    contacts = grouped(rows_that_open(session, named, col(AgreementContact.id)), lambda contact: contact.agreement_id)
    others = contacts_of_cases(session, {notice.case_id for notice, _, _ in rows})
    deliveries = grouped(
        session.exec(
            select(Delivery)
            .where(col(Delivery.notice_id).in_(notices))
            .order_by(col(Delivery.id))
            .options(ANSWER_UNREAD)
        ),
        lambda delivery: delivery.notice_id,
    )
    wanted = {UUID(duty) for notice, _, _ in rows for duty in notice.also_performs}
    further = {duty.id: duty for duty in session.exec(select(Duty).where(col(Duty.id).in_(wanted)))}
    due_dates = read_due_dates(session, {duty.due_date_id for duty in (*further.values(), *(row[1] for row in rows))})
    also = {notice.id: tuple(further[UUID(duty)] for duty in notice.also_performs) for notice, _, _ in rows}
    terms: dict[str, EffectiveTerms] = {}
    for case_id in {notice.case_id for notice, _, _ in rows}:
        terms |= pinned_terms(session, case_id)
    return [
        NoticeContext(
            notice=notice,
            duty=duty,
            agreement=agreement,
            due_date=due_dates[duty.due_date_id],
            terms_hash=terms_hashes[notice.case_id, agreement.id],
            roles=addressees_under(terms[terms_hashes[notice.case_id, agreement.id]], duty.clause),
            contacts=(*contacts[agreement.id], *others[notice.case_id]),
            deliveries=deliveries[notice.id],
            also=also[notice.id],
            also_due=tuple(due_dates[duty.due_date_id] for duty in also[notice.id]),
        )
        for notice, duty, agreement in rows
    ]


def contacts_of_cases(session: Session, cases: Collection[UUID]) -> dict[UUID | None, list[AgreementContact]]:
    """By case: the contacts that some cases have whatever their agreements are, such as a parent who asks."""
    named = select(AgreementContact).where(
        col(AgreementContact.case_id).in_(cases), col(AgreementContact.agreement_id).is_(None)
    )
    return grouped(rows_that_open(session, named, col(AgreementContact.id)), lambda contact: contact.case_id)


def addressees_under(terms: EffectiveTerms, clause: str) -> Addressees:
    """Which contacts a clause tells; a party that only a case names has general contacts alone."""
    return terms.clause(clause).contacts or Addressees(first=(ContactRole.GENERAL,))


def _dated(context: NoticeContext, now: datetime) -> datetime:
    """The instant that a message bears: the present one, or that of its first writing where it is the same day."""
    written, zone = context.notice.composed_at, ZoneInfo(context.agreement.time_zone)
    return written if written and written.astimezone(zone).date() == now.astimezone(zone).date() else now


def _mailbox(contact: AgreementContact) -> Mailbox:
    return Mailbox(name=contact.name, email=contact.email)


def _due_at(of: tuple[Duty, StoredDueDate]) -> datetime:
    return of[1].due_at or datetime.max.replace(tzinfo=UTC)


def _general_contact(context: NoticeContext) -> AgreementContact | None:
    """The general contact that the agreement itself names."""
    return min(
        (row for row in context.contacts if row.role is ContactRole.GENERAL and row.party is None and row.rank >= 0),
        key=lambda contact: contact.rank,
        default=None,
    )


def _lea(context: NoticeContext) -> str:
    """The LEA with its general contact, as a notice names it: by e-mail, or by post where it has no such address."""
    general = _general_contact(context)
    reached_at = (general.email or general.postal_address or "") if general else ""
    return "\n".join(part for part in (context.agreement.lea_name, general and general.name, reached_at) if part)
