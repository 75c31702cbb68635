"""Importing agreements: every bad row with its line and reason, and nothing of a file unless all of it is sound."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlmodel import col, select, text

from agreements.importing import DEMO_FILE, ImportResult, import_agreements
from agreements.life import record_termination
from config.database import Database
from config.keyring import Keyring
from ledger.artifacts import fetch
from models.enums import ContactRole, EndedBy
from models.errors import InvalidFields
from models.identifiers import agreement_id
from models.tables import Agreement, AgreementContact, EvidenceEntry
from queries.agreements import list_agreements
from starter.resources import utc_now
from terms.catalogue import load_catalogue

HEADER = "reference,form,lea_name,state,time_zone,executed_on,expires_on,general_name,general_email"
SOUND = "A-1,ndpa-v1,Inkwell District,VA,America/New_York,2025-01-12,2028-01-11,Office,office@inkwell.example.org"


@pytest.fixture
def database(tmp_path: Path, keyring: Keyring) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'duenotice.sqlite3'}", keyring)
    opened.migrate()
    yield opened
    opened.close()


def load(database: Database, *lines: str) -> ImportResult:
    text = "\n".join(lines) + "\n"
    return import_agreements(
        database, load_catalogue(), text, file_name="districts.csv", now=utc_now(), actor="officer"
    )


def problems(database: Database, *lines: str) -> list[str]:
    """What is said of a file that is not sound; nothing of it may have been kept."""
    before = list_agreements(database)
    with pytest.raises(InvalidFields) as caught:
        load(database, *lines)
    assert list_agreements(database) == before
    return [str(problem) for problem in caught.value.problems]


def contacts(database: Database) -> dict[tuple[ContactRole, str], int]:
    """Each contact's rank; -1 is one that the agreement no longer names."""
    with database.reading() as session:
        return {(row.role, row.email): row.rank for row in session.exec(select(AgreementContact))}


def test_the_demo_file_holds_one_fictional_district_for_each_state_of_the_forms(database: Database) -> None:
    assert load(database, DEMO_FILE.read_text("utf-8").strip()) == ImportResult(added=12, changed=0, unchanged=0)
    catalogue = load_catalogue()
    loaded = {(row.form, row.state) for row in list_agreements(database)}
    assert loaded == {(form, state) for form in ("ndpa-v1", "ndpa-v2") for state in catalogue.form(form).supplements}
    assert all(email.endswith(".example.org") for _, email in contacts(database))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("ndpa-v1", "ndpa-v9"), "ndpa-v9"),
        ((",VA,", ",ZZ,"), "ZZ"),
        (("America/New_York", "America/Nowhere"), "There is no time zone America/Nowhere."),
        (("2025-01-12", "12 January 2025"), "executed_on is not a date: 12 January 2025."),
        (("2028-01-11", "soon"), "expires_on is not a date: soon."),
        (("2028-01-11", "2024-01-11"), "expires_on is before executed_on."),
        (("A-1", ""), "reference is empty."),
        (("Inkwell District", ""), "lea_name is empty."),
        (("office@inkwell.example.org", "office.inkwell.example.org"), "general_email: "),
        (
            ("office@inkwell.example.org", ""),
            "general_email, general_address are empty: the district has no contact who could be told.",
        ),
        (("Office,", ","), "general_name is empty: the district has no contact who could be told."),
        (
            ("Office,", "Office;Deputy,"),
            "The general contacts have not the same number of names and e-mail or postal addresses.",
        ),
        (("Office,", "Office,extra,"), "The row has more cells than the header."),
    ],
)
def test_a_bad_row_is_told_with_its_line_and_reason(database: Database, change: tuple[str, str], says: str) -> None:
    bad = SOUND.replace(*change).replace("A-1", "A-2")
    (problem,) = problems(database, HEADER, SOUND, bad)
    assert problem.startswith("districts.csv:3: ")
    assert says in problem


def test_every_bad_row_of_a_file_is_told(database: Database) -> None:
    found = problems(
        database,
        HEADER,
        SOUND,
        SOUND.replace("A-1", "A-2").replace("VA", "ZZ"),
        SOUND.replace("A-1", "A-3").replace("2025-01-12", "never").replace("America/New_York", "Mars"),
    )
    assert [problem.partition(": ")[0] for problem in found] == [
        "districts.csv:3",
        "districts.csv:4",
        "districts.csv:4",
    ]


def test_a_reference_stands_once_in_a_file(database: Database) -> None:
    (problem,) = problems(database, HEADER, SOUND, SOUND)
    assert problem.startswith("districts.csv:3: The reference A-1 stands in line 2 already.")


def test_a_header_names_the_columns_it_lacks_and_those_that_there_are_not(database: Database) -> None:
    lacking, unknown = problems(database, HEADER.replace("state,", "county,"), SOUND)
    assert lacking.startswith("districts.csv:1: The header lacks state.")
    assert unknown.startswith("districts.csv:1: There is no column county.")


@pytest.mark.parametrize("lines", [("",), (HEADER,)])
def test_a_file_without_a_row_is_refused(database: Database, lines: tuple[str, ...]) -> None:
    assert problems(database, *lines)


