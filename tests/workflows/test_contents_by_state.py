"""What the first notice to each state's LEA says: exactly the elements that ``duenotice due breach`` lists."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cache
from uuid import UUID

import pytest
import typer
from typer.testing import CliRunner

from agreements.importing import DEMO_FILE
from cases.intake import ApproximateTime
from config.keyring import Keyring
from mail.default_texts import load_default_texts
from models.columns import bind_sealer
from starter.cli import terms
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from terms.catalogue import load_catalogue
from tests.support.incidents import OFFICER, duties, incident, open_case, text
from tests.support.officers import officer
from tests.support.post import letters

pytestmark = pytest.mark.long

STATES = tuple(line.split(",")[3] for line in DEMO_FILE.read_text("utf-8").splitlines()[1:])
FORMS = {line.split(",")[3]: line.split(",")[1] for line in DEMO_FILE.read_text("utf-8").splitlines()[1:]}
LABELS = {element: words.label for element, words in load_catalogue().words.contents.items()}
REPORTED = ("data_types", "data_description", "description", "provider_point_of_contact")
"""What every report of an incident tells."""

APP = typer.Typer()
terms.register(APP)


@cache
def required(state: str) -> dict[str, list[str]]:
    """What ``duenotice due breach`` requires of each of the provider's notices, by clause."""
    at = ("--at", "confirmed=2026-03-07T22:15-05:00")
    result = CliRunner().invoke(APP, ["due", "breach", "--form", FORMS[state], "--state", state, *at, "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["duties"]
    return {duty["clause"]: duty["contents"] for duty in found if duty["contents"]}


def told(letter: EmailMessage) -> dict[str, str]:
    """The facts that a letter tells, by label; both are unwrapped."""
    body = letter.get_body(("plain",))
    assert body is not None
    whole = "\n".join(body.get_content().splitlines())
    lines = whole.split("The facts\n---------\n")[1].split("\n\nWhat will follow\n")[0]
    blocks: list[tuple[list[str], list[str]]] = []
    for line in lines.split("\n\nThe provision\n")[0].splitlines():
        indented = line.startswith(" ")
        if line and not indented and (not blocks or blocks[-1][1]):
            blocks.append(([], []))
        if line:
            blocks[-1][indented].append(line.strip())
    return {" ".join(label): " ".join(value) for label, value in blocks}


@dataclass(frozen=True)
class Told:
    """A confirmed breach at all twelve districts, whose first notices are given."""

    engine: VirtualEngine
    case_id: UUID

    def letters(self, state: str) -> dict[str, EmailMessage]:
        """The first letter under each clause."""
        found = {
            clause: letters(self.engine, self.case_id, d)
            for clause, d in duties(self.engine, self.case_id, state).items()
        }
        return {clause: sent[0] for clause, sent in found.items() if sent}


async def tell(engine: VirtualEngine, *, occurred: ApproximateTime | None = None, learnt: tuple[str, ...] = ()) -> Told:
    report = incident(*(f"{state}-001" for state in STATES), confirmed=utc_now(), occurred=occurred)
    case_id = await open_case(engine, report)
    for element in learnt:
        await officer(engine).learn(case_id, element, f"What is known of {element}", actor=OFFICER)
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    return Told(engine, case_id)


def from_facts() -> tuple[str, ...]:
    """The elements of breach notices that somebody has to find out."""
    sources = {element: words.source for element, words in load_catalogue().words.contents.items()}
    wanted = {element for state in STATES for contents in required(state).values() for element in contents}
    return tuple(sorted(e for e in wanted if sources[e].startswith(("fact:", "artifact:")) and e not in REPORTED))


@pytest.fixture(scope="module")
async def _full(running_engine: VirtualEngine, keyring: Keyring) -> Told:
    bind_sealer(keyring)
    return await tell(running_engine, learnt=from_facts())


@pytest.fixture(scope="module")
async def _bare(running_engine: VirtualEngine, keyring: Keyring) -> Told:
    bind_sealer(keyring)
    return await tell(running_engine, occurred=ApproximateTime(kind="unknown"))


@pytest.fixture
def full(_full: Told, engine: VirtualEngine) -> Told:
    return _full


@pytest.fixture
def bare(_bare: Told, engine: VirtualEngine) -> Told:
    return _bare


def test_there_are_twelve_states_of_which_each_is_told_under_every_clause_that_asks_for_contents(full: Told) -> None:
    assert len(STATES) == len(set(STATES)) == 12
    for state in STATES:
        assert full.letters(state).keys() == required(state).keys()


@pytest.mark.parametrize("state", STATES)
def test_a_full_incident_tells_each_required_element_and_nothing_else(full: Told, state: str) -> None:
    for clause, letter in full.letters(state).items():
        assert list(told(letter)) == [LABELS[element] for element in required(state)[clause]]


@pytest.mark.parametrize("state", STATES)
def test_a_full_incident_leaves_nothing_open(full: Told, state: str) -> None:
    learnt = from_facts()
    for clause, letter in full.letters(state).items():
        says = told(letter)
        assert "Not yet known" not in text(letter)
        assert "What will follow" not in text(letter)
        for element in set(learnt).intersection(required(state)[clause]):
            assert says[LABELS[element]].startswith(f"What is known of {element} ")


@pytest.mark.parametrize("state", STATES)
def test_a_bare_incident_tells_the_same_elements_and_says_which_are_not_yet_known(bare: Told, state: str) -> None:
    default = {element for element, text in load_default_texts().of(state).items() if text.goes == "unless_told"}
    unknown = {*from_facts(), "breach_date"} - default
    for clause, letter in bare.letters(state).items():
        says, elements = told(letter), required(state)[clause]
        assert list(says) == [LABELS[element] for element in elements]
        open_ones = [
            element for element in elements if says[LABELS[element]].startswith(("Not yet known.", "Known in part."))
        ]
        assert open_ones == [element for element in elements if element in unknown]
        follows = text(letter).partition("What will follow")[2].partition("The provision")[0]
        assert [element for element in elements if LABELS[element] in follows] == open_ones


@pytest.mark.parametrize("state", STATES)
def test_each_element_cites_the_provision_that_asks_for_it(full: Told, state: str) -> None:
    for letter in full.letters(state).values():
        assert all(value.endswith("]") and " [" in value for value in told(letter).values())
