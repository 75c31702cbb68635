"""A sixth kind of case from outside: opened, acted on, timed, proved and replayed without a change of the engine.

All that it consists of stands in ``tests/support/recall/``.
"""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import yaml
from temporalio.worker import Replayer

from cases import kinds
from config.converter import data_converter
from config.keyring import Keyring
from models.enums import CaseStatus, DutyStatus, Verdict
from models.errors import InvalidInput
from queries.cases import read_case
from queries.views import CaseView, DutyView
from starter.rehearsals.run import run_scenario
from starter.rehearsals.scenario import read_scenario
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import utc_now
from terms import catalogue
from tests.conftest import know_demo_agreements
from tests.support.incidents import letter, text
from tests.support.installation import Installation, Visitor
from tests.support.recall.kind import RECALL, Extent
from tests.support.shell import Shell
from worker import all_workflows, sandbox

DAY = timedelta(days=1)
CLAUSES = Path(__file__).parents[1] / "support" / "recall" / "clauses.yaml"
COORDINATOR = "Robin Example <robin@provider.example.org>"


@pytest.fixture(scope="module", autouse=True)
def _known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The kind is registered, and its event and clauses stand among the others."""
    folder = tmp_path_factory.mktemp("with-recalls") / "clauses"
    shutil.copytree(catalogue.CLAUSES_FOLDER, folder)
    anchors = folder / "anchors.yaml"
    words = anchors.read_text("utf-8").replace(
        "\nanchors:\n", "\nanchors:\n  ordered: ordered\n  collected: collected\n"
    )
    anchors.write_text(f"{words}  recall: {{label: A recall of devices, anchors: [ordered, requested, collected]}}\n")
    standard = folder / "ndpa-v1" / "standard.yaml"
    cited = standard.read_text("utf-8").replace("  places:\n", "  places:\n    Article V, Section 9: 1\n")
    added = "".join(f"  {line}" for line in CLAUSES.read_text("utf-8").splitlines(keepends=True))
    standard.write_text(cited + added)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "CLAUSES_FOLDER", folder)
        kinds.register(RECALL)
        yield
        del kinds.KINDS[RECALL.name]


@pytest.fixture(scope="module")
async def recalling(
    _known: None, keyring: Keyring, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[VirtualEngine]:
    async with virtual_engine(tmp_path_factory.mktemp("recalling"), keyring=keyring) as engine:
        know_demo_agreements(engine)
        yield engine


@pytest.fixture
def commands(
    recalling: VirtualEngine,
    keyring_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Shell:
    """The command line, in an environment that names this engine."""
    settings, client = recalling.resources.settings, recalling.resources.client
    # The site logs in this process too, and its loggers would keep what the first command configured.
    monkeypatch.setattr("starter.cli.console.configure_logging", lambda settings: None)
    for name, value in {
        "DUENOTICE_HOME": settings.home,
        "DUENOTICE_KEYRING": keyring_file,
        "DUENOTICE_LOG_LEVEL": "error",
        "TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "COLUMNS": 250,
    }.items():
        monkeypatch.setenv(name, str(value))
    return Shell(capsys)


@pytest.fixture
async def officer(recalling: VirtualEngine) -> Visitor:
    return await Installation(recalling.resources).officer()


def order(title: str, requested_at: datetime, **changed: object) -> dict[str, object]:
    """What JSON gives of a recall."""
    return {
        "title": title,
        "devices": "Tablets of model T-9.",
        "extent": Extent.SOME_MODELS,
        "ordered": {"kind": "date", "first_day": f"{requested_at:%Y-%m-%d}"},
        "requested_at": requested_at.isoformat(),
        "coordinator": {"name": "Robin Example", "email": "robin@provider.example.org"},
        "agreements": ["VA-001"],
        **changed,
    }


def options(given: dict[str, object]) -> list[str]:
    """The same on the command line."""
    return [
        "--title", str(given["title"]), "--devices", str(given["devices"]), "--extent", str(given["extent"]),
        "--ordered", str(given["requested_at"])[:10], "--requested-at", str(given["requested_at"]),
        "--coordinator", COORDINATOR, "--agreement", "VA-001", "--yes",
    ]  # fmt: skip


def form(given: dict[str, object]) -> dict[str, object]:
    """The same as a person fills in the page."""
    return {
        **{name: given[name] for name in ("title", "devices", "extent", "requested_at")},
        "act": "open",
        "checked": "yes",
        "zone": "UTC",
        "ordered_kind": "date",
        "ordered_on": str(given["requested_at"])[:10],
        "coordinator_name": "Robin Example",
        "coordinator_email": "robin@provider.example.org",
        "chosen": "VA-001",
    }


def seen(engine: VirtualEngine, case_id: UUID, now: datetime) -> CaseView:
    return read_case(engine.resources.database, case_id, now)


def duty(engine: VirtualEngine, case_id: UUID, clause: str, now: datetime) -> DutyView:
    (found,) = (duty for duty in seen(engine, case_id, now).duties if duty.clause == clause)
    return found


async def opened(commands: Shell, given: dict[str, object]) -> UUID:
    said = await commands("recall", "order", *options(given))
    assert said.code == 0, said.err
    found = re.search(r"is reported: (\S+)", said.out)
    assert found, said.out
    return UUID(found[1])


async def test_the_same_order_is_one_case_from_every_face(
    recalling: VirtualEngine, commands: Shell, officer: Visitor
) -> None:
    given = order("Swollen batteries", utc_now().replace(microsecond=0))
    case_id = await opened(commands, given)
    page = await officer.send("/cases/new/recall", "/cases/new/recall", form(given))
    assert page.headers["location"] == f"/cases/{case_id}?done=already#done"
    answer = await officer.http.post("/api/cases/new/recall", json=given)
    assert (answer.status_code, answer.json()) == (200, {"case_id": str(case_id), "existed": True})
    await recalling.settle(case_id)
    assert seen(recalling, case_id, utc_now()).kind == "recall"


async def test_its_form_is_made_from_what_it_asks(officer: Visitor) -> None:
    page = html.unescape((await officer.get("/cases/new/recall")).text)
    for label in (
        "Order a recall",
        "Which devices?",
        "How many of them?",
        "Every device",
        "When was the recall ordered?",
    ):
        assert label in page
    assert "Security Office" in page, "the provider's contact is filled in"
    empty = await officer.send("/cases/new/recall", "/cases/new/recall", {"act": "open"})
    assert empty.status_code == 422
    assert "Nothing is chosen." in empty.text
    assert "data_types" not in empty.text


@pytest.mark.long
async def test_it_is_played_to_its_end_and_proved(
    recalling: VirtualEngine, commands: Shell, officer: Visitor, keyring: Keyring
) -> None:
    case_id = await opened(commands, order("Faulty chargers", utc_now().replace(microsecond=0)))
    now = await recalling.advance(case_id, 4 * DAY)
    told = duty(recalling, case_id, "recall.notice", now)
    assert (told.status, told.verdict) == (DutyStatus.PERFORMED, Verdict.ON_TIME)
    assert "recalls devices that were lent to students of Blue Ridge" in text(letter(recalling, case_id, told))
    assert letter(recalling, case_id, told)["Subject"].startswith("Notice of a recall of devices: Blue Ridge")

    returned = duty(recalling, case_id, "recall.return", now)
    assert returned.status is DutyStatus.RUNNING, "no notice stands for a confirmation"
    collect: dict[str, object] = {
        "collected_at": f"{now:%Y-%m-%dT%H:%M}",
        "zone": "UTC",
        "report": "All 40 came back.",
        "sent_as": "",
        "checked": "yes",
    }
    done = await officer.send(f"/cases/{case_id}", f"/cases/{case_id}/acts/collect", collect)
    assert done.status_code == 303, done.text
    assert "The devices are back." in (await officer.get(done.headers["location"])).text
    again = await officer.send(f"/cases/{case_id}", f"/cases/{case_id}/acts/collect", collect)
    assert "The devices are collected already." in again.text

    now = await recalling.advance(case_id, 8 * DAY)
    assert duty(recalling, case_id, "recall.return", now).overdue
    said = await commands(
        "recall", "confirm-done", str(case_id), "recall.return", "--agreement", "VA-001", "--particulars", "All back."
    )
    assert said.code == 0, said.err
    await recalling.settle(case_id)
    returned = duty(recalling, case_id, "recall.return", now)
    assert (returned.status, returned.verdict) == (DutyStatus.PERFORMED, Verdict.LATE)

    case = seen(recalling, case_id, now)
    assert case.status is CaseStatus.CLOSED
    kinds_of_evidence = {entry.kind for entry in case.evidence}
    assert {"case_opened", "notice_given", "act.collect", "act.confirm-done"} <= kinds_of_evidence
    assert "40 came back" not in json.dumps([entry.body for entry in case.evidence])
    verified = await commands("ledger", "verify")
    assert verified.code == 0, verified.err

    history = await recalling.case(case_id).fetch_history()
    replayer = Replayer(workflows=all_workflows(), data_converter=data_converter(keyring), workflow_runner=sandbox())
    await replayer.replay_workflow(history)


@pytest.mark.long
async def test_it_is_rehearsed(keyring: Keyring, tmp_path: Path) -> None:
    asked_at = datetime(2026, 3, 2, 15, tzinfo=UTC)
    intake = {name: value for name, value in order("Swollen batteries", asked_at).items() if name != "agreements"}
    timeline = [
        {"at": "2026-03-02T16:00:00Z", "act": "order", "says": "The recall is ordered."},
        {"at": "2026-03-20T16:00:00Z", "act": "collect", "says": "All came back."},
    ]
    scenario = {
        "title": "A recall",
        "about": "It is told in time and collected late.",
        "zone": "America/New_York",
        "districts": {"signed": "2025-07-01", "counts": {"ndpa-v1": {"VA": 1}}},
        "case": {"kind": "recall", "intake": intake},
        "timeline": timeline,
        "until": "2026-03-21T16:00:00Z",
    }
    written = tmp_path / "recall.yaml"
    written.write_text(yaml.safe_dump(json.loads(json.dumps(scenario))), "utf-8")
    result = await run_scenario(read_scenario(str(written)), tmp_path / "engine", keyring=keyring)
    assert [happening.act for happening in result.happenings if happening.act] == ["order", "collect"]
    came_off = {total.clause: (total.met, total.unmet) for total in result.totals}
    assert came_off == {"recall.notice": (1, 0), "recall.return": (0, 1)}, "collecting is not yet the written word"
    timeline.append({"at": "2026-03-20T17:00:00Z", "act": "confirm", "says": "It is confirmed."})
    written.write_text(yaml.safe_dump(json.loads(json.dumps(scenario))), "utf-8")
    with pytest.raises(InvalidInput, match="No device recall case has an act 'confirm'"):
        read_scenario(str(written))
