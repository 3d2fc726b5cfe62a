"""How two blocks differ: each kind by name, with lengths, fragments and octets."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.dissect.blockdiff import Expected, Kind, compare

IMAGE = random.Random(1).randbytes(195)  # 20 fragments of 10, 5 octets of padding
EXPECTED = Expected.of_image(IMAGE, padding=5, frag_size=10)


def changed(at: int, octets: bytes) -> bytes:
    return IMAGE[:at] + octets + IMAGE[at + len(octets) :]


def swapped(first: int, second: int) -> bytes:
    padded = IMAGE + bytes(5)
    pieces = [padded[at : at + 10] for at in range(0, 200, 10)]
    pieces[first - 1], pieces[second - 1] = pieces[second - 1], pieces[first - 1]
    return b"".join(pieces)[:195]


CASES: list[tuple[bytes, Kind, str, str]] = [
    (IMAGE + bytes(5), Kind.WITH_PADDING, "its 5 octets of padding", "to spare is zeros"),
    (IMAGE + b"\1\2\3\4\5", Kind.WITH_PADDING, "its 5 octets", "to spare is from 01 02 03 04 on"),
    (IMAGE + bytes(4), Kind.LENGTH, "it is too long", "the first 195 octets agree, then comes 00"),
    (IMAGE + b"\xff" * 99, Kind.LENGTH, "it is too long", "then comes ff ff ff ff"),
    (IMAGE[:93], Kind.LENGTH, "it is too short", "all that there is agrees: the end is missing"),
    (
        changed(42, b"\0\0")[:93],
        Kind.LENGTH,
        "it is too short",
        "the first 42 octets agree; fragment 5 is the first that does not",
    ),
    (b"", Kind.LENGTH, "it is empty", "it has 0 octets, 195 are expected"),
    (bytes(195), Kind.BLANK, "every octet of it is zero", "all 195 octets are 00"),
    (bytes(99), Kind.BLANK, "every octet of it is zero", "it has 99 octets, 195 are expected"),
    (b"\xff" * 195, Kind.BLANK, "every octet of it is 0xff", "as erased flash reads"),
    (swapped(3, 7), Kind.SWAPPED, "fragments 3 and 7 stand in", "fragment 3 holds the octets of 7"),
    (swapped(1, 20), Kind.SWAPPED, "fragments 1 and 20", "the other 18 that can be compared agree"),
    (
        changed(57, bytes((IMAGE[57] ^ 4,))),
        Kind.FEW,
        "fragment 6 is not what it should be",
        "fragment 6 differs in one octet, 1 bit of it, at octet 57 (from 0) of the block: ",
    ),
    (changed(20, b"\xff" * 20), Kind.FEW, "fragments 3, 4 are not", "fragment 4 is all ff"),
    (
        random.Random(2).randbytes(195),
        Kind.OTHER,
        "20 of 20 fragments that can be compared are others",
        "fragments 1, 2, 3, 4 and more are others",
    ),
]


@pytest.mark.parametrize(("block", "kind", "says", "detail"), CASES)
def test_each_kind_is_told_from_the_others(
    block: bytes, kind: Kind, says: str, detail: str
) -> None:
    found = compare(block, EXPECTED)
    assert found is not None
    assert found.kind is kind
    assert says in found.says
    assert any(detail in one for one in found.details), found.details


def test_what_is_right_is_no_difference() -> None:
    assert compare(IMAGE, EXPECTED) is None
    assert compare(bytes(8), Expected.of_image(bytes(8), padding=0, frag_size=4)) is None


def test_only_the_pieces_that_are_known_are_compared() -> None:
    known = Expected(octets=195, padding=5, frag_size=10, pieces={4: IMAGE[30:40]})
    assert compare(changed(0, bytes(30)), known) is None
    found = compare(changed(30, bytes(4)), known)
    assert found is not None
    assert found.kind is Kind.OTHER  # one of one
    found = compare(IMAGE + bytes(5), known)
    assert found is not None
    assert found.kind is Kind.WITH_PADDING


def test_of_nothing_but_the_length_a_blank_and_another_length_can_be_told() -> None:
    known = Expected(octets=195, padding=5, frag_size=10, pieces={})
    assert compare(IMAGE, known) is None
    kinds = [found.kind for block in (bytes(195), IMAGE[1:]) if (found := compare(block, known))]
    assert kinds == [Kind.BLANK, Kind.LENGTH]


def test_without_a_set_up_octets_are_named_and_no_fragments() -> None:
    known = Expected.of_image(IMAGE, padding=0, frag_size=None)
    found = compare(changed(100, bytes((IMAGE[100] ^ 0x81,))), known)
    assert found is not None
    assert (found.kind, found.says) == (Kind.FEW, "1 of 195 octets are others")
    assert "the block differs in one octet, 2 bits of it, at octet 100" in found.details[0]
    assert "fragment" not in found.says + "".join(found.details)


@given(
    image=st.binary(min_size=1, max_size=60),
    block=st.binary(max_size=70),
    frag_size=st.one_of(st.none(), st.integers(1, 20)),
    padding=st.integers(0, 19),
)
def test_whatever_differs_is_told_and_nothing_else(
    image: bytes, block: bytes, frag_size: int | None, padding: int
) -> None:
    expected = Expected.of_image(image, padding=padding, frag_size=frag_size)
    found = compare(block, expected)
    assert (found is None) == (block == image)
    if found is not None:
        assert found.says
        assert all(found.details)
        assert (found.kind is Kind.WITH_PADDING) <= (block[: len(image)] == image)
