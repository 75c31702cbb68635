"""Everything that commands print, and the one place where it is made fit for a terminal.

What people typed, or a file or a mail server said, can hold control characters, and a terminal does what they say: it
hides, moves and overwrites text, and some answer as if the reader had typed. So each is shown as a sign of its own.
"""

from __future__ import annotations

import re
import sys

_CONTROLS = re.compile("\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|[\u2028-\u202e\u2066-\u2069]|[\ud800-\udfff]")
"""Control characters but tab and line ends, what reorders text (UAX 9) or ends lines unseen, and halves of pairs."""

_PICTURES, _DELETE = 0x2400, 0x7F
"""Where Unicode's signs for control characters begin, and the one control character after the others."""


def printable(text: str) -> str:
    """Text in which nothing steers a terminal: ``␛[2J`` instead of what clears its window."""
    return _CONTROLS.sub(lambda found: _sign(ord(found[0])), text)


def say(text: str = "", *, err: bool = False, end: str = "\n") -> None:
    """Print a text, on standard error if ``err``."""
    stream = sys.stderr if err else sys.stdout
    stream.write(f"{printable(text)}{end}")
    stream.flush()


def _sign(code: int) -> str:
    if code < ord(" "):
        return chr(_PICTURES + code)
    return "␡" if code == _DELETE else "\N{REPLACEMENT CHARACTER}"
