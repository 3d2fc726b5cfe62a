from __future__ import annotations

import pytest

from lorafuota.datablock import DataBlock
from lorafuota.errors import FieldError
from lorafuota.fragmentation.v1 import DataFragment, FragSessionStatusReq
from lorafuota.session.fragmentation import FragServer
from lorafuota.session.multicast import McGroupServer
from lorafuota.session.profile import frag_profile
from lorafuota.testing.peers import Block, DeviceUnderTest, ReferenceDevice, Uplink
from lorafuota.types import DevAddr, GenAppKey, McKey

NOW = 1_400_000_000.0
KEY = GenAppKey(bytes(range(16)))
BLOCK = DataBlock(b"abcdefgh", 3)
SERVER = FragServer(
    frag_profile(2), BLOCK, frag_index=1, mc_group_bit_mask=1, session_cnt=4, root_key=KEY
)


def fragments() -> list[bytes]:
    encoder = BLOCK.encoder(frag_profile(2).parity)
    return [
        DataFragment(n=n, frag_index=1, payload=encoder.fragment(n)).encode() for n in (1, 2, 3)
    ]


def test_a_session_by_unicast_ends_with_the_block_once() -> None:
    device: DeviceUnderTest = ReferenceDevice(KEY)
    assert device.receive(201, SERVER.setup_req.encode(), NOW) == [Uplink(201, b"\x02\x40")]
    for one in fragments():
        assert device.receive(201, one, NOW) == []
    assert device.take_blocks() == [Block(1, b"abcdefgh")]
    assert device.take_blocks() == []


def test_multicast_frames_are_heard() -> None:
    device = ReferenceDevice(KEY)
    group = McGroupServer(mc_addr=DevAddr(1), mc_key=McKey(bytes(16)), max_mc_fcnt=99)
    setup = group.setup_req(KEY, mc_group_id=0)
    assert device.receive(200, setup.encode(), NOW) == [Uplink(200, b"\x02\x00")]
    device.receive(201, SERVER.setup_req.encode(), NOW)
    for one in fragments():
        assert device.receive_frame(group.sender.seal(one, fport=201), NOW) == []
    assert device.take_blocks() == [Block(1, b"abcdefgh")]


def test_a_power_cycle_costs_fragments_and_neither_session_nor_counter() -> None:
    device = ReferenceDevice(KEY)
    device.receive(201, SERVER.setup_req.encode(), NOW)
    first, second, third = fragments()
    device.receive(201, first, NOW)
    device.power_cycle()
    device.receive(201, second, NOW)
    device.receive(201, third, NOW)
    assert device.take_blocks() == []
    device.receive(201, first, NOW)
    assert device.take_blocks() == [Block(1, b"abcdefgh")]
    device.power_cycle()
    assert device.receive(201, SERVER.setup_req.encode(), NOW) == [Uplink(201, b"\x02\x50")]


def test_an_answer_that_is_delayed_leaves_when_it_is_due_unless_the_power_goes() -> None:
    device = ReferenceDevice(KEY, profile="LoRa Basics Modem 4.8")
    device.receive(201, SERVER.setup_req.encode(), NOW)
    question = FragSessionStatusReq(participants=True, frag_index=1).encode()
    assert device.receive(201, question, NOW) == []
    [answer] = device.tick(NOW + 60)
    assert answer.fport == 201
    assert device.tick(NOW + 60) == []
    device.receive(201, question, NOW)
    device.power_cycle()
    assert device.tick(NOW + 60) == []


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(FieldError):
        ReferenceDevice(KEY, profile="nobody's")
