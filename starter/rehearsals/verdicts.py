"""What became of a rehearsed case: its time line as the ledger tells it, and the verdict on every clause."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlmodel import Session, col, select

from ledger.entries import (
    AcknowledgementAsked,
    CaseClosed,
    ContactEscalated,
    DeliveryBounced,
    DeliveryRejected,
    DutyComputed,
    DutyEscalated,
    HoldersConfirmed,
    HolderWritten,
    NoObjection,
    NoticeGiven,
    NoticeReleased,
    OverdueTold,
    ReminderSent,
    SilenceNoted,
    TerminationDeclared,
)
from models.enums import DutyStatus, HolderMail, NoticeKind, Told, Verdict
from models.phrases import counted
from models.tables import Agreement, Batch, DueDate, Duty, EvidenceEntry
from models.view import View

WAVE = timedelta(minutes=10)
"""Entries that say the same no further apart than this are told as one."""

Value = TypeVar("Value", datetime, timedelta)


class Happening(View):
    """One line of the time line.

    Attributes:
        at: when it happened.
        by: who did it; None where nobody did.
        act: the name of the act or entry of the scenario; None for what the engine did.
        says: what happened.
        clause: the clause it is about.
        due_at: when the duties it is about are due.
        verdict: how those duties stand by it.
        spare: the least time that was left until they were due; negative once it had passed.
    """

    at: datetime
    by: str | None = None
    act: str | None = None
    says: str
    clause: str | None = None
    due_at: datetime | None = None
    verdict: Verdict | None = None
    spare: timedelta | None = None


class ClauseTotal(View):
    """How the duties under one clause of one document were met by the end of the rehearsal.

    Attributes:
        clause: the clause's id.
        title: what it demands.
        provision: the document and its provision.
        limit: the time it gives, and the anchor from which.
        states: the states of the LEAs it is owed to.
        duties: how many duties there are.
        met: how many were performed on time.
        missed: how many were performed late, or were overdue at the end.
        unmet: how many of the missed were still not performed at the end.
        other: the rest by their status; what was done by other means than the engine's, by its verdict.
        lacking: under how many an LEA still waits for some of the contents.
        due: the first and the last due instant.
        spare: the least and the most time left when one was met.
        late: the least and the most time by which one was missed, computed to the end where it is unmet.
    """

    clause: str
    title: str
    provision: str
    limit: str
    states: tuple[str, ...]
    duties: int
    met: int
    missed: int
    unmet: int
    other: dict[str, int]
    lacking: int
    due: tuple[datetime, datetime] | None
    spare: tuple[timedelta, timedelta] | None
    late: tuple[timedelta, timedelta] | None


def happenings(session: Session, case_id: UUID) -> tuple[Happening, ...]:
    """What the engine did in a case, in order; what a person's own act put into the ledger is left out."""
    entries = session.exec(
        select(EvidenceEntry)
        .where(EvidenceEntry.case_id == case_id, col(EvidenceEntry.kind).in_(list(_TELLERS)))
        .order_by(col(EvidenceEntry.at), col(EvidenceEntry.number))
    )
    due = session.exec(select(Duty.id, Duty.due_at).where(Duty.case_id == case_id))
    first = session.exec(select(Batch.id).where(Batch.case_id == case_id, Batch.kind == NoticeKind.NOTICE))
    case = _Case({str(duty): instant for duty, instant in due}, {str(batch) for batch in first})
    told = (_TELLERS[wave.kind](wave) for wave in _waves(entries, case))
    return tuple(happening for happening in told if happening)


def clause_totals(session: Session, case_id: UUID, end: datetime) -> tuple[ClauseTotal, ...]:
    """How the duties of a case stand at ``end``, by clause, the earliest due first."""
    rows = session.exec(
        select(Duty, Agreement.state)
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .where(Duty.case_id == case_id)
    ).all()
    wanted = {duty.due_date_id for duty, _ in rows}
    reasons = {row.id: row.body for row in session.exec(select(DueDate).where(col(DueDate.id).in_(wanted)))}
    groups: dict[_Heading, list[tuple[Duty, str]]] = defaultdict(list)
    for duty, state in rows:
        groups[_heading(duty.clause, reasons[duty.due_date_id])].append((duty, state))
    totals = [_total(heading, group, reasons, end) for heading, group in groups.items()]
    return tuple(sorted(totals, key=lambda total: (total.due is None, total.due, total.clause, total.provision)))


@dataclass(frozen=True)
class _Case:
    """What an entry's line takes from the tables: when each duty is due, and which batches held first notices."""

    due: Mapping[str, datetime | None]
    first_notices: AbstractSet[str]


