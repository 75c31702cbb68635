"""A file is what it holds, whatever it is called: PDF, PNG, JPEG, text, CSV, a mail, DOCX and XLSX are taken."""

from __future__ import annotations

import zipfile
from io import BytesIO

import pytest

from models.errors import InvalidInput
from records.file_types import CSV, DOCX, JPEG, MAIL, PDF, PNG, TEXT, XLSX, FileType, type_of
from records.uploads import uploaded_file


def package(*parts: str) -> bytes:
    """An Office Open XML package with these parts."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w") as found:
        for part in ("[Content_Types].xml", *parts):
            found.writestr(part, "<x/>")
    return written.getvalue()


PIXEL = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0\x90wS\xde\0\0\0\0IEND\xaeB`\x82"
LETTER = b"From: Sam Lee <sam@acme.example.com>\r\nDate: Mon, 2 Mar 2026 15:00:00 +0000\r\n\r\nTold.\xe9\r\n"

TAKEN: list[tuple[FileType, bytes]] = [
    (PDF, b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"),
    (PNG, PIXEL),
    (JPEG, b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xd9"),
    (TEXT, "Told by telephone, Córdoba.\r\n\f".encode()),
    (TEXT, b"\xef\xbb\xbfWith a mark of its order."),
    (TEXT, b"From: Robin\nTo whom it may concern."),
    (MAIL, LETTER),
    (DOCX, package("word/document.xml")),
    (XLSX, package("xl/workbook.xml")),
]


@pytest.mark.parametrize(("found", "content"), TAKEN, ids=[found.media_type for found, _ in TAKEN])
def test_what_is_taken_is_known_by_its_content(found: FileType, content: bytes) -> None:
    assert type_of(content, "proof", name="invoice.exe") is found


def test_a_list_is_told_from_a_text_by_its_name() -> None:
    assert type_of(b"student\nKim\n", "file", name="Students.CSV") is CSV


REFUSED = {
    "a program": b"MZ\x90\0\3\0\0\0",
    "bytes without a meaning": bytes(range(256)),
    "text in another encoding": "Córdoba".encode("latin-1"),
    "a terminal's escapes": b"\x1b]0;title\x07",
    "a picture of another sort": b"GIF89a\1\0\1\0",
    "an archive": package()[:-1] + b"\0",
    "a package of something else": package("ppt/presentation.xml"),
    "a document with macros": package("word/document.xml", "word/vbaProject.bin"),
    "no archive at all": b"PK\3\4" + b"\0" * 60,
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("name", ["proof.pdf", "proof.txt"])
def test_anything_else_is_refused_at_its_field_with_what_is_taken(content: bytes, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        uploaded_file(name, content, "receipt")
    assert caught.value.where == "receipt"
    assert "PDF, PNG, JPEG" in (caught.value.next_step or "")


@pytest.mark.parametrize(
    ("name", "kept"),
    [("letter.pdf", "letter.pdf.txt"), ("run.exe", "run.exe.txt"), ("letter", "letter.txt"), ("NOTE.TXT", "NOTE.TXT")],
)
def test_a_name_that_says_something_else_gets_the_right_ending(name: str, kept: str) -> None:
    file = uploaded_file(name, b"Told by telephone.")
    assert (file.name, file.media_type) == (kept, "text/plain")
