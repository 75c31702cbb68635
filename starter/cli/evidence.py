"""``duenotice evidence``: bundles that an auditor checks without us, the heads of the ledger, and the key of both."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from config.object_store import check_store
from config.settings import load_settings
from ledger.bundle import Bundle, Scope
from ledger.entries import stored_kinds
from ledger.log_keys import OVERLAP, create_log_key, load_log_keys, rotate_log_key
from ledger.moving import move_back, move_out
from ledger.verify_bundle import Unreadable, check, kept_heads, trusted_keys, unusable
from models.errors import InvalidInput
from models.phrases import counted
from records.erasure import propose_erasure
from starter.cli.console import console, find_case, open_installation, parse_date, parse_instant
from starter.cli.progress import counting
from starter.command_line import actor
from starter.evidence import export_bundle, sign_all
from starter.local.running import as_running
from starter.printable import say
from starter.resources import utc_now

COULD_NOT_CHECK = 2

_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(
        no_args_is_help=True, help="Bundles of evidence that an auditor checks without us, and the key that signs them."
    )
    group.command("export")(export)
    group.command("verify")(verify)
    group.command("erase")(erase)
    group.command("head")(head)
    group.command("key")(key)
    group.command("make-key")(make_key)
    group.command("rotate-key")(rotate_key)
    group.command("move-artifacts")(move_artifacts)
    app.add_typer(group, name="evidence")


def export(
    case: Annotated[str | None, typer.Argument(help="The case: its id or its short reference; else every one.")] = None,
    out: Annotated[Path, typer.Option(help="The ZIP file to write; one that is there is never overwritten.")] = ...,  # type: ignore[assignment]
    since: Annotated[
        str | None, typer.Option("--from", help="Only what happened from then on: a day, or an instant.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Only what happened up to then: a day, or an instant.")
    ] = None,
    without_links: Annotated[
        bool,
        typer.Option("--without-links", help="Take out of letters the links on which their readers answer."),
    ] = False,
) -> None:
    """Write a bundle of evidence: of a case, of a time, or of the whole ledger.

    It holds entries, proofs, artifacts, the clauses that counted, a report, and the program that checks all of it. It
    holds personal data, and letters as they were sent: with the links on which their readers answer, as long as those
    are good. Only you can read the file. That you asked for it is itself an entry.
    """
    settings, database = open_installation()
    first, last = _instant(since, "--from", later=False), _instant(until, "--to", later=True)
    if first and last and first >= last:
        raise InvalidInput("It lies before --from.", where="--to", next_step="Give the later of the two as --to.")
    scope = Scope(find_case(database, case) if case else None, first, last)
    with counting() as watch:
        made = export_bundle(
            database, settings, scope, out, actor=actor(), now=utc_now(), as_sent=not without_links, watch=watch
        )
    console.print(f"{what_was_written(made)}\nCheck it: duenotice evidence verify {made.path}", soft_wrap=True)


def what_was_written(made: Bundle) -> str:
    """What a bundle holds, in a sentence."""
    entries = counted(made.entries, "entry", "entries")
    erased = f", {made.erased:,} of them erased" if made.erased else ""
    artifacts = counted(made.artifacts + made.erased, "artifact")
    return f"{made.path}: {entries} and {artifacts}{erased}, {made.size / 1024:,.0f} KiB."


def _instant(text: str | None, where: str, *, later: bool) -> datetime | None:
    """An instant, or the begin of a day in UTC; ``later``, that of the day after, so that the day itself is in."""
    if text is None:
        return None
    if _DAY.fullmatch(text):
        day = parse_date(text, where)
        return datetime(day.year, day.month, day.day, tzinfo=UTC) + (timedelta(days=1) if later else timedelta())
    try:
        return parse_instant(text, where)
    except InvalidInput as error:
        raise InvalidInput(
            f"{text} is neither a day nor an instant.",
            where=where,
            next_step="Write it as 2026-03-07, a day in UTC, or as 2026-03-07T22:15-05:00.",
        ) from error


def verify(
    bundle: Annotated[Path, typer.Argument(help="The bundle: a ZIP file.")],
    head: Annotated[
        list[Path] | None,
        typer.Option(help="A file with heads that you kept, as from the foot of a notice; may be given again."),
    ] = None,
    vkey: Annotated[
        str | None, typer.Option(help="The log's key as you know it: the key itself, or a file of them.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> int:
    """Check a bundle offline, in eleven numbered steps, and name the first record that is not what it was.

    It ends with exit code 0 where all of it holds, 1 where something is not what it was, and 2 where it cannot be
    checked. Without --vkey the log's key is taken from the bundle itself. docs/evidence.md describes the steps.
    """
    try:
        trusted = trusted_keys(vkey) if vkey else ()
        heads = [kept for file in head or [] for kept in kept_heads(file)]
    except Unreadable as error:
        say(str(error), err=True)
        if as_json:
            say(json.dumps(asdict(unusable(error))))
        return COULD_NOT_CHECK
    with counting() as watch:
        verdict = check(bundle, trusted=trusted, heads=heads, known_kinds=stored_kinds(), watch=watch)
    say(json.dumps(asdict(verdict)) if as_json else verdict.words())
    return verdict.exit_code


def erase(
    case: Annotated[str, typer.Argument(help="The case: its id or its short reference.")],
    reason: Annotated[str, typer.Option(help="Why, in a sentence, without names: it outlives the case as evidence.")],
) -> None:
    """Propose that the personal data of a closed case be erased; a second person approves it on its page, not here.

    It is refused while the case is open, has to be kept by its kind or its agreements' states, or by a legal hold or a
    law-enforcement hold, and while a message of it can still come back. Once approved, the key of the case is
    destroyed: nobody can read its names, texts, files and messages any more, and everything still verifies.
    """
    settings, database = open_installation()
    case_id = find_case(database, case)
    proposal = propose_erasure(
        database, case_id, reason=reason, actor=actor(), now=utc_now(), defaults=settings.defaults
    )
    page = f"{as_running(settings).public_url}/cases/{case_id}/erasure"
    console.print(f"Proposal {proposal}: a second person approves it on {page}", soft_wrap=True)


def head() -> None:
    """Sign a head over all entries there are, and print it: keep it elsewhere, and give it to verify by --head."""
    settings, database = open_installation()
    keys = load_log_keys(settings.log_key)
    newest = sign_all(database, keys, utc_now, at_most=settings.checkpoint_entries)
    say(newest.note, end="")


def key() -> None:
    """Print the keys that verify the ledger's heads: hand them to auditors on another way than the bundles."""
    say(load_log_keys(load_settings().log_key).vkeys(), end="")


