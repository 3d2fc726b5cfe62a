"""The checks against devices."""

from __future__ import annotations

from typing import Final

from ...datablock import DataBlock
from ...fec import ParityVariant
from ...fragmentation import v1
from ...multicastsetup import v1 as mc
from ..check import Catalogue, Severity
from ..devicepeer import DevicePeer

__all__ = ["DEVICE_CHECKS"]

DEVICE_CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()
"""Every check against a device."""


def _setup(nb_frag: int = 5) -> v1.FragSessionSetupReq:
    return v1.FragSessionSetupReq(
        mc_group_bit_mask=0,
        frag_index=0,
        nb_frag=nb_frag,
        frag_size=10,
        block_ack_delay=0,
        frag_algo=0,
        padding=0,
        descriptor=bytes(4),
    )


@DEVICE_CHECKS.check("fragmentation", (1,), "version", clause="TS004-1.0.0, PackageVersionReq")
def version(peer: DevicePeer) -> None:
    """The version that is asked for is told."""
    package = v1.PACKAGE
    peer.send(package, v1.PackageVersionReq())
    peer.expect(package, package.version_ans())


@DEVICE_CHECKS.check(
    "fragmentation", (1,), "set-up-zero", clause="TS004-1.0.0, FragSessionSetupReq"
)
def set_up_zero(peer: DevicePeer) -> None:
    """A session of no fragments is refused."""
    package = v1.PACKAGE
    peer.send(package, _setup(0))
    refused = v1.SetupError.NOT_ENOUGH_MEMORY
    peer.expect(package, v1.FragSessionSetupAns(errors=refused, frag_index=0))


@DEVICE_CHECKS.check(
    "fragmentation", (1,), "lossy-block", clause="TS004-1.0.0, FEC", needs=["blocks"]
)
def lossy_block(peer: DevicePeer) -> None:
    """A block is rebuilt from plain and coded fragments."""
    package, data = v1.PACKAGE, bytes(range(50))
    encoder = DataBlock.of(data, frag_size=10).encoder(ParityVariant.V1)
    peer.send(package, _setup())
    peer.expect(package, v1.FragSessionSetupAns(errors=v1.SetupError(0), frag_index=0))
    for n in (1, 2, 5, *range(6, 30)):
        peer.send(package, v1.DataFragment(n=n, frag_index=0, payload=encoder.fragment(n)))
    peer.expect_block(0, data)


@DEVICE_CHECKS.check(
    "fragmentation", (1,), "late-fragment", clause="TS004-1.0.0, DataFragment", needs=["blocks"]
)
def late_fragment(peer: DevicePeer) -> None:
    """Plain fragments are taken in any order."""
    package, data = v1.PACKAGE, bytes(range(50))
    encoder = DataBlock.of(data, frag_size=10).encoder(ParityVariant.V1)
    peer.send(package, _setup())
    peer.expect(package, v1.FragSessionSetupAns(errors=v1.SetupError(0), frag_index=0))
    for n in (5, 4, 3, 2, 1):
        peer.send(package, v1.DataFragment(n=n, frag_index=0, payload=encoder.fragment(n)))
    peer.expect_block(0, data)


@DEVICE_CHECKS.check(
    "fragmentation",
    (1,),
    "status-absent",
    clause="TS004-1.0.0, FragSessionStatusReq",
    severity=Severity.QUIRK,
    quirk_of=["LoRaMac-node", "LoRa Basics Modem 4.8 v1", "Zephyr 2025"],
)
def status_absent(peer: DevicePeer) -> None:
    """Nothing is told about a session that does not exist."""
    peer.send(v1.PACKAGE, v1.FragSessionStatusReq(participants=True, frag_index=0))
    peer.expect_silence()


@DEVICE_CHECKS.check("multicastsetup", (1, 2), "version", clause="TS005, PackageVersionReq")
def multicast_version(peer: DevicePeer) -> None:
    """The version that is asked for is told."""
    package = peer.packages.packages[mc.PACKAGE.identifier]
    peer.send(package, mc.PackageVersionReq())
    peer.expect(package, package.version_ans())
