from __future__ import annotations

import dataclasses
import importlib
import itertools
import json
import multiprocessing
import random
from array import array
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

from lorafuota.errors import FieldError
from lorafuota.fec.decoder import FragDecoder
from lorafuota.fec.variant import ParityVariant
from lorafuota.losses import Losses, LossModel, Varied
from lorafuota.simulate.rank import RankFleet, RankReport, rank_devices

LOSSES: list[LossModel] = [
    Losses.independent(0.15),
    Losses.bursty(0.15, burst=4),
    Varied(mean=0.15, deviation=0.05, burst=3.0),
]
FLEET = RankFleet(nb_frag=40, nb_coded=30, devices=530, loss=LOSSES[2], seed=11)


class Recorder(Executor):
    """Does the work when its result is asked for; counts what waits."""

    def __init__(self, fails_at: int = -1) -> None:
        self.futures: list[Future[Any]] = []
        self.waiting = self.most = 0
        self.fails_at = fails_at

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        recorder, number = self, len(self.futures)

        class Lazy(Future[Any]):
            def result(self, timeout: float | None = None) -> Any:
                recorder.waiting -= 1
                if number == recorder.fails_at:
                    raise OSError("the worker died")
                return fn(*args, **kwargs)

        self.futures.append(Lazy())
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        return self.futures[-1]


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("variant", ParityVariant)
def test_a_device_is_complete_when_a_decoder_that_hears_the_same_is(
    variant: ParityVariant, loss: LossModel
) -> None:
    fleet = RankFleet(nb_frag=20, nb_coded=15, devices=40, loss=loss, variant=variant, seed=3)
    expected = []
    for device in range(40):
        lost = loss.lost(35, random.Random(f"3/rank/{device}"))
        decoder, last = FragDecoder(nb_frag=20, frag_size=1, variant=variant), 0
        for n in range(1, 36):
            if not lost >> (n - 1) & 1 and not decoder.complete:
                decoder.feed(n, b"\0")
                last = n
        expected.append(last if decoder.complete else 0)
    assert fleet.run().numbers.tolist() == expected
    assert 0 in expected or loss is LOSSES[0]


@pytest.mark.parametrize("piece", [1, 7, 250, 251, 530, 10_000])
def test_pieces_of_any_size_give_the_same(piece: int) -> None:
    assert FLEET.run(piece=piece) == FLEET.run()


def test_a_larger_fleet_begins_with_the_same_devices_and_another_seed_has_others() -> None:
    numbers = FLEET.run().numbers
    assert dataclasses.replace(FLEET, devices=100).run().numbers == numbers[:100]
    assert dataclasses.replace(FLEET, seed=12).run().numbers != numbers


def test_threads_give_the_same_whatever_their_number() -> None:
    for workers in (1, 2, 5):
        with ThreadPoolExecutor(workers) as pool:
            assert FLEET.run(executor=pool, piece=50) == FLEET.run()


def test_processes_give_the_same() -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert FLEET.run(executor=pool, piece=100, ahead=3) == FLEET.run()


def test_dask_gives_the_same() -> None:
    pytest.importorskip("distributed", reason="distributed is not installed (extra: dask)")
    distributed: Any = importlib.import_module("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
        client.get_executor() as executor,
    ):
        done: list[int] = []
        assert FLEET.run(executor=executor, piece=100, watch=done.append) == FLEET.run()
    assert done == [100, 200, 300, 400, 500, 530]


def test_progress_is_told_after_every_piece() -> None:
    for executor in (None, Recorder()):
        done: list[int] = []
        FLEET.run(executor=executor, piece=200, watch=done.append)
        assert done == [200, 400, 530]


@pytest.mark.parametrize("ahead", [1, 4])
def test_no_more_pieces_wait_than_were_allowed(ahead: int) -> None:
    recorder = Recorder()
    assert FLEET.run(executor=recorder, piece=10, ahead=ahead) == FLEET.run()
    assert (len(recorder.futures), recorder.most) == (53, ahead)


def test_what_a_worker_raises_is_raised_and_what_waits_is_cancelled() -> None:
    recorder = Recorder(fails_at=2)
    with pytest.raises(OSError, match="the worker died"):
        FLEET.run(executor=recorder, piece=10, ahead=5)
    assert [one.cancelled() for one in recorder.futures] == [False] * 3 + [True] * 4


def test_a_progress_that_raises_ends_the_run_too() -> None:
    recorder = Recorder()

    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FLEET.run(executor=recorder, piece=10, ahead=5, watch=stop)
    assert [one.cancelled() for one in recorder.futures] == [False] + [True] * 4


