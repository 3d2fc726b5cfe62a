"""Invariant: any octets off the air give a frame or a reason to drop it, and only a frame counts.

Most inputs carry the right MIC, so that what is behind it is reached.
"""

from __future__ import annotations

from lorafuota.crypto import derive_mc_app_s_key, derive_mc_nwk_s_key, mc_frame_mic
from lorafuota.link import Drop, McReceiver, open_any
from lorafuota.types import DevAddr, McKey
from tests.fuzz.targets.target import Target

KEY, ADDRESS = McKey(bytes(range(16))), DevAddr(0x26011BDA)
APP_S_KEY, NWK_S_KEY = derive_mc_app_s_key(KEY, ADDRESS), derive_mc_nwk_s_key(KEY, ADDRESS)
LAST, HIGHEST = 70_000, 200_000


def one_input(data: bytes) -> str:
    """The first octet says who signs: nobody, or the owner of the key with a counter near by."""
    mode, phy = data[:1], data[1:]
    receiver = McReceiver(
        mc_addr=ADDRESS,
        mc_app_s_key=APP_S_KEY,
        mc_nwk_s_key=NWK_S_KEY,
        min_mc_fcnt=10,
        max_mc_fcnt=HIGHEST,
        max_inclusive=True,
        last_fcnt=LAST,
    )
    if mode > b"\x40" and 8 <= len(phy) <= 255:
        fcnt = int.from_bytes(phy[6:8], "little") + 65_536 * (mode[0] % 4)
        phy += mc_frame_mic(NWK_S_KEY, phy, mc_addr=ADDRESS, fcnt=fcnt)
    before = receiver.to_plain()
    found = open_any([receiver], phy)
    if isinstance(found, Drop):
        assert receiver.to_plain() == before
        return f"dropped: {found.name}"
    frame = found[1]
    assert LAST < frame.fcnt <= HIGHEST
    assert receiver.last_fcnt == frame.fcnt
    assert 1 <= frame.fport <= 255
    assert len(frame.payload) == len(phy) - 13
    assert isinstance(receiver.open(phy), Drop)
    return "frame"


def seeds() -> list[bytes]:
    head = b"\x60" + ADDRESS.to_bytes(4, "little")
    return [
        bytes((mode,)) + head + bytes((fctrl,)) + fcnt.to_bytes(2, "little") + b"\xc9" + payload
        for mode in (0, 0x41, 0x42, 0x43)
        for fctrl in (0, 0x10)
        for fcnt in (0, 4463, 4465, 65_535)
        for payload in (b"", b"abcd", bytes(242))
    ]


TARGETS = (Target(name="frames", one_input=one_input, seeds=seeds, memory=1 << 18),)
