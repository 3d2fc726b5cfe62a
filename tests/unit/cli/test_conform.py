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
from lorafuota.conformance.subject import Downlink, Uplink
from lorafuota.conformance.transports.device import LineDevice
from lorafuota.conformance.transports.example import EXAMPLE, compiler
from lorafuota.conformance.transports.process import ProcessChannel
from tests.unit.cli.conformchecks import FEW
from tests.unit.cli.support import call
from tests.unit.conformance.test_own import power_on


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
void my_stack_set_root_key(const uint8_t *key, bool lorawan_1_1);
void my_stack_set_addresses(const uint8_t *dev_eui, uint32_t dev_addr);
void my_stack_init(uint64_t now);
bool my_stack_accepts(uint32_t mc_addr, uint32_t fcnt);
void my_stack_received(uint64_t now, uint32_t to, uint8_t fport, const uint8_t *p, size_t size);
void my_stack_heard(uint64_t now, const uint8_t *phy, size_t size);
void my_stack_process(uint64_t now);
uint64_t my_stack_next_timer(uint64_t now);
void my_radio_transmit(uint8_t fport, const uint8_t *payload, size_t size);
void my_stack_changed_class(char device_class, int mc_group_id);
void my_stack_block_ended(int frag_index, bool intact, const uint8_t *data, size_t size);
void my_stack_reboots(void);
"""
STACK_C = """
#include "my_stack.h"
static bool has_key, has_addresses;
void my_stack_erase_flash(void) {}
void my_stack_set_root_key(const uint8_t *key, bool lorawan_1_1)
{
    has_key = true;
    (void)key, (void)lorawan_1_1;
}
void my_stack_set_addresses(const uint8_t *dev_eui, uint32_t dev_addr)
{
    has_addresses = dev_eui[0] || dev_addr;
}
void my_stack_init(uint64_t now) { (void)now; }
bool my_stack_accepts(uint32_t mc_addr, uint32_t fcnt) { return mc_addr + fcnt == 0; }
void my_stack_received(uint64_t now, uint32_t to, uint8_t fport, const uint8_t *p, size_t size)
{
    bool asked = to == MY_STACK_UNICAST && fport == 201 && size == 1 && p[0] == 0;
    (void)now;
    if (asked && has_key && has_addresses)
        my_radio_transmit(201, (const uint8_t *)"\\0\\3\\2", 3);
}
void my_stack_heard(uint64_t now, const uint8_t *phy, size_t size)
{
    (void)now, (void)phy, (void)size;
}
void my_stack_process(uint64_t now) { (void)now; }
uint64_t my_stack_next_timer(uint64_t now) { (void)now; return UINT64_MAX; }
"""


@pytest.mark.skipif(compiler() is None, reason="no C compiler")
def test_the_functions_of_the_guide_wire_a_stack_of_version_2(tmp_path: pathlib.Path) -> None:
    adapter, about = re.findall(
        r"^```c\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    shutil.copy(EXAMPLE / "lines.c", tmp_path)
    header = (EXAMPLE / "device.h").read_text("utf-8")
    texts = re.findall(r"^#define DEVICE_ABOUT.*?[^\\]\n", header, re.MULTILINE | re.DOTALL)
    assert len(texts) == 1
    written = {
        "device.h": header.replace(texts[0], about),
        "adapter.c": adapter,
        "my_stack.h": STACK_H,
        "my_stack.c": STACK_C,
    }
    for name, text in written.items():
        (tmp_path / name).write_text(text)
    command = compiler()
    assert command is not None
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-o", "my-device"]
    sources = ["lines.c", "adapter.c", "my_stack.c"]
    subprocess.run([command, *flags, *sources], cwd=tmp_path, check=True)
    program = str(tmp_path / "my-device")
    assert call("conform", "device", "--exec", program).out.splitlines()[-1].startswith("my device")
    device = LineDevice(lambda: ProcessChannel([program]))
    assert device.about.versions["fragmentation"] == 2
    assert device.exchange(power_on(1.0)).events == ()
    assert device.exchange(Downlink(2.0, 201, b"\0")).events == (Uplink(2.0, 201, b"\0\3\2"),)
    device.close()
