"""What the scripts of several files share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias

from ...fragmentation import v1 as frag_v1
from ...fragmentation import v2 as frag_v2
from ...multicastsetup import v1 as mc_v1
from ...session.fragsession import SetupReq, StatusAns
from ...wire import Command
from ..check import Failed, NotApplicable
from ..fleetdevice import Air, FleetDevice
from ..serverpeer import ServerPeer

Script: TypeAlias = Callable[[ServerPeer], None]

BOTH: Final = (1, 2)
MOST_REQUESTS: Final = 40
"""Of one kind to one device that does not give the answer wanted; more is no end."""

Session: TypeAlias = mc_v1.McClassCSessionReq | mc_v1.McClassBSessionReq
SESSIONS: Final = (mc_v1.McClassCSessionReq, mc_v1.McClassBSessionReq)
SETUPS: Final = (frag_v1.FragSessionSetupReq, frag_v2.FragSessionSetupReq)


def setups(peer: ServerPeer, device: FleetDevice | None = None) -> list[SetupReq]:
    """Return the set-ups of fragmentation sessions that were sent, of either version."""
    wanted = None if device is None else device.entry.dev_eui
    return [
        one
        for sent in peer.observer.sent
        if wanted is None or sent.dev_eui == wanted
        for one in sent.commands
        if isinstance(one, SETUPS)
    ]


def sessions(peer: ServerPeer, device: FleetDevice | None = None) -> list[tuple[float, Session]]:
    """Return the requests for multicast sessions, of either class, and when they were sent."""
    wanted = None if device is None else device.entry.dev_eui
    return [
        (sent.time, one)
        for sent in peer.observer.sent
        if wanted is None or sent.dev_eui == wanted
        for one in sent.commands
        if isinstance(one, SESSIONS)
    ]


def window_of(session: Session) -> tuple[float, float]:
    """Return from when until when a device listens that took this request."""
    unit = 1 if isinstance(session, mc_v1.McClassCSessionReq) else 128
    return float(session.session_time), float(session.session_time + (unit << session.time_out))


def need_groups(peer: ServerPeer) -> None:
    """Leave the check if the server sends nothing by multicast.

    Raises:
        NotApplicable: So.
    """
    if not peer.by_groups:
        raise NotApplicable("the server has no groups")


def played_by_group(peer: ServerPeer, count: int = 3, **how: Any) -> list[FleetDevice]:
    """Play an update; fail if no fragment was sent by multicast.

    Raises:
        Failed: So.
    """
    need_groups(peer)
    fleet = peer.play(count, **how)
    peer.end()
    if all(frame.fragment is None for frame in peer.observer.frames):
        raise Failed("no fragment was sent by multicast")
    return fleet


def announced(peer: ServerPeer, count: int = 3, **how: Any) -> list[FleetDevice]:
    """Play an update; fail if no device was told of a window.

    Raises:
        Failed: So.
    """
    need_groups(peer)
    fleet = peer.play(count, **how)
    peer.end()
    expect_announced(peer)
    return fleet


def expect_announced(peer: ServerPeer) -> None:
    """Fail if no device was told of a window.

    Raises:
        Failed: So.
    """
    if not sessions(peer):
        raise Failed("no device was told of a window")


def expect_updates(peer: ServerPeer) -> None:
    """Fail unless the server, asked for another update of the plain kind, brings it to an end.

    Raises:
        Failed: So.
    """
    again = ServerPeer(peer.subject, package=peer.package, seed="again", start=peer.now)
    try:
        fleet = again.play(1)
        again.finish()
        again.expect_updated(fleet)
    finally:
        peer.transcript.extend(again.transcript)


def windows_of(peer: ServerPeer) -> list[tuple[float, float]]:
    """Return every window that devices were told of, each once, in order."""
    return sorted({window_of(one) for _, one in sessions(peer)})


def count(peer: ServerPeer, device: FleetDevice, kinds: Sequence[type[Command]]) -> int:
    """Return how often commands of these kinds were sent to a device."""
    return sum(len(peer.sent(kind, device)) for kind in kinds)


def expect_bounded(
    peer: ServerPeer,
    device: FleetDevice,
    *kinds: type[Command],
    most: int = MOST_REQUESTS,
) -> None:
    """Fail if a device was asked the same thing again and again.

    Raises:
        Failed: So.
    """
    found = count(peer, device, kinds)
    if found > most:
        raise Failed(f"{kinds[0].__name__} went to one device {found} times, whatever it answered")


def expect_fragments(peer: ServerPeer) -> None:
    """Fail if no fragment was sent to anybody.

    Raises:
        Failed: So.
    """
    if next(peer.observer.fragments, None) is None:
        raise Failed("no fragment was sent")


def expect_spoken_to(peer: ServerPeer, devices: Iterable[FleetDevice]) -> None:
    """Fail if one of these devices was sent nothing by unicast.

    Raises:
        Failed: So.
    """
    reached = {sent.dev_eui for sent in peer.observer.sent}
    for device in devices:
        if device.entry.dev_eui not in reached:
            raise Failed(f"nothing was sent to {device.entry.dev_eui}")


def expect_counters_rise(peer: ServerPeer) -> None:
    """Fail unless every frame of a group has a higher counter than the one before.

    Raises:
        Failed: So.
    """
    last: dict[int, int] = {}
    for frame in peer.observer.frames:
        if frame.fcnt is None:
            raise Failed("a frame tells no counter, or its MIC fits none")
        if frame.fcnt <= last.get(frame.mc_addr, -1):
            raise Failed(f"frame counter {frame.fcnt} follows {last[frame.mc_addr]}")
        last[frame.mc_addr] = frame.fcnt


def expect_unclaimed(peer: ServerPeer, device: FleetDevice) -> None:
    """Fail if the server calls a device updated that is not.

    Raises:
        Failed: So.
    """
    said = peer.outcomes.get(device.entry.dev_eui)
    if said is not None and (said.status == "Successful" or said.reached):
        raise Failed(f"the device is reported {said.status} {said.reached}".rstrip())


def bad_and_good(
    peer: ServerPeer, count: int = 3, **how: Any
) -> tuple[FleetDevice, list[FleetDevice]]:
    """Draw an image and a fleet; return the device that is going to misbehave, and the rest."""
    peer.draw_image()
    first, *rest = peer.devices(count, **how)
    return first, rest


def finish_without(peer: ServerPeer, bad: FleetDevice, good: Iterable[FleetDevice]) -> None:
    """Play to the end: the others are updated, and of the bad one nothing is claimed.

    Raises:
        Failed: So it is not.
    """
    peer.finish()
    peer.expect_updated(good)
    if not bad.has_block or not bad.honest:
        expect_unclaimed(peer, bad)


def setup_ans(peer: ServerPeer, errors: int, frag_index: int) -> bytes:
    """Return FragSessionSetupAns with any bits; both versions have the same layout."""
    return bytes((frag_v1.FragSessionSetupAns.CID, frag_index << 6 | errors))


def refuses_setups(
    peer: ServerPeer,
    errors: int,
    *,
    times: int = 1_000,
    also: Callable[[SetupReq], bool] | None = None,
) -> Callable[[Command], Sequence[Command | bytes] | None]:
    """Return what makes a device refuse set-ups with these bits, so many times."""
    left = [times]

    def says(command: Command) -> Sequence[Command | bytes] | None:
        assert isinstance(command, SETUPS)
        if left[0] == 0 or (also is not None and not also(command)):
            return None
        left[0] -= 1
        return [setup_ans(peer, errors, command.frag_index)]

    return says


def says_always(*answers: Command | bytes) -> Callable[[Command], Sequence[Command | bytes] | None]:
    """Return what makes a device give these answers and no other."""
    return lambda command: answers


def status_ans(
    peer: ServerPeer,
    *,
    frag_index: int,
    received: int,
    missing: int,
    memory_error: bool = False,
    mic_error: bool = False,
) -> StatusAns:
    """Return FragSessionStatusAns in the layout of the fleet's version."""
    if peer.version("fragmentation") == 1:
        return frag_v1.FragSessionStatusAns(
            frag_index=frag_index,
            nb_frag_received=received,
            missing_frag=missing,
            not_enough_matrix_memory=memory_error,
        )
    return frag_v2.FragSessionStatusAns(
        memory_error=memory_error,
        mic_error=mic_error,
        session_does_not_exist=False,
        nb_frag_received=received,
        frag_index=frag_index,
        missing_frag=missing,
    )


