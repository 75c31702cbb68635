"""``duenotice templates``: the words of every mail, listed, previewed with sample facts, and checked."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mail.templates import load_templates
from models.errors import ConfigurationError, Unavailable
from models.phrases import counted
from starter.cli.console import command_settings, console
from starter.printable import say
from starter.templates import list_templates, preview_letter, preview_template, problems_of
from terms.catalogue import load_catalogue

FolderOption = Annotated[
    Path | None,
    typer.Option("--folder", help="Templates of one's own, instead of those that DUENOTICE_TEMPLATES names."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="The words of every mail, the organisation's own before ours.")
    group.command("list")(list_)
    group.command("preview")(preview)
    group.command("check")(check)
    app.add_typer(group, name="templates")


def list_(as_json: JsonOption = False) -> None:
    """List every mail by its template's name; what is the organisation's own is marked."""
    found = list_templates(command_settings())
    if as_json:
        say(json.dumps([asdict(one) for one in found]))
        return
    for one in found:
        say(f"{one.name:42} {'own ' if one.own else '    '}{one.about}")


def preview(
    name: Annotated[str, typer.Argument(help="The template's name, as `list` gives it: people/reminder.")],
    folder: FolderOption = None,
    html: Annotated[bool, typer.Option("--html", help="Print the HTML of a notice or letter instead.")] = False,
    paper: Annotated[
        Path | None, typer.Option("--paper", help="Write a notice to this PDF instead, as the letter that is posted.")
    ] = None,
) -> None:
    """Show a mail with sample facts, once for each way that these may lie; nothing is sent, and nothing is recorded."""
    settings = command_settings()
    templates = load_templates(folder) if folder else None
    if paper is not None:
        _write(preview_letter(settings, name, templates), paper)
        say(f"Written to {paper}.")
        return
    shown = preview_template(settings, name, templates)
    for number, one in enumerate(shown, 1):
        say(f"=== {number} of {len(shown)}")
        say((one.html or one.text) if html else f"{one.subject}\n\n{one.text}", end="")
        if one.alert and not html:
            say(f"\nAlert: {one.alert}")
    say(f"\nIts facts: {', '.join(shown[0].facts)}")
    say(f"It has to say, where it is known: {', '.join(shown[0].must_say)}")


def _write(pdf: bytes, to: Path) -> None:
    try:
        to.write_bytes(pdf)
    except OSError as error:
        raise Unavailable(
            f"The letter cannot be written: {error.strerror}.", where=str(to), next_step="Name another file in --paper."
        ) from None


def check(folder: FolderOption = None, as_json: JsonOption = False) -> None:
    """Write every mail once for each way that its facts may lie, and say what is wrong with which template.

    Without a folder, and where DUENOTICE_TEMPLATES names none, the shipped ones are checked. It ends with exit code 4
    where something is wrong.
    """
    settings = command_settings()
    templates = load_templates(folder or settings.templates)
    problems = problems_of(settings, templates, load_catalogue())
    if as_json:
        say(json.dumps([asdict(problem) for problem in problems]))
    elif problems:
        for problem in problems:
            console.print(str(problem), markup=False, soft_wrap=True)
    else:
        what = f"{counted(len(templates.own), 'template')} of your own" if templates.own else "The shipped templates"
        say(f"{what}: nothing is wrong.")
    if problems:
        raise typer.Exit(ConfigurationError.exit_code)
