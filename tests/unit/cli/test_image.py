from __future__ import annotations

import json
from pathlib import Path

import pytest

from lorafuota.image import mcuboot, raw
from lorafuota.image.signature import verify
from lorafuota.image.version import ImageVersion
from tests.unit.cli.support import call
from tests.unit.image.support import FIRMWARE, NEW, PEM, key, sample

ED25519 = str(FIRMWARE / PEM["ed25519"])
ECDSA = str(FIRMWARE / PEM["signed"])
PROGRAM = str(FIRMWARE / "app-1.1.0.raw.bin")


def test_info_shows_what_an_image_says_and_that_nothing_is_verified() -> None:
    path = FIRMWARE / "app-1.1.0.signed.bin"
    outcome = call("image", "info", str(path))
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        f"file      {path}, 23,332 octets",
        "kind      MCUboot image",
        "version   1.1.0+0, FW version 16842752 in TS006",
        "hardware  not told",
        "payload   22,668 octets",
        "nothing of this is verified",
    ]
    document = json.loads(call("image", "info", str(path), "--json").out)
    assert (document["verified"], document["version"], document["hardware"]) == (
        False,
        "1.1.0+0",
        None,
    )


@pytest.mark.parametrize(("name", "pem"), [("signed", ECDSA), ("ed25519", ED25519)])
def test_verify_takes_the_sample_with_its_key_and_refuses_the_other(name: str, pem: str) -> None:
    path = str(FIRMWARE / f"app-1.1.0.{name}.bin")
    outcome = call("image", "verify", path, "--key", pem, "--newer-than", "1.0.0")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.endswith("the signature is good\n")
    other = ED25519 if pem == ECDSA else ECDSA
    outcome = call("image", "verify", path, "--key", other)
    assert (outcome.status, outcome.err) == (1, "")
    assert outcome.out.startswith(f"{path} is refused: MCUboot image: outside the signature")
    document = json.loads(call("image", "verify", path, "--key", other, "--json").out)
    assert (document["verified"], document["file"]) == (False, path)


def test_sign_makes_what_imgtool_made(tmp_path: Path) -> None:
    path = tmp_path / "signed.bin"
    outcome = call(
        *("image", "sign", PROGRAM, "--key", ED25519, "--version", "1.1.0"),
        *("--output", str(path)),
    )
    assert (outcome.status, outcome.err) == (0, "")
    assert path.read_bytes() == sample("1.1.0", "ed25519")


def test_sign_writes_hardware_counter_and_header(tmp_path: Path) -> None:
    path = tmp_path / "signed.bin"
    outcome = call(
        *("image", "sign", PROGRAM, "--key", ECDSA, "--version", "1.1.0+3"),
        *("--hardware", "0x107", "--security-counter", "9", "--header-size", "0x400"),
        *("--output", str(path), "--json"),
    )
    image = mcuboot.verify(path.read_bytes(), key("signed").public)
    assert (image.hardware, image.security_counter, image.header_size) == (0x107, 9, 0x400)
    assert image.version == ImageVersion(1, 1, 0, 3)
    document = json.loads(outcome.out)
    assert (document["hardware"], document["security_counter"]) == (0x107, 9)
    assert (document["octets"], document["verified"]) == (len(path.read_bytes()), True)


def test_raw_and_detached_signatures_are_the_same_in_two_shapes(tmp_path: Path) -> None:
    block, detached = tmp_path / "block.bin", tmp_path / "detached.sig"
    common = ("image", "sign", PROGRAM, "--key", ED25519, "--version", "1.1.0", "--output")
    assert call(*common, str(block), "--raw").status == 0
    assert call(*common, str(detached), "--detached").status == 0
    assert block.read_bytes() == raw.join(sample("1.1.0", "raw"), detached.read_bytes())
    assert verify(block.read_bytes(), key().public).version == NEW
    outcome = call("image", "verify", str(block), "--key", ED25519)
    assert outcome.status == 0
    assert "kind      image behind a detached signature\n" in outcome.out
    beside = ("--key", ED25519, "--signature", str(detached))
    assert call("image", "verify", PROGRAM, *beside).status == 0
    other = str(FIRMWARE / "app-1.0.0.raw.bin")
    outcome = call("image", "verify", other, *beside)
    assert (outcome.status, outcome.out) == (
        1,
        f"{other} is refused: image: 20672 octets, and 22668 were signed\n",
    )


def test_without_output_nothing_is_written(tmp_path: Path) -> None:
    program = tmp_path / "program.bin"
    program.write_bytes(b"program")
    outcome = call("image", "sign", str(program), "--key", ED25519, "--version", "1")
    assert outcome.status == 0
    assert [path.name for path in tmp_path.iterdir()] == ["program.bin"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--hardware", "0x107"), "image: it does not say for which hardware it is"),
        (("--newer-than", "1.1.0"), "image: version 1.1.0+0 is the same as the running 1.1.0+0"),
        (("--newer-than", "2"), "image: version 1.1.0+0 is older than the running 2.0.0+0"),
    ],
)
def test_verify_refuses_wrong_hardware_and_old_versions(
    options: tuple[str, ...], reason: str
) -> None:
    path = str(FIRMWARE / "app-1.1.0.ed25519.bin")
    outcome = call("image", "verify", path, "--key", ED25519, *options)
    assert (outcome.status, outcome.out) == (1, f"{path} is refused: {reason}\n")


def test_build_numbers_decide_when_asked_for(tmp_path: Path) -> None:
    path = str(tmp_path / "signed.bin")
    call("image", "sign", PROGRAM, "--key", ED25519, "--version", "1.1.0+2", "--output", path)
    older = ("image", "verify", path, "--key", ED25519, "--newer-than", "1.1.0+1")
    assert call(*older).status == 1
    assert call(*older, "--compare-build").status == 0


def test_an_image_above_a_megabyte_is_named_with_figures(tmp_path: Path) -> None:
    program = tmp_path / "large.bin"
    program.write_bytes(bytes(1_000_000))
    outcome = call("image", "sign", str(program), "--key", ED25519, "--version", "1")
    assert (
        "advice    the image has 1,000,656 octets, more than the 1,000,000 that large "
        "network servers take: send a delta\n"
    ) in outcome.out


def test_what_cannot_be_worked_with_is_one_sentence(tmp_path: Path) -> None:
    nothing = str(tmp_path / "nothing.bin")
    outcome = call("image", "info", nothing)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == f"lorafuota image: {nothing}: No such file or directory\n"
    outcome = call("image", "info", PROGRAM)
    assert outcome.status == 1
    assert "is refused: image: neither an MCUboot image" in outcome.out
    for options in (("--version", "one"), ("--version", "1", "--header-size", "x")):
        outcome = call("image", "sign", PROGRAM, "--key", ED25519, *options)
        assert (outcome.status, outcome.out) == (2, "")
        assert outcome.err.startswith("lorafuota image sign: argument --")
    outcome = call("image", "sign", PROGRAM, "--key", PROGRAM, "--version", "1")
    assert outcome.err.startswith(f"lorafuota image: {PROGRAM}: expected a P-256 or Ed25519 key")


@pytest.mark.parametrize("verb", ["info", "sign", "verify"])
def test_the_help_of_every_verb_has_an_example(verb: str) -> None:
    outcome = call("image", verb, "--help")
    assert (outcome.status, outcome.err) == (0, "")
    assert f"lorafuota image {verb}" in outcome.out.partition("example:")[2]
    assert max(map(len, outcome.out.splitlines())) < 100
