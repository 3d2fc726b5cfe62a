import base64
import copy
import json
import pickle
import random
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from bitarray import bitarray

from lorafuota.errors import FieldError, IntegrityError, StateError
from lorafuota.fec import _rank as fec_rank
from lorafuota.fec import kernels
from lorafuota.fec.decoder import CheckResult, Fed, FragDecoder, memory_bound
from lorafuota.fec.encoder import FragEncoder
from lorafuota.fec.matrix import MAX_N, packed_lines, parity_line
from lorafuota.fec.variant import ParityVariant
from tests.support import vectors

pytestmark = pytest.mark.usefixtures("kernels")
VECTORS = vectors("ts004")
V1, V2, ANNEX = ParityVariant
every_variant = pytest.mark.parametrize("variant", ParityVariant)


def pair(
    nb_frag: int,
    frag_size: int = 4,
    variant: ParityVariant = V2,
    max_lost: int | None = None,
    max_checks: int = 64,
) -> tuple[bytes, FragEncoder, FragDecoder]:
    block = random.Random(nb_frag).randbytes(nb_frag * frag_size)
    encoder = FragEncoder(block, frag_size=frag_size, variant=variant)
    decoder = FragDecoder(
        nb_frag=nb_frag,
        frag_size=frag_size,
        variant=variant,
        max_lost=max_lost,
        max_checks=max_checks,
    )
    return block, encoder, decoder


def feed(decoder: FragDecoder, encoder: FragEncoder, numbers: Iterable[int]) -> list[Fed]:
    return [decoder.feed(n, encoder.fragment(n)) for n in numbers]


def feed_and_check(decoder: FragDecoder, fragments: Iterable[tuple[int, bytes]]) -> list[Fed]:
    """What ``feed_all`` is: the block is rebuilt as soon as it is complete."""
    fed = []
    for n, payload in fragments:
        fed.append(decoder.feed(n, payload))
        if decoder.complete:
            decoder.check()
    return fed


def wrong(payload: bytes) -> bytes:
    return bytes([payload[0] ^ 0x10]) + payload[1:]


@pytest.mark.parametrize("vector", VECTORS["decodings"], ids=lambda v: str(v["name"]))
def test_blocks_complete_at_the_same_fragment_as_on_devices(vector: dict[str, Any]) -> None:
    m, size = vector["nb_frag"], vector["frag_size"]
    assert vector["block_rule"] == "octet i = (11*i+5) mod 256"
    block = bytes((11 * i + 5) % 256 for i in range(m * size))
    variant = ParityVariant(vector["variant"])
    encoder = FragEncoder(block, frag_size=size, variant=variant)
    decoder = FragDecoder(nb_frag=m, frag_size=size, variant=variant)
    complete = []
    for n in vector["received_n"]:
        decoder.feed(n, encoder.fragment(n))
        complete.append(decoder.complete)
    after = vector["complete_after"]
    assert complete == [False] * (after - 1) + [True] * (len(complete) - after + 1)
    assert decoder.block() == block
    assert len(decoder.lost) == vector["lost_uncoded"]


# What a decoder knows


def test_a_new_decoder_has_nothing() -> None:
    decoder = pair(10)[2]
    assert (decoder.rank, decoder.missing, decoder.complete, decoder.given_up) == (
        0,
        10,
        False,
        False,
    )
    assert (decoder.received, decoder.lost) == (bitarray(10), tuple(range(1, 11)))
    assert (decoder.nb_frag_received, decoder.repeats, decoder.conflicts) == (0, 0, 0)
    assert decoder.checks == 0
    assert decoder.check() == CheckResult(0, (), ())


def test_it_knows_which_plain_fragments_are_lost_even_when_they_are_rebuilt() -> None:
    block, encoder, decoder = pair(10)
    feed(decoder, encoder, [1, 2, 4, 5, 6, 8, 9, 10])
    assert (decoder.rank, decoder.missing, decoder.lost) == (8, 2, (3, 7))
    assert decoder.received == bitarray("1101110111")
    feed(decoder, encoder, range(11, 20))
    assert (decoder.rank, decoder.missing, decoder.lost) == (10, 0, (3, 7))
    assert decoder.received == bitarray("1101110111")
    assert decoder.block() == block


