"""Checks of firmware management (TS006): versions, the programmed reboot, the image store.

Images come the way they come in the field, as a block; the capability ``images`` says how a device
under test reads one of the kit.
"""

from __future__ import annotations

from typing import Final

from ...clocksync import v1 as clocksync
from ...firmwaremanagement import v1
from ...gpstime import WRAP_SECONDS
from ...package import PackageVersionReq, Parsed
from ...types import UPLINK
from ...wire import Command
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer
from ..subject import DeviceEvent, Rebooted, Uplink, build_image
from .block import delete, new_block, send, set_up
from .group import in_a_frame

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_V1: Final = (1,)
_VERSION: Final = "TS006, DevVersionAns"
_TIME: Final = "TS006, DevRebootTimeReq"
_COUNTDOWN: Final = "TS006, DevRebootCountdownReq"
_IMAGE: Final = "TS006, DevUpgradeImageAns"
_DELETE: Final = "TS006, DevDeleteImageReq"
_CANCEL_TIME: Final = 0xFFFF_FFFF
_CANCEL_COUNTDOWN: Final = 0xFF_FFFF
_LATE: Final = 5.0


def _ask(peer: DevicePeer, *commands: Command) -> list[Parsed]:
    """Send commands; return the answers, and keep a reboot for whoever looks for one."""
    package = peer.package("firmwaremanagement")
    fport = peer.packages.fport(package.name)
    before = peer.events()
    peer.send(package, *commands)
    peer.pause(10.0)
    answers, kept = list[Parsed](), list[DeviceEvent]()
    for event in peer.events():
        if isinstance(event, Uplink) and event.fport == fport:
            answers += package.parse(event.payload, UPLINK)
        else:
            kept.append(event)
    peer.put_back([*before, *kept])
    return answers


def _expect(peer: DevicePeer, request: Command, wanted: Command | None) -> None:
    """Send a request, and fail unless this is the answer (None: nothing)."""
    came = _ask(peer, request)
    if came != ([] if wanted is None else [wanted]):
        raise Failed(f"expected {wanted or 'nothing'}; came {came or 'nothing'}")


def _versions(peer: DevicePeer) -> v1.DevVersionAns:
    came = _ask(peer, v1.DevVersionReq())
    if len(came) != 1 or not isinstance(came[0], v1.DevVersionAns):
        raise Failed(f"expected one DevVersionAns; came {came or 'nothing'}")
    return came[0]


def _reboots(peer: DevicePeer, until: float) -> list[float]:
    """Let time pass; return when the device rebooted since somebody last asked."""
    return [one.time for one in peer.wait(until - peer.now) if isinstance(one, Rebooted)]


def _expect_reboot(peer: DevicePeer, at: float) -> None:
    """Fail unless the device reboots then, and only then for an hour after it."""
    found = _reboots(peer, at + 3_600.0)
    if len(found) != 1 or not at - 2.0 <= found[0] <= at + _LATE:
        shown = ", ".join(f"{one - at:+.1f} s" for one in found) or "none"
        raise Failed(f"expected one reboot at its time; came {shown}")


def _expect_none(peer: DevicePeer, seconds: float) -> None:
    found = _reboots(peer, peer.now + seconds)
    if found:
        raise Failed("expected no reboot; the device reboots")


def _at_time(peer: DevicePeer, time: float) -> int | None:
    """Program a reboot at a GPS time; return the answer's figure, None without an answer."""
    came = _ask(peer, v1.DevRebootTimeReq(reboot_time=int(time) % WRAP_SECONDS))
    if not came:
        return None
    if len(came) != 1 or not isinstance(came[0], v1.DevRebootTimeAns):
        raise Failed(f"expected one DevRebootTimeAns; came {came}")
    return came[0].reboot_time


def _after(peer: DevicePeer, seconds: int) -> int | None:
    """Program a reboot after so many seconds; return the answer's figure, None without one."""
    came = _ask(peer, v1.DevRebootCountdownReq(countdown=seconds))
    if not came:
        return None
    if len(came) != 1 or not isinstance(came[0], v1.DevRebootCountdownAns):
        raise Failed(f"expected one DevRebootCountdownAns; came {came}")
    return came[0].countdown


