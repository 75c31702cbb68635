"""The holders of data in a case: what each is asked, when it is written to next, and what its answer brings about.

The provider and each subprocessor that holds the data have a task each. The provider's own word includes that of all
the others, so it is taken last, and it alone performs the duty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, func, select, update

from agreements.due_dates import StoredDueDate, read_due_dates
from agreements.subprocessors import subprocessors_under
from cases.kinds import kind_named
from cases.state import CaseState, NoticePolicy
from ledger.actors import ENGINE
from ledger.contacts import record_contacts
from mail.facts import Mailbox
from models.columns import lookup_key
from models.enums import (
    SETTLED,
    CaseStatus,
    ContactRole,
    DutyStatus,
    HolderAnswerKind,
    HolderMail,
    HolderStatus,
    Party,
    PerformedBy,
)
from models.errors import InvalidInput, Refused
from models.grouping import grouped
from models.phrases import counted, instant_words
from models.tables import Agreement, AgreementContact, Case, Confirmation, Duty, HolderAnswer, HolderTask
from records.anchors import current_anchors
from records.duties import perform
from records.keeping import check_not_kept, what_keeps
from records.scope import clauses_of_agreement
from terms.clock import end_of_day, zone_of


@dataclass(frozen=True)
class Standing:
    """What decides, besides the task itself, whether and why its holder is written to.

    Attributes:
        accepted: whether what is asked was decided; nobody but the provider is written to before.
        kept: whether something keeps the data.
        others: how many of the other holders have not confirmed.
        unsent: whether it was not sent the completion certificate of an answer yet.
        owed: whether a duty is owed that the holders' words perform, or was performed by them.
    """

    accepted: bool
    kept: bool
    others: int
    unsent: bool = False
    owed: bool = True


def plan_holders(
    session: Session, case: Case, policy: NoticePolicy, now: datetime, side: Party = Party.PROVIDER
) -> dict[UUID, NextMail]:
    """Bring what the holders of a case's data are asked in line with its duties, and say when each is written to next.

    A holder that became known meanwhile is asked as well; one whose duty moved is told; nobody is asked any more for
    what two persons found not to be required, or in a case that was dismissed. One that was granted more time is asked
    until then, and reminded by that. Returned is why and when each is written to, by its task; ``side`` is our own.
    """
    kind = kind_named(case.kind)
    plan: dict[UUID, NextMail] = {}
    if not kind.holders_see:
        return plan
    lock_tasks(session, case.id)
    dismissed = case.status is CaseStatus.DISMISSED
    asked = {} if dismissed else _asked(session, case)
    for agreement_id in asked:
        _make_tasks(session, case, agreement_id, now, side)
    granted, unsent = (
        _granted(session, case.id),
        _unsent(session, case.id, now - timedelta(days=policy.holder_link_days)),
    )
    accepted = dismissed or kind.is_decided(CaseState(anchors=current_anchors(session, case.id)))
    for agreement_id, tasks in grouped(tasks_of(session, case.id), lambda task: task.agreement_id).items():
        owed = agreement_id in asked or (not dismissed and _was_performed(session, case.id, agreement_id))
        if not owed:
            _end(tasks, now)
        kept = what_keeps(session, case.id, agreement_id) is not None
        zone = zone_of(session.get_one(Agreement, agreement_id).time_zone)
        time = asked.get(agreement_id, Asked())
        for task in tasks:
            task.due_at = _asked_until(time.due_at, granted.get(task.id), zone)
            task.not_before, task.waits = time.not_before, time.waits
            internal = _asked_until(time.internal_due_at, granted.get(task.id), zone)
            _go_by(task, internal if internal != task.due_at else None, policy, now)
            standing = Standing(accepted, kept, len(missing(tasks)), task.id in unsent, owed)
            mail = next_mail(task, standing, policy, now)
            task.again_at = mail.at if mail else None
            session.add(task)
            if mail:
                plan[task.id] = mail
    session.flush()
    return plan


def _go_by(task: HolderTask, internal: datetime | None, policy: NoticePolicy, now: datetime) -> None:
    """Let a holder be reminded by another internal date; what has passed of that ladder is not said again."""
    if task.internal_due_at != internal:
        task.internal_due_at = internal
        task.steps = _passed(task, task.asked_at or task.awaited_since, policy, now)


def put_off(session: Session, tasks: Sequence[UUID], until: datetime) -> None:
    """Write to some holders again at a later moment, since their mailboxes take no mail for now."""
    session.execute(update(HolderTask).where(col(HolderTask.id).in_(tasks)).values(again_at=until))


@dataclass(frozen=True)
class Asked:
    """Until when the holders of an agreement's data are to dispose of it, and from when on they may.

    ``internal_due_at`` is when the installation itself wants that done, where it set that. ``waits`` is whether that is
    not known yet, since a prior notice comes first that was not given.
    """

    due_at: datetime | None = None
    internal_due_at: datetime | None = None
    not_before: datetime | None = None
    waits: bool = False


class NextMail(NamedTuple):
    """Why a holder is written to next, when, and to which step of its ladder that leads."""

    why: HolderMail
    at: datetime
    step: int


def next_mail(task: HolderTask, standing: Standing, policy: NoticePolicy, now: datetime) -> NextMail | None:
    """Why and when a holder is written to next; None where nothing is to be said to it."""
    if standing.unsent:
        return NextMail(HolderMail.RECEIPT, now, task.steps)
    if task.status in SETTLED or task.status is HolderStatus.ANSWERED:
        return None
    owing, chased = task.contact_id is None, task.owing_contact_id is not None
    if not standing.owed:
        return NextMail(HolderMail.WITHDRAWN, now, task.steps)
    if standing.kept:
        knows = task.asked_at or task.directed_at
        return NextMail(HolderMail.STOPPED, now, task.steps) if knows and not task.stopped else None
    if not standing.accepted:
        if not owing or chased:
            return None
        if task.told_due_at is None:
            return NextMail(HolderMail.UNDECIDED, now, 0)
        return _on_the_ladder(HolderMail.UNDECIDED, task, task.awaited_since, policy, now)
    if task.waits:
        return None
    if chased and task.directed_at is None:
        return NextMail(HolderMail.DIRECTED, now, 0)
    if chased and task.stopped:
        return NextMail(HolderMail.RESUMED, now, task.steps)
    if owing and standing.others:
        if chased and task.told_due_at != task.due_at:
            return NextMail(HolderMail.MOVED, now, _passed(task, task.awaited_since, policy, now))
        return _on_the_ladder(HolderMail.OTHERS_MISSING, task, task.awaited_since, policy, now)
    if task.asked_at is None:
        return NextMail(HolderMail.ASKED, now, 0)
    if task.refused_sha256:
        return NextMail(HolderMail.REFUSED, now, task.steps)
    if task.stopped:
        return NextMail(HolderMail.RESUMED, now, task.steps)
    if (task.told_due_at, task.told_not_before) != (task.due_at, task.not_before):
        return NextMail(HolderMail.MOVED, now, _passed(task, task.asked_at, policy, now))
    return _on_the_ladder(HolderMail.REMINDED, task, task.asked_at, policy, now)


def ladder(
    begins: datetime, due_at: datetime | None, policy: NoticePolicy, internal: datetime | None = None
) -> list[datetime]:
    """When a holder that was asked at ``begins`` is reminded: at parts of its time, and hours before it is over.

    Where there is an internal date, its time is that up to then; from then on, it is that up to the due instant.
    """
    if due_at is None or due_at <= begins:
        return []
    if internal:
        return ladder(begins, internal, policy) + [step for step in ladder(begins, due_at, policy) if step > internal]
    moments = {begins + (due_at - begins) * fraction for fraction in policy.holder_fractions}
    moments |= {due_at - timedelta(hours=hours) for hours in policy.holder_hours_before}
    return sorted(moment for moment in moments if moment > begins)


def _passed(task: HolderTask, begins: datetime, policy: NoticePolicy, now: datetime) -> int:
    """How many steps of a holder's ladder have passed."""
    return sum(moment <= now for moment in ladder(begins, task.due_at, policy, task.internal_due_at))


