"""A real IMAP server on loopback (Dovecot, from Debian's packages), with one mailbox."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from mail.bounce_mailbox import ImapServer
from mail.smtp_server import Security
from tests.support.certificates import self_signed
from tests.support.patience import PATIENCE
from tests.support.ports import free_port

PASSWORD = "a-password-of-a-test"

_CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
listen = 127.0.0.1
protocols = imap
mailbox_idle_check_interval = 1 secs
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
mail_location = maildir:{folder}/mail
ssl = yes
ssl_cert = <{folder}/mail.pem
ssl_key = <{folder}/mail.pem
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


@dataclass(frozen=True)
class Dovecot:
    """A server that runs; its mailbox is a folder of files."""

    folder: Path
    port: int
    account: pwd.struct_passwd

    @property
    def server(self) -> ImapServer:
        """How to read the mailbox."""
        return ImapServer(
            host="127.0.0.1",
            port=self.port,
            security=Security.TLS,
            username="bounces",
            password=PASSWORD,
            ca_file=self.folder / "mail.pem",
        )

    def deliver(self, raw: bytes) -> None:
        """Put a message into the mailbox, as the mail server of the same machine does."""
        for name in ("new", "tmp", "cur"):
            self._make(self.folder / "mail" / name)
        unfinished = self.folder / "mail" / "tmp" / uuid4().hex
        unfinished.write_bytes(raw)
        os.chown(unfinished, self.account.pw_uid, self.account.pw_gid)
        unfinished.rename(self.folder / "mail" / "new" / unfinished.name)

    def count(self, folder: str = "") -> int:
        """How many messages there are in the mailbox, or in a folder of it."""
        where = self.folder / "mail" / (f".{folder}" if folder else "")
        return sum(1 for name in ("new", "cur") if (where / name).is_dir() for _ in (where / name).iterdir())

    def _make(self, folder: Path) -> None:
        if not folder.exists():
            folder.mkdir(parents=True)
            for made in (folder, folder.parent):
                os.chown(made, self.account.pw_uid, self.account.pw_gid)


@contextmanager
def dovecot() -> Iterator[Dovecot]:
    """Run a server under an ordinary account."""
    program = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("no Dovecot on this machine")
    account = pwd.getpwuid(os.getuid()) if os.getuid() else pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(prefix="dovecot-") as name:
        folder, port = Path(name), free_port()
        self_signed(folder)
        named = {
            "user": account.pw_name,
            "group": grp.getgrgid(account.pw_gid).gr_name,
            "uid": account.pw_uid,
            "gid": account.pw_gid,
        }
        config = folder / "dovecot.conf"
        config.write_text(_CONFIG.format(folder=folder, port=port, password=PASSWORD, **named))
        for made in (folder, *folder.iterdir()):
            os.chown(made, account.pw_uid, account.pw_gid)
        process = subprocess.Popen(
            [program, "-F", "-c", str(config)],
            cwd=folder,
            user=account.pw_uid if os.getuid() == 0 else None,
            group=account.pw_gid if os.getuid() == 0 else None,
            extra_groups=[] if os.getuid() == 0 else None,
        )
        try:
            _wait_for(port, process, folder / "log")
            yield Dovecot(folder, port, account)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, log.read_text() if log.exists() else "the server did not start"
            time.sleep(0.02)
        else:
            return
    raise AssertionError(log.read_text() if log.exists() else "the server does not listen")
