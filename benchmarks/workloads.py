"""The sessions that are measured, and how a set of kernels is put in place for them.

Data is ``Random(seed).randbytes(M * S)``.  With ``Random(seed + 500000)`` fragments 1, 2, ... M + P
are heard in order, each when ``random() >= loss``.  W5 shares one ``Random(205)`` between all its
devices instead.  All use version 1 of the matrix unless a case says otherwise.
"""

from __future__ import annotations

import dataclasses
import functools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bitarray import bitarray

from lorafuota.fec import batch, kernels, matrix
from lorafuota.fec.decoder import FragDecoder
from lorafuota.fec.encoder import FragEncoder
from lorafuota.fec.variant import ParityVariant

V1, V2 = ParityVariant.V1, ParityVariant.V2


@dataclasses.dataclass(frozen=True)
class Workload:
    """One session: M fragments of S octets, P coded ones, what is lost, and a seed."""

    name: str
    nb_frag: int
    frag_size: int
    nb_coded: int
    loss: float
    seed: int
    variant: ParityVariant = V1

    @functools.cached_property
    def block(self) -> bytes:
        return random.Random(self.seed).randbytes(self.nb_frag * self.frag_size)

    @functools.cached_property
    def coded(self) -> list[bytes]:
        """All coded fragments."""
        return self.encode()

    @functools.cached_property
    def heard(self) -> list[tuple[int, bytes]]:
        """The fragments that arrive, in order."""
        chance, size = random.Random(self.seed + 500000), self.frag_size
        sent = [self.block[i : i + size] for i in range(0, len(self.block), size)] + self.coded
        return [(n, part) for n, part in enumerate(sent, 1) if chance.random() >= self.loss]

    @functools.cached_property
    def needed(self) -> list[tuple[int, bytes]]:
        """Those that arrive until the block is complete: when a receiver stops."""
        decoder = self.decoder()
        for i, (n, payload) in enumerate(self.heard, 1):
            decoder.feed(n, payload)
            if decoder.complete:
                return self.heard[:i]
        raise AssertionError(f"{self.name} does not complete")

    @functools.cached_property
    def lost(self) -> int:
        """L, the number of plain fragments that do not arrive."""
        return self.nb_frag - sum(n <= self.nb_frag for n, _ in self.heard)

    def decoder(self) -> FragDecoder:
        return FragDecoder(nb_frag=self.nb_frag, frag_size=self.frag_size, variant=self.variant)

    def encode(self) -> list[bytes]:
        """Make all coded fragments."""
        encoder = FragEncoder(self.block, frag_size=self.frag_size, variant=self.variant)
        return encoder.fragments(range(self.nb_frag + 1, self.nb_frag + self.nb_coded + 1))

    def decode(self) -> bytes:
        """Rebuild the block from what is needed, handed over in one go."""
        decoder = self.decoder()
        decoder.feed_all(self.needed)
        return decoder.block()

    @functools.cached_property
    def received(self) -> tuple[bytes, bytes, list[int], bytes]:
        """What is needed, laid out for kernels: block, missing, numbers and payloads of coded."""
        size, m = self.frag_size, self.nb_frag
        block, missing = bytearray(m * size), bitarray(m, endian="little")
        missing.setall(1)
        for n, payload in self.needed:
            if n <= m:
                block[(n - 1) * size : n * size] = payload
                missing[n - 1] = 0
        coded = [(n, payload) for n, payload in self.needed if n > m]
        payloads = b"".join([payload for _, payload in coded])
        return bytes(block), missing.tobytes(), [n for n, _ in coded], payloads

    def encode_with_kernels(self) -> bytes:
        """Draw the lines and multiply, without an encoder; return the coded fragments joined."""
        numbers = range(self.nb_frag + 1, self.nb_frag + self.nb_coded + 1)
        lines = kernels.ACTIVE.lines(self.nb_frag, numbers, self.variant.code)
        return kernels.ACTIVE.product(self.block, self.frag_size, self.nb_frag, lines)

    def decode_with_kernels(self) -> bytes:
        """Draw the lines and solve, without a decoder; return the missing fragments."""
        block, missing, numbers, payloads = self.received
        lines = kernels.ACTIVE.lines(self.nb_frag, numbers, self.variant.code)
        return kernels.ACTIVE.solve(block, missing, self.frag_size, self.nb_frag, lines, payloads)

    def check_missing(self, result: bytes) -> None:
        size = self.frag_size
        heard = {n for n, _ in self.needed}
        lost = [n for n in range(1, self.nb_frag + 1) if n not in heard]
        assert result == b"".join([self.block[(n - 1) * size : n * size] for n in lost])

    def decode_at_once(self) -> bytes:
        """Rebuild the block from what is needed, without a decoder that could be asked."""
        size = self.frag_size
        return batch.decode(self.needed, nb_frag=self.nb_frag, frag_size=size, variant=self.variant)

    def decode_one_by_one(self) -> bytes:
        """Rebuild the block as a receiver does, who asks after every fragment whether to stop."""
        decoder = self.decoder()
        for n, payload in self.heard:
            decoder.feed(n, payload)
            if decoder.complete:
                break
        return decoder.block()

    def check_coded(self, result: list[bytes]) -> None:
        assert result == self.coded

    def check_joined(self, result: bytes) -> None:
        assert result == b"".join(self.coded)

    def check_block(self, result: bytes) -> None:
        assert result == self.block


W1 = Workload("W1", 4400, 239, 1320, 0.0, 101)
W2 = Workload("W2", 4400, 239, 1320, 0.2, 102)
W3 = Workload("W3", 256, 48, 77, 0.1, 103)
W4 = Workload("W4", 12600, 64, 3780, 0.2, 104)
GROWTH = [
    Workload(f"G({m})", m, 64, m * 3 // 10, 0.2, 1000 + m)
    for m in (250, 500, 1000, 2000, 4000, 8000, 12000)
]
CORNER = Workload("G16000", 16000, 64, 383, 0.02, 17000)


@dataclasses.dataclass(frozen=True)
class Fleet:
    """Many devices that hear the same session."""

    name: str
    nb_frag: int
    nb_coded: int
    loss: float
    seed: int
    devices: int
    total: int
    """What the numbers of the completing fragments sum to."""

    @functools.cached_property
    def receptions(self) -> list[bitarray]:
        chance, sent = random.Random(self.seed), self.nb_frag + self.nb_coded
        return [
            bitarray([chance.random() >= self.loss for _ in range(sent)], endian="little")
            for _ in range(self.devices)
        ]


W5 = Fleet("W5", 1000, 300, 0.15, 205, 1000, 1_178_633)


def kernel_sets() -> dict[str, kernels.Kernels]:
    """All sets of kernels there are here, the slowest first."""
    return kernels.available()


def forget_lines() -> None:
    """Make the next session draw its lines itself: nothing is measured with lines remembered."""
    matrix._CACHE = matrix.LineCache(matrix.CACHE_OCTETS)  # type: ignore[misc]


def cold(name: str) -> Callable[[], None]:
    """Return what puts the set *name* in place, with no line remembered."""
    chosen = kernel_sets()[name]

    def prepare() -> None:
        kernels.ACTIVE = chosen
        forget_lines()

    return prepare


@contextmanager
def kernels_kept() -> Iterator[None]:
    """Put back the set of kernels that is active now."""
    kept = kernels.ACTIVE
    try:
        yield
    finally:
        kernels.ACTIVE = kept
        forget_lines()
