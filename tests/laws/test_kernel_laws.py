"""R4: every set of kernels does what the reference does, and none is led astray by arguments."""

import contextlib
import random
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from bitarray import bitarray

from lorafuota.fec import _reference
from lorafuota.fec.kernels import Kernels, available, basis_octets
from tests.support import LONG, Record

LINES = 1_000_000 if LONG else 3_000
SESSIONS = 10_000 if LONG else 150
CALLS = 1_000_000 if LONG else 3_000

SETS = {name: kernels for name, kernels in available().items() if name != "reference"}
C: dict[str, Any] = {name: kernels for name, kernels in SETS.items() if name.startswith("c-")}
every_set = pytest.mark.parametrize("kernels", SETS.values(), ids=SETS)
every_c = pytest.mark.parametrize("kernels", C.values(), ids=C)

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257]
LARGE = [511, 512, 513, 1000, 1024, 2048, 2499, 2500, 2501, 4096, 8002, 8003, 8192, 12600, 16382]
VARIANTS = (0, 1, 3)


def random_lines(chance: random.Random, large: float) -> tuple[int, list[int], int]:
    """M, fragment numbers and a variant: all sizes, and starts around the 24th bit."""
    m = chance.choice(LARGE) if chance.random() < large else chance.choice(SIZES)
    if chance.random() < 0.4:
        m = chance.randint(1, 600)
    first = chance.choice([1, m, m + 1, m + 8370, 8370, 16340])
    numbers = [n for n in range(first, first + 30) if n <= 16383] or [16383]
    return m, numbers, chance.choice(VARIANTS)


@every_set
def test_lines_agree_with_the_reference(kernels: Kernels, record_property: Record) -> None:
    chance, done = random.Random(4), 0
    while done < LINES:
        m, numbers, variant = random_lines(chance, 0.1)
        assert kernels.lines(m, numbers, variant) == _reference.lines(m, numbers, variant), (
            m,
            numbers[0],
            variant,
        )
        done += len(numbers)
    record_property("lines", done)


@every_set
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("m", [*SIZES, *LARGE])
def test_lines_of_every_kind_of_block_agree(kernels: Kernels, m: int, variant: int) -> None:
    around = [m + s for s in range(8376, 8400, 4)] + [8381, 8382, 16382]
    numbers = [1, m, *(n for n in (m + 1, m + 2, m + 3, *around, 16383) if n <= 16383)]
    assert kernels.lines(m, numbers, variant) == _reference.lines(m, numbers, variant)
    assert kernels.lines(m, [], variant) == b""


class Case(NamedTuple):
    """What a decoder would hand to the kernels, and what it should get back."""

    nb_frag: int
    frag_size: int
    data: bytes
    lost: list[int]
    lines: bytes

    @property
    def line_size(self) -> int:
        return (self.nb_frag + 7) // 8

    @property
    def missing(self) -> bytes:
        bits = bitarray(self.nb_frag, endian="little")
        bits[self.lost] = 1
        return bits.tobytes()

    @property
    def block(self) -> bytearray:
        block = bytearray(self.data)
        for i in self.lost:
            block[i * self.frag_size : (i + 1) * self.frag_size] = bytes(self.frag_size)
        return block

    def some(self, start: int, stop: int) -> bytes:
        return self.lines[start * self.line_size : stop * self.line_size]


def case(chance: random.Random) -> Case:
    m = chance.choice([*SIZES, *[chance.randint(1, 400) for _ in range(20)]])
    size = chance.choice([1, 2, 7, 8, 9, 48, 63, 64, 65, 128, 239, 255])
    loss = chance.choice([0.0, 0.02, 0.1, 0.3, 0.6, 1.0])
    lost = [i for i in range(m) if chance.random() < loss]
    count = chance.choice([0, 1, 11, 12, len(lost), len(lost) + 5, 2 * len(lost) + 20])
    first = chance.choice([m + 1, 8375 + m, chance.randint(m + 1, 16383 - count)])
    numbers = list(range(first, min(first + count, 16384)))
    numbers += chance.choices(range(1, m + 1), k=chance.choice([0, 0, 4]))
    if chance.random() < 0.3:
        chance.shuffle(numbers)
    variant = chance.choice(VARIANTS)
    return Case(m, size, chance.randbytes(m * size), lost, _reference.lines(m, numbers, variant))


