"""Composing many notices that differ only in what is their recipient's own: byte for byte as ``mail.compose`` would.

The first notices of a cohort are composed plainly. Then the cohort's skeleton is rendered: once, with a mark in place
of each of the recipient's own facts, and of the instant of the notice. What has no mark in it is encoded then; for each
recipient only the lines with marks are written. A filter that is given a mark, as one that wraps lines, waits for the
recipient.

A template that branches on a recipient's own text has no skeleton: asking a mark anything raises, and each of its
notices is composed plainly; where it compares a recipient's date, so is each for whom that comes out otherwise than
for the first. So is a cohort whose first notice does not come out of the skeleton as it was composed.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import cache, cached_property, wraps
from itertools import groupby
from operator import attrgetter
from threading import Lock
from typing import Any, NoReturn, TypeAlias, cast
from zoneinfo import ZoneInfo

from jinja2 import Environment, TemplateError
from markupsafe import Markup, escape
from pydantic import HttpUrl

from mail.compose import Addressing, Bodies, ComposedNotice, compose, message_of, quoted, render
from mail.default_texts import DefaultTexts
from mail.drafting import Draft, write_facts
from mail.facts import (
    TO_FOLLOW,
    EarlierNotice,
    ElementStatus,
    Mailbox,
    NoticeFacts,
    SignedAgreement,
    clean_block,
    clean_line,
)
from mail.templates import SHIPPED, Templates
from terms.catalogue import Catalogue

_MARK = re.compile("[\U000f0000-\U000ffffd]")
"""A mark is one character of a plane that is for private use: escaping and cleaning leave it as it is."""

_WITH_MARKS = re.compile(f"({_MARK.pattern})")

_FIRST_MARK = 0xF0000

_LINE = re.compile(r"[^\n]*\n|[^\n]+")

SAMPLES = 3
"""How many notices of a cohort are composed plainly first: its skeleton has to give each of them as it is."""

REMEMBERED = 64
"""How many cohorts are kept, those that were written to last: batches leave at the same time."""


@dataclass(frozen=True)
class Written:
    """A notice as it was composed: what it gave, what it said would follow, and its bytes."""

    given: tuple[str, ...]
    lacking: tuple[str, ...]
    raw: bytes = field(repr=False)
    cohort: _Cohort = field(repr=False, compare=False)

    @property
    def outline(self) -> bytes | None:
        """What all notices of its cohort say alike, as it stands in each; None where that is not known."""
        return self.cohort.outline


class _Branches(Exception):
    """A template asked something of a recipient's own fact, or only plain composition can judge such a fact."""


class Cohorts:
    """Composes notices, finding out which of them make a cohort; several threads may write at once."""

    def __init__(self, catalogue: Catalogue, texts: DefaultTexts, templates: Templates = SHIPPED) -> None:
        self._catalogue = catalogue
        self._texts = texts
        self._templates = templates
        self._cohorts: list[_Cohort] = []
        self._lock = Lock()

    def write(self, draft: Draft, addressing: Addressing) -> Written:
        """Compose one notice.

        Raises:
            ValueError: there is nothing to say, or a fact is not one that can be said.
        """
        return self._cohort(_common(draft)).write(draft, addressing)

    def _cohort(self, common: _Common) -> _Cohort:
        """The cohort of what some notices say alike, which comes first from now on; the last ones are let go of."""
        with self._lock:
            place = next((place for place, known in enumerate(self._cohorts) if known.common == common), None)
            cohort = self._new(common) if place is None else self._cohorts.pop(place)
            cohort.common = common  # the next comparison finds the very same values
            self._cohorts.insert(0, cohort)
            del self._cohorts[REMEMBERED:]
        return cohort

    def _new(self, common: _Common) -> _Cohort:
        return _Cohort(common, lambda draft: write_facts(draft, self._catalogue, self._texts), self._templates)


@dataclass(frozen=True)
class _Sample:
    """A notice of a cohort that was composed plainly."""

    draft: Draft
    addressing: Addressing
    composed: ComposedNotice


