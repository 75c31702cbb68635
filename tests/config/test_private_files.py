"""Whatever the folder's mode and the umask, nobody but its user reads what the engine keeps."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.database import Database
from config.keyring import Keyring
from config.private_files import OTHERS, private_home
from models.errors import ConfigurationError
from starter.cli import main
from tests.support.migrated import really_migrate


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """What others may do with a folder and all that lies in it, where they may anything."""
    paths = [folder, *folder.rglob("*")]
    return {path.name: mode for path in paths if (mode := stat.S_IMODE(path.stat().st_mode) & OTHERS)}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder that was there before, which others can read, with an installation in it."""
    home = tmp_path / "home"
    with umask(0o022):
        (home / "mail").mkdir(parents=True)
        for name in ("running.lock", "duenotice.sqlite3", "temporal.db", "mail/one.eml"):
            (home / name).write_text("")
    assert len(modes(home)) == 6
    return home


def test_a_home_that_others_could_read_is_mended_with_all_that_lies_in_it(home: Path) -> None:
    assert private_home(home)
    assert modes(home) == {}
    assert not private_home(home), "there is nothing left to mend"


def test_an_empty_folder_is_taken_for_a_home(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert private_home(tmp_path)
    assert modes(tmp_path) == {}


def test_a_home_that_is_made_is_private(tmp_path: Path) -> None:
    with umask(0):
        assert not private_home(tmp_path / "home")
    assert modes(tmp_path / "home") == {}


def test_a_folder_of_other_things_is_left_as_it_is_and_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").write_text("")
    tmp_path.chmod(0o755)
    with pytest.raises(ConfigurationError, match=r"^DUENOTICE_HOME: .*holds other things, and other users may read it"):
        private_home(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_folder_of_somebody_else_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: other)
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        private_home(home)


def test_a_home_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(ConfigurationError, match=r"home cannot be used \(File exists\)"):
        private_home(tmp_path / "home")


def test_what_a_link_leads_to_is_not_touched(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("")
    elsewhere.chmod(0o644)
    (home / "link").symlink_to(elsewhere)
    private_home(home)
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o644


@pytest.mark.parametrize("existed", [False, True])
def test_a_database_and_what_lies_beside_it_are_private_in_a_shared_folder(tmp_path: Path, existed: bool) -> None:
    shared = tmp_path / "shared"
    with umask(0):
        shared.mkdir()
        if existed:
            (shared / "kept.sqlite3").touch()
        keyring = Keyring.create(tmp_path / "keys" / "keyring.json")
        database = Database(f"sqlite:///{shared}/kept.sqlite3", keyring)
        really_migrate(database)
        with database.writing():
            beside = {path.name.removeprefix("kept.sqlite3") for path in shared.iterdir()}
            found = modes(shared)
        database.close()
    assert beside == {"", "-wal", "-shm", ".turn"}
    assert set(found) == {"shared"}, "the folder is not ours"
    assert modes(tmp_path / "keys") == {}


def test_a_database_file_that_cannot_be_had_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "kept.sqlite3").mkdir()
    with pytest.raises(ConfigurationError, match=r"^database_url: The database's file cannot be made or used: Is a"):
        Database(f"sqlite:///{tmp_path}/kept.sqlite3", Keyring.create(tmp_path / "keyring.json")).migrate()


def test_whatever_a_command_makes_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "made"
    monkeypatch.setattr(main, "run", lambda _: made.write_text("") and 0)
    monkeypatch.setattr(os, "_exit", lambda _: None)
    with umask(0):
        main.main([])
    assert modes(made) == {}
