"""``duenotice backup`` and ``restored``: a copy of the database, and what follows once one took its place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from ledger.append import ledger_length
from models.errors import Unavailable
from models.phrases import counted
from starter.cli.console import connected_resources, console, open_installation
from starter.command_line import actor
from starter.terminal import Terminal

if TYPE_CHECKING:
    from temporalio.client import WorkflowHandle

    from cases.messages import Swept
    from workflows.watchdog import WatchdogWorkflow

LOOKED_AT = 0.2
"""After how many seconds the bar looks again how far the copy is."""

BEGUN = 20
"""After how many seconds somebody would have begun, if a worker ran."""

NOT_BEGUN = 2
"""How long the history of a workflow is that nobody has begun: it was started, and its task waits."""


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("backup")(backup)
    app.command("restored")(restored)


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; one that is there is never overwritten.")],
) -> None:
    """Write a copy of the SQLite database as it is now, while the engine runs, and check that it can be read.

    Only you can read the file. What is sealed in it opens with the keyring alone. docs/operations.md says what else
    belongs to a backup, and how to restore one. PostgreSQL has tools of its own for copies.
    """
    settings, database = open_installation()
    with database.reading() as session:
        entries = ledger_length(session)
    with _growing(file, database.size()):
        database.copy_to(file)
    size = f"{file.stat().st_size / 1024:,.0f} KiB"
    says = [
        f"{file}: a copy of the database, {size}, with {counted(entries, 'entry', 'entries')} of the ledger at least.",
        f"It opens with the keyring {settings.keyring} alone: keep a copy of that, and not beside this one.",
    ]
    if database.objects is not None:
        says.append("Larger artifacts are in their store: copy that now, after the database.")
    console.print("\n".join(says), soft_wrap=True)


def restored() -> None:
    """Say that the database or Temporal was restored from a copy: every open case begins anew from what SQL knows.

    The engine finds that by itself, unless only the last minutes are missing, as where another server of PostgreSQL
    took over. Nothing that waits for a release leaves sooner by it, and saying it once too often does no harm.
    """
    console.print(f"{counted(asyncio.run(_begin_anew()), 'open case')} began anew from what the database knows.")


async def _begin_anew() -> int:
    """Have the watchdog see to it; return how many cases began anew.

    Raises:
        Unavailable: no worker runs, or the sweep failed.
    """
    from temporalio.client import WorkflowFailureError

    from cases.messages import Sweep
    from models.identifiers import TASK_QUEUE
    from starter.schedules import WATCHDOG
    from workflows.watchdog import WatchdogWorkflow

    client = (await connected_resources()).client
    message = Sweep(restored_by=actor())
    sweep = await client.start_workflow(
        WatchdogWorkflow.run, message, id=f"{WATCHDOG}:{uuid4()}", task_queue=TASK_QUEUE
    )
    try:
        return (await _result(sweep)).restarted
    except WorkflowFailureError as error:
        raise Unavailable(
            f"The sweep did not come to its end: {error.cause}",
            next_step="The worker's log says why. Say it again once that is mended.",
        ) from error


async def _result(sweep: WorkflowHandle[WatchdogWorkflow, Swept]) -> Swept:
    """What a sweep found, with something that turns until then."""
    columns = SpinnerColumn(), TextColumn("{task.description}")
    terminal, result, until = Terminal(stderr=True), asyncio.ensure_future(sweep.result()), monotonic() + BEGUN
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        bar.add_task("Every open case begins anew …")
        while not (await asyncio.wait({result}, timeout=1))[0]:
            if monotonic() > until and (await sweep.describe()).history_length <= NOT_BEGUN:
                result.cancel()
                await sweep.terminate(reason="no worker runs")
                raise Unavailable(
                    "No worker asks for work.", next_step="Start the engine, and say it again: `duenotice restored`."
                )
    return result.result()


@contextmanager
def _growing(file: Path, size: int) -> Iterator[None]:
    """Show on stderr how far a file is on its way to its size; in a file or a pipe nothing is shown."""
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    terminal, over = Terminal(stderr=True), Event()
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        task = bar.add_task("Copying the database", total=size)

        def look() -> None:
            while not over.wait(LOOKED_AT):
                bar.update(task, completed=file.stat().st_size if file.exists() else 0)

        watcher = Thread(target=look, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
