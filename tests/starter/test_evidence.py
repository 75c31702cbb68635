"""Bundles of evidence: they hold without us, and whatever somebody changes in one is named, the first first."""

from __future__ import annotations

import ast
import base64
import io
import json
import logging
import re
import stat
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import pytest
from sqlmodel import col, select, update

from config.database import Database
from config.keyring import Keyring
from config.object_store import Directory
from config.settings import Settings
from ledger import verify_bundle
from ledger.bundle import Scope, signed_statement
from ledger.checkpoints import head_line, newest_head, signed_note
from ledger.entries import EvidenceAskedFor, stored_kinds
from ledger.log_keys import LogKeys, create_log_key, rotate_log_key
from ledger.moving import move_back, move_out
from ledger.verify_bundle import STATEMENT, Step, Verdict, check, read_heads, read_vkeys, trusted_keys
from mail.links import shown_link
from models.columns import bind_sealer
from models.errors import InvalidInput, NotFound
from models.tables import Case, EvidenceEntry
from starter.cli.main import run
from starter.resources import utc_now
from terms.retention import years_after
from tests.support.bundles import LETTER, OTHERS, Evidence, keep_evidence, names, rewritten

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    folder = tmp_path_factory.mktemp("evidence")
    kept = keep_evidence(folder, Keyring.create(folder / "keyring.json"))
    yield kept
    kept.database.close()


@pytest.fixture(autouse=True)
def _sealing(evidence: Evidence) -> None:
    bind_sealer(Keyring.load(evidence.settings.home.parent / "keyring.json"))


