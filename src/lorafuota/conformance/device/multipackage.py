"""Checks of multi-package access (TS007): command sets, their answers, and the ANS buffer."""

from __future__ import annotations

from typing import Final

from ...clocksync import v1 as clocksync
from ...firmwaremanagement import v1 as firmware
from ...multipackage.commandset import CommandSet, read_answers
from ...multipackage.v1 import (
    BUFFER_SIZE,
    DevPackageAns,
    DevPackageReq,
    MultiPackBufferFrag,
    MultiPackBufferReq,
    PackageInfo,
)
from ...package import PackageVersionReq
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer
from ..subject import Rebooted, Uplink
from .group import listen, set_up_group, signed

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_V1: Final = (1,)
_FPORT: Final = 225
_SET: Final = "TS007, command sets"
_BUFFER: Final = "TS007, MultiPackBufferReq"
_WAIT: Final = 200.0
"""Seconds for all pieces of a buffer to leave."""


def _uplinks(peer: DevicePeer, within: float = _WAIT) -> list[bytes]:
    """Let time pass; return every payload on FPort 225."""
    return [
        one.payload for one in peer.wait(within) if isinstance(one, Uplink) and one.fport == _FPORT
    ]


def _say(peer: DevicePeer, payload: bytes) -> list[bytes]:
    """Send a payload on FPort 225; return what comes there."""
    peer.events()
    peer.send_raw(_FPORT, payload)
    return _uplinks(peer)


def _whole(peer: DevicePeer, payload: bytes, token: int) -> bytes:
    """Send a command set; return the ANS buffer, from one uplink or from pieces.

    Raises:
        Failed: The pieces do not fit each other, or have another token.
    """
    came = _say(peer, payload)
    if len(came) == 1 and came[0][:1] != b"\x02":
        if not came[0] or came[0][-1] & 3 != token:
            raise Failed(f"expected token {token} at the end; came {came[0].hex(' ')}")
        return came[0][:-1]
    return _joined(peer, came, token)


def _joined(peer: DevicePeer, came: list[bytes], token: int, *, first: int = 0) -> bytes:
    """Put the pieces of a buffer together.

    Raises:
        Failed: They do not follow each other, have another token, or are too long.
    """
    octets = b""
    for payload in came:
        piece = read_answers(payload, peer.packages.packages)
        if not isinstance(piece, MultiPackBufferFrag) or piece.ans is None:
            raise Failed(f"expected a MultiPackBufferFrag; came {payload.hex(' ')}")
        if len(payload) > peer.subject.about.max_payload:
            raise Failed(f"an uplink of {len(payload)} octets")
        if piece.base_byte != first + len(octets) or piece.token != token:
            wanted = f"BaseByte {first + len(octets)} and token {token}"
            raise Failed(f"expected {wanted}; came {payload.hex(' ')}")
        octets += piece.ans
    return octets


def _version(identifier: int, peer: DevicePeer) -> bytes:
    """Return the octets of a PackageVersionAns."""
    [version] = [
        one.version for one in peer.packages.packages.values() if one.identifier == identifier
    ]
    return bytes((0x00, identifier, version))


def _expect_whole(peer: DevicePeer, payload: bytes, token: int, wanted: bytes) -> None:
    came = _whole(peer, payload, token)
    if came != wanted:
        raise Failed(f"expected {wanted.hex(' ')}; came {came.hex(' ') or 'nothing'}")


def _others(peer: DevicePeer) -> list[int]:
    """Return the identifiers of the device's packages besides this one.

    Raises:
        NotApplicable: There are none.
    """
    found = sorted(
        one.identifier
        for one in peer.packages.packages.values()
        if one.name in peer.subject.about.versions and one.identifier
    )
    if not found:
        raise NotApplicable("the device has no other package")
    return found


# --- Sets -----------------------------------------------------------------------------------------


def _declare_token(token: int) -> None:
    @CHECKS.check("multipackage", _V1, f"token-{token}", clause="TS007, CommandToken")
    def returned(peer: DevicePeer) -> None:
        """The answers to a set end with its Command Token, by which a server tells sets apart."""
        _expect_whole(peer, bytes((0x00, token)), token, _version(0, peer))


for _token in range(4):
    _declare_token(_token)


