"""The letters of officers, handed to a mail server that says what a test has it say."""

from __future__ import annotations

from records.deliveries import Answer
from records.letters import settle_letter, take_up
from tests.support.case_in_sql import QUEUED, WRITER, CaseInSql


def hand_over(case: CaseInSql, says: Answer = QUEUED, *, resends: int = 0) -> list[str]:
    """Send the letters that wait, with what the mail server says; return them."""
    with case.database.writing() as session:
        letters = take_up(session, WRITER, case.now, 10)
        for letter in letters:
            settle_letter(session, letter.letter_id, says, case.now, unknown_resends=resends)
    return [letter.raw.decode() for letter in letters]
