from __future__ import annotations

import importlib
import importlib.metadata
import pathlib
import subprocess
import sys
import tomllib

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

import lorafuota
from lorafuota import types
from lorafuota.datablock import DataBlock
from lorafuota.fec.variant import ParityVariant
from lorafuota.fragmentation.v2 import FragSessionSetupReq, SetupError
from lorafuota.multicastsetup.v1 import McGroup
from lorafuota.multipackage.v1 import PackageInfo
from lorafuota.package import Package
from lorafuota.testing._entry import register
from lorafuota.wire import Command

EVERY = list(dict.fromkeys(cls for package in lorafuota.PACKAGES for cls in package.commands))
OTHERS = [
    McGroup,
    PackageInfo,
    types.DevAddr,
    types.DevEUI,
    *types.Key.__subclasses__(),
    types.Direction,
    types.LorawanVersion,
    DataBlock,
    Package,
    ParityVariant,
    SetupError,
]
register()  # does no harm a second time


@pytest.mark.parametrize("cls", [*EVERY, *OTHERS], ids=lambda c: f"{c.__module__}.{c.__name__}")
@given(data=st.data())
def test_every_type_has_a_strategy(cls: type, data: st.DataObject) -> None:
    assert type(data.draw(st.from_type(cls))) is cls


def test_any_command_and_any_key_mean_one_of_all() -> None:
    found = find(st.from_type(Command), lambda one: isinstance(one, FragSessionSetupReq))
    assert found.encode() == b"\x02" + bytes(16)
    assert type(find(st.from_type(types.Key), lambda one: isinstance(one, types.McKEKey))) is (
        types.McKEKey
    )


def test_hypothesis_infers_arguments() -> None:
    seen = []

    @given(...)
    def infer(setup: FragSessionSetupReq, address: types.DevAddr) -> None:
        seen.append((type(setup), type(address)))

    infer()
    assert set(seen) == {(FragSessionSetupReq, types.DevAddr)}


def test_the_entry_point_of_the_project_names_the_function() -> None:
    root = pathlib.Path(__file__).parents[3]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"]["hypothesis"]["lorafuota"].partition(":")
    assert getattr(importlib.import_module(module), name) is register


def test_hypothesis_finds_it_by_itself_and_nothing_of_ours_imports_hypothesis() -> None:
    points = importlib.metadata.entry_points(group="hypothesis")
    if not any(one.name == "lorafuota" for one in points):
        pytest.skip("installed before there was an entry point: install again")
    code = """
import sys
from lorafuota.fragmentation.v1 import FragSessionSetupReq
import lorafuota.campaign, lorafuota.testing
assert "hypothesis" not in sys.modules
from hypothesis import find, strategies as st
assert "lorafuota.testing.strategies" not in sys.modules
print(find(st.from_type(FragSessionSetupReq), lambda one: one.nb_frag > 9).nb_frag)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["10"]
