"""Passwords and codes: what signs somebody in, what is done about guessing, and what is kept."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import text
from sqlmodel import select

from config.database import Database
from models.enums import Authentication, Role
from models.errors import InvalidInput, NotAllowed, Refused
from models.tables import Account, EvidenceEntry
from people import passwords
from people.accounts import add_account, disable, find_account
from people.passwords import (
    LOCKED_FOR,
    MOST_FAILURES,
    confirm_codes,
    forget_sign_in,
    locked_unraised,
    mark_raised,
    propose_codes,
    read_own_sign_in,
    remove_codes,
    set_password,
    sign_in_by_password,
)
from people.sessions import SessionRules, SignedInSession, read_session
from people.sign_in import issue_token, redeem_token

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STEP = timedelta(seconds=30)
RULES = SessionRules(timedelta(hours=1), timedelta(hours=12), "key")
PASSWORD, OTHER = "seven green kettles", "a bicycle under water"


REAL = passwords._hashes


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash by the same function at less cost, since these tests hash hundreds of times."""
    monkeypatch.setattr(passwords, "_hashes", PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),)))
    passwords._hash_of_nothing.cache_clear()


def by_link(database: Database, now: datetime = NOON) -> SignedInSession:
    token = issue_token(database, "kim", now, issued_by="dana")
    return session_of(database, redeem_token(database, token, RULES, "", now).token, now)


def session_of(database: Database, token: str, now: datetime = NOON) -> SignedInSession:
    session = read_session(database, token, RULES, now)
    assert session
    return session


def by_password(
    database: Database, password: str = PASSWORD, code: str = "", now: datetime = NOON, name: str = "kim"
) -> SignedInSession:
    return session_of(database, sign_in_by_password(database, name, password, code, RULES, "", now).token, now)


def kinds(database: Database) -> list[str]:
    with database.reading() as session:
        return [entry.kind for entry in session.exec(select(EvidenceEntry).order_by(text("number")))]


@pytest.fixture
def kim(database: Database) -> SignedInSession:
    """Signed in by a link, with a password."""
    add_account(database, "kim", Role.OFFICER, made_by="dana", now=NOON)
    session = by_link(database)
    set_password(database, session, "", PASSWORD, NOON)
    return session


@pytest.fixture
def secret(database: Database, kim: SignedInSession) -> str:
    """The secret of the codes that are asked for beside the password."""
    propose_codes(database, kim)
    made = read_own_sign_in(database, kim.account_id).pending
    assert made
    confirm_codes(database, kim, code(made, NOON), NOON)
    return made


def code(secret: str, at: datetime) -> str:
    return pyotp.TOTP(secret).at(at)


def test_a_password_signs_in_and_says_so(database: Database, kim: SignedInSession) -> None:
    session = by_password(database, name="KIM")
    assert (session.actor, session.authenticated) == ("kim", Authentication.PASSWORD)


@pytest.mark.parametrize(("name", "password"), [("kim", OTHER), ("kim", ""), ("nobody", PASSWORD), ("", "")])
def test_anything_else_is_refused_in_the_same_words(
    database: Database, kim: SignedInSession, name: str, password: str
) -> None:
    with pytest.raises(NotAllowed, match="the name, the password or the code is wrong"):
        by_password(database, password, name=name)


def test_an_account_without_a_password_takes_none(database: Database) -> None:
    add_account(database, "kim", Role.OFFICER, made_by="dana", now=NOON)
    for tried in ("", "no account has this password"):
        with pytest.raises(NotAllowed):
            by_password(database, tried)


def test_a_disabled_account_takes_none(database: Database, kim: SignedInSession) -> None:
    disable(database, "kim", actor="dana", now=NOON)
    with pytest.raises(NotAllowed):
        by_password(database)


