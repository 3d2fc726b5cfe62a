"""The keys of multicast groups and data blocks, and the codes made with them.

One function per key, each taking and giving key *classes*, so that a key in the wrong place is a
type error before it is a MIC that never fits.  Which root key a device has depends on its link
layer, and nothing else::

    LoRaWAN 1.0.x   GenAppKey --+--> McRootKey --> McKEKey     wraps every McKey for that device
    LoRaWAN 1.1     AppKey -----+--> DataBlockIntKey           signs data blocks for that device

    McKey --+--> McAppSKey       encrypts FRMPayload of the group's downlinks
            +--> McNwkSKey       computes the MIC of the group's downlinks

GenAppKey is *not* the AppKey a 1.0.x device joins with; stacks that keep it in a slot called
"AppKey" have misled many people.  :func:`root_key` takes the link layer's version and gives the
right class.

AES and CMAC come from the ``cryptography`` package.  MICs are compared in constant time, and
checking one raises :class:`~lorafuota.errors.IntegrityError` so that the result cannot be ignored.
"""

from __future__ import annotations

import hmac
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.cmac import CMAC

from .errors import FieldError, IntegrityError, require_int
from .types import (
    AppKey,
    BytesLike,
    DataBlockIntKey,
    DevAddr,
    GenAppKey,
    Key,
    LorawanVersion,
    McAppSKey,
    McKEKey,
    McKey,
    McNwkSKey,
    McRootKey,
    require_key,
)

__all__ = [
    "MIC_OCTETS",
    "aes128_cmac",
    "aes128_decrypt",
    "aes128_encrypt",
    "crypt_mc_frm_payload",
    "data_block_mic",
    "derive_data_block_int_key",
    "derive_mc_app_s_key",
    "derive_mc_ke_key",
    "derive_mc_nwk_s_key",
    "derive_mc_root_key",
    "mc_frame_mic",
    "root_key",
    "unwrap_mc_key",
    "verify_data_block_mic",
    "verify_mc_frame_mic",
    "wrap_mc_key",
]

MIC_OCTETS: Final = 4
"""Octets of a MIC, of a frame as well as of a data block: the first four of the CMAC."""

_BLOCK: Final = 16
_MAX_DATA_BLOCK: Final = 16383 * 255
_MAX_CRYPT: Final = 255 * _BLOCK


def aes128_encrypt(key: Key, blocks: BytesLike) -> bytes:
    """Encrypt whole blocks of 16 octets, each on its own (FIPS 197).

    Raises:
        FieldError: The length of *blocks* is not a multiple of 16, or *key* no key.
    """
    octets = require_key("aes128_encrypt", "key", key, Key).reveal()
    encryptor = Cipher(AES(octets), ECB()).encryptor()
    return encryptor.update(_whole_blocks("aes128_encrypt", blocks)) + encryptor.finalize()


def aes128_decrypt(key: Key, blocks: BytesLike) -> bytes:
    """Decrypt whole blocks of 16 octets, each on its own (FIPS 197).

    Raises:
        FieldError: The length of *blocks* is not a multiple of 16, or *key* no key.
    """
    octets = require_key("aes128_decrypt", "key", key, Key).reveal()
    decryptor = Cipher(AES(octets), ECB()).decryptor()
    return decryptor.update(_whole_blocks("aes128_decrypt", blocks)) + decryptor.finalize()


def aes128_cmac(key: Key, *parts: BytesLike) -> bytes:
    """Compute the 16 octets of the CMAC over all *parts* one after the other (RFC 4493).

    Raises:
        FieldError: *key* is no key.
    """
    cmac = CMAC(AES(require_key("aes128_cmac", "key", key, Key).reveal()))
    for part in parts:
        cmac.update(bytes(part))
    return cmac.finalize()


def root_key(octets: BytesLike, version: LorawanVersion) -> GenAppKey | AppKey:
    """Give a root key the class its device's link layer asks for.

    Args:
        octets: The 16 octets of GenAppKey (1.0.x) or of AppKey (1.1).
        version: The *link layer* of the device, not the version of a package.

    Raises:
        FieldError: *octets* is not 16 octets long.
    """
    return GenAppKey(octets) if version is LorawanVersion.V1_0 else AppKey(octets)


def derive_mc_root_key(root: GenAppKey | AppKey) -> McRootKey:
    """Derive a device's McRootKey: GenAppKey means LoRaWAN 1.0.x, AppKey means 1.1.

    TS005-1.0.0 and 2.0.0, section on keys; the formula follows the link layer, not the package.

    Raises:
        FieldError: *root* is a key of another class.
    """
    octets = require_key("derive_mc_root_key", "root", root, GenAppKey, AppKey).reveal()
    return McRootKey(_derive(octets, b"\x00" if isinstance(root, GenAppKey) else b"\x20"))


def derive_mc_ke_key(mc_root_key: McRootKey) -> McKEKey:
    """Derive the key that wraps every McKey sent to this device (TS005, section on keys).

    Raises:
        FieldError: *mc_root_key* is a key of another class.
    """
    octets = require_key("derive_mc_ke_key", "mc_root_key", mc_root_key, McRootKey).reveal()
    return McKEKey(_derive(octets, b"\x00"))