def test_the_received_map_is_a_copy() -> None:
    decoder = pair(10)[2]
    decoder.received.setall(1)
    assert decoder.lost == tuple(range(1, 11))


def test_without_loss_no_coded_fragment_is_needed() -> None:
    block, encoder, decoder = pair(10)
    assert feed(decoder, encoder, range(1, 11)) == [Fed.ACCEPTED] * 10
    assert decoder.complete
    assert decoder.block() == block


def test_coded_fragments_before_plain_ones_are_as_good() -> None:
    block, encoder, decoder = pair(10)
    feed(decoder, encoder, [14, 13, 12, 11, 20])
    assert decoder.missing == 5
    feed(decoder, encoder, [5, 1, 2, 3, 4, 6, 7])
    assert decoder.complete
    assert decoder.block() == block
    assert decoder.check().ok


def test_any_bytes_like_payload_is_taken() -> None:
    block, encoder, decoder = pair(3)
    decoder.feed(1, bytearray(encoder.fragment(1)))
    decoder.feed(2, memoryview(encoder.fragment(2)))
    assert (decoder.feed(3, encoder.fragment(3)), decoder.block()) == (Fed.ACCEPTED, block)


def test_nb_frag_received_counts_repeats_and_stops_at_completion() -> None:
    _, encoder, decoder = pair(4)
    decoder.feed(1, wrong(encoder.fragment(1)))
    feed(decoder, encoder, [1, 2, 2, 3])
    assert decoder.nb_frag_received == 5
    feed(decoder, encoder, [4, 4, 5, 6])
    assert (decoder.nb_frag_received, decoder.complete) == (6, True)


def test_nb_frag_received_stays_in_its_14_bits() -> None:
    decoder = pair(2)[2]
    for _ in range(MAX_N + 3):
        decoder.feed(1, b"same")
    assert (decoder.nb_frag_received, decoder.repeats) == (MAX_N, MAX_N + 2)


# Many at once


