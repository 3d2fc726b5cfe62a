"""Checks that are the same for sessions of class B and C (TS005): answers, start, end."""

from __future__ import annotations

import dataclasses
from typing import Final

from ...gpstime import WRAP_SECONDS
from ...multicastsetup import v1, v2
from ..check import Catalogue, Failed, Severity
from ..devicepeer import DevicePeer
from .group import set_up_group, setup_req
from .window import (
    BEACON,
    EARLY,
    accept,
    class_changes,
    expect_no_window,
    expect_window,
    refuse_session,
    session_answer,
    session_req,
)

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_C: Final = "TS005, McClassCSessionReq"
_B: Final = "TS005, McClassBSessionReq"


def _both_classes(letter: str) -> None:
    clause = _C if letter == "c" else _B
    needs = [f"class-{letter}"]

    @CHECKS.check("multicastsetup", _BOTH, f"class-{letter}-answer", clause=clause, needs=needs)
    def answered(peer: DevicePeer) -> None:
        """A session is accepted for the right group, and TimeToStart tells the time until then.

        It is counted from the uplink, and shows the server whether the device's clock is right;
        some seconds of age and air time are allowed.
        """
        index = peer.subject.about.mc_groups - 1
        set_up_group(peer, index)
        request = session_req(peer, letter, index)
        answer, time = session_answer(peer, request)
        if answer is None or answer.errors or answer.mc_group_id != index:
            raise Failed(f"expected the session to be accepted; came {answer or 'nothing'}")
        wanted, tolerance = request.session_time - time, 3.0 if letter == "c" else 60.0
        if answer.time_to_start is None or abs(answer.time_to_start - wanted) > tolerance:
            raise Failed(f"expected TimeToStart {wanted:.0f}; came {answer}")

    @CHECKS.check("multicastsetup", _BOTH, f"class-{letter}-undefined", clause=clause)
    def undefined(peer: DevicePeer) -> None:
        """A session of a group that was never set up is refused: McGroupUndefined, in one octet.

        Known stacks set other bits too, or leave the octet out.
        """
        request = session_req(peer, letter)
        refuse_session(peer, request, v2.SessionError.MC_GROUP_UNDEFINED, only=True)
        expect_no_window(peer, 1_500.0)

    @CHECKS.check("multicastsetup", _BOTH, f"class-{letter}-deleted", clause=clause)
    def deleted(peer: DevicePeer) -> None:
        """A session of a group that was deleted is refused with McGroupUndefined."""
        set_up_group(peer, 0)
        peer.ask(peer.package("multicastsetup"), v1.McGroupDeleteReq(mc_group_id=0))
        refuse_session(
            peer, session_req(peer, letter), v2.SessionError.MC_GROUP_UNDEFINED, only=False
        )

    @CHECKS.check("multicastsetup", _BOTH, f"class-{letter}-frequency", clause=clause, needs=needs)
    def frequency(peer: DevicePeer) -> None:
        """A frequency no device can use is refused with FreqError, and nothing is scheduled."""
        set_up_group(peer, 0)
        for hertz in (100, 99_999_900, 1_677_721_500):
            request = dataclasses.replace(session_req(peer, letter), dl_freq_hz=hertz)
            refuse_session(peer, request, v2.SessionError.FREQ_ERROR, only=True)
        expect_no_window(peer, 1_500.0)

    @CHECKS.check(
        "multicastsetup",
        _BOTH,
        f"class-{letter}-data-rate",
        clause=clause,
        severity=Severity.RECOMMENDED,
        needs=needs,
    )
    def data_rate(peer: DevicePeer) -> None:
        """A data rate above 15 is refused with DRError: no region has it, DR is a whole octet."""
        set_up_group(peer, 0)
        for extra in (16, 0x80, 0xF0):
            request = session_req(peer, letter)
            request = dataclasses.replace(request, dr=request.dr + extra)
            refuse_session(peer, request, v2.SessionError.DR_ERROR, only=True)
        expect_no_window(peer, 1_500.0)

    @CHECKS.check(
        "multicastsetup",
        _BOTH,
        f"class-{letter}-all-bits",
        clause=clause,
        severity=Severity.RECOMMENDED,
        needs=needs,
    )
    def all_bits(peer: DevicePeer) -> None:
        """Faults are told together: undefined group, frequency and data rate in one answer."""
        request = dataclasses.replace(session_req(peer, letter), dl_freq_hz=100, dr=255)
        bits = v2.SessionError.MC_GROUP_UNDEFINED | v2.SessionError.FREQ_ERROR
        refuse_session(peer, request, bits | v2.SessionError.DR_ERROR, only=True)

    @CHECKS.check("multicastsetup", _BOTH, f"class-{letter}-refused", clause=clause, needs=needs)
    def refused(peer: DevicePeer) -> None:
        """A refused request leaves the session that is scheduled alone.

        A known stack writes the new parameters over the old ones, and checks them then.
        """
        set_up_group(peer, 0)
        good = session_req(peer, letter)
        accept(peer, good)
        session_answer(peer, dataclasses.replace(good, dl_freq_hz=100))
        session_answer(peer, dataclasses.replace(good, session_time=int(peer.now) - 50_000))
        opened = [
            one
            for one in class_changes(peer, good.session_time + 10.0)
            if one.device_class == letter.upper()
        ]
        if len(opened) != 1:
            raise Failed("expected the session to begin all the same; the device stays in class A")

    @CHECKS.check(
        "multicastsetup", _BOTH, f"class-{letter}-reserved-bits", clause="TS005, RFU", needs=needs
    )
    def reserved_bits(peer: DevicePeer) -> None:
        """Reserved bits of a session request are ignored, for the answer and for the window."""
        set_up_group(peer, 0)
        request = session_req(peer, letter)
        octets = bytearray(request.encode())
        octets[1] |= 0xFC
        octets[6] |= 0xF0 if letter == "c" else 0x80
        answer, _ = session_answer(peer, bytes(octets))
        if answer is None or answer.errors or answer.mc_group_id != 0:
            raise Failed(f"expected the session to be accepted; came {answer or 'nothing'}")
        start = float(request.session_time)
        length = 1 << request.time_out if letter == "c" else BEACON << request.time_out
        expect_window(
            peer, letter.upper(), start, start + length, early=EARLY if letter == "c" else 400.0
        )

    @CHECKS.check("multicastsetup", (2,), f"class-{letter}-missed", clause=clause)
    def missed(peer: DevicePeer) -> None:
        """A session whose start is past is refused with StartMissed, and nothing is scheduled.

        It comes without TimeToStart: the answer is two octets with its identifier.
        """
        set_up_group(peer, 0)
        for ago in (2, 1_000, 100_000):
            start = (int(peer.now) - ago) % WRAP_SECONDS
            request = dataclasses.replace(session_req(peer, letter), session_time=start, time_out=2)
            refuse_session(peer, request, v2.SessionError.START_MISSED, only=True)
        expect_no_window(peer, 1_000.0)

    @CHECKS.check(
        "multicastsetup",
        (1,),
        f"class-{letter}-missed",
        clause="TS005-1.0.0 has no bit for it",
        severity=Severity.RECOMMENDED,
        needs=needs,
    )
    def missed_1(peer: DevicePeer) -> None:
        """A session that is over is refused with some bit, and nothing is scheduled.

        An acceptance looks to the server as if the device had listened.
        """
        set_up_group(peer, 0)
        start = (int(peer.now) - 100_000) % WRAP_SECONDS
        request = dataclasses.replace(session_req(peer, letter), session_time=start, time_out=2)
        answer, _ = session_answer(peer, request)
        if answer is None or not answer.errors:
            raise Failed(f"expected a refusal; came {answer or 'nothing'}")
        expect_no_window(peer, 1_000.0)

    severity = Severity.REQUIRED
    for version in _BOTH:

        @CHECKS.check(
            "multicastsetup",
            (version,),
            f"class-{letter}-far",
            clause="TS005-2.0.0, TimeToStart",
            severity=severity if version == 2 else Severity.RECOMMENDED,
            needs=needs,
        )
        def far(peer: DevicePeer) -> None:
            """A start that is further off than 24 bits of seconds is told as 0xFFFFFF.

            Cut to 24 bits it would be a plausible time that is months wrong.
            """
            set_up_group(peer, 0)
            request = session_req(peer, letter)
            request = dataclasses.replace(
                request, session_time=(request.session_time + (1 << 25)) % WRAP_SECONDS
            )
            answer, _ = session_answer(peer, request)
            if answer is None or answer.errors or answer.time_to_start != 0xFFFFFF:
                raise Failed(f"expected TimeToStart 0xFFFFFF; came {answer or 'nothing'}")

    # --- How they run

    @CHECKS.check("multicastsetup", _BOTH, f"class-{letter}-repeat", clause=clause, needs=needs)
    def repeat(peer: DevicePeer) -> None:
        """The same request again is accepted again, and there is one session, not two."""
        set_up_group(peer, 0)
        request = session_req(peer, letter)
        for _ in range(3):
            accept(peer, request)
        start = float(request.session_time)
        length = 1 << request.time_out if letter == "c" else BEACON << request.time_out
        expect_window(
            peer, letter.upper(), start, start + length, early=EARLY if letter == "c" else 400.0
        )

    @CHECKS.check("multicastsetup", _BOTH, f"class-{letter}-replaced", clause=clause, needs=needs)
    def replaced(peer: DevicePeer) -> None:
        """A later request for the group replaces the session: one window, at the new time."""
        set_up_group(peer, 0)
        request = session_req(peer, letter)
        accept(peer, request)
        later = dataclasses.replace(request, session_time=request.session_time + 1_280)
        accept(peer, later)
        start = float(later.session_time)
        length = 1 << later.time_out if letter == "c" else BEACON << later.time_out
        expect_window(
            peer, letter.upper(), start, start + length, early=EARLY if letter == "c" else 400.0
        )

    @CHECKS.check(
        "multicastsetup", _BOTH, f"class-{letter}-delete-before", clause=clause, needs=needs
    )
    def delete_before(peer: DevicePeer) -> None:
        """A delete of the group cancels its session before it begins."""
        set_up_group(peer, 0)
        accept(peer, session_req(peer, letter))
        peer.ask(peer.package("multicastsetup"), v1.McGroupDeleteReq(mc_group_id=0))
        expect_no_window(peer, 1_500.0)

    @CHECKS.check(
        "multicastsetup", _BOTH, f"class-{letter}-delete-running", clause=clause, needs=needs
    )
    def delete_running(peer: DevicePeer) -> None:
        """A delete of the group ends its session at once: the receiver does not stay on."""
        set_up_group(peer, 0)
        request = dataclasses.replace(session_req(peer, letter), time_out=10)
        accept(peer, request)
        class_changes(peer, request.session_time + 20.0)
        peer.send(peer.package("multicastsetup"), v1.McGroupDeleteReq(mc_group_id=0))
        changes = class_changes(peer, peer.now + 30.0)
        if [one.device_class for one in changes] != ["A"]:
            raise Failed("expected class A after the delete; the session goes on")

    @CHECKS.check(
        "multicastsetup",
        _BOTH,
        f"class-{letter}-setup-before",
        clause="TS005 leaves it open",
        severity=Severity.RECOMMENDED,
        needs=needs,
    )
    def setup_before(peer: DevicePeer) -> None:
        """Another set-up of the group cancels the session of the group it replaces."""
        set_up_group(peer, 0)
        accept(peer, session_req(peer, letter))
        peer.ask(peer.package("multicastsetup"), setup_req(peer.new_group(0)))
        expect_no_window(peer, 1_500.0)

    @CHECKS.check(
        "multicastsetup",
        _BOTH,
        f"class-{letter}-survives-reset",
        clause="TS005 leaves it open",
        severity=Severity.RECOMMENDED,
        needs=[*needs, "power-cycle"],
    )
    def survives_reset(peer: DevicePeer) -> None:
        """A session that was accepted begins after a power cycle too, if the time is known.

        The device has promised to listen, and the server sends once.
        """
        set_up_group(peer, 0)
        request = session_req(peer, letter)
        accept(peer, request)
        peer.power_on()
        start = float(request.session_time)
        length = 1 << request.time_out if letter == "c" else BEACON << request.time_out
        expect_window(
            peer, letter.upper(), start, start + length, early=EARLY if letter == "c" else 400.0
        )


_both_classes("c")
_both_classes("b")