@dataclass(frozen=True)
class _Wave:
    """Entries that say the same at about the same time."""

    entries: list[EvidenceEntry]
    case: _Case

    @property
    def at(self) -> datetime:
        return self.entries[0].at

    @property
    def kind(self) -> str:
        return self.entries[0].kind

    @property
    def body(self) -> dict[str, Any]:
        return self.entries[0].body


def _waves(entries: Iterable[EvidenceEntry], case: _Case) -> list[_Wave]:
    """The entries in waves, in order of their first."""
    waves: list[_Wave] = []
    latest: dict[tuple[str, ...], _Wave] = {}
    for entry in entries:
        key = (entry.kind, *(str(entry.body.get(name)) for name in _SAME))
        wave = latest.get(key)
        if wave is None or entry.at - wave.entries[-1].at > WAVE:
            wave = latest[key] = _Wave([], case)
            waves.append(wave)
        wave.entries.append(entry)
    return waves


_SAME = ("clause", "kind", "status", "due_at", "verdict", "released", "overdue", "part", "reminder", "mail", "outcome")
"""What two entries of one kind must have in common to be told together."""


def _computed(wave: _Wave) -> Happening:
    body = wave.body
    count = counted(sum(len(entry.body["agreements"]) for entry in wave.entries), "duty", "duties")
    clock = f"{body['limit']} from {_words(body['anchor'] or 'what is not yet known')}"
    says = {
        DutyStatus.RUNNING: f"{count} running: {body['title']} ({clock})",
        DutyStatus.PENDING: f"{count} not started: {body['title']}",
        DutyStatus.SUSPENDED: f"{count} held back for law enforcement: {body['title']}",
    }
    status = DutyStatus(body["status"])
    return Happening(
        at=wave.at,
        says=says.get(status, f"{count} {_words(status)}: {body['title']}"),
        clause=body["clause"],
        due_at=_instant(body["due_at"]) if status is DutyStatus.RUNNING else None,
    )


def _released(wave: _Wave) -> Happening | None:
    left = [entry for entry in wave.entries if entry.subject in wave.case.first_notices]
    if wave.body["released"] or not left:
        return None
    count = counted(sum(entry.body["notices"] for entry in left), "notice")
    return Happening(at=wave.at, says=f"{count} left without anybody's release", clause=wave.body["clause"])


def _given(wave: _Wave) -> Happening:
    body, kind = wave.body, NoticeKind(wave.body["kind"])
    count, due_at = counted(len(wave.entries), "LEA"), _instant(body["due_at"])
    says = {
        NoticeKind.NOTICE: f"{count} told",
        NoticeKind.SUPPLEMENT: f"{count} told what was still lacking",
        NoticeKind.DISMISSAL: f"{count} told of the dismissal",
    }[kind]
    if kind is not NoticeKind.NOTICE or due_at is None:
        return Happening(at=wave.at, says=says, clause=body["clause"])
    return Happening(
        at=wave.at,
        says=says,
        clause=body["clause"],
        due_at=due_at,
        verdict=Verdict(body["verdict"]),
        spare=due_at - wave.entries[-1].at,
    )


def _reminded(wave: _Wave) -> Happening:
    body = wave.body
    return Happening(
        at=wave.at,
        says=f"officer reminded of {counted(body['waiting'], 'notice')}: {float(body['part']):.0%} of the time is over",
        clause=wave.entries[0].subject,
        due_at=_instant(body["due_at"]),
    )


def _asked_again(wave: _Wave) -> Happening:
    return Happening(at=wave.at, says=f"{counted(len(wave.entries), 'LEA')} asked again to answer")


def _no_objection(wave: _Wave) -> Happening:
    return Happening(at=wave.at, says=f"{counted(len(wave.entries), 'LEA')} said that they do not object")


def _terminated(wave: _Wave) -> Happening:
    return Happening(at=wave.at, says=f"{counted(len(wave.entries), 'LEA')} terminated")


def _silent(wave: _Wave) -> Happening:
    return Happening(at=wave.at, says=f"silence noted of {counted(len(wave.entries), 'LEA')}, which is no consent")


def _escalated(wave: _Wave) -> Happening:
    body, count = wave.body, counted(len(wave.entries), "duty", "duties")
    if not body["overdue"]:
        return Happening(at=wave.at, says=f"{count} raised: no contact could be reached", clause=body["clause"])
    instants = [instant for entry in wave.entries if entry.subject and (instant := wave.case.due.get(entry.subject))]
    return Happening(
        at=wave.at,
        says=f"{count} overdue, and raised",
        clause=body["clause"],
        due_at=min(instants, default=None),
        verdict=Verdict.LATE,
    )


def _told_overdue(wave: _Wave) -> Happening:
    outcome, count = Told(wave.body["outcome"]), counted(len(wave.entries), "contact")
    says = {
        Told.ACCEPTED: f"{count} of the other side told that it is overdue, which performs nothing",
        Told.REJECTED: f"{count} refused word that it is overdue",
    }
    return Happening(
        at=wave.at,
        says=says.get(outcome, f"nobody knows whether {count} got word that it is overdue"),
        clause=wave.body["clause"],
        due_at=_instant(wave.body.get("due_at")),
    )