@pytest.fixture(scope="module")
def bundle(evidence: Evidence, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The case's bundle."""
    return evidence.export(tmp_path_factory.mktemp("bundle") / "case.zip").path


@pytest.fixture(scope="module")
def whole(evidence: Evidence, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the whole ledger."""
    return evidence.export(tmp_path_factory.mktemp("bundle") / "whole.zip", Scope()).path


# What holds


def test_a_bundle_of_a_case_holds_its_entries_and_no_other_s(evidence: Evidence, bundle: Path) -> None:
    verdict = check(bundle, trusted=evidence.keys.keys, known_kinds=stored_kinds())
    assert (verdict.state, verdict.exit_code, verdict.key_is_trusted) == ("intact", 0, True), verdict.words()
    with zipfile.ZipFile(bundle) as archive:
        entries = [json.loads(archive.read(name)) for name in names(bundle, "entries")]
    with evidence.database.reading() as session:
        numbers = session.exec(select(EvidenceEntry.number).where(EvidenceEntry.case_id == evidence.case_id)).all()
    assert {entry["case_id"] for entry in entries} == {str(evidence.case_id)}
    assert [entry["number"] for entry in entries] == sorted(numbers)[: len(entries)], "files are named by their numbers"
    assert all(len(entry["salt"]) == 32 for entry in entries)
    assert entries[-1]["kind"] == EvidenceAskedFor.kind, "that it was asked for is in it"
    assert (verdict.entries, verdict.artifacts, len(verdict.erased)) == (len(entries), 3, 1)
    assert f"artifact {evidence.gone}" in verdict.erased[0]


def test_a_bundle_is_the_same_where_artifacts_were_moved_to_a_store(
    evidence: Evidence, tmp_path: Path, bundle: Path
) -> None:
    (tmp_path / "artifacts").mkdir()
    keyring = Keyring.load(evidence.settings.home.parent / "keyring.json")
    database = Database(evidence.settings.database_url.get_secret_value(), keyring, Directory(tmp_path / "artifacts"))
    assert move_out(database, 0).count
    moved = replace(evidence, database=database).export(tmp_path / "moved.zip").path
    verdict = check(moved, trusted=evidence.keys.keys)
    assert (verdict.state, verdict.artifacts, len(verdict.erased)) == ("intact", 3, 1), verdict.words()
    assert names(moved, "artifacts") == names(bundle, "artifacts")
    move_back(database)
    database.close()


def test_a_proof_s_index_is_the_entry_s_place_in_the_log(bundle: Path) -> None:
    for name in names(bundle, "proofs"):
        with zipfile.ZipFile(bundle) as archive:
            lines = archive.read(name).decode().split("\n")
        assert lines[:2] == ["c2sp.org/tlog-proof@v1", f"index {int(Path(name).stem) - 1}"]


def test_a_bundle_of_the_whole_ledger_holds_all_of_it_in_the_log_s_tiles(evidence: Evidence, whole: Path) -> None:
    verdict = check(whole, trusted=evidence.keys.keys)
    assert (verdict.state, verdict.whole, verdict.entries) == ("intact", True, verdict.size), verdict.words()
    assert verdict.entries > OTHERS
    assert names(whole, "log/tile/entries")[0] == "log/tile/entries/000"
    assert names(whole, "entries") == []


def test_a_time_can_be_exported(evidence: Evidence, tmp_path: Path) -> None:
    hour_ago = utc_now() - timedelta(hours=1)
    made = evidence.export(tmp_path / "time.zip", Scope(since=hour_ago, until=utc_now() + timedelta(minutes=1)))
    assert check(made.path).state == "intact"
    with pytest.raises(InvalidInput, match="no entry of this to export"):
        evidence.export(tmp_path / "none.zip", Scope(until=hour_ago - timedelta(days=9)))
    assert not (tmp_path / "none.zip").exists()


def test_letters_can_be_exported_without_the_links_on_which_their_readers_answer(
    evidence: Evidence, tmp_path: Path
) -> None:
    made = evidence.export(tmp_path / "case.zip", as_sent=False)
    with zipfile.ZipFile(made.path) as archive:
        letter = archive.read(f"artifacts/{evidence.letter}.without-links.eml").decode()
        assert f"artifacts/{evidence.letter}" not in archive.namelist()
    assert 46 * "x" not in letter
    assert shown_link("https://provider.test") in letter
    verdict = check(made.path)
    assert (verdict.state, verdict.without_links, verdict.artifacts) == ("intact", 1, 2)
    assert "1 letter is here without the links" in verdict.words()


def test_a_letter_as_it_was_sent_is_its_bytes(evidence: Evidence, bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        assert archive.read(f"artifacts/{evidence.letter}") == LETTER


def test_nobody_else_can_read_the_file_and_nothing_is_overwritten(evidence: Evidence, bundle: Path) -> None:
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    before = bundle.read_bytes()
    with pytest.raises(InvalidInput, match="There is a file already"):
        evidence.export(bundle)
    assert bundle.read_bytes() == before
    with pytest.raises(InvalidInput, match="There is no such folder"):
        evidence.export(bundle.parent / "none" / "case.zip")
    with pytest.raises(NotFound):
        evidence.export(bundle.with_name("none.zip"), Scope(UUID(int=3)))


def test_a_bundle_from_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    own = keep_evidence(tmp_path, Keyring.create(tmp_path / "keyring.json"), database_url=postgresql_url)
    own.others(600, 1_200)
    for scope in (Scope(own.case_id), Scope()):
        made = own.export(tmp_path / f"{scope.whole}.zip", scope)
        verdict = check(made.path, trusted=own.keys.keys)
        assert (verdict.state, verdict.whole) == ("intact", scope.whole), verdict.words()
    own.database.close()


def test_two_keys_sign_while_the_log_changes_hands_and_either_is_enough(tmp_path: Path) -> None:
    own = keep_evidence(tmp_path, Keyring.create(tmp_path / "keyring.json"))
    keys = rotate_log_key(own.settings.log_key, utc_now() - timedelta(seconds=1))
    made = own.export(tmp_path / "both.zip").path
    for key in keys.keys:
        verdict = check(made, trusted=[key])
        assert (verdict.state, verdict.key) == ("intact", key.text)
    own.database.close()


# verify.py


def test_verify_py_is_the_program_itself_and_needs_nothing_of_ours(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        program = archive.read("verify.py")
    assert program == Path(verify_bundle.__file__).read_bytes()
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else name.name).split(".")[0]  # type: ignore[union-attr]
        for node in ast.walk(ast.parse(program))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert imported - sys.stdlib_module_names == {"cryptography"}
    (tmp_path / "verify.py").write_bytes(program)

    def says(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-I", "verify.py", *arguments]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return run.returncode, run.stdout + run.stderr

    code, said = says(str(bundle), "--json")
    assert (code, json.loads(said)["state"]) == (0, "intact")
    broken = rewritten(bundle, tmp_path / "broken.zip", {"report.pdf": b"another"})
    code, said = says(str(broken))
    assert code == 1
    assert said.startswith("NOT INTACT. Step 9, report.pdf: It is not what the statement names")
    assert says("nothing.zip")[0] == 2


# What is caught


def entry(bundle: Path, place: int) -> str:
    return names(bundle, "entries")[place]


def proof(bundle: Path, place: int) -> str:
    return names(bundle, "proofs")[place]


def content(bundle: Path, name: str) -> bytes:
    with zipfile.ZipFile(bundle) as archive:
        return archive.read(name)


def number(name: str) -> int:
    return int(Path(name).stem)


def flipped(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


def fails(path: Path, step: Step, record: str, evidence: Evidence, **given: object) -> Verdict:
    verdict = check(path, trusted=evidence.keys.keys, **given)  # type: ignore[arg-type]
    assert (verdict.state, verdict.exit_code, verdict.step) == ("not intact", 1, step), verdict.words()
    assert verdict.record is not None
    assert record in verdict.record
    return verdict


def test_an_edited_entry(bundle: Path, evidence: Evidence, tmp_path: Path) -> None:
    name = entry(bundle, 1)
    edited = rewritten(bundle, tmp_path / "y.zip", {name: lambda old: old.replace(b'"kind":"', b'"kind":"x')})
    fails(edited, Step.ENTRIES, f"entry {number(name)} (", evidence)


def test_a_deleted_entry(bundle: Path, evidence: Evidence, tmp_path: Path) -> None:
    gone = {entry(bundle, 1): None, proof(bundle, 1): None}
    called = f"entry {number(entry(bundle, 1))} ({entry(bundle, 1)})"
    fails(rewritten(bundle, tmp_path / "x.zip", gone), Step.STATEMENT, called, evidence)
    alone = rewritten(bundle, tmp_path / "y.zip", {entry(bundle, 1): None}, signed=evidence.keys)
    fails(alone, Step.ENTRIES, f"entry {number(entry(bundle, 1))}", evidence)


def test_an_inserted_entry(bundle: Path, evidence: Evidence, tmp_path: Path) -> None:
    one = content(bundle, entry(bundle, 1)).replace(f'"number":{number(entry(bundle, 1))},'.encode(), b'"number":5,')
    added = {"entries/5.json": one, "proofs/5.tlog-proof": content(bundle, proof(bundle, 1))}
    fails(rewritten(bundle, tmp_path / "x.zip", added=added), Step.STATEMENT, "entry 5 ", evidence)
    by_us = rewritten(bundle, tmp_path / "y.zip", added=added, signed=evidence.keys)
    fails(by_us, Step.ENTRIES, "entry 5 ", evidence)
    far = rewritten(bundle, tmp_path / "z.zip", added={"entries/999999.json": one}, signed=evidence.keys)
    fails(far, Step.ENTRIES, "entry 999999", evidence)


def test_entries_in_another_order(bundle: Path, evidence: Evidence, tmp_path: Path) -> None:
    one, other = entry(bundle, 1), entry(bundle, 2)
    path = rewritten(bundle, tmp_path / "x.zip", {one: content(bundle, other), other: content(bundle, one)})
    fails(path, Step.ENTRIES, f"entry {number(one)} ", evidence)


def test_a_tail_that_was_cut_off(bundle: Path, evidence: Evidence, tmp_path: Path) -> None:
    path = rewritten(bundle, tmp_path / "x.zip", {entry(bundle, -1): None, proof(bundle, -1): None})
    fails(path, Step.STATEMENT, entry(bundle, -1), evidence)


def test_two_artifacts_that_were_swapped(bundle: Path, evidence: Evidence, tmp_path: Path) -> None:
    one, other = f"artifacts/{evidence.reason}", f"artifacts/{evidence.proof}"
    path = rewritten(bundle, tmp_path / "x.zip", {one: content(bundle, other), other: content(bundle, one)})
    fails(path, Step.ARTIFACTS, f"artifact {evidence.reason}, to which entry", evidence)


def test_an_artifact_that_is_gone_or_is_said_to_have_been_erased(
    bundle: Path, evidence: Evidence, tmp_path: Path
) -> None:
    name, keys = f"artifacts/{evidence.reason}", evidence.keys
    fails(rewritten(bundle, tmp_path / "w.zip", {name: None}), Step.STATEMENT, name, evidence)
    gone = rewritten(bundle, tmp_path / "x.zip", {name: None}, signed=keys)
    fails(gone, Step.ARTIFACTS, f"artifact {evidence.reason}, to which entry", evidence)
    erasure = {f"{name}.erased.json": json.dumps({"sha256": evidence.reason, "entry": 1}).encode()}
    said = rewritten(bundle, tmp_path / "y.zip", {name: None}, erasure, signed=keys)
    assert "no entry of the bundle says" in str(fails(said, Step.ARTIFACTS, evidence.reason, evidence).reason)
    added = rewritten(bundle, tmp_path / "z.zip", added={f"artifacts/{'0' * 64}": b""}, signed=keys)
    fails(added, Step.ARTIFACTS, "0" * 64, evidence)


def test_edited_clauses(bundle: Path, evidence: Evidence, tmp_path: Path) -> None:
    name, keys = names(bundle, "terms")[0], evidence.keys
    edited = rewritten(bundle, tmp_path / "x.zip", {name: lambda old: old.replace(b"72", b"99")}, signed=keys)
    fails(edited, Step.TERMS, f"pinned ({name})", evidence)
    fails(rewritten(bundle, tmp_path / "y.zip", {name: None}, signed=keys), Step.TERMS, name, evidence)
    added = rewritten(bundle, tmp_path / "z.zip", added={f"terms/{'0' * 64}.json": b"{}"}, signed=keys)
    fails(added, Step.TERMS, f"terms/{'0' * 64}.json", evidence)


@pytest.mark.parametrize("name", ["report.pdf", "README.txt", "verify.py"])
def test_an_edited_report_or_program(bundle: Path, evidence: Evidence, tmp_path: Path, name: str) -> None:
    fails(rewritten(bundle, tmp_path / "x.zip", {name: flipped}), Step.FILES, name, evidence)


def test_a_flipped_byte_in_a_tile(bundle: Path, evidence: Evidence, tmp_path: Path) -> None:
    full = rewritten(bundle, tmp_path / "x.zip", {"log/tile/0/000": flipped})
    fails(full, Step.TREE, "log/tile/0/000", evidence)
    partial = next(name for name in names(bundle, "log/tile/0") if ".p/" in name)
    fails(rewritten(bundle, tmp_path / "y.zip", {partial: flipped}), Step.TREE, "log/tile", evidence)
    fails(rewritten(bundle, tmp_path / "z.zip", {partial: None}, signed=evidence.keys), Step.TREE, partial, evidence)
    more = rewritten(bundle, tmp_path / "w.zip", added={"log/tile/3/000.p/1": bytes(32)}, signed=evidence.keys)
    fails(more, Step.TREE, "log/tile/3/000.p/1", evidence)


def test_the_proof_of_another_entry(bundle: Path, evidence: Evidence, tmp_path: Path) -> None:
    path = rewritten(bundle, tmp_path / "x.zip", {proof(bundle, 1): content(bundle, proof(bundle, 2))})
    fails(path, Step.ENTRIES, f"entry {number(entry(bundle, 1))} ", evidence)
    fails(rewritten(bundle, tmp_path / "y.zip", {proof(bundle, 1): b"?"}), Step.ENTRIES, "entry", evidence)


def test_an_old_checkpoint_that_is_played_again(bundle: Path, evidence: Evidence, tmp_path: Path) -> None:
    later = evidence.export(tmp_path / "later.zip").path
    path = rewritten(later, tmp_path / "x.zip", {"log/checkpoint": content(bundle, "log/checkpoint")})
    fails(path, Step.STATEMENT, "log/checkpoint", evidence)
    verdict = check(bundle, trusted=evidence.keys.keys, heads=read_heads(content(later, "log/checkpoint").decode()))
    assert (verdict.state, verdict.step) == ("not intact", Step.KEPT_HEADS)
    assert "older than it" in str(verdict.reason)


def test_a_bundle_that_was_signed_again_with_another_key(evidence: Evidence, tmp_path: Path) -> None:
    """Whoever has the database and the keyring, and not the log's key."""
    own = Settings.model_validate({"home": evidence.settings.home, "log_key": tmp_path / "own.json"})
    forged = create_log_key(own.log_key, "provider.test", utc_now() - timedelta(minutes=1))
    path = tmp_path / "forged.zip"
    evidence.export(path, settings=own)
    assert check(path).state in ("intact", "not intact"), "by its own word only"
    fails(path, Step.HEAD, "log/checkpoint", evidence)
    statement = rewritten(
        evidence.export(tmp_path / "real.zip").path, tmp_path / "x.zip", {"vkey": forged.vkeys().encode()}
    )
    fails(statement, Step.FILES, "vkey", evidence)


def test_a_statement_of_another_bundle(bundle: Path, evidence: Evidence, tmp_path: Path) -> None:
    other = evidence.export(tmp_path / "other.zip").path
    path = rewritten(bundle, tmp_path / "x.zip", {"statement.dsse.json": content(other, "statement.dsse.json")})
    fails(path, Step.STATEMENT, "statement.dsse.json", evidence)
    signed = json.loads(content(bundle, "statement.dsse.json"))
    payload = base64.b64decode(signed["payload"]).replace(b'"verdict": "on_time"', b'"verdict": "late"')
    changed = json.dumps(signed | {"payload": base64.b64encode(payload).decode()}).encode()
    fails(
        rewritten(bundle, tmp_path / "y.zip", {"statement.dsse.json": changed}), Step.STATEMENT, "statement", evidence
    )


def test_an_entry_changed_in_a_bundle_of_the_whole_ledger(whole: Path, evidence: Evidence, tmp_path: Path) -> None:
    name = names(whole, "log/tile/entries")[0]
    path = rewritten(whole, tmp_path / "x.zip", {name: lambda old: old.replace(b"stuck", b"stUck", 3)})
    assert "entry 1 (" in str(fails(path, Step.ENTRIES, "entry 1 (", evidence).record)
    cut = rewritten(whole, tmp_path / "y.zip", {name: lambda old: old[: len(old) // 2]})
    fails(cut, Step.ENTRIES, "", evidence)


# Heads that somebody kept


def test_kept_heads_hold_a_bundle_to_what_the_log_was(evidence: Evidence, tmp_path: Path) -> None:
    first = evidence.export(tmp_path / "first.zip").path
    with evidence.database.reading() as session:
        head = newest_head(session)
    assert head is not None
    evidence.others(5_000, 5_700)
    later = evidence.export(tmp_path / "later.zip").path
    foot = f"On behalf of the provider\n{head_line(head.size, head.root)}\n"
    for kept in (head.note, foot, head.note + "\n" + foot):
        verdict = check(later, trusted=evidence.keys.keys, heads=read_heads(kept))
        assert (verdict.state, verdict.heads) == ("intact", len(read_heads(kept))), verdict.words()
    another = head_line(head.size, "00" * 32)
    fails(later, Step.KEPT_HEADS, f"the kept head of {head.size} entries", evidence, heads=read_heads(another))
    assert check(first, heads=read_heads(foot)).state == "intact"


def test_a_ledger_that_was_rolled_back(tmp_path: Path) -> None:
    """Its file is put back from a copy, and goes on differently: what it signs then is sound by itself."""
    own = keep_evidence(tmp_path, Keyring.create(tmp_path / "keyring.json"))
    file = Path(str(own.database.engine.url.database))
    own.database.close()
    copy = file.read_bytes()
    own.export(tmp_path / "told.zip")
    with own.database.reading() as session:
        head = newest_head(session)
    assert head is not None
    own.database.close()
    for part in file.parent.glob(f"{file.name}-*"):
        part.unlink()
    file.write_bytes(copy)
    own.others(9_000, 9_100)
    forged = own.export(tmp_path / "forged.zip").path
    assert check(forged, trusted=own.keys.keys).state == "intact"
    fails(forged, Step.KEPT_HEADS, "kept head", own, heads=read_heads(head_line(head.size, head.root)))
    own.database.close()


# What cannot be checked


def cannot(path: Path, reason: str, **given: object) -> None:
    verdict = check(path, **given)  # type: ignore[arg-type]
    assert (verdict.state, verdict.exit_code) == ("could not check", 2), verdict.words()
    assert reason in str(verdict.reason), verdict.reason
    assert "\n" not in verdict.words()


def test_what_is_no_zip(bundle: Path, tmp_path: Path) -> None:
    cannot(tmp_path / "absent.zip", "cannot be read")
    for name, some in {"text": b"hello", "empty": b"", "cut": bundle.read_bytes()[:-200]}.items():
        (tmp_path / name).write_bytes(some)
        cannot(tmp_path / name, "It is no ZIP file, or was cut short.")


def test_a_zip_bomb(bundle: Path, tmp_path: Path) -> None:
    bomb = rewritten(bundle, tmp_path / "x.zip", added={f"artifacts/{'0' * 64}": bytes(64 << 20)})
    cannot(bomb, "a ZIP bomb")


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "entries/../../evil", "C:\\evil", "a\\..\\b"])
def test_a_path_that_climbs_out(bundle: Path, tmp_path: Path, name: str) -> None:
    cannot(rewritten(bundle, tmp_path / "x.zip", added={name: b""}), "Its path leads out of the bundle.")


def test_a_file_of_a_name_that_bundles_do_not_have_or_that_stands_there_twice(
    bundle: Path, evidence: Evidence, tmp_path: Path
) -> None:
    fails(rewritten(bundle, tmp_path / "x.zip", added={"setup.exe": b""}), Step.ARCHIVE, "setup.exe", evidence)
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = rewritten(bundle, tmp_path / "y.zip", added={"report.pdf": b"another"})
    cannot(twice, "two files of one name")
    fails(rewritten(bundle, tmp_path / "z.zip", {"report.pdf": None}), Step.ARCHIVE, "report.pdf", evidence)


def test_a_damaged_file(bundle: Path, evidence: Evidence, tmp_path: Path) -> None:
    content = bytearray(bundle.read_bytes())
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as archive:
        at = archive.getinfo("report.pdf").header_offset
    content[at + 200] ^= 0xFF
    (tmp_path / "x.zip").write_bytes(bytes(content))
    fails(tmp_path / "x.zip", Step.FILES, "report.pdf", evidence)


def test_whatever_byte_is_changed_nothing_else_passes_as_intact(
    bundle: Path, evidence: Evidence, tmp_path: Path
) -> None:
    """Of a ZIP file some bytes mean nothing, as the times of its files; those may change, and no file's content."""
    original, chance = bundle.read_bytes(), Random(14)
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    found = Counter[str]()
    for number in range(60):
        changed = bytearray(original)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        path = tmp_path / f"{number}.zip"
        path.write_bytes(changed)
        verdict = check(path, trusted=evidence.keys.keys)
        found[verdict.state] += 1
        if verdict.state == "intact":
            with zipfile.ZipFile(path) as archive:
                assert {name: archive.read(name) for name in archive.namelist()} == files
    assert found["not intact"] > 30


def test_a_member_that_is_a_link_or_is_said_to_lie_outside_the_file(bundle: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked.zip"
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(linked, "w") as new:
        for info in old.infolist():
            if info.filename == "report.pdf":
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            new.writestr(info, old.read(info.filename))
    cannot(linked, "It is no file, but a link or the like.")
    damaged = bytearray(bundle.read_bytes())
    with zipfile.ZipFile(bundle) as archive:
        directory = archive.start_dir
    damaged[directory + 42 : directory + 46] = (2**31).to_bytes(4, "little")  # where the first member begins
    (tmp_path / "damaged.zip").write_bytes(damaged)
    assert "It is damaged: it is said to lie outside" in check(tmp_path / "damaged.zip").words()


def restated(bundle: Path, out: Path, keys: LogKeys, **changes: object) -> Path:
    """A bundle whose statement somebody with the key changed."""
    with zipfile.ZipFile(bundle) as archive:
        envelope = json.loads(archive.read(STATEMENT))
    said = json.loads(base64.b64decode(envelope["payload"])) | changes
    return rewritten(bundle, out, {STATEMENT: signed_statement(said, keys.signers(utc_now()))})


@pytest.mark.parametrize(
    ("name", "shown"),
    [("\x1b[2J\x07", r"\x1b[2J\x07"), ("x\nINTACT.", r"x\nINTACT."), ("\ud800\u202e", r"\ud800\u202e")],
)
def test_what_a_bundle_names_steers_no_terminal_and_breaks_no_line(
    bundle: Path, evidence: Evidence, tmp_path: Path, name: str, shown: str
) -> None:
    subject = [{"name": name, "digest": {"sha256": "0" * 64}}]
    path = restated(bundle, tmp_path / "x.zip", evidence.keys, subject=subject)
    program = [sys.executable, "-I", verify_bundle.__file__, str(path)]
    run = subprocess.run(program, capture_output=True, text=True, check=False)
    said = f"NOT INTACT. Step 4, {shown}: The statement names it, and it is not there: it was removed."
    assert (run.returncode, run.stdout.splitlines(), run.stderr) == (1, [said], "")
    assert check(path).words() == said


def test_a_statement_that_says_something_else_than_is_known(bundle: Path, evidence: Evidence, tmp_path: Path) -> None:
    another = restated(bundle, tmp_path / "x.zip", evidence.keys, predicateType="urn:duenotice:evidence:2")
    cannot(another, "It says something else of the bundle (urn:duenotice:evidence:2)")
    fails(restated(bundle, tmp_path / "y.zip", evidence.keys, _type="another"), Step.STATEMENT, STATEMENT, evidence)
    odd = rewritten(bundle, tmp_path / "z.zip", {STATEMENT: lambda content: content.replace(b'"application', b'"x')})
    fails(odd, Step.STATEMENT, STATEMENT, evidence)


def test_nonsense_that_was_signed_is_named_by_the_step_that_met_it(
    bundle: Path, evidence: Evidence, tmp_path: Path
) -> None:
    path = restated(bundle, tmp_path / "x.zip", evidence.keys, predicate={"log": [], "made_at": 7})
    fails(path, Step.STATEMENT, STATEMENT, evidence)


def test_a_head_that_claims_more_entries_than_anybody_could_check(bundle: Path, tmp_path: Path) -> None:
    """Somebody with a key of their own: it ends at once, and does not look for tiles without end."""
    keys = create_log_key(tmp_path / "own.json", "provider.test", utc_now() - timedelta(days=1))
    signers = keys.signers(utc_now())
    note = signed_note(keys.origin, 10**18, bytes(32), signers)
    statement = json.loads(base64.b64decode(json.loads(content(bundle, "statement.dsse.json"))["payload"]))
    root = base64.b64encode(bytes(32)).decode()
    statement["predicate"]["log"] = {"origin": keys.origin, "size": 10**18, "root": root}
    forged = {
        "vkey": keys.vkeys().encode(),
        "log/checkpoint": note.encode(),
        "statement.dsse.json": signed_statement(statement, signers),
    }
    verdict = check(rewritten(bundle, tmp_path / "x.zip", dict(forged)))
    assert (verdict.state, verdict.step) == ("not intact", Step.TREE)


@pytest.mark.parametrize("key", [b"", b"nonsense", b"name+00000000+AAAA"])
def test_a_missing_key(bundle: Path, tmp_path: Path, key: bytes) -> None:
    cannot(rewritten(bundle, tmp_path / "x.zip", {"vkey": key}), "There is no key to check with")


def test_an_untrusted_key_is_said_to_be_the_bundle_s_own_word(bundle: Path) -> None:
    assert "It is the bundle's own word" in check(bundle).words()


def test_an_entry_of_a_newer_version(bundle: Path) -> None:
    cannot(bundle, "a newer version wrote it", known_kinds=stored_kinds() - {EvidenceAskedFor.kind})


# The commands


@dataclass(frozen=True)
class Commands:
    """Runs commands in this process."""

    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """What a command prints: on standard output, or where it refuses, on standard error."""
        self.capture.readouterr()
        assert run(["evidence", *arguments]) == code
        printed = self.capture.readouterr()
        assert "Traceback" not in printed.err
        return printed.err if code else printed.out


@pytest.fixture
def commands(
    evidence: Evidence, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Commands]:
    monkeypatch.setenv("DUENOTICE_HOME", str(evidence.settings.home))
    monkeypatch.setenv("DUENOTICE_LOG_KEY", str(evidence.settings.log_key))
    monkeypatch.setenv("DUENOTICE_KEYRING", str(evidence.settings.home.parent / "keyring.json"))
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Commands(capsys)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_export_and_verify_by_command(commands: Commands, evidence: Evidence, tmp_path: Path) -> None:
    out = tmp_path / "case.zip"
    assert f"{out}: " in commands("export", str(evidence.case_id), "--out", str(out))
    (tmp_path / "key").write_text(commands("key"))
    assert commands("verify", str(out), "--vkey", str(tmp_path / "key")).startswith("INTACT. ")
    verdict = json.loads(commands("verify", str(out), "--json"))
    assert (verdict["state"], verdict["step"]) == ("intact", None)
    assert read_heads(commands("head"))[0].size == verdict["size"]
    assert "There is a file already" in commands("export", "--out", str(out), code=2)
    days = commands("export", "--from", "2020-01-01", "--to", "2020-01-02", "--out", str(tmp_path / "x.zip"), code=2)
    assert "There is no entry of this to export" in days


def test_what_verify_cannot_use_is_named(commands: Commands, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("nothing\n")
    for option, says in (("--vkey", "cannot be used: "), ("--head", "it holds no head")):
        assert says in commands("verify", str(bundle), option, str(tmp_path / "empty"), code=2)
    gone = str(tmp_path / "gone")
    assert "is neither a verifier key nor a file that holds one" in commands(
        "verify", str(bundle), "--vkey", gone, code=2
    )
    assert "No such file or directory" in commands("verify", str(bundle), "--head", gone, code=2)
    assert run(["evidence", "verify", str(bundle), "--head", gone, "--json"]) == 2
    verdict = json.loads(commands.capture.readouterr().out)
    assert (verdict["state"], "No such file or directory" in verdict["reason"]) == ("could not check", True)


def test_a_time_that_is_none_is_named(commands: Commands, tmp_path: Path) -> None:
    out = str(tmp_path / "none.zip")
    assert "is neither a day nor an instant" in commands("export", "--from", "yesterday", "--out", out, code=2)
    assert "It lies before --from" in commands(
        "export", "--from", "2026-03-02", "--to", "2026-03-01", "--out", out, code=2
    )


def test_keys_by_command(commands: Commands, tmp_path: Path) -> None:
    file = str(tmp_path / "keys" / "log.json")
    assert "Auditors know it as:" in commands("make-key", file, "--host", "provider.test")
    assert "provider.test/duenotice/" in commands("rotate-key", file, "--days", "3")
    assert "There is a key already" in commands("make-key", file, "--host", "provider.test", code=2)


def test_the_steps_are_those_of_the_documentation() -> None:
    """The same numbers with the same names, in the program, in its description and in docs/evidence.md."""
    step = r"^(\d+)\. +\*\*([\w ]+)\*\*:"
    documented = re.findall(step, (PROJECT / "docs" / "evidence.md").read_text("utf-8"), re.MULTILINE)
    described = re.findall(step, verify_bundle.__doc__ or "", re.MULTILINE)
    assert documented == described == [(str(one.value), one.name.replace("_", " ").capitalize()) for one in Step]


def test_trusted_keys_are_read_from_a_file_or_given(evidence: Evidence, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(evidence.keys.vkeys())
    assert trusted_keys(str(tmp_path / "keys")) == read_vkeys(evidence.keys.vkeys())
    assert trusted_keys(evidence.keys.keys[0].text)[0].public == evidence.keys.keys[0].public


def test_erasing_is_proposed_by_command_and_refused_in_a_sentence(commands: Commands, evidence: Evidence) -> None:
    asked = ("erase", str(evidence.case_id), "--reason", "Its time is over.")
    assert "The case is open. Nothing was erased." in " ".join(commands(*asked, code=2).split())
    with evidence.database.writing() as session:
        long_ago = years_after(utc_now(), -10)
        session.execute(update(Case).where(col(Case.id) == evidence.case_id).values(closed_at=long_ago))
    said = commands(*asked)
    assert "a second person approves it on" in said
    assert f"/cases/{evidence.case_id}/erasure" in said
    with evidence.database.writing() as session:
        session.execute(update(Case).where(col(Case.id) == evidence.case_id).values(closed_at=None))
