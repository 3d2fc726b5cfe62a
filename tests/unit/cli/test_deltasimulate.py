"""``lorafuota delta simulate``: one command from two images to devices that run the new one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lorafuota.image.detools import DetoolsCodec
from tests.unit.cli.support import call
from tests.unit.image.support import (
    FIRMWARE,
    NEW,
    OLD,
    PEM,
    SampleCodec,
    delta,
    image,
    needs_detools,
)

KEY = ("--key", str(FIRMWARE / PEM["ed25519"]))


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The two releases as files; the delta between them is the one that is checked in."""
    monkeypatch.setattr(DetoolsCodec, "create", SampleCodec.create)
    paths = tmp_path / "old", tmp_path / "new"
    for path, octets in zip(paths, (image(OLD), image(NEW)), strict=True):
        path.write_bytes(octets)
    return str(paths[0]), str(paths[1])


def test_devices_apply_the_delta_reboot_and_report_the_new_version(pair: tuple[str, str]) -> None:
    outcome = call("delta", "simulate", *pair, *KEY, "--devices", "3")
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == f"image    delta from old to new, {len(delta()):,} octets"
    assert "outcome  3 installed and confirmed" in lines
    assert "firmware 3 run 1.1.0 (0x01010000)" in lines
    assert (
        "delta    5,036 octets, 22% of the 23,336 of the image that it gives; first pass of either:"
    ) in lines
    rates = [line.split()[0] for line in lines if line.startswith("DR")]
    assert rates == ["DR0", "DR5"]
    assert lines[-1] == (
        "3 of 3 devices rebuilt the image, 3 installed it and reported its version"
    )
    assert sorted(os.listdir(Path(pair[0]).parent)) == ["new", "old"]  # nothing is written


def test_json_tells_the_sizes_the_airtimes_and_what_every_device_runs(
    pair: tuple[str, str],
) -> None:
    outcome = call("delta", "simulate", *pair, *KEY, "--devices", "2", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    report = json.loads(outcome.out)
    saving = report["delta"]
    assert (saving["delta_octets"], saving["image_octets"]) == (len(delta()), len(image(NEW)))
    assert report["image_octets"] == len(delta())
    for row, dr in zip(saving["rows"], (0, 5), strict=True):
        assert row["dr"] == dr
        assert row["delta"]["airtime_seconds"] < row["image"]["airtime_seconds"] / 2
    assert (report["outcomes"], report["devices_confirmed"]) == ({"installed and confirmed": 2}, 2)
    assert [one["fw_version"] for one in report["results"]] == [NEW.fw_version] * 2


def test_a_fleet_that_does_not_get_it_all_ends_with_status_1(pair: tuple[str, str]) -> None:
    options = ("--loss", "0.5", "--redundancy", "0.1", "--rounds", "0")
    outcome = call("delta", "simulate", *pair, *KEY, "--devices", "3", *options)
    assert (outcome.status, outcome.err) == (1, "")
    assert outcome.out.splitlines()[-1] == (
        "0 of 3 devices rebuilt the image, 0 installed it and reported its version"
    )
    assert "firmware 3 run 1.0.0 (0x01000000)" in outcome.out


def test_what_is_no_pair_is_bad_input(pair: tuple[str, str]) -> None:
    stranger = ("--key", str(FIRMWARE / PEM["signed"]))
    outcome = call("delta", "simulate", *pair, *stranger)
    assert (outcome.status, outcome.out) == (2, "")
    assert "new is not signed with this key" in outcome.err


@needs_detools
def test_the_samples_as_they_are_checked_in_without_hardware() -> None:
    paths = (str(FIRMWARE / f"app-{one}.ed25519.bin") for one in ("1.0.0", "1.1.0"))
    outcome = call("delta", "simulate", *paths, *KEY, "--compression", "crle")
    assert (outcome.status, outcome.err) == (0, "")
    assert "firmware 1 run 1.1.0 (0x01010000)" in outcome.out
