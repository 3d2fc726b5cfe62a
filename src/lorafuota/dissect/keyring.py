"""The keys that open captured frames: of groups by McAddr, of devices by DevAddr."""

from __future__ import annotations

import collections
import dataclasses
import hmac
from collections.abc import Iterable
from typing import Final, Self, TypeAlias, final

from .. import crypto
from ..errors import IntegrityError, require_int
from ..types import (
    DOWNLINK,
    UPLINK,
    AppSKey,
    DevAddr,
    DevEUI,
    Direction,
    Key,
    McAppSKey,
    McKey,
    McNwkSKey,
    NwkSKey,
    require_key,
)
from .framecrypto import identity, keystream
from .lorawan11 import SessionKeys

__all__ = ["AddressKeys", "FrameKeys", "Keyring", "Opened"]

_UPPER: Final = 1 << 16

_CONFIRMED: Final = (4, 5)
"""FType of confirmed frames, up and down."""

_ACK: Final = 0x20

_REMEMBERED: Final = 8
"""Confirmed frames of one side that the other may acknowledge."""

_PATIENCE: Final = 8
"""Searches for an acknowledged counter that may end in vain before no more are made."""


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AddressKeys:
    """The two keys behind one address: one for the MIC, one for the payload.

    Attributes:
        address: McAddr or DevAddr.
        mic_key: McNwkSKey of a group, NwkSKey of a LoRaWAN 1.0.x device.
        payload_key: McAppSKey of a group, AppSKey of a device.
        dev_eui: Whose address it is, if it is a device's and known.

    Raises:
        FieldError: A key is of another class, or one is a group's and the other a device's.
    """

    address: DevAddr
    mic_key: McNwkSKey | NwkSKey
    payload_key: McAppSKey | AppSKey
    dev_eui: DevEUI | None = None

    def __post_init__(self) -> None:
        require_int("AddressKeys", "address", self.address, 0, 0xFFFFFFFF)
        require_key("AddressKeys", "mic_key", self.mic_key, McNwkSKey, NwkSKey)
        kind: type[Key] = McAppSKey if self.multicast else AppSKey
        require_key("AddressKeys", "payload_key", self.payload_key, kind)

    @classmethod
    def from_mc_key(cls, mc_key: McKey, mc_addr: DevAddr) -> Self:
        """Derive the keys of a group.

        Raises:
            FieldError: The key is of another class, or the address out of its range.
        """
        return cls(
            address=mc_addr,
            mic_key=crypto.derive_mc_nwk_s_key(mc_key, mc_addr),
            payload_key=crypto.derive_mc_app_s_key(mc_key, mc_addr),
        )

    @property
    def multicast(self) -> bool:
        """Whether the address is a group's."""
        return isinstance(self.mic_key, McNwkSKey)

    def mic_fits(self, phy: bytes, *, direction: Direction, fcnt: int) -> bool:
        """Tell whether the last four octets of a frame are its MIC with this counter."""
        message, mic = phy[: -crypto.MIC_OCTETS], phy[-crypto.MIC_OCTETS :]
        if isinstance(self.mic_key, McNwkSKey):
            try:
                crypto.verify_mc_frame_mic(
                    self.mic_key, message, mc_addr=self.address, fcnt=fcnt, mic=mic
                )
            except IntegrityError:
                return False
            return True
        middle = identity(direction, self.address, fcnt)
        b0 = b"\x49" + bytes(4) + middle + bytes((len(message) & 0xFF,))
        computed = crypto.aes128_cmac(self.mic_key, b0, message)[: crypto.MIC_OCTETS]
        return hmac.compare_digest(computed, mic)

    def crypt(self, octets: bytes, *, port: int, direction: Direction, fcnt: int) -> bytes:
        """Encrypt or decrypt FRMPayload; both are the same."""
        if isinstance(self.payload_key, McAppSKey):
            return crypto.crypt_mc_frm_payload(
                self.payload_key, octets, mc_addr=self.address, fcnt=fcnt
            )
        key = self.mic_key if port == 0 else self.payload_key
        return keystream(key, octets, identity(direction, self.address, fcnt))

    def counter(self, direction: Direction, fport: int | None) -> str:
        """Return the document's name of the counter a frame has; the port does not matter."""
        return "FCntUp" if direction is UPLINK else "FCntDown"

    def find_fcnt(
        self, phy: bytes, *, direction: Direction, near: int = 0, tries: int = _UPPER
    ) -> int | None:
        """Return the whole counter that makes the MIC fit, or None.

        Args:
            phy: A data frame; its FCnt has the lower 16 bits.
            direction: Who sent it.
            near: A counter not far below, if one is known; its upper half is tried first, then the
                next ones, then from zero.
            tries: How many upper halves to try; all if not given.
        """
        low = int.from_bytes(phy[6:8], "little")
        first = near >> 16
        for i in range(min(tries, _UPPER)):
            fcnt = (first + i) % _UPPER << 16 | low
            if self.mic_fits(phy, direction=direction, fcnt=fcnt):
                return fcnt
        return None


