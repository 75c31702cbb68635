"""``duenotice breach`` followed by an act: what an officer can do in a case that is open."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Annotated, TypeVar
from uuid import UUID

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cases.messages import CaseSummary
from config.database import Database
from models.errors import NotFound
from records.queries.cases import notices_left, read_case_head
from records.queries.views import HoldView, ProposalView
from starter import acts
from starter.acts import AskedAct, Carried, carry_out, read_references
from starter.cli.console import (
    actor,
    console,
    find_case,
    open_installation,
    parse_instant,
    parse_when,
    utc_text,
    with_case_service,
)
from starter.cli.terms import read_bytes
from starter.resources import utc_now

Row = TypeVar("Row")

LOOK_AGAIN_SECONDS = 0.5
"""How often what is under way is looked at again."""

CaseArgument = Annotated[str, typer.Argument(help="The case: its id or its short reference.", show_default=False)]
ProposalArgument = Annotated[
    str, typer.Argument(help="The proposal: its id, or the beginning of it.", show_default=False)
]
ReasonOption = Annotated[str, typer.Option(help="Why, in a sentence; it is kept as evidence.", show_default=False)]
ClauseOption = Annotated[str | None, typer.Option(help="Only notices under this clause, such as breach.notice.")]
AgreementOption = Annotated[str | None, typer.Option(help="Only for the agreement of this reference.")]


def register(group: typer.Typer) -> None:
    """Add the acts to the group ``breach``."""
    commands: dict[str, Callable[..., None]] = {
        "confirm": confirm,
        "dismiss": dismiss,
        "date": date,
        "learn": learn,
        "impossible": impossible,
        "release": release,
        "withhold": withhold,
        "propose": propose,
        "approve": approve,
        "decline": decline,
        "hold": hold,
        "lift": lift,
        "done": done,
        "adopt-terms": adopt_terms,
        "add": add,
    }
    for name, command in commands.items():
        group.command(name)(command)


def confirm(
    case: CaseArgument,
    at: Annotated[str, typer.Option(help="When it was confirmed, with its offset; else now.")] = "",
) -> None:
    """Confirm a suspected breach, which starts the clocks that run from confirmation."""
    _do(case, acts.Confirm(confirmed_at=parse_instant(at, "--at") if at else utc_now()))


def dismiss(case: CaseArgument, reason: ReasonOption) -> None:
    """Find that there was no breach: what has not left is cancelled, LEAs already told are told so."""
    _do(case, acts.Dismiss(reason=reason))


def date(
    case: CaseArgument,
    name: Annotated[str, typer.Argument(help="Which date, such as occurred or confirmed.", show_default=False)],
    when: Annotated[
        str,
        typer.Argument(
            help="An instant with its offset; when it occurred may also be a date, FIRST..LAST or unknown.",
            show_default=False,
        ),
    ],
    reason: Annotated[str | None, typer.Option(help="Why it changes; a correction needs it.")] = None,
    agreement: AgreementOption = None,
) -> None:
    """Give a dated fact of a case, or correct one; every open duty is computed anew."""
    given = parse_when(when, "when")
    _do(case, acts.SetDate(name=name, reason=reason, agreement=agreement, **given))


def learn(
    case: CaseArgument,
    element: Annotated[str, typer.Argument(help="The content element, as `breach show` names it.", show_default=False)],
    value: Annotated[str, typer.Argument(help="What it is; - reads it from standard input.", show_default=False)],
) -> None:
    """Say what a content element is; LEAs that were told without it get a supplement."""
    _do(case, acts.Learn(element=element, value=sys.stdin.read() if value == "-" else value))


def impossible(
    case: CaseArgument,
    element: Annotated[str, typer.Argument(help="The content element, as `breach show` names it.", show_default=False)],
) -> None:
    """Declare that a content element cannot be determined, so that nobody waits for it."""
    _do(case, acts.Impossible(element=element))


def release(
    case: CaseArgument,
    clause: ClauseOption = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait, with a progress bar, until they are given.")] = False,
) -> None:
    """Let waiting and withheld notices of a case go now."""
    database, case_id = _open(case)
    total = notices_left(database, case_id, clause)
    _do(case, acts.Release(clause=clause))
    if wait:
        _wait_for_notices(database, case_id, clause, total)


def withhold(case: CaseArgument, reason: ReasonOption, clause: ClauseOption = None) -> None:
    """Keep waiting notices back, even at their last safe moment, until they are released."""
    _do(case, acts.Withhold(reason=reason, clause=clause))


def propose(
    case: CaseArgument,
    clause: Annotated[str, typer.Argument(help="The clause, such as breach.notice.", show_default=False)],
    ground: Annotated[str, typer.Argument(help="The ground, as `breach show` names it.", show_default=False)],
    reason: ReasonOption,
    agreement: Annotated[
        list[str] | None, typer.Option(help="A reference of an agreement it is for; give it for each, else for all.")
    ] = None,
) -> None:
    """Propose that a clause asks for no notice; a second person approves or declines it."""
    asked = acts.Propose(clause=clause, ground=ground, reason=reason, agreements=tuple(agreement or ()))
    console.print(f"Proposal {_do(case, asked).id}: a second person decides it.")


def approve(case: CaseArgument, proposal: ProposalArgument) -> None:
    """Approve somebody else's proposal: its duties are closed as not required."""
    _do(case, acts.Approve(proposal_id=_proposal(case, proposal).id))


