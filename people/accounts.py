"""Who may sign in: accounts of people, their roles, and who counts as a second person."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import Session, col, func, select

from config.database import Database
from config.personal_data import holds_address
from ledger.actors import ENGINE, LEA
from ledger.append import append
from ledger.entries import AccountDisabled, AccountEnabled, AccountMade, RoleChanged
from mail.facts import checked_address
from models.enums import Authentication, Role
from models.errors import InvalidInput, NotAllowed, NotFound, Refused
from models.tables import Account, OpenIdIdentity, Passkey, SignInToken
from people.sessions import end_all, end_api_tokens

FIRST_NAME = "administrator"
"""The name of the account that the first start makes."""

APPROVING = frozenset({Role.OFFICER, Role.APPROVER})
"""The roles whose word counts as that of a second person."""

ACTING = frozenset({Role.OFFICER, Role.ADMINISTRATOR})
"""The roles whose people do what a case needs."""

BY_THEIR_OWN = frozenset(
    {
        Authentication.PASSWORD,
        Authentication.PASSWORD_AND_TOTP,
        Authentication.PASSKEY,
        Authentication.OPENID_CONNECT,
    }
)
"""Signed in by something that the person has of their own, rather than by what somebody handed over."""

COMMAND_LINE = "cli:"
"""What the name of a user of the operating system begins with, as evidence has it."""

_NAME = re.compile(r"\w(?:[\w. -]{0,62}[\w.])?")
"""A name in one line, without the colon that marks users of the operating system."""


@dataclass(frozen=True)
class AccountView:
    """An account as pages and commands show it."""

    id: UUID
    name: str
    email: str | None
    role: Role
    made_by: str
    made_at: datetime
    disabled_at: datetime | None
    locked_until: datetime | None
    signs_in_by: str


def add_account(
    database: Database, name: str, role: Role, *, email: str | None = None, made_by: str, now: datetime
) -> AccountView:
    """Make an account; nobody can sign in to it before a link or a password is made for it.

    Raises:
        InvalidInput: the name or the address cannot be used.
        Refused: there is an account of that name.
    """
    with database.writing() as session:
        return _view(session, _add(session, name, role, email=email, made_by=made_by, now=now))


def first_administrator(database: Database, *, made_by: str, now: datetime) -> str:
    """The name of the administrator longest there; the first start of an installation makes one."""
    with database.writing() as session:
        usable = (Account.role == Role.ADMINISTRATOR, col(Account.disabled_at).is_(None))
        found = session.exec(select(Account).where(*usable).order_by(col(Account.made_at), col(Account.id))).first()
        return (found or _add(session, FIRST_NAME, Role.ADMINISTRATOR, email=None, made_by=made_by, now=now)).name


def list_accounts(database: Database) -> tuple[AccountView, ...]:
    """Every account there ever was, by name."""
    with database.reading() as session:
        accounts = session.exec(select(Account).order_by(col(Account.name_key)))
        return tuple(_view(session, account) for account in accounts.all())


def change_role(database: Database, name: str, role: Role, *, actor: str, now: datetime) -> None:
    """Give an account another role, from the next thing on that its person asks for.

    Raises:
        NotFound: there is no such account.
        Refused: it has the role already, or no administrator would be left.
    """
    with database.writing() as session:
        account = find_account(session, name, locked=True)
        if account.role is role:
            raise Refused(f"{account.name} is {with_article(role)} already.", next_step="There is nothing to change.")
        _keep_an_administrator(session, account)
        append(session, RoleChanged(actor=actor, at=now, account_id=account.id, role=role, before=account.role))
        account.role = role
        end_api_tokens(session, account, actor=actor, now=now)  # they were made for what it was


def choose_time_zone(database: Database, account_id: UUID, zone: str | None) -> None:
    """Keep in which time zone the person of an account reads times; without one, the installation's counts."""
    with database.writing() as session:
        session.get_one(Account, account_id).time_zone = zone


