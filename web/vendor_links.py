"""The page behind the link to all that one vendor is asked: a table of its tasks, a file to fill in, and JSON.

No account is needed. Each answer is taken as it would be on its own task's page, by the same rules.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import JSONResponse, RedirectResponse, Response

from agreements.references import unreadable_csv
from cases.certificate import ANSWERS
from cases.fields import fields_of
from ledger.entries import JsonObject
from mail.holder_links import HOLDER_FOLDER, VENDOR_FOLDER, digest_of, holder_token
from models.enums import HolderAnswerKind
from models.errors import DuenoticeError, InvalidFields, InvalidInput
from records.file_types import CSV
from records.holder_links import GivenByHolder, LinkedTask
from records.uploads import UploadedFile
from records.vendor_links import Answered, LinkedVendor, Outcome, give_vendor_answers, read_linked_vendor
from web.failures import is_api, json_of, status_of
from web.files import attachment, csv_of, harmless_cell
from web.holder_answers import (
    FILES,
    MOST_FILES,
    SIGNING,
    answer_in_json,
    answer_in_texts,
    fields_asked,
    files_with,
    json_body,
    kind_named,
)
from web.holder_links import JSON_ENDING, actor_of, shown_in_json
from web.site import Site, TheSite, text_of

router = APIRouter(prefix=VENDOR_FOLDER.rstrip("/"), include_in_schema=False)

LISTED = 100
"""How many tasks the page lists; the file and JSON have more."""

MOST_ROWS = 500
"""How many tasks one file has, and how many answers are taken at a time."""

REST = "rest"
"""The field with the answer for each listed task that has none of its own."""

ALL_OR_NONE = "all_or_none"

TOLD_COLUMNS = ("case", "lea", "agreement", "due", "holds")
"""The columns of the file that say what is asked; what stands there is not read."""

WORDS = {
    HolderAnswerKind.CERTIFICATE: "Done",
    HolderAnswerKind.HOLDS_NOTHING: "Holds nothing",
    HolderAnswerKind.MORE_TIME: "Needs time",
    HolderAnswerKind.DECLINED: "Declines",
}
"""What each answer is called in a row of the table."""

SECTIONS = {
    HolderAnswerKind.CERTIFICATE: "Done: the certificate of all that are marked so",
    HolderAnswerKind.HOLDS_NOTHING: "Holds nothing: why",
    HolderAnswerKind.MORE_TIME: "Needs time: until when, and why",
    HolderAnswerKind.DECLINED: "Declines: why",
}
"""Under which heading the particulars of an answer are asked."""

PARTICULARS = {kind: tuple(field for field in fields_asked(kind) if field not in SIGNING) for kind in ANSWERS}
"""What an answer says besides who signs it."""

FILE_COLUMNS = (
    "task",
    *TOLD_COLUMNS,
    "answer",
    *dict.fromkeys(field.name for fields in PARTICULARS.values() for field in fields),
)


@dataclass(frozen=True)
class Filled:
    """What was filled in: the sound answers by task, and each problem with its place."""

    answers: Mapping[UUID, GivenByHolder]
    problems: tuple[InvalidInput, ...]


@dataclass(frozen=True)
class Shown:
    """What the page says after answers were sent: what was typed, what became of them, and what is wrong."""

    typed: Mapping[str, str] = field(default_factory=dict)
    done: Mapping[UUID, Answered] = field(default_factory=dict)
    problems: tuple[DuenoticeError, ...] = ()


@router.get("/{token}")
def vendor_page(request: Request, site: TheSite, token: str) -> Response:
    """All that a vendor is asked, and the form to answer it; the same in JSON."""
    if is_api(request):
        return JSONResponse(_in_json(_read(site, token, MOST_ROWS)))
    return _show(request, site, token, _read(site, token, LISTED), Shown())


@router.post("/{token}")
async def answer(request: Request, site: TheSite, token: str) -> Response:
    """Keep the answers of a form, or those that a program gives."""
    await _check_link(site, token)
    if is_api(request):
        return await _answer_in_json(request, site, token)
    form = await request.form(max_fields=10 * MOST_ROWS)
    vendor = await asyncio.to_thread(_read, site, token, LISTED)
    filled = await _of_form(form, vendor, site)
    typed = {name: text_of(form, name) for name in form}
    return await _take(request, site, token, filled, typed)


@router.get("/{token}/tasks.csv")
def file(site: TheSite, token: str) -> Response:
    """The file to fill in: a row for each pending task."""
    written = io.StringIO()
    writer = csv.DictWriter(written, FILE_COLUMNS, restval="")
    writer.writeheader()
    for task in _read(site, token, MOST_ROWS).pending:
        due = task.due_at.isoformat() if task.due_at else ""
        told = (task.case_reference, task.lea_name, task.agreement_reference, due, task.data or "")
        cells = zip(TOLD_COLUMNS, map(harmless_cell, told), strict=True)
        writer.writerow({"task": str(task.id), **dict(cells)})
    return attachment(UploadedFile("tasks.csv", written.getvalue().encode(), CSV.media_type))


@router.post("/{token}/upload")
async def upload(request: Request, site: TheSite, token: str) -> Response:
    """Keep the answers of a file; every row is checked before the first is kept."""
    await _check_link(site, token)
    form = await request.form()
    try:
        name, text = await csv_of(form.get("file"), "answers")
        rows = rows_of(text, name)
        vendor = await asyncio.to_thread(_read, site, token, MOST_ROWS, {row.task for row in rows if row.task})
        filled = _of_rows(rows, form, vendor, site)
    except InvalidInput as error:
        problems = error.problems if isinstance(error, InvalidFields) else (error,)
        filled = Filled({}, problems)
    typed = {name: text_of(form, name) for name in form}
    return await _take(request, site, token, filled, typed)


async def _take(request: Request, site: Site, token: str, filled: Filled, typed: Mapping[str, str]) -> Response:
    """Keep what was filled in, and lead to the page; where something is wrong, the page says what was kept."""
    together = bool(typed.get(ALL_OR_NONE))
    problems: list[DuenoticeError] = list(filled.problems)
    done: Mapping[UUID, Answered] = {}
    if filled.answers and not (together and problems):
        done = await site.to_the_end(_keep(request, site, token, filled.answers, all_or_none=together))
        problems += [one.problem for one in done.values() if one.problem]
    elif not problems:
        problems.append(InvalidInput("Nothing is answered.", next_step="Choose an answer for at least one row."))
    if not problems:
        counts = {outcome: sum(one.outcome is outcome for one in done.values()) for outcome in Outcome}
        to = f"{VENDOR_FOLDER}{token}?taken={counts[Outcome.TAKEN]}&unchanged={counts[Outcome.UNCHANGED]}"
        return RedirectResponse(to, HTTPStatus.SEE_OTHER)
    vendor = await asyncio.to_thread(_read, site, token, LISTED)
    return await asyncio.to_thread(_show, request, site, token, vendor, Shown(typed, done, tuple(problems)))


async def _keep(
    request: Request, site: Site, token: str, answers: Mapping[UUID, GivenByHolder], *, all_or_none: bool
) -> dict[UUID, Answered]:
    """Keep answers, and tell the cases of those that are new."""
    vendor = await asyncio.to_thread(_read, site, token, MOST_ROWS, set(answers))
    done = await asyncio.to_thread(
        give_vendor_answers,
        site.resources.database,
        digest_of(_bare(token)),
        answers,
        all_or_none=all_or_none,
        asked_by=site.resources.settings.organisation.name,
        actor=actor_of(request),
        now=site.clock(),
    )
    taken = {task for task, one in done.items() if one.outcome is Outcome.TAKEN}
    for case_id in {task.case_id for task in (*vendor.pending, *vendor.others) if task.id in taken}:
        await site.service.look_again(case_id)
    return done


# A form


async def _of_form(form: FormData, vendor: LinkedVendor, site: Site) -> Filled:
    """The answers of the page's form: what is chosen in a row, with the particulars that all chosen so share."""
    chosen = [(task, kind) for task in vendor.pending if (kind := _chosen(form, task)) and task.takes_answers]
    problems: dict[tuple[str | None, str], InvalidInput] = {}
    files: tuple[UploadedFile, ...] = ()
    try:
        files = await files_with(form)
    except InvalidInput as problem:
        problems[FILES, problem.message] = problem
    answers = {}
    for task, kind in chosen:
        try:
            says = answer_in_texts(kind, _Texts(form, kind), task, site.clock())
            answers[task.id] = GivenByHolder(kind, says, files if kind is HolderAnswerKind.CERTIFICATE else ())
        except InvalidFields as error:
            for found in error.problems:
                where = _input_of(kind, found.where or "")
                placed = InvalidInput(found.message, where=where, next_step=found.next_step)
                problems.setdefault((where, found.message), placed)
    return Filled({} if FILES in {where for where, _ in problems} else answers, tuple(problems.values()))


