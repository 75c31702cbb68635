"""What the holders of data are written: prepared with the link in it, handed over elsewhere, and noted as evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, assert_never
from uuid import UUID

from sqlmodel import Session, col, select, update

from cases.kinds import kind_named
from cases.state import NoticePolicy
from ledger.actors import ENGINE
from ledger.append import append
from ledger.artifacts import fetch, store
from ledger.entries import HolderWritten
from mail.facts import Mailbox
from mail.holder_links import NOBODYS, digest_of, holder_link, holder_token, vendor_link, vendor_token
from mail.holder_mails import HOLDER_MAILS, HolderFacts, HoldersPart
from mail.plain import Enclosure, compose_plain_mail
from models import identifiers
from models.enums import HolderMail
from models.tables import Agreement, Case, HolderAnswer, HolderTask
from records.holder_directive import directive_of
from records.holder_links import receipt_name
from records.holders import (
    NextMail,
    asked_contact,
    contact_name,
    holder_name,
    missing,
    plan_holders,
    tasks_of,
    withdraw,
)
from records.keeping import what_keeps
from records.outbox import NoticeWriter
from records.sent_mail import MailToSend
from records.vendors import pending_of, vendor_at

MAIL = "message/rfc822"

WITHOUT_LINK = frozenset(
    {
        HolderMail.STOPPED,
        HolderMail.WITHDRAWN,
        HolderMail.UNDECIDED,
        HolderMail.OTHERS_MISSING,
        HolderMail.RECEIPT,
    }
)
"""What is said without asking for an answer through the link."""


@dataclass(frozen=True)
class HolderLetter:
    """One message to a holder, ready to be handed over; ``sha256`` is that of the same message without its links.

    ``share`` is which part of the holder's time is over, and ``owing`` whether it is the party that owes the disposal.
    ``receipts`` are the answers whose completion certificates go with it. ``mail`` is what is handed over.
    """

    task_id: UUID
    contact_id: UUID | None
    why: HolderMail
    step: int
    due_at: datetime | None
    not_before: datetime | None
    link: int | None
    to: Mailbox
    holder: str
    owing: bool
    share: float
    sha256: str
    mail: MailToSend
    receipts: tuple[UUID, ...] = ()

    @property
    def raw(self) -> bytes:
        """The message with its links."""
        return self.mail.raw


def prepare_letters(
    session: Session, writer: NoticeWriter, case_id: UUID, policy: NoticePolicy, now: datetime
) -> list[HolderLetter]:
    """Write what is to be said to the holders of a case by now, and let the links in it lead somewhere."""
    case = session.get_one(Case, case_id)
    plan = plan_holders(session, case, policy, now, writer.side)
    letters = []
    for task in tasks_of(session, case_id):
        mail = plan.get(task.id)
        if mail and mail.at <= now:
            letters.append(_letter(session, writer, case, task, mail, policy, now))
    return letters


def note_letter(session: Session, letter: HolderLetter, now: datetime, *, rejected: bool, unknown: bool) -> None:
    """Note that a holder was written to, with the evidence of it; the same message is noted once."""
    # Kept only now: while no mail server takes any, the letter is written anew at each attempt.
    store(session, letter.mail.kept or letter.raw, MAIL, now, case=letter.mail.case_id)
    task = session.get_one(HolderTask, letter.task_id)
    match letter.why:
        case HolderMail.ASKED:
            task.asked_at = now
        case HolderMail.STOPPED:
            task.stopped = True
        case HolderMail.RESUMED:
            task.stopped = False
        case HolderMail.REFUSED:
            task.refused_sha256 = None
        case HolderMail.WITHDRAWN:
            withdraw(task, now)
        case HolderMail.DIRECTED:
            task.directed_at = now
            if not missing(tasks_of(session, task.case_id, task.agreement_id)):
                task.asked_at = now
        case HolderMail.RECEIPT:
            session.execute(
                update(HolderAnswer).where(col(HolderAnswer.id).in_(letter.receipts)).values(receipt_sent_at=now)
            )
        case HolderMail.REMINDED | HolderMail.MOVED | HolderMail.UNDECIDED | HolderMail.OTHERS_MISSING:
            pass
        case _:
            assert_never(letter.why)
    if letter.why not in (HolderMail.STOPPED, HolderMail.RECEIPT):
        task.told_due_at, task.told_not_before, task.steps = letter.due_at, letter.not_before, letter.step
    session.add(task)
    append(
        session,
        HolderWritten(
            case_id=task.case_id,
            actor=ENGINE,
            at=now,
            task=task.id,
            contact=task.contact_id,
            mail=letter.why,
            step=letter.step,
            link=letter.link,
            message_sha256=letter.sha256,
            rejected=rejected,
            unknown=unknown,
        ),
    )


def _letter(
    session: Session,
    writer: NoticeWriter,
    case: Case,
    task: HolderTask,
    mail: NextMail,
    policy: NoticePolicy,
    now: datetime,
) -> HolderLetter:
    agreement = session.get_one(Agreement, task.agreement_id)
    token = None if mail.why in WITHOUT_LINK else _token(task, writer, policy, now)
    session.add(task)
    vendor = _vendor(session, writer, task) if token else None
    facts = _facts(session, writer, case, task, agreement, mail.why)
    to = _mailbox(session, writer, task)
    receipts = _receipts(session, task) if mail.why is HolderMail.RECEIPT else []
    mail_id = identifiers.plain_mail_id(_about(case, task, mail, receipts))
    message_id = identifiers.message_id(mail_id, writer.message_id_domain)
    enclosed = tuple(_enclosed(session, writer, case, task, mail.why, receipts, now))

    def written(token: str | None, all_token: str | None) -> bytes:
        links: dict[str, object] = {}
        if token:
            links |= {"link": holder_link(writer.public_url, token), "link_expires_at": task.link_expires_at}
        if vendor and all_token:
            links |= {"all_link": vendor_link(writer.public_url, all_token), "pending": vendor.pending}
        return compose_plain_mail(
            facts.model_copy(update=links),
            sender=writer.sender,
            to=to,
            reply_to=writer.organisation.contact,
            message_id=message_id,
            at=now,
            enclosed=enclosed,
            templates=writer.templates,
        )

    # Whoever reads the evidence must not be able to answer for the holder.
    kept = written(NOBODYS if token else None, NOBODYS if vendor else None)
    contact = asked_contact(session, task)
    return HolderLetter(
        task_id=task.id,
        contact_id=task.contact_id,
        why=mail.why,
        step=mail.step,
        due_at=task.due_at,
        not_before=task.not_before,
        link=task.link_number if token else None,
        to=to,
        holder=holder_name(session, task, writer.organisation.organisation),
        owing=task.contact_id is None,
        share=_share(task, now),
        sha256=identifiers.sha256_hex(kept),
        mail=MailToSend(
            id=mail_id,
            sort=facts.template,
            email=to.email,
            raw=written(token, vendor.token if vendor else None),
            kept=kept,
            case_id=case.id,
            belongs_to=task.id,
            contact_id=contact.id if contact else None,
        ),
        receipts=tuple(answer.id for answer in receipts),
    )


def _share(task: HolderTask, now: datetime) -> float:
    """Which part of a holder's time is over, from 0 to 1."""
    begins, ends = task.asked_at or task.awaited_since, task.internal_due_at or task.due_at
    if ends is None or ends <= begins:
        return 1.0
    return min((now - begins) / (ends - begins), 1.0)


