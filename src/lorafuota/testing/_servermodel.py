"""What a server may send, and claim, in an update of a few devices (TS004, TS005)."""

from __future__ import annotations

import dataclasses

from ..catalogue import PackageMap
from ..crypto import derive_data_block_int_key
from ..datablock import DataBlock
from ..errors import FieldError, IntegrityError
from ..fec.variant import ParityVariant
from ..fragmentation import v1, v2
from ..package import MAX_PAYLOAD
from ..session.fragmentation import SetupReq
from ..types import DOWNLINK, DevEUI
from ..wire import Command
from ._violation import Violation
from .peers import Downlink, Frame, Target

__all__ = ["ServerModel"]

_SHORTEST_FRAME = 1 + 4 + 1 + 2 + 1 + 4
"""MHDR, DevAddr, FCtrl, FCnt, FPort, MIC."""


@dataclasses.dataclass(slots=True, eq=False)
class _Known:
    """What went to one device."""

    target: Target
    packages: PackageMap
    setups: dict[int, SetupReq] = dataclasses.field(default_factory=dict)
    counts: dict[tuple[int, int], SetupReq] = dataclasses.field(default_factory=dict)


class ServerModel:
    """Judges one server."""

    def __init__(self, image: bytes, targets: tuple[Target, ...]) -> None:
        self._image = image
        self._known = {
            one.dev_eui: _Known(
                one,
                PackageMap(
                    versions=dict.fromkeys(
                        ("clocksync", "fragmentation", "multicastsetup"), one.version
                    )
                ),
            )
            for one in targets
        }
        self._frames: dict[tuple[bytes, int], bytes] = {}
        self.has_block: set[DevEUI] = set()

    def sent(self, one: Downlink | Frame) -> None:
        """Judge what the server sends."""
        if isinstance(one, Frame):
            self._frame(one.phy)
            return
        known = self._known.get(one.dev_eui)
        if known is None:
            raise Violation(f"a downlink to {one.dev_eui!r}, which is no target")
        if not 1 <= len(one.payload) <= MAX_PAYLOAD:
            raise Violation(f"no downlink has {len(one.payload)} octets")
        try:
            commands = known.packages.parse(one.fport, DOWNLINK, one.payload, strict=True)
        except FieldError as error:
            raise Violation(f"no package lives on port {one.fport}") from error
        except ValueError as error:
            shown = one.payload.hex()
            raise Violation(f"a downlink that cannot be read: {shown}: {error}") from error
        for command in commands:
            assert isinstance(command, Command)
            self._command(known, command)

    def _frame(self, phy: bytes) -> None:
        if len(phy) < _SHORTEST_FRAME:
            raise Violation(f"no multicast frame has {len(phy)} octets")
        key = phy[1:5], int.from_bytes(phy[6:8], "little")
        if self._frames.setdefault(key, phy) != phy:
            address = phy[4:0:-1].hex().upper()
            raise Violation(f"group {address} used frame counter {key[1]} for two frames")

    def _command(self, known: _Known, command: Command) -> None:
        match command:
            case v1.FragSessionSetupReq() | v2.FragSessionSetupReq():
                self._setup(known, command)
            case v1.FragSessionDeleteReq(frag_index=index):
                known.setups.pop(index, None)
            case v1.DataFragment():
                self._fragment(known, command)
            case _:
                pass

    def _setup(self, known: _Known, req: SetupReq) -> None:
        if not req.frag_size or not req.nb_frag:
            raise Violation(f"{req} is a session of nothing")
        block = DataBlock(self._image, req.frag_size, req.descriptor)
        if (req.nb_frag, req.padding) != (block.nb_frag, block.padding):
            right = f"NbFrag {block.nb_frag} and Padding {block.padding}"
            raise Violation(f"{req}: an image of {len(self._image)} octets has {right}")
        if isinstance(req, v2.FragSessionSetupReq):
            key = derive_data_block_int_key(known.target.root_key)
            count, index = req.session_cnt, req.frag_index
            try:
                block.verify(key, req.mic, session_cnt=count, frag_index=index)
            except IntegrityError as error:
                raise Violation(f"{req}: {error}") from error
            if known.counts.setdefault((index, count), req) != req:
                raise Violation(f"SessionCnt {count} of FragIndex {index} came back")
            if any(at == index and count < used for at, used in known.counts):
                raise Violation(f"SessionCnt of FragIndex {index} went back to {count}")
        known.setups[req.frag_index] = req

    def _fragment(self, known: _Known, one: v1.DataFragment) -> None:
        setup = known.setups.get(one.frag_index)
        if setup is None:
            raise Violation(f"fragment {one.n} of FragIndex {one.frag_index}, which has no session")
        parity = ParityVariant.V2 if known.target.version == 2 else ParityVariant.V1
        encoder = DataBlock(self._image, setup.frag_size).encoder(parity)
        if encoder.fragment(one.n) != one.payload:
            raise Violation(f"fragment {one.n} has other content")

    def claimed(self, dev_eui: DevEUI, outcome: bool | None) -> None:
        """Judge what the server says of a target."""
        if outcome and dev_eui not in self.has_block:
            raise Violation(f"{dev_eui!r} is said to have the image, and has not")
