"""What officers decide on a case's page, what the page then shows, and what is refused with what was typed."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from uuid import UUID, uuid4

import httpx
import pytest
from sqlmodel import select

from models.enums import BatchStatus
from models.tables import Batch
from starter.resources import utc_now
from tests.support.incident_form import NOW, opened, shows
from tests.support.installation import Installation, Visitor

SAID = HTTPStatus.SEE_OTHER
PROPOSAL = {"clause": "breach.notice", "ground": "no_student_data", "reason": "Not its data."}
REFUSED = HTTPStatus.UNPROCESSABLE_ENTITY


async def decide(
    officer: Visitor,
    case: str,
    act: str,
    values: Mapping[str, object],
    file: tuple[str, bytes] | None = None,
    field: str = "file",
) -> httpx.Response:
    """Send one of the page's forms, as checked where what would follow is shown first."""
    return await officer.send(case, f"{case}/acts/{act}", {"checked": "yes", **values}, file, field)


async def confirmed(officer: Visitor, title: str, *agreements: str) -> str:
    """A case of a confirmed breach whose duties are computed."""
    case = await opened(officer, title, chosen="\n".join(agreements), confirmed_at=NOW)
    await shows(officer, case, "Read and release")
    return case


def part(page: str, section: str) -> str:
    """One section of a page."""
    found = re.search(rf'<section id="{section}">.*?</section>', page, re.S)
    assert found, section
    return found[0]


async def test_what_was_typed_is_not_lost_where_somebody_else_acted_meanwhile(officer: Visitor) -> None:
    case = await confirmed(officer, "Confirmed meanwhile", "TN-001")
    refused = await decide(officer, case, "dismiss", {"reason": "Our own backup made the copy."})
    assert refused.status_code == HTTPStatus.CONFLICT
    assert "Our own backup made the copy." in refused.text.partition('id="not-taken"')[2]
    still_offered = await decide(officer, case, "propose", {**PROPOSAL, "clause": "breach.none"})
    assert 'id="not-taken"' not in still_offered.text, "it stands in its form again"


async def test_reasons_are_said_without_names_of_the_code(officer: Visitor) -> None:
    case = await opened(officer, "In words", chosen="VA-001", reasonably_expected_at=NOW)
    page = await shows(officer, case, "Read and release")
    assert "It is counted from the first to occur of reasonably expected, confirmed: reasonably expected." in page


async def test_a_notice_that_is_released_and_has_not_left_yet_waits_for_nobody(
    officer: Visitor, installation: Installation
) -> None:
    case = await confirmed(officer, "On its way", "TN-001")
    with installation.resources.database.writing() as session:
        of_case = Batch.case_id == UUID(case.rpartition("/")[2])
        for batch in session.exec(select(Batch).where(of_case, Batch.status == BatchStatus.WAITING)):
            batch.released_by = "officer"
            session.add(batch)
    page = (await officer.get(case)).text
    assert "Read and release" not in page
    assert "Withhold waiting notices…" not in page


async def test_what_is_ticked_unless_somebody_takes_it_away_is_ticked(officer: Visitor) -> None:
    case = await confirmed(officer, "Ticked", "TN-001")
    ticked = re.compile(r'<input type="checkbox" id="hold-shareable"[^>]* checked>')
    assert ticked.search((await officer.get(case)).text)
    untick = {"particulars": "State police, ref. 7", "begins_at": "", "zone": "UTC"}
    refused = await decide(officer, case, "hold", untick)
    assert refused.status_code == REFUSED
    assert not ticked.search(refused.text), "what was typed stands, and it was not ticked"


