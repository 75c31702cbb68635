"""A real Postfix as the relay of a test: on loopback, with a configuration and a queue of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mail.smtp_server import Security, SmtpServer
from tests.support.ports import free_port

PROGRAM = shutil.which("postfix", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_postfix = pytest.mark.skipif(
    PROGRAM is None or os.getuid() != 0, reason="no Postfix that this user can start on this machine"
)

SIZE_LIMIT = 20_000

_MAIN = """\
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/log
maillog_file_prefixes = {home}
myhostname = relay.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:{next_port}
smtp_tls_security_level = none
smtp_host_lookup = native
smtpd_recipient_restrictions =
    check_recipient_access inline:{{ {{ full@d.test = 452 4.2.2 Mailbox full }} }}
    check_recipient_access inline:{{ {{ gone@d.test = 550 5.1.1 No such user }} }}
    permit_mynetworks reject
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {certificate}
message_size_limit = {size_limit}
alias_maps =
alias_database =
smtputf8_enable = yes
"""

_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
tlsmgr unix - - n 1000? 1 tlsmgr
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Postfix:
    """A relay that is up."""

    port: int
    certificate: Path
    log: Path

    def server(self, **changes: object) -> SmtpServer:
        """How the engine speaks to it: over STARTTLS, with its certificate known."""
        usual = {
            "host": "127.0.0.1",
            "port": self.port,
            "security": Security.STARTTLS,
            "ca_file": self.certificate,
            "client_name": "localhost",
            "connections": 1,
        }
        return SmtpServer.model_validate(usual | changes)


@asynccontextmanager
async def postfix(certificate: Path, next_port: int) -> AsyncIterator[Postfix]:
    """Start a relay that hands what it takes on to the server at ``next_port``, and stop it."""
    assert PROGRAM is not None
    port = free_port()
    home = _configured(certificate, port, next_port)
    running = await asyncio.create_subprocess_exec(
        PROGRAM, "-c", str(home / "etc"), "start-fg", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        await _until_it_answers(port, running)
        yield Postfix(port, certificate, home / "log")
    finally:
        if running.returncode is None:
            os.kill(int((home / "queue" / "pid" / "master.pid").read_text()), signal.SIGTERM)
        await running.communicate()
        shutil.rmtree(home, ignore_errors=True)  # its processes may still be leaving


def _configured(certificate: Path, port: int, next_port: int) -> Path:
    """A folder with a configuration; not pytest's, since Postfix's own user has to read in it."""
    home = Path(tempfile.mkdtemp(prefix="postfix-"))
    home.chmod(0o755)
    shutil.copy(certificate, home / "mail.pem")
    for folder in ("queue", "data", "etc"):
        (home / folder).mkdir(mode=0o755)
    shutil.chown(home / "data", "postfix")
    main = _MAIN.format(home=home, next_port=next_port, certificate=home / "mail.pem", size_limit=SIZE_LIMIT)
    (home / "etc" / "main.cf").write_text(main)
    (home / "etc" / "master.cf").write_text(_MASTER.format(port=port))
    return home


async def _until_it_answers(port: int, running: asyncio.subprocess.Process) -> None:
    while running.returncode is None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            greeting = await reader.readline()
        except ConnectionError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        assert greeting.startswith(b"220 ")
        return
    assert running.stdout is not None
    raise RuntimeError(f"Postfix does not start: {(await running.stdout.read()).decode()}")
