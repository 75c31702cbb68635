"""A home folder that leaves no process behind, whatever became of the test."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.local_engine import processes_of


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "home"
    yield folder
    for pid in processes_of(folder):
        os.kill(pid, signal.SIGKILL)
