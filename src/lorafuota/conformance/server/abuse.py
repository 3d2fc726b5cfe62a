"""Uplinks that are late, doubled, joined, damaged, foreign or hostile: no harm, no standstill."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence

from ...package import Package
from ...types import UPLINK, DevEUI
from ...wire import Command
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..fleetdevice import Air, FleetDevice
from ..observer import Sent
from ..serverpeer import ServerPeer
from ._common import BOTH, bad_and_good, expect_spoken_to, finish_without

__all__ = ["CHECKS"]

CHECKS: Catalogue[ServerPeer] = Catalogue()
check = CHECKS.check

_DAY = 86_400.0
_MOST = 150
"""Downlinks to one hostile device, answers it may always have included."""


def _all(peer: ServerPeer, how: Callable[[FleetDevice, Air], Iterable[Air]]) -> None:
    """Play a fleet all of whose uplinks become what *how* says; all are updated."""
    peer.draw_image()
    fleet = peer.devices(3)
    for device in fleet:
        device.sends = lambda air, device=device: how(device, air)  # type: ignore[misc]
    peer.begin()
    peer.finish()
    peer.expect_updated(fleet)


def _commands(device: FleetDevice, air: Air) -> list[bytes]:
    """Return the commands of an uplink, each by itself."""
    package = device.packages.at(air[1])
    if package is None:
        return [air[2]]
    parsed = package.parse(air[2], UPLINK)
    return [one.encode() for one in parsed if isinstance(one, Command)] or [air[2]]


def _tells_time(device: FleetDevice, air: Air) -> bool:
    """Say whether an uplink reads the device's clock: late, it would tell a wrong time."""
    clock, groups = (device.packages.fport(name) for name in ("clocksync", "multicastsetup"))
    return air[1] == clock or (air[1] == groups and air[2][:1] in (b"\x04", b"\x05"))


def _delayed(device: FleetDevice, air: Air, seconds: float) -> Iterable[Air]:
    wait = 0.0 if _tells_time(device, air) else seconds
    return [(air[0] + wait, air[1], air[2])]


@check("fragmentation", BOTH, "twice", clause="robustness: repetition")
def twice(peer: ServerPeer) -> None:
    """Every uplink arrives three times: the update is the same, and no longer."""

    def how(device: FleetDevice, air: Air) -> Iterable[Air]:
        return [(air[0] + wait, air[1], air[2]) for wait in (0.0, 0.0, 2.0)]

    _all(peer, how)
    setups = len([one for one in peer.observer.sent if one.payload[:1] == b"\x02"])
    if setups > 3 * 6:
        raise Failed(f"{setups} set-ups of sessions and groups for three devices")


@check("fragmentation", BOTH, "late", clause="robustness: delay")
def late(peer: ServerPeer) -> None:
    """Every answer takes a minute and a half: the update takes longer, no more."""
    _all(peer, lambda device, air: _delayed(device, air, 90.0))


@check("fragmentation", BOTH, "disordered", clause="robustness: reordering")
def disordered(peer: ServerPeer) -> None:
    """Answers overtake each other."""
    rng = random.Random(peer.package.version)
    _all(peer, lambda device, air: _delayed(device, air, rng.uniform(0.0, 50.0)))


@check("fragmentation", BOTH, "lossy", clause="robustness: loss")
def lossy(peer: ServerPeer) -> None:
    """A third of all uplinks, and of all unicast downlinks, is lost: the update ends, honestly.

    Requests are repeated, and what is said of a device in the end is true.
    """
    rng = random.Random(peer.package.version)
    peer.draw_image()
    fleet = peer.devices(3)
    for device in fleet:
        device.sends = lambda air: [air] if rng.random() > 0.33 else []
        device.drops = lambda fport, payload: rng.random() < 0.33
    peer.begin()
    peer.finish()
    expect_spoken_to(peer, fleet)
    if next(peer.observer.fragments, None) is None:
        raise NotApplicable("no device got so far as to be sent a fragment")


