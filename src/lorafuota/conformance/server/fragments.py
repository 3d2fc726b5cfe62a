"""TS004: the fragments themselves."""

from __future__ import annotations

import itertools
import random
from typing import Any

from ...fec.encoder import FragEncoder
from ...fec.variant import ParityVariant
from ...fragmentation.v1 import DataFragment, FragSessionStatusReq
from ..check import Catalogue, Failed, Severity
from ..fleetdevice import FleetDevice
from ..observer import Fragment, Frame
from ..serverpeer import FRAME_SECONDS, SPACING_SECONDS, ServerPeer
from ._common import BOTH, expect_fragments, expect_updates, setups

__all__ = ["CHECKS"]

CHECKS: Catalogue[ServerPeer] = Catalogue()
check = CHECKS.check

_LONGEST = 242
"""Octets of the largest payload of any data rate."""

_ODD = 215
"""Octets of an image of 22 fragments: coded ones alone can complete it."""


def _played(peer: ServerPeer, *, octets: int = 195, **how: Any) -> list[Fragment]:
    """Play an update without losses; return the fragments of the first group, or first device."""
    fleet = peer.play(2, octets=octets, **how)
    peer.end()
    return _found(peer, fleet[0])


def _found(peer: ServerPeer, device: FleetDevice) -> list[Fragment]:
    """Return the fragments that went to the group, or else to a device."""
    frames = [one.fragment for one in peer.observer.frames]
    found = [one for one in frames if one is not None]
    found = found or peer.observer.fragments_to(device.entry.dev_eui)
    if not found:
        raise Failed("no fragment was sent")
    return found


def _coded_before_question(peer: ServerPeer, redundancy: float) -> int:
    """Play an update that nobody ends early; count coded fragments before the first question."""
    peer.draw_image()
    fleet = peer.devices(2)
    fleet[0].loses = lambda n: True  # as long as somebody may need them
    asked: list[float] = []
    peer.hears = lambda sent: asked.extend(
        sent.time for one in sent.commands if isinstance(one, FragSessionStatusReq)
    )
    peer.sees = lambda frame: asked.extend([frame.time] if frame.fragment is None else [])
    peer.begin(redundancy=redundancy)
    peer.end()
    if not any(True for _ in peer.observer.fragments):
        raise Failed("no fragment was sent")
    first = min(asked, default=peer.now)
    coded = {
        one.n
        for where, one in peer.observer.fragments
        if one.n > peer.nb_frag and where.time < first
    }
    return len(coded)


@check("fragmentation", BOTH, "n-from-1", clause="TS004, DataFragment: N starts at 1")
def n_from_1(peer: ServerPeer) -> None:
    """Fragments are numbered from 1, and never carry 0.

    A gateway product numbers them from 0; devices drop number 0 or, worse, write before their
    buffer (CVE-2026-12363).
    """
    numbers = [one.n for one in _played(peer)]
    if 0 in numbers:
        raise Failed("a fragment carries N = 0")
    if 1 not in numbers:
        raise Failed(f"the lowest N is {min(numbers)}")


@check(
    "fragmentation",
    BOTH,
    "plain-first",
    clause="TS004, 7: fragments 1 to NbFrag are the block itself",
    severity=Severity.RECOMMENDED,
)
def plain_first(peer: ServerPeer) -> None:
    """The plain fragments come first, in ascending order.

    Known stacks drop a plain fragment whose number is below the highest they have seen.
    """
    numbers = [one.n for one in _played(peer)]
    first = numbers[: peer.nb_frag]
    if first != list(range(1, peer.nb_frag + 1)):
        raise Failed(f"the first {peer.nb_frag} numbers are {first}")


@check("fragmentation", BOTH, "length", clause="TS004, DataFragment: FragSize octets")
def length(peer: ServerPeer) -> None:
    """Every fragment has FragSize octets, the last plain one too.

    A device drops what has another length, or reads past its end.
    """
    for one in _played(peer):
        if len(one.payload) != peer.asked.frag_size:
            size = peer.asked.frag_size
            raise Failed(f"fragment {one.n} has {len(one.payload)} octets; FragSize is {size}")