def test_many_at_once_are_as_many_one_by_one() -> None:
    for seed in range(40):
        chance = random.Random(seed)
        m = chance.choice([1, 5, 20, 64])
        _, encoder, single = pair(
            m,
            variant=chance.choice(list(ParityVariant)),
            max_lost=chance.choice([None, 3]),
            max_checks=chance.choice([0, 2, 64]),
        )
        many = FragDecoder.restore(single.save())
        numbers = [n for n in range(1, 2 * m + 20) if chance.random() > 0.3] * 2
        if chance.random() < 0.5:
            chance.shuffle(numbers)
        fragments = [(n, encoder.fragment(n)) for n in numbers]
        fragments[len(numbers) // 3] = fragments[0][0], b"else"
        cut = chance.randint(0, len(fragments))
        together = many.feed_all(iter(fragments[:cut])) + many.feed_all(fragments[cut:])
        assert together == feed_and_check(single, fragments)
        assert (many.save(), many.missing) == (single.save(), single.missing)


def test_all_there_is_at_once_is_as_one_by_one() -> None:
    for seed in range(120):
        chance = random.Random(seed)
        m, size = chance.choice([1, 2, 5, 16, 40, 70]), chance.choice([1, 4, 9])
        parameters: dict[str, Any] = {
            "nb_frag": m,
            "frag_size": size,
            "variant": chance.choice(list(ParityVariant)),
            "max_lost": chance.choice([None, None, None, 3]),
            "max_checks": chance.choice([0, 1, 8, 64]),
        }
        encoder = FragEncoder(
            chance.randbytes(m * size), frag_size=size, variant=parameters["variant"]
        )
        loss = chance.choice([0.0, 0.1, 0.5, 1.0])
        numbers = [n for n in range(1, m + 1) if chance.random() >= loss]
        numbers += chance.sample(range(m + 1, 3 * m + 90), chance.randint(0, 2 * m + 80))
        fragments = [(n, encoder.fragment(n)) for n in numbers]
        if fragments and chance.random() < 0.6:  # one that lies, or comes twice
            at, (n, payload) = chance.randrange(len(fragments)), chance.choice(fragments)
            fragments.insert(
                at, (n, chance.choice([payload, bytes([payload[0] ^ 1]) + payload[1:]]))
            )
        single, many = FragDecoder(**parameters), FragDecoder(**parameters)
        fed = feed_and_check(single, fragments)
        assert many.feed_all(fragments) == fed, seed
        assert (many.rank, many.checks, many.complete) == (
            single.rank,
            single.checks,
            single.complete,
        )
        more = [(n, encoder.fragment(n)) for n in chance.sample(range(1, 3 * m + 90), 9)]
        again, both = copy.deepcopy(many), (many.save(), many.check())
        assert both == (single.save(), single.check()), seed
        fed = feed_and_check(single, more)
        assert many.feed_all(more) == fed, seed
        assert again.feed_all(more) == fed, seed
        assert many.save() == again.save() == single.save(), seed


def test_spare_fragments_that_cannot_be_are_refused_among_many() -> None:
    _, encoder, decoder = pair(10)
    decoder.feed_all([(n, encoder.fragment(n)) for n in range(1, 20)])
    spare = [(n, encoder.fragment(n)) for n in range(20, 30)]
    for odd in [(0, spare[0][1]), (16384, spare[0][1]), (30, b""), (True, spare[0][1])]:
        other = copy.deepcopy(decoder)
        with pytest.raises(FieldError):
            other.feed_all([*spare, odd])
        assert other.checks == decoder.checks + len(spare)


def test_many_at_once_are_taken_up_to_the_first_that_cannot_be() -> None:
    _, encoder, decoder = pair(10)
    good = [(n, encoder.fragment(n)) for n in (1, 2, 12, 13)]
    for wrong_one in [(0, b"four"), (3, b"3"), (14, b"14"), (16384, b"four"), (True, b"four")]:
        with pytest.raises(FieldError):
            decoder.feed_all([*good, wrong_one, (5, b"five")])
    assert (decoder.missing, decoder.lost[:2]) == (6, (3, 4))
    views: list[Any] = [(3, bytearray(b"abcd")), (15, memoryview(b"abcd"))]
    assert decoder.feed_all(views) == [Fed.ACCEPTED] * 2


def test_what_waits_for_the_basis_does_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fec_rank, "_LUMP", 0)
    block, encoder, decoder = pair(200)
    feed(decoder, encoder, [n for n in range(1, 400) if n % 3])
    assert decoder.block() == block
    other = pair(200)[2]
    other.feed_all([(n, encoder.fragment(n)) for n in range(1, 400) if n % 3])
    assert other.save() == decoder.save() or other.block() == block


# Repeats and conflicts


def test_a_repeat_changes_nothing_but_the_count() -> None:
    block, encoder, decoder = pair(10)
    fed = feed(decoder, encoder, [1, 1, 12, 12, 1])
    assert fed == [Fed.ACCEPTED, Fed.REPEAT, Fed.ACCEPTED, Fed.REPEAT, Fed.REPEAT]
    assert (decoder.repeats, decoder.conflicts, decoder.missing) == (3, 0, 8)
    feed(decoder, encoder, range(1, 11))
    assert decoder.block() == block


@pytest.mark.parametrize("n", [2, 12])
def test_other_octets_under_a_known_number_are_a_conflict_and_the_first_are_kept(n: int) -> None:
    block, encoder, decoder = pair(10)
    feed(decoder, encoder, [n])
    bad = wrong(encoder.fragment(n))
    assert [decoder.feed(n, bad) for _ in range(2)] == [Fed.CONFLICT] * 2
    assert (decoder.conflicts, decoder.repeats) == (2, 0)
    assert decoder.check() == CheckResult(0, (), (n,))
    feed(decoder, encoder, [i for i in range(1, 11) if i != 2] + [11, 12, 13])
    assert decoder.complete
    assert decoder.block_despite_disagreement() == block
    with pytest.raises(IntegrityError, match=f"different octets under the same number: {n}$"):
        decoder.block()


def test_a_conflict_after_completion_is_one_too() -> None:
    block, encoder, decoder = pair(4)
    feed(decoder, encoder, [1, 2, 3, 4])
    assert decoder.block() == block
    assert decoder.feed(4, wrong(encoder.fragment(4))) is Fed.CONFLICT
    assert decoder.feed(4, encoder.fragment(4)) is Fed.REPEAT
    assert decoder.check() == CheckResult(0, (), (4,))
    with pytest.raises(IntegrityError):
        decoder.block()


# Spare fragments