class _Cohort:
    """Notices that say the same but for what is their recipient's own."""

    def __init__(self, common: _Common, facts: Callable[[Draft], NoticeFacts], templates: Templates) -> None:
        self.common = common
        self._facts = facts
        self._templates = templates
        self._samples: list[_Sample] = []
        self._said: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self._skeleton: _Skeleton | None = None
        self._is_tried = False
        self._lock = Lock()

    @property
    def outline(self) -> bytes | None:
        """What its notices say alike."""
        return self._skeleton.outline if self._skeleton else None

    def write(self, draft: Draft, addressing: Addressing) -> Written:
        """Compose another notice of the cohort."""
        with suppress(_Branches):
            if self._skeleton:
                return Written(*self._said, self._skeleton.fill(draft, addressing), self)
        facts = self._facts(draft)
        composed = compose(facts, addressing, templates=self._templates)
        with self._lock:
            if not self._is_tried:
                self._try(facts, _Sample(draft, addressing, composed))
        return Written(*self._said, composed.raw, self)

    def _try(self, facts: NoticeFacts, sample: _Sample) -> None:
        """Make the skeleton, once there are samples enough."""
        self._said = _said(facts)
        self._samples.append(sample)
        if len(self._samples) == SAMPLES:
            self._skeleton = self._made()
            self._samples, self._is_tried = [], True

    def _made(self) -> _Skeleton | None:
        if any(_MARK.search(sample.composed.text + sample.composed.html) for sample in self._samples):
            return None  # somebody typed a character that is a mark here
        try:
            skeleton = _Skeleton(self._facts, self._samples[0], self._templates)
            same = all(skeleton.fill(each.draft, each.addressing) == each.composed.raw for each in self._samples)
        except (_Branches, TemplateError, ArithmeticError, LookupError, TypeError, ValueError):
            return None  # what a template does with a mark cannot be foreseen
        return skeleton if same else None


def _said(facts: NoticeFacts) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The elements that a notice gives, and those that it says will follow."""
    given = tuple(element.id for element in facts.elements if element.status is not ElementStatus.NOT_YET_KNOWN)
    return given, tuple(element.id for element in facts.elements if element.status in TO_FOLLOW)


_Common: TypeAlias = tuple[object, ...]
"""What the notices of a cohort say alike."""

_OWN = {"reader", "agreement", "lea", "noticed_at", "follows", "acknowledge_url"}
_OWN_OF_AGREEMENT = {"reference", "provider", "lea", "signed_on"}
_ALIKE = attrgetter(
    *(part.name for part in fields(Draft) if part.name not in _OWN),
    *(f"agreement.{name}" for name in SignedAgreement.model_fields if name not in _OWN_OF_AGREEMENT),
)


def _common(draft: Draft) -> _Common:
    """What a draft says that is not its recipient's own, and how much of that there is.

    A notice shows its instant; its day may also be a fact that its terms require.
    """
    day = draft.noticed_at.astimezone(ZoneInfo(draft.zone)).date()
    lines = clean_block(draft.lea).count("\n")
    return (day, lines, draft.follows is None, draft.acknowledge_url is None, *_ALIKE(draft))


_NOBODY = "-"
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def _to_nobody(draft: Draft) -> Draft:
    """A draft with nothing in it that is a recipient's own."""
    agreement = {"reference": _NOBODY, "provider": _NOBODY, "lea": _NOBODY, "signed_on": _LONG_AGO.date()}
    return replace(
        draft,
        reader=_NOBODY,
        agreement=draft.agreement.model_copy(update=agreement),
        lea="\n".join(_NOBODY for _ in clean_block(draft.lea).split("\n")),
        follows=_NOBODYS.model_copy(update={"given_at": _LONG_AGO}) if draft.follows else None,
        acknowledge_url=_NO_URL if draft.acknowledge_url else None,
    )


