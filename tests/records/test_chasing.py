"""A district's own installation: it chases the disposal that its provider owes it, and owes nothing of it itself."""

from __future__ import annotations

from datetime import date, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader
from sqlmodel import select

from agreements.legal_holds import lift_legal_hold, place_legal_hold
from cases.acts import ConfirmDone
from cases.disposition import Extend, Restored
from cases.values import AgreementName, KeptFile, KeptText
from config.database import Database
from models.enums import DutyStatus, HolderMail, HolderStatus, Party, Verdict
from models.errors import Refused
from models.tables import CaseDocument, Confirmation, Duty, Notice
from tests.support.directives import HOSTING, ILLINOIS, REQUEST, DirectiveInSql, certificate, open_directive, text_of

SUPERINTENDENT = {"name": "Alex Example", "email": "superintendent@district.example.org"}
PROVIDER = "provider"
"""What acts call the party that owes the disposal; its mail goes to its contact, ``Office``."""
DAY = timedelta(days=1)


def text(says: str) -> KeptText:
    return KeptText.model_validate(says)


def directed(database: Database, *subprocessors: str, **changed: Any) -> DirectiveInSql:
    return open_directive(database, *subprocessors, side=Party.LEA, representative=SUPERINTENDENT, **changed)


def attached(raw: bytes) -> dict[str | None, bytes]:
    message = message_from_bytes(raw, policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    return {part.get_filename(): part.get_content() for part in message.iter_attachments()}


def test_the_provider_is_sent_the_directive_at_once_and_its_word_performs_its_own_duty(database: Database) -> None:
    case = directed(database)
    (letter,) = case.write()
    assert (letter.why, letter.to.name) == (HolderMail.DIRECTED, "Office")
    duty = case.duty(REQUEST)
    assert (duty.owed_by, duty.owed_to, duty.status) == (Party.PROVIDER, Party.LEA, DutyStatus.RUNNING)
    case.answer(PROVIDER)
    duty = case.duty(REQUEST)
    assert (duty.status, duty.verdict) == (DutyStatus.PERFORMED, Verdict.ON_TIME)
    with database.reading() as session:
        (word,) = session.exec(select(Confirmation))
        assert word.recorded_by == "holder", "the provider's own word by its link"
        assert session.exec(select(CaseDocument)).all() == [], "we certify nothing in its place"


def test_nothing_is_recorded_as_owed_by_the_district(database: Database) -> None:
    case = directed(database, HOSTING)
    case.now += 400 * DAY
    case.compute()
    with database.reading() as session:
        assert {duty.owed_by for duty in session.exec(select(Duty))} == {Party.PROVIDER}
        assert session.exec(select(Notice)).all() == []
    assert case.duty(REQUEST).status is DutyStatus.RUNNING, "time performs nothing"
    case.raise_overdue()
    assert case.duty(REQUEST).escalated_at == case.now


def test_the_directive_is_a_letter_that_encloses_what_was_signed(database: Database) -> None:
    signed = b"%PDF-1.7 signed"
    case = directed(database, signed_file=KeptFile.model_validate(signed), instructions="Logs too.")
    (letter,) = case.write()
    files = attached(letter.raw)
    assert signed in files.values()
    (name,) = (name for name in files if name and name.startswith("directive-"))
    says = " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(files[name])).pages).split())
    for words in (
        f"District {ILLINOIS.reference}",
        "Office",
        "Logs too.",
        "Alex Example",
        "Complete".lower(),
        "Article",
    ):
        assert words in says
    assert "has directed you to dispose" in text_of(letter)


def test_the_subprocessors_as_far_as_named_are_asked_too_and_come_first(database: Database) -> None:
    case = directed(database, HOSTING)
    letters = {letter.holder: letter for letter in case.write()}
    assert {name: letter.why for name, letter in letters.items()} == {
        HOSTING: HolderMail.ASKED,
        "Office": HolderMail.DIRECTED,
    }
    assert "has directed Office to dispose" in text_of(letters[HOSTING])
    with pytest.raises(Refused, match="did not confirm yet"):
        case.answer(PROVIDER)
    case.answer(HOSTING)
    assert case.duty(REQUEST).status is DutyStatus.RUNNING
    assert case.written() == {"Office": HolderMail.ASKED}
    case.answer(PROVIDER)
    assert case.duty(REQUEST).status is DutyStatus.PERFORMED


def test_the_provider_is_reminded_by_the_ladder_and_told_whom_we_miss_without_our_own_pages(database: Database) -> None:
    case = directed(database, HOSTING)
    case.write()
    reminded = []
    while moments := [task.again_at for task in case.tasks().values() if task.again_at]:
        case.now = min(moments)
        for letter in case.write():
            if letter.holder == "Office":
                reminded.append(letter.why)
                assert HOSTING in text_of(letter)
                assert "/cases/" not in text_of(letter)
    assert reminded == [HolderMail.OTHERS_MISSING] * 5


def test_another_day_a_hold_and_its_end_are_told_to_the_provider(database: Database) -> None:
    case = directed(database, HOSTING, schedule="by-date", directed=date(2026, 6, 20))
    case.write()
    case.act(Extend(directed=date(2026, 7, 10), agreed_by=text("Alex Example."), reason=text("Their systems move.")))
    assert case.written() == {HOSTING: HolderMail.MOVED, "Office": HolderMail.MOVED}
    hold, _ = place_legal_hold(database, agreement=None, reason="A suit.", actor="counsel", now=case.now)
    case.compute()
    assert case.written() == {HOSTING: HolderMail.STOPPED, "Office": HolderMail.STOPPED}
    lift_legal_hold(database, hold, reason="Settled.", actor="counsel", now=case.now)
    case.compute()
    assert case.written() == {HOSTING: HolderMail.RESUMED, "Office": HolderMail.RESUMED}


def test_what_the_district_heard_on_the_telephone_is_recorded_as_that(database: Database) -> None:
    case = directed(database)
    case.write()
    agreement = AgreementName.model_validate(ILLINOIS.reference)
    case.act(ConfirmDone(clause=REQUEST, agreement=agreement, particulars=text("Kim of the office said so.")))
    assert case.duty(REQUEST).status is DutyStatus.PERFORMED
    with database.reading() as session:
        assert session.exec(select(Confirmation)).one().recorded_by == "officer"


def test_backups_and_a_restore_keep_the_chase_open(database: Database) -> None:
    case = directed(database)
    case.write()
    case.answer(PROVIDER, certificate(case.now.date(), backups="Tapes", backups_expire_on=date(2026, 8, 1)))
    assert case.statuses()["disposition.backups"] is DutyStatus.RUNNING
    case.now += DAY
    case.act(Restored(holder=PROVIDER, restored_at=case.now, particulars=text("They read a tape back.")))
    assert case.status(PROVIDER) is HolderStatus.OPEN
    assert case.duty("disposition.restored").owed_by is Party.PROVIDER
    assert case.written() == {"Office": HolderMail.ASKED}
