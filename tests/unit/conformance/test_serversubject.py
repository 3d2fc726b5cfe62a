import pytest

from lorafuota.catalogue import package
from lorafuota.conformance.serversubject import (
    DeviceEntry,
    GroupOrder,
    ServerAbout,
)
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


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"versions": {"ts009": (1,)}}, "name = 'ts009': expected one of multipackage"),
        ({"versions": {"fragmentation": (7,)}}, "version = 7: expected 1 or 2 for fragmentation"),
        (
            {"versions": {"fragmentation": ()}},
            r"tion\] = \(\): expected one at least",
        ),
        ({"versions": {"ts004": (1,), "TS004": (2,)}}, "'TS004': expected each package once"),
        ({"can": frozenset({"flying"})}, r"can = \['flying'\]: expected of unicast, class-b"),
        ({"max_devices": 0}, "max_devices = 0: expected int in 1.."),
        ({"name": None}, "name = None: expected text"),
    ],
)
def test_a_server_cannot_say_of_itself_what_there_is_not(
    said: dict[str, object], sentence: str
) -> None:
    with pytest.raises(FieldError, match=sentence):
        ServerAbout(**{"name": "s", "versions": {}, **said})  # type: ignore[arg-type]


def test_the_names_of_the_documents_are_taken_for_those_of_the_packages() -> None:
    assert ServerAbout(name="s", versions={"ts004": (1,)}).speaks(package("fragmentation", 1))
