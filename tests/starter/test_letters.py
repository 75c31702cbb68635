"""``duenotice letters``, and the acts by which a mailing is recorded and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pypdf import PdfReader
from sqlmodel import select

from cases.acts import Learn
from config.database import Database
from config.keyring import Keyring
from config.settings import Settings
from models.enums import Verdict
from models.identifiers import case_reference
from models.tables import PostalLetter
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from starter.writing import notice_writer
from tests.support.case_in_sql import CaseInSql
from tests.support.shell import Shell
from tests.support.to_post import letter_to_post


@pytest.fixture
def database(
    installed: VirtualEngine, tmp_path: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """An installation of the test's own, beside the running engine's server."""
    monkeypatch.setenv("DUENOTICE_HOME", str(tmp_path))
    opened = Database(f"sqlite:///{tmp_path / 'duenotice.sqlite3'}", keyring)
    opened.migrate()
    yield opened
    opened.close()


def letter(case: CaseInSql) -> PostalLetter:
    with case.database.reading() as session:
        return session.exec(select(PostalLetter).where(PostalLetter.case_id == case.id)).one()


async def test_letters_are_listed_printed_recorded_and_taken_back(
    database: Database, keyring: Keyring, shell: Shell, tmp_path: Path
) -> None:
    assert "No letter waits to be posted." in (await shell("letters", "list")).out
    case = letter_to_post(database, utc_now() - timedelta(hours=1), writer=notice_writer(Settings(), keyring))
    reference, letter_id = case_reference(case.id), str(letter(case).id)

    listed = (await shell("letters", "list", "--case", reference)).out
    assert f"Letter {letter_id} to Office." in listed
    assert "it gives the notice when it is posted" in listed

    file = tmp_path / "letters.pdf"
    nowhere = await shell("letters", "print", letter_id[:8], "--to", str(tmp_path / "none" / "letters.pdf"))
    assert "cannot be written: No such file or directory. Name another file in --to." in nowhere.err
    assert "Printed by" not in (await shell("letters", "list")).out, "nobody was given it"
    printed = await shell("letters", "print", letter_id[:8], "--to", str(file))
    assert printed.code == 0, printed.err
    assert "100 School Street" in PdfReader(file).pages[0].extract_text()
    assert (file.stat().st_mode & 0o777) == 0o600
    assert "No such letter" in (await shell("letters", "print", "zzz", "--to", str(file))).err

    receipt = tmp_path / "receipt.txt"
    receipt.write_text("Posted.")
    words = ("breach", "posted", reference, "first_class", letter_id[:8], "--mailed-at", "now")
    recorded = await shell(*words, "--receipt", str(receipt), "--tracking-number", "9400 1000")
    assert recorded.code == 0, recorded.err
    assert case.duty("breach.notice").verdict is Verdict.ON_TIME_BY_POST
    assert "says that it was posted" in (await shell("letters", "list", "--posted")).out
    assert "No letter waits to be posted." in (await shell("letters", "list")).out

    undone = await shell("breach", "not-posted", reference, "--reason", "It lay in the wrong tray.")
    assert undone.code == 0, undone.err
    assert f"Letter {letter_id}" in (await shell("letters", "list")).out
    assert case.duty("breach.notice").verdict is None


async def test_a_mailing_that_cannot_be_is_refused_in_a_sentence(database: Database, shell: Shell) -> None:
    case = letter_to_post(database, utc_now())
    reference = case_reference(case.id)
    words = ("breach", "posted", reference, "first_class")
    early = await shell(*words, "--mailed-at", (utc_now() - timedelta(hours=1)).isoformat())
    assert (early.code, early.out) == (2, "")
    assert "The letter was written later than that." in early.err
    assert "This is no tracking number" in (await shell(*words, "--tracking-number", "ask Kim!")).err


async def test_a_printed_letter_that_was_written_anew_is_listed_and_may_be_recorded(
    database: Database, keyring: Keyring, shell: Shell, tmp_path: Path
) -> None:
    case = letter_to_post(database, utc_now() - timedelta(hours=1), writer=notice_writer(Settings(), keyring))
    first, file = str(letter(case).id), str(tmp_path / "letters.pdf")
    assert (await shell("letters", "print", "--to", file)).code == 0
    case.act(Learn.model_validate({"element": "description", "value": "A server was open to the world."}))
    assert "A letter was written anew" in (await shell("letters", "print", first[:8], "--to", file)).err
    listed = (await shell("letters", "list")).out
    assert f"Do not post letter {first}, printed by" in listed
    assert "as what it says is no longer what is known" in listed
    words = ("breach", "posted", case_reference(case.id), "first_class", first[:8], "--mailed-at", "now")
    assert (await shell(*words)).code == 0
    assert "No letter waits to be posted." in (await shell("letters", "list")).out
