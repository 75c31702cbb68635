"""The mailbox that notices return to, read over IMAP (RFC 9051), with IDLE (RFC 2177) where the server has it.

A message is moved out of the folder once it is recorded, and not before: what was read by a process that was killed is
read again, and is recorded once. IMAPClient speaks the protocol; it blocks, so each call is made in a thread.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from mail.reports import LARGEST_REPORT
from mail.smtp_server import Security
from models.errors import Unavailable

RECORDED, NOT_OURS = "Recorded", "Not ours"
"""The folders beside the one that is read: of what was recorded, and of what a person may want to look at."""

BROKEN = (IMAPClientError, OSError, ssl.SSLError)
"""What a broken connection, or a server that answers otherwise than it should, raises."""

_A_CALL = 100
_PART = f"BODY.PEEK[]<0.{LARGEST_REPORT}>"


class ImapServer(BaseModel):
    """The IMAP server that the mailbox is on.

    Attributes:
        folder: which folder of the mailbox is read.
        ca_file: certificate authorities to trust besides the system's (PEM).
        timeout: how long to wait for a connection or an answer, in seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str
    port: int = 993
    security: Security = Security.TLS
    username: str
    password: SecretStr
    folder: str = "INBOX"
    ca_file: Path | None = None
    timeout: float = Field(default=30, gt=0)


class BounceMailbox:
    """An open connection to the mailbox."""

    def __init__(self, server: ImapServer, client: IMAPClient) -> None:
        self._client = client
        self._beside = self._folder_names()
        self.can_idle: bool = client.has_capability("IDLE")
        client.select_folder(server.folder)

    @classmethod
    def open(cls, server: ImapServer) -> Self:
        """Connect, sign in, and open the folder.

        Raises:
            Unavailable: the server cannot be used at present, or refuses the login.
        """
        context = ssl.create_default_context(cafile=str(server.ca_file) if server.ca_file else None)
        try:
            client = IMAPClient(
                server.host,
                server.port,
                ssl=server.security is Security.TLS,
                ssl_context=context if server.security is Security.TLS else None,
                timeout=SocketTimeout(connect=server.timeout, read=server.timeout),
            )
            if server.security is Security.STARTTLS:
                client.starttls(context)
            client.login(server.username, server.password.get_secret_value())
            return cls(server, client)
        except BROKEN as error:
            raise Unavailable(
                f"The mailbox that notices return to cannot be read ({type(error).__name__}).",
                where=f"IMAP server {server.host}:{server.port}",
                next_step="Check its address, security, user and password in the settings.",
            ) from None

    def waiting(self) -> Sequence[int]:
        """The messages in the folder, by their UIDs, the oldest first, some at a time."""
        self._client.noop()  # so that what came since is seen
        found: list[int] = sorted(self._client.search(["UNDELETED"]))
        return found[:_A_CALL]

    def fetch(self, uid: int) -> bytes:
        """The message, as far as a report is read; nothing is marked as seen. One that is gone is empty."""
        answer = self._client.fetch([uid], [_PART])
        raw: object = answer.get(uid, {}).get(b"BODY[]<0>", b"")
        return raw if isinstance(raw, bytes) else b""

    def put_away(self, uid: int, *, ours: bool) -> None:
        """Move a message to one of the folders beside."""
        folder = self._beside[ours]
        if not self._client.folder_exists(folder):
            self._client.create_folder(folder)
        if self._client.has_capability("MOVE"):
            self._client.move([uid], folder)
            return
        self._client.copy([uid], folder)
        self._client.delete_messages([uid], silent=True)
        self._client.expunge([uid] if self._client.has_capability("UIDPLUS") else None)

    def begin_idle(self) -> None:
        """Have the server tell of what comes."""
        self._client.idle()

    def heard(self, seconds: float) -> bool:
        """Whether the server told of anything within so many seconds."""
        return bool(self._client.idle_check(timeout=seconds))

    def end_idle(self) -> None:
        """Have the server tell no more."""
        self._client.idle_done()

    def close(self) -> None:
        """Take leave of the server."""
        with suppress(*BROKEN):
            self._client.logout()
        with suppress(*BROKEN):
            self._client.shutdown()

    def _folder_names(self) -> dict[bool, str]:
        """The names of the folders beside, in the person's own part of the mailbox (RFC 2342)."""
        prefix = ""
        if self._client.has_capability("NAMESPACE") and (personal := self._client.namespace().personal):
            prefix = str(personal[0][0] or "")
        return {True: f"{prefix}{RECORDED}", False: f"{prefix}{NOT_OURS}"}
