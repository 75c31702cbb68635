"""What commands print: nothing that somebody typed, or a file held, steers the terminal of whoever reads it."""

from __future__ import annotations

import ast
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from starter.cli import main
from starter.printable import printable, say
from starter.terminal import Terminal

STARTER = Path(main.__file__).parents[1]

CLEARS = "\x1b[2J\x1b]0;a title\x07"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (CLEARS, "␛[2J␛]0;a title␇"),
        ("one\rtwo", "one␍two"),
        ("one\r\ntwo\tthree\n", "one\r\ntwo\tthree\n"),
        ("\x9b2J\x7f", "\N{REPLACEMENT CHARACTER}2J␡"),
        ("\u202eevil\u2066", "\N{REPLACEMENT CHARACTER}evil\N{REPLACEMENT CHARACTER}"),
        ("Zażółć – 学区 🏫 é", "Zażółć – 学区 🏫 é"),
    ],
)
def test_each_control_character_is_shown_as_a_sign(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_nothing_that_steers_is_left_and_a_second_time_changes_nothing(text: str) -> None:
    shown = printable(text)
    assert not {
        char for char in shown.replace("\r\n", "\n") if char != "\n" and char != "\t" and not printable_char(char)
    }
    assert printable(shown) == shown
    shown.encode()


def printable_char(char: str) -> bool:
    return char == "\xa0" or not (ord(char) < 32 or 127 <= ord(char) < 160)


def on_a_terminal() -> tuple[Terminal, io.StringIO]:
    file = io.StringIO()
    console = Terminal(file=file, width=80)
    console._force_terminal = True
    return console, file


def test_tables_texts_and_colours_keep_stored_text_from_the_terminal() -> None:
    console, file = on_a_terminal()
    table = Table("title")
    table.add_row(f"a {CLEARS} title")
    console.print(table)
    console.print(f"plain {CLEARS}", style="red")
    console.print(Text.assemble(f"said {CLEARS}", ("loud", "bold")))
    printed = file.getvalue()
    assert printed.count("␛[2J␛]0;a title") == 3
    assert "\x1b[2J" not in printed
    assert "\x1b]" not in printed


def test_brackets_in_a_text_are_text() -> None:
    console, file = on_a_terminal()
    console.print("[link=https://elsewhere.test]here[/link] [/] [bold]:smile:")
    assert file.getvalue() == "[link=https://elsewhere.test]here[/link] [/] [bold]:smile:\n"


def test_a_refusal_quotes_a_file_safely(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As it was seen: a CSV file whose header moves the cursor, quoted in the sentence about it."""
    file = tmp_path / "agreements.csv"
    file.write_text(f"reference,{CLEARS}\nA-1,x\n")
    assert main.run(["terms", "check", str(file)]) != 0
    assert main.run(["due", "--form", CLEARS, "--event", "breach"]) == 2
    assert "\x1b" not in "".join(capsys.readouterr())


def test_a_line_goes_where_it_belongs(capsys: pytest.CaptureFixture[str]) -> None:
    say("one")
    say(CLEARS, err=True)
    assert capsys.readouterr() == ("one\n", "␛[2J␛]0;a title␇\n")


def test_nothing_prints_past_that_one_place() -> None:
    own = {STARTER / "printable.py", STARTER / "terminal.py"}
    for path in {*STARTER.rglob("*.py")} - own:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"print", "typer.echo", "typer.secho", "Console", "sys.stdout.write"}, path