def make_key(
    file: Annotated[Path | None, typer.Argument(help="Where to; else where DUENOTICE_LOG_KEY says.")] = None,
    host: Annotated[
        str | None, typer.Option(help="What the log's name begins with; else the host of the public address.")
    ] = None,
) -> None:
    """Make the key that signs the ledger's heads, readable by you alone; one that is there is never overwritten.

    Keep it apart from the database and the keyring, and from their copies: whoever has all three can write another
    ledger.
    """
    settings = load_settings() if file is None or host is None else None
    path = file or (settings.log_key if settings else Path())
    keys = create_log_key(path, host or (settings.public_url.partition("://")[2] if settings else ""), utc_now())
    say(f"The key of the log {keys.origin} is in {path}. Auditors know it as:\n{keys.keys[-1].text}")


def rotate_key(
    file: Annotated[Path | None, typer.Argument(help="The key; else the one DUENOTICE_LOG_KEY names.")] = None,
    days: Annotated[int, typer.Option(min=0, help="How long the old key signs beside the new one.")] = OVERLAP.days,
) -> None:
    """Add a newer key for the ledger's heads; the one before signs beside it for a while, so that both are known."""
    path = file or load_settings().log_key
    keys = rotate_log_key(path, utc_now(), timedelta(days=days))
    say(f"Heads are signed with a new key, and for {days} days with the old one. Tell auditors the new one:")
    say(keys.keys[-1].text)


def move_artifacts(
    back: Annotated[
        bool, typer.Option("--back", help="Bring all of them back into the database; stop the engine first.")
    ] = False,
) -> None:
    """Move artifacts from the database to the folder or bucket that DUENOTICE_ARTIFACTS__… names, all that are to go.

    The engine moves new ones by itself an hour after they were stored; this moves what was kept before there was such a
    store. They stay sealed, and each is read back before it leaves the database. It may be stopped at any time, and
    started again: what was moved stays moved. To change from one store to another, bring them back, name the other
    store, and move them there.
    """
    settings, database = open_installation()
    if database.objects:
        check_store(database.objects)
    at_least = settings.artifacts.at_least_bytes
    with counting() as watch:
        moved = move_back(database, watch=watch) if back else move_out(database, at_least, watch=watch)
    what = f"{counted(moved.count, 'artifact')} ({moved.size / 2**20:,.1f} MiB)"
    if back:
        say(f"{what} came back into the database. Take the settings away before the engine starts.")
        return
    stay = f" What takes less than {at_least:,} bytes stays in the database." if at_least else ""
    say(f"{what} went to the {database.objects.called if database.objects else 'store'}.{stay}")
