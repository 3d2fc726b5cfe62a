"""Checks of the ANS buffer (TS007): parts, pieces, overflow."""

from __future__ import annotations

from typing import Final

from ...firmwaremanagement import v1 as firmware
from ...multipackage.commandset import read_answers
from ...multipackage.v1 import (
    BUFFER_SIZE,
    MultiPackBufferReq,
)
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer
from ..subject import Rebooted, Uplink
from .command_set import (
    FPORT,
    expect_whole,
    joined,
    say,
    set_uplinks,
    version_octets,
    whole,
)
from .group import listen, set_up_group, signed

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_V1: Final = (1,)
_BUFFER: Final = "TS007, MultiPackBufferReq"


# --- The buffer -----------------------------------------------------------------------------------


def _filled(peer: DevicePeer, count: int = 8, token: int = 2) -> bytes:
    """Fill the buffer with versions; return what it has to hold."""
    expect_whole(peer, bytes(count) + bytes((token,)), token, version_octets(0, peer) * count)
    return version_octets(0, peer) * count


def _range(peer: DevicePeer, start: int, stop: int) -> list[bytes]:
    return say(peer, MultiPackBufferReq(start_byte=start, stop_byte=stop).encode())


def _expect_range(
    peer: DevicePeer, start: int, stop: int, wanted: bytes, *, token: int = 2
) -> None:
    came = joined(peer, _range(peer, start, stop), token, first=start)
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
    expect_whole(peer, b"\x00\x03", 3, version_octets(0, peer))
    _expect_range(peer, 0, 127, version_octets(0, peer), token=3)


@CHECKS.check("multipackage", _V1, "buffer-not-executed", clause="TS007, MultiPackBufferReq")
def buffer_not_executed(peer: DevicePeer) -> None:
    """A request for the buffer does not execute the set again."""
    peer.package("firmwaremanagement")
    began = peer.now
    peer.send_raw(
        FPORT, b"\x84" + firmware.DevRebootCountdownReq(countdown=1_000).encode() + b"\x02"
    )
    peer.pause(300.0)
    peer.send_raw(FPORT, MultiPackBufferReq(start_byte=0, stop_byte=127).encode())
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
        peer.send_raw(FPORT, payload)
        events = peer.wait(900.0)
        came = [one.payload for one in events if isinstance(one, Uplink) and one.fport == FPORT]
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
    came = say(peer, b"\x02\x00\x7f\x01")
    if came:
        raise Failed(f"expected silence; came {came[0].hex(' ')}")


@CHECKS.check("multipackage", _V1, "overflow", clause="TS007: 128 octets")
def overflow(peer: DevicePeer) -> None:
    """Answers beyond 128 octets are left out whole: what comes can be read, and is no longer.

    What happens to the rest is not said.
    """
    came = whole(peer, bytes(60) + b"\x01", 1)
    version = version_octets(0, peer)
    if len(came) > BUFFER_SIZE or not came or came != version * (len(came) // 3):
        raise Failed(f"expected whole answers, at most 128 octets; came {len(came)} octets")


@CHECKS.check(
    "multipackage", _V1, "overflow-fills", clause="TS007: 128 octets", severity=Severity.RECOMMENDED
)
def overflow_fills(peer: DevicePeer) -> None:
    """The buffer takes 128 octets: one stack has 125."""
    wanted = version_octets(0, peer) * 42
    came = whole(peer, bytes(42) + b"\x01", 1)
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
    return bytes(42), version_octets(0, peer) * 42


@CHECKS.check("multipackage", _V1, "pieces", clause="TS007, MultiPackBufferFrag")
def pieces(peer: DevicePeer) -> None:
    """Answers that do not fit one uplink come in pieces, each as long as it can be."""
    request, answers = _longer_than_an_uplink(peer)
    came = say(peer, request + b"\x03")
    if joined(peer, came, 3) != answers:
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
    version = version_octets(0, peer)
    request = b"\x80\x00" * named + bytes(count - named)
    wanted = (b"\x80" + version) * named + version * (count - named)
    came = say(peer, request + b"\x01")
    if came != [wanted + b"\x01"]:
        raise Failed(f"expected one uplink of {len(wanted) + 1} octets; came {len(came)}")


@CHECKS.check("multipackage", _V1, "pieces-abandoned", clause="TS007: a new set aborts")
def pieces_abandoned(peer: DevicePeer) -> None:
    """A new set ends the pieces of the one before: no octet of it comes afterwards."""
    request, _ = _longer_than_an_uplink(peer)
    peer.events()
    peer.send_raw(FPORT, request + b"\x03")
    peer.pause(1.0)
    before = set_uplinks(peer, 0.5)
    if not before or read_answers(before[-1], peer.packages.packages) is None:
        raise NotApplicable("the device has not begun")
    came = say(peer, b"\x00\x01")
    if came != [version_octets(0, peer) + b"\x01"]:
        raise Failed(f"expected the answer of the new set alone; came {len(came)} uplinks")


@CHECKS.check("multipackage", _V1, "pieces-restarted", clause="TS007: MultiPackBufferReq aborts")
def pieces_restarted(peer: DevicePeer) -> None:
    """A request for a part ends the pieces that are under way, and its part comes."""
    request, answers = _longer_than_an_uplink(peer)
    peer.events()
    peer.send_raw(FPORT, request + b"\x03")
    peer.pause(1.0)
    set_uplinks(peer, 0.5)
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
        frame[8] = FPORT
        peer.frame(signed(group, bytes(frame), fcnt=0))
    else:
        peer.multicast(group, peer.package("multipackage"), b"\x00\x01")
    came = set_uplinks(peer)
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
    if joined(peer, came, 2) != buffer:
        raise Failed("expected the error piece, or the buffer as it was")