def _chosen(form: FormData, task: LinkedTask) -> HolderAnswerKind | None:
    return kind_named(text_of(form, f"answer-{task.id}") or text_of(form, REST))


@dataclass(frozen=True)
class _Texts:
    """The texts of the fields of one answer in the page's form."""

    form: FormData
    kind: HolderAnswerKind

    def __call__(self, name: str) -> str:
        return text_of(self.form, _input_of(self.kind, name))


def _input_of(kind: HolderAnswerKind, name: str) -> str:
    """The name of the input of a field: who signs is asked once, for every answer."""
    return name if name in {field.name for field in SIGNING} else f"{kind.value}-{name}"


# A file


@dataclass(frozen=True)
class Row:
    """One row of the file in which something is answered: ``task`` is None where none is named rightly."""

    line: int
    task: UUID | None
    cells: Mapping[str, str]


def rows_of(text: str, file_name: str) -> tuple[Row, ...]:
    """The rows of a file in which something is answered.

    Raises:
        InvalidInput: it is no such file, cannot be read as CSV, or has too many rows.
    """
    try:
        reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff"), newline=""), restkey="more", restval="")
        unknown = [name for name in reader.fieldnames or () if name not in FILE_COLUMNS]
        if unknown or not {"task", "answer"} <= set(reader.fieldnames or ()):
            raise InvalidInput(
                "The header is not that of the file of this page.",
                where=f"{file_name}:1",
                next_step=f"The columns are {', '.join(FILE_COLUMNS)}; those but task and answer may be left out.",
            )
        rows = tuple(
            Row(reader.line_num, _id(cells["task"]), cells) for cells in reader if str(cells["answer"]).strip()
        )
    except csv.Error:
        raise unreadable_csv(file_name) from None
    if len(rows) > MOST_ROWS:
        raise InvalidInput(
            f"The file answers more than {MOST_ROWS} tasks.", where=file_name, next_step="Send it in parts."
        )
    if not rows:
        raise InvalidInput("The file answers nothing.", where=file_name, next_step="Fill in the column answer.")
    return rows