def _on_the_ladder(
    why: HolderMail, task: HolderTask, begins: datetime, policy: NoticePolicy, now: datetime
) -> NextMail | None:
    """The next reminder; of several whose time has passed, only the last."""
    moments = ladder(begins, task.due_at, policy, task.internal_due_at)
    place = max(task.steps, sum(moment <= now for moment in moments) - 1)
    return NextMail(why, moments[place], place + 1) if place < len(moments) else None


def lock_tasks(session: Session, case_id: UUID) -> None:
    """Hold what the holders of a case are asked until the transaction ends: of two that change it, one sees the other.

    So the provider never confirms for a holder that is asked again in the same moment.
    """
    tasks = select(HolderTask).where(HolderTask.case_id == case_id).order_by(col(HolderTask.id))
    session.exec(tasks.with_for_update().execution_options(populate_existing=True)).all()


def tasks_of(session: Session, case_id: UUID, agreement_id: UUID | None = None) -> Sequence[HolderTask]:
    """What the holders of a case's data are asked, of one agreement or of all, in a fixed order."""
    tasks = select(HolderTask).where(HolderTask.case_id == case_id).order_by(col(HolderTask.id))
    return session.exec(tasks.where(HolderTask.agreement_id == agreement_id) if agreement_id else tasks).all()


