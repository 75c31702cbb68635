"""A worker killed in the midst of its work: the next one goes on, and no notice is lost or counted twice."""

from __future__ import annotations

import asyncio
import email
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlmodel import select

from config.keyring import Keyring
from models.tables import Delivery, EvidenceEntry
from starter.case_service import CaseService
from starter.resources import Resources, utc_now
from tests.support.districts import check_each_given_once, installation, many_agreements, until_given
from tests.support.incidents import OFFICER, incident
from tests.support.local_engine import PROJECT, started
from tests.support.officers import officer
from tests.support.patience import PATIENCE
from tests.support.scripted_server import scripted_server

pytestmark = pytest.mark.long

DISTRICTS = 400
WORKER = (sys.executable, "worker.py")


def environment(resources: Resources, keyring_file: Path) -> dict[str, str]:
    """How a worker process finds the installation."""
    smtp = resources.settings.smtp
    return {
        "DUENOTICE_KEYRING": str(keyring_file),
        "DUENOTICE_RELEASE": "immediate",
        "DUENOTICE_SMTP__HOST": str(smtp.host),
        "DUENOTICE_SMTP__PORT": str(smtp.port),
        "DUENOTICE_SMTP__SECURITY": smtp.security,
        "TEMPORAL_ADDRESS": resources.client.service_client.config.target_host,
    }


async def until_caught(mail: Path, count: int) -> None:
    """Wait until the mail server has so many messages."""
    async with asyncio.timeout(PATIENCE):
        while sum(1 for _ in mail.glob("*.eml")) < count:  # noqa: ASYNC110, ASYNC240 (a folder tells nobody)
            await asyncio.sleep(0.01)


async def test_a_worker_that_is_killed_while_the_server_is_slow_leaves_few_unknown(
    keyring: Keyring, keyring_file: Path, tmp_path: Path
) -> None:
    async with installation(tmp_path, keyring) as resources, scripted_server() as slow:
        references, variables = many_agreements(resources, DISTRICTS), environment(resources, keyring_file)
        slow.held = _Everybody()
        reported = await officer(CaseService(resources)).report_breach(
            incident(*references, confirmed=utc_now()), actor=OFFICER
        )
        connections = resources.settings.smtp.connections
        with started(
            WORKER, tmp_path, folder=PROJECT, **{**variables, "DUENOTICE_SMTP__PORT": str(slow.port)}
        ) as worker:
            async with asyncio.timeout(PATIENCE):
                while len(slow.messages) < connections:  # noqa: ASYNC110 (the server tells of the first alone)
                    await asyncio.sleep(0.01)
            os.killpg(worker.process.pid, signal.SIGKILL)
            assert worker.ended() == -signal.SIGKILL
        with started(WORKER, tmp_path, folder=PROJECT, **variables):
            await until_given(resources, reported.case_id)
        check_each_given_once(resources, reported.case_id)
        with resources.database.reading() as session:
            kinds = Counter(entry.kind for entry in session.exec(select(EvidenceEntry)))
    assert len(slow.messages) == kinds["delivery_unknown"] == connections


class _Everybody(dict[str, asyncio.Event]):
    """Every recipient's answer is held back."""

    def __contains__(self, address: object) -> bool:
        """Whoever it is."""
        return True

    def __missing__(self, address: str) -> asyncio.Event:
        """One event that never comes."""
        return asyncio.Event()


async def test_no_notice_is_lost_or_counted_twice_when_a_worker_is_killed_while_sending(
    keyring: Keyring, keyring_file: Path, tmp_path: Path
) -> None:
    mail = tmp_path / "mail"
    async with installation(tmp_path, keyring) as resources:
        references, variables = many_agreements(resources, DISTRICTS), environment(resources, keyring_file)
        reported = await officer(CaseService(resources)).report_breach(
            incident(*references, confirmed=utc_now()), actor=OFFICER
        )
        with started(WORKER, tmp_path, folder=PROJECT, **variables) as worker:
            await until_caught(mail, DISTRICTS // 4)
            os.killpg(worker.process.pid, signal.SIGKILL)
            assert worker.ended() == -signal.SIGKILL
        with started(WORKER, tmp_path, folder=PROJECT, **variables):
            await until_given(resources, reported.case_id)
        notices = check_each_given_once(resources, reported.case_id)
        with resources.database.reading() as session:
            attempts = {row.message_id: row.attempts for row in session.exec(select(Delivery))}
            kinds = Counter(entry.kind for entry in session.exec(select(EvidenceEntry)))

    given = Counter(email.message_from_bytes(file.read_bytes())["Message-ID"] for file in mail.glob("*.eml"))
    again = {message_id for message_id, tries in attempts.items() if tries > 1}
    assert len(attempts) == notices > DISTRICTS * 11 / 12
    assert set(attempts) <= set(given), "every notice reached the mail server"
    assert kinds["delivery_unknown"] == len(again), "the send that was broken off is recorded beside the one after it"
    assert len(again) <= resources.settings.smtp.connections, "few were under way when the worker was killed"
    assert {name for name, copies in given.items() if copies > 1} <= again, "and nothing else did"
