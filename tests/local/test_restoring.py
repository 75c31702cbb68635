"""What docs/operations.md says of a copy: made while the engine runs, put in the database's place, and gone on from."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.local_engine import DUENOTICE, PROJECT, READY, started, wait_until
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.long

REPORT = (
    *("breach", "report", "--title", "Unusual export", "--description", "Records were exported at night."),
    *("--discovered-at", "now", "--data-type", "Student names", "--agreement", "VA-001", "--yes"),
    *("--reporter", "Privacy Office <privacy@provider.example.org>"),
)


def duenotice(home: Path, *arguments: str) -> str:
    """What a command prints, which has to end well."""
    outcome = subprocess.run(
        [sys.executable, "-m", "starter.cli.main", *arguments],
        cwd=PROJECT,
        env={"PATH": "/usr/bin:/bin", "DUENOTICE_HOME": str(home), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def found(home: Path, question: str) -> object:
    """The answer of the database to a question of one value."""
    with closing(sqlite3.connect(f"file:{home / 'duenotice.sqlite3'}?mode=ro", uri=True)) as database:
        row = database.execute(question).fetchone()
        return row[0] if row else None


def test_a_copy_takes_the_place_of_the_database_and_its_cases_go_on(home: Path, tmp_path: Path) -> None:
    last_sweep, copy = "SELECT workflow_id FROM last_sweep", tmp_path / "copy.sqlite3"
    with started(DUENOTICE, home) as engine:
        engine.wait_for(READY)
        duenotice(home, "agreements", "import", "--demo")
        reported = re.search(r"is reported: (\S+)", duenotice(home, *REPORT))
        assert reported
        case = reported[1]
        duenotice(home, "backup", str(copy))
        duenotice(home, "breach", "confirm", case, "--confirmed-at", "now", "--yes")
        wait_until(lambda: found(home, last_sweep))
        first = found(home, last_sweep)
        assert engine.stop() == 0
    with started(DUENOTICE, home) as engine:
        engine.wait_for(READY)
        wait_until(lambda: found(home, last_sweep) != first)
        assert engine.stop() == 0

    for beside in home.glob("duenotice.sqlite3*"):
        beside.unlink()
    shutil.copy(copy, home / "duenotice.sqlite3")
    with started(DUENOTICE, home) as engine:
        engine.wait_for(READY)
        wait_until(lambda: found(home, "SELECT body FROM evidence WHERE kind = 'cases_begun_anew'"))
        duenotice(home, "breach", "confirm", case, "--confirmed-at", "now", "--yes")
        duenotice(home, "breach", "release", case, "--unread", "--wait")
        assert "on time" in duenotice(home, "breach", "show", case)
        duenotice(home, "ledger", "verify")
        assert engine.stop() == 0
