"""How long a whole fleet listens: with which fragment each device is complete.

Many devices hear the same session, each with other losses.  For statistics nobody needs their
blocks, only when each has enough; that follows from which fragments it hears, and the lines of the
matrix are the same for all.  Four devices, of which the second loses fragment 1 and the third hears
nothing but the last two coded fragments:

    >>> from bitarray import bitarray
    >>> from lorafuota.fec.fleet import completions
    >>> from lorafuota.fec.variant import ParityVariant
    >>> heard = [bitarray(bits) for bits in ("111111", "011111", "000011", "110100")]
    >>> completions(heard, nb_frag=3, variant=ParityVariant.V1)
    [3, 5, None, None]
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from bitarray import bitarray

from ..errors import FieldError, require_int
from . import kernels
from .matrix import MAX_N, packed_lines, require_variant
from .variant import ParityVariant

__all__ = ["completions"]


def completions(
    receptions: Iterable[bitarray], *, nb_frag: int, variant: ParityVariant
) -> list[int | None]:
    """Return for each device the number of the fragment that completes its block.

    The kernels in C release the interpreter lock, so threads that take a part of the fleet each
    run side by side.

    Args:
        receptions: What each device hears, bit ``i`` for fragment ``i + 1``; all of one length,
            which is the number of fragments sent, plain and coded.  They are sent in order.
        nb_frag: M, the number of plain fragments.
        variant: How lines of the parity matrix are drawn.

    Returns:
        Numbers in the order of *receptions*; None for a device that does not get there.

    Raises:
        FieldError: A parameter is out of range, or maps have different lengths.
    """
    require_int("completions", "nb_frag", nb_frag, 1, MAX_N)
    code = require_variant("completions", variant).code
    maps = list(receptions)
    if not maps:
        return []
    sent = len(maps[0])
    if not nb_frag <= sent <= MAX_N:
        raise FieldError("completions", "receptions", sent, f"maps of {nb_frag}..{MAX_N} bits")
    for heard in maps:
        if len(heard) != sent:
            raise FieldError("completions", "receptions", len(heard), f"maps of {sent} bits")
    packed = b"".join([bitarray(heard, endian="little").tobytes() for heard in maps])
    lines = packed_lines(range(nb_frag + 1, sent + 1), nb_frag, code)
    octets = kernels.ACTIVE.completions(nb_frag, sent - nb_frag, lines, packed)
    return [n or None for (n,) in struct.iter_unpack("<H", octets)]
