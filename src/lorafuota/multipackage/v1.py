"""Multi-Package Access, version 1 (TS007-1.0.0): the commands of package 0.

They exist only on FPort 225, inside command sets and answer buffers
(:mod:`lorafuota.multipackage.commandset`).
"""

from __future__ import annotations

from typing import Final

from ..package import Package, PackageVersionAns, PackageVersionReq
from ..types import DOWNLINK, UPLINK
from ..wire import Command, Record, command, only_if, record, repeat, rest, uint

__all__ = [
    "BUFFER_SIZE",
    "NO_SUCH_BYTES",
    "PACKAGE",
    "DevPackageAns",
    "DevPackageReq",
    "MultiPackBufferFrag",
    "MultiPackBufferReq",
    "PackageInfo",
    "PackageVersionAns",
    "PackageVersionReq",
]

BUFFER_SIZE: Final = 128
"""Octets in the longest ANS buffer."""

NO_SUCH_BYTES: Final = 0xFF
"""The BaseByte of the error answer to a MultiPackBufferReq out of range."""


@command(0x01, DOWNLINK, size=0)
class DevPackageReq(Command):
    """Ask which packages the device has."""


@record
class PackageInfo(Record):
    """One line of DevPackageAns."""

    package_identifier: int = uint(8, doc="Package")
    package_version: int = uint(8, doc="Its major version")
    port: int = uint(8, doc="Its FPort")


@command(0x01, UPLINK, size=1)
class DevPackageAns(Command):
    """List the device's packages, this one included."""

    nb_total_packages: int = uint(4, rfu=4, low=1, doc="Packages listed below")
    packages: tuple[PackageInfo, ...] = repeat(
        PackageInfo, by="nb_total_packages", doc="The packages, in any order"
    )


@command(0x02, DOWNLINK, size=2, alone=True)
class MultiPackBufferReq(Command):
    """Ask for a part of the ANS buffer.  Travels alone and without a Command Token."""

    start_byte: int = uint(8, doc="First octet wanted")
    stop_byte: int = uint(8, doc="Last octet wanted; past the end means to the end")


@command(0x02, UPLINK, size=1, alone=True)
class MultiPackBufferFrag(Command):
    """A piece of the ANS buffer, or the answer to a request for octets that do not exist."""

    base_byte: int = uint(8, high=127, also=0xFF, doc="Position of the piece; 0xFF: no such octets")
    ans: bytes | None = only_if(
        "base_byte", range(128), rest(low=1, high=128, keep=1, doc="Octets of the ANS buffer")
    )
    token: int | None = only_if(
        "base_byte", range(128), uint(2, rfu=6, doc="Command Token of the set answered")
    )


PACKAGE = Package(
    name="multipackage",
    title="Multi-Package Access",
    document="TS007-1.0.0",
    identifier=0,
    version=1,
    fport=225,
    commands=(
        PackageVersionReq,
        PackageVersionAns,
        DevPackageReq,
        DevPackageAns,
        MultiPackBufferReq,
        MultiPackBufferFrag,
    ),
)
