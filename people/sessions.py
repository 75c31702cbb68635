"""Who is signed in where: sessions that can be seen and ended, and that end by themselves."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select, update

from config.database import Database
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import AccessRefused, ApiTokenEnded, SessionEnded, SignedIn
from models.enums import Authentication, Role
from models.errors import NotAllowed, NotFound
from models.identifiers import sha256_hex
from models.tables import Account, ApiToken, SignInToken, WebSession

TOKEN_BYTES = 32

SEEN_EVERY = timedelta(minutes=1)
"""How often it is noted that a session is in use; each click would be a write."""

LONGEST_BROWSER = 200

MOST_SESSIONS = 10
"""How many sessions a person has at a time; the next one ends the one that was used least lately."""

FRESH = timedelta(minutes=15)
"""How long after signing in a person can add and remove ways to sign in, so that no browser left open is enough."""


@dataclass(frozen=True)
class SessionRules:
    """When sessions end by themselves.

    Attributes:
        idle: after this long without a request.
        longest: this long after they began.
        key_id: the key that seals now; a session that began under another is over.
    """

    idle: timedelta
    longest: timedelta
    key_id: str


@dataclass(frozen=True)
class NewSession:
    """A session that has just begun: ``token`` is what its cookie holds, and is kept nowhere else."""

    token: str
    actor: str


@dataclass(frozen=True)
class SignedInSession:
    """A session that lasts, with the person, role and time zone of its account."""

    id: UUID
    account_id: UUID
    actor: str
    role: Role
    authenticated: Authentication
    began_at: datetime
    time_zone: str | None = None


@dataclass(frozen=True)
class SessionView:
    """A session as pages and commands list it; ``browser`` is what the browser says that it is."""

    id: UUID
    actor: str
    authenticated: Authentication
    browser: str
    began_at: datetime
    seen_at: datetime


def begin(
    session: Session,
    account: Account,
    authenticated: Authentication,
    rules: SessionRules,
    browser: str,
    now: datetime,
    *,
    link_made_by: str | None = None,
    passkey_id: UUID | None = None,
    issuer: str | None = None,
) -> NewSession:
    """Begin a session of an account in the transaction, with evidence of how it was shown who it is.

    Of ``MOST_SESSIONS`` that last already, the one that was used least lately ends.

    Args:
        session: a session of ``Database.writing()``.
        account: whose session it is.
        authenticated: how it was shown who it is.
        rules: when it ends.
        browser: what the browser says that it is.
        now: when.
        link_made_by: who made the one-time link, where it was one.
        passkey_id: the passkey, where it was one.
        issuer: the OpenID provider, where it was one.
    """
    _make_room(session, account, rules, now)
    token, session_id = secrets.token_urlsafe(TOKEN_BYTES), uuid4()
    session.add(
        WebSession(
            id=session_id,
            digest=sha256_hex(token.encode()),
            account_id=account.id,
            authenticated=authenticated,
            browser=browser[:LONGEST_BROWSER],
            key_id=rules.key_id,
            began_at=now,
            seen_at=now,
        )
    )
    append(
        session,
        SignedIn(
            actor=account.name,
            at=now,
            account_id=account.id,
            session_id=session_id,
            authenticated=authenticated,
            link_made_by=link_made_by,
            passkey_id=passkey_id,
            issuer=issuer,
        ),
    )
    return NewSession(token, account.name)


def read_session(database: Database, token: str, rules: SessionRules, now: datetime) -> SignedInSession | None:
    """The session that a cookie's token names, or None if there is none, or none any more; it is in use from now."""
    with database.reading() as session:
        lasting = (*_lasting(rules, now), col(WebSession.digest) == sha256_hex(token.encode()))
        found = session.exec(select(WebSession, Account).join(Account).where(*lasting)).one_or_none()
    if found is None:
        return None
    kept, account = found
    if now - kept.seen_at >= SEEN_EVERY:
        _note_use(database, kept.id, now)
    who = (account.id, account.name, account.role, kept.authenticated, kept.began_at, account.time_zone)
    return SignedInSession(kept.id, *who)


def check_fresh(who: SignedInSession, now: datetime) -> None:
    """Return where a session began just now.

    Raises:
        NotAllowed: it did not.
    """
    if now - who.began_at > FRESH:
        raise NotAllowed(
            f"This takes a session that began within the last {FRESH.seconds // 60} minutes.",
            next_step="Sign out, sign in again, and do it then.",
        )


