"""One hierarchy of errors, each with a stable code and a sentence that says what to do.

Codes are part of the interface: the web, the command line and Temporal failures all carry them, so a
code, once released, is never given a second meaning.
"""

from __future__ import annotations

from typing import ClassVar


class DuenoticeError(Exception):
    """Anything this engine refuses or fails to do, explained.

    Attributes:
        code: stable, machine-readable name of the kind of error (``kebab-case``).
        message: one sentence saying what is wrong.
        where: the place it is wrong (a field, a file and line, a case), or None.
        next_step: what the reader can do about it, or None.
    """

    code: ClassVar[str] = "duenotice"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, where: str | None = None, next_step: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.next_step = next_step

    def __str__(self) -> str:
        """The whole sentence as a person reads it: where, what, and what to do next."""
        place = f"{self.where}: " if self.where else ""
        advice = f" {self.next_step}" if self.next_step else ""
        return f"{place}{self.message}{advice}"


class InvalidInput(DuenoticeError):
    """What a person or a caller gave cannot be used as it is; nothing was changed."""

    code = "invalid-input"
    exit_code = 2


class InvalidFields(InvalidInput):
    """Several things wrong with one submission, each with its own place and sentence."""

    code = "invalid-fields"

    def __init__(self, problems: tuple[InvalidInput, ...]) -> None:
        super().__init__(" ".join(str(problem) for problem in problems))
        self.problems = problems


class DoubtfulDates(InvalidFields):
    """Dates that can be true and hardly are: nothing is recorded until a person confirms that they are meant."""

    code = "doubtful-dates"


class NotFound(DuenoticeError):
    """The named thing does not exist here."""

    code = "not-found"
    exit_code = 2


class Gone(DuenoticeError):
    """What was here is here no longer: it was replaced or taken back, or has expired."""

    code = "gone"
    exit_code = 2


class Refused(DuenoticeError):
    """The act makes no sense in the present state; nothing was changed."""

    code = "refused"
    exit_code = 2


class NotAllowed(DuenoticeError):
    """This person may not do this."""

    code = "not-allowed"
    exit_code = 3


class ConfigurationError(DuenoticeError):
    """The installation is set up wrongly; it refuses to start rather than run unsafely."""

    code = "configuration"
    exit_code = 4


class Unavailable(DuenoticeError):
    """A part this needs (mail server, database, Temporal) does not answer; trying again later may help."""

    code = "unavailable"
    exit_code = 5


class IntegrityError(DuenoticeError):
    """Stored bytes are not what they were when stored: a wrong key, a changed entry, a broken chain."""

    code = "integrity"
    exit_code = 6
