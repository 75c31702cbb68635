"""What mail providers say became of messages: their signed events, each verified as its provider documents it.

An event that is not signed, or wrongly, is no event. What they say is put in the words of ``mail.reports``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509 import load_pem_x509_certificate
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mail.facts import clean_line
from mail.reports import LONGEST_WORDS, Report
from models.enums import ReportKind
from models.errors import InvalidInput, NotAllowed

SIGNATURE_HEADER = "x-twilio-email-event-webhook-signature"
TIMESTAMP_HEADER = "x-twilio-email-event-webhook-timestamp"

_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_AMAZON = re.compile(r"https://sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[A-Za-z0-9_./-]*(\?[A-Za-z0-9=&_.:%-]*)?")


class NotSigned(NotAllowed):
    """What claims to be a provider's event does not bear its signature."""

    code = "not-signed"


@dataclass(frozen=True)
class ProviderEvent:
    """One thing that a provider says became of one message.

    Attributes:
        provider: who says it.
        source: what the provider calls the event, however often it sends it.
        report: what it says.
        message_id: the Message-ID of the message, as its header had it.
        named: what may hold the token of a return path: the envelope's sender.
        raw: the event as it came, without the others that came along.
    """

    provider: str
    source: str
    report: Report
    message_id: str | None = None
    named: tuple[str, ...] = field(default=(), repr=False)
    raw: bytes = field(default=b"", repr=False)


