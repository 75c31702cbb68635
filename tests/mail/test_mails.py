"""Every mail that is no notice, written from sample facts and read: golden, one for each way that its facts may lie.

``UPDATE_GOLDEN=1 pytest tests/mail`` writes them anew; read the difference before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.settings import Settings
from mail.compose import render_letter
from mail.facts import LetterFacts, MailFacts
from mail.people_mails import PeopleFacts
from mail.plain import PlainFacts, alert_by, render_by
from mail.required import lost_by, required_of_letter, required_of_mail
from mail.samples import MAILS, samples_of
from mail.templates import SHIPPED, shipped_names
from models.enums import HolderMail
from starter.writing import sender_of

GOLDEN = Path(__file__).parent / "golden_mails"
SENDER = sender_of(Settings().organisation)
SAMPLES = [
    pytest.param(facts, f"{template.replace('/', '_')}_{number}", id=f"{template}-{number}")
    for template in MAILS
    for number, facts in enumerate(samples_of(template, SENDER), 1)
]


def written(facts: MailFacts) -> tuple[str, str]:
    if isinstance(facts, LetterFacts):
        return render_letter(facts, SHIPPED.environments)[:2]
    assert isinstance(facts, PlainFacts)
    return render_by(facts, SHIPPED)


@pytest.mark.parametrize(("facts", "name"), SAMPLES)
def test_the_words_of_each_mail_are_those_that_were_read_and_approved(facts: MailFacts, name: str) -> None:
    says = "{}\n\n{}".format(*written(facts))
    if isinstance(facts, PeopleFacts):
        says += f"\n[alert] {alert_by(facts, facts.page, SHIPPED, mailed=True)}\n"
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(says, encoding="utf-8")
    assert says == file.read_text(encoding="utf-8")


def test_every_golden_mail_is_one_that_is_sent() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == {parameter.values[1] for parameter in SAMPLES}


@pytest.mark.parametrize(("facts", "name"), SAMPLES)
def test_each_says_what_its_sort_requires(facts: MailFacts, name: str) -> None:
    if isinstance(facts, LetterFacts):
        assert lost_by(render_letter(facts, SHIPPED.environments), required_of_letter(facts)) == []
    else:
        assert lost_by(written(facts), required_of_mail(facts)) == []


def test_every_message_to_a_holder_of_data_is_among_them() -> None:
    assert {f"holders/{mail.value}" for mail in HolderMail} == {name for name in MAILS if name.startswith("holders/")}


def test_every_template_of_plain_text_is_one_of_a_mail() -> None:
    shared = {"frame", "alert", "words"}
    files = {name.removesuffix(".j2") for name in shipped_names() if name.startswith(("people/", "holders/"))}
    assert {name for name in files if name.rpartition("/")[2] not in shared} <= set(MAILS)


@pytest.mark.parametrize(("facts", "name"), SAMPLES)
def test_an_alert_gets_no_fact_but_those_that_may_leave_by_other_ways(facts: MailFacts, name: str) -> None:
    if isinstance(facts, PeopleFacts):
        alert = alert_by(facts, facts.page, SHIPPED, mailed=False)
        for named in ("Example Valley", "Example Hosting", "robin", "550"):
            assert named not in alert
        assert alert.endswith(f"No mail about it is known to have arrived. {facts.page}")
