"""Starting the workflow of a case: when it is opened, and again should it be lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

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
    )


def intake_namer(keyring: Keyring) -> Callable[[Intake], str]:
    """What names an intake by its content, under this installation's key: the same intake is the same case."""
    key = keyring.derive(b"report digest")
    return lambda intake: intake_digest(intake, key)


def end_rules(resources: Resources) -> Rules:
    """By what this installation judges the end of an agreement."""
    return Rules(resources.catalogue, resources.settings.defaults, resources.settings.side)


async def start_case(client: Client, database: Database, case_id: UUID, policy: NoticePolicy, now: datetime) -> bool:
    """Start a case's workflow with what SQL knows of it, unless it runs or came to its end.

    Returns whether it was started.

    Raises:
        NotFound: this installation does not know the case's kind.
        RPCError: Temporal does not answer; the case is kept, and can be started later.
    """
    name, message = await asyncio.to_thread(_beginning, database, case_id, policy)
    kind = kind_named(name)
    try:
        await client.start_workflow(
            kind.name,
            message,
            id=identifiers.workflow_id(kind.name, case_id),
            task_queue=identifiers.TASK_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            search_attributes=TypedSearchAttributes([SearchAttributePair(CASE_KIND, kind.name)]),
            static_summary=f"{kind.label} case",
        )
    except WorkflowAlreadyStartedError:
        started = False
    else:
        started = True
    await asyncio.to_thread(_note_start, database, case_id, now)
    return started


def _beginning(database: Database, case_id: UUID, policy: NoticePolicy) -> tuple[str, CaseInput]:
    with database.reading() as session:
        kind = session.get_one(Case, case_id).kind
        return kind, CaseInput(case_id=case_id, policy=policy, state=restore_state(session, case_id, policy))


def _note_start(database: Database, case_id: UUID, now: datetime) -> None:
    with database.writing() as session:
        case = session.get_one(Case, case_id)
        case.workflow_started_at = case.workflow_started_at or now
