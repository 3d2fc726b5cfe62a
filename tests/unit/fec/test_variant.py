from __future__ import annotations

import pytest

from lorafuota.fec.matrix import parity_lines
from lorafuota.fec.variant import ParityVariant


def test_each_variant_says_what_it_draws_and_what_it_is_seeded_with() -> None:
    assert [(v.value, v.distinct, v.seeded_by_n, v.code) for v in ParityVariant] == [
        ("v1", False, False, 0),
        ("v2", True, False, 1),
        ("v2-annex", True, True, 3),
    ]


def test_a_variant_is_found_by_the_name_it_is_saved_under() -> None:
    assert ParityVariant("v2-annex") is ParityVariant.V2_ANNEX


@pytest.mark.parametrize("nb_frag", [1, 2, 3, 4, 5, 6, 12, 13, 14])
@pytest.mark.parametrize("variant", ParityVariant)
def test_lines_are_said_to_be_even_exactly_where_all_of_them_are(
    variant: ParityVariant, nb_frag: int
) -> None:
    lines = parity_lines(range(nb_frag + 1, nb_frag + 60), nb_frag, variant)
    even = all(line.count() % 2 == 0 for line in lines)
    assert variant.always_even(nb_frag) is (even and nb_frag > 1)
