from __future__ import annotations

import pytest

from lorafuota.dissect.addresskeys import AddressKeys
from lorafuota.errors import FieldError
from lorafuota.types import (
    DOWNLINK,
    UPLINK,
    AppSKey,
    DevAddr,
    Direction,
    McAppSKey,
    McNwkSKey,
    NwkSKey,
)
from tests.unit.dissect.test_keyring import ADDRESS, DEVICE, GROUP, multicast, unicast


def test_a_public_frame_is_opened_with_its_keys() -> None:
    """The first example of the documentation of an npm package, lora-packet, and its keys.

    DevAddr 49BE7DF1, FCnt 2, FPort 1; the payload is the text "test".
    """
    keys = AddressKeys(
        address=DevAddr(0x49BE7DF1),
        mic_key=NwkSKey.from_hex("44024241ed4ce9a68c6a8bc055233fd3"),
        payload_key=AppSKey.from_hex("ec925802ae430ca77fd3dd73cb2cc588"),
    )
    phy = bytes.fromhex("40f17dbe4900020001954378762b11ff0d")
    assert keys.find_fcnt(phy, direction=UPLINK) == 2
    assert keys.crypt(phy[9:-4], port=1, direction=UPLINK, fcnt=2) == b"test"


@pytest.mark.parametrize("way", [UPLINK, DOWNLINK])
@pytest.mark.parametrize("fport", [0, 201])
def test_a_devices_frames_are_checked_and_opened(way: Direction, fport: int) -> None:
    payload = bytes(range(40))
    phy = unicast(0x2_0007, way, payload, fport=fport)
    assert DEVICE.mic_fits(phy, direction=way, fcnt=0x2_0007)
    assert not DEVICE.mic_fits(phy, direction=way, fcnt=7)
    other = DOWNLINK if way is UPLINK else UPLINK
    assert not DEVICE.mic_fits(phy, direction=other, fcnt=0x2_0007)
    assert DEVICE.crypt(phy[9:-4], port=fport, direction=way, fcnt=0x2_0007) == payload


def test_the_upper_half_of_the_counter_is_found() -> None:
    phy = unicast(0x2_0007, UPLINK, b"\x00")
    assert DEVICE.find_fcnt(phy, direction=UPLINK) == 0x2_0007
    assert DEVICE.find_fcnt(phy, direction=UPLINK, tries=2) is None
    assert DEVICE.find_fcnt(phy, direction=UPLINK, near=0x1_FFFF, tries=2) == 0x2_0007
    assert DEVICE.find_fcnt(phy, direction=UPLINK, near=0xFFFF_0000, tries=4) == 0x2_0007
    group = multicast(0x9_0001)
    assert GROUP.find_fcnt(group, direction=DOWNLINK) == 0x9_0001


def test_keys_of_a_group_and_of_a_device_do_not_mix() -> None:
    with pytest.raises(FieldError, match=r"payload_key = AppSKey: expected a McAppSKey"):
        AddressKeys(address=ADDRESS, mic_key=McNwkSKey(bytes(16)), payload_key=AppSKey(bytes(16)))
    with pytest.raises(FieldError, match=r"payload_key = McAppSKey: expected a AppSKey"):
        AddressKeys(address=ADDRESS, mic_key=NwkSKey(bytes(16)), payload_key=McAppSKey(bytes(16)))
    assert "0f" not in repr(DEVICE).replace("0x", "")
