"""What the holders of data are written: prepared with the link in it, handed over elsewhere, and noted as evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import Session

from cases.kinds import kind_named
from cases.state import NoticePolicy
from ledger.actors import ENGINE
from ledger.append import append
from ledger.artifacts import fetch, store
from ledger.entries import HolderWritten
from mail.compose import local_instant, utc_instant
from mail.facts import Mailbox
from mail.holder_links import NOBODYS, digest_of, holder_link, holder_token
from mail.plain import compose_plain_mail
from models import identifiers
from models.enums import HolderMail
from models.phrases import counted
from models.tables import Agreement, AgreementContact, Case, HolderTask
from records.holders import NextMail, contact_name, missing, plan_holders, tasks_of, withdraw
from records.outbox import NoticeWriter

MAIL = "message/rfc822"

WITHOUT_LINK = frozenset({HolderMail.STOPPED, HolderMail.WITHDRAWN, HolderMail.UNDECIDED, HolderMail.OTHERS_MISSING})
"""What is said without asking for an answer through the link."""


@dataclass(frozen=True)
class HolderLetter:
    """One message to a holder, ready to be handed over; ``sha256`` is that of the same message without its link."""

    task_id: UUID
    contact_id: UUID | None
    why: HolderMail
    step: int
    due_at: datetime | None
    not_before: datetime | None
    link: int | None
    to: Mailbox
    holder: str
    sha256: str
    raw: bytes = field(repr=False)


def prepare_letters(
    session: Session, writer: NoticeWriter, case_id: UUID, policy: NoticePolicy, now: datetime
) -> list[HolderLetter]:
    """Write what is to be said to the holders of a case by now, and let the links in it lead somewhere."""
    case = session.get_one(Case, case_id)
    plan = plan_holders(session, case, policy, now)
    letters = []
    for task in tasks_of(session, case_id):
        mail = plan.get(task.id)
        if mail and mail.at <= now:
            letters.append(_letter(session, writer, case, task, mail, policy, now))
    return letters


def note_letter(session: Session, letter: HolderLetter, now: datetime, *, rejected: bool, unknown: bool) -> None:
    """Note that a holder was written to, with the evidence of it; the same message is noted once."""
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
        case HolderMail.REMINDED | HolderMail.MOVED | HolderMail.UNDECIDED | HolderMail.OTHERS_MISSING:
            pass
        case _:
            assert_never(letter.why)
    if letter.why is not HolderMail.STOPPED:
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
    subject, words = _words(session, writer, case, task, agreement, mail.why)
    to = _mailbox(session, writer, task)
    message_id = identifiers.message_id(identifiers.plain_mail_id(_about(case, task, mail)), writer.message_id_domain)

    def written(link: str | None) -> bytes:
        return compose_plain_mail(
            f"{subject} (case {identifiers.case_reference(case.id)})",
            (*words, *_about_the_link(link, task.link_expires_at), _whom_to_ask(writer)),
            sender=writer.sender,
            to=to,
            message_id=message_id,
            at=now,
        )

    return HolderLetter(
        task_id=task.id,
        contact_id=task.contact_id,
        why=mail.why,
        step=mail.step,
        due_at=task.due_at,
        not_before=task.not_before,
        link=task.link_number if token else None,
        to=to,
        holder=contact_name(session, task) or writer.organisation.organisation,
        # Whoever reads the evidence must not be able to answer for the holder.
        sha256=store(session, written(holder_link(writer.public_url, NOBODYS) if token else None), MAIL, now),
        raw=written(holder_link(writer.public_url, token) if token else None),
    )


def _about(case: Case, task: HolderTask, mail: NextMail) -> str:
    """What a message is about: the same for each attempt to send it, another for any other message."""
    hold = case.changed_at if mail.why in (HolderMail.STOPPED, HolderMail.RESUMED) else None
    time = f"{task.due_at}:{task.not_before}"
    return f"holder:{task.id}:{mail.why}:{task.link_number}:{mail.step}:{time}:{task.refused_sha256}:{hold}"


def _token(task: HolderTask, writer: NoticeWriter, policy: NoticePolicy, now: datetime) -> str:
    """The token of the holder's link, which lasts until some days after the due instant; an expired one is replaced."""
    if task.link_expires_at and task.link_expires_at <= now:
        task.link_number += 1
    token = holder_token(writer.link_key, task.id, task.link_number)
    task.link_digest = digest_of(token)
    task.link_expires_at = max(task.due_at or now, now) + timedelta(days=policy.holder_link_days)
    return token


