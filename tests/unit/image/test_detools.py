from __future__ import annotations

import contextlib
import functools
import io
import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.errors import DecodeError, FieldError, TruncatedError
from lorafuota.image.delta import DeltaLimits, PatchInfo
from lorafuota.image.detools import Compression, DetoolsCodec
from tests.support import LONG
from tests.unit.image.support import (
    LIMITS,
    NEW,
    NO_DETOOLS,
    OLD,
    PATCH,
    image,
    needs_detools,
)
from tests.unit.image.support import signed_size as size

BASE, TARGET = image(OLD), image(NEW)
CODECS = {one: DetoolsCodec(compression=one) for one in Compression}
every_compression = pytest.mark.parametrize("compression", Compression, ids=lambda one: one.value)
ANY = CODECS[Compression.NONE]


def applied(patch: bytes, base: bytes = BASE, limits: DeltaLimits = LIMITS) -> bytes:
    return b"".join(ANY.apply(base, patch, limits))


@functools.cache
def release(compression: Compression) -> bytes:
    """The patch between the releases of the sample: from the file, or created by detools."""
    if compression is Compression.HEATSHRINK:
        return PATCH.read_bytes()
    pytest.importorskip("detools", reason=NO_DETOOLS)
    return CODECS[compression].create(BASE, TARGET)


def patch_of(output: int, *body: int | bytes) -> bytes:
    """A patch by hand, not compressed; without preparation."""
    parts = [size(part) if isinstance(part, int) else part for part in body]
    return b"\x00" + size(output) + size(0) + b"".join(parts)


@every_compression
def test_we_apply_what_detools_created_as_detools_does(compression: Compression) -> None:
    library: Any = pytest.importorskip("detools", reason=NO_DETOOLS)
    out = io.BytesIO()
    patch = release(compression)
    library.apply_patch(io.BytesIO(BASE), io.BytesIO(patch), out)
    assert applied(patch) == out.getvalue() == TARGET


@needs_detools
def test_the_patch_that_is_checked_in_is_what_detools_creates() -> None:
    assert PATCH.read_bytes() == CODECS[Compression.HEATSHRINK].create(BASE, TARGET)


@needs_detools
@given(data=st.data(), seed=st.integers(0, 1 << 32))
def test_patches_between_any_two_images_give_the_second(data: st.DataObject, seed: int) -> None:
    rng = random.Random(seed)
    alphabet = data.draw(st.sampled_from([b"ab", bytes(range(256))]))
    base = bytes(rng.choices(alphabet, k=rng.randrange(0, 2000)))
    target = bytearray(base)
    for _ in range(rng.randrange(8)):
        at = rng.randrange(len(target) + 1)
        target[at : at + rng.randrange(50)] = rng.randbytes(rng.randrange(50))
    target += b"!"
    window = rng.randrange(4, 15)
    for compression in Compression:
        codec = DetoolsCodec(
            compression=compression,
            window_bits=window,
            lookahead_bits=rng.randrange(3, window),
        )
        patch = codec.create(base, bytes(target))
        assert applied(patch, base) == target
        assert codec.inspect(patch, LIMITS).output == len(target)


@every_compression
def test_inspecting_tells_the_figures_of_the_sample(compression: Compression) -> None:
    patch = release(compression)
    assert CODECS[compression].inspect(patch, LIMITS) == PatchInfo(
        codec="detools",
        compression=compression.value,
        window_bits=10 if compression is Compression.HEATSHRINK else None,
        size=len(patch),
        output=23_336,
        changed=21_048,
        new=2_288,
        records=46,
    )


@needs_detools
def test_heatshrink_is_the_smallest() -> None:
    sizes = {one: len(release(one)) for one in Compression}
    assert sizes[Compression.HEATSHRINK] < sizes[Compression.CRLE] < 22_668 / 3


@needs_detools
@every_compression
def test_a_short_patch_that_is_cut_anywhere_gives_an_error(compression: Compression) -> None:
    base, target = BASE[:1000], TARGET[:1200]
    patch = CODECS[compression].create(base, target)
    for end in range(len(patch)):
        with pytest.raises(DecodeError):
            applied(patch[:end], base)


@every_compression
def test_a_patch_that_is_cut_anywhere_gives_an_error_and_no_image(compression: Compression) -> None:
    """A sample of the places; LORAFUOTA_LONG: every one."""
    patch = release(compression)
    for end in range(0, len(patch), 1 if LONG else 41):
        with pytest.raises(DecodeError):
            applied(patch[:end])


@every_compression
def test_a_patch_that_goes_on_is_refused(compression: Compression) -> None:
    for tail in (b"\1", b"\0\0", b"\xff" * 5):
        with pytest.raises(DecodeError):
            applied(release(compression) + tail)


