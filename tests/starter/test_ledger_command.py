"""``duenotice ledger verify`` against a real database that somebody with full rights has tampered with."""

from __future__ import annotations

import json
import logging
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from rich.console import Console

from config.database import Database
from config.keyring import Keyring
from ledger.append import append
from ledger.artifacts import store
from ledger.chain import GENESIS
from ledger.checkpoints import sign_head
from ledger.entries import ActRecorded
from ledger.held.rules import HELD
from ledger.log_keys import create_log_key
from starter.cli.ledger import NOT_INTACT
from starter.cli.main import run

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CASE = UUID(int=1)
REASON, PROOF = b"Counsel asks for it.", b"A signed receipt."


@dataclass(frozen=True)
class Kept:
    """An installation with five entries, the second and third of which point to one artifact, the fourth to another."""

    file: Path
    keyring: Keyring
    hashes: tuple[str, ...]
    reason: str
    proof: str

    def tamper(self, *statements: str, **values: object) -> None:
        """Change the database as its owner can: past the triggers, and past this program."""
        with closing(sqlite3.connect(self.file)) as connection, connection:
            for trigger in ("changed", "removed", "replaced"):
                connection.execute(f"DROP TRIGGER IF EXISTS evidence_is_never_{trigger}")
            for statement in statements:
                connection.execute(statement, values)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setenv("DUENOTICE_HOME", str(tmp_path))
    monkeypatch.setenv("DUENOTICE_LOG_LEVEL", "error")
    file, keyring = tmp_path / "duenotice.sqlite3", Keyring.create(tmp_path / "keyring.json")
    database = Database(f"sqlite:///{file}", keyring)
    database.migrate()
    with database.writing() as session:
        reason, proof = store(session, REASON, "text/plain", NOON), store(session, PROOF, "text/plain", NOON)
        pointing = ((), (reason,), (reason,), (proof,), ())
        entries = append(session, *(act(number, files) for number, files in enumerate(pointing, start=1)))
    database.close()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Kept(file, keyring, tuple(entry.hash for entry in entries), reason, proof)
    root.handlers[:] = handlers
    root.setLevel(level)


def act(number: int, files: tuple[str, ...]) -> ActRecorded:
    return ActRecorded(
        case_id=CASE,
        actor="officer",
        at=NOON + timedelta(seconds=number),
        act="note",
        act_id=None,
        particulars={"number": number},
        kept_sha256=files,
    )


def refused(capture: pytest.CaptureFixture[str]) -> str:
    """What the command says of a ledger that is not what it was: one sentence, and the exit code that goes with it."""
    capture.readouterr()
    assert run(["ledger", "verify"]) == NOT_INTACT == 1
    said = capture.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    assert len(said.err.splitlines()) == 1
    return said.err


def test_a_sound_ledger_is_called_so_in_one_sentence(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "verify"]) == 0
    said = capsys.readouterr()
    assert said.out == (
        "5 entries are unchanged and in order, all 2 artifacts they point to are what was stored, "
        f"and 0 rows of the tables say what they say; head {kept.hashes[-1]}.\n"
    )
    assert said.err == "", "a progress bar is for terminals"


