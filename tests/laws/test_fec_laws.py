"""Laws of the erasure code, held against a plain Gaussian elimination (promises R5, S11).

The oracle below is written from the standard and shares nothing with the library.  The everyday
run takes a few seconds; ``LORAFUOTA_LONG=1 pytest tests/laws/test_fec_laws.py`` runs 100,000
sessions of the first law and 20,000 examples of every other.
"""

from __future__ import annotations

import copy
import functools
import json
import pickle
import random
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lorafuota.errors import FieldError, IntegrityError, StateError
from lorafuota.fec.decoder import Fed, FragDecoder
from lorafuota.fec.diagnose import Verdict, fitting_variants
from lorafuota.fec.encoder import FragEncoder
from lorafuota.fec.matrix import parity_lines
from lorafuota.fec.variant import ParityVariant
from tests.support import LONG, Record

pytestmark = pytest.mark.usefixtures("kernels")
SESSIONS = 100_000 if LONG else 400
V1, V2, ANNEX = ParityVariant


# The oracle


@functools.lru_cache(maxsize=20_000)
def oracle_line(n: int, m: int, variant: ParityVariant) -> int:
    if n <= m:
        return 1 << (n - 1)
    x = 1 + 1001 * (n if variant is ANNEX else n - m)
    line = draws = 0
    while draws < m // 2:
        r = 1 << 16
        while r >= m:
            feedback = (x & 1) ^ (x >> 5 & 1)
            x = x // 2 + feedback * 2**22
            r = x % (m + 1 if m in (1, 2, 4, 8, 16, 32, 64, 128) else m)
        if variant is V1 or not line >> r & 1:
            draws += 1
        line |= 1 << r
    return line


