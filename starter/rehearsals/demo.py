"""The main jobs without a browser, in virtual time: a case of each kind."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from agreements.importing import DEMO_FILE, import_agreements
from cases.acts import Act, ConfirmDone
from cases.breach import BREACH, Confirm, IncidentReport
from cases.disposition import DISPOSITION, AddHolder, Directive
from cases.intake import ApproximateTime, Intake, Person
from cases.kind import Kind
from cases.parent_access import PARENT_ACCESS, AccessRequest, Correct, Give, NoteInaccuracy
from config.logging import configure_logging
from config.settings import load_settings
from ledger.bundle import Scope
from ledger.entries import stored_kinds
from ledger.log_keys import create_log_key
from ledger.verify_bundle import INTACT, check
from models.enums import Verdict
from models.identifiers import case_reference
from models.phrases import counted, instant_words
from queries.cases import read_case
from queries.views import CaseView
from starter.cli.cases import duty_table
from starter.cli.evidence import what_was_written
from starter.cli.progress import counting
from starter.evidence import export_bundle
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import utc_now
from starter.terminal import Terminal, wide_terminal

ACTOR = "demo"
BREACHED = ("VA-001", "MO-001", "IL-001", "OR-001")
DISPOSING, ASKING = "TN-001", "IL-001"
HOLDER = "Example Hosting LLC"
CONFIRMED_AFTER = timedelta(hours=20)
UNTIL_ALL_IS_DUE = timedelta(hours=80)
DAY = timedelta(days=1)


async def run() -> int:
    """Run the demonstration, print what happened, and export and check the evidence of each case.

    Returns 0 if every notice went out on time, and the evidence holds.
    """
    settings = load_settings()
    configure_logging(settings.model_copy(update={"log_level": "error"}))
    console = wide_terminal()
    with tempfile.TemporaryDirectory(prefix="duenotice-demo-") as folder:
        async with virtual_engine(Path(folder), cli=settings.temporal_cli) as engine:
            resources = engine.resources
            import_agreements(
                resources.database,
                resources.catalogue,
                DEMO_FILE.read_text("utf-8"),
                file_name=DEMO_FILE.name,
                now=utc_now(),
                actor=ACTOR,
            )
            stage = _Stage(engine, console)
            cases = [await play(stage) for play in (_breach, _disposition, _access)]
            caught = len(list(engine.mail.glob("*.eml")))
            console.print(f"\n{counted(caught, 'message was', 'messages were')} caught on the way out.")
            intact = _export(stage, cases, settings.home / "demo-evidence")
    met = [duty for case in cases for duty in case.duties if duty.notices or duty.verdict]
    on_time = met and all(duty.verdict is Verdict.ON_TIME for duty in met)
    console.print("Everything was done on time." if on_time else "Something was not done on time.")
    return 0 if on_time and intact else 1


def _export(stage: _Stage, cases: Sequence[CaseView], folder: Path) -> bool:
    """Export the evidence of each case into a folder, check it, and say so; whether all of it holds."""
    resources, now = stage.engine.resources, utc_now()
    keys = create_log_key(resources.settings.log_key, "demo.example.org", now)
    for each in (folder.parent, folder):
        each.mkdir(parents=True, exist_ok=True, mode=0o700)
    stage.console.print("\nThe evidence of each case, as an auditor gets it:")
    verdicts = []
    for case in cases:
        file = folder / f"{case.kind}-{case_reference(case.id)}.zip"
        with counting() as watch:
            scope = Scope(case.id)
            made = export_bundle(
                resources.database, resources.settings, scope, file, actor=ACTOR, now=now, as_sent=True, watch=watch
            )
            verdict = check(file, trusted=keys.keys, known_kinds=stored_kinds(), watch=watch)
        verdicts.append(verdict)
        stage.console.print(f"  {what_was_written(made)}", soft_wrap=True)
        stage.console.print(f"    checked: {verdict.state}" + (f", {verdict.words()}" if verdict.step else ""))
    stage.console.print("Check them without us: unpack verify.py of one, and run: python3 verify.py FILE.zip")
    return all(verdict.state == INTACT for verdict in verdicts)


@dataclass(frozen=True)
class _Stage:
    """Where the cases are played, and where it is told."""

    engine: VirtualEngine
    console: Terminal

    async def open(self, kind: Kind, intake: Intake, says: str) -> UUID:
        """Open a case."""
        case = await self.engine.service.open_case(kind, intake, actor=ACTOR)
        await self.engine.settle(case.case_id)
        await self.say(case.case_id, says)
        return case.case_id

    async def act(self, case_id: UUID, act: Act, says: str) -> None:
        """Do an act in a case."""
        await self.engine.service.take(case_id, act, actor=ACTOR)
        await self.engine.settle(case_id)
        await self.say(case_id, says)

    async def end(self, case_id: UUID, after: timedelta, says: str) -> CaseView:
        """Let a case live on, and show how each duty of it was met."""
        now = await self.engine.advance(case_id, after)
        await self.say(case_id, f"{says}\n")
        view = read_case(self.engine.resources.database, case_id, now)
        self.console.print(duty_table(view))
        self.console.print()
        return view

    async def say(self, case_id: UUID, text: str) -> None:
        """Tell what happened, and when by the case's clock."""
        self.console.print(f"{instant_words(await self.engine.now(case_id))}  {text}")