def wrap_mc_key(mc_ke_key: McKEKey, mc_key: McKey) -> bytes:
    """Make McKey_encrypted of McGroupSetupReq, 16 octets; server side.

    This is AES *decryption*, so that a device needs encryption only (TS005, section on keys).

    Raises:
        FieldError: A key is of another class.
    """
    require_key("wrap_mc_key", "mc_ke_key", mc_ke_key, McKEKey)
    return aes128_decrypt(mc_ke_key, require_key("wrap_mc_key", "mc_key", mc_key, McKey).reveal())


def unwrap_mc_key(mc_ke_key: McKEKey, mc_key_encrypted: BytesLike) -> McKey:
    """Recover McKey from McGroupSetupReq; device side.

    There is no check value: a damaged or foreign McKey_encrypted gives another key, silently
    (TS005, section on keys).

    Raises:
        FieldError: *mc_key_encrypted* is not 16 octets, or the key is of another class.
    """
    require_key("unwrap_mc_key", "mc_ke_key", mc_ke_key, McKEKey)
    encrypted = _exactly("unwrap_mc_key", "mc_key_encrypted", mc_key_encrypted, _BLOCK)
    return McKey(aes128_encrypt(mc_ke_key, encrypted))


def derive_mc_app_s_key(mc_key: McKey, mc_addr: DevAddr) -> McAppSKey:
    """Derive the key that encrypts FRMPayload of the group's downlinks (TS005, section on keys).

    Raises:
        FieldError: The key is of another class, or *mc_addr* no 32-bit number.
    """
    octets = require_key("derive_mc_app_s_key", "mc_key", mc_key, McKey).reveal()
    return McAppSKey(_derive(octets, b"\x01" + _address("derive_mc_app_s_key", mc_addr)))


def derive_mc_nwk_s_key(mc_key: McKey, mc_addr: DevAddr) -> McNwkSKey:
    """Derive the key of the MIC of the group's downlinks (TS005, section on keys).

    TS005-1.0.0 also calls it McNetSKey.

    Raises:
        FieldError: The key is of another class, or *mc_addr* no 32-bit number.
    """
    octets = require_key("derive_mc_nwk_s_key", "mc_key", mc_key, McKey).reveal()
    return McNwkSKey(_derive(octets, b"\x02" + _address("derive_mc_nwk_s_key", mc_addr)))


def derive_data_block_int_key(root: GenAppKey | AppKey) -> DataBlockIntKey:
    """Derive the key that signs data blocks for one device (TS004-2.0.0, data block MIC).

    Args:
        root: GenAppKey of a LoRaWAN 1.0.x device, AppKey of a 1.1 device.

    Raises:
        FieldError: *root* is a key of another class.
    """
    octets = require_key("derive_data_block_int_key", "root", root, GenAppKey, AppKey).reveal()
    return DataBlockIntKey(_derive(octets, b"\x30"))


def data_block_mic(
    key: DataBlockIntKey,
    data: BytesLike,
    *,
    session_cnt: int,
    frag_index: int,
    descriptor: BytesLike,
) -> bytes:
    """Compute the MIC of FragSessionSetupReq, 4 octets in the order they travel.

    The text can be read as covering the padding too; every implementation known covers the
    un-padded block, and so does this (TS004-2.0.0, data block MIC).

    Args:
        key: The device's own key; the MIC of one block differs from device to device.
        data: The block *without padding*, 1 to 4,177,665 octets.
        session_cnt: SessionCnt, 0 to 65535.
        frag_index: FragIndex, 0 to 3.
        descriptor: The 4 octets of Descriptor as they travel.

    Raises:
        FieldError: An argument is out of its range, or the key of another class.
    """
    where = "data_block_mic"
    require_key(where, "key", key, DataBlockIntKey)
    data = bytes(data)
    if not 1 <= len(data) <= _MAX_DATA_BLOCK:
        raise FieldError(where, "len(data)", len(data), f"1..{_MAX_DATA_BLOCK} octets")
    b0 = b"".join(
        (
            b"\x49",
            require_int(where, "session_cnt", session_cnt, 0, 0xFFFF).to_bytes(2, "little"),
            require_int(where, "frag_index", frag_index, 0, 3).to_bytes(1, "little"),
            _exactly(where, "descriptor", descriptor, 4),
            bytes(4),
            len(data).to_bytes(4, "little"),
        )
    )
    return aes128_cmac(key, b0, data)[:MIC_OCTETS]


