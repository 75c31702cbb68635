"""The digital signatures of a PDF (ISO 32000-2, 12.8): whether they are intact, and what they say.

Whose a certificate is, nobody here says: no authority is configured that vouches for it, so trust is not established.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from io import BytesIO

from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.generic_cms import validate_sig_integrity
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel

from mail.facts import clean_line
from models.enums import SignatureIntegrity
from models.errors import InvalidInput
from records.file_types import PDF, type_of

CONTENT_TYPE = "data"
"""What a signature's attributes have to say that they sign (RFC 5652, 11.1)."""


_SIGNED = b"/ByteRange"
"""What every signature has in plain bytes; where none is found with it there, one was damaged, and is not missing."""


@dataclass(frozen=True)
class Signature:
    """One digital signature that is intact.

    Attributes:
        signer: whom its certificate names, in one line.
        signed_at: when it was made by the signer's own clock, if it says so.
        certificate_sha256: of the certificate, as it is in the document.
    """

    signer: str
    signed_at: datetime | None
    certificate_sha256: str


@dataclass(frozen=True)
class Signatures:
    """The digital signatures of a document, in order, and what was found of them all."""

    integrity: SignatureIntegrity
    signatures: tuple[Signature, ...] = ()


def read_signatures(content: bytes, where: str) -> Signatures:
    """The digital signatures of a PDF; ``where`` names its field.

    Raises:
        InvalidInput: it is no PDF, cannot be read, or a signature in it is broken.
    """
    if type_of(content, where) is not PDF:
        raise InvalidInput("This is not a PDF.", where=where, next_step="Give the signed document as a PDF.")
    found = _embedded(content, where)
    hidden = not found and _SIGNED in content
    if hidden or not all(_is_intact(signature) for signature in found):
        raise InvalidInput(
            "Its digital signature is broken, or of a sort that cannot be verified: the document may have been changed "
            "after it was signed.",
            where=where,
            next_step="Ask the signer for the document as it was signed.",
        )
    if not found:
        return Signatures(SignatureIntegrity.NONE)
    whole = any(signature.coverage is SignatureCoverageLevel.ENTIRE_FILE for signature in found)
    return Signatures(
        SignatureIntegrity.INTACT if whole else SignatureIntegrity.NOT_WHOLE, tuple(_said(each) for each in found)
    )


def _embedded(content: bytes, where: str) -> list[EmbeddedPdfSignature]:
    try:
        reader = PdfFileReader(BytesIO(content), strict=False)
        if not reader.root["/Pages"]["/Count"]:
            raise ValueError("it has no page")
        return list(reader.embedded_regular_signatures)
    except Exception:  # a damaged file can make a reader stumble in any way
        raise InvalidInput(
            "This PDF cannot be read: it is damaged, encrypted or empty.",
            where=where,
            next_step="Open it, save it as a plain PDF, and give that one; or ask for it again.",
        ) from None


def _is_intact(signature: EmbeddedPdfSignature) -> bool:
    """Whether a signature is one of what it covers, from the first byte of the document on, with the key it names."""
    try:
        signature.compute_integrity_info(skip_diff=True)  # type: ignore[no-untyped-call]
        intact, valid = validate_sig_integrity(
            signature.signer_info, signature.signer_cert, CONTENT_TYPE, signature.compute_digest()
        )
    except Exception:  # as above: what cannot be verified is not intact
        return False
    whole = (SignatureCoverageLevel.ENTIRE_REVISION, SignatureCoverageLevel.ENTIRE_FILE)
    return intact and valid and signature.coverage in whole


def _said(signature: EmbeddedPdfSignature) -> Signature:
    certificate = signature.signer_cert
    return Signature(
        signer=clean_line(certificate.subject.human_friendly),
        signed_at=signature.self_reported_timestamp,
        certificate_sha256=sha256(certificate.dump()).hexdigest(),
    )
