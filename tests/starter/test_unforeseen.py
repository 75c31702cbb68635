"""A fault in the program itself: one sentence, the details in a file for its owner alone, and never a traceback."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from starter.cli import main as cli


def test_an_unforeseen_fault_says_where_its_details_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setitem(cli.COMMANDS, "keyring", ("no_such_module", "a command whose module is missing"))
    assert cli.run(["keyring"]) == cli.UNFORESEEN
    said = capsys.readouterr().err
    assert "Traceback" not in said
    found = re.search(r"\S+\.log", said)
    assert found
    log = Path(found[0])
    assert "Traceback" in log.read_text("utf-8")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
