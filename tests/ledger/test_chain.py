"""What an entry's hash is of: canonical JSON, written fast and to the letter as RFC 8785 asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain import (
    Fields,
    canonical,
    entry_bytes,
    new_salts,
    written_chained,
    written_instant,
    written_texts,
    written_unchained,
)

NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ZONES = st.builds(timezone, st.timedeltas(timedelta(hours=-12), timedelta(hours=14)))
INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=ZONES)


@settings(max_examples=200)
@given(JSON)
def test_it_is_what_another_implementation_writes(value: object) -> None:
    assert canonical(value).encode() == rfc8785.dumps(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
        ({"\U0001f600": 1, "\ufb33": 2}, '{"\U0001f600":1,"\ufb33":2}'),  # in the order of UTF-16, RFC 8785, 3.2.3
        ('\x00\x1f\x7f\u2028"\\/\b\t\n\f\r\u00e9', '"\\u0000\\u001f\x7f\u2028\\"\\\\/\\b\\t\\n\\f\\r\u00e9"'),
        ([1.0, -0.0, 1e21, 0.1], "[1,0,1e+21,0.1]"),
    ],
)
def test_what_the_standard_says_of_order_letters_and_numbers(value: object, written: str) -> None:
    assert canonical(value) == written


@pytest.mark.parametrize(
    "value", [2**53, -(2**53), {"a": [2**60]}, float("nan"), {"a": float("inf")}, {1: 2}, {"a": {3}}]
)
def test_what_it_cannot_write_is_refused(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011, the words are those of whoever refuses it
        canonical(value)


@settings(max_examples=100)
@given(
    actor=st.text(),
    artifacts=st.lists(st.text("0123456789abcdef", min_size=64, max_size=64), max_size=2),
    at=INSTANTS,
    body=st.dictionaries(st.text(), JSON, max_size=3),
    case_id=st.none() | st.uuids(),
    key=st.text(),
    kind=st.text(),
    subject=st.none() | st.text(),
)
def test_an_entry_is_what_another_implementation_writes_in_one_step_or_two(
    actor: str,
    artifacts: list[str],
    at: datetime,
    body: dict[str, Any],
    case_id: UUID | None,
    key: str,
    kind: str,
    subject: str | None,
) -> None:
    [salt] = new_salts(1)
    recorded_at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    known = {"actor": actor, "artifacts": artifacts, "body": body, "case_id": case_id, "key": key, "kind": kind}
    json = {"artifacts": written_texts(artifacts), "body": canonical(body)}
    unchained = written_unchained(**known | json, at=at, subject=subject)  # type: ignore[arg-type]
    chained = {"number": 7, "previous_hash": "f" * 64, "recorded_at": recorded_at, "salt": salt}
    fields: Fields = {**known, **chained, "at": at, "subject": subject}  # type: ignore[typeddict-item]
    texts = {
        "at": written_instant(at),
        "recorded_at": written_instant(recorded_at),
        "case_id": case_id and str(case_id),
    }
    written = written_chained(unchained, 7, "f" * 64, written_instant(recorded_at), salt)
    assert written == entry_bytes(fields) == rfc8785.dumps({**fields, **texts})  # type: ignore[dict-item]


def test_each_salt_is_another_and_has_128_bits() -> None:
    salts = new_salts(500)
    assert len(set(salts)) == 500
    assert all(len(bytes.fromhex(salt)) == 16 for salt in salts)


@pytest.mark.parametrize("other", ["", {}, None, ["a", 1], "ab"])
def test_artifacts_that_are_no_list_of_texts_are_not_taken_for_one(other: Any) -> None:
    """Somebody could write anything into a column."""
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    rest: Any = {"actor": "a", "at": at, "body": {}, "case_id": None, "key": "k", "kind": "k", "subject": None}
    rest |= {"number": 1, "previous_hash": "f" * 64, "recorded_at": at, "salt": "0" * 32}
    sound = [entry_bytes(rest | {"artifacts": artifacts}) for artifacts in ([], ["a", "b"])]
    assert entry_bytes(rest | {"artifacts": other}) not in sound
