"""What one person proposed and a second one decides: in a list, and each with all that is needed to decide it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import assert_never
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from agreements.due_dates import read_due_dates
from agreements.terms import agreements_knowing
from config.database import Database
from ledger.artifacts import fetch, media_type_of, text_of
from models.enums import BY_OTHER_MEANS, OPEN_STATUSES, DutyStatus, NoticeKind, PerformedBy, ProposalKind, Verdict
from models.errors import NotFound
from models.tables import Agreement, Batch, Duty, HolderTask, Notice, Proposal
from queries.views import OtherMeansView, ProposalDetail, ProposalView, ProposedDuty
from records.duties import verdict_on
from records.holders import contact_name
from records.notices import NOT_BEGUN
from records.uploads import UploadedFile, kept_file
from records.withholding import batches_under
from terms.catalogue import load_catalogue


def proposals_of(session: Session, case_id: UUID) -> tuple[ProposalView, ...]:
    """Every proposal of a case, decided or not, in the order in which they were made."""
    rows = session.exec(select(Proposal).where(Proposal.case_id == case_id).order_by(col(Proposal.proposed_at))).all()
    return _views(session, rows)


def other_means_of(session: Session, proposals: Collection[UUID]) -> dict[UUID, OtherMeansView]:
    """By what means the duties were performed that name one of some approved proposals."""
    rows = session.exec(select(Proposal).where(col(Proposal.id).in_(proposals))).all()
    found = {}
    for row in rows:
        assert row.how_sha256, "what was done says how"
        assert row.proof_sha256, "what was done has a proof"
        assert row.decided_by, "what performs was approved"
        assert row.decided_at, "what was approved was decided"
        found[row.id] = OtherMeansView(
            proposal_id=row.id,
            on_the_word_of=row.proposed_by,
            approved_by=row.decided_by,
            approved_at=row.decided_at,
            how=_text(session, row.how_sha256) or "",
            to_whom=_text(session, row.to_whom_sha256),
            proof_sha256=row.proof_sha256,
        )
    return found


def read_proposal(database: Database, case_id: UUID, proposal_id: UUID, *, limit: int) -> ProposalDetail:
    """One proposal of a case with what an approval changes, or changed; of its duties ``limit`` at most.

    Raises:
        NotFound: the case has no such proposal.
    """
    with database.reading() as session:
        row = session.get(Proposal, proposal_id)
        if row is None or row.case_id != case_id:
            raise NotFound("There is no such proposal.", next_step="Open it from the case's page.")
        (view,) = _views(session, [row])
        of_it = _duties_of(session, row)
        total = session.exec(select(func.count()).select_from(Duty).where(*of_it)).one()
        return ProposalDetail(
            proposal=view,
            duties=_duties(session, row, of_it, limit),
            total=total,
            notices=_notices(session, row, of_it),
        )


def read_proof(database: Database, case_id: UUID, proposal_id: UUID) -> UploadedFile:
    """The file that proves what a proposal says was done by other means.

    Raises:
        NotFound: the case has no such proposal, or it is about nothing that was done.
    """
    with database.reading() as session:
        row = session.get(Proposal, proposal_id)
        if row is None or row.case_id != case_id or row.proof_sha256 is None:
            raise NotFound("There is no such proof.", next_step="Open it from the case's page.")
        return kept_file(
            f"proof-{str(proposal_id)[:8]}",
            fetch(session, row.proof_sha256),
            media_type_of(session, row.proof_sha256),
        )


def _views(session: Session, rows: Iterable[Proposal]) -> tuple[ProposalView, ...]:
    rows = list(rows)
    named = {UUID(key) for row in rows for key in row.agreements}
    references = dict(session.exec(select(Agreement.id, Agreement.reference).where(col(Agreement.id).in_(named))).all())
    texts = {"agreements", "reason_sha256", "how_sha256", "to_whom_sha256", "undone_reason_sha256"}
    return tuple(
        ProposalView(
            references=tuple(sorted(references[UUID(key)] for key in row.agreements)),
            reason=_text(session, row.reason_sha256),
            how=_text(session, row.how_sha256),
            to_whom=_text(session, row.to_whom_sha256),
            undone_reason=_text(session, row.undone_reason_sha256),
            holder=contact_name(session, session.get_one(HolderTask, row.task_id)) if row.task_id else None,
            **row.model_dump(exclude={"case_id", "task_id", *texts}),
        )
        for row in rows
    )


def _text(session: Session, sha256: str | None) -> str | None:
    return text_of(session, sha256) if sha256 else None


def _duties_of(session: Session, row: Proposal) -> tuple[ColumnElement[bool], ...]:
    """The conditions for the duties that an approval of a proposal changes now, or that it changed."""
    in_case = (col(Duty.case_id) == row.case_id, *((col(Duty.clause) == row.clause,) if row.clause else ()))
    named = (col(Duty.agreement_id).in_([UUID(key) for key in row.agreements]),) if row.agreements else ()
    open_ones = col(Duty.status).in_(OPEN_STATUSES)
    match row.kind:
        case ProposalKind.NOT_REQUIRED:
            knowing = col(Duty.agreement_id).in_(agreements_knowing(session, row.case_id, row.ground or ""))
            status = col(Duty.status) == DutyStatus.NOT_REQUIRED if row.approved else open_ones
            return (*in_case, *named, knowing, status)
        case ProposalKind.DONE:
            if row.approved:
                return (*in_case, col(Duty.performed_under) == row.id)
            return (*in_case, *named, open_ones, col(Duty.status) != DutyStatus.PENDING)
        case ProposalKind.WITHHOLD:
            withheld = (col(Notice.batch_id).in_(batches_under(row)), col(Notice.dropped).is_(False))
            return (*in_case, col(Duty.id).in_(select(Notice.duty_id).where(*withheld)))
        case ProposalKind.WAIVER:
            return (*in_case, open_ones, col(Duty.performed_by) == PerformedBy.CONFIRMATION)
        case _:
            assert_never(row.kind)


def _duties(
    session: Session, row: Proposal, of_it: tuple[ColumnElement[bool], ...], limit: int
) -> tuple[ProposedDuty, ...]:
    rows = session.exec(
        select(Duty, Agreement)
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .where(*of_it)
        .order_by(col(Agreement.lea_name), col(Duty.clause), col(Duty.occurrence))
        .limit(limit)
    ).all()
    due_dates = read_due_dates(session, {duty.due_date_id for duty, _ in rows})
    labels = {element: text.label for element, text in load_catalogue().words.contents.items()}
    return tuple(
        ProposedDuty(
            id=duty.id,
            reference=agreement.reference,
            lea_name=agreement.lea_name,
            title=due_dates[duty.due_date_id].title,
            due_at=duty.due_at,
            time_zone=agreement.time_zone,
            status=duty.status,
            asks_for=tuple(labels.get(element, element) for element in due_dates[duty.due_date_id].contents),
            verdict=_verdict(row, duty),
        )
        for duty, agreement in rows
    )


def _verdict(row: Proposal, duty: Duty) -> Verdict | None:
    """How a duty was met by other means, or would be once that is approved."""
    if duty.verdict in BY_OTHER_MEANS:
        return duty.verdict
    return verdict_on(duty, row.done_at, BY_OTHER_MEANS) if row.done_at else None


def _notices(session: Session, row: Proposal, of_it: tuple[ColumnElement[bool], ...]) -> int:
    """How many notices that have not left an approval keeps from leaving."""
    return session.exec(
        select(func.count())
        .select_from(Notice)
        .join(Batch, col(Batch.id) == col(Notice.batch_id))
        .where(Notice.case_id == row.case_id, Notice.kind == NoticeKind.NOTICE, col(Notice.dropped).is_(False))
        .where(col(Batch.status).in_(NOT_BEGUN), col(Notice.duty_id).in_(select(Duty.id).where(*of_it)))
    ).one()
