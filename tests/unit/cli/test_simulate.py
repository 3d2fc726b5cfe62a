from __future__ import annotations

import hashlib
import json
import pathlib

import pytest

from lorafuota.cli import main
from lorafuota.cli.simulate import duration
from tests.unit.image.support import HARDWARE, NEW, OLD, delta, image

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
    assert "outcome  3 integrity ok" in lines


def test_json_holds_every_device_and_nothing_else_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--devices", "2", "--loss", "0.3", "--version", "1", "--lorawan", "1.1", "--json"]
    assert main(["simulate", str(SAMPLE), *arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["success"] is True
    assert report["kinds"] == {"v1": 2}
    assert report["outcomes"] == {"transport complete": 2}
    assert [one["sha256"] for one in report["results"]] == [report["image_sha256"]] * 2
    assert report["kernels"]


def test_the_open_loop_leaves_devices_incomplete_and_ends_with_status_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--loss", "0.4", "--redundancy", "0.2", "--rounds", "0"]
    assert main(["simulate", str(SAMPLE), *arguments]) == 1
    shown = capsys.readouterr().out
    assert "not enough fragments" in shown
    assert shown.splitlines()[-1] == "0 of 1 device rebuilt the image"
    assert main(["simulate", str(SAMPLE), *arguments[:-2]]) == 0
    assert "repair round" in capsys.readouterr().out


def test_a_mixed_fleet_shows_kinds_and_groups(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--devices", "4", "--version", "mixed", "--lorawan", "mixed"]
    assert main(["simulate", str(SAMPLE), *arguments]) == 0
    shown = capsys.readouterr().out
    assert "fleet    4 devices (2 v1, 2 v2)" in shown
    assert "group v1 2 devices" in shown
    assert "outcome  2 transport complete, 2 integrity ok" in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ["--profile", "renesas", "--profile", "Zephyr 2025=2", "--devices", "3"],
        ["--unicast", "0.5", "--devices", "2"],
        ["--class", "B", "--periodicity", "1"],
        ["--uplink-every", "600", "--uplink-loss", "0.1"],
        ["--clock-error", "120", "--delay", "2", "--repeat", "0.1"],
        ["--late", "0.5", "--reboot", "0.5", "--devices", "4"],
        ["--confirm", "0x01020000"],
        ["--shared-radio", "--devices", "3"],
    ],
)
def test_fleets_of_every_sort_are_served(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", str(SAMPLE), *arguments]) == 0
    assert "rebuilt the image" in capsys.readouterr().out


def test_what_the_campaign_thinks_is_shown_where_it_is_less_than_the_truth(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--devices", "4", "--vanish", "0.25", "--seed", "2"]
    assert main(["simulate", str(SAMPLE), *arguments]) in (0, 1)
    shown = capsys.readouterr().out
    assert "1 no answer" in shown
    assert "vanished; no answer" in shown or "MIC ok; no answer" in shown


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
    ("seconds", "text"),
    [
        (1.24, "1.2 s"),
        (59.6, "1 min 00 s"),
        (3599.4, "59 min 59 s"),
        (3600.0, "1 h 00 min"),
        (90_000.0, "1 d 01 h"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_sample_output_in_the_readme_is_what_it_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines left out there are a line of dots."""
    root = pathlib.Path(__file__).parents[3]
    monkeypatch.chdir(root)
    readme = (root / "README.md").read_text("utf-8")
    sample = readme[readme.index("```text\nimage ") :].split("```")[1].splitlines()[1:]
    image = "tests/data/firmware/app-1.0.0.signed.bin"
    assert main(["simulate", image, "--devices", "20", "--loss", "0.2"]) == 0
    printed = capsys.readouterr().out.splitlines()
    dots = sample.index("...")
    assert printed[:dots] == sample[:dots]
    assert printed[dots - len(sample) + 1 :] == sample[dots + 1 :]


ED25519 = SAMPLE.with_name("test-only-ed25519.pem")
ECDSA = SAMPLE.with_name("test-only-ecdsa-p256.pem")


@pytest.mark.parametrize(
    ("options", "outcome"),
    [
        (["--key", str(ECDSA)], "2 installed and confirmed"),
        (["--key", str(ED25519)], "2 image corrupt or signature wrong"),
        (["--key", str(ECDSA), "--hardware", "7"], "2 image for other hardware"),
        (["--key", str(ECDSA), "--running", "1.0.0"], "2 image corrupt or signature wrong"),
    ],
)
def test_a_signed_image_is_checked_and_installed_with_a_key(
    options: list[str], outcome: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["simulate", str(SAMPLE), "--devices", "2", *options])
    assert status == (0 if outcome.endswith("confirmed") else 1)
    assert f"outcome  {outcome}" in capsys.readouterr().out.splitlines()


def test_a_signed_delta_is_applied_to_the_base_and_installed(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, path = (str(tmp_path / name) for name in ("old", "new", "delta"))
    for file, octets in ((old, image(OLD)), (new, image(NEW)), (path, delta())):
        pathlib.Path(file).write_bytes(octets)
    gate = ["--running", "1.0.0", "--key", str(ED25519), "--hardware", hex(HARDWARE)]
    common = ["simulate", path, "--devices", "2", *gate]
    assert main([*common, "--base", old]) == 0
    assert "outcome  2 installed and confirmed" in capsys.readouterr().out.splitlines()
    assert main([*common, "--base", new]) == 1
    assert "outcome  2 image corrupt or signature wrong" in capsys.readouterr().out.splitlines()


def test_devices_that_do_not_run_the_base_are_left_out(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, path = tmp_path / "old", tmp_path / "delta"
    old.write_bytes(image(OLD))
    path.write_bytes(delta())
    gate = ["--key", str(ED25519), "--hardware", hex(HARDWARE), "--base", str(old)]
    assert main(["simulate", str(path), *gate, "--running", "0.9.0", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["outcomes"] == {"another firmware than the delta starts from": 1}
    assert report["frames"] == 0


def test_what_goes_with_a_key_needs_one_and_a_key_needs_a_signed_image(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["simulate", str(SAMPLE), "--hardware", "7"]) == 2
    assert "go with --key" in capsys.readouterr().err
    program = str(SAMPLE.with_name("app-1.0.0.raw.bin"))
    assert main(["simulate", program, "--key", str(ECDSA)]) == 2
    assert "the image is not signed: image: neither an MCUboot image" in capsys.readouterr().err
