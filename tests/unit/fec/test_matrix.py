import hashlib
import random
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from bitarray import bitarray

from lorafuota.errors import FieldError
from lorafuota.fec import kernels as fec_kernels
from lorafuota.fec.matrix import MAX_N, LineCache, parity_line, parity_lines
from lorafuota.fec.variant import ParityVariant
from tests.support import vectors

pytestmark = pytest.mark.usefixtures("kernels")
VECTORS = vectors("ts004")
V1, V2, ANNEX = ParityVariant


def columns(line: bitarray) -> list[int]:
    return [i for i, bit in enumerate(line) if bit]


@pytest.mark.parametrize("vector", VECTORS["parity_lines"], ids=lambda v: str(v["name"]))
def test_lines_are_those_of_other_implementations(vector: dict[str, Any]) -> None:
    variant, m, n = ParityVariant(vector["variant"]), vector["m"], vector["n"]
    line = parity_line(n, m, variant)
    assert (len(line), columns(line)) == (m, vector["set_bits"])
    assert vector["seed"] == 1 + 1001 * (n if variant.seeded_by_n else n - m)


@pytest.mark.parametrize("vector", VECTORS["parity_digests"], ids=lambda v: str(v["name"]))
def test_many_lines_have_the_digest_of_other_implementations(vector: dict[str, Any]) -> None:
    m = vector["m"]
    numbers = range(m + vector["parity_index_from"], m + vector["parity_index_to"] + 1)
    lines = parity_lines(numbers, m, ParityVariant(vector["variant"]))
    packed = b"".join(line.tobytes() for line in lines)
    assert hashlib.sha256(packed).hexdigest() == vector["sha256"]


@pytest.mark.parametrize("variant", ParityVariant)
def test_a_plain_fragment_has_a_line_with_a_single_one(variant: ParityVariant) -> None:
    lines = parity_lines(range(1, 5), 4, variant)
    assert [line.to01() for line in lines] == ["1000", "0100", "0010", "0001"]


def test_a_line_belongs_to_the_caller() -> None:
    parity_line(11, 10, V1).setall(1)
    assert parity_line(11, 10, V1) == bitarray("0010010000")
    assert parity_line(11, 10, V1).tobytes() == b"\x24\x00"  # lowest bit first


@pytest.mark.parametrize("variant", ParityVariant)
def test_coded_lines_of_a_single_fragment_are_empty(variant: ParityVariant) -> None:
    assert parity_lines([2, 3, MAX_N], 1, variant) == [bitarray("0")] * 3


@pytest.mark.parametrize("m", [2, 3])
@pytest.mark.parametrize("variant", ParityVariant)
def test_coded_lines_of_two_or_three_fragments_have_one_column(
    m: int, variant: ParityVariant
) -> None:
    lines = parity_lines(range(m + 1, m + 100), m, variant)
    assert {line.count() for line in lines} == {1}
    assert {columns(line)[0] for line in lines} == set(range(m))


@pytest.mark.parametrize("m", [8, 64, 100, 1024, 8383])
def test_version_2_lines_have_exactly_half_of_the_columns(m: int) -> None:
    numbers = [m + 1, m + 2, min(m + 8384, MAX_N), MAX_N]
    for variant in (V2, ANNEX):
        lines = parity_lines(numbers, m, variant)
        assert [line.count() for line in lines] == [m // 2] * 4


def test_version_1_lines_have_fewer_because_repeats_count() -> None:
    ones = sum(line.count() for line in parity_lines(range(1001, 1101), 1000, V1))
    assert 0.38 < ones / 100_000 < 0.41


def test_the_largest_matrix_and_the_last_number_have_lines() -> None:
    assert columns(parity_line(MAX_N, MAX_N, V2)) == [MAX_N - 1]
    assert parity_line(MAX_N, MAX_N - 1, V2).count() == (MAX_N - 1) // 2


@pytest.mark.parametrize(
    ("n", "m", "message"),
    [
        (0, 10, "parity_lines.n = 0: expected int in 1..16383"),
        (16384, 10, "parity_lines.n = 16384: expected int in 1..16383"),
        (1, 0, "parity_lines.nb_frag = 0: expected int in 1..16383"),
        (1, 16384, "parity_lines.nb_frag = 16384: expected int in 1..16383"),
        (True, 10, "parity_lines.n = True: expected int in 1..16383"),
    ],
)
def test_numbers_out_of_range_are_refused(n: int, m: int, message: str) -> None:
    with pytest.raises(FieldError) as caught:
        parity_line(n, m, V1)
    assert str(caught.value) == message


def test_the_name_of_a_variant_is_not_a_variant() -> None:
    with pytest.raises(FieldError, match="variant = 'v2': expected a ParityVariant"):
        parity_line(1, 1, "v2")  # type: ignore[arg-type]


# What is remembered


class Counted:
    """Kernels whose lines are octets of their number, and a list of what was drawn."""

    def __init__(self) -> None:
        self.drawn: list[int] = []

    def lines(self, nb_frag: int, numbers: Sequence[int], variant: int) -> bytes:
        self.drawn += numbers
        return b"".join(bytes([n % 256]) * ((nb_frag + 7) // 8) for n in numbers)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    kernels = Counted()
    monkeypatch.setattr(fec_kernels, "ACTIVE", kernels)
    return kernels


def test_a_line_is_drawn_once(counted: Counted) -> None:
    cache = LineCache(10_000)
    for numbers in ([9, 10], [9, 10], [10, 11, 9], (12,), [12], [], [11, 9]):
        assert cache.lines(8, numbers, 0) == bytes(numbers)
    assert cache.lines(8, [9], 1) == b"\x09"
    assert counted.drawn == [9, 10, 11, 12, 9]


def test_the_matrix_asked_for_least_recently_is_forgotten_first(counted: Counted) -> None:
    cache = LineCache(4 * 161)
    for nb_frag in (8, 7, 8, 6):
        cache.lines(nb_frag, [20, 21], 0)
    assert counted.drawn == [20, 21] * 3
    for nb_frag in (6, 8):
        cache.lines(nb_frag, [20], 0)
    assert counted.drawn == [20, 21] * 3
    cache.lines(7, [20], 0)
    assert counted.drawn == [20, 21] * 3 + [20]


def test_of_one_matrix_the_oldest_lines_are_forgotten(counted: Counted) -> None:
    cache = LineCache(3 * 161)
    for n in (20, 21, 22, 23, 24):
        cache.lines(8, [n], 0)
    counted.drawn.clear()
    assert cache.lines(8, [20, 21, 22, 23, 24], 0) == bytes([20, 21, 22, 23, 24])
    assert counted.drawn == [20, 21]


def test_what_does_not_fit_is_not_remembered(counted: Counted) -> None:
    cache = LineCache(161)
    for _ in range(2):
        assert cache.lines(8, [20, 21], 0) == bytes([20, 21])
    assert counted.drawn == [20, 21] * 2


def test_threads_may_share_the_lines() -> None:
    cache, wrong = LineCache(30 * 180), list[int]()
    expected = {m: fec_kernels.ACTIVE.lines(m, range(200, 240), 0) for m in (64, 65, 66)}

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(300):
            m, first = chance.choice([64, 65, 66]), chance.randint(0, 30)
            size, count = (m + 7) // 8, chance.randint(1, 9)
            numbers = range(200 + first, 200 + first + count)
            if cache.lines(m, numbers, 0) != expected[m][first * size : (first + count) * size]:
                wrong.append(m)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
