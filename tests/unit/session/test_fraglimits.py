"""Refusals that need no history; every combination is tested with the device."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from lorafuota.fragmentation.v1 import FragSessionSetupReq
from lorafuota.fragmentation.v2 import SetupError
from lorafuota.session.fraglimits import FragLimits

SETUP = FragSessionSetupReq(
    mc_group_bit_mask=0,
    frag_index=1,
    nb_frag=10,
    frag_size=10,
    block_ack_delay=0,
    frag_algo=0,
    padding=5,
    descriptor=b"mine",
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 0),
        ({"frag_algo": 1}, SetupError.FRAG_ALGO_UNSUPPORTED),
        ({"nb_frag": 0}, SetupError.NOT_ENOUGH_MEMORY),
        ({"nb_frag": 16_383, "frag_size": 255}, SetupError.NOT_ENOUGH_MEMORY),
        ({"padding": 10}, SetupError.NOT_ENOUGH_MEMORY),
        ({"frag_index": 2}, SetupError.FRAG_INDEX_UNSUPPORTED),
        ({"descriptor": b"your"}, SetupError.WRONG_DESCRIPTOR),
    ],
    ids=str,
)
def test_a_set_up_is_refused_with_the_bit_of_the_text(
    changes: dict[str, Any], expected: int
) -> None:
    limits = FragLimits(max_memory=1 << 20, nb_indices=2, descriptors=frozenset({b"mine"}))
    assert limits.refusal(dataclasses.replace(SETUP, **changes)) == expected
