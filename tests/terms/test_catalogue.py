"""The clause files: every one is sound, and what is wrong in one is told with its line."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from terms.catalogue import CLAUSES_FOLDER, check_catalogue, load_catalogue
from terms.errors import ClauseFileError
from terms.reference import generated_files

ROOT = CLAUSES_FOLDER.parent.parent
FILES = sorted(CLAUSES_FOLDER.rglob("*.yaml"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CLAUSES_FOLDER, tmp_path / "clauses"))


def edit(path: Path, old: str, new: str) -> int:
    """Replace the first occurrence in a file; returns its line."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(CLAUSES_FOLDER)) for path in FILES])
def test_every_data_file_satisfies_the_schema_it_names(path: Path) -> None:
    first = path.read_text().partition("\n")[0]
    schema = path.parent / first.removeprefix("# yaml-language-server: $schema=")
    values = yaml.load(path.read_text(), Loader=yaml.BaseLoader)
    _validator(schema.resolve()).validate(_as_typed(values))


@cache
def _validator(schema: Path) -> Validator:
    """What checks files by a schema, once that itself is sound."""
    says = json.loads(schema.read_text())
    kind = validator_for(says)
    kind.check_schema(says)
    return kind(says)


def _as_typed(value: Any) -> Any:
    """Read flags and whole numbers as such: the loader above leaves every scalar as the text that an editor sees."""
    if isinstance(value, dict):
        return {key: _as_typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_typed(item) for item in value]
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize("path", generated_files(load_catalogue()), ids=str)
def test_generated_files_are_up_to_date(path: Path) -> None:
    expected = generated_files(load_catalogue())[path]
    assert (ROOT / path).read_text() == expected, "run duenotice terms generate"


def test_the_forms_cover_their_states() -> None:
    catalogue = load_catalogue()
    assert catalogue.states("ndpa-v1") == ("IL", "MA", "ME", "MO", "NH", "NY", "OH", "RI", "TN", "VA", "VT")
    assert catalogue.states("ndpa-v2") == ("OR",)
    assert catalogue.states("ca-profile") == ("CA",)


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        (
            "ndpa-v1/va.yaml",
            "          limit: 24 hours",
            "          limits: 24 hours",
            "the key 'limits' is not known here",
        ),
        ("ndpa-v1/va.yaml", "          limit: 24 hours", "          limit: 24", "the limit 24 has no unit"),
        ("ndpa-v1/va.yaml", "citation: item 4", "citation: paragraph four", "wrong shape"),
        (
            "ndpa-v1/il.yaml",
            "  access.request:",
            "  access.answer:",
            "there is no clause access.answer for it to amend",
        ),
        ("ndpa-v1/il.yaml", "      - adds:", "      - inserts:", "the key 'inserts' is not known here"),
        ("ndpa-v1/me.yaml", "[number_requested]", "[suspected]", "does not know the anchor 'suspected'"),
        ("ndpa-v1/va.yaml", "description: {required", "rumours: {required", "no content element is called 'rumours'"),
        ("ndpa-v1/va.yaml", "state: {abbreviation: VA", "state: {abbreviation: WV", "must be called wv.yaml"),
        ("ndpa-v1/standard.yaml", "limit: 72 hours", "limit: 72 hours\n      limit: 1 hour", "is given twice"),
        ("ndpa-v1/standard.yaml", "grounds: [no_student_data", "grounds: [no_harm", "no ground is called 'no_harm'"),
        ("ndpa-v1/standard.yaml", "  breach.notice:", "  breach notice:", "has the wrong shape"),
        ("anchors.yaml", "anchors: [closing]", "anchors: [merger]", "no anchor is named 'merger'"),
        ("contents.yaml", 'source: "agreement:lea"', "source: hearsay", "'source' has a wrong value"),
        ("ndpa-v2/or.yaml", "clauses: {}", "clauses: {", "this is not YAML"),
        ("ndpa-v2/or.yaml", "checked: 2026-11-24", "checked: 2026-02-31", "2026-02-31 is no value"),
        ("ndpa-v1/nh.yaml", "only_if: alternative_security_standard", "only_if: luck", "nothing that may be chosen"),
        ("ndpa-v1/oh.yaml", "unless: [renewal_expected,", "unless: [hope,", "does not know the anchor 'hope'"),
        ("ndpa-v1/ny.yaml", "{after: notice_given, limit: 90 days}", "{after: warned, limit: 90 days}", "'warned'"),
        ("ndpa-v1/ny.yaml", "notice_given, limit: 90 days}", "notice_given, limit: 90 hours}", "counted in days"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(folder: Path, file: str, old: str, new: str, says: str) -> None:
    line = edit(folder / file, old, new)
    with pytest.raises(ClauseFileError) as told:
        load_catalogue(folder)
    assert told.value.path == folder.resolve() / file
    assert says in told.value.message
    assert line <= told.value.problems[0].line <= line + 2


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("          citation: item 4\n", "the key 'citation' is missing"),
        ("          limit: 24 hours\n          last_moment: true\n", "an anchor without a limit starts no clock"),
        ("          limit: 24 hours\n", "an anchor without a limit starts no clock"),
        ("          anchors: [reasonably_expected, confirmed]\n", "a limit needs an anchor"),
    ],
)
def test_what_is_missing_is_told_at_the_clause(folder: Path, missing: str, says: str) -> None:
    clause = (folder / "ndpa-v1/va.yaml").read_text().partition("      - adds:")[0].count("\n") + 1
    edit(folder / "ndpa-v1/va.yaml", missing, "")
    with pytest.raises(ClauseFileError, match=says) as told:
        load_catalogue(folder)
    assert told.value.problems[0].line == clause


def test_all_problems_of_a_file_are_told_at_once(folder: Path) -> None:
    first = edit(folder / "ndpa-v1/va.yaml", "limit: 24 hours", "limit: 24")
    second = edit(folder / "ndpa-v1/va.yaml", "          citation: item 1", "          sitation: item 1")
    with pytest.raises(ClauseFileError) as told:
        load_catalogue(folder)
    lines = [problem.line for problem in told.value.problems]
    assert first in lines
    assert second in lines


def test_a_file_that_is_not_there_is_told(folder: Path) -> None:
    (folder / "grounds.yaml").unlink()
    with pytest.raises(ClauseFileError, match=r"grounds\.yaml:1: the file cannot be read"):
        load_catalogue(folder)


def test_all_unusable_files_are_told_at_once(folder: Path) -> None:
    edit(folder / "ndpa-v1/va.yaml", "limit: 24 hours", "limit: 24")
    edit(folder / "ndpa-v1/il.yaml", "limit: 5 days", "limit: 5")
    _, errors = check_catalogue(folder)
    assert {error.path.name for error in errors} == {"va.yaml", "il.yaml"}
