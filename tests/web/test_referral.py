"""The public form of parents and students: what it takes, what it refuses, and that its answer tells nothing."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import httpx
import pytest
from playwright.async_api import expect
from sqlmodel import select
from structlog.testing import capture_logs
from temporalio.client import Client

from agreements.importing import import_agreements
from config.keyring import Keyring
from models.tables import Case, CaseFact, EvidenceEntry
from records.need_sorts import NeedKind
from records.needs import Asking, read_needs
from starter.resources import utc_now
from tests.support.browsers import CHROMIUM, browsed
from tests.support.installation import Installation, Visitor, demo_agreements, eventually, open_installation
from web.rights import REQUEST_PATH
from web.site import REQUESTS_AN_HOUR

WORDS = "What does the quiz service keep about my child in grade 4?"
KNOWN, UNKNOWN = "Prairie Glen Community Unit School District, Illinois", "Nowhere Valley, Texas"


def a_request(**changed: str) -> dict[str, str]:
    return {
        "name": "Alex Example",
        "email": "alex@example.org",
        "asks_as": "parent",
        "district": KNOWN,
        "asked_for": "review",
        "request": WORDS,
        **changed,
    }


def cases(installation: Installation) -> list[Case]:
    with installation.resources.database.reading() as session:
        return list(session.exec(select(Case)))


def comparable(answer: httpx.Response) -> tuple[int, str | None, str]:
    """What a stranger can tell of an answer, but for the minute at which it was given."""
    return answer.status_code, answer.headers.get("location"), re.sub(r"<time.*?</time>", "", answer.text)


@pytest.fixture
def knowing(fresh: Installation) -> Installation:
    """An installation that knows the demo's districts."""
    import_agreements(
        fresh.resources.database,
        fresh.resources.catalogue,
        demo_agreements(),
        file_name="agreements.csv",
        now=utc_now() - timedelta(days=1),
        actor="officer",
    )
    return fresh


@pytest.fixture
def stranger(knowing: Installation) -> Visitor:
    return knowing.visitor()


async def test_a_request_is_kept_sealed_and_waits_for_an_officer(knowing: Installation, stranger: Visitor) -> None:
    with capture_logs() as lines:
        answer = await stranger.http.post(REQUEST_PATH, data=a_request())
        assert (answer.status_code, answer.headers["location"]) == (303, f"{REQUEST_PATH}?sent=yes")
        assert "Your request has arrived." in (await stranger.get(f"{REQUEST_PATH}?sent=yes")).text
    assert not [line for line in lines if "Alex" in str(line) or "grade 4" in str(line)]
    (case,) = cases(knowing)
    assert (case.kind, case.undecided, case.untold, case.responsible_id) == ("referral", True, True, None)
    database = knowing.resources.database
    with database.reading() as session:
        opened = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "case_opened")).one()
        assert (opened.actor, opened.body["agreements"]) == ("public form", [])
        facts = {fact.element: fact.value for fact in session.exec(select(CaseFact))}
        assert "Alex" not in str(opened.body)
    assert (facts["request"], facts["district"]) == (WORDS, KNOWN)
    needs, _ = read_needs(database, Asking(None, None), utc_now(), offset=0, limit=10)
    (need,) = (need for need in needs if need.kind is NeedKind.UNDECIDED)
    assert "refer or close unreferred" in need.says


async def test_its_answer_is_the_same_whatever_is_known(stranger: Visitor) -> None:
    first = comparable(await stranger.http.post(REQUEST_PATH, data=a_request()))
    others: tuple[dict[str, str], ...] = (
        {"district": UNKNOWN},
        {"district": "IL-001", "request": "Student 4711"},
        {},  # the same once more, which opens no second case
    )
    for changed in others:
        assert comparable(await stranger.http.post(REQUEST_PATH, data=a_request(**changed))) == first
    shown = [comparable(await stranger.get(f"{REQUEST_PATH}?sent=yes")) for _ in others]
    assert len(set(shown)) == 1
    assert "says nothing about whether data of anybody is held" in " ".join(shown[0][2].split())


async def test_the_same_sent_twice_is_one_request(knowing: Installation, stranger: Visitor) -> None:
    for _ in range(2):
        await stranger.http.post(REQUEST_PATH, data=a_request())
    assert len(cases(knowing)) == 1


@pytest.mark.parametrize(
    ("changed", "where", "says"),
    [
        ({"name": ""}, "name", "It is empty."),
        ({"email": "alex"}, "email", "not one that mail can be sent to"),
        ({"email": "alex@exa mple.org"}, "email", "not one that mail can be sent to"),
        ({"asks_as": "officer"}, "asks_as", "parent"),
        ({"asked_for": ""}, "asked_for", "It is empty."),
        ({"district": ""}, "district", "It is empty."),
        ({"request": "x" * 5_001}, "request", "5,000"),
        ({"district": "x" * 201}, "district", "200"),
        ({"request": "a\x1bb"}, "request", "control character"),
    ],
)
async def test_what_cannot_be_is_said_at_its_field_and_what_was_typed_is_kept(
    knowing: Installation, stranger: Visitor, changed: dict[str, str], where: str, says: str
) -> None:
    answer = await stranger.http.post(REQUEST_PATH, data=a_request(**changed))
    page = html.unescape(answer.text)
    assert answer.status_code == 422
    assert says in page
    assert f'aria-describedby="{where}-problem"' in page
    assert KNOWN in page or "district" in changed
    assert cases(knowing) == []


