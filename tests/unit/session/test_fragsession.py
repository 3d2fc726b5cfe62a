"""What one session tells of itself, in every way of counting that was seen."""

from __future__ import annotations

import dataclasses

import pytest

from lorafuota.fec.decoder import FragDecoder
from lorafuota.fec.encoder import FragEncoder
from lorafuota.fec.variant import ParityVariant
from lorafuota.fragmentation.v1 import FragSessionSetupReq
from lorafuota.session.actions import DropReason
from lorafuota.session.fragsession import Figures, FragSession, FragState
from lorafuota.session.profile import Count, Missing, Order, frag_profile

SETUP = FragSessionSetupReq(
    mc_group_bit_mask=0,
    frag_index=0,
    nb_frag=10,
    frag_size=4,
    block_ack_delay=0,
    frag_algo=0,
    padding=0,
    descriptor=bytes(4),
)
ENCODER = FragEncoder(bytes(range(40)), frag_size=4, variant=ParityVariant.V1)


def session(*numbers: int, nb_frag: int = 10) -> FragSession:
    decoder = FragDecoder(nb_frag=nb_frag, frag_size=4, variant=ParityVariant.V1)
    found = FragSession(dataclasses.replace(SETUP, nb_frag=nb_frag), decoder, FragState.RECEIVING)
    for n in numbers:
        found.note(n)
        decoder.feed(n, ENCODER.fragment(n) if nb_frag == 10 else bytes(4))
    return found


@pytest.mark.parametrize(
    ("count", "missing", "expected"),
    [
        (Count.ALL, Missing.NEEDED, (6, 5)),
        (Count.DISTINCT, Missing.NEEDED, (5, 5)),
        (Count.LAST_N, Missing.LOST, (8, 3)),
        (Count.LAST_N_MINUS_LOST, Missing.NEEDED, (5, 5)),
        (Count.ALL, Missing.NOT_RECEIVED, (6, 4)),
    ],
)
def test_five_of_eight_one_of_them_twice(
    count: Count, missing: Missing, expected: tuple[int, int]
) -> None:
    profile = dataclasses.replace(frag_profile(1), count=count, missing=missing)
    found = session(1, 2, 2, 4, 7, 8).figures(profile, memory_error=False)
    assert found == Figures(*expected, False)


def test_the_lost_count_stays_after_a_repair_and_a_coded_fragment_counts_all_that_is_lost() -> None:
    profile = dataclasses.replace(frag_profile(1), count=Count.LAST_N, missing=Missing.LOST)
    assert session(1, 2, 3).figures(profile, memory_error=False).missing_frag == 0
    assert session(1, 2, 3, 11).figures(profile, memory_error=False).missing_frag == 7
    done = session(*range(1, 10), *range(11, 20))
    assert done.decoder is not None
    assert done.decoder.complete
    assert done.figures(profile, memory_error=False) == Figures(19, 1, False)


def test_missing_fragments_saturate_or_are_cut_to_8_bits() -> None:
    truncated = dataclasses.replace(frag_profile(1), missing_truncated=True)
    one = session(nb_frag=300)
    assert one.figures(frag_profile(1), memory_error=False).missing_frag == 255
    assert one.figures(truncated, memory_error=True) == Figures(0, 44, True)


def test_one_is_missing_after_a_transfer_without_loss() -> None:
    profile = dataclasses.replace(frag_profile(1), lossless_missing_one=True)
    assert session(*range(1, 11)).figures(profile, memory_error=False).missing_frag == 1
    repaired = session(*range(1, 10), *range(11, 20))
    assert repaired.figures(profile, memory_error=False).missing_frag == 0


def test_a_session_that_ended_before_a_reset_tells_its_end() -> None:
    done = FragSession(SETUP, None, FragState.DONE)
    assert done.figures(frag_profile(1), memory_error=False) == Figures(10, 0, False)
    aborted = FragSession(SETUP, None, FragState.ABORTED)
    assert aborted.figures(frag_profile(1), memory_error=False) == Figures(0, 10, False)


@pytest.mark.parametrize(
    ("order", "refused"),
    [
        (Order.ANY, set()),
        (Order.PLAIN_ASCENDING, {1, 2, 3}),
        (Order.ASCENDING, {1, 2, 3, 4}),
    ],
)
def test_late_fragments_are_taken_or_not(order: Order, refused: set[int]) -> None:
    one = session(1, 4)
    late = {n for n in range(1, 20) if one.refuses(n, 4, order) is DropReason.ORDER}
    assert late == refused
    assert one.refuses(5, 3, order) is DropReason.LENGTH


def test_after_a_coded_fragment_every_plain_one_is_late_but_the_last() -> None:
    one = session(1, 12)
    plain = {n for n in range(1, 15) if one.refuses(n, 4, Order.PLAIN_ASCENDING) is not None}
    assert plain == set(range(1, 10))
    assert {n for n in range(1, 15) if one.refuses(n, 4, Order.ASCENDING)} == set(range(1, 13))
