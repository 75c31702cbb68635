"""The holders of a case's data as its page shows them: what is awaited from each, what it said and was written."""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

from sqlmodel import Session, col, select

from agreements.legal_holds import LegalHoldView, lasting, legal_holds
from config.database import Database
from ledger.entries import HolderWritten
from models.enums import Party
from models.tables import Agreement, EvidenceEntry, HolderAnswer, HolderTask, Subprocessor
from queries.views import HolderAnswerView, HolderLetterView, HolderView
from records.holder_words import lines_of
from records.holders import asked_contact, contact_name, holder_key, tasks_of
from records.sent_mail import returned_of_case

MOST_RETURNED = 200
"""How many mails that came back are looked through for what they say of holders."""


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
    returned = {mail.belongs_to: mail for mail in reversed(returned_of_case(session, case_id, MOST_RETURNED))}
    views = []
    for task in tasks:
        contact = asked_contact(session, task)
        views.append(
            HolderView(
                name=contact_name(session, task) or Party.PROVIDER.value,
                owing=task.contact_id is None,
                called=contact.name if contact else None,
                email=contact.email if contact else None,
                key=task.holder,
                unreached_since=contact.failing_since if contact and task.id in returned else None,
                unreached_says=returned[task.id].says if task.id in returned else None,
                time_zone=zones[task.agreement_id],
                answers=_answers(session, task.id),
                letters=tuple(letters[str(task.id)]),
                **task.model_dump(
                    include={
                        "data",
                        "status",
                        "due_at",
                        "internal_due_at",
                        "not_before",
                        "waits",
                        "asked_at",
                        "again_at",
                        "link_expires_at",
                    }
                ),
            )
        )
    return tuple(sorted(views, key=lambda view: (view.owing, view.name.casefold())))


def vendor_names(database: Database, asked: str | None = None) -> dict[str, str]:
    """The holders of data that are on the list, by the keys by which they are found; ``asked`` is one to be added.

    The provider is among them, whose own word is awaited as well.
    """
    with database.reading() as session:
        listed = session.exec(select(Subprocessor.name).where(col(Subprocessor.removed_at).is_(None)).distinct())
        names = {holder_key(name): name for name in sorted({*listed, Party.PROVIDER.value}, key=str.casefold)}
        if asked and asked not in names:
            task = session.exec(select(HolderTask).where(HolderTask.holder == asked).limit(1)).first()
            names |= {asked: (contact_name(session, task) if task else None) or "a holder that is not known"}
    return names


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
