"""What keeps a frame shut, for both link layers: blocks with its counter, key streams, many CMACs.

TS001 makes every block of a data frame from the same octets: who sends, DevAddr, the whole counter.
Whoever has the keys and not the whole counter tries; :func:`cmacs` makes that cheap.
"""

from __future__ import annotations

from typing import Final

from .. import crypto
from ..errors import FieldError, require_int
from ..types import UPLINK, BytesLike, Direction, Key, require_key

__all__ = ["cmacs", "identity", "keystream"]

_BLOCK: Final = 16
_R: Final = 0x87
"""What a doubling in GF(2**128) folds back (RFC 4493)."""


def identity(direction: Direction, address: int, fcnt: int) -> bytes:
    """Return the ten octets in the middle of every block: Dir, DevAddr, FCnt, zero.

    Raises:
        FieldError: The address or the counter has more than 32 bits.
    """
    sender = b"\x00" if direction is UPLINK else b"\x01"
    octets = require_int("identity", "address", address, 0, 0xFFFFFFFF).to_bytes(4, "little")
    counter = require_int("identity", "fcnt", fcnt, 0, 0xFFFFFFFF).to_bytes(4, "little")
    return sender + octets + counter + b"\x00"


def keystream(key: Key, octets: BytesLike, middle: bytes, *, flag: int = 0) -> bytes:
    """Encrypt or decrypt FRMPayload, or FOpts of LoRaWAN 1.1; both ways are the same.

    Args:
        key: The key of this part of the frame.
        octets: What to encrypt or to decrypt.
        middle: The frame's :func:`identity`.
        flag: 0 for FRMPayload; of FOpts, which counter the frame has.

    Raises:
        FieldError: *key* is no key, or *flag* no octet.
    """
    require_key("keystream", "key", key, Key)
    octets = bytes(octets)
    require_int("keystream", "flag", flag, 0, 0xFF)
    head = bytes((1, 0, 0, 0, flag)) + middle
    count = -(-len(octets) // _BLOCK)
    blocks = b"".join(head + bytes((i,)) for i in range(1, count + 1))
    stream = crypto.aes128_encrypt(key, blocks)
    return _xor(octets, stream[: len(octets)])


def cmacs(key: Key, firsts: BytesLike, message: BytesLike) -> bytes:
    """Compute the CMAC of one message behind each of many first blocks (RFC 4493), all in step.

    A CMAC is a chain, so one cannot be hurried; thousands side by side can: each link is one call
    of AES for all of them.

    Args:
        key: The key.
        firsts: The first blocks, 16 octets each, one after the other.
        message: What stands behind each of them.

    Returns:
        A CMAC of 16 octets for each first block.

    Raises:
        FieldError: *key* is no key, or *firsts* not whole blocks.
    """
    require_key("cmacs", "key", key, Key)
    firsts, message = bytes(firsts), bytes(message)
    if len(firsts) % _BLOCK:
        raise FieldError("cmacs", "len(firsts)", len(firsts), f"a multiple of {_BLOCK}")
    count = len(firsts) // _BLOCK
    subkey = _doubled(crypto.aes128_encrypt(key, bytes(_BLOCK)))
    if len(message) % _BLOCK:
        message += b"\x80" + bytes(-(len(message) + 1) % _BLOCK)
        subkey = _doubled(subkey)
    if not message:
        return crypto.aes128_encrypt(key, _xor(firsts, subkey * count))
    state = crypto.aes128_encrypt(key, firsts)
    for at in range(0, len(message), _BLOCK):
        block = message[at : at + _BLOCK]
        if at + _BLOCK == len(message):
            block = _xor(block, subkey)
        state = crypto.aes128_encrypt(key, _xor(state, block * count))
    return state


def _doubled(block: bytes) -> bytes:
    value = int.from_bytes(block) << 1
    folded = (value & (1 << 128) - 1) ^ (_R if value >> 128 else 0)
    return folded.to_bytes(_BLOCK)


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left) ^ int.from_bytes(right)).to_bytes(len(left))
