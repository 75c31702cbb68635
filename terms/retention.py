"""How long what is kept of a case has to be kept, at the least: by its kind and its agreements' states, as data.

``config/retention.yaml`` holds what laws say. Where none says anything longer, the installation's own default counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import as_file, files

from pydantic import BaseModel, ConfigDict, Field

from models.defaults import Defaults
from models.grouping import grouped
from models.phrases import counted
from terms.files import read_clause_file

DEFAULT = "no law says longer: the default retention_years"
"""What a time rests on that no law gives."""


class RetentionRule(BaseModel):
    """What a law says of how long something is kept.

    Attributes:
        state: the state whose law it is.
        kinds: the kinds of case about which it is.
        years: for how many years, at the least.
        says: what it says, in a sentence.
        citation: where it says so.
        url: where that can be read.
        checked: when that was last compared with the official text; None where nobody has yet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: str = Field(pattern=r"^[A-Z]{2}$")
    kinds: tuple[str, ...] = Field(min_length=1)
    years: int = Field(ge=1, le=100)
    says: str = Field(min_length=1)
    citation: str = Field(min_length=1)
    url: str = Field(pattern=r"^https://")
    checked: date | None = None


class _RetentionFile(BaseModel):
    """The file: its rules."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[RetentionRule, ...]


@dataclass(frozen=True)
class KeptFor:
    """For how many years something is kept, and by which rule; None where that is the default."""

    years: int
    rule: RetentionRule | None = None

    @property
    def by(self) -> str:
        """The rule in words."""
        return f"{counted(self.years, 'year')}; {self.rule.citation if self.rule else DEFAULT}"


@cache
def retention_rules() -> tuple[RetentionRule, ...]:
    """What laws say, as the file has it.

    Raises:
        ClauseFileError: the file cannot be used.
    """
    with as_file(files("config").joinpath("retention.yaml")) as path:
        return read_clause_file(path, _RetentionFile).content.rules


def kept_for(kind: str, states: Iterable[str], defaults: Defaults) -> KeptFor:
    """For how long what is kept of a case of a kind, with agreements of some states, is kept: the longest counts."""
    of = set(states)
    known = [KeptFor(rule.years, rule) for rule in retention_rules() if rule.state in of and kind in rule.kinds]
    return max([KeptFor(defaults.retention_years), *known], key=lambda kept: (kept.years, kept.rule is not None))


def years_after(instant: datetime, years: int) -> datetime:
    """The same day and time some years later; of 29 February, where there is none, 1 March."""
    try:
        return instant.replace(year=instant.year + years)
    except ValueError:
        return instant.replace(year=instant.year + years, month=3, day=1)


def rules_by_kind() -> dict[str, list[RetentionRule]]:
    """The rules about each kind of case."""
    pairs = [(kind, rule) for rule in retention_rules() for kind in rule.kinds]
    return {kind: [rule for _, rule in some] for kind, some in grouped(pairs, lambda pair: pair[0]).items()}
