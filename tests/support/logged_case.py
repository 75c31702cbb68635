"""Play a case in a process of its own, whose logs go to standard error; print the case's id."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from config.logging import configure_logging
from starter.rehearsals.virtual_time import virtual_engine
from starter.resources import utc_now
from tests.conftest import know_demo_agreements
from tests.support.incidents import OFFICER, incident, open_case
from tests.support.officers import officer


async def play(folder: Path) -> None:
    """Report a suspected breach, confirm it and release its notices, with everything logged."""
    async with virtual_engine(folder) as engine:
        configure_logging(engine.resources.settings.model_copy(update={"log_level": "debug"}))
        know_demo_agreements(engine)
        case_id = await open_case(engine, incident("VA-001", "OR-001", expected=utc_now()))
        await officer(engine).confirm_breach(case_id, utc_now(), actor=OFFICER)
        await officer(engine).release_notices(case_id, actor=OFFICER)
        await engine.settle(case_id)
        print(case_id)


if __name__ == "__main__":
    asyncio.run(play(Path(sys.argv[1])))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # the Temporal client's threads can abort an interpreter that is being taken down
