"""Firmware Management Protocol, version 1 (TS006-1.0.0).  Unicast only; the server asks."""

from __future__ import annotations

import enum

from ..package import Package, PackageVersionAns, PackageVersionReq
from ..types import DOWNLINK, UPLINK
from ..wire import Command, command, only_if, uint

__all__ = [
    "PACKAGE",
    "DeleteError",
    "DevDeleteImageAns",
    "DevDeleteImageReq",
    "DevRebootCountdownAns",
    "DevRebootCountdownReq",
    "DevRebootTimeAns",
    "DevRebootTimeReq",
    "DevUpgradeImageAns",
    "DevUpgradeImageReq",
    "DevVersionAns",
    "DevVersionReq",
    "PackageVersionAns",
    "PackageVersionReq",
    "UpImageStatus",
]


class UpImageStatus(enum.IntEnum):
    """What the device's image store holds; the checks run in this order."""

    NO_IMAGE = 0
    CORRUPT_OR_WRONG_SIGNATURE = 1
    WRONG_HARDWARE = 2
    VALID = 3


class DeleteError(enum.IntFlag):
    """Why nothing was deleted; zero means that the image is gone."""

    NO_VALID_IMAGE = 1
    INVALID_VERSION = 2


@command(0x01, DOWNLINK, size=0)
class DevVersionReq(Command):
    """Ask which firmware runs on which hardware."""


@command(0x01, UPLINK, size=8)
class DevVersionAns(Command):
    """Tell both versions.  Their coding is the manufacturer's; compare for equality only."""

    fw_version: int = uint(32, doc="Running firmware", spec="FWversion")
    hw_version: int = uint(32, doc="Hardware", spec="HWversion")


@command(0x02, DOWNLINK, size=4)
class DevRebootTimeReq(Command):
    """Program a reboot at an absolute time.  0 reboots at once, without an answer."""

    reboot_time: int = uint(32, doc="GPS seconds modulo 2**32; 0: now; 0xFFFFFFFF: cancel")


@command(0x02, UPLINK, size=4)
class DevRebootTimeAns(Command):
    """Tell how long the device will wait: a delay, while the request held a time."""

    reboot_time: int = uint(32, doc="Seconds from this uplink; 0: cannot; 0xFFFFFFFF: cancelled")


@command(0x03, DOWNLINK, size=3)
class DevRebootCountdownReq(Command):
    """Program a reboot after a delay.  0 reboots at once, without an answer."""

    countdown: int = uint(24, doc="Seconds from reception; 0: now; 0xFFFFFF: cancel")


@command(0x03, UPLINK, size=3)
class DevRebootCountdownAns(Command):
    """Tell how long the device will wait."""

    countdown: int = uint(24, doc="Seconds from this uplink; 0: cannot; 0xFFFFFF: cancelled")


@command(0x04, DOWNLINK, size=0)
class DevUpgradeImageReq(Command):
    """Ask for the state of the downloaded image."""


@command(0x04, UPLINK, size=1)
class DevUpgradeImageAns(Command):
    """Tell the state of the downloaded image and, if it can be installed, its version."""

    up_image_status: UpImageStatus = uint(2, UpImageStatus, rfu=6, doc="State of the image store")
    next_firmware_version: int | None = only_if(
        "up_image_status",
        3,
        uint(32, doc="Version that runs after installation", spec="nextFirmwareVersion"),
    )


@command(0x05, DOWNLINK, size=4)
class DevDeleteImageReq(Command):
    """Delete the downloaded image if it is valid and has this version."""

    firmware_to_delete_version: int = uint(32, doc="Version to delete")


@command(0x05, UPLINK, size=1)
class DevDeleteImageAns(Command):
    """Confirm the deletion; on any error the device kept what it had."""

    errors: DeleteError = uint(2, DeleteError, rfu=6, doc="Zero when deleted", spec="Status")


PACKAGE = Package(
    name="firmwaremanagement",
    title="Firmware Management Protocol",
    document="TS006-1.0.0",
    identifier=4,
    version=1,
    fport=203,
    commands=(
        PackageVersionReq,
        PackageVersionAns,
        DevVersionReq,
        DevVersionAns,
        DevRebootTimeReq,
        DevRebootTimeAns,
        DevRebootCountdownReq,
        DevRebootCountdownAns,
        DevUpgradeImageReq,
        DevUpgradeImageAns,
        DevDeleteImageReq,
        DevDeleteImageAns,
    ),
)
