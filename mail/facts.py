"""What one notice says, before it has a shape: the values that ``mail.compose`` turns into a message.

Every text is cleaned as it enters, so that nothing a person typed can leave the place that the templates give it:
a ``Line`` is one line, a ``Block`` is lines of text, and neither holds control characters or marks that reorder
what is read.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import idna
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, HttpUrl, model_validator

from cases.values import AnchorValue
from models.enums import NoticeKind
from models.errors import InvalidInput
from terms.clauses import STUDENT_DATA, ClauseId, Protected

_LINE_BREAKS = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~\u00a1-\U0010ffff-]{1,64}@(?=.{1,253}\Z)(?:[A-Za-z0-9-]{1,63}\.)*[A-Za-z0-9-]{1,63}"
)
_LONGEST_LOCAL_PART = 64
"""Bytes (RFC 5321, 4.5.3.1.1)."""

_MESSAGE_ID = re.compile(r"<[A-Za-z0-9.-]{1,64}@[A-Za-z0-9.-]{1,253}>")


def clean_block(text: str) -> str:
    """Return ``text`` with ``\\n`` as its only control character and without bidirectional overrides."""
    if text.isascii() and text.replace("\n", "").isprintable():  # nearly every text: there is little to look for in it
        return "\n".join(map(str.rstrip, text.split("\n"))).strip("\n")
    lines = _LINE_BREAKS.sub("\n", text).expandtabs(4).split("\n")
    return "\n".join(
        "".join(c for c in line if unicodedata.category(c) != "Cc" and c not in _REORDERING).rstrip() for line in lines
    ).strip("\n")


def clean_line(text: str) -> str:
    """Return ``text`` as one line: every run of white space, line breaks included, becomes one space."""
    return " ".join(clean_block(text).split())


def checked_address(address: str, *, where: str | None = None) -> str:
    """Return ``address`` if it is a plain mailbox (RFC 5321, 4.1.2: a dot-string at a domain), also an
    internationalised one (RFC 6531, 3.3).

    Whether the mail server takes one whose part before the @ is not ASCII is found out when mail is sent to it.
    ``where`` is the field that gives it.

    Raises:
        InvalidInput: it is anything else; the text of the error does not repeat the address.
    """
    try:
        sent = wire_address(address)
    except UnicodeError:  # as idna's own error is one
        sent = ""
    local = sent.partition("@")[0]
    dots = local.startswith(".") or local.endswith(".") or ".." in local
    if not _ADDRESS.fullmatch(sent) or dots or not local.isprintable() or len(local.encode()) > _LONGEST_LOCAL_PART:
        raise InvalidInput(
            "An e-mail address is not one that mail can be sent to.",
            where=where,
            next_step="Write it as name@example.org, without quotes or spaces.",
        )
    return address


def wire_address(address: str) -> str:
    """An address as headers and mail servers have it: its domain in ASCII (RFC 5891), whatever its first part is.

    Raises:
        UnicodeError: the domain is none.
    """
    if address.isascii():
        return address
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain if domain.isascii() else idna.encode(domain, uts46=True).decode()}"


def _validated_address(address: str) -> str:
    try:
        return checked_address(address)
    except InvalidInput as error:
        raise ValueError(str(error)) from None


def _validated_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone; use an IANA name such as America/Chicago") from None
    return name


Line = Annotated[str, AfterValidator(clean_line), Field(min_length=1)]
"""Text on one line; white space is collapsed and control characters are dropped."""

Block = Annotated[str, AfterValidator(clean_block)]
"""Text of one or more lines separated by ``\\n``."""

EmailAddress = Annotated[str, AfterValidator(_validated_address)]
"""A mailbox without a quoted local part; one that is not ASCII takes a server that offers SMTPUTF8."""

ZoneName = Annotated[str, AfterValidator(_validated_zone)]
"""The IANA name of a time zone."""

MessageId = Annotated[str, Field(pattern=f"^{_MESSAGE_ID.pattern}$")]
"""A Message-ID with its angle brackets (RFC 5322, 3.6.4)."""


class FactsValue(BaseModel):
    """Base of all facts: frozen, and no input is repeated in an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Mailbox(FactsValue):
    """A name and an address (RFC 5322, 3.4)."""

    name: Annotated[str, AfterValidator(clean_line)] = ""
    email: EmailAddress


class ContactPerson(FactsValue):
    """Somebody at the sender whom others may ask."""

    name: Line
    email: EmailAddress
    phone: Line | None = None

    def __str__(self) -> str:
        """The person in lines, as a notice shows them."""
        return "\n".join(part for part in (self.name, self.email, self.phone) if part)


class Signatory(FactsValue):
    """Who signs for the sender, with the title under which they do."""

    name: Line
    title: Line


class Sender(FactsValue):
    """The organisation that owes the notice, who signs for it, and whom the reader may ask.

    Attributes:
        contact: who answers questions about the notice; answers go there.
        point_of_contact: the person whom an agreement may want named as the one to ask.
        parents_contact: the employee whom parents may ask.
        postal_address: where letters come from, in lines; only a letter on paper shows it.
    """

    organisation: Line
    contact: ContactPerson
    signatory: Signatory
    point_of_contact: ContactPerson
    parents_contact: ContactPerson
    postal_address: Block | None = None


class SignedAgreement(FactsValue):
    """The agreement under which a notice is given, as a letter cites it: its title, its parties and its date."""

    title: Line
    reference: Line
    provider: Line
    lea: Line
    signed_on: date


