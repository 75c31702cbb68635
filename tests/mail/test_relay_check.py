"""What a mail server says of itself is told in sentences, with what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from mail.findings import Finding, Level
from mail.handover import TlsSession
from mail.relay_check import check_relay
from mail.smtp_connection import Introduction
from mail.smtp_server import SmtpServer

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
SERVER = SmtpServer(host="mail.example.org", port=587)


def look(
    *,
    version: str = "TLSv1.3",
    ends_in: int = 90,
    extensions: dict[str, str] | None = None,
    logins: tuple[str, ...] = (),
    server: SmtpServer = SERVER,
) -> dict[str, Finding]:
    tls = TlsSession(version, "TLS_AES_256_GCM_SHA384", "mail.example.org")
    found = Introduction("192.0.2.1", extensions or {}, logins, tls, NOW + timedelta(days=ends_in))
    return {one.about: one for one in check_relay(server, found, NOW)}


def test_a_modern_server_with_a_fresh_certificate_is_good() -> None:
    found = look()
    assert (found["TLS"].level, found["certificate"].level) == (Level.GOOD, Level.GOOD)
    assert found["certificate"].says.endswith("names mail.example.org and is valid until 2027-01-30.")


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1.1"])
def test_old_tls_has_to_go(version: str) -> None:
    """RFC 8996."""
    assert look(version=version)["TLS"].level is Level.PROBLEM


def test_a_certificate_that_ends_within_a_month_has_to_be_renewed() -> None:
    found = look(ends_in=29)["certificate"]
    assert found.level is Level.PROBLEM
    assert found.do == "Have it renewed: without a valid one no mail leaves."


def test_what_is_not_offered_is_said_with_what_it_means() -> None:
    missing, offered = look(), look(extensions={"dsn": "", "pipelining": "", "smtputf8": "", "size": "1000"})
    for name in ("DSN", "PIPELINING", "SMTPUTF8"):
        assert (missing[name].level, offered[name].level) == (Level.NOTE, Level.GOOD)
        assert missing[name].says != offered[name].says
    assert offered["SIZE"].says == "It takes messages of up to 1,000 bytes (RFC 1870)."


def test_a_login_that_is_offered_and_not_set_is_pointed_out() -> None:
    assert look(logins=("plain",))["login"].do
    known = SERVER.model_copy(update={"username": "notices", "password": SecretStr("x")})
    assert look(logins=("plain",), server=known)["login"].level is Level.GOOD
