"""Checks of command sets (TS007): packages, order, tokens, what cannot be read."""

from __future__ import annotations

from typing import Final

from ...clocksync import v1 as clocksync
from ...firmwaremanagement import v1 as firmware
from ...multipackage.commandset import CommandSet, read_answers
from ...multipackage.v1 import (
    DevPackageAns,
    DevPackageReq,
    PackageInfo,
)
from ...package import PackageVersionReq
from ..check import Catalogue, Failed, Severity
from ..devicepeer import DevicePeer
from ..subject import Rebooted, Uplink
from .command_set import (
    FPORT,
    expect_whole,
    other_packages,
    say,
    version_octets,
    whole,
)

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_V1: Final = (1,)
_SET: Final = "TS007, command sets"


def _declare_token(token: int) -> None:
    @CHECKS.check("multipackage", _V1, f"token-{token}", clause="TS007, CommandToken")
    def returned(peer: DevicePeer) -> None:
        """The answers to a set end with its Command Token, by which a server tells sets apart."""
        expect_whole(peer, bytes((0x00, token)), token, version_octets(0, peer))


for _token in range(4):
    _declare_token(_token)


@CHECKS.check("multipackage", _V1, "token-reserved-bits", clause="TS007, RFU")
def token_reserved_bits(peer: DevicePeer) -> None:
    """Reserved bits beside the token are ignored."""
    expect_whole(peer, b"\x00\xfe", 2, version_octets(0, peer))


@CHECKS.check("multipackage", _V1, "packages", clause="TS007, DevPackageAns")
def packages(peer: DevicePeer) -> None:
    """DevPackageAns lists every package with version and port, this one included.

    It is how a server learns which versions to speak, before it says anything else.
    """
    came = whole(peer, DevPackageReq().encode() + b"\x01", 1)
    found = read_answers(came + b"\x01", peer.packages.packages)
    commands = found.commands if isinstance(found, CommandSet) else ()
    if len(commands) != 1 or not isinstance(commands[0].command, DevPackageAns):
        raise Failed(f"expected DevPackageAns; came {came.hex(' ') or 'nothing'}")
    about = peer.subject.about
    wanted = {
        PackageInfo(
            package_identifier=one.identifier,
            package_version=one.version,
            port=peer.packages.fport(one.name),
        )
        for one in peer.packages.packages.values()
        if one.name in about.versions
    }
    if set(commands[0].command.packages) != wanted:
        raise Failed(f"expected {len(wanted)} packages as they are; came {commands[0].command}")


@CHECKS.check("multipackage", _V1, "every-package", clause=_SET)
def every_package(peer: DevicePeer) -> None:
    """One set asks every package for its version, and the answers come in order.

    A PackageID in front of a request is copied in front of its answer.
    """
    payload, wanted = b"\x00", version_octets(0, peer)
    for identifier in other_packages(peer):
        payload += bytes((0x80 | identifier, 0x00))
        wanted += bytes((0x80 | identifier,)) + version_octets(identifier, peer)
    expect_whole(peer, payload + b"\x03", 3, wanted)


@CHECKS.check("multipackage", _V1, "package-kept", clause="TS007, PackageID")
def package_kept(peer: DevicePeer) -> None:
    """A command without PackageID belongs to the package before it, and its answer has none."""
    identifier = other_packages(peer)[0]
    octets = bytes((0x80 | identifier,))
    version = version_octets(identifier, peer)
    expect_whole(peer, octets + b"\x00\x00\x02", 2, octets + version + version)


@CHECKS.check("multipackage", _V1, "package-zero-again", clause="TS007, PackageID")
def package_zero_again(peer: DevicePeer) -> None:
    """0x80 goes back to this package after another one."""
    identifier = other_packages(peer)[-1]
    octets = bytes((0x80 | identifier,))
    expect_whole(
        peer,
        octets + b"\x00\x80\x00\x00",
        0,
        octets + version_octets(identifier, peer) + b"\x80" + version_octets(0, peer),
    )


@CHECKS.check("multipackage", _V1, "other-order", clause="TS007: commands run in received order")
def other_order(peer: DevicePeer) -> None:
    """Packages are answered in the order of the set, whatever it is."""
    payload, wanted = b"", b""
    for identifier in reversed(other_packages(peer)):
        payload += bytes((0x80 | identifier, 0x00))
        wanted += bytes((0x80 | identifier,)) + version_octets(identifier, peer)
    expect_whole(peer, payload + b"\x01", 1, wanted)


