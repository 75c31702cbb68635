"""Sample facts of every mail that is no notice: for previews, and for checking templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from mail.district_mails import AskedToAnswer, MailTest, NewLinks
from mail.facts import LetterFacts, MailFacts, Sender
from mail.handed_over import HandedOverFacts
from mail.holder_mails import HOLDER_MAILS
from mail.overdue import OverdueFacts
from mail.people_mails import PeopleFacts
from mail.replies import ReplyFacts

DATA = Path(__file__).resolve().parent.parent / "config" / "demo" / "mails.yaml"


def _sorts(of: type[MailFacts]) -> Iterator[type[MailFacts]]:
    if "template" in vars(of):
        yield of
    for sort in of.__subclasses__():
        yield from _sorts(sort)


_ALL: tuple[type[MailFacts], ...] = (
    *_sorts(PeopleFacts),
    *HOLDER_MAILS.values(),
    AskedToAnswer,
    NewLinks,
    MailTest,
    ReplyFacts,
    OverdueFacts,
    HandedOverFacts,
)

MAILS: Mapping[str, type[MailFacts]] = {sort.template: sort for sort in _ALL}
"""The facts of every mail that is no notice, by the name of its template."""


def samples_of(template: str, sender: Sender) -> list[MailFacts]:
    """The samples of a mail, one for each way that its facts may lie; letters are from this sender."""
    sort = MAILS[template]
    own: dict[str, object] = {"sender": sender} if issubclass(sort, LetterFacts) else {}
    return [sort.model_validate(given | own) for given in _data()[template]]


@cache
def _data() -> Mapping[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = yaml.safe_load(DATA.read_bytes())
    return found
