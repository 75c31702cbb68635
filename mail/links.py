"""The link that each notice carries: whoever holds it may read and answer that notice, without an account.

A token is the notice's id, the generation of its link, and half of the HMAC-SHA256 of both (RFC 2104, section 5), in
URL-safe base64 (RFC 4648, section 5). The key alone makes tokens and tells them from others; which generation is good
is kept with the notice, so that a link can be replaced and taken back (``records.links``).
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import SMTP
from uuid import UUID

LINK_PURPOSE = b"notice-link"
"""What ``config.keyring.Keyring.derive`` is asked for to get the key of these tokens."""

LINK_FOLDER = "/n/"
"""Where the site answers such links; what follows is as good as a password, so no log may hold it."""

LAST_GENERATION = 2**16 - 1

_ID_BYTES = 16
_GENERATION_BYTES = 2
_MAC_BYTES = 16
_NOBODYS = "the-link-of-whoever-is-told"
_LINK = re.compile(re.escape(LINK_FOLDER) + r"[A-Za-z0-9_-]{46}(?![A-Za-z0-9_-])")


@dataclass(frozen=True)
class LinkOfNotice:
    """Which link somebody holds: that of a notice, in one of its generations; the first is 1."""

    notice_id: UUID
    generation: int


def notice_link(public_url: str, key: bytes, notice_id: UUID, generation: int) -> str:
    """The address of a notice's own page, under the origin that its readers reach."""
    return f"{public_url}{LINK_FOLDER}{notice_token(key, notice_id, generation)}"


def shown_link(public_url: str) -> str:
    """What stands where a notice's link would, in what an officer reads: it leads to no notice.

    Whoever holds the real one answers as the party told.
    """
    return f"{public_url}{LINK_FOLDER}{_NOBODYS}"


def without_links(text: str) -> str:
    """Return a text with each link of a notice replaced by one that leads nowhere."""
    return _LINK.sub(f"{LINK_FOLDER}{_NOBODYS}", text)


def message_without_links(stored: bytes) -> bytes:
    """A message (RFC 5322) with its headers as they were sent, and with no link on which its reader answers."""
    message = message_from_bytes(stored, policy=SMTP)
    for part in message.walk():
        if part.get_content_maintype() == "text":
            text = without_links(str(part.get_content()))
            part.set_content(text, subtype=part.get_content_subtype(), cte="quoted-printable")
    return message.as_bytes()


def notice_token(key: bytes, notice_id: UUID, generation: int) -> str:
    """The token of a notice: 46 characters that are safe in an address."""
    named = notice_id.bytes + generation.to_bytes(_GENERATION_BYTES, "big")
    mac = hmac.digest(key, b"notice:" + named, "sha256")[:_MAC_BYTES]
    return urlsafe_b64encode(named + mac).decode().rstrip("=")


def read_notice_token(key: bytes, token: str) -> LinkOfNotice | None:
    """The link that a token is, or None if this key did not make it."""
    try:
        plain = urlsafe_b64decode(f"{token}==")
        notice_id = UUID(bytes=plain[:_ID_BYTES])
    except (NotBase64, ValueError):
        return None
    generation = int.from_bytes(plain[_ID_BYTES : _ID_BYTES + _GENERATION_BYTES], "big")
    # The whole text is compared: base64 has several spellings of the same bytes.
    made = notice_token(key, notice_id, generation)
    return LinkOfNotice(notice_id, generation) if hmac.compare_digest(token.encode(), made.encode()) else None
