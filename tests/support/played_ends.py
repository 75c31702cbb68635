"""Agreements that end in virtual time: terminated, told of, disposed of, or taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from agreements.subprocessors import import_subprocessors
from cases.acts import SetDate
from models.enums import EndedBy, LifeAct
from starter.agreement_service import AgreementService
from starter.case_service import CaseService
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.directives import HOSTING, address_of
from tests.support.dispositions import DAY, LADDER, certify
from tests.support.incidents import OFFICER, QUIET
from tests.support.officers import officer


def agreements_of(engine: VirtualEngine) -> AgreementService:
    """Where the lives of the engine's agreements are recorded, with settings that leave out what is not looked at."""
    settings = engine.resources.settings.model_copy(update=QUIET | LADDER)
    return AgreementService(CaseService(replace(engine.resources, settings=settings)))


async def terminated_in(engine: VirtualEngine, reference: str, *subprocessors: str) -> UUID:
    """Record that an LEA terminated an agreement yesterday, and let the case that this opens come to rest."""
    rows = "".join(f"{reference},{name},{address_of(name)},Rosters\n" for name in subprocessors)
    if rows:
        import_subprocessors(
            engine.resources.database,
            f"agreement,name,email,data\n{rows}",
            file_name="subprocessors.csv",
            now=utc_now(),
            actor=OFFICER,
        )
    yesterday = utc_now().date() - DAY
    recorded = await agreements_of(engine).record(
        reference, LifeAct.TERMINATE, on=yesterday, by=EndedBy.LEA, reason="Another service.", actor=OFFICER
    )
    assert recorded.opened
    assert recorded.case_id
    await engine.settle(recorded.case_id)
    return recorded.case_id


async def disposed_of_after_the_end(engine: VirtualEngine, reference: str = "NY-001") -> UUID:
    """Prior notice is given, its 90 days run, the holders confirm, and the provider certifies."""
    case_id = await terminated_in(engine, reference, HOSTING)
    planned = (await engine.now(case_id)).date() + timedelta(days=95)
    await engine.service.take(case_id, SetDate(name="disposal", first_day=planned), actor=OFFICER)
    await engine.settle(case_id)
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    await engine.advance(case_id, 96 * DAY)
    await certify(engine, case_id, HOSTING)
    await certify(engine, case_id, "provider")
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    return case_id


async def ended_by_mistake(engine: VirtualEngine, reference: str = "NY-001") -> UUID:
    """The LEA has its prior notice and the holder is asked; then the record of the termination is taken back."""
    case_id = await terminated_in(engine, reference, HOSTING)
    planned = (await engine.now(case_id)).date() + timedelta(days=95)
    await engine.service.take(case_id, SetDate(name="disposal", first_day=planned), actor=OFFICER)
    await engine.settle(case_id)
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    await agreements_of(engine).record(
        reference, LifeAct.TAKE_BACK, on=None, by=None, reason="It was another district.", actor=OFFICER
    )
    await engine.settle(case_id)
    return case_id
