"""The README's commands run, its settings are settings, and `make run` prints what it shows."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.settings import load_settings, temporal_connection
from tests.support.local_engine import DUENOTICE, PROJECT, Engine, started
from tests.support.patience import PATIENCE

README = (PROJECT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines() if line]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readme")


@pytest.fixture(scope="module")
def engine(home: Path) -> Iterator[Engine]:
    with started(DUENOTICE, home) as running:
        running.wait_for("Ctrl-C stops it")
        yield running
        assert running.stop() == 0


def test_every_make_target_that_the_documents_name_exists() -> None:
    documents = README + (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = {
        target for words in re.findall(r"(?:^|`)make ([a-z -]+)", documents, re.MULTILINE) for target in words.split()
    }
    assert {"run", "demo", "test", "check", "help", "lock"} <= named
    for target in named:
        # --question looks the target up and makes nothing; 2 means that there is no such target.
        outcome = subprocess.run(
            ["make", "--question", target], cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert outcome.returncode in (0, 1), outcome.stderr


@pytest.mark.long
def test_the_commands_of_the_readme_run_one_after_the_other(engine: Engine, home: Path) -> None:
    for command in commands():
        program, *arguments = shlex.split(command)
        if program == "make":
            continue
        assert program == ".venv/bin/duenotice"
        outcome = subprocess.run(
            [sys.executable, "-m", "starter.cli.main", *arguments],
            cwd=PROJECT,
            env={"PATH": "/usr/bin:/bin", "DUENOTICE_HOME": str(home)},
            input="y\n",  # a report shows what would follow, and asks
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert outcome.returncode == 0, f"{command}\n{outcome.stderr}"
        assert outcome.stdout, command


def test_what_the_readme_records_names_no_date_that_grows_old() -> None:
    """A date that is written down is overdue some day, and then an example would have districts written to."""
    recording = [line for line in commands() if "duenotice breach" in line]
    recording += re.findall(r"`duenotice breach [^`]+`", README)
    assert len(recording) >= 3
    for example in recording:
        assert not re.search(r"\d{4}-\d\d-\d\d", example), example


@pytest.mark.long
def test_the_examples_of_the_readme_have_nobody_written_to(engine: Engine, home: Path) -> None:
    """After the commands before were run: nothing left, and nothing is overdue or about to leave."""
    with closing(sqlite3.connect(f"file:{home / 'duenotice.sqlite3'}?mode=ro", uri=True)) as database:
        (opened,) = database.execute("SELECT count(*) FROM evidence WHERE kind = 'case_opened'").fetchone()
        left = "SELECT count(*) FROM evidence WHERE kind IN ('notice_released', 'notice_given')"
        (gone,) = database.execute(left).fetchone()
        leaves_at = [datetime.fromisoformat(moment) for (moment,) in database.execute("SELECT leaves_at FROM batch")]
    assert (opened, gone) == (1, 0)
    assert leaves_at
    assert min(leaves_at).replace(tzinfo=UTC) > datetime.now(UTC) + timedelta(hours=2)


@pytest.mark.long
def test_make_run_prints_what_the_readme_shows(engine: Engine, home: Path) -> None:
    running = json.loads((home / "running.json").read_text())
    printed = engine.printed
    for here, shown in {
        running["web_url"]: "http://127.0.0.1:8700",
        running["temporal_ui"]: "http://127.0.0.1:8233",
        running["temporal_address"]: "127.0.0.1:7233",
        str(home): "~/duenotice/.duenotice",
        str(shutil.which("temporal") or Path(sys.executable).parent / "temporal"): "~/duenotice/.venv/bin/temporal",
    }.items():
        printed = printed.replace(here, shown)
    printed = re.sub(r" \(port \d+ is taken\)", "", printed)
    printed = re.sub(r"(Mail +127\.0\.0\.1:)\d+", r"\g<1>1025", printed)
    printed = re.sub(r"token=\S+", "token=…", printed)
    printed = re.sub(r"(made now for \S+/)[^\s;]+;", r"\g<1>…;", printed)
    assert printed == blocks("console")[0]


@pytest.mark.parametrize("block", blocks("ini"))
def test_the_settings_of_the_readme_are_settings(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in block.splitlines():
        if line and not line.startswith("#"):
            monkeypatch.setenv(*line.split("=", 1))
    monkeypatch.setenv("DUENOTICE_ENVIRONMENT", "local")
    settings = load_settings()
    temporal_connection(settings)
    assert settings.model_fields_set - {"environment"}
