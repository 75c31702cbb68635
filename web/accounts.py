"""The pages of people: all accounts and their sessions for administrators, and everybody's own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter, Request
from pyotp import TOTP
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from models.enums import Authentication, Role
from models.errors import DuenoticeError, InvalidInput
from people.accounts import add_account, change_role, choose_time_zone, disable, enable, list_accounts
from people.api_tokens import TOKEN_ROLES, end_token, list_tokens, make_token
from people.passkeys import list_passkeys
from people.passwords import (
    confirm_codes,
    forget_sign_in,
    propose_codes,
    read_own_sign_in,
    remove_codes,
    set_password,
)
from people.sessions import end_session, list_sessions
from people.sign_in import issue_token
from web.failures import status_of
from web.pages import problems_of
from web.sessions import Session
from web.site import OWN_FORM, CheckedForm, SignedIn, Site, TheSite, id_of, incomplete, password_of, text_of
from web.times import known_zone, zone_names

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Done:
    """What was done, in a sentence; ``link`` is a one-time link, ``token`` a program's, each shown this once."""

    says: str
    link: str | None = None
    token: str | None = None


@router.get("/accounts")
def accounts_page(request: Request, site: TheSite) -> Response:
    """Everybody who can or could sign in, and who is signed in where."""
    return _show(request, site)


@router.post("/accounts")
async def administer(request: Request, site: TheSite, session: SignedIn, form: CheckedForm) -> Response:
    """Add an account, change one, hand out a link, or end a session: whichever of the page's forms was sent."""
    try:
        done = await run_in_threadpool(_administer, site, session.actor, form)
    except DuenoticeError as error:
        return await asyncio.to_thread(_show, request, site, error=error, typed=form)
    return await asyncio.to_thread(_show, request, site, done=done)


@router.get("/account")
def own_page(request: Request, site: TheSite, session: SignedIn) -> Response:
    """One's own account: its role, how one signs in, and where one is signed in."""
    return show_own(request, site, session)


def show_own(request: Request, site: Site, session: Session, error: DuenoticeError | None = None) -> Response:
    """The page of one's own account, with what was refused, if anything was."""
    database = site.resources.database
    own = read_own_sign_in(database, session.account_id)
    return site.pages.show(
        request,
        "account.html",
        status=status_of(error) if error else HTTPStatus.OK,
        own=own,
        knows_current=own.has_password and session.authenticated is not Authentication.ONE_TIME_LINK,
        passkeys=list_passkeys(database, session.account_id),
        party=site.party,
        openid=site.openid,
        address=_address(own.pending, session.actor) if own.pending else None,
        sessions=list_sessions(database, site.sessions.rules, site.clock(), account_id=session.account_id),
        done=request.query_params.get("done"),
        problems=problems_of(error) if error else (),
        zones=zone_names(),
    )


def _address(secret: str, name: str) -> str:
    """What an app that makes codes opens (the Key Uri Format that such apps share)."""
    return TOTP(secret).provisioning_uri(name=name, issuer_name="Duenotice")


@router.post("/account")
async def change_own(request: Request, site: TheSite, session: SignedIn, form: CheckedForm) -> Response:
    """Set one's password, have codes asked for beside it or no more, or choose the zone in which one reads times."""
    try:
        await to_thread.run_sync(_change_own, site, session, form, limiter=site.own_hashing)
    except DuenoticeError as error:
        return await asyncio.to_thread(show_own, request, site, session, error)
    return RedirectResponse(f"/account?done={text_of(form, 'act')}", HTTPStatus.SEE_OTHER)


def _zone(form: FormData) -> str | None:
    given = text_of(form, "zone")
    if given and known_zone(given) is None:
        raise InvalidInput("There is no such time zone.", where="zone", next_step="Choose one from the list.")
    return given or None


