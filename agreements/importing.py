"""Importing agreements from a CSV file: every row is checked first, and none is kept unless all are sound."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session, col, insert, select, update

from agreements.life import standing_changes
from agreements.references import unreadable_csv
from agreements.upcoming import Derivation, renew_upcoming
from config.database import Database
from config.seals import rows_that_open
from ledger.append import append
from ledger.artifacts import store
from ledger.contacts import record_contacts
from ledger.entries import AgreementImported
from mail.facts import checked_address
from mail.window import checked_postal_address
from models import identifiers
from models.defaults import Defaults
from models.enums import ContactRole, WrittenAnew
from models.errors import DuenoticeError, InvalidFields, InvalidInput
from models.grouping import grouped
from models.tables import Agreement, AgreementContact, Case, Duty, Notice, PostalLetter
from terms.catalogue import Catalogue
from terms.internal import NO_LEAD_TIMES, LeadTimes
from terms.limits import STANDARD_DEFAULTS

DEMO_FILE = Path(__file__).parent.parent / "config" / "demo" / "agreements.csv"
"""One fictional district for each state that the shipped forms cover, at reserved domains."""

REQUIRED = ("reference", "form", "lea_name", "state", "time_zone", "executed_on", "general_name")
OPTIONAL = (
    "originally_signed_on",
    "expires_on",
    "terminated_on",
    "general_email",
    "general_address",
    "security_name",
    "security_email",
    "security_address",
    "copy_to_name",
    "copy_to_email",
    "exhibit_h_note",
    "choices",
)
CONTACT_COLUMNS = {
    ContactRole.GENERAL: "general",
    ContactRole.SECURITY: "security",
    ContactRole.COPY_TO: "copy_to",
}
FORMER = -1
"""The rank of a contact that the agreement no longer names."""

MANY = ";"
"""What separates several contacts of one role, of which the first is tried first, and several choices."""


class AgreementContactRow(BaseModel):
    """One contact of an agreement as read; it has an e-mail address, or a postal one, or both."""

    model_config = ConfigDict(frozen=True)

    role: ContactRole
    rank: int
    name: str
    email: str
    postal_address: str | None = None


class AgreementRow(BaseModel):
    """One sound row of the file."""

    model_config = ConfigDict(frozen=True)

    reference: str = Field(min_length=1)
    form: str
    state: str
    lea_name: str
    time_zone: str
    executed_on: date
    originally_signed_on: date | None
    expires_on: date | None
    terminated_on: date | None
    exhibit_h_note: str | None
    choices: tuple[str, ...]
    contacts: tuple[AgreementContactRow, ...]


@dataclass(frozen=True)
class ImportResult:
    """How many agreements a file added, changed, and held as they already were."""

    added: int
    changed: int
    unchanged: int


def import_agreements(
    database: Database,
    catalogue: Catalogue,
    text: str,
    *,
    file_name: str,
    now: datetime,
    actor: str,
    defaults: Defaults = STANDARD_DEFAULTS,
    leads: LeadTimes = NO_LEAD_TIMES,
) -> ImportResult:
    """Load the agreements of a CSV file; one whose reference is known replaces what was known of it.

    Args:
        database: where they go.
        catalogue: which forms and states there are.
        text: the file's content, with a header line.
        file_name: what to call the file in problems.
        now: the instant of the import.
        actor: who imports.
        defaults: the limits that no clause gives, for what is due next under them.
        leads: how far ahead of its due instant the installation wants that done.

    Raises:
        InvalidFields: with every bad row, its line and its reason; nothing was loaded.
    """
    rows = read_agreements(catalogue, text, file_name=file_name)
    with database.writing() as session:
        before = _known(session)
        rows = _as_recorded(session, rows, before, file_name)
        new = [row for row in rows if row.reference not in before]
        changed = [row for row in rows if row.reference in before and before[row.reference] != row]
        contacts = _keep(session, new, now)
        for row in changed:
            contacts += _replace(session, row, now)
        _note_undelivered(session, [identifiers.agreement_id(row.reference) for row in changed], now)
        sha256 = store(session, text.encode(), "text/csv", now)
        append(session, *_events([*new, *changed], sha256, actor, now))
        record_contacts(session, contacts, actor, now)
    touched = [identifiers.agreement_id(row.reference) for row in (*new, *changed)]
    renew_upcoming(database, Derivation(catalogue, defaults, now, leads), touched)
    return ImportResult(len(new), len(changed), len(rows) - len(new) - len(changed))


def read_agreements(catalogue: Catalogue, text: str, *, file_name: str) -> tuple[AgreementRow, ...]:
    """The agreements of a CSV file.

    Raises:
        InvalidFields: with every bad row, its line and its reason.
        InvalidInput: it cannot be read as CSV.
    """
    try:
        return _read_agreements(catalogue, text, file_name)
    except csv.Error:
        raise unreadable_csv(file_name) from None


def _read_agreements(catalogue: Catalogue, text: str, file_name: str) -> tuple[AgreementRow, ...]:
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff"), newline=""), restkey="more")
    if problems := _header_problems(reader.fieldnames or [], file_name):
        raise InvalidFields(problems)
    rows: list[AgreementRow] = []
    bad: list[InvalidInput] = []
    lines: dict[str, int] = {}
    for cells in reader:
        where = f"{file_name}:{reader.line_num}"
        try:
            row = _row(catalogue, cells, where)
            if row.reference in lines:
                raise InvalidInput(
                    f"The reference {row.reference} stands in line {lines[row.reference]} already.",
                    where=where,
                    next_step="Give each agreement a reference of its own.",
                )
            lines[row.reference] = reader.line_num
            rows.append(row)
        except InvalidFields as found:
            bad += found.problems
        except InvalidInput as problem:
            bad.append(problem)
    if not rows and not bad:
        bad.append(InvalidInput("The file holds no agreement.", where=file_name, next_step="Add a row for each one."))
    if bad:
        raise InvalidFields(tuple(bad))
    return tuple(rows)


def _header_problems(columns: Sequence[str], file_name: str) -> tuple[InvalidInput, ...]:
    where = f"{file_name}:1"
    if len(columns) == 1 and ";" in columns[0]:
        return (
            InvalidInput(
                "The columns are separated by semicolons.", where=where, next_step="Save the file with commas instead."
            ),
        )
    addresses = [] if {"general_email", "general_address"} & set(columns) else ["general_email"]
    missing = [name for name in (*REQUIRED, *addresses) if name not in columns]
    unknown = [name for name in columns if name not in (*REQUIRED, *OPTIONAL)]
    problems = []
    if missing:
        problems.append(
            InvalidInput(
                f"The header lacks {', '.join(missing)}.",
                where=where,
                next_step=f"The columns are {', '.join((*REQUIRED, *OPTIONAL))}.",
            )
        )
    if unknown:
        problems.append(
            InvalidInput(
                f"There is no column {', '.join(unknown)}.",
                where=where,
                next_step=f"The columns are {', '.join((*REQUIRED, *OPTIONAL))}.",
            )
        )
    return tuple(problems)


def _row(catalogue: Catalogue, cells: Mapping[str, str | list[str] | None], where: str) -> AgreementRow:
    problems: list[InvalidInput] = []

    def cell(name: str) -> str:
        value = cells.get(name)
        return value.strip() if isinstance(value, str) else ""

    def day(name: str) -> date | None:
        if not cell(name):
            return None
        try:
            return date.fromisoformat(cell(name))
        except ValueError:
            problems.append(
                InvalidInput(f"{name} is not a date: {cell(name)}.", where=where, next_step="Write it as 2026-03-07.")
            )
            return None

    if "more" in cells:
        raise InvalidInput(
            "The row has more cells than the header.", where=where, next_step="Quote cells that hold commas."
        )
    if empty := [name for name in REQUIRED if not cell(name)]:
        problems.append(_empty(empty, where))
    problems += _form_problems(catalogue, cell("form"), cell("state"), where)
    problems += _zone_problems(cell("time_zone"), where)
    executed, expires, terminated = day("executed_on"), day("expires_on"), day("terminated_on")
    original = day("originally_signed_on")
    if executed and expires and expires < executed:
        problems.append(
            InvalidInput("expires_on is before executed_on.", where=where, next_step="Correct one of the dates.")
        )
    if executed and original and original > executed:
        problems.append(
            InvalidInput(
                "originally_signed_on is after executed_on.",
                where=where,
                next_step="It is when the agreement was signed that this one joins by accepting its general offer.",
            )
        )
    choices = tuple(sorted({part.strip() for part in cell("choices").split(MANY) if part.strip()}))
    problems += _choice_problems(catalogue, choices, where)
    contacts = list(_contacts(cell, where, problems))
    if problems:
        raise InvalidFields(tuple(problems))
    assert executed is not None, "executed_on is required and was checked"
    return AgreementRow(
        reference=cell("reference"),
        form=cell("form"),
        state=cell("state").upper(),
        lea_name=cell("lea_name"),
        time_zone=cell("time_zone"),
        executed_on=executed,
        originally_signed_on=original,
        expires_on=expires,
        terminated_on=terminated,
        exhibit_h_note=cell("exhibit_h_note") or None,
        choices=choices,
        contacts=tuple(contacts),
    )


def _empty(names: list[str], where: str) -> InvalidInput:
    if "general_name" in names:
        return _nobody(names, where)
    return InvalidInput(f"{', '.join(names)} is empty.", where=where, next_step="Fill in every required column.")


def _nobody(names: list[str], where: str) -> InvalidInput:
    are = "is" if len(names) == 1 else "are"
    return InvalidInput(
        f"{', '.join(names)} {are} empty: the district has no contact who could be told.",
        where=where,
        next_step="Give the representative that the agreement designates for notices.",
    )


def _form_problems(catalogue: Catalogue, form: str, state: str, where: str) -> list[InvalidInput]:
    if not form or not state:
        return []
    try:
        catalogue.form(form).supplement(state)
    except DuenoticeError as error:
        return [InvalidInput(error.message, where=where, next_step=error.next_step)]
    return []


def _choice_problems(catalogue: Catalogue, choices: Sequence[str], where: str) -> list[InvalidInput]:
    try:
        catalogue.check_choices(choices)
    except InvalidInput as error:
        return [InvalidInput(error.message, where=where, next_step=error.next_step)]
    return []


def _zone_problems(zone: str, where: str) -> list[InvalidInput]:
    try:
        if zone:
            ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return [
            InvalidInput(
                f"There is no time zone {zone}.", where=where, next_step="Use an IANA name, such as America/Chicago."
            )
        ]
    return []


def _contacts(cell: Callable[[str], str], where: str, problems: list[InvalidInput]) -> Iterator[AgreementContactRow]:
    for role, column in CONTACT_COLUMNS.items():
        names = [part.strip() for part in cell(f"{column}_name").split(MANY)]
        emails, addresses = (_as_many(cell(f"{column}_{kind}"), len(names)) for kind in ("email", "address"))
        if role is ContactRole.GENERAL and cell("general_name") and not any((*emails, *addresses)):
            problems.append(_nobody(["general_email", "general_address"], where))
            continue
        if not len(names) == len(emails) == len(addresses) or any(
            bool(name) != bool(email or address) for name, email, address in zip(names, emails, addresses, strict=True)
        ):
            if role is not ContactRole.GENERAL or cell("general_name"):
                problems.append(
                    InvalidInput(
                        f"The {column} contacts have not the same number of names and e-mail or postal addresses.",
                        where=where,
                        next_step=f"Give the name and an address of each contact, several separated by {MANY}",
                    )
                )
            continue
        for rank, (name, email, address) in enumerate(zip(names, emails, addresses, strict=True)):
            if not name:
                continue
            try:
                yield AgreementContactRow(
                    role=role,
                    rank=rank,
                    name=name,
                    email=checked_address(email, where=f"{column}_email") if email else "",
                    postal_address=checked_postal_address(address, where=f"{column}_address") if address else None,
                )
            except InvalidInput as error:
                problems.append(InvalidInput(f"{error.where}: {error.message}", where=where, next_step=error.next_step))


def _as_many(cell: str, count: int) -> list[str]:
    """The parts of a cell; of one that is empty, as many empty ones as there are contacts."""
    return [part.strip() for part in cell.split(MANY)] if cell else [""] * count


def _known(session: Session) -> dict[str, AgreementRow]:
    named = select(AgreementContact).where(AgreementContact.rank >= 0)
    contacts = grouped(rows_that_open(session, named, col(AgreementContact.id)), lambda contact: contact.agreement_id)
    roles = list(CONTACT_COLUMNS)
    return {
        row.reference: AgreementRow(
            contacts=tuple(
                AgreementContactRow.model_validate(contact, from_attributes=True)
                for contact in sorted(contacts[row.id], key=lambda contact: (roles.index(contact.role), contact.rank))
            ),
            **row.model_dump(include=set(AgreementRow.model_fields)),
        )
        for row in session.exec(select(Agreement))
    }


def _as_recorded(
    session: Session, rows: Sequence[AgreementRow], before: Mapping[str, AgreementRow], file_name: str
) -> tuple[AgreementRow, ...]:
    """The rows with what was recorded of their agreements' lives since: a file that has not caught up changes nothing.

    Raises:
        InvalidFields: a file gives a date that is neither the recorded one nor the one before it.
    """
    ids = {identifiers.agreement_id(row.reference): row for row in rows if row.reference in before}
    oldest = {change.agreement_id: change for change in standing_changes(session, ids)}  # the last first
    kept, problems = {}, []
    for agreement_id, change in oldest.items():
        row = ids[agreement_id]
        recorded = before[row.reference].model_dump(include={"expires_on", "terminated_on"})
        kept[row.reference] = row.model_copy(update=recorded)
        for name, day in recorded.items():
            given: date | None = getattr(row, name)
            if given not in (None, day) and given.isoformat() != change.before[name]:
                problems.append(_recorded_otherwise(row.reference, name, given, file_name))
    if problems:
        raise InvalidFields(tuple(problems))
    return tuple(kept.get(row.reference, row) for row in rows)


def _recorded_otherwise(reference: str, name: str, given: date, file_name: str) -> InvalidInput:
    return InvalidInput(
        f"{reference}: {name} is {given.isoformat()} here, and something else was recorded since it was imported.",
        where=file_name,
        next_step="Leave the cell empty, or take back on the agreement's page what was recorded.",
    )


def _keep(session: Session, rows: Sequence[AgreementRow], now: datetime) -> list[AgreementContact]:
    """Keep new agreements; return their contacts."""
    if not rows:
        return []
    session.execute(
        insert(Agreement),
        [
            {"id": identifiers.agreement_id(row.reference), "imported_at": now, "entered_on": now.date()}
            | row.model_dump(exclude={"contacts"})
            for row in rows
        ],
    )
    contacts = [AgreementContact(**_contact(row, contact)) for row in rows for contact in row.contacts]
    session.execute(insert(AgreementContact), [contact.model_dump() for contact in contacts])
    return contacts


def _contact(row: AgreementRow, contact: AgreementContactRow) -> dict[str, Any]:
    """A new contact's columns; its id is random, since one derived from the address would tell it."""
    return {"id": uuid4(), "agreement_id": identifiers.agreement_id(row.reference)} | contact.model_dump()


