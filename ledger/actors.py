"""Who evidence names when nobody of the installation acted."""

from __future__ import annotations

ENGINE = "duenotice"
"""The actor of what the engine does by itself."""

LEA = "lea"
"""The actor of an answer: whoever holds the link of the LEA's notice."""
