"""What setup.py makes of LORAFUOTA_BUILD."""

import pathlib
import runpy
import tomllib
from typing import Any

import pytest

pytest.importorskip("setuptools")
SETUP = pathlib.Path(__file__).parents[1] / "setup.py"


def options(wish: str, free_threaded: bool = False) -> Any:
    return runpy.run_path(str(SETUP), run_name="setup")["options"](wish, free_threaded)


@pytest.mark.parametrize(("wish", "optional"), [("auto", True), ("require", False)])
def test_the_kernels_are_optional_unless_required(wish: str, optional: bool) -> None:
    made = options(wish)
    [extension] = made["ext_modules"]
    assert (extension.name, extension.optional) == ("lorafuota.fec._speedups", optional)
    assert extension.py_limited_api
    assert made["options"] == {"bdist_wheel": {"py_limited_api": "cp311"}}
    named = [*extension.sources, *extension.depends]
    here = {path.name for path in (SETUP.parent / "src/lorafuota/fec").glob("_speedups*.[ch]")}
    assert {pathlib.Path(name).name for name in named} == here


def test_without_kernels_the_wheel_is_for_every_platform() -> None:
    assert options("forbid") == options("auto", free_threaded=True) == {}


def test_what_cannot_be_had_is_refused() -> None:
    with pytest.raises(SystemExit, match="LORAFUOTA_BUILD = 'yes': expected auto, require or for"):
        options("yes")
    with pytest.raises(SystemExit, match="no C kernels for free-threaded Python"):
        options("require", free_threaded=True)


def test_the_example_in_c_ships_with_the_package() -> None:
    root = SETUP.parent / "src" / "lorafuota"
    project = tomllib.loads((SETUP.parent / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["lorafuota"]
    shipped = {path for pattern in patterns for path in root.glob(pattern)}
    example = root / "conformance" / "example"
    assert {path.name for path in shipped if path.parent == example} == {
        "device.c",
        "device.h",
        "lines.c",
    }
