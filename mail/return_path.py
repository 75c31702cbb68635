"""The return path of each notice: where what comes back names the delivery that it is about, under a MAC of ours.

A variable envelope return path: ``bounces+TOKEN@example.org``. The token is a delivery's id, which attempt it was, and
part of the HMAC-SHA256 of both (RFC 2104, section 5), in base 32 (RFC 4648, section 6), since a relay may change the
case of letters. So nobody who has not had that very message can say that it came back. The same token is the message's
envelope id (ENVID, RFC 3461, 4.4), which a delivery status notification repeats.
"""

from __future__ import annotations

import hmac
import re
from base64 import b32decode, b32encode
from binascii import Error as NotBase32
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

RETURN_PATH_PURPOSE = b"return-path"
"""What ``config.keyring.Keyring.derive`` is asked for to get the key of these tokens."""

_ID_BYTES = 16
_ATTEMPT_BYTES = 2
_MAC_BYTES = 12
_TOKEN = re.compile(r"[a-z2-7]{48}")


@dataclass(frozen=True)
class AttemptNamed:
    """Which attempt to deliver a return path is of; the first is 1."""

    delivery_id: UUID
    attempt: int


@dataclass(frozen=True)
class ReturnPath:
    """Makes and reads return paths under one address, such as ``bounces@example.org``."""

    address: str
    key: bytes = field(repr=False)

    def of(self, delivery_id: UUID, attempt: int) -> str:
        """The envelope sender of an attempt: an address at which what comes back names it."""
        return self.with_token(self.token(delivery_id, attempt))

    def with_token(self, token: str) -> str:
        """The envelope sender that holds a token."""
        local, _, domain = self.address.partition("@")
        return f"{local}+{token}@{domain}"

    def token(self, delivery_id: UUID, attempt: int) -> str:
        """What names an attempt: 48 characters that survive every relay."""
        named = delivery_id.bytes + attempt.to_bytes(_ATTEMPT_BYTES, "big")
        mac = hmac.new(self.key, b"return-path:" + named, sha256).digest()[:_MAC_BYTES]
        return b32encode(named + mac).decode().lower()

    def read(self, said: Iterable[str]) -> AttemptNamed | None:
        """The attempt that the first good token among some addresses and envelope ids names; None if there is none."""
        for text in said:
            for token in _TOKEN.findall(text.lower()):
                if (found := self._attempt(token)) is not None:
                    return found
        return None

    def _attempt(self, token: str) -> AttemptNamed | None:
        try:
            plain = b32decode(token.upper())
        except NotBase32:
            return None
        found = AttemptNamed(UUID(bytes=plain[:_ID_BYTES]), int.from_bytes(plain[_ID_BYTES:-_MAC_BYTES], "big"))
        made = self.token(found.delivery_id, found.attempt)
        return found if hmac.compare_digest(token.encode(), made.encode()) else None


def looks_like_one(said: Iterable[str]) -> bool:
    """Whether any of some addresses has what looks like a token, whoever made it."""
    return any(_TOKEN.search(text.lower()) for text in said)
