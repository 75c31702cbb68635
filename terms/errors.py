"""What can be wrong with a question put to the agreements, or with the files that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from models.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class FileProblem:
    """One thing wrong in a clause file, at a line (counted from 1)."""

    line: int
    message: str


class ClauseFileError(InvalidInput):
    """A clause file cannot be used; ``problems`` lists everything that is wrong with it."""

    code = "clause-file"
    remedy: ClassVar[str] = "Correct the file, then run duenotice terms check."

    def __init__(self, path: Path, problems: tuple[FileProblem, ...]) -> None:
        self.path = path
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        first, *more = self.problems
        also = "".join(f" Line {problem.line}: {problem.message}" for problem in more)
        super().__init__(
            first.message + also,
            where=f"{path}:{first.line}",
            next_step=self.remedy,
        )


class InternalDatesError(ClauseFileError):
    """The file of internal due dates cannot be used."""

    code = "internal-due-dates"
    remedy = "Correct the file, then run duenotice terms internal FILE."


class UnknownForm(InvalidInput):
    """No form of agreement has this name."""

    code = "unknown-form"


class StateNotCovered(InvalidInput):
    """The form has no supplement for this state."""

    code = "state-not-covered"


class UnknownEvent(InvalidInput):
    """No clause of the form is about this event."""

    code = "unknown-event"


class UnknownClause(InvalidInput):
    """The terms have no clause with this id."""

    code = "unknown-clause"


class UnknownAnchor(InvalidInput):
    """The event does not know a dated fact of this name."""

    code = "unknown-anchor"


class InstantNeeded(InvalidInput):
    """A rule that counts hours, or a fact without a zone, needs an instant."""

    code = "instant-needed"


class UnknownZone(InvalidInput):
    """No time zone has this name in the IANA database."""

    code = "unknown-zone"


class AmendmentError(InvalidInput):
    """A change agreed for one agreement does not fit its terms."""

    code = "amendment"


class CalendarFileError(InvalidInput):
    """A school calendar file cannot be read."""

    code = "calendar-file"


class UnknownChoice(InvalidInput):
    """Nothing that an agreement may have chosen is called that."""

    code = "unknown-choice"


class CalendarTooShort(InvalidInput):
    """A school calendar does not reach as far as the count needs."""

    code = "calendar-too-short"
