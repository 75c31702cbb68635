"""What is coming, as a page and as JSON."""

from __future__ import annotations

import html

from tests.support.installation import Installation, Visitor


async def test_the_page_says_what_is_due_next_where_it_stands_and_why(officer: Visitor) -> None:
    page = (await officer.get("/upcoming?days=400&agreement=IL-001")).text
    for words in (
        "Update the list of subcontractors",
        "Exhibit G (Illinois), item 6",
        "No case is open about it yet",
        "Why",
    ):
        assert words in page
    assert "Audit security each year" not in page


async def test_every_clause_of_one_agreement_is_shown_with_its_date_or_the_reason(officer: Visitor) -> None:
    page = (await officer.get("/upcoming?agreement=OR-001&all=1")).text
    assert "Object to an addendum to the schedule of data" in page
    assert "no date is given for received" in page
    assert "whole agreement" not in page
    missing = await officer.get("/upcoming?all=1")
    assert (missing.status_code, "Give its reference." in missing.text) == (422, True)
    unknown = await officer.get("/upcoming?all=1&agreement=ZZ-9")
    assert unknown.status_code == 404


async def test_where_nothing_is_coming_the_page_says_so(fresh: Installation) -> None:
    officer = await fresh.officer()
    page = (await officer.get("/upcoming?days=5")).text
    assert "Nothing is due within 5 days." in page


async def test_programs_read_the_same_a_page_at_a_time(officer: Visitor) -> None:
    first = (await officer.get("/api/upcoming?days=2000&limit=2")).json()
    assert len(first["items"]) == 2
    second = (await officer.http.get("/api/upcoming", params={"days": 2000, "limit": 2, "after": first["next"]})).json()
    assert {one["id"] for one in first["items"]}.isdisjoint(one["id"] for one in second["items"])
    assert first["items"][1]["due_at"] <= second["items"][0]["due_at"]
    assert (await officer.get("/api/upcoming?after=nonsense")).status_code == 422
    clauses = (await officer.get("/api/upcoming/clauses?agreement=IL-001")).json()
    assert any(one["clause"] == "subcontractors.list-update" and one["due_at"] for one in clauses)


async def test_the_form_of_a_dated_matter_offers_the_duties_of_the_catalogue(officer: Visitor) -> None:
    page = html.unescape((await officer.get("/cases/new/standing-duty")).text)
    assert '<option value="audit.notice@requested">Let the LEA audit security and privacy measures' in page
    assert "(counted from: requested)" in page
    values: dict[str, object] = {
        "matter": "nothing@all",
        "happened_kind": "date",
        "happened_on": "2026-03-02",
        "act": "open",
    }
    answer = await officer.send("/cases/new/standing-duty", "/cases/new/standing-duty", values)
    said = html.unescape(answer.text)
    assert answer.status_code == 422
    assert "This is not one of those to choose from." in said
    assert "It is empty." in said
