"""Lines of the parity matrix, drawn many states at a time in big integers.

:mod:`._reference` says what a line is; drawing one that way costs some 200 ns per draw, nearly all
of it the interpreter's.  Here an operation of the interpreter works on a hundred draws.

**The register is a bit string.**  State i of the generator is bits i to i + 22 of one long sequence
with ``s[k + 23] = s[k] ^ s[k + 5]``: a step drops the lowest bit and puts one on top.  So eighteen
more bits come from one shift and XOR, and since squaring the rule doubles its distances,
``s[k + 46] = s[k] ^ s[k + 10]`` and so on, twice as many come from the next
(:func:`_bit_string`).

**An integer is a row of lanes** of 32 bits.  Shifted by j and masked to 23 bits per lane, the bit
string shows states j, j + 32, j + 64, ... side by side.

**Remainders without division.**  In each lane, ``q = (x >> low) * factor >> shift`` is about
``x / modulus`` and never above it, so ``x - q * modulus`` does not borrow from the next lane; and
``(x >> low) * factor`` stays below 2**32, so it does not spill into it.  The result is congruent to
x but may still exceed the modulus, up to three times for a large one.  Nobody corrects it: all
results of a line are set in a bit map that is long enough, and its segments are ORed together.
:class:`_Drawing` has the bounds, the tests prove them for every M.

**Two arrangements.**  A long line fills an integer by itself, lanes 32 states apart
(:func:`_long_line`).  For shorter lines, if there are many, each lane is a line of its own and up
to 128 lines advance together (:class:`_SideBySide`).  Either way the draws end as machine words in
an array that indexes a bitarray: the quickest way there is to set many bits, and still more than
half of the time.  :func:`_draw` estimates what each way costs, and takes the cheapest.

**What counts is seen afterwards.**  As many draws are made as the line lacks, no more than can be
needed.  Then the line is looked at.  A draw that hit column M when M is a power of two was none;
and where columns must be distinct, only the ones in the line count, and there is another round.
The last few draws are made one by one.  So are the first from a seed of 24 bits, until the state
fits the bit string (:func:`_plainly`).
"""

from __future__ import annotations

import dataclasses
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from bitarray import bitarray

_STATE: Final = (1 << 23) - 1  # the bits of a state
_LAST_DRAWS: Final = 16  # so few are not worth another round
_SPARE_DRAWS: Final = 64  # what they take, nearly always, if columns must be distinct
_FEW_DRAWS: Final = 31  # lines of no more are always drawn plainly: a seed may take all of them
_LANES: Final = 128  # lines side by side; more do not fit the cache
_CHUNK: Final = 64  # draws per line between two accesses to the bit map


class _Drawing:
    """How lines are drawn for one M, with the constants of the remainder.

    With h = x >> low, the quotient q = h * factor >> shift is at most x / modulus, because factor
    is rounded down.  It is more than x / modulus - 1 - h / 2**shift - (x % 2**low) / modulus, so
    that the remainder is below 2**low + modulus + modulus * h / 2**shift.

    Attributes:
        nb_frag: M.
        modulus: What draws are taken modulo: M, or M + 1 for a power of two.
        distinct: Whether a column drawn again does not count.
        low: Bits dropped from the state before it is multiplied.
        factor: The reciprocal of the modulus times 2**(low + shift).
        shift: Bits dropped from the product.
        segments: The remainder is below this many times the modulus.
    """

    def __init__(self, nb_frag: int, *, distinct: bool) -> None:
        self.nb_frag, self.distinct = nb_frag, distinct
        self.modulus = nb_frag + 1 if nb_frag.bit_count() == 1 else nb_frag
        size = self.modulus.bit_length()
        self.low = max(size - 1, 9)
        self.shift = min(24 - self.low, size + 7)
        self.factor = (1 << self.low + self.shift) // self.modulus
        excess = (1 << self.low) + (self.modulus << 23 - self.low >> self.shift)
        self.segments = excess // self.modulus + 2

    def rejected(self, words: array[int], remainders: bitarray, start: int) -> int:
        """Return how many of the draws in *words* hit column M, as a power of two.

        *remainders* has ones at all of *words*; those of the line in question begin at *start*.
        """
        if self.modulus == self.nb_frag:
            return 0
        values = range(start + self.nb_frag, start + self.segments * self.modulus, self.modulus)
        return sum([_occurrences(words, value) for value in values if remainders[value]])