async def test_a_hold_shows_what_it_suspends_and_what_runs_on(officer: Visitor) -> None:
    case = await opened(officer, "Held", chosen="VA-001", reasonably_expected_at=NOW, confirmed_at=NOW)
    await shows(officer, case, "Read and release")
    before = " ".join(html.unescape((await officer.get(case)).text).split())
    assert "It stops “Notify the LEA of a confirmed breach”." in before
    assert "It does not stop “Give the LEA initial notice of a suspected breach”: there the clock runs on" in before
    hold = {"particulars": "State police, ref. 7", "begins_at": NOW, "zone": "UTC", "secret": "yes"}
    answer = await decide(officer, case, "hold", hold)
    assert (answer.status_code, answer.headers["location"]) == (SAID, f"{case}?done=hold#done")
    page = html.unescape((await officer.get(case)).text)
    assert "Suspended by a law-enforcement hold: State police, ref. 7" in page
    assert "the clock runs on" in page
    assert "LEAs may not be told of it." in page

    held = re.search(r'name="hold_id" value="([\w-]+)"', page)
    assert held
    assert (await decide(officer, case, "lift", {"hold_id": held[1]})).status_code == SAID
    page = (await officer.get(case)).text
    assert "Suspended by" not in page
    assert "by officer" in part(page, "acts")
    assert (await decide(officer, case, "lift", {"hold_id": held[1]})).status_code == HTTPStatus.CONFLICT


async def test_a_proposal_is_approved_in_another_officer_s_session_only(
    officer: Visitor, installation: Installation
) -> None:
    case = await confirmed(officer, "Not required", "MO-001", "TN-001")
    proposal = {"clause": "breach.notice", "ground": "data_unreadable", "agreements": "MO-001", "reason": "Encrypted."}
    assert (await decide(officer, case, "propose", proposal)).status_code == SAID
    page = (await officer.get(case)).text
    assert "A second person decides it." in page
    waiting = re.search(r'name="proposal_id" value="([\w-]+)"', page)
    assert waiting
    own = await decide(officer, case, "approve", {"proposal_id": waiting[1]})
    assert own.status_code == HTTPStatus.CONFLICT
    assert "Nobody approves a proposal of their own" in own.text

    second = await installation.officer("kim.example")
    assert (await decide(second, case, "approve", {"proposal_id": waiting[1]})).status_code == SAID
    page = html.unescape((await second.get(case)).text)
    assert "Not required: The data was encrypted" in page
    assert "approved by kim.example" in page


LETTER = b"%PDF-1.7\n1 0 obj\n"


async def test_what_was_done_by_other_means_takes_two_people_and_never_looks_like_the_engine_s_own(
    officer: Visitor, installation: Installation
) -> None:
    """The fault as it happened: a notice "on time" by one person, with any file, and nothing sent."""
    case = await confirmed(officer, "By letter", "TN-001")
    told = {"clause": "breach.notice", "agreements": "TN-001", "done_at": NOW, "zone": "UTC"}
    told |= {"how": "By registered letter.", "to_whom": "The superintendent."}
    refused = await decide(officer, case, "done", told, ("letter.pdf", b"MZ\x90\0\3"), "proof")
    assert refused.status_code == REFUSED
    assert '<a href="#done-proof">' in refused.text
    assert "Taken are PDF" in refused.text
    assert (await decide(officer, case, "done", told, ("letter.pdf", LETTER), "proof")).status_code == SAID
    page = (await officer.get(case)).text
    assert ("Done by other means" in page, "Performed by other means" in page) == (True, False)
    proposal = re.search(rf'href="({case}/proposals/([\w-]+))"', page)
    assert proposal
    assert (await decide(officer, case, "approve", {"proposal_id": proposal[2]})).status_code == HTTPStatus.CONFLICT

    second = await installation.officer("kim.means")
    asked = html.unescape((await second.get(proposal[1])).text)
    for shown in ("By registered letter.", "The superintendent.", "on time by other means", "1 notice that waits does"):
        assert shown in asked
    proof = await second.get(f"{proposal[1]}/proof")
    assert (proof.content, proof.headers["content-type"]) == (LETTER, "application/pdf")
    assert proof.headers["content-disposition"].startswith("attachment;")
    assert proof.headers["x-content-type-options"] == "nosniff"
    assert (await second.get(f"/api{proposal[1]}/proof")).content == LETTER
    assert (await decide(second, case, "approve", {"proposal_id": proposal[2]})).status_code == SAID

    page = await shows(officer, case, "Performed by other means")
    assert "on the word of officer, approved by kim.means" in re.sub(r"<[^>]+>", "", page)
    assert ('class="status on_time"' in page, 'class="status on_time_by_other_means"' in page) == (False, True)
    assert "open the proof" in part(page, "evidence")
    (duty,) = (await officer.get(f"/api{case}/duties")).json()["items"]
    assert (duty["verdict"], duty["by_other_means"]["approved_by"]) == ("on_time_by_other_means", "kim.means")
    (cohort,) = (await officer.get(f"/api{case}/cohorts")).json()
    assert (cohort["by_other_means"], cohort["waiting"]) == (1, 0)
    board = (await officer.get("/")).text
    row = next(row for row in board.split("<tr") if f'href="{case}"' in row)
    assert "1 done by other means" in row


