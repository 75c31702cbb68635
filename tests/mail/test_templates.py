"""An organisation's own templates: what is refused, in a sentence with file and line, and what leaves all the same."""

from __future__ import annotations

from collections.abc import Callable
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from config.settings import Settings
from mail.cohorts import SAMPLES, Cohorts
from mail.compose import compose
from mail.default_texts import load_default_texts
from mail.people_mails import Reminder
from mail.plain import render_alert, render_plain
from mail.samples import samples_of
from mail.template_check import Problem, check_templates
from mail.templates import SHIPPED, TEMPLATES, Templates, load_templates
from models.errors import ConfigurationError
from starter.demonstration import demonstrated_draft, demonstrated_notices
from starter.resources import connect
from starter.templates import check_own_templates
from starter.writing import sender_of
from terms.catalogue import load_catalogue
from tests.support.sample_notices import ADDRESSING, CONFIRMED_NOTICE

CATALOGUE = load_catalogue()
SENDER = sender_of(Settings().organisation)
NOTICES = list(demonstrated_notices(CATALOGUE, SENDER))
BREACH = [*(notice for notice in NOTICES if notice.clauses[0].id == "breach.notice" and notice.follows)][:6]
"""Enough to find each fault of a template, in a moment."""

Own = Callable[..., Templates]


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """Makes templates of one's own: the shipped one of a name, with some words in it replaced."""

    def make(name: str, *changes: tuple[str, str]) -> Templates:
        text = (TEMPLATES / name).read_text("utf-8")
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        return load_templates(tmp_path)

    return make


def problems(templates: Templates) -> list[Problem]:
    return check_templates(templates, SENDER, BREACH)


def reminder() -> Reminder:
    first = samples_of("people/reminder", SENDER)[0]
    assert isinstance(first, Reminder)
    return first


