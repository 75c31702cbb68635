"""Every kind of case that this installation knows: add one here, and it has its workflow, commands, pages and evidence.

``CONTRIBUTING.md`` says what else a kind consists of.
"""

from __future__ import annotations

from cases.breach import BREACH
from cases.disposition import DISPOSITION
from cases.end_of_agreement import END_OF_AGREEMENT
from cases.kind import Kind
from cases.parent_access import PARENT_ACCESS
from cases.referral import REFERRAL
from models.errors import NotFound

KINDS: dict[str, Kind] = {kind.name: kind for kind in (BREACH, DISPOSITION, END_OF_AGREEMENT, PARENT_ACCESS, REFERRAL)}
"""The kinds by name."""


def register(kind: Kind) -> None:
    """Make a kind known that is not built in; call it before the worker, the web or a command is made.

    Raises:
        ValueError: another kind has its name.
    """
    if KINDS.setdefault(kind.name, kind) is not kind:
        raise ValueError(f"There is a kind {kind.name!r} already.")


def kind_named(name: str) -> Kind:
    """The kind of this name.

    Raises:
        NotFound: this installation knows none.
    """
    if name not in KINDS:
        raise NotFound(f"There is no kind of case {name!r}.", next_step=f"There are {', '.join(KINDS)}.")
    return KINDS[name]
