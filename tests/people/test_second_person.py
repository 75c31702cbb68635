"""Two pairs of eyes are two accounts of two people: none of them had a hand in the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from config.database import Database
from models.enums import Authentication, Role
from models.errors import NotAllowed
from models.tables import OpenIdIdentity, Passkey
from people.accounts import BY_THEIR_OWN, add_account, change_role, check_second_person, disable, find_account
from people.sessions import SessionRules
from people.sign_in import issue_token, redeem_token
from records.responsible import second_persons

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = SessionRules(timedelta(hours=1), timedelta(hours=12), "key")


def person(
    database: Database, name: str, role: Role = Role.OFFICER, *, made_by: str = "cli:ops", link_by: str | None = None
) -> str:
    add_account(database, name, role, made_by=made_by, now=NOON)
    if link_by:
        sign_in(database, name, link_by)
    return name


def sign_in(database: Database, name: str, link_by: str) -> None:
    redeem_token(database, issue_token(database, name, NOON, issued_by=link_by), RULES, "", NOON)


def refused(
    database: Database, first: str, second: str, by: Authentication | None = Authentication.ONE_TIME_LINK
) -> str:
    with database.reading() as session, pytest.raises(NotAllowed) as caught:
        check_second_person(session, first, second, by)
    return caught.value.message


def allowed(
    database: Database, first: str, second: str, by: Authentication | None = Authentication.ONE_TIME_LINK
) -> None:
    with database.reading() as session:
        check_second_person(session, first, second, by)


def test_two_officers_whom_others_introduced_are_two_people(database: Database) -> None:
    person(database, "robin", link_by="dana")
    person(database, "kim", link_by="lee")
    allowed(database, "robin", "kim")
    allowed(database, "kim", "robin")


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMINISTRATOR])
def test_a_role_that_does_not_approve_is_no_second_person(database: Database, role: Role) -> None:
    person(database, "robin")
    person(database, "dana", Role.ADMINISTRATOR)
    person(database, "kim", role, link_by="lee")
    assert "Approving takes the account" in refused(database, "robin", "kim")
    change_role(database, "kim", Role.APPROVER, actor="lee", now=NOON)
    allowed(database, "robin", "kim")


def test_neither_a_command_nor_a_disabled_account_is_a_second_person(database: Database) -> None:
    person(database, "robin")
    assert "Approving takes the account" in refused(database, "robin", "cli:kim")
    disable(database, person(database, "kim"), actor="lee", now=NOON)
    assert "Approving takes the account" in refused(database, "robin", "kim")


def test_an_account_that_the_other_made_does_not_count_in_either_direction(database: Database) -> None:
    person(database, "robin")
    person(database, "kim", made_by="robin")
    assert "made or signed in" in refused(database, "robin", "kim")
    assert "made or signed in" in refused(database, "kim", "robin")
    assert "made or signed in" in refused(database, "robin", "robin")


def test_an_account_that_the_other_signed_in_by_a_link_does_not_count(database: Database) -> None:
    person(database, "robin", link_by="dana")
    person(database, "kim", link_by="lee")
    sign_in(database, "kim", "robin")
    assert "made or signed in" in refused(database, "robin", "kim")
    assert "made or signed in" in refused(database, "kim", "robin")


def test_a_link_that_nobody_used_signs_nobody_in(database: Database) -> None:
    person(database, "robin", link_by="dana")
    person(database, "kim", link_by="lee")
    issue_token(database, "kim", NOON, issued_by="robin")
    allowed(database, "robin", "kim")


def test_what_a_command_proposed_is_not_approved_by_an_account_that_its_user_introduced(database: Database) -> None:
    person(database, "kim", link_by="cli:ops")
    assert "made or signed in" in refused(database, "cli:ops", "kim")
    person(database, "sam", made_by="lee", link_by="lee")
    allowed(database, "cli:ops", "sam")


def test_two_links_of_one_hand_are_one_person(database: Database) -> None:
    """The fault that was seen: one person at a terminal made a link for each of two names."""
    person(database, "robin", link_by="cli:ops")
    person(database, "kim", link_by="cli:ops")
    assert "may be one person" in refused(database, "robin", "kim")
    for by in Authentication:
        assert "may be one person" in refused(database, "robin", "kim", by)


@pytest.mark.parametrize("by", sorted(BY_THEIR_OWN))
def test_what_is_their_own_tells_two_apart_whom_one_administrator_introduced(
    database: Database, by: Authentication
) -> None:
    person(database, "robin", made_by="dana", link_by="dana")
    person(database, "kim", made_by="dana", link_by="dana")
    assert "may be one person" in refused(database, "robin", "kim")
    allowed(database, "robin", "kim", by)
    person(database, "sam", made_by="robin", link_by="dana")
    assert "made or signed in" in refused(database, "robin", "sam", by)


def bind(database: Database, *names: str, issuer: str = "https://one.test") -> None:
    """Have an identity of its own at a provider sign each account in."""
    with database.writing() as session:
        for name in names:
            account_id = find_account(session, name).id
            session.add(OpenIdIdentity(digest=name, account_id=account_id, issuer=issuer, bound_at=NOON))


def test_two_identities_at_a_provider_are_two_people_whoever_made_their_accounts(database: Database) -> None:
    person(database, "robin", made_by="cli:ops")
    person(database, "kim", made_by="cli:ops")
    bind(database, "robin", "kim")
    allowed(database, "robin", "kim", Authentication.OPENID_CONNECT)


def test_an_identity_is_no_second_person_beside_who_chose_its_address_and_acts_through_a_link(
    database: Database,
) -> None:
    person(database, "robin", link_by="cli:ops")
    person(database, "kim", made_by="cli:ops")
    bind(database, "kim")
    assert "may be one person" in refused(database, "robin", "kim", Authentication.OPENID_CONNECT)
    bind(database, "robin")
    assert "may be one person" in refused(database, "robin", "kim", Authentication.OPENID_CONNECT)
    assert "made or signed in" in refused(database, "cli:ops", "kim", Authentication.OPENID_CONNECT)


def test_an_identity_whose_account_the_other_made_does_not_count(database: Database) -> None:
    person(database, "robin", made_by="dana")
    person(database, "kim", made_by="robin")
    bind(database, "robin", "kim")
    for first, second in (("robin", "kim"), ("kim", "robin")):
        assert "made or signed in" in refused(database, first, second, Authentication.OPENID_CONNECT)


def test_one_person_can_have_an_identity_at_each_of_two_providers(database: Database) -> None:
    person(database, "robin", made_by="cli:ops")
    person(database, "kim", made_by="cli:ops")
    bind(database, "robin", issuer="https://former.test")
    bind(database, "kim")
    assert "may be one person" in refused(database, "robin", "kim", Authentication.OPENID_CONNECT)


def test_who_signs_in_by_something_of_their_own_is_a_second_person_to_be_told(database: Database) -> None:
    person(database, "dana", Role.ADMINISTRATOR)
    person(database, "robin", made_by="dana", link_by="dana")
    for name in ("kim", "sam", "lee"):
        person(database, name, made_by="dana", link_by="dana")
    with database.writing() as session:
        kim = find_account(session, "kim")
        session.add(
            Passkey(
                id=uuid4(),
                account_id=kim.id,
                credential_id="c",
                public_key=b"k",
                sign_count=0,
                name="Laptop",
                added_at=NOON,
            )
        )
    bind(database, "sam")
    with database.reading() as session:
        told = {account.name for account in second_persons(session, "robin")}
    assert told == {"kim", "sam"}, "links of one hand may be of one person, so that lee is not told"
