"""Servers that want a device to listen for ever, and resets that help them (promise S12).

What a device receives is counted here from the actions its owner carries out, in true time, and
not taken from the device.
"""

from __future__ import annotations

import bisect
import dataclasses
import random
from collections import defaultdict
from collections.abc import Callable, Sequence

from lorafuota.firmwaremanagement.v1 import DevRebootTimeReq
from lorafuota.link import ping_nb
from lorafuota.multicastsetup import v1
from lorafuota.session.actions import Action, ListenClassB, ListenClassC, Reboot, StopListening
from lorafuota.session.device import FuotaDevice
from lorafuota.session.multicast import McGroupServer, McLimits, WindowLimits
from lorafuota.session.saved import SavedState, keep
from lorafuota.session.stacks import device_profile
from lorafuota.session.windows import SessionReq
from lorafuota.types import DevAddr, GenAppKey, McKey
from lorafuota.wire import Command

START = 1_400_000_000.0
ROOT = GenAppKey(bytes(range(16)))
DAY = 86_400.0
ROUNDING = 0.01
BOOT_SECONDS = 4.0
FREQUENCIES = (869_525_000, 868_100_000)


class PowerCut(Exception):
    """The owner carries out no further action."""


class Receiver:
    """When a receiver was on, for how much of the time, and for which sessions."""

    def __init__(self) -> None:
        self.open: dict[int, tuple[object, float]] = {}
        self.since = 0.0
        self.pieces: list[tuple[float, float, float]] = []
        self.sessions: defaultdict[object, float] = defaultdict(float)

    def count(self, now: float) -> None:
        share = min(sum(share for _, share in self.open.values()), 1.0)
        if share and now > self.since:
            self.pieces.append((self.since, now, share))
            for session, own in self.open.values():
                self.sessions[session] += own * (now - self.since)
        self.since = now

    @property
    def total(self) -> float:
        return sum((end - begin) * share for begin, end, share in self.pieces)

    def worst_day(self) -> float:
        """The most that was received in any 24 hours: they begin or end with a piece."""
        begins = [begin for begin, _, _ in self.pieces]
        sums = [0.0]
        for begin, end, share in self.pieces:
            sums.append(sums[-1] + (end - begin) * share)

        def until(time: float) -> float:
            at = bisect.bisect_right(begins, time)
            if not at:
                return 0.0
            begin, end, share = self.pieces[at - 1]
            return sums[at - 1] + (min(time, end) - begin) * share

        edges = [edge for begin, end, _ in self.pieces for edge in (begin, end - DAY)]
        return max((until(edge + DAY) - until(edge) for edge in edges), default=0.0)


