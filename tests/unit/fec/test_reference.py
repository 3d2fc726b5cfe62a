from itertools import pairwise
from typing import Any

import pytest

from lorafuota.fec import _reference
from tests.support import vectors

VECTORS = vectors("ts004")


@pytest.mark.parametrize("vector", VECTORS["prbs23"], ids=lambda v: str(v["name"]))
def test_the_generator_runs_like_the_one_on_devices(vector: dict[str, Any]) -> None:
    states = [vector["seed"], *vector["next"]]
    assert [_reference.prbs23(x) for x in states[:-1]] == states[1:]
    assert len(list(pairwise(states))) >= 4


def test_a_basis_is_as_large_as_its_rows_of_whole_words() -> None:
    assert [_reference.basis_octets(n) for n in (0, 1, 64, 65)] == [0, 8, 512, 1040]


def test_rank_add_tells_which_lines_raise_the_rank() -> None:
    basis = bytearray(_reference.basis_octets(4))
    missing = bytes([0b1111])
    # v1, M = 4: unit lines 2 and 4, line 2 again, then coded lines against what is left
    assert _reference.rank_add(
        basis, missing, 4, _reference.lines(4, [2, 4, 2, 5, 6, 7, 8], 0)
    ) == bytes([1, 1, 0, *_expected_after_2_and_4([5, 6, 7, 8])])


def _expected_after_2_and_4(numbers: list[int]) -> list[int]:
    lines = _reference.lines(4, numbers, 0)
    seen: set[int] = set()
    added = []
    for line in lines:
        rest = line & 0b0101  # columns 2 and 4 are known
        new = bool(rest) and rest not in seen and len(seen) < 2
        added.append(int(new))
        if new:
            seen.add(rest)
    return added


def test_lines_of_nothing_missing_add_nothing() -> None:
    assert _reference.rank_add(bytearray(), b"\0", 4, b"\x0a\1") == b"\0\0"


def test_solving_with_dependent_lines_is_refused_and_not_answered_wrongly() -> None:
    with pytest.raises(ValueError, match="rank 1 for 2 missing fragments"):
        _reference.solve(bytes(3), b"\x03", 1, 3, b"\1\1", b"aa")


def test_unit_lines_solve_to_their_own_payload() -> None:
    assert _reference.solve(b"\0\0c", b"\x03", 1, 3, b"\2\1", b"ba") == b"ab"


def test_a_device_is_complete_when_the_rank_is_full_and_not_before() -> None:
    lines = bytes([0b0011, 0b0011, 0b0110, 0b1000])
    heard = [0b0000_1111, 0b0001_1110, 0b0110_1001, 0b0111_1001, 0b1100_0001, 0b1111_0000]
    answers = _reference.completions(4, 4, lines, bytes(heard))
    assert list(answers[::2]) == [4, 5, 7, 7, 0, 0]
