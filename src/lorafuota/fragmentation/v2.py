"""Fragmented Data Block Transport, version 2 (TS004-2.0.0): what changed since 1.

A set-up carries a session counter and a MIC over the block, the status answer has another order
and a short form, and a device can report by itself that the block is complete.  The parity matrix
differs as well, which no message shows (:class:`lorafuota.fec.ParityVariant`).
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from .._kinds import Source
from ..package import PackageVersionAns, PackageVersionReq
from ..types import DOWNLINK, UPLINK
from ..wire import Command, command, flag, octets, only_if, uint
from . import v1
from .v1 import DataFragment, FragSessionDeleteAns, FragSessionDeleteReq, FragSessionStatusReq

__all__ = [
    "PACKAGE",
    "DataFragment",
    "FragDataBlockReceivedAns",
    "FragDataBlockReceivedReq",
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
    SESSION_CNT_REPLAY = 16


@command(0x01, UPLINK, size=1)
class FragSessionStatusAns(Command):
    """Tell how far a session has come; one octet only when there is no such session.

    Known stacks fill the counters differently; read them as bounds.
    """

    memory_error: bool = flag(doc="More fragments were lost than the device can repair")
    mic_error: bool = flag(doc="The rebuilt block has another MIC", spec="MICError")
    session_does_not_exist: bool = flag(rfu=5, doc="No such session; nothing follows")
    nb_frag_received: int | None = only_if(
        "session_does_not_exist", 0, uint(14, doc="Fragments received, coded and repeats included")
    )
    frag_index: int | None = only_if("session_does_not_exist", 0, uint(2, doc="Session"))
    missing_frag: int | None = only_if(
        "session_does_not_exist",
        0,
        uint(8, doc="Independent fragments still needed; 255 means 255 or more"),
    )

    @classmethod
    def forgive(cls, source: Source, seen: Mapping[str, Any]) -> None:
        """Step over the three stale octets LoRa Basics Modem sends where there is no session.

        Up to 4.8.0 it does, against the text.  Taken for stale when they are the last of the
        payload and are not a PackageVersionAns of this package, the only answer of that length.
        """
        version = bytes((PackageVersionAns.CID, PACKAGE.identifier))
        stale = source.data[source.pos :]
        if seen["session_does_not_exist"] and len(stale) == 3 and not stale.startswith(version):
            source.take(3)


@command(0x02, DOWNLINK, size=16)
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
    frag_algo: int = uint(3, doc="Coding scheme; 0 is the only one")
    ack_reception: bool = flag(rfu=1, doc="Ask for FragDataBlockReceivedReq at the end")
    padding: int = uint(8, doc="Filler octets at the end of the last fragment")
    descriptor: bytes = octets(4, doc="Free for the application; octets as they travel")
    session_cnt: int = uint(16, doc="Grows with every session of this index, against replay")
    mic: bytes = octets(4, doc="MIC over the block without padding", spec="MIC")


@command(0x02, UPLINK, size=1)
class FragSessionSetupAns(Command):
    """Accept or refuse a session.  On any error the device keeps what it had."""

    errors: SetupError = uint(5, SetupError, rfu=1, doc="Zero when accepted", spec="StatusBitMask")
    frag_index: int = uint(2, doc="Session the answer is about")


@command(0x04, UPLINK, size=1)
class FragDataBlockReceivedReq(Command):
    """Report that the block is complete.  The device repeats it until it is answered."""

    frag_index: int = uint(2, doc="Session")
    mic_error: bool = flag(rfu=5, doc="The rebuilt block has another MIC", spec="MICError")


@command(0x04, DOWNLINK, size=1)
class FragDataBlockReceivedAns(Command):
    """Acknowledge the report, so that the device stops repeating it."""

    frag_index: int = uint(2, rfu=6, doc="Session of the report")


PACKAGE = dataclasses.replace(
    v1.PACKAGE,
    document="TS004-2.0.0",
    version=2,
    commands=(
        PackageVersionReq,
        PackageVersionAns,
        FragSessionStatusReq,
        FragSessionStatusAns,
        FragSessionSetupReq,
        FragSessionSetupAns,
        FragSessionDeleteReq,
        FragSessionDeleteAns,
        FragDataBlockReceivedAns,
        FragDataBlockReceivedReq,
        DataFragment,
    ),
)
