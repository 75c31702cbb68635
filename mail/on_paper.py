"""A notice as a letter on paper (PDF/A-3b, ISO 19005-3), for a window envelope: the very words that its mail has.

They are taken part by part from the mail's HTML layout, so that a notice says the same however it goes. The letter's
own form is in ``config/notices/letter.typ``.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import dropwhile

from pydantic import BaseModel, ConfigDict

from mail.compose import TEMPLATES, render
from mail.facts import NoticeFacts
from mail.verification import pdf_of
from mail.window import ADDRESS, FOLDS, IN_SIGHT, address_lines

TEMPLATE = TEMPLATES / "letter.typ"

_BLOCKS = {"h1": "title", "h2": "heading", "p": "paragraph", "li": "bullet", "th": "name", "td": "paragraph"}
"""What each part of the mail's layout is on paper."""

_UNSEEN = frozenset({"head", "style"})
_SMALL_PRINT = re.compile(r"font-size: 1[0-3]px")
_BOLD = re.compile(r"font-weight: bold")


class Part(BaseModel):
    """One part of a letter: a ``title``, ``heading``, ``paragraph``, ``bullet``, or the ``name`` of what follows it."""

    model_config = ConfigDict(frozen=True)

    kind: str
    text: str
    small: bool = False
    bold: bool = False


class Envelope(BaseModel):
    """Where things stand on the first page, in inches from its top left."""

    model_config = ConfigDict(frozen=True)

    left: float = ADDRESS.left
    top: float = ADDRESS.top
    width: float = ADDRESS.right - ADDRESS.left
    height: float = ADDRESS.bottom - ADDRESS.top
    begins: float = IN_SIGHT.bottom
    """Below what may come into sight: from here on the letter's words stand."""
    ends: float = IN_SIGHT.top
    folds: tuple[float, float] = FOLDS


class PaperLetter(BaseModel):
    """Everything that one letter says."""

    model_config = ConfigDict(frozen=True)

    title: str
    sender: str
    sender_lines: tuple[str, ...]
    address: tuple[str, ...]
    reference: str
    parts: tuple[Part, ...]
    enclosed: tuple[str, ...]
    envelope: Envelope = Envelope()


def letter_pdf(facts: NoticeFacts, name: str, postal_address: str, enclosed: tuple[str, ...] = ()) -> bytes:
    """Write a notice as a letter to one contact: the same facts give the same file.

    ``enclosed`` names what belongs into the envelope besides.
    """
    rendered = render(facts)
    contact = facts.sender.contact
    letter = PaperLetter(
        title=rendered.subject,
        sender=facts.sender.organisation,
        sender_lines=tuple(f"{facts.sender.postal_address or ''}\n{contact}".strip().split("\n")),
        address=address_lines(name, facts.reader, postal_address),
        reference=facts.case_reference,
        # What stands before the title is the mail's head; the letter has its own.
        parts=tuple(dropwhile(lambda part: part.kind != "title", parts_of(rendered.html))),
        enclosed=enclosed,
    )
    return pdf_of(TEMPLATE, letter, facts.noticed_at)


def words_of(facts: NoticeFacts) -> str:
    """What a letter says as plain text: its subject, an empty line, and the text of the mail's own layout."""
    rendered = render(facts)
    return f"{rendered.subject}\n\n{rendered.text}"


def parts_of(html: str) -> tuple[Part, ...]:
    """The parts of a notice's HTML layout, in order; a link that is shown as a button is left out, since its address
    stands beside it.
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return tuple(reader.parts)


class _Reader(HTMLParser):
    """Takes the words out of our own layout, whose elements are closed in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[Part] = []
        self._open: list[tuple[str, str]] = []
        self._text = ""
        self._skipped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a part."""
        given = dict(attrs)
        if tag == "br":
            self._text += "\n"
        elif tag in _UNSEEN or (tag == "a" and not (given.get("href") or "").startswith("mailto:")):
            self._skipped += 1
        elif tag in _BLOCKS:
            self._end_part()
            self._open.append((tag, given.get("style") or ""))

    def handle_endtag(self, tag: str) -> None:
        """End a part."""
        if tag in _UNSEEN or (tag == "a" and self._skipped):
            self._skipped -= 1
        elif tag in _BLOCKS:
            self._end_part()
            if self._open:
                self._open.pop()

    def handle_data(self, data: str) -> None:
        """Take words."""
        if not self._skipped:
            self._text += re.sub(r"\s+", " ", data)

    def _end_part(self) -> None:
        text = "\n".join(line.strip() for line in self._text.split("\n")).strip()
        self._text = ""
        if not text:
            return
        tag, style = self._open[-1] if self._open else ("p", "")
        small, bold = bool(_SMALL_PRINT.search(style)), bool(_BOLD.search(style))
        self.parts.append(Part(kind=_BLOCKS[tag], text=text, small=small, bold=bold))
