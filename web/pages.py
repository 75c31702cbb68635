"""Turns what is known into HTML: one template a page, with everything a person wrote escaped."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from urllib.parse import unquote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from cases.acts import Act
from cases.kind import Kind
from mail.provision import plain_sentences
from models.enums import ReportKind
from models.errors import DuenoticeError, InvalidFields
from models.phrases import counted, day_words, sentence
from records.costs import money
from records.uploads import LARGEST_BYTES
from starter.templates import about_mail
from terms.catalogue import load_catalogue
from terms.duties import flag_words
from web import times
from web.rights import RIGHTS
from web.sessions import Session, Sessions

ZONE_COOKIE = "zone"
"""In which ``duenotice.js`` tells the time zone of the browser."""


REPORTED = {
    ReportKind.FAILED: "it came back",
    ReportKind.DELAYED: "delayed, and still tried",
    ReportKind.DELIVERED: "delivered to the mailbox",
    ReportKind.RELAYED: "handed on to a server that reports nothing",
    ReportKind.EXPANDED: "handed on to a list",
    ReportKind.COMPLAINT: "its reader called it spam",
    ReportKind.AUTO_REPLY: "an automatic reply",
    ReportKind.UNCLEAR: "something came back that a person has to read",
}
"""What came back about a message, for people."""


class Pages:
    """The templates, and what all of them are given.

    ``kinds`` are those of which a person can open a case, ``time_zone`` is the installation's own, if it names one.
    """

    def __init__(
        self,
        sessions: Sessions,
        clock: Callable[[], datetime],
        organisation: str,
        kinds: Sequence[Kind],
        time_zone: str | None = None,
    ) -> None:
        self._time_zone = time_zone
        self._sessions = sessions
        self._clock = clock
        self._templates = Environment(
            loader=PackageLoader("web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.globals.update(
            organisation=organisation, kinds_of_case=tuple(kinds), soon=times.SOON, largest_file=LARGEST_BYTES
        )
        self._templates.filters.update(
            iso=times.iso,
            local=times.local,
            reads_otherwise=times.reads_otherwise,
            day=day_words,
            counted=counted,
            sentence=sentence,
            distance=times.distance,
            words=words,
            happened=happened,
            plain=plain,
            reported=lambda kind: REPORTED[kind],
            money=money,
            about_mail=about_mail,
            anchor=anchor,
            is_local_time=times.is_local_time,
            is_date=times.is_date,
            flag_words=flag_words,
        )

    def show(self, request: Request, template: str, *, status: int = 200, **context: object) -> HTMLResponse:
        """Render ``template``; ``session`` and ``form_token`` are empty where nobody is signed in.

        ``own_zone`` is the time zone of whoever reads, blank where nothing tells it.
        """
        session: Session | None = getattr(request.state, "session", None)
        own_zone = self._zone_of(request, session)
        with times.read_in(own_zone or "UTC"):
            html = self._templates.get_template(template).render(
                **context,
                session=session,
                rights={right.name for right in RIGHTS[session.role]} if session else set(),
                form_token=self._sessions.form_token(session) if session else "",
                now=self._clock(),
                path=request.url.path,
                own_zone=own_zone or "",
            )
        return HTMLResponse(html, status)

    def _zone_of(self, request: Request, session: Session | None) -> str | None:
        """The zone that the account names, else the browser's, else the installation's; None if none is known."""
        of_browser = times.known_zone(unquote(request.cookies.get(ZONE_COOKIE, "")))
        return (session.time_zone if session else None) or of_browser or self._time_zone


def words(name: str) -> str:
    """A name of the code as people say it: ``reasonably_expected_at`` is ``reasonably expected``."""
    return name.removesuffix("_at").replace("_", " ").replace("-", " ")


def plain(sentence: str) -> str:
    """A sentence of a due date's reasons, without the names that only this installation gives to things."""
    return plain_sentences((sentence,), load_catalogue().words.anchors)[0]


def happened(kind: str) -> str:
    """What an entry of the ledger is about, for people: ``act.hold`` is what people call that act."""
    of_act, _, name = kind.rpartition(".")
    act = Act.known.get(name) if of_act == "act" else None
    return act.called() if act else words(kind)


def anchor(where: str | None) -> str:
    """The id of the element on the page that a problem is about, such as ``reporter_email`` for ``reporter.email``."""
    return re.sub(r"\W+", "_", where or "top")


def problems_of(error: DuenoticeError) -> tuple[DuenoticeError, ...]:
    """Each thing that an error finds wrong."""
    return error.problems if isinstance(error, InvalidFields) else (error,)
