"""Multicast frames, full size: what a server spends on one, and a simulated device."""

from __future__ import annotations

from benchmarks.harness import Case
from lorafuota.link import McFrame, McReceiver, McSender
from lorafuota.types import DevAddr, McKey


def cases(once: bool) -> list[Case]:
    key, address = McKey(bytes(range(16))), DevAddr(0x26011BDA)
    sender = McSender.from_mc_key(key, address, next_fcnt=0, max_mc_fcnt=1 << 31)
    phy = sender.seal(bytes(242), fport=201)

    def seal() -> None:
        sender.seal(bytes(242), fport=201)

    def open_() -> None:
        receiver = McReceiver.from_mc_key(
            key, address, min_mc_fcnt=0, max_mc_fcnt=1 << 31, max_inclusive=True
        )
        assert isinstance(receiver.open(phy), McFrame)

    return [
        Case("multicast frame, 242 octets", "seal", seal, 200),
        Case("multicast frame, 242 octets", "set up a group and open", open_, 200),
    ]
