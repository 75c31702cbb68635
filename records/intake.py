"""Opening a case: its facts, its agreements and its first evidence, in one transaction."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from uuid import UUID, uuid5

import rfc8785
from sqlmodel import Session

from cases.intake import Intake
from cases.kind import Kind
from cases.state import CaseState
from ledger.append import append
from ledger.artifacts import store
from ledger.entries import CaseOpened
from models import identifiers
from models.enums import Authentication, CaseStatus, FactStatus
from models.tables import Case, CaseAgreement, CaseAnchor, CaseFact
from records.responsible import reporter
from records.scope import affected_agreements


def intake_digest(intake: Intake, key: bytes) -> str:
    """Name an intake by its content, under a key, so that the name tells nothing of the content."""
    return hmac.new(key, rfc8785.dumps(intake.identity()), hashlib.sha256).hexdigest()


def keep_intake(
    session: Session,
    kind: Kind,
    intake: Intake,
    digest: str,
    *,
    actor: str,
    now: datetime,
    dates_confirmed: tuple[str, ...] = (),
    authenticated: Authentication | None = None,
) -> tuple[UUID, bool]:
    """Keep what opens a case; return its id, and whether the same intake had opened it before.

    ``dates_confirmed`` names the dates that are hardly meant, and were confirmed nevertheless.

    Raises:
        InvalidFields: an agreement is unknown, or nobody can be written to under it.
    """
    case_id = identifiers.case_id(kind.name, digest)
    if session.get(Case, case_id):
        return case_id, True
    agreements = affected_agreements(session, intake.agreements)
    session.add(
        Case(
            id=case_id,
            kind=kind.name,
            event=intake.event() or kind.event,
            status=CaseStatus.REPORTED,
            title=intake.title,
            report_digest=digest,
            opened_at=now,
            changed_at=now,
            responsible_id=reporter(session, actor),
            undecided=not kind.is_decided(CaseState(anchors={anchor.name: anchor for anchor in intake.anchors()})),
        )
    )
    session.flush()
    session.add_all(CaseAgreement(case_id=case_id, agreement_id=key, added_at=now) for key in agreements)
    session.add_all(_anchor_rows(case_id, intake, actor, now))
    session.add_all(_fact_rows(case_id, intake, actor, now))
    append(
        session,
        CaseOpened(
            case_id=case_id,
            actor=actor,
            at=now,
            case_kind=kind.name,
            event=intake.event() or kind.event,
            anchors=intake.anchors(),
            agreements=tuple(agreements),
            report_sha256=store(session, intake.model_dump_json(indent=2).encode(), "application/json", now),
            dates_confirmed=dates_confirmed or None,
            authenticated=authenticated,
        ),
    )
    return case_id, False


def _anchor_rows(case_id: UUID, intake: Intake, actor: str, now: datetime) -> list[CaseAnchor]:
    return [
        CaseAnchor(
            id=uuid5(case_id, f"reported:{anchor.name}"),
            case_id=case_id,
            name=anchor.name,
            instant=anchor.instant,
            first_day=anchor.first_day,
            last_day=anchor.last_day,
            recorded_at=now,
            recorded_by=actor,
        )
        for anchor in intake.anchors()
    ]


def _fact_rows(case_id: UUID, intake: Intake, actor: str, now: datetime) -> list[CaseFact]:
    return [
        CaseFact(
            id=uuid5(case_id, f"reported:{element}"),
            case_id=case_id,
            element=element,
            status=FactStatus.KNOWN,
            value=value,
            recorded_at=now,
            recorded_by=actor,
        )
        for element, value in intake.facts().items()
    ]
