"""Whose a case is: who is responsible, who stands in, and whom what presses is sent to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import Session, col, select

from cases.acts import Assign
from config.seals import rows_that_open
from ledger.entries import JsonObject
from models.errors import InvalidInput
from models.tables import Account, Case
from people.accounts import ACTING, APPROVING, find_account_or_none, may_second, own_way_in


class Step(IntEnum):
    """How far a ladder has come: each step is sent to those of the steps before it as well."""

    FIRST = 1
    """To who is responsible, else to who stands in, else to the organisation's contact."""
    PRESSING = 2
    """To the deputy as well."""
    LAST = 3
    """To the organisation's contact as well, whoever was told; nothing keeps it from going."""


@dataclass(frozen=True)
class Assignment:
    """Whose a case is; an account that is disabled, or may act no more, stands in for nobody."""

    responsible: Account | None = None
    deputy: Account | None = None

    def usable(self) -> tuple[Account, ...]:
        """Those of the two who can do something about the case, the first to be asked first."""
        return tuple(one for one in (self.responsible, self.deputy) if one is not None and can_act(one))

    def in_charge(self) -> Account | None:
        """Who is to do what the case needs; None where it is the organisation's contact."""
        return next(iter(self.usable()), None)

    def told_at(self, step: Step) -> tuple[Account, ...]:
        """Whose mail what presses goes to; the organisation's contact is told besides at the last step, or else."""
        written_to = tuple(account for account in self.usable() if account.email)
        return written_to[:1] if step is Step.FIRST else written_to


def can_act(account: Account) -> bool:
    """Whether an account's person can do what a case needs."""
    return account.disabled_at is None and account.role in ACTING


def assign(session: Session, of: Case, act: Assign) -> JsonObject:
    """Keep whose a case is; return what evidence adds: the accounts as they are called, and who it was before.

    Raises:
        InvalidInput: one of the names is no account that can act; ``where`` names the field.
    """
    before = assignments(session, [of.id])[of.id]
    responsible = _named(session, act.responsible, "responsible")
    deputy = _named(session, act.deputy, "deputy") if act.deputy else None
    of.responsible_id, of.deputy_id = responsible.id, deputy.id if deputy else None
    return {
        "responsible": responsible.name,
        "deputy": deputy.name if deputy else None,
        "before": [one.name if one else None for one in (before.responsible, before.deputy)],
    }


def reporter(session: Session, actor: str) -> UUID | None:
    """The account to which a case that somebody opens is assigned at first; None for who has none."""
    account = find_account_or_none(session, actor)
    return account.id if account and can_act(account) else None


def assignments(session: Session, cases: Iterable[UUID]) -> Mapping[UUID, Assignment]:
    """Whose each of some cases is."""
    rows = session.exec(select(Case.id, Case.responsible_id, Case.deputy_id).where(col(Case.id).in_(set(cases)))).all()
    named = {key for _, *keys in rows for key in keys if key}
    them = select(Account).where(col(Account.id).in_(named))
    accounts = {row.id: row for row in rows_that_open(session, them, col(Account.id))}
    return {
        case_id: Assignment(
            accounts.get(responsible) if responsible else None, accounts.get(deputy) if deputy else None
        )
        for case_id, responsible, deputy in rows
    }


def second_persons(session: Session, first: str) -> tuple[Account, ...]:
    """The accounts that may decide what somebody proposed, if their people sign in as well as they can."""
    approving = select(Account).where(col(Account.disabled_at).is_(None), col(Account.role).in_(APPROVING))
    accounts = rows_that_open(session, approving, col(Account.id))
    return tuple(one for one in accounts if may_second(session, one, [first], own_way_in(session, one)))


def assignable(session: Session) -> tuple[str, ...]:
    """The names of the accounts whose a case could be."""
    return tuple(session.exec(select(Account.name).where(*_ABLE).order_by(col(Account.name_key))))


_ABLE = (col(Account.disabled_at).is_(None), col(Account.role).in_(ACTING))
"""What an account is that ``can_act``, in SQL."""


def is_charge_of(name_key: ColumnElement[str] | None, of: type[Case] = Case) -> ColumnElement[bool]:
    """The condition, in SQL, that a case is ``in_charge`` of the account of a name, or with None, of nobody's."""
    able = select(Account.id).where(*_ABLE)
    responsible, deputy = col(of.responsible_id), col(of.deputy_id)
    no_responsible = or_(responsible.is_(None), responsible.not_in(able))
    if name_key is None:
        return and_(no_responsible, or_(deputy.is_(None), deputy.not_in(able)))
    them = able.where(col(Account.name_key) == name_key).scalar_subquery()
    return or_(responsible == them, and_(deputy == them, no_responsible))


def _named(session: Session, name: str, where: str) -> Account:
    account = find_account_or_none(session, name)
    if account is None or not can_act(account):
        raise InvalidInput(
            "This is no account of an officer or an administrator that is in use.",
            where=where,
            next_step="Choose one: `duenotice accounts list` shows all of them.",
        )
    return account
