"""Devices like the stacks in the field, told to the server: served, and reported honestly."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from ...session.stacks import device_profile
from ..check import Catalogue, Failed, NotApplicable, Severity
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


def _play(peer: ServerPeer, stack: str, loss: float, firmware: bool) -> None:
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
        rng, share = random.Random(f"{device.entry.dev_eui}"), loss * (1 + place)
        device.loses = lambda n, rng=rng, share=share: rng.random() < share  # type: ignore[misc]
    peer.begin(firmware=firmware)
    peer.finish()
    for device in fleet:
        said = peer.outcomes.get(device.entry.dev_eui)
        if not device.has_block and not loss:
            raise Failed("the device does not have the block although nothing was lost")
        if device.has_block and said is not None and said.status not in _FINE:
            raise Failed(f"the device has the block, and is reported {said.status}")


def _slug(stack: str) -> str:
    return "stack-" + stack.lower().replace(" ", "-").replace(".", "")


def _declare(stack: str, quirk: str) -> None:
    version = device_profile(stack).fragmentation.package.version

    def declare(name: str, loss: float, text: str, *, firmware: bool = False) -> None:
        def script(peer: ServerPeer) -> None:
            _play(peer, stack, loss, firmware)

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
        0.0,
        f"A {stack} device that loses nothing gets the block, and is not reported failed.",
    )
    declare(
        f"{_slug(stack)}-lossy",
        0.2,
        f"What is reported of {stack} devices that lose a fifth, and twice that, is true of them.",
    )
    if device_profile(stack).firmware is not None:
        declare(
            f"{_slug(stack)}-firmware",
            0.3,
            f"What is reported of {stack} devices that lose a third, or most, and are asked for"
            " their image is true of them.",
            firmware=True,
        )


for _stack, _quirk in _STACKS.items():
    _declare(_stack, _quirk)
