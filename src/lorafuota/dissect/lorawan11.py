"""The session keys of a LoRaWAN 1.1 device: which counter makes a MIC fit, and what was checked.

The MIC of an uplink has two halves.  One is made with FNwkSIntKey and the counter.  The other is
made with SNwkSIntKey and, besides, the data rate and the channel the frame was sent on, and after
an acknowledgement the counter of the frame that is acknowledged.  None of these is in the frame.
They are tried, and what was found that way is said, because it proves less than a MIC of 32 bits.
"""

from __future__ import annotations

import dataclasses
import hmac
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, final

from ..crypto import MIC_OCTETS
from ..errors import require_int
from ..types import (
    DOWNLINK,
    UPLINK,
    AppSKey,
    DevAddr,
    DevEUI,
    Direction,
    FNwkSIntKey,
    Key,
    NwkSEncKey,
    SNwkSIntKey,
    require_key,
)
from .framecrypto import cmacs, identity, keystream

__all__ = ["Fit", "SessionKeys"]

_HALF: Final = MIC_OCTETS // 2
_BLOCK: Final = 16
_ACK: Final = 0x20
_UPPER: Final = 1 << 16

_TX: Final = tuple((tx_dr, tx_ch) for tx_ch in range(256) for tx_dr in range(16))
"""TxDr and TxCh as they are tried: low channels first, each with every data rate."""

_UPLINK_TRIES: Final = 256
"""Upper halves tried for an uplink: with more, chance would find one too often."""

_HALF_TRIES: Final = 16
"""Upper halves for which a half that fits is taken for a sign: 16 bits prove no more."""

_ACKED: Final = 2
"""Confirmed downlinks, the newest first, that an uplink may acknowledge."""

