import io
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from lorafuota.conformance.catalogues import CATALOGUES
from lorafuota.conformance.check import Catalogue, Severity
from lorafuota.conformance.device import DEVICE_CHECKS
from lorafuota.conformance.devicepeer import DevicePeer
from lorafuota.conformance.transports.example import EXAMPLE, compiler
from tests.unit.cli.support import ROOT, call, spellings

OWN = ("--own", "documents v1")
FEW: Catalogue[DevicePeer] = Catalogue()


@FEW.check("fragmentation", (1, 2), "good", clause="TS004, 1")
def good(peer: DevicePeer) -> None:
    """Pass."""


@FEW.check(
    "fragmentation",
    (1,),
    "bad",
    clause="TS004, 2",
    severity=Severity.RECOMMENDED,
    quirk_of=["Zephyr 2025"],
)
def bad(peer: DevicePeer) -> None:
    """Fail.

    Because of a reason.
    """
    peer.send_raw(201, b"\x00")
    peer.expect_silence()


@pytest.fixture(autouse=True)
def few_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGUES, "device", FEW)
    monkeypatch.delitem(CATALOGUES, "server")


def test_status_0_when_every_check_passes_or_is_skipped() -> None:
    outcome = call("conform", "device", *OWN, "--severity", "required")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == (
        """\
package          severity  passed  failed  known quirk  skipped  broken  not played
fragmentation/1  required       1
1 skipped: does not speak fragmentation/2
documents v1: 2 checks, 1 passed, 1 skipped
"""
    )
    outcome = call("conform", "device", *OWN, "--version", "2")
    assert outcome.out == (
        """\
1 skipped: does not speak fragmentation/2
documents v1: 1 check, 0 passed, 1 skipped
"""
    )


def test_status_1_and_the_whole_story_when_a_check_fails() -> None:
    outcome = call("conform", "device", *OWN)
    assert outcome.status == 1
    assert outcome.out.startswith(
        """\
failed: ts004-v1/bad  (recommended)
  Fail.
  from TS004, 2
    Because of a reason.
  expected silence; came 00 03 01 on FPort 201
       0.000 s  power on, as it left the factory; DevAddr """
    )
    assert "up, FPort 201: 00 03 01\n" in outcome.out
    assert outcome.out.endswith("documents v1: 3 checks, 1 passed, 1 failed, 1 skipped\n")


def test_a_profile_makes_its_quirks_expected() -> None:
    outcome = call("conform", "device", *OWN, "--profile", "Zephyr 2025", "--json")
    document = json.loads(outcome.out)
    assert outcome.status == 0
    assert (document["profile"], document["good"]) == ("Zephyr 2025", True)
    assert [one["outcome"] for one in document["checks"]] == ["passed", "skipped", "known quirk"]


