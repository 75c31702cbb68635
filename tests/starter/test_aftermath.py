"""After a notice, from the command line: answers, the documents of each LEA, and costs, each with its refusals."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from agreements.importing import DEMO_FILE, import_agreements
from config.database import Database
from config.keyring import Keyring
from config.settings import Settings
from ledger.verify import verify_ledger
from models.enums import AnswerKind
from models.errors import InvalidInput
from models.tables import Answer, CaseDocument, Notice
from records.answers import AnswerBox, checked_answer, record_answers
from records.costs import money, parse_amount
from records.uploads import LARGEST_BYTES, uploaded_file
from starter.cli.main import run
from starter.local.running import Running, as_running, claim, record_running
from starter.resources import open_database, utc_now
from terms.catalogue import load_catalogue
from tests.support.given_notices import GivenNotices, give_notices

KEY = b"k" * 32


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """An installation of its own, in which commands work."""
    monkeypatch.setenv("DUENOTICE_HOME", str(tmp_path))
    monkeypatch.setenv("DUENOTICE_LOG_LEVEL", "error")
    opened = open_database(Settings(home=tmp_path), Keyring.create(tmp_path / "keyring.json"))
    yield opened
    opened.close()


@pytest.fixture
def given(database: Database) -> GivenNotices:
    """A case in which each of the demo's districts was given a notice."""
    import_agreements(
        database,
        load_catalogue(),
        DEMO_FILE.read_text("utf-8"),
        file_name="agreements.csv",
        now=utc_now(),
        actor="officer",
    )
    return give_notices(database, load_catalogue(), utc_now())


class Shell:
    """Runs commands about one case, and gives what they printed."""

    def __init__(self, case: str, capture: pytest.CaptureFixture[str]) -> None:
        self._case = case
        self._capture = capture

    def __call__(self, *words: str, code: int = 0) -> str:
        self._capture.readouterr()
        assert run([self._case if word == "CASE" else word for word in words]) == code
        printed = self._capture.readouterr()
        return " ".join((printed.err if code else printed.out).split())


