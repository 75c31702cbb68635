"""Word of an officer's to the other side that a duty is overdue, as what it is: it performs nothing and moves no date.

Whether a duty is one to tell of is asked when an officer decides it, and once more before each letter leaves: what has
been performed since, or what somebody keeps back, is not told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, or_, select

from agreements.due_dates import read_due_dates
from agreements.terms import pinned_terms
from cases.acts import TellOverdue
from cases.overdue import is_overdue, why_not_overdue
from ledger.actors import ENGINE
from ledger.append import append
from ledger.artifacts import fetch
from ledger.entries import JsonObject, OverdueLetterDropped, OverdueTold
from mail.compose import Addressing, ComposedNotice
from mail.contacts import Recipients, choose_recipients
from mail.facts import Mailbox
from mail.overdue import AwaitedHolders, OverdueFacts, compose_overdue
from mail.provision import Place, annex_sentences, operative_steps, provision_sentences
from models import identifiers
from models.enums import (
    SETTLED,
    SIDES,
    BatchStatus,
    DeliveryStatus,
    HolderStatus,
    NoticeKind,
    Party,
    PerformedBy,
    Told,
)
from models.errors import InvalidInput, Refused
from models.tables import (
    Agreement,
    AgreementContact,
    Batch,
    CaseAgreement,
    Duty,
    HolderTask,
    LawEnforcementHold,
    Letter,
    Notice,
)
from records.notices import NOT_BEGUN
from records.outbox import NoticeWriter
from records.recipients import addressees_under, contacts_to_tell
from terms.catalogue import load_catalogue
from terms.effective import EffectiveTerms

NOT_OVERDUE = "There is nothing overdue to tell of; its line on the case's page says how it stands."


def keep_overdue(
    session: Session, case_id: UUID, act: TellOverdue, *, act_id: UUID, actor: str, side: Party, at: datetime
) -> JsonObject:
    """Keep that an officer tells of an overdue duty, and a letter's place for each contact; return what evidence adds.

    Raises:
        InvalidInput: the case has no such duty, or the agreement names nobody who may be told.
        Refused: it is not overdue, not ours, kept back, or was told of in these very words.
    """
    duty = duty_to_tell_of(session, case_id, act, side, at)
    chosen = _recipients(session, duty)
    letters = [
        Letter(
            id=identifiers.letter_id(act_id, contact.id),
            act_id=act_id,
            duty_id=duty.id,
            contact_id=contact.id,
            is_copy=is_copy,
            case_id=case_id,
            text_sha256=act.text.sha256,
            status=DeliveryStatus.RESERVED,
            again_at=at,
            written_by=actor,
            written_at=at,
        )
        for contact, is_copy in ((_first(chosen.to), False), *((copy, True) for copy in chosen.copies))
    ]
    session.add_all(letters)
    due_at = duty.due_at.isoformat() if duty.due_at else None
    return {"duty": str(duty.id), "due_at": due_at, "letters": [str(letter.id) for letter in letters]}


def duty_to_tell_of(session: Session, case_id: UUID, act: TellOverdue, side: Party, now: datetime) -> Duty:
    """The duty of which an act tells: of those under its clause and agreement, the one that is overdue the longest.

    Raises:
        InvalidInput: there is none.
        Refused: it is none to tell of, or was told of in these very words.
    """
    duties = session.exec(
        select(Duty)
        .where(Duty.case_id == case_id, Duty.clause == act.clause, Duty.agreement_id == act.agreement.id)
        .order_by(col(Duty.occurrence))
    ).all()
    if not duties:
        named = act.agreement.reference or act.agreement.id
        raise InvalidInput(
            f"This case has no duty under {act.clause} towards {named}.",
            where="agreement",
            next_step="Choose one of the duties on the case's page.",
        )
    duty = next((one for one in duties if is_overdue(one.status, one.due_at, now)), duties[-1])
    if problem := _problem(session, duty, side, now):
        raise problem
    told_so = select(Letter.id).where(
        Letter.duty_id == duty.id,
        Letter.text_sha256 == act.text.sha256,
        col(Letter.status).not_in((DeliveryStatus.REJECTED, DeliveryStatus.DROPPED)),
    )
    if session.exec(told_so).first():
        raise Refused(
            "This was told in these very words already.",
            where="text",
            next_step="Say what is new, or look on the case's page what became of the letter.",
        )
    return duty


def is_still_to_tell(session: Session, letter: Letter, side: Party, now: datetime) -> bool:
    """Whether what a letter says is still so; what answers a question is."""
    return letter.duty_id is None or not _problem(session, session.get_one(Duty, letter.duty_id), side, now)


def drop(session: Session, letter: Letter, now: datetime) -> None:
    """Let a letter not leave, or not once more; one that may have arrived stays unknown."""
    assert letter.duty_id, "only word of a duty is dropped"
    broken_off = letter.attempted_at is not None
    letter.again_at, letter.attempted_at = None, None
    if broken_off:
        append(session, handed_over(session, letter, Told.UNKNOWN, None, now))
    if letter.status is DeliveryStatus.UNKNOWN:
        return
    letter.status, letter.settled_at = DeliveryStatus.DROPPED, now
    duty = session.get_one(Duty, letter.duty_id)
    append(
        session,
        OverdueLetterDropped(
            case_id=letter.case_id,
            actor=ENGINE,
            at=now,
            letter=letter.id,
            duty=duty.id,
            clause=duty.clause,
            status=duty.status,
        ),
    )


def turn_to_the_next(session: Session, letter: Letter, now: datetime) -> None:
    """Note that a contact refuses mail; unless it was only to get a copy, the next one not yet written to is told."""
    refusing = session.get_one(AgreementContact, letter.contact_id)
    refusing.failing_since = refusing.failing_since or now
    if letter.is_copy:
        return
    duty = session.get_one(Duty, letter.duty_id)
    tried = set(session.exec(select(Letter.contact_id).where(Letter.act_id == letter.act_id)))
    try:
        left = [contact for contact in _recipients(session, duty).to if contact.id not in tried]
    except InvalidInput:  # the agreement names nobody any more
        left = []
    if not left:
        return
    contact = _first(left)
    kept = letter.model_dump(include={"act_id", "duty_id", "case_id", "text_sha256", "written_by", "written_at"})
    session.add(
        Letter(
            id=identifiers.letter_id(letter.act_id, contact.id),
            contact_id=contact.id,
            status=DeliveryStatus.RESERVED,
            again_at=now,
            **kept,
        )
    )


def handed_over(session: Session, letter: Letter, outcome: Told, code: int | None, now: datetime) -> OverdueTold:
    """The evidence that word of an overdue duty was handed to the mail server."""
    duty = session.get_one(Duty, letter.duty_id)
    assert letter.contact_id, "it goes to a contact"
    assert letter.message_sha256, "it was written"
    return OverdueTold(
        case_id=letter.case_id,
        actor=ENGINE,
        at=now,
        letter=letter.id,
        duty=duty.id,
        clause=duty.clause,
        due_at=duty.due_at,
        contact=letter.contact_id,
        is_copy=letter.is_copy,
        message_sha256=letter.message_sha256,
        attempt=letter.attempts,
        outcome=outcome,
        code=code,
    )


def write_overdue(session: Session, writer: NoticeWriter, letter: Letter) -> bytes:
    """The letter as it is sent; those of one act that go to the same contacts are the same bytes."""
    of_act = session.exec(select(Letter).where(Letter.act_id == letter.act_id)).all()
    contacts = {one.id: session.get_one(AgreementContact, one.contact_id) for one in of_act}
    copies = sorted((contacts[one.id] for one in of_act if one.is_copy), key=lambda contact: contact.id)
    firsts = [one for one in of_act if not one.is_copy]
    told = next((one for one in firsts if one.status is not DeliveryStatus.REJECTED), firsts[0])
    to = contacts[told.id if letter.is_copy else letter.id]
    words = fetch(session, letter.text_sha256).decode()
    duty = session.get_one(Duty, letter.duty_id)
    told_at = letter.written_at
    return _compose(session, writer, duty, Recipients((to,), tuple(copies)), letter.act_id, words, told_at).raw


def written_now(
    session: Session, writer: NoticeWriter, case_id: UUID, act: TellOverdue, now: datetime
) -> tuple[Addressing, ComposedNotice]:
    """To whom and what would be written if an officer told of a duty now; nothing is kept.

    Raises:
        InvalidInput, Refused: as ``keep_overdue``.
    """
    duty = duty_to_tell_of(session, case_id, act, writer.side, now)
    chosen = _recipients(session, duty)
    told = Recipients((_first(chosen.to),), chosen.copies)
    words = (act.text.content or b"").decode()
    return _addressing(writer, told, case_id), _compose(session, writer, duty, told, case_id, words, now)


def _compose(
    session: Session,
    writer: NoticeWriter,
    duty: Duty,
    told: Recipients[AgreementContact],
    act_id: UUID,
    words: str,
    told_at: datetime,
) -> ComposedNotice:
    agreement = session.get_one(Agreement, duty.agreement_id)
    due_date = read_due_dates(session, [duty.due_date_id])[duty.due_date_id]
    terms = _terms(session, duty)
    place = Place(terms.form, terms.state, duty.clause)
    labels = load_catalogue().words.contents
    assert duty.due_at, "what is overdue was due"
    facts = OverdueFacts(
        sender=writer.organisation,
        reader=agreement.lea_name if duty.owed_to is Party.LEA else told.to[0].name,
        contact=told.to[0].name,
        agreement=writer.signed(agreement, duty.owed_by, told.to[0].name),
        case_reference=identifiers.case_reference(duty.case_id),
        time_zone=agreement.time_zone,
        told_at=told_at,
        title=due_date.title,
        due_at=duty.due_at,
        performed_by=duty.performed_by,
        provision=provision_sentences(operative_steps(load_catalogue(), place, terms.clause(duty.clause).trail)),
        why=annex_sentences(due_date.why, terms),
        missing=tuple(labels[element].label for element in dict.fromkeys((*duty.waits_for, *duty.lacking))),
        holders=_holders(session, duty),
        words=words,
    )
    return compose_overdue(facts, _addressing(writer, told, act_id), writer.templates)


def _addressing(writer: NoticeWriter, told: Recipients[AgreementContact], act_id: UUID) -> Addressing:
    to, copies = ([Mailbox(name=one.name, email=one.email) for one in some] for some in (told.to, told.copies))
    message_id = identifiers.message_id(identifiers.letter_id(act_id, told.to[0].id), writer.message_id_domain)
    return Addressing(message_id=message_id, sender=writer.sender, to=tuple(to), copies=tuple(copies))


def _holders(session: Session, duty: Duty) -> AwaitedHolders | None:
    """How many holders of the data were asked and how many are awaited; None where a holder's word performs nothing."""
    asked = session.exec(
        select(HolderTask).where(
            HolderTask.case_id == duty.case_id,
            HolderTask.agreement_id == duty.agreement_id,
            HolderTask.status != HolderStatus.WITHDRAWN,
        )
    ).all()
    if duty.performed_by is not PerformedBy.CONFIRMATION or not asked:
        return None
    others = [task for task in asked if task.contact_id]
    return AwaitedHolders(asked=len(others), awaited=sum(task.status not in SETTLED for task in others))


