"""The two keys behind one address: of a group, or of a LoRaWAN 1.0.x device."""

from __future__ import annotations

import dataclasses
import hmac
from typing import Final, Self, final

from .. import crypto
from ..errors import IntegrityError, require_int
from ..types import (
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

__all__ = ["AddressKeys"]

_UPPER: Final = 1 << 16


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