def _replace(session: Session, row: AgreementRow, now: datetime) -> list[AgreementContact]:
    """Change an agreement, and return its contacts.

    A contact no longer named stays, since deliveries point to it, but is not written to. So does one whose address does
    not open where it stands. A letter that waits to be posted to an address that is no longer so is made anew.
    """
    agreement = session.get_one(Agreement, identifiers.agreement_id(row.reference))
    agreement.sqlmodel_update(row.model_dump(exclude={"contacts"}))
    session.add(agreement)
    its = (col(AgreementContact.agreement_id) == agreement.id, col(AgreementContact.case_id).is_(None))
    readable = rows_that_open(session, select(AgreementContact).where(*its), col(AgreementContact.id))
    moved = col(AgreementContact.id).not_in([contact.id for contact in readable])
    session.execute(update(AgreementContact).where(*its, moved).values(rank=FORMER))
    kept = {(contact.role, contact.email or contact.name): contact for contact in readable}
    contacts = []
    for contact in row.contacts:
        known = kept.pop((contact.role, contact.email or contact.name), None)
        if known and known.postal_address != contact.postal_address:
            _make_letters_anew(session, known, now)
        contacts.append(known.sqlmodel_update(contact) if known else AgreementContact(**_contact(row, contact)))
    for former in kept.values():
        former.rank = FORMER
        contacts.append(former)
        _make_letters_anew(session, former, now)
    session.add_all(contacts)
    return contacts


