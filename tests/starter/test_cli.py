"""The command line as a person uses it: the main path, and one sentence and exit code 2 for what cannot be done."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from agreements.importing import DEMO_FILE
from ledger.verify_bundle import check
from models.enums import DutyStatus
from queries.case_lists import list_cases
from starter.cli.main import run
from starter.local.running import Running, record_running
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.accounts import have_account
from tests.support.incidents import INITIAL, NOTICE, duties, incident, open_case
from tests.support.officers import officer
from tests.support.shell import Shell

HOUR = timedelta(hours=1)


REPORT = (
    "breach", "report", "--title", "A laptop is missing", "--description", "It was left on a train.",
    "--data-type", "Student name", "--reporter", "Robin Example <robin@provider.example.org>", "--yes",
)  # fmt: skip


async def test_breach_report_confirm_show_and_release(installed: VirtualEngine, shell: Shell) -> None:
    now = utc_now()
    expected = (now - HOUR).isoformat()
    options = ("--agreement", "VA-001", "--subprocessor", "Example Hosting LLC")
    command = (*REPORT, "--reasonably-expected-at", expected, "--discovered-at", expected, *options)
    said = await shell(*command)
    found = re.search(r"Case (\w{8}) is reported: (\S+)", said.out)
    assert said.code == 0
    assert found, said.out
    reference = found[1]

    again = await shell(*command)
    assert f"Case {reference} was reported before; this is its case" in again.out

    said = await shell("breach", "confirm", reference, "--confirmed-at", now.isoformat(), "--yes")
    assert said.code == 0
    assert "1 duty under breach.notice starts, due" in said.out
    assert "2 duties open, 2 notices waiting; next due " in said.out

    assert "A laptop is missing" in (await shell("breach", "show")).out
    shown = (await shell("breach", "show", reference, "--why")).out
    assert "Blue Ridge Valley Public Schools" in shown
    assert "24 hours from reasonably expected" in shown
    assert "72 hours elapsed" in shown
    assert "2 notices wait for release" in shown

    assert (await shell("breach", "release", reference, "--unread")).code == 0


def cases(installed: VirtualEngine) -> int:
    """How many cases there are."""
    return list_cases(installed.resources.database, utc_now(), limit=1).total or 0


async def test_a_report_shows_what_would_follow_and_asks(
    installed: VirtualEngine, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks = [word for word in REPORT if word != "--yes"]
    late = ("--agreement", "VA-001", "--reasonably-expected-at", (utc_now() - 30 * HOUR).isoformat())
    command = (*asks, "--discovered-at", (utc_now() - 31 * HOUR).isoformat(), *late)
    before = cases(installed)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    said = await shell(*command)
    assert said.code == 1
    assert "1 duty under breach.initial-notice starts, due" in said.out
    assert "OVERDUE" in said.out
    assert "Blue Ridge Valley Public Schools: " in said.out
    assert said.out.endswith("Nothing was recorded.")
    assert cases(installed) == before

    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    said = await shell(*command)
    assert said.code == 0
    assert "is reported: " in said.out


async def test_yes_does_not_stand_for_dates_that_are_hardly_meant(installed: VirtualEngine, shell: Shell) -> None:
    command = (*REPORT, "--agreement", "TN-001", "--discovered-at", (utc_now() - 9_000 * HOUR).isoformat())
    before = cases(installed)
    assert "Correct it, or confirm that it is meant." in await shell.refuses(*command)
    assert cases(installed) == before
    said = await shell(*command, "--dates-confirmed")
    assert "is reported: " in said.out


async def test_now_is_an_instant(installed: VirtualEngine, shell: Shell) -> None:
    said = await shell(*REPORT, "--agreement", "VA-001", "--discovered-at", "now", "--reasonably-expected-at", "now")
    assert said.code == 0, said.err
    assert "OVERDUE" not in said.out


async def test_breach_report_reads_a_whole_report_from_a_file(
    installed: VirtualEngine, shell: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "report.json"
    report = incident("VA-001", expected=utc_now(), confirmed=utc_now())
    file.write_text(report.model_dump_json(), "utf-8")
    said = await shell("breach", "report", "--file", str(file), "--yes")
    assert "is reported" in said.out
    reported = await officer(installed).report_breach(report, actor="officer")
    assert reported.existed, "a file and a form that say the same are the same report"
    await installed.settle(reported.case_id)
    found = duties(installed, reported.case_id, "VA")
    assert found[INITIAL].status is found[NOTICE].status is DutyStatus.RUNNING


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--discovered-at", "2026-03-07T22:15"), "--discovered-at: 2026-03-07T22:15 has no zone"),
        (("--discovered-at", "yesterday"), "--discovered-at: yesterday is not an instant."),
        (
            ("--discovered-at", "2099-01-01T00:00Z"),
            "discovered_at: The time 2099-01-01T00:00:00+00:00 is in the future.",
        ),
        (("--occurred", "7 March"), "--occurred: "),
        (("--occurred", "2026-03-07..2026-03-01"), "The range ends before it begins."),
        (("--reporter", "nobody"), "--reporter: It needs a name and an address."),
        (("--title", ""), "title: It is empty."),
        (("--agreement", "XX-404"), "agreements: There is no agreement XX-404."),
        (("--file", "/nowhere/report.yaml"), "/nowhere/report.yaml: The file cannot be read"),
        (("--colour", "red"), "No such option"),
    ],
)
async def test_a_report_that_cannot_be_used_is_refused_in_a_sentence(
    installed: VirtualEngine, shell: Shell, options: tuple[str, ...], says: str
) -> None:
    discovered = () if "--discovered-at" in options else ("--discovered-at", "2026-03-07T22:15-05:00")
    assert says in await shell.refuses(*REPORT, *discovered, *options)


async def test_a_report_without_an_agreement_is_refused(installed: VirtualEngine, shell: Shell) -> None:
    said = await shell.refuses(*REPORT, "--discovered-at", "2026-03-07T22:15-05:00")
    assert said.startswith("agreements: No affected agreement is chosen.")


async def test_an_act_on_no_case_is_refused(installed: VirtualEngine, shell: Shell) -> None:
    for command in ("confirm", "release", "show"):
        assert "There is no case 00000000." in await shell.refuses("breach", command, "00000000")


async def test_confirming_twice_and_releasing_nothing_are_refused(installed: VirtualEngine, shell: Shell) -> None:
    case_id = await open_case(installed, incident("TN-001"))
    assert "waits for release" in await shell.refuses("breach", "release", str(case_id))
    assert (await shell("breach", "confirm", str(case_id), "--yes")).code == 0
    assert "This breach is already confirmed." in await shell.refuses("breach", "confirm", str(case_id))


async def test_a_command_that_needs_the_engine_says_so_where_it_does_not_run(
    home: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "There is no keyring." in (await shell("breach", "show")).err


async def test_agreements_are_imported_and_listed(installed: VirtualEngine, shell: Shell, tmp_path: Path) -> None:
    said = await shell("agreements", "import", "--demo")
    assert said.out == "0 added, 0 changed, 12 as they were."
    listed = (await shell("agreements", "list", "--state", "or")).out
    assert "Cascade Meadow School District" in listed
    assert "Blue Ridge" not in listed
    one = tmp_path / "one.csv"
    header, _, row, *_ = DEMO_FILE.read_text("utf-8").splitlines()
    one.write_text(f"{header}\n{row.replace('ME-001', 'ME-777')}\n", "utf-8")
    assert (await shell("agreements", "import", str(one))).out == "1 added, 0 changed, 0 as they were."


async def test_a_file_with_bad_rows_is_refused_with_each_of_them(
    installed: VirtualEngine, shell: Shell, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text(DEMO_FILE.read_text("utf-8").replace("ndpa-v2", "ndpa-v9").replace("2025-02-12", "Ides"), "utf-8")
    lines = (await shell.refuses("agreements", "import", str(bad))).splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["bad.csv:3", "bad.csv:12", "bad.csv:13"]


async def test_an_import_needs_one_file_that_can_be_read(installed: VirtualEngine, shell: Shell) -> None:
    assert "Name one file" in await shell.refuses("agreements", "import")
    assert "cannot be read" in await shell.refuses("agreements", "import", "/nowhere/districts.csv")


@pytest.mark.long
async def test_the_demonstration_plays_a_case_of_each_kind_on_time(
    home: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = await shell("demo")
    assert said.code == 0, said.err
    assert said.out.endswith("Everything was done on time.")
    assert len(set(re.findall(r"#\d+", said.out))) == 7, "the evidence of each notice"
    for district in ("Blue Ridge Valley", "Ozark Ridge", "Prairie Glen", "Cascade Meadow", "Cumberland Hollow"):
        assert district in said.out
    bundles = sorted((home / "demo-evidence").iterdir())
    assert os.listdir(home) == ["demo-evidence"], "the demonstration leaves nothing else behind"
    assert [file.name.partition("-")[0] for file in bundles] == ["breach", "disposition", "parent"], "one a case"
    assert said.out.count("checked: intact") == len(bundles)
    assert all(str(file) in said.out and check(file).state == "intact" for file in bundles)
    told = report_of(bundles[0])
    for words in (
        "6 duties: 5 performed on time",
        "Notify the LEA of a confirmed breach",
        "72 hours elapsed",
        "<office@blueridge.example.org>: the mail server took it on",
        "The server's answer: \"250",
        "as the mail server answered",
        "confirm",
        "How this is shown to be unchanged",
    ):
        assert words in told, words


def report_of(bundle: Path) -> str:
    """What a bundle's report says, as it is read."""
    with zipfile.ZipFile(bundle) as archive:
        content = archive.read("report.pdf")
    assert b"pdfaid:part" in content, "it is a PDF/A"
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages).split())


