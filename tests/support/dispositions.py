"""Directives that are played in virtual time: opened, answered by the holders' links, and confirmed to the LEA."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from sqlmodel import select

from agreements.subprocessors import import_subprocessors
from cases.certificate import HolderSays
from cases.disposition import DISPOSITION, Directive
from mail.facts import checked_address
from models.enums import HolderAnswerKind
from models.identifiers import agreement_id
from models.tables import AgreementContact
from records.holder_links import GivenByHolder, give_holder_answer
from starter.case_service import CaseService
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.directives import ASKED_BY, BACKUP, HOSTING, DirectiveInSql, address_of, certificate, directive
from tests.support.incidents import OFFICER, QUIET
from tests.support.officers import officer

DAY = timedelta(days=1)
LADDER: dict[str, object] = {"holder_fractions": (0.5, 0.9), "holder_hours_before": (24, 0)}


async def open_for(engine: VirtualEngine, reference: str, *subprocessors: str, **settings: object) -> UUID:
    """Enter a directive that a designated contact of an agreement signed today, and let its case come to rest."""
    rows = "".join(f"{reference},{name},{address_of(name)},Rosters\n" for name in subprocessors)
    if rows:
        import_subprocessors(
            engine.resources.database,
            f"agreement,name,email,data\n{rows}",
            file_name="subprocessors.csv",
            now=utc_now(),
            actor=OFFICER,
        )
    changed = engine.resources.settings.model_copy(update=QUIET | LADDER | settings)
    service = CaseService(replace(engine.resources, settings=changed))
    opened = await service.open_case(DISPOSITION, signed_today(engine, reference), actor=OFFICER)
    assert opened.clocks_run
    await engine.settle(opened.case_id)
    return opened.case_id


def signed_today(engine: VirtualEngine, reference: str) -> Directive:
    """A directive that the first contact of an agreement signed today."""
    with engine.resources.database.reading() as session:
        contact = session.exec(
            select(AgreementContact).where(AgreementContact.agreement_id == agreement_id(reference))
        ).first()
    assert contact
    signatory = {"name": contact.name, "email": checked_address(contact.email)}
    return directive(reference, disposal_requested=utc_now().date(), representative=signatory)


async def certify(engine: VirtualEngine, case_id: UUID, holder: str) -> None:
    """Give a holder's certificate through its link, and let the case take it in."""
    done = certificate((await engine.now(case_id)).date())
    await answer_by_link(engine, case_id, holder, done, HolderAnswerKind.CERTIFICATE)


async def answer_by_link(
    engine: VirtualEngine, case_id: UUID, holder: str, says: HolderSays, kind: HolderAnswerKind
) -> None:
    """Give a holder's answer through its link, and let the case take it in."""
    now = await engine.now(case_id)
    database = engine.resources.database
    digest = DirectiveInSql(database, case_id, now).tasks()[holder].link_digest
    assert digest, f"{holder} was sent no link"
    given = GivenByHolder(kind, says)
    await asyncio.to_thread(give_holder_answer, database, digest, given, asked_by=ASKED_BY, actor="holder", now=now)
    await engine.service.look_again(case_id)
    await engine.settle(case_id)


async def confirmed_by_each_holder(engine: VirtualEngine, reference: str = "IL-001") -> UUID:
    """Two subprocessors are asked, one answers only after reminders, then the provider confirms and the LEA is told."""
    case_id = await open_for(engine, reference, HOSTING, BACKUP)
    await engine.advance(case_id, 3 * DAY)
    await certify(engine, case_id, HOSTING)
    # At whatever hour of the day this is played: after nine tenths of the time, and before the last day of it.
    await engine.advance(case_id, 25.5 * DAY)
    await certify(engine, case_id, BACKUP)
    await certify(engine, case_id, "provider")
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    return case_id
