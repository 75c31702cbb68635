"""The acts of people on cases: report, confirm, release. Each is checked here, stored, and handed to the workflow."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias, TypeVar
from uuid import UUID, uuid5

import rfc8785
from sqlmodel import Session, col, select
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.terms import current_anchors
from config.logging import get_logger
from ledger.append import Entry, append
from ledger.artifacts import store
from ledger.kinds import EvidenceKind
from models import identifiers
from models.anchors import report_anchors
from models.errors import DuenoticeError, InvalidFields, InvalidInput, NotFound, Refused, Unavailable
from models.incident import IncidentReport, Person, check_report
from models.messages import AnchorValue, BreachInput, CaseStanding, ConfirmBreach, NoticePolicy, ReleaseNotices
from models.search_attributes import CASE_KIND
from models.tables import Agreement, AgreementContact, Case, CaseAgreement, CaseAnchor, CaseFact
from models.words import CaseKind, CaseStatus, ContactRole, FactStatus
from starter.resources import Resources, utc_now
from workflows.breach import BreachWorkflow

Answer = TypeVar("Answer")
BreachHandle: TypeAlias = WorkflowHandle[BreachWorkflow, CaseStanding]

_log = get_logger("office")

REPORTER = "reporter"
"""The fact that names who reported; no clause asks for it."""


@dataclass(frozen=True)
class ReportedCase:
    """The case that a report led to; ``existed`` if the same incident was reported before.

    ``clocks_run`` is False while Temporal does not answer: the report is kept, and its clocks start when it does.
    """

    case_id: UUID
    existed: bool
    clocks_run: bool


class Office:
    """Where acts on cases are checked and carried out, for the web and the command line alike."""

    def __init__(self, resources: Resources, clock: Callable[[], datetime] = utc_now) -> None:
        self._resources = resources
        self._database = resources.database
        self._clock = clock

    async def report_breach(self, report: IncidentReport, *, actor: str) -> ReportedCase:
        """Keep a report and start its case; the same report again leads to the same case.

        Raises:
            InvalidFields: the report cannot be acted on; each problem names its field.
        """
        now = self._clock()
        check_report(report, now)
        case_id, existed = await asyncio.to_thread(self._keep_report, report, actor, now)
        return ReportedCase(case_id, existed, await self._start(case_id))

    async def confirm_breach(self, case_id: UUID, confirmed_at: datetime, *, actor: str) -> CaseStanding:
        """Confirm a suspected breach as of ``confirmed_at``, which starts the clocks that run from confirmation.

        Raises:
            NotFound: there is no such case.
            InvalidInput: the time has no zone, is in the future, or is before the occurrence.
            Refused: the breach is confirmed already, or the case is closed.
            Unavailable: Temporal does not answer; nothing was changed.
        """
        message = ConfirmBreach(confirmed_at=confirmed_at, actor=actor)
        return await self._act(case_id, lambda case: case.execute_update(BreachWorkflow.confirm, message))

    async def release_notices(self, case_id: UUID, *, actor: str) -> CaseStanding:
        """Let every waiting notice of a case go now.

        Raises:
            NotFound: there is no such case.
            Refused: no notice waits.
            Unavailable: Temporal does not answer; nothing was changed.
        """
        message = ReleaseNotices(actor=actor)
        return await self._act(case_id, lambda case: case.execute_update(BreachWorkflow.release, message))

    async def start_unstarted_cases(self) -> int:
        """Start the workflow of every reported case that has none yet; return how many were started."""
        unstarted = await asyncio.to_thread(self._unstarted)
        started = [await self._start(case_id) for case_id in unstarted]
        return sum(started)

    def _unstarted(self) -> list[UUID]:
        with self._database.reading() as session:
            return list(session.exec(select(Case.id).where(col(Case.workflow_started_at).is_(None))))

    def _keep_report(self, report: IncidentReport, actor: str, now: datetime) -> tuple[UUID, bool]:
        digest = self._digest(report)
        case_id = identifiers.case_id(CaseKind.BREACH, digest)
        with self._database.writing() as session:
            if session.get(Case, case_id):
                return case_id, True
            agreements = _affected_agreements(session, report.agreements)
            session.add(
                Case(
                    id=case_id,
                    kind=CaseKind.BREACH,
                    status=CaseStatus.REPORTED,
                    title=report.title,
                    report_digest=digest,
                    opened_at=now,
                )
            )
            session.flush()
            session.add_all(CaseAgreement(case_id=case_id, agreement_id=key, added_at=now) for key in agreements)
            session.add_all(_anchor_rows(case_id, report, actor, now))
            session.add_all(_fact_rows(case_id, report, actor, now))
            append(session, _opening_entry(session, case_id, report, agreements, actor, now))
        return case_id, False

    def _digest(self, report: IncidentReport) -> str:
        """Name a report by its content, under a key, so that the name tells nothing of the content.

        An instant counts as the same in whichever zone it is written, and the agreements in whichever order.
        """
        content = _in_utc(report).model_dump(mode="json") | {"agreements": sorted(set(report.agreements))}
        key = self._resources.keyring.derive(b"report digest")
        return hmac.new(key, rfc8785.dumps(content), hashlib.sha256).hexdigest()

    async def _start(self, case_id: UUID) -> bool:
        settings = self._resources.settings
        anchors = await asyncio.to_thread(self._anchors, case_id)
        policy = NoticePolicy(release=settings.release, last_safe_minutes=settings.last_safe_minutes)
        try:
            await self._resources.client.start_workflow(
                BreachWorkflow.run,
                BreachInput(case_id=case_id, policy=policy, anchors=anchors),
                id=identifiers.workflow_id(CaseKind.BREACH, case_id),
                task_queue=identifiers.TASK_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                search_attributes=TypedSearchAttributes([SearchAttributePair(CASE_KIND, CaseKind.BREACH.value)]),
                static_summary="breach case",
            )
        except WorkflowAlreadyStartedError:
            pass
        except RPCError as error:
            _log.warning("case not started", case_id=str(case_id), status=error.status.name)
            return False
        await asyncio.to_thread(self._note_start, case_id)
        return True

    def _anchors(self, case_id: UUID) -> tuple[AnchorValue, ...]:
        with self._database.reading() as session:
            return tuple(current_anchors(session, case_id).values())

    def _find(self, case_id: UUID) -> None:
        with self._database.reading() as session:
            if session.get(Case, case_id) is None:
                raise NotFound(f"There is no case {case_id}.", next_step="`duenotice breach show` lists the cases.")

    def _note_start(self, case_id: UUID) -> None:
        with self._database.writing() as session:
            case = session.get_one(Case, case_id)
            case.workflow_started_at = case.workflow_started_at or self._clock()
            session.add(case)

    async def _act(self, case_id: UUID, act: Callable[[BreachHandle], Awaitable[Answer]]) -> Answer:
        await asyncio.to_thread(self._find, case_id)
        handle = self._resources.client.get_workflow_handle_for(
            BreachWorkflow.run, identifiers.workflow_id(CaseKind.BREACH, case_id)
        )
        try:
            return await act(handle)
        except WorkflowUpdateFailedError as error:
            raise _refusal(error) from error
        except RPCError as error:
            raise _unreachable(error, case_id) from error


def _in_utc(report: IncidentReport) -> IncidentReport:
    def utc(instant: datetime | None) -> datetime | None:
        return instant.astimezone(UTC) if instant else None

    return report.model_copy(
        update={
            "occurred": report.occurred.model_copy(update={"at": utc(report.occurred.at)}),
            "reasonably_expected_at": utc(report.reasonably_expected_at),
            "discovered_at": utc(report.discovered_at),
            "confirmed_at": utc(report.confirmed_at),
        }
    )


def _refusal(error: WorkflowUpdateFailedError) -> DuenoticeError:
    """The refusal of a workflow's validator, as the error that it was raised from."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type == InvalidInput.code:
        return InvalidInput(cause.message)
    return Refused(str(cause.message if isinstance(cause, ApplicationError) else cause))