def missing(tasks: Iterable[HolderTask]) -> list[HolderTask]:
    """The subprocessors from which something is awaited."""
    return [task for task in tasks if task.contact_id is not None and task.status not in SETTLED]


def unsettled_holders(session: Session, case_id: UUID) -> tuple[int, datetime | None]:
    """From how many holders of a case something is awaited, or has to be said to, and when one is written to next."""
    concerned = col(HolderTask.status).not_in(SETTLED) | col(HolderTask.again_at).is_not(None)
    return session.exec(
        select(func.count(), func.min(HolderTask.again_at)).where(HolderTask.case_id == case_id, concerned)
    ).one()


def holder_named(session: Session, case: Case, name: str) -> HolderTask:
    """What a holder of a case's data is asked, by its name; ``provider`` is the party that owes the disposal.

    Raises:
        InvalidInput: the case knows no such holder.
    """
    names = {
        (contact_name(session, task) or Party.PROVIDER.value).casefold(): task for task in tasks_of(session, case.id)
    }
    if name.casefold() not in names:
        raise InvalidInput(
            f"No holder of this case's data is called {name}.",
            where="holder",
            next_step=f"There are: {', '.join(sorted(names)) or 'none yet'}.",
        )
    return names[name.casefold()]


def contact_name(session: Session, task: HolderTask) -> str | None:
    """The name of a subprocessor that is asked; None for the party that owes the disposal."""
    return session.get_one(AgreementContact, task.contact_id).name if task.contact_id else None


def holder_key(name: str) -> str:
    """The key by which what is asked of a holder is found in all cases, by its name."""
    return lookup_key(name, "holder_task.holder")


def asked_contact(session: Session, task: HolderTask) -> AgreementContact | None:
    """Whom a task is sent to, outside this organisation: a subprocessor, or the chased party that owes the disposal."""
    key = task.contact_id or task.owing_contact_id
    return session.get_one(AgreementContact, key) if key else None


def holder_name(session: Session, task: HolderTask, organisation: str) -> str:
    """Who is asked, as people call it; ``organisation`` is our own name."""
    contact = asked_contact(session, task)
    return contact.name if contact else organisation


def add_holder(
    session: Session, case: Case, agreement_id: UUID, *, key: UUID, name: str, email: str, data: str, now: datetime
) -> HolderTask:
    """Ask a further subprocessor in a case: ``key`` names it, so that the same is asked once.

    Raises:
        Refused: one of this name is asked already, or the provider has confirmed for all.
    """
    tasks = tasks_of(session, case.id, agreement_id)
    if any((contact_name(session, task) or "").casefold() == name.casefold() for task in tasks):
        raise Refused(f"A holder called {name} is asked already.", where="contact", next_step="There is nothing to do.")
    if any(task.contact_id is None and task.status in SETTLED for task in tasks):
        raise Refused(
            "The provider has confirmed for every holder already.",
            next_step="If data turned up again, record that it was restored.",
        )
    contact = AgreementContact(
        id=uuid5(case.id, f"holder:{key}:{agreement_id}"),
        agreement_id=agreement_id,
        case_id=case.id,
        party=Party.SUBPROCESSOR,
        role=ContactRole.GENERAL,
        name=name,
        email=email,
    )
    session.add(contact)
    session.flush()
    record_contacts(session, [contact], ENGINE, now, case.id)
    for task in tasks:
        if task.contact_id is None:  # its turn comes after the new one's, and it is asked anew then
            task.asked_at, task.steps = None, 0
            session.add(task)
    return _make_task(session, case, agreement_id, contact.id, data, now)