def _recipients(session: Session, duty: Duty) -> Recipients[AgreementContact]:
    """Whom the duty's clause names, as for a notice under it."""
    contacts = contacts_to_tell(session, duty.agreement_id, duty.owed_to, duty.case_id)
    return choose_recipients(contacts, addressees_under(_terms(session, duty), duty.clause))


def _terms(session: Session, duty: Duty) -> EffectiveTerms:
    """The terms that the duty's case has pinned for its agreement."""
    in_case = session.get_one(CaseAgreement, (duty.case_id, duty.agreement_id))
    return pinned_terms(session, duty.case_id)[in_case.terms_hash or ""]


def _first(contacts: Sequence[AgreementContact]) -> AgreementContact:
    """The contact whose turn it is: one known to refuse mail comes after the others."""
    return min(contacts, key=lambda contact: contact.failing_since is not None)


def _problem(session: Session, duty: Duty, side: Party, now: datetime) -> Refused | None:
    """Why a duty is none that the other side is told of as overdue; None where it is one."""
    if duty.owed_by is not side or duty.owed_to not in SIDES - {side}:
        return Refused(
            "We do not owe this duty to the other side of the agreement.",
            where="clause",
            next_step="Choose a duty that we owe it.",
        )
    if not is_overdue(duty.status, duty.due_at, now):
        return Refused(why_not_overdue(duty.status, duty.due_at), where="clause", next_step=NOT_OVERDUE)
    return _kept_back(session, duty, now)


