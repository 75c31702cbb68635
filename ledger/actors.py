"""Who evidence names when nobody of the installation acted."""

from __future__ import annotations

ENGINE = "duenotice"
"""The actor of what the engine does by itself."""

PUBLIC_FORM = "public form"
"""The actor of what somebody sent by the form that takes no account: nobody has checked who it was."""

LEA = "lea"
"""The actor of an answer: whoever holds the link of the LEA's notice."""
