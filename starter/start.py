"""Starting the workflow of a case: when it is opened, and again should it be lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import col, update
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from cases.intake import Intake
from cases.kinds import kind_named
from cases.state import CaseInput, NoticePolicy
from config.database import Database
from config.keyring import Keyring
from config.settings import Settings
from models import identifiers
from models.search_attributes import CASE_KIND
from models.tables import Case
from records.ends import Rules
from records.intake import intake_digest
from records.restore import restore_state
from starter.resources import Resources

STARTS_AT_ONCE = 20
"""How many workflows are asked for at the same time."""


def notice_policy(settings: Settings) -> NoticePolicy:
    """How notices leave, as the installation's settings say at present."""
    return NoticePolicy(
        release=settings.release,
        last_safe_minutes=settings.last_safe_minutes,
        overdue_grace_minutes=settings.overdue_grace_minutes,
        lapse_warning_minutes=settings.lapse_warning_minutes,
        reminder_fractions=settings.reminder_fractions,
        supplement_minutes=settings.supplement_minutes,
        chase_hours=settings.chase_hours,
        last_moment_reminder_minutes=settings.last_moment_reminder_minutes,
        last_moment_hours=settings.last_moment_hours,
        holder_fractions=settings.holder_fractions,
        holder_hours_before=settings.holder_hours_before,
        holder_link_days=settings.holder_link_days,
        answer_days=settings.defaults.answer_days,
    )


def intake_namer(keyring: Keyring) -> Callable[[Intake], str]:
    """What names an intake by its content, under this installation's key: the same intake is the same case."""
    key = keyring.derive(b"report digest")
    return lambda intake: intake_digest(intake, key)


def end_rules(resources: Resources) -> Rules:
    """By what this installation judges the end of an agreement."""
    return Rules(resources.catalogue, resources.settings.defaults, resources.settings.side)


async def start_case(
    client: Client, database: Database, case_id: UUID, policy: NoticePolicy, now: datetime, *, anew: bool = False
) -> bool:
    """Start a case's workflow with what SQL knows of it, unless it runs or came to its end.

    One that begins ``anew`` is started though its workflow came to its end, if SQL says that the case is open: ask
    Temporal whether it runs first, since a case is closed in SQL before its workflow ends.

    Returns whether it was started.

    Raises:
        NotFound: this installation does not know the case's kind.
        RPCError: Temporal does not answer; the case is kept, and can be started later.
    """
    (beginning,) = await asyncio.to_thread(_beginnings, database, [case_id], policy, anew=anew)
    run_id = await _start(client, beginning)
    await asyncio.to_thread(_note_starts, database, {case_id: run_id}, now)
    return run_id is not None


async def start_cases(
    client: Client,
    database: Database,
    cases: Sequence[UUID],
    policy: NoticePolicy,
    now: datetime,
    *,
    delay: timedelta = timedelta(),
) -> list[UUID]:
    """As ``start_case``, for some cases at once; return those that run, which are all unless Temporal does not answer.

    Each begins its work after a ``delay``, which lets as many others be started before.

    Raises:
        NotFound: this installation does not know a case's kind.
    """
    turns = asyncio.Semaphore(STARTS_AT_ONCE)

    running: dict[UUID, str | None] = {}

    async def start(beginning: _Beginning) -> None:
        async with turns:
            with suppress(RPCError):
                running[beginning.message.case_id] = await _start(client, beginning, delay)

    beginnings = await asyncio.to_thread(_beginnings, database, cases, policy)
    await asyncio.gather(*map(start, beginnings))
    await asyncio.to_thread(_note_starts, database, running, now)
    return [case_id for case_id in cases if case_id in running]


@dataclass(frozen=True)
class _Beginning:
    """What a case's workflow starts from; where it goes on ``after_its_end``, a workflow of its came to its end."""

    kind: str
    message: CaseInput
    after_its_end: bool


async def _start(client: Client, beginning: _Beginning, delay: timedelta | None = None) -> str | None:
    """The id of the run that was started; None where one runs, or the case came to its end."""
    kind, message = kind_named(beginning.kind), beginning.message
    reuse = WorkflowIDReusePolicy
    try:
        started = await client.start_workflow(
            kind.name,
            message,
            id=identifiers.workflow_id(kind.name, message.case_id),
            task_queue=identifiers.TASK_QUEUE,
            id_reuse_policy=reuse.ALLOW_DUPLICATE if beginning.after_its_end else reuse.ALLOW_DUPLICATE_FAILED_ONLY,
            search_attributes=TypedSearchAttributes([SearchAttributePair(CASE_KIND, kind.name)]),
            static_summary=f"{kind.label} case",
            start_delay=delay or None,
        )
    except WorkflowAlreadyStartedError:
        return None
    return started.first_execution_run_id


def _beginnings(
    database: Database, cases: Sequence[UUID], policy: NoticePolicy, *, anew: bool = False
) -> list[_Beginning]:
    with database.reading() as session:
        rows = [session.get_one(Case, case_id) for case_id in cases]
        return [
            _Beginning(
                case.kind,
                CaseInput(case_id=case.id, policy=policy, state=restore_state(session, case.id, policy)),
                after_its_end=case.closed_at is None and (anew or case.reopened_at is not None),
            )
            for case in rows
        ]


def _note_starts(database: Database, runs: Mapping[UUID, str | None], now: datetime) -> None:
    """Note that cases run, and by which runs those that were started just now."""
    with database.writing() as session:
        unstarted = update(Case).where(col(Case.id).in_(runs), col(Case.workflow_started_at).is_(None))
        session.execute(unstarted.values(workflow_started_at=now))
        if started := [{"id": case_id, "workflow_run_id": run_id} for case_id, run_id in runs.items() if run_id]:
            session.execute(update(Case), started)
