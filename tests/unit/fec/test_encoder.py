from collections.abc import Sequence
from typing import Any

import pytest

from lorafuota.errors import FieldError
from lorafuota.fec import kernels, matrix
from lorafuota.fec.encoder import FragEncoder
from lorafuota.fec.variant import ParityVariant
from tests.support import vectors

pytestmark = pytest.mark.usefixtures("kernels")
VECTORS = vectors("ts004")
V1, V2, ANNEX = ParityVariant


@pytest.mark.parametrize("vector", VECTORS["encodings"], ids=lambda v: str(v["name"]))
def test_fragments_are_those_of_other_implementations(vector: dict[str, Any]) -> None:
    block = bytes.fromhex(vector["block"]) + bytes(vector["padding"])
    size, first = vector["frag_size"], vector["first_n"]
    encoder = FragEncoder(block, frag_size=size, variant=ParityVariant(vector["variant"]))
    assert encoder.nb_frag == vector["nb_frag"]
    plain = [block[i : i + size].hex() for i in range(0, len(block), size)]
    expected = plain + vector["coded"]
    assert first == len(plain) + 1
    numbers = range(1, len(expected) + 1)
    assert [encoder.fragment(n).hex() for n in numbers] == expected
    assert [fragment.hex() for fragment in encoder.fragments(numbers)] == expected


def test_the_order_of_asking_does_not_change_a_fragment() -> None:
    encoder = FragEncoder(bytes(range(96)), frag_size=4, variant=V2)
    one_by_one = {
        n: FragEncoder(bytes(range(96)), frag_size=4, variant=V2).fragment(n)
        for n in [*range(1, 150), *range(16300, 16384)]
    }
    for numbers in (sorted(one_by_one), sorted(one_by_one, reverse=True), [30, 31, 30, 33, 32, 34]):
        assert [encoder.fragment(n) for n in numbers] == [one_by_one[n] for n in numbers]
        assert encoder.fragments(numbers) == [one_by_one[n] for n in numbers]


def test_nothing_is_computed_before_it_is_asked_for_and_little_ahead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[list[int]] = []

    class Spy:
        @staticmethod
        def lines(m: int, numbers: Sequence[int], code: int) -> bytes:
            asked.append(list(numbers))
            return bytes((m + 7) // 8 * len(numbers))

        @staticmethod
        def product(block: bytes, size: int, m: int, lines: bytes) -> bytes:
            return bytes(size * len(lines) // ((m + 7) // 8))

    monkeypatch.setattr(kernels, "ACTIVE", Spy)
    monkeypatch.setattr(matrix, "_CACHE", matrix.LineCache(0))
    encoder = FragEncoder(bytes(10), frag_size=1, variant=V1)
    encoder.fragment(10)
    assert asked == []
    for n in range(11, 90):
        encoder.fragment(n)
    assert [(numbers[0], len(numbers)) for numbers in asked] == [
        (11, 1), (12, 2), (14, 4), (18, 8), (26, 16), (42, 32), (74, 32),
    ]  # fmt: skip
    asked.clear()
    for n in (16383, 16382, 16383):
        encoder.fragment(n)
    assert asked == [[16383], [16382], [16383]]


def test_a_block_of_any_octets_is_taken_and_kept() -> None:
    block = bytearray(b"abcd")
    encoder = FragEncoder(memoryview(block), frag_size=2, variant=V1)
    block[:] = b"xxxx"
    assert (encoder.fragment(1), encoder.fragment(2)) == (b"ab", b"cd")
    assert (encoder.nb_frag, encoder.frag_size, encoder.variant) == (2, 2, V1)


def test_the_largest_block_is_taken() -> None:
    encoder = FragEncoder(bytes(16382) + b"\1", frag_size=1, variant=V1)
    assert (encoder.nb_frag, encoder.fragment(16383)) == (16383, b"\1")


@pytest.mark.parametrize(
    ("octets", "size", "message"),
    [
        (0, 5, "FragEncoder.block = '0 octets': expected 1..16383 fragments of 5 octets"),
        (11, 5, "FragEncoder.block = '11 octets': expected 1..16383 fragments of 5 octets"),
        (16384, 1, "FragEncoder.block = '16384 octets': expected 1..16383 fragments of 1 octets"),
        (10, 0, "FragEncoder.frag_size = 0: expected int in 1..255"),
        (256, 256, "FragEncoder.frag_size = 256: expected int in 1..255"),
    ],
)
def test_what_cannot_be_sent_is_refused(octets: int, size: int, message: str) -> None:
    with pytest.raises(FieldError) as caught:
        FragEncoder(bytes(octets), frag_size=size, variant=V1)
    assert str(caught.value) == message


@pytest.mark.parametrize("n", [-1, 0, 16384])
def test_fragment_numbers_have_14_bits_and_start_at_1(n: int) -> None:
    encoder = FragEncoder(b"abcd", frag_size=2, variant=V1)
    with pytest.raises(FieldError, match=f"FragEncoder.n = {n}: expected int in 1..16383"):
        encoder.fragment(n)
    with pytest.raises(FieldError, match=f"FragEncoder.n = {n}: expected int in 1..16383"):
        encoder.fragments([1, n])


def test_the_name_of_a_variant_is_not_a_variant() -> None:
    with pytest.raises(FieldError, match="variant = 'v1': expected a ParityVariant"):
        FragEncoder(b"ab", frag_size=1, variant="v1")  # type: ignore[arg-type]
