"""A rule-based machine that tests a device: our server plays sessions with it and judges it.

Subclass it, say how to make the device, and Hypothesis looks for what it does not survive::

    class MyDeviceMachine(DeviceMachine):
        def new_device(self, root_key):
            return MyDevice(root_key)

    TestMyDevice = MyDeviceMachine.TestCase

What a device is has four methods: :class:`lorafuota.testing.peers.DeviceUnderTest`.
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
from typing import Any, ClassVar, Final

from ..datablock import MAX_NB_FRAG, DataBlock
from ..fec.encoder import FragEncoder
from ..fragmentation import v1, v2
from ..package import PackageVersionReq
from ..session.fragmentation import FragServer, SetupReq
from ..session.profile import FragProfile, frag_profile
from ..types import DOWNLINK, AppKey, GenAppKey
from ..wire import Command
from ._devicemodel import DeviceModel
from ._violation import Watch
from .blocks import blocks
from .channel import Channel, Delay, Loss, Reorder, Repeat
from .hostile import Hostile, hostile
from .peers import DeviceUnderTest
from .sessions import channels
from .strategies import keys, records

try:
    from hypothesis import strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
except ImportError as error:  # pragma: no cover  the tests have it
    raise ImportError(
        "lorafuota.testing needs Hypothesis: pip install lorafuota[testing]"
    ) from error

__all__ = ["DeviceMachine"]

_START: Final = 1_400_000_000.0
_CHANGES: Final = (
    v1.FragSessionSetupReq,
    v2.FragSessionSetupReq,
    v1.FragSessionDeleteReq,
    v1.DataFragment,
)
"""What changes a session: hostile octets that happen to hold one are not sent."""
_FEW: Final = 9
_indices = st.integers(0, 3)


def _counts(most: int) -> st.SearchStrategy[int]:
    """NbFrag: few fragments in three of four, else up to *most*, often beyond an octet."""
    few = st.integers(1, min(_FEW, most))
    if most <= _FEW:
        return few
    edges = [one for one in (128, 255, 256, 257, most) if _FEW < one <= most]
    many = [st.sampled_from(edges), st.integers(_FEW + 1, most)]
    if most > 256:
        many.append(st.integers(256, most))
    return st.integers(0, 3).flatmap(lambda way: st.one_of(many) if way == 3 else few)


class DeviceMachine(RuleBasedStateMachine):
    """Plays fragmentation sessions (TS004) with a device through a hostile channel.

    It fails when the device raises, sends what cannot be read or what nobody asked for, leaves a
    request without its answer, accepts what must be refused (absurd sizes, a used SessionCnt), says
    something untrue of its progress, delivers a block that is not the one that was sent, or does
    not deliver one that is complete.

    MissingFrag has to be what is missing.  NbFragReceived has to lie between the fragments that
    every reading of the text counts and all that came.

    It knows TS004 alone, and by unicast alone: no multicast groups, and so neither McGroupBitMask
    nor the delays of answers to a group.  It does not look at Descriptors that a device refuses,
    at MemoryError of a device with little memory, at how often a report is repeated, or at what
    several errors at once have to say.  ``lorafuota conform device`` has checks of these.

    Attributes:
        version: Of TS004 the device speaks, 1 or 2.
        max_nb_frag: Fragments of the blocks it is sent, at most.  Most blocks have fewer than ten,
            since small ones break more in the same time; above 255 a number takes a second octet.
        max_frag_size: Octets of their fragments, at most.
        answer_seconds: How long an answer, or a block that is complete, may take.
        device: The device under test.
        now: GPS seconds.
    """

    version: ClassVar[int] = 2
    max_nb_frag: ClassVar[int] = 300
    max_frag_size: ClassVar[int] = 48
    answer_seconds: ClassVar[float] = 10.0

    def new_device(self, root_key: GenAppKey | AppKey) -> DeviceUnderTest:
        """Return a fresh device with this root key; the one thing a subclass has to say.

        Args:
            root_key: Of the device; signs the blocks of version 2.
        """
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self._watch = Watch()
        self._profile: FragProfile = frag_profile(self.version)
        self._model = DeviceModel(self._profile, answer_seconds=self.answer_seconds)
        self._fport = self._profile.package.fport
        self.now = _START
        self._order = itertools.count()
        self._air: list[tuple[float, int, bytes]] = []
        self._count: dict[int, int] = {}
        self._sent: dict[int, int] = {}
        self._used_up: list[SetupReq] = []
        self._encoders: dict[SetupReq, FragEncoder] = {}

    @initialize(
        root_key=st.one_of(keys(GenAppKey), keys(AppKey)),
        channel=channels((Loss, Delay, Reorder, Repeat), longest=3.0),
    )
    def switch_on(self, root_key: Any, channel: Channel) -> None:
        """Begin with a fresh device and a channel; damaged frames never get as far as a device."""
        self._root_key: GenAppKey | AppKey = root_key
        self._channel = channel
        self.device = self.new_device(root_key)

    # Rules

    @rule(index=_indices, data=st.data(), delay=st.integers(0, 2), report=st.booleans())
    def set_up(self, index: int, data: st.DataObject, delay: int, report: bool) -> None:
        """Open a session."""
        sizes = st.integers(1, self.max_frag_size)
        counts = _counts(self.max_nb_frag)
        block = data.draw(blocks(nb_frag=counts, frag_size=sizes), label="block")
        self._send(self._new_setup(block, index, delay, report))

    @precondition(lambda self: bool(self._open()))
    @rule(data=st.data(), shift=st.integers(1, 255))
    def set_up_another_of_its_size(self, data: st.DataObject, shift: int) -> None:
        """Replace a session by one with the same numbers and other content.

        In version 1 nothing else is different, so the old one is deleted first.
        """
        old = self._draw_open(data)
        block = self._model.blocks[old]
        image = bytes((octet + shift) % 256 for octet in block.image)
        if not self._profile.has_mic:
            self.deliver(v1.FragSessionDeleteReq(frag_index=old.frag_index).encode())
        other = dataclasses.replace(block, image=image)
        setup = self._new_setup(other, old.frag_index, old.block_ack_delay, False, old.descriptor)
        self.deliver(setup.encode())

    @precondition(lambda self: bool(self._open()))
    @rule(data=st.data(), many=st.integers(1, 12))
    def send_fragments(self, data: st.DataObject, many: int) -> None:
        """Send the next fragments of a session, plain ones first, through the channel."""
        setup = self._draw_open(data)
        first = self._sent.get(setup.frag_index, 0) + 1
        end = min(first + many, MAX_NB_FRAG + 1)
        for n in range(first, end):
            self._send(self._fragment(setup, n))
        self._sent[setup.frag_index] = end - 1

    @precondition(lambda self: bool(self._open()))
    @rule(data=st.data(), backwards=st.booleans())
    def send_all(self, data: st.DataObject, backwards: bool) -> None:
        """Ask for the status, and send all plain fragments; nothing of it gets lost."""
        setup = self._draw_open(data)
        self._ask(setup)
        numbers = range(1, setup.nb_frag + 1)
        for n in reversed(numbers) if backwards else numbers:
            self.deliver(self._fragment(setup, n).encode())
        self._pass(self.answer_seconds / 2)

    @precondition(lambda self: bool(self._open()))
    @rule(
        data=st.data(),
        far=st.sampled_from([0, 255, 9_000]),
        spare=st.integers(0, 8),
        twice=st.integers(0, 2),
    )
    def send_most(self, data: st.DataObject, far: int, spare: int, twice: int) -> None:
        """Send the plain fragments but a few, and coded ones for them, perhaps of high numbers.

        Some of them are sent twice.  The status is asked for before and after.
        """
        setup = self._draw_open(data)
        plain = range(1, setup.nb_frag + 1)
        lost = data.draw(st.sets(st.sampled_from(plain), max_size=6), label="lost")
        first = setup.nb_frag + far + 1
        self._ask(setup)
        coded = range(first, min(first + len(lost) + spare, MAX_NB_FRAG + 1))
        for n in itertools.chain(plain[:twice], plain, coded):
            if n not in lost:
                self.deliver(self._fragment(setup, n).encode())
        self._ask(setup)
        self._pass(self.answer_seconds / 2)

    @rule()
    def ask_version(self) -> None:
        """Ask for the version."""
        self._send(PackageVersionReq())

    @rule(index=_indices, participants=st.booleans())
    def ask_status(self, index: int, participants: bool) -> None:
        """Ask how far a session has come."""
        self._send(v1.FragSessionStatusReq(participants=participants, frag_index=index))

    @rule(index=_indices)
    def ask_several_things(self, index: int) -> None:
        """Ask twice for the version and for the status, in one payload."""
        status = v1.FragSessionStatusReq(participants=True, frag_index=index)
        questions = [PackageVersionReq(), status, PackageVersionReq()]
        self.deliver(self._profile.package.join(questions))

    @rule(index=_indices)
    def delete(self, index: int) -> None:
        """Close a session."""
        self._send(v1.FragSessionDeleteReq(frag_index=index))

    @rule(data=st.data(), index=_indices)
    def set_up_absurdly(self, data: st.DataObject, index: int) -> None:
        """Ask for a session that must be refused."""
        kind = v2.FragSessionSetupReq if self._profile.has_mic else v1.FragSessionSetupReq
        wrong: dict[str, Any] = data.draw(
            st.sampled_from(
                [
                    {"nb_frag": 0},
                    {"frag_size": 0},
                    {"padding": 4},
                    {"frag_algo": 5},
                    {"nb_frag": 16384},
                ]
            ),
            label="what is wrong",
        )
        sane: dict[str, Any] = {"nb_frag": 2, "frag_size": 4, "padding": 0, "frag_algo": 0}
        self.deliver(data.draw(records(kind, **{**sane, **wrong, "frag_index": index})).encode())

    @precondition(lambda self: bool(self._used_up))
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """Repeat a set-up whose SessionCnt was used."""
        self.deliver(data.draw(st.sampled_from(self._used_up), label="set-up").encode())

    @rule(data=st.data())
    def send_hostile_octets(self, data: st.DataObject) -> None:
        """Send something near a valid payload."""
        one: Hostile = data.draw(hostile(self._profile.package, DOWNLINK), label="octets")
        parsed = self._profile.package.parse(one.payload, DOWNLINK)
        if not any(isinstance(each, _CHANGES) for each in parsed):
            self.deliver(one.payload)

    @rule(fport=st.sampled_from([1, 199, 223]), payload=st.binary(max_size=16))
    def send_on_another_port(self, fport: int, payload: bytes) -> None:
        """Send something of the application's."""
        self.deliver(payload, fport)

    @rule(index=_indices, n=st.sampled_from([1, 2, 16383]), octets=st.integers(0, 60))
    def send_stray_fragment(self, index: int, n: int, octets: int) -> None:
        """Send a fragment of another length than any session has."""
        setup = self._model.setup(index)
        if setup is not None and setup.frag_size == octets:
            octets += 1
        one = v1.DataFragment(n=n, frag_index=index, payload=bytes(octets))
        self.deliver(one.encode())

    @precondition(lambda self: self._profile.has_mic and bool(self._open()))
    @rule(data=st.data(), n=st.integers(1, 12), flip=st.integers(1, 255), others=st.booleans())
    def forge(self, data: st.DataObject, n: int, flip: int, others: bool) -> None:
        """Send a fragment with other content, as a hostile member of a group could."""
        setup = self._draw_open(data)
        if others:
            n = min(n, setup.nb_frag)
        right = self._fragment(setup, n)
        payload = bytes((right.payload[0] ^ flip,)) + right.payload[1:]
        forged = v1.DataFragment(n=n, frag_index=setup.frag_index, payload=payload)
        self.deliver(forged.encode(), forged=True)
        for other in range(1, setup.nb_frag + 1) if others else ():
            if other != n:
                self.deliver(self._fragment(setup, other).encode())

    @rule()
    def power_cycle(self) -> None:
        """Switch the device off and on."""
        with self._watch:
            self.device.power_cycle()
        self._model.power_cycled()

    @rule(seconds=st.sampled_from([0.5, 5.0, 30.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._pass(seconds)

    def teardown(self) -> None:
        """Wait for everything that is still to come."""
        if hasattr(self, "device") and not self._watch.failed:
            self._pass(self.answer_seconds + 70.0)

    # For rules of your own

    def deliver(self, payload: bytes, fport: int | None = None, *, forged: bool = False) -> None:
        """Give the device a payload at once, and judge its answers; for rules of your own.

        Args:
            payload: What arrives, by unicast.
            fport: The port; that of TS004 if not given.
            forged: The payload is a fragment with another content than the block has.
        """
        fport = self._fport if fport is None else fport
        self._model.deliver(fport, payload, self.now, forged=forged)
        with self._watch:
            self._answered(self.device.receive(fport, payload, self.now))
        for index in range(4):
            setup, used = self._model.setup(index), self._model.used(index)
            counted = isinstance(setup, v2.FragSessionSetupReq) and setup.session_cnt == used
            if counted and setup in self._model.blocks and setup not in self._used_up:
                self._used_up.append(setup)

    # How

    def _new_setup(
        self,
        block: DataBlock,
        index: int,
        delay: int,
        report: bool,
        descriptor: bytes | None = None,
    ) -> SetupReq:
        count = self._count.get(index, -1) + 1
        self._count[index] = count
        self._sent[index] = 0
        version_2 = self._profile.has_mic
        if not version_2:  # no counter tells two sessions apart
            tag = count.to_bytes(4, "little") if descriptor is None else descriptor
            block = dataclasses.replace(block, descriptor=tag)
        server = FragServer(
            self._profile,
            block,
            frag_index=index,
            block_ack_delay=delay,
            ack_reception=report and version_2,
            session_cnt=count if version_2 else 0,
            root_key=self._root_key,
        )
        self._model.blocks[server.setup_req] = block
        self._encoders[server.setup_req] = block.encoder(self._profile.parity)
        return server.setup_req

    def _open(self) -> list[SetupReq]:
        """The sessions of ours the device has, or may have."""
        held = [self._model.setup(index) for index in range(4)]
        return [one for one in held if one is not None and one in self._model.blocks]

    def _draw_open(self, data: st.DataObject) -> SetupReq:
        return data.draw(st.sampled_from(self._open()), label="session")

    def _fragment(self, setup: SetupReq, n: int) -> v1.DataFragment:
        payload = self._encoders[setup].fragment(n)
        return v1.DataFragment(n=n, frag_index=setup.frag_index, payload=payload)

    def _ask(self, setup: SetupReq) -> None:
        one = v1.FragSessionStatusReq(participants=True, frag_index=setup.frag_index)
        self.deliver(one.encode())

    def _send(self, command: Command) -> None:
        for arrival in self._channel.send(command.encode(), now=self.now):
            heapq.heappush(self._air, (arrival.time, next(self._order), arrival.payload))
        self._pass(0.5)

    def _pass(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + 0.5, end)
            while self._air and self._air[0][0] <= self.now:
                _, _, payload = heapq.heappop(self._air)
                if not self._overtaken(payload):
                    self.deliver(payload)
            with self._watch:
                self._answered(self.device.tick(self.now))
                self._model.late(self.now)

    def _overtaken(self, payload: bytes) -> bool:
        """Whether it is a fragment of a session that another has replaced meanwhile."""
        [command] = self._profile.package.parse(payload, DOWNLINK)
        if not isinstance(command, v1.DataFragment):
            return False
        setup = self._model.setup(command.frag_index)
        return setup not in self._model.blocks or command != self._fragment(setup, command.n)

    def _answered(self, uplinks: Any) -> None:
        for fport, payload in uplinks:
            self._model.uplink(fport, payload, self.now)
        for frag_index, data in self.device.take_blocks():
            self._model.block(frag_index, data)
