"""What a holder of data said, field by field, and the completion certificate that whoever signed it is given."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session

from cases.certificate import ANSWERS, TOLD
from cases.fields import FormField, Shape, fields_of
from cases.values import KeptText
from ledger.artifacts import fetch, is_kept, store
from ledger.entries import JsonObject
from mail.statements import Part, Statement, statement_pdf
from mail.verification import Line
from mail.wording import date_in_words, local_instant
from models import identifiers
from models.columns import ERASED
from models.enums import HolderAnswerKind
from models.tables import Agreement, Artifact, HolderAnswer, HolderTask

TITLES = {
    HolderAnswerKind.CERTIFICATE: "Completion certificate: disposal of student data certified",
    HolderAnswerKind.HOLDS_NOTHING: "Completion certificate: statement that no student data is held",
    HolderAnswerKind.MORE_TIME: "Completion certificate: request for more time",
    HolderAnswerKind.DECLINED: "Completion certificate: disposal of student data declined",
}
"""What the completion certificate of each answer is called."""


def lines_of(session: Session, answer: HolderAnswer) -> Iterator[Line]:
    """What an answer said, field by field; what an officer heard is one text."""
    if not is_kept(session, answer.said_sha256):
        yield Line(label="Particulars", value=ERASED)
        return
    content = fetch(session, answer.said_sha256)
    if session.get_one(Artifact, answer.said_sha256).media_type == KeptText.media_type:
        yield Line(label="Particulars", value=content.decode())
        return
    said = json.loads(content)
    yield from _named(answer.kind, said["says"])
    yield from (Line(label="File", value=f"{file['name']} (SHA-256 {file['sha256']})") for file in said["files"])


def write_receipt(
    session: Session,
    task: HolderTask,
    said: JsonObject,
    said_sha256: str,
    *,
    holder: str,
    asked_by: str,
    now: datetime,
) -> str:
    """Write the completion certificate of an answer, and return its SHA-256.

    ``said`` is the answer as it is kept, ``holder`` for whom it was given, and ``asked_by`` to whom.
    """
    agreement, kind, says = (
        session.get_one(Agreement, task.agreement_id),
        HolderAnswerKind(said["answer"]),
        said["says"],
    )
    files = tuple(Line(label=file["name"], value=f"SHA-256 {file['sha256']}") for file in said["files"])
    statement = Statement(
        title=TITLES[kind],
        author=asked_by,
        parts=(
            Part(
                heading="By whom, for whom, and when",
                lines=(
                    Line(label="Signed by", value=f"{says['name']}, {says['title']}"),
                    Line(label="For", value=holder),
                    Line(label="Given to", value=asked_by),
                    Line(label="Data of", value=agreement.lea_name),
                    Line(label="Agreement", value=agreement.reference),
                    Line(label="Case", value=identifiers.case_reference(task.case_id)),
                    Line(label="Received", value=local_instant(now, ZoneInfo(agreement.time_zone))),
                ),
            ),
            Part(heading="What was said", lines=tuple(_named(kind, says))),
            Part(
                heading="What is kept of it",
                lines=(Line(label="The answer, with all of the above", value=f"SHA-256 {said_sha256}"), *files),
            ),
        ),
        words_heading="What was attested",
        words=f"“{said['attested']}” {says['name']} ticked that, and typed this name as the signature.",
    )
    return store(session, statement_pdf(statement, now), "application/pdf", now, case=task.case_id)


def _named(kind: HolderAnswerKind, says: Mapping[str, object]) -> Iterator[Line]:
    """What was said, as others than who said it read it."""
    for field in fields_of(ANSWERS[kind]):
        value = says.get(field.name)
        if value is not None:
            yield Line(label=TOLD.get(field.name, field.label), value=_as_read(field, value))


def _as_read(field: FormField, value: object) -> str:
    if field.shape is Shape.TICK:
        return field.label  # the sentence that was ticked
    if field.shape is Shape.DAY:
        return date_in_words(date.fromisoformat(str(value)))
    return dict(field.named_options).get(str(value), str(value))