async def test_what_was_recorded_as_done_is_taken_back_and_both_stay_to_be_seen(
    officer: Visitor, installation: Installation
) -> None:
    case = await confirmed(officer, "Another district", "TN-001", "OH-001")
    told = {"clause": "breach.notice", "agreements": "TN-001", "done_at": NOW, "zone": "UTC", "how": "By letter."}
    assert (await decide(officer, case, "done", told, ("a.txt", b"A letter."), "proof")).status_code == REFUSED
    told["to_whom"] = "The superintendent."
    assert (await decide(officer, case, "done", told, ("a.txt", b"A letter."), "proof")).status_code == SAID
    proposal = re.search(rf'href="{case}/proposals/([\w-]+)"', (await officer.get(case)).text)
    assert proposal
    second = await installation.officer("kim.undone")
    assert (await decide(second, case, "approve", {"proposal_id": proposal[1]})).status_code == SAID
    await shows(officer, case, "Performed by other means")
    undo = {"proposal_id": proposal[1], "reason": "It was sent to another district."}
    assert (await decide(second, case, "undo", undo | {"reason": ""})).status_code == REFUSED
    assert (await decide(second, case, "undo", undo)).status_code == SAID
    decided = part(await shows(officer, case, "Taken back by kim.undone"), "acts")
    assert "It was sent to another district." in decided
    assert "approved by kim.undone" in decided
    (cohort,) = (await officer.get(f"/api{case}/cohorts")).json()
    assert (cohort["waiting"], cohort["by_other_means"]) == (2, 0)


async def test_withheld_notices_wait_for_a_release(officer: Visitor, installation: Installation) -> None:
    case = await confirmed(officer, "Withheld", "TN-001")
    assert (await decide(officer, case, "withhold", {"reason": "Counsel reads it first."})).status_code == SAID
    page = (await officer.get(case)).text
    assert "Counsel reads it first." in part(page, "acts")
    assert "1 notice is withheld" in page
    assert "Withhold waiting notices…" not in page
    assert "Decided by one person: without a second one it ends" in part(page, "acts")
    everything = await officer.send(case, f"{case}/drafts/release", {"unread": "yes"})
    assert (everything.status_code, "1 is withheld" in everything.text) == (HTTPStatus.CONFLICT, True)
    answer = await officer.send(case, f"{case}/drafts/release", {"withheld": "yes", "unread": "yes"})
    assert answer.status_code == SAID
    page = await shows(officer, case, "on time")
    decided = part(page, "acts")
    assert "Counsel reads it first." in decided, "a decision that ended stays to be seen"
    assert re.search(r"Released by officer, <time", decided)


async def test_a_form_sent_twice_is_one_act_and_one_sent_again_with_other_words_is_another(officer: Visitor) -> None:
    """A browser that goes back sends the form under the name that the page gave it, whatever was typed since."""
    case = await confirmed(officer, "Sent again", "IL-001")
    first = {"element": "parent_contact", "value": "Kim Example", "sent_as": str(uuid4())}
    for values in (first, first, first | {"value": "Lee Example"}):
        assert (await decide(officer, case, "learn", values)).status_code == SAID
    page = (await officer.get(case)).text
    assert "Lee Example" in part(page, "facts")
    evidence = (await officer.get(f"/api{case}/evidence")).json()["items"]
    assert [entry["kind"] for entry in evidence].count("act.learn") == 2


