"""The token in a notice's link: the right key reads it, and nothing else makes one."""

from __future__ import annotations

from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from mail.links import LAST_GENERATION, LinkOfNotice, notice_link, notice_token, read_notice_token

KEY = b"k" * 32
NOTICE = UUID("2f1de0b4-7a2b-5c1f-8f33-b6f4f0a4a0d1")
TOKEN = notice_token(KEY, NOTICE, 1)


def test_a_token_leads_to_its_notice_and_fits_into_an_address() -> None:
    links = [LinkOfNotice(uuid4(), generation) for generation in (*range(1, 50), LAST_GENERATION)]
    tokens = [notice_token(KEY, link.notice_id, link.generation) for link in links]
    assert [read_notice_token(KEY, token) for token in tokens] == links
    assert [quote(token, safe="") for token in tokens] == tokens


def test_the_same_notice_always_has_the_same_link_in_a_generation() -> None:
    for _ in range(2):
        assert notice_link("https://notices.example.org", KEY, NOTICE, 1) == f"https://notices.example.org/n/{TOKEN}"
    assert notice_token(KEY, NOTICE, 2) != TOKEN


@pytest.mark.parametrize("place", range(len(TOKEN)))
def test_a_token_with_any_character_changed_leads_nowhere(place: int) -> None:
    other = "A" if TOKEN[place] != "A" else "B"
    assert read_notice_token(KEY, TOKEN[:place] + other + TOKEN[place + 1 :]) is None


@pytest.mark.parametrize(
    "token",
    ["", "=", "x", TOKEN[:-1], TOKEN + "A", TOKEN + "=", f"{TOKEN} ", "ü" * 46, "A" * 46, str(NOTICE), "A" * 100_000],
)
def test_what_is_no_token_leads_nowhere(token: str) -> None:
    assert read_notice_token(KEY, token) is None


def test_a_token_of_another_installation_leads_nowhere() -> None:
    assert read_notice_token(b"o" * 32, TOKEN) is None
