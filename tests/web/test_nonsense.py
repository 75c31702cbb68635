"""Nonsense in every request that carries something: each is refused in a sentence, or taken, and nothing crashes.

What may be sent comes from the site itself: JSON from its own description of it, forms from its pages. In one place at
a time stands what no check may have foreseen: no characters, halves of characters, years and numbers out of reach, much
depth, another type. Which place is drawn from the same seed each time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from temporalio.client import Client

from cases.kinds import KINDS
from config.keyring import Keyring
from models.enums import Role
from tests.support.given_notices import Told
from tests.support.installation import PLACES, Installation, Visitor, open_installation
from web.api import openings
from web.app import PARTS

EXAMPLES = 40
"""How many requests each test sends."""

fuzzed = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

DEEP = "[" * 5_000 + "]" * 5_000

NONSENSE: tuple[str, ...] = (
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "1e308",
    "1e999",
    "NaN",
    "9" * 5_000,
    str(2**63),
    "[]",
    "{}",
    "[null]",
    '{"kind": "exact", "instant": "0001-01-01T00:00:00+14:00"}',
    DEEP,
    '""',
    '" "',
    r'"\u0000"',
    r'"\ud800"',
    r'"\udfff\ud800x"',
    r'"‮‏\u001b[2J"',
    '"0001-01-01"',
    '"0001-01-01T00:00:00+14:00"',
    '"9999-12-31"',
    '"9999-12-31T23:59:59-14:00"',
    '"2026-02-30"',
    '"2026-01-01T25:61:61Z"',
    '"-999999999999999999999"',
    '"00000000-0000-0000-0000-000000000000"',
    '"../../etc/passwd"',
    '"\'; DROP TABLE account; --"',
    '"{{ 7*7 }} %s %(x)s {0}"',
    '"a@b@c.example.org\\r\\nBcc: x@example.org"',
    json.dumps("x" * 30_000),
)
"""Values as JSON writes them; some are none that JSON has."""

TEXTS = (
    "",
    "\0",
    "\ud800",
    "x" * 30_000,
    "0001-01-01",
    "0001-01-01T00:00",
    "9999-12-31T23:59",
    "2026-02-30T25:61",
    "9" * 5_000,
    "-1",
    "1e999",
    "NaN",
    "00000000-0000-0000-0000-000000000000",
    "{{ 7*7 }}",
    "'; DROP TABLE account; --",
    "a@b\r\nBcc: x@example.org",
    "\x1b[2J\u202e",
    "Europe/../../etc/passwd",
    "[" * 5_000,
)

BODIES = (
    b"",
    b"null",
    b"[]",
    b'"',
    b"{",
    DEEP.encode(),
    b"\xff\xfe\x00",
    b'{"act": "release", "act": "hold", "act": "\\ud800"}',
    b'{"act": ' + b"9" * 10_000 + b"}",
    b"a=1&a=%00&a=%ff&%00=1&form_token=%ED%A0%80",
    b"&" * 2_000,
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="\\0"\r\n\r\nx\r\n--x--',
    b"--x\r\nContent-Disposition: form-data\r\n\r\n",
    b"PK\x03\x04" + b"\0" * 100,
)
KINDS_OF_BODY = (
    "",
    "application/json",
    "application/json; charset=utf-16",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "multipart/form-data; boundary=" + "y" * 300,
    "text/csv",
    "a/b/c; =",
    "\xff",
)


def sent_to() -> Iterator[tuple[str, str]]:
    """Every route that takes something, with a place in it."""
    for router in [*(part.router for part in PARTS), openings(tuple(KINDS.values()))]:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            for method in sorted((route.methods or set()) - {"GET", "HEAD"}):
                if route.path not in ("/sign-out", "/account/sessions/{session_id}/end"):
                    yield method, route.path


ROUTES = sorted(set(sent_to()))


def check(answer: httpx.Response, what: object) -> None:
    """What was answered is an answer, and no failure of ours."""
    assert answer.status_code < 500, f"{answer.status_code} for {str(what)[:600]}: {answer.text[:2000]}"
    assert "Traceback" not in answer.text, what


class TestBodies:
    @fuzzed
    @given(
        route=st.sampled_from(ROUTES),
        body=st.sampled_from(BODIES),
        kind=st.sampled_from(KINDS_OF_BODY),
        known=st.booleans(),
    )
    async def test_what_is_no_body_at_all(
        self, told: Told, sitting: Sitting, route: tuple[str, str], body: bytes, kind: str, known: bool
    ) -> None:
        method, path = route
        visitor = sitting.officer if known else sitting.stranger
        url = sitting.url(path)
        headers = [(b"content-type", kind.encode("latin-1"))] if kind else []
        check(await visitor.http.request(method, url, content=body, headers=headers), (method, url, kind, body))


class TestJson:
    @fuzzed
    @given(data=st.data())
    async def test_one_value_that_makes_no_sense(self, told: Told, sitting: Sitting, data: st.DataObject) -> None:
        path, schema = data.draw(st.sampled_from(sitting.schemas))
        value = sitting.example(schema, data)
        places = list(places_in(value))
        nonsense = data.draw(st.sampled_from(NONSENSE))
        body = written(value, data.draw(st.sampled_from(places)), nonsense) if places else nonsense
        query = data.draw(st.sampled_from(("", "?dry_run=true", "?dates_confirmed=true")))
        answer = await sitting.officer.http.post(
            f"{sitting.url(path)}{query}", content=body.encode(), headers={"content-type": "application/json"}
        )
        check(answer, (path, body))


class TestForms:
    @fuzzed
    @given(data=st.data())
    async def test_one_field_that_makes_no_sense(self, told: Told, sitting: Sitting, data: st.DataObject) -> None:
        form = data.draw(st.sampled_from(await sitting.forms()))
        fields = [(name, value) for name, value in form.fields]
        place = data.draw(st.integers(0, len(fields) - 1))
        nonsense = data.draw(st.sampled_from(TEXTS))
        fields[place] = (fields[place][0], nonsense)
        if data.draw(st.booleans()):
            fields.append(fields[data.draw(st.integers(0, len(fields) - 1))])
        visitor = sitting.officer if form.known else sitting.stranger
        body = "&".join(f"{quoted(name)}={quoted(value)}" for name, value in fields)
        kind = {"content-type": "application/x-www-form-urlencoded"}
        check(await visitor.http.post(form.action, content=body.encode(), headers=kind), (form.action, fields[place]))


def quoted(text: str) -> str:
    """As forms write it; half a character as browsers never would."""
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def places_in(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from places_in(inner, (*at, key))


def written(value: object, place: tuple[str | int, ...], nonsense: str, at: tuple[str | int, ...] = ()) -> str:
    """A JSON value with something else in one place."""
    if at == place:
        return nonsense
    match value:
        case dict():
            inside = (f"{json.dumps(key)}: {written(one, place, nonsense, (*at, key))}" for key, one in value.items())
            return "{" + ", ".join(inside) + "}"
        case list():
            return "[" + ", ".join(written(one, place, nonsense, (*at, key)) for key, one in enumerate(value)) + "]"
        case _:
            return json.dumps(value)


@dataclass(frozen=True)
class Form:
    """A form of a page: where it is sent, what it holds, and whether by somebody who is signed in."""

    action: str
    fields: tuple[tuple[str, str], ...]
    known: bool


class _Forms(HTMLParser):
    """Collects the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str]]]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._inside = (given.get("method") or "").lower() == "post"
            if self._inside:
                self.found.append((given.get("action") or "", []))
        elif self._inside and tag in ("input", "textarea", "select", "button") and given.get("name"):
            self.found[-1][1].append((given["name"] or "", given.get("value") or ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "form"


class Sitting:
    """A site with a case in it, somebody who is signed in, and a stranger."""

    def __init__(self, told: Told, officer: Visitor) -> None:
        self.officer, self.stranger = officer, told.installation.visitor()
        self._told = told
        self._forms: list[Form] = []
        self.description: Mapping[str, Any] = told.installation.app.openapi()
        self.schemas = [
            (path, schema["content"]["application/json"]["schema"])
            for path, methods in sorted(self.description["paths"].items())
            if (schema := methods.get("post", {}).get("requestBody"))
        ]

    def url(self, path: str) -> str:
        """A route's path with the case in it, and with ids that nothing has."""
        return re.sub(r"%7B|%7D", "", path.replace("{case_id}", str(self._told.given.case_id))).format_map(PLACES)

    async def forms(self) -> list[Form]:
        """The forms of the site's pages."""
        if not self._forms:
            case, link = f"/cases/{self._told.given.case_id}", self._told.link("TN-001")
            kinds = [f"/cases/new/{name}" for name in KINDS]
            own = ["/", "/agreements", "/accounts", "/account", "/mail", "/post", case, *kinds]
            for known, pages in ((True, own), (False, ["/sign-in", "/student-data", link])):
                for page in pages:
                    answer = await (self.officer if known else self.stranger).get(page)
                    if answer.status_code != 200:
                        continue
                    parser = _Forms()
                    parser.feed(answer.text)
                    for action, fields in parser.found:
                        to = action or page
                        if fields and to != "/sign-out" and "/account/sessions/" not in to:
                            self._forms.append(Form(to, tuple(fields), known))
        return self._forms

    def example(self, schema: Mapping[str, Any], data: st.DataObject) -> object:
        """Some value of a schema."""
        if "$ref" in schema:
            return self.example(self.description["components"]["schemas"][schema["$ref"].rpartition("/")[2]], data)
        for several in ("anyOf", "oneOf", "allOf"):
            if several in schema:
                return self.example(data.draw(st.sampled_from(schema[several])), data)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        match schema.get("type"):
            case "object":
                return {name: self.example(inner, data) for name, inner in schema.get("properties", {}).items()}
            case "array":
                return [self.example(schema.get("items", {}), data)]
            case "string":
                formats = {"date": "2026-03-02", "date-time": "2026-03-02T17:00:00Z", "uuid": str(uuid4())}
                return formats.get(schema.get("format", ""), "VA-001")
            case "integer" | "number":
                return schema.get("minimum", 1)
            case "boolean":
                return True
            case _:
                return None


@pytest.fixture
def fresh(temporal: Client, keyring: Keyring, tmp_path: Path, postgresql_url: str) -> Installation:
    """On PostgreSQL, which refuses more than SQLite does."""
    return Installation(open_installation(tmp_path, keyring, temporal, database_url=postgresql_url))


@pytest.fixture
async def sitting(told: Told) -> Sitting:
    return Sitting(told, await told.installation.officer("robin", Role.ADMINISTRATOR))
