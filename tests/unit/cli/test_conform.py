import json
import pathlib
import re
import shlex
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest

from lorafuota.conformance.catalogues import CATALOGUES
from lorafuota.conformance.device import DEVICE_CHECKS
from lorafuota.conformance.transports.example import EXAMPLE, compiler
from tests.unit.cli.conformchecks import FEW
from tests.unit.cli.support import call


@pytest.fixture(autouse=True)
def few_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    for role in CATALOGUES.keys() - {"device"}:
        monkeypatch.delitem(CATALOGUES, role)
    monkeypatch.setitem(CATALOGUES, "device", FEW)


def test_the_catalogue_is_listed() -> None:
    outcome = call("conform", "list", "--version", "1")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == (
        """\
device         severity     from      what has to hold
ts004-v1/good  required     TS004, 1  Pass.
ts004-v1/bad   recommended  TS004, 2  Fail.
2 checks against a device
"""
    )
    document = json.loads(call("conform", "list", "--json").out)
    assert [one["id"] for one in document["checks"]] == [
        "ts004-v1/good",
        "ts004-v2/good",
        "ts004-v1/bad",
    ]
    assert document["checks"][0]["role"] == "device"


def test_the_source_of_the_example_is_copied_and_writes_over_nothing(
    tmp_path: pathlib.Path,
) -> None:
    directory = tmp_path / "new" / "device"
    outcome = call("conform", "example", str(directory))
    names = ["device.c", "device.h", "lines.c"]
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [str(directory / name) for name in names]
    for name in names:
        assert (directory / name).read_bytes() == (EXAMPLE / name).read_bytes()
    (directory / "device.c").unlink()
    outcome = call("conform", "example", str(directory))
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == f"lorafuota conform: {directory / 'device.h'} is there already\n"
    assert not (directory / "device.c").exists()


# The guide

GUIDE = pathlib.Path(__file__).parents[3] / "docs" / "guides" / "test-your-device.md"


@pytest.mark.skipif(compiler() is None, reason="no C compiler")
def test_the_one_command_of_the_guide_leaves_a_junit_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    [command] = re.findall(r"^python3 -m venv .*$", GUIDE.read_text("utf-8"), re.MULTILINE)
    argv = shlex.split(command.split(".venv/bin/lorafuota ")[1])
    monkeypatch.setitem(CATALOGUES, "device", DEVICE_CHECKS)
    monkeypatch.chdir(tmp_path)
    assert call(*argv).status == 0
    [suite] = ET.parse(tmp_path / "report.xml").getroot()
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    assert int(suite.get("tests", "0")) == len(DEVICE_CHECKS)


STACK_H = """
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#define MY_STACK_UNICAST 0
void my_stack_erase_flash(void);
void my_stack_init(uint64_t now);
bool my_stack_accepts(uint32_t mc_addr, uint32_t fcnt);
void my_stack_received(uint64_t now, uint32_t to, uint8_t fport, const uint8_t *p, size_t size);
void my_stack_process(uint64_t now);
uint64_t my_stack_next_timer(uint64_t now);
void my_radio_transmit(uint8_t fport, const uint8_t *payload, size_t size);
"""
STACK_C = """
#include "my_stack.h"
void my_stack_erase_flash(void) {}
void my_stack_init(uint64_t now) { (void)now; }
bool my_stack_accepts(uint32_t mc_addr, uint32_t fcnt) { return mc_addr + fcnt == 0; }
void my_stack_received(uint64_t now, uint32_t to, uint8_t fport, const uint8_t *p, size_t size)
{
    (void)now;
    if (to == MY_STACK_UNICAST && fport == 201 && size == 1 && p[0] == 0)
        my_radio_transmit(201, (const uint8_t *)"\\0\\3\\1", 3);
}
void my_stack_process(uint64_t now) { (void)now; }
uint64_t my_stack_next_timer(uint64_t now) { (void)now; return UINT64_MAX; }
"""


@pytest.mark.skipif(compiler() is None, reason="no C compiler")
def test_the_twenty_lines_of_the_guide_wire_a_stack(tmp_path: pathlib.Path) -> None:
    [adapter] = re.findall(r"^```c\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for name in ("lines.c", "device.h"):
        shutil.copy(EXAMPLE / name, tmp_path)
    for name, text in (("adapter.c", adapter), ("my_stack.h", STACK_H), ("my_stack.c", STACK_C)):
        (tmp_path / name).write_text(text)
    command = compiler()
    assert command is not None
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-o", "my-device"]
    sources = ["lines.c", "adapter.c", "my_stack.c"]
    subprocess.run([command, *flags, *sources], cwd=tmp_path, check=True)
    outcome = call("conform", "device", "--exec", str(tmp_path / "my-device"))
    assert "expected silence; came 00 03 01 on FPort 201" in outcome.out
