"""What LEAs answer to their notices through the link, and what an officer does about it."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple, TypeAlias, assert_never
from uuid import UUID, uuid4, uuid5

import rfc8785
from sqlalchemy import ColumnElement, and_
from sqlalchemy import case as sql_case
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, insert, select, update
from sqlmodel.sql.expression import SelectOfScalar

from agreements.due_dates import read_due_date
from agreements.life import record_expected_renewal
from cases.end_of_agreement import RENEWAL_EXPECTED
from cases.kinds import kind_named
from config.database import Database
from ledger.actors import LEA
from ledger.append import append
from ledger.artifacts import Content, store_many, text_of
from ledger.contacts import record_contacts
from ledger.entries import (
    AnswerEvent,
    AnswerSettled,
    ContactAdopted,
    ContactNamed,
    FactSaid,
    NoObjection,
    NoticeAcknowledged,
    QuestionAsked,
    TerminationDeclared,
)
from mail.delivery_states import TO_ACKNOWLEDGE
from mail.facts import checked_address, clean_block, clean_line
from mail.links import LinkOfNotice
from models import identifiers
from models.enums import DECISIONS, EXERCISES, AnswerKind, ContactRole, DeliveryStatus, NoticeKind
from models.errors import InvalidFields, InvalidInput, NotFound, Refused
from models.grouping import grouped
from models.phrases import day_words
from models.tables import Agreement, AgreementContact, Answer, Case, Delivery, DueDate, Duty, Letter, Notice
from models.view import View
from records.cases import note_change
from records.erased import erased_cases
from records.offers import Offer, carry_out, offer_of, reasons_of, unanswered, words_of
from records.open_links import ended_links
from records.scope import clauses_of_agreement, require_case
from terms.clock import day_of, zone_of

FURTHEST_EFFECT = timedelta(days=731)
"""How far ahead a decision may have effect: what lies further is a mistyped year."""

LONGEST_NAME = 200
LONGEST_QUESTION = 10_000

MOST_ANSWERS = 50
"""How many questions and contacts come through one link; whoever has more to say writes."""

MOST_AT_ONCE = 500
"""How many answers one transaction keeps, so that none waits long for those after it."""


@dataclass(frozen=True)
class GivenAnswer:
    """One answer as it arrived, checked; ``actor`` is ``LEA``, or the officer who enters it for them.

    ``link`` is the link that it came through; it is kept only if that still opens the notice. ``ground`` is that of a
    decision that exercises a right, ``on`` the day from which it has effect, where it is not that of the answer.
    """

    notice_id: UUID
    kind: AnswerKind
    actor: str
    name: str | None = None
    email: str | None = None
    text: str | None = None
    link: LinkOfNotice | None = None
    ground: str | None = None
    on: date | None = None


class LinkedNotice(View):
    """What the holder of a notice's link is shown of it: no more than the mail said.

    ``offer`` is the right that it lets its reader exercise, ``decision`` what was decided about that at ``decided_at``.
    ``for_families`` is whether what it leads to is for telling families. ``may_say`` is the dated fact that its reader
    may say has come about, ``said_at`` when somebody did.
    """

    id: UUID
    case_id: UUID
    agreement_id: UUID
    case_reference: str
    agreement_reference: str
    lea_name: str
    time_zone: str
    kind: NoticeKind
    given_at: datetime | None
    acknowledged_at: datetime | None
    offer: Offer | None
    decision: AnswerKind | None
    decided_at: datetime | None
    for_families: bool
    may_say: str | None = None
    said_at: datetime | None = None


class ReplyView(View):
    """What was answered to a question; ``status`` is what became of its letter, ``message_sha256`` the letter."""

    text: str
    replied_by: str
    replied_at: datetime
    status: DeliveryStatus
    settled_at: datetime | None
    message_sha256: str | None


class AnswerView(View):
    """One question, decision, or contact that an LEA named; ``seen_at`` is when an officer was done with it.

    ``ground`` is that of a decision, in the words of its clause; ``recorded_by`` is the officer who heard it otherwise
    than by the notice's link, and then ``text`` says from whom, when and how.
    """

    id: UUID
    lea_name: str
    name: str | None
    email: str | None
    text: str | None
    given_at: datetime
    seen_at: datetime | None
    ground: str | None = None
    recorded_by: str | None = None
    replies: tuple[ReplyView, ...] = ()


class LinkedQuestion(View):
    """A question that was asked through a notice's link, with what was answered to it: for whoever holds the link."""

    asked_at: datetime
    text: str
    replies: tuple[ReplyView, ...]


