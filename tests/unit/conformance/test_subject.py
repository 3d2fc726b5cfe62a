import pytest

from lorafuota import DevAddr, DevEUI
from lorafuota.conformance.subject import (
    About,
    BlockLost,
    ClassChanged,
    PowerOn,
    Uplink,
    build_image,
    read_image,
)
from lorafuota.errors import FieldError
from lorafuota.types import GenAppKey


def test_a_request_with_a_key_does_not_show_it() -> None:
    key = GenAppKey(bytes(range(16)))
    request = PowerOn(
        time=0.0,
        factory=True,
        clock_known=True,
        dev_eui=DevEUI(1),
        dev_addr=DevAddr(2),
        root_key=key,
    )
    assert bytes(range(16)).hex() not in repr(request)


def test_a_subject_cannot_say_of_itself_what_there_is_not() -> None:
    for said, sentence in (
        ({"versions": {"fragmentation": 3}}, "version = 3: expected 1 or 2"),
        ({"versions": {}, "can": frozenset({"fly"})}, r"can = \['fly'\]: expected of power-cycle"),
        ({"versions": {}, "fports": {"fragmentation": 225}}, "int in 1..224"),
        ({"versions": {}, "mc_groups": 0}, "mc_groups = 0: expected int in 1..4"),
        ({"versions": {}, "max_payload": 243}, "max_payload = 243: expected int in 11..242"),
        ({"versions": {}, "dr": 256}, "dr = 256: expected int in 0..255"),
        ({"versions": {}, "max_lost": -1}, "max_lost = -1: expected int in 0..16383"),
        ({"versions": {}, "descriptor": b"abc"}, "expected 4 octets"),
        ({"versions": {"ts009": 1}}, "name = 'ts009': expected one of multipackage, clocksync"),
        ({"versions": {"ts004": 1, "fragmentation": 1}}, "'fragmentation': expected each package"),
        ({"versions": {}, "name": 7}, "name = 7: expected text"),
    ):
        with pytest.raises(FieldError, match=sentence):
            About(**{"name": "x", **said})  # type: ignore[arg-type]


def test_the_names_of_the_documents_are_taken_for_those_of_the_packages() -> None:
    said = About(name="x", versions={"ts004": 1, "TS005": 2}, fports={"TS004": 61})
    assert said == About(
        name="x", versions={"fragmentation": 1, "multicastsetup": 2}, fports={"fragmentation": 61}
    )


def test_an_event_cannot_hold_what_there_is_not() -> None:
    with pytest.raises(FieldError, match="device_class = 'D': expected A, B or C"):
        ClassChanged(0.0, "D")
    with pytest.raises(FieldError, match="mc_group_id = 4"):
        ClassChanged(0.0, "C", 4)
    with pytest.raises(FieldError, match="fport = 256"):
        Uplink(0.0, 256, b"")
    with pytest.raises(FieldError, match="frag_index = 4"):
        BlockLost(0.0, 4)


def test_the_kits_image_says_what_state_it_is_in_and_which_version_it_has() -> None:
    image = build_image(3, 0x0102_0304)
    assert image == b"KITIMAGE\x03\x04\x03\x02\x01"
    assert read_image(image) == (3, 0x0102_0304)
    for other in (image[:-1], image + b"\0", b"X" + image[1:], build_image(4, 1)):
        assert read_image(other) is None
