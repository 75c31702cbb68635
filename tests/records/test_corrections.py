"""What was told and is otherwise by now is told anew, once, as a correction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlmodel import select

from cases.acts import Impossible, Learn, SetDate
from cases.breach import BREACH
from cases.plausibility import dates_of_act
from cases.state import NoticePolicy
from cases.values import KeptText
from config.database import Database
from models.enums import NoticeKind, Party
from models.tables import Case, Notice
from queries.consequences import Foresight
from records.corrections import told_otherwise
from records.deliveries import Answer
from records.documents import NewDocument, add_documents
from records.outbox import OutgoingMessage
from records.uploads import uploaded_file
from terms.limits import STANDARD_DEFAULTS
from tests.support.case_in_sql import CATALOGUE, QUEUED, CaseInSql, Place, open_in_sql
from tests.support.handed_over import text_of

NOW = datetime(2026, 11, 2, 15, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TENNESSEE, VIRGINIA, ILLINOIS = Place("ndpa-v1", "TN"), Place("ndpa-v1", "VA"), Place("ndpa-v1", "IL")
OREGON = Place("ndpa-v2", "OR")
TYPES = "Types of information involved (corrected)"


def learn(case: CaseInSql, element: str, value: str) -> None:
    case.act(Learn.model_validate({"element": element, "value": value}))


def told(database: Database, place: Place = TENNESSEE, **dates: datetime) -> CaseInSql:
    """A breach whose notice was given, and said all that it had to say."""
    case = open_in_sql(database, BREACH, [place], NOW, {"confirmed": NOW, "occurred": NOW - 3 * DAY, **dates})
    case.policy = NoticePolicy(release="immediate")
    learn(case, "data_types", "Names")
    learn(case, "description", "Passwords were tried.")
    assert send(case) != []
    assert send(case) == []
    case.now += HOUR
    return case


def send(case: CaseInSql) -> list[str]:
    """Send what leaves by now; return what it says, each in one line."""
    sent: list[str] = []

    def take(message: OutgoingMessage) -> Answer:
        sent.append(" ".join(text_of(message.raw).split()))
        return QUEUED

    case.compute()
    case.send_what_leaves(take)
    case.compute()
    return sent


def test_what_is_learnt_otherwise_is_told_once_as_a_correction(database: Database) -> None:
    case = told(database)
    learn(case, "data_types", "Names\nSocial security numbers")
    (says,) = send(case)
    assert says.startswith("FURTHER INFORMATION ON OUR NOTICE OF A DATA BREACH")
    assert "Some of what we wrote has changed: what is marked below as corrected takes its place." in says
    assert "This corrects: - Types of information involved The facts" in says
    assert f"{TYPES} Names Social security numbers" in says
    assert "General description" not in says
    case.now += HOUR
    assert send(case) == []


def test_what_is_learnt_once_more_as_it_was_told_is_told_to_nobody(database: Database) -> None:
    case = told(database)
    learn(case, "data_types", "Names")
    assert send(case) == []


def test_a_date_that_was_told_and_is_corrected_is_told_anew(database: Database) -> None:
    case = told(database)
    reason = KeptText.model_validate("The records reach further back.")
    case.act(SetDate(name="occurred", instant=NOW - 30 * DAY, reason=reason))
    (says,) = send(case)
    assert "Date, estimated date or date range of the breach (corrected) Saturday, October 3, 2026" in says


def test_what_turns_out_to_be_impossible_to_determine_is_a_correction_too(database: Database) -> None:
    case = told(database)
    case.act(Impossible(element="description"))
    (says,) = send(case)
    assert "General description of the breach (corrected) Could not be determined." in says


def test_what_is_corrected_and_what_lacked_stand_in_one_supplement(database: Database) -> None:
    case = open_in_sql(database, BREACH, [TENNESSEE], NOW, {"confirmed": NOW, "occurred": NOW - 3 * DAY})
    case.policy = NoticePolicy(release="immediate")
    learn(case, "data_types", "Names")
    assert send(case) != []
    case.now += HOUR
    learn(case, "data_types", "Names and grades")
    learn(case, "description", "Passwords were tried.")
    (says,) = send(case)
    assert "This adds or corrects:" in says
    assert f"{TYPES} Names and grades" in says
    assert "General description of the breach (new)" in says


def test_a_district_that_had_an_initial_notice_and_the_notice_is_told_once(database: Database) -> None:
    case = told(database, VIRGINIA, reasonably_expected=NOW - HOUR)
    learn(case, "data_types", "Names and grades")
    (says,) = send(case)
    assert f"{TYPES} Names and grades" in says


def test_a_correction_that_is_made_while_another_waits_goes_with_it(database: Database) -> None:
    case = told(database)
    case.policy = NoticePolicy(release="officer")
    learn(case, "data_types", "Names and grades")
    learn(case, "data_types", "Names, grades and addresses")
    with database.reading() as session:
        kinds = [
            notice.kind
            for notice in session.exec(select(Notice).where(Notice.case_id == case.id))
            if not notice.given_at and not notice.dropped
        ]
        assert kinds == [NoticeKind.SUPPLEMENT]
        assert set(told_otherwise(session, case.id).values()) == {frozenset({"data_types"})}
    case.now += DAY
    (says,) = send(case)
    assert f"{TYPES} Names, grades and addresses" in says


def test_a_correction_taken_back_before_it_left_is_told_to_nobody(database: Database) -> None:
    case = told(database)
    case.policy = NoticePolicy(release="officer")
    learn(case, "data_types", "Names and grades")
    case.now += timedelta(minutes=1)
    learn(case, "data_types", "Names")
    case.now += DAY
    assert send(case) == []


def test_what_two_forms_ask_for_in_other_words_is_learnt_of_both_while_it_was_told_alike(database: Database) -> None:
    case = open_in_sql(database, BREACH, [TENNESSEE, OREGON], NOW, {"confirmed": NOW, "occurred": NOW - 3 * DAY})
    case.policy = NoticePolicy(release="immediate")
    for element, value in (("data_types", "Names"), ("data_description", "Names"), ("description", "Passwords.")):
        learn(case, element, value)
    assert len(send(case)) == 2
    case.now += HOUR
    learn(case, "data_types", "Names and grades")
    says = " ".join(send(case))
    assert f"{TYPES} Names and grades" in says
    assert "Description of the student data involved (corrected) Names and grades" in says
    case.now += HOUR
    learn(case, "data_description", "Names and grades of the quiz service")
    case.now += HOUR
    learn(case, "data_types", "Names, grades and addresses")
    assert "Description of the student data involved (corrected) Names and grades of the quiz service" in " ".join(
        send(case)
    )


def test_a_further_document_is_told_of_as_new(database: Database) -> None:
    case = told(database, ILLINOIS)

    def add_list(name: str) -> None:
        document = NewDocument(uploaded_file(name, name.encode()), "students_involved", ILLINOIS.reference)
        add_documents(database, case.id, [document], actor="officer", now=case.now)

    for name in ("students.csv", "further students.csv"):
        add_list(name)
        (says,) = send(case)
        assert "This adds: - List of the students involved The facts" in says
        case.now += HOUR
    add_list("students.csv")
    assert send(case) == [], "the same again is no other"


def test_a_corrected_date_is_foreseen_to_be_told(database: Database) -> None:
    case = told(database)
    reason = KeptText.model_validate("The records reach further back.")

    def foreseen(occurred: datetime) -> int:
        act = SetDate(name="occurred", instant=occurred, reason=reason)
        foresight = Foresight(CATALOGUE, STANDARD_DEFAULTS, Party.PROVIDER, case.policy, case.now)
        with database.reading() as session:
            found = foresight.of_act(session, session.get_one(Case, case.id), act, dates_of_act(BREACH, act))
        return found.supplements.mailed if found.supplements else 0

    assert (foreseen(NOW - 30 * DAY), foreseen(NOW - 3 * DAY)) == (1, 0)
