"""A notice on paper: the mail's own words, and an address that stands in the window of a No. 10 envelope."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from mail.compose import render
from mail.facts import NoticeFacts
from mail.on_paper import letter_pdf, on_paper, parts_of, words_of
from mail.templates import SHIPPED, TEMPLATES, Templates
from mail.window import ADDRESS, FOLDS, IN_SIGHT, LONGEST_LINE, address_lines, checked_postal_address
from models.errors import InvalidInput
from tests.support.sample_notices import CONFIRMED_NOTICE, DISMISSAL, SUPPLEMENT

SCHOOL = "100 School Street\nSuite 4\nRichmond, VA 23220"
OFFICE = "Superintendent's Office"
PAGE_HEIGHT, POINTS = 11.0, 72.0
HIGHEST, DEEPEST = 0.9, 0.25
"""How far letters of the type reach above and below their line, as parts of its size."""


def words(text: str) -> str:
    return re.sub(r"[\s•-]+", "", text)


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)


def on_first_page(pdf: bytes) -> list[tuple[str, float, float, float]]:
    """Each piece of text of the first page: where it begins, and its top and bottom, in inches from the top left."""
    found: list[tuple[str, float, float, float]] = []

    def seen(text: str, cm: list[float], tm: list[float], _: Any, size: float) -> None:
        if text.strip():
            # The page's own matrix, then the text's: both scale and move.
            x = tm[4] * cm[0] + tm[5] * cm[2] + cm[4]
            y = tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
            type_size = abs(size * tm[3] * cm[3]) or size
            line = PAGE_HEIGHT - y / POINTS
            found.append(
                (text.strip(), x / POINTS, line - HIGHEST * type_size / POINTS, line + DEEPEST * type_size / POINTS)
            )

    PdfReader(BytesIO(pdf)).pages[0].extract_text(visitor_text=seen)
    return found


def test_the_window_is_where_the_envelope_has_it() -> None:
    """1 1/8 by 4 1/2 inches, 7/8 from the left and 1/2 from the bottom of 4 1/8 by 9 1/2, with 1/8 inch kept clear."""
    assert tuple(ADDRESS) == (1.0, 2.625, 4.25, 3.375)
    assert tuple(IN_SIGHT) == (0.0, 2.375, 5.375, 3.625)
    assert FOLDS == (4.0, 7.5)


LONGEST = ("W" * LONGEST_LINE, "Consolidated Independent School District of the Northern Counties", f"{'M' * 45}\n" * 3)


@pytest.mark.parametrize(
    ("name", "reader", "address"),
    [
        (OFFICE, "Blue Ridge School Division", "1 Hill Road\nRichmond, VA 23220"),
        (OFFICE, "Blue Ridge School Division", SCHOOL),
        (OFFICE, "Consolidated Independent School District of the Northern Counties", SCHOOL),
        (LONGEST[0], LONGEST[1], LONGEST[2].strip()),
    ],
    ids=["short", "usual", "two lines of a district", "the longest there can be"],
)
def test_the_address_stands_in_the_window_and_nothing_else_comes_into_sight(
    name: str, reader: str, address: str
) -> None:
    facts = CONFIRMED_NOTICE.model_copy(update={"reader": reader})
    seen = on_first_page(letter_pdf(facts, name, address))
    lines = address_lines(name, reader, address)
    in_window = [one for one in seen if one[0] in lines and ADDRESS.top - 0.05 <= one[2] <= IN_SIGHT.bottom]
    assert [text for text, *_ in in_window] == list(lines)
    for text, left, top, bottom in in_window:
        assert left == pytest.approx(ADDRESS.left, abs=0.01)
        assert ADDRESS.top - 0.01 <= top, text
        assert bottom <= ADDRESS.bottom + 0.01, text
    others = [one for one in seen if one not in in_window]
    assert others
    for text, _, top, bottom in others:
        assert bottom <= IN_SIGHT.top or top >= IN_SIGHT.bottom, text


@settings(max_examples=15)
@given(st.lists(st.text("WMil. ,19", min_size=1, max_size=LONGEST_LINE), min_size=1, max_size=6))
def test_no_line_of_an_address_is_longer_than_the_window_takes(lines: list[str]) -> None:
    found = address_lines("  ".join(lines), "".join(lines), "1 Hill Road\nRichmond, VA 23220")
    assert len(found) <= 6
    assert all(len(line) <= LONGEST_LINE for line in found)


@pytest.mark.parametrize("facts", [CONFIRMED_NOTICE, SUPPLEMENT, DISMISSAL], ids=["notice", "supplement", "dismissal"])
def test_the_letter_says_what_the_mail_says_word_for_word(facts: NoticeFacts) -> None:
    said = words(text_of(letter_pdf(facts, OFFICE, SCHOOL)))
    from_title = [part.text for part in parts_of(render(facts, SHIPPED.environments).html)][1:]
    missing = [text for text in from_title if words(text) not in said]
    # What runs on over a page has the page's foot in its midst.
    assert not [text for text in missing if len(text) < 40]
    assert len(missing) <= 2
    assert str(facts.acknowledge_url) in text_of(letter_pdf(facts, OFFICE, SCHOOL)) or facts.acknowledge_url is None


def test_every_page_has_its_number_and_the_last_what_is_enclosed() -> None:
    pdf = PdfReader(BytesIO(letter_pdf(CONFIRMED_NOTICE, OFFICE, SCHOOL, ("Assurance.pdf",))))
    pages = [page.extract_text() for page in pdf.pages]
    assert len(pages) > 1
    for number, page in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in page
        assert CONFIRMED_NOTICE.case_reference in page
    assert re.search(r"Enclosed\s+•?\s*Assurance.pdf", pages[-1])
    assert "Enclosed\nNothing." in text_of(letter_pdf(CONFIRMED_NOTICE, OFFICE, SCHOOL))


def test_the_senders_own_address_stands_at_the_letters_head_and_not_in_the_window() -> None:
    sender = CONFIRMED_NOTICE.sender.model_copy(update={"postal_address": "2 Mill Lane\nSuite 9\nExample, VA 00000"})
    facts = CONFIRMED_NOTICE.model_copy(update={"sender": sender})
    seen = on_first_page(letter_pdf(facts, OFFICE, SCHOOL))
    own = [one for one in seen if one[0] in ("2 Mill Lane", "Suite 9", "Example, VA 00000")]
    assert len(own) == 3
    assert all(bottom <= IN_SIGHT.top for _, _, _, bottom in own)
    assert "2 Mill Lane" not in render(facts, SHIPPED.environments).text


def test_it_is_a_pdf_for_archives_and_the_same_words_give_the_same_file() -> None:
    pdf = letter_pdf(CONFIRMED_NOTICE, OFFICE, SCHOOL)
    assert b"<pdfaid:part>3</pdfaid:part>" in pdf
    assert pdf == letter_pdf(CONFIRMED_NOTICE, OFFICE, SCHOOL)


def test_what_people_typed_is_no_markup() -> None:
    facts = CONFIRMED_NOTICE.model_copy(update={"particulars": "#panic() *bold* <b>&amp;</b> $x$", "reader": "A & B"})
    pdf = text_of(letter_pdf(facts, "#pagebreak()", "1 *Hill* Road\nRichmond, VA 23220"))
    assert "#panic() *bold* <b>&amp;</b> $x$" in pdf
    assert "#pagebreak()" in pdf
    assert "A & B" in pdf


def own(name: str, before: str, after: str) -> Templates:
    """The shipped template of a name with some words in it replaced, as an organisation's own."""
    text = (TEMPLATES / name).read_text("utf-8")
    assert before in text
    return Templates(own={name: text.replace(before, after)})