class UnacknowledgedView(View):
    """One notice that was given and that nobody has answered yet; ``silent_at`` is when that was noted as silence."""

    lea_name: str
    agreement_reference: str
    clause_title: str
    given_at: datetime
    reminders: int
    silent_at: datetime | None


class AnswersView(View):
    """What the LEAs of a case have answered: notices are counted, open questions and contacts come first.

    ``unanswered`` counts the given notices to which nothing came that they ask for; ``unacknowledged`` are the oldest.
    ``offering`` counts the given notices that offer a right. Of these, ``no_objections`` were answered so,
    ``exercised`` hold the decisions that exercise it, and of ``silent`` it was noted that no decision came.
    """

    given: int
    acknowledged: int
    unanswered: int
    offering: int
    no_objections: int
    silent: int
    exercised: tuple[AnswerView, ...]
    unacknowledged: tuple[UnacknowledgedView, ...]
    questions: tuple[AnswerView, ...]
    contacts: tuple[AnswerView, ...]
    facts: tuple[AnswerView, ...]


def checked_answer(
    notice_id: UUID,
    kind: AnswerKind,
    *,
    actor: str = LEA,
    name: str = "",
    email: str = "",
    text: str = "",
    link: LinkOfNotice | None = None,
) -> GivenAnswer:
    """An answer as typed, cleaned; an acknowledgement needs nothing more, the others need to say who and what.

    Raises:
        InvalidFields: something is missing, too long, or no address; each problem names its field.
    """
    name, email, text = clean_line(name), clean_line(email), clean_block(text)
    problems = [*_too_long("name", name, LONGEST_NAME), *_too_long("question", text, LONGEST_QUESTION)]
    if kind is AnswerKind.ACKNOWLEDGED:
        email = text = ""
    elif kind is AnswerKind.FACT:
        problems += [] if name else [_empty("name")]
    else:
        needed = {"name": name, "email": email} | ({"question": text} if kind is AnswerKind.QUESTION else {})
        problems += [_empty(where) for where, value in needed.items() if not value]
    if email:
        try:
            checked_address(email, where="email")
        except InvalidInput as error:
            problems.append(error)
    if problems:
        raise InvalidFields(tuple(problems))
    return GivenAnswer(notice_id, kind, actor, name or None, email or None, text or None, link)


def checked_decision(
    notice: LinkedNotice,
    kind: AnswerKind,
    *,
    actor: str,
    name: str = "",
    email: str = "",
    ground: str = "",
    on: str = "",
    now: datetime,
    attested: bool = False,
    link: LinkOfNotice | None = None,
) -> GivenAnswer:
    """A decision about the right that a notice offers, as it was typed and cleaned.

    Raises:
        NotFound: the notice offers nothing that is answered so.
        Refused: it was exercised already.
        InvalidFields: something is missing or too long, or it is no ground; each problem names its field.
    """
    offer = notice.offer
    if offer is None or kind not in (AnswerKind.NO_OBJECTION, offer.answer):
        raise NotFound("There is no such answer.", next_step="Go back, and use one of the page's forms.")
    if notice.decision not in (None, AnswerKind.NO_OBJECTION):
        raise Refused("This was answered already.", next_step="Write to whoever sent the notice if that was a mistake.")
    name, email = clean_line(name), clean_line(email)
    problems = [*_too_long("name", name, LONGEST_NAME), *([] if name else [_empty("name")])]
    if kind is AnswerKind.NO_OBJECTION:
        email = ground = on = ""
    else:
        problems += _problems_of_exercise(offer, email, ground, attested=attested)
    try:
        today = day_of(now, zone_of(notice.time_zone))
        day = effect_day(date.fromisoformat(on) if on else None, today, today)
    except ValueError:
        problems.append(InvalidInput("This is not a date.", where="on", next_step="Write it as 2026-03-07."))
    except InvalidInput as error:
        problems.append(error)
    if problems:
        raise InvalidFields(tuple(problems))
    return GivenAnswer(notice.id, kind, actor, name, email or None, None, link, ground or None, day)


