"""Fragmented Data Block Transport, version 1 (TS004-1.0.0)."""

from __future__ import annotations

import enum

from ..package import Package, PackageVersionAns, PackageVersionReq
from ..types import DOWNLINK, UPLINK
from ..wire import Command, command, flag, octets, rest, uint

__all__ = [
    "PACKAGE",
    "DataFragment",
    "FragSessionDeleteAns",
    "FragSessionDeleteReq",
    "FragSessionSetupAns",
    "FragSessionSetupReq",
    "FragSessionStatusAns",
    "FragSessionStatusReq",
    "PackageVersionAns",
    "PackageVersionReq",
    "SetupError",
]


class SetupError(enum.IntFlag):
    """Why a device refuses a session; zero means that it accepts."""

    FRAG_ALGO_UNSUPPORTED = 1
    NOT_ENOUGH_MEMORY = 2
    FRAG_INDEX_UNSUPPORTED = 4
    WRONG_DESCRIPTOR = 8


@command(0x01, DOWNLINK, size=1, multicast=True)
class FragSessionStatusReq(Command):
    """Ask how far a session has come; the answers are spread over BlockAckDelay."""

    participants: bool = flag(doc="All receivers answer, not only those still missing fragments")
    frag_index: int = uint(2, rfu=5, doc="Session")


@command(0x01, UPLINK, size=4)
class FragSessionStatusAns(Command):
    """Tell how far a session has come.

    Known stacks fill the counters differently; read them as bounds.
    """

    nb_frag_received: int = uint(14, doc="Fragments received, coded ones and repeats included")
    frag_index: int = uint(2, doc="Session")
    missing_frag: int = uint(8, doc="Independent fragments still needed; 255 means 255 or more")
    not_enough_matrix_memory: bool = flag(rfu=7, doc="More were lost than the device can repair")


@command(0x02, DOWNLINK, size=10)
class FragSessionSetupReq(Command):
    """Open a fragmentation session on the device.

    The message accepts whatever the fields can carry, also what no sane server sends (NbFrag 0,
    Padding of a whole fragment, FragAlgo 5): a device has to be able to read it and to refuse.
    """

    mc_group_bit_mask: int = uint(4, doc="Multicast groups that may feed the session, bit = group")
    frag_index: int = uint(2, rfu=2, doc="Session to open")
    nb_frag: int = uint(16, doc="Fragments in the block before coding; 1..16383 make sense")
    frag_size: int = uint(8, doc="Octets in one fragment")
    block_ack_delay: int = uint(3, doc="Answers are spread over 2**(n+4) seconds")
    frag_algo: int = uint(3, rfu=2, doc="Coding scheme; 0 is the only one")
    padding: int = uint(8, doc="Filler octets at the end of the last fragment")
    descriptor: bytes = octets(4, doc="Free for the application; octets as they travel")


@command(0x02, UPLINK, size=1)
class FragSessionSetupAns(Command):
    """Accept or refuse a session.  On any error the device keeps what it had."""

    errors: SetupError = uint(4, SetupError, rfu=2, doc="Zero when accepted", spec="StatusBitMask")
    frag_index: int = uint(2, doc="Session the answer is about")


@command(0x03, DOWNLINK, size=1)
class FragSessionDeleteReq(Command):
    """Close a session; the device forgets its fragments."""

    frag_index: int = uint(2, rfu=6, doc="Session")


@command(0x03, UPLINK, size=1)
class FragSessionDeleteAns(Command):
    """Confirm that a session is gone."""

    frag_index: int = uint(2, doc="Session")
    session_does_not_exist: bool = flag(rfu=5, doc="There was none with that index")


@command(0x08, DOWNLINK, size=2, alone=True, multicast=True)
class DataFragment(Command):
    """One fragment: plain up to NbFrag, coded above.

    N counts from 1 in both versions; a frame with N = 0 does not decode.
    """

    n: int = uint(14, low=1, doc="Fragment number, from 1")
    frag_index: int = uint(2, doc="Session")
    payload: bytes = rest(doc="FragSize octets")


PACKAGE = Package(
    name="fragmentation",
    title="Fragmented Data Block Transport",
    document="TS004-1.0.0",
    identifier=3,
    version=1,
    fport=201,
    commands=(
        PackageVersionReq,
        PackageVersionAns,
        FragSessionStatusReq,
        FragSessionStatusAns,
        FragSessionSetupReq,
        FragSessionSetupAns,
        FragSessionDeleteReq,
        FragSessionDeleteAns,
        DataFragment,
    ),
)
