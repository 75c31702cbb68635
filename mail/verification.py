"""The verification of a disposition as a PDF/A-3b (ISO 19005-3), with the same as JSON inside it.

The words' form is in ``config/notices/verification.typ``; what is said comes from the case.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import typst
from pydantic import BaseModel, ConfigDict

from mail.templates import TEMPLATES

TEMPLATE = TEMPLATES / "verification.typ"


class Line(BaseModel):
    """One thing said, with what people call it."""

    model_config = ConfigDict(frozen=True)

    label: str
    value: str


class HolderSaid(BaseModel):
    """What one holder of the data said, and how: by its link, as somebody heard it, or not at all."""

    model_config = ConfigDict(frozen=True)

    name: str
    how: str
    said: tuple[Line, ...] = ()
    said_sha256: str | None = None


class Verification(BaseModel):
    """Everything that the verification of one disposition says."""

    model_config = ConfigDict(frozen=True)

    title: str
    provider: str
    about: tuple[Line, ...]
    directed: tuple[Line, ...]
    holders: tuple[HolderSaid, ...]
    statement: str


def verification_pdf(verification: Verification, at: datetime) -> bytes:
    """Write a verification: the same words at the same instant give the same file."""
    return pdf_of(TEMPLATE, verification, at)


def pdf_of(template: Path, said: BaseModel, at: datetime) -> bytes:
    """Write what is said by a template that reads it as its data: the same at the same instant gives the same file."""
    written = typst.compile(
        template.read_bytes(),
        format="pdf",
        ignore_system_fonts=True,
        sys_inputs={"data": said.model_dump_json(indent=1)},
        pdf_standards=["a-3b"],
        timestamp=int(at.timestamp()),
    )
    if not isinstance(written, bytes):
        raise TypeError("one document gives one file")
    return written