def _addressed_to_nobody(addressing: Addressing) -> Addressing:
    return Addressing(
        message_id="<nobodys@example.org>",
        sender=addressing.sender,
        to=(_NOBODYS_MAILBOX,),
        copies=(_NOBODYS_MAILBOX,) if addressing.copies else (),
    )


_NOBODYS_MAILBOX = Mailbox(name="", email="nobody@example.org")
_NO_URL = HttpUrl("https://example.org/")
_NOBODYS = EarlierNotice(message_id="<nobodys@example.org>", given_at=datetime.min.replace(tzinfo=UTC))


@dataclass(frozen=True)
class _Own:
    """What is a recipient's own in a notice, cleaned as its facts are."""

    draft: Draft
    reader: str
    lea: list[str]
    found: list[object] = field(default_factory=list)
    """What stands in place of each mark, by its number."""

    @cached_property
    def shown(self) -> _Shown:
        """The same as it stands in a text."""
        return _Shown(self.found, str)

    @cached_property
    def escaped(self) -> _Shown:
        """The same as it stands in markup."""
        return _Shown(self.found, lambda found: str(escape(found)))

    @classmethod
    def of(cls, draft: Draft) -> _Own:
        reader, lea = clean_line(draft.reader), clean_block(draft.lea).split("\n")
        if not (reader and all(lea)):
            raise _Branches
        return cls(draft, reader, lea)


class _Shown(dict[int, str]):
    """What stands in place of marks as it is written somewhere, worked out where it is asked for."""

    def __init__(self, found: Sequence[object], write: Callable[[object], str]) -> None:
        self._found = found
        self._write = write

    def __missing__(self, number: int) -> str:
        """Work it out, once."""
        shown = self[number] = self._write(self._found[number])
        return shown


_Value: TypeAlias = Callable[[_Own], object]


class _Skeleton:
    """A cohort's notice with marks, rendered, and encoded as far as it can be.

    Raises:
        _Branches: a template asked something of a mark.
    """

    def __init__(self, facts: Callable[[Draft], NoticeFacts], sample: _Sample, templates: Templates) -> None:
        self._marks = marks = _Marks(_Own.of(sample.draft))
        self._sample = sample
        said = _marked(facts, sample.draft, marks)
        with marks.in_use():
            rendered = render(said, waiting(templates))
        self._contact = said.sender.contact
        self._subject = _Parted(rendered.subject)
        self._text, self._html = _Layout(rendered.text), _Layout(Markup(rendered.html))  # noqa: S704 (it was escaped as it was rendered)

    @cached_property
    def outline(self) -> bytes:
        """What all notices of its cohort say alike: the notice to nobody, or else what has no mark in it."""
        sample = self._sample
        try:
            return self.fill(_to_nobody(sample.draft), _addressed_to_nobody(sample.addressing))
        except (_Branches, ArithmeticError, LookupError, TypeError, ValueError):
            return self._text.encoded + self._html.encoded

    def fill(self, draft: Draft, addressing: Addressing) -> bytes:
        """The notice to one recipient.

        Raises:
            _Branches: only plain composition can judge what is its own.
        """
        own = _Own.of(draft)
        if not self._marks.hold_for(own):
            raise _Branches
        self._marks.work_out(own)
        subject = self._subject.filled(own)
        follows = draft.follows.message_id if draft.follows else None
        bodies = Bodies(self._text.fill(own), self._html.fill(own))
        return message_of(addressing, subject, bodies, contact=self._contact, at=draft.noticed_at, follows=follows)


