"""Which mail server messages are handed to, and how it is spoken to."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from models.loopback import is_loopback


class Security(StrEnum):
    """How the connection is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


Rate = Annotated[float, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]


class SmtpServer(BaseModel):
    """The mail server that notices are handed to, and how to speak to it.

    Attributes:
        username: the account to log in with; None to send without logging in.
        ca_file: certificate authorities to trust besides the system's (PEM).
        client_name: what to call this machine in EHLO; None for its own name.
        connections: how many connections are kept; each carries one message at a time.
        rate: how many messages begin in a second, at most; None for as many as the connections carry.
        domain_connections: how many messages are on their way to one recipients' domain at a time; None for half as
            many as there are connections, so that a slow one leaves the other half to the others.
        domain_rate: how many messages begin to one such domain in a minute, at most; None for no limit.
        timeout: how long to wait for a connection or for the answer to a command, in seconds.
        data_timeout: how long to wait for the answer to a message's content, in seconds. RFC 5321, 4.5.3.2.6 asks
            for ten minutes: a shorter wait turns slow deliveries into unknown ones, which are sent twice.
        patience: how long the answer to a message's content may take before the connection gives its place to another,
            in seconds.
        waiting: how many connections may wait for such an answer, besides those in their places.
        idle_limit: a connection unused for longer is made anew, since servers and firewalls drop idle ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65535)
    security: Security = Security.STARTTLS
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    client_name: str | None = None
    connections: int = Field(default=4, ge=1, le=100)
    rate: Rate | None = None
    domain_connections: int | None = Field(default=None, ge=1)
    domain_rate: Rate | None = None
    timeout: Seconds = 30
    data_timeout: Seconds = 600
    patience: Seconds = 10
    waiting: int = Field(default=16, ge=0, le=256)
    idle_limit: Seconds = 60

    @model_validator(mode="after")
    def _is_protected(self) -> Self:
        if self.security is Security.NONE and not is_loopback(self.host):
            raise ValueError("mail would travel unprotected beyond this machine; set security to starttls or tls")
        return self

    @property
    def where(self) -> str:
        """The server as errors name it."""
        return f"mail server {self.host}:{self.port}"
