"""Heads of the ledger are signed by a schedule, over what is new since the one before."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlmodel import select

from cases.messages import HeadsKept, KeepHeads
from ledger.checkpoints import newest_head
from ledger.log_keys import create_log_key
from ledger.verify_bundle import read_checkpoint
from models import identifiers
from models.tables import LedgerHead
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from starter.schedules import HEADS, keep_heads
from workflows.heads import HeadsWorkflow

pytestmark = pytest.mark.long


async def keep(engine: VirtualEngine) -> HeadsKept:
    return await engine.resources.client.execute_workflow(
        HeadsWorkflow.run, KeepHeads(), id=f"heads:{uuid4()}", task_queue=identifiers.TASK_QUEUE
    )


async def test_a_head_is_signed_over_what_is_new_and_none_where_nothing_is(engine: VirtualEngine) -> None:
    keys = create_log_key(engine.resources.settings.log_key, "provider.test", utc_now() - timedelta(minutes=1))
    with engine.resources.database.reading() as session:
        length = session.exec(select(LedgerHead.length)).one()
    assert await keep(engine) == HeadsKept(signed=1, size=length)
    with engine.resources.database.reading() as session:
        head = newest_head(session)
    assert head is not None
    assert read_checkpoint(head.note).signers(keys.keys) == keys.keys
    assert await keep(engine) == HeadsKept(signed=0, size=length)


async def test_the_schedule_is_kept_as_the_setting_says(engine: VirtualEngine) -> None:
    client = engine.resources.client
    await keep_heads(client, 7)
    try:
        described = await client.get_schedule_handle(HEADS).describe()
        assert [spec.every for spec in described.schedule.spec.intervals] == [timedelta(minutes=7)]
    finally:
        await client.get_schedule_handle(HEADS).delete()
