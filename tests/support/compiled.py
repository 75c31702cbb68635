"""What was compiled once in a process serves all its tests: SQL and pages are the same in every installation."""

from __future__ import annotations

from functools import partial
from typing import Any

from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
from sqlalchemy import URL, Engine, create_engine

from config import database
from web import pages

STATEMENTS = 10_000
"""How many are kept: more than the code has."""


def share_compiled_sql() -> None:
    """Have new SQLite databases share it: hundreds of tests want one, and compiling was a quarter of their time."""
    first = create_engine("sqlite://", query_cache_size=STATEMENTS)
    first.connect().close()  # a dialect asks its first connection what the database can do

    def create(url: URL, **options: Any) -> Engine:
        engine = create_engine(url, **options)
        if engine.dialect.name == first.dialect.name:
            engine.dialect = engine.pool._dialect = first.dialect
            engine._compiled_cache = first._compiled_cache
        return engine

    database.create_engine = create  # type: ignore[attr-defined, assignment]


def share_compiled_pages() -> None:
    """Have new web applications share them, each in an environment of its own as before."""
    pages.Environment = partial(Environment, bytecode_cache=_InMemory())  # type: ignore[attr-defined, assignment]


class _InMemory(BytecodeCache):
    """Templates as bytecode, by name and by what they say."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if kept := self._kept.get((bucket.key, bucket.checksum)):
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key, bucket.checksum] = bucket.bytecode_to_string()