def _program(peer: DevicePeer, seconds: int) -> float:
    """Program a reboot after so many seconds; return when it is due."""
    due = peer.now + seconds
    answer = _after(peer, seconds)
    if answer is None or not seconds - 20 <= answer <= seconds:
        raise Failed(f"expected a countdown of at most {seconds} s; came {answer}")
    return due


# --- Versions -------------------------------------------------------------------------------------


@CHECKS.check("firmwaremanagement", _V1, "versions", clause=_VERSION)
def versions(peer: DevicePeer) -> None:
    """Firmware and hardware version are told in 8 octets, the same ones every time."""
    if _versions(peer) != _versions(peer):
        raise Failed("two answers tell different versions")


@CHECKS.check(
    "firmwaremanagement",
    _V1,
    "several-answers",
    clause="TS006: commands run first to last",
    severity=Severity.RECOMMENDED,
)
def several_answers(peer: DevicePeer) -> None:
    """Version, versions and image state asked for in one payload are all answered.

    A known stack has room for 9 octets, and leaves out what does not fit.
    """
    came = _ask(peer, PackageVersionReq(), v1.DevVersionReq(), v1.DevUpgradeImageReq())
    kinds = [type(one).__name__ for one in came]
    if kinds != ["PackageVersionAns", "DevVersionAns", "DevUpgradeImageAns"]:
        raise Failed(f"expected three answers; came {came or 'nothing'}")


# --- Reboot after a countdown ---------------------------------------------------------------------


def _declare_countdown(seconds: int) -> None:
    @CHECKS.check("firmwaremanagement", _V1, f"countdown-{seconds}", clause=_COUNTDOWN)
    def reboots(peer: DevicePeer) -> None:
        """The device reboots so many seconds after the request, once, and tells how many are left.

        The figure of the answer counts from the answer, so it may be a little smaller.
        """
        _expect_reboot(peer, _program(peer, seconds))


for _seconds in (60, 3_600, 200_000):
    _declare_countdown(_seconds)


@CHECKS.check("firmwaremanagement", _V1, "countdown-now", clause=_COUNTDOWN)
def countdown_now(peer: DevicePeer) -> None:
    """Countdown 0 reboots at once, without an answer: 0 in an answer means "cannot"."""
    began = peer.now
    _expect(peer, v1.DevRebootCountdownReq(countdown=0), None)
    _expect_reboot(peer, began + 2.0)


@CHECKS.check("firmwaremanagement", _V1, "countdown-cancel", clause=_COUNTDOWN)
def countdown_cancel(peer: DevicePeer) -> None:
    """Countdown 0xFFFFFF cancels the programmed reboot, and says so."""
    _program(peer, 600)
    cancelled = v1.DevRebootCountdownAns(countdown=_CANCEL_COUNTDOWN)
    _expect(peer, v1.DevRebootCountdownReq(countdown=_CANCEL_COUNTDOWN), cancelled)
    _expect_none(peer, 3_600.0)


@CHECKS.check("firmwaremanagement", _V1, "cancel-nothing", clause="TS006, cancel")
def cancel_nothing(peer: DevicePeer) -> None:
    """A cancel is confirmed where there is no reboot to cancel too: it may be a repeat."""
    _expect(
        peer,
        v1.DevRebootCountdownReq(countdown=_CANCEL_COUNTDOWN),
        v1.DevRebootCountdownAns(countdown=_CANCEL_COUNTDOWN),
    )
    _expect(
        peer,
        v1.DevRebootTimeReq(reboot_time=_CANCEL_TIME),
        v1.DevRebootTimeAns(reboot_time=_CANCEL_TIME),
    )
    _expect_none(peer, 600.0)


@CHECKS.check("firmwaremanagement", _V1, "countdown-longest", clause=_COUNTDOWN)
def countdown_longest(peer: DevicePeer) -> None:
    """The longest countdown, 194 days, is none that overflows: the device does not reboot now."""
    answer = _after(peer, 0xFF_FFFE)
    if answer is None:
        raise Failed("expected an answer; came nothing")
    _expect_none(peer, 7 * 86_400.0)