async def _breach(stage: _Stage) -> CaseView:
    case_id = await stage.open(BREACH, _report(), "a suspected breach is reported: clocks from suspicion run")
    now = await stage.engine.advance(case_id, CONFIRMED_AFTER)
    await stage.act(case_id, Confirm(confirmed_at=now), "the breach is confirmed: clocks from confirmation run")
    return await stage.end(
        case_id, UNTIL_ALL_IS_DUE, "nobody released the notices, so each left at its last safe moment"
    )


async def _disposition(stage: _Stage) -> CaseView:
    """A directive whose data a subprocessor holds too: it confirms first, then the provider, then the LEA is told."""
    case_id = await stage.open(
        DISPOSITION, _directive(), "an LEA directs that its data is disposed of; a designated contact signed it"
    )
    holder = {"contact": f"{HOLDER} <privacy@hosting.example.org>", "data": "The database with rosters."}
    await stage.act(case_id, AddHolder.model_validate(holder), "the company that hosts the data is asked as well")
    await stage.engine.advance(case_id, 10 * DAY)
    done = {"clause": "disposition.request", "agreement": DISPOSING, "particulars": "Purged, and read back."}
    theirs = ConfirmDone.model_validate({**done, "holder": HOLDER})
    await stage.act(case_id, theirs, "it confirms that it disposed of it")
    await stage.act(case_id, ConfirmDone.model_validate(done), "the provider confirms for itself and for it")
    return await stage.end(case_id, 2 * DAY, "the written confirmation left at its last safe moment")


async def _access(stage: _Stage) -> CaseView:
    """A request in a state with a short time for it, and a correction with a longer one and a letter."""
    case_id = await stage.open(PARENT_ACCESS, _request(), "an LEA asks for a student's record, for a parent")
    now = await stage.engine.advance(case_id, 2 * DAY)
    noted = {"received_on": now.date(), "to_correct": "The date of enrollment."}
    await stage.act(case_id, NoteInaccuracy.model_validate(noted), "it gives notice of an inaccuracy in it")
    given = {
        "given_at": now,
        "what": "The grades and the profile.",
        "how": "A view in the service was opened.",
        "to_whom": "The registrar.",
        "proof": "The record of the view.",
    }
    await stage.act(case_id, Give.model_validate(given), "the record is given")
    now = await stage.engine.advance(case_id, 20 * DAY)
    made = {"corrected_at": now, "what": "The date of enrollment was corrected.", "proof": "The record of the change."}
    await stage.act(case_id, Correct.model_validate(made), "the correction is made")
    return await stage.end(case_id, 90 * DAY, "the letter that confirms it left at its last safe moment")


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
        agreements=BREACHED,
        reporter=officer,
        point_of_contact=officer,
    )


def _directive() -> Directive:
    signed = {"name": "Superintendent's Office", "email": "office@cumberlandhollow.example.org"}
    return Directive.model_validate(
        {
            "title": "Directive at the end of the pilot",
            "agreements": (DISPOSING,),
            "extent": "complete",
            "nature": "destruction",
            "schedule": "as-soon-as-practicable",
            "disposal_requested": utc_now().date(),
            "representative": signed,
        }
    )


def _request() -> AccessRequest:
    return AccessRequest.model_validate(
        {
            "title": "Request of the registrar",
            "agreements": (ASKING,),
            "asks": "review",
            "student": "student 4711",
            "request": "A parent asks to see the grades that the service keeps.",
            "requested_on": utc_now().date(),
            "requested_by": {"name": "Registrar's Office", "email": "registrar@prairieglen.example.org"},
        }
    )
