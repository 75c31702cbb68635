"""Whether templates can say what they have to: read, and written once for each way that the facts may lie.

What is refused: what is no template, a fact or a name that there is not, text that people typed and that would reach
HTML unescaped, a subject of several lines, and whatever does not say what the sort of mail requires.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import cache, partial
from types import TracebackType
from typing import Any

from jinja2 import TemplateNotFound, TemplateSyntaxError, UndefinedError, meta, nodes

from mail.compose import letter_subject, notice_subject, render, render_letter
from mail.facts import LetterFacts, MailFacts, NoticeFacts, Sender
from mail.on_paper import on_paper
from mail.plain import AlertFacts, PlainFacts, alert_by, raw_subject, render_by
from mail.required import Required, lost_by, required_of_letter, required_of_mail, required_of_notice
from mail.samples import MAILS, samples_of
from mail.templates import SHIPPED, SUFFIX, TEMPLATES, Templates
from models.enums import NoticeKind

_AT_HAND = frozenset(
    {"added", "clause", "dates", "facts", "mail", "mailed", "page", "subject", "test", "to_follow", "words", "zone"}
)
"""What templates are given; which of it a template is given in its turn is seen when it is written."""

_NO_ATTRIBUTE = re.compile(r"has no attribute '(\w+)'")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a template, and what to do about it.

    ``file`` is the template's name; ``line`` is that of the fault, or of the part in which something is missing.
    """

    file: str
    line: int
    says: str
    do: str

    def __str__(self) -> str:
        """It in one line."""
        return f"{self.file}, line {self.line}: {self.says} {self.do}"


def check_templates(templates: Templates, sender: Sender, notices: Iterable[NoticeFacts]) -> list[Problem]:
    """What is wrong with an organisation's own templates, or with the shipped ones where it has none.

    Args:
        templates: what is checked.
        sender: who the letters are from that are written for it.
        notices: the notices that are written for it; what no file of theirs was changed for is passed over.
    """
    checked = templates.own or {name: (TEMPLATES / name).read_text("utf-8") for name in _shipped()}
    found = [problem for name, text in checked.items() for problem in _read(templates, name, text)]
    check = _Check(templates, checked, bad={problem.file for problem in found})
    for template in MAILS:
        for facts in samples_of(template, sender):
            found += check.mail(facts)
    if any(map(is_of_notices, checked)):
        for notice in notices:
            found += check.notice(notice)
    alike = {(problem.file, problem.line, problem.do): problem for problem in reversed(found)}
    return list(reversed(alike.values()))


def used_by(roots: Iterable[str], templates: Templates = SHIPPED) -> frozenset[str]:
    """The names of the templates that some are written with, themselves included."""
    used: set[str] = set()
    left = list(roots)
    while left:
        name = left.pop()
        if name not in used:
            used.add(name)
            left += _parsed(templates, name).names
    return frozenset(used)


@dataclass(frozen=True)
class _Parsed:
    """A template as far as it is known without writing from it: the templates that it names, and what it defines."""

    names: tuple[str, ...] = ()
    defines: frozenset[str] = frozenset()
    parts: Mapping[str, int] = field(default_factory=dict)
    """The line at which each macro and block begins."""


@cache
def _parsed(templates: Templates, name: str) -> _Parsed:
    try:
        tree = templates.text.parse(_source(templates, name))
    except (TemplateNotFound, TemplateSyntaxError):
        return _Parsed()
    parts = {block.name: block.lineno for block in tree.find_all(nodes.Block)}
    parts |= {macro.name: macro.lineno for macro in tree.find_all(nodes.Macro)}
    defined = {*parts, *(used.target for used in tree.find_all(nodes.Import))}
    for used in tree.find_all(nodes.FromImport):
        defined |= {one if isinstance(one, str) else one[1] for one in used.names}
    defined |= {used.name for used in tree.find_all(nodes.Name) if used.ctx == "store"}
    return _Parsed(tuple(filter(None, meta.find_referenced_templates(tree))), frozenset(defined), parts)


def _source(templates: Templates, name: str) -> str:
    loader = templates.text.loader
    assert loader, "an environment has a loader"
    return loader.get_source(templates.text, name)[0]


def is_of_notices(name: str) -> bool:
    """Whether notices are written with a shipped template."""
    return name.startswith("clauses/") or name in used_by((*_NOTICE_ROOTS, "words.j2"))


