"""The engine as its user meets it: a process in a terminal, a link it prints, and pages over HTTP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.patience import PATIENCE

PROJECT = Path(__file__).parents[2]
DUENOTICE = (sys.executable, "-m", "starter.cli.main", "up")
READY = "Ctrl-C stops it"
"""What the engine prints once it has started."""

START_SECONDS = 120
"""Longest wait for a start; with an empty package cache, most of it is downloads."""
STOP_SECONDS = 30


class Engine:
    """One started process, with everything it has printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: list[str] = []
        self._grown = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def printed(self) -> str:
        """All output so far."""
        return "".join(self._lines)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until the output matches; fail when the process ends or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        with self._grown:
            while not (match := re.search(pattern, self.printed)):
                assert self._reader.is_alive(), f"ended without printing {pattern}:\n{self.printed}"
                assert time.monotonic() < deadline, f"did not print {pattern}:\n{self.printed}"
                self._grown.wait(timeout=1)
            return match

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send the signal to the whole process group, as a terminal does; return the exit code."""
        os.killpg(self.process.pid, number)
        return self.ended()

    def ended(self) -> int:
        """Wait for the end, and return the exit code."""
        code = self.process.wait(STOP_SECONDS)
        self._reader.join(STOP_SECONDS)
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._grown:
                self._lines.append(line)
                self._grown.notify_all()
        with self._grown:
            self._grown.notify_all()


@contextmanager
def started(command: Sequence[str], home: Path, *, folder: Path = PROJECT, **variables: str) -> Iterator[Engine]:
    """Start a command for the installation in ``home``; kill it if it still runs in the end."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("DUENOTICE_", "TEMPORAL_"))
    }
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment | {"DUENOTICE_HOME": str(home)} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    engine = Engine(process)
    try:
        yield engine
    finally:
        # A test that fails shows what the engine said, and whether it had ended.
        print(f"ended: {process.poll()}\n{engine.printed}")
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def processes_of(home: Path) -> list[int]:
    """The processes whose command line names ``home``: the Temporal server, whose database is there."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid=,command="], capture_output=True, text=True, check=True).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if str(home) in line]


def wait_until(condition: Callable[[], object]) -> None:
    """Ask again and again until the condition holds; fail when that takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition does not come to hold"
        time.sleep(0.05)


@contextmanager
def signed_in(engine: Engine) -> Iterator[httpx.Client]:
    """A browser's session, begun by the link that the engine printed."""
    link = engine.wait_for(r"Sign in +(http://127\.0\.0\.1:\d+)/sign-in\?token=(\S+)")
    engine.wait_for(READY)
    with httpx.Client(base_url=link[1], timeout=PATIENCE) as browser:
        answer = browser.post("/sign-in", data={"token": link[2], "next": "/"})
        assert answer.status_code == 303, answer.text
        yield browser


@contextmanager
def home_folder(folder: Path) -> Iterator[Path]:
    """A home for an installation that leaves no process behind, whatever became of the test."""
    yield folder / "home"
    for pid in processes_of(folder / "home"):
        os.kill(pid, signal.SIGKILL)