async def test_one_address_sends_only_so_many_and_loses_nothing(knowing: Installation, stranger: Visitor) -> None:
    for number in range(REQUESTS_AN_HOUR):
        answer = await stranger.http.post(REQUEST_PATH, data=a_request(request=f"{WORDS} {number}"))
        assert answer.status_code == 303
    refused = await stranger.http.post(REQUEST_PATH, data=a_request(request="One more."))
    assert refused.status_code == 429
    for words in ("Too many tries", "Try again in an hour.", "One more."):
        assert words in html.unescape(refused.text)
    assert len(cases(knowing)) == REQUESTS_AN_HOUR


async def test_what_is_too_large_or_comes_from_another_site_is_refused(
    knowing: Installation, stranger: Visitor
) -> None:
    large = await stranger.http.post(REQUEST_PATH, data=a_request(request="x" * 70_000))
    assert large.status_code == 413
    elsewhere = await stranger.http.post(REQUEST_PATH, data=a_request(), headers={"Origin": "https://elsewhere.test"})
    assert elsewhere.status_code == 403
    assert cases(knowing) == []


async def test_it_leads_nowhere_else(stranger: Visitor) -> None:
    page = await stranger.get(REQUEST_PATH)
    assert page.headers["cache-control"] == "no-store"
    assert 'href="/"' not in page.text
    assert (await stranger.get("/cases/new/referral")).status_code == 303


@pytest.mark.parametrize("settings", [{"public_requests": False}, {"side": "lea"}])
async def test_it_can_be_switched_off_and_a_district_has_none(
    temporal: Client, keyring: Keyring, tmp_path_factory: pytest.TempPathFactory, settings: dict[str, object]
) -> None:
    resources = open_installation(tmp_path_factory.mktemp("off"), keyring, temporal, **settings)
    closed = Installation(resources)
    assert (await closed.visitor().get(REQUEST_PATH)).status_code == 404
    assert (await closed.visitor().http.post(REQUEST_PATH, data=a_request())).status_code == 404
    assert cases(closed) == []


@pytest.mark.long
async def test_an_officer_chooses_the_lea_and_reads_both_letters(installation: Installation) -> None:
    officer = await installation.officer()
    given: dict[str, object] = {
        "title": "A letter",
        "asks_as": "parent",
        "asked_for": "review",
        "district": KNOWN,
        "request": WORDS,
    }
    given |= {"asked_directly": utc_now().date().isoformat(), "asker_name": "Alex", "asker_email": "alex@example.org"}
    page = "/cases/new/referral"
    button: dict[str, object] = {"act": "open"}
    checked = await officer.send(page, page, given | button)
    assert checked.status_code == 200, checked.text
    opened = await officer.send(page, page, given | button | {"checked": "yes"})
    assert opened.status_code == 303, opened.text
    case = opened.headers["location"].partition("?")[0]

    async def offered() -> str | None:
        text = (await officer.get(case)).text
        return text if "Choose the LEA…" in text and "is being computed" not in text else None

    assert "Close it without a referral…" in await eventually(offered)
    foreseen = await officer.send(case, f"{case}/acts/refer", {"agreement": "IL-001"})
    assert "alex@example.org" in foreseen.text, "who would be written to is shown first"
    done = await officer.send(case, f"{case}/acts/refer", {"agreement": "IL-001", "checked": "yes"})
    assert done.status_code == 303, done.text

    async def drafted() -> str | None:
        text = (await officer.get(case)).text
        return text if "Read and release 2 waiting notices" in text else None

    assert await eventually(drafted)


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
async def test_on_a_phone_a_parent_fills_it_in_wrongly_then_rightly(
    temporal: Client, keyring: Keyring, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with browsed(tmp_path_factory.mktemp("phone"), keyring, temporal) as at:
        await at.page.set_viewport_size({"width": 375, "height": 740})
        await at.page.goto(f"{at.address}{REQUEST_PATH}")
        wide = await at.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, "nothing is wider than the screen"
        unnamed = await at.page.evaluate(
            "[...document.querySelectorAll('input, select, textarea')].filter(one => !one.labels.length).length"
        )
        assert unnamed == 0, "each control has its label"
        for label, text in (("Your name", "Alex Example"), ("Your e-mail address", "alex"), ("Your request", WORDS)):
            await at.page.get_by_label(label).fill(text)
        await at.page.get_by_label("Your school or school district").fill(KNOWN)
        await at.page.get_by_label("Who you are").select_option("parent")
        await at.page.get_by_label("What you ask for").select_option("review")
        await at.page.get_by_role("button", name="Send").click()
        await expect(at.page.get_by_role("alert")).to_contain_text("not one that mail can be sent to")
        assert await at.page.get_by_label("Your request").input_value() == WORDS
        await at.page.get_by_label("Your e-mail address").fill("alex@example.org")
        await at.page.get_by_role("button", name="Send").click()
        await expect(at.page.get_by_role("status")).to_contain_text("Your request has arrived.")
        assert at.complaints == []
        assert len(cases(at.installation)) == 1
