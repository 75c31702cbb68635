"""One-time sign-in links: a token is shown once, kept only as its digest, and works once within a day."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, delete

from config.database import Database
from ledger.append import append
from ledger.entries import SignInLinkMade, SignInRefused
from models.enums import Authentication, Role
from models.errors import NotAllowed, Refused
from models.identifiers import sha256_hex
from models.tables import Account, SignInToken
from people.accounts import find_account
from people.sessions import NewSession, SessionRules, begin

TOKEN_BYTES = 32
TOKEN_LIFETIME = timedelta(hours=24)


@dataclass(frozen=True)
class _Outcome:
    """What came of a token: a session, or None where it is refused; a refusal is kept as evidence all the same."""

    session: NewSession | None


def issue_token(database: Database, name: str, now: datetime, *, issued_by: str) -> str:
    """Return a fresh token that signs an account in once before ``now`` plus 24 hours.

    Unused links that expired are cleared away.

    Raises:
        NotFound: there is no such account.
        Refused: it is disabled.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with database.writing() as session:
        account = find_account(session, name)
        if account.disabled_at:
            raise Refused(f"{account.name} is disabled.", next_step="Enable the account first.")
        if account.role is Role.PROGRAM:
            raise Refused(
                f"{account.name} is a program, and nobody signs in as one.",
                next_step="Make a token for it: `duenotice accounts make-token`.",
            )
        expired = (col(SignInToken.expires_at) <= now, col(SignInToken.used_at).is_(None))
        session.exec(delete(SignInToken).where(*expired))
        digest = sha256_hex(token.encode())
        session.add(
            SignInToken(
                digest=digest,
                account_id=account.id,
                issued_by=issued_by,
                issued_at=now,
                expires_at=now + TOKEN_LIFETIME,
            )
        )
        append(session, SignInLinkMade(actor=issued_by, at=now, account_id=account.id, link_sha256=digest))
    return token


def redeem_token(database: Database, token: str, rules: SessionRules, browser: str, now: datetime) -> NewSession:
    """Use the token up and begin a session of its account.

    Raises:
        NotAllowed: it is unknown, used or expired, or its account is disabled. Which of them is told to nobody, since
            whoever asks has not shown who they are.
    """
    outcome = _redeem(database, token, rules, browser, now)
    if outcome.session is None:
        raise NotAllowed(
            "This sign-in link does not work: it was used already, has expired, or is incomplete.",
            next_step="Run `duenotice sign-in` for a fresh link.",
        )
    return outcome.session


def _redeem(database: Database, token: str, rules: SessionRules, browser: str, now: datetime) -> _Outcome:
    with database.writing() as session:
        stored = session.get(SignInToken, sha256_hex(token.encode()), with_for_update=True)
        if stored is None:
            return _Outcome(None)
        account = session.get_one(Account, stored.account_id)
        refused = _reason(stored, account, now)
        if refused:
            append(session, SignInRefused(actor=account.name, at=now, account_id=account.id, reason=f"link_{refused}"))
            return _Outcome(None)
        stored.used_at = now
        method = Authentication.ONE_TIME_LINK
        return _Outcome(begin(session, account, method, rules, browser, now, link_made_by=stored.issued_by))


def _reason(stored: SignInToken, account: Account, now: datetime) -> str | None:
    if account.disabled_at:
        return "of_disabled_account"
    if stored.used_at:
        return "used_before"
    return "expired" if stored.expires_at <= now else None
