"""A notice as a letter on paper (PDF/A-3b, ISO 19005-3), for a window envelope: the very words that its mail has.

They are taken part by part from the mail's HTML layout, so that a notice says the same however it goes, and in an
organisation's own words where it has templates of its own. The letter's form is in ``config/notices/letter.typ``.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import dropwhile

from pydantic import BaseModel, ConfigDict

from mail.compose import Rendered, render
from mail.facts import NoticeFacts
from mail.required import lost_by, required_of_notice
from mail.templates import SHIPPED, TEMPLATES, Templates
from mail.verification import pdf_of
from mail.window import ADDRESS, FOLDS, IN_SIGHT, address_lines

TEMPLATE = TEMPLATES / "letter.typ"

_BLOCKS = {
    "h1": "title",
    **dict.fromkeys(("h2", "h3", "h4", "h5", "h6"), "heading"),
    **dict.fromkeys(("p", "td", "dt", "dd", "pre", "blockquote"), "paragraph"),
    "li": "bullet",
    "th": "name",
}
"""What each part of the mail's layout is on paper."""

_AROUND = frozenset(
    {"article", "body", "center", "div", "dl", "footer", "header", "hr", "main", "ol", "section", "table", "tr", "ul"}
)
"""What stands around parts: a part ends where it begins or ends."""

_UNSEEN = frozenset({"head", "style", "script", "template"})
_HIDDEN = re.compile(r"display:\s*none|visibility:\s*hidden")
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
"""Elements that have no end (HTML, 13.1.2)."""

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


def letter_pdf(
    facts: NoticeFacts,
    name: str,
    postal_address: str,
    enclosed: tuple[str, ...] = (),
    templates: Templates = SHIPPED,
) -> bytes:
    """Write a notice as a letter to one contact: the same facts give the same file.

    ``enclosed`` names what belongs into the envelope besides.
    """
    rendered = _rendered(facts, templates)
    contact = facts.sender.contact
    letter = PaperLetter(
        title=rendered.subject,
        sender=facts.sender.organisation,
        sender_lines=tuple(f"{facts.sender.postal_address or ''}\n{contact}".strip().split("\n")),
        address=address_lines(name, facts.reader, postal_address),
        reference=facts.case_reference,
        parts=_printed(rendered.html),
        enclosed=enclosed,
    )
    return pdf_of(TEMPLATE, letter, facts.noticed_at)


def words_of(facts: NoticeFacts, templates: Templates = SHIPPED) -> str:
    """What a letter says as plain text: its subject, an empty line, and the text of the mail's own layout."""
    rendered = _rendered(facts, templates)
    return f"{rendered.subject}\n\n{rendered.text}"


def _rendered(facts: NoticeFacts, templates: Templates) -> Rendered:
    """The layouts that a letter is made from: the shipped ones where an own one would lose something on paper."""
    return templates.write(
        lambda written_by: render(facts, written_by.environments),
        lambda rendered: lost_by((*rendered, on_paper(rendered.html)), required_of_notice(facts)),
    )


def on_paper(html: str) -> str:
    """Everything that a letter says of its mail's HTML layout, in one text."""
    return "\n".join(part.text for part in _printed(html))


def _printed(html: str) -> tuple[Part, ...]:
    """The parts of a layout from its title on: what stands before it is the mail's head, and the letter has its own."""
    parts = parts_of(html)
    return tuple(dropwhile(lambda part: part.kind != "title", parts)) or parts


def parts_of(html: str) -> tuple[Part, ...]:
    """The parts of a notice's HTML layout, in order; a link that is a button is left out: nobody can press it."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return tuple(reader.parts)


class _Reader(HTMLParser):
    """Takes the words out of a layout, ours or an organisation's own, as a mail program would show them."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[Part] = []
        self._open: list[tuple[str, str]] = []
        self._unseen: list[str] = []
        self._text = ""
        self._link: tuple[int, str] | None = None
        self._button = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a part, or what is not printed."""
        given = dict(attrs)
        if self._unseen or _is_unseen(tag, given):
            if tag not in _VOID:
                self._unseen.append(tag)
        elif tag == "br":
            self._text += "\n"
        elif tag == "a":
            self._link = (len(self._text), given.get("href") or "")
        elif tag in _BLOCKS:
            self._end_part()
            self._open.append((tag, given.get("style") or ""))
        elif tag in _AROUND:
            self._end_part()

    def handle_endtag(self, tag: str) -> None:
        """End a part, or what is not printed."""
        if self._unseen:
            if tag in self._unseen:
                del self._unseen[len(self._unseen) - 1 - self._unseen[::-1].index(tag) :]
        elif tag == "a":
            self._end_link()
        elif tag in _BLOCKS:
            self._end_part()
            # One that nobody closed ends with what is around it.
            while self._open and any(name == tag for name, _ in self._open) and self._open.pop()[0] != tag:
                pass
        elif tag in _AROUND:
            self._end_part()

    def handle_data(self, data: str) -> None:
        """Take words."""
        if not self._unseen:
            self._text += re.sub(r"\s+", " ", data)

    def _end_link(self) -> None:
        """Let a link's address stand beside its words; one that is a part by itself is a button."""
        if self._link is None:
            return
        begins, address = self._link
        self._link, words = None, self._text[begins:].strip()
        if address and not address.startswith("mailto:") and address not in words:
            self._text += f" ({address})"
            self._button = self._text[begins:].strip()

    def close(self) -> None:
        """Take the words after the last part."""
        super().close()
        self._end_part()

    def _end_part(self) -> None:
        text = "\n".join(line.strip() for line in self._text.split("\n")).strip()
        is_button, self._text, self._button, self._link = text == self._button, "", "", None
        if not text or is_button:
            return
        tag, style = self._open[-1] if self._open else ("p", "")
        small, bold = bool(_SMALL_PRINT.search(style)), bool(_BOLD.search(style))
        self.parts.append(Part(kind=_BLOCKS[tag], text=text, small=small, bold=bold))


def _is_unseen(tag: str, given: dict[str, str | None]) -> bool:
    """Whether something is not printed, as no mail program shows it."""
    return tag in _UNSEEN or "hidden" in given or bool(_HIDDEN.search(given.get("style") or ""))
