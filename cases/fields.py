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
    PART = "part"
    """A model of its own; each face reads it in its own way."""


@dataclass(frozen=True)
class ActField:
    """One field.

    Attributes:
        name: its one name.
        label: what people call it.
        hint: what they should know when they fill it in, or blank.
        shape: how its value is given.
        required: whether it must be given.
        choice: which words of the case it is chosen from, if it is.
        default: what it is when it is left out.
        positional: whether the command line takes it without an option.
        model: the model of a part.
    """

    name: str
    label: str
    hint: str
    shape: Shape
    required: bool
    choice: str | None = None
    default: object = None
    positional: bool = False
    model: type[BaseModel] | None = None


def fields_of(model: type[BaseModel]) -> tuple[ActField, ...]:
    """The fields of an act or intake that people give, in order."""
    return tuple(_field(name, info) for name, info in model.model_fields.items() if name != "act")


def _field(name: str, info: FieldInfo) -> ActField:
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    choice = extra.get("choice") or _nested(info.annotation, "choice")
    kind = _bare(info.annotation)
    label = info.title or _nested_title(info.annotation) or name.replace("_", " ").capitalize()
    return ActField(
        name=name,
        label=label,
        hint=info.description or "",
        shape=_shape(kind, choice),
        required=info.is_required(),
        choice=str(choice) if choice else None,
        positional=bool(extra.get("positional")),
        default=None if info.is_required() else info.get_default(call_default_factory=False),
        model=kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None,
    )


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
}


def _shape(kind: Any, choice: object) -> Shape:
    if choice and kind is str:
        return Shape.CHOICE
    if get_origin(kind) is tuple:
        return Shape.AGREEMENTS if _bare(get_args(kind)[0]) is AgreementName else Shape.LINES
    return _SHAPES.get(kind, Shape.PART)
