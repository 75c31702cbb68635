"""Requests for access, and cases of them in SQL alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from uuid import uuid4

from cases.parent_access import PARENT_ACCESS, AccessRequest
from config.database import Database
from models.tables import Case, ExhibitHChange
from records.intake import keep_intake
from tests.support.case_in_sql import CaseInSql, Place, keep_agreement

NOW = datetime.fromisoformat("2026-12-31T15:00:00+00:00")
ILLINOIS = Place("ndpa-v1", "IL")
REQUEST, CORRECTION, CONFIRMATION = "access.request", "access.correction", "access.correction-confirmation"


def access_request(*agreements: str, **changed: object) -> AccessRequest:
    """A request of 30 December to review a student's record."""
    given: dict[str, object] = {
        "title": "Request of December",
        "asks": "review",
        "student": "student 4711",
        "request": "A parent asks to see the grades that the service keeps.",
        "requested_on": date(2026, 12, 30),
        "requested_by": {"name": "Office", "email": "office@example.org"},
        "agreements": agreements,
    }
    return AccessRequest.model_validate(given | changed)


def open_request(
    database: Database,
    place: Place = ILLINOIS,
    now: datetime = NOW,
    *,
    agreed: Mapping[str, object] | None = None,
    **changed: object,
) -> CaseInSql:
    """Keep a request for a student of a district, whose parties agreed on a change or none, and compute its case."""
    with database.writing() as session:
        keep_agreement(session, place, now.date() - timedelta(days=400), now)
        if agreed:
            session.add(_change(place, agreed, now))
    intake = access_request(place.reference, **changed)
    with database.writing() as session:
        case_id, _ = keep_intake(session, PARENT_ACCESS, intake, str(uuid4()), actor="officer", now=now)
        session.get_one(Case, case_id).workflow_started_at = now
    case = CaseInSql(database, case_id, now)
    case.compute()
    return case


def _change(place: Place, step: Mapping[str, object], now: datetime) -> ExhibitHChange:
    """A change of the terms on which the parties agreed before the request."""
    amends = {"citation": "Signed amendment, item 1", "says": "as the parties agreed.", **step}
    return ExhibitHChange(
        id=uuid4(),
        agreement_id=place.agreement,
        effective_on=date(2026, 1, 1),
        entered_by="counsel",
        entered_at=now,
        operation={
            "clause": REQUEST,
            "effective": "2026-01-01",
            "entered_by": "counsel",
            "step": {"amends": amends},
        },
    )


def given(at: datetime, **changed: object) -> dict[str, object]:
    """What a person says of what was given."""
    return {
        "act": "give",
        "given_at": at,
        "what": "The grades of the year.",
        "how": "A view in the service was opened.",
        "to_whom": "The registrar.",
        "proof": b"%PDF-1.7\nreceipt",
        **changed,
    }


def corrected(at: datetime, **changed: object) -> dict[str, object]:
    """What a person says of a correction."""
    return {
        "act": "correct",
        "corrected_at": at,
        "what": "The date of birth was corrected.",
        "proof": b"%PDF-1.7\nrecord of the change",
        **changed,
    }
