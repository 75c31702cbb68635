"""The command line: ``duenotice --help`` lists what it does."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from models.errors import DuenoticeError, InvalidFields

COMMANDS = ("running", "terms", "calendars", "breach", "answers", "kit", "costs", "agreements", "keyring")
"""The modules of ``starter.commands``; each adds its commands to the application."""

app = typer.Typer(
    name="duenotice",
    help="Keeps the clocks of student data privacy agreements: what is due, to whom, why, and the proof of it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _module in COMMANDS:
    import_module(f"starter.commands.{_module}").register(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the process with its exit code.

    A refusal is one sentence on standard error, never a traceback. The process ends without running finalizers,
    since threads of the Temporal client can abort an interpreter that is being taken down.
    """
    code = run(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or that of the error (2 for bad input)."""
    try:
        outcome = app(args=arguments, standalone_mode=False)
    except InvalidFields as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        return error.exit_code
    except DuenoticeError as error:
        typer.echo(str(error), err=True)
        return error.exit_code
    except typer.Exit as error:
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except typer.TyperException as error:
        typer.echo(f"{error.format_message()} `duenotice --help` lists what there is.", err=True)
        return error.exit_code
    return outcome if isinstance(outcome, int) else 0


if __name__ == "__main__":
    main()
