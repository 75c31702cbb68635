"""The fields of an act or an intake as every face shows them: forms and options are made from these, not by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from uuid import UUID

from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from cases.intake import ApproximateTime, Person
from cases.values import AgreementName, KeptFile, KeptReferences, KeptText


class Shape(StrEnum):
    """How a field's value is given."""

    LINE = "line"
    TEXT = "text"
    CHOICE = "choice"
    INSTANT = "instant"
    DAY = "day"
    TICK = "tick"
    FILE = "file"
    AGREEMENT = "agreement"
    AGREEMENTS = "agreements"
    REFERENCES = "references"
    LINES = "lines"
    MADE = "made"
    """The id of something that the case holds: a proposal, a law-enforcement hold."""
    PERSON = "person"
    """A name, an address and perhaps a telephone number."""
    APPROXIMATE_TIME = "approximate-time"
    """An instant, a day, a range of days, or unknown."""


@dataclass(frozen=True)
class FormField:
    """One field.

    Attributes:
        name: its one name.
        label: what people call it.
        hint: what they should know when they fill it in, or blank.
        shape: how its value is given.
        required: whether it must be given.
        choice: which words of the case it is chosen from, if it is.
        options: the words that it is chosen from, where they are the same in every case.
        names: what people call each of these, where it is more than the word.
        offered: the file in ``config/`` with the lines that a page offers, if there is one.
        default: what it is when it is left out.
        positional: whether the command line takes it without an option.
        prefilled: whether a page begins with the provider's own security contact.
    """

    name: str
    label: str
    hint: str
    shape: Shape
    required: bool
    choice: str | None = None
    options: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    offered: str | None = None
    default: object = None
    positional: bool = False
    prefilled: bool = False

    @property
    def help(self) -> str:
        """The label and the hint, as one text."""
        label = self.label if self.label.endswith("?") else f"{self.label}."
        return f"{label} {self.hint}".strip()

    @property
    def help_with_options(self) -> str:
        """The same, with the words that it is chosen from where they are always the same."""
        return f"{self.help} One of {', '.join(self.options)}." if self.options else self.help

    @property
    def named_options(self) -> tuple[tuple[str, str], ...]:
        """Each option, and what people call it."""
        if self.names:
            return tuple(zip(self.options, self.names, strict=True))
        return tuple((word, word.replace("-", " ").replace("_", " ").capitalize()) for word in self.options)


def fields_of(model: type[BaseModel]) -> tuple[FormField, ...]:
    """The fields of an act or intake that people give, in order."""
    return tuple(_field(name, info) for name, info in model.model_fields.items() if name != "act")


def _field(name: str, info: FieldInfo) -> FormField:
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    choice = extra.get("choice") or _nested(info.annotation, "choice")
    offered = extra.get("offered")
    kind = _bare(info.annotation)
    options = tuple(str(word) for word in kind) if _is_enum(kind) else ()
    label = info.title or _nested_title(info.annotation) or name.replace("_", " ").capitalize()
    return FormField(
        name=name,
        label=label,
        hint=info.description or "",
        shape=_shape(kind, long=bool(extra.get("long")), chosen=bool(choice or options)),
        required=info.is_required(),
        choice=str(choice) if choice else None,
        options=options,
        offered=str(offered) if offered else None,
        positional=bool(extra.get("positional")),
        prefilled=bool(extra.get("prefilled")),
        default=None if info.is_required() else info.get_default(call_default_factory=False),
    )


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, StrEnum)


def _bare(annotation: Any) -> Any:
    """The type itself, without ``| None`` and what annotates it."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        members = [member for member in get_args(annotation) if member is not NoneType]
        return _bare(members[0]) if len(members) == 1 else annotation
    return annotation


def _infos(annotation: Any) -> list[FieldInfo]:
    """What an annotation inside ``| None`` says of its field."""
    if get_origin(annotation) is Annotated:
        return [one for one in get_args(annotation)[1:] if isinstance(one, FieldInfo)]
    if get_origin(annotation) in (Union, UnionType):
        return [info for member in get_args(annotation) for info in _infos(member)]
    return []


def _nested(annotation: Any, key: str) -> object:
    extras = (info.json_schema_extra for info in _infos(annotation))
    return next((extra[key] for extra in extras if isinstance(extra, dict) and key in extra), None)


def _nested_title(annotation: Any) -> str | None:
    return next((info.title for info in _infos(annotation) if info.title), None)


_SHAPES: dict[object, Shape] = {
    str: Shape.LINE,
    bool: Shape.TICK,
    datetime: Shape.INSTANT,
    AwareDatetime: Shape.INSTANT,
    date: Shape.DAY,
    UUID: Shape.MADE,
    KeptText: Shape.TEXT,
    KeptFile: Shape.FILE,
    KeptReferences: Shape.REFERENCES,
    AgreementName: Shape.AGREEMENT,
    Person: Shape.PERSON,
    ApproximateTime: Shape.APPROXIMATE_TIME,
}


def _shape(kind: Any, *, long: bool, chosen: bool) -> Shape:
    if chosen and (kind is str or _is_enum(kind)):
        return Shape.CHOICE
    if kind is str and long:
        return Shape.TEXT
    if get_origin(kind) is tuple:
        return Shape.AGREEMENTS if _bare(get_args(kind)[0]) is AgreementName else Shape.LINES
    return _SHAPES[kind]
