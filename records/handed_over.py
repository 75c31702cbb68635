"""Files that are handed to LEAs, each by a protected link of its own, and erased once their time is over.

Such a file holds student data. It is an artifact, sealed and named by its SHA-256, and never travels by mail. Whatever
became of its bytes is in evidence: that they were made ready, mailed a link to, fetched, and erased.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, select

from cases.kinds import kind_named
from config.database import Database
from ledger.actors import ENGINE
from ledger.append import append
from ledger.artifacts import erase, fetch, store
from ledger.entries import (
    FileErased,
    FileFetched,
    FileHandedOver,
    FileLinkMailed,
    FileLinkRevoked,
)
from mail.compose import Addressing
from mail.facts import Mailbox
from mail.handed_over import HandedOverFacts, compose_handed_over, handed_link, handed_token
from mail.holder_links import NOBODYS, digest_of
from models import identifiers
from models.enums import Party
from models.errors import Gone, InvalidInput, NotFound, Refused
from models.phrases import instant_words
from models.tables import Agreement, AgreementContact, Artifact, Case, CaseAgreement, HandedOver
from models.view import View
from records.links import keep_reason
from records.outbox import NoticeWriter
from records.recipients import contacts_to_tell
from records.scope import agreement_in_scope, require_case
from records.sent_mail import MailToSend
from records.uploads import UploadedFile

ERASED_AT_ONCE = 100
"""How many files one sweep erases; the next goes on."""

FILE_READER = "holder of the file's link"
"""Who fetches a file, as evidence names them: nobody's account is needed."""


@dataclass(frozen=True)
class FileMail:
    """The mail with the link to a file, still to be sent."""

    case_id: UUID
    handed_over: UUID
    link: int
    contact_id: UUID
    mail: MailToSend

    @property
    def email(self) -> str:
        """To which address it goes."""
        return self.mail.email


class HandedOverView(View):
    """A file that was handed over, as its case's page shows it; of one ``erased_at`` an instant nothing is left."""

    id: UUID
    file_name: str
    size: int
    content_sha256: str
    lea_name: str
    time_zone: str
    contact: str
    email: str
    handed_by: str
    handed_at: datetime
    erase_at: datetime
    erased_at: datetime | None
    revoked_at: datetime | None
    fetches: int
    fetched_at: datetime | None


class FileContactView(View):
    """Somebody to whom a file of a case can be handed."""

    id: UUID
    name: str
    email: str
    lea_name: str


class HandedOverOfCase(View):
    """What was handed over in a case, the newest first, to whom files can be handed, and for how long they are kept."""

    files: tuple[HandedOverView, ...]
    contacts: tuple[FileContactView, ...]
    days: int


class LinkedFile(View):
    """What the one who has a file's link is shown."""

    file_name: str
    size: int
    lea_name: str
    time_zone: str
    agreement_reference: str
    case_reference: str
    erase_at: datetime


def hand_over(
    database: Database,
    writer: NoticeWriter,
    case_id: UUID,
    file: UploadedFile,
    contact_id: UUID | None,
    *,
    days: int,
    actor: str,
    now: datetime,
    agreement: str | None = None,
) -> FileMail:
    """Keep a file for an LEA of a case, with its evidence; return the mail with its link, still to be sent.

    Args:
        database: where it is kept.
        writer: writes the mail and makes the link.
        case_id: the case.
        file: the file, known by what it holds.
        contact_id: to whom the link goes; None means the LEA's first general contact.
        days: after how many days it is erased.
        actor: who hands it over.
        now: when.
        agreement: the reference of the LEA's agreement, where the case touches several.

    Raises:
        NotFound: there is no such case.
        Refused: no files are handed over in such a case, or nobody can be written to.
        InvalidInput: the agreement or the contact is none of the case's.
    """
    with database.writing() as session:
        case = require_case(session, case_id)
        if not kind_named(case.kind).hands_over:
            raise Refused("In such a case no files are handed over.", next_step="Add a document for families instead.")
        contact, of = _contact(session, case, contact_id, agreement)
        handed = HandedOver(
            id=uuid4(),
            case_id=case_id,
            agreement_id=of.id,
            contact_id=contact.id,
            file_name=file.name,
            content_sha256=store(session, file.content, file.media_type, now, case=case_id),
            handed_by=actor,
            handed_at=now,
            erase_at=now + timedelta(days=days),
        )
        session.add(handed)
        session.flush()
        event = FileHandedOver(
            case_id=case_id,
            actor=actor,
            at=now,
            handed_over=handed.id,
            link=handed.link_number,
            agreement=of.id,
            contact=contact.id,
            erase_at=handed.erase_at,
            content_sha256=handed.content_sha256,
        )
        append(session, event)
        return _mail(session, writer, handed, of, contact, now)


