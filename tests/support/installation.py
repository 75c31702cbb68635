"""An installation under test, and the people who visit its pages."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import httpx
from fastapi import FastAPI
from temporalio.client import Client

from config.converter import data_converter
from config.keyring import Keyring
from config.settings import Settings
from models.enums import Role
from people.sign_in import issue_token
from starter.resources import Resources, lead_times, open_database, utc_now
from terms.catalogue import load_catalogue
from tests.support.accounts import have_account, introducer
from tests.support.patience import PATIENCE
from web.app import create_app

ORIGIN = "http://127.0.0.1"
Found = TypeVar("Found")


@dataclass(frozen=True)
class Installation:
    """An installation and its web application."""

    resources: Resources

    @cached_property
    def app(self) -> FastAPI:
        """Made once somebody visits it: many tests look at its database alone."""
        return create_app(self.resources)

    def visitor(self, origin: str = ORIGIN) -> Visitor:
        """Somebody who is not signed in."""
        return Visitor(httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=origin))

    def link_token(self, actor: str = "officer", role: Role = Role.OFFICER) -> str:
        """A fresh one-time token for the account of this name, which is made where there is none."""
        database = self.resources.database
        have_account(database, actor, role)
        return issue_token(database, actor, utc_now(), issued_by=introducer(actor))

    async def officer(self, actor: str = "officer", role: Role = Role.OFFICER) -> Visitor:
        """Somebody who is signed in, as an officer if no other role is named."""
        visitor = self.visitor()
        answer = await visitor.http.post("/sign-in", data={"token": self.link_token(actor, role)})
        assert answer.status_code == 303
        return visitor


@dataclass(frozen=True)
class Visitor:
    """A browser without scripts: it keeps cookies, and sends the forms that it was given."""

    http: httpx.AsyncClient

    async def get(self, path: str) -> httpx.Response:
        """Fetch a page."""
        return await self.http.get(path)

    async def send(
        self, page: str, to: str, values: dict[str, object], file: tuple[str, bytes] | None = None, field: str = "file"
    ) -> httpx.Response:
        """Fill in a form of ``page`` and post it, with the token that the page carries."""
        token = form_token(await self.get(page))
        return await self.http.post(to, data={"form_token": token, **values}, files={field: file} if file else None)


def form_token(page: httpx.Response) -> str:
    """The token that a page's forms carry."""
    token = re.search(r'name="form_token" value="(\w+)"', page.text)
    assert token, "the page has no form"
    return token[1]


async def eventually(ask: Callable[[], Awaitable[Found | None]]) -> Found:
    """What ``ask`` finds, as soon as it does; the engine works beside the pages, so they show things when they are."""
    async with asyncio.timeout(PATIENCE):
        while (found := await ask()) is None:  # noqa: ASYNC110 (what it waits for is in other processes)
            await asyncio.sleep(0.05)
        return found


def demo_agreements() -> str:
    """The file of fictional districts, one a state, that the project ships with."""
    return files("config").joinpath("demo", "agreements.csv").read_text(encoding="utf-8")


def open_installation(home: Path, keyring: Keyring, client: Client, **settings: object) -> Resources:
    """A new installation in ``home`` that uses a running Temporal server."""
    # The tests of one process send from one address what thousands of strangers do.
    limits = {"requests_per_minute": 100_000}
    chosen = Settings.model_validate({"home": home, "public_url": ORIGIN, "limits": limits, **settings})
    config = client.config()
    config["data_converter"] = data_converter(keyring)
    catalogue = load_catalogue()
    leads = lead_times(chosen, catalogue)
    return Resources(chosen, keyring, open_database(chosen, keyring), catalogue, Client(**config), leads)


class _Places(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return str(uuid4())


PLACES = _Places(sha256="0" * 64, act="hold", kind="breach", token="none")
"""What may stand in a route's path, by parameter: ids that nothing has, unless another sort of value belongs there."""