@check("fragmentation", BOTH, "plain-data", clause="TS004, 7: B1 to BM are the block in order")
def plain_data(peer: ServerPeer) -> None:
    """A plain fragment is the piece of the image that its number says."""
    found = _played(peer)
    size = peer.asked.frag_size
    for one in found:
        plain = 1 <= one.n <= peer.nb_frag
        piece = peer.image[(one.n - 1) * size : one.n * size] if plain else b""
        if one.payload[: len(piece)] != piece:
            raise Failed(f"fragment {one.n} is not octets {(one.n - 1) * size} and on of the image")


@check(
    "fragmentation",
    BOTH,
    "padding-zero",
    clause="TS004, 7.1: content not specified, zero everywhere",
    severity=Severity.RECOMMENDED,
)
def padding_zero(peer: ServerPeer) -> None:
    """The padding of the last fragment is zeros.

    The text does not say; every implementation sends zeros, and tools that check coded fragments
    against an image assume them.
    """
    for one in _played(peer):
        rest = len(peer.image) % peer.asked.frag_size
        if one.n == peer.nb_frag and any(one.payload[rest:]):
            raise Failed(f"the padding is {one.payload[rest:].hex(' ')}")


@check("fragmentation", BOTH, "parity", clause="TS004, 7.2: the parity matrix of the version")
def parity(peer: ServerPeer) -> None:
    """Coded fragments are those of the matrix of the device's version.

    Version 1 counts every draw, version 2 only draws of a new column, and the seed of version 2 is
    disputed.  With the wrong one a device "completes" with wrong octets, and nothing on air tells.
    """
    peer.draw_image()
    fleet = peer.devices(2)
    fleet[0].loses = lambda n: True  # as long as somebody may need them
    peer.begin(redundancy=0.6)
    peer.end()
    found = _found(peer, fleet[0])
    size = peer.asked.frag_size
    block = (peer.image + bytes(-len(peer.image) % size))[: peer.nb_frag * size]
    last = [one.payload for one in found if one.n == peer.nb_frag]
    if last and len(last[0]) == size:
        block = block[:-size] + last[0]  # whatever it was padded with
    coded = [one for one in found if one.n > peer.nb_frag]
    if not coded:
        raise Failed("no coded fragment was sent; redundancy 0.6 was asked for")
    wanted = ParityVariant.V1 if peer.version("fragmentation") == 1 else ParityVariant.V2
    fits = [
        variant.value
        for variant in ParityVariant
        for encoder in [FragEncoder(block, frag_size=size, variant=variant)]
        if all(encoder.fragment(one.n) == one.payload for one in coded)
    ]
    if wanted.value not in fits:
        other = f"they are those of {fits[0]}" if fits else "no known matrix gives them"
        raise Failed(f"the coded fragments are not those of {wanted.value}; {other}")


@check("fragmentation", BOTH, "alone", clause="TS004, 1.1: DataFragment stands alone")
def alone(peer: ServerPeer) -> None:
    """A DataFragment stands alone in its message.

    It takes all octets that are left: a command behind it becomes data, and one in front of it is
    against the text.
    """
    _played(peer)
    for sent in peer.observer.sent:
        if len(sent.commands) > 1 and any(isinstance(one, DataFragment) for one in sent.commands):
            raise Failed(f"{len(sent.commands)} commands share a message with a fragment")
    cid = DataFragment.CID.to_bytes()
    for frame in peer.observer.frames:
        fragment = frame.fragment
        inside = fragment is None and cid in frame.payload
        if inside and len(frame.payload) > peer.asked.frag_size:
            raise Failed("a command stands in front of a fragment")


@check(
    "fragmentation",
    BOTH,
    "one-coded",
    clause="TS004 reference, 9.1: the ST decoder ends on a coded fragment only",
    severity=Severity.RECOMMENDED,
)
def one_coded(peer: ServerPeer) -> None:
    """At least one coded fragment follows the plain ones, even if no redundancy was asked for.

    One stack notices that its block is complete only while it processes a coded fragment.
    """
    if _coded_before_question(peer, 0.0) == 0:
        raise Failed("only plain fragments were sent before devices were asked")


@check(
    "fragmentation",
    BOTH,
    "redundancy",
    clause="TS004, 7.6",
    severity=Severity.RECOMMENDED,
)
def redundancy(peer: ServerPeer) -> None:
    """As many coded fragments are sent as the operator asked for, before anybody is asked."""
    coded = _coded_before_question(peer, 0.5)
    if coded < peer.nb_frag // 2:
        raise Failed(f"{coded} coded fragments; half of {peer.nb_frag} were asked for")


