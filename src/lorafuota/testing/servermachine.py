"""A rule-based machine that tests a server: a fleet of our devices, through hostile channels.

Subclass it and say how to make the server::

    class MyServerMachine(ServerMachine):
        def new_server(self, image, targets):
            return MyServer(image, targets)

    TestMyServer = MyServerMachine.TestCase

What a server is has five methods: :class:`lorafuota.testing.peers.ServerUnderTest`.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable
from typing import ClassVar, Final

from ..catalogue import PACKAGES, PackageMap
from ..types import UPLINK, DevEUI, GenAppKey
from ..wire import Command
from ._servermodel import ServerModel
from ._violation import Violation, Watch
from .blocks import blocks
from .channel import Channel, Delay, Loss, Reorder, Repeat
from .hostile import Hostile, hostile
from .peers import Downlink, ReferenceDevice, Sent, ServerUnderTest, Target
from .sessions import channels

try:
    from hypothesis import strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
except ImportError as error:  # pragma: no cover  the tests have it
    raise ImportError(
        "lorafuota.testing needs Hypothesis: pip install lorafuota[testing]"
    ) from error

__all__ = ["ServerMachine"]

_START: Final = 1_400_000_000.0
_STRANGER: Final = DevEUI(0xFFFF)
_BOTH_VERSIONS: Final = tuple(
    PackageMap(versions=dict.fromkeys(("clocksync", "fragmentation", "multicastsetup"), version))
    for version in (1, 2)
)


class ServerMachine(RuleBasedStateMachine):
    """Updates a fleet of our devices with a server, through hostile channels.

    It fails when the server raises; sends what cannot be read, a session that does not fit the
    image, a MIC that is wrong, a SessionCnt or a frame counter a second time, a fragment with other
    content or without a session, or multicast fragments that make another image; when it answers
    one uplink with a flood; when it says of a device that it has the image and it has not; and when
    it has not come to an end for every target :attr:`patience_seconds` after the channels have
    become perfect.  Where nothing hostile happened at all, every target must have the image.

    Attributes:
        versions: Of the packages, from which each target has one.
        max_image: Octets of the image, at most.
        tick_seconds: How often ``tick`` is called.
        patience_seconds: How long the server may take when nothing is in its way.
        max_reaction: Downlinks that one uplink may cause.
        server: The server under test.
        fleet: The devices by DevEUI.
        now: GPS seconds.
    """

    versions: ClassVar[tuple[int, ...]] = (1, 2)
    max_image: ClassVar[int] = 200
    tick_seconds: ClassVar[float] = 2.0
    patience_seconds: ClassVar[float] = 20_000.0
    max_reaction: ClassVar[int] = 32

    def new_server(self, image: bytes, targets: tuple[Target, ...]) -> ServerUnderTest:
        """Return a fresh server with one update to do; the one thing a subclass has to say.

        Args:
            image: What every target is to have in the end.
            targets: The devices; any version of :attr:`versions`.
        """
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self._watch = Watch()
        self.now = _START
        self._order = itertools.count()
        self._air: list[tuple[float, int, Callable[[], None]]] = []
        self._calm = True
        self.fleet: dict[DevEUI, ReferenceDevice] = {}
        self._down: dict[DevEUI, Channel] = {}
        self._up: dict[DevEUI, Channel] = {}

    @initialize(data=st.data(), fleet=st.lists(st.integers(0, 7), min_size=1, max_size=3))
    def begin(self, data: st.DataObject, fleet: list[int]) -> None:
        """Make a fleet and its channels, and start the update."""
        block = data.draw(blocks(max_nb_frag=8, frag_size=self.max_image // 8), label="block")
        self._image = block.image
        targets = tuple(
            Target(
                DevEUI(number),
                GenAppKey(bytes([number] * 16)),
                self.versions[kind % len(self.versions)],
            )
            for number, kind in enumerate(fleet, 1)
        )
        self._model = ServerModel(self._image, targets)
        ways = channels((Loss, Delay, Reorder, Repeat), longest=10.0)
        for one in targets:
            name = f"documents v{one.version}"
            device = ReferenceDevice(one.root_key, profile=name, seed=int(one.dev_eui))
            self.fleet[one.dev_eui] = device
            self._down[one.dev_eui] = data.draw(ways, label="down")
            self._up[one.dev_eui] = data.draw(ways, label="up")
            if self._down[one.dev_eui].effects or self._up[one.dev_eui].effects:
                self._calm = False
        self.server = self.new_server(self._image, targets)
        with self._watch:
            self._carry(self.server.start(self.now))

    # Rules

    @rule(seconds=st.sampled_from([10.0, 100.0, 1000.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._pass(self.now + seconds)

    @rule(data=st.data(), package=st.sampled_from([str(one) for one in PACKAGES]))
    def send_hostile_octets(self, data: st.DataObject, package: str) -> None:
        """Have a device send something near a valid payload that says nothing, and so no lie."""
        [of] = [one for one in PACKAGES if str(one) == package]
        one: Hostile = data.draw(hostile(of, UPLINK), label="octets")
        eui = data.draw(st.sampled_from(sorted(self.fleet)), label="device")
        readings = (ports.parse(of.fport, UPLINK, one.payload) for ports in _BOTH_VERSIONS)
        if not any(isinstance(each, Command) for parsed in readings for each in parsed):
            self._calm = False
            self._receive(eui, of.fport, one.payload)

    @rule(fport=st.integers(1, 223), payload=st.binary(max_size=16))
    def hear_a_stranger(self, fport: int, payload: bytes) -> None:
        """Have a device send something that is no target."""
        self._receive(_STRANGER, fport, payload)

    @rule(number=st.integers(0, 2))
    def switch_a_device_off_and_on(self, number: int) -> None:
        """Cycle the power of one device."""
        self._calm = False
        sorted(self.fleet.items())[number % len(self.fleet)][1].power_cycle()

    @rule()
    def crash(self) -> None:
        """Cycle the power of the server."""
        with self._watch:
            self.server.power_cycle()

    def teardown(self) -> None:
        """Make every channel perfect, wait, and see how it ended."""
        if not hasattr(self, "server") or self._watch.failed:
            return
        for eui in self.fleet:
            self._down[eui] = self._up[eui] = Channel()
        end = self.now + self.patience_seconds
        while self.now < end and None in self._outcomes().values():
            self._pass(self.now + self.tick_seconds)
        for eui, outcome in self._outcomes().items():
            if outcome is None:
                raise Violation(f"{eui!r} is still under way after {self.patience_seconds:g} s")
            if self._calm and not outcome:
                raise Violation(f"{eui!r} has failed, and nothing was in its way")

    # How

    def _outcomes(self) -> dict[DevEUI, bool | None]:
        found = {eui: self.server.outcome(eui) for eui in self.fleet}
        for eui, outcome in found.items():
            self._model.claimed(eui, outcome)
        return found

    def _at(self, time: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._air, (time, next(self._order), what))

    def _pass(self, end: float) -> None:
        while self.now < end:
            self.now = min(self.now + self.tick_seconds, end)
            while self._air and self._air[0][0] <= self.now:
                heapq.heappop(self._air)[2]()
            for eui, device in self.fleet.items():
                self._send_up(eui, device.tick(self.now))
            with self._watch:
                self._carry(self.server.tick(self.now))
                self._outcomes()

    def _carry(self, sent: Iterable[Sent]) -> int:
        many = 0
        for many, one in enumerate(sent, 1):  # noqa: B007  how many is asked for
            self._model.sent(one)
            if isinstance(one, Downlink):
                for arrival in self._down[one.dev_eui].send(one.payload, now=self.now):
                    self._at(arrival.time, self._delivery(one.dev_eui, one.fport, arrival.payload))
            else:
                for eui, channel in self._down.items():
                    for arrival in channel.send(one.phy, now=self.now):
                        self._at(arrival.time, self._delivery(eui, None, arrival.payload))
        return many

    def _delivery(self, eui: DevEUI, fport: int | None, payload: bytes) -> Callable[[], None]:
        def deliver() -> None:
            device = self.fleet[eui]
            if fport is None:
                self._send_up(eui, device.receive_frame(payload, self.now))
            else:
                self._send_up(eui, device.receive(fport, payload, self.now))

        return deliver

    def _send_up(self, eui: DevEUI, uplinks: Iterable[tuple[int, bytes]]) -> None:
        with self._watch:
            device = self.fleet[eui]
            for _, data in device.take_blocks():
                if data != self._image:
                    raise Violation(f"{eui!r} rebuilt another image from what it was sent")
                self._model.has_block.add(eui)
            if device.failures:
                raise Violation(f"{eui!r} could not rebuild the image: {device.failures[0].reason}")
        for fport, payload in uplinks:
            for arrival in self._up[eui].send(payload, now=self.now):
                self._at(arrival.time, self._uplink(eui, fport, arrival.payload))

    def _uplink(self, eui: DevEUI, fport: int, payload: bytes) -> Callable[[], None]:
        return lambda: self._receive(eui, fport, payload)

    def _receive(self, eui: DevEUI, fport: int, payload: bytes) -> None:
        with self._watch:
            many = self._carry(self.server.receive(eui, fport, payload, self.now))
            if many > self.max_reaction:
                raise Violation(f"one uplink caused {many} downlinks")
