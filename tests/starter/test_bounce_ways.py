"""What comes back is taken in by real servers: over IMAP, by LMTP, and from providers that sign their events."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import smtplib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from config.keyring import Keyring
from mail.bounce_lmtp import MOST_CONVERSATIONS, serve_lmtp
from mail.bounce_mailbox import BounceMailbox
from mail.provider_events import SIGNATURE_HEADER, TIMESTAMP_HEADER
from models.enums import DeliveryStatus, Verdict
from models.errors import Unavailable
from queries.views import ReportView
from starter.bounce_ways import read_mailbox_once, taking_bounces
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from tests.support.bounce_shapes import SHAPES, dsn
from tests.support.bounced import Told, tell
from tests.support.certificates import rsa_certificate
from tests.support.dovecot import Dovecot, dovecot
from tests.support.incidents import QUIET, case, only_notice
from tests.support.installation import ORIGIN, Installation
from tests.support.patience import PATIENCE
from tests.support.ports import free_port

pytestmark = pytest.mark.long

BOUNCED, ACCEPTED = DeliveryStatus.BOUNCED, DeliveryStatus.ACCEPTED


@pytest.fixture(scope="module")
async def telling(keyring: Keyring, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[VirtualEngine]:
    overrides = QUIET | {"release": "immediate", "public_url": ORIGIN}
    async with virtual_engine(tmp_path_factory.mktemp("ways"), keyring=keyring, overrides=overrides) as engine:
        yield engine


@pytest.fixture
async def told(telling: VirtualEngine, request: pytest.FixtureRequest) -> Told:
    """A case of this test's own, whose notice was given to its LEA's office."""
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:8]
    return await tell(telling, f"ME-{name}")


@pytest.fixture
def mailbox() -> Iterator[Dovecot]:
    with dovecot() as running:
        yield running


def reports(told: Told) -> list[ReportView]:
    (first, *_) = only_notice(told.duty).deliveries
    return list(first.reports)


def bounce(told: Told, **given: Any) -> bytes:
    return dsn(to=told.return_path, recipients=(told.office,), message_id=f"{told.case_id}@example.org", **given)


# IMAP (RFC 9051)


async def test_the_mailbox_is_emptied_and_each_message_is_recorded_once(told: Told, mailbox: Dovecot) -> None:
    mailbox.deliver(bounce(told))
    mailbox.deliver(bounce(told))
    mailbox.deliver(dsn(to="bounces@provider.example.org", message_id="not ours"))
    assert await read_mailbox_once(told.intake(), mailbox.server) == (3, 0)
    assert mailbox.count() == 0
    assert (mailbox.count("Recorded"), mailbox.count("Not ours")) == (2, 1)
    await told.engine.settle(told.case_id)
    assert told.outbox == [(told.office, BOUNCED), (told.deputy, ACCEPTED)]
    assert [report.via for report in reports(told)] == ["imap"]


async def test_what_comes_while_the_server_is_listened_to_is_taken_in_at_once(
    told: Told, mailbox: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening = _times_listened(monkeypatch)
    server = mailbox.server
    resources = told.resources(
        imap_host=server.host,
        imap_port=server.port,
        imap_username=server.username,
        imap_password=server.password.get_secret_value(),
        imap_ca_file=server.ca_file,
    )
    async with taking_bounces(told.intake(), resources.settings):
        await _until(lambda: len(listening) >= 1)
        mailbox.deliver(bounce(told))
        await _until(lambda: len(listening) >= 2)
        assert mailbox.count("Recorded") == 1
        away = next(shape for shape in SHAPES if shape.name == "out of office")
        mailbox.deliver(away.to(told.return_path, told.office))  # far sooner than the mailbox is looked at by itself
        await _until(lambda: mailbox.count("Recorded") == 2)
    assert [report.kind for report in reports(told)] == ["failed", "auto_reply"]
    assert mailbox.count() == 0


async def test_a_message_is_left_in_the_mailbox_where_it_cannot_be_recorded(
    told: Told, mailbox: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = told.intake()
    mailbox.deliver(bounce(told))

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(intake, "_record", full)
    with pytest.raises(Unavailable):
        await read_mailbox_once(intake, mailbox.server)
    assert mailbox.count() == 1
    monkeypatch.undo()
    assert await read_mailbox_once(intake, mailbox.server) == (1, 0)
    assert told.outbox[0][1] is BOUNCED


async def test_a_mailbox_that_cannot_be_opened_is_said_so_without_its_password(told: Told, mailbox: Dovecot) -> None:
    closed = mailbox.server.model_copy(update={"port": 9})
    untrusted = mailbox.server.model_copy(update={"ca_file": None})
    for server in (closed, untrusted):
        with pytest.raises(Unavailable, match="cannot be read") as refused:
            await read_mailbox_once(told.intake(), server)
        assert server.password.get_secret_value() not in str(refused.value)


# LMTP (RFC 2033)


async def test_lmtp_takes_what_comes_to_a_return_path_and_refuses_everything_else(
    told: Told, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    where = str(tmp_path / "lmtp")
    stranger = f"bounces+{'a' * 48}@provider.example.org"
    with caplog.at_level(logging.DEBUG):
        async with taking_bounces(told.intake(), told.resources(lmtp=where).settings):
            refused, answers = await asyncio.to_thread(_by_lmtp, where, bounce(told), told.return_path, stranger)
    assert refused[0] == 550
    assert [code for code, _ in answers] == [250, 250, 452]
    await told.engine.settle(told.case_id)
    assert told.outbox[0][1] is BOUNCED
    assert [report.via for report in reports(told)] == ["lmtp"], "the second time it was known"
    assert told.office not in caplog.text
    assert told.return_path not in caplog.text


async def test_lmtp_speaks_to_so_many_at_the_same_time_and_to_others_later(tmp_path: Path) -> None:
    async def taken(_: bytes, __: str) -> str:
        return "250 2.0.0 Recorded"

    where = str(tmp_path / "lmtp")
    server = await serve_lmtp(where, lambda _: True, taken)
    async with server, asyncio.timeout(PATIENCE):
        opened = [await asyncio.open_unix_connection(where) for _ in range(MOST_CONVERSATIONS + 1)]
        greetings = [await reader.readline() for reader, _ in opened]
        assert [greeting[:3] for greeting in greetings] == [b"220"] * MOST_CONVERSATIONS + [b"421"]
        opened[0][1].write(b"QUIT\r\n")
        assert (await opened[0][0].read()).startswith(b"221")
        reader, writer = await asyncio.open_unix_connection(where)
        assert (await reader.readline()).startswith(b"220")
        for _, one in (*opened, (reader, writer)):
            one.close()


def _by_lmtp(where: str, raw: bytes, path: str, stranger: str) -> tuple[tuple[int, bytes], list[tuple[int, bytes]]]:
    with smtplib.LMTP(where) as client:
        client.ehlo_or_helo_if_needed()
        client.mail("")
        refused = client.rcpt(stranger)
        client.rset()
        answers = []
        for _ in range(2):
            client.mail("")
            client.rcpt(path.upper())
            answers.append(client.data(raw))
        client.mail("")
        client.rcpt(path)
        answers.append(client.rcpt(path))
    return refused, answers


async def test_every_shape_of_bounce_that_comes_by_lmtp_reopens_the_duty(
    telling: VirtualEngine, tmp_path: Path
) -> None:
    where = f"127.0.0.1:{free_port()}"
    for number, shape in enumerate(shape for shape in SHAPES if shape.kind == "failed"):
        told = await tell(telling, f"ME-9{number}")
        async with taking_bounces(told.intake(), told.resources(lmtp=where).settings):
            await asyncio.to_thread(_one_by_lmtp, where, shape.to(told.return_path, told.office), told.return_path)
        assert told.outbox[0][1] is BOUNCED, shape.name


def _one_by_lmtp(where: str, raw: bytes, path: str) -> None:
    host, _, port = where.partition(":")
    with smtplib.LMTP(host, int(port)) as client:
        assert client.sendmail("", [path], raw) == {}


# Webhooks


async def _post(told: Told, provider: str, body: bytes, headers: dict[str, str], **keys: object) -> httpx.Response:
    visitor = Installation(told.resources(**keys)).visitor()
    answer = await visitor.http.post(
        f"/api/mail-events/{provider}", content=body, headers={"content-type": "application/json", **headers}
    )
    await told.engine.settle(told.case_id)
    return answer


def _sendgrid(told: Told, event: str = "bounce") -> bytes:
    said = {
        "event": event,
        "email": told.office,
        "sg_event_id": f"event {event} {told.case_id}",
        "smtp-id": told.delivery.message_id,
        "status": "5.1.1",
        "reason": "550 5.1.1 No such mailbox",
        "timestamp": 1793613600,
    }
    return json.dumps([said, said | {"event": "open", "sg_event_id": "another"}]).encode()


async def test_sendgrids_signed_events_are_taken_once_and_unsigned_ones_are_refused(
    told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    body, keys = _sendgrid(told), {"sendgrid_public_key": public}
    signed = {
        TIMESTAMP_HEADER: "1793613600",
        SIGNATURE_HEADER: base64.b64encode(key.sign(b"1793613600" + body, ec.ECDSA(SHA256()))).decode(),
    }
    for headers, sent in (({}, body), (signed, body + b" "), (signed | {TIMESTAMP_HEADER: "1793613601"}, body)):
        assert (await _post(told, "sendgrid", sent, headers, **keys)).status_code == 403
    assert (await _post(told, "sendgrid", body, signed)).status_code == 404, "nobody is expected to post there"
    assert told.outbox == [(told.office, ACCEPTED)]
    assert told.office not in caplog.text
    for _ in range(2):
        assert (await _post(told, "sendgrid", body, signed, **keys)).status_code == 204
    assert told.outbox == [(told.office, BOUNCED), (told.deputy, ACCEPTED)]
    assert [(report.via, report.status) for report in reports(told)] == [("sendgrid", "5.1.1")]


def _mailgun(told: Told, key: str, event: str = "failed", severity: str = "permanent", token: str = "t" * 50) -> bytes:
    made = hmac.new(key.encode(), f"1793613600{token}".encode(), hashlib.sha256).hexdigest()
    return json.dumps(
        {
            "signature": {"timestamp": "1793613600", "token": token, "signature": made},
            "event-data": {
                "event": event,
                "severity": severity,
                "recipient": told.office,
                "message": {"headers": {"message-id": told.delivery.message_id.strip("<>")}},
                "delivery-status": {"code": 550, "message": "5.1.1 No such mailbox"},
            },
        }
    ).encode()


async def test_mailguns_signed_events_are_taken_and_each_signature_is_good_for_one_alone(told: Told) -> None:
    key = {"mailgun_signing_key": "a key of a test"}
    forged = _mailgun(told, "another key")
    assert (await _post(told, "mailgun", forged, {}, **key)).status_code == 403
    assert (await _post(told, "mailgun", b"{}", {}, **key)).status_code == 422
    delivered = _mailgun(told, "a key of a test", event="delivered")
    assert (await _post(told, "mailgun", delivered, {}, **key)).status_code == 204
    stolen = _mailgun(told, "a key of a test")  # the signature does not cover the event: it is used for another one
    assert (await _post(told, "mailgun", stolen, {}, **key)).status_code == 204
    assert (told.duty.verdict, told.outbox) == (Verdict.ON_TIME, [(told.office, DeliveryStatus.DELIVERED)])
    fresh = _mailgun(told, "a key of a test", token="u" * 50)
    assert (await _post(told, "mailgun", fresh, {}, **key)).status_code == 204
    assert told.outbox[0] == (told.office, BOUNCED)


TOPIC = "arn:aws:sns:eu-west-1:123456789012:bounces"


def _sns(told: Told, key: Any, **changed: str) -> bytes:
    said = {
        "notificationType": "Bounce",
        "mail": {"source": told.return_path, "headers": [{"name": "Message-ID", "value": told.delivery.message_id}]},
        "bounce": {
            "bounceType": "Permanent",
            "bouncedRecipients": [{"emailAddress": told.office, "status": "5.1.1", "diagnosticCode": "550 No mailbox"}],
        },
    }
    fields = {
        "Message": json.dumps(said),
        "MessageId": f"sns {told.case_id}",
        "Timestamp": "2026-11-02T10:00:00.000Z",
        "TopicArn": TOPIC,
        "Type": "Notification",
    } | {name: value for name, value in changed.items() if name in ("TopicArn", "Message")}
    signed = "".join(f"{name}\n{value}\n" for name, value in sorted(fields.items())).encode()
    rest = {
        "SignatureVersion": "2",
        "Signature": base64.b64encode(key.sign(signed, padding.PKCS1v15(), SHA256())).decode(),
        "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
    }
    return json.dumps(fields | rest | changed).encode()


async def test_amazons_notifications_are_taken_from_one_topic_under_amazons_signature_alone(
    told: Told, tmp_path: Path
) -> None:
    key = rsa_certificate(tmp_path / "sns.pem")
    other = rsa_certificate(tmp_path / "other.pem")
    keys = {"ses_topic": TOPIC, "ses_certificate": str(tmp_path / "sns.pem")}
    refused = (
        _sns(told, other),
        _sns(told, key, TopicArn="arn:aws:sns:eu-west-1:999999999999:bounces"),
        _sns(told, key, SigningCertURL="https://sns.eu-west-1.amazonaws.com.example.org/a.pem"),
        _sns(told, key, SigningCertURL="http://sns.eu-west-1.amazonaws.com/a.pem"),
        _sns(told, key, SignatureVersion="1"),
    )
    for body in refused:
        assert (await _post(told, "ses", body, {}, **keys)).status_code == 403
    assert told.outbox == [(told.office, ACCEPTED)]
    assert (await _post(told, "ses", _sns(told, key), {}, **keys)).status_code == 204
    assert told.outbox[0] == (told.office, BOUNCED)
    assert [(report.via, report.attempt) for report in reports(told)] == [("ses", 1)]


async def test_an_event_about_another_installations_message_changes_nothing(told: Told) -> None:
    key = {"mailgun_signing_key": "a key of a test"}
    body = _mailgun(told, "a key of a test").replace(told.delivery.message_id.strip("<>").encode(), b"x@example.org")
    before = len(case(told.engine, told.case_id).evidence)
    assert (await _post(told, "mailgun", body, {}, **key)).status_code == 204
    assert len(case(told.engine, told.case_id).evidence) == before


def _times_listened(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One more each time that the server begins to be listened to."""
    times: list[None] = []
    begin = BounceMailbox.begin_idle

    def counted(mailbox: BounceMailbox) -> None:
        begin(mailbox)
        times.append(None)

    monkeypatch.setattr(BounceMailbox, "begin_idle", counted)
    return times


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 (another server tells nobody)
            await asyncio.sleep(0.05)