@check(
    "fragmentation",
    BOTH,
    "joined",
    clause="TS004, 1.1: one or more commands in a payload",
)
def joined(peer: ServerPeer) -> None:
    """Answers of one second to one port arrive in one uplink, as the documents allow.

    Known servers read the first command and lose the rest.
    """
    peer.draw_image()
    fleet = peer.devices(3)
    for device in fleet:
        waiting: dict[int, bytes] = {}

        def sends(
            air: Air, device: FleetDevice = device, waiting: dict[int, bytes] = waiting
        ) -> list[Air]:
            if air[1] not in waiting:
                port = air[1]
                waiting[port] = b""
                peer.later(
                    1.5,
                    lambda: peer.uplink_raw(device.entry.dev_eui, port, waiting.pop(port)),
                )
            waiting[air[1]] += air[2]
            return []

        device.sends = sends
    peer.begin()
    peer.finish()
    peer.expect_updated(fleet)


@check("fragmentation", BOTH, "behind-others", clause="TS004, 1.1: first to last")
def behind_others(peer: ServerPeer) -> None:
    """Every answer stands behind another one in its uplink: a version nobody asked for."""

    def how(device: FleetDevice, air: Air) -> Iterable[Air]:
        package = device.packages.at(air[1])
        if package is None:
            return [air]
        return [(air[0], air[1], package.version_ans().encode() + air[2])]

    _all(peer, how)


@check(
    "fragmentation",
    BOTH,
    "split",
    clause="robustness: one answer an uplink",
    severity=Severity.RECOMMENDED,
)
def split(peer: ServerPeer) -> None:
    """Every answer has an uplink of its own, as devices do it for servers that read only one."""

    def how(device: FleetDevice, air: Air) -> Iterable[Air]:
        return [(air[0] + place, air[1], one) for place, one in enumerate(_commands(device, air))]

    _all(peer, how)


@check("fragmentation", BOTH, "unknown-behind", clause="TS004, 1.1: stop at an unknown CID")
def unknown_behind(peer: ServerPeer) -> None:
    """What stands behind an answer, and cannot be read, does not spoil the answer.

    Newer stacks may add commands; older ones leave garbage behind the last.
    """
    _all(peer, lambda device, air: [(air[0], air[1], air[2] + b"\x77\x01\x02")])


@check("fragmentation", BOTH, "noise-between", clause="robustness: any octets")
def noise_between(peer: ServerPeer) -> None:
    """Between the answers there is noise on every port: it is ignored."""
    rng = random.Random(peer.package.version)

    def how(device: FleetDevice, air: Air) -> Iterable[Air]:
        noise = rng.randbytes(rng.randrange(1, 40))
        # the first octet is a CID that no package has
        octets = bytes((0x40 | noise[0] & 0x3F,)) + noise[1:]
        return [(air[0], rng.choice((1, 2, 199, 200, 201, 202, 203, 224)), octets), air]

    _all(peer, how)


@check("fragmentation", BOTH, "empty", clause="robustness: any octets")
def empty(peer: ServerPeer) -> None:
    """Uplinks without a payload, on every port, are ignored."""

    def how(device: FleetDevice, air: Air) -> Iterable[Air]:
        return [*((air[0], port, b"") for port in (1, 200, 201, 202, 203, 225)), air]

    _all(peer, how)


@check("fragmentation", BOTH, "oversize", clause="hostile devices do not harm the others")
def oversize(peer: ServerPeer) -> None:
    """Uplinks longer than any radio carries, of zeros and of ones, are survived."""

    def how(device: FleetDevice, air: Air) -> Iterable[Air]:
        longs = [bytes((octet,)) * 2_000 for octet in (0x77, 0xFF)]
        return [*((air[0], port, one) for port in (200, 201, 225) for one in longs), air]

    _all(peer, how)


@check("fragmentation", BOTH, "own-commands", clause="TS004, 1.2: direction")
def own_commands(peer: ServerPeer) -> None:
    """A device that sends back what it was told is not taken for one that answered."""
    bad, good = bad_and_good(peer)

    def hears(sent: Sent) -> None:
        if sent.dev_eui == bad.entry.dev_eui:
            peer.later(1.0, lambda: peer.uplink_raw(sent.dev_eui, sent.fport, sent.payload))

    peer.hears = hears
    bad.mute = True
    bad.loses = lambda n: True
    peer.begin()
    finish_without(peer, bad, good)


