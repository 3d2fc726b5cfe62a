"""A block as the kit sends it: its set-up, its fragments, and whether the device has got it.

The helpers of every check of TS004.  A block ends with one coded fragment where there is any, since
a known decoder notices the end only there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from ...crypto import derive_data_block_int_key
from ...datablock import DataBlock
from ...fec.decoder import FragDecoder
from ...fec.encoder import FragEncoder
from ...fec.variant import ParityVariant
from ...fragmentation import v1, v2
from ...package import Package
from ..check import Failed, NotApplicable
from ..devicepeer import DevicePeer, PeerGroup
from ..subject import BlockDelivered

__all__ = [
    "ALL",
    "KitBlock",
    "SetupReq",
    "StatusAns",
    "delete",
    "expect_no_block",
    "expect_nothing_there",
    "expect_received",
    "expect_status",
    "lossy",
    "may_lose",
    "new_block",
    "refuse",
    "send",
    "set_up",
    "status",
    "transfer",
    "try_set_up",
]

SetupReq: TypeAlias = v1.FragSessionSetupReq | v2.FragSessionSetupReq
StatusAns: TypeAlias = v1.FragSessionStatusAns | v2.FragSessionStatusAns

ALL = 15
"""A McGroupBitMask of all groups."""


@dataclasses.dataclass(frozen=True, slots=True)
class KitBlock:
    """One block and everything that is said about it."""

    package: Package
    setup: SetupReq
    data: bytes = dataclasses.field(repr=False)
    encoder: FragEncoder = dataclasses.field(repr=False)

    @property
    def frag_index(self) -> int:
        """Its session."""
        return self.setup.frag_index

    @property
    def plain(self) -> range:
        """Numbers of its plain fragments."""
        return range(1, self.setup.nb_frag + 1)

    def fragment(self, n: int) -> v1.DataFragment:
        """Return one fragment, plain or coded."""
        payload = self.encoder.fragment(n)
        return v1.DataFragment(n=n, frag_index=self.frag_index, payload=payload)

    def completed(self, numbers: Iterable[int], *, first: int | None = None) -> list[int]:
        """Return *numbers* and as many coded ones, ascending from *first*, as the rank needs."""
        taken = list(numbers)
        decoder = self.decoder(taken)
        n = self.setup.nb_frag + 1 if first is None else first
        while not decoder.complete:
            if n > 16_383:
                raise NotApplicable("no coded fragments complete such a block")
            taken.append(n)
            decoder.feed(n, self.encoder.fragment(n))
            n += 1
        return taken

    def decoder(self, numbers: Iterable[int]) -> FragDecoder:
        """Return a decoder that has had *numbers*: what a device should know then."""
        decoder = FragDecoder(
            nb_frag=self.setup.nb_frag,
            frag_size=self.setup.frag_size,
            variant=self.encoder.variant,
        )
        for n in numbers:
            decoder.feed(n, self.encoder.fragment(n))
        return decoder


def new_block(
    peer: DevicePeer,
    *,
    nb_frag: int = 10,
    frag_size: int = 12,
    padding: int = 5,
    frag_index: int = 0,
    mask: int = 0,
    block_ack_delay: int = 0,
    ack: bool = False,
    session_cnt: int = 1,
    data: bytes | None = None,
    descriptor: bytes | None = None,
) -> KitBlock:
    """Draw a block and put its set-up together; nothing is sent.

    Raises:
        NotApplicable: The device does not take such a block.
    """
    about, package = peer.subject.about, peer.package("fragmentation")
    if frag_index >= about.frag_indices:
        raise NotApplicable(f"the device has no session for FragIndex {frag_index}")
    if nb_frag > about.max_nb_frag or nb_frag * frag_size > about.max_block_octets:
        raise NotApplicable(f"the device takes no block of {nb_frag} fragments of {frag_size}")
    if data is None:
        data = peer.rng.randbytes(nb_frag * frag_size - padding)
    descriptor = about.descriptor if descriptor is None else descriptor
    block = DataBlock.of(data, frag_size=frag_size, descriptor=descriptor)
    fields = {
        "mc_group_bit_mask": mask,
        "frag_index": frag_index,
        "nb_frag": block.nb_frag,
        "frag_size": frag_size,
        "block_ack_delay": block_ack_delay,
        "frag_algo": 0,
        "padding": block.padding,
    }
    setup: SetupReq
    if package.version == 1:
        setup = v1.FragSessionSetupReq(descriptor=descriptor, **fields)
        return KitBlock(package, setup, data, block.encoder(ParityVariant.V1))
    key = derive_data_block_int_key(peer.root_key)
    mic = block.mic(key, session_cnt=session_cnt, frag_index=frag_index)
    setup = v2.FragSessionSetupReq(
        descriptor=descriptor, ack_reception=ack, session_cnt=session_cnt, mic=mic, **fields
    )
    return KitBlock(package, setup, data, block.encoder(ParityVariant.V2))


def may_lose(peer: DevicePeer, lost: int) -> None:
    """Leave the check if the device cannot make so many lost fragments good.

    Raises:
        NotApplicable: So.
    """
    most = peer.subject.about.max_lost
    if most is not None and lost > most:
        raise NotApplicable(f"the device makes no more than {most} lost fragments good")


def lossy(peer: DevicePeer, block: KitBlock, lost: set[int]) -> list[int]:
    """Return the fragments to send for a block that loses some plain ones."""
    may_lose(peer, len(lost))
    return block.completed(n for n in block.plain if n not in lost)


# --- Setting up -----------------------------------------------------------------------------------


def try_set_up(peer: DevicePeer, setup: SetupReq | bytes) -> int | None:
    """Send a set-up; return the error bits of the answer, None if there is none.

    Raises:
        Failed: Something else came, or the answer is about another session.
    """
    package = peer.package("fragmentation")
    answers = peer.ask(package, setup)
    if not answers:
        return None
    [first, *rest] = answers
    if rest or not isinstance(first, v1.FragSessionSetupAns | v2.FragSessionSetupAns):
        raise Failed(f"expected one FragSessionSetupAns; came {', '.join(map(str, answers))}")
    octets = setup if isinstance(setup, bytes) else setup.encode()
    if first.frag_index != octets[1] >> 4 & 3:
        raise Failed(f"the answer is about FragIndex {first.frag_index}, not {octets[1] >> 4 & 3}")
    return int(first.errors)


def set_up(peer: DevicePeer, block: KitBlock) -> None:
    """Set a session up, and fail unless the device accepts it."""
    errors = try_set_up(peer, block.setup)
    if errors != 0:
        came = "no answer" if errors is None else f"StatusBitMask {errors:#07b}"
        raise Failed(f"expected the set-up to be accepted; came {came}")


def refuse(peer: DevicePeer, setup: SetupReq, bit: v2.SetupError | None) -> None:
    """Send a set-up, and fail unless the device refuses it: with *bit*, if there is one for it."""
    errors = try_set_up(peer, setup)
    if errors == 0:
        raise Failed("the device accepts the set-up")
    if bit is not None and not (errors or 0) & bit:
        came = "no answer" if errors is None else f"StatusBitMask {errors:#07b}"
        raise Failed(f"expected {bit.name}; came {came}")


def delete(peer: DevicePeer, frag_index: int, *, absent: bool = False) -> None:
    """Delete a session, and fail unless the device says that it was there (or that it was not)."""
    package = peer.package("fragmentation")
    peer.events()
    peer.send(package, v1.FragSessionDeleteReq(frag_index=frag_index))
    peer.expect(
        package, v1.FragSessionDeleteAns(frag_index=frag_index, session_does_not_exist=absent)
    )


# --- Sending --------------------------------------------------------------------------------------


def send(
    peer: DevicePeer, block: KitBlock, numbers: Iterable[int], group: PeerGroup | None = None
) -> None:
    """Send fragments, by unicast or in frames of a group, a second apart."""
    for n in numbers:
        if group is None:
            peer.send(block.package, block.fragment(n))
        else:
            peer.multicast(group, block.package, block.fragment(n))
        peer.pause(1.0)


def transfer(peer: DevicePeer, block: KitBlock, numbers: Sequence[int] | None = None) -> None:
    """Set a session up, send a block, and fail unless it arrives.

    Args:
        peer: The device.
        block: What to send.
        numbers: Which fragments; None for all plain ones and a coded one.
    """
    set_up(peer, block)
    peer.events()
    send(peer, block, [*block.plain, len(block.plain) + 1] if numbers is None else numbers)
    expect_received(peer, block)


# --- Looking --------------------------------------------------------------------------------------


def status(
    peer: DevicePeer, frag_index: int, *, participants: bool = True, within: float = 30.0
) -> StatusAns | None:
    """Ask for the status by unicast; return the answer, None if there is none.

    Raises:
        Failed: Something else came.
    """
    package = peer.package("fragmentation")
    request = v1.FragSessionStatusReq(participants=participants, frag_index=frag_index)
    answers = peer.ask(package, request, within=within)
    if not answers:
        return None
    [first, *rest] = answers
    if rest or not isinstance(first, v1.FragSessionStatusAns | v2.FragSessionStatusAns):
        raise Failed(f"expected one FragSessionStatusAns; came {', '.join(map(str, answers))}")
    return first


def expect_status(
    peer: DevicePeer,
    block: KitBlock,
    *,
    received: int | None = None,
    missing: int | None = None,
    memory: bool = False,
    mic: bool = False,
) -> None:
    """Ask for the status, and fail unless it tells these figures (None: any)."""
    came = status(peer, block.frag_index)
    if came is None:
        raise Failed("expected a FragSessionStatusAns; came nothing")
    wrong = []
    if came.frag_index != block.frag_index:
        wrong.append(f"FragIndex {block.frag_index}")
    if received is not None and came.nb_frag_received != received:
        wrong.append(f"NbFragReceived {received}")
    if missing is not None and came.missing_frag != missing:
        wrong.append(f"MissingFrag {missing}")
    if isinstance(came, v2.FragSessionStatusAns):
        bits = (came.memory_error, came.mic_error, came.session_does_not_exist)
        if bits != (memory, mic, False):
            wrong.append(f"MemoryError {memory:d} and MICError {mic:d}")
    elif came.not_enough_matrix_memory != memory:
        wrong.append(f"not enough matrix memory {memory:d}")
    if wrong:
        raise Failed(f"expected {', '.join(wrong)}; came {came}")


def expect_received(peer: DevicePeer, block: KitBlock) -> None:
    """Fail unless the block, and nothing else, is delivered."""
    if "blocks" in peer.subject.about.can:
        peer.expect_block(block.frag_index, block.data)
        return
    peer.wait(60.0)
    expect_status(peer, block, missing=0)


def expect_no_block(peer: DevicePeer, *, within: float = 60.0) -> None:
    """Fail if a block is delivered; a device that reports none passes."""
    came = [one for one in peer.wait(within) if isinstance(one, BlockDelivered)]
    if came:
        raise Failed(f"expected no block; came {len(came[0].data)} octets on {came[0].frag_index}")


def expect_nothing_there(peer: DevicePeer, frag_index: int) -> None:
    """Fail if a session exists: a delete says so in both versions."""
    delete(peer, frag_index, absent=True)