@dataclasses.dataclass(slots=True)
class _Masks:
    """Constants of :class:`_Drawing`, once for each of a number of lanes."""

    state: int
    high: int
    quotient: int


def _in_lanes(word: int, count: int) -> int:
    """Return *word* in each of *count* lanes."""
    return int.from_bytes(word.to_bytes(4, "little") * count, "little")


def _masks(drawing: _Drawing, lanes: int) -> _Masks:
    return _Masks(
        state=_in_lanes(_STATE, lanes),
        high=_in_lanes(_STATE >> drawing.low, lanes),
        quotient=_in_lanes(0xFFFFFFFF >> drawing.shift, lanes),
    )


def _words(typecode: str, octets: bytes) -> array[int]:
    """Return the little-endian words in *octets*."""
    words = array(typecode, octets)
    if sys.byteorder == "big":  # pragma: no cover
        words.byteswap()
    return words


def _occurrences(words: array[int], value: int) -> int:
    """Return how often *value* is among *words*, where it is at least once.

    Octets are searched ten times as fast as words are compared.  The end of one word and the
    beginning of the next can look like the value, but of two real occurrences neither hides the
    other: if there is one place, there is one occurrence.
    """
    places = words.tobytes().count(array(words.typecode, [value]).tobytes())
    return places if places == 1 else words.count(value)


def _bit_string(x: int, length: int) -> int:
    """Return at least *length* bits of the sequence that begins with the bits of state *x*."""
    held, power = 23, 1
    while held < length:
        if held >= 46 * power:
            power *= 2
        tail = x >> held - 23 * power
        x |= ((tail ^ tail >> 5 * power) & ((1 << 18 * power) - 1)) << held
        held += 18 * power
    return x


def _plainly(
    drawing: _Drawing, line: bitarray, x: int, owed: int, smallest: int = 0
) -> tuple[int, int]:
    """Draw one by one, while draws are owed and the state is not below *smallest*.

    Returns:
        The state, and the draws still owed.
    """
    nb_frag, modulus, distinct = drawing.nb_frag, drawing.modulus, drawing.distinct
    while owed and x >= smallest:
        x = (x >> 1) + (((x ^ x >> 5) & 1) << 22)
        column = x % modulus
        if column == nb_frag or (distinct and line[column]):
            continue
        line[column] = 1
        owed -= 1
    return x, owed


def _states(drawing: _Drawing, masks: _Masks, bits: int, count: int, lanes: int) -> array[int]:
    """Return the remainders of the first *count* states in *bits*, in no order.

    States j and j + 16 share a lane, as halves of it: what is made of a state fits 16 bits.  The
    states of the last lane that are too many become a number that is not a remainder.
    """
    low, factor, shift, modulus = drawing.low, drawing.factor, drawing.shift, drawing.modulus
    state, high, quotient = masks.state, masks.high, masks.quotient
    parts = []
    for j in range(16):
        near = bits >> j
        far = near >> 16
        lower = (near & state) - ((near >> low & high) * factor >> shift & quotient) * modulus
        upper = (far & state) - ((far >> low & high) * factor >> shift & quotient) * modulus
        parts.append((lower | upper << 16).to_bytes(4 * lanes, "little"))
    words = _words("H", b"".join(parts))
    wanted = count - 32 * (lanes - 1)  # in the last lane
    none = array("H", [drawing.segments * modulus])
    for half, kept in enumerate((min(wanted, 16), max(wanted - 16, 0))):
        words[2 * (lanes * kept + lanes - 1) + half :: 2 * lanes] = none * (16 - kept)
    return words


