"""Where notices become mail: what each is to say, to whom it goes, and its place in the outbox."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple, TypeVar, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import HttpUrl
from sqlalchemy import exists
from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from agreements.due_dates import StoredDueDate, read_due_dates
from agreements.terms import terms_named
from cases.kinds import kind_named
from cases.values import AnchorValue
from ledger.actors import ENGINE
from ledger.append import append
from ledger.artifacts import Content, Packed, fetch, pack, store_many
from ledger.entries import Attempt, NoticeComposed
from mail.cohorts import Cohorts, Written
from mail.compose import Addressing
from mail.contacts import choose_recipients
from mail.contents import Delay, KnownFact
from mail.delivery_states import FAILED, NOT_LEFT, UNSETTLED, WAITING, Happening, moved
from mail.drafting import ClauseAtHand, Draft, write_facts
from mail.facts import EarlierNotice, Mailbox, NoticeFacts, Sender, SignedAgreement
from mail.links import notice_link, shown_link
from mail.templates import SHIPPED, Templates
from models import identifiers
from models.bulk import insert_rows, update_rows
from models.enums import ContactRole, DeliveryStatus, DutyStatus, FactStatus, NoticeKind, Party
from models.errors import InvalidInput
from models.grouping import grouped
from models.tables import (
    Agreement,
    AgreementContact,
    Batch,
    Case,
    CaseFact,
    Delivery,
    Duty,
    LawEnforcementHold,
    Notice,
)
from records.anchors import anchors_by_agreement
from records.documents_at_hand import DocumentsAtHand, documents_at_hand
from records.notice_rows import (
    AgreementRow,
    Asked,
    ContactRow,
    DeliveryRow,
    DutyRow,
    NoticeRow,
    NoticeRows,
    Told,
    Unopened,
    asked_of,
    given_before,
    performing,
    read_rows,
    rows_of,
    told_of,
    unopened,
)
from records.together import TakenAlong, falling_together, take_along
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

    ``also`` are the further duties that it performs besides its own. ``known`` are its places in the outbox as they
    were read, ``deliveries`` as they will be once its message is reserved. Whose turn it is follows from the former.
    """

    notice: NoticeRow
    duty: DutyRow
    agreement: AgreementRow
    due_date: StoredDueDate
    terms_hash: str
    roles: Addressees
    contacts: tuple[ContactRow, ...]
    known: tuple[DeliveryRow, ...]
    deliveries: list[DeliveryRow]
    also: tuple[DutyRow, ...] = ()
    also_due: tuple[StoredDueDate, ...] = ()

    @property
    def told(self) -> Told:
        """What it is about, as it was read."""
        return Told(self.notice, self.duty, self.agreement, self.terms_hash)

    @property
    def unsettled(self) -> tuple[DeliveryRow, ...]:
        """Deliveries that the mail server has not answered for, and of which nobody has to decide.

        One to a contact whose address does not open where it stands is not sent.
        """
        if not self.deliveries:
            return ()
        known = {contact.id for contact in self.contacts}
        return tuple(
            delivery
            for delivery in self.deliveries
            if delivery.status in UNSETTLED and not undecided(delivery) and delivery.contact_id in known
        )

    def next_send(self) -> datetime | None:
        """When something of it is to be sent, for the first time or again; None where nothing is left to send."""
        moments = [delivery.again_at or AT_ONCE for delivery in self.unsettled]
        if self.notice.given_at is None and (addressees := self.next_addressees):
            place = self._place_of(addressees[0])
            if place is None:
                moments.append(AT_ONCE)
            elif place.status is DeliveryStatus.PASSED_OVER:
                moments.append(place.again_at or AT_ONCE)
        return min(moments, default=None)

    def is_to_be_sent(self, now: datetime) -> bool:
        """Whether something of it is to be sent by now."""
        moment = self.next_send() if self.is_wanted and not self.notice.dropped else None
        return moment is not None and moment <= now

    @property
    def is_wanted(self) -> bool:
        """Whether it still has something to perform: people may have decided since it was planned that it has not.

        Once it was given, what is left of it are copies.
        """
        is_first = self.notice.kind is NoticeKind.NOTICE and self.notice.given_at is None
        return not is_first or not all(_is_settled(duty) for duty in (self.duty, *self.also))

    def due(self, now: datetime) -> tuple[DeliveryRow, ...]:
        """The deliveries to hand over by now."""
        waiting = (delivery for delivery in self.unsettled if delivery.status in WAITING)
        return tuple(delivery for delivery in waiting if (delivery.again_at or AT_ONCE) <= now)

    def is_to_be_written(self, now: datetime) -> bool:
        """Whether its message is written now: for a contact to whom none can be on its way, and whose moment it is."""
        addressees = self.next_addressees
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
        return self.is_open and self.next_addressees == () and self.postal_contact() is not None

    def postal_contact(self) -> ContactRow | None:
        """The contact whom a letter would be for: the first of those told by the clause that has a postal address."""
        return postal_contact(self.contacts, self.roles, self.duty.owed_to, self.notice.case_id)

    @cached_property
    def general_contact(self) -> ContactRow | None:
        """The general contact that the agreement itself names."""
        general = (each for each in self.contacts if each.role is ContactRole.GENERAL and each.party is None)
        return min((each for each in general if each.rank >= 0), key=lambda contact: contact.rank, default=None)

    @cached_property
    def next_contact(self) -> ContactRow | None:
        """The contact whose turn it is, or None when none is left to try.

        That is the one that a message may have reached or is put off for; then the first of those never tried, one
        known to fail after the others; then the one that was passed over and is to be tried again first.
        """
        return min(self._left, key=self._turn, default=None)

    @cached_property
    def _left(self) -> list[ContactRow]:
        """The contacts that did not refuse the notice."""
        failed = {delivery.contact_id for delivery in self.known if delivery.status in FAILED}
        return [contact for contact in self._recipients[0] if contact.id not in failed]

    def _turn(self, contact: ContactRow) -> tuple[bool, datetime, bool]:
        place = self._place_of(contact)
        passed_over = place is not None and place.status is DeliveryStatus.PASSED_OVER
        again_at = place.again_at if place and passed_over else None
        return place is None or passed_over, again_at or AT_ONCE, contact.failing_since is not None

    def has_alternative(self, delivery: DeliveryRow) -> bool:
        """Whether another contact could be told in place of the one whose turn it is; nobody in that of a copy's."""
        left = {contact.id for contact in self._left}
        return delivery.contact_id in left and len(left) > 1

    def _place_of(self, contact: ContactRow) -> DeliveryRow | None:
        return next((delivery for delivery in self.deliveries if delivery.contact_id == contact.id), None)

    @cached_property
    def addressees(self) -> tuple[ContactRow, ...]:
        """Whom the next message is for: the contact whose turn it is, then those that the agreement wants copied.

        Where no contact is left, it is for the counsel who have no copy yet.
        """
        found = self.next_addressees
        if not found:
            raise ValueError("a notice without a contact left to try has no message")
        return found

    @property
    def goes_to_counsel(self) -> bool:
        """Whether its next message is a copy for counsel, since no contact is left; that gives no notice."""
        return self.next_contact is None and bool(self._counsel())

    @cached_property
    def next_addressees(self) -> tuple[ContactRow, ...]:
        """The same; nobody where none is left."""
        primary = self.next_contact
        return (primary, *self._recipients[1]) if primary else self._counsel()

    @cached_property
    def delivery_ids(self) -> tuple[UUID, ...]:
        """What their places in the outbox are called."""
        return tuple(identifiers.delivery_id(self.notice.id, contact.id) for contact in self.next_addressees)

    def _counsel(self) -> tuple[ContactRow, ...]:
        """Whom the agreement names for copies and who was not written to about this notice yet."""
        written_to = {delivery.contact_id for delivery in self.deliveries}
        addresses = {contact.email.casefold() for contact in self.contacts if contact.id in written_to}
        named = [contact for contact in self._may_be_told() if contact.role is ContactRole.COPY_TO]
        firsts: dict[str, ContactRow] = {}
        for contact in sorted(named, key=lambda contact: contact.rank):
            if contact.email.casefold() not in addresses:
                firsts.setdefault(contact.email.casefold(), contact)
        return tuple(firsts.values())

    def is_written_as(self, sha256: str) -> bool:
        """Whether its message for the contact whose turn it is was written before, with the same bytes."""
        place = self._place_of(self.addressees[0])
        return place is not None and place.message_sha256 == sha256

    def reserve(self, sha256: str) -> Iterator[DeliveryRow]:
        """Give each addressee a place in the outbox for a message, once; one written anew takes the old one's."""
        for contact, name in zip(self.addressees, self.delivery_ids, strict=True):
            before = self._place_of(contact)
            if before is None:
                place = self._new_place(contact, name, sha256)
                self.deliveries.append(place)
            elif before.status in NOT_LEFT:
                passed_over = before.status is DeliveryStatus.PASSED_OVER
                status = moved(before.status, Happening.TURN_CAME) if passed_over else before.status
                place = before._replace(status=status, message_sha256=sha256)
                self.deliveries[self.deliveries.index(before)] = place
            else:
                continue
            yield place

    def _new_place(self, contact: ContactRow, name: UUID, sha256: str) -> DeliveryRow:
        return DeliveryRow(
            id=name,
            notice_id=self.notice.id,
            contact_id=contact.id,
            status=DeliveryStatus.RESERVED,
            is_copy=contact.role not in self.roles.first,
            attempts=0,
            again_at=None,
            message_sha256=sha256,
        )

    @cached_property
    def _recipients(self) -> tuple[tuple[ContactRow, ...], tuple[ContactRow, ...]]:
        try:
            chosen = choose_recipients(self._may_be_told(), self.roles)
        except InvalidInput:
            return (), ()
        return chosen.to, chosen.copies

    def _may_be_told(self) -> list[ContactRow]:
        told, case_id = self.duty.owed_to, self.notice.case_id
        return [contact for contact in self.contacts if may_be_told(contact, told, case_id)]