def roots_of(facts: MailFacts | NoticeFacts | type[MailFacts]) -> list[str]:
    """The names of the templates that a mail begins from, what is its own first."""
    of = facts if isinstance(facts, type) else type(facts)
    if isinstance(facts, NoticeFacts):
        clause = f"clauses/{facts.clauses[0].id}{SUFFIX}"
        return [clause, "words.j2", *(f"{facts.template}.{suffix}{SUFFIX}" for suffix in ("txt", "html"))]
    if issubclass(of, LetterFacts):
        return [f"{of.template}{part}{SUFFIX}" for part in ("_words", ".txt", ".html")]
    assert issubclass(of, PlainFacts)
    alert = [f"{of.template.rpartition('/')[0]}/alert{SUFFIX}"] if issubclass(of, AlertFacts) else []
    return [f"{of.template}{SUFFIX}", of.frame, *alert]


_SYNTAX = "Correct it: it is a template of Jinja."


def _shipped() -> list[str]:
    return sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob(f"*{SUFFIX}"))


def _read(templates: Templates, name: str, text: str) -> Iterator[Problem]:
    """What is wrong with a template as it stands."""
    environment = templates.text
    try:
        tree = environment.parse(text)
        environment.compile(text)
    except TemplateSyntaxError as error:
        yield Problem(name, error.lineno, f"It cannot be read: {_sentence(error.message)}", _SYNTAX)
        return
    # What a parent defines is known in its blocks, and what this one does in the blocks of its own.
    around = {known for used in used_by([name], templates) for known in _parsed(templates, used).defines}
    unknown = meta.find_undeclared_variables(tree) - _AT_HAND - around
    for used in tree.find_all(nodes.Name):
        if used.name in unknown:
            yield Problem(name, used.lineno, f"Nothing is called {used.name} here.", "Facts are named facts.NAME.")
    facts = _facts_of(name)
    for asked in tree.find_all(nodes.Getattr):
        if isinstance(asked.node, nodes.Name) and asked.node.name == "facts" and facts and asked.attr not in facts:
            yield Problem(
                name, asked.lineno, f"There is no fact {asked.attr} here.", f"There are {', '.join(sorted(facts))}."
            )
    for filtered in tree.find_all(nodes.Filter):
        if filtered.name == "safe":
            yield _unescaped(name, filtered.lineno)
    for escaping in tree.find_all(nodes.ScopedEvalContextModifier):
        yield _unescaped(name, escaping.lineno)


def _unescaped(name: str, line: int) -> Problem:
    says = "What people typed would get into HTML as it is."
    return Problem(name, line, says, "Leave out the filter safe and the tag autoescape.")


@cache
def _facts_of(name: str) -> frozenset[str]:
    """The facts that any mail has which a template is used for."""
    sorts: list[Any] = [sort for sort in MAILS.values() if name in used_by(roots_of(sort))]
    if is_of_notices(name):
        sorts.append(NoticeFacts)
    return frozenset(name for sort in sorts for name in (*sort.model_fields, *getattr(sort, "computed", ())))


_NOTICE_ROOTS = tuple(f"{kind.value}.{suffix}{SUFFIX}" for kind in NoticeKind for suffix in ("txt", "html"))


def _sentence(text: str | None) -> str:
    return f"{(text or 'the reason is not known').rstrip('.')}."


