"""One-time sign-in links: a token is shown once, kept only as its digest, and works once within a day."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlmodel import col, delete

from config.database import Database
from models.errors import NotAllowed
from models.identifiers import sha256_hex
from models.tables import SignInToken

TOKEN_BYTES = 32
TOKEN_LIFETIME = timedelta(hours=24)


def issue_token(database: Database, actor: str, now: datetime) -> str:
    """Return a fresh token that signs ``actor`` in once before ``now`` plus 24 hours; expired ones are cleared away."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with database.writing() as session:
        session.exec(delete(SignInToken).where(col(SignInToken.expires_at) <= now))
        session.add(
            SignInToken(digest=sha256_hex(token.encode()), actor=actor, issued_at=now, expires_at=now + TOKEN_LIFETIME)
        )
    return token


def redeem_token(database: Database, token: str, now: datetime) -> str:
    """Use ``token`` up and return whom it signs in; raise ``NotAllowed`` if it is unknown, used or expired.

    The three are told apart to nobody, since whoever asks has not shown who they are.
    """
    with database.writing() as session:
        stored = session.get(SignInToken, sha256_hex(token.encode()), with_for_update=True)
        if stored is None or stored.used_at is not None or stored.expires_at <= now:
            raise NotAllowed(
                "This sign-in link does not work: it was used already, has expired, or is incomplete.",
                next_step="Run `duenotice sign-in` for a fresh link.",
            )
        stored.used_at = now
        return stored.actor