def confirm(session: Session, case: Case, task: HolderTask, answer: HolderAnswer, now: datetime) -> list[Duty]:
    """Take a holder's confirmation; the provider's, which comes last, performs the duties, which are returned.

    Raises:
        Refused: it has confirmed already, something keeps the data, or the provider would confirm before the others.
    """
    lock_tasks(session, case.id)
    if task.status in SETTLED:
        raise Refused("This holder has confirmed already.", where="holder", next_step="There is nothing to do.")
    check_not_kept(session, case.id, task.agreement_id)
    check_may_dispose(task, now)
    if task.contact_id is None and (left := missing(tasks_of(session, case.id, task.agreement_id))):
        raise others_come_first(len(left))
    duties = asked_duties(session, case.id, task.agreement_id)
    if not duties and task.contact_id is None and not _was_performed(session, case.id, task.agreement_id):
        raise Refused("No duty to dispose of data has begun and is open.", next_step="Look at the case's page.")
    _supersede_answers(session, task, now)
    settle(task, HolderStatus.CONFIRMED, now)
    session.add_all([task, answer])
    for duty in duties:
        session.add(
            Confirmation(
                id=uuid5(answer.id, str(duty.id)),
                case_id=case.id,
                duty_id=duty.id,
                contact_id=task.contact_id,
                particulars_sha256=answer.said_sha256,
                given_at=now,
                recorded_by=answer.given_by,
            )
        )
        if task.contact_id is None:
            perform(duty, now)
    return duties if task.contact_id is None else []


def may_dispose(task: HolderTask, now: datetime) -> bool:
    """Whether the data may be disposed of by now: where the LEA is told first, once that has run its time."""
    return not task.waits and (task.not_before is None or now >= task.not_before)


def check_may_dispose(task: HolderTask, now: datetime) -> None:
    """Raise ``Refused`` while the data may not be disposed of yet.

    What went too early all the same is taken once that day has come, and is marked as what it is.
    """
    if may_dispose(task, now):
        return
    first = f"before {instant_words(task.not_before)}" if task.not_before else "before the LEA was told of it"
    raise Refused(
        f"This data may not be disposed of {first}, so nobody's word is taken yet that it was.",
        next_step="Keep it until then. If it is gone already, write to whoever asked you at once.",
    )


def others_come_first(left: int) -> Refused:
    """Why the provider's confirmation is not taken while others' are awaited."""
    return Refused(
        f"{counted(left, 'subprocessor that holds', 'subprocessors that hold')} the data did not confirm yet.",
        where="holder",
        next_step="Their confirmations come first, or two persons decide that nobody waits for them.",
    )


def take_other_answer(session: Session, task: HolderTask, answer: HolderAnswer, now: datetime) -> None:
    """Take what a holder says instead of a certificate; an officer decides about it."""
    lock_tasks(session, task.case_id)
    if task.status in SETTLED:
        raise Refused("This holder has answered already.", next_step="There is nothing to do.")
    _supersede_answers(session, task, now)
    task.status, task.again_at = HolderStatus.ANSWERED, None
    session.add_all([task, answer])


def decide(session: Session, task: HolderTask, *, accept: bool, reason_sha256: str, by: str, at: datetime) -> UUID:
    """Decide about what a holder said instead of a certificate; return the answer's id.

    Raises:
        Refused: nothing of it waits for a decision, or it declined and that was to be accepted.
    """
    lock_tasks(session, task.case_id)
    answer = session.exec(
        select(HolderAnswer).where(
            HolderAnswer.task_id == task.id,
            col(HolderAnswer.decided_at).is_(None),
            col(HolderAnswer.superseded_at).is_(None),
            HolderAnswer.kind != HolderAnswerKind.CERTIFICATE,
        )
    ).one_or_none()
    if answer is None or task.status is not HolderStatus.ANSWERED:
        raise Refused("No answer of this holder waits for a decision.", next_step="Look at the case's page.")
    if accept and answer.kind is HolderAnswerKind.DECLINED:
        raise Refused(
            "That a holder declines is not accepted by one person: the data would stay there.",
            next_step="Refuse the answer, so that it is asked again, or propose that nobody waits for it.",
        )
    if accept and answer.kind is HolderAnswerKind.HOLDS_NOTHING and task.contact_id is None:
        raise Refused(
            "The provider confirms for every holder, also where it holds nothing itself.",
            next_step="Refuse the answer, and give the provider's certificate.",
        )
    answer.decided_by, answer.decided_at, answer.accepted = by, at, accept
    session.add(answer)
    if accept and answer.kind is HolderAnswerKind.HOLDS_NOTHING:
        settle(task, HolderStatus.HOLDS_NOTHING, at)
    else:
        task.status = HolderStatus.OPEN
        task.refused_sha256 = None if accept else reason_sha256
    session.add(task)
    return answer.id


