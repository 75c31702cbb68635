"""What the database knows of an agreement counts: its state, its zone, its changes and its school calendar."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import typer
from sqlmodel import select
from typer.testing import CliRunner

from config.database import Database
from config.keyring import Keyring
from config.settings import load_settings
from models.errors import NotFound
from models.tables import Agreement, ExhibitHChange
from starter.commands import agreements, calendars, terms
from starter.resources import open_database

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
    assert (before["due_local"], before["flags"]) == ("2026-03-24T23:59:59-05:00", ["no-school-calendar"])
    file = tmp_path / "year.csv"
    file.write_text(CALENDAR)
    said = run("calendars", "import", str(file), "--agreement", reference)
    assert "school from 2025-08-18 to 2026-05-29, closed on 5 days." in said
    after = only_duty(reference, *QUESTION)
    assert (after["due_local"], after["flags"]) == ("2026-03-17T23:59:59-05:00", [])


def test_an_agreement_s_own_changes_count(database: Database) -> None:
    agreement = agreement_in(database, "OR")
    operation = {
        "clause": "successor.notice",
        "effective": "2026-01-01",
        "entered_by": "counsel",
        "step": {"amends": {"citation": "Exhibit H", "says": "30 days instead.", "limit": "30 days"}},
    }
    with database.writing() as session:
        session.add(
            ExhibitHChange(
                id=uuid4(),
                agreement_id=agreement.id,
                effective_on=date(2026, 1, 1),
                entered_by="counsel",
                entered_at=datetime(2026, 1, 1, tzinfo=UTC),
                operation=operation,
            )
        )
    duty = only_duty(agreement.reference, "due", "successor", "--at", "closing=2026-06-01", "--json")
    assert (duty["limit"], duty["due_local"]) == ("30 days", "2026-07-01T23:59:59-07:00")


@pytest.mark.usefixtures("database")
def test_an_agreement_that_is_not_imported_is_told() -> None:
    with pytest.raises(NotFound, match="No agreement is imported under 'nowhere'"):
        run(*QUESTION, "--agreement", "nowhere")
