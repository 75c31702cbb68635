"""Refusals: an act that makes no sense is answered with a sentence, and leaves no trace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from models.errors import DuenoticeError
from starter.rehearsals.virtual_time import VirtualEngine
from tests.support.incidents import case


async def events(engine: VirtualEngine, case_id: UUID) -> int:
    """How many events the case's history holds."""
    return len((await engine.case(case_id).fetch_history()).events)


@asynccontextmanager
async def leaving_no_trace(engine: VirtualEngine, case_id: UUID) -> AsyncIterator[None]:
    """Hold that nothing is added to the history, nor to the ledger."""
    before = await events(engine, case_id), len(case(engine, case_id).evidence)
    yield
    assert (await events(engine, case_id), len(case(engine, case_id).evidence)) == before


async def refusal(act: Awaitable[object]) -> DuenoticeError:
    """The error with which an act is refused."""
    with pytest.raises(DuenoticeError) as caught:
        await act
    return caught.value