def renew_link(database: Database, writer: NoticeWriter, case_id: UUID, handed_id: UUID, *, now: datetime) -> FileMail:
    """Give a file a new link, so that an earlier one opens nothing; return the mail with it, still to be sent.

    Raises:
        NotFound: nothing of this id was handed over in the case.
        Gone: the file was erased.
    """
    with database.writing() as session:
        handed = _of_case(session, case_id, handed_id)
        _refuse_gone(handed, now)
        handed.link_number, handed.revoked_at = handed.link_number + 1, None
        of, contact = (
            session.get_one(Agreement, handed.agreement_id),
            session.get_one(AgreementContact, handed.contact_id),
        )
        return _mail(session, writer, handed, of, contact, now)


def revoke_link(database: Database, case_id: UUID, handed_id: UUID, reason: str, *, actor: str, now: datetime) -> None:
    """Take back the link of a file: it opens nothing any more.

    Raises:
        NotFound: nothing of this id was handed over in the case.
        InvalidInput: no reason is given.
        Refused: it was taken back already.
    """
    with database.writing() as session:
        handed = _of_case(session, case_id, handed_id)
        if handed.link_digest is None:
            raise Refused("This link was taken back already.", next_step="Make a new one where one is needed.")
        handed.link_digest, handed.revoked_at = None, now
        session.add(handed)
        event = FileLinkRevoked(
            case_id=case_id,
            actor=actor,
            at=now,
            handed_over=handed.id,
            link=handed.link_number,
            reason_sha256=keep_reason(session, case_id, reason, now),
        )
        append(session, event)


def note_file_mail(
    database: Database,
    mail: FileMail,
    sha256: str,
    *,
    actor: str,
    now: datetime,
    rejected: bool = False,
    unknown: bool = False,
) -> None:
    """Keep what became of the mail with a file's link, which is kept by its SHA-256 once it was handed over."""
    with database.writing() as session:
        event = FileLinkMailed(
            case_id=mail.case_id,
            actor=actor,
            at=now,
            handed_over=mail.handed_over,
            link=mail.link,
            contact=mail.contact_id,
            rejected=rejected,
            unknown=unknown,
            message_sha256=sha256,
        )
        append(session, event)


def read_handed_over(database: Database, case_id: UUID, *, days: int) -> HandedOverOfCase | None:
    """What was handed over in a case; None where its kind hands nothing over.

    Raises:
        NotFound: there is no such case.
    """
    with database.reading() as session:
        case = require_case(session, case_id)
        if not kind_named(case.kind).hands_over:
            return None
        rows = session.execute(
            select_columns(HandedOver, Agreement, AgreementContact, col(Artifact.size), col(Artifact.erased_at))
            .join(Agreement, col(Agreement.id) == col(HandedOver.agreement_id))
            .join(AgreementContact, col(AgreementContact.id) == col(HandedOver.contact_id))
            .join(Artifact, col(Artifact.sha256) == col(HandedOver.content_sha256))
            .where(col(HandedOver.case_id) == case_id)
            .order_by(col(HandedOver.handed_at).desc(), col(HandedOver.id))
        )
        return HandedOverOfCase(
            files=tuple(
                HandedOverView(
                    size=size,
                    erased_at=erased_at,
                    lea_name=of.lea_name,
                    time_zone=of.time_zone,
                    contact=contact.name,
                    email=contact.email,
                    **handed.model_dump(include=set(HandedOverView.model_fields)),
                )
                for handed, of, contact, size, erased_at in rows
            ),
            contacts=tuple(
                FileContactView(id=contact.id, name=contact.name, email=contact.email, lea_name=of.lea_name)
                for of in agreements_of(session, case_id)
                for contact in contacts_to_tell(session, of.id, Party.LEA, case_id)
            ),
            days=days,
        )


def read_linked_file(database: Database, digest: str, now: datetime) -> LinkedFile:
    """What the link of this digest leads to.

    Raises:
        NotFound: it leads nowhere, or no more.
        Gone: the time of the file is over.
    """
    with database.reading() as session:
        handed = _linked(session, digest, now)
        of = session.get_one(Agreement, handed.agreement_id)
        size = session.exec(select(Artifact.size).where(Artifact.sha256 == handed.content_sha256)).one()
        return LinkedFile(
            file_name=handed.file_name,
            size=size,
            lea_name=of.lea_name,
            time_zone=of.time_zone,
            agreement_reference=of.reference,
            case_reference=identifiers.case_reference(handed.case_id),
            erase_at=handed.erase_at,
        )


def fetch_handed_over(database: Database, digest: str, *, actor: str, now: datetime) -> UploadedFile:
    """The file of the link of this digest, with evidence that it was fetched.

    Raises: as ``read_linked_file``.
    """
    with database.writing() as session:
        handed = _linked(session, digest, now)
        content = fetch(session, handed.content_sha256)
        handed.fetches, handed.fetched_at = handed.fetches + 1, now
        session.add(handed)
        event = FileFetched(
            case_id=handed.case_id,
            actor=actor,
            at=now,
            handed_over=handed.id,
            link=handed.link_number,
            content_sha256=handed.content_sha256,
        )
        append(session, event)
        media_type = session.exec(select(Artifact.media_type).where(Artifact.sha256 == handed.content_sha256)).one()
        return UploadedFile(handed.file_name, content, media_type)


