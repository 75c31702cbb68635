"""Passkeys: what signs somebody in, and what is refused however it was signed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlmodel import select

from config.database import Database
from models.enums import Authentication, ChallengePurpose, Role
from models.errors import InvalidInput, NotAllowed, NotFound, Refused
from models.tables import EvidenceEntry
from records.accounts import add_account, disable, list_accounts
from records.challenges import CHALLENGE_LIFETIME, Challenge, begin_challenge, take_challenge
from records.passkeys import (
    RelyingParty,
    add_passkey,
    list_passkeys,
    options_to_add,
    options_to_sign_in,
    remove_passkey,
    sign_in_by_passkey,
)
from records.passwords import forget_sign_in
from records.sessions import FRESH, SessionRules, SignedInSession, read_session
from records.sign_in import issue_token, redeem_token
from tests.support.authenticator import Authenticator

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = SessionRules(timedelta(hours=1), timedelta(hours=12), "key")
PARTY = RelyingParty("notices.example.org", "https://notices.example.org")


def device() -> Authenticator:
    return Authenticator(PARTY.origin, PARTY.id)


def by_link(database: Database) -> SignedInSession:
    token = issue_token(database, "kim", NOON, issued_by="dana")
    session = read_session(database, redeem_token(database, token, RULES, "", NOON).token, RULES, NOON)
    assert session
    return session


def challenge_for(database: Database, purpose: ChallengePurpose, who: SignedInSession | None = None) -> Challenge:
    """A challenge that a browser was given, as it comes back from it."""
    account_id = who.account_id if who else None
    given = begin_challenge(database, purpose, NOON, account_id=account_id)
    return take_challenge(database, given.secret, purpose, NOON, account_id=account_id)


def add(database: Database, who: SignedInSession, key: Authenticator, name: str = "laptop") -> None:
    challenge = challenge_for(database, ChallengePurpose.ADD_PASSKEY, who)
    made = key.make(json.loads(options_to_add(database, who, PARTY, challenge)))
    add_passkey(database, who, PARTY, challenge, made, name, NOON)


def sign_in(database: Database, key: Authenticator, challenge: Challenge | None = None) -> SignedInSession:
    challenge = challenge or challenge_for(database, ChallengePurpose.PASSKEY)
    signed = key.sign(json.loads(options_to_sign_in(PARTY, challenge)))
    begun = sign_in_by_passkey(database, PARTY, challenge, signed, RULES, "", NOON)
    session = read_session(database, begun.token, RULES, NOON)
    assert session
    return session


def evidence(database: Database, kind: str) -> list[EvidenceEntry]:
    with database.reading() as session:
        return list(session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == kind).order_by(text("number"))))


@pytest.fixture
def kim(database: Database) -> SignedInSession:
    add_account(database, "kim", Role.OFFICER, made_by="dana", now=NOON)
    return by_link(database)


@pytest.fixture
def key(database: Database, kim: SignedInSession) -> Authenticator:
    """A device that holds a passkey of kim's."""
    made = device()
    add(database, kim, made)
    return made


def test_a_passkey_signs_in_without_a_name_and_evidence_says_which(database: Database, key: Authenticator) -> None:
    session = sign_in(database, key)
    assert (session.actor, session.authenticated) == ("kim", Authentication.PASSKEY)
    (passkey,) = list_passkeys(database, session.account_id)
    assert (passkey.name, passkey.used_at) == ("laptop", NOON)
    (added,) = evidence(database, "passkey_added")
    assert (added.actor, added.body) == ("kim", {"passkey_id": str(passkey.id)})
    assert evidence(database, "signed_in")[-1].body["passkey_id"] == str(passkey.id)
    assert list_accounts(database)[0].signs_in_by == "passkey"


