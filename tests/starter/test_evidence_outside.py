"""Other people's verifiers take our bundles: proofbundle and dnsid (PyPI), and Go's golang.org/x/mod/sumdb.

`make oracles` gets them. None of them is used by the program itself.
"""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.keyring import Keyring
from ledger.bundle import Scope
from tests.support.bundles import Evidence, keep_evidence, names

pytestmark = pytest.mark.long

GO_MODULES = Path("/usr/share/gocode")
GO_PROGRAM = Path(__file__).with_name("sumdb_check.go.txt")


def module(name: str) -> Any:
    """A module of an outside verifier."""
    try:
        return importlib.import_module(name)
    except ImportError:
        pytest.skip("none of the outside verifiers on this machine")


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    folder = tmp_path_factory.mktemp("evidence")
    kept = keep_evidence(folder, Keyring.create(folder / "keyring.json"))
    kept.others(1_000, 2_000)
    yield kept
    kept.database.close()


@pytest.fixture(scope="module")
def case(evidence: Evidence, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return evidence.export(tmp_path_factory.mktemp("bundle") / "case.zip").path


@pytest.fixture(scope="module")
def whole(evidence: Evidence, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return evidence.export(tmp_path_factory.mktemp("bundle") / "whole.zip", Scope()).path


def content(bundle: Path, name: str) -> bytes:
    with zipfile.ZipFile(bundle) as archive:
        return archive.read(name)


def test_proofbundle_takes_the_head_and_every_proof(evidence: Evidence, case: Path) -> None:
    proofs, heads = module("proofbundle.tlogproof"), module("proofbundle.checkpoint")
    vkey = evidence.keys.keys[0].text
    assert heads.verify_checkpoint(content(case, "log/checkpoint").decode(), vkey)["ok"]
    entries = names(case, "entries")
    for name, proof in zip(entries, names(case, "proofs"), strict=True):
        found = proofs.verify_tlog_proof(content(case, proof).decode(), content(case, name), vkey)
        assert found["ok"], (name, found)
        assert found["index"] == int(Path(name).stem) - 1
    other = proofs.verify_tlog_proof(
        content(case, "proofs/" + Path(entries[0]).stem + ".tlog-proof").decode(), b"{}", vkey
    )
    assert not other["ok"]


def test_dnsid_takes_the_head_the_proofs_and_the_tiles(evidence: Evidence, case: Path, whole: Path) -> None:
    tlog = {
        name: module(f"dnsid.c2sp_tlog.{name}") for name in ("checkpoint", "merkle", "proof", "signed_note", "tiles")
    }
    key = tlog["signed_note"].parse_signed_note_verifier_key(evidence.keys.keys[0].text)
    head = tlog["checkpoint"].parse_checkpoint(content(case, "log/checkpoint").decode())
    assert tlog["signed_note"].verify_checkpoint_signature(head, key)
    for name, proof in zip(names(case, "entries"), names(case, "proofs"), strict=True):
        found = tlog["proof"].parse_tlog_proof_v1(content(case, proof).decode())
        assert tlog["merkle"].verify_inclusion(
            content(case, name), found.index, head.tree_size, head.root_hash, found.hashes
        ), name
    later = tlog["checkpoint"].parse_checkpoint(content(whole, "log/checkpoint").decode())
    entries = []
    for number in range(-(-later.tree_size // 256)):
        width = min(256, later.tree_size - 256 * number)
        path = tlog["tiles"].entry_bundle_path("log", number, width if width < 256 else None)
        entries += tlog["tiles"].parse_entry_bundle(content(whole, path))
    assert tlog["merkle"].merkle_root_from_entries(entries) == later.root_hash


def test_go_s_sumdb_takes_the_head_the_tiles_and_every_entry(evidence: Evidence, whole: Path, tmp_path: Path) -> None:
    go = shutil.which("go", path=Path(sys.executable).parent) or shutil.which("go")
    if not go or not (GO_MODULES / "src/golang.org/x/mod/sumdb").is_dir():
        pytest.skip("no x/mod of Go on this machine")
    with zipfile.ZipFile(whole) as archive:
        archive.extractall(tmp_path / "bundle")
    program = tmp_path / "check.go"
    program.write_bytes(GO_PROGRAM.read_bytes())

    def says() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [go, "run", str(program), str(tmp_path / "bundle" / "log"), evidence.keys.keys[0].text],
            env={
                "GO111MODULE": "off",
                "GOPATH": str(GO_MODULES),
                "GOCACHE": str(tmp_path / "cache"),
                "HOME": str(tmp_path),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    found = says()
    with zipfile.ZipFile(whole) as archive:
        size = archive.read("log/checkpoint").decode().split("\n")[1]
    assert (found.returncode, found.stdout) == (0, f"{size} entries\n"), found.stderr
    tile = tmp_path / "bundle" / "log" / "tile" / "0" / "000"
    tile.write_bytes(bytes([tile.read_bytes()[0] ^ 1]) + tile.read_bytes()[1:])
    assert says().returncode == 1
