"""``duenotice due`` and ``duenotice terms``, as a person uses them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from models.errors import InvalidInput
from starter.cli import calendars, terms
from terms.catalogue import CLAUSES_FOLDER

APP = typer.Typer()
terms.register(APP)
calendars.register(APP)

CALENDAR = "first,last,kind\n2025-08-18,2026-03-20,school year\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(APP, arguments)


def ask(*arguments: str) -> dict[str, Any]:
    result = run("due", *arguments, "--json")
    assert result.exit_code == 0, result.exception
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_the_answer_is_the_documented_json() -> None:
    answer = ask("breach", "--form", "ndpa-v1", "--state", "VA", "--at", "confirmed=2026-03-07T22:15-05:00")
    assert list(answer) == ["event", "form", "state", "terms_hash", "duties"]
    assert (answer["event"], answer["form"], answer["state"]) == ("breach", "ndpa-v1", "VA")
    initial, _, notice = answer["duties"]
    assert list(notice) == [
        "clause",
        "owed_by",
        "owed_to",
        "anchor",
        "starts_at",
        "due_at",
        "due_local",
        "earliest_at",
        "earliest_local",
        "limit",
        "status",
        "contents",
        "trail",
        "why",
        "flags",
    ]
    assert (initial["clause"], initial["due_at"]) == ("breach.initial-notice", "2026-03-09T03:15:00Z")
    assert (notice["starts_at"], notice["due_at"]) == ("2026-03-08T03:15:00Z", "2026-03-11T03:15:00Z")
    assert (notice["due_local"], notice["limit"]) == ("2026-03-10T23:15:00-04:00", "72 hours")
    assert list(notice["trail"][0]) == ["document", "clause", "operation", "says"]


def test_a_pending_duty_has_null_instants() -> None:
    answer = ask("breach", "--form", "ndpa-v1", "--state", "TN", "--at", "occurred=2026-03-07")
    pending = answer["duties"][-1]
    assert pending["status"] == "pending"
    assert [pending[key] for key in ("anchor", "starts_at", "due_at", "due_local")] == [None] * 4


def test_a_floor_is_told_as_the_earliest_day_and_not_as_a_due_date() -> None:
    question = ("disposition", "--form", "ndpa-v1", "--state", "NY")
    at = ("--at", "terminated=2026-06-30", "--at", "notice_given=2026-07-20")
    (disposal,) = (duty for duty in ask(*question, *at)["duties"] if duty["clause"] == "disposition.termination")
    assert (disposal["due_at"], disposal["earliest_local"]) == ("2026-10-29T03:59:59Z", "2026-10-18T00:00:00-04:00")
    assert "not before Sun 18 Oct 2026" in run("due", *question, *at).stdout


def test_the_installation_s_own_default_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUENOTICE_DEFAULTS__DISPOSITION_DAYS", "10")
    duties = ask("disposition", "--form", "ca-profile", "--state", "CA", "--at", "disposal_requested=2026-06-01")[
        "duties"
    ]
    (asked,) = (duty for duty in duties if duty["clause"] == "disposition.request")
    assert (asked["limit"], asked["due_local"]) == ("10 days (default)", "2026-06-11T23:59:59-07:00")
    monkeypatch.setenv("DUENOTICE_DEFAULTS__DISPOSITION_DAYS", "soon")
    told = run("due", "disposition", "--form", "ca-profile", "--state", "CA", "--at", "disposal_requested=2026-06-01")
    assert "The default disposition_days cannot be used" in str(told.exception)


def test_the_plain_answer_has_a_table_and_the_sentences() -> None:
    result = run("due", "breach", "--form", "ndpa-v2", "--state", "or", "--at", "confirmed=2026-03-07T19:15-08:00")
    assert "Tue 10 Mar 2026, 20:15 PDT" in result.stdout
    assert "72 hours elapsed" in result.stdout


def test_exhibit_h_changes_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "changes.yaml"
    file.write_text(
        "- clause: breach.notice\n  effective: 2026-01-01\n  entered_by: counsel\n"
        "  step: {amends: {citation: Exhibit H, says: 48 hours instead., limit: 48 hours}}\n"
    )
    at = ("--at", "confirmed=2026-03-07T19:15-08:00")
    answer = ask("breach", "--form", "ndpa-v2", "--state", "OR", *at, "--amendments", str(file))
    notice = next(duty for duty in answer["duties"] if duty["clause"] == "breach.notice")
    assert notice["limit"] == "48 hours"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("breach --form ndpa-v2 --state VA --at confirmed=2026-03-07T22:15-05:00", "It covers OR"),
        ("breach --form ndpa-v9 --at confirmed=2026-03-07T22:15-05:00", "The forms are"),
        ("breach --form ndpa-v1 --state VA --at confimed=2026-03-07T22:15-05:00", "does not know the anchor"),
        ("breach --form ndpa-v1 --state VA --at confirmed=2026-03-07", "only a date"),
        ("breach --form ndpa-v1 --state VA --at confirmed=2026-03-07T22:15", "has no zone"),
        ("breach --form ndpa-v1 --state VA --at confirmed=yesterday", "neither a date nor an instant"),
        ("breach --form ndpa-v1 --state VA --at confirmed", "is not ANCHOR=WHEN"),
        ("breach --form ndpa-v1 --state VA --at confirmed=2026-03-07 --at confirmed=2026-03-08", "given twice"),
        ("breach --form ndpa-v1 --state VA --tz America/Gotham --at confirmed=2026-03-07T22:15Z", "no time zone"),
        ("breach --form ndpa-v1 --at confirmed=2026-03-07T22:15Z", "Give --state, or --tz"),
        ("breach --form ca-profile --state CA --at confirmed=2026-03-07T22:15Z", "sets no dated duty for breach"),
        ("beach --form ndpa-v1 --state VA --at confirmed=2026-03-07T22:15Z", "no event 'beach'"),
        ("breach --at confirmed=2026-03-07T22:15Z", "Give --form, or --agreement"),
        ("term --form ndpa-v1 --state VA --on soon --at executed=2026-03-07", "is not a date"),
        ("term --form ndpa-v1 --state VA --calendar nowhere.csv --at executed=2026-03-07", "cannot be read"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments: str, says: str) -> None:
    told = run("due", *arguments.split()).exception
    assert isinstance(told, InvalidInput)
    assert told.exit_code == 2
    assert says in str(told)


def test_a_calendar_of_another_school_year_is_told(tmp_path: Path) -> None:
    file = tmp_path / "year.csv"
    file.write_text(CALENDAR)
    question = ("disclosure", "--form", "ndpa-v1", "--state", "IL", "--at", "disclosure=2026-09-15")
    told = run("due", *question, "--calendar", str(file)).exception
    assert isinstance(told, InvalidInput)
    assert "covers only Mon 18 Aug 2025 to Fri 20 Mar 2026" in str(told)


def test_due_starts_without_the_engine() -> None:
    program = (
        "import sys, typer; from starter.cli import terms; app = typer.Typer(); terms.register(app); "
        "app(['term', '--form', 'ndpa-v1', '--state', 'VA', '--at', 'executed=2026-03-07'], standalone_mode=False); "
        "assert not {'temporalio', 'sqlalchemy', 'holidays', 'icalendar'} & set(sys.modules)"
    ).replace("app([", "app(['due', ")
    subprocess.run([sys.executable, "-c", program], check=True, cwd=CLAUSES_FOLDER.parent.parent, capture_output=True)


def test_terms_show_check_and_diff() -> None:
    shown = run("terms", "show", "--form", "ndpa-v1", "--state", "MO", "--clause", "breach.notice")
    assert "discovery_date (at once)" in shown.stdout
    assert "Performed by notice, goes while something required at once is missing" in " ".join(shown.stdout.split())
    assert "every case agrees" in run("terms", "check").stdout
    changes = run("terms", "diff", "--form", "ndpa-v1", "--state", "VA").stdout
    assert "breach.initial-notice: – → 24 hours after reasonably_expected or confirmed" in changes
    assert "changes nothing" in run("terms", "diff", "--form", "ndpa-v2", "--state", "OR").stdout


def test_terms_check_tells_every_problem_with_its_line(tmp_path: Path) -> None:
    folder = tmp_path / "clauses"
    folder.mkdir()
    for name in ("contents", "anchors", "grounds"):
        (folder / f"{name}.yaml").write_text("nothing: here\n")
    result = run("terms", "check", str(folder))
    assert result.exit_code == 2
    assert "contents.yaml:1: the key 'nothing' is not known here." in result.stderr
    assert "anchors.yaml:1: the key 'anchors' is missing." in result.stderr


def test_internal_due_dates_are_listed_from_the_file_that_the_setting_or_the_command_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "names no file" in run("terms", "internal").output
    file = tmp_path / "internal.yaml"
    file.write_text("breach.notice: 24 hours\naudit.annual: 10 business days\n", encoding="utf-8")
    said = "breach.notice: 24 hours ahead\naudit.annual: 10 business days ahead\n"
    assert run("terms", "internal", str(file)).output == said
    monkeypatch.setenv("DUENOTICE_INTERNAL_DUE_DATES", str(file))
    assert run("terms", "internal").output == said
    file.write_text("breach.notice: 24 ours\n", encoding="utf-8")
    refused = run("terms", "internal").exception
    assert isinstance(refused, InvalidInput)
    assert refused.message == "breach.notice: 'ours' is no unit of a lead time; did you mean hours?"
    assert refused.next_step == "Correct the file, then run duenotice terms internal FILE."
