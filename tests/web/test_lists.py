"""The list of cases: what is due soonest comes first, a page at a time, and no number asked for makes it fail."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from agreements.importing import import_agreements
from models.enums import CaseStatus, DutyStatus, Party, PerformedBy
from models.errors import NotFound
from models.tables import Agreement, Case, CaseAgreement, DueDate, Duty
from queries.case_lists import CaseFilter, CasePlace, list_cases
from starter.cli.console import find_case
from starter.resources import utc_now
from tests.support.installation import Installation, demo_agreements

HOUR = timedelta(hours=1)
TODAY = utc_now()


@dataclass
class Listed:
    """An installation with cases of one agreement each."""

    installation: Installation
    cases: dict[str, UUID] = field(default_factory=dict)

    def keep(
        self,
        title: str,
        *due: datetime | None,
        opened: datetime = TODAY,
        status: CaseStatus = CaseStatus.OPEN,
        duties: DutyStatus = DutyStatus.RUNNING,
    ) -> None:
        """Keep a case with a duty for each due instant."""
        case_id = self.cases[title] = uuid4()
        with self.installation.resources.database.writing() as session:
            agreement = session.exec(select(Agreement.id)).first()
            assert agreement
            session.merge(DueDate(id="0" * 64, body={}))
            session.add(
                Case(
                    id=case_id,
                    kind="breach",
                    event="breach",
                    status=status,
                    title=title,
                    report_digest=title,
                    opened_by="robin",
                    opened_at=opened,
                )
            )
            session.flush()
            session.add(CaseAgreement(case_id=case_id, agreement_id=agreement, added_at=opened))
            session.add_all(
                Duty(
                    id=uuid4(),
                    case_id=case_id,
                    agreement_id=agreement,
                    clause=f"clause-{number}",
                    owed_by=Party.PROVIDER,
                    owed_to=Party.LEA,
                    performed_by=PerformedBy.NOTICE,
                    status=duties,
                    due_date_id="0" * 64,
                    due_at=instant,
                    target_at=instant,
                )
                for number, instant in enumerate(due)
            )

    def titles(self, limit: int = 100, which: CaseFilter | None = None) -> list[str]:
        """The titles of the list, read in parts."""
        database = self.installation.resources.database
        part = list_cases(database, TODAY, which or CaseFilter(), limit=limit)
        rows = list(part.items)
        while part.next:
            part = list_cases(database, TODAY, which or CaseFilter(), after=CasePlace.read(str(part.next)), limit=limit)
            rows += part.items
        assert part.total in (len(rows), None)
        return [row.title for row in rows]


@pytest.fixture
def listed(fresh: Installation) -> Listed:
    resources = fresh.resources
    text = demo_agreements()
    import_agreements(resources.database, resources.catalogue, text, file_name="demo.csv", now=TODAY, actor="officer")
    found = Listed(fresh)
    found.keep("old and undated", None, opened=TODAY - 9 * HOUR, duties=DutyStatus.PENDING)
    found.keep("due in an hour", TODAY + 5 * HOUR, TODAY + HOUR)
    found.keep("new and undated", opened=TODAY - HOUR)
    found.keep("overdue", TODAY - HOUR)
    found.keep("done", TODAY - 3 * HOUR, opened=TODAY - 5 * HOUR, status=CaseStatus.CLOSED, duties=DutyStatus.PERFORMED)
    return found


IN_ORDER = ["overdue", "due in an hour", "new and undated", "done", "old and undated"]


def test_what_is_due_soonest_comes_first_and_then_what_is_newest(listed: Listed) -> None:
    assert listed.titles() == IN_ORDER


@pytest.mark.parametrize(("few", "counted"), [(0, 1), (0, 5_000), (1_000, 5_000)])
@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_its_parts_are_consecutive_however_many_cases_there_are(
    listed: Listed, limit: int, few: int, counted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("queries.case_lists.FEW", few)
    monkeypatch.setattr("queries.case_lists.MOST_COUNTED", counted)
    assert listed.titles(limit) == IN_ORDER


def test_it_counts_what_is_open_and_overdue(listed: Listed) -> None:
    part = list_cases(listed.installation.resources.database, TODAY, limit=2)
    rows = part.items
    assert part.total == 5
    assert [(row.open_duties, row.overdue_duties, row.agreements) for row in rows] == [(1, 1, 1), (2, 0, 1)]
    assert [row.next_due_at for row in rows] == [TODAY - HOUR, TODAY + HOUR]


def test_it_can_be_of_one_status_or_kind(listed: Listed) -> None:
    assert listed.titles(which=CaseFilter(status=CaseStatus.CLOSED)) == ["done"]
    assert listed.titles(which=CaseFilter(status=CaseStatus.OPEN), limit=2) == [*IN_ORDER[:3], IN_ORDER[4]]
    assert listed.titles(which=CaseFilter(kind="breach")) == IN_ORDER
    assert listed.titles(which=CaseFilter(kind="another")) == []


def cases_on(page: str) -> list[str]:
    """The cases that a page lists, below what needs people."""
    return re.findall(r'<a href="/cases/(?!new/)[^"]+">([^<]+)</a>', page.partition("<h2>Cases</h2>")[2])


async def test_the_page_shows_some_and_leads_to_the_others(listed: Listed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.cases.CASES_SHOWN", 2)
    officer = await listed.installation.officer()
    first = (await officer.get("/")).text
    assert cases_on(first) == IN_ORDER[:2]
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following
    second = (await officer.get(f"/{following[1].replace('&amp;', '&')}")).text
    assert cases_on(second) == IN_ORDER[2:4]
    beginning = re.search(r'<a href="([^"]+)">From the beginning</a>', second)
    assert beginning
    assert (await officer.get(beginning[1])).text.count("From the beginning") == 0
    closed = (await officer.get("/?status=closed")).text
    assert cases_on(closed) == ["done"]
    none = (await officer.get("/?status=closed&overdue=yes")).text
    assert cases_on(none) == []
    assert "No case is such a one." in none
    assert '<a href="/#cases">Clear the filters</a>' in none


@pytest.mark.parametrize(
    "asked",
    ["after=-1", "after=d", f"after=d{'9' * 19}.{'0' * 32}", "after=%00", "after=d²", "status=%00", "kind=%00&after=x"],
)
async def test_no_number_asked_of_the_page_makes_it_fail(listed: Listed, asked: str) -> None:
    officer = await listed.installation.officer()
    page = await officer.get(f"/?{asked}")
    assert page.status_code == 200
    assert "overdue" in page.text


async def test_of_very_many_it_is_said_that_there_are_more(listed: Listed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queries.case_lists.MOST_COUNTED", 4)
    officer = await listed.installation.officer()
    assert "More than 4 cases, what is due soonest first" in (await officer.get("/")).text
    part = (await officer.get("/api/cases")).json()
    assert (part["total"], len(part["items"])) == (None, 5)
    assert "4 cases, what is due soonest first" in (await officer.get("/?status=open")).text
    assert (await officer.get("/api/cases?status=open")).json()["total"] == 4


async def test_programs_read_it_in_parts(listed: Listed) -> None:
    officer = await listed.installation.officer()
    part = (await officer.get("/api/cases?limit=2")).json()
    assert ([row["title"] for row in part["items"]], part["total"]) == (IN_ORDER[:2], 5)
    part = (await officer.get(f"/api/cases?limit=2&after={part['next']}")).json()
    assert [row["title"] for row in part["items"]] == IN_ORDER[2:4]
    part = (await officer.get(f"/api/cases?limit=2&after={part['next']}")).json()
    assert ([row["title"] for row in part["items"]], part["next"]) == (IN_ORDER[4:], None)
    part = (await officer.get("/api/cases?status=closed&kind=breach")).json()
    assert ([row["title"] for row in part["items"]], part["total"]) == (["done"], 1)


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ("after=1", "query.after"),
        ("after=d1.%00", "query.after"),
        ("district=%00", "query.district"),
        ("limit=0", "query.limit"),
        ("limit=1001", "query.limit"),
        ("status=lost", "query.status"),
        ("kind=%00", "query.kind"),
    ],
)
async def test_what_no_part_can_be_is_refused_in_a_sentence(listed: Listed, asked: str, where: str) -> None:
    officer = await listed.installation.officer()
    answer = await officer.get(f"/api/cases?{asked}")
    assert answer.status_code == 422
    (problem,) = answer.json()["problems"]
    assert (problem["where"], problem["next_step"]) == (where, "Correct it.")


@pytest.mark.parametrize("path", ["/agreements?find=%00", "/agreements?state=%00&form=%00", "/agreements?find=%00Blue"])
async def test_nul_finds_what_it_would_without(listed: Listed, path: str) -> None:
    page = await (await listed.installation.officer()).get(path)
    assert page.status_code == 200
    assert "Blue Ridge" in page.text


async def test_the_duties_of_a_case_take_no_nul_either(listed: Listed) -> None:
    officer, case_id = await listed.installation.officer(), listed.cases["overdue"]
    assert (await officer.get(f"/api/cases/{case_id}/duties?state=%00")).status_code == 422


def test_a_case_is_found_by_its_id_or_its_short_name(listed: Listed) -> None:
    database, case_id = listed.installation.resources.database, listed.cases["overdue"]
    for name in (str(case_id), str(case_id)[:8], str(case_id)[:8].upper()):
        assert find_case(database, name) == case_id
    for name in ("", "overdue", "00000000", str(uuid4()), "\0" * 8, str(case_id)[:7]):
        with pytest.raises(NotFound, match="There is no case"):
            find_case(database, name)


def test_a_short_name_of_two_cases_names_neither(listed: Listed) -> None:
    database = listed.installation.resources.database
    with database.writing() as session:
        case = session.get_one(Case, listed.cases["overdue"])
        session.add(Case(**case.model_dump() | {"id": UUID(int=case.id.int ^ 1), "report_digest": "another"}))
    with pytest.raises(NotFound, match="Several cases are called"):
        find_case(database, str(case.id)[:8])
    assert find_case(database, str(case.id)) == case.id
