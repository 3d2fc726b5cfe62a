"""TS006: the image is asked for, the reboot programmed, the new version confirmed."""

from __future__ import annotations

from collections.abc import Sequence

from ...firmwaremanagement import v1
from ...firmwaremanagement.v1 import UpImageStatus
from ...wire import Command
from ..check import Catalogue, Failed, Severity
from ..fleetdevice import OLD_FW, FleetDevice
from ..serverpeer import NEW_FW, ServerPeer
from ._common import expect_bounded, lose_answers, lose_requests, says_always

__all__ = ["CHECKS"]

CHECKS: Catalogue[ServerPeer] = Catalogue()
check = CHECKS.check

_PACKAGE = "firmwaremanagement"
_CANCEL_TIME, _CANCEL_COUNTDOWN = 0xFFFFFFFF, 0xFFFFFF
_REBOOTS = (v1.DevRebootTimeReq, v1.DevRebootCountdownReq)


def _fleet(peer: ServerPeer, count: int = 2) -> tuple[FleetDevice, list[FleetDevice]]:
    peer.draw_image()
    bad, *good = peer.devices(count, firmware=True)
    return bad, good


def _end(peer: ServerPeer, bad: FleetDevice, good: Sequence[FleetDevice]) -> None:
    """Play to the end: the others run the new firmware."""
    peer.begin(firmware=True)
    peer.finish()
    for device in good:
        if device.fw_version != NEW_FW:
            raise Failed(f"{device.entry.dev_eui} runs 0x{device.fw_version:08X} in the end")
        if "reached" in peer.can and peer.reached(device) != "installed":
            raise Failed(f"a device runs the new version; reported is {peer.reached(device)!r}")


def _not_installed(peer: ServerPeer, device: FleetDevice) -> None:
    if "reached" in peer.can and peer.reached(device) == "installed":
        raise Failed("the device is reported installed, and runs the old version")


def _reboots(peer: ServerPeer, device: FleetDevice) -> list[Command]:
    """Return what makes a device reboot, without what cancels a reboot."""
    times = peer.sent(v1.DevRebootTimeReq, device)
    counts = peer.sent(v1.DevRebootCountdownReq, device)
    return [one for one in times if one.reboot_time != _CANCEL_TIME] + [
        one for one in counts if one.countdown != _CANCEL_COUNTDOWN
    ]


@check(_PACKAGE, (1,), "well-formed", clause="TS006, 1: lengths, reserved bits 0")
def well_formed(peer: ServerPeer) -> None:
    """Everything on the package's port has the lengths of the text."""
    bad, good = _fleet(peer)
    _end(peer, bad, [bad, *good])
    peer.strict(_PACKAGE)


@check(_PACKAGE, (1,), "installs", clause="TR002, 11c to 11f; TS006, 5")
def installs(peer: ServerPeer) -> None:
    """Image asked for, reboot programmed, version confirmed: the update ends as installed."""
    bad, good = _fleet(peer, 3)
    _end(peer, bad, [bad, *good])
    for device in (bad, *good):
        asked = peer.times(v1.DevUpgradeImageReq, device)
        confirmed = peer.times(v1.DevVersionReq, device)
        reboots = [at for kind in _REBOOTS for at in peer.times(kind, device)]
        if not reboots:
            raise Failed("no reboot was programmed")
        if not asked or min(reboots) < min(asked):
            raise Failed("a reboot was programmed before the image was asked for")
        if not confirmed or max(confirmed) < min(reboots):
            raise Failed("the version was not asked for after the reboot")


def _judged(peer: ServerPeer, status: UpImageStatus) -> None:
    bad, good = _fleet(peer)
    bad.judges = status
    _end(peer, bad, good)
    if _reboots(peer, bad):
        raise Failed(f"a device whose image is {status.name} was told to reboot")
    expect_bounded(peer, bad, v1.DevUpgradeImageReq)
    _not_installed(peer, bad)
    if "reached" in peer.can and peer.reached(bad) == "image valid":
        raise Failed(f"a device whose image is {status.name} is reported with a valid one")


