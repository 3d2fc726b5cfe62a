from __future__ import annotations

import json
from pathlib import Path

import pytest

from lorafuota.image import mcuboot, raw
from lorafuota.image.delta import create_delta
from tests.unit.cli.support import call
from tests.unit.image.support import (
    FIRMWARE,
    NEW,
    OLD,
    PEM,
    SampleCodec,
    delta,
    image,
    key,
    needs_detools,
    sample,
    wrapped,
)

KEY = ("--key", str(FIRMWARE / PEM["ed25519"]))
OTHER = ("--key", str(FIRMWARE / PEM["signed"]))
BASE = str(FIRMWARE / "app-1.0.0.ed25519.bin")
TARGET = str(FIRMWARE / "app-1.1.0.ed25519.bin")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A delta, and beside it "old" and "new", which it is between."""
    path = tmp_path / "delta.bin"
    for name, octets in (("delta.bin", delta()), ("old", image(OLD)), ("new", image(NEW))):
        (tmp_path / name).write_bytes(octets)
    return path


@needs_detools
def test_what_create_writes_is_the_delta_of_the_library(made: Path) -> None:
    old, new = str(made.with_name("old")), str(made.with_name("new"))
    path = made.with_name("created")
    outcome = call("delta", "create", old, new, *KEY, "--output", str(path))
    assert (outcome.status, outcome.err) == (0, "")
    assert path.read_bytes() == delta()


@needs_detools
def test_create_tells_the_figures_of_the_sample(tmp_path: Path) -> None:
    outcome = call("delta", "create", BASE, TARGET, *KEY)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        f"base      {BASE}, 21,328 octets",
        f"target    {TARGET}, 23,324 octets, version 1.1.0+0",
        "delta     5,034 octets signed, 4,769 of them the patch",
        "advice    the delta has 5,034 octets, 22 % of the image's 23,324: send it to the "
        "devices that run its base, and save 18,290 octets",
    ]
    document = json.loads(call("delta", "create", BASE, TARGET, *KEY, "--json").out)
    assert document["patch_octets"] == 4769
    assert (document["base_octets"], document["target_octets"]) == (21_328, 23_324)


def test_apply_gives_the_target_octet_for_octet(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "made.bin"
    old = str(made.with_name("old"))
    outcome = call("delta", "apply", old, str(made), *KEY, "--output", str(out))
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.endswith("23,336 octets, and the signature is good\n")
    assert out.read_bytes() == image(NEW)
    document = json.loads(call("delta", "apply", old, str(made), *KEY, "--json").out)
    assert (document["octets"], document["version"]) == (23_336, "1.1.0+0")


def test_info_tells_base_target_and_patch(made: Path) -> None:
    outcome = call("delta", "info", str(made))
    assert (outcome.status, outcome.err) == (0, "")
    assert "kind      MCUboot image, a delta\n" in outcome.out
    assert "base      21,340 octets, SHA-256 35300ff69f38fa07" in outcome.out
    assert "target    23,336 octets, SHA-256 0492849e2a255aa4" in outcome.out
    assert (
        "patch     4,763 octets, detools, heatshrink, window 2**10 octets; "
        "21,048 octets changed, 2,288 new, 46 records\nnothing of this is verified\n"
    ) in outcome.out
    document = json.loads(call("delta", "info", str(made), "--json").out)
    assert (document["compression"], document["window_bits"]) == ("heatshrink", 10)


@needs_detools
def test_compression_and_window_can_be_chosen(tmp_path: Path) -> None:
    path = str(tmp_path / "delta.bin")
    found = []
    for options in (("--compression", "none"), ("--compression", "crle"), ("--window-bits", "4")):
        call("delta", "create", BASE, TARGET, *KEY, "--output", path, *options)
        document = json.loads(call("delta", "info", path, "--json").out)
        found.append((document["compression"], document["window_bits"]))
    assert found == [("none", None), ("crle", None), ("heatshrink", 4)]
    outcome = call("delta", "create", BASE, TARGET, *KEY, "--window-bits", "15")
    assert (outcome.status, outcome.out) == (2, "")
    assert "DetoolsCodec.window_bits = 15: expected int in 4..14" in outcome.err


@needs_detools
def test_images_with_a_detached_signature_get_a_delta_of_their_kind(tmp_path: Path) -> None:
    old, new, path, out = (tmp_path / name for name in ("old", "new", "delta", "out"))
    for file, version, number in ((old, "1.0.0", OLD), (new, "1.1.0", NEW)):
        program = sample(version, "raw")
        file.write_bytes(raw.join(program, raw.sign(program, key=key(), version=number)))
    assert call("delta", "create", str(old), str(new), *KEY, "--output", str(path)).status == 0
    assert path.read_bytes()[:4] == raw.MAGIC
    assert call("delta", "apply", str(old), str(path), *KEY, "--output", str(out)).status == 0
    assert out.read_bytes() == new.read_bytes()


@pytest.mark.parametrize(
    ("base", "options", "reason"),
    [
        ("new", KEY, "delta: it starts from another firmware than the one that runs"),
        ("old", OTHER, "MCUboot image: outside the signature stands"),
    ],
)
def test_what_is_refused_is_not_written(
    base: str, options: tuple[str, str], reason: str, made: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new.bin"
    base = str(made.with_name(base))
    outcome = call("delta", "apply", base, str(made), *options, "--output", str(out))
    assert (outcome.status, outcome.err) == (1, "")
    assert outcome.out.startswith(f"{made} is refused: {reason}")
    assert not out.exists()
    again = call("delta", "apply", base, str(made), *options, "--json")
    assert json.loads(again.out)["refused"].startswith(reason)


def test_a_delta_that_gives_an_image_of_another_signer_or_version_is_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "delta.bin"
    base = sample("1.0.0", "ed25519")
    for target, reason in (
        (sample("1.1.0", "signed"), "outside the signature"),
        (image(OLD), "it gives version 1.0.0+0"),
        (wrapped(b"x"), "or a delta again"),
    ):
        payload = create_delta(base, target, SampleCodec()).encode()
        path.write_bytes(wrapped(payload))
        outcome = call("delta", "apply", BASE, str(path), *KEY)
        assert outcome.status == 1
        assert reason in outcome.out


def test_info_and_apply_refuse_what_is_no_delta(made: Path, tmp_path: Path) -> None:
    outcome = call("delta", "info", TARGET)
    assert (outcome.status, outcome.out) == (
        1,
        f"{TARGET} is refused: delta: it is a full image (octet 0)\n",
    )
    assert call("delta", "apply", BASE, TARGET, *KEY).status == 1
    bad = tmp_path / "bad.bin"
    for octets, reason in (
        (made.read_bytes()[:-9], "it ends before octet"),
        (wrapped(b"LFD1\x07" + bytes(90)), "codec 7 is not known here"),
        (sample("1.0.0", "raw"), "neither an MCUboot image"),
    ):
        bad.write_bytes(octets)
        outcome = call("delta", "info", str(bad))
        assert outcome.status == 1
        assert reason in outcome.out
        assert "refused" in json.loads(call("delta", "info", str(bad), "--json").out)


def test_a_target_that_is_not_ours_or_a_delta_itself_is_bad_input(made: Path) -> None:
    outcome = call("delta", "create", BASE, TARGET, *OTHER)
    assert (outcome.status, outcome.out) == (2, "")
    assert f"{TARGET} is not signed with this key" in outcome.err
    outcome = call("delta", "create", BASE, str(made), *KEY)
    assert outcome.err == f"lorafuota delta: {made} is a delta itself\n"


def test_the_delta_stays_below_the_image_that_a_boot_loader_starts(made: Path) -> None:
    assert mcuboot.parse(made.read_bytes()).flags == 0x10


@pytest.mark.parametrize("verb", ["create", "info", "apply", "simulate"])
def test_the_help_of_every_verb_has_an_example(verb: str) -> None:
    outcome = call("delta", verb, "--help")
    assert (outcome.status, outcome.err) == (0, "")
    assert f"lorafuota delta {verb}" in outcome.out.partition("example:")[2]
    assert max(map(len, outcome.out.splitlines())) < 100
