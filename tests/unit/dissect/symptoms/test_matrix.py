"""The parity matrix, from spare fragments, from the image, and from the delivered block."""

from __future__ import annotations

import random

import pytest

from lorafuota.dissect.hypothesis import Symptom
from lorafuota.dissect.matrices import FOREIGN, line_of
from lorafuota.fec.decoder import FragDecoder
from lorafuota.fec.encoder import FragEncoder
from lorafuota.fec.variant import ParityVariant
from lorafuota.types import GenAppKey
from tests.unit.dissect.support import FRAG, Log, fragment, setup1, setup2

BLOCK = random.Random(7).randbytes(40)


def sent(variant: ParityVariant, version: int, numbers: list[int]) -> Log:
    encoder = FragEncoder(BLOCK, frag_size=4, variant=variant)
    log = Log().up(FRAG, f"00030{version}").down(FRAG, setup1() if version == 1 else setup2())
    log.up(FRAG, "0200")
    for n in numbers:
        log.down(FRAG, fragment(n, encoder.fragment(n)))
    return log


EVERY = [*range(1, 21)]


@pytest.mark.parametrize(
    ("variant", "version", "symptom"),
    [
        (ParityVariant.V1, 1, None),
        (ParityVariant.V2, 2, None),
        (ParityVariant.V2, 1, Symptom.WRONG_MATRIX),
        (ParityVariant.V1, 2, Symptom.WRONG_MATRIX),
        (ParityVariant.V2_ANNEX, 2, Symptom.SEED_BASE),
        (ParityVariant.V2_ANNEX, 1, Symptom.WRONG_MATRIX),
    ],
)
@pytest.mark.parametrize("lost", [set(), {2, 5}])
def test_another_matrix_shows_in_the_fragments_with_and_without_all_plain_ones(
    variant: ParityVariant, version: int, symptom: Symptom | None, lost: set[int]
) -> None:
    log = sent(variant, version, [n for n in EVERY if n not in lost])
    found = [one for one in log.diagnose().hypotheses if one.score >= 0.98]
    assert [one.symptom for one in found] == ([] if symptom is None else [symptom])


def test_without_a_spare_fragment_nothing_is_said() -> None:
    names = sent(ParityVariant.V2, 1, [*range(3, 13)]).names()
    assert "wrong-parity-matrix" not in names


def test_a_damaged_fragment_is_no_other_matrix() -> None:
    log = sent(ParityVariant.V2, 2, EVERY).down(FRAG, fragment(21, b"nope"))
    found = log.find(Symptom.DAMAGED_FRAGMENTS)
    assert "1 of 11 coded fragments" in found.evidence[0].text


def test_a_matrix_nobody_knows_is_called_foreign() -> None:
    log = sent(ParityVariant.V2, 2, [*range(1, 11)])
    for n in range(11, 16):
        log.down(FRAG, fragment(n, random.Random(n).randbytes(4)))
    assert log.names() == ["foreign-parity-matrix"]


def test_another_image_than_the_one_given() -> None:
    log = sent(ParityVariant.V2, 2, EVERY)
    assert log.names(image=BLOCK) == []
    assert log.names(image=bytes(40)) == ["another-image-was-sent"]
    for size in (41, 39):
        found = log.find(Symptom.OTHER_IMAGE, image=(BLOCK + b"x")[:size])
        assert f"{size} octets, the set-up announces 40: NbFrag 10 *" in found.evidence[0].text


def test_another_size_shows_in_the_set_up_alone() -> None:
    log = sent(ParityVariant.V2, 2, [])
    assert log.names(image=BLOCK) == []
    assert log.names(image=BLOCK[:9]) == ["another-image-was-sent"]
    assert log.names(image=BLOCK[:9], gen_app_key=GenAppKey(bytes(16))) == [
        "another-image-was-sent"  # and not that the MIC is of nothing known
    ]
    log.down(FRAG, setup2(nb_frag=20, padding=3))
    assert log.names(image=BLOCK) == []  # one of the two is it
    found = log.find(Symptom.OTHER_IMAGE, image=BLOCK * 2)
    assert [one.text for one in found.evidence][2] == (
        "with its padding the block has as many: the image given here may have it still"
    )


LARGE = random.Random(8).randbytes(128)


@pytest.mark.parametrize("lost", [{1}, {2, 5}, {1, 3, 4, 9}])
def test_the_delivered_block_tells_the_matrix_it_was_decoded_with(lost: set[int]) -> None:
    encoder = FragEncoder(LARGE, frag_size=4, variant=ParityVariant.V2)
    decoder = FragDecoder(nb_frag=32, frag_size=4, variant=ParityVariant.V1)
    log = Log().up(FRAG, "000302").down(FRAG, setup2(nb_frag=32)).up(FRAG, "0200")
    for n in range(1, 60):
        log.down(FRAG, fragment(n, encoder.fragment(n)))
        if n not in lost and not decoder.complete:
            decoder.feed(n, encoder.fragment(n))
    delivered = decoder.block_despite_disagreement()
    assert delivered != LARGE
    found = log.find(Symptom.WRONG_MATRIX, block=delivered)
    assert found.says == "the device rebuilt the block with matrix v1, and it was coded with v2"
    assert log.names(block=LARGE) == []
    assert log.names(block=delivered[:-1]) == ["delivered-block-length"]  # and no matrix
    assert log.names(block=bytes(128)) == ["delivered-block-blank"]  # nothing rebuilt that


def test_fragments_from_0_are_not_judged() -> None:
    log = sent(ParityVariant.V2, 1, EVERY).down(FRAG, fragment(0))
    assert "wrong-parity-matrix" not in log.names()


def test_a_known_foreign_matrix_is_named() -> None:
    plain = [LARGE[at : at + 4] for at in range(0, 128, 4)]
    log = Log().up(FRAG, "000302").down(FRAG, setup2(nb_frag=32)).up(FRAG, "0200")
    for n, octets in enumerate(plain, 1):
        log.down(FRAG, fragment(n, octets))
    for n in range(33, 40):
        total = 0
        for at in line_of(n, 32, FOREIGN[0]).search(1):
            total ^= int.from_bytes(plain[at])
        log.down(FRAG, fragment(n, total.to_bytes(4)))
    found = log.find(Symptom.FOREIGN_MATRIX)
    assert (found.score, found.says.endswith(FOREIGN[0].name)) == (0.98, True)


def test_a_set_up_of_nothing_is_not_judged() -> None:
    for fields in ({"nb_frag": 0}, {"frag_size": 0}, {"nb_frag": 20_000}):
        log = Log().down(FRAG, setup2(**fields)).up(FRAG, "0202")
        for n in range(1, 4):
            log.down(FRAG, fragment(n, b""))
        assert "matrix" not in " ".join(log.names(image=BLOCK, block=BLOCK))
