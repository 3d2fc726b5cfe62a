"""The options of a gate, and the gate of a campaign that is kept in a file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from lorafuota.cli.arguments import InputError, Parser
from lorafuota.cli.gate import FleetGate, add_gate, gate_given, gate_of, with_versions
from lorafuota.errors import FieldError
from lorafuota.image.detools import DetoolsCodec
from lorafuota.image.install import ImageGate
from lorafuota.image.keys import Scheme
from lorafuota.image.version import ImageVersion
from lorafuota.simulate import Scenario
from tests.unit.image.support import FIRMWARE, HARDWARE, NEW, OLD, PEM, delta, image, key

KEY = str(FIRMWARE / PEM["ed25519"])


def given(*argv: str) -> argparse.Namespace:
    parser = Parser()
    add_gate(parser)
    return parser.parse_args(argv)


def found(*argv: str) -> FleetGate:
    gate = gate_of(given("--key", KEY, *argv))
    assert gate is not None
    return gate


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base"
    path.write_bytes(image(OLD))
    return path


def test_without_options_there_is_no_gate() -> None:
    assert gate_of(given()) is None
    assert not gate_given(given())
    assert gate_given(given("--running", "1.0"))


def test_every_device_has_the_gate_of_the_options(base: Path) -> None:
    gate = found("--hardware", hex(HARDWARE), "--running", "0.9", "--base", str(base))
    assert gate.base == base
    for device in (0, 7):
        assert repr(gate(device)) == repr(
            ImageGate(
                key=key().public,
                hw_version=HARDWARE,
                running=ImageVersion(0, 9),
                base=image(OLD),
                codecs=gate.gate.codecs,
            )
        )
        assert gate(device).base == image(OLD)
    (codec,) = gate.gate.codecs
    assert isinstance(codec, DetoolsCodec)


def test_the_version_that_runs_is_that_of_the_base_unless_told(base: Path) -> None:
    assert found("--base", str(base)).gate.running == OLD
    assert found().gate.running == ImageVersion(0)
    base.write_bytes(b"not signed")
    assert found("--base", str(base), "--running", "3.1").gate.running == ImageVersion(3, 1)
    with pytest.raises(InputError, match=r"base is not signed: .*; give --running"):
        found("--base", str(base))


@pytest.mark.parametrize(
    "options", [(), ("--hardware", "7", "--scheme", "ed25519-pure", "--running", "1.2.3+4")]
)
def test_a_gate_comes_back_from_json_with_the_public_key_alone(
    options: tuple[str, ...], base: Path
) -> None:
    before = found("--base", str(base), *options)
    text = json.dumps(before.to_json())
    assert "PRIVATE" not in text
    after = FleetGate.from_json(json.loads(text))
    assert repr(after) == repr(before)
    assert after.gate.key == before.gate.key
    assert after.gate.base == image(OLD)
    assert after.to_json() == before.to_json()


def test_a_base_that_changed_meanwhile_is_refused(base: Path) -> None:
    stored = found("--base", str(base)).to_json()
    base.write_bytes(image(NEW))
    with pytest.raises(InputError, match="not what the devices ran when the campaign began"):
        FleetGate.from_json(stored)


@pytest.mark.parametrize(
    "changes",
    [{"scheme": "rsa"}, {"hardware": "7"}, {"running": None}, {"key": 5}, {"base": 5}],
    ids=str,
)
def test_what_is_no_gate_is_refused(changes: dict[str, Any]) -> None:
    stored = found().to_json()
    assert isinstance(stored, dict)
    with pytest.raises(InputError, match="does not say what its devices let in"):
        FleetGate.from_json({**stored, **changes})
    with pytest.raises(FieldError):
        FleetGate.from_json({**stored, "key": "-----BEGIN"})


def test_the_schemes_of_the_options_are_those_of_the_library() -> None:
    assert found("--scheme", "ed25519-sha512").gate.key.scheme is Scheme.ED25519_SHA512


def test_a_signed_image_says_which_version_is_to_be_confirmed() -> None:
    gate = found()
    scenario = with_versions(Scenario(image=delta()), gate)
    assert scenario == Scenario(image=delta(), firmware_version=NEW.fw_version)
    assert with_versions(Scenario(image=b"?", firmware_version=5), gate).firmware_version == 5


def test_the_base_of_a_delta_says_which_version_has_to_run(base: Path) -> None:
    gate = found("--base", str(base), "--running", "0.9")
    assert with_versions(Scenario(image=delta()), gate) == Scenario(
        image=delta(), firmware_version=NEW.fw_version, base_version=OLD.fw_version
    )
    assert with_versions(Scenario(image=image(NEW)), gate).base_version is None
    same = with_versions(Scenario(image=delta(), firmware_version=OLD.fw_version), gate)
    assert same.base_version is None


def test_an_image_that_is_not_signed_does_not_tell_a_version() -> None:
    gate = found()
    with pytest.raises(InputError, match=r"the image is not signed: .*; give --confirm"):
        with_versions(Scenario(image=b"?"), gate)
