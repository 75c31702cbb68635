"""Signing a message in the name of its sender's domain (DKIM: RFC 6376, with the algorithms of RFC 8301 and RFC 8463).

The mail server usually signs. Where the engine does, it signs as a message leaves; the same message gets the same
signature each time, so that a resend is the same bytes.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from models.errors import ConfigurationError

SHORTEST_RSA_KEY = 2048
"""Bits; RFC 8301, 3.2 forbids less than 1024 and asks signers for at least so many."""

_SIGNED = (
    *("from", "reply-to", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references"),
    *("auto-submitted", "content-language", "mime-version", "content-type", "content-transfer-encoding"),
)
"""The header fields that are signed where they occur (RFC 6376, 5.4.1)."""

_OVERSIGNED = ("from", "reply-to", "to", "cc", "subject", "date")
"""Those that are signed once more than they occur, so that nobody adds one to be shown instead (RFC 6376, 8.15)."""

_FIELD_ENDS = re.compile(rb"\r\n(?![ \t])")
_FOLDS = re.compile(rb"\r\n(?=[ \t])")

PrivateKey: TypeAlias = RSAPrivateKey | Ed25519PrivateKey


class SigningKey:
    """A key of a domain, whose public half stands in the domain's DNS under a selector (RFC 6376, 3.1)."""

    def __init__(self, domain: str, selector: str, key: PrivateKey) -> None:
        self.domain = domain
        self.selector = selector
        self.key = key

    @property
    def algorithm(self) -> str:
        """As the signature names it (RFC 6376, 3.5; RFC 8463, 3)."""
        match self.key:
            case RSAPrivateKey():
                return "rsa-sha256"
            case _:
                return "ed25519-sha256"

    @property
    def published(self) -> bytes:
        """Its public half, as the DNS holds it (RFC 6376, 3.6.1; RFC 8463, 4)."""
        match self.key:
            case RSAPrivateKey() as key:
                return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            case key:
                return key.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """The signature of some bytes."""
        match self.key:
            case RSAPrivateKey() as key:
                return key.sign(data, PKCS1v15(), SHA256())
            case key:
                return key.sign(sha256(data).digest())  # RFC 8463, 3: of the hash, not of the bytes


def load_signing_key(domain: str, selector: str, file: Path) -> SigningKey:
    """Read a key from its file (PEM, without a password).

    Raises:
        ConfigurationError: the file holds no key that mail is to be signed with.
    """
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            f"This file holds no private key that can be read ({type(error).__name__}).",
            where=str(file),
            next_step="Give the PEM file of an RSA or Ed25519 key without a password, and see that it can be read.",
        ) from None
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise ConfigurationError(
            "Mail is signed with an RSA or an Ed25519 key, and this is neither.",
            where=str(file),
            next_step="Make one: openssl genrsa -out dkim.pem 2048",
        )
    if isinstance(key, RSAPrivateKey) and key.key_size < SHORTEST_RSA_KEY:
        raise ConfigurationError(
            f"This key has {key.key_size} bits, which receivers do not trust.",
            where=str(file),
            next_step=f"Make one of at least {SHORTEST_RSA_KEY} bits: openssl genrsa -out dkim.pem {SHORTEST_RSA_KEY}",
        )
    return SigningKey(domain, selector, key)


class Signer:
    """Signs messages with each of some keys, in the relaxed form of header and body (RFC 6376, 3.4)."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        self._keys = tuple(keys)

    def sign(self, raw: bytes) -> bytes:
        """The message with a signature of each key before its header."""
        head, _, body = raw.partition(b"\r\n\r\n")
        fields = [_relaxed_field(field) for field in _FIELD_ENDS.split(head)]
        body_hash = b64encode(sha256(_relaxed_body(body)).digest()).decode()
        return b"".join(_signature(key, fields, body_hash) for key in self._keys) + raw


def _signature(key: SigningKey, fields: Sequence[tuple[bytes, bytes]], body_hash: str) -> bytes:
    """One DKIM-Signature field (RFC 6376, 3.5), with its line end."""
    here = [name.decode("ascii", "replace") for name, _ in fields]
    names = [name for wanted in _SIGNED for name in [wanted] * here.count(wanted)] + list(_OVERSIGNED)
    unsigned = (
        f"DKIM-Signature: v=1; a={key.algorithm}; c=relaxed/relaxed;\r\n"
        f" d={key.domain}; s={key.selector};\r\n"
        f" h={_folded(names)};\r\n"
        f" bh={body_hash};\r\n"
        " b="
    ).encode("ascii")
    data = b"".join(_selected(fields, names)) + b":".join(_relaxed_field(unsigned))
    signature = b64encode(key.sign(data))
    return unsigned + b"\r\n ".join(signature[i : i + 72] for i in range(0, len(signature), 72)) + b"\r\n"


def _folded(names: Sequence[str]) -> str:
    lines = (":".join(names[i : i + 5]) for i in range(0, len(names), 5))
    return ":\r\n  ".join(lines)


def _selected(fields: Sequence[tuple[bytes, bytes]], names: Sequence[str]) -> list[bytes]:
    """The fields that are signed, in order; of equal ones the last first, none for one too many (RFC 6376, 5.4.2)."""
    left = list(fields)
    selected = []
    for name in names:
        found = next((field for field in reversed(left) if field[0] == name.encode()), None)
        if found:
            left.remove(found)
            selected.append(found[0] + b":" + found[1] + b"\r\n")
    return selected


def _relaxed_field(field: bytes) -> tuple[bytes, bytes]:
    """Name and value of a header field in the relaxed form (RFC 6376, 3.4.2)."""
    name, _, value = field.partition(b":")
    return name.strip(b" \t").lower(), _single_blanks(_FOLDS.sub(b"", value)).strip(b" \t")


def _single_blanks(text: bytes) -> bytes:
    """Every run of blanks as one; a pattern would take five times as long, and this is most of signing."""
    text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text


def _relaxed_body(body: bytes) -> bytes:
    """The body in the relaxed form (RFC 6376, 3.4.4)."""
    shown = (_single_blanks(body) + b"\r\n").replace(b" \r\n", b"\r\n")
    while shown.endswith(b"\r\n"):
        shown = shown[:-2]
    return shown + b"\r\n" if shown else b""
