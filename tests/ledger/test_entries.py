"""What events say: each has a kind of its own, documented fields, a key from its fields, and members that stay."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest

import ledger.entries
from cases.values import AnchorValue
from config.database import Database
from ledger.append import append
from ledger.entries import (
    ActRecorded,
    Attempt,
    CaseOpened,
    DocumentAdded,
    DutyComputed,
    Event,
    NoticeGiven,
    TermsPinned,
)
from models.enums import DutyStatus, NoticeKind, Verdict
from models.errors import InvalidInput
from tests.support.pretended import pretend_kept

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CASE, FIRST, SECOND, THIRD = (UUID(int=number) for number in range(1, 5))
NAME = "0" * 64


def _classes() -> Iterator[type[Event]]:
    for _, found in inspect.getmembers(ledger.entries, inspect.isclass):
        if issubclass(found, Event) and found.__module__ == ledger.entries.__name__ and "kind" in vars(found):
            yield found


EVENTS = sorted(_classes(), key=lambda event: event.__name__)


def test_no_two_events_share_a_kind() -> None:
    assert [kind for kind, count in Counter(event.kind for event in EVENTS).items() if count > 1] == []


@pytest.mark.parametrize("event", EVENTS)
def test_every_field_is_documented(event: type[Event]) -> None:
    lineage = [each for each in event.__mro__ if issubclass(each, Event) and each.__doc__]
    documented = {name for each in lineage for name in re.findall(r"^ {8}(\w+): ", each.__doc__ or "", re.MULTILINE)}
    assert set(event.model_fields) <= documented


@pytest.mark.parametrize("event", EVENTS)
def test_the_hash_of_what_people_wrote_is_an_artifact_and_no_member_of_the_body(event: type[Event]) -> None:
    hashes = {name: field for name, field in event.model_fields.items() if name.endswith("_sha256")}
    assert all(field.exclude for field in hashes.values())


# What one event of each shape becomes in the ledger.

ATTEMPT = Attempt(notice_id=FIRST, delivery=SECOND, contact=THIRD, attempt=2, message_sha256=NAME)
GIVEN = NoticeGiven(
    case_id=CASE,
    actor="duenotice",
    at=NOON,
    attempt=ATTEMPT,
    code=250,
    duty=THIRD,
    clause="breach.notice",
    due_at=NOON,
    notice_kind=NoticeKind.NOTICE,
    verdict=Verdict.ON_TIME,
    given=("description",),
    lacking=(),
)
OPENED = CaseOpened(
    case_id=CASE,
    actor="officer",
    at=NOON,
    case_kind="breach",
    event="breach",
    anchors=(AnchorValue(name="discovered", instant=NOON),),
    agreements=(FIRST, SECOND),
    report_sha256=NAME,
)
PINNED = TermsPinned(case_id=CASE, actor="duenotice", at=NOON, terms_hash=NAME, agreements=(FIRST,))
COMPUTED = DutyComputed(
    case_id=CASE,
    actor="duenotice",
    at=NOON,
    due_date_id="reasons",
    due_date={"clause": "breach.notice", "status": "pending"},
    status=DutyStatus.SUSPENDED,
    agreements=(FIRST,),
    happening=SECOND,
)
FOR_ALL = DocumentAdded(
    case_id=CASE,
    actor="officer",
    at=NOON,
    document_id=FIRST,
    element="general",
    agreement=None,
    content_sha256=NAME,
    occurrence=SECOND,
)
ACT = ActRecorded(
    case_id=CASE,
    actor="officer",
    at=NOON,
    act="withhold",
    act_id=FIRST,
    particulars={"clause": None},
    kept_sha256=(NAME, "1" * 64),
)


@pytest.mark.parametrize(
    ("event", "kind", "subject", "artifacts", "body", "key"),
    [
        (
            GIVEN,
            "notice_given",
            str(FIRST),
            [NAME],
            {
                "delivery": str(SECOND),
                "contact": str(THIRD),
                "attempt": 2,
                "code": 250,
                "duty": str(THIRD),
                "clause": "breach.notice",
                "due_at": "2026-03-01T12:00:00Z",
                "kind": "notice",
                "verdict": "on_time",
                "given": ["description"],
                "lacking": [],
            },
            f"notice_given:{SECOND}:2",
        ),
        (
            OPENED,
            "case_opened",
            None,
            [NAME],
            {
                "kind": "breach",
                "event": "breach",
                "anchors": [{"name": "discovered", "instant": "2026-03-01T12:00:00Z"}],
                "agreements": [str(FIRST), str(SECOND)],
            },
            f"case-opened:{CASE}",
        ),
        (
            PINNED,
            "terms_pinned",
            NAME,
            [],
            {"terms_hash": NAME, "agreements": [str(FIRST)]},
            f"terms-pinned:{CASE}:{NAME}:{FIRST}:2026-03-01T12:00:00+00:00",
        ),
        (
            COMPUTED,
            "duty_computed",
            "reasons",
            [],
            {"clause": "breach.notice", "status": "suspended", "agreements": [str(FIRST)]},
            f"duty-computed:{SECOND}",
        ),
        (
            FOR_ALL,
            "document_added",
            str(FIRST),
            [NAME],
            {"element": "general"},
            f"document_added:{FIRST}:{SECOND}",
        ),
        (
            ACT,
            "act.withhold",
            str(FIRST),
            [NAME, "1" * 64],
            {"act": "withhold", "act_id": str(FIRST), "particulars": {"clause": None}},
            f"act:{FIRST}",
        ),
    ],
)
def test_an_event_is_stored_as_its_fields_say(
    database: Database,
    event: Event,
    kind: str,
    subject: str | None,
    artifacts: list[str],
    body: dict[str, object],
    key: str,
) -> None:
    with database.writing() as session:
        pretend_kept(session, *artifacts)
        [entry] = append(session, event)
    assert (entry.kind, entry.subject, entry.artifacts, entry.body) == (kind, subject, artifacts, body)
    assert (entry.key, entry.case_id, entry.actor, entry.at) == (key, CASE, event.actor, NOON)


def test_a_document_fetched_twice_in_one_instant_was_fetched_twice(database: Database) -> None:
    again = FOR_ALL.model_copy(update={"occurrence": THIRD})
    with database.writing() as session:
        pretend_kept(session, NAME)
        first, second = append(session, FOR_ALL, again)
    assert (first.number, second.number) == (1, 2)


def test_an_act_without_an_id_is_told_apart_by_its_instant() -> None:
    nameless = ACT.model_copy(update={"act_id": None})
    assert (nameless.subject, nameless.key) == (None, f"act:{CASE}:withhold:2026-03-01T12:00:00+00:00")


@pytest.mark.parametrize("value", [float("nan"), 2**53, object()])
def test_particulars_that_are_not_json_are_refused(database: Database, value: object) -> None:
    act = ACT.model_copy(update={"particulars": {"value": value}})
    with pytest.raises(InvalidInput, match="not JSON"), database.writing() as session:
        append(session, act)