def effect_day(on: date | None, first: date, today: date) -> date | None:
    """The day from which a decision has effect; None where it is that of the answer.

    Raises:
        InvalidInput: it is before the ``first`` one that can be meant, or further ahead than can be.
    """
    if on and not first <= on <= today + FURTHEST_EFFECT:
        raise InvalidInput(
            f"It can have effect from {day_words(first)} on, and within two years.",
            where="on",
            next_step="Correct the day, or leave it out: then it is today.",
        )
    return on


def _problems_of_exercise(offer: Offer, email: str, ground: str, *, attested: bool) -> Iterator[InvalidInput]:
    try:
        checked_address(email, where="email")
    except InvalidInput as error:
        yield error if email else _empty("email")
    if ground not in offer.reasons:
        yield InvalidInput("No ground is chosen.", where="ground", next_step="Choose the one that holds.")
    if not attested:
        yield InvalidInput(
            "It is not attested.", where="attested", next_step="Tick that you may say this for the agency."
        )


def _empty(where: str) -> InvalidInput:
    return InvalidInput("Nothing is given here.", where=where, next_step="Fill it in.")


def _too_long(where: str, text: str, longest: int) -> list[InvalidInput]:
    if len(text) <= longest:
        return []
    return [InvalidInput(f"This is longer than {longest:,} characters.", where=where, next_step="Shorten it.")]


def check_room(database: Database, notice_id: UUID) -> None:
    """Return where a notice takes one more question or contact.

    Raises:
        Refused: so many came through its link that whoever holds it should write instead.
    """
    with database.reading() as session:
        given = select(func.count()).where(
            Answer.notice_id == notice_id, col(Answer.kind).not_in((AnswerKind.ACKNOWLEDGED, *DECISIONS))
        )
        if session.exec(given).one() >= MOST_ANSWERS:
            raise Refused(
                f"{MOST_ANSWERS} questions and contacts came through this link already, so this one was not kept.",
                next_step="Write to whoever sent the notice.",
            )


