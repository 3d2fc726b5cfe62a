from __future__ import annotations

import json
from pathlib import Path

import pytest

from lorafuota.fec.variant import ParityVariant
from lorafuota.losses import Losses, LossModel, Varied
from lorafuota.simulate import RankFleet
from tests.unit.cli.support import Outcome, call

SAMPLE = str(Path(__file__).parents[2] / "data" / "firmware" / "app-1.0.0.signed.bin")


def fleet(*options: str) -> Outcome:
    return call("simulate", SAMPLE, "--fleet", *options)


def test_the_table_shows_completion_against_redundancy() -> None:
    outcome = fleet("--devices", "300", "--loss", "0.2", "--seed", "4")
    assert (outcome.status, outcome.err) == (0, "")
    loss = Losses.independent(0.2)
    report = RankFleet(nb_frag=90, nb_coded=70, devices=300, loss=loss, seed=4).run()
    lines = outcome.out.splitlines()
    assert lines[:5] == [
        f"image    {SAMPLE}, 21,334 octets",
        "block    90 fragments of 239 octets, matrix v2; 70 coded",
        "loss     0.2 lost at random",
        "",
        "coded  redundancy  devices complete",
    ]
    rows = [line.split() for line in lines[5 : lines.index("", 5)]]
    assert len(rows) == 11
    for coded, redundancy, _, complete, share, _ in rows:
        assert int(complete) == report.complete_after(int(coded))
        assert abs(float(redundancy) - 100 * int(coded) / 90) < 0.06
        assert abs(float(share) - int(complete) / 3) < 0.001
    needed = [report.quantile(share) or 0 for share in (0.5, 0.99, 1)]
    assert (rows[0][3], rows[-1][0]) == ("0", str(needed[2] - 90))
    assert lines[-4:] == [
        f"coded for half of them: {needed[0] - 90}",
        f"coded for 99 % of them: {needed[1] - 90}",
        f"coded for all of them: {needed[2] - 90}",
        "300 of 300 devices complete",
    ]


def test_a_device_that_is_not_complete_ends_with_status_1() -> None:
    outcome = fleet("--devices", "100", "--loss", "0.3", "--redundancy", "0.4")
    assert (outcome.status, outcome.err) == (1, "")
    assert "coded for all of them: more than were sent" in outcome.out
    assert "of 100 devices complete" in outcome.out.splitlines()[-1]
    assert fleet("--loss", "0.9", "--redundancy", "0").status == 1


@pytest.mark.parametrize(
    ("options", "loss"),
    [
        (("--loss", "0.2"), Losses.independent(0.2)),
        (("--burst", "3"), Losses.bursty(0.1, burst=3)),
        (("--loss", "0.2", "--loss-deviation", "0.1"), Varied(mean=0.2, deviation=0.1)),
        (
            ("--burst", "2", "--loss-deviation", "0.05"),
            Varied(mean=0.1, deviation=0.05, burst=2.0),
        ),
    ],
)
def test_json_is_the_report_of_the_fleet_that_was_described(
    options: tuple[str, ...], loss: LossModel
) -> None:
    outcome = fleet("--devices", "50", "--redundancy", "1", "--version", "1", "--json", *options)
    report = RankFleet(
        nb_frag=90, nb_coded=90, devices=50, loss=loss, variant=ParityVariant.V1
    ).run()
    document = json.loads(outcome.out)
    assert (document.pop("image"), bool(document.pop("kernels"))) == (SAMPLE, True)
    assert document == json.loads(json.dumps(report.to_json()))
    assert outcome.status == (0 if report.complete == 50 else 1)


def test_more_workers_give_the_same() -> None:
    options = ("--devices", "2500", "--burst", "3", "--seed", "9")
    alone, shared = fleet(*options), fleet(*options, "--workers", "2")
    assert (shared.status, shared.out, shared.err) == (alone.status, alone.out, "")


def test_a_block_of_one_fragment_is_repeated(tmp_path: Path) -> None:
    small = tmp_path / "small.bin"
    small.write_bytes(b"x" * 100)
    outcome = call("simulate", str(small), "--fleet", "--devices", "40", "--loss", "0.3")
    assert (outcome.status, outcome.err) == (0, "")
    assert "repeats for all of them: " in outcome.out


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--late", "0.1"), "with --fleet nothing is sent and installed: only --devices, "),
        (("--shared-radio",), "with --fleet nothing"),
        (("--all",), "with --fleet nothing"),
        (("--key", "x.pem"), "with --fleet nothing"),
        (("--hardware", "0"), "with --fleet nothing"),
        (("--version", "mixed"), "with --fleet all devices have one matrix"),
        (("--workers", "0"), "simulate.workers = 0: expected int in 1..61"),
        (("--burst", "0.5"), "Losses.bursty.burst = 0.5"),
        (("--loss-deviation", "-1"), "Varied.deviation = -1.0"),
        (("--devices", "0"), "Scenario.devices = 0"),
    ],
)
def test_options_that_do_not_go_with_a_fleet_are_bad_input(
    options: tuple[str, ...], reason: str
) -> None:
    outcome = fleet(*options)
    assert (outcome.status, outcome.out) == (2, "")
    assert reason in outcome.err


@pytest.mark.parametrize("option", ["--workers", "--burst", "--loss-deviation"])
def test_options_of_a_fleet_need_a_fleet(option: str) -> None:
    outcome = call("simulate", SAMPLE, option, "1")
    assert (outcome.status, outcome.out) == (2, "")
    assert "--workers, --burst and --loss-deviation go with --fleet" in outcome.err
