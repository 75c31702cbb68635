"""The whole path in adversity: a mail server that is down, and a worker that remembers nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from config.keyring import Keyring
from models.enums import Verdict
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import utc_now
from tests.support.incidents import INITIAL, OFFICER, case, duties, incident, know_offices, only_notice, open_case
from tests.support.officers import officer
from tests.support.patience import PATIENCE
from tests.support.scripted_server import HANG_UP, scripted_server
from worker import build_worker

pytestmark = pytest.mark.long

HOUR = timedelta(hours=1)


async def troubled(engine: VirtualEngine, attempts: int) -> str:
    """Report a breach whose notice leaves at once, and wait until its case tells of a trouble; return that.

    Its message is then handed over, ``attempts`` times in all: where no server took a byte of it, that is the first.
    """
    report = incident("VA-001", expected=utc_now())
    reported = await officer(engine).report_breach(report, actor=OFFICER)
    async with asyncio.timeout(PATIENCE):
        while not (found := case(engine, reported.case_id)).troubles:  # noqa: ASYNC110 (it is told by SQL alone)
            await asyncio.sleep(0.02)
    assert [duty.performed_at for duty in found.duties] == [None, None]
    await engine.advance(reported.case_id, timedelta(minutes=5))
    assert case(engine, reported.case_id).troubles == ()
    duty = duties(engine, reported.case_id, "VA")[INITIAL]
    assert duty.performed_at
    assert only_notice(duty).deliveries[0].attempts == attempts
    return found.troubles[0].sentence


async def test_a_notice_waits_for_the_mail_server_and_leaves_when_it_is_back(keyring: Keyring, tmp_path: Path) -> None:
    async with scripted_server() as server:
        smtp = {"host": "127.0.0.1", "port": server.port, "security": "none", "connections": 1}
        async with virtual_engine(
            tmp_path, keyring=keyring, overrides={"smtp": smtp, "release": "immediate"}
        ) as engine:
            know_offices(engine, "VA-001", "TN-001")
            server.script = {"MAIL": ["421 4.3.2 Shutting down"] * 4}
            assert "The mail server does not take mail" in await troubled(engine, attempts=1)
            assert len(server.messages) == 1
            server.script = {"CONTENT": [HANG_UP]}
            assert "The connection was lost" in await troubled(engine, attempts=2)
            assert len(server.messages) == 3, "one that may not have arrived, and the same again"
            assert server.messages[1] == server.messages[2]


async def test_a_case_goes_on_with_a_worker_that_remembers_nothing(keyring: Keyring, tmp_path: Path) -> None:
    async with virtual_engine(tmp_path, keyring=keyring, worker=partial(build_worker, cached_workflows=0)) as engine:
        know_offices(engine, "VA-001", "TN-001")
        case_id = await open_case(engine, incident("VA-001", "TN-001", expected=utc_now()))
        now = await engine.advance(case_id, 25 * HOUR)
        await officer(engine).confirm_breach(case_id, now, actor=OFFICER)
        await engine.advance(case_id, 73 * HOUR)
        assert [duty.verdict for duty in case(engine, case_id).duties] == [Verdict.ON_TIME] * 3
        assert len(list(engine.mail.glob("*.eml"))) == 3
