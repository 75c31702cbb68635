"""The console of commands: tables, colours and progress, in which stored text never steers the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from starter.printable import printable

NOT_A_TERMINAL = 160
"""How wide tables are where nobody's window sets a limit: in a file or a pipe."""


LATE = "bold red"
"""How what is overdue is shown."""


class Terminal(Console):
    """A console that prints text as it is: neither markup nor control characters in it are followed."""

    def __init__(self, *, file: IO[str] | None = None, stderr: bool = False, width: int | None = None) -> None:
        super().__init__(file=file, stderr=stderr, width=width, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """A text as it is laid out: signs are counted among what has to fit."""
        return super().render_str(printable(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The parts of what is printed, each fit for a terminal; colours and moves are rich's own."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)


def wide_terminal() -> Terminal:
    """A console as wide as the window, or wide enough for tables where there is none."""
    plain = Terminal()
    return plain if plain.is_terminal else Terminal(width=NOT_A_TERMINAL)