class Oracle:
    """Rows [line | payload], reduced by their highest column; the payload is optional."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[int, int]] = {}
        self.contradictions = 0

    def add(self, line: int, payload: int = 0) -> bool:
        while line:
            top = line.bit_length() - 1
            if top not in self.rows:
                self.rows[top] = line, payload
                return True
            line ^= self.rows[top][0]
            payload ^= self.rows[top][1]
        self.contradictions += payload != 0
        return False

    @property
    def rank(self) -> int:
        return len(self.rows)


# Sessions


class Session(NamedTuple):
    """A block, and the numbers that arrive, in order, perhaps several times."""

    nb_frag: int
    frag_size: int
    variant: ParityVariant
    block: bytes
    arrivals: list[int]

    def encoder(self) -> FragEncoder:
        return FragEncoder(self.block, frag_size=self.frag_size, variant=self.variant)

    def decoder(self, **options: Any) -> FragDecoder:
        return FragDecoder(
            nb_frag=self.nb_frag, frag_size=self.frag_size, variant=self.variant, **options
        )


def session(seed: int) -> Session:
    chance = random.Random(seed)
    m = chance.choice([1, 2, 3, 4, 8, 16, 32, 64, *[chance.randint(1, 60) for _ in range(8)]])
    size = chance.randint(1, 6)
    plain = [n for n in range(1, m + 1) if chance.random() < chance.choice([0.0, 0.5, 0.8, 1.0])]
    first = m + 1 if chance.random() < 0.8 else chance.randint(m + 1, 16383 - 3 * m - 8)
    coded = chance.sample(range(first, first + 3 * m + 8), chance.randint(0, 2 * m + 8))
    arrivals = plain + coded + chance.sample(plain + coded, (len(plain) + len(coded)) // 4)
    if chance.random() < 0.6:
        chance.shuffle(arrivals)
    variant = chance.choice(list(ParityVariant))
    return Session(m, size, variant, chance.randbytes(m * size), arrivals)


sessions = st.integers(0, 2**32).map(session)


def observed(decoder: FragDecoder) -> dict[str, Any]:
    """Everything a user can see."""
    names = "rank missing complete received lost given_up nb_frag_received repeats conflicts checks"
    seen: dict[str, Any] = {name: getattr(decoder, name) for name in names.split()}
    return seen | {"check": decoder.check(), "save": decoder.save()}


def test_a_decoder_is_complete_exactly_when_the_rank_is_full(record_property: Record) -> None:
    """R5: never early, never late, never wrong."""
    finished = 0
    for seed in range(SESSIONS):
        case = session(seed)
        m, encoder, decoder, oracle = case.nb_frag, case.encoder(), case.decoder(), Oracle()
        before = m
        asks = seed % 3  # 0: everything each time; 1: only whether it is complete; 2: nothing
        for n in case.arrivals:
            late = oracle.rank == m
            fed = decoder.feed(n, encoder.fragment(n))
            assert fed is not Fed.AGREES, seed
            assert not late or fed in (Fed.ACCEPTED, Fed.DROPPED, Fed.REPEAT), seed
            assert fed is not Fed.DISAGREES, seed
            oracle.add(oracle_line(n, m, case.variant))
            if asks == 0:
                assert decoder.missing == m - oracle.rank <= before, seed
                before = decoder.missing
            if asks <= 1:
                assert decoder.complete is (oracle.rank == m), seed
        assert (decoder.rank, decoder.complete) == (oracle.rank, oracle.rank == m), seed
        assert decoder.check().ok, seed
        if decoder.complete:
            finished += 1
            assert decoder.block() == case.block, seed
        else:
            with pytest.raises(StateError):
                decoder.block()
    assert 0.3 < finished / SESSIONS < 0.95  # both outcomes were tried
    record_property("sessions", SESSIONS)
    record_property("of them complete", finished)


@given(sessions)
def test_lines_are_those_of_the_standard(case: Session) -> None:
    lines = parity_lines(case.arrivals, case.nb_frag, case.variant)
    assert [int(line.to01()[::-1], 2) for line in lines] == [
        oracle_line(n, case.nb_frag, case.variant) for n in case.arrivals
    ]


@given(sessions)
def test_a_fragment_is_the_xor_of_those_its_line_selects(case: Session) -> None:
    size = case.frag_size
    plain = [
        int.from_bytes(case.block[i : i + size], "big") for i in range(0, len(case.block), size)
    ]
    for n, fragment in zip(case.arrivals, case.encoder().fragments(case.arrivals), strict=True):
        line = oracle_line(n, case.nb_frag, case.variant)
        chosen = [value for i, value in enumerate(plain) if line >> i & 1]
        assert int.from_bytes(fragment, "big") == functools.reduce(int.__xor__, chosen, 0)


@given(sessions, st.randoms())
def test_order_and_repetition_do_not_matter(case: Session, chance: random.Random) -> None:
    encoder, first, second = case.encoder(), case.decoder(), case.decoder()
    shuffled = case.arrivals + chance.choices(case.arrivals or [1], k=0 if not case.arrivals else 5)
    chance.shuffle(shuffled)
    for decoder, numbers in ((first, case.arrivals), (second, shuffled)):
        for n in numbers:
            decoder.feed(n, encoder.fragment(n))
    assert (first.missing, first.complete) == (second.missing, second.complete)
    assert first.check() == second.check()
    if first.complete:
        assert first.block() == second.block() == case.block


QUESTIONS = ["rank", "missing", "complete", "received", "lost", "given_up", "nb_frag_received"]
QUESTIONS += ["repeats", "conflicts", "checks"]


def answers(decoder: FragDecoder) -> list[Any]:
    """Everything that can be asked without having the block rebuilt."""
    return [getattr(decoder, name) for name in QUESTIONS]


@given(sessions, st.randoms(), st.sampled_from([0, 3, 64]))
def test_asking_changes_nothing(case: Session, chance: random.Random, most: int) -> None:
    silent, asked = case.decoder(max_checks=most), case.decoder(max_checks=most)
    fed: tuple[list[Fed], list[Fed]] = [], []
    for n, payload in damaged(case, chance):
        fed[0].append(silent.feed(n, payload))
        fed[1].append(asked.feed(n, payload))
        answers(asked)
        if not asked.complete:
            observed(asked)
    assert fed[0] == fed[1]
    assert observed(silent) == observed(asked)


@given(sessions, st.randoms(), st.sampled_from([0, 3, 200]))
def test_a_block_rebuilt_early_is_the_same_and_compares_more(
    case: Session, chance: random.Random, most: int
) -> None:
    """What a decoder says depends on what was fed, but for what :meth:`FragDecoder.feed` names."""
    silent, asked = case.decoder(max_checks=most), case.decoder(max_checks=most)
    seen: set[int] = set()
    for n, payload in damaged(case, chance):
        late = asked.complete
        one, other = silent.feed(n, payload), asked.feed(n, payload)
        observed(asked)
        if not late or one in (Fed.REPEAT, Fed.CONFLICT):
            assert one is other or (late and {one, other} == {Fed.REPEAT, Fed.CONFLICT})
        elif n not in seen:
            assert one in (Fed.ACCEPTED, Fed.DROPPED)
            assert other in (Fed.AGREES, Fed.DISAGREES)
            assert one is Fed.ACCEPTED or silent.checks >= most
        seen.add(n)
    first, second = observed(silent), observed(asked)
    for name in ("rank", "missing", "complete", "received", "lost", "given_up"):
        assert first[name] == second[name]
    assert silent.nb_frag_received == asked.nb_frag_received
    assert silent.checks <= asked.checks
    assert set(first["check"].disagreeing) <= set(second["check"].disagreeing)
    if silent.complete:
        assert silent.block_despite_disagreement() == asked.block_despite_disagreement()


@given(sessions, st.integers(0, 5))
def test_no_more_than_max_checks_spare_fragments_are_held(case: Session, most: int) -> None:
    encoder, decoder, oracle = case.encoder(), case.decoder(max_checks=most), Oracle()
    for n in case.arrivals:
        decoder.feed(n, encoder.fragment(n))
        oracle.add(oracle_line(n, case.nb_frag, case.variant))
        assert decoder.missing == case.nb_frag - oracle.rank
        coded = decoder.save()["coded"]
        assert isinstance(coded, list)
        assert len(coded) <= case.nb_frag + most
    assert decoder.check().ok
    if decoder.complete:
        assert decoder.block() == case.block


# Saving


def damaged(case: Session, chance: random.Random) -> list[tuple[int, bytes]]:
    """What arrives when one in ten fragments is not what was sent."""
    encoder = case.encoder()
    return [
        (n, chance.randbytes(case.frag_size) if chance.random() < 0.1 else encoder.fragment(n))
        for n in case.arrivals
    ]


@given(
    sessions, st.randoms(), st.data(), st.sampled_from([None, 0, 5]), st.sampled_from([0, 2, 64])
)
def test_a_decoder_saved_at_any_point_goes_on_the_same(
    case: Session,
    chance: random.Random,
    data: st.DataObject,
    max_lost: int | None,
    max_checks: int,
) -> None:
    arrivals = damaged(case, chance)
    cut = data.draw(st.integers(0, len(arrivals)))
    straight = case.decoder(max_lost=max_lost, max_checks=max_checks)
    for n, payload in arrivals[:cut]:
        straight.feed(n, payload)
    if data.draw(st.booleans()):
        straight.check()
    others = [
        FragDecoder.restore(json.loads(json.dumps(straight.save()))),
        pickle.loads(pickle.dumps(straight)),
        copy.deepcopy(straight),
    ]
    for decoder in others:
        assert decoder.save() == straight.save()
    expected = [straight.feed(n, payload) for n, payload in arrivals[cut:]]
    for decoder in others:
        assert [decoder.feed(n, payload) for n, payload in arrivals[cut:]] == expected
        assert observed(decoder) == observed(straight)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**15) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def near(value: object) -> st.SearchStrategy[object]:
    """Values that look like *value*: a state only a little wrong gets further."""
    if isinstance(value, int):
        return st.sampled_from([not value, value + 1, value - 1, 2 * value])
    if isinstance(value, list):
        return st.sampled_from([value[1:], value[::-1], [*value, 16383]])
    if isinstance(value, str):
        return st.sampled_from(["AAAA", "AQ==", "/w==", value[:-4], value + "AAAA"])
    return st.nothing()


@given(sessions, st.randoms(), st.data())
def test_a_state_changed_at_will_is_refused_or_makes_a_decoder_that_works(
    case: Session, chance: random.Random, data: st.DataObject
) -> None:
    decoder = case.decoder(max_lost=data.draw(st.sampled_from([None, 3])), max_checks=2)
    for n, payload in damaged(case, chance):
        decoder.feed(n, payload)
    if data.draw(st.booleans()):
        decoder.check()
    state: dict[str, object] = {**decoder.save()}
    for field in data.draw(st.lists(st.sampled_from(sorted(state)), min_size=1, max_size=3)):
        state[field] = data.draw(json_values | near(state[field]))
    try:
        restored = FragDecoder.restore(state)
    except FieldError:
        return
    assert observed(FragDecoder.restore(restored.save())) == observed(restored)
    for n, payload in damaged(case, chance)[:10]:
        if len(payload) == restored.frag_size:
            restored.feed(n, payload)
    restored.check()
    if restored.complete:
        restored.block_despite_disagreement()


# Wrong fragments and wrong variants


@given(sessions, st.randoms(), st.sampled_from(ParityVariant))
def test_checks_find_every_contradiction_there_is(
    case: Session, chance: random.Random, assumed: ParityVariant
) -> None:
    """S11: a set of fragments passes exactly when some block explains it all.

    Whatever is damaged and whatever variant is assumed; distinct numbers, so no conflicts.
    """
    arrivals = list(dict(damaged(case, chance)).items())
    decoder = FragDecoder(
        nb_frag=case.nb_frag, frag_size=case.frag_size, variant=assumed, max_checks=16383
    )
    oracle = Oracle()
    for n, payload in arrivals:
        decoder.feed(n, payload)
        oracle.add(oracle_line(n, case.nb_frag, assumed), int.from_bytes(payload, "big"))
    result = decoder.check()
    assert result.checked == len(arrivals) - oracle.rank
    assert result.ok is (oracle.contradictions == 0)
    assert set(result.disagreeing) <= {n for n, _ in arrivals}
    if oracle.rank == case.nb_frag and oracle.contradictions:
        with pytest.raises(IntegrityError):
            decoder.block()
    fit = fitting_variants(arrivals, nb_frag=case.nb_frag, frag_size=case.frag_size)[assumed]
    assert (fit.checked, fit.disagreeing) == (result.checked, result.disagreeing)
    assert (fit.verdict is Verdict.CONTRADICTED) is (oracle.contradictions > 0)


@given(st.integers(0, 2**32), st.integers(64, 150), st.permutations(list(ParityVariant)))
def test_the_wrong_variant_never_returns_a_block_silently(
    seed: int, m: int, order: list[ParityVariant]
) -> None:
    chance = random.Random(seed)
    right, wrong = order[:2]
    block = chance.randbytes(m * 8)
    encoder = FragEncoder(block, frag_size=8, variant=right)
    decoder = FragDecoder(nb_frag=m, frag_size=8, variant=wrong)
    numbers = [n for n in range(1, m + 1) if chance.random() < 0.7] + list(range(m + 1, 2 * m + 9))
    for n in numbers:
        decoder.feed(n, encoder.fragment(n))
    assert decoder.check().disagreeing != ()
    with pytest.raises((IntegrityError, StateError)):
        decoder.block()


@given(st.integers(0, 2**32), st.integers(20, 80), st.sampled_from(ParityVariant))
def test_one_forged_fragment_among_spare_ones_is_noticed(
    seed: int, m: int, variant: ParityVariant
) -> None:
    chance = random.Random(seed)
    block = chance.randbytes(m * 4)
    encoder = FragEncoder(block, frag_size=4, variant=variant)
    decoder = FragDecoder(nb_frag=m, frag_size=4, variant=variant, max_checks=16383)
    numbers = chance.sample(range(1, 2 * m), m // 2) + list(range(2 * m, 3 * m + 30))
    chance.shuffle(numbers)
    forged = chance.choice(numbers)
    others = FragDecoder(nb_frag=m, frag_size=4, variant=variant)
    for n in numbers:
        payload = encoder.fragment(n)
        decoder.feed(n, payload if n != forged else bytes([payload[0] ^ 1]) + payload[1:])
        if n != forged:
            others.feed(n, payload)
    # A fragment without which the block is incomplete has nothing to contradict it: where all coded
    # fragments have even weight, that is a single plain one.
    assume(others.complete)
    with pytest.raises(IntegrityError):
        decoder.block()
