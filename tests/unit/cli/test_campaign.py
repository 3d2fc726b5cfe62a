from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from lorafuota.campaign import SqliteStore
from lorafuota.cli import main
from tests.unit.image.support import FIRMWARE, HARDWARE, NEW, OLD, PEM, delta, image

SAMPLE = pathlib.Path(__file__).parents[2] / "data" / "firmware" / "app-1.0.0.signed.bin"
KEY = FIRMWARE / PEM["ed25519"]
FLEET = ["--devices", "5", "--loss", "0.2", "--version", "mixed", "--redundancy", "0.15"]


@pytest.fixture
def store(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "update.campaign"


@pytest.fixture
def begun(store: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> pathlib.Path:
    """A campaign that stands in the middle of its windows."""
    assert main(["campaign", "run", str(store), str(SAMPLE), *FLEET, "--steps", "150"]) == 0
    assert capsys.readouterr().out.startswith("running, ")
    return store


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    main(["campaign", *arguments, "--json"])
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_a_campaign_runs_to_its_end_and_reports(
    store: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["campaign", "run", str(store), str(SAMPLE), *FLEET]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[-1] == "5 of 5 devices rebuilt the image"
    assert main(["campaign", "report", str(store)]) == 0
    again = capsys.readouterr().out
    assert again.splitlines()[-1] == "5 of 5 devices rebuilt the image"
    assert main(["campaign", "run", str(store)]) == 0  # there is nothing left to do
    capsys.readouterr()
    report = document(capsys, "report", str(store))
    assert (report["phase"], report["success"], report["devices_known"]) == ("ended", True, 5)


def test_a_campaign_goes_on_where_it_was_stopped(
    begun: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = document(capsys, "status", str(begun))
    assert before["phase"] == "running"
    assert main(["campaign", "run", str(begun), "--until", "1s"]) == 0  # long past: nothing happens
    capsys.readouterr()
    assert document(capsys, "status", str(begun)) == before
    assert main(["campaign", "run", str(begun), str(SAMPLE)]) == 0
    assert "5 of 5 devices rebuilt the image" in capsys.readouterr().out


def test_until_is_virtual_time(store: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", str(store), str(SAMPLE), *FLEET, "--until", "12m"]
    assert main(["campaign", *arguments]) == 0
    capsys.readouterr()
    elapsed = document(capsys, "status", str(store))["virtual_seconds"]
    assert isinstance(elapsed, float)
    assert elapsed <= 720


def test_a_paused_campaign_waits_for_resume(
    begun: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["campaign", "pause", str(begun)]) == 0
    assert capsys.readouterr().out.startswith("paused, ")
    assert main(["campaign", "run", str(begun)]) == 2
    assert f"paused: lorafuota campaign resume {begun}" in capsys.readouterr().err
    assert main(["campaign", "pause", str(begun)]) == 2
    assert "pause: " in capsys.readouterr().err
    assert document(capsys, "resume", str(begun))["phase"] == "running"
    assert main(["campaign", "run", str(begun)]) == 0


def test_a_cancelled_campaign_cleans_up_and_says_so(
    begun: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["campaign", "cancel", str(begun)]) == 0
    assert capsys.readouterr().out.startswith("cancelling, ")
    assert main(["campaign", "run", str(begun)]) == 1
    assert "5 cancelled" in capsys.readouterr().out


def test_looking_is_possible_while_another_process_has_the_store(
    begun: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with SqliteStore(begun):
        assert main(["campaign", "status", str(begun)]) == 0
        assert capsys.readouterr().out.startswith("running, ")
        assert main(["campaign", "report", str(begun)]) == 1
        capsys.readouterr()
        assert main(["campaign", "run", str(begun)]) == 2
        assert "in use by another process" in capsys.readouterr().err


def test_looking_changes_neither_file(
    begun: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [begun, begun.with_name(f"{begun.name}.air")]
    before = [path.read_bytes() for path in files]
    for verb in ("status", "report", "events"):
        main(["campaign", verb, str(begun)])
        main(["campaign", verb, str(begun), "--json"])
    capsys.readouterr()
    assert [path.read_bytes() for path in files] == before


def test_the_log_shows_what_happened_to_all_or_to_one(
    begun: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["campaign", "events", str(begun)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("0.000 campaign started: phase=running, block=")
    subject = next(line.split()[1] for line in shown if " device/" in line)
    assert main(["campaign", "events", str(begun), subject]) == 0
    own = capsys.readouterr().out.splitlines()
    assert own == [line for line in shown if line.split()[1] == subject]
    found: Any = document(capsys, "events", str(begun), subject)["events"]
    assert [one["subject"] for one in found] == [subject] * len(own)
    assert main(["campaign", "events", str(begun), "nobody"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_process_killed_at_any_moment_loses_nothing_that_matters(
    store: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kill -9 again and again; the campaign that was killed ends like any other."""
    command = [sys.executable, "-m", "lorafuota", "campaign", "run", str(store)]
    arguments = [str(SAMPLE), *FLEET, "--frag-size", "60"]
    air = store.with_name(f"{store.name}.air")
    killed = 0
    for _ in range(6):
        size = air.stat().st_size if air.exists() else 0
        with subprocess.Popen([*command, *arguments], stdout=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 30
            while process.poll() is None and time.monotonic() < deadline:
                if air.exists() and air.stat().st_size > size + 20_000:
                    os.kill(process.pid, signal.SIGKILL)
                    break
        killed += process.returncode == -signal.SIGKILL
        arguments = []
        if process.returncode == 0:
            break
    assert killed >= 2
    assert main(["campaign", "run", str(store)]) == 0
    assert "5 of 5 devices rebuilt the image" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["status", "nothing"], "there is no campaign in nothing: begin with IMAGE"),
        (["run", "nothing"], "there is no campaign in nothing: begin with IMAGE"),
        (["pause", "nothing"], "there is no campaign in nothing"),
        (["run", "new", "missing.bin"], "missing.bin: No such file"),
        (["run", "new", str(SAMPLE), "--loss", "2"], "loss = 2.0"),
        (["run", "new", str(SAMPLE), "--until", "soon"], "expected 90s, 30m, 6h or 2d"),
        (["run", "new", str(SAMPLE), "--steps", "-1"], "--steps -1: expected 0 or more"),
        (["run", "text", str(SAMPLE)], "text: file is not a database"),
        (["status", "other"], "other is not the store of a simulated campaign"),
        (["fly", "new"], "invalid choice"),
        ([], "the following arguments are required: VERB"),
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
    (tmp_path / "text").write_text("hello\n")
    with SqliteStore("other") as other:
        other.put_document("config", {})
    assert main(["campaign", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err.startswith("lorafuota campaign")
    assert sentence in shown.err


@pytest.mark.parametrize("devices", [1_000_001, 2**32 - 1])
def test_a_store_of_more_devices_than_can_be_is_refused_at_once(
    begun: pathlib.Path, capsys: pytest.CaptureFixture[str], devices: int
) -> None:
    with SqliteStore(begun, sync=False) as opened:
        document: Any = opened.document("simulation")
        document[0]["devices"] = devices
        opened.put_document("simulation", document)
    assert main(["campaign", "status", str(begun)]) == 2
    assert "is of more than 1000000 devices" in capsys.readouterr().err


def test_the_scenario_is_given_once(
    begun: pathlib.Path, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    assert main(["campaign", "run", str(begun), "--loss", "0.1"]) == 2
    assert "has its scenario already" in capsys.readouterr().err
    other = tmp_path / "other.bin"
    other.write_bytes(b"x" * 1000)
    assert main(["campaign", "run", str(begun), str(other)]) == 2
    assert "is not the image the campaign began with" in capsys.readouterr().err


def test_what_devices_let_in_is_kept_in_the_store(
    store: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, block = tmp_path / "base", tmp_path / "delta"
    base.write_bytes(image(OLD))
    block.write_bytes(delta())
    gate = ["--key", str(KEY), "--hardware", hex(HARDWARE), "--base", str(base)]
    begin = ["campaign", "run", str(store), str(block), "--devices", "3", *gate]
    assert main([*begin, "--steps", "30"]) == 0
    capsys.readouterr()
    assert main([*begin[:4], "--running", "1.0"]) == 2
    assert "has its scenario already" in capsys.readouterr().err
    base.write_bytes(image(NEW))
    assert main(["campaign", "run", str(store)]) == 2
    assert "not what the devices ran" in capsys.readouterr().err
    base.write_bytes(image(OLD))
    last = "3 of 3 devices rebuilt the image, 3 installed it and reported its version"
    assert main(["campaign", "run", str(store)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[-1] == last
    assert "firmware 3 run 1.1.0 (0x01010000)" in shown
    assert main(["campaign", "report", str(store)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == last
    assert document(capsys, "status", str(store))["outcomes"] == {"installed and confirmed": 3}


def test_a_campaign_whose_devices_refuse_the_image_ends_with_status_1(
    store: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--devices", "2", "--key", str(KEY)]
    assert main(["campaign", "run", str(store), str(SAMPLE), *arguments]) == 1
    assert "outcome  2 image corrupt or signature wrong" in capsys.readouterr().out
    assert main(["campaign", "report", str(store)]) == 1
    assert "2 of 2 devices rebuilt the image, 0 installed it" in capsys.readouterr().out
