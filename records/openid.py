"""Signing in with an identity at an OpenID provider: whose account it is, once and for all.

An identity is the provider and its subject, never an address: addresses are given to others. The address counts once,
at the first sign-in, where the provider has verified it and exactly one account has it. Signing in makes no account.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from sqlmodel import Session, col, select

from config.database import Database
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import OpenIdBound, OpenIdRefused, SignInRefused
from models.enums import Authentication
from models.errors import NotAllowed
from models.tables import Account, OpenIdIdentity
from records.sessions import NewSession, SessionRules, begin

DIGEST_PURPOSE = b"openid-identity"
"""What ``config.keyring.Keyring.derive`` is asked for to get the key of identities' digests."""

_ASK = "Ask an administrator."


@dataclass(frozen=True)
class Identity:
    """Who somebody is, by the word of an OpenID provider whose token was verified.

    ``email`` is an address that the provider says it has verified, or None.
    """

    issuer: str
    subject: str = field(repr=False)
    email: str | None = field(repr=False)

    def digest(self, key: bytes) -> str:
        """What is kept of it: the same identity always gives the same."""
        return hmac.new(key, f"{self.issuer}\0{self.subject}".encode(), sha256).hexdigest()


class OpenIdRefusal(NotAllowed):
    """Somebody who came from an OpenID provider is not signed in; ``reason`` says why in a word, for evidence."""

    def __init__(self, reason: str, message: str, next_step: str = "Sign in anew.") -> None:
        super().__init__(message, next_step=next_step)
        self.reason = reason


def sign_in_by_openid(
    database: Database, key: bytes, identity: Identity, rules: SessionRules, browser: str, now: datetime
) -> NewSession:
    """Begin a session of the account that an identity is bound to, binding it if this is its first sign-in.

    Args:
        database: where accounts are kept.
        key: keys the digests of identities.
        identity: who signs in.
        rules: when the session ends.
        browser: what the browser says that it is.
        now: when.

    Raises:
        OpenIdRefusal: there is no account for it, or none that it may sign in to; that is evidence.
    """
    with database.writing() as session:
        kept = session.get(OpenIdIdentity, identity.digest(key))
        found = _account_to_bind(session, identity) if kept is None else session.get_one(Account, kept.account_id)
        if isinstance(found, Account) and found.disabled_at:
            found = _Refused("disabled", "This account is disabled.", _ASK, found)
        if isinstance(found, Account):
            if kept is None:
                _bind(session, found, identity, key, now)
            method = Authentication.OPENID_CONNECT
            return begin(session, found, method, rules, browser, now, issuer=identity.issuer)
        _keep_refusal(session, identity.issuer, found.reason, found.account, now)
    raise OpenIdRefusal(found.reason, found.message, found.next_step)


def record_refusal(database: Database, issuer: str, reason: str, now: datetime) -> None:
    """Keep evidence that somebody came from a provider with what does not sign anybody in."""
    with database.writing() as session:
        _keep_refusal(session, issuer, reason, None, now)


@dataclass(frozen=True)
class _Refused:
    """Why an identity is not signed in, and to which account, where that is clear."""

    reason: str
    message: str
    next_step: str
    account: Account | None = None


def _account_to_bind(session: Session, identity: Identity) -> Account | _Refused:
    if identity.email is None:
        return _Refused(
            "email_unverified",
            "The provider does not say that your e-mail address is verified, so nobody knows which account is yours.",
            "Ask whoever keeps your identity at the provider, or sign in another way.",
        )
    wanted = _comparable(identity.email)
    accounts = session.exec(select(Account).order_by(col(Account.name_key))).all()
    of_address = [account for account in accounts if account.email and _comparable(account.email) == wanted]
    if not of_address:
        return _Refused("no_account", "No account here has your e-mail address.", _ASK)
    if len(of_address) > 1:
        return _Refused("several_accounts", "Several accounts here have your e-mail address.", _ASK)
    (account,) = of_address
    bound = (OpenIdIdentity.account_id == account.id, OpenIdIdentity.issuer == identity.issuer)
    if session.exec(select(OpenIdIdentity.digest).where(*bound)).first():
        says = "Another identity at the provider signs your account in."
        return _Refused("bound_to_another", says, _ASK, account)
    return account


def _bind(session: Session, account: Account, identity: Identity, key: bytes, now: datetime) -> None:
    session.add(
        OpenIdIdentity(digest=identity.digest(key), account_id=account.id, issuer=identity.issuer, bound_at=now)
    )
    append(session, OpenIdBound(actor=account.name, at=now, account_id=account.id, issuer=identity.issuer))


def _keep_refusal(session: Session, issuer: str, reason: str, account: Account | None, now: datetime) -> None:
    if account is None:
        append(session, OpenIdRefused(actor=ENGINE, at=now, issuer=issuer, reason=reason))
    else:
        refused = SignInRefused(actor=account.name, at=now, account_id=account.id, reason=f"openid_{reason}")
        append(session, refused)


def _comparable(email: str) -> str:
    return email.strip().casefold()
