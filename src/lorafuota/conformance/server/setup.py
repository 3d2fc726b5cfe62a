"""TS004: set-ups of fragmentation sessions, and what devices answer to them."""

from __future__ import annotations

from collections.abc import Sequence

from ...crypto import derive_data_block_int_key, verify_data_block_mic
from ...errors import IntegrityError
from ...fragmentation import v1 as frag_v1
from ...fragmentation import v2 as frag_v2
from ...fragmentation.v1 import DataFragment
from ...multicastsetup.v1 import McGroupSetupReq
from ...wire import Command
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..fleetdevice import Air, FleetDevice
from ..serverpeer import ServerPeer
from ._common import (
    BOTH,
    SETUPS,
    bad_and_good,
    expect_bounded,
    finish_without,
    lose_answers,
    lose_requests,
    refuses_setups,
    rewrite,
    setup_ans,
    setups,
)

__all__ = ["CHECKS"]

CHECKS: Catalogue[ServerPeer] = Catalogue()
check = CHECKS.check

Error = frag_v2.SetupError

_SESSION_GONE = bytes.fromhex("0104")
"""FragSessionStatusAns of version 2 for a session that does not exist."""


def _played(peer: ServerPeer, octets: int = 195) -> list[FleetDevice]:
    fleet = peer.play(3, octets=octets)
    peer.end()
    for device in fleet:
        if not setups(peer, device):
            raise Failed(f"{device.entry.dev_eui} got no FragSessionSetupReq it can read")
    return fleet


@check("fragmentation", BOTH, "setup-fits-image", clause="TS004, 4.1: NbFrag, FragSize, Padding")
def setup_fits_image(peer: ServerPeer) -> None:
    """NbFrag x FragSize - Padding is the length of the image, and Padding is less than FragSize."""
    _played(peer)
    for one in setups(peer):
        if one.nb_frag * one.frag_size - one.padding != len(peer.image):
            raise Failed(
                f"{one.nb_frag} x {one.frag_size} - {one.padding} octets announced for an image of"
                f" {len(peer.image)}"
            )
        if one.padding >= one.frag_size:
            raise Failed(f"Padding {one.padding} with FragSize {one.frag_size}")


@check("fragmentation", BOTH, "setup-no-padding", clause="TS004, 4.1: NbFrag, FragSize, Padding")
def setup_no_padding(peer: ServerPeer) -> None:
    """An image that is a multiple of FragSize has no Padding and no empty fragment."""
    fleet = _played(peer, octets=200)
    for one in setups(peer):
        if (one.nb_frag, one.padding) != (20, 0):
            raise Failed(f"NbFrag {one.nb_frag}, Padding {one.padding} for 200 octets by 10")
    peer.expect_updated(fleet)


@check("fragmentation", BOTH, "setup-algo", clause="TS004, 4.1: FragAlgo 0 is the only one")
def setup_algo(peer: ServerPeer) -> None:
    """FragAlgo is 0, and reserved bits are 0."""
    _played(peer)
    for one in setups(peer):
        if one.frag_algo:
            raise Failed(f"FragAlgo {one.frag_algo}")
    peer.strict("fragmentation")


@check("fragmentation", BOTH, "setup-descriptor", clause="TS004, 4.1: Descriptor")
def setup_descriptor(peer: ServerPeer) -> None:
    """Descriptor travels in the octets the operator gave.

    Integers turn its octets round; a device that tells products apart by it then refuses all.
    Operators ask for control of it (chirpstack 717, 846).
    """
    _played(peer)
    for one in setups(peer):
        if one.descriptor != peer.asked.descriptor:
            raise Failed(f"Descriptor {one.descriptor.hex()}, not {peer.asked.descriptor.hex()}")


@check("fragmentation", (2,), "setup-mic", clause="TS004-2.0.0, data block MIC")
def setup_mic(peer: ServerPeer) -> None:
    """The MIC is that of the image without padding, under each device's own key.

    It covers SessionCnt, FragIndex and Descriptor too.  One server computed it with a Descriptor of
    zeros (chirpstack 910): every device then reports a MIC error after the whole transfer.
    """
    fleet = _played(peer)
    for device in fleet:
        for one in setups(peer, device):
            if not isinstance(one, frag_v2.FragSessionSetupReq):
                raise Failed("the set-up has the layout of version 1")
            if not _fits(peer, device, one):
                raise Failed(f"the MIC is wrong: {_why(peer, device, one)}")


