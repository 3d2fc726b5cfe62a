"""Foreign matrices, and how fragments are held against any."""

from __future__ import annotations

import random

import pytest

from lorafuota.dissect.matrices import FOREIGN, Matrix, agreement, line_of
from lorafuota.fec.encoder import FragEncoder
from lorafuota.fec.matrix import parity_line
from lorafuota.fec.variant import ParityVariant

OURS = {
    ParityVariant.V1: Matrix("v1", lambda n, m: n - m, False),
    ParityVariant.V2: Matrix("v2", lambda n, m: n - m, True),
    ParityVariant.V2_ANNEX: Matrix("v2-annex", lambda n, m: n, True),
}


@pytest.mark.parametrize("nb_frag", [2, 3, 10, 16, 21, 100])
@pytest.mark.parametrize("variant", ParityVariant)
def test_with_the_seeds_of_the_variants_the_lines_are_theirs(
    variant: ParityVariant, nb_frag: int
) -> None:
    for n in range(nb_frag + 1, nb_frag + 12):
        assert line_of(n, nb_frag, OURS[variant]) == parity_line(n, nb_frag, variant)


def test_no_foreign_matrix_is_one_of_the_variants() -> None:
    lines = [
        tuple(line_of(n, 32, matrix).to01() for n in range(33, 40))
        for matrix in (*FOREIGN, *OURS.values())
    ]
    assert len(set(lines)) == len(lines)


def test_agreement_names_the_fragments_that_fit() -> None:
    block = random.Random(1).randbytes(32 * 5)
    encoder = FragEncoder(block, frag_size=5, variant=ParityVariant.V2)
    coded = {n: encoder.fragment(n) for n in range(33, 41)}
    coded[36] = bytes(5)
    found = agreement(block, coded, nb_frag=32, matrices=(*ParityVariant, FOREIGN[0]))
    assert found[ParityVariant.V2] == frozenset(coded) - {36}
    assert found[ParityVariant.V1] == found[FOREIGN[0]] == frozenset()