def disable(database: Database, name: str, *, actor: str, now: datetime) -> None:
    """End an account's sessions and links, and let nobody sign in to it until it is enabled again.

    Raises:
        NotFound: there is no such account.
        Refused: it is disabled already, or no administrator would be left.
    """
    with database.writing() as session:
        account = find_account(session, name, locked=True)
        if account.disabled_at:
            raise Refused(f"{account.name} is disabled already.", next_step="There is nothing to change.")
        _keep_an_administrator(session, account)
        account.disabled_at = now
        end_all(session, account, now)
        end_api_tokens(session, account, actor=actor, now=now)
        append(session, AccountDisabled(actor=actor, at=now, account_id=account.id))


def enable(database: Database, name: str, *, actor: str, now: datetime) -> None:
    """Let the person of a disabled account sign in again.

    Raises:
        NotFound: there is no such account.
        Refused: it is not disabled.
    """
    with database.writing() as session:
        account = find_account(session, name, locked=True)
        if account.disabled_at is None:
            raise Refused(f"{account.name} is not disabled.", next_step="There is nothing to change.")
        account.disabled_at = None
        append(session, AccountEnabled(actor=actor, at=now, account_id=account.id))


def find_account(session: Session, name: str, *, locked: bool = False) -> Account:
    """The account of this name, without regard to case.

    Raises:
        NotFound: there is none.
    """
    account = find_account_or_none(session, name, locked=locked)
    if account is None:
        raise NotFound("There is no account of this name.", next_step="`duenotice accounts list` shows all of them.")
    return account


def find_account_or_none(session: Session, name: str, *, locked: bool = False) -> Account | None:
    """The account of this name, without regard to case, or None."""
    query = select(Account).where(Account.name_key == name_key(name))
    return session.exec(query.with_for_update() if locked else query).one_or_none()


def name_key(name: str) -> str:
    """An account's name without regard to case, as ``Account.name_key`` holds it."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def check_second_person(session: Session, first: str, second: str, authenticated: Authentication | None = None) -> None:
    """Change nothing; return where ``second`` is somebody else than ``first``, as far as accounts can tell.

    Two people means two accounts, neither of which the other's person had a hand in: who made an account, or the
    one-time link that signed it in, can be behind it. Who signs in by a link is also nobody else than whom another
    link of the same hand signed in. A password or a passkey of their own, or an identity at a provider, tells two apart
    whom one administrator introduced, but not two whom one user of the command line did, who needs no account to be
    both. Two identities at one provider are two people whoever made their accounts, unless a link was used as well: who
    made an account gave it the address that decides whose identity it takes.

    Args:
        session: any session.
        first: the name of who did what is to be approved.
        second: the name of who approves it.
        authenticated: how it was shown who approves it.

    Raises:
        NotAllowed: ``second`` is no second person, or has no account whose role approves.
    """
    account = session.exec(select(Account).where(Account.name == second)).one_or_none()
    if account is None or account.disabled_at or account.role not in APPROVING:
        raise NotAllowed(
            "Approving takes the account of an officer or an approver.",
            next_step="Ask somebody with such an account to approve it on the case's page.",
        )
    proposer = session.exec(select(Account).where(Account.name == first)).one_or_none()
    behind_first = {first} | (_hands(session, proposer) if proposer else set())
    introducing = _introducing(session, account)
    by_identity = authenticated is Authentication.OPENID_CONNECT
    if first == second or first in {account.made_by, *introducing} or second in behind_first:
        raise NotAllowed(
            "Nobody approves a proposal of their own, nor through an account that they made or signed in.",
            next_step="Ask somebody whose account neither of you made to approve it.",
        )
    if by_identity and proposer and _known_to_one_provider(session, proposer, account):
        shared = _hands(session, account) & ({first} | _introducing(session, proposer))
    else:
        shared = (introducing | ({account.made_by} if by_identity else set())) & behind_first
    if authenticated in BY_THEIR_OWN:
        shared = {hand for hand in shared if hand.startswith(COMMAND_LINE)}
    if shared:
        raise NotAllowed(
            "The same hand made the sign-in links of both accounts, so they may be one person.",
            next_step="Sign in by a password or a passkey, to an account that an administrator made on the page of "
            "accounts.",
        )


def may_second(session: Session, account: Account, firsts: Iterable[str], by: Authentication | None) -> tuple[str, ...]:
    """For whose proposals an account is a second person; ``by`` is how it is, or would be, signed in."""

    def may(first: str) -> bool:
        with suppress(NotAllowed):
            check_second_person(session, first, account.name, by)
            return True
        return False

    return tuple(first for first in firsts if may(first))


def own_way_in(session: Session, account: Account) -> Authentication | None:
    """How an account's person signs in by something of their own; None for whom a link has to be made each time."""
    if account.password_hash:
        return Authentication.PASSWORD
    if session.exec(select(Passkey.id).where(Passkey.account_id == account.id)).first():
        return Authentication.PASSKEY
    return Authentication.OPENID_CONNECT if _has_identity(session, account) else None


