"""What the link of a holder of data opens: what it is asked, and its answer, kept with its evidence at once."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import rfc8785
from sqlmodel import Session, col, select

from agreements.due_dates import read_due_dates
from cases.certificate import BACKUPS_EXPIRE, Certificate, HolderSays, MoreTime
from cases.kinds import kind_named
from cases.state import CaseState
from cases.values import AnchorValue
from config.database import Database
from ledger.append import append
from ledger.artifacts import fetch, store
from ledger.entries import CaseRead, HolderAnswered, HolderRefused, JsonObject
from models import identifiers
from models.enums import SETTLED, HolderAnswerKind, HolderStatus, Reading
from models.errors import NotFound, Refused
from models.tables import Agreement, Case, Duty, HolderAnswer, HolderTask
from models.view import View
from records.anchors import current_anchors, keep_anchor
from records.case_context import current_facts
from records.cases import note_change
from records.holder_words import write_receipt
from records.holders import (
    asked_contact,
    asked_duties,
    check_may_dispose,
    confirm,
    holder_name,
    lock_tasks,
    may_dispose,
    missing,
    others_come_first,
    take_other_answer,
    tasks_of,
)
from records.keeping import kept_by, what_keeps
from records.readings import note_reading
from records.uploads import UploadedFile

HOLDER = "holder"
"""Who answers, as evidence names them: whoever has the link of what a holder is asked."""


class GivenAnswerView(View):
    """One answer of a holder, as its page shows it back."""

    id: UUID
    kind: HolderAnswerKind
    given_at: datetime
    accepted: bool | None
    receipt_sha256: str | None


class LinkedTask(View):
    """What the one who has a holder's link is shown.

    ``asked`` is what is to be done, by what people call it; ``missing`` how many other holders the provider waits for;
    ``kept_by`` what keeps the data, if anything does; ``chased`` whether it is asked of the other side, which owes
    it; ``owed_by`` is then the name of that side, and None where we owe it ourselves. Where the LEA is told first, it
    ``may_dispose`` of the data ``not_before`` an instant.
    """

    id: UUID
    case_id: UUID
    case_reference: str
    agreement_reference: str
    lea_name: str
    time_zone: str
    holder: str | None
    because: str
    data: str | None
    asked: dict[str, str]
    asked_on: date
    due_at: datetime | None
    expires_at: datetime
    status: HolderStatus
    missing: int
    not_before: datetime | None
    may_dispose: bool
    chased: bool
    owed_by: str | None
    kept_by: str | None
    accepted: bool
    closed: bool
    link_number: int
    answers: tuple[GivenAnswerView, ...]

    @property
    def takes_answers(self) -> bool:
        """Whether an answer is awaited and can be taken now."""
        ready = self.accepted and self.may_dispose and not self.kept_by and not self.closed and self.missing == 0
        return ready and self.status not in SETTLED

    def is_asked_because(self, organisation: str) -> str:
        """Why its data is disposed of, in a sentence; ``organisation`` is who asks."""
        whom = "you" if self.chased else self.owed_by or organisation
        return self.because.format(lea=self.lea_name, whom=whom, agreement=self.agreement_reference)


@dataclass(frozen=True)
class GivenByHolder:
    """An answer as it arrived, checked, with its files."""

    kind: HolderAnswerKind
    says: HolderSays
    files: Sequence[UploadedFile] = ()


def read_linked_task(database: Database, digest: str, now: datetime) -> LinkedTask:
    """What the link of this digest leads to.

    Raises:
        NotFound: it leads nowhere, or no more.
    """
    with database.reading() as session:
        return linked_task(session, _task(session, digest, now), now)


def give_holder_answer(
    database: Database, digest: str, given: GivenByHolder, *, asked_by: str, actor: str, now: datetime
) -> UUID:
    """Keep what a holder answers, with its evidence and the completion certificate for who signed; return the case.

    ``asked_by`` is the organisation that asks.

    Raises:
        NotFound: the link leads nowhere, or no more.
        Refused: no answer is taken: it was given already, the case is closed, something keeps the data, or the
            provider's turn has not come.
    """
    try:
        with database.writing() as session:
            task = _task(session, digest, now)
            answering, through = task.id, {"link": task.link_number}
            take_answer(session, task, given, through, asked_by=asked_by, actor=actor, now=now)
            return task.case_id
    except Refused:
        note_refused(database, [answering], actor, now)
        raise


def fetch_receipt(database: Database, digest: str, answer_id: UUID, *, actor: str, now: datetime) -> UploadedFile:
    """The completion certificate of an answer that was given through a holder's link, with evidence of the reading.

    Raises:
        NotFound: the link leads nowhere, or no such answer was given through it.
    """
    with database.reading() as session:
        task, answer = _task(session, digest, now), session.get(HolderAnswer, answer_id)
        if answer is None or answer.task_id != task.id or answer.receipt_sha256 is None:
            raise NotFound("There is no such completion certificate.", next_step="Reload the page.")
        content = fetch(session, answer.receipt_sha256)
        file = UploadedFile(receipt_name(task.case_id, answer.id), content, "application/pdf")
        reading = CaseRead(
            case_id=task.case_id,
            actor=actor,
            at=now,
            what=Reading.CERTIFICATE,
            thing=str(answer.id),
            content_sha256=answer.receipt_sha256,
        )
    note_reading(database, reading)
    return file


def receipt_name(case_id: UUID, answer_id: UUID) -> str:
    """What the file of a completion certificate is called."""
    return f"completion-{identifiers.case_reference(case_id)}-{answer_id.hex[:8]}.pdf"


def take_answer(
    session: Session,
    task: HolderTask,
    given: GivenByHolder,
    through: Mapping[str, int],
    *,
    asked_by: str,
    actor: str,
    now: datetime,
) -> None:
    """Keep what a holder answers of what it is asked; ``through`` says by which link.

    Raises:
        Refused: no answer is taken.
    """
    lock_tasks(session, task.case_id)
    _check_takes(linked_task(session, task, now))
    check_may_dispose(task, now)
    files = [(file.name, store(session, file.content, file.media_type, now, case=task.case_id)) for file in given.files]
    says, said = given.says, _said(given, files, through, now)
    said_sha256 = store(session, rfc8785.dumps(said), "application/json", now, case=task.case_id)
    case = session.get_one(Case, task.case_id)
    holder = holder_name(session, task, asked_by)
    receipt_sha256 = write_receipt(session, task, said, said_sha256, holder=holder, asked_by=asked_by, now=now)
    answer = HolderAnswer(
        id=uuid5(task.id, said_sha256),
        case_id=case.id,
        task_id=task.id,
        kind=given.kind,
        said_sha256=said_sha256,
        receipt_sha256=receipt_sha256,
        until=says.until if isinstance(says, MoreTime) else None,
        backups_expire_on=says.backups_expire_on if isinstance(says, Certificate) else None,
        given_at=now,
        given_by=actor,
        early=isinstance(says, Certificate) and _is_early(session, task, says.performed_on),
    )
    performed: list[Duty] = []
    if isinstance(says, Certificate):
        performed = confirm(session, case, task, answer, now)
        session.flush()
        _date_backups(session, task, actor, now)
    else:
        take_other_answer(session, task, answer, now)
    append(
        session,
        HolderAnswered(
            case_id=case.id,
            actor=actor,
            at=now,
            task=task.id,
            contact=task.contact_id,
            answer=answer.id,
            answer_kind=given.kind,
            performed=tuple(f"{duty.id} {duty.verdict}" for duty in performed),
            early=answer.early or None,
            said_sha256=said_sha256,
            receipt_sha256=receipt_sha256,
            files_sha256=tuple(sha256 for _, sha256 in files),
        ),
    )
    note_change(session, case.id, now)


def _is_early(session: Session, task: HolderTask, performed_on: date) -> bool:
    """Whether data went before the first day on which it might."""
    zone = ZoneInfo(session.get_one(Agreement, task.agreement_id).time_zone)
    return task.not_before is not None and performed_on < task.not_before.astimezone(zone).date()


def _said(
    given: GivenByHolder, files: Sequence[tuple[str, str]], through: Mapping[str, int], now: datetime
) -> JsonObject:
    """All of an answer as it is kept: what was typed, the sentence attested, the files, by which link, when."""
    return {
        "answer": given.kind.value,
        "says": given.says.model_dump(mode="json", exclude_none=True),
        "attested": type(given.says).model_fields["attested"].title,
        "files": [{"name": name, "sha256": sha256} for name, sha256 in files],
        **through,
        "given_at": now.isoformat(),
        "salt": secrets.token_hex(16),  # so that the hash tells nothing of a guessed answer
    }


def _date_backups(session: Session, task: HolderTask, actor: str, now: datetime) -> None:
    """Date when the last backup expires that still holds data of the agreement, as its holders certified."""
    certified = session.exec(
        select(HolderAnswer)
        .join(HolderTask, col(HolderTask.id) == col(HolderAnswer.task_id))
        .where(HolderTask.case_id == task.case_id, HolderTask.agreement_id == task.agreement_id)
        .where(col(HolderAnswer.superseded_at).is_(None))
    )
    last = max((answer.backups_expire_on for answer in certified if answer.backups_expire_on), default=None)
    if last:
        keep_anchor(
            session,
            task.case_id,
            AnchorValue(name=BACKUPS_EXPIRE, first_day=last),
            row_id=uuid5(task.id, f"backups:{now.isoformat()}"),
            by=actor,
            at=now,
            agreement_id=task.agreement_id,
        )


def _task(session: Session, digest: str, now: datetime) -> HolderTask:
    task = session.exec(select(HolderTask).where(HolderTask.link_digest == digest)).one_or_none()
    if task is None or task.link_expires_at is None:
        raise NotFound(
            "This link leads nowhere, or no more.",
            next_step="Copy the whole link from the newest mail, or ask whoever sent it for another one.",
        )
    if task.link_expires_at <= now:
        raise NotFound("This link has expired.", next_step="Ask whoever sent it for another one.")
    return task


def _check_takes(linked: LinkedTask) -> None:
    """Raise ``Refused`` where no answer is taken, with the reason."""
    if linked.takes_answers:
        return
    if linked.closed:
        raise Refused("This matter is closed.", next_step="Write to whoever asked you if something has changed.")
    if linked.status in SETTLED:
        raise Refused("This was answered already, and nothing more is needed.", next_step="Reload the page to see it.")
    if linked.kept_by:
        raise kept_by(linked.kept_by)
    if not linked.accepted:
        raise Refused("The directive is not accepted yet.", next_step="Accept or refuse it on the case's page.")
    if linked.missing:
        raise others_come_first(linked.missing)


def note_refused(database: Database, tasks: Sequence[UUID], actor: str, now: datetime) -> None:
    """Keep evidence that somebody tried to answer where no answer is taken."""
    with database.writing() as session:
        for task in (session.get_one(HolderTask, key) for key in tasks):
            refused = HolderRefused(
                case_id=task.case_id,
                actor=actor,
                at=now,
                task=task.id,
                contact=task.contact_id,
                reason=task.status.value,
            )
            append(session, refused)


def linked_task(session: Session, task: HolderTask, now: datetime) -> LinkedTask:
    """What whoever has the link of a task is shown."""
    case, agreement = session.get_one(Case, task.case_id), session.get_one(Agreement, task.agreement_id)
    kind, facts = kind_named(case.kind), current_facts(session, case.id)
    assert task.link_expires_at is not None, "only a link that lasts is read"
    of_agreement = tasks_of(session, case.id, task.agreement_id)
    own, others = next(one for one in of_agreement if one.contact_id is None), missing(of_agreement)
    answers = session.exec(
        select(HolderAnswer).where(HolderAnswer.task_id == task.id).order_by(col(HolderAnswer.given_at))
    )
    return LinkedTask(
        **task.model_dump(include={"id", "case_id", "data", "due_at", "not_before", "status", "link_number"}),
        because=kind.holders_because,
        may_dispose=may_dispose(task, now),
        case_reference=identifiers.case_reference(case.id),
        agreement_reference=agreement.reference,
        lea_name=agreement.lea_name,
        time_zone=agreement.time_zone,
        holder=contact.name if (contact := asked_contact(session, task)) else None,
        chased=task.owing_contact_id is not None,
        owed_by=owing.name if (owing := asked_contact(session, own)) else None,
        asked={kind.shown[name]: facts[name].value or "" for name in kind.holders_see if name in facts},
        asked_on=_asked_on(session, task, agreement.time_zone),
        expires_at=task.link_expires_at,
        missing=len(others) if task.contact_id is None else 0,
        kept_by=what_keeps(session, case.id, task.agreement_id),
        accepted=kind.is_decided(CaseState(anchors=current_anchors(session, case.id))),
        closed=case.closed_at is not None,
        answers=tuple(GivenAnswerView.model_validate(row, from_attributes=True) for row in answers),
    )


def _asked_on(session: Session, task: HolderTask, zone: str) -> date:
    """The day of what was asked: of the dated fact from which the disposal's time counts."""
    due_dates = read_due_dates(
        session, [duty.due_date_id for duty in asked_duties(session, task.case_id, task.agreement_id)]
    )
    starts = [due_date.starts_at for due_date in due_dates.values() if due_date.starts_at]
    return min(starts, default=task.awaited_since).astimezone(ZoneInfo(zone)).date()
