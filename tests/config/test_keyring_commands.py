"""`duenotice keyring`: making a keyring for production, and rotating it."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from config.database import Database
from config.keyring import Keyring
from models.enums import ContactRole
from models.tables import AgreementContact
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


def test_all_that_is_sealed_is_opened_and_what_was_moved_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DUENOTICE_HOME", str(tmp_path))
    keyring = Keyring.create(tmp_path / "keyring.json")
    database = Database(f"sqlite:///{tmp_path}/duenotice.sqlite3", keyring)
    database.migrate()
    with database.writing() as session:
        for number in (1, 2):
            session.add(
                AgreementContact(id=UUID(int=number), role=ContactRole.GENERAL, name="Office", email=f"{number}@e.test")
            )
    assert run(["keyring", "check"]) == 0
    assert capsys.readouterr().out == "Everything that is sealed opens where it stands.\n"
    with database.writing() as session:
        session.execute(text("UPDATE agreement_contact SET email = name"))
    database.close()
    assert run(["keyring", "check"]) == 6
    said = capsys.readouterr().err
    assert f"agreement_contact.email {UUID(int=2).hex} does not open." in said
    assert "2 values were changed, or moved from another place in the database. Restore them from a backup" in said