def test_nothing_is_wrong_with_the_shipped_ones() -> None:
    assert check_templates(SHIPPED, SENDER, NOTICES) == []


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("name", "before", "after", "line", "says"),
        [
            ("people/reminder.j2", "facts.due_at", "facts.due", 8, "There is no fact due here."),
            (
                "people/reminder.j2",
                "{{ facts.clause }}",
                "{{ clauses }}",
                8,
                "Nothing is called clauses here.",
            ),
            ("people/reminder.j2", "percent", "percents", 8, "It cannot be read: No filter named 'percents'."),
            ("people/reminder.j2", "{%- endmacro %}\n", "", 26, "It cannot be read: "),
            (
                "people/reminder.j2",
                ", due by {{ facts.due_at | instant(zone) }};",
                ";",
                7,
                "It does not say due_at, which people/reminder has to.",
            ),
            (
                "people/reminder.j2",
                "{% macro alert() -%}\n",
                "{% macro alert() -%}\n{{ facts.leas }}",
                27,
                "There is no leas here, in the alert of people/reminder.",
            ),
            (
                "people/reminder.j2",
                "for release\n",
                "for release\nBcc: thief@evil.test\n",
                3,
                "The subject of people/reminder is of several lines.",
            ),
            (
                "words.j2",
                "{{ heading() }}: ",
                "{{ heading() }}\nBcc: ",
                7,
                "under breach.notice is of several lines.",
            ),
            ("reply_words.j2", "question: ", "question\n\n", 2, "The subject of reply is of several lines."),
            ("people/frame.j2", "{{ facts.page }}", "", 1, "It does not say page, which people/reminder has to."),
            ("holders/frame.j2", "{{ facts.link }}\n", "", 1, "It does not say link, which holders/asked has to."),
            ("holders/frame.j2", ": {{ facts.contact.email }}", "", 1, "It does not say contact, which holders/"),
            ("reply.txt.j2", "{{ facts.answer | wrap }}", "", 1, "It does not say answer, which reply has to."),
            ("base.txt.j2", "{{ facts.ledger_head }}", "", 1, "It does not say ledger_head"),
            ("base.txt.j2", "{{ element.value | wrap(4) }}", "", 1, "It does not say elements "),
            ("base.html.j2", "{{ lines(element.value) }}", "", 1, "It does not say elements "),
            (
                "base.html.j2",
                "lines(element.value)",
                "element.value | safe",
                74,
                "What people typed would get",
            ),
            (
                "base.html.j2",
                "color: #52616f; word-break: break-all;",
                "display: none;",
                1,
                "On paper it does not say acknowledge_url, which a dismissal under breach.notice has to where it is",
            ),
            ("words.j2", "(reference {{ facts.agreement.reference }})", "", 1, "It does not say agreement.reference"),
            (
                "clauses/breach.notice.j2",
                "facts.follows.given_at",
                "facts.follows.gven_at",
                7,
                "There is no gven_at here, in a notice under breach.notice.",
            ),
            ("words.j2", "{{ heading() }}: ", "{{ ''.__class__ }}", 8, "access to attribute '__class__'"),
        ],
    )
    def test_it_is_said_in_a_sentence_with_file_and_line(
        self, own: Own, name: str, before: str, after: str, line: int, says: str
    ) -> None:
        first = problems(own(name, (before, after)))[0]
        assert says in first.says
        assert (first.file, first.line) == (name, line)
        assert str(first) == f"{name}, line {line}: {first.says} {first.do}"

    @pytest.mark.parametrize(
        ("name", "says"),
        [("people/remainder.j2", "Did you mean people/reminder.j2?"), ("letters.docx", "names all")],
    )
    def test_a_file_that_is_no_template_of_ours_is_named(self, tmp_path: Path, name: str, says: str) -> None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("Hello", "utf-8")
        with pytest.raises(ConfigurationError) as refused:
            load_templates(tmp_path)
        assert refused.value.where == str(tmp_path / name)
        assert says in (refused.value.next_step or "")

    def test_a_folder_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="There is no such folder"):
            load_templates(tmp_path / "missing")

    def test_what_is_not_utf_8_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "words.j2").write_bytes(b"\xff")
        with pytest.raises(ConfigurationError, match="it is not UTF-8"):
            load_templates(tmp_path)

    async def test_the_program_does_not_start_with_one(
        self, own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own("people/reminder.j2", ("facts.due_at", "facts.due"))
        monkeypatch.setenv("DUENOTICE_TEMPLATES", str(tmp_path))
        monkeypatch.setenv("DUENOTICE_HOME", str(tmp_path.parent / "home"))
        settings = Settings()
        with pytest.raises(ConfigurationError, match="There is no fact due here") as refused:
            check_own_templates(settings, CATALOGUE)
        assert refused.value.where == f"{tmp_path}/people/reminder.j2, line 8"
        assert "1 more follows" in (refused.value.next_step or "")
        with pytest.raises(ConfigurationError):
            await connect(settings)


class TestWhatIsTaken:
    def test_its_words_stand_in_the_mail_and_only_in_that_one(self, own: Own) -> None:
        templates = own("people/reminder.j2", ("If nobody acts, they go out", "Unless you act, they go out"))
        assert problems(templates) == []
        assert "Unless you act, they go out" in render_plain(reminder(), templates).text
        for name in ("people/lapse", "people/overdue"):
            (facts, *_) = samples_of(name, SENDER)
            assert render_plain(facts, templates) == render_plain(facts)  # type: ignore[arg-type]

    def test_one_word_of_every_notice_can_be_an_organisations_own(self, own: Own) -> None:
        templates = own("words.j2", ("What we know to date", "What is known to us"))
        assert problems(templates) == []
        written = compose(CONFIRMED_NOTICE, ADDRESSING, templates=templates)
        assert "What is known to us" in " ".join(written.text.split())
        assert "What is known to us" in written.html

    def test_many_notices_are_written_from_it_as_one_is(self, own: Own) -> None:
        templates = own("words.j2", ("What we know to date", "What is known to us"))
        draft = demonstrated_draft(CATALOGUE, SENDER, "ndpa-v1", "IL", "breach.notice")
        cohorts = Cohorts(CATALOGUE, load_default_texts(), templates)
        written = [cohorts.write(draft, ADDRESSING) for _ in range(SAMPLES + 2)]
        assert written[-1].outline, "it was written from a skeleton"
        assert len({one.raw for one in written}) == 1
        assert b"What is known to us" in written[0].raw

    def test_what_is_changed_in_the_folder_counts_from_the_next_start(self, own: Own, tmp_path: Path) -> None:
        templates = own("people/reminder.j2", ("If nobody acts, they go out", "Unless you act, they go out"))
        (tmp_path / "people" / "reminder.j2").write_text("{{ broken", "utf-8")
        assert "Unless you act, they go out" in render_plain(reminder(), templates).text

    def test_hidden_files_and_a_readme_are_no_templates(self, tmp_path: Path) -> None:
        (tmp_path / ".git").mkdir()
        (tmp_path / ".git" / "config").touch()
        (tmp_path / "README.md").touch()
        assert load_templates(tmp_path).own == {}


class TestWhatIsDueLeavesAllTheSame:
    """What was not refused, and fails or loses something all the same, is written by the shipped template."""

    @pytest.mark.parametrize(
        "change",
        [
            ("{{ facts.clause }}", "{{ facts.nobody }}"),
            ("{{ facts.clause }}", "{{ 1 / 0 }}"),
            (", due by {{ facts.due_at | instant(zone) }};", ";"),
        ],
    )
    def test_a_mail_to_our_people(self, own: Own, change: tuple[str, str]) -> None:
        templates = own("people/reminder.j2", change)
        assert render_plain(reminder(), templates) == render_plain(reminder())

    def test_an_alert_without_its_page(self, own: Own) -> None:
        templates = own("people/alert.j2", ("{{ page }}", ""))
        alert = render_alert(reminder(), "https://duenotice.test/x", mailed=True, templates=templates)
        assert alert.endswith("https://duenotice.test/x")

    def test_a_subject_of_several_lines_is_one_header(self, own: Own) -> None:
        templates = own("words.j2", ("{{ heading() }}: ", "{{ heading() }}\n\nBcc: thief@evil.test: "))
        message = message_from_bytes(compose(CONFIRMED_NOTICE, ADDRESSING, templates=templates).raw, policy=default)
        assert message["Bcc"] is None
        assert "Bcc: thief@evil.test" in message["Subject"]

    @pytest.mark.parametrize(
        ("name", "change"),
        [
            ("base.txt.j2", ("{{ element.value | wrap(4) }}", "")),
            ("words.j2", ("{{ facts.case_reference }}", "{{ facts.nobody }}")),
            ("clauses/breach.notice.j2", ("{% macro asked() %}", "{% macro askd() %}")),
        ],
    )
    def test_a_notice(self, own: Own, name: str, change: tuple[str, str]) -> None:
        assert compose(CONFIRMED_NOTICE, ADDRESSING, templates=own(name, change)) == compose(
            CONFIRMED_NOTICE, ADDRESSING
        )


class TestDefaultTexts:
    """What a state wants said at once may be an organisation's own too."""

    def write(
        self, folder: Path, element: str = "remediation", text: str = "We pay for two years of monitoring."
    ) -> None:
        (folder / "blocks").mkdir()
        (folder / "blocks" / "ri.yaml").write_text(
            f"state: RI\nblocks:\n  {element}:\n    goes: unless_told\n    checked: 2026-11-24\n    sources:\n"
            f"      - {{says: what we pay for, found: our board's decision}}\n    text: {text}\n",
            "utf-8",
        )

    def test_they_stand_in_place_of_the_shipped_one_and_of_no_other(self, tmp_path: Path) -> None:
        shipped = load_default_texts().of("RI")
        element = next(iter(shipped))
        self.write(tmp_path, element)
        texts = load_templates(tmp_path).default_texts
        assert texts.of("RI")[element].text == "We pay for two years of monitoring."
        assert {name: text for name, text in texts.of("RI").items() if name != element} == {
            name: text for name, text in shipped.items() if name != element
        }
        assert texts.of("IL") == load_default_texts().of("IL")
        check_own_templates(Settings(templates=tmp_path), CATALOGUE)

    def test_one_for_what_no_clause_asks_of_a_notice_is_refused(self, tmp_path: Path) -> None:
        self.write(tmp_path, "remedation")
        with pytest.raises(ConfigurationError, match="No clause in RI asks for remedation") as refused:
            check_own_templates(Settings(templates=tmp_path), CATALOGUE)
        assert refused.value.where == str(tmp_path / "blocks" / "ri.yaml")

    def test_an_empty_one_is_refused(self, tmp_path: Path) -> None:
        self.write(tmp_path, text='""')
        with pytest.raises(ConfigurationError, match=r"blocks\.remediation\.text"):
            check_own_templates(Settings(templates=tmp_path), CATALOGUE)
