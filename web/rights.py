"""What each role may do, and what each route takes: a route that is not listed here takes the right to act.

So one that is added later is closed, from its first day, to whoever may only read.
"""

from __future__ import annotations

from enum import Enum, auto

from cases.acts import Act, Approve, Decline
from mail.handed_over import HANDED_FOLDER
from mail.holder_links import HOLDER_FOLDER
from mail.links import LINK_FOLDER
from models.enums import Authentication, Role


class Right(Enum):
    """Something that a role may do.

    READ is looking at everything but accounts; OWN is what everybody does with an account of their own; DECIDE is
    deciding as a second person what somebody proposed; EXPORT is taking evidence out; REPORT is opening a case by the
    JSON interface, one at a time; ACT is that and every other act, report, import and record; ADMINISTER is accounts,
    and the sessions of others.
    """

    READ = auto()
    OWN = auto()
    DECIDE = auto()
    EXPORT = auto()
    REPORT = auto()
    ACT = auto()
    ADMINISTER = auto()


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.AUDITOR: frozenset({Right.READ, Right.OWN, Right.EXPORT}),
    Role.APPROVER: frozenset({Right.READ, Right.OWN, Right.DECIDE}),
    Role.OFFICER: frozenset({Right.READ, Right.OWN, Right.DECIDE, Right.EXPORT, Right.ACT}),
    Role.ADMINISTRATOR: frozenset({Right.READ, Right.OWN, Right.ACT, Right.ADMINISTER}),
    Role.PROGRAM: frozenset({Right.REPORT}),
}

BY_TOKEN = frozenset({Right.READ, Right.EXPORT, Right.REPORT})
"""What a token lets a program do at most, whatever its account's role may: no act, no decision, no account."""


def rights_of(role: Role, authenticated: Authentication) -> frozenset[Right]:
    """What somebody may do who has shown in this way who it is."""
    return RIGHTS[role] & BY_TOKEN if authenticated is Authentication.API_TOKEN else RIGHTS[role]


LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})

EVERYBODY = frozenset(Right)
"""For what takes no account."""

ADMINISTERED_PATH = "/accounts"
OWN_PATHS = frozenset(
    {
        "/sign-out",
        "/account",
        "/account/sessions/{session_id}/end",
        "/account/passkeys",
        "/account/passkeys/{passkey_id}/remove",
        "/api/account/passkeys",
    }
)
EXPORT_PATH = "/cases/{case_id}/evidence.zip"
DUTIES_FILE_PATH = "/duties.csv"
APPROVE_ERASURE_PATH, DECLINE_ERASURE_PATH = (
    f"/cases/{{case_id}}/erasure/{{erasure_id}}/{name}" for name in ("approve", "decline")
)
REQUEST_PATH = "/student-data"
"""The public form of parents and students."""

SENDGRID_PATH, MAILGUN_PATH, SES_PATH = (f"/api/mail-events/{name}" for name in ("sendgrid", "mailgun", "ses"))
MAIL_EVENT_PATHS = frozenset({SENDGRID_PATH, MAILGUN_PATH, SES_PATH})
"""Where mail providers post their signed events."""

LIVE_PATH, READY_PATH, METRICS_PATH = "/livez", "/readyz", "/metrics"
HEALTH_PATHS = frozenset({LIVE_PATH, READY_PATH, METRICS_PATH})
"""What monitors ask, also while the database is away; what they may see is asked there."""

OPEN_TO_ALL = (MAIL_EVENT_PATHS | HEALTH_PATHS) | frozenset(
    {
        "/sign-in",
        "/sign-in/passkey",
        "/api/sign-in/passkey",
        "/sign-in/openid",
        "/sign-in/openid/callback",
        REQUEST_PATH,
    }
)
API_FOLDER = "/api/"
OPENING_FOLDER = "/api/cases/new/"
ACT_PATHS = frozenset({"/cases/{case_id}/acts/{act}", "/api/cases/{case_id}/acts"})
"""Which right one of these takes is asked once it is known which act is meant."""


OPENING_PATHS = frozenset({"/cases/new/{kind}", "/cases/new/{kind}/many"})
"""The forms that open cases: nobody is led into one that may not send it."""


def takes(method: str, route: str) -> frozenset[Right]:
    """The rights of which a route takes one; ``route`` names what varies in it, as ``/cases/{case_id}`` does.

    Somebody who is signed in and answers through the link of somebody else does so as themselves, which is an act.
    """
    if route in OPEN_TO_ALL or (route.startswith((LINK_FOLDER, HOLDER_FOLDER, HANDED_FOLDER)) and method in LOOKING):
        return EVERYBODY
    if route == ADMINISTERED_PATH or route.startswith(f"{ADMINISTERED_PATH}/"):
        return frozenset({Right.ADMINISTER})
    if route in OWN_PATHS:
        return frozenset({Right.OWN})
    if route in (EXPORT_PATH, DUTIES_FILE_PATH):
        return frozenset({Right.EXPORT})
    if method in LOOKING and route not in OPENING_PATHS:
        return frozenset({Right.READ})
    if route.startswith(OPENING_FOLDER) and "/" not in route.removeprefix(OPENING_FOLDER):
        return frozenset({Right.ACT, Right.REPORT})
    if route == APPROVE_ERASURE_PATH:
        return frozenset({Right.DECIDE})
    if route == DECLINE_ERASURE_PATH:
        return frozenset({Right.ACT, Right.DECIDE})
    return frozenset({Right.ACT, Right.DECIDE}) if route in ACT_PATHS else frozenset({Right.ACT})


def act_takes(act: type[Act]) -> frozenset[Right]:
    """The rights of which an act takes one."""
    if issubclass(act, Approve):
        return frozenset({Right.DECIDE})
    return frozenset({Right.ACT, Right.DECIDE}) if issubclass(act, Decline) else frozenset({Right.ACT})