Answers: TypeAlias = Callable[[Air], Iterable[Air]]


def rewrite(device: FleetDevice, package: str, cid: int, how: Answers) -> None:
    """Have uplinks on a package's port that begin with this CID become what *how* says."""
    fport, before = device.packages.fport(package), device.sends

    def sends(air: Air) -> Iterable[Air]:
        ours = air[1] == fport and air[2][:1] == cid.to_bytes()
        return how(air) if ours else before(air)

    device.sends = sends


def rewrite_status(device: FleetDevice, *octets: Command | bytes, times: int = 1_000_000) -> None:
    """Have a device's status answers be these instead, the first so many times."""
    left = [times]

    def how(air: Air) -> Iterable[Air]:
        if left[0] == 0:
            return [air]
        left[0] -= 1
        said = (one if isinstance(one, bytes) else one.encode() for one in octets)
        return [(air[0], air[1], payload) for payload in said]

    rewrite(device, "fragmentation", frag_v1.FragSessionStatusAns.CID, how)


def swallow_reports(device: FleetDevice) -> None:
    """Have what a device reports by itself never arrive (version 2)."""
    rewrite(device, "fragmentation", frag_v2.FragDataBlockReceivedReq.CID, lambda air: ())


def lose_answers(device: FleetDevice, package: str, cid: int, times: int) -> None:
    """Have the first so many answers of one kind not arrive."""
    left = [times]

    def how(air: Air) -> Iterable[Air]:
        if left[0] == 0:
            return [air]
        left[0] -= 1
        return ()

    rewrite(device, package, cid, how)


def lose_requests(device: FleetDevice, package: str, cid: int, times: int) -> None:
    """Have the first so many unicast payloads that begin with this CID not arrive."""
    left, port = [times], device.packages.fport(package)

    def drops(fport: int, payload: bytes) -> bool:
        if fport != port or payload[:1] != cid.to_bytes() or left[0] == 0:
            return False
        left[0] -= 1
        return True

    device.drops = drops
