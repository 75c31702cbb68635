"""A case that was erased, on both databases: everything still verifies, and a copy of its rows opens no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import select

from config.database import Database
from config.keyring import Keyring
from config.object_store import Directory
from ledger.artifacts import fetch
from ledger.entries import CaseErased
from ledger.findings import what_holds
from ledger.moving import let_go, move_out
from ledger.verify import verify_all
from models.columns import ERASED
from models.errors import Gone
from models.tables import Artifact, Case, EvidenceEntry
from records.erasure import approve_erasure, propose_erasure
from tests.support.case_in_sql import SECOND_PERSON, CaseInSql
from tests.support.erasable import DEFAULTS, OVER, closed_breach

WHY = "Its time is over."


@pytest.fixture
def case(database: Database) -> CaseInSql:
    return closed_breach(database)


def erase(case: CaseInSql) -> int:
    proposal = propose_erasure(case.database, case.id, reason=WHY, actor="officer", now=OVER, defaults=DEFAULTS)
    return approve_erasure(case.database, case.id, proposal, actor=SECOND_PERSON, now=OVER, defaults=DEFAULTS)


def test_everything_still_verifies_and_says_erased_on_by(case: CaseInSql) -> None:
    went = erase(case)
    with case.database.reading() as session:
        found = verify_all(session)
        entry = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == CaseErased.kind)).one()
        assert found.sound, found.flaw
        assert (
            f"The personal data of case {case.id}, with {went} artifacts, was erased on Tue 2 Mar 2032, 17:00 UTC by "
            f"{SECOND_PERSON}, as entry {entry.number} says." in what_holds(found)
        )
        assert entry.body == {
            "proposed_by": "officer",
            "kept_until": "2032-03-02T17:00:00Z",
            "kept_by": "6 years; no law says longer: the default retention_years",
            "erased": went,
        }
        assert [fetch(session, sha256).decode() for sha256 in entry.artifacts][1] == WHY


def test_a_copy_of_rows_from_before_opens_no_more(case: CaseInSql) -> None:
    """What another copy of the tables holds is worth nothing without the key."""
    query = "SELECT sha256, content FROM artifact WHERE case_id IS NOT NULL"
    with case.database.reading() as session:
        before = session.execute(text(query)).all()
        title = session.execute(text("SELECT title FROM duenotice_case")).scalar_one()
    erase(case)
    with case.database.writing() as session:
        for sha256, content in before:
            put = text("UPDATE artifact SET content = :content, erased_at = NULL WHERE sha256 = :sha256")
            session.execute(put, {"content": content, "sha256": sha256})
        session.execute(text("UPDATE duenotice_case SET title = :title"), {"title": title})
    with case.database.reading() as session:
        assert session.exec(select(Case.title)).one() == ERASED
        with pytest.raises(Gone):
            fetch(session, before[0][0])


def test_what_was_moved_to_a_store_goes_from_there_too(empty_url: str, keyring: Keyring, tmp_path: Path) -> None:
    folder = tmp_path / "objects"
    folder.mkdir(mode=0o700)
    objects = Directory(folder)
    database = Database(empty_url, keyring, objects)
    database.migrate()
    case = closed_breach(database)
    move_out(database, 1)
    with database.reading() as session:
        moved = session.exec(select(Artifact.object_sha256).where(Artifact.case_id == case.id)).all()
        assert len(moved) > 4
        assert all(name and objects.exists(name) for name in moved)
    assert erase(case) == len(moved)
    let_go(database, OVER)
    assert not any(name and objects.exists(name) for name in moved)
    with database.reading() as session:
        assert verify_all(session).sound
    database.close()