@CHECKS.check("multipackage", _V1, "token-reserved-bits", clause="TS007, RFU")
def token_reserved_bits(peer: DevicePeer) -> None:
    """Reserved bits beside the token are ignored."""
    _expect_whole(peer, b"\x00\xfe", 2, _version(0, peer))


@CHECKS.check("multipackage", _V1, "packages", clause="TS007, DevPackageAns")
def packages(peer: DevicePeer) -> None:
    """DevPackageAns lists every package with version and port, this one included.

    It is how a server learns which versions to speak, before it says anything else.
    """
    came = _whole(peer, DevPackageReq().encode() + b"\x01", 1)
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
    payload, wanted = b"\x00", _version(0, peer)
    for identifier in _others(peer):
        payload += bytes((0x80 | identifier, 0x00))
        wanted += bytes((0x80 | identifier,)) + _version(identifier, peer)
    _expect_whole(peer, payload + b"\x03", 3, wanted)


@CHECKS.check("multipackage", _V1, "package-kept", clause="TS007, PackageID")
def package_kept(peer: DevicePeer) -> None:
    """A command without PackageID belongs to the package before it, and its answer has none."""
    identifier = _others(peer)[0]
    octets = bytes((0x80 | identifier,))
    version = _version(identifier, peer)
    _expect_whole(peer, octets + b"\x00\x00\x02", 2, octets + version + version)


@CHECKS.check("multipackage", _V1, "package-zero-again", clause="TS007, PackageID")
def package_zero_again(peer: DevicePeer) -> None:
    """0x80 goes back to this package after another one."""
    identifier = _others(peer)[-1]
    octets = bytes((0x80 | identifier,))
    _expect_whole(
        peer,
        octets + b"\x00\x80\x00\x00",
        0,
        octets + _version(identifier, peer) + b"\x80" + _version(0, peer),
    )


@CHECKS.check("multipackage", _V1, "other-order", clause="TS007: commands run in received order")
def other_order(peer: DevicePeer) -> None:
    """Packages are answered in the order of the set, whatever it is."""
    payload, wanted = b"", b""
    for identifier in reversed(_others(peer)):
        payload += bytes((0x80 | identifier, 0x00))
        wanted += bytes((0x80 | identifier,)) + _version(identifier, peer)
    _expect_whole(peer, payload + b"\x01", 1, wanted)


@CHECKS.check("multipackage", _V1, "own-port-too", clause="TS007, dedicated access")
def own_port_too(peer: DevicePeer) -> None:
    """A package answers on its own port what comes there, and on 225 what comes on 225."""
    package = next(
        one for one in peer.packages.packages.values() if one.identifier in _others(peer)
    )
    _whole(peer, bytes((0x80 | package.identifier, 0x00, 0x01)), 1)
    peer.send(package, PackageVersionReq())
    peer.expect(package, package.version_ans())
    _expect_whole(peer, b"\x00\x02", 2, _version(0, peer))


@CHECKS.check("multipackage", _V1, "executed", clause=_SET)
def executed(peer: DevicePeer) -> None:
    """Commands of a set are executed, not answered only: here a reboot is programmed."""
    peer.package("firmwaremanagement")
    asked = firmware.DevRebootCountdownReq(countdown=300).encode()
    answered = firmware.DevRebootCountdownAns(countdown=300).encode()
    peer.events()
    began = peer.now
    peer.send_raw(_FPORT, b"\x84" + asked + b"\x02")
    events = peer.wait(600.0)
    came = [one.payload for one in events if isinstance(one, Uplink) and one.fport == _FPORT]
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
    came = _whole(peer, b"\x00\x81" + silent + b"\x00\x80\x00\x02", 2)
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
    came = _say(peer, b"\x81" + silent + b"\x02")
    if came:
        raise Failed(f"expected silence; came {came[0].hex(' ')}")


def _declare_unreadable(name: str, what: str, octets: bytes) -> None:
    def script(peer: DevicePeer) -> None:
        came = _whole(peer, b"\x00" + octets + b"\x01", 1)
        if came != _version(0, peer):
            raise Failed(f"expected the version alone; came {came.hex(' ') or 'nothing'}")
        _expect_whole(peer, b"\x00\x02", 2, _version(0, peer))

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
        came = _say(peer, payload)
        if came:
            raise Failed(f"expected silence; came {came[0].hex(' ')}")
        _expect_whole(peer, b"\x00\x01", 1, _version(0, peer))


_declare_nothing("empty", b"")
_declare_nothing("token-alone", b"\x01")
_declare_nothing("package-alone", b"\x81\x01")


