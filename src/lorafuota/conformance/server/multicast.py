"""TS005: multicast groups, their keys and counters."""

from __future__ import annotations

from collections.abc import Sequence

from ...crypto import derive_mc_ke_key, derive_mc_root_key, unwrap_mc_key
from ...fragmentation.v1 import DataFragment, FragSessionStatusReq
from ...multicastsetup import v1
from ...wire import Command
from ..check import Catalogue, Failed, Severity
from ..serverpeer import ServerPeer
from ._common import (
    BOTH,
    bad_and_good,
    expect_bounded,
    expect_counters_rise,
    expect_fragments,
    finish_without,
    lose_answers,
    lose_requests,
    need_groups,
    played_by_group,
    says_always,
    sessions,
)

__all__ = ["CHECKS"]

CHECKS: Catalogue[ServerPeer] = Catalogue()
check = CHECKS.check


@check("multicastsetup", BOTH, "well-formed", clause="TS005, 1: lengths, reserved bits 0")
def well_formed(peer: ServerPeer) -> None:
    """Everything on the package's port has the lengths of the text, and reserved bits are 0.

    One stack does not mask McGroupIDHeader: a reserved bit makes it write outside its table.
    """
    played_by_group(peer)
    peer.strict("multicastsetup")


@check("multicastsetup", BOTH, "mc-key", clause="TS005, 3: McKey_encrypted")
def mc_key(peer: ServerPeer) -> None:
    """Every device gets the same McKey, encrypted under its own McKEKey.

    The server *decrypts* to encrypt, and the root key is GenAppKey for LoRaWAN 1.0.x and AppKey for
    1.1; a wrong one is answered with "accepted", and every multicast MIC fails.  The most asked
    question there is (LoRaMac-node 766, 827, 840, 936; chirpstack 664, 686, 740).
    """
    fleet = played_by_group(peer, 4)
    keys = set()
    for device in fleet:
        ke_key = derive_mc_ke_key(derive_mc_root_key(device.entry.root_key))
        for one in peer.sent(v1.McGroupSetupReq, device):
            keys.add(unwrap_mc_key(ke_key, one.mc_key_encrypted).reveal())
    wanted = [one.mc_key.reveal() for one in peer.asked.groups if one.mc_key is not None]
    if len(keys) != 1:
        raise Failed(f"the members of one group are given {len(keys)} different keys")
    if wanted and keys != set(wanted):
        raise Failed("the key is another than the operator's")


@check("multicastsetup", BOTH, "mc-addr", clause="TS005, 2: McAddr, little-endian")
def mc_addr(peer: ServerPeer) -> None:
    """McAddr is the group's address, in the order of all numbers: lowest octet first."""
    played_by_group(peer)
    wanted = {one.mc_addr for one in peer.asked.groups}
    for one in peer.sent(v1.McGroupSetupReq):
        if one.mc_addr not in wanted:
            turned = int.from_bytes(int(one.mc_addr).to_bytes(4, "big"), "little")
            why = " (its octets are turned round)" if turned in wanted else ""
            raise Failed(f"McAddr {one.mc_addr}{why}")
    for frame in peer.observer.frames:
        if frame.mc_addr not in wanted:
            raise Failed(f"a frame went to {frame.mc_addr}")


@check("multicastsetup", BOTH, "fcnt-range", clause="TS005, 4.3: minMcFCnt, maxMcFCnt")
def fcnt_range(peer: ServerPeer) -> None:
    """The limits minMcFCnt and maxMcFCnt are in order, and every frame lies between them.

    The counter maxMcFCnt itself is inside in one version and outside in the other: never send it.
    """
    peer.need("counters")
    played_by_group(peer)
    if not peer.sent(v1.McGroupSetupReq):
        raise Failed("frames were sent to a group that no device was given")
    limits = [(one.min_mc_fcnt, one.max_mc_fcnt) for one in peer.sent(v1.McGroupSetupReq)]
    for low, high in limits:
        if low >= high:
            raise Failed(f"minMcFCnt {low}, maxMcFCnt {high}")
    for frame in peer.observer.frames:
        fcnt = frame.fcnt or 0
        if not max(low for low, _ in limits) <= fcnt < min(high for _, high in limits):
            raise Failed(f"frame counter {fcnt} lies outside {limits[0]}")


