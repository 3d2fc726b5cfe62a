"""What a root key opens: join-requests are checked, join-accepts decrypted, sessions derived.

::

    LoRaWAN 1.0.x   AppKey --+--> NwkSKey, AppSKey           from JoinNonce, NetID, DevNonce
    LoRaWAN 1.1     NwkKey --+--> FNwkSIntKey, SNwkSIntKey, NwkSEncKey
                    AppKey --+--> AppSKey                    from JoinNonce, JoinEUI, DevNonce

Which of the two a join is, the network says in the join-accept (OptNeg): a device with NwkKey that
meets a network of 1.0.x derives as that does, from NwkKey.  GenAppKey opens nothing here.
"""

from __future__ import annotations

import dataclasses
import hmac
from typing import Final, final

from .. import crypto
from ..errors import require_int
from ..types import (
    AppKey,
    AppSKey,
    DevAddr,
    DevEUI,
    FNwkSIntKey,
    Key,
    NwkKey,
    NwkSEncKey,
    NwkSKey,
    SNwkSIntKey,
    require_key,
)
from .addresskeys import AddressKeys
from .framecrypto import cmacs
from .lorawan11 import SessionKeys

__all__ = ["ACCEPT_SIZES", "REQUEST_SIZE", "HeardRequest", "RootKeys", "accept_mic"]

REQUEST_SIZE: Final = 23
"""Octets of a join-request."""

ACCEPT_SIZES: Final = (17, 33)
"""Octets of a join-accept, without a CFList and with one."""

_BLOCK: Final = 16
_JOIN_REQ_TYPE: Final = b"\xff"
_OPT_NEG: Final = 0x80
_MAX_RX_DELAY: Final = 15
_CF_LIST_TYPES: Final = (0, 1)


@final
@dataclasses.dataclass(frozen=True, slots=True)
class HeardRequest:
    """What a join-request gives to the keys of its session, as it travels."""

    join_eui: bytes
    dev_nonce: bytes

    @classmethod
    def of(cls, phy: bytes) -> HeardRequest:
        """Take it from a join-request of the right size."""
        return cls(phy[1:9], phy[17:19])