async def test_a_file_too_must_give_every_instant_its_zone(
    tmp_path: Path, installed: VirtualEngine, shell: Shell
) -> None:
    report = json.loads(incident("VA-001").model_dump_json()) | {"discovered_at": "2026-03-07T22:15"}
    file = tmp_path / "report.json"
    file.write_text(json.dumps(report), "utf-8")
    assert "discovered_at: The time has no zone" in await shell.refuses("breach", "report", "--file", str(file))


async def test_the_list_of_cases_is_shown_a_page_at_a_time(
    installed: VirtualEngine, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starter.cli.cases.CASES_SHOWN", 1)
    for _ in range(2):
        await open_case(installed, incident("TN-001", confirmed=utc_now()))
    first = (await shell("breach", "show")).out
    goes_on = re.search(r"1 of \d+ cases; --after (\S+) shows the next\.", first)
    assert goes_on
    second = (await shell("breach", "show", "--after", goes_on[1])).out
    assert re.search(r"1 of \d+ cases", second)
    shown = [re.search(r"\b[0-9A-F]{8}\b", page) for page in (first, second)]
    assert len({found[0] for found in shown if found}) == 2, "each page shows another case"
    for wrong in ("0", "d1.x", f"d{'9' * 30}.{'0' * 32}"):
        assert "This is no place in the list of cases." in await shell.refuses("breach", "show", "--after", wrong)
    assert " open " in (await shell("breach", "show", "--status", "open")).out
    for found in (("--state", "tn"), ("--kind", "breach"), ("--assignee", "(nobody)")):
        assert " open " in (await shell("breach", "show", *found)).out, found
    some, nowhere = ("--vendor", "Example Hosting LLC"), ("--district", "Nowhere")
    for none in (("--state", "ZZ"), some, nowhere, ("--overdue", *nowhere)):
        assert "No case is such a one." in (await shell("breach", "show", *none)).out, none


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert re.fullmatch(r"duenotice \d+\.\d+\.\d+\n", capsys.readouterr().out)


async def test_one_duty_is_one_duty(installed: VirtualEngine, shell: Shell) -> None:
    case_id = str(await open_case(installed, incident("TN-001", confirmed=utc_now())))
    said = await shell("breach", "impossible", case_id, "description")
    assert said.out.startswith("1 duty open, 1 notice waiting; next due ")


async def test_what_needs_people_is_listed_with_whose_it_is(installed: VirtualEngine, shell: Shell) -> None:
    case_id = await open_case(installed, incident("TN-001", confirmed=utc_now()))
    have_account(installed.resources.database, "kim")
    assert (await shell("breach", "assign", str(case_id), "kim")).code == 0
    listed = (await shell("needs-you")).out
    assert "1 notice waits for your release. If nobody acts, this goes out by itself " in listed
    assert f"/cases/{case_id}/drafts" in listed
    assert "kim" in listed
    home = installed.resources.settings.home
    record_running(home, Running(pid=os.getpid(), web_url="http://127.0.0.1:8701"))
    elsewhere = (await shell("needs-you")).out
    (home / "running.json").unlink()
    assert f"http://127.0.0.1:8701/cases/{case_id}/drafts" in elsewhere, "where the web is that runs here"


async def test_a_file_of_directives_is_checked_and_opened_once(
    tmp_path: Path, installed: VirtualEngine, shell: Shell
) -> None:
    command, file = ("disposition", "open-many"), tmp_path / "many.csv"
    header = (await shell(*command, "--template")).out
    assert header.startswith("title,agreements,extent")
    columns = "title,agreements,extent,nature,schedule,disposal_requested,representative_name,representative_email"
    day = utc_now().date() - timedelta(days=1)
    what = f"complete,destruction,as-soon-as-practicable,{day},Office,office@example.org"
    file.write_text(f"{columns}\nMany at once,IL-001,{what}\nMany at once,NONE,{what}\n", "utf-8-sig")
    assert "many.csv:3, agreements: There is no agreement NONE." in await shell.refuses(*command, str(file), "--yes")
    before = cases(installed)
    said = await shell(*command, str(file), "--good-rows", "--yes")
    assert (said.code, cases(installed)) == (0, before + 1)
    assert "1 case would be opened" in said.out
    assert "1 case is open." in said.out
    assert "There is no agreement NONE." in said.err
    again = await shell(*command, str(file), "--good-rows", "--yes")
    assert (again.code, cases(installed)) == (0, before + 1)
    assert "1 row is open already" in again.out
    assert "No file is named." in await shell.refuses(*command)
