from __future__ import annotations

from lorafuota.dissect.fragmentruns import FragmentRun, ranges_of
from lorafuota.fragmentation.v1 import DataFragment


def run(*numbers: int, nb_frag: int | None = None, size: int = 3) -> FragmentRun:
    made = FragmentRun(line=1, owner="x", frag_index=0, nb_frag=nb_frag)
    for i, n in enumerate(numbers):
        made.add(DataFragment(n=n, frag_index=0, payload=bytes(size)), 100.0 + i)
    return made


def test_a_run_says_what_is_there_and_what_is_missing() -> None:
    one = run(1, 2, 3, 7, 9, 10, nb_frag=9)
    assert one.gaps == [(4, 6), (8, 8)]
    assert one.sentence() == (
        "6 fragments, N 1 to 10, 5 plain and 1 coded, missing 4 to 6, 8, 3 octets"
    )
    assert (one.first_time, one.last_time) == (100.0, 105.0)


def test_repeats_and_order_are_said() -> None:
    assert run(5).sentence() == "1 fragment, N 5, no gap, 3 octets"
    assert run(1, 2, 2, 1).sentence() == (
        "4 fragments, N 1 to 2, no gap, 2 repeated, out of order, 3 octets"
    )
    assert run(1, 1).in_order


def test_sizes_that_do_not_fit_are_odd() -> None:
    one = run(1, 2)
    assert one.odd() == []
    one.frag_size = 4
    assert one.odd() == ["2 fragments of 3 octets, but FragSize is 4"]
    one.frag_size = None
    one.add(DataFragment(n=3, frag_index=0, payload=b""), None)
    assert one.odd() == ["fragments of different sizes: 0, 3 octets"]
    assert one.last_time == 101.0


def test_json_has_the_gaps_as_pairs() -> None:
    assert run(1, 4, 4).to_json() == {
        "line": 1,
        "fragments": 3,
        "owner": "x",
        "session": "",
        "frag_index": 0,
        "lowest": 1,
        "highest": 4,
        "gaps": [[2, 3]],
        "repeats": 1,
        "in_order": True,
        "sizes": {"3": 3},
        "first_time": 100.0,
        "last_time": 102.0,
        "anomalies": [],
    }


def test_many_ranges_are_cut_short() -> None:
    assert ranges_of([(i, i) for i in range(1, 31, 2)]) == (
        "1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23 and 3 more"
    )
