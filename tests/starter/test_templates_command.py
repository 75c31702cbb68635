"""``duenotice templates``: every mail listed, shown with sample facts, and checked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pypdf import PdfReader

from mail.templates import TEMPLATES
from tests.support.shell import Shell


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with a template of the organisation's own."""
    folder = tmp_path / "own"
    (folder / "people").mkdir(parents=True)
    text = (TEMPLATES / "people" / "reminder.j2").read_text("utf-8")
    (folder / "people" / "reminder.j2").write_text(text.replace("If nobody acts", "Unless you act"), "utf-8")
    return folder


async def test_every_mail_is_listed_and_an_own_one_marked(
    home: Path, shell: Shell, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = await shell("templates", "list")
    assert "people/reminder" in said.out
    assert "Notices wait for a release." in said.out
    assert "clauses/breach.notice" in said.out
    monkeypatch.setenv("DUENOTICE_TEMPLATES", str(own))
    listed = json.loads((await shell("templates", "list", "--json")).out)
    assert [one["name"] for one in listed if one["own"]] == ["people/reminder"]


async def test_a_mail_is_shown_with_its_facts_and_what_it_has_to_say(home: Path, shell: Shell, own: Path) -> None:
    said = await shell("templates", "preview", "people/reminder")
    assert said.code == 0
    assert "=== 1 of 3" in said.out
    assert "If nobody acts" in said.out
    assert "It has to say, where it is known: case_reference, notices, clause, due_at" in said.out
    assert "Unless you act" in (await shell("templates", "preview", "people/reminder", "--folder", str(own))).out


async def test_a_notice_is_shown_by_its_clause(home: Path, shell: Shell) -> None:
    said = await shell("templates", "preview", "clauses/breach.notice.j2")
    assert "NOTICE OF A DATA BREACH" in said.out
    assert "END OF OUR NOTICE" in said.out
    assert "<h1" in (await shell("templates", "preview", "reply", "--html")).out


async def test_what_there_is_not_is_said(home: Path, shell: Shell) -> None:
    for name in ("people/nobody", "clauses/nothing"):
        said = await shell("templates", "preview", name)
        assert said.code != 0
        assert "There is no mail whose template is called so." in said.err


async def test_a_check_ends_with_4_and_names_file_and_line(home: Path, shell: Shell, own: Path) -> None:
    good = await shell("templates", "check", "--folder", str(own))
    assert (good.code, good.out.strip()) == (0, "1 template of your own: nothing is wrong.")
    own = shutil.copytree(own, own.with_name("changed"))  # templates are read once
    file = own / "people" / "reminder.j2"
    file.write_text(file.read_text("utf-8").replace("facts.due_at", "facts.due"), "utf-8")
    bad = await shell("templates", "check", "--folder", str(own))
    assert bad.code == 4
    assert "people/reminder.j2, line 8: There is no fact due here. There are " in bad.out
    found = json.loads((await shell("templates", "check", "--folder", str(own), "--json")).out)
    assert (found[0]["file"], found[0]["line"]) == ("people/reminder.j2", 8)


async def test_the_shipped_ones_are_checked_where_there_are_no_others(home: Path, shell: Shell) -> None:
    assert (await shell("templates", "check")).out.strip() == "The shipped templates: nothing is wrong."


async def test_a_notice_is_shown_as_the_letter_that_is_posted(home: Path, shell: Shell, tmp_path: Path) -> None:
    own, pdf = tmp_path / "words", tmp_path / "letter.pdf"
    own.mkdir()
    words = (TEMPLATES / "words.j2").read_text("utf-8")
    (own / "words.j2").write_text(words.replace("What we know to date", "What is known to us"), "utf-8")
    asked = ("templates", "preview", "clauses/breach.notice", "--folder", str(own), "--paper")
    assert (await shell(*asked, str(pdf))).code == 0
    said = " ".join(" ".join(page.extract_text() for page in PdfReader(pdf).pages).split())
    assert "What is known to us" in said
    assert "Office of the Superintendent" in said
    nowhere = await shell(*asked, str(tmp_path / "missing" / "letter.pdf"))
    assert "The letter cannot be written: No such file or directory." in nowhere.err
    no_notice = await shell("templates", "preview", "people/reminder", "--paper", str(pdf))
    assert "Only notices are posted as letters" in no_notice.err
