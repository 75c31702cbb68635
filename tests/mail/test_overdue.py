"""The letter about an overdue duty: what each way of performing it says, in both layouts, whatever people type."""

from __future__ import annotations

import html
import os
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from mail.compose import Addressing, ComposedNotice
from mail.facts import Mailbox, SignedAgreement
from mail.overdue import AwaitedHolders, OverdueFacts, compose_overdue
from models.enums import PerformedBy
from tests.support.case_in_sql import SENDER

ADDRESSING = Addressing(
    message_id="<letter@provider.test>",
    sender=Mailbox(name="Acme", email="notices@provider.test"),
    to=(Mailbox(name="Pat Example", email="pat@district.test"),),
)
TYPED = 'Late <script>alert("x")</script> & on its way.'


def letter(**changed: Any) -> ComposedNotice:
    given: dict[str, Any] = {
        "sender": SENDER,
        "reader": "Example District",
        "contact": "Pat Example",
        "agreement": SignedAgreement(
            title="Student Data Privacy Agreement",
            reference="IL-1",
            provider="Acme",
            lea="Example District",
            signed_on=date(2024, 7, 1),
        ),
        "case_reference": "ab12cd34",
        "time_zone": "America/Chicago",
        "told_at": datetime(2026, 7, 3, 15, tzinfo=UTC),
        "title": "Dispose of student data on written request",
        "due_at": datetime(2026, 7, 2, 4, 59, 59, tzinfo=UTC),
        "performed_by": PerformedBy.CONFIRMATION,
        "provision": ("Agreement, item 8: within 30 days.",),
        "words": "We expect to confirm by July 10.",
    }
    return compose_overdue(OverdueFacts.model_validate(given | changed), ADDRESSING)


def says(written: ComposedNotice) -> tuple[str, str]:
    """What the letter says in each layout, each run of white space as one blank."""
    shown = html.unescape(re.sub(r"<[^>]+>", " ", written.html))
    return " ".join(written.text.split()), " ".join(shown.split())


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"holders": AwaitedHolders(asked=3, awaited=2)},
            "3 holders of the data were asked, and we still wait for 2 of them to confirm.",
        ),
        (
            {"holders": AwaitedHolders(asked=1, awaited=1)},
            "1 holder of the data was asked, and we still wait for it to confirm.",
        ),
        ({"holders": AwaitedHolders(asked=2, awaited=0)}, "and we now have only our own confirmation to give."),
        ({"holders": AwaitedHolders(asked=0, awaited=0)}, "Our own confirmation has not been given."),
        ({"performed_by": PerformedBy.NOTICE}, "performed by a notice to you, which has not been given."),
        ({"performed_by": PerformedBy.DOCUMENT}, "performed by a document for you, which has not been given."),
        (
            {"performed_by": PerformedBy.ACT},
            "by doing what the provision asks for, and that has not been recorded as done.",
        ),
        ({"missing": ("A list of the data",)}, "Of what the agreement asks for, this is still missing:"),
    ],
)
def test_it_says_how_the_duty_is_performed_and_that_it_is_not(changed: dict[str, Any], sentence: str) -> None:
    for layout in says(letter(**changed)):
        assert sentence in layout
        assert "It has not been performed, so it is overdue." in layout
        assert "It does not perform the duty, and it changes no due date" in layout


def test_what_people_type_stays_text() -> None:
    written = letter(words=TYPED, contact="Pat <b>Example</b>")
    assert TYPED in says(written)[0]
    assert "<script>" not in written.html
    assert "<b>" not in written.html


def test_the_same_facts_give_the_same_bytes() -> None:
    assert letter().raw == letter().raw


def test_it_reads_as_a_letter() -> None:
    """Golden: read it as counsel would."""
    golden = Path(__file__).parent / "golden_letters" / "overdue.txt"
    written = letter(holders=AwaitedHolders(asked=2, awaited=1), why=("30 calendar days after June 1, 2026.",))
    says = f"{written.subject}\n\n{written.text}"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(says, encoding="utf-8")
    assert says == golden.read_text("utf-8")
