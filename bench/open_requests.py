"""Rows only, for now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import rfc8785
from sqlmodel import col, select

from bench.support import ACTOR, AT_ONCE, Row, insert_rows, row_of, shown
from cases.disposition import DISPOSITION, REQUESTED
from config.database import Database
from models import identifiers
from models.enums import CaseStatus, ContactRole, DutyStatus, HolderStatus, Party, PerformedBy
from models.tables import (
    Agreement,
    AgreementContact,
    Case,
    CaseAgreement,
    CaseAnchor,
    DueDate,
    Duty,
    HolderTask,
)
from records.holders import holder_key
from starter.resources import utc_now

VENDORS = 40


@dataclass(frozen=True)
class RequestKeeper:
    """Keeps open directives in SQL as the engine leaves them once each holder was asked, many at a time."""

    database: Database
    officers: Sequence[UUID]

    def keep(self, count: int) -> None:
        now = utc_now()
        with self.database.reading() as session:
            agreements = list(session.exec(select(Agreement.id).order_by(col(Agreement.reference))))
        keys = {name: holder_key(name) for name in (*map(vendor, range(VENDORS)), Party.PROVIDER.value)}
        kept = 0
        with shown("requests kept", count) as advance:
            while kept < count:
                some = range(kept, min(kept + AT_ONCE, count))
                rows: list[Row] = []
                for number in some:
                    rows += self._request(number, agreements[number * 7919 % len(agreements)], keys, now)
                with self.database.writing() as session:
                    insert_rows(session, rows)
                kept = some.stop
                advance(len(some))

    def _request(self, number, agreement_id, keys, now):
        case_id = uuid4()
        opened_at = now - timedelta(days=30) + timedelta(seconds=number)
        due_at = now + timedelta(minutes=number * 104729 % 120_000 - 2_400)
        body = {"due": due_at.isoformat()}
        due_date = identifiers.sha256_hex(rfc8785.dumps(body))
        yield row_of(
            Case,
            id=case_id,
            kind=DISPOSITION.name,
            event=DISPOSITION.event,
            status=CaseStatus.OPEN,
            title=f"Directive {number}",
            report_digest=str(case_id),
            opened_at=opened_at,
            workflow_started_at=opened_at,
            changed_at=opened_at,
            computed_at=opened_at,
            responsible_id=self.officers[number % len(self.officers)],
        )
        yield row_of(
            CaseAnchor,
            id=uuid4(),
            case_id=case_id,
            name=REQUESTED,
            first_day=opened_at.date(),
            recorded_at=opened_at,
            recorded_by=ACTOR,
        )
        yield row_of(CaseAgreement, case_id=case_id, agreement_id=agreement_id, added_at=opened_at)
        yield row_of(DueDate, id=due_date, body=body)
        for clause, by, days in (
            ("disposition.request", PerformedBy.CONFIRMATION, 0),
            ("disposition.verification", PerformedBy.NOTICE, 1),
        ):
            yield row_of(
                Duty,
                id=identifiers.duty_id(case_id, agreement_id, clause),
                case_id=case_id,
                agreement_id=agreement_id,
                clause=clause,
                owed_by=Party.PROVIDER,
                owed_to=Party.LEA,
                performed_by=by,
                status=DutyStatus.RUNNING,
                due_date_id=due_date,
                due_at=due_at + timedelta(days=days),
            )
        holders = {vendor(number % 2), vendor(2 + number % (VENDORS - 2))}
        for name in (*sorted(holders), None):
            contact_id = uuid4() if name else None
            if name:
                yield row_of(
                    AgreementContact,
                    id=contact_id,
                    agreement_id=agreement_id,
                    case_id=case_id,
                    party=Party.SUBPROCESSOR,
                    role=ContactRole.GENERAL,
                    name=name,
                    email="privacy@vendor.test",
                )
            yield row_of(
                HolderTask,
                id=uuid4(),
                case_id=case_id,
                agreement_id=agreement_id,
                contact_id=contact_id,
                holder=keys[name or Party.PROVIDER.value],
                status=HolderStatus.OPEN,
                due_at=due_at,
                awaited_since=opened_at,
            )


def vendor(number: int) -> str:
    return f"Vendor {number} LLC"
