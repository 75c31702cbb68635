"""Every choice an installation makes, read from the environment once, at start.

``DUENOTICE_HOME`` sets ``home``, ``DUENOTICE_SMTP__HOST`` sets ``smtp.host``, and so on. Where Temporal is comes from
Temporal's own variables (``TEMPORAL_ADDRESS``, ``TEMPORAL_NAMESPACE``, ``TEMPORAL_TLS…``, ``TEMPORAL_API_KEY``).
"""

from __future__ import annotations

import difflib
import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.service import TLSConfig

from models.defaults import Defaults
from models.enums import Party
from models.errors import ConfigurationError
from models.loopback import is_loopback

PREFIX = "DUENOTICE_"

MOST_DAYS = 3_660
MOST_HOURS = 24 * 366
MOST_MINUTES = 60 * MOST_HOURS
MOST_SECONDS = 3_600
MOST_RATE = 100_000
"""How large a number of each unit may be: beyond that it is a slip, and no clock could count it."""


def _shaped(pattern: str, says: str) -> AfterValidator:
    """Refuse text that does not match, with a sentence instead of a regular expression."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(says)
        return text

    return AfterValidator(check)


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("it must name a time zone, such as America/New_York")
    return name


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        raise ValueError("it must list addresses or networks, such as 10.0.0.5 or 10.0.0.0/24") from None
    return text


def _origin(text: str) -> str:
    try:
        found = urlsplit(text)
        sound = bool(found.hostname) and found.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("it must be scheme and host without a path, such as https://example.org")
    return text


def _named(path: Path) -> Path:
    if not path.name.isprintable():
        raise ValueError("it must be one line, since it names a file")
    return path


def _present(path: Path) -> Path:
    """The path of a file that is there; said at start, and not when it is first needed."""
    try:
        there = path.is_file()
    except OSError:
        there = False
    if not there:
        raise ValueError("there is no such file")
    return path


_Line = Annotated[
    str, _shaped(r"[^\r\n]*\S[^\r\n]*", "it must be one line of text, since it goes into message headers")
]
_Host = Annotated[str, _shaped(r"[^\s/@]+", "it must be a host's name or address, such as mail.example.org")]
_Named = Annotated[Path, AfterValidator(_named)]
_Present = Annotated[Path, AfterValidator(_present)]
_Url = Annotated[str, _shaped(r"https?://[^\s/]+(/\S*)?", "it must be an address, such as https://tsa.example.org/")]
_Address = Annotated[
    str, _shaped(r"[^@\s<>,;:\"]+@[^@\s<>,;:\"]+", "it must be a bare e-mail address, such as privacy@example.org")
]
_Domain = Annotated[str, _shaped(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", "it must be a domain, such as example.org")]
_Origin = Annotated[
    str,
    _shaped(r"https?://[^/?#\s]+", "it must be scheme and host without a path, such as https://example.org"),
    AfterValidator(_origin),
]


_Issuer = Annotated[
    str,
    _shaped(
        r"https://[^?#\s]+|http://(localhost|127\.0\.0\.1)(:\d+)?(/[^?#\s]*)?",
        "it must be an address on https, such as https://login.example.org, or one of this machine",
    ),
]


_Endpoint = Annotated[
    str, _shaped(r"https?://[^/?#\s@]+", "it must be scheme and host, such as https://s3.example.org")
]
_BUCKET_SAYS = "it must be a bucket's name: 3 to 63 small letters, digits, dots and hyphens"
_PREFIX_SAYS = "it must be a name, such as duenotice, or several with slashes between them"

_LMTP_SAYS = "it must be a loopback address with a port, such as 127.0.0.1:2424, or the path of a socket"

LONGEST_RETURN_NAME = 15
"""How much of the 64 octets of a local part (RFC 5321, 4.5.3.1.1) the token of a return path and its ``+`` leave."""


class _Part(BaseModel):
    """One group of settings; a misspelt one is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Smtp(_Part):
    """The mail server that notices go out by. Without a host, the local environment uses its own mail catcher."""

    host: _Host | None = None
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["none", "starttls", "tls"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    sender_address: _Address = "notices@provider.example.org"
    message_id_domain: _Domain = "duenotice.example.org"
    timeout_seconds: float = Field(default=30, gt=0, le=MOST_SECONDS)
    answer_seconds: float = Field(default=600, gt=0, le=MOST_SECONDS)
    """How long to wait for the answer to a message once it was given: RFC 5321, 4.5.3.2.6 asks for ten minutes."""
    ca_file: _Present | None = None
    """Certificate authorities to trust besides the system's (PEM), as for a mail server of one's own."""

    connections: int = Field(default=8, ge=1, le=100)
    """How many messages are handed over at the same time, by each worker."""
    patience_seconds: float = Field(default=10, gt=0, le=MOST_SECONDS)
    """After how long without an answer a connection no longer counts among these, so that the others go on."""
    waiting_connections: int = Field(default=16, ge=0, le=256)
    """How many connections may wait for such an answer besides."""
    messages_per_second: float | None = Field(default=None, gt=0, le=MOST_RATE)
    """How many messages the mail server is given in a second, at most; without one, as many as it takes."""
    domain_connections: int | None = Field(default=None, ge=1, le=100)
    """How many of them go to one domain at the same time; without one, half of the connections."""
    domain_messages_per_minute: float | None = Field(default=None, gt=0, le=MOST_RATE)
    """How many messages go to one domain in a minute, at most."""

    @model_validator(mode="after")
    def _is_whole_and_private(self) -> Smtp:
        if (self.username is None) != (self.password is None):
            raise ValueError("a user name and a password are set together or not at all")
        if self.password is not None and self.security == "none":
            raise ValueError("a password is never sent without encryption; set security to starttls or tls")
        if self.host is not None and self.security == "none" and not is_loopback(self.host):
            raise ValueError(
                "notices never leave this machine without encryption; set security to starttls or tls, "
                "or hand them to a mail server on this machine"
            )
        return self


def _host_and_port(text: str) -> str:
    try:
        found = urlsplit(f"//{text}")
        sound = found.netloc == text and bool(found.hostname) and bool(found.port)
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("it must be an address of this machine with a port, such as 127.0.0.1:9464")
    return text


class Metrics(_Part):
    """What a monitor may read; nothing of it names a person (``docs/health.md``).

    With ``token`` it reads what the web knows, at ``/metrics`` and ``/readyz``. ``worker_address`` is where the worker
    shows what Temporal's SDK counts; each further worker process shows its own on the next port. Nobody is asked who
    he is there, so it belongs on loopback or on a network of one's own.
    """

    token: SecretStr | None = Field(default=None, min_length=20)
    worker_address: Annotated[str, AfterValidator(_host_and_port)] | None = None


class Bounces(_Part):
    """Where what comes back about notices is read; without an address, nothing is.

    ``address`` is where notices return to, as ``bounces@example.org``: mail for ``bounces+ANYTHING@example.org`` has to
    arrive at the mailbox (``imap_…``), or be handed over by the local mail server (``lmtp``: a loopback address such as
    ``127.0.0.1:2424``, or the path of a socket). Providers that send events instead sign them: SendGrid with a key of
    which the public half is given, Mailgun with a shared one, Amazon SES through one SNS topic, whose certificate is
    fetched from Amazon unless a file holds it.
    """

    address: _Address | None = None
    imap_host: _Host | None = None
    imap_port: int = Field(default=993, ge=1, le=65535)
    imap_security: Literal["none", "starttls", "tls"] = "tls"
    imap_ca_file: _Present | None = None
    imap_username: str = ""
    imap_password: SecretStr = SecretStr("")
    imap_folder: str = "INBOX"
    lmtp: Annotated[str, _shaped(r"(127\.0\.0\.1|localhost):\d{1,5}|/.+", _LMTP_SAYS)] | None = None
    sendgrid_public_key: str | None = None
    mailgun_signing_key: SecretStr | None = None
    ses_topic: str | None = None
    ses_certificate: _Present | None = None

    @model_validator(mode="after")
    def _fits(self) -> Bounces:
        if self.address is None and (self.imap_host or self.lmtp):
            raise ValueError("what is read from a mailbox or by LMTP came to an address: give that")
        if self.address and len(self.address.partition("@")[0]) > LONGEST_RETURN_NAME:
            raise ValueError(f"before its @ the address has at most {LONGEST_RETURN_NAME} characters, as tokens follow")
        if self.imap_host and self.imap_security == "none" and not is_loopback(self.imap_host):
            raise ValueError("a password is never sent without encryption; set imap_security to starttls or tls")
        return self


class ArtifactStore(_Part):
    """Where larger artifacts are kept once they are recorded; without a folder or a bucket, in the database.

    ``directory`` is a folder that is there, as on another disk. ``bucket`` is one of Amazon S3 in its ``region``, or of
    what speaks its language at ``endpoint``; below ``prefix``, which is this installation's alone. Without keys, the
    machine's own role signs, where Amazon gives it one. See ``docs/artifacts.md``.
    """

    directory: _Named | None = None
    bucket: Annotated[str, _shaped(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", _BUCKET_SAYS)] | None = None
    endpoint: _Endpoint | None = None
    region: Annotated[str, _shaped(r"[a-z0-9-]{1,40}", "it must be a region, such as us-east-1")] = "us-east-1"
    prefix: Annotated[str, _shaped(r"[A-Za-z0-9_-]{1,60}(/[A-Za-z0-9_-]{1,60}){0,4}", _PREFIX_SAYS)] = "duenotice"
    access_key_id: _Line | None = None
    secret_access_key: SecretStr | None = None
    secret_access_key_file: _Present | None = None
    """The secret key in a file instead, as containers are given secrets; nobody else may read it."""
    virtual_hosted: bool = False
    """Whether the bucket's name stands in the host, as some providers want; the endpoint then begins with it."""
    ca_file: _Present | None = None
    """Certificate authorities to trust besides the system's (PEM), as for a server of one's own."""
    timeout_seconds: float = Field(default=30, gt=0, le=MOST_SECONDS)
    """How long one request may take; it is tried again twice within that time."""
    at_least_bytes: int = Field(default=4096, ge=0, le=2**26)
    """What takes less room than this, packed and sealed, stays in the database, where pages read it at once."""

    @field_validator("directory")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().absolute()

    @model_validator(mode="after")
    def _is_one_and_whole(self) -> ArtifactStore:
        if self.directory and self.bucket:
            raise ValueError("artifacts are kept in a directory or in a bucket, not in both")
        secrets = [secret for secret in (self.secret_access_key, self.secret_access_key_file) if secret is not None]
        if len(secrets) != (0 if self.access_key_id is None else 1):
            raise ValueError("an access key id takes a secret access key, given once: itself, or a file with it")
        if self.bucket is None and (self.endpoint or self.access_key_id):
            raise ValueError("an endpoint and keys are for a bucket: name it")
        return self


class Limits(_Part):
    """What strangers, on whose connection nobody is signed in, may take of the web.

    ``strangers`` of the ``connections`` are theirs at most, and ``address_connections`` of one address, unless it is a
    proxy's. For one more, the one that has been open for longest makes room; one on which a request is being answered
    stays.
    """

    connections: int = Field(default=512, ge=32, le=10_000)
    """How many connections are open at the same time, at most."""
    strangers: int = Field(default=256, ge=16, le=9_000)
    """How many of them are strangers'; the others are left for people who are signed in."""
    address_connections: int = Field(default=64, ge=4, le=9_000)
    """How many of those are one address's."""
    requests_at_once: int = Field(default=24, ge=1, le=200)
    """How many requests of strangers are worked on at the same time; others wait for their turn."""
    header_seconds: int = Field(default=10, ge=1, le=300)
    """How long a request's line and headers may take."""
    idle_seconds: int = Field(default=15, ge=1, le=600)
    """How long a connection is kept without a request."""
    body_seconds: int = Field(default=20, ge=1, le=600)
    """How long a request's body may take, besides a second for each 16 KiB."""
    requests_per_minute: int = Field(default=600, ge=10, le=MOST_RATE)
    """How many requests of strangers one address may send in a minute."""
    link_answers_per_hour: int = Field(default=120, ge=5, le=MOST_RATE)
    """How many forms or answers may be sent by one link in an hour."""

    @model_validator(mode="after")
    def _leaves_room(self) -> Limits:
        if self.strangers >= self.connections:
            raise ValueError("strangers must be fewer than connections, so that there is room for who is signed in")
        return self


class DkimKey(_Part):
    """A key that mail is signed with (DKIM), where the mail server does not sign by itself.

    Its public half stands in the DNS of the domain, that of the sender's address unless named, under the selector.
    """

    selector: _Domain
    key_file: Path
    domain: _Domain | None = None


class Person(_Part):
    """Somebody whom the other side of an agreement can reach."""

    name: _Line
    email: _Address
    phone: _Line


class Signatory(_Part):
    """Who signs notices for the organisation, with the title under which they do."""

    name: _Line
    title: _Line


class HeadKeeper(_Part):
    """Somebody outside the installation who keeps heads of its ledger."""

    name: _Line
    email: _Address


class Organisation(_Part):
    """Who runs this installation: the sender that notices name, who signs them, and whom to ask about them.

    ``point_of_contact`` is the person that some agreements want named as knowing more, where a case names none;
    ``parents_contact`` the employee whom parents may ask. The ``manager`` is told by the last step of every ladder, as
    when something is overdue; no notice names one. ``postal_address`` stands at the head of letters that are posted,
    its lines separated by ``|``.
    """

    name: _Line
    postal_address: _Line | None = None
    contact: Person
    security_contact: Person
    signatory: Signatory
    point_of_contact: Person
    parents_contact: Person
    manager: Person | None = None


_FICTIONAL = Organisation(
    name="Example Learning, Inc.",
    contact=Person(name="Privacy Office", email="privacy@provider.example.org", phone="+1 555 0100"),
    security_contact=Person(name="Security Office", email="security@provider.example.org", phone="+1 555 0101"),
    signatory=Signatory(name="Robin Example", title="Chief Privacy Officer"),
    point_of_contact=Person(name="Robin Example", email="robin@provider.example.org", phone="+1 555 0102"),
    parents_contact=Person(name="Kim Example", email="families@provider.example.org", phone="+1 555 0103"),
)
"""Who sends while trying things out; production refuses to."""


def _default_database(home: Path) -> SecretStr:
    return SecretStr(f"sqlite:///{home / 'duenotice.sqlite3'}")


class Settings(BaseSettings):
    """The installation's settings; values are frozen, secrets do not show when printed."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        allow_inf_nan=False,
        env_ignore_empty=True,
        nested_model_default_partial_update=True,
    )

    environment: Literal["local", "production"] = "local"
    home: _Named = Path(".duenotice")
    """Where a single machine keeps its database, keyring, Temporal file and caught mail."""
    database_url: SecretStr = Field(default_factory=lambda data: _default_database(data["home"]))
    """``sqlite:///PATH`` or ``postgresql://…``; secret because the latter may hold a password."""
    owner_database_url: SecretStr | None = None
    """As whom ``duenotice migrate`` makes and changes the tables on PostgreSQL: another role, which owns them. Only
    that command needs it; give it to nothing else."""
    keyring: _Named = Field(default_factory=lambda data: data["home"] / "keyring.json")
    log_key: _Named = Field(default_factory=lambda data: data["home"].parent / f"{data['home'].name}-log-key.json")
    """The key that signs the ledger's heads; kept apart from database and keyring, so that who has those has not it."""
    checkpoint_minutes: int = Field(default=5, ge=1, le=60)
    """How often a head of the ledger is signed, where there are new entries."""
    checkpoint_entries: int = Field(default=10_000, ge=1, le=100_000)
    """After how many new entries a head is signed in any case."""
    heads_file: _Named | None = None
    """Where each head is added to as well: a file elsewhere, as on another machine, where nobody here can change it."""
    heads_to: HeadKeeper | None = None
    """Somebody outside who is mailed the newest head once a day, and keeps it."""
    timestamp_url: _Url | None = None
    """A time-stamping authority (RFC 3161) that is asked once a day for its word on the newest head; needs the extra
    ``timestamps``."""
    timestamp_ca_file: _Present | None = Field(default=None, validate_default=True)
    """The certificates to which its signature has to lead (PEM)."""
    public_url: _Origin = "http://127.0.0.1:8700"
    """What links in notices begin with."""
    time_zone: Annotated[str, AfterValidator(_zone)] | None = None
    """In which people read and give times who have chosen no other; without one, times are shown in UTC."""
    trusted_proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    """Addresses and networks of the proxies before the web, as ``["10.0.0.5", "fd00::/64"]``: whose word on where a
    request comes from (``X-Forwarded-For``) is taken. Nobody else's is."""
    artifacts: ArtifactStore = ArtifactStore()
    no_proxy_reason: str | None = Field(default=None, min_length=10)
    """Why nothing stands before the web in production whose word on addresses would have to be taken."""
    limits: Limits = Limits()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    private_network_reason: str | None = Field(default=None, min_length=10)
    """Why production may reach Temporal and PostgreSQL without TLS: why nobody else is on their network."""
    temporal_cli: _Named | None = None
    """The ``temporal`` command that the local environment starts, if not the one it finds by itself."""

    worker_processes: int = Field(default=1, ge=0, le=64)
    """In how many processes the worker runs, each with its own connections to the mail server; 0 is one a core."""

    smtp: Smtp = Smtp()
    bounces: Bounces = Bounces()
    metrics: Metrics = Metrics()
    dkim: tuple[DkimKey, ...] = ()
    """Keys to sign mail with, as ``[{"selector": "s1", "key_file": "/etc/duenotice/dkim.pem"}]``."""
    organisation: Organisation = _FICTIONAL

    defaults: Defaults = Defaults()
    """The time limits that no clause gives; every duty that uses one says so."""
    internal_due_dates: _Named | None = None
    """A YAML file that says, clause by clause, how far ahead of its due date a duty is wanted done, such as
    ``breach.notice: 24 hours``. Reminders and lists go by that; no due date moves."""

    templates: _Named | None = None
    """A folder with templates of the organisation's own, which stand before those of ``config/notices/`` of the same
    names; they are checked at start (``duenotice templates check``)."""

    side: Literal[Party.PROVIDER, Party.LEA] = Party.PROVIDER
    """On which side of its agreements the installation stands: whose duties it keeps, and who its contacts are not."""
    release: Literal["officer", "immediate"] = "officer"
    """Whether a drafted notice waits for an officer to release it."""
    last_safe_minutes: int = Field(default=60, ge=0, le=MOST_MINUTES)
    """How long before its due instant a notice that nobody has released goes out by itself."""
    overdue_grace_minutes: int = Field(default=30, ge=0, le=MOST_MINUTES)
    """How long a notice whose last safe moment has passed when it is drafted waits for a person; 0 sends it at once."""
    lapse_warning_minutes: int = Field(default=120, ge=0, le=MOST_MINUTES)
    """How long before it leaves an officer is told of a notice that one person withheld and no second one did."""
    reminder_fractions: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.5, 0.75, 0.9)
    """When an officer is reminded of a notice to release, as fractions of its time."""

    last_moment_reminder_minutes: int = Field(default=60, ge=0, le=MOST_MINUTES)
    """How often an officer is asked for a notice that is to leave as soon as it can; 0 reminds as of any other."""
    last_moment_hours: int = Field(default=4, ge=0, le=MOST_HOURS)
    """How long such a notice, once it lacks nothing required, waits for an officer before it goes out by itself."""

    holder_fractions: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.5, 0.75, 0.9)
    """When a holder of data that is to confirm its disposal is reminded, as fractions of the time it was given."""
    holder_hours_before: tuple[Annotated[int, Field(ge=0, le=MOST_HOURS)], ...] = (24, 0)
    """How many hours before its due instant such a holder is reminded; 0 is at the due instant."""

    holder_link_days: int = Field(default=30, ge=1, le=366)
    """How long after the due instant the link lasts by which such a holder confirms."""

    supplement_minutes: int = Field(default=60, ge=0, le=MOST_MINUTES)
    """How long a supplemental notice gathers further facts before it goes out by itself."""
    chase_hours: tuple[Annotated[int, Field(gt=0, le=MOST_HOURS)], ...] = (24, 72, 168)
    """How many hours after a notice its LEA is asked to acknowledge it."""
    unknown_resends: int = Field(default=3, ge=0, le=20)
    """How often a notice is sent again of which nobody can say whether it arrived, before a person decides."""
    pause_after_refusals: int = Field(default=5, ge=3, le=200)
    """So many refusals that are alike in one batch, for several domains, pause mail: the trouble is the sender's."""
    pause_minutes: int = Field(default=60, ge=1, le=1440)
    """After how long a pause of mail is probed by one message."""
    deputy_share: float = Field(default=0.7, gt=0, le=1)
    """From which part of the time of a notice, or of a holder of data, on the deputy, too, is told of it."""
    leaves_soon_hours: int = Field(default=24, ge=1, le=168)
    """What leaves by itself within so many hours is named so among what needs people."""
    alert_urls: SecretStr | None = None
    """Where alerts go besides mail: addresses of Apprise (chat, SMS, pagers), with blanks between them."""
    watchdog_minutes: int = Field(default=5, ge=1, le=MOST_MINUTES)
    """How often the watchdog looks for cases that were lost and duties that nobody was told of."""
    ledger_check_hours: int = Field(default=24, ge=1, le=24 * 31)
    """How often the ledger is checked, and the tables are held against it; at each start besides."""
    upcoming_minutes: int = Field(default=360, ge=1, le=MOST_MINUTES)
    """How often what is coming by the agreements' own dates is derived anew, for what no import brought up to date."""
    standing_lead_days: int = Field(default=30, ge=1, le=366)
    """How many days before its due date a case is opened about what an agreement's own dates start."""
    term_reminder_days: tuple[Annotated[int, Field(gt=0, le=MOST_DAYS)], ...] = (90, 30, 7)
    """How many days before a term runs out by itself people are told of it."""

    link_days_after_closing: int = Field(default=180, ge=1, le=MOST_DAYS)
    """How many days after its case was closed the link in a notice still opens it: longer than any school holiday."""

    public_requests: bool = True
    """Whether parents and students can send a request by a public form (``/student-data``); nobody else is affected."""

    session_idle_minutes: int = Field(default=60, ge=1, le=MOST_MINUTES)
    """After how long without a click a person has to sign in again."""
    session_hours: int = Field(default=12, ge=1, le=168)
    """How long after signing in a person has to sign in again in any case."""

    oidc_issuer: _Issuer | None = None
    """The OpenID provider that signs people in, as it calls itself; with a client id and a secret, or not at all."""
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = Field(default=None, validate_default=True)

    @field_validator(
        "home",
        "keyring",
        "log_key",
        "heads_file",
        "timestamp_ca_file",
        "temporal_cli",
        "internal_due_dates",
        "templates",
    )
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        """Stay where the process started, whatever directory it works in later."""
        return None if path is None else path.expanduser().absolute()

    @field_validator("timestamp_ca_file")
    @classmethod
    def _time_stamps_are_checked(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if info.data.get("timestamp_url") and path is None:
            raise ValueError("an authority's word counts only with the certificates that it is checked by")
        return path

    @field_validator("oidc_client_secret")
    @classmethod
    def _openid_is_whole(cls, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        given = [info.data.get("oidc_issuer"), info.data.get("oidc_client_id"), secret]
        if any(given) and not all(given):
            raise ValueError("an OpenID provider takes an issuer, a client id and a client secret")
        return secret

    @field_validator("reminder_fractions", "holder_fractions")
    @classmethod
    def _ascending(cls, fractions: tuple[float, ...]) -> tuple[float, ...]:
        if list(fractions) != sorted(set(fractions)):
            raise ValueError("the fractions must rise, as in [0.5, 0.75, 0.9]")
        return fractions

    @field_validator("holder_hours_before")
    @classmethod
    def _descending(cls, hours: tuple[int, ...]) -> tuple[int, ...]:
        if list(hours) != sorted(set(hours), reverse=True):
            raise ValueError("the hours must fall, as in [24, 0]")
        return hours


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        ConfigurationError: a variable is unknown, unusable, or missing in production; the sentence names it, never its
            value.
    """
    _refuse_unknown()
    try:
        settings = Settings()
    except ValidationError as error:
        raise _explain(error.errors(include_input=False, include_url=False)) from None
    except SettingsError as error:  # its text names the field; only its cause would quote the value
        raise ConfigurationError(
            f"A {PREFIX}… variable does not hold the JSON it should: {error}.",
            next_step="A list is written as [0.5, 0.75, 0.9]; a group is set by one variable for each of its fields.",
        ) from None
    if settings.environment == "production":
        _refuse_unsafe(settings)
    return settings


def check_proxies(settings: Settings) -> None:
    """Refuse a web in production of which nobody said what stands before it.

    TLS is a proxy's business, so there nearly always is one; where it is not named, all who come through it share one
    quota, and one of them can use it up for the others.

    Raises:
        ConfigurationError: neither a proxy is named nor a reason why there is none.
    """
    known = settings.trusted_proxies or settings.no_proxy_reason
    if settings.environment == "production" and not known:
        raise ConfigurationError(
            "Nobody said what stands before the web, so all who come through a proxy would count as one address.",
            where=_variable("trusted_proxies"),
            next_step='Name the proxy\'s address, such as ["10.0.0.5"]; where there is none, say why in '
            f"{_variable('no_proxy_reason')}.",
        )


def temporal_connection(settings: Settings) -> ClientConnectConfig:
    """Return the arguments for ``Client.connect``; ``target_host`` is missing where no server is configured.

    In the local environment a ``temporal.toml`` counts only if ``TEMPORAL_CONFIG_FILE`` names it: a developer's own
    profile for another cluster must not draw this engine there.

    Raises:
        ConfigurationError: Temporal's variables or file cannot be used, or production names no server.
    """
    ignore_file = settings.environment == "local" and "TEMPORAL_CONFIG_FILE" not in os.environ
    try:
        connection = ClientConfig.load_client_connect_config(disable_file=ignore_file)
    except (RuntimeError, ValueError, OSError) as error:
        raise temporal_refused(error) from error
    if settings.environment == "production" and "target_host" not in connection:
        raise ConfigurationError(
            "Production needs a Temporal server.",
            where="TEMPORAL_ADDRESS",
            next_step="Set it, for example to host:7233.",
        )
    if settings.environment == "production" and not _is_protected(settings, connection):
        raise ConfigurationError(
            "Whoever reaches this Temporal server can stop every clock, and it asks nobody who they are.",
            where="TEMPORAL_TLS_CLIENT_CERT_PATH",
            next_step="Set a client's certificate and key (TEMPORAL_TLS_…) or TEMPORAL_API_KEY; where nobody else "
            f"reaches its network, say so in {_variable('private_network_reason')}.",
        )
    connection.setdefault("namespace", "default")
    return connection


def temporal_refused(error: Exception) -> ConfigurationError:
    """What is said of settings with which Temporal's SDK can do nothing."""
    says = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".:")
    return ConfigurationError(
        f"Temporal's settings cannot be used: {says}.",
        next_step="Look at the TEMPORAL_… variables and at the file that TEMPORAL_CONFIG_FILE names.",
    )


def _is_protected(settings: Settings, connection: ClientConnectConfig) -> bool:
    """Whether Temporal asks who comes, or is reached from this machine or by a network that was said to be private."""
    tls = connection.get("tls")
    asks = "api_key" in connection or (isinstance(tls, TLSConfig) and tls.client_cert is not None)
    host = connection["target_host"].rpartition(":")[0]
    return asks or is_loopback(host) or settings.private_network_reason is not None


def _variable(*path: str | int) -> str:
    """Name the environment variable that sets the setting at ``path``, or the list that the path leads into."""
    return PREFIX + "__".join(part.upper() for part in path if isinstance(part, str))


def _refuse_unknown() -> None:
    known = {_variable(name) for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name.partition("__")[0] not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise ConfigurationError(
                "There is no such setting.",
                where=name,
                next_step=f"Did you mean {close[0]}?" if close else "Unset it.",
            )


def _explain(problems: list[ErrorDetails]) -> ConfigurationError:
    """Turn the first of pydantic's problems into a sentence."""
    first = problems[0]
    path = first["loc"]
    says = first["msg"].removeprefix("Value error, ").rstrip(".")
    known = first["type"] != "extra_forbidden"
    return ConfigurationError(
        f"This setting cannot be used: {says[:1].lower()}{says[1:]}." if known else "There is no such setting.",
        where=_variable(*path),
        next_step=f"{len(problems) - 1} more follow." if len(problems) > 1 else None,
    )


_LEAST_SAFE_MINUTES = 5
"""In production, a notice that nobody released goes out so long before it is due, at the latest."""

_CHECKED = {"verify-ca", "verify-full"}
"""The values of PostgreSQL's ``sslmode`` under which its certificate is checked; ``require`` trusts whoever answers."""


def _is_private(settings: Settings, database_url: SecretStr | None) -> bool:
    """Whether nobody else can read what the database at this address is told: it shows a certificate, or is near."""
    if database_url is None:
        return True
    try:
        url = make_url(database_url.get_secret_value())
    except (ArgumentError, ValueError):
        return True  # what it is instead is said when it is opened
    host = url.host or ""
    here = url.get_backend_name() == "sqlite" or not host or host.startswith("/") or is_loopback(host)
    mode = url.query.get("sslmode", os.environ.get("PGSSLMODE"))
    return here or mode in _CHECKED or settings.private_network_reason is not None


def _is_private_endpoint(settings: Settings) -> bool:
    """Whether nobody else can read what the store of artifacts is told, or take its place."""
    endpoint = urlsplit(settings.artifacts.endpoint or "https://")
    here = endpoint.scheme == "https" or is_loopback(endpoint.hostname or "")
    return here or settings.private_network_reason is not None


def _refuse_unsafe(settings: Settings) -> None:
    """Refuse what is convenient on one machine and unsafe, or untrue, anywhere else."""

    def need(met: bool, message: str, *path: str) -> None:
        if not met:
            raise ConfigurationError(message, where=_variable(*path), next_step="Set it before starting in production.")

    chosen, smtp, example = settings.model_fields_set, settings.smtp, Smtp()
    need("keyring" in chosen, "Production makes no keyring by itself; it needs the name of one.", "keyring")
    need(settings.keyring.is_file(), f"There is no keyring file at {settings.keyring}.", "keyring")
    need(
        "log_key" in chosen and settings.log_key.is_file(),
        "Production makes no key for the ledger's heads by itself; it needs the file of one, kept apart from the "
        "database (`duenotice evidence make-key` makes one).",
        "log_key",
    )
    need("public_url" in chosen, "Links in notices need the address that their readers reach.", "public_url")
    need(
        settings.public_url.startswith("https://"),
        "Links in notices open students' data, so they need an address on https.",
        "public_url",
    )
    for field in ("database_url", "owner_database_url"):
        need(
            _is_private(settings, getattr(settings, field)),
            "What PostgreSQL is told could be read on its way; add ?sslmode=verify-full to its URL, and sslrootcert=… "
            "where no authority vouches for it that the system knows. Where nobody else "
            f"reaches its network, say so in {_variable('private_network_reason')}.",
            field,
        )
    need(
        settings.last_safe_minutes >= _LEAST_SAFE_MINUTES,
        f"A notice needs at least {_LEAST_SAFE_MINUTES} minutes to leave before it is due.",
        "last_safe_minutes",
    )
    shown = settings.metrics.worker_address
    need(
        shown is None
        or is_loopback(shown.rpartition(":")[0].strip("[]"))
        or settings.private_network_reason is not None,
        "Whoever reaches this address reads what the worker counts. Use one on loopback; where nobody else reaches its "
        f"network, say so in {_variable('private_network_reason')}.",
        "metrics",
        "worker_address",
    )
    need(
        _is_private_endpoint(settings),
        "What a bucket is told would travel in clear; use an endpoint on https. Where nobody else reaches its network, "
        f"say so in {_variable('private_network_reason')}.",
        "artifacts",
        "endpoint",
    )
    need(smtp.host is not None, "Production needs a mail server.", "smtp", "host")
    for field, message in (
        ("sender_address", "Notices need a sender's address; this is still the example's."),
        ("message_id_domain", "Message ids need a domain of yours; this is still the example's."),
    ):
        need(getattr(smtp, field) != getattr(example, field), message, "smtp", field)
    for field, fictional in _FICTIONAL:
        told = fictional is None or getattr(settings.organisation, field) != fictional
        need(told, "Notices name who sends them and whom to ask; this is still the example's.", "organisation", field)
