"""Statements as a PDF/A-3b (ISO 19005-3), with the same as JSON inside: what somebody certified, what was directed.

The form of the words is in ``config/notices/statement.typ``; what is said comes from the case.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from mail.templates import TEMPLATES
from mail.verification import Line, pdf_of

TEMPLATE = TEMPLATES / "statement.typ"


class Part(BaseModel):
    """One part of a statement under its heading."""

    model_config = ConfigDict(frozen=True)

    heading: str
    lines: tuple[Line, ...]


class Statement(BaseModel):
    """Everything that one statement says; ``words`` is the sentence for which it is made, and stands last."""

    model_config = ConfigDict(frozen=True)

    title: str
    author: str
    parts: tuple[Part, ...]
    words_heading: str
    words: str


def statement_pdf(statement: Statement, at: datetime) -> bytes:
    """Write a statement: the same words at the same instant give the same file."""
    return pdf_of(TEMPLATE, statement, at)
