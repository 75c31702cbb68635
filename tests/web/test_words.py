"""What pages say after an act and where, by which clock, and what a browser gets that asks again."""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus
from uuid import uuid4

import httpx
import pytest

from cases.kind import Kind
from cases.kinds import KINDS
from mail.handed_over import HANDED_FOLDER
from mail.holder_links import HOLDER_FOLDER
from models.enums import BatchStatus, DeliveryStatus, NoticeKind, Role
from queries.views import DeliveryView, NoticeView
from starter.resources import utc_now
from tests.support.form_addresses import POSTED
from tests.support.given_notices import Told
from tests.support.installation import PLACES, Installation, demo_agreements
from web.pages import ZONE_COOKIE, happened


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_an_act_with_a_form_of_its_own_is_called_by_more_than_its_name(kind: Kind) -> None:
    for act in kind.all_acts:
        if act.stands_alone:
            assert act.called().lower() != act.act_name().replace("-", " "), "a name of one word says too little"
            assert happened(f"act.{act.act_name()}") == act.called()


async def test_reloading_what_a_form_was_answered_leads_to_a_page(told: Told) -> None:
    await told.add("students_involved", "IL-001")
    visitor = await told.installation.officer("keeper", Role.ADMINISTRATOR)
    case_id, token = str(told.given.case_id), told.link("IL-001").rpartition("/")[2]
    for path in POSTED:
        answer = await visitor.get(path.replace("{case_id}", case_id).replace("{token}", token).format_map(PLACES))
        if answer.status_code == HTTPStatus.SEE_OTHER:
            answer = await visitor.get(answer.headers["location"])
        # Of a draft that has left, a notice or agreement that is none, and a link that opens nothing, the page says so.
        gone = "{notice_id}" in path or "{agreement_id}" in path or path.startswith((HOLDER_FOLDER, HANDED_FOLDER))
        assert answer.status_code == (HTTPStatus.NOT_FOUND if gone else HTTPStatus.OK), path
        assert answer.headers["content-type"].startswith("text/html"), path


async def test_what_was_done_is_told_where_it_was_done_and_a_refusal_at_its_field(told: Told) -> None:
    officer, case = await told.installation.officer(), f"/cases/{told.given.case_id}"
    added = await told.officer_sends("documents", ("note.txt", b"For all"), element="general", agreement="")
    assert added.headers["location"] == f"{case}?done=documents#done"
    for done, place in (("documents", "documents"), ("learn", "facts"), ("lift", "acts"), ("settled", "answers")):
        page = (await officer.get(f"{case}?done={done}")).text
        assert page.count('id="done"') == 1, done
        assert re.search(rf'<section id="{place}">\s*<h2>[^<]*</h2>\s*<section[^>]*id="done" role="status"', page), done
    assert 'id="done"' not in (await officer.get(f"{case}?done=nothing-of-the-sort")).text

    empty = await told.officer_sends("documents", ("empty.txt", b""), element="general", agreement="")
    assert empty.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert '<a href="#documents-file"><strong>Files:</strong></a> The file is empty.' in empty.text
    assert re.search(r'<p class="problem" id="documents-file-problem">The file is empty.', empty.text)
    assert re.search(r'id="documents-file" aria-invalid="true" aria-describedby="documents-file-problem"', empty.text)

    amount = await told.officer_sends("costs", agreement="MO-001", amount="much", note="Letters", cost_id=str(uuid4()))
    assert '<a href="#costs-amount">' in amount.text
    assert 'value="MO-001"' in amount.text, "what was typed is kept"


async def test_a_file_with_a_field_that_no_reader_takes_is_refused_at_the_import(told: Told) -> None:
    officer = await told.installation.officer()
    header = demo_agreements().partition("\n")[0]
    file = ("a.csv", f"{header}\n{'x' * 131_073}\n".encode())
    answer = await officer.send("/agreements", "/agreements", {}, file)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "cannot be read as CSV" in answer.text
    assert re.search(r'id="file"[^>]* aria-invalid="true" aria-describedby="refused"', answer.text)


