"""What comes back is read in whatever shape it comes, and nothing that comes can do harm."""

from __future__ import annotations

import base64
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.links import without_links
from mail.reports import LARGEST_REPORT, LONGEST_WORDS, Report, read_returned
from models.enums import ReportKind
from tests.support.bounce_shapes import READER, SHAPES, Shape, dsn

RETURN_PATH = f"bounces+{'a' * 48}@example.test"


def only(raw: bytes) -> Report:
    (report,) = read_returned(raw).reports
    return report


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_each_system_is_understood(shape: Shape) -> None:
    returned = read_returned(shape.to(RETURN_PATH))
    (report,) = returned.reports
    assert (report.kind, report.status) == (shape.kind, shape.status)
    assert shape.says in (report.says or "")
    if shape.kind not in (ReportKind.AUTO_REPLY, ReportKind.UNCLEAR):
        assert READER in report.recipients
    assert any("a" * 48 in name for name in returned.named), "it names the return path that it came to"


@pytest.mark.parametrize(
    ("action", "status", "kind"),
    [
        ("failed", "5.1.1", ReportKind.FAILED),
        ("failed", "4.4.7", ReportKind.FAILED),  # given up after days: RFC 3464, 2.3.3, goes by the action
        ("delayed", "4.2.2", ReportKind.DELAYED),
        ("delivered", "2.1.5", ReportKind.DELIVERED),
        ("relayed", "2.0.0", ReportKind.RELAYED),
        ("expanded", "2.0.0", ReportKind.EXPANDED),
    ],
)
def test_the_actions_of_rfc_3464(action: str, status: str, kind: ReportKind) -> None:
    assert (only(dsn(action, status)).kind, only(dsn(action, status)).status) == (kind, status)


def test_each_recipient_of_a_report_is_told_of_by_itself() -> None:
    both = read_returned(dsn(recipients=("a@example.org", "b@example.org"))).reports
    assert [report.recipients for report in both] == [frozenset({"a@example.org"}), frozenset({"b@example.org"})]


def test_the_recipient_that_it_was_sent_to_counts_besides_the_one_that_it_ended_at() -> None:
    report = only(dsn(recipients=("elsewhere@example.org",), original="Privacy+2Btwo@district.example.org"))
    assert {"elsewhere@example.org", "privacy+two@district.example.org"} <= report.recipients


def test_an_envelope_id_names_the_return_path_where_the_address_was_lost() -> None:
    assert "b" * 48 in read_returned(dsn(envelope_id="b" * 48)).named


def test_a_report_that_comes_twice_by_different_ways_is_the_same_one() -> None:
    first = dsn()
    again = b"Received: from elsewhere.example.org\r\n" + first
    assert read_returned(first).source == read_returned(again).source
    assert read_returned(first).source != read_returned(dsn(message_id="2@mx.example.org")).source


def test_what_a_server_says_is_one_line_of_bounded_length_without_a_live_link() -> None:
    link = f"https://notices.example.org/n/{'A' * 46}"
    said = only(dsn(said=f"550 read {link} \x1b[31m" + "x" * 5000)).says
    assert said is not None
    assert len(said) <= LONGEST_WORDS
    assert "\x1b" not in said
    assert link not in said
    assert without_links(link) in said


def test_the_feedback_types_that_are_no_complaint_are_none() -> None:
    shape = next(shape for shape in SHAPES if shape.name == "a complaint")
    raw = shape.to(RETURN_PATH).replace(b"Feedback-Type: abuse", b"Feedback-Type: not-spam")
    assert only(raw).kind is ReportKind.UNCLEAR


def nested(levels: int) -> bytes:
    opening = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level) for level in range(levels)
    )
    return b"From: mailer-daemon@example.org\r\n" + opening + b"Content-Type: text/plain\r\n\r\nHello\r\n"


def zipped() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("report.txt", bytes(50_000_000))
    encoded = base64.encodebytes(packed.getvalue())
    return (
        b"From: mailer-daemon@example.org\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + encoded
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff" * 1000,
        b"Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
        b"Content-Type: multipart/report; boundary=\r\n\r\n",
        b"From: =?utf-8?b?//8=?= <MAILER-DAEMON@example.org>\r\nTo: @@@\r\n\r\n\xff",
        b"Content-Type: text/plain; charset=no-such-charset\r\nFrom: postmaster@example.org\r\n\r\n\xe9",
        nested(5_000),
        zipped(),
        b"From: mailer-daemon@example.org\r\n\r\n" + b"<a@example.org>:\r\n" * 400_000,
        b"X: y\r\n" * 100_000,
    ],
    ids=[
        "nothing",
        "no mail",
        "broken base 64",
        "no boundary",
        "broken header",
        "no such charset",
        "nested",
        "zip",
        "large",
        "headers",
    ],
)
def test_what_is_no_report_is_unclear_and_does_no_harm(raw: bytes) -> None:
    returned = read_returned(raw)
    assert len(returned.raw) <= LARGEST_REPORT
    assert {report.kind for report in returned.reports} <= {ReportKind.UNCLEAR, ReportKind.FAILED}
    assert 0 < len(returned.reports) <= 50


@given(st.binary(max_size=2000), st.integers(0, 900), st.sampled_from(SHAPES))
def test_no_bytes_make_reading_fail(junk: bytes, at: int, shape: Shape) -> None:
    raw = shape.to(RETURN_PATH)
    assert read_returned(junk).reports
    assert read_returned(raw[:at] + junk + raw[at:]).reports
