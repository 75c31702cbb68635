"""What a check of the mail found, in sentences that say what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding asks of its reader."""

    GOOD = "good"
    """It is as it should be."""
    NOTE = "note"
    """It works; a person should look whether it is meant."""
    PROBLEM = "problem"
    """Notices may not arrive, or not be believed, until it is put right."""


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Attributes:
        about: what it is about, in a word of the trade, as ``SPF``.
        level: how much it asks of the reader.
        says: one sentence.
        do: what to do about it, if anything.
    """

    about: str
    level: Level
    says: str
    do: str | None = None