def record_answers(session: Session, answers: Sequence[GivenAnswer], key: bytes, now: datetime) -> None:
    """Keep some answers with their evidence; one that is kept already is not kept again.

    A notice is acknowledged once: the first acknowledgement stays. A decision says that the notice arrived too, and
    what it brings about is recorded with it. Nothing waits for a workflow. An answer to a notice that is not kept here
    is left out.

    Args:
        session: a session of ``Database.writing()``.
        answers: what arrived, in order.
        key: keys the ids of answers, so that an id tells nothing of what was answered.
        now: the instant of the answers.
    """
    case_of = _lock_notices(session, {answer.notice_id for answer in answers})
    named: dict[UUID, GivenAnswer] = {}
    for answer in answers:
        if answer.notice_id in case_of:
            named.setdefault(_answer_id(answer, key), answer)
    for answer_id in session.exec(select(Answer.id).where(col(Answer.id).in_(named))):
        del named[answer_id]
    if not named:
        return
    said = _keep_what_was_said(session, named, case_of, now)
    session.execute(
        insert(Answer),
        [
            {
                "id": answer_id,
                "notice_id": answer.notice_id,
                "case_id": case_of[answer.notice_id],
                "kind": answer.kind,
                "name": answer.name,
                "email": answer.email,
                "text": answer.text,
                "ground": answer.ground,
                "recorded_by": answer.actor if answer.kind in DECISIONS and answer.actor != LEA else None,
                "said_sha256": said.get(answer_id),
                "given_at": now,
                "seen_at": now if answer.kind in DECISIONS else None,  # nobody has to settle it
            }
            for answer_id, answer in named.items()
        ],
    )
    _take_facts(session, [answer for answer in named.values() if answer.kind is AnswerKind.FACT], now)
    arrived = {AnswerKind.ACKNOWLEDGED, *DECISIONS}
    acknowledged = [answer.notice_id for answer in named.values() if answer.kind in arrived]
    unsaid = col(Notice.acknowledged_at).is_(None)
    session.execute(update(Notice).where(col(Notice.id).in_(acknowledged), unsaid).values(acknowledged_at=now))
    session.execute(
        update(Delivery)
        .where(col(Delivery.notice_id).in_(acknowledged), col(Delivery.status).in_(TO_ACKNOWLEDGE))
        .where(col(Delivery.is_copy).is_(False))
        .values(status=DeliveryStatus.ACKNOWLEDGED)
    )
    decided = {answer.notice_id: answer for answer in named.values() if answer.kind in DECISIONS}
    session.execute(update(Notice).where(col(Notice.id).in_(decided)).values(decided_at=now))
    agreements = _agreements_of(session, decided)
    append(
        session,
        *(
            _event(
                answer,
                agreements.get(answer.notice_id),
                {
                    "case_id": case_of[answer.notice_id],
                    "actor": answer.actor,
                    "at": now,
                    "notice_id": answer.notice_id,
                    "answer": answer_id,
                    "said_sha256": said.get(answer_id),
                },
            )
            for answer_id, answer in named.items()
        ),
    )
    for answer in named.values():
        if answer.kind in DECISIONS:
            case = session.get_one(Case, case_of[answer.notice_id])
            words = words_of(reasons_of(session, case), answer.ground)
            agreement = agreements[answer.notice_id]
            carry_out(session, case.id, agreement, answer.kind, words, on=answer.on, actor=answer.actor, now=now)


def _agreements_of(session: Session, notices: Iterable[UUID]) -> dict[UUID, Agreement]:
    """The agreement under which each of some notices was given."""
    rows = session.exec(
        select(Notice.id, Agreement)
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .where(col(Notice.id).in_(notices))
    )
    return dict(rows.all())


def _event(answer: GivenAnswer, agreement: Agreement | None, said: dict[str, Any]) -> AnswerEvent:
    match answer.kind:
        case AnswerKind.ACKNOWLEDGED:
            return NoticeAcknowledged(**said)
        case AnswerKind.QUESTION:
            return QuestionAsked(**said)
        case AnswerKind.OTHER_CONTACT:
            return ContactNamed(**said)
        case AnswerKind.FACT:
            return FactSaid(**said)
        case AnswerKind.NO_OBJECTION | AnswerKind.TERMINATES:
            assert agreement, "a notice is given under an agreement"
            decision = NoObjection if answer.kind is AnswerKind.NO_OBJECTION else TerminationDeclared
            return decision(**said, agreement_id=agreement.id, ground=answer.ground, on=answer.on)
        case _:
            assert_never(answer.kind)


def _take_facts(session: Session, answers: Sequence[GivenAnswer], now: datetime) -> None:
    """Let what LEAs say of a dated fact be known of their agreements; what is known already is only kept."""
    for answer in answers:
        agreement = session.exec(_agreement_of(answer.notice_id)).one()
        renews = _may_say(session, answer.notice_id) == RENEWAL_EXPECTED
        if renews and agreement.renewal_expected_on is None:
            day = day_of(now, zone_of(agreement.time_zone))
            record_expected_renewal(session, agreement.id, on=day, reason=None, actor=answer.actor, now=now)


