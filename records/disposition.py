"""What a directive has to be by what SQL knows, and what the acts of a disposition case change in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from email.utils import parseaddr
from typing import NamedTuple, assert_never, cast
from uuid import UUID

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from agreements.life import last_day, note_dated_cases
from cases.disposition import (
    ACCEPTED,
    CATEGORIES,
    DISPOSITION,
    EXTENT,
    RESTORED,
    AcceptAnswer,
    AcceptDirective,
    AddHolder,
    Directive,
    DispositionAct,
    Extend,
    Extent,
    HolderAct,
    LiftConflict,
    ProposeWaiver,
    RefuseAnswer,
    RefuseDirective,
    Restored,
    RevokeLink,
    Schedule,
    share_data,
)
from cases.intake import Intake
from cases.values import AnchorValue, KeptText
from ledger.artifacts import fetch
from ledger.entries import JsonObject
from mail.facts import checked_address, clean_line
from models import identifiers
from models.enums import CaseStatus, ContactRole, DutyStatus, Party, PerformedBy, ProposalKind
from models.errors import InvalidFields, InvalidInput, Refused
from models.phrases import day_words
from models.tables import Agreement, AgreementContact, Case, CaseAgreement, Duty, Proposal
from records.acts import Recording, dismiss, set_anchor
from records.anchors import current_anchors
from records.case_context import current_facts
from records.holders import add_holder, asked_duties, decide, end_link, holder_named, reopen
from records.keeping import agreements_of, lift_conflict
from records.scope import terms_in_force
from records.vendors import end_vendor_link
from terms.catalogue import load_catalogue
from terms.clock import day_of, zone_of

LONGEST_NAME = 200


def prepare_intake(session: Session, intake: Intake, now: datetime, side: Party) -> tuple[AnchorValue, ...]:
    """Return the dated facts that follow from a directive; one that a designated contact signed is accepted.

    An LEA's own is accepted by whoever enters it: the contacts that it knows are those of the other side.

    Raises:
        InvalidFields: it cannot be carried out as it is: each problem names its field.
    """
    directive = cast(Directive, intake)
    agreement = session.exec(select(Agreement).where(col(Agreement.reference).in_(directive.agreements))).one_or_none()
    if agreement is None:
        return ()  # whoever keeps it says so
    if problems := tuple(_problems(session, directive, agreement, now)):
        raise InvalidFields(problems)
    accepted = side is Party.LEA or _is_designated(session, directive, agreement.id)
    return (AnchorValue(name=ACCEPTED, instant=now),) if accepted else ()


def _problems(session: Session, directive: Directive, agreement: Agreement, now: datetime) -> Iterator[InvalidInput]:
    yield from _form_problems(session, directive, agreement, now)
    if problem := _ended(session, directive, agreement):
        yield problem
    elif again := _same_data(session, directive, agreement.id):
        reference = identifiers.case_reference(again)
        yield InvalidInput(
            f"Case {reference} is about a directive for the same data already.",
            where="agreements",
            next_step="If the LEA wants another day, extend that case; if it signed anew, refuse the first directive.",
        )


def _form_problems(
    session: Session, directive: Directive, agreement: Agreement, now: datetime
) -> Iterator[InvalidInput]:
    """What this agreement's form of the directive does not have, by the rules in its terms."""
    terms = terms_in_force(session, load_catalogue(), [agreement], now.date())[agreement.id]
    asked = {
        "schedule": Schedule.STANDARD_SCHEDULE.value if directive.schedule is Schedule.STANDARD_SCHEDULE else None,
        "de_identified": "de-identified" if directive.de_identified else None,
    }
    for where, word in asked.items():
        if word and f"{DISPOSITION.event}.{word}" not in terms.clauses:
            yield InvalidInput(
                "The directive of this agreement's form does not have this.",
                where=where,
                next_step="Look at Exhibit D as it was signed.",
            )


def _ended(session: Session, directive: Directive, agreement: Agreement) -> InvalidInput | None:
    """Why nothing of an agreement is left: it ended, and after that all of its data was disposed of."""
    ended = min(filter(None, (agreement.terminated_on, last_day(agreement))), default=None)
    if ended is None or ended >= directive.disposal_requested:
        return None
    disposal = disposal_since(session, agreement, ended)
    return all_gone(ended, disposal) if disposal else None


class Disposal(NamedTuple):
    """When all of an agreement's data was disposed of, and in which case."""

    day: date
    case_id: UUID


