"""What was compiled into SQL for one SQLite database of a process serves every other: they have the same tables."""

from __future__ import annotations

from sqlalchemy import URL, Engine, create_engine

from config import database

STATEMENTS = 10_000
"""How many are kept: more than the code has."""


def share_compiled_sql() -> None:
    """Have new SQLite databases share it: hundreds of tests want one, and compiling was a quarter of their time."""
    first = create_engine("sqlite://", query_cache_size=STATEMENTS)
    first.connect().close()  # a dialect asks its first connection what the database can do

    def create(url: URL, *, hide_parameters: bool, pool_pre_ping: bool) -> Engine:
        engine = create_engine(url, hide_parameters=hide_parameters, pool_pre_ping=pool_pre_ping)
        if engine.dialect.name == first.dialect.name:
            engine.dialect = engine.pool._dialect = first.dialect
            engine._compiled_cache = first._compiled_cache
        return engine

    database.create_engine = create  # type: ignore[attr-defined, assignment]
