"""Answers of holders of data as they arrive: from the fields of a form, from a row of a file, or in JSON."""

from __future__ import annotations

import json
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import cast

from fastapi import Request
from starlette.datastructures import FormData

from cases.certificate import ANSWERS, HolderSays, parse_answer
from cases.fields import FormField, Shape, fields_of
from ledger.entries import JsonObject
from models.enums import HolderAnswerKind
from models.errors import InvalidFields, InvalidInput
from records.holder_links import GivenByHolder, LinkedTask
from records.uploads import UploadedFile, uploaded_file
from web.files import files_of
from web.inputs import read_text

FILES = "files"
"""The field of the files that go with an answer."""

MOST_FILES = 10

SIGNING = fields_of(HolderSays)
"""The fields by which every answer is signed."""

WORDS = {
    HolderAnswerKind.CERTIFICATE: "We disposed of it: give the certificate",
    HolderAnswerKind.HOLDS_NOTHING: "We hold none of it",
    HolderAnswerKind.MORE_TIME: "We need more time",
    HolderAnswerKind.DECLINED: "We will not dispose of it",
}
"""What each answer is called for whoever gives it."""


def fields_asked(kind: HolderAnswerKind) -> tuple[FormField, ...]:
    """The fields of an answer in the order in which its form asks: who signs stands last."""
    about = [field for field in fields_of(ANSWERS[kind]) if field not in SIGNING]
    last = [field for field in SIGNING if field.shape is Shape.TICK]
    return (*about, *(field for field in SIGNING if field not in last), *last)


def kind_named(word: str) -> HolderAnswerKind | None:
    """The answer of this name, if there is one."""
    return next((kind for kind in ANSWERS if kind.value == word), None)


def answer_in_texts(kind: HolderAnswerKind, text: Callable[[str], str], task: LinkedTask, now: datetime) -> HolderSays:
    """Read an answer whose fields are given by texts; ``text`` is that of a field, blank where it gives none.

    Raises:
        InvalidFields: with everything that is wrong at once; each problem names its field.
    """
    of, problems = ANSWERS[kind], []
    given: dict[str, object] = {}
    for field in fields_of(of):
        try:
            value = read_text(field, text(field.name), task.time_zone)
            if value is not None:
                given[field.name] = value
        except InvalidInput as problem:
            problems.append(problem)
    try:
        says = parse_answer(of, given, task.asked_on, now)
    except InvalidFields as error:
        unread = {problem.where for problem in problems}
        problems += [problem for problem in error.problems if problem.where not in unread]
        raise InvalidFields(tuple(problems)) from None
    if problems:
        raise InvalidFields(tuple(problems))
    return says


async def files_with(form: FormData, name: str = FILES) -> tuple[UploadedFile, ...]:
    """The files that go with an answer.

    Raises:
        InvalidInput: they are too many, or one of them is not taken.
    """
    return _few(await files_of(form, name))


async def json_body(request: Request) -> JsonObject:
    """The JSON object that a program sent.

    Raises:
        InvalidInput: it sent none.
    """
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise InvalidInput("The body is no JSON object.", next_step='Send one, as in {"answer": "certificate", …}.')
    return cast(JsonObject, body)


def answer_in_json(body: Mapping[str, object], task: LinkedTask, now: datetime) -> GivenByHolder:
    """Read an answer that a program gives: ``answer`` says which, ``files`` are names with content in base64.

    Raises:
        InvalidFields: with everything that is wrong at once; each problem names its field.
    """
    kind = kind_named(str(body.get("answer", "")))
    if kind is None:
        known = ", ".join(kind.value for kind in ANSWERS)
        wrong = InvalidInput("There is no such answer.", where="answer", next_step=f"Give one of {known}.")
        raise InvalidFields((wrong,))
    fields = {name: value for name, value in body.items() if name not in ("answer", FILES)}
    problems: list[InvalidInput] = []
    files: tuple[UploadedFile, ...] = ()
    try:
        files = _few(tuple(_file(file) for file in _list(body.get(FILES, []))))
    except InvalidInput as problem:
        problems.append(problem)
    try:
        says = parse_answer(ANSWERS[kind], fields, task.asked_on, now)
    except InvalidFields as error:
        raise InvalidFields((*error.problems, *problems)) from None
    if problems:
        raise InvalidFields(tuple(problems))
    return GivenByHolder(kind, says, files)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise InvalidInput("This is no list.", where=FILES, next_step="Give a list, which may be empty.")
    return value


def _file(value: object) -> UploadedFile:
    name, content = (value.get("name"), value.get("content")) if isinstance(value, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(content, str):
        raise InvalidInput("A file lacks its name or its content.", where=FILES, next_step="Give both as texts.")
    try:
        return uploaded_file(name, b64decode(content, validate=True), FILES)
    except NotBase64:
        raise InvalidInput(
            "The content of a file is not base64.", where=FILES, next_step="Encode it by RFC 4648, section 4."
        ) from None


def _few(files: tuple[UploadedFile, ...]) -> tuple[UploadedFile, ...]:
    if len(files) > MOST_FILES:
        raise InvalidInput(f"These are more than {MOST_FILES} files.", where=FILES, next_step="Put some together.")
    return files
