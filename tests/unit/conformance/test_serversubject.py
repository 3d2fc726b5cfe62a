import pytest

from lorafuota.catalogue import package
from lorafuota.conformance.serversubject import DeviceEntry, GroupOrder, ServerAbout
from lorafuota.errors import FieldError
from lorafuota.types import AppKey, DevAddr, DevEUI, GenAppKey, McKey

SECRET = bytes(range(16))
GROUP = {
    "frag_version": 2,
    "mc_addr": DevAddr(1),
    "max_mc_fcnt": 9,
    "device_class": "C",
    "dl_freq_hz": 869_525_000,
    "dr": 0,
    "frame_seconds": 0.4,
    "spacing_seconds": 2.0,
}


def test_a_server_says_which_versions_of_which_packages_it_speaks() -> None:
    about = ServerAbout(name="s", versions={"fragmentation": (1, 2), "clocksync": (1,)})
    spoken = [("fragmentation", 1), ("fragmentation", 2), ("clocksync", 1)]
    for name, version in [*spoken, ("clocksync", 2), ("multicastsetup", 1)]:
        assert about.speaks(package(name, version)) is ((name, version) in spoken)


def test_orders_with_keys_do_not_show_them() -> None:
    entry = DeviceEntry(dev_eui=DevEUI(1), dev_addr=DevAddr(2), root_key=GenAppKey(SECRET))
    group = GroupOrder(mc_key=McKey(SECRET), **GROUP)  # type: ignore[arg-type]
    assert SECRET.hex() not in repr(entry) + repr(group)


def test_a_key_of_another_class_is_refused() -> None:
    with pytest.raises(FieldError, match="mc_key"):
        GroupOrder(mc_key=AppKey(SECRET), **GROUP)  # type: ignore[arg-type]
    with pytest.raises(FieldError, match="root_key"):
        DeviceEntry(dev_eui=DevEUI(1), dev_addr=DevAddr(2), root_key=McKey(SECRET))  # type: ignore[arg-type]
    assert GroupOrder(mc_key=None, **GROUP).mc_key is None  # type: ignore[arg-type]
