"""What comes back, in the shapes in which mail systems write it; written for the tests: it is nobody's real mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.enums import ReportKind

READER = "privacy@district.example.org"
NOBODY = "bounces@example.test"


@dataclass(frozen=True)
class Shape:
    """One system's way of saying what became of a message."""

    name: str
    text: str
    kind: ReportKind
    status: str | None
    says: str

    def to(self, address: str, recipient: str = READER) -> bytes:
        """The message as it comes to a return path, about a recipient."""
        return self.text.replace(NOBODY, address).replace(READER, recipient).replace("\n", "\r\n").encode()


def dsn(
    action: str = "failed",
    status: str = "5.1.1",
    said: str = "550 5.1.1 No such mailbox",
    *,
    to: str = NOBODY,
    recipients: Sequence[str] = (READER,),
    original: str | None = None,
    envelope_id: str | None = None,
    message_id: str = "1@mx.district.example.org",
) -> bytes:
    """A delivery status notification (RFC 3464) as its text prescribes it."""
    named = "\n".join(
        f"\nFinal-Recipient: rfc822; {recipient}\n"
        + (f"Original-Recipient: rfc822;{original}\n" if original else "")
        + f"Action: {action}\nStatus: {status}\nRemote-MTA: dns; mx.district.example.org\nDiagnostic-Code: smtp; {said}"
        for recipient in recipients
    )
    envelope = f"Original-Envelope-Id: {envelope_id}\n" if envelope_id else ""
    return f"""Return-Path: <>
From: Mail Delivery System <MAILER-DAEMON@mx.district.example.org>
To: {to}
Subject: Delivery Status Notification
Message-ID: <{message_id}>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_part"

--=_part
Content-Type: text/plain

This is what became of your message.

--=_part
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.district.example.org
{envelope}{named}

--=_part
Content-Type: text/rfc822-headers

Subject: Notice
Message-ID: <0@example.test>

--=_part--
""".replace("\n", "\r\n").encode()


_POSTFIX = """Return-Path: <>
Received: by mail.example.test (Postfix) id 4C1; Mon, 2 Nov 2026 10:00:00 +0000 (UTC)
Date: Mon, 2 Nov 2026 10:00:00 +0000 (UTC)
From: MAILER-DAEMON@mail.example.test (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: bounces@example.test
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
	boundary="4C0.1793613600/mail.example.test"
Message-Id: <20261102100000.4C1@mail.example.test>

--4C0.1793613600/mail.example.test
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mail.example.test.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

<privacy@district.example.org>: host mx.district.example.org[192.0.2.1] said: 550 5.1.1
    <privacy@district.example.org>: Recipient address rejected: User unknown (in reply to
    RCPT TO command)

--4C0.1793613600/mail.example.test
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.test
Original-Envelope-Id: abc
X-Postfix-Queue-ID: 4C0
X-Postfix-Sender: rfc822; bounces@example.test
Arrival-Date: Mon,  2 Nov 2026 09:59:59 +0000 (UTC)

Final-Recipient: rfc822; privacy@district.example.org
Original-Recipient: rfc822;privacy@district.example.org
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.district.example.org
Diagnostic-Code: smtp; 550 5.1.1 <privacy@district.example.org>: Recipient address
    rejected: User unknown

--4C0.1793613600/mail.example.test
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

Subject: Notice

--4C0.1793613600/mail.example.test--
"""

_USER_UNKNOWN = (
    "Diagnostic-Code: smtp; 550 5.1.1 <privacy@district.example.org>: Recipient address\n    rejected: User unknown"
)

_POSTFIX_DELAY = (
    _POSTFIX.replace("Undelivered Mail Returned to Sender", "Delayed Mail (still being retried)")
    .replace("Action: failed\nStatus: 5.1.1", "Action: delayed\nStatus: 4.4.1")
    .replace(
        _USER_UNKNOWN,
        "Diagnostic-Code: X-Postfix; connect to mx.district.example.org[192.0.2.1]:25: Connection timed\n    out",
    )
)

_POSTFIX_DELIVERED = (
    _POSTFIX.replace("Undelivered Mail Returned to Sender", "Successful Mail Delivery Report")
    .replace("Action: failed\nStatus: 5.1.1", "Action: relayed\nStatus: 2.0.0")
    .replace(
        _USER_UNKNOWN,
        "Diagnostic-Code: smtp; 250 2.0.0 OK",
    )
)

