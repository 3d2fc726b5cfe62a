"""Other packages on the same work: numpy, galois, and M4RI from a wheel.

What is not installed is passed over with a sentence.  numpy and galois come with the extra
``bench``.  M4RI is inside ``passagemath-m4ri-m4rie``, whose dependencies are a whole algebra system
and not needed for the library itself: ``pip install --no-deps passagemath-m4ri-m4rie``.  That build
is for any x86-64; one tuned for the machine is about twice as fast.

With numpy everything is done that numpy is good at: all lines of a session are drawn together,
products take eight columns at a time from tables; only the elimination goes one column at a time.
The general tools get the lines as a matrix, ready-made, and payloads with the known part removed.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.harness import Case, MissingExtra, optional
from benchmarks.workloads import W1, W2, W3, W4, Workload, cold, kernel_sets
from lorafuota.fec import kernels


def cases(once: bool) -> list[Case]:
    """All peers that are installed, against our sets but the reference."""
    found: list[Case] = []
    for part in (_numpy, _galois, _m4ri):
        try:
            found += part(once)
        except MissingExtra as error:
            print(f"passed over: {error}")
    return found


def _ours(
    group: str, run: Callable[[], object], check: Callable[[Any], object], repeat: int = 1
) -> Iterator[Case]:
    for name in kernel_sets():
        if name != "reference":
            yield Case(group, name, run, repeat, prepare=cold(name), check=check)


# numpy: the whole session


class NumpyCode:
    """The code of version 1 with numpy."""

    def __init__(self, load: Workload) -> None:
        self.np = optional("numpy")
        self.nb_frag, self.frag_size = load.nb_frag, load.frag_size
        self.words = (load.frag_size + 7) // 8

    def lines(self, numbers: list[int]) -> Any:
        """Draw all lines together; return them packed, a row for each."""
        np, m, rows = self.np, self.nb_frag, len(numbers)
        power = m.bit_count() == 1
        draws = m // 2 + (m // 8 + 64 if power else 0)  # spare ones, for those that do not count
        bits = np.empty((rows, draws + 64), np.uint8)
        seeds = 1 + 1001 * (np.array(numbers) - m)
        assert seeds.max() < 1 << 23
        bits[:, :23] = seeds[:, None] >> np.arange(23) & 1
        known, stride = 23, 1
        while known < bits.shape[1]:  # s[k + 23 * stride] = s[k] ^ s[k + 5 * stride]
            while 46 * stride <= known:
                stride *= 2
            start = known - 23 * stride
            count = min(18 * stride, bits.shape[1] - known)
            lag = bits[:, start + 5 * stride : start + 5 * stride + count]
            bits[:, known : known + count] = bits[:, start : start + count] ^ lag
            known += count
        states, width = bits.astype(np.uint32), 1
        for step in (1, 2, 4, 8, 7):  # windows of 2, 4, 8, 16 and 23 bits
            states = states[:, :-step] | states[:, step:] << np.uint32(step)
            width += step
        columns = states[:, 1 : draws + 1] % np.uint32(m + 1 if power else m)
        ones = np.zeros((rows, m + 1), np.uint8)
        if power:  # a remainder of M does not count, nor do draws after the last
            counted = columns < m
            counted &= np.cumsum(counted, axis=1) <= m // 2
            columns = np.where(counted, columns, m)
        places = columns + np.arange(0, rows * (m + 1), m + 1)[:, None]
        ones.reshape(-1)[places.reshape(-1)] = 1
        return np.packbits(ones[:, :m], axis=1, bitorder="little")

    def padded(self, octets: bytes | bytearray) -> Any:
        """Return fragments as rows of 64-bit words."""
        np = self.np
        rows = np.frombuffer(octets, np.uint8).reshape(-1, self.frag_size)
        block = np.zeros((len(rows), self.words * 8), np.uint8)
        block[:, : self.frag_size] = rows
        return block.view(np.uint64)

    def product(self, lines: Any, block: Any) -> Any:
        """Multiply: for eight columns at a time a table of all sums."""
        np = self.np
        result = np.zeros((len(lines), self.words), np.uint64)
        table = np.zeros((256, self.words), np.uint64)
        for group in range(lines.shape[1]):
            for j, fragment in enumerate(block[8 * group : 8 * group + 8]):
                np.bitwise_xor(table[: 1 << j], fragment, out=table[1 << j : 2 << j])
            result ^= table[lines[:, group]]
        return result

    def octets(self, words: Any) -> bytes:
        """Return rows of words as fragments."""
        rows: bytes = words.view(self.np.uint8)[:, : self.frag_size].tobytes()
        return rows

    def encode(self, block: bytes, numbers: list[int]) -> bytes:
        return self.octets(self.product(self.lines(numbers), self.padded(block)))

    def decode(self, fragments: list[tuple[int, bytes]]) -> bytes:
        """Rebuild a block; the fragments must suffice."""
        np, size, m = self.np, self.frag_size, self.nb_frag
        plain = [(n, payload) for n, payload in fragments if n <= m]
        coded = [(n, payload) for n, payload in fragments if n > m]
        block = np.zeros((m, self.words), np.uint64)
        heard = np.array([n for n, _ in plain]) - 1
        block[heard] = self.padded(b"".join([payload for _, payload in plain]))
        missing = np.ones(m, bool)
        missing[heard] = False
        lines = self.lines([n for n, _ in coded])
        right = self.padded(b"".join([payload for _, payload in coded]))
        right ^= self.product(lines, block)
        ones = np.unpackbits(lines, axis=1, count=m, bitorder="little")[:, missing]
        width = (ones.shape[1] + 63) // 64
        left = np.zeros((len(ones), width * 8), np.uint8)
        packed = np.packbits(ones, axis=1, bitorder="little")
        left[:, : packed.shape[1]] = packed
        rows = np.concatenate([left.view(np.uint64), right], axis=1)
        block[missing] = self.eliminate(rows, ones.shape[1])[:, width:]
        rebuilt = self.octets(block)
        assert len(rebuilt) == m * size
        return rebuilt

    def eliminate(self, rows: Any, unknowns: int) -> Any:
        """Solve in place, column by column; return the rows of the unknowns in their order."""
        np = self.np
        for column in range(unknowns):
            word, bit = divmod(column, 64)
            ones = rows[:, word] >> np.uint64(bit) & np.uint64(1)
            pivot = column + int(np.argmax(ones[column:]))
            assert ones[pivot]
            if pivot != column:
                rows[[column, pivot]] = rows[[pivot, column]]
                ones[[column, pivot]] = ones[[pivot, column]]
            ones[column] = 0
            rows[np.nonzero(ones)[0], word:] ^= rows[column, word:]
        return rows[:unknowns]


def _numpy(once: bool) -> Iterator[Case]:
    for load in (W1, W2, W3) if once else (W1, W2, W3, W4):
        code = NumpyCode(load)
        if load is W1:
            numbers = list(range(load.nb_frag + 1, load.nb_frag + load.nb_coded + 1))
            encode = functools.partial(code.encode, load.block, numbers)
            yield Case(f"{load.name} encode", "numpy", encode, check=load.check_joined)
            yield from _ours(f"{load.name} encode", load.encode, load.check_coded)
        else:
            decode = functools.partial(code.decode, load.needed)
            repeat = 20 if load is W3 else 1
            group = f"{load.name} decode"
            yield Case(group, "numpy", decode, repeat, check=load.check_block)
            yield from _ours(group, load.decode, load.check_block, repeat)


# The equations of W2 alone, for tools that solve equations


class Equations:
    """As many lines as unknowns, cut down to the unknowns, and what they make of these."""

    def __init__(self, load: Workload) -> None:
        self.load, self.unknowns = load, load.lost
        heard = {n for n, _ in load.heard}
        size, m = load.frag_size, load.nb_frag
        lost = [n for n in range(1, m + 1) if n not in heard]
        self.solution = b"".join([load.block[(n - 1) * size : n * size] for n in lost])
        coded = [n for n, _ in load.needed if n > m]
        lines = kernels.ACTIVE.lines(m, coded, load.variant.code)
        step = (m + 7) // 8
        cut = []
        for i in range(len(coded)):
            line = int.from_bytes(lines[i * step : (i + 1) * step], "little")
            bits = sum((line >> (n - 1) & 1) << j for j, n in enumerate(lost))
            cut.append(bits.to_bytes((self.unknowns + 7) // 8, "little"))
        self.all_missing = ((1 << self.unknowns) - 1).to_bytes((self.unknowns + 7) // 8, "little")
        added = self._rank_added(b"".join(cut))
        self.rows = [row for row, one in zip(cut, added, strict=True) if one]
        self.lines = b"".join(self.rows)
        self.payloads = kernels.ACTIVE.product(self.solution, size, self.unknowns, self.lines)
        self.zeros = bytes(len(self.solution))

    def _rank_added(self, lines: bytes) -> bytes:
        basis = bytearray(kernels.basis_octets(self.unknowns))
        return kernels.ACTIVE.rank_add(basis, self.all_missing, self.unknowns, lines)

    def rank(self) -> int:
        return self._rank_added(self.lines).count(1)

    def solve(self) -> bytes:
        """Solve with the kernel, which also multiplies the lines with a block of zeros."""
        size, unknowns = self.load.frag_size, self.unknowns
        return kernels.ACTIVE.solve(
            self.zeros, self.all_missing, size, unknowns, self.lines, self.payloads
        )

    def check_rank(self, rank: int) -> None:
        assert rank == self.unknowns

    def check_solution(self, solution: bytes) -> None:
        assert solution == self.solution

    def bits(self, octets: bytes, rows: int, columns: int) -> Any:
        """Return packed rows as a numpy matrix of zeros and ones."""
        np = optional("numpy")
        packed = np.frombuffer(octets, np.uint8).reshape(rows, -1)
        return np.unpackbits(packed, axis=1, count=columns, bitorder="little")


@functools.cache
def _equations() -> Equations:
    return Equations(W2)


def _galois(once: bool) -> Iterator[Case]:
    galois, np, given = optional("galois"), optional("numpy"), _equations()
    unknowns, size = given.unknowns, W2.frag_size
    lines = galois.GF2(given.bits(given.lines, unknowns, unknowns))
    payloads = galois.GF2(given.bits(given.payloads, unknowns, size * 8))
    solution = given.bits(given.solution, unknowns, size * 8)

    def check(result: Any) -> None:
        assert (result == solution).all()

    def solve() -> Any:
        return np.linalg.solve(lines, payloads)

    def rank() -> int:
        return int(np.linalg.matrix_rank(lines))

    yield Case("W2, solving only", "galois", solve, check=check)
    yield from _ours("W2, solving only", given.solve, given.check_solution)
    yield Case("W2, rank only", "galois", rank, check=given.check_rank)
    yield from _ours("W2, rank only", given.rank, given.check_rank)


# M4RI, by ctypes


class M4ri:
    """The functions of libm4ri that are needed here."""

    def __init__(self) -> None:
        name = "passagemath-m4ri-m4rie"
        try:
            files = importlib.metadata.files(name) or []
            path = next(file.locate() for file in files if file.name.startswith("libm4ri-"))
            library = ctypes.CDLL(str(path))
        except (importlib.metadata.PackageNotFoundError, StopIteration, OSError) as error:
            reason = f"M4RI is not installed: pip install --no-deps {name} brings it"
            raise MissingExtra(reason) from error
        pointer, number = ctypes.c_void_p, ctypes.c_int

        def function(name: str, result: Any, *arguments: Any) -> Any:
            found = getattr(library, name)
            found.restype, found.argtypes = result, arguments
            return found

        self.from_str = function("mzd_from_str", pointer, number, number, ctypes.c_char_p)
        self.multiply = function("mzd_mul", pointer, pointer, pointer, pointer, number)
        self.solve = function("mzd_solve_left", number, pointer, pointer, number, number)
        self.echelonize = function("mzd_echelonize", number, pointer, number)
        self.copy = function("mzd_copy", pointer, pointer, pointer)
        self.equal = function("mzd_equal", number, pointer, pointer)
        self.free = function("mzd_free", None, pointer)

    def matrix(self, octets: bytes, rows: int, columns: int) -> int:
        size = len(octets) // rows
        text = "".join(
            f"{int.from_bytes(octets[i * size : (i + 1) * size], 'little'):0{columns}b}"[::-1]
            for i in range(rows)
        )
        made: int = self.from_str(rows, columns, text.encode())
        return made


def _m4ri(once: bool) -> Iterator[Case]:
    m4ri, given = M4ri(), _equations()
    m, size, unknowns = W2.nb_frag, W2.frag_size, given.unknowns
    coded = [n for n, _ in W2.needed if n > m]
    whole_lines = m4ri.matrix(kernels.ACTIVE.lines(m, coded, W2.variant.code), len(coded), m)
    block = m4ri.matrix(W2.block, m, size * 8)
    lines = m4ri.matrix(given.lines, unknowns, unknowns)
    payloads = m4ri.matrix(given.payloads, unknowns, size * 8)
    solution = m4ri.matrix(given.solution, unknowns, size * 8)
    work: list[int] = []

    def prepare() -> None:  # they work in place
        while work:
            m4ri.free(work.pop())
        work.extend((m4ri.copy(None, lines), m4ri.copy(None, payloads)))

    def solve() -> int:
        failed: int = m4ri.solve(work[0], work[1], 0, 0)
        return failed

    def multiply_and_solve() -> int:
        work.append(m4ri.multiply(None, whole_lines, block, 0))
        return solve()

    def check(failed: int) -> None:
        assert not failed
        assert m4ri.equal(work[1], solution)

    def rank() -> int:
        found: int = m4ri.echelonize(work[0], 0)
        return found

    yield Case("W2, solving only, M4RI", "m4ri", solve, prepare=prepare, check=check)
    yield from _ours("W2, solving only, M4RI", given.solve, given.check_solution)
    yield Case("W2, rank only, M4RI", "m4ri", rank, prepare=prepare, check=given.check_rank)
    yield from _ours("W2, rank only, M4RI", given.rank, given.check_rank)
    group = "W2, all of ours, product and solution of M4RI"
    yield Case(group, "m4ri", multiply_and_solve, prepare=prepare, check=check)
    yield from _ours(group, W2.decode_at_once, W2.check_block)
