"""What officers can do in a case from the command line, end to end, and how it is refused."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from agreements.references import references_in_csv
from models.enums import DutyStatus, NoticeKind
from models.errors import NotAllowed
from queries.cases import read_case
from queries.views import CaseView
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import INITIAL, NOTICE, duties, incident, open_case
from tests.support.officers import officer
from tests.support.shell import Shell

HOUR = timedelta(hours=1)


def case(engine: VirtualEngine, case_id: UUID) -> CaseView:
    return read_case(engine.resources.database, case_id, utc_now())


async def test_a_proposal_is_never_approved_at_the_command_line_whatever_the_environment_says(
    installed: VirtualEngine, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = str(await open_case(installed, incident("MO-001", "TN-001", confirmed=utc_now())))
    asked = (NOTICE, "data_unreadable", "--reason", "The disk was encrypted.", "--agreement", "MO-001")
    said = await shell("breach", "propose", case_id, *asked)
    found = re.search(r"Proposal (\S+): a second person decides it", said.out)
    assert found, said.err
    assert "Nobody approves a proposal of their own" in await shell.refuses("breach", "approve", case_id, found[1][:6])

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "kim")
    assert "Nobody approves a proposal of their own" in await shell.refuses("breach", "approve", case_id, found[1][:6])
    monkeypatch.setattr("starter.command_line.user", lambda: "kim")
    refused = await shell("breach", "approve", case_id, found[1][:6])
    assert (refused.code, refused.out) == (NotAllowed.exit_code, "")
    assert "Approving takes the account of an officer or an approver." in refused.err

    await officer(installed).decide_proposal(UUID(case_id), UUID(found[1]), approve=True, actor="kim")
    assert duties(installed, UUID(case_id), "MO")[NOTICE].status is DutyStatus.NOT_REQUIRED
    assert duties(installed, UUID(case_id), "TN")[NOTICE].status is DutyStatus.RUNNING
    shown = (await shell("breach", "show", case_id)).out
    assert "approved by kim, " in shown
    assert ": no notice under breach.notice for MO-001" in shown
    assert "The disk was encrypted." in shown
    assert "No such proposal is open" in await shell.refuses("breach", "decline", case_id, found[1])


async def test_what_was_done_by_other_means_is_said_at_the_command_line_and_shown_with_both_names(
    installed: VirtualEngine, shell: Shell, tmp_path: Path
) -> None:
    case_id = str(await open_case(installed, incident("MO-001", "TN-001", confirmed=utc_now() - HOUR)))
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.7")
    asked = ("--agreement", "MO-001", "--how", "By registered letter.", "--proof", str(tmp_path / "letter.pdf"))
    assert "to_whom: It is empty." in await shell.refuses("breach", "done", case_id, NOTICE, *asked)
    said = await shell("breach", "done", case_id, NOTICE, *asked, "--to-whom", "The superintendent.")
    found = re.search(r"Proposal (\S+): a second person decides it", said.out)
    assert found, said.err
    await officer(installed).decide_proposal(UUID(case_id), UUID(found[1]), approve=True, actor="kim")
    shown = (await shell("breach", "show", case_id)).out
    assert ": breach.notice done by other means for MO-001" in shown
    assert f"Proposal {found[1]}, approved by kim" in shown
    assert "by other means" in " ".join(shown.partition("evidence")[2].split()), "the row of the duty says so"
    assert (await shell("breach", "undo", case_id, "--reason", "Another district.")).code == 0
    assert duties(installed, UUID(case_id), "MO")[NOTICE].status is DutyStatus.RUNNING
    assert "taken back by" in (await shell("breach", "show", case_id)).out


async def test_a_hold_suspends_what_may_wait_and_is_lifted(installed: VirtualEngine, shell: Shell) -> None:
    case_id = str(await open_case(installed, incident("VA-001", expected=utc_now(), confirmed=utc_now())))
    said = await shell("breach", "hold", case_id, "--particulars", "State police, ref. 12, Sgt. Example")
    assert said.code == 0, said.err
    found = case(installed, UUID(case_id))
    by_clause = {duty.clause: duty for duty in found.duties}
    assert by_clause[NOTICE].status is DutyStatus.SUSPENDED
    assert by_clause[INITIAL].status is DutyStatus.RUNNING
    assert found.runs_on(by_clause[INITIAL])
    assert not found.runs_on(by_clause[NOTICE])
    assert "State police, ref. 12" in (await shell("breach", "show", case_id)).out

    assert (await shell("breach", "lift", case_id)).code == 0
    found = case(installed, UUID(case_id))
    assert {duty.status for duty in found.duties} == {DutyStatus.RUNNING}
    assert found.holds[0].ended_at
    assert "No such hold is open" in await shell.refuses("breach", "lift", case_id)


async def test_withheld_notices_are_shown_with_who_and_why_until_they_are_released(
    installed: VirtualEngine, shell: Shell
) -> None:
    case_id = str(await open_case(installed, incident("TN-001", confirmed=utc_now())))
    said = await shell("breach", "withhold", case_id, "--reason", "Counsel reads it first.")
    assert said.code == 0, said.err
    found = case(installed, UUID(case_id))
    assert (found.waiting_notices, found.withheld_notices) == (0, 1)
    assert found.withholdings[0].reason == "Counsel reads it first."
    assert "withheld already" in await shell.refuses("breach", "withhold", case_id, "--reason", "Again.")

    said = await shell("breach", "release", case_id, "--clause", NOTICE, "--withheld", "--unread", "--wait")
    assert "1/1" in said.out
    found = case(installed, UUID(case_id))
    (withholding,) = found.withholdings
    assert (found.withheld_notices, withholding.lasts) == (0, False)
    assert [end.by for end in withholding.ended] == [withholding.decided_by]
    assert found.duties[0].status is DutyStatus.PERFORMED


async def test_what_is_learnt_reaches_the_leas_that_wait_for_it(installed: VirtualEngine, shell: Shell) -> None:
    case_id = await open_case(installed, incident("NY-001", confirmed=utc_now()), release="immediate")
    await installed.settle(case_id)
    before = {fact.element: fact for fact in case(installed, case_id).facts}
    assert before["records_count"].lacking == 1
    assert "Not known: records_count" in (await shell("breach", "show", str(case_id))).out
    assert "know no element" in await shell.refuses("breach", "learn", str(case_id), "weather", "Rain")

    assert (await shell("breach", "learn", str(case_id), "records_count", "1,204")).code == 0
    assert (await shell("breach", "impossible", str(case_id), "investigation")).code == 0
    await installed.settle(case_id)
    after = {fact.element: fact for fact in case(installed, case_id).facts}
    assert after["records_count"].value == "1,204"
    assert after["records_count"].lacking == after["investigation"].lacking == 0
    (duty,) = case(installed, case_id).duties
    assert NoticeKind.SUPPLEMENT in {notice.kind for notice in duty.notices}


async def test_a_date_is_corrected_with_a_reason(installed: VirtualEngine, shell: Shell) -> None:
    confirmed = utc_now() - 2 * HOUR
    case_id = str(await open_case(installed, incident("TN-001", "OH-001", confirmed=confirmed)))
    moved = (confirmed + HOUR).isoformat()
    assert "A correction needs a reason." in await shell.refuses(
        "breach", "date", case_id, "confirmed", "--instant", moved
    )
    for name, when, says in (
        ("confirmed", ("--first-day", f"{confirmed:%Y-%m-%d}"), "needs an instant"),
        ("birthday", ("--instant", moved), "know no date 'birthday'"),
        ("confirmed", ("--instant", "soon"), "is not an instant"),
    ):
        assert says in await shell.refuses("breach", "date", case_id, name, *when, "--reason", "The log says so.")

    only_one = ("--reason", "Its data was found later.", "--agreement", "OH-001")
    assert (await shell("breach", "date", case_id, "confirmed", "--instant", moved, *only_one, "--yes")).code == 0
    assert duties(installed, UUID(case_id), "OH")[NOTICE].starts_at == confirmed + HOUR
    assert duties(installed, UUID(case_id), "TN")[NOTICE].starts_at == confirmed
    days = ("occurred", "--first-day", "2026-10-01", "--last-day", "2026-10-03", "--reason", "The log says so.")
    assert (await shell("breach", "date", case_id, *days, "--yes")).code == 0
    anchors = {anchor.name: anchor for anchor in case(installed, UUID(case_id)).anchors}
    assert anchors["occurred"].last_day == date(2026, 10, 3)


async def test_agreements_are_added_by_reference_by_state_and_from_a_file(
    installed: VirtualEngine, shell: Shell, tmp_path: Path
) -> None:
    case_id = str(await open_case(installed, incident("TN-001", confirmed=utc_now())))
    file = tmp_path / "later.csv"
    file.write_text("LEA,Reference\nGreen Mountain,VT-001\n", "utf-8")
    said = await shell("breach", "add", case_id, "--agreement", "NH-001", "--state", "mo", "--file", str(file), "--yes")
    assert said.code == 0, said.err
    assert {duty.reference for duty in case(installed, UUID(case_id)).duties} == {
        "TN-001",
        "NH-001",
        "MO-001",
        "VT-001",
    }
    assert "in this case already" in await shell.refuses("breach", "add", case_id, "--agreement", "NH-001")
    assert "names no agreement" in await shell.refuses("breach", "add", case_id, "--state", "MO")
    assert "cannot be read" in await shell.refuses("breach", "add", case_id, "--file", "/nowhere.csv")


async def test_a_dismissed_case_is_watched_to_its_end(installed: VirtualEngine, shell: Shell) -> None:
    case_id = await open_case(installed, incident("VA-001", expected=utc_now()))
    assert (await shell("breach", "dismiss", str(case_id), "--reason", "It was a drill.")).code == 0
    await installed.settle(case_id)
    assert "dismissed" in (await shell("breach", "show", str(case_id), "--watch")).out
    assert "is closed" in await shell.refuses("breach", "adopt-terms", str(case_id), "--reason", "New clauses.")
    kinds = [entry.kind for entry in case(installed, case_id).evidence]
    assert "act.dismiss" in kinds


async def test_an_empty_reason_is_refused(installed: VirtualEngine, shell: Shell) -> None:
    case_id = str(await open_case(installed, incident("TN-001", confirmed=utc_now())))
    assert "reason: It is empty." in await shell.refuses("breach", "withhold", case_id, "--reason", " ")


def test_references_come_from_the_column_of_that_name_or_the_first() -> None:
    assert references_in_csv("LEA,reference\nOne,A-1\nTwo, A-2 \nTwo,A-2\n\n") == ("A-1", "A-2")
    assert references_in_csv("\ufeffA-1\nA-2,whatever\n") == ("A-1", "A-2")
    assert references_in_csv("") == ()


async def test_each_duty_that_one_message_performed_names_its_evidence(installed: VirtualEngine, shell: Shell) -> None:
    """Virginia, confirmed at once: one letter is the initial notice and that of the confirmed breach."""
    case_id = await open_case(installed, incident("VA-001", confirmed=utc_now()), release="immediate")
    await installed.settle(case_id)
    shown = (await shell("breach", "show", str(case_id))).out
    assert len(set(re.findall(r"#(\d+)", shown))) == 2, shown
