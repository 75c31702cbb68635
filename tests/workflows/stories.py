"""Cases as they were played once, whose histories are kept beside the tests and replayed by every later version."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from temporalio.client import WorkflowHistory

from config.keyring import Keyring
from models.identifiers import batch_workflow_id
from starter.resources import utc_now
from starter.virtual_time import VirtualEngine
from tests.workflows.incidents import OFFICER, case, incident, open_case

HISTORIES = Path(__file__).parent / "histories"
HOUR = timedelta(hours=1)

_PROCESS = re.compile(r"\b\d+@[\w.-]+")
"""How a worker names its process and machine, in identities and in the names of its own task queues."""


async def suspected_then_confirmed(engine: VirtualEngine) -> UUID:
    """Nobody releases: each notice leaves at its last safe moment, the later ones after the confirmation."""
    case_id = await open_case(engine, incident("VA-001", "MO-001", expected=utc_now()))
    confirmed = await engine.advance(case_id, 30 * HOUR)
    await engine.office.confirm_breach(case_id, confirmed, actor=OFFICER)
    await engine.advance(case_id, 80 * HOUR)
    return case_id


async def released_by_an_officer(engine: VirtualEngine) -> UUID:
    """Everything is known from the start, and an officer lets all notices go."""
    now = utc_now()
    case_id = await open_case(engine, incident("VA-001", "IL-001", "OR-001", expected=now, confirmed=now))
    await engine.office.release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    return case_id


async def still_open(engine: VirtualEngine) -> UUID:
    """A suspicion that is neither confirmed nor dismissed."""
    case_id = await open_case(engine, incident("VA-001", expected=utc_now()))
    await engine.advance(case_id, 30 * HOUR)
    return case_id


STORIES: tuple[Callable[[VirtualEngine], Awaitable[UUID]], ...] = (
    suspected_then_confirmed,
    released_by_an_officer,
    still_open,
)


def story_keyring(folder: Path) -> Keyring:
    """The keyring under which the kept histories are sealed; it guards nothing, so its secret is no secret."""
    secret = hashlib.sha256(b"histories of fictional cases").digest()
    key = {"id": "stories", "created_at": "2026-01-01T00:00:00Z", "secret": base64.b64encode(secret).decode()}
    file = folder / "keyring.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"format": "duenotice-keyring/1", "keys": [key]}), "utf-8")
    return Keyring.load(file)


async def histories(engine: VirtualEngine, case_id: UUID) -> list[WorkflowHistory]:
    """The case's history and that of its first batch."""
    batch = next(entry.subject for entry in case(engine, case_id).evidence if entry.kind == "notice_released")
    assert batch
    first_batch = engine.resources.client.get_workflow_handle(batch_workflow_id(UUID(batch)))
    return [await engine.case(case_id).fetch_history(), await first_batch.fetch_history()]


def keep(story: str, history: WorkflowHistory) -> None:
    """Write a history into its file, without the names of the processes that made it."""
    kind = history.workflow_id.partition(":")[0]
    kept = {"workflow_id": history.workflow_id, "history": _anonymous(json.loads(history.to_json()))}
    (HISTORIES / f"{story}.{kind}.json").write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


def kept(file: Path) -> WorkflowHistory:
    """Read a history from its file."""
    found = json.loads(file.read_text("utf-8"))
    return WorkflowHistory.from_json(found["workflow_id"], found["history"])


def _anonymous(value: object) -> object:
    if isinstance(value, dict):
        return {key: _anonymous(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_anonymous(member) for member in value]
    return _PROCESS.sub("test", value) if isinstance(value, str) else value
