"""PDFs as a successor signs them: with a key of the tests' own, altered afterwards, or not signed at all."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from io import BytesIO

import typst
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers

SIGNER = "Kim Example"


@cache
def plain_pdf(words: str = "We assume the obligations.") -> bytes:
    """A PDF of one page that nobody signed digitally."""
    written = typst.compile(words.encode(), format="pdf", ignore_system_fonts=True)
    assert isinstance(written, bytes)
    return written


@cache
def signed_pdf(words: str = "We assume the obligations.") -> bytes:
    """The same, signed by ``SIGNER``, whose certificate no authority vouches for."""
    with ThreadPoolExecutor(1) as beside:  # a signer runs an event loop of its own, and the test may have one
        return beside.submit(_signed, plain_pdf(words)).result()


def _signed(pdf: bytes) -> bytes:
    out = BytesIO()
    signers.sign_pdf(
        IncrementalPdfFileWriter(BytesIO(pdf)),
        signers.PdfSignatureMetadata(field_name="Signature1"),
        signer=_signer(),
        output=out,
    )
    return out.getvalue()


def altered(pdf: bytes) -> bytes:
    """A signed PDF of which one signed byte was changed: in the comment that follows its first line."""
    at = pdf.index(b"\n") + 2
    return pdf[:at] + bytes([pdf[at] ^ 1]) + pdf[at + 1 :]


def added_to(pdf: bytes) -> bytes:
    """A signed PDF to which something was added as a PDF is added to: what was signed is still in it."""
    writer, out = IncrementalPdfFileWriter(BytesIO(pdf)), BytesIO()
    writer.update_root()  # type: ignore[no-untyped-call]
    writer.write(out)  # type: ignore[no-untyped-call]
    return out.getvalue()


@cache
def _signer() -> signers.SimpleSigner:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SIGNER)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    packed = pkcs12.serialize_key_and_certificates(None, key, certificate, None, NoEncryption())
    signer = signers.SimpleSigner.load_pkcs12_data(packed, [])
    assert isinstance(signer, signers.SimpleSigner)
    return signer
