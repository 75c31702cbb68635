"""Cases that are open stay open across a deploy: the workflows as they are replay histories as they were.

A change that makes one of these fail would stop the cases that are running; guard it with ``workflow.patched``. Where
no installation can have such a case yet, make the histories anew::

    .venv/bin/pytest tests/workflows/test_replay.py --update-histories[=STORY]
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from cases.state import CaseSummary
from config.converter import data_converter
from config.keyring import Keyring
from tests.conftest import know_demo_agreements
from tests.support.stories import HISTORIES, STORIES, histories, keep, kept, story_keyring
from worker import PASSED_THROUGH, all_workflows


@pytest.fixture(scope="module")
def sealed_under(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return story_keyring(tmp_path_factory.mktemp("story-keys"))


@pytest.fixture(scope="module", autouse=True)
async def _histories(
    request: pytest.FixtureRequest, sealed_under: Keyring, tmp_path_factory: pytest.TempPathFactory
) -> None:
    wanted: str | None = request.config.getoption("--update-histories")
    if wanted is not None:
        for story in (story for story in STORIES if wanted in ("", story.name)):
            async with story.engine(tmp_path_factory.mktemp(story.name), sealed_under) as engine:
                know_demo_agreements(engine)
                for history in await histories(engine, await story.play(engine)):
                    keep(story.name, history)


@pytest.mark.parametrize("history", sorted(HISTORIES.glob("*.json")), ids=lambda file: file.stem)
async def test_a_kept_history_replays(history: Path, sealed_under: Keyring) -> None:
    replayer = Replayer(
        workflows=all_workflows(),
        data_converter=data_converter(sealed_under),
        workflow_runner=SandboxedWorkflowRunner(
            restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
        ),
    )
    await replayer.replay_workflow(kept(history))


@workflow.defn(name="breach")
class Changed:
    """What a careless change would make of a breach case."""

    @workflow.run
    async def run(self, message: object) -> CaseSummary:
        """End at once."""
        return CaseSummary()


async def test_a_change_that_would_stop_running_cases_is_noticed(sealed_under: Keyring) -> None:
    replayer = Replayer(
        workflows=[Changed],
        data_converter=data_converter(sealed_under),
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    with pytest.raises(workflow.NondeterminismError):
        await replayer.replay_workflow(kept(HISTORIES / f"{STORIES[0].name}.breach.json"))


def test_every_story_keeps_the_history_of_its_case_and_of_its_first_batch() -> None:
    kept_by_story: dict[str, set[str]] = defaultdict(set)
    for file in HISTORIES.glob("*.json"):
        story, _, kind = file.stem.partition(".")
        kept_by_story[story].add(kind)
    assert kept_by_story.keys() == {story.name for story in STORIES}
    assert all(len(kinds - {"notice-batch"}) == 1 and "notice-batch" in kinds for kinds in kept_by_story.values())
