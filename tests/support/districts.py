"""Many districts at once, and an installation on real time that can hold them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from uuid import UUID

from sqlmodel import Session, col, func, select
from temporalio.testing import WorkflowEnvironment

from agreements.importing import import_agreements
from config.converter import data_converter
from config.keyring import Keyring
from config.settings import Settings
from ledger.entries import NoticeGiven
from ledger.verify import verify_ledger
from mail.catcher import start_catcher
from models.enums import DeliveryStatus, DutyStatus
from models.search_attributes import REGISTRY
from models.tables import Delivery, Duty, EvidenceEntry, Notice
from starter.local.temporal_server import LOOPBACK, find_cli
from starter.rehearsals.districts import Counts, make_districts, scaled
from starter.resources import Resources, open_database, utc_now
from terms.catalogue import load_catalogue
from tests.support.incidents import AUDIT, OFFICER
from tests.support.patience import PATIENCE


def many_agreements(resources: Resources, count: int) -> tuple[str, ...]:
    """Import so many fictional districts, of each state as many as of the others; return their references."""
    catalogue = resources.catalogue
    of_each: Counts = {form: dict.fromkeys(catalogue.states(form), 1) for form in catalogue.forms}
    made = make_districts(catalogue, (scaled(of_each, count),), signed=date(2025, 1, 12))
    import_agreements(resources.database, catalogue, made.file, file_name="many.csv", now=utc_now(), actor=OFFICER)
    return made.groups[0]


@asynccontextmanager
async def installation(home: Path, keyring: Keyring, *server_arguments: str) -> AsyncIterator[Resources]:
    """Everything but a worker: a Temporal server of its own, and a catcher in ``home/mail``."""
    catcher = await start_catcher(home / "mail")
    smtp = {"host": LOOPBACK, "port": catcher.port, "security": "none"}
    settings = Settings.model_validate({"home": home, "release": "immediate", "chase_hours": (), "smtp": smtp})
    server = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(await find_cli(None, home / "temporal-cli")),
        dev_server_extra_args=list(server_arguments),
        dev_server_log_level="error",
        data_converter=data_converter(keyring),
        search_attributes=REGISTRY,
    )
    async with server:
        database = open_database(settings, keyring)
        try:
            yield Resources(settings, keyring, database, load_catalogue(), server.client)
        finally:
            database.close()
            await catcher.stop()


async def until_begun(resources: Resources, case_id: UUID) -> None:
    """Wait until notices of the case leave."""
    await _until(resources, case_id, lambda notices, given: given > 0)


async def until_given(resources: Resources, case_id: UUID) -> None:
    """Wait until the case has notices, and all of them are given."""
    await _until(resources, case_id, lambda notices, given: 0 < notices == given)


async def _until(resources: Resources, case_id: UUID, reached: Callable[[int, int], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not reached(*await asyncio.to_thread(_count, resources, case_id)):  # noqa: ASYNC110 (SQL tells nobody)
            await asyncio.sleep(0.1)


def _count(resources: Resources, case_id: UUID) -> tuple[int, int]:
    """How many notices a case has, and how many are given."""
    with resources.database.reading() as session:
        return session.exec(
            select(func.count(), func.count(col(Notice.given_at))).where(Notice.case_id == case_id)
        ).one()


def check_each_given_once(resources: Resources, case_id: UUID) -> int:
    """Hold that every notice was accepted, performed its duty and left evidence, once; return how many there are."""
    with resources.database.reading() as session:
        notices = session.exec(select(Notice.id).where(Notice.case_id == case_id)).all()
        accepted = session.exec(select(Delivery.notice_id).where(Delivery.status == DeliveryStatus.ACCEPTED)).all()
        told = _subjects(session, case_id, NoticeGiven.kind)
        untold = select(Duty.id).where(Duty.case_id == case_id, Duty.clause != AUDIT, col(Duty.due_at).is_not(None))
        assert sorted(accepted) == sorted(notices)
        assert sorted(told) == sorted(str(notice) for notice in notices)
        assert not session.exec(untold.where(Duty.status == DutyStatus.RUNNING)).all()
        assert verify_ledger(session).sound
    return len(notices)


def _subjects(session: Session, case_id: UUID, kind: str) -> list[str]:
    rows = session.exec(
        select(EvidenceEntry.subject).where(EvidenceEntry.case_id == case_id, EvidenceEntry.kind == kind)
    )
    return [subject for subject in rows if subject]
