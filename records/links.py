"""The links in notices, as an officer sees, replaces and takes them back; ``records.open_links`` says which open.

A link is good in the generation that its notice has in SQL, so a new generation ends all earlier ones at once. The
links of one party under one agreement of a case are replaced and taken back together: they lie in the same mailbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from uuid import UUID

from sqlmodel import Session, col, func, select, update

from agreements.due_dates import read_due_date
from config.database import Database
from ledger.append import append
from ledger.artifacts import fetch, store
from ledger.entries import LinksMailed, LinksReplaced, LinksRevoked
from mail.delivery_states import ARRIVED
from mail.district_mails import NewLink, NewLinks
from mail.facts import Mailbox, clean_block
from mail.links import LAST_GENERATION
from mail.plain import compose_plain_mail
from models import identifiers
from models.enums import Party, WrittenAnew
from models.errors import InvalidInput, NotFound, Refused
from models.tables import Agreement, AgreementContact, Case, Delivery, DueDate, Duty, Notice, PostalLetter
from models.view import View
from records.outbox import NoticeWriter
from records.recipients import contacts_to_tell
from records.scope import agreement_in_scope, require_case
from records.sent_mail import MailToSend

LONGEST_REASON = 2_000


class LinkView(View):
    """The link of one notice: which generation is good, when it was taken back, how often it was tried in vain."""

    notice_id: UUID
    clause_title: str
    given_at: datetime | None
    generation: int
    revoked_at: datetime | None
    refusals: int


class ContactView(View):
    """A contact to whom new links can be mailed; ``told`` is whether the notices went there."""

    id: UUID
    name: str
    email: str
    told: bool


class LinksView(View):
    """The links of one party under one agreement of a case; ``expire_at`` is None while the case is open."""

    case_id: UUID
    agreement_reference: str
    lea_name: str
    time_zone: str
    links: tuple[LinkView, ...]
    contacts: tuple[ContactView, ...]
    expire_at: datetime | None


class LinkFigures(View):
    """The links of a case in figures: ``refusals`` counts how often one was tried that opens nothing any more."""

    revoked: int
    refusals: int
    expire_at: datetime | None


@dataclass(frozen=True)
class LinkMail:
    """The message that gives a party its new links."""

    case_id: UUID
    agreement_id: UUID
    contact_id: UUID
    mail: MailToSend

    @property
    def email(self) -> str:
        """To which address it goes."""
        return self.mail.email


@dataclass(frozen=True)
class _Holder:
    """Whose links are meant: those of a party under an agreement of a case, with the notices that carry them."""

    agreement: Agreement
    owed_to: Party
    notices: Sequence[Notice]


def read_link_figures(database: Database, case_id: UUID, lasts: timedelta) -> LinkFigures:
    """The links of a case in figures."""
    with database.reading() as session:
        revoked, refusals = session.exec(
            select(func.count(col(Notice.link_revoked_at)), func.coalesce(func.sum(Notice.link_refusals), 0)).where(
                Notice.case_id == case_id
            )
        ).one()
        expire_at = _expire_at(require_case(session, case_id), lasts)
    return LinkFigures(revoked=revoked, refusals=refusals, expire_at=expire_at)


def read_links(database: Database, case_id: UUID, notice_id: UUID, lasts: timedelta) -> LinksView:
    """The links of the party that was told by a notice.

    Raises:
        NotFound: the case has no such notice, or it was never written.
    """
    with database.reading() as session:
        holder = _holder_of(session, case_id, notice_id)
        titles = _titles(session, holder.notices)
        told = _told(session, holder.notices)
        return LinksView(
            case_id=case_id,
            agreement_reference=holder.agreement.reference,
            lea_name=holder.agreement.lea_name,
            time_zone=holder.agreement.time_zone,
            links=tuple(
                LinkView(
                    notice_id=notice.id,
                    clause_title=titles[notice.id],
                    given_at=notice.given_at,
                    generation=notice.link_generation,
                    revoked_at=notice.link_revoked_at,
                    refusals=notice.link_refusals,
                )
                for notice in holder.notices
            ),
            contacts=tuple(
                ContactView(id=contact.id, name=contact.name, email=contact.email, told=contact.id in told)
                for contact in _contacts(session, case_id, holder)
            ),
            expire_at=_expire_at(require_case(session, case_id), lasts),
        )


def notice_under(database: Database, case_id: UUID, reference: str) -> UUID:
    """One of the notices that a case gave to the other side of an agreement.

    Raises:
        NotFound: there is no such case, or it told that side nothing.
        InvalidInput: the case touches no such agreement.
    """
    with database.reading() as session:
        require_case(session, case_id)
        agreement, _ = agreement_in_scope(session, case_id, reference)
        found = session.exec(
            select(Notice.id)
            .join(Duty, col(Duty.id) == col(Notice.duty_id))
            .where(Notice.case_id == case_id, Duty.agreement_id == agreement.id, col(Notice.composed_at).is_not(None))
            .where(col(Duty.owed_to).in_((Party.LEA, Party.PROVIDER)), col(Notice.dropped).is_(False))
        ).first()
        if found is None:
            raise NotFound(f"The case gave no notice under agreement {reference}.", next_step="Choose another.")
        return found


def replace_links(
    database: Database,
    writer: NoticeWriter,
    case_id: UUID,
    notice_id: UUID,
    contact_id: UUID | None,
    reason: str,
    *,
    lasts: timedelta,
    actor: str,
    now: datetime,
) -> LinkMail:
    """Give the party that was told by a notice new links, so that its earlier ones open nothing from now on.

    Args:
        database: where notices are kept.
        writer: makes the new links.
        case_id: the case.
        notice_id: one of the notices.
        contact_id: to whom the new links are mailed; None means whoever was told.
        reason: why, in a person's words.
        lasts: for how long links open their notice once the case is closed.
        actor: who replaces them.
        now: when.

    Returns:
        The message with the new links, still to be sent.

    Raises:
        NotFound: the case has no such notice, or it was never written.
        InvalidInput: no reason is given, or the contact is none of that party.
        Refused: the case's links have expired, nobody is left to mail new ones to, or there were too many generations.
    """
    with database.writing() as session:
        expire_at = _expire_at(require_case(session, case_id), lasts)
        if expire_at and now >= expire_at:
            raise Refused(
                "The links of this case have expired, so new ones would open nothing.", next_step="Write a mail."
            )
        holder = _holder_of(session, case_id, notice_id, locked=True)
        contact = _chosen(session, case_id, holder, contact_id)
        _renew(session, holder.notices, None, now)
        append(
            session,
            LinksReplaced(
                case_id=case_id,
                actor=actor,
                at=now,
                agreement_id=holder.agreement.id,
                notices=tuple(notice.id for notice in holder.notices),
                reason_sha256=keep_reason(session, case_id, reason, now),
            ),
        )
        mail = _mail(session, writer, case_id, holder, contact, now)
        return LinkMail(case_id, holder.agreement.id, contact.id, mail)


def revoke_links(database: Database, case_id: UUID, notice_id: UUID, reason: str, *, actor: str, now: datetime) -> None:
    """Take back the links of the party that was told by a notice, without giving it new ones.

    Raises:
        NotFound: the case has no such notice, or it was never written.
        InvalidInput: no reason is given.
        Refused: they were taken back already, or there were too many generations.
    """
    with database.writing() as session:
        holder = _holder_of(session, case_id, notice_id, locked=True)
        if all(notice.link_revoked_at for notice in holder.notices):
            raise Refused("These links were taken back already.", next_step="Replace them where new ones are needed.")
        _renew(session, holder.notices, now, now)
        append(
            session,
            LinksRevoked(
                case_id=case_id,
                actor=actor,
                at=now,
                agreement_id=holder.agreement.id,
                notices=tuple(notice.id for notice in holder.notices),
                reason_sha256=keep_reason(session, case_id, reason, now),
            ),
        )


def note_link_mail(
    database: Database,
    mail: LinkMail,
    sha256: str,
    *,
    actor: str,
    now: datetime,
    rejected: bool = False,
    unknown: bool = False,
) -> None:
    """Keep what became of the message with new links, which is kept by its SHA-256 once it was handed over."""
    with database.writing() as session:
        append(
            session,
            LinksMailed(
                case_id=mail.case_id,
                actor=actor,
                at=now,
                agreement_id=mail.agreement_id,
                contact=mail.contact_id,
                rejected=rejected,
                unknown=unknown,
                message_sha256=sha256,
            ),
        )


def _expire_at(case: Case, lasts: timedelta) -> datetime | None:
    return case.closed_at + lasts if case.closed_at else None


def _holder_of(session: Session, case_id: UUID, notice_id: UUID, *, locked: bool = False) -> _Holder:
    row = session.exec(
        select(Agreement, Duty.owed_to)
        .join(Duty, col(Duty.agreement_id) == col(Agreement.id))
        .join(Notice, col(Notice.duty_id) == col(Duty.id))
        .where(Notice.id == notice_id, Notice.case_id == case_id, col(Notice.composed_at).is_not(None))
        .where(col(Notice.has_link))
    ).one_or_none()
    if row is None:
        raise NotFound("The case gave no such notice.", next_step="Choose one on the case's page.")
    agreement, owed_to = row
    of_party = select(Duty.id).where(Duty.case_id == case_id, Duty.agreement_id == agreement.id)
    query = (
        select(Notice)
        .where(col(Notice.duty_id).in_(of_party.where(Duty.owed_to == owed_to)))
        .where(col(Notice.composed_at).is_not(None), col(Notice.dropped).is_(False) | (col(Notice.id) == notice_id))
        .order_by(col(Notice.composed_at), col(Notice.id))
    )
    return _Holder(agreement, Party(owed_to), session.exec(query.with_for_update() if locked else query).all())


def _renew(session: Session, notices: Sequence[Notice], revoked_at: datetime | None, now: datetime) -> None:
    """End the links of some notices; a letter that waits to be posted with one is written anew."""
    session.execute(
        update(PostalLetter)
        .where(col(PostalLetter.notice_id).in_([notice.id for notice in notices]))
        .where(col(PostalLetter.mailed_at).is_(None))
        .values(replaced_at=now, replaced_for=WrittenAnew.LINK)
    )
    for notice in notices:
        if notice.link_generation == LAST_GENERATION:
            raise Refused("This link was replaced as often as links can be.", next_step="Write to the LEA instead.")
        notice.link_generation += 1
        notice.link_revoked_at = revoked_at


def keep_reason(session: Session, case_id: UUID, reason: str, now: datetime) -> str:
    """Keep why somebody changes a link of a case; return its SHA-256.

    Raises:
        InvalidInput: no reason is given, or it is too long.
    """
    cleaned = clean_block(reason)
    if not cleaned or len(cleaned) > LONGEST_REASON:
        says = f"This is longer than {LONGEST_REASON:,} characters." if cleaned else "No reason is given."
        raise InvalidInput(says, where="reason", next_step="Say why in a sentence or two: it is kept as evidence.")
    return store(session, cleaned.encode(), "text/plain", now, case=case_id)


def _contacts(session: Session, case_id: UUID, holder: _Holder) -> list[AgreementContact]:
    return contacts_to_tell(session, holder.agreement.id, holder.owed_to, case_id)


def _told(session: Session, notices: Sequence[Notice]) -> set[UUID]:
    """The contacts whose servers took one of some notices, copies apart."""
    return set(
        session.exec(
            select(Delivery.contact_id).where(
                col(Delivery.notice_id).in_([notice.id for notice in notices]),
                col(Delivery.status).in_(ARRIVED),
                col(Delivery.is_copy).is_(False),
            )
        )
    )


def _chosen(session: Session, case_id: UUID, holder: _Holder, contact_id: UUID | None) -> AgreementContact:
    contacts = _contacts(session, case_id, holder)
    if contact_id is None:
        told = _told(session, holder.notices)
        contacts.sort(key=lambda contact: contact.id not in told)
        if not contacts:
            raise Refused(
                "Nobody is left to mail a new link to.", next_step="Import a contact for the agreement first."
            )
        return contacts[0]
    for contact in contacts:
        if contact.id == contact_id:
            return contact
    raise InvalidInput("This is no contact of theirs.", where="contact", next_step="Choose one of those listed.")


def _titles(session: Session, notices: Sequence[Notice]) -> dict[UUID, str]:
    """What the clause of each notice is called."""
    rows = session.exec(
        select(Notice.id, DueDate)
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .join(DueDate, col(DueDate.id) == col(Duty.due_date_id))
        .where(col(Notice.id).in_([notice.id for notice in notices]))
    )
    return {notice_id: read_due_date(due_date).title for notice_id, due_date in rows}


def _subjects(session: Session, notices: Sequence[Notice]) -> dict[UUID, str]:
    """By notice: the subject under which its party got it, by mail or by post, by which its reader knows it."""
    return {notice.id: _subject(session, notice.id) for notice in notices}


def _subject(session: Session, notice_id: UUID) -> str:
    of_mail = session.exec(
        select(Delivery.message_sha256)
        .where(Delivery.notice_id == notice_id)
        .order_by(col(Delivery.is_copy), col(Delivery.settled_at).desc(), col(Delivery.id))
    ).first()
    if of_mail:
        return str(message_from_bytes(fetch(session, of_mail), policy=policy.SMTP)["Subject"])
    of_letter = session.exec(
        select(PostalLetter.words_sha256)
        .where(PostalLetter.notice_id == notice_id)
        .order_by(col(PostalLetter.made_at).desc())
    ).first()
    return fetch(session, of_letter).decode().partition("\n")[0] if of_letter else "Our notice"


def _mail(
    session: Session, writer: NoticeWriter, case_id: UUID, holder: _Holder, contact: AgreementContact, now: datetime
) -> MailToSend:
    officer, last, subjects = writer.organisation.contact, holder.notices[-1], _subjects(session, holder.notices)
    mail_id = identifiers.plain_mail_id(f"links:{last.id}:{last.link_generation}")
    raw = compose_plain_mail(
        NewLinks(
            case_reference=identifiers.case_reference(case_id),
            organisation=writer.organisation.organisation,
            lea=holder.agreement.lea_name,
            links=tuple(NewLink(title=subjects[notice.id], link=writer.link(notice)) for notice in holder.notices),
            contact=officer,
        ),
        sender=writer.sender,
        to=Mailbox(name=contact.name, email=contact.email),
        reply_to=officer,
        message_id=identifiers.message_id(mail_id, writer.message_id_domain),
        at=now,
        templates=writer.templates,
    )
    return MailToSend(
        id=mail_id,
        sort=NewLinks.template,
        email=contact.email,
        raw=raw,
        case_id=case_id,
        belongs_to=last.id,
        contact_id=contact.id,
    )