async def test_facts_become_known_or_impossible(officer: Visitor) -> None:
    case = await confirmed(officer, "Facts", "IL-001")
    assert "not known yet" in part((await officer.get(case)).text, "facts")
    known = {"element": "parent_contact", "value": "Kim Example"}
    assert (await decide(officer, case, "learn", known)).status_code == SAID
    assert (await decide(officer, case, "impossible", {"element": "students_involved"})).status_code == SAID
    facts = part((await officer.get(case)).text, "facts")
    assert "Kim Example" in facts
    assert "impossible" in facts


async def test_a_date_is_corrected_for_the_case_or_for_one_agreement(officer: Visitor) -> None:
    case = await confirmed(officer, "Dates", "TN-001", "OH-001")
    days = {"name": "occurred", "first_day": "2026-10-01", "last_day": "2026-10-03", "reason": "The log says so."}
    assert (await decide(officer, case, "date", days)).status_code == SAID
    assert "between Thu 1 Oct 2026 and Sat 3 Oct 2026" in (await officer.get(case)).text
    earlier = f"{utc_now() - timedelta(hours=3):%Y-%m-%dT%H:%M}"
    one = {"name": "confirmed", "instant": earlier, "zone": "UTC", "agreement": "OH-001", "reason": "Found then."}
    assert (await decide(officer, case, "date", one)).status_code == SAID
    assert "By clause and due instant" in (await officer.get(case)).text


async def test_agreements_are_added_by_name_state_and_file(officer: Visitor) -> None:
    case = await confirmed(officer, "Grows", "TN-001")
    added = {"agreements": "NH-001", "state": "mo"}
    assert (await decide(officer, case, "add", added, ("more.csv", b"reference\nVT-001\n"))).status_code == SAID
    duties = part((await officer.get(case)).text, "duties")
    for reference in ("TN-001", "NH-001", "MO-001", "VT-001"):
        assert reference in duties
    of_one_state = part((await officer.get(f"{case}?state=VT")).text, "duties")
    assert "VT-001 " in of_one_state
    assert "TN-001 " not in of_one_state


async def test_a_dismissed_case_takes_no_more_decisions(officer: Visitor) -> None:
    case = await opened(officer, "A drill", chosen="VA-001", reasonably_expected_at=NOW)
    await shows(officer, case, "Read and release")
    assert (await decide(officer, case, "dismiss", {"reason": "It was a drill."})).status_code == SAID
    page = await shows(officer, case, "closed ")
    assert "act-forms" not in page


@pytest.mark.parametrize(
    ("act", "values", "says"),
    [
        ("hold", {"particulars": "Sealed order 9", "begins_at": ""}, "<strong>Since:</strong></a> It is empty."),
        ("hold", {"particulars": "Sealed order 9", "begins_at": NOW}, "no time zone"),
        ("hold", {"particulars": "", "begins_at": NOW, "zone": "UTC"}, "It is empty."),
        ("date", {"name": "", "reason": "Typed before"}, "<strong>Which date:</strong></a> Nothing is chosen."),
        ("date", {"name": "confirmed", "reason": "Typed before"}, "needs an instant"),
        ("date", {"name": "occurred", "last_day": "2026-10-03", "reason": "Typed before"}, "neither an instant"),
        ("learn", {"element": "weather", "value": "Rain all day"}, "know no element"),
        ("propose", {"clause": "", "reason": "Good faith"}, "<strong>Clause:</strong></a> Nothing is chosen."),
        ("propose", {"clause": "breach.notice", "ground": "no_student_data", "reason": ""}, "It is empty."),
        ("propose", PROPOSAL | {"agreements": "XX-9"}, "not in this case"),
        ("propose", PROPOSAL | {"ground": "data_unreadable"}, "know no ground"),
        ("withhold", {"reason": ""}, "It is empty."),
        (
            "done",
            {"clause": "breach.notice", "agreements": "TN-001", "done_at": NOW, "zone": "UTC", "how": "By letter."},
            "No file is chosen.",
        ),
        ("add", {"agreements": "XX-404"}, "There is no agreement XX-404."),
        ("add", {"state": "TN"}, "names no agreement that could be added"),
        ("lift", {"hold_id": "nonsense"}, "This form is incomplete."),
    ],
)
async def test_what_cannot_be_done_is_refused_with_what_was_typed(
    officer: Visitor, refusing: str, act: str, values: dict[str, object], says: str
) -> None:
    answer = await decide(officer, refusing, act, values)
    page = html.unescape(answer.text)
    assert answer.status_code == REFUSED, page
    assert says in page
    for name, typed in values.items():
        if typed and name not in ("hold_id", "zone", "clause", "ground", "element", "name"):
            assert str(typed) in page, name