_Contact = TypeVar("_Contact", AgreementContact, ContactRow)


def may_be_told(contact: AgreementContact | ContactRow, owed_to: Party, case_id: UUID | None) -> bool:
    """Whether a contact is one of the party that a duty is owed to, and can be told by e-mail."""
    return bool(contact.email) and is_of_party(contact, owed_to, case_id)


def postal_contact(
    contacts: Iterable[_Contact], roles: Addressees, owed_to: Party, case_id: UUID | None
) -> _Contact | None:
    """The contact whom a letter would be for: the first of those told by a clause that has a postal address."""
    addressed = [one for one in contacts if one.postal_address and is_of_party(one, owed_to, case_id)]
    ranked = sorted(addressed, key=lambda contact: contact.rank)
    return next((contact for role in roles.first for contact in ranked if contact.role is role), None)


def is_of_party(contact: AgreementContact | ContactRow, owed_to: Party, case_id: UUID | None) -> bool:
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
    by_post: ContactRow | None = None


class OnPaper(NamedTuple):
    """A notice that goes by post: whom the letter is for, and what it says."""

    notice_id: UUID
    contact: ContactRow
    facts: NoticeFacts


class Letter(NamedTuple):
    """What a message is composed from; the same gives the same bytes."""

    draft: Draft
    addressing: Addressing


