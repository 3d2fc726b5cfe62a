"""Devices like the stacks in the field, told to the server: served, and reported honestly."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from ...session.stacks import device_profile
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..fleetdevice import FleetDevice
from ..serverpeer import ServerPeer

__all__ = ["CHECKS"]

CHECKS: Catalogue[ServerPeer] = Catalogue()

_STACKS: Final = {
    "LoRaMac-node": "MissingFrag counts what was lost, and never falls",
    "LoRa Basics Modem 4.8": "MissingFrag is 1 after a transfer without loss (SWL2001 101)",
    "LoRa Basics Modem 4.8 v1": "MissingFrag is 1 after a transfer without loss (SWL2001 101)",
    "Zephyr 2025": "MissingFrag is NbFrag less what was received, coded fragments included",
    "ST middleware v2": "the status has the layout of version 1",
    "Renesas": "fragments must rise over the whole session",
}

_FINE: Final = ("Successful", "Initial")
"""Of a device with the block: known, or not claimed, but never a failure."""


Loses = Callable[[int], bool]


def _random(loss: float) -> Callable[[FleetDevice, int], Loses]:
    """Lose a share of all fragments, the second device twice that."""

    def how(device: FleetDevice, place: int) -> Loses:
        rng, share = random.Random(f"{device.entry.dev_eui}"), loss * (1 + place)
        return lambda n: rng.random() < share

    return how


def _unlucky(device: FleetDevice, place: int) -> Loses:
    """Lose three plain fragments, and of the coded ones all but every twelfth."""
    return lambda n: n in (5, 6, 7) or (n > 20 and n % 12 != 0)


def _play(
    peer: ServerPeer, stack: str, losing: Callable[[FleetDevice, int], Loses], firmware: bool
) -> list[FleetDevice]:
    profile = device_profile(stack)
    about = peer.subject.about
    if peer.by_groups and not about.speaks(profile.multicast.package):
        raise NotApplicable(f"the server does not speak {profile.multicast.package}")
    unable = profile.multicast.class_b_as_c or not profile.multicast.knows_class_b
    if peer.by_groups and unable and "class-c" not in peer.can:
        raise NotApplicable("the stack has no class B")
    if firmware and not about.versions.get("firmwaremanagement"):
        raise NotApplicable("the server does not speak firmwaremanagement")
    peer.draw_image()
    fleet = [peer.make_device(profile=profile, stack=stack) for _ in range(2)]
    for place, device in enumerate(fleet):
        device.loses = losing(device, place)
    peer.begin(firmware=firmware)
    peer.finish()
    for device in fleet:
        said = peer.outcomes.get(device.entry.dev_eui)
        if not device.heard:
            raise Failed("no fragment reached the device: there is nothing to be told of it")
        if not device.has_block and all(map(device.heard.__contains__, range(1, 21))):
            raise Failed(
                "the device does not have the block although it heard every fragment of it"
            )
        if device.has_block and said is not None and said.status not in _FINE:
            raise Failed(f"the device has the block, and is reported {said.status}")
    return fleet


def _slug(stack: str) -> str:
    return "stack-" + stack.lower().replace(" ", "-").replace(".", "")


def _declare(stack: str, quirk: str) -> None:
    version = device_profile(stack).fragmentation.package.version

    def declare(
        name: str,
        losing: Callable[[FleetDevice, int], Loses],
        text: str,
        *,
        firmware: bool = False,
        lossless: bool = False,
    ) -> None:
        def script(peer: ServerPeer) -> None:
            fleet = _play(peer, stack, losing, firmware)
            if lossless and not all(device.has_block for device in fleet):
                raise Failed("a device does not have the block although nothing was lost")

        script.__doc__ = text
        decorate: Callable[[Callable[[ServerPeer], None]], object] = CHECKS.check(
            "fragmentation",
            (version,),
            name,
            clause=f"field report: in this stack {quirk}",
            severity=Severity.QUIRK,
        )
        decorate(script)

    declare(
        _slug(stack),
        _random(0.0),
        f"A {stack} device that loses nothing gets the block, and is not reported failed.",
        lossless=True,
    )
    declare(
        f"{_slug(stack)}-lossy",
        _random(0.2),
        f"What is reported of {stack} devices that lose a fifth, and twice that, is true of them.",
    )
    has_firmware = device_profile(stack).firmware is not None
    declare(
        f"{_slug(stack)}-unlucky",
        _unlucky,
        f"What is reported of {stack} devices that hear few of many coded fragments, among them"
        " the last, is true of them.",
        firmware=has_firmware,
    )
    if has_firmware:
        declare(
            f"{_slug(stack)}-firmware",
            _random(0.3),
            f"What is reported of {stack} devices that lose a third, or most, and are asked for"
            " their image is true of them.",
            firmware=True,
        )


for _stack, _quirk in _STACKS.items():
    _declare(_stack, _quirk)
