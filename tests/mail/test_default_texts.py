"""Default texts: what a notice has to say at once in some state, and what keeps a production start from going on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from config.keyring import Keyring
from config.settings import Settings
from mail import default_texts, templates
from mail.contents import Knowledge, KnownFact, element_values
from mail.default_texts import OLDEST, DefaultTexts, check_default_texts, load_default_texts
from mail.facts import ElementStatus, ElementValue
from models.enums import FactStatus
from models.errors import ConfigurationError
from starter import resources
from terms.catalogue import load_catalogue
from terms.contents import ContentElement
from terms.effective import effective_terms
from tests.support.sample_notices import SENDER

TEXTS = load_default_texts()
CATALOGUE = load_catalogue()
TODAY = max(text.checked for blocks in TEXTS.by_state.values() for text in blocks.values())


def test_the_texts_that_ship_serve_every_notice_of_the_catalogue() -> None:
    assert TEXTS.by_state.keys() == {"IL", "MO", "NY", "RI"}
    check_default_texts(TEXTS, CATALOGUE, TODAY)


def test_each_text_has_a_source_and_is_for_an_element_of_its_state() -> None:
    for state, blocks in TEXTS.by_state.items():
        known = CATALOGUE.words.contents
        for element, text in blocks.items():
            assert element in known
            assert all(source.found for source in text.sources)
            assert any(state_name(state) in source.found for source in text.sources), "it cites the state's own terms"


def state_name(state: str) -> str:
    return CATALOGUE.state("ndpa-v1", state).name


@pytest.mark.parametrize(("state", "element"), [("RI", "police_report_and_freeze"), ("IL", "parent_contact")])
def test_a_production_start_is_refused_without_a_text_that_is_needed(state: str, element: str) -> None:
    left = {name: text for name, text in TEXTS.of(state).items() if name != element}
    lacking = replace(TEXTS, by_state={**TEXTS.by_state, state: left})
    with pytest.raises(ConfigurationError, match=f"Notices in {state} have to say {element} at once"):
        check_default_texts(lacking, CATALOGUE, TODAY)


def test_a_production_start_is_refused_with_a_text_that_nobody_has_checked_for_a_year() -> None:
    oldest = min(text.checked for blocks in TEXTS.by_state.values() for text in blocks.values())
    check_default_texts(TEXTS, CATALOGUE, oldest + OLDEST)
    with pytest.raises(ConfigurationError, match="more than a year ago"):
        check_default_texts(TEXTS, CATALOGUE, oldest + OLDEST + timedelta(days=1))


async def test_production_does_not_connect_without_its_default_texts(
    monkeypatch: pytest.MonkeyPatch, keyring: Keyring, tmp_path: Path
) -> None:
    monkeypatch.setattr(templates, "load_default_texts", lambda: DefaultTexts({}, TEXTS.told_by_the_case))
    file = tmp_path / "keyring.json"
    settings = Settings(environment="production", home=tmp_path, keyring=file)
    Keyring.create(file)
    with pytest.raises(ConfigurationError, match="there is no default text for it"):
        await resources.connect(settings)
    assert not (tmp_path / "duenotice.sqlite3").exists(), "nothing was opened"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("state: [", "It is not YAML"),
        ("{state: RI, blocks: {a: {text: x, goes: always, checked: 2026-01-01, sources: []}}}", "blocks.a.goes"),
        (
            "{state: RI, blocks: {a: {text: x, goes: unless_told, checked: 2026-01-01, sources: []}}}",
            "blocks.a.sources",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "ri.yaml").write_text(content, "utf-8")
    (tmp_path / default_texts.TOLD_BY_THE_CASE).write_text(yaml.safe_dump({"elements": []}), "utf-8")
    with pytest.raises(ConfigurationError, match=r"ri\.yaml.*" + problem):
        load_default_texts(tmp_path)


def test_a_folder_without_its_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_default_texts(tmp_path)


def said(state: str, element: str, told: KnownFact | None = None) -> ElementValue:
    """What a notice in a state says of an element of which the case knows nothing, or something."""
    terms = effective_terms(CATALOGUE, "ndpa-v1", state, on=date(2026, 11, 24))
    found = [each for each in terms.clause("breach.notice").contents if each.id == element]
    wanted = found or [
        ContentElement(id=element, label=element, required="at_once", source=f"fact:{element}", citation="item 1")
    ]
    knowledge = Knowledge(
        lea="A district",
        provider=SENDER,
        noticed_at=datetime(2026, 11, 24, tzinfo=UTC),
        zone=ZoneInfo("America/New_York"),
        anchors={},
        facts={element: told} if told else {},
        default_texts=TEXTS.of(state),
    )
    (value,) = element_values(wanted, knowledge)
    return value


def test_a_default_text_makes_an_element_known_and_gives_way_to_what_is_told() -> None:
    default = said("RI", "protective_advice")
    assert (default.status, default.value) == (ElementStatus.KNOWN, TEXTS.of("RI")["protective_advice"].text)
    told = said("RI", "protective_advice", KnownFact(FactStatus.KNOWN, "Call us."))
    assert told.value == "Call us."


def test_a_text_that_goes_with_what_is_told_leaves_the_element_known_in_part() -> None:
    default = said("RI", "protective_measures")
    assert default.status is ElementStatus.PARTLY_KNOWN
    assert "Attorney General" in (default.value or "")
    told = said("RI", "protective_measures", KnownFact(FactStatus.KNOWN, "We locked the accounts."))
    assert told.status is ElementStatus.KNOWN
    assert (told.value or "").startswith("We locked the accounts.\n\n")
    assert "Attorney General" in (told.value or "")
    never = said("RI", "protective_measures", KnownFact(FactStatus.IMPOSSIBLE, None))
    assert never.status is ElementStatus.IMPOSSIBLE
    assert "Attorney General" in (never.value or "")


@pytest.mark.parametrize(
    ("state", "element", "name"),
    [
        ("IL", "parent_contact", SENDER.parents_contact.name),
        ("NY", "provider_point_of_contact", SENDER.point_of_contact.name),
        ("MO", "provider_point_of_contact", SENDER.point_of_contact.name),
    ],
)
def test_a_person_that_the_installation_names_stands_in_for_the_cases_own(state: str, element: str, name: str) -> None:
    default = said(state, element)
    assert default.status is ElementStatus.KNOWN
    assert name in (default.value or "").splitlines()
    own = said(state, element, KnownFact(FactStatus.KNOWN, "Pat Example, 555 0110"))
    assert own.value == "Pat Example, 555 0110"


def test_elsewhere_nothing_stands_in_for_what_nobody_knows() -> None:
    assert said("MA", "parent_contact").status is ElementStatus.NOT_YET_KNOWN
