"""The fictional districts of a rehearsal, made from how many there are of each form and state."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from pydantic import PositiveInt

from agreements.importing import REQUIRED
from models.errors import InvalidInput
from terms.catalogue import Catalogue
from terms.clauses import StateHeader

Counts: TypeAlias = dict[str, dict[str, PositiveInt]]
"""How many districts there are: by form, then by state."""


@dataclass(frozen=True)
class FictionalDistricts:
    """Districts by group, as the references of their agreements, and the file (CSV) that these are imported from."""

    groups: tuple[tuple[str, ...], ...]
    file: str


def make_districts(catalogue: Catalogue, groups: Sequence[Counts], signed: date) -> FictionalDistricts:
    """Make the districts of each group, numbered through within each state, where they take its zone.

    Raises:
        InvalidInput: the catalogue knows no such form, or the form does not cover a state.
    """
    numbers: Counter[str] = Counter()
    rows = [[_row(*kind, numbers, signed) for kind in _kinds(catalogue, counts)] for counts in groups]
    return FictionalDistricts(
        groups=tuple(tuple(row["reference"] for row in group) for group in rows),
        file=_file([row for group in rows for row in group]),
    )


def scaled(counts: Counts, total: int) -> Counts:
    """The same mixture with ``total`` districts in all: at least one of each kind, the rest in proportion.

    Raises:
        InvalidInput: there are more kinds than districts.
    """
    kinds = [(form, state, count) for form, states in counts.items() for state, count in states.items()]
    left = total - len(kinds)
    if left < 0:
        raise InvalidInput(
            f"The scenario has districts of {len(kinds)} kinds.", where="--districts", next_step="Ask for more."
        )
    weights = [count - 1 for _, _, count in kinds]
    if not any(weights):
        weights = [1 for _ in kinds]
    shares = [divmod(left * weight, sum(weights)) for weight in weights]
    spare = left - sum(share for share, _ in shares)
    topped_up = set(sorted(range(len(kinds)), key=lambda n: shares[n][1], reverse=True)[:spare])
    found: Counts = {}
    for n, (form, state, _) in enumerate(kinds):
        found.setdefault(form, {})[state] = 1 + shares[n][0] + (n in topped_up)
    return found


def _kinds(catalogue: Catalogue, counts: Counts) -> Iterator[tuple[str, StateHeader]]:
    """The form and the state of each district."""
    for form, states in counts.items():
        for state, count in states.items():
            yield from [(form, catalogue.state(form, state))] * count


def _row(form: str, state: StateHeader, numbers: Counter[str], signed: date) -> dict[str, str]:
    numbers[state.abbreviation] += 1
    number = numbers[state.abbreviation]
    reference = f"{state.abbreviation}-{number:04}"
    return {
        "reference": reference,
        "form": form,
        "lea_name": f"{state.name} Example District {number}",
        "state": state.abbreviation,
        "time_zone": state.zone,
        "executed_on": signed.isoformat(),
        "general_name": "Superintendent's Office",
        "general_email": f"office@{reference.lower()}.example.org",
    }


def _file(rows: Sequence[dict[str, str]]) -> str:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, (*REQUIRED, "general_email"))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()