def _id(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def _of_rows(rows: tuple[Row, ...], form: FormData, vendor: LinkedVendor, site: Site) -> Filled:
    """The answers of a file; who signs is given once, on the page that it is sent from."""
    tasks = {task.id: task for task in (*vendor.pending, *vendor.others)}
    signed = {field.name: text_of(form, field.name) for field in SIGNING}
    problems: list[InvalidInput] = []
    answers: dict[UUID, GivenByHolder] = {}
    unsigned: dict[str, InvalidInput] = {}
    for row in rows:
        try:
            task, given = _answer_of(row, tasks, answers, signed, site)
            answers[task] = given
        except InvalidFields as error:
            for problem in error.problems:
                if problem.where in signed:
                    unsigned.setdefault(problem.where or "", problem)
                else:
                    place = f"row {row.line}, {problem.where}"
                    problems.append(InvalidInput(problem.message, where=place, next_step=problem.next_step))
    return Filled(answers, (*unsigned.values(), *problems))


def _answer_of(
    row: Row, tasks: Mapping[UUID, LinkedTask], before: Collection[UUID], signed: Mapping[str, str], site: Site
) -> tuple[UUID, GivenByHolder]:
    task, kind = tasks.get(row.task) if row.task else None, kind_named(row.cells["answer"].strip())
    wrong = []
    if task is None:
        wrong.append(InvalidInput("There is no such task.", where="task", next_step="Leave this column as it was."))
    elif task.id in before:
        wrong.append(InvalidInput("This task stands in it twice.", where="task", next_step="Leave one row."))
    if kind is None:
        known = ", ".join(ANSWERS)
        wrong.append(InvalidInput("There is no such answer.", where="answer", next_step=f"Write one of {known}."))
    if "more" in row.cells:
        wrong.append(
            InvalidInput(
                "The row has more cells than the header.", where="answer", next_step="Quote cells with commas."
            )
        )
    if wrong or task is None or kind is None:
        raise InvalidFields(tuple(wrong))
    cells = {**row.cells, **signed}
    said = [*fields_of(ANSWERS[kind])]
    others = {field.name for fields in PARTICULARS.values() for field in fields} - {field.name for field in said}
    misplaced = tuple(
        InvalidInput(f"The answer {kind.value} has no such particular.", where=name, next_step="Leave it empty.")
        for name in FILE_COLUMNS
        if name in others and str(cells.get(name, "")).strip()
    )
    try:
        says = answer_in_texts(kind, lambda name: str(cells.get(name, "")).strip(), task, site.clock())
    except InvalidFields as error:
        raise InvalidFields((*error.problems, *misplaced)) from None
    if misplaced:
        raise InvalidFields(misplaced)
    return task.id, GivenByHolder(kind, says)


# JSON


async def _answer_in_json(request: Request, site: Site, token: str) -> Response:
    """Keep the answers that a program gives, and tell what became of each; 422 where one of them is wrong."""
    body = await json_body(request)
    given = body.get("answers")
    if (
        not isinstance(given, list)
        or not 0 < len(given) <= MOST_ROWS
        or not all(isinstance(one, dict) for one in given)
    ):
        raise InvalidInput(
            f"No list of 1 to {MOST_ROWS} answers is given.",
            where="answers",
            next_step='Send {"answers": [{"task": "…", "answer": "certificate", …}]}.',
        )
    named = [_id(str(one.get("task", ""))) for one in given]
    vendor = await asyncio.to_thread(_read, site, token, MOST_ROWS, {key for key in named if key})
    tasks = {task.id: task for task in (*vendor.pending, *vendor.others)}
    answers: dict[UUID, GivenByHolder] = {}
    problems: dict[int, DuenoticeError] = {}
    for place, (key, one) in enumerate(zip(named, given, strict=True)):
        try:
            task, answer = _one_in_json(key, one, tasks, answers, site)
            answers[task] = answer
        except DuenoticeError as problem:
            problems[place] = problem
    together = body.get(ALL_OR_NONE) is True
    done: Mapping[UUID, Answered] = {}
    if answers and not (together and problems):
        done = await site.to_the_end(_keep(request, site, token, answers, all_or_none=together))
    outcomes = [_outcome(key, problems.get(place), done.get(key) if key else None) for place, key in enumerate(named)]
    wrong = any(one["outcome"] == Outcome.REFUSED for one in outcomes)
    return JSONResponse({"outcomes": outcomes}, HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK)


def _one_in_json(
    key: UUID | None, one: JsonObject, tasks: Mapping[UUID, LinkedTask], before: Collection[UUID], site: Site
) -> tuple[UUID, GivenByHolder]:
    task = tasks.get(key) if key else None
    if task is None:
        raise InvalidInput("There is no such task.", where="task", next_step="Take its id from what is asked.")
    if task.id in before:
        raise InvalidInput("This task is answered twice.", where="task", next_step="Leave one of the answers.")
    says = {name: value for name, value in one.items() if name != "task"}
    return task.id, answer_in_json(says, task, site.clock())


def _outcome(key: UUID | None, problem: DuenoticeError | None, answered: Answered | None) -> dict[str, object]:
    """What a program is told of one of its answers."""
    found = problem or (answered.problem if answered else None)
    outcome = Outcome.REFUSED if found else answered.outcome if answered else Outcome.LEFT
    told: dict[str, object] = {"task": str(key) if key else None, "outcome": outcome.value}
    return {**told, "error": json_of(found)} if found else told


def _in_json(vendor: LinkedVendor) -> dict[str, object]:
    return {
        "tasks": [shown_in_json(task) for task in vendor.pending],
        "answered": [shown_in_json(task) for task in vendor.others],
        "total": vendor.total,
        "expires_at": vendor.expires_at.isoformat(),
    }


# The page


def _bare(token: str) -> str:
    return token.removesuffix(JSON_ENDING)


async def _check_link(site: Site, token: str) -> None:
    """Return where a link leads to a vendor's tasks, before anything that may be large is taken in."""
    await asyncio.to_thread(_read, site, token, 1)


def _read(site: Site, token: str, limit: int, only: Collection[UUID] | None = None) -> LinkedVendor:
    digest = digest_of(_bare(token))
    return read_linked_vendor(site.resources.database, digest, site.clock(), limit=limit, only=only)


def _show(request: Request, site: Site, token: str, vendor: LinkedVendor, shown: Shown) -> Response:
    pages = {
        task.id: f"{HOLDER_FOLDER}{holder_token(site.link_key, task.id, task.link_number)}"
        for task in (*vendor.pending, *vendor.others)
    }
    asked = request.query_params
    taken = sum(one.outcome is Outcome.TAKEN for one in shown.done.values())
    refused = {task: one.problem for task, one in shown.done.items() if one.problem}
    return site.pages.show(
        request,
        "vendor.html",
        status=status_of(shown.problems[0]) if shown.problems else HTTPStatus.OK,
        vendor=vendor,
        token=token,
        folder=VENDOR_FOLDER,
        own_pages=pages,
        words=WORDS,
        sections=SECTIONS,
        particulars=PARTICULARS,
        signing=SIGNING,
        typed=shown.typed,
        problems=[problem for problem in shown.problems if problem not in refused.values()],
        refused=refused,
        faulty={problem.where for problem in shown.problems},
        labels=_LABELS,
        done={name: int(asked[name]) for name in ("taken", "unchanged") if asked.get(name, "").isdecimal()},
        taken=taken,
        contact=site.notice_writer.organisation.contact,
        most_files=MOST_FILES,
        most_rows=MOST_ROWS,
    )


_LABELS = {
    **{field.name: field.label for field in SIGNING},
    **{_input_of(kind, field.name): field.label for kind, fields in PARTICULARS.items() for field in fields},
    FILES: "Files",
    "file": "File",
}
"""What the page calls each of its inputs."""
