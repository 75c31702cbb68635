"""The agreements' page: finding one of many, and a file that is loaded whole or not at all."""

from __future__ import annotations

import html

import httpx
import pytest

from tests.support.installation import Installation, Visitor, demo_agreements


async def load(officer: Visitor, content: bytes, name: str = "agreements.csv") -> httpx.Response:
    return await officer.send("/agreements", "/agreements", {}, (name, content))


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("find=cascade", "Cascade Meadow", "Blue Ridge"),
        ("find=va-0", "Blue Ridge", "Cascade Meadow"),
        ("state=OR", "Cascade Meadow", "Blue Ridge"),
        ("form=ndpa-v1", "Blue Ridge", "Cascade Meadow"),
    ],
)
async def test_agreements_are_found_by_name_reference_state_and_form(
    officer: Visitor, query: str, shown: str, hidden: str
) -> None:
    page = (await officer.get(f"/agreements?{query}")).text
    assert shown in page
    assert hidden not in page


async def test_a_sound_file_is_loaded(fresh: Installation) -> None:
    officer = await fresh.officer()
    answer = await load(officer, demo_agreements().encode("utf-8-sig"))
    assert answer.status_code == 303
    assert "12 added" in " ".join((await officer.get(answer.headers["location"])).text.split())


async def test_a_new_installation_leads_to_an_example_that_can_be_loaded(fresh: Installation) -> None:
    officer = await fresh.officer()
    assert 'href="/agreements/example.csv"' in (await officer.get("/")).text
    example = await officer.get("/agreements/example.csv")
    assert (example.status_code, example.headers["content-type"].partition(";")[0]) == (200, "text/csv")
    assert (await load(officer, example.content)).status_code == 303


async def test_every_bad_line_is_listed_and_nothing_is_loaded(fresh: Installation) -> None:
    officer = await fresh.officer()
    bad = demo_agreements().replace("ndpa-v2", "ndpa-v9").replace("America/Chicago", "America/Nowhere")
    answer = await load(officer, bad.encode(), "bad.csv")
    assert answer.status_code == 422
    text = html.unescape(answer.text)
    lines = [number for number, row in enumerate(bad.splitlines(), 1) if "v9" in row or "Nowhere" in row]
    assert len(lines) > 2
    for line in lines:
        assert f"bad.csv:{line}" in text
    assert "No agreement is on file yet." in text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"reference\xff\xfe", "The file is not text in UTF-8: byte 10 cannot be read."),
        (b"reference;form\nA;B\n", "separated by semicolons. Save the file with commas instead."),
        (b"", "agreements.csv"),
    ],
)
async def test_a_file_that_is_no_table_is_said_so(fresh: Installation, content: bytes, says: str) -> None:
    answer = await load(await fresh.officer(), content)
    assert answer.status_code == 422
    assert says in answer.text


async def test_no_file_at_all_is_said_so(fresh: Installation) -> None:
    officer = await fresh.officer()
    answer = await officer.send("/agreements", "/agreements", {})
    assert answer.status_code == 422
    assert "No file is chosen." in answer.text


async def test_what_was_noted_of_exhibit_h_is_shown_beside_the_agreement(fresh: Installation) -> None:
    officer = await fresh.officer()
    header, first, *_ = demo_agreements().splitlines()
    row = first.replace("MA-001", "MA-NOTED").removesuffix(",")
    await load(officer, f"{header}\n{row},Disposal in ten days <see counsel>\n".encode())
    page = (await officer.get("/agreements?find=MA-NOTED")).text
    assert "Exhibit H: Disposal in ten days &lt;see counsel&gt;" in page


@pytest.mark.parametrize(
    "asked", ["added=1", "added=x&changed=1&unchanged=2", f"added={'9' * 30}&changed=1&unchanged=2"]
)
async def test_an_address_that_says_half_of_what_was_loaded_shows_the_list(officer: Visitor, asked: str) -> None:
    answer = await officer.get(f"/agreements?{asked}")
    assert answer.status_code == 200
    assert "The file is loaded:" not in answer.text
