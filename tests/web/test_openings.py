"""The incident form: what is wrong is said at its field, what was typed is kept, and one incident makes one case."""

from __future__ import annotations

import asyncio
import html
import re
from datetime import timedelta

import httpx
import pytest

from queries.case_lists import list_cases
from queries.views import CaseRow
from starter.case_service import CaseService
from starter.resources import utc_now
from tests.support.incident_form import YESTERDAY, incident, report
from tests.support.installation import Installation, Visitor, demo_agreements
from web.choice import SHOWN
from web.opening_form import offered_lines


def cases_of(installation: Installation) -> tuple[CaseRow, ...]:
    """Every case that was reported."""
    cases = list_cases(installation.resources.database, utc_now(), limit=1_000)
    assert len(cases.items) == cases.total
    return cases.items


def problems(answer: httpx.Response) -> str:
    """The summary at the top of the form, as a person reads it."""
    summary = re.search(r'<section class="notice bad".*?</section>', answer.text, re.DOTALL)
    assert summary, "the form shows no problem"
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", summary[0])).split())


async def test_a_report_opens_a_case(officer: Visitor) -> None:
    answer = await report(officer, incident("A report that opens a case"))
    assert answer.status_code == 303
    page = (await officer.get(answer.headers["location"])).text
    assert "A report that opens a case" in page
    assert "Lunch balances" in page
    assert "This case is open" in page


async def test_the_same_incident_posted_twice_is_one_case(officer: Visitor) -> None:
    first, second = [(await report(officer, incident("Posted twice"))).headers["location"] for _ in range(2)]
    assert first.split("?")[0] == second.split("?")[0]
    assert "already reported" in (await officer.get(second)).text


async def test_an_empty_form_lists_everything_it_needs_at_once(officer: Visitor) -> None:
    answer = await report(officer, {"act": "open"})
    assert answer.status_code == 422
    said = problems(answer)
    for label in ("Title", "When did it occur?", "When was it discovered?", "What happened?", "Types of data"):
        assert label in said
    assert "No affected agreement is chosen." in said
    assert "Who reports this? (email)" in said
    for place in re.findall(r'<a href="#(\w+)">', answer.text):
        assert f'id="{place}"' in answer.text, f"the summary leads to {place}, which is not on the page"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"zone": ""}, "The times have no time zone, so they name no instants."),
        ({"discovered_at": "2099-01-01T10:00"}, "is in the future."),
        ({"title": "A title " * 30}, "This is longer than 200 characters. Shorten it."),
        (
            {"confirmed_at": f"{YESTERDAY - timedelta(hours=1):%Y-%m-%dT%H:%M}"},
            "before the breach occurred",
        ),
        ({"occurred_at": ""}, "It is said to be a known instant, but that is not given."),
        (
            {"occurred_kind": "range", "occurred_first": "2026-03-09", "occurred_last": "2026-03-08"},
            "The range ends before it begins.",
        ),
        ({"occurred_kind": "date", "occurred_on": "March"}, "This is not a date."),
        ({"chosen": ""}, "No affected agreement is chosen."),
        ({"chosen": "ZZ-404"}, "ZZ-404"),
        ({"reporter_email": "robin at example"}, "The e-mail address has no @."),
        ({"data_types": [], "data_types_other": " \n"}, "Types of data"),
        ({"title": "x" * 201}, "200 characters"),
    ],
)
async def test_bad_input_gets_a_sentence_and_nothing_is_lost(
    officer: Visitor, installation: Installation, changed: dict[str, object], says: str
) -> None:
    before = len(cases_of(installation))
    values = incident("Kept as typed", description="Rosters <b>were</b> exported.") | changed
    answer = await report(officer, values)
    assert answer.status_code == 422
    assert says in problems(answer)
    assert len(cases_of(installation)) == before
    kept = html.unescape(answer.text)
    for name in (
        "title",
        "description",
        "discovered_at",
        "data_types_other",
        "reporter_name",
        "point_of_contact_email",
    ):
        assert str(values[name]).strip() in kept, f"{name} is lost"
    assert "<b>" not in answer.text, "what a person wrote is not escaped"


async def test_a_missing_zone_is_said_once_and_not_as_missing_times(officer: Visitor) -> None:
    said = problems(await report(officer, incident("No zone", zone="")))
    assert said.startswith("One thing is wrong")


async def test_a_value_that_a_date_picker_cannot_hold_is_still_shown(officer: Visitor) -> None:
    answer = await report(officer, incident("Typed by hand", discovered_at="on Tuesday"))
    assert re.search(r'name="discovered_at" value="on Tuesday"[^>]*\s+type="text"', answer.text)


class TestChoosingAgreements:
    async def test_what_was_chosen_before_a_filter_stays_chosen(self, officer: Visitor) -> None:
        values = incident("Filtered", act="find", chosen="VA-001", state="OR", shown="", agreement=[])
        page = (await report(officer, values)).text
        assert "1 chosen" in page
        assert "Cascade Meadow" in page
        assert "Blue Ridge Valley" not in page
        assert 'value="Filtered"' in page

    async def test_unticking_a_shown_one_takes_it_out(self, officer: Visitor) -> None:
        values = incident("Unticked", act="find", chosen="VA-001\nMO-001", shown="VA-001", agreement=[])
        assert re.search(r'name="chosen" value="MO-001"', (await report(officer, values)).text)

    async def test_all_that_the_filter_finds_can_be_chosen_at_once(self, officer: Visitor) -> None:
        values = incident("All", act="all", chosen="OR-001", form="ndpa-v1", shown="", agreement=[])
        assert "12 chosen" in (await report(officer, values)).text

    @pytest.mark.long
    async def test_thousands_stay_usable(self, fresh: Installation) -> None:
        officer = await fresh.officer()
        header, first, *_ = demo_agreements().splitlines()
        rest = first.split(",", 3)[3]
        rows = [f"MA-{n:05d},ndpa-v1,District {n:05d},{rest}" for n in range(3000)]
        loaded = await officer.send("/agreements", "/agreements", {}, ("many.csv", "\n".join([header, *rows]).encode()))
        assert loaded.headers["location"] == "/agreements?added=3000&changed=0&unchanged=0"
        chosen = await report(officer, incident("Many", act="all", chosen="", shown=""))
        assert "3,000 chosen" in chosen.text
        assert chosen.text.count('name="agreement"') == SHOWN
        references = re.search(r'name="chosen" value="([^"]+)"', chosen.text)
        assert references
        last = await report(officer, incident("Many", act="page-60", chosen=references[1], shown="", find="District"))
        assert "3,000 chosen" in last.text
        assert "District 02999" in last.text


async def test_a_browser_that_goes_away_leaves_a_whole_report(
    installation: Installation, officer: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, go_on = asyncio.Event(), asyncio.Event()
    keep = CaseService.open_case

    async def slowly(self: CaseService, *args: object, **named: object) -> object:
        held.set()
        await go_on.wait()
        return await keep(self, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(CaseService, "open_case", slowly)
    posting = asyncio.create_task(report(officer, incident("The browser goes away")))
    await held.wait()
    posting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await posting
    go_on.set()
    await installation.app.state.site.finish()

    again = await report(officer, incident("The browser goes away"))
    assert again.headers["location"].endswith("?done=already#done")
    titles = [case.title for case in cases_of(installation)]
    assert titles.count("The browser goes away") == 1


def test_every_offered_type_of_data_is_named_once() -> None:
    labels = [label for group in offered_lines("data_types") for label in group.lines]
    assert len(labels) == len(set(labels))
