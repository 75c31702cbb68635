"""docs/asvs.md judges every requirement of ASVS 5.0 at levels 1 and 2, and what it names as evidence exists."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "asvs.md").read_text(encoding="utf-8")

JUDGEMENTS = {"holds", "partly", "gap", "operator", "no such thing"}


class Row(NamedTuple):
    """One requirement as it is judged."""

    number: str
    level: str
    about: str
    judgement: str
    why: str


ROWS = [
    Row(*(cell.strip() for cell in line.strip("|").split(" | ")))
    for line in PAGE.splitlines()
    if re.match(r"\| \d+\.\d+\.\d+ \|", line)
]


def evidence(row: Row) -> list[str]:
    """The files, and the tests in them, that a row names."""
    return re.findall(r"`((?:[\w.-]+/)*[\w.-]+\.\w+(?:::test_\w+)?|Dockerfile)`", row.why)


@cache
def text_of(file: str) -> str:
    return (PROJECT / file).read_text(encoding="utf-8")


def test_every_requirement_of_both_levels_is_judged_once() -> None:
    listed = (Path(__file__).parent / "asvs-5.0.0.txt").read_text(encoding="utf-8").splitlines()[1:]
    assert len(listed) == 253
    assert [f"{row.number} {row.level}" for row in ROWS] == listed


def test_the_figures_are_counted() -> None:
    found = Counter(row.judgement for row in ROWS)
    told = dict(re.findall(r"^\| ([a-z ]+) \| [^|]+ \| (\d+) \|$", PAGE, re.MULTILINE))
    assert {name: int(count) for name, count in told.items()} == found
    assert set(found) == JUDGEMENTS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_a_row_says_why_and_names_what_exists(row: Row) -> None:
    assert row.judgement in JUDGEMENTS
    assert row.why.endswith((".", "`", ")")), "it says why"
    if row.judgement in ("holds", "partly"):
        assert evidence(row), "it names where"
    for named in evidence(row):
        file, _, test = named.partition("::")
        assert (PROJECT / file).is_file(), file
        assert not test or re.search(rf"def {test}\(", text_of(file)), named


def test_what_a_row_refers_to_is_a_row() -> None:
    numbers = {row.number for row in ROWS}
    named = {number for row in ROWS for number in re.findall(r"\b\d{1,2}\.\d\.\d{1,2}\b", row.why)}
    assert named <= numbers


def test_the_policy_tells_every_gap_and_no_other() -> None:
    """So that nobody has to read the table to learn what is missing."""
    policy = (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
    gaps = {row.number for row in ROWS if row.judgement == "gap"}
    told = policy.partition("Its gaps:")[2]
    assert gaps == set(re.findall(r"\b\d+\.\d+\.\d+\b", told))
