"""The main job on PostgreSQL: reported, confirmed, told, decided by two people, learnt, supplemented, and verified."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from config.keyring import Keyring
from ledger.verify import verify_ledger
from models.columns import bind_sealer
from models.enums import CaseStatus, DutyStatus, NoticeKind, Verdict
from models.errors import Refused
from queries.case_lists import CaseFilter, cases_between, list_cases
from queries.cases import read_case_head
from queries.duties import DutyFilter, read_cohorts, read_duties
from queries.evidence import read_evidence
from queries.progress import read_progress
from records.overlooked import ALL_IDS, OpenCase, count_open, look, open_cases, open_counts, place_of
from records.troubles import WORKFLOW_STUCK, keep_troubles, trouble_sentence
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import utc_now
from tests.conftest import know_demo_agreements
from tests.support.incidents import NOTICE, OFFICER, duties, incident, open_case
from tests.support.officers import officer

pytestmark = pytest.mark.long

AUDIT = "breach.security-audit"


@pytest.fixture
async def installed(keyring: Keyring, postgresql_url: str, tmp_path: Path) -> AsyncIterator[VirtualEngine]:
    """An engine that keeps everything in PostgreSQL and sends without waiting for a release."""
    overrides = {"database_url": postgresql_url, "release": "immediate", "chase_hours": (), "reminder_fractions": ()}
    async with virtual_engine(tmp_path, keyring=keyring, overrides=overrides) as engine:
        assert engine.resources.database.engine.dialect.name == "postgresql"
        know_demo_agreements(engine)
        yield engine
    bind_sealer(keyring)


async def test_a_breach_from_report_to_supplement(installed: VirtualEngine) -> None:
    service, database = installed.service, installed.resources.database
    case_id = await open_case(installed, incident("VA-001", "OR-001", expected=utc_now()), release="immediate")
    await officer(service).confirm_breach(case_id, utc_now(), actor=OFFICER)
    await installed.settle(case_id)
    assert {duty.verdict for state in ("VA", "OR") for duty in duties(installed, case_id, state).values()} == {
        Verdict.ON_TIME,
        None,
    }

    proposal = await officer(service).propose_not_required(
        case_id, AUDIT, "no_student_data", "None of it.", actor=OFFICER
    )
    with pytest.raises(Refused, match="of their own"):
        await officer(service).decide_proposal(case_id, proposal, approve=True, actor=OFFICER)
    await officer(service).decide_proposal(case_id, proposal, approve=True, actor="counsel")
    assert duties(installed, case_id, "OR")[AUDIT].status is DutyStatus.NOT_REQUIRED

    await officer(service).learn(case_id, "impacted_individuals", "Forty pupils of one school", actor=OFFICER)
    await installed.settle(case_id)
    kinds = [notice.kind for notice in duties(installed, case_id, "OR")[NOTICE].notices]
    assert kinds == [NoticeKind.NOTICE, NoticeKind.SUPPLEMENT]

    now = utc_now()
    assert read_case_head(database, case_id, now).id == case_id
    assert sum(sum(cohort.statuses.values()) for cohort in read_cohorts(database, case_id, now)) == 4
    shown, found = read_duties(database, case_id, now, DutyFilter(state="OR"), offset=0, limit=1)
    assert (len(shown), found) == (1, 2)
    assert read_progress(database, case_id) == (), "nothing is being sent any more"
    assert read_evidence(database, case_id, offset=0, limit=5)
    with database.reading() as session:
        assert verify_ledger(session).sound


async def test_the_list_of_cases_and_what_a_sweep_reads(installed: VirtualEngine) -> None:
    database = installed.resources.database
    case_id = await open_case(installed, incident("TN-001", "OR-001", confirmed=utc_now()), release="officer")
    now = utc_now()
    listed = list_cases(database, now, CaseFilter(status=CaseStatus.OPEN), limit=5)
    (row,) = listed.items
    assert (row.id, row.agreements, listed.total, listed.next) == (case_id, 2, 1, None)
    assert list_cases(database, now, CaseFilter(kind=row.kind, state="OR"), limit=5).items == (row,)
    assert cases_between(database, case_id, case_id, limit=2) == (case_id,)
    with database.reading() as session:
        suspects = look(session, now, place_of(now), suspicious=5, in_turn=5)
        [suspect] = suspects.cases
        assert suspect == OpenCase(case_id, row.kind, None, is_behind=False, run_id=suspect.run_id)
        assert suspect.run_id, "the run that the engine started is known"
        assert open_counts(session)[row.kind] == count_open(session, row.kind, ALL_IDS) == 1
        assert open_cases(session, row.kind, ALL_IDS, now) == [case_id]
    with database.writing() as session:
        keep_troubles(session, {case_id: WORKFLOW_STUCK}, [], now)
    assert trouble_sentence(WORKFLOW_STUCK) in [
        item.sentence for item in read_case_head(database, case_id, now).troubles
    ]