# --- Reboot at a time -----------------------------------------------------------------------------


def _declare_time(seconds: int) -> None:
    @CHECKS.check("firmwaremanagement", _V1, f"time-{seconds}", clause=_TIME)
    def reboots(peer: DevicePeer) -> None:
        """The device reboots at a GPS time, once, and answers with the seconds until then.

        The request holds a time and the answer a delay.  A clock that counts from 1970 is wrong by
        ten years here.
        """
        at = float(int(peer.now) + seconds)
        answer = _at_time(peer, at)
        if answer is None or not seconds - 20 <= answer <= seconds:
            raise Failed(f"expected a delay of {seconds} s; came {answer}")
        _expect_reboot(peer, at)


for _seconds in (60, 3_600, 5_000_000):
    _declare_time(_seconds)


@CHECKS.check("firmwaremanagement", _V1, "time-now", clause=_TIME)
def time_now(peer: DevicePeer) -> None:
    """RebootTime 0 reboots at once, without an answer."""
    began = peer.now
    _expect(peer, v1.DevRebootTimeReq(reboot_time=0), None)
    _expect_reboot(peer, began + 2.0)


@CHECKS.check("firmwaremanagement", _V1, "time-cancel", clause=_TIME)
def time_cancel(peer: DevicePeer) -> None:
    """RebootTime 0xFFFFFFFF cancels the programmed reboot, and says so."""
    _at_time(peer, peer.now + 600)
    cancelled = v1.DevRebootTimeAns(reboot_time=_CANCEL_TIME)
    _expect(peer, v1.DevRebootTimeReq(reboot_time=_CANCEL_TIME), cancelled)
    _expect_none(peer, 3_600.0)


@CHECKS.check("firmwaremanagement", _V1, "time-past", clause=_TIME)
def time_past(peer: DevicePeer) -> None:
    """A time in the past is answered with 0, and the device does not reboot."""
    for ago in (5, 3_600, 100_000_000):
        answer = _at_time(peer, peer.now - ago)
        if answer != 0:
            raise Failed(f"expected 0 for {ago} s ago; came {answer}")
    _expect_none(peer, 3_600.0)


@CHECKS.check(
    "firmwaremanagement",
    _V1,
    "time-is-now",
    clause="TS006 leaves it open; an answer of 0 reads as an error",
    severity=Severity.RECOMMENDED,
)
def time_is_now(peer: DevicePeer) -> None:
    """A time that is now is past: whoever answers 0 must not reboot."""
    peer.wait(-peer.now % 1.0)
    answer = _at_time(peer, peer.now)
    found = _reboots(peer, peer.now + 600.0)
    if answer == 0 and found:
        raise Failed("the device answers 0, which means that it cannot, and reboots")


@CHECKS.check(
    "firmwaremanagement",
    _V1,
    "time-far",
    clause="TS006; times are compared modulo 2**32",
    severity=Severity.RECOMMENDED,
)
def time_far(peer: DevicePeer) -> None:
    """A time more than 2**31 s ahead is past, modulo 2**32; at least nothing happens now."""
    _at_time(peer, peer.now + (1 << 31) + 10_000)
    _expect_none(peer, 86_400.0)


@CHECKS.check(
    "firmwaremanagement", _V1, "time-unknown", clause=_TIME, severity=Severity.RECOMMENDED
)
def time_unknown(peer: DevicePeer) -> None:
    """A device that does not know the time says 0, or finds it out first; it does not guess."""
    peer.power_on(factory=True, clock_known=False)
    at = peer.now + 3_600.0
    answer = _at_time(peer, at)
    if answer is None:
        raise Failed("expected an answer; came nothing")
    if answer == 0:
        _expect_none(peer, 7_200.0)
    elif abs(answer - 3_600) > 30:
        raise Failed(f"expected 0, or some 3600 s; came {answer}")


