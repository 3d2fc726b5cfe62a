import random
from collections.abc import Callable

import pytest

from lorafuota.catalogue import package
from lorafuota.conformance.check import Failed
from lorafuota.conformance.ownserver import OwnServer
from lorafuota.conformance.run import Outcome, run_server_checks
from lorafuota.conformance.server import SERVER_CHECKS, _common
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import (
    Begin,
    DeviceOutcome,
    Downlink,
    Ended,
    MulticastDownlink,
    MulticastFrame,
    ServerEvent,
    ServerReply,
    ServerRequest,
)
from lorafuota.fragmentation import v2
from lorafuota.multicastsetup.v1 import McClassBSessionReq, McClassCSessionReq
from lorafuota.package import PackageVersionReq
from tests.mutants.silent import SilentServer

NOTHING_TO_DO: set[str] = set()
"""Checks that a server passes by not doing what it must not do."""


def test_every_check_of_a_server_has_an_id_of_its_own() -> None:
    assert len({one.id for one in SERVER_CHECKS}) == len(SERVER_CHECKS)


def test_windows_count_seconds_in_class_c_and_beacons_in_class_b() -> None:
    both = {"mc_group_id": 0, "session_time": 1_280, "time_out": 3, "dl_freq_hz": 100, "dr": 0}
    assert _common.window_of(McClassCSessionReq(**both)) == (1_280.0, 1_288.0)
    assert _common.window_of(McClassBSessionReq(periodicity=0, **both)) == (1_280.0, 2_304.0)


def test_requests_without_end_are_told_from_a_few() -> None:
    peer = ServerPeer(OwnServer(), package=package("fragmentation", 2), seed="s")
    device, _ = peer.play(2)
    peer.finish()
    _common.expect_bounded(peer, device, PackageVersionReq)
    with pytest.raises(Failed, match="PackageVersionReq went to one device 3 times"):
        _common.expect_bounded(peer, device, PackageVersionReq, most=2)
    with pytest.raises(Failed, match="the device is reported Successful verified"):
        _common.expect_unclaimed(peer, device)


def test_a_status_has_the_layout_of_the_fleets_version() -> None:
    peer = ServerPeer(OwnServer(), package=package("fragmentation", 2), seed="s")
    told = _common.status_ans(peer, frag_index=1, received=7, missing=3, mic_error=True)
    assert isinstance(told, v2.FragSessionStatusAns)
    assert told.encode().hex() == "0102074003"
    peer = ServerPeer(OwnServer(), package=package("fragmentation", 1), seed="s")
    told_1 = _common.status_ans(peer, frag_index=1, received=7, missing=3)
    assert told_1.encode().hex() == "0107400300"


def test_nothing_that_was_sent_is_nothing_that_can_be_judged() -> None:
    peer = ServerPeer(OwnServer(), package=package("fragmentation", 2), seed="s")
    fleet = peer.play(2)
    with pytest.raises(Failed, match="no fragment was sent"):
        _common.expect_fragments(peer)
    other = peer.make_device()
    with pytest.raises(Failed, match=f"nothing was sent to {other.entry.dev_eui}"):
        _common.expect_spoken_to(peer, [other])
    with pytest.raises(Failed, match="no device was told of a window"):
        _common.expect_announced(peer)
    peer.wait(3_600.0)
    _common.expect_fragments(peer)
    _common.expect_spoken_to(peer, fleet)
    _common.expect_announced(peer)


def test_another_update_is_played_behind_the_first_and_stands_in_the_transcript() -> None:
    peer = ServerPeer(OwnServer(), package=package("fragmentation", 2), seed="s")
    peer.play(1)
    peer.finish()
    before = len(peer.transcript)
    _common.expect_updates(peer)
    assert isinstance(peer.transcript[before], Begin)
    assert isinstance(peer.transcript[-1], Ended)
    mute = ServerPeer(SilentServer("MissingFrag"), package=package("fragmentation", 2), seed="s")
    with pytest.raises(Failed, match="does not have the block in the end; the server says Missing"):
        _common.expect_updates(mute)
    assert isinstance(mute.transcript[-1], Ended)


