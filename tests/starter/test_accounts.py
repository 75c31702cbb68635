"""Accounts from the command line: who can sign in, as what, and what evidence keeps of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlmodel import select

from config.database import Database
from config.keyring import Keyring
from config.settings import load_settings
from models.enums import Role
from models.tables import EvidenceEntry
from people.accounts import list_accounts
from starter.command_line import actor
from starter.resources import open_database
from tests.support.shell import Shell


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    settings = load_settings()
    opened = open_database(settings, Keyring.create(settings.keyring))
    yield opened
    opened.close()


def evidence(database: Database) -> list[tuple[str, str]]:
    with database.reading() as session:
        entries = session.exec(select(EvidenceEntry).order_by(EvidenceEntry.number))  # type: ignore[arg-type]
        return [(entry.kind, entry.actor) for entry in entries]


async def test_a_new_installation_is_one_link_away_from_its_administrator(database: Database, shell: Shell) -> None:
    for _ in range(2):
        assert re.search(r"/sign-in\?token=[\w-]{43}$", (await shell("sign-in")).out)
    (account,) = list_accounts(database)
    assert (account.name, account.role, account.made_by) == ("administrator", Role.ADMINISTRATOR, actor())
    assert evidence(database) == [("account_made", actor()), *[("sign_in_link_made", actor())] * 2]


async def test_people_are_added_with_a_link_and_listed(database: Database, shell: Shell) -> None:
    said = await shell("accounts", "add", "Kim Example", "--role", "approver", "--email", "kim@example.org")
    assert "Kim Example is made, an approver." in said.out
    assert "/sign-in?token=" in said.out
    assert re.search(r"Kim Example +approver +kim@example\.org", (await shell("accounts", "list")).out)
    assert "/sign-in?token=" in (await shell("sign-in", "--as", "kim example")).out
    assert "Nobody is signed in." in (await shell("accounts", "sessions")).out


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("kim@example.org", "no address"),
        ("cli:root", "A name here is letters"),
        ("duenotice", "Evidence names somebody else by this"),
        ("Lea", "Evidence names somebody else by this"),
        ("ROBIN", "There is an account of this name already"),
        ("ｒｏｂｉｎ", "There is an account of this name already"),
    ],
)
async def test_a_name_that_could_be_taken_for_another_is_refused(
    database: Database, shell: Shell, name: str, says: str
) -> None:
    await shell("accounts", "add", "Robin")
    assert says in await shell.refuses("accounts", "add", name)


async def test_the_last_administrator_stays_one(database: Database, shell: Shell) -> None:
    await shell("sign-in")
    for change in (("disable", "administrator"), ("role", "administrator", "auditor")):
        assert "is the only administrator" in await shell.refuses("accounts", *change)
    await shell("accounts", "add", "robin", "--role", "administrator")
    assert (await shell("accounts", "role", "administrator", "auditor")).code == 0
    assert "is the only administrator" in await shell.refuses("accounts", "disable", "robin")


async def test_a_change_of_role_and_a_disabling_are_evidence(database: Database, shell: Shell) -> None:
    await shell("accounts", "add", "kim")
    assert "kim is an auditor from now on." in (await shell("accounts", "role", "kim", "auditor")).out
    assert "is an auditor already" in await shell.refuses("accounts", "role", "kim", "auditor")
    assert (await shell("accounts", "disable", "kim")).code == 0
    assert "is disabled already" in await shell.refuses("accounts", "disable", "kim")
    assert "kim is disabled" in await shell.refuses("sign-in", "--as", "kim")
    assert (await shell("accounts", "enable", "kim")).code == 0
    assert "is not disabled" in await shell.refuses("accounts", "enable", "kim")
    kinds = [kind for kind, who in evidence(database) if who == actor()]
    assert kinds == ["account_made", "sign_in_link_made", "role_changed", "account_disabled", "account_enabled"]


async def test_a_lost_password_is_forgotten_and_its_person_begins_anew(database: Database, shell: Shell) -> None:
    await shell("accounts", "add", "kim")
    said = await shell("accounts", "forget", "kim")
    assert "How kim signed in is forgotten." in said.out
    assert "/sign-in?token=" in said.out
    assert "There is no account of this name." in await shell.refuses("accounts", "forget", "nobody")


async def test_there_is_no_link_for_who_has_no_account(database: Database, shell: Shell) -> None:
    assert "There is no account of this name." in await shell.refuses("sign-in", "--as", "nobody")


async def test_a_program_gets_a_token_that_is_listed_and_ended(database: Database, shell: Shell) -> None:
    said = await shell("accounts", "add", "siem", "--role", "program")
    assert "siem is made, a program." in said.out
    assert re.search(
        r"The token of siem, good for 365 days; it is kept nowhere, so keep it now: duenotice_\S+$", said.out
    )
    assert re.search(r"siem +program .*token", (await shell("accounts", "list")).out)
    assert "nobody signs in as one" in await shell.refuses("sign-in", "--as", "siem")
    listed = re.search(r"([0-9a-f-]{36}) siem program", (await shell("accounts", "tokens")).out)
    assert listed
    assert "good no more" in (await shell("accounts", "end-token", listed[1])).out
    assert "There is no token." in (await shell("accounts", "tokens")).out
    assert "There is no such token." in await shell.refuses("accounts", "end-token", str(UUID(int=1)))
    assert ("api_token_ended", actor()) in evidence(database)


@pytest.mark.parametrize("days", ["0", "-3", "731", "99999999999"])
async def test_a_token_that_lasts_for_no_time_or_too_long_is_refused(
    database: Database, shell: Shell, days: str
) -> None:
    await shell("accounts", "add", "ada", "--role", "auditor")
    assert "for 730 at most" in await shell.refuses("accounts", "make-token", "ada", "--days", days)