def _change_own(site: Site, session: Session, form: FormData) -> None:
    database, now, code = site.resources.database, site.clock(), text_of(form, "code")
    match text_of(form, "act"):
        case "password":
            new = password_of(form, "new")
            if new != password_of(form, "again"):
                raise InvalidInput("The two are not the same.", where="again", next_step="Type both again.")
            organisation = site.resources.settings.organisation.name
            set_password(database, session, password_of(form, "current"), new, now, organisation=organisation)
        case "propose-codes":
            propose_codes(database, session)
        case "confirm-codes":
            confirm_codes(database, session, code, now)
        case "remove-codes":
            remove_codes(database, session, code, now)
        case "zone":
            choose_time_zone(database, session.account_id, _zone(form))
        case _:
            raise incomplete()


@router.post("/account/sessions/{session_id}/end", dependencies=[OWN_FORM])
def end_own(site: TheSite, session: SignedIn, session_id: UUID) -> Response:
    """Sign oneself out in some browser."""
    database, now = site.resources.database, site.clock()
    end_session(database, session_id, actor=session.actor, now=now, account_id=session.account_id)
    return RedirectResponse("/account", HTTPStatus.SEE_OTHER)


def _administer(site: Site, actor: str, form: FormData) -> Done:
    database, now, name = site.resources.database, site.clock(), text_of(form, "name")
    match text_of(form, "act"):
        case "add":
            email = text_of(form, "email") or None
            added = add_account(database, name, _role(form), email=email, made_by=actor, now=now)
            says = f"The account {added.name} is made."
            if added.role is Role.PROGRAM:
                return Done(says, token=_token(site, added.name, actor))
            return Done(says, _link(site, added.name, actor))
        case "role":
            change_role(database, name, _role(form), actor=actor, now=now)
            return Done(f"The role of {name} is changed.")
        case "disable":
            disable(database, name, actor=actor, now=now)
            return Done(f"{name} is disabled and signed out everywhere.")
        case "enable":
            enable(database, name, actor=actor, now=now)
            return Done(f"{name} can sign in again, with a new link.")
        case "link":
            return Done(f"A sign-in link for {name} is made.", _link(site, name, actor))
        case "forget":
            forget_sign_in(database, name, actor=actor, now=now)
            return Done(f"How {name} signed in is forgotten.", _link(site, name, actor))
        case "token":
            return Done(f"A token for {name} is made.", token=_token(site, name, actor))
        case "end-token":
            end_token(database, id_of(text_of(form, "token_id")), actor=actor, now=now)
            return Done("The token is good no more.")
        case "end":
            end_session(database, id_of(text_of(form, "session_id")), actor=actor, now=now)
            return Done("The session is ended.")
        case _:
            raise incomplete()


def _link(site: Site, name: str, actor: str) -> str:
    token = issue_token(site.resources.database, name, site.clock(), issued_by=actor)
    return f"{site.resources.settings.public_url}/sign-in?token={token}"


def _token(site: Site, name: str, actor: str) -> str:
    return make_token(site.resources.database, site.resources.keyring, name, made_by=actor, now=site.clock())


def _role(form: FormData) -> Role:
    try:
        return Role(text_of(form, "role"))
    except ValueError:
        raise InvalidInput("No role is chosen.", where="role", next_step="Choose one.") from None


def _show(
    request: Request,
    site: Site,
    *,
    done: Done | None = None,
    error: DuenoticeError | None = None,
    typed: FormData | None = None,
) -> Response:
    database = site.resources.database
    adding = typed if typed is not None and text_of(typed, "act") == "add" else FormData()
    return site.pages.show(
        request,
        "accounts.html",
        status=status_of(error) if error else HTTPStatus.OK,
        accounts=list_accounts(database),
        sessions=list_sessions(database, site.sessions.rules, site.clock()),
        tokens=list_tokens(database, site.clock()),
        roles=tuple(Role),
        token_roles=TOKEN_ROLES,
        done=done,
        problems=problems_of(error) if error else (),
        typed={name: text_of(adding, name) for name in ("name", "email", "role")},
    )
