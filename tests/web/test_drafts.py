"""The drafts of a case: read as each recipient will see them, compared, changed, tested and released from there."""

from __future__ import annotations

import html
import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http import HTTPStatus
from pathlib import Path

import pytest

from mail.links import LINK_FOLDER, shown_link
from tests.support.incident_form import NOW, YESTERDAY, opened, shows
from tests.support.installation import ORIGIN, Installation, Visitor, eventually

TEXT = "Rosters were exported by an account that should not have been able to."


async def drafted(officer: Visitor, title: str, *agreements: str) -> str:
    """A case of a confirmed breach whose notices are drafted."""
    case = await opened(officer, title, chosen="\n".join(agreements), confirmed_at=NOW)
    await shows(officer, case, "Read and release")
    return case


async def drafts_of(officer: Visitor, case: str) -> list[str]:
    """The addresses of the drafts that the case's page of drafts leads to."""
    page = (await officer.get(f"{case}/drafts")).text
    return re.findall(rf'href="({case}/drafts/[0-9a-f-]{{36}})"', page)


def field(page: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, name
    return found[1]


async def test_a_draft_reads_as_the_mail_that_leaves_but_for_its_link(officer: Visitor) -> None:
    case = await drafted(officer, "Read first", "IL-001")
    (address,) = await drafts_of(officer, case)
    page = html.unescape((await officer.get(address)).text)
    assert re.search(r'<iframe [^>]*sandbox="" srcdoc="<', page)
    assert shown_link(ORIGIN) in page
    assert (await officer.get(shown_link(ORIGIN))).status_code == HTTPStatus.NOT_FOUND
    draft = message_from_bytes((await officer.get(f"{address}.eml")).content, policy=default)

    released = await officer.send(
        address, f"{address}/release", {"clause": "breach.notice", "read": field(page, "read")}
    )
    assert (released.status_code, released.headers["location"]) == (303, f"{case}?done=release#done")
    page = await shows(officer, case, "on time")
    link = re.search(rf'href="({case}/messages/[0-9a-f]{{64}})"', page)
    assert link
    sent_page = await officer.get(link[1])
    sent = message_from_bytes((await officer.get(f"{link[1]}.eml")).content, policy=default)
    for name in ("From", "To", "Cc", "Subject"):
        assert draft[name] == sent[name], name
    texts = []
    for mail in (draft, sent):
        body = mail.get_body(("plain",))
        assert body is not None
        texts.append(re.sub(r"Date of notice:.*?UTC", "", body.get_content(), flags=re.S))
    assert texts[0] == texts[1]
    for seen in (sent_page.text, texts[1]):
        assert not re.search(rf"{LINK_FOLDER}[\w-]{{43}}(?![\w-])", seen), "no officer's copy holds a live link"


async def test_nothing_leaves_unread_without_saying_so(officer: Visitor) -> None:
    case = await drafted(officer, "Unread", "TN-001", "OH-001")
    refused = await officer.send(case, f"{case}/drafts/release", {})
    assert refused.status_code == HTTPStatus.CONFLICT
    assert "2 notices would leave at once: 2 under breach.notice" in refused.text
    program = await officer.http.post(f"/api{case}/acts", json={"act": "release", "withheld": None})
    assert (program.status_code, program.json()["where"]) == (HTTPStatus.CONFLICT, "unread")
    assert (await officer.send(case, f"{case}/drafts/release", {"unread": "yes"})).status_code == HTTPStatus.SEE_OTHER


async def test_a_draft_that_changed_since_it_was_read_is_read_again(officer: Visitor) -> None:
    case = await drafted(officer, "Changed", "TN-001")
    (address,) = await drafts_of(officer, case)
    mark = field((await officer.get(address)).text, "read")
    said = await officer.send(address, f"{address}/learn", {"element": "description", "value": "A folder was open."})
    assert said.headers["location"] == f"{address}?done=learn#done"
    page = (await officer.get(address)).text
    assert "A folder was open." in page[page.index('<pre class="mail">') :].split("</pre>")[0], "at once"
    kinds = [entry["kind"] for entry in (await officer.get(f"/api{case}/evidence")).json()["items"]]
    assert kinds.count("act.learn") == 1

    refused = await officer.send(address, f"{address}/release", {"clause": "breach.notice", "read": mark})
    assert (refused.status_code, "has changed since" in refused.text) == (HTTPStatus.CONFLICT, True)
    again: dict[str, object] = {"clause": "breach.notice", "read": field(refused.text, "read")}
    assert (await officer.send(address, f"{address}/release", again)).status_code == HTTPStatus.SEE_OTHER


async def test_an_empty_text_is_refused_where_it_was_typed(officer: Visitor) -> None:
    case = await drafted(officer, "Emptied", "TN-001")
    (address,) = await drafts_of(officer, case)
    refused = await officer.send(address, f"{address}/learn", {"element": "description", "value": ""})
    assert (refused.status_code, "It is empty." in refused.text) == (HTTPStatus.UNPROCESSABLE_ENTITY, True)
    assert TEXT in (await officer.get(address)).text


async def test_equal_drafts_stand_together_and_what_differs_is_shown(
    officer: Visitor, installation: Installation
) -> None:
    case = await drafted(officer, "Compared", "TN-001", "OH-001")
    first, second = await drafts_of(officer, case)
    page = html.unescape((await officer.get(first)).text)
    differs = page[page.index('id="differs"') : page.index('id="recipients"')]
    names = [
        re.search(r"<h1>Draft for (.*?)</h1>", html.unescape((await officer.get(each)).text))
        for each in (first, second)
    ]
    for name in names:
        assert name
        assert name[1] in differs
    assert TEXT not in differs, "what they share is no difference"
    assert "1 of them says other things than this one" in page.partition('id="release"')[2]
    parts = (await officer.get(f"/api{case}/drafts")).json()
    assert (parts["total"], [group["recipients"] for group in parts["items"]]) == (2, [1, 1])
    one = (await officer.get(f"/api{first}")).json()
    assert TEXT in " ".join(one["text"].split())
    assert one["row"]["to"]


async def test_a_test_mail_is_marked_and_is_no_notice(officer: Visitor, installation: Installation) -> None:
    case = await drafted(officer, "Tested", "TN-001")
    (address,) = await drafts_of(officer, case)
    wrong = await officer.send(address, f"{address}/test", {"to": "nobody"})
    assert (wrong.status_code, "Address:" in wrong.text) == (HTTPStatus.UNPROCESSABLE_ENTITY, True)
    done = await officer.send(address, f"{address}/test", {"to": "robin@provider.example.org"})
    assert done.headers["location"] == f"{address}?done=test#done"

    folder = installation.resources.settings.home / "mail"
    mail = await eventually(lambda: _caught(folder, "robin@provider.example.org"))
    assert mail["Subject"].startswith("TEST, no notice: ")
    assert (mail["To"], mail["Cc"]) == ("robin@provider.example.org", None)
    for kind in ("plain", "html"):
        body = mail.get_body((kind,))
        assert body is not None
        assert "This is a test of a draft" in " ".join(body.get_content().split())
        assert not re.search(rf"{LINK_FOLDER}[\w-]{{43}}(?![\w-])", body.get_content())
    evidence = (await officer.get(f"/api{case}/evidence")).json()["items"]
    (tested,) = (entry for entry in evidence if entry["kind"] == "draft_tested")
    assert "robin" not in str(tested["body"])
    assert not [entry for entry in evidence if entry["kind"] in ("notice_composed", "notice_given")]
    head = (await officer.get(f"/api{case}/head")).json()
    assert (head["waiting_notices"], head["open_duties"]) == (1, 1), "nothing is performed"


async def _caught(folder: Path, to: str) -> EmailMessage | None:
    for file in folder.rglob("*.eml"):  # noqa: ASYNC240 (a few small files)
        mail = message_from_bytes(file.read_bytes(), policy=default)
        if mail["To"] == to:
            return mail
    return None


@pytest.mark.parametrize("address", ["drafts", "drafts/00000000-0000-0000-0000-000000000000"])
async def test_a_draft_is_shown_only_where_it_waits(officer: Visitor, address: str) -> None:
    case = await opened(officer, f"No drafts {address}", chosen="MO-001")
    answer = await officer.get(f"{case}/{address}")
    assert answer.status_code == (HTTPStatus.OK if address == "drafts" else HTTPStatus.NOT_FOUND)


async def test_what_a_draft_lacks_leads_to_where_it_is_given(officer: Visitor) -> None:
    case = await opened(officer, "Lacking", chosen="NH-001", confirmed_at=NOW, occurred_kind="unknown")
    await shows(officer, case, "Read and release")
    (address,) = await drafts_of(officer, case)
    for page in ((await officer.get(f"{case}/drafts")).text, (await officer.get(address)).text):
        assert re.search(rf'<a href="{case}\?give=occurred#date-name">Date, estimated date', page)
        told = re.search(rf'<a href="{address}#(text-[^"]+)">', page)
        assert told, "what people tell is told on the draft's own page"
        there = told[1]
    assert f'id="{there}"' in page

    given = (await officer.get(f"{case}?give=occurred")).text
    assert re.search(
        r'<details class="panel act" open>\s*<summary>[^<]*</summary>(?:(?!</details>).)*id="date-name"', given, re.S
    )
    assert '<option value="occurred" selected>' in given
    assert ">Give this date</a>" in given
    date = {"checked": "yes", "name": "occurred", "first_day": f"{YESTERDAY:%Y-%m-%d}", "zone": "UTC"}
    answer = await officer.send(case, f"{case}/acts/date", dict(date))
    assert answer.headers["location"] == f"{case}?done=date#done"
    assert ">Give this date</a>" not in (await officer.get(case)).text


async def test_who_releases_what_another_has_released_is_shown_what_waits_now(officer: Visitor) -> None:
    case = await drafted(officer, "Released by another", "TN-001")
    (address,) = await drafts_of(officer, case)
    release = {"clause": "breach.notice", "read": field((await officer.get(address)).text, "read")}
    page = f"{case}/drafts"
    assert (await officer.send(address, f"{address}/release", dict(release))).status_code == HTTPStatus.SEE_OTHER
    await shows(officer, case, "on time")
    late = await officer.send(page, f"{address}/release", dict(release))
    assert late.status_code == HTTPStatus.CONFLICT
    assert "Nothing was changed" in late.text
    assert "No draft waits in this case." in late.text
    gone = await officer.get(address)
    assert gone.status_code == HTTPStatus.NOT_FOUND
    assert f'<a href="{case}">The case</a>' in gone.text


async def test_a_dismissal_ordered_is_not_called_sent_without_release(officer: Visitor) -> None:
    case = await opened(officer, "Dismissed", chosen="VA-001", reasonably_expected_at=NOW)
    await shows(officer, case, "Read and release")
    await officer.send(case, f"{case}/drafts/release", {"unread": "yes"})
    await shows(officer, case, "on time")
    await officer.send(case, f"{case}/acts/dismiss", {"reason": "Our own backup made the copy."})
    page = await shows(officer, case, "sent because the case was dismissed")
    assert "sent without release" not in page
