import pytest

from lorafuota import DevAddr, DevEUI
from lorafuota.conformance.own import OwnDevice
from lorafuota.conformance.subject import Advance, Downlink, PowerOn, Reply, Uplink
from lorafuota.errors import StateError
from lorafuota.fragmentation import v2
from lorafuota.types import GenAppKey


def power_on(time: float, *, factory: bool = True) -> PowerOn:
    return PowerOn(
        time=time,
        factory=factory,
        clock_known=True,
        dev_eui=DevEUI(1),
        dev_addr=DevAddr(2),
        root_key=GenAppKey(bytes(16)),
    )


def setup(session_cnt: int) -> bytes:
    return v2.FragSessionSetupReq(
        mc_group_bit_mask=0,
        frag_index=0,
        nb_frag=1,
        frag_size=4,
        ack_reception=False,
        block_ack_delay=0,
        frag_algo=0,
        padding=0,
        descriptor=bytes(4),
        session_cnt=session_cnt,
        mic=bytes(4),
    ).encode()


def test_it_has_to_be_switched_on_first() -> None:
    with pytest.raises(StateError, match="the first request is PowerOn"):
        OwnDevice("documents v2").exchange(Advance(0.0))


def test_a_reset_keeps_what_the_flash_holds_and_a_factory_reset_does_not() -> None:
    device = OwnDevice("documents v2")
    device.exchange(power_on(0.0))
    taken = Reply((Uplink(1.0, 201, bytes.fromhex("0200")),), None)
    refused = Reply((Uplink(2.0, 201, bytes.fromhex("0210")),), None)
    assert device.exchange(Downlink(1.0, 201, setup(1))) == taken
    fragment = v2.DataFragment(n=1, frag_index=0, payload=bytes(4)).encode()
    device.exchange(Downlink(1.5, 201, fragment))
    device.exchange(power_on(1.8, factory=False))
    other = bytearray(setup(1))
    other[-1] ^= 1
    assert device.exchange(Downlink(2.0, 201, bytes(other))).events == refused.events
    device.exchange(power_on(3.0))
    assert device.exchange(Downlink(3.0, 201, bytes(other))).events == (
        Uplink(3.0, 201, bytes.fromhex("0200")),
    )
