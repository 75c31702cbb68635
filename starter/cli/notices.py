"""``duenotice notices``: what a notice would say, before one is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from config.keyring import Keyring
from mail.compose import Addressing, ComposedNotice, compose
from mail.facts import Mailbox, NoticeFacts
from models.enums import NoticeKind
from models.errors import InvalidInput, Unavailable
from models.identifiers import message_id
from queries.previews import preview_notice
from starter.cli.console import command_settings, find_case
from starter.cli.terms import FormOption
from starter.demonstration import demonstrate
from starter.printable import say
from starter.resources import open_database, utc_now
from starter.writing import notice_writer, sender_of, templates_of
from terms.catalogue import load_catalogue

READER = Mailbox(name="Reader of a preview", email="reader@district.example.org")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="What a notice would say.")
    group.callback()(_together)  # or typer would take the only command for the group itself
    group.command("preview")(preview)
    app.add_typer(group, name="notices")


def _together() -> None:
    """What a notice would say."""


def preview(
    clause: Annotated[str, typer.Argument(help="The clause under which it is given, such as breach.notice.")],
    form: FormOption,
    state: Annotated[str, typer.Option("--state", help="Postal abbreviation of the LEA's state.")],
    case: Annotated[
        str | None, typer.Option("--case", help="The case whose facts are told; else made-up ones are.")
    ] = None,
    kind: Annotated[NoticeKind, typer.Option("--kind", help="The notice itself, or what follows it.")] = (
        NoticeKind.NOTICE
    ),
    also: Annotated[
        str | None, typer.Option("--also", help="A further clause that the same message performs (made-up facts only).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write it as .txt, .html or .eml; without ending, as text and HTML.")
    ] = None,
) -> None:
    """Show a notice as its reader would get it; nothing is sent, and nothing is recorded."""
    if case is None:
        sender = sender_of(command_settings().organisation)
        texts = templates_of(command_settings()).default_texts
        facts = demonstrate(load_catalogue(), sender, form, state.upper(), clause, kind=kind, also=also, texts=texts)
    elif also is None:
        facts = _of_case(case, form, state.upper(), clause, kind)
    else:
        raise InvalidInput(
            "What a case's message performs is found out as it is written.",
            where="also",
            next_step="Leave out --also, or --case.",
        )
    composed = compose(facts, _addressing(facts), templates=templates_of(command_settings()))
    if out is None:
        say(f"{composed.subject}\n\n{composed.text}", end="")
    else:
        _write(composed, out)


def _of_case(case: str, form: str, state: str, clause: str, kind: NoticeKind) -> NoticeFacts:
    settings = command_settings()
    keyring = Keyring.load(settings.keyring)
    database = open_database(settings, keyring)
    writer = notice_writer(settings, keyring)
    return preview_notice(
        database, writer, find_case(database, case), form=form, state=state, clause=clause, kind=kind, now=utc_now()
    )


def _addressing(facts: NoticeFacts) -> Addressing:
    sender = Mailbox(name=facts.sender.organisation, email=facts.sender.contact.email)
    return Addressing(message_id=message_id(uuid4(), "preview.invalid"), sender=sender, to=(READER,))


def _write(composed: ComposedNotice, out: Path) -> None:
    forms = {".txt": composed.text.encode(), ".html": composed.html.encode(), ".eml": composed.raw}
    wanted = [out] if out.suffix else [out.with_suffix(".txt"), out.with_suffix(".html")]
    for path in wanted:
        if path.suffix not in forms:
            raise InvalidInput(
                f"A notice is not written as {path.suffix}.",
                where="out",
                next_step="Let the name end in .txt, .html or .eml.",
            )
        try:
            path.write_bytes(forms[path.suffix])
        except OSError as error:
            raise Unavailable(
                f"The notice cannot be written: {error.strerror}.",
                where=str(path),
                next_step="Name another file in --out.",
            ) from None
        say(str(path))