_EXIM_TEXT = """Return-path: <>
Envelope-to: bounces@example.test
X-Failed-Recipients: privacy@district.example.org
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mail.example.test>
To: bounces@example.test
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1-0000-XY@mail.example.test>

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  privacy@district.example.org
    host mx.district.example.org [192.0.2.1]
    SMTP error from remote mail server after RCPT TO:<privacy@district.example.org>:
    550 5.2.1 The mailbox is disabled
"""

_EXCHANGE = """From: <postmaster@district.example.org>
To: bounces@example.test
Date: Mon, 2 Nov 2026 10:00:00 +0000
Content-Type: multipart/report; report-type=delivery-status;
	boundary="c5ffba3c-4a0c-4e5b-9a51-7f0b6d5d7e11"
Content-Language: en-US
Message-ID: <a1@AM0.district.example.org>
X-MS-Exchange-Message-Is-Ndr:
X-MS-Exchange-Organization-SCL: -1
Subject: Undeliverable: Notice
MIME-Version: 1.0

--c5ffba3c-4a0c-4e5b-9a51-7f0b6d5d7e11
Content-Type: multipart/alternative; differences=Content-Type;
	boundary="inner"

--inner
Content-Type: text/plain; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

[http://products.example.test/logo]
Your message to privacy@district.example.org couldn't be delivered.
privacy wasn't found at district.example.org.

--inner--

--c5ffba3c-4a0c-4e5b-9a51-7f0b6d5d7e11
Content-Type: message/delivery-status

Reporting-MTA: dns;AM0.district.example.org
Received-From-MTA: dns;mail.example.test
Arrival-Date: Mon, 2 Nov 2026 09:59:59 +0000

Original-Recipient: rfc822;privacy@district.example.org
Final-Recipient: rfc822;privacy@district.example.org
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup
X-Display-Name: privacy

--c5ffba3c-4a0c-4e5b-9a51-7f0b6d5d7e11
Content-Type: message/rfc822

Subject: Notice

The notice.

--c5ffba3c-4a0c-4e5b-9a51-7f0b6d5d7e11--
"""

_GMAIL = """Return-Path: <>
From: Mail Delivery Subsystem <mailer-daemon@googlemail.example.test>
To: bounces@example.test
Auto-Submitted: auto-replied
Subject: Delivery Status Notification (Failure)
References: <0@example.test>
Message-ID: <68f.gm@mx.example.test>
Content-Type: multipart/report; boundary="00000000000064"; report-type=delivery-status

--00000000000064
Content-Type: multipart/related; boundary="00000000000065"

--00000000000065
Content-Type: text/plain; charset="UTF-8"


** Message blocked **

Your message to privacy@district.example.org has been blocked.

--00000000000065--
--00000000000064
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.example.test
Arrival-Date: Mon, 02 Nov 2026 02:00:00 -0800 (PST)
X-Original-Message-ID: <0@example.test>

Final-Recipient: rfc822; privacy@district.example.org
Action: failed
Status: 5.7.1
Remote-MTA: dns; mx.district.example.org. (192.0.2.1, the server for the
 domain district.example.org.)
Diagnostic-Code: smtp; 550-5.7.1 This message is refused by the policy
 550 5.7.1 of the district
Last-Attempt-Date: Mon, 02 Nov 2026 02:00:01 -0800 (PST)

--00000000000064
Content-Type: message/rfc822

Subject: Notice

--00000000000064--
"""

_SES = """From: MAILER-DAEMON@eu-west-1.amazonses.example.test
To: bounces@example.test
Subject: Delivery Status Notification (Failure)
Message-ID: <0102-ses@eu-west-1.amazonses.example.test>
Content-Type: multipart/report; report-type=delivery-status; boundary="----=_Part_1"

------=_Part_1
Content-Type: text/plain; charset=us-ascii

An error occurred while trying to deliver the mail to the following recipients:
privacy@district.example.org

------=_Part_1
Content-Type: message/delivery-status

Reporting-MTA: dns; a7-1.smtp-out.eu-west-1.amazonses.example.test

Action: failed
Final-Recipient: rfc822; privacy@district.example.org
Diagnostic-Code: smtp; 550 5.4.1 Recipient address rejected: Access denied.
Status: 5.4.1

------=_Part_1--
"""

