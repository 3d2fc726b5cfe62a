import itertools

import pytest

from lorafuota.conformance._network import Network
from lorafuota.conformance._said import Said
from lorafuota.conformance.check import Failed
from lorafuota.conformance.fleetdevice import FleetDevice
from lorafuota.conformance.observer import Frame, Observer, Sent
from lorafuota.conformance.serversubject import (
    Advance,
    DeviceEntry,
    DeviceOutcome,
    Downlink,
    Ended,
    MulticastDownlink,
    MulticastFrame,
    Pause,
    ServerEvent,
    ServerReply,
    ServerRequest,
    Uplink,
)
from lorafuota.fragmentation.v1 import DataFragment
from lorafuota.session.stacks import device_profile
from lorafuota.types import DevAddr, DevEUI, GenAppKey, McKey
from tests.unit.conformance.scripted import Scripted

EUI, GROUP = DevEUI(1), DevAddr(7)
ANSWER = b"\x00\x03\x02"
"""PackageVersionAns of TS004-2.0.0."""


class Air:
    """A server, one device of the documents, and what lies between them."""

    def __init__(self, server: Scripted, *, now: float = 0.0) -> None:
        entry = DeviceEntry(dev_eui=EUI, dev_addr=DevAddr(2), root_key=GenAppKey(bytes(16)))
        self.device = FleetDevice(entry, device_profile("documents v2"), image=b"image")
        self.device.power_on(now)
        fleet = {EUI: self.device}
        self.server, self.observer = server, Observer(fleet)
        self.said = Said(tells_outcomes=True)
        self.downlinks: list[Sent] = []
        self.frames: list[Frame] = []
        self.network = Network(
            server,
            fleet,
            self.observer,
            self.said,
            now=now,
            hears=self.downlinks.append,
            sees=self.frames.append,
        )

    def wait(self, until: float) -> None:
        while self.network.now < until:
            self.network.step(until)

    def says(self, *events: ServerEvent, until: float = 1.0) -> None:
        """Have the server say something now, and time pass."""
        self.server.replies.append(ServerReply(events))
        self.network.ask(Pause(self.network.now))
        self.wait(until)


def fragment(n: int) -> bytes:
    return DataFragment(n=n, frag_index=1, payload=b"data").encode()


# --- Time ---


def test_a_server_that_does_not_know_when_it_is_due_is_called_less_and_less_often() -> None:
    air = Air(Scripted())
    air.wait(20_000.0)
    times = [one.time for one in air.server.heard if isinstance(one, Advance)]
    assert times[:5] == [1.0, 3.0, 7.0, 15.0, 31.0]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert waits == [2.0**n for n in range(1, 12)] + [3_600.0] * 4 + [20_000.0 - times[-2]]


def test_a_server_that_said_something_is_called_soon_again() -> None:
    air = Air(Scripted())
    air.wait(100.0)
    air.server.replies = [ServerReply((Ended(0.0),))]
    air.wait(101.0)
    air.wait(110.0)
    times = [one.time for one in air.server.heard]
    assert times[-5:] == [101.0, 102.0, 104.0, 108.0, 110.0]


def test_a_server_is_called_when_it_wants_to_be() -> None:
    air = Air(Scripted(ServerReply((), 7.0), ServerReply((), 90.0)))
    air.wait(91.0)
    assert [one.time for one in air.server.heard] == [1.0, 7.0, 90.0, 91.0]


def test_times_are_whole_milliseconds_and_never_before_what_is_due() -> None:
    air = Air(Scripted(ServerReply(next=2.00004)), now=1.0)
    done: list[float] = []
    air.network.at(1.5000001, lambda: done.append(air.network.now))
    air.network.ask(Pause(1.0))
    air.wait(3.0)
    assert done == [1.501]
    assert [one.time for one in air.server.heard] == [1.0, 2.001, 3.0]


def test_what_is_due_happens_at_its_time_and_in_the_order_it_was_given() -> None:
    air, done = Air(Scripted()), list[tuple[str, float]]()
    for name, when in (("b", 5.0), ("c", 5.0), ("a", 2.5)):
        air.network.at(when, lambda name=name: done.append((name, air.network.now)))  # type: ignore[misc]
    air.wait(5.0)
    assert done == [("a", 2.5), ("b", 5.0), ("c", 5.0)]


def test_time_stops_at_the_limit() -> None:
    air = Air(Scripted(ServerReply((), 100.0)), now=3.0)
    air.network.step(3.5)
    assert (air.network.now, air.server.heard) == (3.5, [Advance(3.5)])


def test_a_server_that_is_always_due_fails() -> None:
    class Busy(Scripted):
        def exchange(self, request: ServerRequest) -> ServerReply:
            return ServerReply((), request.time)

    with pytest.raises(Failed, match="called over 500 times at one time"):
        Air(Busy()).wait(2.0)


