from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.errors import DecodeError, FieldError, IntegrityError, TruncatedError
from lorafuota.image import raw
from lorafuota.image.keys import Scheme, SigningKey, VerifyKey
from lorafuota.image.version import ImageVersion
from tests.support import LONG
from tests.unit.image.support import HARDWARE, NEW, PEM, REFUSED, key, sample

KINDS = sorted(PEM)
PROGRAM = bytes(range(100))
SIGNED = raw.sign(PROGRAM, key=key(), version=ImageVersion(1, 2, 3, 4), hardware=HARDWARE)


def verify_block(block: bytes, public: VerifyKey) -> None:
    image, detached = raw.split(block)
    raw.verify(image, detached, public)


@pytest.mark.parametrize("kind", KINDS)
def test_the_sample_is_signed_and_verified_and_stays_as_it_is(kind: str) -> None:
    program = sample("1.1.0", "raw")
    detached = raw.sign(program, key=key(kind), version=NEW, hardware=HARDWARE)
    found = raw.verify(program, detached, key(kind).public)
    assert (found.version, found.hardware, found.is_delta) == (NEW, HARDWARE, False)
    assert raw.split(raw.join(program, detached)) == (program, detached)
    assert raw.join(program, detached).endswith(program)


def test_the_octets_are_those_of_the_table() -> None:
    assert SIGNED[:24].hex(" ") == (
        "4c 46 53 31 00 01 00 00 02 00 07 01 01 02 03 00 04 00 00 00 64 00 00 00"
    )
    assert (SIGNED[56], len(SIGNED)) == (64, 57 + 64)
    assert raw.parse(SIGNED).encode() == SIGNED


@pytest.mark.parametrize("scheme", Scheme, ids=lambda one: one.value)
def test_every_scheme_signs_and_other_keys_refuse(scheme: Scheme) -> None:
    mine, other = SigningKey.generate(scheme), SigningKey.generate(scheme)
    detached = raw.sign(PROGRAM, key=mine, version=NEW)
    assert raw.verify(PROGRAM, detached, mine.public).hardware is None
    with pytest.raises(IntegrityError):
        raw.verify(PROGRAM, detached, other.public)


@pytest.mark.parametrize("kind", KINDS)
def test_every_octet_of_a_block_that_changes_is_noticed(kind: str) -> None:
    public = key(kind).public
    detached = raw.sign(PROGRAM, key=key(kind), version=NEW, hardware=HARDWARE)
    block = raw.join(PROGRAM, detached)
    for at in range(len(block)):
        for mask in range(1, 256) if LONG else (1 << at % 8, 0xFF):
            bad = bytearray(block)
            bad[at] ^= mask
            with pytest.raises(REFUSED):
                verify_block(bytes(bad), public)


def test_a_signature_that_is_cut_is_truncated_and_one_that_goes_on_is_refused() -> None:
    for end in range(len(SIGNED)):
        with pytest.raises(TruncatedError):
            raw.verify(PROGRAM, SIGNED[:end], key().public)
    with pytest.raises(DecodeError, match="1 octets follow it"):
        raw.verify(PROGRAM, SIGNED + b"\0", key().public)


def test_an_image_that_is_cut_or_goes_on_is_refused() -> None:
    for image in (PROGRAM[:-1], b"", PROGRAM + b"\0"):
        with pytest.raises(IntegrityError, match=f"{len(image)} octets, and 100 were signed"):
            raw.verify(image, SIGNED, key().public)
    with pytest.raises(IntegrityError, match="it has been changed"):
        raw.verify(bytes(100), SIGNED, key().public)


@pytest.mark.parametrize(
    ("at", "octet", "reason"),
    [
        (0, 0, "it does not start with LFS1"),
        (4, 2, "not known here"),
        (5, 2, "not known here"),
        (6, 1, "not known here"),
        (5, 0, "not known here"),
        (56, 73, "a signature of 73 octets"),
    ],
)
def test_what_is_not_in_the_table_is_a_decode_error(at: int, octet: int, reason: str) -> None:
    bad = bytearray(SIGNED)
    bad[at] = octet
    with pytest.raises(DecodeError, match=reason):
        raw.parse(bad)


@given(tail=st.binary(max_size=200), head=st.sampled_from([b"", raw.MAGIC, SIGNED[:57]]))
def test_any_octets_at_all_are_refused_with_the_documented_errors(head: bytes, tail: bytes) -> None:
    with pytest.raises(REFUSED):
        verify_block(head + tail, key().public)


def test_arguments_out_of_range_are_refused() -> None:
    with pytest.raises(FieldError, match=r"image\.length"):
        raw.sign(b"", key=key(), version=NEW)
    with pytest.raises(FieldError, match=r"image\.hardware"):
        raw.sign(b"x", key=key(), version=NEW, hardware=-1)
    with pytest.raises(FieldError, match=r"join\.detached"):
        raw.join(PROGRAM, SIGNED[:-1])
