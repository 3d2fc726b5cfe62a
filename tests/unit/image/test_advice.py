from __future__ import annotations

import pytest

from lorafuota.errors import FieldError
from lorafuota.image.advice import MEGABYTE, advise
from tests.unit.image.support import NEW, delta, image


def test_nothing_is_said_of_an_image_that_fits() -> None:
    assert advise(1) == advise(MEGABYTE) == ()


def test_above_a_megabyte_a_delta_is_advised_with_figures() -> None:
    assert advise(MEGABYTE + 1) == (
        "the image has 1,000,001 octets, more than the 1,000,000 "
        "that large network servers take: send a delta",
    )


def test_a_delta_that_is_much_smaller_is_advised_with_figures() -> None:
    assert advise(20_000, 10_000) == (
        "the delta has 10,000 octets, 50 % of the image's 20,000: "
        "send it to the devices that run its base, and save 10,000 octets",
    )
    assert advise(20_000, 10_001) == (
        "the delta has 10,001 octets beside the image's 20,000: "
        "hardly smaller, and the image suits every device",
    )


def test_a_delta_above_a_megabyte_is_named_too() -> None:
    said = advise(3_000_000, 1_200_000)
    assert [sentence.split(",")[0] for sentence in said] == [
        "the image has 3",
        "the delta has 1",
        "the delta has 1",
    ]
    assert "more than the 1,000,000" in said[1]
    assert "40 % of the image's 3,000,000" in said[2]


def test_the_delta_of_the_sample_is_advised() -> None:
    [sentence] = advise(len(image(NEW)), len(delta()))
    assert "send it to the devices that run its base" in sentence


def test_sizes_are_positive() -> None:
    for sizes in ((0,), (1, 0), (-1, 5)):
        with pytest.raises(FieldError, match=r"advise\."):
            advise(*sizes)