def test_spare_fragments_are_compared_before_and_after_completion() -> None:
    block, encoder, decoder = pair(10)
    feed(decoder, encoder, [*range(2, 10), *range(11, 15)])
    missing = decoder.missing
    held = decoder.checks
    feed(decoder, encoder, range(15, 30))
    assert (missing + held, decoder.missing) == (0 + held, 0)
    assert decoder.feed(29, encoder.fragment(29)) is Fed.REPEAT
    assert decoder.block() == block
    assert decoder.feed(30, encoder.fragment(30)) is Fed.AGREES
    assert decoder.feed(1, encoder.fragment(1)) is Fed.AGREES
    assert decoder.feed(1, encoder.fragment(1)) is Fed.REPEAT
    assert decoder.check() == CheckResult(8 + 4 + 15 + 2 - 10, (), ())
    assert decoder.block() == block


def test_a_forged_fragment_after_completion_disagrees_for_good() -> None:
    block, encoder, decoder = pair(10)
    feed(decoder, encoder, range(1, 11))
    decoder.check()
    bad = wrong(encoder.fragment(15))
    assert decoder.feed(15, bad) is Fed.DISAGREES
    assert decoder.feed(15, bad) is Fed.REPEAT
    assert decoder.check() == CheckResult(1, (15,), ())
    assert decoder.feed(15, encoder.fragment(15)) is Fed.CONFLICT
    assert decoder.check() == CheckResult(1, (15,), (15,))
    assert decoder.block_despite_disagreement() == block
    with pytest.raises(IntegrityError) as caught:
        decoder.block()
    assert str(caught.value) == (
        "FragDecoder.block: 1 of 1 spare fragments disagree (15); "
        "different octets under the same number: 15"
    )


def test_a_long_list_of_disagreeing_fragments_is_cut_in_the_message() -> None:
    result = CheckResult(20, tuple(range(11, 25)), ())
    assert str(result) == (
        "14 of 20 spare fragments disagree (11, 12, 13, 14, 15, 16, 17, 18, ...)"
    )
    assert str(CheckResult(3, (), ())) == "0 of 3 spare fragments disagree"


def test_a_forged_coded_fragment_is_noticed_when_a_plain_one_makes_it_spare() -> None:
    block, encoder, decoder = pair(10)
    feed(decoder, encoder, range(1, 9))
    decoder.feed(13, wrong(encoder.fragment(13)))
    feed(decoder, encoder, [9, 10])
    assert decoder.complete
    assert decoder.check() == CheckResult(1, (13,), ())
    assert decoder.block_despite_disagreement() == block


def test_an_incomplete_block_has_checks_too() -> None:
    _, encoder, decoder = pair(20)
    blind = [n for n in range(21, 200) if not parity_line(n, 20, V2)[0]][:4]
    feed(decoder, encoder, [*range(2, 21), *blind[:2]])
    assert decoder.check() == CheckResult(2, (), ())
    decoder.feed(blind[2], wrong(encoder.fragment(blind[2])))
    assert decoder.check() == CheckResult(3, (blind[2],), ())
    assert decoder.missing == 1
    with pytest.raises(StateError, match="1 fragments are missing"):
        decoder.block()


def test_the_wrong_variant_is_noticed_with_one_spare_fragment() -> None:
    block, encoder, _ = pair(100, variant=V1)
    decoder = FragDecoder(nb_frag=100, frag_size=4, variant=V2)
    feed(decoder, encoder, [*range(1, 91), *range(101, 115)])
    while not decoder.complete or decoder.checks == 0:
        feed(decoder, encoder, [decoder.nb_frag_received + 11])
    assert decoder.block_despite_disagreement() != block
    with pytest.raises(IntegrityError):
        decoder.block()


def test_no_more_spare_fragments_are_kept_than_asked_for() -> None:
    block, encoder, decoder = pair(20, max_checks=3)
    blind = [n for n in range(21, 300) if not parity_line(n, 20, V2)[0]]
    fed = feed(decoder, encoder, [*range(2, 21), *blind[:6]])
    assert fed == [Fed.ACCEPTED] * 22 + [Fed.DROPPED] * 3
    assert (decoder.checks, decoder.missing) == (3, 1)
    seeing = next(n for n in range(21, 300) if parity_line(n, 20, V2)[0])
    assert feed(decoder, encoder, [seeing, blind[3]]) == [Fed.ACCEPTED, Fed.DROPPED]
    assert decoder.check() == CheckResult(3, (), ())
    assert feed(decoder, encoder, [blind[3]]) == [Fed.AGREES]
    assert decoder.check() == CheckResult(4, (), ())
    assert decoder.block() == block


