"""Equal reports at once are one case: whoever is impatient, or a proxy that sends again, opens no second one."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select
from temporalio.client import Client

from agreements.importing import import_agreements
from config.keyring import Keyring
from models.tables import Case, EvidenceEntry
from starter.resources import utc_now
from tests.support.installation import Installation, demo_agreements, open_installation

AT_ONCE = 10

PERSON = {"name": "Privacy Office", "email": "privacy@provider.example.org"}


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, temporal: Client, keyring: Keyring, tmp_path: Path) -> Installation:
    """An installation that knows agreements, on each database."""
    url = {"database_url": request.getfixturevalue("postgresql_url")} if request.param == "postgresql" else {}
    resources = open_installation(tmp_path, keyring, temporal, **url)
    import_agreements(
        resources.database,
        resources.catalogue,
        demo_agreements(),
        file_name="agreements.csv",
        now=utc_now() - timedelta(days=1),
        actor="officer",
    )
    return Installation(resources)


async def test_ten_equal_reports_at_once_open_one_case(empty: Installation) -> None:
    """The fault that was seen: six of ten were answered with 500 on PostgreSQL."""
    now = utc_now().isoformat()
    report = {
        "title": "Unusual export",
        "occurred": {"kind": "unknown"},
        "reasonably_expected_at": now,
        "discovered_at": now,
        "description": "A support account exported student records at night.",
        "data_types": ["Student names"],
        "agreements": ["VA-001"],
        "reporter": PERSON,
        "point_of_contact": PERSON,
    }
    officer = await empty.officer()
    answers = await asyncio.gather(*(officer.http.post("/api/cases/new/breach", json=report) for _ in range(AT_ONCE)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: AT_ONCE - 1}
    assert len({answer.json()["case_id"] for answer in answers}) == 1
    with empty.resources.database.reading() as session:
        assert len(session.exec(select(Case)).all()) == 1
        kinds = Counter(session.exec(select(EvidenceEntry.kind)))
    assert kinds["case_opened"] == 1
    empty.resources.database.close()
