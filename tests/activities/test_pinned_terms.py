"""A case keeps the terms that were in force when it was opened, whatever becomes of the clause files."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import UUID

from sqlmodel import select
from temporalio.testing import ActivityEnvironment

from activities.cases import CaseActivities
from activities.duties import DutyActivities
from cases.messages import ComputeDuties, OpenCase
from models import identifiers
from models.tables import CaseAgreement, TermsSnapshot
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from terms.catalogue import CLAUSES_FOLDER, Catalogue, load_catalogue
from terms.effective import effective_terms
from tests.support.incidents import INITIAL, case, duties, incident, open_case


def pinned(engine: VirtualEngine, case_id: UUID) -> dict[UUID, str | None]:
    with engine.resources.database.reading() as session:
        rows = session.exec(select(CaseAgreement).where(CaseAgreement.case_id == case_id))
        return {row.agreement_id: row.terms_hash for row in rows}


def computation(engine: VirtualEngine, catalogue: Catalogue) -> DutyActivities:
    settings = engine.resources.settings
    return DutyActivities(engine.resources.database, catalogue, settings.defaults, settings.side, organisation="Acme")


def changed_catalogue(folder: Path) -> Catalogue:
    """The clauses with another number of hours for Virginia's initial notice."""
    shutil.copytree(CLAUSES_FOLDER, folder)
    shutil.rmtree(folder / "ndpa-v1" / "cases")
    file = folder / "ndpa-v1" / "va.yaml"
    text = file.read_text("utf-8")
    assert text.count("24 hours") or text.count("24h")
    file.write_text(text.replace("24 hours", "12 hours").replace("24h", "12h"), "utf-8")
    return load_catalogue(folder)


async def test_a_case_pins_the_hash_of_its_terms_and_the_snapshot_bears_it_out(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", "OR-001"))
    catalogue = engine.resources.catalogue
    expected = {
        identifiers.agreement_id("VA-001"): effective_terms(catalogue, "ndpa-v1", "VA", on=utc_now().date()).hash,
        identifiers.agreement_id("OR-001"): effective_terms(catalogue, "ndpa-v2", "OR", on=utc_now().date()).hash,
    }
    assert pinned(engine, case_id) == expected
    with engine.resources.database.reading() as session:
        for terms_hash in expected.values():
            assert identifiers.sha256_hex(session.get_one(TermsSnapshot, terms_hash).body) == terms_hash
    evidence = [entry for entry in case(engine, case_id).evidence if entry.kind == "terms_pinned"]
    assert {entry.body["terms_hash"] for entry in evidence} == set(expected.values())


async def test_changed_clause_files_do_not_change_an_open_case(engine: VirtualEngine, tmp_path: Path) -> None:
    case_id = await open_case(engine, incident("VA-001", expected=utc_now()))
    before, due_at = pinned(engine, case_id), duties(engine, case_id, "VA")[INITIAL].due_at
    changed = changed_catalogue(tmp_path / "clauses")
    assert effective_terms(changed, "ndpa-v1", "VA", on=utc_now().date()).hash not in before.values()

    database = engine.resources.database
    ActivityEnvironment().run(CaseActivities(database, changed).open_case, OpenCase(case_id=case_id))
    ActivityEnvironment().run(computation(engine, changed).compute_duties, ComputeDuties(case_id=case_id))

    assert pinned(engine, case_id) == before
    assert duties(engine, case_id, "VA")[INITIAL].due_at == due_at


async def test_computation_again_without_a_new_fact_changes_nothing(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", "IL-001", expected=utc_now(), confirmed=utc_now()))
    before = case(engine, case_id)
    activities = computation(engine, engine.resources.catalogue)
    again = ActivityEnvironment().run(activities.compute_duties, ComputeDuties(case_id=case_id))
    after = case(engine, case_id)
    assert (after.duties, after.evidence) == (before.duties, before.evidence)
    assert sum(batch.size for batch in again.batches) == 3
