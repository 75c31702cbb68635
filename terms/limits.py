"""Time limits as the clause files write them, such as ``72 hours`` or ``5 school days before``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal, cast, get_args

from models.defaults import Defaults

Unit = Literal["hours", "days", "business days", "school days", "years"]

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)

STANDARD_DEFAULTS = Defaults()

IN_ADVANCE = "in advance"
ON_THE_DAY = "on the day"


@dataclass(frozen=True, slots=True)
class Limit:
    """A time limit: an amount of a unit after its anchor, or ``before`` it.

    ``amount`` 0 is "on the day" of the anchor; with ``before`` it is "in advance": any moment before the anchor.
    ``yearly`` holds (month, day) pairs instead of an amount. ``default`` names the setting that the amount was taken
    from, if any.
    """

    amount: int
    unit: Unit
    before: bool = False
    yearly: tuple[tuple[int, int], ...] = ()
    default: str | None = None

    @property
    def in_advance(self) -> bool:
        """Whether no amount is given, only that it must come before the anchor."""
        return self.before and self.amount == 0

    def __str__(self) -> str:
        """The limit in words, as a person reads it."""
        if self.yearly:
            return " and ".join(f"{day} {MONTHS[month - 1]}" for month, day in self.yearly)
        if self.in_advance:
            return IN_ADVANCE
        if self.amount == 0:
            return ON_THE_DAY
        unit = self.unit.removesuffix("s") if self.amount == 1 else self.unit
        return f"{self.amount} {unit}{' (default)' if self.default else ''}{' before' if self.before else ''}"


_UNIT = "|".join(unit.removesuffix("s") for unit in get_args(Unit))
_AMOUNT = re.compile(rf"(\d+) (calendar )?({_UNIT})s?( before)?")
_DEFAULT = re.compile(r"default ([a-z_]+)( before)?")
_DAY_OF_YEAR = rf"\d{{1,2}} (?:{'|'.join(MONTHS)})"
_YEARLY = re.compile(rf"{_DAY_OF_YEAR}(?: and {_DAY_OF_YEAR})*")

LIMIT_PATTERN = rf"^(?:{_AMOUNT.pattern}|{_DEFAULT.pattern}|{_YEARLY.pattern}|{IN_ADVANCE}|{ON_THE_DAY})$"
"""The shape of a limit, for editors."""


@cache
def parse_limit(text: str, defaults: Defaults = STANDARD_DEFAULTS) -> Limit:
    """Read a limit as clause files write it.

    ``N hours|days|business days|school days|years [before]``, ``default NAME [before]`` with a name of
    ``Defaults``, ``in advance``, ``on the day``, or days of the year such as ``1 July and 1 January``.

    Raises:
        ValueError: with a sentence on what is wrong.
    """
    if text == IN_ADVANCE:
        return Limit(0, "hours", before=True)
    if text == ON_THE_DAY:
        return Limit(0, "days")
    if found := _AMOUNT.fullmatch(text):
        amount, calendar, unit, before = found.groups()
        return _checked(int(amount), unit, calendar is not None, before is not None)
    if found := _DEFAULT.fullmatch(text):
        return _from_default(found[1], found[2] is not None, defaults)
    if _YEARLY.fullmatch(text):
        days = tuple((MONTHS.index(month) + 1, int(day)) for day, month in re.findall(r"(\d+) (\w+)", text))
        return Limit(0, "days", yearly=days)
    if re.fullmatch(r"\d+", text):
        raise ValueError(f"the limit {text} has no unit: write, for example, {text} hours or {text} days.")
    raise ValueError(
        f"the limit {text!r} cannot be read: write, for example, 72 hours, 60 days, 10 business days, "
        "5 school days before, in advance, on the day, 1 July and 1 January, or default reasonable_time_hours."
    )


def _checked(amount: int, unit: str, calendar: bool, before: bool) -> Limit:
    plural = f"{unit}s"
    if amount == 0:
        raise ValueError("a limit of 0 is no limit: write in advance, or on the day, where that is meant.")
    if calendar and plural != "days":
        raise ValueError(f"calendar {plural} make no sense: write {amount} {plural}.")
    return Limit(amount, cast(Unit, plural), before=before)


def _from_default(name: str, before: bool, defaults: Defaults) -> Limit:
    amounts: dict[str, int] = defaults.model_dump()
    if name not in amounts:
        raise ValueError(f"no default is named {name}: the defaults are {', '.join(amounts)}.")
    unit: Unit = "hours" if name.endswith("_hours") else "days"
    return Limit(amounts[name], unit, before=before, default=name)
