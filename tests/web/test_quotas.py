"""Quotas: how often one address or link may do something, and what whoever does it oftener is told."""

from __future__ import annotations

from uuid import uuid4

import pytest
from limits.storage import MemoryStorage
from temporalio.client import Client

from config.keyring import Keyring
from mail.holder_links import HOLDER_FOLDER, VENDOR_FOLDER
from mail.links import LINK_FOLDER
from tests.support.installation import Installation, open_installation
from web import quotas
from web.quotas import HOUR, MINUTE, MOST_KEYS, Quota, TooManyTries, network_of
from web.rights import MAILGUN_PATH, REQUEST_PATH

FEW = 10


class Clock:
    """The clock of quotas, which is the system's, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_800_000_000.0
        monkeypatch.setattr("limits.storage.memory.time.time", lambda: self.now)
        monkeypatch.setattr(quotas, "time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def strict(temporal: Client, keyring: Keyring, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation of which strangers may ask little."""
    limits = {"requests_per_minute": FEW, "link_answers_per_hour": 5}
    return Installation(open_installation(tmp_path_factory.mktemp("strict"), keyring, temporal, limits=limits))


def test_an_address_may_try_again_after_a_minute_and_others_all_the_while(clock: Clock) -> None:
    quota = Quota(3)
    assert [quota.allow("one") for _ in range(4)] == [True, True, True, False]
    clock.now += MINUTE - 1
    assert not quota.allow("one")
    assert quota.seconds_left("one") == 1
    assert quota.allow("two")
    clock.now += 1
    assert quota.allow("one")


def test_what_is_refused_says_when_it_may_be_tried_again(clock: Clock) -> None:
    quota = Quota(1, HOUR)
    quota.check("one")
    clock.now += 10 * MINUTE
    with pytest.raises(TooManyTries, match="Try again in 50 minutes") as refused:
        quota.check("one", "this link")
    assert refused.value.seconds == 50 * MINUTE
    assert str(refused.value).startswith("Too many tries came from this link.")


def test_no_more_addresses_are_remembered_than_there_is_room_for(clock: Clock) -> None:
    quota = Quota(1)
    for number in range(MOST_KEYS + 5):
        assert quota.allow(str(number) * 100)
    storage = quota._limiter.storage
    assert isinstance(storage, MemoryStorage)
    assert len(storage.storage) == len(storage.expirations) == len(storage.locks) == len(quota._keys) == MOST_KEYS
    assert quota.allow("0" * 100), "it was forgotten"
    assert not quota.allow(str(MOST_KEYS) * 100)
    assert max(map(len, quota._keys)) == 32, "however long what is remembered was"


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("/run/web.socket", "/run/web.socket"),
    ],
)
def test_all_addresses_of_one_line_are_one(address: str, counts_as: str) -> None:
    assert network_of(address) == counts_as


class TestOneAddress:
    async def test_it_is_refused_politely_beyond_so_many_requests(self, strict: Installation) -> None:
        visitor = strict.visitor()
        answers = [await visitor.get("/sign-in") for _ in range(FEW + 1)]
        assert [answer.status_code for answer in answers] == [200] * FEW + [429]
        refused = answers[-1]
        assert 0 < int(refused.headers["retry-after"]) <= MINUTE
        assert "Too many tries came from your address. Try again in" in refused.text
        assert (await visitor.get("/livez")).status_code == 200, "what looks whether the site runs is not counted"
        assert (await visitor.get("/static/duenotice.css")).status_code == 200, "nor what makes that page readable"

    async def test_who_is_signed_in_is_not(self, strict: Installation) -> None:
        officer, visitor = await strict.officer(), strict.visitor()
        answers = [await visitor.get("/sign-in") for _ in range(FEW)]
        assert answers[-1].status_code == 429
        assert [(await officer.get("/agreements")).status_code for _ in range(FEW)] == [200] * FEW

    async def test_nothing_that_was_typed_is_lost(self, strict: Installation) -> None:
        visitor = strict.visitor()
        for _ in range(FEW):
            await visitor.get("/sign-in")
        typed = {"name": 'Pat "P" <x>', "request": "The first line.\nThe second.", "password": "seven green kettles"}
        refused = await visitor.http.post(REQUEST_PATH, data=typed)
        assert refused.status_code == 429
        assert 'name="name" value="Pat &#34;P&#34; &lt;x&gt;"' in refused.text
        assert "The first line.\nThe second." in refused.text
        assert "Send it again</button>" in refused.text
        assert "seven green kettles" not in refused.text

    async def test_a_file_of_a_form_has_to_be_chosen_again(self, strict: Installation) -> None:
        visitor = strict.visitor()
        for _ in range(FEW):
            await visitor.get("/sign-in")
        refused = await visitor.http.post(
            f"{HOLDER_FOLDER}none", data={"signed": "Pat"}, files={"files": ("a.txt", b"its text")}
        )
        assert refused.status_code == 429
        assert 'name="signed" value="Pat"' in refused.text
        assert "its text" not in refused.text

    async def test_a_program_is_told_in_json(self, strict: Installation) -> None:
        visitor = strict.visitor()
        for _ in range(FEW):
            await visitor.get("/sign-in")
        refused = await visitor.http.post(f"{HOLDER_FOLDER}none.json", json={})
        assert (refused.status_code, refused.json()["code"]) == (429, "not-allowed")
        assert int(refused.headers["retry-after"]) > 0


@pytest.mark.parametrize("folder", [LINK_FOLDER, HOLDER_FOLDER, VENDOR_FOLDER])
async def test_one_link_takes_so_many_answers_an_hour_and_others_all_the_while(
    strict: Installation, folder: str
) -> None:
    """The fault that was seen: one link took questions without end."""
    one, other = f"{folder}{uuid4().hex}", f"{folder}{uuid4().hex}"
    answers = [await strict.visitor().http.post(one, data={"kind": "question"}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [404] * 5 + [429]
    assert "Too many tries came from this link. Try again in" in answers[-1].text
    assert MINUTE < int(answers[-1].headers["retry-after"]) <= HOUR
    assert (await strict.visitor().http.post(other, data={"kind": "question"})).status_code == 404
    assert (await strict.visitor().get(one)).status_code == 404, "looking is counted by address alone"


async def test_a_mail_provider_may_post_as_often_as_it_has_something_to_tell(strict: Installation) -> None:
    visitor = strict.visitor()
    site = strict.app.state.site
    answers = [await visitor.http.post(MAILGUN_PATH, content=b"{}") for _ in range(FEW + 5)]
    assert {answer.status_code for answer in answers} == {404}, "no provider is expected here"
    for _ in range(30):
        site.quotas.refused_events.allow("127.0.0.1")
    assert (await visitor.http.post(MAILGUN_PATH, content=b"{}")).status_code == 429
