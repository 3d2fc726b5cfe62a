"""Multicast downlink frames, both ends, and the class B slots they travel in.

**A frame** is ``MHDR(1) DevAddr(4) FCtrl(1) FCnt(2) FPort(1) FRMPayload(0..242) MIC(4)``.  Any
member of a group knows its keys, so a multicast frame carries data only: no MAC commands, no
acknowledgement, never confirmed.  A receiver drops whatever else arrives, without a sound.

**The counter** has 32 bits and travels as 16.  The receiver takes the lowest counter above its last
one that ends in those 16 bits; encryption and MIC use all 32, so a wrong guess fails the MIC.  A
counter is never accepted twice, which is what makes a replay harmless, and never sent twice, which
is what keeps two payloads from sharing a key stream.

State is plain data.  :meth:`McReceiver.to_plain` and :meth:`McSender.to_plain` leave the keys out;
keep those where keys belong.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Collection, Iterable, Mapping
from typing import Final, Self, final

from . import crypto
from .errors import FieldError, IntegrityError, StateError, require_int
from .gpstime import WRAP_SECONDS, whole_seconds
from .types import BytesLike, DevAddr, Key, McAppSKey, McKey, McNwkSKey, require_key

__all__ = [
    "BEACON_GUARD_MS",
    "BEACON_PERIOD_SECONDS",
    "BEACON_RESERVED_MS",
    "BEACON_WINDOW_MS",
    "DEFAULT_RETRIES",
    "MAX_FCNT",
    "MAX_FRM_PAYLOAD",
    "MC_FRAME_OVERHEAD",
    "PING_SLOT_MS",
    "Drop",
    "McFrame",
    "McReceiver",
    "McSender",
    "beacon_start",
    "build_mc_downlink",
    "candidate_fcnt",
    "fcnts_to_try",
    "hopping_channel",
    "next_beacon",
    "next_ping_slot_ms",
    "open_any",
    "ping_nb",
    "ping_offset",
    "ping_period",
    "ping_slots_ms",
]

MAX_FCNT: Final = 0xFFFFFFFF
"""The highest frame counter."""

MC_FRAME_OVERHEAD: Final = 13
"""Octets of a multicast PHYPayload around its FRMPayload."""

MAX_FRM_PAYLOAD: Final = 242
"""The most octets any data rate carries; most carry less (see :mod:`lorafuota.region`)."""

DEFAULT_RETRIES: Final = 2
"""Further upper halves of the counter a receiver tries when the MIC does not fit."""

BEACON_PERIOD_SECONDS: Final = 128
BEACON_RESERVED_MS: Final = 2_120
BEACON_WINDOW_MS: Final = 122_880
BEACON_GUARD_MS: Final = 3_000
PING_SLOT_MS: Final = 30

_MHDR: Final = 0x60
_ADR_ACK_REQ: Final = 0x40
_ACK: Final = 0x20
_FPENDING: Final = 0x10
_FOPTS_LEN: Final = 0x0F
_MAX_PHY: Final = 255
_SLOTS: Final = 4096
_PING_KEY: Final = Key(bytes(16))  # a constant of the document, not a secret


class Drop(enum.IntEnum):
    """Why a frame was dropped, in the order the checks are made: a higher one got further."""

    LENGTH = 1
    """Shorter than 13 octets (so without an FPort), or longer than 255."""
    MHDR = 2
    """Not an unconfirmed data downlink of major version 0."""
    ADDRESS = 3
    """For another device or group."""
    ADR_ACK_REQ = 4
    """FCtrl bit 6 is set, which LoRaWAN 1.0.0 to 1.0.3 forbid in multicast."""
    ACK = 5
    """FCtrl acknowledges something."""
    FOPTS = 6
    """FCtrl announces MAC commands."""
    FPORT = 7
    """FPort 0: the payload is MAC commands."""
    FCNT = 8
    """No new counter inside the window ends in these 16 bits: a replay, or out of McFCount."""
    MIC = 9
    """No counter tried makes the MIC fit: damaged, forged, or a group with other keys."""


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class McFrame:
    """A multicast frame that was accepted and decrypted."""

    mc_addr: DevAddr
    fcnt: int
    """All 32 bits."""
    fport: int
    payload: bytes
    fpending: bool
    """Class B: more follows in the next multicast slot."""


def build_mc_downlink(
    payload: BytesLike,
    *,
    mc_addr: DevAddr,
    mc_app_s_key: McAppSKey,
    mc_nwk_s_key: McNwkSKey,
    fcnt: int,
    fport: int,
    fpending: bool = False,
) -> bytes:
    """Encrypt and sign one multicast downlink; return its PHYPayload.

    Never call this twice with one (key, counter) and different payloads; :class:`McSender` keeps
    count for you.

    Args:
        payload: FRMPayload in the clear, 0 to 242 octets.
        mc_addr: The group's address.
        mc_app_s_key: Encrypts.
        mc_nwk_s_key: Signs.
        fcnt: The whole counter, 0 to 2**32 - 1; its low half travels.
        fport: The data package's port, 1 to 223.
        fpending: Class B only: promise data in the next multicast slot.

    Raises:
        FieldError: An argument is out of its range, or a key of another class.
    """
    where = "build_mc_downlink"
    payload = bytes(payload)
    if len(payload) > MAX_FRM_PAYLOAD:
        raise FieldError(where, "len(payload)", len(payload), f"0..{MAX_FRM_PAYLOAD} octets")
    require_int(where, "fport", fport, 1, 223)
    require_int(where, "mc_addr", mc_addr, 0, MAX_FCNT)
    require_int(where, "fcnt", fcnt, 0, MAX_FCNT)
    message = b"".join(
        (
            bytes((_MHDR,)),
            mc_addr.to_bytes(4, "little"),
            bytes((_FPENDING if fpending else 0,)),
            (fcnt & 0xFFFF).to_bytes(2, "little"),
            bytes((fport,)),
            crypto.crypt_mc_frm_payload(mc_app_s_key, payload, mc_addr=mc_addr, fcnt=fcnt),
        )
    )
    return message + crypto.mc_frame_mic(mc_nwk_s_key, message, mc_addr=mc_addr, fcnt=fcnt)


def candidate_fcnt(wire: int, *, last: int | None, min_mc_fcnt: int) -> int:
    """Return the lowest counter that is new, not below the minimum, and ends in *wire*.

    It may lie above the window and even above 2**32 - 1; :func:`fcnts_to_try` applies the window.

    Args:
        wire: FCnt of the frame, 16 bits.
        last: The last counter accepted, None after the group's setup.
        min_mc_fcnt: minMcFCount of the group.
    """
    lowest = min_mc_fcnt if last is None else max(min_mc_fcnt, last + 1)
    candidate = (lowest & ~0xFFFF) | wire
    return candidate if candidate >= lowest else candidate + 0x10000


def fcnts_to_try(
    wire: int,
    *,
    last: int | None,
    min_mc_fcnt: int,
    max_mc_fcnt: int,
    max_inclusive: bool,
    retries: int = DEFAULT_RETRIES,
) -> range:
    """Return the counters a received FCnt may stand for, lowest first; none means drop.

    Args:
        wire: FCnt of the frame, 16 bits.
        last: The last counter accepted, None after the group's setup.
        min_mc_fcnt: minMcFCount, the lowest counter the group accepts.
        max_mc_fcnt: maxMcFCount, the end of the group's life.
        max_inclusive: True when maxMcFCount itself is accepted (TS005-2.0.0), False when it is the
            first that is not (TS005-1.0.0).
        retries: How many further upper halves to offer.  They matter to a receiver that missed
            more than 65,535 frames, and each costs one MIC for a frame that is forged.
    """
    first = candidate_fcnt(wire, last=last, min_mc_fcnt=min_mc_fcnt)
    return range(first, max_mc_fcnt + max_inclusive, 0x10000)[: 1 + retries]


@final
@dataclasses.dataclass(slots=True, kw_only=True)
class McReceiver:
    """One group's receiving end: its address, its keys, its counter.

    Only an accepted frame changes it, and only :attr:`last_fcnt`.
    """

    mc_addr: DevAddr
    mc_app_s_key: McAppSKey
    mc_nwk_s_key: McNwkSKey
    min_mc_fcnt: int
    max_mc_fcnt: int
    max_inclusive: bool
    """TS005-2.0.0 accepts maxMcFCount itself (True), TS005-1.0.0 does not (False)."""
    last_fcnt: int | None = None
    """The last counter accepted; survives sessions, and must survive a restart."""
    retries: int = DEFAULT_RETRIES

    def __post_init__(self) -> None:
        """Check what was given.

        Raises:
            FieldError: A counter is no 32-bit number, min is above max, retries is negative, or a
                key is of another class.
        """
        where = "McReceiver"
        require_key(where, "mc_app_s_key", self.mc_app_s_key, McAppSKey)
        require_key(where, "mc_nwk_s_key", self.mc_nwk_s_key, McNwkSKey)
        self.mc_addr = DevAddr(self.mc_addr)
        require_int(where, "max_mc_fcnt", self.max_mc_fcnt, 0, MAX_FCNT)
        require_int(where, "min_mc_fcnt", self.min_mc_fcnt, 0, self.max_mc_fcnt)
        if self.last_fcnt is not None:
            require_int(where, "last_fcnt", self.last_fcnt, 0, MAX_FCNT)
        require_int(where, "retries", self.retries, 0, 0xFFFF)

    @classmethod
    def from_mc_key(
        cls,
        mc_key: McKey,
        mc_addr: DevAddr,
        *,
        min_mc_fcnt: int,
        max_mc_fcnt: int,
        max_inclusive: bool,
        last_fcnt: int | None = None,
        retries: int = DEFAULT_RETRIES,
    ) -> Self:
        """Start from what a McGroupSetupReq brings, once its McKey is unwrapped.

        Raises:
            FieldError: As for the constructor.
        """
        return cls(
            mc_addr=mc_addr,
            mc_app_s_key=crypto.derive_mc_app_s_key(mc_key, mc_addr),
            mc_nwk_s_key=crypto.derive_mc_nwk_s_key(mc_key, mc_addr),
            min_mc_fcnt=min_mc_fcnt,
            max_mc_fcnt=max_mc_fcnt,
            max_inclusive=max_inclusive,
            last_fcnt=last_fcnt,
            retries=retries,
        )

    def open(self, phy: BytesLike) -> McFrame | Drop:
        """Check, decrypt and count one received PHYPayload, whatever it is.

        Never raises because of what arrived.  A dropped frame changes nothing.
        """
        phy = bytes(phy)
        return _first_drop(phy, (self.mc_addr,)) or self._authenticate(phy)

    def to_plain(self) -> dict[str, int | bool | None]:
        """Return everything but the keys as a JSON-able dict."""
        return {
            "mc_addr": int(self.mc_addr),
            "min_mc_fcnt": self.min_mc_fcnt,
            "max_mc_fcnt": self.max_mc_fcnt,
            "max_inclusive": self.max_inclusive,
            "last_fcnt": self.last_fcnt,
            "retries": self.retries,
        }

    @classmethod
    def from_plain(
        cls, plain: Mapping[str, object], *, mc_app_s_key: McAppSKey, mc_nwk_s_key: McNwkSKey
    ) -> Self:
        """Rebuild from :meth:`to_plain` and the keys kept elsewhere.

        Raises:
            FieldError: *plain* lacks an entry, or has one that does not fit; or a key is of another
                class.
        """
        last = None if plain.get("last_fcnt", 0) is None else _stored(plain, "last_fcnt")
        return cls(
            mc_addr=DevAddr(_stored(plain, "mc_addr")),
            mc_app_s_key=mc_app_s_key,
            mc_nwk_s_key=mc_nwk_s_key,
            min_mc_fcnt=_stored(plain, "min_mc_fcnt"),
            max_mc_fcnt=_stored(plain, "max_mc_fcnt"),
            max_inclusive=bool(_stored(plain, "max_inclusive")),
            last_fcnt=last,
            retries=_stored(plain, "retries"),
        )

    def _authenticate(self, phy: bytes) -> McFrame | Drop:
        """Go on with a frame that is well formed and addressed to us: counter, MIC, decryption."""
        fcnts = fcnts_to_try(
            int.from_bytes(phy[6:8], "little"),
            last=self.last_fcnt,
            min_mc_fcnt=self.min_mc_fcnt,
            max_mc_fcnt=self.max_mc_fcnt,
            max_inclusive=self.max_inclusive,
            retries=self.retries,
        )
        message, mic = phy[: -crypto.MIC_OCTETS], phy[-crypto.MIC_OCTETS :]
        for fcnt in fcnts:
            try:
                crypto.verify_mc_frame_mic(
                    self.mc_nwk_s_key, message, mc_addr=self.mc_addr, fcnt=fcnt, mic=mic
                )
            except IntegrityError:
                continue
            payload = crypto.crypt_mc_frm_payload(
                self.mc_app_s_key, message[9:], mc_addr=self.mc_addr, fcnt=fcnt
            )
            self.last_fcnt = fcnt
            return McFrame(
                mc_addr=self.mc_addr,
                fcnt=fcnt,
                fport=phy[8],
                payload=payload,
                fpending=bool(phy[5] & _FPENDING),
            )
        return Drop.MIC if fcnts else Drop.FCNT


def open_any(receivers: Iterable[McReceiver], phy: BytesLike) -> tuple[McReceiver, McFrame] | Drop:
    """Offer one PHYPayload to several groups; return the group that took it, and the frame.

    Groups may share an address; the MIC decides.  When all drop it, the answer is the reason of the
    group in which it got furthest, and nothing has changed.
    """
    phy = bytes(phy)
    receivers = tuple(receivers)
    drop = _first_drop(phy, {receiver.mc_addr for receiver in receivers})
    if drop is not None:
        return drop
    furthest = Drop.ADDRESS
    for receiver in receivers:
        opened = receiver.open(phy)
        if isinstance(opened, McFrame):
            return receiver, opened
        furthest = max(furthest, opened)
    return furthest


@final
@dataclasses.dataclass(slots=True, kw_only=True)
class McSender:
    """One group's sending end, which uses every counter once and stops before the last.

    Store :attr:`next_fcnt` *before* a frame goes on air: a counter that comes back with the same
    key after a crash gives away the payloads of both frames.
    """

    mc_addr: DevAddr
    mc_app_s_key: McAppSKey
    mc_nwk_s_key: McNwkSKey
    next_fcnt: int
    """The counter of the next frame; minMcFCount for a device that joins now."""
    max_mc_fcnt: int
    """Never sent itself: versions disagree whether a device accepts it."""

    def __post_init__(self) -> None:
        """Check what was given.

        Raises:
            FieldError: A counter is no 32-bit number, the next one is above the maximum, or a key
                is of another class.
        """
        require_key("McSender", "mc_app_s_key", self.mc_app_s_key, McAppSKey)
        require_key("McSender", "mc_nwk_s_key", self.mc_nwk_s_key, McNwkSKey)
        self.mc_addr = DevAddr(self.mc_addr)
        require_int("McSender", "max_mc_fcnt", self.max_mc_fcnt, 0, MAX_FCNT)
        require_int("McSender", "next_fcnt", self.next_fcnt, 0, self.max_mc_fcnt)

    @classmethod
    def from_mc_key(
        cls, mc_key: McKey, mc_addr: DevAddr, *, next_fcnt: int, max_mc_fcnt: int
    ) -> Self:
        """Start from the group's McKey.

        Raises:
            FieldError: As for the constructor.
        """
        return cls(
            mc_addr=mc_addr,
            mc_app_s_key=crypto.derive_mc_app_s_key(mc_key, mc_addr),
            mc_nwk_s_key=crypto.derive_mc_nwk_s_key(mc_key, mc_addr),
            next_fcnt=next_fcnt,
            max_mc_fcnt=max_mc_fcnt,
        )

    @property
    def frames_left(self) -> int:
        """How many frames this group can still send."""
        return self.max_mc_fcnt - self.next_fcnt

    def seal(self, payload: BytesLike, *, fport: int, fpending: bool = False) -> bytes:
        """Use the next counter for one frame; return its PHYPayload.

        Several gateways send the *same* octets; do not seal a payload once per gateway.

        Args:
            payload: FRMPayload in the clear, 0 to 242 octets.
            fport: The data package's port, 1 to 223.
            fpending: Class B only: promise data in the next multicast slot.

        Raises:
            StateError: The counters are used up; the group needs a new McKey and a new setup.
            FieldError: An argument is out of its range; the counter is not used.
        """
        if self.frames_left < 1:
            raise StateError("McSender.seal", f"counter {self.next_fcnt} reaches maxMcFCount")
        phy = build_mc_downlink(
            payload,
            mc_addr=self.mc_addr,
            mc_app_s_key=self.mc_app_s_key,
            mc_nwk_s_key=self.mc_nwk_s_key,
            fcnt=self.next_fcnt,
            fport=fport,
            fpending=fpending,
        )
        self.next_fcnt += 1
        return phy

    def to_plain(self) -> dict[str, int]:
        """Return everything but the keys as a JSON-able dict."""
        return {
            "mc_addr": int(self.mc_addr),
            "next_fcnt": self.next_fcnt,
            "max_mc_fcnt": self.max_mc_fcnt,
        }

    @classmethod
    def from_plain(
        cls, plain: Mapping[str, object], *, mc_app_s_key: McAppSKey, mc_nwk_s_key: McNwkSKey
    ) -> Self:
        """Rebuild from :meth:`to_plain` and the keys kept elsewhere.

        Raises:
            FieldError: *plain* lacks an entry, or has one that does not fit; or a key is of another
                class.
        """
        return cls(
            mc_addr=DevAddr(_stored(plain, "mc_addr")),
            mc_app_s_key=mc_app_s_key,
            mc_nwk_s_key=mc_nwk_s_key,
            next_fcnt=_stored(plain, "next_fcnt"),
            max_mc_fcnt=_stored(plain, "max_mc_fcnt"),
        )


def beacon_start(gps: float) -> int:
    """Return the GPS second the beacon period of this instant began, a multiple of 128.

    Raises:
        FieldError: *gps* is not finite.
    """
    whole = whole_seconds(gps)
    return whole - whole % BEACON_PERIOD_SECONDS


def next_beacon(gps: float) -> int:
    """Return the first beacon strictly after this instant, in GPS seconds.

    Raises:
        FieldError: *gps* is not finite.
    """
    return beacon_start(gps) + BEACON_PERIOD_SECONDS


def ping_nb(periodicity: int) -> int:
    """Return the ping slots in one beacon period: 128 for Periodicity 0 down to 1 for 7.

    Raises:
        FieldError: *periodicity* is outside 0..7.
    """
    return 1 << (7 - require_int("ping_nb", "periodicity", periodicity, 0, 7))


def ping_period(periodicity: int) -> int:
    """Return the distance of ping slots in slots of 30 ms: 32 for Periodicity 0, 4096 for 7.

    Raises:
        FieldError: *periodicity* is outside 0..7.
    """
    return _SLOTS // ping_nb(periodicity)


def ping_offset(beacon_time: int, address: DevAddr, periodicity: int) -> int:
    """Return the number of the first ping slot in a beacon period (TS001, class B ping slots).

    Args:
        beacon_time: Start of the period in GPS seconds, a multiple of 128, heard or not.
        address: McAddr for a multicast session, DevAddr for the device's own slots.
        periodicity: 0 (a slot every 0.96 s) to 7 (every 122.88 s).

    Raises:
        FieldError: An argument is out of its range.
    """
    where = "ping_offset"
    if beacon_time % BEACON_PERIOD_SECONDS != 0:
        raise FieldError(where, "beacon_time", beacon_time, "a multiple of 128")
    require_int(where, "address", address, 0, MAX_FCNT)
    period = ping_period(periodicity)
    wire = beacon_time % WRAP_SECONDS
    block = wire.to_bytes(4, "little") + address.to_bytes(4, "little") + bytes(8)
    return int.from_bytes(crypto.aes128_encrypt(_PING_KEY, block)[:2], "little") % period


def ping_slots_ms(beacon_time: int, address: DevAddr, periodicity: int) -> range:
    """Return the start of every ping slot of one beacon period, in GPS milliseconds.

    Args:
        beacon_time: Start of the period in GPS seconds, a multiple of 128.
        address: McAddr for a multicast session.
        periodicity: 0 to 7.

    Raises:
        FieldError: An argument is out of its range.
    """
    offset = ping_offset(beacon_time, address, periodicity)
    first = beacon_time * 1000 + BEACON_RESERVED_MS + offset * PING_SLOT_MS
    step = ping_period(periodicity) * PING_SLOT_MS
    return range(first, first + ping_nb(periodicity) * step, step)


def next_ping_slot_ms(after_ms: int, address: DevAddr, periodicity: int) -> int:
    """Return the first ping slot strictly after an instant, both in GPS milliseconds.

    Raises:
        FieldError: *address* or *periodicity* is out of its range.
    """
    beacon = beacon_start(after_ms // 1000)
    for slot in ping_slots_ms(beacon, address, periodicity):
        if slot > after_ms:
            return slot
    return ping_slots_ms(beacon + BEACON_PERIOD_SECONDS, address, periodicity)[0]


def hopping_channel(beacon_time: int, address: DevAddr, nb_channels: int) -> int:
    """Return the class B downlink channel of one beacon period, for DLFreq = 0.

    Args:
        beacon_time: Start of the period in GPS seconds.
        address: McAddr for a multicast session.
        nb_channels: 8 in US915 and AU915, 1 where nothing hops.

    Raises:
        FieldError: An argument is out of its range.
    """
    require_int("hopping_channel", "address", address, 0, MAX_FCNT)
    require_int("hopping_channel", "nb_channels", nb_channels, 1, 0xFF)
    return (address + beacon_time % WRAP_SECONDS // BEACON_PERIOD_SECONDS) % nb_channels


def _first_drop(phy: bytes, addresses: Collection[DevAddr]) -> Drop | None:
    """Make the checks that need neither key nor counter, cheapest first."""
    if not MC_FRAME_OVERHEAD <= len(phy) <= _MAX_PHY:
        return Drop.LENGTH
    if phy[0] != _MHDR:
        return Drop.MHDR
    if int.from_bytes(phy[1:5], "little") not in addresses:
        return Drop.ADDRESS
    fctrl = phy[5]
    if fctrl & _ADR_ACK_REQ:
        return Drop.ADR_ACK_REQ
    if fctrl & _ACK:
        return Drop.ACK
    if fctrl & _FOPTS_LEN:
        return Drop.FOPTS
    return Drop.FPORT if phy[8] == 0 else None


def _stored(plain: Mapping[str, object], field: str) -> int:
    value = plain.get(field)
    if not isinstance(value, int):
        raise FieldError("from_plain", field, value, "an int")
    return value
