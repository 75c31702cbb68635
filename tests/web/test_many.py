"""Many cases from one file, on real parts: checked first, opened once, and gone on with after an interruption."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select
from temporalio.client import Client

from agreements.importing import import_agreements
from agreements.subprocessors import import_subprocessors
from cases.disposition import DISPOSITION
from config.keyring import Keyring
from ledger.verify import verify_ledger
from models import identifiers
from models.enums import Role
from models.errors import InvalidFields
from models.tables import Case
from records.intake_files import read_intakes
from starter.many_openings import ManyOpenings
from starter.resources import Resources, utc_now
from tests.support.installation import Installation, eventually, open_installation
from tests.support.intake_files import ROW, csv_of

ROWS = 20
YESTERDAY = utc_now().date() - timedelta(days=1)
PAGE = "/cases/new/disposition/many"


class Interrupted(Exception):
    """What stops an opening half-way."""


def directives(*references: str, **changed: str) -> bytes:
    """A file with a directive under each agreement."""
    rows = [
        ROW | {"title": f"Under {one}", "agreements": one, "disposal_requested": f"{YESTERDAY}"} | changed
        for one in references
    ]
    return csv_of(*rows)


def know(resources: Resources, count: int = ROWS) -> list[str]:
    """Import so many districts of Illinois; return their references."""
    references = [f"MANY-{number:02}" for number in range(count)]
    header = "reference,form,lea_name,state,time_zone,executed_on,general_name,general_email"
    given = "ndpa-v1,District,IL,America/Chicago,2025-01-12,Office,office@example.org"
    text = "\n".join((header, *(f"{one},{given}" for one in references)))
    database, catalogue = resources.database, resources.catalogue
    import_agreements(database, catalogue, text, file_name="many.csv", now=utc_now(), actor="officer")
    return references


def cases(resources: Resources) -> list[Case]:
    """Every directive's case."""
    with resources.database.reading() as session:
        return list(session.exec(select(Case).where(col(Case.kind) == DISPOSITION.name)))


async def running(resources: Resources) -> int:
    """How many of the cases have a workflow."""
    handles = [
        resources.client.get_workflow_handle(identifiers.workflow_id(DISPOSITION.name, case.id))
        for case in cases(resources)
    ]
    return len([await handle.describe() for handle in handles])


@pytest.fixture
def apart(temporal: Client, keyring: Keyring, tmp_path: Path) -> Resources:
    """An installation without a worker, which shares the server with the others."""
    return open_installation(tmp_path, keyring, temporal)