class Owner:
    """A device, what its owner keeps in flash, and its receiver, in true time."""

    def __init__(
        self, limits: WindowLimits, *, version: int = 1, clock_survives: bool = True, seed: int = 0
    ) -> None:
        self.limits, self.version, self.clock_survives = limits, version, clock_survives
        self.rng = random.Random(seed)
        self.now = START
        self.booted_at = START
        self.flash: SavedState = {}
        self.receiver = Receiver()
        self.resets = self.writes = 0
        self.cut_after: int | None = None
        self.groups = [
            McGroupServer(
                mc_addr=DevAddr(7 + at), mc_key=McKey(bytes(range(at, at + 16))), max_mc_fcnt=999
            )
            for at in range(2)
        ]
        self.one = self.fresh()

    @property
    def local(self) -> float:
        """What the device counts."""
        return self.now if self.clock_survives else self.now - self.booted_at + 1.0

    def fresh(self) -> FuotaDevice:
        return FuotaDevice.from_profile(
            device_profile(f"documents v{self.version}"),
            root_key=ROOT,
            rng=self.rng,
            period_seconds=None,
            clock_known=self.clock_survives,
            mc_limits=McLimits(windows=self.limits),
        )

    def reset(self) -> None:
        """Lose power, and come back with what was stored."""
        self.receiver.count(self.now)
        self.receiver.open.clear()
        self.resets += 1
        self.cut_after = None
        self.now += BOOT_SECONDS
        self.receiver.count(self.now)
        self.booted_at = self.now
        self.one = self.fresh()
        self.do(lambda: self.one.restore(dict(self.flash), now=self.local))
        self.tell_time(0.0)

    def tell_time(self, error: float) -> None:
        self.do(lambda: self.one.set_time(self.now + error, now=self.local))

    def tell(self, fport: int, command: Command) -> None:
        self.do(lambda: self.one.receive(fport, command.encode(), now=self.local))

    def set_up(self, index: int) -> None:
        self.tell(200, self.groups[index].setup_req(ROOT, mc_group_id=index))

    def do(self, call: Callable[[], Sequence[Action]]) -> None:
        """Carry out what comes out of a call, or as much as there is power for."""
        self.receiver.count(self.now)
        try:
            for action in call():
                if self.cut_after is not None:
                    self.cut_after -= 1
                    if self.cut_after < 0:
                        raise PowerCut
                self.act(action)
        except PowerCut:
            self.reset()

    def act(self, action: Action) -> None:
        self.writes += keep(self.flash, action)
        match action:
            case ListenClassB(mc_group_id=index) | ListenClassC(mc_group_id=index):
                share = 1.0
                if isinstance(action, ListenClassB):
                    share = ping_nb(action.periodicity) * 0.03 / 128
                gps = self.one.gps(0.0)
                assert gps is not None
                times = (round(action.start + gps), round(action.end + gps))
                radio = (type(action), action.dl_freq_hz, action.dr)
                self.receiver.open[index] = (index, *times, *radio), share
            case StopListening(mc_group_id=index):
                del self.receiver.open[index]
            case Reboot():
                raise PowerCut
            case _:
                pass

    def wait(self, until: float) -> None:
        for _ in range(2000):
            due = self.one.next_deadline
            if due is not None:
                due += self.now - self.local
            if due is None or due > until:
                self.now = max(self.now, until)
                self.do(list)
                return
            self.now = max(self.now, due + 1e-6)
            self.do(lambda: self.one.tick(now=self.local))
        raise AssertionError("a device that is never done")

    def check(self) -> None:
        """The bounds, whatever happened."""
        self.receiver.count(self.now)
        worst = self.receiver.worst_day()
        assert worst <= self.limits.max_daily_seconds + ROUNDING, f"{worst} s in a day"
        longest = max(self.receiver.sessions.values(), default=0.0)
        assert longest <= self.limits.max_session_seconds + ROUNDING, f"{longest} s in a session"


def window(
    start: float, *, group: int = 0, time_out: int = 15, class_b: bool = False, freq: int = 0
) -> SessionReq:
    """A request for a class C session of up to 9 hours, or a class B session of up to 48 days."""
    if class_b:
        return v1.McClassBSessionReq(
            mc_group_id=group,
            session_time=int(start) % 2**32,
            periodicity=0,
            time_out=time_out,
            dl_freq_hz=FREQUENCIES[freq],
            dr=0,
        )
    return v1.McClassCSessionReq(
        mc_group_id=group,
        session_time=int(start) % 2**32,
        time_out=time_out,
        dl_freq_hz=FREQUENCIES[freq],
        dr=0,
    )


# Servers with a plan


def reboots_when_nearly_used(limits: WindowLimits, *, clock_survives: bool, days: int) -> Owner:
    """Have it listen, and commanded to reboot a moment before its receive time is used up."""
    owner = Owner(limits, clock_survives=clock_survives)
    owner.set_up(0)
    while owner.now < START + days * DAY:
        owner.tell(200, window(owner.now + 10))
        owner.wait(owner.now + 11)
        allowed = min(limits.max_session_seconds, limits.max_daily_seconds)
        if owner.one.multicast.listening:
            owner.wait(owner.now + owner.rng.choice((allowed - 20, 20, 1)))
        else:
            owner.wait(owner.now + 4000)
        owner.tell(203, DevRebootTimeReq(reboot_time=0))
    owner.check()
    return owner


