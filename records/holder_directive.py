"""What a chased party is sent once: what was directed as a letter, and the files with which the case was opened."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from agreements.due_dates import read_due_dates
from cases.kinds import kind_named
from ledger.artifacts import fetch
from mail.plain import Enclosure
from mail.statements import Part, Statement, statement_pdf
from mail.verification import Line
from mail.wording import date_in_words, local_instant
from models import identifiers
from models.tables import Agreement, Artifact, Case, CaseFile, HolderTask
from records.case_context import current_facts
from records.holders import asked_duties, holder_name
from records.uploads import kept_file
from terms.catalogue import load_catalogue

TITLE = "Directive for disposition of student data"


def directive_of(session: Session, case: Case, task: HolderTask, lea: str, now: datetime) -> Iterator[Enclosure]:
    """The directive as a letter to the party that owes the disposal, then each file that was given with it."""
    reference = identifiers.case_reference(case.id)
    letter = statement_pdf(_letter(session, case, task, lea), now)
    yield Enclosure(f"directive-{reference}.pdf", letter, "application/pdf")
    files = select(CaseFile).where(CaseFile.case_id == case.id).order_by(col(CaseFile.number))
    for given in session.exec(files):
        media_type = session.get_one(Artifact, given.content_sha256).media_type
        file = kept_file(f"signed-{reference}-{given.number}", fetch(session, given.content_sha256), media_type)
        yield Enclosure(file.name, file.content, file.media_type)


def _letter(session: Session, case: Case, task: HolderTask, lea: str) -> Statement:
    agreement, kind = session.get_one(Agreement, task.agreement_id), kind_named(case.kind)
    facts, name = current_facts(session, case.id), holder_name(session, task, lea)
    zone = ZoneInfo(agreement.time_zone)
    due_dates = read_due_dates(
        session, [duty.due_date_id for duty in asked_duties(session, case.id, task.agreement_id)]
    ).values()
    # The first step of a clause's trail is the form's own text; each later one changes it.
    clauses = (
        Line(label=due.title, value="; ".join(f"{step.document}, {step.clause}" for step in due.trail))
        for due in sorted(due_dates, key=lambda due: due.clause)
    )
    until = (Line(label="To be disposed of by", value=local_instant(task.due_at, zone)),) if task.due_at else ()
    return Statement(
        title=TITLE,
        author=lea,
        parts=(
            Part(
                heading="By whom, to whom, and under what",
                lines=(
                    Line(label="Directed by", value=agreement.lea_name),
                    Line(label="Directed to", value=name),
                    Line(label="Agreement", value=load_catalogue().form(agreement.form).standard.document.title),
                    Line(label="Reference", value=agreement.reference),
                    Line(label="Signed", value=date_in_words(agreement.executed_on)),
                    Line(label="Our case", value=identifiers.case_reference(case.id)),
                    *clauses,
                    *until,
                ),
            ),
            Part(
                heading="What is directed",
                lines=tuple(
                    Line(label=label, value=facts[element].value or "")
                    for element, label in kind.shown.items()
                    if element in facts
                ),
            ),
        ),
        words_heading="Directive",
        words=(
            f"{agreement.lea_name} directs the disposition of the student data described above, wherever it is held "
            "under this agreement, by subprocessors too, and asks for the written certificate of it. The certificate "
            "is given through the link in the message that this letter came with."
        ),
    )
