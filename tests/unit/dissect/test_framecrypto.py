from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota import crypto
from lorafuota.dissect.framecrypto import cmacs, identity, keystream
from lorafuota.errors import FieldError
from lorafuota.types import DOWNLINK, UPLINK, AppSKey, Key

KEY = Key(bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"))
"""The key of RFC 4493."""
TEXT = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)


@pytest.mark.parametrize(
    ("length", "code"),
    [
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ],
)
def test_cmacs_are_those_of_rfc_4493(length: int, code: str) -> None:
    assert cmacs(KEY, TEXT[:16] * 3, TEXT[16:length]).hex() == code * 3


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=5), st.binary(max_size=70))
def test_many_cmacs_are_as_many_single_ones(firsts: list[bytes], message: bytes) -> None:
    wanted = [crypto.aes128_cmac(KEY, first, message) for first in firsts]
    assert cmacs(KEY, b"".join(firsts), message) == b"".join(wanted)


def test_half_a_block_is_refused() -> None:
    with pytest.raises(FieldError, match=r"cmacs\.len\(firsts\) = 17: expected a multiple of 16"):
        cmacs(KEY, bytes(17), b"")


def test_a_key_stream_has_a_block_for_every_sixteen_octets() -> None:
    middle = identity(UPLINK, 0x01020304, 0x0A0B0C0D)
    assert middle.hex() == "00040302010d0c0b0a00"
    key = AppSKey(bytes(range(16)))
    first = crypto.aes128_encrypt(key, b"\x01" + bytes(4) + middle + b"\x01")
    second = crypto.aes128_encrypt(key, b"\x01" + bytes(4) + middle + b"\x02")
    assert keystream(key, bytes(20), middle) == (first + second)[:20]
    options = crypto.aes128_encrypt(key, b"\x01\x00\x00\x00\x02" + middle + b"\x01")
    assert keystream(key, bytes(15), middle, flag=2) == options[:15]
    assert keystream(key, b"", middle) == b""


def test_what_is_in_the_middle_has_its_range() -> None:
    assert identity(DOWNLINK, 1, 2).hex() == "01010000000200000000"
    with pytest.raises(FieldError, match=r"identity\.address"):
        identity(UPLINK, 1 << 32, 0)
    with pytest.raises(FieldError, match=r"identity\.fcnt"):
        identity(UPLINK, 0, 1 << 32)
    with pytest.raises(FieldError, match=r"keystream\.flag"):
        keystream(KEY, b"", identity(UPLINK, 0, 0), flag=256)