class _AllLink(NamedTuple):
    """The link to all that a vendor is asked: its token, and how much is pending there."""

    token: str
    pending: int


def _vendor(session: Session, writer: NoticeWriter, task: HolderTask) -> _AllLink | None:
    """The link to all that a task's vendor is asked, where that is more than the task; our own office has none."""
    contact = asked_contact(session, task)
    if contact is None:
        return None
    vendor = vendor_at(session, writer.link_key, contact.email)
    task.vendor_id = vendor.id
    session.add(task)
    session.flush()
    pending = pending_of(session, vendor)
    return _AllLink(vendor_token(writer.link_key, vendor.id, vendor.link_number), pending) if pending > 1 else None


def _receipts(session: Session, task: HolderTask) -> list[HolderAnswer]:
    """The answers of a holder whose completion certificates it was not sent yet."""
    signed = (HolderAnswer.task_id == task.id, col(HolderAnswer.receipt_sha256).is_not(None))
    waiting = select(HolderAnswer).where(*signed, col(HolderAnswer.receipt_sent_at).is_(None))
    return list(session.exec(waiting.order_by(col(HolderAnswer.given_at), col(HolderAnswer.id))))


def _enclosed(
    session: Session,
    writer: NoticeWriter,
    case: Case,
    task: HolderTask,
    why: HolderMail,
    receipts: Sequence[HolderAnswer],
    now: datetime,
) -> Iterator[Enclosure]:
    """The files that go with a message."""
    if why is HolderMail.DIRECTED:
        yield from directive_of(session, case, task, writer.organisation.organisation, now)
    for answer in receipts:
        assert answer.receipt_sha256, "only those are read that have one"
        yield Enclosure(receipt_name(case.id, answer.id), fetch(session, answer.receipt_sha256), "application/pdf")


