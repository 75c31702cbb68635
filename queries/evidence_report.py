"""The report that leads through a bundle of evidence: what was due and why, what was done, by whom.

It is written for somebody who has never seen this program. What it says is read from SQL; the entries and artifacts of
the bundle are the proof, and the report names them by number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select as columns
from sqlmodel import Session, col, func, select

from ledger.actors import ENGINE
from ledger.bundle import Scope, entries_of
from ledger.entries import ActRecorded, JsonObject
from mail.provision import plain_sentences
from mail.templates import TEMPLATES
from mail.verification import Line, pdf_of
from models.enums import TOO_LATE, DeliveryStatus, DutyStatus, Party, Verdict
from models.identifiers import case_reference
from models.phrases import counted, day_words, instant_words, length_words
from models.tables import Case, EvidenceEntry
from queries.cases import case_head
from queries.duties import EVERY_DUTY, duties_of
from queries.views import CaseHead, DeliveryView, DutyView, HolderView, LetterView, NoticeView, ReportView
from records.scope import require_case
from terms.catalogue import load_catalogue

TEMPLATE = TEMPLATES / "evidence.typ"

DUTIES_TOLD = 150
"""How many duties the report of a case tells of one by one; of more, the entries tell."""

LISTED = 500
"""How many entries, and how many cases, it lists."""

VERDICTS = {
    Verdict.ON_TIME: "performed on time",
    Verdict.LATE: "performed late",
    Verdict.ON_TIME_BY_OTHER_MEANS: "performed on time by other means, as two people say",
    Verdict.LATE_BY_OTHER_MEANS: "performed late by other means, as two people say",
    Verdict.ON_TIME_BY_POST: "performed on time by a letter, as somebody says who posted it",
    Verdict.LATE_BY_POST: "performed late by a letter, as somebody says who posted it",
    Verdict.ON_TIME_AS_VOUCHED: "performed on time, as somebody vouches that it arrived",
    Verdict.LATE_AS_VOUCHED: "performed late, as somebody vouches that it arrived",
}

DELIVERIES = {
    DeliveryStatus.ACCEPTED: "the mail server took it",
    DeliveryStatus.REJECTED: "the mail server refused it",
}


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class ToldNotice(_Said):
    """One notice of a duty: what became of it, and of each message."""

    heading: str
    lines: tuple[Line, ...]


class ToldDuty(_Said):
    """One duty: what was due, when and why, and what was done."""

    heading: str
    outcome: str
    tone: Literal["good", "bad", "plain"]
    lines: tuple[Line, ...]
    why: tuple[str, ...]
    notices: tuple[ToldNotice, ...]


class ToldEntry(_Said):
    """One entry of the ledger in a line."""

    number: str
    at: str
    what: str
    by: str


class Report(_Said):
    """Everything that one report says."""

    title: str
    subtitle: str
    made: str
    organisation: str
    about: tuple[Line, ...]
    summary: str
    duties: tuple[ToldDuty, ...]
    more_duties: str = ""
    holders: tuple[ToldNotice, ...] = ()
    decisions: tuple[ToldEntry, ...] = ()
    cases: tuple[Line, ...] = ()
    entries: tuple[ToldEntry, ...]
    more_entries: str = ""
    proof: tuple[Line, ...]


def report_pdf(report: Report, at: datetime) -> bytes:
    """Write a report as a PDF/A-3b, with the same as JSON inside."""
    return pdf_of(TEMPLATE, report, at)


def tell(
    session: Session, scope: Scope, upto: int, proof: tuple[Line, ...], now: datetime, organisation: str
) -> tuple[Report, JsonObject]:
    """The report of a scope, up to the entry of a number, and the verdicts that it gives as data.

    ``organisation`` is whose installation it is.

    Raises:
        NotFound: there is no such case.
    """
    if scope.case_id is None:
        return _tell_ledger(session, scope, upto, proof, now, organisation)
    head = case_head(session, require_case(session, scope.case_id), now)
    duties = duties_of(session, scope.case_id, EVERY_DUTY, now)
    rows = _rows(session, scope, upto)
    return _tell_case(head, duties, rows, proof, now, organisation), {"cases": [_verdicts(head, duties)]}


def _verdicts(head: CaseHead, duties: Sequence[DutyView]) -> JsonObject:
    return {
        "case": str(head.id),
        "kind": head.kind,
        "status": head.status.value,
        "duties": [
            {
                "duty": str(duty.id),
                "agreement": str(duty.agreement_id),
                "clause": duty.clause,
                "occurrence": duty.occurrence,
                "due_at": duty.due_at.astimezone(UTC).isoformat() if duty.due_at else None,
                "status": duty.status.value,
                "performed_at": duty.performed_at.astimezone(UTC).isoformat() if duty.performed_at else None,
                "verdict": duty.verdict.value if duty.verdict else None,
            }
            for duty in duties
        ],
    }


def _tell_case(
    head: CaseHead,
    duties: Sequence[DutyView],
    rows: Sequence[_Row],
    proof: tuple[Line, ...],
    now: datetime,
    organisation: str,
) -> Report:
    labels = load_catalogue().words.anchors
    about = [
        Line(label="Case", value=f"{case_reference(head.id)} ({head.id})"),
        Line(label="Kind", value=_words(head.kind)),
        Line(label="Status", value=_words(head.status)),
        Line(label="Opened", value=_at(head.opened_at)),
        *([Line(label="Closed", value=_at(head.closed_at))] if head.closed_at else []),
        Line(label="Agreements", value=str(head.agreements)),
        *([Line(label="Responsible", value=head.responsible)] if head.responsible else []),
    ]
    for anchor in head.anchors:
        days = [day_words(day) for day in (anchor.first_day, anchor.last_day) if day]
        value = _at(anchor.instant) if anchor.instant else " to ".join(days) or "unknown"
        about.append(Line(label=labels.get(anchor.name, _words(anchor.name)).capitalize(), value=value))
    more = len(duties) - DUTIES_TOLD
    return Report(
        title=head.title,
        subtitle="Report on the evidence of one case",
        made=_at(now),
        organisation=organisation,
        about=tuple(about),
        summary=_summary(duties),
        duties=tuple(_told(duty, rows) for duty in duties[:DUTIES_TOLD]),
        more_duties=f"{counted(more, 'further duty', 'further duties')} are told by the entries." if more > 0 else "",
        holders=tuple(_holder(holder) for holder in head.holders),
        decisions=tuple(_entry(row) for row in rows if _is_decision(row))[:LISTED],
        entries=tuple(_entry(row) for row in rows[:LISTED]),
        more_entries=_more(len(rows)),
        proof=proof,
    )


def _tell_ledger(
    session: Session, scope: Scope, upto: int, proof: tuple[Line, ...], now: datetime, organisation: str
) -> tuple[Report, JsonObject]:
    rows = _rows(session, scope, upto, limit=LISTED)
    conditions = entries_of(scope, upto)
    count = session.exec(select(func.count()).select_from(EvidenceEntry).where(*conditions)).one()
    ids = session.exec(
        select(EvidenceEntry.case_id).where(*conditions, col(EvidenceEntry.case_id).is_not(None)).distinct()
    ).all()
    cases = session.exec(select(Case).where(col(Case.id).in_(ids[:LISTED])).order_by(col(Case.opened_at))).all()
    when = " to ".join(_at(at) for at in (scope.since, scope.until) if at)
    report = Report(
        title="Evidence of the whole ledger" if scope.whole else "Evidence of a time",
        subtitle="Report on a part of the ledger" if not scope.whole else "Report on the ledger",
        made=_at(now),
        organisation=organisation,
        about=(
            Line(label="Entries", value=f"{count:,}"),
            Line(label="Cases", value=f"{len(ids):,}"),
            *([Line(label="Time", value=when)] if when else []),
        ),
        summary="A bundle of each case tells what was due in it and why, and what was done.",
        duties=(),
        cases=tuple(
            Line(label=f"{case_reference(case.id)}, {_words(case.kind)}", value=f"{case.title} ({_words(case.status)})")
            for case in cases
        ),
        entries=tuple(_entry(row) for row in rows),
        more_entries=_more(count),
        proof=proof,
    )
    return report, {"cases": [{"case": str(case.id), "kind": case.kind, "status": case.status.value} for case in cases]}


class _Row(BaseModel):
    """What the report needs of an entry."""

    number: int
    at: datetime
    kind: str
    actor: str
    authenticated: str | None
    duties: frozenset[str]


def _rows(session: Session, scope: Scope, upto: int, limit: int | None = None) -> list[_Row]:
    entry = EvidenceEntry
    found = session.execute(
        columns(col(entry.number), col(entry.at), col(entry.kind), col(entry.actor), col(entry.body))
        .where(*entries_of(scope, upto))
        .order_by(col(entry.number))
        .limit(limit)
    )
    return [
        _Row(
            number=number,
            at=at,
            kind=kind,
            actor=actor,
            authenticated=body.get("authenticated"),
            duties=frozenset(_duties_in(body)),
        )
        for number, at, kind, actor, body in found
    ]


def _duties_in(body: JsonObject) -> Iterator[str]:
    """The duties of which an entry says that something became of them, by their ids."""
    if isinstance(duty := body.get("duty"), str):
        yield duty
    if isinstance(performed := body.get("performed"), list):
        yield from (str(said).partition(" ")[0] for said in performed)  # each with its verdict
    if isinstance(duties := body.get("duties"), dict):
        yield from duties


def _is_decision(row: _Row) -> bool:
    return row.actor != ENGINE and (row.kind.startswith(f"{ActRecorded.kind}.") or row.kind == "case_opened")


def _entry(row: _Row) -> ToldEntry:
    by = f"{row.actor} ({_words(row.authenticated)})" if row.authenticated else row.actor
    return ToldEntry(number=str(row.number), at=_at(row.at), what=_words(row.kind.removeprefix("act.")), by=by)


def _more(count: int) -> str:
    return f"{count - LISTED:,} further entries follow in the bundle." if count > LISTED else ""


def _summary(duties: Sequence[DutyView]) -> str:
    """How the duties were met, in a sentence."""
    if not duties:
        return "No duty was found to follow from it."
    met = Counter(_outcome(duty) for duty in duties)
    parts = [f"{count:,} {outcome}" for outcome, count in met.most_common()]
    return f"{counted(len(duties), 'duty', 'duties')}: {'; '.join(parts)}."


def _outcome(duty: DutyView) -> str:
    if duty.verdict:
        return VERDICTS[duty.verdict]
    if duty.overdue:
        return "overdue and not performed"
    return {
        DutyStatus.PENDING: "not started: a fact that would start its clock is awaited",
        DutyStatus.RUNNING: "not due yet",
        DutyStatus.ELAPSED: "its time ran out",
        DutyStatus.NOT_REQUIRED: "not required, as two people decided",
    }.get(duty.status, _words(duty.status))


def _party(party: Party, duty: DutyView) -> str:
    return duty.lea_name if party is Party.LEA else f"the {_words(party)}"


def _told(duty: DutyView, rows: Sequence[_Row]) -> ToldDuty:
    zone = duty.time_zone
    proof = [str(row.number) for row in rows if str(duty.id) in row.duties]
    lines = [
        Line(label="Agreement", value=f"{duty.reference}, {duty.lea_name} ({duty.form}, {duty.state})"),
        Line(label="Owed", value=f"by {_party(duty.owed_by, duty)} to {_party(duty.owed_to, duty)}"),
        Line(label="Clause", value=f"{duty.clause} (terms {duty.terms_hash})"),
        Line(label="Due", value=_at(duty.due_at, zone) if duty.due_at else "no date"),
    ]
    if duty.performed_at:
        lines.append(Line(label="Performed", value=_at(duty.performed_at, zone)))
    if duty.performed_at and duty.due_at and duty.performed_at > duty.due_at:
        lines.append(Line(label="Late by", value=length_words(duty.performed_at - duty.due_at)))
    if other := duty.by_other_means:
        said = f"on the word of {other.on_the_word_of}, approved by {other.approved_by} on {_at(other.approved_at)}"
        lines.append(Line(label="By other means", value=f"{said}: {other.how}. Proof: artifact {other.proof_sha256}"))
    if duty.lacking:
        lines.append(Line(label="Still to be told", value=", ".join(duty.lacking)))
    if proof:
        lines.append(Line(label="Entries", value=", ".join(proof)))
    return ToldDuty(
        heading=duty.title,
        outcome=_outcome(duty),
        tone="bad" if duty.overdue or duty.verdict in TOO_LATE else "good" if duty.verdict else "plain",
        lines=tuple(lines),
        why=plain_sentences(duty.why, load_catalogue().words.anchors),
        notices=tuple(_notice(notice, zone) for notice in duty.notices),
    )


def _notice(notice: NoticeView, zone: str) -> ToldNotice:
    lines = []
    letter = notice.letter
    if notice.given_at:
        by_letter = f"by a letter, as {letter.mailed_by} says" if letter and letter.gave_notice else None
        whose = by_letter or ("as a person says" if notice.vouched else "as the mail server answered")
        lines.append(Line(label="Given", value=f"{_at(notice.given_at, zone)}, {whose}"))
    else:
        lines.append(Line(label="Stands", value=_words(notice.stands)))
    if notice.released_by:
        lines.append(Line(label="Released by", value=notice.released_by))
    if notice.given:
        lines.append(Line(label="It told", value=", ".join(notice.given)))
    if notice.lacking:
        lines.append(Line(label="To follow", value=", ".join(notice.lacking)))
    for delivery in notice.deliveries:
        lines += _delivery(delivery, zone)
    if letter:
        lines.append(Line(label="Letter", value=_letter(letter, zone)))
    return ToldNotice(heading=_words(notice.kind).capitalize(), lines=tuple(lines))


def _letter(letter: LetterView, zone: str) -> str:
    """What is known of a letter: only ever somebody's word, since the engine sees nothing of the post."""
    to = f"to {letter.contact_name}, written {_at(letter.made_at, zone)}"
    if not (letter.mailed_at and letter.mailed_by):
        return f"{to}; nobody has said that it was posted"
    return f"{to}; {letter.mailed_by} says that it was handed to the post {_at(letter.mailed_at, zone)}"


