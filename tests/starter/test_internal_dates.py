"""Internal due dates at the command line: shown beside the due date, and a bad file keeps everything from starting."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.keyring import Keyring
from config.settings import load_settings
from starter.resources import connect
from terms.errors import InternalDatesError
from tests.support.shell import Shell


@pytest.fixture
def file(home: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of internal due dates of an installation in which nothing has happened yet."""
    Keyring.create(home / "keyring.json")
    path = home / "internal.yaml"
    path.write_text(getattr(request, "param", "audit.annual: 100 days"), encoding="utf-8")
    monkeypatch.setenv("DUENOTICE_INTERNAL_DUE_DATES", str(path))
    return path


@pytest.mark.usefixtures("file")
async def test_what_is_coming_shows_both_dates_and_says_which_is_no_law(shell: Shell) -> None:
    assert (await shell("agreements", "import", "--demo")).code == 0
    said = await shell("duties", "upcoming", "--days", "3000", "--clause", "audit.annual", "--why")
    assert "internally" in said.out
    assert "no law: 100 calendar days counted back" in said.out


@pytest.mark.parametrize("file", ["audit.anual: 100 days"], indirect=True)
async def test_a_bad_file_is_refused_in_a_sentence_where_anything_is_derived(file: Path, shell: Shell) -> None:
    refusal = await shell.refuses("agreements", "import", "--demo")
    assert "audit.anual: there is no such clause; did you mean audit.annual?" in refusal
    assert f"{file}:1" in refusal


@pytest.mark.parametrize("file", ["audit.annual: 2 years"], indirect=True)
@pytest.mark.usefixtures("file")
async def test_nothing_starts_with_a_bad_file() -> None:
    with pytest.raises(InternalDatesError, match="'years' is no unit of a lead time"):
        await connect(load_settings(), address="127.0.0.1:1")
