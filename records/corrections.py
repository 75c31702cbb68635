"""What parties were told in notices and is known otherwise by now, so that a supplement corrects it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, select

from cases.kinds import kind_named
from cases.values import AnchorValue
from mail.contents import KnownFact
from mail.wording import is_dated
from models.bulk import table_of
from models.enums import DutyStatus, NoticeKind, Party
from models.tables import Case, CaseAnchor, CaseDocument, CaseFact, Duty, Notice
from records.anchors import anchor_of, anchors_by_agreement
from terms.catalogue import load_catalogue

DatedFacts = Mapping[UUID | None, Mapping[str, AnchorValue]]
"""Dated facts by name: those of the case under None, and under an agreement those that hold for it instead."""

_DUTY, _NOTICE = table_of(Duty).c, table_of(Notice).c
_GIVEN = and_(_NOTICE.given_at.is_not(None), _NOTICE.kind != NoticeKind.DISMISSAL)

Said = TypeVar("Said", AnchorValue, KnownFact)


class _Version(NamedTuple, Generic[Said]):
    """What was known under a name from one instant to another, for one agreement or for all."""

    name: str
    agreement_id: UUID | None
    since: datetime
    until: datetime | None
    said: Said


def _at(versions: Sequence[_Version[Said]], agreement_id: UUID, instant: datetime) -> dict[str, Said]:
    """What was known for an agreement at an instant; what is its own stands before what holds for all."""
    held = [each for each in versions if each.since <= instant and (each.until is None or instant < each.until)]
    of_all = {each.name: each.said for each in held if each.agreement_id is None}
    return of_all | {each.name: each.said for each in held if each.agreement_id == agreement_id}


def told_otherwise(
    session: Session,
    case_id: UUID,
    agreements: Collection[UUID] | None = None,
    anchors: DatedFacts | None = None,
) -> dict[UUID, frozenset[str]]:
    """By duty, the elements that a notice gave and that are known otherwise by now, or by a further document.

    An element counts under the duty of the last notice that gave it to the same party. What a notice said would follow
    is lacking still, and is no correction. What a case writes by itself has notices of its own.

    Args:
        session: where the case is.
        case_id: the case.
        agreements: look at these alone.
        anchors: its dated facts as they would be, instead of those that are recorded.
    """
    written = session.execute(_of(case_id, agreements, func.min(_NOTICE.written_at))).scalar_one()
    if written is None:
        return {}
    dates, facts = _dates(session, case_id), _facts(session, case_id)
    added = _added_since(session, case_id, written)
    candidates = _concerned(
        {each.name for each in dates if anchors or each.since > written},
        {each.name for each in facts if each.since > written}.union(element for _, element in added),
    )
    if not candidates:
        return {}
    now = anchors or anchors_by_agreement(session, case_id)
    known = {each.name: each.said for each in facts if each.until is None}
    found: defaultdict[UUID, set[str]] = defaultdict(set)
    seen: set[tuple[UUID, str, str]] = set()
    for row in map(_Told._make, session.execute(_told(case_id, agreements))):
        own = row.agreement_id
        told = {one for one in candidates.intersection(row.given) if (own, row.owed_to, one) not in seen}
        seen.update((own, row.owed_to, element) for element in told)
        if row.status is not DutyStatus.PERFORMED:
            continue
        then = _at(dates, own, row.written_at), _at(facts, own, row.written_at)
        by_now = {**now.get(None, {}), **now.get(own, {})}, known
        for element in told.difference(row.lacking):
            said = _said_of(element, *by_now)
            last = max(added.get((key, element), row.written_at) for key in (None, own))
            if last > row.written_at or (said is not None and said != _said_of(element, *then)):
                found[row.duty_id].add(element)
    return {duty_id: frozenset(elements) for duty_id, elements in found.items()}


class _Told(NamedTuple):
    """What one notice told, and under which duty."""

    duty_id: UUID
    agreement_id: UUID
    owed_to: Party
    status: DutyStatus
    given: list[str]
    lacking: list[str]
    written_at: datetime


def _told(case_id: UUID, agreements: Collection[UUID] | None) -> Select[Any]:
    """What the notices of a case told, the last one first; perhaps those under some agreements alone."""
    columns = (_DUTY.id, _DUTY.agreement_id, _DUTY.owed_to, _DUTY.status, _NOTICE.given, _NOTICE.lacking)
    told = _of(case_id, agreements, *columns, _NOTICE.written_at)
    return told.order_by(_NOTICE.written_at.desc(), _NOTICE.id)


def _of(case_id: UUID, agreements: Collection[UUID] | None, *columns: ColumnElement[Any]) -> Select[Any]:
    """Columns of the notices that were given in a case, perhaps under some agreements alone, and of their duties."""
    joined = table_of(Notice).join(table_of(Duty), _DUTY.id == _NOTICE.duty_id)
    found = select_columns(*columns).select_from(joined)
    found = found.where(_NOTICE.case_id == case_id, _GIVEN, _NOTICE.written_at.is_not(None))
    return found if agreements is None else found.where(_DUTY.agreement_id.in_(agreements))


def _concerned(dates: Set[str], told: Set[str]) -> frozenset[str]:
    """The elements that some dated facts, or what was told under some names, are the value of."""
    sources = {f"anchor:{name}" for name in dates} | {f"fact:{name}" for name in told}
    contents = load_catalogue().words.contents.items()
    return frozenset(told).union(element for element, text in contents if text.source in sources)


def _written_by_itself(session: Session, case_id: UUID) -> list[str]:
    kind = kind_named(session.get_one(Case, case_id).kind)
    return [element for element in (kind.holders_document, kind.passes_on) if element]


def _added_since(session: Session, case_id: UUID, instant: datetime) -> dict[tuple[UUID | None, str], datetime]:
    """When the last document was added for an element since then: for one agreement, or under None for all."""
    by = col(CaseDocument.agreement_id), col(CaseDocument.element)
    rows = session.exec(
        select(*by, func.max(CaseDocument.added_at))
        .where(CaseDocument.case_id == case_id, col(CaseDocument.added_at) > instant)
        .where(col(CaseDocument.element).not_in(_written_by_itself(session, case_id)))
        .group_by(*by)
    )
    return {(agreement_id, element): added_at for agreement_id, element, added_at in rows}


def _said_of(
    element: str, dates: Mapping[str, AnchorValue], facts: Mapping[str, KnownFact]
) -> AnchorValue | KnownFact | None:
    """What is known of an element: the date that it is, or else what was told of it."""
    text = load_catalogue().words.contents.get(element)
    kind, _, name = text.source.partition(":") if text else ("fact", "", element)
    dated = dates.get(name) if kind == "anchor" else None
    if dated and is_dated(dated):
        return dated
    return facts.get(name if kind == "fact" else element)


def _dates(session: Session, case_id: UUID) -> list[_Version[AnchorValue]]:
    return [
        _Version(
            row.name,
            row.agreement_id,
            row.recorded_at,
            row.superseded_at,
            anchor_of(row),
        )
        for row in session.exec(select(CaseAnchor).where(CaseAnchor.case_id == case_id))
    ]


def _facts(session: Session, case_id: UUID) -> list[_Version[KnownFact]]:
    return [
        _Version(row.element, None, row.recorded_at, row.superseded_at, KnownFact(row.status, row.value))
        for row in session.exec(select(CaseFact).where(CaseFact.case_id == case_id))
    ]