# --- The buffer -----------------------------------------------------------------------------------


def _filled(peer: DevicePeer, count: int = 8, token: int = 2) -> bytes:
    """Fill the buffer with versions; return what it has to hold."""
    _expect_whole(peer, bytes(count) + bytes((token,)), token, _version(0, peer) * count)
    return _version(0, peer) * count


def _range(peer: DevicePeer, start: int, stop: int) -> list[bytes]:
    return _say(peer, MultiPackBufferReq(start_byte=start, stop_byte=stop).encode())


def _expect_range(
    peer: DevicePeer, start: int, stop: int, wanted: bytes, *, token: int = 2
) -> None:
    came = _joined(peer, _range(peer, start, stop), token, first=start)
    if came != wanted:
        raise Failed(f"expected {wanted.hex(' ')}; came {came.hex(' ') or 'nothing'}")


@CHECKS.check("multipackage", _V1, "buffer-all", clause=_BUFFER)
def buffer_all(peer: DevicePeer) -> None:
    """The buffer is kept, and sent again in pieces when asked for, as often as asked."""
    buffer = _filled(peer)
    for _ in range(2):
        _expect_range(peer, 0, 127, buffer)


@CHECKS.check("multipackage", _V1, "buffer-range", clause="TS007: both indices are inclusive")
def buffer_range(peer: DevicePeer) -> None:
    """A part is sent from StartByte to StopByte, both included.

    One stack leaves StopByte itself out, another where it is not the last.
    """
    buffer = _filled(peer)
    _expect_range(peer, 8, 15, buffer[8:16])
    _expect_range(peer, 3, 10, buffer[3:11])


@CHECKS.check("multipackage", _V1, "buffer-one-octet", clause="TS007: both indices are inclusive")
def buffer_one_octet(peer: DevicePeer) -> None:
    """StartByte equal to StopByte is one octet, the last one too."""
    buffer = _filled(peer)
    _expect_range(peer, 5, 5, buffer[5:6])
    _expect_range(peer, 23, 23, buffer[23:24])


@CHECKS.check("multipackage", _V1, "buffer-past-end", clause=_BUFFER)
def buffer_past_end(peer: DevicePeer) -> None:
    """A StopByte past the end means to the end: nothing is filled up.

    One stack sends what stands behind the answers in memory.
    """
    buffer = _filled(peer)
    _expect_range(peer, 20, 127, buffer[20:])
    _expect_range(peer, 20, 255, buffer[20:])


def _expect_error(peer: DevicePeer, start: int, stop: int) -> None:
    came = _range(peer, start, stop)
    if len(came) != 1 or came[0][:2] != b"\x02\xff" or len(came[0]) > 3:
        raise Failed(f"expected the error piece 02 ff; came {[one.hex(' ') for one in came]}")


@CHECKS.check("multipackage", _V1, "buffer-start-past-end", clause=_BUFFER)
def buffer_start_past_end(peer: DevicePeer) -> None:
    """A StartByte past the end is answered with the error piece."""
    _filled(peer)
    for start in (24, 100, 255):
        _expect_error(peer, start, 255)


@CHECKS.check("multipackage", _V1, "buffer-backwards", clause=_BUFFER)
def buffer_backwards(peer: DevicePeer) -> None:
    """A StopByte before StartByte is answered with the error piece."""
    _filled(peer)
    _expect_error(peer, 10, 9)
    _expect_error(peer, 1, 0)


@CHECKS.check("multipackage", _V1, "buffer-empty", clause=_BUFFER)
def buffer_empty(peer: DevicePeer) -> None:
    """An empty buffer is answered with the error piece, whatever is asked for."""
    _expect_error(peer, 0, 127)


@CHECKS.check(
    "multipackage", _V1, "buffer-error-exact", clause="TS007, error", severity=Severity.QUIRK
)
def buffer_error_exact(peer: DevicePeer) -> None:
    """The error piece is 02 ff, without a token; one stack appends it."""
    came = _range(peer, 0, 127)
    if came != [b"\x02\xff"]:
        raise Failed(f"expected 02 ff; came {[one.hex(' ') for one in came]}")


@CHECKS.check("multipackage", _V1, "buffer-after-error", clause=_BUFFER)
def buffer_after_error(peer: DevicePeer) -> None:
    """A request in error leaves the buffer as it is."""
    buffer = _filled(peer)
    _expect_error(peer, 90, 127)
    _expect_range(peer, 0, 127, buffer)


