"""At the command line the letter about an overdue duty is shown, then asked for, and then sent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.tables import Case
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.case_in_sql import Place
from tests.support.directives import HOSTING, REQUEST, DirectiveInSql, open_directive
from tests.support.shell import Shell

DISTRICT = Place("ndpa-v1", "RI")
WORDS = "The tapes come back next week. We expect to confirm by then."
ASKED = (REQUEST, "--agreement", DISTRICT.reference, "--text", WORDS)


@pytest.fixture
def late(installed: VirtualEngine, monkeypatch: pytest.MonkeyPatch) -> DirectiveInSql:
    """A disposal that a holder has not confirmed in its 60 days, and commands that reach the mail server."""
    smtp = installed.resources.settings.smtp
    monkeypatch.setenv("DUENOTICE_SMTP__HOST", str(smtp.host))
    monkeypatch.setenv("DUENOTICE_SMTP__PORT", str(smtp.port))
    monkeypatch.setenv("DUENOTICE_SMTP__SECURITY", "none")
    database, asked = installed.resources.database, utc_now() - timedelta(days=80)
    case = open_directive(database, HOSTING, place=DISTRICT, now=asked, disposal_requested=asked.date())
    case.write()
    case.now = utc_now()
    case.compute()
    with database.writing() as session:
        session.get_one(Case, case.id).computed_at = case.now
    return case


def letters(engine: VirtualEngine) -> list[str]:
    found = (file.read_text("utf-8") for file in engine.mail.glob("*.eml"))
    return [letter for letter in found if DISTRICT.reference in letter and "is overdue" in letter]


async def test_the_letter_is_shown_and_sent_once_it_is_asked_for(
    installed: VirtualEngine, shell: Shell, late: DirectiveInSql, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_case = ("disposition", "tell-overdue", str(late.id))
    unknown = await shell.refuses(*of_case, "disposition.nothing", *ASKED[1:], "--yes")
    assert "No duty of this case is under 'disposition.nothing'" in unknown
    elsewhere = await shell.refuses(*of_case, REQUEST, "--agreement", "NOBODY", "--text", WORDS, "--yes")
    assert "NOBODY" in elsewhere
    assert "is empty" in (await shell.refuses(*of_case, *ASKED[:3], "--text", " ", "--yes")).lower()

    command = (*of_case, *ASKED)
    monkeypatch.setattr("typer.confirm", lambda _: False)
    looked = await shell(*command)
    assert looked.code == 1
    for words in ("To: Office <office@example.org>", "Answers to: ", "Subject: A duty towards you is overdue", WORDS):
        assert words in looked.out, words
    assert "Nothing was recorded." in looked.out
    assert letters(installed) == []

    sent = await shell(*command, "--yes")
    assert sent.code == 0, sent.err
    (letter,) = letters(installed)
    assert "Office <office@example.org>" in letter or '"Office" <office@example.org>' in letter
    assert "overdue, and told as such" in (await shell("disposition", "show", str(late.id))).out
    assert "in these very words already" in await shell.refuses(*command, "--yes")