def _agreement_of(notice_id: UUID) -> SelectOfScalar[Agreement]:
    joined = select(Agreement).join(Duty, col(Duty.agreement_id) == col(Agreement.id))
    return joined.join(Notice, col(Notice.duty_id) == col(Duty.id)).where(Notice.id == notice_id)


def _may_say(session: Session, notice_id: UUID) -> str | None:
    """The dated fact that the reader of a notice may say has come about, if its clause has one and its case is open."""
    case_id, agreement_id, clause, closed_at = session.exec(
        select(Notice.case_id, Duty.agreement_id, Duty.clause, Case.closed_at)
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .join(Case, col(Case.id) == col(Notice.case_id))
        .where(Notice.id == notice_id)
    ).one()
    if closed_at:
        return None
    clauses = clauses_of_agreement(session, case_id, agreement_id)
    return next((found.may_say for found in clauses if found.id == clause), None)


def _lock_notices(session: Session, notices: set[UUID]) -> dict[UUID, UUID]:
    """The cases of those notices that are kept, and not erased, which are held until the transaction ends.

    Of two processes that keep the same answer, the second must see the first's.
    """
    rows = session.exec(
        select(Notice.id, Notice.case_id)
        .where(col(Notice.id).in_(notices), col(Notice.case_id).not_in(erased_cases()))
        .order_by(col(Notice.id))
        .with_for_update()
    )
    return dict(rows.all())


def _answer_id(answer: GivenAnswer, key: bytes) -> UUID:
    """The same answer sent twice has one id; a second acknowledgement or decision is the same whoever it names."""
    if answer.kind in (AnswerKind.ACKNOWLEDGED, *DECISIONS):
        return uuid5(answer.notice_id, answer.kind)
    said = rfc8785.dumps([answer.kind.value, answer.name, answer.email, answer.text])
    return uuid5(answer.notice_id, hmac.new(key, said, sha256).hexdigest())


def _keep_what_was_said(
    session: Session, named: dict[UUID, GivenAnswer], cases: Mapping[UUID, UUID], now: datetime
) -> dict[UUID, str]:
    """Keep names, addresses and questions as artifacts; salted, since the hash of a bare address would tell it."""
    said = {
        answer_id: {"name": answer.name, "email": answer.email, "text": answer.text, "salt": secrets.token_hex(16)}
        for answer_id, answer in named.items()
        if answer.name or answer.email or answer.text
    }
    kept: dict[UUID, str] = {}
    for case_id, answers in grouped(said, lambda answer_id: cases[named[answer_id].notice_id]).items():
        contents = (Content(rfc8785.dumps(said[answer_id]), "application/json") for answer_id in answers)
        kept |= zip(answers, store_many(session, contents, now, case=case_id), strict=True)
    return kept


_Waiting: TypeAlias = tuple[GivenAnswer, asyncio.Future[None]]


class AnswerBox:
    """Takes answers from many requests at once, and writes all that wait in one transaction.

    A commit waits for the disk, and only one can be under way: thousands of LEAs that acknowledge in the same minute
    would queue for it one by one. Each still waits until its own answer is kept.
    """

    def __init__(self, database: Database, key: bytes, clock: Callable[[], datetime], links_last: timedelta) -> None:
        self._database = database
        self._key = key
        self._clock = clock
        self._links_last = links_last
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def give(self, answer: GivenAnswer) -> None:
        """Return when the answer is kept.

        Raises:
            Unavailable: the database does not answer; nothing was kept.
            Gone: the link that it came through opens the notice no more; it was not kept.
        """
        kept = asyncio.get_running_loop().create_future()
        self._waiting.append((answer, kept))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        await kept

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
                try:
                    errors = await asyncio.to_thread(self._write, [answer for answer, _ in taken])
                except Exception as error:
                    errors = [error] * len(taken)
                _settle(taken, errors)
        finally:
            self._writer = None

    def _write(self, answers: list[GivenAnswer]) -> Sequence[Exception | None]:
        """Keep what came through links that open their notices; return for each answer why it was not kept, if so."""
        now = self._clock()
        with self._database.writing() as session:
            links = {answer.link for answer in answers if answer.link}
            ended = ended_links(session, links, self._links_last, now, locked=True)
            record_answers(session, [answer for answer in answers if answer.link not in ended], self._key, now)
        return [ended.get(answer.link) if answer.link else None for answer in answers]