class _Check:
    """Writes mails from templates, and says what goes wrong."""

    def __init__(self, templates: Templates, checked: Iterable[str], *, bad: Set[str]) -> None:
        self._bad = bad
        self._templates = templates
        self._checked = frozenset(checked)
        self._used: dict[tuple[str, ...], frozenset[str]] = {}

    def mail(self, facts: MailFacts) -> Iterator[Problem]:
        """What is wrong with a mail that is no notice."""
        own = self._own(roots_of(facts))
        if not own:
            return
        if isinstance(facts, LetterFacts):
            yield from self._written(own, partial(self._letter, facts), required_of_letter(facts), type(facts).template)
            return
        assert isinstance(facts, PlainFacts)
        yield from self._written(own, partial(self._plain, facts), required_of_mail(facts), type(facts).template)
        if isinstance(facts, AlertFacts):
            alert = partial(self._alert, facts)
            yield from self._written(own, alert, [Required("page", (_PAGE,))], f"the alert of {type(facts).template}")

    def notice(self, facts: NoticeFacts) -> Iterator[Problem]:
        """What is wrong with a notice."""
        own = self._own(roots_of(facts))
        if own:
            what = f"a {facts.kind.value} under {facts.clauses[0].id}"
            found = list(self._written(own, partial(self._notice, facts), required_of_notice(facts), what))
            yield from found or self._printed(own, facts, what)
            yield from self._written(own, partial(self._notice, facts, test=True), [], what)

    def _printed(self, own: list[str], facts: NoticeFacts, what: str) -> Iterator[Problem]:
        """What a notice does not say where it is posted as a letter, although its mail says it."""
        subject, _, html = self._notice(facts)
        for lost in lost_by((subject, on_paper(html)), required_of_notice(facts)):
            says = f"On paper it does not say {lost}, which {what} has to where it is posted as a letter."
            yield Problem(own[0], self._line(own[0], "body"), says, "Let it stand in the HTML as text below its title.")

    def _letter(self, facts: LetterFacts) -> tuple[str, ...]:
        environments = self._templates.environments
        return (letter_subject(facts, environments), *render_letter(facts, environments)[1:])

    def _notice(self, facts: NoticeFacts, *, test: bool = False) -> tuple[str, ...]:
        environments = self._templates.environments
        return (notice_subject(facts, environments, test=test), *render(facts, environments, test=test)[1:])

    def _plain(self, facts: PlainFacts) -> tuple[str, str]:
        return raw_subject(facts, self._templates), render_by(facts, self._templates).text

    def _alert(self, facts: AlertFacts) -> tuple[str, str]:
        return "An alert", alert_by(facts, _PAGE, self._templates, mailed=True)

    def _own(self, roots: list[str]) -> list[str]:
        """Of the templates that a mail is written with, those that are checked, what is the mail's own first."""
        key = tuple(roots)
        if key not in self._used:
            self._used[key] = used_by(roots, self._templates)
        if self._bad & self._used[key]:
            return []  # what is wrong with it is known already
        return [name for name in dict.fromkeys((*roots, *sorted(self._used[key]))) if name in self._checked]

    def _written(
        self, own: list[str], write: Callable[[], tuple[str, ...]], required: list[Required], what: str
    ) -> Iterator[Problem]:
        try:
            layouts = write()
        except Exception as error:  # whatever a template does
            yield self._failed(error, own, what)
            return
        subject = layouts[0].strip()
        if not subject or "\n" in subject or "\r" in subject:
            says = f"The subject of {what} is {'of several lines' if subject else 'empty'}."
            yield Problem(own[0], self._line(own[0], "subject"), says, "Let its macro subject give one line.")
        for lost in lost_by(layouts, required):
            yield Problem(
                own[0],
                self._line(own[0], "body"),
                f"It does not say {lost}, which {what} has to.",
                f"Say facts.{lost}, in any of the usual forms." if " " not in lost else "Say it.",
            )

    def _failed(self, error: Exception, own: list[str], what: str) -> Problem:
        name, line = self._place(error.__traceback__) or (own[0], 1)
        match error:
            case TemplateNotFound():
                return Problem(name, line, f"There is no template {error.name}.", "Name one of those that there are.")
            case TemplateSyntaxError():
                return Problem(error.name or name, error.lineno, _sentence(error.message), _SYNTAX)
            case UndefinedError():
                missing = _NO_ATTRIBUTE.search(str(error))
                says = f"There is no {missing[1]} here" if missing else _sentence(str(error)).rstrip(".")
                return Problem(name, line, f"{says}, in {what}.", "Leave it out, or ask for it only where it is given.")
            case _:
                says = f"{type(error).__name__}: {_sentence(str(error))}"
                return Problem(name, line, f"It fails in {what}: {says}", "Correct it.")

    def _place(self, trace: TracebackType | None) -> tuple[str, int] | None:
        """The innermost line of a checked template that a trace goes through."""
        place = None
        while trace is not None:
            path, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
            # Jinja itself puts the template's lines into a trace, save for a macro that Python calls.
            if (compiled := trace.tb_frame.f_globals.get("__jinja_template__")) is not None:
                line = compiled.get_corresponding_lineno(line)
            for folder in filter(None, (self._templates.folder, TEMPLATES)):
                name = path.removeprefix(f"{folder}/")
                if name != path and name in self._checked:
                    place = (name, line)
            trace = trace.tb_next
        return place

    def _line(self, name: str, macro: str) -> int:
        """The line at which a macro or block of a template begins; the first where it has none of this name."""
        return _parsed(self._templates, name).parts.get(macro, 1)


_PAGE = "https://duenotice.example.org/page"
