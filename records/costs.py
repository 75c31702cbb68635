"""What a case costs where an agreement makes the provider bear it: amounts with receipts, kept for good."""

from __future__ import annotations

import re
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, func, select

from config.database import Database
from ledger.append import append
from ledger.artifacts import fetch, media_type_of, store
from ledger.entries import CostRecorded
from mail.facts import clean_block
from models.enums import Party
from models.errors import InvalidFields, InvalidInput, NotFound, Refused
from models.tables import Agreement, Case, CaseAgreement, Cost
from models.view import View
from records.scope import agreement_in_scope, pinned_clauses, require_case
from records.uploads import UploadedFile, kept_file

LONGEST_NOTE = 2_000
_AMOUNT = re.compile(r"(-?)\$?(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d\d))?", re.ASCII)


class CostView(View):
    """One recorded amount; ``cents`` is negative where it takes back an earlier one."""

    id: UUID
    agreement_reference: str
    lea_name: str
    cents: int
    note: str
    has_receipt: bool
    recorded_by: str
    recorded_at: datetime


class BorneView(View):
    """What one agreement's part of a case has cost so far, in US cents."""

    agreement_reference: str
    lea_name: str
    cents: int


class CostsView(View):
    """The costs of a case; ``bearing`` counts the agreements whose terms make the provider bear some."""

    bearing: int
    says: tuple[str, ...]
    entries: tuple[CostView, ...]
    totals: tuple[BorneView, ...]
    total_cents: int


def parse_amount(text: str) -> int:
    """The cents of an amount in US dollars, such as ``1,250.00``; a negative one takes back an earlier one.

    Raises:
        InvalidInput: it is no amount, or nothing.
    """
    found = _AMOUNT.fullmatch(text.strip())
    cents = int(found[2].replace(",", "")) * 100 + int(found[3] or 0) if found else 0
    if not found or not 0 < cents < 10**12:
        raise InvalidInput("This is not an amount in dollars.", where="amount", next_step="Write it as in 1250.00.")
    return -cents if found[1] else cents


def money(cents: int) -> str:
    """An amount as people read it: ``$1,250.00``."""
    return f"{'-' if cents < 0 else ''}${abs(cents) // 100:,}.{abs(cents) % 100:02}"


def record_cost(
    database: Database,
    case_id: UUID,
    cost_id: UUID,
    *,
    agreement: str,
    amount: str,
    note: str,
    receipt: UploadedFile | None,
    actor: str,
    now: datetime,
) -> None:
    """Keep an amount with its receipt and evidence; the same ``cost_id`` again, as by a second click, keeps one.

    An amount is never changed: a negative one takes it back.

    Args:
        database: where it is kept.
        case_id: the case that it belongs to.
        cost_id: names this entry.
        agreement: the reference of the agreement under which it is borne.
        amount: in US dollars, as typed.
        note: what it was for.
        receipt: the receipt's file, if there is one.
        actor: who records it.
        now: the instant of recording.

    Raises:
        NotFound: there is no such case.
        InvalidFields: something is missing or wrong; each problem names its field.
        Refused: the agreement's terms do not make the provider bear costs.
    """
    cents, note = _checked(amount, note)
    with database.writing() as session:
        case = require_case(session, case_id)
        found, terms_hash = agreement_in_scope(session, case_id, agreement)
        if terms_hash not in _bearing(session, case):
            raise Refused(
                f"The terms of agreement {agreement} do not make the provider bear costs of this case.",
                where="agreement",
                next_step="Choose an agreement whose terms do.",
            )
        if session.get(Cost, cost_id) is not None:
            return
        sha256 = store(session, receipt.content, receipt.media_type, now, case=case_id) if receipt else None
        session.add(
            Cost(
                id=cost_id,
                case_id=case_id,
                agreement_id=found.id,
                cents=cents,
                note=note,
                receipt_sha256=sha256,
                recorded_by=actor,
                recorded_at=now,
            )
        )
        append(
            session,
            CostRecorded(
                case_id=case_id,
                actor=actor,
                at=now,
                agreement_id=found.id,
                cost=cost_id,
                cents=cents,
                currency="USD",
                receipt_sha256=sha256,
            ),
        )