def _delivery(delivery: DeliveryView, zone: str) -> list[Line]:
    to = f"{delivery.contact_name} <{delivery.contact_email}>"
    said = DELIVERIES.get(delivery.status, _words(delivery.status))
    if delivery.vouched_by:
        said = f"it arrived, on the word of {delivery.vouched_by}"
    when = f" on {_at(delivery.settled_at, zone)}" if delivery.settled_at else ""
    answer = f'. The server\'s answer: "{delivery.answer}"' if delivery.answer else ""
    tries = f" ({counted(delivery.attempts, 'attempt')})" if delivery.attempts > 1 else ""
    lines = [Line(label="To", value=f"{to}: {said}{when}{tries}{answer}. Letter: artifact {delivery.message_sha256}")]
    return lines + [Line(label="Came back", value=_report(report, zone)) for report in delivery.reports]


def _report(report: ReportView, zone: str) -> str:
    says = f': "{report.says}"' if report.says else ""
    return f"{_words(report.kind)} on {_at(report.received_at, zone)}{says} (artifact {report.report_sha256})"


def _holder(holder: HolderView) -> ToldNotice:
    lines = [Line(label="Stands", value=_words(holder.status))]
    if holder.due_at:
        lines.append(Line(label="Due", value=_at(holder.due_at, holder.time_zone)))
    for letter in holder.letters:
        became = "refused" if letter.rejected else "unknown whether it arrived" if letter.unknown else "sent"
        lines.append(Line(label="Written", value=f"{_words(letter.why)}, {_at(letter.at)}: {became}"))
    for answer in holder.answers:
        decided = ""
        if answer.decided_by and answer.decided_at:
            how = "accepted" if answer.accepted else "refused"
            decided = f"; {how} by {answer.decided_by} on {_at(answer.decided_at)}"
        lines.append(
            Line(label="Said", value=f"{_words(answer.kind)}, {_at(answer.given_at)}, by {answer.given_by}{decided}")
        )
        lines += [Line(label=label, value=value) for label, value in answer.lines]
    return ToldNotice(heading=holder.called or "The provider", lines=tuple(lines))


def _at(at: datetime, zone: str | None = None) -> str:
    return instant_words(at, zone or UTC)


def _words(name: str | None) -> str:
    return (name or "").replace("_", " ").replace("-", " ")
