"""The compressions of a patch, read piece by piece; nothing is allocated because a patch says so.

Each source is a generator of pieces of :data:`PIECE` octets at most, and :class:`Reader` hands out
the octets asked for.  A source that meets nonsense raises DecodeError.

* none: as it is.
* crle: 0, a length and so many octets; or 1, a length and one octet to repeat.  Lengths have seven
  bits in an octet, the lowest first, and the top bit where another follows.
* heatshrink: one octet with the sizes of window and repetition less 4 and 3; then bits from the
  top: 1 and an octet, or 0, a distance less one and a length less one, back into what came before.
  It ends with fewer than eight zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, final

from ..errors import DecodeError, TruncatedError

__all__ = ["PIECE", "Reader", "crle", "heatshrink", "heatshrink_window", "none"]

PIECE: Final = 4096
"""Octets in a piece at most."""

_WHAT: Final = "patch"
_NOTHING: Final = 2  # octets; one empty run, which is how crle compresses nothing
_LONGEST_SIZE: Final = 9  # octets; 63 bits, more than any length that could be meant


@final
class Reader:
    """Hands out what a source yields."""

    __slots__ = ("_at", "_piece", "_source")

    def __init__(self, source: Iterator[bytes]) -> None:
        """Take a generator of octets."""
        self._source, self._piece, self._at = source, b"", 0

    def read(self, size: int) -> bytes:
        """Return *size* octets, of which a caller asks for :data:`PIECE` at most.

        Raises:
            TruncatedError: The patch ends before.
            DecodeError: It is broken.
        """
        found = self._piece[self._at : self._at + size]
        self._at += len(found)
        if len(found) == size:
            return found
        parts = [found]
        missing = size - len(found)
        while missing:
            piece = next(self._source, None)
            if piece is None:
                raise TruncatedError(_WHAT, 0, "it ends before the image is complete")
            self._piece, self._at = piece, min(missing, len(piece))
            parts.append(piece[: self._at])
            missing -= self._at
        return b"".join(parts)

    def finish(self) -> None:
        """Check that nothing is left.

        Raises:
            DecodeError: Something is, or the end is broken.
        """
        if self._at < len(self._piece) or any(self._source):
            raise DecodeError(_WHAT, 0, "it goes on after the image is complete")


def none(data: bytes) -> Iterator[bytes]:
    """Yield what was not compressed."""
    for at in range(0, len(data), PIECE):
        yield data[at : at + PIECE]


def crle(data: bytes) -> Iterator[bytes]:
    """Yield what crle compressed."""
    at = 0
    while at < len(data):
        kind, start = data[at], at
        length, at = _length(data, at + 1)
        if length == 0 and len(data) > _NOTHING:
            raise DecodeError(_WHAT, start, "an empty run")
        if kind == 0:
            if length > len(data) - at:
                raise TruncatedError(_WHAT, len(data), "it ends inside a run")
            yield from none(data[at : at + length])
            at += length
        elif kind == 1:
            if at >= len(data):
                raise TruncatedError(_WHAT, len(data), "it ends inside a run")
            octet = data[at : at + 1]
            at += 1
            while length:
                step = min(length, PIECE)
                yield octet * step
                length -= step
        else:
            raise DecodeError(_WHAT, start, f"a run of kind {kind}")


def _length(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(_LONGEST_SIZE):
        if at + index >= len(data):
            raise TruncatedError(_WHAT, len(data), "it ends inside a length")
        value |= (data[at + index] & 0x7F) << 7 * index
        if not data[at + index] & 0x80:
            return value, at + index + 1
    raise DecodeError(_WHAT, at, "a length that does not end")


def heatshrink_window(data: bytes) -> int:
    """Return how many octets, as a power of two, a heatshrink stream looks back.

    Raises:
        TruncatedError: There is no stream.
    """
    if not data:
        raise TruncatedError(_WHAT, 0, "it ends before it begins")
    return (data[0] >> 4) + 4


def heatshrink(data: bytes, *, window_bits: int) -> Iterator[bytes]:
    """Yield what heatshrink compressed.

    Args:
        data: With its first octet.
        window_bits: The largest window allowed.
    """
    bits = heatshrink_window(data)
    count_bits = (data[0] & 0x0F) + 3
    if bits > window_bits:
        reason = f"it looks back 2**{bits} octets, and 2**{window_bits} is allowed"
        raise DecodeError(_WHAT, 0, reason)
    if count_bits >= bits:
        raise DecodeError(_WHAT, 0, "repetitions longer than the window")
    stream = _Bits(data)
    size = 1 << bits
    window = bytearray(size)  # a ring; before the first octet stand zeros
    head, piece = 0, bytearray()
    while (tag := stream.tag()) is not None:
        if tag:
            octet = stream.take(8)
            if octet is None:
                break
            piece.append(octet)
            window[head] = octet
            head = (head + 1) % size
        else:
            distance, count = stream.take(bits), stream.take(count_bits)
            if distance is None or count is None:
                break
            for _ in range(count + 1):
                octet = window[(head - distance - 1) % size]
                piece.append(octet)
                window[head] = octet
                head = (head + 1) % size
        while len(piece) >= PIECE:
            yield bytes(piece[:PIECE])
            del piece[:PIECE]
    if piece:
        yield bytes(piece)
    stream.finish()


@final
class _Bits:
    """Bits from the top of each octet, after the first octet."""

    __slots__ = ("_at", "_data", "_held", "_left", "_tag_at")

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 1
        self._held = self._left = 0  # bits taken from the data and not yet handed out
        self._tag_at = 8  # where the last thing that was begun begins

    def tag(self) -> int | None:
        """Return the bit that tells what follows; None at the end."""
        self._tag_at = 8 * self._at - self._left
        return self.take(1)

    def take(self, count: int) -> int | None:
        """Return so many bits, or None if there are fewer."""
        while self._left < count:
            if self._at >= len(self._data):
                return None
            self._held = self._held << 8 | self._data[self._at]
            self._at += 1
            self._left += 8
        self._left -= count
        value = self._held >> self._left
        self._held &= (1 << self._left) - 1
        return value

    def finish(self) -> None:
        """Check that what was begun and not finished was padding."""
        rest = 8 * len(self._data) - self._tag_at
        if rest >= 8 or (rest > 0 and self._data[-1] & ((1 << rest) - 1)):
            raise TruncatedError(_WHAT, len(self._data), "it ends inside a code")
