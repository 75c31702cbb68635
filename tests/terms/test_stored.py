"""What the database knows of an agreement counts: its state, its zone, its changes and its school calendar."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlmodel import select
from typer.testing import CliRunner

from config.database import Database
from config.keyring import Keyring
from config.settings import load_settings
from models.errors import NotFound
from models.tables import Agreement, EvidenceEntry, ExhibitHChange
from starter.cli import agreements, calendars, terms
from starter.resources import open_database
from terms.errors import AmendmentError

APP = typer.Typer()
for module in (agreements, calendars, terms):
    module.register(APP)

CALENDAR = """first,last,kind
2025-08-18,2026-05-29,school year
2026-03-23,2026-03-27,closed
"""
QUESTION = ("due", "disclosure", "--at", "disclosure=2026-03-31", "--json")


def run(*arguments: str) -> str:
    result = CliRunner().invoke(APP, arguments)
    if result.exception:
        raise result.exception
    return result.stdout


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A new installation with the demo agreements."""
    monkeypatch.setenv("DUENOTICE_HOME", str(tmp_path))
    settings = load_settings()
    keyring = Keyring.create(settings.keyring)
    run("agreements", "import", "--demo")
    return open_database(settings, keyring)


def agreement_in(database: Database, state: str) -> Agreement:
    with database.reading() as session:
        return session.exec(select(Agreement).where(Agreement.state == state)).one()


def only_duty(reference: str, *question: str) -> dict[str, Any]:
    duties: list[dict[str, Any]] = json.loads(run(*question, "--agreement", reference))["duties"]
    return duties[0]


def test_an_imported_calendar_counts_school_days(database: Database, tmp_path: Path) -> None:
    reference = agreement_in(database, "IL").reference
    before = only_duty(reference, *QUESTION)
    assert before["due_local"] == "2026-03-24T23:59:59-05:00"
    assert before["flags"] == ["doubtful-reading", "no-school-calendar"]
    file = tmp_path / "year.csv"
    file.write_text(CALENDAR)
    said = run("calendars", "import", str(file), "--agreement", reference)
    assert "school from Mon 18 Aug 2025 to Fri 29 May 2026, closed on 5 days." in said
    after = only_duty(reference, *QUESTION)
    assert (after["due_local"], after["flags"]) == ("2026-03-17T23:59:59-05:00", ["doubtful-reading"])


CHANGES = """
- clause: successor.notice
  effective: 2026-01-01
  entered_by: counsel
  step: {amends: {citation: Exhibit H, says: 30 days instead., limit: 30 days}}
"""


def test_changes_entered_for_an_agreement_count_once_and_leave_evidence(database: Database, tmp_path: Path) -> None:
    agreement = agreement_in(database, "OR")
    file = tmp_path / "changes.yaml"
    file.write_text(CHANGES)
    for _ in range(2):
        assert "successor.notice: 30 days after closing" in run(
            "terms", "amend", str(file), "--agreement", agreement.reference
        )
    with database.reading() as session:
        assert len(session.exec(select(ExhibitHChange)).all()) == 1
        [entry] = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "agreement_amended")).all()
        assert entry.subject == str(agreement.id)
    duty = only_duty(agreement.reference, "due", "successor", "--at", "closing=2026-06-01", "--json")
    assert (duty["limit"], duty["due_local"]) == ("30 days", "2026-07-01T23:59:59-07:00")


def test_a_change_that_does_not_fit_is_not_kept(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "changes.yaml"
    file.write_text(CHANGES.replace("successor.notice", "successor.letter"))
    with pytest.raises(AmendmentError, match=r"There is no clause successor\.letter"):
        run("terms", "amend", str(file), "--agreement", agreement_in(database, "OR").reference)
    with database.reading() as session:
        assert session.exec(select(ExhibitHChange)).all() == []


@pytest.mark.usefixtures("database")
def test_an_agreement_that_is_not_imported_is_told() -> None:
    with pytest.raises(NotFound, match="No agreement is imported under 'nowhere'"):
        run(*QUESTION, "--agreement", "nowhere")
