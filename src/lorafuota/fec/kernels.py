"""What a set of kernels is, and the one place that decides which set runs.

The hot work of the code is five functions over numbers and buffers.  They exist up to three times
under one signature: ``_reference`` (as plain as the standard; the definition), ``_pure`` (fast
Python) and ``_speedups`` (C).  Everything above them is written once and keeps its state in plain
buffers, so a session begun under one set goes on under another.  What a set may do in one call
instead of many, ``take`` and ``decode``, is defined in ``_reference``, too; one that does not have
it is helped out.

Two environment variables choose when this module is first imported.  ``LORAFUOTA_KERNELS``:

=============  =====================================================================
``auto``       the fastest set that can be loaded (the default)
``c``          C, or an ImportError
``python``     the fastest set without C
``reference``  the reference, as slow as it is
=============  =====================================================================

and ``LORAFUOTA_SIMD``, for the set in C: ``auto`` (the best the processor has), ``avx2`` or
``baseline``.

:data:`NAME`, :data:`SIMD` and :data:`ACTIVE` are the choice.  Callers write
``kernels.ACTIVE.product(...)`` and do not keep the set, so that a test can replace it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import Final, Protocol, cast

from bitarray import bitarray

from ..errors import FieldError
from . import _reference

__all__ = [
    "ACTIVE",
    "NAME",
    "SIMD",
    "Kernels",
    "available",
    "basis_octets",
    "decode",
    "decodes_at_once",
    "take",
]

basis_octets = _reference.basis_octets


class Kernels(Protocol):
    """Functions from numbers and buffers to buffers; whatever state there is belongs to the caller.

    Common to all: *nb_frag* is M, 1 to 16383.  Fragment numbers N are 1 to 16383.  A line of the
    matrix is ``ceil(M / 8)`` octets, fragment ``i + 1`` at bit ``i % 8`` of octet ``i // 8``,
    unused bits zero; so is *missing*, a map of plain fragments.  *lines* are any number of lines,
    one after the other.  *block* has ``M * frag_size`` octets, with zeros where a fragment is
    missing.  Whoever calls a kernel has checked all this.
    """

    def lines(self, nb_frag: int, numbers: Sequence[int], variant: int, /) -> bytes:
        """Return the lines of fragments *numbers*.

        Up to M a number stands for the plain fragment, with a single one in its line.
        *variant* is :attr:`.ParityVariant.code`.
        """

    def product(
        self, block: bytes | bytearray, frag_size: int, nb_frag: int, lines: bytes, /
    ) -> bytes:
        """Return, for each line, the XOR of the fragments of *block* it selects."""

    def rank_add(self, basis: bytearray, missing: bytes, nb_frag: int, lines: bytes, /) -> bytes:
        """Insert lines, cut down to the columns in *missing*, into an echelon basis.

        *basis* has :func:`basis_octets` octets for the number L of ones in *missing*, all zero
        at first, and is changed in place: L rows of whole 64-bit little-endian words; row ``i``
        is empty or has its lowest one at column ``i``.

        Returns:
            One octet for each line: 1 when it raised the rank, 0 when it was in the span of what
            had been inserted before.
        """

    def solve(
        self,
        block: bytes | bytearray,
        missing: bytes,
        frag_size: int,
        nb_frag: int,
        lines: bytes,
        payloads: bytes,
        /,
    ) -> bytes:
        """Return the missing fragments in order, from coded ones.

        *payloads* are the fragments that *lines* belong to, one after the other.  Lines that
        depend on others are passed over, payload unseen.

        Raises:
            ValueError: *lines* do not have full rank over *missing*.
        """

    def completions(self, nb_frag: int, nb_coded: int, lines: bytes, receptions: bytes, /) -> bytes:
        """Return with which fragment each of many devices is complete.

        *lines* are those of fragments M + 1 to M + *nb_coded*.  *receptions* has, for each device,
        ``ceil((M + nb_coded) / 8)`` octets: bit N - 1 tells whether it hears fragment N.

        Returns:
            For each device two octets, little-endian: the N that completes it when fragments come
            in ascending order, 0 for never.
        """


_MODULES: Final = {"c": "_speedups", "python": "_pure", "reference": "_reference"}
_CANDIDATES: Final = {
    "auto": ("c", "python", "reference"),
    "c": ("c",),
    "python": ("python", "reference"),
    "reference": ("reference",),
}
_SIMD: Final = ("auto", "avx2", "baseline")
_REFERENCE: Kernels = _reference  # here the checker holds the module to the protocol


def _load(name: str, simd: str) -> Kernels:
    """Load one set of kernels."""
    module = importlib.import_module(f"{__package__}.{_MODULES[name]}")
    if name != "c":
        return cast(Kernels, module)
    if simd not in ("auto", *module.instruction_sets()):
        raise ImportError(f"no kernels in C for {simd} here")
    return cast(Kernels, module.Kernels(simd))


def _choose(wish: str, simd: str) -> tuple[str, Kernels]:
    """Load the first set of kernels that *wish* allows and that exists; return its name too."""
    candidates = _CANDIDATES.get(wish)
    if candidates is None:
        raise FieldError("environment", "LORAFUOTA_KERNELS", wish, "auto, c, python or reference")
    if simd not in _SIMD:
        raise FieldError("environment", "LORAFUOTA_SIMD", simd, "auto, avx2 or baseline")
    cause: ImportError | None = None
    for name in candidates:
        try:
            return name, _load(name, simd)
        except ImportError as error:  # not built, or built for another interpreter or processor
            cause = error
    raise ImportError(f"LORAFUOTA_KERNELS={wish}, but these kernels cannot be loaded") from cause


def available() -> dict[str, Kernels]:
    """Return every set of kernels that can be loaded here, by name: for tests and benchmarks.

    Those in C are called ``c-`` and their instruction set.
    """
    sets: dict[str, Kernels] = {}
    for name in ("reference", "python"):
        try:
            sets[name] = _load(name, "")
        except ImportError:
            continue
    for simd in ("baseline", "avx2"):
        try:
            kernels = _load("c", simd)
        except ImportError:
            continue
        sets[f"c-{simd}"] = kernels
    return sets


def take(
    block: bytearray,
    received: bitarray,
    frag_size: int,
    nb_frag: int,
    fragments: list[tuple[int, bytes]],
    start: int,
) -> int:
    """Put plain fragments into a block, from ``fragments[start]`` on, while all is as it should be.

    That is: the next one is a tuple of an int in 1..M and of *frag_size* octets of bytes, and
    *received* says that it is new.  The set in C does this, too, only faster, and may; a set that
    does not have it leaves it to the reference.

    Returns:
        How many were taken.
    """
    function = getattr(ACTIVE, "take", _reference.take)
    return cast(int, function(block, received, frag_size, nb_frag, fragments, start))


def decodes_at_once() -> bool:
    """Whether there is a :func:`decode` in the set of kernels in use."""
    return hasattr(ACTIVE, "decode")


def decode(
    fragments: list[tuple[int, bytes]], nb_frag: int, frag_size: int, variant: int, max_checks: int
) -> tuple[bytes, bytes, int] | None:
    """Rebuild a block in one call from fragments that are as usual, suffice, and agree.

    As usual means: plain ones first, each number once, each a tuple of an int and of bytes.  As
    many coded ones are looked at as plain ones are lost, and *max_checks* more.

    Returns:
        The block; a map of the fragments looked at, bit N - 1 for fragment N; how many of them,
        from the first on, it takes.  None if they are not like this, or if the set of kernels in
        use has no such function: then a decoder has to look at them.
    """
    function = getattr(ACTIVE, "decode", None)
    if function is None:
        return None
    found = function(fragments, nb_frag, frag_size, variant, max_checks)
    return cast(tuple[bytes, bytes, int] | None, found)


NAME, ACTIVE = _choose(
    os.environ.get("LORAFUOTA_KERNELS", "auto"), os.environ.get("LORAFUOTA_SIMD", "auto")
)
SIMD: Final[str] = getattr(ACTIVE, "simd", "")
"""Which instruction set the kernels in C use; empty for the others."""
