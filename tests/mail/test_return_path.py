"""Only who was sent a message can say that it came back: its return path names it under a MAC."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import LONGEST_RETURN_NAME
from mail.facts import checked_address
from mail.return_path import AttemptNamed, ReturnPath, looks_like_one

PATH = ReturnPath("bounces@example.test", bytes(32))


@given(st.uuids(), st.integers(1, 2**16 - 1))
def test_a_return_path_is_read_as_what_it_was_made_for_whatever_a_relay_does_to_its_letters(
    delivery_id: UUID, attempt: int
) -> None:
    made = PATH.of(delivery_id, attempt)
    for seen in (made, made.upper(), made.swapcase(), f"<{made}>", f"rfc822;{made}", PATH.token(delivery_id, attempt)):
        assert PATH.read(["somebody@example.org", seen]) == AttemptNamed(delivery_id, attempt)


@given(st.uuids(), st.integers(1, 2**16 - 1))
def test_its_local_part_fits_and_every_server_takes_it(delivery_id: UUID, attempt: int) -> None:
    """RFC 5321, 4.5.3.1.1: at most 64 octets."""
    longest = ReturnPath(f"{'b' * LONGEST_RETURN_NAME}@example.test", bytes(32)).of(delivery_id, attempt)
    assert len(longest.partition("@")[0]) == 64
    assert checked_address(longest) == longest


@given(st.uuids(), st.integers(0, 47), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_token_with_another_letter_is_nobodys(delivery_id: UUID, place: int, letter: str) -> None:
    token = PATH.token(delivery_id, 1)
    forged = token[:place] + letter + token[place + 1 :]
    if forged != token:
        assert PATH.read([f"bounces+{forged}@example.test"]) is None
        assert looks_like_one([f"bounces+{forged}@example.test"])


@pytest.mark.parametrize("said", ["", "bounces@example.test", "a" * 48, "é" * 48, "a" * 10_000])
def test_what_holds_no_good_token_is_nobodys(said: str) -> None:
    assert PATH.read([said]) is None


def test_another_installation_reads_nothing_in_it() -> None:
    made = PATH.of(UUID(int=1), 1)
    assert ReturnPath(PATH.address, bytes([1] * 32)).read([made]) is None
