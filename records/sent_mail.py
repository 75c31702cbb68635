"""Mails that are no notices: each kept as it was handed over, and what came back about it with what that means.

Nothing about a duty changes by what comes back here. A contact from which a mail came back is known to fail, a
question whose answer came back is open again, and people are told, with what it belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select, update

from config.seals import rows_that_open
from ledger.actors import ENGINE
from ledger.append import append
from ledger.artifacts import store
from ledger.entries import MailBounced, MailReported
from mail.delivery_states import Happening, moved, transitions
from mail.handover import Accepted, MailServerUnavailable, Rejected
from models import identifiers
from models.enums import ReportKind, Told
from models.tables import FAILING, UNTOLD_BOUNCE, AgreementContact, Letter, SentMail
from models.tables import Answer as Asked
from records.bounces import MOST_REPORTS, CameBack, Fate, Recorded, StillUnderWay
from records.deliveries import Answer
from records.erased import is_erased
from records.mail_state import end_pause, is_disregarded, probe_again, probes_alone
from records.overdue_letters import turn_to_the_next
from records.replies import reopen

UNDER_WAY = timedelta(minutes=15)
"""For how long an attempt may be under way; after that, whoever handed it over has stopped."""

ABOUT_A_BOUNCE = "people/mail_back"
"""The mail that tells of one that came back; of its own coming back nobody is told by mail."""

_MESSAGE_ID = re.compile(r"<([0-9a-f-]{36})@")


@dataclass(frozen=True)
class MailToSend:
    """A mail that is no notice, still to be handed over; ``sent_mail`` says what each of it is.

    ``kept`` is the same without what opens something, where the mail has that.
    """

    id: UUID
    sort: str
    email: str
    raw: bytes = field(repr=False)
    case_id: UUID | None = None
    belongs_to: UUID | None = None
    contact_id: UUID | None = None
    who: str | None = None
    kept: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Begun:
    """Which attempt to hand a mail over has begun; ``probing`` is whether it is the one mail tried in a pause."""

    attempt: int
    probing: bool


def begin_mail(
    session: Session, mail: MailToSend, now: datetime, probe_after: timedelta, *, at_once: bool = False
) -> Begun:
    """Note that a mail is about to be handed over.

    In a pause, the first of those to somebody outside after ``probe_after`` is tried; what goes ``at_once`` knows of no
    pause, as a person finds out by it what is wrong.

    Raises:
        MailIsPaused: it waits.
    """
    probing = not at_once and probes_alone(session, probe_after if mail.contact_id else None, now)
    row = session.get(SentMail, mail.id, with_for_update=True)
    if row is None:
        row = SentMail(
            id=mail.id,
            sort=mail.sort,
            case_id=mail.case_id,
            belongs_to=mail.belongs_to,
            contact_id=mail.contact_id,
            who=mail.who,
            email=mail.email,
            attempted_at=now,
        )
    row.email, row.attempts, row.attempted_at, row.outcome = mail.email, row.attempts + 1, now, None
    session.add(row)
    return Begun(row.attempts, probing)


def settle_mail(
    session: Session, mail: MailToSend, answer: Answer, now: datetime, *, probing: bool = False
) -> str | None:
    """Keep a mail as it was handed over, with what became of it; return its SHA-256, or None where none left.

    One that was tried in a pause and was taken ends that.
    """
    row = session.get_one(SentMail, mail.id)
    session.add(row)
    if probing and isinstance(answer, Accepted):
        end_pause(session, ENGINE, now)
    elif probing and not isinstance(answer, Rejected):
        probe_again(session, now)
    if isinstance(answer, MailServerUnavailable):
        row.outcome = Told.FAILED
        return None
    row.message_sha256 = store(
        session, mail.raw if mail.kept is None else mail.kept, "message/rfc822", now, case=mail.case_id
    )
    match answer:
        case Accepted():
            row.outcome = Told.ACCEPTED
        case Rejected():
            row.outcome, row.status, row.says = Told.REJECTED, answer.status, answer.text
            if not is_disregarded(session, answer.code, answer.status):
                _fails(session, row, now)
        case _:
            row.outcome = Told.UNKNOWN
    return row.message_sha256


def mails_of_message(session: Session, message_id: str, recipients: Iterable[str]) -> list[UUID]:
    """The mail of a Message-ID, if it went to one of some addresses."""
    named = _MESSAGE_ID.match(message_id)
    row = session.get(SentMail, UUID(named[1])) if named else None
    return [row.id] if row and row.email.casefold() in {address.casefold() for address in recipients} else []


def record_mail_report(session: Session, came: CameBack, now: datetime) -> Recorded:
    """Keep what came back about a mail that is no notice, once, as evidence, with what follows from it.

    Raises:
        StillUnderWay: the attempt's own outcome is not recorded yet.
    """
    row = session.get(SentMail, came.delivery_id, with_for_update=True)
    if row is None or (row.case_id and is_erased(session, row.case_id)):
        return Recorded(Fate.FOREIGN)
    attempt = came.attempt or row.attempts
    if not 0 < attempt <= row.attempts:
        return Recorded(Fate.FOREIGN)
    if attempt == row.attempts and row.outcome is None and now < row.attempted_at + UNDER_WAY:
        raise StillUnderWay(
            "The mail server's own answer to this message is not recorded yet.", next_step="Bring it once more."
        )
    if row.reports >= MOST_REPORTS:
        return Recorded(Fate.KNOWN)
    of_recipient = not came.report.recipients or row.email.casefold() in came.report.recipients
    bounced = of_recipient and came.report.kind is ReportKind.FAILED
    event = (MailBounced if bounced else MailReported)(
        case_id=row.case_id,
        actor=ENGINE,
        at=now,
        mail=row.id,
        sort=row.sort,
        belongs_to=row.belongs_to,
        contact=row.contact_id,
        who=row.who,
        attempt=attempt,
        report_id=identifiers.report_id(came.source),
        report=came.report.kind,
        of_recipient=of_recipient,
        status=came.report.status,
        via=came.via,
        message_sha256=row.message_sha256,
        report_sha256=store(session, came.raw, came.media_type, now, case=row.case_id),
    )
    (entry,) = append(session, event)
    if entry.at != now:
        return Recorded(Fate.KNOWN)
    row.reports += 1
    session.add(row)
    if bounced and row.bounced_at is None:
        row.bounced_at, row.status, row.says = now, came.report.status, came.report.says
        if row.sort == ABOUT_A_BOUNCE:
            row.raised_at = now
        _fails(session, row, now)
        _follow_letter(session, row, now)
    return Recorded(Fate.RECORDED)


def untold_bounces(session: Session, limit: int) -> Sequence[SentMail]:
    """Mails that came back, and that nobody was told of, those of one case together, the first ones first.

    One whose address does not open is passed over: of that people are told by itself.
    """
    untold = select(SentMail).where(UNTOLD_BOUNCE).order_by(col(SentMail.bounced_at), col(SentMail.id)).limit(limit)
    rows = rows_that_open(session, untold, col(SentMail.id))
    return [row for row in rows if row.case_id == rows[0].case_id]


@dataclass(frozen=True)
class ReturnedMail:
    """A mail that came back, or was refused, as people are told of it: ``to`` is its reader's name."""

    id: UUID
    sort: str
    case_id: UUID | None
    belongs_to: UUID | None
    to: str
    who: str | None
    at: datetime
    status: str | None
    says: str | None
    message_sha256: str | None


