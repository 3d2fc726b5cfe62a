"""A block from fragments that are all at hand.

A recording, a test, a simulation: nobody asks in between what is missing, so most of what a
:class:`.FragDecoder` keeps track of can be left out, and the rest done in one go.

    >>> from lorafuota.fec.batch import decode
    >>> from lorafuota.fec.encoder import FragEncoder
    >>> from lorafuota.fec.variant import ParityVariant
    >>> encoder = FragEncoder(b"fragments!", frag_size=2, variant=ParityVariant.V2)
    >>> heard = [(n, encoder.fragment(n)) for n in (1, 4, 5, 6, 8, 9)]
    >>> decode(heard, nb_frag=5, frag_size=2, variant=ParityVariant.V2)
    b'fragments!'
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import iter_unpack

from bitarray import bitarray

from ..errors import require_int
from . import kernels
from .decoder import FragDecoder
from .matrix import MAX_N, packed_lines, require_variant
from .variant import ParityVariant

__all__ = ["decode"]


def decode(
    fragments: Iterable[tuple[int, bytes]],
    *,
    nb_frag: int,
    frag_size: int,
    variant: ParityVariant,
    max_checks: int = 8,
) -> bytes:
    """Return the block that *fragments* make, padding included.

    Plain fragments first, each fragment once: that is quick.  Anything else goes through a
    :class:`.FragDecoder`.  The first fragments that suffice are used, then up to *max_checks* are
    compared with the block; those after them may be left unseen.

    Args:
        fragments: Number and octets of each.
        nb_frag: M, 1 to 16383.
        frag_size: Octets in a fragment, 1 to 255.
        variant: How lines of the parity matrix are drawn.
        max_checks: How many more fragments than are lost to look at.

    Raises:
        StateError: Fragments are missing.
        IntegrityError: A spare fragment disagrees, or a number came with different octets.
        FieldError: A parameter or a number is out of range, or a fragment has the wrong length.
    """
    require_int("decode", "nb_frag", nb_frag, 1, MAX_N)
    require_int("decode", "frag_size", frag_size, 1, 255)
    require_int("decode", "max_checks", max_checks, 0, MAX_N)
    require_variant("decode", variant)
    waiting = list(fragments)
    arguments = waiting, nb_frag, frag_size, variant.code, max_checks
    if kernels.decodes_at_once():
        found = kernels.decode(*arguments)
        block = found[0] if found else None
    else:
        block = _in_steps(*arguments)
    if block is not None:
        return block
    decoder = FragDecoder(nb_frag=nb_frag, frag_size=frag_size, variant=variant)
    decoder.feed_all(waiting)
    return decoder.block()


def _in_steps(
    waiting: list[tuple[int, bytes]], nb_frag: int, frag_size: int, variant: int, max_checks: int
) -> bytes | None:
    """Return the block that ``decode`` of a set of kernels finds, for sets that do not have it."""
    block, received = bytearray(nb_frag * frag_size), bitarray(nb_frag, endian="little")
    taken = kernels.take(block, received, frag_size, nb_frag, waiting, 0)
    lost = nb_frag - taken
    coded = waiting[taken : taken + lost + max_checks]
    if not coded:
        return None if lost else bytes(block)
    try:
        numbers, parts = zip(*coded, strict=True)
    except (TypeError, ValueError):  # not even pairs
        return None
    if len(numbers) < lost or not _usual(numbers, parts, nb_frag, frag_size):
        return None
    lines = packed_lines(numbers, nb_frag, variant)
    if lost:
        missing = (~received).tobytes()
        basis = bytearray(kernels.basis_octets(lost))
        added = kernels.ACTIVE.rank_add(basis, missing, nb_frag, lines)
        if added.count(1) < lost:
            return None
        found = kernels.ACTIVE.solve(block, missing, frag_size, nb_frag, lines, b"".join(parts))
        places = (~received).search(1)
        parted = iter_unpack(f"{frag_size}s", found)
        rebuilt = [(i + 1, part) for i, (part,) in zip(places, parted, strict=True)]
        kernels.take(block, received, frag_size, nb_frag, rebuilt, 0)
    else:
        added = bytes(len(numbers))
    if len(numbers) > lost:
        size = len(lines) // len(numbers)
        spare = [i for i, raised in enumerate(added) if not raised]
        lines = b"".join([lines[i * size : (i + 1) * size] for i in spare])
        expected = kernels.ACTIVE.product(block, frag_size, nb_frag, lines)
        if expected != b"".join([parts[i] for i in spare]):
            return None
    return bytes(block)


def _usual(
    numbers: tuple[int, ...], parts: tuple[bytes, ...], nb_frag: int, frag_size: int
) -> bool:
    """Whether these are coded fragments, all different and of the right length and type."""
    return (
        set(map(type, numbers)) == {int}
        and nb_frag < min(numbers)
        and max(numbers) <= MAX_N
        and len(set(numbers)) == len(numbers)
        and set(map(type, parts)) == {bytes}
        and set(map(len, parts)) == {frag_size}
    )
