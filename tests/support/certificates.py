"""Certificates for the mail servers of tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_A_DAY = timedelta(days=1)


def self_signed(
    folder: Path, *, common_name: str | None = "mail.test", address: str = "127.0.0.1", ends_in: timedelta = _A_DAY
) -> Path:
    """A certificate for an address and for other.test, signed by itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)] if common_name else [])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + ends_in)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(address)), x509.DNSName("other.test")]),
            critical=not common_name,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    file = folder / "mail.pem"
    file.write_bytes(
        signed.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return file


def signed_by_an_authority(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 with its key in one file, and in another the authority's that signed it."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in ("authority.test", "of.test")]
    now = datetime.now(UTC)
    files = (folder / "server.pem", folder / "authority.pem")
    for file, of, is_authority in ((files[1], 0, True), (files[0], 1, False)):
        signed = (
            x509.CertificateBuilder(names[0], names[of], keys[of].public_key(), x509.random_serial_number())
            .not_valid_before(now - _A_DAY)
            .not_valid_after(now + _A_DAY)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .sign(keys[0], SHA256())
        )
        file.write_bytes(signed.public_bytes(Encoding.PEM))
    with files[0].open("ab") as file_of_server:
        file_of_server.write(keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def rsa_certificate(file: Path) -> rsa.RSAPrivateKey:
    """Write a certificate with an RSA key, signed by itself, as what signs notifications has one; return its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "signer.test")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    file.write_bytes(signed.public_bytes(Encoding.PEM))
    return key