@CHECKS.check("multipackage", _V1, "buffer-cleared", clause="TS007, ANS buffer")
def buffer_cleared(peer: DevicePeer) -> None:
    """The next set clears the buffer, and its token counts from then on."""
    _filled(peer, 8, 2)
    _expect_whole(peer, b"\x00\x03", 3, _version(0, peer))
    _expect_range(peer, 0, 127, _version(0, peer), token=3)


@CHECKS.check("multipackage", _V1, "buffer-not-executed", clause="TS007, MultiPackBufferReq")
def buffer_not_executed(peer: DevicePeer) -> None:
    """A request for the buffer does not execute the set again."""
    peer.package("firmwaremanagement")
    began = peer.now
    peer.send_raw(
        _FPORT, b"\x84" + firmware.DevRebootCountdownReq(countdown=1_000).encode() + b"\x02"
    )
    peer.pause(300.0)
    peer.send_raw(_FPORT, MultiPackBufferReq(start_byte=0, stop_byte=127).encode())
    reboots = [one.time - began for one in peer.wait(3_000.0) if isinstance(one, Rebooted)]
    if len(reboots) != 1 or abs(reboots[0] - 1_000) > 5:
        raise Failed(f"expected one reboot after 1000 s; came {reboots}")


def _declare_mixed(name: str, payload: bytes) -> None:
    @CHECKS.check("multipackage", _V1, name, clause="TS007: the whole set is discarded silently")
    def mixed(peer: DevicePeer) -> None:
        """A set that has MultiPackBufferReq in it is discarded whole: nothing is executed.

        One stack executes the commands before it, and answers an error.
        """
        peer.package("firmwaremanagement")
        buffer = _filled(peer)
        peer.events()
        peer.send_raw(_FPORT, payload)
        events = peer.wait(900.0)
        came = [one.payload for one in events if isinstance(one, Uplink) and one.fport == _FPORT]
        if came:
            raise Failed(f"expected silence; came {came[0].hex(' ')}")
        if any(isinstance(one, Rebooted) for one in events):
            raise Failed("a command of the set was executed: the device reboots")
        _expect_range(peer, 0, 127, buffer)


_REBOOT: Final = firmware.DevRebootCountdownReq(countdown=300).encode()
_declare_mixed("mixed-last", b"\x84" + _REBOOT + b"\x80\x02\x00\x7f\x01")
_declare_mixed("mixed-error", b"\x84" + _REBOOT + b"\x80\x02\x7f\x00\x01")


@CHECKS.check(
    "multipackage",
    _V1,
    "buffer-with-token",
    clause="TS007: without a token",
    severity=Severity.QUIRK,
)
def buffer_with_token(peer: DevicePeer) -> None:
    """MultiPackBufferReq with a token is a set that is discarded; one stack takes it."""
    _filled(peer)
    came = _say(peer, b"\x02\x00\x7f\x01")
    if came:
        raise Failed(f"expected silence; came {came[0].hex(' ')}")