def decline(case: CaseArgument, proposal: ProposalArgument) -> None:
    """Decline a proposal: its duties stay as they are."""
    _do(case, acts.Decline(proposal_id=_proposal(case, proposal).id))


def hold(
    case: CaseArgument,
    particulars: Annotated[
        str, typer.Option(help="The agency, its reference, and who asked; kept as evidence.", show_default=False)
    ],
    since: Annotated[str, typer.Option(help="Since when, with its offset; else now.")] = "",
    until: Annotated[str, typer.Option(help="When it ends by itself, with its offset, if that is known.")] = "",
    agreement: AgreementOption = None,
    secret: Annotated[bool, typer.Option("--secret", help="LEAs may not be told of it.")] = False,
) -> None:
    """Record that law enforcement asks for notices to be held back; it stops only clocks whose clause allows that."""
    asked = acts.Hold(
        particulars=particulars,
        begins_at=parse_instant(since, "--since") if since else utc_now(),
        until=parse_instant(until, "--until") if until else None,
        agreement=agreement,
        shareable=not secret,
    )
    console.print(f"Hold {_do(case, asked).id} is in place.")


def lift(
    case: CaseArgument,
    hold: Annotated[str, typer.Argument(help="The hold's id, or its beginning, if there are several.")] = "",
) -> None:
    """End a law-enforcement hold: what it stopped is due a reasonable time later."""
    _do(case, acts.Lift(hold_id=_hold(case, hold).id))


def done(
    case: CaseArgument,
    clause: Annotated[str, typer.Argument(help="The clause, such as breach.audit.", show_default=False)],
    proof: Annotated[Path, typer.Option(help="A file that proves it; kept as evidence.", show_default=False)],
) -> None:
    """Record that duties which no notice performs were done."""
    _do(case, acts.Done(clause=clause, proof=read_bytes(proof)))


def adopt_terms(case: CaseArgument, reason: ReasonOption) -> None:
    """Let a case follow the clauses as they are now instead of those that it pinned."""
    _do(case, acts.Adopt(reason=reason))


def add(
    case: CaseArgument,
    references: Annotated[list[str] | None, typer.Argument(help="References of agreements.")] = None,
    state: Annotated[str, typer.Option(help="All others of this state.")] = "",
    form: Annotated[str, typer.Option(help="All others on this form.")] = "",
    file: Annotated[Path | None, typer.Option(help="A CSV file with a column `reference`.")] = None,
    confirmed: Annotated[
        str, typer.Option(help="When it was confirmed that they are touched, with its offset; it takes a reason.")
    ] = "",
    reason: Annotated[str | None, typer.Option(help="Why that is not when the breach was confirmed.")] = None,
) -> None:
    """Add agreements that the incident touches after all; they are due by the incident's own dates."""
    from_file = read_references(read_bytes(file).decode("utf-8", "replace")) if file else ()
    asked = acts.Add(
        references=(*(references or ()), *from_file),
        state=state.upper(),
        form=form,
        confirmed_at=parse_instant(confirmed, "--confirmed") if confirmed else None,
        reason=reason,
    )
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        bar.add_task("Computing their duties", total=None)
        carried = _carry(case, asked)
    _say(carried.summary)


def _open(case: str) -> tuple[Database, UUID]:
    _, database = open_installation()
    return database, find_case(database, case)


def _carry(case: str, asked: AskedAct) -> Carried:
    database, case_id = _open(case)
    return with_case_service(lambda service: carry_out(service, database, case_id, asked, actor=actor()))


def _do(case: str, asked: AskedAct) -> Carried:
    carried = _carry(case, asked)
    _say(carried.summary)
    return carried


def _say(summary: CaseSummary | None) -> None:
    if summary:
        console.print(
            f"{summary.open_duties} duties open, {summary.waiting_notices} notices waiting; "
            f"next due {utc_text(summary.next_due_at)}."
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


def _proposal(case: str, name: str) -> ProposalView:
    database, case_id = _open(case)
    waiting = [row for row in read_case_head(database, case_id, utc_now()).proposals if row.decided_at is None]
    return _called(name, {str(row.id): row for row in waiting}, "proposal")


def _hold(case: str, name: str) -> HoldView:
    database, case_id = _open(case)
    lasting = [row for row in read_case_head(database, case_id, utc_now()).holds if row.ended_at is None]
    return _called(name, {str(row.id): row for row in lasting}, "hold")


def _called(name: str, rows: dict[str, Row], kind: str) -> Row:
    found = [row for key, row in rows.items() if key.startswith(name.lower())]
    if len(found) != 1:
        says = f"No such {kind} is open" if not found else f"Several {kind}s could be meant"
        raise NotFound(f"{says}.", where=kind, next_step="`duenotice breach show` lists them with their ids.")
    return found[0]