def test_importing_the_same_file_again_changes_nothing(database: Database) -> None:
    load(database, HEADER, SOUND)
    before, entries = contacts(database), imports(database)
    assert load(database, HEADER, SOUND) == ImportResult(added=0, changed=0, unchanged=1)
    assert contacts(database) == before
    assert imports(database) == entries


def test_a_changed_contact_replaces_the_former_who_is_kept_but_no_longer_written_to(database: Database) -> None:
    load(database, HEADER, SOUND)
    assert load(database, HEADER, SOUND.replace("office@", "desk@")) == ImportResult(added=0, changed=1, unchanged=0)
    general = ContactRole.GENERAL
    assert contacts(database) == {
        (general, "office@inkwell.example.org"): -1,
        (general, "desk@inkwell.example.org"): 0,
    }
    assert load(database, HEADER, SOUND) == ImportResult(added=0, changed=1, unchanged=0)
    assert contacts(database)[general, "office@inkwell.example.org"] == 0


def test_several_contacts_of_a_role_are_tried_in_the_order_given(database: Database) -> None:
    row = SOUND.replace("Office,office@", "Office;Deputy,office@inkwell.example.org;deputy@")
    load(database, HEADER, row)
    general = ContactRole.GENERAL
    assert contacts(database) == {
        (general, "office@inkwell.example.org"): 0,
        (general, "deputy@inkwell.example.org"): 1,
    }


def test_a_file_may_begin_with_a_byte_order_mark_and_quote_cells_over_several_lines(database: Database) -> None:
    row = SOUND.replace("Inkwell District", '"Inkwell\nDistrict"')
    bad = SOUND.replace("A-1", "A-2").replace("VA", "ZZ")
    (problem,) = problems(database, "\ufeff" + HEADER, row, bad)
    assert problem.startswith("districts.csv:4: "), "lines are those of the file, not of the rows"
    assert load(database, "\ufeff" + HEADER, row).added == 1


def imports(database: Database) -> list[EvidenceEntry]:
    with database.reading() as session:
        return list(session.exec(select(EvidenceEntry).where(col(EvidenceEntry.kind) == "agreement_imported")).all())


def test_an_import_leaves_evidence_with_the_file(database: Database) -> None:
    load(database, HEADER, SOUND)
    (entry,) = imports(database)
    assert "@" not in str(entry.body)
    with database.reading() as session:
        assert SOUND.encode() in fetch(session, entry.artifacts[0])
        assert session.exec(select(Agreement.reference)).one() == "A-1"


def test_a_file_that_has_not_caught_up_takes_back_nothing_that_was_recorded(database: Database) -> None:
    load(database, HEADER, SOUND)
    with database.writing() as session:
        record_termination(
            session,
            agreement_id("A-1"),
            on=date(2026, 6, 30),
            by=EndedBy.LEA,
            reason="Another service.",
            actor="officer",
            now=utc_now(),
        )
    assert load(database, HEADER, SOUND) == ImportResult(added=0, changed=0, unchanged=1)
    otherwise = SOUND.replace("2028-01-11", "2029-01-11")
    (said,) = problems(database, HEADER, otherwise)
    assert "A-1: expires_on is 2029-01-11 here, and something else was recorded" in said
    assert list_agreements(database)[0].terminated_on == date(2026, 6, 30)


WITH_ADDRESS = f"{HEADER},general_address"


def sound_at(address: str, email: str = "office@inkwell.example.org") -> str:
    """A sound row with a postal address."""
    return f"{SOUND.replace('office@inkwell.example.org', email)},{address}"


def addresses(database: Database) -> list[tuple[str, str | None]]:
    with database.reading() as session:
        found = session.exec(select(AgreementContact))
        return [(contact.email, contact.postal_address) for contact in found]


def test_a_contact_may_have_a_postal_address_besides_or_instead_of_an_e_mail_address(database: Database) -> None:
    load(database, WITH_ADDRESS, sound_at('"1 Hill Road | Inkwell, VA 00000"'))
    assert addresses(database) == [("office@inkwell.example.org", "1 Hill Road\nInkwell, VA 00000")]
    load(database, WITH_ADDRESS, sound_at('"1 Hill Road | Inkwell, VA 00000"', email="").replace("A-1", "A-2"))
    assert ("", "1 Hill Road\nInkwell, VA 00000") in addresses(database)


def test_a_postal_address_that_fits_no_envelope_is_told_at_its_column(database: Database) -> None:
    (problem,) = problems(database, WITH_ADDRESS, sound_at("Inkwell"))
    assert problem.startswith("districts.csv:2: general_address: A postal address has two or three lines")


def test_a_postal_address_is_sealed(database: Database) -> None:
    load(database, WITH_ADDRESS, sound_at('"1 Hill Road | Inkwell, VA 00000"'))
    with database.reading() as session:
        (stored,) = session.execute(text("SELECT postal_address FROM agreement_contact")).one()
    assert b"Hill Road" not in (stored if isinstance(stored, bytes) else str(stored).encode())
