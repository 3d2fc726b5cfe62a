from __future__ import annotations

import json
import pathlib
import types

import pytest

from lorafuota.plan import PlanRequest, make_plan
from tests.unit.cli.support import call

SAMPLE = pathlib.Path(__file__).parents[2] / "data" / "firmware" / "app-1.0.0.signed.bin"


def test_a_plan_of_the_sample_is_printed() -> None:
    shown = call("plan", str(SAMPLE), "--devices", "100")
    assert (shown.status, shown.err) == (0, "")
    lines = shown.out.splitlines()
    assert lines[0] == "image       21,334 octets for 100 devices"
    assert lines[1].startswith("block       90 fragments of 239 octets, 176 octets padding, and ")
    assert "the fleet   completes in the first pass with probability 0.99" in shown.out
    assert "EU868 DR5, 869.525 MHz, duty cycle 0.1; " in shown.out
    assert lines[-1] == "it can be sent"


def test_json_is_the_plan_and_nothing_else_is_printed() -> None:
    shown = call("plan", "--size", "10000", "--region", "US915", "--dr", "8", "--json")
    plan = make_plan(PlanRequest(image_octets=10_000, region="US915", dr=8))
    assert shown.status == 0
    assert json.loads(shown.out) == json.loads(json.dumps(plan.to_json()))


def test_what_cannot_be_sent_ends_with_status_1_and_says_why() -> None:
    shown = call("plan", "--size", "1000000", "--dr", "0")
    assert shown.status == 1
    assert "error: 1000000 octets are 20834 fragments of 48, and N has 14 bits" in shown.out
    assert "it can be sent" not in shown.out


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        (["--burst", "4", "--loss", "0.2"], "losses", "0.2 lost, in bursts of 4 frames"),
        (["--variant", "v1"], "variant", "v1"),
        (["--class", "B", "--periodicity", "4"], "window_class", "B"),
        (["--redundancy", "0.5"], "parity", 11),
        (["--flash-unit", "8"], "frag_size", 232),
        (["--repeater"], "frag_size", 219),
        (["--region", "AS923", "--dr", "3", "--dwell"], "frag_size", 50),
        (["--frequency", "868100000"], "sub_band", "M"),
        (["--duty-cycle", "0.01"], "spacing_seconds", 39.45),
        (["--gateways", "20", "--staggered"], "spacing_seconds", 7.89),
    ],
)
def test_options_reach_the_plan(arguments: list[str], field: str, value: object) -> None:
    shown = call("plan", "--size", "5000", *arguments, "--json")
    assert json.loads(shown.out)[field] == value


def test_currents_are_the_users() -> None:
    shown = call("plan", "--size", "5000", "--receive-ma", "36", "--volts", "2", "--json")
    energy = json.loads(shown.out)["energy"]["C"]
    assert energy["charge_mah"] == pytest.approx(energy["receive_seconds"] / 100)
    assert energy["joules"] == pytest.approx(energy["charge_mah"] * 7.2)


def test_a_hopping_class_b_plan_and_a_block_of_one_fragment_are_printed() -> None:
    shown = call("plan", "--size", "100", "--region", "US915", "--class", "B", "--devices", "2")
    assert shown.status == 0
    assert "US915 DR13, hopping, no duty cycle" in shown.out
    assert "repeats, matrix v2" in shown.out
    assert "note: no coded fragment helps a block of one fragment" in shown.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "give the firmware file, or --size, and not both"),
        ([str(SAMPLE), "--size", "3"], "give the firmware file, or --size, and not both"),
        (["--size", "0"], "PlanRequest.image_octets = 0"),
        (["--size", "9", "--loss", "1"], "loss = 1.0: expected 0 to less than 1"),
        (["--size", "9", "--dr", "9"], "PlanRequest.dr = 9: expected one for multicast in EU868"),
        (["nowhere.bin"], "nowhere.bin: No such file or directory"),
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str], sentence: str) -> None:
    shown = call("plan", *arguments)
    assert (shown.status, shown.out) == (2, "")
    assert sentence in shown.err
    assert shown.err.count("\n") == 1


def test_plots_are_drawn_and_the_same_every_time(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("matplotlib")
    drawn = []
    for name in ("one", "two"):
        directory = tmp_path / name
        arguments = ["--size", "72000", "--devices", "5", "--loss", "0.15"]
        assert call("plan", *arguments, "--plot", str(directory)).status == 0
        files = {file.name: file.read_text() for file in sorted(directory.iterdir())}
        assert list(files) == ["completion.svg", "timeline.svg"]
        drawn.append(files)
    assert drawn[0] == drawn[1]
    assert "0.15 lost at random" in drawn[0]["completion.svg"]
    assert "hours after the start" in drawn[0]["timeline.svg"]


def test_without_matplotlib_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    def missing(name: str) -> object:
        raise ImportError(name)

    without = types.SimpleNamespace(import_module=missing)
    monkeypatch.setattr("lorafuota.cli.plot.importlib", without)
    shown = call("plan", "--size", "100", "--plot", str(tmp_path))
    assert shown.status == 2
    assert "--plot needs matplotlib: pip install 'lorafuota[plot]' brings it" in shown.err


def test_a_block_that_cannot_be_numbered_is_not_plotted(tmp_path: pathlib.Path) -> None:
    shown = call("plan", "--size", "1000000", "--dr", "0", "--plot", str(tmp_path))
    assert shown.status == 2
    assert "20834 fragments are more than N can number: nothing to plot" in shown.err