def announces_again_after_each_reset(
    limits: WindowLimits, *, clock_survives: bool, days: int
) -> Owner:
    """Announce one session for hours, again after each reset, and the next when it is over."""
    owner = Owner(limits, clock_survives=clock_survives)
    owner.set_up(0)
    while owner.now < START + days * DAY:
        req, ends = window(owner.now + 10), owner.now + 10 + 32_768
        while owner.now < ends:
            owner.tell(200, req)
            owner.wait(owner.now + owner.rng.choice((15, 50, 400, 3000, 9000)))
            owner.reset()
    owner.check()
    return owner


# Servers without one


@dataclasses.dataclass
class Listened:
    """Figures of many schedules."""

    schedules: int = 0
    resets: int = 0
    days: float = 0.0
    hours: float = 0.0
    fullest: float = 0.0
    writes: int = 0

    def __str__(self) -> str:
        return (
            f"{self.schedules:,} hostile servers, {self.days:,.0f} days, {self.resets:,} resets, "
            f"{self.hours:,.0f} hours of receiving, {self.writes:,} writes; "
            f"the fullest 24 hours had {self.fullest:.1%} of what they may"
        )


def schedule(seed: int, steps: int = 60) -> Owner:
    """Put a device through what one hostile server, power cuts and clock think of."""
    rng = random.Random(f"receive {seed}")
    inf = float("inf")
    limits = WindowLimits(
        max_daily_seconds=rng.choice((0.5, 60, 600, 600, 3600, 20_000, 86_400, inf)),
        max_session_seconds=rng.choice((30, 300, 2000.5, inf, inf)),
        class_c_margin_seconds=rng.choice((0, 0, 5)),
    )
    owner = Owner(limits, version=rng.choice((1, 2)), clock_survives=rng.random() < 0.5, seed=seed)
    owner.set_up(0)
    owner.set_up(1)
    last: dict[int, SessionReq] = {}
    announced: set[tuple[int, int]] = set()
    for _ in range(steps):
        index = rng.randrange(2)
        if rng.random() < 0.15:
            owner.cut_after = rng.randrange(6)
        match rng.randrange(12):
            case 0 | 1 | 2 | 3:
                begin = int(owner.now) + rng.choice((5, 5, 60, 1000, -100))
                while (index, -(-begin // 128)) in announced:  # no session comes back as another
                    begin += 128
                announced.add((index, -(-begin // 128)))
                last[index] = window(
                    begin,
                    group=index,
                    time_out=rng.choice((4, 8, 12, 15)),
                    class_b=rng.random() < 0.25,
                    freq=rng.random() < 0.2,
                )
                owner.tell(200, last[index])
            case 4 | 5 if index in last:
                owner.tell(200, last[index])
            case 6:
                owner.tell(203, DevRebootTimeReq(reboot_time=0))
            case 7:
                owner.reset()
            case 8:
                owner.tell(200, v1.McGroupDeleteReq(mc_group_id=index))
                owner.set_up(index)
                last.pop(index, None)
            case 9:
                owner.tell_time(rng.choice((0.0, 0.0, -50.0, 300.0, -4000.0)))
            case _:
                pass
        pause = rng.choice((1, 20, 100, 500, 3000, 20_000, 80_000)) * rng.random()
        owner.wait(owner.now + pause)
        kept = owner.one.multicast.export()
        for index in [one for one in last if f"window/{one}" not in kept]:
            del last[index]  # over; asked for again, by a clock set back, it is another session
    owner.wait(owner.now + 100)
    owner.check()
    return owner


def schedules(count: int, seed: int = 0) -> Listened:
    """Run so many; return the figures."""
    found = Listened()
    for number in range(seed, seed + count):
        owner = schedule(number)
        found.schedules += 1
        found.resets += owner.resets
        found.days += (owner.now - START) / DAY
        found.hours += owner.receiver.total / 3600
        found.writes += owner.writes
        share = owner.receiver.worst_day() / owner.limits.max_daily_seconds
        found.fullest = max(found.fullest, share)
    return found