@check(_PACKAGE, (1,), "image-corrupt", clause="TS006, 4: UpImageStatus 1")
def image_corrupt(peer: ServerPeer) -> None:
    """A device whose image has a wrong signature is not told to reboot."""
    _judged(peer, UpImageStatus.CORRUPT_OR_WRONG_SIGNATURE)


@check(_PACKAGE, (1,), "image-hardware", clause="TS006, 4: UpImageStatus 2")
def image_hardware(peer: ServerPeer) -> None:
    """A device whose image is for other hardware is not told to reboot."""
    _judged(peer, UpImageStatus.WRONG_HARDWARE)


@check(_PACKAGE, (1,), "image-none", clause="TS006, 4: UpImageStatus 0")
def image_none(peer: ServerPeer) -> None:
    """A device that has no image, however often asked, is not told to reboot."""
    _judged(peer, UpImageStatus.NO_IMAGE)


@check(_PACKAGE, (1,), "image-later", clause="TS006, 5: 0, not ready, ask again")
def image_later(peer: ServerPeer) -> None:
    """A device that is still checking its image is asked again, and installs it."""
    bad, good = _fleet(peer)
    asked = [2]

    def says(command: Command) -> Sequence[Command | bytes] | None:
        if asked[0] == 0:
            return None
        asked[0] -= 1
        return [
            v1.DevUpgradeImageAns(
                up_image_status=UpImageStatus.NO_IMAGE, next_firmware_version=None
            )
        ]

    bad.says = {v1.DevUpgradeImageReq: says}
    _end(peer, bad, [bad, *good])


@check(_PACKAGE, (1,), "image-other", clause="TS006, 5: status 3 with the expected version")
def image_other(peer: ServerPeer) -> None:
    """A device that holds a valid image of another version is not told to reboot into it."""
    bad, good = _fleet(peer)
    bad.finds = NEW_FW + 1
    _end(peer, bad, good)
    if _reboots(peer, bad):
        raise Failed("a device that holds another version was told to reboot")
    _not_installed(peer, bad)


@check(_PACKAGE, (1,), "image-silent", clause="TR002, 4: bounded retries")
def image_silent(peer: ServerPeer) -> None:
    """A device that never answers about its image is not told to reboot, nor asked for ever."""
    bad, good = _fleet(peer)
    bad.says = {v1.DevUpgradeImageReq: says_always()}
    _end(peer, bad, good)
    expect_bounded(peer, bad, v1.DevUpgradeImageReq)
    if _reboots(peer, bad):
        raise Failed("a device that said nothing of its image was told to reboot")
    _not_installed(peer, bad)


@check(_PACKAGE, (1,), "reboot-lost", clause="TS006, 5: no answer, repeat")
def reboot_lost(peer: ServerPeer) -> None:
    """A reboot request that is lost is sent again."""
    bad, good = _fleet(peer)
    lose_requests(bad, _PACKAGE, v1.DevRebootCountdownReq.CID, 2)
    _end(peer, bad, [bad, *good])


@check(_PACKAGE, (1,), "reboot-answer-lost", clause="TS006, 3: a repeated request re-programs")
def reboot_answer_lost(peer: ServerPeer) -> None:
    """A reboot whose answer is lost is confirmed by the version all the same."""
    bad, good = _fleet(peer)
    lose_answers(bad, _PACKAGE, v1.DevRebootCountdownAns.CID, 1_000)
    _end(peer, bad, [bad, *good])


@check(_PACKAGE, (1,), "reboot-cannot", clause="TS006, 3: 0 is an error")
def reboot_cannot(peer: ServerPeer) -> None:
    """A device that answers 0, "cannot", is no success and is not asked for ever."""
    bad, good = _fleet(peer)
    bad.says = {
        v1.DevRebootCountdownReq: says_always(v1.DevRebootCountdownAns(countdown=0)),
        v1.DevRebootTimeReq: says_always(v1.DevRebootTimeAns(reboot_time=0)),
    }
    _end(peer, bad, good)
    expect_bounded(peer, bad, *_REBOOTS)
    _not_installed(peer, bad)


