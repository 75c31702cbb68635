"""The ledger is checked by a schedule, and at each start."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from config.keyring import Keyring
from ledger.checks import last_check
from starter.rehearsals.virtual_time import VirtualEngine
from starter.schedules import LEDGER_CHECK, keep_ledger_check
from tests.support.gate import held_engine
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.long


async def checked_after(engine: VirtualEngine, before: datetime | None) -> datetime:
    """When a check ended that is not the one before."""
    while True:
        with engine.resources.database.reading() as session:
            found = last_check(session)
        if found and found.ended_at != before:
            return found.ended_at  # what it found is another matter: tests change rows of this installation by hand
        await asyncio.sleep(0.05)


async def test_it_is_checked_at_each_start_and_as_often_as_the_setting_says(engine: VirtualEngine) -> None:
    client = engine.resources.client
    try:
        await keep_ledger_check(client, 48)
        first = await asyncio.wait_for(checked_after(engine, None), PATIENCE)
        await keep_ledger_check(client, 12)
        await asyncio.wait_for(checked_after(engine, first), PATIENCE)
        described = await client.get_schedule_handle(LEDGER_CHECK).describe()
        assert [spec.every for spec in described.schedule.spec.intervals] == [timedelta(hours=12)]
    finally:
        await client.get_schedule_handle(LEDGER_CHECK).delete()


async def test_one_that_does_not_come_to_its_end_keeps_the_next_from_nothing(keyring: Keyring, tmp_path: Path) -> None:
    """As where something is amiss and no mail leaves, so that nobody can be told."""
    async with held_engine(tmp_path, keyring) as (engine, gate):
        client = engine.resources.client
        gate.closed, gate.only = True, "check_ledger"
        await keep_ledger_check(client, 48)
        await gate.next_held("check_ledger")
        gate.closed = False
        await keep_ledger_check(client, 12)
        await asyncio.wait_for(checked_after(engine, None), PATIENCE)
