"""What differs between versions of a package, and between the stacks in the field, as data.

A session holds a profile and asks it; nowhere in a session stands ``if version == 2``.  The first
fields of a profile are what the documents leave to the version; the others, whose defaults are the
documents' behaviour, are what known stacks do instead.  Each names its source: a stack and its
version, read or executed (the tables "where implementations differ" of the protocol references).
:mod:`lorafuota.session.stacks` puts them together under the names of the stacks.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Final

from ..clocksync import v1 as clocksync_v1
from ..clocksync import v2 as clocksync_v2
from ..errors import FieldError
from ..fec.variant import ParityVariant
from ..firmwaremanagement import v1 as firmwaremanagement_v1
from ..fragmentation import v1 as fragmentation_v1
from ..fragmentation import v2 as fragmentation_v2
from ..multicastsetup import v1 as multicastsetup_v1
from ..multicastsetup import v2 as multicastsetup_v2
from ..multipackage import v1 as multipackage_v1
from ..package import Package

__all__ = [
    "CLOCK_PROFILES",
    "FRAG_PROFILES",
    "MC_PROFILES",
    "ClockProfile",
    "Count",
    "FirmwareProfile",
    "FragProfile",
    "McProfile",
    "Missing",
    "Order",
    "SetProfile",
    "clock_profile",
    "frag_profile",
    "mc_profile",
]


class Order(enum.Enum):
    """Which fragments a device takes."""

    ANY = "any order"
    PLAIN_ASCENDING = "no plain fragment below one it has seen"
    """LoRaMac-node, LoRa Basics Modem, ST: a late plain fragment is lost."""
    ASCENDING = "strictly ascending, coded ones too"
    """Renesas."""


class Count(enum.Enum):
    """What NbFragReceived tells."""

    ALL = "all that were taken, repeats too"
    DISTINCT = "all that were taken, without repeats"
    """Renesas."""
    LAST_N = "the number of the last one"
    """LoRaMac-node, ST."""
    LAST_N_MINUS_LOST = "the number of the last one, less the plain ones lost"
    """LoRa Basics Modem."""


class Missing(enum.Enum):
    """What MissingFrag tells."""

    NEEDED = "independent fragments still needed"
    LOST = "plain fragments lost so far, repaired or not; it never falls"
    """LoRaMac-node, ST: an upper bound, and non-zero after a repaired success."""
    NOT_RECEIVED = "NbFrag less NbFragReceived"
    """Zephyr."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FragProfile:
    """The choices one version of TS004 makes, and those of known stacks."""

    package: Package
    parity: ParityVariant
    """How lines of the matrix are drawn; nothing on air tells."""
    has_mic: bool
    """Set-ups carry SessionCnt and MIC, and a complete block is checked against it."""
    reports_missing_session: bool
    """A status request for a session that does not exist is answered."""

    order: Order = Order.ANY
    count: Count = Count.ALL
    missing: Missing = Missing.NEEDED
    missing_truncated: bool = False
    """MissingFrag is cut to 8 bits, 300 becomes 44 (LoRaMac-node, ST, LoRa Basics Modem)."""
    lossless_missing_one: bool = False
    """MissingFrag is 1 after a transfer without loss (LoRa Basics Modem to 4.8.0, SWL2001 101)."""
    fresh_reads_complete: bool = False
    """Before the first fragment the status is all zeros: index 0, nothing missing (LoRa Basics
    Modem 4.8.0, version 2)."""
    stale_status: bool = False
    """Without a session, version 1 answers with what the last one left (LoRaMac-node, LoRa Basics
    Modem, Zephyr)."""
    long_absent_status: bool = False
    """Without a session, version 2 answers four octets: the bit, a bogus MICError, and what the
    last session left (LoRa Basics Modem 4.8.0)."""
    status_as_v1: bool = False
    """The status answer has version 1's order in version 2 (ST middleware, its issue 5)."""
    sticky_memory_error: bool = False
    """The memory bit stays from an earlier session (LoRaMac-node 1629)."""
    needs_coded_fragment: bool = False
    """The end is noticed only with a coded fragment: after a transfer without loss it waits for one
    more (ST)."""
    one_decoder: bool = False
    """Four indices are accepted, but a second set-up destroys the decoding of the first
    (LoRaMac-node, LoRa Basics Modem, ST)."""
    one_session: bool = False
    """While a session is there another index is FragIndex unsupported (Zephyr)."""
    refusal_destroys: bool = False
    """A refused set-up destroys the session of its index (Renesas; Zephyr overwrites it)."""
    complete_is_gone: bool = False
    """A delete after the end finds no session (Zephyr)."""
    mask_enforced: bool = True
    """A group whose bit is not in McGroupBitMask feeds nothing; not enforced by LoRaMac-node and
    Zephyr."""
    unicast_only_enforced: bool = True
    """Commands for unicast only are ignored by multicast; Zephyr does not look."""
    signed_session_cnt: bool = False
    """SessionCnt is compared as a signed 16-bit difference, to 0xFFFF at first, so that a fresh
    device refuses 0x7FFF to 0xFFFF (Renesas)."""
    stores_session_cnt: bool = True
    """The last SessionCnt survives a reset; not in LoRa Basics Modem 4.8.0 (SWL2001 80) and ST."""
    mic_only_with_ack: bool = False
    """The MIC is checked only if AckReception is set (ST)."""
    delays_unicast_status: bool = False
    """BlockAckDelay applies to unicast status requests too (all known stacks)."""
    delay_unit_seconds: float = 1.0
    """What BlockAckDelay counts in: milliseconds in Zephyr before mid-2026."""
    extra_delay_seconds: tuple[float, float] = (0.0, 0.0)
    """Added to a delay, drawn between the two: ST 3 s, LoRa Basics Modem 0 to 3 s."""
    reports: int | None = 3
    """How often FragDataBlockReceivedReq is sent while nobody answers; None for ever (ST)."""
    report_every_seconds: float | None = None
    """Fixed distance of the repeats; None draws BlockAckDelay anew.  ST: 1.5 s."""
    reports_on_fragment: bool = False
    """Repeats come with every further fragment, not with time (Renesas)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class McProfile:
    """The choices one version of TS005 makes, and those of known stacks."""

    package: Package
    max_inclusive: bool
    """A frame whose counter is maxMcFCount is accepted.  LoRaMac-node and LoRa Basics Modem accept
    it in version 1 as well."""
    has_start_missed: bool
    """A session request that comes too late has a status bit of its own; LoRa Basics Modem and
    Zephyr use it in version 1 as well."""

    joins_late: bool = True
    """Without that bit, a window that is still open is entered late; LoRaMac-node refuses it."""
    undefined_sets_all: bool = False
    """For an undefined group FreqError and DRError are set too (LoRaMac-node: 0x1C)."""
    status_known: bool = True
    """McGroupStatusReq is implemented; LoRaMac-node and Zephyr lose the rest of a payload there."""
    status_octets: int = 242
    """Room for McGroupStatusAns; LoRa Basics Modem has 15, so two records."""
    knows_class_b: bool = True
    """McClassBSessionReq is implemented; Zephyr gives no answer at all."""
    class_b_as_c: bool = False
    """A class B session is run as class C of 2**TimeOut seconds (LoRaMac-node)."""
    refuses_silently: bool = False
    """FreqError and DRError give an answer that lacks its status octet (Zephyr)."""
    refusal_cancels: bool = False
    """A refused request spoils a scheduled session (LoRa Basics Modem overwrites, then checks)."""
    keeps_group_while_running: bool = False
    """A set-up while the window is open is answered, and the old keys stay (LoRa Basics Modem)."""
    one_window: bool = False
    """One timer for all groups: a session request replaces that of another group (LoRaMac-node)."""
    truncates_time_to_start: bool = False
    """TimeToStart is cut to 24 bits and not clamped (LoRaMac-node)."""
    answer_delay_seconds: float = 0.0
    """Session answers leave so much later than TimeToStart was computed (Zephyr: 1 to 3 s)."""
    low_dr_bits: bool = False
    """Only the low 4 bits of DR count (LoRa Basics Modem)."""
    wire_counter_at_start: bool = False
    """The 16 bits of the first frame are taken for the whole counter, so that a group past 65535 is
    not heard (LoRaMac-node after a set-up, LoRa Basics Modem after every session start)."""
    forgets_counter: bool = False
    """The last counter is forgotten at each session start (LoRa Basics Modem).  Replays are
    accepted then; for imitation only."""
    unicast_only_enforced: bool = True
    """Commands are ignored by multicast; LoRaMac-node and Zephyr do not look."""
    zero_mc_ke_key: bool = False
    """McKEKey is all zeros (MultiTech Conduit's server).  No secret protects McKey then."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClockProfile:
    """The choices one version of TS003 makes, and those of known stacks."""

    package: Package
    asks_again: bool
    """After an extreme correction another request follows; Zephyr claims version 2 and does not."""

    periods: range = range(16)
    """Periods taken from the server, others are NotSupported: none by LoRaMac-node and Mbed, a
    configured range by Renesas."""
    forced_gap_seconds: tuple[float, float] = (10.0, 60.0)
    """Between forced requests, drawn between the two: LoRaMac-node 0, LoRa Basics Modem about 1,
    Zephyr 10."""
    forced_extra: int = 0
    """Forced requests beyond NbTransmissions: Zephyr sends one more."""
    any_answer_stops_forced: bool = False
    """An answer with a wrong token ends forced requests too (LoRaMac-node, Zephyr)."""
    may_require_answer: bool = True
    """AnsRequired is set while the clock is unknown; never by LoRaMac-node and Zephyr."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareProfile:
    """What known stacks do otherwise than TS006."""

    package: Package = firmwaremanagement_v1.PACKAGE
    refusal_cancels: bool = False
    """A refused reboot request cancels the programmed one (Renesas)."""
    now_is_future: bool = False
    """A reboot time of exactly now is accepted, and the answer 0 reads as an error (Renesas)."""
    ignores_versions: bool = False
    """A delete takes any valid image, whose version is told as 0 (ST, Actility)."""
    unicast_only_enforced: bool = True
    """Commands are ignored by multicast; ST does not look."""
    answer_octets: int = 242
    """Room for the answers to one payload, others are lost; LoRa Basics Modem has 9."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SetProfile:
    """What known stacks do otherwise than TS007."""

    buffer_octets: int = multipackage_v1.BUFFER_SIZE
    """Size of the ANS buffer; LoRa Basics Modem has 125."""
    skips_what_does_not_fit: bool = False
    """Answers that do not fit are left out and smaller ones may follow (LoRa Basics Modem); the
    others stop there."""
    cuts_early: bool = False
    """Pieces are sent already when the buffer and a piece's three octets do not fit (LoRa Basics
    Modem)."""
    stop_exclusive: bool = False
    """StopByte itself is not sent (LoRa Basics Modem)."""
    error_has_token: bool = False
    """The error piece has a token (LoRa Basics Modem)."""
    silence_ends_all: bool = False
    """A command without answer, or an unknown one, and no answer leaves at all although commands
    were executed (LoRa Basics Modem)."""


FRAG_PROFILES: Final = {
    1: FragProfile(
        package=fragmentation_v1.PACKAGE,
        parity=ParityVariant.V1,
        has_mic=False,
        reports_missing_session=False,
    ),
    2: FragProfile(
        package=fragmentation_v2.PACKAGE,
        parity=ParityVariant.V2,
        has_mic=True,
        reports_missing_session=True,
    ),
}

MC_PROFILES: Final = {
    1: McProfile(package=multicastsetup_v1.PACKAGE, max_inclusive=False, has_start_missed=False),
    2: McProfile(package=multicastsetup_v2.PACKAGE, max_inclusive=True, has_start_missed=True),
}

CLOCK_PROFILES: Final = {
    1: ClockProfile(package=clocksync_v1.PACKAGE, asks_again=False),
    2: ClockProfile(package=clocksync_v2.PACKAGE, asks_again=True),
}


def frag_profile(version: int) -> FragProfile:
    """Return what a device does that follows this version of TS004 to the letter.

    Raises:
        FieldError: There is no such version.
    """
    if version not in FRAG_PROFILES:
        raise FieldError("frag_profile", "version", version, "1 or 2")
    return FRAG_PROFILES[version]


def mc_profile(version: int) -> McProfile:
    """Return what a device does that follows this version of TS005 to the letter.

    Raises:
        FieldError: There is no such version.
    """
    if version not in MC_PROFILES:
        raise FieldError("mc_profile", "version", version, "1 or 2")
    return MC_PROFILES[version]


def clock_profile(version: int) -> ClockProfile:
    """Return what a device does that follows this version of TS003 to the letter.

    Raises:
        FieldError: There is no such version.
    """
    if version not in CLOCK_PROFILES:
        raise FieldError("clock_profile", "version", version, "1 or 2")
    return CLOCK_PROFILES[version]