_SEARCHED: Final = 2
"""Upper halves for which all counters of an acknowledged uplink are tried."""


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A counter that makes a MIC fit.

    Attributes:
        fcnt: The whole counter.
        half: Only the half of the MIC under FNwkSIntKey was seen to fit.
        note: What was found by trying and what could not be checked; empty if there is nothing.
    """

    fcnt: int
    half: bool = False
    note: str = ""


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SessionKeys:
    """The four session keys of a LoRaWAN 1.1 device.

    Attributes:
        address: DevAddr.
        f_nwk_s_int_key: Half of the MIC of uplinks.
        s_nwk_s_int_key: The other half, and the MIC of downlinks.
        nwk_s_enc_key: Encrypts FOpts and port 0.
        app_s_key: Encrypts the other ports.
        dev_eui: Whose address it is, if that is known.

    Raises:
        FieldError: A key is of another class, or the address out of its range.
    """

    address: DevAddr
    f_nwk_s_int_key: FNwkSIntKey
    s_nwk_s_int_key: SNwkSIntKey
    nwk_s_enc_key: NwkSEncKey
    app_s_key: AppSKey
    dev_eui: DevEUI | None = None

    def __post_init__(self) -> None:
        require_int("SessionKeys", "address", self.address, 0, 0xFFFFFFFF)
        require_key("SessionKeys", "f_nwk_s_int_key", self.f_nwk_s_int_key, FNwkSIntKey)
        require_key("SessionKeys", "s_nwk_s_int_key", self.s_nwk_s_int_key, SNwkSIntKey)
        require_key("SessionKeys", "nwk_s_enc_key", self.nwk_s_enc_key, NwkSEncKey)
        require_key("SessionKeys", "app_s_key", self.app_s_key, AppSKey)

    @property
    def multicast(self) -> bool:
        """Whether the address is a group's; it never is."""
        return False

    def counter(self, direction: Direction, fport: int | None) -> str:
        """Return the document's name of the counter a frame has; downlinks have two."""
        if direction is UPLINK:
            return "FCntUp"
        return "AFCntDown" if fport else "NFCntDown"

    def fit(
        self,
        phy: bytes,
        *,
        direction: Direction,
        near: int = 0,
        tries: int = _UPPER,
        confirmed: Sequence[int] = (),
        search: bool = True,
    ) -> Fit | None:
        """Return the counter that makes the MIC fit, and what was checked; or None.

        Args:
            phy: A data frame, 12 octets or more.
            direction: Who sent it.
            near: A counter not far below, if one is known.
            tries: How many upper halves of the counter to try; of an uplink 256 at most.
            confirmed: Lower halves of the counters of confirmed frames of the other side, the
                newest first: one of them is acknowledged, if any frame is.
            search: Whether to try every counter for a downlink that acknowledges, if none of these
                fits.
        """
        if direction is UPLINK:
            return self._uplink(phy, near, min(tries, _UPLINK_TRIES), confirmed[:_ACKED])
        return self._downlink(phy, near, tries, confirmed, search=search)

    def crypt(self, octets: bytes, *, port: int, direction: Direction, fcnt: int) -> bytes:
        """Encrypt or decrypt FRMPayload; both are the same."""
        key: Key = self.app_s_key if port else self.nwk_s_enc_key
        return keystream(key, octets, identity(direction, self.address, fcnt))

    def crypt_options(
        self, octets: bytes, *, fport: int | None, direction: Direction, fcnt: int
    ) -> bytes:
        """Encrypt or decrypt FOpts; both are the same."""
        flag = 2 if self.counter(direction, fport) == "AFCntDown" else 1
        middle = identity(direction, self.address, fcnt)
        return keystream(self.nwk_s_enc_key, octets, middle, flag=flag)

    # --- Uplinks ----------------------------------------------------------------------------------

    def _uplink(self, phy: bytes, near: int, tries: int, confirmed: Sequence[int]) -> Fit | None:
        message, mic = phy[:-MIC_OCTETS], phy[-MIC_OCTETS:]
        acks = bool(phy[5] & _ACK)
        counters = _counters(phy, near, tries)
        heads = (self._block(UPLINK, fcnt, message) for fcnt in counters)
        half: int | None = None
        for at in _fitting(self.f_nwk_s_int_key, heads, message, mic[_HALF:]):
            found = self._serving(message, mic[:_HALF], counters[at], confirmed if acks else (0,))
            if found is not None:
                conf_fcnt, tx_dr, tx_ch = found
                tried = (at + 1) * len(_TX) * (len(confirmed) if acks else 1)
                acked = f", ConfFCnt {conf_fcnt}" if acks else ""
                note = (
                    f"both halves of the MIC fit with TxDr {tx_dr}, TxCh {tx_ch}{acked}: they are "
                    "not in the frame and were tried; "
                    f"chance does that once in {(1 << 32) // tried:,}"
                )
                return Fit(fcnt=counters[at], note=note)
            if half is None and at < _HALF_TRIES:
                half = counters[at]
        if half is None:
            return None
        return Fit(fcnt=half, half=True, note=_half_note(acks=acks, seen=bool(confirmed)))

    def _serving(
        self, message: bytes, wanted: bytes, fcnt: int, conf_fcnts: Sequence[int]
    ) -> tuple[int, int, int] | None:
        """Return ConfFCnt, TxDr and TxCh that make the half under SNwkSIntKey fit."""
        tail = self._block(UPLINK, fcnt, message)[5:]
        for conf_fcnt in conf_fcnts:
            head = b"\x49" + conf_fcnt.to_bytes(2, "little")
            blocks = (head + bytes(each) + tail for each in _TX)
            for at in _fitting(self.s_nwk_s_int_key, blocks, message, wanted):
                return conf_fcnt, *_TX[at]
        return None

    # --- Downlinks --------------------------------------------------------------------------------

    def _downlink(
        self, phy: bytes, near: int, tries: int, confirmed: Sequence[int], *, search: bool
    ) -> Fit | None:
        message, mic = phy[:-MIC_OCTETS], phy[-MIC_OCTETS:]
        acks = bool(phy[5] & _ACK)
        counters = _counters(phy, near, tries)
        for conf_fcnt in confirmed if acks else (0,):
            blocks = (self._block(DOWNLINK, fcnt, message, conf_fcnt) for fcnt in counters)
            for at in _fitting(self.s_nwk_s_int_key, blocks, message, mic):
                note = f"it acknowledges the uplink with ConfFCnt {conf_fcnt}" if acks else ""
                return Fit(fcnt=counters[at], note=note)
        if not (acks and search):
            return None
        for fcnt in counters[:_SEARCHED]:
            tail = self._block(DOWNLINK, fcnt, message)[3:]
            blocks = (b"\x49" + conf.to_bytes(2, "little") + tail for conf in range(_UPPER))
            for conf_fcnt in _fitting(self.s_nwk_s_int_key, blocks, message, mic):
                note = (
                    f"it acknowledges the uplink with ConfFCnt {conf_fcnt}, which is not in the "
                    "frame: all were tried"
                )
                return Fit(fcnt=fcnt, note=note)
        return None

    def _block(self, direction: Direction, fcnt: int, message: bytes, conf_fcnt: int = 0) -> bytes:
        """Return B0: B1 has TxDr and TxCh in its octets 3 and 4."""
        head = b"\x49" + conf_fcnt.to_bytes(2, "little") + bytes(2)
        return head + identity(direction, self.address, fcnt) + bytes((len(message) & 0xFF,))


def _counters(phy: bytes, near: int, tries: int) -> list[int]:
    low = int.from_bytes(phy[6:8], "little")
    return [((near >> 16) + i) % _UPPER << 16 | low for i in range(min(tries, _UPPER))]


def _fitting(key: Key, blocks: Iterable[bytes], message: bytes, wanted: bytes) -> Iterator[int]:
    """Return the places of the blocks whose CMAC begins as wanted; few are made ahead of need."""
    rest, start = iter(blocks), 0
    for size in (1, 255, None):
        codes = cmacs(key, b"".join(itertools.islice(rest, size)), message)
        count = len(codes) // _BLOCK
        for at in range(count):
            code = codes[at * _BLOCK : at * _BLOCK + len(wanted)]
            if hmac.compare_digest(code, wanted):
                yield start + at
        start += count


def _half_note(*, acks: bool, seen: bool) -> str:
    if not acks:
        return "only the half of the MIC under FNwkSIntKey fits"
    known = "none that was seen fits" if seen else "none was seen"
    return (
        "only the half of the MIC under FNwkSIntKey was checked: the other half needs the counter "
        f"of the confirmed downlink it acknowledges, and {known}"
    )
