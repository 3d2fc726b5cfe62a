import pytest

from lorafuota.conformance._said import Said
from lorafuota.conformance.check import Failed
from lorafuota.conformance.fleetdevice import FleetDevice
from lorafuota.conformance.serversubject import (
    DeviceEntry,
    DeviceOutcome,
    Ended,
    WindowAnnounced,
)
from lorafuota.session.stacks import device_profile
from lorafuota.types import DevAddr, DevEUI, GenAppKey

EUI = DevEUI(0x0102)
IMAGE = b"image"


def device(*blocks: bytes) -> FleetDevice:
    entry = DeviceEntry(dev_eui=EUI, dev_addr=DevAddr(2), root_key=GenAppKey(bytes(16)))
    made = FleetDevice(entry, device_profile("documents v2"), image=IMAGE)
    made.blocks += blocks
    return made


def said(*statuses: str, detail: str = "", tells_outcomes: bool = True) -> Said:
    one = Said(tells_outcomes=tells_outcomes)
    for status in statuses:
        one.take(DeviceOutcome(1.0, EUI, status, "transported", detail), 1.0)
    return one


def test_what_is_said_is_taken_down_and_the_last_word_about_a_device_counts() -> None:
    one = said("MissingFrag", "Successful")
    window = WindowAnnounced(2.0, DevAddr(7), 10.0, 20.0)
    one.take(window, 3.0)
    before = one.ended
    one.take(Ended(4.0), 5.0)
    assert one.outcomes == {EUI: DeviceOutcome(1.0, EUI, "Successful", "transported")}
    assert (one.windows, before, one.ended) == ([window], None, 5.0)
    assert (one.status(device()), one.reached(device())) == ("Successful", "transported")


def test_of_a_device_nobody_spoke_of_the_word_is_nothing() -> None:
    assert (said().status(device()), said().reached(device())) == ("nothing", "")


def test_every_device_has_to_be_spoken_of_in_the_end() -> None:
    with pytest.raises(Failed, match=f"ended, and nothing was said of {EUI}"):
        said().expect_all([device()])
    said("MICError").expect_all([device()])


@pytest.mark.parametrize(
    ("blocks", "statuses", "reason"),
    [
        ([], [], f"{EUI} does not have the block in the end"),
        ([b"other"], [], f"{EUI} does not have the block in the end"),
        ([], ["MICError"], f"{EUI} does not have the block in the end; the server says MICError"),
        ([IMAGE], [], f"{EUI} has the block, and the server says nothing of it"),
        ([IMAGE], ["MICError"], f"{EUI} has the block, and the server says MICError of it"),
    ],
)
def test_an_updated_device_has_the_block_and_the_server_says_so(
    blocks: list[bytes], statuses: list[str], reason: str
) -> None:
    with pytest.raises(Failed) as failure:
        said(*statuses).expect_updated([device(*blocks)])
    assert str(failure.value) == reason
    said("Successful").expect_updated([device(IMAGE)])


def test_the_detail_of_a_word_stands_in_the_reason() -> None:
    with pytest.raises(Failed, match=r"the server says MissingFrag 3 of 20$"):
        said("MissingFrag", detail="3 of 20").expect_updated([device()])


def test_the_last_word_is_one_of_those_expected() -> None:
    said("MICError").expect_status(device(), "Successful", "MICError")
    with pytest.raises(Failed, match="expected Initial or MICError; the server says Successful"):
        said("Successful").expect_status(device(), "Initial", "MICError")
    with pytest.raises(Failed, match="expected Initial; the server says nothing"):
        said().expect_status(device(), "Initial")


def test_nothing_is_expected_of_a_server_that_tells_no_outcomes_but_the_block_itself() -> None:
    one = said(tells_outcomes=False)
    one.expect_all([device()])
    one.expect_status(device(), "Successful")
    one.expect_updated([device(IMAGE)])
    with pytest.raises(Failed, match="does not have the block"):
        one.expect_updated([device()])
