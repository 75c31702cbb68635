"""A shell for the tests of commands, and an installation that its environment names."""

from __future__ import annotations

from pathlib import Path

import pytest

from starter.rehearsals.virtual_time import VirtualEngine
from tests.support.shell import Shell


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation in which nothing has happened yet."""
    monkeypatch.setenv("DUENOTICE_HOME", str(tmp_path))
    monkeypatch.setenv("DUENOTICE_LOG_LEVEL", "error")
    monkeypatch.setenv("COLUMNS", "250")
    return tmp_path


@pytest.fixture
def installed(home: Path, engine: VirtualEngine, keyring_file: Path, monkeypatch: pytest.MonkeyPatch) -> VirtualEngine:
    """The commands' environment names the running engine."""
    settings = engine.resources.settings
    monkeypatch.setenv("DUENOTICE_HOME", str(settings.home))
    monkeypatch.setenv("DUENOTICE_KEYRING", str(keyring_file))
    monkeypatch.setenv("TEMPORAL_ADDRESS", engine.resources.client.service_client.config.target_host)
    return engine


@pytest.fixture
def shell(home: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)