def erase_due(session: Session, now: datetime, limit: int = ERASED_AT_ONCE) -> int:
    """Erase the files whose time is over, with evidence; return how many.

    The same bytes that were handed over more than once go at the last of their times; and what somebody stored again
    after that goes again.
    """
    last = func.max(HandedOver.erase_at)
    due = session.exec(
        select(HandedOver.content_sha256)
        .join(Artifact, col(Artifact.sha256) == col(HandedOver.content_sha256))
        .where(col(Artifact.erased_at).is_(None))
        .group_by(col(HandedOver.content_sha256))
        .having(last <= now)
        .order_by(last)
        .limit(limit)
    ).all()
    for sha256 in due:
        erase(session, sha256, now)
        rows = session.exec(select(HandedOver).where(HandedOver.content_sha256 == sha256).order_by(col(HandedOver.id)))
        events = [
            FileErased(
                case_id=row.case_id,
                actor=ENGINE,
                at=now,
                handed_over=row.id,
                link=row.link_number,
                content_sha256=sha256,
            )
            for row in rows
        ]
        append(session, *events)
    return len(due)


def agreements_of(session: Session, case_id: UUID) -> list[Agreement]:
    """The agreements that a case touches, by reference."""
    return list(
        session.exec(
            select(Agreement)
            .join(CaseAgreement, col(CaseAgreement.agreement_id) == col(Agreement.id))
            .where(CaseAgreement.case_id == case_id)
            .order_by(col(Agreement.reference))
        )
    )


def _contact(
    session: Session, case: Case, contact_id: UUID | None, agreement: str | None
) -> tuple[AgreementContact, Agreement]:
    """To whom a file goes, with the agreement whose LEA that is."""
    agreements = [agreement_in_scope(session, case.id, agreement)[0]] if agreement else agreements_of(session, case.id)
    found = [(row, of) for of in agreements for row in contacts_to_tell(session, of.id, Party.LEA, case.id)]
    if contact_id is None and len(agreements) > 1:
        raise InvalidInput(
            "The case touches several agreements.", where="agreement", next_step="Say for whose LEA the file is."
        )
    chosen = [pair for pair in found if contact_id in (None, pair[0].id)]
    if not chosen:
        raise InvalidInput("This is no contact of the LEA.", where="contact", next_step="Choose one of those listed.")
    return chosen[0]


def _mail(
    session: Session, writer: NoticeWriter, handed: HandedOver, of: Agreement, contact: AgreementContact, now: datetime
) -> FileMail:
    token = handed_token(writer.link_key, handed.id, handed.link_number)
    handed.link_digest = digest_of(token)
    session.add(handed)
    mail_id = identifiers.plain_mail_id(f"handed-over:{handed.id}:{handed.link_number}")
    addressing = Addressing(
        message_id=identifiers.message_id(mail_id, writer.message_id_domain),
        sender=writer.sender,
        to=(Mailbox(name=contact.name, email=contact.email),),
    )

    def written(shown: str) -> bytes:
        facts = HandedOverFacts(
            sender=writer.organisation,
            reader=of.lea_name,
            contact=contact.name,
            agreement_reference=of.reference,
            case_reference=identifiers.case_reference(handed.case_id),
            time_zone=of.time_zone,
            handed_at=now,
            days=(handed.erase_at - handed.handed_at).days,
            erase_at=handed.erase_at,
            link=handed_link(writer.public_url, shown),
        )
        return compose_handed_over(facts, addressing, writer.templates).raw

    # Whoever reads the evidence must not be able to fetch the file.
    return FileMail(
        handed.case_id,
        handed.id,
        handed.link_number,
        contact.id,
        MailToSend(
            id=mail_id,
            sort=HandedOverFacts.template,
            email=contact.email,
            raw=written(token),
            kept=written(NOBODYS),
            case_id=handed.case_id,
            belongs_to=handed.id,
            contact_id=contact.id,
        ),
    )


def _of_case(session: Session, case_id: UUID, handed_id: UUID) -> HandedOver:
    handed = session.get(HandedOver, handed_id, with_for_update=True)
    if handed is None or handed.case_id != case_id:
        raise NotFound("No such file was handed over in this case.", next_step="Choose one on the case's page.")
    return handed


def _linked(session: Session, digest: str, now: datetime) -> HandedOver:
    handed = session.exec(select(HandedOver).where(HandedOver.link_digest == digest)).one_or_none()
    if handed is None:
        raise NotFound(
            "This link leads nowhere, or no more.",
            next_step="Copy the whole link from the newest mail, or ask whoever sent it for another one.",
        )
    _refuse_gone(handed, now)
    return handed


def _refuse_gone(handed: HandedOver, now: datetime) -> None:
    if handed.erase_at <= now:
        raise Gone(
            f"The time of this file was over on {instant_words(handed.erase_at)}, and it is erased.",
            next_step="Ask for it again if it is still needed.",
        )
