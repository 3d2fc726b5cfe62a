"""The fast kernels in Python: linear algebra over GF(2) on bitarrays and big integers.

:mod:`._reference` defines what these functions return.  It XORs one fragment or row at a time, and
an XOR of two hundred octets costs the interpreter more than the processor.  The ideas here make
each operation of the interpreter do more:

**Tables** (the "method of Four Russians").  Eight fragments have only 256 different sums.  They are
made once, each from another by one XOR, and then a line needs one look-up for eight of its
coefficients.  Half of the coefficients would have to be XORed otherwise: four times as many.

**All lines at once.**  The sums are octets in a sequence.  The n-th octet of every line is a
strided slice of all lines, iterating over it gives numbers, and so one comprehension collects what
is to be added to *all* results; they lie in one buffer, and a single XOR of bitarrays adds it.  A
line then costs about 30 ns per eight coefficients (:func:`_multiply`).  The sums themselves are
made by eight XORs of growing bitarrays and cut apart by :mod:`struct`, which takes a sixth of the
time of slices.

**Elimination without moving rows** (:class:`_Elimination`) is the same thing again, eight columns
at a time: find eight pivots, make their 256 sums, and one XOR clears the eight columns in all rows,
payloads included.  The octets of a pivot are set to zero in the slice, so that it adds nothing to
itself.

**Who comes first.**  Of the rows that could be the pivot of a column the first is taken.  Then a
row has only ever had rows before it added to it, and comes to nothing exactly when it is a sum of
rows before it.  That is what :func:`rank_add` has to tell, and it makes :func:`solve` choose the
same lines as the reference where payloads contradict each other.

**Fleets** turn the matrix on its side, see :func:`completions`.

**Small is different.**  All this costs ten to twenty microseconds per eight columns to prepare, so
a handful of lines, a small rank and a single row take plain loops.  The limits below are measured.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress, islice
from typing import Final

from bitarray import bitarray

from ._pure_lines import lines as lines
from ._reference import basis_octets as basis_octets

_FEW_LINES: Final = 24  # a product of no more goes line by line ...
_MANY_LINES: Final = 144  # ... and one of no more with tables of sixteen sums
_FEW_ROWS: Final = 40  # no more are added to a basis row by row
_FEW_TO_COMPRESS: Final = 144  # no more lines are cut down one by one
_LOW_RANK: Final = 48  # no more unknowns are solved for column by column
_SMALL_LOSS: Final = 256  # no more columns of a device are reduced one by one
_TRIES: Final = 12  # rows looked at for a pivot before all are
_STEPS: Final = 16  # octets eliminated before they are cut off

_LOW_HALF: Final = bytes(i & 15 for i in range(256))
_HIGH_HALF: Final = bytes(i >> 4 for i in range(256))
_BITS: Final = [1 << bit for bit in range(8)]
_FLIPPED: Final = b"\1".ljust(256, b"\0")
_WITH: Final = [bytes(i | 1 << bit for i in range(256)) for bit in range(8)]


def _bits(octets: bytes | bytearray) -> bitarray:
    """Return the bits in *octets*, lowest first."""
    bits = bitarray(endian="little")
    bits.frombytes(octets)
    return bits


def _rows(lines: bytes, nb_frag: int) -> list[bitarray]:
    """Return the lines one by one, without the unused bits."""
    bits, size = bitarray(buffer=lines, endian="little"), (nb_frag + 7) // 8 * 8
    return [bits[start : start + nb_frag] for start in range(0, len(bits), size)]


# Products


def product(block: bytes | bytearray, frag_size: int, nb_frag: int, lines: bytes, /) -> bytes:
    """Return the XOR of the fragments that each line selects."""
    block = bytes(block)  # slices of bytes are cheaper, and objects are shared
    if len(lines) <= _FEW_LINES * ((nb_frag + 7) // 8):
        return _select(block, frag_size, nb_frag, lines)
    return bytes(_multiply(block, frag_size, nb_frag, lines))


def _select(block: bytes, frag_size: int, nb_frag: int, lines: bytes) -> bytes:
    """Return the product, line by line."""
    fragments = _splitter(frag_size, nb_frag)(block)
    rows = _rows(lines, nb_frag)
    return b"".join([_sum(compress(fragments, row), frag_size) for row in rows])


def _sum(fragments: Iterable[bytes], frag_size: int) -> bytes:
    """Return the XOR of *fragments*: of all in one half with all in the other, and so on."""
    bits = _bits(b"".join(fragments) or bytes(frag_size))
    while len(bits) > 8 * frag_size:
        half = (len(bits) // (8 * frag_size) + 1) // 2 * 8 * frag_size
        rest = bits[half:]
        rest += bitarray(2 * half - len(bits), endian="little")
        del bits[half:]
        bits ^= rest
    return bits.tobytes()


def _multiply(block: bytes, frag_size: int, nb_frag: int, lines: bytes) -> bytearray:
    """Return the product, eight columns of the lines at a time."""
    size = (nb_frag + 7) // 8
    count = len(lines) // size
    results = bytearray(count * frag_size)
    bits = bitarray(buffer=results, endian="little")
    columns = 8 if count > _MANY_LINES else 4
    split = _splitter(frag_size, 1 << columns)
    fragments, width = bitarray(buffer=block, endian="little"), 8 * frag_size
    for i in range(size):
        octets = lines[i::size]
        start, middle, end = 8 * i * width, (8 * i + 4) * width, 8 * (i + 1) * width
        if columns == 8:
            _add(bits, split(_sums(fragments[start:end], width, 8)), octets)
        else:
            sums = split(_sums(fragments[start:middle], width, 4))
            _add(bits, sums, octets.translate(_LOW_HALF))
            sums = split(_sums(fragments[middle:end], width, 4))
            _add(bits, sums, octets.translate(_HIGH_HALF))
    return results


def _splitter(size: int, count: int) -> Callable[[bytes | bytearray], tuple[bytes, ...]]:
    """Return a function that cuts octets into *count* pieces of *size*, faster than slices do."""
    return struct.Struct(f"{size}s" * count).unpack


def _sums(fragments: bitarray, width: int, count: int) -> bytes:
    """Return the sums of every selection of *fragments*; those missing of *count* are zeros.

    With twice as many fragments there are twice as many sums: those without the new fragment, and
    the same with it.
    """
    sums = bitarray(width, endian="little")
    for start in range(0, count * width, width):
        fragment = fragments[start : start + width]
        sums += sums ^ fragment * (len(sums) // width) if fragment else sums
    return sums.tobytes()


def _add(bits: bitarray, sums: Sequence[bytes], octets: bytes | bytearray) -> None:
    """Add to the rows in *bits* the sums that *octets* number, a row for an octet."""
    bits ^= bitarray(buffer=b"".join([sums[octet] for octet in octets]), endian="little")


# Columns


def _compress(lines: bytes, nb_frag: int, columns: bitarray, width: int) -> bytes | bytearray:
    """Return the lines cut down to *columns*, in rows of *width* octets."""
    if len(lines) <= _FEW_TO_COMPRESS * ((nb_frag + 7) // 8):
        rows = _rows(lines, nb_frag)
        return b"".join([row[columns].tobytes().ljust(width, b"\0") for row in rows])
    return _collect(lines, nb_frag, columns, width)


def _collect(lines: bytes, nb_frag: int, columns: bitarray, width: int) -> bytearray:
    """Return the lines cut down to *columns*, eight of these at a time.

    A bitarray can do that with a line, but looks at each of its bits.  What an octet of a line has
    of eight wanted columns, and where it goes, is the same for all lines: a translation.
    """
    size = (nb_frag + 7) // 8
    count = len(lines) // size
    rows = bytearray(count * width)
    wanted = list(compress(range(nb_frag), columns))
    for first in range(0, len(wanted), 8):
        places: dict[int, dict[int, int]] = {}  # octet of a line: its bit: where it goes
        for place, column in enumerate(wanted[first : first + 8]):
            places.setdefault(column // 8, {})[column % 8] = place
        collected = bitarray(8 * count, endian="little")
        for octet, bits in places.items():
            moved = lines[octet::size].translate(_move(bits))
            collected |= bitarray(buffer=moved, endian="little")
        rows[first // 8 :: width] = collected.tobytes()
    return rows


def _move(bits: Mapping[int, int]) -> bytes:
    """Return the translation that moves bits of an octet, and clears those not in *bits*."""
    table = b"\0"
    for bit in range(8):
        table += table.translate(_WITH[bits[bit]]) if bit in bits else table
    return table


# Elimination


@dataclasses.dataclass(slots=True)
class _Pivot:
    """A row with the only one in its column, among the pivots of an octet."""

    bit: int
    """Its column in the octet."""
    row: int
    """The row from the octet on, little-endian."""
    place: int | None
    """Where it stands, if it is one of the rows that are eliminated."""


class _Elimination:
    """Rows in one buffer, whose columns are eliminated eight at a time.

    Attributes:
        names: For each place in the buffer, the number the row had at first.
        open: Places of rows that are no pivots, in order.
    """

    def __init__(self, rows: bytes | bytearray, width: int, *, keep: bool) -> None:
        """Take rows of *width* octets; with *keep*, pivots are changed further and stay."""
        self._keep = keep
        self.names = list(range(len(rows) // width))
        self.open = list(self.names)
        self._set(rows, width)

    def row(self, place: int) -> bytes:
        """Return what is left of a row."""
        return bytes(self._rows[place * self._width + self._next : (place + 1) * self._width])

    def step(self, columns: Iterable[int], held: Mapping[int, int]) -> list[_Pivot]:
        """Clear the next octet of all rows but pivots.

        Args:
            columns: Its bits that are columns, ascending.
            held: Rows known already, by the bit of their lowest column, which is in this octet.

        Returns:
            The pivots, in the order of their columns, *held* ones included.
        """
        width = self._width
        octets = self._rows[self._next :: width]
        pivots: list[_Pivot] = []
        for bit in columns:
            place = None
            if bit in held:
                row = held[bit]
            else:
                found = self._find(octets, bit, pivots)
                if found is None:
                    continue
                place = self.open.pop(found)
                row = int.from_bytes(self.row(place), "little")
                for pivot in pivots:
                    if octets[place] & pivot.bit:
                        row ^= pivot.row
            for pivot in pivots:
                if pivot.row & bit:
                    pivot.row ^= row
            pivots.append(_Pivot(bit, row, place))
        self._clear(octets, pivots)
        self._next += 1
        if self._next == _STEPS:
            self._cut()
        return pivots

    def _find(self, octets: bytearray, bit: int, pivots: Iterable[_Pivot]) -> int | None:
        """Return which of the open rows is the first with a one at *bit*, pivots taken out.

        Whether it has one depends on the bit itself and on the pivots that are taken out and have
        one: on the parity of some of its bits.
        """
        mask = bit
        for pivot in pivots:
            if pivot.row & bit:
                mask |= pivot.bit
        for i, place in enumerate(islice(self.open, _TRIES)):
            if (octets[place] & mask).bit_count() & 1:
                return i
        if len(self.open) <= _TRIES:
            return None
        parities = b"\0"
        for column in range(8):
            parities += parities.translate(_FLIPPED) if mask >> column & 1 else parities
        found = bytes([octets[place] for place in self.open]).translate(parities).find(1)
        return None if found < 0 else found

    def _clear(self, octets: bytearray, pivots: Iterable[_Pivot]) -> None:
        """Add pivots to the other rows, so that these have no ones in columns of pivots."""
        width = self._width
        rows = bitarray(64 * width, endian="little")
        for pivot in pivots:
            row = (pivot.row << 8 * self._next).to_bytes(width, "little")
            start = (pivot.bit.bit_length() - 1) * 8 * width
            rows[start : start + 8 * width] = _bits(row)
            if pivot.place is not None:
                octets[pivot.place] = 0
                self._rows[pivot.place * width : (pivot.place + 1) * width] = row
        _add(self._bits, self._split(_sums(rows, 8 * width, 8)), octets)

    def _cut(self) -> None:
        """Cut off the octets that are done with, and rows that are if they need not be kept."""
        if not self._keep:
            zero = bytes(self._width - self._next)
            places = [place for place in self.open if self.row(place) != zero]
            self.names = [self.names[place] for place in places]
            rows = b"".join([self.row(place) for place in places])
            self.open = list(range(len(places)))
        else:
            rows = b"".join([self.row(place) for place in range(len(self.names))])
        self._set(rows, self._width - self._next)

    def _set(self, rows: bytes | bytearray, width: int) -> None:
        self._width, self._next = width, 0  # octets in a row; the one to be eliminated
        self._rows = bytearray(rows)
        self._bits = bitarray(buffer=self._rows, endian="little")
        self._split = _splitter(width, 256)


def rank_add(basis: bytearray, missing: bytes, nb_frag: int, lines: bytes, /) -> bytes:
    """Insert lines into a basis; tell which of them raised the rank."""
    columns = _bits(missing)[:nb_frag]
    width = len(basis) // max(columns.count(), 1)
    if width and len(lines) > _FEW_ROWS * ((nb_frag + 7) // 8):
        return _insert_many(basis, width, _compress(lines, nb_frag, columns, width))
    bits = bitarray(buffer=basis, endian="little")
    return bytes([_insert(bits, 8 * width, row[columns]) for row in _rows(lines, nb_frag)])


def _insert(basis: bitarray, width: int, row: bitarray) -> bool:
    """Insert one row into a basis with rows of *width* bits."""
    row += bitarray(width - len(row), endian="little")
    column = row.find(1)
    while column >= 0:
        start = column * width
        if not basis[start + column]:
            basis[start : start + width] = row
            return True
        row ^= basis[start : start + width]
        column = row.find(1, column + 1)
    return False


def _insert_many(basis: bytearray, width: int, rows: bytes | bytearray) -> bytes:
    """Insert rows of *width* octets into a basis; tell which of them raised the rank."""
    rank = len(basis) // width
    added = bytearray(len(rows) // width)
    elimination = _Elimination(rows, width, keep=False)
    for first in range(0, rank, 8):
        if not elimination.open:
            break
        octet, columns = first // 8, min(8, rank - first)
        starts = [(first + i) * width + octet for i in range(columns)]
        held = {
            1 << i: int.from_bytes(basis[start : start + width - octet], "little")
            for i, start in enumerate(starts)
            if basis[start] >> i & 1
        }
        names = elimination.names
        for pivot in elimination.step(_BITS[:columns], held):
            if pivot.place is not None:
                start = starts[pivot.bit.bit_length() - 1]
                basis[start : start + width - octet] = pivot.row.to_bytes(width - octet, "little")
                added[names[pivot.place]] = 1
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
    """Return the missing fragments, by elimination of rows that carry their payload."""
    columns = _bits(missing)[:nb_frag]
    unknowns = columns.count()
    width = (unknowns + 7) // 8
    sums = _bits(product(block, frag_size, nb_frag, lines)) ^ _bits(payloads)
    count = len(payloads) // frag_size
    left = _splitter(width, count)(_compress(lines, nb_frag, columns, width))
    right = _splitter(frag_size, count)(sums.tobytes())
    rows = [coefficients + payload for coefficients, payload in zip(left, right, strict=True)]
    found = _solve_few if unknowns <= _LOW_RANK else _solve_many
    return found(rows, unknowns, frag_size)


def _solve_few(rows: list[bytes], unknowns: int, frag_size: int) -> bytes:
    """Return the payloads of rows solved for their *unknowns*, one column at a time."""
    numbers = [int.from_bytes(row, "little") for row in rows]
    open_rows = list(range(len(rows)))
    found = []
    for column in range(unknowns):
        bit = 1 << column
        place = next((i for i in open_rows if numbers[i] & bit), None)
        if place is None:
            raise _singular(unknowns)
        open_rows.remove(place)
        pivot = numbers[place]
        numbers = [number ^ pivot if number & bit else number for number in numbers]
        numbers[place] = pivot
        found.append(place)
    width = (unknowns + 7) // 8 * 8
    return b"".join([(numbers[i] >> width).to_bytes(frag_size, "little") for i in found])


def _solve_many(rows: list[bytes], unknowns: int, frag_size: int) -> bytes:
    """Return the payloads of rows solved for their *unknowns*, eight columns at a time."""
    if len(rows) < unknowns:
        raise _singular(unknowns)
    elimination = _Elimination(b"".join(rows), len(rows[0]), keep=True)
    found = []
    for first in range(0, unknowns, 8):
        columns = min(8, unknowns - first)
        pivots = elimination.step(_BITS[:columns], {})
        if len(pivots) < columns:
            raise _singular(unknowns)
        found += [pivot.place for pivot in pivots if pivot.place is not None]
    return b"".join([elimination.row(place)[-frag_size:] for place in found])


def _singular(unknowns: int) -> ValueError:
    return ValueError(f"the lines do not have rank {unknowns}")


# Fleets


def completions(nb_frag: int, nb_coded: int, lines: bytes, receptions: bytes, /) -> bytes:
    """Return with which fragment each device is complete.

    A device wants to know how many lines it takes until the columns it misses are independent.  So
    here the *columns* are eliminated, with the lines it did not hear blanked out.  Each column ends
    with a first line of its own, and these are the first independent lines: the last of them
    completes the block.  Lines need not be cut down to the columns of a device, and all devices
    share the columns.
    """
    fleet = _Fleet(nb_frag, nb_coded, lines)
    size = (nb_frag + nb_coded + 7) // 8
    found = []
    for start in range(0, len(receptions), size):
        heard = _bits(receptions[start : start + size])
        found.append(fleet.completion(~heard[:nb_frag], heard[nb_frag : nb_frag + nb_coded]))
    return struct.pack(f"<{len(found)}H", *found)


class _Fleet:
    """The coded part of the matrix by columns, for many devices."""

    def __init__(self, nb_frag: int, nb_coded: int, lines: bytes) -> None:
        self._nb_frag, self._nb_coded = nb_frag, nb_coded
        self._bits = bitarray(buffer=lines, endian="little")
        self._stride = (nb_frag + 7) // 8 * 8
        self._numbers: dict[int, int] = {}
        self._octets: dict[int, bytes] = {}

    def completion(self, missing: bitarray, heard: bitarray) -> int:
        """Return the number that completes the device that misses and heard these fragments."""
        loss = missing.count()
        if not loss:
            return self._nb_frag
        if loss > heard.count():
            return 0
        columns = list(compress(range(self._nb_frag), missing))
        lines = self._few(columns, heard) if loss <= _SMALL_LOSS else self._many(columns, heard)
        return self._nb_frag + lines if lines else 0

    def _few(self, columns: list[int], heard: bitarray) -> int:
        """Return how many lines make *columns* independent, one column after the other.

        A column is a number with the first line in its highest bit.
        """
        mask = self._number(heard)
        basis: dict[int, int] = {}
        for column in columns:
            number = self._numbers.get(column)
            if number is None:
                number = self._number(self._column(column))
                self._numbers[column] = number
            number &= mask
            while (length := number.bit_length()) in basis:
                number ^= basis[length]
            if not number:
                return 0
            basis[length] = number
        return self._nb_coded + 1 - min(basis)

    def _many(self, columns: list[int], heard: bitarray) -> int:
        """Return how many lines make *columns* independent, eight lines at a time."""
        for column in columns:
            if column not in self._octets:
                self._octets[column] = self._column(column).tobytes()
        bits = _bits(b"".join([self._octets[column] for column in columns]))
        mask = heard.tobytes()
        bits &= _bits(mask * len(columns))
        elimination = _Elimination(bits.tobytes(), len(mask), keep=False)
        lacking = len(columns)
        for i, octet in enumerate(mask):
            pivots = elimination.step([bit for bit in _BITS if octet & bit], {})
            lacking -= len(pivots)
            if not lacking:
                return 8 * i + pivots[-1].bit.bit_length()
        return 0

    def _column(self, column: int) -> bitarray:
        """Return the coefficients of a fragment in all lines."""
        return self._bits[column :: self._stride]

    def _number(self, flags: bitarray) -> int:
        """Return *flags*, one for each line, as a number with the first in its highest bit."""
        octets = bitarray(flags, endian="big").tobytes()
        return int.from_bytes(octets, "big") >> -self._nb_coded % 8