@check("fragmentation", BOTH, "truncated", clause="robustness: a prefix is no message")
def truncated(peer: ServerPeer) -> None:
    """A device all of whose uplinks lack their last octet is given up, and nothing is claimed."""
    bad, good = bad_and_good(peer)
    bad.sends = lambda air: [(air[0], air[1], air[2][:-1])]
    peer.begin()
    finish_without(peer, bad, good)


@check("fragmentation", BOTH, "stranger", clause="hostile devices do not harm the others")
def stranger(peer: ServerPeer) -> None:
    """Uplinks of a device that is not in the update are ignored, and not answered."""
    peer.draw_image()
    fleet = peer.devices(2)
    who = DevEUI(peer.rng.getrandbits(64))

    def hears(sent: Sent) -> None:
        for fport, payload in ((200, b"\x02\x00"), (201, b"\x02\x00"), (201, b"\x04\x00")):
            peer.later(0.5, lambda f=fport, p=payload: peer.uplink_raw(who, f, p))  # type: ignore[misc]

    peer.hears = hears
    peer.begin()
    peer.finish()
    peer.expect_updated(fleet)
    if peer.observer.strays:
        raise Failed("a downlink went to a device that is not in the update")


def _in_time(peer: ServerPeer, good: Sequence[FleetDevice]) -> None:
    """Fail unless these devices have the block before long."""
    if not peer.happens(lambda: all(one.has_block for one in good), within=_DAY):
        raise Failed("a day later the others do not have the block")


def _lie(rng: random.Random, packages: Sequence[Package]) -> tuple[int, bytes]:
    """Return an uplink of a device that means no good: any answer with any content, or noise."""
    package = rng.choice(packages)
    kinds = [one for one in package.commands if one.DIRECTION is UPLINK]
    cid, octets = rng.choice(kinds).CID, rng.randbytes(rng.choice((1, 2, 4, 5, 8, 20)))
    if rng.random() < 0.2:
        octets = bytes(len(octets))
    return package.fport, bytes((cid,)) + octets


@check("fragmentation", BOTH, "flood", clause="hostile devices do not harm the others")
def flood(peer: ServerPeer) -> None:
    """A device that answers everything with twenty lies does not disturb the others.

    Neither do they end as anything else, nor much later, nor does it get downlinks without end.
    """
    bad, good = bad_and_good(peer)
    bad.honest = False
    rng = random.Random(f"flood/{peer.package.version}")
    packages = [one for one in bad.packages.packages.values() if one.identifier]
    sent = [0]

    def sends(air: Air) -> Iterable[Air]:
        lies = [] if sent[0] > 3_000 else [_lie(rng, packages) for _ in range(20)]
        sent[0] += len(lies)
        return [air, *((air[0] + 0.1 * place, *one) for place, one in enumerate(lies))]

    bad.sends = sends
    peer.begin()
    _in_time(peer, good)
    peer.finish()
    peer.expect_updated(good)
    acks = (b"\x04", b"\x01")
    asked = [
        one
        for one in peer.observer.sent
        if one.dev_eui == bad.entry.dev_eui
        and not (one.fport == 201 and one.payload[:1] == acks[0])
        and not (one.fport == 202 and one.payload[:1] == acks[1])
    ]
    if len(asked) > _MOST:
        raise Failed(f"{len(asked)} downlinks went to a device that lies")


@check("fragmentation", BOTH, "flood-only", clause="hostile devices do not harm the others")
def flood_only(peer: ServerPeer) -> None:
    """A device that lies all the time and never tells the truth does not disturb the others."""
    bad, good = bad_and_good(peer)
    bad.honest = False
    rng = random.Random(f"only/{peer.package.version}")
    packages = [one for one in bad.packages.packages.values() if one.identifier]
    bad.sends = lambda air: ()

    def lie(left: int) -> None:
        peer.uplink_raw(bad.entry.dev_eui, *_lie(rng, packages))
        if left and peer.ended is None:
            peer.later(7.0, lambda: lie(left - 1))

    peer.begin()
    lie(1_500)
    _in_time(peer, good)
    peer.finish()
    peer.expect_updated(good)
