"""Blocks: padding, cutting, and the MIC of version 2."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.crypto import derive_data_block_int_key
from lorafuota.datablock import MAX_FRAG_SIZE, MAX_NB_FRAG, DataBlock
from lorafuota.errors import FieldError, IntegrityError
from lorafuota.fec.decoder import FragDecoder
from lorafuota.fec.variant import ParityVariant
from lorafuota.types import DataBlockIntKey, GenAppKey
from tests.support import vectors

TS004 = vectors("ts004")
KEY = DataBlockIntKey(bytes(range(16)))


@pytest.mark.parametrize(
    ("size", "frag_size", "nb_frag", "padding"),
    [
        (1, 1, 1, 0),
        (1, 255, 1, 254),
        (10, 5, 2, 0),
        (11, 5, 3, 4),
        (14, 5, 3, 1),
        (95, 10, 10, 5),
        (MAX_NB_FRAG, 1, 16383, 0),
        (MAX_NB_FRAG * 255, 255, 16383, 0),
    ],
)
def test_an_image_is_padded_with_zeros_to_whole_fragments(
    size: int, frag_size: int, nb_frag: int, padding: int
) -> None:
    block = DataBlock(b"\xa5" * size, frag_size)
    assert (block.nb_frag, block.padding, block.max_parity) == (nb_frag, padding, 16383 - nb_frag)
    assert block.padded == b"\xa5" * size + bytes(padding)
    assert block.descriptor == bytes(4)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((b"x", 0), "DataBlock.frag_size = 0: expected 1..255 octets"),
        ((b"x", 256), "DataBlock.frag_size = 256: expected 1..255 octets"),
        (
            (b"", 10),
            "DataBlock.image = 0 octets: expected 1..163830 octets (16383 fragments of 10)",
        ),
        (
            (bytes(16384), 1),
            "DataBlock.image = 16384 octets: expected 1..16383 octets (16383 fragments of 1)",
        ),
        ((b"x", 1, b"abc"), "DataBlock.descriptor = b'abc': expected 4 octets"),
        ((b"x", 1, b"abcde"), "DataBlock.descriptor = b'abcde': expected 4 octets"),
    ],
)
def test_what_cannot_be_sent_is_refused_in_one_sentence(
    arguments: tuple[Any, ...], sentence: str
) -> None:
    with pytest.raises(FieldError) as caught:
        DataBlock(*arguments)
    assert str(caught.value) == sentence


def test_any_octets_will_do_and_the_image_is_not_printed() -> None:
    block = DataBlock.of(bytearray(b"secret"), frag_size=4, descriptor=memoryview(b"abcd"))
    assert block == DataBlock(b"secret", 4, b"abcd")
    assert repr(block) == "DataBlock(frag_size=4, descriptor=b'abcd')"
    assert copy.deepcopy(block) == block == pickle.loads(pickle.dumps(block))
    with pytest.raises(AttributeError):
        block.frag_size = 5  # type: ignore[misc]


@given(
    image=st.binary(min_size=1, max_size=300),
    frag_size=st.integers(1, MAX_FRAG_SIZE),
    variant=st.sampled_from(ParityVariant),
)
def test_fragments_without_the_padding_are_the_image(
    image: bytes, frag_size: int, variant: ParityVariant
) -> None:
    block = DataBlock(image, frag_size)
    encoder = block.encoder(variant)
    assert (encoder.nb_frag, encoder.frag_size, encoder.variant) == (
        block.nb_frag,
        frag_size,
        variant,
    )
    decoder = FragDecoder(nb_frag=block.nb_frag, frag_size=frag_size, variant=variant)
    for n in range(1, block.nb_frag + 1):
        decoder.feed(n, encoder.fragment(n))
    assert decoder.block()[: block.nb_frag * frag_size - block.padding] == image


@pytest.mark.parametrize("vector", TS004["mics"], ids=lambda v: v["name"])
def test_the_mic_is_that_of_the_vector(vector: dict[str, Any]) -> None:
    key = derive_data_block_int_key(GenAppKey.from_hex(vector["root_key"]))
    image = bytes.fromhex(vector["block"])
    assert len(image) == vector["block_len"]
    block = DataBlock(image, 10, bytes.fromhex(vector["descriptor_octets"]))
    numbers = {"session_cnt": vector["session_cnt"], "frag_index": vector["frag_index"]}
    assert block.mic(key, **numbers).hex() == vector["mic"]
    block.verify(key, bytes.fromhex(vector["mic"]), **numbers)


def test_the_mic_does_not_depend_on_how_the_image_is_cut() -> None:
    mics = {
        DataBlock(b"image" * 9, frag_size).mic(KEY, session_cnt=1, frag_index=2)
        for frag_size in range(1, 256)
    }
    assert len(mics) == 1


def test_every_flipped_bit_of_anything_signed_is_noticed() -> None:
    image, descriptor, numbers = b"some image", b"desc", {"session_cnt": 7, "frag_index": 1}
    good = DataBlock(image, 4, descriptor)
    mic = good.mic(KEY, **numbers)
    good.verify(KEY, mic, **numbers)

    def flipped(octets: bytes) -> list[bytes]:
        whole = int.from_bytes(octets)
        return [(whole ^ 1 << bit).to_bytes(len(octets)) for bit in range(8 * len(octets))]

    wrong: list[tuple[DataBlock, bytes, dict[str, int]]] = []
    wrong += [(DataBlock(other, 4, descriptor), mic, numbers) for other in flipped(image)]
    wrong += [(DataBlock(image, 4, other), mic, numbers) for other in flipped(descriptor)]
    wrong += [(good, other, numbers) for other in flipped(mic)]
    wrong += [(good, mic, {**numbers, "session_cnt": 7 ^ 1 << bit}) for bit in range(16)]
    wrong += [(good, mic, {**numbers, "frag_index": index}) for index in (0, 2, 3)]
    wrong += [(DataBlock(image[:length], 4, descriptor), mic, numbers) for length in range(1, 10)]
    wrong += [(DataBlock(image + bytes(more), 4, descriptor), mic, numbers) for more in (1, 2)]
    assert len(wrong) == 80 + 32 + 32 + 16 + 3 + 9 + 2
    for block, code, counted in wrong:
        with pytest.raises(IntegrityError) as caught:
            block.verify(KEY, code, **counted)
        assert str(caught.value) == "data block: the MIC does not fit"
    with pytest.raises(IntegrityError):
        good.verify(DataBlockIntKey(bytes(16)), mic, **numbers)


@pytest.mark.parametrize(
    "numbers",
    [
        {"session_cnt": -1, "frag_index": 0},
        {"session_cnt": 65536, "frag_index": 0},
        {"session_cnt": 0, "frag_index": 4},
        {"session_cnt": 0, "frag_index": -1},
    ],
)
def test_numbers_that_do_not_fit_the_set_up_are_refused(numbers: dict[str, int]) -> None:
    block = DataBlock(b"x", 1)
    with pytest.raises(FieldError):
        block.mic(KEY, **numbers)
    with pytest.raises(FieldError):
        block.verify(KEY, bytes(4), **numbers)
    with pytest.raises(FieldError):
        block.verify(KEY, bytes(3), session_cnt=0, frag_index=0)
