"""Table by table and column by column: what entries say that it holds, or why nothing of it is held against them.

Every table and every column stands here; a test sees to it, so that a new one cannot be forgotten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import UUID

import rfc8785
from sqlmodel import SQLModel

from ledger.contacts import SAID
from ledger.held.saying import STANDS
from ledger.held.scratch import NOTHING, Facts, Said, Scratch, written
from models import identifiers, tables
from models.enums import CaseStatus, DeliveryStatus


@dataclass(frozen=True)
class Row:
    """One row of a table with what entries say of it, and where to look for what they say of others."""

    row: Any
    facts: Facts
    scratch: Scratch = field(repr=False)


Rule: TypeAlias = Callable[[Row, str], Said | None]
"""What entries say that a column holds; None where what they say leaves it open."""


@dataclass(frozen=True)
class Why:
    """Why nothing of a column, or of a whole table, is held against the ledger."""

    reason: str


@dataclass(frozen=True)
class Held:
    """A table whose rows are held against entries.

    Attributes:
        called: what a row of it is, for people.
        sort: the sort of facts that say something of its rows, by their ids.
        columns: a rule, or a reason, for each column.
        key: the id of a row as facts name it.
        attested: whether a row of which no entry says anything is one too many.
        kept: whether a row that entries speak of has to be there.
        goes_with_case: whether what entries say of a case's rows is erased with the case.
    """

    called: str
    sort: str
    columns: Mapping[str, Rule | Why]
    key: Callable[[Any], str] = lambda row: row.id.hex
    attested: bool = True
    kept: bool = True
    goes_with_case: bool = False


def says(row: Row, column: str) -> Said:
    """The column holds what an entry said of it last, and nothing where none did."""
    return row.facts.get(column, NOTHING)


def if_said(row: Row, column: str) -> Said | None:
    """The column holds what an entry said of it last; where none did, it may hold anything."""
    return row.facts.get(column)


def _listed(row: Row, column: str) -> Said:
    """What an entry listed last; nothing where none did."""
    return row.facts.get(column, Said(written([]), None))


def _duty_id(row: Row, _: str) -> Said:
    """A duty's id names its case, its agreement, its clause and which occurrence it is."""
    duty = row.row
    return Said(
        str(identifiers.duty_id(duty.case_id, duty.agreement_id, duty.clause, duty.occurrence)),
        row.facts.get("status", NOTHING).entry,
    )


def _of_due_date(row: Row, column: str) -> Said | None:
    """What a duty's reasons say besides its due instant; they are named by their SHA-256, which an entry names."""
    return None if row.row.due_date_id is None else row.scratch.facts("reasons", row.row.due_date_id).get(column)


def _content_id(row: Row, _: str) -> Said:
    """What is named by the SHA-256 of its canonical JSON (RFC 8785)."""
    return Said(hashlib.sha256(rfc8785.dumps(row.row.body)).hexdigest(), row.facts.get("due_at", NOTHING).entry)


def _terms_id(row: Row, _: str) -> Said:
    return Said(hashlib.sha256(row.row.body).hexdigest(), None)


def _case_status(row: Row, column: str) -> Said | None:
    """Where a case stands; that its duties are computed is no entry's word but each duty's own."""
    said = says(row, column)
    opened = (CaseStatus.REPORTED.value, CaseStatus.OPEN.value)
    return None if said.value in opened and row.row.status.value in opened else said


_LEFT = {*STANDS, DeliveryStatus.REJECTED.value, DeliveryStatus.BOUNCED.value}


def _delivery_status(row: Row, column: str) -> Said | None:
    """How a delivery ended; what is still under way changes without an entry, and claims nothing.

    A refusal is disregarded where mail was paused after it, since many were alike.
    """
    said, status = says(row, column), row.row.status.value
    if said.value in _LEFT:
        return None if _is_disregarded(row, said) and status not in _LEFT else said
    return None if status not in _LEFT else said


def _settled_at(row: Row, column: str) -> Said | None:
    status = says(row, "status")
    if status.value not in _LEFT or (_is_disregarded(row, status) and row.row.settled_at is None):
        return None
    return says(row, column)


