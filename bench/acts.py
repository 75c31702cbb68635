"""Acts in a case of many agreements: ``python -m bench.acts [--agreements 18000]``.

How long each act takes to answer, on a real Temporal server and worker, beside the same act in a case of a dozen
agreements in the same run: their ratio is what many agreements cost. An act answers once it is recorded and its first
effect is known; what is still being computed then is said. Before each act the case has come to rest. Exits with 1
where an act takes more than two seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from uuid import UUID

from rich.progress import Progress, TextColumn, TimeElapsedColumn

from bench.fanout import PERSON, catcher, installation
from bench.support import ACTOR, CLAUSE, know_districts
from cases.acts import Act, Add, Approve, Hold, Learn, Lift, Propose, Release, SetDate, Withhold
from cases.breach import BREACH, Confirm, IncidentReport
from cases.intake import ApproximateTime
from cases.values import KeptReferences, KeptText
from models import identifiers
from models.enums import Role
from people.accounts import add_account
from starter.case_service import CaseService
from starter.resources import Resources, utc_now

AGREEMENTS = 18_000
FEW, FURTHER = 12, 1_000
"""How many agreements the small case has, and how many turn out to be touched later by the large one."""

LIMIT_SECONDS = 2.0
SECOND_PERSON = "second person"


def suspicion(references: tuple[str, ...]) -> IncidentReport:
    """What may have touched these agreements, not confirmed yet."""
    now = utc_now()
    return IncidentReport(
        title=f"{len(references)} touched",
        occurred=ApproximateTime(kind="instant", at=now - timedelta(days=9)),
        discovered_at=now - timedelta(hours=2),
        description="Rosters were readable by an account that should not have read them.",
        data_types=("Student name",),
        agreements=references,
        reporter=PERSON,
        point_of_contact=PERSON,
    )


def steps(further: tuple[str, ...]) -> Generator[tuple[Act, str], UUID | None, None]:
    """The acts in their order, each with who does it; is told what the last one made. ``further`` are added."""
    now, reason = utc_now(), KeptText.model_validate("Counsel asks for it.")
    yield Confirm(confirmed_at=now - timedelta(minutes=30)), ACTOR
    yield Withhold(reason=reason), ACTOR
    yield Learn(element="description", value=KeptText.model_validate("Rosters were readable.")), ACTOR
    yield SetDate(name="confirmed", instant=now - timedelta(minutes=20), reason=reason), ACTOR
    hold = yield Hold(particulars=reason, begins_at=now), ACTOR
    assert hold
    yield Lift(hold_id=hold), ACTOR
    proposal = yield Propose(clause=CLAUSE, ground="no_student_data", reason=reason), ACTOR
    assert proposal
    yield Approve(proposal_id=proposal), SECOND_PERSON
    yield Add(agreements=KeptReferences.model_validate(further)), ACTOR
    yield Release(withheld=True, unread=True), ACTOR


@dataclass(frozen=True)
class Answered:
    """One act: how long its answer took, in seconds, and whether something was still being computed."""

    act: str
    seconds: float
    computing: bool


async def rest(resources: Resources, case_id: UUID) -> None:
    """Wait until the case has nothing to do but wait itself."""
    handle = resources.client.get_workflow_handle(identifiers.workflow_id(BREACH.name, case_id))
    while await handle.query("is_busy", result_type=bool):  # noqa: ASYNC110 (it is in another process)
        await asyncio.sleep(0.1)


async def played(resources: Resources, references: tuple[str, ...], further: tuple[str, ...]) -> list[Answered]:
    """Open a case of these agreements, and do every act in it."""
    service, answers = CaseService(resources), list[Answered]()
    opened = await service.open_case(BREACH, suspicion(references), actor=ACTOR)
    script = steps(further)
    with Progress(TextColumn("{task.description}"), TimeElapsedColumn()) as progress:
        task, planned = progress.add_task("", total=None), next(script, None)
        while planned:
            act, actor = planned
            progress.update(task, description=f"{act.act}, in a case of {len(references):,} agreements")
            await rest(resources, opened.case_id)
            begun = perf_counter()
            taken = await service.take(opened.case_id, act, actor=actor)
            answers.append(Answered(act.act, perf_counter() - begun, taken.summary.computing))
            planned = _next(script, taken.made_id)
    return answers


def _next(script: Generator[tuple[Act, str], UUID | None, None], made: UUID | None) -> tuple[Act, str] | None:
    try:
        return script.send(made)
    except StopIteration:
        return None


async def measure(home: Path, wanted: int, as_json: bool) -> int:
    """Measure and print; return the exit code."""
    with catcher(home / "mail") as port:
        async with installation(home, port, release="officer") as resources:
            references = await asyncio.to_thread(
                know_districts, resources.database, resources.catalogue, wanted + FURTHER
            )
            add_account(resources.database, SECOND_PERSON, Role.APPROVER, made_by="administrator", now=utc_now())
            few = await played(resources, references[:FEW], references[FEW : 2 * FEW])
            many = await played(resources, references[:wanted], references[wanted:])
    for one, all_ in zip(few, many, strict=True):
        still = ", the rest is being computed" if all_.computing else ""
        print(f"{all_.act:12}{one.seconds:8.2f} s {all_.seconds:8.2f} s {all_.seconds / one.seconds:8.1f} x{still}")
    slowest = max(answered.seconds for answered in many)
    if as_json:
        print(json.dumps({"agreements": wanted, "slowest_act_s": slowest, "acts": {a.act: a.seconds for a in many}}))
    return int(slowest > LIMIT_SECONDS)


def main() -> int:
    """Measure in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agreements", type=int, default=AGREEMENTS)
    parser.add_argument("--json", action="store_true", help="End with one line of JSON.")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        return asyncio.run(measure(Path(folder), arguments.agreements, arguments.json))


if __name__ == "__main__":
    sys.exit(main())