def test_an_organisations_own_words_stand_in_the_letter_too() -> None:
    templates = own("words.j2", "What we know to date", "What is known to us")
    assert "What is known to us" in text_of(letter_pdf(CONFIRMED_NOTICE, OFFICE, SCHOOL, templates=templates))
    assert "What is known to us" in " ".join(words_of(CONFIRMED_NOTICE, templates).split())


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("base.html.j2", "{{ lines(element.value) }}", "<i style='display: none'>{{ lines(element.value) }}</i>"),
        ("base.html.j2", "color: #52616f; word-break: break-all;", "display: none;"),
        ("words.j2", "{{ facts.case_reference }}", "{{ facts.nobody }}"),
    ],
    ids=["what is not seen is not printed", "a button opens nothing on paper", "a template that fails"],
)
def test_a_template_that_would_lose_something_on_paper_is_not_used_for_it(name: str, before: str, after: str) -> None:
    templates = own(name, before, after)
    assert letter_pdf(CONFIRMED_NOTICE, OFFICE, SCHOOL, templates=templates) == letter_pdf(
        CONFIRMED_NOTICE, OFFICE, SCHOOL
    )


@pytest.mark.parametrize(
    ("html", "printed"),
    [
        (
            "<h1>T</h1><p>Read <a href='https://a.test'>this page</a> first.</p>",
            "T\nRead this page (https://a.test) first.",
        ),
        ("<h1>T</h1><p>See <a href='https://a.test'>https://a.test</a>.</p>", "T\nSee https://a.test."),
        ("<h1>T</h1><td><a href='https://a.test'>Answer</a></td><p>Then</p>", "T\nThen"),
        ("<h1>T</h1><p>Ask <a href='mailto:a@a.test'>a@a.test</a></p>", "T\nAsk a@a.test"),
        ("<div hidden>Preview<br><img></div><h1>T</h1><p>One<p>Two<div>Three", "T\nOne\nTwo\nThree"),
        ("<p>No title</p><ul><li>one<li>two</ul>end", "No title\none\ntwo\nend"),
        ("<style>p{}</style><h1>T</h1><script>x()</script></b>", "T"),
    ],
)
def test_whatever_a_layout_is_made_of_its_words_are_printed(html: str, printed: str) -> None:
    assert on_paper(html) == printed


def test_a_postal_address_has_its_lines_separated() -> None:
    assert checked_postal_address(" 1  Hill Road |Richmond, VA 23220 ") == "1 Hill Road\nRichmond, VA 23220"
    assert checked_postal_address("1 Hill Road\nRichmond") == "1 Hill Road\nRichmond"


@pytest.mark.parametrize("address", ["Richmond", "a | b | c | d", f"{'x' * 46} | Richmond", "", " | "])
def test_an_address_that_fits_no_window_is_refused_at_its_field(address: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        checked_postal_address(address, where="general_address")
    assert caught.value.where == "general_address"
    assert "two or three lines" in caught.value.message
