import pytest

from lorafuota.conformance.check import Failed, NotApplicable
from lorafuota.conformance.device import limits
from lorafuota.conformance.devicepeer import DevicePeer
from lorafuota.conformance.own import OwnDevice
from lorafuota.conformance.subject import About, DeviceRequest, Downlink, Reply, Uplink
from tests.mutants.mutant import ROOMY, own_device
from tests.mutants.runner import complaint

from .support import complaints, said


class Refusing:
    """A device that has no memory for anything."""

    def __init__(self, **told: int) -> None:
        self.about = About(name="refusing", versions={"fragmentation": 1}, **told)  # type: ignore[arg-type]

    def exchange(self, request: DeviceRequest) -> Reply:
        if isinstance(request, Downlink):
            return Reply((Uplink(request.time, 201, b"\x02\x02"),))
        return Reply()


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(limits.CHECKS) == {}


@pytest.mark.parametrize("name", ["setup-largest", "largest-arrives"])
def test_nor_is_one_that_takes_the_most_fragments_there_are(name: str) -> None:
    subject: OwnDevice = own_device(ROOMY)
    assert subject.about.max_nb_frag == 16_383
    assert complaint(limits.CHECKS[f"ts004-v2/{name}"], subject) is None


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert (
        said("most-refused", "ts004-v2/setup-largest")
        == "expected NbFrag 16383 with FragSize 1 to be accepted, as the device says; "
        "came StatusBitMask 0b00010"
    )
    assert (
        said("short-table", "ts004-v2/largest-arrives")
        == "expected a block of 1047552 octets on FragIndex 0; came none"
    )
    assert (
        said("place-in-16-bits", "ts004-v1/largest-arrives")
        == "expected a block of 1047552 octets on FragIndex 0; "
        "came 1047552 octets on 0 with other content"
    )


@pytest.mark.parametrize("name", ["setup-largest", "largest-arrives"])
def test_a_device_that_tells_no_limits_may_have_less_memory(name: str) -> None:
    check = limits.CHECKS[f"ts004-v1/{name}"]
    with pytest.raises(NotApplicable, match="the device tells no limits"):
        check.script(DevicePeer(Refusing(), seed="unit"))
    with pytest.raises(Failed, match="accepted"):
        check.script(DevicePeer(Refusing(max_nb_frag=500), seed="unit"))


@pytest.mark.parametrize(
    ("told", "sizes"),
    [
        ({"max_nb_frag": 100, "max_block_octets": 10_000}, [(41, 239), (100, 1), (100, 100)]),
        ({"max_nb_frag": 10, "max_block_octets": 10_000}, [(10, 1), (10, 239)]),
        ({"max_nb_frag": 100, "max_block_octets": 50}, [(1, 50), (50, 1)]),
        ({"max_nb_frag": 1, "max_block_octets": 1}, [(1, 1)]),
        ({}, [(4_387, 239), (16_383, 1), (16_383, 64)]),
    ],
)
def test_the_largest_blocks_reach_both_limits(
    told: dict[str, int], sizes: list[tuple[int, int]]
) -> None:
    about = Refusing(**told).about
    assert limits._largest(about) == sizes
