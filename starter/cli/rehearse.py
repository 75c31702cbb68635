"""``duenotice rehearse``: run a scenario in virtual time and print its time line with every verdict."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from config.logging import configure_logging
from config.settings import load_settings
from models.durations import span
from models.enums import Verdict
from models.errors import InvalidInput
from models.phrases import counted, instant_words
from starter.printable import say
from starter.rehearsals.run import RehearsalProgress, RehearsalResult, run_scenario
from starter.rehearsals.scenario import find_scenarios, read_scenario
from starter.rehearsals.verdicts import ClauseTotal, Happening
from starter.terminal import Terminal, wide_terminal


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(rehearse)


def rehearse(
    scenario: Annotated[str, typer.Argument(help="A scenario that ships, or the path of a YAML file.")] = "",
    show_list: Annotated[bool, typer.Option("--list", help="List the scenarios that ship.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what became of it as JSON.")] = False,
    districts: Annotated[
        int | None, typer.Option(min=1, help="How many districts are affected, in the scenario's mixture.")
    ] = None,
) -> None:
    """Run a scenario in virtual time and print its time line with every verdict; nothing leaves this machine."""
    console = wide_terminal()
    if show_list:
        _list(console)
        return
    if not scenario:
        raise InvalidInput(
            "No scenario is named.", where="SCENARIO", next_step="`duenotice rehearse --list` names them."
        )
    result = asyncio.run(_run(scenario, districts))
    if as_json:
        say(result.model_dump_json(indent=2))
    else:
        show(console, result)


async def _run(name: str, districts: int | None) -> RehearsalResult:
    scenario, settings = read_scenario(name), load_settings()
    configure_logging(settings.model_copy(update={"log_level": "error"}))
    with tempfile.TemporaryDirectory(prefix="duenotice-rehearsal-") as folder, _progress() as watch:
        return await run_scenario(scenario, Path(folder), districts=districts, cli=settings.temporal_cli, watch=watch)


@contextmanager
def _progress() -> Iterator[Callable[[RehearsalProgress], None]]:
    """A progress bar on standard error, and what moves it."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[given]}")
    with Progress(*columns, TimeElapsedColumn(), console=Terminal(stderr=True), transient=True) as bar:
        task = bar.add_task("starting the engine", total=None, given="")

        def watch(progress: RehearsalProgress) -> None:
            bar.update(
                task,
                description=f"{instant_words(progress.at)} {progress.says:.60}",
                completed=progress.done,
                total=progress.of,
                given=f"{counted(progress.given, 'notice')} given",
            )

        yield watch


def _list(console: Terminal) -> None:
    for name in find_scenarios():
        scenario = read_scenario(name)
        console.print(Text.assemble((name, "bold"), f"  {scenario.title}"))
        console.print(Text(f"  {scenario.about}"))


def show(console: Terminal, result: RehearsalResult) -> None:
    """Print what became of a scenario: its time line, and how each clause was met."""
    console.print(Text(result.title, style="bold"))
    console.print(Text(f"{result.about}\n"))
    for note in result.notes:
        console.print(Text(f"· {note}"))
    for source in result.sources:
        console.print(Text(f"· {source.fact} {source.found}"), soft_wrap=True)
    count = f"{sum(result.districts.values()):,} fictional districts"
    mixture = ", ".join(f"{state} {number:,}" for state, number in sorted(result.districts.items()))
    console.print(Text(f"\n{count} ({mixture}); run {result.years} years later, where the calendar is the same.\n"))
    console.print(_timeline(result))
    console.print()
    console.print(_totals(result))
    caught = counted(result.messages, "message was", "messages were")
    console.print(Text(f"\n{caught} caught; nothing left this machine."))


def _timeline(result: RehearsalResult) -> Table:
    table = Table("when", "UTC", "what happened", "clause", "due", "verdict", box=None, pad_edge=False)
    for happening in result.happenings:
        table.add_row(
            _local(happening.at, result.zone),
            f"{happening.at.astimezone(UTC):%m-%d %H:%M}Z",
            _told(happening),
            happening.clause,
            _local(happening.due_at, result.zone) if happening.due_at else "",
            _verdict(happening),
        )
    return table


def _told(happening: Happening) -> Text:
    if happening.act is None:
        return Text(happening.says)
    return Text.assemble((happening.says, "bold"), f" ({happening.by}: {happening.act})" if happening.by else "")


def _verdict(happening: Happening) -> Text:
    if happening.verdict is None:
        return Text()
    if happening.verdict is Verdict.ON_TIME:
        return Text("met" if happening.spare is None else f"met, {_span(happening.spare)} left", style="green")
    return Text("missed" if happening.spare is None else f"missed by {_span(-happening.spare)}", style="red")


def _totals(result: RehearsalResult) -> Table:
    table = Table("clause", "provision", "limit", "states", "due", "met", "missed", "other", box=None, pad_edge=False)
    for total in result.totals:
        table.add_row(
            Text(total.clause, no_wrap=True),
            Text(total.provision),
            Text(total.limit),
            " ".join(total.states),
            _local(total.due[0], result.zone) if total.due else "–",
            Text(_with_times(total.met, total.spare, "left"), style="green" if total.met else ""),
            Text(_with_times(total.missed, total.late, "late"), style="red" if total.missed else ""),
            _rest(total),
        )
    return table


def _with_times(count: int, times: tuple[timedelta, timedelta] | None, word: str) -> str:
    if times is None:
        return f"{count:,}"
    least, most = (_span(time) for time in times)
    return f"{count:,}, {least} {word}" if least == most else f"{count:,}, {least} to {most} {word}"


def _rest(total: ClauseTotal) -> str:
    parts = [f"{count:,} {status.replace('_', ' ')}" for status, count in sorted(total.other.items())]
    if total.unmet:
        parts.append(f"{total.unmet:,} of the missed still open")
    if total.lacking:
        parts.append(f"{total.lacking:,} still to be told more")
    return "; ".join(parts)


def _local(instant: datetime, zone: str) -> str:
    return instant_words(instant, zone)


def _span(time: timedelta) -> str:
    """A length of time to the minute."""
    return span(60 * round(time.total_seconds() / 60))