class TestTheZoneOfWhoReads:
    """Of the account, else of the browser, else of the installation."""

    async def test_is_the_account_s_once_it_was_chosen_there(self, told: Told) -> None:
        officer = await told.installation.officer()
        assert _preset(await officer.get("/cases/new/breach")) == ""
        officer.http.cookies.set(ZONE_COOKIE, "America%2FChicago")
        assert _preset(await officer.get("/cases/new/breach")) == "America/Chicago"
        refused = await officer.send("/account", "/account", {"act": "zone", "zone": "Mars/Olympus"})
        assert (refused.status_code, "There is no such time zone." in refused.text) == (422, True)
        chosen = await officer.send("/account", "/account", {"act": "zone", "zone": "Pacific/Honolulu"})
        assert chosen.headers["location"] == "/account?done=zone"
        assert _preset(await officer.get("/cases/new/breach")) == "Pacific/Honolulu"
        case = await officer.get(f"/cases/{told.given.case_id}")
        assert re.search(r"opened <time[^>]*>[^<]* HST</time>", case.text)
        assert _preset(case) == "Pacific/Honolulu", "each form of the case proposes it"
        again = await told.installation.officer()
        assert _preset(await again.get("/cases/new/breach")) == "Pacific/Honolulu", (
            "it is the account's, not the browser's"
        )

    async def test_is_not_what_a_cookie_makes_up(self, told: Told) -> None:
        officer = await told.installation.officer()
        officer.http.cookies.set(ZONE_COOKIE, "%22%3E..%2Fetc")
        assert _preset(await officer.get("/cases/new/breach")) == ""

    async def test_is_the_installation_s_where_nothing_else_tells_it(self, told: Told) -> None:
        resources = told.installation.resources
        settings = resources.settings.model_copy(update={"time_zone": "America/Denver"})
        officer = await Installation(replace(resources, settings=settings)).officer()
        assert _preset(await officer.get("/cases/new/breach")) == "America/Denver"


def _preset(page: httpx.Response) -> str:
    """The zone that the first form of a page proposes."""
    choice = re.search(r'<select id="[\w-]*zone" name="zone">(.*?)</select>', page.text, re.S)
    assert choice
    found = re.search(r"<option selected>([^<]*)", choice[1])
    return found[1] if found else ""


@pytest.mark.parametrize(
    ("batch", "given", "delivery", "word"),
    [
        (BatchStatus.SENT, True, DeliveryStatus.ACCEPTED, "sent"),
        (BatchStatus.SENT, False, DeliveryStatus.REJECTED, "not_delivered"),
        (BatchStatus.SENT, False, DeliveryStatus.UNKNOWN, "unknown"),
        (BatchStatus.PUT_OFF, True, DeliveryStatus.ACCEPTED, "sent"),
        (BatchStatus.PUT_OFF, False, DeliveryStatus.RESERVED, "put_off"),
    ],
)
def test_a_notice_that_reached_nobody_is_not_called_sent(
    batch: BatchStatus, given: bool, delivery: DeliveryStatus, word: str
) -> None:
    tried = DeliveryView(
        contact_name="Privacy Office",
        contact_email="privacy@d1.example.org",
        status=delivery,
        attempts=1,
        attempted_at=None,
        again_at=None,
        vouched_by=None,
        settled_at=None,
        answer=None,
        reply_status=None,
        queue_id=None,
        tls_version=None,
        tls_certificate=None,
        message_sha256="0" * 64,
    )
    notice = NoticeView(
        id=uuid4(),
        kind=NoticeKind.NOTICE,
        batch_status=batch,
        given=(),
        lacking=(),
        given_at=utc_now() if given else None,
        has_link=True,
        released_by=None,
        waited=True,
        vouched=False,
        deliveries=(tried,),
    )
    assert notice.stands == word