def test_a_late_plain_fragment_makes_one_more_spare_and_none_goes_for_it() -> None:
    # M = 3 has three different lines: of the coded fragments that select fragment 1, the first
    # is needed and the others are spare
    block, encoder, decoder = pair(3, max_checks=1)
    by_line: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for n in range(4, 60):
        by_line[parity_line(n, 3, V2).find(1)].append(n)
    zero = by_line[0]
    assert feed(decoder, encoder, zero[:2]) == [Fed.ACCEPTED, Fed.ACCEPTED]
    assert feed(decoder, encoder, [by_line[1][0]]) == [Fed.ACCEPTED]
    assert feed(decoder, encoder, [zero[2]]) == [Fed.DROPPED]
    assert decoder.save()["coded"] == [zero[0], zero[1], by_line[1][0]]
    assert feed(decoder, encoder, [1]) == [Fed.ACCEPTED]
    assert decoder.checks == 2
    assert feed(decoder, encoder, [by_line[1][1]]) == [Fed.DROPPED]
    assert decoder.save()["coded"] == [zero[0], zero[1], by_line[1][0]]
    assert feed(decoder, encoder, [by_line[2][0]]) == [Fed.ACCEPTED]
    assert (decoder.block(), decoder.check()) == (block, CheckResult(2, (), ()))


def test_of_too_many_that_were_spare_from_the_start_the_last_goes() -> None:
    by_line: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for n in range(4, 60):
        by_line[parity_line(n, 3, V2).find(1)].append(n)
    for asked in (False, True):
        block, encoder, decoder = pair(3, max_checks=0)
        zero = by_line[0]
        for n in [zero[0], zero[1], by_line[1][0], by_line[2][0]]:
            assert feed(decoder, encoder, [n]) == [Fed.ACCEPTED]
            assert not asked or decoder.missing >= 0
        assert (decoder.checks, decoder.block()) == (0, block)


# S2: the work for a fragment