def waive(session: Session, task_id: UUID, at: datetime) -> None:
    """Wait no more for a subprocessor, as two persons decided.

    Raises:
        Refused: it has confirmed meanwhile.
    """
    task = session.get_one(HolderTask, task_id)
    lock_tasks(session, task.case_id)
    if task.status in SETTLED:
        raise Refused("Nothing is awaited from this holder any more.", next_step="Decline the proposal.")
    settle(task, HolderStatus.WAIVED, at)
    end_link(task)
    session.add(task)


def reopen(session: Session, case: Case, task: HolderTask, at: datetime) -> bool:
    """Ask a holder again that got the data back, and the provider as well; return whether a duty had been performed.

    Raises:
        Refused: it has not disposed of the data yet, so that nothing came back.
    """
    lock_tasks(session, case.id)
    if task.status not in SETTLED:
        raise Refused(
            "This holder has not confirmed yet, so what it restored is asked for already.",
            where="holder",
            next_step="There is nothing to do.",
        )
    provider = next(other for other in tasks_of(session, case.id, task.agreement_id) if other.contact_id is None)
    for one in {task.id: task, provider.id: provider}.values():
        _supersede_answers(session, one, at)
        standing = col(Confirmation.withdrawn_at).is_(None)
        whose = (
            col(Confirmation.contact_id) == one.contact_id if one.contact_id else col(Confirmation.contact_id).is_(None)
        )
        session.execute(
            update(Confirmation).where(col(Confirmation.case_id) == case.id, whose, standing).values(withdrawn_at=at)
        )
        one.status, one.awaited_since, one.settled_at = HolderStatus.OPEN, at, None
        one.asked_at, one.told_due_at, one.told_not_before, one.steps = None, None, None, 0
        end_link(one)
        session.add(one)
    return _was_performed(session, case.id, task.agreement_id)


def settle(task: HolderTask, status: HolderStatus, at: datetime) -> None:
    """Note that nothing is awaited from a holder any more."""
    task.status, task.settled_at, task.again_at, task.refused_sha256 = status, at, None, None


def end_link(task: HolderTask) -> None:
    """Let a holder's link lead nowhere any more; the next one is another."""
    task.link_number += 1
    task.link_digest = task.link_expires_at = None


def _asked(session: Session, case: Case) -> dict[UUID, Asked]:
    """The agreements of a case under which a disposal is owed now, each with its time."""
    duties = session.exec(
        select(Duty)
        .where(Duty.case_id == case.id, Duty.performed_by == PerformedBy.CONFIRMATION)
        .where(col(Duty.status).in_((DutyStatus.RUNNING, DutyStatus.SUSPENDED)))
    ).all()
    due_dates = read_due_dates(session, [duty.due_date_id for duty in duties])
    return {
        agreement_id: _time_of(session, case.id, of_it, due_dates)
        for agreement_id, of_it in grouped(duties, lambda duty: duty.agreement_id).items()
    }


def _time_of(session: Session, case_id: UUID, duties: Sequence[Duty], due_dates: Mapping[str, StoredDueDate]) -> Asked:
    """The time for all that is owed under one agreement: the first due instant, and the last of its floors."""
    clauses = {clause.id: clause for clause in clauses_of_agreement(session, case_id, duties[0].agreement_id)}
    floors = [due_dates[duty.due_date_id].earliest_at for duty in duties if clauses[duty.clause].not_before]
    return Asked(
        due_at=min((duty.due_at for duty in duties if duty.due_at), default=None),
        internal_due_at=min((duty.internal_due_at for duty in duties if duty.internal_due_at), default=None),
        not_before=max((floor for floor in floors if floor), default=None),
        waits=None in floors,
    )


