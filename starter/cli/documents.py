"""``duenotice documents``: put documents where an LEA reaches them through the link of its notice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from models.errors import InvalidInput, Unavailable
from records.documents import GENERAL, NewDocument, add_documents, read_documents
from records.uploads import uploaded_file
from starter.cli.console import console, find_case, instant_text, open_installation, with_case_service
from starter.cli.terms import read_bytes
from starter.command_line import actor
from starter.resources import utc_now

CaseName = Annotated[str, typer.Argument(help="The case: its id or its short reference.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Documents for families, behind the links of notices.")
    group.command("add")(add)
    group.command("list")(list_)
    app.add_typer(group, name="documents")


def add(
    case: CaseName,
    path: Annotated[Path, typer.Argument(help="A file; or a folder of files, each named after its agreement.")],
    element: Annotated[str, typer.Option(help="What it is: a content element of the terms, or general.")] = GENERAL,
    agreement: Annotated[str | None, typer.Option(help="The reference of the agreement; else for every LEA.")] = None,
) -> None:
    """Add a document, or one for each agreement from a folder (VA-001.csv goes to agreement VA-001)."""
    _, database = open_installation()
    documents = list(_documents(path, element, agreement))
    case_id = find_case(database, case)
    added = add_documents(database, case_id, documents, actor=actor(), now=utc_now())
    if added:
        _tell(case_id)
    console.print(f"{added} added, {len(documents) - added} there already.")


def _tell(case_id: UUID) -> None:
    try:
        with_case_service(lambda service: service.look_again(case_id))
    except Unavailable:
        console.print(
            "Temporal does not answer: what was added is kept, and LEAs that lacked it are told when it does."
        )


def list_(case: CaseName) -> None:
    """List the documents of a case."""
    _, database = open_installation()
    found = read_documents(database, find_case(database, case))
    if not found.documents:
        console.print(f"No document. They can be: {', '.join(found.elements)}.")
        return
    table = Table("file", "what it is", "for", "added", "by", box=None, pad_edge=False)
    for document in found.documents:
        whom = Text(document.lea_name or "every LEA")
        added = instant_text(document.added_at)
        table.add_row(Text(document.file_name), document.label, whom, added, document.added_by)
    console.print(table)


def _documents(path: Path, element: str, agreement: str | None) -> Iterator[NewDocument]:
    if not path.is_dir():
        yield NewDocument(uploaded_file(path.name, read_bytes(path)), element, agreement)
        return
    if agreement:
        raise InvalidInput(
            "A folder's files name their agreements themselves.", where="--agreement", next_step="Leave it out."
        )
    for file in sorted(path.iterdir()):
        if file.is_file() and not file.name.startswith("."):
            yield NewDocument(uploaded_file(file.name, read_bytes(file)), element, file.stem)
