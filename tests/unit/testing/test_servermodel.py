from __future__ import annotations

import dataclasses

import pytest

from lorafuota.datablock import DataBlock
from lorafuota.fragmentation.v1 import DataFragment, FragSessionDeleteReq
from lorafuota.fragmentation.v2 import FragSessionSetupReq
from lorafuota.session.fragmentation import FragServer
from lorafuota.session.profile import frag_profile
from lorafuota.testing._servermodel import ServerModel
from lorafuota.testing._violation import Violation
from lorafuota.testing.peers import Downlink, Frame, Target
from lorafuota.types import DevEUI, GenAppKey

IMAGE = b"abcdefg"
BLOCK = DataBlock(IMAGE, 2)
KEY = GenAppKey(bytes(16))
EUI = DevEUI(1)


def setup(session_cnt: int = 3, frag_size: int = 2) -> FragSessionSetupReq:
    server = FragServer(
        frag_profile(2), DataBlock(IMAGE, frag_size), session_cnt=session_cnt, root_key=KEY
    )
    assert isinstance(server.setup_req, FragSessionSetupReq)
    return server.setup_req


def down(payload: bytes, fport: int = 201, eui: DevEUI = EUI) -> Downlink:
    return Downlink(eui, fport, payload)


def fragment(n: int) -> bytes:
    payload = BLOCK.encoder(frag_profile(2).parity).fragment(n)
    return DataFragment(n=n, frag_index=0, payload=payload).encode()


@pytest.fixture
def model() -> ServerModel:
    found = ServerModel(IMAGE, (Target(EUI, KEY, 2),))
    found.sent(down(setup().encode()))
    return found


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (down(b"\x00", eui=DevEUI(2)), "which is no target"),
        (down(b""), "no downlink has 0 octets"),
        (down(b"\x00", fport=7), "no package lives on port 7"),
        (down(b"\x03\x04"), "a downlink that cannot be read: 0304"),
        (down(dataclasses.replace(setup(4), padding=0).encode()), "has NbFrag 4 and Padding 1"),
        (down(dataclasses.replace(setup(4), frag_size=0).encode()), "a session of nothing"),
        (down(dataclasses.replace(setup(4), mic=bytes(4)).encode()), "MIC"),
        (down(setup(2).encode()), "SessionCnt of FragIndex 0 went back to 2"),
        (down(setup(3, frag_size=3).encode()), "SessionCnt 3 of FragIndex 0 came back"),
        (down(DataFragment(n=1, frag_index=0, payload=b"??").encode()), "has other content"),
        (down(DataFragment(n=1, frag_index=1, payload=b"ab").encode()), "which has no session"),
        (Frame(bytes(12)), "no multicast frame has 12 octets"),
    ],
)
def test_what_is_wrong_is_said(model: ServerModel, wrong: Downlink | Frame, said: str) -> None:
    with pytest.raises(Violation, match=said):
        model.sent(wrong)


def test_what_is_right_passes(model: ServerModel) -> None:
    for payload in (fragment(1), fragment(7), setup().encode(), setup(4).encode(), fragment(2)):
        model.sent(down(payload))


def test_after_a_delete_there_is_no_session(model: ServerModel) -> None:
    model.sent(down(FragSessionDeleteReq(frag_index=0).encode()))
    with pytest.raises(Violation, match="which has no session"):
        model.sent(down(fragment(1)))


def test_a_frame_counter_is_for_one_frame(model: ServerModel) -> None:
    frame = bytes((0x60, 1, 0, 0, 0, 0, 5, 0, 201)) + b"abcd"
    model.sent(Frame(frame))
    model.sent(Frame(frame))
    model.sent(Frame(frame[:6] + b"\x06" + frame[7:-1] + b"e"))
    with pytest.raises(Violation, match="group 00000001 used frame counter 5 for two frames"):
        model.sent(Frame(frame[:-1] + b"e"))


def test_only_who_has_the_image_is_said_to_have_it(model: ServerModel) -> None:
    model.claimed(EUI, None)
    model.claimed(EUI, False)
    with pytest.raises(Violation, match="is said to have the image, and has not"):
        model.claimed(EUI, True)
    model.has_block.add(EUI)
    model.claimed(EUI, True)
