"""Signing in by a password and a code: what is kept of them, and what is done about guessing.

Passwords are kept as argon2id hashes (RFC 9106), codes are those of RFC 6238 (TOTP). Hashing is slow on purpose, so it
is done outside transactions.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

import pyotp
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlmodel import Session, col, delete, select, update

from config.database import Database
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import (
    AccountLocked,
    PasswordSet,
    SecondFactorRemoved,
    SecondFactorSet,
    SignInForgotten,
    SignInRefused,
)
from models.enums import Authentication
from models.errors import InvalidInput, NotAllowed, Refused
from models.tables import Account, OpenIdIdentity, Passkey
from people.accounts import find_account, find_account_or_none
from people.sessions import NewSession, SessionRules, SignedInSession, begin, end_all

SHORTEST, LONGEST = 15, 200
"""How many characters a password has; the shortest is that of NIST SP 800-63B-4, 3.1.1.2."""

LEAST_SCORE = 3
"""Of zxcvbn's 0 to 4: from here on a password is safe from guessing where hashes are slow and have been stolen."""

SCORED = 40
"""How many characters of a password are scored: odd ones take longer with each, and what these are is enough."""

PRODUCT = "Duenotice"

MOST_FAILURES = 5
"""After so many wrong tries in a row an account is locked for a while, and administrators are written to."""

LOCKED_FOR = timedelta(minutes=15)

STEP_SECONDS = 30
STEPS_AROUND = (-1, 0, 1)
"""A code counts a step early or late, as clocks of phones go (RFC 6238, 5.2)."""

_hashes = PasswordHash((Argon2Hasher(),))


@dataclass(frozen=True)
class OwnSignIn:
    """How a person signs in; ``pending`` is a secret for codes that waits for its first code.

    ``issuers`` are the OpenID providers at which an identity signs the person in.
    """

    has_password: bool
    has_codes: bool
    pending: str | None
    issuers: tuple[str, ...]


def sign_in_by_password(
    database: Database, name: str, password: str, code: str, rules: SessionRules, browser: str, now: datetime
) -> NewSession:
    """Begin a session of an account.

    Raises:
        NotAllowed: name, password or code is wrong, or the account is locked or disabled. Which of them is told to
            nobody, and an unknown name takes as long to be refused as a known one.
    """
    with database.reading() as session:
        known = find_account_or_none(session, name)
        kept = known.password_hash if known else None
    right = _hashes.verify(password[:LONGEST], kept or _hash_of_nothing()) and kept is not None
    begun = None
    with database.writing() as session:
        account = session.get(Account, known.id, with_for_update=True) if known else None
        if account and not _is_locked(account, now):
            reason = _refusal(account, right and account.password_hash == kept, code, now)
            if reason:
                _count_failure(session, account, reason, now)
            else:
                account.failures, account.locked_until = 0, None
                begun = begin(session, account, _method(account), rules, browser, now)
    if begun is None:
        raise NotAllowed(
            "This does not sign you in: the name, the password or the code is wrong, or the account is locked for "
            f"{LOCKED_FOR.seconds // 60} minutes after {MOST_FAILURES} wrong tries.",
            next_step="Try again, or ask an administrator for a one-time link.",
        )
    return begun


def read_own_sign_in(database: Database, account_id: UUID) -> OwnSignIn:
    """How the person of an account signs in."""
    with database.reading() as session:
        account = session.get_one(Account, account_id)
        bound = select(OpenIdIdentity.issuer).where(OpenIdIdentity.account_id == account_id)
        return OwnSignIn(
            has_password=account.password_hash is not None,
            has_codes=account.totp_secret is not None,
            pending=account.totp_pending,
            issuers=tuple(session.exec(bound.order_by(col(OpenIdIdentity.issuer)))),
        )


