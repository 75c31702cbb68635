"""Acts as forms: what a page shows for each field of an act, and how a posted form is read."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import FormData

from agreements.references import references_in_csv
from cases.acts import Act, parse_act
from cases.fields import FormField, Shape, fields_of
from models.errors import InvalidInput
from web.files import files_of
from web.inputs import read_text
from web.site import text_of


@dataclass(frozen=True)
class ActForm:
    """One act as a page offers it."""

    act: str
    label: str
    says: str
    done_says: str
    fields: tuple[FormField, ...]
    stands_alone: bool

    @property
    def has_instants(self) -> bool:
        """Whether the form needs a time zone."""
        return any(field.shape is Shape.INSTANT for field in self.fields)


def act_form(act: type[Act]) -> ActForm:
    """The form of an act."""
    return ActForm(act.act_name(), act.called(), act.says(), act.done_says, fields_of(act), act.stands_alone)


async def read_act(act: type[Act], form: FormData) -> Act:
    """Read an act from a posted form.

    Raises:
        InvalidInput: a value is missing or not of its kind; ``where`` names the field.
    """
    given: dict[str, object] = {"act": act.act_name()}
    for field in fields_of(act):
        value = await _value(field, form)
        if value is not None:
            given[field.name] = value
    return parse_act(given)


async def _value(field: FormField, form: FormData) -> object:
    """What a form gives for a field, or None where it gives nothing."""
    text = text_of(form, field.name)
    match field.shape:
        case Shape.FILE:
            files = await files_of(form, field.name)
            if not files and field.required:
                raise InvalidInput("No file is chosen.", where=field.name, next_step="Choose the one that is meant.")
            return files[0].content if files else None
        case Shape.REFERENCES:
            files = await files_of(form, "file")
            lists = (references_in_csv(file.content.decode("utf-8", "replace")) for file in files)
            return [*text.split(), *(reference for found in lists for reference in found)]
        case _:
            return read_text(field, text, text_of(form, "zone"))