def test_the_junit_report_is_written(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "report.xml"
    assert call("conform", "device", *OWN, "--junit", str(path)).status == 1
    [suite] = ET.parse(path).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")


def test_a_report_that_cannot_be_written_is_noticed_before_the_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr("lorafuota.cli.conform.run_device_checks", None)
    outcome = call("conform", "device", *OWN, "--junit", str(tmp_path / "no" / "report.xml"))
    assert outcome.status == 2
    assert "No such file or directory" in outcome.err


DEVICE = """
import sys
from lorafuota.conformance.own import OwnDevice
from lorafuota.conformance.serving import answers
for line in answers(OwnDevice("documents v1"), sys.stdin):
    print(line, flush=True)
"""


def test_a_program_takes_its_own_options() -> None:
    outcome = call(
        "conform", "device", "--json", "--id", "*/good", "--exec", sys.executable, "-c", DEVICE
    )
    document = json.loads(outcome.out)
    assert (outcome.status, document["subject"]) == (0, "documents v1")
    assert document["counts"]["passed"] == 1


def test_a_program_that_breaks_in_a_check_is_started_again() -> None:
    broken = DEVICE.replace(
        "    print(line, flush=True)",
        "    if '000301' in line: sys.exit('no stack left')\n    print(line, flush=True)",
    )
    outcome = call("conform", "device", "--json", "--exec", sys.executable, "-c", broken)
    document = json.loads(outcome.out)
    assert outcome.status == 1
    assert [one["outcome"] for one in document["checks"]] == ["passed", "skipped", "broken"]
    assert document["checks"][2]["reason"] == (
        "the program ended with status 1; it said on standard error: no stack left"
    )


def test_status_2_when_the_device_cannot_be_started_or_not_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcome = call("conform", "device", "--exec", "./not-there")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == (
        "lorafuota conform: './not-there' cannot be started: No such file or directory\n"
    )
    many: Catalogue[DevicePeer] = Catalogue()
    for at in range(7):
        many.check("fragmentation", (1,), f"bad-{at}", clause="-")(bad)
    monkeypatch.setitem(CATALOGUES, "device", many)
    dies = DEVICE.replace("    print", "    if 'hello' not in line: sys.exit(1)\n    print")
    outcome = call("conform", "device", "--exec", sys.executable, "-c", dies)
    assert outcome.status == 2
    assert outcome.out.endswith("documents v1: 7 checks, 0 passed, 5 broken, 2 not played\n")


def test_an_object_of_ones_own_is_played_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "my_firmware.py").write_text(
        "from lorafuota.conformance.own import OwnDevice\n"
        "def device(): return OwnDevice('documents v2')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    outcome = call("conform", "device", "--python", "my_firmware:device", "--json")
    assert json.loads(outcome.out)["subject"] == "documents v2"
    assert outcome.status == 0
    outcome = call("conform", "device", "--python", "my_firmware:nothing")
    assert (outcome.status, outcome.err) == (2, "lorafuota conform: my_firmware has no nothing\n")


def test_the_key_of_the_device_comes_from_a_file_and_is_not_shown(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    path.write_text(f"AppKey={ROOT}\n")
    seen: list[object] = []
    catalogue: Catalogue[DevicePeer] = Catalogue()
    monkeypatch.setitem(CATALOGUES, "device", catalogue)

    @catalogue.check("fragmentation", (1,), "key", clause="-")
    def key(peer: DevicePeer) -> None:
        """See the key."""
        seen.append(peer.root_key.reveal().hex())
        peer.send_raw(201, b"\x00")
        peer.expect_silence()

    outcome = call("conform", "device", *OWN, "--id", "*/key", "--root-key-file", str(path))
    assert (outcome.status, seen) == (1, [ROOT])
    for spelling in spellings(bytes.fromhex(ROOT), parts=True):
        assert spelling not in outcome.out + outcome.err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    assert call("conform", "device", *OWN, "--id", "*/key", "--root-key-file", "-").status == 1
    assert seen == [ROOT, ROOT]
    path.write_text("McKey=" + ROOT)
    outcome = call("conform", "device", *OWN, "--root-key-file", str(path))
    assert (outcome.status, outcome.err) == (
        2,
        "lorafuota conform: the file of keys holds neither GenAppKey nor AppKey\n",
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("device",), "one of the arguments --exec --tcp --serial --python --own --example is req"),
        (("device", *OWN, "--example"), "not allowed with argument"),
        (("device", *OWN, "--max-wait", "0"), "expected a number of seconds above 0"),
        (("device", *OWN, "--max-wait", "soon"), "expected a number of seconds above 0"),
        (("device", *OWN, "--timeout", "nan"), "expected a number of seconds above 0"),
        (("device", *OWN, "--package", "ts009"), "there is no package 'ts009'"),
        (("list", "--id", "nothing"), "no check is left by --package, --version, --id and"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(words: tuple[str, ...], sentence: str) -> None:
    outcome = call("conform", *words)
    assert (outcome.status, outcome.out) == (2, "")
    assert sentence in outcome.err


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


@pytest.mark.skipif(compiler() is None, reason="no C compiler")
def test_the_example_is_built_and_played_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGUES, "device", DEVICE_CHECKS)
    outcome = call("conform", "device", "--example", "--severity", "required")
    assert outcome.out.splitlines()[-1].startswith("example in C: ")
    assert outcome.status == 0


def test_without_a_compiler_the_example_is_no_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    outcome = call("conform", "device", "--example")
    assert (outcome.status, outcome.err) == (
        2,
        "lorafuota conform: the example needs a C compiler, and there is none of cc, gcc, clang\n",
    )


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