def cases(seed: int, count: int) -> Iterator[tuple[random.Random, Case]]:
    chance = random.Random(seed)
    return ((chance, case(chance)) for _ in range(count))


def pieces(chance: random.Random, case: Case) -> Iterator[bytes]:
    at, count = 0, len(case.lines) // case.line_size
    while at < count:
        step = chance.choice([1, 2, 15, 16, 40, 2000])
        yield case.some(at, at + step)
        at += step


@every_set
def test_ranks_products_and_solutions_agree(kernels: Kernels, record_property: Record) -> None:
    for i, (chance, it) in enumerate(cases(7, SESSIONS)):
        m, size, missing = it.nb_frag, it.frag_size, it.missing
        expected = bytearray(basis_octets(len(it.lost)))
        raised = _reference.rank_add(expected, missing, m, it.lines)
        basis = bytearray(len(expected))
        added = [kernels.rank_add(basis, missing, m, lines) for lines in pieces(chance, it)]
        assert b"".join(added) == raised, i

        # either basis spans the same, with lowest ones in their places, and can be gone on with
        row = len(basis) // max(len(it.lost), 1)
        for column in range(len(it.lost)):
            value = int.from_bytes(basis[column * row : (column + 1) * row], "little")
            assert not value or (value & -value).bit_length() == column + 1, i
        more = _reference.lines(m, [*range(16350, 16384), 1], chance.choice(VARIANTS))
        last = _reference.rank_add(bytearray(expected), missing, m, more)
        assert _reference.rank_add(bytearray(basis), missing, m, more) == last, i
        assert kernels.rank_add(bytearray(expected), missing, m, more) == last, i
        assert kernels.rank_add(basis, missing, m, more) == last, i

        payloads = kernels.product(it.data, size, m, it.lines)
        assert payloads == _reference.product(it.data, size, m, it.lines), i
        whole = b"".join(it.data[k * size : (k + 1) * size] for k in it.lost)
        if raised.count(1) == len(it.lost):
            assert kernels.solve(it.block, missing, size, m, it.lines, payloads) == whole, i
        else:
            with pytest.raises(ValueError, match="rank"):
                kernels.solve(it.block, missing, size, m, it.lines, payloads)
    record_property("sessions solved", SESSIONS)