def _is_disregarded(row: Row, status: Said) -> bool:
    paused = row.scratch.facts("mail", "").get("paused")
    refused = status.value == DeliveryStatus.REJECTED.value
    return bool(refused and paused and paused.entry and status.entry and paused.entry > status.entry)


def _at_least(row: Row, column: str) -> Said | None:
    """A count goes on by itself between entries, and never back."""
    said = row.facts.get(column)
    return None if said is None or getattr(row.row, column) >= int(said.value or 0) else said


def _word(fact: str) -> Rule:
    """What rests on the word of somebody, kept as an artifact that an entry of its case names."""

    def rule(row: Row, _: str) -> Said:
        sha256 = getattr(row.row, "particulars_sha256", None) or row.row.said_sha256
        return row.scratch.facts("word", f"{row.row.case_id.hex}{sha256}").get(fact, NOTHING)

    return rule


def _act(fact: str) -> Rule:
    """What the act of the same id says."""

    def rule(row: Row, _: str) -> Said:
        return row.scratch.facts("act", row.row.id.hex).get(fact, NOTHING)

    return rule


def _case_key(row: Row, _: str) -> Said | None:
    """The key of a case is there until an entry says that the case was erased, and is not after it."""
    erased = says(row, "destroyed_at")
    if (row.row.key is None) == (erased.value is not None):
        return None
    return Said(None if erased.value else "a key", erased.entry)


PLAN = Why("what the engine plans by; it claims nothing of what was done")
PLACE = Why("names other rows; what was done is held by what entries say of those")
WORDS = Why("a person's words, for people to read; the artifact that an entry names holds them")
COUNTED = Why("counted from another column of the row, for lists")
IN_ID = Why("named by the row's id, which is held")

