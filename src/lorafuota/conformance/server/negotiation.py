"""Which versions a device speaks, on which ports, and whom a server believes (all documents)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...fragmentation.v1 import DataFragment
from ...multipackage.v1 import DevPackageReq
from ...package import PackageVersionAns, PackageVersionReq
from ...session.stacks import device_profile
from ...wire import Command
from ..check import Catalogue, Failed, NotApplicable
from ..fleetdevice import FleetDevice
from ..serverpeer import ServerPeer
from ._common import (
    BOTH,
    SETUPS,
    bad_and_good,
    expect_bounded,
    expect_spoken_to,
    finish_without,
    lose_answers,
    setups,
)

__all__ = ["CHECKS"]

CHECKS: Catalogue[ServerPeer] = Catalogue()
check = CHECKS.check

_FRAG: Final = 3
"""PackageIdentifier of TS004."""


def _asked_first(peer: ServerPeer, name: str, *, firmware: bool = False) -> None:
    fleet = peer.play(2, firmware=firmware)
    peer.finish()
    expect_spoken_to(peer, fleet)
    if not any(
        sent.package is not None and sent.package.name == name for sent in peer.observer.sent
    ):
        raise NotApplicable(f"the server says nothing on the port of {name}")
    for device in fleet:
        known = False
        for sent in peer.observer.sent:
            if sent.dev_eui != device.entry.dev_eui:
                continue
            for one in sent.commands:
                if isinstance(one, DevPackageReq):
                    continue  # not answered by this fleet
                ours = sent.package is not None and sent.package.name == name
                if ours and isinstance(one, PackageVersionReq):
                    known = True
                elif ours and isinstance(one, Command) and not known:
                    raise Failed(f"{type(one).__name__} came before PackageVersionReq")


@check("fragmentation", BOTH, "asked", clause="TS004, 0: never guess", needs=["asks-versions"])
def asked_fragmentation(peer: ServerPeer) -> None:
    """The version is asked for before anything else is sent on the port.

    Versions share port and command identifiers, and nothing in a payload says which one it is.
    """
    _asked_first(peer, "fragmentation")


@check("multicastsetup", BOTH, "asked", clause="TS005, 4.1", needs=["asks-versions"])
def asked_multicastsetup(peer: ServerPeer) -> None:
    """The version is asked for before anything else is sent on the port."""
    _asked_first(peer, "multicastsetup")


@check("clocksync", BOTH, "asked", clause="TS003, 2", needs=["asks-versions"])
def asked_clocksync(peer: ServerPeer) -> None:
    """The version is asked for before anything else is sent on the port."""
    _asked_first(peer, "clocksync")


@check("firmwaremanagement", (1,), "asked", clause="TS006, 2", needs=["asks-versions"])
def asked_firmwaremanagement(peer: ServerPeer) -> None:
    """The version is asked for before anything else is sent on the port."""
    _asked_first(peer, "firmwaremanagement", firmware=True)


def _versions(
    peer: ServerPeer, identifier: int, version: int
) -> tuple[FleetDevice, list[FleetDevice]]:
    """Play a device that answers so about TS004."""
    bad, good = bad_and_good(peer)
    port = bad.packages.fport("fragmentation")
    before = bad.sends

    def says(air: tuple[float, int, bytes]) -> Sequence[tuple[float, int, bytes]]:
        if air[1] == port and air[2][:1] == PackageVersionAns.CID.to_bytes():
            return [(air[0], port, bytes((0, identifier, version)))]
        return list(before(air))

    bad.sends = says
    peer.begin()
    finish_without(peer, bad, good)
    expect_bounded(peer, bad, PackageVersionReq)
    if setups(peer, bad):
        raise Failed("a set-up was sent to a device whose version is not known")
    return bad, good


@check(
    "fragmentation",
    BOTH,
    "other-identifier",
    clause="TS005, 4.1: check the identifier before the version",
    needs=["asks-versions"],
)
def other_identifier(peer: ServerPeer) -> None:
    """A version with the PackageIdentifier of another package is not believed."""
    _versions(peer, 4, peer.package.version)


@check(
    "fragmentation",
    BOTH,
    "other-version",
    clause="field report: SWL2001 116",
    needs=["asks-versions"],
)
def other_version(peer: ServerPeer) -> None:
    """A device of a version that the server does not know gets no set-up, and is reported so."""
    bad, _ = _versions(peer, _FRAG, 9)
    peer.expect_status(bad, "Package_Not_Supported")


@check("fragmentation", BOTH, "silent", clause="TR002, 4: bounded retries")
def silent(peer: ServerPeer) -> None:
    """A device that never answers anything is given up, and does not hold the others."""
    bad, good = bad_and_good(peer)
    bad.deaf = bad.mute = True
    peer.begin()
    finish_without(peer, bad, good)
    if len([one for one in peer.observer.sent if one.dev_eui == bad.entry.dev_eui]) > 100:
        raise Failed("over a hundred downlinks went to a device that never said anything")


@check(
    "fragmentation",
    BOTH,
    "version-answer-lost",
    clause="TS004, 8.2",
    needs=["asks-versions"],
)
def version_answer_lost(peer: ServerPeer) -> None:
    """A version whose answer is lost is asked for again, and the update goes on."""
    bad, good = bad_and_good(peer)
    lose_answers(bad, "fragmentation", PackageVersionAns.CID, 2)
    peer.begin()
    peer.finish()
    peer.expect_updated([bad, *good])


@check("fragmentation", BOTH, "mixed", clause="TS004, 0: versions are different protocols")
def mixed(peer: ServerPeer) -> None:
    """Devices of both versions in one update each get their layout and their matrix."""
    if not set(BOTH) <= set(peer.subject.about.versions["fragmentation"]):
        raise NotApplicable("the server speaks one version only")
    peer.draw_image()
    fleet = [
        peer.make_device(profile=peer.plain(device_profile(f"documents v{version}")))
        for version in (1, 2, 1, 2)
    ]
    for device in fleet:
        device.loses = lambda n: n % 3 == 0
    peer.begin(redundancy=0.6)
    peer.finish()
    peer.expect_updated(fleet)


@check(
    "fragmentation",
    BOTH,
    "ports",
    clause="TS004, 1: a dedicated port",
    needs=["ports", "unicast"],
)
def ports(peer: ServerPeer) -> None:
    """A device whose packages live on other ports is spoken to there, and only there."""
    peer.draw_image()
    moved = {"fragmentation": 61, "multicastsetup": 60, "clocksync": 62}
    device = peer.make_device(fports=moved, multicast=False)
    peer.begin()
    peer.finish()
    peer.expect_updated([device])
    for sent in peer.observer.sent:
        if 200 <= sent.fport <= 203:
            raise Failed(f"FPort {sent.fport} was used; the device's packages are on others")


@check("fragmentation", BOTH, "no-fragments-unknown", clause="TS004, 8.2")
def no_fragments_unknown(peer: ServerPeer) -> None:
    """A device that refuses to tell its version gets neither set-up nor fragments by unicast."""
    peer.need("asks-versions")
    bad, good = bad_and_good(peer)
    lose_answers(bad, "fragmentation", PackageVersionAns.CID, 1_000)
    peer.begin()
    finish_without(peer, bad, good)
    for kind in (*SETUPS, DataFragment):
        if peer.sent(kind, bad):
            raise Failed(f"{kind.__name__} was sent to a device of unknown version")