def test_a_terminal_shows_how_far_it_is(
    kept: Kept, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starter.cli.progress.Terminal", lambda stderr: Console(stderr=stderr, force_terminal=True))
    assert run(["ledger", "verify"]) == 0
    said = capsys.readouterr()
    assert "entries" in said.err
    assert "artifacts" in said.err
    assert said.out.count("\n") == 1


def test_an_empty_ledger_is_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DUENOTICE_HOME", str(tmp_path))
    Keyring.create(tmp_path / "keyring.json")
    assert run(["ledger", "verify"]) == 0
    assert capsys.readouterr().out == f"The ledger holds no entry yet, and its head says so; head {GENESIS}.\n"


EDIT = "UPDATE evidence SET body = replace(body, ':', ' : '), actor = 'another' WHERE number = 3"
CUT = "DELETE FROM evidence WHERE number = 5"


@pytest.mark.parametrize(
    ("statements", "step", "number", "says"),
    [
        ((EDIT,), 3, 3, "entry 3 of the ledger: The entry's hash is not that of what it holds: it was changed."),
        (("UPDATE evidence SET at = 5 WHERE number = 2",), 3, 2, "entry 2 of the ledger: An entry cannot be read"),
        (("DELETE FROM evidence WHERE number = 2",), 1, 2, "entry 2 of the ledger: Entry 2 is missing"),
        (
            (
                "UPDATE evidence SET number = 9 WHERE number = 2",
                "UPDATE evidence SET number = 2 WHERE number = 3",
                "UPDATE evidence SET number = 3 WHERE number = 9",
            ),
            2,
            2,
            "entry 2 of the ledger: The entry does not continue from the one before it.",
        ),
        ((CUT,), 4, 5, "the head of the ledger: The ledger's head says that there are 5 entries"),
        (
            ("UPDATE ledger_head SET length = 4",),
            4,
            6,
            "The ledger's head says that there are 4 entries",
        ),
        (("UPDATE ledger_head SET hash = 'f'",), 4, 6, "the last one with the hash f,"),
        (("DELETE FROM ledger_head",), 4, 6, "the head of the ledger: The ledger's head is missing"),
    ],
)
def test_the_first_bad_record_is_named(
    kept: Kept, capsys: pytest.CaptureFixture[str], statements: tuple[str, ...], step: int, number: int, says: str
) -> None:
    kept.tamper(*statements)
    assert says in refused(capsys)
    assert run(["ledger", "verify", "--json"]) == NOT_INTACT
    found = json.loads(capsys.readouterr().out)
    assert (found["sound"], found["flaw"]["step"], found["flaw"]["number"]) == (False, step, number)


def test_newest_entries_cut_off_with_the_head_set_back_do_not_show(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the help says: only somebody who noted the five entries, or their head, can tell."""
    kept.tamper(CUT, "UPDATE ledger_head SET length = 4, hash = :hash", hash=kept.hashes[3])
    assert run(["ledger", "verify"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("4 entries are unchanged")
    assert kept.hashes[3] in said
    assert run(["ledger", "verify", "--help"]) == 0
    assert "cannot show that the newest entries were removed" in " ".join(capsys.readouterr().out.split())


def test_an_artifact_that_is_gone_is_found_at_the_first_entry_that_points_to_it(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.tamper("DELETE FROM artifact WHERE sha256 = :name", name=kept.reason)
    gone = "An artifact that the entry points to is no longer kept, and nothing says that it was erased."
    assert f"entry 2 of the ledger, artifact {kept.reason}: {gone}" in refused(capsys)


@pytest.mark.parametrize("forgery", ["garbage", "another's bytes", "bytes under an unknown key", "bytes not packed"])
def test_an_artifact_that_was_replaced_is_found(
    kept: Kept, capsys: pytest.CaptureFixture[str], tmp_path: Path, forgery: str
) -> None:
    other = Keyring.create(tmp_path / "other.json")
    sealed = {
        "garbage": b"DNS1 something else",
        "another's bytes": kept.keyring.seal(zlib.compress(REASON), b"artifact.content"),
        "bytes under an unknown key": other.seal(zlib.compress(PROOF), b"artifact.content"),
        "bytes not packed": kept.keyring.seal(PROOF, b"artifact.content"),
    }
    kept.tamper("UPDATE artifact SET content = :sealed WHERE sha256 = :name", sealed=sealed[forgery], name=kept.proof)
    said = refused(capsys)
    assert said.startswith(f"entry 4 of the ledger, artifact {kept.proof}: An artifact that")
    assert "is not what was stored" in said


@pytest.fixture
def head(kept: Kept, tmp_path: Path) -> Path:
    """A head that somebody kept elsewhere, of the first five entries."""
    keys = create_log_key(tmp_path / "log-key.json", "provider.test", datetime.now(UTC))
    database = Database(f"sqlite:///{kept.file}", kept.keyring)
    found = sign_head(database, keys, datetime.now(UTC), at_most=100)
    database.close()
    assert found is not None
    (tmp_path / "head").write_text(f"Our record\n\n{found.line}\n")
    return tmp_path / "head"


def test_heads_that_hold_are_counted(kept: Kept, head: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "verify", "--head", str(head)]) == 0
    assert "so is what each of 1 signed or kept head covers" in capsys.readouterr().out


def test_a_tail_that_was_cut_off_with_its_head_set_back_shows_against_the_signed_head(
    kept: Kept, head: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = ("DELETE FROM evidence WHERE number = 5", "UPDATE ledger_head SET length = 4, hash = :hash")
    kept.tamper(*cut, hash=kept.hashes[3])
    assert "A head of 5 entries was signed, or kept, and there are 4: the newest are gone." in refused(capsys)
    kept.tamper("DELETE FROM ledger_checkpoint", "DELETE FROM ledger_tile", "UPDATE ledger_tree SET size = 0")
    assert run(["ledger", "verify"]) == 0, "nothing that lies here shows it any more"
    assert run(["ledger", "verify", "--head", str(head)]) == NOT_INTACT
    assert "the newest are gone" in capsys.readouterr().err


def test_a_ledger_that_was_written_anew_shows_against_the_kept_head(
    tmp_path: Path, kept: Kept, head: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in tmp_path.glob("duenotice.sqlite3*"):
        file.unlink()
    database = Database(f"sqlite:///{kept.file}", kept.keyring)
    database.migrate()
    with database.writing() as session:
        append(session, *(act(number, ()) for number in range(1, 7)))
    database.close()
    assert run(["ledger", "verify"]) == 0
    assert run(["ledger", "verify", "--head", str(head)]) == NOT_INTACT
    assert "the head of 5 entries: A head of 5 entries that was signed, or kept, is of other" in capsys.readouterr().err


def test_a_file_without_heads_is_named(kept: Kept, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none").write_text("nothing")
    assert run(["ledger", "verify", "--head", str(tmp_path / "none")]) == 2
    assert "it holds no head" in capsys.readouterr().err


def test_json_says_what_was_found(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "verify", "--json"]) == 0
    sound = {
        "sound": True,
        "length": 5,
        "head": kept.hashes[-1],
        "artifacts": 2,
        "flaw": None,
        "erased": [],
        "heads": 0,
    }
    rows = {str(table.__tablename__): 0 for table in HELD}
    said = json.loads(capsys.readouterr().out)
    assert said == sound | {"tables": {"rows": rows, "disagreement": None}}
    kept.tamper("DELETE FROM artifact WHERE sha256 = :name", name=kept.proof)
    assert run(["ledger", "verify", "--json"]) == NOT_INTACT
    said = capsys.readouterr()
    assert said.err == ""
    assert json.loads(said.out) == sound | {
        "sound": False,
        "artifacts": 1,
        "tables": None,
        "flaw": {
            "step": 5,
            "number": 4,
            "artifact": kept.proof,
            "reason": "An artifact that the entry points to is no longer kept, and nothing says that it was erased.",
        },
    }


def test_artifacts_are_moved_to_a_folder_and_back_by_command(
    kept: Kept, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run(["evidence", "move-artifacts"]) == 2
    assert "no setting names another store" in capsys.readouterr().err
    monkeypatch.setenv("DUENOTICE_ARTIFACTS__DIRECTORY", str(tmp_path / "artifacts"))
    assert run(["evidence", "move-artifacts"]) == 5
    assert "there is no such folder" in capsys.readouterr().err
    (tmp_path / "artifacts").mkdir()
    assert run(["evidence", "move-artifacts"]) == 0
    assert capsys.readouterr().out.startswith("0 artifacts (0.0 MiB) went to the folder ")
    monkeypatch.setenv("DUENOTICE_ARTIFACTS__AT_LEAST_BYTES", "0")
    assert run(["evidence", "move-artifacts"]) == 0
    assert capsys.readouterr().out.startswith("2 artifacts (")
    assert run(["ledger", "verify"]) == 0
    assert "all 2 artifacts they point to are what was stored" in capsys.readouterr().out
    assert run(["evidence", "move-artifacts", "--back"]) == 0
    assert "came back into the database" in capsys.readouterr().out
    monkeypatch.delenv("DUENOTICE_ARTIFACTS__DIRECTORY")
    monkeypatch.delenv("DUENOTICE_ARTIFACTS__AT_LEAST_BYTES")
    assert run(["ledger", "verify"]) == 0


def test_a_store_that_is_away_leaves_the_ledger_unchecked(
    kept: Kept, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "artifacts"
    folder.mkdir()
    monkeypatch.setenv("DUENOTICE_ARTIFACTS__DIRECTORY", str(folder))
    monkeypatch.setenv("DUENOTICE_ARTIFACTS__AT_LEAST_BYTES", "0")
    assert run(["evidence", "move-artifacts"]) == 0
    folder.rename(tmp_path / "unmounted")
    capsys.readouterr()
    assert run(["ledger", "verify"]) == 2
    assert "It could not be checked." in capsys.readouterr().err
