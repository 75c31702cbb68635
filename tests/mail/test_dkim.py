"""RFC 6376, RFC 8301 and RFC 8463: signatures that another implementation verifies."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import dkim  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.compose import compose
from mail.dkim import PrivateKey, Signer, SigningKey, load_signing_key
from mail.handover import Envelope
from mail.transport import SmtpTransport
from models.errors import ConfigurationError
from tests.support.one_message import server_at
from tests.support.sample_notices import ADDRESSING, CONFIRMED_NOTICE, SUPPLEMENT
from tests.support.scripted_server import scripted_server

RSA = SigningKey("provider.test", "s1", generate_private_key(65537, 2048))
ED25519 = SigningKey("provider.test", "s2", Ed25519PrivateKey.generate())
KEYS = {f"{key.selector}._domainkey.{key.domain}.": key for key in (RSA, ED25519)}
NOTICES = [compose(facts, ADDRESSING).raw for facts in (CONFIRMED_NOTICE, SUPPLEMENT)]


def published(name: bytes, timeout: int = 5) -> bytes:
    key = KEYS[name.decode()]
    return f"v=DKIM1; k={key.algorithm.partition('-')[0]}; p={b64encode(key.published).decode()}".encode()


def verifies(signed: bytes, signatures: int) -> bool:
    verifier = dkim.DKIM(signed)
    return all(verifier.verify(number, dnsfunc=published) for number in range(signatures))


@pytest.mark.parametrize("raw", NOTICES)
def test_every_notice_is_signed_by_each_key(raw: bytes) -> None:
    signed = Signer([RSA, ED25519]).sign(raw)
    assert signed.endswith(raw)
    assert verifies(signed, 2)


def test_the_same_message_gets_the_same_signature() -> None:
    signer = Signer([RSA, ED25519])
    assert signer.sign(NOTICES[0]) == signer.sign(NOTICES[0])


def test_no_line_of_the_signature_is_too_long() -> None:
    head = Signer([RSA]).sign(NOTICES[0]).partition(b"From:")[0]
    assert all(len(line) <= 78 for line in head.split(b"\r\n"))


@pytest.mark.parametrize("header", ["From: x@evil.test", "Reply-To: x@evil.test", "Cc: x@evil.test", "Subject: x"])
@pytest.mark.parametrize("key", [RSA, ED25519], ids=["rsa", "ed25519"])
def test_a_header_that_somebody_adds_breaks_the_signature(header: str, key: SigningKey) -> None:
    """RFC 6376, 8.15: one of each kind, and no more."""
    signed = Signer([key]).sign(NOTICES[0])
    assert verifies(signed, 1)
    assert not verifies(header.encode() + b"\r\n" + signed, 1)


@given(
    st.lists(st.sampled_from([b"", b" ", b"\t", b"a", b" a  b ", b".", b"a\tb", b"--=_x"]), max_size=8),
    st.sampled_from([b"Subject: x", b"subject:\t x  y ", b"Subject: a\r\n b\r\n\tc", b"SUBJECT:"]),
)
@settings(max_examples=200)
def test_blanks_and_folds_are_counted_as_the_standard_does(lines: list[bytes], subject: bytes) -> None:
    """RFC 6376, 3.4.2 and 3.4.4, which dkimpy reads for itself."""
    raw = b"From: a@provider.test\r\n" + subject + b"\r\n\r\n" + b"".join(line + b"\r\n" for line in lines)
    assert verifies(Signer([ED25519]).sign(raw), 1)


async def test_what_leaves_is_signed() -> None:
    async with scripted_server() as server, SmtpTransport(server_at(server.port), Signer([RSA])) as transport:
        await transport.send(NOTICES[0], Envelope("notices@provider.test", "office@d.test"))
    (sent,) = server.messages
    assert verifies(sent.replace(b"\r\n..", b"\r\n."), 1)


def write(folder: Path, key: PrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> Path:
    file = folder / "dkim.pem"
    sealed = BestAvailableEncryption(password) if password else NoEncryption()
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed))
    return file


@pytest.mark.parametrize("key", [RSA, ED25519], ids=["rsa", "ed25519"])
def test_a_key_is_read_from_its_file(tmp_path: Path, key: SigningKey) -> None:
    loaded = load_signing_key("provider.test", key.selector, write(tmp_path, key.key))
    assert verifies(Signer([loaded]).sign(NOTICES[0]), 1)


def test_a_key_that_receivers_do_not_trust_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"1024 bits, which receivers do not trust.*openssl genrsa"):
        load_signing_key("provider.test", "s1", write(tmp_path, generate_private_key(65537, 1024)))


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="neither"):
        load_signing_key("provider.test", "s1", write(tmp_path, ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(ConfigurationError, match="without a password"):
        load_signing_key("provider.test", "s1", write(tmp_path, RSA.key, b"secret"))
    with pytest.raises(ConfigurationError, match="FileNotFoundError"):
        load_signing_key("provider.test", "s1", tmp_path / "none.pem")
