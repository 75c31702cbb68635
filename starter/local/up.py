"""The whole engine on one machine, in one process and one home folder, until it is told to stop.

The parts start in the order in which ``_start`` names them, and stop in the reverse: the web takes nothing new, the
worker finishes what it is doing, and only then do the mail catcher and the Temporal server go.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import NoReturn

from rich.text import Text

from config.database import Database, sealing_key
from config.keyring import Keyring
from config.logging import configure_logging, get_logger
from config.settings import Settings, check_proxies, temporal_connection
from ledger.log_keys import create_log_key, load_log_keys
from mail.catcher import start_catcher
from mail.people_mails import Outage
from models.errors import Unavailable
from models.identifiers import TASK_QUEUE
from people.accounts import first_administrator
from people.sign_in import issue_token
from starter.bounce_ways import taking_bounces
from starter.bounces import BounceIntake
from starter.case_service import CaseService
from starter.command_line import actor
from starter.health import health_check
from starter.local.running import Running, claim, last_running, record_running
from starter.local.temporal_server import (
    LOOPBACK,
    TemporalServer,
    find_cli,
    register_search_attributes,
    stop_left_behind,
    temporal_server,
)
from starter.metrics import sdk_runtime
from starter.outages import Alarm, watch_outages
from starter.resources import Resources, connect, open_database, other_keyring, settle, utc_now
from starter.schedules import keep_schedules
from starter.terminal import Terminal
from web.app import create_app
from web.serving import STOP_SECONDS, have_threads, listening, web_server
from worker import build_worker, further_processes, process_count

WEB_PORT, TEMPORAL_PORT, TEMPORAL_UI_PORT, SMTP_PORT = 8700, 7233, 8233, 1025
"""Where the parts listen, unless something else does already."""

KEEPING_SECONDS = 20
"""How long keeping the last alarm may take: it may be the database that is away."""

Say = Callable[[str], None]
End = asyncio.Future[None] | asyncio.Future[int]
"""The end of a part that should not end by itself."""

_log = get_logger("local")


def run_local(settings: Settings) -> int:
    """Run everything until Ctrl-C or SIGTERM; return the exit code, which is then 0.

    Raises:
        ConfigurationError: the home folder is no folder for an installation alone, or nobody said what stands before
            the web in production.
        Refused: it runs here already.
        DuenoticeError: a part does not start, or has ended by itself; the others have been stopped.
    """
    check_proxies(settings)
    progress = _Progress(Terminal())
    with claim(settings.home) as mended, (settings.home / "duenotice.log").open("a", encoding="utf-8") as log:
        if mended:
            progress.line(f"Other users could read {settings.home}; from now on only you can.")
        configure_logging(settings, log)
        asyncio.run(_until_signal(lambda stopping: _serve(settings, progress, stopping)))
    progress.line("Stopped. Cases and their clocks are kept, and go on at the next start.")
    return 0


def run_web(settings: Settings, host: str = LOOPBACK, port: int = WEB_PORT) -> int:
    """Run the web alone, beside a Temporal server and a worker that run already, until Ctrl-C or SIGTERM.

    Raises:
        ConfigurationError: nobody said what stands before it in production.
        DuenoticeError: the port is taken, a part it needs does not answer, or the web has ended by itself.
    """
    check_proxies(settings)
    configure_logging(settings)
    asyncio.run(_until_signal(lambda stopping: _serve_web(settings, host, port, stopping)))
    return 0


async def _until_signal(serve: Callable[[asyncio.Event], Coroutine[object, object, NoReturn]]) -> None:
    """Run until SIGINT, SIGTERM or SIGHUP cancels it.

    What runs is given an event, and sets it when it begins to stop by itself. From then on signals change nothing, so
    that none of them interrupts the stopping of a part.
    """
    stopping = asyncio.Event()
    loop, task = asyncio.get_running_loop(), asyncio.create_task(serve(stopping))

    def stop() -> None:
        if not stopping.is_set():
            stopping.set()
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` leaves it
            loop.add_signal_handler(number, stop)
    with suppress(asyncio.CancelledError):
        await task


class _Progress:
    """What the terminal shows: a moving line while a part starts, and lasting ones when it has."""

    def __init__(self, console: Terminal) -> None:
        self._console = console

    @contextmanager
    def part(self, name: str) -> Iterator[Say]:
        """Give a function that says something about the part; it shows when the part has started."""
        said: list[str] = []
        with self._console.status(f"{name} …"):
            yield said.append
        for label, text in zip([f"✓ {name}", *[""] * len(said)], said, strict=False):
            self.line(f"  {label:<13} {text}")

    def line(self, text: str) -> None:
        """Print a line as it is: paths and links in it are neither broken nor read as markup."""
        self._console.print(Text(text), soft_wrap=True)


async def _tell_of_the_end(settings: Settings, outage: Outage) -> None:
    """Tell that a part has ended, and keep that, unless it is the database that is away."""
    keyring = Keyring.load(settings.keyring)
    alarm = Alarm(settings, keyring)
    await alarm.tell(outage, utc_now())
    try:
        async with asyncio.timeout(KEEPING_SECONDS):
            await asyncio.to_thread(lambda: alarm.keep(open_database(settings, keyring)))
    except Exception as error:  # it may be the database that is away
        _log.warning("the alarm is in the log alone", error=type(error).__name__)


async def _serve(settings: Settings, progress: _Progress, stopping: asyncio.Event) -> NoReturn:
    """Start every part, say where they are, and stay until one of them ends or this is cancelled.

    Raises:
        DuenoticeError: a part does not start, or has ended.
    """
    progress.line(f"Duenotice keeps everything in {settings.home}")
    async with AsyncExitStack() as parts:
        try:
            ends = await _start(settings, parts, progress)
            ended = await _first_to_end(ends)
            outage = Outage(says=ended.message, is_over=False)
            await _tell_of_the_end(settings, outage)
            raise ended
        finally:
            stopping.set()
            progress.line("Stopping …")


async def _start(settings: Settings, parts: AsyncExitStack, progress: _Progress) -> dict[str, End]:
    """Start every part in turn; return the ends to watch for."""
    ends: dict[str, End] = {}
    with progress.part("Keyring") as say:
        have_keyring(settings, say)
    with progress.part("Log key") as say:
        have_log_key(settings, say)
    with progress.part("Temporal") as say:
        server = await _own_temporal(settings, parts, say)
    if server:
        ends["Temporal server"] = asyncio.create_task(server.process.wait())
    with progress.part("Mail") as say:
        own_mail = settings.smtp.host is None
        settings = await _with_mail(settings, parts, say)
    listener = parts.enter_context(_listening(WEB_PORT))
    web_url = f"http://{LOOPBACK}:{_port(listener)}"
    if "public_url" not in settings.model_fields_set:
        settings = settings.model_copy(update={"public_url": web_url})
    record_running(settings.home, _record(web_url, server, settings.smtp.port if own_mail else None))
    with progress.part("Database") as say:
        address = server.address if server else None
        resources = await connect(settings, address=address, runtime=sdk_runtime(settings))
        parts.callback(resources.database.close)
        say(f"{resources.database.engine.dialect.name}, {resources.database.engine.url.database}")
    with progress.part("Worker") as say:
        await _register(resources, say)
        ends["worker"] = await parts.enter_async_context(_worker(resources))
        further = further_processes(
            settings,
            process_count(settings) - 1,
            address=server.address if server else None,
            log=settings.home / "duenotice.log",
        )
        ends["further worker"] = await parts.enter_async_context(further)
        await parts.enter_async_context(taking_bounces(BounceIntake(resources), settings))
        await keep_schedules(resources.client, settings)
        started = await CaseService(resources).start_unstarted_cases()
        say(f"task queue {TASK_QUEUE}" + (f", {started} waiting cases started" if started else ""))
    with progress.part("Web") as say:
        ends["web"] = await parts.enter_async_context(_web(resources, listener))
        say(f"{web_url}{_moved(_port(listener), WEB_PORT)}")
    settle()
    token = await asyncio.to_thread(_sign_in_token, resources.database)
    progress.line(f"\n  Sign in       {web_url}/sign-in?token={token}\n                (works once, for a day)")
    if server:
        progress.line(f"  Temporal UI   {server.ui}")
    progress.line("\nCtrl-C stops it.")
    return ends


def _sign_in_token(database: Database) -> str:
    """A one-time token for the administrator, whom the first start makes."""
    name = first_administrator(database, made_by=actor(), now=utc_now())
    return issue_token(database, name, utc_now(), issued_by=actor())


async def _serve_web(settings: Settings, host: str, port: int, stopping: asyncio.Event) -> NoReturn:
    try:
        listener = listening(host, port)
    except OSError as error:
        raise Unavailable(
            f"The web cannot listen on {host}:{port}: {error.strerror}.", next_step="Choose another with --port."
        ) from error
    async with AsyncExitStack() as parts:
        parts.enter_context(listener)
        resources = await connect(settings)
        parts.callback(resources.database.close)
        parts.callback(stopping.set)
        ends: dict[str, End] = {"web": await parts.enter_async_context(_web(resources, listener))}
        settle()
        raise await _first_to_end(ends)


def have_keyring(settings: Settings, say: Say) -> None:
    """Make the keyring where there is none; it is loaded when the database is opened.

    Raises:
        ConfigurationError: there is none, and the database was sealed under one: a new one would open nothing of it.
    """
    path = settings.keyring
    if path.exists():
        say(str(path))
    elif key_id := sealing_key(settings.database_url.get_secret_value()):
        raise other_keyring(key_id)
    else:
        Keyring.create(path)
        say(f"{path} (made now; keep a copy, since without it nothing stored can be read)")


def have_log_key(settings: Settings, say: Say) -> None:
    """Make the key that signs the ledger's heads where there is none."""
    path = settings.log_key
    if path.exists():
        say(f"{load_log_keys(path).origin}, {path}")
    else:
        keys = create_log_key(path, settings.public_url.partition("://")[2], utc_now())
        say(f"{path} (made now for {keys.origin}; it signs the ledger's heads)")


