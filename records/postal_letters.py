"""Notices that no e-mail can bring to anybody: written as letters, which people print and post.

That a letter was posted is its poster's word, wherever it is shown. It gives the notice when the agreement says that a
letter does, on that word: at once, or some days later; where the agreement lets no such letter give a notice, never.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from types import MappingProxyType
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Text, and_, cast, or_, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, select

from agreements.due_dates import read_due_dates
from agreements.terms import pinned_terms
from cases.acts import NotPosted, Posted
from config.seals import rows_that_open
from ledger.actors import ENGINE
from ledger.append import append
from ledger.artifacts import store
from ledger.entries import JsonObject, LetterMade, LetterTookEffect
from mail.facts import TO_FOLLOW, ElementStatus, NoticeFacts
from mail.on_paper import letter_pdf, words_of
from models import identifiers
from models.enums import BY_POST, BatchStatus, CaseStatus, DutyStatus, NoticeKind, WrittenAnew
from models.errors import InvalidInput, Refused
from models.identifiers import sha256_hex
from models.tables import (
    NOT_POSTED,
    Agreement,
    AgreementContact,
    Artifact,
    Batch,
    Case,
    CaseAgreement,
    CaseDocument,
    Duty,
    Notice,
    PostalLetter,
)
from records.cases import note_change, reopen_case
from records.deliveries import give
from records.duties import run_again
from records.file_types import PDF
from records.outbox import NoticeWriter, OnPaper
from records.performing import lacking_without, perform_further, performed_duties
from records.together import take_along
from terms.clauses import ByPost
from terms.clock import end_of_day
from terms.limits import parse_limit

MOST_AT_ONCE = 200
"""How many letters are written in one go; the next sweep goes on."""

STANDING = col(PostalLetter.replaced_at).is_(None)
"""The condition for a letter that is the latest of its notice."""

_OPEN = and_(
    col(Notice.given_at).is_(None),
    col(Notice.dropped).is_(False),
    or_(
        col(Notice.kind) != NoticeKind.NOTICE,
        col(Duty.status) == DutyStatus.RUNNING,
        and_(col(Duty.status) != DutyStatus.SUSPENDED, cast(col(Notice.also_performs), Text) != "[]"),
    ),
)
"""The condition for a notice that is still to be given; while law enforcement holds it back, it is not posted."""

TO_POST = (NOT_POSTED, _OPEN)
"""The conditions for a letter, joined with its notice and duty, that waits for a person to post it."""


@dataclass(frozen=True)
class PreparedLetter:
    """A letter as it is to be kept, composed before a transaction is begun for it.

    ``replaces`` is the one that it is written anew for, as that says something else or is for somebody else.
    """

    notice_id: UUID
    contact_id: UUID
    address: str
    given: tuple[str, ...]
    lacking: tuple[str, ...]
    written_at: datetime
    pdf: bytes = field(repr=False)
    words: str = field(repr=False)
    enclosed: tuple[str, ...] = ()
    replaces: UUID | None = None


def without_letter(session: Session, *, batch_id: UUID | None = None, limit: int = MOST_AT_ONCE) -> list[UUID]:
    """The notices that were not given and have no letter, of one batch, or of all that were gone through.

    They are those under whose agreements somebody has a postal address; whether mail can still bring one, their
    contacts say.
    """
    gone_through = col(Batch.status) == BatchStatus.SENT
    # Asked of each notice that was not given: those are few, and the contacts of all agreements many.
    of_duty = AgreementContact.agreement_id == Duty.agreement_id, AgreementContact.rank >= 0
    is_addressed = select(AgreementContact.id).where(*of_duty, col(AgreementContact.postal_address).is_not(None))
    has_letter = select(PostalLetter.id).where(PostalLetter.notice_id == Notice.id, STANDING)
    return list(
        session.exec(
            select(Notice.id)
            .join(Batch, col(Batch.id) == col(Notice.batch_id))
            .join(Duty, col(Duty.id) == col(Notice.duty_id))
            .where(_OPEN, gone_through if batch_id is None else col(Batch.id) == batch_id)
            .where(is_addressed.exists(), ~has_letter.exists())
            .order_by(col(Notice.id))
            .limit(limit)
        )
    )


def put_together(session: Session, case_id: UUID, notices: Sequence[UUID]) -> None:
    """Let one letter say what several notices of a batch to the same party would, as one mail would."""
    take_along(session, case_id, notices)


def prepare_letters(
    session: Session,
    writer: NoticeWriter,
    notices: Sequence[UUID],
    now: datetime,
    outdated: Mapping[UUID, UUID] = MappingProxyType({}),
) -> list[PreparedLetter]:
    """Write the letters of those of some notices that no mail can bring to anybody any more; nothing is kept.

    ``outdated`` is by notice the letter that is to be written anew.
    """
    found = writer.on_paper(session, notices, now), writer.on_paper_again(session, dict.fromkeys(outdated, now), now)
    return [_prepared(session, writer, paper, now, outdated.get(paper.notice_id)) for paper in chain(*found)]


def _prepared(
    session: Session, writer: NoticeWriter, paper: OnPaper, now: datetime, replaces: UUID | None
) -> PreparedLetter:
    contact, facts = paper.contact, paper.facts
    assert contact.postal_address, "a letter is for somebody with an address"
    enclosed = _enclosed(session, paper)
    return PreparedLetter(
        notice_id=paper.notice_id,
        contact_id=contact.id,
        address=contact.postal_address,
        given=tuple(one.id for one in facts.elements if one.status is not ElementStatus.NOT_YET_KNOWN),
        lacking=tuple(one.id for one in facts.elements if one.status in TO_FOLLOW),
        written_at=now,
        words=words_of(facts, writer.templates),
        pdf=letter_pdf(facts, contact.name, contact.postal_address, tuple(enclosed.values()), writer.templates),
        enclosed=tuple(enclosed),
        replaces=replaces,
    )


@dataclass(frozen=True)
class Looked:
    """Letters that wait to be posted, held against what is known: those that still say it, and those that do not.

    ``outdated`` is by notice.
    """

    current: tuple[UUID, ...]
    outdated: Mapping[UUID, UUID]


def look_over(session: Session, writer: NoticeWriter, now: datetime, letters: Collection[UUID] | None = None) -> Looked:
    """Hold letters that wait to be posted against what is known by now: some, or all whose case has changed since.

    One whose address does not open is left alone; so is one of which nothing could be said any more.
    """
    changed = col(Case.changed_at) >= col(PostalLetter.checked_at)
    waiting = (
        select(PostalLetter)
        .join(Notice, col(Notice.id) == col(PostalLetter.notice_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .join(Case, col(Case.id) == col(PostalLetter.case_id))
        .where(*TO_POST, changed if letters is None else col(PostalLetter.id).in_(letters))
        .order_by(col(PostalLetter.checked_at), col(PostalLetter.id))
        .limit(MOST_AT_ONCE)
    )
    standing = {row.notice_id: row for row in rows_that_open(session, waiting, col(PostalLetter.id))}
    written = {notice_id: row.made_at for notice_id, row in standing.items()}
    papers = {paper.notice_id: paper for paper in writer.on_paper_again(session, written, now)}
    outdated = {
        notice_id: standing[notice_id].id
        for notice_id, paper in papers.items()
        if not _still_says(session, writer, standing[notice_id], paper)
    }
    return Looked(tuple(row.id for row in standing.values() if row.notice_id not in outdated), outdated)


def _still_says(session: Session, writer: NoticeWriter, letter: PostalLetter, paper: OnPaper) -> bool:
    return (
        letter.contact_id == paper.contact.id
        and letter.address == paper.contact.postal_address
        and letter.words_sha256 == sha256_hex(words_of(paper.facts, writer.templates).encode())
        and letter.enclosed == list(_enclosed(session, paper))
    )


def note_looked_over(session: Session, letters: Sequence[UUID], now: datetime) -> None:
    """Note that some letters say what is known."""
    session.execute(update(PostalLetter).where(col(PostalLetter.id).in_(letters)).values(checked_at=now))


def _enclosed(session: Session, paper: OnPaper) -> Mapping[str, str]:
    """What an envelope holds besides, by SHA-256: the documents that its notice gives and that can be printed."""
    notice = session.get_one(Notice, paper.notice_id)
    agreement = session.get_one(Duty, notice.duty_id).agreement_id
    rows = session.exec(
        select(CaseDocument)
        .join(Artifact, col(Artifact.sha256) == col(CaseDocument.content_sha256))
        .where(CaseDocument.case_id == notice.case_id, Artifact.media_type == PDF.media_type)
        .where(or_(col(CaseDocument.agreement_id).is_(None), col(CaseDocument.agreement_id) == agreement))
        .where(col(CaseDocument.element).in_(_elements(paper.facts)))
        .order_by(col(CaseDocument.element), col(CaseDocument.added_at), col(CaseDocument.id))
    )
    return {document.content_sha256: document.file_name for document in rows}


def _elements(facts: NoticeFacts) -> list[str]:
    return [element.id for element in facts.elements]


def keep_letters(session: Session, letters: Sequence[PreparedLetter], now: datetime) -> int:
    """Keep letters with their evidence, and return how many; of a notice that got one meanwhile, nothing is kept.

    One that is written anew stands in place of the other, which stays as it is: whoever has printed that one decides
    what is posted.
    """
    wanted = {letter.notice_id for letter in letters}
    # Another worker that writes the same letters waits for this, and then finds them.
    session.exec(select(Notice.id).where(col(Notice.id).in_(wanted)).with_for_update()).all()
    rows = session.execute(
        select_columns(col(PostalLetter.notice_id), col(PostalLetter.id), col(PostalLetter.mailed_at)).where(
            STANDING, col(PostalLetter.notice_id).in_(wanted)
        )
    )
    standing = {notice_id: (letter, mailed_at) for notice_id, letter, mailed_at in rows}
    kept = [letter for letter in letters if standing.get(letter.notice_id, (None, None)) == (letter.replaces, None)]
    for letter in kept:
        _keep(session, letter, now)
    return len(kept)


def _keep(session: Session, letter: PreparedLetter, now: datetime) -> None:
    notice = session.get_one(Notice, letter.notice_id)
    sha256 = store(session, letter.pdf, PDF.media_type, now, case=notice.case_id)
    words = store(session, letter.words.encode(), "text/plain", now, case=notice.case_id)
    letter_id = identifiers.postal_letter_id(notice.id, letter.contact_id, sha256)
    replaces = _predecessor(session, letter)
    notice.composed_at = notice.written_at = letter.written_at
    notice.given, notice.lacking = list(letter.given), list(letter.lacking)
    if letter.replaces:
        _replace(session, col(PostalLetter.id) == letter.replaces, WrittenAnew.CONTENT, now)
    row = session.get(PostalLetter, letter_id) or PostalLetter(
        id=letter_id,
        notice_id=notice.id,
        contact_id=letter.contact_id,
        case_id=notice.case_id,
        address=letter.address,
        letter_sha256=sha256,
        words_sha256=words,
        enclosed=list(letter.enclosed),
        given=list(letter.given),
        lacking=list(letter.lacking),
        made_at=now,
        checked_at=now,
    )
    row.replaced_at, row.replaced_for, row.checked_at = None, None, now
    session.add_all((notice, row))
    append(
        session,
        LetterMade(
            case_id=notice.case_id,
            actor=ENGINE,
            at=now,
            notice_id=notice.id,
            letter=letter_id,
            contact=letter.contact_id,
            given=letter.given,
            lacking=letter.lacking,
            letter_sha256=sha256,
            words_sha256=words,
            enclosed=letter.enclosed,
            replaces=replaces[0] if replaces else None,
            printed_at=replaces[1] if replaces else None,
        ),
    )


def _predecessor(session: Session, letter: PreparedLetter) -> tuple[UUID, datetime | None] | None:
    """The letter of the same notice that one is written in place of, and when that was printed; None for the first."""
    row = session.execute(
        select_columns(col(PostalLetter.id), col(PostalLetter.printed_at))
        .where(col(PostalLetter.notice_id) == letter.notice_id, col(PostalLetter.mailed_at).is_(None))
        .order_by(STANDING.desc(), col(PostalLetter.replaced_at).desc(), col(PostalLetter.made_at).desc())
        .limit(1)
    ).first()
    return (row[0], row[1]) if row else None


def _replace(session: Session, which: ColumnElement[bool], why: WrittenAnew, now: datetime) -> None:
    values = {"replaced_at": now, "replaced_for": why}
    session.execute(update(PostalLetter).where(which, NOT_POSTED).values(values))


def count_to_post(session: Session, case_id: UUID) -> int:
    """How many letters of a case wait for a person to post them."""
    return session.exec(
        select(func.count())
        .select_from(PostalLetter)
        .join(Notice, col(Notice.id) == col(PostalLetter.notice_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .where(*TO_POST, PostalLetter.case_id == case_id)
    ).one()


def record_mailing(session: Session, case: Case, act: Posted, *, actor: str, at: datetime) -> JsonObject:
    """Keep that a letter was posted, on a person's word; it gives its notice when the agreement says so.

    Raises:
        Refused: it is no letter of this case that waits to be posted.
        InvalidInput: it is said to have been posted before it was written.
    """
    letter = _letter(session, case, act.letter)
    if letter.mailed_at is not None:
        raise Refused(
            f"{letter.mailed_by} recorded that this letter was posted.",
            where="letter",
            next_step="Take that back first, if it is wrong.",
        )
    if letter.replaced_at is not None:
        _take_up_earlier(session, letter, act, at)
    if act.mailed_at < letter.made_at.replace(second=0, microsecond=0):  # people give whole minutes
        raise InvalidInput(
            "The letter was written later than that.", where="mailed_at", next_step="Look at the list of letters."
        )
    by_post, zone = _by_post(session, letter)
    letter.mailed_at, letter.mailed_by, letter.recorded_at = act.mailed_at, actor, at
    letter.service, letter.tracking_number = act.service, act.tracking_number
    letter.receipt_sha256 = act.receipt.sha256 if act.receipt else None
    letter.effective_at = takes_effect(by_post, act, zone)
    session.add(letter)
    session.flush()
    take_effect(session, at, case.id)
    return {
        "notice": str(letter.notice_id),
        "letter_sha256": letter.letter_sha256,
        "effective_at": letter.effective_at.isoformat() if letter.effective_at else None,
    }


def _take_up_earlier(session: Session, letter: PostalLetter, act: Posted, at: datetime) -> None:
    """Let a letter stand that was written anew since, as a printed one of it was posted; what it lacks follows.

    Raises:
        Refused: it was never printed, or was not to be posted any more by then, or another one was posted.
    """
    assert letter.replaced_at, "only of one that was replaced"
    of_notice = col(PostalLetter.notice_id) == letter.notice_id
    mailed_by = session.exec(
        select(PostalLetter.mailed_by).where(of_notice, col(PostalLetter.mailed_at).is_not(None))
    ).first()
    if mailed_by:
        raise Refused(
            f"{mailed_by} recorded that another letter of the same notice was posted.",
            where="letter",
            next_step="Take that back first, if it is wrong.",
        )
    whatever_says = letter.replaced_for in (WrittenAnew.CONTENT, WrittenAnew.EARLIER)
    if letter.printed_at is None or not (whatever_says or act.mailed_at <= letter.replaced_at):
        raise Refused(
            f"This letter was written anew since, as {WHY_ANEW[letter.replaced_for or WrittenAnew.CONTENT]}.",
            where="letter",
            next_step="Post the one that stands on the list of letters to post.",
        )
    _replace(session, of_notice, WrittenAnew.EARLIER, at)
    letter.replaced_at = letter.replaced_for = None


WHY_ANEW = {
    WrittenAnew.CONTENT: "what it says is no longer what is known",
    WrittenAnew.ADDRESS: "it would go to another address",
    WrittenAnew.LINK: "the link in it no longer opens anything",
    WrittenAnew.EARLIER: "an earlier one was posted",
}
"""Why a letter was written anew, as the end of a sentence."""


def takes_effect(by_post: ByPost | None, act: Posted, zone: ZoneInfo) -> datetime | None:
    """When a letter that was posted gives its notice; None where the agreement lets none of that service give one.

    Days are counted as everywhere: from the day after the mailing in the party's own time zone, to the end of the last.
    """
    if by_post is None or act.service not in by_post.services:
        return None
    if by_post.effective_after is None:
        return act.mailed_at
    days = parse_limit(by_post.effective_after).amount
    return end_of_day(act.mailed_at.astimezone(zone).date() + timedelta(days=days), zone)


def take_back_mailing(session: Session, case: Case, act: NotPosted, at: datetime) -> JsonObject:
    """Take back that a letter was posted: it waits to be posted again, and what it had performed is owed again.

    Raises:
        Refused: no letter of this case is recorded so.
    """
    letter = _letter(session, case, act.letter)
    if letter.mailed_at is None:
        raise Refused(
            "Nobody recorded that this letter was posted.", where="letter", next_step="Look at the list of letters."
        )
    before: JsonObject = {
        "notice": str(letter.notice_id),
        "mailed_at": letter.mailed_at.isoformat(),
        "on_the_word_of": letter.mailed_by,
        "duties": _give_back(session, case, letter) if letter.took_effect_at else {},
    }
    letter.mailed_at = letter.mailed_by = letter.recorded_at = letter.service = letter.tracking_number = None
    letter.receipt_sha256 = letter.effective_at = letter.took_effect_at = None
    if letter.address != session.get_one(AgreementContact, letter.contact_id).postal_address:
        letter.replaced_at, letter.replaced_for = at, WrittenAnew.ADDRESS
    session.add(letter)
    if case.closed_at and case.status is not CaseStatus.DISMISSED and before["duties"]:
        reopen_case(session, case, at)
    session.flush()
    note_change(session, case.id, at)
    return before


def _give_back(session: Session, case: Case, letter: PostalLetter) -> dict[str, str | None]:
    """Let the duties run again that a letter had performed; return how each had been met."""
    notice = session.get_one(Notice, letter.notice_id)
    if notice.given_at != letter.effective_at:
        return {}  # a mail gave it
    notice.given_at = None
    session.add(notice)
    if notice.kind is NoticeKind.DISMISSAL:
        return {}
    rows = session.exec(select(Duty).where(col(Duty.id).in_(performed_duties(notice))).order_by(col(Duty.id))).all()
    due_dates = read_due_dates(session, {duty.due_date_id for duty in rows})
    before: dict[str, str | None] = {}
    for duty in rows:
        if duty.verdict in BY_POST and duty.performed_at == letter.effective_at:
            before[str(duty.id)] = str(duty.verdict)
            run_again(duty, due_dates[duty.due_date_id].due_at)
            if case.status is CaseStatus.DISMISSED:  # nothing is owed in it any more
                duty.status, duty.due_at, duty.target_at, duty.internal_due_at = DutyStatus.CANCELLED, None, None, None
        duty.lacking = lacking_without(session, notice, duty)
        duty.lacking_count = len(duty.lacking)
        session.add(duty)
    return before


def take_effect(session: Session, now: datetime, case_id: UUID | None = None) -> set[UUID]:
    """Write down what letters that were posted have performed by now, of one case or of all; return the cases.

    What a mail gave meanwhile, or was decided otherwise, stays as it is.
    """
    due = [col(PostalLetter.effective_at) <= now, col(PostalLetter.took_effect_at).is_(None)]
    effective = (
        select(PostalLetter)
        .where(*due, *([PostalLetter.case_id == case_id] if case_id else []))
        .order_by(col(PostalLetter.effective_at), col(PostalLetter.id))
        .with_for_update()  # one that another worker writes down meanwhile is not found any more
    )
    letters = rows_that_open(session, effective, col(PostalLetter.id))
    notices = session.exec(
        select(Notice, Duty)
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .where(col(Notice.id).in_([letter.notice_id for letter in letters]))
    )
    of_notice = {notice.id: (notice, duty) for notice, duty in notices}
    rows = [(letter, *of_notice[letter.notice_id]) for letter in letters]
    due_dates = read_due_dates(session, {duty.due_date_id for _, _, duty in rows})
    for letter, notice, duty in rows:
        assert letter.effective_at, "only such letters are read"
        assert letter.mailed_at, "what takes effect was posted"
        assert letter.mailed_by, "somebody says so"
        letter.took_effect_at = now
        session.add_all((letter, notice, duty))
        performed: list[Duty] = []
        gives = notice.given_at is None and not notice.dropped
        if gives:
            # What was posted gives what it says, whatever was written since for a mail, or for a letter not posted.
            notice.given, notice.lacking = list(letter.given), list(letter.lacking)
            _tell_that_it_is_none(session, notice, now)
            give(notice, duty, due_dates[duty.due_date_id], letter.effective_at, verdicts=BY_POST)
            performed = [duty, *perform_further(session, notice, letter.effective_at, verdicts=BY_POST)]
        met = {str(one.id): one.verdict for one in performed if one.performed_at == letter.effective_at and one.verdict}
        append(
            session,
            LetterTookEffect(
                case_id=letter.case_id,
                actor=ENGINE,
                at=now,
                notice_id=notice.id,
                letter=letter.id,
                on_the_word_of=letter.mailed_by,
                mailed_at=letter.mailed_at,
                effective_at=letter.effective_at,
                duties=met,
                given=tuple(letter.given) if gives else None,
                lacking=tuple(letter.lacking) if gives else None,
            ),
        )
        note_change(session, letter.case_id, now)
    session.flush()
    return {letter.case_id for letter, _, _ in rows}


def _tell_that_it_is_none(session: Session, notice: Notice, now: datetime) -> None:
    """Open a dismissed case again whose party a letter has now told: it is told of the dismissal too."""
    case = session.get_one(Case, notice.case_id)
    if case.closed_at and case.status is CaseStatus.DISMISSED and notice.kind is NoticeKind.NOTICE:
        reopen_case(session, case, now)


def _letter(session: Session, case: Case, letter_id: UUID) -> PostalLetter:
    letter = session.get(PostalLetter, letter_id)
    if letter is None or letter.case_id != case.id:
        raise Refused("This case has no such letter.", where="letter", next_step="Look at the list of letters to post.")
    return letter


def _by_post(session: Session, letter: PostalLetter) -> tuple[ByPost | None, ZoneInfo]:
    """How the agreement lets a letter give a notice, as its case has pinned it, and its party's time zone."""
    notice = session.get_one(Notice, letter.notice_id)
    agreement = session.get_one(Agreement, session.get_one(Duty, notice.duty_id).agreement_id)
    pinned = session.get_one(CaseAgreement, (letter.case_id, agreement.id)).terms_hash
    terms = pinned_terms(session, letter.case_id)
    return (terms[pinned].by_post if pinned else None), ZoneInfo(agreement.time_zone)