_SENDMAIL = """From: Mail Delivery Subsystem <MAILER-DAEMON@mail.example.test>
To: <bounces@example.test>
Auto-Submitted: auto-generated (failure)
Subject: Returned mail: see transcript for details
Message-Id: <202611021000.xA2@mail.example.test>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
	boundary="xA2.1793613600/mail.example.test"

This is a MIME-encapsulated message

--xA2.1793613600/mail.example.test

The original message was received at Mon, 2 Nov 2026 10:00:00 GMT

   ----- The following addresses had permanent fatal errors -----
<privacy@district.example.org>
    (reason: 552 5.2.2 Mailbox full)

--xA2.1793613600/mail.example.test
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.test
Received-From-MTA: DNS; app.example.test
Arrival-Date: Mon, 2 Nov 2026 10:00:00 GMT

Final-Recipient: RFC822; privacy@district.example.org
Action: failed
Status: 5.2.2
Remote-MTA: DNS; mx.district.example.org
Diagnostic-Code: SMTP; 552 5.2.2 Mailbox full
Last-Attempt-Date: Mon, 2 Nov 2026 10:00:01 GMT

--xA2.1793613600/mail.example.test--
"""

_FILTER = """From: "Mail Delivery System" <mailer-daemon@filter.district.example.org>
To: bounces@example.test
Subject: [Postmaster] Email Delivery Failure
Message-Id: <filter-1@filter.district.example.org>
Auto-Submitted: auto-generated
Content-Type: multipart/report; report-type=delivery-status; boundary="MCBoundary=_1"

--MCBoundary=_1
Content-Type: text/html; charset=utf-8

<p>Your message was not delivered.</p>

--MCBoundary=_1
Content-Type: message/delivery-status

Reporting-MTA: dns; filter.district.example.org

Original-Recipient: rfc822; privacy@district.example.org
Final-Recipient: rfc822; office@mailstore.district.example.org
Action: FAILED
Status: 5.0.0
Diagnostic-Code: smtp; 554 Email rejected due to security policies

--MCBoundary=_1--
"""

_QMAIL = """Return-Path: <>
From: MAILER-DAEMON@mail.example.test
To: bounces@example.test
Subject: failure notice
Message-ID: <qmail-1@mail.example.test>

Hi. This is the qmail-send program at mail.example.test.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<privacy@district.example.org>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.1.1 No such user
Giving up on 192.0.2.1.

--- Below this line is a copy of the message.
"""

_COMPLAINT = """From: <abuse-reports@provider.example.org>
To: bounces@example.test
Subject: FW: Notice
Message-ID: <arf-1@provider.example.org>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="part1"

--part1
Content-Type: text/plain

This is an email abuse report.

--part1
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Example/1.0
Version: 1
Original-Mail-From: <bounces@example.test>
Original-Rcpt-To: <privacy@district.example.org>

--part1
Content-Type: message/rfc822

Subject: Notice

--part1--
"""

_OUT_OF_OFFICE = """From: Pat Example <privacy@district.example.org>
To: bounces@example.test
Subject: Automatic reply: Notice
Message-ID: <oof-1@district.example.org>
Auto-Submitted: auto-replied
X-Auto-Response-Suppress: All
Content-Type: text/plain

I am away until Monday. In urgent cases write to office@district.example.org.
"""

_PERSON = """From: Pat Example <privacy@district.example.org>
To: bounces@example.test
Subject: Re: Notice
Message-ID: <person-1@district.example.org>
Content-Type: text/plain

Thank you, we have it.
"""

SHAPES = (
    Shape("Postfix", _POSTFIX, ReportKind.FAILED, "5.1.1", "User unknown"),
    Shape("Postfix, delayed", _POSTFIX_DELAY, ReportKind.DELAYED, "4.4.1", "Connection timed out"),
    Shape("Postfix, relayed", _POSTFIX_DELIVERED, ReportKind.RELAYED, "2.0.0", "250 2.0.0 OK"),
    Shape("Exim, text alone", _EXIM_TEXT, ReportKind.FAILED, "5.2.1", "The mailbox is disabled"),
    Shape("Exchange and Office 365", _EXCHANGE, ReportKind.FAILED, "5.1.10", "Recipient not found"),
    Shape("Gmail", _GMAIL, ReportKind.FAILED, "5.7.1", "refused by the policy"),
    Shape("Amazon SES", _SES, ReportKind.FAILED, "5.4.1", "Access denied"),
    Shape("Sendmail", _SENDMAIL, ReportKind.FAILED, "5.2.2", "Mailbox full"),
    Shape("a filter before the mailbox", _FILTER, ReportKind.FAILED, "5.0.0", "security policies"),
    Shape("qmail", _QMAIL, ReportKind.FAILED, "5.1.1", "No such user"),
    Shape("a complaint", _COMPLAINT, ReportKind.COMPLAINT, None, ""),
    Shape("out of office", _OUT_OF_OFFICE, ReportKind.AUTO_REPLY, None, "Automatic reply: Notice"),
    Shape("a person", _PERSON, ReportKind.UNCLEAR, None, "Thank you, we have it."),
)