@pytest.fixture
def shell(given: GivenNotices, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(str(given.case_id), capfd)


class TestAnswers:
    def test_they_are_counted_and_listed(self, database: Database, given: GivenNotices, shell: Shell) -> None:
        with database.writing() as session:
            record_answers(
                session,
                [
                    checked_answer(given.notices["VA-001"], AnswerKind.ACKNOWLEDGED),
                    checked_answer(
                        given.notices["MO-001"],
                        AnswerKind.QUESTION,
                        name="Robin Example",
                        email="robin@d1.example.org",
                        text="Which schools?",
                    ),
                ],
                KEY,
                utc_now(),
            )
        listed = shell("answers", "CASE")
        assert "1 of 12 given notices acknowledged." in listed
        assert "Which schools?" in listed
        assert "Blue Ridge" not in listed

    def test_there_is_no_such_case(self, database: Database, shell: Shell) -> None:
        assert "There is no case" in shell("answers", "nothing", code=2)

    async def test_one_that_cannot_be_kept_says_so_and_the_next_one_is_kept(
        self, database: Database, given: GivenNotices
    ) -> None:
        box = AnswerBox(database, KEY, utc_now, timedelta(days=1))
        answers = [checked_answer(notice, AnswerKind.ACKNOWLEDGED) for notice in given.notices.values()]
        _rename(database, "answer", "away")
        failed = await asyncio.gather(*(box.give(answer) for answer in answers), return_exceptions=True)
        assert all(isinstance(error, Exception) for error in failed)
        _rename(database, "away", "answer")
        await asyncio.gather(*(box.give(answer) for answer in answers))
        with database.reading() as session:
            assert len(session.exec(select(Answer)).all()) == len(answers)
            assert verify_ledger(session).sound

    async def test_whoever_goes_away_leaves_their_answer_behind(self, database: Database, given: GivenNotices) -> None:
        box = AnswerBox(database, KEY, utc_now, timedelta(days=1))
        first, second = [checked_answer(notice, AnswerKind.ACKNOWLEDGED) for notice in list(given.notices.values())[:2]]
        leaving = asyncio.create_task(box.give(first))
        await asyncio.sleep(0)
        leaving.cancel()
        await box.give(second)
        with database.reading() as session:
            assert {answer.notice_id for answer in session.exec(select(Answer))} == {first.notice_id, second.notice_id}


def _rename(database: Database, table: str, to: str) -> None:
    with database.writing() as session:
        session.connection().exec_driver_sql(f"ALTER TABLE {table} RENAME TO {to}")


NOT_TOLD = "Temporal does not answer: what was added is kept, and LEAs that lacked it are told when it does."


class TestLinks:
    def test_they_are_taken_back_with_a_reason(self, database: Database, given: GivenNotices, shell: Shell) -> None:
        said = shell("links", "revoke", "CASE", "VA-001", "--reason", "It was forwarded to a list.")
        assert "The links open nothing any more." in said
        with database.reading() as session:
            assert session.get_one(Notice, given.notices["VA-001"]).link_revoked_at
            assert session.get_one(Notice, given.notices["MO-001"]).link_revoked_at is None
        assert "taken back already" in shell("links", "revoke", "CASE", "VA-001", "--reason", "Again.", code=2)

    def test_where_no_mail_server_answers_the_old_ones_end_and_that_is_said(
        self, database: Database, given: GivenNotices, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DUENOTICE_SMTP__HOST", "127.0.0.1")
        monkeypatch.setenv("DUENOTICE_SMTP__PORT", "1")
        said = shell("links", "replace", "CASE", "VA-001", "--reason", "Forwarded.", code=5)
        assert "The old links open nothing any more, but the new ones were not mailed" in said
        with database.reading() as session:
            assert session.get_one(Notice, given.notices["VA-001"]).link_generation == 2

    def test_an_agreement_that_was_told_nothing_has_none(self, database: Database, shell: Shell) -> None:
        for reference in ("ZZ-404", "OR-404"):
            assert f"no agreement {reference}" in shell("links", "revoke", "CASE", reference, "--reason", "x", code=2)

    def test_commands_mail_as_the_engine_that_runs_does(self, tmp_path: Path) -> None:
        with claim(tmp_path):
            running = Running(pid=os.getpid(), web_url="http://127.0.0.1:8701", mail_port=1025)
            record_running(tmp_path, running)
            settings = as_running(Settings(home=tmp_path))
            assert (settings.public_url, settings.smtp.host, settings.smtp.port) == (running.web_url, "127.0.0.1", 1025)
            chosen = Settings.model_validate({"home": tmp_path, "smtp": {"host": "smtp.example.org"}})
            assert as_running(chosen).smtp == chosen.smtp


class TestDocumentsForFamilies:
    def test_a_folder_gives_each_lea_its_own_list(self, database: Database, tmp_path: Path, shell: Shell) -> None:
        folder = tmp_path / "lists"
        folder.mkdir()
        for reference in ("IL-001", "OR-001"):
            (folder / f"{reference}.csv").write_text(f"student of {reference}\n")
        said = shell("documents", "add", "CASE", str(folder / "IL-001.csv"), code=0)
        assert said == f"{NOT_TOLD} 1 added, 0 there already."
        refused = shell("documents", "add", "CASE", str(folder), "--element", "students_involved", code=2)
        assert "The terms ask for no document students_involved." in refused
        (folder / "OR-001.csv").unlink()
        assert "1 added" in shell("documents", "add", "CASE", str(folder), "--element", "students_involved")
        assert "0 added, 1 there already" in shell(
            "documents", "add", "CASE", str(folder), "--element", "students_involved"
        )
        listed = shell("documents", "list", "CASE")
        assert re.search("IL-001.csv Material for families every LEA .+ IL-001.csv List of the students", listed)

    def test_all_or_nothing_is_added(self, database: Database, tmp_path: Path, shell: Shell) -> None:
        for name in ("IL-001.csv", "ZZ-404.csv", "ZZ-405.csv"):
            (tmp_path / "lists").mkdir(exist_ok=True)
            (tmp_path / "lists" / name).write_text("student\n")
        refused = shell("documents", "add", "CASE", str(tmp_path / "lists"), "--element", "students_involved", code=2)
        assert "ZZ-404" in refused
        assert "ZZ-405" in refused
        with database.reading() as session:
            assert session.exec(select(CaseDocument)).all() == []

    @pytest.mark.parametrize(
        ("name", "content", "says"),
        [
            ("", b"x", "No file is chosen."),
            ("../", b"x", "No file is chosen."),
            ("a.csv", b"", "The file is empty."),
            ("a.csv", b"x" * (LARGEST_BYTES + 1), "The file is larger than 16 MiB."),
        ],
    )
    def test_a_file_that_is_none_is_refused(self, name: str, content: bytes, says: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            uploaded_file(name, content)
        assert refused.value.message == says

    @pytest.mark.parametrize("name", ["../../etc/roster.csv", "C:\\lists\\roster.csv", " roster.csv\n"])
    def test_a_name_holds_no_folder(self, name: str) -> None:
        assert uploaded_file(name, b"x").name == "roster.csv"


class TestCosts:
    def test_they_are_recorded_and_added_up(self, tmp_path: Path, shell: Shell) -> None:
        receipt = tmp_path / "invoice.pdf"
        receipt.write_bytes(b"%PDF-1.7")
        add = ("costs", "add", "CASE", "--agreement", "NY-001", "--note", "Letters to families")
        assert shell(*add, "1250.00", "--receipt", str(receipt)) == "The amount is recorded."
        assert shell(*add, "--", "-250.50") == "The amount is recorded."
        listed = shell("costs", "list", "CASE")
        assert "it pays the full cost of notifying" in listed
        assert listed.endswith("together $999.50")

    @pytest.mark.parametrize(
        ("agreement", "amount", "note", "says"),
        [
            ("OR-001", "10", "Letters", "do not make the provider bear costs"),
            ("ZZ-404", "10", "Letters", "The case touches no agreement ZZ-404."),
            ("NY-001", "ten", "Letters", "This is not an amount in dollars."),
            ("NY-001", "10", " ", "Nothing says what it was for."),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, shell: Shell, agreement: str, amount: str, note: str, says: str
    ) -> None:
        refused = shell("costs", "add", "CASE", amount, "--agreement", agreement, "--note", note, code=2)
        assert says in refused
        assert "No amount." in shell("costs", "list", "CASE")

    @pytest.mark.parametrize(
        ("text", "cents", "shown"),
        [
            ("0.01", 1, "$0.01"),
            ("1250", 125_000, "$1,250.00"),
            ("$1,250.00", 125_000, "$1,250.00"),
            ("-12.50", -1_250, "-$12.50"),
        ],
    )
    def test_an_amount_is_read_and_shown(self, text: str, cents: int, shown: str) -> None:
        assert parse_amount(text) == cents
        assert money(cents) == shown

    @pytest.mark.parametrize("text", ["", "0", "0.00", "1.5", "1,25", "1e3", "12 50", "10000000000", "١٢"])
    def test_what_is_no_amount_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidInput):
            parse_amount(text)