def set_password(
    database: Database,
    who: SignedInSession,
    current: str,
    new: str,
    now: datetime,
    *,
    organisation: str = "",
) -> None:
    """Set one's own password, and end one's sessions in other browsers and the links that nobody used.

    Raises:
        InvalidInput: it is too short, too long or too simple; or ``current`` is not the present password, which whoever
            signed in by a one-time link need not know.
        NotAllowed: the account is locked after too many wrong tries.
    """
    _check_password(new, (who.actor, organisation, PRODUCT))
    with database.reading() as session:
        kept = session.get_one(Account, who.account_id).password_hash
    knows = kept is None or who.authenticated is Authentication.ONE_TIME_LINK
    right = knows or _hashes.verify(current[:LONGEST], kept or _hash_of_nothing())
    hashed = _hashes.hash(new)
    with database.writing() as session:
        account = session.get_one(Account, who.account_id, with_for_update=True)
        locked = _is_locked(account, now) and not knows
        if right and not locked:
            account.password_hash, account.failures, account.locked_until = hashed, 0, None
            end_all(session, account, now, but=who.id)
            append(session, PasswordSet(actor=who.actor, at=now, account_id=account.id))
        elif not locked:
            _count_failure(session, account, "password", now)
    if locked:
        raise _locked()
    if not right:
        raise InvalidInput("This is not your present password.", where="current", next_step="Type it again.")


def propose_codes(database: Database, who: SignedInSession) -> None:
    """Make a secret for codes; it counts once its first code was typed, so that nobody locks themselves out.

    Raises:
        Refused: the account has no password, or has codes already.
    """
    with database.writing() as session:
        account = session.get_one(Account, who.account_id, with_for_update=True)
        if account.password_hash is None:
            raise Refused("A code is asked for beside a password.", next_step="Set a password first.")
        if account.totp_secret:
            raise Refused("Your account asks for codes already.", next_step="Remove them first.")
        account.totp_pending = pyotp.random_base32()


def confirm_codes(database: Database, who: SignedInSession, code: str, now: datetime) -> None:
    """Ask for codes at every sign-in by password from now on, and end one's sessions in other browsers.

    Raises:
        InvalidInput: this is not the code of the secret that was made.
    """
    with database.writing() as session:
        account = session.get_one(Account, who.account_id, with_for_update=True)
        step = _step_of(account.totp_pending, code, now, None)
        if step is None:
            raise _wrong_code()
        account.totp_secret, account.totp_pending, account.totp_step = account.totp_pending, None, step
        end_all(session, account, now, but=who.id)
        append(session, SecondFactorSet(actor=who.actor, at=now, account_id=account.id))


def remove_codes(database: Database, who: SignedInSession, code: str, now: datetime) -> None:
    """Ask for no more codes, on the word of one, and end one's sessions in other browsers.

    Raises:
        InvalidInput: this is not the present code.
        NotAllowed: the account is locked after too many wrong tries.
    """
    with database.writing() as session:
        account = session.get_one(Account, who.account_id, with_for_update=True)
        locked = _is_locked(account, now)
        right = not locked and _step_of(account.totp_secret, code, now, account.totp_step) is not None
        if right:
            account.totp_secret = account.totp_step = None
            end_all(session, account, now, but=who.id)
            append(session, SecondFactorRemoved(actor=who.actor, at=now, account_id=account.id))
        elif not locked:
            _count_failure(session, account, "code", now)
    if locked:
        raise _locked()
    if not right:
        raise _wrong_code()


def forget_sign_in(database: Database, name: str, *, actor: str, now: datetime) -> None:
    """Forget all ways in which an account is signed in to, unlock it and end its sessions.

    Its person begins anew with a link; at a provider, with the account's address.

    Raises:
        NotFound: there is no such account.
    """
    with database.writing() as session:
        account = find_account(session, name, locked=True)
        account.password_hash = account.totp_secret = account.totp_pending = account.totp_step = None
        account.failures, account.locked_until = 0, None
        session.execute(delete(Passkey).where(col(Passkey.account_id) == account.id))
        session.execute(delete(OpenIdIdentity).where(col(OpenIdIdentity.account_id) == account.id))
        end_all(session, account, now)
        append(session, SignInForgotten(actor=actor, at=now, account_id=account.id))


