"""Checks that are the same for every package: versions, length errors, unknown commands, garbage.

A payload is commands back to back without lengths.  What a device cannot read ends it; nothing may
be executed of a command that is not all there, and nothing read behind the end of the message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...catalogue import PACKAGES
from ...clocksync import v1 as clocksync
from ...firmwaremanagement import v1 as firmware
from ...fragmentation import v1 as fragmentation_v1
from ...fragmentation import v2 as fragmentation_v2
from ...multicastsetup import v1 as multicast
from ...package import MAX_PAYLOAD, Package, PackageVersionAns, PackageVersionReq
from ...types import DOWNLINK, UPLINK, DevAddr
from ...wire import Command
from ..check import Catalogue, Failed, Severity
from ..devicepeer import DevicePeer
from ..subject import BlockDelivered, ClassChanged, Rebooted, Uplink
from .group import in_a_frame
from .life import expect_version

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_UNKNOWN: Final = b"\x7f"
_OWN_FORMAT: Final = "multipackage"
"""Its payloads have another form, and checks of their own."""
_BITS: Final = 8

_SETUP_1: Final = fragmentation_v1.FragSessionSetupReq(
    mc_group_bit_mask=0,
    frag_index=0,
    nb_frag=4,
    frag_size=8,
    block_ack_delay=0,
    frag_algo=0,
    padding=0,
    descriptor=bytes(4),
)
_SETUP_2: Final = fragmentation_v2.FragSessionSetupReq(
    mc_group_bit_mask=0,
    frag_index=0,
    nb_frag=4,
    frag_size=8,
    block_ack_delay=0,
    frag_algo=0,
    ack_reception=False,
    padding=0,
    descriptor=bytes(4),
    session_cnt=1,
    mic=bytes(4),
)
_FRAGMENTATION: Final[Sequence[Command]] = (
    fragmentation_v1.FragSessionStatusReq(participants=True, frag_index=0),
    fragmentation_v1.FragSessionDeleteReq(frag_index=0),
    fragmentation_v1.DataFragment(n=1, frag_index=0, payload=bytes(8)),
)
_GROUP: Final = multicast.McGroupSetupReq(
    mc_group_id=0,
    mc_addr=DevAddr(0x0102_0304),
    mc_key_encrypted=bytes(range(16)),
    min_mc_fcnt=0,
    max_mc_fcnt=1_000,
)
_SESSION: Final = {
    "mc_group_id": 0,
    "session_time": 1_400_001_024,
    "time_out": 3,
    "dl_freq_hz": 869_525_000,
    "dr": 0,
}
_REQUESTS: Final[dict[tuple[str, int], Sequence[Command]]] = (
    {
        ("clocksync", version): (
            clocksync.AppTimeAns(time_correction=50_000, token_ans=0),
            clocksync.DeviceAppTimePeriodicityReq(period=15),
        )
        for version in (1, 2)
    }
    | {
        ("multicastsetup", version): (
            multicast.McGroupStatusReq(req_group_mask=15),
            _GROUP,
            multicast.McGroupDeleteReq(mc_group_id=0),
            multicast.McClassCSessionReq(**_SESSION),
            multicast.McClassBSessionReq(periodicity=4, **_SESSION),
        )
        for version in (1, 2)
    }
    | {
        ("fragmentation", 1): (_SETUP_1, *_FRAGMENTATION),
        ("fragmentation", 2): (
            _SETUP_2,
            *_FRAGMENTATION,
            fragmentation_v2.FragDataBlockReceivedAns(frag_index=0),
        ),
        ("firmwaremanagement", 1): (
            firmware.DevRebootTimeReq(reboot_time=0),
            firmware.DevRebootCountdownReq(countdown=0),
            firmware.DevDeleteImageReq(firmware_to_delete_version=0),
        ),
    }
)
"""A good request of each command that has a body, by package and version."""


def _own(peer: DevicePeer, package: Package, octets: bytes, *, within: float = 30.0) -> list[str]:
    """Send octets; return what the device does about them, in words.

    Not what it does by itself: asking for the time.
    """
    fport, done = peer.packages.fport(package.name), []
    peer.events()
    peer.send_raw(fport, octets)
    for event in peer.wait(within):
        match event:
            case Uplink() if event.fport == fport:
                parsed = package.parse(event.payload, UPLINK)
                if not all(isinstance(one, clocksync.AppTimeReq) for one in parsed):
                    done.append(f"answers {event.payload.hex(' ')}")
            case Rebooted():
                done.append("reboots")
            case ClassChanged():
                done.append(f"goes to class {event.device_class}")
            case BlockDelivered():
                done.append(f"delivers a block of {len(event.data)} octets")
            case _:
                pass
    return done


def _declare(package: Package) -> None:
    """Declare what holds for every payload of a package."""
    name, versions = package.name, (package.version,)
    document = package.document

    @CHECKS.check(name, versions, "version", clause=f"{document}, PackageVersionReq")
    def version(peer: DevicePeer) -> None:
        """PackageVersionReq is answered with the package and its version, on the same port.

        The version chooses the codec and, for fragmentation, the parity matrix.
        """
        expect_version(peer, package)

    @CHECKS.check(name, versions, "version-by-multicast", clause=f"{document}: unicast only")
    def version_by_multicast(peer: DevicePeer) -> None:
        """PackageVersionReq by multicast is ignored: a whole fleet would answer at one time."""
        in_a_frame(peer, package, PackageVersionReq())
        came = [
            one
            for one in peer.answers(package, within=60.0)
            if not isinstance(one, clocksync.AppTimeReq)
        ]
        if came:
            raise Failed(f"expected silence; came {came[0]}")

    @CHECKS.check(name, versions, "unknown", clause=f"{document}: no such command")
    def unknown(peer: DevicePeer) -> None:
        """A command that no document defines is ignored, and the device lives on."""
        for cid in (0x06, 0x10, 0x40, 0x7F, 0x80, 0xFF):
            for tail in (b"", _UNKNOWN, b"\xff" * 40):
                octets = bytes((cid,)) + tail
                if done := _own(peer, package, octets, within=2.0):
                    raise Failed(f"expected silence about {octets[:4].hex(' ')}; it {done[0]}")
        expect_version(peer, package)

    @CHECKS.check(
        name,
        versions,
        "unknown-behind",
        clause=f"{document} leaves it open",
        severity=Severity.RECOMMENDED,
    )
    def unknown_behind(peer: DevicePeer) -> None:
        """Commands before one that cannot be read are answered.

        They have been executed; a device that keeps silent leaves the server to guess.
        """
        done = _own(peer, package, b"\x00" + _UNKNOWN * 3)
        wanted = f"answers {package.version_ans().encode().hex(' ')}"
        if done != [wanted]:
            raise Failed(f"expected that the device {wanted}; it {', '.join(done) or 'is silent'}")

    @CHECKS.check(
        name,
        versions,
        "unknown-before",
        clause=f"{document} leaves it open",
        severity=Severity.RECOMMENDED,
    )
    def unknown_before(peer: DevicePeer) -> None:
        """Nothing behind a command that cannot be read is executed: its length is not known.

        Two stacks go on at the next octet, and invent commands out of somebody's data.
        """
        if done := _own(peer, package, _UNKNOWN + b"\x00\x00"):
            raise Failed(f"expected silence; it {done[0]}")
        expect_version(peer, package)

    @CHECKS.check(name, versions, "empty", clause="zephyr issue 113354; TS001, FRMPayload")
    def empty(peer: DevicePeer) -> None:
        """A payload without octets is ignored."""
        if done := _own(peer, package, b""):
            raise Failed(f"expected silence; it {done[0]}")
        expect_version(peer, package)

    @CHECKS.check(
        name,
        versions,
        "many",
        clause="LoRa Basics Modem issues SWL2001 19 and 20; LoRaMac-node issue 797",
    )
    def many(peer: DevicePeer) -> None:
        """As many commands as a payload can hold do no harm; no answer is cut, none invented.

        An answer buffer that was made for one command is written past its end.
        """
        for count in (2, 20, MAX_PAYLOAD):
            _answers_of(peer, package, count)
        peer.wait(300.0)
        expect_version(peer, package)

    @CHECKS.check(
        name,
        versions,
        "many-all",
        clause=f"{document} leaves it open",
        severity=Severity.RECOMMENDED,
    )
    def many_all(peer: DevicePeer) -> None:
        """All of twenty commands are answered, in more than one uplink if they have to be."""
        found = _answers_of(peer, package, 20)
        if found != 20:
            raise Failed(f"expected 20 answers; came {found}")

    @CHECKS.check(
        name,
        versions,
        "garbage",
        clause="zephyr issues 74517, 112927 and 113354; LoRaMac-node issue 1614",
    )
    def garbage(peer: DevicePeer) -> None:
        """Hundreds of damaged payloads do no harm: every uplink can be read, and the device lives.

        Octets at random, and good commands with flipped bits, cut off, or with a tail.
        """
        fport = peer.packages.fport(name)
        good = [one.encode() for one in _REQUESTS[name, package.version]]
        for _ in range(300):
            peer.send_raw(fport, _damaged(peer, good))
            peer.pause(0.1)
        peer.pause(600.0)
        for event in peer.events():
            if isinstance(event, Uplink) and event.fport == fport:
                unread = [
                    one
                    for one in package.parse(event.payload, UPLINK)
                    if not isinstance(one, Command)
                ]
                if unread:
                    raise Failed(f"an uplink cannot be read: {event.payload.hex(' ')}")
        expect_version(peer, package)

    for request in _REQUESTS[name, package.version]:
        _declare_cut(package, request)


def _answers_of(peer: DevicePeer, package: Package, count: int) -> int:
    """Ask for the version so often in one payload; return how many answers come.

    Raises:
        Failed: Something else comes, or an uplink is longer than the device says.
    """
    fport, found = peer.packages.fport(package.name), 0
    peer.events()
    peer.send_raw(fport, bytes(count))
    for event in peer.wait(60.0):
        if not isinstance(event, Uplink) or event.fport != fport:
            continue
        if len(event.payload) > peer.subject.about.max_payload:
            raise Failed(f"an uplink of {len(event.payload)} octets")
        for one in package.parse(event.payload, UPLINK):
            if isinstance(one, clocksync.AppTimeReq):
                continue
            if not isinstance(one, PackageVersionAns) or one != package.version_ans():
                raise Failed(f"expected {package.version_ans()}; came {one}")
            found += 1
    if not 0 <= found <= count:
        raise Failed(f"expected at most {count} answers; came {found}")
    return found


def _damaged(peer: DevicePeer, good: Sequence[bytes]) -> bytes:
    rng = peer.rng
    kind = rng.randrange(5)
    if kind == 0:
        return rng.randbytes(rng.randrange(60))
    octets = bytearray(rng.choice(good))
    if kind == 1:
        return bytes(octets[: rng.randrange(len(octets))])
    if kind == 2:
        return bytes(octets) + rng.randbytes(rng.randrange(1, 30))
    if kind == 3:
        return bytes(octets) + rng.choice(good) + rng.choice(good)[:-1]
    for _ in range(rng.randrange(1, 4)):
        octets[rng.randrange(len(octets))] ^= 1 << rng.randrange(_BITS)
    return bytes(octets)


def _declare_cut(package: Package, request: Command) -> None:
    """Declare that a command which is cut off anywhere is not executed."""
    command = type(request)
    name = "".join(f"-{c.lower()}" if c.isupper() else c for c in command.__name__)

    @CHECKS.check(
        package.name,
        (package.version,),
        f"cut{name}",
        clause="zephyr issue 74517; LoRaMac-node issue 878; SWL2001 20",
    )
    def cut(peer: DevicePeer) -> None:
        """A command that is cut off anywhere is not executed, not answered, and does no harm.

        What stands behind a short message in memory is not part of it.
        """
        octets = request.encode()
        shortest = 3 if command.CID == fragmentation_v1.DataFragment.CID else len(octets)
        for length in range(1, shortest):
            if done := _own(peer, package, octets[:length], within=3.0):
                raise Failed(f"expected silence about {octets[:length].hex(' ')}; it {done[0]}")
        expect_version(peer, package)


for _package in PACKAGES:
    if _package.name != _OWN_FORMAT:
        assert all(
            _one.DIRECTION is DOWNLINK for _one in _REQUESTS[_package.name, _package.version]
        )
        _declare(_package)