FrameKeys: TypeAlias = AddressKeys | SessionKeys
"""Keys of a group or a LoRaWAN 1.0.x device, or those of a LoRaWAN 1.1 device."""


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A data frame whose MIC fits.

    Attributes:
        keys: The keys it fits.
        fcnt: The whole counter.
        half: Only half of the MIC was seen to fit (LoRaWAN 1.1).
        note: What was found by trying and what could not be checked; empty if there is nothing.
    """

    keys: FrameKeys
    fcnt: int
    half: bool = False
    note: str = ""


@final
class Keyring:
    """Keys by address, and the counters seen so far; several keys may share an address."""

    def __init__(self, keys: Iterable[FrameKeys] = ()) -> None:
        """Take the keys, in the order they are tried."""
        self._by_address: dict[int, list[FrameKeys]] = {}
        self._last: dict[tuple[FrameKeys, str], int] = {}
        self._confirmed: dict[tuple[FrameKeys, Direction], collections.deque[int]] = {}
        self._in_vain: collections.Counter[FrameKeys] = collections.Counter()
        for one in keys:
            self._by_address.setdefault(int(one.address), []).append(one)

    def __repr__(self) -> str:
        return f"Keyring({sorted(map(DevAddr, self._by_address))})"

    def knows(self, address: int) -> bool:
        """Tell whether there are keys for an address."""
        return address in self._by_address

    def dev_eui(self, address: int) -> DevEUI | None:
        """Return whose address it is, if that is known."""
        return next((one.dev_eui for one in self._by_address.get(address, ()) if one.dev_eui), None)

    def open(
        self,
        phy: bytes,
        *,
        direction: Direction,
        fport: int | None = None,
        near: int | None = None,
        tries: int = _UPPER,
    ) -> Opened | None:
        """Return the keys and the whole counter that make the MIC of a data frame fit, or None.

        The counter is remembered, and so are confirmed frames: LoRaWAN 1.1 puts the counter of the
        one that is acknowledged under the MIC.

        Args:
            phy: A data frame, 12 octets or more.
            direction: Who sent it.
            fport: Its port, if it has one; a LoRaWAN 1.1 device counts two kinds of downlinks.
            near: A counter not far below, if one is known; the last one seen of that address is
                tried as well.
            tries: How many upper halves of the counter to try.
        """
        address = int.from_bytes(phy[1:5], "little")
        weak: Opened | None = None
        for one in self._by_address.get(address, ()):
            if one.multicast and direction is not DOWNLINK:
                continue
            last = self._last.get((one, one.counter(direction, fport)), 0)
            for start in dict.fromkeys((last if near is None else near, last)):
                found = self._fit(one, phy, direction, start, tries)
                if found is not None and not found.half:
                    self._remember(found, phy, direction, fport)
                    return found
                weak = weak or found
                if tries >= _UPPER and isinstance(one, AddressKeys):
                    break  # that was every counter there is
        if weak is not None:
            self._confirm(weak, phy, direction)
        return weak

    def _fit(
        self, one: FrameKeys, phy: bytes, direction: Direction, start: int, tries: int
    ) -> Opened | None:
        if isinstance(one, AddressKeys):
            fcnt = one.find_fcnt(phy, direction=direction, near=start, tries=tries)
            return None if fcnt is None else Opened(keys=one, fcnt=fcnt)
        other = DOWNLINK if direction is UPLINK else UPLINK
        fit = one.fit(
            phy,
            direction=direction,
            near=start,
            tries=tries,
            confirmed=tuple(self._confirmed.get((one, other), ())),
            search=self._in_vain[one] < _PATIENCE,
        )
        if fit is None:
            self._in_vain[one] += direction is DOWNLINK and bool(phy[5] & _ACK)
            return None
        return Opened(keys=one, fcnt=fit.fcnt, half=fit.half, note=fit.note)

    def _remember(self, found: Opened, phy: bytes, direction: Direction, fport: int | None) -> None:
        self._last[found.keys, found.keys.counter(direction, fport)] = found.fcnt
        self._confirm(found, phy, direction)

    def _confirm(self, found: Opened, phy: bytes, direction: Direction) -> None:
        """Remember a frame that the other side will acknowledge."""
        if phy[0] >> 5 in _CONFIRMED:
            whose = (found.keys, direction)
            seen = self._confirmed.setdefault(whose, collections.deque(maxlen=_REMEMBERED))
            low = found.fcnt & 0xFFFF
            if low in seen:
                seen.remove(low)
            seen.appendleft(low)
