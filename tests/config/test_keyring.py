"""The keyring: what it seals only it opens, in the place it was sealed for, and rotating it loses nothing."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.keyring import Keyring
from models.errors import ConfigurationError, IntegrityError, Refused


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "keyring.json"


def test_a_new_keyring_is_readable_by_its_owner_only(path: Path) -> None:
    Keyring.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["keyring.json"]


def test_a_keyring_is_never_overwritten(path: Path) -> None:
    Keyring.create(path)
    before = path.read_bytes()
    with pytest.raises(Refused, match="There is a keyring already"):
        Keyring.create(path)
    assert path.read_bytes() == before


def test_two_rotations_at_once_are_refused(path: Path) -> None:
    Keyring.create(path)
    path.with_name("keyring.json.new").touch()
    with pytest.raises(Refused, match="Somebody else is writing"):
        Keyring.rotate(path)


def test_whatever_is_sealed_opens_to_itself(tmp_path_factory: pytest.TempPathFactory) -> None:
    keyring = Keyring.create(tmp_path_factory.mktemp("keys") / "keyring.json")

    @given(plain=st.binary(), context=st.binary())
    def round_trip(plain: bytes, context: bytes) -> None:
        sealed = keyring.seal(plain, context)
        assert keyring.open(sealed, context) == plain
        assert keyring.seal(plain, context) != sealed

    round_trip()


def test_a_change_of_any_byte_is_noticed(path: Path) -> None:
    keyring = Keyring.create(path)
    sealed = keyring.seal(b"plain", b"here")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises((IntegrityError, ConfigurationError)):
            keyring.open(bytes(changed), b"here")


def test_every_shortening_is_noticed(path: Path) -> None:
    keyring = Keyring.create(path)
    sealed = keyring.seal(b"plain", b"here")
    for length in range(len(sealed)):
        with pytest.raises((IntegrityError, ConfigurationError)):
            keyring.open(sealed[:length], b"here")


def test_a_sealed_value_does_not_open_in_another_place(path: Path) -> None:
    keyring = Keyring.create(path)
    with pytest.raises(IntegrityError, match="sealed for another place"):
        keyring.open(keyring.seal(b"plain", b"agreement_contact.email"), b"agreement_contact.name")


def test_the_newest_key_seals_and_every_key_opens(path: Path) -> None:
    first = Keyring.create(path)
    old = first.seal(b"old", b"")
    second = Keyring.rotate(path)
    assert second.key_ids[:-1] == first.key_ids
    assert second.sealing_key_id != first.sealing_key_id
    assert second.sealing_key_id.encode() in second.seal(b"new", b"")
    assert second.open(old, b"") == b"old"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_running_process_opens_what_a_key_added_since_has_sealed(path: Path) -> None:
    running = Keyring.create(path)
    sealed = Keyring.rotate(path).seal(b"new", b"")
    assert running.open(sealed, b"") == b"new"
    assert len(running.key_ids) == 2


def test_the_key_of_another_installation_is_named_as_missing(path: Path, tmp_path: Path) -> None:
    stranger = Keyring.create(tmp_path / "stranger.json")
    keyring = Keyring.create(path)
    with pytest.raises(ConfigurationError, match=stranger.sealing_key_id):
        keyring.open(stranger.seal(b"plain", b""), b"")


def test_derived_keys_differ_by_purpose_and_outlive_rotation(path: Path) -> None:
    keyring = Keyring.create(path)
    session, digest = keyring.derive(b"web session"), keyring.derive(b"report digest")
    assert len(session) == len(digest) == 32
    assert session != digest
    assert Keyring.rotate(path).derive(b"web session") == session


def test_printing_a_keyring_shows_no_secret(path: Path) -> None:
    keyring = Keyring.create(path)
    secret = json.loads(path.read_text())["keys"][0]["secret"]
    assert secret not in repr(keyring)
    assert secret not in repr(vars(keyring))


def test_a_missing_keyring_is_named(path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"keyring\.json: There is no keyring\."):
        Keyring.load(path)


def test_a_keyring_that_everyone_may_read_is_refused(path: Path) -> None:
    Keyring.create(path)
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        Keyring.load(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": "other/1"}, "format"),
        ({"keys": []}, "keys"),
        ({"keys": [{"id": "a", "created_at": "2026-01-01T00:00:00Z", "secret": "c2hvcnQ="}]}, "secret"),
        ({"keys": [{"id": "a", "created_at": "2026-01-01T00:00:00", "secret": "A" * 43 + "="}]}, "created_at"),
        ({"keys": [{"id": "a", "created_at": "2026-01-01T00:00:00Z", "secret": "A" * 43 + "="}] * 2}, "twice"),
    ],
)
def test_a_damaged_keyring_is_explained_without_its_secrets(path: Path, change: dict[str, object], says: str) -> None:
    Keyring.create(path)
    whole = json.loads(path.read_text())
    secret = whole["keys"][0]["secret"]
    path.write_text(json.dumps(whole | change))
    with pytest.raises(ConfigurationError, match=says) as caught:
        Keyring.load(path)
    assert secret not in str(caught.value)
    assert caught.value.__cause__ is None
