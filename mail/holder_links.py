"""The links by which a holder of data confirms its disposal, without an account: one for each thing that it is asked.

A token is an HMAC-SHA256 (RFC 2104) of what the holder is asked and of the link's number, in URL-safe base64 (RFC 4648,
section 5). SQL keeps its SHA-256 and when it expires: neither the database nor a guess gives a link, and the next
number is another link. A vendor that is asked several things has one more link, to all of them.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from uuid import UUID

HOLDER_FOLDER = "/h/"
"""Where the site answers such links; what follows is as good as a password, so no log may hold it."""

VENDOR_FOLDER = f"{HOLDER_FOLDER}all/"
"""Where the site answers the link to all that one vendor is asked."""

NOBODYS = "the-link-of-the-holder-alone"
"""What stands where a token would, in what others than its holder read."""


def holder_token(key: bytes, task_id: UUID, number: int) -> str:
    """The token of the link of this number to what a holder is asked: 43 characters that are safe in an address."""
    return numbered_token(key, b"holder:", task_id, number)


def vendor_id(key: bytes, email: str) -> UUID:
    """What SQL knows the vendor of an address by: who has not the key cannot tell it from an address."""
    return UUID(bytes=hmac.new(key, b"vendor-address:" + email.casefold().encode(), sha256).digest()[:16])


def vendor_token(key: bytes, vendor: UUID, number: int) -> str:
    """The token of the link of this number to all that a vendor is asked."""
    return numbered_token(key, b"vendor:", vendor, number)


def vendor_link(public_url: str, token: str) -> str:
    """The address of a vendor's token, under the origin that its readers reach."""
    return f"{public_url}{VENDOR_FOLDER}{token}"


def holder_link(public_url: str, token: str) -> str:
    """The address of a token, under the origin that its readers reach."""
    return f"{public_url}{HOLDER_FOLDER}{token}"


def numbered_token(key: bytes, purpose: bytes, of: UUID, number: int) -> str:
    """The token of the link of this number to one thing; another purpose, or number, makes another token."""
    mac = hmac.new(key, purpose + of.bytes + number.to_bytes(4, "big"), sha256).digest()
    return urlsafe_b64encode(mac).decode().rstrip("=")


def digest_of(token: str) -> str:
    """What SQL knows a token by."""
    return sha256(token.encode()).hexdigest()
