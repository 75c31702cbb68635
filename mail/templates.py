"""The templates that every mail is written from: those of ``config/notices/``, and an organisation's own before them.

An organisation's own stand in a folder of its own under the same names. They are read once, when the program starts,
so that what is changed in the folder afterwards counts from the next start, after it was checked
(``mail.template_check``). Where one cannot say what is to be said, the shipped ones do: what is due leaves all the
same.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import CodeType, MappingProxyType
from typing import TypeVar

from jinja2 import BytecodeCache, ChoiceLoader, Environment, FileSystemLoader, FunctionLoader, StrictUndefined
from jinja2.bccache import Bucket
from jinja2.sandbox import ImmutableSandboxedEnvironment

from config.logging import get_logger
from mail.default_texts import FOLDER as BLOCKS
from mail.default_texts import DefaultTexts, load_default_texts
from mail.wording import anchor_in_words, begins, date_in_words, local_instant, utc_instant, wrap
from models.errors import ConfigurationError
from models.phrases import counted, day_words, instant_words

TEMPLATES = Path(__file__).resolve().parent.parent / "config" / "notices"
"""Where the shipped templates are."""

SUFFIX = ".j2"

_STATE_TEXTS = re.compile(r"blocks/[a-z]{2}\.yaml")
"""The names of files of default texts, which are data."""

LARGEST = 256 * 1024
"""How many bytes a template may have."""

_log = get_logger("templates")

Written = TypeVar("Written")


@dataclass(frozen=True, eq=False)
class Templates:
    """Templates to write mails from, compiled for each of the two layouts.

    Attributes:
        own: the text of each template that is an organisation's own, by its name.
        folder: where these were read.
    """

    own: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    environments: Mapping[str, Environment] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Prepare an environment for each layout.

        Not one that escapes by file name: the sentences that both layouts import must be escaped in HTML, and Jinja
        decides that by the environment in which they were compiled.
        """
        html = _environment(self.own, self.folder)
        environments = {"html": html, "txt": html.overlay(autoescape=False, bytecode_cache=_Compiled())}
        object.__setattr__(self, "environments", MappingProxyType(environments))

    @property
    def default_texts(self) -> DefaultTexts:
        """What notices say at once where the case knows nothing of it, by state.

        Raises:
            ConfigurationError: a file cannot be used; it is named.
        """
        return load_default_texts(BLOCKS, self.folder / BLOCKS.name) if self.folder else load_default_texts()

    @property
    def text(self) -> Environment:
        """The environment of plain text."""
        return self.environments["txt"]

    def write(self, write: Callable[[Templates], Written], lost: Callable[[Written], Collection[str]]) -> Written:
        """What is written from these; from the shipped ones where an own one fails, or loses what has to be said.

        Args:
            write: writes from some templates.
            lost: what something written does not say and has to.
        """
        if not self.own:
            return write(self)
        try:
            written = write(self)
            missing = lost(written)
        except Exception as error:  # whatever somebody's template does
            _log.warning("own template failed, the shipped one is used", error=type(error).__name__)
            return write(SHIPPED)
        if missing:
            _log.warning("own template loses what has to be said, the shipped one is used", lost=len(missing))
            return write(SHIPPED)
        return written


@cache
def load_templates(folder: Path | None) -> Templates:
    """The templates of an organisation before the shipped ones, read once for each folder; None has the shipped ones.

    Raises:
        ConfigurationError: a file cannot be read, or is no template; it is named.
    """
    if folder is None:
        return SHIPPED
    if not os.path.isdir(folder):  # unlike Path's, it takes any name
        raise ConfigurationError(
            "There is no such folder.", where=str(folder), next_step="Make it, or unset DUENOTICE_TEMPLATES."
        )
    return Templates(own={name: _read(folder / name) for name in _names_in(folder)}, folder=folder)


def _names_in(folder: Path) -> list[str]:
    """The names of the files in a folder; what is hidden, and a README, is no template."""
    known = shipped_names()
    names = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_dir() or hidden or path.name.startswith("README"):
            continue
        if _STATE_TEXTS.fullmatch(name):
            continue  # read with the other default texts
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise ConfigurationError(
                "There is no mail whose template is called so.",
                where=str(path),
                next_step=f"Did you mean {close[0]}?" if close else "`duenotice templates list` names all.",
            )
        names.append(name)
    return names


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise ConfigurationError("A template this large is none.", where=str(path), next_step="Take it away.")
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        says = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(
            f"This template cannot be read: {says}.", where=str(path), next_step="Correct the file, or take it away."
        ) from None


def shipped_names() -> frozenset[str]:
    """The names of all shipped templates, such as ``clauses/<clause>.j2``."""
    return frozenset(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob(f"*{SUFFIX}"))


def _environment(own: Mapping[str, str], folder: Path | None) -> Environment:
    def load(name: str) -> tuple[str, str, None] | None:
        return (own[name], str((folder or TEMPLATES) / name), None) if name in own else None

    # What others wrote reaches nothing but what it is given.
    kind = ImmutableSandboxedEnvironment if own else Environment
    environment = kind(
        loader=ChoiceLoader([FunctionLoader(load), FileSystemLoader(TEMPLATES), FunctionLoader(_outside)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        bytecode_cache=_Compiled(),
    )
    environment.filters |= {
        "local": local_instant,
        "utc": utc_instant,
        "when": anchor_in_words,
        "begins": begins,
        "date": date_in_words,
        "wrap": wrap,
        "instant": instant_words,
        "day": day_words,
        "counted": counted,
        "number": _number,
        "percent": _percent,
    }
    return environment


class _Compiled(BytecodeCache):
    """The templates of one layout as they were compiled, which takes longer than writing a hundred notices.

    So an overlay of its environment (``mail.cohorts``) does not compile them again.
    """

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give a template's code, if the same text was compiled under its name."""
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template's code."""
        if bucket.code:
            self._codes[bucket.key, bucket.checksum] = bucket.code


def _outside(name: str) -> str | None:
    """The template ``package:file``, which stands in a package outside the project; None for any other name."""
    package, colon, file = name.partition(":")
    found = files(package).joinpath(file) if colon else None
    return found.read_text("utf-8") if found and found.is_file() else None


def _number(number: int) -> str:
    """A number with its thousands parted: ``18,000``."""
    return f"{number:,}"


def _percent(part: float) -> str:
    """A part of a whole: ``75%``."""
    return f"{part:.0%}"


SHIPPED = Templates()
"""The templates as they are shipped."""
