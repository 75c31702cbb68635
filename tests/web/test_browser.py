"""The main path in a real browser: an officer fills the form in wrongly, corrects it, and reads the case."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.async_api import Browser, expect

from cases.acts import COMMON_ACTS
from mail.handed_over import HANDED_FOLDER
from mail.holder_links import HOLDER_FOLDER
from mail.links import LINK_FOLDER
from models.enums import Role
from queries.case_lists import list_cases
from starter.resources import utc_now
from tests.support.accounts import PEOPLE
from tests.support.browsing import CHROMIUM, NO_CHROMIUM, serving, sign_in, visiting
from tests.support.form_addresses import POSTED
from tests.support.given_notices import ROSTER, Told
from tests.support.incident_form import NOW, opened, shows
from tests.support.installation import Installation
from web.rights import ACT_PATHS, ADMINISTERED_PATH, OPEN_TO_ALL, RIGHTS, act_takes, takes

ON_OTHER_PAGES = (LINK_FOLDER, HOLDER_FOLDER, HANDED_FOLDER, ADMINISTERED_PATH)
"""Where forms begin that stand on pages of strangers, or on one that only an administrator sees."""

pytestmark = [pytest.mark.long, pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)]


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
async def test_an_incident_from_the_link_to_the_case(
    installation: Installation, site: str, chromium: Browser, scripts: bool
) -> None:
    title = f"Seen by a browser {scripts}"
    async with visiting(chromium, scripts=scripts) as page:
        await sign_in(page, site, installation)
        await page.get_by_role("navigation").get_by_role("link", name="Report an incident").click()

        await page.get_by_label("Title").fill(title)
        await page.get_by_label("What happened?").fill("A shared folder was readable by everybody.")
        await page.get_by_label("Student names").check()
        await page.get_by_label("On a known date").check()
        await page.locator("#occurred_on").fill(f"{utc_now():%Y-%m-%d}")
        await page.get_by_role("button", name="Report an incident").click()

        wrong = page.get_by_role("alert")
        await expect(wrong).to_contain_text("No affected agreement is chosen.")
        await expect(page.get_by_label("Title")).to_have_value(title)
        await expect(page.get_by_label("Student names")).to_be_checked()
        await expect(page.locator("#occurred_at")).to_be_visible(visible=not scripts)
        await wrong.get_by_role("link", name="When was it discovered?").click()
        await expect(page.locator("#discovered_at")).to_be_in_viewport()

        await page.locator("#discovered_at").fill(f"{utc_now():%Y-%m-%dT%H:%M}")
        await page.get_by_label("Time zone of the times below").select_option("UTC")
        await page.locator("#reasonably_expected_at").fill(f"{utc_now():%Y-%m-%dT%H:%M}")
        await page.get_by_label("Name or reference").fill("blue ridge")
        await page.get_by_label("Name or reference").press("Enter")
        await page.get_by_label("Blue Ridge Valley Public Schools").check()
        await page.locator("#reporter_name").fill("Robin Example")
        await page.locator("#reporter_email").fill("robin@provider.example.org")
        await page.get_by_role("button", name="Report an incident").click()

        await expect(page.get_by_role("heading", name="Check your answers")).to_be_visible()
        await expect(page.get_by_text("Nothing is recorded yet")).to_be_visible()
        await expect(page.locator("#follows")).to_contain_text("Blue Ridge Valley Public Schools")
        await page.get_by_role("button", name="Report an incident").click()

        await expect(page.get_by_role("heading", name=title)).to_be_visible()
        await expect(page.locator("table.duties")).to_contain_text("breach.initial-notice")
        await page.get_by_text("Why this date").first.click()
        await expect(page.locator("table.trail").first).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
async def test_a_mistyped_year_is_seen_and_corrected_before_anybody_is_written_to(
    installation: Installation, site: str, chromium: Browser, scripts: bool
) -> None:
    """The fault as it happened: last year typed for this one, and districts written to within a second."""
    title, now = f"Mistyped in a browser {scripts}", utc_now()
    mistyped = now - timedelta(days=365)
    async with visiting(chromium, scripts=scripts) as page:
        await sign_in(page, site, installation)
        await page.goto(f"{site}/cases/new/breach")
        await page.get_by_label("Title").fill(title)
        await page.get_by_label("What happened?").fill("A shared folder was readable by everybody.")
        await page.get_by_label("Student names").check()
        await page.get_by_label("Not known yet").check()
        await page.get_by_label("Time zone of the times below").select_option("America/New_York")
        await page.locator("#discovered_at").fill(f"{mistyped:%Y-%m-%dT%H:%M}")
        await page.locator("#reasonably_expected_at").fill(f"{mistyped:%Y-%m-%dT%H:%M}")
        await page.get_by_label("Name or reference").fill("blue ridge")
        await page.get_by_label("Name or reference").press("Enter")
        await page.get_by_label("Blue Ridge Valley Public Schools").check()
        await page.locator("#reporter_name").fill("Robin Example")
        await page.locator("#reporter_email").fill("robin@provider.example.org")
        await page.get_by_role("button", name="Report an incident").click()

        await expect(page.get_by_role("alert")).to_contain_text("1 duty would be overdue already.")
        await expect(page.locator("#doubts")).to_contain_text("a year ago or more")
        await page.get_by_role("button", name="Report an incident").click()
        await expect(page.get_by_role("alert").first).to_contain_text("Nothing was changed")
        assert title not in _titles(installation)

        await page.get_by_role("button", name="Go back and change").click()
        await expect(page.get_by_label("Title")).to_have_value(title)
        await expect(page.locator("#discovered_at")).to_have_value(f"{mistyped:%Y-%m-%dT%H:%M}")
        for field in ("#discovered_at", "#reasonably_expected_at"):
            await page.locator(field).fill(f"{now - timedelta(hours=6):%Y-%m-%dT%H:%M}")
        await page.get_by_role("button", name="Report an incident").click()
        await expect(page.locator("#doubts")).to_have_count(0)
        await page.get_by_role("button", name="Report an incident").click()
        await expect(page.get_by_role("heading", name=title)).to_be_visible()
        await expect(page.locator("table.duties")).to_contain_text("breach.initial-notice")
        await expect(page.get_by_text("overdue.")).to_have_count(0)


def _titles(installation: Installation) -> list[str]:
    cases = list_cases(installation.resources.database, utc_now(), limit=1_000).items
    return [case.title for case in cases]


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
async def test_an_officer_reads_changes_tests_and_releases_a_draft(
    installation: Installation, site: str, chromium: Browser, scripts: bool
) -> None:
    officer = await installation.officer()
    case = await opened(officer, f"Released in a browser {scripts}", chosen="TN-001", confirmed_at=NOW)
    await shows(officer, case, "Read and release")
    async with visiting(chromium, scripts=scripts) as page:
        await sign_in(page, site, installation)

        await page.goto(f"{site}{case}")
        await page.get_by_role("link", name="Read and release 1 waiting notice").click()
        await page.get_by_text("Release 1 notice without reading").click()
        await page.get_by_role("button", name="Release what waits").click()
        await expect(page.get_by_role("alert")).to_contain_text("1 notice would leave at once: 1 under breach.notice")

        await page.locator("table.drafts").get_by_role("link").click()
        letter = page.frame_locator("iframe.mail")
        await expect(letter.get_by_role("heading", level=1)).to_contain_text("Notice of a data breach")
        await page.locator("#text-description").fill("A folder was readable by everybody.")
        await page.locator("form", has=page.locator("#text-description")).get_by_role("button").click()
        await expect(page.get_by_role("status")).to_contain_text("The draft above says it so.")
        await expect(letter.get_by_text("A folder was readable by everybody.").first).to_be_visible()

        await page.get_by_label("Your e-mail address").fill("officer@provider.example.org")
        await page.get_by_role("button", name="Send me a test").click()
        await expect(page.get_by_role("status")).to_contain_text("The test was handed to the mail server.")

        await expect(page.locator("#release")).to_contain_text("This lets 1 notice under")
        await page.get_by_role("button", name="Release 1 notice").click()
        await expect(page.get_by_role("status").first).to_contain_text("They are released and on their way.")
    await shows(officer, case, "released by officer")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
async def test_an_lea_from_the_mail_to_the_last_answer(told: Told, chromium: Browser, scripts: bool) -> None:
    await told.add("students_involved", "IL-001")
    async with serving(told.installation) as origin, visiting(chromium, scripts=scripts) as page:
        await page.goto(f"{origin}{told.link('IL-001')}")
        async with page.expect_download() as download:
            await page.get_by_role("button", name="Download").click()
        roster = await download.value
        assert (roster.suggested_filename, (await roster.path()).read_bytes()) == ("roster.csv", ROSTER)

        await page.get_by_label("Your name (if you like)").fill("Robin Example")
        await page.get_by_role("button", name="Acknowledge this notice").click()
        await expect(page.get_by_role("heading", name="Acknowledged")).to_be_visible()

        await page.get_by_label("Your question").fill("Which schools?")
        await page.get_by_role("button", name="Ask").click()
        await expect(page.get_by_role("alert")).to_contain_text("Nothing is given here.")
        await expect(page.get_by_label("Your question")).to_have_value("Which schools?")
        await page.get_by_label("Your name", exact=True).fill("Robin Example")
        await page.get_by_label("Your e-mail address").fill("robin@d1.example.org")
        await page.get_by_role("button", name="Ask").click()
        await expect(page.get_by_role("status").first).to_contain_text("Your question has arrived.")

        await page.get_by_role("link", name="The facts, to copy or print").click()
        await expect(page.get_by_text("Rosters were readable")).to_be_visible()
    assert [answer.kind for answer in told.answers()] == ["acknowledged", "question"]


async def test_paper_keeps_the_reasons_and_has_no_forms(told: Told, chromium: Browser) -> None:
    async with serving(told.installation) as origin, visiting(chromium, scripts=False) as page:
        await sign_in(page, origin, told.installation)
        for address in ("/duties", f"/cases/{told.given.case_id}"):
            await page.goto(f"{origin}{address}")
            reasons = page.locator("table.duties ol.sentences").first
            await expect(reasons).to_be_hidden()
            await page.emulate_media(media="print")
            await expect(reasons).to_be_visible()
            assert not await page.locator("main form").filter(visible=True).count()
            await page.emulate_media(media="screen")


async def test_each_role_is_shown_the_forms_that_it_may_send_and_no_others(site: str, chromium: Browser) -> None:
    """The style sheet against the table of rights, for every address to which a page of somebody signed in sends."""
    acts = {"/cases/{case_id}/acts/{act}".replace("{act}", act.act_name()): act_takes(act) for act in COMMON_ACTS}
    sent = {path: takes("POST", path) for path in POSTED if path not in OPEN_TO_ALL | ACT_PATHS and path != "/sign-out"}
    rights = {path: right for path, right in {**sent, **acts}.items() if not path.startswith(ON_OTHER_PAGES)}
    forms = "".join(f'<form method="post" action="{path}"><button>Send</button></form>' for path in rights)
    async with visiting(chromium, scripts=False) as page:
        await page.goto(f"{site}/sign-in")
        for role in PEOPLE:
            shown = await page.locator("body").evaluate(
                """(body, [role, forms]) => {
                    body.className = `role-${role}`;
                    body.querySelector("main").innerHTML = forms;
                    return [...body.querySelectorAll("main form")].filter((form) => form.checkVisibility())
                        .map((form) => form.getAttribute("action"));
                }""",
                [role.value, forms],
            )
            may = {path for path, right in rights.items() if right & RIGHTS[role]}
            assert set(shown) == may, role


async def test_each_role_is_offered_what_it_may_do(installation: Installation, site: str, chromium: Browser) -> None:
    robin = await installation.officer("robin")
    case = await opened(robin, "Seen by each role", chosen="MO-001", confirmed_at=NOW)
    await shows(robin, case, "Read and release")
    proposal = {"clause": "breach.notice", "ground": "no_student_data", "reason": "Not its data."}
    assert (await robin.send(case, f"{case}/acts/propose", dict(proposal))).status_code == 303
    offered = {
        Role.AUDITOR: set[str](),
        Role.APPROVER: {"Approve", "Decline"},
        Role.OFFICER: {"Approve", "Decline", "Record"},
        Role.ADMINISTRATOR: {"Decline", "Record"},
    }
    for role, buttons in offered.items():
        async with visiting(chromium, scripts=False) as page:
            await sign_in(page, site, installation, f"by-browser.{role.value}", role)
            await page.goto(f"{site}{case}")
            proposing = page.get_by_text("Propose that no notice is required…", exact=True)
            assert await proposing.is_visible() is ("Record" in buttons)
            for button in ("Approve", "Decline"):
                shown = page.get_by_role("button", name=button, exact=True)
                assert bool(await shown.count()) is (button in buttons), (role, button)