class Counting:
    """The kernels in use, counting what is solved and how many lines are counted at a time."""

    def __init__(self) -> None:
        self.kernels, self.solved, self.most = kernels.ACTIVE, 0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kernels, name)

    def solve(self, *arguments: Any) -> bytes:
        self.solved += 1
        return self.kernels.solve(*arguments)

    def rank_add(self, basis: bytearray, missing: bytes, m: int, lines: bytes) -> bytes:
        self.most = max(self.most, len(lines) // ((m + 7) // 8))
        return self.kernels.rank_add(basis, missing, m, lines)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    found = Counting()
    monkeypatch.setattr(kernels, "ACTIVE", found)
    return found


@pytest.mark.parametrize("order", ["plain first", "coded first", "late plain", "shuffled"])
def test_s2_no_fragment_makes_a_decoder_solve(order: str, counting: Counting) -> None:
    block, encoder, decoder = pair(60, max_checks=5)
    plain, coded = [n for n in range(1, 61) if n % 3], list(range(61, 160))
    numbers = {
        "plain first": [*plain, *coded],
        "coded first": [*coded, *range(1, 61)],
        "late plain": [*plain, *coded[:10], *range(1, 61), *coded],
        "shuffled": random.Random(3).sample([*plain, *coded], len(plain) + len(coded)),
    }[order]
    fed = feed(decoder, encoder, numbers + numbers)
    bad = wrong(encoder.fragment(200))
    fed += [decoder.feed(200, bad), decoder.feed(1, wrong(encoder.fragment(1)))]
    assert decoder.complete
    assert {Fed.AGREES, Fed.DISAGREES}.isdisjoint(fed)
    assert counting.solved == 0
    assert decoder.checks >= 5
    assert decoder.block_despite_disagreement() == block
    assert counting.solved == 1


def test_s2_a_fragment_has_no_more_lines_counted_than_may_wait(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fec_rank, "_LUMP", 2**12)
    monkeypatch.setattr(fec_rank, "_SATURATED", 2)
    for m, highest in ((60, 200), (200, 230), (200, 390)):
        monkeypatch.setattr(fec_rank, "MAX_N", highest)
        block, encoder, decoder = pair(m)
        coded, plain = list(range(m + 1, highest + 1)), list(range(1, m + 1))
        late = random.Random(m).sample(plain, m)
        for numbers in ([*coded, *late], [*coded[::2], *late[:9], *coded[1::2], *late[9:]]):
            decoder, counting.most = pair(m)[2], 0
            for n in numbers:
                decoder.feed(n, encoder.fragment(n))
                assert not decoder.complete or decoder.missing == 0
            assert decoder.complete
            assert 0 < counting.most <= max(2**12 // (2 * m), 16) + 1
            assert decoder.block() == block


def test_s2_a_restored_decoder_has_counted_already(counting: Counting) -> None:
    _, encoder, decoder = pair(900, frag_size=1)
    feed(decoder, encoder, [*range(1, 100), *range(901, 901 + 790)])
    decoder._rank.lump = 2000
    state = decoder.save()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fec_rank, "_LUMP", 2**12)
        restored = FragDecoder.restore(state)
        counting.most = 0
        feed(restored, encoder, range(1691, 1720))
    assert counting.most <= 17
    assert counting.solved == 0


def test_how_many_are_missing_can_be_asked_up_to_a_number(counting: Counting) -> None:
    _, encoder, decoder = pair(500, frag_size=1)
    feed(decoder, encoder, [*range(1, 101), *range(501, 601)])
    assert decoder.missing_up_to(255) == 255
    assert counting.most == 0
    assert (decoder.missing_up_to(16383), decoder.missing) == (300, 300)
    feed(decoder, encoder, range(101, 350))
    assert decoder.missing_up_to(255) == decoder.missing == 51


def test_what_comes_after_completion_is_kept_and_never_part_of_the_block() -> None:
    block, encoder, decoder = pair(10, max_checks=3)
    feed(decoder, encoder, [*range(3, 11), *range(11, 40)])
    assert decoder.complete
    for asked in (False, True):
        one = copy.deepcopy(decoder)
        if asked:
            one.check()
        bad = wrong(encoder.fragment(1))
        kept = one.feed(1, bad)
        assert kept is (Fed.DISAGREES if asked else Fed.DROPPED)
        assert (one.lost, one.nb_frag_received) == (decoder.lost, decoder.nb_frag_received)
        assert one.block_despite_disagreement() == block
    roomy = pair(10)[2]
    numbers = [*range(3, 11), *range(11, 400)]
    while not roomy.complete:
        n = numbers.pop(0)
        roomy.feed(n, encoder.fragment(n))
    assert roomy.feed(1, wrong(encoder.fragment(1))) is Fed.ACCEPTED
    assert roomy.feed(1, encoder.fragment(1)) is Fed.CONFLICT
    assert roomy.feed(3, encoder.fragment(3)) is Fed.REPEAT
    assert roomy.lost[0] == 1
    check = roomy.check()
    assert (check.disagreeing, check.conflicting) == ((1,), (1,))
    assert roomy.block_despite_disagreement() == block


# Small and large


@every_variant
def test_coding_cannot_help_a_single_fragment_but_can_contradict(variant: ParityVariant) -> None:
    block, encoder, decoder = pair(1, variant=variant)
    assert feed(decoder, encoder, [2, 3, 16383]) == [Fed.ACCEPTED] * 3
    assert (decoder.missing, decoder.checks) == (1, 3)
    assert decoder.check() == CheckResult(3, (), ())
    decoder.feed(4, b"\0\0\0\1")
    assert decoder.check() == CheckResult(4, (4,), ())
    feed(decoder, encoder, [1])
    assert decoder.check() == CheckResult(4, (4,), ())
    assert decoder.block_despite_disagreement() == block


@every_variant
@pytest.mark.parametrize("m", [2, 3])
def test_two_or_three_fragments_come_back_from_coded_ones_alone(
    m: int, variant: ParityVariant
) -> None:
    block, encoder, decoder = pair(m, variant=variant)
    feed(decoder, encoder, range(m + 1, m + 30))
    assert (decoder.block(), decoder.received.count()) == (block, 0)


@every_variant
@pytest.mark.parametrize("m", [4, 8, 16, 64, 256])
def test_powers_of_two_come_back(m: int, variant: ParityVariant) -> None:
    block, encoder, decoder = pair(m, variant=variant)
    feed(decoder, encoder, [*range(2, m + 1, 2), *range(m + 1, 2 * m + 30)])
    assert decoder.block() == block
    assert decoder.check().checked > 0


def test_even_lines_alone_leave_one_fragment_missing() -> None:
    block, encoder, decoder = pair(20, variant=V2)  # floor(20 / 2) is even
    feed(decoder, encoder, range(21, 200))
    assert decoder.missing == 1
    feed(decoder, encoder, [7])
    assert decoder.block() == block


@every_variant
def test_the_highest_numbers_and_seeds_of_24_bits_come_back(variant: ParityVariant) -> None:
    block, encoder, decoder = pair(50, variant=variant)
    feed(decoder, encoder, [9, *range(8425, 8445), *range(16340, 16384)])
    assert decoder.block() == block
    assert decoder.check().checked == 1 + 20 + 44 - 50


def test_the_largest_block_comes_back() -> None:
    block, encoder, decoder = pair(16382, frag_size=1, variant=V1)
    lost = parity_line(16383, 16382, V1).find(1) + 1
    feed(decoder, encoder, [n for n in range(1, 16384) if n != lost])
    assert (decoder.block(), decoder.lost) == (block, (lost,))


# Devices with a small matrix


def test_max_lost_gives_up_at_the_first_coded_fragment() -> None:
    _, encoder, decoder = pair(10, max_lost=2)
    feed(decoder, encoder, range(1, 8))
    assert not decoder.given_up
    assert feed(decoder, encoder, [11, 12, 8, 1]) == [Fed.GIVEN_UP] * 4
    assert (decoder.given_up, decoder.complete, decoder.missing) == (True, False, 3)
    assert (decoder.nb_frag_received, decoder.repeats) == (8, 0)
    assert decoder.check() == CheckResult(0, (), ())
    with pytest.raises(StateError) as caught:
        decoder.block()
    assert str(caught.value) == "FragDecoder.block: given up: more than 2 fragments were lost"


def test_max_lost_is_no_obstacle_when_as_many_are_lost() -> None:
    block, encoder, decoder = pair(10, max_lost=2)
    feed(decoder, encoder, [*range(1, 9), *range(11, 20)])
    assert (decoder.given_up, decoder.block()) == (False, block)


def test_a_device_without_a_matrix_needs_every_plain_fragment() -> None:
    block, encoder, decoder = pair(3, max_lost=0)
    feed(decoder, encoder, [3, 2, 1, 4])
    assert (decoder.given_up, decoder.block()) == (False, block)


# Refusals


@pytest.mark.parametrize(
    ("n", "payload", "message"),
    [
        (0, b"1234", "FragDecoder.n = 0: expected int in 1..16383"),
        (-1, b"1234", "FragDecoder.n = -1: expected int in 1..16383"),
        (16384, b"1234", "FragDecoder.n = 16384: expected int in 1..16383"),
        (1, b"123", "FragDecoder.payload = '3 octets': expected 4 octets"),
        (11, b"12345", "FragDecoder.payload = '5 octets': expected 4 octets"),
    ],
)
def test_a_fragment_that_cannot_be_is_refused_and_changes_nothing(
    n: int, payload: bytes, message: str
) -> None:
    decoder = pair(10)[2]
    decoder.feed(1, b"abcd")
    before = decoder.save()
    with pytest.raises(FieldError) as caught:
        decoder.feed(n, payload)
    assert (str(caught.value), decoder.save()) == (message, before)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"nb_frag": 0}, "FragDecoder.nb_frag = 0: expected int in 1..16383"),
        ({"nb_frag": 16384}, "FragDecoder.nb_frag = 16384: expected int in 1..16383"),
        ({"frag_size": 0}, "FragDecoder.frag_size = 0: expected int in 1..255"),
        ({"frag_size": 256}, "FragDecoder.frag_size = 256: expected int in 1..255"),
        ({"max_lost": -1}, "FragDecoder.max_lost = -1: expected int in 0..16383"),
        ({"max_checks": -1}, "FragDecoder.max_checks = -1: expected int in 0..16383"),
        ({"variant": "v1"}, "FragDecoder.variant = 'v1': expected a ParityVariant"),
    ],
)
def test_parameters_that_cannot_be_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldError) as caught:
        FragDecoder(**{"nb_frag": 1, "frag_size": 1, "variant": V1, **parameters})
    assert str(caught.value) == message