@every_set
def test_fleets_agree(kernels: Kernels) -> None:
    chance = random.Random(9)
    for _ in range(SESSIONS // 5):
        m = chance.choice([*SIZES, chance.randint(1, 300)])
        coded = chance.choice([0, 1, m // 4, m + 10, 520])
        lines = _reference.lines(m, list(range(m + 1, m + coded + 1)), chance.choice(VARIANTS))
        heard = b"".join(
            bitarray([chance.random() >= loss for _ in range(m + coded)], endian="little").tobytes()
            for loss in (0.0, 0.01, 0.1, 0.2, 0.5, 1.0)
        )
        expected = _reference.completions(m, coded, lines, heard)
        assert kernels.completions(m, coded, lines, heard) == expected, (m, coded)


def random_arrivals(chance: random.Random, m: int, size: int) -> list[Any]:
    odd: list[Any] = [
        ("1", b""),
        (1.0, bytes(size)),
        (0, bytes(size)),
        (m + 1, bytes(size)),
        (True, b""),
    ]
    odd += [(1, bytes(size + 1)), (1, bytearray(size)), (-(2**70), bytes(size)), (1,), None]
    good = [(n, chance.randbytes(size)) for n in chance.choices(range(1, m + 1), k=m)]
    return good if chance.random() < 0.5 else [*good[: m // 3], chance.choice(odd), *good]


@every_c
def test_fragments_are_taken_as_the_reference_takes_them(kernels: Any) -> None:
    chance = random.Random(11)
    for _ in range(SESSIONS):
        m, size = chance.randint(1, 40), chance.choice([1, 8, 255])
        arrivals = random_arrivals(chance, m, size)
        starts, results = [0, 0, chance.randint(0, m)], []
        for take in (kernels.take, _reference.take):
            block, received = bytearray(m * size), bitarray(m, endian="little")
            taken = [take(block, received, size, m, arrivals, start) for start in starts]
            taken.append(take(block, received, size, m, arrivals, len(arrivals) + 3))
            results.append((taken, block, received))
        assert results[0] == results[1]


class Session(NamedTuple):
    """What ``decode`` takes."""

    fragments: list[Any]
    nb_frag: int
    frag_size: int
    variant: int
    max_checks: int


def session(chance: random.Random) -> Session:
    """Plain fragments, then coded ones; often something is wrong with one of them."""
    m = chance.choice([*SIZES, *[chance.randint(1, 300) for _ in range(20)]])
    size, variant = chance.choice([1, 7, 8, 48, 63, 64, 65, 255]), chance.choice(VARIANTS)
    loss = chance.choice([0.0, 0.02, 0.1, 0.5, 1.0])
    plain = [n for n in range(1, m + 1) if chance.random() >= loss]
    lost = m - len(plain)
    count = max(lost + chance.choice([-1, 0, 0, 1, 3, 10, 40]), 0)
    first = chance.choice([m + 1, m + 1, 8375 + m, 16384 - count])
    coded = list(range(first, min(first + count, 16384)))
    if chance.random() < 0.3:
        chance.shuffle(plain)
        chance.shuffle(coded)
    numbers = plain + coded
    payloads = _reference.product(
        chance.randbytes(m * size), size, m, _reference.lines(m, numbers, variant)
    )
    parts = [payloads[i * size : (i + 1) * size] for i in range(len(numbers))]
    fragments: list[Any] = list(zip(numbers, parts, strict=True))
    if fragments and chance.random() < 0.5:
        at = chance.choice([chance.randrange(len(fragments)), -1])
        n, part = fragments[at]
        odd: list[Any] = [(n, bytes([part[0] ^ 1]) + part[1:]), (n, part[:-1]), [n, part], None]
        odd += [(n, bytearray(part)), (n, memoryview(part)), (n, part, part), (n,), fragments[0]]
        odd += [
            (str(n), part),
            (chance.randint(-1, 16385), part),
            (float(n), part),
            (True, part),
            (2**70, part),
        ]
        fragments[at] = chance.choice(odd)
        if chance.random() < 0.2:
            fragments.append((n, part))
    return Session(fragments, m, size, variant, chance.choice([0, 1, 8, 16383]))


@every_c
def test_blocks_are_decoded_as_the_reference_decodes_them(
    kernels: Any, record_property: Record
) -> None:
    chance, blocks = random.Random(12), 0
    for i in range(4 * SESSIONS):
        it = session(chance)
        block = _reference.decode(*it)
        assert kernels.decode(*it) == block, i
        blocks += block is not None
    assert SESSIONS < blocks < 3 * SESSIONS
    record_property("sessions decoded", 4 * SESSIONS)


@every_c
def test_a_list_may_change_while_it_is_decoded(kernels: Any) -> None:
    m, size, numbers = 1000, 255, [*range(1, 501), *range(1001, 1520)]
    payloads = kernels.product(bytes(range(250)) * 4 * 255, size, m, kernels.lines(m, numbers, 1))
    fragments = [(n, payloads[i * size : (i + 1) * size]) for i, n in enumerate(numbers)]
    block, waiting, stop = kernels.decode(fragments, m, size, 1, 8), list[Any](), threading.Event()

    def change() -> None:
        while not stop.is_set():
            waiting.clear()
            waiting.extend((n, bytes(bytearray(part))) for n, part in fragments)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        assert {kernels.decode(waiting, m, size, 1, 8) for _ in range(100)} <= {None, block}
    finally:
        stop.set()
        thread.join()


# Arguments that cannot be

HOSTILE: list[tuple[str, tuple[Any, ...], type[Exception]]] = [
    ("lines", (), TypeError),
    ("lines", (0, [1], 0), ValueError),
    ("lines", (16384, [1], 0), ValueError),
    ("lines", (-1, [1], 0), ValueError),
    ("lines", (2**100, [1], 0), ValueError),
    ("lines", (8.0, [1], 0), TypeError),
    ("lines", (8, [0], 0), ValueError),
    ("lines", (8, [16384], 0), ValueError),
    ("lines", (8, [9, -1], 0), ValueError),
    ("lines", (8, [2**64], 0), ValueError),
    ("lines", (8, ["9"], 0), TypeError),
    ("lines", (8, [None] * 100, 0), TypeError),
    ("lines", (8, 9, 0), TypeError),
    ("lines", (8, [9], 4), ValueError),
    ("lines", (8, [9], -1), ValueError),
    ("lines", (8, range(2**40, 2**40 + 2), 0), ValueError),
    ("product", (bytes(8), 1, 8), TypeError),
    ("product", (bytes(7), 1, 8, b"\1"), ValueError),
    ("product", (bytes(9), 1, 8, b"\1"), ValueError),
    ("product", (b"", 1, 0, b"\1"), ValueError),
    ("product", (bytes(8), 0, 8, b"\1"), ValueError),
    ("product", (bytes(256 * 8), 256, 8, b"\1"), ValueError),
    ("product", (bytes(9), 1, 9, b"\1\1\1"), ValueError),
    ("product", ("text", 1, 4, b"\1"), TypeError),
    ("product", (bytes(8), 1, 8, None), TypeError),
    ("rank_add", (bytearray(8), b"\1", 8), TypeError),
    ("rank_add", (bytes(8), b"\1", 8, b"\1"), BufferError),
    ("rank_add", (bytearray(7), b"\1", 8, b"\1"), ValueError),
    ("rank_add", (bytearray(16), b"\1", 8, b"\1"), ValueError),
    ("rank_add", (bytearray(8), b"\1\0", 8, b"\1"), ValueError),
    ("rank_add", (bytearray(8), b"", 8, b"\1"), ValueError),
    ("rank_add", (bytearray(8), b"\x80", 7, b"\1"), ValueError),
    ("rank_add", (bytearray(8), b"\1\0", 9, b"\1"), ValueError),
    ("solve", (bytes(8), b"\1", 1, 8, b"\1"), TypeError),
    ("solve", (bytes(8), b"\1", 1, 8, b"\1", b""), ValueError),
    ("solve", (bytes(8), b"\1", 1, 8, b"\1", b"ab"), ValueError),
    ("solve", (bytes(16), b"\1", 2, 8, b"\1", b"abc"), ValueError),
    ("solve", (bytes(16), b"\1\0", 2, 8, b"\1", b"ab"), ValueError),
    ("solve", (bytes(15), b"\1", 2, 8, b"\1", b"ab"), ValueError),
    ("solve", (bytes(8), b"\1", 1, 8, b"\2", b"a"), ValueError),
    ("solve", (bytes(8), b"\1", 1, 8, b"", b""), ValueError),
    ("completions", (8, 1, b"\1"), TypeError),
    ("completions", (8, 1, b"\1\1", bytes(2)), ValueError),
    ("completions", (8, 1, b"\1", bytes(3)), ValueError),
    ("completions", (8, -1, b"", b""), ValueError),
    ("completions", (8, 16376, bytes(16376), bytes(2048)), ValueError),
    ("completions", (16383, 1, bytes(2048), bytes(2048)), ValueError),
    ("take", (bytearray(8), bytearray(1), 1, 8, []), TypeError),
    ("take", (bytearray(8), bytearray(1), 1, 8, (), 0), TypeError),
    ("take", (bytearray(8), bytearray(1), 1, 8, [], -1), ValueError),
    ("take", (bytearray(7), bytearray(1), 1, 8, [], 0), ValueError),
    ("take", (bytearray(8), bytearray(2), 1, 8, [], 0), ValueError),
    ("take", (bytes(8), bytearray(1), 1, 8, [], 0), BufferError),
    ("decode", ([], 8, 1, 0), TypeError),
    ("decode", ((), 8, 1, 0, 8), TypeError),
    ("decode", (iter([]), 8, 1, 0, 8), TypeError),
    ("decode", (None, 8, 1, 0, 8), TypeError),
    ("decode", ([], 8.0, 1, 0, 8), TypeError),
    ("decode", ([], 0, 1, 0, 8), ValueError),
    ("decode", ([], 16384, 1, 0, 8), ValueError),
    ("decode", ([], 2**64, 1, 0, 8), ValueError),
    ("decode", ([], 8, 0, 0, 8), ValueError),
    ("decode", ([], 8, 256, 0, 8), ValueError),
    ("decode", ([], 8, 1, -1, 8), ValueError),
    ("decode", ([], 8, 1, 4, 8), ValueError),
    ("decode", ([], 8, 1, 0, -1), ValueError),
    ("decode", ([], 8, 1, 0, 16384), ValueError),
    ("decode", ([], 8, 1, 0, "8"), TypeError),
]


@every_c
@pytest.mark.parametrize(("method", "arguments", "error"), HOSTILE)
def test_arguments_that_cannot_be_are_refused(
    kernels: Any, method: str, arguments: tuple[Any, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        getattr(kernels, method)(*arguments)


@every_c
def test_any_octets_in_a_basis_end_in_an_answer_or_a_refusal(kernels: Any) -> None:
    chance = random.Random(13)
    for _ in range(SESSIONS * 5):
        m = chance.choice([5, 31, 32, 33, 64, 65, 100, 200])
        basis = bytearray(chance.randbytes(basis_octets(m)))
        missing = bitarray([1] * m, endian="little").tobytes()
        lines = chance.randbytes((m + 7) // 8 * chance.choice([1, 5, 16, 80]))
        try:
            added = kernels.rank_add(basis, missing, m, lines)
        except ValueError as error:
            assert str(error) == "basis is not an echelon basis"
        else:
            assert set(added) <= {0, 1}


@every_c
def test_bits_beyond_the_last_column_are_no_columns(kernels: Any) -> None:
    for m in (1, 5, 9, 33, 70):
        size = (m + 7) // 8
        lines = b"\xff" * size * 20
        data = random.Random(m).randbytes(m * 3)
        clean = bitarray([1] * m, endian="little").tobytes() * 20
        for some, of in ((lines, clean), (lines[:size], clean[:size])):
            assert kernels.product(data, 3, m, some) == kernels.product(data, 3, m, of)
        basis = bytearray(basis_octets(m))
        assert kernels.rank_add(basis, clean[:size], m, lines) == b"\1" + bytes(19)


@every_c
def test_instruction_sets_have_names(kernels: Any) -> None:
    kind = type(kernels)
    assert C[f"c-{kernels.simd}"] is kernels
    assert kind(kernels.simd).simd == kernels.simd
    wrong: list[Callable[[], Any]] = [lambda: kind("mmx"), lambda: kind(""), lambda: kind("avx2 ")]
    for make in wrong:
        with pytest.raises(ValueError, match="no kernels for"):
            make()
    for arguments in ((), (1,), ("auto", "auto")):
        with pytest.raises(TypeError):
            kind(*arguments)
    with pytest.raises(TypeError):
        kind("auto", simd="auto")


@every_c
def test_nothing_is_kept_after_a_call(kernels: Any) -> None:
    """Leaks of objects show in the allocation of Python, those of C in the sanitizer's report."""
    block, basis, missing = bytes(range(40)), bytearray(basis_octets(4)), b"\x0f\0"
    lines = _reference.lines(10, list(range(11, 41)), 1)
    payloads = kernels.product(block, 4, 10, lines)
    fragments = [(n, block[4 * n - 4 : 4 * n]) for n in range(5, 11)]
    fragments += [(n, payloads[4 * n - 44 : 4 * n - 40]) for n in range(11, 26)]
    assert kernels.decode(fragments, 10, 4, 1, 8)[0] == block

    def work(count: int) -> None:
        for _ in range(count):
            kernels.lines(10, [11, 12], 0)
            kernels.rank_add(basis, missing, 10, lines)
            kernels.product(block, 4, 10, lines)
            kernels.solve(bytes(16) + block[16:], missing, 4, 10, lines, payloads)
            kernels.completions(10, 30, lines, b"\xf0\xff\xff\xff\xff")
            for some in (fragments, fragments[1:], [*fragments[:-1], (30, b"four")], [None]):
                kernels.decode(some, 10, 4, 1, 8)
            with contextlib.suppress(ValueError):
                kernels.lines(10, [0], 0)
            with contextlib.suppress(ValueError):
                kernels.product(b"", 1, 1, b"")

    work(100)
    kept: list[object] = [block, basis, missing, lines, payloads, *fragments, fragments[0][1]]
    counts = [sys.getrefcount(one) for one in kept]
    tracemalloc.start()
    try:
        work(10)
        before = tracemalloc.get_traced_memory()[0]
        work(CALLS // 5)
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert abs(after - before) < 2000
    assert [sys.getrefcount(one) for one in kept] == counts