@every_compression
@given(data=st.data())
def test_a_patch_that_was_changed_gives_octets_of_the_told_size_or_an_error(
    compression: Compression, data: st.DataObject
) -> None:
    bad = bytearray(release(compression))
    for _ in range(data.draw(st.integers(1, 3))):
        bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
    try:
        result = applied(bytes(bad))
    except DecodeError:
        return
    assert len(result) == ANY.inspect(bytes(bad), LIMITS).output


@given(patch=st.binary(max_size=200), compression=st.sampled_from([0, 2, 4]))
def test_any_octets_at_all_give_octets_or_a_decode_error(patch: bytes, compression: int) -> None:
    for octets in (patch, bytes((compression,)) + patch, bytes((compression, 0x20)) + patch):
        for read in (lambda: applied(octets), lambda: ANY.inspect(octets, LIMITS)):  # noqa: B023
            with contextlib.suppress(DecodeError):
                read()


def test_a_patch_by_hand_is_applied() -> None:
    # three octets of the base, one of them changed; one new; back; the first octet again
    patch = patch_of(5, 3, b"\0\1\0", 1, b"!", -3, 1, b"\0", 0, 0)
    assert applied(patch, b"abc") == b"acc!a"


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        (b"", "it is empty"),
        (b"\x10\x05", "patches of type 1 are not known here"),
        (b"\x80\x05", "patches of type 8 are not known here"),
        (b"\x01\x05", "compression 1 is not known here, only none, crle, heatshrink"),
        (b"\x00", "before the image is complete"),
        (b"\x00\x00", "a result of 0 octets"),
        (b"\x00\x45", "a result of -5 octets"),
        (b"\x00" + size(LIMITS.output + 1), "a result of 1048577 octets"),
        (b"\x00" + b"\x80" * 10, "a size that does not end"),
        (b"\x00\x05" + size(7), "prepared for one kind of code"),
        (patch_of(5, 6), "6 octets where 5 are missing"),
        (patch_of(5, -1), "-1 octets where 5 are missing"),
        (patch_of(5, 3, b"\0\0\0", 3), "3 octets where 2 are missing"),
        (patch_of(5, 4, bytes(4)), "it reads at 0, outside the base"),
        (patch_of(5, 0, 1, b"x", -1, 1, b"\0"), "it reads at -1, outside the base"),
        (patch_of(5, *(0, 0, 0) * 9), "records that bring nothing"),
        (patch_of(1, 0, 1, b"x", 0, b"more"), "it goes on after"),
        (patch_of(1, 0, 1, b"x"), "before the image is complete"),
    ],
)
def test_what_is_wrong_with_a_patch_is_named(patch: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        applied(patch, b"abc")


def test_a_result_larger_than_the_room_is_refused_before_it_is_made() -> None:
    patch = release(Compression.HEATSHRINK)
    assert applied(patch, limits=DeltaLimits(output=len(TARGET))) == TARGET
    with pytest.raises(DecodeError, match="a result of 23336 octets: expected 1 to 23335"):
        applied(patch, limits=DeltaLimits(output=len(TARGET) - 1))


def test_a_window_larger_than_the_room_is_refused() -> None:
    patch = release(Compression.HEATSHRINK)
    assert applied(patch, limits=DeltaLimits(window_bits=10)) == TARGET
    with pytest.raises(DecodeError, match=r"it looks back 2\*\*10 octets, and 2\*\*9 is allowed"):
        applied(patch, limits=DeltaLimits(window_bits=9))


def test_a_bomb_ends_in_an_error_and_little_memory() -> None:
    """Exabytes of zeros are sizes of nothing: records that bring nothing, without end."""
    bomb = b"\x02" + size(1 << 20) + b"\x01" + b"\xff" * 8 + b"\x7f" + b"\0"
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match="records that bring nothing"):
            applied(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000


@needs_detools
def test_applying_takes_the_window_and_a_few_pieces_beside_the_result() -> None:
    rng = random.Random(4)
    base = rng.randbytes(200_000)
    target = base[50_000:] + rng.randbytes(3_000) + base[:150_000]
    codec = DetoolsCodec(window_bits=8)
    patch = codec.create(base, target)
    tracemalloc.start()
    try:
        made = sum(map(len, codec.apply(base, patch, LIMITS)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert made == len(target)
    assert peak < len(patch) + 100_000


def test_arguments_out_of_range_are_refused() -> None:
    for sizes in ((3, 3), (15, 7), (8, 8), (8, 2)):
        with pytest.raises(FieldError, match=r"DetoolsCodec\.(window|lookahead)_bits"):
            DetoolsCodec(window_bits=sizes[0], lookahead_bits=sizes[1])
    with pytest.raises(FieldError, match=r"DetoolsCodec\.create\.target"):
        ANY.create(b"x", b"")
    with pytest.raises(TruncatedError):
        ANY.inspect(b"", LIMITS)
    assert (ANY.name, ANY.code) == ("detools", 1)
