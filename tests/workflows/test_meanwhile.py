"""Acts that come while notices are leaving: what can still be changed is, and what cannot is followed up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from cases.breach import IncidentReport
from cases.intake import ApproximateTime
from config.keyring import Keyring
from models.enums import CaseStatus, DutyStatus
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import utc_now
from tests.support.incidents import INITIAL, NOTICE, OFFICER, QUIET, case, duties, incident, know_offices
from tests.support.officers import officer
from tests.support.patience import PATIENCE
from tests.support.post import facts_of, letters
from tests.support.scripted_server import HANG_UP, ScriptedServer, scripted_server

pytestmark = pytest.mark.long

DOWN = "421 4.3.2 Shutting down"


AGAIN = timedelta(minutes=5)
"""By when a letter that may have been lost is sent again."""


@asynccontextmanager
async def leaving(
    keyring: Keyring, folder: Path, report: IncidentReport, **script: list[str | None]
) -> AsyncIterator[tuple[VirtualEngine, ScriptedServer, UUID]]:
    """A case whose notices leave at once, and whose mail server has just done what its script says."""
    async with scripted_server(**script) as server:
        smtp = {"host": "127.0.0.1", "port": server.port, "security": "none", "connections": 1}
        settings = QUIET | {"smtp": smtp, "release": "immediate"}
        async with virtual_engine(folder, keyring=keyring, overrides=settings) as engine:
            know_offices(engine, "IL-001", "VA-001")
            reported = await officer(engine).report_breach(report, actor=OFFICER)
            async with asyncio.timeout(PATIENCE):
                while not case(engine, reported.case_id).troubles:  # noqa: ASYNC110 (it is told by SQL alone)
                    await asyncio.sleep(0.02)
            yield engine, server, reported.case_id


async def test_what_is_learnt_while_the_mail_server_is_down_is_in_the_notice(keyring: Keyring, tmp_path: Path) -> None:
    report = incident("IL-001", confirmed=utc_now())
    async with leaving(keyring, tmp_path, report, MAIL=[DOWN] * 4) as (engine, _, case_id):
        await officer(engine).learn(case_id, "parent_contact", "Sam Example, 555 0110", actor=OFFICER)
        await engine.settle(case_id)
        (notice,) = letters(engine, case_id, duties(engine, case_id, "IL")[NOTICE])
        assert "Sam Example, 555 0110" in facts_of(notice)


async def test_what_is_learnt_while_a_letter_may_be_on_its_way_follows_in_a_supplement(
    keyring: Keyring, tmp_path: Path
) -> None:
    report = incident("IL-001", confirmed=utc_now())
    async with leaving(keyring, tmp_path, report, CONTENT=[HANG_UP]) as (engine, _, case_id):
        await officer(engine).learn(case_id, "students_involved", "Those of grade 4.", actor=OFFICER)
        await engine.advance(case_id, AGAIN)
        notice, supplement = letters(engine, case_id, duties(engine, case_id, "IL")[NOTICE])
        assert "grade 4" not in facts_of(notice)
        assert "Those of grade 4." in facts_of(supplement)


async def test_a_suspicion_dismissed_while_the_mail_server_is_down_is_told_to_nobody(
    keyring: Keyring, tmp_path: Path
) -> None:
    report = incident("VA-001", expected=utc_now())
    async with leaving(keyring, tmp_path, report, MAIL=[DOWN] * 4) as (engine, server, case_id):
        await officer(engine).dismiss_breach(case_id, "It was our own backup.", actor=OFFICER)
        await engine.case(case_id).result()
        assert not server.messages
        assert duties(engine, case_id, "VA")[INITIAL].status is DutyStatus.CANCELLED


async def test_a_suspicion_dismissed_while_its_notice_may_be_on_its_way_is_taken_back(
    keyring: Keyring, tmp_path: Path
) -> None:
    report = incident("VA-001", expected=utc_now(), occurred=ApproximateTime(kind="unknown"))
    async with leaving(keyring, tmp_path, report, CONTENT=[HANG_UP]) as (engine, _, case_id):
        await officer(engine).dismiss_breach(case_id, "It was our own backup.", actor=OFFICER)
        await engine.advance(case_id, AGAIN)
        notice, dismissal = letters(engine, case_id, duties(engine, case_id, "VA")[INITIAL])
        assert dismissal["In-Reply-To"] == notice["Message-ID"]
        assert case(engine, case_id).status is CaseStatus.DISMISSED
