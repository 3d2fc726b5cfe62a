from __future__ import annotations

import importlib.metadata
import json
import tomllib
from pathlib import Path

import pytest

import lorafuota
from lorafuota.cli import info, main
from lorafuota.fec import kernels

PROJECT = Path(__file__).parents[3] / "pyproject.toml"


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["info", *argv]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_versions_kernels_and_packages_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys)
    assert f"lorafuota     {lorafuota.__version__}" in text
    assert f"kernels       {kernels.NAME}: " in text
    for one in lorafuota.PACKAGES:
        [line] = [line for line in text.splitlines() if line.startswith(f"{one} ")]
        assert line.split()[1] == one.document
        assert line.split()[-1] == str(one.fport)


def test_json_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(run(capsys, "--json"))
    assert document["version"] == lorafuota.__version__
    assert document["kernels"]["name"] == kernels.NAME
    assert [(one["name"], one["version"]) for one in document["packages"]] == [
        (one.name, one.version) for one in lorafuota.PACKAGES
    ]
    assert document["requirements"].keys() == {"bitarray", "cryptography"}


@pytest.mark.parametrize(
    ("wish", "name", "reason"),
    [
        (None, "c", "the fastest there are"),
        (None, "python", "no C kernels here"),
        (None, "reference", "no faster kernels here"),
        ("python", "python", "asked for with LORAFUOTA_KERNELS=python"),
        ("python", "reference", "no faster kernels here; LORAFUOTA_KERNELS=python"),
    ],
)
def test_the_reason_for_the_kernels_is_given(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    wish: str | None,
    name: str,
    reason: str,
) -> None:
    monkeypatch.delenv("LORAFUOTA_KERNELS", raising=False)
    if wish:
        monkeypatch.setenv("LORAFUOTA_KERNELS", wish)
    monkeypatch.setattr(kernels, "NAME", name)
    assert f"kernels       {name}: {reason}\n" in run(capsys)


def test_a_missing_part_names_its_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", nothing)
    assert "testing: missing; pip install 'lorafuota[testing]' (" in run(capsys)


def test_every_extra_a_user_may_want_is_listed() -> None:
    extras = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    assert set(info.EXTRAS) == set(extras) - {"bench", "dev", "test"}
    for name, (needs, _) in info.EXTRAS.items():
        assert any(line.startswith(needs) for line in extras[name])