def _contact_escalated(wave: _Wave) -> Happening:
    return Happening(at=wave.at, says=f"{counted(len(wave.entries), 'contact')} raised: they refused a notice")


def _refused(wave: _Wave) -> Happening:
    count = counted(len(wave.entries), "delivery", "deliveries")
    return Happening(at=wave.at, says=f"{count} {wave.kind.removeprefix('delivery_')}")


_HOLDER_MAIL: Mapping[HolderMail, str] = {
    HolderMail.ASKED: "asked to dispose of the data",
    HolderMail.REMINDED: "reminded",
    HolderMail.REFUSED: "asked again, since the answer was not accepted",
    HolderMail.MOVED: "told of another day",
    HolderMail.STOPPED: "told to stop, since the data has to be kept",
    HolderMail.RESUMED: "asked again, since the data need not be kept any more",
    HolderMail.UNDECIDED: "told that the directive waits for an officer",
    HolderMail.OTHERS_MISSING: "told who has not confirmed",
    HolderMail.DIRECTED: "sent the directive",
    HolderMail.RECEIPT: "sent the completion certificate of an answer",
}
"""What a message to a holder of data was for."""


def _written(wave: _Wave) -> Happening:
    holders = counted(len(wave.entries), "holder")
    return Happening(at=wave.at, says=f"{holders} of the data {_HOLDER_MAIL[HolderMail(wave.body['mail'])]}")


def _confirmed(wave: _Wave) -> Happening:
    return Happening(at=wave.at, says="every holder has confirmed or was excused: the written confirmation is made")


def _closed(wave: _Wave) -> Happening:
    return Happening(at=wave.at, says="the case is closed")


_TELLERS: dict[str, Callable[[_Wave], Happening | None]] = {
    DutyComputed.kind: _computed,
    NoticeReleased.kind: _released,
    NoticeGiven.kind: _given,
    ReminderSent.kind: _reminded,
    AcknowledgementAsked.kind: _asked_again,
    NoObjection.kind: _no_objection,
    TerminationDeclared.kind: _terminated,
    SilenceNoted.kind: _silent,
    DutyEscalated.kind: _escalated,
    OverdueTold.kind: _told_overdue,
    ContactEscalated.kind: _contact_escalated,
    DeliveryRejected.kind: _refused,
    DeliveryBounced.kind: _refused,
    HolderWritten.kind: _written,
    HoldersConfirmed.kind: _confirmed,
    CaseClosed.kind: _closed,
}
"""How each kind of entry is told."""


@dataclass(frozen=True)
class _Heading:
    clause: str
    provision: str
    limit: str


def _heading(clause: str, reasons: Mapping[str, Any]) -> _Heading:
    whole = [step for step in reasons["trail"] if step["operation"] != "amends"][-1]
    return _Heading(clause, f"{whole['document']}, {whole['clause']}", reasons["limit"])


def _total(
    heading: _Heading, group: Sequence[tuple[Duty, str]], reasons: Mapping[str, Mapping[str, Any]], end: datetime
) -> ClauseTotal:
    duties = [duty for duty, _ in group]
    met = [duty for duty in duties if duty.verdict is Verdict.ON_TIME]
    late = [duty for duty in duties if duty.verdict is Verdict.LATE]
    unmet = [duty for duty in duties if duty.status is DutyStatus.RUNNING and duty.due_at and duty.due_at < end]
    counted = {duty.id for duty in (*met, *late, *unmet)}
    return ClauseTotal(
        **vars(heading),
        title=reasons[duties[0].due_date_id]["title"],
        states=tuple(sorted({state for _, state in group})),
        duties=len(duties),
        met=len(met),
        missed=len(late) + len(unmet),
        unmet=len(unmet),
        other=dict(Counter((duty.verdict or duty.status).value for duty in duties if duty.id not in counted)),
        lacking=sum(duty.lacking_count > 0 for duty in duties),
        due=_span(duty.due_at for duty in duties if duty.due_at),
        spare=_span(-lateness for lateness in _lateness(met, end)),
        late=_span(_lateness([*late, *unmet], end)),
    )


def _lateness(duties: Iterable[Duty], end: datetime) -> Iterator[timedelta]:
    """How long after its due instant each duty was performed, or is still open at the end; negative where before."""
    return ((duty.performed_at or end) - duty.due_at for duty in duties if duty.due_at)


def _span(values: Iterable[Value]) -> tuple[Value, Value] | None:
    found = sorted(values)
    return (found[0], found[-1]) if found else None


def _words(name: str) -> str:
    return name.replace("_", " ")


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
