"""TS004: fragments that are lost, in every pattern, and what is sent to make them good."""

from __future__ import annotations

import random
from collections.abc import Callable

from ..check import Catalogue, Failed, Severity
from ..fleetdevice import FleetDevice
from ..serverpeer import ServerPeer
from ._common import BOTH, expect_unclaimed

__all__ = ["CHECKS"]

CHECKS: Catalogue[ServerPeer] = Catalogue()
check = CHECKS.check

_EVEN, _ODD = 195, 215
"""Octets of images of 20 and 22 fragments: of 20, coded ones alone never suffice in version 2."""

Loses = Callable[[int], bool]


def _lossy(
    peer: ServerPeer, *loses: Callable[[FleetDevice], Loses], octets: int = _EVEN
) -> list[FleetDevice]:
    """Play a device for each way of losing; each has the block in the end."""
    peer.draw_image(octets)
    fleet = peer.devices(len(loses))
    for device, how in zip(fleet, loses, strict=True):
        device.loses = how(device)
    peer.begin()
    peer.finish()
    peer.expect_updated(fleet)
    return fleet


def _first(device: FleetDevice, lost: Callable[[int], bool]) -> Loses:
    """Lose by the place of a fragment in what was sent to the device, from 0."""
    place = [-1]

    def loses(n: int) -> bool:
        place[0] += 1
        return lost(place[0])

    return loses


@check(
    "fragmentation",
    BOTH,
    "loss-random",
    clause="TS004, 8.2, step 5: more parity for those who miss",
    severity=Severity.RECOMMENDED,
    needs=["repair"],
)
def loss_random(peer: ServerPeer) -> None:
    """Devices that lose a tenth, a third and a half of all frames have the block in the end."""

    def share(loss: float) -> Callable[[FleetDevice], Loses]:
        def how(device: FleetDevice) -> Loses:
            rng = random.Random(f"{device.entry.dev_eui}")
            return lambda n: rng.random() < loss

        return how

    _lossy(peer, share(0.1), share(0.33), share(0.5))


@check(
    "fragmentation",
    BOTH,
    "loss-burst",
    clause="TS004, 8.2, step 5",
    severity=Severity.RECOMMENDED,
    needs=["repair"],
)
def loss_burst(peer: ServerPeer) -> None:
    """Devices that lose a run at the beginning, in the middle or at the end are made good."""
    _lossy(
        peer,
        lambda one: lambda n: n <= 8,
        lambda one: lambda n: 7 <= n <= 16,
        lambda one: lambda n: 15 <= n <= 24,
    )


@check(
    "fragmentation",
    BOTH,
    "loss-first-window",
    clause="TR002, 4: a new session window",
    severity=Severity.RECOMMENDED,
    needs=["repair"],
)
def loss_first_window(peer: ServerPeer) -> None:
    """A device that hears nothing at all of the first pass is made good.

    In version 2 coded fragments alone never complete a block whose NbFrag / 2 is even: one plain
    fragment has to be among what follows.
    """
    _lossy(peer, lambda one: _first(one, lambda place: place < 24), lambda one: lambda n: False)


@check(
    "fragmentation",
    BOTH,
    "loss-plain",
    clause="TS004, 7.2: parity alone has rank M - 1 where floor(M/2) is even",
    severity=Severity.RECOMMENDED,
    needs=["repair"],
)
def loss_plain(peer: ServerPeer) -> None:
    """A device that hears coded fragments only, at first, is made good."""
    _lossy(peer, lambda one: _first(one, lambda place: place < 20), lambda one: lambda n: False)


@check(
    "fragmentation",
    BOTH,
    "loss-plain-odd",
    clause="TS004, 7: coded fragments complete a block",
    severity=Severity.RECOMMENDED,
    needs=["repair"],
)
def loss_plain_odd(peer: ServerPeer) -> None:
    """A device that never hears a plain fragment is made good where that is possible."""
    _lossy(peer, lambda one: lambda n: n <= 22, lambda one: lambda n: False, octets=_ODD)


@check(
    "fragmentation",
    BOTH,
    "loss-one",
    clause="TS004, 8.2, step 5",
    severity=Severity.RECOMMENDED,
    needs=["repair"],
)
def loss_one(peer: ServerPeer) -> None:
    """A device that misses a single fragment in the end is made good.

    Servers that cannot repair begin again (chirpstack-fuota-server 15).
    """
    _lossy(peer, lambda one: lambda n: n == 1 or 21 <= n <= 24, lambda one: lambda n: False)


@check(
    "fragmentation",
    BOTH,
    "loss-all-different",
    clause="TS004, 7: one coded fragment helps every device",
    severity=Severity.RECOMMENDED,
    needs=["repair"],
)
def loss_all_different(peer: ServerPeer) -> None:
    """Eight devices that each miss other fragments are made good by few more.

    Fewer than their plain fragments together: sending those again is what coding is there to spare.
    """
    peer.draw_image()
    fleet = peer.devices(8)
    for place, device in enumerate(fleet):
        device.loses = lambda n, place=place: n % 8 == place or 20 < n <= 24  # type: ignore[misc]
    peer.begin()
    peer.finish()
    peer.expect_updated(fleet)
    frames = sum(1 for _ in peer.observer.fragments)
    if peer.by_groups and frames > 24 + 24:
        raise Failed(f"{frames} fragments for eight devices that miss 2 or 3 of 20 each")


@check("fragmentation", BOTH, "hopeless", clause="hostile devices: bounded retries")
def hopeless(peer: ServerPeer) -> None:
    """A device that never hears a fragment is given up, and nothing is claimed of it."""
    peer.draw_image()
    bad, *good = peer.devices(3)
    bad.loses = lambda n: True
    peer.begin()
    peer.finish()
    peer.expect_updated(good)
    expect_unclaimed(peer, bad)
    frames = sum(1 for _ in peer.observer.fragments)
    if frames > 100 * peer.nb_frag:
        raise Failed(f"{frames} fragments were sent for a device that hears none")


@check("fragmentation", BOTH, "dies-in-window", clause="robustness: the end, or a named failure")
def dies_in_window(peer: ServerPeer) -> None:
    """A device that falls silent in the middle of the transfer is given up by name."""
    peer.draw_image()
    bad, *good = peer.devices(3)
    peer.begin()
    peer.run(lambda: len(bad.heard) >= 10)
    bad.deaf = bad.mute = True
    peer.finish()
    peer.expect_updated(good)
    expect_unclaimed(peer, bad)


@check(
    "fragmentation",
    BOTH,
    "reset-in-window",
    clause="TS004, 8.2: session does not exist, or fewer received than sent",
    severity=Severity.RECOMMENDED,
    needs=["repair"],
)
def reset_in_window(peer: ServerPeer) -> None:
    """A device that is reset in the transfer, and loses its progress, is made good."""
    peer.draw_image()
    bad, *good = peer.devices(3)
    peer.begin()
    peer.run(lambda: len(bad.heard) >= 10)
    peer.power_cycle(bad)
    peer.finish()
    peer.expect_updated([bad, *good])


@check(
    "fragmentation",
    BOTH,
    "reset-before-window",
    clause="TR002, 4",
    severity=Severity.RECOMMENDED,
    needs=["repair"],
)
def reset_before_window(peer: ServerPeer) -> None:
    """A device that is reset between its set-up and the transfer is made good."""
    peer.draw_image()
    bad, *good = peer.devices(3)
    peer.begin()
    peer.later(400.0, lambda: peer.power_cycle(bad))
    peer.finish()
    peer.expect_updated([bad, *good])
