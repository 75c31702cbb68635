"""What a notice of a case would say if it were written now; nothing is kept."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import col, select

from config.database import Database
from mail.facts import NoticeFacts
from models.enums import NoticeKind
from models.errors import NotFound, Refused
from models.tables import Agreement, Duty, Notice
from records.outbox import NoticeWriter


def preview_notice(
    database: Database,
    writer: NoticeWriter,
    case_id: UUID,
    *,
    form: str,
    state: str,
    clause: str,
    kind: NoticeKind,
    now: datetime,
) -> NoticeFacts:
    """What a notice under a clause would say to the case's first LEA of a form and a state.

    Raises:
        NotFound: the case has no duty under the clause there.
        Refused: it gives no reason to write what is asked for, or nobody who may be told is named.
    """
    with database.reading() as session:
        found = session.exec(
            select(Duty, Agreement)
            .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
            .where(Duty.case_id == case_id, Duty.clause == clause, Agreement.form == form, Agreement.state == state)
            .order_by(col(Agreement.reference), col(Duty.occurrence))
        ).first()
        if found is None:
            clauses = session.exec(select(Duty.clause).where(Duty.case_id == case_id).distinct()).all()
            raise NotFound(
                f"The case has no duty under {clause} for {form} in {state}.",
                where="clause",
                next_step=f"It has duties under {', '.join(sorted(clauses)) or 'none yet'}.",
            )
        duty, agreement = found
        notice = Notice(id=uuid4(), batch_id=uuid4(), duty_id=duty.id, case_id=case_id, kind=kind)
        try:
            return writer.preview(session, (notice, duty, agreement), now)
        except ValueError:  # such as a supplement that would add nothing
            raise Refused(
                f"As the case stands, no {kind.value} can be written to {agreement.lea_name} under {clause}.",
                next_step="Preview the notice itself, or look at what the case still lacks.",
            ) from None
