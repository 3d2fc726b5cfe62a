r"""Strategies for data blocks: one fragment and many, no padding and all but an octet of it.

>>> from hypothesis import find
>>> from lorafuota.testing.blocks import blocks
>>> block = find(blocks(), lambda one: one.padding > 0)
>>> block, block.image, block.nb_frag
(DataBlock(frag_size=2, descriptor=b'\x00\x00\x00\x00'), b'\x00', 1)
"""

from __future__ import annotations

import random
from typing import Final

from ..datablock import MAX_FRAG_SIZE, MAX_NB_FRAG, DataBlock
from ..errors import FieldError, require_int
from ._arguments import require
from ._values import LONGEST_REST, numbers

try:
    from hypothesis import strategies as st
except ImportError as error:  # pragma: no cover  the tests have it
    raise ImportError(
        "lorafuota.testing needs Hypothesis: pip install lorafuota[testing]"
    ) from error

__all__ = ["CORNERS", "blocks"]

CORNERS: Final = (1, 2, 3, 4, 5, 8, 9, 12, 13, 16, 17, 31, 32, 33, 64, 127, 128, 129)
"""NbFrag where parity codes break: without any parity (1); with one other column (2, 3); with an
even number of ones in every line of version 2 (4, 5, 8, 9, 12 ...); around powers of two, for
which the standard's generator has a rule of its own."""


def blocks(
    *,
    nb_frag: int | st.SearchStrategy[int] | None = None,
    frag_size: int | st.SearchStrategy[int] | None = None,
    padding: int | st.SearchStrategy[int] | None = None,
    descriptor: bytes | st.SearchStrategy[bytes] | None = None,
    max_nb_frag: int = 64,
) -> st.SearchStrategy[DataBlock]:
    """Any block; the simplest images count up from zero, so that no two fragments are alike.

    Args:
        nb_frag: Fragments before coding, 1 to 16383, or a strategy; any up to *max_nb_frag*, many
            of :data:`CORNERS` among them, if not given.
        frag_size: Octets in a fragment, 1 to 255, or a strategy; 1 to 239, which a frame can
            carry, if not given.
        padding: Octets behind the image, less than *frag_size*, or a strategy; any, often none or
            all but one octet, if not given.
        descriptor: The 4 octets of Descriptor, or a strategy; any if not given.
        max_nb_frag: See *nb_frag*.

    Raises:
        FieldError: A number is out of range, or *descriptor* has not 4 octets; of what a strategy
            gives, or depends on what one gives, when it is drawn.
    """
    require_int("blocks", "max_nb_frag", max_nb_frag, 1, MAX_NB_FRAG)
    corners = st.sampled_from([one for one in CORNERS if one <= max_nb_frag])
    counts = _wanted("nb_frag", nb_frag, corners | numbers(1, max_nb_frag), 1, MAX_NB_FRAG)
    sizes = _wanted("frag_size", frag_size, numbers(1, LONGEST_REST), 1, MAX_FRAG_SIZE)
    if isinstance(frag_size, int):
        _wanted("padding", padding, st.nothing(), 0, frag_size - 1)
    tags = st.binary(min_size=4, max_size=4) if descriptor is None else descriptor
    if isinstance(tags, bytes) and len(tags) != 4:
        raise FieldError("blocks", "descriptor", descriptor, "4 octets, or a strategy")
    kinds = (bytes, st.SearchStrategy)
    require("blocks", "descriptor", tags, kinds, "4 octets, or a strategy")

    @st.composite
    def draw_block(draw: st.DrawFn) -> DataBlock:
        m = require_int("blocks", "nb_frag", draw(counts), 1, MAX_NB_FRAG)
        size = require_int("blocks", "frag_size", draw(sizes), 1, MAX_FRAG_SIZE)
        spares = _wanted("padding", padding, numbers(0, size - 1), 0, size - 1)
        spare = require_int("blocks", "padding", draw(spares), 0, size - 1)
        tag = draw(tags) if isinstance(tags, st.SearchStrategy) else tags
        seed, length = draw(st.integers(0, 255)), m * size - spare
        image = random.Random(seed).randbytes(length) if seed else _counting(length)
        return DataBlock(image, size, tag)

    return draw_block()


def _wanted(
    field: str,
    given: int | st.SearchStrategy[int] | None,
    usual: st.SearchStrategy[int],
    lowest: int,
    highest: int,
) -> st.SearchStrategy[int]:
    if given is None:
        return usual
    if isinstance(given, st.SearchStrategy):
        return given
    return st.just(require_int("blocks", field, given, lowest, highest))


def _counting(length: int) -> bytes:
    """0, 1, 2 ... 250, 0, 1: the period is a prime, so that few sizes of fragments repeat."""
    return bytes(at % 251 for at in range(length))