class _Part(BaseModel):
    """A part of a provider's JSON: what is not needed is left aside."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


_P = TypeVar("_P", bound=_Part)

# SendGrid: the Event Webhook, signed by ECDSA over P-256 (the timestamp's header and the body, one after the other).


class _SendGridEvent(_Part):
    event: str
    email: str = ""
    sg_event_id: str
    smtp_id: str = Field(default="", alias="smtp-id")
    status: str = ""
    reason: str = ""
    response: str = ""


_SENDGRID = {
    "bounce": ReportKind.FAILED,
    "dropped": ReportKind.FAILED,
    "deferred": ReportKind.DELAYED,
    "delivered": ReportKind.DELIVERED,
    "spamreport": ReportKind.COMPLAINT,
}


def read_sendgrid(body: bytes, headers: Mapping[str, str], public_key: str) -> list[ProviderEvent]:
    """The events in a call of SendGrid's Event Webhook.

    Args:
        body: of the request, byte for byte.
        headers: of the request, by lower-case name.
        public_key: the verification key that SendGrid shows: DER in base 64.

    Raises:
        NotSigned: it is not signed with that key.
        InvalidInput: it is not what SendGrid sends.
    """
    signed = headers.get(TIMESTAMP_HEADER, "").encode() + body
    try:
        key = load_der_public_key(b64decode(public_key))
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(b64decode(headers.get(SIGNATURE_HEADER, "")), signed, ec.ECDSA(SHA256()))
    except (InvalidSignature, NotBase64, ValueError, AssertionError):
        raise _not_signed("SendGrid") from None
    listed = _json(body, "SendGrid")
    if not isinstance(listed, list):
        raise _not_theirs("SendGrid")
    found = []
    for item in listed:
        event = _parsed(_SendGridEvent, item, "SendGrid")
        if kind := _SENDGRID.get(event.event):
            report = _report(kind, [event.email], event.status, event.reason or event.response)
            raw = json.dumps(item, sort_keys=True).encode()
            found.append(ProviderEvent("sendgrid", event.sg_event_id, report, event.smtp_id or None, raw=raw))
    return found


# Mailgun: webhooks, signed by HMAC-SHA256 over timestamp and token. The signature does not cover the event itself, so
# each token is good for one event alone (its ``source``).


class _MailgunSignature(_Part):
    timestamp: str
    token: str = Field(min_length=32, max_length=64)
    signature: str


class _MailgunStatus(_Part):
    code: int | str = ""
    message: str = ""
    description: str = ""
    enhanced_code: str = Field(default="", alias="enhanced-code")


class _MailgunMessage(_Part):
    headers: Mapping[str, Any] = {}


class _MailgunEnvelope(_Part):
    sender: str = ""


class _MailgunEvent(_Part):
    event: str
    severity: str = ""
    recipient: str = ""
    message: _MailgunMessage = _MailgunMessage()
    envelope: _MailgunEnvelope = _MailgunEnvelope()
    delivery_status: _MailgunStatus = Field(default=_MailgunStatus(), alias="delivery-status")

    @property
    def kind(self) -> ReportKind | None:
        match self.event, self.severity:
            case "failed", "temporary":
                return ReportKind.DELAYED
            case "failed", _:
                return ReportKind.FAILED
            case "delivered", _:
                return ReportKind.DELIVERED
            case "complained", _:
                return ReportKind.COMPLAINT
            case _:
                return None


class _MailgunCall(_Part):
    signature: _MailgunSignature
    event_data: _MailgunEvent = Field(alias="event-data")


def read_mailgun(body: bytes, signing_key: str) -> list[ProviderEvent]:
    """The event in a call of a Mailgun webhook.

    Raises:
        NotSigned: it is not signed with that key.
        InvalidInput: it is not what Mailgun sends.
    """
    call = _parsed(_MailgunCall, _json(body, "Mailgun"), "Mailgun")
    said = call.signature
    made = hmac.new(signing_key.encode(), f"{said.timestamp}{said.token}".encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(made.encode(), said.signature.encode()):
        raise _not_signed("Mailgun")
    event = call.event_data
    if event.kind is None:
        return []
    status = event.delivery_status
    report = _report(event.kind, [event.recipient], status.enhanced_code, status.message or status.description)
    message_id = str(event.message.headers.get("message-id", "")).strip("<>")
    named = (event.envelope.sender,)
    return [ProviderEvent("mailgun", said.token, report, f"<{message_id}>" if message_id else None, named, body)]


# Amazon SES, by way of an SNS topic: each message signed by RSA over some of its fields. Only signatures of version 2
# (SHA-256) count; the topic's attribute SignatureVersion asks for them.


class SnsMessage(_Part):
    """What Amazon SNS posts: a notification, or the question whether notifications are wanted."""

    type: str = Field(alias="Type")
    message_id: str = Field(alias="MessageId")
    topic: str = Field(alias="TopicArn")
    message: str = Field(alias="Message")
    timestamp: str = Field(alias="Timestamp")
    version: str = Field(alias="SignatureVersion")
    signature: str = Field(alias="Signature")
    certificate: str = Field(alias="SigningCertURL")
    subject: str | None = Field(default=None, alias="Subject")
    token: str | None = Field(default=None, alias="Token")
    subscribe: str | None = Field(default=None, alias="SubscribeURL")

    @property
    def asks(self) -> bool:
        """Whether it asks if notifications are wanted."""
        return self.type == "SubscriptionConfirmation"

    def signed(self) -> bytes:
        """What its signature covers: names and values of some fields, in the order of the names."""
        fields = {"Message": self.message, "MessageId": self.message_id}
        if self.asks:
            fields |= {"SubscribeURL": self.subscribe or "", "Timestamp": self.timestamp, "Token": self.token or ""}
        else:
            fields |= {"Subject": self.subject} if self.subject else {}
            fields |= {"Timestamp": self.timestamp}
        fields |= {"TopicArn": self.topic, "Type": self.type}
        return "".join(f"{name}\n{value}\n" for name, value in fields.items()).encode()


class _SesRecipient(_Part):
    address: str = Field(default="", alias="emailAddress")
    status: str = ""
    diagnostic: str = Field(default="", alias="diagnosticCode")


class _SesBounce(_Part):
    kind: str = Field(default="", alias="bounceType")
    recipients: tuple[_SesRecipient, ...] = Field(default=(), alias="bouncedRecipients")


class _SesComplaint(_Part):
    recipients: tuple[_SesRecipient, ...] = Field(default=(), alias="complainedRecipients")


class _SesDelivery(_Part):
    recipients: tuple[str, ...] = ()
    response: str = Field(default="", alias="smtpResponse")


class _SesDelay(_Part):
    recipients: tuple[_SesRecipient, ...] = Field(default=(), alias="delayedRecipients")


class _SesHeader(_Part):
    name: str
    value: str


class _SesMail(_Part):
    source: str = ""
    headers: tuple[_SesHeader, ...] = ()


class _SesNotification(_Part):
    mail: _SesMail
    bounce: _SesBounce | None = None
    complaint: _SesComplaint | None = None
    delivery: _SesDelivery | None = None
    delay: _SesDelay | None = Field(default=None, alias="deliveryDelay")

    def reports(self) -> Iterator[Report]:
        if self.bounce:
            # One that SES calls undetermined or transient has been given up as well: a delay has an event of its own.
            for one in self.bounce.recipients:
                yield _report(ReportKind.FAILED, [one.address], one.status, one.diagnostic)
        if self.complaint:
            for one in self.complaint.recipients:
                yield _report(ReportKind.COMPLAINT, [one.address], "", "")
        if self.delivery:
            for address in self.delivery.recipients:
                yield _report(ReportKind.DELIVERED, [address], "", self.delivery.response)
        if self.delay:
            for one in self.delay.recipients:
                yield _report(ReportKind.DELAYED, [one.address], one.status, one.diagnostic)


def read_sns(body: bytes, topic: str, certificate: Callable[[str], bytes]) -> SnsMessage:
    """A message of an Amazon SNS topic, verified.

    Args:
        body: of the request.
        topic: the one topic whose messages count: anybody may have one of their own, under the same signatures.
        certificate: gives the certificate (PEM) at an address of Amazon's.

    Raises:
        NotSigned: it is of another topic, or not signed by Amazon.
        InvalidInput: it is not what SNS sends.
    """
    said = _parsed(SnsMessage, _json(body, "Amazon SNS"), "Amazon SNS")
    addresses = [said.certificate, *([said.subscribe] if said.asks and said.subscribe else [])]
    if said.topic != topic or said.version != "2" or not all(map(_AMAZON.fullmatch, addresses)):
        raise _not_signed("Amazon SNS")
    try:
        key = load_pem_x509_certificate(certificate(said.certificate)).public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        key.verify(b64decode(said.signature), said.signed(), padding.PKCS1v15(), SHA256())
    except (InvalidSignature, NotBase64, ValueError, AssertionError):
        raise _not_signed("Amazon SNS") from None
    return said


def ses_events(said: SnsMessage) -> list[ProviderEvent]:
    """What a verified notification of Amazon SES says.

    Raises:
        InvalidInput: it is not what SES sends.
    """
    found = _parsed(_SesNotification, _json(said.message.encode(), "Amazon SES"), "Amazon SES")
    message_id = next((one.value for one in found.mail.headers if one.name.lower() == "message-id"), None)
    return [
        ProviderEvent("ses", f"{said.message_id}:{number}", report, message_id, (found.mail.source,), said.signed())
        for number, report in enumerate(found.reports())
    ]


def _report(kind: ReportKind, recipients: list[str], status: str, says: str) -> Report:
    found = _STATUS.search(status) or _STATUS.search(says)
    return Report(
        kind,
        frozenset(address.lower() for address in recipients if address),
        found[1] if found else None,
        clean_line(says)[:LONGEST_WORDS] or None,
    )


def _json(body: bytes, provider: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise _not_theirs(provider) from None


def _parsed(model: type[_P], said: object, provider: str) -> _P:
    try:
        return model.model_validate(said)
    except ValidationError:
        raise _not_theirs(provider) from None


def _not_signed(provider: str) -> NotSigned:
    return NotSigned(
        f"This does not bear the signature of {provider}.", next_step="Compare the key in the settings with theirs."
    )


def _not_theirs(provider: str) -> InvalidInput:
    return InvalidInput(f"This is not what {provider} sends.")