def test_a_block_of_one_fragment_is_repeated_until_one_is_heard() -> None:
    fleet = RankFleet(nb_frag=1, nb_coded=5, devices=200, loss=Losses.independent(0.5), seed=2)
    expected = []
    for device in range(200):
        lost = fleet.loss.lost(6, random.Random(f"2/rank/{device}"))
        expected.append(next((n for n in range(1, 7) if not lost >> (n - 1) & 1), 0))
    assert fleet.run().numbers.tolist() == expected


def test_without_loss_nobody_needs_a_coded_fragment() -> None:
    report = RankFleet(nb_frag=30, nb_coded=0, devices=9, loss=Losses.independent(0)).run()
    assert (report.histogram, report.complete, report.quantile(1)) == ({30: 9}, 9, 30)


def report(*numbers: int) -> RankReport:
    fleet = RankFleet(nb_frag=10, nb_coded=10, devices=len(numbers))
    return RankReport(fleet, array("H", numbers))


def test_the_report_counts_devices_and_shares() -> None:
    found = report(12, 10, 0, 15, 12)
    assert [found.completed_by(device) for device in range(5)] == [12, 10, None, 15, 12]
    assert found.histogram == {10: 1, 12: 2, 15: 1}
    assert [found.complete_after(nb) for nb in (0, 1, 2, 4, 5, 10)] == [1, 1, 3, 3, 4, 4]
    assert found.complete == 4
    shares = (1e-9, 0.2, 0.21, 0.6, 0.61, 0.8, 0.81, 1)
    assert [found.quantile(share) for share in shares] == [10, 10, 12, 12, 15, 15, None, None]


def test_a_share_means_so_many_devices_however_it_is_rounded() -> None:
    fleet = RankFleet(nb_frag=1, nb_coded=99, devices=100)
    found = RankReport(fleet, array("H", range(1, 101)))
    assert [found.quantile(n / 100) for n in range(1, 101)] == list(range(1, 101))
    assert found.quantile(0.071) == 8


def test_a_report_of_nobody_complete_has_no_quantile() -> None:
    found = report(0, 0)
    assert (found.histogram, found.complete, found.quantile(0.5)) == ({}, 0, None)


def test_json_holds_fleet_quantiles_and_histogram() -> None:
    document = report(12, 10, 0, 15, 12).to_json()
    assert json.loads(json.dumps(document)) == {
        "nb_frag": 10,
        "nb_coded": 10,
        "devices": 5,
        "loss": "0.1 lost at random",
        "variant": "v2",
        "seed": 0,
        "complete": 4,
        "quantiles": [
            [0.01, 10],
            [0.1, 10],
            [0.5, 12],
            *[[share, None] for share in (0.9, 0.99, 0.999, 0.9999, 1.0)],
        ],
        "histogram": [[10, 1], [12, 2], [15, 1]],
    }


def test_pieces_in_any_order_make_the_report() -> None:
    edges = [0, 3, 260, 530]
    parts = [rank_devices(FLEET, *pair) for pair in reversed(list(itertools.pairwise(edges)))]
    assert RankReport(FLEET, parts[2] + parts[1] + parts[0]) == FLEET.run()
    assert rank_devices(FLEET, 5, 5) == array("H")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("nb_frag", 0),
        ("nb_frag", 16384),
        ("nb_coded", -1),
        ("nb_coded", 16384 - 40),
        ("devices", 0),
        ("devices", True),
        ("seed", 1.5),
        ("loss", 0.1),
        ("variant", "v2"),
    ],
)
def test_fleets_that_cannot_be_are_refused(field: str, value: object) -> None:
    changes: Any = {field: value}
    with pytest.raises(FieldError, match=rf"RankFleet\.{field} = "):
        dataclasses.replace(FLEET, **changes)


def test_questions_that_make_no_sense_are_refused() -> None:
    found = report(12, 10)
    for run, field in (
        (lambda: FLEET.run(piece=0), "run.piece"),
        (lambda: FLEET.run(ahead=0), "run.ahead"),
        (lambda: rank_devices(FLEET, 0, 531), "end"),
        (lambda: rank_devices(FLEET, 6, 5), "first"),
        (lambda: found.completed_by(2), "device"),
        (lambda: found.complete_after(11), "nb_coded"),
        (lambda: found.quantile(0), "share"),
        (lambda: RankReport(FLEET, array("H")), "numbers"),
    ):
        with pytest.raises(FieldError, match=field):
            run()
