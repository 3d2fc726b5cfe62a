import pytest

from lorafuota.conformance.check import Failed, NotApplicable
from lorafuota.conformance.device.command_set import (
    expect_whole,
    joined,
    other_packages,
    say,
    set_uplinks,
    version_octets,
    whole,
)
from lorafuota.conformance.devicepeer import DevicePeer
from lorafuota.conformance.subject import About, DeviceRequest, Reply
from tests.mutants.mutant import SMALL

from .support import peer


def test_a_set_is_sent_and_its_answers_put_together() -> None:
    one = peer(SMALL)
    version = version_octets(0, one)
    expect_whole(one, b"\x00\x02", 2, version)
    assert whole(one, bytes(42) + b"\x01", 1) == version * 42
    assert len(say(one, bytes(42) + b"\x01")) == 3
    assert set_uplinks(one, 10.0) == []
    with pytest.raises(Failed, match="expected ff; came 00 00 01"):
        expect_whole(one, b"\x00\x02", 2, b"\xff")


def test_pieces_have_to_follow_each_other_with_the_right_token() -> None:
    one = peer()
    pieces = [bytes.fromhex("02 00 aabb 01"), bytes.fromhex("02 02 cc 01")]
    assert joined(one, pieces, 1) == bytes.fromhex("aabbcc")
    with pytest.raises(Failed, match="expected BaseByte 0 and token 1; came 02 02 cc 01"):
        joined(one, pieces[1:], 1)
    with pytest.raises(Failed, match="expected BaseByte 0 and token 3"):
        joined(one, pieces, 3)
    with pytest.raises(Failed, match="expected a MultiPackBufferFrag; came 02 ff"):
        joined(one, [b"\x02\xff"], 0)


class Alone:
    about = About(name="alone", versions={"multipackage": 1})

    def exchange(self, request: DeviceRequest) -> Reply:
        return Reply()


def test_a_device_may_have_no_other_package() -> None:
    assert other_packages(peer()) == [1, 2, 3, 4]
    with pytest.raises(NotApplicable, match="the device has no other package"):
        other_packages(DevicePeer(Alone(), seed="unit"))