def _kept_back(session: Session, duty: Duty, now: datetime) -> Refused | None:
    """What keeps the other side from being told: whoever reads of the duty reads of its matter."""
    hold = select(LawEnforcementHold.id).where(
        LawEnforcementHold.case_id == duty.case_id,
        or_(col(LawEnforcementHold.agreement_id).is_(None), LawEnforcementHold.agreement_id == duty.agreement_id),
        col(LawEnforcementHold.lifted_at).is_(None),
        or_(col(LawEnforcementHold.until).is_(None), col(LawEnforcementHold.until) > now),
    )
    if session.exec(hold).first():
        return Refused(
            "A law-enforcement hold is in place, and a letter about this duty would tell of its matter.",
            where="clause",
            next_step="Wait until the hold is lifted.",
        )
    waiting = session.exec(
        select(Batch.status, Batch.kind, Notice.duty_id)
        .join(Notice, col(Notice.batch_id) == col(Batch.id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .where(Batch.case_id == duty.case_id, Duty.agreement_id == duty.agreement_id)
        .where(col(Batch.status).in_(NOT_BEGUN), col(Notice.dropped).is_(False))
    ).all()
    if any(status is BatchStatus.WITHHELD for status, _, _ in waiting):
        return Refused(
            "A notice to the other side is withheld, and a letter about this duty would tell of its matter.",
            where="clause",
            next_step="Release what is withheld first.",
        )
    if any((kind, duty_id) == (NoticeKind.NOTICE, duty.id) for _, kind, duty_id in waiting):
        return Refused(
            "The notice that performs this duty is drafted and waits for release.",
            where="clause",
            next_step="Release it: it tells the other side, and performs the duty.",
        )
    return None
