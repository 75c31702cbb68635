"""What went wrong for a tired officer, played in a real browser as it happened: it cannot happen any more.

A mistyped date, and a release without a draft having been read, are played in ``test_browser.py``.
"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.async_api import Browser, Locator, Page, expect
from sqlmodel import Session, col, select

from models.enums import BatchStatus, Role
from models.tables import Batch, Notice
from starter.resources import utc_now
from tests.support.browsing import CHROMIUM, NO_CHROMIUM, PHONE, serving, sign_in, tab_to, visiting
from tests.support.given_notices import Told
from tests.support.incident_form import NOW, opened, shows
from tests.support.installation import Installation, eventually

pytestmark = [pytest.mark.long, pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)]

LONG_TITLE = "Rosters" + "-of-every-school" * 11


async def fill_act(page: Page, act: str, **values: str) -> None:
    """Open the panel of an act, fill its fields in, and send it."""
    panel = page.locator("details.act", has=page.locator(f"form[action$='/acts/{act}']"))
    if await panel.get_attribute("open") is None:
        await panel.locator("summary").click()
    for name, value in values.items():
        field = panel.locator(f"#{act}-{name}")
        if await field.evaluate("found => found.tagName") == "SELECT":
            await field.select_option(value)
        else:
            await field.fill(value)
    await panel.locator("button.main").click()


async def test_a_file_makes_no_notice_on_time_and_a_release_sends_nothing_that_was_withheld(
    installation: Installation, site: str, chromium: Browser
) -> None:
    """Any PDF closed clauses of which nothing had been sent; a release also sent what counsel had withheld."""
    officer = await installation.officer()
    case = await opened(officer, "Played again", chosen="VA-001", reasonably_expected_at=NOW, confirmed_at=NOW)
    await shows(officer, case, "Read and release 2 waiting notices")
    async with visiting(chromium) as page:
        await sign_in(page, site, installation)
        await page.goto(f"{site}{case}")

        await page.locator("details.act", has=page.locator("form[action$='/acts/done']")).locator("summary").click()
        largest = await page.evaluate("[document.body.dataset.largest, document.body.dataset.largest = 8][0]")
        pdf = {"name": "any.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 of anything"}
        await page.locator("#done-proof").set_input_files(pdf)  # type: ignore[arg-type]
        await expect(page.locator("#done-proof-too-large")).to_contain_text("any.pdf is larger than")
        await expect(page.locator("#done-proof")).to_have_value("")
        await page.evaluate("largest => { document.body.dataset.largest = largest }", largest)
        await page.locator("#done-proof").set_input_files(pdf)  # type: ignore[arg-type]
        by_letter = {"agreements": "VA-001", "done_at": NOW, "zone": "UTC", "how": "By letter."}
        await fill_act(page, "done", clause="breach.notice", **by_letter)
        refused = page.get_by_role("alert").first
        await expect(refused).to_contain_text("Nothing was changed")
        await expect(refused).to_be_focused()
        await refused.get_by_role("link").click()
        await expect(page.locator("#done-to_whom")).to_be_focused()
        await expect(page.locator("#done-to_whom")).to_have_attribute("aria-invalid", "true")
        await expect(page.locator("#done-to_whom-problem")).to_be_in_viewport()
        await page.locator("#done-proof").set_input_files(pdf)  # type: ignore[arg-type]
        await fill_act(page, "done", to_whom="The superintendent.")
        await expect(page.locator("#done")).to_contain_text("A second person decides it")
        await expect(page.locator(".status[class*=on_time]")).to_have_count(0)

        await page.goto(page.url)  # the address to which the form was sent, asked for as a page
        await expect(page.get_by_role("heading", level=1)).to_have_text("Played again")
        await fill_act(page, "withhold", clause="breach.notice", reason="Counsel reads it first.")
        told = page.locator("#done")
        await expect(told).to_be_focused()
        await expect(told).to_be_in_viewport()
        await page.get_by_role("link", name="Read and release 1 waiting notice").click()
        await page.get_by_text("Release 1 notice without reading").click()
        await page.locator("#unread-waiting").check()
        await page.get_by_role("button", name="Release what waits").click()
        await expect(told).to_contain_text("They are released and on their way.")
        await expect(told).to_be_focused()
    page_of_case = await shows(officer, case, "released by officer")
    assert page_of_case.count("released by officer") == 1
    assert "1 notice is withheld, and goes only by a separate decision" in page_of_case


async def test_a_suspicion_asks_for_the_date_without_which_no_clock_runs(
    installation: Installation, site: str, chromium: Browser
) -> None:
    """Nobody had told that the clock of a suspicion did not run."""
    officer = await installation.officer()
    case = await opened(officer, "Only suspected", chosen="VA-001")
    await shows(officer, case, "since when?")
    async with visiting(chromium) as page:
        await sign_in(page, site, installation)
        await page.goto(f"{site}{case}")
        asked = page.get_by_role("alert").first
        await expect(asked).to_contain_text("until then no clock runs for")
        await expect(asked.locator("select[name=zone]").first).to_have_value("America/New_York")
        await asked.locator("select[name=zone]").first.select_option("UTC")
        await asked.get_by_label("Since").fill(NOW)
        await asked.get_by_role("button", name="Start the clock").click()
        await expect(page.get_by_role("heading", name="Check your answers")).to_be_visible()
        await page.get_by_role("button", name="Record").click()
        await expect(page.locator("#done")).to_be_focused()
        await expect(page.get_by_text("since when?")).to_have_count(0)
        await expect(page.locator("table.cohorts")).to_contain_text("left")


async def test_two_links_of_one_person_are_not_two_persons_and_two_people_are(
    installation: Installation, site: str, chromium: Browser
) -> None:
    robin = await installation.officer("robin")
    case = await opened(robin, "Two pairs of eyes", chosen="MO-001", confirmed_at=NOW)
    await shows(robin, case, "Read and release")
    async with visiting(chromium) as first, visiting(chromium) as second, visiting(chromium) as third:
        await sign_in(first, site, installation, "keeper", Role.ADMINISTRATOR)
        await first.goto(f"{site}/accounts")
        links = []
        for name in ("made.first", "made.second"):
            await first.get_by_label("Name", exact=True).fill(name)
            await first.get_by_role("button", name="Add", exact=True).click()
            links.append(await first.get_by_role("status").locator("pre").inner_text())
        for page, link in zip((second, third), links, strict=True):
            address = f"{site}/sign-in?{link.partition('?')[2]}"
            await page.goto(address)
            await page.get_by_role("button", name="Sign in").click()
            await page.goto(f"{site}{case}")
        await fill_act(second, "propose", clause="breach.notice", ground="no_student_data", reason="Not its data.")
        await expect(second.locator("#acts")).to_contain_text("A second person decides it.")
        await expect(second.get_by_role("button", name="Approve")).to_have_count(0)

        await third.reload()
        await third.get_by_role("button", name="Approve").click()
        await expect(third.get_by_role("alert").first).to_contain_text("they may be one person")

        await sign_in(first, site, installation, "kim")
        await first.goto(f"{site}{case}")
        await first.get_by_role("button", name="Approve").click()
        await expect(first.locator("#done")).to_be_focused()
        await expect(first.locator("#acts")).to_contain_text("approved by kim")


async def test_an_incident_is_reported_by_the_keyboard_alone(
    installation: Installation, site: str, chromium: Browser
) -> None:
    async with visiting(chromium) as page:
        keys = page.keyboard
        await page.goto(f"{site}/sign-in?token={installation.link_token()}")
        await expect(page.get_by_role("button", name="Sign in")).to_be_focused()  # which comes after loading
        await keys.press("Enter")
        await tab_to(page, page.get_by_role("navigation").get_by_role("link", name="Report an incident"))
        await keys.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Report an incident")
        await tab_to(page, page.get_by_label("Title"))
        await keys.type("By keys alone")
        await tab_to(page, page.get_by_label("What happened?"))
        await keys.type("A shared folder was readable by everybody.")
        await tab_to(page, page.get_by_label("Student names"))
        await keys.press("Space")
        zone = page.get_by_label("Time zone of the times below")
        await expect(zone).to_have_value("America/New_York")
        await tab_to(page, zone)
        await keys.type("UTC")
        await expect(zone).to_have_value("UTC")
        await tab_to(page, page.locator("[name=occurred_kind]").first)
        for _ in range(3):
            await keys.press("ArrowDown")
        await expect(page.get_by_label("Not known yet")).to_be_checked()
        yesterday = utc_now() - timedelta(days=1)
        await tab_to(page, page.locator("#discovered_at"))
        await keys.type(f"{yesterday:%m%d%Y}")
        await keys.press("Tab")
        await keys.type("0900AM")
        await expect(page.locator("#discovered_at")).to_have_value(f"{yesterday:%Y-%m-%d}T09:00")
        await tab_to(page, page.get_by_label("Name or reference"))
        await keys.type("blue ridge")
        await keys.press("Enter")
        await expect(page.locator("table.choose tbody tr")).to_have_count(1)
        await tab_to(page, page.get_by_label("Blue Ridge Valley Public Schools"))
        await keys.press("Space")
        for name, value in (("name", "Robin Example"), ("email", "robin@provider.example.org")):
            await tab_to(page, page.locator(f"#reporter_{name}"))
            await keys.type(value)
        await keys.press("Enter")
        await expect(page.locator("table.choose tbody tr")).to_have_count(1)  # Enter in a field reports nothing
        for heading in ("Check your answers", "By keys alone"):
            await tab_to(page, page.get_by_role("main").get_by_role("button", name="Report an incident"))
            await keys.press("Enter")
            await expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        await expect(page.locator("#done")).to_be_focused()


async def test_on_a_phone_no_page_scrolls_sideways_and_each_row_says_which_case_it_is(
    installation: Installation, site: str, chromium: Browser
) -> None:
    officer = await installation.officer()
    case = await opened(officer, LONG_TITLE, chosen="TN-001\nMO-001", confirmed_at=NOW)
    await shows(officer, case, "Read and release")
    listed = b"agreement,name,email,data\n,Example Hosting LLC,a-long-address-of-privacy@hosting.example.org,Rosters\n"
    await officer.send("/subprocessors", "/subprocessors", {}, ("subprocessors.csv", listed))
    async with visiting(chromium, viewport=PHONE) as page:
        await sign_in(page, site, installation)
        row = page.locator("table.board").last.locator("tr", has_text=LONG_TITLE)
        await expect(row).to_be_visible()
        name, facts = await row.get_by_role("link").bounding_box(), await row.locator("td").first.bounding_box()
        assert name
        assert facts
        assert name["y"] < facts["y"], "a row begins with the name of its case"
        assert 0 <= name["x"] < name["x"] + name["width"] <= PHONE["width"]
        await row.scroll_into_view_if_needed()
        await expect(row.get_by_role("link")).to_be_in_viewport()
        await expect(row.locator("td").first).to_be_in_viewport()
        lists = ("/duties", "/ledger", "/subprocessors")
        for path in ("", case, f"{case}/drafts", "/cases/new/breach", "/account", *lists):
            await page.goto(f"{site}{path}")
            await fits(page)
            for head in await page.locator("tbody th[scope=row]").filter(visible=True).all():
                box = await head.bounding_box()
                assert box
                assert box["width"] > PHONE["width"] / 3, f"a name on {path} is read letter by letter"
        await page.goto(f"{site}{case}")
        elements = page.locator("#facts .wide")
        await expect(elements).to_have_attribute("tabindex", "0")  # wider than its place, so that keys scroll it
        await elements.evaluate("found => { found.scrollLeft = found.scrollWidth }")
        await elements.locator("tbody tr").first.scroll_into_view_if_needed()
        await expect(elements.locator("tbody th").first).to_be_in_viewport(ratio=0.9)
        earlier = f"{utc_now() - timedelta(hours=2):%Y-%m-%dT%H:%M}"
        await fill_act(page, "date", name="confirmed", instant=earlier, zone="UTC", reason="Typed anew.")
        await expect(page.get_by_role("heading", name="Check your answers")).to_be_visible()
        await fits(page)
    async with visiting(chromium) as page:
        await sign_in(page, site, installation)
        for board in await page.locator(".wide", has=page.locator("table.board")).all():
            await expect(board).to_contain_text(LONG_TITLE)
            assert await board.evaluate("found => found.scrollWidth <= found.clientWidth"), "no long title widens it"


async def fits(page: Page) -> None:
    """See that a page is no wider than its window."""
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{page.url} scrolls sideways"


async def test_what_is_being_sent_is_followed_though_a_second_clause_begins(told: Told, chromium: Browser) -> None:
    """A page that was opened while one clause was being sent stayed at 0 of 2,012 once two were."""
    database = told.installation.resources.database
    with database.writing() as session:
        first, *others = session.exec(select(Batch).order_by(col(Batch.size).desc()))
        for batch in others:
            batch.clause = "breach.initial-notice"
        first.status = BatchStatus.SENDING
        total = first.size
        _give(session, first, given=False)
    async with serving(told.installation) as site, visiting(chromium) as page:
        began = utc_now()
        await page.clock.install(time=began)
        await sign_in(page, site, told.installation)
        await page.goto(f"{site}/cases/{told.given.case_id}")
        sending = page.locator("[data-progress] p:visible")
        await expect(sending).to_have_count(1)
        await page.clock.pause_at(began + timedelta(minutes=5))  # the page's time stands still but for what follows
        with database.writing() as session:
            session.get_one(Batch, others[0].id).status = BatchStatus.SENDING
            _give(session, first, given=True)
        await later(page, sending, rf".* {total} of {total} given\n.* (\d+) of \1 given")
        with database.writing() as session:
            for batch in session.exec(select(Batch)):
                batch.status = BatchStatus.SENT
        await later(page, sending, "Nothing is being sent at this moment. Look again")


async def later(page: Page, lines: Locator, words: str) -> None:
    """Let the page's time go on until some lines of it read so."""

    async def look() -> bool | None:
        shown = "\n".join(" ".join(line.split()) for line in await lines.all_inner_texts())
        if re.fullmatch(words, shown):
            return True
        await page.clock.run_for(2_000)
        return None

    await eventually(look)


def _give(session: Session, batch: Batch, *, given: bool) -> None:
    for notice in session.exec(select(Notice).where(Notice.batch_id == batch.id)):
        notice.given_at = utc_now() if given else None
