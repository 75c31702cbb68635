"""Files in and out: what a form uploads, and what a page lets its reader keep."""

from __future__ import annotations

from urllib.parse import quote

from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from agreements.references import decoded_csv
from models.errors import InvalidInput
from records.uploads import UploadedFile, uploaded_file


async def files_of(form: FormData, name: str) -> tuple[UploadedFile, ...]:
    """Every file that a form gives for ``name``; a field that was left empty gives none.

    Raises:
        InvalidInput: one of them is empty, too large, or none of the types that are taken.
    """
    given = (value for value in form.getlist(name) if isinstance(value, UploadFile) and value.filename)
    return tuple([uploaded_file(file.filename or "", await file.read(), name) for file in given])


async def csv_of(file: UploadFile | str | None, of: str) -> tuple[str, str]:
    """The name and the text of a CSV file that a form gives; ``of`` is what is listed in it.

    Raises:
        InvalidInput: no file is chosen, or it is not UTF-8.
    """
    if not isinstance(file, UploadFile) or not file.filename:
        raise InvalidInput("No file is chosen.", where="file", next_step=f"Choose a CSV file of {of}.")
    return file.filename, decoded_csv(await file.read(), "file")


def harmless_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def attachment(file: UploadedFile) -> Response:
    """The file as one that a browser saves and never shows in our name (RFC 6266)."""
    return Response(
        file.content,
        media_type=file.media_type,
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"},
    )
