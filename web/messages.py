"""A notice as it was sent: its headers, its HTML where it can do nothing, its text, and the file itself."""

from __future__ import annotations

from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from mail.links import message_without_links, without_links
from queries.evidence import read_message
from web.guard import CONTENT_SECURITY_POLICY
from web.site import TheSite

router = APIRouter(include_in_schema=False)

HEADERS_SHOWN = ("From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID")

# The frame inherits the page's policy: its style attributes must count, and nothing of it may reach out.
MAIL_POLICY = f"{CONTENT_SECURITY_POLICY}; style-src 'self' 'unsafe-inline'; img-src 'self' data:"


@dataclass(frozen=True)
class SentMessage:
    """What a page shows of a stored message (RFC 5322)."""

    headers: tuple[tuple[str, str], ...]
    html: str | None
    text: str | None

    @classmethod
    def read(cls, stored: bytes) -> SentMessage:
        """Take the stored bytes apart, without the link that is its reader's alone."""
        message = message_from_bytes(stored, policy=default)
        headers = tuple((name, str(message[name])) for name in HEADERS_SHOWN if name in message)
        return cls(headers, _part(message, "html"), _part(message, "plain"))


def _part(message: EmailMessage, kind: str) -> str | None:
    body = message.get_body((kind,))
    return without_links(str(body.get_content())) if isinstance(body, EmailMessage) else None


@router.get("/cases/{case_id}/messages/{sha256}.eml")
def message_file(site: TheSite, case_id: UUID, sha256: str) -> Response:
    """The message as a file; what was sent is kept in evidence byte for byte, with the link of whoever was told."""
    stored = read_message(site.resources.database, case_id, sha256)
    return eml(message_without_links(stored), sha256[:16])


def eml(message: bytes, name: str) -> Response:
    """A message as a file to download."""
    return Response(
        message, media_type="message/rfc822", headers={"Content-Disposition": f'attachment; filename="{name}.eml"'}
    )


@router.get("/cases/{case_id}/messages/{sha256}")
def message_page(request: Request, site: TheSite, case_id: UUID, sha256: str) -> Response:
    """The message as its reader saw it."""
    stored = read_message(site.resources.database, case_id, sha256)
    response = site.pages.show(
        request, "message.html", case_id=case_id, sha256=sha256, size=len(stored), message=SentMessage.read(stored)
    )
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    return response