async def _own_temporal(settings: Settings, parts: AsyncExitStack, say: Say) -> TemporalServer | None:
    """Start a Temporal server, unless the environment names one."""
    home = settings.home
    if address := temporal_connection(settings).get("target_host"):
        say(f"{address}, as TEMPORAL_ADDRESS says")
        return None
    left = last_running(home)
    if left and left.temporal_pid and await stop_left_behind(left.temporal_pid, home):
        say("the server of a run that was killed has been stopped")
    cli = await find_cli(settings.temporal_cli, home / "temporal-cli")
    while True:
        port, ui_port = _free_port(TEMPORAL_PORT), _free_port(TEMPORAL_UI_PORT)
        try:
            server = await parts.enter_async_context(temporal_server(cli, home, port, ui_port))
        except Unavailable:
            if (_free_port(port), _free_port(ui_port)) == (port, ui_port):
                raise
            continue  # something else took a port before the server did
        say(f"{server.address}{_moved(port, TEMPORAL_PORT)}, {cli} {server.version}")
        say(f"{server.ui}{_moved(ui_port, TEMPORAL_UI_PORT)}")
        return server


async def _with_mail(settings: Settings, parts: AsyncExitStack, say: Say) -> Settings:
    """Start the mail catcher and point the settings at it, unless they name a mail server."""
    smtp = settings.smtp
    if smtp.host:
        say(f"sent by {smtp.host}:{smtp.port}")
        return settings
    folder = settings.home / "mail"
    try:
        catcher = await start_catcher(folder, LOOPBACK, SMTP_PORT)
    except OSError:
        catcher = await start_catcher(folder, LOOPBACK)
    parts.push_async_callback(catcher.stop)
    moved = _moved(catcher.port, SMTP_PORT)
    say(f"{LOOPBACK}:{catcher.port}{moved}; nothing leaves this machine, every message is kept in")
    say(str(folder))
    caught = smtp.model_copy(update={"host": LOOPBACK, "port": catcher.port, "security": "none"})
    return settings.model_copy(update={"smtp": caught})


