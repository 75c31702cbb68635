"""The command line: ``duenotice --help`` lists what it does."""

from __future__ import annotations

import errno
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer

from cases.kinds import KINDS
from config.private_files import keep_files_private
from models.errors import ConfigurationError, DuenoticeError, InvalidFields, InvalidInput, Unavailable
from models.phrases import sentence
from starter.printable import say

COMMANDS = {
    "up": ("running", "Run everything on this machine until Ctrl-C."),
    "worker": ("running", "Run a worker alone."),
    "web": ("running", "Run the web alone."),
    "status": ("status", "Say how each part of the engine is: database, Temporal, worker, ledger, mail, clocks."),
    "sign-in": ("running", "Print a fresh one-time sign-in link."),
    "accounts": ("accounts", "Who may sign in: add people, change their roles, disable them."),
    "demo": ("running", "Play a case of each kind, in virtual time."),
    "rehearse": ("rehearse", "Run a scenario in virtual time, and print every verdict."),
    "due": ("terms", "Say what is due under an agreement, and why."),
    "terms": ("terms", "Read and check the clauses."),
    "calendars": ("calendars", "School calendars of the LEAs."),
    "needs-you": ("needs", "What needs people in all cases, what is overdue first."),
    "duties": ("duties", "What is coming across all agreements, soonest first."),
    "answers": ("answers", "What the LEAs of a case answered."),
    "notices": ("notices", "Show what a notice would say, with made-up data or a case's own."),
    "mail": ("mail", "Check how mail leaves, and take in what comes back."),
    "templates": ("templates", "The words of every mail: list, preview and check them, an organisation's own too."),
    "letters": ("letters", "Letters to post, where no e-mail reaches a contact."),
    "links": ("links", "The links in notices: replace them, or take them back."),
    "documents": ("documents", "Documents for families, behind the links of notices."),
    "costs": ("costs", "What a case costs where agreements make the provider pay."),
    "agreements": ("agreements", "Import and list the agreements."),
    "subprocessors": ("subprocessors", "Who holds data under the agreements, and is asked to dispose of it."),
    "resume-mail": ("resume_mail", "Let mail go on that was paused, since too many refusals were alike."),
    "legal-holds": ("legal_holds", "Decisions that data has to be kept, which stop its disposal."),
    "ledger": ("ledger", "Check that the evidence is what it was when it was written."),
    "backup": ("backups", "Write a copy of the SQLite database while the engine runs."),
    "restored": ("backups", "Say that the database or Temporal was restored: open cases begin anew."),
    "migrate": ("migrate", "Bring the tables up to date as their owner, and give the engine its rights."),
    "evidence": ("evidence", "Bundles of evidence that an auditor checks without us, and the key that signs them."),
    "keyring": ("keyring", "Make the keyring that seals personal data, rotate its keys, and check what they seal."),
}
"""Each command with the module of ``starter.cli`` that adds it, and what it does.

Each kind of case has a command group of its own besides (``cases.kinds``). A module is imported once its command is
asked for: some bring Temporal's client and the database along, which takes longer than most commands that do without.
"""

READER_GONE = 141
"""The exit code where nobody reads any more what is printed, as a shell has it of a process that SIGPIPE ended."""

UNFORESEEN = 70
"""The exit code of a fault in the program itself (``EX_SOFTWARE`` of BSD's sysexits)."""


def application(command: str | None) -> typer.Typer:
    """The application as far as ``command`` needs it; without one, all commands by name, for the help."""
    app = typer.Typer(
        name="duenotice",
        help="Keeps the clocks of student data privacy agreements: what is due, to whom, why, and the proof of it.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_general)  # or typer would take the name of a command that stands alone for an argument
    if command in KINDS:
        import_module("starter.cli.cases").register(app, KINDS[command])
        return app
    if command in COMMANDS:
        import_module(f"starter.cli.{COMMANDS[command][0]}").register(app)
        return app
    for name, (_, says) in COMMANDS.items():
        app.command(name, help=says)(_nothing)
    for kind in KINDS.values():
        app.command(kind.name, help=f"Open and show each {kind.label} case, and act on it.")(_nothing)
    return app


def _say_version(asked: bool) -> None:
    if asked:
        say(f"duenotice {version('duenotice')}")
        raise typer.Exit


def _nothing() -> None:
    pass


def _general(
    asked: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """What may stand before every command."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the process with its exit code.

    A refusal is one sentence on standard error, never a traceback. Every file that is made is its user's alone. The
    process ends without running finalizers, since threads of the Temporal client can abort an interpreter that is
    being taken down.
    """
    keep_files_private()
    code = run(arguments)
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or that of the error (2 for bad input)."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        outcome = application(next(iter(given), None))(args=arguments, standalone_mode=False)
        sys.stdout.flush()
    except InvalidFields as error:
        for problem in error.problems:
            say(str(problem), err=True)
        return error.exit_code
    except DuenoticeError as error:
        say(str(error), err=True)
        return error.exit_code
    except typer.Exit as error:
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except typer.TyperException as error:
        say(f"{sentence(error.format_message())} `duenotice --help` lists what there is.", err=True)
        return error.exit_code
    except BrokenPipeError:
        return READER_GONE
    except Exception as error:
        known = _of_the_machine(error) or _of_what_was_typed(error, given)
        if known is None:
            return _unforeseen()
        with suppress(OSError):
            say(str(known), err=True)
        return known.exit_code
    return outcome if isinstance(outcome, int) else 0


def _of_the_machine(error: Exception) -> DuenoticeError | None:
    """What is said where the machine lets nobody write or read a file; None where it is something else."""
    match error:
        case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EFBIG | errno.EROFS | errno.EIO | errno.EMFILE):
            next_step = "Look at the disk it lies on: whether there is space, and whether it can be written."
            return Unavailable(f"{error.strerror}.", where=_place(error), next_step=next_step)
        case OSError(errno=errno.EACCES | errno.EPERM):
            next_step = "Let this user read and write there, or name another place."
            return ConfigurationError(f"{error.strerror}.", where=_place(error), next_step=next_step)
        case OSError(filename=str() | bytes()):
            return InvalidInput(f"{error.strerror}.", where=_place(error), next_step="Name another file or folder.")
        case _:
            return None


def _place(error: OSError) -> str | None:
    return os.fsdecode(error.filename) if error.filename else None


def _of_what_was_typed(error: Exception, given: Sequence[str]) -> DuenoticeError | None:
    """What is said where an argument is no text: bytes that are not UTF-8 reach Python as halves of pairs."""
    if not isinstance(error, UnicodeError) or all(map(_is_text, given)):
        return None
    return InvalidInput("Something that was given is no text in UTF-8.", next_step="Type it anew in a UTF-8 terminal.")


def _is_text(argument: str) -> bool:
    return not re.search("[\ud800-\udfff]", argument)


def _unforeseen() -> int:
    """Keep the traceback of a fault in a file that only this user can read, and say where it is."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="duenotice-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as log:
            traceback.print_exc(file=log)
        where = f"{log.name} says what: look through it for personal data before you send it to anyone."
    except OSError:
        where = "There is no folder to keep what it was: name one in TMPDIR, and give the command again."
    say(f"Something went wrong that nobody foresaw; nothing was changed by halves. {where}", err=True)
    return UNFORESEEN


if __name__ == "__main__":
    main()