HELD: Mapping[type[SQLModel], Held] = {
    tables.Case: Held(
        "case",
        "case",
        {
            "id": PLACE,
            "kind": says,
            "event": says,
            "clause": says,
            "occurrence": says,
            "status": _case_status,
            "title": WORDS,
            "report_digest": Why("names the report under the installation's key; its artifact is named by an entry"),
            "opened_at": says,
            "opened_by": says,
            "workflow_started_at": PLAN,
            "workflow_run_id": PLAN,
            "trouble": PLAN,
            "trouble_since": PLAN,
            "trouble_raised_at": PLAN,
            "closed_at": says,
            "dismissal_reason_sha256": Why("an artifact that the entry of the dismissal names"),
            "changed_at": PLAN,
            "computed_at": PLAN,
            "responsible_id": PLAN,
            "deputy_id": PLAN,
            "undecided": PLAN,
            "untold": PLAN,
            "reopened_at": says,
        },
    ),
    tables.CaseKey: Held(
        "key of a case",
        "case_key",
        {
            "case_id": PLACE,
            "key": _case_key,
            "destroyed_at": says,
        },
        key=lambda row: row.case_id.hex,
        attested=False,
    ),
    tables.CaseErasure: Held(
        "proposal to erase",
        "erasure",
        {
            "id": PLACE,
            "case_id": PLACE,
            "reason_sha256": Why("an artifact that the entry of the proposal names"),
            "raised_at": PLAN,
            **dict.fromkeys(("proposed_by", "proposed_at", "decided_by", "decided_at", "approved"), says),
        },
    ),
    tables.CaseAct: Held(
        "act",
        "act",
        {
            "id": PLACE,
            "case_id": Why("the entry's own case; the page of a case shows its entries"),
            "act": says,
            "clause": Why("a member of the entry's particulars, which the page shows"),
            "reason_sha256": Why("an artifact that the entry names"),
            "actor": says,
            "at": says,
        },
    ),
    tables.CaseAgreement: Held(
        "agreement of a case",
        "pinned",
        {
            "case_id": PLACE,
            "agreement_id": PLACE,
            "terms_hash": says,
            "added_at": Why("when it came into the case: the entries of the case's opening and of acts say it"),
        },
        key=lambda row: f"{row.case_id.hex}{row.agreement_id.hex}",
        attested=False,
    ),
    tables.TermsSnapshot: Held(
        "set of terms",
        "terms",
        {
            "hash": _terms_id,
            "form": Why("a member of the body, which is held"),
            "state": Why("a member of the body, which is held"),
            "body": Why("named by its SHA-256, which is held"),
            "taken_at": PLAN,
        },
        key=lambda row: row.hash,
        attested=False,
    ),
    tables.DueDate: Held(
        "due date",
        "due_date",
        {"id": _content_id, "body": Why("named by its SHA-256, which is held")},
        key=lambda row: row.id,
        attested=False,
    ),
    tables.Duty: Held(
        "duty",
        "duty",
        {
            "id": _duty_id,
            "case_id": IN_ID,
            "agreement_id": IN_ID,
            "clause": IN_ID,
            "occurrence": IN_ID,
            "owed_by": _of_due_date,
            "owed_to": _of_due_date,
            "performed_by": _of_due_date,
            "status": says,
            "due_date_id": says,
            "due_at": says,
            "internal_due_at": says,
            "internal_why": says,
            "internal_raised_at": PLAN,
            "target_at": COUNTED,
            "performed_at": says,
            "verdict": says,
            "performed_under": says,
            "lacking": Why("what is still to be told; what each notice said is held by the notice"),
            "lacking_count": COUNTED,
            "waits_for": PLAN,
            "needed_count": PLAN,
            "needed_told": PLAN,
            "escalated_at": says,
            "reopened_at": says,
        },
    ),
    tables.Batch: Held(
        "batch of notices",
        "batch",
        {
            "id": PLACE,
            "case_id": PLACE,
            "kind": PLAN,
            "clause": PLAN,
            "due_date_id": PLAN,
            "status": Why("how far sending has come; what left, each delivery says"),
            "size": COUNTED,
            "planned_at": PLAN,
            "due_at": PLAN,
            "internal_due_at": PLAN,
            "leaves_at": PLAN,
            "last_safe_at": PLAN,
            "withheld_under": PLAN,
            "ledger_head": Why("the head that its notices name; it is signed, and theirs are held"),
            "began_at": Why("when sending began; each delivery says when its own message was answered"),
            "raised_at": PLAN,
            "released_by": says,
            "again_at": PLAN,
            "trouble": PLAN,
            "trouble_since": PLAN,
        },
        attested=False,
    ),
    tables.Notice: Held(
        "notice",
        "notice",
        {
            "id": PLACE,
            "batch_id": PLAN,
            "duty_id": if_said,
            "also_performs": Why("each further duty's verdict names its own entry"),
            "case_id": PLACE,
            "kind": if_said,
            "given": _listed,
            "lacking": _listed,
            "written_at": PLAN,
            "composed_at": Why("the date that the letter bears; its bytes are an artifact that an entry names"),
            "given_at": says,
            "dropped": PLAN,
            "reminders": _at_least,
            "acknowledged_at": says,
            "has_link": PLAN,
            "offers": PLAN,
            "decided_at": says,
            "silent_at": says,
            "link_generation": PLAN,
            "link_revoked_at": PLAN,
            "link_refusals": PLAN,
        },
        attested=False,
    ),
    tables.Delivery: Held(
        "delivery",
        "delivery",
        {
            "id": PLACE,
            "notice_id": lambda row, _: row.facts.get("notice"),
            "contact_id": if_said,
            "message_id": Why("a header of the message, whose SHA-256 is held"),
            "status": _delivery_status,
            "message_sha256": if_said,
            "is_copy": if_said,
            "attempts": _at_least,
            "tries": PLAN,
            "again_at": PLAN,
            "vouched_by": says,
            "reserved_at": PLAN,
            "attempted_at": Why("when it was last handed over; what became of it is held"),
            "may_be_there_since": Why("when it was first handed over; what became of it is held"),
            "settled_at": _settled_at,
            "raised_at": PLAN,
            "answer": Why("the mail server's words, which may name somebody; its codes are held"),
            "reply_code": says,
            "reply_status": says,
            "queue_id": says,
            "tls_version": says,
            "tls_certificate": says,
        },
        attested=False,
    ),
    tables.DeliveryReport: Held(
        "report about a delivery",
        "report",
        {
            "id": PLACE,
            "delivery_id": says,
            "attempt": says,
            "kind": says,
            "of_contact": says,
            "status": says,
            "says": WORDS,
            "via": says,
            "received_at": says,
            "report_sha256": says,
        },
    ),
    tables.AgreementContact: Held(
        "contact",
        "contact",
        {
            "id": PLACE,
            **dict.fromkeys(SAID, says),
            "failing_since": Why("what deliveries to it came to; they are held"),
        },
        goes_with_case=True,
    ),
    tables.PostalLetter: Held(
        "letter by post",
        "postal_letter",
        {
            "id": PLACE,
            "notice_id": says,
            "contact_id": says,
            "case_id": PLACE,
            "address": Why("it stands in the letter, whose SHA-256 is held"),
            "letter_sha256": says,
            "words_sha256": says,
            "enclosed": Why("artifacts that the entry of the letter names"),
            "given": _listed,
            "lacking": _listed,
            "made_at": PLAN,
            "checked_at": PLAN,
            "printed_at": PLAN,
            "printed_by": PLAN,
            "replaced_at": PLAN,
            "replaced_for": PLAN,
            "mailed_at": says,
            "mailed_by": says,
            "recorded_at": Why("when the entry of the act was written, which the page shows"),
            "service": WORDS,
            "tracking_number": WORDS,
            "receipt_sha256": Why("an artifact that the entry of the act names"),
            "effective_at": says,
            "took_effect_at": Why("when it was written down; the notice that it gives says when, and is held"),
        },
    ),
    tables.Proposal: Held(
        "proposal",
        "proposal",
        {
            "id": PLACE,
            "case_id": PLACE,
            "kind": if_said,
            "task_id": PLACE,
            "clause": WORDS,
            "ground": WORDS,
            "agreements": PLACE,
            "reason_sha256": WORDS,
            "proof_sha256": WORDS,
            "how_sha256": WORDS,
            "to_whom_sha256": WORDS,
            "done_at": Why("each duty that was performed by it says when"),
            "proposed_by": says,
            "proposed_at": says,
            "decided_by": says,
            "decided_at": says,
            "approved": says,
            "raised_at": PLAN,
            "undone_by": says,
            "undone_at": says,
            "undone_reason_sha256": WORDS,
        },
    ),
    tables.Withholding: Held(
        "decision to withhold",
        "withholding",
        {
            "id": PLACE,
            "case_id": PLACE,
            "clause": PLAN,
            "reason_sha256": WORDS,
            "decided_by": _act("actor"),
            "decided_at": _act("at"),
            "proposal_id": PLACE,
        },
        attested=False,
    ),
    tables.Confirmation: Held(
        "confirmation",
        "confirmation",
        {
            "id": PLACE,
            "case_id": PLACE,
            "duty_id": Why("the duty that it performs says so by an entry of its own"),
            "contact_id": PLACE,
            "particulars_sha256": Why("by it the entry is found that holds this word; without one, nothing was given"),
            "given_at": _word("given_at"),
            "recorded_by": _word("by"),
            "withdrawn_at": Why("when its holder got the data back: the entry of that act says it"),
        },
        attested=False,
    ),
    tables.HolderAnswer: Held(
        "answer of a holder",
        "holder_answer",
        {
            "id": PLACE,
            "case_id": PLACE,
            "task_id": if_said,
            "kind": if_said,
            "said_sha256": if_said,
            "receipt_sha256": Why("the certificate that its signer was sent; an artifact that the same entry names"),
            "receipt_sent_at": PLAN,
            "until": WORDS,
            "backups_expire_on": WORDS,
            "given_at": _word("given_at"),
            "given_by": _word("by"),
            "decided_by": Why("an officer's decision about what performs nothing; the entry of that act says it"),
            "decided_at": Why("an officer's decision about what performs nothing; the entry of that act says it"),
            "accepted": Why("an officer's decision about what performs nothing; the entry of that act says it"),
            "early": if_said,
            "superseded_at": PLAN,
        },
        attested=False,
    ),
    tables.Answer: Held(
        "answer",
        "answer",
        {
            "id": PLACE,
            "notice_id": says,
            "case_id": PLACE,
            "kind": says,
            "name": WORDS,
            "email": WORDS,
            "text": WORDS,
            "ground": says,
            "recorded_by": says,
            "said_sha256": says,
            "given_at": says,
            "seen_at": PLAN,
            "raised_at": PLAN,
        },
    ),
    tables.LawEnforcementHold: Held(
        "hold",
        "hold",
        {
            "id": PLACE,
            "case_id": PLACE,
            "agreement_id": says,
            "particulars_sha256": WORDS,
            "shareable": says,
            "begins_at": says,
            "until": says,
            "placed_by": says,
            "placed_at": says,
            "lifted_by": says,
            "lifted_at": says,
        },
    ),
    tables.Cost: Held(
        "cost",
        "cost",
        {
            "id": PLACE,
            "case_id": PLACE,
            "agreement_id": says,
            "cents": says,
            "currency": says,
            "note": WORDS,
            "receipt_sha256": says,
            "recorded_by": says,
            "recorded_at": says,
        },
    ),
}
"""The tables whose rows are held, each column by a rule or with the reason why not."""

