from __future__ import annotations

import json
import os
import pathlib

from lorafuota.dissect.wireshark import lua_dissector
from tests.unit.cli.support import call


def test_the_dissector_goes_into_a_file_or_to_standard_output(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "lorafuota.lua"
    outcome = call("wireshark", str(path))
    lines = lua_dissector().count("\n")
    assert (outcome.status, outcome.out) == (0, f"{path}: {lines:,} lines of Lua\n")
    assert path.read_text("utf-8") == lua_dissector()
    assert call("wireshark", "-").out == lua_dissector()


def test_json_says_where_it_went(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.lua"
    lines = lua_dissector().count("\n")
    assert json.loads(call("wireshark", str(path), "--json").out) == {
        "file": str(path),
        "lines": lines,
    }
    assert json.loads(call("wireshark", "-", "--json").out)["lua"] == lua_dissector()


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: pathlib.Path) -> None:
    outcome = call("wireshark", str(tmp_path / "no" / "x.lua"))
    assert outcome.status == 2
    assert outcome.err.endswith("x.lua: No such file or directory\n")


def test_a_file_that_is_there_is_replaced_only_with_force(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "init.lua"
    path.write_text("-- mine")
    outcome = call("wireshark", str(path))
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == f"lorafuota wireshark: {path} is there already: --force replaces it\n"
    assert path.read_text() == "-- mine"
    assert call("wireshark", str(path), "--force").status == 0
    assert path.read_text("utf-8") == lua_dissector()
    if pathlib.Path(os.devnull).exists():
        assert call("wireshark", os.devnull).status == 0  # nothing is lost there
