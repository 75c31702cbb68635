"""JSON columns that take a value as it was written already: to write it once more may take longer than to hash it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from sqlalchemy import JSON, Dialect
from sqlalchemy.types import TypeDecorator


class Written(str):
    """JSON that is written."""

    __slots__ = ()


class WrittenJson(TypeDecorator[Any]):
    """A JSON value; what is ``Written`` is kept as it is, and anything else written first."""

    impl = JSON
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """What makes a value one that the driver takes."""
        write = cast("Callable[[Any], Any]", super().bind_processor(dialect))
        return lambda value: str(value) if isinstance(value, Written) else write(value)
