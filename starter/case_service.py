"""The acts of people on cases: report, confirm, release. Each is checked here, stored, and handed to the workflow."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid5

import rfc8785
from sqlmodel import Session, col, select
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from cases.anchors import CONFIRMED, check_involvement, report_anchors
from cases.incident import REPORTER, IncidentReport, Person, check_report
from cases.messages import (
    AdoptTerms,
    AnchorValue,
    CaseAct,
    CaseSummary,
    ConfirmBreach,
    DecideProposal,
    DismissBreach,
    DocumentsChanged,
    ExtendScope,
    LearnElement,
    LiftHold,
    PlaceHold,
    ProposeNotRequired,
    RecordPerformance,
    ReleaseNotices,
    SetAnchor,
    WithholdNotices,
)
from config.logging import get_logger
from ledger.append import append
from ledger.artifacts import store
from ledger.entries import CaseOpened, ScopeAdded
from models import identifiers
from models.enums import CaseKind, CaseStatus, ContactRole, FactStatus
from models.errors import DuenoticeError, InvalidFields, InvalidInput, NotFound, Refused, Unavailable
from models.tables import Agreement, AgreementContact, Case, CaseAgreement, CaseAnchor, CaseFact
from records.acts import record_act
from records.duties import current_anchors
from records.terms import agreements_knowing
from starter.resources import Resources, utc_now
from starter.start import notice_policy, start_case
from workflows.breach import BreachWorkflow

_log = get_logger("case_service")


@dataclass(frozen=True)
class ReportedCase:
    """The case that a report led to; ``existed`` if the same incident was reported before.

    ``clocks_run`` is False while Temporal does not answer: the report is kept, and its clocks start when it does.
    """

    case_id: UUID
    existed: bool
    clocks_run: bool


class CaseService:
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

    async def confirm_breach(self, case_id: UUID, confirmed_at: datetime, *, actor: str) -> CaseSummary:
        """Confirm a suspected breach as of ``confirmed_at``, which starts the clocks that run from confirmation.

        Like every act below, it raises ``NotFound`` (no such case), ``InvalidInput`` or ``Refused`` (it makes no
        sense in the present state), or ``Unavailable`` (Temporal does not answer); then nothing was changed.
        """
        return await self._act(case_id, ConfirmBreach(confirmed_at=confirmed_at, actor=actor))

    async def dismiss_breach(self, case_id: UUID, reason: str, *, actor: str) -> CaseSummary:
        """Find that there was no breach: what has not left is cancelled, LEAs already told are told so."""
        return await self._act(case_id, DismissBreach(reason_sha256=await self._keep(reason, "reason"), actor=actor))

    async def set_anchor(
        self, case_id: UUID, anchor: AnchorValue, *, actor: str, reason: str | None = None, agreement: str | None = None
    ) -> CaseSummary:
        """Give a dated fact, or correct one, which takes a reason; for one agreement only, if it is named."""
        act = SetAnchor(
            anchor=anchor,
            actor=actor,
            reason_sha256=await self._keep(reason, "reason") if reason else None,
            agreement_id=await self._agreement_in(case_id, agreement),
        )
        return await self._act(case_id, act)

    async def learn(self, case_id: UUID, element: str, value: str | None, *, actor: str) -> CaseSummary:
        """Say what a content element is, or by None that it is impossible to determine."""
        status = FactStatus.IMPOSSIBLE if value is None else FactStatus.KNOWN
        sha256 = await self._keep(value, "value") if value is not None else None
        return await self._act(case_id, LearnElement(element=element, status=status, value_sha256=sha256, actor=actor))

    async def release_notices(self, case_id: UUID, *, actor: str, clause: str | None = None) -> CaseSummary:
        """Let the waiting notices of a case go now: of one clause, or all."""
        return await self._act(case_id, ReleaseNotices(actor=actor, clause=clause))

    async def withhold_notices(
        self, case_id: UUID, reason: str, *, actor: str, clause: str | None = None
    ) -> CaseSummary:
        """Keep waiting notices back, even at their last safe moment: of one clause, or all."""
        sha256 = await self._keep(reason, "reason")
        return await self._act(case_id, WithholdNotices(reason_sha256=sha256, clause=clause, actor=actor))

    async def propose_not_required(
        self, case_id: UUID, clause: str, ground: str, reason: str, *, actor: str, agreements: tuple[str, ...] = ()
    ) -> UUID:
        """Propose that a clause asks for no notice to some agreements, or to all; return the proposal's id.

        A proposal for all agreements concerns those whose terms know the ground.
        """
        sha256 = await self._keep(reason, "reason")
        named = {name: await self._agreement_in(case_id, name) or case_id for name in agreements}
        await asyncio.to_thread(self._require_ground, case_id, ground, named)
        act = ProposeNotRequired(
            proposal_id=uuid5(case_id, f"proposal:{clause}:{ground}:{sorted(agreements)}:{sha256}"),
            clause=clause,
            ground=ground,
            agreements=tuple(named.values()),
            reason_sha256=sha256,
            actor=actor,
        )
        await self._act(case_id, act)
        return act.proposal_id

    async def decide_proposal(self, case_id: UUID, proposal_id: UUID, *, approve: bool, actor: str) -> CaseSummary:
        """Approve or decline a proposal; nobody approves one of their own."""
        return await self._act(case_id, DecideProposal(proposal_id=proposal_id, approve=approve, actor=actor))

    async def place_hold(
        self,
        case_id: UUID,
        particulars: str,
        *,
        begins_at: datetime,
        actor: str,
        until: datetime | None = None,
        agreement: str | None = None,
        shareable: bool = True,
    ) -> UUID:
        """Record that law enforcement asks for notices to be held back; return the hold's id.

        Args:
            case_id: the case.
            particulars: the agency, its reference, and who asked.
            begins_at: since when.
            actor: who records it.
            until: when it ends by itself, if that is known.
            agreement: the reference of the one agreement it is for, else the whole case.
            shareable: whether LEAs may be told of the delay.
        """
        sha256 = await self._keep(particulars, "particulars")
        act = PlaceHold(
            hold_id=uuid5(case_id, f"hold:{sha256}:{begins_at.astimezone(UTC).isoformat()}:{agreement}"),
            agreement_id=await self._agreement_in(case_id, agreement),
            particulars_sha256=sha256,
            shareable=shareable,
            begins_at=begins_at,
            until=until,
            actor=actor,
        )
        await self._act(case_id, act)
        return act.hold_id

    async def lift_hold(self, case_id: UUID, hold_id: UUID, *, actor: str) -> CaseSummary:
        """End a law-enforcement hold; what it suspended is due a reasonable time later."""
        return await self._act(case_id, LiftHold(hold_id=hold_id, actor=actor))

    async def record_performance(self, case_id: UUID, clause: str, proof: bytes, *, actor: str) -> CaseSummary:
        """Record that the duties under a clause that no notice performs were done, with the proof of it."""
        sha256 = await asyncio.to_thread(self._store, proof, "application/octet-stream")
        return await self._act(case_id, RecordPerformance(clause=clause, proof_sha256=sha256, actor=actor))

    async def adopt_terms(self, case_id: UUID, reason: str, *, actor: str) -> CaseSummary:
        """Let a case follow the clauses as they are now instead of those it is pinned to."""
        return await self._act(case_id, AdoptTerms(reason_sha256=await self._keep(reason, "reason"), actor=actor))

    async def add_agreements(
        self,
        case_id: UUID,
        references: tuple[str, ...],
        *,
        actor: str,
        confirmed_at: datetime | None = None,
        reason: str | None = None,
    ) -> CaseSummary:
        """Add agreements that the incident touches after all.

        They are due by the incident's own dates, unless ``confirmed_at`` says when their involvement was confirmed,
        which takes a reason.

        Raises:
            Refused: one of them is in the case already, or the incident itself is not confirmed.
            InvalidFields: one is unknown, or nobody can be written to under it.
            InvalidInput: the involvement has no reason, or a date that cannot be.
        """
        await asyncio.to_thread(self._find, case_id)
        involved = None
        if confirmed_at:
            anchor = AnchorValue(name=CONFIRMED, instant=confirmed_at)
            involved = SetAnchor(anchor=anchor, actor=actor, reason_sha256=await self._keep(reason or "", "reason"))
        added = await asyncio.to_thread(self._extend, case_id, references, actor, involved)
        return await self._act(case_id, ExtendScope(added=added, actor=actor))

    async def documents_changed(self, case_id: UUID, *, actor: str) -> None:
        """Let a case see whether LEAs lacked what was added to its documents, so that they are told.

        A case that is closed, or that cannot be reached now, keeps its documents all the same; one that is reached
        later sees them at its next due_date.
        """
        try:
            await self._act(case_id, DocumentsChanged(actor=actor))
        except (Refused, Unavailable) as error:
            _log.info("documents not computed with", case_id=str(case_id), code=error.code)

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
                    subprocessor=report.subprocessor,
                    report_digest=digest,
                    opened_at=now,
                )
            )
            session.flush()
            session.add_all(CaseAgreement(case_id=case_id, agreement_id=key, added_at=now) for key in agreements)
            session.add_all(_anchor_rows(case_id, report, actor, now))
            session.add_all(_fact_rows(case_id, report, actor, now))
            append(session, _opening(session, case_id, report, agreements, actor, now))
        return case_id, False

    def _digest(self, report: IncidentReport) -> str:
        """Name a report by its content, under a key, so that the name tells nothing of the content.

        An instant counts as the same in whichever zone it is written, and the agreements in whichever order.
        """
        content = _in_utc(report).model_dump(mode="json") | {"agreements": sorted(set(report.agreements))}
        key = self._resources.keyring.derive(b"report digest")
        return hmac.new(key, rfc8785.dumps(content), hashlib.sha256).hexdigest()

    async def _start(self, case_id: UUID) -> bool:
        """Start a case's clocks; False while Temporal does not answer, and then the watchdog starts them."""
        resources = self._resources
        try:
            await start_case(
                resources.client, self._database, case_id, notice_policy(resources.settings), self._clock()
            )
        except RPCError as error:
            _log.warning("case not started", case_id=str(case_id), status=error.status.name)
            return False
        return True

    def _find(self, case_id: UUID) -> None:
        with self._database.reading() as session:
            if session.get(Case, case_id) is None:
                raise NotFound(f"There is no case {case_id}.", next_step="`duenotice breach show` lists the cases.")

    async def _act(self, case_id: UUID, act: CaseAct) -> CaseSummary:
        await asyncio.to_thread(self._find, case_id)
        handle = self._resources.client.get_workflow_handle(identifiers.workflow_id(CaseKind.BREACH, case_id))
        try:
            return await handle.execute_update(BreachWorkflow.act, act)
        except WorkflowUpdateFailedError as error:
            raise _refusal(error) from error
        except RPCError as error:
            raise _unreachable(error, case_id) from error

    async def _keep(self, text: str, where: str) -> str:
        """Keep what a person wrote as an artifact, so that only its hash travels; return the hash."""
        if not text.strip():
            raise InvalidInput("It is empty.", where=where, next_step="Say it in a sentence.")
        return await asyncio.to_thread(self._store, text.strip().encode(), "text/plain")

    def _store(self, content: bytes, media_type: str) -> str:
        with self._database.writing() as session:
            return store(session, content, media_type, self._clock())

    async def _agreement_in(self, case_id: UUID, reference: str | None) -> UUID | None:
        """The agreement of this reference, which must be in the case; None for none."""
        if reference is None:
            return None
        agreement = identifiers.agreement_id(reference)
        if not await asyncio.to_thread(self._in_scope, case_id, agreement):
            raise InvalidInput(
                f"Agreement {reference} is not in this case.", where="agreement", next_step="Add it to the case first."
            )
        return agreement

    def _require_ground(self, case_id: UUID, ground: str, agreements: Mapping[str, UUID]) -> None:
        with self._database.reading() as session:
            knowing = agreements_knowing(session, case_id, ground)
        if without := sorted(name for name, agreement in agreements.items() if agreement not in knowing):
            raise InvalidInput(
                f"The terms of {', '.join(without)} know no ground {ground!r}.",
                where="ground",
                next_step="Leave these agreements out, or choose a ground that their terms know.",
            )

    def _in_scope(self, case_id: UUID, agreement: UUID) -> bool:
        with self._database.reading() as session:
            return session.get(CaseAgreement, (case_id, agreement)) is not None

    def _extend(self, case_id: UUID, references: tuple[str, ...], actor: str, involved: SetAnchor | None) -> int:
        now = self._clock()
        with self._database.writing() as session:
            if session.get_one(Case, case_id).status not in (CaseStatus.REPORTED, CaseStatus.OPEN):
                raise Refused("This case is closed.", next_step="Report a new incident.")
            if involved and involved.anchor.instant:
                check_involvement(current_anchors(session, case_id), involved.anchor.instant, now)
            agreements = _affected_agreements(session, references)
            there = set(session.exec(select(CaseAgreement.agreement_id).where(CaseAgreement.case_id == case_id)))
            if again := there.intersection(agreements):
                raise Refused(
                    f"{len(again)} of these agreements are in this case already.",
                    where="agreements",
                    next_step="Leave them out.",
                )
            session.add_all(CaseAgreement(case_id=case_id, agreement_id=key, added_at=now) for key in agreements)
            added = ScopeAdded(case_id=case_id, actor=actor, at=now, agreements=tuple(agreements), already=len(there))
            append(session, added)
            if involved:
                for key in agreements:
                    record_act(involved.model_copy(update={"agreement_id": key}), session, case_id, now)
            return len(agreements)


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
        "description": _description(report),
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


def _description(report: IncidentReport) -> str:
    if report.subprocessor is None:
        return report.description
    return f"{report.description}\n\nIt happened at a subprocessor: {report.subprocessor}."


def _person(person: Person) -> str:
    return ", ".join(part for part in (person.name, person.email, person.phone) if part)


def _opening(
    session: Session, case_id: UUID, report: IncidentReport, agreements: list[UUID], actor: str, now: datetime
) -> CaseOpened:
    sha256 = store(session, report.model_dump_json(indent=2).encode(), "application/json", now)
    return CaseOpened(
        case_id=case_id,
        actor=actor,
        at=now,
        case_kind=CaseKind.BREACH,
        anchors=tuple(report_anchors(report)),
        agreements=tuple(agreements),
        report_sha256=sha256,
    )
