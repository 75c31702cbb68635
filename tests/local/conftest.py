"""A home folder that leaves no process behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.local_engine import home_folder


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with home_folder(tmp_path) as folder:
        yield folder