_SIGN_IN = Why("who may sign in and how; entries say what happened, and no page of a case shows it")
_AGREEMENT = Why("what the parties agreed; the file it came in is an artifact, and duties say by which terms")
_DERIVED = Why("derived from other rows, as often as one likes")

NOT_HELD: Mapping[type[SQLModel], Why] = {
    tables.Agreement: _AGREEMENT,
    tables.AgreementChange: _AGREEMENT,
    tables.ExhibitHChange: _AGREEMENT,
    tables.SchoolCalendar: _AGREEMENT,
    tables.CaseAnchor: Why("the dated facts of a case; each duty's reasons name the one that it was counted from"),
    tables.NotYetDecision: Why("when people are asked again; it performs nothing"),
    tables.CaseFact: Why("what is known of a matter; what a notice said of it is in the message, which is held"),
    tables.UpcomingDuty: _DERIVED,
    tables.MailState: PLAN,
    tables.Subprocessor: Why("whom later cases ask; whom a case asked is a contact of it, which is held"),
    tables.LegalHold: Why("it performs nothing; the entries of legal holds say what was decided"),
    tables.LiftedConflict: Why("it performs nothing; the entry of the act says it"),
    tables.Vendor: Why("the link of a vendor; it performs nothing"),
    tables.HolderTask: Why("how far asking a holder has come; its answers, and what they performed, are held"),
    tables.ToldOnce: Why("that people of the installation were told; it performs nothing"),
    tables.Letter: Why("letters that perform nothing; each attempt has an entry of its own, which the page shows"),
    tables.SentMail: Why("mails that perform nothing; entries say that each was told, and what came back"),
    tables.CaseFile: Why("files that came with a report; the entry of the opening names each by its SHA-256"),
    tables.CaseDocument: Why("files for families; entries name each by its SHA-256"),
    tables.HandedOver: Why("files behind links; entries name each, and when it was fetched or erased"),
    tables.ObjectToGo: Why("what is to be taken away; that nothing of it is missing, the step about artifacts shows"),
    tables.Artifact: Why("a step of its own compares every artifact with the SHA-256 that names it"),
    tables.ArtifactOutline: Why("read with the artifacts, which are compared with their SHA-256"),
    tables.EvidenceEntry: Why("the ledger itself"),
    tables.LedgerHead: Why("the ledger itself"),
    tables.LedgerTree: Why("the tree of the ledger; the step before this one holds the entries to its signed heads"),
    tables.LedgerTile: Why("the tree of the ledger; the step before this one holds the entries to its signed heads"),
    tables.LedgerCheckpoint: Why("the step before this one holds the entries to every signed head"),
    tables.LastSweep: PLAN,
    tables.LedgerCheck: Why("what the last check found; it is no evidence"),
    tables.KeyCheck: PLAN,
    tables.Account: _SIGN_IN,
    tables.SignInToken: _SIGN_IN,
    tables.WebSession: _SIGN_IN,
    tables.ApiToken: _SIGN_IN,
    tables.Passkey: _SIGN_IN,
    tables.OpenIdIdentity: _SIGN_IN,
    tables.SignInChallenge: _SIGN_IN,
    tables.QuotaCount: Why("how often strangers tried something within an hour; nothing rests on it"),
}
"""The tables of which no row is held, each with the reason."""


def id_of(key: str) -> str:
    """An id as people read it."""
    return str(UUID(key)) if len(key) == len(UUID(int=0).hex) else key
