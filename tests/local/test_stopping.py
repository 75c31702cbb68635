"""`duenotice up`, stopped: by a signal, by a kill, and by a part that ends by itself."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.support.local_engine import DUENOTICE, READY, processes_of, started

pytestmark = pytest.mark.long


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_in_order_and_leaves_nothing_behind(home: Path, number: signal.Signals) -> None:
    with started(DUENOTICE, home) as engine:
        engine.wait_for(READY)
        assert len(processes_of(home)) == 1
        assert engine.stop(number) == 0
        assert processes_of(home) == []
        assert engine.printed.endswith("Stopped. Cases and their clocks are kept, and go on at the next start.\n")
        assert not (home / "running.json").exists()


def test_a_signal_while_it_starts_stops_it_as_well(home: Path) -> None:
    with started(DUENOTICE, home) as engine:
        engine.wait_for("Keyring")
        assert engine.stop() == 0
        assert processes_of(home) == []
        assert "Traceback" not in engine.printed


def test_after_a_kill_the_next_start_stops_the_server_left_behind(home: Path) -> None:
    with started(DUENOTICE, home) as engine:
        engine.wait_for(READY)
        engine.stop(signal.SIGKILL)
        left_behind = processes_of(home)
        assert len(left_behind) == 1
        with started(DUENOTICE, home) as next_engine:
            next_engine.wait_for("a run that was killed has been stopped")
            next_engine.wait_for(READY)
            assert set(processes_of(home)).isdisjoint(left_behind)
            assert next_engine.stop() == 0


def test_when_the_temporal_server_ends_the_rest_stops_and_says_so(home: Path) -> None:
    with started(DUENOTICE, home) as engine:
        engine.wait_for(READY)
        os.kill(json.loads((home / "running.json").read_text())["temporal_pid"], signal.SIGKILL)
        assert engine.ended() == 5
        assert "The Temporal server has ended by itself" in engine.printed
        assert "Traceback" not in engine.printed
