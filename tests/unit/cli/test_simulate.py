from __future__ import annotations

import hashlib
import json
import pathlib

import pytest

from lorafuota.cli import main

SAMPLE = pathlib.Path(__file__).parents[2] / "data" / "firmware" / "app-1.0.0.signed.bin"


def test_the_sample_reaches_the_fleet(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["simulate", str(SAMPLE), "--devices", "3", "--loss", "0.2", "--seed", "7"])
    shown = capsys.readouterr()
    assert status == 0
    assert shown.err == ""
    lines = shown.out.splitlines()
    assert lines[1].split() == ["SHA-256", hashlib.sha256(SAMPLE.read_bytes()).hexdigest()]
    assert lines[-1] == "3 of 3 devices rebuilt the image"
    assert sum("equal    MIC ok" in line for line in lines) == 3


def test_json_holds_every_device_and_nothing_else_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--devices", "2", "--loss", "0.3", "--version", "1", "--lorawan", "1.1", "--json"]
    assert main(["simulate", str(SAMPLE), *arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["success"] is True
    assert report["parity_variant"] == "v1"
    assert [one["sha256"] for one in report["results"]] == [report["image_sha256"]] * 2
    assert report["kernels"]


def test_a_device_that_stays_incomplete_ends_with_status_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["simulate", str(SAMPLE), "--loss", "0.4", "--redundancy", "0.2"]) == 1
    shown = capsys.readouterr().out
    assert "not enough fragments" in shown
    assert shown.splitlines()[-1] == "0 of 1 device rebuilt the image"


def test_only_the_worst_devices_are_shown_unless_all_are_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["simulate", str(SAMPLE), "--devices", "25", "--loss", "0"]
    assert main(arguments) == 0
    assert "(the worst 20 of 25; --all shows every device)" in capsys.readouterr().out
    assert main([*arguments, "--all"]) == 0
    assert capsys.readouterr().out.count("MIC ok") == 25


def test_a_block_of_one_fragment_is_repeated(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = tmp_path / "small.bin"
    small.write_bytes(b"x" * 100)
    assert main(["simulate", str(small), "--loss", "0.3"]) == 0
    assert "more repeats" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing.bin"], "missing.bin: No such file or directory"),
        (["."], "Is a directory"),
        (["empty.bin"], "empty.bin is empty"),
        (["huge.bin"], "no block holds more than 4177665"),
        (["big.bin", "--dr", "0"], "expected 1..786384 octets (16383 fragments of 48)"),
        (["fine.bin", "--dr", "0", "--frag-size", "49"], "expected 1..48 octets at EU868 DR0"),
        (["fine.bin", "--dr", "12"], "a rate for multicast in EU868"),
        (["fine.bin", "--loss", "1.5"], "loss = 1.5"),
        (["fine.bin", "--loss", "much"], "invalid float value"),
        (["fine.bin", "--devices", "0"], "devices = 0"),
        (["fine.bin", "--version", "3"], "invalid choice"),
        (["fine.bin", "--region", "MARS"], "invalid choice"),
        (["fine.bin", "--redundancy", "1e9"], "redundancy = 1000000000.0"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(
    arguments: list[str],
    sentence: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, size in (("empty", 0), ("fine", 1000), ("big", 800_000), ("huge", 5_000_001)):
        (tmp_path / f"{name}.bin").write_bytes(bytes(size))
    assert main(["simulate", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err.startswith("lorafuota simulate: ")
    assert sentence in shown.err
