"""A fault in the program itself: one sentence, the details in a file for its owner alone, and never a traceback."""

from __future__ import annotations

import errno
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from starter.cli import main as cli

Raising = Callable[[BaseException], None]


def test_an_unforeseen_fault_says_where_its_details_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setitem(cli.COMMANDS, "keyring", ("no_such_module", "a command whose module is missing"))
    assert cli.run(["keyring"]) == cli.UNFORESEEN
    said = capsys.readouterr().err
    assert "Traceback" not in said
    found = re.search(r"\S+\.log", said)
    assert found
    log = Path(found[0])
    assert "Traceback" in log.read_text("utf-8")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> Raising:
    """Has every command end in an error."""

    def application(error: BaseException) -> None:
        def command(**_: object) -> None:
            raise error

        monkeypatch.setattr(cli, "application", lambda _: command)

    return application


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 5, "No space left on device. Look at the disk"),
        (OSError(errno.EROFS, "Read-only file system", "/x/y"), 5, "/x/y: Read-only file system. Look at the disk"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 4, "/x: Permission denied. Let this user"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/x/y"), 2, "/x/y: Not a directory. Name another"),
    ],
)
def test_what_the_machine_does_not_let_be_written_is_no_fault_of_the_program(
    raising: Raising, capsys: pytest.CaptureFixture[str], error: OSError, code: int, says: str
) -> None:
    raising(error)
    assert cli.run(["status"]) == code
    assert capsys.readouterr().err.startswith(says)


def test_an_argument_that_is_no_text_is_named(raising: Raising, capsys: pytest.CaptureFixture[str]) -> None:
    typed = b"Mu\xdfmann".decode("utf-8", "surrogateescape")
    raising(UnicodeEncodeError("utf-8", typed, 2, 3, "surrogates not allowed"))
    assert cli.run(["accounts", "disable", typed]) == 2
    assert "no text in UTF-8" in capsys.readouterr().err
    assert cli.run(["accounts", "disable", "robin"]) == cli.UNFORESEEN, "it is no fault of what was typed"


def test_nobody_is_told_that_nobody_reads(raising: Raising, capsys: pytest.CaptureFixture[str]) -> None:
    raising(BrokenPipeError(errno.EPIPE, "Broken pipe"))
    assert cli.run(["agreements", "list"]) == cli.READER_GONE
    assert capsys.readouterr() == ("", "")


def test_without_a_folder_for_the_details_it_still_is_a_sentence(
    raising: Raising, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    raising(KeyError("x"))
    assert cli.run(["status"]) == cli.UNFORESEEN
    said = capsys.readouterr().err
    assert ("Traceback" in said, "name one in TMPDIR" in said) == (False, True)


def test_a_full_disk_ends_what_is_printed_in_a_sentence() -> None:
    program = [sys.executable, "-m", "starter.cli.main", "terms", "show", "--form", "ndpa-v1", "--state", "VA"]
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (run.returncode, run.stderr.splitlines()[0]) == (
        5,
        "No space left on device. Look at the disk it lies on: whether there is space, and whether it can be written.",
    )