@pytest.mark.parametrize(
    "simple",
    [
        "too short",
        "x" * 201,
        "abababababababab",
        "passwordpassword",  # what many people take
        "qwertyuiopasdfgh",
        "iloveyou12345678",
        "1qaz2wsx3edc4rfv",
        "123456789012345",
        "x" * 200,
        "kim kim kim kim kim",
        "example-learning-inc-2026",
        "DueNotice is what I use",
    ],
)
def test_a_password_that_is_guessed_easily_is_refused(database: Database, kim: SignedInSession, simple: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        set_password(database, kim, "", simple, NOON, organisation="Example Learning, Inc.")
    assert caught.value.where == "new"
    by_password(database)


def test_why_a_password_is_guessed_easily_is_said(database: Database, kim: SignedInSession) -> None:
    with pytest.raises(InvalidInput, match=r"too easy to guess\. This is a very common password"):
        set_password(database, kim, "", "1qaz2wsx3edc4rfv", NOON)
    with pytest.raises(InvalidInput, match="it holds your name"):
        set_password(database, kim, "", "kim kim kim kim kim", NOON)


def test_a_name_without_letters_makes_no_password_easy(database: Database, kim: SignedInSession) -> None:
    set_password(database, kim, PASSWORD, OTHER, NOON, organisation="* * *")
    by_password(database, OTHER)


def test_neither_password_nor_secret_can_be_read_from_the_database(database: Database, secret: str) -> None:
    with database.reading() as session:
        raw = session.connection().execute(text("SELECT password_hash, totp_secret FROM account")).one()
        assert find_account(session, "kim").password_hash != PASSWORD
    for kept in raw:
        assert not any(plain in bytes(kept) for plain in (PASSWORD.encode(), secret.encode(), b"argon2id"))


def test_a_new_password_takes_the_old_one_and_ends_other_sessions(database: Database, kim: SignedInSession) -> None:
    begun = sign_in_by_password(database, "kim", PASSWORD, "", RULES, "", NOON)
    unused = issue_token(database, "kim", NOON, issued_by="dana")
    here = by_password(database)
    with pytest.raises(InvalidInput, match="not your present password"):
        set_password(database, here, OTHER, OTHER, NOON)
    set_password(database, here, PASSWORD, OTHER, NOON)
    assert read_session(database, begun.token, RULES, NOON) is None
    with pytest.raises(NotAllowed):
        redeem_token(database, unused, RULES, "", NOON)
    with pytest.raises(NotAllowed):
        by_password(database, PASSWORD)
    by_password(database, OTHER)


class TestCodes:
    def test_they_are_asked_for_beside_the_password(self, database: Database, secret: str) -> None:
        later = NOON + 10 * STEP
        for wrong in ("", "000000", code(secret, NOON), code(secret, later + 2 * STEP)):
            with pytest.raises(NotAllowed):
                by_password(database, code=wrong, now=later)
        with pytest.raises(NotAllowed):
            by_password(database, OTHER, code(secret, later), later)

    @pytest.mark.parametrize("off", [-STEP, timedelta(), STEP])
    def test_one_is_good_a_step_early_and_a_step_late(self, database: Database, secret: str, off: timedelta) -> None:
        later = NOON + 10 * STEP
        session = by_password(database, code=code(secret, later + off), now=later)
        assert session.authenticated is Authentication.PASSWORD_AND_TOTP

    def test_one_is_good_once(self, database: Database, secret: str) -> None:
        later = NOON + 10 * STEP
        by_password(database, code=code(secret, later), now=later)
        for again in (code(secret, later), code(secret, later - STEP)):
            with pytest.raises(NotAllowed):
                by_password(database, code=again, now=later)

    def test_they_count_only_once_the_first_was_typed(self, database: Database, kim: SignedInSession) -> None:
        propose_codes(database, kim)
        by_password(database)
        with pytest.raises(InvalidInput):
            confirm_codes(database, kim, "000000", NOON)
        by_password(database)

    def test_setting_them_up_and_removing_them_ends_other_sessions(
        self, database: Database, kim: SignedInSession
    ) -> None:
        def is_signed_in(token: str, now: datetime) -> bool:
            return read_session(database, token, RULES, now) is not None

        elsewhere = sign_in_by_password(database, "kim", PASSWORD, "", RULES, "", NOON).token
        propose_codes(database, kim)
        secret = read_own_sign_in(database, kim.account_id).pending
        assert secret
        assert is_signed_in(elsewhere, NOON)
        confirm_codes(database, kim, code(secret, NOON), NOON)
        assert not is_signed_in(elsewhere, NOON)
        later, last = NOON + 10 * STEP, NOON + 20 * STEP
        elsewhere = sign_in_by_password(database, "kim", PASSWORD, code(secret, later), RULES, "", later).token
        remove_codes(database, kim, code(secret, last), last)
        assert not is_signed_in(elsewhere, last)

    def test_they_need_a_password(self, database: Database) -> None:
        add_account(database, "kim", Role.OFFICER, made_by="dana", now=NOON)
        with pytest.raises(Refused, match="beside a password"):
            propose_codes(database, by_link(database))

    def test_they_are_removed_on_the_word_of_one_which_cannot_be_guessed(
        self, database: Database, kim: SignedInSession, secret: str
    ) -> None:
        later = NOON + 10 * STEP
        for _ in range(MOST_FAILURES):
            with pytest.raises(InvalidInput):
                remove_codes(database, kim, "000000", later)
        with pytest.raises(NotAllowed, match="locked"):
            remove_codes(database, kim, code(secret, later), later)
        later += LOCKED_FOR
        remove_codes(database, kim, code(secret, later), later)
        by_password(database, now=later)


class TestGuessing:
    def guess(self, database: Database, now: datetime = NOON) -> None:
        with pytest.raises(NotAllowed):
            by_password(database, OTHER, now=now)

    def test_five_wrong_tries_lock_the_account_for_a_quarter_of_an_hour(
        self, database: Database, kim: SignedInSession
    ) -> None:
        for _ in range(MOST_FAILURES):
            self.guess(database)
        with pytest.raises(NotAllowed):
            by_password(database, now=NOON + LOCKED_FOR - timedelta(seconds=1))
        by_password(database, now=NOON + LOCKED_FOR)

    def test_a_right_one_in_between_begins_the_count_anew(self, database: Database, kim: SignedInSession) -> None:
        for _ in range(2):
            for _ in range(MOST_FAILURES - 1):
                self.guess(database)
            by_password(database)

    def test_a_link_still_signs_in_so_nobody_can_shut_another_out(
        self, database: Database, kim: SignedInSession
    ) -> None:
        for _ in range(MOST_FAILURES):
            self.guess(database)
        by_link(database)

    def test_the_tries_are_evidence_and_those_against_a_lock_fill_nothing(
        self, database: Database, kim: SignedInSession
    ) -> None:
        before = len(kinds(database))
        for _ in range(3 * MOST_FAILURES):
            self.guess(database)
        assert kinds(database)[before:] == ["sign_in_refused"] * MOST_FAILURES + ["account_locked"]

    def test_tries_at_the_same_time_are_all_counted(self, database: Database, kim: SignedInSession) -> None:
        tries = [threading.Thread(target=self.guess, args=(database,)) for _ in range(MOST_FAILURES)]
        for one in tries:
            one.start()
        for one in tries:
            one.join()
        with database.reading() as session:
            assert session.exec(select(Account.locked_until)).one() == NOON + LOCKED_FOR

    def test_a_lock_is_told_of_once(self, database: Database, kim: SignedInSession) -> None:
        assert locked_unraised(database) == ()
        for _ in range(MOST_FAILURES):
            self.guess(database)
        assert locked_unraised(database) == (("kim", NOON + LOCKED_FOR),)
        mark_raised(database, ("kim",), NOON)
        assert locked_unraised(database) == ()
        for _ in range(MOST_FAILURES):
            self.guess(database, NOON + LOCKED_FOR)
        assert locked_unraised(database) == (("kim", NOON + 2 * LOCKED_FOR),)


def test_what_was_forgotten_begins_anew_with_a_link(database: Database, kim: SignedInSession, secret: str) -> None:
    forget_sign_in(database, "kim", actor="dana", now=NOON)
    with pytest.raises(NotAllowed):
        by_password(database)
    own = read_own_sign_in(database, kim.account_id)
    assert (own.has_password, own.has_codes) == (False, False)
    set_password(database, by_link(database), "", OTHER, NOON)
    by_password(database, OTHER)
    assert kinds(database).count("sign_in_forgotten") == 1


def test_a_hash_is_argon2id_at_the_cost_that_its_authors_recommend() -> None:
    """RFC 9106, 4: the second recommended option, for where memory is short: 64 MiB, three passes, four lanes."""
    assert REAL.hash(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")
