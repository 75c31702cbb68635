"""The installation's keys: what seals stored personal data and Temporal payloads, and what derives signing keys.

The keyring is one JSON file, readable by its owner only. Its secrets never seal anything themselves: HKDF-SHA256
(RFC 5869) draws from each an AES-256-GCM key (NIST SP 800-38D) and from the oldest the keys that ``derive`` gives.
The newest key seals; every key opens. A key is never taken out while anything sealed under it is still kept.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from config.key_files import read_keys, replacement, write_durably
from models.errors import ConfigurationError, IntegrityError, Refused

_MAGIC = b"DNS1"
"""First bytes of everything sealed: Duenotice, sealed, version 1."""

_CASE_MAGIC = b"DNC1"
"""First bytes of what is sealed under the key of a case: Duenotice, case, version 1."""

_CASE_HEADER_BYTES = len(_CASE_MAGIC) + 16

_NONCE_BYTES = 12
_SECRET_BYTES = 32


_PUBLISHED = frozenset({"550c2aa23900ebe4242276e927509a05939136708e7278ba73fcde9cc1745a5b"})
"""Check values of the keys that stand in this repository: that of the kept histories (``tests/support/stories.py``)."""

_LEAST_DISTINCT = 12
"""Of 32 random bytes at least so many differ, but for once in 2**80 keys: fewer were typed by hand."""


class _StoredKey(BaseModel):
    """One key as the file holds it."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    id: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    created_at: AwareDatetime
    secret: bytes = Field(min_length=_SECRET_BYTES, max_length=_SECRET_BYTES, repr=False)


