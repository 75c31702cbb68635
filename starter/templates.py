"""The templates of the installation's mails: checked at start, and shown with sample facts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from config.settings import Settings
from mail.compose import render, render_letter
from mail.default_texts import FOLDER as BLOCKS
from mail.facts import LetterFacts, MailFacts, NoticeFacts, Sender
from mail.on_paper import letter_pdf
from mail.people_mails import PeopleFacts
from mail.plain import PlainFacts, alert_by, render_by
from mail.samples import MAILS, samples_of
from mail.template_check import Problem, check_templates, roots_of, used_by
from mail.templates import SUFFIX, TEMPLATES, Templates, load_templates
from models.enums import NoticeKind, PerformedBy
from models.errors import ConfigurationError, NotFound
from models.phrases import counted
from starter.demonstration import demonstrated_notices
from starter.writing import sender_of, templates_of
from terms.catalogue import Catalogue, load_catalogue
from terms.effective import effective_terms

CLAUSES = "clauses/"
"""What the names of the notices' own templates begin with: what is said of one clause."""


_COMMENT = re.compile(r"{#-?\s*(.*?)\s*-?#}", re.DOTALL)


@dataclass(frozen=True)
class MailTemplate:
    """One mail, as it is listed: its template's name, what it is, whether the organisation has one of its own."""

    name: str
    about: str
    own: bool


@dataclass(frozen=True)
class Preview:
    """A mail as it is written from sample facts; ``html`` and ``alert`` where it has any.

    ``facts`` are the names of the facts that its template may use, ``must_say`` those that it has to say.
    """

    subject: str
    text: str
    html: str | None
    alert: str | None
    facts: tuple[str, ...]
    must_say: tuple[str, ...]


def check_own_templates(settings: Settings, catalogue: Catalogue) -> None:
    """Refuse to start with a template of the organisation's own that cannot say what it has to.

    Raises:
        ConfigurationError: for the first problem; the sentence names the file and the line.
    """
    if settings.templates is None:
        return
    templates = templates_of(settings)
    _check_blocks(templates, catalogue)
    problems = problems_of(settings, templates, catalogue)
    if not problems:
        return
    first, *others = problems
    left = counted(len(others), "more follows", "more follow")
    more = f" {left}: `duenotice templates check` names all." if others else ""
    where = f"{settings.templates / first.file}, line {first.line}"
    raise ConfigurationError(first.says, where=where, next_step=f"{first.do}{more}")


def _check_blocks(templates: Templates, catalogue: Catalogue) -> None:
    """Refuse a default text of one's own for what no clause asks of a notice.

    Raises:
        ConfigurationError: for the first one.
    """
    if templates.folder is None:
        return
    for path in sorted((templates.folder / BLOCKS.name).glob("*.yaml")):
        state = path.stem.upper()
        asked = {
            element.id
            for form in catalogue.forms
            if state in catalogue.states(form)
            for clause in effective_terms(catalogue, form, state).clauses.values()
            for element in clause.contents
        }
        for element in templates.default_texts.of(state):
            if element not in asked:
                raise ConfigurationError(
                    f"No clause in {state} asks for {element}.",
                    where=str(path),
                    next_step=f"They ask for {', '.join(sorted(asked)) or 'nothing'}.",
                )


def problems_of(settings: Settings, templates: Templates, catalogue: Catalogue) -> Sequence[Problem]:
    """What is wrong with some templates, written in the organisation's name."""
    sender = sender_of(settings.organisation)
    return check_templates(templates, sender, demonstrated_notices(catalogue, sender, templates.default_texts))


def list_templates(settings: Settings) -> list[MailTemplate]:
    """Every mail with its template's name: notices by their clauses, then all others."""
    own = templates_of(settings).own
    listed = [*(f"{CLAUSES}{clause}" for clause in sorted(_noticed())), *sorted(MAILS)]
    return [MailTemplate(name, about_mail(name), bool(used_by(_roots(name)) & own.keys())) for name in listed]


