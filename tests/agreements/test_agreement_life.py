"""The life of an agreement as it is recorded: each record with its evidence, and a wrong one taken back."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import Session, col, select

from agreements.life import (
    record_expected_renewal,
    record_failed_renewal,
    record_renewal,
    record_termination,
    take_back_last,
)
from config.database import Database
from ledger.artifacts import fetch
from models.enums import AgreementChangeKind, EndedBy
from models.errors import DuenoticeError, InvalidInput, Refused
from models.tables import Agreement, EvidenceEntry
from tests.support.case_in_sql import Place, keep_agreement

NOW = datetime(2026, 6, 30, 15, tzinfo=UTC)
SIGNED, ENDS = date(2025, 7, 12), date(2026, 7, 12)
JUNE_30 = date(2026, 6, 30)
OHIO = Place("ndpa-v1", "OH")
DID: dict[str, Any] = {"reason": "The board decided so.", "actor": "officer", "now": NOW}


@pytest.fixture
def agreement(database: Database) -> UUID:
    with database.writing() as session:
        keep_agreement(session, OHIO, SIGNED, NOW)
        session.get_one(Agreement, OHIO.agreement).expires_on = ENDS
    return OHIO.agreement


def dates(session: Session, agreement: UUID) -> tuple[date | None, date | None, date | None]:
    kept = session.get_one(Agreement, agreement)
    return kept.terminated_on, kept.expires_on, kept.renewal_expected_on


def test_a_termination_is_kept_with_who_why_and_what_stood_before(database: Database, agreement: UUID) -> None:
    with database.writing() as session:
        record_termination(session, agreement, on=JUNE_30, by=EndedBy.LEA, **DID)
        assert dates(session, agreement) == (JUNE_30, ENDS, None)
        entry = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "agreement_changed")).one()
        assert (entry.subject, entry.body["what"], entry.body["day"], entry.body["ended_by"]) == (
            str(agreement),
            "terminated",
            "2026-06-30",
            "lea",
        )
        assert entry.body["before"] == {"terminated_on": None, "expires_on": "2026-07-12", "renewal_expected_on": None}
        assert "board" not in str(entry.body)
        assert fetch(session, entry.artifacts[0]) == b"The board decided so."


def test_what_is_taken_back_leaves_the_dates_as_they_were_and_both_in_evidence(
    database: Database, agreement: UUID
) -> None:
    with database.writing() as session:
        record_expected_renewal(session, agreement, on=JUNE_30, **DID)
        record_renewal(session, agreement, expires_on=date(2028, 7, 12), **DID)
        assert dates(session, agreement) == (None, date(2028, 7, 12), None)
        assert take_back_last(session, agreement, **DID) is AgreementChangeKind.RENEWED
        assert dates(session, agreement) == (None, ENDS, JUNE_30)
        assert take_back_last(session, agreement, **DID) is AgreementChangeKind.RENEWAL_EXPECTED
        assert dates(session, agreement) == (None, ENDS, None)
        kinds = session.exec(select(EvidenceEntry.kind).order_by(col(EvidenceEntry.number))).all()
        assert kinds == ["agreement_changed"] * 2 + ["agreement_change_taken_back"] * 2
        with pytest.raises(Refused, match="Nothing is recorded"):
            take_back_last(session, agreement, **DID)


def test_a_renewal_that_does_not_come_is_recorded_once(database: Database, agreement: UUID) -> None:
    with database.writing() as session:
        with pytest.raises(Refused, match="No renewal is expected"):
            record_failed_renewal(session, agreement, on=JUNE_30, **DID)
        record_expected_renewal(session, agreement, on=JUNE_30, **DID)
        with pytest.raises(Refused, match="expected already"):
            record_expected_renewal(session, agreement, on=JUNE_30, **DID)
        record_failed_renewal(session, agreement, on=JUNE_30, **DID)
        assert dates(session, agreement) == (None, ENDS, None)


def test_what_cannot_be_is_refused_with_a_sentence(database: Database, agreement: UUID) -> None:
    def says(error: type[DuenoticeError], match: str, record: object, **given: object) -> None:
        with pytest.raises(error, match=match):
            record(session, agreement, **(DID | given))  # type: ignore[operator]

    with database.writing() as session:
        says(InvalidInput, "signed later", record_termination, on=date(2025, 7, 11), by=EndedBy.LEA)
        says(InvalidInput, "not after", record_renewal, expires_on=ENDS)
        says(InvalidInput, "empty", record_termination, on=JUNE_30, by=EndedBy.BOTH, reason=" ")
        record_termination(session, agreement, on=JUNE_30, by=EndedBy.PROVIDER, **DID)
        says(Refused, "terminated already", record_termination, on=JUNE_30, by=EndedBy.LEA)
        says(Refused, "cannot be renewed", record_renewal, expires_on=date(2029, 1, 1))
