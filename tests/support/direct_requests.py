"""Requests that parents and students sent to the provider, in SQL alone and played in virtual time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from cases.acts import Release
from cases.referral import REFERRAL, DirectRequest, Refer
from config.database import Database
from records.intake import keep_intake
from starter.case_service import CaseService
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.case_in_sql import CaseInSql, Place, keep_agreement
from tests.support.incidents import OFFICER, QUIET
from tests.support.officers import officer

NOW = datetime.fromisoformat("2026-06-01T15:00:00+00:00")
PLACE = Place("ndpa-v1", "IL")
PARENT = {"name": "Alex Example", "email": "alex@example.org"}
WORDS = "I want to see what the quiz service keeps about my child in grade 4."
TO_PARENT, TO_LEA = "referral.notice", "referral.lea-notice"


def a_request(*agreements: str, **changed: object) -> DirectRequest:
    """What a parent wrote on the day of ``NOW``."""
    given: dict[str, object] = {
        "title": "Letter of a parent",
        "agreements": agreements,
        "asks_as": "parent",
        "asked_for": "review",
        "district": "Example Valley",
        "request": WORDS,
        "asked_directly": NOW.date(),
        "asker": PARENT,
    }
    return DirectRequest.model_validate(given | changed)


def open_request(database: Database, *agreements: str, now: datetime = NOW, **changed: object) -> CaseInSql:
    """Keep a request, and the agreement that it may be referred under, and compute its case."""
    with database.writing() as session:
        keep_agreement(session, PLACE, now.date() - timedelta(days=400), now)
        intake = a_request(*agreements, **changed)
        case_id, _ = keep_intake(session, REFERRAL, intake, str(uuid4()), actor="officer", now=now)
    case = CaseInSql(database, case_id, now)
    case.compute()
    return case


async def referred_once_the_lea_is_found(engine: VirtualEngine, reference: str = "IL-001") -> UUID:
    """A request waits three days for a person who finds its LEA; the letters leave, and the LEA is asked again."""
    settings = engine.resources.settings.model_copy(update=QUIET | {"chase_hours": (24,)})
    service = CaseService(replace(engine.resources, settings=settings))
    intake = a_request(asked_directly=utc_now().date(), request=f"{WORDS} {reference}")
    case_id = (await service.open_case(REFERRAL, intake, actor=OFFICER)).case_id
    await engine.settle(case_id)
    await engine.advance(case_id, timedelta(days=3))
    await officer(engine).do(case_id, Refer, OFFICER, agreement=reference)
    await engine.settle(case_id)
    await officer(engine).do(case_id, Release, OFFICER, unread=True)
    await engine.settle(case_id)
    await engine.advance(case_id, timedelta(days=2))
    return case_id
