"""Checks of the image store, and that commands come by unicast only (TS006).

Images come the way they come in the field, as a block; the capability ``images`` says how a device
under test reads one of the kit.
"""

from __future__ import annotations

from typing import Final

from ...firmwaremanagement import v1
from ..check import Catalogue, Failed, Severity
from ..devicepeer import DevicePeer
from ..subject import build_image
from .block import delete, new_block, send, set_up
from .firmware import (
    CANCEL_COUNTDOWN,
    ask_firmware,
    expect_answer,
    expect_no_reboot,
    expect_reboot,
    program,
    reboots_until,
    running_versions,
)
from .group import in_a_frame

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_V1: Final = (1,)
_IMAGE: Final = "TS006, DevUpgradeImageAns"
_DELETE: Final = "TS006, DevDeleteImageReq"


# --- The image store ------------------------------------------------------------------------------


def _download(peer: DevicePeer, status: int, version: int, *, count: int = 1) -> None:
    """Send an image of the kit as a block, and close its session."""
    block = new_block(peer, frag_size=13, data=build_image(status, version), session_cnt=count)
    set_up(peer, block)
    send(peer, block, [1, 2])
    peer.wait(60.0)
    delete(peer, 0)


def _expect_image(peer: DevicePeer, status: int, version: int | None = None) -> None:
    wanted = v1.DevUpgradeImageAns(
        up_image_status=v1.UpImageStatus(status), next_firmware_version=version
    )
    expect_answer(peer, v1.DevUpgradeImageReq(), wanted)


def _expect_deleted(peer: DevicePeer, version: int, errors: v1.DeleteError) -> None:
    request = v1.DevDeleteImageReq(firmware_to_delete_version=version)
    expect_answer(peer, request, v1.DevDeleteImageAns(errors=errors))


@CHECKS.check("firmwaremanagement", _V1, "image-none", clause=_IMAGE)
def image_none(peer: DevicePeer) -> None:
    """A device that left the factory has no upgrade image, and says so in one octet."""
    _expect_image(peer, 0)


@CHECKS.check("firmwaremanagement", _V1, "delete-none", clause=_DELETE)
def delete_none(peer: DevicePeer) -> None:
    """A delete where there is no image is answered with ErrorNoValidImage, and nothing else."""
    for version in (0, 1, 0xFFFF_FFFF):
        _expect_deleted(peer, version, v1.DeleteError.NO_VALID_IMAGE)


@CHECKS.check("firmwaremanagement", _V1, "image-valid", clause=_IMAGE, needs=["images"])
def image_valid(peer: DevicePeer) -> None:
    """A valid image is told with the version that will run: 5 octets behind the identifier."""
    _download(peer, 3, 0x0203_0405)
    _expect_image(peer, 3, 0x0203_0405)


def _declare_bad_image(name: str, status: int) -> None:
    @CHECKS.check("firmwaremanagement", _V1, f"image-{name}", clause=_IMAGE, needs=["images"])
    def told(peer: DevicePeer) -> None:
        """An image that cannot be installed is told for what it is, without a version.

        It is no valid one for a delete either.
        """
        _download(peer, status, 5)
        _expect_image(peer, status)
        _expect_deleted(peer, 5, v1.DeleteError.NO_VALID_IMAGE)
        _expect_image(peer, status)


_declare_bad_image("corrupt", 1)
_declare_bad_image("wrong-hardware", 2)


@CHECKS.check("firmwaremanagement", _V1, "image-replaced", clause=_IMAGE, needs=["images"])
def image_replaced(peer: DevicePeer) -> None:
    """The next download replaces an image, valid or not."""
    for count, (status, version) in enumerate(((3, 7), (1, 8), (3, 9)), 1):
        _download(peer, status, version, count=count)
        _expect_image(peer, status, version if status == 3 else None)


@CHECKS.check("firmwaremanagement", _V1, "delete-image", clause=_DELETE, needs=["images"])
def delete_image(peer: DevicePeer) -> None:
    """A delete of the right version deletes; again, there is no valid image."""
    _download(peer, 3, 7)
    _expect_deleted(peer, 7, v1.DeleteError(0))
    _expect_image(peer, 0)
    _expect_deleted(peer, 7, v1.DeleteError.NO_VALID_IMAGE)


@CHECKS.check("firmwaremanagement", _V1, "delete-other-version", clause=_DELETE, needs=["images"])
def delete_other_version(peer: DevicePeer) -> None:
    """A delete of another version is ErrorInvalidVersion, and the image stays.

    One stack deletes whatever is there.
    """
    _download(peer, 3, 7)
    for version in (0, 6, 0x0700_0000):
        _expect_deleted(peer, version, v1.DeleteError.INVALID_VERSION)
    _expect_image(peer, 3, 7)


