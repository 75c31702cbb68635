"""What the workflows ask of the server, in order, is a file: a change of it is read in review, not found in production.

Each fingerprint is taken from a kept history, which the workflows as they are must replay (``test_replay``). Made anew
with the histories::

    .venv/bin/pytest tests/workflows/test_replay.py --update-histories
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from config.keyring import Keyring
from models.enums import DutyStatus
from starter.rehearsals.virtual_time import virtual_engine
from tests.conftest import know_demo_agreements
from tests.support.incidents import NOTICE, duties
from tests.support.stories import FINGERPRINTS, HISTORIES, acted_upon, fingerprint, kept
from worker import build_worker


@pytest.mark.parametrize("file", sorted(HISTORIES.glob("*.json")), ids=lambda file: file.stem)
def test_the_order_of_commands_is_as_it_was_agreed(file: Path) -> None:
    assert fingerprint(kept(file)) == (FINGERPRINTS / f"{file.stem}.txt").read_text("utf-8")


@pytest.mark.long
async def test_every_act_is_replayed_by_a_worker_that_remembers_nothing(keyring: Keyring, tmp_path: Path) -> None:
    async with virtual_engine(tmp_path, keyring=keyring, worker=partial(build_worker, cached_workflows=0)) as engine:
        know_demo_agreements(engine)
        case_id = await acted_upon(engine)
        assert duties(engine, case_id, "IL")[NOTICE].status is DutyStatus.NOT_REQUIRED
        for state in ("VA", "OR"):
            assert duties(engine, case_id, state)[NOTICE].status is DutyStatus.PERFORMED
