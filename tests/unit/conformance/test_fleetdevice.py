from collections.abc import Iterable

import pytest

from lorafuota.conformance.fleetdevice import OLD_FW, Air, FleetDevice
from lorafuota.conformance.serversubject import DeviceEntry
from lorafuota.datablock import DataBlock
from lorafuota.fec.variant import ParityVariant
from lorafuota.firmwaremanagement import v1 as firmware
from lorafuota.firmwaremanagement.v1 import UpImageStatus
from lorafuota.fragmentation import v1
from lorafuota.session.stacks import device_profile
from lorafuota.types import DevAddr, DevEUI, GenAppKey

NOW = 1_400_000_000.0
IMAGE = bytes(range(40))
NEW = OLD_FW + 1
FRAGMENTS = [
    v1.DataFragment(
        n=n, frag_index=0, payload=DataBlock(IMAGE, 10).encoder(ParityVariant.V1).fragment(n)
    ).encode()
    for n in range(1, 9)
]
SETUP = v1.FragSessionSetupReq(
    mc_group_bit_mask=0,
    frag_index=0,
    nb_frag=4,
    frag_size=10,
    block_ack_delay=0,
    frag_algo=0,
    padding=0,
    descriptor=bytes(4),
).encode()
STATUS = v1.FragSessionStatusReq(participants=True, frag_index=0).encode()


def device(**changes: object) -> FleetDevice:
    entry = DeviceEntry(dev_eui=DevEUI(1), dev_addr=DevAddr(2), root_key=GenAppKey(bytes(16)))
    fields: dict[str, object] = {"image": IMAGE, "finds": NEW, **changes}
    one = FleetDevice(entry, device_profile("documents v1"), **fields)  # type: ignore[arg-type]
    assert one.power_on(NOW, factory=True) == []
    return one


def filled(one: FleetDevice, *numbers: int) -> FleetDevice:
    one.receive(201, SETUP, NOW)
    for n in numbers:
        one.receive(201, FRAGMENTS[n - 1], NOW)
    if one.deadline is not None:
        one.tick(one.deadline)
    return one


def test_a_device_left_alone_follows_the_documents() -> None:
    one = device()
    assert one.receive(201, SETUP, NOW) == [(NOW, 201, b"\x02\x00")]
    filled(one, 1, 2, 3, 4)
    assert (one.blocks, one.has_block, one.heard) == ([IMAGE], True, [1, 2, 3, 4])


def test_a_device_loses_what_it_is_told_to_and_remembers_what_it_heard() -> None:
    one = device()
    one.loses = lambda n: n % 2 == 0
    filled(one, 1, 2, 3, 4)
    assert (one.blocks, one.heard) == ([], [1, 3])


def test_answers_of_the_checks_own_stand_for_the_devices() -> None:
    one = device()
    one.says[v1.FragSessionSetupReq] = lambda command: [b"\x02\x41", b"\x02\x42"]
    answers = one.receive(201, b"\x00" + SETUP, NOW)
    assert answers == [
        (NOW, 201, b"\x02\x41"),
        (NOW, 201, b"\x02\x42"),
        (NOW, 201, b"\x00\x03\x01"),
    ]
    one.says[v1.FragSessionSetupReq] = lambda command: None
    assert one.receive(201, SETUP, NOW) == [(NOW, 201, b"\x02\x00")]


def test_uplinks_become_what_the_check_makes_of_them() -> None:
    def late(air: Air) -> Iterable[Air]:
        return [(air[0] + 5.0, air[1], air[2]), (air[0], 1, b"noise")]

    one = device()
    one.sends = late
    assert one.receive(201, SETUP, NOW) == [(NOW + 5.0, 201, b"\x02\x00"), (NOW, 1, b"noise")]


def test_the_deaf_and_the_mute() -> None:
    one = device()
    one.mute = True
    assert one.receive(201, SETUP, NOW) == []
    one.mute, one.deaf = False, True
    assert one.receive(201, SETUP, NOW) == []
    one.deaf = False
    one.drops = lambda fport, payload: fport == 201
    assert one.receive(201, SETUP, NOW) == []
    assert one.receive(202, b"\x00", NOW) == [(NOW, 202, b"\x00\x01\x01")]


def test_sessions_can_be_lost() -> None:
    one = filled(device(), 1, 2)
    one.lose_sessions()
    filled_again = one.session.fragmentation.state(0)
    assert filled_again is None


def test_a_reset_keeps_the_flash_and_a_factory_reset_does_not() -> None:
    one = filled(device(), 1, 2)
    one.power_on(NOW + 1.0)
    assert one.session.fragmentation.state(0) is not None
    one.power_on(NOW + 2.0, factory=True)
    assert one.session.fragmentation.state(0) is None


@pytest.mark.parametrize(
    ("judges", "boots", "version"),
    [
        (UpImageStatus.VALID, True, NEW),
        (UpImageStatus.VALID, False, OLD_FW),
        (UpImageStatus.WRONG_HARDWARE, True, OLD_FW),
    ],
)
def test_an_image_is_installed_if_it_is_valid_and_the_boot_loader_takes_it(
    judges: UpImageStatus, boots: bool, version: int
) -> None:
    one = device()
    one.judges, one.boots = judges, boots
    filled(one, 1, 2, 3, 4)
    one.receive(203, firmware.DevRebootCountdownReq(countdown=5).encode(), one.now)
    one.tick(one.now + 10.0)
    assert one.fw_version == version
    [(_, fport, told)] = one.receive(203, b"\x01", one.now)
    assert (fport, int.from_bytes(told[1:5], "little")) == (203, version)


def test_a_clock_that_is_wrong_shows_in_what_the_device_says() -> None:
    one = device(skew=600.0)
    [(at, fport, told)] = one.receive(202, b"\x03\x01", NOW)
    assert (at, fport, int.from_bytes(told[1:5], "little")) == (NOW, 202, int(NOW) + 600)
