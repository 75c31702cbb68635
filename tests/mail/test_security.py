"""TLS from the start, TLS after STARTTLS, certificates that are not trusted, and logins, against a real server."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiosmtpd.smtp
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword, Session
from pydantic import SecretStr

from mail.catcher import CatcherHandler, start_catcher
from mail.handover import Accepted, Envelope, MailServerUnavailable
from mail.smtp_connection import introduce
from mail.smtp_server import Security, SmtpServer
from mail.transport import SmtpTransport
from tests.support.certificates import self_signed

RAW = b"Subject: notice\r\n\r\ntext\r\n"
ACCOUNT, PASSWORD = "notices", "correct horse"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"))


@dataclass(frozen=True)
class _SecureServer:
    port: int
    certificate: Path

    def settings(self, security: Security, **changes: object) -> SmtpServer:
        usual = {
            "host": "127.0.0.1",
            "port": self.port,
            "security": security,
            "ca_file": self.certificate,
            "client_name": "localhost",
            "timeout": 10,
        }
        return SmtpServer.model_validate(usual | changes)


def _knows_the_password(_: SMTP, __: Session, ___: aiosmtpd.smtp.Envelope, mechanism: str, given: object) -> AuthResult:
    expected = LoginPassword(ACCOUNT.encode(), PASSWORD.encode())
    return AuthResult(success=given == expected, handled=False)


@asynccontextmanager
async def secure_server(certificate: Path, folder: Path, security: Security) -> AsyncIterator[_SecureServer]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    handler = CatcherHandler(folder)
    server = await loop.create_server(
        lambda: SMTP(
            handler,
            hostname="localhost",
            loop=loop,
            tls_context=tls if security is Security.STARTTLS else None,
            require_starttls=security is Security.STARTTLS,
            authenticator=_knows_the_password,
            auth_required=True,
            auth_require_tls=security is Security.STARTTLS,
        ),
        "127.0.0.1",
        0,
        ssl=tls if security is Security.TLS else None,
    )
    async with server:
        yield _SecureServer(server.sockets[0].getsockname()[1], certificate)


def kept_in(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in folder.iterdir()]


async def send(server: SmtpServer) -> object:
    async with SmtpTransport(server) as transport:
        return await transport.send(RAW, Envelope("notices@provider.test", "security@district.test"))


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
async def test_a_message_is_sent_over_tls_after_a_login(certificate: Path, tmp_path: Path, security: Security) -> None:
    async with secure_server(certificate, tmp_path, security) as server:
        known = server.settings(security, username=ACCOUNT, password=SecretStr(PASSWORD))
        accepted = await send(known)
        assert isinstance(accepted, Accepted)
        assert accepted.tls is not None
        assert accepted.tls.version in ("TLSv1.2", "TLSv1.3")
        assert accepted.tls.cipher
        assert accepted.tls.certificate == "mail.test"
        assert kept_in(tmp_path) == [RAW]

        wrong = server.settings(security, username=ACCOUNT, password=SecretStr("wrong"))
        with pytest.raises(MailServerUnavailable, match=r"refused the login \(535\)") as caught:
            await send(wrong)
        assert "wrong" not in str(caught.value)

        with pytest.raises(MailServerUnavailable, match=r"530 5\.7\.0.*Check the SMTP"):
            await send(server.settings(security))

        with pytest.raises(MailServerUnavailable, match=r"protected connection .* could not be made"):
            await send(server.settings(security, ca_file=None))


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
@pytest.mark.parametrize("broken", [{"address": "127.0.0.2"}, {"ends_in": timedelta(days=-1)}], ids=["name", "expired"])
async def test_a_certificate_of_another_host_or_time_is_not_trusted(
    tmp_path: Path, broken: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    certificate = self_signed(tmp_path_factory.mktemp("tls"), **broken)
    async with secure_server(certificate, tmp_path, Security.STARTTLS) as server:
        with pytest.raises(MailServerUnavailable, match=r"protected connection .* could not be made"):
            await send(server.settings(Security.STARTTLS))


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
async def test_a_certificate_without_a_subject_is_named_by_its_alternative_name(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    certificate = self_signed(tmp_path_factory.mktemp("tls"), common_name=None)
    async with secure_server(certificate, tmp_path, Security.TLS) as server:
        introduced = await introduce(server.settings(Security.TLS, username=ACCOUNT, password=SecretStr(PASSWORD)))
    assert introduced.tls is not None
    assert introduced.tls.certificate == "other.test"
    assert introduced.certificate_ends is not None


async def test_a_server_without_starttls_is_not_spoken_to_in_clear(certificate: Path, tmp_path: Path) -> None:
    catcher = await start_catcher(tmp_path)
    with pytest.raises(MailServerUnavailable, match="Check the SMTP host, port and security"):
        await send(_SecureServer(catcher.port, certificate).settings(Security.STARTTLS))
    await catcher.stop()
    assert kept_in(tmp_path) == []
