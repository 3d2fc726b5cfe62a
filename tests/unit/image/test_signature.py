from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.errors import DecodeError, IntegrityError, TargetError
from lorafuota.image import mcuboot, raw
from lorafuota.image.signature import SignedImage, SignedKind, inspect, verify
from tests.unit.image.support import HARDWARE, NEW, REFUSED, key

PROGRAM = b"a program"
MCUBOOT = mcuboot.sign(PROGRAM, key=key(), version=NEW, hardware=HARDWARE, security_counter=5)
RAW = raw.join(PROGRAM, raw.sign(PROGRAM, key=key(), version=NEW, hardware=HARDWARE))


def test_both_kinds_are_told_apart_and_say_the_same() -> None:
    expected = SignedImage(SignedKind.MCUBOOT, NEW, HARDWARE, 5, False, PROGRAM)
    assert inspect(MCUBOOT) == verify(MCUBOOT, key().public) == expected
    expected = SignedImage(SignedKind.RAW, NEW, HARDWARE, None, False, PROGRAM)
    assert inspect(RAW) == verify(RAW, key().public) == expected


@pytest.mark.parametrize("block", [MCUBOOT, RAW], ids=["mcuboot", "raw"])
def test_another_key_is_refused_and_looking_asks_for_none(block: bytes) -> None:
    with pytest.raises(IntegrityError):
        verify(block, key("signed").public)
    bad = block[:-1] + bytes((block[-1] ^ 1,))
    inspect(bad)
    with pytest.raises(IntegrityError):
        verify(bad, key().public)


def test_the_signature_of_one_kind_does_not_do_for_the_other() -> None:
    """What is signed begins with another magic, so that no octets are both."""
    detached = raw.parse(RAW[: -len(PROGRAM)])
    forged = MCUBOOT[:-64] + detached.signature
    with pytest.raises(IntegrityError):
        verify(forged, key().public)


@given(block=st.binary(max_size=300))
def test_any_octets_at_all_are_refused(block: bytes) -> None:
    for head in (b"", mcuboot.MAGIC, raw.MAGIC):
        with pytest.raises(REFUSED):
            verify(head + block, key().public)


def test_what_is_neither_is_a_decode_error() -> None:
    for read in (inspect, lambda block: verify(block, key().public)):
        with pytest.raises(DecodeError, match="neither an MCUboot image nor"):
            read(b"")


def test_only_the_right_hardware_is_let_through() -> None:
    image = inspect(MCUBOOT)
    image.require_target(HARDWARE)
    image.require_target(HARDWARE, allow_any=True)
    for allow_any in (False, True):
        with pytest.raises(TargetError, match="it is for hardware 0x01070002, this is 0x00000001"):
            image.require_target(1, allow_any=allow_any)


def test_an_image_that_names_no_hardware_is_let_through_only_where_that_is_allowed() -> None:
    image = inspect(mcuboot.sign(PROGRAM, key=key(), version=NEW))
    image.require_target(HARDWARE, allow_any=True)
    with pytest.raises(TargetError, match="does not say for which hardware"):
        image.require_target(HARDWARE)