def locked_unraised(database: Database) -> tuple[tuple[str, datetime], ...]:
    """The accounts that were locked and nobody was told of, each with the end of its lock."""
    with database.reading() as session:
        unraised = (col(Account.locked_until).is_not(None), col(Account.lock_raised_at).is_(None))
        found = session.exec(select(Account).where(*unraised).order_by(col(Account.name_key)))
        return tuple((account.name, account.locked_until) for account in found if account.locked_until)


def mark_raised(database: Database, names: tuple[str, ...], now: datetime) -> None:
    """Note that administrators were told of locked accounts."""
    with database.writing() as session:
        session.execute(update(Account).where(col(Account.name).in_(names)).values(lock_raised_at=now))


def _check_password(password: str, easy: Collection[str]) -> None:
    """Refuse what is guessed first: what many people take, patterns, and what holds one of the ``easy`` words."""
    said = None
    if not SHORTEST <= len(password) <= LONGEST:
        said = f"A password here has {SHORTEST} to {LONGEST} characters."
    elif _holds_one(password, easy):
        said = "This is too easy to guess: it holds your name, your organisation's or this program's."
    elif (weakness := _weakness(password)) is not None:
        said = f"This is too easy to guess. {weakness}".strip()
    if said:
        raise InvalidInput(said, where="new", next_step="Take some words that have nothing to do with each other.")


def _weakness(password: str) -> str | None:
    """Why a password is guessed easily, as far as that can be said; None where it is not."""
    from zxcvbn import zxcvbn  # slow to import for its lists of words, and few people set a password

    found = zxcvbn(password[:SCORED])
    return found["feedback"]["warning"] if found["score"] < LEAST_SCORE else None


def _holds_one(password: str, easy: Collection[str]) -> bool:
    """Whether a password holds one of some words; a name without letters and digits is none."""
    return any(word in _spelt(password) for word in map(_spelt, easy) if word)


def _spelt(words: str) -> str:
    """Words without what people put between them."""
    return "".join(letter for letter in words.casefold() if letter.isalnum())


def _is_locked(account: Account, now: datetime) -> bool:
    return account.locked_until is not None and now < account.locked_until


def _refusal(account: Account, right_password: bool, code: str, now: datetime) -> str | None:
    """Why an account is not signed in to, in a word; a code that is right is used up."""
    if account.disabled_at:
        return "disabled"
    if not right_password:
        return "password"
    if account.totp_secret:
        step = _step_of(account.totp_secret, code, now, account.totp_step)
        if step is None:
            return "code"
        account.totp_step = step
    return None


def _count_failure(session: Session, account: Account, reason: str, now: datetime) -> None:
    append(session, SignInRefused(actor=account.name, at=now, account_id=account.id, reason=reason))
    account.failures += 1
    if account.failures >= MOST_FAILURES:
        account.failures, account.locked_until, account.lock_raised_at = 0, now + LOCKED_FOR, None
        append(session, AccountLocked(actor=ENGINE, at=now, account_id=account.id, until=account.locked_until))


def _method(account: Account) -> Authentication:
    return Authentication.PASSWORD_AND_TOTP if account.totp_secret else Authentication.PASSWORD


def _step_of(secret: str | None, code: str, now: datetime, last: int | None) -> int | None:
    """The step of time that a code is of, if it is right and later than the last that was used."""
    if secret is None:
        return None
    present, codes = int(now.timestamp()) // STEP_SECONDS, pyotp.TOTP(secret)
    for step in (present + around for around in STEPS_AROUND):
        given = "".join(code.split()).encode()
        if hmac.compare_digest(codes.generate_otp(step).encode(), given) and (last is None or step > last):
            return step
    return None


def _locked() -> NotAllowed:
    return NotAllowed(
        "Your account is locked after too many wrong tries.",
        next_step=f"Try again after {LOCKED_FOR.seconds // 60} minutes.",
    )


def _wrong_code() -> InvalidInput:
    return InvalidInput("This is not the present code.", where="code", next_step="Type the one that is shown now.")


@lru_cache
def _hash_of_nothing() -> str:
    """What a password is compared with where there is no account, so that the answer takes as long."""
    return _hashes.hash("no account has this password")
