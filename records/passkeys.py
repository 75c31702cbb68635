"""Signing in with a passkey (W3C Web Authentication, level 3): what an account has, and what is checked of an answer.

Origin and relying party id come from the installation's public address alone, each challenge is answered once, the user
has to be verified by the authenticator, and a counter that does not rise means that a passkey was copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from sqlmodel import Session, col, select
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from config.database import Database
from ledger.append import append
from ledger.entries import PasskeyAdded, PasskeyRemoved, SignInRefused
from mail.facts import clean_line
from models.enums import Authentication
from models.errors import InvalidInput, NotAllowed, NotFound, Refused
from models.tables import Account, Passkey
from records.challenges import CHALLENGE_LIFETIME, Challenge
from records.sessions import NewSession, SessionRules, SignedInSession, begin, check_fresh, end_all

SITE_NAME = "Duenotice"
MOST = 20
"""How many passkeys one account has."""
LONGEST_NAME = 100
ANSWERED = "passkey"
"""The name under which the bytes that an authenticator signs are drawn from a challenge."""

_TIMEOUT = int(CHALLENGE_LIFETIME.total_seconds() * 1000)
_DEFAULT_PORTS = {"https": 443, "http": 80}
_MALFORMED = (WebAuthnException, ValueError, TypeError, KeyError)
"""What the library raises of an answer that is wrong, or is none."""


@dataclass(frozen=True)
class RelyingParty:
    """This site, as authenticators know it: its domain, and the one origin from which answers are taken."""

    id: str
    origin: str

    @classmethod
    def at(cls, public_url: str) -> RelyingParty | None:
        """The relying party that serves at an address; None where browsers take no passkey.

        They take one on https under a name, and on http under ``localhost`` alone, which is another name for a
        loopback address.
        """
        address = urlsplit(public_url)
        name = address.hostname or ""
        if _is_loopback(name):
            name = "localhost"
        elif _is_address(name) or address.scheme != "https":
            return None
        port = f":{address.port}" if address.port not in (None, _DEFAULT_PORTS[address.scheme]) else ""
        return cls(name, f"{address.scheme}://{name}{port}")


@dataclass(frozen=True)
class PasskeyView:
    """A passkey as its person sees it."""

    id: UUID
    name: str
    added_at: datetime
    used_at: datetime | None


def list_passkeys(database: Database, account_id: UUID) -> tuple[PasskeyView, ...]:
    """The passkeys of an account, the first added first."""
    with database.reading() as session:
        return tuple(PasskeyView(row.id, row.name, row.added_at, row.used_at) for row in _of(session, account_id))


def options_to_add(database: Database, who: SignedInSession, party: RelyingParty, challenge: Challenge) -> str:
    """What a browser needs in order to make a passkey, in JSON; authenticators that have one make no second."""
    with database.reading() as session:
        known = [base64url_to_bytes(row.credential_id) for row in _of(session, who.account_id)]
    return options_to_json(
        generate_registration_options(
            rp_id=party.id,
            rp_name=SITE_NAME,
            user_id=who.account_id.bytes,
            user_name=who.actor,
            challenge=challenge.draw(ANSWERED),
            timeout=_TIMEOUT,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
        )
    )


def add_passkey(
    database: Database,
    who: SignedInSession,
    party: RelyingParty,
    challenge: Challenge,
    credential: str,
    name: str,
    now: datetime,
) -> None:
    """Keep a passkey that a browser has made for one's account.

    Args:
        database: where it is kept.
        who: whose it is.
        party: this site.
        challenge: what the browser was given; it counts once.
        credential: what the browser answers (``RegistrationResponseJSON``).
        name: what its person calls it.
        now: when.

    Raises:
        InvalidInput: the name cannot be used, or the answer is none to this challenge, from this site, by an
            authenticator that verified its user.
        NotAllowed: one's session did not begin just now.
        Refused: it is kept already, or the account has too many.
    """
    check_fresh(who, now)
    called = clean_line(name)
    if not called or len(called) > LONGEST_NAME:
        raise InvalidInput(
            f"A passkey is called something of at most {LONGEST_NAME} characters.",
            where="passkey_name",
            next_step="Name it after the device that holds it.",
        )
    try:
        made = verify_registration_response(
            credential=credential,
            expected_challenge=challenge.draw(ANSWERED),
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except _MALFORMED:
        raise InvalidInput(
            "The browser made no passkey that this site can take.", next_step="Try it again, or another device."
        ) from None
    credential_id = bytes_to_base64url(made.credential_id)
    with database.writing() as session:
        account = session.get_one(Account, who.account_id, with_for_update=True)
        if len(_of(session, account.id)) >= MOST:
            raise Refused(f"Your account has {MOST} passkeys.", next_step="Remove one first.")
        if session.exec(select(Passkey.id).where(Passkey.credential_id == credential_id)).first():
            raise Refused("This passkey is kept already.", next_step="There is nothing to do.")
        passkey = Passkey(
            id=uuid4(),
            account_id=account.id,
            credential_id=credential_id,
            public_key=made.credential_public_key,
            sign_count=made.sign_count,
            name=called,
            added_at=now,
        )
        session.add(passkey)
        append(session, PasskeyAdded(actor=who.actor, at=now, account_id=account.id, passkey_id=passkey.id))


def remove_passkey(database: Database, who: SignedInSession, passkey_id: UUID, now: datetime) -> None:
    """Let one of one's own passkeys sign nobody in any more, and end one's sessions in other browsers.

    Raises:
        NotFound: one has no such passkey.
        NotAllowed: one's session did not begin just now.
    """
    check_fresh(who, now)
    with database.writing() as session:
        account = session.get_one(Account, who.account_id, with_for_update=True)
        passkey = session.get(Passkey, passkey_id)
        if passkey is None or passkey.account_id != account.id:
            raise NotFound("You have no such passkey.", next_step="Reload the page of your account.")
        session.delete(passkey)
        end_all(session, account, now, but=who.id)
        append(session, PasskeyRemoved(actor=who.actor, at=now, account_id=account.id, passkey_id=passkey_id))


def options_to_sign_in(party: RelyingParty, challenge: Challenge) -> str:
    """What a browser needs in order to ask for a passkey of this site, in JSON; the passkey says whose it is."""
    return options_to_json(
        generate_authentication_options(
            rp_id=party.id,
            challenge=challenge.draw(ANSWERED),
            timeout=_TIMEOUT,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
    )


def sign_in_by_passkey(
    database: Database,
    party: RelyingParty,
    challenge: Challenge,
    credential: str,
    rules: SessionRules,
    browser: str,
    now: datetime,
) -> NewSession:
    """Begin a session of the account that a passkey belongs to.

    Args:
        database: where passkeys are kept.
        party: this site.
        challenge: what the browser was given; it counts once.
        credential: what the browser answers (``AuthenticationResponseJSON``).
        rules: when the session ends.
        browser: what the browser says that it is.
        now: when.

    Raises:
        NotAllowed: the passkey is unknown, its answer is none to this challenge from this site, its user was not
            verified, it was copied, or its account is disabled. Which of them is told to nobody.
    """
    answer = _parsed(credential)
    with database.reading() as session:
        known = _known(session, answer) if answer else None
    verified = _verified(answer, known, party, challenge) if answer and known else None
    begun = None
    if known:
        with database.writing() as session:
            account = session.get_one(Account, known.account_id, with_for_update=True)
            passkey = session.get(Passkey, known.id, with_for_update=True)
            reason = _refusal(account, passkey, verified)
            if passkey and verified and reason is None:
                passkey.sign_count, passkey.used_at = verified.new_sign_count, now
                method = Authentication.PASSKEY
                begun = begin(session, account, method, rules, browser, now, passkey_id=passkey.id)
            elif reason:
                append(session, SignInRefused(actor=account.name, at=now, account_id=account.id, reason=reason))
    if begun is None:
        raise NotAllowed(
            "This passkey does not sign you in: it is not known here, was removed, or its answer is wrong.",
            next_step="Try it again, sign in another way, or ask an administrator for a one-time link.",
        )
    return begun


def _of(session: Session, account_id: UUID) -> list[Passkey]:
    query = select(Passkey).where(Passkey.account_id == account_id).order_by(col(Passkey.added_at), col(Passkey.id))
    return list(session.exec(query))


def _parsed(credential: str) -> AuthenticationCredential | None:
    try:
        return parse_authentication_credential_json(credential)
    except _MALFORMED:
        return None


def _known(session: Session, answer: AuthenticationCredential) -> Passkey | None:
    return session.exec(select(Passkey).where(Passkey.credential_id == answer.id)).one_or_none()


def _verified(
    answer: AuthenticationCredential, known: Passkey, party: RelyingParty, challenge: Challenge
) -> VerifiedAuthentication | None:
    """The answer, once it is shown to be this passkey's, whatever its counter says; else None."""
    if answer.response.user_handle != known.account_id.bytes:
        return None
    try:
        return verify_authentication_response(
            credential=answer,
            expected_challenge=challenge.draw(ANSWERED),
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=known.public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except _MALFORMED:
        return None


def _refusal(account: Account, passkey: Passkey | None, verified: VerifiedAuthentication | None) -> str | None:
    """Why a passkey signs nobody in, in a word; its counter rises with each answer, unless it has none (7.2, 22)."""
    if account.disabled_at:
        return "disabled"
    if passkey is None or verified is None:
        return "passkey"
    counts = verified.new_sign_count > 0 or passkey.sign_count > 0
    return "passkey_copied" if counts and verified.new_sign_count <= passkey.sign_count else None


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
