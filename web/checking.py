"""*Check your answers*: what was given and what would follow, shown before anything of it is recorded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from http import HTTPStatus

from fastapi import Request
from pydantic import BaseModel
from starlette.datastructures import FormData
from starlette.responses import Response

from cases.fields import FormField
from cases.intake import ApproximateTime
from cases.values import AgreementName, KeptFile, KeptReferences, KeptText
from models.errors import DuenoticeError
from models.phrases import day_words
from starter.case_service import Checked
from web.failures import status_of
from web.pages import problems_of
from web.paging import read_page
from web.site import Site, text_of
from web.times import local

CHECKED = "checked"
"""The field by which a form says that a person has seen what would follow."""

CONFIRMED = "dates_confirmed"
"""The tick by which a person says that dates are meant which hardly are."""

CHANGE = "change"
"""The button that leads back, with everything kept."""

LOOK = "look-"
"""How the buttons begin that show another page of what would follow; its number comes next."""

LINES_SHOWN = 50
"""How many lines of what would follow a page shows: thousands of agreements can have as many due instants."""

NAMED = 10
"""How many of the agreements that were chosen are named; the others are counted."""

_NOT_KEPT = frozenset({"form_token", CHECKED, CONFIRMED, "act"})

Line = tuple[str, str]


@dataclass(frozen=True)
class ToCheck:
    """What is shown before it is recorded.

    Attributes:
        title: what is about to be done.
        button: the button that does it.
        address: where the form goes.
        says: what people call each field, by its name.
        given: what was given, in words, by what people call it.
        kept: the values that the form carries along, by the names of its fields.
    """

    title: str
    button: str
    address: str
    says: dict[str, str]
    given: tuple[Line, ...]
    kept: tuple[Line, ...]


def was_checked(form: FormData) -> bool:
    """Whether a person has seen what would follow from this form, and does not want to see more of it."""
    return bool(text_of(form, CHECKED)) and not page_asked(form)


def page_asked(form: FormData) -> str:
    """Which page of what would follow is asked for; blank if none is."""
    button = text_of(form, "act")
    return button.removeprefix(LOOK) if button.startswith(LOOK) else ""


def confirms_dates(form: FormData) -> bool:
    """Whether a person said that dates are meant which hardly are."""
    return bool(text_of(form, CONFIRMED))


def kept_values(form: FormData) -> tuple[Line, ...]:
    """Everything that a form gives as text, so that it is given again; what only its buttons say is left out."""
    return tuple(
        (name, value) for name, value in form.multi_items() if isinstance(value, str) and name not in _NOT_KEPT
    )


def show_check(
    request: Request, site: Site, asked: ToCheck, checked: Checked, page: str, error: DuenoticeError | None = None
) -> Response:
    """The page on which a person checks what would follow; ``error`` is why it was not recorded at once."""
    lines = checked.foreseen.duties
    return site.pages.show(
        request,
        "check.html",
        status=status_of(error) if error else HTTPStatus.OK,
        asked=asked,
        checked=checked,
        foreseen=checked.foreseen,
        lines=read_page(lambda offset, limit: (lines[offset : offset + limit], len(lines)), page, LINES_SHOWN),
        problems=problems_of(error) if error else (),
    )


def in_words(model: BaseModel, fields: Iterable[FormField], zone: str) -> tuple[Line, ...]:
    """What was given for each field of an intake or an act, as people call both; times in ``zone``."""
    lines = ((field.label, _given(field, getattr(model, field.name), zone or "UTC")) for field in fields)
    return tuple((label, words) for label, words in lines if words)


def _given(field: FormField, value: object, zone: str) -> str:
    words = _words(value, zone)
    return dict(field.named_options).get(words, words)


def _words(value: object, zone: str) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{local(value, zone)} ({zone})"
        case date():
            return day_words(value)
        case ApproximateTime(at=at, first_day=first, last_day=last):
            known = [_words(part, zone) for part in (at, first, last) if part]
            return " to ".join(known) or "not known yet"
        case KeptFile(sha256=sha256):
            return f"a file, SHA-256 {sha256[:12]}…"
        case KeptText(content=content):
            return (content or b"").decode()
        case KeptReferences(references=references):
            return _some(references)
        case AgreementName(reference=reference):
            return reference or ""
        case tuple():
            return _some([_words(member, zone) for member in value])
        case _:
            return str(value)


def _some(names: Iterable[str]) -> str:
    every = list(names)
    more = len(every) - NAMED
    return ", ".join(every[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
