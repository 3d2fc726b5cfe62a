"""What a server under test is asked to deliver to a fleet, if it can do that at all."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final

from ..errors import FieldError
from ..types import DevAddr, McKey
from ._fleet import NEW_FW, Fleet
from .check import NotApplicable
from .fleetdevice import FleetDevice
from .serversubject import Begin, GroupOrder, ServerAbout

__all__ = ["FRAME_SECONDS", "SPACING_SECONDS", "draw_order", "need"]

FRAME_SECONDS: Final = 0.4
SPACING_SECONDS: Final = 2.0
"""Of the groups: time on air of a frame, and what has to lie between the starts of two."""

_FREQ: Final = 869_525_000


def need(about: ServerAbout, *can: str) -> None:
    """Leave the check if the server cannot do something.

    Raises:
        NotApplicable: So.
    """
    missing = [one for one in can if one not in about.can]
    if missing:
        raise NotApplicable(f"the server does not have: {', '.join(missing)}")


def draw_order(
    fleet: Fleet,
    *,
    time: float,
    rng: random.Random,
    frag_size: int = 10,
    descriptor: bytes = b"\x01\x02\x03\x04",
    redundancy: float = 0.2,
    firmware: bool = False,
    device_class: str | None = None,
    max_mc_fcnt: int = 0xFFFF,
) -> Begin:
    """Return the request to update a fleet, with a group for each version of TS004 in it.

    Args:
        fleet: The devices, and the image.
        time: GPS seconds.
        rng: Draws addresses and keys of the groups.
        frag_size: FragSize.
        descriptor: Descriptor.
        redundancy: Coded fragments of the first pass, as a share of the plain ones.
        firmware: Whether the image is installed too (TS006).
        device_class: Class of the groups; None for C, or B if the server has no C.
        max_mc_fcnt: End of the groups' counters.

    Raises:
        FieldError: There is no image or no device.
        NotApplicable: The server cannot, or not so many devices.
    """
    about, devices = fleet.about, list(fleet.devices.values())
    if not fleet.image or not devices:
        raise FieldError("ServerPeer.begin", "fleet", len(devices), "an image, then devices")
    if len(devices) > about.max_devices:
        raise NotApplicable(f"the server takes {about.max_devices} devices")
    in_groups = [one for one in devices if one.entry.multicast]
    if len(in_groups) < len(devices):
        need(about, "unicast")
    if in_groups and device_class is None:
        device_class = "C" if "class-c" in about.can else "B"
    if device_class is not None:
        need(about, f"class-{device_class.lower()}")
    return Begin(
        time=time,
        image=fleet.image,
        frag_size=frag_size,
        descriptor=descriptor,
        redundancy=redundancy,
        devices=tuple(one.entry for one in devices),
        groups=tuple(
            _draw_group(version, about, rng, device_class or "C", max_mc_fcnt)
            for version in _versions(in_groups)
        ),
        fw_version=NEW_FW if firmware else None,
    )


def _versions(devices: Iterable[FleetDevice]) -> list[int]:
    """Return the versions of TS004 among devices, in order."""
    return sorted({one.profile.fragmentation.package.version for one in devices})


def _draw_group(
    version: int, about: ServerAbout, rng: random.Random, device_class: str, max_mc_fcnt: int
) -> GroupOrder:
    mc_key = McKey(rng.randbytes(16))
    return GroupOrder(
        frag_version=version,
        mc_addr=DevAddr(rng.getrandbits(25)),
        mc_key=None if "own-mc-key" in about.can else mc_key,
        max_mc_fcnt=max_mc_fcnt,
        device_class=device_class,
        dl_freq_hz=_FREQ,
        dr=5,
        frame_seconds=FRAME_SECONDS,
        spacing_seconds=SPACING_SECONDS,
    )
