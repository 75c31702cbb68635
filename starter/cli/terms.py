"""``duenotice due`` and ``duenotice terms``: what the agreements say, without a server or a database."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from rich import box
from rich.table import Table

from models.defaults import Defaults
from models.errors import ConfigurationError, InvalidInput
from models.phrases import day_words, instant_words
from starter.printable import say
from starter.terminal import Terminal
from terms.agreement_terms import AgreementTerms
from terms.calendars import SchoolCalendar, parse_calendar
from terms.cases import case_problems
from terms.catalogue import CLAUSES_FOLDER, Catalogue, check_catalogue, load_catalogue
from terms.clock import zone_of
from terms.compare import contacts_of, differences, governing, value_of
from terms.duties import DueDuty, duties_for
from terms.effective import Amendment, EffectiveClause, EffectiveTerms, effective_terms
from terms.errors import UnknownEvent, UnknownZone
from terms.internal import lead_words, read_lead_times
from terms.reference import generated_files
from terms.trace import trail_sentences

JSON_FIELDS = (
    "clause",
    "owed_by",
    "owed_to",
    "anchor",
    "starts_at",
    "due_at",
    "due_local",
    "earliest_at",
    "earliest_local",
    "limit",
    "status",
    "contents",
    "trail",
    "why",
    "flags",
)
"""What ``duenotice due --json`` gives of each duty."""

FormOption = Annotated[str, typer.Option("--form", help="Form of agreement, such as ndpa-v1.")]
StateOption = Annotated[str | None, typer.Option("--state", help="Postal abbreviation of the LEA's state.")]
AmendmentsOption = Annotated[
    Path | None, typer.Option("--amendments", help="YAML file with the changes agreed for this agreement.")
]
ChoiceOption = Annotated[
    list[str] | None, typer.Option("--choice", help="What the agreement chose, such as alternative_security_standard.")
]
OnOption = Annotated[str | None, typer.Option("--on", help="Day for which the texts are chosen, by default today.")]

terms_app = typer.Typer(help="Read and check the clauses.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add ``due`` and ``terms`` to the command line."""
    app.command("due")(due)
    app.add_typer(terms_app, name="terms")