@check(
    "multicastsetup",
    BOTH,
    "fcnt-range-small",
    clause="TS005-2.0.0, 4.3: keep the range small; LoRaMac-node counts in 16 bits",
    severity=Severity.RECOMMENDED,
)
def fcnt_range_small(peer: ServerPeer) -> None:
    """The limit maxMcFCnt is the operator's, and not simply the highest number there is."""
    played_by_group(peer, max_mc_fcnt=1_000)
    for one in peer.sent(v1.McGroupSetupReq):
        if one.max_mc_fcnt > 1_000:
            raise Failed(f"maxMcFCnt {one.max_mc_fcnt}; the operator allows 1000")


@check(
    "multicastsetup",
    BOTH,
    "fcnt-end",
    clause="TS005, 4.3: maxMcFCnt ends the group",
)
def fcnt_end(peer: ServerPeer) -> None:
    """When the counters of a group end, nothing is sent behind them.

    Here a device needs more frames than the operator allows counters.
    """
    peer.need("counters")
    need_groups(peer)
    bad, good = bad_and_good(peer)
    bad.loses = lambda n: True
    peer.begin(max_mc_fcnt=30)
    finish_without(peer, bad, good)
    over = [one.fcnt for one in peer.observer.frames if one.fcnt is not None and one.fcnt >= 30]
    if over:
        raise Failed(f"frame counter {over[0]} was sent; maxMcFCnt is 30")


@check("multicastsetup", BOTH, "fcnt-once", clause="TS005, 7: never reuse a counter with a key")
def fcnt_once(peer: ServerPeer) -> None:
    """Frame counters only rise, over all windows of the group.

    A counter used twice is a replay that every device drops; with two payloads it gives both away.
    Two writers in one group put frames out of order, with the same end (chirpstack 361).
    """
    peer.need("counters")
    need_groups(peer)
    peer.draw_image()
    fleet = peer.devices(3)
    fleet[0].loses = lambda n: n % 3 == 0
    fleet[1].loses = lambda n: n > 4 and n % 2 == 0
    peer.begin(redundancy=0.0)
    peer.finish()
    expect_fragments(peer)
    expect_counters_rise(peer)


@check("multicastsetup", BOTH, "frames-readable", clause="TS005, 3: McAppSKey, McNwkSKey")
def frames_readable(peer: ServerPeer) -> None:
    """Every frame can be read by the members, and is nothing else than data for the package.

    Requests of this package never go to a group, and neither do set-ups of sessions.
    """
    fleet = played_by_group(peer)
    port = fleet[0].packages.fport("fragmentation")
    for frame in peer.observer.frames:
        if frame.fport != port or not frame.payload:
            raise Failed(f"a frame on FPort {frame.fport} that no member can use")
        if frame.payload[0] not in (DataFragment.CID, FragSessionStatusReq.CID):
            raise Failed(f"CID 0x{frame.payload[0]:02X} went out by multicast")


@check("multicastsetup", BOTH, "group-answer-lost", clause="TS005, 7: repeat on silence")
def group_answer_lost(peer: ServerPeer) -> None:
    """A group set-up whose answer is lost is sent again, and the update goes on."""
    need_groups(peer)
    bad, good = bad_and_good(peer)
    lose_answers(bad, "multicastsetup", v1.McGroupSetupAns.CID, 2)
    peer.begin()
    peer.finish()
    peer.expect_updated([bad, *good])


@check("multicastsetup", BOTH, "group-request-lost", clause="TS005, 7: repeat on silence")
def group_request_lost(peer: ServerPeer) -> None:
    """A group set-up that is lost on its way is sent again, and the update goes on."""
    need_groups(peer)
    bad, good = bad_and_good(peer)
    lose_requests(bad, "multicastsetup", v1.McGroupSetupReq.CID, 2)
    peer.begin()
    peer.finish()
    peer.expect_updated([bad, *good])


