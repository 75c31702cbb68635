"""On a district's installation: what the provider reads behind its link, and the district's officer on the case."""

from __future__ import annotations

import html

from mail.holder_links import HOLDER_FOLDER
from models.enums import Party
from starter.resources import utc_now
from tests.support.directives import HOSTING, open_directive, token_in
from tests.support.installation import Installation

TODAY = utc_now()


async def test_the_provider_reads_what_it_owes_and_the_officer_whose_word_is_awaited(fresh: Installation) -> None:
    case = open_directive(fresh.resources.database, HOSTING, now=TODAY, side=Party.LEA, disposal_requested=TODAY.date())
    letters = {letter.holder: letter for letter in case.write()}
    visitor = fresh.visitor()
    provider = html.unescape((await visitor.get(f"{HOLDER_FOLDER}{token_in(letters['Office'])}")).text)
    assert "has directed you to dispose of student data" in provider
    assert "You, Office, owe that under the agreement." in provider
    assert "Your own certificate comes after theirs." in provider
    subprocessor = html.unescape((await visitor.get(f"{HOLDER_FOLDER}{token_in(letters[HOSTING])}")).text)
    assert "has directed Office to dispose of student data" in subprocessor
    assert f"You, {HOSTING}, hold some of it." in subprocessor
    officer = await fresh.officer()
    page = html.unescape((await officer.get(f"/cases/{case.id}")).text)
    assert "office@example.org" in page
    assert "the provider's own word, which comes last" in page
    assert "provider owes" in page