def _checked(amount: str, note: str) -> tuple[int, str]:
    problems: list[InvalidInput] = []
    cents, note = 0, clean_block(note)
    try:
        cents = parse_amount(amount)
    except InvalidInput as problem:
        problems.append(problem)
    if not note or len(note) > LONGEST_NOTE:
        problems.append(
            InvalidInput(
                "Nothing says what it was for." if not note else f"This is longer than {LONGEST_NOTE:,} characters.",
                where="note",
                next_step="Say in a sentence what was paid, and to whom.",
            )
        )
    if problems:
        raise InvalidFields(tuple(problems))
    return cents, note


def read_costs(database: Database, case_id: UUID) -> CostsView:
    """The costs of a case, in the order in which they were recorded, with the total of each agreement.

    Raises:
        NotFound: there is no such case.
    """
    with database.reading() as session:
        case = require_case(session, case_id)
        bearing = _bearing(session, case)
        agreements = session.exec(
            select(func.count())
            .select_from(CaseAgreement)
            .where(CaseAgreement.case_id == case_id, col(CaseAgreement.terms_hash).in_(bearing))
        ).one()
        rows = session.exec(
            select(Cost, Agreement)
            .join(Agreement, col(Agreement.id) == col(Cost.agreement_id))
            .where(Cost.case_id == case_id)
            .order_by(col(Cost.recorded_at), col(Cost.id))
        ).all()
    entries = tuple(
        CostView(
            agreement_reference=agreement.reference,
            lea_name=agreement.lea_name,
            has_receipt=cost.receipt_sha256 is not None,
            **cost.model_dump(include={"id", "cents", "note", "recorded_by", "recorded_at"}),
        )
        for cost, agreement in rows
    )
    return CostsView(
        bearing=agreements,
        says=tuple(dict.fromkeys(says for all_said in bearing.values() for says in all_said)),
        entries=entries,
        totals=_totals(entries),
        total_cents=sum(entry.cents for entry in entries),
    )


def read_receipt(database: Database, case_id: UUID, cost_id: UUID) -> UploadedFile:
    """The receipt of one amount, as it was uploaded.

    Raises:
        NotFound: the case has no such amount, or it has no receipt.
    """
    with database.reading() as session:
        cost = session.get(Cost, cost_id)
        if cost is None or cost.case_id != case_id or cost.receipt_sha256 is None:
            raise NotFound("There is no such receipt.", next_step="Open it from the case's page.")
        content = fetch(session, cost.receipt_sha256)
        media_type = media_type_of(session, cost.receipt_sha256)
    return kept_file(f"receipt-{str(cost_id)[:8]}", content, media_type)


def _bearing(session: Session, case: Case) -> dict[str, tuple[str, ...]]:
    """By hash of terms: what those clauses say that make the provider bear costs; terms without one are left out."""
    found = {
        terms_hash: tuple(
            step.says
            for clause in clauses
            if clause.kind == "cost" and clause.owed_by == Party.PROVIDER.value
            for step in clause.trail
        )
        for terms_hash, clauses in pinned_clauses(session, case).items()
    }
    return {terms_hash: says for terms_hash, says in found.items() if says}


def _totals(entries: tuple[CostView, ...]) -> tuple[BorneView, ...]:
    sums: dict[tuple[str, str], int] = {}
    for entry in entries:
        key = (entry.lea_name, entry.agreement_reference)
        sums[key] = sums.get(key, 0) + entry.cents
    return tuple(
        BorneView(lea_name=lea_name, agreement_reference=reference, cents=cents)
        for (lea_name, reference), cents in sorted(sums.items())
    )
