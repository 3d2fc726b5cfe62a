import pytest

from lorafuota import DevAddr, DevEUI
from lorafuota.conformance.subject import About, BlockLost, ClassChanged, PowerOn, Uplink
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
    ):
        with pytest.raises(FieldError, match=sentence):
            About(name="x", **said)


def test_an_event_cannot_hold_what_there_is_not() -> None:
    with pytest.raises(FieldError, match="device_class = 'D': expected A, B or C"):
        ClassChanged(0.0, "D")
    with pytest.raises(FieldError, match="mc_group_id = 4"):
        ClassChanged(0.0, "C", 4)
    with pytest.raises(FieldError, match="fport = 256"):
        Uplink(0.0, 256, b"")
    with pytest.raises(FieldError, match="frag_index = 4"):
        BlockLost(0.0, 4)
