"""What the C module offers; see `kernels.Kernels` for what the methods do."""

from collections.abc import Sequence
from typing import final

from bitarray import bitarray

def instruction_sets() -> tuple[str, ...]: ...

@final
class Kernels:
    def __new__(cls, simd: str, /) -> Kernels: ...
    @property
    def simd(self) -> str: ...
    def lines(self, nb_frag: int, numbers: Sequence[int], variant: int, /) -> bytes: ...
    def product(
        self, block: bytes | bytearray, frag_size: int, nb_frag: int, lines: bytes, /
    ) -> bytes: ...
    def rank_add(
        self, basis: bytearray, missing: bytes, nb_frag: int, lines: bytes, /
    ) -> bytes: ...
    def solve(
        self,
        block: bytes | bytearray,
        missing: bytes,
        frag_size: int,
        nb_frag: int,
        lines: bytes,
        payloads: bytes,
        /,
    ) -> bytes: ...
    def completions(
        self, nb_frag: int, nb_coded: int, lines: bytes, receptions: bytes, /
    ) -> bytes: ...
    def take(
        self,
        block: bytearray,
        received: bitarray,
        frag_size: int,
        nb_frag: int,
        fragments: list[tuple[int, bytes]],
        start: int,
        /,
    ) -> int: ...
    def decode(
        self,
        fragments: list[tuple[int, bytes]],
        nb_frag: int,
        frag_size: int,
        variant: int,
        max_checks: int,
        /,
    ) -> tuple[bytes, bytes, int] | None: ...