@CHECKS.check("firmwaremanagement", _V1, "delete-keeps-reboot", clause=_DELETE, needs=["images"])
def delete_keeps_reboot(peer: DevicePeer) -> None:
    """A delete does not cancel a programmed reboot."""
    _download(peer, 3, 7)
    due = program(peer, 600)
    _expect_deleted(peer, 7, v1.DeleteError(0))
    expect_reboot(peer, due)


def _declare_installed(name: str, request: v1.DevRebootTimeReq | v1.DevRebootCountdownReq) -> None:
    @CHECKS.check("firmwaremanagement", _V1, f"install-{name}", clause=_IMAGE, needs=["images"])
    def installed(peer: DevicePeer) -> None:
        """A reboot installs a valid image: its version runs, and it is no longer reported."""
        before = running_versions(peer)
        _download(peer, 3, before.fw_version ^ 0x55)
        ask_firmware(peer, request)
        if len(reboots_until(peer, peer.now + 300.0)) != 1:
            raise Failed("expected one reboot")
        after = running_versions(peer)
        if (after.fw_version, after.hw_version) != (before.fw_version ^ 0x55, before.hw_version):
            raise Failed(f"expected the new firmware on the old hardware; came {after}")
        _expect_image(peer, 0)


_declare_installed("now", v1.DevRebootTimeReq(reboot_time=0))
_declare_installed("countdown", v1.DevRebootCountdownReq(countdown=100))


@CHECKS.check("firmwaremanagement", _V1, "install-not-corrupt", clause=_IMAGE, needs=["images"])
def install_not_corrupt(peer: DevicePeer) -> None:
    """A reboot does not install an image that is corrupt or for other hardware."""
    before = running_versions(peer)
    for count, status in enumerate((1, 2), 1):
        _download(peer, status, 99, count=count)
        ask_firmware(peer, v1.DevRebootCountdownReq(countdown=0))
        peer.wait(120.0)
        if running_versions(peer) != before:
            raise Failed(f"the device has installed an image of status {status}")


@CHECKS.check(
    "firmwaremanagement",
    _V1,
    "image-survives-reset",
    clause=_IMAGE,
    needs=["images", "power-cycle"],
    severity=Severity.RECOMMENDED,
)
def image_survives_reset(peer: DevicePeer) -> None:
    """An image is there after a power cycle, installed or waiting."""
    before = running_versions(peer)
    _download(peer, 3, before.fw_version ^ 0x55)
    peer.power_on()
    peer.wait(60.0)
    if running_versions(peer).fw_version == before.fw_version ^ 0x55:
        _expect_image(peer, 0)
    else:
        _expect_image(peer, 3, before.fw_version ^ 0x55)


# --- Unicast only ---------------------------------------------------------------------------------


_MULTICAST: Final = "TS006: unicast only; promise S10"


@CHECKS.check("firmwaremanagement", _V1, "reboot-by-multicast", clause=_MULTICAST)
def reboot_by_multicast(peer: DevicePeer) -> None:
    """A reboot by multicast is ignored, at once and programmed: any member could stop a fleet."""
    package = peer.package("firmwaremanagement")
    in_a_frame(peer, package, v1.DevRebootCountdownReq(countdown=100))
    expect_no_reboot(peer, 600.0)
    peer.power_on(factory=True)
    in_a_frame(peer, package, v1.DevRebootTimeReq(reboot_time=0))
    expect_no_reboot(peer, 600.0)


@CHECKS.check("firmwaremanagement", _V1, "cancel-by-multicast", clause=_MULTICAST)
def cancel_by_multicast(peer: DevicePeer) -> None:
    """A cancel by multicast is ignored: the reboot takes place."""
    due = program(peer, 40_000)
    package = peer.package("firmwaremanagement")
    in_a_frame(peer, package, v1.DevRebootCountdownReq(countdown=CANCEL_COUNTDOWN))
    expect_reboot(peer, due)


@CHECKS.check("firmwaremanagement", _V1, "versions-by-multicast", clause=_MULTICAST)
def versions_by_multicast(peer: DevicePeer) -> None:
    """Questions by multicast are ignored: a whole fleet would answer at one time."""
    package = peer.package("firmwaremanagement")
    in_a_frame(peer, package, v1.DevVersionReq(), v1.DevUpgradeImageReq())
    came = peer.answers(package, within=300.0)
    if came:
        raise Failed(f"expected silence; came {came[0]}")


@CHECKS.check("firmwaremanagement", _V1, "delete-by-multicast", clause=_MULTICAST, needs=["images"])
def delete_by_multicast(peer: DevicePeer) -> None:
    """A delete by multicast is ignored: the image stays."""
    _download(peer, 3, 7)
    package = peer.package("firmwaremanagement")
    in_a_frame(peer, package, v1.DevDeleteImageReq(firmware_to_delete_version=7))
    peer.wait(30.0)
    _expect_image(peer, 3, 7)