def _marked(facts: Callable[[Draft], NoticeFacts], draft: Draft, marks: _Marks) -> NoticeFacts:
    """The facts of a notice with a mark in place of each of its recipient's own; they are not validated again."""
    count = clean_block(draft.lea).count("\n") + 1
    lea = _Text("\n".join(marks.text(_line_of_lea(number)) for number in range(count)))
    plain = facts(replace(draft, lea=str(lea)))
    agreement = plain.agreement.model_copy(
        update={
            "reference": marks.text(lambda own: own.draft.agreement.reference),
            "provider": marks.text(lambda own: own.draft.agreement.provider),
            "lea": marks.text(lambda own: own.draft.agreement.lea),
            "signed_on": marks.fact(lambda own: own.draft.agreement.signed_on),
        }
    )
    changed: dict[str, object] = {
        "reader": marks.text(lambda own: own.reader),
        "agreement": agreement,
        "noticed_at": marks.fact(lambda own: own.draft.noticed_at),
        "elements": tuple(
            element.model_copy(update={"value": lea}) if element.value == str(lea) else element
            for element in plain.elements
        ),
    }
    if plain.follows:
        given_at = marks.fact(lambda own: own.draft.follows and own.draft.follows.given_at)
        changed["follows"] = plain.follows.model_copy(update={"given_at": given_at})
    if plain.acknowledge_url:
        changed["acknowledge_url"] = marks.fact(lambda own: own.draft.acknowledge_url)
    return plain.model_copy(update=changed)


def _line_of_lea(number: int) -> _Value:
    return lambda own: own.lea[number]


class _Marks:
    """The marks of one skeleton: what stands in its place for one recipient."""

    def __init__(self, first: _Own) -> None:
        self._first = first
        self._values: list[_Value] = []
        self._assumed: list[tuple[_Value, object]] = []

    def hold_for(self, own: _Own) -> bool:
        """Whether what a template compared comes out for a recipient as it did for the first."""
        return all(value(own) == answer for value, answer in self._assumed)

    def _assume(self, value: _Value) -> object:
        answer = value(self._first)
        self._assumed.append((value, answer))
        return answer

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let filters wait by marks of this skeleton."""
        token = _in_use.set(self)
        try:
            yield
        finally:
            _in_use.reset(token)

    def text(self, value: _Value) -> _Text:
        """A mark where a text would be."""
        self._values.append(value)
        return _Text(chr(_FIRST_MARK + len(self._values) - 1))

    def fact(self, value: _Value) -> _Fact:
        """A mark where something else would be, as a date."""
        return _Fact(self.text(value), value, self._assume)

    def work_out(self, own: _Own) -> None:
        """What stands in each mark's place for one recipient; a filter that waited was given marks made before it."""
        for value in self._values:
            own.found.append(value(own))


def _given(word: object) -> _Value:
    """What a filter that waits is given for a recipient in place of one of its words."""
    if isinstance(word, _Fact):
        return word.value
    if isinstance(word, str) and _is_marked(word):
        filled = _Parted(word).filled
        return (lambda own: Markup(filled(own))) if isinstance(word, Markup) else filled  # noqa: S704 (what was put in is escaped)
    return lambda _: word


class _Parted:
    """A text parted at its marks once, so that it is only joined for a recipient; markup takes what is escaped."""

    def __init__(self, text: str) -> None:
        self._parts = _WITH_MARKS.split(text)  # marks stand at the odd places
        self._numbers = [ord(mark) - _FIRST_MARK for mark in self._parts[1::2]]
        self._is_markup = isinstance(text, Markup)

    def filled(self, own: _Own) -> str:
        """The text with its marks replaced."""
        known, parts = own.escaped if self._is_markup else own.shown, self._parts.copy()
        parts[1::2] = [known[number] for number in self._numbers]
        return "".join(parts)


_in_use: ContextVar[_Marks] = ContextVar("marks in use")


def _waiting(environment: Environment) -> Environment:
    """An environment whose filters wait where they are given a mark, and whose tests refuse one."""
    overlay = environment.overlay()
    overlay.filters = {name: _filter(work) for name, work in environment.filters.items()}
    overlay.tests = {name: _test(cast(Callable[..., Any], work)) for name, work in environment.tests.items()}
    return overlay