async def test_a_file_opens_each_case_once_however_often_it_is_interrupted(
    apart: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starter.many_openings.AT_ONCE", 6)
    content = directives(*know(apart))
    file = read_intakes(DISPOSITION, content, utc_now(), file_name="many.csv")
    openings, advanced = ManyOpenings(apart), 0
    checked = openings.check(DISPOSITION, file)
    assert (len(checked.rows), checked.open_already, checked.problems) == (ROWS, 0, ())
    requests = [line for line in checked.dues if line.clause == "disposition.request"]
    assert sum(line.duties for line in requests) == ROWS
    assert [line.due_at for line in checked.dues] == sorted(line.due_at for line in checked.dues if line.due_at)
    assert cases(apart) == [], "checking opens nothing"

    def interrupt(_: str, count: int) -> None:
        nonlocal advanced
        advanced += count
        if advanced == 12:
            raise Interrupted

    with pytest.raises(Interrupted):
        await openings.open(DISPOSITION, file, actor="officer", advance=interrupt)
    assert openings.progress(DISPOSITION, file).opened == len(cases(apart)) == 12
    assert openings.check(DISPOSITION, file).open_already == 12
    for _ in range(2):
        done = await openings.open(DISPOSITION, file, actor="officer")
        assert (done.opened, done.running, done.is_done) == (ROWS, ROWS, True)
    assert len(cases(apart)) == await running(apart) == ROWS
    with apart.database.reading() as session:
        assert verify_ledger(session).sound


async def test_a_case_that_was_kept_and_not_started_is_started_by_the_same_file(
    apart: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = read_intakes(DISPOSITION, directives(*know(apart, 3)), utc_now(), file_name="many.csv")
    openings = ManyOpenings(apart)

    async def unanswered(*_: object, **__: object) -> list[object]:
        return []

    with monkeypatch.context() as patch:
        patch.setattr("starter.many_openings.start_cases", unanswered)
        done = await openings.open(DISPOSITION, file, actor="officer")
        assert (done.opened, done.running) == (3, 0)
    assert (await openings.open(DISPOSITION, file, actor="officer")).is_done
    assert await running(apart) == 3


async def test_nothing_is_opened_from_a_file_with_problems_unless_the_good_rows_are_asked_for(apart: Resources) -> None:
    first, second, *_ = know(apart, 3)
    content = directives(first, "NONE", second, first)
    file = read_intakes(DISPOSITION, content, utc_now(), file_name="many.csv")
    openings = ManyOpenings(apart)
    with pytest.raises(InvalidFields) as found:
        await openings.open(DISPOSITION, file, actor="officer")
    assert [f"{problem.where} {problem.message}" for problem in found.value.problems] == [
        "many.csv:3, agreements There is no agreement NONE.",
        "many.csv:5, agreements This is the same as line 2.",
    ]
    assert cases(apart) == []
    assert (await openings.open(DISPOSITION, file, actor="officer", good_rows=True)).opened == 2
    assert len(cases(apart)) == 2


async def test_two_rows_about_the_same_data_are_told_before_anything_is_opened(apart: Resources) -> None:
    (reference,) = know(apart, 1)
    rows = directives(reference) + directives(reference, title="Another").partition(b"\r\n")[2]
    file = read_intakes(DISPOSITION, rows, utc_now(), file_name="many.csv")
    (problem,) = ManyOpenings(apart).check(DISPOSITION, file).problems
    assert (problem.where, problem.message) == ("many.csv:3, agreements", "Line 2 is about the same already.")


@pytest.fixture
async def site(apart: Resources) -> AsyncIterator[Installation]:
    yield Installation(apart)
    apart.database.close()


async def test_the_page_checks_a_file_and_opens_it(site: Installation) -> None:
    references, officer = know(site.resources, 3), await site.officer()
    listed = "agreement,name,email,data\n,Example Hosting LLC,privacy@hosting.example.org,Rosters\n"
    import_subprocessors(site.resources.database, listed, file_name="list.csv", now=utc_now(), actor="officer")
    form = await officer.get("/cases/new/disposition")
    assert f'href="{PAGE}"' in form.text
    assert "disposal_requested" in (await officer.get(PAGE)).text
    header = await officer.get(f"{PAGE}/template.csv")
    assert header.text.startswith("title,agreements,extent")
    assert header.headers["content-disposition"].startswith("attachment")
    bad = await officer.send(PAGE, PAGE, {}, ("many.csv", directives("NONE", references[0])))
    assert "many.csv:2, agreements:" in bad.text
    assert "Open the good rows only." in bad.text
    page = await officer.send(PAGE, PAGE, {}, ("many.csv", directives(*references)))
    assert "3 cases would be opened" in page.text
    assert "1 holder of the data is written to as soon as they are opened" in page.text
    assert "privacy@hosting.example.org" in page.text
    assert cases(site.resources) == []
    kept = re.search(r'name="kept" value="([0-9a-f]{64})"', page.text)
    assert kept
    sent = await officer.send(PAGE, PAGE, {"kept": kept[1]})
    assert sent.headers["location"] == f"{PAGE}/{kept[1]}"

    async def done() -> bool | None:
        return "Every one of them is open." in (await officer.get(sent.headers["location"])).text or None

    assert await eventually(done)
    assert len(cases(site.resources)) == 3
    again = await officer.send(PAGE, PAGE, {}, ("many.csv", directives(*references)))
    assert "3 rows are open already" in again.text


async def test_what_is_no_such_file_is_said_on_the_page(site: Installation) -> None:
    officer = await site.officer()
    for content, says in ((b"title\n\xff", "UTF-8"), (b"titel\nx", "Is title meant?")):
        page = await officer.send(PAGE, PAGE, {}, ("many.csv", content))
        assert (page.status_code, says in page.text) == (422, True)
    assert "No file is chosen." in (await officer.send(PAGE, PAGE, {})).text
    assert (await officer.get(f"{PAGE}/{'0' * 64}")).status_code == 404
    assert (await officer.get(f"{PAGE}/xyz")).status_code == 422
    assert (await officer.get("/cases/new/nothing/many")).status_code == 404


async def test_programs_open_a_file_and_ask_how_far_it_is(site: Installation) -> None:
    references, officer = know(site.resources, 2), await site.officer()
    address, csv_type = "/api" + PAGE, {"content-type": "text/csv"}
    post = officer.http.post
    checked = await post(f"{address}?dry_run=true", content=directives(*references), headers=csv_type)
    assert (checked.status_code, checked.json()["rows"]) == (200, 2)
    refused = await post(address, content=directives(*references, "NONE"), headers=csv_type)
    assert refused.status_code == 422
    assert refused.json()["problems"][0]["where"] == "file:4, agreements"
    assert cases(site.resources) == []
    accepted = await post(address, content=directives(*references), headers=csv_type)
    assert accepted.status_code == 202, accepted.text

    async def done() -> bool | None:
        come = (await officer.get(accepted.headers["location"])).json()
        return (come["running"] == come["rows"] == 2 and not come["under_way"]) or None

    assert await eventually(done)


async def test_who_only_reads_opens_nothing(site: Installation) -> None:
    auditor = await site.officer("auditor", Role.AUDITOR)
    page = await auditor.send(PAGE, PAGE, {}, ("many.csv", directives("NONE")))
    assert page.status_code == 403