@check(
    "fragmentation",
    BOTH,
    "n-ascends",
    clause="TS004 reference, 9.1: ordered decoders",
    severity=Severity.RECOMMENDED,
    needs=["repair"],
)
def n_ascends(peer: ServerPeer) -> None:
    """Repair goes on with higher numbers, not with the plain fragments again.

    LoRaMac-node, LoRa Basics Modem and ST drop a plain fragment below the highest seen, and Renesas
    anything that does not rise.  A coded fragment with a new number helps every device at once.
    """
    peer.draw_image(_ODD)
    fleet = peer.devices(8)
    for device in fleet:
        rng = random.Random(f"{device.entry.dev_eui}")
        device.loses = lambda n, rng=rng: rng.random() < 0.4  # type: ignore[misc]
    peer.begin()
    peer.finish()
    expect_fragments(peer)
    last: dict[object, int] = {}
    for where, one in peer.observer.fragments:
        to = where.mc_addr if isinstance(where, Frame) else where.dev_eui
        if one.n <= last.get(to, 0):
            raise Failed(f"fragment {one.n} follows {last[to]}")
        last[to] = one.n


@check(
    "fragmentation",
    BOTH,
    "one-fragment",
    clause="TS004, 7.2: with M = 1 all coded fragments are empty",
    severity=Severity.RECOMMENDED,
    needs=["repair"],
)
def one_fragment(peer: ServerPeer) -> None:
    """A block of one fragment arrives although its first two copies are lost.

    No line of such a matrix has a column: coding says nothing, and the fragment has to be repeated.
    """
    peer.draw_image(8)
    fleet = peer.devices(8)
    for device in fleet:
        copies: list[int] = []

        def loses(n: int, copies: list[int] = copies) -> bool:
            copies.append(n)
            return len(copies) <= 2

        device.loses = loses
    peer.begin()
    peer.finish()
    peer.expect_updated(fleet)
    wrong = [one.n for _, one in peer.observer.fragments if one.n != 1]
    if wrong:
        raise Failed(f"fragment {wrong[0]} of a block of one says nothing")


@check("fragmentation", BOTH, "fits-air", clause="LoRaWAN regional parameters: at most 242 octets")
def fits_air(peer: ServerPeer) -> None:
    """An update whose fragments fit no data rate is refused, not tried.

    FragSize has 8 bits; a payload has 242 octets at most, and 51 at the lowest data rates.  An
    update that fits is tried afterwards, and has to arrive.
    """
    peer.draw_image(1_000)
    peer.devices(1)
    peer.begin(frag_size=250)
    peer.finish()
    for where, _ in peer.observer.fragments:
        if len(where.payload) > _LONGEST:
            raise Failed(f"a fragment of {len(where.payload)} octets was sent")
    expect_updates(peer)


@check("fragmentation", BOTH, "index", clause="TS004, DataFragment: FragIndex of the session")
def index(peer: ServerPeer) -> None:
    """Fragments carry the FragIndex of the set-up."""
    found = {one.frag_index for one in _played(peer)}
    set_up = {one.frag_index for one in setups(peer)}
    if not found <= set_up:
        raise Failed(f"set up is {sorted(set_up)}, fragments carry {sorted(found)}")


@check(
    "fragmentation",
    BOTH,
    "unicast",
    clause="TR002, step 8",
    needs=["unicast"],
)
def unicast(peer: ServerPeer) -> None:
    """A device that is in no group gets its block by unicast."""
    peer.draw_image()
    fleet = [peer.make_device(multicast=False) for _ in range(2)]
    peer.begin()
    peer.finish()
    peer.expect_updated(fleet)
    if peer.observer.frames:
        raise Failed("frames went to a group that nobody is in")


@check(
    "fragmentation",
    BOTH,
    "paced",
    clause="field reports: chirpstack 786, basicstation 190",
)
def paced(peer: ServerPeer) -> None:
    """Two frames of a group are as far apart as the operator says.

    Gateways have a duty cycle, and devices write to flash between two fragments.  Frames that
    overlap, or that leave together when the window opens, are lost.
    """
    _played(peer)
    times = [one.time for one in peer.observer.frames if one.fragment is not None]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    if any(gap < SPACING_SECONDS - 1e-3 for gap in gaps):
        raise Failed(
            f"two frames of {FRAME_SECONDS} s are {min(gaps):.1f} s apart; {SPACING_SECONDS} s were"
            " asked for"
        )
