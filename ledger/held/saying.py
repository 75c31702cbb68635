"""What each kind of entry says of which rows, entry by entry, as the engine wrote both in one transaction."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session

from ledger import entries
from ledger.actors import LEA
from ledger.artifacts import fetch, is_kept
from ledger.contacts import read_contacts
from ledger.held.scratch import NOTHING, Facts, Scratch, Value, written
from models import identifiers
from models.enums import (
    DECISIONS,
    AnswerKind,
    BounceEffect,
    CaseStatus,
    DeliveryStatus,
    DutyStatus,
    ProposalKind,
    ReportKind,
)
from models.errors import DuenoticeError, IntegrityError, Unavailable
from models.tables import Delivery, EvidenceEntry, Notice
from terms.duties import OVERDUE_BEFORE_HOLD

STANDS = tuple(
    status.value
    for status in (
        DeliveryStatus.ACCEPTED,
        DeliveryStatus.DELIVERED,
        DeliveryStatus.ACKNOWLEDGED,
        DeliveryStatus.VOUCHED,
    )
)
"""How a delivery stands that arrived, as far as anybody knows."""

_ANSWERS = {
    entries.NoticeAcknowledged.kind: AnswerKind.ACKNOWLEDGED,
    entries.QuestionAsked.kind: AnswerKind.QUESTION,
    entries.ContactNamed.kind: AnswerKind.OTHER_CONTACT,
    entries.FactSaid.kind: AnswerKind.FACT,
    entries.NoObjection.kind: AnswerKind.NO_OBJECTION,
    entries.TerminationDeclared.kind: AnswerKind.TERMINATES,
}


class Sayings:
    """Goes through the entries in order, and keeps what they say of rows.

    Args:
        session: reads the artifacts in which entries list what they touched.
        scratch: where it is kept.

    Attributes:
        unread: the first artifact that an entry needed and that could not be read: what it lists is not held.
    """

    def __init__(self, session: Session, scratch: Scratch) -> None:
        self._session = session
        self._scratch = scratch
        self._take: dict[str, Callable[[EvidenceEntry], None]] = {
            entries.ContactsRecorded.kind: self._contacts,
            entries.CaseOpened.kind: self._opened,
            entries.CaseClosed.kind: self._closed,
            entries.CaseReopened.kind: self._case_reopened,
            entries.TermsPinned.kind: self._pinned,
            entries.DutyComputed.kind: self._computed,
            entries.DutiesGivenUp.kind: self._given_up,
            entries.DutyPerformedByOtherMeans.kind: self._by_other_means,
            entries.DutyReopened.kind: self._reopened,
            entries.DutyEscalated.kind: self._escalated,
            entries.NoticeComposed.kind: self._composed,
            entries.NoticeGiven.kind: self._given,
            entries.FurtherDutyPerformed.kind: self._further,
            entries.CopyGiven.kind: self._copied,
            entries.DeliveryRejected.kind: self._rejected,
            entries.DeliveryDeferred.kind: self._moved(DeliveryStatus.DEFERRED),
            entries.DeliveryUnknown.kind: self._moved(DeliveryStatus.UNKNOWN),
            entries.DeliveryPassedOver.kind: self._moved(DeliveryStatus.PASSED_OVER),
            entries.DeliveryReported.kind: self._reported,
            entries.DeliveryBounced.kind: self._bounced,
            entries.MailPaused.kind: self._paused,
            entries.LetterMade.kind: self._letter_made,
            entries.LetterTookEffect.kind: self._letter_took_effect,
            entries.AcknowledgementAsked.kind: self._asked,
            entries.SilenceNoted.kind: self._silent,
            entries.HolderAnswered.kind: self._holder_answered,
            entries.CostRecorded.kind: self._cost,
            entries.ErasureProposed.kind: self._erasure_proposed,
            entries.ErasureDeclined.kind: self._erasure_decided,
            entries.CaseErased.kind: self._erased,
            **dict.fromkeys(_ANSWERS, self._answered),
        }
        self._acts: dict[str, Callable[[EvidenceEntry, dict[str, Any]], None]] = {
            "approve": self._decided,
            "decline": self._decided,
            "undo": self._undone,
            "vouch": self._vouched,
            "send-again": self._sent_again,
            "release": self._released,
            "hold": self._held,
            "lift": self._lifted,
            "posted": self._posted,
            "not-posted": self._not_posted,
        }
        self.unread: IntegrityError | None = None

    def take(self, entry: EvidenceEntry) -> None:
        """Keep what one more entry says.

        Raises:
            IntegrityError: it does not hold what its kind holds.
        """
        try:
            if entry.kind.startswith(f"{entries.ActRecorded.kind}."):
                self._act(entry)
            elif take := self._take.get(entry.kind):
                take(entry)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise IntegrityError(
                f"Its particulars are not those of {entry.kind}, so that no table can be held against it "
                f"({type(error).__name__}).",
                where=f"entry {entry.number:,} of the ledger",
                next_step="Check it with the version of the program that wrote it.",
            ) from error

    def _say(self, sort: str, key: UUID | str, entry: EvidenceEntry, **facts: Value) -> None:
        self._scratch.say(sort, _key(key), entry.number, **facts)

    def _listed(self, entry: EvidenceEntry, sha256: str | None) -> list[str]:
        """The lines of an artifact that an entry names."""
        return self._artifact(entry, sha256).decode().splitlines() if sha256 else []

    def _artifact(self, entry: EvidenceEntry, sha256: str) -> bytes:
        try:
            return fetch(self._session, sha256)
        except Unavailable:
            raise
        except (DuenoticeError, zlib.error):  # the step that checks artifacts says what is wrong, where anything is
            self.unread = self.unread or IntegrityError(
                "What the entry lists cannot be read any more, so that no table can be held against it.",
                where=f"entry {entry.number:,} of the ledger, artifact {sha256}",
            )
            return b""

    # Contacts, cases and terms

    def _contacts(self, entry: EvidenceEntry) -> None:
        if entry.case_id and not is_kept(self._session, entry.artifacts[0]):
            return  # it went with its case, whose contacts show nothing any more; the artifacts' step says if it may
        for key, said in read_contacts(self._artifact(entry, entry.artifacts[0]) or b'{"contacts": {}}'):
            self._say("contact", key, entry, **said)

    def _opened(self, entry: EvidenceEntry) -> None:
        said = {name: entry.body.get(name) for name in ("kind", "event", "clause", "occurrence")}
        self._say(
            "case", _case(entry), entry, status=CaseStatus.REPORTED, opened_at=entry.at, opened_by=entry.actor, **said
        )

    def _closed(self, entry: EvidenceEntry) -> None:
        if self._scratch.last("case", _key(_case(entry)), "closed_at") is None:
            self._say("case", _case(entry), entry, closed_at=entry.at)
        if not self._is_dismissed(entry):
            self._say("case", _case(entry), entry, status=CaseStatus.CLOSED)

    def _case_reopened(self, entry: EvidenceEntry) -> None:
        self._say("case", _case(entry), entry, closed_at=None, reopened_at=entry.at)
        if not self._is_dismissed(entry):
            self._say("case", _case(entry), entry, status=CaseStatus.OPEN)

    def _is_dismissed(self, entry: EvidenceEntry) -> bool:
        return self._scratch.last("case", _key(_case(entry)), "status") == CaseStatus.DISMISSED.value

    def _pinned(self, entry: EvidenceEntry) -> None:
        for agreement in entry.body["agreements"]:
            self._say("pinned", f"{_case(entry).hex}{_key(agreement)}", entry, terms_hash=entry.body["terms_hash"])

    # Duties

    def _computed(self, entry: EvidenceEntry) -> None:
        body, case_id = entry.body, _case(entry)
        runs = body["status"] in (DutyStatus.RUNNING.value, DutyStatus.ELAPSED.value)
        was_overdue = OVERDUE_BEFORE_HOLD in body["flags"]
        said: dict[str, Value] = {
            "status": body["status"],
            "due_date_id": entry.subject,
            "due_at": _instant(body["due_at"]) if runs or was_overdue else None,
            "internal_due_at": _instant(body.get("internal_due_at")),
            "internal_why": body.get("internal_why"),
        }
        self._say("due_date", _subject(entry), entry, due_at=_instant(body["due_at"]))
        for agreement in body["agreements"]:
            duty = identifiers.duty_id(case_id, UUID(agreement), body["clause"], body["occurrence"])
            self._say("duty", duty, entry, **said)

    def _given_up(self, entry: EvidenceEntry) -> None:
        for duty in self._listed(entry, entry.artifacts[0]):
            self._say("duty", duty, entry, status=DutyStatus.CANCELLED)

    def _perform(self, duty: str, entry: EvidenceEntry, verdict: str | None, at: datetime | None) -> None:
        """A duty was performed, unless it was before: its verdict is frozen by the first performance."""
        if verdict is not None and self._scratch.last("duty", _key(duty), "performed_at") is None:
            self._say("duty", duty, entry, status=DutyStatus.PERFORMED, performed_at=at, verdict=verdict)

    def _by_other_means(self, entry: EvidenceEntry) -> None:
        self._perform(_subject(entry), entry, entry.body["verdict"], _instant(entry.body["done_at"]))
        self._say("duty", _subject(entry), entry, performed_under=entry.body["proposal_id"])

    def _reopened(self, entry: EvidenceEntry) -> None:
        body, duty = entry.body, _subject(entry)
        instead = _instant(body.get("performed_instead_at"))
        gone = self._is_dismissed(entry) and instead is None
        self._say(
            "duty",
            duty,
            entry,
            status=DutyStatus.CANCELLED if gone else DutyStatus.RUNNING,
            due_at=None if gone else _instant(body["due_at"]),
            reopened_at=None if gone else entry.at,
            performed_at=None,
            verdict=None,
            escalated_at=None,
        )
        if gone:
            self._say("duty", duty, entry, internal_due_at=None)
        self._perform(duty, entry, body.get("verdict_instead"), instead)

    def _escalated(self, entry: EvidenceEntry) -> None:
        self._say("duty", _subject(entry), entry, escalated_at=entry.at)

    # Notices and deliveries

    def _composed(self, entry: EvidenceEntry) -> None:
        self._say("notice", _subject(entry), entry, given=entry.body["given"], lacking=entry.body["lacking"])

    def _given(self, entry: EvidenceEntry) -> None:
        body = entry.body
        self._accepted(entry, is_copy=False)
        said = {"given": body["given"], "lacking": body["lacking"]}
        self._say("notice", _subject(entry), entry, given_at=entry.at, kind=body["kind"], duty_id=body["duty"], **said)
        self._perform(body["duty"], entry, body["verdict"], entry.at)

    def _further(self, entry: EvidenceEntry) -> None:
        self._perform(entry.body["duty"], entry, entry.body["verdict"], entry.at)

    def _copied(self, entry: EvidenceEntry) -> None:
        self._accepted(entry, is_copy=True)

    def _accepted(self, entry: EvidenceEntry, *, is_copy: bool) -> None:
        said = {name: entry.body.get(name) for name in ("queue_id", "tls_version", "tls_certificate")}
        self._attempted(entry, status=DeliveryStatus.ACCEPTED, is_copy=is_copy, settled_at=entry.at, **said)
        self._replied(entry)

    def _rejected(self, entry: EvidenceEntry) -> None:
        counts = not entry.body.get("disregarded")
        status = DeliveryStatus.REJECTED if counts else DeliveryStatus.PASSED_OVER
        self._attempted(entry, status=status, settled_at=entry.at if counts else None)
        self._replied(entry)

    def _replied(self, entry: EvidenceEntry) -> None:
        said = {"reply_code": entry.body["code"], "reply_status": entry.body.get("status")}
        self._say("delivery", entry.body["delivery"], entry, **said)

    def _moved(self, status: DeliveryStatus) -> Callable[[EvidenceEntry], None]:
        def take(entry: EvidenceEntry) -> None:
            self._attempted(entry, status=status)

        return take

    def _attempted(self, entry: EvidenceEntry, **said: Value) -> None:
        body = entry.body
        said |= {"contact_id": body["contact"], "attempts": body["attempt"], "message_sha256": entry.artifacts[0]}
        self._say("delivery", body["delivery"], entry, notice=_subject(entry), **said)

    def _reported(self, entry: EvidenceEntry) -> None:
        body = entry.body
        self._report(entry)
        last = self._scratch.last("delivery", _key(body["delivery"]), "status")
        arrived = body["report"] == ReportKind.DELIVERED.value and body["of_contact"]
        if arrived and last == DeliveryStatus.ACCEPTED.value:
            self._say("delivery", body["delivery"], entry, status=DeliveryStatus.DELIVERED)

    def _report(self, entry: EvidenceEntry) -> None:
        body = entry.body
        self._say(
            "report",
            entry.key.rpartition(":")[2],
            entry,
            delivery_id=body["delivery"],
            attempt=body["attempt"],
            kind=body["report"],
            of_contact=body["of_contact"],
            status=body["status"],
            via=body["via"],
            received_at=entry.at,
            report_sha256=entry.artifacts[1],
        )

    def _bounced(self, entry: EvidenceEntry) -> None:
        self._report(entry)
        delivery, notice = entry.body["delivery"], _subject(entry)
        effect = BounceEffect(entry.body["effect"])
        if effect in (BounceEffect.SETTLED_BEFORE, BounceEffect.VOUCHED):
            return
        if self._scratch.last("delivery", _key(delivery), "status") != DeliveryStatus.ACKNOWLEDGED.value:
            self._say(
                "delivery", delivery, entry, status=DeliveryStatus.BOUNCED, settled_at=entry.at, notice=UUID(notice)
            )
        if effect is BounceEffect.REOPENED:
            self._say("notice", notice, entry, given_at=None)
        elif effect is BounceEffect.ANOTHER_STANDS:
            instead = min(self._others(notice, delivery), default=None)
            given_at = self._scratch.last("notice", _key(notice), "given_at")
            if instead and given_at and instead > given_at:
                self._say("notice", notice, entry, given_at=instead)

    def _others(self, notice: str, delivery: str) -> Iterator[str]:
        """When the other deliveries of a notice that stand, and are no copies, were settled."""
        for other in self._scratch.found("delivery", "notice", str(UUID(notice))):
            facts = self._scratch.facts("delivery", other)
            stands = facts["status"].value in STANDS and not _is_copy(facts)
            if other != _key(delivery) and stands and (settled := facts["settled_at"].value):
                yield settled

    def _paused(self, entry: EvidenceEntry) -> None:
        self._say("mail", "", entry, paused=entry.at)

    def _asked(self, entry: EvidenceEntry) -> None:
        self._say("notice", _subject(entry), entry, reminders=entry.body["reminder"])

    def _silent(self, entry: EvidenceEntry) -> None:
        self._say("notice", _subject(entry), entry, silent_at=entry.at)

    # Letters by post

    def _letter_made(self, entry: EvidenceEntry) -> None:
        body = entry.body
        self._say("notice", _subject(entry), entry, given=body["given"], lacking=body["lacking"])
        self._say(
            "postal_letter",
            body["letter"],
            entry,
            notice_id=_subject(entry),
            contact_id=body["contact"],
            letter_sha256=entry.artifacts[0],
            words_sha256=entry.artifacts[1],
            given=body["given"],
            lacking=body["lacking"],
        )

    def _letter_took_effect(self, entry: EvidenceEntry) -> None:
        notice, at = _subject(entry), _instant(entry.body["effective_at"])
        self._say("postal_letter", entry.body["letter"], entry, effective_at=at)
        row = self._session.get(Notice, UUID(notice))  # one that was dropped meanwhile is not given by it
        if self._scratch.last("notice", _key(notice), "given_at") is None and not (row and row.dropped):
            self._say("notice", notice, entry, given_at=at)
        if entry.body.get("given") is not None:
            self._say("notice", notice, entry, given=entry.body["given"], lacking=entry.body["lacking"])
        for duty, verdict in entry.body["duties"].items():
            self._perform(duty, entry, verdict, at)

    def _posted(self, entry: EvidenceEntry, said: dict[str, Any]) -> None:
        self._say(
            "postal_letter",
            said["letter"],
            entry,
            mailed_at=_instant(said["mailed_at"]),
            mailed_by=entry.actor,
            effective_at=_instant(said["effective_at"]),
        )

    def _not_posted(self, entry: EvidenceEntry, said: dict[str, Any]) -> None:
        letter, notice = _key(said["letter"]), said["notice"]
        effective_at = self._scratch.last("postal_letter", letter, "effective_at")
        if effective_at and effective_at == self._scratch.last("notice", _key(notice), "given_at"):
            self._say("notice", notice, entry, given_at=None)
        self._say("postal_letter", letter, entry, mailed_at=None, mailed_by=None, effective_at=None)
        for duty in said["duties"]:
            self._owed_again(entry, duty)
            if self._is_dismissed(entry):
                nothing = {"due_at": None, "internal_due_at": None}
                self._say("duty", duty, entry, status=DutyStatus.CANCELLED, **nothing)

    def _owed_again(self, entry: EvidenceEntry, duty: str) -> None:
        """A duty that had been recorded as performed runs again, due when it was."""
        due_date = self._scratch.last("duty", _key(duty), "due_date_id")
        self._say(
            "duty",
            duty,
            entry,
            status=DutyStatus.RUNNING,
            performed_at=None,
            verdict=None,
            performed_under=None,
            escalated_at=None,
            due_at=_instant(self._scratch.last("due_date", due_date or "", "due_at")),
        )

    # Answers

    def _answered(self, entry: EvidenceEntry) -> None:
        kind, notice = _ANSWERS[entry.kind], _subject(entry)
        self._say(
            "answer",
            entry.body["answer"],
            entry,
            kind=kind,
            notice_id=notice,
            said_sha256=entry.artifacts[0] if entry.artifacts else None,
            given_at=entry.at,
            ground=entry.body.get("ground"),
            recorded_by=entry.actor if kind in DECISIONS and entry.actor != LEA else None,
        )
        if kind in DECISIONS:
            self._say("notice", notice, entry, decided_at=entry.at)
        if kind is AnswerKind.ACKNOWLEDGED or kind in DECISIONS:
            self._acknowledged(entry, notice)

    def _acknowledged(self, entry: EvidenceEntry, notice: str) -> None:
        if self._scratch.last("notice", _key(notice), "acknowledged_at") is None:
            self._say("notice", notice, entry, acknowledged_at=entry.at)
        for delivery in self._scratch.found("delivery", "notice", str(UUID(notice))):
            facts = self._scratch.facts("delivery", delivery)
            if facts["status"].value in STANDS and not _is_copy(facts):
                self._say("delivery", delivery, entry, status=DeliveryStatus.ACKNOWLEDGED)

    def _holder_answered(self, entry: EvidenceEntry) -> None:
        body = entry.body
        self._say(
            "holder_answer",
            body["answer"],
            entry,
            task_id=_subject(entry),
            kind=body["answer_kind"],
            said_sha256=entry.artifacts[0],
            given_at=entry.at,
            given_by=entry.actor,
            early=body.get("early", False),
        )
        self._word(entry, entry.artifacts[0])
        self._performed(entry, body["performed"], entry.at)

    def _word(self, entry: EvidenceEntry, sha256: str) -> None:
        """What a confirmation rests on: the artifact with a holder's own word, in its case."""
        self._say("word", f"{_case(entry).hex}{sha256}", entry, given_at=entry.at, by=entry.actor)

    def _performed(self, entry: EvidenceEntry, duties: list[str], at: datetime | None) -> None:
        for duty, _, verdict in (one.partition(" ") for one in duties):
            self._perform(duty, entry, verdict, at)

    def _cost(self, entry: EvidenceEntry) -> None:
        body = entry.body
        self._say(
            "cost",
            body["cost"],
            entry,
            agreement_id=_subject(entry),
            cents=body["cents"],
            currency=body["currency"],
            receipt_sha256=entry.artifacts[0] if entry.artifacts else None,
            recorded_by=entry.actor,
            recorded_at=entry.at,
        )

    # Erasing

    def _erasure_proposed(self, entry: EvidenceEntry) -> None:
        self._say("erasure", _subject(entry), entry, proposed_by=entry.actor, proposed_at=entry.at)

    def _erasure_decided(self, entry: EvidenceEntry) -> None:
        approved = entry.kind == entries.CaseErased.kind
        decided: dict[str, Value] = {"decided_by": entry.actor, "decided_at": entry.at, "approved": approved}
        self._say("erasure", _subject(entry), entry, **decided)

    def _erased(self, entry: EvidenceEntry) -> None:
        self._erasure_decided(entry)
        self._say("case_key", _case(entry), entry, destroyed_at=entry.at)

    # Acts

    def _act(self, entry: EvidenceEntry) -> None:
        said: dict[str, Any] = entry.body["particulars"]
        act: str = entry.body["act"]
        if entry.subject:
            self._say("act", entry.subject, entry, act=act, actor=entry.actor, at=entry.at)
        for sha256 in entry.artifacts:
            self._word(entry, sha256)
        if said.get("dismissed"):
            self._dismissed(entry, said)
        if "performed" in said:
            self._performed(entry, said["performed"], _instant(said.get("performed_at")) or entry.at)
        if "verdict" in said and "duty" in said:
            self._perform(said["duty"], entry, said["verdict"], entry.at)
        if take := self._acts.get(act):
            take(entry, said)
        elif "proposal_id" in said:
            self._say("proposal", said["proposal_id"], entry, proposed_by=entry.actor, proposed_at=entry.at)

    def _dismissed(self, entry: EvidenceEntry, said: dict[str, Any]) -> None:
        self._say("case", _case(entry), entry, status=CaseStatus.DISMISSED)
        for duty in self._listed(entry, said["cancelled_sha256"]):
            self._say("duty", duty, entry, status=DutyStatus.CANCELLED)

    def _decided(self, entry: EvidenceEntry, said: dict[str, Any]) -> None:
        approved: bool = said["approved"]
        self._say(
            "proposal",
            said["proposal_id"],
            entry,
            decided_by=entry.actor,
            decided_at=entry.at,
            approved=approved,
            kind=said["kind"],
        )
        if approved and said["kind"] == ProposalKind.NOT_REQUIRED.value:
            for duty in self._listed(entry, said.get("duties_sha256")):
                self._say("duty", duty, entry, status=DutyStatus.NOT_REQUIRED)

    def _undone(self, entry: EvidenceEntry, said: dict[str, Any]) -> None:
        self._say("proposal", said["proposal_id"], entry, undone_by=entry.actor, undone_at=entry.at)
        for duty in self._listed(entry, said["duties_sha256"]):
            self._owed_again(entry, duty)

    def _vouched(self, entry: EvidenceEntry, said: dict[str, Any]) -> None:
        arrived_at = _instant(said["arrived_at"])
        for delivery in self._listed(entry, said["deliveries_sha256"]):
            self._say(
                "delivery",
                delivery,
                entry,
                status=DeliveryStatus.VOUCHED,
                vouched_by=entry.actor,
                settled_at=entry.at,
            )
            notice = self._scratch.last("delivery", _key(delivery), "notice")
            row = self._session.get(Delivery, UUID(delivery))  # no entry says whether what is unknown was a copy
            if notice and row and not row.is_copy and not self._scratch.last("notice", _key(notice), "given_at"):
                self._say("notice", notice, entry, given_at=arrived_at)
        for line in self._listed(entry, said["duties_sha256"]):
            duty, _, verdict = line.partition(" ")
            self._perform(duty, entry, None if verdict == entries.NO_VERDICT else verdict, arrived_at)

    def _sent_again(self, entry: EvidenceEntry, said: dict[str, Any]) -> None:
        for delivery in self._listed(entry, said["deliveries_sha256"]):
            if self._scratch.last("delivery", _key(delivery), "status") != DeliveryStatus.UNKNOWN.value:
                self._say("delivery", delivery, entry, status=DeliveryStatus.PASSED_OVER, settled_at=None)

    def _released(self, entry: EvidenceEntry, said: dict[str, Any]) -> None:
        for batch in said["batches"]:
            self._say("batch", batch, entry, released_by=entry.actor)

    def _held(self, entry: EvidenceEntry, said: dict[str, Any]) -> None:
        self._say(
            "hold",
            said["hold_id"],
            entry,
            agreement_id=said.get("agreement"),
            begins_at=_instant(said["begins_at"]),
            until=_instant(said.get("until")),
            shareable=said["shareable"],
            placed_by=entry.actor,
            placed_at=entry.at,
        )

    def _lifted(self, entry: EvidenceEntry, said: dict[str, Any]) -> None:
        if self._scratch.last("hold", _key(said["hold_id"]), "lifted_at") is None:
            self._say("hold", said["hold_id"], entry, lifted_at=entry.at)
        self._say("hold", said["hold_id"], entry, lifted_by=entry.actor)


def _key(key: UUID | str) -> str:
    """An id as rows are sorted by it: UUIDs without hyphens, which both databases sort alike."""
    if isinstance(key, UUID):
        return key.hex
    return UUID(key).hex if len(key) == len("00000000-0000-0000-0000-000000000000") else key


def _is_copy(facts: Facts) -> bool:
    return facts.get("is_copy", NOTHING).value == written(value=True)


def _case(entry: EvidenceEntry) -> UUID:
    if entry.case_id is None:
        raise ValueError("the entry names no case")
    return entry.case_id


def _subject(entry: EvidenceEntry) -> str:
    if entry.subject is None:
        raise ValueError("the entry has no subject")
    return entry.subject


def _instant(said: str | None) -> datetime | None:
    return datetime.fromisoformat(said) if said else None
