"""The holders of a case's data as its page shows them: what is awaited from each, what it said and was written."""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

from sqlmodel import Session, col, select

from ledger.entries import HolderWritten
from models.enums import Party
from models.tables import Agreement, AgreementContact, EvidenceEntry, HolderAnswer
from queries.views import HolderAnswerView, HolderLetterView, HolderView
from records.holder_documents import lines_of
from records.holders import tasks_of
from records.legal_holds import LegalHoldView, lasting, legal_holds


def holders_of(session: Session, case_id: UUID) -> tuple[HolderView, ...]:
    """The holders of a case's data, the party that owes the disposal last."""
    tasks = tasks_of(session, case_id)
    if not tasks:
        return ()
    zones = dict(
        session.exec(
            select(Agreement.id, Agreement.time_zone).where(
                col(Agreement.id).in_({task.agreement_id for task in tasks})
            )
        ).all()
    )
    letters = _letters(session, case_id)
    views = []
    for task in tasks:
        contact = session.get_one(AgreementContact, task.contact_id) if task.contact_id else None
        views.append(
            HolderView(
                name=contact.name if contact else Party.PROVIDER.value,
                email=contact.email if contact else None,
                time_zone=zones[task.agreement_id],
                answers=_answers(session, task.id),
                letters=tuple(letters[str(task.id)]),
                **task.model_dump(
                    include={
                        "data",
                        "status",
                        "due_at",
                        "not_before",
                        "waits",
                        "asked_at",
                        "again_at",
                        "link_expires_at",
                    }
                ),
            )
        )
    return tuple(sorted(views, key=lambda view: (view.email is None, view.name.casefold())))


def kept_by(session: Session, case_id: UUID) -> tuple[LegalHoldView, ...]:
    """The legal holds that keep data of a case whose holders are asked."""
    agreements = [*{task.agreement_id for task in tasks_of(session, case_id)}]
    return legal_holds(session, *lasting(agreements)) if agreements else ()


def _answers(session: Session, task_id: UUID) -> tuple[HolderAnswerView, ...]:
    rows = session.exec(
        select(HolderAnswer).where(HolderAnswer.task_id == task_id).order_by(col(HolderAnswer.given_at))
    )
    return tuple(
        HolderAnswerView(
            lines=tuple((line.label, line.value) for line in lines_of(session, row)),
            **row.model_dump(include=HolderAnswerView.model_fields.keys() - {"lines"}),
        )
        for row in rows
    )


def _letters(session: Session, case_id: UUID) -> dict[str, list[HolderLetterView]]:
    """What each holder was written, by what it is asked."""
    found: dict[str, list[HolderLetterView]] = defaultdict(list)
    rows = session.exec(
        select(EvidenceEntry)
        .where(EvidenceEntry.case_id == case_id, EvidenceEntry.kind == HolderWritten.kind)
        .order_by(col(EvidenceEntry.number))
    )
    for row in rows:
        found[row.subject or ""].append(
            HolderLetterView(
                why=row.body["mail"],
                at=row.at,
                message_sha256=row.artifacts[0],
                rejected=row.body["rejected"],
                unknown=row.body["unknown"],
            )
        )
    return found
