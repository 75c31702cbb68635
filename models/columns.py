"""Column types: instants that keep their zone, and personal data that is sealed before it reaches the disk."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import DateTime, LargeBinary
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from models.errors import ConfigurationError


class Sealer(Protocol):
    """What seals and opens stored bytes; ``context`` names the column and is authenticated with them."""

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Return ``plain`` encrypted and authenticated."""

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return the bytes that were sealed, or raise ``IntegrityError``."""

    def derive(self, purpose: bytes) -> bytes:
        """Return a key that is this installation's alone for this purpose, and stays the same."""


_sealers: list[Sealer] = []


def bind_sealer(sealer: Sealer) -> None:
    """Set the sealer that every sealed column of this process uses (called once, when the database is opened)."""
    _sealers[:] = [sealer]


def _sealer() -> Sealer:
    if not _sealers:
        raise ConfigurationError(
            "No keyring is bound, so sealed columns can be neither read nor written.",
            next_step="Open the database through config.database.Database.",
        )
    return _sealers[0]


def lookup_key(name: str, context: str) -> str:
    """Name what is sealed, so that rows about the same are found without being opened: an HMAC of the name's letters.

    Nobody without the keyring can tell whose it is. ``context`` keeps the keys of different columns apart.
    """
    key = _sealer().derive(f"lookup {context}".encode())
    return hmac.new(key, " ".join(name.casefold().split()).encode(), hashlib.sha256).hexdigest()


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: stored in UTC, returned with its zone; one without a zone is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; raise ``ValueError`` for an instant without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the instant in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class SealedBytes(TypeDecorator[bytes]):
    """Bytes encrypted at rest; ``context`` binds them to their column, so that rows cannot be swapped across."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, context: str) -> None:
        super().__init__()
        self.context = context

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """Seal on the way in."""
        return None if value is None else _sealer().seal(value, self.context.encode())

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """Open on the way out."""
        return None if value is None else _sealer().open(value, self.context.encode())


class SealedText(TypeDecorator[str]):
    """Text encrypted at rest, bound to its column like ``SealedBytes``."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, context: str) -> None:
        super().__init__()
        self.context = context

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """Seal on the way in."""
        return None if value is None else _sealer().seal(value.encode(), self.context.encode())

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        """Open on the way out."""
        return None if value is None else _sealer().open(value, self.context.encode()).decode()
