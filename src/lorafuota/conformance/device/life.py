"""Whether a device is alive: where silence is right, it has to say something afterwards."""

from __future__ import annotations

from ...clocksync import v1 as clocksync
from ...package import Package, PackageVersionReq
from ..check import Failed
from ..devicepeer import DevicePeer

__all__ = ["expect_version"]


def expect_version(peer: DevicePeer, package: Package) -> None:
    """Fail unless the device answers PackageVersionReq, whatever it asks by itself meanwhile.

    Raises:
        Failed: So.
    """
    came = [
        one
        for one in peer.ask(package, PackageVersionReq())
        if not isinstance(one, clocksync.AppTimeReq)
    ]
    if came != [package.version_ans()]:
        raise Failed(f"expected {package.version_ans()}; came {came or 'nothing'}")
