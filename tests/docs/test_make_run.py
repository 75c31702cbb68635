"""`make run` on a machine that has nothing yet: started, used over HTTP, stopped, and started again."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.support.local_engine import PROJECT, home_folder, processes_of, signed_in, started, wait_until

pytestmark = pytest.mark.long

MAKE_RUN = ("make", "run", "UV=.tools/bin/uv")
"""As on a machine without uv, so that it is got by pip first."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with home_folder(tmp_path) as folder:
        yield folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The project's files as a fresh clone has them: no .venv, no .duenotice."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    folder = tmp_path / "checkout"
    for name in listed.stdout.splitlines():
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
    return folder


def import_demo_agreements(browser: httpx.Client) -> None:
    form_token = re.search(r'name="form_token" value="([^"]+)"', browser.get("/agreements").text)
    assert form_token
    answer = browser.post(
        "/agreements",
        data={"form_token": form_token[1]},
        files={"file": ("agreements.csv", (PROJECT / "config/demo/agreements.csv").read_bytes(), "text/csv")},
    )
    assert answer.status_code == 303, answer.text


def report_suspicion(browser: httpx.Client, expected_at: datetime) -> str:
    person = {"name": "Privacy Office", "email": "privacy@provider.example.org"}
    answer = browser.post(
        "/api/cases/new/breach",
        json={
            "title": "Unusual export from a support account",
            "occurred": {"kind": "unknown"},
            "reasonably_expected_at": expected_at.isoformat(),
            "discovered_at": expected_at.isoformat(),
            "description": "A support account exported student records at night.",
            "data_types": ["Student names"],
            "agreements": ["VA-001", "MO-001"],
            "reporter": person,
            "point_of_contact": person,
        },
    )
    assert answer.status_code == 201, answer.text
    case_id: str = answer.json()["case_id"]
    return case_id


def running_dues(browser: httpx.Client, case_id: str) -> dict[str, datetime]:
    """The due instants of the case's running duties by clause, once its workflow has computed them."""
    case = browser.get(f"/api/cases/{case_id}").json()
    return {
        duty["clause"]: datetime.fromisoformat(duty["due_at"]) for duty in case["duties"] if duty["status"] == "running"
    }


def test_without_a_python_that_is_new_enough_make_says_what_to_do(checkout: Path) -> None:
    outcome = subprocess.run(["make", "run", "PYTHON="], cwd=checkout, capture_output=True, text=True, check=False)
    assert outcome.returncode == 2
    assert "Duenotice needs Python 3.11 or newer, and there is none on PATH. Install one, or name it" in outcome.stderr


def test_make_run_starts_everything_and_a_second_run_finds_the_open_case(checkout: Path, home: Path) -> None:
    expected_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    with started(MAKE_RUN, home, folder=checkout) as engine, signed_in(engine) as browser:
        import_demo_agreements(browser)
        case_id = report_suspicion(browser, expected_at)
        wait_until(lambda: running_dues(browser, case_id))
        first_dues = running_dues(browser, case_id)
        assert first_dues == {"breach.initial-notice": expected_at + timedelta(hours=24)}
        engine.stop(signal.SIGINT)
        assert "Stopped." in engine.printed
        assert "Traceback" not in engine.printed
        assert processes_of(home) == []

    with started(MAKE_RUN, home, folder=checkout) as engine, signed_in(engine) as browser:
        assert "Installing" not in engine.printed
        assert [case["id"] for case in browser.get("/api/cases").json()["items"]] == [case_id]
        assert running_dues(browser, case_id) == first_dues
        confirmed_at = datetime.now(UTC).replace(microsecond=0)
        act = {"act": "confirm", "confirmed_at": confirmed_at.isoformat()}
        answer = browser.post(f"/api/cases/{case_id}/acts", json=act)
        assert answer.status_code == 200, answer.text
        wait_until(lambda: "breach.notice" in running_dues(browser, case_id))
        assert running_dues(browser, case_id)["breach.notice"] == confirmed_at + timedelta(hours=72)
        engine.stop(signal.SIGTERM)
        assert processes_of(home) == []
