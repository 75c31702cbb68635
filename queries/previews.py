"""What a notice of a case, or a letter about an overdue duty, would say if it were written now; nothing is kept."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import Session, col, select

from cases.acts import TellOverdue
from config.database import Database
from mail.facts import Mailbox, NoticeFacts
from models.enums import NoticeKind
from models.errors import NotFound, Refused
from models.tables import Agreement, Duty, Notice
from models.view import View
from records.outbox import NoticeWriter
from records.overdue_letters import written_now


class LetterPreview(View):
    """A letter as it would be sent now: to whom, who gets a copy, whom an answer reaches, and what it says."""

    to: str
    copies: tuple[str, ...]
    answers_to: str
    subject: str
    text: str
    html: str


def preview_overdue(
    session: Session, writer: NoticeWriter, case_id: UUID, act: TellOverdue, now: datetime
) -> LetterPreview:
    """The letter that tells of an overdue duty.

    Raises:
        InvalidInput: the case has no such duty, or nobody who may be told is named.
        Refused: it is no duty to tell of.
    """
    addressing, letter = written_now(session, writer, case_id, act, now)
    return LetterPreview(
        to=_shown(addressing.to[0]),
        copies=tuple(_shown(copy) for copy in addressing.copies),
        answers_to=_shown(Mailbox.model_validate(writer.organisation.contact.model_dump(include={"name", "email"}))),
        subject=letter.subject,
        text=letter.text,
        html=letter.html,
    )


def _shown(mailbox: Mailbox) -> str:
    return f"{mailbox.name} <{mailbox.email}>"


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