class Mute:
    """A server that takes orders and does nothing."""

    about = OwnServer().about
    events: tuple[ServerEvent, ...] = ()

    def exchange(self, request: ServerRequest) -> ServerReply:
        return ServerReply()


class Liar(Mute):
    """A server that calls everything done."""

    def exchange(self, request: ServerRequest) -> ServerReply:
        if not isinstance(request, Begin):
            return ServerReply()
        said = [
            DeviceOutcome(request.time, one.dev_eui, "Successful", "installed")
            for one in request.devices
        ]
        return ServerReply((*said, Ended(request.time)))


class Wild(Mute):
    """A server that sends anything to anybody, and ends some time."""

    def __init__(self) -> None:
        self.rng, self.left = random.Random("wild"), 0
        self.order: Begin | None = None

    def exchange(self, request: ServerRequest) -> ServerReply:
        if isinstance(request, Begin):
            self.order, self.left = request, 60
        if self.order is None or self.left == 0:
            return ServerReply()
        self.left -= 1
        now, rng = request.time, self.rng
        if self.left == 0:
            return ServerReply((Ended(now),))
        events: list[ServerEvent] = []
        for _ in range(3):
            eui = rng.choice(self.order.devices).dev_eui
            cid = bytes((rng.choice((0, 1, 2, 3, 4, 5, 8, 0x80, 0xFF)),))
            payload = cid + rng.randbytes(rng.choice((0, 1, 4, 10, 12, 16, 29)))
            fport = rng.choice((200, 201, 202, 203, 225))
            events.append(Downlink(now, eui, fport, payload))
            if self.order.groups:
                mc_addr = rng.choice(self.order.groups).mc_addr
                events.append(MulticastDownlink(now, mc_addr, fport, payload, rng.randrange(99)))
                events.append(MulticastFrame(now, rng.randbytes(rng.randrange(40))))
        return ServerReply(tuple(events), now + 30.0)


@pytest.mark.parametrize("server", [Mute, Liar, Wild])
def test_whatever_a_server_does_every_check_has_a_result(server: type[Mute]) -> None:
    """And none of the required ones that ask for a block passes."""
    results = list(run_server_checks(SERVER_CHECKS, server()))
    assert len(results) == len(SERVER_CHECKS)
    passed = {one.check.id for one in results if one.outcome is Outcome.PASSED}
    assert passed <= NOTHING_TO_DO, sorted(passed - NOTHING_TO_DO)


class Impossible(Mute):
    """A server that sends one thing that cannot be sent."""

    def __init__(self, event: Callable[[Begin], ServerEvent]) -> None:
        self.event = event

    def exchange(self, request: ServerRequest) -> ServerReply:
        return ServerReply((self.event(request),) if isinstance(request, Begin) else ())


@pytest.mark.parametrize(
    "event",
    [
        lambda order: Downlink(order.time, order.devices[0].dev_eui, 0, b"\x00"),
        lambda order: Downlink(order.time, order.devices[0].dev_eui, 226, b"\x00"),
        lambda order: MulticastDownlink(order.time, order.groups[0].mc_addr, 201, bytes(300), 1),
        lambda order: MulticastDownlink(order.time, order.groups[0].mc_addr, 201, b"\x01", -1),
        lambda order: MulticastDownlink(order.time, order.groups[0].mc_addr, 900, b"\x01", 1),
    ],
)
def test_what_cannot_be_sent_fails_the_check(event: Callable[[Begin], ServerEvent]) -> None:
    [check] = [one for one in SERVER_CHECKS if one.id == "ts004-v2/n-from-1"]
    [result] = run_server_checks([check], Impossible(event))
    assert result.outcome is Outcome.FAILED
    assert result.reason.startswith("a downlink that cannot be: ")
