from __future__ import annotations

import contextlib
import importlib
import random
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.errors import DecodeError, TruncatedError
from lorafuota.image._unpack import (
    PIECE,
    Reader,
    crle,
    heatshrink,
    heatshrink_window,
    none,
)
from tests.unit.image.support import NO_DETOOLS

INPUTS = st.one_of(
    st.binary(max_size=600),
    st.lists(st.tuples(st.sampled_from(b"ab\0"), st.integers(1, 80))).map(
        lambda runs: b"".join(bytes((octet,)) * count for octet, count in runs)
    ),
)


def compressed(name: str, data: bytes, *sizes: int) -> bytes:
    """What detools makes of it."""
    pytest.importorskip("detools", reason=NO_DETOOLS)
    module: Any = importlib.import_module(f"detools.compression.{name.lower()}")
    compressor = getattr(module, f"{name}Compressor")(*sizes)
    return bytes(compressor.compress(data) + compressor.flush())


def whole(source: Iterator[bytes]) -> bytes:
    pieces = list(source)
    assert all(0 < len(piece) <= PIECE for piece in pieces)
    return b"".join(pieces)


@given(data=INPUTS)
def test_crle_gives_back_what_detools_compressed(data: bytes) -> None:
    assert whole(crle(compressed("Crle", data))) == data


@given(data=INPUTS, window=st.integers(4, 14), seed=st.integers(0, 9))
def test_heatshrink_gives_back_what_detools_compressed(data: bytes, window: int, seed: int) -> None:
    lookahead = random.Random(seed).randint(3, window - 1)
    packed = compressed("Heatshrink", data, window, lookahead)
    assert heatshrink_window(packed) == window
    assert whole(heatshrink(packed, window_bits=window)) == data


def test_long_inputs_come_in_pieces() -> None:
    data = random.Random(1).randbytes(3 * PIECE) + bytes(5 * PIECE)
    assert whole(none(data)) == data
    assert whole(crle(compressed("Crle", data))) == data
    assert whole(heatshrink(compressed("Heatshrink", data, 8, 7), window_bits=8)) == data


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_a_stream_that_is_cut_is_truncated(cut: int) -> None:
    data = random.Random(2).randbytes(300)
    packed = compressed("Crle", data)
    for end in range(1, len(packed), cut):
        with pytest.raises(TruncatedError):
            whole(crle(packed[:end]))
    packed = compressed("Heatshrink", data, 8, 7)
    for end in range(2, len(packed), cut):
        # nine bits an octet: a cut is seen unless it leaves fewer than eight zeros
        with contextlib.suppress(TruncatedError):
            assert len(whole(heatshrink(packed[:end], window_bits=8))) < len(data)
    with pytest.raises(TruncatedError):
        whole(heatshrink(b"", window_bits=8))


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (b"\x02\x01a", "a run of kind 2"),
        (b"\x00" + b"\x80" * 9, "a length that does not end"),
        (b"\x00\x80", "inside a length"),
        (b"\x00\x00\x00\x01a", "an empty run"),
        (b"\x01\x05", "inside a run"),
        (b"\x00\x05abcd", "inside a run"),
    ],
)
def test_broken_crle_is_named(packed: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        whole(crle(packed))


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (b"\x50", r"it looks back 2\*\*9 octets, and 2\*\*8 is allowed"),
        (b"\x05", "repetitions longer than the window"),
        (b"\x40\x81", "inside a code"),
        (b"\x40\x80\x01", "inside a code"),
        (b"\x40\x00", "inside a code"),
    ],
)
def test_broken_heatshrink_is_named(packed: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        whole(heatshrink(packed, window_bits=8))


def test_before_the_first_octet_stand_zeros() -> None:
    # 0, eight bits of distance less one, three bits of length less one, four bits to fill up
    assert whole(heatshrink(bytes((0x40, 0b0_0000010, 0b0_101_0000)), window_bits=8)) == bytes(6)


@given(data=st.binary(max_size=300))
def test_any_octets_at_all_give_octets_or_a_decode_error(data: bytes) -> None:
    for source in (crle(data), heatshrink(data, window_bits=15)):
        reader = Reader(source)
        try:
            reader.read(PIECE)
            reader.finish()
        except DecodeError:
            pass


def test_a_run_of_nine_octets_that_means_exabytes_takes_no_memory() -> None:
    bomb = b"\x01" + b"\xff" * 8 + b"\x7f" + b"\0"
    tracemalloc.start()
    try:
        reader = Reader(crle(bomb))
        for _ in range(50):
            assert reader.read(PIECE) == bytes(PIECE)
        with pytest.raises(DecodeError, match="it goes on after"):
            reader.finish()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * PIECE


def test_heatshrink_keeps_its_window_and_a_piece_and_no_more() -> None:
    packed = compressed("Heatshrink", bytes(1 << 17), 14, 7)
    tracemalloc.start()
    try:
        total = sum(map(len, heatshrink(packed, window_bits=14)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 1 << 17
    assert peak < (1 << 14) + 16 * PIECE


def test_a_reader_hands_out_what_is_asked_for_across_pieces() -> None:
    reader = Reader(iter([b"ab", b"", b"cde", b"f"]))
    assert [reader.read(size) for size in (1, 3, 0, 2)] == [b"a", b"bcd", b"", b"ef"]
    reader.finish()
    with pytest.raises(TruncatedError, match="before the image is complete"):
        reader.read(1)
    for left in (Reader(iter([b"ab"])), Reader(iter([b"a", b"", b"b"]))):
        assert left.read(1) == b"a"
        with pytest.raises(DecodeError, match="goes on after the image is complete"):
            left.finish()
