"""The address of a letter, as it stands in the window of an envelope.

The envelope is the US No. 10 (4 1/8 by 9 1/2 inches) with its usual window (1 1/8 by 4 1/2 inches, 7/8 inch from the
left, 1/2 inch from the bottom), the paper US Letter, folded first at 4 inches from its top and then at 7 1/2. Wherever
the letter slides in the envelope, the address keeps 1/8 inch from each edge of the window, and nothing else shows in it
(USPS Publication 25, 3-9; Domestic Mail Manual 601.6.3). All measures are inches, from the top left of the paper.
"""

from __future__ import annotations

import textwrap
from typing import NamedTuple

from mail.facts import clean_block, clean_line
from models.errors import InvalidInput


class Rectangle(NamedTuple):
    """A part of a page."""

    left: float
    top: float
    right: float
    bottom: float


_ENVELOPE_WIDTH, _ENVELOPE_HEIGHT = 9.5, 4.125
_PAPER_WIDTH = 8.5
_WINDOW = Rectangle(0.875, _ENVELOPE_HEIGHT - 0.5 - 1.125, 0.875 + 4.5, _ENVELOPE_HEIGHT - 0.5)
"""In the envelope."""

_CLEARANCE = 0.125

FOLDS = (4.0, 7.5)
"""Where the paper is folded: the first part nearly fills the envelope, so that the letter hardly slides up and down."""

_SLIDES_RIGHT, _SLIDES_DOWN = _ENVELOPE_WIDTH - _PAPER_WIDTH, _ENVELOPE_HEIGHT - FOLDS[0]

ADDRESS = Rectangle(
    _WINDOW.left + _CLEARANCE,
    _WINDOW.top + _CLEARANCE,
    _WINDOW.right - _SLIDES_RIGHT - _CLEARANCE,
    _WINDOW.bottom - _SLIDES_DOWN - _CLEARANCE,
)
"""Where the address may stand."""

IN_SIGHT = Rectangle(max(_WINDOW.left - _SLIDES_RIGHT, 0.0), _WINDOW.top - _SLIDES_DOWN, _WINDOW.right, _WINDOW.bottom)
"""What may come into sight, and so holds nothing but the address."""

LONGEST_LINE = 45
MOST_LINES = 3
"""Of a postal address without its name: the window holds six lines, of which the names may take three."""


def checked_postal_address(address: str, *, where: str | None = None) -> str:
    """Return a postal address in its lines, as ``1 School Street | Richmond, VA 23220`` gives them.

    ``where`` is the field that gives it.

    Raises:
        InvalidInput: it has too few or too many lines, or one is too long for the window of an envelope.
    """
    parts = clean_block(address).replace("|", "\n").split("\n")
    lines = [line for line in map(clean_line, parts) if line]
    if not 2 <= len(lines) <= MOST_LINES or any(len(line) > LONGEST_LINE for line in lines):
        raise InvalidInput(
            f"A postal address has two or three lines of at most {LONGEST_LINE} characters.",
            where=where,
            next_step="Write it without the name, lines separated by |, as in 1 School Street | Richmond, VA 23220.",
        )
    return "\n".join(lines)


def address_lines(name: str, organisation: str, postal_address: str) -> tuple[str, ...]:
    """The lines of an address: a person or office, its organisation in one line or two, and the address itself."""
    lines = [_shortened(name), *_in_two(organisation), *postal_address.split("\n")]
    return tuple(dict.fromkeys(line for line in lines if line))


def _shortened(line: str) -> str:
    return textwrap.shorten(line, LONGEST_LINE, placeholder=" …") if len(line) > LONGEST_LINE else line


def _in_two(name: str) -> list[str]:
    lines = textwrap.wrap(name, LONGEST_LINE, max_lines=2, placeholder=" …")
    return lines or [name]
