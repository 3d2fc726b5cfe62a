"""Asking a device for its firmware, and watching it reboot (TS006)."""

from __future__ import annotations

from typing import Final

from ...firmwaremanagement import v1
from ...gpstime import WRAP_SECONDS
from ...package import Parsed
from ...types import UPLINK
from ...wire import Command
from ..check import Failed
from ..devicepeer import DevicePeer
from ..subject import DeviceEvent, Rebooted, Uplink

__all__ = [
    "CANCEL_COUNTDOWN",
    "CANCEL_TIME",
    "LATE",
    "ask_firmware",
    "expect_answer",
    "expect_no_reboot",
    "expect_reboot",
    "program",
    "reboot_after",
    "reboot_at",
    "reboots_until",
    "running_versions",
]

CANCEL_TIME: Final = 0xFFFF_FFFF
CANCEL_COUNTDOWN: Final = 0xFF_FFFF
LATE: Final = 5.0


def ask_firmware(peer: DevicePeer, *commands: Command) -> list[Parsed]:
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


def expect_answer(peer: DevicePeer, request: Command, wanted: Command | None) -> None:
    """Send a request, and fail unless this is the answer (None: nothing)."""
    came = ask_firmware(peer, request)
    if came != ([] if wanted is None else [wanted]):
        raise Failed(f"expected {wanted or 'nothing'}; came {came or 'nothing'}")


def running_versions(peer: DevicePeer) -> v1.DevVersionAns:
    """Return the versions a device tells."""
    came = ask_firmware(peer, v1.DevVersionReq())
    if len(came) != 1 or not isinstance(came[0], v1.DevVersionAns):
        raise Failed(f"expected one DevVersionAns; came {came or 'nothing'}")
    return came[0]


def reboots_until(peer: DevicePeer, until: float) -> list[float]:
    """Let time pass; return when the device rebooted since somebody last asked."""
    return [one.time for one in peer.wait(until - peer.now) if isinstance(one, Rebooted)]


def expect_reboot(peer: DevicePeer, at: float) -> None:
    """Fail unless the device reboots then, and only then for an hour after it."""
    found = reboots_until(peer, at + 3_600.0)
    if len(found) != 1 or not at - 2.0 <= found[0] <= at + LATE:
        shown = ", ".join(f"{one - at:+.1f} s" for one in found) or "none"
        raise Failed(f"expected one reboot at its time; came {shown}")


def expect_no_reboot(peer: DevicePeer, seconds: float) -> None:
    """Fail if the device reboots meanwhile."""
    found = reboots_until(peer, peer.now + seconds)
    if found:
        raise Failed("expected no reboot; the device reboots")


def reboot_at(peer: DevicePeer, time: float) -> int | None:
    """Program a reboot at a GPS time; return the answer's figure, None without an answer."""
    came = ask_firmware(peer, v1.DevRebootTimeReq(reboot_time=int(time) % WRAP_SECONDS))
    if not came:
        return None
    if len(came) != 1 or not isinstance(came[0], v1.DevRebootTimeAns):
        raise Failed(f"expected one DevRebootTimeAns; came {came}")
    return came[0].reboot_time


def reboot_after(peer: DevicePeer, seconds: int) -> int | None:
    """Program a reboot after so many seconds; return the answer's figure, None without one."""
    came = ask_firmware(peer, v1.DevRebootCountdownReq(countdown=seconds))
    if not came:
        return None
    if len(came) != 1 or not isinstance(came[0], v1.DevRebootCountdownAns):
        raise Failed(f"expected one DevRebootCountdownAns; came {came}")
    return came[0].countdown


def program(peer: DevicePeer, seconds: int) -> float:
    """Program a reboot after so many seconds; return when it is due."""
    due = peer.now + seconds
    answer = reboot_after(peer, seconds)
    if answer is None or not seconds - 20 <= answer <= seconds:
        raise Failed(f"expected a countdown of at most {seconds} s; came {answer}")
    return due