@CHECKS.check(
    "firmwaremanagement",
    _V1,
    "time-moves-with-clock",
    clause="TS006; TS003, TimeCorrection",
    severity=Severity.RECOMMENDED,
)
def time_moves_with_clock(peer: DevicePeer) -> None:
    """A reboot at a GPS time moves when the clock is corrected; all devices are to switch at once.

    A countdown does not move.
    """
    clock = peer.package("clocksync")
    at = float(int(peer.now) + 3_600)
    _at_time(peer, at)
    asked = peer.ask(clock, b"\x03\x01", within=120.0)
    tokens = [one.token_req for one in asked if isinstance(one, clocksync.AppTimeReq)]
    if not tokens:
        raise NotApplicable("the device does not ask for the time when it is forced to")
    peer.send(clock, clocksync.AppTimeAns(time_correction=600, token_ans=tokens[-1]))
    _expect_reboot(peer, at - 600)


# --- The one slot ---------------------------------------------------------------------------------


def _declare_replaced(name: str, first: int, second: int, *, times: tuple[bool, bool]) -> None:
    @CHECKS.check("firmwaremanagement", _V1, f"replace-{name}", clause="TS006: one reboot")
    def replaced(peer: DevicePeer) -> None:
        """A later request replaces the programmed reboot, whichever kind they are.

        There is one, so the device reboots once, at the second time.
        """
        due = peer.now
        for seconds, at_time in zip((first, second), times, strict=True):
            due = float(int(peer.now) + seconds) if at_time else peer.now + seconds
            if at_time:
                _at_time(peer, due)
            else:
                _program(peer, seconds)
        if second > first:
            found = _reboots(peer, due - 10.0)
            if found:
                raise Failed("the device reboots at the time that was replaced")
        _expect_reboot(peer, due)


_declare_replaced("later", 300, 900, times=(False, False))
_declare_replaced("earlier", 900, 300, times=(False, False))
_declare_replaced("time-by-countdown", 300, 900, times=(True, False))
_declare_replaced("countdown-by-time", 300, 900, times=(False, True))
_declare_replaced("time-by-time", 900, 300, times=(True, True))


@CHECKS.check("firmwaremanagement", _V1, "cancel-other-kind", clause="TS006: one reboot")
def cancel_other_kind(peer: DevicePeer) -> None:
    """Either command cancels whatever is programmed: there is one reboot, not one of each kind."""
    _program(peer, 300)
    _ask(peer, v1.DevRebootTimeReq(reboot_time=_CANCEL_TIME))
    _expect_none(peer, 900.0)
    _at_time(peer, peer.now + 300)
    _ask(peer, v1.DevRebootCountdownReq(countdown=_CANCEL_COUNTDOWN))
    _expect_none(peer, 900.0)


@CHECKS.check(
    "firmwaremanagement",
    _V1,
    "refused-keeps-reboot",
    clause="TS006: a valid request replaces",
    severity=Severity.RECOMMENDED,
)
def refused_keeps_reboot(peer: DevicePeer) -> None:
    """A request that is refused leaves the programmed reboot alone.

    A known stack cancels it first, and judges the request then.
    """
    due = _program(peer, 600)
    answer = _at_time(peer, peer.now - 1_000)
    if answer != 0:
        raise Failed(f"expected 0 for a time in the past; came {answer}")
    _expect_reboot(peer, due)


@CHECKS.check("firmwaremanagement", _V1, "repeat", clause="TS006: requests are repeatable")
def repeat(peer: DevicePeer) -> None:
    """The same request again is answered again, and the device reboots once."""
    at = float(int(peer.now) + 600)
    for _ in range(3):
        answer = _at_time(peer, at)
        left = at - peer.now
        if answer is None or not left - 5 <= answer <= left + 15:
            raise Failed(f"expected some {left:.0f} s; came {answer}")
    _expect_reboot(peer, at)


@CHECKS.check(
    "firmwaremanagement",
    _V1,
    "answer-before-reboot",
    clause="TS006, reboot as soon as possible",
    severity=Severity.RECOMMENDED,
)
def answer_before_reboot(peer: DevicePeer) -> None:
    """Commands in front of an immediate reboot are answered before it."""
    came = _ask(peer, v1.DevVersionReq(), v1.DevRebootCountdownReq(countdown=0))
    if [type(one) for one in came] != [v1.DevVersionAns]:
        raise Failed(f"expected DevVersionAns; came {came or 'nothing'}")
    if not _reboots(peer, peer.now + 60.0):
        raise Failed("expected a reboot; came none")


