"""What is named by its content is read once, however many ask, and no more of it is kept than was said."""

from __future__ import annotations

from collections.abc import Mapping

from sqlmodel import Session

from agreements.remembered import Remembered


def test_what_was_read_is_not_read_again() -> None:
    asked: list[set[str]] = []

    def read(_: Session, names: set[str]) -> Mapping[str, str]:
        asked.append(names)
        return {name: name.upper() for name in names if name != "gone"}

    remembered, session = Remembered(10, read), Session()
    assert remembered.of(session, ["a", "b", "a"]) == {"a": "A", "b": "B"}
    assert remembered.of(session, ["b", "c", "gone"]) == {"b": "B", "c": "C"}
    assert remembered.of(session, ["gone"]) == {}
    assert asked == [{"a", "b"}, {"c", "gone"}, {"gone"}], "what is not there may be there later"


def test_only_the_last_are_kept() -> None:
    asked: list[set[str]] = []

    def read(_: Session, names: set[str]) -> Mapping[str, str]:
        asked.append(names)
        return dict.fromkeys(names, "")

    remembered, session = Remembered(2, read), Session()
    for name in ("a", "b", "c", "c", "a"):
        remembered.of(session, [name])
    assert asked == [{"a"}, {"b"}, {"c"}, {"a"}]
