"""The Merkle tree: roots and proofs are those of RFC 9162, however the tree grew, and read from tiles."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.tree import Place, RunningRoot, consistency_proof, grown, inclusion_proof
from ledger.verify_bundle import (
    EMPTY_ROOT,
    HASH,
    is_consistent,
    is_included,
    leaf_hash,
    node_hash,
    tile_path,
    tiles_of,
    tree_hash,
)

UNHURRIED = settings(deadline=None, max_examples=25)
LARGEST = 1_200
LEAVES = [leaf_hash(str(number).encode()) for number in range(LARGEST)]

PUBLISHED_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
"""The leaves and roots that implementations of RFC 6962 and 9162 are tested with, since the first of them."""

PUBLISHED_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


class Grown:
    """A tree that grew by steps, as its tiles are kept."""

    def __init__(self, leaves: list[bytes], steps: list[int]) -> None:
        self.tiles: dict[Place, bytes] = {}
        size = 0
        for step in [*steps, len(leaves)]:
            some = leaves[size : size + step]
            self.tiles |= grown(size, some, self)
            size += len(some)

    def __call__(self, level: int, number: int) -> bytes:
        return self.tiles[level, number]


def by_definition(leaves: list[bytes]) -> bytes:
    """The root as RFC 9162, 2.1.1, defines it."""
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY_ROOT
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    return node_hash(by_definition(leaves[:split]), by_definition(leaves[split:]))


def test_published_roots() -> None:
    leaves = [leaf_hash(leaf) for leaf in PUBLISHED_LEAVES]
    tree = Grown(leaves, [])
    assert [tree_hash(0, size, tree).hex() for size in range(9)] == PUBLISHED_ROOTS


def test_the_proofs_of_the_rfc_s_example() -> None:
    """RFC 9162, 2.1.5: a tree of seven leaves, its nodes by the names that they have there."""
    d = [leaf_hash(leaf) for leaf in PUBLISHED_LEAVES[:7]]
    a, b, c, _, e, f, j = d
    g, h, i = node_hash(a, b), node_hash(c, d[3]), node_hash(e, f)
    k, l = node_hash(g, h), node_hash(i, j)  # noqa: E741
    tree = Grown(d, [])
    assert inclusion_proof(0, 7, tree) == (b, h, l)
    assert inclusion_proof(3, 7, tree) == (c, g, l)
    assert inclusion_proof(4, 7, tree) == (f, j, k)
    assert inclusion_proof(6, 7, tree) == (i, k)
    assert consistency_proof(3, 7, tree) == (c, d[3], g, l)
    assert consistency_proof(4, 7, tree) == (l,)
    assert consistency_proof(6, 7, tree) == (i, j, k)


@UNHURRIED
@given(size=st.integers(0, LARGEST), steps=st.lists(st.integers(0, 300), max_size=6))
def test_the_root_and_the_tiles_do_not_depend_on_how_it_grew(size: int, steps: list[int]) -> None:
    tree, at_once = Grown(LEAVES[:size], steps), RunningRoot()
    for leaf in LEAVES[:size]:
        at_once.add(leaf)
    assert tree_hash(0, size, tree) == by_definition(LEAVES[:size]) == at_once.root
    widths = {(level, number): width * HASH for level, number, width in tiles_of(size)}
    assert {place: len(hashes) for place, hashes in tree.tiles.items()} == widths


@UNHURRIED
@given(data=st.data())
def test_an_inclusion_proof_shows_its_leaf_and_no_other(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, LARGEST))
    index = data.draw(st.integers(0, size - 1))
    tree = Grown(LEAVES, [size])
    root, proof = tree_hash(0, size, tree), inclusion_proof(index, size, tree)
    assert is_included(LEAVES[index], index, size, proof, root)
    other = data.draw(st.integers(0, LARGEST - 1).filter(lambda there: there != index))
    assert not is_included(LEAVES[other], index, size, proof, root)
    assert not is_included(LEAVES[index], other, size, proof, root)
    assert not is_included(LEAVES[index], index, size, (*proof, root), root)
    assert not is_included(LEAVES[index], index, size, proof[:-1], root) or size == 1


@UNHURRIED
@given(data=st.data())
def test_a_consistency_proof_shows_that_a_tree_only_grew(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, LARGEST))
    old = data.draw(st.integers(1, new))
    tree = Grown(LEAVES, [new])
    roots, proof = (tree_hash(0, old, tree), tree_hash(0, new, tree)), consistency_proof(old, new, tree)
    assert is_consistent(old, new, *roots, proof)
    if old < new:
        assert not is_consistent(old, new, leaf_hash(b""), roots[1], proof)
        assert not is_consistent(old, new, roots[0], leaf_hash(b""), proof)
        assert not is_consistent(old, new, *roots, proof[:-1])


def test_tiles_are_named_as_the_specification_names_them() -> None:
    assert tile_path(0, 1234067) == "0/x001/x234/067"
    assert tile_path(1, 5, 17) == "1/005.p/17"
    seventy_thousand = [(level, width) for level, _, width in tiles_of(70_000)]
    expected = [*[(0, 256)] * 273, (0, 112), (1, 256), (1, 17), (2, 1)]
    assert seventy_thousand == expected
