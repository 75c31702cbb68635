"""Files that people hand in: checked, and named so that nothing in a name can do harm."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath

from mail.facts import clean_line
from models.errors import InvalidInput

LARGEST_BYTES = 16 * 2**20
LONGEST_NAME = 200


@dataclass(frozen=True)
class UploadedFile:
    """One file: its bare name, and its bytes."""

    name: str
    content: bytes = field(repr=False)


def uploaded_file(name: str, content: bytes, where: str = "file") -> UploadedFile:
    """A file as a person handed it in, without the folders that some browsers send along.

    Raises:
        InvalidInput: it is empty, too large, or has no name.
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
    return UploadedFile(bare, content)


def media_type_of(name: str) -> str:
    """What a file of this name holds, as far as its ending tells (a media type of RFC 6838)."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
