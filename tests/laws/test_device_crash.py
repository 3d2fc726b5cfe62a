"""R7, S6 for a device: power fails after every single action of its life, and it gets on.

A life is set-up, clock, window, fragments, status, report, reboot.  Before and after each action an
owner carries out, the power is cut; what was stored action by action is all that is left, and the
boot loader installs an image that is there (TS006).  A server that repeats what was not answered
goes on.  ``LORAFUOTA_LONG=1`` adds many lives with several cuts each.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest

from lorafuota import PackageMap
from lorafuota.clocksync.v1 import AppTimeAns, AppTimeReq, DeviceAppTimePeriodicityReq
from lorafuota.datablock import DataBlock
from lorafuota.firmwaremanagement import v1 as firmware
from lorafuota.fragmentation.v1 import DataFragment, FragSessionDeleteAns
from lorafuota.fragmentation.v2 import FragDataBlockReceivedReq
from lorafuota.multicastsetup.v1 import McGroupDeleteAns, McGroupDeleteReq, McGroupSetupAns
from lorafuota.session.actions import (
    Action,
    BlockFailed,
    BlockReceived,
    Dropped,
    DropReason,
    ListenClassB,
    ListenClassC,
    Reboot,
    Send,
    StopListening,
)
from lorafuota.session.clocksync import answer_app_time
from lorafuota.session.device import FuotaDevice
from lorafuota.session.firmware import UpImageStatus
from lorafuota.session.fragmentation import FragServer, FragState
from lorafuota.session.multicast import McGroupServer, McLimits, WindowLimits
from lorafuota.session.profile import frag_profile
from lorafuota.session.saved import SavedState, keep
from lorafuota.session.stacks import device_profile
from lorafuota.types import UPLINK, DevAddr, GenAppKey, McKey
from lorafuota.wire import Command
from tests.support import LONG, Record

START: Final = 1_400_000_000.0
ROOT: Final = GenAppKey(bytes(range(16)))
BLOCK: Final = DataBlock(random.Random(1).randbytes(220), 10, b"desc")  # 11 columns a line: odd
OLD, NEW = 1, 2
OPENS, REBOOTS = 128, 1500
SESSION_CNT = 3
LIMITS: Final = WindowLimits(max_session_seconds=800, max_daily_seconds=900)
"""Stretches of a minute; no life is so bad that they are not enough."""


class PowerCut(Exception):
    """The owner carries out no further action."""


class Owner:
    """A device with what its owner keeps: flash, image slot, radio, and a clock that may restart.

    The referee is in here: what must never happen, whatever is cut, is asserted where it would.
    """

    def __init__(
        self, version: int, *, clock_survives: bool, cuts: set[int], limited: bool = False
    ) -> None:
        self.version, self.clock_survives, self.cuts = version, clock_survives, cuts
        self.limits = McLimits(windows=LIMITS) if limited else None
        packages = ("clocksync", "fragmentation", "multicastsetup")
        self.packages = PackageMap(dict.fromkeys(packages, version))
        self.now, self.booted_at = START, START - 100
        self.flash: SavedState = {}
        self.image: bytes | None = None
        self.fw = OLD
        self.carried_out = 0
        self.carried_all = 0
        self.reboots: list[float] = []
        self.updated_at: float | None = None
        self.asked: AppTimeReq | None = None
        self.uplinks: list[Command] = []
        self.listening: set[int] = set()
        self.frames_taken: Counter[bytes] = Counter()
        self.rng = random.Random(version)
        self.one = self.fresh()

    @property
    def local(self) -> float:
        """What the device counts."""
        return self.now if self.clock_survives else self.now - self.booted_at

    def fresh(self) -> FuotaDevice:
        return FuotaDevice.from_profile(
            device_profile(f"documents v{self.version}"),
            root_key=ROOT,
            rng=self.rng,
            fw_version=self.fw,
            period_seconds=None,
            clock_known=self.clock_survives,
            mc_limits=self.limits,
        )

    def boot(self) -> None:
        """Start after a reset, planned or not, with what was stored."""
        self.booted_at = self.now
        self.listening.clear()
        self.asked = None  # the answer comes in the receive windows of the request, or not at all
        if self.image is not None and self.fw == OLD:
            assert self.image == BLOCK.image  # the owner's signature would not have passed another
            self.fw, self.updated_at = NEW, self.now
        self.one = self.fresh()
        self.carry_out(lambda: self.one.restore(dict(self.flash), now=self.local))

    def carry_out(self, call: Callable[[], list[Action]]) -> None:
        """Do what comes out of a call, or as much as there is power for."""
        try:
            for action in call():
                self.count()
                self.act(action)
            self.carried_all += 1
            self.exported_is_stored()
            self.count()
        except PowerCut:
            self.boot()

    def count(self) -> None:
        number, self.carried_out = self.carried_out, self.carried_out + 1
        if number in self.cuts:
            raise PowerCut

    def act(self, action: Action) -> None:
        before = dict(self.flash)
        keep(self.flash, action)
        self.nothing_went_back(before)
        match action:
            case Send(fport=fport, payload=payload, not_before=when):
                assert self.local <= when < self.local + 16
                for command in self.packages.parse(fport, UPLINK, payload):
                    assert isinstance(command, Command)
                    if isinstance(command, AppTimeReq):
                        self.asked = command
                    else:
                        self.uplinks.append(command)
            case BlockReceived(data=data, verified=verified):
                assert data == BLOCK.image
                assert verified is (self.version == 2)
                self.image = data
                firmware = self.one.firmware
                if firmware is not None and self.fw == OLD:
                    firmware.store_image(UpImageStatus.VALID, version=NEW)
            case BlockFailed():
                raise AssertionError(action)
            case ListenClassB(mc_group_id=index) | ListenClassC(mc_group_id=index):
                self.listening.add(index)
            case StopListening(mc_group_id=index):
                self.listening.discard(index)
            case Reboot():
                assert self.fw == OLD  # a reset that installed the image was the reboot
                self.reboots.append(self.now)
                raise PowerCut
            case _:
                pass

    def exported_is_stored(self) -> None:
        """All entries but the fragments; the flash may keep the counter of a group that is gone."""
        exported = self.one.export()
        for name in ("format", "fcnt/0"):  # a stretch ahead in the flash
            exported.pop(name, None)
        assert exported == {k: v for k, v in self.flash.items() if k != "fcnt/0"}

    def nothing_went_back(self, before: SavedState) -> None:
        """S6, S9: no counter in the flash goes back, or disappears."""
        for name, value in before.items():
            if name.startswith("session_cnt/"):
                assert int(str(self.flash[name])) >= int(str(value))
            if name.startswith("fcnt/"):
                old, new = str(value).split(), str(self.flash[name]).split()
                assert old[0] == new[0]
                assert int(new[1]) >= int(old[1])

    # What the world does

    def hear(self, phy: bytes) -> None:
        """Take a frame off the air, if a window is open."""
        if not self.listening:
            return
        opened = False

        def receive() -> list[Action]:
            nonlocal opened
            actions = self.one.receive_frame(phy, now=self.local)
            opened = not any(
                isinstance(one, Dropped) and one.reason is DropReason.FRAME for one in actions
            )
            return actions

        before = self.carried_all
        self.carry_out(receive)
        self.frames_taken[phy] += opened and self.carried_all > before

    def tell(self, fport: int, command: Command) -> list[Command]:
        """Send a unicast downlink; return the uplinks that came of it."""
        self.uplinks.clear()
        self.carry_out(lambda: self.one.receive(fport, command.encode(), now=self.local))
        return self.take_uplinks()

    def take_uplinks(self) -> list[Command]:
        found, self.uplinks = self.uplinks, []
        return found

    def wait(self, until: float) -> list[Command]:
        """Let time pass, and answer who asks for it; return the other uplinks."""
        for _ in range(1000):
            deadline = self.one.next_deadline
            world = until if deadline is None else deadline + (self.now - self.local) + 0.001
            self.now = min(until, max(self.now, world))
            self.carry_out(lambda: self.one.tick(now=self.local))
            if self.asked is not None:
                asked, self.asked = self.asked, None
                self.answer_time(asked)
            elif self.now >= until:
                return self.take_uplinks()
        raise AssertionError("a device that is never done")

    def answer_time(self, req: AppTimeReq) -> None:
        found = answer_app_time(
            arrival_gps=self.now,
            device_time=req.device_time,
            token_req=req.token_req,
            ans_required=req.ans_required,
        )
        if found is not None:
            answer = AppTimeAns(time_correction=found.time_correction, token_ans=found.token_ans)
            self.carry_out(lambda: self.one.receive(202, answer.encode(), now=self.local))


class Life:
    """A server that takes one device through a whole update, and repeats what is not answered."""

    def __init__(self, owner: Owner, *, class_b: bool = False, countdown: bool = False) -> None:
        self.owner, self.class_b, self.countdown = owner, class_b, countdown
        v2 = owner.version == 2
        self.group = McGroupServer(
            mc_addr=DevAddr(7), mc_key=McKey(bytes(range(16, 32))), max_mc_fcnt=10_000
        )
        self.frag = FragServer(
            frag_profile(owner.version),
            BLOCK,
            mc_group_bit_mask=0b001,
            session_cnt=SESSION_CNT if v2 else 0,
            root_key=ROOT,
            ack_reception=v2,
        )
        self.encoder = BLOCK.encoder(frag_profile(owner.version).parity)
        self.air: list[bytes] = []
        self.reports = 0
        self.promised = 0.0

    def repeat(self, fport: int, command: Command, good: Callable[[Command], bool]) -> None:
        for _ in range(12):
            answers = self.owner.tell(fport, command)
            self.note(answers)
            if any(good(answer) for answer in answers):
                return
            self.note(self.owner.wait(self.owner.now + 2))
        raise AssertionError(f"no good answer to {command}")

    def note(self, uplinks: list[Command]) -> None:
        """Acknowledge reports."""
        for one in uplinks:
            if isinstance(one, FragDataBlockReceivedReq):
                assert not one.mic_error
                self.reports += 1
                self.owner.tell(201, self.frag.received_ans())

    def set_up(self) -> None:
        owner, group = self.owner, self.group
        self.note(owner.wait(START + 1))
        self.repeat(202, DeviceAppTimePeriodicityReq(period=4), lambda _: True)
        setup = group.setup_req(ROOT, mc_group_id=0)
        self.repeat(200, setup, lambda one: one == McGroupSetupAns(mc_group_id=0, id_error=False))
        self.repeat(201, self.frag.setup_req, lambda one: not getattr(one, "errors", True))
        common: dict[str, Any] = {
            "mc_group_id": 0,
            "start": START + OPENS,
            "dl_freq_hz": 869_525_000,
            "dr": 0,
        }
        window: Command = group.class_c_session_req(seconds=900, **common)
        if self.class_b:
            window = group.class_b_session_req(seconds=900, periodicity=3, **common)
        self.repeat(200, window, lambda one: not getattr(one, "errors", True))
        self.promised = START + REBOOTS
        at: Command = firmware.DevRebootTimeReq(reboot_time=int(self.promised))
        if self.countdown:
            at = firmware.DevRebootCountdownReq(countdown=REBOOTS)
        self.repeat(203, at, lambda one: one.encode()[1:] != bytes(len(one.encode()) - 1))
        if self.countdown:
            self.promised = owner.now + REBOOTS

    def transport(self) -> None:
        owner = self.owner
        ask = self.frag.status_req(participants=True)
        at, n = START + OPENS + 10.0, 0
        while owner.one.fragmentation.state(0) is not FragState.DONE:
            n, at = n + 1, at + 1
            assert n < 200
            self.note(owner.wait(at))
            fragment = DataFragment(n=n, frag_index=0, payload=self.encoder.fragment(n))
            self.air.append(self.group.sender.seal(fragment.encode(), fport=201))
            if n % 4 != 2:
                owner.hear(self.air[-1])
            if n == 11:  # answered after a delay
                self.air.append(self.group.sender.seal(ask.encode(), fport=201))
                owner.hear(self.air[-1])
                self.repeat(201, ask, lambda one: type(one).__name__ == "FragSessionStatusAns")
        self.repeat(201, ask, lambda one: getattr(one, "missing_frag", 1) == 0)
        self.note(owner.wait(at + 100))

    def finish(self) -> None:
        owner = self.owner
        self.note(owner.wait(self.promised + 5))
        running = firmware.DevVersionAns(fw_version=NEW, hw_version=0)
        self.repeat(203, firmware.DevVersionReq(), lambda one: one == running)
        delete = self.frag.delete_req()
        self.repeat(201, delete, lambda one: isinstance(one, FragSessionDeleteAns))
        gone = McGroupDeleteReq(mc_group_id=0)
        self.repeat(200, gone, lambda one: isinstance(one, McGroupDeleteAns))

    def run(self) -> None:
        self.set_up()
        self.transport()
        owner = self.owner
        for phy in self.air:  # a replay of everything
            owner.listening.add(0)
            owner.hear(phy)
        owner.listening.clear()
        self.finish()
        self.check()

    def check(self) -> None:
        """The end that every life has, whatever was cut."""
        owner = self.owner
        owner.cuts = set()
        assert owner.fw == NEW
        assert owner.updated_at is not None
        assert owner.updated_at <= self.promised + 1
        assert len(owner.reboots) <= 1
        assert all(abs(at - self.promised) <= 1 for at in owner.reboots)
        assert max(owner.frames_taken.values()) == 1
        if owner.version == 2:
            assert 1 <= self.reports <= 3
            assert owner.flash["session_cnt/0"] == SESSION_CNT
            refused = owner.tell(201, self.frag.setup_req)
            assert [getattr(one, "errors", 0) & 16 for one in refused] == [16]  # a replay
        left = {"period", "former/0"} | ({"session_cnt/0"} if owner.version == 2 else set())
        left |= {"listened"} if owner.limits else set()
        junk = {"fcnt/0"}  # of a group that is gone; the next set-up goes by former/0
        assert set(owner.flash) - junk == left
        assert owner.one.export().keys() - {"format"} == left
        assert owner.one.multicast.listening == ()


LIVES = {
    "version 1": (1, True, False, False, False),
    "version 2": (2, True, False, False, False),
    "version 2, class B, countdown": (2, True, True, True, False),
    "version 2, a clock that restarts": (2, False, False, False, False),
    "version 2, a clock that restarts, countdown": (2, False, True, True, False),
    "version 1, limited": (1, True, False, False, True),
    "version 2, class B, limited": (2, True, True, False, True),
    "version 2, a clock that restarts, limited": (2, False, False, False, True),
}
each_life = pytest.mark.parametrize("name", LIVES)


def live(name: str, cuts: set[int]) -> Owner:
    version, survives, class_b, countdown, limited = LIVES[name]
    owner = Owner(version, clock_survives=survives, cuts=cuts, limited=limited)
    Life(owner, class_b=class_b, countdown=countdown).run()
    return owner


@each_life
def test_a_life_that_is_cut_at_any_action_ends_like_one_that_was_not(
    name: str, record_property: Record
) -> None:
    whole = live(name, set())
    assert len(whole.reboots) == 1
    for number in range(whole.carried_out):
        live(name, {number})
    record_property("cut points", whole.carried_out)
    assert whole.carried_out > 60


@each_life
@pytest.mark.parametrize("seed", range(100 if LONG else 4))
def test_a_life_that_is_cut_again_and_again_ends_all_the_same(
    name: str, seed: int, record_property: Record
) -> None:
    rng = random.Random(f"{name} {seed}")
    live(name, set(rng.sample(range(150), rng.randint(2, 5))))
    record_property("lives cut again and again", 1)