def test_the_browser_is_asked_for_a_discoverable_one_that_verifies_its_user(
    database: Database, kim: SignedInSession, key: Authenticator
) -> None:
    challenge = Challenge("secret", "/")
    adding, asking = options_to_add(database, kim, PARTY, challenge), options_to_sign_in(PARTY, challenge)
    selection = json.loads(adding)["authenticatorSelection"]
    assert (selection["residentKey"], selection["userVerification"]) == ("required", "required")
    assert len(json.loads(adding)["excludeCredentials"]) == 1
    assert json.loads(asking)["userVerification"] == "required"
    assert json.loads(asking)["allowCredentials"] == []


class TestAChallenge:
    def test_it_is_answered_once(self, database: Database, key: Authenticator) -> None:
        given = begin_challenge(database, ChallengePurpose.PASSKEY, NOON)
        taken = take_challenge(database, given.secret, ChallengePurpose.PASSKEY, NOON)
        sign_in(database, key, taken)
        with pytest.raises(NotAllowed, match="was finished before"):
            take_challenge(database, given.secret, ChallengePurpose.PASSKEY, NOON)

    def test_an_answer_to_an_earlier_one_is_refused(self, database: Database, key: Authenticator) -> None:
        earlier, challenge = (challenge_for(database, ChallengePurpose.PASSKEY) for _ in range(2))
        replayed = key.sign(json.loads(options_to_sign_in(PARTY, earlier)))
        with pytest.raises(NotAllowed, match="does not sign you in"):
            sign_in_by_passkey(database, PARTY, challenge, replayed, RULES, "", NOON)
        assert [entry.body["reason"] for entry in evidence(database, "sign_in_refused")] == ["passkey"]

    @pytest.mark.parametrize("late", [CHALLENGE_LIFETIME, CHALLENGE_LIFETIME - timedelta(seconds=1)])
    def test_it_is_good_for_five_minutes(self, database: Database, late: timedelta) -> None:
        given = begin_challenge(database, ChallengePurpose.PASSKEY, NOON)
        if late < CHALLENGE_LIFETIME:
            take_challenge(database, given.secret, ChallengePurpose.PASSKEY, NOON + late)
        else:
            with pytest.raises(NotAllowed, match="too long ago"):
                take_challenge(database, given.secret, ChallengePurpose.PASSKEY, NOON + late)

    def test_one_for_something_else_or_somebody_else_is_none(self, database: Database, kim: SignedInSession) -> None:
        for purpose, account_id in (
            (ChallengePurpose.OPENID_CONNECT, None),
            (ChallengePurpose.ADD_PASSKEY, kim.account_id),
        ):
            given = begin_challenge(database, purpose, NOON, account_id=account_id)
            with pytest.raises(NotAllowed):
                take_challenge(database, given.secret, ChallengePurpose.PASSKEY, NOON)

    def test_what_is_kept_of_it_answers_nothing(self, database: Database) -> None:
        given = begin_challenge(database, ChallengePurpose.PASSKEY, NOON)
        with database.reading() as session:
            kept = session.connection().execute(text("SELECT * FROM sign_in_challenge")).one()
        assert given.secret not in str(kept)
        assert given.draw_text("passkey") not in str(kept)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda key: setattr(key, "origin", "https://notices.example.org.evil.test"),
        lambda key: setattr(key, "origin", "http://notices.example.org"),
        lambda key: setattr(key, "rp_id", "evil.test"),
        lambda key: setattr(key, "verifies", False),
        lambda key: setattr(key, "key", device().key),
        lambda key: setattr(key, "id", b"unknown"),
        lambda key: setattr(key, "user", "AAAA"),
    ],
    ids=["another site", "without tls", "another party", "user not verified", "another key", "unknown", "another user"],
)
def test_an_answer_that_is_wrong_in_one_respect_signs_nobody_in(
    database: Database, key: Authenticator, wrong: Callable[[Authenticator], None]
) -> None:
    sign_in(database, key)
    wrong(key)
    with pytest.raises(NotAllowed, match="This passkey does not sign you in"):
        sign_in(database, key)


