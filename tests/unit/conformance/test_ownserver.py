import pytest

from lorafuota.catalogue import package
from lorafuota.conformance.ownserver import OWN_CAN, OwnServer, Store
from lorafuota.conformance.run import Outcome, run_server_checks
from lorafuota.conformance.server import SERVER_CHECKS
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import (
    Advance,
    Begin,
    Cancel,
    DeviceOutcome,
    Ended,
    Pause,
    Resume,
)
from lorafuota.errors import StateError


def peer(server: OwnServer) -> ServerPeer:
    return ServerPeer(server, package=package("fragmentation", 2), seed="own")


def test_it_has_to_be_given_an_order_first() -> None:
    with pytest.raises(StateError, match="the first request is Begin"):
        OwnServer().exchange(Advance(0.0))


def test_a_restart_goes_on_from_what_was_stored() -> None:
    server = OwnServer()
    one = peer(server)
    fleet = one.play(2)
    one.run(lambda: len(one.observer.frames) >= 5)
    one.restart()
    one.finish()
    one.expect_updated(fleet)
    assert len({frame.fcnt for frame in one.observer.frames}) == len(one.observer.frames)


def test_an_empty_store_has_nothing() -> None:
    assert Store().load() is None


def test_an_order_that_cannot_be_ends_at_once_and_says_why() -> None:
    server = OwnServer()
    one = peer(server)
    one.draw_image(1_000)
    [device] = one.devices(1)
    one.begin(frag_size=250)
    said, ended = one.transcript[1:3]
    assert isinstance(said, DeviceOutcome)
    assert (said.dev_eui, said.status) == (device.entry.dev_eui, "Initial")
    assert "block.frag_size = 250: expected at most 239" in said.detail
    assert isinstance(ended, Ended)


def test_wishes_that_come_at_the_wrong_time_are_let_pass() -> None:
    server = OwnServer()
    one = peer(server)
    one.play(1)
    one.finish()
    for wish in (Pause(one.now), Resume(one.now), Cancel(one.now)):
        assert server.exchange(wish).events == ()


def test_a_second_order_forgets_the_first() -> None:
    server = OwnServer()
    first = peer(server)
    first.play(2)
    first.run(lambda: bool(first.observer.frames))
    second = peer(server)
    fleet = second.play(1)
    second.finish()
    second.expect_updated(fleet)
    order = second.transcript[0]
    assert isinstance(order, Begin)
    assert {one.dev_eui for one in order.devices} == set(second.outcomes)


ONE_OF_EACH = (
    "ts004-v1/setup-fits-image",
    "ts004-v2/setup-mic",
    "ts004-v1/parity",
    "ts004-v2/claims-early",
    "ts004-v2/report-answered",
    "ts004-v1/loss-burst",
    "ts004-v2/restart-fragment",
    "ts004-v1/flood",
    "ts004-v1/pause",
    "ts005-v1/mc-key",
    "ts005-v2/fcnt-once",
    "ts005-v1/frames-in-window",
    "ts005-v2/restart-window",
    "ts006-v1/installs",
    "ts007-v1/pieces",
)


@pytest.mark.parametrize(
    ("plus", "minus", "builds_frames", "skipped"),
    [
        ((), (), True, 0),
        ((), ("asks-versions",), False, 0),
        (("own-mc-key",), (), True, 0),
        ((), ("counters",), False, 1),
        ((), ("class-c",), False, 0),
        ((), ("class-b", "class-c"), False, 4),
        (("wants-uplinks",), (), False, 0),
    ],
    ids=str,
)
def test_servers_of_other_habits_are_served_by_the_kit_as_well(
    plus: tuple[str, ...], minus: tuple[str, ...], builds_frames: bool, skipped: int
) -> None:
    can = (OWN_CAN | set(plus)) - set(minus)
    server = OwnServer(can=can, builds_frames=builds_frames)
    chosen = [one for one in SERVER_CHECKS if one.id in ONE_OF_EACH]
    assert len(chosen) == len(ONE_OF_EACH)
    results = list(run_server_checks(chosen, server))
    assert [f"{one.check.id}: {one.reason}" for one in results if not one.good] == []
    assert sum(one.outcome is Outcome.SKIPPED for one in results) == skipped