@check("multicastsetup", BOTH, "group-refused", clause="TS005, 4.3: IDerror")
def group_refused(peer: ServerPeer) -> None:
    """A device without a place for any group is given up, and does not hold the others."""
    need_groups(peer)
    bad, good = bad_and_good(peer)

    def says(command: Command) -> Sequence[Command | bytes] | None:
        assert isinstance(command, v1.McGroupSetupReq)
        return [v1.McGroupSetupAns(mc_group_id=command.mc_group_id, id_error=True)]

    bad.says = {v1.McGroupSetupReq: says}
    peer.begin()
    finish_without(peer, bad, good)
    expect_bounded(peer, bad, v1.McGroupSetupReq)
    if sessions(peer, bad):
        raise Failed("a device was told of a window of a group it has not")


@check(
    "multicastsetup",
    BOTH,
    "group-other-id",
    clause="TS005, 7, step 3: another McGroupID",
    severity=Severity.RECOMMENDED,
)
def group_other_id(peer: ServerPeer) -> None:
    """A device that refuses one McGroupID is tried with another.

    It may be occupied by the group of somebody else, or the device holds fewer than four.
    """
    need_groups(peer)
    bad, good = bad_and_good(peer)
    refused: list[int] = []

    def says(command: Command) -> Sequence[Command | bytes] | None:
        assert isinstance(command, v1.McGroupSetupReq)
        if not refused:
            refused.append(command.mc_group_id)
        if command.mc_group_id != refused[0]:
            return None
        return [v1.McGroupSetupAns(mc_group_id=command.mc_group_id, id_error=True)]

    bad.says = {v1.McGroupSetupReq: says}
    peer.begin()
    peer.finish()
    peer.expect_updated([bad, *good])


@check("multicastsetup", BOTH, "group-answer-other", clause="TS005, 7, step 3: McGroupID matches")
def group_answer_other(peer: ServerPeer) -> None:
    """The acceptance of another McGroupID is not that of the group asked for."""
    need_groups(peer)
    bad, good = bad_and_good(peer)

    def says(command: Command) -> Sequence[Command | bytes] | None:
        assert isinstance(command, v1.McGroupSetupReq)
        return [v1.McGroupSetupAns(mc_group_id=(command.mc_group_id + 1) % 4, id_error=False)]

    bad.says = {v1.McGroupSetupReq: says}
    peer.begin()
    finish_without(peer, bad, good)
    if sessions(peer, bad):
        raise Failed("a device was told of a window although it accepted another group only")


@check("multicastsetup", BOTH, "group-silent", clause="TR002, 4: bounded retries")
def group_silent(peer: ServerPeer) -> None:
    """A device that never answers about groups is given up, and does not hold the others."""
    need_groups(peer)
    bad, good = bad_and_good(peer)
    bad.says = {v1.McGroupSetupReq: says_always()}
    peer.begin()
    finish_without(peer, bad, good)
    expect_bounded(peer, bad, v1.McGroupSetupReq)


@check(
    "multicastsetup",
    BOTH,
    "group-deleted",
    clause="TR002, 4: McGroupIDs are scarce",
    severity=Severity.RECOMMENDED,
)
def group_deleted(peer: ServerPeer) -> None:
    """In the end every device is told to delete the group."""
    fleet = played_by_group(peer)
    for device in fleet:
        if not peer.sent(v1.McGroupDeleteReq, device):
            raise Failed(f"{device.entry.dev_eui} keeps the group for ever")


@check("multicastsetup", BOTH, "group-kept", clause="field report: chirpstack 1029")
def group_kept(peer: ServerPeer) -> None:
    """No device is told to delete the group while frames for it are still to come.

    A server deleted groups when the last fragment was in the queue, not when it had been sent.
    """
    need_groups(peer)
    peer.draw_image()
    fleet = peer.devices(3)
    fleet[0].loses = lambda n: n % 2 == 0
    peer.begin()
    peer.finish()
    last = max((frame.time for frame in peer.observer.frames), default=0.0)
    for device in fleet:
        times = peer.times(v1.McGroupDeleteReq, device)
        if times and min(times) < last and not device.has_block:
            raise Failed("a device lost the group before the last frame it needed")
    peer.expect_updated(fleet)
