"""Notices of one cohort come out of its skeleton byte for byte as each is composed by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import ChoiceLoader, DictLoader
from pydantic import HttpUrl

from config.settings import Settings
from ledger.artifacts import Content, pack
from mail import cohorts
from mail.cohorts import REMEMBERED, SAMPLES, Cohorts
from mail.compose import Addressing, compose
from mail.default_texts import load_default_texts
from mail.drafting import Draft, write_facts
from mail.facts import EarlierNotice, Mailbox
from mail.templates import SHIPPED
from models.errors import InvalidInput
from starter.demonstration import demonstrated_draft
from starter.writing import sender_of
from terms.catalogue import load_catalogue
from tests.support.catalogue_letters import LETTERS, Letter, by_name

CATALOGUE, TEXTS = load_catalogue(), load_default_texts()
SENDER = sender_of(Settings().organisation)
FROM = Mailbox(name="Example Learning, Inc.", email="notices@provider.test")
BREACH = Letter("ndpa-v1", "VA", "breach.notice")

NAMES = (
    "Blue Ridge Example School Division",
    "A",
    'O\'Brien & Sons <Academy> "North"',
    "École élémentaire de l'Île-d'Orléans — 学区 東京",
    "The Very Long Name of a Unified and Consolidated Independent School District of Somewhere in the Far West, Unit 7",
    "x" * 90,
    "From here = to there.",
    "  Two  spaces ",
    "----",
)
"""What districts are called: markup, other scripts, lines longer than a line, what quoted-printable must encode."""


def draft_of(letter: Letter) -> Draft:
    return demonstrated_draft(
        CATALOGUE, SENDER, letter.form, letter.state, letter.clause, kind=letter.kind, also=letter.also
    )


def to(draft: Draft, number: int, name: str, office: str = "Office", signed: date = date(2025, 1, 12)) -> Draft:
    """The draft as it would be written to another reader."""
    agreement = type(draft.agreement)(
        title=draft.agreement.title,
        reference=f"B-{number:05}",
        provider=SENDER.organisation,
        lea=name,
        signed_on=signed,
    )
    follows = draft.follows and EarlierNotice(
        message_id=f"<{number}@provider.test>", given_at=draft.follows.given_at + timedelta(seconds=number)
    )
    return replace(
        draft,
        reader=name,
        agreement=agreement,
        lea=f"{name}\n{office}\noffice@d{number}.example.org",
        follows=follows,
        acknowledge_url=HttpUrl(f"https://notices.provider.example.org/n/{number:046}"),
    )


def addressed(number: int, name: str) -> Addressing:
    return Addressing(
        message_id=f"<{number}.notice@provider.test>",
        sender=FROM,
        to=(Mailbox(name=name, email=f"office@d{number}.example.org"),),
        copies=(Mailbox(name="Counsel", email="counsel@example.org"),) if number % 2 else (),
    )


def check_equal(drafts: Sequence[Draft], writer: Cohorts | None = None) -> Iterator[bool]:
    """Hold that each is composed as by itself; give whether it came out of a skeleton."""
    writer = writer or Cohorts(CATALOGUE, TEXTS)
    for number, draft in enumerate(drafts):
        addressing = addressed(number, draft.reader)
        written = writer.write(draft, addressing)
        facts = write_facts(draft, CATALOGUE, TEXTS)
        assert written.raw == compose(facts, addressing).raw
        assert not set(written.given) - {element.id for element in facts.elements}
        assert written.lacking == tuple(
            e.id for e in facts.elements if e.status.value in ("partly_known", "not_yet_known")
        )
        yield any(cohort._skeleton for cohort in writer._cohorts)


@pytest.mark.parametrize("letter", LETTERS, ids=by_name)
def test_every_notice_of_the_catalogue_comes_out_of_a_skeleton_as_it_is_composed(letter: Letter) -> None:
    try:
        draft = draft_of(letter)
    except InvalidInput:
        pytest.skip("it lacks nothing that a supplement could add")
    first = LETTERS.index(letter)
    drafts = [to(draft, number, NAMES[(first + number) % len(NAMES)]) for number in range(SAMPLES + 4)]
    assert list(check_equal(drafts))[-1], "the cohort has no skeleton"


WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=120)


@settings(max_examples=40)
@given(st.lists(st.tuples(WORDS, WORDS, st.dates(date(1990, 1, 1), date(2030, 1, 1))), min_size=4, max_size=8))
def test_whatever_is_typed_into_a_recipients_own_fields(typed: list[tuple[str, str, date]]) -> None:
    letter = draft_of(BREACH)
    drafts = []
    for number, (name, office, signed) in enumerate(typed):
        with suppress(ValueError):  # of some nothing is left once it is clean, so that no notice says it
            draft = to(letter, number, name, office, signed)
            write_facts(draft, CATALOGUE, TEXTS)
            drafts.append(draft)
    list(check_equal(drafts))


@pytest.mark.parametrize(
    ("later", "cohorts_there_are"), [(timedelta(seconds=1), 1), (timedelta(days=1), 2)], ids=["the same day", "another"]
)
def test_what_is_not_the_recipients_own_makes_another_cohort_the_instant_of_a_day_does_not(
    later: timedelta, cohorts_there_are: int
) -> None:
    for letter in LETTERS[:12]:
        draft = draft_of(letter)
        another = replace(draft, noticed_at=draft.noticed_at + later)
        drafts = [to(each, number, NAMES[number % 5]) for number, each in enumerate([draft, another] * 8)]
        writer = Cohorts(CATALOGUE, TEXTS)
        assert list(check_equal(drafts, writer))[-1]
        assert len(writer._cohorts) == cohorts_there_are


def test_what_is_known_by_now_makes_another_cohort() -> None:
    draft = draft_of(BREACH)
    told = replace(draft, facts={**draft.facts, "description": replace(draft.facts["description"], value="Otherwise.")})
    writer = Cohorts(CATALOGUE, TEXTS)
    list(check_equal([to(each, number, "A") for number, each in enumerate([draft, told] * SAMPLES)], writer))
    assert len(writer._cohorts) == 2


def test_only_the_cohorts_that_were_written_to_last_are_kept() -> None:
    draft = draft_of(BREACH)
    writer = Cohorts(CATALOGUE, TEXTS)
    drafts = [replace(draft, case_reference=f"CASE{number:04}") for number in range(REMEMBERED + 1)]
    list(check_equal([to(each, number, "A") for number, each in enumerate(drafts)], writer))
    kept = [cohort.common for cohort in writer._cohorts]
    assert len(kept) == REMEMBERED
    assert "CASE0000" not in kept[-1]
    assert "CASE0001" in kept[-1]


def test_threads_that_write_to_one_cohort_write_as_one_does() -> None:
    letter = draft_of(BREACH)
    drafts = [to(letter, number, NAMES[number % len(NAMES)]) for number in range(40)]
    writer = Cohorts(CATALOGUE, TEXTS)
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda at: writer.write(at[1], addressed(at[0], at[1].reader)), enumerate(drafts)))
    plain = [
        compose(write_facts(draft, CATALOGUE, TEXTS), addressed(number, draft.reader)).raw
        for number, draft in enumerate(drafts)
    ]
    assert [each.raw for each in written] == plain
    assert len(writer._cohorts) == 1
    assert writer._cohorts[0]._skeleton


def test_an_outline_holds_most_of_each_notice_and_nothing_of_a_recipient() -> None:
    writer = Cohorts(CATALOGUE, TEXTS)
    names = [f"District Nonesuch{number}" for number in range(SAMPLES + 1)]
    drafts = [to(draft_of(BREACH), number, name, office="Ms. Nonesuch") for number, name in enumerate(names)]
    written = [writer.write(draft, addressed(number, draft.reader)) for number, draft in enumerate(drafts)]
    outline = written[-1].outline
    assert outline
    own = (b"Nonesuch", b"B-0000", b"office@d", b"counsel@", b".notice@provider.test", b"January 12, 2025", b"/n/000")
    assert not [word for word in own if word in outline]
    assert len(pack(Content(written[-1].raw, "message/rfc822"), outline).packed) < len(written[-1].raw) / 20


BRANCHING = (
    '{% if facts.reader == "A" %}To A alone{% endif %}',
    '{% if "Blue" in facts.reader %}Blue{% endif %}',
    "{% if facts.reader.startswith('A') %}An A{% endif %}",
    "{% if facts.agreement.signed_on.year > 2024 %}Lately{% endif %}",
    "{{ '-' * (facts.reader | length) }}",
    "{% if (facts.reader | upper) is equalto 'A' %}A{% endif %}",
    "{{ facts.reader[:3] }}",
    "{% for letter in facts.reader %}{{ letter }}.{% endfor %}",
)


@pytest.mark.parametrize("words", BRANCHING)
def test_a_template_that_branches_on_a_recipients_fact_has_no_skeleton(
    words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use_template(words, monkeypatch)
    drafts = [to(draft_of(BREACH), number, NAMES[number % 4]) for number in range(8)]
    assert not any(check_equal(drafts))


@pytest.mark.parametrize(
    "words",
    ["{{ facts.reader | upper }}", "{{ facts.reader | wrap(70) }}", "{{ facts.agreement.signed_on | date | title }}"],
)
def test_a_filter_waits_for_the_recipient(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _use_template(words, monkeypatch)
    drafts = [to(draft_of(BREACH), number, NAMES[number % len(NAMES)]) for number in range(12)]
    assert list(check_equal(drafts))[-1]


def test_who_types_the_character_of_a_mark_gets_it_back() -> None:
    draft = draft_of(BREACH)
    of_all = replace(
        draft, facts={**draft.facts, "description": replace(draft.facts["description"], value="\U000f0000")}
    )
    assert not any(check_equal([to(of_all, number, NAMES[number % 4]) for number in range(8)]))
    of_one = [to(draft, number, "\U000f0001 Academy" if number > 4 else "Academy") for number in range(8)]
    assert list(check_equal(of_one))[-1]


def _use_template(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let notices be written by a template of which a line is another."""
    for environments in (SHIPPED.environments, cohorts.waiting(SHIPPED)):
        for suffix, environment in environments.items():
            own = f'{{% extends "base.{suffix}.j2" %}}{{% block opening %}}\n{words}\n{{% endblock %}}'
            assert environment.loader is not None
            loader = ChoiceLoader([DictLoader({f"notice.{suffix}.j2": own}), environment.loader])
            monkeypatch.setattr(environment, "loader", loader)
            monkeypatch.setattr(environment, "cache", {})