def _fits(
    peer: ServerPeer,
    device: FleetDevice,
    req: frag_v2.FragSessionSetupReq,
    *,
    padded: bool = False,
    descriptor: bytes | None = None,
    turned: bool = False,
) -> bool:
    """Say whether the MIC of a set-up is that of the image for a device, one thing changed."""
    try:
        verify_data_block_mic(
            derive_data_block_int_key(device.entry.root_key),
            peer.image + bytes(req.padding if padded else 0),
            session_cnt=req.session_cnt,
            frag_index=req.frag_index,
            descriptor=req.descriptor if descriptor is None else descriptor,
            mic=req.mic[::-1] if turned else req.mic,
        )
    except IntegrityError:
        return False
    return True


def _why(peer: ServerPeer, device: FleetDevice, req: frag_v2.FragSessionSetupReq) -> str:
    """Say what the MIC was computed over instead, if that can be found out."""
    if _fits(peer, device, req, padded=True):
        return "it covers the padding"
    if _fits(peer, device, req, descriptor=bytes(4)):
        return "it was computed with a Descriptor of zeros"
    if _fits(peer, device, req, descriptor=req.descriptor[::-1]):
        return "it was computed with Descriptor turned round"
    if _fits(peer, device, req, turned=True):
        return "its octets are turned round"
    if any(_fits(peer, other, req) for other in peer.fleet.values()):
        return "it is that of another device"
    return "no usual mistake gives it"


@check("fragmentation", BOTH, "setup-index", clause="TS004, 4.1: FragIndex 0 to 3")
def setup_index(peer: ServerPeer) -> None:
    """Status requests and deletions are about the FragIndex that was set up."""
    fleet = _played(peer)
    for device in fleet:
        set_up = {one.frag_index for one in setups(peer, device)}
        asked = {one.frag_index for one in peer.sent(frag_v1.FragSessionStatusReq, device)}
        gone = {one.frag_index for one in peer.sent(frag_v1.FragSessionDeleteReq, device)}
        if not (asked | gone) <= set_up:
            raise Failed(f"set up {sorted(set_up)}; asked {sorted(asked)}; deleted {sorted(gone)}")


@check("fragmentation", BOTH, "setup-mask", clause="TS004, 4.1: McGroupBitMask")
def setup_mask(peer: ServerPeer) -> None:
    """McGroupBitMask has the bit of the device's McGroupID, and no other.

    Devices that enforce it drop every frame of a group whose bit is missing.
    """
    if not peer.by_groups:
        raise NotApplicable("the server has no groups")
    fleet = _played(peer)
    for device in fleet:
        groups = [one.mc_group_id for one in peer.sent(McGroupSetupReq, device)]
        masks = {one.mc_group_bit_mask for one in setups(peer, device)}
        if not groups:
            raise Failed("a device was given no group")
        if masks != {1 << groups[-1]}:
            raise Failed(f"McGroupID {groups[-1]}, McGroupBitMask {[bin(m) for m in masks]}")


@check(
    "fragmentation",
    BOTH,
    "setup-mask-unicast",
    clause="TS004, 4.1: 0 is unicast only",
    severity=Severity.RECOMMENDED,
    needs=["unicast"],
)
def setup_mask_unicast(peer: ServerPeer) -> None:
    """A device served by unicast gets a McGroupBitMask of 0: no group may feed its session."""
    peer.draw_image()
    peer.make_device(multicast=False)
    peer.begin()
    peer.end()
    if not setups(peer):
        raise Failed("the device got no FragSessionSetupReq it can read")
    for one in setups(peer):
        if one.mc_group_bit_mask:
            raise Failed(f"McGroupBitMask {one.mc_group_bit_mask:04b}")


@check("fragmentation", BOTH, "setup-first", clause="TS004, 4.6: without a session all is dropped")
def setup_first(peer: ServerPeer) -> None:
    """No fragment goes to a device, or to a group, before a set-up was accepted there."""
    peer.draw_image()
    fleet = peer.devices(2)
    accepted: list[float] = []

    def late(air: Air) -> list[Air]:
        accepted.append(air[0] + 30.0)
        return [(air[0] + 30.0, air[1], air[2])]  # what comes late has to be waited for

    for device in fleet:
        rewrite(device, "fragmentation", frag_v1.FragSessionSetupAns.CID, late)
    peer.begin()
    peer.finish()
    first = min((where.time for where, _ in peer.observer.fragments), default=None)
    if first is None:
        raise Failed("no fragment was sent")
    if not accepted or first < min(accepted):
        raise Failed("a fragment was sent before any device had accepted a set-up")


