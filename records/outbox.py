"""Where notices become mail: what each is to say, to whom it goes, and its place in the outbox."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

from agreements.due_dates import StoredDueDate
from ledger.actors import ENGINE
from ledger.append import append
from ledger.artifacts import Content, Packed, fetch, pack, store_many
from ledger.entries import Attempt, NoticeComposed
from mail.cohorts import Cohorts, Written
from mail.compose import Addressing
from mail.delivery_states import UNSETTLED
from mail.drafting import ClauseAtHand, Draft, write_facts
from mail.facts import Mailbox, NoticeFacts, Sender, SignedAgreement
from mail.links import notice_link, shown_link
from mail.templates import SHIPPED, Templates
from models import identifiers
from models.bulk import insert_rows, update_rows
from models.defaults import Defaults
from models.enums import NoticeKind, Party
from models.grouping import grouped
from models.tables import Agreement, Batch, Delivery, Duty, Notice
from records.case_context import CaseContext, read_case_context
from records.notice_context import SETTLED, NoticeContext, contexts_of, read_contexts
from records.notice_rows import (
    AgreementRow,
    Asked,
    ContactRow,
    DeliveryRow,
    DutyRow,
    NoticeRow,
    Unopened,
    asked_of,
    performing,
    told_of,
    unopened,
)
from records.together import TakenAlong, falling_together, take_along
from terms.catalogue import load_catalogue
from terms.limits import STANDARD_DEFAULTS

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

_Thing = TypeVar("_Thing")


def _nothing() -> None:
    """Nobody is to go first."""


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
        defaults: the time limits that no clause gives.
    """

    sender: Mailbox
    organisation: Sender
    message_id_domain: str
    public_url: str
    link_key: bytes = field(repr=False)
    side: Party = Party.PROVIDER
    templates: Templates = field(default=SHIPPED, repr=False)
    defaults: Defaults = STANDARD_DEFAULTS

    def link(self, notice: Notice | NoticeRow) -> str:
        """The link on which a notice is answered, in the generation that is good."""
        return notice_link(self.public_url, self.link_key, notice.id, notice.link_generation)

    def prepare(
        self,
        session: Session,
        case_id: UUID,
        notices: Sequence[UUID],
        now: datetime,
        *,
        at_most: int | None = None,
        give_way: Callable[[], None] = _nothing,
    ) -> Prepared:
        """Write the messages of those of some notices of a case of which something is to be sent by now.

        They are written as they would be reserved, before a transaction is begun for it. Before each, ``give_way`` lets
        others go first.
        """
        found = [context for context in read_contexts(session, notices) if context.is_to_be_sent(now)][:at_most]
        if not found:
            return NOTHING_PREPARED
        together = falling_together(session, case_id, [each.notice.id for each in found])
        told = [performing(each.told, together.further) for each in found if each.notice.id not in together.given_up]
        asked = asked_of(told)
        seen = unopened(session, asked)
        contexts = contexts_of(session, told) if together.further else found
        plan = self._plan(session, case_id, contexts, now, {}, give_way)
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
            plan = self._plan(session, case_id, read_contexts(session, notices), now, prepared.letters)
        _keep(session, case_id, plan, now)
        return plan.mails

    def _plan(
        self,
        session: Session,
        case_id: UUID,
        found: Sequence[NoticeContext],
        now: datetime,
        ready: Mapping[UUID, Ready],
        give_way: Callable[[], None] = _nothing,
    ) -> _Plan:
        """What is to be kept of some notices; what is ``ready`` is taken where it would be written again just so."""
        contexts = [context for context in found if context.is_wanted and not context.notice.dropped]
        unwritten = [context for context in contexts if context.is_to_be_written(now)]
        known = read_case_context(session, case_id, unwritten)
        letters = {each.notice.id: self._letter(each, known, now) for each in _giving_way(unwritten, give_way)}
        same = {key: ready[key] for key, letter in letters.items() if key in ready and ready[key].letter == letter}
        anew = {key: letter for key, letter in letters.items() if key not in same}
        written = same | self._written(anew, give_way)
        writings = tuple(self._writing(context, written[context.notice.id], now) for context in unwritten)
        return _Plan(writings, _taken_up(session, contexts, writings, now))

    @cached_property
    def _cohorts(self) -> Cohorts:
        """What composes notices; those of one cohort from one skeleton, whichever chunk they are in."""
        return Cohorts(load_catalogue(), self.templates.default_texts, self.templates)

    def _written(self, letters: Mapping[UUID, Letter], give_way: Callable[[], None]) -> dict[UUID, Ready]:
        """Compose some messages, and pack them to be kept once it is known what those of a cohort say alike."""
        written = {
            key: self._cohorts.write(letter.draft, letter.addressing)
            for key, letter in _giving_way(letters.items(), give_way)
        }
        return {
            key: Ready(letters[key], one, pack(Content(one.raw, "message/rfc822"), one.outline))
            for key, one in _giving_way(written.items(), give_way)
        }

    def _writing(self, context: NoticeContext, ready: Ready, now: datetime) -> _Writing:
        sha256 = ready.packed.sha256
        composed = None if context.is_written_as(sha256) else _composed(context.notice, ready, now)
        return _Writing(context, ready, tuple(context.reserve(sha256)), composed)

    def on_paper(self, session: Session, notices: Sequence[UUID], now: datetime) -> Iterator[OnPaper]:
        """What those of some notices say that can only be given by a letter, and whom it is for.

        One that has nothing to say, as a supplement that would add nothing, is left out.
        """
        contexts = read_contexts(session, notices)
        return self._papers(session, [context for context in contexts if context.is_for_the_post], {}, now)

    def on_paper_again(self, session: Session, written: Mapping[UUID, datetime], now: datetime) -> Iterator[OnPaper]:
        """What letters that wait to be posted would say by now, and whom they would be for; each dated as it was.

        ``written`` is by notice when its letter was. They wait also while a mail tries another contact.
        """
        contexts = read_contexts(session, list(written))
        waiting = [context for context in contexts if context.is_open and context.postal_contact()]
        return self._papers(session, waiting, written, now)

    def _papers(
        self, session: Session, contexts: Iterable[NoticeContext], dated: Mapping[UUID, datetime], now: datetime
    ) -> Iterator[OnPaper]:
        for case_id, of_case in grouped(contexts, lambda context: context.notice.case_id).items():
            known = read_case_context(session, case_id, of_case)
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
        (context,) = contexts_of(session, told_of(session, [row]))
        known = read_case_context(session, context.notice.case_id, [context])
        return self._drafted(context, known, now).facts

    def drafts(
        self, session: Session, rows: Sequence[tuple[Notice, Duty, Agreement]], now: datetime
    ) -> Iterator[DraftedNotice]:
        """What those of some notices of a case that can be written would say if they were written now, and to whom.

        Nothing is kept, and the link of each leads nowhere, since it is its reader's alone.
        """
        contexts = contexts_of(session, told_of(session, rows))
        known = read_case_context(session, contexts[0].notice.case_id, contexts) if contexts else None
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
        documents = known.documents(agreement.id)
        otherwise = known.otherwise.get(context.duty.id, frozenset())
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
            facts={**known.facts, **documents},
            delay=known.delay(context, now),
            # A further document adds to those before it.
            lacking=otherwise.intersection(documents).union(context.duty.lacking),
            corrected=otherwise.difference(documents),
            reason=known.dismissal_reason if kind is NoticeKind.DISMISSAL else None,
            follows=known.follows(context),
            acknowledge_url=HttpUrl(self.link(context.notice)),
            for_counsel=context.goes_to_counsel,
            ledger_head=known.heads.get(context.notice.batch_id),
            defaults=self.defaults,
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


def _giving_way(things: Iterable[_Thing], give_way: Callable[[], None]) -> Iterator[_Thing]:
    for thing in things:
        give_way()
        yield thing


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
                "written_at": now,
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


def still_to_send(session: Session, batch_id: UUID) -> dict[UUID, datetime]:
    """The notices of a batch of which something is still to be sent, each with when, in a fixed order."""
    contexts = read_contexts(session, perhaps_to_send(session, batch_id))
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
        .where(col(Notice.composed_at).is_(None), SETTLED)
    )
    for notice in unwanted:
        notice.dropped = True
        batch.size -= 1


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