class _KeyringFile(BaseModel):
    """The file: its format, and its keys from the oldest to the newest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["duenotice-keyring/1"] = "duenotice-keyring/1"
    keys: tuple[_StoredKey, ...] = Field(min_length=1)

    @field_validator("keys")
    @classmethod
    def _each_once(cls, keys: tuple[_StoredKey, ...]) -> tuple[_StoredKey, ...]:
        if len({key.id for key in keys}) < len(keys):
            raise ValueError("a key id stands there twice")
        return keys


@dataclass(frozen=True, slots=True)
class _Key:
    id: str
    secret: bytes = field(repr=False)
    aead: AESGCM = field(repr=False)

    @property
    def header(self) -> bytes:
        """What precedes the nonce: magic, length of the key id, key id."""
        return _MAGIC + bytes([len(self.id)]) + self.id.encode()

    @property
    def check_value(self) -> str:
        """What names the secret without telling it."""
        return _draw(self.secret, b"duenotice/check").hex()


class Keyring:
    """Keys by id, safe to share between threads; implements ``models.columns.Sealer``.

    A sealed value is ``magic (4) | length of key id (1) | key id | nonce (12, random) | ciphertext and tag``. Magic,
    key id and the caller's context are authenticated with it, so a value cannot be moved to another column. Random
    nonces are safe for 2**32 values a key (SP 800-38D, 8.3); rotate well before that.
    """

    def __init__(self, path: Path, keys: tuple[_Key, ...]) -> None:
        self._path = path
        self._keys = {key.id: key for key in keys}
        self._oldest, self._newest = keys[0], keys[-1]
        self._read_at = _changed_at(path)

    def __repr__(self) -> str:
        """Name the keys, never show them."""
        return f"Keyring({', '.join(self.key_ids)})"

    @classmethod
    def load(cls, path: Path) -> Keyring:
        """Read a keyring file.

        Raises:
            ConfigurationError: the file is missing, unreadable, open to every user of the machine, or not a keyring.
        """
        return cls(path, tuple(_usable(stored) for stored in _read(path).keys))

    @classmethod
    def create(cls, path: Path) -> Keyring:
        """Write a new keyring with one new key, readable by its owner only, and load it.

        Raises:
            Refused: there is a file already; losing keys would lose everything sealed under them.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with replacement(path, "keyring") as temporary:
            write_durably(temporary, _written(_KeyringFile(keys=(_new_key(),))))
            try:
                os.link(temporary, path)  # unlike a rename, a link never replaces what is there
            except FileExistsError:
                raise Refused(
                    "There is a keyring already, and a new one could not open what that one sealed.",
                    where=str(path),
                    next_step="Use it, or move it away first.",
                ) from None
        return cls.load(path)

    @classmethod
    def rotate(cls, path: Path) -> Keyring:
        """Add a new key, which seals from now on, and load the keyring; running processes find it when they need it.

        Raises:
            ConfigurationError: the file is not a sound keyring.
            Refused: another rotation is under way.
        """
        with replacement(path, "keyring") as temporary:
            write_durably(temporary, _written(_KeyringFile(keys=(*_read(path).keys, _new_key()))))
            temporary.replace(path)
        return cls.load(path)

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of all keys, from the oldest to the newest."""
        return tuple(self._keys)

    @property
    def sealing_key_id(self) -> str:
        """The id of the key that seals."""
        return self._newest.id

    def current_key_id(self) -> str:
        """The id of the key that seals, also where another process has added it by rotating."""
        changed_at = _changed_at(self._path)
        if changed_at not in (None, self._read_at):
            self._load_again()
            self._read_at = changed_at
        return self.sealing_key_id

    def refuse_known_keys(self) -> None:
        """Refuse a keyring with a key that others know, or can guess: it keeps nothing secret, and proves nothing.

        Raises:
            ConfigurationError: one of the keys stands in a public repository, or was not drawn at random.
        """
        for key in self._keys.values():
            if key.check_value in _PUBLISHED:
                known = "stands in a public repository"
            elif len(set(key.secret)) < _LEAST_DISTINCT:
                known = "was not drawn at random"
            else:
                continue
            raise ConfigurationError(
                f"The key {key.id} of this keyring {known}, so what it seals is open to everybody.",
                where=str(self._path),
                next_step="Make another with `duenotice keyring create`, and begin with an empty database.",
            )

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Encrypt and authenticate ``plain``, binding it to ``context``."""
        key, nonce = self._newest, secrets.token_bytes(_NONCE_BYTES)
        return key.header + nonce + key.aead.encrypt(nonce, plain, key.header + context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return the bytes that were sealed under ``context``.

        Raises:
            IntegrityError: these are not sealed bytes, they were changed, or they were sealed for another context.
            ConfigurationError: the keyring does not hold the key that sealed them.
        """
        id_end = len(_MAGIC) + 1 + sealed[len(_MAGIC)] if len(sealed) > len(_MAGIC) else 0
        nonce_end = id_end + _NONCE_BYTES
        if not sealed.startswith(_MAGIC) or len(sealed) < nonce_end:
            raise IntegrityError("These bytes were not sealed by a keyring, or were cut short.")
        key = self._find(sealed[len(_MAGIC) + 1 : id_end].decode("ascii", errors="replace"))
        try:
            return key.aead.decrypt(sealed[id_end:nonce_end], sealed[nonce_end:], sealed[:id_end] + context)
        except InvalidTag:
            raise IntegrityError(
                "Sealed bytes do not open: they were changed, or were sealed for another place.",
                where=f"key {key.id}",
                next_step="Restore them from a backup, and find out who could write there.",
            ) from None

    def seal_under(self, key: bytes, case: UUID, plain: bytes, context: bytes) -> bytes:
        """Encrypt and authenticate ``plain`` under the key of a case, which this keyring seals in its turn.

        It is ``magic (4) | case (16) | nonce (12, random) | ciphertext and tag``; all before the nonce is
        authenticated.
        """
        header, nonce = _CASE_MAGIC + case.bytes, secrets.token_bytes(_NONCE_BYTES)
        return header + nonce + _aead(key).encrypt(nonce, plain, header + context)

    def open_under(self, key: bytes, sealed: bytes, context: bytes) -> bytes:
        """Return the bytes that were sealed under the key of a case.

        Raises:
            IntegrityError: they were changed, or were sealed for another context or under another key.
        """
        header, rest = sealed[:_CASE_HEADER_BYTES], sealed[_CASE_HEADER_BYTES:]
        try:
            return _aead(key).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], header + context)
        except (InvalidTag, ValueError):
            raise IntegrityError(
                "Sealed bytes do not open: they were changed, or were sealed for another place.",
                where=f"case {UUID(bytes=header[len(_CASE_MAGIC) :])}",
                next_step="Restore them from a backup, and find out who could write there.",
            ) from None

    def case_of(self, sealed: bytes) -> UUID | None:
        """Return the case under whose key bytes were sealed; None for what is the installation's."""
        if not sealed.startswith(_CASE_MAGIC) or len(sealed) < _CASE_HEADER_BYTES:
            return None
        return UUID(bytes=sealed[len(_CASE_MAGIC) : _CASE_HEADER_BYTES])

    def derive(self, purpose: bytes) -> bytes:
        """Return 32 bytes that only this keyring gives for this purpose, for signing sessions and keying digests.

        They come from the oldest key, so that rotating leaves them, and the digests made with them, as they are.
        """
        return _draw(self._oldest.secret, b"duenotice/derive/" + purpose)

    def _find(self, key_id: str) -> _Key:
        """Return a key, looking into the file again for one that another process has added by rotating."""
        if key_id not in self._keys and self._path.exists():
            self._load_again()
        try:
            return self._keys[key_id]
        except KeyError:
            raise ConfigurationError(
                f"Something was sealed under the key {key_id!r}, which the keyring does not hold.",
                where=str(self._path),
                next_step="Put that key back into the keyring from its backup.",
            ) from None

    def _load_again(self) -> None:
        fresh = Keyring.load(self._path)
        self._keys, self._newest = fresh._keys, fresh._newest


@lru_cache(maxsize=64)
def _aead(key: bytes) -> AESGCM:
    """What seals under the key of a case."""
    return AESGCM(key)


def _changed_at(path: Path) -> int | None:
    """When the file was last written (nanoseconds since 1970), or None if it is gone: its keys are in memory still."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _draw(secret: bytes, label: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=label).derive(secret)


def _usable(stored: _StoredKey) -> _Key:
    return _Key(stored.id, stored.secret, AESGCM(_draw(stored.secret, b"duenotice/seal")))


def _new_key() -> _StoredKey:
    now = datetime.now(UTC).replace(microsecond=0)
    return _StoredKey(
        id=f"{now:%Y%m%d}-{secrets.token_hex(4)}", created_at=now, secret=secrets.token_bytes(_SECRET_BYTES)
    )


def _read(path: Path) -> _KeyringFile:
    return read_keys(
        path,
        _KeyringFile,
        "keyring",
        make="Restore it from its backup. Where nothing is stored yet, make one: `duenotice keyring create`.",
        restore="Restore it from its backup.",
    )


def _written(content: _KeyringFile) -> str:
    return content.model_dump_json(indent=2) + "\n"
