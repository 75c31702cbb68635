"""The main job without a browser: a suspected breach at four districts, in virtual time."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console

from cases.breach import BREACH, Confirm, IncidentReport
from cases.intake import ApproximateTime, Person
from config.logging import configure_logging
from config.settings import load_settings
from models.enums import Verdict
from models.phrases import counted, instant_words
from queries.cases import read_case
from queries.views import CaseView
from records.agreements import DEMO_FILE, import_agreements
from starter.cli.cases import duty_table
from starter.cli.console import wide_console
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import utc_now

ACTOR = "demo"
AGREEMENTS = ("VA-001", "MO-001", "IL-001", "OR-001")
CONFIRMED_AFTER = timedelta(hours=20)
UNTIL_ALL_IS_DUE = timedelta(hours=80)


async def run() -> int:
    """Run the demonstration and print what happened; return 0 if every notice went out on time."""
    settings = load_settings()
    configure_logging(settings.model_copy(update={"log_level": "error"}))
    console = wide_console()
    with tempfile.TemporaryDirectory(prefix="duenotice-demo-") as folder:
        async with virtual_engine(Path(folder), cli=settings.temporal_cli) as engine:
            case = await _run(engine, console)
            caught = len(list(engine.mail.glob("*.eml")))
    console.print(f"\n{counted(caught, 'message was', 'messages were')} caught on the way out.")
    told = [duty for duty in case.duties if duty.notices]
    on_time = told and all(duty.verdict is Verdict.ON_TIME for duty in told)
    console.print("Every notice went out on time." if on_time else "A notice did not go out on time.")
    return 0 if on_time else 1


async def _run(engine: VirtualEngine, console: Console) -> CaseView:
    database = engine.resources.database
    import_agreements(
        database,
        engine.resources.catalogue,
        DEMO_FILE.read_text("utf-8"),
        file_name=DEMO_FILE.name,
        now=utc_now(),
        actor=ACTOR,
    )
    case = await engine.service.open_case(BREACH, _report(), actor=ACTOR)
    case_id = case.case_id
    await engine.settle(case_id)
    _say(console, await engine.now(case_id), "a suspected breach is reported: clocks from suspicion run")
    now = await engine.advance(case_id, CONFIRMED_AFTER)
    await engine.service.take(case_id, Confirm(confirmed_at=now), actor=ACTOR)
    _say(console, now, "the breach is confirmed: clocks from confirmation run")
    now = await engine.advance(case_id, UNTIL_ALL_IS_DUE)
    _say(console, now, "nobody released the notices, so each left at its last safe moment\n")
    view = read_case(database, case_id, now)
    console.print(duty_table(view))
    return view


def _say(console: Console, now: datetime, text: str) -> None:
    console.print(f"{instant_words(now)}  {text}")


def _report() -> IncidentReport:
    now = utc_now()
    officer = Person(name="Robin Example", email="robin@provider.example.org", phone="+1 555 0102")
    return IncidentReport(
        title="Credential stuffing against the quiz service",
        occurred=ApproximateTime(
            kind="range", first_day=(now - timedelta(days=3)).date(), last_day=(now - timedelta(days=2)).date()
        ),
        reasonably_expected_at=now - timedelta(hours=1),
        discovered_at=now - timedelta(hours=2),
        description="Passwords leaked elsewhere were tried against pupil accounts, and some of them worked.",
        data_types=("Student name", "Student app username", "Course grades"),
        agreements=AGREEMENTS,
        reporter=officer,
        point_of_contact=officer,
    )