@check(
    _PACKAGE,
    (1,),
    "reboot-acknowledged",
    clause="TS006, 3: a reboot at once is never acknowledged",
    severity=Severity.RECOMMENDED,
)
def reboot_acknowledged(peer: ServerPeer) -> None:
    """The reboot is programmed with a delay, because one at once has no answer."""
    bad, good = _fleet(peer)
    _end(peer, bad, [bad, *good])
    for one in peer.sent(v1.DevRebootCountdownReq):
        if one.countdown == 0:
            raise Failed("Countdown 0 is not acknowledged")
    for other in peer.sent(v1.DevRebootTimeReq):
        if other.reboot_time == 0:
            raise Failed("RebootTime 0 is not acknowledged")


@check(_PACKAGE, (1,), "rolled-back", clause="TS006, 5: success iff fw = expected")
def rolled_back(peer: ServerPeer) -> None:
    """A device that comes back with the old firmware is not reported installed."""
    bad, good = _fleet(peer)
    bad.boots = False
    _end(peer, bad, good)
    _not_installed(peer, bad)
    expect_bounded(peer, bad, v1.DevVersionReq)


@check(_PACKAGE, (1,), "gone-after-reboot", clause="TS006, 5; honest reports")
def gone_after_reboot(peer: ServerPeer) -> None:
    """A device that does not come back from its reboot is not reported installed."""
    bad, good = _fleet(peer)

    def says(command: Command) -> Sequence[Command | bytes] | None:
        peer.later(5.0, lambda: setattr(bad, "mute", True))
        return None

    bad.says = {v1.DevRebootCountdownReq: says, v1.DevRebootTimeReq: says}
    _end(peer, bad, good)
    if "reached" in peer.can and peer.reached(bad) == "installed":
        raise Failed("a device that was never heard again is reported installed")
    expect_bounded(peer, bad, v1.DevVersionReq)


@check(_PACKAGE, (1,), "version-lost", clause="TS006, 5: bounded repeats")
def version_lost(peer: ServerPeer) -> None:
    """A device whose version is lost on the way is asked again."""
    bad, good = _fleet(peer)
    lose_answers(bad, _PACKAGE, v1.DevVersionAns.CID, 2)
    _end(peer, bad, [bad, *good])


@check(_PACKAGE, (1,), "slow-boot", clause="TS006, 5: after ETA + boot margin")
def slow_boot(peer: ServerPeer) -> None:
    """A device that still answers with the old version at first is asked again, and confirmed."""
    bad, good = _fleet(peer)
    old = [1]

    def says(command: Command) -> Sequence[Command | bytes] | None:
        if old[0] == 0 or bad.fw_version == OLD_FW:
            return None
        old[0] -= 1
        return [v1.DevVersionAns(fw_version=OLD_FW, hw_version=1)]

    bad.says = {v1.DevVersionReq: says}
    _end(peer, bad, [bad, *good])


@check(_PACKAGE, (1,), "not-asked", clause="TR002, 1: the steps of TS006 are the operator's choice")
def not_asked(peer: ServerPeer) -> None:
    """Without a version to install, no device is told to reboot."""
    peer.draw_image()
    fleet = peer.devices(2, firmware=True)
    peer.begin()
    peer.finish()
    peer.expect_updated(fleet)
    for device in fleet:
        if _reboots(peer, device):
            raise Failed("a device was told to reboot, and nothing was to be installed")
        _not_installed(peer, device)


@check(
    _PACKAGE,
    (1,),
    "cancel",
    clause="TS006, 5: cancel, then delete",
    severity=Severity.RECOMMENDED,
    needs=["cancel"],
)
def cancel(peer: ServerPeer) -> None:
    """Cancelling an update cancels the reboots that are programmed."""
    bad, _ = _fleet(peer)
    peer.begin(firmware=True)
    peer.run(lambda: bool(_reboots(peer, bad)))
    peer.wait(2.0)
    peer.cancel()
    peer.finish()
    counts = [one.countdown for one in peer.sent(v1.DevRebootCountdownReq, bad)]
    times = [one.reboot_time for one in peer.sent(v1.DevRebootTimeReq, bad)]
    if _CANCEL_COUNTDOWN not in counts and _CANCEL_TIME not in times:
        raise Failed("the reboot that was programmed was not cancelled")
    if bad.fw_version == NEW_FW:
        raise Failed("the device installed an image although the update was cancelled")
