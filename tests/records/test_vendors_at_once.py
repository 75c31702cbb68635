"""Holders that answer at the same instant, on both databases: each word counts once, and none is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from config.database import Database
from config.keyring import Keyring
from ledger.verify import verify_ledger
from mail.holder_links import digest_of
from models.enums import DutyStatus, HolderAnswerKind, HolderStatus
from models.errors import DuenoticeError
from models.tables import EvidenceEntry, HolderAnswer
from records.holder_links import GivenByHolder, give_holder_answer
from records.vendor_links import Outcome, give_vendor_answers
from tests.support.directives import (
    ASKED_BY,
    BACKUP,
    HOSTING,
    MISSOURI,
    REQUEST,
    DirectiveInSql,
    certificate,
    open_directive,
    vendor_token_in,
)

pytestmark = pytest.mark.long
PROVIDER = "provider"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, keyring: Keyring, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/duenotice.sqlite3"
    database = Database(url if request.param == "sqlite" else request.getfixturevalue("postgresql_url"), keyring)
    database.migrate()
    yield database
    database.close()


def at_once(*work: Callable[[], object]) -> list[object]:
    """Do several things at the same instant; return what each gave, or the refusal."""
    start, found = threading.Barrier(len(work)), list[object]()

    def run(one: Callable[[], object]) -> None:
        start.wait()
        try:
            found.append(one())
        except DuenoticeError as error:
            found.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def answering(case: DirectiveInSql, holder: str) -> Callable[[], object]:
    digest = case.tasks()[holder].link_digest or ""
    given = GivenByHolder(HolderAnswerKind.CERTIFICATE, certificate(case.now.date()))
    return lambda: give_holder_answer(case.database, digest, given, asked_by=ASKED_BY, actor="holder", now=case.now)


def answers(database: Database) -> int:
    with database.reading() as session:
        entries = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "holder_answered")).all()
        assert len(entries) == len(session.exec(select(HolderAnswer)).all())
        return len(entries)


def test_two_subprocessors_confirm_at_the_same_instant_and_the_provider_is_asked_once_both_have(
    database: Database,
) -> None:
    case = open_directive(database, HOSTING, BACKUP)
    case.write()
    assert not any(
        isinstance(one, DuenoticeError) for one in at_once(answering(case, HOSTING), answering(case, BACKUP))
    )
    assert {case.status(HOSTING), case.status(BACKUP)} == {HolderStatus.CONFIRMED}
    assert answers(database) == 2
    case.compute()
    case.write()
    case.write()
    case.answer(PROVIDER)
    assert case.duty(REQUEST).status is DutyStatus.PERFORMED
    with database.reading() as session:
        assert verify_ledger(session).sound


def test_one_holder_that_answers_twice_at_once_is_taken_once(database: Database) -> None:
    case = open_directive(database, HOSTING)
    case.write()
    found = at_once(answering(case, HOSTING), answering(case, HOSTING))
    assert sum(isinstance(one, DuenoticeError) for one in found) == 1
    assert answers(database) == 1


def test_a_vendor_sends_the_same_answers_twice_at_once_by_its_link_to_all(database: Database) -> None:
    cases = [open_directive(database, HOSTING), open_directive(database, HOSTING, place=MISSOURI)]
    token = [vendor_token_in(case.write()[0]) for case in cases][1]
    assert token
    given = GivenByHolder(HolderAnswerKind.CERTIFICATE, certificate(cases[0].now.date()))
    named = {case.tasks()[HOSTING].id: given for case in cases}

    def send(*, all_or_none: bool) -> object:
        return give_vendor_answers(
            database,
            digest_of(token),
            named,
            all_or_none=all_or_none,
            asked_by=ASKED_BY,
            actor="holder",
            now=cases[0].now,
        )

    found = at_once(lambda: send(all_or_none=True), lambda: send(all_or_none=False), lambda: send(all_or_none=True))
    outcomes = [answered.outcome for one in found if isinstance(one, dict) for answered in one.values()]
    assert sorted(outcomes) == [Outcome.TAKEN] * 2 + [Outcome.UNCHANGED] * 4
    assert answers(database) == 2