@CHECKS.check("multipackage", _V1, "overflow", clause="TS007: 128 octets")
def overflow(peer: DevicePeer) -> None:
    """Answers beyond 128 octets are left out whole: what comes can be read, and is no longer.

    What happens to the rest is not said.
    """
    came = _whole(peer, bytes(60) + b"\x01", 1)
    version = _version(0, peer)
    if len(came) > BUFFER_SIZE or not came or came != version * (len(came) // 3):
        raise Failed(f"expected whole answers, at most 128 octets; came {len(came)} octets")


@CHECKS.check(
    "multipackage", _V1, "overflow-fills", clause="TS007: 128 octets", severity=Severity.RECOMMENDED
)
def overflow_fills(peer: DevicePeer) -> None:
    """The buffer takes 128 octets: one stack has 125."""
    wanted = _version(0, peer) * 42
    came = _whole(peer, bytes(42) + b"\x01", 1)
    if came != wanted:
        raise Failed(f"expected 126 octets; came {len(came)}")


# --- Pieces ---------------------------------------------------------------------------------------


def _longer_than_an_uplink(peer: DevicePeer) -> tuple[bytes, bytes]:
    """Return a set whose answers do not fit one uplink, and its answers.

    Raises:
        NotApplicable: Any answers fit.
    """
    room = peer.subject.about.max_payload
    if room > BUFFER_SIZE:
        raise NotApplicable("whatever the buffer holds fits one uplink")
    return bytes(42), _version(0, peer) * 42


@CHECKS.check("multipackage", _V1, "pieces", clause="TS007, MultiPackBufferFrag")
def pieces(peer: DevicePeer) -> None:
    """Answers that do not fit one uplink come in pieces, each as long as it can be."""
    request, answers = _longer_than_an_uplink(peer)
    came = _say(peer, request + b"\x03")
    if _joined(peer, came, 3) != answers:
        raise Failed(f"expected {len(answers)} octets in pieces; came {len(came)} uplinks")
    longest = peer.subject.about.max_payload
    if any(len(one) != longest for one in came[:-1]):
        raise Failed("a piece is shorter than it could be")


@CHECKS.check("multipackage", _V1, "pieces-fit", clause="TS007: a set that fits is not cut")
def pieces_fit(peer: DevicePeer) -> None:
    """Answers that just fit one uplink with their token come whole.

    A known stack cuts two octets early.  PackageIDs in front make the answers as long as that.
    """
    room = min(peer.subject.about.max_payload - 1, BUFFER_SIZE)
    count, named = divmod(room, 3)
    version = _version(0, peer)
    request = b"\x80\x00" * named + bytes(count - named)
    wanted = (b"\x80" + version) * named + version * (count - named)
    came = _say(peer, request + b"\x01")
    if came != [wanted + b"\x01"]:
        raise Failed(f"expected one uplink of {len(wanted) + 1} octets; came {len(came)}")


@CHECKS.check("multipackage", _V1, "pieces-abandoned", clause="TS007: a new set aborts")
def pieces_abandoned(peer: DevicePeer) -> None:
    """A new set ends the pieces of the one before: no octet of it comes afterwards."""
    request, _ = _longer_than_an_uplink(peer)
    peer.events()
    peer.send_raw(_FPORT, request + b"\x03")
    peer.pause(1.0)
    before = _uplinks(peer, 0.5)
    if not before or read_answers(before[-1], peer.packages.packages) is None:
        raise NotApplicable("the device has not begun")
    came = _say(peer, b"\x00\x01")
    if came != [_version(0, peer) + b"\x01"]:
        raise Failed(f"expected the answer of the new set alone; came {len(came)} uplinks")


@CHECKS.check("multipackage", _V1, "pieces-restarted", clause="TS007: MultiPackBufferReq aborts")
def pieces_restarted(peer: DevicePeer) -> None:
    """A request for a part ends the pieces that are under way, and its part comes."""
    request, answers = _longer_than_an_uplink(peer)
    peer.events()
    peer.send_raw(_FPORT, request + b"\x03")
    peer.pause(1.0)
    _uplinks(peer, 0.5)
    _expect_range(peer, 4, 19, answers[4:20], token=3)


# --- Unicast only, reset --------------------------------------------------------------------------


@CHECKS.check("multipackage", _V1, "by-multicast", clause="TS007: unicast only; promise S10")
def by_multicast(peer: DevicePeer) -> None:
    """A set by multicast is ignored, with all that is in it."""
    peer.package("multicastsetup")
    group = set_up_group(peer, 0)
    listen(peer, group)
    peer.events()
    if "frames" in peer.subject.about.can:
        frame = bytearray(group.sender.seal(b"\x00\x01", fport=223))
        frame[8] = _FPORT
        peer.frame(signed(group, bytes(frame), fcnt=0))
    else:
        peer.multicast(group, peer.package("multipackage"), b"\x00\x01")
    came = _uplinks(peer)
    if came:
        raise Failed(f"expected silence; came {came[0].hex(' ')}")


@CHECKS.check(
    "multipackage",
    _V1,
    "reset-empties",
    clause="TS007 leaves it open",
    needs=["power-cycle"],
    severity=Severity.RECOMMENDED,
)
def reset_empties(peer: DevicePeer) -> None:
    """After a power cycle the buffer is empty, or what it was; it is nothing between."""
    buffer = _filled(peer)
    peer.power_on()
    came = _range(peer, 0, 127)
    if len(came) == 1 and came[0][:2] == b"\x02\xff":
        return
    if _joined(peer, came, 2) != buffer:
        raise Failed("expected the error piece, or the buffer as it was")