# Memory


def test_the_memory_bound_is_the_formula_of_its_docstring() -> None:
    m, s, c, lost = 1000, 50, 64, 200
    held = m * s + (lost + c) * (s + 200) + lost * 8 * 4 + 16384
    work = m * (s + 80) + (lost + c) * (3 * s + 400 + m // 4) + lost * (lost // 4 + s + 200)
    work += 512 * (s + 64)
    assert memory_bound(nb_frag=m, frag_size=s, max_lost=lost) == held + work
    assert memory_bound(nb_frag=10, frag_size=1, max_lost=20) == memory_bound(
        nb_frag=10, frag_size=1
    )
    with pytest.raises(FieldError):
        memory_bound(nb_frag=0, frag_size=1)


@pytest.mark.parametrize(
    ("m", "size", "max_lost", "max_checks"),
    [(1, 1, None, 64), (150, 100, None, 300), (200, 20, 40, 64), (100, 255, None, 0)],
)
def test_a_hostile_sender_does_not_make_a_decoder_larger_than_its_bound(
    m: int, size: int, max_lost: int | None, max_checks: int
) -> None:
    _, encoder, decoder = pair(m, frag_size=size, variant=V1)
    first = 1 if max_lost is None else max_lost + 1
    plain = [] if max_lost is None else [*range(first, m + 1)]
    numbers = [*plain, *range(m + 1, 2 * m + 400)]
    fragments = encoder.fragments(numbers)
    packed_lines(numbers, m, V1.code)  # shared, and not part of the formula
    tracemalloc.start()
    try:
        decoder = FragDecoder(
            nb_frag=m, frag_size=size, variant=V1, max_lost=max_lost, max_checks=max_checks
        )
        for n, fragment in zip(numbers, fragments, strict=True):
            decoder.feed(n, bytes(bytearray(fragment)))
            decoder.feed(n, bytes(size))
            assert decoder.missing >= 0
        decoder.check()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    bound = memory_bound(nb_frag=m, frag_size=size, max_lost=max_lost, max_checks=max_checks)
    assert peak <= bound


# Saving


def through_json(decoder: FragDecoder) -> FragDecoder:
    return FragDecoder.restore(json.loads(json.dumps(decoder.save())))


def through_pickle(decoder: FragDecoder) -> FragDecoder:
    restored: FragDecoder = pickle.loads(pickle.dumps(decoder))
    return restored


@pytest.mark.parametrize("copied", [through_json, through_pickle, copy.deepcopy])
def test_a_copy_goes_on_by_itself(copied: Callable[[FragDecoder], FragDecoder]) -> None:
    block, encoder, decoder = pair(10)
    feed(decoder, encoder, [1, 2, 3, 5, 12, 13])
    assert decoder.missing == 4
    other = copied(decoder)
    feed(other, encoder, [14, 15, 16, 17, 18, 19, 20])
    assert other.block() == block
    assert (decoder.missing, decoder.nb_frag_received) == (4, 6)


def test_a_saved_state_is_plain_and_compact() -> None:
    _, encoder, decoder = pair(10)
    feed(decoder, encoder, [1, 10, 12])
    decoder.feed(1, b"four")
    fragments = b"".join(encoder.fragments([1, 10]))
    assert decoder.save() == {
        "format": 1,
        "nb_frag": 10,
        "frag_size": 4,
        "variant": "v2",
        "max_lost": None,
        "max_checks": 64,
        "given_up": False,
        "solved": False,
        "received": base64.b64encode(bytes([1, 2])).decode(),
        "fragments": base64.b64encode(fragments).decode(),
        "coded": [12],
        "payloads": base64.b64encode(encoder.fragment(12)).decode(),
        "nb_frag_received": 4,
        "repeats": 0,
        "conflicts": 1,
        "seen": "",
        "disagreeing": "",
        "conflicting": base64.b64encode(bytes([2])).decode(),
    }
