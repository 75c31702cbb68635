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
import json
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from json.encoder import encode_basestring
from typing import Any, NamedTuple, TypedDict, cast
from uuid import UUID

import rfc8785

GENESIS = hashlib.sha256(b"duenotice ledger 1").hexdigest()
"""The ``previous_hash`` of entry 1; it names this description's version."""


LONGEST_ENTRY = 65_535
"""How many bytes an entry may have: what C2SP tlog-tiles can write of its length."""


class Envelope(TypedDict):
    """What an entry's hash covers, besides its particulars and the artifacts that it points to.

    ``at`` is when it happened, and ``recorded_at`` when it was written here, by the clock of the machine that did.
    """

    number: int
    previous_hash: str
    at: datetime
    case_id: UUID | None
    kind: str
    subject: str | None
    actor: str
    key: str
    recorded_at: datetime
    salt: str


class Fields(Envelope):
    """What an entry's hash covers: every column of the evidence table but the hash, and what is made of the key."""

    body: dict[str, Any]
    artifacts: list[str]


_SALT_BYTES = 16


def new_salts(count: int) -> list[str]:
    """Random salts, one for each of so many entries: 128 bits, as 32 lower-case hexadecimal digits."""
    drawn, digits = secrets.token_hex(_SALT_BYTES * count), 2 * _SALT_BYTES
    return [drawn[start : start + digits] for start in range(0, len(drawn), digits)]


def entry_bytes(fields: Fields) -> bytes:
    """Write an entry with these fields as canonical JSON (RFC 8785).

    Raises:
        ValueError: the body is not JSON that RFC 8785 can write.
    """
    known = written_unchained(
        actor=fields["actor"],
        artifacts=canonical(fields["artifacts"]),
        at=fields["at"],
        body=canonical(fields["body"]),
        case_id=fields["case_id"],
        key=fields["key"],
        kind=fields["kind"],
        subject=fields["subject"],
    )
    recorded_at = written_instant(fields["recorded_at"])
    return written_chained(known, fields["number"], fields["previous_hash"], recorded_at, fields["salt"])


class Unchained(NamedTuple):
    """An entry as canonical JSON, less what it gets once it is chained: what stands before that, and after it.

    Members stand in the order of their names: up to ``kind`` all are known before, and so is ``subject``, the last.
    """

    before: str
    subject: str


def written_unchained(
    *,
    actor: str,
    artifacts: str,
    at: datetime,
    body: str,
    case_id: UUID | None,
    key: str,
    kind: str,
    subject: str | None,
) -> Unchained:
    """Write what is known of an entry before it is chained; its artifacts and its body are canonical JSON already."""
    text = encode_basestring
    of_case = "null" if case_id is None else text(str(case_id))
    before = (
        f'{{"actor":{text(actor)},"artifacts":{artifacts},"at":"{written_instant(at)}",'
        f'"body":{body},"case_id":{of_case},'
        f'"key":{text(key)},"kind":{text(kind)},"number":'
    )
    return Unchained(before, "null" if subject is None else text(subject))


def written_chained(entry: Unchained, number: int, previous_hash: str, recorded_at: str, salt: str) -> bytes:
    """Write an entry whole: the same bytes as ``entry_bytes`` gives for its fields.

    Raises:
        ValueError: a text is none that UTF-8 can write.
    """
    return (
        f'{entry.before}{number:d},"previous_hash":{encode_basestring(previous_hash)},"recorded_at":"{recorded_at}",'
        f'"salt":{encode_basestring(salt)},"subject":{entry.subject}}}'
    ).encode()


_ENCODER = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
_LARGEST_NUMBER = 2**53 - 1


def canonical(value: object) -> str:
    """Write a value as canonical JSON (RFC 8785).

    Python's own encoder, which is written in C, writes the same where there is nothing in which the two differ; else
    the library does.

    Raises:
        ValueError: it is not JSON that RFC 8785 can write.
    """
    plain = plainly_written(value)
    return rfc8785.dumps(cast("Any", value)).decode() if plain is None else plain


def written_texts(texts: Iterable[str]) -> str:
    """Write a list of texts as canonical JSON."""
    return f"[{','.join(map(encode_basestring, texts))}]"


def plainly_written(value: object) -> str | None:
    """Write a value as canonical JSON in which the same values are read again; None where one might become another.

    A fraction becomes a whole number, and a large one may become one that RFC 8785 does not take.
    """
    return _ENCODER.encode(value) if _is_plain(value) else None


def _is_plain(value: object) -> bool:
    """Whether it has no fractions, no large numbers and no names whose order depends on how they are encoded."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if isinstance(value, int) and kind is int:
        return -_LARGEST_NUMBER <= value <= _LARGEST_NUMBER
    if isinstance(value, dict) and kind is dict:
        for name, member in value.items():  # a loop, since this is asked of each entry and `all` takes twice as long
            if type(name) is not str or not name.isascii() or not _is_plain(member):
                return False
        return True
    if isinstance(value, list) and kind is list:
        return all(map(_is_plain, value))
    return False


def key_digest(key: str) -> bytes:
    """By what an entry is found that has a key: the first 128 bits of its SHA-256, which no two keys share.

    Raises:
        ValueError: the key is none that UTF-8 can write.
    """
    return hashlib.sha256(key.encode()).digest()[:16]


def entry_hash(fields: Fields) -> str:
    """Return the hash of an entry with these fields, as 64 lower-case hexadecimal digits.

    Raises:
        ValueError: the body is not JSON that RFC 8785 can write.
    """
    return hashlib.sha256(entry_bytes(fields)).hexdigest()


def written_instant(at: datetime) -> str:
    """Write an instant as the chain does: UTC, with microseconds and ``Z``."""
    return f"{at.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"
