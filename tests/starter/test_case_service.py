"""The service: one case for one incident, nothing lost while Temporal is away, and refusals that name their field."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pytest
from sqlmodel import func, select
from temporalio.client import Client
from temporalio.service import RetryConfig
from temporalio.testing import WorkflowEnvironment

from cases.breach import IncidentReport
from cases.intake import ApproximateTime
from config.converter import data_converter
from config.keyring import Keyring
from models.enums import CaseStatus, DutyStatus
from models.errors import InvalidFields, Unavailable
from models.identifiers import sha256_hex
from models.tables import Artifact, Case
from queries.troubles import NOT_STARTED
from starter.case_service import CaseService
from starter.local.temporal_server import find_cli
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import INITIAL, OFFICER, case, duties, incident
from tests.support.officers import officer

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BACKWARDS = ApproximateTime(kind="range", first_day=date(2026, 3, 7), last_day=date(2026, 3, 6))


@pytest.fixture(scope="module")
async def unanswering(tmp_path_factory: pytest.TempPathFactory, keyring: Keyring) -> Client:
    """A client of a Temporal server that has gone away."""
    cli = await find_cli(None, tmp_path_factory.mktemp("cli"))
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(cli), dev_server_log_level="error"
    ) as server:
        return await Client.connect(
            server.client.service_client.config.target_host,
            data_converter=data_converter(keyring),
            retry_config=RetryConfig(max_retries=1),
        )


def without_temporal(engine: VirtualEngine, client: Client) -> CaseService:
    return CaseService(replace(engine.resources, client=client))


def cases(engine: VirtualEngine) -> int:
    with engine.resources.database.reading() as session:
        return session.exec(select(func.count()).select_from(Case)).one()


def elsewhere(instant: datetime | None) -> datetime | None:
    return instant.astimezone(timezone(timedelta(hours=-5))) if instant else None


def in_another_zone(report: IncidentReport) -> IncidentReport:
    return report.model_copy(
        update={
            "occurred": ApproximateTime(kind="instant", at=elsewhere(report.occurred.at)),
            "reasonably_expected_at": elsewhere(report.reasonably_expected_at),
            "discovered_at": elsewhere(report.discovered_at),
        }
    )


async def test_the_same_incident_posted_twice_is_one_case(engine: VirtualEngine) -> None:
    report = incident("VA-001", "OR-001", expected=utc_now())
    before = cases(engine)
    first = await officer(engine).report_breach(report, actor=OFFICER)
    again = await officer(engine).report_breach(report, actor="somebody else")
    assert (first.existed, again.existed) == (False, True)
    assert first.case_id == again.case_id
    assert cases(engine) == before + 1
    await engine.settle(first.case_id)
    assert [entry.kind for entry in case(engine, first.case_id).evidence].count("case_opened") == 1


async def test_the_same_incident_posted_twice_at_once_is_one_case(engine: VirtualEngine) -> None:
    report = incident("VA-001")
    posted = await asyncio.gather(*(officer(engine).report_breach(report, actor=OFFICER) for _ in range(4)))
    assert len({one.case_id for one in posted}) == 1
    assert sorted(one.existed for one in posted) == [False, True, True, True]


async def test_an_incident_written_in_another_zone_or_order_is_the_same(engine: VirtualEngine) -> None:
    report = incident("VA-001", "OR-001", expected=utc_now())
    first = await officer(engine).report_breach(report, actor=OFFICER)
    for same in (
        in_another_zone(report),
        report.model_copy(update={"agreements": ("OR-001", "VA-001")}),
        report.model_copy(update={"agreements": ("OR-001", "VA-001", "OR-001")}),
    ):
        again = await officer(engine).report_breach(same, actor=OFFICER)
        assert (again.case_id, again.existed) == (first.case_id, True)


async def test_an_incident_with_another_fact_is_another_case(engine: VirtualEngine) -> None:
    report = incident("VA-001")
    first = await officer(engine).report_breach(report, actor=OFFICER)
    other = await officer(engine).report_breach(report.model_copy(update={"description": "Otherwise."}), actor=OFFICER)
    assert other.case_id != first.case_id


async def test_a_report_is_kept_while_temporal_does_not_answer_and_its_clocks_start_when_it_does(
    engine: VirtualEngine, unanswering: Client
) -> None:
    expected = utc_now() - HOUR
    reported = await officer(without_temporal(engine, unanswering)).report_breach(
        incident("VA-001", expected=expected), actor=OFFICER
    )
    assert (reported.existed, reported.clocks_run) == (False, False)
    found = case(engine, reported.case_id)
    assert found.status is CaseStatus.REPORTED
    assert [trouble.sentence for trouble in found.troubles] == [NOT_STARTED]

    assert await engine.service.start_unstarted_cases() == 1
    await engine.settle(reported.case_id)
    assert case(engine, reported.case_id).troubles == ()
    assert duties(engine, reported.case_id, "VA")[INITIAL].due_at == expected + DAY
    assert await engine.service.start_unstarted_cases() == 0


async def test_an_act_while_temporal_does_not_answer_changes_nothing_and_claims_nothing(
    engine: VirtualEngine, unanswering: Client
) -> None:
    reported = await officer(engine).report_breach(incident("TN-001"), actor=OFFICER)
    await engine.settle(reported.case_id)
    with pytest.raises(Unavailable, match="does not answer, so it is not known whether"):
        await officer(without_temporal(engine, unanswering)).confirm_breach(reported.case_id, utc_now(), actor=OFFICER)
    assert "confirm" in case(engine, reported.case_id).own_acts
    assert {duty.status for duty in case(engine, reported.case_id).duties} == {DutyStatus.PENDING}


async def test_an_act_on_a_case_that_has_not_started_is_refused(engine: VirtualEngine, unanswering: Client) -> None:
    reported = await officer(without_temporal(engine, unanswering)).report_breach(incident("TN-001"), actor=OFFICER)
    with pytest.raises(Unavailable, match="The watchdog starts it from what the database holds"):
        await officer(engine).confirm_breach(reported.case_id, utc_now(), actor=OFFICER)
    with pytest.raises(Unavailable, match="The watchdog starts it from what the database holds"):
        await officer(engine).dismiss_breach(reported.case_id, "Only said here.", actor=OFFICER)
    with engine.resources.database.reading() as session:
        assert session.get(Artifact, sha256_hex(b"Only said here.")) is None, "what was refused is let go of"
    assert await engine.service.start_unstarted_cases() == 1


@pytest.mark.parametrize(
    ("field", "says", "changed"),
    [
        ("agreements", "No affected agreement is chosen.", {"agreements": ()}),
        ("agreements", "There is no agreement XX-404.", {"agreements": ("TN-001", "XX-404")}),
        ("discovered_at", "no zone", {"discovered_at": datetime(2026, 3, 7, 22, 15)}),
        ("reasonably_expected_at", "is in the future", {"reasonably_expected_at": utc_now() + DAY}),
        ("confirmed_at", "before the breach occurred", {"confirmed_at": utc_now() - 90 * DAY}),
        ("occurred", "The range ends before it begins.", {"occurred": BACKWARDS}),
    ],
)
async def test_a_report_that_cannot_be_true_is_refused_with_its_field_and_nothing_is_kept(
    engine: VirtualEngine, field: str, says: str, changed: dict[str, object]
) -> None:
    before = cases(engine)
    with pytest.raises(InvalidFields) as caught:
        await officer(engine).report_breach(incident("TN-001").model_copy(update=changed), actor=OFFICER)
    assert [problem.where for problem in caught.value.problems] == [field]
    assert says in str(caught.value)
    assert cases(engine) == before