def _filter(work: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(work)
    def filtered(*words: Any, **options: Any) -> Any:
        if not any(map(_is_marked, (*words, *options.values()))):
            return work(*words, **options)
        given, named = list(map(_given, words)), {name: _given(word) for name, word in options.items()}

        def later(own: _Own) -> object:
            return work(*[word(own) for word in given], **{name: word(own) for name, word in named.items()})

        return _in_use.get().text(later)

    return filtered


def _test(work: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(work)
    def tested(*words: Any) -> Any:
        if any(map(_is_marked, words)):
            raise _Branches
        return work(*words)

    return tested


@cache
def waiting(templates: Templates) -> Mapping[str, Environment]:
    """The environments of some templates, whose filters wait where they are given a mark."""
    return {suffix: _waiting(environment) for suffix, environment in templates.environments.items()}


def _is_marked(word: object) -> bool:
    return isinstance(word, _Fact) or (isinstance(word, str) and _MARK.search(word) is not None)


def _refuse(*_: object) -> NoReturn:
    raise _Branches


class _Text(str):
    """A text with marks: it can be shown and joined; whoever asks it anything else branches on it."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        """Let a text of several lines be split into them."""
        if name == "split":
            return self._lines
        if name.startswith("_"):
            return super().__getattribute__(name)
        raise _Branches

    def _lines(self, at: str) -> list[_Text]:
        if at != "\n":
            raise _Branches
        return [_Text(line) for line in str.split(self, "\n")]

    def __bool__(self) -> bool:
        """None of the texts is empty."""
        return True


class _Fact:
    """A mark in place of what is no text: it may be shown, given to a filter, and compared with what is not marked."""

    __slots__ = ("_assume", "_mark", "value")

    def __init__(self, mark: str, value: _Value, assume: Callable[[_Value], object]) -> None:
        self._mark = mark
        self._assume = assume
        self.value = value

    def __str__(self) -> str:
        """The mark."""
        return str(self._mark)

    def date(self) -> _Fact:
        """The day of an instant."""
        return _in_use.get().fact(lambda own: cast(datetime, self.value(own)).date())

    def __lt__(self, other: object) -> object:
        """Compare as the first recipient's does; whose would come out otherwise is written to plainly."""
        return self._compared(operator.lt, other)

    def __gt__(self, other: object) -> object:
        """Compare likewise."""
        return self._compared(operator.gt, other)

    def __getattr__(self, name: str) -> NoReturn:
        """Refuse to say anything else, and to be taken for markup."""
        if name.startswith("__"):
            raise AttributeError(name)
        raise _Branches

    def _compared(self, how: Callable[[Any, Any], bool], other: object) -> object:
        if _is_marked(other):
            raise _Branches
        return self._assume(lambda own: how(self.value(own), other))


for _name in ("contains", "eq", "ne", "lt", "le", "gt", "ge", "len", "iter", "getitem", "mul", "rmul", "mod", "hash"):
    setattr(_Text, f"__{_name}__", _refuse)
for _name in ("eq", "ne", "le", "ge", "hash"):
    setattr(_Fact, f"__{_name}__", _refuse)


class _Layout:
    """One rendered layout in runs of lines: those without a mark encoded, the others to be written and encoded."""

    def __init__(self, rendered: str) -> None:
        kind = Markup if isinstance(rendered, Markup) else str
        lines = _LINE.findall(rendered)
        runs = ((marked, "".join(run)) for marked, run in groupby(lines, lambda line: _MARK.search(line) is not None))
        self._runs = [_Parted(kind(run)) if marked else quoted(run) for marked, run in runs]

    @property
    def encoded(self) -> bytes:
        """Its runs without a mark."""
        return b"".join(run for run in self._runs if isinstance(run, bytes))

    def fill(self, own: _Own) -> bytes:
        """The layout for one recipient."""
        return b"".join([run if isinstance(run, bytes) else quoted(_lines(run.filled(own))) for run in self._runs])


def _lines(filled: str) -> str:
    """Some lines that have their recipient's own in them, if plain composition would leave them as they are."""
    if filled.startswith("\n") or filled.endswith("\n\n") or "\n\n\n" in filled:
        raise _Branches  # it joins empty lines, those around these as well
    return filled