def _long_line(drawing: _Drawing, seed: int) -> bytes:
    """Return the line drawn from *seed*, with 32 states to a lane."""
    nb_frag, modulus = drawing.nb_frag, drawing.modulus
    line = bitarray(modulus, endian="little")
    x, owed = _plainly(drawing, line, seed, nb_frag // 2, _STATE + 1)
    remainders = bitarray(drawing.segments * modulus + 1, endian="little")
    while owed > _LAST_DRAWS:
        lanes = (owed + 31) // 32
        bits = _bit_string(x, 32 * lanes + 24) >> 1
        words = _states(drawing, _masks(drawing, lanes), bits, owed, lanes)
        remainders[words] = 1
        for start in range(0, len(remainders) - 1, modulus):
            line |= remainders[start : start + modulus]
        x = bits >> owed - 1 & _STATE
        if not drawing.distinct:
            owed = drawing.rejected(words, remainders, 0)
            break
        owed = nb_frag // 2 - line.count(1, 0, nb_frag)
    _plainly(drawing, line, x, owed)
    del line[nb_frag:]
    return line.tobytes()


class _SideBySide:
    """Lines that advance together, each in a lane of its own.

    A lane of 32 bits holds ten states, at bits 0 to 9.  After those it is shifted by ten, and its
    upper ten bits are made from others that it has.
    """

    def __init__(self, drawing: _Drawing, seeds: Sequence[int]) -> None:
        """Take the draws of states that need 24 bits, and arrange what follows in lanes."""
        self._drawing = drawing
        stride = drawing.segments * drawing.modulus + 7 & ~7
        self._starts = range(0, len(seeds) * stride, stride)  # where the remainders of a line begin
        self._remainders = bitarray(len(seeds) * stride, endian="little")
        self._owed: list[int] = []
        lanes: list[int] = []
        for start, seed in zip(self._starts, seeds, strict=True):
            x, owed = seed, drawing.nb_frag // 2
            if seed > _STATE:
                line = bitarray(drawing.modulus, endian="little")
                x, owed = _plainly(drawing, line, seed, owed, _STATE + 1)
                self._remainders[start : start + drawing.modulus] = line
            lanes.append((x | ((x ^ x >> 5) & 0x3FF) << 23) >> 1)
            self._owed.append(owed)
        self._format = f"<{len(seeds)}I"
        self._states = int.from_bytes(struct.pack(self._format, *lanes), "little")
        self._position = 0  # of the next state in the lanes

    def lines(self) -> list[bytes]:
        """Draw everything."""
        drawing, starts = self._drawing, self._starts
        nb_frag, modulus, lanes = drawing.nb_frag, drawing.modulus, len(starts)
        keep = modulus > nb_frag and not drawing.distinct  # draws to look for rejected ones in
        while True:
            count = min(self._owed)
            words = array("I")
            for some in self._draw(count):
                self._remainders[some] = 1
                if keep:
                    words += some
            columns = self._remainders.copy()
            for k in range(1, drawing.segments):
                columns |= self._remainders << k * modulus
            if not drawing.distinct:
                break
            self._owed = [nb_frag // 2 - columns.count(1, i, i + nb_frag) for i in starts]
            if min(self._owed) <= _LAST_DRAWS:
                for some in self._draw(_SPARE_DRAWS):
                    words += some
                break
        drawn = []
        states = struct.unpack(self._format, self._states.to_bytes(4 * lanes, "little"))
        for lane, (start, owed, state) in enumerate(zip(starts, self._owed, states, strict=True)):
            line = columns[start : start + modulus]
            if drawing.distinct:
                owed = _distinct(drawing, line, words[lane::lanes], start, owed)
            else:
                owed -= count
            if keep:
                owed += drawing.rejected(words[lane::lanes], self._remainders, start)
            _plainly(drawing, line, state >> self._position - 1 & _STATE, owed)
            del line[nb_frag:]
            drawn.append(line.tobytes())
        return drawn

    def _draw(self, count: int) -> Iterator[array[int]]:
        """Advance all lines by *count* draws.

        Yields:
            Some draws of each line at a time, to which the start of the line is added.
        """
        drawing, lanes = self._drawing, len(self._starts)
        low, factor, shift, modulus = drawing.low, drawing.factor, drawing.shift, drawing.modulus
        masks = _masks(drawing, lanes)
        state, high, quotient = masks.state, masks.high, masks.quotient
        kept, made = _in_lanes((1 << 22) - 1, lanes), _in_lanes(0x3FF, lanes)
        starts = int.from_bytes(struct.pack(self._format, *self._starts), "little")
        states, position = self._states, self._position
        for done in range(0, count, _CHUNK):
            parts = []
            for _ in range(min(_CHUNK, count - done)):
                if position == 10:
                    upper = (states >> 9 ^ states >> 14) & made
                    states = states >> 10 & kept | upper << 22
                    position = 0
                x = states >> position
                position += 1
                q = (x >> low & high) * factor >> shift & quotient
                parts.append((starts + (x & state) - q * modulus).to_bytes(4 * lanes, "little"))
            self._states, self._position = states, position
            yield _words("I", b"".join(parts))


def _distinct(
    drawing: _Drawing, line: bitarray, words: Iterable[int], start: int, owed: int
) -> int:
    """Take draws one by one while they are owed, and return how many still are."""
    nb_frag, modulus = drawing.nb_frag, drawing.modulus
    for word in words:
        column = (word - start) % modulus
        if line[column] or column == nb_frag:
            continue
        if not owed:
            break
        line[column] = 1
        owed -= 1
    return owed


def _draw_plainly(drawing: _Drawing, seeds: Sequence[int]) -> list[bytes]:
    """Return the lines drawn from *seeds*, one draw after the other."""
    drawn = []
    for seed in seeds:
        line = bitarray(drawing.modulus, endian="little")
        _plainly(drawing, line, seed, drawing.nb_frag // 2)
        del line[drawing.nb_frag :]
        drawn.append(line.tobytes())
    return drawn


def _draw_singly(drawing: _Drawing, seeds: Sequence[int]) -> list[bytes]:
    """Return the lines drawn from *seeds*, one line after the other."""
    return [_long_line(drawing, seed) for seed in seeds]


def _draw_side_by_side(drawing: _Drawing, seeds: Sequence[int]) -> list[bytes]:
    """Return the lines drawn from *seeds*, many together."""
    batches = range(0, len(seeds), _LANES)
    return [line for i in batches for line in _SideBySide(drawing, seeds[i : i + _LANES]).lines()]


def _draw(drawing: _Drawing, seeds: Sequence[int]) -> list[bytes]:
    """Return the lines drawn from *seeds*, in the way that costs least.

    The costs are measured, in nanoseconds; ratios between them are much the same everywhere.
    """
    lines, draws = len(seeds), drawing.nb_frag // 2
    batches = (lines + _LANES - 1) // _LANES
    if drawing.distinct:
        plainly = lines * (1_000 + 210 * draws)
        singly = lines * (80_000 + 43 * draws)
        side_by_side = batches * 390 * draws + lines * (5_000 + 43 * draws)
    else:
        plainly = lines * (1_000 + 135 * draws)
        singly = lines * (24_000 + 27 * draws)
        side_by_side = batches * 270 * draws + lines * (2_500 + 29 * draws)
    if draws <= _FEW_DRAWS or plainly <= min(singly, side_by_side):
        return _draw_plainly(drawing, seeds)
    if singly <= side_by_side:
        return _draw_singly(drawing, seeds)
    return _draw_side_by_side(drawing, seeds)


def lines(nb_frag: int, numbers: Sequence[int], variant: int, /) -> bytes:
    """Return the lines of *numbers*, packed."""
    origin = 0 if variant & 2 else nb_frag
    seeds = [1 + 1001 * (n - origin) for n in numbers if n > nb_frag]
    drawn = _draw(_Drawing(nb_frag, distinct=bool(variant & 1)), seeds)
    if len(seeds) < len(numbers):
        coded, size = iter(drawn), (nb_frag + 7) // 8
        drawn = [
            next(coded) if n > nb_frag else (1 << n - 1).to_bytes(size, "little") for n in numbers
        ]
    return b"".join(drawn)