def list_sessions(
    database: Database, rules: SessionRules, now: datetime, *, account_id: UUID | None = None
) -> tuple[SessionView, ...]:
    """The sessions that last, of one account or of all, the last used first."""
    with database.reading() as session:
        which = (*_lasting(rules, now), *([col(WebSession.account_id) == account_id] if account_id else []))
        query = select(WebSession, Account.name).join(Account).where(*which).order_by(col(WebSession.seen_at).desc())
        return tuple(
            SessionView(kept.id, name, kept.authenticated, kept.browser, kept.began_at, kept.seen_at)
            for kept, name in session.exec(query)
        )


def end_session(
    database: Database, session_id: UUID, *, actor: str, now: datetime, account_id: UUID | None = None
) -> None:
    """End a session; one that is over already stays as it is.

    Args:
        database: where sessions are kept.
        session_id: the session.
        actor: who ends it.
        now: when.
        account_id: the account that it has to be of; None where an administrator ends any.

    Raises:
        NotFound: there is no such session.
    """
    with database.writing() as session:
        kept = session.get(WebSession, session_id, with_for_update=True)
        if kept is None or (account_id and kept.account_id != account_id):
            raise NotFound("There is no such session.", next_step="Reload the list of sessions.")
        if kept.ended_at is None:
            kept.ended_at = now
            append(session, SessionEnded(actor=actor, at=now, account_id=kept.account_id, session_id=kept.id))


def end_former(database: Database, session_id: UUID, now: datetime) -> None:
    """End the session that a browser had before somebody signed in there anew; evidence says that its person did."""
    with database.writing() as session:
        kept = session.get(WebSession, session_id, with_for_update=True)
        if kept is not None and kept.ended_at is None:
            kept.ended_at = now
            actor = session.get_one(Account, kept.account_id).name
            append(session, SessionEnded(actor=actor, at=now, account_id=kept.account_id, session_id=kept.id))


def end_all(session: Session, account: Account, now: datetime, *, but: UUID | None = None) -> None:
    """End the sessions of an account, save one, and the one-time links that nobody used yet."""
    lasting = (col(WebSession.account_id) == account.id, col(WebSession.ended_at).is_(None))
    ending = lasting if but is None else (*lasting, col(WebSession.id) != but)
    session.execute(update(WebSession).where(*ending).values(ended_at=now))
    unused = (col(SignInToken.account_id) == account.id, col(SignInToken.used_at).is_(None))
    session.execute(update(SignInToken).where(*unused, col(SignInToken.expires_at) > now).values(expires_at=now))


def end_api_tokens(session: Session, account: Account, *, actor: str, now: datetime) -> None:
    """Have no token of an account be good any more."""
    lasting = (ApiToken.account_id == account.id, col(ApiToken.ended_at).is_(None))
    for token in session.exec(select(ApiToken).where(*lasting)):
        end_api_token(session, token, actor=actor, now=now)


def end_api_token(session: Session, token: ApiToken, *, actor: str, now: datetime) -> None:
    """Have a token be good no more; one that is not stays as it is."""
    if token.ended_at is None:
        token.ended_at = now
        append(session, ApiTokenEnded(actor=actor, at=now, account_id=token.account_id, token_id=token.id))


def record_refusal(database: Database, who: SignedInSession, asked: str, now: datetime) -> None:
    """Keep evidence that somebody asked for what their role may not."""
    with database.writing() as session:
        append(
            session,
            AccessRefused(
                actor=who.actor, at=now, account_id=who.account_id, session_id=who.id, asked=asked, role=who.role
            ),
        )


def _make_room(session: Session, account: Account, rules: SessionRules, now: datetime) -> None:
    """End those sessions of an account that were used least lately, until one more is not too many."""
    lasting = (*_lasting(rules, now), col(WebSession.account_id) == account.id)
    used = select(WebSession).join(Account).where(*lasting).order_by(col(WebSession.seen_at).desc(), col(WebSession.id))
    for kept in session.exec(used.offset(MOST_SESSIONS - 1)):
        kept.ended_at = now
        append(session, SessionEnded(actor=ENGINE, at=now, account_id=account.id, session_id=kept.id))


def _note_use(database: Database, session_id: UUID, now: datetime) -> None:
    with database.writing() as session:
        kept = session.get_one(WebSession, session_id)
        kept.seen_at = max(kept.seen_at, now)


def _lasting(rules: SessionRules, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        col(WebSession.ended_at).is_(None),
        col(WebSession.seen_at) > now - rules.idle,
        col(WebSession.began_at) > now - rules.longest,
        col(WebSession.key_id) == rules.key_id,
        col(Account.disabled_at).is_(None),
    )
