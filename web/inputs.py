"""Reading what a person typed or chose for one field of a form, be it an act's or an intake's."""

from __future__ import annotations

from typing import assert_never

from cases.fields import FormField, Shape
from models.errors import InvalidInput
from web.site import id_of
from web.times import read_date, read_instant


def read_text(field: FormField, text: str, zone: str) -> object:
    """Return what the text of one input gives for a field, or None where it gives nothing.

    ``zone`` is the time zone of times that carry no offset of their own.

    Raises:
        InvalidInput: it gives nothing that can be read, or nothing where the field must be given.
        TypeError: the field is given by more than one text.
    """
    where = field.name
    match field.shape:
        case Shape.INSTANT:
            instant = read_instant(text, zone, where)
            if instant is None and field.required:
                raise InvalidInput("It is empty.", where=where, next_step="Give the date and time.")
            return instant
        case Shape.DAY:
            day = read_date(text, where)
            if day is None and field.required:
                raise InvalidInput("It is empty.", where=where, next_step="Give the date.")
            return day
        case Shape.TICK:
            return bool(text)
        case Shape.CHOICE:
            if not text and field.required:
                raise InvalidInput("Nothing is chosen.", where=where, next_step="Choose one.")
            if text and field.options and text not in field.options:
                raise InvalidInput("This is not one of those to choose from.", where=where, next_step="Choose one.")
            return text or None
        case Shape.MADE:
            return id_of(text)
        case Shape.AGREEMENTS:
            return text.split()
        case Shape.LINES:
            return text.splitlines()
        case Shape.LINE | Shape.TEXT | Shape.AGREEMENT:
            return text if text or field.required else None
        case Shape.FILE | Shape.REFERENCES | Shape.PERSON | Shape.APPROXIMATE_TIME:
            raise TypeError(f"{field.shape} is not one text: {field.name}")
        case _:
            assert_never(field.shape)