def verify_data_block_mic(
    key: DataBlockIntKey,
    data: BytesLike,
    *,
    session_cnt: int,
    frag_index: int,
    descriptor: BytesLike,
    mic: BytesLike,
) -> None:
    """Raise unless the block, its length and its session are the ones that were signed.

    Args:
        key: The device's own key.
        data: The block without padding, 1 to 4,177,665 octets.
        session_cnt: SessionCnt, 0 to 65535.
        frag_index: FragIndex, 0 to 3.
        descriptor: The 4 octets of Descriptor as they travel.
        mic: The 4 octets of MIC as they travel.

    Raises:
        IntegrityError: The MIC does not fit.
        FieldError: An argument is out of its range, or the key of another class.
    """
    received = _exactly("verify_data_block_mic", "mic", mic, MIC_OCTETS)
    computed = data_block_mic(
        key, data, session_cnt=session_cnt, frag_index=frag_index, descriptor=descriptor
    )
    if not hmac.compare_digest(computed, received):
        raise IntegrityError("data block", "the MIC does not fit")


def crypt_mc_frm_payload(
    key: McAppSKey, payload: BytesLike, *, mc_addr: DevAddr, fcnt: int
) -> bytes:
    """Encrypt or decrypt FRMPayload of a multicast downlink; both are the same operation.

    TS001 (1.0.x and 1.1), encryption of FRMPayload, direction downlink.

    Args:
        key: The group's key.
        payload: 0 to 4080 octets.
        mc_addr: The group's address.
        fcnt: The *whole* 32-bit counter; the frame carries only its low half.

    Raises:
        FieldError: An argument is out of its range, or the key of another class.
    """
    where = "crypt_mc_frm_payload"
    require_key(where, "key", key, McAppSKey)
    payload = bytes(payload)
    if len(payload) > _MAX_CRYPT:
        raise FieldError(where, "len(payload)", len(payload), f"0..{_MAX_CRYPT} octets")
    head = b"\x01\x00\x00\x00\x00\x01" + _frame_identity(where, mc_addr, fcnt) + b"\x00"
    nb_blocks = -(-len(payload) // _BLOCK)
    stream = aes128_encrypt(key, b"".join(head + bytes((i,)) for i in range(1, nb_blocks + 1)))
    mixed = int.from_bytes(payload) ^ int.from_bytes(stream[: len(payload)])
    return mixed.to_bytes(len(payload))


def mc_frame_mic(key: McNwkSKey, message: BytesLike, *, mc_addr: DevAddr, fcnt: int) -> bytes:
    """Compute the 4 octets that end a multicast downlink.

    The same in LoRaWAN 1.0.x and 1.1: multicast frames acknowledge nothing, so the two octets of
    ConfFCnt that 1.1 adds stay zero (TS001, MIC of data messages).

    Args:
        key: The group's key.
        message: MHDR, FHDR, FPort and the *encrypted* FRMPayload, 0 to 255 octets.
        mc_addr: The group's address.
        fcnt: The whole 32-bit counter.

    Raises:
        FieldError: An argument is out of its range, or the key of another class.
    """
    where = "mc_frame_mic"
    require_key(where, "key", key, McNwkSKey)
    message = bytes(message)
    if len(message) > 0xFF:
        raise FieldError(where, "len(message)", len(message), "0..255 octets")
    identity = _frame_identity(where, mc_addr, fcnt)
    b0 = b"\x49\x00\x00\x00\x00\x01" + identity + bytes((0, len(message)))
    return aes128_cmac(key, b0, message)[:MIC_OCTETS]


def verify_mc_frame_mic(
    key: McNwkSKey, message: BytesLike, *, mc_addr: DevAddr, fcnt: int, mic: BytesLike
) -> None:
    """Raise unless *mic* belongs to this frame of this group with this counter.

    Args:
        key: The group's key.
        message: MHDR, FHDR, FPort and the encrypted FRMPayload, 0 to 255 octets.
        mc_addr: The group's address.
        fcnt: The whole 32-bit counter to try.
        mic: The last 4 octets of the frame.

    Raises:
        IntegrityError: The MIC does not fit.
        FieldError: An argument is out of its range, or the key of another class.
    """
    received = _exactly("verify_mc_frame_mic", "mic", mic, MIC_OCTETS)
    computed = mc_frame_mic(key, message, mc_addr=mc_addr, fcnt=fcnt)
    if not hmac.compare_digest(computed, received):
        raise IntegrityError("multicast frame", "the MIC does not fit")


def _derive(octets: bytes, head: bytes) -> bytes:
    return aes128_encrypt(Key(octets), head.ljust(_BLOCK, b"\x00"))


def _exactly(where: str, field: str, octets: BytesLike, size: int) -> bytes:
    octets = bytes(octets)
    if len(octets) != size:
        raise FieldError(where, f"len({field})", len(octets), f"{size} octets")
    return octets


def _whole_blocks(where: str, blocks: BytesLike) -> bytes:
    blocks = bytes(blocks)
    if len(blocks) % _BLOCK != 0:
        raise FieldError(where, "len(blocks)", len(blocks), f"a multiple of {_BLOCK}")
    return blocks


def _address(where: str, mc_addr: int) -> bytes:
    return require_int(where, "mc_addr", mc_addr, 0, 0xFFFFFFFF).to_bytes(4, "little")


def _frame_identity(where: str, mc_addr: int, fcnt: int) -> bytes:
    counter = require_int(where, "fcnt", fcnt, 0, 0xFFFFFFFF)
    return _address(where, mc_addr) + counter.to_bytes(4, "little")