def asked_duties(session: Session, case_id: UUID, agreement_id: UUID) -> list[Duty]:
    """The duties under an agreement that its holders' confirmations perform, and whose time runs."""
    return list(
        session.exec(
            select(Duty)
            .where(Duty.case_id == case_id, Duty.agreement_id == agreement_id)
            .where(Duty.performed_by == PerformedBy.CONFIRMATION)
            .where(col(Duty.status).in_((DutyStatus.RUNNING, DutyStatus.SUSPENDED)))
            .order_by(col(Duty.id))
        )
    )


def _was_performed(session: Session, case_id: UUID, agreement_id: UUID) -> bool:
    return (
        session.exec(
            select(Duty.id).where(
                Duty.case_id == case_id,
                Duty.agreement_id == agreement_id,
                Duty.performed_by == PerformedBy.CONFIRMATION,
                Duty.status == DutyStatus.PERFORMED,
            )
        ).first()
        is not None
    )


def _granted(session: Session, case_id: UUID) -> dict[UUID, date]:
    """Until when the holders of a case were granted more time, by their tasks."""
    rows = session.exec(
        select(HolderAnswer.task_id, func.max(HolderAnswer.until))
        .join(HolderTask, col(HolderTask.id) == col(HolderAnswer.task_id))
        .where(HolderAnswer.case_id == case_id, col(HolderAnswer.accepted).is_(True))
        .where(HolderAnswer.kind == HolderAnswerKind.MORE_TIME)
        .where(col(HolderAnswer.given_at) >= col(HolderTask.awaited_since))
        .group_by(col(HolderAnswer.task_id))
    )
    return {task: until for task, until in rows.all() if until}


def _asked_until(due_at: datetime | None, granted: date | None, zone: ZoneInfo) -> datetime | None:
    """Until when a holder is asked: till what it was granted, where that is later than the instant it is asked by."""
    return max(due_at, end_of_day(granted, zone)) if due_at and granted else due_at


def _unsent(session: Session, case_id: UUID, since: datetime) -> set[UUID]:
    """The tasks whose holders were not sent the completion certificate of an answer that was given since an instant."""
    return set(
        session.exec(
            select(HolderAnswer.task_id)
            .where(HolderAnswer.case_id == case_id, col(HolderAnswer.receipt_sha256).is_not(None))
            .where(col(HolderAnswer.receipt_sent_at).is_(None), col(HolderAnswer.given_at) >= since)
        )
    )


def _make_tasks(session: Session, case: Case, agreement_id: UUID, now: datetime, side: Party) -> None:
    """Ask every holder that is known for an agreement: those on the list, those of the agreement, and the provider."""
    tasks = {task.contact_id: task for task in tasks_of(session, case.id, agreement_id)}
    provider = tasks.get(None)
    if provider and provider.status is HolderStatus.WITHDRAWN:
        _ask_anew(session, tasks.values(), now)
    elif provider and provider.status in SETTLED:
        return  # it confirmed for all: who is listed later held nothing then
    contacts = {contact.name.casefold(): contact for contact in subprocessors_of(session, case.id, agreement_id)}
    for listed in subprocessors_under(session, agreement_id):
        contact = contacts.get(listed.name.casefold())
        if contact is None:
            add_holder(
                session,
                case,
                agreement_id,
                key=listed.id,
                name=listed.name,
                email=listed.email,
                data=listed.data,
                now=now,
            )
        elif contact.case_id and contact.email != listed.email:
            _write_to_another_address(session, contact, tasks.get(contact.id), listed.email, now)
    for contact in contacts.values():
        if contact.id not in tasks:
            _make_task(session, case, agreement_id, contact.id, None, now)
    if provider is None:
        provider = _make_task(session, case, agreement_id, None, None, now)
    if side is Party.LEA and (chased := _other_side(session, agreement_id)):
        provider.owing_contact_id = chased
        session.add(provider)