def preview_template(settings: Settings, name: str, templates: Templates | None = None) -> list[Preview]:
    """A mail as it is written from each of its samples.

    ``templates`` are others than those that the installation uses.

    Raises:
        NotFound: there is no such mail.
    """
    written_by, sender = templates or load_templates(settings.templates), sender_of(settings.organisation)
    name = name.removesuffix(SUFFIX)
    if name in MAILS:
        return [_preview(facts, written_by) for facts in samples_of(name, sender)]
    notices = _notices(name, sender, written_by) if name.startswith(CLAUSES) else []
    if not notices:
        raise NotFound(
            "There is no mail whose template is called so.",
            where="name",
            next_step="`duenotice templates list` names all.",
        )
    return [_previewed_notice(facts, written_by) for facts in notices]


def preview_letter(settings: Settings, name: str, templates: Templates | None = None) -> bytes:
    """A notice under a clause as the letter that is posted where no e-mail reaches a contact: a PDF, from sample facts.

    Raises:
        NotFound: there is no such notice; other mails are never posted.
    """
    written_by, sender = templates or load_templates(settings.templates), sender_of(settings.organisation)
    name = name.removesuffix(SUFFIX)
    notices = _notices(name, sender, written_by) if name.startswith(CLAUSES) else []
    if not notices:
        raise NotFound(
            "Only notices are posted as letters, and none is called so.",
            where="name",
            next_step=f"Name one that begins with {CLAUSES}: `duenotice templates list` names all.",
        )
    return letter_pdf(notices[0], "Office of the Superintendent", SAMPLE_ADDRESS, templates=written_by)


SAMPLE_ADDRESS = "100 School Street\nSuite 4\nExample, XX 00000"
"""The postal address of a letter that is shown as a sample."""


def _notices(name: str, sender: Sender, templates: Templates) -> list[NoticeFacts]:
    """One notice of each kind under a clause, of those that the catalogue knows."""
    clause = name.removeprefix(CLAUSES)
    found: dict[NoticeKind, NoticeFacts] = {}
    for facts in demonstrated_notices(load_catalogue(), sender, templates.default_texts):
        if facts.clauses[0].id == clause:
            found.setdefault(facts.kind, facts)
    return list(found.values())


def _noticed() -> set[str]:
    """The clauses under which notices are given."""
    catalogue = load_catalogue()
    clauses = (
        clause
        for form in catalogue.forms
        for state in catalogue.states(form)
        for clause in effective_terms(catalogue, form, state).clauses.values()
    )
    return {clause.id for clause in clauses if clause.performed_by is PerformedBy.NOTICE}


def _roots(name: str) -> list[str]:
    if name in MAILS:
        return roots_of(MAILS[name])
    kinds = (f"{kind.value}.{suffix}{SUFFIX}" for kind in NoticeKind for suffix in ("txt", "html"))
    return [f"{name}{SUFFIX}", f"words{SUFFIX}", *kinds]


@cache
def about_mail(name: str) -> str:
    """When a mail is sent, in a sentence, by its template's name."""
    if name.startswith(CLAUSES):
        return f"What notices under {name.removeprefix(CLAUSES)} say."
    if name not in MAILS:
        return "A draft, as a test."
    # Each begins with a comment that says when the mail is sent.
    head = _COMMENT.match((TEMPLATES / _roots(name)[0]).read_text("utf-8"))
    return head[1] if head else ""


def _preview(facts: MailFacts, templates: Templates) -> Preview:
    names, must = tuple(sorted((*type(facts).model_fields, *facts.computed))), facts.must_say
    if isinstance(facts, LetterFacts):
        subject, text, html = render_letter(facts, templates.environments)
        return Preview(subject, text, html, None, names, must)
    assert isinstance(facts, PlainFacts)
    plain = render_by(facts, templates)
    alert = alert_by(facts, facts.page, templates, mailed=True) if isinstance(facts, PeopleFacts) else None
    return Preview(plain.subject, plain.text, None, alert, names, must)


def _previewed_notice(facts: NoticeFacts, templates: Templates) -> Preview:
    subject, text, html = render(facts, templates.environments)
    names = tuple(sorted(NoticeFacts.model_fields))
    return Preview(subject, text, html, None, names, NOTICE_SAYS)


NOTICE_SAYS = (
    "reader",
    "sender.organisation",
    "sender.contact",
    "sender.signatory",
    "agreement",
    "case_reference",
    "noticed_at",
    "clauses: provision",
    "elements",
    "particulars",
    "reason",
    "follows.given_at",
    "acknowledge_url",
    "ledger_head",
)
"""What every notice has to say, where it is known (``mail.required``)."""
