"""Which files are taken, told by what they hold and not by what they are called (media types of RFC 6838)."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from io import BytesIO

import puremagic

from cases.values import UNPRINTABLE
from models.errors import InvalidInput

_OFFICE = "application/vnd.openxmlformats-officedocument"


@dataclass(frozen=True)
class FileType:
    """A type of file that is taken; of its endings the first is given to a file whose name has none of them."""

    media_type: str
    endings: tuple[str, ...]

    def name(self, bare: str) -> str:
        """The name of such a file, with an ending of the type."""
        return bare if bare.lower().endswith(self.endings) else f"{bare}{self.endings[0]}"


PDF = FileType("application/pdf", (".pdf",))
PNG = FileType("image/png", (".png",))
JPEG = FileType("image/jpeg", (".jpg", ".jpeg"))
TEXT = FileType("text/plain", (".txt",))
CSV = FileType("text/csv", (".csv",))
MAIL = FileType("message/rfc822", (".eml",))
DOCX = FileType(f"{_OFFICE}.wordprocessingml.document", (".docx",))
XLSX = FileType(f"{_OFFICE}.spreadsheetml.sheet", (".xlsx",))

TYPES = {known.media_type: known for known in (PDF, PNG, JPEG, TEXT, CSV, MAIL, DOCX, XLSX)}

TAKEN = "PDF, PNG, JPEG, text or CSV in UTF-8, a mail as .eml, DOCX and XLSX without macros"
"""What is taken, for people."""

_OFFICE_PARTS = {"word/document.xml": DOCX, "xl/workbook.xml": XLSX}
"""By its main part, what an Office Open XML package (ISO/IEC 29500-2) is."""

_MAIL_HEADERS = ("From", "Date")
"""The headers that no message lacks (RFC 5322, 3.6)."""


def type_of(content: bytes, where: str, *, name: str = "") -> FileType:
    """What a file holds; whether a text is a list is told by its name alone.

    Raises:
        InvalidInput: it is none of the types that are taken; ``where`` names the field.
    """
    found = _by_signature(content) or _office(content) or _mail(content) or _text(content, name)
    if found is None:
        raise InvalidInput(
            "The file holds nothing of what is taken here.", where=where, next_step=f"Taken are {TAKEN}."
        )
    return found


def _by_signature(content: bytes) -> FileType | None:
    try:
        matches = {match.mime_type for match in puremagic.magic_string(content)}
    except puremagic.PureError:
        return None
    return next((known for known in (PDF, PNG, JPEG) if known.media_type in matches), None)


def _office(content: bytes) -> FileType | None:
    """The type of an office document; one with macros is none of those taken."""
    if not content.startswith(b"PK\x03\x04"):
        return None
    try:
        with zipfile.ZipFile(BytesIO(content)) as package:
            parts = set(package.namelist())
    except (zipfile.BadZipFile, ValueError, UnicodeDecodeError):
        return None
    if "[Content_Types].xml" not in parts or any(part.lower().endswith("vbaproject.bin") for part in parts):
        return None
    return next((known for part, known in _OFFICE_PARTS.items() if part in parts), None)


def _mail(content: bytes) -> FileType | None:
    if b"\0" in content:
        return None
    headers = BytesHeaderParser().parsebytes(content)
    return MAIL if not headers.defects and all(headers[name] for name in _MAIL_HEADERS) else None


def _text(content: bytes, name: str) -> FileType | None:
    """Text has no control characters, save those that lay it out."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if UNPRINTABLE.search(text.replace("\r", "\n").replace("\f", "\n")):
        return None
    return CSV if name.lower().endswith(CSV.endings) else TEXT
