import dataclasses

import pytest

from lorafuota.catalogue import package
from lorafuota.conformance.check import Failed, NotApplicable
from lorafuota.conformance.ownserver import OwnServer
from lorafuota.conformance.serverpeer import START, ServerPeer
from lorafuota.conformance.serversubject import (
    Begin,
    DeviceOutcome,
    Downlink,
    Ended,
    ServerReply,
    Uplink,
)
from lorafuota.errors import FieldError
from lorafuota.fragmentation import v1, v2
from tests.unit.conformance.scripted import CAN, Scripted

V2 = package("fragmentation", 2)


def peer(name: str = "fragmentation", version: int = 2) -> ServerPeer:
    return ServerPeer(OwnServer(), package=package(name, version), seed="test")


def test_a_fleet_is_updated_and_everything_is_written_down() -> None:
    one = peer()
    fleet = one.play(3)
    one.finish()
    one.expect_updated(fleet)
    assert [one.reached(device) for device in fleet] == ["verified"] * 3
    assert one.transcript[0] == one.asked
    assert one.ended is not None
    assert START < one.ended < START + 2_000
    assert len(one.sent(v2.FragSessionSetupReq)) == 3
    assert one.times(v2.FragSessionSetupReq, fleet[0])[0] < one.observer.frames[0].time
    assert one.nb_frag == 20


def test_the_same_seed_plays_the_same() -> None:
    first, second = peer(), peer()
    for one in (first, second):
        one.play(2)
        one.finish()
    assert first.transcript == second.transcript


@pytest.mark.parametrize(
    ("name", "version", "fragmentation", "multicast"),
    [
        ("fragmentation", 1, 1, 1),
        ("multicastsetup", 1, 1, 1),
        ("clocksync", 2, 2, 2),
        ("firmwaremanagement", 1, 2, 2),
        ("multipackage", 1, 2, 2),
    ],
)
def test_the_fleet_speaks_the_version_of_the_check(
    name: str, version: int, fragmentation: int, multicast: int
) -> None:
    one = peer(name, version)
    assert one.version(name) == version
    assert (one.version("fragmentation"), one.version("multicastsetup")) == (
        fragmentation,
        multicast,
    )


def scripted(server: Scripted) -> ServerPeer:
    one = ServerPeer(server, package=V2, seed="test")
    one.play(1)
    return one


def test_an_update_without_end_and_one_without_outcomes_fail() -> None:
    one = scripted(Scripted())
    with pytest.raises(Failed, match="did not end within 2 days"):
        one.finish(within=2 * 86_400.0)
    one = scripted(Scripted(ServerReply((Ended(START),))))
    with pytest.raises(Failed, match="nothing was said of"):
        one.finish()


def test_a_downlink_reaches_its_device_and_the_answer_comes_back() -> None:
    server = Scripted()
    one = ServerPeer(server, package=V2, seed="test")
    one.draw_image()
    [device] = one.devices(1)
    eui = device.entry.dev_eui
    server.replies = [ServerReply((Downlink(START, eui, 201, b"\x00"),))]
    one.begin()
    one.wait(1.0)
    assert Uplink(START, eui, 201, b"\x00\x03\x02") in server.heard


def test_what_a_server_cannot_do_is_not_asked_of_it() -> None:
    one = ServerPeer(Scripted(), package=V2, seed="test")
    for call in (one.restart, one.pause, one.cancel):
        with pytest.raises(NotApplicable, match="the server does not have: "):
            call()
    one.draw_image()
    one.make_device(multicast=True)
    with pytest.raises(NotApplicable, match="does not have: class-b"):
        one.begin()


def test_a_fleet_larger_than_a_server_takes_is_not_asked_of_it() -> None:
    one = ServerPeer(Scripted(max_devices=1), package=V2, seed="test")
    with pytest.raises(NotApplicable, match="the server takes 1 devices"):
        one.play(2)


def test_an_update_needs_an_image_and_devices() -> None:
    one = peer()
    with pytest.raises(FieldError, match="an image, then devices"):
        one.begin()
    with pytest.raises(FieldError, match=r"begin\(\) first"):
        _ = one.asked


def test_what_is_expected_of_devices_is_held_against_what_is_said() -> None:
    one = peer()
    device, other = one.play(2)
    with pytest.raises(Failed, match="does not have the block in the end"):
        one.expect_updated([device])
    one.finish()
    said = one.outcomes[other.entry.dev_eui]
    one.expect_status(other, "Successful", "Initial")
    with pytest.raises(Failed, match="expected MICError; the server says Successful"):
        one.expect_status(other, "MICError")
    one.outcomes[other.entry.dev_eui] = dataclasses.replace(said, status="MissingFrag")
    with pytest.raises(Failed, match="has the block, and the server says MissingFrag of it"):
        one.expect_updated([other])


def test_a_server_that_wants_uplinks_first_gets_them() -> None:
    server = Scripted(can=CAN | {"wants-uplinks"})
    scripted(server).wait(700.0)
    own = [one for one in server.heard if isinstance(one, Uplink) and one.fport == 2]
    assert [one.time - START for one in own] == [0.0, 300.0, 600.0]


def test_what_happens_later_happens_then_and_waiting_can_end_early() -> None:
    one = scripted(Scripted())
    done: list[float] = []
    one.later(10.0, lambda: done.append(one.now))
    one.run(lambda: bool(done))
    assert done == [START + 10.0]
    assert one.happens(lambda: False, within=5.0) is False
    with pytest.raises(Failed, match="did not happen within 5 s"):
        one.run(lambda: False, within=5.0)


def test_octets_that_no_device_can_read_are_found_strictly() -> None:
    server = Scripted()
    one = ServerPeer(server, package=V2, seed="test")
    one.draw_image()
    [device] = one.devices(1)
    setup = v1.FragSessionDeleteReq(frag_index=0).encode()
    sent = Downlink(START, device.entry.dev_eui, 201, setup[:1] + b"\x80")
    server.replies = [ServerReply((sent,))]
    one.begin()
    one.wait(1.0)
    with pytest.raises(Failed, match="03 80 is nothing that fragmentation/2 can read strictly"):
        one.strict("fragmentation")
    with pytest.raises(Failed, match="nothing was sent on the port of clocksync"):
        one.strict("clocksync")


def test_the_last_word_about_a_device_counts() -> None:
    one = peer()
    fleet = one.play(1)
    eui = fleet[0].entry.dev_eui
    one.finish()
    words = [said for said in one.transcript if isinstance(said, DeviceOutcome)]
    assert one.outcomes[eui] == words[-1]
    assert isinstance(one.transcript[0], Begin)
