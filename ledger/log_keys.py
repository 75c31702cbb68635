"""The keys that sign the ledger's heads and the statements about bundles: Ed25519 (RFC 8032), in a file of their own.

They are apart from the keyring on purpose: whoever has the database and the keyring can write another ledger, and still
not sign its head. The file is read each time something is signed, so that a key that was added signs at once.

While a key changes hands, two sign: the new one, and the old one until its time is over. What was signed with an old
key stays valid; its secret is taken out of the file when the keys are rotated the next time.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from config.key_files import read_keys, replacement, write_durably
from ledger.verify_bundle import VerifierKey
from models.errors import ConfigurationError, Refused

OVERLAP = timedelta(days=30)
"""How long an old key goes on signing beside the new one, unless another time is given."""

_WHAT = "key of the ledger's heads"


class _StoredKey(BaseModel):
    """One key as the file holds it: its halves, the secret one only while it may sign."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    public: bytes = Field(min_length=32, max_length=32)
    secret: bytes | None = Field(default=None, min_length=32, max_length=32, repr=False)
    valid_from: AwareDatetime
    valid_until: AwareDatetime | None = None


class _File(BaseModel):
    """The file: the log's name, and its keys from the oldest to the newest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["duenotice-log-key/1"] = "duenotice-log-key/1"
    origin: str = Field(pattern=r"^[^\s+]+$")
    keys: tuple[_StoredKey, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Signer:
    """A key that may sign at this moment."""

    key: VerifierKey
    secret: Ed25519PrivateKey


@dataclass(frozen=True)
class LogKeys:
    """The keys of one log, as the file held them at one moment.

    Attributes:
        origin: the log's name, the first line of its heads.
        keys: all of its keys with their validity, from the oldest to the newest.
    """

    origin: str
    keys: tuple[VerifierKey, ...]
    _secrets: tuple[Ed25519PrivateKey | None, ...]

    def __repr__(self) -> str:
        """Name the log, never show a secret."""
        return f"LogKeys({self.origin})"

    def signers(self, at: datetime) -> tuple[Signer, ...]:
        """Those that sign at an instant, the newest last.

        Raises:
            ConfigurationError: there is none.
        """
        pairs = zip(self.keys, self._secrets, strict=True)
        found = tuple(Signer(key, secret) for key, secret in pairs if secret is not None and key.is_valid(at))
        if not found:
            raise ConfigurationError(
                f"No {_WHAT} is valid at this moment.",
                where=self.origin,
                next_step="Add one: `duenotice evidence rotate-key`.",
            )
        return found

    def vkeys(self) -> str:
        """All keys as a bundle has them: each on a line, after one that says from when to when it signs."""
        return "".join(f"{line}\n" for key in self.keys for line in (_validity(key), key.text))


def _validity(key: VerifierKey) -> str:
    since = key.valid_from.isoformat() if key.valid_from else "?"
    return f"# from {since}" + (f" until {key.valid_until.isoformat()}" if key.valid_until else "")


def load_log_keys(path: Path) -> LogKeys:
    """Read a file of log keys.

    Raises:
        ConfigurationError: it is missing, unreadable, open to every user of the machine, or no such file.
    """
    file = _read(path)
    return LogKeys(
        file.origin,
        tuple(VerifierKey(file.origin, key.public, key.valid_from, key.valid_until) for key in file.keys),
        tuple(Ed25519PrivateKey.from_private_bytes(key.secret) if key.secret else None for key in file.keys),
    )


def create_log_key(path: Path, host: str, now: datetime) -> LogKeys:
    """Write a file with one new key for a new log, readable by its owner only.

    Args:
        path: where to.
        host: what the log's name begins with: the host, and the port, of the installation.
        now: from when on it signs.

    Raises:
        Refused: there is a file already; another key in its place would make the same ledger another log.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    origin = f"{host}/duenotice/{secrets.token_hex(4)}"
    with replacement(path, _WHAT) as temporary:
        write_durably(temporary, _written(origin, [_new_key(now)]))
        try:
            os.link(temporary, path)  # unlike a rename, a link never replaces what is there
        except FileExistsError:
            raise Refused(
                "There is a key already, and heads signed with another would be those of another log.",
                where=str(path),
                next_step="Use it; `duenotice evidence rotate-key` adds a newer one to it.",
            ) from None
    return load_log_keys(path)


def rotate_log_key(path: Path, now: datetime, overlap: timedelta = OVERLAP) -> LogKeys:
    """Add a new key; the one before signs beside it for ``overlap`` longer. Secrets whose time is over are taken out.

    Raises:
        ConfigurationError: the file is not a sound one.
        Refused: another rotation is under way.
    """
    with replacement(path, _WHAT) as temporary:
        file = _read(path)
        until = _to_the_second(now + overlap)
        kept = [_ending(key, until, now) for key in file.keys]
        write_durably(temporary, _written(file.origin, [*kept, _new_key(now)]))
        temporary.replace(path)
    return load_log_keys(path)


def _ending(key: _StoredKey, until: datetime, now: datetime) -> _StoredKey:
    ends = until if key.valid_until is None else min(key.valid_until, until)
    return key.model_copy(update={"valid_until": ends, "secret": key.secret if ends > now else None})


def _new_key(now: datetime) -> _StoredKey:
    secret = Ed25519PrivateKey.generate()
    return _StoredKey(
        public=secret.public_key().public_bytes_raw(), secret=secret.private_bytes_raw(), valid_from=_to_the_second(now)
    )


def _to_the_second(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)


def _written(origin: str, keys: Iterable[_StoredKey]) -> str:
    return _File(origin=origin, keys=tuple(keys)).model_dump_json(indent=2) + "\n"


def _read(path: Path) -> _File:
    return read_keys(
        path,
        _File,
        _WHAT,
        make="Restore it from its copy, or make one: `duenotice evidence make-key`, or `duenotice up`.",
        restore="Restore it from its copy.",
    )
