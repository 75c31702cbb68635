"""The fields of an intake with the words that clauses decide on, such as the duties that a case may be about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Protocol

from cases.fields import FormField, fields_of
from cases.kind import Kind


class Chooses(Protocol):
    """What ``Kind.chooses`` names."""

    def __call__(self) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """By field of the intake, each word that may be chosen with what people call it."""


def intake_fields(kind: Kind) -> tuple[FormField, ...]:
    """What is asked when a case of a kind is opened, in order."""
    fields = fields_of(kind.intake)
    if kind.chooses is None:
        return fields
    module, _, name = kind.chooses.partition(":")
    chooses: Chooses = getattr(import_module(module), name)
    words = chooses()
    return tuple(_with_words(field, words[field.name]) if field.name in words else field for field in fields)


def _with_words(field: FormField, words: tuple[tuple[str, str], ...]) -> FormField:
    return replace(field, options=tuple(word for word, _ in words), names=tuple(name for _, name in words))
