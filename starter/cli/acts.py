"""A command for each act of a kind of case, made from the act's fields."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Annotated, Any, assert_never
from uuid import UUID

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agreements.references import references_in_csv
from cases.acts import Act, parse_act
from cases.fields import FormField, Shape, fields_of
from cases.kind import Kind
from cases.state import CaseSummary
from config.database import Database
from models import identifiers
from models.enums import Authentication
from models.errors import NotFound
from models.phrases import counted
from queries.cases import read_case_head
from queries.postal_letters import letters_posted, letters_to_post
from queries.progress import notices_left
from records.answers import read_answers
from starter.cli.checking import DATES_CONFIRMED, YES, ask
from starter.cli.console import (
    console,
    find_case,
    instant_text,
    open_installation,
    parse_date,
    parse_instant,
    with_case_service,
)
from starter.cli.terms import read_bytes
from starter.command_line import actor
from starter.resources import utc_now

LOOK_AGAIN_SECONDS = 0.5
"""How often what is under way is looked at again."""

Command = Callable[..., None]


def register(group: typer.Typer, kind: Kind) -> None:
    """Add every act of a kind to its group."""
    for act in kind.all_acts:
        group.command(act.act_name(), help=act.says())(_command(act))


def _command(act: type[Act]) -> Command:
    """The command of one act: the case, what must be named, and an option for each other field."""
    fields = fields_of(act)

    def do(case: str, wait: bool = False, yes: bool = False, dates_confirmed: bool = False, **given: Any) -> None:
        _, database = open_installation()
        case_id = find_case(database, case)
        asked = parse_act(_values(act, fields, given, database, case_id))
        if act.is_checked_first():
            checked = with_case_service(lambda service: service.check_act(case_id, asked, actor=actor()))
            ask(checked, yes=yes, dates_confirmed=dates_confirmed)
        _carry_out(database, case_id, asked, wait=wait, dates_confirmed=dates_confirmed)

    parameters = [_parameter("case", str, typer.Argument(help="The case: its id or its short reference."))]
    for field in fields:
        parameters += _parameters(field)
    wait = typer.Option("--wait", help="Wait, with a progress bar, until the notices that may go are given.")
    parameters.append(_parameter("wait", bool, wait, default=False))
    if act.is_checked_first():
        parameters.append(_parameter("yes", bool, YES, default=False))
    if act.starts_clocks:
        parameters.append(_parameter("dates_confirmed", bool, DATES_CONFIRMED, default=False))
    do.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return do


def _parameter(name: str, kind: Any, info: Any, *, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info])


def _parameters(field: FormField) -> list[inspect.Parameter]:
    """A field as the command line takes it: an argument where it names something, else an option."""
    says = field.help_with_options
    option = f"--{field.name.replace('_', '-')}"
    match field.shape:
        case Shape.CHOICE if field.required:
            says = f"{says} One of {', '.join(field.options)}." if field.options else says
            return [_parameter(field.name, str, typer.Argument(help=says, show_default=False))]
        case Shape.MADE:
            says = f"{field.label}: its id or the beginning of it; it may be left out where there is only one."
            return [_parameter(field.name, str, typer.Argument(help=says, show_default=False), default="")]
        case Shape.TEXT if field.positional:
            says = f"{says} A dash reads it from standard input."
            return [_parameter(field.name, str, typer.Argument(help=says, show_default=False))]
        case Shape.TICK:
            both = f"{option}/--not-{field.name.replace('_', '-')}"
            return [_parameter(field.name, bool, typer.Option(both, help=says), default=bool(field.default))]
        case Shape.FILE:
            path = typer.Option(option, help=f"{says} It is kept as evidence.", show_default=False)
            if field.required:
                return [_parameter(field.name, Path, path)]
            return [_parameter(field.name, Path | None, path, default=None)]
        case Shape.AGREEMENTS | Shape.LINES | Shape.REFERENCES:
            many = typer.Option(option.removesuffix("s"), help=f"{says} Give it for each.", show_default=False)
            found = [_parameter(field.name, list[str] | None, many, default=None)]
            if field.shape is Shape.REFERENCES:
                file = typer.Option("--file", help="A CSV file with a column `reference`.")
                found.append(_parameter("file", Path | None, file, default=None))
            return found
        case Shape.INSTANT if field.required:
            return [
                _parameter(field.name, str, typer.Option(option, help=f"{says} With its offset; else now."), default="")
            ]
        case Shape.TEXT if field.required:
            return [_parameter(field.name, str, typer.Option(option, help=says, show_default=False))]
        case _:
            return [_parameter(field.name, str, typer.Option(option, help=says, show_default=False), default="")]


def _values(
    act: type[Act], fields: tuple[FormField, ...], given: dict[str, Any], database: Database, case_id: UUID
) -> dict[str, object]:
    values: dict[str, object] = {"act": act.act_name()}
    for field in fields:
        value = _value(field, given, database, case_id)
        if value is not None:
            values[field.name] = value
    return values


def _value(field: FormField, given: dict[str, Any], database: Database, case_id: UUID) -> object:
    """What the command line gave for a field, as the act reads it; None for nothing."""
    value = given[field.name]
    where = f"--{field.name.replace('_', '-')}"
    match field.shape:
        case Shape.INSTANT:
            return parse_instant(value, where) if value else utc_now() if field.required else None
        case Shape.DAY:
            return parse_date(value, where) if value else None
        case Shape.FILE:
            return read_bytes(value) if value else None
        case Shape.MADE:
            return _made(database, case_id, field, value)
        case Shape.REFERENCES:
            file = given["file"]
            named = references_in_csv(read_bytes(file).decode("utf-8", "replace")) if file else ()
            return [*(value or ()), *named]
        case Shape.AGREEMENTS | Shape.LINES:
            return value or []
        case Shape.TEXT if value == "-" and field.positional:
            return sys.stdin.read()
        case Shape.TICK:
            return value
        case Shape.LINE | Shape.TEXT | Shape.CHOICE | Shape.AGREEMENT:
            return value if value or field.required else None
        case Shape.PERSON | Shape.APPROXIMATE_TIME:
            raise TypeError(f"An act asks for no {field.shape}: {field.name}.")
        case _:
            assert_never(field.shape)


def _made(database: Database, case_id: UUID, field: FormField, name: str) -> UUID:
    """The proposal or hold of the case whose id begins so, among those that are open."""
    now = utc_now()
    head = read_case_head(database, case_id, now)
    is_open = {
        "proposals": [row.id for row in head.proposals if row.decided_at is None],
        "holds": [row.id for row in head.holds if row.ended_at is None],
        "questions": [row.id for row in read_answers(database, case_id).questions if row.seen_at is None],
        "done": [row.id for row in head.done_by_other_means],
        "letters": [key for row in letters_to_post(database, now, case_id=case_id)[0] for key in row.may_be_posted],
        "posted": [row.id for row in letters_posted(database, now, case_id=case_id)[0]],
    }[field.choice or ""]
    found = [key for key in is_open if str(key).startswith(name.lower())]
    if len(found) != 1:
        what = field.label.lower()
        says = f"No such {what} is open" if not found else f"Several {what}s could be meant"
        lists = {
            "questions": f"answers {identifiers.case_reference(case_id)}",
            "letters": "letters list",
            "posted": "letters list --posted",
        }.get(field.choice or "", f"{head.kind} show")
        raise NotFound(f"{says}.", where=what, next_step=f"`duenotice {lists}` lists them with their ids.")
    return found[0]


def _carry_out(database: Database, case_id: UUID, asked: Act, *, wait: bool, dates_confirmed: bool) -> None:
    clause = getattr(asked, "clause", None)
    total = notices_left(database, case_id, clause) if wait else 0
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        bar.add_task("Recording it", total=None)
        done = with_case_service(
            lambda service: service.take(
                case_id,
                asked,
                actor=actor(),
                authenticated=Authentication.COMMAND_LINE,
                dates_confirmed=dates_confirmed,
            )
        )
    _say(done.summary)
    if asked.makes:
        console.print(asked.makes.says.format(id=done.made_id))
    if wait:
        _wait_for_notices(database, case_id, clause, total)


def _say(summary: CaseSummary) -> None:
    still = "; still being computed" if summary.computing else ""
    console.print(
        f"{counted(summary.open_duties, 'duty', 'duties')} open, "
        f"{counted(summary.waiting_notices, 'notice')} waiting; "
        f"next due {instant_text(summary.next_due_at)}{still}."
    )


def _wait_for_notices(database: Database, case_id: UUID, clause: str | None, total: int) -> None:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("Notices given", total=total)
        while left := notices_left(database, case_id, clause):
            bar.update(task, completed=max(total - left, 0))
            troubles = read_case_head(database, case_id, utc_now()).troubles
            bar.update(task, description=troubles[0].sentence if troubles else "Notices given")
            sleep(LOOK_AGAIN_SECONDS)
        bar.update(task, completed=total, description="Notices given")