def returned_mails(session: Session, rows: Sequence[SentMail]) -> list[ReturnedMail]:
    """Mails that came back, with the names of those they were for."""
    return [
        ReturnedMail(
            id=row.id,
            sort=row.sort,
            case_id=row.case_id,
            belongs_to=row.belongs_to,
            to=_reader(session, row),
            who=row.who,
            at=row.bounced_at or row.attempted_at,
            status=row.status,
            says=row.says,
            message_sha256=row.message_sha256,
        )
        for row in rows
    ]


def returned_of_case(session: Session, case_id: UUID | None, limit: int) -> list[ReturnedMail]:
    """The mails of a case, or of none, that came back or were refused, the last first."""
    of_case = col(SentMail.case_id).is_not_distinct_from(case_id)
    rows = select(SentMail).where(of_case, FAILING).order_by(col(SentMail.attempted_at).desc(), col(SentMail.id))
    return returned_mails(session, rows_that_open(session, rows.limit(limit), col(SentMail.id)))


def _reader(session: Session, row: SentMail) -> str:
    if row.contact_id:
        return session.get_one(AgreementContact, row.contact_id).name
    letter = session.get(Letter, row.belongs_to) if row.belongs_to else None
    asker = session.get(Asked, letter.answer_id) if letter and letter.answer_id else None
    return row.who or (asker.name if asker else None) or "somebody whose name is not known"


def note_bounces_told(session: Session, ids: Iterable[UUID], now: datetime) -> None:
    """Note that people were told that some mails came back."""
    session.execute(update(SentMail).where(col(SentMail.id).in_(list(ids))).values(raised_at=now))


def _fails(session: Session, row: SentMail, now: datetime) -> None:
    if row.contact_id:
        contact = session.get_one(AgreementContact, row.contact_id)
        contact.failing_since = contact.failing_since or now
        session.add(contact)


def _follow_letter(session: Session, row: SentMail, now: datetime) -> None:
    """Of a letter that came back: a question is open again, and word of an overdue duty goes to the next contact."""
    letter = session.get(Letter, row.belongs_to) if row.belongs_to else None
    if letter is None or Happening.BOUNCED not in transitions(letter.status):
        return
    letter.status, letter.settled_at, letter.again_at = moved(letter.status, Happening.BOUNCED), now, None
    session.add(letter)
    if letter.answer_id:
        reopen(session, letter.answer_id)
    else:
        turn_to_the_next(session, letter, now)
