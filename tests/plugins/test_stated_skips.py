"""A skipped test passes only for a reason that is agreed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("body", "code", "listed"),
    [
        ('pytest.skip("no Chromium on this machine")', 0, ""),
        ('pytest.skip("it fails on Fridays")', 1, "test_it: it fails on Fridays"),
        ('pytest.xfail("to be done")', 1, "test_it: to be done"),
        ("pass", 0, ""),
    ],
)
def test_only_agreed_reasons_let_a_run_with_skips_pass(tmp_path: Path, body: str, code: int, listed: str) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_sample.py").write_text(f"import pytest\n\n\ndef test_it():\n    {body}\n")
    outcome = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.plugins.stated_skips", "-c", tmp_path / "pytest.ini", tmp_path],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert outcome.returncode == code, outcome.stdout
    assert listed in outcome.stdout
