"""How often, and at what distance, a server's session asks again (no document says)."""

from __future__ import annotations

import dataclasses
import math

from ..errors import FieldError, require_int

__all__ = ["Retries"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """Ask *tries* times, *seconds* apart, then give up by name.

    A class A device hears a server only after an uplink of its own: take *seconds* at least as long
    as its uplinks are apart.

    Attributes:
        seconds: From one request to the next, above 0.
        tries: Requests in all, 1 to 1000.
    """

    seconds: float = 300.0
    tries: int = 5

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is out of range.
        """
        require_int("Retries", "tries", self.tries, 1, 1000)
        if not 0 < self.seconds < math.inf:
            raise FieldError("Retries", "seconds", self.seconds, "above 0, and finite")