def with_article(role: Role) -> str:
    """A role as a sentence names it: ``an officer``."""
    return f"{'an' if role.value[0] in 'aeiou' else 'a'} {role.value}"


def _has_identity(session: Session, account: Account) -> bool:
    """Whether an identity at a provider signs an account in."""
    identities = select(func.count()).where(OpenIdIdentity.account_id == account.id)
    return session.exec(identities).one() > 0


def _known_to_one_provider(session: Session, one: Account, other: Account) -> bool:
    """Whether one provider signs both accounts in, as two identities then: no identity signs in two accounts."""
    of_one, of_other = (
        select(OpenIdIdentity.issuer).where(OpenIdIdentity.account_id == account.id) for account in (one, other)
    )
    return session.exec(of_one.where(col(OpenIdIdentity.issuer).in_(of_other))).first() is not None


def _hands(session: Session, account: Account) -> set[str]:
    """Who can be behind an account: who made it, and whoever made a link that signed it in."""
    return {account.made_by} | _introducing(session, account)


def _introducing(session: Session, account: Account) -> set[str]:
    used = (SignInToken.account_id == account.id, col(SignInToken.used_at).is_not(None))
    return set(session.exec(select(SignInToken.issued_by).where(*used)))


def _add(session: Session, name: str, role: Role, *, email: str | None, made_by: str, now: datetime) -> Account:
    name = unicodedata.normalize("NFKC", name).strip()
    if not _NAME.fullmatch(name) or holds_address(name):
        raise InvalidInput(
            "A name here is letters, digits, blanks, dots and dashes, 64 at most, and no address.",
            where="name",
            next_step="Write it as in robin.example: evidence names its person by it for good.",
        )
    if name_key(name) in (ENGINE, LEA):
        raise InvalidInput("Evidence names somebody else by this.", where="name", next_step="Choose another name.")
    if email:
        checked_address(email, where="email")
    if session.exec(select(Account.id).where(Account.name_key == name_key(name))).first():
        raise Refused("There is an account of this name already.", where="name", next_step="Choose another name.")
    account = Account(
        id=uuid4(), name=name, name_key=name_key(name), email=email or None, role=role, made_by=made_by, made_at=now
    )
    session.add(account)
    session.flush()
    append(session, AccountMade(actor=made_by, at=now, account_id=account.id, name=name, role=role))
    return account


def _keep_an_administrator(session: Session, leaving: Account) -> None:
    others = (Account.role == Role.ADMINISTRATOR, col(Account.disabled_at).is_(None), Account.id != leaving.id)
    is_last = leaving.role is Role.ADMINISTRATOR and not session.exec(select(func.count()).where(*others)).one()
    if is_last and leaving.disabled_at is None:
        raise Refused(
            f"{leaving.name} is the only administrator.", next_step="Make another account an administrator first."
        )


def _view(session: Session, account: Account) -> AccountView:
    return AccountView(
        id=account.id,
        name=account.name,
        email=account.email,
        role=account.role,
        made_by=account.made_by,
        made_at=account.made_at,
        disabled_at=account.disabled_at,
        locked_until=account.locked_until,
        signs_in_by=_signs_in_by(session, account),
    )


def _signs_in_by(session: Session, account: Account) -> str:
    if account.role is Role.PROGRAM:
        return "token"
    passkeys = session.exec(select(func.count()).where(Passkey.account_id == account.id)).one()
    ways = (
        ("password and code" if account.totp_secret else "password") if account.password_hash else None,
        "passkey" if passkeys else None,
        "OpenID Connect" if _has_identity(session, account) else None,
    )
    return ", ".join(way for way in ways if way) or "link"
