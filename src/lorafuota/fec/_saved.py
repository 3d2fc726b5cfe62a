"""Reading a saved decoder: see :meth:`.decoder.FragDecoder.restore`."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

from bitarray import bitarray

from ..errors import FieldError, require_int
from .matrix import MAX_N, unpack
from .variant import ParityVariant

__all__ = ["FLAGS", "FORMAT", "Saved"]

FORMAT: Final = 1
FLAGS: Final = MAX_N + 1  # bits in a set of fragment numbers; bit 0 stands for no number


class Saved:
    """Reads a saved state with suspicion: every value is right or a FieldError."""

    def __init__(self, state: Mapping[str, object]) -> None:
        if not isinstance(state, Mapping):
            raise FieldError("FragDecoder.restore", "state", type(state).__name__, "a mapping")
        self._state = state
        self.integer("format", FORMAT, FORMAT)

    def error(self, field: str, expected: str) -> FieldError:
        """Return the error for *field*."""
        return FieldError("FragDecoder.restore", field, self._state.get(field), expected)

    def get(self, field: str) -> object:
        """Return the value of *field*, whatever it is."""
        return self._state.get(field)

    def integer(self, field: str, lowest: int, highest: int) -> int:
        """Return a whole number from *lowest* to *highest*."""
        return require_int("FragDecoder.restore", field, self.get(field), lowest, highest)

    def flag(self, field: str) -> bool:
        """Return a truth value."""
        value = self.get(field)
        if not isinstance(value, bool):
            raise self.error(field, "true or false")
        return value

    def variant(self) -> ParityVariant:
        """Return the variant."""
        value = self.get("variant")
        for variant in ParityVariant:
            if variant.value == value:
                return variant
        raise self.error("variant", "the value of a ParityVariant")

    def octets(self, field: str, lowest: int, highest: int | None = None) -> bytes:
        """Return octets: exactly *lowest*, or from *lowest* to *highest*."""
        value = self.get(field)
        highest = lowest if highest is None else highest
        try:
            octets = base64.b64decode(value, validate=True) if isinstance(value, str) else None
        except ValueError:  # not base64; binascii.Error is one
            octets = None
        if octets is None or not lowest <= len(octets) <= highest:
            raise self.error(field, f"base64 of {lowest}..{highest} octets")
        return octets

    def bits(self, field: str, length: int) -> bitarray:
        """Return a map of *length* bits."""
        octets = self.octets(field, (length + 7) // 8)
        bits = unpack(octets, length)
        if bits.tobytes() != octets:
            raise self.error(field, f"a map of {length} bits")
        return bits

    def numbers(self, field: str) -> bitarray:
        """Return a set of fragment numbers."""
        octets = self.octets(field, 0, FLAGS // 8)
        bits = unpack(octets.ljust(FLAGS // 8, b"\0"), FLAGS)
        if bits[0]:
            raise self.error(field, "a set of fragment numbers without 0")
        return bits

    def coded(self, lowest: int, most: int) -> list[int]:
        """Return the numbers of at most *most* coded fragments, all different."""
        value = self.get("coded")
        if not isinstance(value, list) or len(value) > most:
            raise self.error("coded", f"list of at most {most} numbers")
        numbers = [require_int("FragDecoder.restore", "coded", n, lowest, MAX_N) for n in value]
        if len(set(numbers)) < len(numbers):
            raise self.error("coded", "numbers that differ")
        return numbers
