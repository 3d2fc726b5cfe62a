from lorafuota.fec.variant import ParityVariant


def test_each_variant_says_what_it_draws_and_what_it_is_seeded_with() -> None:
    assert [(v.value, v.distinct, v.seeded_by_n, v.code) for v in ParityVariant] == [
        ("v1", False, False, 0),
        ("v2", True, False, 1),
        ("v2-annex", True, True, 3),
    ]


def test_a_variant_is_found_by_the_name_it_is_saved_under() -> None:
    assert ParityVariant("v2-annex") is ParityVariant.V2_ANNEX
