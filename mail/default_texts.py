"""Default texts: what a notice has to say at once in some state, and what needs no finding out.

They are data, one file a state in ``config/notices/blocks/``, each text with its sources and the day on which somebody
read them. Addresses and telephone numbers go stale, so a production start refuses texts older than a year.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mail.facts import Block, Line, Sender
from models.enums import Party, PerformedBy
from models.errors import ConfigurationError
from terms.catalogue import Catalogue
from terms.effective import effective_terms

FOLDER = Path(__file__).resolve().parent.parent / "config" / "notices" / "blocks"
"""Where the texts are."""

TOLD_BY_THE_CASE = "told-by-the-case.yaml"

OLDEST = timedelta(days=366)
"""How long ago a text may have been checked."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Frozen):
    """Where something in a text comes from: what it is about, and the page or provision."""

    says: Line
    found: Line


class DefaultText(_Frozen):
    """What is said of one content element where the case knows nothing of it.

    Attributes:
        goes: ``unless_told``, where what the case has learnt takes its place; or ``with_what_is_told``, after that, so
            that the element is known in part before anything is learnt.
        person: whom the text is followed by: a person whom the sender names for this.
        checked: the day on which somebody last read the sources.
    """

    text: Annotated[Block, Field(min_length=1)]
    goes: Literal["unless_told", "with_what_is_told"]
    person: Literal["point_of_contact", "parents_contact"] | None = None
    checked: date
    sources: tuple[Source, ...] = Field(min_length=1)

    def said_by(self, sender: Sender) -> str:
        """The text as a sender gives it, with the person that it names."""
        match self.person:
            case None:
                return self.text
            case "point_of_contact":
                return f"{self.text}\n{sender.point_of_contact}"
            case "parents_contact":
                return f"{self.text}\n{sender.parents_contact}"


class _StateFile(_Frozen):
    """``<state>.yaml``: the texts of one state, by content element."""

    state: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    blocks: dict[str, DefaultText]


class _ToldFile(_Frozen):
    """``told-by-the-case.yaml``."""

    elements: frozenset[str]


@dataclass(frozen=True)
class DefaultTexts:
    """Every default text there is.

    Attributes:
        by_state: the texts of each state, by postal abbreviation and content element.
        told_by_the_case: what is required at once and only the case itself can tell.
    """

    by_state: Mapping[str, Mapping[str, DefaultText]]
    told_by_the_case: frozenset[str]

    def of(self, state: str) -> Mapping[str, DefaultText]:
        """The texts of a state, by content element; most states need none."""
        return self.by_state.get(state, {})


@cache
def load_default_texts(folder: Path = FOLDER, own: Path | None = None) -> DefaultTexts:
    """Read the default texts, once for each folder; those of an organisation's ``own`` stand in place of the shipped.

    Raises:
        ConfigurationError: a file cannot be used; it is named.
    """
    states = _states(folder)
    for state, blocks in _states(own).items() if own else ():
        states[state] = {**states.get(state, {}), **blocks}
    return DefaultTexts(states, _read(folder / TOLD_BY_THE_CASE, _ToldFile).elements)


def _states(folder: Path) -> dict[str, dict[str, DefaultText]]:
    files = [_read(path, _StateFile) for path in sorted(folder.glob("*.yaml")) if path.name != TOLD_BY_THE_CASE]
    return {file.state: file.blocks for file in files}


def check_default_texts(texts: DefaultTexts, catalogue: Catalogue, today: date) -> None:
    """Refuse to send in production without a text that a clause needs, or with one that was checked too long ago.

    Raises:
        ConfigurationError: for the first one, by its state and content element.
    """
    for state, element in _needed(texts, catalogue, today):
        if element not in texts.of(state):
            raise ConfigurationError(
                f"Notices in {state} have to say {element} at once, and there is no default text for it.",
                where=f"config/notices/blocks/{state.lower()}.yaml",
                next_step="Write one, with its sources and the day on which they were read.",
            )
    for state, blocks in texts.by_state.items():
        for element, text in blocks.items():
            if today - text.checked > OLDEST:
                raise ConfigurationError(
                    f"The default text for {element} was last checked on {text.checked}, more than a year ago.",
                    where=f"config/notices/blocks/{state.lower()}.yaml",
                    next_step="Read its sources again, correct the text, and write down the day.",
                )


def _needed(texts: DefaultTexts, catalogue: Catalogue, today: date) -> Iterator[tuple[str, str]]:
    """What the provider's notices have to say at once in each state, and nobody knows by themselves."""
    for form in catalogue.forms:
        for state in catalogue.states(form):
            for clause in effective_terms(catalogue, form, state, on=today).clauses.values():
                if clause.performed_by is not PerformedBy.NOTICE or clause.owed_by is not Party.PROVIDER:
                    continue
                for element in clause.contents:
                    told = element.id in texts.told_by_the_case or not element.source.startswith("fact:")
                    if element.required == "at_once" and not told:
                        yield state, element.id


_File = TypeVar("_File", bound=_Frozen)


def _read(path: Path, of: type[_File]) -> _File:
    try:
        return of.model_validate(yaml.safe_load(path.read_bytes()))
    except OSError as error:
        problem = f"It cannot be read: {error.strerror}."
    except yaml.YAMLError:
        problem = "It is not YAML."
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}."
    raise ConfigurationError(problem, where=str(path), next_step="Correct the file.")
