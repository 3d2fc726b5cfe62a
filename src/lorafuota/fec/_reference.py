"""The reference kernels: as plain as the standard, and the definition of what is right.

The code, in a paragraph.  A block is cut into M fragments.  Fragment number N, for N up to M, is
the Nth of them.  Every fragment above M is *coded*: the XOR of about half of the M, and the
receiver, who knows N and M, can find out which half.  So each fragment on air is one linear
equation over GF(2), and any M independent ones give the block back.  The coefficients of equation N
are *line* N of the matrix: M bits.

Why a line is drawn the way it is (TS004, section "FEC" and annex).  The lines should look random,
because random equations are nearly always independent: on average M + 2 of them suffice.  They must
cost a microcontroller nothing to store, so they come from a shift register of 23 bits that starts
from N.  What looks odd in the drawing has a reason, or at least a history:

* **The seed is 1 + 1001 s.**  Neighbouring fragments start far apart in the register's cycle.  s is
  N - M or N, see :mod:`.variant`.  s reaches 16383, so a seed can need 24 bits.
* **The feedback is added.**  In a register of 23 bits the top bit is free after the shift, and
  adding, ORing or XORing the feedback into it is the same.  In the first steps from a 24-bit seed
  (s from 8381 up) the bit may be taken; the reference adds, the carry goes up, and we do the same.
  The extra bit is shifted out in the end.
* **A power of two is not a good modulus.**  ``x % 2**k`` looks at the low k bits only, and in a
  shift register these are the same bits again a step later.  So for M = 2**k the remainder is taken
  modulo M + 1, and a remainder of M, which is no column, is thrown away and does not count.
* **floor(M / 2) draws.**  Half of the columns, if no draw hits a column twice.  Version 1 does not
  mind repeats: a line is a set, a repeat changes nothing, and a line has 39 % ones.  Version 2
  draws on until floor(M / 2) columns are set.
* **M = 1 has no draws**: its coded fragments are zeros and carry nothing.  M = 2 and M = 3 have one
  draw, so a coded fragment is a copy of a plain one.
* **An even floor(M / 2) in version 2** makes every line even, and even lines span only the even
  half of the space: without one plain fragment the rank stops at M - 1.

Fragments are Python integers below, because XOR of integers is the fastest XOR that Python has.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress

from bitarray import bitarray

_MAX_N = 16383


def prbs23(x: int) -> int:
    """Return the state of the generator after *x*."""
    return (x >> 1) + (((x ^ x >> 5) & 1) << 22)


def _line(n: int, nb_frag: int, variant: int) -> bitarray:
    """Return line *n*: a single one for a plain fragment, drawn for a coded one."""
    line = bitarray(nb_frag, endian="little")
    if n <= nb_frag:
        line[n - 1] = 1
        return line
    distinct, seeded_by_n = variant & 1, variant & 2
    modulus = nb_frag + 1 if nb_frag.bit_count() == 1 else nb_frag
    x = 1 + 1001 * (n if seeded_by_n else n - nb_frag)
    draws = 0
    while draws < nb_frag // 2:
        x = prbs23(x)
        column = x % modulus
        if column == nb_frag or (distinct and line[column]):
            continue
        line[column] = 1
        draws += 1
    return line


def _unpack(octets: bytes, length: int) -> bitarray:
    """Return *length* bits as they stand in *octets*."""
    bits = bitarray(endian="little")
    bits.frombytes(octets)
    return bits[:length]


def _split(lines: bytes, nb_frag: int) -> Iterator[bitarray]:
    """Return packed lines one by one."""
    size = (nb_frag + 7) // 8
    return (_unpack(lines[i : i + size], nb_frag) for i in range(0, len(lines), size))


def _xor(fragments: Iterable[int]) -> int:
    """Return the XOR of all *fragments*."""
    return functools.reduce(operator.xor, fragments, 0)


def basis_octets(nb_missing: int) -> int:
    """Return the size of a rank basis: one row for each column, in whole 64-bit words."""
    return nb_missing * 8 * ((nb_missing + 63) // 64)


def lines(nb_frag: int, numbers: Sequence[int], variant: int, /) -> bytes:
    """Return the lines of *numbers*, packed."""
    return b"".join(_line(n, nb_frag, variant).tobytes() for n in numbers)


def product(block: bytes | bytearray, frag_size: int, nb_frag: int, lines: bytes, /) -> bytes:
    """Return the XOR of the fragments that each line selects."""
    starts = range(0, len(block), frag_size)
    fragments = [int.from_bytes(block[start : start + frag_size], "little") for start in starts]
    return b"".join(
        _xor(compress(fragments, line)).to_bytes(frag_size, "little")
        for line in _split(lines, nb_frag)
    )


def rank_add(basis: bytearray, missing: bytes, nb_frag: int, lines: bytes, /) -> bytes:
    """Insert lines into a basis; tell which of them raised the rank."""
    columns = _unpack(missing, nb_frag)
    size = basis_octets(columns.count()) // max(columns.count(), 1)
    added = bytearray()
    for line in _split(lines, nb_frag):
        row = int.from_bytes(line[columns].tobytes(), "little")
        while row:
            start = ((row & -row).bit_length() - 1) * size
            held = int.from_bytes(basis[start : start + size], "little")
            if not held:
                basis[start : start + size] = row.to_bytes(size, "little")
                break
            row ^= held
        added.append(row != 0)
    return bytes(added)


def solve(
    block: bytes | bytearray,
    missing: bytes,
    frag_size: int,
    nb_frag: int,
    lines: bytes,
    payloads: bytes,
    /,
) -> bytes:
    """Return the missing fragments, by Gaussian elimination and substitution."""
    columns = _unpack(missing, nb_frag)
    width = 8 * frag_size  # a row is an integer: payload below, coefficients from bit `width` up
    known = product(block, frag_size, nb_frag, lines)
    rows: dict[int, int] = {}  # by the length of the row, that is by its highest coefficient
    for i, line in enumerate(_split(lines, nb_frag)):
        octets = slice(i * frag_size, (i + 1) * frag_size)
        coefficients = int.from_bytes(line[columns].tobytes(), "little")
        row = int.from_bytes(payloads[octets], "little") ^ int.from_bytes(known[octets], "little")
        row |= coefficients << width
        while (length := row.bit_length()) in rows:
            row ^= rows[length]
        if length > width:
            rows[length] = row
    if len(rows) < columns.count():
        raise ValueError(f"rank {len(rows)} for {columns.count()} missing fragments")
    found: list[int] = []
    for column in range(len(rows)):  # the row of a column has no coefficient above it
        row = rows[width + column + 1]
        below = _unpack((row >> width).to_bytes(column // 8 + 1, "little"), column)
        found.append(row % (1 << width) ^ _xor(compress(found, below)))
    return b"".join(fragment.to_bytes(frag_size, "little") for fragment in found)


def completions(nb_frag: int, nb_coded: int, lines: bytes, receptions: bytes, /) -> bytes:
    """Return with which fragment each device is complete, counting its rank as it goes."""
    size = (nb_frag + nb_coded + 7) // 8
    coded = list(_split(lines, nb_frag))
    answers: list[int] = []
    for start in range(0, len(receptions), size):
        heard = _unpack(receptions[start : start + size], nb_frag + nb_coded)
        columns = ~heard[:nb_frag]
        lost = columns.count()
        answer = 0 if lost else nb_frag
        rows: dict[int, int] = {}
        for i in heard.search(1):
            if i < nb_frag or len(rows) == lost:
                continue
            row = int.from_bytes(coded[i - nb_frag][columns].tobytes(), "little")
            while (length := row.bit_length()) in rows:
                row ^= rows[length]
            if row:
                rows[length] = row
                if len(rows) == lost:
                    answer = i + 1
        answers.append(answer)
    return b"".join(answer.to_bytes(2, "little") for answer in answers)


def take(
    block: bytearray,
    received: bitarray,
    frag_size: int,
    nb_frag: int,
    fragments: list[tuple[int, bytes]],
    start: int,
    /,
) -> int:
    """Put the plain fragments that come next into a block; return how many."""
    taken = 0
    for fragment in fragments[start:]:
        if type(fragment) is not tuple or len(fragment) != 2:
            break
        n, payload = fragment
        if type(n) is not int or not 1 <= n <= nb_frag or received[n - 1]:
            break
        if type(payload) is not bytes or len(payload) != frag_size:
            break
        block[(n - 1) * frag_size : n * frag_size] = payload
        received[n - 1] = 1
        taken += 1
    return taken


def decode(
    fragments: list[tuple[int, bytes]],
    nb_frag: int,
    frag_size: int,
    variant: int,
    max_checks: int,
    /,
) -> tuple[bytes, bytes, int] | None:
    """Return the block that plain fragments and, after them, coded ones make, each there once.

    With it come a map of all fragments looked at (bit N - 1 for fragment N, of 16383) and how many
    of them, from the first on, it takes.

    The result is None if it takes a decoder to say what is wrong with them: they do not suffice, or
    disagree, or are not as they should be.
    """
    block, received = bytearray(nb_frag * frag_size), bitarray(nb_frag, endian="little")
    taken = take(block, received, frag_size, nb_frag, fragments, 0)
    coded: dict[int, bytes] = {}
    for fragment in fragments[taken : nb_frag + max_checks]:  # as many as are lost, and some
        if type(fragment) is not tuple or len(fragment) != 2:
            return None
        n, payload = fragment
        if type(n) is not int or not nb_frag < n <= _MAX_N or n in coded:
            return None
        if type(payload) is not bytes or len(payload) != frag_size:
            return None
        coded[n] = payload
    drawn, payloads = lines(nb_frag, list(coded), variant), b"".join(coded.values())
    missing = (~received).tobytes()
    try:
        found = solve(block, missing, frag_size, nb_frag, drawn, payloads)
    except ValueError:
        return None
    for i, place in enumerate((~received).search(1)):
        part = found[i * frag_size : (i + 1) * frag_size]
        block[place * frag_size : (place + 1) * frag_size] = part
    if product(block, frag_size, nb_frag, drawn) != payloads:
        return None
    raised = rank_add(bytearray(basis_octets(nb_frag - taken)), missing, nb_frag, drawn)
    heard = received + bitarray(_MAX_N - nb_frag, endian="little")
    heard[[n - 1 for n in coded]] = 1
    return bytes(block), heard.tobytes(), taken + raised.rfind(1) + 1
