"""A delta between two files: of their kind, and signed with the key that is asked for."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from lorafuota.cli.arguments import InputError, Parser
from lorafuota.cli.deltafile import MadeDelta, add_pair, make_delta
from lorafuota.image import mcuboot, raw
from lorafuota.image.delta import DeltaUpdate
from lorafuota.image.detools import DetoolsCodec
from lorafuota.image.signature import verify
from tests.unit.image.support import FIRMWARE, NEW, OLD, PEM, SampleCodec, delta, image, key, sample

KEY = str(FIRMWARE / PEM["ed25519"])


@pytest.fixture(autouse=True)
def with_or_without_detools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DetoolsCodec, "create", SampleCodec.create)


def given(*argv: str) -> argparse.Namespace:
    parser = Parser()
    add_pair(parser)
    return parser.parse_args(argv)


def made(folder: Path, base: bytes, target: bytes, *options: str) -> MadeDelta:
    paths = folder / "base", folder / "target"
    for path, octets in zip(paths, (base, target), strict=True):
        path.write_bytes(octets)
    return make_delta(given(*map(str, paths), "--key", KEY, *options))


def test_the_delta_of_two_mcuboot_images_is_one_itself(tmp_path: Path) -> None:
    found = made(tmp_path, image(OLD), image(NEW))
    assert (found.base, found.target, found.block) == (image(OLD), image(NEW), delta())
    assert found.image == verify(image(NEW), key().public)
    assert found.update == DeltaUpdate.decode(mcuboot.verify(delta(), key().public).program)
    assert found.key == key().public


def test_the_delta_of_an_image_behind_a_signature_is_behind_one_too(tmp_path: Path) -> None:
    program = sample("1.1.0", "raw")
    target = raw.join(program, raw.sign(program, key=key(), version=NEW))
    found = made(tmp_path, image(OLD), target)
    assert found.block[:4] == raw.MAGIC
    assert verify(found.block, key().public).is_delta
    assert (
        found.update.sha256 == DeltaUpdate.decode(verify(found.block, key().public).payload).sha256
    )


@pytest.mark.parametrize(
    ("target", "reason"),
    [(sample("1.1.0", "signed"), "is not signed with this key"), (delta(), "is a delta itself")],
    ids=["another key", "delta"],
)
def test_a_target_that_does_not_fit_is_refused(target: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason):
        made(tmp_path, image(OLD), target)