@CHECKS.check("multipackage", _V1, "own-port-too", clause="TS007, dedicated access")
def own_port_too(peer: DevicePeer) -> None:
    """A package answers on its own port what comes there, and on 225 what comes on 225."""
    package = next(
        one for one in peer.packages.packages.values() if one.identifier in other_packages(peer)
    )
    whole(peer, bytes((0x80 | package.identifier, 0x00, 0x01)), 1)
    peer.send(package, PackageVersionReq())
    peer.expect(package, package.version_ans())
    expect_whole(peer, b"\x00\x02", 2, version_octets(0, peer))


@CHECKS.check("multipackage", _V1, "executed", clause=_SET)
def executed(peer: DevicePeer) -> None:
    """Commands of a set are executed, not answered only: here a reboot is programmed."""
    peer.package("firmwaremanagement")
    asked = firmware.DevRebootCountdownReq(countdown=300).encode()
    answered = firmware.DevRebootCountdownAns(countdown=300).encode()
    peer.events()
    began = peer.now
    peer.send_raw(FPORT, b"\x84" + asked + b"\x02")
    events = peer.wait(600.0)
    came = [one.payload for one in events if isinstance(one, Uplink) and one.fport == FPORT]
    if not came or came[0][:2] != b"\x84" + answered[:1]:
        raise Failed(f"expected the answer of the reboot; came {came}")
    reboots = [one.time - began for one in events if isinstance(one, Rebooted)]
    if len(reboots) != 1 or abs(reboots[0] - 300) > 5:
        raise Failed(f"expected one reboot after 300 s; came {reboots}")


@CHECKS.check("multipackage", _V1, "no-answer-goes-on", clause="TS007: nothing is appended")
def no_answer_goes_on(peer: DevicePeer) -> None:
    """A command without an answer adds nothing, and the next one is answered.

    One stack drops the whole set there, though it has executed it.
    """
    peer.package("clocksync")
    silent = clocksync.AppTimeAns(time_correction=0, token_ans=15).encode()
    came = whole(peer, b"\x00\x81" + silent + b"\x00\x80\x00\x02", 2)
    found = read_answers(came + b"\x02", peer.packages.packages)
    commands = found.commands if isinstance(found, CommandSet) else ()
    wanted = [(0, 0), (1, 0), (0, 0)]
    if [(one.package, one.command.CID) for one in commands] != wanted:
        raise Failed(f"expected three versions; came {came.hex(' ') or 'nothing'}")


@CHECKS.check(
    "multipackage",
    _V1,
    "only-silent",
    clause="TS007: an empty buffer is not sent",
    severity=Severity.RECOMMENDED,
)
def only_silent(peer: DevicePeer) -> None:
    """A set without answers causes no uplink."""
    peer.package("clocksync")
    silent = clocksync.AppTimeAns(time_correction=0, token_ans=15).encode()
    came = say(peer, b"\x81" + silent + b"\x02")
    if came:
        raise Failed(f"expected silence; came {came[0].hex(' ')}")
    expect_whole(peer, b"\x00\x01", 1, version_octets(0, peer))


def _declare_unreadable(name: str, what: str, octets: bytes) -> None:
    def script(peer: DevicePeer) -> None:
        came = whole(peer, b"\x00" + octets + b"\x01", 1)
        if came != version_octets(0, peer):
            raise Failed(f"expected the version alone; came {came.hex(' ') or 'nothing'}")
        expect_whole(peer, b"\x00\x02", 2, version_octets(0, peer))

    script.__doc__ = (
        f"{what} ends a set: what stood before it is answered, what follows is not.\n\n"
        "There are no lengths, so nobody knows where the next command begins.  One stack answers "
        "nothing, and\nhas executed what stood before."
    )
    CHECKS.check("multipackage", _V1, name, clause="TS007, sets", severity=Severity.RECOMMENDED)(
        script
    )


_declare_unreadable("unknown-package", "An unknown package", b"\xff\x00\x80\x00")
_declare_unreadable("unknown-command", "An unknown command", b"\x7f\x00\x00")
_declare_unreadable("cut-command", "A command that is cut off", b"\x81\x02")


def _declare_nothing(name: str, payload: bytes) -> None:
    @CHECKS.check("multipackage", _V1, name, clause=_SET, severity=Severity.RECOMMENDED)
    def nothing(peer: DevicePeer) -> None:
        """A payload without a command is ignored, and the device lives on."""
        came = say(peer, payload)
        if came:
            raise Failed(f"expected silence; came {came[0].hex(' ')}")
        expect_whole(peer, b"\x00\x01", 1, version_octets(0, peer))


_declare_nothing("empty", b"")
_declare_nothing("token-alone", b"\x01")
_declare_nothing("package-alone", b"\x81\x01")
