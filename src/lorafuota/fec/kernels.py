"""What a set of kernels is, and the one place that decides which set runs.

The hot work of the code is four functions over fragment numbers and buffers.  They exist up to
three times under one signature: ``_reference`` (as plain as the standard; the definition),
``_pure`` (fast Python) and ``_speedups`` (C).  Everything above them is written once and keeps its
state in plain buffers, so a session begun under one set goes on under another.

The environment variable ``LORAFUOTA_KERNELS`` chooses when this module is first imported:

=============  =====================================================================
``auto``       the fastest set that can be loaded (the default)
``c``          C, or an ImportError
``python``     the fastest set without C
``reference``  the reference, as slow as it is
=============  =====================================================================

:data:`NAME` and :data:`ACTIVE` are the choice.  Callers write ``kernels.ACTIVE.product(...)`` and
do not keep the set, so that a test can replace it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import Final, Protocol, cast

from ..errors import FieldError
from . import _reference

__all__ = ["ACTIVE", "NAME", "Kernels", "basis_octets"]

basis_octets = _reference.basis_octets


class Kernels(Protocol):
    """Functions from numbers and buffers to buffers; whatever state there is belongs to the caller.

    Common to all: *nb_frag* is M, 1 to 16383.  *numbers* are fragment numbers N, 1 to 16383; up to
    M they stand for the plain fragment, with a single one in their line.  *variant* is
    :attr:`.ParityVariant.code`.  Bit maps and lines are ``ceil(M / 8)`` octets, fragment ``i + 1``
    at bit ``i % 8`` of octet ``i // 8``, unused bits zero.  *block* has ``M * frag_size`` octets.
    Whoever calls a kernel has checked all this.
    """

    def lines(self, nb_frag: int, numbers: Sequence[int], variant: int, /) -> bytes:
        """Return the lines of *numbers*, packed, one after the other."""

    def product(
        self,
        block: bytes | bytearray,
        frag_size: int,
        nb_frag: int,
        numbers: Sequence[int],
        variant: int,
        /,
    ) -> bytes:
        """Return, for each of *numbers*, the XOR of the fragments of *block* its line selects."""

    def rank_add(
        self,
        basis: bytearray,
        missing: bytes,
        nb_frag: int,
        numbers: Sequence[int],
        variant: int,
        /,
    ) -> bytes:
        """Insert lines, cut down to the columns in *missing*, into an echelon basis.

        *basis* has :func:`basis_octets` octets for the number L of ones in *missing*, all zero
        at first, and is changed in place: L rows of whole 64-bit little-endian words; row ``i``
        is empty or has its lowest one at column ``i``.

        Returns:
            One octet for each of *numbers*: 1 when the line raised the rank, 0 when it was in
            the span of what had been inserted before.
        """

    def solve(
        self,
        block: bytes | bytearray,
        missing: bytes,
        frag_size: int,
        nb_frag: int,
        numbers: Sequence[int],
        payloads: bytes,
        variant: int,
        /,
    ) -> bytes:
        """Return the missing fragments in order, from as many independent coded ones.

        *block* holds zeros where a fragment is missing; *payloads* are the fragments *numbers*,
        one after the other.

        Raises:
            ValueError: The lines of *numbers* do not have full rank over *missing*.
        """


_MODULES: Final = {"c": "_speedups", "python": "_pure", "reference": "_reference"}
_CANDIDATES: Final = {
    "auto": ("c", "python", "reference"),
    "c": ("c",),
    "python": ("python", "reference"),
    "reference": ("reference",),
}
_REFERENCE: Kernels = _reference  # here the checker holds the module to the protocol


def _choose(wish: str) -> tuple[str, Kernels]:
    """Load the first set of kernels that *wish* allows and that exists; return its name too."""
    candidates = _CANDIDATES.get(wish)
    if candidates is None:
        raise FieldError("environment", "LORAFUOTA_KERNELS", wish, "auto, c, python or reference")
    cause: ImportError | None = None
    for name in candidates:
        try:
            module = importlib.import_module(f"{__package__}.{_MODULES[name]}")
        except ImportError as error:  # not built, or built for another interpreter
            cause = error
        else:
            return name, cast(Kernels, module)
    raise ImportError(f"LORAFUOTA_KERNELS={wish}, but these kernels cannot be loaded") from cause


NAME, ACTIVE = _choose(os.environ.get("LORAFUOTA_KERNELS", "auto"))
