"""Accounts for tests: people of whom each was introduced by somebody else."""

from __future__ import annotations

from contextlib import suppress

from config.database import Database
from models.enums import Role
from models.errors import Refused
from people.accounts import add_account
from starter.resources import utc_now

PEOPLE = [role for role in Role if role is not Role.PROGRAM]
"""The roles of those who sign in."""


def introducer(name: str) -> str:
    """Who makes the account of a person, and its links: one hand a person, so that two are two people."""
    return f"cli:for-{name.replace(' ', '-')}"


def have_account(database: Database, name: str, role: Role = Role.OFFICER) -> None:
    """Make an account, unless there is one."""
    with suppress(Refused):
        add_account(database, name, role, made_by=introducer(name), now=utc_now())
