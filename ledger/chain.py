"""How entries are chained: the one place that says what an entry's hash covers.

An entry's hash is the SHA-256 (FIPS 180-4) of the canonical JSON (RFC 8785) of an object with all its other fields:
``actor, artifacts, at, body, case_id, key, kind, number, previous_hash, recorded_at, salt, subject``. Instants are UTC,
written ``2026-01-31T23:59:59.000000Z``; ids are hyphenated lower-case UUIDs; a missing value is ``null``. Anyone can
check a chain from this description, without this code.

The same bytes are what leaves in a bundle, and what the leaves of the Merkle tree are made of (``ledger/tree.py``). The
random ``salt`` keeps whoever sees a hash, and not the entry, from guessing what it is of.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime
from typing import Any, TypedDict, cast
from uuid import UUID

import rfc8785

GENESIS = hashlib.sha256(b"duenotice ledger 1").hexdigest()
"""The ``previous_hash`` of entry 1; it names this description's version."""


LONGEST_ENTRY = 65_535
"""How many bytes an entry may have: what C2SP tlog-tiles can write of its length."""


class Fields(TypedDict):
    """What an entry's hash covers: every column of the evidence table but the hash itself.

    ``at`` is when it happened, and ``recorded_at`` when it was written here, by the clock of the machine that did.
    """

    number: int
    previous_hash: str
    at: datetime
    case_id: UUID | None
    kind: str
    subject: str | None
    actor: str
    body: dict[str, Any]
    artifacts: list[str]
    key: str
    recorded_at: datetime
    salt: str


def new_salt() -> str:
    """A random salt for one entry: 128 bits, as 32 lower-case hexadecimal digits."""
    return secrets.token_hex(16)


def entry_bytes(fields: Fields) -> bytes:
    """Write an entry with these fields as canonical JSON (RFC 8785).

    Raises:
        ValueError: the body is not JSON that RFC 8785 can write.
    """
    written = {
        **fields,
        "at": written_instant(fields["at"]),
        "recorded_at": written_instant(fields["recorded_at"]),
        "case_id": None if fields["case_id"] is None else str(fields["case_id"]),
    }
    # The library's own type for JSON is too narrow to be written from outside; it checks every value itself.
    return rfc8785.dumps(cast("Any", written))


def entry_hash(fields: Fields) -> str:
    """Return the hash of an entry with these fields, as 64 lower-case hexadecimal digits.

    Raises:
        ValueError: the body is not JSON that RFC 8785 can write.
    """
    return hashlib.sha256(entry_bytes(fields)).hexdigest()


def written_instant(at: datetime) -> str:
    """Write an instant as the chain does: UTC, with microseconds and ``Z``."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