def _mailbox(session: Session, writer: NoticeWriter, task: HolderTask) -> Mailbox:
    if task.contact_id is None:
        return Mailbox(name=writer.organisation.contact.name, email=writer.organisation.contact.email)
    contact = session.get_one(AgreementContact, task.contact_id)
    return Mailbox(name=contact.name, email=contact.email)


def _about_the_link(link: str | None, expires_at: datetime | None) -> tuple[str, ...]:
    if link is None or expires_at is None:
        return ()
    return (
        link,
        f"This link is for you alone, needs no account, and leads nowhere after {utc_instant(expires_at)}. Whoever has "
        "it can answer for you, so pass it on only to the person who is to answer.",
    )


def _whom_to_ask(writer: NoticeWriter) -> str:
    contact = writer.organisation.contact
    return f"Who can be asked about this: {contact.name}, {contact.email}."


def _words(
    session: Session, writer: NoticeWriter, case: Case, task: HolderTask, agreement: Agreement, why: HolderMail
) -> tuple[str, list[str]]:
    """The subject and the paragraphs; what is asked in detail stands behind the link, not in the mail."""
    lea, organisation, zone = agreement.lea_name, writer.organisation.organisation, ZoneInfo(agreement.time_zone)
    by = f" by {local_instant(task.due_at, zone)}" if task.due_at else ""
    asked = kind_named(case.kind).holders_because.format(lea=lea, organisation=organisation)
    if task.not_before:
        asked += f" That may NOT be done before {local_instant(task.not_before, zone)}, since {lea} was told so."
    own = task.contact_id is None
    please = (
        f"Every subprocessor has answered. Please give {organisation}'s own certificate{by}:"
        if own
        else f"You hold some of it for {organisation}. Please dispose of it and certify that{by}:"
    )
    page = f"{writer.public_url}/cases/{case.id}"
    match why:
        case HolderMail.ASKED:
            return "Please dispose of student data, and certify that", [asked, please]
        case HolderMail.REMINDED:
            return "Reminder: please dispose of student data, and certify that", [
                f"{asked} We asked you before, and have no certificate of yours yet.",
                please,
            ]
        case HolderMail.REFUSED:
            assert task.refused_sha256, "an answer was refused"
            return "Your answer was not accepted: please certify the disposal", [
                f"{asked} We cannot accept what you answered. The reason:",
                fetch(session, task.refused_sha256).decode(),
                please,
            ]
        case HolderMail.MOVED:
            return "Another day for the disposal of student data", [
                f"{asked} It is now to be disposed of{by}. Whatever day we named before does not count any more.",
                please,
            ]
        case HolderMail.STOPPED:
            return "Stop: please do not dispose of student data", [
                f"We asked you to dispose of student data of {lea}. Please do NOT do so until you hear from us again: "
                "a legal hold keeps this data.",
                "If you have disposed of some of it already, please answer this message at once.",
            ]
        case HolderMail.RESUMED:
            return "Please dispose of student data after all, and certify that", [
                f"The legal hold on student data of {lea} is lifted.",
                please,
            ]
        case HolderMail.WITHDRAWN:
            return "Stop: please do not dispose of student data any more", [
                f"We asked you to dispose of student data of {lea}. Please do NOT do so any more: what we asked is "
                "withdrawn, and nothing is to be disposed of because of it.",
                "If you have disposed of some of it already, please answer this message at once.",
            ]
        case HolderMail.UNDECIDED:
            return f"A directive of {lea} waits for you", [
                f"{lea} has directed that its student data is disposed of{by}. None of its designated contacts signed "
                "that, so it waits for an officer. The time runs all the same, and nobody is asked to dispose of "
                "anything before it is accepted.",
                "Please accept or refuse it:",
                page,
            ]
        case HolderMail.OTHERS_MISSING:
            names = sorted(
                contact_name(session, other) or "" for other in missing(tasks_of(session, case.id, task.agreement_id))
            )
            return f"{counted(len(names), 'subprocessor has', 'subprocessors have')} not confirmed the disposal", [
                f"Student data of {lea} is to be disposed of{by}. These subprocessors have not confirmed that:",
                "\n".join(names),
                "Your own certificate comes after theirs. What each was asked and answered is on the case's page:",
                page,
            ]
        case _:
            assert_never(why)