@check(
    "fragmentation",
    (1,),
    "delete-before-setup",
    clause="TS004-1.0.0: an index is deleted before it is reused",
    severity=Severity.RECOMMENDED,
)
def delete_before_setup(peer: ServerPeer) -> None:
    """A session of an earlier update is deleted before its index is set up again.

    Version 1 asks for it.  Nothing tells whether an earlier update left one.
    """
    fleet = _played(peer)
    for device in fleet:
        first = min(peer.times(frag_v1.FragSessionSetupReq, device))
        deletes = peer.times(frag_v1.FragSessionDeleteReq, device)
        if not deletes or min(deletes) > first:
            raise Failed("FragSessionSetupReq came without a FragSessionDeleteReq before it")


@check("fragmentation", BOTH, "setup-answer-lost", clause="TS004, 8.2: retry on silence")
def setup_answer_lost(peer: ServerPeer) -> None:
    """A set-up whose answer is lost is sent again, and the update goes on."""
    bad, good = bad_and_good(peer)
    lose_answers(bad, "fragmentation", frag_v1.FragSessionSetupAns.CID, 2)
    peer.begin()
    peer.finish()
    peer.expect_updated([bad, *good])


@check("fragmentation", BOTH, "setup-request-lost", clause="TS004, 8.2: retry on silence")
def setup_request_lost(peer: ServerPeer) -> None:
    """A set-up that is lost on its way is sent again, and the update goes on."""
    bad, good = bad_and_good(peer)
    lose_requests(bad, "fragmentation", frag_v1.FragSessionSetupReq.CID, 2)
    peer.begin()
    peer.finish()
    peer.expect_updated([bad, *good])


@check("fragmentation", BOTH, "setup-never-answered", clause="TR002, 4: bounded retries")
def setup_never_answered(peer: ServerPeer) -> None:
    """A device that never answers set-ups is given up, and does not hold the others."""
    bad, good = bad_and_good(peer)
    bad.says = dict.fromkeys(SETUPS, lambda command: ())
    peer.begin()
    finish_without(peer, bad, good)
    expect_bounded(peer, bad, *SETUPS)


def _refused(peer: ServerPeer, errors: int, *statuses: str) -> None:
    bad, good = bad_and_good(peer)
    says = refuses_setups(peer, errors)
    bad.says = dict.fromkeys(SETUPS, says)
    peer.begin()
    finish_without(peer, bad, good)
    expect_bounded(peer, bad, *SETUPS)
    peer.expect_status(bad, *statuses)


@check("fragmentation", BOTH, "refused-algo", clause="TS004, FragSessionSetupAns bit 0")
def refused_algo(peer: ServerPeer) -> None:
    """The answer "FragAlgo unsupported" ends the update for that device under that name."""
    _refused(peer, Error.FRAG_ALGO_UNSUPPORTED, "FragAlgo_unsupported")


@check("fragmentation", BOTH, "refused-memory", clause="TS004, FragSessionSetupAns bit 1")
def refused_memory(peer: ServerPeer) -> None:
    """The answer "Not enough memory" ends the update for that device under that name."""
    _refused(peer, Error.NOT_ENOUGH_MEMORY, "Not_enough_memory")


@check("fragmentation", BOTH, "refused-index", clause="TS004, FragSessionSetupAns bit 2")
def refused_index(peer: ServerPeer) -> None:
    """The answer "FragIndex unsupported", always, ends the update under that name."""
    _refused(peer, Error.FRAG_INDEX_UNSUPPORTED, "FragIndex_unsupported")


@check("fragmentation", BOTH, "refused-descriptor", clause="TS004, FragSessionSetupAns bit 3")
def refused_descriptor(peer: ServerPeer) -> None:
    """The answer "Wrong descriptor" ends the update for that device under that name."""
    _refused(peer, Error.WRONG_DESCRIPTOR, "Wrong_descriptor")


@check("fragmentation", (2,), "refused-replay", clause="TS004-2.0.0, FragSessionSetupAns bit 4")
def refused_replay(peer: ServerPeer) -> None:
    """The answer "SessionCnt replay", always, ends the update under that name."""
    _refused(peer, Error.SESSION_CNT_REPLAY, "SessionCnt_replay")