def _settle(taken: list[_Waiting], errors: Sequence[Exception | None]) -> None:
    for (_, kept), error in zip(taken, errors, strict=True):
        if kept.done():  # whoever waited for it has gone away
            continue
        if error is None:
            kept.set_result(None)
        else:
            kept.set_exception(error)


def read_linked_notice(database: Database, notice_id: UUID) -> LinkedNotice:
    """The notice that a link leads to.

    Raises:
        NotFound: it is not kept here.
    """
    with database.reading() as session:
        row = session.exec(
            select(Notice, Agreement, Duty.clause, Case.kind)
            .join(Case, col(Case.id) == col(Notice.case_id))
            .join(Duty, col(Duty.id) == col(Notice.duty_id))
            .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
            .where(Notice.id == notice_id)
        ).one_or_none()
        if row is None:
            raise NotFound("The notice of this link is not kept here.", next_step="Write to whoever sent it.")
        notice, agreement, clause, kind = row
        clauses = clauses_of_agreement(session, notice.case_id, agreement.id)
        return LinkedNotice(
            id=notice.id,
            case_id=notice.case_id,
            agreement_id=agreement.id,
            case_reference=identifiers.case_reference(notice.case_id),
            agreement_reference=agreement.reference,
            lea_name=agreement.lea_name,
            time_zone=agreement.time_zone,
            kind=notice.kind,
            given_at=notice.given_at,
            acknowledged_at=notice.acknowledged_at,
            offer=offer_of(clauses, clause) if notice.offers else None,
            decision=_decision(session, notice_id) if notice.decided_at else None,
            decided_at=notice.decided_at,
            for_families=kind_named(kind).for_families,
            may_say=_may_say(session, notice_id),
            said_at=session.exec(
                select(func.min(Answer.given_at)).where(Answer.notice_id == notice_id, Answer.kind == AnswerKind.FACT)
            ).one(),
        )


def _decision(session: Session, notice_id: UUID) -> AnswerKind | None:
    """What was decided last about what a notice offers."""
    answer = session.exec(
        select(Answer)
        .where(Answer.notice_id == notice_id, col(Answer.kind).in_(DECISIONS))
        .order_by(col(Answer.given_at).desc())
    ).first()
    return answer.kind if answer else None


def read_answers(database: Database, case_id: UUID, *, listed: int | None = None) -> AnswersView:
    """What the LEAs of a case have answered, with at most ``listed`` unacknowledged notices, the oldest first.

    Raises:
        NotFound: there is no such case.
    """
    with database.reading() as session:
        case = require_case(session, case_id)
        counts = _count(session, case_id)
        exercised = [answer for kind in sorted(EXERCISES) for answer in _answers(session, case, kind)]
        return AnswersView(
            given=counts.given,
            acknowledged=counts.acknowledged,
            unanswered=counts.unanswered,
            offering=counts.offering,
            no_objections=counts.decided - len(exercised),
            silent=counts.silent,
            exercised=tuple(exercised),
            unacknowledged=_unacknowledged(session, case_id, listed),
            questions=_answers(session, case, AnswerKind.QUESTION),
            contacts=_answers(session, case, AnswerKind.OTHER_CONTACT),
            facts=_answers(session, case, AnswerKind.FACT),
        )


class _Counts(NamedTuple):
    """Of the notices of a case, how many were given, and what came to them."""

    given: int
    acknowledged: int
    unanswered: int
    offering: int
    decided: int
    silent: int