def accept_mic(key: Key, message: bytes, request: HeardRequest | None = None) -> bytes:
    """Compute the 4 octets that end a join-accept in the clear.

    Args:
        key: AppKey or NwkKey of LoRaWAN 1.0.x; JSIntKey of LoRaWAN 1.1.
        message: The join-accept in the clear, without its MIC.
        request: LoRaWAN 1.1: the join-request it answers.

    Raises:
        FieldError: *key* is no key.
    """
    require_key("accept_mic", "key", key, Key)
    head = b"" if request is None else _JOIN_REQ_TYPE + request.join_eui + request.dev_nonce
    return crypto.aes128_cmac(key, head, message)[: crypto.MIC_OCTETS]


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RootKeys:
    """The root keys of one device.

    Attributes:
        dev_eui: The device.
        app_key: AppKey, of both link layers.
        nwk_key: NwkKey, of a LoRaWAN 1.1 device only.
        join_eui: Its join server, if that is known: a join-accept of LoRaWAN 1.1 can then be
            checked without its join-request.

    Raises:
        FieldError: A key is of another class, or an identity out of its range.
    """

    dev_eui: DevEUI
    app_key: AppKey
    nwk_key: NwkKey | None = None
    join_eui: DevEUI | None = None

    def __post_init__(self) -> None:
        require_int("RootKeys", "dev_eui", self.dev_eui, 0, (1 << 64) - 1)
        require_key("RootKeys", "app_key", self.app_key, AppKey)
        if self.nwk_key is not None:
            require_key("RootKeys", "nwk_key", self.nwk_key, NwkKey)
        if self.join_eui is not None:
            require_int("RootKeys", "join_eui", self.join_eui, 0, (1 << 64) - 1)

    @property
    def _join_key(self) -> Key:
        return self.app_key if self.nwk_key is None else self.nwk_key

    def request_fits(self, phy: bytes) -> bool:
        """Tell whether the MIC of a join-request fits."""
        return _same(crypto.aes128_cmac(self._join_key, phy[: -crypto.MIC_OCTETS]), phy)

    def decrypt(self, phy: bytes) -> bytes:
        """Return a join-accept in the clear, MHDR and MIC included.

        The network decrypts to encrypt, so that a device needs encryption only.
        """
        return phy[:1] + crypto.aes128_encrypt(self._join_key, phy[1:])

    def as_1_1(self, clear: bytes) -> bool:
        """Tell whether a join-accept, in the clear, begins a session of LoRaWAN 1.1."""
        return self.nwk_key is not None and bool(clear[11] & _OPT_NEG)

    def accept_fits(self, clear: bytes, request: HeardRequest | None = None) -> bool:
        """Tell whether the MIC of a join-accept fits.

        Args:
            clear: The join-accept in the clear.
            request: The join-request it answers; LoRaWAN 1.1 has it under the MIC.
        """
        message = clear[: -crypto.MIC_OCTETS]
        if not self.as_1_1(clear):
            return _same(accept_mic(self._join_key, message), clear)
        return request is not None and _same(
            accept_mic(self._js_int_key(), message, request), clear
        )

    def find_request(self, clear: bytes) -> HeardRequest | None:
        """Return the join-request that a join-accept of LoRaWAN 1.1 answers, all DevNonces tried.

        None if JoinEUI is not known, or no DevNonce fits; what cannot have come out right is not
        tried.
        """
        if self.join_eui is None or not (self.as_1_1(clear) and self.plausible(clear)):
            return None
        join_eui = self.join_eui.to_bytes(8, "little")
        message = clear[: -crypto.MIC_OCTETS]
        head, tail = _JOIN_REQ_TYPE + join_eui, message[:5]
        nonces = [nonce.to_bytes(2, "little") for nonce in range(1 << 16)]
        firsts = b"".join(head + nonce + tail for nonce in nonces)
        codes = cmacs(self._js_int_key(), firsts, message[5:])
        for at, nonce in enumerate(nonces):
            if _same(codes[at * _BLOCK :], clear):
                return HeardRequest(join_eui, nonce)
        return None

    def plausible(self, clear: bytes) -> bool:
        """Tell whether a join-accept whose MIC cannot be checked may have come out right."""
        listed = len(clear) == min(ACCEPT_SIZES) or clear[28] in _CF_LIST_TYPES
        return clear[12] <= _MAX_RX_DELAY and listed

    def session(self, clear: bytes, request: HeardRequest) -> AddressKeys | SessionKeys:
        """Derive the session keys that a join gives.

        Args:
            clear: The join-accept in the clear.
            request: The join-request it answers.
        """
        address = DevAddr(int.from_bytes(clear[7:11], "little"))
        join_nonce, net_id = clear[1:4], clear[4:7]
        if not self.as_1_1(clear):
            tail = join_nonce + net_id + request.dev_nonce
            return AddressKeys(
                address=address,
                mic_key=NwkSKey(_derive(self._join_key, 1, tail)),
                payload_key=AppSKey(_derive(self._join_key, 2, tail)),
                dev_eui=self.dev_eui,
            )
        tail = join_nonce + request.join_eui + request.dev_nonce
        return SessionKeys(
            address=address,
            f_nwk_s_int_key=FNwkSIntKey(_derive(self._join_key, 1, tail)),
            s_nwk_s_int_key=SNwkSIntKey(_derive(self._join_key, 3, tail)),
            nwk_s_enc_key=NwkSEncKey(_derive(self._join_key, 4, tail)),
            app_s_key=AppSKey(_derive(self.app_key, 2, tail)),
            dev_eui=self.dev_eui,
        )

    def _js_int_key(self) -> Key:
        return Key(_derive(self._join_key, 6, self.dev_eui.to_bytes(8, "little")))


def _derive(key: Key, kind: int, tail: bytes) -> bytes:
    return crypto.aes128_encrypt(key, (bytes((kind,)) + tail).ljust(_BLOCK, b"\x00"))


def _same(code: bytes, phy: bytes) -> bool:
    size = crypto.MIC_OCTETS
    return hmac.compare_digest(code[:size], phy[-size:])
