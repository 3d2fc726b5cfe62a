from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.errors import (
    BaseImageError,
    DecodeError,
    FieldError,
    IntegrityError,
    StateError,
    TruncatedError,
)
from lorafuota.image.delta import (
    DeltaCodec,
    DeltaLimits,
    DeltaUpdate,
    PatchInfo,
    apply_delta,
    create_delta,
)
from lorafuota.image.detools import DetoolsCodec
from tests.unit.image.support import (
    LIMITS,
    NEW,
    OLD,
    REFUSED,
    image,
    needs_detools,
    sample,
)

BASE, TARGET = b"the old one", b"the new one, and longer"


@dataclasses.dataclass(frozen=True)
class Whole:
    """A codec whose patch is the result; it gives whatever it is told to."""

    gives: bytes | None = None

    @property
    def name(self) -> str:
        return "whole"

    @property
    def code(self) -> int:
        return 200

    def create(self, base: bytes, target: bytes) -> bytes:
        return target

    def inspect(self, patch: bytes, limits: DeltaLimits) -> PatchInfo:
        raise NotImplementedError

    def apply(self, base: bytes, patch: bytes, limits: DeltaLimits) -> Iterator[bytes]:
        yield patch if self.gives is None else self.gives


CODEC = Whole()
UPDATE = create_delta(BASE, TARGET, CODEC)
CODECS: dict[int, DeltaCodec] = {200: CODEC}


def test_a_delta_tells_what_it_is_between_and_gives_the_target() -> None:
    assert (
        DeltaUpdate(
            200,
            len(BASE),
            hashlib.sha256(BASE).digest(),
            len(TARGET),
            hashlib.sha256(TARGET).digest(),
            TARGET,
        )
        == UPDATE
    )
    assert apply_delta(BASE, UPDATE, CODECS, LIMITS) == TARGET


def test_the_octets_are_those_of_the_table_and_give_the_delta_back() -> None:
    data = UPDATE.encode()
    assert data[:12].hex(" ") == "4c 46 44 31 c8 00 00 00 0b 00 00 00"
    assert data[44:48].hex(" ") == "17 00 00 00"
    assert data[80:] == TARGET
    assert DeltaUpdate.decode(data) == UPDATE


@needs_detools
def test_the_delta_between_the_two_releases_of_the_sample_gives_the_new_one() -> None:
    codec = DetoolsCodec()
    for old, new in (
        (image(OLD), image(NEW)),
        (sample("1.0.0", "raw"), sample("1.1.0", "raw")),
        (sample("1.0.0", "signed"), sample("1.1.0", "signed")),
    ):
        update = create_delta(old, new, codec)
        assert apply_delta(old, update, {codec.code: codec}, LIMITS) == new
        assert 4 * len(update.encode()) < len(new)


def test_another_base_is_refused_before_anything_is_applied() -> None:
    for base in (b"", BASE[:-1], BASE + b"\0", bytes(len(BASE)), TARGET):
        with pytest.raises(BaseImageError, match="from another firmware"):
            apply_delta(base, UPDATE, {}, LIMITS)
    longer = dataclasses.replace(UPDATE, base_size=len(BASE) + 1)
    with pytest.raises(BaseImageError, match="from another firmware"):
        apply_delta(BASE, longer, CODECS, LIMITS)


def test_a_result_that_is_not_the_one_told_is_no_result() -> None:
    for gives in (b"", TARGET[:-1], TARGET + b"\0", bytes(len(TARGET))):
        with pytest.raises(IntegrityError, match="not the image that was told"):
            apply_delta(BASE, UPDATE, {200: Whole(gives)}, LIMITS)


def test_a_codec_that_creates_wrong_patches_is_found_out_at_once() -> None:
    with pytest.raises(IntegrityError):
        create_delta(BASE, TARGET, Whole(b"wrong"))


def test_a_codec_that_is_not_there_and_a_result_that_has_no_room_are_refused() -> None:
    with pytest.raises(DecodeError, match="codec 200 is not known here"):
        apply_delta(BASE, UPDATE, {1: DetoolsCodec()}, LIMITS)
    with pytest.raises(DecodeError, match="the result has 23 octets, and 22 have room"):
        apply_delta(BASE, UPDATE, CODECS, DeltaLimits(output=22))


def test_a_delta_that_is_cut_is_truncated() -> None:
    data = UPDATE.encode()
    for end in range(81):
        with pytest.raises(TruncatedError):
            DeltaUpdate.decode(data[:end])


def test_octets_that_are_no_delta_are_a_decode_error() -> None:
    data = UPDATE.encode()
    with pytest.raises(DecodeError, match="does not start with LFD1"):
        DeltaUpdate.decode(b"x" + data[1:])
    with pytest.raises(DecodeError, match="a kind of delta"):
        DeltaUpdate.decode(data[:5] + b"\1" + data[6:])


@needs_detools
def test_every_octet_of_a_delta_that_changes_is_an_error_and_never_another_image() -> None:
    """Even unsigned: the hash of the result is told."""
    codec = DetoolsCodec()
    old, new = sample("1.0.0", "raw")[:400], sample("1.1.0", "raw")[:450]
    data = create_delta(old, new, codec).encode()
    for at in range(len(data)):
        for bit in range(8):
            bad = bytearray(data)
            bad[at] ^= 1 << bit
            try:
                update = DeltaUpdate.decode(bad)
                result = apply_delta(old, update, {codec.code: codec}, LIMITS)
            except (*REFUSED, BaseImageError):
                pass
            else:
                assert at >= 80  # a patch may say the same in other words
                assert result == new


@given(data=st.binary(max_size=200), head=st.sampled_from([b"", UPDATE.encode()[:80]]))
def test_any_octets_at_all_are_refused_or_give_what_they_tell(data: bytes, head: bytes) -> None:
    try:
        update = DeltaUpdate.decode(head + data)
        result = apply_delta(BASE, update, CODECS, LIMITS)
    except (*REFUSED, BaseImageError):
        return
    assert hashlib.sha256(result).digest() == update.sha256


def test_arguments_out_of_range_are_refused() -> None:
    for base, target, field in ((b"", b"x", "base"), (b"x", b"", "target")):
        with pytest.raises(FieldError, match=rf"create_delta\.{field}"):
            create_delta(base, target, CODEC)
    for changes in ({"output": 0}, {"window_bits": 3}, {"window_bits": 16}):
        with pytest.raises(FieldError, match=r"DeltaLimits\."):
            DeltaLimits(**changes)


def test_without_detools_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "detools", None)
    with pytest.raises(StateError, match=r"pip install 'lorafuota\[delta\]'"):
        create_delta(BASE, TARGET, DetoolsCodec())
