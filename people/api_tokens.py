"""Tokens by which programs ask and report: shown once, kept as their SHA-256, good for a time, ended by a person.

A token signs nobody in. What shows it may do what its account's role may and ``web/rights.py`` lets a program do.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement
from sqlmodel import col, select

from config.database import Database
from config.keyring import Keyring
from ledger.append import append
from ledger.entries import ApiTokenMade
from models.enums import Authentication, Role
from models.errors import InvalidInput, NotFound, Refused
from models.identifiers import sha256_hex
from models.tables import Account, ApiToken
from people.accounts import find_account
from people.sessions import SEEN_EVERY, TOKEN_BYTES, SignedInSession, end_api_token

TOKEN_ROLES = frozenset({Role.PROGRAM, Role.AUDITOR})
"""Whose accounts may have tokens: what people decide, they decide themselves."""

PREFIX = "duenotice_"
"""What every token begins with, so that one that leaked is found by whoever looks for such."""

GOOD_FOR, LONGEST = timedelta(days=365), timedelta(days=730)
"""For how long a token is good where nobody says so, and at most."""


@dataclass(frozen=True)
class TokenView:
    """A token that is good, as pages and commands list it."""

    id: UUID
    account: str
    role: Role
    made_by: str
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None


def make_token(
    database: Database, keyring: Keyring, name: str, *, made_by: str, now: datetime, good_for: timedelta = GOOD_FOR
) -> str:
    """Make a token for an account and return it: it is kept nowhere.

    Raises:
        NotFound: there is no such account.
        Refused: its role has no tokens, or it is disabled.
        InvalidInput: it would be good for no time, or for too long.
    """
    if not timedelta() < good_for <= LONGEST:
        raise InvalidInput(
            f"A token is good for a day at least, and for {LONGEST.days} at most.",
            where="days",
            next_step="Name a number of days between them.",
        )
    secret = secrets.token_urlsafe(TOKEN_BYTES)
    token = f"{PREFIX}{secret}.{_mark(keyring, secret)}"
    with database.writing() as session:
        account = find_account(session, name, locked=True)
        if account.role not in TOKEN_ROLES:
            roles = " and ".join(f"{role.value}s" for role in Role if role in TOKEN_ROLES)
            raise Refused(
                f"Only {roles} have tokens, and {account.name} has another role.",
                where="name",
                next_step="Make an account for the program.",
            )
        if account.disabled_at:
            raise Refused(f"{account.name} is disabled.", where="name", next_step="Enable the account first.")
        made = ApiToken(
            id=uuid4(),
            digest=sha256_hex(token.encode()),
            account_id=account.id,
            made_by=made_by,
            made_at=now,
            expires_at=now + good_for,
        )
        session.add(made)
        append(
            session,
            ApiTokenMade(actor=made_by, at=now, account_id=account.id, token_id=made.id, expires_at=made.expires_at),
        )
    return token


def list_tokens(database: Database, now: datetime) -> tuple[TokenView, ...]:
    """The tokens that are good, by the names of their accounts, the newest first."""
    with database.reading() as session:
        order = col(Account.name_key), col(ApiToken.made_at).desc()
        found = session.exec(select(ApiToken, Account).join(Account).where(*_good(now)).order_by(*order))
        return tuple(
            TokenView(
                token.id, account.name, account.role, token.made_by, token.made_at, token.expires_at, token.used_at
            )
            for token, account in found
        )


def end_token(database: Database, token_id: UUID, *, actor: str, now: datetime) -> None:
    """Have a token be good no more; one that is not stays as it is.

    Raises:
        NotFound: there is no such token.
    """
    with database.writing() as session:
        token = session.get(ApiToken, token_id, with_for_update=True)
        if token is None:
            raise NotFound("There is no such token.", next_step="Reload the list of tokens.")
        end_api_token(session, token, actor=actor, now=now)


def read_token(database: Database, token: str, now: datetime) -> SignedInSession | None:
    """Whom a token stands for, or None if it is not good, or not any more; it was used now."""
    with database.reading() as session:
        good = (*_good(now), col(ApiToken.digest) == sha256_hex(token.encode()))
        found = session.exec(select(ApiToken, Account).join(Account).where(*good)).one_or_none()
    if found is None:
        return None
    kept, account = found
    if kept.used_at is None or now - kept.used_at >= SEEN_EVERY:
        _note_use(database, kept.id, now)
    return SignedInSession(kept.id, account.id, account.name, account.role, Authentication.API_TOKEN, kept.made_at)


def is_ours(keyring: Keyring, token: str) -> bool:
    """Whether a token was made here, whether or not it is good: no database is asked about what strangers make up."""
    secret, _, mark = token.removeprefix(PREFIX).partition(".")
    return token.startswith(PREFIX) and hmac.compare_digest(mark.encode(), _mark(keyring, secret).encode())


def _mark(keyring: Keyring, secret: str) -> str:
    return hmac.new(keyring.derive(b"api-token"), secret.encode(), sha256).hexdigest()[:16]


def _note_use(database: Database, token_id: UUID, now: datetime) -> None:
    with database.writing() as session:
        kept = session.get_one(ApiToken, token_id)
        kept.used_at = max(kept.used_at or now, now)


def _good(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        col(ApiToken.ended_at).is_(None),
        col(ApiToken.expires_at) > now,
        col(Account.disabled_at).is_(None),
        col(Account.role).in_(TOKEN_ROLES),
    )
