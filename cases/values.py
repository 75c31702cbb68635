"""What acts and messages are made of: dated facts, and what people gave, which travels by its SHA-256.

A text or file that a person gives is kept in SQL as an artifact. Only its SHA-256 reaches Temporal: the content is left
out of every serialisation, so it cannot get into a history by mistake.
"""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import date, datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from models import identifiers

LONGEST_TEXT = 20_000
"""How many characters a person may write in one place; what is longer is a file."""

LARGEST_FILE = 16 * 2**20
"""How many bytes a file may have."""

MOST_LINES = 100_000
"""How many references one list may hold."""

FIRST_YEAR, LAST_YEAR = 1990, 2199
"""Years outside these are typing errors: no agreement is older, and nothing is planned further ahead."""

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, save tab and line feed: no page, mail or terminal shows them, and some databases refuse them."""


def is_one_line(text: str) -> bool:
    """Whether a text is printable and in one line, as what is kept one a line must be."""
    return "\n" not in text and not UNPRINTABLE.search(text)


class Message(BaseModel):
    """Base of all messages: frozen, and no input is repeated in an error, since errors are logged."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


def _plausible(year: int) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"the year {year} cannot be meant")


def _plausible_instant(instant: datetime) -> datetime:
    _plausible(instant.year)
    return instant


def _plausible_day(day: date) -> date:
    _plausible(day.year)
    return day


Instant = Annotated[AwareDatetime, AfterValidator(_plausible_instant)]
"""An instant with its zone, in a year that can be meant."""

Day = Annotated[date, AfterValidator(_plausible_day)]
"""A calendar day, in a year that can be meant."""

Actor = Annotated[str, StringConstraints(pattern=r"^[\w:. -]{1,120}$")]
"""Who acts, as evidence names them for good: an account or a role, never an e-mail address."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class AnchorValue(Message):
    """One dated fact: an instant, or a day, or a range of days; none of them when it is unknown."""

    name: str
    instant: datetime | None = None
    first_day: date | None = None
    last_day: date | None = None

    @property
    def is_known(self) -> bool:
        """Whether it says when."""
        return bool(self.instant or self.first_day)


class Kept(Message):
    """Something that a person gave: its SHA-256 (FIPS 180-4), and its bytes until they are kept."""

    media_type: ClassVar[str]

    sha256: Sha256
    content: bytes | None = Field(default=None, exclude=True, repr=False)

    @classmethod
    def of(cls, content: bytes) -> dict[str, object]:
        """The fields that hold ``content``."""
        return {"sha256": identifiers.sha256_hex(content), "content": content}

    def __eq__(self, other: object) -> bool:
        """What was given is the same if its bytes are, whether they are at hand or not."""
        return isinstance(other, Kept) and type(self) is type(other) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        """Hash by content."""
        return hash(self.sha256)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Programs give the content itself."""
        return {"type": "string"}


class KeptText(Kept):
    """A text of at most ``LONGEST_TEXT`` characters, without control characters; blanks around it do not count."""

    media_type: ClassVar[str] = "text/plain"

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        text = value.replace("\r\n", "\n").strip()
        if not text:
            raise ValueError("it is empty: say it in a sentence")
        if len(text) > LONGEST_TEXT:
            raise ValueError(f"it is longer than {LONGEST_TEXT:,} characters: give the whole as a file")
        if UNPRINTABLE.search(text):
            raise ValueError("it holds a control character: paste it as plain text")
        return cls.of(text.encode())


class KeptFile(Kept):
    """A file of at most ``LARGEST_FILE`` bytes; in JSON, a text, or ``{"base64": …}`` (RFC 4648, section 4).

    What it holds is checked where it is kept (``records.file_types``), which workflows need not know.
    """

    media_type: ClassVar[str] = "application/octet-stream"

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        content = _bytes_of(value)
        if not isinstance(content, bytes):
            return value
        if not content:
            raise ValueError("the file is empty: choose the one that was meant")
        if len(content) > LARGEST_FILE:
            raise ValueError(f"the file is larger than {LARGEST_FILE // 2**20} MiB: give it in parts")
        return cls.of(content)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Programs give a text, or bytes in base64."""
        encoded = {"type": "object", "properties": {"base64": {"type": "string"}}, "required": ["base64"]}
        return {"anyOf": [{"type": "string"}, encoded]}


def _bytes_of(value: Any) -> Any:
    match value:
        case str():
            return value.encode()
        case {"base64": str(text)} if len(value) == 1:
            try:
                return b64decode(text, validate=True)
            except ValueError:
                raise ValueError("this is no base64: give the file's bytes in it") from None
        case _:
            return value


class KeptReferences(Kept):
    """References of agreements, each once, in order; however many they are, one SHA-256 travels."""

    media_type: ClassVar[str] = "text/plain"

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        references = sorted({str(reference).strip() for reference in value} - {""})
        if len(references) > MOST_LINES or not all(is_one_line(reference) for reference in references):
            raise ValueError("these are no references of agreements")
        return cls.of("\n".join(references).encode())

    @property
    def references(self) -> tuple[str, ...]:
        """The references, where they are at hand."""
        return read_references(self.content or b"")

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Programs give a list."""
        return {"type": "array", "items": {"type": "string"}}


def read_references(content: bytes) -> tuple[str, ...]:
    """The references in the bytes of a ``KeptReferences``."""
    return tuple(content.decode().splitlines())


class AgreementName(Message):
    """An agreement as people name it, by its reference; only its id travels."""

    id: UUID
    reference: str | None = Field(default=None, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        reference = value.strip()
        if not reference or not is_one_line(reference):
            raise ValueError("this is no reference of an agreement")
        return {"id": identifiers.agreement_id(reference), "reference": reference}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Programs give the reference."""
        return {"type": "string"}
