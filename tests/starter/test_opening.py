"""A start that is sure of itself: the right keyring, and tables that this version knows."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import select

from config.database import sealing_key
from config.keyring import Keyring
from config.settings import Settings
from models.errors import ConfigurationError
from models.tables import KeyCheck
from starter.local import up
from starter.resources import open_database


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    url = (
        request.getfixturevalue("postgresql_url")
        if request.param == "postgresql"
        else f"sqlite:///{tmp_path}/home/duenotice.sqlite3"
    )
    return Settings.model_validate({"home": tmp_path / "home", "database_url": url})


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keyring.json")


def start(settings: Settings, keyring: Keyring) -> None:
    open_database(settings, keyring).close()


def checks(settings: Settings, keyring: Keyring) -> list[str]:
    database = open_database(settings, keyring)
    with database.reading() as session:
        found = list(session.exec(select(KeyCheck.key_id)))
    database.close()
    return found


def test_another_keyring_over_sealed_rows_is_refused_and_changes_nothing(
    settings: Settings, keyring: Keyring, tmp_path: Path
) -> None:
    start(settings, keyring)
    other = Keyring.create(tmp_path / "other.json")
    with pytest.raises(ConfigurationError, match=rf"{keyring.sealing_key_id}.*Put the keyring that holds it back"):
        start(settings, other)
    assert checks(settings, keyring) == [keyring.sealing_key_id]


def test_a_key_of_the_same_name_with_another_secret_is_refused(
    settings: Settings, keyring: Keyring, tmp_path: Path
) -> None:
    start(settings, keyring)
    other = Keyring.create(tmp_path / "other.json")
    renamed = (tmp_path / "other.json").read_text().replace(other.sealing_key_id, keyring.sealing_key_id)
    (tmp_path / "other.json").write_text(renamed)
    with pytest.raises(ConfigurationError, match="does not open what is stored: it is another one of that name"):
        start(settings, Keyring.load(tmp_path / "other.json"))


def test_a_copy_of_the_keyring_from_before_a_rotation_is_refused(
    settings: Settings, keyring: Keyring, tmp_path: Path
) -> None:
    start(settings, keyring)
    (tmp_path / "copy.json").touch(mode=0o600)
    (tmp_path / "copy.json").write_bytes((tmp_path / "keyring.json").read_bytes())
    rotated = Keyring.rotate(tmp_path / "keyring.json")
    assert checks(settings, rotated) == [rotated.sealing_key_id]
    with pytest.raises(ConfigurationError, match=rotated.sealing_key_id):
        start(settings, Keyring.load(tmp_path / "copy.json"))


def test_no_keyring_is_made_for_a_database_that_was_sealed_under_one(settings: Settings, keyring: Keyring) -> None:
    assert sealing_key(settings.database_url.get_secret_value()) is None
    start(settings, keyring)
    with pytest.raises(ConfigurationError, match=keyring.sealing_key_id):
        up.have_keyring(settings, print)
    assert not settings.keyring.exists()


def test_tables_of_a_later_version_are_left_alone(settings: Settings, keyring: Keyring) -> None:
    database = open_database(settings, keyring)
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(ConfigurationError, match=r"of a later version \(9999\).*Start the version that ran last"):
        start(settings, keyring)
