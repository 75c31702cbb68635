"""What the mail server offers, and what that means for notices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from mail.findings import Finding, Level
from mail.smtp_connection import Introduction
from mail.smtp_server import SmtpServer

_ENDS_SOON = timedelta(days=30)
_MODERN = frozenset({"TLSv1.2", "TLSv1.3"})
"""What RFC 8996 has left of TLS."""

_EXTENSIONS = {
    "dsn": (
        "DSN",
        "It reports what becomes of each message (RFC 3461).",
        "It does not report what becomes of a message, so only a bounce tells that one did not arrive.",
    ),
    "pipelining": (
        "PIPELINING",
        "It takes several commands in one write (RFC 2920).",
        "It takes one command at a time, so many notices take two to three times as long.",
    ),
    "smtputf8": (
        "SMTPUTF8",
        "It takes internationalised addresses (RFC 6531).",
        "It takes no address whose part before the @ is not plain ASCII; whoever has such an address cannot be told.",
    ),
}
"""Each extension that matters: its name, what it means that it is offered, and that it is not."""


def check_relay(server: SmtpServer, found: Introduction, now: datetime) -> list[Finding]:
    """What the server's introduction means."""
    return [
        Finding("server", Level.GOOD, f"The {server.where} answers."),
        *_protection(found, now),
        _login(server, found),
        *_extensions(found),
        _size(found),
    ]


def _protection(found: Introduction, now: datetime) -> Iterator[Finding]:
    if found.tls is None:
        yield Finding("TLS", Level.NOTE, "The connection is not encrypted; it does not leave this machine.")
        return
    modern = found.tls.version in _MODERN
    yield Finding(
        "TLS",
        Level.GOOD if modern else Level.PROBLEM,
        f"The connection is protected by {found.tls.version} ({found.tls.cipher}).",
        None if modern else "Have TLS 1.2 or newer switched on at the mail server.",
    )
    ends = found.certificate_ends
    soon = ends is not None and ends - now < _ENDS_SOON
    until = f" and is valid until {ends.astimezone(UTC):%Y-%m-%d}" if ends else ""
    yield Finding(
        "certificate",
        Level.PROBLEM if soon else Level.GOOD,
        f"The server's certificate is trusted, names {found.tls.certificate or 'this host'}{until}.",
        "Have it renewed: without a valid one no mail leaves." if soon else None,
    )


def _login(server: SmtpServer, found: Introduction) -> Finding:
    offered = ", ".join(found.logins)
    if server.username:
        return Finding("login", Level.GOOD, f"It takes the login as {server.username}.")
    if offered:
        return Finding(
            "login",
            Level.NOTE,
            f"It offers to log in ({offered}), and no user name is set.",
            "Set DUENOTICE_SMTP__USERNAME and DUENOTICE_SMTP__PASSWORD if it takes mail only after a login.",
        )
    return Finding("login", Level.GOOD, "It asks for no login.")


def _extensions(found: Introduction) -> Iterator[Finding]:
    for extension, (name, offered, missing) in _EXTENSIONS.items():
        is_offered = extension in found.extensions
        yield Finding(name, Level.GOOD if is_offered else Level.NOTE, offered if is_offered else missing)


def _size(found: Introduction) -> Finding:
    limit = found.extensions.get("size", "")
    if limit.isdecimal() and int(limit):
        return Finding("SIZE", Level.GOOD, f"It takes messages of up to {int(limit):,} bytes (RFC 1870).")
    return Finding("SIZE", Level.GOOD, "It names no limit for the size of a message.")