def _make_letters_anew(session: Session, contact: AgreementContact, now: datetime) -> None:
    session.execute(
        update(PostalLetter)
        .where(col(PostalLetter.contact_id) == contact.id, col(PostalLetter.mailed_at).is_(None))
        .values(replaced_at=now, replaced_for=WrittenAnew.ADDRESS)
    )


def _note_undelivered(session: Session, agreements: Sequence[UUID], now: datetime) -> None:
    """Note on the open cases with notices that were not given under some agreements that there may be new contacts.

    The watchdog hands it on, and what could not be given is planned anew.
    """
    not_given = (
        select(Notice.case_id)
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .where(col(Duty.agreement_id).in_(agreements), col(Notice.given_at).is_(None), col(Notice.dropped).is_(False))
    )
    still_open = col(Case.id).in_(not_given), col(Case.closed_at).is_(None)
    session.execute(update(Case).where(*still_open).values(changed_at=now))


def _events(rows: Sequence[AgreementRow], sha256: str, actor: str, now: datetime) -> list[AgreementImported]:
    return [
        AgreementImported(
            actor=actor,
            at=now,
            agreement_id=identifiers.agreement_id(row.reference),
            form=row.form,
            state=row.state,
            file_sha256=sha256,
        )
        for row in rows
    ]
