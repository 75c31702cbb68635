"""Every mail that is no notice has the headers of one, and nothing that people typed gets into them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage

from hypothesis import example, given
from hypothesis import strategies as st

from mail.district_mails import AskedToAnswer
from mail.facts import ContactPerson, Mailbox, clean_line
from mail.plain import Enclosure, compose_plain_mail

AT = datetime(2026, 11, 1, 2, 15, tzinfo=timezone(timedelta(hours=-5)))
HEADERS = ["from", "reply-to", "to", "subject", "date", "message-id", "auto-submitted"]
MIME = {"content-type", "content-transfer-encoding", "mime-version"}


def write(text: str = "Robin", email: str = "robin@provider.test", *enclosed: Enclosure) -> bytes:
    contact = ContactPerson(name=text, email="privacy@provider.test")
    return compose_plain_mail(
        AskedToAnswer(case_reference=text, lea=text, given_at=AT, offers=False, link=None, contact=contact),
        sender=Mailbox(name=text, email="notices@provider.test"),
        to=Mailbox(name=text, email=email),
        reply_to=contact,
        message_id="<1@provider.test>",
        at=AT,
        enclosed=enclosed,
    )


def read(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_it_answers_to_a_person_is_sent_by_a_machine_and_dated_in_utc() -> None:
    message = read(write())
    assert message["Reply-To"] == "Robin <privacy@provider.test>"
    assert message["Auto-Submitted"] == "auto-generated"  # RFC 3834, 5
    assert message["Date"] == "Sun, 01 Nov 2026 07:15:00 +0000"
    assert message["Date"].datetime == AT.astimezone(UTC)


@given(st.text(min_size=1, max_size=200).filter(clean_line))
@example("x\r\nBcc: thief@evil.test")
@example("x\n\nBody")
@example('x" <thief@evil.test>, "y')
@example("=?utf-8?q?x=0D=0ABcc:_thief=40evil.test?=")
@example("x\u2028Bcc: thief@evil.test\x85Bcc: thief@evil.test\x0bx")
@example("x\r\n.\r\nMAIL FROM:<thief@evil.test>")
def test_nothing_that_a_person_typed_becomes_a_header_or_an_address(text: str) -> None:
    raw = write(text, "robin@provider.test", Enclosure(text, b"file", "application/pdf"))
    assert raw.isascii()
    message = read(raw)
    names = [name.lower() for name, _ in message.items()]
    assert [name for name in names if name not in MIME] == HEADERS
    for header, address in {"From": "notices@", "Reply-To": "privacy@", "To": "robin@"}.items():
        assert [one.addr_spec for one in message[header].addresses] == [f"{address}provider.test"]


def test_an_internationalised_address_stands_in_its_header_as_it_is() -> None:
    """RFC 6532; everything else of the message stays ASCII."""
    raw = write("Robin", "zoë@bücher.example")
    assert 'To: "Robin" <zoë@xn--bcher-kva.example>\r\n'.encode() in raw
    assert raw.replace("zoë".encode(), b"").isascii()


def test_a_domain_alone_needs_no_such_header() -> None:
    assert b'To: "Robin" <office@xn--bcher-kva.example>\r\n' in write("Robin", "office@bücher.example")