async def _register(resources: Resources, say: Say) -> None:
    """Make the search attributes known, or say who can."""
    if refused := await register_search_attributes(resources.client):
        say(f"this Temporal server lets only its operator add search attributes; ask for {', '.join(refused)}")


@asynccontextmanager
async def _worker(resources: Resources) -> AsyncIterator[End]:
    """Run the worker; in the end it takes no more tasks and finishes those it has."""
    worker = build_worker(resources)
    running = asyncio.create_task(worker.run())
    try:
        yield running
    finally:
        if not running.done():
            await asyncio.wait([asyncio.create_task(worker.shutdown())], timeout=STOP_SECONDS)


@asynccontextmanager
async def _web(resources: Resources, listener: socket.socket) -> AsyncIterator[End]:
    """Run the web on a socket that is bound already; in the end it answers what it was asked.

    It looks for outages besides, of which the worker could not tell.
    """
    have_threads(resources.settings.limits)
    alarm = Alarm(resources.settings, resources.keyring)
    server = web_server(create_app(resources), resources.settings)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    watching = asyncio.create_task(watch_outages(health_check(resources), alarm))
    try:
        yield running
    finally:
        watching.cancel()
        server.should_exit = True
        await asyncio.wait([running], timeout=STOP_SECONDS)


async def _first_to_end(ends: dict[str, End]) -> Unavailable:
    """Wait until a part ends by itself, and say which."""
    await asyncio.wait(ends.values(), return_when=asyncio.FIRST_COMPLETED)
    name, end = next((name, end) for name, end in ends.items() if end.done())
    _log.error("a part has ended", part=name, exc_info=end.exception())
    return Unavailable(
        f"The {name} has ended by itself, so everything else was stopped.",
        next_step="The logs in the home folder say why; start again to go on.",
    )


def _record(web_url: str, server: TemporalServer | None, mail_port: int | None) -> Running:
    return Running(
        pid=os.getpid(),
        web_url=web_url,
        temporal_address=server.address if server else None,
        temporal_ui=server.ui if server else None,
        temporal_pid=server.process.pid if server else None,
        mail_port=mail_port,
    )


def _listening(preferred: int) -> socket.socket:
    """A loopback socket that listens on the preferred port, or on a free one when that is taken."""
    try:
        return listening(LOOPBACK, preferred)
    except OSError:
        return listening(LOOPBACK, 0)


def _free_port(preferred: int) -> int:
    """The preferred port, or a free one when that is taken, for a server that makes its own socket."""
    with _listening(preferred) as listener:
        return _port(listener)


def _port(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


def _moved(port: int, preferred: int) -> str:
    return "" if port == preferred else f" (port {preferred} is taken)"
