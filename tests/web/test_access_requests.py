"""Entering a request for access on its page, what the form refuses, and how a conflict with a disposal is shown."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from uuid import UUID

import pytest

from agreements.importing import import_agreements
from cases.acts import parse_act
from models.identifiers import case_reference
from starter.resources import utc_now
from tests.support.case_in_sql import CaseInSql
from tests.support.installation import Installation, Visitor, demo_agreements, form_token

PAGE, DISPOSITION = "/cases/new/parent-access", "/cases/new/disposition"


@pytest.fixture
async def officer(fresh: Installation) -> Visitor:
    resources = fresh.resources
    import_agreements(
        resources.database,
        resources.catalogue,
        demo_agreements(),
        file_name="agreements.csv",
        now=utc_now() - timedelta(days=1),
        actor="officer",
    )
    return await fresh.officer()


def typed(**changed: str) -> dict[str, str]:
    return {
        "act": "open",
        "title": "Request of the registrar",
        "asks": "review",
        "student": "student 4711",
        "request": "A parent asks to see the grades.",
        "requested_on": f"{utc_now():%Y-%m-%d}",
        "requested_by_name": "Registrar",
        "requested_by_email": "registrar@example.org",
        "chosen": "NY-001",
        **changed,
    }


def directive() -> dict[str, str]:
    return {
        "act": "open",
        "title": "Directive of the district",
        "extent": "complete",
        "nature": "destruction",
        "schedule": "as-soon-as-practicable",
        "disposal_requested": f"{utc_now():%Y-%m-%d}",
        "representative_name": "Somebody Else",
        "representative_email": "somebody@example.org",
        "chosen": "NY-001",
    }


async def opened(officer: Visitor, page: str, values: dict[str, str]) -> tuple[UUID, str]:
    """Enter what opens a case and check the answers; return the case, and the page that they were checked on."""
    token = form_token(await officer.get(page))
    checked = await officer.http.post(page, data={"form_token": token, **values})
    kept = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', checked.text))
    answer = await officer.http.post(page, data={**kept, "act": "open"})
    assert answer.status_code == 303, answer.text
    found = re.search(r"/cases/([\w-]{36})", answer.headers["location"])
    assert found, answer.headers["location"]
    return UUID(found[1]), html.unescape(checked.text)


async def test_both_limits_are_shown_before_anything_is_recorded_and_the_acts_after(officer: Visitor) -> None:
    by = utc_now() + timedelta(days=20)
    case_id, checked = await opened(officer, PAGE, typed(answer_by=f"{by:%Y-%m-%d}"))
    assert "Check your answers" in checked
    assert "45 calendar days counted from" in checked
    assert "The sooner limit counts: state law on the LEA's own answer to a parent or student." in checked
    page = html.unescape((await officer.get(f"/cases/{case_id}")).text)
    offered = ("Record what was given…", "Record that the LEA found data inaccurate…", "Record a question to the LEA…")
    for words in ("student 4711", "A parent asks to see the grades.", *offered):
        assert words in page
    assert "Record the correction…" not in page, "no correction is asked for"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"asks": "delete"}, "A deletion is a disposition"),
        ({"asks": ""}, "Nothing is chosen."),
        ({"student": ""}, "It is empty."),
        ({"answer_by": "2020-01-01"}, "before the date of the request"),
        ({"requested_on": f"{utc_now() + timedelta(days=3):%Y-%m-%d}"}, "in the future"),
        ({"asks": "transfer", "chosen": "OR-001"}, "ask nothing of you about this"),
    ],
)
async def test_what_it_cannot_be_is_said_at_its_field(officer: Visitor, changed: dict[str, str], says: str) -> None:
    answer = await officer.send(PAGE, PAGE, dict(typed(**changed)))
    assert answer.status_code == 422
    assert says in html.unescape(answer.text)


async def test_a_conflict_is_shown_on_both_pages_until_somebody_says_that_it_is_none(
    fresh: Installation, officer: Visitor
) -> None:
    disposal, _ = await opened(officer, DISPOSITION, directive())
    request, _ = await opened(officer, PAGE, typed())
    kept = html.unescape((await officer.get(f"/cases/{disposal}")).text)
    assert "This data has to be kept while another case is open" in kept
    assert f'href="/cases/{request}"' in kept
    keeping = html.unescape((await officer.get(f"/cases/{request}")).text)
    assert "a disposal of the same agreement’s data does not go on" in keeping
    assert f'href="/cases/{disposal}"' in keeping
    assert case_reference(request) in kept, "it can be chosen, and found to be about other data"
    lift = {"act": "lift-conflict", "keeping": case_reference(request), "reason": "It is about another service."}
    CaseInSql(fresh.resources.database, disposal, utc_now()).act(parse_act(lift), compute=False)
    for page in (disposal, request):
        text = html.unescape((await officer.get(f"/cases/{page}")).text)
        assert "It is about another service." in text
        assert "found to be about other data" in text
    assert "has to be kept while another case" not in (await officer.get(f"/cases/{disposal}")).text
