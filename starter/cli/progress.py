"""Counting along on the terminal, for whatever takes longer than a second or two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ledger.verify import Watch
from starter.terminal import Terminal


@contextmanager
def counting() -> Iterator[Watch]:
    """Give what counts along things that are gone through, by a bar on stderr; in a file or a pipe there is none."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    console = Terminal(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:

        def watch(things: Iterable[Any], called: str, total: int) -> Iterable[Any]:
            return bar.track(things, total=total, description=called)

        yield watch
