"""Files that people hand in: checked by what they hold, and named so that nothing in a name can do harm."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath

from mail.facts import clean_line
from models.errors import InvalidInput
from records.file_types import TEXT, TYPES, type_of

LARGEST_BYTES = 16 * 2**20
LONGEST_NAME = 200


@dataclass(frozen=True)
class UploadedFile:
    """One file: its bare name, its bytes, and what these are (a media type of RFC 6838)."""

    name: str
    content: bytes = field(repr=False)
    media_type: str = TEXT.media_type


def uploaded_file(name: str, content: bytes, where: str = "file") -> UploadedFile:
    """A file as a person handed it in, without the folders that some browsers send along.

    A name whose ending says something else than the file holds gets the right one.

    Raises:
        InvalidInput: it is empty, too large, has no name, or is none of the types that are taken.
    """
    bare = clean_line(PureWindowsPath(PurePosixPath(name).name).name).lstrip(".")[-LONGEST_NAME:]
    if not bare:
        raise InvalidInput("No file is chosen.", where=where, next_step="Choose one.")
    if not content:
        raise InvalidInput("The file is empty.", where=where, next_step="Choose the file that was meant.")
    if len(content) > LARGEST_BYTES:
        raise InvalidInput(
            f"The file is larger than {LARGEST_BYTES // 2**20} MiB.", where=where, next_step="Send it in parts."
        )
    found = type_of(content, where, name=bare)
    return UploadedFile(found.name(bare), content, found.media_type)


def kept_file(stem: str, content: bytes, media_type: str) -> UploadedFile:
    """A file that was kept without its name, as it is given out again."""
    known = TYPES.get(media_type)
    return UploadedFile(known.name(stem) if known else stem, content, media_type)
