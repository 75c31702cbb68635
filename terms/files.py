"""Reading one clause file: YAML with line numbers, checked against its shape, every problem reported at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from yaml.constructor import SafeConstructor

from terms.errors import ClauseFileError, FileProblem

Model = TypeVar("Model", bound=BaseModel)
Step = str | int
Place = tuple[Step, ...]
"""Where a value stands in a file: the keys and list positions that lead to it."""


@dataclass(frozen=True, slots=True)
class ClauseFile(Generic[Model]):
    """A checked file with the line of each of its places, so that later checks can point at lines too."""

    path: Path
    content: Model
    lines: dict[Place, int]

    def problem(self, place: Place, message: str) -> FileProblem:
        """A problem at a place, or at the nearest enclosing place that is written in the file."""
        return FileProblem(_line_of(self.lines, place), message)


def read_clause_file(path: Path, shape: type[Model]) -> ClauseFile[Model]:
    """Read and check one file.

    Raises:
        ClauseFileError: with every problem and its line.
    """
    reading = _Reading()
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except OSError as error:
        raise ClauseFileError(path, (FileProblem(1, f"the file cannot be read: {error.strerror}."),)) from None
    except UnicodeDecodeError:
        raise ClauseFileError(path, (FileProblem(1, "the file is not UTF-8 text."),)) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ClauseFileError(path, (FileProblem(line, f"this is not YAML: {error.problem}."),)) from None
    if node is None:
        raise ClauseFileError(path, (FileProblem(1, "the file is empty."),))
    values = reading.value(node, ())
    try:
        content = shape.model_validate(values)
    except ValidationError as invalid:
        reading.problems += [
            FileProblem(_line_of(reading.lines, error["loc"]), _sentence(error)) for error in invalid.errors()
        ]
        raise ClauseFileError(path, tuple(reading.problems)) from None
    if reading.problems:
        raise ClauseFileError(path, tuple(reading.problems))
    return ClauseFile(path, content, reading.lines)


def _line_of(lines: dict[Place, int], place: Place) -> int:
    """The line of a place or, where it is not written, of the nearest place around it."""
    while place not in lines:
        place = place[:-1]
    return lines[place]


@dataclass(slots=True)
class _Reading:
    """Turns YAML nodes into plain values and notes the line of each place and any repeated key."""

    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[FileProblem] = field(default_factory=list)
    scalar: Callable[[yaml.Node], object] = field(default_factory=lambda: SafeConstructor().construct_object)

    def value(self, node: yaml.Node, place: Place) -> object:
        self.lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*place, n)) for n, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        try:
            return self.scalar(node)
        except ValueError:  # such as the 31st of February, which has the form of a date
            self.problems.append(FileProblem(self.lines[place], f"{node.value} is no value."))
            return None

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, object]:
        found: dict[str, object] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in found:
                self.problems.append(FileProblem(line, f"the key {key!r} is given twice."))
            self.lines[(*place, key)] = line
            found[key] = self.value(value_node, (*place, key))
        return found


def _sentence(error: ErrorDetails) -> str:
    key = next((part for part in reversed(error["loc"]) if isinstance(part, str)), "")
    match error["type"]:
        case "extra_forbidden":
            return f"the key {key!r} is not known here."
        case "missing":
            return f"the key {key!r} is missing."
        case "value_error":
            return error["msg"].removeprefix("Value error, ")
        case _ if key == "[key]":
            return f"the key {error['loc'][-2]!r} has the wrong shape: {error['msg']}."
        case _:
            return f"{key!r} has a wrong value: {error['msg']}."
