import random
from typing import Any

import pytest

from lorafuota.errors import FieldError, IntegrityError, StateError
from lorafuota.fec.batch import decode
from lorafuota.fec.decoder import FragDecoder
from lorafuota.fec.encoder import FragEncoder
from lorafuota.fec.variant import ParityVariant

pytestmark = pytest.mark.usefixtures("kernels")
V1, V2, ANNEX = ParityVariant


def outcome(function: Any, *arguments: Any, **options: Any) -> Any:
    try:
        return function(*arguments, **options)
    except (FieldError, IntegrityError, StateError) as error:
        return type(error)


def test_the_outcome_is_that_of_a_decoder() -> None:
    blocks = 0
    for seed in range(150):
        chance = random.Random(seed)
        m, size = chance.choice([1, 2, 3, 8, 20, 64, 100]), chance.choice([1, 5, 64])
        block, variant = chance.randbytes(m * size), chance.choice(list(ParityVariant))
        encoder = FragEncoder(block, frag_size=size, variant=variant)
        loss = chance.choice([0.0, 0.1, 0.4, 0.9])
        numbers = [n for n in range(1, 2 * m + 12) if chance.random() >= loss]
        if chance.random() < 0.2:
            chance.shuffle(numbers)
        fragments = [(n, encoder.fragment(n)) for n in numbers]
        if chance.random() < 0.3:
            fragments.insert(chance.randint(0, len(fragments)), (m + 1, bytes(size)))
        parameters: dict[str, Any] = {"nb_frag": m, "frag_size": size, "variant": variant}
        decoder = FragDecoder(**parameters)
        decoder.feed_all(fragments)
        expected = outcome(decoder.block)
        assert outcome(decode, iter(fragments), max_checks=1000, **parameters) == expected, seed
        blocks += expected == block
    assert 50 < blocks < 140


def test_a_spare_fragment_that_disagrees_is_noticed_if_it_is_looked_at() -> None:
    block = bytes(range(100))
    encoder = FragEncoder(block, frag_size=5, variant=V2)
    heard = [(n, encoder.fragment(n)) for n in [*range(1, 19), *range(21, 30)]]
    heard.append((30, b"wrong"))
    with pytest.raises(IntegrityError, match=r"1 of \d spare fragments disagree \(30\)"):
        decode(heard, nb_frag=20, frag_size=5, variant=V2)
    assert decode(heard, nb_frag=20, frag_size=5, variant=V2, max_checks=7) == block
    whole = [(n, encoder.fragment(n)) for n in range(1, 21)]
    with pytest.raises(IntegrityError):
        decode([*whole, (21, b"wrong")], nb_frag=20, frag_size=5, variant=V2)
    assert decode(whole, nb_frag=20, frag_size=5, variant=V2) == block


def test_the_wrong_variant_is_noticed() -> None:
    encoder = FragEncoder(bytes(range(250)), frag_size=5, variant=V1)
    heard = [(n, encoder.fragment(n)) for n in range(10, 80)]
    with pytest.raises(IntegrityError):
        decode(heard, nb_frag=50, frag_size=5, variant=V2)


@pytest.mark.parametrize(
    "odd", [(0, b"a"), (4, b"ab"), (16384, b"a"), (True, b"a"), (4.0, b"a"), ("4", b"a")]
)
def test_fragments_that_cannot_be_are_refused(odd: Any) -> None:
    good = [(1, b"a"), (2, b"b")]
    with pytest.raises(FieldError):
        decode([*good, odd], nb_frag=3, frag_size=1, variant=V1)


def test_any_bytes_like_octets_and_any_pair_are_taken() -> None:
    views: list[Any] = [[1, bytearray(b"a")], (2, memoryview(b"b")), (3, b"c")]
    assert decode(views, nb_frag=3, frag_size=1, variant=V1) == b"abc"


@pytest.mark.parametrize(
    "parameters",
    [{"nb_frag": 0}, {"frag_size": 256}, {"max_checks": -1}, {"variant": "v1"}],
)
def test_parameters_that_cannot_be_are_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(FieldError):
        decode([], **{"nb_frag": 1, "frag_size": 1, "variant": V1, **parameters})


def test_what_is_not_a_pair_is_an_error() -> None:
    odd: Any = [(1, b"a"), (2, b"b"), (4,)]
    with pytest.raises((TypeError, ValueError)):
        decode(odd, nb_frag=3, frag_size=1, variant=V1)
