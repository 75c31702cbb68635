"""`duenotice keyring`: making a keyring for production, and rotating it."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.keyring import Keyring
from starter.cli.main import run


def test_a_keyring_is_made_and_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys" / "keyring.json"
    assert run(["keyring", "create", str(path)]) == 0
    made = path.read_bytes()
    assert run(["keyring", "create", str(path)]) == 2
    assert path.read_bytes() == made
    assert "There is a keyring already" in capsys.readouterr().err


def test_after_a_rotation_the_newer_key_seals_and_the_older_one_still_opens(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    assert run(["keyring", "create", str(path)]) == 0
    sealed = Keyring.load(path).seal(b"facts", b"case.title")
    assert run(["keyring", "rotate", str(path)]) == 0
    keyring = Keyring.load(path)
    assert keyring.sealing_key_id == keyring.key_ids[-1]
    assert len(keyring.key_ids) == 2
    assert keyring.open(sealed, b"case.title") == b"facts"