def due(
    event: Annotated[str, typer.Argument(help="What happened: the part of the clause ids before the dot.")],
    at: Annotated[list[str], typer.Option("--at", help="ANCHOR=WHEN: an ISO instant with offset, or a date.")],
    form: Annotated[str | None, typer.Option("--form", help="Form of agreement, such as ndpa-v1.")] = None,
    state: StateOption = None,
    tz: Annotated[str | None, typer.Option("--tz", help="The LEA's time zone, by default its state's.")] = None,
    agreement: Annotated[
        str | None, typer.Option("--agreement", help="Reference of an imported agreement, instead of --form.")
    ] = None,
    calendar: Annotated[Path | None, typer.Option("--calendar", help="The LEA's school calendar.")] = None,
    amendments: AmendmentsOption = None,
    choice: ChoiceOption = None,
    on: OnOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what is due, to whom, by when, and why."""
    anchors = dict(_anchor(text) for text in at)
    if len(anchors) < len(at):
        raise InvalidInput("An anchor is given twice.", where="at", next_step="Give each anchor once.")
    question = _question(agreement, form, state, tz, amendments, choice or [], calendar)
    catalogue = load_catalogue()
    terms = effective_terms(
        catalogue,
        question.form,
        question.state,
        amendments=question.amendments,
        choices=question.choices,
        on=_day(on),
    )
    _check_event(catalogue, terms, event)
    zone = _zone(catalogue, question)
    duties = duties_for(terms, event, anchors, zone=zone, calendar=question.calendar, defaults=_installed_defaults())
    if as_json:
        say(json.dumps(_answer(event, terms, duties), indent=2, ensure_ascii=False))
    else:
        _print_duties(duties, zone)


@terms_app.command("show")
def show(
    form: FormOption,
    state: StateOption = None,
    clause: Annotated[str | None, typer.Option("--clause", help="Only this clause, with its trail.")] = None,
    amendments: AmendmentsOption = None,
    choice: ChoiceOption = None,
    on: OnOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the snapshot that a case would pin.")] = False,
) -> None:
    """Show the clauses in force for an agreement."""
    terms = effective_terms(
        load_catalogue(), form, state, amendments=_amendments(amendments), choices=choice or (), on=_day(on)
    )
    if as_json:
        say(terms.snapshot.decode())
        return
    console = Terminal()
    chosen = [terms.clause(clause)] if clause else list(terms.clauses.values())
    table = Table("clause", "value", "where", box=box.SIMPLE_HEAD, pad_edge=False)
    table.columns[0].no_wrap = True
    for each in chosen:
        where = "; ".join(f"{step.document}, {step.clause}" for step in governing(each))
        table.add_row(each.id, value_of(each), where)
    console.print(table)
    if clause:
        _print_clause(console, chosen[0])
    console.print(f"Terms {terms.hash}")


@terms_app.command("internal")
def internal(
    file: Annotated[
        Path | None, typer.Argument(envvar="DUENOTICE_INTERNAL_DUE_DATES", help="YAML file, by default the setting's.")
    ] = None,
) -> None:
    """Check and list how far ahead of their due dates this organisation wants duties done: a setting, and no law."""
    if file is None:
        say("No clause has an internal due date: DUENOTICE_INTERNAL_DUE_DATES names no file.")
        return
    leads = read_lead_times(file, load_catalogue(), _installed_defaults(), _day(None))
    for clause, lead in leads.by_clause.items():
        say(f"{clause}: {lead_words(lead)} ahead")


@terms_app.command("check")
def check(
    folder: Annotated[Path, typer.Argument(help="Folder of clause files.")] = CLAUSES_FOLDER,
) -> None:
    """Check every clause file and every case beside them, and tell all that is wrong, with file and line."""
    catalogue, errors = check_catalogue(folder)
    if errors:
        for error in errors:
            for problem in error.problems:
                say(f"{error.path}:{problem.line}: {problem.message}", err=True)
        raise typer.Exit(2)
    assert catalogue is not None, "a catalogue without errors is complete"
    for name, found in catalogue.forms.items():
        say(f"{name}: {len(found.clause_ids)} clauses, {', '.join(found.supplements)}")
    problems = tuple(case_problems(catalogue))
    for path, line, sentence in problems:
        say(f"{path}:{line}: {sentence}", err=True)
    if problems:
        raise typer.Exit(2)
    say("Every clause file is in order, and every case agrees.")


@terms_app.command("amend")
def amend(
    file: Annotated[Path, typer.Argument(help="YAML file with the changes agreed: a list of steps.")],
    agreement: Annotated[str, typer.Option("--agreement", help="Reference of the agreement.")],
) -> None:
    """Enter what the parties changed for one agreement (Exhibit H); open cases keep the terms they pinned."""
    from agreements.terms import store_amendments  # with the database, only once the file is sound
    from agreements.upcoming import Derivation, renew_for
    from starter.cli.console import open_installation
    from starter.command_line import actor
    from starter.resources import lead_times, utc_now

    changes = _amendments(file)
    settings, database = open_installation()
    now, catalogue = utc_now(), load_catalogue()
    derivation = Derivation(catalogue, settings.defaults, now, lead_times(settings, catalogue))
    terms = store_amendments(database, agreement, changes, read_bytes(file), actor=actor(), now=now)
    renew_for(database, derivation, agreement)
    for clause in dict.fromkeys(change.clause for change in changes):
        say(f"{clause}: {value_of(terms.clause(clause))}")


@terms_app.command("generate")
def generate(
    root: Annotated[Path, typer.Argument(help="The repository.")] = Path(),
) -> None:
    """Write docs/terms.md and the editors' schemas from the clause files."""
    for path, text in generated_files(load_catalogue()).items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        say(str(target))


@terms_app.command("diff")
def diff(form: FormOption, state: Annotated[str, typer.Option("--state", help="State to compare.")]) -> None:
    """Show what a state changes against the form's standard clauses."""
    catalogue = load_catalogue()
    standard = effective_terms(catalogue, form, None)
    found = differences(standard, effective_terms(catalogue, form, state))
    console = Terminal()
    if not found:
        console.print(f"{catalogue.state(form, state).name} changes nothing in {form}.")
        return
    for difference in found:
        values = dict.fromkeys((value_of(difference.before), value_of(difference.after)))
        console.print(f"{difference.clause}: {' → '.join(values)}", style="bold", highlight=False)
        for sentence in difference.says:
            console.print(f"  {sentence}", highlight=False, markup=False)


def _print_clause(console: Terminal, clause: EffectiveClause) -> None:
    console.print(f"{clause.title} ({clause.owed_by} → {clause.owed_to})", style="bold", highlight=False)
    if clause.performed_by:
        incomplete = f", {clause.incomplete} while something required at once is missing" if clause.incomplete else ""
        console.print(
            f"  Performed by {clause.performed_by}{incomplete}; contacts: {contacts_of(clause)}.", highlight=False
        )
    for sentence in trail_sentences(clause):
        console.print(f"  {sentence}", highlight=False, markup=False)
    for element in clause.contents:
        firmness = element.required.replace("_", " ")
        console.print(
            f"  {element.id} ({firmness}): {element.label}. {element.citation}", highlight=False, markup=False
        )


def _question(
    agreement: str | None,
    form: str | None,
    state: str | None,
    zone: str | None,
    amendments: Path | None,
    choices: list[str],
    calendar: Path | None,
) -> AgreementTerms:
    if (agreement is None) == (form is None):
        raise InvalidInput(
            "Say which agreement is meant, in one way.", where="form", next_step="Give --form, or --agreement."
        )
    supplied = _calendar(calendar)
    if agreement is not None:
        if state or amendments or choices:
            raise InvalidInput(
                "An imported agreement has its own state, amendments and choices.",
                where="agreement",
                next_step="Leave out --state, --amendments and --choice.",
            )
        from agreements.terms import stored_agreement  # with the database, which other questions do not need
        from starter.cli.console import open_installation

        _, database = open_installation()
        stored = stored_agreement(database, agreement)
        return replace(stored, zone=zone or stored.zone, calendar=supplied or stored.calendar)
    assert form is not None, "one of the two is given"
    return AgreementTerms(form, state, zone, _amendments(amendments), tuple(choices), supplied)


def _anchor(text: str) -> tuple[str, datetime | date]:
    name, given, when = text.partition("=")
    if not given:
        raise InvalidInput(
            f"{text!r} is not ANCHOR=WHEN.",
            where="at",
            next_step="Write, for example, confirmed=2026-03-07T22:15-05:00.",
        )
    try:
        return name, date.fromisoformat(when)
    except ValueError:
        pass
    try:
        return name, datetime.fromisoformat(when)
    except ValueError:
        raise InvalidInput(
            f"{when!r} is neither a date nor an instant.",
            where=name,
            next_step="Write 2026-03-07, or with time and offset 2026-03-07T22:15-05:00.",
        ) from None


def _day(text: str | None) -> date:
    if text is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is not a date.", where="on", next_step="Write it as 2026-03-07.") from None


def _zone(catalogue: Catalogue, question: AgreementTerms) -> str:
    if question.zone:
        return question.zone
    if question.state is None:
        raise UnknownZone(
            "Without a state there is no time zone to count in.",
            where="tz",
            next_step="Give --state, or --tz with an IANA name such as America/New_York.",
        )
    return catalogue.state(question.form, question.state).zone


def _check_event(catalogue: Catalogue, terms: EffectiveTerms, event: str) -> None:
    dated = sorted({clause.event for clause in terms.clauses.values() if clause.dated})
    if event not in dated:
        known = event in catalogue.events
        raise UnknownEvent(
            f"{terms.form} sets no dated duty for {event}." if known else f"There is no event {event!r}.",
            where="event",
            next_step=f"It sets duties for {', '.join(dated)}.",
        )


class _InstalledDefaults(Defaults, BaseSettings):
    """The installation's defaults, read without its other settings, which would load Temporal's client."""

    model_config = SettingsConfigDict(env_prefix="DUENOTICE_DEFAULTS__", extra="ignore")


def _installed_defaults() -> Defaults:
    try:
        return _InstalledDefaults()
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigurationError(
            f"The default {first['loc'][0]} cannot be used: {first['msg']}.",
            where=f"DUENOTICE_DEFAULTS__{str(first['loc'][0]).upper()}",
            next_step="Give a number of hours or days, as its name says.",
        ) from None


def _calendar(path: Path | None) -> SchoolCalendar | None:
    return parse_calendar(read_bytes(path), path.name) if path else None


def read_bytes(path: Path) -> bytes:
    """The bytes of a file that a person named.

    Raises:
        InvalidInput: if it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"The file cannot be read: {error.strerror}.", where=str(path), next_step="Give a file that exists."
        ) from None


def _amendments(path: Path | None) -> tuple[Amendment, ...]:
    if path is None:
        return ()
    try:
        return TypeAdapter(tuple[Amendment, ...]).validate_python(yaml.safe_load(read_bytes(path)))
    except yaml.YAMLError:
        raise InvalidInput("The file is not YAML.", where=str(path), next_step="Write a list of changes.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(
            f"{place}: {first['msg']}.",
            where=str(path),
            next_step="Each change has clause, step, effective and entered_by.",
        ) from None


def _answer(event: str, terms: EffectiveTerms, duties: tuple[DueDuty, ...]) -> dict[str, Any]:
    return {
        "event": event,
        "form": terms.form,
        "state": terms.state,
        "terms_hash": terms.hash,
        "duties": [duty.model_dump(mode="json", include=set(JSON_FIELDS)) for duty in duties],
    }


def _when(duty: DueDuty, zone: str) -> str:
    """When a duty is due, or from which day on it may be performed, or else where it stands."""
    if duty.due_at:
        return instant_words(duty.due_at, zone_of(zone))
    if duty.earliest_local:
        return f"not before {day_words(date.fromisoformat(duty.earliest_local[:10]))}"
    return duty.status


def _print_duties(duties: tuple[DueDuty, ...], zone: str) -> None:
    console = Terminal()
    table = Table("clause", "limit", "due (LEA's time)", box=box.SIMPLE_HEAD, pad_edge=False)
    for duty in duties:
        table.add_row(duty.clause, duty.limit, _when(duty, zone))
    console.print(table)
    for duty in duties:
        flags = f" ({', '.join(duty.flags)})" if duty.flags else ""
        console.print(
            f"{duty.clause} ({duty.owed_by} → {duty.owed_to}): {duty.title}{flags}", style="bold", highlight=False
        )
        for sentence in duty.why:
            console.print(f"  {sentence}", highlight=False, markup=False)
