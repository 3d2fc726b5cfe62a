import io
import json
import pathlib
import socket
import sys
import threading
import xml.etree.ElementTree as ET

import pytest

from lorafuota.conformance.catalogues import CATALOGUES
from lorafuota.conformance.check import Catalogue
from lorafuota.conformance.device import DEVICE_CHECKS
from lorafuota.conformance.devicepeer import DevicePeer
from lorafuota.conformance.own import OwnDevice
from lorafuota.conformance.serving import answers
from lorafuota.conformance.transports.example import compiler
from tests.unit.cli.conformchecks import FEW, OWN, bad
from tests.unit.cli.support import ROOT, call, spellings


@pytest.fixture(autouse=True)
def few_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    for role in CATALOGUES.keys() - {"device"}:
        monkeypatch.delitem(CATALOGUES, role)
    monkeypatch.setitem(CATALOGUES, "device", FEW)


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
    assert outcome.err == (
        "lorafuota conform: 2 checks not played: the subject broke 5 times in a row, in the end "
        "because the program ended with status 1\n"
    )


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


MODULE = """
import sys
from lorafuota.conformance.own import OwnDevice
print("import")
class Leaves:
    about = OwnDevice("documents v1").about
    def exchange(self, request):
        sys.exit(0)
class Prints:
    def __init__(self):
        print("made")
        self.device = OwnDevice("documents v1")
        self.about = self.device.about
    def exchange(self, request):
        print("exchange")
        return self.device.exchange(request)
"""


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> str:
    """The name of a module in the present directory."""
    (tmp_path / "noisy_firmware.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "noisy_firmware", raising=False)
    return "noisy_firmware"


def test_a_device_that_ends_the_process_breaks_its_checks(
    module: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "report.xml"
    outcome = call("conform", "device", "--python", f"{module}:Leaves", "--junit", str(path))
    assert outcome.status == 1
    assert "  PowerOn raises SystemExit: 0\n" in outcome.out
    assert ET.parse(path).getroot().get("errors") == "2"


def test_a_module_that_ends_the_process_is_no_device(module: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / f"{module}.py").write_text("import sys\nsys.exit(0)\n")
    outcome = call("conform", "device", "--python", f"{module}:Leaves")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == f"lorafuota conform: {module} cannot be imported: SystemExit: 0\n"


def test_what_a_device_in_python_prints_does_not_spoil_the_document(module: str) -> None:
    outcome = call("conform", "device", "--python", f"{module}:Prints", "--json", "--id", "*/good")
    assert (outcome.status, json.loads(outcome.out)["counts"]["passed"]) == (0, 1)
    assert outcome.err.splitlines()[:3] == ["import", "made", "exchange"]


def test_a_device_that_calls_its_packages_by_document_is_played_with() -> None:
    called = DEVICE.replace("print(line", "print(line.replace('fragmentation', 'ts004')")
    outcome = call("conform", "device", "--id", "*/good", "--exec", sys.executable, "-c", called)
    assert (outcome.status, outcome.err) == (0, "")


def test_an_option_of_ours_behind_exec_is_warned_of() -> None:
    words = ("--exec", sys.executable, "-c", DEVICE, "--junit=r.xml", "--verbose", "--real-time")
    outcome = call("conform", "device", "--id", "*/good", *words)
    assert (outcome.status, outcome.err) == (
        0,
        "lorafuota conform: --junit, --real-time behind --exec go to the program; what is for "
        "conform stands before\n",
    )
    assert not pathlib.Path("r.xml").exists()


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
        (("device",), "one of the arguments --exec --tcp --python --serial --own --example is req"),
        (("device", *OWN, "--example"), "not allowed with argument"),
        (("device", *OWN, "--baud", "9600"), "--baud is for a board on a serial port: it takes"),
        (("device", *OWN, "--max-wait", "0"), "expected a number of seconds above 0"),
        (("device", *OWN, "--max-wait", "soon"), "expected a number of seconds above 0"),
        (("device", *OWN, "--timeout", "nan"), "expected a number of seconds above 0"),
        (("device", "--tcp", ""), "--tcp takes HOST:PORT, as in localhost:4000: ''"),
        (("device", "--serial", ""), "--serial takes the name of a port, as in /dev/ttyUSB0"),
        (("device", "--python", ""), "'': expected module:attribute"),
        (("device", "--python", "", "--real-time"), "--real-time is for a device that speaks li"),
        (("device", "--exec", ""), "'' cannot be started: "),
        (("device", *OWN, "--package", "ts009"), "there is no package 'ts009'"),
        (("list", "--id", "nothing"), "no check is left by --package, --version, --id and"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(words: tuple[str, ...], sentence: str) -> None:
    outcome = call("conform", *words)
    assert (outcome.status, outcome.out) == (2, "")
    assert sentence in outcome.err


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


def test_a_device_that_listens_is_played_with() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            peer, _ = server.accept()
            with peer, peer.makefile("rwb") as file:
                for line in answers(OwnDevice("documents v1"), file):
                    file.write(line.encode() + b"\n")
                    file.flush()

        thread = threading.Thread(target=listen)
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        outcome = call("conform", "device", "--id", "*/good", "--tcp", address)
        thread.join(20)
    assert outcome.status == 0
    assert outcome.out.splitlines()[-1] == "documents v1: 2 checks, 1 passed, 1 skipped"


def test_real_time_is_for_a_device_that_speaks_lines() -> None:
    for words in (OWN, ("--python", "a:b")):
        outcome = call("conform", "device", "--real-time", *words)
        assert (outcome.status, outcome.out) == (2, "")
        assert "--real-time is for a device that speaks lines" in outcome.err


def test_a_serial_port_that_is_not_there_is_named() -> None:
    pytest.importorskip("serial", reason="a serial port needs lorafuota[serial]")
    outcome = call("conform", "device", "--serial", "/dev/not-there", "--baud", "9600")
    assert outcome.status == 2
    assert "/dev/not-there cannot be opened: " in outcome.err
