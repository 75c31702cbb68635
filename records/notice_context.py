"""One notice with all that its message is written from: whose turn it is to be told, and whether it still is to go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from uuid import UUID

from sqlmodel import Session, col

from agreements.due_dates import StoredDueDate, read_due_dates
from agreements.terms import terms_named
from mail.contacts import choose_recipients
from mail.delivery_states import FAILED, NOT_LEFT, UNSETTLED, WAITING, Happening, moved
from models import identifiers
from models.enums import ContactRole, DeliveryStatus, DutyStatus, NoticeKind
from models.errors import InvalidInput
from models.tables import Delivery, Duty
from records.notice_rows import (
    AgreementRow,
    ContactRow,
    DeliveryRow,
    DutyRow,
    NoticeRow,
    NoticeRows,
    Told,
    read_rows,
    rows_of,
)
from records.recipients import addressees_under, may_be_told, postal_contact
from terms.clauses import Addressees

_AT_ONCE = datetime.min.replace(tzinfo=UTC)
"""When something is to be sent that waits for no moment of its own."""


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
            if delivery.status in UNSETTLED and not _undecided(delivery) and delivery.contact_id in known
        )

    def next_send(self) -> datetime | None:
        """When something of it is to be sent, for the first time or again; None where nothing is left to send."""
        moments = [delivery.again_at or _AT_ONCE for delivery in self.unsettled]
        if self.notice.given_at is None and (addressees := self.next_addressees):
            place = self._place_of(addressees[0])
            if place is None:
                moments.append(_AT_ONCE)
            elif place.status is DeliveryStatus.PASSED_OVER:
                moments.append(place.again_at or _AT_ONCE)
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
        return tuple(delivery for delivery in waiting if (delivery.again_at or _AT_ONCE) <= now)

    def is_to_be_written(self, now: datetime) -> bool:
        """Whether its message is written now: for a contact to whom none can be on its way, and whose moment it is."""
        addressees = self.next_addressees
        if self.notice.given_at is not None or not addressees:
            return False
        place = self._place_of(addressees[0])
        return place is None or (place.status in NOT_LEFT and (place.again_at or _AT_ONCE) <= now)

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
        return place is None or passed_over, again_at or _AT_ONCE, contact.failing_since is not None

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


def read_contexts(session: Session, notices: Sequence[UUID]) -> list[NoticeContext]:
    """Everything about some notices that are kept, as it stands there."""
    return _with_terms(session, read_rows(session, notices))


def contexts_of(session: Session, told: Sequence[Told]) -> list[NoticeContext]:
    """The same of some notices that were read before; they may be kept nowhere."""
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


def _undecided(delivery: Delivery | DeliveryRow) -> bool:
    """Whether nobody can say if a message arrived, and it is not sent again before a person decides."""
    return delivery.status is DeliveryStatus.UNKNOWN and delivery.again_at is None


SETTLED = col(Duty.performed_under).is_not(None) | (col(Duty.status) == DutyStatus.NOT_REQUIRED)
"""As ``_is_settled``, in SQL."""


def _is_settled(duty: DutyRow) -> bool:
    """Whether two people decided that a duty was performed by other means, or is not required."""
    return duty.performed_under is not None or duty.status is DutyStatus.NOT_REQUIRED
