"""MAC commands of TS001 by name, octets and purpose: enough to read FOpts past them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

from .._kinds import JSON
from ..types import DOWNLINK, UPLINK, Direction

__all__ = ["MacCommand", "read_mac_commands"]

_TABLE: Final[tuple[tuple[int, str, int, str, int, str], ...]] = (
    (0x01, "ResetInd", 1, "ResetConf", 1, "a 1.1 device started with fixed keys"),
    (0x02, "LinkCheckReq", 0, "LinkCheckAns", 2, "how well is the device heard"),
    (0x03, "LinkADRAns", 1, "LinkADRReq", 4, "data rate, power, channels"),
    (0x04, "DutyCycleAns", 0, "DutyCycleReq", 1, "how much the device may send"),
    (0x05, "RXParamSetupAns", 1, "RXParamSetupReq", 4, "frequency and data rate of RX2"),
    (0x06, "DevStatusAns", 2, "DevStatusReq", 0, "battery and link margin"),
    (0x07, "NewChannelAns", 1, "NewChannelReq", 5, "make or change a channel"),
    (0x08, "RXTimingSetupAns", 0, "RXTimingSetupReq", 1, "delay of RX1"),
    (0x09, "TXParamSetupAns", 0, "TXParamSetupReq", 1, "dwell time and power limits"),
    (0x0A, "DlChannelAns", 1, "DlChannelReq", 4, "downlink frequency of a channel"),
    (0x0B, "RekeyInd", 1, "RekeyConf", 1, "a 1.1 device has new keys"),
    (0x0C, "ADRParamSetupAns", 0, "ADRParamSetupReq", 1, "when the device asks for a downlink"),
    (0x0D, "DeviceTimeReq", 0, "DeviceTimeAns", 5, "GPS time of the end of the uplink"),
    (0x0E, "", 0, "ForceRejoinReq", 2, "join anew"),
    (0x0F, "RejoinParamSetupAns", 1, "RejoinParamSetupReq", 1, "how often to rejoin"),
    (0x10, "PingSlotInfoReq", 1, "PingSlotInfoAns", 0, "periodicity of class B slots"),
    (0x11, "PingSlotChannelAns", 1, "PingSlotChannelReq", 4, "frequency of class B slots"),
    (0x12, "BeaconTimingReq", 0, "BeaconTimingAns", 3, "when is the next beacon"),
    (0x13, "BeaconFreqAns", 1, "BeaconFreqReq", 3, "frequency of the beacon"),
    (0x20, "DeviceModeInd", 1, "DeviceModeConf", 1, "class A or class C"),
)
"""CID, name and octets of the uplink, name and octets of the downlink, purpose."""

_BY_CID: Final = {
    **{(UPLINK, cid): (up, size, what) for cid, up, size, _, _, what in _TABLE if up},
    **{(DOWNLINK, cid): (down, size, what) for cid, _, _, down, size, what in _TABLE},
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MacCommand:
    """One MAC command.

    Attributes:
        at: Where its identifier stands.
        cid: The identifier.
        name: Its name in TS001; empty if there is none.
        octets: What follows the identifier.
        purpose: What it is about.
        problem: Why it cannot be read, with all that follows; empty if it can.
    """

    at: int
    cid: int
    name: str
    octets: bytes
    purpose: str
    problem: str = ""

    def to_json(self) -> dict[str, JSON]:
        """Return it as JSON, in the order of its attributes."""
        plain = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        return {**plain, "octets": self.octets.hex()}


def read_mac_commands(octets: bytes, direction: Direction, start: int) -> Iterator[MacCommand]:
    """Return the MAC commands of FOpts or of a payload on port 0, up to what cannot be read.

    Args:
        octets: The commands, in the clear (LoRaWAN 1.1 encrypts FOpts, 1.0.x does not).
        direction: Who sent them.
        start: Where the first one stands in the frame.
    """
    at = 0
    while at < len(octets):
        cid, rest = octets[at], octets[at + 1 :]
        known = _BY_CID.get((direction, cid))
        if known is None:
            problem = f"there is no MAC command 0x{cid:02X} in this direction"
            name, size, purpose = "", 0, "proprietary or encrypted"
        else:
            name, size, purpose = known
            problem = f"{name} needs {size} octets, has {len(rest)}" if len(rest) < size else ""
        if problem:
            yield MacCommand(
                at=start + at, cid=cid, name=name, octets=rest, purpose=purpose, problem=problem
            )
            return
        yield MacCommand(at=start + at, cid=cid, name=name, octets=rest[:size], purpose=purpose)
        at += 1 + size
