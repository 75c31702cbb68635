"""How the duties of one agreement were met, counted clause by clause."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from uuid import UUID

from sqlalchemy import select as select_columns
from sqlmodel import col, func

from agreements.due_dates import read_due_dates
from config.database import Database
from models.enums import DutyStatus
from models.grouping import grouped
from models.tables import Duty
from models.view import View
from queries.duty_search import Met, how_met


class ClauseFigures(View):
    """The duties under one clause: how many were met how."""

    clause: str
    title: str
    met: dict[Met, int]

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.met.values())


class AgreementFigures(View):
    """The duties of one agreement, clause by clause, in the order of the clauses' ids."""

    clauses: tuple[ClauseFigures, ...]

    @property
    def met(self) -> dict[Met, int]:
        """How many of all clauses were met how."""
        return {met: sum(one.met[met] for one in self.clauses) for met in Met}

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(one.total for one in self.clauses)

    @property
    def largest(self) -> int:
        """How many the clause has that has the most."""
        return max((one.total for one in self.clauses), default=0)


def read_figures(database: Database, agreement_id: UUID, now: datetime) -> AgreementFigures:
    """Count the duties of one agreement in every case; none where no case has touched it."""
    is_overdue = (col(Duty.status) == DutyStatus.RUNNING) & (col(Duty.due_at) < now)
    columns = (col(Duty.clause), col(Duty.status), col(Duty.verdict), is_overdue)
    with database.reading() as session:
        rows = session.execute(
            select_columns(*columns, func.count(), func.max(col(Duty.due_date_id)))
            .where(col(Duty.agreement_id) == agreement_id)
            .group_by(*columns)
            .order_by(col(Duty.clause))
        ).all()
        due_dates = read_due_dates(session, {row[5] for row in rows})
    clauses = []
    for clause, members in grouped(rows, lambda row: str(row[0])).items():
        met: Counter[Met] = Counter(dict.fromkeys(Met, 0))
        for _, status, verdict, overdue, count, _ in members:
            met[how_met(status, verdict, overdue=bool(overdue))] += count
        clauses.append(ClauseFigures(clause=clause, title=due_dates[members[0][5]].title, met=dict(met)))
    return AgreementFigures(clauses=tuple(clauses))
