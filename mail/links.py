"""The link that each notice carries: whoever holds it may read and answer that notice, without an account.

A token is the notice's id and half of its HMAC-SHA256 (RFC 2104, section 5), in URL-safe base64 (RFC 4648, section 5).
Nothing is stored: the key alone makes tokens and tells them from others.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from hashlib import sha256
from uuid import UUID

LINK_PURPOSE = b"notice-link"
"""What ``config.keyring.Keyring.derive`` is asked for to get the key of these tokens."""

LINK_FOLDER = "/n/"
"""Where the site answers such links; what follows is as good as a password, so no log may hold it."""

_ID_BYTES = 16
_MAC_BYTES = 16
_NOBODYS = "the-link-of-whoever-is-told"
_LINK = re.compile(re.escape(LINK_FOLDER) + r"[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")


def notice_link(public_url: str, key: bytes, notice_id: UUID) -> str:
    """The address of a notice's own page, under the origin that its readers reach."""
    return f"{public_url}{LINK_FOLDER}{notice_token(key, notice_id)}"


def shown_link(public_url: str) -> str:
    """What stands where a notice's link would, in what an officer reads: it leads to no notice.

    Whoever holds the real one answers as the party told.
    """
    return f"{public_url}{LINK_FOLDER}{_NOBODYS}"


def without_links(text: str) -> str:
    """Return a text with each link of a notice replaced by one that leads nowhere."""
    return _LINK.sub(f"{LINK_FOLDER}{_NOBODYS}", text)


def notice_token(key: bytes, notice_id: UUID) -> str:
    """The token of a notice: 43 characters that are safe in an address."""
    mac = hmac.new(key, b"notice:" + notice_id.bytes, sha256).digest()[:_MAC_BYTES]
    return urlsafe_b64encode(notice_id.bytes + mac).decode().rstrip("=")


def read_notice_token(key: bytes, token: str) -> UUID | None:
    """The notice that a token is for, or None if this key did not make it."""
    try:
        notice_id = UUID(bytes=urlsafe_b64decode(token + "=")[:_ID_BYTES])
    except (NotBase64, ValueError):
        return None
    # The whole text is compared: base64 has several spellings of the same bytes.
    return notice_id if hmac.compare_digest(token.encode(), notice_token(key, notice_id).encode()) else None
