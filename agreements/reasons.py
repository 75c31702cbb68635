"""Why somebody decided something that belongs to no one case, as they typed it."""

from __future__ import annotations

from mail.facts import clean_block
from models.errors import InvalidInput

LONGEST_REASON = 20_000


def checked_reason(reason: str, *, where: str = "reason") -> str:
    """A reason as typed, cleaned.

    Raises:
        InvalidInput: it is empty or too long.
    """
    reason = clean_block(reason).strip()
    if not reason:
        raise InvalidInput("It is empty.", where=where, next_step="Say why, in a sentence.")
    if len(reason) > LONGEST_REASON:
        raise InvalidInput(f"This is longer than {LONGEST_REASON:,} characters.", where=where, next_step="Shorten it.")
    return reason
