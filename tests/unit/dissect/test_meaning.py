from __future__ import annotations

import pytest

from lorafuota.clocksync import v1 as clock
from lorafuota.dissect.meaning import duration, in_words, plain
from lorafuota.firmwaremanagement import v1 as firmware
from lorafuota.fragmentation import v1, v2
from lorafuota.multicastsetup import v1 as multicast_v1
from lorafuota.multicastsetup import v2 as multicast_v2
from lorafuota.package import PackageVersionAns
from lorafuota.wire import Command

SETUP = v1.FragSessionSetupReq(
    mc_group_bit_mask=5,
    frag_index=0,
    nb_frag=20,
    frag_size=50,
    block_ack_delay=2,
    frag_algo=0,
    padding=5,
    descriptor=bytes(4),
)
CLASS_B = multicast_v1.McClassBSessionReq(
    mc_group_id=0, session_time=1_400_000_000, time_out=3, periodicity=4, dl_freq_hz=0, dr=3
)
CLASS_C = multicast_v1.McClassCSessionReq(
    mc_group_id=0, session_time=0, time_out=8, dl_freq_hz=869_525_000, dr=3
)


@pytest.mark.parametrize(
    ("message", "field", "words"),
    [
        (SETUP, "mc_group_bit_mask", "5, group 0, 2"),
        (SETUP, "block_ack_delay", "2, up to 64 s (1.1 min)"),
        (SETUP, "padding", "5, so the block has 995 octets"),
        (SETUP, "nb_frag", "20"),
        (CLASS_B, "session_time", "1400000000, 2024-05-17T16:53:02Z"),
        (CLASS_B, "time_out", "3, 1,024 s (17.1 min)"),
        (CLASS_B, "periodicity", "4, a ping slot every 15.36 s"),
        (CLASS_B, "dl_freq_hz", "0"),
        (CLASS_C, "time_out", "8, 256 s (4.3 min)"),
        (CLASS_C, "dl_freq_hz", "869525000, 869.525 MHz"),
        (
            multicast_v1.McClassCSessionAns.decode(bytes.fromhex("0400ffffff")),
            "time_to_start",
            "16777215, 16,777,215 s (194.2 d)",
        ),
        (
            multicast_v2.McClassCSessionAns.decode(bytes.fromhex("0400ffffff")),
            "time_to_start",
            "16777215, the device's clock is off",
        ),
        (
            v2.FragSessionStatusAns.decode(bytes.fromhex("01000000ff")),
            "missing_frag",
            "255, 255 or more",
        ),
        (v2.FragSessionStatusAns.decode(bytes.fromhex("0104")), "missing_frag", "not there"),
        (
            PackageVersionAns(package_identifier=3, package_version=1),
            "package_identifier",
            "3, fragmentation",
        ),
        (
            PackageVersionAns(package_identifier=9, package_version=1),
            "package_identifier",
            "9, no such package",
        ),
        (
            clock.AppTimeAns(time_correction=-90, token_ans=0),
            "time_correction",
            "-90, -90 s (-1.5 min)",
        ),
        (clock.DeviceAppTimePeriodicityReq(period=1), "period", "1, 256 s (4.3 min)"),
        (firmware.DevRebootTimeReq(reboot_time=0), "reboot_time", "0, now"),
        (firmware.DevRebootTimeReq(reboot_time=0xFFFFFFFF), "reboot_time", "4294967295, cancel"),
        (
            firmware.DevRebootTimeReq(reboot_time=1_400_000_000),
            "reboot_time",
            "1400000000, 2024-05-17T16:53:02Z",
        ),
        (firmware.DevRebootTimeAns(reboot_time=30), "reboot_time", "30, 30 s"),
        (firmware.DevRebootTimeAns(reboot_time=0), "reboot_time", "0, cannot"),
        (firmware.DevRebootCountdownReq(countdown=0xFFFFFF), "countdown", "16777215, cancel"),
        (firmware.DevRebootCountdownAns(countdown=7), "countdown", "7, 7 s"),
    ],
)
def test_a_value_is_said_with_what_it_comes_to(message: Command, field: str, words: str) -> None:
    assert in_words(message, field) == words


def test_plain_values_come_from_their_type() -> None:
    values: list[object] = [None, True, False, v1.SetupError(5), v1.SetupError(0), b"", b"\x01", 7]
    assert [plain(value) for value in values] == [
        "not there",
        "1, yes",
        "0, no",
        "5, FRAG_ALGO_UNSUPPORTED | FRAG_INDEX_UNSUPPORTED",
        "0, none",
        "no octets",
        "01",
        "7",
    ]
    assert plain(firmware.UpImageStatus.VALID) == "3, VALID"
    assert plain(bytes(20)) == "00" * 16 + "\n" + "00" * 4


def test_durations_are_told_in_seconds_and_in_the_largest_unit() -> None:
    assert [duration(s) for s in (1.5, 60, 7200, 172_800)] == [
        "1.5 s",
        "60 s (1.0 min)",
        "7,200 s (2.0 h)",
        "172,800 s (2.0 d)",
    ]