def test_exchanges_come_to_an_end() -> None:
    air = Air(Scripted())
    for _ in range(40_000):
        air.network.ask(Advance(0.0))
    with pytest.raises(Failed, match="no end after 40000 exchanges"):
        air.network.ask(Advance(0.0))


# --- To and from the server ---


def test_a_downlink_leaves_at_its_time_and_the_answer_comes_back() -> None:
    air = Air(Scripted(ServerReply((Downlink(4.0, EUI, 201, b"\x00"),))))
    air.wait(3.9)
    assert (air.network.on_its_way, air.downlinks) == (1, [])
    air.wait(5.0)
    assert (air.network.on_its_way, air.downlinks) == (0, air.observer.sent)
    assert [sent.time for sent in air.downlinks] == [4.0]
    assert Uplink(4.0, EUI, 201, ANSWER) in air.server.heard


def test_a_downlink_that_should_have_left_long_ago_leaves_now() -> None:
    air = Air(Scripted(), now=50.0)
    air.says(Downlink(4.0, EUI, 201, b"\x00"), until=51.0)
    assert [sent.time for sent in air.downlinks] == [50.0]


def test_everything_that_goes_over_is_written_down_in_order() -> None:
    air = Air(Scripted())
    down = Downlink(0.5, EUI, 201, b"\x00")
    air.says(down, until=0.5)
    uplink = Uplink(0.5, EUI, 201, ANSWER)
    assert air.network.transcript == [Pause(0.0), down, uplink, Advance(0.5)]


def test_what_the_server_says_is_taken_down_and_not_sent() -> None:
    air, outcome = Air(Scripted()), DeviceOutcome(0.0, EUI, "Successful")
    air.says(outcome, Ended(0.0), until=0.0)
    assert (air.said.outcomes, air.said.ended) == ({EUI: outcome}, 0.0)
    assert air.network.on_its_way == 0


def test_a_downlink_to_nobody_is_a_stray() -> None:
    air = Air(Scripted())
    air.says(Downlink(0.0, DevEUI(99), 201, b"\x00"))
    assert air.observer.strays == [(0.0, DevEUI(99), 201, b"\x00")]
    assert air.downlinks == []


@pytest.mark.parametrize("fport", [0, 226])
def test_a_downlink_on_a_port_that_does_not_exist_fails(fport: int) -> None:
    for event in (Downlink(0.0, EUI, fport, b""), MulticastDownlink(0.0, GROUP, fport, b"")):
        with pytest.raises(Failed, match=f"cannot be: .*fport = {fport}: expected int in 1..225"):
            Air(Scripted()).says(event)


def test_downlinks_come_to_an_end() -> None:
    air = Air(Scripted())
    air.says(*[Downlink(0.0, EUI, 17, b"")] * 2_000)
    with pytest.raises(Failed, match="over 2000 downlinks for each device"):
        air.says(Downlink(0.0, EUI, 17, b""), until=2.0)


def test_what_a_device_sends_later_arrives_later() -> None:
    air = Air(Scripted())
    air.network.up(air.device, [(3.0, 9, b"b"), (2.0, 9, b"a")])
    air.wait(4.0)
    uplinks = [one for one in air.server.heard if isinstance(one, Uplink)]
    assert uplinks == [Uplink(2.0, EUI, 9, b"a"), Uplink(3.0, EUI, 9, b"b")]


# --- Multicast ---


def test_a_frame_reaches_the_devices_that_listen() -> None:
    air = Air(Scripted())
    air.observer.add_key(GROUP, McKey(bytes(16)))
    air.says(MulticastDownlink(0.25, GROUP, 201, fragment(1)))
    assert air.device.heard == []
    air.device.listening[0] = "C"
    air.says(MulticastDownlink(1.25, GROUP, 201, fragment(2)), until=2.0)
    assert air.device.heard == [2]
    assert [(one.time, one.payload) for one in air.frames] == [
        (0.25, fragment(1)),
        (1.25, fragment(2)),
    ]


def test_a_frame_that_the_server_built_goes_on_air_as_it_is() -> None:
    first = Air(Scripted())
    first.observer.add_key(GROUP, McKey(bytes(16)))
    first.says(MulticastDownlink(0.0, GROUP, 201, fragment(1)))
    [frame] = first.frames
    assert frame.phy is not None
    second = Air(Scripted())
    second.observer.add_key(GROUP, McKey(bytes(16)))
    second.device.listening[0] = "C"
    second.says(MulticastFrame(0.0, frame.phy))
    assert (second.device.heard, second.frames[0].payload) == ([1], fragment(1))


def test_a_payload_of_a_group_without_a_key_is_seen_and_reaches_nobody() -> None:
    air = Air(Scripted())
    air.device.listening[0] = "C"
    air.says(MulticastDownlink(0.0, GROUP, 201, fragment(1)))
    assert (len(air.frames), air.device.heard) == (1, [])