@pytest.mark.parametrize("nonsense", ["", "{}", "[]", "\0", '{"id":"a","rawId":"a","type":"public-key","response":{}}'])
def test_what_is_no_answer_is_refused(database: Database, kim: SignedInSession, nonsense: str) -> None:
    with pytest.raises(NotAllowed):
        sign_in_by_passkey(
            database, PARTY, challenge_for(database, ChallengePurpose.PASSKEY), nonsense, RULES, "", NOON
        )
    with pytest.raises(InvalidInput, match="no passkey that this site can take"):
        add_passkey(database, kim, PARTY, Challenge("secret", "/"), nonsense, "laptop", NOON)


def test_a_counter_that_does_not_rise_means_that_it_was_copied(database: Database, key: Authenticator) -> None:
    sign_in(database, key)
    key.count -= 1
    with pytest.raises(NotAllowed):
        sign_in(database, key)
    assert evidence(database, "sign_in_refused")[-1].body["reason"] == "passkey_copied"
    sign_in(database, key)


def test_one_that_does_not_count_signs_in_again_and_again(database: Database, key: Authenticator) -> None:
    for _ in range(2):
        key.count = -1
        sign_in(database, key)


def test_a_disabled_account_stays_out(database: Database, key: Authenticator) -> None:
    disable(database, "kim", actor="dana", now=NOON)
    with pytest.raises(NotAllowed):
        sign_in(database, key)
    assert evidence(database, "sign_in_refused")[-1].body["reason"] == "disabled"


def test_one_that_was_removed_or_forgotten_signs_nobody_in(
    database: Database, kim: SignedInSession, key: Authenticator
) -> None:
    elsewhere = sign_in(database, key)
    (passkey,) = list_passkeys(database, kim.account_id)
    with pytest.raises(NotFound):
        remove_passkey(database, elsewhere, elsewhere.id, NOON)
    remove_passkey(database, kim, passkey.id, NOON)
    assert len(evidence(database, "passkey_removed")) == 1
    with pytest.raises(NotAllowed):
        sign_in(database, key)
    other = device()
    add(database, kim, other)
    forget_sign_in(database, "kim", actor="dana", now=NOON)
    with pytest.raises(NotAllowed):
        sign_in(database, other)


def test_one_is_kept_once_under_a_name(database: Database, kim: SignedInSession, key: Authenticator) -> None:
    with pytest.raises(Refused, match="kept already"):
        add(database, kim, key)
    for name in ("", " ", "x" * 101):
        with pytest.raises(InvalidInput):
            add(database, kim, device(), name)


def test_a_browser_left_open_is_not_enough_to_add_or_remove_one(
    database: Database, kim: SignedInSession, key: Authenticator
) -> None:
    (passkey,) = list_passkeys(database, kim.account_id)
    later = NOON + FRESH + timedelta(seconds=1)
    with pytest.raises(NotAllowed, match="last 15 minutes"):
        remove_passkey(database, kim, passkey.id, later)
    with pytest.raises(NotAllowed, match="last 15 minutes"):
        add_passkey(database, kim, PARTY, Challenge("secret", "/"), "", "laptop", later)


@pytest.mark.parametrize(
    ("address", "party"),
    [
        ("https://Notices.example.org", PARTY),
        ("https://notices.example.org:443", PARTY),
        ("https://notices.example.org:8443", RelyingParty("notices.example.org", "https://notices.example.org:8443")),
        ("http://127.0.0.1:8700", RelyingParty("localhost", "http://localhost:8700")),
        ("http://localhost", RelyingParty("localhost", "http://localhost")),
        ("http://notices.example.org", None),
        ("https://192.0.2.1", None),
    ],
)
def test_the_site_is_known_by_its_public_address(address: str, party: RelyingParty | None) -> None:
    assert RelyingParty.at(address) == party