def disposal_since(session: Session, agreement: Agreement, day: date) -> Disposal | None:
    """When all of an agreement's data was disposed of, if that was on a day or after it."""
    rows = session.exec(
        select(Duty.case_id, Duty.performed_at)
        .join(Case, col(Case.id) == col(Duty.case_id))
        .where(Duty.agreement_id == agreement.id, Case.event == DISPOSITION.event)
        .where(Duty.performed_by == PerformedBy.CONFIRMATION, Duty.status == DutyStatus.PERFORMED)
    )
    for case_id, performed_at in rows:
        disposed = day_of(performed_at, zone_of(agreement.time_zone)) if performed_at else None
        if disposed and disposed >= day and _is_whole(session, case_id):
            return Disposal(disposed, case_id)
    return None


def all_gone(ended: date, disposal: Disposal) -> InvalidInput:
    """Why nothing of an agreement's data can be disposed of any more."""
    return InvalidInput(
        f"This agreement ended on {day_words(ended)}, and all of its data was disposed of on "
        f"{day_words(disposal.day)}: nothing of it survives.",
        where="agreements",
        next_step=f"Look at case {identifiers.case_reference(disposal.case_id)}; choose another agreement.",
    )


def directive_of_all(session: Session, agreement: Agreement, since: date | None) -> Mapping[str, AnchorValue]:
    """The dated facts of the directive for all of an agreement's data that was accepted; none where there is none.

    One that was carried out before ``since`` says nothing of the data that came later.
    """
    cases = session.exec(_directives(agreement.id).order_by(col(Case.opened_at).desc()))
    for case in cases:
        anchors = current_anchors(session, case.id)
        if ACCEPTED not in anchors or not _is_whole(session, case.id):
            continue
        if case.closed_at is None or (since and _performed_since(session, agreement, case.id, since)):
            return anchors
    return {}


def _performed_since(session: Session, agreement: Agreement, case_id: UUID, day: date) -> bool:
    disposal = disposal_since(session, agreement, day)
    return disposal is not None and disposal.case_id == case_id


def _is_whole(session: Session, case_id: UUID) -> bool:
    """Whether a case is about all of the data: only a directive may be about less."""
    extent = current_facts(session, case_id).get(EXTENT)
    return extent is None or extent.value == Extent.COMPLETE


def _directives(agreement_id: UUID) -> SelectOfScalar[Case]:
    return (
        select(Case)
        .join(CaseAgreement, col(CaseAgreement.case_id) == col(Case.id))
        .where(CaseAgreement.agreement_id == agreement_id, Case.kind == DISPOSITION.name)
        .where(Case.status != CaseStatus.DISMISSED)
    )


def _same_data(session: Session, directive: Directive, agreement_id: UUID) -> UUID | None:
    """The open case about a directive that shares data with this one, if there is any."""
    cases = _directives(agreement_id).where(col(Case.closed_at).is_(None)).order_by(col(Case.opened_at))
    for case in session.exec(cases).all():
        facts = current_facts(session, case.id)
        categories = facts.get(CATEGORIES)
        before = facts[EXTENT].value, categories.value if categories else None
        if share_data(before, (directive.extent, directive.categories)):
            return case.id
    return None


def _is_designated(session: Session, directive: Directive, agreement_id: UUID) -> bool:
    """Whether the agreement designates the one who signed, by the address under which it does."""
    contacts = session.exec(
        select(AgreementContact).where(
            AgreementContact.agreement_id == agreement_id,
            AgreementContact.role != ContactRole.COPY_TO,
            col(AgreementContact.party).is_(None),
            col(AgreementContact.case_id).is_(None),
            AgreementContact.rank >= 0,
        )
    )
    email = directive.representative.email.casefold()
    return any(contact.email.casefold() == email for contact in contacts)


def keep_opening(session: Session, case: Case, _intake: Intake, _actor: str, now: datetime) -> None:
    """Let the cases about the end of the same agreement hear of a directive, which may take their place."""
    note_dated_cases(session, agreements_of(session, case.id), now)


def record_act(recording: Recording) -> JsonObject:
    """Store one of a disposition's own acts."""
    act = cast(DispositionAct, recording.message.act)
    match act:
        case AcceptDirective(reason=reason):
            note_dated_cases(recording.session, agreements_of(recording.session, recording.case.id), recording.at)
            (anchor,) = act.dates().values()
            return set_anchor(recording, anchor, reason=reason)
        case RefuseDirective(reason=reason):
            note_dated_cases(recording.session, agreements_of(recording.session, recording.case.id), recording.at)
            return dismiss(recording, reason.sha256)
        case Extend():
            return _extend(recording, act)
        case _:
            return record_holder_act(recording, act)


