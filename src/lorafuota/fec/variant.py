"""The three ways to draw a line of the parity matrix, as a value.

Sender and receiver must mean the same matrix.  If they do not, the receiver rebuilds a block of the
right length with the wrong octets, and nothing on air tells.  Three matrices are met:

* TS004-1.0.0 draws ``floor(M / 2)`` columns and counts every draw, also one that hits a column
  drawn before.  Every version 1 device and server does this.
* TS004-2.0.0 counts only draws that hit a new column, so a line has exactly ``floor(M / 2)`` ones.
* About the *seed* of version 2 the document and the devices disagree.  The annex seeds the
  generator with the number N of the fragment.  The stacks in the field (LoRa Basics Modem, ST,
  Renesas, ChirpStack since 2025-03-18) kept the seed of version 1, N - M, the position behind the
  last plain fragment.  No erratum settles it (SWL2001 issue 106 is the public report), so the
  deployed reading is called ``v2`` and the literal one ``v2-annex``.
"""

from __future__ import annotations

import enum

__all__ = ["ParityVariant"]


class ParityVariant(enum.Enum):
    """How lines of the parity matrix are drawn: what encoder and decoder have to agree on."""

    V1 = "v1"
    """TS004-1.0.0: seeded with N - M, every draw counts."""
    V2 = "v2"
    """TS004-2.0.0 as devices do it: seeded with N - M, only new columns count."""
    V2_ANNEX = "v2-annex"
    """TS004-2.0.0 to the letter of its annex: seeded with N, only new columns count."""

    @property
    def distinct(self) -> bool:
        """Whether only draws of a new column count, so that a line has floor(M / 2) ones."""
        return self is not ParityVariant.V1

    @property
    def seeded_by_n(self) -> bool:
        """Whether the seed is made from N itself; otherwise from N - M."""
        return self is ParityVariant.V2_ANNEX

    def always_even(self, nb_frag: int) -> bool:
        """Whether every coded line of such a block has an even number of ones.

        Sums of such lines have an even number too, so a receiver that heard no plain fragment comes
        to rank M - 1 and never further.

        Args:
            nb_frag: M, the number of plain fragments.
        """
        return self.distinct and nb_frag > 1 and nb_frag // 2 % 2 == 0

    @property
    def code(self) -> int:
        """The variant as kernels take it: bit 0 is :attr:`distinct`, bit 1 :attr:`seeded_by_n`."""
        return self.distinct | self.seeded_by_n << 1
