"""One message, and the settings by which it is handed to a server of the tests."""

from __future__ import annotations

from mail.handover import Envelope
from mail.smtp_server import Security, SmtpServer

IMPATIENT = {"timeout": 1, "data_timeout": 1}
"""How long a silence is waited for; on a busy machine what does come needs a moment as well."""

SENDER = "notices@provider.test"
RECIPIENT = "security@district.example.org"
ENVELOPE = Envelope(SENDER, RECIPIENT)
RAW = b"Subject: notice\r\n\r\n.a line that starts with a dot\r\n"


def server_at(port: int, **changes: object) -> SmtpServer:
    settings = {"host": "127.0.0.1", "port": port, "security": Security.NONE, "client_name": "localhost"}
    return SmtpServer.model_validate(settings | {"connections": 1, "timeout": 10, "data_timeout": 10} | changes)