def record_holder_act(recording: Recording, act: HolderAct) -> JsonObject:
    """Store an act about the holders of data, whatever it is for which they dispose of it."""
    session, case, at = recording.session, recording.case, recording.at
    match act:
        case AddHolder():
            return _add_holder(recording, act)
        case AcceptAnswer(holder=holder, reason=reason) | RefuseAnswer(holder=holder, reason=reason):
            task = holder_named(session, case, holder)
            answer = decide(
                session,
                task,
                accept=isinstance(act, AcceptAnswer),
                reason_sha256=reason.sha256,
                by=recording.actor,
                at=at,
            )
            return {"holder": str(task.id), "answer": str(answer)}
        case ProposeWaiver():
            return _propose_waiver(recording, act)
        case Restored():
            return _restored(recording, act)
        case RevokeLink(holder=holder):
            task = holder_named(session, case, holder)
            if task.link_digest is None:
                raise Refused("This holder has no link now.", where="holder", next_step="There is nothing to do.")
            end_link(task)
            end_vendor_link(session, task)  # the mail that went astray holds this one too
            task.asked_at = None
            session.add(task)
            return {"holder": str(task.id)}
        case LiftConflict(keeping=keeping, reason=reason):
            return lift_conflict(
                session,
                case,
                keeping,
                lifted_id=recording.message.act_id,
                reason_sha256=reason.sha256,
                by=recording.actor,
                at=at,
            )
        case _:
            assert_never(act)


def _agreement(recording: Recording) -> Agreement:
    return recording.session.exec(
        select(Agreement)
        .join(CaseAgreement, col(CaseAgreement.agreement_id) == col(Agreement.id))
        .where(CaseAgreement.case_id == recording.case.id)
    ).one()


def _extend(recording: Recording, act: Extend) -> JsonObject:
    """Set the agreed day; the one before it, who agreed and why stay in evidence."""
    agreement = _agreement(recording)
    due = [duty.due_at for duty in asked_duties(recording.session, recording.case.id, agreement.id) if duty.due_at]
    if not due:
        raise Refused("No disposal is open that could be extended.", next_step="Look at the case's page.")
    if (last := day_of(max(due), zone_of(agreement.time_zone))) >= act.directed:
        raise InvalidInput(
            f"The data is to be disposed of by {day_words(last)} already.",
            where="directed",
            next_step="Give a later day.",
        )
    (anchor,) = act.dates().values()
    return set_anchor(recording, anchor, reason=act.reason)


def _add_holder(recording: Recording, act: AddHolder) -> JsonObject:
    name, email = parseaddr(clean_line(_text(recording, act.contact)))
    if not name or "@" not in email:
        raise InvalidInput(
            "It needs a name and an address.", where="contact", next_step="Write: Example LLC <privacy@example.org>"
        )
    if len(name) > LONGEST_NAME:
        raise InvalidInput(
            f"The name is longer than {LONGEST_NAME} characters.", where="contact", next_step="Shorten it."
        )
    task = add_holder(
        recording.session,
        recording.case,
        _agreement(recording).id,
        key=recording.message.act_id,
        name=name,
        email=checked_address(email, where="contact"),
        data=_text(recording, act.data),
        now=recording.at,
    )
    return {"holder": str(task.id)}


def _text(recording: Recording, kept: KeptText) -> str:
    return fetch(recording.session, kept.sha256).decode()


def _propose_waiver(recording: Recording, act: ProposeWaiver) -> JsonObject:
    session, case = recording.session, recording.case
    task = holder_named(session, case, act.holder)
    if task.contact_id is None:
        raise Refused(
            "The provider's own confirmation is never waived.",
            where="holder",
            next_step="If nothing is to be disposed of, propose that no disposal is required.",
        )
    if task.settled_at:
        raise Refused("Nothing is awaited from this holder any more.", where="holder", next_step="Nothing is to do.")
    is_open = (Proposal.case_id == case.id, Proposal.task_id == task.id, col(Proposal.decided_at).is_(None))
    if session.exec(select(Proposal.id).where(*is_open)).first():
        raise Refused("This is proposed already.", where="holder", next_step="A second person decides it.")
    session.add(
        Proposal(
            id=recording.made_id,
            case_id=case.id,
            kind=ProposalKind.WAIVER,
            task_id=task.id,
            reason_sha256=act.reason.sha256,
            proposed_by=recording.actor,
            proposed_at=recording.at,
        )
    )
    return {"holder": str(task.id), "proposal_id": str(recording.made_id)}


def _restored(recording: Recording, act: Restored) -> JsonObject:
    """Ask the holder and the provider again; where the disposal had been performed, it is due anew."""
    task = holder_named(recording.session, recording.case, act.holder)
    performed = reopen(recording.session, recording.case, task, recording.at)
    if performed:
        set_anchor(recording, AnchorValue(name=RESTORED, instant=act.restored_at))
    return {"holder": str(task.id), "due_anew": performed}
