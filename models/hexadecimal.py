"""Hexadecimal digits, kept as the bytes that they stand for: in half the room."""

from __future__ import annotations

from sqlalchemy import Dialect, LargeBinary
from sqlalchemy.types import TypeDecorator


class Hexadecimal(TypeDecorator[str]):
    """A hash, or random bytes, in lower-case hexadecimal; an odd number of digits is refused."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """Keep the bytes; raise ``ValueError`` for what is not hexadecimal."""
        return None if value is None else bytes.fromhex(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        """Return the digits; raise ``AttributeError`` where no bytes are kept."""
        return None if value is None else value.hex()
