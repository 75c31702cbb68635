"""What the link to all that a vendor is asked opens, and what is answered there: each as on its own task's page."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlmodel import Session, col, select

from cases.certificate import HolderSays
from config.database import Database
from ledger.artifacts import fetch
from models.enums import SETTLED
from models.errors import DuenoticeError, NotFound, Refused
from models.identifiers import sha256_hex
from models.tables import HolderAnswer, HolderTask, Vendor
from models.view import View
from records.holder_links import GivenByHolder, LinkedTask, linked_task, note_refused, take_answer
from records.holders import lock_tasks
from records.vendors import lasting_task, lasting_tasks


class LinkedVendor(View):
    """What whoever has the link to all that a vendor is asked is shown, what is due soonest first.

    ``pending`` are the tasks from which an answer is awaited, ``others`` those that were answered; ``total`` counts all
    that are pending, of which so many are listed as were asked for. The link leads nowhere after ``expires_at``.
    """

    pending: tuple[LinkedTask, ...]
    others: tuple[LinkedTask, ...]
    total: int
    expires_at: datetime


class Outcome(StrEnum):
    """What became of one of several answers."""

    TAKEN = "taken"
    UNCHANGED = "unchanged"
    """The same was given before, so nothing was changed."""
    REFUSED = "refused"
    LEFT = "left"
    """It is right, and was left since another is not and all or none were to be taken."""


@dataclass(frozen=True)
class Answered:
    """What became of one answer, with the reason where it was refused."""

    outcome: Outcome
    problem: DuenoticeError | None = None


def read_linked_vendor(
    database: Database, digest: str, now: datetime, *, limit: int, only: Collection[UUID] | None = None
) -> LinkedVendor:
    """What the link of this digest leads to; ``only`` some tasks where they are named.

    Raises:
        NotFound: it leads nowhere, or no more.
    """
    with database.reading() as session:
        tasks = lasting_tasks(session, _vendor(session, digest), now)
        expires = [task.link_expires_at for task in tasks if task.link_expires_at]
        if not expires:
            raise NotFound("This link has expired.", next_step="Ask whoever sent it for another one.")
        pending = [task for task in tasks if task.status not in SETTLED]
        settled = [task for task in tasks if task.status in SETTLED]

        def listed(some: Sequence[HolderTask]) -> tuple[LinkedTask, ...]:
            asked = [task for task in some if only is None or task.id in only]
            return tuple(linked_task(session, task, now) for task in asked[:limit])

        return LinkedVendor(
            pending=listed(pending), others=listed(settled), total=len(pending), expires_at=max(expires)
        )


def give_vendor_answers(
    database: Database,
    digest: str,
    answers: Mapping[UUID, GivenByHolder],
    *,
    all_or_none: bool,
    asked_by: str,
    actor: str,
    now: datetime,
) -> dict[UUID, Answered]:
    """Keep what a vendor answers of several tasks, each as if it were given on its own page, by task.

    One that is refused keeps no other from being taken, unless ``all_or_none`` are to be: what arrives in time counts,
    and one mistake must not make the others late.

    Raises:
        NotFound: the link leads nowhere, or no more.
    """

    def give(session: Session, task_id: UUID) -> Answered:
        vendor = _vendor(session, digest)
        task = lasting_task(session, vendor, task_id, now)
        if task is None:
            raise NotFound("There is no such task.", where="task", next_step="Take the file from the page again.")
        lock_tasks(session, task.case_id)
        if _is_given(session, task, answers[task_id]):
            return Answered(Outcome.UNCHANGED)
        through = {"vendor_link": vendor.link_number}
        take_answer(session, task, answers[task_id], through, asked_by=asked_by, actor=actor, now=now)
        return Answered(Outcome.TAKEN)

    in_order = _in_order(database, digest, answers, now)
    done = _together(database, in_order, give) if all_or_none else _one_by_one(database, in_order, give)
    refused = [task for task, answered in done.items() if isinstance(answered.problem, Refused)]
    note_refused(database, refused, actor, now)
    return done


def _one_by_one(
    database: Database, tasks: Sequence[UUID], give: Callable[[Session, UUID], Answered]
) -> dict[UUID, Answered]:
    done = {}
    for task in tasks:
        try:
            with database.writing() as session:
                done[task] = give(session, task)
        except DuenoticeError as problem:
            done[task] = Answered(Outcome.REFUSED, problem)
    return done


class _TakenBack(Exception):
    """One of several answers is refused, so none is kept."""


def _together(
    database: Database, tasks: Sequence[UUID], give: Callable[[Session, UUID], Answered]
) -> dict[UUID, Answered]:
    done: dict[UUID, Answered] = {}
    try:
        with database.writing() as session:
            # All are held before the first is kept: who keeps evidence holds the ledger, and waits for nobody then.
            named = session.exec(select(HolderTask.case_id).where(col(HolderTask.id).in_(tasks)).distinct())
            for case_id in sorted(named):
                lock_tasks(session, case_id)
            for task in tasks:
                try:
                    done[task] = give(session, task)
                except DuenoticeError as problem:
                    done[task] = Answered(Outcome.REFUSED, problem)
            if any(answered.problem for answered in done.values()):
                raise _TakenBack
    except _TakenBack:
        return {task: one if one.problem else Answered(Outcome.LEFT) for task, one in done.items()}
    return done


def _in_order(database: Database, digest: str, answers: Collection[UUID], now: datetime) -> list[UUID]:
    """The tasks that are answered, a provider's own after those of the subprocessors on which it waits."""
    with database.reading() as session:
        own = {task.id: task.contact_id is None for task in lasting_tasks(session, _vendor(session, digest), now)}
    return sorted(answers, key=lambda task: (own.get(task, True), task))


def _is_given(session: Session, task: HolderTask, given: GivenByHolder) -> bool:
    """Whether a holder's last answer says the same, whoever signed it, and came with the same files."""
    last = session.exec(
        select(HolderAnswer)
        .where(HolderAnswer.task_id == task.id, HolderAnswer.kind == given.kind)
        .where(col(HolderAnswer.superseded_at).is_(None), col(HolderAnswer.receipt_sha256).is_not(None))
    ).first()
    if last is None:
        return False
    said = json.loads(fetch(session, last.said_sha256))
    files = {file["sha256"] for file in said["files"]}
    same_files = files == {sha256_hex(file.content) for file in given.files}
    return same_files and _particulars(said["says"]) == _particulars(given.says.model_dump(mode="json"))


def _particulars(says: Mapping[str, object]) -> dict[str, object]:
    """What is said, without who says it and what is left out."""
    return {name: value for name, value in says.items() if name not in HolderSays.model_fields and value is not None}


def _vendor(session: Session, digest: str) -> Vendor:
    vendor = session.exec(select(Vendor).where(Vendor.link_digest == digest)).one_or_none()
    if vendor is None:
        raise NotFound(
            "This link leads nowhere, or no more.",
            next_step="Copy the whole link from the newest mail, or ask whoever sent it for another one.",
        )
    return vendor