class Ready(NamedTuple):
    """A message, composed and packed, with what it was composed from."""

    letter: Letter
    written: Written
    packed: Packed


class _Writing(NamedTuple):
    """A message that is kept: of which notice, and the places in the outbox that it is for.

    One that is ``composed`` anew has evidence of it.
    """

    context: NoticeContext
    ready: Ready
    places: tuple[DeliveryRow, ...]
    composed: NoticeComposed | None

    @property
    def message_id(self) -> str:
        """The name of the message."""
        return self.ready.letter.addressing.message_id


@dataclass(frozen=True)
class _Plan:
    """What is to be kept of some notices, and handed over once it is."""

    writings: tuple[_Writing, ...] = ()
    mails: tuple[OutgoingMessage, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """The messages of some notices, as they would be reserved.

    Attributes:
        notices: those of which something is to be sent by now.
        letters: by notice, what was written for it.
    """

    notices: tuple[UUID, ...] = ()
    letters: Mapping[UUID, Ready] = field(default_factory=dict, repr=False)
    _together: TakenAlong = field(default_factory=TakenAlong)
    _asked: Asked | None = None
    _seen: Unopened = field(default=(), repr=False)
    _plan: _Plan = field(default_factory=_Plan, repr=False)

    def still_holds(self, session: Session, notices: Sequence[UUID]) -> bool:
        """Whether all that it was written from stands in the database as it did."""
        if self._asked is None or tuple(notices) != self.notices:
            return False
        return unopened(session, self._asked) == self._seen


NOTHING_PREPARED = Prepared()


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

    def link(self, notice: Notice | NoticeRow) -> str:
        """The link on which a notice is answered, in the generation that is good."""
        return notice_link(self.public_url, self.link_key, notice.id, notice.link_generation)

    def prepare(
        self, session: Session, case_id: UUID, notices: Sequence[UUID], now: datetime, *, at_most: int | None = None
    ) -> Prepared:
        """Write the messages of those of some notices of a case of which something is to be sent by now.

        They are written as they would be reserved, before a transaction is begun for it.
        """
        found = [context for context in _contexts(session, notices) if context.is_to_be_sent(now)][:at_most]
        if not found:
            return NOTHING_PREPARED
        together = falling_together(session, case_id, [each.notice.id for each in found])
        told = [performing(each.told, together.further) for each in found if each.notice.id not in together.given_up]
        asked = asked_of(told)
        seen = unopened(session, asked)
        contexts = _contexts_of(session, told) if together.further else found
        plan = self._plan(session, case_id, contexts, now, {})
        letters = {writing.context.notice.id: writing.ready for writing in plan.writings}
        return Prepared(asked.notices, letters, together, asked, seen, plan)

    def reserve(
        self,
        session: Session,
        case_id: UUID,
        notices: Sequence[UUID],
        now: datetime,
        prepared: Prepared = NOTHING_PREPARED,
    ) -> tuple[OutgoingMessage, ...]:
        """Keep the messages of some notices of a case and reserve their places in the outbox.

        Those that were ``prepared`` at the same instant are taken as they are, unless what they say has changed since.

        A message whose fate is unknown is taken up again as it is. One that is known not to have left says what is
        known by now: where that, and the day, are the same as when it was written, it is the same message, and nothing
        more is kept. What is put off to a later moment is left alone.
        """
        holds = prepared.still_holds(session, notices)
        # What others reserved, withheld or settled meanwhile may change what is taken along.
        if take_along(session, case_id, notices) == prepared._together and holds:
            plan = prepared._plan
        else:
            plan = self._plan(session, case_id, _contexts(session, notices), now, prepared.letters)
        _keep(session, case_id, plan, now)
        return plan.mails

    def _plan(
        self,
        session: Session,
        case_id: UUID,
        found: Sequence[NoticeContext],
        now: datetime,
        ready: Mapping[UUID, Ready],
    ) -> _Plan:
        """What is to be kept of some notices; what is ``ready`` is taken where it would be written again just so."""
        contexts = [context for context in found if context.is_wanted and not context.notice.dropped]
        unwritten = [context for context in contexts if context.is_to_be_written(now)]
        known = _case_context(session, case_id, unwritten)
        letters = {context.notice.id: self._letter(context, known, now) for context in unwritten}
        same = {key: ready[key] for key, letter in letters.items() if key in ready and ready[key].letter == letter}
        anew = {key: letter for key, letter in letters.items() if key not in same}
        written = same | self._written(anew)
        writings = tuple(self._writing(context, written[context.notice.id], now) for context in unwritten)
        return _Plan(writings, _taken_up(session, contexts, writings, now))

    @cached_property
    def _cohorts(self) -> Cohorts:
        """What composes notices; those of one cohort from one skeleton, whichever chunk they are in."""
        return Cohorts(load_catalogue(), self.templates.default_texts, self.templates)

    def _written(self, letters: Mapping[UUID, Letter]) -> dict[UUID, Ready]:
        """Compose some messages, and pack them to be kept once it is known what those of a cohort say alike."""
        written = {key: self._cohorts.write(letter.draft, letter.addressing) for key, letter in letters.items()}
        return {
            key: Ready(letters[key], one, pack(Content(one.raw, "message/rfc822"), one.outline))
            for key, one in written.items()
        }

    def _writing(self, context: NoticeContext, ready: Ready, now: datetime) -> _Writing:
        sha256 = ready.packed.sha256
        composed = None if context.is_written_as(sha256) else _composed(context.notice, ready, now)
        return _Writing(context, ready, tuple(context.reserve(sha256)), composed)

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
        (context,) = _contexts_of(session, told_of(session, [row]))
        known = _case_context(session, context.notice.case_id, [context])
        return self._drafted(context, known, now).facts

    def drafts(
        self, session: Session, rows: Sequence[tuple[Notice, Duty, Agreement]], now: datetime
    ) -> Iterator[DraftedNotice]:
        """What those of some notices of a case that can be written would say if they were written now, and to whom.

        Nothing is kept, and the link of each leads nowhere, since it is its reader's alone.
        """
        contexts = _contexts_of(session, told_of(session, rows))
        known = _case_context(session, contexts[0].notice.case_id, contexts) if contexts else None
        for context in contexts:
            assert known is not None, "there are contexts"
            with suppress(ValueError):  # nobody is left to be told, or a supplement would add nothing
                yield self._drafted(context, known, now)

    def _drafted(self, context: NoticeContext, known: CaseContext, now: datetime) -> DraftedNotice:
        by_post = context.postal_contact() if context.is_for_the_post else None
        facts = self._facts(context, known, by_post or context.addressees[0], now)
        shown = facts.model_copy(update={"acknowledge_url": HttpUrl(shown_link(self.public_url))})
        return DraftedNotice(context.notice.id, shown, self._addressing(context), by_post)

    def _addressing(self, context: NoticeContext) -> Addressing:
        to = [_mailbox(contact) for contact in context.next_addressees] or [self.sender]
        return Addressing(message_id=self._message_id(context), sender=self.sender, to=(to[0],), copies=tuple(to[1:]))

    def _message_id(self, context: NoticeContext) -> str:
        delivery = next(iter(context.delivery_ids), None) or _delivery_by_post(context)
        return identifiers.message_id(delivery, self.message_id_domain)

    def _facts(
        self,
        context: NoticeContext,
        known: CaseContext,
        addressee: ContactRow,
        now: datetime,
        dated: datetime | None = None,
    ) -> NoticeFacts:
        draft = self._draft(context, known, addressee, now, dated)
        return write_facts(draft, load_catalogue(), self.templates.default_texts)

    def _letter(self, context: NoticeContext, known: CaseContext, now: datetime) -> Letter:
        draft = self._draft(context, known, context.addressees[0], now, _dated(context, now))
        return Letter(draft, self._addressing(context))

    def _draft(
        self,
        context: NoticeContext,
        known: CaseContext,
        addressee: ContactRow,
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
        general = context.general_contact
        other = general.name if general else context.agreement.reference
        return self.signed(context.agreement, context.duty.owed_by, other)

    def signed(self, agreement: Agreement | AgreementRow, owed_by: Party, other: str) -> SignedAgreement:
        """The agreement as a letter cites it; where this organisation is the LEA, ``other`` is its provider."""
        return SignedAgreement(
            title=load_catalogue().form(agreement.form).standard.document.title,
            reference=agreement.reference,
            provider=self.organisation.organisation if owed_by is Party.PROVIDER else other,
            lea=agreement.lea_name,
            signed_on=agreement.executed_on,
        )


def _keep(session: Session, case_id: UUID, plan: _Plan, now: datetime) -> None:
    """Keep the messages of a plan with their evidence, and their places in the outbox."""
    store_many(session, (writing.ready.packed for writing in plan.writings), now, case=case_id)
    append(session, *(writing.composed for writing in plan.writings if writing.composed))
    update_rows(
        session,
        Notice,
        [
            {
                "id": writing.context.notice.id,
                "composed_at": writing.ready.letter.draft.noticed_at,
                "given": list(writing.ready.written.given),
                "lacking": list(writing.ready.written.lacking),
            }
            for writing in plan.writings
        ],
    )
    places = [(place, writing.message_id) for writing in plan.writings for place in writing.places]
    known = {place.id for writing in plan.writings for place in writing.context.known}
    insert_rows(session, Delivery, [_new_row(*place, now) for place in places if place[0].id not in known])
    update_rows(session, Delivery, [_changed_row(*place) for place in places if place[0].id in known])


def _new_row(place: DeliveryRow, message_id: str, now: datetime) -> dict[str, Any]:
    return {**place._asdict(), "message_id": message_id, "reserved_at": now, "tries": 0}


def _changed_row(place: DeliveryRow, message_id: str) -> dict[str, Any]:
    named = {"message_id": message_id, "message_sha256": place.message_sha256}
    return {"id": place.id, "status": place.status, **named}


def undecided(delivery: Delivery | DeliveryRow) -> bool:
    """Whether nobody can say if a message arrived, and it is not sent again before a person decides."""
    return delivery.status is DeliveryStatus.UNKNOWN and delivery.again_at is None


def still_to_send(session: Session, batch_id: UUID) -> dict[UUID, datetime]:
    """The notices of a batch of which something is still to be sent, each with when, in a fixed order."""
    contexts = _contexts(session, perhaps_to_send(session, batch_id))
    moments = {context.notice.id: context.next_send() for context in contexts if context.is_wanted}
    return {notice: moment for notice, moment in moments.items() if moment is not None}


def perhaps_to_send(session: Session, batch_id: UUID) -> Sequence[UUID]:
    """The notices of a batch of which something may still be to be sent, in a fixed order: all others are through."""
    unsettled = exists().where(col(Delivery.notice_id) == col(Notice.id), col(Delivery.status).in_(UNSETTLED))
    return session.exec(
        select(Notice.id)
        .where(Notice.batch_id == batch_id, col(Notice.dropped).is_(False))
        .where(col(Notice.given_at).is_(None) | unsettled)
        .order_by(col(Notice.id))
    ).all()


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


def _is_settled(duty: DutyRow) -> bool:
    """Whether two people decided that a duty was performed by other means, or is not required."""
    return duty.performed_under is not None or duty.status is DutyStatus.NOT_REQUIRED


def _composed(notice: NoticeRow, ready: Ready, now: datetime) -> NoticeComposed:
    return NoticeComposed(
        case_id=notice.case_id,
        actor=ENGINE,
        at=now,
        notice_id=notice.id,
        given=ready.written.given,
        lacking=ready.written.lacking,
        message_sha256=ready.packed.sha256,
    )


def _case_context(session: Session, case_id: UUID, contexts: Sequence[NoticeContext]) -> CaseContext:
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
    )


def _heads(session: Session, batches: Set[UUID]) -> dict[UUID, str | None]:
    return dict(session.exec(select(Batch.id, Batch.ledger_head).where(col(Batch.id).in_(batches))).all())


def _dismissal_reason(session: Session, case_id: UUID) -> str | None:
    sha256 = session.get_one(Case, case_id).dismissal_reason_sha256
    return fetch(session, sha256).decode() if sha256 else None


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


def _taken_up(
    session: Session, contexts: Sequence[NoticeContext], writings: Sequence[_Writing], now: datetime
) -> tuple[OutgoingMessage, ...]:
    """The message of every delivery that is due, those just written included."""
    raw = {writing.ready.packed.sha256: writing.ready.written.raw for writing in writings}
    due = [(context, delivery) for context in contexts for delivery in context.due(now)]
    raw |= {name: fetch(session, name) for name in {delivery.message_sha256 for _, delivery in due}.difference(raw)}
    return tuple(_outgoing(context, delivery, raw) for context, delivery in due)


def _outgoing(context: NoticeContext, delivery: DeliveryRow, raw: Mapping[str, bytes]) -> OutgoingMessage:
    contact = next(contact for contact in context.contacts if contact.id == delivery.contact_id)
    return OutgoingMessage(
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


def _contexts(session: Session, notices: Sequence[UUID]) -> list[NoticeContext]:
    return _with_terms(session, read_rows(session, notices))


def _contexts_of(session: Session, told: Sequence[Told]) -> list[NoticeContext]:
    """Everything about some notices that their messages are written from; they may be kept nowhere."""
    return _with_terms(session, rows_of(session, told)) if told else []


def _with_terms(session: Session, rows: NoticeRows) -> list[NoticeContext]:
    duties = (*rows.further.values(), *(each.duty for each in rows.told))
    due_dates = read_due_dates(session, {duty.due_date_id for duty in duties})
    terms = terms_named(session, {each.terms_hash for each in rows.told})
    contexts = []
    for notice, duty, agreement, terms_hash in rows.told:
        also = tuple(rows.further[UUID(further)] for further in notice.also_performs)
        deliveries = tuple(rows.deliveries.get(notice.id, ()))
        contexts.append(
            NoticeContext(
                notice=notice,
                duty=duty,
                agreement=agreement,
                due_date=due_dates[duty.due_date_id],
                terms_hash=terms_hash,
                roles=addressees_under(terms[terms_hash], duty.clause),
                contacts=(*rows.contacts.get(agreement.id, ()), *rows.others.get(notice.case_id, ())),
                known=deliveries,
                deliveries=list(deliveries),
                also=also,
                also_due=tuple(due_dates[further.due_date_id] for further in also),
            )
        )
    return contexts


def addressees_under(terms: EffectiveTerms, clause: str) -> Addressees:
    """Which contacts a clause tells; a party that only a case names has general contacts alone."""
    return terms.clause(clause).contacts or Addressees(first=(ContactRole.GENERAL,))


def _dated(context: NoticeContext, now: datetime) -> datetime:
    """The instant that a message bears: the present one, or that of its first writing where it is the same day."""
    written, zone = context.notice.composed_at, ZoneInfo(context.agreement.time_zone)
    return written if written and written.astimezone(zone).date() == now.astimezone(zone).date() else now


def _delivery_by_post(context: NoticeContext) -> UUID:
    contact = context.postal_contact()
    assert contact is not None, "a message is for somebody"
    return identifiers.delivery_id(context.notice.id, contact.id)


def _mailbox(contact: ContactRow) -> Mailbox:
    return Mailbox(name=contact.name, email=contact.email)


def _due_at(of: tuple[DutyRow, StoredDueDate]) -> datetime:
    return of[1].due_at or datetime.max.replace(tzinfo=UTC)


def _lea(context: NoticeContext) -> str:
    """The LEA with its general contact, as a notice names it: by e-mail, or by post where it has no such address."""
    general = context.general_contact
    reached_at = (general.email or general.postal_address or "") if general else ""
    return "\n".join(part for part in (context.agreement.lea_name, general and general.name, reached_at) if part)
