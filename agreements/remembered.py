"""What is named by its own content never changes: a process reads it once, however many ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Generic, TypeVar

from sqlmodel import Session

_Value = TypeVar("_Value")


class Remembered(Generic[_Value]):
    """Values named by the hash of their content, of which the last ones read are kept; safe to share by threads.

    Args:
        most: how many are kept.
        read: reads those of some names from SQL; what is not there is left out.
    """

    def __init__(self, most: int, read: Callable[[Session, set[str]], Mapping[str, _Value]]) -> None:
        self._most = most
        self._read = read
        self._kept: dict[str, _Value] = {}
        self._turn = Lock()

    def of(self, session: Session, names: Iterable[str]) -> dict[str, _Value]:
        """The values of some names, those that there are."""
        kept, wanted = self._kept, set(names)
        found = {name: kept[name] for name in wanted if name in kept}
        if missing := wanted - found.keys():
            read = self._read(session, missing)
            self._keep(read)
            found |= read
        return found

    def _keep(self, read: Mapping[str, _Value]) -> None:
        with self._turn:
            # A new dictionary each time, since others read the old one meanwhile.
            kept = {**self._kept, **read}
            self._kept = dict(list(kept.items())[-self._most :])
