import random

import pytest

from lorafuota.errors import FieldError
from lorafuota.fec.diagnose import Fit, Verdict, fitting_variants
from lorafuota.fec.encoder import FragEncoder
from lorafuota.fec.matrix import parity_line
from lorafuota.fec.variant import ParityVariant

pytestmark = pytest.mark.usefixtures("kernels")
V1, V2, ANNEX = ParityVariant
BLOCK = random.Random(3).randbytes(40 * 8)


def received(variant: ParityVariant, numbers: range | list[int]) -> list[tuple[int, bytes]]:
    encoder = FragEncoder(BLOCK, frag_size=8, variant=variant)
    return [(n, encoder.fragment(n)) for n in numbers]


@pytest.mark.parametrize("right", ParityVariant)
def test_spare_fragments_support_the_right_variant_only(right: ParityVariant) -> None:
    fits = fitting_variants(received(right, range(5, 56)), nb_frag=40, frag_size=8)
    assert {variant: fit.verdict for variant, fit in fits.items()} == {
        variant: Verdict.SUPPORTED if variant is right else Verdict.CONTRADICTED
        for variant in ParityVariant
    }
    assert fits[right] == Fit(checked=11, disagreeing=())


def test_an_incomplete_block_can_contradict_a_variant_too() -> None:
    # fragments 1 and 2 never come and no line here tells them apart from each other
    blind = [n for n in range(41, 200) if parity_line(n, 40, V2)[0] == parity_line(n, 40, V2)[1]]
    fits = fitting_variants(received(V2, [*range(3, 41), *blind]), nb_frag=40, frag_size=8)
    assert fits[V2].verdict is Verdict.SUPPORTED
    assert fits[V2].checked == len(blind) - 1
    assert fits[V1].verdict is fits[ANNEX].verdict is Verdict.CONTRADICTED


def test_without_spare_fragments_nothing_can_be_said() -> None:
    for numbers in ([], [1, 2, 3], [1, 45, 60], range(1, 41)):
        fits = fitting_variants(received(V1, list(numbers)), nb_frag=40, frag_size=8)
        assert fits == {variant: Fit(0, ()) for variant in ParityVariant}
        assert {fit.verdict for fit in fits.values()} == {Verdict.UNDETERMINED}


def test_a_damaged_spare_fragment_is_named_and_the_others_still_agree() -> None:
    fragments = [*received(V2, range(1, 51))]
    fragments[44] = (45, bytes(8))
    assert fitting_variants(fragments, nb_frag=40, frag_size=8)[V2] == Fit(10, (45,))


def test_a_single_fragment_is_no_evidence_between_variants() -> None:
    fits = fitting_variants([(1, b"a"), (2, b"\0"), (7, b"\0")], nb_frag=1, frag_size=1)
    assert fits == {variant: Fit(2, ()) for variant in ParityVariant}
    fits = fitting_variants([(1, b"a"), (2, b"a")], nb_frag=1, frag_size=1)
    assert fits == {variant: Fit(1, (2,)) for variant in ParityVariant}


def test_fragments_that_cannot_be_are_refused() -> None:
    with pytest.raises(FieldError, match="payload = '1 octets': expected 8 octets"):
        fitting_variants([(1, b"a")], nb_frag=40, frag_size=8)
