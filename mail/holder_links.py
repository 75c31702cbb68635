"""The link by which a holder of data confirms its disposal, without an account.

A token is an HMAC-SHA256 (RFC 2104) of what the holder is asked and of the link's number, in URL-safe base64 (RFC 4648,
section 5). SQL keeps its SHA-256 and when it expires: neither the database nor a guess gives a link, and the next
number is another link.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from uuid import UUID

HOLDER_FOLDER = "/h/"
"""Where the site answers such links; what follows is as good as a password, so no log may hold it."""

NOBODYS = "the-link-of-the-holder-alone"
"""What stands where a token would, in what others than its holder read."""


def holder_token(key: bytes, task_id: UUID, number: int) -> str:
    """The token of the link of this number to what a holder is asked: 43 characters that are safe in an address."""
    return numbered_token(key, b"holder:", task_id, number)


def numbered_token(key: bytes, purpose: bytes, about: UUID, number: int) -> str:
    """The token of the link of this number to one thing; another purpose, or number, makes another token."""
    mac = hmac.new(key, purpose + about.bytes + number.to_bytes(4, "big"), sha256).digest()
    return urlsafe_b64encode(mac).decode().rstrip("=")


def holder_link(public_url: str, token: str) -> str:
    """The address of a token, under the origin that its readers reach."""
    return f"{public_url}{HOLDER_FOLDER}{token}"


def digest_of(token: str) -> str:
    """What SQL knows a token by."""
    return sha256(token.encode()).hexdigest()
