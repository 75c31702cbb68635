"""What a browser is given to answer once, while somebody signs in or adds a passkey.

The browser alone holds the secret, in a cookie; SQL keeps its SHA-256, until when it is good, and takes it out at the
first answer. All that has to be unforeseen in an answer is drawn from the secret by HMAC-SHA256, each under its name.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlmodel import col, delete

from config.database import Database
from models.enums import ChallengePurpose
from models.errors import NotAllowed
from models.identifiers import sha256_hex
from models.tables import SignInChallenge

SECRET_BYTES = 32
CHALLENGE_LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True)
class Challenge:
    """What one browser was given to answer; ``back`` is the page to go on to, ``session_id`` the session it had."""

    secret: str = field(repr=False)
    back: str
    session_id: UUID | None = None

    def draw(self, name: str) -> bytes:
        """32 bytes that nobody can foresee who has not the secret."""
        return hmac.new(self.secret.encode(), name.encode(), sha256).digest()

    def draw_text(self, name: str) -> str:
        """The same in 43 characters that are safe in an address."""
        return urlsafe_b64encode(self.draw(name)).decode().rstrip("=")


def begin_challenge(
    database: Database,
    purpose: ChallengePurpose,
    now: datetime,
    *,
    account_id: UUID | None = None,
    back: str = "/",
    session_id: UUID | None = None,
) -> Challenge:
    """Give a browser something to answer within ``CHALLENGE_LIFETIME``; what nobody answered is cleared away.

    Args:
        database: where it is kept.
        purpose: what for.
        now: when.
        account_id: whose account it is about, where that is known.
        back: the page to go on to.
        session_id: the session that the browser has.
    """
    challenge = Challenge(secrets.token_urlsafe(SECRET_BYTES), back, session_id)
    with database.writing() as session:
        session.exec(delete(SignInChallenge).where(col(SignInChallenge.expires_at) <= now))
        session.add(
            SignInChallenge(
                digest=sha256_hex(challenge.secret.encode()),
                purpose=purpose,
                account_id=account_id,
                back=back,
                session_id=session_id,
                expires_at=now + CHALLENGE_LIFETIME,
            )
        )
    return challenge


def take_challenge(
    database: Database, secret: str, purpose: ChallengePurpose, now: datetime, *, account_id: UUID | None = None
) -> Challenge:
    """What the browser that holds this secret was given, which nobody can answer again.

    Raises:
        NotAllowed: it was answered before, is too old, or was given for something else or to somebody else.
    """
    with database.writing() as session:
        kept = session.get(SignInChallenge, sha256_hex(secret.encode()), with_for_update=True)
        if kept is not None:
            session.delete(kept)
    if kept is None or kept.expires_at <= now or (kept.purpose, kept.account_id) != (purpose, account_id):
        raise NotAllowed(
            "This was begun too long ago, was finished before, or was begun in another browser.",
            next_step="Begin anew.",
        )
    return Challenge(secret, kept.back, kept.session_id)
