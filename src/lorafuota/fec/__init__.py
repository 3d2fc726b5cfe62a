"""Forward error correction of TS004: parity variants, matrix, encoder, decoder.

An island: it knows no message and no key, and can be used in another framework as it is.
"""

from __future__ import annotations

from .decoder import FragDecoder
from .encoder import FragEncoder
from .variant import ParityVariant

__all__ = ["FragDecoder", "FragEncoder", "ParityVariant"]
