import dataclasses
from unittest import mock

import pytest

from lorafuota import DevAddr, DevEUI
from lorafuota.conformance.device import DEVICE_CHECKS
from lorafuota.conformance.own import OwnDevice
from lorafuota.conformance.run import run_device_checks
from lorafuota.conformance.subject import (
    Advance,
    Downlink,
    PowerOn,
    Rebooted,
    Reply,
    SubjectError,
    Uplink,
    build_image,
)
from lorafuota.errors import StateError
from lorafuota.fec.decoder import memory_bound
from lorafuota.fragmentation import v2
from lorafuota.session.firmware import FirmwareDevice
from lorafuota.session.fraglimits import FragLimits
from lorafuota.session.multicast import McLimits
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


def test_it_says_of_itself_what_its_limits_are() -> None:
    limits = FragLimits(max_memory=1 << 20, nb_indices=2, descriptors=frozenset({bytes(4)}))
    about = OwnDevice(
        "documents v1", mc_limits=McLimits(max_groups=3), frag_limits=limits, max_payload=51
    ).about
    assert (about.mc_groups, about.frag_indices, about.max_payload) == (3, 2, 51)
    assert (about.descriptor, about.wrong_descriptor) == (bytes(4), b"\x01\0\0\0")
    most = about.max_nb_frag
    assert memory_bound(nb_frag=most, frag_size=255) <= 1 << 20
    assert memory_bound(nb_frag=most + 1, frag_size=255) > 1 << 20
    assert OwnDevice("LoRaMac-node").about.max_lost == 5


def test_an_image_is_installed_in_the_reboot_and_gone_after_it() -> None:
    device = OwnDevice("documents v1")
    device.exchange(power_on(0.0))
    image = build_image(3, 7).ljust(16, b"\0")
    device.exchange(Downlink(1.0, 201, bytes.fromhex("0200 0100 10 00 03 00000000")))
    device.exchange(Downlink(2.0, 201, bytes.fromhex("08 0100") + image))

    def asked(time: float) -> list[bytes]:
        reply = device.exchange(Downlink(time, 203, bytes.fromhex("0104")))
        return [one.payload for one in reply.events if isinstance(one, Uplink)]

    assert asked(3.0) == [bytes.fromhex("01 00000001 01000000 0403 07000000")]
    assert device.exchange(Downlink(4.0, 203, bytes.fromhex("0200000000"))).events == (
        Rebooted(4.0),
    )
    device.exchange(power_on(4.0, factory=False))
    assert asked(5.0) == [bytes.fromhex("01 07000000 01000000 0400")]


def test_a_device_that_is_never_done_is_broken_and_does_not_hang() -> None:
    device = OwnDevice("documents v2")
    device.exchange(power_on(0.0))
    device.exchange(Downlink(1.0, 203, bytes.fromhex("03 640000")))
    with (
        mock.patch.object(FirmwareDevice, "tick", return_value=[]),
        pytest.raises(SubjectError, match="something is still due after 1000 ticks"),
    ):
        device.exchange(Advance(200.0))


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


@pytest.mark.parametrize("profile", ["documents v2", "ST middleware v2", "Renesas"])
def test_what_it_draws_in_a_check_does_not_depend_on_the_checks_before(profile: str) -> None:
    names = ("report-delay", "status-delay-2", "status-delay-uniform", "period-taken")
    checks = [one for one in DEVICE_CHECKS if one.name in names]
    in_a_row = list(run_device_checks(checks, OwnDevice(profile)))
    backwards = list(run_device_checks(checks[::-1], OwnDevice(profile)))[::-1]
    alone = [one for check in checks for one in run_device_checks([check], OwnDevice(profile))]
    assert in_a_row == backwards == alone
    assert sum(len(one.transcript) > 50 for one in alone) >= 3


def test_two_devices_and_two_seeds_draw_differently() -> None:
    def answered(seed: str, dev_eui: int) -> float | None:
        device = OwnDevice("LoRaMac-node", seed=seed)
        device.exchange(dataclasses.replace(power_on(0.0), dev_eui=DevEUI(dev_eui)))
        device.exchange(Downlink(1.0, 201, bytes.fromhex("0200 0100 10 07 03 00000000")))
        return device.exchange(Downlink(2.0, 201, b"\x01\x01")).next

    assert answered("own", 1) == answered("own", 1)
    assert len({answered(*how) for how in (("own", 1), ("own", 2), ("other", 1))}) == 3


def test_a_device_for_the_conduit_passes_under_its_own_name() -> None:
    checks = [
        DEVICE_CHECKS[id] for id in ("ts005-v1/setup-0", "ts004-v1/lossless", "ts004-v1/n-zero")
    ]
    name = "MultiTech Conduit"
    found = [one.outcome.value for one in run_device_checks(checks, OwnDevice(name), profile=name)]
    assert found == ["passed", "passed", "known quirk"]
    found = [one.outcome.value for one in run_device_checks(checks, OwnDevice(name))]
    assert found == ["failed", "failed", "failed"]
