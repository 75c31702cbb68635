"""A Temporal server of its own for the tests that look at what the real one keeps and says."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def temporal_cli() -> str:
    """The ``temporal`` command that is installed beside this Python."""
    found = shutil.which("temporal", path=str(Path(sys.executable).parent))
    assert found is not None
    return found