class Clause(FactsValue):
    """A clause that the notice is given under.

    Attributes:
        id: its name in the catalogue.
        provision: what sets the duty, and what bears on this case besides, each with its citation, in our words.
        why: the sentences that explain the due instant.
    """

    id: ClauseId
    provision: tuple[Line, ...] = Field(min_length=1)
    why: tuple[Line, ...] = ()


class ElementStatus(StrEnum):
    """What the notice can say about one required content element."""

    KNOWN = "known"
    PARTLY_KNOWN = "partly_known"
    NOT_YET_KNOWN = "not_yet_known"
    IMPOSSIBLE = "impossible"
    WITHHELD = "withheld"


TO_FOLLOW = frozenset({ElementStatus.PARTLY_KNOWN, ElementStatus.NOT_YET_KNOWN})
"""Elements of which something is still to be told."""


class ElementValue(FactsValue):
    """One content element that the LEA's terms require, with what can be said about it now.

    ``value`` is the fact of a known element, or as much of it as can be told; for one that is impossible to determine,
    or withheld, it may give the reason.
    """

    id: Line
    label: Line
    citation: Line
    status: ElementStatus
    value: Block | None = None

    @model_validator(mode="after")
    def _value_fits_status(self) -> Self:
        if self.status in (ElementStatus.KNOWN, ElementStatus.PARTLY_KNOWN) and not self.value:
            raise ValueError(f"element {self.id} is said to be known but has no value")
        if self.status is ElementStatus.NOT_YET_KNOWN and self.value:
            raise ValueError(f"element {self.id} is said not to be known yet but has a value")
        return self


class EarlierNotice(FactsValue):
    """The notice that this one follows: one that it adds to or takes back, or one given before in the same case.

    One that went by post has no ``message_id``.
    """

    message_id: MessageId | None
    given_at: AwareDatetime


class NoticeFacts(FactsValue):
    """Everything one notice says.

    Attributes:
        template: the name of its templates in ``config/notices/``.
        reader: whom it is for, by name: a district, a provider, a parent.
        clauses: what it is given under; the words of the first one's own templates are its heading.
        noticed_at: the instant of the notice, which is also its Date header.
        case_reference: a short name for the case that both sides can quote; no personal data.
        data: what the agreement protects, in words.
        anchors: the dated facts of the case; of what the notice must come before, the first day that it leaves.
        held_back: whether it leaves late because of law enforcement, which may be told.
        particulars: what happened in the sender's words, where no clause says what to tell.
        elements: what the terms require, in the order shown. A supplement holds what it adds and what still lacks.
        added: ids of the elements that a supplement gives: what lacked, and what it corrects.
        corrected: of these, those that were told otherwise before.
        reason: why a suspicion was dismissed.
        follows: the notice that this one supplements, takes back or comes after.
        for_counsel: whether it is a copy for counsel alone, since no contact of the reader's took it.
        ledger_head: a head of the sender's ledger, which stands at the foot: whoever keeps the letter keeps it.
    """

    kind: NoticeKind
    template: Annotated[str, Field(pattern=r"^([a-z_.]+:)?[a-z_]+$")]
    reader: Line
    time_zone: ZoneName
    agreement: SignedAgreement
    clauses: tuple[Clause, ...] = Field(min_length=1)
    noticed_at: AwareDatetime
    sender: Sender
    case_reference: Line
    data: Protected = STUDENT_DATA
    anchors: tuple[AnchorValue, ...] = ()
    held_back: bool = False
    particulars: Block | None = None
    elements: tuple[ElementValue, ...] = ()
    added: tuple[str, ...] = ()
    corrected: tuple[str, ...] = ()
    reason: Block | None = None
    follows: EarlierNotice | None = None
    acknowledge_url: HttpUrl | None = None
    for_counsel: bool = False
    ledger_head: Line | None = None

    @model_validator(mode="after")
    def _kind_fits_content(self) -> Self:
        told = {element.id for element in self.elements if element.status not in TO_FOLLOW}
        if not set(self.added) <= told:
            raise ValueError("a supplement can only add elements that it gives")
        if bool(self.added) != (self.kind is NoticeKind.SUPPLEMENT):
            raise ValueError("a supplement, and only a supplement, says what it adds")
        if not set(self.corrected) <= set(self.added):
            raise ValueError("what a supplement corrects it gives")
        if bool(self.reason) != (self.kind is NoticeKind.DISMISSAL):
            raise ValueError("a dismissal, and only a dismissal, gives its reason")
        if self.kind is not NoticeKind.NOTICE and self.follows is None:
            raise ValueError(f"a {self.kind.value} names the notice that it follows")
        return self


class MailFacts(FactsValue):
    """What a mail says that is no notice. Each sort of mail has facts of its own.

    Attributes:
        template: the name of its templates, as ``config/notices/`` has them.
        must_say: the facts that it has to say where they are known, whoever wrote its templates.
        computed: the facts that follow from others.
        time_zone: in which instants are read.
    """

    template: ClassVar[str]
    must_say: ClassVar[tuple[str, ...]] = ()
    computed: ClassVar[tuple[str, ...]] = ()

    time_zone: ZoneName = "UTC"


class LetterFacts(MailFacts):
    """What every letter says that is no notice; ``reader`` is the other side, by name."""

    sender: Sender
    reader: Line
    case_reference: Line