def _count(session: Session, case_id: UUID) -> _Counts:
    given = col(Notice.given_at).is_not(None)
    undecided = col(Notice.decided_at).is_(None)

    def number(*which: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count(sql_case((and_(*which), 1)))

    row = session.execute(
        select_columns(
            number(given),
            number(col(Notice.acknowledged_at).is_not(None)),
            number(given, unanswered()),
            number(given, col(Notice.offers).is_(True)),
            number(col(Notice.decided_at).is_not(None)),
            number(col(Notice.silent_at).is_not(None), undecided),
        ).where(col(Notice.case_id) == case_id, col(Notice.dropped).is_(False), col(Notice.has_link))
    ).one()
    return _Counts(*row)


def read_linked_questions(database: Database, notice_id: UUID) -> tuple[LinkedQuestion, ...]:
    """What was asked about a notice through its link, in order, and what was answered."""
    with database.reading() as session:
        asked = session.exec(
            select(Answer)
            .where(Answer.notice_id == notice_id, Answer.kind == AnswerKind.QUESTION)
            .order_by(col(Answer.given_at), col(Answer.id))
        ).all()
        replies = _replies(session, [question.id for question in asked])
        return tuple(
            LinkedQuestion(asked_at=question.given_at, text=question.text or "", replies=replies.get(question.id, ()))
            for question in asked
        )


def _replies(session: Session, questions: Sequence[UUID]) -> dict[UUID, tuple[ReplyView, ...]]:
    rows = session.exec(
        select(Letter).where(col(Letter.answer_id).in_(questions)).order_by(col(Letter.written_at), col(Letter.id))
    )
    return {
        question: tuple(
            ReplyView(
                text=text_of(session, row.text_sha256),
                replied_by=row.written_by,
                replied_at=row.written_at,
                **row.model_dump(include={"status", "settled_at", "message_sha256"}),
            )
            for row in replies
        )
        for question, replies in grouped(rows, lambda row: row.answer_id).items()
        if question
    }


def _unacknowledged(session: Session, case_id: UUID, listed: int | None) -> tuple[UnacknowledgedView, ...]:
    # Which ones first: sorting them with everything that is shown takes several times as long.
    oldest = (
        select(Notice.id)
        .where(Notice.case_id == case_id, col(Notice.dropped).is_(False))
        .where(col(Notice.given_at).is_not(None), unanswered())
        .order_by(col(Notice.given_at), col(Notice.id))
        .limit(listed)
    )
    rows = session.exec(
        select(Notice, Agreement, DueDate)
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .join(DueDate, col(DueDate.id) == col(Duty.due_date_id))
        .where(col(Notice.id).in_(oldest))
        .order_by(col(Notice.given_at), col(Agreement.lea_name), col(Notice.id))
    )
    return tuple(
        UnacknowledgedView(
            lea_name=agreement.lea_name,
            agreement_reference=agreement.reference,
            clause_title=read_due_date(due_date).title,
            given_at=notice.given_at,
            reminders=notice.reminders,
            silent_at=notice.silent_at,
        )
        for notice, agreement, due_date in rows
        if notice.given_at
    )


def _answers(session: Session, case: Case, kind: AnswerKind) -> tuple[AnswerView, ...]:
    rows = session.exec(
        select(Answer, Agreement.lea_name)
        .join(Notice, col(Notice.id) == col(Answer.notice_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .where(Answer.case_id == case.id, Answer.kind == kind)
        .order_by(col(Answer.seen_at).is_not(None), col(Answer.given_at), col(Answer.id))
    ).all()
    replies = _replies(session, [answer.id for answer, _ in rows])
    reasons = reasons_of(session, case) if kind in EXERCISES else {}
    return tuple(
        AnswerView(
            lea_name=lea_name,
            replies=replies.get(answer.id, ()),
            ground=words_of(reasons, answer.ground) or None,
            **answer.model_dump(include=set(AnswerView.model_fields) - {"ground"}),
        )
        for answer, lea_name in rows
    )


def settle_answer(database: Database, case_id: UUID, answer_id: UUID, *, actor: str, now: datetime) -> None:
    """Note that a question was answered, or that a named contact was looked at and not taken.

    Raises:
        NotFound: the case has no such answer.
        Refused: that was noted already.
    """
    with database.writing() as session:
        answer = open_answer(session, case_id, answer_id)
        _close(session, answer, actor, now)


def adopt_contact(database: Database, case_id: UUID, answer_id: UUID, *, actor: str, now: datetime) -> None:
    """Take a contact that an LEA named into its agreement, last among those that the notice it answers went to.

    Of the roles that the clause tries first, that is the first for which the agreement names anybody: a single contact
    of another role would otherwise silently take their place.

    Raises:
        NotFound: the case has no such answer.
        Refused: it names no contact, one that is known, or one that was decided about already.
    """
    with database.writing() as session:
        answer = open_answer(session, case_id, answer_id)
        if answer.kind is not AnswerKind.OTHER_CONTACT or answer.name is None or answer.email is None:
            raise Refused("This answer names no contact.", next_step="Choose one that does.")
        agreement_id, clause = session.exec(
            select(Duty.agreement_id, Duty.clause)
            .join(Notice, col(Notice.duty_id) == col(Duty.id))
            .where(Notice.id == answer.notice_id)
        ).one()
        roles = _tried_first(session, case_id, agreement_id, clause)
        contact = _last_of_its_role(session, agreement_id, roles, answer.name, answer.email)
        session.add(contact)
        note_change(session, case_id, now)
        append(
            session,
            ContactAdopted(
                case_id=case_id,
                actor=actor,
                at=now,
                agreement_id=agreement_id,
                answer=answer_id,
                contact=contact.id,
                role=contact.role,
            ),
        )
        record_contacts(session, [contact], actor, now)
        _close(session, answer, actor, now)


def _tried_first(session: Session, case_id: UUID, agreement_id: UUID, clause: str) -> tuple[ContactRole, ...]:
    """The roles whose contacts may receive a clause's notice for the LEA, in order."""
    clauses = {found.id: found for found in clauses_of_agreement(session, case_id, agreement_id)}
    contacts = clauses[clause].contacts if clause in clauses else None
    return contacts.first if contacts else (ContactRole.GENERAL,)


def _last_of_its_role(
    session: Session, agreement_id: UUID, roles: Sequence[ContactRole], name: str, email: str
) -> AgreementContact:
    contacts = session.exec(
        select(AgreementContact).where(AgreementContact.agreement_id == agreement_id, AgreementContact.rank >= 0)
    ).all()
    named = {contact.role for contact in contacts}
    role = next((role for role in roles if role in named), roles[-1])
    peers = [contact for contact in contacts if contact.role is role]
    if any(contact.email.casefold() == email.casefold() for contact in peers):
        raise Refused("The agreement names this contact already.", next_step="Note that you have seen it instead.")
    return AgreementContact(
        id=uuid4(),
        agreement_id=agreement_id,
        role=role,
        rank=max((contact.rank for contact in peers), default=-1) + 1,
        name=name,
        email=email,
    )


def open_answer(session: Session, case_id: UUID, answer_id: UUID) -> Answer:
    """An answer of a case that nobody has dealt with yet, locked until the transaction ends.

    Raises:
        NotFound: the case has no such answer.
        Refused: it was dealt with already.
    """
    answer = session.get(Answer, answer_id, with_for_update=True)
    if answer is None or answer.case_id != case_id:
        raise NotFound("The case has no such answer.", next_step="Choose one on the case's page.")
    if answer.seen_at is not None:
        raise Refused("This answer was dealt with already.", next_step="Reload the case's page.")
    return answer


def _close(session: Session, answer: Answer, actor: str, now: datetime) -> None:
    answer.seen_at = now
    session.add(answer)
    append(
        session,
        AnswerSettled(case_id=answer.case_id, actor=actor, at=now, notice_id=answer.notice_id, answer=answer.id),
    )