@pytest.fixture
async def refusing(officer: Visitor) -> str:
    """A case in which something waits."""
    return await confirmed(officer, "Refusing", "TN-001")


async def test_a_refusal_leads_to_its_field_and_takes_the_focus_and_reloading_it_shows_the_case(
    officer: Visitor, refusing: str
) -> None:
    answer = await decide(officer, refusing, "hold", {"particulars": "Sealed order 9", "begins_at": ""})
    assert re.search(r'role="alert"[^>]* tabindex="-1" autofocus', answer.text)
    assert '<a href="#hold-begins_at"><strong>Since:</strong></a> It is empty.' in answer.text
    assert re.search(r'<input id="hold-begins_at"[^>]* aria-invalid="true"', answer.text)
    again = await officer.get(f"{refusing}/acts/hold")
    assert (again.status_code, again.headers["location"]) == (SAID, refusing)


async def test_no_act_has_no_page(officer: Visitor, refusing: str) -> None:
    assert (await decide(officer, refusing, "explode", {})).status_code == HTTPStatus.NOT_FOUND


async def test_progress_is_shown_while_notices_are_being_sent(officer: Visitor, installation: Installation) -> None:
    case = await confirmed(officer, "Under way", "TN-001", "OH-001")
    with installation.resources.database.writing() as session:
        for batch in session.exec(select(Batch).where(Batch.case_id == UUID(case.rpartition("/")[2]))):
            batch.status = BatchStatus.SENDING
            session.add(batch)
    page = (await officer.get(case)).text
    assert '<progress max="2" value="0">' in page
    assert '<noscript><meta http-equiv="refresh"' in page
    (sending,) = (await officer.get(f"/api{case}/progress")).json()
    assert (sending["given"], sending["total"]) == (0, 2)


async def test_every_act_is_there_for_programs(officer: Visitor, refusing: str) -> None:
    acts = f"/api{refusing}/acts"
    held = await officer.http.post(acts, json={"act": "hold", "particulars": "Agency, ref. 1", "begins_at": f"{NOW}Z"})
    assert held.status_code == HTTPStatus.OK
    lifted = await officer.http.post(acts, json={"act": "lift", "hold_id": held.json()["id"]})
    assert lifted.json()["summary"]["waiting_notices"] == 1
    learnt = await officer.http.post(acts, json={"act": "learn", "element": "weather", "value": "Rain"})
    assert learnt.status_code == REFUSED
    assert "know no element" in learnt.json()["message"]
    unknown = await officer.http.post(acts, json={"act": "explode"})
    assert unknown.status_code == REFUSED
    more = await officer.http.post(acts, json={"act": "withhold", "reason": "Counsel.", "colour": "red"})
    assert more.status_code == REFUSED


async def test_programs_read_a_case_in_parts(officer: Visitor, refusing: str) -> None:
    case = f"/api{refusing}"
    head = (await officer.get(f"{case}/head")).json()
    assert head["waiting_notices"] == 1
    (cohort,) = (await officer.get(f"{case}/cohorts")).json()
    assert (cohort["clause"], cohort["waiting"], cohort["statuses"]) == ("breach.notice", 1, {"running": 1})
    duties = (await officer.get(f"{case}/duties?status=running&limit=1")).json()
    assert (duties["total"], duties["items"][0]["reference"]) == (1, "TN-001")
    assert (await officer.get(f"{case}/duties?status=performed")).json() == {"items": [], "total": 0}
    evidence = (await officer.get(f"{case}/evidence?offset=1&limit=1")).json()
    assert (len(evidence["items"]), evidence["items"][0]["number"] > 0) == (1, True)
    assert evidence["total"] > 2
