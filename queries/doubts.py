"""Dated facts that can be true and hardly are, of an intake or an act: by rules alone, and by what SQL knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib import import_module
from typing import Protocol
from uuid import UUID

from sqlmodel import Session, col, select

from cases.acts import Act
from cases.intake import Intake
from cases.kind import Kind
from cases.kinds import kind_named
from cases.plausibility import (
    Dating,
    Doubt,
    check_order,
    dates_of_act,
    dates_of_intake,
    doubts,
    order_problems,
)
from models import identifiers
from models.errors import InvalidFields
from models.tables import Case, CaseAgreement
from records.anchors import anchors_by_agreement


class FindsDoubts(Protocol):
    """What ``Kind.doubts`` names."""

    def __call__(self, session: Session, dating: Dating, now: datetime) -> Iterable[Doubt]:
        """Return which of the dated facts that are given can be true and hardly are; nothing is written."""


def doubts_of_intake(
    session: Session, kind: Kind, intake: Intake, now: datetime, *, known: bool = False
) -> tuple[Doubt, ...]:
    """Which dates of an intake are hardly meant; ``known`` is whether its case is there already.

    Raises:
        InvalidFields: some cannot be true together.
    """
    given = dates_of_intake(intake)
    if problems := tuple(order_problems(kind, given, {}, now)):
        raise InvalidFields(problems)
    found, about = doubts(kind, given, {}, now), intake.about()
    if known or not given:
        return found
    agreements = [identifiers.agreement_id(reference) for reference in intake.agreements]
    return (*found, *_by_kind(session, kind, Dating(given, agreements, about.clause if about else None), now))


def doubts_of_act(session: Session, case: Case, act: Act, now: datetime) -> tuple[Doubt, ...]:
    """Which dates of an act are hardly meant.

    Raises:
        InvalidInput, InvalidFields: some cannot be true with what the case knows.
    """
    kind = kind_named(case.kind)
    given = dates_of_act(kind, act)
    if not given:
        return ()
    known, agreement = anchors_by_agreement(session, case.id), getattr(act, "agreement", None)
    of_it = {**known[None], **(known.get(agreement.id, {}) if agreement else {})}
    check_order(kind, given, of_it, now)
    about = [agreement.id] if agreement else _agreements_of(session, case.id)
    dating = Dating(given, about, case.clause, case.id)
    return (*doubts(kind, given, of_it, now), *_by_kind(session, kind, dating, now))


def _agreements_of(session: Session, case_id: UUID) -> Sequence[UUID]:
    return session.exec(select(CaseAgreement.agreement_id).where(col(CaseAgreement.case_id) == case_id)).all()


def _by_kind(session: Session, kind: Kind, dating: Dating, now: datetime) -> Iterable[Doubt]:
    if kind.doubts is None:
        return ()
    module, _, name = kind.doubts.partition(":")
    finds: FindsDoubts = getattr(import_module(module), name)
    return finds(session, dating, now)
