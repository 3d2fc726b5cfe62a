"""What a device takes on of a fragmentation session, checked before memory is spent (TS004)."""

from __future__ import annotations

import dataclasses
from typing import Final

from ..datablock import MAX_NB_FRAG
from ..errors import FieldError, require_int
from ..fec.decoder import memory_bound
from ..fragmentation import v2
from .fragsession import SetupReq

__all__ = ["FragLimits"]

_FRAG_INDICES: Final = 4


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FragLimits:
    """What a device takes on; anything above it is refused before memory is spent.

    Attributes:
        max_memory: Octets one session may need, decoder included
            (:func:`lorafuota.fec.decoder.memory_bound`).
        nb_indices: FragIndex values supported, from 0; 1 to 4.
        max_lost: Fragments the parity code can make good, None for any; imitates small devices.
        descriptors: Descriptors accepted, None for all.
    """

    max_memory: int = 32 << 20
    nb_indices: int = _FRAG_INDICES
    max_lost: int | None = None
    descriptors: frozenset[bytes] | None = None

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is out of range.
        """
        require_int("FragLimits", "nb_indices", self.nb_indices, 1, _FRAG_INDICES)
        if self.max_memory < 0:
            raise FieldError("FragLimits", "max_memory", self.max_memory, "0 or more")

    def refusal(self, req: SetupReq) -> v2.SetupError:
        """Return every bit of refusal that does not depend on what happened before."""
        errors = v2.SetupError(0)
        if req.frag_algo != 0:
            errors |= v2.SetupError.FRAG_ALGO_UNSUPPORTED
        if self._too_much(req):
            errors |= v2.SetupError.NOT_ENOUGH_MEMORY
        if req.frag_index >= self.nb_indices:
            errors |= v2.SetupError.FRAG_INDEX_UNSUPPORTED
        if self.descriptors is not None and req.descriptor not in self.descriptors:
            errors |= v2.SetupError.WRONG_DESCRIPTOR
        return errors

    def _too_much(self, req: SetupReq) -> bool:
        """Whether the block is too large, or makes no sense, for which there is no other bit."""
        if not 1 <= req.nb_frag <= MAX_NB_FRAG or req.frag_size == 0:
            return True
        if req.padding >= req.frag_size:
            return True
        need = memory_bound(nb_frag=req.nb_frag, frag_size=req.frag_size, max_lost=self.max_lost)
        return need > self.max_memory
