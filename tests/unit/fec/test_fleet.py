import random

import pytest
from bitarray import bitarray

from lorafuota.errors import FieldError
from lorafuota.fec.decoder import FragDecoder
from lorafuota.fec.fleet import completions
from lorafuota.fec.variant import ParityVariant

pytestmark = pytest.mark.usefixtures("kernels")


@pytest.mark.parametrize("variant", ParityVariant)
@pytest.mark.parametrize("m", [1, 2, 8, 33, 100])
def test_a_device_is_complete_when_its_decoder_is(m: int, variant: ParityVariant) -> None:
    chance, sent = random.Random(m), 2 * m + 20
    heard = [bitarray([chance.random() > 0.3 for _ in range(sent)]) for _ in range(12)]
    expected: list[int | None] = []
    for device in heard:
        decoder = FragDecoder(nb_frag=m, frag_size=1, variant=variant)
        numbers = [i + 1 for i, bit in enumerate(device) if bit]
        expected.append(None)
        for n in numbers:
            decoder.feed(n, b"\0")
            if decoder.complete:
                expected[-1] = n
                break
    assert completions(heard, nb_frag=m, variant=variant) == expected


def test_maps_may_count_from_either_end_of_an_octet() -> None:
    for endian in ("little", "big"):
        heard = [bitarray("111000", endian=endian), bitarray("110000", endian=endian)]
        assert completions(heard, nb_frag=3, variant=ParityVariant.V1) == [3, None]


def test_no_device_is_no_answer() -> None:
    assert completions([], nb_frag=3, variant=ParityVariant.V1) == []


def test_plain_fragments_alone_complete_only_those_who_hear_all() -> None:
    heard = [bitarray("111"), bitarray("101")]
    assert completions(heard, nb_frag=3, variant=ParityVariant.V1) == [3, None]


@pytest.mark.parametrize(
    ("heard", "nb_frag", "message"),
    [
        ([bitarray(3)], 0, "completions.nb_frag = 0: expected int in 1..16383"),
        ([bitarray(2)], 3, "completions.receptions = 2: expected maps of 3..16383 bits"),
        ([bitarray(16384)], 3, "completions.receptions = 16384: expected maps of 3..16383 bits"),
        ([bitarray(4), bitarray(5)], 3, "completions.receptions = 5: expected maps of 4 bits"),
    ],
)
def test_what_cannot_be_is_refused(heard: list[bitarray], nb_frag: int, message: str) -> None:
    with pytest.raises(FieldError) as caught:
        completions(heard, nb_frag=nb_frag, variant=ParityVariant.V1)
    assert str(caught.value) == message
