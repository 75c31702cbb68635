"""What a check found, in sentences for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ledger.verify import Erased, Flaw, Step, Verification
from models.errors import IntegrityError
from models.grouping import grouped
from models.phrases import counted, instant_words


def what_holds(found: Verification) -> str:
    """What a check found that found no flaw, in a sentence."""
    if not found.length:
        return f"The ledger holds no entry yet, and its head says so; head {found.head}."
    entries = "1 entry is" if found.length == 1 else f"{found.length:,} entries are"
    match found.artifacts:
        case 0:
            artifacts = "no artifact is pointed to"
        case 1:
            artifacts = "the 1 artifact pointed to is what was stored"
        case many:
            artifacts = f"all {many:,} artifacts they point to are what was stored"
    gone = "".join(f"\n{sentence}" for sentence in what_was_erased(found.erased))
    rows = sum(found.tables.rows.values()) if found.tables else 0
    held = "1 row of the tables says" if rows == 1 else f"{rows:,} rows of the tables say"
    heads = f"; so is what each of {counted(found.heads, 'signed or kept head')} covers" if found.heads else ""
    return f"{entries} unchanged and in order, {artifacts}, and {held} what they say{heads}; head {found.head}.{gone}"


def what_was_erased(erased: Sequence[Erased]) -> Iterator[str]:
    """What is kept no more, in a sentence for each erasure, whatever it took with it."""
    for entries in grouped(erased, lambda one: one.number if one.case else one.artifact).values():
        one = entries[0]
        what = (
            f"The personal data of case {one.case}, with {counted(len(entries), 'artifact')},"
            if one.case
            else f"Artifact {one.artifact}"
        )
        yield f"{what} was erased on {instant_words(one.at)} by {one.by}, as entry {one.number:,} says."


def what_is_wrong(flaw: Flaw) -> IntegrityError:
    """The first flaw that a check found, with where it is."""
    match flaw.step:
        case Step.ORDER | Step.CHAIN | Step.CONTENT:
            where = f"entry {flaw.number:,} of the ledger"
        case Step.HEAD:
            where = "the head of the ledger"
        case Step.ARTIFACTS:
            where = f"entry {flaw.number:,} of the ledger, artifact {flaw.artifact}"
        case Step.SIGNED_HEADS:
            where = f"the head of {flaw.number:,} entries"
        case Step.TABLES:
            where = "the tables"
    return IntegrityError(
        flaw.reason, where=where, next_step="Compare it with a backup, and find out who could write there."
    )
