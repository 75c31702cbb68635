"""Refusals: an act that makes no sense is answered with a sentence, and leaves no trace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from models.errors import DuenoticeError
from queries.evidence import evidence_of
from starter.rehearsals.virtual_time import VirtualEngine


async def events(engine: VirtualEngine, case_id: UUID) -> int:
    """How many events the case's history holds."""
    return len((await engine.case(case_id).fetch_history()).events)


def entries(engine: VirtualEngine, case_id: UUID) -> int:
    """How many entries the ledger holds about the case."""
    with engine.resources.database.reading() as session:
        return len(evidence_of(session, case_id))


@asynccontextmanager
async def leaving_no_trace(engine: VirtualEngine, case_id: UUID) -> AsyncIterator[None]:
    """Hold that nothing is added to the history, nor to the ledger."""
    before = await events(engine, case_id), entries(engine, case_id)
    yield
    assert (await events(engine, case_id), entries(engine, case_id)) == before


async def refusal(act: Awaitable[object]) -> DuenoticeError:
    """The error with which an act is refused."""
    with pytest.raises(DuenoticeError) as caught:
        await act
    return caught.value