def _unreachable(error: RPCError, case_id: UUID) -> DuenoticeError:
    if error.status is RPCStatusCode.NOT_FOUND:
        return Refused(f"Case {case_id} is closed or not yet started, so nothing can be done in it.")
    return Unavailable(
        "Temporal does not answer, so nothing was changed.",
        next_step="Look whether the server runs, and try again.",
    )


def _affected_agreements(session: Session, references: tuple[str, ...]) -> list[UUID]:
    """The ids of the agreements named, each once.

    Raises:
        InvalidFields: a reference is unknown, or nobody can be written to under it.
    """
    wanted = set(references)
    found = {row.reference: row.id for row in session.exec(select(Agreement)) if row.reference in wanted}
    reachable = set(
        session.exec(
            select(AgreementContact.agreement_id).where(AgreementContact.role != ContactRole.COPY_TO).distinct()
        )
    )
    problems = [
        InvalidInput(f"There is no agreement {reference}.", where="agreements", next_step="Import it first.")
        for reference in sorted(wanted - set(found))
    ]
    problems += [
        InvalidInput(
            f"Agreement {reference} names no contact, so its LEA cannot be told.",
            where="agreements",
            next_step="Import the agreement again with a general contact.",
        )
        for reference, agreement in sorted(found.items())
        if agreement not in reachable
    ]
    if problems:
        raise InvalidFields(tuple(problems))
    return sorted(found.values())


def _anchor_rows(case_id: UUID, report: IncidentReport, actor: str, now: datetime) -> list[CaseAnchor]:
    return [
        CaseAnchor(
            id=uuid5(case_id, f"reported:{anchor.name}"),
            case_id=case_id,
            name=anchor.name,
            instant=anchor.instant,
            first_day=anchor.first_day,
            last_day=anchor.last_day,
            recorded_at=now,
            recorded_by=actor,
        )
        for anchor in report_anchors(report)
    ]


def _fact_rows(case_id: UUID, report: IncidentReport, actor: str, now: datetime) -> list[CaseFact]:
    types = "\n".join(report.data_types)
    facts = {
        "description": report.description,
        "data_types": types,
        "data_description": types,
        "provider_point_of_contact": _person(report.point_of_contact),
        REPORTER: _person(report.reporter),
    }
    return [
        CaseFact(
            id=uuid5(case_id, f"reported:{element}"),
            case_id=case_id,
            element=element,
            status=FactStatus.KNOWN,
            value=value,
            recorded_at=now,
            recorded_by=actor,
        )
        for element, value in facts.items()
    ]


def _person(person: Person) -> str:
    return ", ".join(part for part in (person.name, person.email, person.phone) if part)


def _opening_entry(
    session: Session, case_id: UUID, report: IncidentReport, agreements: list[UUID], actor: str, now: datetime
) -> Entry:
    sha256 = store(session, report.model_dump_json(indent=2).encode(), "application/json", now)
    return Entry(
        case_id=case_id,
        kind=EvidenceKind.CASE_OPENED,
        actor=actor,
        at=now,
        body={
            "kind": CaseKind.BREACH.value,
            "anchors": [anchor.model_dump(mode="json", exclude_none=True) for anchor in report_anchors(report)],
            "agreements": [str(agreement) for agreement in agreements],
        },
        artifacts=(sha256,),
        key=f"case-opened:{case_id}",
    )