def _about(case: Case, task: HolderTask, mail: NextMail, receipts: Sequence[HolderAnswer]) -> str:
    """What a message is about: the same for each attempt to send it, another for any other message."""
    hold = case.changed_at if mail.why in (HolderMail.STOPPED, HolderMail.RESUMED) else None
    time = f"{task.due_at}:{task.not_before}"
    about = f"holder:{task.id}:{mail.why}:{task.link_number}:{mail.step}:{time}:{task.refused_sha256}:{hold}"
    return ":".join((about, *(str(answer.id) for answer in receipts)))


def _token(task: HolderTask, writer: NoticeWriter, policy: NoticePolicy, now: datetime) -> str:
    """The token of the holder's link: it lasts some days longer than its time; an expired one is replaced."""
    if task.link_expires_at and task.link_expires_at <= now:
        task.link_number += 1
    token = holder_token(writer.link_key, task.id, task.link_number)
    task.link_digest = digest_of(token)
    task.link_expires_at = max(task.due_at or now, task.not_before or now, now) + timedelta(
        days=policy.holder_link_days
    )
    return token


def _mailbox(session: Session, writer: NoticeWriter, task: HolderTask) -> Mailbox:
    contact = asked_contact(session, task) or writer.organisation.contact
    return Mailbox(name=contact.name, email=contact.email)


def _facts(
    session: Session, writer: NoticeWriter, case: Case, task: HolderTask, agreement: Agreement, why: HolderMail
) -> HolderFacts:
    """What a message says but for its links."""
    organisation = writer.organisation.organisation
    of_agreement = tasks_of(session, case.id, task.agreement_id)
    owing = next(holder_name(session, other, organisation) for other in of_agreement if other.contact_id is None)
    whom, part = "you" if task.owing_contact_id else owing, _part(task)
    because = kind_named(case.kind).holders_because.format(
        lea=agreement.lea_name, whom=whom, agreement=agreement.reference
    )
    common: dict[str, object] = {
        "time_zone": agreement.time_zone,
        "case_reference": identifiers.case_reference(case.id),
        "lea": agreement.lea_name,
        "because": because,
        "part": part,
        "owing": owing,
        "due_at": task.due_at,
        # The internal date is said to our own office alone.
        "internal_due_at": task.internal_due_at if part is HoldersPart.OURSELVES else None,
        "not_before": task.not_before,
        "awaited": len(missing(of_agreement)),
        "contact": writer.organisation.contact,
    }
    page = f"{writer.public_url}/cases/{case.id}"
    match why:
        case HolderMail.REFUSED:
            assert task.refused_sha256, "an answer was refused"
            common["reason"] = fetch(session, task.refused_sha256).decode()
        case HolderMail.STOPPED:
            common["kept_by"] = what_keeps(session, case.id, agreement.id) or "something"
        case HolderMail.UNDECIDED:
            common["page"] = page
        case HolderMail.OTHERS_MISSING:
            common["names"] = tuple(sorted(contact_name(session, other) or "" for other in missing(of_agreement)))
            common["page"] = page if part is HoldersPart.OURSELVES else None
        case _:
            pass
    return HOLDER_MAILS[why].model_validate(common)


def _part(task: HolderTask) -> HoldersPart:
    if task.contact_id is not None:
        return HoldersPart.SUBPROCESSOR
    return HoldersPart.CHASED if task.owing_contact_id else HoldersPart.OURSELVES