@check("fragmentation", BOTH, "refused-all", clause="TS004, 4.1: several bits may be set")
def refused_all(peer: ServerPeer) -> None:
    """A refusal with every bit set is a refusal, under the name of one of the bits."""
    bits = 0x1F if peer.version("fragmentation") == 2 else 0x0F
    _refused(
        peer,
        bits,
        "FragAlgo_unsupported",
        "Not_enough_memory",
        "FragIndex_unsupported",
        "Wrong_descriptor",
        "SessionCnt_replay",
    )


@check(
    "fragmentation",
    (2,),
    "replay-raises",
    clause="TS004-2.0.0, SessionCnt: jump ahead after a replay answer",
    severity=Severity.RECOMMENDED,
)
def replay_raises(peer: ServerPeer) -> None:
    """A device that calls SessionCnt a replay is set up with a higher one, until it accepts.

    It does not tell its counter, which another server may have moved.  A server that asks again
    with the same number never gets further.
    """
    bad, good = bad_and_good(peer)
    bad.says = {
        frag_v2.FragSessionSetupReq: refuses_setups(
            peer,
            Error.SESSION_CNT_REPLAY,
            also=lambda req: isinstance(req, frag_v2.FragSessionSetupReq) and req.session_cnt <= 40,
        )
    }
    peer.begin()
    peer.finish()
    peer.expect_updated([bad, *good])


@check(
    "fragmentation",
    BOTH,
    "index-other",
    clause="TS004, 8.2: bit 2, other index",
    severity=Severity.RECOMMENDED,
    needs=["unicast"],
)
def index_other(peer: ServerPeer) -> None:
    """A device served by unicast that refuses one FragIndex is tried with another."""
    peer.draw_image()
    device = peer.make_device(multicast=False)
    refused: set[int] = set()

    def says(command: Command) -> Sequence[Command | bytes] | None:
        assert isinstance(command, SETUPS)
        refused.add(command.frag_index)
        if len(refused) > 1 and command.frag_index != min(refused):
            return None
        return [setup_ans(peer, Error.FRAG_INDEX_UNSUPPORTED, command.frag_index)]

    device.says = dict.fromkeys(SETUPS, says)
    peer.begin()
    peer.finish()
    peer.expect_updated([device])


@check("fragmentation", BOTH, "answer-other-index", clause="TS004, 8.2: the index has to match")
def answer_other_index(peer: ServerPeer) -> None:
    """The acceptance of another FragIndex is not that of the session asked for."""
    bad, good = bad_and_good(peer)

    def says(command: Command) -> Sequence[Command | bytes] | None:
        assert isinstance(command, SETUPS)
        return [setup_ans(peer, 0, (command.frag_index + 1) % 4)]

    bad.says = dict.fromkeys(SETUPS, says)
    peer.begin()
    finish_without(peer, bad, good)
    if peer.sent(DataFragment, bad):
        raise Failed("fragments went to a device that has accepted another session only")


@check(
    "fragmentation",
    (2,),
    "session-cnt-rises",
    clause="TS004-2.0.0, SessionCnt: last used + 1",
)
def session_cnt_rises(peer: ServerPeer) -> None:
    """A session that begins again after a fragment was sent has a higher SessionCnt.

    A device stores the counter with the first fragment and refuses it from then on, whatever was
    deleted in between.
    """
    bad, good = bad_and_good(peer)
    told: list[float] = []

    def gone(air: Air) -> list[Air]:
        if told:
            return [air]
        told.append(air[0])
        bad.lose_sessions()
        return [(air[0], air[1], _SESSION_GONE)]

    rewrite(bad, "fragmentation", frag_v1.FragSessionStatusAns.CID, gone)
    bad.loses = lambda n: n % 2 == 0
    peer.begin()
    peer.finish()
    peer.expect_updated(good)
    counts = [
        one.session_cnt for one in setups(peer, bad) if isinstance(one, frag_v2.FragSessionSetupReq)
    ]
    if len(set(counts)) > 1 and counts != sorted(counts):
        raise Failed(f"SessionCnt went {counts}")


@check("fragmentation", BOTH, "rfu-in-answer", clause="TS004, 1: receivers ignore reserved bits")
def rfu_in_answer(peer: ServerPeer) -> None:
    """An acceptance with reserved bits set is an acceptance."""
    bad, good = bad_and_good(peer)
    rfu = 0x20 if peer.version("fragmentation") == 2 else 0x30

    def how(air: Air) -> list[Air]:
        return [(air[0], air[1], bytes((air[2][0], air[2][1] | rfu)))]

    rewrite(bad, "fragmentation", frag_v1.FragSessionSetupAns.CID, how)
    peer.begin()
    peer.finish()
    peer.expect_updated([bad, *good])
