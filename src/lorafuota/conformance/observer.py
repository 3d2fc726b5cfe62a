"""What a server under test sent, as the devices read it, and what it must never do.

The few rules here hold in every check, because breaking one harms devices or data: a frame counter
or session counter used twice, other data under a number, success where no block is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Final, Self, TypeVar, final

from ..crypto import (
    crypt_mc_frm_payload,
    derive_mc_app_s_key,
    derive_mc_ke_key,
    derive_mc_nwk_s_key,
    derive_mc_root_key,
    unwrap_mc_key,
    verify_mc_frame_mic,
)
from ..errors import IntegrityError
from ..fragmentation import v2 as frag_v2
from ..fragmentation.v1 import DataFragment
from ..link import build_mc_downlink
from ..multicastsetup.v1 import McGroupSetupReq
from ..package import Package, Parsed
from ..session.fragsession import SetupReq
from ..types import DOWNLINK, DevAddr, DevEUI, McKey, require_key
from ..wire import Command
from .check import Failed
from .fleetdevice import FleetDevice
from .serversubject import DeviceOutcome

__all__ = ["Fragment", "Frame", "Observer", "Sent"]

C = TypeVar("C", bound=Command)

_HEAD: Final = 9
"""Octets of a frame before its payload: MHDR, DevAddr, FCtrl, FCnt, FPort."""


@dataclasses.dataclass(frozen=True, slots=True)
class Fragment:
    """A DataFragment with whatever it carries, N = 0 too, which no message can have."""

    n: int
    frag_index: int
    payload: bytes

    @classmethod
    def of(cls, octets: bytes) -> Self | None:
        """Read a payload; None if it is no fragment."""
        if octets[:1] != DataFragment.CID.to_bytes() or len(octets) < 4:
            return None
        head = int.from_bytes(octets[1:3], "little")
        return cls(head & 0x3FFF, head >> 14, octets[3:])


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    """A unicast downlink, and how its device reads it."""

    time: float
    dev_eui: DevEUI
    fport: int
    payload: bytes
    package: Package | None
    commands: tuple[Parsed, ...]

    @property
    def fragment(self) -> Fragment | None:
        """The fragment in it, if it is one."""
        ours = self.package is not None and self.package.name == "fragmentation"
        return Fragment.of(self.payload) if ours else None


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """A multicast frame; *fcnt* is None if nobody tells, *payload* empty if nobody can read it."""

    time: float
    mc_addr: DevAddr
    fcnt: int | None
    fport: int
    payload: bytes
    phy: bytes | None

    @property
    def fragment(self) -> Fragment | None:
        """The fragment in it, if it is one."""
        return Fragment.of(self.payload)


@final
class Observer:
    """Records what goes from the server to the fleet.

    Attributes:
        sent: Unicast downlinks to devices of the fleet, in order.
        strays: Downlinks to devices that are not in it.
        frames: Multicast frames, in order.
        harm: What the server did that it must never do, in words.
    """

    def __init__(self, fleet: Mapping[DevEUI, FleetDevice]) -> None:
        """Watch over a fleet that may still grow."""
        self._fleet = fleet
        self.sent: list[Sent] = []
        self.strays: list[tuple[float, DevEUI, int, bytes]] = []
        self.frames: list[Frame] = []
        self.harm: list[str] = []
        self._keys: dict[DevAddr, list[McKey]] = {}
        self._counted: dict[DevAddr, int] = {}
        self._used: dict[tuple[DevAddr, bytes, int], bytes] = {}
        self._cnt_used: dict[tuple[DevEUI, int], int] = {}
        self._set_up: dict[tuple[DevEUI, int], SetupReq] = {}
        self._data: dict[tuple[DevEUI | DevAddr, int, int], bytes] = {}

    # --- Taking it down ---

    def add_key(self, mc_addr: DevAddr, mc_key: McKey) -> None:
        """Learn the key of a group.

        Raises:
            FieldError: The key is of another class.
        """
        require_key("Observer.add_key", "mc_key", mc_key, McKey)
        keys = self._keys.setdefault(mc_addr, [])
        if mc_key not in keys:
            keys.append(mc_key)

    def unicast(self, time: float, dev_eui: DevEUI, fport: int, payload: bytes) -> None:
        """Take down a downlink before it reaches its device."""
        device = self._fleet.get(dev_eui)
        if device is None:
            self.strays.append((time, dev_eui, fport, payload))
            return
        package = device.packages.at(fport)
        if package is None and fport != 225:
            self.sent.append(Sent(time, dev_eui, fport, payload, None, ()))
            return
        commands = tuple(device.packages.parse(fport, DOWNLINK, payload))
        sent = Sent(time, dev_eui, fport, payload, package, commands)
        self.sent.append(sent)
        if (fragment := sent.fragment) is not None:
            self._same_data(dev_eui, fragment, f"to {dev_eui}")
        for one in commands:
            if isinstance(one, McGroupSetupReq):
                ke_key = derive_mc_ke_key(derive_mc_root_key(device.entry.root_key))
                self.add_key(one.mc_addr, unwrap_mc_key(ke_key, one.mc_key_encrypted))
                self._counted[one.mc_addr] = max(self._counted.get(one.mc_addr, 0), one.min_mc_fcnt)
            elif isinstance(one, SetupReq):
                self._take_setup(dev_eui, one)

    def _take_setup(self, dev_eui: DevEUI, req: SetupReq) -> None:
        where = dev_eui, req.frag_index
        if isinstance(req, frag_v2.FragSessionSetupReq):
            used = self._cnt_used.get(where, -1)
            if req.session_cnt <= used:
                self.harm.append(
                    f"a set-up of {dev_eui} carries SessionCnt {req.session_cnt} although a"
                    f" fragment reached it under {used} on FragIndex {req.frag_index}"
                )
        self._set_up[where] = req
        for key in [key for key in self._data if key[:2] == where]:
            del self._data[key]

    def _same_data(self, to: DevEUI | DevAddr, fragment: Fragment, words: str) -> None:
        key = to, fragment.frag_index, fragment.n
        if self._data.setdefault(key, fragment.payload) != fragment.payload:
            self.harm.append(f"fragment {fragment.n} {words} went out twice, with other data")

    def heard(self, dev_eui: DevEUI, frag_index: int) -> None:
        """Note that a fragment reached a device: its SessionCnt is used up."""
        req = self._set_up.get((dev_eui, frag_index))
        if isinstance(req, frag_v2.FragSessionSetupReq):
            self._cnt_used[dev_eui, frag_index] = req.session_cnt

    def clear(
        self, time: float, mc_addr: DevAddr, fport: int, payload: bytes, fcnt: int | None
    ) -> Frame:
        """Take down a multicast payload, and build the frame that goes on air."""
        counted = self._counted.get(mc_addr, 0) if fcnt is None else fcnt
        self._counted[mc_addr] = counted + 1
        phy = None
        for key in self._keys.get(mc_addr, ())[-1:]:
            phy = build_mc_downlink(
                payload,
                mc_addr=mc_addr,
                mc_app_s_key=derive_mc_app_s_key(key, mc_addr),
                mc_nwk_s_key=derive_mc_nwk_s_key(key, mc_addr),
                fcnt=counted,
                fport=fport,
            )
        return self._frame(Frame(time, mc_addr, fcnt, fport, payload, phy))

    def air(self, time: float, phy: bytes) -> Frame:
        """Take down a frame as it goes on air, and read it with the keys of its group."""
        if len(phy) < _HEAD + 4:
            return self._frame(Frame(time, DevAddr(0), None, 0, b"", phy))
        mc_addr = DevAddr(int.from_bytes(phy[1:5], "little"))
        wire, fport = int.from_bytes(phy[6:8], "little"), phy[8]
        for key in self._keys.get(mc_addr, ()):
            nwk, app = derive_mc_nwk_s_key(key, mc_addr), derive_mc_app_s_key(key, mc_addr)
            for high in range((self._counted.get(mc_addr, 0) >> 16) + 3):
                fcnt = high << 16 | wire
                try:
                    verify_mc_frame_mic(nwk, phy[:-4], mc_addr=mc_addr, fcnt=fcnt, mic=phy[-4:])
                except IntegrityError:
                    continue
                payload = crypt_mc_frm_payload(app, phy[_HEAD:-4], mc_addr=mc_addr, fcnt=fcnt)
                self._counted[mc_addr] = max(self._counted.get(mc_addr, 0), fcnt + 1)
                return self._frame(Frame(time, mc_addr, fcnt, fport, payload, phy))
        return self._frame(Frame(time, mc_addr, None, fport, b"", phy))

    def _frame(self, frame: Frame) -> Frame:
        self.frames.append(frame)
        if frame.fcnt is not None:
            keys = self._keys.get(frame.mc_addr, ())
            key = frame.mc_addr, keys[-1].reveal() if keys else b"", frame.fcnt
            if self._used.setdefault(key, frame.payload) != frame.payload:
                self.harm.append(
                    f"frame counter {frame.fcnt} of group {frame.mc_addr} is used for two payloads"
                )
        if (fragment := frame.fragment) is not None:
            self._same_data(frame.mc_addr, fragment, f"of group {frame.mc_addr}")
        return frame

    # --- Looking ---

    def requests(self, kind: type[C], dev_eui: DevEUI | None = None) -> Iterator[tuple[Sent, C]]:
        """Yield the commands of one kind, to one device or to all, and what they came in."""
        for sent in self.sent:
            if dev_eui is None or sent.dev_eui == dev_eui:
                for one in sent.commands:
                    if isinstance(one, kind):
                        yield sent, one

    @property
    def fragments(self) -> Iterator[tuple[Frame | Sent, Fragment]]:
        """Yield every fragment: those by multicast in order, then those by unicast."""
        everything: list[Frame | Sent] = [*self.frames, *self.sent]
        for where in everything:
            if (fragment := where.fragment) is not None:
                yield where, fragment

    def fragments_to(self, dev_eui: DevEUI) -> list[Fragment]:
        """Return the fragments that went to one device by unicast, in order."""
        own = (one.fragment for one in self.sent if one.dev_eui == dev_eui)
        return [one for one in own if one is not None]

    def expect_strict(self, name: str) -> None:
        """Fail unless all that was sent on a package's port can be read without forgiving anything.

        Raises:
            Failed: It cannot, or nothing was sent there.
        """
        on_port = [one for one in self.sent if one.package is not None and one.package.name == name]
        if not on_port:
            raise Failed(f"nothing was sent on the port of {name}")
        for sent in on_port:
            bad = [one for one in sent.commands if not isinstance(one, Command)]
            again = [one.encode() for one in sent.commands if isinstance(one, Command)]
            if bad or (name != "multipackage" and b"".join(again) != sent.payload):
                version = self._fleet[sent.dev_eui].packages.at(sent.fport)
                raise Failed(f"{sent.payload.hex(' ')} is nothing that {version} can read strictly")

    def judge(self, outcomes: Mapping[DevEUI, DeviceOutcome]) -> None:
        """Fail if the server did harm, or calls a device updated that has no block.

        Raises:
            Failed: So.
        """
        if self.harm:
            raise Failed("; ".join(self.harm[:3]))
        for dev_eui, said in outcomes.items():
            device = self._fleet.get(dev_eui)
            claimed = said.status == "Successful" or said.reached
            if device is not None and claimed and device.honest and not device.has_block:
                raise Failed(
                    f"{dev_eui} is reported {said.status} {said.reached}".rstrip()
                    + " although it does not have the block"
                )