def would_be_asked(session: Session, case_id: UUID | None, agreement_id: UUID, side: Party) -> list[Mailbox]:
    """Whom the disposal of an agreement's data would be asked of by mail, outside this organisation, once it is owed.

    It is nobody while something keeps the data. ``case_id`` is None for a case that is not open yet.
    """
    if what_keeps(session, case_id or _NOT_OPEN, agreement_id):
        return []
    tasks = tasks_of(session, case_id, agreement_id) if case_id else ()
    provider = next((task for task in tasks if task.contact_id is None), None)
    if provider and provider.status in SETTLED:
        return []
    names = [contact_name(session, task) for task in tasks if task.status is not HolderStatus.OPEN]
    said = {name.casefold() for name in names if name}
    asked = {
        one.name.casefold(): Mailbox(name=one.name, email=one.email)
        for one in subprocessors_under(session, agreement_id)
    }
    for contact in subprocessors_of(session, case_id or _NOT_OPEN, agreement_id):
        if contact.case_id is None or contact.name.casefold() not in asked:
            asked[contact.name.casefold()] = Mailbox(name=contact.name, email=contact.email)
    boxes = [asked[name] for name in sorted(asked) if name not in said]
    if side is Party.LEA and (chased := _other_side(session, agreement_id)):
        owing = session.get_one(AgreementContact, chased)
        boxes.insert(0, Mailbox(name=owing.name, email=owing.email))
    return boxes


_NOT_OPEN = UUID(int=0)
"""Stands for a case that is not open yet: no row is its own."""


def _other_side(session: Session, agreement_id: UUID) -> UUID | None:
    """The first contact of the other side, which owes the disposal and is chased."""
    return session.exec(
        select(AgreementContact.id)
        .where(AgreementContact.agreement_id == agreement_id, col(AgreementContact.party).is_(None))
        .where(AgreementContact.role == ContactRole.GENERAL, col(AgreementContact.case_id).is_(None))
        .where(AgreementContact.rank >= 0)
        .order_by(col(AgreementContact.rank))
    ).first()


def subprocessors_of(session: Session, case_id: UUID, agreement_id: UUID) -> list[AgreementContact]:
    """The subprocessors that hold an agreement's data: those known for it, and those named in the case."""
    return list(
        session.exec(
            select(AgreementContact)
            .where(AgreementContact.agreement_id == agreement_id, AgreementContact.party == Party.SUBPROCESSOR)
            .where(col(AgreementContact.case_id).is_(None) | (col(AgreementContact.case_id) == case_id))
            .where(AgreementContact.rank >= 0)
        )
    )


def _write_to_another_address(
    session: Session, contact: AgreementContact, task: HolderTask | None, email: str, now: datetime
) -> None:
    """A holder whose address was corrected is asked there; what went to the old one leads nowhere."""
    contact.email, contact.failing_since = email, None
    session.add(contact)
    record_contacts(session, [contact], ENGINE, now, contact.case_id)
    if task and task.status not in SETTLED:
        task.asked_at = task.vendor_id = None
        end_link(task)
        session.add(task)


def _make_task(
    session: Session, case: Case, agreement_id: UUID, contact_id: UUID | None, data: str | None, now: datetime
) -> HolderTask:
    holder = session.get_one(AgreementContact, contact_id) if contact_id else None
    task = HolderTask(
        id=uuid5(case.id, f"holder-task:{agreement_id}:{contact_id}"),
        case_id=case.id,
        agreement_id=agreement_id,
        contact_id=contact_id,
        holder=holder_key(holder.name if holder else Party.PROVIDER.value),
        data=data,
        status=HolderStatus.OPEN,
        awaited_since=now,
    )
    session.add(task)
    session.flush()
    return task


def _supersede_answers(session: Session, task: HolderTask, at: datetime) -> None:
    session.execute(
        update(HolderAnswer)
        .where(col(HolderAnswer.task_id) == task.id, col(HolderAnswer.superseded_at).is_(None))
        .values(superseded_at=at)
    )


def _end(tasks: Iterable[HolderTask], now: datetime) -> None:
    """Nobody is asked any more: nothing is owed. Who was asked to dispose of data is told first that it need not."""
    for task in tasks:
        ours = task.contact_id is None and task.owing_contact_id is None
        if task.status not in SETTLED and (ours or not (task.asked_at or task.directed_at)):
            withdraw(task, now)


def withdraw(task: HolderTask, now: datetime) -> None:
    """Ask a holder no more; its link leads nowhere."""
    settle(task, HolderStatus.WITHDRAWN, now)
    end_link(task)


def _ask_anew(session: Session, tasks: Iterable[HolderTask], now: datetime) -> None:
    """Ask those again who were told that nothing is asked any more, since it is owed after all."""
    for task in tasks:
        if task.status is HolderStatus.WITHDRAWN:
            task.status, task.awaited_since, task.settled_at = HolderStatus.OPEN, now, None
            task.asked_at, task.directed_at, task.told_due_at, task.told_not_before = None, None, None, None
            task.steps = 0
            session.add(task)
