"""What a district receives: a message that every mail program and server can take. ``test_letters`` reads the words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from email.headerregistry import AddressHeader, DateHeader
from email.message import EmailMessage
from email.policy import default
from email.utils import getaddresses
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mail.compose import Addressing, compose
from mail.facts import (
    Clause,
    ContactPerson,
    ElementStatus,
    ElementValue,
    Mailbox,
    NoticeFacts,
    Sender,
    Signatory,
    SignedAgreement,
    clean_line,
)
from mail.wording import local_instant, utc_instant
from models.enums import NoticeKind
from tests.support.sample_notices import ADDRESSING, AGREEMENT, CONFIRMED_NOTICE, DISMISSAL, ROBIN, SUPPLEMENT

EVERY_KIND = {"notice": CONFIRMED_NOTICE, "supplement": SUPPLEMENT, "dismissal": DISMISSAL}


def changed(facts: NoticeFacts, **changes: object) -> NoticeFacts:
    return NoticeFacts.model_validate(dict(facts) | changes)


def parsed(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def bodies(message: EmailMessage) -> tuple[str, str]:
    plain, html = message.iter_parts()
    assert isinstance(plain, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    return plain.get_content().replace("\r\n", "\n"), html.get_content().replace("\r\n", "\n")


class _VisibleText(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "br":
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read_html(html: str) -> tuple[str, set[str]]:
    """The text of a page with single spaces, and the tags it uses."""
    reader = _VisibleText()
    reader.feed(html.partition("<body")[2])
    return " ".join("".join(reader.words).split()), reader.tags


@pytest.mark.parametrize("facts", EVERY_KIND.values(), ids=EVERY_KIND)
def test_the_html_says_everything_that_the_text_says(facts: NoticeFacts) -> None:
    composed = compose(facts, ADDRESSING)
    shown, _ = read_html(composed.html)
    said, seen = (set(re.findall(r"\w+", body.casefold())) for body in (composed.text, shown))
    assert said <= seen


@pytest.mark.parametrize("facts", EVERY_KIND.values(), ids=EVERY_KIND)
def test_the_same_facts_give_the_same_bytes(facts: NoticeFacts) -> None:
    again = NoticeFacts.model_validate_json(facts.model_dump_json())
    assert compose(facts, ADDRESSING) == compose(again, ADDRESSING)


def test_the_instant_of_the_notice_is_shown_as_the_district_reads_it_and_in_utc() -> None:
    for body in (compose(CONFIRMED_NOTICE, ADDRESSING).text, compose(CONFIRMED_NOTICE, ADDRESSING).html):
        assert "Saturday, October 31, 2026, 10:15:20 PM EDT" in body
        assert "2026-11-01 02:15:20 UTC" in body


@pytest.mark.parametrize(
    ("utc", "zone", "local"),
    [
        (datetime(2026, 3, 8, 6, 59, 59, tzinfo=UTC), "America/New_York", "Sunday, March 8, 2026, 1:59:59 AM EST"),
        (datetime(2026, 3, 8, 7, 0, tzinfo=UTC), "America/New_York", "Sunday, March 8, 2026, 3:00 AM EDT"),
        (datetime(2026, 7, 1, 19, 5, tzinfo=UTC), "America/Phoenix", "Wednesday, July 1, 2026, 12:05 PM MST"),
        (
            datetime(2027, 1, 1, 5, 59, 59, tzinfo=UTC),
            "America/Chicago",
            "Thursday, December 31, 2026, 11:59:59 PM CST",
        ),
        (datetime(2027, 1, 1, 8, 0, tzinfo=UTC), "America/Los_Angeles", "Friday, January 1, 2027, 12:00 AM PST"),
    ],
)
def test_instants_are_written_in_the_districts_time(utc: datetime, zone: str, local: str) -> None:
    assert local_instant(utc, ZoneInfo(zone)) == local


def test_an_instant_in_another_zone_is_the_same_instant_in_utc() -> None:
    assert utc_instant(datetime(2026, 11, 3, 9, 30, tzinfo=ZoneInfo("America/New_York"))) == "2026-11-03 14:30 UTC"


def test_what_is_not_known_yet_is_said_and_promised_by_name() -> None:
    text = compose(CONFIRMED_NOTICE, ADDRESSING).text
    promise = text.partition("What will follow")[2].partition("The provision")[0]
    assert "write to you again" in promise
    assert re.findall(r"^  - (.*)$", promise, re.M) == ["Date, estimated date or date range of the breach"]


def test_a_notice_that_lacks_nothing_promises_nothing() -> None:
    complete = changed(CONFIRMED_NOTICE, elements=CONFIRMED_NOTICE.elements[:2])
    assert "What will follow" not in compose(complete, ADDRESSING).text


def test_the_headers_say_who_to_whom_and_that_a_machine_wrote() -> None:
    message = parsed(compose(CONFIRMED_NOTICE, ADDRESSING).raw)
    assert str(message["From"]) == '"Example Learning, Inc." <notices@provider.test>'
    assert str(message["Reply-To"]) == "Robin Example <privacy@provider.test>"
    assert str(message["To"]) == "Security Office <security@blueridge.example.org>"
    assert str(message["Cc"]) == "Counsel <counsel@law.test>"
    assert message["Message-ID"] == ADDRESSING.message_id
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Subject"] == (
        "Notice of a data breach affecting your students' data: Blue Ridge Example School Division (B-7F3K)"
    )
    date = message["Date"]
    assert isinstance(date, DateHeader)
    assert date.datetime == CONFIRMED_NOTICE.noticed_at


def test_a_supplement_answers_the_notice_it_adds_to() -> None:
    message = parsed(compose(SUPPLEMENT, ADDRESSING).raw)
    assert SUPPLEMENT.follows is not None
    assert message["In-Reply-To"] == message["References"] == SUPPLEMENT.follows.message_id


@pytest.mark.parametrize(
    ("facts", "changes", "sentence"),
    [
        (SUPPLEMENT, {"added": ("students_involved",)}, "can only add elements that it gives"),
        (SUPPLEMENT, {"added": ()}, "says what it adds"),
        (SUPPLEMENT, {"follows": None}, "names the notice that it follows"),
        (CONFIRMED_NOTICE, {"added": ("data_types",)}, "says what it adds"),
        (DISMISSAL, {"reason": None}, "gives its reason"),
        (CONFIRMED_NOTICE, {"time_zone": "America/Nowhere"}, "is not a time zone"),
        (CONFIRMED_NOTICE, {"noticed_at": datetime(2026, 1, 1)}, "timezone"),
        (CONFIRMED_NOTICE, {"acknowledge_url": "javascript:alert(1)"}, "URL scheme"),
        (CONFIRMED_NOTICE, {"reader": "\r\n"}, "at least 1 item"),
        (CONFIRMED_NOTICE, {"clauses": ({"id": "os:system", "provision": ("Article V",)},)}, "String should match"),
    ],
)
def test_facts_that_make_no_sense_are_refused(facts: NoticeFacts, changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        changed(facts, **changes)


@pytest.mark.parametrize(
    ("status", "value"), [(ElementStatus.KNOWN, None), (ElementStatus.KNOWN, " \n"), (ElementStatus.NOT_YET_KNOWN, "x")]
)
def test_an_elements_value_fits_what_is_said_of_it(status: ElementStatus, value: str | None) -> None:
    with pytest.raises(ValidationError, match="element e"):
        ElementValue(id="e", label="E", citation="1", status=status, value=value)


def test_a_refused_value_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ValidationError) as caught:
        Mailbox(name="A", email="pat.private@")
    assert "pat.private" not in str(caught.value)


# Whatever people type, it stays in its place: no header, recipient, part, tag or section can be made with it.

typed = st.one_of(
    st.text(min_size=1, max_size=300),
    st.sampled_from(
        [
            "x\r\nBcc: thief@evil.test",
            "x\n\n<script>alert(1)</script>",
            'x" <thief@evil.test>, "y',
            "=?utf-8?q?x=0D=0ABcc:_thief=40evil.test?=",
            "x\r\n.\r\nMAIL FROM:<thief@evil.test>",
            "x\u2028Bcc: thief@evil.test\x85Bcc: thief@evil.test\x0bx",
            "--=_00000000000000000000000000000000--",
            "w" * 3000,
            "é" * 3000,
            "The clause\n----------\nNothing is owed.",
            "{{ facts }} {% raw %}",
        ]
    ),
).filter(clean_line)


@pytest.mark.long
@given(typed)
@example("-")
@example(f"{'long ' * 14}-----")
@settings(max_examples=150, deadline=timedelta(seconds=5))
def test_nothing_that_a_person_typed_breaks_out_of_its_place(text: str) -> None:
    composed = compose(
        changed(
            CONFIRMED_NOTICE,
            reader=text,
            agreement=SignedAgreement(
                title=text, reference=text, provider=text, lea=text, signed_on=AGREEMENT.signed_on
            ),
            case_reference=text,
            clauses=(Clause(id="breach.notice", provision=(text,), why=(text,)),),
            sender=Sender(
                organisation=text,
                contact=ContactPerson(name=text, email="privacy@provider.test", phone=text),
                signatory=Signatory(name=text, title=text),
                point_of_contact=ROBIN,
                parents_contact=ROBIN,
            ),
            particulars=text,
            elements=(ElementValue(id="e", label=text, citation=text, status=ElementStatus.KNOWN, value=text),),
        ),
        Addressing(
            message_id=ADDRESSING.message_id,
            sender=Mailbox(name=text, email="notices@provider.test"),
            to=tuple(Mailbox(name=text, email=f"to{n}@district.test") for n in range(3)),
        ),
    )
    check_well_formed(composed.raw)
    message = parsed(composed.raw)
    assert [name.lower() for name, _ in message.items()] == [
        *("from", "reply-to", "to", "subject", "date", "message-id", "auto-submitted", "content-language"),
        *("mime-version", "content-type"),
    ]
    for header, expected in (("From", ["notices@provider.test"]), ("To", [f"to{n}@district.test" for n in range(3)])):
        value = message[header]
        assert isinstance(value, AddressHeader)
        assert [address.addr_spec for address in value.addresses] == expected
    plain, html = bodies(message)
    assert (plain, html) == (composed.text, composed.html)
    assert read_html(html)[1] == read_html(compose(CONFIRMED_NOTICE, ADDRESSING).html)[1]
    headings = re.findall(r"^(.+)\n-+\n", plain, re.M)
    assert headings == [
        *("Details", "The facts", "The provision", "Please acknowledge", "Questions", "Signed"),
        "Annex: how the time was counted",
    ]


def check_well_formed(raw: bytes) -> None:
    """7-bit, CRLF only, no line over 998 (RFC 5322, 2.1.1), bodies within 76 (RFC 2045, 6.7), and no defect."""
    assert raw.isascii()
    assert not re.search(rb"[^\r]\n|\r[^\n]|\x00", raw)
    head, _, rest = raw.partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 120
    assert max(map(len, rest.split(b"\r\n"))) <= 76
    message = parsed(raw)
    assert [part.defects for part in message.walk()] == [[], [], []]


@pytest.mark.parametrize("facts", EVERY_KIND.values(), ids=EVERY_KIND)
def test_each_message_is_well_formed(facts: NoticeFacts) -> None:
    check_well_formed(compose(facts, ADDRESSING).raw)


@pytest.mark.parametrize(
    "name", ["Sécurité, Büro", "学校区 " * 40, 'Pat "the" O\\Neil', "A" * 400, "one two " * 40, "a, b; c: <d>", "=?x?="]
)
def test_names_arrive_as_they_were_written(name: str) -> None:
    to = Mailbox(name=name, email="security@blueridge.example.org")
    composed = compose(CONFIRMED_NOTICE, ADDRESSING.model_copy(update={"to": (to, to)}))
    # The older parser: the newer one leaves spaces between encoded words in names, against RFC 2047, 6.2.
    written = getaddresses([message_from_bytes(composed.raw)["To"]])
    assert [(str(make_header(decode_header(name))), email) for name, email in written] == [(to.name, to.email)] * 2


@given(typed)
@settings(deadline=timedelta(seconds=5))
def test_subjects_arrive_as_they_were_written(text: str) -> None:
    composed = compose(changed(CONFIRMED_NOTICE, reader=text), ADDRESSING)
    assert parsed(composed.raw)["Subject"] == composed.subject


def test_every_kind_of_notice_has_its_templates() -> None:
    assert {facts.kind for facts in EVERY_KIND.values()} == set(NoticeKind)
