"""One frame as somebody captured it: what is known of it, and what is not."""

from __future__ import annotations

import dataclasses

from ..errors import FieldError
from ..types import DevAddr, DevEUI, Direction

__all__ = ["Frame"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame of a log.

    Attributes:
        direction: Up from a device, or down to one or to a group.
        fport: Its port, 0 to 255; None if only *phy* is known.
        payload: FRMPayload in the clear; None if only *phy* is known.
        time: When, in GPS seconds; None if the log does not say.
        dev_eui: The device it is from or to, if the log says.
        mc_addr: The group it is to, for a multicast downlink.
        fcnt: The frame counter, if the log says.
        phy: The PHYPayload as it was on air, encrypted, if the log has it.

    Raises:
        FieldError: There is neither a payload with a port nor a PHYPayload, or the port is none.
    """

    direction: Direction
    fport: int | None = None
    payload: bytes | None = None
    time: float | None = None
    dev_eui: DevEUI | None = None
    mc_addr: DevAddr | None = None
    fcnt: int | None = None
    phy: bytes | None = None

    def __post_init__(self) -> None:
        if self.fport is not None and not 0 <= self.fport <= 255:
            raise FieldError("Frame", "fport", self.fport, "a port of 0 to 255")
        if (self.payload is None or self.fport is None) and self.phy is None:
            want = "a payload with its port, or a PHYPayload"
            raise FieldError("Frame", "payload", self.payload, want)
