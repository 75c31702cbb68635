"""Several worker processes share the notices of a case, and one that is killed takes none of them along."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from multiprocessing import active_children
from pathlib import Path

import pytest
from sqlmodel import select

from config.keyring import Keyring
from models.tables import Delivery
from starter.case_service import CaseService
from starter.resources import utc_now
from tests.support import districts
from tests.support.districts import check_each_given_once, installation, many_agreements, until_begun, until_given
from tests.support.incidents import OFFICER, incident
from tests.support.officers import officer
from tests.support.patience import PATIENCE
from worker import further_processes

pytestmark = pytest.mark.long


async def test_a_process_that_is_killed_while_notices_leave_takes_none_along(
    keyring: Keyring, keyring_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(districts, "PATIENCE", 240)  # until two processes have begun, and one is missed
    async with installation(tmp_path, keyring) as resources:
        shutil.copy(keyring_file, resources.settings.keyring)
        references, service = many_agreements(resources, 240), CaseService(resources)
        address = resources.client.service_client.config.target_host
        async with further_processes(resources.settings, 2, address=address) as lost:
            reported = await officer(service).report_breach(incident(*references, confirmed=utc_now()), actor=OFFICER)
            await until_begun(resources, reported.case_id)
            killed = active_children()[0]
            assert killed.pid
            os.kill(killed.pid, signal.SIGKILL)
            async with asyncio.timeout(PATIENCE):
                await lost
            await until_given(resources, reported.case_id)
        assert not active_children()
        assert check_each_given_once(resources, reported.case_id) >= len(references) * 11 / 12
        with resources.database.reading() as session:
            assert max(session.exec(select(Delivery.attempts))) <= 2
