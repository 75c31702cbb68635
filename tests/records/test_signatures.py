"""What is found of the digital signatures of a PDF: no more than can be said, and nothing that is broken."""

from __future__ import annotations

import pytest

from models.enums import SignatureIntegrity
from models.errors import InvalidInput
from records.signatures import read_signatures
from tests.support.signed_pdfs import SIGNER, added_to, altered, plain_pdf, signed_pdf

FIELD = "assurance"


def test_one_that_is_intact_names_its_signer_and_when() -> None:
    found = read_signatures(signed_pdf(), FIELD)
    (signature,) = found.signatures
    assert found.integrity is SignatureIntegrity.INTACT
    assert SIGNER in signature.signer
    assert signature.signed_at
    assert signature.signed_at.tzinfo


def test_one_after_which_something_was_added_does_not_cover_the_whole_document() -> None:
    found = read_signatures(added_to(signed_pdf()), FIELD)
    assert (found.integrity, len(found.signatures)) == (SignatureIntegrity.NOT_WHOLE, 1)


def test_a_document_without_one_says_so() -> None:
    assert read_signatures(plain_pdf(), FIELD).integrity is SignatureIntegrity.NONE


def test_a_document_that_was_changed_after_it_was_signed_is_refused() -> None:
    with pytest.raises(InvalidInput, match="signature is broken") as refused:
        read_signatures(altered(signed_pdf()), FIELD)
    assert refused.value.where == FIELD


def test_one_byte_anywhere_in_what_was_signed_breaks_it() -> None:
    pdf = signed_pdf()
    begin = pdf.index(b"/Contents <")
    signed = [*range(0, begin, 150), *range(pdf.index(b">", begin), len(pdf), 5)]
    for at in signed:
        changed = pdf[:at] + bytes([pdf[at] ^ 1]) + pdf[at + 1 :]
        with pytest.raises(InvalidInput):
            read_signatures(changed, FIELD)


def test_a_signature_moved_into_another_document_is_broken() -> None:
    other, signed = signed_pdf("We assume nothing."), signed_pdf()
    place = _contents(signed)  # with room to spare, and not the same room in both
    swapped = signed.replace(place, _contents(other).rstrip(b"0").ljust(len(place), b"0"))
    with pytest.raises(InvalidInput, match="signature is broken"):
        read_signatures(swapped, FIELD)


def _contents(pdf: bytes) -> bytes:
    begin = pdf.index(b"/Contents <") + len(b"/Contents <")
    return pdf[begin : pdf.index(b">", begin)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"We assume the obligations.", "This is not a PDF"),
        (b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\n", "cannot be read"),
        (b"\x00\x01\x02", "holds nothing of what is taken"),
    ],
)
def test_what_is_no_pdf_or_cannot_be_read_is_refused_with_a_sentence(content: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as refused:
        read_signatures(content, FIELD)
    assert refused.value.next_step