@CHECKS.check(
    "firmwaremanagement",
    _V1,
    "reboot-survives-reset",
    clause="TS006 leaves it open",
    severity=Severity.RECOMMENDED,
    needs=["power-cycle"],
)
def reboot_survives_reset(peer: DevicePeer) -> None:
    """A programmed reboot takes place after a power cycle too: the server counts on it."""
    for at_time in (True, False):
        due = float(int(peer.now) + 3_600)
        if at_time:
            _at_time(peer, due)
        else:
            due = _program(peer, 3_600)
        peer.wait(600.0)
        peer.power_on()
        found = _reboots(peer, due + 60.0)
        if len(found) != 1 or abs(found[0] - due) > _LATE:
            raise Failed(f"expected one reboot at its time; came {len(found)}")


@CHECKS.check(
    "firmwaremanagement",
    _V1,
    "reset-no-second-reboot",
    clause="TS006: one reboot",
    needs=["power-cycle"],
)
def reset_no_second_reboot(peer: DevicePeer) -> None:
    """A reboot that has taken place does not come again after the power cycle it is."""
    _expect_reboot(peer, _program(peer, 120))
    peer.power_on()
    _expect_none(peer, 86_400.0)


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
    _expect(peer, v1.DevUpgradeImageReq(), wanted)


def _expect_deleted(peer: DevicePeer, version: int, errors: v1.DeleteError) -> None:
    request = v1.DevDeleteImageReq(firmware_to_delete_version=version)
    _expect(peer, request, v1.DevDeleteImageAns(errors=errors))


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
    due = _program(peer, 600)
    _expect_deleted(peer, 7, v1.DeleteError(0))
    _expect_reboot(peer, due)


def _declare_installed(name: str, request: v1.DevRebootTimeReq | v1.DevRebootCountdownReq) -> None:
    @CHECKS.check("firmwaremanagement", _V1, f"install-{name}", clause=_IMAGE, needs=["images"])
    def installed(peer: DevicePeer) -> None:
        """A reboot installs a valid image: its version runs, and it is no longer reported."""
        before = _versions(peer)
        _download(peer, 3, before.fw_version ^ 0x55)
        _ask(peer, request)
        if len(_reboots(peer, peer.now + 300.0)) != 1:
            raise Failed("expected one reboot")
        after = _versions(peer)
        if (after.fw_version, after.hw_version) != (before.fw_version ^ 0x55, before.hw_version):
            raise Failed(f"expected the new firmware on the old hardware; came {after}")
        _expect_image(peer, 0)


_declare_installed("now", v1.DevRebootTimeReq(reboot_time=0))
_declare_installed("countdown", v1.DevRebootCountdownReq(countdown=100))


@CHECKS.check("firmwaremanagement", _V1, "install-not-corrupt", clause=_IMAGE, needs=["images"])
def install_not_corrupt(peer: DevicePeer) -> None:
    """A reboot does not install an image that is corrupt or for other hardware."""
    before = _versions(peer)
    for count, status in enumerate((1, 2), 1):
        _download(peer, status, 99, count=count)
        _ask(peer, v1.DevRebootCountdownReq(countdown=0))
        peer.wait(120.0)
        if _versions(peer) != before:
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
    before = _versions(peer)
    _download(peer, 3, before.fw_version ^ 0x55)
    peer.power_on()
    peer.wait(60.0)
    if _versions(peer).fw_version == before.fw_version ^ 0x55:
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
    _expect_none(peer, 600.0)
    peer.power_on(factory=True)
    in_a_frame(peer, package, v1.DevRebootTimeReq(reboot_time=0))
    _expect_none(peer, 600.0)


@CHECKS.check("firmwaremanagement", _V1, "cancel-by-multicast", clause=_MULTICAST)
def cancel_by_multicast(peer: DevicePeer) -> None:
    """A cancel by multicast is ignored: the reboot takes place."""
    due = _program(peer, 40_000)
    package = peer.package("firmwaremanagement")
    in_a_frame(peer, package, v1.DevRebootCountdownReq(countdown=_CANCEL_COUNTDOWN))
    _expect_reboot(peer, due)


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
